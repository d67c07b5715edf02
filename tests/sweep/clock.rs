//! A machine whose clock is not the cloud's: every age that it reckons is wrong,
//! so it terminates nothing and says why.

use std::time::Duration;

use simulator::world::{Cluster, Workspace, World, hours, minutes};

use crate::support::Scene;

/// Spark is the only witness, and quiet for less than its threshold of twelve hours.
fn quiet_for_five_hours(world: World) -> Scene {
    let workspace = Workspace::named("one").cluster(Cluster::idle("idle").since(hours(5)));
    Scene::of(world.workspace(workspace))
        .table("[witness.nodes]\nenabled = false\n")
        .policy("spark_alone_suffices = true")
}

#[test]
fn a_clock_that_is_ahead_makes_no_evidence_old_enough() {
    let scene = quiet_for_five_hours(World::new().clock_set_back(hours(8)));
    let swept = scene.sweep();
    assert_eq!(swept.exit, 1, "{swept}");
    assert_eq!(swept.said_of("idle"), "deferred: clock_skew");
    let failure = swept.only_failure();
    let start = "workspace one: this machine's clock is 8h ahead of the workspace's (";
    assert!(failure.starts_with(start), "{failure}");
    assert!(failure.ends_with("; set the clock right"), "{failure}");
    assert!(scene.simulator.record().mutating().is_empty());
    scene.simulator.assert_clean();
}

#[test]
fn by_the_right_clock_the_same_cluster_is_too_young() {
    let swept = quiet_for_five_hours(World::new()).sweep();
    swept.assert_succeeded();
    assert_eq!(swept.said_of("idle"), "kept: quiet_too_short");
}

#[test]
fn a_clock_that_is_behind_is_a_failure_too() {
    let world = World::new().clock_set_ahead(hours(2));
    let scene = quiet_for_five_hours(world);
    let swept = scene.sweep();
    assert_eq!(swept.exit, 1, "{swept}");
    let failure = swept.only_failure();
    assert!(
        failure.contains("is 2h behind the workspace's"),
        "{failure}"
    );
    assert!(scene.simulator.record().mutating().is_empty());
}

#[test]
fn a_clock_within_five_minutes_is_the_same_clock() {
    let nearly = minutes(5) - Duration::from_secs(30);
    for world in [
        World::new().clock_set_back(nearly),
        World::new().clock_set_ahead(nearly),
    ] {
        let workspace = Workspace::named("one").cluster(Cluster::idle("idle").since(hours(20)));
        let scene = Scene::of(world.workspace(workspace)).policy("spark_alone_suffices = true");
        let swept = scene.sweep();
        swept.assert_succeeded();
        assert!(swept.said_of("idle").starts_with("terminated: "), "{swept}");
    }
}
