//! The client against a driver that answers as recorded, or not at all.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response};

use super::*;
use crate::service::testing::{TOKEN, answer, service};
use crate::transport::{MemoryTransport, TransportError};

type Answer = Result<Response<Bytes>, TransportError>;

const UI: &str = "/driver-proxy-api/o/5555555555555555/0915-021615-abcd1234/40001";
const APPLICATION: &str = "local-1795368967080";

macro_rules! recorded {
    ($name:literal) => {
        include_str!(concat!("../../tests/fixtures/spark/3.5.9/", $name))
    };
}

fn json(body: &'static str) -> Answer {
    answer(200, "application/json", body)
}

fn redirect_to(location: &str) -> Answer {
    Ok(Response::builder()
        .status(302)
        .header("location", location)
        .body(Bytes::new())
        .expect("the parts are well-formed"))
}

/// Answers a path below the UI, and its query, as a driver at rest does.
fn at_rest(path: &str) -> Answer {
    match path.strip_prefix("/api/v1/applications") {
        Some("") => json(recorded!("applications.json")),
        Some("/local-1795368967080/jobs") => json(recorded!("jobs_done.json")),
        Some("/local-1795368967080/jobs?status=running") => json("[]"),
        Some("/local-1795368967080/stages?status=active") => json("[]"),
        Some(sql) if sql.starts_with("/local-1795368967080/sql?") => {
            json(recorded!("sql_done.json"))
        }
        Some("/local-1795368967080/executors/driver/threads") => json(recorded!("threads.json")),
        Some("/local-1795368967080/environment") => {
            json("{\"sparkProperties\":[[\"spark.app.id\",\"local-1795368967080\"]]}")
        }
        _ if path == "/StreamingQuery/" => redirect_to(&format!("{UI}/jobs/")),
        _ => answer(404, "text/plain", "no such app"),
    }
}

/// A client of a driver that `answer_path` plays; other hosts' paths are refused.
fn driver(
    answer_path: impl Fn(&str) -> Answer + Send + Sync + 'static,
) -> (SparkDriver, Arc<MemoryTransport>) {
    let (service, transport) = service(move |request: Request<Bytes>| {
        let target = request.uri().path_and_query();
        let path = target.and_then(|target| target.as_str().strip_prefix(UI));
        let answer = path.map_or_else(|| answer(410, "text/plain", ""), &answer_path);
        async move { answer }
    });
    let org = org_id(service.base()).expect("the workspace has a number");
    (
        SparkDriver::new(service.share(), org, SPARK_UI_PORT),
        transport,
    )
}

fn cluster() -> ClusterId {
    ClusterId::new("0915-021615-abcd1234")
}

fn paths(transport: &MemoryTransport) -> Vec<String> {
    let sent = transport.sent();
    let path = |url: &Url| {
        let path = url.path().replace(UI, "");
        url.query()
            .map_or(path.clone(), |query| format!("{path}?{query}"))
    };
    sent.iter().map(|request| path(&request.url)).collect()
}

fn url(text: &str) -> Url {
    Url::parse(text).expect("the URL is well-formed")
}

#[test]
fn the_org_id_is_the_number_of_the_workspace() {
    let org = |host: &str| org_id(&url(&format!("https://{host}/")));
    assert_eq!(org("adb-123.4.azuredatabricks.net"), Some("123".to_owned()));
    for host in [
        "adb-dp-123.4.azuredatabricks.net",
        "adb-.4.azuredatabricks.net",
        "westeurope.azuredatabricks.net",
        "adb-123",
    ] {
        assert_eq!(org(host), None, "{host}");
    }
}

#[tokio::test(start_paused = true)]
async fn asks_for_what_runs_before_it_asks_for_all_that_ran() {
    let (driver, transport) = driver(at_rest);
    let answers = driver.look(&cluster()).await.unwrap();
    assert_eq!(answers.application.id, APPLICATION);
    assert_eq!(
        (answers.jobs.len(), answers.stages.len(), answers.sql.len()),
        (3, 0, 1)
    );
    assert_eq!(answers.cut_short, None);
    let expected = [
        "/api/v1/applications".to_owned(),
        format!("/api/v1/applications/{APPLICATION}/jobs?status=running"),
        format!("/api/v1/applications/{APPLICATION}/stages?status=active"),
        format!(
            "/api/v1/applications/{APPLICATION}/sql?details=false&planDescription=false&offset=0&length=250"
        ),
        format!("/api/v1/applications/{APPLICATION}/jobs"),
    ];
    assert_eq!(paths(&transport), expected);
}

