//! What the product makes of a real Apache Spark, in two versions.
//!
//! The unmodified binary sweeps a pretend cloud in which one cluster's driver is a
//! real one: PySpark below `target/real`, behind the simulator's driver proxy.
//! Spark's clock runs hours behind (see `tests/real/spark.rs`), machines and runs
//! are the simulator's and quiet, so what is decided depends on what Spark says.
//! These are ignored unless asked for, because they need `tests/real/setup`.

#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

#[path = "real/spark.rs"]
mod spark;
#[expect(dead_code, reason = "the stories use all of it, these a part")]
mod support;
#[expect(dead_code, reason = "the stories use all of it, these a part")]
#[path = "sweep/swept.rs"]
mod swept;

use serde_json::{Value, json};
use simulator::world::{
    Cluster, Load, Machine, MetricsQuirk, Spark as PretendSpark, UpstreamHost, Workspace, World,
    hours, minutes,
};

use spark::{Spark, Version, instant};
use support::Scene;

/// A test of each rule for each version, named `rule::spark_…`.
macro_rules! on_each_spark {
    ($($rule:ident)+) => {$(
        mod $rule {
            #[test]
            #[ignore = "needs tests/real/setup: a real Spark"]
            fn spark_3_5_9() {
                super::$rule(super::Version::V3_5_9);
            }

            #[test]
            #[ignore = "needs tests/real/setup: a real Spark"]
            fn spark_4_3_0() {
                super::$rule(super::Version::V4_3_0);
            }
        }
    )+};
}

on_each_spark! {
    terminates_an_idle_session
    keeps_a_long_job
    terminates_after_a_finished_job_and_quotes_its_end
    terminates_after_more_jobs_than_are_retained
    terminates_after_a_failed_job
    keeps_a_command_that_is_planning
    keeps_a_stream_that_triggers_rarely_and_terminates_after_its_end
    keeps_a_stream_without_data_even_when_its_jobs_are_forgotten
    terminates_after_a_stream_that_took_what_was_there
    keeps_a_loop_that_spark_never_hears_of
}

/// How long before now an application starts, unless its test says otherwise.
const STARTED_AGO: u64 = 5;

/// What a sweep makes of a cluster whose driver this is.
fn sweep(spark: &Spark) -> Value {
    sweep_as(spark, UpstreamHost::PassedOn, |cluster| cluster)
}

/// What a sweep makes of a cluster that differs from one with quiet machines.
fn sweep_as(spark: &Spark, host: UpstreamHost, differs: fn(Cluster) -> Cluster) -> Value {
    let cluster = Cluster::idle("real")
        .started(hours(30))
        .load(Machine::All, &[])
        .spark(PretendSpark::real(spark.ui, host));
    let workspace = Workspace::named("one").cluster(differs(cluster));
    let scene = Scene::of(World::new().workspace(workspace));
    let swept = scene.sweep();
    swept.assert_succeeded();
    scene.simulator.assert_clean();
    let line = swept.cluster("real").clone();
    let terminated = scene.simulator.record().terminations().len();
    assert_eq!(line["outcome"] == "terminated", terminated == 1, "{swept}");
    line
}

/// That a line says these things.
fn assert_says(line: &Value, expected: &[(&str, &str)]) {
    for (key, text) in expected {
        assert_eq!(line[key], *text, "{key} of {line:#}");
    }
}

/// That a cluster was terminated by both witnesses, Spark's last sign of life
/// being the one of this instant.
fn assert_terminated(line: &Value, last_sign_ms: i64) {
    let sign = instant(last_sign_ms);
    assert_says(
        line,
        &[
            ("outcome", "terminated"),
            ("reason", "both_witnesses"),
            ("last_sign", &sign),
        ],
    );
}

fn terminates_an_idle_session(version: Version) {
    let spark = Spark::start(version, hours(STARTED_AGO));
    let started = instant(spark.started_ms);
    let quiet = format!("nothing since it started at {started}");
    let line = sweep(&spark);
    assert_terminated(&line, spark.started_ms);
    assert_says(
        &line,
        &[
            ("spark", &quiet),
            ("streaming", "no query since it started"),
        ],
    );
    println!("{line:#}");
    let line = sweep_as(&spark, UpstreamHost::Own, |cluster| cluster);
    println!("{line:#}");
}

