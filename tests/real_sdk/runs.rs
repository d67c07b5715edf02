//! Job runs: active and completed ones, their tasks and clusters, pages of runs
//! and pages of tasks.

use serde_json::json;
use simulator::Match;
use simulator::world::{
    Cluster, MAIN, Member, Permission, Run, StateStyle, TaskForm, Workspace, hours, minutes,
};

use crate::{admin_of, each, requests};

const LIST: &str = "/api/2.2/jobs/runs/list";
const GET: &str = "/api/2.2/jobs/runs/get";

fn workspace() -> Workspace {
    Workspace::named("one").cluster(Cluster::idle("shared"))
}

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn active_and_completed_runs_are_told_apart_over_several_pages() {
    let mut workspace = workspace();
    for number in 0..60 {
        workspace.add_run(
            Run::finished(&format!("done-{number}"), hours(1) + minutes(number)).on("shared"),
        );
    }
    for number in 0..30 {
        workspace.add_run(Run::active(&format!("live-{number}"), minutes(number)).on("shared"));
    }
    let (simulator, mut sdk) = admin_of(workspace);
    for (with, expected, pages) in [
        (json!({ "completed_only": true, "limit": 25 }), 60, 3),
        (json!({ "active_only": true, "limit": 25 }), 30, 2),
        (json!({ "limit": 0 }), 90, 4),
        (json!({}), 90, 5),
    ] {
        simulator.forget_record();
        let runs = sdk.items("jobs.list_runs", &with);
        assert_eq!(runs.len(), expected, "{with}");
        assert_eq!(requests(&simulator, LIST), pages, "{with}");
        let starts: Vec<i64> = runs
            .iter()
            .map(|run| run["start_time"].as_i64().unwrap())
            .collect();
        assert!(starts.is_sorted_by(|newer, older| newer >= older), "{with}");
    }
    let both = json!({ "active_only": true, "completed_only": true });
    sdk.refusal("jobs.list_runs", &both)
        .assert_is("InvalidParameterValue");
    simulator.assert_clean();
}

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn states_and_ends_of_runs_come_in_their_types() {
    let workspace = workspace()
        .run(Run::active("live", minutes(4)).on("shared"))
        .run(Run::finished("done", minutes(30)).on("shared"))
        .run(
            Run::active("queued", minutes(1))
                .state("QUEUED")
                .on("shared"),
        );
    let (simulator, mut sdk) = admin_of(workspace);
    let runs = sdk.items("jobs.list_runs", &json!({ "expand_tasks": true }));
    assert_eq!(each(&runs, "run_name"), ["queued", "live", "done"]);
    let [queued, live, done] = &runs[..] else {
        panic!("{runs:?}");
    };
    assert_eq!(queued["status"]["state"], "RunLifecycleStateV2State.QUEUED");
    assert_eq!(live["class"], "BaseRun");
    assert_eq!(live["run_type"], "RunType.JOB_RUN");
    assert_eq!(
        live["state"]["life_cycle_state"],
        "RunLifeCycleState.RUNNING"
    );
    assert_eq!(live["status"]["state"], "RunLifecycleStateV2State.RUNNING");
    assert_eq!(live["end_time"], 0);

    assert_eq!(done["state"]["result_state"], "RunResultState.SUCCESS");
    let details = &done["status"]["termination_details"];
    assert_eq!(details["code"], "TerminationCodeCode.SUCCESS");
    assert_eq!(details["type"], "TerminationTypeType.SUCCESS");
    let (end, start) = (done["end_time"].as_i64(), done["start_time"].as_i64());
    assert_eq!(end.unwrap() - start.unwrap(), 600_000);
    assert_eq!(done["tasks"][0]["end_time"], done["end_time"]);

    let plain = sdk.items("jobs.list_runs", &json!({ "active_only": true }));
    assert!(
        plain.iter().all(|run| run["tasks"] == json!([])),
        "{plain:?}"
    );
    simulator.assert_clean();
}

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn the_cluster_of_a_run_is_found_in_every_form() {
    let workspace = workspace()
        .run(Run::active("usual", minutes(1)).on("shared"))
        .run(Run::active("waiting", minutes(2)).task("shared", TaskForm::ExistingOnly))
        .run(Run::active("legacy", minutes(3)).legacy_on("shared", TaskForm::Existing))
        .run(Run::active("looped", minutes(4)).task("shared", TaskForm::ForEach))
        .run(Run::active("own", minutes(5)).task("1122-000000-own00000", TaskForm::JobCluster));
    let (simulator, mut sdk) = admin_of(workspace);
    let (id, context) = simulator.world(|world| {
        let cluster = world.find_cluster("one", "shared").unwrap();
        (cluster.id.clone(), cluster.spark_context_id.to_string())
    });
    let runs = sdk.items("jobs.list_runs", &json!({ "expand_tasks": true }));
    let [usual, waiting, legacy, looped, own] = &runs[..] else {
        panic!("{runs:?}");
    };
    let task = &usual["tasks"][0];
    assert_eq!(task["class"], "RunTask");
    assert_eq!(task["existing_cluster_id"], id);
    assert_eq!(task["cluster_instance"]["class"], "ClusterInstance");
    assert_eq!(task["cluster_instance"]["cluster_id"], id);
    assert_eq!(
        task["cluster_instance"]["spark_context_id"], context,
        "a string here"
    );
    assert_eq!(waiting["tasks"][0]["existing_cluster_id"], id);
    assert_eq!(waiting["tasks"][0].get("cluster_instance"), None);
    assert_eq!(legacy["cluster_instance"]["cluster_id"], id);
    assert_eq!(legacy["cluster_spec"]["existing_cluster_id"], id);
    let nested = &looped["tasks"][0]["for_each_task"]["task"];
    assert_eq!(nested["class"], "Task");
    assert_eq!(nested["existing_cluster_id"], id);
    assert_eq!(own["job_clusters"][0]["class"], "JobCluster");
    assert_eq!(own["tasks"][0]["job_cluster_key"], "shared_cluster");
    simulator.assert_clean();
}

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn either_form_of_a_state_is_understood() {
    let workspace = workspace()
        .run(
            Run::active("new", minutes(1))
                .on("shared")
                .state_style(StateStyle::Status),
        )
        .run(
            Run::active("old", minutes(2))
                .on("shared")
                .state_style(StateStyle::Legacy),
        );
    let (_simulator, mut sdk) = admin_of(workspace);
    let runs = sdk.items("jobs.list_runs", &json!({ "active_only": true }));
    assert_eq!(runs[0].get("state"), None);
    assert_eq!(
        runs[0]["status"]["state"],
        "RunLifecycleStateV2State.RUNNING"
    );
    assert_eq!(runs[1].get("status"), None);
    assert_eq!(
        runs[1]["state"]["life_cycle_state"],
        "RunLifeCycleState.RUNNING"
    );
}

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn a_run_of_many_tasks_is_read_to_its_last() {
    let large = Run::active("large", minutes(5))
        .filler_tasks(220)
        .on("shared");
    let (simulator, mut sdk) = admin_of(workspace().run(large));
    let id = simulator.world(|world| world.cluster_id("one", "shared"));
    // The SDK follows a run that is cut by itself, in both calls.
    let listed = sdk.items("jobs.list_runs", &json!({ "expand_tasks": true }));
    assert_eq!(requests(&simulator, LIST), 1);
    assert_eq!(requests(&simulator, GET), 3);
    let run_id = listed[0]["run_id"].clone();
    let read = sdk.answer("jobs.get_run", &json!({ "run_id": run_id }));
    for run in [&listed[0], &read] {
        let tasks = run["tasks"].as_array().unwrap();
        assert_eq!(tasks.len(), 221);
        assert_eq!(tasks[220]["existing_cluster_id"], id);
        let keys: std::collections::BTreeSet<&str> = each(tasks, "task_key").into_iter().collect();
        assert_eq!(keys.len(), 221, "no task twice");
    }
    assert_eq!(read["class"], "Run");
    simulator.assert_clean();
}

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn runs_are_filtered_by_start_type_and_job() {
    let workspace = workspace()
        .run(Run::finished("nightly", hours(30)).on("shared"))
        .run(
            Run::finished("submitted", hours(3))
                .on("shared")
                .run_type("SUBMIT_RUN"),
        )
        .run(Run::finished("hourly", minutes(40)).on("shared"));
    let (simulator, mut sdk) = admin_of(workspace);
    let now = simulator.world(|world| world.clock.now_ms());
    let (hour, day) = (3_600_000, 86_400_000);
    for (with, expected) in [
        (
            json!({ "start_time_from": now - day }),
            &["hourly", "submitted"][..],
        ),
        (json!({ "start_time_to": now - day }), &["nightly"]),
        (
            json!({ "start_time_from": now - 5 * hour, "start_time_to": now - hour }),
            &["submitted"],
        ),
        (json!({ "run_type": "SUBMIT_RUN" }), &["submitted"]),
        (json!({ "job_id": 1 }), &[]),
    ] {
        let runs = sdk.items("jobs.list_runs", &with);
        assert_eq!(each(&runs, "run_name"), expected, "{with}");
    }
    let record = simulator.record();
    let first = record.matching(&Match::path(LIST))[0];
    assert!(first.query().first("start_time_from").is_some(), "{first}");
    simulator.assert_clean();
}

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn a_member_who_is_no_admin_sees_some_runs_and_is_not_told() {
    let workspace = workspace()
        .member(Member::user(MAIN, Permission::CanAttachTo))
        .run(Run::active("others", minutes(2)).on("shared"))
        .run(Run::active("own", minutes(1)).on("shared").visible_to_all());
    let (simulator, mut sdk) = admin_of(workspace);
    let runs = sdk.items("jobs.list_runs", &json!({}));
    assert_eq!(each(&runs, "run_name"), ["own"]);
    simulator.assert_clean();
}
