//! Why a cluster is kept: one variant per rule and cause, with a stable
//! spelling, a sentence for people, and the earliest time at which the cluster
//! could be terminated.
//!
//! Rendering only; the rules themselves are in `decision`. Text from outside is
//! kept as it came and is escaped by whoever shows it.

use std::time::Duration;

use super::Question;
use super::proof::{Evidence, Quiet};
use crate::escape::Shown;
use crate::human::Span;
use crate::policy::Policy;
use crate::signals::{SparkWork, Why};
use crate::timestamp::Timestamp;

/// What a recent sign of activity was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActivitySign {
    RunEnded,
    LastActivityTime,
}

impl ActivitySign {
    fn clause(self) -> &'static str {
        match self {
            Self::RunEnded => "a job run on it ended",
            Self::LastActivityTime => "the platform saw activity",
        }
    }
}

/// What makes a stream possible that nothing else tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamTrace {
    /// A batch that was seen.
    Batch,
    /// The end of what Spark has forgotten, a batch perhaps among it.
    Forgotten,
}

/// A signal without which nothing is terminated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequiredSignal {
    ActiveRuns,
    Start,
    SparkContextId,
    Pin,
    /// A question that matters was not asked, because the look was cut short.
    NotAsked(Question),
}

impl RequiredSignal {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ActiveRuns => "active runs",
            Self::Start => "start",
            Self::SparkContextId => "spark_context_id",
            Self::Pin => "pin",
            Self::NotAsked(question) => question.as_str(),
        }
    }
}

/// Why the evidence does not suffice for this kind of cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weakness {
    /// Spark alone, on a single node.
    SingleNode,
    /// Spark alone, on machines with a GPU, or not known to be without.
    Gpu,
    /// Spark alone, on a machine-learning runtime, or an unknown one.
    MlRuntime,
    /// Spark alone, and no Spark job since the application started.
    NoSparkJobYet,
    /// Nodes alone, on machines with a GPU, or not known to be without.
    NodesBlindToGpu,
    /// Nodes alone, on machines from a pool.
    NodesOfAPool,
}

impl Weakness {
    fn clause(self) -> &'static str {
        match self {
            Self::SingleNode => "Spark alone cannot speak for a single node",
            Self::Gpu => "Spark alone cannot speak for GPU machines",
            Self::MlRuntime => "Spark alone cannot speak for a machine-learning runtime",
            Self::NoSparkJobYet => "Spark alone cannot speak where no Spark job has run",
            Self::NodesBlindToGpu => "host metrics alone do not see GPUs",
            Self::NodesOfAPool => "host metrics alone cannot speak for machines of a pool",
        }
    }
}

/// Why a cluster is kept. The order is the order of the rules.
#[derive(Debug, Clone, PartialEq)]
pub enum KeepReason {
    NotAllPurpose {
        source: String,
    },
    NotRunning {
        state: String,
    },
    ProtectedByTag,
    ProtectedByName {
        pattern: String,
    },
    ProtectedByPin,
    Exempt {
        until: Timestamp,
        day: String,
        reason: String,
    },
    KeepUntil {
        until: Timestamp,
        day: String,
    },
    KeepUntilUnreadable {
        value: String,
    },
    /// The run as its `Display` shows it, so escaped.
    ActiveRun {
        run: String,
    },
    RecentActivity {
        sign: ActivitySign,
        at: Timestamp,
    },
    StartedRecently {
        at: Timestamp,
    },
    CommandRunning {
        thread: String,
    },
    SparkBusy {
        work: SparkWork,
    },
    Contradictory {
        work: SparkWork,
    },
    StreamActive,
    StreamTraces {
        trace: StreamTrace,
        at: Timestamp,
    },
    NodesBusy {
        cores: f64,
        network_bytes_per_minute: f64,
    },
    RequiredUnknown {
        signal: RequiredSignal,
        why: Option<Why>,
    },
    NoWitness,
    EvidenceTooWeak {
        evidence: Evidence,
        weakness: Weakness,
    },
    PlatformSawActivity {
        autotermination: Duration,
        quiet_since: Timestamp,
    },
    QuietTooShort {
        quiet: Quiet,
    },
}

