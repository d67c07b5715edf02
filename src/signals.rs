//! The facts about one cluster, as far as they were asked for.
//!
//! No judgement here: `decision` reads these values. A fact that could not be
//! learned says why, and one that nobody asked for says so, and neither is ever
//! taken for a quiet cluster.

use std::fmt;

use crate::timestamp::Timestamp;

/// Why a signal is unknown: one clause for the report, already free of secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why(pub String);

impl Why {
    pub fn new(clause: impl Into<String>) -> Self {
        Self(clause.into())
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
    /// Whether a Spark job has run since the application started (as far as the
    /// retained jobs tell).
    pub ran_a_job: bool,
    /// The latest batch of a structured stream among the retained jobs and SQL
    /// executions (submission or end, whichever is later).
    pub last_stream_batch: Option<Timestamp>,
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
    /// No VM is busy, since this instant.
    QuietSince(Timestamp),
}
