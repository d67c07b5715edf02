//! The driver's process as its UI tells it: executors, threads, environment.
//!
//! `activeTasks` is always 0, as the real one's mostly is. A live stream has a thread of its own whether
//! data comes or not; its name is that of Apache Spark 2.0 to 4.1 (`StreamExecution`).

use serde_json::{Value, json};

use super::{app_started, known_jobs};
use crate::encode;
use crate::services::databricks::driver_proxy::DriverVisit;

pub(super) fn executor(driver: &DriverVisit<'_>) -> Value {
    let clock = &driver.visit.world.clock;
    let cores = driver.cluster.vms.first().map_or(4.0, |vm| vm.cores);
    json!({
        "id": "driver",
        "hostPort": "10.139.64.10:38000",
        "isActive": true,
        "rddBlocks": 0,
        "memoryUsed": 0,
        "diskUsed": 0,
        "totalCores": cores,
        "maxTasks": cores,
        "activeTasks": 0,
        "failedTasks": 0,
        "completedTasks": known_jobs(driver).len() * 8,
        "totalTasks": known_jobs(driver).len() * 8,
        "totalDuration": 0,
        "addTime": encode::spark_time(clock.epoch_ms(app_started(driver))),
        "isExcluded": false,
    })
}

pub(super) fn threads(driver: &DriverVisit<'_>) -> Value {
    let spark = &driver.cluster.spark;
    let now = driver.visit.world.now();
    let frames = spark.threads.iter().enumerate();
    let ordinary = frames.map(|(id, frames)| (format!("Thread-{id}"), frames.clone()));
    let live = spark.streams.iter().filter(|stream| stream.is_active(now));
    let of_streams = live.filter(|_| spark.stream_threads).map(|stream| {
        let name = stream.name.as_ref().map(|name| format!("{name} "));
        let (name, id, run_id) = (name.unwrap_or_default(), &stream.id, &stream.run_id);
        let name = format!("stream execution thread for {name}[id = {id}, runId = {run_id}]");
        (
            name,
            vec!["java.base@17.0.12/java.lang.Object.wait(Native Method)".to_owned()],
        )
    });
    ordinary
        .chain(of_streams)
        .enumerate()
        .map(|(id, (name, frames))| {
            json!({
                "threadId": id + 1,
                "threadName": name,
                "threadState": "RUNNABLE",
                "stackTrace": { "elems": frames },
                "blockedByLock": "",
                "holdingLocks": [],
            })
        })
        .collect()
}

pub(super) fn environment(driver: &DriverVisit<'_>) -> Value {
    let cluster = driver.cluster;
    let mut properties = vec![
        json!(["spark.app.id", cluster.spark_app_id()]),
        json!(["spark.app.name", "Databricks Shell"]),
        json!(["spark.databricks.clusterUsageTags.clusterId", cluster.id]),
        json!(["spark.ui.port", "40001"]),
    ];
    properties.extend(
        cluster
            .spark
            .conf
            .iter()
            .map(|(key, value)| json!([key, value])),
    );
    json!({
        "runtime": { "javaVersion": "17.0.12 (Azul Systems, Inc.)", "scalaVersion": "version 2.12.18" },
        "sparkProperties": properties,
        "hadoopProperties": [["fs.azure.skip.metrics", "true"]],
        "systemProperties": [["java.vendor", "Azul Systems, Inc."]],
        "metricsProperties": [],
        "classpathEntries": [["/databricks/jars/spark-core.jar", "System Classpath"]],
        "resourceProfiles": [],
    })
}
