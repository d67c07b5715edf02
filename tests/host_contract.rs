//! The Functions host's contract, over a loopback connection as the host makes it.
//!
//! Speaks HTTP by hand, so that requests are exactly those of the host (chunked,
//! without a length) and nothing in between repairs an answer. Sweeps are
//! functions of the tests; no settings, no cloud.

#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

use std::future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use terminate_clusters::host::{self, InvocationContext, SweepFn, SweepOutcome};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};

const ID: &str = "5a1b3c4d-0000-4000-8000-0123456789ab";
const TIMER: &str = r#"{"Data":{"timer":{"Schedule":{"AdjustForDST":true},"ScheduleStatus":null,"IsPastDue":false}},"Metadata":{"sys":{"MethodName":"TerminateClusters"}}}"#;

#[tokio::test]
async fn readiness_is_answered_at_once_with_a_body() {
    let host = Host::start(succeeding()).await;
    let answer = host.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(answer.status, 200);
    assert!(!answer.body.is_empty());
}

#[tokio::test]
async fn every_payload_that_the_host_is_known_to_send_starts_a_sweep() {
    let status = |last: &str| {
        json!({"Data": {"timer": {
            "Schedule": {"AdjustForDST": false},
            "ScheduleStatus": {"Last": last, "Next": "2026-11-22T14:30:00+00:00", "LastUpdated": last},
            "IsPastDue": true,
        }}, "Metadata": {"sys": {"UtcNow": last}}})
        .to_string()
    };
    let mut payloads: Vec<String> = [
        "2026-11-22T14:15:00.0012345+00:00",
        "2026-11-22T14:15:00",
        "0001-01-01T00:00:00",
        "0001-01-01T00:00:00+01:00",
        "0001-01-01T09:00:00+09:00",
        "9999-12-31T23:59:59.9999999+00:00",
        "no date",
    ]
    .map(status)
    .to_vec();
    payloads.push(TIMER.to_owned());
    payloads.push(r#"{"Data":{},"Metadata":{}}"#.to_owned());
    payloads.push(json!({"Data": {"timer": TIMER}, "Unknown": [1]}).to_string());
    payloads.push(json!({"Data": json!({"timer": {"IsPastDue": "true"}}).to_string()}).to_string());
    payloads.push(
        json!({"Data": {"timer": {}}, "Metadata": {"RetryContext": {"RetryCount": 0, "Exception": null}}})
            .to_string(),
    );
    let host = Host::start(succeeding()).await;
    for payload in payloads {
        let answer = host.invoke(&payload).await;
        assert_eq!(answer.status, 200, "{payload}");
        assert_eq!(
            answer.json(),
            json!({"Outputs": {}, "Logs": ["swept"], "ReturnValue": null}),
            "{payload}"
        );
    }
}

#[tokio::test]
async fn every_answer_on_the_function_route_is_the_json_envelope() {
    let host = Host::start(succeeding()).await;
    let too_long = format!("{{\"Data\":\"{}\"}}", "x".repeat(1024 * 1024));
    for (status, body) in [
        (400, ""),
        (400, "null"),
        (400, "[]"),
        (400, "{}"),
        (400, r#"{"Data":"#),
        (400, r#"{"data":{}}"#),
        (413, too_long.as_str()),
        (200, TIMER),
    ] {
        let answer = host.invoke(body).await;
        let start: String = body.chars().take(20).collect();
        assert_eq!(answer.status, status, "{start}");
        answer.assert_is_envelope();
    }
    let get = "GET /TerminateClusters HTTP/1.1\r\nHost: x\r\n\r\n";
    let answer = host.send(get).await;
    assert_eq!(answer.status, 405);
    answer.assert_is_envelope();
}

#[tokio::test]
async fn a_function_that_is_not_there_is_refused() {
    let host = Host::start(succeeding()).await;
    for path in [
        "/terminateclusters",
        "/api/TerminateClusters",
        "/TerminateClusters/",
        "/x",
    ] {
        let answer = host.post(path, TIMER).await;
        assert_eq!(answer.status, 404, "{path}");
        answer.assert_is_envelope();
    }
}

#[tokio::test]
async fn a_refusal_is_never_overtaken_by_a_reset() {
    let host = Host::start(succeeding()).await;
    // More than both ends of a connection buffer: whoever answers without reading
    // closes while bytes are under way.
    let long = "x".repeat(16 * 1024 * 1024);
    for (path, status) in [("/TerminateClusters", 413), ("/x", 404), ("/", 405)] {
        let answer = host.post(path, &long).await;
        assert_eq!(answer.status, status, "{path}");
        answer.assert_is_envelope();
    }
}

#[tokio::test]
async fn a_failed_sweep_fails_the_invocation() {
    let host = Host::start(Arc::new(|_| {
        Box::pin(future::ready(SweepOutcome {
            failed: true,
            summary: vec!["workspace `a` was not reached".to_owned()],
        }))
    }))
    .await;
    let answer = host.invoke(TIMER).await;
    assert_eq!(answer.status, 500);
    assert_eq!(answer.json()["Logs"][0], "workspace `a` was not reached");
}

#[tokio::test]
async fn a_panicking_sweep_fails_its_invocation_and_no_other() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let host = Host::start(Arc::new(move |_| {
        let call = counted.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            assert!(call != 0, "the first sweep panics");
            succeeded()
        })
    }))
    .await;
    let answer = host.invoke(TIMER).await;
    assert_eq!(answer.status, 500);
    answer.assert_is_envelope();
    assert_eq!(host.invoke(TIMER).await.status, 200);
}

