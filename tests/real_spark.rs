//! What the product makes of a real Apache Spark, in two versions.
//!
//! The unmodified binary sweeps a pretend cloud in which one cluster's driver is a
//! real one: PySpark below `target/real`, behind the simulator's driver proxy.
//! Spark's clock runs hours behind (see `tests/real/spark.rs`), machines and runs
//! are the simulator's and quiet, so what is decided depends on what Spark says.
//! These are ignored unless asked for, because they need `tests/real/setup`.

#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

#[path = "support/ran.rs"]
mod ran;
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
use simulator::{Fault, Match, Times};

use spark::{Happened, Spark, Version, instant};
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
    takes_no_redirect_to_another_host_for_the_absence_of_streams
    keeps_a_long_job
    terminates_after_a_finished_job_and_quotes_its_end
    keeps_a_cluster_whose_job_has_just_ended
    terminates_after_more_jobs_than_are_retained
    terminates_after_a_failed_job
    keeps_a_command_that_is_planning
    keeps_a_stream_that_triggers_rarely_and_terminates_after_its_end
    keeps_a_stream_without_data_even_when_its_jobs_are_forgotten
    terminates_after_a_stream_that_took_what_was_there
    keeps_a_loop_that_spark_never_hears_of
}

/// A sweep of one cluster with quiet machines, whose driver is the real one.
struct Look {
    cluster: Cluster,
    hides_threads: bool,
}

impl Look {
    fn at(spark: &Spark) -> Self {
        Self::told(spark, UpstreamHost::PassedOn)
    }

    /// With this as the host that Spark is told.
    fn told(spark: &Spark, host: UpstreamHost) -> Self {
        let cluster = Cluster::idle("real")
            .started(hours(30))
            .load(Machine::All, &[])
            .spark(PretendSpark::real(spark.ui, host));
        Self {
            cluster,
            hides_threads: false,
        }
    }

    /// Without the dump of the driver's threads, which would tell of a stream first.
    fn without_threads(mut self) -> Self {
        self.hides_threads = true;
        self
    }

    fn cluster(mut self, differs: impl Fn(Cluster) -> Cluster) -> Self {
        self.cluster = differs(self.cluster);
        self
    }

