//! One storm in one process: the product's own sweep over a cloud that answers
//! from memory, in paused time, and everything that was told and done.
//!
//! Requests pass here on their way, so that each termination is judged at the
//! moment it is sent, whatever becomes of it, and each listing is kept beside the
//! report that follows from it. What is found wrong is collected, not decided.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::time::OffsetDateTime;
use bytes::Bytes;
use fastrand::Rng;
use http::{HeaderMap, Request, Response};
use serde_json::Value;
use simulator::world::World;
use simulator::{Broken, Match, MemoryCloud, Reply};
use terminate_clusters::clock::PausableClock;
use terminate_clusters::cloud::Cloud;
use terminate_clusters::key_vault::VaultLogin;
use terminate_clusters::policy::Mode;
use terminate_clusters::report::{Closing, WorkspaceReport, json, text};
use terminate_clusters::settings::{Environment, Settings};
use terminate_clusters::sweep::{ReportSink, Scope, SweepRequest};
use terminate_clusters::timestamp::Timestamp;
use terminate_clusters::transport::{Gate, MemoryTransport, TransportError, TransportErrorKind};
use terminate_clusters::{host, wiring};
use tokio::time::Instant;

use crate::estate::Rules;
use crate::oracle::{Asked, Case};

/// Where the managed identity's token is had; the header is the world's.
const IDENTITY_QUERY: &str = "api-version=2019-08-01&resource=https%3A%2F%2Fvault.azure.net";

/// A cloud, the operator's will, and what came of the sweeps so far.
pub(crate) struct Sky {
    pub(crate) cloud: Arc<MemoryCloud>,
    pub(crate) rules: Arc<Rules>,
    settings: Settings,
    clock: PausableClock,
    latency: Arc<Mutex<Rng>>,
    seen: Arc<Mutex<Seen>>,
}

/// What passed on the way of the requests.
#[derive(Debug, Default)]
struct Seen {
    wrongs: Vec<String>,
    /// Ids that whole pages of cluster lists told, by host.
    listed: BTreeMap<String, BTreeSet<String>>,
    /// When a cluster's threads were told, by id, in milliseconds since the epoch.
    threads: BTreeMap<String, i64>,
}

/// A sweep that has ended.
pub(crate) struct Swept {
    pub(crate) closing: Closing,
    pub(crate) reports: Vec<WorkspaceReport>,
    pub(crate) listed: BTreeMap<String, BTreeSet<String>>,
    /// Report and log, in every rendering.
    pub(crate) told: String,
    pub(crate) took: Duration,
}

impl Sky {
    pub(crate) fn over(world: World, rules: Rules, seed: u64) -> Self {
        let settings = settings(&rules.document(&world));
        let now = Timestamp::from_millis(world.clock.now_ms());
        Self {
            cloud: Arc::new(MemoryCloud::new(world)),
            rules: Arc::new(rules),
            settings,
            clock: PausableClock::starting_at(now),
            latency: Arc::new(Mutex::new(Rng::with_seed(seed))),
            seen: Arc::default(),
        }
    }

    /// What broke a promise so far.
    pub(crate) fn wrongs(&self) -> Vec<String> {
        self.seen.lock().unwrap().wrongs.clone()
    }

    /// Sweeps once; `finest` logs every line that there is.
    pub(crate) async fn sweep(&self, mode: Mode, patience: Duration, finest: bool) -> Swept {
        self.seen.lock().unwrap().listed.clear();
        let log = Log::default();
        let level = if finest {
            tracing::Level::TRACE
        } else {
            tracing::Level::INFO
        };
        let lines = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_ansi(false)
            .with_writer(move || lines.clone())
            .finish();
        let guard = tracing::subscriber::set_default(subscriber);
        let login = VaultLogin::Given(Arc::new(Login(Arc::clone(&self.cloud))));
        let clock = Arc::new(self.clock);
        let sweep = wiring::sweep_over(&self.settings, self.transport(), clock, &login).unwrap();
        let began = Instant::now();
        let request = SweepRequest {
            mode,
            scope: Scope::All,
            deadline: began + patience,
        };
        let mut sink = Sink::default();
        let closing = sweep.run(&request, &mut sink).await;
        drop(guard);
        let logged = log.0.lock().unwrap().clone();
        Swept {
            closing,
            reports: sink.reports,
            listed: self.seen.lock().unwrap().listed.clone(),
            told: sink.told + &String::from_utf8_lossy(&logged),
            took: began.elapsed(),
        }
    }

    fn transport(&self) -> Arc<MemoryTransport> {
        let (cloud, rules) = (Arc::clone(&self.cloud), Arc::clone(&self.rules));
        let (latency, seen) = (Arc::clone(&self.latency), Arc::clone(&self.seen));
        let gate = Gate::new(Cloud::public(), None);
        Arc::new(MemoryTransport::new(gate, move |request| {
            let way = Way {
                cloud: Arc::clone(&cloud),
                rules: Arc::clone(&rules),
                seen: Arc::clone(&seen),
                latency: Duration::from_millis(latency.lock().unwrap().u64(1..60)),
            };
            async move { way.carry(request).await }
        }))
    }
}

/// The way of one request.
struct Way {
    cloud: Arc<MemoryCloud>,
    rules: Arc<Rules>,
    seen: Arc<Mutex<Seen>>,
    latency: Duration,
}

impl Way {
    async fn carry(self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        tokio::time::sleep(self.latency).await;
        let request = simulated(&request);
        if Match::termination().matches(&request) {
            self.judge(&request);
        }
        let at = self.cloud.world(|world| world.clock.now_ms());
        let reply = self.cloud.exchange(request.clone()).await;
        let reply = reply.map_err(transport_error)?;
        self.note(&request, &reply, at);
        let mut response = Response::new(reply.body);
        *response.status_mut() = http::StatusCode::from_u16(reply.status).unwrap();
        *response.headers_mut() = reply.headers;
        Ok(response)
    }

