//! Spark's REST API as a driver answers it (measured on Spark 3.5.9): applications, jobs, stages, SQL
//! executions, executors, threads, environment.
//!
//! Optional fields are left out when they have no value, dates end in the literal `GMT`, jobs come newest
//! first. Job and stage status tell of work, task counts do not. Of finished work the earliest ended is
//! forgotten first.

mod process;
mod sql;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::driver_proxy::{DriverVisit, page};
use crate::encode;
use crate::http::Answer;
use crate::world::{Moment, SparkJob};

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
        ["sql"] => sql::answer(driver),
        ["executors" | "allexecutors"] => ok(driver, &[], || json!([process::executor(driver)])),
        ["executors", "driver", "threads"] => ok(driver, &[], || process::threads(driver)),
        ["environment"] => ok(driver, &[], || process::environment(driver)),
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
    let spark = &driver.cluster.spark;
    // The application comes up a little after the cluster is told as started.
    let started = clock.epoch_ms(app_started(driver)) + 5_000;
    let own = (
        driver.cluster.spark_app_id(),
        started.min(clock.now_ms()),
        spark.has_ended,
    );
    let others = spark.other_applications.iter().map(|other| {
        let started = clock.epoch_ms(other.started);
        (other.id.clone(), started, other.has_ended)
    });
    let wanted = driver.visit.request.query.first("status");
    std::iter::once(own)
        .chain(others)
        .filter(|(_, _, has_ended)| match wanted {
            Some("completed") => *has_ended,
            Some("running") => !has_ended,
            _ => true,
        })
        .map(|(id, started, has_ended)| application_json(driver, &id, started, has_ended))
        .collect()
}

fn application_json(driver: &DriverVisit<'_>, id: &str, started: i64, has_ended: bool) -> Value {
    let now = driver.visit.world.clock.now_ms();
    let end = if has_ended { now } else { -1 };
    json!({
        "id": id,
        "name": "Databricks Shell",
        "attempts": [{
            "startTime": encode::spark_time(started),
            "endTime": encode::spark_time(end),
            "lastUpdated": encode::spark_time(started),
            "duration": now - started,
            "sparkUser": "root",
            "completed": has_ended,
            "appSparkVersion": driver.cluster.spark.version,
            "startTimeEpoch": started,
            "endTimeEpoch": end,
            "lastUpdatedEpoch": started,
        }],
    })
}

/// All jobs so far in order of their ids.
fn all_jobs(driver: &DriverVisit<'_>) -> Vec<SparkJob> {
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
    all
}

/// The jobs that the UI still knows with their ids, oldest first.
fn known_jobs(driver: &DriverVisit<'_>) -> Vec<(usize, SparkJob)> {
    let all = all_jobs(driver);
    let ends: Vec<_> = all.iter().map(|job| job.completed).collect();
    let retained = driver.cluster.spark.retained_jobs;
    let forgotten = forget(&ends, retained, driver.visit.world.now());
    let numbered = all.into_iter().enumerate();
    numbered.filter(|(id, _)| !forgotten.contains(id)).collect()
}

/// Which of the rows with these ends are too many: of those that have ended, the ones that ended first.
fn forget(ends: &[Option<Moment>], retained: usize, now: Moment) -> BTreeSet<usize> {
    let ended = ends.iter().enumerate().filter_map(|(id, end)| {
        let end = end.filter(|end| !is_running(Some(*end), now))?;
        Some((end, id))
    });
    let by_end: BTreeSet<(Moment, usize)> = ended.collect();
    let too_many = ends.len().saturating_sub(retained);
    by_end
        .into_iter()
        .take(too_many)
        .map(|(_, id)| id)
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
