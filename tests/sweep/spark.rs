//! What the driver's Spark says, across the wire: much of it, little of it,
//! none of it, and half of it from another life.
//!
//! The machines of these clusters are quiet, so what Spark says makes the
//! difference, and what it does not say keeps: whatever the driver proxy answers
//! instead, the sweep does not fail.

use serde_json::Value;
use simulator::world::{
    Cluster, DriverProxy, Machine, Moment, Spark, SparkJob, SqlExecution, Stream, StreamingPage,
    Workspace, World, hours, minutes,
};
use simulator::{Fault, Match, Times, When};

use crate::support::Scene;
use crate::swept::Swept;

/// Idle for long enough if both witnesses say so, and by far not for nodes alone.
fn idle(name: &str) -> Cluster {
    Cluster::idle(name).since(hours(5))
}

fn scene(clusters: Vec<Cluster>) -> Scene {
    let workspace = Workspace::named("one").clusters(clusters);
    Scene::of(World::new().workspace(workspace)).policy("cap_per_workspace = 100")
}

/// Requests to the driver of this cluster, path or part of it.
fn driver_of(scene: &Scene, name: &str, part: &str) -> Match {
    let id = scene.simulator.world(|world| world.cluster_id("one", name));
    Match::path(part)
        .path_prefix("/driver-proxy-api/")
        .cluster(&id)
}

/// Sweeps without a failure and without a request that nobody arranged.
fn sweep(scene: &Scene) -> Swept {
    let swept = scene.sweep();
    swept.assert_succeeded();
    scene.simulator.assert_clean();
    swept
}

fn why_unknown(swept: &Swept, name: &str, signal: &str) -> String {
    let unknowns = swept.cluster(name)["unknowns"].as_array().unwrap();
    let found = unknowns.iter().find(|unknown| unknown["signal"] == signal);
    let why = found.map(|unknown| unknown["why"].as_str().unwrap());
    why.unwrap_or_else(|| panic!("{signal} of {name} is known: {swept}"))
        .to_owned()
}

/// That Spark's silence leaves the cluster to its machines, with this reason.
fn assert_unknown(swept: &Swept, name: &str, signal: &str, part: &str) {
    let why = why_unknown(swept, name, signal);
    assert!(why.contains(part), "{name}: {part:?} is not in {why:?}");
    assert_eq!(swept.said_of(name), "kept: quiet_too_short", "{name}");
}

/// One-minute jobs, so many, the last of which ended this long ago.
fn jobs(spark: Spark, count: u64, last: u64) -> Spark {
    (0..count).rev().fold(spark, |spark, before| {
        spark.job(SparkJob::finished(minutes(last + 2 * before)))
    })
}

/// The same of SQL executions.
fn executions(spark: Spark, count: u64, last: u64) -> Spark {
    (0..count).rev().fold(spark, |spark, before| {
        spark.sql(SqlExecution::finished(minutes(last + 2 * before)))
    })
}

#[test]
fn every_answer_that_is_no_answer_of_spark_is_unknown_with_its_reason() {
    let answered = [
        (
            "forbidden",
            DriverProxy::Status(403),
            "403 (needs CAN_ATTACH_TO",
        ),
        ("gone", DriverProxy::Status(404), "404 (no Spark UI there"),
        (
            "away",
            DriverProxy::Status(503),
            "503 (the driver can't be reached)",
        ),
        ("broken", DriverProxy::Status(500), "answered 500"),
        ("page", DriverProxy::Html, "not understood"),
    ];
    let mut clusters: Vec<Cluster> = answered
        .iter()
        .map(|(name, proxy, _)| idle(name).driver(*proxy))
        .collect();
    let bent = ["login", "other-json", "cut", "lost"];
    clusters.extend(bent.map(idle));
    clusters.push(idle("control"));
    let scene = scene(clusters);
    let login = "https://login.example/?next=%2Fapi%2Fv1%2Fapplications".to_owned();
    let faults = [
        ("login", Fault::Redirect(302, login), "302 (a redirect"),
        (
            "other-json",
            Fault::OtherJson("{\"error\":5}".to_owned()),
            "not understood",
        ),
        ("cut", Fault::TruncateBody, "no answer"),
        ("lost", Fault::ResetBeforeAnswer, "no answer"),
    ];
    for (name, fault, _) in &faults {
        let matcher = driver_of(&scene, name, "/");
        scene.simulator.fault(matcher, Times::Always, fault.clone());
    }
    let swept = sweep(&scene);
    let expected = answered.map(|(name, _, part)| (name, part));
    let bent = faults.map(|(name, _, part)| (name, part));
    for (name, part) in expected.into_iter().chain(bent) {
        assert_unknown(&swept, name, "spark", part);
        let said = swept.cluster(name)["spark"].as_str().unwrap();
        assert!(said.starts_with("unknown: "), "{said}");
    }
    assert_eq!(swept.said_of("control"), "terminated: both_witnesses");
    assert!(!swept.stdout.contains("login.example"), "{swept}");
}

