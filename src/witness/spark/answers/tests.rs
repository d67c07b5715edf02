//! What is left out, null, or not ours to know.

use serde_json::json;

use super::*;

fn environment(properties: &Value) -> Option<bool> {
    let answer = json!({"runtime": {}, "sparkProperties": properties, "classpathEntries": []});
    let read: Environment = serde_json::from_value(answer).unwrap();
    read.shows_streams
}

fn with_setting(value: &str) -> Option<bool> {
    environment(&json!([["spark.app.id", "app-1"], [STREAMING_UI, value]]))
}

#[test]
fn streams_are_shown_unless_the_settings_say_no() {
    assert_eq!(environment(&json!([["spark.app.id", "app-1"]])), Some(true));
    for on in ["true", "TRUE", " true "] {
        assert_eq!(with_setting(on), Some(true), "{on}");
    }
    for off in ["false", "False", " false"] {
        assert_eq!(with_setting(off), Some(false), "{off}");
    }
    let twice = json!([[STREAMING_UI, "false"], [STREAMING_UI, "true"]]);
    assert_eq!(environment(&twice), Some(false));
}

#[test]
fn the_recorded_environment_tells_that_the_page_was_taken_away() {
    let text = include_str!("../../../../tests/fixtures/spark/3.5.9/environment_off.json");
    let read: Environment = serde_json::from_str(text).unwrap();
    assert_eq!(read.shows_streams, Some(false));
    let on = text.replace(
        "\"spark.sql.streaming.ui.enabled\"",
        "\"spark.sql.streaming.ui\"",
    );
    let read: Environment = serde_json::from_str(&on).unwrap();
    assert_eq!(read.shows_streams, Some(true));
}

#[test]
fn settings_that_are_not_understood_tell_nothing() {
    for value in ["", "no", "*********(redacted)", "0"] {
        assert_eq!(with_setting(value), None, "{value}");
    }
    let shapes = [
        json!(null),
        json!([]),
        json!("spark.app.id"),
        json!({"spark.app.id": "app-1"}),
        json!([["spark.app.id"]]),
        json!([["spark.app.id", "app-1"], [STREAMING_UI, false]]),
        json!([["spark.app.id", "app-1", "more"]]),
        json!([["spark.app.id", "app-1"], null]),
    ];
    for shape in shapes {
        assert_eq!(environment(&shape), None, "{shape}");
    }
    let read: Environment = serde_json::from_str("{}").unwrap();
    assert_eq!(read.shows_streams, None);
}

#[test]
fn no_setting_of_a_user_is_kept_or_quoted() {
    let secret = "dapi0123456789abcdef";
    let shapes = [
        json!([["spark.my.key", secret], [STREAMING_UI, "false"]]),
        json!([["spark.my.key", 5, secret], [secret]]),
        json!(secret),
        json!({"spark.my.key": secret}),
    ];
    for shape in shapes {
        let answer = json!({"sparkProperties": shape}).to_string();
        let read = serde_json::from_str::<Environment>(&answer);
        let shown = format!("{read:?}");
        assert!(read.is_ok(), "{shown}");
        assert!(!shown.contains("dapi"), "{shown}");
    }
}

#[test]
fn what_is_left_out_and_what_is_null_are_the_same() {
    let bare: SqlExecution =
        serde_json::from_value(json!({"id": 1, "status": "COMPLETED"})).unwrap();
    let nulls: SqlExecution = serde_json::from_value(json!({"id": 1, "status": "COMPLETED",
        "description": null, "planDescription": null, "submissionTime": null, "duration": null,
        "runningJobIds": null, "successJobIds": null, "failedJobIds": null, "nodes": null,
        "edges": null, "queryId": null}))
    .unwrap();
    assert_eq!(bare, nulls);
    assert!(!bare.runs() && !bare.has_details());
    let bare: Job = serde_json::from_value(json!({"jobId": 1, "status": "RUNNING"})).unwrap();
    let nulls: Job = serde_json::from_value(json!({"jobId": 1, "status": "RUNNING",
        "description": null, "submissionTime": null, "completionTime": null, "jobGroup": null}))
    .unwrap();
    assert_eq!(bare, nulls);
    let none: Application = serde_json::from_value(json!({"id": "a", "attempts": null})).unwrap();
    assert!(none.attempts.is_empty());
}

#[test]
fn nothing_long_of_an_execution_is_kept() {
    let long = "x".repeat(1_000_000);
    let ids = vec![7; 100_000];
    let row = json!({"id": 1, "status": long, "description": long, "planDescription": long,
        "submissionTime": long, "successJobIds": ids, "nodes": ids});
    let row: SqlExecution = serde_json::from_value(row).unwrap();
    let shown = format!("{row:?}");
    assert!(shown.len() < 1000, "{} characters", shown.len());
    assert!(row.has_details() && row.had_jobs() && !row.runs());
}

#[test]
fn an_execution_with_a_running_job_runs_whatever_it_is_called() {
    for status in ["COMPLETED", "FAILED", "RUNNING"] {
        let row = json!({"id": 1, "status": status, "runningJobIds": [7]});
        let row: SqlExecution = serde_json::from_value(row).unwrap();
        assert!(row.runs(), "{status}");
    }
}
