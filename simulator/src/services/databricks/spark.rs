//! Spark's REST API as a driver answers it (measured on Spark 3.5.9): applications, jobs, stages, SQL
//! executions, executors, threads.
//!
//! Optional fields are left out when they have no value, dates end in the literal `GMT`, jobs come newest
//! first and SQL executions oldest first, 20 at a time. `activeTasks` is always 0, as the real one's mostly
//! is: job and stage status tell of work, task counts do not.

use serde_json::{Value, json};

use super::driver_proxy::{DriverVisit, page};
use crate::encode;
use crate::http::Answer;
use crate::world::{Moment, SparkJob, SqlExecution};

pub(super) fn answer(driver: &DriverVisit<'_>, path: &[&str]) -> Result<Answer, Answer> {
    match path {
        ["version"] => ok(
            driver,
            &[],
            || json!({ "spark": driver.cluster.spark.version }),
        ),
        ["applications"] => ok(driver, &["status", "minDate", "maxDate", "limit"], || {
            applications(driver)
        }),
        ["applications", app, rest @ ..] => {
            if *app != driver.cluster.spark_app_id() {
                return Err(Answer::text(404, format!("no such app: {app}")));
            }
            application(driver, rest)
        }
        _ => Err(unarranged(driver)),
    }
}

fn application(driver: &DriverVisit<'_>, path: &[&str]) -> Result<Answer, Answer> {
    match path {
        ["jobs"] => filtered(
            driver,
            jobs(driver),
            &["running", "succeeded", "failed", "unknown"],
            &["status"],
        ),
        ["stages"] => {
            let keys = [
                "status",
                "details",
                "withSummaries",
                "quantiles",
                "taskStatus",
            ];
            filtered(
                driver,
                stages(driver),
                &["active", "complete", "pending", "failed", "skipped"],
                &keys,
            )
        }
        ["sql"] => sql(driver),
        ["executors" | "allexecutors"] => ok(driver, &[], || json!([driver_executor(driver)])),
        ["executors", "driver", "threads"] => ok(driver, &[], || threads(driver)),
        ["streaming", "statistics"] => Err(Answer::text(
            404,
            "no streaming listener attached to Databricks Shell",
        )),
        _ => Err(unarranged(driver)),
    }
}

fn unarranged(driver: &DriverVisit<'_>) -> Answer {
    Answer::unarranged(format!("{} on a driver", driver.visit.request.path))
}

fn ok(
    driver: &DriverVisit<'_>,
    keys: &[&str],
    body: impl FnOnce() -> Value,
) -> Result<Answer, Answer> {
    driver.visit.check_keys(keys)?;
    Ok(Answer::new(200, "application/json", body().to_string()))
}

/// The rows whose status is among those asked for; a status that does not exist is answered 404 in HTML.
fn filtered(
    driver: &DriverVisit<'_>,
    rows: Vec<Value>,
    known: &[&str],
    keys: &[&str],
) -> Result<Answer, Answer> {
    driver.visit.check_keys(keys)?;
    let wanted: Vec<String> = driver
        .visit
        .request
        .query
        .all("status")
        .iter()
        .map(|status| status.to_ascii_lowercase())
        .collect();
    if wanted
        .iter()
        .any(|status| !known.contains(&status.as_str()))
    {
        return Err(page(404, "Error 404 Not Found"));
    }
    let rows: Vec<Value> = rows
        .into_iter()
        .filter(|row| {
            let status = row["status"]
                .as_str()
                .unwrap_or_default()
                .to_ascii_lowercase();
            wanted.is_empty() || wanted.contains(&status)
        })
        .collect();
    ok(driver, keys, || json!(rows))
}

fn app_started(driver: &DriverVisit<'_>) -> Moment {
    let cluster = driver.cluster;
    cluster
        .spark
        .started
        .or(cluster.started)
        .unwrap_or(cluster.created)
}

