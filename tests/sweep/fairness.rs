//! Hundreds of workspaces share one sweep: one that does not answer costs itself.

use simulator::world::{Cluster, Workspace, World, hours};
use simulator::{Fault, Match, Times};

use crate::support::Scene;
use crate::swept::Swept;

/// Every third workspace is silent.
const WORKSPACES: usize = 60;

fn is_silent(number: usize) -> bool {
    number.is_multiple_of(3)
}

/// Few at a time: one after the other, four side by side, the silent ones alone would
/// take longer than the sweep may.
fn scene() -> Scene {
    let workspaces = (0..WORKSPACES).map(|number| {
        let cluster = Cluster::idle(&format!("idle-{number}")).since(hours(20));
        Workspace::named(&format!("workspace-{number}")).cluster(cluster)
    });
    Scene::of(World::new().workspaces(workspaces))
        .policy("spark_alone_suffices = true")
        .policy("cap_per_sweep = 100")
        .table("[witness.nodes]\nenabled = false\n")
        .limit("parallel_workspaces", "4")
        .limit("parallel_requests", "8")
        .limit("connect_timeout", "\"8s\"")
        .limit("request_timeout", "\"8s\"")
        .limit("request_attempts", "1")
        .limit("sweep_deadline", "\"30s\"")
        .limit("read_back_for", "\"500ms\"")
}

fn silence(scene: &Scene, matcher: fn(&str) -> Match) {
    for number in (0..WORKSPACES).filter(|number| is_silent(*number)) {
        let host = scene.simulator.world(|world| {
            let name = format!("workspace-{number}");
            world.find_workspace(&name).unwrap().host.clone()
        });
        scene
            .simulator
            .fault(matcher(&host), Times::Always, Fault::Hang);
    }
}

fn assert_others_are_swept(swept: &Swept) {
    for number in (0..WORKSPACES).filter(|number| !is_silent(*number)) {
        let said = swept.said_of(&format!("idle-{number}"));
        assert_eq!(said, "terminated: spark_alone", "{number}");
    }
}

#[test]
fn workspaces_that_never_answer_cost_only_themselves_and_are_listed() {
    let scene = scene();
    silence(&scene, Match::host);
    let swept = scene.sweep();
    assert_eq!(swept.exit, 1, "{swept}");
    assert_others_are_swept(&swept);
    let failures = swept.failures();
    assert_eq!(failures.len(), WORKSPACES / 3, "{failures:#?}");
    for number in (0..WORKSPACES).filter(|number| is_silent(*number)) {
        let workspace = format!(" workspace-{number}: ");
        let mut of_it = failures.iter().filter(|one| one.contains(&workspace));
        let failure = of_it.next().unwrap();
        assert!(
            failure.contains("timed out") || failure.contains("deadline passed"),
            "{failure}"
        );
    }
    scene.simulator.assert_clean();
}

#[test]
fn drivers_that_never_answer_cost_only_their_workspaces() {
    let scene = scene();
    silence(&scene, |host| {
        Match::path("/driver-proxy-api/").at_host(host)
    });
    let swept = scene.sweep();
    assert_others_are_swept(&swept);
    for number in (0..WORKSPACES).filter(|number| is_silent(*number)) {
        let said = swept.said_of(&format!("idle-{number}"));
        assert!(
            ["kept: no_witness", "not_reached: not_reached"].contains(&said.as_str()),
            "{said}"
        );
    }
    scene.simulator.assert_clean();
}
