//! Every signal of one cluster as a person reads it: a name, whether it is known,
//! and one clause. What the witnesses said is said in the report's words.
//!
//! Pure. Text from outside is escaped here, so `text` and `json` need not.

use std::time::Duration;

use crate::cluster::{Cluster, ClusterSource};
use crate::decision::{Question, speaks_of_protection};
use crate::escape::Shown;
use crate::human::{Count, Span};
use crate::policy::Policy;
use crate::report::words;
use crate::signals::{Hardware, Signal, Signals, SparkView};
use crate::timestamp::Timestamp;

/// Whether a signal says anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Known,
    /// Asked for in vain, or absent from the cluster's record.
    Unknown,
    /// Not asked, because the cluster is not at work.
    NotAsked,
    /// The policy does not ask for it.
    SwitchedOff,
}

impl Status {
    /// The spelling in JSON; stable across versions.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::Unknown => "unknown",
            Self::NotAsked => "not_asked",
            Self::SwitchedOff => "switched_off",
        }
    }

    fn of<T>(signal: &Signal<T>, is_allowed: bool) -> Self {
        match signal {
            Signal::Known(_) => Self::Known,
            Signal::Unknown(_) => Self::Unknown,
            Signal::NotAsked if is_allowed => Self::NotAsked,
            Signal::NotAsked => Self::SwitchedOff,
        }
    }
}

/// One signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its name; stable across versions.
    pub signal: &'static str,
    pub status: Status,
    /// What it says, or why it says nothing.
    pub clause: String,
}

/// All signals: first what the cluster's own record tells, then what was asked, in
/// the order of the questions.
#[must_use]
pub fn told(signals: &Signals, policy: &Policy) -> Vec<Told> {
    let Signals {
        cluster,
        pinned,
        active_run,
        last_run_end,
        spark,
        streaming,
        command,
        hardware,
        driver_node,
        all_nodes,
    } = signals;
    let mut all = of_the_record(cluster);
    let run = |run: &Option<String>| run.clone().unwrap_or_else(|| "none".to_owned());
    let pin = |pinned: &bool| if *pinned { "pinned" } else { "not pinned" }.to_owned();
    let driver = |view: &_| words::nodes_clause(view, "driver");
    let machines = |view: &_| words::nodes_clause(view, "all");
    all.extend([
        asked("pin", pinned, Question::Pin, policy, pin),
        asked("active runs", active_run, Question::ActiveRuns, policy, run),
        asked(
            "completed runs",
            last_run_end,
            Question::CompletedRuns,
            policy,
            run_end,
        ),
        asked("spark", spark, Question::Spark, policy, spark_words),
        asked(
            "streaming",
            streaming,
            Question::Streaming,
            policy,
            words::streaming_clause,
        ),
        asked(
            "commands",
            command,
            Question::Commands,
            policy,
            command_words,
        ),
        asked(
            "hardware",
            hardware,
            Question::Hardware,
            policy,
            hardware_words,
        ),
        asked(
            "driver node",
            driver_node,
            Question::DriverNode,
            policy,
            driver,
        ),
        asked("nodes", all_nodes, Question::AllNodes, policy, machines),
    ]);
    all
}

fn asked<T>(
    name: &'static str,
    signal: &Signal<T>,
    question: Question,
    policy: &Policy,
    known: impl Fn(&T) -> String,
) -> Told {
    let is_allowed = question.is_allowed(policy);
    Told {
        signal: name,
        status: Status::of(signal, is_allowed),
        clause: words::clause(signal, is_allowed, known),
    }
}

fn of_the_record(cluster: &Cluster) -> Vec<Told> {
    let known = |signal, clause: String| Told {
        signal,
        status: Status::Known,
        clause,
    };
    let told = |signal, value: Option<String>| match value {
        Some(clause) => known(signal, clause),
        None => Told {
            signal,
            status: Status::Unknown,
            clause: "unknown: its record does not tell".to_owned(),
        },
    };
    let at = |instant: Option<Timestamp>| instant.map(|instant| instant.to_string());
    let source = match &cluster.source {
        ClusterSource::Ui => Some("UI".to_owned()),
        ClusterSource::Api => Some("API".to_owned()),
        ClusterSource::Other(text) => Some(Shown::name(text).to_string()),
        ClusterSource::Absent => None,
    };
    let context = cluster.spark_context_id.as_ref();
    let runtime = cluster.spark_version.as_deref();
    vec![
        known("state", Shown::name(cluster.state.as_str()).to_string()),
        told("source", source),
        told("started", at(cluster.started())),
        told("last activity", at(cluster.last_activity_time)),
        known("auto-termination", auto_termination(cluster)),
        known("tags", tags(cluster)),
        told("runtime", runtime.map(|text| Shown::name(text).to_string())),
        known("workers", workers(cluster)),
        told(
            "spark context",
            context.map(|id| Shown::name(&id.0).to_string()),
        ),
    ]
}

fn auto_termination(cluster: &Cluster) -> String {
    match cluster.autotermination_minutes {
        0 => "off".to_owned(),
        minutes => {
            let after = Duration::from_secs(minutes.saturating_mul(60));
            format!("after {} without activity", Span(after))
        }
    }
}

/// The tags that can protect it, as they came.
fn tags(cluster: &Cluster) -> String {
    let tags = cluster.tags.iter();
    let shown: Vec<String> = tags
        .filter(|(key, _)| speaks_of_protection(key))
        .map(|(key, value)| format!("`{}` = `{}`", Shown::name(key), Shown::name(value)))
        .collect();
    if shown.is_empty() {
        "none that protects".to_owned()
    } else {
        shown.join(", ")
    }
}

