//! The world of the estate, workspace by workspace.
//!
//! Each cluster is described by what its people do, and by what is missing or odd about its evidence; what a
//! sweep should make of that stands in the parent module. Margins are wide, so that neither the minutes of a
//! slow machine nor the five-minute buckets of the metrics move a cluster over a threshold.

use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::world::{
    Access, Cluster, DriverProxy, MAIN, Machine, Member, MetricsQuirk, Permission, PrivateLink,
    Run, Spark, SparkJob, Stream, StreamingPage, Workspace, World, hours, minutes,
};

/// How far ahead the dates lie until which clusters are kept.
pub(super) const DAYS_AHEAD: i64 = 10;

const SECONDS_A_DAY: i64 = 24 * 60 * 60;

/// The frames of a Databricks driver that waits for a Python cell.
const COMMAND_FRAMES: [&str; 3] = [
    "java.base@17.0.12/java.lang.Object.wait(Native Method)",
    "app//com.databricks.backend.daemon.driver.JupyterDriverLocal.execute(JupyterDriverLocal.scala:402)",
    "app//com.databricks.backend.daemon.driver.DriverWrapper.run(DriverWrapper.scala:88)",
];

/// The estate as the sweep of report mode finds it.
pub fn world() -> World {
    let world = World::new();
    let (kept_until, ended) = (day(&world, DAYS_AHEAD), day(&world, -2));
    world
        .workspace(analytics())
        .workspace(data_science(&kept_until, &ended))
        .workspace(events())
        .workspace(finance())
        .workspace(marketing())
        .workspace(sandbox())
}

/// The day (UTC) that lies so many days ahead in the world, as `YYYY-MM-DD`.
pub(super) fn day(world: &World, days_ahead: i64) -> String {
    let seconds = world.clock.now_ms() / 1000 + days_ahead * SECONDS_A_DAY;
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    at.date().to_string()
}

/// The principal is an admin here, and both witnesses answer for all but odd records.
fn analytics() -> Workspace {
    Workspace::named("analytics")
        .cluster(Cluster::idle("etl-dev").since(hours(5)))
        .cluster(Cluster::busy("reporting"))
        .cluster(Cluster::idle("nightly-backfill").since(hours(9)))
        .run(
            Run::active("backfill", minutes(12))
                .on("nightly-backfill")
                .state("QUEUED"),
        )
        .cluster(Cluster::idle("invoices").since(hours(4)))
        .run(Run::finished("invoices-hourly", minutes(45)).on("invoices"))
        .cluster(
            Cluster::idle("sql-scratch")
                .since(hours(4))
                .last_activity(minutes(20)),
        )
        .cluster(Cluster::idle(super::FORGER).young())
        .cluster(Cluster::idle("prod-dashboards").since(hours(20)))
        .cluster(Cluster::idle("shared-bi").since(hours(30)).pinned())
        .cluster(
            Cluster::idle("month-end-close")
                .since(hours(30))
                .tag("Terminate-Clusters", ""),
        )
        .cluster(Cluster::idle("lunch-break").since(minutes(70)))
        .cluster(Cluster::idle("growing").since(hours(6)).state("RESIZING"))
        .cluster(
            Cluster::idle("imported-2019")
                .since(hours(50))
                .field("cluster_source", Value::Null),
        )
        .cluster(
            Cluster::idle("garbled")
                .since(hours(50))
                .field("custom_tags", json!("oops")),
        )
        .cluster(
            Cluster::idle("pricing-review")
                .since(hours(7))
                .source("API"),
        )
        .cluster(Cluster::job("job-81-run-7-etl"))
        .cluster(
            Cluster::idle("dlt-orders")
                .since(hours(40))
                .source("PIPELINE"),
        )
        .cluster(Cluster::terminated("old-etl"))
}

