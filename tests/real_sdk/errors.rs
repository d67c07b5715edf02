//! Failures: the exception that the SDK makes of each, and what it repeats.

use serde_json::json;
use simulator::world::{Cluster, MAIN, Member, Permission, Workspace};
use simulator::{Fault, Match, Times};

use crate::{admin_of, requests};

const LIST: &str = "/api/2.1/clusters/list";

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn what_is_not_there_is_not_found_although_the_status_is_400() {
    let workspace = Workspace::named("one").cluster(Cluster::terminated("old").aged_out());
    let (simulator, mut sdk) = admin_of(workspace);
    let unknown = json!({ "cluster_id": "0101-000000-nosuch00" });
    let refusal = sdk.refusal("clusters.get", &unknown);
    assert_eq!(refusal.classes[..2], ["ResourceDoesNotExist", "NotFound"]);
    assert_eq!(
        refusal.message,
        "Cluster 0101-000000-nosuch00 does not exist"
    );
    let refusal = sdk.refusal("jobs.get_run", &json!({ "run_id": 1 }));
    assert_eq!(refusal.classes[..2], ["ResourceDoesNotExist", "NotFound"]);
    // The SDK gives a new meaning to the reading call alone.
    let refusal = sdk.refusal("clusters.delete", &unknown);
    assert_eq!(
        refusal.classes[..2],
        ["InvalidParameterValue", "BadRequest"]
    );

    let aged_out = simulator.world(|world| world.cluster_id("one", "old"));
    let refusal = sdk.refusal("clusters.get", &json!({ "cluster_id": aged_out }));
    assert_eq!(refusal.classes[..2], ["InvalidState", "BadRequest"]);
    assert_eq!(refusal.code, "INVALID_STATE");
    simulator.assert_clean();
}

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn a_right_that_is_missing_is_permission_denied() {
    let workspace = Workspace::named("one")
        .member(Member::user(MAIN, Permission::CanAttachTo))
        .cluster(Cluster::idle("seen"))
        .cluster(Cluster::idle("hidden").permission(MAIN, Permission::None));
    let (simulator, mut sdk) = admin_of(workspace);
    let id = |name| simulator.world(|world| world.cluster_id("one", name));
    for (call, name) in [
        ("clusters.get", "hidden"),
        ("clusters.events", "hidden"),
        ("clusters.delete", "seen"),
    ] {
        let refusal = sdk.refusal(call, &json!({ "cluster_id": id(name) }));
        assert_eq!(refusal.classes[0], "PermissionDenied", "{call}");
        assert_eq!(refusal.code, "PERMISSION_DENIED");
    }
    let state = simulator.world(|world| world.cluster_state("one", "seen"));
    assert_eq!(state, "RUNNING");
    simulator.assert_clean();
}

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn throttling_is_waited_out_for_as_long_as_it_says() {
    let workspace = Workspace::named("one").cluster(Cluster::idle("ui"));
    let (simulator, mut sdk) = admin_of(workspace);
    simulator.fault(Match::path(LIST), Times::First(1), Fault::throttled(2));
    assert_eq!(sdk.items("clusters.list", &json!({})).len(), 1);
    let record = simulator.record();
    let [refused, answered] = record.matching(&Match::path(LIST))[..] else {
        panic!("{:?}", record.requests());
    };
    assert_eq!((refused.status, answered.status), (Some(429), Some(200)));
    let waited_ms = answered.at_ms - refused.at_ms;
    assert!(waited_ms >= 2_000, "Retry-After was read: {waited_ms} ms");
    simulator.assert_clean();
}

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn an_unavailable_service_is_asked_again() {
    let workspace = Workspace::named("one").cluster(Cluster::idle("ui"));
    let (simulator, mut sdk) = admin_of(workspace);
    simulator.fault(Match::path(LIST), Times::First(1), Fault::html(503));
    assert_eq!(sdk.items("clusters.list", &json!({})).len(), 1);
    assert_eq!(requests(&simulator, LIST), 2);
    simulator.assert_clean();
}

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn an_error_of_the_service_is_not_repeated() {
    let workspace = Workspace::named("one").cluster(Cluster::idle("ui"));
    let (simulator, mut sdk) = admin_of(workspace);
    for (fault, class) in [
        (Fault::html(500), "InternalError"),
        (Fault::html(404), "NotFound"),
        (
            Fault::json(409, r#"{"error_code":"ABORTED","message":"again"}"#),
            "Aborted",
        ),
    ] {
        simulator.clear_faults();
        simulator.forget_record();
        simulator.fault(Match::path(LIST), Times::Always, fault);
        let refusal = sdk.refusal("clusters.list", &json!({}));
        assert_eq!(refusal.classes[0], class, "{refusal:?}");
        assert_eq!(requests(&simulator, LIST), 1, "{class}");
    }
}

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn a_page_that_fails_for_good_ends_the_listing_with_an_error() {
    let clusters = (0..30).map(|number| Cluster::idle(&format!("c-{number}")));
    let (simulator, mut sdk) = admin_of(Workspace::named("one").clusters(clusters));
    let token = Match::path(LIST).query("page_token", "");
    simulator.fault(token, Times::Always, Fault::html(500));
    let refusal = sdk.refusal("clusters.list", &json!({}));
    assert_eq!(refusal.classes[0], "InternalError");
    assert_eq!(requests(&simulator, LIST), 2);
}

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn a_path_that_does_not_exist_is_not_found_and_noticed() {
    let (simulator, mut sdk) = admin_of(Workspace::named("one"));
    let refusal = sdk.refusal("instance_pools.list", &json!({}));
    assert_eq!(refusal.classes[0], "NotFound");
    assert_eq!(
        refusal.message,
        "Endpoint not found for /2.0/instance-pools/list"
    );
    assert_eq!(simulator.violations().len(), 1, "nobody arranged that");
}
