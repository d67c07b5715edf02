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
use crate::witness::nodes::{Interval, TaggedMachine};

type Answer = Result<Response<Bytes>, TransportError>;

const WORKSPACE: &str = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/rg-data/\
    providers/Microsoft.Databricks/workspaces/dbw-prod";
const GROUP: &str =
    "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/databricks-rg_dbw.prod-(1)";
const VM: &str = "86953c50a3f44a9d9e6c1f2b3d4e5f60";

fn arm(
    respond: impl Fn(&str) -> Answer + Send + Sync + 'static,
) -> (AzureMonitor, Arc<MemoryTransport>) {
    arm_by(move |request| respond(request.uri().path()))
}

fn arm_by(
    respond: impl Fn(&Request<Bytes>) -> Answer + Send + Sync + 'static,
) -> (AzureMonitor, Arc<MemoryTransport>) {
    let (network, transport) = network(move |request: Request<Bytes>| {
        let answer = respond(&request);
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
            429,
            r#"{"code": "X", "message": "Please try again after '309' seconds."}"#,
            "429 X (throttled for 5m9s)",
        ),
        (529, "{}", "529 (throttled)"),
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

fn json(body: &serde_json::Value) -> Answer {
    answer(200, "application/json", body.to_string())
}

/// The query of the next page, as ARM writes such URLs.
const NEXT: &str = "api-version=2024-07-01&%24skiptoken=a%2Bb%3D";

fn list_path() -> String {
    format!("{GROUP}/providers/Microsoft.Compute/virtualMachines")
}

#[tokio::test(start_paused = true)]
async fn reads_every_page_of_the_machines_and_what_their_tags_tell() {
    let (monitor, transport) = arm_by(|request| {
        let first = serde_json::json!({
            "value": [
                {"name": "A1", "tags": {"clusterID": "0915-1", "Vendor": "Databricks"}},
                {"name": "p1", "tags": {"DatabricksInstancePoolId": "pool-1"}},
            ],
            "nextLink": format!("https://management.azure.com:443{}?{NEXT}", list_path().to_uppercase()),
        });
        let last = serde_json::json!({"value": [
            {"name": "n1", "properties": {}},
            {"name": "g1", "tags": {"ClusterId": "0915-1"}, "properties": {"provisioningState": "Deleting"}},
        ], "nextLink": ""});
        let query = request.uri().query().unwrap_or_default();
        json(if query.contains("skiptoken") {
            &last
        } else {
            &first
        })
    });
    let roster = monitor.machines(&group()).await.unwrap();
    let machine = |name: &str| TaggedMachine {
        name: name.to_owned(),
        cluster: None,
        of_pool: false,
        is_leaving: false,
    };
    let cluster = || Some("0915-1".to_owned());
    let expected = [
        TaggedMachine {
            cluster: cluster(),
            ..machine("A1")
        },
        TaggedMachine {
            of_pool: true,
            ..machine("p1")
        },
        machine("n1"),
        TaggedMachine {
            cluster: cluster(),
            is_leaving: true,
            ..machine("g1")
        },
    ];
    assert_eq!(roster, Roster::new(expected));
    let sent = transport.sent();
    let paths: Vec<_> = sent.iter().map(|one| one.url.path()).collect();
    assert_eq!(paths, [list_path(), list_path()]);
    let query =
        |at: usize| -> Vec<(String, String)> { sent[at].url.query_pairs().into_owned().collect() };
    let version = ("api-version".to_owned(), "2024-07-01".to_owned());
    assert_eq!(query(0), std::slice::from_ref(&version));
    let token = ("$skiptoken".to_owned(), "a+b=".to_owned());
    assert_eq!(query(1), [version, token]);
}

#[tokio::test(start_paused = true)]
async fn a_list_of_machines_that_goes_on_elsewhere_is_not_followed() {
    let path = list_path();
    let links = [
        format!("https://evil.example{path}?{NEXT}"),
        format!("https://management.azure.com.evil.example{path}?{NEXT}"),
        format!("http://management.azure.com{path}?{NEXT}"),
        format!("https://management.azure.com:8443{path}?{NEXT}"),
        format!("https://user@management.azure.com{path}?{NEXT}"),
        format!("https://user:pass@management.azure.com{path}?{NEXT}"),
        format!("https://management.azure.com{GROUP}/providers/Microsoft.Compute/disks?{NEXT}"),
        format!("{path}?{NEXT}"),
        "?".to_owned(),
    ];
    for link in links {
        let body = serde_json::json!({"value": [], "nextLink": link});
        let (monitor, transport) = arm(move |_| json(&body));
        let why = monitor.machines(&group()).await.unwrap_err();
        assert!(why.0.contains("goes on elsewhere"), "{link}: {why}");
        assert_eq!(transport.sent().len(), 1, "{link}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_of_machines_ends_even_if_its_pages_do_not() {
    let link = |query: &str| format!("https://management.azure.com{}?{query}", list_path());
    let same = serde_json::json!({"value": [], "nextLink": link(NEXT)});
    let (monitor, transport) = arm(move |_| json(&same));
    let why = monitor.machines(&group()).await.unwrap_err();
    assert!(why.0.contains("the same page twice"), "{why}");
    assert_eq!(transport.sent().len(), 2);
    let (monitor, transport) = arm_by(move |request| {
        let query = request.uri().query().unwrap_or_default();
        json(&serde_json::json!({"value": [], "nextLink": link(&format!("{query}1"))}))
    });
    let why = monitor.machines(&group()).await.unwrap_err();
    assert!(why.0.contains("more than 200 pages"), "{why}");
    assert_eq!(transport.sent().len(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_is_not_understood_makes_the_list_unknown() {
    for item in [
        serde_json::json!({"tags": {}}),
        serde_json::json!({"name": 7}),
        serde_json::json!({"name": "a", "tags": {"ClusterId": 7}}),
        serde_json::json!({"name": "a", "tags": []}),
    ] {
        let (monitor, _) = arm(move |_| json(&serde_json::json!({"value": [item]})));
        let why = monitor.machines(&group()).await.unwrap_err();
        assert!(why.0.contains("not understood"), "{why}");
    }
    let (monitor, _) = arm(|_| json(&serde_json::json!({})));
    assert!(monitor.machines(&group()).await.is_err());
    let (monitor, _) = arm(|_| answer(403, "application/json", "{}"));
    let why = monitor.machines(&group()).await.unwrap_err();
    assert!(why.0.contains("needs Reader or Monitoring Reader"), "{why}");
}

/// Another subscription than that of [`GROUP`].
const OTHER: &str = "/subscriptions/9d1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/rg-2";
const PROVIDER_LIMIT: &str = "{\"code\":\"ResourceRequestsThrottled\",\"message\":\"Number of requests for \
    action 'Microsoft.Insights/metrics/read' exceeded the limit of '400' for time interval '00:05:00'. \
    Please try again after '309' seconds.\"}";

#[tokio::test(start_paused = true)]
async fn a_provider_that_throttles_is_left_alone_for_as_long_as_it_asks() {
    let (monitor, transport) = arm(|_| answer(429, "application/json", PROVIDER_LIMIT));
    let asked = || transport.sent().len();
    let ask = async |group: &str| {
        let group = ManagedResourceGroup::parse(group).expect("well-formed");
        monitor.vm_metrics(&group, VM, &window()).await.unwrap_err()
    };
    let first = ask(GROUP).await;
    assert!(first.0.contains("throttled for 5m9s"), "{first}");
    for _ in 0..3 {
        let why = ask(&GROUP.to_uppercase()).await;
        assert!(
            why.0.starts_with("not asked, because it was throttled"),
            "{why}"
        );
        assert!(why.0.contains("ResourceRequestsThrottled"), "{why}");
    }
    assert_eq!(asked(), 1, "no more than the one that was refused");
    ask(OTHER).await;
    assert_eq!(asked(), 2, "another subscription has a limit of its own");
    assert!(monitor.machines(&group()).await.is_err());
    assert_eq!(asked(), 3, "and so has another kind of question");
    tokio::time::advance(Duration::from_secs(308)).await;
    ask(GROUP).await;
    assert_eq!(asked(), 3);
    tokio::time::advance(Duration::from_secs(1)).await;
    ask(GROUP).await;
    assert_eq!(asked(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_throttled_question_is_repeated_within_its_budget() {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let recording = include_str!("../../tests/fixtures/azure_monitor/percentage_cpu_p1d.json");
    let (monitor, transport) = arm(move |_| {
        if count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 0 {
            return answer(200, "application/json", recording);
        }
        let body = r#"{"error": {"code": "TooManyRequests"}}"#;
        let mut refusal = answer(429, "application/json", body)?;
        let seconds = http::HeaderValue::from_static("17");
        refusal.headers_mut().insert("retry-after", seconds);
        Ok(refusal)
    });
    let began = Instant::now();
    assert!(monitor.vm_metrics(&group(), VM, &window()).await.is_ok());
    assert!(began.elapsed() >= Duration::from_secs(17));
    assert_eq!(transport.sent().len(), 2);
    // It came through, so nothing is held back.
    assert!(monitor.vm_metrics(&group(), VM, &window()).await.is_ok());
    assert_eq!(transport.sent().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn only_throttling_holds_later_questions_back() {
    for status in [400, 403, 404, 500, 503] {
        let (monitor, transport) = arm(move |_| answer(status, "application/json", "{}"));
        let ask = async || monitor.vm_metrics(&group(), VM, &window()).await.is_err();
        assert!(ask().await);
        let before = transport.sent().len();
        assert!(ask().await);
        assert!(transport.sent().len() > before, "{status}");
    }
}
