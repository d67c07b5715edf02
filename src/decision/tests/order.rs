//! The rules are tried in their order, and each asks only for what it needs.
//!
//! One change per rule stands for the rule: two of them together show which
//! rule comes first, and the walk over one of them shows what is asked.

use super::world::{World, answer, busy_node, hours, never_ask};
use crate::cluster::{ClusterSource, ClusterState};
use crate::decision::{
    Decision, KeepReason, Question, RULES, RequiredSignal, decide, next_question,
};
use crate::signals::{Signal, Signals, SparkWorkKind, StreamingView};

use Question::{
    ActiveRuns, AllNodes, Commands, CompletedRuns, DriverNode, Hardware, Pin, Spark, Streaming,
};

/// A change that makes one rule apply.
struct Veto {
    /// The rule that decides when nothing else is changed.
    rule: u8,
    reason: &'static str,
    change: fn(&mut World),
    /// What a look at such a cluster asks, in this order.
    asks: &'static [Question],
}

const VETOES: [Veto; 16] = [
    Veto {
        rule: 1,
        reason: "not_all_purpose",
        change: |world| world.cluster().source = ClusterSource::Absent,
        asks: &[],
    },
    Veto {
        rule: 2,
        reason: "not_running",
        change: |world| world.cluster().state = ClusterState::Resizing,
        asks: &[],
    },
    Veto {
        rule: 3,
        reason: "protected_by_tag",
        change: |world| world.add_tag("terminate-clusters", ""),
        asks: &[],
    },
    Veto {
        rule: 4,
        reason: "keep_until",
        change: |world| world.add_tag("terminate-clusters-keep-until", "2026-12-24"),
        asks: &[],
    },
    Veto {
        rule: 5,
        reason: "active_run",
        change: |world| world.signals.active_run = Signal::Known(Some("run 12".to_owned())),
        asks: &[ActiveRuns],
    },
    Veto {
        rule: 6,
        reason: "recent_activity",
        change: |world| {
            world.signals.last_run_end = Signal::Known(Some(world.now.minus(hours(1))));
        },
        asks: &[ActiveRuns, CompletedRuns],
    },
    Veto {
        rule: 7,
        reason: "started_recently",
        change: |world| world.cluster().last_restarted_time = Some(world.now.minus(hours(1))),
        asks: &[ActiveRuns, CompletedRuns],
    },
    Veto {
        rule: 8,
        reason: "command_running",
        change: |world| world.signals.command = Signal::Known(Some("Thread-9".to_owned())),
        asks: &[ActiveRuns, CompletedRuns, Spark, Commands],
    },
    Veto {
        rule: 9,
        reason: "spark_busy",
        change: |world| world.spark_works(SparkWorkKind::Stage, hours(1)),
        asks: &[ActiveRuns, CompletedRuns, Spark, Commands],
    },
    Veto {
        rule: 10,
        reason: "stream_active",
        change: |world| world.signals.streaming = Signal::Known(StreamingView::Active),
        asks: &[ActiveRuns, CompletedRuns, Spark, Commands, Streaming],
    },
    Veto {
        rule: 11,
        reason: "nodes_busy",
        change: |world| world.signals.driver_node = busy_node(),
        asks: &[
            ActiveRuns,
            CompletedRuns,
            Spark,
            Commands,
            Streaming,
            Hardware,
            DriverNode,
        ],
    },
    Veto {
        rule: 12,
        reason: "required_unknown",
        change: |world| world.signals.active_run = Signal::unknown("not an admin"),
        asks: EVERYTHING_BUT_ALL_NODES,
    },
    Veto {
        rule: 13,
        reason: "no_witness",
        change: |world| {
            world.signals.spark = Signal::unknown("403");
            world.signals.driver_node = Signal::unknown("403");
        },
        asks: EVERYTHING_BUT_ALL_NODES,
    },
    Veto {
        rule: 14,
        reason: "evidence_too_weak",
        change: |world| {
            world.signals.driver_node = Signal::unknown("403");
            world.cluster().num_workers = Some(0);
        },
        asks: EVERYTHING_BUT_ALL_NODES,
    },
    Veto {
        rule: 15,
        reason: "platform_saw_activity",
        change: |world| world.cluster().autotermination_minutes = 30,
        asks: EVERYTHING_BUT_ALL_NODES,
    },
    Veto {
        rule: 16,
        reason: "quiet_too_short",
        change: |world| world.spark().last_completion = Some(world.now.minus(hours(1))),
        asks: EVERYTHING_BUT_ALL_NODES,
    },
];

const EVERYTHING_BUT_ALL_NODES: &[Question] = &[
    ActiveRuns,
    CompletedRuns,
    Spark,
    Commands,
    Streaming,
    Hardware,
    DriverNode,
];

