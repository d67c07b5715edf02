//! What an ordinary installation is told, and each right that may be missing behind the
//! workspace's door.

use std::time::Duration;

use simulator::world::{
    Cluster, DriverProxy, MAIN, Machine, Member, MetricsQuirk, Permission, Principal, Spark,
    Workspace, World, hours,
};
use simulator::{Fault, Match, Times};

use crate::examined::{Sheet, scene_of};
use crate::hostile;
use crate::support::Scene;

const ID: &str = "0101-000000-asked001";

fn idle() -> Cluster {
    Cluster::idle("idle").since(hours(5)).id(ID)
}

fn one() -> Workspace {
    Workspace::named("one").cluster(idle())
}

/// A member with this right on every cluster, whose runs the policy vouches for.
fn member(permission: Permission) -> Workspace {
    one().member(Member::user(MAIN, permission)).sees_all_runs()
}

#[test]
fn where_everything_is_granted_every_check_is_ok() {
    let scene = scene_of(one());
    let sheet = scene.examine();
    assert_eq!(sheet.exit, 0, "{sheet}");
    let counts = sheet.counts();
    // The principal that sweeps asks the drivers too.
    assert_eq!(counts.get("warn"), Some(&1), "{sheet}");
    // Nobody joins by a right on the Azure resource.
    assert_eq!(counts.get("skipped"), Some(&1), "{sheet}");
    assert_eq!(sheet.status("token-management"), "skipped");
    assert_eq!(sheet.status("spark-principal"), "warn");
    let client = scene
        .simulator
        .world(|world| world.principals[0].client_id.clone());
    let member = sheet.check("member")["sentence"].as_str().unwrap();
    assert_eq!(
        member,
        format!("the principal is known there as `{client}`")
    );
    let outlook = &sheet.outlooks[0];
    assert_eq!(outlook["evidence"], "both_witnesses", "{sheet}");
    assert_eq!(outlook["threshold_s"], 7200, "{sheet}");
    assert_eq!(outlook["gains"].as_array().unwrap().len(), 0, "{sheet}");
    let age = sheet.check("metrics")["sentence"].as_str().unwrap();
    assert!(age.contains("the newest point is"), "{age}");
    scene.simulator.assert_clean();
}

#[test]
fn text_and_json_tell_the_same_list() {
    let scene = scene_of(one().without_member(MAIN));
    let sheet = scene.examine();
    let text = scene.doctor(&[]);
    assert_eq!(text.exit, 1, "{text}");
    let mut lines = text.stdout.lines();
    for check in &sheet.checks {
        let word = |key: &str| check[key].as_str().unwrap();
        let start = format!("  {:7}  {:16}  ", word("status"), word("id"));
        let line = lines.find(|line| line.starts_with(&start));
        let line = line.unwrap_or_else(|| panic!("no {start:?} in {text}"));
        assert!(line.ends_with(word("sentence")), "{line}\n{check}");
    }
    let told = |label: &str, value: &str| {
        let line = format!("{label}{value}");
        assert!(
            text.stdout.lines().any(|known| known.trim() == line),
            "{line} in {text}"
        );
    };
    let failed = sheet.failure();
    told("missing: ", failed["missing"].as_str().unwrap());
    told("run:     ", failed["command"].as_str().unwrap());
    told("see:     ", failed["docs"].as_str().unwrap());
    assert!(text.stdout.ends_with("nothing was changed\n"), "{text}");
}

#[test]
fn runs_that_may_be_hidden_stop_every_termination() {
    let scene = scene_of(one().member(Member::user(MAIN, Permission::CanManage)));
    let sheet = scene.examine();
    let failed = sheet.failure();
    assert_eq!(failed["id"], "runs");
    assert_eq!(
        failed["command"],
        "terminate-clusters grant --workspace one --admin --apply"
    );
    let gain = &sheet.outlooks[0]["gains"][0];
    assert_eq!(
        gain["sentence"],
        "`runs` stands in the way of every termination"
    );
    assert_eq!(gain["command"], failed["command"]);
    let vouched = scene_of(member(Permission::CanManage)).examine();
    assert_eq!(vouched.status("runs"), "ok");
    assert_eq!(vouched.status("terminate"), "ok");
}

