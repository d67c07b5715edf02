//! The proof that a cluster is idle: the only thing that makes a termination possible.
//!
//! A `Proof` is made by `decide` alone, and its fields cannot be changed. The
//! comparison of the second look with the first lives here too, because it is
//! a comparison of proofs. Pure.

use std::time::Duration;

use thiserror::Error;

use super::{Decision, Earliest};
use crate::cluster::{ClusterId, SparkContextId};
use crate::timestamp::Timestamp;

/// Which witnesses say that a cluster is quiet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    Both,
    SparkAlone,
    NodesAlone,
}

impl Evidence {
    /// The spelling in logs and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Both => "both_witnesses",
            Self::SparkAlone => "spark_alone",
            Self::NodesAlone => "nodes_alone",
        }
    }

    /// As a clause for people.
    #[must_use]
    pub fn clause(self) -> &'static str {
        match self {
            Self::Both => "Spark and nodes say quiet",
            Self::SparkAlone => "only Spark says quiet",
            Self::NodesAlone => "only nodes say quiet",
        }
    }

    /// Whether every witness of `first` is among these.
    fn covers(self, first: Self) -> bool {
        self == Self::Both || self == first
    }
}

/// That a cluster has been quiet for long enough, and by whose word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    cluster: ClusterId,
    spark_context: SparkContextId,
    quiet_since: Timestamp,
    last_sign: Timestamp,
    evidence: Evidence,
    threshold: Duration,
    decided_at: Timestamp,
}

impl Proof {
    pub(super) fn new(
        cluster: ClusterId,
        spark_context: SparkContextId,
        quiet: Quiet,
        decided_at: Timestamp,
    ) -> Self {
        Self {
            cluster,
            spark_context,
            quiet_since: quiet.since,
            last_sign: quiet.last_sign,
            evidence: quiet.evidence,
            threshold: quiet.threshold,
            decided_at,
        }
    }

    #[must_use]
    pub fn cluster(&self) -> &ClusterId {
        &self.cluster
    }

    /// Whether this life of the driver is the one that was judged.
    #[must_use]
    pub fn is_of(&self, context: &SparkContextId) -> bool {
        self.spark_context == *context
    }

    /// Since when every witness of the evidence knows it to be quiet.
    #[must_use]
    pub fn quiet_since(&self) -> Timestamp {
        self.quiet_since
    }

    /// The latest sign of life that anyone knows of. It can lie before
    /// `quiet_since`, because metrics are read only as far back as they must be.
    #[must_use]
    pub fn last_sign(&self) -> Timestamp {
        self.last_sign
    }

    #[must_use]
    pub fn evidence(&self) -> Evidence {
        self.evidence
    }

    #[must_use]
    pub fn threshold(&self) -> Duration {
        self.threshold
    }

    /// When it had been quiet for long enough.
    #[must_use]
    pub fn earliest(&self) -> Earliest {
        Earliest::At(self.quiet_since.plus(self.threshold))
    }

    /// The `now` of the look that this proof rests on.
    #[must_use]
    pub fn decided_at(&self) -> Timestamp {
        self.decided_at
    }

    /// Whether the second look still proves what this, the first, proved:
    /// idle again, in the same life of the driver, not active in between, and
    /// by every witness that the first rests on.
    ///
    /// # Errors
    ///
    /// What changed since; the cluster is kept and the next sweep judges it anew.
    pub fn confirmed_by(&self, second: Decision) -> Result<Self, Changed> {
        let second = match second {
            Decision::Keep(reason) => return Err(Changed::Kept(reason.as_str())),
            Decision::Terminate(proof) => proof,
        };
        if second.cluster != self.cluster || second.spark_context != self.spark_context {
            return Err(Changed::Restarted);
        }
        if second.quiet_since > self.quiet_since {
            return Err(Changed::ActiveAgain);
        }
        if !second.evidence.covers(self.evidence) {
            return Err(Changed::WitnessLost);
        }
        Ok(second)
    }
}

/// How long a cluster has been quiet, by which evidence, and how long it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    pub since: Timestamp,
    /// The latest sign of life; not later than `since`.
    pub last_sign: Timestamp,
    pub evidence: Evidence,
    pub threshold: Duration,
    /// Whether the platform's own limit, which is trusted, ends before the
    /// threshold: a cluster that outlives it is left to the platform.
    pub left_to_platform: bool,
}

/// What the second look found that the first had not.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Changed {
    /// The rules keep it now; the reason's `as_str`.
    #[error("the second look keeps it: {0}")]
    Kept(&'static str),
    #[error("it was restarted between the two looks")]
    Restarted,
    #[error("it was active between the two looks")]
    ActiveAgain,
    #[error("a witness of the first look no longer answers")]
    WitnessLost,
    /// `clusters/get` no longer answered for it, or not in time.
    #[error("it could not be read again: {0}")]
    Unreadable(String),
}

impl Changed {
    /// The spelling in logs and reports.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Kept(reason) => reason,
            Self::Restarted => "restarted",
            Self::ActiveAgain => "active_again",
            Self::WitnessLost => "witness_lost",
            Self::Unreadable(_) => "unreadable",
        }
    }
}
