//! One walk through the whole pretend cloud, as the handler takes it: vault, tokens, workspace, driver,
//! metrics, termination.

use crate::client::{ARM, Client, DATABRICKS, Outcome, start, url};
use serde_json::json;
use simulator::Simulator;
use simulator::world::{Cluster, Moment, OnTerminate, Workspace, hours, minutes};

#[tokio::test]
async fn the_whole_path_of_a_sweep_is_answered_and_leaves_no_violation() -> Outcome {
    let simulator = start(
        Workspace::named("analytics").cluster(
            Cluster::idle("etl")
                .since(hours(5))
                .on_terminate(OnTerminate::After(minutes(5))),
        ),
    )?;
    let (id, org) = simulator.world(|world| {
        (
            world.cluster_id("analytics", "etl"),
            world.workspace_mut("analytics").id,
        )
    });
    let client = Client::with_scope(&simulator, DATABRICKS).await?;

    let listed = client
        .get(&url(
            &simulator,
            "/api/2.1/clusters/list?filter_by.cluster_states=RUNNING",
        ))
        .await?;
    assert_eq!(listed.json()["clusters"][0]["cluster_id"], json!(id));

    let driver = format!("/driver-proxy-api/o/{org}/{id}/40001/api/v1/applications");
    let apps = client.get(&url(&simulator, &driver)).await?.json();
    let app = apps[0]["id"].as_str().ok_or("no application")?;
    let jobs = client
        .get(&url(&simulator, &format!("{driver}/{app}/jobs")))
        .await?
        .json();
    assert_eq!(jobs[0]["status"], json!("SUCCEEDED"));

    judge_the_machine(&simulator).await?;

    let deleted = client
        .post(
            &url(&simulator, "/api/2.1/clusters/delete"),
            &json!({ "cluster_id": id }),
        )
        .await?;
    assert_eq!((deleted.status, deleted.text.as_str()), (200, "{}"));
    let state = simulator.world(|world| world.cluster_state("analytics", "etl"));
    assert_eq!(state, "TERMINATING");

    assert_eq!(simulator.record().terminations(), [id]);
    assert_eq!(simulator.record().mutating().len(), 1);
    simulator.assert_clean();
    Ok(())
}

/// Asks for the driver's busy share over the last two hours.
async fn judge_the_machine(simulator: &Simulator) -> Outcome {
    let (vm, now) = simulator.world(|world| {
        let group = world.workspace_mut("analytics").managed_group_id.clone();
        let name = world.cluster_mut("analytics", "etl").vms[0].name.clone();
        let end = world.clock.epoch_ms(Moment::ORIGIN) / 60_000 * 60;
        (
            format!("{group}/providers/Microsoft.Compute/virtualMachines/{name}"),
            end,
        )
    });
    let arm = Client::with_scope(simulator, ARM).await?;
    let at = |epoch: i64| -> Result<String, Box<dyn std::error::Error>> {
        let format = time::format_description::well_known::Rfc3339;
        Ok(time::OffsetDateTime::from_unix_timestamp(epoch)?.format(&format)?)
    };
    let span = format!("{}/{}", at(now - 7200)?, at(now)?);
    let metrics = format!(
        "https://management.azure.com{vm}/providers/Microsoft.Insights/metrics?api-version=2024-02-01&timespan={span}\
         &metricnames=Percentage%20CPU&aggregation=Average&interval=PT1M"
    );
    let metrics = arm.get(&metrics).await?.json();
    assert_eq!(
        metrics["value"][0]["name"]["value"],
        json!("Percentage CPU")
    );
    assert_eq!(
        metrics["value"][0]["timeseries"][0]["data"]
            .as_array()
            .map(Vec::len),
        Some(120)
    );
    Ok(())
}
