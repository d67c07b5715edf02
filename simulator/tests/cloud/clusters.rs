//! Tests of the Clusters API: list, get, delete, events, node types.

use serde_json::{Value, json};
use simulator::Simulator;
use simulator::world::{
    Cluster, Member, OnTerminate, PageEnd, Permission, Principal, Workspace, World, hours, minutes,
};

use crate::client::{Client, DATABRICKS, Outcome, start, url};

const LIST: &str = "/api/2.1/clusters/list";

fn names(body: &Value) -> Vec<String> {
    let clusters = body["clusters"].as_array().cloned().unwrap_or_default();
    clusters
        .iter()
        .map(|cluster| {
            cluster["cluster_name"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        })
        .collect()
}

async fn list(simulator: &Simulator, query: &str) -> Result<Value, Box<dyn std::error::Error>> {
    let client = Client::with_scope(simulator, DATABRICKS).await?;
    Ok(client
        .get(&url(simulator, &format!("{LIST}?{query}")))
        .await?
        .json())
}

fn mixed() -> Workspace {
    Workspace::named("analytics")
        .cluster(Cluster::idle("idle"))
        .cluster(Cluster::busy("api").source("API"))
        .cluster(Cluster::job("job"))
        .cluster(Cluster::idle("growing").state("RESIZING"))
        .cluster(Cluster::idle("zz-pinned").pinned())
        .cluster(Cluster::terminated("gone"))
}

#[tokio::test]
async fn lists_by_state_then_pin_then_name() -> Outcome {
    let simulator = start(mixed())?;
    let all = list(&simulator, "").await?;
    assert_eq!(
        names(&all),
        ["zz-pinned", "api", "growing", "idle", "job", "gone"]
    );
    let sorted = list(
        &simulator,
        "sort_by.field=CLUSTER_NAME&sort_by.direction=DESC",
    )
    .await?;
    assert_eq!(
        names(&sorted),
        ["zz-pinned", "job", "idle", "growing", "gone", "api"]
    );
    simulator.assert_clean();
    Ok(())
}

#[tokio::test]
async fn filters_by_repeated_states_and_sources_and_by_pin() -> Outcome {
    let simulator = start(mixed())?;
    let filter = "filter_by.cluster_states=RUNNING&filter_by.cluster_states=RESIZING\
                  &filter_by.cluster_sources=UI&filter_by.cluster_sources=API";
    assert_eq!(
        names(&list(&simulator, filter).await?),
        ["zz-pinned", "api", "growing", "idle"]
    );
    let running = list(
        &simulator,
        "filter_by.cluster_states=RUNNING&filter_by.cluster_sources=UI",
    )
    .await?;
    assert_eq!(names(&running), ["zz-pinned", "idle"]);
    assert_eq!(
        names(&list(&simulator, "filter_by.is_pinned=true").await?),
        ["zz-pinned"]
    );
    assert_eq!(
        list(&simulator, "filter_by.cluster_states=ERROR").await?,
        json!({})
    );
    Ok(())
}

#[tokio::test]
async fn pages_with_tokens_that_must_be_encoded() -> Outcome {
    for (end, last) in [(PageEnd::Absent, None), (PageEnd::Empty, Some(json!("")))] {
        let clusters = (0..7).map(|index| Cluster::idle(&format!("c{index}")));
        let workspace = Workspace::named("analytics")
            .clusters(clusters)
            .cluster_page_size(3)
            .page_end(end);
        let simulator = start(workspace)?;
        let mut seen = Vec::new();
        let mut token = String::new();
        for page in 0..3 {
            let encoded: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
            let body = list(&simulator, &format!("page_size=1000&page_token={encoded}")).await?;
            seen.extend(names(&body));
            if page == 2 {
                assert_eq!(body.get("next_page_token"), last.as_ref());
            } else {
                body["next_page_token"]
                    .as_str()
                    .ok_or("no token")?
                    .clone_into(&mut token);
            }
        }
        assert_eq!(seen, ["c0", "c1", "c2", "c3", "c4", "c5", "c6"]);
        let raw = list(&simulator, &format!("page_size=1000&page_token={token}")).await?;
        assert_eq!(
            raw["error_code"],
            json!("INVALID_PARAMETER_VALUE"),
            "spliced in raw"
        );
        simulator.assert_clean();
    }
    Ok(())
}

#[tokio::test]
async fn clips_a_page_to_a_hundred() -> Outcome {
    let clusters = (0..130).map(|index| Cluster::idle(&format!("c{index:03}")));
    let simulator = start(Workspace::named("analytics").clusters(clusters))?;
    assert_eq!(names(&list(&simulator, "page_size=500").await?).len(), 100);
    assert_eq!(names(&list(&simulator, "").await?).len(), 20);
    Ok(())
}

#[tokio::test]
async fn clusters_without_a_right_are_silently_missing() -> Outcome {
    let world = World::new().principal(Principal::named("user")).workspace(
        Workspace::named("analytics")
            .member(Member::user("user", Permission::None))
            .cluster(Cluster::idle("hidden"))
            .cluster(Cluster::idle("seen").permission("user", Permission::CanAttachTo))
            .cluster(Cluster::idle("ours").permission("user", Permission::CanRestart)),
    );
    let simulator = Simulator::start(world)?;
    let client = Client::as_principal(&simulator, "user", DATABRICKS).await?;
    let body = client.get(&url(&simulator, LIST)).await?.json();
    assert_eq!(names(&body), ["ours", "seen"]);
    let id = |name: &str| simulator.world(|world| world.cluster_id("analytics", name));
    let delete = url(&simulator, "/api/2.1/clusters/delete");
    for (name, status) in [("hidden", 403), ("seen", 403), ("ours", 200)] {
        let reply = client
            .post(&delete, &json!({ "cluster_id": id(name) }))
            .await?;
        assert_eq!(reply.status, status, "{name}");
        if status == 403 {
            assert_eq!(reply.json()["error_code"], json!("PERMISSION_DENIED"));
        }
    }
    simulator.assert_clean();
    Ok(())
}

#[tokio::test]
async fn tells_the_fields_as_the_service_does() -> Outcome {
    let cluster = Cluster::idle("etl")
        .since(hours(5))
        .tag("team", "x")
        .autotermination(120)
        .last_activity(hours(6))
        .field("runtime_engine", Value::Null)
        .field("kind", json!("CLASSIC_PREVIEW"));
    let simulator = start(Workspace::named("analytics").cluster(cluster))?;
    let body = list(&simulator, "").await?;
    let told = &body["clusters"][0];
    assert_eq!(told["custom_tags"], json!({ "team": "x" }));
    assert_eq!(told["default_tags"]["ClusterName"], json!("etl"));
    assert_eq!(
        (&told["autotermination_minutes"], &told["num_workers"]),
        (&json!(120), &json!(2))
    );
    assert_eq!(
        (told.get("runtime_engine"), &told["kind"]),
        (None, &json!("CLASSIC_PREVIEW"))
    );
    assert_eq!(told.get("spec"), None);
    let context = told["spark_context_id"].as_i64().ok_or("no number")?;
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "the loss is what is shown"
    )]
    let through_a_float = context as f64 as i64;
    assert_ne!(context, through_a_float);
    let restarted = told["last_restarted_time"].as_i64().ok_or("no number")?;
    let now = simulator.world(|world| world.clock.now_ms());
    assert!((now - restarted - 8 * 3_600_000).abs() < 60_000);
    assert!(told["start_time"].as_i64() < Some(restarted));
    let vm = simulator.world(|world| world.cluster_mut("analytics", "etl").vms[0].name.clone());
    assert_eq!(told["driver"]["instance_id"], json!(vm));
    assert_eq!(told["executors"].as_array().map(Vec::len), Some(2));
    Ok(())
}