/// Looks at a world as a sweep does: asks what is wanted until nothing is.
fn questions_of(world: &World) -> (Vec<Question>, Signals) {
    let mut known = Signals::of(world.signals.cluster.clone());
    let mut asked = Vec::new();
    while let Some(question) = next_question(&known, &world.policy, world.now) {
        assert!(!asked.contains(&question), "{question:?} after {asked:?}");
        asked.push(question);
        answer(question, &world.signals, &mut known);
    }
    (asked, known)
}

fn changed_by(changes: &[fn(&mut World)]) -> World {
    let mut world = World::idle();
    for change in changes {
        change(&mut world);
    }
    world
}

#[test]
fn rules_are_numbered_as_they_are_tried() {
    let numbers: Vec<u8> = RULES.iter().map(|rule| rule.number).collect();
    let vetoes: Vec<u8> = VETOES.iter().map(|veto| veto.rule).collect();
    assert_eq!(numbers, (1..=16).collect::<Vec<u8>>());
    assert_eq!(numbers, vetoes);
    assert!(RULES.iter().all(|rule| rule.keeps.starts_with("what ")));
}

#[test]
fn each_rule_keeps_a_cluster_by_itself() {
    for veto in &VETOES {
        let decision = changed_by(&[veto.change]).decide();
        assert_eq!(reason_of(&decision), veto.reason, "{decision:?}");
    }
}

#[test]
fn first_rule_that_applies_decides() {
    for (position, first) in VETOES.iter().enumerate() {
        for later in &VETOES[position + 1..] {
            let decision = changed_by(&[later.change, first.change]).decide();
            let pair = (first.rule, later.rule);
            assert_eq!(reason_of(&decision), first.reason, "{pair:?}: {decision:?}");
        }
    }
}

#[test]
fn look_asks_no_more_than_the_rule_that_decides_needs() {
    for veto in &VETOES {
        let world = changed_by(&[veto.change]);
        let (asked, known) = questions_of(&world);
        assert_eq!(asked, veto.asks, "rule {}", veto.rule);
        let decision = decide(&known, &world.policy, world.now);
        assert_eq!(decision, world.decide(), "rule {}", veto.rule);
    }
}

#[test]
fn look_at_an_idle_cluster_asks_the_cheapest_first() {
    let mut world = World::idle();
    assert_eq!(questions_of(&world).0, EVERYTHING_BUT_ALL_NODES);
    world.policy.protect_pinned = true;
    assert_eq!(questions_of(&world).0.first(), Some(&Pin));
}

#[test]
fn every_machine_is_asked_about_only_where_spark_is_no_witness() {
    let asks_all = |change: fn(&mut World)| {
        let (asked, _) = questions_of(&changed_by(&[change]));
        asked.contains(&AllNodes)
    };
    assert!(!asks_all(|_| {}));
    assert!(asks_all(World::lose_spark));
    assert!(asks_all(World::lose_streaming));
    assert!(asks_all(|world| world.policy.spark_witness = false));
    // The one case in which the nodes are asked although Spark is busy.
    assert!(asks_all(
        |world| world.spark_works(SparkWorkKind::Job, hours(25))
    ));
    assert!(!asks_all(
        |world| world.spark_works(SparkWorkKind::Job, hours(23))
    ));
    assert!(!asks_all(
        |world| world.spark_works(SparkWorkKind::Sql, hours(25))
    ));
}

#[test]
fn witness_that_is_switched_off_is_never_asked() {
    let mut world = World::idle();
    world.policy.spark_witness = false;
    world.policy.nodes_witness = false;
    let (asked, _) = questions_of(&world);
    assert_eq!(asked, [ActiveRuns, CompletedRuns]);
    assert!(Question::ALL.iter().all(|question| {
        let kept_for = [ActiveRuns, CompletedRuns, Hardware];
        question.is_allowed(&world.policy) == kept_for.contains(question)
    }));
}

#[test]
fn keeps_a_cluster_while_any_wanted_question_is_open() {
    for nodes in [true, false] {
        let mut world = World::idle();
        world.policy.protect_pinned = true;
        if !nodes {
            world.lose_nodes();
        }
        let (asked, _) = questions_of(&world);
        for question in asked {
            let mut open = world.clone();
            never_ask(question, &mut open.signals);
            let signal = RequiredSignal::NotAsked(question);
            let expected = Decision::Keep(KeepReason::RequiredUnknown { signal, why: None });
            assert_eq!(open.decide(), expected);
        }
    }
}

#[test]
fn every_question_has_a_name_of_its_own() {
    let names: std::collections::BTreeSet<&str> =
        Question::ALL.iter().map(|one| one.as_str()).collect();
    assert_eq!(names.len(), Question::ALL.len());
}

fn reason_of(decision: &Decision) -> &'static str {
    match decision {
        Decision::Keep(reason) => reason.as_str(),
        Decision::Terminate(_) => "terminate",
    }
}
