//! Every limit in time, met to the millisecond and missed by one.
//!
//! A limit that moves by accident moves a row here.

use std::time::Duration;

use super::world::{NOW, TICK, World, hours, minutes};
use crate::decision::{Decision, KeepReason};
use crate::policy::{ExemptSelector, Exemption, Glob};
use crate::signals::{NodesView, Signal, SparkWorkKind};
use crate::timestamp::Timestamp;

/// A world in which one time lies at some distance before `NOW`.
struct Limit {
    says: &'static str,
    at: Duration,
    set: fn(&mut World, Duration),
    /// The decision where the time lies exactly `at` before `NOW`.
    exactly: &'static str,
    /// The decision where it lies one tick later.
    less: &'static str,
}

const LIMITS: &[Limit] = &[
    Limit {
        says: "both witnesses quiet for idle_after",
        at: hours(2),
        set: World::nodes_quiet_for,
        exactly: "terminate",
        less: "quiet_too_short",
    },
    Limit {
        says: "Spark alone quiet for idle_after_one_witness",
        at: hours(12),
        set: |world, ago| {
            world.lose_nodes();
            world.spark().last_completion = Some(NOW.minus(ago));
        },
        exactly: "terminate",
        less: "quiet_too_short",
    },
    Limit {
        says: "nodes alone quiet for streaming_silence",
        at: hours(96),
        set: |world, ago| {
            world.lose_spark();
            world.nodes_quiet_for(ago);
        },
        exactly: "terminate",
        less: "quiet_too_short",
    },
    Limit {
        says: "nodes alone quiet for idle_after_one_witness, the right granted",
        at: hours(12),
        set: |world, ago| {
            world.lose_spark();
            world.policy.nodes_alone_suffices = true;
            world.nodes_quiet_for(ago);
        },
        exactly: "terminate",
        less: "quiet_too_short",
    },
    Limit {
        says: "a run that ended idle_after ago",
        at: hours(2),
        set: |world, ago| world.signals.last_run_end = Signal::Known(Some(NOW.minus(ago))),
        exactly: "terminate",
        less: "recent_activity",
    },
    Limit {
        says: "last_activity_time idle_after ago",
        at: hours(2),
        set: |world, ago| world.cluster().last_activity_time = Some(NOW.minus(ago)),
        exactly: "terminate",
        less: "recent_activity",
    },
    Limit {
        says: "a restart idle_after ago",
        at: hours(2),
        set: |world, ago| world.cluster().last_restarted_time = Some(NOW.minus(ago)),
        exactly: "terminate",
        less: "started_recently",
    },
    Limit {
        says: "an application that started idle_after ago",
        at: hours(2),
        set: |world, ago| world.spark().application_started = NOW.minus(ago),
        exactly: "terminate",
        less: "quiet_too_short",
    },
    Limit {
        says: "a batch streaming_silence ago, no word of the query",
        at: hours(96),
        set: |world, ago| {
            world.lose_streaming();
            world.spark().last_stream_batch = Some(NOW.minus(ago));
        },
        exactly: "terminate",
        less: "stream_traces",
    },
    Limit {
        says: "work that Spark forgot streaming_silence ago, no word of a query",
        at: hours(96),
        set: |world, ago| {
            world.lose_streaming();
            world.spark().forgotten_until = Some(NOW.minus(ago));
        },
        exactly: "terminate",
        less: "stream_traces",
    },
    Limit {
        says: "machines that were quiet for the day of a job that runs for two",
        at: hours(24),
        set: |world, ago| {
            world.spark_works(SparkWorkKind::Job, hours(48));
            world.nodes_quiet_for(ago);
        },
        exactly: "contradictory",
        less: "spark_busy",
    },
    Limit {
        says: "a job that runs for just over a day, on quiet machines",
        at: hours(24).saturating_add(TICK),
        set: |world, ago| world.spark_works(SparkWorkKind::Job, ago),
        exactly: "contradictory",
        less: "spark_busy",
    },
    Limit {
        says: "quiet for just over the platform's limit and its margin",
        at: minutes(180 + 15).saturating_add(TICK),
        set: |world, ago| {
            world.cluster().autotermination_minutes = 180;
            world.nodes_quiet_for(ago);
        },
        exactly: "platform_saw_activity",
        less: "terminate",
    },
    Limit {
        says: "quiet for the platform's limit, shorter than ours",
        at: minutes(60 + 15).saturating_add(TICK),
        set: |world, ago| {
            world.cluster().autotermination_minutes = 60;
            world.nodes_quiet_for(ago);
        },
        exactly: "platform_saw_activity",
        less: "quiet_too_short",
    },
];