/// The principal is an admin here, but some drivers refuse it and some machines have no metrics.
fn data_science(kept_until: &str, ended: &str) -> Workspace {
    let keep_until = "terminate-clusters-keep-until";
    let no_metrics = |cluster: Cluster| cluster.metrics(Machine::All, &MetricsQuirk::NoSeries);
    let no_driver = |cluster: Cluster| cluster.driver(DriverProxy::Status(403));
    let idle = |name: &str, quiet: Duration| Cluster::idle(name).since(quiet);
    let waiting = Spark::quiet().thread(&COMMAND_FRAMES);
    let stuck = Spark::quiet().job(SparkJob::running(hours(70)));
    Workspace::named("data-science")
        .cluster(Cluster::driver_only_python("forecasting"))
        .cluster(idle("waiting-on-api", hours(6)).spark(waiting))
        .cluster(no_metrics(idle("pandas-box", hours(30)).single_node()))
        .cluster(
            Cluster::idle("stuck-since-monday")
                .started(hours(72))
                .spark(stuck)
                .load(Machine::All, &[]),
        )
        .cluster(idle("thesis", hours(60)).tag(keep_until, kept_until))
        .cluster(idle("paper", hours(60)).tag(keep_until, "when it is accepted"))
        .cluster(idle("migration-lab", hours(60)))
        .cluster(no_metrics(no_driver(idle("locked-down", hours(110)))))
        .cluster(no_metrics(idle("feature-tests", hours(5))))
        .cluster(no_metrics(idle("feature-store", hours(15))))
        .cluster(no_driver(idle("no-attach", hours(110))))
        .cluster(
            idle("last-quarter", hours(26))
                .tag(keep_until, ended)
                .tag("terminate-clusters", "false"),
        )
        .cluster(idle("churn-endpoint", hours(90)).source("MODELS"))
}

/// Streams, and what they leave behind.
fn events() -> Workspace {
    let silent = Stream::live("sensors", hours(40)).without_data();
    let unseen = Stream::live("clicks", hours(40)).ended(hours(30));
    let finished = Stream::live("replay", hours(9)).ended(hours(6));
    let without_page = StreamingPage::RedirectTo("/jobs/".to_owned());
    Workspace::named("events")
        .cluster(Cluster::streaming("orders-stream"))
        .cluster(
            Cluster::idle("sensor-stream")
                .since(hours(39))
                .spark(Spark::quiet().stream(silent)),
        )
        .cluster(
            Cluster::idle("clickstream")
                .since(hours(30))
                .started(hours(42))
                .spark(Spark::quiet().stream(unseen).streaming_page(without_page)),
        )
        .cluster(
            Cluster::idle("left-to-platform")
                .since(hours(5))
                .autotermination(60),
        )
        .cluster(
            Cluster::idle("replay-2023")
                .since(hours(6))
                .started(hours(10))
                .autoscale(2, 8)
                .spark(Spark::quiet().stream(finished)),
        )
        .cluster(Cluster::idle("warehouse-1").since(hours(20)).source("SQL"))
}

/// Nobody comes in from the public network.
fn finance() -> Workspace {
    Workspace::named("finance")
        .access(Access::PrivateLink(PrivateLink::Json))
        .cluster(Cluster::idle("ledger").since(hours(60)))
}

/// The principal may restart clusters, but is no admin and so cannot know that it sees all runs.
fn marketing() -> Workspace {
    Workspace::named("marketing")
        .member(Member::user(MAIN, Permission::CanRestart))
        .cluster(Cluster::idle("campaigns").since(hours(8)))
        .cluster(Cluster::busy("newsletter"))
}

/// Three idle clusters of four: more than the half that one sweep may terminate.
///
/// The one that must wait has the lowest id, and is idle for longer than the machines' metrics are read back,
/// so neither of the two can stand in for how long each has been idle.
fn sandbox() -> Workspace {
    Workspace::named("sandbox")
        .cluster(Cluster::idle("workshop-1").since(hours(30)))
        .cluster(Cluster::idle("workshop-2").since(hours(5)))
        .cluster(Cluster::idle("workshop-3").since(hours(20)))
        .cluster(Cluster::busy("workshop-4"))
}