fn applications(driver: &DriverVisit<'_>) -> Value {
    let clock = &driver.visit.world.clock;
    if driver.visit.request.query.first("status") == Some("completed") {
        return json!([]);
    }
    // The application comes up a little after the cluster is told as started.
    let started = clock.epoch_ms(app_started(driver)) + 5_000;
    let started = started.min(clock.now_ms());
    json!([{
        "id": driver.cluster.spark_app_id(),
        "name": "Databricks Shell",
        "attempts": [{
            "startTime": encode::spark_time(started),
            "endTime": "1969-12-31T23:59:59.999GMT",
            "lastUpdated": encode::spark_time(started),
            "duration": clock.now_ms() - started,
            "sparkUser": "root",
            "completed": false,
            "appSparkVersion": driver.cluster.spark.version,
            "startTimeEpoch": started,
            "endTimeEpoch": -1,
            "lastUpdatedEpoch": started,
        }],
    }])
}

/// All jobs that the UI still knows with their ids, oldest first.
fn known_jobs(driver: &DriverVisit<'_>) -> Vec<(usize, SparkJob)> {
    let now = driver.visit.world.now();
    let spark = &driver.cluster.spark;
    let batches = spark.streams.iter().flat_map(|stream| stream.batches(now));
    let mut all: Vec<SparkJob> = spark
        .jobs
        .iter()
        .cloned()
        .chain(batches)
        .filter(|job| job.submitted <= now)
        .collect();
    all.sort_by_key(|job| job.submitted);
    let forgotten = all.len().saturating_sub(spark.retained_jobs);
    all.into_iter()
        .enumerate()
        .filter(|(index, job)| *index >= forgotten || is_running(job.completed, now))
        .collect()
}

fn is_running(completed: Option<Moment>, now: Moment) -> bool {
    completed.is_none_or(|completed| now < completed)
}

fn jobs(driver: &DriverVisit<'_>) -> Vec<Value> {
    known_jobs(driver)
        .iter()
        .rev()
        .map(|(id, job)| job_json(driver, *id, job))
        .collect()
}

fn job_json(driver: &DriverVisit<'_>, id: usize, job: &SparkJob) -> Value {
    let clock = &driver.visit.world.clock;
    let runs = is_running(job.completed, clock.now());
    let done = if runs { 0 } else { 8 };
    let mut body = json!({
        "jobId": id,
        "name": job.name,
        "submissionTime": encode::spark_time(clock.epoch_ms(job.submitted)),
        "stageIds": [id],
        "jobTags": [],
        "status": job_status(job, clock.now()),
        "numTasks": 8,
        "numActiveTasks": 0,
        "numCompletedTasks": done,
        "numSkippedTasks": 0,
        "numFailedTasks": 0,
        "numKilledTasks": 0,
        "numCompletedIndices": done,
        "numActiveStages": u8::from(runs),
        "numCompletedStages": u8::from(!runs),
        "numSkippedStages": 0,
        "numFailedStages": 0,
        "killedTasksSummary": {},
    });
    if let Some(completed) = job.completed.filter(|_| !runs) {
        body["completionTime"] = json!(encode::spark_time(clock.epoch_ms(completed)));
    }
    if let Some(description) = &job.description {
        body["description"] = json!(description);
    }
    if let Some(group) = &job.group {
        body["jobGroup"] = json!(group);
    }
    body
}

fn job_status(job: &SparkJob, now: Moment) -> &'static str {
    match (is_running(job.completed, now), job.fails) {
        (true, _) => "RUNNING",
        (false, true) => "FAILED",
        (false, false) => "SUCCEEDED",
    }
}

fn stages(driver: &DriverVisit<'_>) -> Vec<Value> {
    let clock = &driver.visit.world.clock;
    let now = clock.now();
    let jobs = known_jobs(driver);
    let next_id = jobs.last().map_or(0, |(id, _)| id + 1);
    let of_jobs = jobs.iter().rev().map(|(id, job)| {
        let status = match job_status(job, now) {
            "RUNNING" => "ACTIVE",
            "FAILED" => "FAILED",
            _ => "COMPLETE",
        };
        let completed = job.completed.filter(|completed| *completed <= now);
        (*id, status, job.submitted, completed)
    });
    let orphans = (0..driver.cluster.spark.orphan_stages as usize)
        .map(|index| (next_id + index, "ACTIVE", app_started(driver), None));
    orphans
        .chain(of_jobs)
        .map(|(id, status, submitted, completed)| {
            let mut stage = json!({
                "status": status,
                "stageId": id,
                "attemptId": 0,
                "numTasks": 8,
                "numActiveTasks": 0,
                "numCompleteTasks": if completed.is_some() { 8 } else { 0 },
                "name": "collect at <command>:1",
                "submissionTime": encode::spark_time(clock.epoch_ms(submitted)),
                "firstTaskLaunchedTime": encode::spark_time(clock.epoch_ms(submitted)),
                "schedulingPool": "default",
            });
            if let Some(completed) = completed {
                stage["completionTime"] = json!(encode::spark_time(clock.epoch_ms(completed)));
            }
            stage
        })
        .collect()
}