#[test]
fn a_right_to_terminate_that_cannot_be_read_is_not_guessed() {
    // Its own list of permissions is refused to it.
    let sheet = scene_of(member(Permission::CanRestart)).examine();
    assert_eq!(sheet.exit, 0, "{sheet}");
    let check = sheet.check("terminate");
    assert_eq!(check["status"], "warn", "{sheet}");
    let sentence = check["sentence"].as_str().unwrap();
    assert!(
        sentence.starts_with(
            "whether it has CAN_RESTART is not told for 1 of 1 running cluster: HTTP 403"
        ),
        "{sentence}"
    );
    assert_eq!(check["missing"].as_str(), None);
    assert_eq!(
        check["command"],
        "terminate-clusters grant --workspace one --clusters all-purpose"
    );
}

#[test]
fn who_lacks_can_restart_is_told_the_grant_and_what_it_buys() {
    const GIVE: &str = "terminate-clusters grant --workspace one --clusters all-purpose --apply";
    let all = member(Permission::CanAttachTo).shows_permissions();
    let some = all
        .clone()
        .cluster(Cluster::idle("ours").permission(MAIN, Permission::CanRestart));

    let sheet = scene_of(all).examine();
    let failed = sheet.failure();
    assert_eq!(failed["id"], "terminate", "{sheet}");
    assert_eq!(
        failed["sentence"],
        format!("it lacks CAN_RESTART on 1 of 1 running cluster: `idle` [{ID}]")
    );
    assert_eq!(failed["missing"], "CAN_RESTART on the clusters");
    assert_eq!(failed["command"], GIVE);
    let gain = &sheet.outlooks[0]["gains"][0];
    assert_eq!(
        gain["sentence"],
        "`terminate` stands in the way of every termination"
    );
    assert_eq!(gain["command"], GIVE);

    let sheet = scene_of(some).examine();
    assert_eq!(sheet.exit, 0, "{sheet}");
    let check = sheet.check("terminate");
    assert_eq!(check["status"], "warn", "{sheet}");
    assert_eq!(
        check["sentence"],
        format!("it lacks CAN_RESTART on 1 of 2 running clusters: `idle` [{ID}]")
    );
    assert_eq!(check["command"], GIVE);
    let gain = &sheet.outlooks[0]["gains"][0];
    assert_eq!(
        gain["sentence"],
        "the clusters named under `terminate` are never terminated, until it has the right to"
    );
    assert_eq!(gain["command"], GIVE);

    let sheet = scene_of(member(Permission::CanRestart).shows_permissions()).examine();
    assert_eq!(sheet.status("terminate"), "ok", "{sheet}");
    assert_eq!(sheet.outlooks[0]["gains"], serde_json::json!([]), "{sheet}");
}

#[test]
fn a_driver_that_refuses_asks_for_the_right_to_attach() {
    let forbidden = Cluster::idle("locked").driver(DriverProxy::Status(403));
    let scene = scene_of(Workspace::named("one").cluster(forbidden.clone()));
    let sheet = scene.examine();
    let failed = sheet.failure();
    assert_eq!(failed["id"], "spark-attach");
    assert_eq!(
        failed["missing"],
        "CAN_ATTACH_TO on the clusters for `main`"
    );
    assert_eq!(
        failed["command"],
        "terminate-clusters grant --workspace one --evidence --apply"
    );
    assert_eq!(sheet.status("streaming-page"), "skipped");
    let outlook = &sheet.outlooks[0];
    assert_eq!(outlook["evidence"], "nodes_alone", "{sheet}");
    assert_eq!(
        outlook["gains"][0]["sentence"],
        "with the Spark witness a quiet cluster would wait for 2h instead of 96h"
    );
    // Where another driver answers, it is a warning.
    let sheet = scene_of(one().cluster(forbidden)).examine();
    assert_eq!(sheet.exit, 0, "{sheet}");
    assert_eq!(sheet.status("spark-attach"), "warn");
    assert_eq!(sheet.outlooks[0]["evidence"], "both_witnesses");
}

