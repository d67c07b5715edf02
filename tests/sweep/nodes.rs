//! The machines as a witness: whose they are, what Azure does not tell yet or
//! any more, how often it may be asked, and what they do at rest.

use serde_json::{Value, json};
use simulator::world::{
    Cluster, DriverProxy, Load, Machine, MetricsQuirk, Moment, Principal, Tagged, Vm, Workspace,
    World, hours, minutes,
};
use simulator::{Fault, Match, Times, When};

use crate::support::Scene;
use crate::swept::Swept;

const PLACE: &str = "one";

/// Idle for long enough by both witnesses, and for too short a time by one.
fn idle(name: &str) -> Cluster {
    Cluster::idle(name).since(hours(5))
}

/// Idle for long enough even by the machines alone, which are all that can be asked.
fn silent(name: &str) -> Cluster {
    let cluster = Cluster::idle(name).since(hours(200));
    cluster.driver(DriverProxy::Status(403))
}

fn scene(clusters: Vec<Cluster>) -> Scene {
    scene_of(Workspace::named(PLACE).clusters(clusters))
}

fn scene_of(workspace: Workspace) -> Scene {
    Scene::of(World::new().workspace(workspace)).policy("cap_per_workspace = 100")
}

/// Requests for the list of machines.
fn list() -> Match {
    Match::path("/virtualMachines").query("api-version", "2024-07-01")
}

/// Requests for metrics.
fn metrics() -> Match {
    Match::path("/providers/Microsoft.Insights/metrics")
}

fn notes(swept: &Swept) -> String {
    swept.workspace(PLACE)["notes"].to_string()
}

fn names(swept: &Swept) -> &Value {
    &swept.workspace(PLACE)["machines"]["names"]
}

/// Sweeps clusters of which each must come to this, without failure or violation.
fn assert_said(scene: &Scene, expected: &[(&str, &str)]) -> Swept {
    let swept = scene.sweep();
    swept.assert_succeeded();
    for (name, said) in expected {
        assert_eq!(swept.said_of(name), *said, "{name}\n{swept}");
    }
    scene.simulator.assert_clean();
    swept
}

#[test]
fn the_machines_of_a_workspace_are_listed_once_and_told_to_be_confirmed() {
    let workspace = Workspace::named(PLACE)
        .clusters([idle("a"), idle("b"), silent("c")])
        .clusters(["d", "e", "f"].map(Cluster::busy))
        .vm_page_size(7);
    let scene = scene_of(workspace);
    let expected = [
        ("a", "terminated: both_witnesses"),
        ("b", "terminated: both_witnesses"),
        ("c", "terminated: nodes_alone"),
        ("d", "kept: spark_busy"),
    ];
    let swept = assert_said(&scene, &expected);
    let confirmed = json!({
        "clusters": 3, "machines": 9, "confirmed": 9, "of_pool": 0, "contradicted_clusters": 0,
    });
    assert_eq!(*names(&swept), confirmed);
    // Eighteen machines on pages of seven, for both looks together.
    assert_eq!(scene.simulator.record().matching(&list()).len(), 3);
}

#[test]
fn machines_are_not_listed_where_no_cluster_needs_them() {
    let scene = scene(vec![Cluster::busy("busy"), Cluster::job("job")]);
    let swept = assert_said(&scene, &[("busy", "kept: spark_busy")]);
    assert_eq!(*names(&swept), Value::Null);
    assert!(
        scene
            .simulator
            .record()
            .to("management.azure.com")
            .is_empty()
    );
}