#[tokio::test]
async fn get_tells_the_spec_and_refuses_unknown_and_aged_out_ids() -> Outcome {
    let simulator = start(
        Workspace::named("analytics")
            .cluster(Cluster::idle("etl"))
            .cluster(Cluster::idle("old").aged_out()),
    )?;
    let client = Client::with_scope(&simulator, DATABRICKS).await?;
    let get = async |id: &str| {
        client
            .get(&url(
                &simulator,
                &format!("/api/2.1/clusters/get?cluster_id={id}"),
            ))
            .await
    };
    let id = |name: &str| simulator.world(|world| world.cluster_id("analytics", name));
    assert!(get(&id("etl")).await?.json()["spec"].is_object());
    let unknown = get("0101-000000-nosuch00").await?;
    assert_eq!(
        (unknown.status, &unknown.json()["error_code"]),
        (400, &json!("INVALID_PARAMETER_VALUE"))
    );
    assert_eq!(
        unknown.json()["message"],
        json!("Cluster 0101-000000-nosuch00 does not exist")
    );
    let old = get(&id("old")).await?;
    assert_eq!(
        (old.status, &old.json()["error_code"]),
        (400, &json!("INVALID_STATE"))
    );
    simulator.assert_clean();
    Ok(())
}

#[tokio::test]
async fn a_termination_is_asynchronous_and_may_be_repeated() -> Outcome {
    let cluster = Cluster::idle("etl").on_terminate(OnTerminate::After(minutes(2)));
    let simulator = start(Workspace::named("analytics").cluster(cluster))?;
    let client = Client::with_scope(&simulator, DATABRICKS).await?;
    let id = simulator.world(|world| world.cluster_id("analytics", "etl"));
    let delete = url(&simulator, "/api/2.1/clusters/delete");
    let get = url(
        &simulator,
        &format!("/api/2.1/clusters/get?cluster_id={id}"),
    );
    for _ in 0..2 {
        let reply = client.post(&delete, &json!({ "cluster_id": id })).await?;
        assert_eq!((reply.status, reply.text.as_str()), (200, "{}"));
        assert_eq!(
            client.get(&get).await?.json()["state"],
            json!("TERMINATING")
        );
    }
    simulator.world(|world| world.advance(minutes(3)));
    let told = client.get(&get).await?.json();
    assert_eq!(
        (&told["state"], told.get("driver")),
        (&json!("TERMINATED"), None)
    );
    assert_eq!(told["termination_reason"]["code"], json!("USER_REQUEST"));
    assert!(told["terminated_time"].is_i64());
    assert_eq!(simulator.record().terminations(), [id.clone(), id]);
    Ok(())
}

