//! The Functions host's side of the process: routes in, envelopes out.
//!
//! Only this module knows `Data`, `Metadata`, `Outputs`, `Logs` and
//! `ReturnValue`. It starts sweeps and never takes part in one: a sweep is a
//! function that it was handed. A sweep runs detached from its connection, so
//! that a host which hangs up does not leave half of one behind.
//! First stage of the data path: host invocation → sweep request.

mod body;
mod invocation;
mod response;
mod telling;

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use futures_util::future::BoxFuture;
use tokio::net::TcpListener;
use tracing::Instrument;

use crate::escape::Shown;

use self::body::BodyError;
pub use self::invocation::{Invocation, InvocationError, InvocationId};
pub use self::response::InvocationResponse;
pub use self::telling::LogReport;

/// The folder of `function.json`, and so the path that the host posts to.
pub const FUNCTION_ROUTE: &str = "/TerminateClusters";

/// The first of the `Logs` when a sweep was under way already.
const ALREADY_RUNNING: &str =
    "already_running: a sweep is under way in this process, so this invocation did nothing";

const PATH_CHARS: usize = 200;

/// What a sweep is told of the invocation that asked for it.
#[derive(Debug, Clone)]
pub struct InvocationContext {
    pub id: InvocationId,
    /// W3C trace context, where the host sent a valid one.
    pub traceparent: Option<String>,
    pub invocation: Invocation,
}

/// How a sweep ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepOutcome {
    /// Whether there was a `Failure`, so that the invocation has to be one too.
    pub failed: bool,
    /// For the invocation's log, a line each.
    pub summary: Vec<String>,
}

/// Runs one sweep.
pub type SweepFn = Arc<dyn Fn(InvocationContext) -> BoxFuture<'static, SweepOutcome> + Send + Sync>;

/// Listens on the loopback address that the host dials.
///
/// # Errors
///
/// Whatever the system says, most likely that the port is taken.
pub async fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
}

/// Answers the host until the process is killed.
///
/// # Errors
///
/// Returns only if accepting connections came to an end.
pub async fn serve(listener: TcpListener, sweep: SweepFn) -> io::Result<()> {
    axum::serve(listener, router(sweep)).await
}

/// The routes: readiness, the timer, and a logged refusal of everything else.
pub fn router(sweep: SweepFn) -> Router {
    let gate = Arc::new(Gate {
        sweep,
        is_busy: AtomicBool::new(false),
    });
    Router::new()
        // The host asks every 25 ms until it is answered, and now and then later.
        .route("/", get(|| async { "ready\n" }))
        .route(FUNCTION_ROUTE, post(invoke))
        .fallback(refuse)
        .method_not_allowed_fallback(refuse)
        .with_state(gate)
}

/// Lets one sweep through at a time.
struct Gate {
    sweep: SweepFn,
    is_busy: AtomicBool,
}

/// Holds the gate shut; opens it however the sweep ends, panics included.
struct Pass(Arc<Gate>);

impl Gate {
    fn enter(self: &Arc<Self>) -> Option<Pass> {
        let was_busy = self.is_busy.swap(true, Ordering::AcqRel);
        (!was_busy).then(|| Pass(Arc::clone(self)))
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.is_busy.store(false, Ordering::Release);
    }
}

async fn invoke(
    State(gate): State<Arc<Gate>>,
    headers: HeaderMap,
    body: Body,
) -> InvocationResponse {
    let id = InvocationId::from_headers(&headers);
    let traceparent = invocation::traceparent(&headers);
    // At the highest level, so that no filter takes the id from an error's line.
    let span = tracing::error_span!(
        "invocation",
        invocation = %id,
        traceparent = traceparent.as_deref()
    );
    let answer = async {
        let body = match body::read(body).await {
            Ok(body) => body,
            Err(error) => return refuse_body(&error),
        };
        let invocation = match Invocation::parse(&body) {
            Ok(invocation) => invocation,
            Err(error) => {
                tracing::error!("Refused the invocation: {error}");
                return InvocationResponse::refused(StatusCode::BAD_REQUEST, &error.to_string());
            }
        };
        tracing::info!(
            past_due = invocation.is_past_due,
            last = invocation.last.map(tracing::field::display),
            next = invocation.next.map(tracing::field::display),
            retry = invocation.retry_count,
            "Received a timer invocation"
        );
        run(
            &gate,
            InvocationContext {
                id,
                traceparent,
                invocation,
            },
        )
        .await
    };
    answer.instrument(span).await
}

/// Runs a sweep in a task of its own and waits for it as long as the host does.
async fn run(gate: &Arc<Gate>, context: InvocationContext) -> InvocationResponse {
    let Some(pass) = gate.enter() else {
        tracing::warn!("Did nothing, because a sweep is under way already");
        return InvocationResponse::succeeded(vec![ALREADY_RUNNING.to_owned()]);
    };
    let sweep = async move {
        let outcome = (pass.0.sweep)(context).await;
        drop(pass);
        // Told here and not at the answer: the host may have hung up, and it
        // discards body and logs of whatever is not a 2xx.
        if outcome.failed {
            tell_failure(&outcome.summary);
        }
        outcome
    };
    match tokio::spawn(sweep.in_current_span()).await {
        Ok(outcome) if outcome.failed => InvocationResponse::failed(outcome.summary),
        Ok(outcome) => InvocationResponse::succeeded(outcome.summary),
        Err(error) => {
            tracing::error!("The sweep ended in a panic: {error}");
            InvocationResponse::failed(vec!["the sweep ended in a panic".to_owned()])
        }
    }
}

fn tell_failure(summary: &[String]) {
    for line in summary {
        tracing::error!("{line}");
    }
    tracing::error!("The sweep failed, so the invocation fails");
}

fn refuse_body(error: &BodyError) -> InvocationResponse {
    tracing::error!("Refused the invocation: {error}");
    InvocationResponse::refused(error.status(), &error.to_string())
}

async fn refuse(method: Method, uri: Uri, body: Body) -> impl IntoResponse {
    // Whatever it is, the answer must not be overtaken by a reset.
    let _ = body::read(body).await;
    let path = Shown::new(uri.path(), PATH_CHARS);
    let (status, why) = if matches!(uri.path(), "/" | FUNCTION_ROUTE) {
        (
            StatusCode::METHOD_NOT_ALLOWED,
            "the method is not allowed there",
        )
    } else {
        (StatusCode::NOT_FOUND, "there is no such function")
    };
    let problem = format!("{method} {path}: {why}");
    tracing::error!("Refused a request: {problem}");
    InvocationResponse::refused(status, &problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_opens_again_after_a_panic() {
        let gate = Arc::new(Gate {
            sweep: Arc::new(|_| panic!("never called")),
            is_busy: AtomicBool::new(false),
        });
        let pass = gate.enter().unwrap();
        assert!(gate.enter().is_none());
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _pass = pass;
            panic!("while sweeping");
        }));
        assert!(caught.is_err());
        assert!(gate.enter().is_some());
    }
}