#[test]
fn a_first_call_that_takes_seconds_is_no_driver_out_of_reach() {
    let scene = scene(vec![idle("slow")]);
    // Measured on Spark: up to 3.3 seconds for the first call, while it loads its classes.
    let slow = Fault::Delay(std::time::Duration::from_millis(3300));
    let first = driver_of(&scene, "slow", "/api/v1/applications");
    scene.simulator.fault(first, Times::First(1), slow);
    let swept = sweep(&scene);
    assert_eq!(swept.said_of("slow"), "terminated: both_witnesses");
}

#[test]
fn an_answer_that_is_too_long_keeps_its_cluster_and_no_other() {
    let scene = scene(vec![idle("long"), idle("control")]);
    let jobs = driver_of(&scene, "long", "/jobs");
    let long = Fault::OverlongBody(9 * 1024 * 1024);
    scene.simulator.fault(jobs, Times::Always, long);
    let swept = sweep(&scene);
    assert_unknown(&swept, "long", "spark", "too long");
    assert_eq!(swept.said_of("control"), "terminated: both_witnesses");
}

/// How often the list of all jobs of a driver was asked for.
fn full_lists(scene: &Scene, name: &str) -> usize {
    let matcher = driver_of(scene, name, "/jobs");
    let record = scene.simulator.record();
    let asked = record.matching(&matcher);
    let all = |request: &&&simulator::RecordedRequest| {
        request.path().ends_with("/jobs") && request.query().first("status").is_none()
    };
    asked.iter().filter(all).count()
}

#[test]
fn the_thousand_jobs_of_a_driver_are_read_only_if_nothing_runs() {
    let busy = |name: &str, work: fn(Spark) -> Spark| {
        idle(name).spark(work(executions(jobs(Spark::quiet(), 1000, 300), 30, 300)))
    };
    let scene = scene(vec![
        busy("job", |spark| spark.job(SparkJob::running(minutes(3)))),
        busy("stage", |spark| spark.orphan_stages(1)),
        busy("planning", |spark| {
            spark.sql(SqlExecution::running(minutes(3)))
        }),
        busy("rest", |spark| spark),
    ]);
    let swept = sweep(&scene);
    for (name, work) in [
        ("job", "busy: job 1000"),
        ("stage", "busy: stage 1000"),
        ("planning", "busy: SQL execution 30"),
    ] {
        assert_eq!(swept.said_of(name), "kept: spark_busy");
        assert_eq!(swept.cluster(name)["spark"], work);
        assert_eq!(full_lists(&scene, name), 0, "{name}");
    }
    assert_eq!(swept.said_of("rest"), "terminated: both_witnesses");
    assert_eq!(full_lists(&scene, "rest"), 2, "once in each look");
}

/// The instant at which Spark calls itself quiet, by the report.
fn quiet_since(swept: &Swept, name: &str) -> String {
    let said = swept.cluster(name)["spark"].as_str().unwrap();
    let since = said.strip_prefix("quiet since ");
    since.unwrap_or_else(|| panic!("{said}")).to_owned()
}

