//! Each outcome as an operator sees it, and what a termination leaves behind
//! when its answer says one thing and the cluster another.

use std::time::Duration;

use simulator::world::{Cluster, Member, OnTerminate, Permission, Workspace, World, hours};
use simulator::{Fault, Match, Times, When};

use crate::support::Scene;

fn idle(name: &str) -> Cluster {
    Cluster::idle(name).since(hours(5))
}

fn scene(cluster: Cluster) -> Scene {
    Scene::of(World::new().workspace(Workspace::named("one").cluster(cluster)))
}

fn state(scene: &Scene, name: &str) -> String {
    scene
        .simulator
        .world(|world| world.cluster_state("one", name))
}

#[test]
fn a_termination_is_reported_with_the_state_that_was_seen() {
    for (after, seen) in [
        (Duration::from_secs(60), "TERMINATING"),
        (Duration::ZERO, "TERMINATED"),
    ] {
        let scene = scene(idle("idle").on_terminate(OnTerminate::After(after)));
        let swept = scene.sweep();
        swept.assert_succeeded();
        assert_eq!(swept.said_of("idle"), "terminated: both_witnesses");
        let clause = swept.cluster("idle")["clause"].as_str().unwrap();
        assert!(clause.ends_with(&format!("; now {seen}")), "{clause}");
        assert_eq!(state(&scene, "idle"), seen);
        scene.simulator.assert_clean();
    }
}

#[test]
fn a_cluster_that_keeps_running_although_its_termination_was_accepted_is_a_failure() {
    let scene = scene(idle("stubborn").on_terminate(OnTerminate::KeepsRunning))
        .limit("read_back_for", "\"200ms\"");
    let swept = scene.sweep();
    assert_eq!(swept.exit, 1, "{swept}");
    let said = swept.said_of("stubborn");
    assert_eq!(said, "accepted_still_running: both_witnesses");
    let failure = swept.only_failure();
    assert!(failure.starts_with("termination one: "), "{failure}");
    assert!(failure.contains("still shows RUNNING"), "{failure}");
    assert_eq!(scene.simulator.record().terminations().len(), 1);
    scene.simulator.assert_clean();
}

#[test]
fn a_termination_that_is_forbidden_names_the_right_that_is_missing() {
    let workspace = Workspace::named("one")
        .member(Member::user("main", Permission::CanAttachTo))
        .sees_all_runs()
        .cluster(idle("foreign"))
        .cluster(idle("own").permission("main", Permission::CanRestart))
        .cluster(Cluster::busy("busy"));
    let scene = Scene::of(World::new().workspace(workspace));
    let swept = scene.sweep();
    assert_eq!(swept.exit, 1, "{swept}");
    assert_eq!(swept.said_of("foreign"), "forbidden: forbidden");
    assert_eq!(swept.said_of("own"), "terminated: both_witnesses");
    let failure = swept.only_failure();
    assert!(failure.contains("CAN_RESTART"), "{failure}");
    assert_eq!(state(&scene, "foreign"), "RUNNING");
    scene.simulator.assert_clean();
}

#[test]
fn a_termination_that_is_refused_is_a_failure_with_the_reason() {
    let scene = scene(idle("idle"));
    let refusal = r#"{"error_code":"INVALID_PARAMETER_VALUE","message":"No such luck"}"#;
    scene.simulator.fault(
        Match::termination(),
        Times::Always,
        Fault::json(400, refusal),
    );
    let swept = scene.sweep();
    assert_eq!(swept.exit, 1, "{swept}");
    assert_eq!(swept.said_of("idle"), "failed: failed");
    let failure = swept.only_failure();
    assert!(failure.contains("No such luck"), "{failure}");
    assert_eq!(scene.simulator.record().terminations().len(), 1);
    scene.simulator.assert_clean();
}

#[test]
fn a_termination_that_keeps_failing_is_sent_no_more_often_than_allowed() {
    let scene = scene(idle("idle")).limit("read_back_for", "\"100ms\"");
    scene
        .simulator
        .fault(Match::termination(), Times::Always, Fault::status(503));
    let swept = scene.sweep();
    assert_eq!(swept.exit, 1, "{swept}");
    assert_eq!(swept.said_of("idle"), "failed: failed");
    assert_eq!(scene.simulator.record().terminations().len(), 3);
    assert_eq!(state(&scene, "idle"), "RUNNING");
    scene.simulator.assert_clean();
}

#[test]
fn a_termination_whose_answer_is_lost_is_read_back() {
    for times in [Times::First(1), Times::Always] {
        for fault in [
            Fault::LoseAnswer,
            Fault::ResetAfterHeaders,
            Fault::TruncateBody,
        ] {
            let scene = scene(idle("idle"));
            let label = format!("{fault:?} {times:?}");
            scene.simulator.fault(Match::termination(), times, fault);
            let swept = scene.sweep();
            swept.assert_succeeded();
            assert_eq!(
                swept.said_of("idle"),
                "terminated: both_witnesses",
                "{label}"
            );
            // A second one could meet the cluster's next life.
            assert_eq!(scene.simulator.record().terminations().len(), 1, "{label}");
            scene.simulator.assert_clean();
        }
    }
}

