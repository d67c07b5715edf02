//! What a sweep never does, and how little it asks: mutating requests, tokens,
//! secrets, hosts.

use std::collections::BTreeSet;
use std::time::Duration;

use simulator::world::{Cluster, Run, Workspace, World, hours};
use simulator::{Fault, Match, Record, Times};

use crate::support::Scene;

const ADMIN_HEADERS: [&str; 2] = [
    "x-databricks-azure-sp-management-token",
    "x-databricks-azure-workspace-resource-id",
];

fn estate(name: &str) -> Workspace {
    Workspace::named(name)
        .cluster(Cluster::idle("idle").since(hours(5)))
        .cluster(Cluster::idle("long-idle").since(hours(11)))
        .cluster(Cluster::busy("busy"))
        .run(Run::finished("nightly", hours(6)).on("idle"))
}

fn assert_no_admin_headers(record: &Record) {
    for request in record.requests() {
        let names = request.header_names();
        for header in ADMIN_HEADERS {
            assert!(!names.iter().any(|name| name == header), "{request}");
        }
    }
}

#[test]
fn report_mode_sends_nothing_that_changes_anything() {
    let world = World::new()
        .workspace(estate("one"))
        .workspace(estate("two"));
    let scene = Scene::of(world).set("TERMINATE_CLUSTERS_MODE", "report");
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.count("would_terminate"), 4, "{swept}");
    assert_eq!(swept.count("kept"), 2, "{swept}");
    assert_eq!(swept.closing["mode"], "report");
    let record = scene.simulator.record();
    assert!(!record.requests().is_empty());
    assert!(!record.driver_requests().is_empty());
    assert!(record.mutating().is_empty(), "{:?}", record.mutating());
    assert_no_admin_headers(&record);
    scene.simulator.assert_clean();
}

#[test]
fn terminate_mode_changes_nothing_but_by_terminating_what_it_reports() {
    let scene = Scene::of(World::new().workspace(estate("one")));
    let swept = scene.sweep();
    swept.assert_succeeded();
    let record = scene.simulator.record();
    let id = |name| scene.simulator.world(|world| world.cluster_id("one", name));
    assert_eq!(record.terminations(), [id("long-idle"), id("idle")]);
    assert_eq!(record.mutating().len(), 2);
    assert_eq!(swept.stderr, "", "the report on stdout says it all");
    for name in ["idle", "long-idle"] {
        assert_eq!(swept.said_of(name), "terminated: both_witnesses");
        let state = scene
            .simulator
            .world(|world| world.cluster_state("one", name));
        assert_ne!(state, "RUNNING");
    }
    assert_eq!(swept.said_of("busy"), "kept: spark_busy");
    assert_eq!(
        scene
            .simulator
            .world(|world| world.cluster_state("one", "busy")),
        "RUNNING"
    );
    assert_no_admin_headers(&record);
    scene.simulator.assert_clean();
}

#[test]
fn twenty_workspaces_cost_one_token_per_audience_and_one_read_per_secret() {
    let workspaces = (0..20).map(|number| {
        Workspace::named(&format!("workspace-{number}"))
            .cluster(Cluster::idle("idle").since(hours(5)))
    });
    let scene = Scene::of(World::new().workspaces(workspaces)).policy("cap_per_sweep = 100");
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.workspaces.len(), 20);
    assert_eq!(swept.count("terminated"), 20, "{swept}");
    let record = scene.simulator.record();
    let mut scopes = record.granted_scopes();
    scopes.sort();
    assert_eq!(
        scopes,
        [
            "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default",
            "https://management.azure.com/.default"
        ]
    );
    assert_eq!(record.token_requests().len(), 2);
    let mut reads = record.secret_reads();
    reads.sort();
    assert_eq!(
        reads,
        [
            "databricks-sp-client-id",
            "databricks-sp-client-secret",
            "databricks-sp-tenant-id"
        ]
    );
    assert_eq!(record.identity_requests().len(), 1);
    assert_eq!(swept.closing["token_requests"], 2);
    assert_eq!(swept.closing["secret_reads"], 3);
    scene.simulator.assert_clean();
}

#[test]
fn only_the_hosts_that_the_settings_name_are_contacted() {
    let world = World::new()
        .workspace(estate("one"))
        .workspace(estate("two"));
    let mut expected: BTreeSet<String> = world
        .workspaces
        .iter()
        .map(|workspace| format!("{}:443", workspace.host))
        .collect();
    for host in [
        "login.microsoftonline.com",
        "management.azure.com",
        "tc-vault.vault.azure.net",
    ] {
        expected.insert(format!("{host}:443"));
    }
    let scene = Scene::of(world);
    scene.sweep().assert_succeeded();
    let record = scene.simulator.record();
    let contacted: BTreeSet<String> = record
        .connects()
        .iter()
        .map(|connect| connect.target.clone())
        .collect();
    assert_eq!(contacted, expected);
    scene.simulator.assert_clean();
}

#[test]
fn a_workspace_has_no_more_requests_under_way_than_allowed() {
    let clusters = (0..6).map(|number| Cluster::idle(&format!("idle-{number}")).since(hours(5)));
    let workspace = Workspace::named("one").clusters(clusters);
    let host = workspace.host.clone();
    let scene =
        Scene::of(World::new().workspace(workspace)).limit("parallel_requests_per_workspace", "2");
    // Long enough for requests to overlap.
    let pause = Fault::Delay(Duration::from_millis(5));
    scene.simulator.fault(Match::any(), Times::Always, pause);
    scene.sweep().assert_succeeded();
    assert_eq!(scene.simulator.record().peak_at(&host), 2);
    scene.simulator.assert_clean();
}

#[test]
fn no_redirect_is_followed_and_no_token_goes_where_it_leads() {
    let elsewhere = "https://adb-1.1.attacker.example/";
    for (what, part) in [
        ("list", "/clusters/list"),
        ("token", "/oauth2/"),
        ("vault", "/secrets/"),
        ("driver", "/api/v1/applications"),
        ("metrics", "/providers/Microsoft.Insights/metrics"),
        ("delete", "/clusters/delete"),
    ] {
        // No witness alone suffices for clusters that are idle for so short a time.
        let scene = Scene::of(World::new().workspace(estate("one")));
        let redirect = Fault::Redirect(307, elsewhere.to_owned());
        scene
            .simulator
            .fault(Match::path(part), Times::Always, redirect);
        let swept = scene.sweep();
        let record = scene.simulator.record();
        let redirected = record.matching(&Match::path(part));
        assert!(!redirected.is_empty(), "{what} was not asked: {swept}");
        let followed = record
            .connects()
            .iter()
            .any(|connect| connect.target.contains("attacker"));
        assert!(!followed, "{what}");
        assert_eq!(swept.count("terminated"), 0, "{what}: {swept}");
        let state = |name| {
            scene
                .simulator
                .world(|world| world.cluster_state("one", name))
        };
        assert_eq!(
            (state("idle"), state("long-idle")),
            ("RUNNING".into(), "RUNNING".into())
        );
        scene.simulator.assert_clean();
    }
}