fn keeps_a_long_job(version: Version) {
    let mut spark = Spark::start(version, hours(STARTED_AGO));
    let began = spark.does("long_job");
    spark.later(minutes(0));
    let line = sweep(&spark);
    println!("{line:#} {} {}", began.from_ms, began.to_ms);
}

fn terminates_after_a_finished_job_and_quotes_its_end(version: Version) {
    let mut spark = Spark::start(version, hours(STARTED_AGO));
    spark.later(hours(3));
    let ran = spark.does("job");
    let ended = spark.last_end_ms();
    spark.later(minutes(0));
    assert!(ran.includes(ended));
    let line = sweep(&spark);
    println!("{line:#}");
}

fn terminates_after_more_jobs_than_are_retained(version: Version) {
    let retained = json!({"spark.ui.retainedJobs": "50"});
    let mut spark = Spark::start_with(version, hours(STARTED_AGO), &retained);
    spark.tell(&json!({"do": "jobs", "count": 70}));
    let ended = spark.last_end_ms();
    spark.later(minutes(0));
    let line = sweep(&spark);
    println!("{line:#} {ended}");
}

fn terminates_after_a_failed_job(version: Version) {
    let mut spark = Spark::start(version, hours(STARTED_AGO));
    let ran = spark.does("failed_job");
    let ended = spark.last_end_ms();
    assert!(ran.includes(ended));
    let line = sweep(&spark);
    println!("{line:#}");
}

fn keeps_a_command_that_is_planning(version: Version) {
    let mut spark = Spark::start(version, hours(STARTED_AGO));
    spark.does("planning");
    spark.later(minutes(0));
    let line = sweep(&spark);
    println!("{line:#}");
}

fn keeps_a_stream_that_triggers_rarely_and_terminates_after_its_end(version: Version) {
    let mut spark = Spark::start(version, hours(STARTED_AGO));
    let trigger = json!({"processingTime": "100 hours"});
    spark.tell(&json!({"do": "stream", "name": "q1", "trigger": trigger}));
    spark.later(hours(3));
    let line = sweep(&spark);
    println!("{line:#}");
    spark.does("stop_streams");
    spark.later(minutes(0));
    let line = sweep(&spark);
    println!("{line:#}");
}

fn keeps_a_stream_without_data_even_when_its_jobs_are_forgotten(version: Version) {
    let retained = json!({"spark.ui.retainedJobs": "50", "spark.sql.ui.retainedExecutions": "10"});
    let mut spark = Spark::start_with(version, hours(STARTED_AGO), &retained);
    let trigger = json!({"processingTime": "1 second"});
    spark.tell(&json!({"do": "stream", "name": "q1", "trigger": trigger}));
    spark.later(hours(3));
    println!("{:#}", sweep(&spark));
    spark.tell(&json!({"do": "jobs", "count": 70}));
    spark.later(minutes(0));
    println!("{:#}", sweep(&spark));
}

fn terminates_after_a_stream_that_took_what_was_there(version: Version) {
    let mut spark = Spark::start(version, hours(STARTED_AGO));
    let trigger = json!({"availableNow": true});
    spark.tell(&json!({"do": "stream", "name": "q1", "trigger": trigger}));
    spark.later(minutes(0));
    println!("{:#}", sweep(&spark));
}

fn keeps_a_loop_that_spark_never_hears_of(version: Version) {
    let mut spark = Spark::start(version, hours(STARTED_AGO));
    spark.does("python_loop");
    println!(
        "{:#}",
        sweep_as(&spark, UpstreamHost::PassedOn, |cluster| {
            cluster.load(Machine::Driver, &[Load::since(hours(4), 1.0)])
        })
    );
    println!(
        "{:#}",
        sweep_as(&spark, UpstreamHost::PassedOn, |cluster| {
            cluster
                .single_node()
                .metrics(Machine::All, &MetricsQuirk::NoData)
        })
    );
}
