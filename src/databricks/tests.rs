use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};

use super::*;
use crate::cluster::ClusterState;
use crate::service::testing::{answer, service};
use crate::transport::{MemoryTransport, Outgoing, TransportError};

mod listing;
mod permit;
mod run_payloads;
mod runs;

/// A workspace that answers `respond(path, query, body)` with a status and JSON.
pub(super) fn workspace(
    respond: impl Fn(&str, &str, &str) -> (u16, String) + Send + Sync + 'static,
) -> (Databricks, Arc<MemoryTransport>) {
    let handler = move |request: Request<Bytes>| {
        let response = play(&respond, &request);
        async move { response }
    };
    let (service, transport) = service(handler);
    (Databricks::new(service.share()), transport)
}

fn play(
    respond: &impl Fn(&str, &str, &str) -> (u16, String),
    request: &Request<Bytes>,
) -> Result<Response<Bytes>, TransportError> {
    let query = request.uri().query().unwrap_or_default();
    let body = String::from_utf8_lossy(request.body());
    let (status, json) = respond(request.uri().path(), query, &body);
    answer(status, "application/json", json)
}

/// A workspace that answers every request alike.
pub(super) fn always(status: u16, json: &str) -> (Databricks, Arc<MemoryTransport>) {
    let json = json.to_owned();
    workspace(move |_, _, _| (status, json.clone()))
}

/// The value of `page_token`, still encoded; empty on a first page.
pub(super) fn token(query: &str) -> &str {
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix("page_token="))
        .unwrap_or_default()
}

pub(super) fn requests(transport: &MemoryTransport) -> Vec<String> {
    let line = |request: &Outgoing| {
        let query = request.url.query().map(|query| format!("?{query}"));
        format!(
            "{} {}{}",
            request.method,
            request.url.path(),
            query.unwrap_or_default()
        )
    };
    transport.sent().iter().map(line).collect()
}

fn id() -> ClusterId {
    ClusterId::new("0915-021615-abcd1234")
}

