//! Explains a decision: what each rule says of the cluster by itself, when it could
//! be terminated by all of them together, and what evidence would make that sooner.
//!
//! It judges nothing anew. Every answer is the rules' own, asked of the same signals
//! at a later time, or of signals in which one that is missing has been supposed.
//! What is supposed stays here: no proof for a termination ever rests on it. Pure.

use super::reason::{Earliest, KeepReason, RequiredSignal};
use super::{Decision, Look, Question, RULES, decide};
use crate::policy::Policy;
use crate::signals::{NodesView, Signal, Signals, SparkView, StreamingView, Why};
use crate::timestamp::Timestamp;

/// Each round passes at least one limit of a rule; a cluster with more of them than
/// this (exemptions, tags) gets a time that is early, never one that is late.
const MOST_ROUNDS: usize = 64;

/// What one rule says, whatever the others do.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It does not keep the cluster.
    Passed,
    Keeps(KeepReason),
    /// It rests on a question that nobody has asked.
    NotAsked(Question),
}

/// One rule, as it applies to one cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// As in the module documentation of `decision`.
    pub number: u8,
    /// What the rule keeps, as a clause.
    pub keeps: &'static str,
    pub verdict: Verdict,
}

impl Step {
    /// Why it does not let the cluster pass, if it does not.
    fn reason(&self) -> Option<KeepReason> {
        match &self.verdict {
            Verdict::Passed => None,
            Verdict::Keeps(reason) => Some(reason.clone()),
            Verdict::NotAsked(question) => Some(not_asked(*question)),
        }
    }
}

/// When a cluster could be terminated, should nothing happen on it until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    pub earliest: Earliest,
    /// The number of the rule that keeps it until then; `None` if none keeps it.
    pub by: Option<u8>,
}

/// Evidence that is missing and could speak for a quiet cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Missing {
    ActiveRuns,
    Pin,
    Spark,
    Streaming,
    Nodes,
}

impl Missing {
    const ALL: [Self; 5] = [
        Self::ActiveRuns,
        Self::Pin,
        Self::Spark,
        Self::Streaming,
        Self::Nodes,
    ];

    /// The name of the signal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ActiveRuns => "active runs",
            Self::Pin => "pin",
            Self::Spark => "spark",
            Self::Streaming => "streaming",
            Self::Nodes => "nodes",
        }
    }

    /// Why it could not be learned; `None` where nobody asked for it.
    #[must_use]
    pub fn why(self, signals: &Signals) -> Option<&Why> {
        match self {
            Self::ActiveRuns => signals.active_run.why(),
            Self::Pin => signals.pinned.why(),
            Self::Spark => signals.spark.why(),
            Self::Streaming => signals.streaming.why(),
            Self::Nodes => signals.driver_node.why().or(signals.all_nodes.why()),
        }
    }

    fn is_missing(self, signals: &Signals, policy: &Policy) -> bool {
        let knows_spark = policy.spark_witness && signals.spark.known().is_some();
        let knows_nodes = policy.nodes_witness
            && signals.driver_node.known().is_some()
            && signals.all_nodes.known().is_some();
        match self {
            Self::ActiveRuns => signals.active_run.known().is_none(),
            // Where pins do not protect, a pin changes nothing and so is never told.
            Self::Pin => signals.pinned.known().is_none(),
            Self::Spark => !knows_spark,
            Self::Streaming => knows_spark && signals.streaming.known().is_none(),
            Self::Nodes => !knows_nodes,
        }
    }

    /// Puts in place what the best answer would be: no sign of life later than the
    /// last that is known. What was answered stays.
    fn suppose(self, signals: &mut Signals, policy: &mut Policy, now: Timestamp) {
        let started = signals.cluster.started().unwrap_or(now);
        match self {
            Self::ActiveRuns => fill(&mut signals.active_run, true, None),
            Self::Pin => fill(&mut signals.pinned, true, false),
            Self::Streaming => fill(&mut signals.streaming, true, StreamingView::NoneActive),
            Self::Spark => {
                let is_heard = policy.spark_witness;
                policy.spark_witness = true;
                fill(&mut signals.spark, is_heard, quiet_spark(started));
                let no_stream = StreamingView::NoneActive;
                fill(&mut signals.streaming, is_heard, no_stream);
                fill(&mut signals.command, is_heard, None);
            }
            Self::Nodes => {
                let is_heard = policy.nodes_witness;
                policy.nodes_witness = true;
                let quiet = NodesView::QuietThroughout(started);
                fill(&mut signals.driver_node, is_heard, quiet.clone());
                // All machines were not quiet for longer than the driver's.
                let driver = signals.driver_node.known().cloned().unwrap_or(quiet);
                fill(&mut signals.all_nodes, is_heard, driver);
            }
        }
    }
}

/// Evidence that would make a termination possible sooner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shorter {
    /// What would have to be known; all of it together.
    pub with: Vec<Missing>,
    /// The earliest time then, should it show no later sign of life than the last
    /// that is known; not before `now`.
    pub earliest: Timestamp,
}

/// A decision with everything that led to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// One for each rule, in their order.
    pub steps: Vec<Step>,
    pub decision: Decision,
    /// The number of the rule that decided; `None` if all are passed.
    pub deciding: Option<u8>,
    pub due: Due,
    /// The soonest first; empty where no evidence would help.
    pub shorter: Vec<Shorter>,
}

