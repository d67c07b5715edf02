//! Decides about one cluster: signals, policy and `now` in, decision out.
//!
//! Pure and total: no I/O, no clock, no wildcard arm; what is unknown or was not
//! asked never speaks for termination. The rules stand in [`RULES`] in the order
//! in which they are tried, and the first that applies decides:
//!
//! | # | Keeps a cluster when |
//! |---|---|
//! | 1 | its source is not UI or API |
//! | 2 | its state is not RUNNING |
//! | 3 | a tag, a name or a pin protects it |
//! | 4 | it is exempt until a date |
//! | 5 | a job run is active on it |
//! | 6 | there was activity less than `idle_after` ago |
//! | 7 | it started less than `idle_after` ago |
//! | 8 | a command is running |
//! | 9 | Spark is busy |
//! | 10 | a stream is active, or may be |
//! | 11 | a machine is busy |
//! | 12 | a required signal is unknown |
//! | 13 | no witness says that it is quiet |
//! | 14 | the evidence is too weak for its kind |
//! | 15 | the platform saw activity that we did not |
//! | 16 | it has not been quiet for long enough |
//!
//! A cluster that passes all sixteen is proven idle. The same walk tells which
//! question to ask next: it stops at the first rule that rests on a signal which
//! nobody has asked for. So asking more than the walk wants cannot change the
//! decision, by construction.

mod explain;
mod lookback;
mod proof;
mod quiet;
mod reason;
mod rules;

pub use explain::{Due, Explanation, Missing, Shorter, Step, Verdict, explain};
pub use lookback::longest_wait;
pub use proof::{Changed, Evidence, Proof, Quiet};
pub use quiet::threshold;
pub(crate) use reason::load_clause;
pub use reason::{ActivitySign, Earliest, KeepReason, RequiredSignal, StreamTrace, Weakness};
pub use rules::{RULES, Rule, speaks_of_protection};

use crate::policy::Policy;
use crate::signals::{Signal, Signals};
use crate::timestamp::Timestamp;

/// What to do about one cluster.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    Keep(KeepReason),
    Terminate(Proof),
}

/// One thing that can be asked about a cluster, cheapest first as the rules come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    Pin,
    ActiveRuns,
    CompletedRuns,
    Spark,
    Streaming,
    Commands,
    Hardware,
    DriverNode,
    AllNodes,
}

impl Question {
    /// Every question, in the order of the variants.
    pub const ALL: [Self; 9] = [
        Self::Pin,
        Self::ActiveRuns,
        Self::CompletedRuns,
        Self::Spark,
        Self::Streaming,
        Self::Commands,
        Self::Hardware,
        Self::DriverNode,
        Self::AllNodes,
    ];

    /// As a noun for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pin => "pin",
            Self::ActiveRuns => "active runs",
            Self::CompletedRuns => "completed runs",
            Self::Spark => "Spark",
            Self::Streaming => "streaming",
            Self::Commands => "commands",
            Self::Hardware => "hardware",
            Self::DriverNode => "driver node",
            Self::AllNodes => "nodes",
        }
    }

    /// Whether the policy lets it be asked at all.
    #[must_use]
    pub fn is_allowed(self, policy: &Policy) -> bool {
        match self {
            Self::Pin => policy.protect_pinned,
            Self::ActiveRuns | Self::CompletedRuns | Self::Hardware => true,
            Self::Spark | Self::Streaming | Self::Commands => policy.spark_witness,
            Self::DriverNode | Self::AllNodes => policy.nodes_witness,
        }
    }
}

/// Decides on what is known. A question that matters and was not asked keeps the
/// cluster, as an unknown required signal does.
#[must_use]
pub fn decide(signals: &Signals, policy: &Policy, now: Timestamp) -> Decision {
    let look = Look {
        signals,
        policy,
        now,
    };
    look.walk()
        .unwrap_or_else(|question| Decision::Keep(explain::not_asked(question)))
}

/// The next question whose answer could change the decision; `None` when
/// everything that matters has been asked.
#[must_use]
pub fn next_question(signals: &Signals, policy: &Policy, now: Timestamp) -> Option<Question> {
    let look = Look {
        signals,
        policy,
        now,
    };
    look.walk().err()
}

/// One walk over the rules.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    signals: &'a Signals,
    policy: &'a Policy,
    now: Timestamp,
}

impl<'a> Look<'a> {
    fn walk(&self) -> Result<Decision, Question> {
        for rule in RULES {
            if let Some(reason) = (rule.applies)(self)? {
                return Ok(Decision::Keep(reason));
            }
        }
        self.proof()
    }

    /// All rules are passed. What each of them has shown is asked for again, so
    /// that a gap between the rules keeps a cluster instead of killing it.
    fn proof(&self) -> Result<Decision, Question> {
        let context = self.signals.cluster.spark_context_id.clone();
        let (Some(context), Some(quiet)) = (context, self.quiet()?) else {
            return Ok(Decision::Keep(KeepReason::NoWitness));
        };
        let cluster = self.signals.cluster.id.clone();
        let proof = Proof::new(cluster, context, quiet, self.now);
        Ok(Decision::Terminate(proof))
    }

    /// The value of a signal, `None` when it is unknown or switched off; `Err`
    /// when it is yet to be asked for. What is switched off is not heard even if
    /// it has a value: its answer would make a difference that no look asks for.
    fn read<T>(
        &self,
        signal: &'a Signal<T>,
        question: Question,
    ) -> Result<Option<&'a T>, Question> {
        if !question.is_allowed(self.policy) {
            return Ok(None);
        }
        match signal {
            Signal::Known(value) => Ok(Some(value)),
            Signal::Unknown(_) => Ok(None),
            Signal::NotAsked => Err(question),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
