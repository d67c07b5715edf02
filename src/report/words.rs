//! What each witness said, in one clause each, and what to grant where one is
//! missing; the report, the log and `why` use the same words.
//!
//! Pure. Text from outside is escaped here.

use crate::decision::{Question, load_clause};
use crate::escape::Shown;
use crate::policy::Policy;
use crate::signals::{NodesView, Signal, Signals, SparkView, StreamingView};

/// The clauses of one cluster's line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    pub spark: String,
    pub streaming: String,
    pub nodes: String,
}

impl Said {
    /// What the witnesses said about this cluster, or why they did not.
    #[must_use]
    pub fn of(signals: &Signals, policy: &Policy) -> Self {
        let nodes = match &signals.all_nodes {
            Signal::NotAsked => clause(
                &signals.driver_node,
                Question::DriverNode.is_allowed(policy),
                |view| nodes_clause(view, "driver"),
            ),
            Signal::Known(_) | Signal::Unknown(_) => {
                clause(&signals.all_nodes, true, |view| nodes_clause(view, "all"))
            }
        };
        Self {
            spark: clause(&signals.spark, policy.spark_witness, spark_clause),
            streaming: clause(&signals.streaming, policy.spark_witness, streaming_clause),
            nodes,
        }
    }
}

impl Said {
    /// Whether any witness was asked.
    #[must_use]
    pub fn anything(&self) -> bool {
        let silent = |clause: &str| clause.is_empty() || clause == NOT_ASKED || clause == OFF;
        !(silent(&self.spark) && silent(&self.streaming) && silent(&self.nodes))
    }
}

const NOT_ASKED: &str = "not asked";
const OFF: &str = "switched off";

/// What a signal says, or why it says nothing. `is_allowed` tells what the policy
/// switches off from what nobody needed.
pub(crate) fn clause<T>(
    signal: &Signal<T>,
    is_allowed: bool,
    known: impl Fn(&T) -> String,
) -> String {
    match signal {
        Signal::Known(value) => known(value),
        Signal::Unknown(why) => format!("unknown: {why}"),
        Signal::NotAsked if is_allowed => NOT_ASKED.to_owned(),
        Signal::NotAsked => OFF.to_owned(),
    }
}

pub(crate) fn spark_clause(view: &SparkView) -> String {
    if let Some(work) = &view.busy {
        return format!("busy: {}", Shown::name(&work.label));
    }
    match view.last_completion {
        Some(at) => format!("quiet since {at}"),
        None => format!("nothing since it started at {}", view.application_started),
    }
}

pub(crate) fn streaming_clause(view: &StreamingView) -> String {
    match view {
        StreamingView::Active => "a query is active",
        StreamingView::NoneActive => "no active query",
        StreamingView::NeverAny => "no query since it started",
    }
    .to_owned()
}

pub(crate) fn nodes_clause(view: &NodesView, which: &str) -> String {
    match view {
        NodesView::Busy {
            cores,
            network_bytes_per_minute,
        } => {
            let load = load_clause(*cores, *network_bytes_per_minute);
            format!("busy ({which}): {load}")
        }
        NodesView::QuietSince(since) => format!("quiet ({which}) since {since}"),
        NodesView::QuietThroughout(from) => format!("quiet ({which}) since before {from}"),
    }
}

/// How Spark becomes a witness for `which` clusters.
pub(crate) fn spark_remedy(policy: &Policy, which: &str) -> String {
    if policy.spark_witness {
        format!("grant the Spark principal CAN_ATTACH_TO on {which}")
    } else {
        "name a principal in `[witness.spark]`".to_owned()
    }
}

/// How the machines become witnesses.
pub(crate) fn nodes_remedy(policy: &Policy) -> &'static str {
    if policy.nodes_witness {
        "grant the service principal Monitoring Reader on the subscription and give the workspace's `resource_id`"
    } else {
        "set `enabled = true` in `[witness.nodes]`"
    }
}