#[tokio::test(start_paused = true)]
async fn sends_reads_only_and_no_header_of_azure() {
    let (driver, transport) = driver(at_rest);
    let answers = driver.look(&cluster()).await.unwrap();
    driver.streaming(&cluster(), &answers.application).await;
    let (cluster, application) = (cluster(), answers.application);
    driver.threads(&cluster, &application).await.unwrap();
    driver.environment(&cluster, &application).await.unwrap();
    let sent = transport.sent();
    assert_eq!(sent.len(), 9);
    for request in sent {
        assert_eq!(request.method, Method::GET);
        let mut names = request.headers.keys().map(http::HeaderName::as_str);
        assert!(
            !names.any(|name| name.starts_with("x-databricks")),
            "{request:?}"
        );
    }
}

/// Looks at a driver that answers the path that begins so otherwise; the answers,
/// and how many calls were made.
async fn look_where(start: &'static str, otherwise: fn() -> Answer) -> (SparkAnswers, usize) {
    let (driver, transport) = driver(move |path| {
        let rest = path.strip_prefix("/api/v1/applications/local-1795368967080/");
        if rest.is_some_and(|rest| rest.starts_with(start)) {
            otherwise()
        } else {
            at_rest(path)
        }
    });
    let answers = driver.look(&cluster()).await.unwrap();
    (answers, transport.sent().len())
}

