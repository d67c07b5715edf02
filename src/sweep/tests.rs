//! Sweeps over a cloud that answers from memory, in paused time.

use bytes::Bytes;
use futures_util::future;
use http::Request;
use secrecy::SecretString;

use super::*;
use crate::identity::{PrincipalSecrets, SecretError, SecretName, SecretSource};
use crate::service::testing::{answer, network};

const SECOND: Duration = Duration::from_secs(1);

/// Where every secret is a GUID, which is good for an id and for a secret.
#[derive(Debug)]
struct Vault;

#[async_trait]
impl SecretSource for Vault {
    async fn read(&self, _: &SecretName) -> Result<SecretString, SecretError> {
        Ok(SecretString::from("0b1f6471-1bf0-4dda-aec3-cb9272f09590"))
    }
}

#[derive(Default)]
struct Told {
    reports: Vec<WorkspaceReport>,
}

impl ReportSink for Told {
    fn begin(&mut self, _: usize) {}

    fn workspace(&mut self, report: &WorkspaceReport) {
        self.reports.push(report.clone());
    }

    fn closing(&mut self, _: &Closing) {}
}

impl Told {
    /// Name, whether it was seen, and the kinds of its failures.
    fn lines(&self) -> BTreeSet<(String, bool, Vec<&'static str>)> {
        let line = |report: &WorkspaceReport| {
            let kinds = report.failures.iter().map(|failure| failure.kind.as_str());
            (report.name.clone(), report.seen, kinds.collect())
        };
        self.reports.iter().map(line).collect()
    }
}

fn workspace_of(number: usize) -> Workspace {
    Workspace {
        name: format!("w-{number}"),
        url: url::Url::parse(&format!("https://adb-{number}.1.azuredatabricks.net")).unwrap(),
        resource_id: None,
        mode: Mode::Terminate,
        sees_all_runs: false,
    }
}

/// Sweeps three empty workspaces, whose requests `hook` sees first.
async fn swept(hook: fn(&str) -> Duration) -> (Closing, Told) {
    let (network, _) = network(move |request: Request<Bytes>| {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let wait = hook(&host);
        async move {
            tokio::time::sleep(wait).await;
            let body = if host.starts_with("login.") {
                r#"{"token_type":"Bearer","expires_in":3599,"access_token":"planted-token"}"#
            } else {
                "{}"
            };
            answer(200, "application/json", body)
        }
    });
    let name = |text| SecretName::parse(text).unwrap();
    let names = PrincipalSecrets {
        tenant_id: name("tenant"),
        client_id: name("client"),
        client_secret: name("secret"),
    };
    let sweep = Sweep {
        identity: Identity::new(network.clone(), Arc::new(Vault), names),
        network,
        mode: Mode::Terminate,
        policy: Arc::new(PolicySet::plain(
            crate::decision::tests::world::default_policy(),
        )),
        workspaces: (1..=3).map(workspace_of).collect(),
        limits: SweepLimits {
            action: ActionLimits {
                runs_age: SECOND * 30,
                read_back_for: SECOND * 60,
                read_back_every: SECOND * 2,
            },
            runs_page_cap: 10,
            parallel_workspaces: 1,
        },
    };
    let request = SweepRequest {
        mode: Mode::Terminate,
        scope: Scope::All,
        deadline: Instant::now() + SECOND * 10,
    };
    let mut told = Told::default();
    let closing = sweep.run(&request, &mut told).await;
    (closing, told)
}

fn line(number: usize, seen: bool, kinds: &[&'static str]) -> (String, bool, Vec<&'static str>) {
    (format!("w-{number}"), seen, kinds.to_vec())
}

#[tokio::test(start_paused = true)]
async fn a_panic_over_one_workspace_is_its_own_failure_and_the_others_are_swept() {
    let (closing, told) = swept(|host| match host.starts_with("adb-2.") {
        true => panic!("over the second"),
        false => Duration::ZERO,
    })
    .await;
    let expected = [
        line(1, true, &[]),
        line(2, false, &["workspace"]),
        line(3, true, &[]),
    ];
    assert_eq!(told.lines(), BTreeSet::from(expected));
    assert_eq!(closing.totals.not_seen, ["w-2"]);
    assert!(closing.failed());
}

#[tokio::test(start_paused = true)]
async fn a_token_that_does_not_come_ends_with_the_sweep() {
    let began = Instant::now();
    let (closing, told) = swept(|host| match host.starts_with("login.") {
        true => SECOND * 3600,
        false => Duration::ZERO,
    })
    .await;
    assert_eq!(began.elapsed(), SECOND * 10);
    assert_eq!(told.reports.len(), 3);
    let kinds: Vec<_> = closing.failures.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, [FailureKind::Deadline]);
}

#[tokio::test(start_paused = true)]
async fn a_workspace_that_does_not_end_is_given_up_and_told() {
    let began = Instant::now();
    let workspaces = [workspace_of(1), workspace_of(2)];
    let ready = unseen(&workspaces[0], None, Vec::new());
    let first = stream::once(future::ready((0, Ok(ready))));
    let never_ends = first.chain(stream::once(future::pending()));
    let mut told = Told::default();
    let deadline = began + SECOND * 10;
    tell_each(never_ends, &workspaces, deadline, &mut |report| {
        told.reports.push(report);
    })
    .await;
    let expected = [line(1, false, &[]), line(2, false, &["deadline"])];
    assert_eq!(told.lines(), BTreeSet::from(expected));
    assert_eq!(began.elapsed(), SECOND * 10 + LAST_WORDS);
}
