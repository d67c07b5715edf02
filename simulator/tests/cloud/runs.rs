//! Tests of the Jobs API: list and get.

use serde_json::{Value, json};
use simulator::Simulator;
use simulator::world::{
    Cluster, Member, Permission, Principal, Run, StateStyle, TaskForm, Workspace, World, hours,
    minutes,
};

use crate::client::{Client, DATABRICKS, Outcome, start, url};

async fn list(simulator: &Simulator, query: &str) -> Result<Value, Box<dyn std::error::Error>> {
    let client = Client::with_scope(simulator, DATABRICKS).await?;
    Ok(client
        .get(&url(simulator, &format!("/api/2.2/jobs/runs/list?{query}")))
        .await?
        .json())
}

fn names(body: &Value) -> Vec<String> {
    let runs = body["runs"].as_array().cloned().unwrap_or_default();
    runs.iter()
        .map(|run| run["run_name"].as_str().unwrap_or_default().to_owned())
        .collect()
}

fn workspace() -> Workspace {
    Workspace::named("analytics").cluster(Cluster::idle("etl"))
}

#[tokio::test]
async fn lists_active_or_completed_runs_newest_start_first() -> Outcome {
    let simulator = start(
        workspace()
            .run(Run::finished("old", hours(9)).on("etl"))
            .run(Run::active("long", hours(4)).on("etl"))
            .run(
                Run::finished("new", hours(1))
                    .on("etl")
                    .run_type("SUBMIT_RUN"),
            )
            .run(Run::active("queued", minutes(1)).state("QUEUED").on("etl")),
    )?;
    assert_eq!(
        names(&list(&simulator, "").await?),
        ["queued", "new", "long", "old"]
    );
    assert_eq!(
        names(&list(&simulator, "active_only=true").await?),
        ["queued", "long"]
    );
    assert_eq!(
        names(&list(&simulator, "completed_only=true").await?),
        ["new", "old"]
    );
    assert_eq!(
        names(&list(&simulator, "run_type=SUBMIT_RUN").await?),
        ["new"]
    );
    let both = list(&simulator, "active_only=true&completed_only=true").await?;
    assert_eq!(both["error_code"], json!("INVALID_PARAMETER_VALUE"));
    let since = simulator.world(|world| world.clock.now_ms()) - 2 * 3_600_000;
    assert_eq!(
        names(&list(&simulator, &format!("start_time_from={since}")).await?),
        ["queued", "new"]
    );
    assert_eq!(
        names(&list(&simulator, &format!("start_time_to={since}")).await?),
        ["long", "old"]
    );
    simulator.assert_clean();
    Ok(())
}

#[tokio::test]
async fn pages_hold_at_most_25_and_no_runs_at_all_means_no_field() -> Outcome {
    let empty = start(workspace())?;
    assert_eq!(list(&empty, "").await?, json!({ "has_more": false }));
    let runs = (0_u64..30).fold(workspace(), |workspace, index| {
        workspace.run(Run::finished(&format!("r{index}"), hours(1 + index)))
    });
    let simulator = start(runs)?;
    let first = list(&simulator, "limit=25").await?;
    assert_eq!(
        (names(&first).len(), &first["has_more"]),
        (25, &json!(true))
    );
    let token = first["next_page_token"].as_str().ok_or("no token")?;
    let encoded: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
    let second = list(&simulator, &format!("limit=25&page_token={encoded}")).await?;
    assert_eq!(
        (names(&second).len(), &second["has_more"]),
        (5, &json!(false))
    );
    assert_eq!(second.get("next_page_token"), None);
    assert_eq!(names(&list(&simulator, "limit=0").await?).len(), 25);
    assert_eq!(names(&list(&simulator, "").await?).len(), 20);
    assert_eq!(
        list(&simulator, "limit=26").await?["error_code"],
        json!("INVALID_PARAMETER_VALUE")
    );
    Ok(())
}