/// An instant as reports write it.
fn instant(scene: &Scene, ago: Moment) -> String {
    let millis = scene.simulator.world(|world| world.clock.epoch_ms(ago));
    terminate_clusters::timestamp::Timestamp::from_millis(millis).to_string()
}

#[test]
fn the_end_of_the_last_work_is_found_among_more_than_are_retained() {
    let last = || Moment::ago(minutes(100));
    // It began before all others and ended after them, so it is neither first nor last in any list.
    let long_job = SparkJob::at(Moment::ago(hours(100)), Some(last()));
    let long_query = SqlExecution::at(Moment::ago(hours(100)), Some(last()));
    let clusters = vec![
        idle("jobs")
            .since(hours(101))
            .spark(jobs(Spark::quiet(), 1100, 110).job(long_job)),
        idle("queries")
            .since(hours(101))
            .spark(executions(jobs(Spark::quiet(), 3, 300), 1100, 110).sql(long_query)),
    ];
    let scene = scene(clusters);
    let swept = sweep(&scene);
    for name in ["jobs", "queries"] {
        assert_eq!(swept.said_of(name), "kept: quiet_too_short", "{swept}");
        assert_eq!(quiet_since(&swept, name), instant(&scene, last()), "{name}");
    }
}

#[test]
fn sql_executions_beyond_the_first_twenty_and_beyond_the_first_page_count() {
    let busy = |name: &str, before: u64, after: u64| {
        let old = executions(jobs(Spark::quiet(), 3, 9000), before, 6000);
        let running = old.sql(SqlExecution::running(minutes(5000)));
        idle(name)
            .since(hours(200))
            .spark(executions(running, after, 3000))
    };
    let scene = scene(vec![busy("twenty", 30, 5), busy("page", 400, 300)]);
    let swept = sweep(&scene);
    for (name, work) in [("twenty", 30), ("page", 400)] {
        assert_eq!(swept.said_of(name), "kept: spark_busy");
        let expected = format!("busy: SQL execution {work}");
        assert_eq!(swept.cluster(name)["spark"], expected.as_str());
    }
}

#[test]
fn of_several_applications_only_one_may_live() {
    let scene = scene(vec![
        idle("beside-ended").spark(jobs(Spark::quiet(), 3, 300).other_application(
            "app-0",
            hours(9),
            true,
        )),
        idle("beside-live").spark(Spark::quiet().other_application("app-0", hours(9), false)),
        idle("ended").spark(Spark::quiet().ended()),
    ]);
    let swept = sweep(&scene);
    assert_eq!(swept.said_of("beside-ended"), "terminated: both_witnesses");
    assert_unknown(
        &swept,
        "beside-live",
        "spark",
        "several Spark applications are live",
    );
    assert_unknown(&swept, "ended", "spark", "no Spark application is live");
}

/// The calls of one look after that for the applications.
const CALLS: [&str; 5] = ["running", "stages", "sql", "jobs", "threads"];

/// The request of this call.
fn call(scene: &Scene, name: &str, call: &str) -> Match {
    match call {
        "running" => driver_of(scene, name, "/jobs").query("status", "running"),
        other => driver_of(scene, name, &format!("/{other}")),
    }
}

#[test]
fn a_driver_that_restarts_between_two_calls_is_no_mixture_of_both_lives() {
    let names = CALLS.map(|call| format!("before-{call}"));
    let mut clusters: Vec<Cluster> = names.iter().map(|name| idle(name)).collect();
    clusters.push(idle("after-page"));
    let scene = scene(clusters);
    let restart = |name: &str| {
        let name = name.to_owned();
        move |world: &mut World| {
            let spark = &mut world.cluster_mut("one", &name).spark;
            "app-20261122115900-0001".clone_into(&mut spark.app_id);
        }
    };
    for (name, one) in names.iter().zip(CALLS) {
        // The list of all jobs is the second request of that path.
        let times = if one == "jobs" {
            Times::Nth(2)
        } else {
            Times::First(1)
        };
        let matcher = call(&scene, name, one);
        scene
            .simulator
            .hook(matcher, times, When::Before, restart(name));
    }
    let page = driver_of(&scene, "after-page", "/StreamingQuery/");
    scene
        .simulator
        .hook(page, Times::First(1), When::After, restart("after-page"));
    let swept = sweep(&scene);
    for (name, one) in names.iter().zip(CALLS) {
        let signal = if one == "threads" {
            "commands"
        } else {
            "spark"
        };
        let why = why_unknown(&swept, name, signal);
        assert!(why.contains("another application by now"), "{name}: {why}");
        assert_eq!(swept.said_of(name), "kept: quiet_too_short", "{name}");
    }
    assert_unknown(
        &swept,
        "after-page",
        "streaming",
        "restarted while it was asked",
    );
    // The next sweep sees one life only; half of what is idle is a sweep's share.
    let next = sweep(&scene);
    assert_eq!(
        (next.count("terminated"), next.count("deferred")),
        (3, 3),
        "{next}"
    );
}