    /// The cluster's line in the report.
    fn sweep(self) -> Value {
        let workspace = Workspace::named("one").cluster(self.cluster);
        let scene = Scene::of(World::new().workspace(workspace));
        if self.hides_threads {
            let refusal = Fault::Redirect(302, "/login.html".to_owned());
            let threads = Match::path("/executors/driver/threads");
            scene.simulator.fault(threads, Times::Always, refusal);
        }
        let swept = scene.sweep();
        swept.assert_succeeded();
        scene.simulator.assert_clean();
        let line = swept.cluster("real").clone();
        let terminated = scene.simulator.record().terminations().len();
        assert_eq!(line["outcome"] == "terminated", terminated == 1, "{swept}");
        line
    }
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

/// That a cluster was kept because Spark was busy with this since some instant
/// within `began`.
fn assert_spark_busy(line: &Value, what: &str, began: &Happened) {
    let said = format!("busy: {what}");
    assert_says(
        line,
        &[
            ("outcome", "kept"),
            ("reason", "spark_busy"),
            ("spark", &said),
            ("earliest_clause", "never: while Spark is busy"),
        ],
    );
    let clause = line["clause"].as_str().unwrap();
    let quoted = clause.strip_prefix(&format!("spark_busy: Spark is busy: {what} since "));
    let quoted = quoted.unwrap_or_else(|| panic!("{clause}"));
    let possible = instant(began.from_ms)..=instant(began.to_ms);
    assert!(possible.contains(&quoted.to_owned()), "{clause}");
}

/// That a live stream is seen by its thread, and without that by its page.
fn assert_stream_active(spark: &Spark) {
    for look in [Look::at(spark), Look::at(spark).without_threads()] {
        assert_says(
            &look.sweep(),
            &[
                ("outcome", "kept"),
                ("reason", "stream_active"),
                ("clause", "stream_active: a streaming query is active"),
                ("streaming", "a query is active"),
            ],
        );
    }
}

/// How many rows there are, and how many of them run.
fn count(rows: &Value) -> (usize, usize) {
    let rows = rows.as_array().unwrap();
    let running = rows.iter().filter(|row| row["status"] == "RUNNING").count();
    (rows.len(), running)
}

/// Whether one of the jobs carries the signature of a stream.
fn shows_a_stream(jobs: &Value) -> bool {
    let mut jobs = jobs.as_array().unwrap().iter();
    jobs.any(|job| job["description"].to_string().contains("runId = "))
}

fn terminates_an_idle_session(version: Version) {
    let spark = Spark::start(version, hours(5));
    let started = instant(spark.started_ms);
    let quiet = format!("nothing since it started at {started}");
    // Of the host that Spark is told it makes the redirect of its missing page.
    for host in [
        UpstreamHost::PassedOn,
        UpstreamHost::Named("10.139.64.10:40001"),
    ] {
        let line = Look::told(&spark, host).sweep();
        assert_terminated(&line, spark.started_ms);
        assert_says(
            &line,
            &[
                ("spark", &quiet),
                ("streaming", "no query since it started"),
            ],
        );
    }
}

fn takes_no_redirect_to_another_host_for_the_absence_of_streams(version: Version) {
    let spark = Spark::start(version, hours(5));
    let line = Look::told(&spark, UpstreamHost::Named("elsewhere.example")).sweep();
    assert_says(
        &line,
        &[
            ("outcome", "kept"),
            ("reason", "quiet_too_short"),
            (
                "streaming",
                "unknown: the streaming page redirects elsewhere",
            ),
        ],
    );
    let clause = line["clause"].as_str().unwrap();
    assert!(clause.contains("only nodes say quiet"), "{clause}");
}

fn keeps_a_long_job(version: Version) {
    let mut spark = Spark::start(version, hours(6));
    spark.later(hours(5));
    let began = spark.does("long_job");
    spark.later(minutes(0));
    assert_spark_busy(&Look::at(&spark).sweep(), "job 0", &began);
}

fn terminates_after_a_finished_job_and_quotes_its_end(version: Version) {
    let mut spark = Spark::start(version, hours(5));
    spark.later(hours(3));
    let ran = spark.does("job");
    let ended = spark.last_end_ms();
    assert!(ran.includes(ended), "{ended} is not within {ran:?}");
    spark.later(minutes(0));
    let line = Look::at(&spark).sweep();
    assert_terminated(&line, ended);
    let quiet = format!("quiet since {}", instant(ended));
    assert_says(&line, &[("spark", &quiet)]);
}

fn keeps_a_cluster_whose_job_has_just_ended(version: Version) {
    let mut spark = Spark::start(version, hours(5));
    spark.later(minutes(100));
    spark.does("job");
    let ended = spark.last_end_ms();
    spark.later(minutes(0));
    let line = Look::at(&spark).sweep();
    let quiet = format!("quiet since {}", instant(ended));
    assert_says(
        &line,
        &[
            ("outcome", "kept"),
            ("reason", "quiet_too_short"),
            ("spark", &quiet),
        ],
    );
}

fn terminates_after_more_jobs_than_are_retained(version: Version) {
    let retained = json!({"spark.ui.retainedJobs": "50"});
    let mut spark = Spark::start_with(version, hours(5), &retained);
    let ran = spark.tell(&json!({"do": "jobs", "count": 70}));
    let ended = spark.last_end_ms();
    assert!(ran.includes(ended), "{ended} is not within {ran:?}");
    spark.later(minutes(0));
    let jobs = spark.api("jobs");
    let oldest = jobs.as_array().unwrap().last().unwrap();
    assert!(oldest["jobId"].as_u64() > Some(0), "nothing was forgotten");
    let line = Look::at(&spark).sweep();
    assert_terminated(&line, ended);
    let quiet = format!("quiet since {}", instant(ended));
    assert_says(&line, &[("spark", &quiet)]);
}

fn terminates_after_a_failed_job(version: Version) {
    let mut spark = Spark::start(version, hours(5));
    let ran = spark.does("failed_job");
    let ended = spark.last_end_ms();
    assert!(ran.includes(ended), "{ended} is not within {ran:?}");
    spark.later(minutes(0));
    assert_eq!(spark.api("jobs")[0]["status"], "FAILED");
    let line = Look::at(&spark).sweep();
    assert_terminated(&line, ended);
    let quiet = format!("quiet since {}", instant(ended));
    assert_says(&line, &[("spark", &quiet)]);
}

fn keeps_a_command_that_is_planning(version: Version) {
    let mut spark = Spark::start(version, hours(5));
    let began = spark.does("planning");
    spark.later(minutes(0));
    let sql = spark.api("sql");
    assert_eq!(
        (count(&sql), &sql[0]["runningJobIds"]),
        ((1, 1), &json!([]))
    );
    assert_eq!(count(&spark.api("jobs")), (0, 0));
    assert_spark_busy(&Look::at(&spark).sweep(), "SQL execution 0", &began);
}

fn keeps_a_stream_that_triggers_rarely_and_terminates_after_its_end(version: Version) {
    let mut spark = Spark::start(version, hours(6));
    let trigger = json!({"processingTime": "100 hours"});
    let began = spark.tell(&json!({"do": "stream", "name": "rare", "trigger": trigger}));
    let batch = spark.last_end_ms();
    assert!(began.includes(batch), "{batch} is not within {began:?}");
    spark.later(hours(3));
    assert_eq!(count(&spark.api("jobs")).1, 0);
    assert_eq!(count(&spark.api("sql")).1, 0);
    assert_stream_active(&spark);
    spark.does("stop_streams");
    spark.later(minutes(0));
    let line = Look::at(&spark).sweep();
    // When a query was stopped is nowhere in Spark; its last batch is.
    assert_terminated(&line, spark.last_sql_end_ms());
    assert_says(&line, &[("streaming", "no active query")]);
}

fn keeps_a_stream_without_data_even_when_its_jobs_are_forgotten(version: Version) {
    let retained = json!({
        "spark.ui.retainedJobs": "50",
        "spark.sql.ui.retainedExecutions": "10",
    });
    let mut spark = Spark::start_with(version, hours(6), &retained);
    let trigger = json!({"processingTime": "1 second"});
    spark.tell(&json!({"do": "stream", "name": "dry", "trigger": trigger}));
    spark.later(hours(4));
    assert!(shows_a_stream(&spark.api("jobs")));
    assert_stream_active(&spark);
    spark.tell(&json!({"do": "jobs", "count": 70}));
    spark.tell(&json!({"do": "sql", "count": 15}));
    spark.later(minutes(0));
    for list in ["jobs", "sql?length=1000"] {
        let rows = spark.api(list);
        assert!(!shows_a_stream(&rows), "{rows:#}");
    }
    assert_stream_active(&spark);
}

fn terminates_after_a_stream_that_took_what_was_there(version: Version) {
    let mut spark = Spark::start(version, hours(5));
    let trigger = json!({"availableNow": true});
    spark.tell(&json!({"do": "stream", "name": "once", "trigger": trigger}));
    spark.later(minutes(0));
    assert!(shows_a_stream(&spark.api("jobs")));
    let line = Look::at(&spark).sweep();
    assert_terminated(&line, spark.last_sql_end_ms());
    assert_says(&line, &[("streaming", "no active query")]);
}

fn keeps_a_loop_that_spark_never_hears_of(version: Version) {
    let mut spark = Spark::start(version, hours(5));
    spark.does("python_loop");
    let quiet = format!("nothing since it started at {}", instant(spark.started_ms));
    let loaded = Look::at(&spark)
        .cluster(|cluster| cluster.load(Machine::Driver, &[Load::since(hours(4), 1.0)]));
    let unmeasured = Look::at(&spark).cluster(|cluster| {
        let cluster = cluster.single_node();
        cluster.metrics(Machine::All, &MetricsQuirk::NoData)
    });
    for (look, reason) in [(loaded, "nodes_busy"), (unmeasured, "evidence_too_weak")] {
        assert_says(
            &look.sweep(),
            &[("outcome", "kept"), ("reason", reason), ("spark", &quiet)],
        );
    }
}
