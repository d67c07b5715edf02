//! What is never terminated, each with its reason; and the right without which
//! nothing is.

use simulator::world::{
    Cluster, DriverProxy, Load, Machine, Member, MetricsQuirk, NodeType, Permission, Principal,
    Run, Spark, SparkJob, SqlExecution, Stream, StreamingPage, TaskForm, Workspace, World, hours,
    minutes,
};

use crate::support::Scene;

/// Idle for so long that only the reason that its story gives it can save it.
fn idle(name: &str) -> Cluster {
    Cluster::idle(name).since(hours(200))
}

/// Sweeps clusters with the reasons for which each is expected to be kept, beside
/// enough idle ones that no cap could be what saves them.
fn assert_kept(scene: Scene, expected: &[(&str, &str)]) {
    let scene = scene.policy("cap_per_workspace = 100");
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.said_of("control"), "terminated: both_witnesses");
    for (name, reason) in expected {
        assert_eq!(swept.said_of(name), format!("kept: {reason}"), "{name}");
        let state = scene
            .simulator
            .world(|world| world.cluster_state("one", name));
        assert_eq!(state, "RUNNING", "{name}");
        let line = swept.cluster(name);
        let earliest = line["earliest_clause"].as_str().unwrap();
        let says_when = earliest.starts_with("earliest ") || earliest.starts_with("never: ");
        assert!(says_when, "{name}: {earliest}");
    }
    assert_eq!(swept.clusters().count(), expected.len() + 1, "{swept}");
    assert_eq!(scene.simulator.record().terminations().len(), 1);
    scene.simulator.assert_clean();
}

fn scene(clusters: Vec<Cluster>) -> Scene {
    let workspace = Workspace::named("one").cluster(idle("control"));
    Scene::of(World::new().workspace(workspace.clusters(clusters)))
}

#[test]
fn work_of_every_kind_keeps_its_cluster() {
    let spark = |spark: Spark, name: &str| idle(name).spark(spark);
    let quiet_stream = Stream::live("orders", hours(300)).without_data();
    let clusters = vec![
        Cluster::busy("spark-job"),
        spark(Spark::quiet().sql(SqlExecution::running(minutes(1))), "sql"),
        spark(Spark::quiet().orphan_stages(1), "stage"),
        Cluster::streaming("stream"),
        spark(Spark::quiet().stream(quiet_stream), "stream-without-data"),
        Cluster::driver_only_python("driver-only").single_node(),
        idle("busy-driver").load(Machine::Driver, &[Load::since(hours(1), 1.0)]),
        idle("network").load(
            Machine::Driver,
            &[Load::since(hours(1), 0.0).network(60_000_000.0)],
        ),
    ];
    assert_kept(
        scene(clusters),
        &[
            ("spark-job", "spark_busy"),
            ("sql", "spark_busy"),
            ("stage", "spark_busy"),
            ("stream", "stream_active"),
            ("stream-without-data", "stream_active"),
            ("driver-only", "nodes_busy"),
            ("busy-driver", "nodes_busy"),
            ("network", "nodes_busy"),
        ],
    );
}

#[test]
fn a_busy_worker_keeps_its_cluster_where_spark_cannot_be_asked() {
    let silent = |name: &str| idle(name).driver(DriverProxy::Status(403));
    let worker = [Load::since(hours(1), 1.0)];
    let clusters = vec![
        silent("busy-worker").load(Machine::Worker(1), &worker),
        silent("resized").event("RESIZING", hours(3)),
        silent("pool").pool("0101-000000-pool1"),
        silent("missing-worker").metrics(Machine::Worker(0), &MetricsQuirk::Missing),
    ];
    assert_kept(
        scene(clusters),
        &[
            ("busy-worker", "nodes_busy"),
            ("resized", "quiet_too_short"),
            ("pool", "evidence_too_weak"),
            ("missing-worker", "no_witness"),
        ],
    );
}

