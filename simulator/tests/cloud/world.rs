//! Tests of the world's changes as a client sees them.

use serde_json::{Value, json};
use simulator::Simulator;
use simulator::world::{Cluster, OnTerminate, Workspace, hours, minutes};

use crate::client::{Client, DATABRICKS, Outcome, start, url};

async fn told(simulator: &Simulator, cluster: &str) -> Result<Value, Box<dyn std::error::Error>> {
    let client = Client::with_scope(simulator, DATABRICKS).await?;
    let id = simulator.world(|world| world.cluster_id("analytics", cluster));
    Ok(client
        .get(&url(
            simulator,
            &format!("/api/2.1/clusters/get?cluster_id={id}"),
        ))
        .await?
        .json())
}

#[tokio::test]
async fn a_restart_gives_another_context_another_start_and_other_machines() -> Outcome {
    let simulator = start(Workspace::named("analytics").cluster(Cluster::idle("etl")))?;
    let before = told(&simulator, "etl").await?;
    simulator.world(|world| world.restart_cluster("analytics", "etl"));
    let after = told(&simulator, "etl").await?;
    for field in ["spark_context_id", "last_restarted_time"] {
        assert!(
            before[field].as_i64() != after[field].as_i64() && after[field].is_i64(),
            "{field}"
        );
    }
    assert_ne!(
        before["driver"]["instance_id"],
        after["driver"]["instance_id"]
    );
    assert_eq!(before["start_time"], after["start_time"]);
    let jobs = simulator.world(|world| world.cluster_mut("analytics", "etl").spark.jobs.len());
    assert_eq!(jobs, 0);
    Ok(())
}

#[tokio::test]
async fn ageing_the_world_makes_its_history_older_for_a_client_with_the_real_clock() -> Outcome {
    let simulator =
        start(Workspace::named("analytics").cluster(Cluster::idle("etl").since(hours(1))))?;
    let before = told(&simulator, "etl").await?["last_restarted_time"]
        .as_i64()
        .ok_or("no start")?;
    simulator.world(|world| world.age(hours(3)));
    let after = told(&simulator, "etl").await?["last_restarted_time"]
        .as_i64()
        .ok_or("no start")?;
    assert_eq!(before - after, 3 * 3_600_000);
    Ok(())
}

#[tokio::test]
async fn a_terminated_cluster_is_terminated_when_the_world_has_aged() -> Outcome {
    let cluster = Cluster::idle("etl").on_terminate(OnTerminate::After(minutes(10)));
    let simulator = start(Workspace::named("analytics").cluster(cluster))?;
    simulator.world(|world| world.terminate_cluster("analytics", "etl"));
    assert_eq!(
        told(&simulator, "etl").await?["state"],
        json!("TERMINATING")
    );
    simulator.world(|world| world.age(minutes(11)));
    assert_eq!(told(&simulator, "etl").await?["state"], json!("TERMINATED"));
    Ok(())
}

#[tokio::test]
async fn work_begins_and_witnesses_are_lost_when_told() -> Outcome {
    let simulator = start(Workspace::named("analytics").cluster(Cluster::idle("etl")))?;
    let client = Client::with_scope(&simulator, DATABRICKS).await?;
    simulator.world(|world| world.start_run("analytics", "etl", "surprise"));
    let runs = client
        .get(&url(
            &simulator,
            "/api/2.2/jobs/runs/list?active_only=true&expand_tasks=true",
        ))
        .await?
        .json();
    let id = simulator.world(|world| world.cluster_id("analytics", "etl"));
    assert_eq!(
        runs["runs"][0]["tasks"][0]["existing_cluster_id"],
        json!(id)
    );
    let path = simulator.world(|world| {
        format!(
            "/driver-proxy-api/o/{}/{id}/40001/api/v1/applications",
            world.workspace_mut("analytics").id
        )
    });
    let applications = client.get(&url(&simulator, &path)).await?;
    let app = applications.json()[0]["id"]
        .as_str()
        .ok_or("no application")?
        .to_owned();
    simulator.world(|world| world.start_spark_job("analytics", "etl"));
    let running = client
        .get(&url(
            &simulator,
            &format!("{path}/{app}/jobs?status=running"),
        ))
        .await?
        .json();
    assert_eq!(running.as_array().map(Vec::len), Some(1));
    simulator.world(|world| world.lose_driver("analytics", "etl"));
    assert_eq!(client.get(&url(&simulator, &path)).await?.status, 503);
    Ok(())
}

#[tokio::test]
async fn two_worlds_of_the_same_names_have_the_same_ids() -> Outcome {
    let world = || Workspace::named("analytics").cluster(Cluster::idle("etl"));
    let (first, second) = (start(world())?, start(world())?);
    let id = |simulator: &Simulator| simulator.world(|world| world.cluster_id("analytics", "etl"));
    assert_eq!(id(&first), id(&second));
    assert_eq!(url(&first, ""), url(&second, ""));
    Ok(())
}