#[tokio::test]
async fn a_task_names_its_cluster_in_every_form() -> Outcome {
    let forms = [
        (TaskForm::Existing, "/existing_cluster_id"),
        (TaskForm::Existing, "/cluster_instance/cluster_id"),
        (TaskForm::Instance, "/cluster_instance/cluster_id"),
        (TaskForm::ExistingOnly, "/existing_cluster_id"),
        (TaskForm::ForEach, "/for_each_task/task/existing_cluster_id"),
        (TaskForm::JobCluster, "/cluster_instance/cluster_id"),
    ];
    for (form, pointer) in forms {
        let simulator = start(workspace().run(Run::active("r", minutes(5)).task("etl", form)))?;
        let id = simulator.world(|world| world.cluster_id("analytics", "etl"));
        let body = list(&simulator, "expand_tasks=true").await?;
        assert_eq!(
            body["runs"][0]["tasks"][0].pointer(pointer),
            Some(&json!(id)),
            "{form:?}"
        );
        let plain = list(&simulator, "").await?;
        assert_eq!(plain["runs"][0].get("tasks"), None);
    }
    let legacy = [
        (TaskForm::ExistingOnly, "/cluster_spec/existing_cluster_id"),
        (TaskForm::Instance, "/cluster_instance/cluster_id"),
    ];
    for (form, pointer) in legacy {
        let simulator =
            start(workspace().run(Run::active("r", minutes(5)).legacy_on("etl", form)))?;
        let id = simulator.world(|world| world.cluster_id("analytics", "etl"));
        assert_eq!(
            list(&simulator, "").await?["runs"][0].pointer(pointer),
            Some(&json!(id)),
            "{form:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn tells_states_in_the_old_field_the_new_or_both() -> Outcome {
    let rows = [
        (StateStyle::Both, true, true),
        (StateStyle::Legacy, true, false),
        (StateStyle::Status, false, true),
    ];
    for (style, old, new) in rows {
        let run = Run::active("r", minutes(5))
            .state_style(style)
            .on("etl")
            .task_state("BLOCKED");
        let simulator = start(workspace().run(run))?;
        let body = list(&simulator, "expand_tasks=true").await?;
        let task = &body["runs"][0]["tasks"][0];
        assert_eq!(
            task.pointer("/state/life_cycle_state") == Some(&json!("BLOCKED")),
            old,
            "{style:?}"
        );
        assert_eq!(
            task.pointer("/status/state") == Some(&json!("BLOCKED")),
            new,
            "{style:?}"
        );
        assert_eq!(body["runs"][0]["end_time"], json!(0));
    }
    Ok(())
}

#[tokio::test]
async fn a_run_is_cut_at_a_hundred_tasks_and_get_tells_the_rest() -> Outcome {
    let simulator =
        start(workspace().run(Run::active("wide", minutes(5)).filler_tasks(120).on("etl")))?;
    let body = list(&simulator, "expand_tasks=true").await?;
    let run = &body["runs"][0];
    assert_eq!(
        (run["tasks"].as_array().map(Vec::len), &run["has_more"]),
        (Some(100), &json!(true))
    );
    let client = Client::with_scope(&simulator, DATABRICKS).await?;
    let id = run["run_id"].as_i64().ok_or("no id")?;
    let get = url(&simulator, &format!("/api/2.2/jobs/runs/get?run_id={id}"));
    let first = client.get(&get).await?.json();
    let token = first["next_page_token"].as_str().ok_or("no token")?;
    let encoded: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
    let rest = client
        .get(&format!("{get}&page_token={encoded}"))
        .await?
        .json();
    assert_eq!(rest["tasks"].as_array().map(Vec::len), Some(21));
    let cluster = simulator.world(|world| world.cluster_id("analytics", "etl"));
    assert_eq!(rest["tasks"][20]["existing_cluster_id"], json!(cluster));
    let old_version = client.get(&get.replace("/2.2/", "/2.1/")).await?.json();
    assert_eq!(old_version.get("next_page_token"), None);
    Ok(())
}

#[tokio::test]
async fn a_principal_that_is_no_admin_sees_a_silent_subset() -> Outcome {
    let world = World::new().principal(Principal::named("user")).workspace(
        workspace()
            .member(Member::user("user", Permission::CanRestart))
            .run(Run::active("private", minutes(5)).on("etl"))
            .run(Run::active("shared", minutes(5)).on("etl").visible_to_all()),
    );
    let simulator = Simulator::start(world)?;
    let client = Client::as_principal(&simulator, "user", DATABRICKS).await?;
    let reply = client
        .get(&url(&simulator, "/api/2.2/jobs/runs/list?active_only=true"))
        .await?;
    assert_eq!(
        (reply.status, names(&reply.json())),
        (200, vec!["shared".to_owned()])
    );
    assert_eq!(names(&list(&simulator, "active_only=true").await?).len(), 2);
    Ok(())
}
