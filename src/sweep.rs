//! One sweep: over every workspace of the request, several at a time, until all
//! are told of or the time is up.
//!
//! A request can only narrow what the settings allow. Each workspace's report
//! goes to the [`ReportSink`] as it ends and is dropped. This file wires the
//! clients of a workspace together and judges nothing itself.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::stream::{self, Stream, StreamExt};
use tokio::time::{Instant, timeout_at};

use crate::action::ActionLimits;
use crate::azure_monitor::{AzureMonitor, Throttles};
use crate::databricks::Databricks;
use crate::identity::{Audience, Identity, Token, TokenError, TokenErrorKind, TokenSource};
use crate::meter::{Stage, StageCounts};
use crate::plan::Allowances;
use crate::policy::{Mode, PolicySet};
use crate::report::machines::Machines;
use crate::report::{Closing, Failure, FailureKind, Totals, WorkspaceReport};
use crate::service::{Lane, Service};
use crate::spark::{SPARK_UI_PORT, SparkDriver, org_id};
use crate::transport::Network;
use crate::workspace::{self, Clients, SweepRules, Workspace};

/// How long after the deadline a workspace may take to tell its report. All its
/// waits end with the deadline, so this bounds only what nobody thought of.
const LAST_WORDS: Duration = Duration::from_secs(5);

const PANICKED: &str = "sweeping it ended in a panic, so its clusters have no lines; \
    the log holds the panic and whatever was terminated before it";
const GIVEN_UP: &str = "it did not end with the sweep's time and was given up, so its \
    clusters have no lines; the log holds whatever was terminated";

/// What is asked for: by the timer, or by the operator on the command line.
#[derive(Debug, Clone)]
pub struct SweepRequest {
    /// Bounded by the settings' mode, and by each workspace's.
    pub mode: Mode,
    pub scope: Scope,
    /// When the sweep must have told its report.
    pub deadline: Instant,
}

/// Which of the policy's workspaces are swept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    All,
    /// By name. An empty set means none.
    Only(BTreeSet<String>),
}

impl Scope {
    pub(crate) fn covers(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(name),
        }
    }
}

/// Where the report goes, piece by piece.
pub trait ReportSink: Send {
    /// How many workspaces there will be.
    fn begin(&mut self, workspaces: usize);
    /// One workspace has ended.
    fn workspace(&mut self, report: &WorkspaceReport);
    /// The sweep has ended.
    fn closing(&mut self, closing: &Closing);
}

/// Bounds of a sweep that are no policy.
#[derive(Debug, Clone, Copy)]
pub struct SweepLimits {
    pub action: ActionLimits,
    pub runs_page_cap: usize,
    pub parallel_workspaces: usize,
}

/// The parts of one sweep. Secrets and tokens live as long as it does.
#[derive(Debug)]
pub struct Sweep {
    pub network: Network,
    pub identity: Identity,
    pub mode: Mode,
    pub policy: Arc<PolicySet>,
    pub workspaces: Vec<Workspace>,
    pub limits: SweepLimits,
}

impl Sweep {
    /// Sweeps, tells the sink, and gives the totals.
    pub async fn run(self, request: &SweepRequest, sink: &mut dyn ReportSink) -> Closing {
        let began = Instant::now();
        let tokens = Arc::new(Recording::over(self.identity.clone()));
        let mode = request.mode.min(self.mode);
        let workspaces = self.in_scope(mode, request);
        sink.begin(workspaces.len());
        let mut totals = Totals::default();
        let mut failures = Vec::new();
        let mut tell = |report: WorkspaceReport| {
            totals.add(&report);
            sink.workspace(&report);
        };
        match first_token(&workspaces, &tokens, request.deadline).await {
            Ok(()) => {
                self.visit_all(&workspaces, &tokens, request.deadline, &mut tell)
                    .await
            }
            Err(failure) => {
                failures.extend(failure);
                let why = "not asked, because there is no token for Databricks";
                for workspace in &workspaces {
                    tell(unseen(workspace, Some(why.to_owned()), Vec::new()));
                }
            }
        }
        failures.extend(tokens.failures());
        let usage = self.identity.usage();
        let stages = &mut totals.stages;
        stages.record(Stage::Secrets, usage.secret_reads, usage.secret_time);
        stages.record(Stage::Tokens, usage.token_requests, usage.token_time);
        let closing = Closing {
            mode,
            totals,
            failures,
            token_requests: usage.token_requests,
            secret_reads: usage.secret_reads,
            elapsed: began.elapsed(),
        };
        sink.closing(&closing);
        closing
    }

