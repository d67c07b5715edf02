//! One story in every Azure: the same estate, swept as a report and in earnest,
//! by the hosts and audiences of the chosen cloud alone.

use std::collections::BTreeSet;

use simulator::Record;
use simulator::world::{Azure, Cluster, Run, Workspace, World, hours};

use crate::support::Scene;

/// China by the newer name of its login host, as only a custom cloud has it.
const SPELLED_OUT: Azure = Azure {
    name: "custom",
    login: "login.partner.microsoftonline.cn",
    ..Azure::CHINA
};

fn world(azure: Azure) -> World {
    World::new()
        .workspace(
            Workspace::named("one")
                .cluster(Cluster::idle("idle").since(hours(5)))
                .cluster(Cluster::busy("busy"))
                .run(Run::finished("nightly", hours(6)).on("idle")),
        )
        .in_azure(azure)
}

fn contacted(record: &Record) -> BTreeSet<String> {
    let targets = record.connects().iter();
    targets.map(|connect| connect.target.clone()).collect()
}

/// What a sweep of `azure` may contact, and the audiences that it may ask for.
fn assert_only_this_cloud(scene: &Scene, azure: &Azure) {
    let record = scene.simulator.record();
    let workspace = scene
        .simulator
        .world(|world| world.find_workspace("one").unwrap().host.clone());
    assert!(workspace.ends_with(azure.workspaces), "{workspace}");
    let vault = format!("tc-vault.{}", azure.vaults);
    let expected = [azure.login, azure.arm, &vault, &workspace];
    let expected: BTreeSet<String> = expected.map(|host| format!("{host}:443")).into();
    assert_eq!(contacted(&record), expected);
    let mut scopes = record.granted_scopes();
    scopes.sort();
    assert_eq!(
        scopes,
        [
            "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default".to_owned(),
            format!("https://{}/.default", azure.arm),
        ]
    );
    let asked: Vec<&str> = record
        .identity_requests()
        .iter()
        .filter_map(|request| request.query().first("resource"))
        .collect();
    assert_eq!(asked, [format!("https://{}", azure.vaults)]);
    assert_eq!(record.secret_reads().len(), 3);
    assert!(!record.driver_requests().is_empty(), "Spark was asked");
    let metrics = record.to(azure.arm).into_iter();
    let metrics = metrics.filter(|request| request.path().contains("/Microsoft.Insights/"));
    assert!(metrics.count() > 0, "the nodes were asked");
    scene.simulator.assert_clean();
}

#[test]
fn each_cloud_is_swept_by_its_own_hosts_and_audiences_alone() {
    for azure in [Azure::PUBLIC, Azure::US_GOV, Azure::CHINA, SPELLED_OUT] {
        let scene = Scene::of(world(azure)).set("TERMINATE_CLUSTERS_MODE", "report");
        let swept = scene.sweep();
        swept.assert_succeeded();
        assert_eq!(swept.said_of("idle"), "would_terminate: both_witnesses");
        assert!(scene.simulator.record().mutating().is_empty());
        assert_only_this_cloud(&scene, &azure);

        let scene = Scene::of(world(azure));
        let swept = scene.sweep();
        swept.assert_succeeded();
        assert_eq!(swept.said_of("idle"), "terminated: both_witnesses");
        assert_eq!(swept.said_of("busy"), "kept: spark_busy");
        let record = scene.simulator.record();
        let id = scene
            .simulator
            .world(|world| world.cluster_id("one", "idle"));
        assert_eq!(record.terminations(), [id]);
        assert_eq!(record.mutating().len(), 1);
        assert_only_this_cloud(&scene, &azure);
    }
}

#[test]
fn settings_of_another_cloud_end_before_anything_is_contacted() {
    let scene = Scene::of(world(Azure::US_GOV)).set("TERMINATE_CLUSTERS_CLOUD", "public");
    let swept = scene.run(&[]);
    assert_ne!(swept.exit, 0);
    let said = swept.ran.stderr;
    let fixes = said.matches("set TERMINATE_CLUSTERS_CLOUD=us-gov, or write");
    assert_eq!(
        fixes.count(),
        2,
        "of the vault and of the workspace: {said}"
    );
    assert!(contacted(&scene.simulator.record()).is_empty());
}

#[test]
fn a_tenant_that_the_chosen_cloud_lacks_is_told_with_the_cloud() {
    let mut world = world(Azure::US_GOV);
    world.tenants.clear();
    let scene = Scene::of(world);
    let swept = scene.sweep();
    let failures = swept.failures();
    assert!(
        failures[0].contains("no such tenant in the us-gov cloud"),
        "{failures:?}"
    );
}
