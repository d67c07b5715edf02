//! The client against an ARM that answers as recorded, or not at all.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use tokio::time::Instant;
use url::Url;

use super::*;
use crate::identity::Audience;
use crate::service::Lane;
use crate::service::testing::{FixedToken, TOKEN, answer, network};
use crate::timestamp::Timestamp;
use crate::transport::{MemoryTransport, TransportError};
use crate::witness::nodes::Interval;

type Answer = Result<Response<Bytes>, TransportError>;

const WORKSPACE: &str = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/rg-data/\
    providers/Microsoft.Databricks/workspaces/dbw-prod";
const GROUP: &str =
    "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/databricks-rg_dbw.prod-(1)";
const VM: &str = "86953c50a3f44a9d9e6c1f2b3d4e5f60";

fn arm(
    respond: impl Fn(&str) -> Answer + Send + Sync + 'static,
) -> (AzureMonitor, Arc<MemoryTransport>) {
    let (network, transport) = network(move |request: Request<Bytes>| {
        let answer = respond(request.uri().path());
        async move { answer }
    });
    let base = Url::parse("https://management.azure.com/").expect("the URL is well-formed");
    let deadline = Instant::now() + Duration::from_secs(3600);
    let lane = Arc::new(Lane::new(&network.limits, deadline));
    let service = Service::new(network, Arc::new(FixedToken), Audience::Arm, base, lane);
    (
        AzureMonitor::new(service.share(), Throttles::default()),
        transport,
    )
}

fn workspace(group: &str) -> Answer {
    let body = serde_json::json!({
        "id": WORKSPACE,
        "location": "westeurope",
        "properties": {"managedResourceGroupId": group, "provisioningState": "Succeeded"},
    });
    answer(200, "application/json; charset=utf-8", body.to_string())
}

fn group() -> ManagedResourceGroup {
    ManagedResourceGroup::parse(GROUP).expect("the group is well-formed")
}

/// 2026-11-22 11:00 to 12:00.
fn window() -> Window {
    let noon = Timestamp::from_millis(1_795_348_800_000);
    Window {
        asked_at: noon.plus(Duration::from_secs(300)),
        from: noon.minus(Duration::from_secs(3600)),
        to: noon,
        interval: Interval::Minute,
    }
}

#[tokio::test(start_paused = true)]
async fn reads_the_managed_resource_group_of_a_workspace() {
    let (monitor, transport) = arm(|_| workspace(GROUP));
    let group = monitor.managed_resource_group(WORKSPACE).await.unwrap();
    assert_eq!(group.to_string(), GROUP);
    let sent = transport.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(
        (&sent[0].method, sent[0].url.path()),
        (&Method::GET, WORKSPACE)
    );
    assert_eq!(sent[0].url.query(), Some("api-version=2018-04-01"));
}