fn workers(cluster: &Cluster) -> String {
    let number = match cluster.num_workers {
        Some(0) => "none, a single node".to_owned(),
        Some(workers) => Count(workers, "worker").to_string(),
        None => "their number is not told".to_owned(),
    };
    let autoscales = if cluster.autoscales {
        ", autoscaling"
    } else {
        ""
    };
    let pool = if cluster.uses_pool {
        ", from a pool"
    } else {
        ""
    };
    format!("{number}{autoscales}{pool}")
}

fn run_end(ended: &Option<Timestamp>) -> String {
    match ended {
        Some(at) => format!("the last one ended at {at}"),
        None => "none".to_owned(),
    }
}

fn spark_words(view: &SparkView) -> String {
    let mut clause = words::spark_clause(view);
    if view.busy.is_some() || view.last_completion.is_some() {
        clause = format!("{clause}; it started at {}", view.application_started);
    }
    if !view.ran_a_job {
        clause.push_str("; no Spark job has run");
    }
    if let Some(batch) = view.last_stream_batch {
        clause = format!("{clause}; the last batch of a stream was at {batch}");
    }
    if let Some(until) = view.forgotten_until {
        clause = format!("{clause}; what ended before {until} is forgotten");
    }
    clause
}

fn command_words(thread: &Option<String>) -> String {
    match thread {
        Some(thread) => format!("running in thread {}", Shown::name(thread)),
        None => "none is running".to_owned(),
    }
}

fn hardware_words(hardware: &Hardware) -> String {
    let Hardware {
        driver_cores,
        worker_cores,
        has_gpus,
    } = hardware;
    let gpus = match has_gpus {
        Some(true) => "with GPUs",
        Some(false) => "no GPUs",
        None => "whether it has GPUs is not told",
    };
    format!("{driver_cores} cores (driver), {worker_cores} cores (each worker), {gpus}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::ClusterState;
    use crate::decision::tests::world::World;

    fn clause_of(name: &str, world: &World) -> (Status, String) {
        let told = told(&world.signals, &world.policy);
        let one = told.into_iter().find(|one| one.signal == name).unwrap();
        (one.status, one.clause)
    }

    #[test]
    fn what_is_unknown_not_asked_and_switched_off_are_three_things() {
        let mut world = World::idle();
        world.signals.active_run = Signal::unknown("no admin");
        world.signals.streaming = Signal::NotAsked;
        world.signals.all_nodes = Signal::NotAsked;
        world.policy.nodes_witness = false;
        let expected = [
            ("active runs", Status::Unknown, "unknown: no admin"),
            ("streaming", Status::NotAsked, "not asked"),
            ("nodes", Status::SwitchedOff, "switched off"),
            (
                "hardware",
                Status::Known,
                "4 cores (driver), 8 cores (each worker), no GPUs",
            ),
        ];
        for (name, status, clause) in expected {
            assert_eq!(clause_of(name, &world), (status, clause.to_owned()));
        }
    }

    #[test]
    fn only_tags_that_can_protect_are_shown_and_none_forges_a_line() {
        let mut world = World::idle();
        world.add_tag("team", "data");
        assert_eq!(clause_of("tags", &world).1, "none that protects");
        world.add_tag(" TERMINATE-Clusters ", "x\n`y`");
        assert_eq!(
            clause_of("tags", &world).1,
            "` TERMINATE-Clusters ` = `x\\n\\u{60}y\\u{60}`"
        );
    }

    #[test]
    fn no_text_from_outside_comes_through_as_it_came() {
        let hostile = "x\n\u{1b}[2J\u{202e}";
        let mut world = World::idle();
        let cluster = world.cluster();
        cluster.state = ClusterState::Other(hostile.to_owned());
        cluster.source = ClusterSource::Other(hostile.to_owned());
        cluster.spark_version = Some(hostile.to_owned());
        world.signals.command = Signal::Known(Some(hostile.to_owned()));
        world.signals.spark = Signal::unknown(hostile);
        for one in told(&world.signals, &world.policy) {
            let is_harmless = |next: char| !next.is_control() && next != '\u{202e}';
            assert!(one.clause.chars().all(is_harmless), "{one:?}");
        }
    }

    #[test]
    fn a_record_that_does_not_tell_is_unknown() {
        let mut world = World::idle();
        let cluster = world.cluster();
        cluster.source = ClusterSource::Absent;
        cluster.last_restarted_time = None;
        cluster.last_state_loss_time = None;
        cluster.driver = None;
        for name in ["source", "started", "last activity"] {
            assert_eq!(clause_of(name, &world).0, Status::Unknown, "{name}");
        }
        world.cluster().autotermination_minutes = 90;
        let (_, clause) = clause_of("auto-termination", &world);
        assert_eq!(clause, "after 1h30m without activity");
    }

    #[test]
    fn spark_says_how_far_back_it_remembers() {
        let mut world = World::idle();
        let (_, whole) = clause_of("spark", &world);
        let until = world.now.minus(Duration::from_hours(110));
        world.spark().last_stream_batch = Some(until);
        world.spark().forgotten_until = Some(until);
        let (_, cut) = clause_of("spark", &world);
        let expected = format!(
            "{whole}; the last batch of a stream was at {until}; what ended before {until} is forgotten"
        );
        assert_eq!(cut, expected);
    }
}