#[test]
fn a_driver_that_does_not_answer_lacks_no_right() {
    let down = Cluster::idle("down").driver(DriverProxy::Status(503));
    let sheet = scene_of(Workspace::named("one").cluster(down)).examine();
    let failed = sheet.failure();
    assert_eq!(failed["id"], "spark-attach");
    assert_eq!(failed["missing"].as_str(), None);
    assert_eq!(
        failed["command"],
        "terminate-clusters doctor --workspace one"
    );
}

#[test]
fn a_second_principal_asks_the_drivers_in_its_own_name() {
    let evidence = Principal::named("evidence");
    let (client, secret) = (evidence.client_id.clone(), evidence.secret().to_owned());
    let mut world = World::new()
        .principal(evidence)
        .workspace(one().member(Member::user("evidence", Permission::CanAttachTo)));
    world.vaults[0].set("evidence-secret", &secret);
    let scene = Scene::of(world).table(&format!(
        "[[principal]]\nname = \"evidence\"\nclient_id = \"{client}\"\ntenant_id = \"{}\"\n\
         client_secret_secret = \"evidence-secret\"\n",
        simulator::world::TENANT_ID
    ));
    let scene = scene.spark_as("evidence");
    let sheet = scene.examine();
    assert_eq!(sheet.exit, 0, "{sheet}");
    assert_eq!(sheet.status("spark-principal"), "ok");
    let attach = sheet.check("spark-attach");
    assert_eq!(
        (&attach["status"], &attach["principal"]),
        (&"ok".into(), &"evidence".into())
    );
    let of = |id: &str, principal: &str| {
        let mut checks = sheet.checks.iter();
        let found = checks.find(|check| check["id"] == id && check["principal"] == principal);
        found.unwrap()["status"].clone()
    };
    assert_eq!(of("token-arm", "main"), "ok");
    // It asks nothing of Azure.
    assert_eq!(of("token-arm", "evidence"), "skipped");
    assert_eq!(of("token-databricks", "evidence"), "ok");
}

#[test]
fn without_monitoring_reader_the_command_names_the_application_and_the_subscription() {
    let world = World::new()
        .principal(Principal::named(MAIN).without_metrics())
        .workspace(one());
    let scene = Scene::of(world);
    let sheet = scene.examine();
    let failed = sheet.failure();
    assert_eq!(failed["id"], "machines");
    assert_eq!(failed["missing"], "Monitoring Reader on the subscription");
    let client = scene
        .simulator
        .world(|world| world.principals[0].client_id.clone());
    let subscription = simulator::world::SUBSCRIPTION_ID;
    assert_eq!(
        failed["command"],
        format!(
            "az role assignment create --role 'Monitoring Reader' --assignee {client} --scope /subscriptions/{subscription}"
        )
    );
    assert_eq!(sheet.outlooks[0]["evidence"], "spark_alone");
}

#[test]
fn metrics_that_lag_are_no_witness() {
    let mut world = World::new().workspace(one());
    world.metrics_lag_minutes = 25;
    let sheet = Scene::of(world).examine();
    let check = sheet.failure();
    assert_eq!(check["id"], "metrics", "{sheet}");
    assert!(
        check["sentence"]
            .as_str()
            .unwrap()
            .contains("older than 10m"),
        "{check}"
    );
    assert_eq!(sheet.outlooks[0]["nodes"], "missing");
    let gain = &sheet.outlooks[0]["gains"][0];
    assert_eq!(gain["command"], check["command"]);
    let empty = idle().metrics(Machine::All, &MetricsQuirk::NoData);
    let sheet = scene_of(Workspace::named("one").cluster(empty)).examine();
    assert_eq!(sheet.failure()["id"], "metrics", "{sheet}");
}

#[test]
fn a_cluster_that_has_just_started_needs_no_metrics_yet() {
    let young = idle().metrics(Machine::All, &MetricsQuirk::NoData);
    let young = young.started(Duration::from_mins(5));
    let sheet = scene_of(Workspace::named("one").cluster(young)).examine();
    assert_eq!(sheet.exit, 0, "{sheet}");
    let check = sheet.check("metrics");
    assert_eq!(check["status"], "skipped", "{sheet}");
    let sentence = "1 machine started within the last 10m and can have none yet";
    assert_eq!(check["sentence"], sentence);
}