/// Explains what `decide` makes of the same signals.
#[must_use]
pub fn explain(signals: &Signals, policy: &Policy, now: Timestamp) -> Explanation {
    let steps = steps(signals, policy, now);
    let deciding = steps.iter().find(|step| step.verdict != Verdict::Passed);
    Explanation {
        deciding: deciding.map(|step| step.number),
        decision: decide(signals, policy, now),
        due: due(signals, policy, now),
        shorter: shorter(signals, policy, now),
        steps,
    }
}

fn steps(signals: &Signals, policy: &Policy, now: Timestamp) -> Vec<Step> {
    let look = Look {
        signals,
        policy,
        now,
    };
    let step = |rule: &super::Rule| Step {
        number: rule.number,
        keeps: rule.keeps,
        verdict: match (rule.applies)(&look) {
            Ok(None) => Verdict::Passed,
            Ok(Some(reason)) => Verdict::Keeps(reason),
            Err(question) => Verdict::NotAsked(question),
        },
    };
    RULES.iter().map(step).collect()
}

/// Lets time pass until no rule keeps the cluster, or one does without end. The
/// signals stay as they are.
fn due(signals: &Signals, policy: &Policy, now: Timestamp) -> Due {
    if let Decision::Terminate(proof) = decide(signals, policy, now) {
        return Due {
            earliest: proof.earliest(),
            by: None,
        };
    }
    let mut at = now;
    let mut by = None;
    for _ in 0..MOST_ROUNDS {
        let Some(next) = last_to_end(signals, policy, at) else {
            break;
        };
        match next.earliest {
            Earliest::Never(_) => return next,
            // At the end of time nothing comes later.
            Earliest::At(end) if end <= at => break,
            Earliest::At(end) => at = end,
        }
        by = next.by;
    }
    let earliest = Earliest::At(at);
    Due { earliest, by }
}

/// The rule that keeps a cluster for the longest, and until when; the first of those
/// that keep it without end. `None` if no rule keeps it.
fn last_to_end(signals: &Signals, policy: &Policy, now: Timestamp) -> Option<Due> {
    let mut last: Option<(Timestamp, u8)> = None;
    for step in steps(signals, policy, now) {
        let Some(reason) = step.reason() else {
            continue;
        };
        match reason.earliest(policy) {
            earliest @ Earliest::Never(_) => {
                let by = Some(step.number);
                return Some(Due { earliest, by });
            }
            Earliest::At(end) if last.is_none_or(|(until, _)| until < end) => {
                last = Some((end, step.number));
            }
            Earliest::At(_) => {}
        }
    }
    last.map(|(end, number)| Due {
        earliest: Earliest::At(end),
        by: Some(number),
    })
}

/// Supposes every set of what is missing, and gives those sets of which each part
/// makes the time earlier.
fn shorter(signals: &Signals, policy: &Policy, now: Timestamp) -> Vec<Shorter> {
    let missing = Missing::ALL
        .into_iter()
        .filter(|one| one.is_missing(signals, policy));
    let missing: Vec<Missing> = missing.collect();
    let with = |set: usize| -> Vec<Missing> {
        let numbered = missing.iter().enumerate();
        let of_set = numbered.filter(|(place, _)| set & (1 << place) != 0);
        of_set.map(|(_, one)| *one).collect()
    };
    let sets = 0..1_usize << missing.len();
    let times: Vec<Option<Timestamp>> = sets
        .map(|set| at_best(&with(set), signals, policy, now))
        .collect();
    let mut found = Vec::new();
    for (set, earliest) in times.iter().enumerate().skip(1) {
        let parts = times.iter().enumerate().take(set);
        let parts = parts.filter(|(part, _)| part & set == *part);
        let Some(earliest) = *earliest else {
            continue;
        };
        if parts
            .map(|(_, time)| *time)
            .all(|time| time.is_none_or(|time| earliest < time))
        {
            let with = with(set);
            found.push(Shorter { with, earliest });
        }
    }
    found.sort_by_key(|one| (one.earliest, one.with.len()));
    found
}

/// The earliest time if all of `with` were known, and as quiet as it could be.
fn at_best(
    with: &[Missing],
    signals: &Signals,
    policy: &Policy,
    now: Timestamp,
) -> Option<Timestamp> {
    let (mut signals, mut policy) = (signals.clone(), policy.clone());
    for one in with {
        one.suppose(&mut signals, &mut policy, now);
    }
    match due(&signals, &policy, now).earliest {
        Earliest::At(at) => Some(at.max(now)),
        Earliest::Never(_) => None,
    }
}

/// Puts `value` where nothing is known, or where nobody listens.
fn fill<T>(signal: &mut Signal<T>, is_heard: bool, value: T) {
    if !is_heard || signal.known().is_none() {
        *signal = Signal::Known(value);
    }
}

fn quiet_spark(started: Timestamp) -> SparkView {
    SparkView {
        application_started: started,
        busy: None,
        last_completion: Some(started),
        ran_a_job: true,
        last_stream_batch: None,
        forgotten_until: None,
    }
}

/// A question that matters and was not asked keeps the cluster.
pub(super) fn not_asked(question: Question) -> KeepReason {
    let signal = RequiredSignal::NotAsked(question);
    KeepReason::RequiredUnknown { signal, why: None }
}
