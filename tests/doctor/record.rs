//! A record holds no value: markers are planted in everything that the cloud answers, and
//! looked for in the files.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use simulator::world::{
    CLIENT_SECRET_SECRET, Cluster, DriverProxy, MAIN, Member, Permission, Run, Workspace, World,
    hours,
};
use simulator::{Fault, Match, Times};

use crate::examined::scene_of;
use crate::support::Scene;

/// What must not survive, in any case.
const MARKER: &str = "planted";

fn marked(name: &str) -> Cluster {
    let mut cluster = Cluster::idle(&format!("{MARKER}-{name}")).since(hours(5));
    cluster.custom_tags = vec![(format!("{MARKER}-key"), format!("{MARKER}-value"))];
    cluster.spark_version = format!("{MARKER}-15.4");
    cluster.node_type = format!("Standard_{MARKER}");
    cluster
        .overlay
        .insert(format!("{MARKER}_member"), json!({ MARKER: [MARKER] }));
    cluster.overlay.insert(
        "single_user_name".into(),
        json!(format!("{MARKER}@example.com")),
    );
    cluster
}

fn workspace() -> Workspace {
    let mut shared = marked("shared");
    shared.data_security_mode = "USER_ISOLATION".to_owned();
    let mut odd = marked("odd");
    odd.data_security_mode = MARKER.to_uppercase();
    Workspace::named(&format!("{MARKER}-workspace"))
        .cluster(marked("dedicated"))
        .cluster(shared)
        .cluster(odd.driver(DriverProxy::Status(403)))
        .cluster(Cluster::streaming(&format!("{MARKER}-stream")))
        .run(Run::finished(&format!("{MARKER}-run"), hours(1)))
}

/// Runs the doctor and gives every file of the record.
fn record(scene: &Scene) -> Vec<(String, String)> {
    let told = scene.doctor(&["--record", "out"]);
    assert_eq!(told.exit, 0, "{told}");
    let folder = scene.simulator.directory().join("out");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{path:?}");
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        files.push((name, std::fs::read_to_string(&path).unwrap()));
    }
    files.sort();
    files
}

fn record_of(scene: &Scene) -> Value {
    let files = record(scene);
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["README.txt", "workspace-1.json"]);
    serde_json::from_str(&files[1].1).unwrap()
}

fn assert_holds_none(scene: &Scene, files: &[(String, String)]) {
    let mut planted = vec![MARKER.to_owned()];
    scene.simulator.world(|world| {
        planted.extend(world.secrets());
        planted.push(simulator::world::TENANT_ID.to_owned());
        planted.push(simulator::world::SUBSCRIPTION_ID.to_owned());
        planted.extend(world.principals.iter().map(|one| one.client_id.clone()));
        for workspace in &world.workspaces {
            planted.push(workspace.id.to_string());
            planted.push(workspace.host.clone());
            planted.extend(workspace.clusters.iter().map(|cluster| cluster.id.clone()));
            let machines = workspace.clusters.iter().flat_map(|cluster| &cluster.vms);
            planted.extend(machines.map(|vm| vm.name.clone()));
        }
    });
    for (name, text) in files.iter().filter(|(name, _)| name != "README.txt") {
        let text = text.to_lowercase();
        for value in &planted {
            assert!(
                !text.contains(&value.to_lowercase()),
                "{value} in {name}:\n{text}"
            );
        }
    }
}

#[test]
fn nothing_of_any_answer_survives() {
    let scene = scene_of(workspace());
    assert_holds_none(&scene, &record(&scene));
    scene.simulator.assert_clean();
    // It asked more than a list: drivers, machines, metrics.
    let record = scene.simulator.record();
    let asked = |part: &str| {
        record
            .requests()
            .iter()
            .any(|one| one.path().contains(part))
    };
    for part in [
        "/threads",
        "/StreamingQuery/",
        "/metrics",
        "/permissions/",
        "/runs/list",
    ] {
        assert!(asked(part), "{part}");
    }
}

/// One answer for every question, of a cluster that is asked further.
fn foreseen_by_nobody() -> Value {
    json!({
        MARKER: { MARKER: MARKER },
        "clusters": [{
            "cluster_id": MARKER,
            "state": "RUNNING",
            "cluster_source": "UI",
            "data_security_mode": MARKER,
            "spark_version": MARKER,
            "driver": { "instance_id": MARKER },
            "last_activity_time": 1,
        }],
        "groups": [{ "display": MARKER }],
        "value": [{ "name": MARKER, "tags": { MARKER: MARKER } }],
        "message": format!("{MARKER} user not authorized {MARKER}"),
    })
}

