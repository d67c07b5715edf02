//! What is explained of a cluster: what each rule says, the earliest time by all
//! of them, and the evidence that would make it earlier.

use std::time::Duration;

use super::world::{NOW, World, hours, minutes};
use crate::cluster::ClusterState;
use crate::decision::{
    Decision, Due, Earliest, Explanation, KeepReason, Missing, Question, Shorter, Verdict, explain,
};
use crate::policy::{ExemptSelector, Exemption, Glob};
use crate::signals::{NodesView, Signal, Signals, SparkWorkKind, Why};
use crate::timestamp::Timestamp;

fn explained(world: &World) -> Explanation {
    explain(&world.signals, &world.policy, world.now)
}

fn at(earliest: Timestamp, by: u8) -> Due {
    Due {
        earliest: Earliest::At(earliest),
        by: Some(by),
    }
}

fn with(missing: &[Missing], earliest: Timestamp) -> Shorter {
    Shorter {
        with: missing.to_vec(),
        earliest,
    }
}

fn exempt_until(world: &mut World, until: Timestamp) {
    world.policy.exemptions.push(Exemption {
        selector: ExemptSelector::Name(Glob::new("team-*")),
        until,
        until_day: "2026-11-23".to_owned(),
        reason: "audit".to_owned(),
    });
}

/// Quiet for so many hours, by every sign.
fn quiet_for(count: u64) -> World {
    let mut world = World::idle();
    world.nodes_quiet_for(hours(count));
    world
}

#[test]
fn every_rule_passes_a_cluster_that_is_proven_idle() {
    let explanation = explained(&World::idle());
    assert_eq!(explanation.deciding, None);
    assert!(matches!(explanation.decision, Decision::Terminate(_)));
    let mut steps = explanation.steps.iter();
    assert!(steps.all(|step| step.verdict == Verdict::Passed));
    let since = NOW.minus(hours(98));
    assert_eq!(explanation.due.earliest, Earliest::At(since));
    assert_eq!(explanation.shorter, []);
}

#[test]
fn rules_after_the_one_that_decides_say_whether_they_would_keep_it_too() {
    let mut world = quiet_for(1);
    world.add_tag("terminate-clusters", "");
    let explanation = explained(&world);
    assert_eq!(explanation.deciding, Some(3));
    let kept: Vec<u8> = explanation
        .steps
        .iter()
        .filter(|step| matches!(step.verdict, Verdict::Keeps(_)))
        .map(|step| step.number)
        .collect();
    assert_eq!(kept, [3, 16]);
}

#[test]
fn rule_that_rests_on_a_question_that_nobody_asked_says_so() {
    let mut world = World::idle();
    world.cluster().state = ClusterState::Terminated;
    world.signals = Signals::of(world.signals.cluster);
    let explanation = explained(&world);
    assert_eq!(explanation.deciding, Some(2));
    let verdict = |number: usize| &explanation.steps[number - 1].verdict;
    assert_eq!(*verdict(5), Verdict::NotAsked(Question::ActiveRuns));
    assert_eq!(*verdict(7), Verdict::Passed);
    let never = Earliest::Never("only RUNNING clusters are terminated");
    assert_eq!(explanation.due.earliest, never);
    assert_eq!(explanation.shorter, []);
}

#[test]
fn earliest_time_is_the_last_of_all_rules_that_keep_it() {
    let mut world = quiet_for(1);
    let stamp = NOW.minus(minutes(90));
    world.cluster().last_activity_time = Some(stamp);
    // Rule 6 keeps it for half an hour, and rule 16 for an hour.
    let explanation = explained(&world);
    assert_eq!(explanation.deciding, Some(6));
    assert_eq!(explanation.due, at(NOW.plus(hours(1)), 16));
}

#[test]
fn exemptions_are_waited_for_one_after_the_other() {
    let mut world = World::idle();
    for hours_left in [30, 20, 50] {
        exempt_until(&mut world, NOW.plus(hours(hours_left)));
    }
    assert_eq!(explained(&world).due, at(NOW.plus(hours(50)), 4));
}

#[test]
fn wait_is_told_that_is_longer_than_any_number_of_exemptions() {
    let mut world = quiet_for(1);
    world.policy.idle_after = hours(100);
    for hours_left in 1..=98 {
        exempt_until(&mut world, NOW.plus(hours(hours_left)));
    }
    assert_eq!(explained(&world).due, at(NOW.plus(hours(99)), 16));
}