#[test]
fn tags_that_contradict_the_record_take_the_nodes_word_away() {
    let evicted = |vms: &mut Vec<Vm>| {
        let mut left_behind = vms[1].clone();
        left_behind.is_recorded = false;
        left_behind.quirk = MetricsQuirk::NoData;
        vms.push(left_behind);
    };
    let leaving = |vms: &mut Vec<Vm>| {
        evicted(vms);
        vms[3].provisioning_state = "Deleting".to_owned();
    };
    let strange = |vms: &mut Vec<Vm>| vms[0].tagged = Tagged::As("0101-000000-other".to_owned());
    let scene = scene(vec![
        idle("control"),
        idle("stranger").machines(strange),
        idle("evicted").machines(evicted),
        idle("leaving").machines(leaving),
        silent("silent").machines(strange),
    ]);
    let expected = [
        ("control", "terminated: both_witnesses"),
        ("stranger", "kept: quiet_too_short"),
        ("evicted", "kept: quiet_too_short"),
        ("leaving", "terminated: both_witnesses"),
        ("silent", "kept: no_witness"),
    ];
    let swept = assert_said(&scene, &expected);
    let stranger = swept.cluster("stranger")["nodes"].as_str().unwrap();
    assert!(stranger.contains("to another cluster"), "{stranger}");
    let evicted = swept.cluster("evicted")["nodes"].as_str().unwrap();
    assert!(evicted.contains("does not list"), "{evicted}");
    assert_eq!(names(&swept)["contradicted_clusters"], 3);
    let notes = notes(&swept);
    for part in [
        "name different machines",
        "is tagged as one of",
        "nodes unknown for 2 clusters",
    ] {
        assert!(notes.contains(part), "{part:?} is not in {notes}");
    }
}

#[test]
fn names_that_are_no_machines_are_found_out_by_the_tags() {
    // As if the record's ids were of another kind than the names in Azure.
    let renamed = json!({"instance_id": "i-0a1b2c", "start_timestamp": 1});
    let scene = scene(vec![idle("odd").field("driver", renamed)]);
    let swept = assert_said(&scene, &[("odd", "kept: quiet_too_short")]);
    assert!(notes(&swept).contains("does not list"), "{swept}");
}

#[test]
fn machines_alone_prove_nothing_unless_the_tags_confirm_every_one() {
    let untag = |machine: usize| move |vms: &mut Vec<Vm>| vms[machine].tagged = Tagged::Not;
    let scene = scene(vec![
        silent("control"),
        silent("untagged").machines(untag(2)),
        silent("pool").pool("0101-pool"),
        idle("beside-spark").machines(untag(0)),
        silent("busy")
            .machines(untag(0))
            .load(Machine::Worker(1), &[Load::since(hours(1), 1.0)]),
    ]);
    let expected = [
        ("control", "terminated: nodes_alone"),
        ("untagged", "kept: no_witness"),
        ("pool", "kept: evidence_too_weak"),
        ("beside-spark", "terminated: both_witnesses"),
        ("busy", "kept: nodes_busy"),
    ];
    let swept = assert_said(&scene, &expected);
    let untagged = swept.cluster("untagged")["nodes"].as_str().unwrap();
    assert!(
        untagged.contains("do not confirm 1 of its 3 machines"),
        "{untagged}"
    );
    assert_eq!(names(&swept)["of_pool"], 3);
}

