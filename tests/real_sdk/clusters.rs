//! Clusters: listing with filters and pages, reading one, terminating it,
//! its events, and the sizes of machines.

use serde_json::{Value, json};
use simulator::world::{
    Cluster, MAIN, Member, PageEnd, Permission, Workspace, hours, minutes, seconds,
};
use simulator::{Match, Simulator};

use crate::{admin_of, each, requests};

const LIST: &str = "/api/2.1/clusters/list";
const EVENTS: &str = "/api/2.1/clusters/events";

fn mixed() -> Workspace {
    Workspace::named("one")
        .cluster(Cluster::idle("ui").since(hours(5)).tag("team", "x"))
        .cluster(Cluster::busy("api").source("API"))
        .cluster(Cluster::job("job"))
        .cluster(Cluster::idle("growing").state("RESIZING"))
        .cluster(Cluster::idle("kept").pinned())
        .cluster(Cluster::terminated("gone"))
}

/// The pages of a listing as the simulator was asked for them: a token on each but the first.
fn assert_pages(simulator: &Simulator, path: &str, count: usize) {
    let record = simulator.record();
    let pages = record.matching(&Match::path(path));
    assert_eq!(pages.len(), count, "{pages:?}");
    for (number, page) in pages.iter().enumerate() {
        let token = page.query().first("page_token");
        assert_eq!(token.is_some(), number > 0, "{page}");
    }
}

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn a_listing_of_several_pages_is_read_to_its_end() {
    for end in [PageEnd::Absent, PageEnd::Empty] {
        let clusters = (0..205).map(|number| Cluster::idle(&format!("c-{number:03}")));
        let workspace = Workspace::named("one").clusters(clusters).page_end(end);
        let (simulator, mut sdk) = admin_of(workspace);
        let listed = sdk.items("clusters.list", &json!({ "page_size": 100 }));
        let names: Vec<String> = (0..205).map(|number| format!("c-{number:03}")).collect();
        assert_eq!(each(&listed, "cluster_name"), names);
        assert_pages(&simulator, LIST, 3);
        simulator.assert_clean();
    }
}

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn the_service_bounds_a_page_whatever_is_asked_for() {
    let clusters = (0..101).map(|number| Cluster::idle(&format!("c-{number:03}")));
    let (simulator, mut sdk) = admin_of(Workspace::named("one").clusters(clusters));
    assert_eq!(
        sdk.items("clusters.list", &json!({ "page_size": 500 }))
            .len(),
        101
    );
    assert_pages(&simulator, LIST, 2);
    simulator.forget_record();
    assert_eq!(sdk.items("clusters.list", &json!({})).len(), 101);
    assert_pages(&simulator, LIST, 6);
}

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn filters_and_order_are_the_services_own() {
    let (simulator, mut sdk) = admin_of(mixed());
    let order = json!({ "field": "CLUSTER_NAME", "direction": "DESC" });
    for (filter, expected) in [
        (
            json!({}),
            &["ui", "kept", "job", "growing", "gone", "api"][..],
        ),
        (
            json!({ "cluster_states": ["RUNNING"] }),
            &["ui", "kept", "job", "api"],
        ),
        (
            json!({ "cluster_states": ["RESIZING", "TERMINATED"] }),
            &["growing", "gone"],
        ),
        (
            json!({ "cluster_sources": ["UI", "API"] }),
            &["ui", "kept", "growing", "gone", "api"],
        ),
        (json!({ "cluster_sources": ["JOB"] }), &["job"]),
        (json!({ "is_pinned": true }), &["kept"]),
        (
            json!({ "is_pinned": false }),
            &["ui", "job", "growing", "gone", "api"],
        ),
        (
            json!({ "cluster_states": ["RUNNING"], "cluster_sources": ["API"] }),
            &["api"],
        ),
        (json!({ "cluster_states": ["PENDING"] }), &[]),
    ] {
        let with = json!({ "filter_by": filter, "sort_by": order, "page_size": 2 });
        let listed = sdk.items("clusters.list", &with);
        assert_eq!(each(&listed, "cluster_name"), expected, "{filter}");
    }
    simulator.assert_clean();
}

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn only_clusters_that_one_may_see_are_listed() {
    let workspace = mixed()
        .member(Member::user(MAIN, Permission::None))
        .cluster(Cluster::idle("seen").permission(MAIN, Permission::CanAttachTo));
    let (_simulator, mut sdk) = admin_of(workspace);
    let listed = sdk.items("clusters.list", &json!({}));
    assert_eq!(each(&listed, "cluster_name"), ["seen"]);
}

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn a_cluster_that_is_read_has_every_field_in_its_type() {
    let (simulator, mut sdk) = admin_of(mixed());
    let (id, context, machine) = simulator.world(|world| {
        let cluster = world.find_cluster("one", "ui").unwrap();
        (
            cluster.id.clone(),
            cluster.spark_context_id,
            cluster.vms[0].name.clone(),
        )
    });
    let cluster = sdk.answer("clusters.get", &json!({ "cluster_id": id }));
    assert_eq!(cluster["class"], "ClusterDetails");
    assert_eq!(cluster["cluster_id"], id);
    assert_eq!(cluster["state"], "State.RUNNING");
    assert_eq!(cluster["cluster_source"], "ClusterSource.UI");
    assert_eq!(
        cluster["data_security_mode"],
        "DataSecurityMode.SINGLE_USER"
    );
    assert_eq!(cluster["runtime_engine"], "RuntimeEngine.STANDARD");
    assert_eq!(cluster["azure_attributes"]["class"], "AzureAttributes");
    assert_eq!(
        cluster["azure_attributes"]["availability"],
        "AzureAvailability.ON_DEMAND_AZURE"
    );
    // Beyond what a float holds.
    assert_eq!(cluster["spark_context_id"], context);
    assert_eq!(cluster["driver"]["class"], "SparkNode");
    assert_eq!(cluster["driver"]["instance_id"], machine);
    assert_eq!(cluster["executors"].as_array().unwrap().len(), 2);
    assert_eq!(cluster["num_workers"], 2);
    assert_eq!(cluster["cluster_cores"], 12.0);
    assert_eq!(cluster["custom_tags"], json!({ "team": "x" }));
    assert_eq!(cluster["default_tags"]["ClusterId"], id);
    assert_eq!(cluster["spec"]["class"], "ClusterSpec");
    let times = ["start_time", "last_restarted_time", "last_state_loss_time"];
    for time in times {
        assert!(
            cluster[time].as_i64().unwrap() > 1_700_000_000_000,
            "{time}"
        );
    }
    let listed = sdk.items(
        "clusters.list",
        &json!({ "filter_by": { "cluster_sources": ["JOB"] } }),
    );
    assert_eq!(listed[0].get("spec"), None, "a listing has no spec");
    simulator.assert_clean();
}

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn a_termination_is_waited_for_and_read_back() {
    let (simulator, mut sdk) = admin_of(mixed());
    let id = simulator.world(|world| world.cluster_id("one", "ui"));
    let with = json!({ "cluster_id": id, "timeout": 60 });
    let after = sdk.answer("clusters.delete_and_wait", &with);
    assert_eq!(after["state"], "State.TERMINATED");
    assert_eq!(after["termination_reason"]["class"], "TerminationReason");
    assert_eq!(
        after["termination_reason"]["code"],
        "TerminationReasonCode.USER_REQUEST"
    );
    assert_eq!(
        after["termination_reason"]["type"],
        "TerminationReasonType.SUCCESS"
    );
    assert!(after["terminated_time"].as_i64() > after["last_restarted_time"].as_i64());
    assert_eq!(after.get("driver"), None);

    // Again is no error, and changes nothing.
    sdk.answer("clusters.delete", &json!({ "cluster_id": id }));
    let again = sdk.answer("clusters.get", &json!({ "cluster_id": id }));
    assert_eq!(again["terminated_time"], after["terminated_time"]);
    let record = simulator.record();
    assert_eq!(record.terminations(), [id.clone(), id]);
    assert_eq!(record.mutating().len(), 2);

    let gone = simulator.world(|world| world.cluster_id("one", "gone"));
    let gone = sdk.answer("clusters.get", &json!({ "cluster_id": gone }));
    assert_eq!(
        gone["termination_reason"]["code"],
        "TerminationReasonCode.INACTIVITY"
    );
    simulator.assert_clean();
}