#[test]
fn what_has_just_started_takes_the_place_of_no_machine_that_can_tell() {
    let young = ["a", "b", "c"].map(|name| {
        let young = Cluster::idle(name).metrics(Machine::All, &MetricsQuirk::NoData);
        young.started(Duration::from_mins(5))
    });
    // The list shows them first.
    let old = Cluster::idle("old")
        .since(hours(5))
        .id("9999-000000-older001");
    let workspace = Workspace::named("one").clusters(young).cluster(old);
    let sheet = scene_of(workspace).examine();
    let check = sheet.check("metrics");
    assert_eq!(check["status"], "ok", "{sheet}");
    let sentence = check["sentence"].as_str().unwrap();
    assert!(sentence.starts_with("read of 1 machine; "), "{sentence}");
    let beside = "; 2 more machines started within the last 10m";
    assert!(sentence.ends_with(beside), "{sentence}");
}

#[test]
fn no_machine_hides_behind_one_with_fresh_metrics() {
    let quirks = [
        ("lost", MetricsQuirk::Missing, "1 could not be read: `"),
        (
            "late",
            MetricsQuirk::Lag(25),
            "1 with a newest point older than 10m",
        ),
        ("empty", MetricsQuirk::NoData, "1 without a single value"),
    ];
    for (name, quirk, part) in quirks {
        let bad = Cluster::idle(name)
            .since(hours(5))
            .metrics(Machine::All, &quirk);
        let sheet = scene_of(one().cluster(bad)).examine();
        assert_eq!(sheet.exit, 0, "{sheet}");
        let check = sheet.check("metrics");
        assert_eq!(check["status"], "warn", "{sheet}");
        let sentence = check["sentence"].as_str().unwrap();
        assert!(
            sentence.starts_with("the metrics of 1 of 2 machines say nothing of now: "),
            "{sentence}"
        );
        assert!(sentence.contains(part), "{sentence}");
        assert!(sentence.contains(name), "{sentence}");
        // The other machine's metrics are a witness all the same.
        assert_eq!(sheet.outlooks[0]["nodes"], "available", "{sheet}");
    }
}

#[test]
fn a_cluster_that_is_hidden_is_found_by_its_machines() {
    let hidden = Cluster::idle("theirs")
        .id("0101-000000-theirs01")
        .permission(MAIN, Permission::None);
    let workspace = member(Permission::CanRestart)
        .cluster(hidden)
        .cluster(Cluster::job("nightly"));
    let sheet = scene_of(workspace).examine();
    let check = sheet.check("unseen");
    assert_eq!(check["status"], "warn", "{sheet}");
    let gain = &sheet.outlooks[0]["gains"][0];
    assert_eq!(
        gain["sentence"],
        "the clusters named under `unseen` are never looked at, until they are shown to it"
    );
    assert_eq!(gain["command"], check["command"]);
    assert_eq!(
        check["sentence"],
        "1 cluster with machines in Azure is hidden from it (others' job clusters can be among them): `0101-000000-theirs01`"
    );
}

#[test]
fn clusters_that_were_not_asked_for_are_not_called_visible() {
    let jobs = |count: u32| {
        let jobs = (0..count).map(|number| Cluster::job(&format!("nightly-{number}")));
        let workspace = jobs.fold(one(), Workspace::cluster);
        scene_of(workspace)
            .limit("requests_per_second", "50")
            .examine()
    };
    let sheet = jobs(31);
    assert_eq!(sheet.exit, 0, "{sheet}");
    let check = sheet.check("unseen");
    assert_eq!(check["status"], "warn", "{sheet}");
    assert_eq!(
        check["sentence"],
        "none is hidden of those that were asked for: 25 of 31 with machines in Azure that are not in its list were \
         asked for"
    );
    assert_eq!(jobs(2).status("unseen"), "ok");
}

