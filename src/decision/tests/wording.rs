//! What an operator reads: clauses that nothing from outside can forge, and
//! the earliest time of a termination.

use super::world::{NOW, World, hours, minutes};
use crate::decision::{
    ActivitySign, Decision, Earliest, Evidence, KeepReason, Question, RequiredSignal, StreamTrace,
    Weakness,
};
use crate::signals::{Signal, SparkWork, SparkWorkKind, Why};

/// Ends a line, drives a terminal, and turns the reading direction.
const HOSTILE: &str = "x\n2026 INFO ok\r\u{1b}[31m\u{202e}`";

/// Every reason that carries text from outside as it came, filled with a hostile
/// one. `ActiveRun` holds a description that is escaped where it is made.
fn hostile_reasons() -> Vec<KeepReason> {
    let text = || HOSTILE.to_owned();
    let work = || SparkWork {
        kind: SparkWorkKind::Job,
        label: text(),
        since: Some(NOW),
    };
    vec![
        KeepReason::NotAllPurpose { source: text() },
        KeepReason::NotRunning { state: text() },
        KeepReason::ProtectedByName { pattern: text() },
        KeepReason::Exempt {
            until: NOW,
            day: text(),
            reason: text(),
        },
        KeepReason::KeepUntil {
            until: NOW,
            day: text(),
        },
        KeepReason::KeepUntilUnreadable { value: text() },
        KeepReason::CommandRunning { thread: text() },
        KeepReason::SparkBusy { work: work() },
        KeepReason::Contradictory { work: work() },
        KeepReason::RequiredUnknown {
            signal: RequiredSignal::ActiveRuns,
            why: Some(Why::new(HOSTILE)),
        },
    ]
}

#[test]
fn no_clause_lets_a_text_from_outside_through_as_it_came() {
    for reason in hostile_reasons() {
        let clause = reason.clause();
        let harmless = |letter: char| !letter.is_control() && letter != '\u{202e}';
        assert!(clause.chars().all(harmless), "{reason:?}: {clause:?}");
        assert!(clause.contains("INFO"), "{clause}");
    }
}

#[test]
fn clause_says_when_by_whom_and_how_long() {
    let mut world = World::idle();
    world.nodes_quiet_for(hours(1));
    let Decision::Keep(reason) = world.decide() else {
        panic!("an hour is too short");
    };
    assert_eq!(
        reason.clause(),
        "quiet since 2026-11-22T11:00:00Z; Spark and nodes say quiet, so it is terminated after 2h"
    );
    let busy = KeepReason::NodesBusy {
        cores: 1.234,
        network_bytes_per_minute: 45_600_000.0,
    };
    assert_eq!(
        busy.clause(),
        "a machine is busy: 1.23 cores, 45.6 MB/min of network"
    );
}

#[test]
fn sign_of_activity_says_who_saw_it() {
    let clause = |sign| KeepReason::RecentActivity { sign, at: NOW }.clause();
    assert_eq!(
        clause(ActivitySign::RunEnded),
        "a job run on it ended at 2026-11-22T12:00:00Z"
    );
    assert_eq!(
        clause(ActivitySign::LastActivityTime),
        "the platform saw activity at 2026-11-22T12:00:00Z"
    );
}

#[test]
fn required_signal_is_named_by_what_is_missing() {
    for (signal, expected) in [
        (RequiredSignal::ActiveRuns, "active runs unknown"),
        (RequiredSignal::Start, "start unknown"),
        (RequiredSignal::SparkContextId, "spark_context_id unknown"),
        (RequiredSignal::Pin, "pin unknown"),
        (
            RequiredSignal::NotAsked(Question::DriverNode),
            "driver node unknown",
        ),
    ] {
        let reason = KeepReason::RequiredUnknown { signal, why: None };
        assert_eq!(reason.clause(), expected);
    }
}

#[test]
fn weakness_says_for_what_the_evidence_does_not_speak() {
    for (weakness, whom, what) in [
        (Weakness::SingleNode, "Spark", "single node"),
        (Weakness::Gpu, "Spark", "GPU"),
        (Weakness::MlRuntime, "Spark", "machine-learning"),
        (Weakness::NoSparkJobYet, "Spark", "no Spark job"),
        (Weakness::NodesBlindToGpu, "host metrics", "GPU"),
        (Weakness::NodesOfAPool, "host metrics", "pool"),
    ] {
        let evidence = Evidence::SparkAlone;
        let clause = KeepReason::EvidenceTooWeak { evidence, weakness }.clause();
        assert!(clause.starts_with(whom), "{clause}");
        assert!(clause.contains(what), "{clause}");
    }
}

#[test]
fn evidence_has_a_spelling_for_machines() {
    for (evidence, expected) in [
        (Evidence::Both, "both_witnesses"),
        (Evidence::SparkAlone, "spark_alone"),
        (Evidence::NodesAlone, "nodes_alone"),
    ] {
        assert_eq!(evidence.as_str(), expected);
    }
}

#[test]
fn earliest_time_is_when_the_reason_ends() {
    let policy = World::idle().policy;
    let at = NOW.minus(minutes(10));
    for sign in [ActivitySign::RunEnded, ActivitySign::LastActivityTime] {
        let recent = KeepReason::RecentActivity { sign, at };
        assert_eq!(
            recent.earliest(&policy),
            Earliest::At(at.plus(policy.idle_after))
        );
    }
    for trace in [StreamTrace::Batch, StreamTrace::Forgotten] {
        let traces = KeepReason::StreamTraces { trace, at };
        assert_eq!(
            traces.earliest(&policy),
            Earliest::At(at.plus(policy.streaming_silence))
        );
    }
    let platform = KeepReason::PlatformSawActivity {
        autotermination: minutes(60),
        quiet_since: at,
    };
    assert_eq!(
        platform.earliest(&policy),
        Earliest::Never("left to the platform")
    );
    let weak = KeepReason::EvidenceTooWeak {
        evidence: Evidence::SparkAlone,
        weakness: Weakness::SingleNode,
    };
    assert!(matches!(weak.earliest(&policy), Earliest::Never(_)));
}

#[test]
fn idle_cluster_is_terminated_at_the_earliest_time_that_was_told() {
    let mut world = World::idle();
    world.nodes_quiet_for(minutes(30));
    world.signals.last_run_end = Signal::Known(Some(NOW.minus(minutes(20))));
    let mut looks = 0;
    while let Decision::Keep(reason) = world.decide() {
        let Earliest::At(earliest) = reason.earliest(&world.policy) else {
            panic!("{reason:?}");
        };
        assert!(earliest > world.now, "{reason:?}");
        world.now = earliest;
        looks += 1;
        assert!(looks < 5, "{reason:?}");
    }
    assert_eq!(world.now, NOW.plus(minutes(100)));
}