#[test]
fn a_stream_without_data_is_seen_by_its_page_or_by_its_thread() {
    let stream = || Stream::live("orders", hours(150)).without_data();
    let live = || Spark::quiet().stream(stream());
    let off = "spark.sql.streaming.ui.enabled";
    let kept = |name: &str, spark: Spark| idle(name).since(hours(200)).spark(spark);
    let scene = scene(vec![
        kept("both", live()),
        kept("page", live().without_stream_threads()),
        kept("thread", live().conf(off, "false")),
        kept(
            "broken-page",
            live().streaming_page(StreamingPage::Status(500)),
        ),
        kept("ended", Spark::quiet().stream(stream().ended(hours(140)))),
    ]);
    let swept = sweep(&scene);
    for name in ["both", "page", "thread", "broken-page"] {
        assert_eq!(swept.said_of(name), "kept: stream_active", "{name}");
    }
    assert_eq!(swept.said_of("ended"), "terminated: both_witnesses");
}

#[test]
fn a_missing_streaming_page_is_believed_only_where_it_could_appear() {
    let off = |value: &str| Spark::quiet().conf("spark.sql.streaming.ui.enabled", value);
    let hidden = Stream::live("orders", hours(4)).without_data();
    let scene = scene(vec![
        idle("off").spark(off("false").stream(hidden).without_stream_threads()),
        idle("redacted").spark(off("*********(redacted)")),
        idle("on").spark(off("true")),
        idle("default").spark(Spark::quiet()),
        // As a driver redirects that is not told under which name it was asked for.
        idle("bare").spark(Spark::quiet().streaming_page(StreamingPage::Bare)),
        idle("unreadable"),
        idle("elsewhere").spark(
            Spark::quiet().streaming_page(StreamingPage::RedirectTo("/login.html".to_owned())),
        ),
    ]);
    let environment = driver_of(&scene, "unreadable", "/environment");
    scene
        .simulator
        .fault(environment, Times::Always, Fault::html(404));
    let swept = sweep(&scene);
    assert_unknown(&swept, "off", "streaming", "switched off on this cluster");
    assert_unknown(
        &swept,
        "redacted",
        "streaming",
        "can't be told) to: read the Spark environment",
    );
    assert_unknown(&swept, "unreadable", "streaming", "404");
    assert_unknown(&swept, "elsewhere", "streaming", "redirects elsewhere");
    for name in ["on", "default", "bare"] {
        assert_eq!(swept.said_of(name), "terminated: both_witnesses", "{name}");
        assert_eq!(
            swept.cluster(name)["streaming"],
            "no query since it started"
        );
    }
}