#[test]
fn limits_hold_to_the_millisecond() {
    for limit in LIMITS {
        for (ago, expected) in [
            (limit.at, limit.exactly),
            (limit.at.saturating_sub(TICK), limit.less),
        ] {
            let mut world = World::idle();
            (limit.set)(&mut world, ago);
            assert_eq!(spelling(&world), expected, "{}, {ago:?} ago", limit.says);
        }
    }
}

#[test]
fn stamp_up_to_five_minutes_ahead_counts_as_now_and_a_later_one_says_nothing() {
    let with_stamp = |at: Timestamp| {
        let mut world = World::idle();
        world.cluster().last_activity_time = Some(at);
        spelling(&world)
    };
    assert_eq!(with_stamp(NOW), "recent_activity");
    assert_eq!(with_stamp(NOW.plus(minutes(5))), "recent_activity");
    assert_eq!(with_stamp(NOW.plus(minutes(5)).plus(TICK)), "terminate");
    assert_eq!(with_stamp(Timestamp::from_millis(i64::MAX)), "terminate");
}

#[test]
fn times_ahead_of_ours_keep_a_cluster_wherever_they_come_from() {
    for ahead in [minutes(5), minutes(6), hours(1_000_000)] {
        let at = NOW.plus(ahead);
        let decided = |change: &dyn Fn(&mut World)| {
            let mut world = World::idle();
            change(&mut world);
            spelling(&world)
        };
        let restarted = decided(&|world| world.cluster().last_restarted_time = Some(at));
        assert_eq!(restarted, "started_recently");
        let ended = decided(&|world| world.signals.last_run_end = Signal::Known(Some(at)));
        assert_eq!(ended, "recent_activity");
        let application = decided(&|world| world.spark().application_started = at);
        assert_eq!(application, "quiet_too_short");
        let completion = decided(&|world| world.spark().last_completion = Some(at));
        assert_eq!(completion, "quiet_too_short");
        let view = NodesView::QuietSince(at);
        let nodes = decided(&|world| world.signals.driver_node = Signal::Known(view.clone()));
        assert_eq!(nodes, "quiet_too_short");
    }
}

#[test]
fn time_ahead_is_told_as_now() {
    let mut stamped = World::idle();
    stamped.cluster().last_activity_time = Some(NOW.plus(minutes(5)));
    let Decision::Keep(KeepReason::RecentActivity { at, .. }) = stamped.decide() else {
        panic!("{:?}", stamped.decide());
    };
    assert_eq!(at, NOW);
    let mut completed = World::idle();
    completed.spark().last_completion = Some(NOW.plus(hours(1)));
    let Decision::Keep(KeepReason::QuietTooShort { quiet }) = completed.decide() else {
        panic!("{:?}", completed.decide());
    };
    assert_eq!((quiet.since, quiet.last_sign), (NOW, NOW));
}

#[test]
fn keep_until_lasts_through_the_end_of_its_day_in_utc() {
    let at = |now: &str| {
        let mut world = World::idle();
        world.add_tag("terminate-clusters-keep-until", "2026-11-22");
        let Some(now) = Timestamp::parse_rfc3339(now) else {
            panic!("{now} is a time");
        };
        world.now = now;
        spelling(&world)
    };
    assert_eq!(at("2026-11-22T23:59:59.999Z"), "keep_until");
    assert_eq!(at("2026-11-23T00:00:00.000Z"), "terminate");
    // It is the 22nd somewhere else still, and the 23rd already.
    assert_eq!(at("2026-11-22T20:00:00-05:00"), "terminate");
    assert_eq!(at("2026-11-23T00:30:00+01:00"), "keep_until");
}

#[test]
fn exemption_ends_at_its_first_instant_after() {
    let mut world = World::idle();
    let exemption = |until: Timestamp| Exemption {
        selector: ExemptSelector::Name(Glob::new("*")),
        until,
        until_day: "2026-11-22".to_owned(),
        reason: "audit".to_owned(),
    };
    world.policy.exemptions = vec![exemption(NOW)];
    assert_eq!(spelling(&world), "terminate");
    world.policy.exemptions.push(exemption(NOW.plus(TICK)));
    assert_eq!(spelling(&world), "exempt");
}

fn spelling(world: &World) -> &'static str {
    match world.decide() {
        Decision::Keep(reason) => reason.as_str(),
        Decision::Terminate(_) => "terminate",
    }
}
