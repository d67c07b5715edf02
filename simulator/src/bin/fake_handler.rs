//! A custom handler that misbehaves on demand: what the tests of the Functions
//! host emulator start in place of the real one.
//!
//! What it does at its start comes from `FAKE_…` variables; what it does with an
//! invocation comes from the member `Fake` of the timer object. Whatever it does
//! not know makes it exit with 99. It has no part in any test of the real handler.

use std::collections::BTreeMap;
use std::future::pending;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, ExitCode, exit};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

const UNKNOWN_WISH: i32 = 99;

#[derive(Default)]
struct Fake {
    /// The wishes of the invocations that are being answered now.
    in_flight: Mutex<Vec<String>>,
    release: Notify,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    say(io::stdout(), &variable("FAKE_STDOUT"));
    say(io::stderr(), &variable("FAKE_STDERR"));
    let at_start = variable("FAKE_AT_START");
    match at_start.split_once(':').unwrap_or((&at_start, "")) {
        ("" | "silent", "") => {}
        ("exit", code) => exit(code.parse().unwrap_or(UNKNOWN_WISH)),
        ("when", file) => until(|| Path::new(file).exists()).await,
        ("linger", file) => {
            until(|| !Path::new(file).exists()).await;
            return ExitCode::SUCCESS;
        }
        _ => exit(UNKNOWN_WISH),
    }
    let port: u16 = match variable("FUNCTIONS_CUSTOMHANDLER_PORT").parse() {
        Ok(port) => port,
        Err(_) => return ExitCode::from(2),
    };
    let router = Router::new()
        .route("/", get(root))
        .fallback(invocation)
        .with_state(Arc::new(Fake::default()));
    let served = match TcpListener::bind(("127.0.0.1", port)).await {
        Ok(listener) => axum::serve(listener, router).await,
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        say(io::stderr(), &error.to_string());
    }
    ExitCode::from(3)
}

async fn root() -> StatusCode {
    if variable("FAKE_AT_START") == "silent" {
        pending::<()>().await;
    }
    if !variable("FAKE_SAY_PINGS").is_empty() {
        say(io::stdout(), "ping");
    }
    let status = variable("FAKE_ROOT_STATUS").parse().ok();
    status
        .and_then(|status| StatusCode::from_u16(status).ok())
        .unwrap_or(StatusCode::OK)
}

async fn invocation(State(fake): State<Arc<Fake>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        exit(UNKNOWN_WISH);
    };
    let wish = wish_of(&body);
    let others = {
        let mut in_flight = fake
            .in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let others = in_flight.clone();
        in_flight.push(wish.clone());
        others
    };
    say(io::stdout(), &format!("asked {wish}"));
    let answer = grant(&fake, &wish, || describe(&head, &body, &others)).await;
    let mut in_flight = fake
        .in_flight
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some(position) = in_flight.iter().position(|other| *other == wish) {
        in_flight.remove(position);
    }
    answer
}

/// The member `Fake` of the first timer object; a body without one is described.
fn wish_of(body: &[u8]) -> String {
    serde_json::from_slice::<Value>(body)
        .ok()
        .and_then(|envelope| {
            let timer = envelope["Data"].as_object()?.values().next()?;
            timer["Fake"].as_str().map(str::to_owned)
        })
        .unwrap_or_else(|| "describe".to_owned())
}

async fn grant(fake: &Fake, wish: &str, describe: impl FnOnce() -> Value) -> Response {
    let json = |body: &str| {
        let content_type = [(header::CONTENT_TYPE, "application/json")];
        (content_type, body.to_owned()).into_response()
    };
    match wish.split_once(':').unwrap_or((wish, "")) {
        ("describe", "") => {
            let envelope = json!({ "Outputs": {}, "Logs": [], "ReturnValue": describe() });
            json(&envelope.to_string())
        }
        ("json", body) => json(body),
        ("text", body) => body.to_owned().into_response(),
        ("status", code) => match code.parse().ok().map(StatusCode::from_u16) {
            Some(Ok(status)) => (status, json(r#"{"Logs":["lost"]}"#)).into_response(),
            Some(Err(_)) | None => exit(UNKNOWN_WISH),
        },
        ("empty", "") => StatusCode::OK.into_response(),
        ("no_content", "") => StatusCode::NO_CONTENT.into_response(),
        ("hang", "") => pending().await,
        ("hold", "") => {
            fake.release.notified().await;
            json("{}")
        }
        ("release", "") => {
            fake.release.notify_one();
            json("{}")
        }
        ("exit", code) => exit(code.parse().unwrap_or(UNKNOWN_WISH)),
        ("child", file) => {
            let id = start_child(file).unwrap_or_else(|_| exit(UNKNOWN_WISH));
            json(&json!({ "ReturnValue": id }).to_string())
        }
        _ => exit(UNKNOWN_WISH),
    }
}

/// Everything that reached this process, from the environment and on the wire.
fn describe(head: &axum::http::request::Parts, body: &Bytes, others: &[String]) -> Value {
    let headers: BTreeMap<&str, String> = head
        .headers
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str(), value)
        })
        .collect();
    let environment: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| name.into_string().ok().zip(value.into_string().ok()))
        .collect();
    json!({
        "method": head.method.as_str(),
        "path": head.uri.to_string(),
        "version": format!("{:?}", head.version),
        "headers": headers,
        "body": String::from_utf8_lossy(body),
        "others": others,
        "environment": environment,
        "arguments": std::env::args().skip(1).collect::<Vec<_>>(),
        "directory": std::env::current_dir().unwrap_or_default(),
        "pid": std::process::id(),
    })
}

/// Starts a process that shares the pipes and stays as long as `file` does.
fn start_child(file: &str) -> io::Result<u32> {
    let child = Command::new(std::env::current_exe()?)
        .env("FAKE_AT_START", format!("linger:{file}"))
        .spawn()?;
    Ok(child.id())
}

/// Waits for a condition, but not for ever: a test that fails must not leave
/// this process behind.
async fn until(condition: impl Fn() -> bool) {
    for _ in 0..12_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    exit(UNKNOWN_WISH);
}

fn variable(name: &str) -> String {
    std::env::var_os(name)
        .and_then(|value| value.into_string().ok())
        .unwrap_or_default()
}

fn say(mut stream: impl Write, text: &str) {
    if !text.is_empty() && writeln!(stream, "{text}").is_err() {
        exit(UNKNOWN_WISH);
    }
}
