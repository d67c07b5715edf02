//! Cases that an operator writes to test a policy: what is known of a cluster,
//! and what must come of it.
//!
//! Pure. The decision is the one of a sweep, made by `decision::decide` on the
//! signals of the case: nothing here judges a cluster, it only compares. Caps and
//! modes come after the decision and are no part of a case. `settings` reads
//! the files; `text` beside this tells how the cases came out.

pub mod base;
pub mod text;

use std::time::Duration;

use crate::decision::{Decision, Earliest, Evidence, KeepReason, Question, decide};
use crate::human::Span;
use crate::policy::{Policy, PolicyChange, PolicySet};
use crate::signals::{Signal, Signals};
use crate::timestamp::Timestamp;

/// Every spelling of a reason to keep a cluster, in the order of the rules.
pub const KEEP_REASONS: [&str; 22] = [
    "not_all_purpose",
    "not_running",
    "protected_by_tag",
    "protected_by_name",
    "protected_by_pin",
    "exempt",
    "keep_until",
    "keep_until_unreadable",
    "active_run",
    "recent_activity",
    "started_recently",
    "command_running",
    "spark_busy",
    "contradictory",
    "stream_active",
    "stream_traces",
    "nodes_busy",
    "required_unknown",
    "no_witness",
    "evidence_too_weak",
    "platform_saw_activity",
    "quiet_too_short",
];

/// Every evidence that a termination can rest on.
pub const EVIDENCE: [Evidence; 3] = [Evidence::Both, Evidence::SparkAlone, Evidence::NodesAlone];

/// Keep or terminate, without the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    Keep,
    Terminate,
}

impl Choice {
    /// The spelling in a file of cases.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Terminate => "terminate",
        }
    }
}

/// When the cluster could be terminated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    Now,
    At(Timestamp),
    Never,
}

/// What a case says must come of it; what it leaves open is not compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    pub choice: Choice,
    /// One of [`KEEP_REASONS`], or the spelling of an [`Evidence`].
    pub reason: Option<&'static str>,
    pub earliest: Option<Due>,
    /// How long the quiet must last by the evidence at hand.
    pub threshold: Option<Duration>,
}

/// One case.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    pub name: String,
    /// Where it begins in its file; lines count from 1.
    pub line: usize,
    /// The workspace of the cluster, by its name in the policy.
    pub workspace: Option<String>,
    /// Whether the machines there can be found; without a `resource_id` a sweep
    /// hears nothing of them, whatever the case says.
    pub has_metrics: bool,
    pub now: Timestamp,
    /// Every signal is known or unknown: a case has an answer to every question.
    pub signals: Signals,
    /// The questions that the case itself answers; the others have the answers of
    /// an idle cluster.
    pub answered: Vec<Question>,
    pub expected: Expected,
}

/// One key of `expect` that came out otherwise, both sides as TOML values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub key: &'static str,
    pub expected: String,
    pub actual: String,
}

/// How a case came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Empty when the case holds.
    pub differences: Vec<Difference>,
    /// Why the cluster is kept or terminated: the reason's word and one clause, escaped.
    pub clause: String,
    /// What the case says of a witness that the policy does not ask.
    pub not_heard: Vec<Question>,
    /// What the policy's overrides changed for this cluster.
    pub overrides: Vec<PolicyChange>,
}

impl Verdict {
    /// Whether everything came out as expected.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.differences.is_empty()
    }
}

/// Decides the case by the policy for its cluster, and compares.
#[must_use]
pub fn check(case: &Case, policies: &PolicySet) -> Verdict {
    let workspace = case.workspace.as_deref().unwrap_or_default();
    let effective = policies.for_workspace(workspace).of(&case.signals.cluster);
    let policy = &effective.policy;
    let mut signals = case.signals.clone();
    if !case.has_metrics {
        let nothing = || Signal::unknown("the policy gives no resource_id for this workspace");
        (signals.driver_node, signals.all_nodes) = (nothing(), nothing());
    }
    let actual = Actual::of(&decide(&signals, policy, case.now), policy);
    let asked_in_vain = |question: &&Question| {
        let of_machines = matches!(question, Question::DriverNode | Question::AllNodes);
        !question.is_allowed(policy) || (of_machines && !case.has_metrics)
    };
    Verdict {
        differences: differences(&case.expected, &actual, case.now),
        clause: actual.clause,
        not_heard: case
            .answered
            .iter()
            .filter(asked_in_vain)
            .copied()
            .collect(),
        overrides: effective.changes,
    }
}