    /// The tokens of one sweep, the one for Databricks at hand.
    ///
    /// # Errors
    ///
    /// Why it cannot be had, without which nothing need be asked.
    pub(crate) async fn tokens(&self, deadline: Instant) -> Result<Arc<Recording>, Vec<Failure>> {
        let tokens = Arc::new(Recording::over(self.identity.clone()));
        match first_token(&self.workspaces, &tokens, deadline).await {
            Ok(()) => Ok(tokens),
            Err(failure) => Err(failure.into_iter().chain(tokens.failures()).collect()),
        }
    }

    /// Sweeps the workspaces, several at a time.
    async fn visit_all(
        &self,
        workspaces: &[Workspace],
        tokens: &Arc<Recording>,
        deadline: Instant,
        tell: &mut (dyn FnMut(WorkspaceReport) + Send),
    ) {
        let rules = self.rules();
        let throttles = Throttles::default();
        let owned: Vec<Workspace> = workspaces.to_vec();
        let visits = owned.into_iter().enumerate().map(|(place, workspace)| {
            let clients = self.clients(&workspace, tokens, &throttles, deadline);
            let rules = rules.clone();
            async move {
                let visit = workspace::sweep(&workspace, &clients, &rules);
                (place, AssertUnwindSafe(visit).catch_unwind().await)
            }
        });
        let parallel = self.limits.parallel_workspaces.max(1);
        let ended = stream::iter(visits).buffer_unordered(parallel);
        tell_each(ended, workspaces, deadline, tell).await;
    }

    /// The workspaces to sweep, each in its effective mode, starting with another
    /// one each time so that none is always first at the sweep's cap.
    fn in_scope(&self, mode: Mode, request: &SweepRequest) -> Vec<Workspace> {
        let mut workspaces: Vec<Workspace> = self
            .workspaces
            .iter()
            .filter(|workspace| request.scope.covers(&workspace.name))
            .cloned()
            .collect();
        for workspace in &mut workspaces {
            workspace.mode = workspace.mode.min(mode);
        }
        if !workspaces.is_empty() {
            let seed = self.network.clock.now().as_millis().unsigned_abs();
            let turns = scatter(seed) % workspaces.len() as u64;
            workspaces.rotate_left(usize::try_from(turns).unwrap_or(0));
        }
        workspaces
    }

    pub(crate) fn rules(&self) -> SweepRules {
        SweepRules {
            policy: Arc::clone(&self.policy),
            clock: Arc::clone(&self.network.clock),
            allowances: Arc::new(Allowances::new(self.policy.base.cap_per_sweep)),
            action: self.limits.action,
            runs_page_cap: self.limits.runs_page_cap,
            parallel_looks: self.network.limits.parallel_per_workspace,
        }
    }

    pub(crate) fn clients(
        &self,
        workspace: &Workspace,
        tokens: &Arc<Recording>,
        throttles: &Throttles,
        deadline: Instant,
    ) -> Clients {
        let lane = Arc::new(Lane::new(&self.network.limits, deadline));
        let service = |audience: Audience, base: &url::Url| {
            let tokens: Arc<dyn TokenSource> = Arc::clone(tokens) as Arc<dyn TokenSource>;
            let network = self.network.clone();
            Service::new(network, tokens, audience, base.clone(), Arc::clone(&lane)).share()
        };
        let databricks = service(Audience::Databricks, &workspace.url);
        let spark = org_id(&workspace.url)
            .filter(|_| self.policy.base.spark_witness)
            .map(|org| SparkDriver::new(Arc::clone(&databricks), org, SPARK_UI_PORT));
        let arm = self.network.cloud.resource_manager();
        let monitor = arm
            .filter(|_| self.policy.base.nodes_witness)
            .map(|arm| AzureMonitor::new(service(Audience::Arm, &arm), throttles.clone()));
        Clients {
            databricks: Arc::new(Databricks::new(databricks)),
            spark,
            monitor,
            lane,
        }
    }
}

