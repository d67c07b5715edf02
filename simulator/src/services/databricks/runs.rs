//! Jobs API 2.1 and 2.2: listing runs and reading one.
//!
//! Newest start first, at most 25 a page, at most 100 tasks of a run; the rest of a run's tasks comes page
//! by page from `get`. A caller who is no admin sees a subset and is not told so.

use serde_json::{Value, json};

use super::{Visit, clusters, invalid, paging};
use crate::http::Answer;
use crate::world::{Run, StateStyle, Task, TaskForm};

const LIST_KEYS: [&str; 9] = [
    "active_only",
    "completed_only",
    "expand_tasks",
    "job_id",
    "limit",
    "page_token",
    "run_type",
    "start_time_from",
    "start_time_to",
];
/// The service's own maximum.
const MAX_PAGE_SIZE: usize = 25;
const DEFAULT_PAGE_SIZE: usize = 20;
/// Most tasks of a run in one answer.
const MAX_TASKS: usize = 100;

pub(super) fn list(visit: &Visit<'_>) -> Result<Answer, Answer> {
    visit.check_keys(&LIST_KEYS)?;
    let query = &visit.request.query;
    if query.is_true("active_only") && query.is_true("completed_only") {
        return Err(invalid(
            "Only one of active_only and completed_only may be true.",
        ));
    }
    let limit = match query.first("limit") {
        None => DEFAULT_PAGE_SIZE,
        Some(text) => match text.parse() {
            Ok(0) => MAX_PAGE_SIZE,
            Ok(limit) if limit <= MAX_PAGE_SIZE => limit,
            Ok(_) | Err(_) => return Err(invalid("limit must be between 1 and 25")),
        },
    };
    let mut runs: Vec<&Run> = visit
        .workspace
        .runs
        .iter()
        .filter(|run| is_wanted(visit, run))
        .collect();
    runs.sort_by_key(|run| (std::cmp::Reverse(run.started), std::cmp::Reverse(run.id)));
    let depends_on: Vec<&(String, String)> = query
        .pairs()
        .iter()
        .filter(|(key, _)| key != "page_token")
        .collect();
    let size = limit.min(visit.workspace.run_page_size);
    let page = paging::cut(
        runs,
        size,
        query.first("page_token"),
        &format!("{depends_on:?}"),
    )
    .map_err(|message| invalid(&message))?;
    let mut body = json!({ "has_more": page.next.is_some() });
    if !page.items.is_empty() {
        let expand = query.is_true("expand_tasks");
        let items = page.items.iter().map(|run| {
            let tasks = run.tasks.iter().take(if expand { MAX_TASKS } else { 0 });
            let mut item = run_json(visit, run, tasks);
            if expand && run.tasks.len() > MAX_TASKS && is_version_2_2(visit) {
                item["has_more"] = json!(true);
            }
            item
        });
        body["runs"] = items.collect();
    }
    clusters::end_page(&mut body, visit.workspace, page.next, page.previous);
    Ok(Answer::json(200, &body))
}

fn is_version_2_2(visit: &Visit<'_>) -> bool {
    visit.request.path.starts_with("/api/2.2/")
}

fn is_visible(visit: &Visit<'_>, run: &Run) -> bool {
    visit.caller.is_admin || run.is_visible_to_all
}

fn is_wanted(visit: &Visit<'_>, run: &Run) -> bool {
    let query = &visit.request.query;
    let clock = &visit.world.clock;
    let is_active = run.is_active(clock.now());
    let started = clock.epoch_ms(run.started);
    let bound = |key| query.first(key).and_then(|text| text.parse::<i64>().ok());
    is_visible(visit, run)
        && (!query.is_true("active_only") || is_active)
        && (!query.is_true("completed_only") || !is_active)
        && bound("job_id").is_none_or(|job| job == run.job_id)
        && query
            .first("run_type")
            .is_none_or(|run_type| run_type == run.run_type)
        && bound("start_time_from").is_none_or(|from| from <= started)
        && bound("start_time_to").is_none_or(|to| started <= to)
}

pub(super) fn get(visit: &Visit<'_>) -> Result<Answer, Answer> {
    visit.check_keys(&[
        "run_id",
        "page_token",
        "include_history",
        "include_resolved_values",
    ])?;
    let query = &visit.request.query;
    let text = query.first("run_id").unwrap_or_default();
    let found = visit
        .workspace
        .runs
        .iter()
        .find(|run| run.id.to_string() == text && is_visible(visit, run));
    let Some(run) = found else {
        return Err(invalid(&format!("Run {text} does not exist.")));
    };
    let tasks: Vec<&Task> = run.tasks.iter().collect();
    let page = paging::cut(tasks, MAX_TASKS, query.first("page_token"), text)
        .map_err(|message| invalid(&message))?;
    let mut body = run_json(visit, run, page.items.iter().copied());
    // Only 2.2 tells how to come by the tasks beyond the first hundred.
    if let Some(next) = page.next.filter(|_| is_version_2_2(visit)) {
        body["next_page_token"] = json!(next);
        body["has_more"] = json!(true);
    }
    Ok(Answer::json(200, &body))
}

