//! The command itself: what its arguments may change, how it ends, and that
//! wrong settings stop it before anything is sent.

use simulator::world::{Cluster, Workspace, World, hours};
use simulator::{Fault, Match, Times};

use crate::support::Scene;

fn scene() -> Scene {
    let workspace = |name: &str| {
        let cluster = Cluster::idle(&format!("idle-{name}")).since(hours(5));
        Workspace::named(name).cluster(cluster)
    };
    let world = World::new()
        .workspace(workspace("one"))
        .workspace(workspace("two"));
    Scene::of(world)
}

#[test]
fn a_request_can_narrow_to_a_workspace() {
    let scene = scene();
    let swept = scene.sweep_with(&["--workspace", "TWO"]);
    swept.assert_succeeded();
    let names: Vec<_> = swept
        .workspaces
        .iter()
        .map(|one| &one["workspace"])
        .collect();
    assert_eq!(names, ["two"]);
    let host = scene
        .simulator
        .world(|world| world.workspaces[0].host.clone());
    assert!(scene.simulator.record().to(&host).is_empty());
    assert_eq!(swept.said_of("idle-two"), "terminated: both_witnesses");
    scene.simulator.assert_clean();
}

#[test]
fn a_request_can_narrow_to_a_report() {
    let scene = scene();
    let swept = scene.sweep_with(&["--mode", "report"]);
    swept.assert_succeeded();
    assert_eq!(swept.count("would_terminate"), 2, "{swept}");
    assert!(scene.simulator.record().mutating().is_empty());
    scene.simulator.assert_clean();
}

#[test]
fn a_request_cannot_switch_termination_on() {
    let scene = scene().set("TERMINATE_CLUSTERS_MODE", "report");
    let swept = scene.sweep_with(&["--mode", "terminate"]);
    assert_eq!(swept.exit, 2, "{swept}");
    assert!(
        swept.stderr.contains("more than the settings allow"),
        "{swept}"
    );
    assert!(scene.simulator.record().connects().is_empty());
}

#[test]
fn nobody_switches_termination_on_by_leaving_the_mode_out() {
    let scene = scene().without("TERMINATE_CLUSTERS_MODE");
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.closing["mode"], "report");
    assert!(scene.simulator.record().mutating().is_empty());
}

#[test]
fn a_workspace_that_the_policy_only_reports_is_not_terminated_in() {
    let scene = scene();
    let tables = scene.simulator.policy_workspaces();
    let tables = tables.replace("name = \"two\"\n", "name = \"two\"\nmode = \"report\"\n");
    let limits = "[limits]\nread_back_every = \"20ms\"\nrequest_burst = 1000\n";
    let policy = format!("[witness.spark]\nprincipal = \"main\"\n{limits}{tables}");
    let scene = scene.set("TERMINATE_CLUSTERS_POLICY", &policy);
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.said_of("idle-one"), "terminated: both_witnesses");
    assert_eq!(swept.said_of("idle-two"), "would_terminate: both_witnesses");
    let two = scene
        .simulator
        .world(|world| world.workspaces[1].host.clone());
    let mutating = scene.simulator.record();
    let mutating = mutating.mutating();
    assert!(mutating.iter().all(|request| request.host() != two));
    scene.simulator.assert_clean();
}

#[test]
fn the_exit_status_tells_all_seen_from_a_failure_from_wrong_settings() {
    assert_eq!(scene().sweep().exit, 0);
    let failing = scene();
    failing.simulator.fault(
        Match::path("/clusters/list"),
        Times::First(3),
        Fault::status(500),
    );
    assert_eq!(failing.sweep().exit, 1);
    assert_eq!(scene().sweep_with(&["--workspace", "three"]).exit, 2);
    assert_eq!(scene().sweep_with(&["--no-such-thing"]).exit, 2);
}

#[test]
fn all_mistakes_in_the_settings_are_told_at_once_and_nothing_is_sent() {
    let scene = scene()
        .set("TERMINATE_CLUSTERS_MODE", "kill")
        .set(
            "TERMINATE_CLUSTERS_KEY_VAULT_URL",
            "http://tc-vault.vault.azure.net",
        )
        .set(
            "TERMINATE_CLUSTERS_CLIENT_SECRET",
            "a-secret-in-the-wrong-place",
        )
        .set("TERMINATE_CLUSTERS_TENANT_ID_SECRET", "no/such/name/at all")
        .without("TERMINATE_CLUSTERS_CLIENT_ID_SECRET")
        .policy("idle_aftr = \"3h\"")
        .policy("streaming_silence = \"soon\"")
        .limit("read_back_every", "\"20\"")
        .table("[[exempt]]\nname = \"x\"\n");
    let swept = scene.run(&[]);
    assert_eq!(swept.exit, 2, "{swept}");
    assert!(swept.stdout.is_empty());
    for part in [
        "TERMINATE_CLUSTERS_MODE",
        "TERMINATE_CLUSTERS_KEY_VAULT_URL",
        "`TERMINATE_CLUSTERS_CLIENT_SECRET`",
        "TERMINATE_CLUSTERS_TENANT_ID_SECRET",
        "TERMINATE_CLUSTERS_CLIENT_ID_SECRET",
        "idle_aftr",
        "`idle_after`",
        "streaming_silence",
        "read_back_every",
        "until",
        "reason",
    ] {
        assert!(swept.stderr.contains(part), "{part:?} is not in {swept}");
    }
    let mut lines = swept.stderr.lines();
    assert!(lines.all(|line| line.starts_with("error: ")), "{swept}");
    assert!(!swept.stderr.contains("a-secret-in-the-wrong-place"));
    assert!(scene.simulator.record().connects().is_empty());
    assert!(scene.simulator.record().requests().is_empty());
}

#[test]
fn without_workspaces_nothing_is_asked_of_anyone() {
    let scene = Scene::of(World::new());
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.closing["totals"]["workspaces"], 0);
    assert!(swept.stderr.contains("[[workspaces]]"), "{swept}");
    assert!(scene.simulator.record().requests().is_empty());
}

#[test]
fn each_witness_is_off_where_the_policy_says_so_and_is_not_asked() {
    let base = scene();
    let tables = base.simulator.policy_workspaces();
    let without_spark = base.set("TERMINATE_CLUSTERS_POLICY", &tables);
    let swept = without_spark.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.said_of("idle-one"), "kept: quiet_too_short");
    assert_eq!(swept.cluster("idle-one")["spark"], "switched off");
    let record = without_spark.simulator.record();
    assert!(record.driver_requests().is_empty());

    let without_nodes = scene().table("[witness.nodes]\nenabled = false\n");
    let swept = without_nodes.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.said_of("idle-one"), "kept: quiet_too_short");
    assert_eq!(swept.cluster("idle-one")["nodes"], "switched off");
    let record = without_nodes.simulator.record();
    assert!(record.to("management.azure.com").is_empty());
    // No token is fetched that nobody needs.
    assert_eq!(record.token_requests().len(), 1);
}
