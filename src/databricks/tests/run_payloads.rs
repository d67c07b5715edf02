//! Run payloads of several years and shapes, each read as an item of the list of
//! active runs and as one of the list of completed runs.
//!
//! A row says which clusters the payload keeps busy, when its work on them ended,
//! and which of them it keeps busy even though it is listed as completed.

use super::*;

macro_rules! payload {
    ($name:literal) => {
        (
            $name,
            include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/fixtures/databricks/",
                $name,
                ".json"
            )),
        )
    };
}

const LIST: &str = "/api/2.2/jobs/runs/list";
const FROM: Timestamp = Timestamp::from_millis(1_795_200_000_000);

/// What one payload must come to.
struct Row {
    payload: (&'static str, &'static str),
    /// Cluster and clause, of the list of active runs.
    active: &'static [(&'static str, &'static str)],
    /// Cluster and milliseconds, of the list of completed runs.
    ends: &'static [(&'static str, i64)],
    /// The clusters that it keeps busy though it is listed as completed.
    not_over: &'static [&'static str],
}

/// Lists of one run; `runs/get` answers the same run.
fn listed(payload: &str) -> Databricks {
    let item = payload.to_owned();
    let (databricks, _) = workspace(move |path, _, _| match path {
        LIST => (200, format!(r#"{{"runs":[{item}]}}"#)),
        _ => (200, item.clone()),
    });
    databricks
}

async fn check(row: &Row) {
    let (name, json) = row.payload;
    let databricks = listed(json);
    let active = databricks.active_runs(10).await;
    let active = active.unwrap_or_else(|error| panic!("{name}: {error}"));
    let clauses = active.by_cluster.iter();
    let clauses: Vec<_> = clauses
        .map(|(cluster, run)| (cluster.as_str(), run.to_string()))
        .collect();
    let clauses: Vec<_> = clauses
        .iter()
        .map(|(cluster, run)| (*cluster, run.as_str()))
        .collect();
    assert_eq!(clauses, row.active, "{name}");

    let completed = databricks.completed_runs(FROM, 10).await;
    assert!(completed.cut_short.is_none(), "{name}: {completed:?}");
    let ends = completed.latest_end_by_cluster.iter();
    let ends: Vec<_> = ends
        .map(|(cluster, at)| (cluster.as_str(), at.as_millis()))
        .collect();
    assert_eq!(ends, row.ends, "{name}");
    let not_over = completed.not_over_by_cluster.keys();
    let not_over: Vec<_> = not_over.map(ClusterId::as_str).collect();
    assert_eq!(not_over, row.not_over, "{name}");
}

#[tokio::test(start_paused = true)]
async fn runs_of_the_years_of_one_task_name_their_cluster() {
    for row in [
        Row {
            payload: payload!("run_2018_existing_cluster"),
            active: &[("0501-000000-old2018a", "run 3101 `load` is RUNNING")],
            ends: &[],
            not_over: &["0501-000000-old2018a"],
        },
        // Its cluster is yet to be made, so it can be none that runs.
        Row {
            payload: payload!("run_2019_new_cluster_pending"),
            active: &[],
            ends: &[],
            not_over: &[],
        },
        Row {
            payload: payload!("run_2021_single_task"),
            active: &[("1101-000000-one20211", "run 3301 `one` is RUNNING")],
            ends: &[],
            not_over: &["1101-000000-one20211"],
        },
        Row {
            payload: payload!("run_2024_workflow_run"),
            active: &[(
                "0201-000000-caller01",
                "run 3901 `called by a notebook` is RUNNING",
            )],
            ends: &[],
            not_over: &["0201-000000-caller01"],
        },
    ] {
        check(&row).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_of_several_tasks_keeps_every_cluster_of_every_task() {
    const LABEL: &str = "run 3401 `pipeline of tasks` is RUNNING";
    for row in [
        Row {
            payload: payload!("run_2021_multi_task"),
            active: &[
                ("1201-000000-publish1", LABEL),
                ("1201-000000-shared01", LABEL),
                ("1201-000000-train001", LABEL),
            ],
            ends: &[("1201-000000-shared01", 1_638_318_000_000)],
            not_over: &[
                "1201-000000-publish1",
                "1201-000000-shared01",
                "1201-000000-train001",
            ],
        },
        Row {
            payload: payload!("run_2024_status_beside_state"),
            active: &[("0801-000000-status01", "run 4001 `nightly` is TERMINATED")],
            ends: &[("0801-000000-status01", 1_795_327_000_000)],
            not_over: &[],
        },
    ] {
        check(&row).await;
    }
}

#[tokio::test(start_paused = true)]
async fn each_attempt_of_a_repaired_task_counts() {
    for row in [
        Row {
            payload: payload!("run_2022_repaired_active"),
            active: &[("0601-000000-repair01", "run 3501 `repaired` is RUNNING")],
            ends: &[("0601-000000-repair01", 1_795_311_000_000)],
            not_over: &["0601-000000-repair01"],
        },
        // The second cluster's second attempt tells no end, so the run's counts.
        Row {
            payload: payload!("run_2022_repaired_completed"),
            active: &[
                ("0601-000000-repair01", "run 3501 `repaired` is TERMINATED"),
                ("0601-000000-repair02", "run 3501 `repaired` is TERMINATED"),
                ("0601-000000-repair03", "run 3501 `repaired` is TERMINATED"),
            ],
            ends: &[
                ("0601-000000-repair01", 1_795_329_000_000),
                ("0601-000000-repair02", 1_795_330_000_000),
                ("0601-000000-repair03", 1_795_315_000_000),
            ],
            not_over: &[],
        },
    ] {
        check(&row).await;
    }
}

#[tokio::test(start_paused = true)]
async fn work_that_hides_in_another_task_or_run_is_found() {
    for row in [
        Row {
            payload: payload!("run_2023_for_each"),
            active: &[("0301-000000-foreach1", "run 3601 `for each` is RUNNING")],
            ends: &[],
            not_over: &["0301-000000-foreach1"],
        },
        Row {
            payload: payload!("run_2023_for_each_iterations"),
            active: &[("0301-000000-foreach1", "run 3602 `for each` is TERMINATED")],
            ends: &[("0301-000000-foreach1", 1_795_329_910_000)],
            not_over: &[],
        },
        // The parent works nowhere; its child is a run of its own.
        Row {
            payload: payload!("run_2023_run_job"),
            active: &[],
            ends: &[],
            not_over: &[],
        },
        Row {
            payload: payload!("run_2023_run_job_child"),
            active: &[("0401-000000-child001", "run 3801 `child` is RUNNING")],
            ends: &[],
            not_over: &["0401-000000-child001"],
        },
    ] {
        check(&row).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_state_counts_as_active() {
    for row in [
        Row {
            payload: payload!("run_2025_status_only"),
            active: &[("0901-000000-waiting1", "run 4101 `waits` is WAITING")],
            ends: &[],
            not_over: &["0901-000000-waiting1"],
        },
        Row {
            payload: payload!("run_2026_new_words"),
            active: &[(
                "1001-000000-agent001",
                "run 4201 `of tomorrow` is SUSPENDED",
            )],
            ends: &[],
            not_over: &["1001-000000-agent001"],
        },
        // It says nothing of its state and has no end.
        Row {
            payload: payload!("run_nulls"),
            active: &[("1111-000000-nulls001", "run 4501")],
            ends: &[],
            not_over: &["1111-000000-nulls001"],
        },
    ] {
        check(&row).await;
    }
}

#[tokio::test(start_paused = true)]
async fn states_that_disagree_count_as_active() {
    const CLUSTER: &str = "1101-000000-twominds";
    for (payload, clause) in [
        (
            payload!("run_disagrees_old_says_running"),
            "run 4301 `two minds` is RUNNING and TERMINATED",
        ),
        (
            payload!("run_disagrees_new_says_running"),
            "run 4311 `two minds` is RUNNING and TERMINATED",
        ),
        (
            payload!("run_disagrees_task_goes_on"),
            "run 4321 `two minds` is TERMINATED",
        ),
    ] {
        let (name, json) = payload;
        let active = listed(json).active_runs(10).await.expect(name);
        let shown = active.by_cluster.get(&ClusterId::new(CLUSTER));
        assert_eq!(shown.map(ToString::to_string).as_deref(), Some(clause));
        let completed = listed(json).completed_runs(FROM, 10).await;
        let not_over = completed.not_over_by_cluster.get(&ClusterId::new(CLUSTER));
        assert_eq!(not_over, shown, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_state_that_is_no_end_counts_as_active() {
    let not_over = async |run: &str| {
        let json = format!(
            r#"{{"run_id":1,"end_time":1795300000000,"tasks":[{{"existing_cluster_id":"a"}}],{run}}}"#
        );
        let completed = listed(&json).completed_runs(FROM, 10).await;
        assert_eq!(completed.latest_end_by_cluster.len(), 1, "{run}");
        !completed.not_over_by_cluster.is_empty()
    };
    for over in ["TERMINATED", "SKIPPED", "INTERNAL_ERROR"] {
        assert!(!not_over(&format!(r#""status":{{"state":"{over}"}}"#)).await);
        assert!(!not_over(&format!(r#""state":{{"life_cycle_state":"{over}"}}"#)).await);
    }
    for silent in [
        r#""state":null,"status":{}"#,
        r#""state":{"life_cycle_state":null}"#,
        r#""status":{"state":""}"#,
    ] {
        assert!(!not_over(silent).await, "{silent}");
    }
    for other in [
        r#""status":{"state":"TERMINATING"}"#,
        r#""status":{"state":"terminated"}"#,
        r#""status":{"state":7}"#,
        r#""status":"TERMINATED?""#,
        r#""state":{"life_cycle_state":"WAITING_FOR_RETRY"}"#,
        r#""state":{"life_cycle_state":["TERMINATED"]}"#,
        r#""state":{"life_cycle_state":"TERMINATED"},"status":{"state":"BLOCKED"}"#,
    ] {
        assert!(not_over(other).await, "{other}");
    }
}

#[tokio::test(start_paused = true)]
async fn numbers_as_text_keep_every_digit() {
    check(&Row {
        payload: payload!("run_strings"),
        active: &[(
            "1110-000000-strings1",
            "run 9223372036854775807 `numbers as text` is INTERNAL_ERROR",
        )],
        ends: &[("1110-000000-strings1", 1_795_329_150_000)],
        not_over: &[],
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_active_run_without_tasks_is_looked_up() {
    let (_, json) = payload!("run_without_tasks");
    let error = listed(json).active_runs(10).await.expect_err("no tasks");
    let sentence = error.to_string();
    assert!(
        sentence.contains("run 4601 does not tell where it works"),
        "{sentence}"
    );

    let wholes = [
        (
            r#"{"run_id":4601,"tasks":[{"existing_cluster_id":"a"}]}"#,
            1,
        ),
        (
            r#"{"run_id":4601,"cluster_instance":{"cluster_id":"a"}}"#,
            1,
        ),
        (r#"{"run_id":4601,"cluster_spec":{"new_cluster":{}}}"#, 0),
        (r#"{"run_id":4601,"tasks":[]}"#, 0),
    ];
    for (whole, clusters) in wholes {
        let (databricks, transport) = workspace(move |path, _, _| match path {
            LIST => (200, format!(r#"{{"runs":[{json}]}}"#)),
            _ => (200, whole.to_owned()),
        });
        let active = databricks.active_runs(2).await.expect(whole);
        assert_eq!(
            (active.by_cluster.len(), active.pages),
            (clusters, 2),
            "{whole}"
        );
        let asked = requests(&transport).pop();
        assert_eq!(
            asked.as_deref(),
            Some("GET /api/2.2/jobs/runs/get?run_id=4601")
        );
    }
    // What is over is only a hint, and not worth a question for each run.
    let (databricks, transport) = always(200, &format!(r#"{{"runs":[{json}]}}"#));
    let completed = databricks.completed_runs(FROM, 10).await;
    assert!(completed.cut_short.is_none());
    assert_eq!(requests(&transport).len(), 1);
}
