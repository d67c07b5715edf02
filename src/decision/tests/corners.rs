//! Rules in corners where signals, policy and tags meet oddly: each test is
//! named after the rule that must hold there too.

use super::world::{NOW, World, hours, minutes, proof};
use crate::decision::{
    Decision, Earliest, Evidence, KeepReason, Weakness, longest_wait, speaks_of_protection,
};
use crate::signals::{NodesView, Signal, StreamingView};

#[test]
fn witness_that_is_switched_off_says_nothing() {
    let mut world = World::idle();
    world.policy.spark_witness = false;
    assert_eq!(proof(&world).evidence(), Evidence::NodesAlone);
    let since = world.now.minus(hours(50));
    world.signals.all_nodes = Signal::Known(NodesView::QuietSince(since));
    let Decision::Keep(KeepReason::QuietTooShort { quiet }) = world.decide() else {
        panic!("{:?}", world.decide());
    };
    assert_eq!((quiet.evidence, quiet.since), (Evidence::NodesAlone, since));
    assert_eq!(longest_wait(&world.signals, &world.policy), hours(96));
}

#[test]
fn keeps_a_cluster_that_streams_or_runs_a_command_though_spark_is_unknown() {
    let mut world = World::idle();
    world.lose_spark();
    assert_eq!(proof(&world).evidence(), Evidence::NodesAlone);
    let mut streams = world.clone();
    streams.signals.streaming = Signal::Known(StreamingView::Active);
    assert_eq!(streams.decide(), Decision::Keep(KeepReason::StreamActive));
    let mut runs = world;
    let thread = "Thread-9".to_owned();
    runs.signals.command = Signal::Known(Some(thread.clone()));
    let expected = Decision::Keep(KeepReason::CommandRunning { thread });
    assert_eq!(runs.decide(), expected);
}

#[test]
fn cluster_with_no_workers_is_a_single_node_though_it_autoscales() {
    let mut world = World::idle();
    world.lose_nodes();
    world.cluster().autoscales = true;
    world.cluster().num_workers = None;
    assert_eq!(proof(&world).evidence(), Evidence::SparkAlone);
    world.cluster().num_workers = Some(0);
    let expected = KeepReason::EvidenceTooWeak {
        evidence: Evidence::SparkAlone,
        weakness: Weakness::SingleNode,
    };
    assert_eq!(world.decide(), Decision::Keep(expected));
}

#[test]
fn less_evidence_is_never_enough_sooner() {
    let mut world = World::idle();
    world.policy.idle_after = hours(50);
    world.policy.nodes_alone_suffices = true;
    let mut without_spark = world.clone();
    without_spark.lose_spark();
    assert_eq!(proof(&without_spark).threshold(), hours(50));
    let longest = longest_wait(&without_spark.signals, &without_spark.policy);
    assert_eq!(longest, hours(50));
    world.lose_nodes();
    assert_eq!(proof(&world).threshold(), hours(50));
}

#[test]
fn keep_until_a_year_with_a_sign_is_unreadable_and_protects() {
    for value in ["-2026-12-24", "+2026-11-01"] {
        let mut world = World::idle();
        world.add_tag("terminate-clusters-keep-until", value);
        let value = value.to_owned();
        let expected = KeepReason::KeepUntilUnreadable { value };
        assert_eq!(world.decide(), Decision::Keep(expected));
    }
}

#[test]
fn no_time_is_told_to_a_cluster_that_the_platform_outlives() {
    let mut world = World::idle();
    world.nodes_quiet_for(minutes(30));
    world.signals.cluster.autotermination_minutes = 60;
    let Decision::Keep(reason) = world.decide() else {
        panic!("terminated");
    };
    assert_eq!(reason.as_str(), "quiet_too_short");
    let left = Earliest::Never("left to the platform, whose own limit ends first");
    assert_eq!(reason.earliest(&world.policy), left);
    world.policy.trust_platform_clock = false;
    let Decision::Keep(reason) = world.decide() else {
        panic!("terminated");
    };
    assert!(matches!(reason.earliest(&world.policy), Earliest::At(_)));
}

#[test]
fn time_is_told_where_the_platform_lets_the_threshold_pass_by_a_moment() {
    let mut world = World::idle();
    world.nodes_quiet_for(minutes(30));
    // With the platform's margin just as long as `idle_after`.
    world.signals.cluster.autotermination_minutes = 105;
    let Decision::Keep(reason) = world.decide() else {
        panic!("terminated");
    };
    let at = NOW.plus(minutes(90));
    assert_eq!(reason.earliest(&world.policy), Earliest::At(at));
    world.now = at;
    assert!(matches!(world.decide(), Decision::Terminate(_)));
}

#[test]
fn key_speaks_of_protection_where_a_rule_reads_its_tag() {
    for (key, expected) in [
        ("terminate-clusters", true),
        (" Terminate-CLUSTERS ", true),
        ("terminate-clusters-keep-until", true),
        ("TERMINATE-clusters-keep-UNTIL", true),
        ("terminate-clusters-never", false),
        ("terminate", false),
        ("", false),
    ] {
        assert_eq!(speaks_of_protection(key), expected, "{key:?}");
        // A value that protects by either tag.
        let mut world = World::idle();
        world.add_tag(key, "always");
        let is_kept = matches!(world.decide(), Decision::Keep(_));
        assert_eq!(is_kept, expected, "{key:?}");
    }
}
