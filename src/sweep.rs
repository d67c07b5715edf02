//! One sweep: over every workspace of the request, several at a time, until all
//! are told of or the time is up.
//!
//! A request can only narrow what the settings allow. Each workspace's report
//! goes to the [`ReportSink`] as it ends and is dropped. This file wires the
//! clients of a workspace together and judges nothing itself.

mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::stream::{self, Stream, StreamExt};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::action::ActionLimits;
use crate::azure_monitor::{AzureMonitor, Throttles};
use crate::databricks::Databricks;
use crate::grant::Patience;
use crate::grant::join::Joiner;
use crate::identity::{Audience, Identities, Identity, PrincipalName};
use crate::meter::{Stage, StageCounts};
use crate::plan::Allowances;
use crate::policy::{Mode, PolicySet};
use crate::report::machines::Machines;
use crate::report::{Closing, Failure, FailureKind, Totals, WorkspaceReport};
use crate::service::{Lane, Service};
use crate::spark::{SPARK_UI_PORT, SparkDriver, org_id};
use crate::transport::Network;
use crate::workspace::{self, Clients, SweepRules, Workspace};

pub(crate) use tokens::Tokens;

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
    /// How long a new membership may take to spread.
    pub joining: Patience,
    pub runs_page_cap: usize,
    pub parallel_workspaces: usize,
    /// How long before a credential ends the report warns of it.
    pub warn_before: Duration,
}

/// The parts of one sweep. Secrets and tokens live as long as it does.
#[derive(Debug)]
pub struct Sweep {
    pub network: Network,
    pub identities: Identities,
    pub mode: Mode,
    pub policy: Arc<PolicySet>,
    pub workspaces: Vec<Workspace>,
    pub limits: SweepLimits,
}

impl Sweep {
    /// Sweeps, tells the sink, and gives the totals.
    pub async fn run(self, request: &SweepRequest, sink: &mut dyn ReportSink) -> Closing {
        let began = Instant::now();
        let tokens = self.tokens();
        let mode = request.mode.min(self.mode);
        let workspaces = self.in_scope(mode, request);
        sink.begin(workspaces.len());
        let mut totals = Totals::default();
        let mut tell = |report: WorkspaceReport| {
            totals.add(&report);
            sink.workspace(&report);
        };
        self.visit_all(&workspaces, &tokens, request.deadline, &mut tell)
            .await;
        let usage = self.identities.usage();
        let stages = &mut totals.stages;
        stages.record(Stage::Secrets, usage.secret_reads, usage.secret_time);
        stages.record(Stage::Tokens, usage.token_requests, usage.token_time);
        let closing = Closing {
            mode,
            totals,
            failures: tokens.failures(),
            warnings: self.credentials_that_end(),
            token_requests: usage.token_requests,
            secret_reads: usage.secret_reads,
            elapsed: began.elapsed(),
        };
        sink.closing(&closing);
        closing
    }

    /// The tokens of one sweep; none is asked for yet.
    pub(crate) fn tokens(&self) -> Tokens {
        Tokens::over(&self.identities, &self.workspaces)
    }

    /// What proves a principal and ends soon, as far as it was read.
    fn credentials_that_end(&self) -> Vec<String> {
        let now = self.network.clock.now();
        let are_several = self.identities.iter().count() > 1;
        let warning = |(name, identity): (&PrincipalName, &Identity)| {
            let warning = identity
                .credential()
                .warning(now, self.limits.warn_before)?;
            Some(if are_several {
                format!("principal `{name}`: {warning}")
            } else {
                warning
            })
        };
        self.identities.iter().filter_map(warning).collect()
    }

