//! What the second look may differ in from the first, and what it may not.

use super::world::{NOW, TICK, World, hours, minutes, proof};
use crate::cluster::{ClusterId, ClusterState, SparkContextId};
use crate::decision::{Changed, Decision, Evidence, Proof};
use crate::signals::{NodesView, Signal};

/// The first look's world, one minute later and changed.
fn second_look(change: fn(&mut World)) -> Decision {
    let mut world = World::idle();
    world.now = NOW.plus(minutes(1));
    change(&mut world);
    world.decide()
}

fn first(change: fn(&mut World)) -> Proof {
    let mut world = World::idle();
    change(&mut world);
    proof(&world)
}

fn alone_or_both(quiet_hours: u64) -> World {
    let mut world = World::idle();
    world.nodes_quiet_for(hours(quiet_hours));
    world
}

#[test]
fn same_world_a_minute_later_confirms_with_the_second_proof() {
    let confirmed = first(|_| {}).confirmed_by(second_look(|_| {}));
    let Ok(second) = confirmed else {
        panic!("{confirmed:?}");
    };
    assert_eq!(second.quiet_since(), first(|_| {}).quiet_since());
    assert_eq!(second.decided_at(), NOW.plus(minutes(1)));
}

#[test]
fn keeps_a_cluster_that_the_rules_keep_at_the_second_look() {
    type Case = (fn(&mut World), &'static str);
    let cases: [Case; 5] = [
        (
            |world| world.cluster().state = ClusterState::Terminating,
            "not_running",
        ),
        (
            |world| world.cluster().state = ClusterState::Resizing,
            "not_running",
        ),
        (
            |world| world.signals.active_run = Signal::Known(Some("run 12".to_owned())),
            "active_run",
        ),
        (
            |world| world.signals.active_run = Signal::unknown("429"),
            "required_unknown",
        ),
        (
            |world| world.signals.active_run = Signal::NotAsked,
            "required_unknown",
        ),
    ];
    for (change, reason) in cases {
        let changed = first(|_| {}).confirmed_by(second_look(change));
        assert_eq!(changed, Err(Changed::Kept(reason)));
    }
}

#[test]
fn keeps_a_cluster_that_lives_another_life() {
    let another = second_look(|world| {
        world.cluster().spark_context_id = Some(SparkContextId("3007070280200869204".to_owned()));
    });
    assert_eq!(first(|_| {}).confirmed_by(another), Err(Changed::Restarted));
    let unknown = second_look(|world| world.cluster().spark_context_id = None);
    assert_eq!(
        first(|_| {}).confirmed_by(unknown),
        Err(Changed::Kept("required_unknown"))
    );
}

#[test]
fn proof_of_another_cluster_confirms_nothing() {
    let another = second_look(|world| world.cluster().id = ClusterId::new("1016-1"));
    assert_eq!(first(|_| {}).confirmed_by(another), Err(Changed::Restarted));
}

#[test]
fn keeps_a_cluster_whose_quiet_began_later_than_it_did_before() {
    let since = |moved: fn(&mut World)| first(|_| {}).confirmed_by(second_look(moved));
    let later = since(|world| {
        world.signals.driver_node =
            Signal::Known(NodesView::QuietSince(NOW.minus(hours(100)).plus(TICK)));
    });
    assert_eq!(later, Err(Changed::ActiveAgain));
    let completed = since(|world| world.spark().last_completion = Some(NOW.minus(hours(3))));
    assert_eq!(completed, Err(Changed::ActiveAgain));
    let equal = since(|world| {
        world.signals.driver_node = Signal::Known(NodesView::QuietSince(NOW.minus(hours(100))));
    });
    assert!(equal.is_ok(), "{equal:?}");
    let earlier = since(|world| {
        world.signals.driver_node = Signal::Known(NodesView::QuietSince(NOW.minus(hours(101))));
    });
    assert!(earlier.is_ok(), "{earlier:?}");
}

#[test]
fn evidence_may_grow_between_the_looks_but_never_shrink_or_change_sides() {
    use Evidence::{Both, NodesAlone, SparkAlone};
    let by = |evidence: Evidence| {
        let mut world = alone_or_both(100);
        match evidence {
            Both => {}
            SparkAlone => {
                world.lose_nodes();
                world.spark().last_completion = Some(NOW.minus(hours(100)));
            }
            NodesAlone => world.lose_spark(),
        }
        let decision = world.decide();
        assert_eq!(proof(&world).evidence(), evidence);
        decision
    };
    for one in [Both, SparkAlone, NodesAlone] {
        for two in [Both, SparkAlone, NodesAlone] {
            let Decision::Terminate(first) = by(one) else {
                panic!("{one:?} was asserted to be a proof");
            };
            let confirmed = first.confirmed_by(by(two));
            if two == Both || one == two {
                assert!(confirmed.is_ok(), "{one:?} then {two:?}: {confirmed:?}");
            } else {
                let lost = Err(Changed::WitnessLost);
                assert_eq!(confirmed, lost, "{one:?} then {two:?}");
            }
        }
    }
}

#[test]
fn every_change_has_a_spelling_and_a_sentence() {
    let every = |changed: Changed| match &changed {
        Changed::Kept(_) => ("spark_busy", changed.as_str(), changed.to_string()),
        Changed::Restarted => ("restarted", changed.as_str(), changed.to_string()),
        Changed::ActiveAgain => ("active_again", changed.as_str(), changed.to_string()),
        Changed::WitnessLost => ("witness_lost", changed.as_str(), changed.to_string()),
        Changed::Unreadable(_) => ("unreadable", changed.as_str(), changed.to_string()),
    };
    for changed in [
        Changed::Kept("spark_busy"),
        Changed::Restarted,
        Changed::ActiveAgain,
        Changed::WitnessLost,
        Changed::Unreadable("404".to_owned()),
    ] {
        let (expected, spelling, sentence) = every(changed);
        assert_eq!(spelling, expected);
        assert!(!sentence.is_empty());
    }
}

#[test]
fn proof_is_of_one_life_of_the_driver() {
    let proof = first(|_| {});
    let same = SparkContextId("3007070280200869203".to_owned());
    let rounded = SparkContextId("3007070280200869000".to_owned());
    assert!(proof.is_of(&same));
    assert!(!proof.is_of(&rounded));
}