#[test]
fn a_workspace_without_a_running_cluster_shows_what_it_can() {
    let sheet = scene_of(Workspace::named("one").cluster(Cluster::terminated("gone"))).examine();
    assert_eq!(sheet.exit, 0, "{sheet}");
    for id in ["spark-attach", "streaming-page", "metrics"] {
        assert_eq!(sheet.status(id), "skipped", "{id}");
    }
    assert_eq!(sheet.status("terminate"), "ok");
    let outlook = sheet.outlooks[0]["sentence"].as_str().unwrap();
    assert!(outlook.contains("could not be shown"), "{outlook}");
}

#[test]
fn a_page_that_is_not_understood_keeps_spark_from_speaking() {
    let scene = scene_of(Workspace::named("one").cluster(idle().spark(Spark::quiet())));
    let page = Match::path("/StreamingQuery/");
    scene.simulator.fault(page, Times::Always, Fault::html(500));
    let sheet = scene.examine();
    let failed = sheet.failure();
    assert_eq!(failed["id"], "streaming-page");
    assert_eq!(
        failed["command"],
        "terminate-clusters doctor --workspace one --record FOLDER"
    );
    assert_eq!(sheet.outlooks[0]["spark"], "missing");
}

#[test]
fn clocks_that_differ_are_told() {
    let world = World::new().workspace(one()).clock_set_back(hours(1));
    let sheet = Scene::of(world).examine();
    let check = sheet.check("clock");
    assert_eq!(check["status"], "fail", "{sheet}");
    assert_eq!(check["command"], "timedatectl status");
}

#[test]
fn the_outlook_tells_the_waits_of_the_policy() {
    let scene = scene_of(one()).policy("idle_after = \"3h\"");
    let outlook = &scene.examine().outlooks[0];
    assert_eq!(outlook["threshold_s"], 3 * 3600);
    let sentence = "a cluster that both witnesses call quiet waits for 3h";
    assert_eq!(outlook["sentence"], sentence);
    let alone = scene_of(one()).without_spark().examine();
    assert_eq!(alone.status("spark-principal"), "skipped");
    assert_eq!(alone.status("spark-attach"), "skipped");
    let outlook = &alone.outlooks[0];
    assert_eq!(outlook["evidence"], "nodes_alone");
    let gain = &outlook["gains"][0];
    let sentence = gain["sentence"].as_str().unwrap();
    let waits = "with the Spark witness a quiet cluster would wait for 2h instead of 96h: ";
    assert!(sentence.starts_with(waits), "{sentence}");
    // A grant would be refused as long as the policy names nobody who asks.
    assert!(sentence.contains("[witness.spark]"), "{sentence}");
    assert_eq!(gain["command"].as_str(), None, "{gain}");
}

#[test]
fn a_resource_that_azure_no_longer_knows_asks_for_no_role() {
    let mut workspace = one();
    workspace.is_deleted = true;
    let scene = scene_of(workspace);
    let sheet = scene.examine();
    let failed = sheet.failure();
    assert_eq!(failed["id"], "machines", "{sheet}");
    assert_eq!(
        failed["sentence"],
        "ARM answered 404 ResourceNotFound (no such resource) to: read the workspace resource, in the public cloud"
    );
    assert_eq!(failed["missing"].as_str(), None, "{failed}");
    let id = scene
        .simulator
        .world(|world| world.workspaces[0].resource_id.clone());
    assert_eq!(
        failed["command"],
        format!(
            "az resource show --ids {id} --query \"{{url:properties.workspaceUrl,state:properties.provisioningState,network:properties.publicNetworkAccess}}\""
        )
    );
}

#[test]
fn no_name_of_a_cluster_forges_a_line() {
    let lines = |name: &str| {
        let mut locked = Cluster::idle("locked")
            .id(ID)
            .driver(DriverProxy::Status(403));
        locked.name = name.to_owned();
        let scene = scene_of(Workspace::named("one").cluster(locked));
        let text = scene.doctor(&[]);
        assert_eq!(text.exit, 1, "{text}");
        assert!(
            !text.stdout.contains('\u{1b}') && !text.stdout.contains('\r'),
            "{text}"
        );
        // Whatever the name says, JSON stays one line that adds up.
        Sheet::of(&scene.doctor(&["--json"]));
        text.stdout.lines().count()
    };
    let expected = lines("plain");
    for name in hostile::names() {
        assert_eq!(lines(&name), expected, "{}", name.escape_debug());
    }
}
