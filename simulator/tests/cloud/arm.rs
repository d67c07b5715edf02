//! Tests of Azure Resource Manager and the metrics of virtual machines.

use serde_json::{Value, json};
use simulator::Simulator;
use simulator::world::{
    Cluster, Load, Machine, MetricsQuirk, Moment, Principal, Tagged, Workspace, World, hours,
    minutes,
};

use crate::client::{ARM, Client, DATABRICKS, Outcome, start};

const HOST: &str = "https://management.azure.com";

fn vm_id(simulator: &Simulator, cluster: &str) -> String {
    simulator.world(|world| {
        let group = world.workspace_mut("analytics").managed_group_id.clone();
        let name = &world.cluster_mut("analytics", cluster).vms[0].name;
        format!("{group}/providers/Microsoft.Compute/virtualMachines/{name}")
    })
}

/// The URL of the metrics of a cluster's driver over the last two hours, with further parameters.
fn metrics_url(
    simulator: &Simulator,
    cluster: &str,
    parameters: &str,
) -> Result<String, Box<dyn std::error::Error>> {
    let end = simulator.world(|world| world.clock.epoch_ms(Moment::ORIGIN)) / 60_000 * 60;
    let at = |epoch: i64| -> Result<String, Box<dyn std::error::Error>> {
        let format = time::format_description::well_known::Rfc3339;
        Ok(time::OffsetDateTime::from_unix_timestamp(epoch)?.format(&format)?)
    };
    let span = format!("{}/{}", at(end - 7200)?, at(end)?);
    let id = vm_id(simulator, cluster);
    Ok(format!(
        "{HOST}{id}/providers/Microsoft.Insights/metrics?api-version=2024-02-01&timespan={span}&{parameters}"
    ))
}

const CPU: &str =
    "metricnames=Percentage%20CPU&aggregation=Average&interval=PT1M&AutoAdjustTimegrain=false";

