//! Sweeps over a cloud that answers from memory, in paused time.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future;
use http::Request;
use secrecy::SecretString;

use super::*;
use crate::identity::{
    Application, CredentialSource, IdSource, Identity, PlatformIdentity, PrincipalSource,
    SecretError, SecretName, SecretSource, StoredSecret,
};
use crate::service::testing::{answer, network};

const SECOND: Duration = Duration::from_secs(1);

fn stored(value: &str) -> StoredSecret {
    StoredSecret {
        value: SecretString::from(value),
        expires: None,
    }
}

/// Where every secret is a GUID, which is good for an id and for a secret.
#[derive(Debug)]
struct Vault;

#[async_trait]
impl SecretSource for Vault {
    async fn read(&self, _: &SecretName) -> Result<StoredSecret, SecretError> {
        Ok(stored("0b1f6471-1bf0-4dda-aec3-cb9272f09590"))
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
        access: crate::policy::Access::Member,
        mode: Mode::Terminate,
        sees_all_runs: false,
        principal: PrincipalName::main(),
        spark_principal: None,
    }
}

/// A principal whose three secrets are in `vault`.
fn identity(network: &Network, vault: impl SecretSource + 'static) -> Identity {
    let name = |text| SecretName::parse(text).unwrap();
    let source = PrincipalSource::Application(Application {
        tenant_id: IdSource::Secret(name("tenant")),
        client_id: IdSource::Secret(name("client")),
        credential: CredentialSource::ClientSecret(name("secret")),
    });
    let platform = PlatformIdentity::default();
    Identity::new(network.clone(), source, Some(Arc::new(vault)), platform)
}

fn sweep_of(
    network: Network,
    identities: Vec<(PrincipalName, Identity)>,
    workspaces: Vec<Workspace>,
) -> Sweep {
    Sweep {
        identities: identities.into_iter().collect(),
        network,
        mode: Mode::Terminate,
        policy: Arc::new(PolicySet::plain(
            crate::decision::tests::world::default_policy(),
        )),
        workspaces,
        limits: SweepLimits {
            action: ActionLimits {
                runs_age: SECOND * 30,
                read_back_for: SECOND * 60,
                read_back_every: SECOND * 2,
            },
            joining: Patience {
                lasts: SECOND * 60,
                every: SECOND * 2,
            },
            runs_page_cap: 10,
            parallel_workspaces: 1,
            warn_before: SECOND * 3600,
        },
    }
}