#[tokio::test]
async fn a_second_invocation_while_a_sweep_runs_does_nothing_and_succeeds() {
    let (host, mut started, release) = Host::start_blocking().await;
    let first = host.open(TIMER).await;
    soon(started.recv()).await.unwrap();
    let second = host.invoke(TIMER).await;
    assert_eq!(second.status, 200);
    let logs = second.json()["Logs"][0].as_str().unwrap().to_owned();
    assert!(logs.starts_with("already_running"), "{logs}");
    release.notify_one();
    assert_eq!(read_answer(first).await.status, 200);
    let third = host.open(TIMER).await;
    soon(started.recv()).await.unwrap();
    release.notify_one();
    assert_eq!(read_answer(third).await.json()["Logs"][0], "swept");
}

#[tokio::test]
async fn a_sweep_goes_on_after_the_host_hung_up() {
    let (host, mut started, release) = Host::start_blocking().await;
    let connection = host.open(TIMER).await;
    soon(started.recv()).await.unwrap();
    drop(connection);
    // The server has noticed when it answers on another connection that the
    // sweep still runs.
    assert!(host.invoke(TIMER).await.body.contains("already_running"));
    release.notify_one();
    assert_eq!(soon(started.recv()).await.unwrap(), "ended");
}

#[tokio::test]
async fn a_sweep_is_told_of_its_invocation() {
    let (tell, mut told) = mpsc::unbounded_channel::<InvocationContext>();
    let host = Host::start(Arc::new(move |context| {
        tell.send(context).unwrap();
        Box::pin(future::ready(succeeded()))
    }))
    .await;
    host.invoke(TIMER).await;
    let context = soon(told.recv()).await.unwrap();
    assert_eq!(context.id.as_str(), ID);
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    assert_eq!(context.traceparent.as_deref(), Some(parent));
    assert_eq!(context.invocation.is_past_due, Some(false));
}

/// What never comes fails the test instead of hanging it.
async fn soon<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), wait)
        .await
        .unwrap()
}

fn succeeded() -> SweepOutcome {
    SweepOutcome {
        failed: false,
        summary: vec!["swept".to_owned()],
    }
}

fn succeeding() -> SweepFn {
    Arc::new(|_| Box::pin(future::ready(succeeded())))
}

/// The handler under test, listening on a port of its own.
struct Host {
    port: u16,
}

impl Host {
    async fn start(sweep: SweepFn) -> Self {
        let listener = host::bind(0).await.unwrap();
        let address = listener.local_addr().unwrap();
        assert!(address.ip().is_loopback());
        tokio::spawn(host::serve(listener, sweep));
        Self {
            port: address.port(),
        }
    }

    /// Sweeps that say when they start and end, and wait to be released between.
    async fn start_blocking() -> (Self, mpsc::UnboundedReceiver<&'static str>, Arc<Notify>) {
        let (tell, told) = mpsc::unbounded_channel();
        let release = Arc::new(Notify::new());
        let gate = Arc::clone(&release);
        let sweep: SweepFn = Arc::new(move |_| {
            let (tell, gate) = (tell.clone(), Arc::clone(&gate));
            Box::pin(async move {
                tell.send("started").unwrap();
                gate.notified().await;
                // Only a test that waits for the end still listens.
                let _ = tell.send("ended");
                succeeded()
            })
        });
        (Self::start(sweep).await, told, release)
    }

    async fn invoke(&self, body: &str) -> Answer {
        self.post("/TerminateClusters", body).await
    }

    async fn post(&self, path: &str, body: &str) -> Answer {
        read_answer(self.open_at(path, body).await).await
    }

    async fn open(&self, body: &str) -> TcpStream {
        self.open_at("/TerminateClusters", body).await
    }

    /// Sends an invocation as the host does and leaves the answer unread.
    async fn open_at(&self, path: &str, body: &str) -> TcpStream {
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nX-Azure-Functions-HostVersion: 4.1037.0.0\r\nX-Azure-Functions-InvocationId: {ID}\r\nUser-Agent: Azure-Functions-Host/4.1037.0.0\r\nTransfer-Encoding: chunked\r\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00\r\nContent-Type: application/json; charset=utf-8\r\nConnection: close\r\n\r\n",
            self.port
        );
        if !body.is_empty() {
            request.push_str(&format!("{:x}\r\n{body}\r\n", body.len()));
        }
        request.push_str("0\r\n\r\n");
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    async fn send(&self, request: &str) -> Answer {
        let request = request.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1);
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        read_answer(stream).await
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()
    }
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn assert_is_envelope(&self) {
        assert!(
            self.head.contains("content-type: application/json\r\n"),
            "{}",
            self.head
        );
        let envelope = self.json();
        let members: Vec<&String> = envelope.as_object().unwrap().keys().collect();
        assert_eq!(members, ["Logs", "Outputs", "ReturnValue"]);
        assert!(envelope["ReturnValue"].is_null());
        assert_eq!(envelope["Outputs"], json!({}));
        assert!(
            envelope["Logs"]
                .as_array()
                .unwrap()
                .iter()
                .all(Value::is_string)
        );
    }
}

async fn read_answer(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    soon(stream.read_to_end(&mut bytes)).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer {
        status,
        head: format!("{}\r\n", head.to_lowercase()),
        body: body.to_owned(),
    }
}