#[test]
fn what_is_protected_young_or_recently_used_is_kept() {
    let tomorrow = "2999-12-31";
    let clusters = vec![
        idle("tag").tag("terminate-clusters", ""),
        idle("default-tag").default_tag("Terminate-Clusters", "no"),
        idle("keep-until").tag("terminate-clusters-keep-until", tomorrow),
        idle("unreadable-date").tag("terminate-clusters-keep-until", "next week"),
        idle("nightly-etl"),
        idle("pinned").pinned(),
        Cluster::idle("young").young(),
        idle("seen").last_activity(minutes(30)),
        Cluster::idle("short").since(minutes(90)),
        idle("platform").autotermination(60),
    ];
    let scene = scene(clusters)
        .policy("protect_names = [\"nightly-*\"]")
        .policy("protect_pinned = true");
    assert_kept(
        scene,
        &[
            ("tag", "protected_by_tag"),
            ("default-tag", "protected_by_tag"),
            ("keep-until", "keep_until"),
            ("unreadable-date", "keep_until_unreadable"),
            ("nightly-etl", "protected_by_name"),
            ("pinned", "protected_by_pin"),
            ("young", "started_recently"),
            ("seen", "recent_activity"),
            ("short", "quiet_too_short"),
            ("platform", "platform_saw_activity"),
        ],
    );
}

#[test]
fn an_exemption_keeps_by_id_and_by_name_until_its_day_is_over() {
    let scene = scene(vec![
        idle("by-id").id("0101-000000-exempted"),
        idle("by-name"),
    ])
    .table(
        "[[exempt]]\ncluster = \"0101-000000-exempted\"\nuntil = \"2999-12-31\"\nreason = \"r\"\n\
             [[exempt]]\nname = \"by-*\"\nuntil = \"2999-12-31\"\nreason = \"migration\"\n\
             [[exempt]]\nname = \"control\"\nuntil = \"2020-12-31\"\nreason = \"over\"\n",
    );
    assert_kept(scene, &[("by-id", "exempt"), ("by-name", "exempt")]);
}

#[test]
fn a_job_keeps_its_cluster_in_whatever_form_it_names_it() {
    let forms = [
        ("existing", TaskForm::Existing),
        ("instance", TaskForm::Instance),
        ("existing-only", TaskForm::ExistingOnly),
        ("for-each", TaskForm::ForEach),
    ];
    let mut workspace = Workspace::named("one")
        .run_page_size(2)
        .cluster(idle("control"))
        .cluster(idle("legacy"))
        .cluster(idle("queued"))
        .cluster(idle("beyond-100"))
        .cluster(idle("ended"))
        .run(Run::active("legacy", minutes(5)).legacy_on("legacy", TaskForm::Existing))
        .run(
            Run::active("queued", minutes(5))
                .on("queued")
                .state("QUEUED"),
        )
        .run(
            Run::active("large", minutes(5))
                .filler_tasks(120)
                .on("beyond-100"),
        )
        .run(Run::finished("ended", minutes(20)).on("ended"));
    for (name, form) in forms {
        workspace = workspace
            .cluster(idle(name))
            .run(Run::active(name, minutes(5)).task(name, form));
    }
    assert_kept(
        Scene::of(World::new().workspace(workspace)),
        &[
            ("legacy", "active_run"),
            ("queued", "active_run"),
            ("beyond-100", "active_run"),
            ("ended", "recent_activity"),
            ("existing", "active_run"),
            ("instance", "active_run"),
            ("existing-only", "active_run"),
            ("for-each", "active_run"),
        ],
    );
}

#[test]
fn evidence_that_is_weak_or_missing_proves_nothing() {
    let no_metrics = |name: &str| idle(name).metrics(Machine::All, &MetricsQuirk::NoData);
    let clusters = vec![
        no_metrics("no-witness").driver(DriverProxy::Status(503)),
        no_metrics("single-node").single_node(),
        no_metrics("gpu").node_type("Standard_NC6s_v3"),
        no_metrics("ml").spark_version("15.4.x-cpu-ml-scala2.12"),
        no_metrics("no-job-yet").spark(Spark::quiet()),
        idle("zeros")
            .metrics(Machine::All, &MetricsQuirk::AllZero)
            .driver(DriverProxy::Html),
        Cluster::idle("stream-traces").since(hours(20)).spark(
            Spark::quiet()
                .stream(Stream::live("s", hours(22)).ended(hours(20)))
                .streaming_page(StreamingPage::Status(500)),
        ),
        idle("no-start")
            .without_start()
            .driver(DriverProxy::Status(403)),
        idle("no-context").field("spark_context_id", serde_json::Value::Null),
    ];
    assert_kept(
        scene(clusters),
        &[
            ("no-witness", "no_witness"),
            ("single-node", "evidence_too_weak"),
            ("gpu", "evidence_too_weak"),
            ("ml", "evidence_too_weak"),
            ("no-job-yet", "evidence_too_weak"),
            ("zeros", "no_witness"),
            ("stream-traces", "stream_traces"),
            ("no-start", "required_unknown"),
            ("no-context", "required_unknown"),
        ],
    );
}