/// A decision in the terms of [`Expected`].
struct Actual {
    choice: Choice,
    reason: &'static str,
    due: Due,
    threshold: Option<Duration>,
    clause: String,
}

impl Actual {
    fn of(decision: &Decision, policy: &Policy) -> Self {
        match decision {
            Decision::Keep(reason) => Self {
                choice: Choice::Keep,
                reason: reason.as_str(),
                due: match reason.earliest(policy) {
                    Earliest::At(at) => Due::At(at),
                    Earliest::Never(_) => Due::Never,
                },
                threshold: threshold_of(reason),
                clause: format!("{}: {}", reason.as_str(), reason.clause()),
            },
            Decision::Terminate(proof) => Self {
                choice: Choice::Terminate,
                reason: proof.evidence().as_str(),
                due: Due::Now,
                threshold: Some(proof.threshold()),
                clause: format!(
                    "{}: no sign of life since {}; {}, for more than {}",
                    proof.evidence().as_str(),
                    proof.last_sign(),
                    proof.evidence().clause(),
                    Span(proof.threshold())
                ),
            },
        }
    }
}

/// Only the last rule weighs how long the quiet lasts by its evidence.
fn threshold_of(reason: &KeepReason) -> Option<Duration> {
    match reason {
        KeepReason::QuietTooShort { quiet } => Some(quiet.threshold),
        KeepReason::NotAllPurpose { .. }
        | KeepReason::NotRunning { .. }
        | KeepReason::ProtectedByTag
        | KeepReason::ProtectedByName { .. }
        | KeepReason::ProtectedByPin
        | KeepReason::Exempt { .. }
        | KeepReason::KeepUntil { .. }
        | KeepReason::KeepUntilUnreadable { .. }
        | KeepReason::ActiveRun { .. }
        | KeepReason::RecentActivity { .. }
        | KeepReason::StartedRecently { .. }
        | KeepReason::CommandRunning { .. }
        | KeepReason::SparkBusy { .. }
        | KeepReason::Contradictory { .. }
        | KeepReason::StreamActive
        | KeepReason::StreamTraces { .. }
        | KeepReason::NodesBusy { .. }
        | KeepReason::RequiredUnknown { .. }
        | KeepReason::NoWitness
        | KeepReason::EvidenceTooWeak { .. }
        | KeepReason::PlatformSawActivity { .. } => None,
    }
}

fn differences(expected: &Expected, actual: &Actual, now: Timestamp) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut compare = |key, expected: String, actual: String| {
        if expected != actual {
            found.push(Difference {
                key,
                expected,
                actual,
            });
        }
    };
    let choice = |choice: Choice| quoted(choice.as_str());
    compare("decision", choice(expected.choice), choice(actual.choice));
    if let Some(reason) = expected.reason {
        compare("reason", quoted(reason), quoted(actual.reason));
    }
    if let Some(due) = expected.earliest {
        compare("earliest", due_value(due, now), due_value(actual.due, now));
    }
    if let Some(threshold) = expected.threshold {
        let actual = actual.threshold.map(|span| quoted(Span(span)));
        let none = || "none: another rule decides before the quiet is weighed".to_owned();
        compare(
            "threshold",
            quoted(Span(threshold)),
            actual.unwrap_or_else(none),
        );
    }
    found
}

fn quoted(value: impl std::fmt::Display) -> String {
    format!("\"{value}\"")
}

/// To the second, which is as fine as anything is shown.
fn due_value(due: Due, now: Timestamp) -> String {
    match due {
        Due::Now => quoted("now"),
        Due::Never => quoted("never"),
        Due::At(at) if at <= now => quoted(at),
        Due::At(at) => format!("\"in {}\" ({at})", Span(at.since(now))),
    }
}

#[cfg(test)]
mod tests;
