//! A cloud without sockets, in which one workspace has idle clusters, as Spark
//! tells. A test changes single answers of it and looks at what was sent.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::time::OffsetDateTime;
use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Value, json};
use terminate_clusters::clock::PausableClock;
use terminate_clusters::cloud::Cloud;
use terminate_clusters::key_vault::VaultLogin;
use terminate_clusters::report::{Closing, Outcome, WorkspaceReport};
use terminate_clusters::settings::{Environment, Settings};
use terminate_clusters::sweep::{ReportSink, Scope, SweepRequest};
use terminate_clusters::transport::{Gate, MemoryTransport};
use terminate_clusters::wiring;
use tokio::time::Instant;

use crate::sample::{NOW, hours_ago};

pub(crate) const HOST: &str = "adb-1.1.azuredatabricks.net";

const POLICY: &str = r#"
[policy]
spark_alone_suffices = true
[witness.spark]
principal = "main"
[witness.nodes]
enabled = false
[[workspaces]]
name = "analytics"
url = "https://adb-1.1.azuredatabricks.net"
"#;

/// A status and a body instead of the usual answer.
pub(crate) type Answer = (u16, Value);

/// What a request asks for.
pub(crate) struct Asked {
    pub(crate) path: String,
    /// How many requests for the same path and query came before.
    pub(crate) before: usize,
}

/// What a sweep told and sent.
pub(crate) struct Swept {
    pub(crate) reports: Vec<WorkspaceReport>,
    pub(crate) closing: Closing,
    /// Method and path of every request, in order.
    pub(crate) sent: Vec<(Method, String)>,
}

impl Swept {
    /// The outcome of each cluster, by the order of the list.
    pub(crate) fn outcomes(&self) -> Vec<&'static str> {
        let lines = self.reports.iter().flat_map(|report| &report.lines);
        lines.map(|line| line.outcome.as_str()).collect()
    }

    pub(crate) fn first(&self) -> &Outcome {
        &self.reports[0].lines[0].outcome
    }

    /// Requests that could change anything in a workspace: every method but GET,
    /// the question for events excepted.
    pub(crate) fn writes(&self) -> Vec<&str> {
        let writes = self.sent.iter().filter(|(method, path)| {
            *method != Method::GET && !path.starts_with("login.") && !path.ends_with("/events")
        });
        writes.map(|(_, path)| path.as_str()).collect()
    }
}

struct Sink<'a>(&'a mut Vec<WorkspaceReport>);

impl ReportSink for Sink<'_> {
    fn begin(&mut self, _: usize) {}

    fn workspace(&mut self, report: &WorkspaceReport) {
        self.0.push(report.clone());
    }

    fn closing(&mut self, _: &Closing) {}
}

#[derive(Debug)]
struct Login;

#[async_trait::async_trait]
impl TokenCredential for Login {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let ends = OffsetDateTime::now_utc() + Duration::from_secs(3600);
        Ok(AccessToken::new("vault-token", ends))
    }
}

/// Sweeps a workspace of `clusters` idle clusters in `mode`; `change` may answer a
/// request in its own way.
pub(crate) async fn sweep(
    mode: &str,
    clusters: usize,
    change: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static,
) -> Swept {
    let settings = settings(mode);
    let asked_before: Mutex<Vec<String>> = Mutex::default();
    let deleted: Mutex<Vec<String>> = Mutex::default();
    let transport = MemoryTransport::new(Gate::new(Cloud::public(), None), move |request| {
        let address = request.uri().to_string();
        let mut earlier = asked_before.lock().unwrap();
        let asked = Asked {
            path: request.uri().path().to_owned(),
            before: earlier.iter().filter(|one| **one == address).count(),
        };
        earlier.push(address);
        let changed = change(&asked);
        let answer = changed.or_else(|| usual(&request, clusters, &mut deleted.lock().unwrap()));
        let response = respond(answer);
        async move { Ok(response) }
    });
    let transport = Arc::new(transport);
    let clock = Arc::new(PausableClock::starting_at(NOW));
    let login = VaultLogin::Given(Arc::new(Login));
    let sweep = wiring::sweep_over(&settings, transport.clone(), clock, &login).unwrap();
    let request = SweepRequest {
        mode: settings.mode,
        scope: Scope::All,
        deadline: Instant::now() + Duration::from_mins(30),
    };
    let mut reports = Vec::new();
    let closing = sweep.run(&request, &mut Sink(&mut reports)).await;
    let sent = transport.sent().into_iter().map(|request| {
        let host = request.url.host_str().unwrap_or_default().to_owned();
        (request.method, host + request.url.path())
    });
    Swept {
        reports,
        closing,
        sent: sent.collect(),
    }
}