#[test]
fn nothing_survives_of_answers_that_nobody_foresaw() {
    let hostile = foreseen_by_nobody();
    let header = |name: &str| {
        (
            name.to_owned(),
            format!("https://{MARKER}/{MARKER}?{MARKER}"),
        )
    };
    let page = format!(
        "<html><head><title>{MARKER}</title></head><{MARKER} {MARKER}=\"{MARKER}\">{MARKER}<!--{MARKER}--></html>"
    );
    for fault in [
        Fault::OtherJson(hostile.to_string()),
        Fault::Status {
            status: 302,
            headers: vec![header("location"), header("x-planted"), header("server")],
            body: hostile.to_string(),
        },
        Fault::Status {
            status: 403,
            headers: vec![(
                "content-type".into(),
                format!("text/{MARKER}; {MARKER}={MARKER}"),
            )],
            body: page.clone(),
        },
        Fault::Status {
            status: 200,
            headers: vec![("content-type".into(), "text/html".into())],
            body: page,
        },
        Fault::ContentType(format!("{MARKER}/{MARKER}")),
        Fault::OtherJson(format!("\"{MARKER}\"")),
        Fault::OtherJson(format!("[[[\"{MARKER}\", {{\"{MARKER}\": 1}}]]]")),
        Fault::EmptyBody,
        Fault::ResetBeforeAnswer,
    ] {
        let label = format!("{fault:?}");
        let scene = scene_of(workspace());
        for part in ["/api/", "/driver-proxy-api/", "/subscriptions/"] {
            scene
                .simulator
                .fault(Match::path(part), Times::Always, fault.clone());
        }
        let files = record(&scene);
        assert!(files.len() == 2, "{label}");
        assert_holds_none(&scene, &files);
    }
}

#[test]
fn a_record_tells_what_is_wanted() {
    let scene = scene_of(
        Workspace::named("one").cluster(Cluster::idle("a").since(hours(5)).last_activity(hours(3))),
    );
    let record = record_of(&scene);
    assert_eq!(record["is_admin"], true);
    assert_eq!(record["asks_drivers"], true);
    let cluster = &record["clusters"][0];
    assert_eq!(cluster["access_mode"], "SINGLE_USER");
    assert_eq!(
        cluster["runtime"],
        json!({"major": 15, "minor": 4, "is_ml": false, "is_gpu": false})
    );
    let machines =
        json!({"recorded": 3, "by_name": 3, "by_vm_id": 0, "tagged": 3, "unrecorded": 0});
    assert_eq!(cluster["machines"], machines);
    let age = cluster["last_activity"]["age_s"].as_i64().unwrap();
    assert!((10_790..10_900).contains(&age), "{age}");
    let delay = cluster["metrics"]["newest_age_s"].as_i64().unwrap();
    assert!((120..600).contains(&delay), "{delay}");
    let observations = cluster["observations"].as_array().unwrap();
    let questions: Vec<&str> = observations
        .iter()
        .map(|one| one["question"].as_str().unwrap())
        .collect();
    assert_eq!(
        questions,
        [
            "the cluster's record",
            "the cluster's permissions",
            "Spark applications",
            "Spark jobs at work",
            "Spark stages at work",
            "SQL executions",
            "the Spark environment",
            "the driver's threads",
            "the streaming page",
            "the driver's metrics of the last hour",
        ]
    );
    for one in observations {
        assert!(one["answer"]["status"].is_u64(), "{one}");
    }
    let members = &observations[0]["answer"]["body"]["json"]["shape"]["members"];
    assert!(members["last_activity_time"].is_object(), "{members}");
}

#[test]
fn a_principal_without_rights_leaves_a_record_of_its_refusals() {
    let workspace = Workspace::named("one")
        .cluster(Cluster::idle("a").permission(MAIN, Permission::CanAttachTo))
        .member(Member::user(MAIN, Permission::None));
    let scene = scene_of(workspace);
    let record = record_of(&scene);
    assert_eq!(record["is_admin"], false);
    let permissions = &record["clusters"][0]["observations"][1]["answer"];
    assert_eq!(permissions["status"], 403, "{record}");
    let phrases = &permissions["body"]["json"]["phrases"];
    assert!(
        phrases
            .as_array()
            .unwrap()
            .contains(&json!(["does not have", 1])),
        "{phrases}"
    );
}

#[test]
fn drivers_are_asked_only_where_the_policy_names_somebody() {
    let scene = scene_of(workspace()).without_spark();
    let record = record_of(&scene);
    assert_eq!(record["asks_drivers"], false);
    let requests = scene.simulator.record();
    assert!(
        !requests
            .requests()
            .iter()
            .any(|request| request.is_driver_proxy())
    );
}

#[test]
fn a_record_without_a_token_tells_why_and_is_no_success() {
    let scene = scene_of(workspace());
    scene
        .simulator
        .world(|world| world.vaults[0].set(CLIENT_SECRET_SECRET, "wrong"));
    let told = scene.doctor(&["--record", "out"]);
    assert_eq!(told.exit, 1, "{told}");
    for service in ["Azure Databricks", "Azure Resource Manager"] {
        let start = format!("error: the principal `main` has no token for {service}: ");
        let line = told.stderr.lines().find(|line| line.starts_with(&start));
        let line = line.unwrap_or_else(|| panic!("{service}: {told}"));
        assert!(line.contains("AADSTS7000215"), "{line}");
    }
}

#[test]
fn a_folder_that_holds_anything_is_refused_before_anything_is_asked() {
    let scene = Scene::of(World::new().workspace(workspace()));
    // The cloud's own folder holds its certificate.
    let told = scene.doctor(&["--record", "."]);
    assert_eq!(told.exit, 2, "{told}");
    assert!(told.stderr.contains("holds files already"), "{told}");
    assert!(scene.simulator.record().requests().is_empty());
}