/// Tells of each workspace, however it ends: one that panics is a failure of its
/// own, and one that does not end with the deadline is given up.
async fn tell_each(
    ended: impl Stream<Item = (usize, std::thread::Result<WorkspaceReport>)>,
    workspaces: &[Workspace],
    deadline: Instant,
    tell: &mut (dyn FnMut(WorkspaceReport) + Send),
) {
    let mut ended = pin!(ended);
    let mut untold: BTreeMap<usize, &Workspace> = workspaces.iter().enumerate().collect();
    let give_up_at = deadline + LAST_WORDS;
    while let Ok(Some((place, report))) = timeout_at(give_up_at, ended.next()).await {
        let Some(workspace) = untold.remove(&place) else {
            continue;
        };
        tell(report.unwrap_or_else(|_| broken(workspace, FailureKind::Workspace, PANICKED)));
    }
    for workspace in untold.into_values() {
        tell(broken(workspace, FailureKind::Deadline, GIVEN_UP));
    }
}

/// Whether there is a token for Databricks, without which nothing need be asked. No
/// workspace needs none.
async fn first_token(
    workspaces: &[Workspace],
    tokens: &Recording,
    deadline: Instant,
) -> Result<(), Option<Failure>> {
    if workspaces.is_empty() {
        return Ok(());
    }
    match timeout_at(deadline, tokens.token(Audience::Databricks)).await {
        Ok(Ok(_)) => Ok(()),
        // The recording has the failure.
        Ok(Err(_)) => Err(None),
        Err(_) => Err(Some(Failure {
            kind: FailureKind::Deadline,
            workspace: None,
            cluster: None,
            sentence: "the sweep's time was up before there was a token for Databricks".to_owned(),
        })),
    }
}

/// The report of a workspace that did not come to its own.
fn broken(workspace: &Workspace, kind: FailureKind, sentence: &str) -> WorkspaceReport {
    let failure = Failure {
        kind,
        workspace: Some(workspace.name.clone()),
        cluster: None,
        sentence: sentence.to_owned(),
    };
    unseen(workspace, None, vec![failure])
}

/// The report of a workspace of whose clusters nothing is told.
fn unseen(workspace: &Workspace, note: Option<String>, failures: Vec<Failure>) -> WorkspaceReport {
    WorkspaceReport {
        name: workspace.name.clone(),
        host: workspace.url.host_str().unwrap_or_default().to_owned(),
        mode: workspace.mode,
        seen: false,
        lines: Vec::new(),
        failures,
        notes: note.into_iter().collect(),
        machines: Machines::default(),
        stages: StageCounts::default(),
        elapsed: Duration::ZERO,
    }
}

/// Spreads a clock value over all numbers (the finalizer of `SplitMix64`), so that
/// sweeps at even intervals do not always rotate by the same amount.
fn scatter(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Remembers which tokens could not be had, so that the sweep fails for each once,
/// however many clusters lacked it.
#[derive(Debug)]
pub(crate) struct Recording {
    inner: Identity,
    refused: Mutex<BTreeMap<Audience, TokenError>>,
}

impl Recording {
    fn over(inner: Identity) -> Self {
        Self {
            inner,
            refused: Mutex::default(),
        }
    }

    fn failures(&self) -> Vec<Failure> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let failure = |(audience, error): (&Audience, &TokenError)| Failure {
            kind: match error.kind {
                TokenErrorKind::Secret => FailureKind::Settings,
                TokenErrorKind::Refused | TokenErrorKind::Unavailable => FailureKind::Token,
            },
            workspace: None,
            cluster: None,
            sentence: format!("no token for {}: {error}", audience.name()),
        };
        refused.iter().map(failure).collect()
    }
}

#[async_trait]
impl TokenSource for Recording {
    async fn token(&self, audience: Audience) -> Result<Token, TokenError> {
        let token = self.inner.token(audience).await;
        if let Err(error) = &token {
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            refused.insert(audience, error.clone());
        }
        token
    }

    fn drop_token(&self, audience: Audience, token: &Token) {
        self.inner.drop_token(audience, token);
    }
}

#[cfg(test)]
mod tests;