async fn run(sweep: Sweep) -> (Closing, Told) {
    let request = SweepRequest {
        mode: Mode::Terminate,
        scope: Scope::All,
        deadline: Instant::now() + SECOND * 10,
    };
    let mut told = Told::default();
    let closing = sweep.run(&request, &mut told).await;
    (closing, told)
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
    let main = (PrincipalName::main(), identity(&network, Vault));
    let workspaces = (1..=3).map(workspace_of).collect();
    run(sweep_of(network, vec![main], workspaces)).await
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

/// A vault that holds one principal, or lacks the secret.
#[derive(Debug)]
struct VaultOf {
    tenant: &'static str,
    client: &'static str,
    has_secret: bool,
}

#[async_trait]
impl SecretSource for VaultOf {
    async fn read(&self, name: &SecretName) -> Result<StoredSecret, SecretError> {
        match name.name() {
            "tenant" => Ok(stored(self.tenant)),
            "client" => Ok(stored(self.client)),
            _ if self.has_secret => Ok(stored("planted-secret")),
            _ => Err(SecretError {
                kind: crate::identity::SecretErrorKind::NotFound,
                sentence: "there is no such secret".to_owned(),
            }),
        }
    }
}

const TENANTS: [&str; 2] = ["contoso.com", "fabrikam.com"];

/// Three principals: two of the first tenant, one of the second.
const PRINCIPALS: [(&str, usize, &str); 3] = [
    ("main", 0, "00000000-0000-0000-0000-0000000000a1"),
    ("team", 0, "00000000-0000-0000-0000-0000000000a2"),
    ("guest", 1, "00000000-0000-0000-0000-0000000000b1"),
];

/// Sweeps thirty empty workspaces as three principals in turn, of which one may lack
/// its secret or wait for its token. What was sent, too.
async fn swept_by_three(
    lacking: Option<&'static str>,
    slow: Option<&'static str>,
) -> (Closing, Told, Vec<crate::transport::Outgoing>) {
    let (network, transport) = network(move |request: Request<Bytes>| async move {
        if request.uri().host() != Some("login.microsoftonline.com") {
            return answer(200, "application/json", "{}");
        }
        let client = url::form_urlencoded::parse(request.body())
            .find(|(key, _)| key == "client_id")
            .map(|(_, client)| client.into_owned())
            .unwrap();
        let principal = PRINCIPALS.iter().find(|(.., id)| *id == client).unwrap();
        if slow == Some(principal.0) {
            tokio::time::sleep(SECOND * 5).await;
        }
        let body = format!(
            r#"{{"token_type":"Bearer","expires_in":3599,"access_token":"token-{}{}"}}"#,
            request.uri().path(),
            client
        );
        answer(200, "application/json", body)
    });
    let identities = PRINCIPALS.map(|(name, tenant, client)| {
        let vault = VaultOf {
            tenant: TENANTS[tenant],
            client,
            has_secret: lacking != Some(name),
        };
        (PrincipalName::new(name), identity(&network, vault))
    });
    let workspaces = (0..30).map(|number| Workspace {
        principal: PrincipalName::new(PRINCIPALS[number % 3].0),
        ..workspace_of(number)
    });
    let sweep = sweep_of(network, identities.into(), workspaces.collect());
    let (closing, told) = run(sweep).await;
    (closing, told, transport.sent())
}

/// The token that the principal of this workspace gets.
fn token_for(number: usize) -> String {
    let (_, tenant, client) = PRINCIPALS[number % 3];
    format!(
        "Bearer token-/{}/oauth2/v2.0/token{client}",
        TENANTS[tenant]
    )
}

#[tokio::test(start_paused = true)]
async fn each_principal_has_one_token_and_no_workspace_sees_anothers() {
    let (closing, told, sent) = swept_by_three(None, None).await;
    assert!(!closing.failed(), "{:?}", closing.failures);
    assert_eq!(closing.token_requests, 3);
    assert_eq!(closing.secret_reads, 9);
    assert_eq!(told.reports.len(), 30);
    let mut asked = BTreeSet::new();
    for request in &sent {
        let host = request.url.host_str().unwrap();
        let Some(label) = host.strip_prefix("adb-") else {
            continue;
        };
        let number: usize = label.split('.').next().unwrap().parse().unwrap();
        let given = request.headers["authorization"].to_str().unwrap();
        assert_eq!(given, token_for(number), "{host}");
        asked.insert(number);
    }
    assert_eq!(asked, (0..30).collect());
}

#[tokio::test(start_paused = true)]
async fn a_principal_that_fails_costs_only_its_workspaces() {
    let (closing, told, sent) = swept_by_three(Some("team"), None).await;
    let sentences: Vec<String> = closing.failures.iter().map(ToString::to_string).collect();
    assert_eq!(
        sentences,
        ["[settings]: principal `team`: no token for Azure Databricks: there is no such secret"]
    );
    let not_seen: BTreeSet<_> = closing.totals.not_seen.iter().cloned().collect();
    let of_team = |number: &usize| number % 3 == 1;
    let expected = (0..30).filter(of_team).map(|number| format!("w-{number}"));
    assert_eq!(not_seen, expected.collect());
    for report in told.reports.iter().filter(|report| !report.seen) {
        let why = "not asked, because there is no token for Databricks for principal `team`";
        assert_eq!(report.notes, [why]);
    }
    let hosts = sent.iter().filter_map(|request| request.url.host_str());
    assert_eq!(hosts.filter(|host| host.starts_with("adb-1.")).count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_principal_whose_token_is_slow_holds_up_no_others() {
    let (closing, told, _) = swept_by_three(None, Some("main")).await;
    assert!(!closing.failed(), "{:?}", closing.failures);
    let last_ten = told.reports.iter().skip(20).map(|report| &report.name);
    for name in last_ten {
        let number: usize = name.strip_prefix("w-").unwrap().parse().unwrap();
        assert_eq!(number % 3, 0, "{name} came after the slow ones");
    }
}