#[test]
fn rule_that_keeps_until_the_end_of_time_is_told_and_not_the_next_that_does() {
    let end = Timestamp::from_millis(i64::MAX);
    let mut world = World::idle();
    exempt_until(&mut world, end);
    world.policy.idle_after = Duration::MAX;
    assert_eq!(explained(&world).due, at(end, 4));
}

#[test]
fn cluster_that_the_platform_will_stop_first_is_never_due() {
    let mut world = quiet_for(1);
    world.lose_spark();
    world.cluster().autotermination_minutes = 120;
    let explanation = explained(&world);
    assert_eq!(
        explanation.due,
        Due {
            earliest: Earliest::Never("left to the platform, whose own limit ends first"),
            by: Some(16),
        }
    );
    let soon = NOW.plus(hours(1));
    assert_eq!(explanation.shorter, [with(&[Missing::Spark], soon)]);
}

#[test]
fn later_rule_without_end_beats_an_earlier_one_with_a_date() {
    let mut world = World::idle();
    world.add_tag("terminate-clusters-keep-until", "2026-11-23");
    world.lose_nodes();
    world.lose_spark();
    let explanation = explained(&world);
    assert_eq!(explanation.deciding, Some(4));
    assert_eq!(
        explanation.due,
        Due {
            earliest: Earliest::Never("until a witness answers"),
            by: Some(13),
        }
    );
}

#[test]
fn spark_shortens_the_wait_of_a_cluster_that_only_its_machines_speak_for() {
    let mut world = quiet_for(1);
    world.lose_spark();
    let explanation = explained(&world);
    assert_eq!(explanation.due, at(NOW.plus(hours(95)), 16));
    assert_eq!(
        explanation.shorter,
        [with(&[Missing::Spark], NOW.plus(hours(1)))]
    );
    // Not asked, because the policy switches it off: the same.
    let mut off = quiet_for(1);
    off.policy.spark_witness = false;
    assert_eq!(explained(&off).shorter, explanation.shorter);
}

#[test]
fn nodes_shorten_the_wait_of_a_cluster_that_only_spark_speaks_for() {
    let mut world = World::idle();
    world.lose_nodes();
    world.spark().last_completion = Some(NOW.minus(hours(1)));
    let explanation = explained(&world);
    assert_eq!(explanation.due, at(NOW.plus(hours(11)), 16));
    assert_eq!(
        explanation.shorter,
        [with(&[Missing::Nodes], NOW.plus(hours(1)))]
    );
    // What Spark alone cannot speak for is not due at all without them.
    world.cluster().num_workers = Some(0);
    let weak = explained(&world);
    assert_eq!(weak.deciding, Some(14));
    assert!(matches!(weak.due.earliest, Earliest::Never(_)));
    assert_eq!(weak.shorter, explanation.shorter);
}

#[test]
fn streaming_page_shortens_the_wait_where_spark_is_known() {
    let mut world = World::idle();
    world.spark().last_stream_batch = Some(NOW.minus(hours(20)));
    world.lose_streaming();
    let explanation = explained(&world);
    assert_eq!(explanation.deciding, Some(10));
    assert_eq!(explanation.due, at(NOW.plus(hours(76)), 10));
    assert_eq!(explanation.shorter, [with(&[Missing::Streaming], NOW)]);
}

#[test]
fn streaming_page_is_missing_only_where_spark_is_known() {
    let mut world = quiet_for(1);
    world.lose_spark();
    world.signals.streaming = Signal::NotAsked;
    let explanation = explained(&world);
    assert_eq!(explanation.deciding, Some(10));
    let soon = NOW.plus(hours(1));
    assert_eq!(explanation.shorter, [with(&[Missing::Spark], soon)]);
}

#[test]
fn each_further_piece_of_evidence_is_told_with_what_it_buys() {
    let mut world = World::idle();
    world.signals.active_run = Signal::unknown("no admin");
    world.spark().last_completion = Some(NOW.minus(hours(1)));
    world.cluster().last_activity_time = Some(NOW.minus(hours(1)));
    world.lose_spark();
    world.lose_nodes();
    let explanation = explained(&world);
    assert!(matches!(explanation.due.earliest, Earliest::Never(_)));
    use Missing::{ActiveRuns, Nodes, Spark};
    assert_eq!(
        explanation.shorter,
        [
            with(&[ActiveRuns, Spark, Nodes], NOW.plus(hours(1))),
            with(&[ActiveRuns, Spark], NOW.plus(hours(11))),
            with(&[ActiveRuns, Nodes], NOW.plus(hours(95))),
        ]
    );
}