#[tokio::test(start_paused = true)]
async fn an_error_with_status_200_is_called_one_whatever_was_asked() {
    for body in [
        r#"{"error_code":"X","cluster_id":"0915-021615-abcd1234","node_types":[]}"#,
        r#"{"message":"Try later","cluster_id":"0915-021615-abcd1234","node_types":[]}"#,
    ] {
        let (databricks, _) = always(200, body);
        let cluster = databricks.get_cluster(&id()).await.expect_err(body);
        let types = databricks.node_types().await.expect_err(body);
        for error in [cluster, types] {
            let told = error.to_string();
            assert!(told.contains("an error with status 200"), "{told}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn gets_the_cluster_that_was_asked_for() {
    let (databricks, transport) = always(
        200,
        r#"{"cluster_id":"0915-021615-abcd1234","state":"RUNNING","spec":{"num_workers":1}}"#,
    );
    let cluster = databricks.get_cluster(&id()).await.expect("a cluster");
    assert_eq!(cluster.state, ClusterState::Running);
    assert_eq!(
        requests(&transport),
        ["GET /api/2.1/clusters/get?cluster_id=0915-021615-abcd1234"]
    );
    for json in [r#"{"cluster_id":"another"}"#, "{}", "[]", "null"] {
        let (databricks, _) = always(200, json);
        let error = databricks.get_cluster(&id()).await.expect_err(json);
        assert!(matches!(error.cause, CallErrorCause::Shape(_)), "{error}");
        assert!(!cluster_gone(&error), "{json}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_gone_is_told_from_every_other_failure() {
    let gone = [
        (
            400,
            r#"{"error_code":"INVALID_PARAMETER_VALUE","message":"Cluster 0915 does not exist"}"#,
        ),
        (
            400,
            r#"{"error_code":"INVALID_STATE","message":"Cannot access cluster 0915 that was terminated or unpinned more than 30 days ago."}"#,
        ),
        (
            404,
            r#"{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"gone"}"#,
        ),
    ];
    let failed = [
        (
            400,
            r#"{"error_code":"INVALID_PARAMETER_VALUE","message":"cluster_id is missing"}"#,
        ),
        (404, "{}"),
        (404, r#"{"error_code":"ENDPOINT_NOT_FOUND"}"#),
        (
            403,
            r#"{"error_code":"PERMISSION_DENIED","message":"the thing does not exist"}"#,
        ),
        (500, r#"{"error_code":"INVALID_STATE"}"#),
    ];
    let rows = gone.map(|row| (row, true)).into_iter();
    for ((status, json), expected) in rows.chain(failed.map(|row| (row, false))) {
        let (databricks, _) = always(status, json);
        let error = databricks.get_cluster(&id()).await.expect_err(json);
        assert_eq!(cluster_gone(&error), expected, "{status} {json}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_words_of_a_refusal_are_told_escaped_and_an_empty_one_has_none() {
    let rows = [
        (
            r#"{"error_code":"PERMISSION_DENIED","message":"no `right`\nERROR"}"#,
            Some(r"PERMISSION_DENIED: no \u{60}right\u{60} ERROR"),
        ),
        ("{}", None),
        ("", None),
    ];
    for (body, expected) in rows {
        let (databricks, _) = always(403, body);
        let error = databricks.get_cluster(&id()).await.expect_err(body);
        assert_eq!(words_of_refusal(&error).as_deref(), expected, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn termination_is_one_post_of_the_id() {
    let (databricks, transport) = always(200, "{}");
    let (permit, second) = permit::permit();
    let done = databricks.terminate_cluster(permit, second, soon()).await;
    assert!(done.is_ok());
    assert_eq!(requests(&transport), ["POST /api/2.1/clusters/delete"]);
    let sent = transport.sent();
    let body: serde_json::Value =
        serde_json::from_slice(&sent.first().expect("a request").body).expect("JSON");
    assert_eq!(
        body,
        serde_json::json!({ "cluster_id": "0915-021615-abcd1234" })
    );
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

#[tokio::test(start_paused = true)]
async fn a_termination_that_may_have_arrived_is_not_sent_again() {
    for status in [500, 502, 504] {
        let (databricks, transport) = always(status, r#"{"message":"Unexpected error"}"#);
        let (permit, second) = permit::permit();
        let done = databricks.terminate_cluster(permit, second, soon()).await;
        assert!(done.is_err());
        assert_eq!(requests(&transport).len(), 1, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_termination_is_not_sent_on_a_proof_that_has_grown_old() {
    let (databricks, transport) = always(429, "{}");
    let (permit, second) = permit::permit();
    let began = Instant::now();
    let until = began + Duration::from_secs(1);
    assert!(
        databricks
            .terminate_cluster(permit, second, until)
            .await
            .is_err()
    );
    assert!(began.elapsed() < Duration::from_secs(1));
    assert!(
        requests(&transport).len() < 4,
        "{}",
        requests(&transport).len()
    );

    let (databricks, transport) = always(200, "{}");
    let (permit, second) = permit::permit();
    let done = databricks.terminate_cluster(permit, second, began).await;
    assert!(matches!(done, Err(error) if matches!(error.cause, CallErrorCause::TooLate)));
    assert!(requests(&transport).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_refused_termination_is_an_error() {
    for (status, json) in [
        (403, r#"{"error_code":"PERMISSION_DENIED","message":"no"}"#),
        (200, r#"{"error_code":"INVALID_STATE","message":"no"}"#),
    ] {
        let (databricks, _) = always(status, json);
        let (permit, second) = permit::permit();
        let done = databricks.terminate_cluster(permit, second, soon()).await;
        assert!(done.is_err(), "{status} {json}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_id_stays_in_its_place() {
    let (databricks, transport) = always(200, "{}");
    let hostile = ClusterId::new("a&b=c/../delete#x");
    assert!(databricks.get_cluster(&hostile).await.is_err());
    assert_eq!(
        requests(&transport),
        ["GET /api/2.1/clusters/get?cluster_id=a%26b%3Dc%2F..%2Fdelete%23x"]
    );
}

#[tokio::test(start_paused = true)]
async fn reads_machine_sizes_and_leaves_out_what_it_cannot_read() {
    let (databricks, _) = always(
        200,
        include_str!("../../tests/fixtures/databricks/node_types.json"),
    );
    let sizes = databricks.node_types().await.expect("sizes");
    let lines: Vec<String> = sizes
        .iter()
        .map(|(id, size)| format!("{id} {} {:?}", size.cores, size.gpus))
        .collect();
    assert_eq!(
        lines,
        [
            "Standard_DS3_v2 4 Some(0)",
            "Standard_NC24ads_A100_v4 24 Some(1)",
            "m5a.half 0.5 None",
            "text 8 Some(2)",
        ]
    );
    let (databricks, _) = always(200, "{}");
    assert!(databricks.node_types().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn the_latest_resize_since_an_instant() {
    let from = Timestamp::from_millis(1_795_300_000_000);
    let rows = [
        ("{}", Ok(None)),
        (r#"{"events":[],"total_count":0}"#, Ok(None)),
        (
            r#"{"events":[{"timestamp":1795300000002,"type":"RESIZING"},{"timestamp":1795300000001,"type":"NODES_LOST"}],"next_page":{"offset":2}}"#,
            Ok(Some(1_795_300_000_002)),
        ),
        (
            r#"{"events":[{"timestamp":"1795300000001"},{"timestamp":1795300000003}]}"#,
            Ok(Some(1_795_300_000_003)),
        ),
        (r#"{"events":[{"timestamp":1795299999999}]}"#, Ok(None)),
        (
            r#"{"events":[{"timestamp":1795300000001},{"timestamp":1795300000002}],"next_page":{"offset":2}}"#,
            Err(()),
        ),
        (r#"{"events":[{"type":"RESIZING"}]}"#, Err(())),
        (r#"{"events":[{"timestamp":0}]}"#, Err(())),
        (r#"{"error_code":"INVALID_STATE","message":"x"}"#, Err(())),
    ];
    for (json, expected) in rows {
        let (databricks, _) = always(200, json);
        let latest = databricks.resize_events(&id(), from).await;
        let latest = latest.map(|at| at.map(Timestamp::as_millis)).map_err(drop);
        assert_eq!(latest, expected, "{json}");
    }
}

#[tokio::test(start_paused = true)]
async fn periodic_statistics_are_no_resize() {
    let (databricks, transport) = always(200, "{}");
    let from = Timestamp::from_millis(5);
    assert!(databricks.resize_events(&id(), from).await.is_ok());
    assert_eq!(requests(&transport), ["POST /api/2.1/clusters/events"]);
    let sent = transport.sent();
    let body: serde_json::Value =
        serde_json::from_slice(&sent.first().expect("a request").body).expect("JSON");
    assert_eq!(
        body,
        serde_json::json!({
            "cluster_id": "0915-021615-abcd1234",
            "start_time": 5,
            "order": "DESC",
            "event_types": ["RESIZING", "UPSIZE_COMPLETED", "NODES_LOST",
                            "AUTOSCALING_BACKOFF", "AUTOSCALING_FAILED"],
            "page_size": 50,
        })
    );
}

#[tokio::test(start_paused = true)]
async fn only_the_group_admins_is_shown_to_see_all_runs() {
    let rows = [
        (
            r#"{"userName":"x","groups":[{"display":"users"},{"display":"admins","value":"1"}]}"#,
            RunsRight::Admin,
        ),
        (
            r#"{"groups":[{"display":"Admins"},{"display":"data-admins"}]}"#,
            RunsRight::NotShown,
        ),
        (r#"{"groups":[{"value":"admins"}]}"#, RunsRight::NotShown),
        (r#"{"groups":null}"#, RunsRight::NotShown),
        (r#"{"displayName":"admins"}"#, RunsRight::NotShown),
    ];
    for (json, expected) in rows {
        let (databricks, transport) = always(200, json);
        let right = databricks.sees_all_runs().await.expect("an answer");
        assert_eq!(right, expected, "{json}");
        assert_eq!(
            requests(&transport),
            ["GET /api/2.0/preview/scim/v2/Me?excludedAttributes=entitlements"]
        );
    }
    let (databricks, _) = always(403, "{}");
    assert!(databricks.sees_all_runs().await.is_err());
}