fn settings(mode: &str) -> Settings {
    let environment = Environment::from_iter([
        ("TERMINATE_CLUSTERS_MODE", mode),
        ("TERMINATE_CLUSTERS_POLICY", POLICY),
        (
            "TERMINATE_CLUSTERS_KEY_VAULT_URL",
            "https://kv-ops.vault.azure.net",
        ),
        ("TERMINATE_CLUSTERS_TENANT_ID_SECRET", "tenant"),
        ("TERMINATE_CLUSTERS_CLIENT_ID_SECRET", "client"),
        ("TERMINATE_CLUSTERS_CLIENT_SECRET_SECRET", "secret"),
    ]);
    let no_files = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
    Settings::read(&environment, std::path::Path::new("/app"), &no_files).unwrap()
}

pub(crate) fn cluster(number: usize, state: &str, context: u64) -> Value {
    json!({
        "cluster_id": format!("0101-000000-idle{number:04}"),
        "cluster_name": format!("team {number}"),
        "cluster_source": "UI",
        "state": state,
        "spark_context_id": context,
        "spark_version": "15.4.x-scala2.12",
        "node_type_id": "Standard_D8s_v5",
        "num_workers": 2,
        "autotermination_minutes": 0,
        "last_restarted_time": hours_ago(60).as_millis(),
    })
}

/// What the cloud answers; `None` for the page that does not exist.
fn usual(request: &Request<Bytes>, clusters: usize, deleted: &mut Vec<String>) -> Option<Answer> {
    let host = request.uri().host().unwrap_or_default();
    let path = request.uri().path();
    let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
    let good = |value: Value| Some((200, value));
    match host {
        "kv-ops.vault.azure.net" => {
            let value = match path.split('/').nth(2) {
                Some("tenant") => "11111111-1111-1111-1111-111111111111",
                Some("client") => "22222222-2222-2222-2222-222222222222",
                _ => "planted",
            };
            return good(json!({"value": value, "id": format!("https://{host}{path}")}));
        }
        "login.microsoftonline.com" => {
            let token = json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "planted-token"});
            return good(token);
        }
        _ => assert_eq!(host, HOST),
    }
    match path.rsplit('/').next().unwrap_or_default() {
        "delete" => {
            deleted.push(body["cluster_id"].as_str().unwrap().to_owned());
            good(json!({}))
        }
        "get" => {
            let id = request.uri().query().unwrap_or_default();
            let number: usize = id.rsplit("idle").next().unwrap().parse().unwrap();
            let is_deleted = deleted.iter().any(|deleted| id.ends_with(deleted.as_str()));
            let state = if is_deleted { "TERMINATING" } else { "RUNNING" };
            good(cluster(number, state, 7))
        }
        "list" if path.contains("clusters") => {
            let all = (0..clusters).map(|number| cluster(number, "RUNNING", 7));
            good(json!({"clusters": all.collect::<Vec<_>>()}))
        }
        "list" => good(json!({"has_more": false})),
        "Me" => good(json!({"groups": [{"display": "admins"}]})),
        "list-node-types" => good(json!({"node_types": []})),
        "applications" => {
            let attempt = json!({
                "startTimeEpoch": hours_ago(50).as_millis(),
                "completed": false,
            });
            good(json!([{"id": "app-1", "attempts": [attempt]}]))
        }
        "jobs" | "stages" | "sql" | "threads" => good(json!([])),
        "environment" => good(json!({"sparkProperties": [["spark.app.id", "app-1"]]})),
        _ => None,
    }
}

fn respond(answer: Option<Answer>) -> Response<Bytes> {
    let Some((status, body)) = answer else {
        // Spark's answer before the first streaming query.
        return Response::builder()
            .status(302)
            .header("location", format!("http://{HOST}/jobs/"))
            .body(Bytes::new())
            .unwrap();
    };
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Bytes::from(body.to_string()))
        .unwrap()
}