#[test]
fn without_a_list_of_machines_nodes_count_beside_spark_and_not_alone() {
    let refusals = [
        Fault::json(403, r#"{"error":{"code":"AuthorizationFailed","message":"no"}}"#),
        Fault::json(500, "{}"),
        Fault::Html200,
        Fault::OtherJson(r#"{"value":[{"id":"no name"}]}"#.to_owned()),
        Fault::OtherJson(
            r#"{"value":[],"nextLink":"https://evil.example/providers/Microsoft.Compute/virtualMachines?x=1"}"#
                .to_owned(),
        ),
    ];
    for refusal in refusals {
        let scene = scene(vec![idle("both"), idle("both-2"), silent("alone")]);
        scene
            .simulator
            .fault(list(), Times::Always, refusal.clone());
        let expected = [
            ("both", "terminated: both_witnesses"),
            ("both-2", "terminated: both_witnesses"),
            ("alone", "kept: no_witness"),
        ];
        let swept = assert_said(&scene, &expected);
        let notes = notes(&swept);
        let told = "could not be checked against their tags";
        assert_eq!(notes.matches(told).count(), 1, "{refusal:?}: {notes}");
        assert_eq!(*names(&swept), Value::Null);
        let connects = scene.simulator.record();
        let mut hosts = connects.connects().iter().map(|one| format!("{one:?}"));
        assert!(!hosts.any(|host| host.contains("evil")));
    }
}

#[test]
fn a_principal_without_metrics_is_told_once_what_it_lacks() {
    let world = World::new()
        .principal(Principal::named("main").without_metrics())
        .workspace(Workspace::named(PLACE).clusters([idle("a"), idle("b")]));
    let swept = assert_said(&Scene::of(world), &[("a", "kept: quiet_too_short")]);
    let notes = notes(&swept);
    assert!(notes.contains("nodes unknown for 2 clusters"), "{notes}");
    assert_eq!(notes.matches("needs ").count(), 1, "{notes}");
}

#[test]
fn minutes_that_arrive_late_do_not_make_the_quiet_begin_later() {
    // Missing at the first look, so that nobody knows what was in them; there at the second.
    let hole = MetricsQuirk::Hole(Moment::ago(hours(5)), Moment::ago(minutes(150)));
    let work_within = [Load::between(hours(4), minutes(156), 2.0)];
    for late in [&[][..], &work_within] {
        // A window of more than three hours, of which both looks see the hole.
        let cluster = idle("late").autotermination(180);
        let cluster = cluster
            .load(Machine::All, late)
            .metrics(Machine::All, &hole);
        let scene = scene(vec![cluster]).policy("trust_platform_clock = false");
        scene
            .simulator
            .hook(metrics(), Times::Nth(2), When::Before, |world| {
                for vm in &mut world.cluster_mut(PLACE, "late").vms {
                    vm.quirk = MetricsQuirk::None;
                }
            });
        let swept = assert_said(&scene, &[("late", "terminated: both_witnesses")]);
        let first = swept.cluster("late")["nodes"].as_str().unwrap();
        assert!(first.starts_with("quiet (driver) since 2"), "{first}");
        assert_eq!(scene.simulator.record().matching(&metrics()).len(), 2);
    }
}

#[test]
fn gaps_and_values_that_cannot_be_are_no_quiet() {
    let odd = |name: &str, quirk: MetricsQuirk| idle(name).metrics(Machine::All, &quirk);
    let recent_gap = MetricsQuirk::Hole(Moment::ago(minutes(60)), Moment::ago(minutes(50)));
    let scene = scene(vec![
        idle("control"),
        odd("gap", recent_gap),
        odd("stale", MetricsQuirk::Lag(25)),
        odd("lagging", MetricsQuirk::Lag(5)),
        odd("sparse", MetricsQuirk::PointsOfFive(2)),
        odd("enough", MetricsQuirk::PointsOfFive(3)),
        odd("zeros", MetricsQuirk::AllZero),
        odd("beyond", MetricsQuirk::Constant(100.5)),
        odd("guest", MetricsQuirk::WrongName),
        odd("grain", MetricsQuirk::WrongInterval),
    ]);
    let expected = [
        ("control", "terminated: both_witnesses"),
        ("gap", "kept: quiet_too_short"),
        ("stale", "kept: quiet_too_short"),
        ("lagging", "terminated: both_witnesses"),
        ("sparse", "kept: quiet_too_short"),
        ("enough", "terminated: both_witnesses"),
        ("zeros", "kept: quiet_too_short"),
        ("beyond", "kept: quiet_too_short"),
        ("guest", "kept: quiet_too_short"),
        ("grain", "kept: quiet_too_short"),
    ];
    let swept = assert_said(&scene, &expected);
    let unknown = |name: &str| {
        let nodes = swept.cluster(name)["nodes"].as_str().unwrap();
        nodes.starts_with("unknown: ")
    };
    assert!(
        !unknown("gap"),
        "a gap is a bound and no reason to know nothing"
    );
    assert!(
        ["stale", "sparse", "zeros", "beyond", "guest", "grain"]
            .into_iter()
            .all(unknown)
    );
}

#[test]
fn machines_that_came_or_went_begin_the_quiet_anew() {
    let scene = scene(vec![
        silent("control"),
        silent("evicted").event("NODES_LOST", hours(20)),
        silent("grown").event("UPSIZE_COMPLETED", hours(20)),
        silent("long-ago").event("NODES_LOST", hours(150)),
        silent("statistics").event("AUTOSCALING_STATS_REPORT", hours(1)),
        silent("joined").machines(|vms| vms[2].started = Moment::ago(hours(20))),
        silent("gone").metrics(Machine::Worker(1), &MetricsQuirk::Missing),
        idle("beside-spark").event("NODES_LOST", minutes(30)),
    ]);
    let expected = [
        ("control", "terminated: nodes_alone"),
        ("evicted", "kept: quiet_too_short"),
        ("grown", "kept: quiet_too_short"),
        ("long-ago", "terminated: nodes_alone"),
        ("statistics", "terminated: nodes_alone"),
        ("joined", "kept: quiet_too_short"),
        ("gone", "kept: no_witness"),
        ("beside-spark", "terminated: both_witnesses"),
    ];
    assert_said(&scene, &expected);
}

#[test]
fn a_machine_that_a_pool_lent_before_is_judged_from_the_cluster_s_start_on() {
    // Until two hours and a bit ago it worked for another cluster.
    let lent = |vms: &mut Vec<Vm>| {
        for vm in vms {
            vm.started = Moment::ago(hours(30));
            vm.loads = vec![Load::between(hours(30), minutes(128), 3.0)];
        }
    };
    let scene = scene(vec![
        Cluster::idle("pool")
            .pool("0101-pool")
            .since(minutes(128))
            .started(minutes(128))
            .machines(lent),
    ]);
    let swept = assert_said(&scene, &[("pool", "terminated: both_witnesses")]);
    let nodes = swept.cluster("pool")["nodes"].as_str().unwrap();
    assert!(nodes.starts_with("quiet (driver) since before"), "{nodes}");
}

#[test]
fn gpus_are_nothing_that_machines_alone_could_see() {
    let scene = scene(vec![
        silent("gpu").node_type("Standard_NC6s_v3"),
        silent("gpu-runtime").spark_version("15.4.x-gpu-ml-scala2.12"),
        idle("gpu-both").node_type("Standard_NC6s_v3"),
    ]);
    let expected = [
        ("gpu", "kept: evidence_too_weak"),
        ("gpu-runtime", "kept: evidence_too_weak"),
        ("gpu-both", "terminated: both_witnesses"),
    ];
    assert_said(&scene, &expected);
}

/// A refusal by the provider behind ARM, as it was recorded elsewhere.
fn provider_limit(status: u16) -> Fault {
    let message = "Number of requests for action 'Microsoft.Insights/metrics/read' exceeded the limit of '400' \
        for time interval '00:05:00'. Please try again after '309' seconds.";
    let body = json!({"code": "ResourceRequestsThrottled", "message": message});
    Fault::json(status, &body.to_string())
}

#[test]
fn a_provider_that_throttles_is_asked_no_more_in_this_sweep_and_nothing_fails() {
    const OTHER: &str = "99999999-1111-2222-3333-444444444444";
    for status in [429, 529] {
        let mut elsewhere = Workspace::named("elsewhere").cluster(idle("free"));
        for id in [&mut elsewhere.resource_id, &mut elsewhere.managed_group_id] {
            *id = id.replace("00000000-1111-2222-3333-444444444444", OTHER);
        }
        let world = World::new()
            .workspace(Workspace::named(PLACE).clusters([idle("a"), idle("b"), silent("c")]))
            .workspace(Workspace::named("two").clusters([idle("d"), idle("e")]))
            .workspace(elsewhere);
        let scene = Scene::of(world)
            .limit("parallel_workspaces", "1")
            .limit("parallel_requests_per_workspace", "1");
        let throttled = || metrics().path_prefix("/subscriptions/00000000");
        scene
            .simulator
            .fault(throttled(), Times::Always, provider_limit(status));
        let expected = [
            ("a", "kept: quiet_too_short"),
            ("b", "kept: quiet_too_short"),
            ("c", "kept: no_witness"),
            ("d", "kept: quiet_too_short"),
            ("e", "kept: quiet_too_short"),
            ("free", "terminated: both_witnesses"),
        ];
        let swept = assert_said(&scene, &expected);
        let sent = scene.simulator.record().matching(&throttled()).len();
        assert_eq!(sent, 1, "{swept}");
        let nodes = swept.cluster("e")["nodes"].as_str().unwrap();
        for part in ["ResourceRequestsThrottled", "throttled for 5m9s"] {
            assert!(nodes.contains(part), "{nodes}");
        }
    }
}

#[test]
fn a_short_throttling_by_arm_is_waited_for() {
    let scene = scene(vec![idle("a")]);
    let refusal = Fault::Status {
        status: 429,
        headers: vec![("retry-after".to_owned(), "1".to_owned())],
        body: r#"{"error":{"code":"TooManyRequests","message":"slow down"}}"#.to_owned(),
    };
    let arm = Match::host("management.azure.com");
    scene.simulator.fault(arm, Times::First(1), refusal.clone());
    scene
        .simulator
        .fault(list(), Times::Nth(2), refusal.clone());
    scene.simulator.fault(metrics(), Times::First(1), refusal);
    assert_said(&scene, &[("a", "terminated: both_witnesses")]);
}

#[test]
fn a_throttled_list_of_machines_does_not_silence_the_metrics() {
    let scene = scene(vec![idle("both"), silent("alone")]);
    scene
        .simulator
        .fault(list(), Times::Always, provider_limit(429));
    let expected = [
        ("both", "terminated: both_witnesses"),
        ("alone", "kept: no_witness"),
    ];
    let swept = assert_said(&scene, &expected);
    assert!(notes(&swept).contains("throttled for 5m9s"), "{swept}");
    assert_eq!(scene.simulator.record().matching(&list()).len(), 1);
}

#[test]
fn what_drivers_do_at_rest_is_told_by_size_without_a_request_more() {
    let work = [Load::between(hours(5), hours(4), 3.0)];
    let busy_at_rest = [Load::between(hours(8), hours(1), 1.0)];
    let workspace = || {
        Workspace::named(PLACE).clusters([
            idle("a"),
            idle("b").load(Machine::All, &work),
            idle("python")
                .node_type("Standard_E8ds_v5")
                .load(Machine::Driver, &busy_at_rest),
            Cluster::busy("busy"),
            silent("silent").node_type("Standard_DS5_v2"),
        ])
    };
    let scene = scene_of(workspace()).set("TERMINATE_CLUSTERS_MODE", "report");
    let swept = scene.sweep();
    swept.assert_succeeded();
    let resting = swept.workspace(PLACE)["machines"]["resting"]
        .as_array()
        .unwrap();
    let sizes: Vec<&str> = resting
        .iter()
        .map(|one| one["node_type"].as_str().unwrap())
        .collect();
    // Of `busy` and `silent` no other signal says that they rest.
    assert_eq!(sizes, ["Standard_DS3_v2", "Standard_E8ds_v5"]);
    let figure = |at: usize, name: &str| resting[at][name].as_f64().unwrap();
    assert_eq!(resting[0]["drivers"], 2);
    assert!((figure(0, "p50_cores") - 0.07).abs() < 0.005, "{swept}");
    assert!((figure(0, "p95_cores") - 0.07).abs() < 0.005, "{swept}");
    assert!((figure(1, "p95_cores") - 1.07).abs() < 0.005, "{swept}");
    // One metrics call for each driver that was asked, and one for each worker of `silent`.
    assert_eq!(scene.simulator.record().matching(&metrics()).len(), 3 + 3);
    let text = scene.run(&[]).ran.stdout;
    let told = "note: at rest, 2 drivers of `Standard_DS3_v2`: p50 0.07, p95 0.07 busy cores";
    assert!(text.contains(told), "{text}");
    scene.simulator.assert_clean();
}
