//! The facts about one cluster, as far as they were asked for.
//!
//! No judgement here: `decision` reads these values. A fact that could not be
//! learned says why, and one that nobody asked for says so, and neither is ever
//! taken for a quiet cluster.

mod aged;
pub mod facts;
pub mod gather;
pub mod machine_facts;
mod machines;

use std::fmt;

use crate::cluster::Cluster;
use crate::escape::Shown;
use crate::timestamp::Timestamp;

/// Why a signal is unknown: one clause for the report, free of secrets. It may
/// quote an answer, so it is put on one line where it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why(pub String);

impl Why {
    pub fn new(clause: impl Into<String>) -> Self {
        Self(clause.into())
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown::sentence(&self.0).fmt(f)
    }
}

/// One fact from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal<T> {
    Known(T),
    /// It was asked for and could not be learned.
    Unknown(Why),
    /// It could not have changed the decision, or the policy switches it off.
    NotAsked,
}

impl<T> Signal<T> {
    /// The value, if it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) | Self::NotAsked => None,
        }
    }

    /// Why it is unknown, if it is.
    pub fn why(&self) -> Option<&Why> {
        match self {
            Self::Unknown(why) => Some(why),
            Self::Known(_) | Self::NotAsked => None,
        }
    }

    /// Shorthand for an unknown with `clause`.
    pub fn unknown(clause: impl Into<String>) -> Self {
        Self::Unknown(Why::new(clause))
    }
}

/// What Spark on the driver says, from its REST API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SparkView {
    /// Start of the running application.
    pub application_started: Timestamp,
    /// Work in progress; `None` when there is none.
    pub busy: Option<SparkWork>,
    /// The latest end of a job or SQL execution, or the latest submission of one
    /// without an end; `None` when nothing has run since the application started.
    pub last_completion: Option<Timestamp>,
    /// Whether a Spark job has run since the application started.
    pub ran_a_job: bool,
    /// The latest batch of a structured stream among the retained jobs and SQL
    /// executions (submission or end, whichever is later).
    pub last_stream_batch: Option<Timestamp>,
    /// Spark forgets the work that ended first: until when work that it lists no
    /// more, batches of a stream among it, can have run. `None` when it lists all
    /// since the application started.
    pub forgotten_until: Option<Timestamp>,
}

/// What keeps Spark busy: the first that applies of job, stage, SQL execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SparkWork {
    pub kind: SparkWorkKind,
    /// Its id in the Spark UI, for the operator: `job 17`.
    pub label: String,
    /// When the oldest of this kind was submitted, if it says.
    pub since: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SparkWorkKind {
    Job,
    Stage,
    Sql,
}

/// What the driver's `/StreamingQuery/` page says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamingView {
    /// The page lists active queries.
    Active,
    /// The page is there and lists none as active.
    NoneActive,
    /// The page does not exist yet: no query since the application started.
    NeverAny,
}

/// What the machines' host metrics say, of one VM or of several together.
#[derive(Debug, Clone, PartialEq)]
pub enum NodesView {
    /// The newest valid bucket of a VM is busy.
    Busy {
        /// Mean busy cores of that bucket.
        cores: f64,
        /// Bytes per minute of network, in and out, of that bucket.
        network_bytes_per_minute: f64,
    },
    /// No VM is busy since this instant, at which one was, or may have been.
    QuietSince(Timestamp),
    /// No VM was busy in all the time that was looked at, which began here: how
    /// much longer they have been quiet is not known.
    QuietThroughout(Timestamp),
}

/// What is known of a cluster's machines from `list-node-types`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hardware {
    /// vCPUs of the driver's machine.
    pub driver_cores: f64,
    /// vCPUs of each executor's machine.
    pub worker_cores: f64,
    /// Whether driver or executors have GPUs; `None` when the list does not say.
    pub has_gpus: Option<bool>,
}