#[tokio::test(start_paused = true)]
async fn a_resource_id_that_is_no_workspace_is_never_sent() {
    let (monitor, transport) = arm(|_| workspace(GROUP));
    let ids = [
        String::new(),
        GROUP.to_owned(),
        WORKSPACE.replacen('/', "", 1),
        format!("{WORKSPACE}/"),
        format!("{WORKSPACE}/providers/x"),
        WORKSPACE.replace("dbw-prod", ".."),
        WORKSPACE.replace("dbw-prod", ""),
        WORKSPACE.replace("dbw-prod", "a?b"),
        WORKSPACE.replace("rg-data", ".."),
        WORKSPACE.replace("Databricks/", "Compute/"),
        WORKSPACE.replace("0b1f6471", "0b1f647"),
    ];
    for id in ids {
        let why = monitor.managed_resource_group(&id).await.unwrap_err();
        assert_eq!(
            why.0, "the workspace's resource_id is no resource id",
            "{id}"
        );
    }
    assert!(transport.sent().is_empty());
    let lower = WORKSPACE.to_lowercase();
    assert!(monitor.managed_resource_group(&lower).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_managed_group_of_another_shape_is_refused() {
    let groups = [
        "",
        "/",
        "databricks-rg",
        "/subscriptions/x/resourceGroups/rg",
        "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/",
        "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/..",
        "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/a?b",
        "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/a/providers/b",
        "https://evil.example/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/a",
    ];
    for group in groups {
        let (monitor, _) = arm(move |_| workspace(group));
        let why = monitor.managed_resource_group(WORKSPACE).await.unwrap_err();
        assert_eq!(
            why.0, "ARM names no managed resource group of the workspace",
            "{group}"
        );
    }
    let (monitor, _) = arm(|_| answer(200, "application/json", "{\"properties\": {}}"));
    let why = monitor.managed_resource_group(WORKSPACE).await.unwrap_err();
    assert!(why.0.contains("not understood"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn asks_for_the_three_metrics_of_one_vm_over_the_window() {
    let recording = include_str!("../../tests/fixtures/azure_monitor/percentage_cpu_p1d.json");
    let (monitor, transport) = arm(move |_| answer(200, "application/json", recording));
    let metrics = monitor.vm_metrics(&group(), VM, &window()).await.unwrap();
    assert_eq!(metrics.interval, "P1D");
    let sent = transport.sent();
    let path = format!(
        "{GROUP}/providers/Microsoft.Compute/virtualMachines/{VM}/providers/Microsoft.Insights/metrics"
    );
    assert_eq!(sent[0].method, Method::GET);
    assert_eq!(sent[0].url.path(), path);
    let query: Vec<(String, String)> = sent[0].url.query_pairs().into_owned().collect();
    let expected = [
        ("api-version", "2024-02-01"),
        ("timespan", "2026-11-22T11:00:00Z/2026-11-22T12:00:00Z"),
        ("interval", "PT1M"),
        (
            "metricnames",
            "Percentage CPU,Network In Total,Network Out Total",
        ),
        ("aggregation", "average,total"),
        ("metricnamespace", "Microsoft.Compute/virtualMachines"),
        ("AutoAdjustTimegrain", "false"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(query, expected);
    // A `+` for a space once got another metric, with 200.
    let raw = sent[0].url.query().unwrap_or_default();
    assert!(
        raw.contains("Percentage%20CPU") && !raw.contains('+'),
        "{raw}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_instance_id_that_is_no_name_is_never_sent() {
    let (monitor, transport) = arm(|_| answer(200, "application/json", "{}"));
    for id in [
        "",
        "..",
        ".",
        "a/b",
        "a?b",
        "a%2fb",
        "a b",
        "ä",
        &"a".repeat(65),
    ] {
        let why = monitor
            .vm_metrics(&group(), id, &window())
            .await
            .unwrap_err();
        assert_eq!(why.0, "the machine's instance_id is no VM's name");
    }
    assert!(transport.sent().is_empty());
    let longest = "a".repeat(64);
    assert!(
        monitor
            .vm_metrics(&group(), &longest, &window())
            .await
            .is_err()
    );
    assert_eq!(transport.sent().len(), 1);
}

async fn why_not(respond: impl Fn() -> Answer + Send + Sync + 'static) -> String {
    let (monitor, _) = arm(move |_| respond());
    let result = monitor.vm_metrics(&group(), VM, &window()).await;
    let why = result.unwrap_err().0;
    assert!(!why.contains(TOKEN), "{why}");
    why
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_refusal_has_its_reason() {
    let table = [
        (400, r#"{"code": "BadRequest"}"#, "400 BadRequest to:"),
        (401, "", "401 (the token was refused)"),
        (
            403,
            r#"{"error": {"code": "AuthorizationFailed"}}"#,
            "403 AuthorizationFailed (needs Monitoring Reader on the subscription)",
        ),
        (
            404,
            r#"{"error": {"code": "ResourceNotFound"}}"#,
            "(no VM of that name)",
        ),
        (
            429,
            r#"{"error": {"code": "ResourceRequestsThrottled"}}"#,
            "(throttled)",
        ),
        (
            403,
            r#"{"error": {"code": "X\nWARN forged"}}"#,
            "403 X?WARN forged (needs",
        ),
        (403, "<html>", "403 (needs"),
        (302, "", "ARM answered 302 to:"),
    ];
    for (status, body, expected) in table {
        let why = why_not(move || answer(status, "application/json", body)).await;
        assert!(why.contains(expected), "{why}");
        assert!(why.ends_with("to: read the metrics of a VM"), "{why}");
    }
    let html = why_not(|| answer(200, "text/html", "<html>")).await;
    assert!(html.contains("not understood"), "{html}");
    let shape = why_not(|| answer(200, "application/json", "[]")).await;
    assert!(shape.contains("not understood"), "{shape}");
    let silent = why_not(|| Err(TransportError::timeout(Duration::from_secs(30)))).await;
    assert!(silent.contains("gave no answer"), "{silent}");
}

#[tokio::test(start_paused = true)]
async fn a_workspace_that_may_not_be_read_names_the_role() {
    let (monitor, _) = arm(|_| answer(403, "application/json", "{}"));
    let why = monitor
        .managed_resource_group(WORKSPACE)
        .await
        .unwrap_err()
        .0;
    assert!(
        why.contains("needs Reader on the workspace resource"),
        "{why}"
    );
}
