//! Names that were made to deceive: of clusters, workspaces' runs, tags and
//! versions. Whoever may create a cluster may choose its name.

use simulator::world::{
    Cluster, DriverProxy, Run, Spark, SparkJob, Workspace, World, hours, minutes,
};

use crate::hostile;
use crate::support::Scene;

fn hostile_world() -> World {
    let names = hostile::names();
    let mut workspace = Workspace::named("one");
    for (number, name) in names.iter().enumerate() {
        let id = format!("0101-000000-hostile{number}");
        let job = SparkJob {
            description: Some(name.clone()),
            name: name.clone(),
            ..SparkJob::running(minutes(5))
        };
        let cluster = Cluster::idle(name).since(hours(5)).id(&id);
        let cluster = match number % 4 {
            0 => cluster.spark(Spark::quiet().job(job)),
            1 => cluster.tag("terminate-clusters-keep-until", name),
            2 => cluster.driver(DriverProxy::Status(403)).spark_version(name),
            _ => cluster,
        };
        workspace = workspace.cluster(cluster);
        if number % 4 == 3 {
            workspace = workspace.run(Run::active(name, minutes(5)).on(name));
        }
    }
    World::new().workspace(workspace)
}

#[test]
fn a_hostile_name_cannot_forge_a_row_of_the_table() {
    let scene = Scene::of(hostile_world()).set("TERMINATE_CLUSTERS_MODE", "report");
    let swept = scene.run(&[]);
    assert_eq!(swept.exit, 0, "{swept}");
    let is_harmless = |next: char| next == '\n' || (' '..='~').contains(&next) || next == '…';
    let odd = swept.stdout.chars().find(|next| !is_harmless(*next));
    assert_eq!(odd, None, "{swept}");
    // A row begins in the third column and a detail far behind it.
    let is_row = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
    let (_, table) = swept.stdout.split_once('\n').unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let rows = table.lines().filter(is_row);
    let rows = rows.filter(|line| !line.starts_with("  note: "));
    assert_eq!(rows.count(), hostile::names().len(), "{table}");
    assert!(swept.stdout.len() < 64 * 1024, "{}", swept.stdout.len());
    assert!(swept.stderr.is_empty(), "{}", swept.stderr);
    scene.simulator.assert_clean();
}

#[test]
fn json_holds_each_name_exactly_on_one_line_per_workspace() {
    let scene = Scene::of(hostile_world()).set("TERMINATE_CLUSTERS_MODE", "report");
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.stdout.lines().count(), 2);
    let mut told: Vec<&str> = swept
        .clusters()
        .map(|cluster| cluster["cluster_name"].as_str().unwrap())
        .collect();
    told.sort_unstable();
    let mut expected = hostile::names();
    expected.sort();
    assert_eq!(told, expected);
    scene.simulator.assert_clean();
}

#[test]
fn a_hostile_id_cannot_leave_its_place_in_a_request() {
    for id in [
        "../../clusters/delete?x=",
        "a/../b",
        "x&cluster_id=y",
        "\n",
        "%2e%2e",
    ] {
        let workspace = Workspace::named("one")
            .cluster(Cluster::idle("odd").since(hours(5)).id(id))
            .cluster(Cluster::idle("idle").since(hours(5)));
        let known = workspace.find("idle").unwrap().id.clone();
        let scene = Scene::of(World::new().workspace(workspace));
        let swept = scene.sweep();
        assert_eq!(swept.clusters().count(), 2, "{id}: {swept}");
        for recorded in scene.simulator.record().requests() {
            let path = recorded.path();
            let is_plain = !path.contains("..") && !path.contains("%2F..");
            assert!(is_plain, "{id}: {recorded}");
            if recorded.method() == "POST" && recorded.path().ends_with("/clusters/delete") {
                assert!(
                    recorded.request.names_cluster(&known) || recorded.request.names_cluster(id)
                );
            }
        }
    }
}