#[test]
fn machines_of_unknown_size_say_nothing() {
    let workspace = Workspace::named("one")
        .cluster(idle("control"))
        .cluster(
            Cluster::idle("unknown-size")
                .since(hours(5))
                .node_type("Standard_E32ds_v5"),
        )
        .node_types(
            NodeType::common()
                .into_iter()
                .filter(|known| known.id != "Standard_E32ds_v5")
                .collect(),
        );
    let scene = Scene::of(World::new().workspace(workspace));
    assert_kept(scene, &[("unknown-size", "evidence_too_weak")]);
}

#[test]
fn a_job_that_spark_calls_running_on_machines_that_rest_is_shown() {
    let stuck = idle("stuck").spark(Spark::quiet().job(SparkJob::running(hours(30))));
    assert_kept(scene(vec![stuck]), &[("stuck", "contradictory")]);
}

#[test]
fn what_is_no_running_all_purpose_cluster_is_never_looked_at() {
    let clusters = vec![
        Cluster::job("job"),
        idle("pipeline").source("PIPELINE"),
        idle("model").source("MODELS"),
        idle("sql").source("SQL"),
        idle("pending").state("PENDING"),
        Cluster::terminated("terminated"),
    ];
    let scene = scene(clusters).policy("cap_per_workspace = 100");
    let swept = scene.sweep();
    swept.assert_succeeded();
    let said: Vec<_> = swept.said().into_keys().collect();
    assert_eq!(said, ["control"]);
    let control = scene
        .simulator
        .world(|world| world.cluster_id("one", "control"));
    assert_eq!(scene.simulator.record().terminations(), [control]);
    scene.simulator.assert_clean();
}

#[test]
fn a_resizing_cluster_is_kept() {
    let scene = scene(vec![idle("resizing").state("RESIZING")]);
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.said_of("resizing"), "kept: not_running");
    scene.simulator.assert_clean();
}

#[test]
fn a_principal_that_is_no_admin_terminates_nothing_and_is_told_which_right_is_missing() {
    let member = Member::user("main", Permission::CanRestart);
    let workspace = || {
        Workspace::named("one")
            .member(member.clone())
            .cluster(Cluster::idle("idle").since(hours(5)))
    };
    let scene = Scene::of(World::new().workspace(workspace()));
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.said_of("idle"), "kept: required_unknown");
    let notes = swept.workspace("one")["notes"].to_string();
    for part in [
        "nothing can be terminated here",
        "no workspace admin",
        "group `admins`",
        "sees_all_runs = true",
    ] {
        assert!(notes.contains(part), "{part:?} is not in {notes}");
    }
    assert!(scene.simulator.record().mutating().is_empty());
    scene.simulator.assert_clean();

    let vouched = Scene::of(World::new().workspace(workspace().sees_all_runs()));
    let swept = vouched.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.said_of("idle"), "terminated: both_witnesses");
    vouched.simulator.assert_clean();
}

#[test]
fn a_principal_without_metrics_and_drivers_is_told_what_to_grant() {
    let workspace = Workspace::named("one")
        .cluster(idle("a").driver(DriverProxy::Status(403)))
        .cluster(idle("b").driver(DriverProxy::Status(403)));
    let world = World::new()
        .principal(Principal::named("main").without_metrics())
        .workspace(workspace);
    let scene = Scene::of(world);
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.closing["totals"]["kept"]["no_witness"], 2, "{swept}");
    let notes = swept.workspace("one")["notes"].to_string();
    for part in [
        "2 clusters have no witness",
        "CAN_ATTACH_TO",
        "Monitoring Reader",
    ] {
        assert!(notes.contains(part), "{part:?} is not in {notes}");
    }
    scene.simulator.assert_clean();
}