#[tokio::test]
async fn a_termination_may_be_accepted_and_have_no_effect() -> Outcome {
    let cluster = Cluster::idle("etl").on_terminate(OnTerminate::KeepsRunning);
    let simulator = start(Workspace::named("analytics").cluster(cluster))?;
    let client = Client::with_scope(&simulator, DATABRICKS).await?;
    let id = simulator.world(|world| world.cluster_id("analytics", "etl"));
    let reply = client
        .post(
            &url(&simulator, "/api/2.1/clusters/delete"),
            &json!({ "cluster_id": id }),
        )
        .await?;
    assert_eq!(reply.status, 200);
    assert_eq!(
        simulator.world(|world| world.cluster_state("analytics", "etl")),
        "RUNNING"
    );
    Ok(())
}

#[tokio::test]
async fn every_other_change_is_refused_and_kept() -> Outcome {
    let simulator = start(Workspace::named("analytics").cluster(Cluster::idle("etl")))?;
    let client = Client::with_scope(&simulator, DATABRICKS).await?;
    let id = simulator.world(|world| world.cluster_id("analytics", "etl"));
    for path in ["permanent-delete", "start", "restart", "edit", "unpin"] {
        let change = url(&simulator, &format!("/api/2.1/clusters/{path}"));
        let reply = client.post(&change, &json!({ "cluster_id": id })).await?;
        assert_eq!(reply.status, 501, "{path}");
    }
    let delete = url(&simulator, "/api/2.1/clusters/delete");
    let forced = json!({ "cluster_id": id, "force": true });
    assert_eq!(client.post(&delete, &forced).await?.status, 400);
    let reply = client
        .get(&url(&simulator, "/api/2.1/clusters/list?page-size=3"))
        .await?;
    assert_eq!(reply.status, 501);
    let reply = client
        .get(&url(&simulator, "/api/2.0/accounts/workspaces"))
        .await?;
    assert_eq!(
        reply.json()["message"],
        json!("Endpoint not found for /2.0/accounts/workspaces")
    );
    assert_eq!(simulator.violations().len(), 8);
    assert_eq!(simulator.record().mutating().len(), 6);
    assert_eq!(
        simulator.world(|world| world.cluster_state("analytics", "etl")),
        "RUNNING"
    );
    Ok(())
}

