//! SQL executions: the oldest first, 20 at a time unless a length is given, the earliest ended forgotten.
//!
//! Which jobs an execution has had is told by its row even where the jobs themselves are forgotten.

use serde_json::{Value, json};

use super::{all_jobs, forget, is_running, ok};
use crate::encode;
use crate::http::Answer;
use crate::services::databricks::driver_proxy::{DriverVisit, page};
use crate::world::{SparkJob, SqlExecution};

pub(super) fn answer(driver: &DriverVisit<'_>) -> Result<Answer, Answer> {
    let query = &driver.visit.request.query;
    let number = |key: &str, default: i64| match query.first(key) {
        None => Ok(default),
        Some(text) => text
            .parse::<i64>()
            .map_err(|_| page(404, "Error 404 Not Found")),
    };
    let (offset, length) = (number("offset", 0)?, number("length", 20)?);
    let shown = |key: &str| query.first(key).is_none_or(|text| text == "true");
    let (details, plans) = (shown("details"), shown("planDescription"));
    let jobs = all_jobs(driver);
    let rows: Vec<Value> = known(driver)
        .iter()
        // A negative offset was seen to return everything.
        .skip(usize::try_from(offset).unwrap_or(0))
        .take(if offset < 0 {
            usize::MAX
        } else {
            usize::try_from(length).unwrap_or(0)
        })
        .map(|(id, execution)| {
            let mut row = row(driver, *id, execution, &jobs);
            if plans {
                row["planDescription"] = json!("== Physical Plan ==\nLocalTableScan (1)\n");
            }
            if details {
                let node = json!({ "nodeId": 0, "nodeName": "LocalTableScan", "metrics": [] });
                row["nodes"] = json!([node]);
            }
            row
        })
        .collect();
    ok(
        driver,
        &["details", "planDescription", "offset", "length"],
        || json!(rows),
    )
}

/// The executions that the UI still knows with their ids, oldest first.
fn known(driver: &DriverVisit<'_>) -> Vec<(usize, SqlExecution)> {
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
    let ends: Vec<_> = executions
        .iter()
        .map(|execution| execution.completed)
        .collect();
    let forgotten = forget(&ends, spark.retained_executions, now);
    let numbered = executions.into_iter().enumerate();
    numbered.filter(|(id, _)| !forgotten.contains(id)).collect()
}

fn row(driver: &DriverVisit<'_>, id: usize, execution: &SqlExecution, jobs: &[SparkJob]) -> Value {
    let clock = &driver.visit.world.clock;
    let now = clock.now();
    let runs = is_running(execution.completed, now);
    let end = execution.completed.filter(|_| !runs).unwrap_or(now);
    let status = match (runs, execution.fails) {
        (true, _) => "RUNNING",
        (false, true) => "FAILED",
        (false, false) => "COMPLETED",
    };
    let jobs_that = |wanted: fn(bool, bool) -> bool| -> Vec<usize> {
        let within = |job: &SparkJob| execution.submitted <= job.submitted && job.submitted <= end;
        let numbered = jobs.iter().enumerate();
        let wanted = numbered
            .filter(|(_, job)| within(job) && wanted(is_running(job.completed, now), job.fails));
        wanted.map(|(id, _)| id).collect()
    };
    json!({
        "id": id,
        "status": status,
        "description": execution.description,
        "planDescription": "",
        "submissionTime": encode::spark_time(clock.epoch_ms(execution.submitted)),
        "duration": clock.epoch_ms(end) - clock.epoch_ms(execution.submitted),
        "runningJobIds": jobs_that(|runs, _| runs),
        "successJobIds": jobs_that(|runs, fails| !runs && !fails),
        "failedJobIds": jobs_that(|runs, fails| !runs && fails),
        "nodes": [],
        "edges": [],
    })
}