fn eventful() -> Workspace {
    let mut cluster = Cluster::idle("ui").started(hours(8));
    for number in 0..5 {
        cluster = cluster.event("RESIZING", minutes(60 * 5 - number * 60));
    }
    Workspace::named("one").cluster(cluster.event("DRIVER_HEALTHY", seconds(30)))
}

fn times(events: &[Value]) -> Vec<i64> {
    events
        .iter()
        .map(|event| event["timestamp"].as_i64().unwrap())
        .collect()
}

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn events_come_newest_first_page_by_page() {
    let (simulator, mut sdk) = admin_of(eventful());
    let id = simulator.world(|world| world.cluster_id("one", "ui"));
    let events = sdk.items(
        "clusters.events",
        &json!({ "cluster_id": id, "page_size": 3 }),
    );
    let types = each(&events, "type");
    assert_eq!(types[0], "EventType.DRIVER_HEALTHY");
    assert_eq!(types[1..6], ["EventType.RESIZING"; 5]);
    assert_eq!(
        types[6..],
        [
            "EventType.RUNNING",
            "EventType.STARTING",
            "EventType.CREATING"
        ]
    );
    assert!(times(&events).is_sorted_by(|newer, older| newer >= older));
    assert_eq!(events[6]["class"], "ClusterEvent");
    assert_eq!(events[6]["details"]["class"], "EventDetails");
    assert_eq!(events[6]["details"]["current_num_workers"], 2);
    let record = simulator.record();
    let pages = record.matching(&Match::path(EVENTS));
    assert_eq!(pages.len(), 3);
    assert!(
        record.mutating().is_empty(),
        "reading events changes nothing"
    );

    let oldest_first = json!({ "cluster_id": id, "page_size": 4, "order": "ASC" });
    let reversed = sdk.items("clusters.events", &oldest_first);
    assert!(times(&reversed).is_sorted());
    assert_eq!(reversed.len(), events.len());
    simulator.assert_clean();
}

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn events_are_filtered_by_type_and_time() {
    let (simulator, mut sdk) = admin_of(eventful());
    let id = simulator.world(|world| world.cluster_id("one", "ui"));
    let scaling = json!({ "cluster_id": id, "event_types": ["RESIZING"], "page_size": 2 });
    let events = sdk.items("clusters.events", &scaling);
    assert_eq!(each(&events, "type"), ["EventType.RESIZING"; 5]);
    assert_eq!(requests(&simulator, EVENTS), 3);

    let at = times(&events);
    let between = json!({ "cluster_id": id, "start_time": at[3], "end_time": at[1] });
    assert_eq!(times(&sdk.items("clusters.events", &between)), at[1..=3]);
    // Beyond the bound the service takes the bound.
    let all = sdk.items(
        "clusters.events",
        &json!({ "cluster_id": id, "page_size": 5_000 }),
    );
    assert_eq!(all.len(), 9);
    simulator.assert_clean();
}

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn sizes_of_machines_can_be_told_apart_and_chosen_from() {
    let (simulator, mut sdk) = admin_of(mixed());
    let answer = sdk.answer("clusters.list_node_types", &json!({}));
    assert_eq!(answer["class"], "ListNodeTypesResponse");
    let sizes = answer["node_types"].as_array().unwrap();
    let small = sizes
        .iter()
        .find(|size| size["node_type_id"] == "Standard_F4s");
    let small = small.unwrap();
    assert_eq!(small["class"], "NodeType");
    assert_eq!(small["num_cores"], 4.0);
    assert_eq!(small["memory_mb"], 8_192);
    assert_eq!(small["num_gpus"], 0);
    assert_eq!(small["node_instance_type"]["class"], "NodeInstanceType");
    let large = sdk.answer("clusters.select_node_type", &json!({ "min_cores": 16 }));
    assert_eq!(large, "Standard_DS5_v2");
    let gpu = sdk.answer("clusters.select_node_type", &json!({ "min_gpus": 1 }));
    assert_eq!(gpu, "Standard_NC6s_v3");
    simulator.assert_clean();
}