#[tokio::test(start_paused = true)]
async fn asks_no_further_once_work_is_seen() {
    let jobs = || json(recorded!("jobs_running.json"));
    let (answers, calls) = look_where("jobs?status=running", jobs).await;
    assert!(runs_a_job(&answers.jobs));
    assert_eq!((answers.cut_short, calls), (None, 2));
    let stages = || json(recorded!("stages_active.json"));
    let (answers, calls) = look_where("stages", stages).await;
    assert!(runs_a_stage(&answers.stages));
    assert_eq!((answers.cut_short, calls), (None, 3));
    let sql = || json("[{\"id\":0,\"status\":\"RUNNING\"}]");
    let (answers, calls) = look_where("sql", sql).await;
    assert!(runs_sql(&answers.sql));
    assert_eq!((answers.cut_short, calls), (None, 4));
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_got_lost_on_the_way_is_no_running_job() {
    let all = || json(recorded!("jobs_done.json"));
    let (answers, calls) = look_where("jobs", all).await;
    assert!(!runs_a_job(&answers.jobs));
    assert_eq!((answers.jobs.len(), answers.cut_short, calls), (3, None, 5));
}

#[tokio::test(start_paused = true)]
async fn reads_the_sql_executions_page_by_page_to_the_last() {
    let (driver, transport) = driver(|path| {
        let Some((_, offset)) = path.split_once("offset=") else {
            return at_rest(path);
        };
        let (offset, _) = offset.split_once('&').unwrap_or((offset, ""));
        let offset: usize = offset.parse().unwrap();
        let rows: Vec<String> = (offset..600.min(offset + 250))
            .map(|id| {
                format!(
                    "{{\"id\":{id},\"status\":\"COMPLETED\",\"duration\":5,\
                     \"submissionTime\":\"2026-11-22T12:00:00.000GMT\"}}"
                )
            })
            .collect();
        answer(200, "application/json", format!("[{}]", rows.join(",")))
    });
    let answers = driver.look(&cluster()).await.unwrap();
    assert_eq!((answers.sql.len(), answers.cut_short), (600, None));
    let asked = paths(&transport);
    let offsets: Vec<&str> = asked
        .iter()
        .filter_map(|path| Some(path.split_once("offset=")?.1))
        .collect();
    let expected = ["0", "249", "498"].map(|offset| format!("{offset}&length=250"));
    assert_eq!(offsets, expected);
}

#[tokio::test(start_paused = true)]
async fn sql_executions_that_move_while_they_are_listed_cut_the_look_short() {
    let page = || {
        let rows: Vec<String> = (0..250)
            .map(|id| format!("{{\"id\":{id},\"status\":\"COMPLETED\"}}"))
            .collect();
        answer(200, "application/json", format!("[{}]", rows.join(",")))
    };
    let (answers, calls) = look_where("sql", page).await;
    let why = answers.cut_short.unwrap().0;
    assert!(why.contains("changed while they were listed"), "{why}");
    assert_eq!(calls, 5);
}

#[tokio::test(start_paused = true)]
async fn stops_at_the_first_call_that_fails_and_says_so() {
    let calls = ["jobs?status=running", "stages", "sql"];
    for (failing, call) in calls.into_iter().enumerate() {
        let denied = || answer(403, "text/html", "<html>denied</html>");
        let (answers, calls) = look_where(call, denied).await;
        let why = answers.cut_short.unwrap().0;
        assert!(
            why.contains("403 (needs CAN_ATTACH_TO on the cluster)"),
            "{why}"
        );
        assert_eq!(calls, failing + 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_restarts_between_the_calls_gives_no_mixture() {
    for answered in 1..5 {
        let calls = AtomicUsize::new(0);
        let (driver, transport) = driver(move |path| {
            if calls.fetch_add(1, Ordering::Relaxed) < answered {
                at_rest(path)
            } else {
                answer(404, "text/plain", "no such app: local-1795368967080")
            }
        });
        let answers = driver.look(&cluster()).await.unwrap();
        let why = answers.cut_short.unwrap().0;
        assert!(
            why.contains("404") && why.contains("another application"),
            "{why}"
        );
        assert_eq!(transport.sent().len(), answered + 1);
    }
}

/// What the reason says when the first call is answered so.
async fn why_not(first: impl Fn() -> Answer + Send + Sync + 'static) -> String {
    let (driver, _) = driver(move |_| first());
    let why = driver.look(&cluster()).await.unwrap_err().0;
    assert!(!why.contains(TOKEN), "{why}");
    assert!(why.ends_with("to: list Spark applications"), "{why}");
    why
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_refusal_has_its_reason() {
    let table = [
        (302, "a redirect"),
        (401, "the token was refused"),
        (403, "needs CAN_ATTACH_TO"),
        (404, "no Spark UI there"),
        (429, "throttled"),
        (503, "can't be reached"),
        (500, "answered 500 to:"),
    ];
    for (status, expected) in table {
        let why = why_not(move || answer(status, "text/html", "<html>nothing</html>")).await;
        assert!(
            why.contains(&status.to_string()) && why.contains(expected),
            "{why}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_list_of_applications_is_not_understood() {
    let html = why_not(|| answer(200, "text/html", "<html>log in</html>")).await;
    assert!(
        html.contains("not understood") && html.contains("text/html"),
        "{html}"
    );
    let shape = why_not(|| json("{\"error\": 5}")).await;
    assert!(shape.contains("not understood"), "{shape}");
    let long = why_not(|| answer(200, "application/json", vec![b' '; BODY_CAP + 1])).await;
    assert!(
        long.contains("too long") && long.contains(&BODY_CAP.to_string()),
        "{long}"
    );
    let timeout =
        why_not(|| Err(TransportError::timeout(std::time::Duration::from_secs(30)))).await;
    assert!(
        timeout.contains("no answer") && timeout.contains("timed out"),
        "{timeout}"
    );
    let (driver, _) = driver(|_| json("[]"));
    let none = driver.look(&cluster()).await.unwrap_err();
    assert_eq!(none.0, "no Spark application is live");
}

#[tokio::test(start_paused = true)]
async fn an_id_that_could_leave_its_place_is_never_sent() {
    let (driver, transport) = driver(at_rest);
    for id in ["", "..", "a/b", "a?b", "a%2fb", "ä", &"a".repeat(65)] {
        let why = driver.look(&ClusterId::new(id)).await.unwrap_err();
        assert_eq!(why.0, "the cluster's id is no id");
    }
    assert!(transport.sent().is_empty());
}

fn seen() -> LiveApplication {
    let text = recorded!("applications.json");
    let applications: Vec<Application> = serde_json::from_str(text).unwrap();
    live_application(&applications).unwrap()
}

#[tokio::test(start_paused = true)]
async fn reads_the_streaming_page_and_its_redirect_without_following_it() {
    let (client, transport) = driver(at_rest);
    let page = client.streaming(&cluster(), &seen()).await;
    assert_eq!(page, StreamingPage::Redirect(format!("{UI}/jobs/")));
    let expected = ["/StreamingQuery/", "/api/v1/applications"];
    assert_eq!(paths(&transport), expected);
    let html = recorded!("streaming_active.html");
    let (client, _) = driver(move |path| match path {
        "/StreamingQuery/" => answer(200, "text/html;charset=utf-8", html),
        _ => at_rest(path),
    });
    let page = client.streaming(&cluster(), &seen()).await;
    assert_eq!(page, StreamingPage::Html(html.to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_streaming_page_that_cannot_be_read_is_unusable() {
    let answers: [fn() -> Answer; 5] = [
        || answer(404, "text/html", ""),
        || answer(302, "text/html", ""),
        || answer(503, "text/html", ""),
        || json("[]"),
        || answer(200, "text/plain", "Streaming Query"),
    ];
    for page in answers {
        let (driver, _) = driver(move |path| match path {
            "/StreamingQuery/" => page(),
            _ => at_rest(path),
        });
        let page = driver.streaming(&cluster(), &seen()).await;
        assert!(matches!(page, StreamingPage::Unusable(_)), "{page:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_streaming_page_of_a_restarted_driver_is_unusable() {
    let others = ["[]", "not JSON", ""];
    let restarted = recorded!("applications.json").replace("795368967080", "795368999999");
    let later = recorded!("applications.json").replace("1795368965234", "1795368999999");
    let mut answers: Vec<String> = others.map(str::to_owned).into();
    answers.extend([restarted, later]);
    for applications in answers {
        let applications = Bytes::from(applications);
        let (driver, _) = driver(move |path| match path {
            "/api/v1/applications" => answer(200, "application/json", applications.clone()),
            _ => at_rest(path),
        });
        let page = driver.streaming(&cluster(), &seen()).await;
        assert!(matches!(page, StreamingPage::Unusable(_)), "{page:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn reads_the_threads_of_the_driver() {
    let (driver, transport) = driver(at_rest);
    let threads = driver.threads(&cluster(), &seen()).await.unwrap();
    assert_eq!(threads.len(), 6);
    let expected = format!("/api/v1/applications/{APPLICATION}/executors/driver/threads");
    assert_eq!(paths(&transport), [expected]);
}

#[tokio::test(start_paused = true)]
async fn reads_the_environment_of_the_application_that_was_seen() {
    let (driver, transport) = driver(at_rest);
    let environment = driver.environment(&cluster(), &seen()).await.unwrap();
    assert_eq!(environment.shows_streams, Some(true));
    let expected = format!("/api/v1/applications/{APPLICATION}/environment");
    assert_eq!(paths(&transport), [expected]);
    let gone = LiveApplication {
        id: "app-1".to_owned(),
        ..seen()
    };
    let why = driver.environment(&cluster(), &gone).await.unwrap_err();
    assert!(why.0.contains("404"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_first_call_that_takes_seconds_is_waited_for() {
    // Measured on Spark 3.5.9 and 4.3.0: up to 3.3 s, while it loads its classes.
    let (service, transport) = service(|request: Request<Bytes>| async move {
        tokio::time::sleep(std::time::Duration::from_millis(3300)).await;
        let target = request.uri().path_and_query();
        at_rest(target.map_or("", |target| {
            target.as_str().strip_prefix(UI).unwrap_or_default()
        }))
    });
    let org = org_id(service.base()).unwrap();
    let driver = SparkDriver::new(service.share(), org, SPARK_UI_PORT);
    let answers = driver.look(&cluster()).await.unwrap();
    assert_eq!(answers.cut_short, None);
    assert_eq!(transport.sent().len(), 5, "and asked once each");
}

#[test]
fn the_address_names_host_org_cluster_and_port() {
    let (driver, _) = driver(at_rest);
    let expected = UiAddress {
        host: "adb-5555555555555555.19.azuredatabricks.net".to_owned(),
        org_id: "5555555555555555".to_owned(),
        cluster: "0915-021615-abcd1234".to_owned(),
        port: "40001".to_owned(),
    };
    assert_eq!(driver.address(&cluster()), expected);
}