    /// Whether this termination may be sent now.
    fn judge(&self, request: &simulator::Request) {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let id = body["cluster_id"].as_str().unwrap_or_default();
        let mut seen = self.seen.lock().unwrap();
        let threads = seen.threads.get(id).copied();
        let verdict = self.cloud.look_at_record(|record| {
            self.cloud.world(|world| {
                let asked = Asked::of(record, world, &request.host, id, threads);
                let workspace = world.find_workspace(&request.host).ok_or("no workspace")?;
                let cluster = workspace.find(id).ok_or("no cluster")?;
                let (rules, now) = (&*self.rules, world.now());
                let case = Case {
                    workspace,
                    cluster,
                    rules,
                    now,
                };
                let verdict = case.forbidden(&asked);
                verdict.map_err(|why| {
                    format!("{} of {}: {why}; {asked:?}", cluster.name, workspace.name)
                })
            })
        });
        if let Err(why) = verdict {
            seen.wrongs.push(format!("terminated {why}"));
        }
    }

    /// Keeps what a client can have learned from an answer.
    fn note(&self, request: &simulator::Request, reply: &Reply, at: i64) {
        let is_list = request.path.ends_with("/clusters/list")
            && request.query.first("filter_by.is_pinned").is_none();
        let is_dump = request.path.ends_with("/threads");
        let is_plain = !reply.headers.contains_key("content-encoding");
        let content_type = reply.headers.get("content-type");
        let is_json =
            content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
        if !(is_list || is_dump) || reply.status != 200 || !is_plain || !is_json {
            return;
        }
        let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let mut seen = self.seen.lock().unwrap();
        if is_list {
            let ids = body["clusters"].as_array().into_iter().flatten();
            let ids = ids.filter_map(|one| one["cluster_id"].as_str());
            let known = seen.listed.entry(request.host.clone()).or_default();
            known.extend(ids.map(str::to_owned));
        } else if body[0].is_object() {
            let id = request.path.split('/').nth(4).unwrap_or_default();
            seen.threads.insert(id.to_owned(), at);
        }
    }
}

fn simulated(request: &Request<Bytes>) -> simulator::Request {
    let uri = request.uri();
    simulator::Request::new(
        request.method().as_str(),
        uri.host().unwrap_or_default(),
        uri.path(),
        uri.query().unwrap_or_default(),
        request.headers().clone(),
        request.body().clone(),
    )
}

fn transport_error(broken: Broken) -> TransportError {
    let (kind, never_sent) = match broken {
        Broken::NoConnection => (TransportErrorKind::Connect, true),
        Broken::OtherCertificate => (TransportErrorKind::Tls, true),
        Broken::Reset => (TransportErrorKind::Reset, false),
    };
    TransportError::new(kind, never_sent, "simulated")
}

fn settings(document: &str) -> Settings {
    let environment = Environment::from_iter([
        ("TERMINATE_CLUSTERS_MODE", "terminate"),
        ("TERMINATE_CLUSTERS_POLICY", document),
        (
            "TERMINATE_CLUSTERS_KEY_VAULT_URL",
            "https://tc-vault.vault.azure.net",
        ),
        (
            "TERMINATE_CLUSTERS_TENANT_ID_SECRET",
            simulator::world::TENANT_ID_SECRET,
        ),
        (
            "TERMINATE_CLUSTERS_CLIENT_ID_SECRET",
            simulator::world::CLIENT_ID_SECRET,
        ),
        (
            "TERMINATE_CLUSTERS_CLIENT_SECRET_SECRET",
            simulator::world::CLIENT_SECRET_SECRET,
        ),
    ]);
    let no_files = |_: &Path| Err(io::ErrorKind::NotFound.into());
    Settings::read(&environment, Path::new("/app"), &no_files).unwrap()
}

/// The managed identity's login, without its socket.
#[derive(Debug)]
struct Login(Arc<MemoryCloud>);

#[async_trait]
impl TokenCredential for Login {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let header = self.0.world(|world| world.identity.header.clone());
        let mut headers = HeaderMap::new();
        headers.insert("x-identity-header", header.parse().unwrap());
        let host = "managed-identity";
        let ask = simulator::Request::new(
            "GET",
            host,
            "/msi/token",
            IDENTITY_QUERY,
            headers,
            Bytes::new(),
        );
        let refused = |why: String| {
            azure_core::Error::with_message(azure_core::error::ErrorKind::Credential, why)
        };
        let reply = self.0.exchange(ask).await;
        let reply = reply.map_err(|why| refused(format!("{why:?}")))?;
        let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        match body["access_token"].as_str() {
            // The SDK has the machine's clock, the world has its own.
            Some(token) => {
                let ends = OffsetDateTime::now_utc() + Duration::from_secs(3600);
                Ok(AccessToken::new(token.to_owned(), ends))
            }
            None => Err(refused(format!("status {}", reply.status))),
        }
    }
}

/// Everything that is told, in every rendering.
#[derive(Default)]
struct Sink {
    reports: Vec<WorkspaceReport>,
    told: String,
}

impl ReportSink for Sink {
    fn begin(&mut self, workspaces: usize) {
        host::LogReport.begin(workspaces);
    }

    fn workspace(&mut self, report: &WorkspaceReport) {
        host::LogReport.workspace(report);
        self.told += &json::workspace(report);
        self.told += &text::workspace(report);
        self.reports.push(report.clone());
    }

    fn closing(&mut self, closing: &Closing) {
        host::LogReport.closing(closing);
        self.told += &json::closing(closing);
        self.told += &text::closing(closing);
    }
}

/// Log lines in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