#[test]
fn pin_that_is_unknown_is_missing_only_where_pins_protect() {
    let mut world = World::idle();
    world.signals.pinned = Signal::unknown("lost");
    assert_eq!(explained(&world).shorter, []);
    world.policy.protect_pinned = true;
    let explanation = explained(&world);
    assert_eq!(explanation.deciding, Some(12));
    assert_eq!(explanation.shorter, [with(&[Missing::Pin], NOW)]);
}

#[test]
fn missing_evidence_has_the_name_of_its_signal_and_the_reason_why_it_is_unknown() {
    type Case = (Missing, fn(&mut Signals));
    let cases: [Case; 5] = [
        (Missing::ActiveRuns, |signals| {
            signals.active_run = Signal::unknown("no admin");
        }),
        (Missing::Pin, |signals| {
            signals.pinned = Signal::unknown("no admin");
        }),
        (Missing::Spark, |signals| {
            signals.spark = Signal::unknown("no admin");
        }),
        (Missing::Streaming, |signals| {
            signals.streaming = Signal::unknown("no admin");
        }),
        (Missing::Nodes, |signals| {
            signals.all_nodes = Signal::unknown("no admin");
        }),
    ];
    let why = Why::new("no admin");
    for (missing, lose) in cases {
        let mut signals = World::idle().signals;
        assert_eq!(missing.why(&signals), None, "{missing:?}");
        lose(&mut signals);
        assert_eq!(missing.why(&signals), Some(&why), "{missing:?}");
        assert_eq!(signals.unknowns(), [(missing.as_str(), &why)]);
    }
}

#[test]
fn machines_are_missing_for_the_reason_of_the_first_that_was_asked() {
    let mut signals = World::idle().signals;
    signals.driver_node = Signal::unknown("no metrics");
    signals.all_nodes = Signal::unknown("an executor has none");
    let why = Why::new("no metrics");
    assert_eq!(Missing::Nodes.why(&signals), Some(&why));
}

#[test]
fn quiet_that_is_supposed_begins_at_the_last_sign_that_is_known() {
    let mut world = quiet_for(1);
    world.lose_spark();
    world.signals.all_nodes = Signal::unknown("an executor has no metrics");
    // The driver's machine came to rest an hour ago; the others did not before it.
    let explanation = explained(&world);
    assert_eq!(
        explanation.shorter,
        [
            with(&[Missing::Spark], NOW.plus(hours(1))),
            with(&[Missing::Nodes], NOW.plus(hours(95))),
        ]
    );
    let mut no_start = World::idle();
    no_start.cluster().last_restarted_time = None;
    no_start.cluster().last_state_loss_time = None;
    no_start.cluster().driver = None;
    no_start.lose_spark();
    let explanation = explained(&no_start);
    assert_eq!(explanation.deciding, Some(12));
    // Spark would tell the start, which is not before it is known.
    assert_eq!(
        explanation.shorter,
        [with(&[Missing::Spark], NOW.plus(hours(2)))]
    );
}

#[test]
fn nothing_shortens_what_work_keeps() {
    let mut busy = World::idle();
    busy.spark_works(SparkWorkKind::Job, minutes(5));
    busy.lose_nodes();
    let explanation = explained(&busy);
    assert_eq!(
        explanation.due,
        Due {
            earliest: Earliest::Never("while Spark is busy"),
            by: Some(9),
        }
    );
    assert_eq!(explanation.shorter, []);
    let mut machines = World::idle();
    machines.lose_spark();
    machines.nodes_say(NodesView::Busy {
        cores: 2.0,
        network_bytes_per_minute: 0.0,
    });
    assert_eq!(explained(&machines).shorter, []);
    let mut run = World::idle();
    run.signals.active_run = Signal::Known(Some("run 7".to_owned()));
    run.lose_spark();
    let explanation = explained(&run);
    assert!(matches!(
        explanation.decision,
        Decision::Keep(KeepReason::ActiveRun { .. })
    ));
    assert_eq!(explanation.shorter, []);
}
