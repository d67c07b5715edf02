//! A page of job runs and the whole of one: a cluster that a run names anywhere
//! is known to be named, or the walk says that it failed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use terminate_clusters::databricks::{CompletedRuns, Databricks};
use terminate_clusters::timestamp::Timestamp;
use terminate_clusters_fuzz::{Answers, assert_is_shown_safely, items, json, run, workspace};

const PAGES: usize = 4;

fuzz_target!(|data: &[u8]| {
    let answers = Answers::of(data);
    let client = client(&answers);
    let first = answers.json(0);
    let runs = first.as_ref().map_or(&[][..], |page| items(page, "runs"));
    match run(client.active_runs(PAGES)) {
        Ok(active) => {
            // Complete only with a page, which is JSON.
            let _ = answers.plain(0);
            for id in runs.iter().flat_map(links) {
                let is_named = active.by_cluster.keys().any(|known| known.as_str() == id);
                assert!(is_named, "{id} is lost");
            }
            for label in active.by_cluster.values() {
                assert_is_shown_safely(&label.to_string());
            }
            let again = run(client.active_runs(PAGES)).ok();
            assert_eq!(again, Some(active), "read twice");
        }
        Err(error) => assert_is_shown_safely(&error.to_string()),
    }
    let completed = run(client.completed_runs(Timestamp::from_millis(0), PAGES));
    assert_is_complete(runs, &completed);
});

fn client(answers: &Answers) -> Databricks {
    let answers = answers.clone();
    Databricks::new(workspace(move |request| {
        let is_one = request.uri().path().ends_with("/runs/get");
        let is_later = request
            .uri()
            .query()
            .unwrap_or_default()
            .contains("page_token=");
        let number = match (is_one, is_later) {
            (false, false) => 0,
            (false, true) => 1,
            (true, false) => 2,
            (true, true) => 3,
        };
        json(answers.body(number))
    }))
}

fn assert_is_complete(runs: &[Value], completed: &CompletedRuns) {
    for label in completed.not_over_by_cluster.values() {
        assert_is_shown_safely(&label.to_string());
    }
    if let Some(why) = &completed.cut_short {
        assert_is_shown_safely(&why.to_string());
        return;
    }
    for run in runs {
        let has_ended = run
            .get("end_time")
            .and_then(Value::as_i64)
            .is_some_and(|end| end > 0);
        for id in links(run).into_iter().filter(|_| has_ended) {
            let mut ends = completed.latest_end_by_cluster.keys();
            assert!(
                ends.any(|known| known.as_str() == id),
                "the end on {id} is lost"
            );
        }
    }
}

/// Every cluster that a run names at any depth, by a plain reading.
fn links(value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => {
            let of_member = |(key, value): (&String, &Value)| {
                let is_link = key == "cluster_id" || key == "existing_cluster_id";
                let id = value.as_str().filter(|id| is_link && !id.is_empty());
                id.map_or_else(|| links(value), |id| vec![id.to_owned()])
            };
            members.iter().flat_map(of_member).collect()
        }
        Value::Array(values) => values.iter().flat_map(links).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}