    /// Sweeps the workspaces, several at a time. Those of a principal wait for its
    /// first token, and for no other's.
    async fn visit_all(
        &self,
        workspaces: &[Workspace],
        tokens: &Tokens,
        deadline: Instant,
        tell: &mut (dyn FnMut(WorkspaceReport) + Send),
    ) {
        let rules = self.rules();
        let throttles = Throttles::default();
        let parallel = self.limits.parallel_workspaces;
        let places = Arc::new(Semaphore::new(parallel.clamp(1, Semaphore::MAX_PERMITS)));
        let groups = by_principal(workspaces)
            .into_iter()
            .map(|(name, group)| async move {
                let has_token = tokens.has_first(&name, deadline).await;
                stream::iter(group.into_iter().map(move |one| (one, has_token)))
            });
        let ready = stream::iter(groups)
            .buffer_unordered(workspaces.len().max(1))
            .flatten();
        // A visit begins when there is a place for it; one that only waits for answers
        // leaves its own, so more than these can be under way.
        let begun = ready.then(|((number, workspace), has_token)| {
            let places = Arc::clone(&places);
            async move {
                let place = match has_token {
                    // It fails only on a closed semaphore, and nothing closes it.
                    true => places.acquire_owned().await.ok(),
                    false => None,
                };
                (number, workspace, has_token, place)
            }
        });
        let visits = begun.map(|(number, workspace, has_token, place)| {
            let clients = self.clients(&workspace, tokens, &throttles, deadline);
            if let Some(place) = place {
                clients.lane.take_place(place);
            }
            let rules = rules.clone();
            async move {
                if !has_token {
                    let why = tokens.why_not_asked(&workspace.principal);
                    return (number, Ok(unseen(&workspace, Some(why), Vec::new())));
                }
                let visit = workspace::sweep(&workspace, &clients, &rules);
                (number, AssertUnwindSafe(visit).catch_unwind().await)
            }
        });
        let ended = visits.buffer_unordered(workspaces.len().max(1));
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
            joining: self.limits.joining,
            runs_page_cap: self.limits.runs_page_cap,
            parallel_looks: self.network.limits.parallel_per_workspace,
        }
    }

    pub(crate) fn clients(
        &self,
        workspace: &Workspace,
        tokens: &Tokens,
        throttles: &Throttles,
        deadline: Instant,
    ) -> Clients {
        let lane = Arc::new(Lane::new(&self.network.limits, deadline));
        let service = |audience: Audience, base: &url::Url, principal: &PrincipalName| {
            let tokens = tokens.of(principal);
            let network = self.network.clone();
            Service::new(network, tokens, audience, base.clone(), Arc::clone(&lane)).share()
        };
        let principal = &workspace.principal;
        let databricks = service(Audience::Databricks, &workspace.url, principal);
        let spark = workspace.spark_principal.as_ref();
        let spark = spark.filter(|_| self.policy.base.spark_witness);
        let spark = spark.zip(org_id(&workspace.url)).map(|(asks, org)| {
            let service = if asks == principal {
                Arc::clone(&databricks)
            } else {
                service(Audience::Databricks, &workspace.url, asks)
            };
            SparkDriver::new(service, org, SPARK_UI_PORT)
        });
        let arm = self.network.cloud.resource_manager();
        let monitor = arm
            .filter(|_| self.policy.base.nodes_witness)
            .map(|arm| service(Audience::Arm, &arm, principal))
            .map(|arm| AzureMonitor::new(arm, throttles.clone()));
        let joiner = Joiner::for_sweep(
            workspace.mode,
            Arc::clone(&databricks),
            tokens.of(principal),
            workspace.resource_id.clone(),
        );
        Clients {
            databricks: Arc::new(Databricks::new(databricks)),
            joiner,
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

/// The workspaces of each principal with their places, both in the order given.
fn by_principal(workspaces: &[Workspace]) -> Vec<(PrincipalName, Vec<(usize, Workspace)>)> {
    let mut groups: Vec<(PrincipalName, Vec<(usize, Workspace)>)> = Vec::new();
    for (number, workspace) in workspaces.iter().enumerate() {
        let one = (number, workspace.clone());
        let mut known = groups.iter_mut();
        match known.find(|(name, _)| *name == workspace.principal) {
            Some((_, group)) => group.push(one),
            None => groups.push((workspace.principal.clone(), vec![one])),
        }
    }
    groups
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
        joined: false,
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

#[cfg(test)]
mod tests;