#[test]
fn a_termination_that_cannot_be_read_back_is_not_called_done() {
    let scene = scene(idle("idle")).limit("read_back_for", "\"100ms\"");
    let get = Match::path("/clusters/get");
    scene
        .simulator
        .fault(get, Times::From(2), Fault::status(500));
    let swept = scene.sweep();
    assert_eq!(swept.exit, 1, "{swept}");
    assert_eq!(swept.said_of("idle"), "failed: failed");
    let failure = swept.only_failure();
    assert!(
        failure.contains("accepted") && failure.contains("read back"),
        "{failure}"
    );
    scene.simulator.assert_clean();
}

#[test]
fn a_cluster_that_is_started_again_at_once_was_terminated_all_the_same() {
    let scene = scene(idle("idle"));
    scene.simulator.hook(
        Match::termination(),
        Times::First(1),
        When::After,
        |world| world.restart_cluster("one", "idle"),
    );
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.said_of("idle"), "terminated: both_witnesses");
    assert_eq!(scene.simulator.record().terminations().len(), 1);
    assert_eq!(state(&scene, "idle"), "RUNNING");
    scene.simulator.assert_clean();
}

#[test]
fn what_cannot_be_read_has_a_line_and_harms_no_other() {
    let workspace = Workspace::named("one")
        .cluster(idle("idle"))
        .cluster(idle("broken").field("cluster_id", serde_json::json!(["x"])))
        .cluster(idle("nameless").field("cluster_id", serde_json::Value::Null));
    let scene = Scene::of(World::new().workspace(workspace));
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.count("unparsed"), 2, "{swept}");
    assert_eq!(swept.said_of("idle"), "terminated: both_witnesses");
    scene.simulator.assert_clean();
}

#[test]
fn what_was_not_reached_in_time_is_said_and_nothing_is_done_to_it() {
    let workspace = Workspace::named("slow")
        .clusters((0..9).map(|number| Cluster::idle(&format!("idle-{number}")).since(hours(5))));
    let scene = Scene::of(World::new().workspace(workspace))
        .limit("sweep_deadline", "\"1s\"")
        .limit("read_back_for", "\"100ms\"")
        .limit("parallel_requests_per_workspace", "2");
    scene.simulator.fault(
        Match::path("/driver-proxy-api/"),
        Times::From(3),
        Fault::Hang,
    );
    let swept = scene.sweep();
    assert_eq!(swept.exit, 1, "{swept}");
    assert_eq!(swept.count("not_reached"), 9, "{swept}");
    let failure = swept.only_failure();
    assert!(failure.starts_with("deadline slow: "), "{failure}");
    assert!(
        swept.closing["elapsed_ms"].as_u64().unwrap() < 5_000,
        "{swept}"
    );
    assert!(scene.simulator.record().mutating().is_empty());
    scene.simulator.assert_clean();
}

#[test]
fn what_could_not_be_read_back_before_the_deadline_is_not_terminated() {
    let scene = scene(idle("idle"))
        .limit("sweep_deadline", "\"20s\"")
        .limit("read_back_for", "\"20s\"");
    let swept = scene.sweep();
    assert_eq!(swept.exit, 1, "{swept}");
    assert_eq!(swept.said_of("idle"), "deferred: deadline");
    let failure = swept.only_failure();
    assert!(failure.starts_with("deadline one: "), "{failure}");
    assert!(scene.simulator.record().mutating().is_empty());
    scene.simulator.assert_clean();
}

#[test]
fn a_workspace_that_hangs_delays_no_other_and_is_given_up_at_the_deadline() {
    let hanging = Workspace::named("hanging").cluster(idle("never-seen"));
    let host = hanging.host.clone();
    let world = World::new()
        .workspace(hanging)
        .workspace(Workspace::named("one").cluster(idle("idle")));
    let scene = Scene::of(world)
        .limit("sweep_deadline", "\"2s\"")
        .limit("read_back_for", "\"500ms\"");
    scene
        .simulator
        .fault(Match::host(&host), Times::Always, Fault::Hang);
    let swept = scene.sweep();
    assert_eq!(swept.exit, 1, "{swept}");
    assert_eq!(swept.said_of("idle"), "terminated: both_witnesses");
    let failure = swept.only_failure();
    assert!(failure.starts_with("deadline hanging: "), "{failure}");
    let elapsed = |name: &str| swept.workspace(name)["elapsed_ms"].as_u64().unwrap();
    assert!(elapsed("one") < elapsed("hanging"), "{swept}");
    scene.simulator.assert_clean();
}