/// Everything that was asked about one cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Signals {
    pub cluster: Cluster,
    /// Whether it is pinned, from the workspace's listing of pinned clusters.
    pub pinned: Signal<bool>,
    /// The run that names the cluster, described; `None` when no active run does.
    pub active_run: Signal<Option<String>>,
    /// The latest end of a completed run on it.
    pub last_run_end: Signal<Option<Timestamp>>,
    pub spark: Signal<SparkView>,
    pub streaming: Signal<StreamingView>,
    /// The thread that executes a command, if one does.
    pub command: Signal<Option<String>>,
    pub hardware: Signal<Hardware>,
    /// The driver's machine.
    pub driver_node: Signal<NodesView>,
    /// Every machine of the cluster, no scaling since.
    pub all_nodes: Signal<NodesView>,
}

impl Signals {
    /// What the cluster's own record tells; everything else is yet to be asked.
    #[must_use]
    pub fn of(cluster: Cluster) -> Self {
        Self {
            cluster,
            pinned: Signal::NotAsked,
            active_run: Signal::NotAsked,
            last_run_end: Signal::NotAsked,
            spark: Signal::NotAsked,
            streaming: Signal::NotAsked,
            command: Signal::NotAsked,
            hardware: Signal::NotAsked,
            driver_node: Signal::NotAsked,
            all_nodes: Signal::NotAsked,
        }
    }

    /// Puts a newer record of the cluster in place. What machines have said stands
    /// only if the cluster still consists of them.
    pub fn renew_cluster(&mut self, record: Cluster) {
        let other = "the cluster has other machines than those that were asked";
        let is_other_driver = record.driver != self.cluster.driver;
        if is_other_driver && self.driver_node != Signal::NotAsked {
            self.driver_node = Signal::unknown(other);
        }
        let has_others = is_other_driver || machines(&record) != machines(&self.cluster);
        if has_others && self.all_nodes != Signal::NotAsked {
            self.all_nodes = Signal::unknown(other);
        }
        self.cluster = record;
    }

    /// Every signal that was asked for in vain, by name, with the reason.
    #[must_use]
    pub fn unknowns(&self) -> Vec<(&'static str, &Why)> {
        let Self {
            cluster: _,
            pinned,
            active_run,
            last_run_end,
            spark,
            streaming,
            command,
            hardware,
            driver_node,
            all_nodes,
        } = self;
        let named = [
            ("pin", pinned.why()),
            ("active runs", active_run.why()),
            ("completed runs", last_run_end.why()),
            ("spark", spark.why()),
            ("streaming", streaming.why()),
            ("commands", command.why()),
            ("hardware", hardware.why()),
            ("driver node", driver_node.why()),
            ("nodes", all_nodes.why()),
        ];
        named
            .into_iter()
            .filter_map(|(name, why)| why.map(|why| (name, why)))
            .collect()
    }
}

/// The executors, in whatever order they are listed.
fn machines(cluster: &Cluster) -> Vec<Option<&str>> {
    let executors = cluster.executors.iter();
    let mut ids: Vec<_> = executors.map(|one| one.instance_id.as_deref()).collect();
    ids.sort_unstable();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Instance;
    use crate::decision::tests::world;

    fn machine(id: &str) -> Instance {
        Instance {
            instance_id: Some(id.to_owned()),
            started: None,
        }
    }

    #[test]
    fn what_machines_said_stands_only_while_the_cluster_consists_of_them() {
        let mut signals = world::World::idle().signals;
        signals.cluster.driver = Some(machine("d"));
        signals.cluster.executors = vec![machine("a"), machine("b")];
        let renewed = |change: fn(&mut Cluster)| {
            let mut renewed = signals.clone();
            let mut record = signals.cluster.clone();
            change(&mut record);
            renewed.renew_cluster(record);
            let is_known = |signal: &Signal<NodesView>| signal.known().is_some();
            (is_known(&renewed.driver_node), is_known(&renewed.all_nodes))
        };
        assert_eq!(renewed(|_| {}), (true, true));
        assert_eq!(renewed(|record| record.executors.reverse()), (true, true));
        let grown: fn(&mut Cluster) = |record| record.executors.push(machine("c"));
        assert_eq!(renewed(grown), (true, false));
        let replaced: fn(&mut Cluster) =
            |record| record.executors = vec![machine("a"), machine("c")];
        assert_eq!(renewed(replaced), (true, false));
        let restarted: fn(&mut Cluster) = |record| record.driver = Some(machine("e"));
        assert_eq!(renewed(restarted), (false, false));
    }
}
