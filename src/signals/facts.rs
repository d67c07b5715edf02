//! What is asked once per workspace and shared by its clusters: pins, rights,
//! job runs, machine sizes, and (`machine_facts`) the machines.
//!
//! Each is read when the first cluster needs it. The second look wants runs and
//! pins that are no older than `second_look_runs_age`; whoever comes first reads
//! them anew for all. A listing that ends in an error other than 403 is a
//! failure of the sweep; everything else is an unknown signal.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;

use super::aged::Aged;
use super::machine_facts::MachineFacts;
use super::{Signal, Why};
use crate::clock::Clock;
use crate::cluster::{ClusterId, NodeTypes};
use crate::databricks::{ActiveRuns, CompletedRuns, Databricks, RunsError, RunsRight};
use crate::report::{Failure, FailureKind};
use crate::timestamp::Timestamp;

/// How far before the first walk a run may have started and still be looked for
/// by the second: clocks differ.
const WALK_OVERLAP: Duration = Duration::from_mins(5);

type Asked<T> = Result<T, Why>;

/// What the walks over completed runs tell of one cluster.
pub(super) struct Completed {
    pub(super) last_end: Signal<Option<Timestamp>>,
    /// A run on it that stands among the completed ones and does not say so
    /// itself, described.
    pub(super) not_over: Option<String>,
}

/// The shared answers of one workspace.
#[derive(Debug)]
pub struct WorkspaceFacts {
    pub(super) databricks: Arc<Databricks>,
    pub(super) clock: Arc<dyn Clock>,
    name: String,
    sees_all_runs: bool,
    runs_page_cap: usize,
    longest_threshold: Duration,
    pins: Aged<Asked<BTreeSet<ClusterId>>>,
    rights: OnceCell<Asked<()>>,
    active: Aged<Asked<ActiveRuns>>,
    completed: Aged<CompletedRuns>,
    completed_since: Aged<CompletedRuns>,
    node_types: OnceCell<Asked<NodeTypes>>,
    /// The machines that the clusters run on.
    pub machines: MachineFacts,
    failures: Mutex<Vec<Failure>>,
}

/// What the settings say of the workspace, as far as the facts need it.
#[derive(Debug, Clone)]
pub struct FactsSettings {
    pub name: String,
    pub sees_all_runs: bool,
    pub resource_id: Option<String>,
    pub runs_page_cap: usize,
    /// How far back a completed run can matter.
    pub longest_threshold: Duration,
}

impl WorkspaceFacts {
    #[must_use]
    pub fn new(
        databricks: Arc<Databricks>,
        clock: Arc<dyn Clock>,
        settings: FactsSettings,
    ) -> Self {
        Self {
            databricks,
            clock,
            name: settings.name,
            sees_all_runs: settings.sees_all_runs,
            runs_page_cap: settings.runs_page_cap,
            longest_threshold: settings.longest_threshold,
            pins: Aged::default(),
            rights: OnceCell::new(),
            active: Aged::default(),
            completed: Aged::default(),
            completed_since: Aged::default(),
            node_types: OnceCell::new(),
            machines: MachineFacts::of(settings.resource_id),
            failures: Mutex::default(),
        }
    }