impl KeepReason {
    /// The spelling in logs and JSON; stable across versions.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NotAllPurpose { .. } => "not_all_purpose",
            Self::NotRunning { .. } => "not_running",
            Self::ProtectedByTag => "protected_by_tag",
            Self::ProtectedByName { .. } => "protected_by_name",
            Self::ProtectedByPin => "protected_by_pin",
            Self::Exempt { .. } => "exempt",
            Self::KeepUntil { .. } => "keep_until",
            Self::KeepUntilUnreadable { .. } => "keep_until_unreadable",
            Self::ActiveRun { .. } => "active_run",
            Self::RecentActivity { .. } => "recent_activity",
            Self::StartedRecently { .. } => "started_recently",
            Self::CommandRunning { .. } => "command_running",
            Self::SparkBusy { .. } => "spark_busy",
            Self::Contradictory { .. } => "contradictory",
            Self::StreamActive => "stream_active",
            Self::StreamTraces { .. } => "stream_traces",
            Self::NodesBusy { .. } => "nodes_busy",
            Self::RequiredUnknown { .. } => "required_unknown",
            Self::NoWitness => "no_witness",
            Self::EvidenceTooWeak { .. } => "evidence_too_weak",
            Self::PlatformSawActivity { .. } => "platform_saw_activity",
            Self::QuietTooShort { .. } => "quiet_too_short",
        }
    }

    /// One clause for people, everything from outside escaped.
    #[must_use]
    #[expect(
        clippy::too_many_lines,
        reason = "one arm per reason, and nothing else: shorter only by hiding some"
    )]
    pub fn clause(&self) -> String {
        match self {
            Self::NotAllPurpose { source } => {
                format!("its source is {}, not UI or API", Shown::name(source))
            }
            Self::NotRunning { state } => format!("its state is {}", Shown::name(state)),
            Self::ProtectedByTag => "its tag `terminate-clusters` protects it".to_owned(),
            Self::ProtectedByName { pattern } => {
                format!("its name matches `{}`", Shown::name(pattern))
            }
            Self::ProtectedByPin => "it is pinned".to_owned(),
            Self::Exempt { day, reason, .. } => {
                let (day, reason) = (Shown::name(day), Shown::text(reason));
                format!("it is exempt through {day}: {reason}")
            }
            Self::KeepUntil { day, .. } => {
                format!("its tag keeps it through {}", Shown::name(day))
            }
            Self::KeepUntilUnreadable { value } => format!(
                "its tag `terminate-clusters-keep-until` is no date: {}",
                Shown::name(value)
            ),
            // Escaped already by those who described it.
            Self::ActiveRun { run } => format!("an active run names it: {run}"),
            Self::RecentActivity { sign, at } => format!("{} at {at}", sign.clause()),
            Self::StartedRecently { at } => format!("it started at {at}"),
            Self::CommandRunning { thread } => {
                format!("a command is running in thread {}", Shown::name(thread))
            }
            Self::SparkBusy { work } => format!("Spark is busy: {}", work_clause(work)),
            Self::Contradictory { work } => format!(
                "Spark calls {} running, yet no machine has worked for a day: look at it",
                work_clause(work)
            ),
            Self::StreamActive => "a streaming query is active".to_owned(),
            Self::StreamTraces {
                trace: StreamTrace::Batch,
                at,
            } => format!("a stream ran a batch at {at} and nothing says that it has ended"),
            Self::StreamTraces {
                trace: StreamTrace::Forgotten,
                at,
            } => format!(
                "whether a stream waits is unknown, and Spark has forgotten what ran before {at}"
            ),
            Self::NodesBusy {
                cores,
                network_bytes_per_minute,
            } => format!(
                "a machine is busy: {}",
                load_clause(*cores, *network_bytes_per_minute)
            ),
            Self::RequiredUnknown { signal, why } => {
                let why = why.as_ref().map(|why| format!(": {why}"));
                format!("{} unknown{}", signal.as_str(), why.unwrap_or_default())
            }
            Self::NoWitness => "no witness can say that it is quiet".to_owned(),
            Self::EvidenceTooWeak { weakness, .. } => weakness.clause().to_owned(),
            Self::PlatformSawActivity {
                autotermination,
                quiet_since,
            } => format!(
                "quiet to us since {quiet_since}, yet the platform, which stops it after {}, saw activity",
                Span(*autotermination)
            ),
            Self::QuietTooShort { quiet } => format!(
                "quiet since {}; {}, so it is terminated after {}",
                quiet.since,
                quiet.evidence.clause(),
                Span(quiet.threshold)
            ),
        }
    }

    /// The earliest time at which the cluster could be terminated, should nothing
    /// happen on it until then.
    #[must_use]
    pub fn earliest(&self, policy: &Policy) -> Earliest {
        match self {
            Self::NotAllPurpose { .. } => {
                Earliest::Never("only all-purpose clusters are terminated")
            }
            Self::NotRunning { .. } => Earliest::Never("only RUNNING clusters are terminated"),
            Self::ProtectedByTag | Self::ProtectedByName { .. } | Self::ProtectedByPin => {
                Earliest::Never("it is protected")
            }
            Self::KeepUntilUnreadable { .. } => Earliest::Never("until its tag is a date"),
            Self::Exempt { until, .. } | Self::KeepUntil { until, .. } => Earliest::At(*until),
            Self::ActiveRun { .. } => Earliest::Never("while a run is active"),
            Self::RecentActivity { at, .. } | Self::StartedRecently { at } => {
                Earliest::At(at.plus(policy.idle_after))
            }
            Self::CommandRunning { .. } => Earliest::Never("while a command is running"),
            Self::SparkBusy { .. } | Self::Contradictory { .. } => {
                Earliest::Never("while Spark is busy")
            }
            Self::StreamActive => Earliest::Never("while a stream is active"),
            Self::StreamTraces { at, .. } => Earliest::At(at.plus(policy.streaming_silence)),
            Self::NodesBusy { .. } => Earliest::Never("while its machines are busy"),
            Self::RequiredUnknown { .. } => Earliest::Never("until that is known"),
            Self::NoWitness => Earliest::Never("until a witness answers"),
            Self::EvidenceTooWeak { .. } => Earliest::Never("until another witness answers"),
            Self::PlatformSawActivity { .. } => Earliest::Never("left to the platform"),
            Self::QuietTooShort { quiet } if quiet.left_to_platform => {
                Earliest::Never("left to the platform, whose own limit ends first")
            }
            Self::QuietTooShort { quiet } => Earliest::At(quiet.since.plus(quiet.threshold)),
        }
    }
}

/// When a cluster could be terminated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Earliest {
    At(Timestamp),
    /// Not as things are; a clause that reads after "never: ".
    Never(&'static str),
}

/// A machine's load as people read it.
pub(crate) fn load_clause(cores: f64, network_bytes_per_minute: f64) -> String {
    let megabytes = network_bytes_per_minute / 1e6;
    format!("{cores:.2} cores, {megabytes:.1} MB/min of network")
}

fn work_clause(work: &SparkWork) -> String {
    let label = Shown::name(&work.label);
    match work.since {
        Some(since) => format!("{label} since {since}"),
        None => label.to_string(),
    }
}
