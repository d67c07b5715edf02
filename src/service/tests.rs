//! Tests of the service over the in-memory transport, in paused time.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use serde_json::{Value, json};

use http::header::AUTHORIZATION;
use http::{HeaderValue, Response};

use super::testing::{TOKEN, answer, network, service};
use super::wire::is_wanted;
use super::*;
use crate::identity::TokenError;
use crate::transport::{MemoryTransport, TransportErrorKind};

type Script = Result<Response<Bytes>, TransportError>;

const PATH: &[&str] = &["api", "2.1", "clusters", "list"];

fn ask() -> Ask<'static> {
    Ask {
        verb: "list clusters",
        stage: Stage::Clusters,
        method: Method::GET,
        path: PATH,
        query: &[],
        body: None,
        idempotent: true,
        body_cap: 1000,
        from_users: false,
        until: None,
        joining: None,
    }
}

/// A service that answers from a list and then, if asked on, with 418.
fn scripted(script: Vec<Script>) -> (Service, Arc<MemoryTransport>) {
    let script = Mutex::new(VecDeque::from(script));
    service(move |_| {
        let next = script.lock().expect("no panic").pop_front();
        async move { next.unwrap_or_else(|| answer(418, "text/plain", "script at its end")) }
    })
}

fn json_answer() -> Script {
    answer(200, "application/json; charset=utf-8", r#"{"clusters":[]}"#)
}

fn throttled(retry_after: &str) -> Script {
    Ok(Response::builder()
        .status(429)
        .header("retry-after", retry_after)
        .body(Bytes::new())
        .expect("well-formed"))
}

fn reset() -> Script {
    Err(TransportError::new(
        TransportErrorKind::Reset,
        false,
        "gone",
    ))
}

async fn fails(service: &Service, ask: Ask<'_>) -> CallError {
    service.json::<Value>(ask).await.expect_err("an error")
}

fn status_of(error: &CallError) -> Option<u16> {
    match &error.cause {
        CallErrorCause::Status(status) => Some(status.status),
        CallErrorCause::Transport(_)
        | CallErrorCause::NotJson { .. }
        | CallErrorCause::NotHtml { .. }
        | CallErrorCause::Shape(_)
        | CallErrorCause::Token(_)
        | CallErrorCause::TooLate
        | CallErrorCause::Deadline => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_good_answer_takes_one_request() {
    let (service, transport) = scripted(vec![json_answer()]);
    let value: Value = service.json(ask()).await.expect("JSON");
    assert_eq!(value, json!({"clusters": []}));
    let sent = transport.sent();
    assert_eq!(sent.len(), 1);
    let bearer = sent[0].headers.get(AUTHORIZATION).expect("a token");
    assert_eq!(bearer.as_bytes(), format!("Bearer {TOKEN}").as_bytes());
    assert!(bearer.is_sensitive());
    let usage = service.lane().meter().snapshot();
    assert_eq!(usage.of(Stage::Clusters).requests, 1);
}

#[tokio::test(start_paused = true)]
async fn ids_stay_in_their_place() {
    let (service, transport) = scripted(vec![json_answer(), json_answer()]);
    let odd = Ask {
        path: &["api", "a/b?c#d%2e é", ""],
        query: &[("filter by", "a+b & c=d"), ("empty", "")],
        ..ask()
    };
    service.json::<Value>(odd).await.expect("JSON");
    assert_eq!(
        transport.sent()[0].url.as_str(),
        "https://adb-5555555555555555.19.azuredatabricks.net/api/a%2Fb%3Fc%23d%252e%20%C3%A9/?filter%20by=a%2Bb%20%26%20c%3Dd&empty="
    );
    for dots in [".", ".."] {
        let error = fails(
            &service,
            Ask {
                path: &["api", dots, "x"],
                ..ask()
            },
        )
        .await;
        assert!(
            error.to_string().contains("refused before sending"),
            "{error}"
        );
    }
    assert_eq!(transport.sent().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_is_waited_for() {
    let (service, transport) = scripted(vec![
        throttled("7"),
        throttled("Sun, 22 Nov 2026 08:00:20 GMT"),
        json_answer(),
    ]);
    let started = Instant::now();
    service.json::<Value>(ask()).await.expect("JSON");
    let elapsed = started.elapsed().as_secs();
    assert_eq!(transport.sent().len(), 3);
    assert!((19..=20).contains(&elapsed), "{elapsed}");
}

#[tokio::test(start_paused = true)]
async fn an_absurd_retry_after_is_final_at_once() {
    for absurd in [
        "86400",
        "99999999999999999999",
        "Sun, 22 Nov 2037 08:00:00 GMT",
    ] {
        let (service, transport) = scripted(vec![throttled(absurd), json_answer()]);
        let started = Instant::now();
        let error = fails(&service, ask()).await;
        assert_eq!(status_of(&error), Some(429));
        assert_eq!((error.attempts, transport.sent().len()), (1, 1));
        assert!(started.elapsed() < Duration::from_secs(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_a_throttling_message_asks_for_is_like_a_retry_after() {
    let words = |seconds: u64| format!("{{\"message\":\"try again after '{seconds}' seconds.\"}}");
    for (status, seconds, requests) in [(429, 20, 2), (529, 20, 2), (429, 309, 1), (529, 309, 1)] {
        let refusal = answer(status, "application/json", words(seconds));
        let (service, transport) = scripted(vec![refusal, json_answer()]);
        let began = Instant::now();
        let answered = service.json::<Value>(ask()).await;
        assert_eq!(transport.sent().len(), requests, "{status} {seconds}");
        match answered {
            Ok(_) => assert!(began.elapsed() >= Duration::from_secs(seconds)),
            Err(error) => {
                let CallErrorCause::Status(refusal) = error.cause else {
                    panic!("{error}");
                };
                assert_eq!(refusal.retry_after, Some(Duration::from_secs(seconds)));
                assert!(began.elapsed() < Duration::from_secs(1), "no wait in vain");
            }
        }
    }
    // Other refusals say when to come back, if at all, in their header only.
    let (service, _) = scripted(vec![answer(400, "application/json", words(9))]);
    let error = fails(&service, ask()).await;
    let CallErrorCause::Status(refusal) = error.cause else {
        panic!("{error}");
    };
    assert_eq!(refusal.retry_after, None);
}

#[tokio::test(start_paused = true)]
async fn attempts_are_bounded() {
    let (service, transport) = scripted((0..9).map(|_| answer(503, "text/html", "x")).collect());
    let error = fails(&service, ask()).await;
    assert_eq!((error.attempts, transport.sent().len()), (4, 4));
    let text = error.to_string();
    assert!(
        text.starts_with("list clusters at adb-5555555555555555.19.azuredatabricks.net/api/2.1/clusters/list failed after 4 attempt(s) in "),
        "{text}"
    );
    assert!(text.ends_with(": HTTP 503"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn what_may_have_arrived_is_repeated_only_if_idempotent() {
    let (service, transport) = scripted(vec![reset(), json_answer()]);
    assert!(service.json::<Value>(ask()).await.is_ok());
    assert_eq!(transport.sent().len(), 2);

    let (service, transport) = scripted(vec![reset(), json_answer()]);
    let once = Ask {
        idempotent: false,
        ..ask()
    };
    let error = fails(&service, once).await;
    assert!(
        matches!(&error.cause, CallErrorCause::Transport(why) if why.kind == TransportErrorKind::Reset)
    );
    assert_eq!(transport.sent().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_attempt_begins_after_its_until_and_the_end_of_the_last_one_is_told() {
    let (service, transport) = scripted(vec![throttled("7"), json_answer()]);
    let in_time = Ask {
        until: Some(Instant::now() + Duration::from_secs(5)),
        ..ask()
    };
    let error = fails(&service, in_time).await;
    assert_eq!(status_of(&error), Some(429));
    assert_eq!(transport.sent().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_after_the_deadline() {
    let (service, transport) = scripted(vec![json_answer()]);
    tokio::time::sleep_until(service.lane().deadline()).await;
    let error = fails(&service, ask()).await;
    assert!(matches!(error.cause, CallErrorCause::Deadline), "{error}");
    assert!(transport.sent().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_redirect_is_an_answer_and_never_followed() {
    let redirect = Ok(Response::builder()
        .status(302)
        .header(
            "location",
            "https://adb-1.1.azuredatabricks.net/login.html?error=private-link-validation-error:1",
        )
        .body(Bytes::new())
        .expect("well-formed"));
    let (service, transport) = scripted(vec![redirect]);
    let error = fails(&service, ask()).await;
    assert!(matches!(&error.cause, CallErrorCause::Status(status)
        if status.status == 302 && status.location.as_deref().is_some_and(|to| to.contains("private-link"))));
    assert_eq!(transport.sent().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_kind_of_body_must_be_the_one_asked_for() {
    let html = || answer(200, "text/html; charset=UTF-8", "<title>Login</title>");
    let (service, transport) = scripted(vec![html(), html(), json_answer()]);
    let error = fails(&service, ask()).await;
    assert!(
        matches!(&error.cause, CallErrorCause::NotJson { status: 200, content_type, body }
        if content_type.starts_with("text/html") && body.contains("Login"))
    );
    assert_eq!(
        service.html(ask()).await.expect("HTML"),
        "<title>Login</title>"
    );
    let error = service.html(ask()).await.expect_err("JSON");
    assert!(matches!(
        error.cause,
        CallErrorCause::NotHtml { status: 200, .. }
    ));
    assert_eq!(transport.sent().len(), 3);
    for (content_type, fits) in [
        ("application/scim+json", true),
        ("APPLICATION/JSON", true),
        ("", false),
        ("text/plain", false),
        ("application/jsonp", false),
    ] {
        assert_eq!(
            is_wanted(Wanted::Json, Some(&HeaderValue::from_static(content_type))),
            fits,
            "{content_type}"
        );
    }
    assert!(!is_wanted(Wanted::Json, None));
}

#[tokio::test(start_paused = true)]
async fn a_long_body_is_refused_and_not_asked_for_again() {
    let long = answer(200, "application/json", vec![b' '; 1001]);
    let (service, transport) = scripted(vec![long]);
    let error = fails(&service, ask()).await;
    assert!(
        matches!(&error.cause, CallErrorCause::Transport(why) if why.kind == TransportErrorKind::BodyTooLarge)
    );
    assert_eq!(transport.sent().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn another_shape_is_told_in_few_words() {
    let long = format!(r#"{{"clusters":"{}"}}"#, "x".repeat(600));
    let (service, _) = scripted(vec![answer(200, "application/json", long)]);
    #[derive(Debug, serde::Deserialize)]
    struct Clusters {
        #[expect(dead_code, reason = "only its shape counts")]
        clusters: Vec<u8>,
    }
    let error = service.json::<Clusters>(ask()).await.expect_err("a shape");
    assert!(
        matches!(&error.cause, CallErrorCause::Shape(why) if why.contains("invalid type") && why.len() < 210)
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_unicode_is_not_read() {
    let body = &b"{\"clusters\":[],\"name\":\"\xff\"}"[..];
    let (service, _) = scripted(vec![answer(200, "application/json", body)]);
    let error = fails(&service, ask()).await;
    assert!(
        matches!(&error.cause, CallErrorCause::Shape(why) if why == "no UTF-8 from byte 24 on"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_hanging_service_ends_with_the_request_timeout_and_then_the_deadline() {
    let (service, transport) = service(|_| std::future::pending());
    let started = Instant::now();
    let error = fails(&service, ask()).await;
    assert!(
        matches!(&error.cause, CallErrorCause::Transport(why) if why.kind == TransportErrorKind::Timeout)
    );
    assert!(
        started.elapsed() < Duration::from_secs(95),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(transport.sent().len(), 2);

    tokio::time::sleep_until(service.lane().deadline() - Duration::from_secs(2)).await;
    let started = Instant::now();
    let error = fails(&service, ask()).await;
    assert!(matches!(error.cause, CallErrorCause::Deadline));
    assert_eq!(started.elapsed(), Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_wait_beyond_the_deadline_is_not_begun() {
    let (service, _) = scripted(vec![throttled("30"), json_answer()]);
    tokio::time::sleep_until(service.lane().deadline() - Duration::from_secs(20)).await;
    let started = Instant::now();
    let error = fails(&service, ask()).await;
    assert_eq!(status_of(&error), Some(429));
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_are_under_way_than_the_lane_allows() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counters = (running, most.clone());
    let (service, _) = service(move |_| {
        let (running, most) = counters.clone();
        async move {
            let now = running.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(2)).await;
            running.fetch_sub(1, Ordering::SeqCst);
            json_answer()
        }
    });
    let calls = (0..20).map(|_| service.json::<Value>(ask()));
    for result in futures_util::future::join_all(calls).await {
        result.expect("JSON");
    }
    assert_eq!(most.load(Ordering::SeqCst), 4);
}

/// Hands out `token-0`, and the next number after each one that is dropped.
#[derive(Debug, Default)]
struct Numbered(AtomicUsize);

#[async_trait]
impl TokenSource for Numbered {
    async fn token(&self, _audience: Audience) -> Result<Token, TokenError> {
        Ok(Token::new(format!(
            "token-{}",
            self.0.load(Ordering::SeqCst)
        )))
    }

    fn drop_token(&self, _audience: Audience, token: &Token) {
        let held = format!("token-{}", self.0.load(Ordering::SeqCst));
        if token.expose() == held {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// A service whose requests `judge` answers by their token.
fn judged(judge: fn(&str) -> Script) -> (Service, Arc<MemoryTransport>, Arc<Numbered>) {
    let (network, transport) = network(move |request| {
        let bearer = request.headers()[AUTHORIZATION].to_str().expect("text");
        let answer = judge(bearer.trim_start_matches("Bearer "));
        async move { answer }
    });
    let tokens = Arc::new(Numbered::default());
    let base = Url::parse("https://adb-5.1.azuredatabricks.net").expect("a URL");
    let deadline = Instant::now() + Duration::from_secs(600);
    let lane = Arc::new(Lane::new(&network.limits, deadline));
    let service = Service::new(network, tokens.clone(), Audience::Databricks, base, lane);
    (service, transport, tokens)
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_replaced_once() {
    let (service, transport, _) = judged(|token| match token {
        "token-0" => answer(401, "application/json", r#"{"error_code":401}"#),
        "token-1" => answer(
            403,
            "text/html",
            "<title>Error 403 Invalid access token.</title>",
        ),
        _ => json_answer(),
    });
    let error = fails(&service, ask()).await;
    assert_eq!(status_of(&error), Some(403));
    assert_eq!((error.attempts, transport.sent().len()), (2, 2));

    let (service, transport, tokens) = judged(|token| match token {
        "token-0" => answer(
            403,
            "text/html",
            "<title>Error 403 Invalid access token.</title>",
        ),
        _ => json_answer(),
    });
    service.json::<Value>(ask()).await.expect("JSON");
    assert_eq!(
        (transport.sent().len(), tokens.0.load(Ordering::SeqCst)),
        (2, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_that_refuses_every_token_costs_one_more_and_not_one_per_call() {
    let (service, transport, tokens) = judged(|_| answer(401, "text/plain", ""));
    for _ in 0..5 {
        assert_eq!(status_of(&fails(&service, ask()).await), Some(401));
    }
    assert_eq!(
        (transport.sent().len(), tokens.0.load(Ordering::SeqCst)),
        (6, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_machine_of_the_users_makes_us_fetch_one_more_token_at_most() {
    let (service, transport, tokens) = judged(|_| answer(401, "text/plain", ""));
    for _ in 0..5 {
        let of_a_driver = Ask {
            from_users: true,
            ..ask()
        };
        assert_eq!(status_of(&fails(&service, of_a_driver).await), Some(401));
    }
    assert_eq!(
        (transport.sent().len(), tokens.0.load(Ordering::SeqCst)),
        (6, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_forbidden_host_is_not_sent_and_not_counted() {
    let (network, transport) = network(|_| async { json_answer() });
    let base = Url::parse("https://adb-dp-5.1.azuredatabricks.net").expect("a URL");
    let deadline = Instant::now() + Duration::from_secs(600);
    let lane = Arc::new(Lane::new(&network.limits, deadline));
    let tokens = Arc::new(Numbered::default());
    let service = Service::new(network, tokens, Audience::Databricks, base, lane);
    let error = fails(&service, ask()).await;
    assert!(
        error.to_string().contains("refused before sending"),
        "{error}"
    );
    assert_eq!(error.attempts, 1);
    assert!(transport.sent().is_empty());
    assert_eq!(service.lane().meter().snapshot().requests(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_refused_principal_keeps_its_token() {
    let (service, transport, tokens) = judged(|_| {
        answer(
            403,
            "text/html",
            "<title>Error 403 User not authorized.</title>",
        )
    });
    assert_eq!(status_of(&fails(&service, ask()).await), Some(403));
    assert_eq!(
        (transport.sent().len(), tokens.0.load(Ordering::SeqCst)),
        (1, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_token_that_the_other_side_repeats_is_taken_out() {
    let echo = format!("your header was Bearer {TOKEN}\r\nERROR forged");
    let redirect = Response::builder()
        .status(307)
        .header("location", format!("/?{TOKEN}"))
        .header("content-type", format!("text/{TOKEN}"))
        .body(Bytes::from(echo.clone()))
        .expect("well-formed");
    let (service, _) = scripted(vec![
        Ok(redirect),
        answer(200, "text/html", echo.clone()),
        answer(200, "application/json", format!(r#""{TOKEN}""#)),
    ]);
    for _ in 0..3 {
        let error = service.json::<Vec<u8>>(ask()).await.expect_err("an error");
        let shown = format!("{error} {error:?} {service:?}");
        assert!(!shown.contains(TOKEN), "{shown}");
        assert!(!error.to_string().contains('\n'));
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_a_good_answer_repeats_is_not_read() {
    for text in [
        json!([TOKEN, format!("{TOKEN}{TOKEN}a{TOKEN}")]),
        json!({"cluster_name": TOKEN, TOKEN: [{"custom_tags": {"a": format!("b {TOKEN} c")}}]}),
    ] {
        let page = format!("<html>{text}</html>");
        let (service, _) = scripted(vec![
            answer(200, "application/json", text.to_string()),
            answer(200, "text/html", page.clone()),
        ]);
        let read: Value = service.json(ask()).await.expect("JSON");
        let without: Value = text
            .to_string()
            .replace(TOKEN, "[token]")
            .parse()
            .expect("JSON");
        assert_eq!(read, without);
        let read = service.html(ask()).await.expect("a page");
        assert_eq!(read, page.replace(TOKEN, "[token]"));
    }
}

#[tokio::test(start_paused = true)]
async fn no_part_of_a_token_is_left_where_the_kept_text_is_cut() {
    let half = &TOKEN[..TOKEN.len() - 1];
    for padding in 0..TOKEN.len() {
        let body = format!("{}{TOKEN}", "x".repeat(8192 - padding));
        let location = format!("/{}{TOKEN}", "x".repeat(2047 - padding));
        let response = Response::builder()
            .status(307)
            .header("location", location)
            .body(Bytes::from(body))
            .expect("well-formed");
        let (service, _) = scripted(vec![Ok(response)]);
        let large = Ask {
            body_cap: 10_000,
            ..ask()
        };
        let CallErrorCause::Status(status) = fails(&service, large).await.cause else {
            panic!("no status");
        };
        for text in [status.body, status.location.unwrap_or_default()] {
            let kept = (4..=half.len()).any(|length| text.ends_with(&half[..length]));
            assert!(!kept, "{padding}: {}", &text[text.len() - 30..]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_or_never_sent_is_not_done_and_anything_else_may_be() {
    let never_sent = || {
        let kind = TransportErrorKind::Connect;
        Err(TransportError::new(kind, true, "refused"))
    };
    let json = "application/json";
    for (script, may_be_done) in [
        (vec![answer(403, json, "{}")], false),
        (vec![throttled("1"), answer(404, json, "{}")], false),
        ((0..4).map(|_| never_sent()).collect(), false),
        (vec![reset(), answer(403, json, "{}")], true),
        ((0..4).map(|_| reset()).collect(), true),
        (vec![answer(500, json, "{}")], true),
        (vec![answer(200, "text/html", "<p>")], true),
        (vec![answer(200, json, "no JSON")], true),
    ] {
        let shown = format!("{script:?}");
        let (service, _) = scripted(script);
        let error = fails(&service, ask()).await;
        assert_eq!(error.may_be_done, may_be_done, "{shown}: {error}");
    }
    let (service, _) = service(|_| std::future::pending());
    let lane = Lane::new(
        &service.network.limits,
        Instant::now() + Duration::from_secs(1),
    );
    let cut = Service {
        lane: Arc::new(lane),
        ..service
    };
    assert!(fails(&cut, ask()).await.may_be_done, "under way");
    assert!(!fails(&cut, ask()).await.may_be_done, "too late to be sent");
}

/// A second token, as a contributor sends one.
fn joining() -> Option<Joining> {
    let resource_id = "/subscriptions/s".to_owned();
    Some(Joining::new(
        Token::new("planted-management-4712"),
        resource_id,
    ))
}

#[tokio::test(start_paused = true)]
async fn a_call_that_joins_carries_the_second_token_and_the_resource_and_no_other_does() {
    let (service, transport) = scripted(vec![json_answer(), json_answer()]);
    let joins = Ask {
        joining: joining(),
        ..ask()
    };
    service.json::<Value>(joins).await.expect("JSON");
    service.json::<Value>(ask()).await.expect("JSON");
    let names = [
        "x-databricks-azure-sp-management-token",
        "x-databricks-azure-workspace-resource-id",
    ];
    let sent = transport.sent();
    let header = |number: usize, name: &str| sent[number].headers.get(name).cloned();
    for (name, value) in names
        .iter()
        .zip(["planted-management-4712", "/subscriptions/s"])
    {
        assert_eq!(header(0, name).expect("a header"), value);
        assert_eq!(header(1, name), None);
    }
    assert!(header(0, names[0]).is_some_and(|token| token.is_sensitive()));
}

#[tokio::test(start_paused = true)]
async fn no_second_token_goes_to_a_machine_of_the_users() {
    let (service, transport) = scripted(vec![json_answer()]);
    let to_a_driver = Ask {
        from_users: true,
        joining: joining(),
        ..ask()
    };
    let error = fails(&service, to_a_driver).await;
    assert!(
        error.to_string().contains("refused before sending"),
        "{error}"
    );
    assert!(transport.sent().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_second_token_is_taken_out_of_what_comes_back_too() {
    let echo = "your headers were planted-management-4712";
    let (service, _) = scripted(vec![answer(403, "text/planted-management-4712", echo)]);
    let joins = Ask {
        joining: joining(),
        ..ask()
    };
    let error = fails(&service, joins).await;
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("planted-management"), "{shown}");
    assert!(shown.contains("your headers were [token]"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn a_change_may_be_answered_with_json_or_with_nothing_and_with_no_page() {
    let (service, _) = scripted(vec![
        answer(204, "", ""),
        answer(200, "", ""),
        json_answer(),
        answer(200, "text/html", "<title>Login</title>"),
    ]);
    for _ in 0..3 {
        service.done(ask()).await.expect("done");
    }
    let error = service.done(ask()).await.expect_err("a page");
    assert!(matches!(
        error.cause,
        CallErrorCause::NotJson { status: 200, .. }
    ));
}

#[tokio::test(start_paused = true)]
async fn only_an_answer_with_a_readable_date_compares_the_clocks() {
    for (date, compared) in [
        (None, false),
        (Some("yesterday"), false),
        (Some("Sun, 22 Nov 2026 08:00:00 GMT"), true),
    ] {
        let mut answer = json_answer();
        if let (Ok(answer), Some(date)) = (&mut answer, date) {
            let date = http::HeaderValue::from_static(date);
            answer.headers_mut().insert(DATE, date);
        }
        let (service, _) = scripted(vec![answer]);
        let got: Result<serde_json::Value, _> = service.json(ask()).await;
        assert!(got.is_ok(), "{got:?}");
        assert_eq!(service.lane().has_compared_clocks(), compared, "{date:?}");
    }
}