    /// The failures that the shared questions met, taken out.
    pub fn take_failures(&self) -> Vec<Failure> {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *failures)
    }

    /// Why the runs of all are not known to be seen, if they are not.
    #[must_use]
    pub fn missing_right(&self) -> Option<Why> {
        self.rights.get().and_then(|asked| asked.clone().err())
    }

    pub(super) async fn pinned(&self, id: &ClusterId, max_age: Duration) -> Signal<bool> {
        let asked = self
            .pins
            .get(self.clock.as_ref(), max_age, || async {
                let pinned = self.databricks.pinned_ids().await;
                pinned.map_err(|error| Why::new(error.to_string()))
            })
            .await;
        match asked.as_ref() {
            Ok(ids) => Signal::Known(ids.contains(id)),
            Err(why) => Signal::Unknown(why.clone()),
        }
    }

    pub(super) async fn active_run(
        &self,
        id: &ClusterId,
        max_age: Duration,
    ) -> Signal<Option<String>> {
        let rights = self.rights.get_or_init(|| self.read_rights()).await;
        if let Err(why) = rights {
            return Signal::Unknown(why.clone());
        }
        let asked = self
            .active
            .get(self.clock.as_ref(), max_age, || async {
                let walk = self.databricks.active_runs(self.runs_page_cap).await;
                walk.map_err(|error| self.runs_unknown("active", &error))
            })
            .await;
        match asked.as_ref() {
            Ok(runs) => Signal::Known(runs.by_cluster.get(id).map(ToString::to_string)),
            Err(why) => Signal::Unknown(why.clone()),
        }
    }

    /// What the completed runs tell of the cluster. `again` walks what has ended
    /// since the first walk as well, unless that was done less than `max_age` ago.
    pub(super) async fn completed(&self, id: &ClusterId, again: Option<Duration>) -> Completed {
        let clock = self.clock.as_ref();
        let from = clock.now().minus(self.longest_threshold);
        let first = self
            .completed
            .get(clock, Duration::MAX, || self.walk_completed(from))
            .await;
        let mut last_end = latest_end(&first, id);
        let mut not_over = first.not_over_by_cluster.get(id).cloned();
        if let Some(max_age) = again {
            let walked_at = self.completed.taken_at().await.unwrap_or(from);
            let since = walked_at.minus(WALK_OVERLAP);
            let second = self
                .completed_since
                .get(clock, max_age, || self.walk_completed(since))
                .await;
            last_end = later(last_end, latest_end(&second, id));
            not_over = not_over.or_else(|| second.not_over_by_cluster.get(id).cloned());
        }
        Completed {
            last_end,
            not_over: not_over.map(|run| run.to_string()),
        }
    }

    pub(super) async fn node_types(&self) -> &Asked<NodeTypes> {
        self.node_types
            .get_or_init(|| async {
                let types = self.databricks.node_types().await;
                types.map_err(|error| Why::new(error.to_string()))
            })
            .await
    }

    async fn read_rights(&self) -> Asked<()> {
        if self.sees_all_runs {
            return Ok(());
        }
        match self.databricks.sees_all_runs().await {
            Ok(RunsRight::Admin) => Ok(()),
            Ok(RunsRight::NotShown) => Err(Why::new(
                "the service principal is no workspace admin and so may see only some of the runs; \
                 put it into the group `admins`, or set `sees_all_runs = true` for this workspace \
                 if it has CAN_VIEW on every job",
            )),
            Err(error) => Err(Why::new(format!(
                "whether the service principal sees all runs could not be read: {error}"
            ))),
        }
    }

    async fn walk_completed(&self, from: Timestamp) -> CompletedRuns {
        let walk = self
            .databricks
            .completed_runs(from, self.runs_page_cap)
            .await;
        if let Some(error) = &walk.cut_short {
            self.runs_unknown("completed", error);
        }
        walk
    }

    /// Notes a failure unless the right is missing or our own bound was met, and gives the reason why the
    /// signal is unknown.
    fn runs_unknown(&self, which: &str, error: &RunsError) -> Why {
        let sentence = format!("{which} runs could not be listed: {error}");
        let failed = match error {
            RunsError::Forbidden(_) | RunsError::PageCap { .. } => false,
            RunsError::Call(_) | RunsError::Shape(_) => true,
        };
        if failed {
            let failure = Failure {
                kind: FailureKind::Listing,
                workspace: Some(self.name.clone()),
                cluster: None,
                sentence: sentence.clone(),
            };
            let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
            if !failures.contains(&failure) {
                failures.push(failure);
            }
        }
        Why::new(sentence)
    }
}

fn latest_end(runs: &CompletedRuns, id: &ClusterId) -> Signal<Option<Timestamp>> {
    let latest = runs.latest_end_by_cluster.get(id).copied();
    match (&runs.cut_short, latest) {
        // What was seen counts, however much was not.
        (_, Some(at)) => Signal::Known(Some(at)),
        (None, None) => Signal::Known(None),
        (Some(error), None) => Signal::unknown(format!("completed runs: {error}")),
    }
}

/// The later of two ends; one that is unknown takes nothing away from the other's
/// end, but an absence is known only if both know it.
fn later(
    one: Signal<Option<Timestamp>>,
    other: Signal<Option<Timestamp>>,
) -> Signal<Option<Timestamp>> {
    match (one, other) {
        (Signal::Known(one), Signal::Known(other)) => Signal::Known(one.max(other)),
        (Signal::Known(Some(at)), _) | (_, Signal::Known(Some(at))) => Signal::Known(Some(at)),
        (Signal::Unknown(why), _) | (_, Signal::Unknown(why)) => Signal::Unknown(why),
        (Signal::NotAsked, other) => other,
        (one, Signal::NotAsked) => one,
    }
}