fn run_json<'t>(visit: &Visit<'_>, run: &Run, tasks: impl Iterator<Item = &'t Task>) -> Value {
    let clock = &visit.world.clock;
    let now = clock.now();
    let mut body = json!({
        "run_id": run.id,
        "job_id": run.job_id,
        "number_in_job": run.id,
        "run_name": run.name,
        "run_type": run.run_type,
        "creator_user_name": "owner@example.com",
        "format": if run.tasks.is_empty() { "SINGLE_TASK" } else { "MULTI_TASK" },
        "start_time": clock.epoch_ms(run.started),
        "setup_duration": 0,
        "execution_duration": 0,
        "cleanup_duration": 0,
        "trigger": "PERIODIC",
    });
    let is_active = run.is_active(now);
    add_state(&mut body, run.state_style, &run.state, is_active);
    // An active run says 0 for its end.
    let ended = run.ended.filter(|_| !is_active);
    body["end_time"] = json!(ended.map_or(0, |ended| clock.epoch_ms(ended)));
    if let Some(ended) = ended {
        let length = clock.epoch_ms(ended) - clock.epoch_ms(run.started);
        body["run_duration"] = json!(length);
    }
    let tasks: Vec<Value> = tasks.map(|task| task_json(visit, run, task)).collect();
    if !tasks.is_empty() {
        body["tasks"] = json!(tasks);
        if run
            .tasks
            .iter()
            .any(|task| task.form == TaskForm::JobCluster)
        {
            body["job_clusters"] =
                json!([{ "job_cluster_key": "shared_cluster", "new_cluster": {} }]);
        }
    }
    if let Some((cluster, form)) = &run.legacy_cluster {
        let id = cluster_id(visit, cluster);
        if *form != TaskForm::Instance {
            body["cluster_spec"] = json!({ "existing_cluster_id": id });
        }
        if *form != TaskForm::ExistingOnly {
            body["cluster_instance"] = instance(visit, cluster);
        }
    }
    body
}

fn task_json(visit: &Visit<'_>, run: &Run, task: &Task) -> Value {
    let clock = &visit.world.clock;
    let ended = task
        .ended
        .or(run.ended)
        .filter(|ended| *ended <= clock.now());
    let mut body = json!({
        "run_id": run.id * 1000 + i64::try_from(crate::encode::number_for(&task.key) % 1000).unwrap_or(0),
        "task_key": task.key,
        "start_time": clock.epoch_ms(run.started),
        "end_time": ended.map_or(0, |ended| clock.epoch_ms(ended)),
        "attempt_number": 0,
    });
    add_state(&mut body, run.state_style, &task.state, ended.is_none());
    let id = cluster_id(visit, &task.cluster);
    match task.form {
        TaskForm::Existing => {
            body["existing_cluster_id"] = json!(id);
            body["cluster_instance"] = instance(visit, &task.cluster);
        }
        TaskForm::Instance => body["cluster_instance"] = instance(visit, &task.cluster),
        TaskForm::ExistingOnly => body["existing_cluster_id"] = json!(id),
        TaskForm::ForEach => {
            body["for_each_task"] = json!({
                "inputs": "[1,2]",
                "task": { "task_key": format!("{}_iteration", task.key), "existing_cluster_id": id },
            });
        }
        TaskForm::JobCluster => {
            body["job_cluster_key"] = json!("shared_cluster");
            body["cluster_instance"] = instance(visit, &task.cluster);
        }
        TaskForm::None => body["sql_task"] = json!({ "warehouse_id": "0123456789abcdef" }),
    }
    body
}

/// The id of a cluster that a run names; a name that the workspace does not hold passes for an id.
fn cluster_id(visit: &Visit<'_>, name: &str) -> String {
    visit
        .workspace
        .find(name)
        .map_or_else(|| name.to_owned(), |cluster| cluster.id.clone())
}

/// Jobs tell the Spark context's id as a string, where clusters tell a number.
fn instance(visit: &Visit<'_>, name: &str) -> Value {
    let context = visit
        .workspace
        .find(name)
        .map_or(0, |cluster| cluster.spark_context_id);
    json!({ "cluster_id": cluster_id(visit, name), "spark_context_id": context.to_string() })
}

fn add_state(body: &mut Value, style: StateStyle, state: &str, is_active: bool) {
    let state = if is_active { state } else { "TERMINATED" };
    if style != StateStyle::Status {
        let mut legacy = json!({ "life_cycle_state": state, "state_message": "" });
        if !is_active {
            legacy["result_state"] = json!("SUCCESS");
        }
        body["state"] = legacy;
    }
    if style != StateStyle::Legacy {
        let mut status = json!({ "state": state });
        if !is_active {
            status["termination_details"] =
                json!({ "code": "SUCCESS", "type": "SUCCESS", "message": "" });
        }
        body["status"] = status;
    }
}