#[tokio::test]
async fn events_come_newest_first_in_pages_and_change_nothing() -> Outcome {
    let cluster = Cluster::idle("etl")
        .event("RESIZING", hours(2))
        .event("UPSIZE_COMPLETED", hours(1));
    let simulator = start(Workspace::named("analytics").cluster(cluster))?;
    let client = Client::with_scope(&simulator, DATABRICKS).await?;
    let events = url(&simulator, "/api/2.1/clusters/events");
    let id = simulator.world(|world| world.cluster_id("analytics", "etl"));
    let mut question = json!({ "cluster_id": id, "page_size": 2 });
    let mut types = Vec::new();
    loop {
        let body = client.post(&events, &question).await?.json();
        assert_eq!(body["total_count"], json!(5));
        let page = body["events"].as_array().cloned().unwrap_or_default();
        types.extend(
            page.iter()
                .map(|event| event["type"].as_str().unwrap_or_default().to_owned()),
        );
        match body.get("next_page") {
            Some(next) => question = next.clone(),
            None => break,
        }
    }
    assert_eq!(
        types,
        [
            "UPSIZE_COMPLETED",
            "RESIZING",
            "RUNNING",
            "STARTING",
            "CREATING"
        ]
    );
    let some = json!({ "cluster_id": id, "event_types": ["RUNNING"], "order": "ASC" });
    assert_eq!(
        client.post(&events, &some).await?.json()["total_count"],
        json!(1)
    );
    let unknown = client.post(&events, &json!({ "cluster_id": "no" })).await?;
    assert_eq!(
        (unknown.status, &unknown.json()["error_code"]),
        (400, &json!("INVALID_PARAMETER_VALUE"))
    );
    // The service takes its own bound for anything above it.
    let long = client
        .post(&events, &json!({ "cluster_id": id, "page_size": 501 }))
        .await?;
    assert_eq!((long.status, &long.json()["total_count"]), (200, &json!(5)));
    assert!(simulator.record().mutating().is_empty());
    simulator.assert_clean();
    Ok(())
}

#[tokio::test]
async fn node_types_tell_cores_as_floats_and_gpus() -> Outcome {
    let simulator = start(Workspace::named("analytics"))?;
    let client = Client::with_scope(&simulator, DATABRICKS).await?;
    let reply = client
        .get(&url(&simulator, "/api/2.1/clusters/list-node-types"))
        .await?;
    assert!(reply.text.contains("\"num_cores\":4.0"), "{}", reply.text);
    let body = reply.json();
    let types = body["node_types"].as_array().ok_or("no list")?;
    assert!(
        types
            .iter()
            .any(|node_type| node_type["num_gpus"] == json!(1))
    );
    Ok(())
}