fn sql(driver: &DriverVisit<'_>) -> Result<Answer, Answer> {
    let query = &driver.visit.request.query;
    let number = |key: &str, default: i64| match query.first(key) {
        None => Ok(default),
        Some(text) => text
            .parse::<i64>()
            .map_err(|_| page(404, "Error 404 Not Found")),
    };
    let (offset, length) = (number("offset", 0)?, number("length", 20)?);
    let details = query.first("details").is_none_or(|text| text == "true");
    let plans = query
        .first("planDescription")
        .is_none_or(|text| text == "true");
    let now = driver.visit.world.now();
    let spark = &driver.cluster.spark;
    let batches = spark
        .streams
        .iter()
        .flat_map(|stream| stream.batches(now))
        .map(|job| SqlExecution {
            submitted: job.submitted,
            completed: job.completed,
            fails: false,
            description: job.description.unwrap_or_default(),
        });
    let mut executions: Vec<SqlExecution> = spark
        .sql
        .iter()
        .cloned()
        .chain(batches)
        .filter(|execution| execution.submitted <= now)
        .collect();
    executions.sort_by_key(|execution| execution.submitted);
    let rows: Vec<Value> = executions
        .iter()
        .enumerate()
        // A negative offset was seen to return everything.
        .skip(usize::try_from(offset).unwrap_or(0))
        .take(if offset < 0 {
            usize::MAX
        } else {
            usize::try_from(length).unwrap_or(0)
        })
        .map(|(id, execution)| sql_json(driver, id, execution, details, plans))
        .collect();
    ok(
        driver,
        &["details", "planDescription", "offset", "length"],
        || json!(rows),
    )
}

fn sql_json(
    driver: &DriverVisit<'_>,
    id: usize,
    execution: &SqlExecution,
    details: bool,
    plans: bool,
) -> Value {
    let clock = &driver.visit.world.clock;
    let now = clock.now();
    let runs = is_running(execution.completed, now);
    let end = execution.completed.filter(|_| !runs).unwrap_or(now);
    let status = match (runs, execution.fails) {
        (true, _) => "RUNNING",
        (false, true) => "FAILED",
        (false, false) => "COMPLETED",
    };
    let duration = clock.epoch_ms(end) - clock.epoch_ms(execution.submitted);
    let (running, finished) = if runs {
        (vec![id], vec![])
    } else {
        (vec![], vec![id])
    };
    let mut row = json!({
        "id": id,
        "status": status,
        "description": execution.description,
        "planDescription": if plans { "== Physical Plan ==\nLocalTableScan (1)\n" } else { "" },
        "submissionTime": encode::spark_time(clock.epoch_ms(execution.submitted)),
        "duration": duration,
        "runningJobIds": running,
        "successJobIds": if execution.fails { vec![] } else { finished.clone() },
        "failedJobIds": if execution.fails { finished } else { vec![] },
        "nodes": [],
        "edges": [],
    });
    if details {
        row["nodes"] = json!([{ "nodeId": 0, "nodeName": "LocalTableScan", "metrics": [] }]);
    }
    row
}

fn driver_executor(driver: &DriverVisit<'_>) -> Value {
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

fn threads(driver: &DriverVisit<'_>) -> Value {
    driver
        .cluster
        .spark
        .threads
        .iter()
        .enumerate()
        .map(|(id, frames)| {
            json!({
                "threadId": id + 1,
                "threadName": format!("Thread-{id}"),
                "threadState": "RUNNABLE",
                "stackTrace": { "elems": frames },
                "blockedByLock": "",
                "holdingLocks": [],
            })
        })
        .collect()
}