#[test]
fn what_spark_has_forgotten_may_have_been_a_stream() {
    let silent = |name: &str, spark: Spark| {
        let spark = spark.streaming_page(StreamingPage::Status(500));
        idle(name)
            .since(hours(20))
            .spark(spark.without_stream_threads())
    };
    // Its batches were pushed out by other jobs; where all are listed, there was none.
    let cut = jobs(Spark::quiet().retained_jobs(50), 60, 20 * 60);
    let whole = jobs(Spark::quiet(), 60, 20 * 60);
    let scene = scene(vec![silent("cut", cut), silent("whole", whole)])
        .policy("nodes_alone_suffices = true");
    let swept = sweep(&scene);
    assert_eq!(swept.said_of("whole"), "terminated: nodes_alone");
    assert_eq!(swept.said_of("cut"), "kept: stream_traces");
    let (_, clause) = swept.cluster("cut")["clause"]
        .as_str()
        .unwrap()
        .split_once(": ")
        .unwrap();
    let oldest = instant(&scene, Moment::ago(minutes(20 * 60 + 2 * 49)));
    assert_eq!(
        clause,
        format!(
            "whether a stream waits is unknown, and Spark has forgotten what ran before {oldest}"
        )
    );
}

#[test]
fn a_driver_that_keeps_no_finished_job_is_no_driver_without_jobs() {
    let forgetful = || jobs(Spark::quiet().retained_jobs(0), 3, 300);
    let scene = scene(vec![
        idle("named-by-sql").spark(forgetful().sql(SqlExecution::at(
            Moment::ago(minutes(310)),
            Some(Moment::ago(minutes(300))),
        ))),
        // Nothing tells this one from a driver that never worked; the machines say when it did.
        idle("unnamed").spark(forgetful()),
        idle("unnamed-without-metrics")
            .metrics(Machine::All, &simulator::world::MetricsQuirk::NoData)
            .spark(forgetful()),
    ]);
    let swept = sweep(&scene);
    assert_unknown(
        &swept,
        "named-by-sql",
        "spark",
        "keeps none of its finished jobs",
    );
    assert_eq!(swept.said_of("unnamed"), "terminated: both_witnesses");
    let alone = swept.said_of("unnamed-without-metrics");
    assert_eq!(alone, "kept: evidence_too_weak");
}

#[test]
fn a_history_that_was_cut_does_not_matter_where_the_page_can_be_read() {
    let cut = jobs(Spark::quiet().retained_jobs(50), 60, 300);
    let swept = sweep(&scene(vec![idle("cut").spark(cut)]));
    assert_eq!(swept.said_of("cut"), "terminated: both_witnesses");
}

#[test]
fn a_job_that_spark_calls_running_for_ever_is_kept_and_named() {
    let stuck = jobs(Spark::quiet(), 1000, 31 * 60).job(SparkJob::running(hours(30)));
    let failed = jobs(Spark::quiet(), 3, 300).job(SparkJob::finished(hours(5)).failing());
    let busy = jobs(Spark::quiet(), 3, 300).job(SparkJob::running(hours(3)));
    let scene = scene(vec![
        idle("stuck").since(hours(100)).spark(stuck),
        idle("young").since(hours(100)).spark(busy),
        idle("failed").since(hours(100)).spark(failed),
    ]);
    let swept = sweep(&scene);
    assert_eq!(swept.said_of("stuck"), "kept: contradictory");
    assert_eq!(swept.said_of("young"), "kept: spark_busy");
    assert_eq!(swept.said_of("failed"), "terminated: both_witnesses");
}

#[test]
fn no_setting_of_a_cluster_gets_into_a_report_or_a_log() {
    let secret = "dapi-planted-0123456789";
    let spark = |value: &str| {
        let spark = jobs(Spark::quiet(), 3, 300).conf("spark.hadoop.fs.azure.account.key", secret);
        spark.conf("spark.sql.streaming.ui.enabled", value)
    };
    let scene = scene(vec![
        idle("on").spark(spark("true")),
        idle("odd").spark(spark(secret)),
        idle("no-metrics")
            .metrics(Machine::All, &simulator::world::MetricsQuirk::NoData)
            .spark(spark("false")),
    ])
    .set("TERMINATE_CLUSTERS_LOG", "debug");
    let swept = sweep(&scene);
    assert_eq!(swept.said_of("on"), "terminated: both_witnesses");
    assert_unknown(
        &swept,
        "odd",
        "streaming",
        "can't be told) to: read the Spark environment",
    );
    assert_eq!(swept.cluster("no-metrics")["outcome"], Value::from("kept"));
    assert!(!swept.to_string().contains("dapi"), "{swept}");
}