fn points(body: &Value) -> Vec<Value> {
    body["value"][0]["timeseries"][0]["data"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

fn simulator_of(cluster: Cluster) -> std::io::Result<Simulator> {
    start(Workspace::named("analytics").cluster(cluster))
}

#[tokio::test]
async fn finds_a_workspace_by_its_resource_id_in_any_case() -> Outcome {
    let simulator = start(Workspace::named("analytics"))?;
    let client = Client::with_scope(&simulator, ARM).await?;
    let (id, host, number) = simulator.world(|world| {
        let workspace = world.workspace_mut("analytics");
        (
            workspace.resource_id.to_uppercase(),
            workspace.host.clone(),
            workspace.id.to_string(),
        )
    });
    let reply = client
        .get(&format!("{HOST}{id}?api-version=2023-02-01"))
        .await?
        .json();
    assert_eq!(reply["properties"]["workspaceUrl"], json!(host));
    assert_eq!(reply["properties"]["workspaceId"], json!(number));
    let reply = client
        .get(&format!("{HOST}{id}?api-version=1999-01-01"))
        .await?;
    assert_eq!(reply.status, 400);
    simulator.world(|world| world.workspace_mut("analytics").is_deleted = true);
    let reply = client
        .get(&format!("{HOST}{id}?api-version=2023-02-01"))
        .await?;
    assert_eq!(
        (reply.status, &reply.json()["error"]["code"]),
        (404, &json!("ResourceNotFound"))
    );
    simulator.assert_clean();
    Ok(())
}

#[tokio::test]
async fn a_virtual_machine_tells_its_size_and_its_cluster() -> Outcome {
    let simulator = simulator_of(Cluster::idle("etl").node_type("Standard_DS5_v2"))?;
    let client = Client::with_scope(&simulator, ARM).await?;
    let url = format!("{HOST}{}?api-version=2024-07-01", vm_id(&simulator, "etl"));
    let reply = client.get(&url).await?.json();
    assert_eq!(
        reply["properties"]["hardwareProfile"]["vmSize"],
        json!("Standard_DS5_v2")
    );
    assert_eq!(reply["tags"]["ClusterName"], json!("etl"));
    simulator.world(|world| world.terminate_cluster("analytics", "etl"));
    simulator.world(|world| world.advance(minutes(5)));
    assert_eq!(client.get(&url).await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn the_machines_of_a_group_are_listed_page_by_page_with_their_tags() -> Outcome {
    let odd = Cluster::idle("odd").machines(|vms| {
        vms[0].tagged = Tagged::As("0101-other".to_owned());
        vms[1].tagged = Tagged::Not;
        vms[2].provisioning_state = "Deleting".to_owned();
    });
    let workspace = Workspace::named("analytics")
        .cluster(Cluster::idle("etl"))
        .cluster(Cluster::idle("pooled").pool("pool-1").single_node())
        .cluster(odd)
        .cluster(Cluster::terminated("gone"))
        .vm_page_size(3);
    let world = World::new().workspace(workspace).workspace(
        // Another group's machines are not told.
        Workspace::named("other").cluster(Cluster::idle("etl")),
    );
    let simulator = Simulator::start(world)?;
    let client = Client::with_scope(&simulator, ARM).await?;
    let (group, etl) = simulator.world(|world| {
        let group = world.workspace_mut("analytics").managed_group_id.clone();
        (group, world.cluster_id("analytics", "etl"))
    });
    let list = format!("{HOST}{group}/providers/Microsoft.Compute/virtualMachines");
    let mut next = Some(format!("{list}?api-version=2024-07-01"));
    let (mut machines, mut pages) = (Vec::new(), 0);
    while let Some(url) = next {
        let page = client.get(&url).await?.json();
        machines.extend(page["value"].as_array().cloned().unwrap_or_default());
        next = page["nextLink"].as_str().map(str::to_owned);
        pages += 1;
    }
    assert_eq!((machines.len(), pages), (7, 3));
    let tag = |at: usize, name: &str| machines[at]["tags"][name].clone();
    assert_eq!(tag(0, "ClusterId"), json!(etl));
    assert_eq!(tag(3, "ClusterId"), Value::Null);
    assert_eq!(tag(3, "DatabricksInstancePoolId"), json!("pool-1"));
    assert_eq!(tag(4, "ClusterId"), json!("0101-other"));
    assert_eq!(tag(5, "ClusterId"), Value::Null);
    assert_eq!(
        machines[6]["properties"]["provisioningState"],
        json!("Deleting")
    );
    assert_eq!(machines[0]["properties"].get("instanceView"), None);
    simulator.assert_clean();
    let bad = format!("{list}?api-version=2024-07-01&%24skiptoken=vm%2F1");
    assert_eq!(client.get(&bad).await?.status, 400);
    let expanded = format!("{list}?api-version=2024-07-01&%24expand=instanceView");
    assert_eq!(client.get(&expanded).await?.status, 501);
    Ok(())
}

#[tokio::test]
async fn machines_are_not_listed_without_the_right_or_the_group() -> Outcome {
    let world = World::new()
        .principal(Principal::named("blind").without_metrics())
        .workspace(Workspace::named("analytics").cluster(Cluster::idle("etl")));
    let simulator = Simulator::start(world)?;
    let group = simulator.world(|world| world.workspace_mut("analytics").managed_group_id.clone());
    let url =
        format!("{HOST}{group}/providers/Microsoft.Compute/virtualMachines?api-version=2024-07-01");
    let blind = Client::as_principal(&simulator, "blind", ARM).await?;
    assert_eq!(blind.get(&url).await?.status, 403);
    let client = Client::with_scope(&simulator, ARM).await?;
    assert_eq!(client.get(&url).await?.status, 200);
    let elsewhere = url.replace("databricks-rg", "no-such-rg");
    assert_eq!(client.get(&elsewhere).await?.status, 404);
    simulator.assert_clean();
    Ok(())
}

#[tokio::test]
async fn tokens_and_rights_are_checked_before_anything_is_told() -> Outcome {
    let world = World::new()
        .principal(Principal::named("blind").without_metrics())
        .workspace(Workspace::named("analytics").cluster(Cluster::idle("etl")));
    let simulator = Simulator::start(world)?;
    let url = metrics_url(&simulator, "etl", CPU)?;
    let without = Client::of(&simulator)?.get(&url).await?;
    assert_eq!(
        (without.status, &without.json()["error"]["code"]),
        (401, &json!("AuthenticationFailed"))
    );
    let wrong = Client::with_scope(&simulator, DATABRICKS)
        .await?
        .get(&url)
        .await?;
    assert_eq!(
        wrong.json()["error"]["code"],
        json!("InvalidAuthenticationTokenAudience")
    );
    let blind = Client::as_principal(&simulator, "blind", ARM)
        .await?
        .get(&url)
        .await?;
    assert_eq!(
        (blind.status, &blind.json()["error"]["code"]),
        (403, &json!("AuthorizationFailed"))
    );
    simulator.assert_clean();
    Ok(())
}

#[tokio::test]
async fn percent_is_busy_cores_over_the_cores_of_the_machine() -> Outcome {
    let cluster = Cluster::idle("etl").node_type("Standard_DS5_v2").load(
        Machine::Driver,
        &[Load::between(minutes(60), minutes(30), 4.0)],
    );
    let simulator = simulator_of(cluster)?;
    let client = Client::with_scope(&simulator, ARM).await?;
    let body = client
        .get(&metrics_url(&simulator, "etl", CPU)?)
        .await?
        .json();
    assert_eq!(
        (&body["interval"], &body["value"][0]["unit"]),
        (&json!("PT1M"), &json!("Percent"))
    );
    let points = points(&body);
    // 45 minutes ago: 4 of 16 cores and the idle floor; 90 minutes ago: the floor alone.
    let busy = points[75]["average"].as_f64().ok_or("no value")?;
    let idle = points[30]["average"].as_f64().ok_or("no value")?;
    assert!((busy - 100.0 * 4.07 / 16.0).abs() < 0.01, "{busy}");
    assert!((idle - 100.0 * 0.07 / 16.0).abs() < 0.01, "{idle}");
    Ok(())
}

#[tokio::test]
async fn a_point_without_data_is_its_time_stamp_alone() -> Outcome {
    let simulator = simulator_of(Cluster::idle("etl").since(minutes(50)).started(minutes(60)))?;
    let client = Client::with_scope(&simulator, ARM).await?;
    let points = points(
        &client
            .get(&metrics_url(&simulator, "etl", CPU)?)
            .await?
            .json(),
    );
    let has_value: Vec<bool> = points
        .iter()
        .map(|point| point.get("average").is_some())
        .collect();
    assert_eq!(points.len(), 120);
    assert!(has_value[..59].iter().all(|has| !has), "before the start");
    assert!(has_value[62..116].iter().all(|has| *has), "while it ran");
    assert!(
        has_value[118..].iter().all(|has| !has),
        "the newest minutes"
    );
    assert_eq!(points[0].as_object().map(serde_json::Map::len), Some(1));
    Ok(())
}

#[tokio::test]
async fn only_the_asked_aggregations_and_the_asked_grain_are_told() -> Outcome {
    let simulator = simulator_of(Cluster::idle("etl"))?;
    let client = Client::with_scope(&simulator, ARM).await?;
    let parameters = "metricnames=Network%20In%20Total,Network%20Out%20Total&aggregation=Total,Count&interval=PT5M\
                      &metricnamespace=Microsoft.Compute/virtualMachines";
    let body = client
        .get(&metrics_url(&simulator, "etl", parameters)?)
        .await?
        .json();
    let points = points(&body);
    assert_eq!((points.len(), &body["interval"]), (24, &json!("PT5M")));
    let keys: Vec<&String> = points[0].as_object().ok_or("no object")?.keys().collect();
    assert_eq!(keys, ["count", "timeStamp", "total"]);
    assert_eq!(points[0]["count"], json!(5));
    assert_eq!(
        body["value"][1]["name"]["value"],
        json!("Network Out Total")
    );
    Ok(())
}

#[tokio::test]
async fn refuses_what_the_provider_does_not_know() -> Outcome {
    let simulator = simulator_of(Cluster::idle("etl"))?;
    let client = Client::with_scope(&simulator, ARM).await?;
    for parameters in [
        "metricnames=Network%2BIn&aggregation=Total",
        "metricnames=Percentage%20CPU&interval=PT2M",
        "metricnames=Percentage%20CPU&aggregation=Median",
        "metricnames=Percentage%20CPU&metricnamespace=Microsoft.Compute/disks",
    ] {
        let reply = client
            .get(&metrics_url(&simulator, "etl", parameters)?)
            .await?;
        assert_eq!(
            (reply.status, &reply.json()["code"]),
            (400, &json!("BadRequest")),
            "{parameters}"
        );
    }
    let unknown =
        metrics_url(&simulator, "etl", CPU)?.replace("virtualMachines/", "virtualMachines/0");
    assert_eq!(client.get(&unknown).await?.status, 404);
    simulator.assert_clean();
    assert_eq!(
        client
            .get(&metrics_url(&simulator, "etl", "%24filter=x")?)
            .await?
            .status,
        501
    );
    assert_eq!(simulator.violations().len(), 1);
    Ok(())
}

#[tokio::test]
async fn every_quirk_shows_in_the_answer() -> Outcome {
    let cases = [
        (MetricsQuirk::NoSeries, "/value/0/timeseries", json!([])),
        (
            MetricsQuirk::AllZero,
            "/value/0/timeseries/0/data/30/average",
            json!(0),
        ),
        (
            MetricsQuirk::Constant(101.5),
            "/value/0/timeseries/0/data/30/average",
            json!(101.5),
        ),
        (
            MetricsQuirk::WrongName,
            "/value/0/name/value",
            json!("Percentage CPU Guest"),
        ),
        (MetricsQuirk::WrongUnit, "/value/0/unit", json!("Count")),
        (MetricsQuirk::WrongInterval, "/interval", json!("PT1H")),
    ];
    for (quirk, pointer, expected) in cases {
        let simulator = simulator_of(
            Cluster::idle("etl")
                .since(hours(1))
                .metrics(Machine::All, &quirk),
        )?;
        let client = Client::with_scope(&simulator, ARM).await?;
        let body = client
            .get(&metrics_url(&simulator, "etl", CPU)?)
            .await?
            .json();
        assert_eq!(body.pointer(pointer), Some(&expected), "{quirk:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_quirk_can_take_points_or_the_machine_away() -> Outcome {
    for (quirk, with_data) in [
        (MetricsQuirk::NoData, 0..=0),
        (MetricsQuirk::PointsOfFive(2), 45..=49),
        (MetricsQuirk::Lag(20), 99..=101),
    ] {
        let simulator = simulator_of(Cluster::idle("etl").metrics(Machine::All, &quirk))?;
        let client = Client::with_scope(&simulator, ARM).await?;
        let points = points(
            &client
                .get(&metrics_url(&simulator, "etl", CPU)?)
                .await?
                .json(),
        );
        let count = points
            .iter()
            .filter(|point| point.get("average").is_some())
            .count();
        assert!(with_data.contains(&count), "{quirk:?}: {count}");
    }
    let simulator =
        simulator_of(Cluster::idle("etl").metrics(Machine::Driver, &MetricsQuirk::Missing))?;
    let client = Client::with_scope(&simulator, ARM).await?;
    assert_eq!(
        client
            .get(&metrics_url(&simulator, "etl", CPU)?)
            .await?
            .status,
        404
    );
    Ok(())
}
