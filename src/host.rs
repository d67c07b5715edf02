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
        // What it would say of the panic is the panic's own text, which may quote a secret.
        Err(_) => {
            tracing::error!("The sweep ended in a panic, which a line above tells the place of");
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
    use std::fmt::{Debug, Write};
    use std::sync::{Mutex, PoisonError};

    use tracing::field::Field;
    use tracing::{Event, Subscriber};
    use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

    use super::*;

    /// Keeps what is logged.
    #[derive(Clone, Default)]
    struct Logged(Arc<Mutex<String>>);

    impl<S: Subscriber> Layer<S> for Logged {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            event.record(&mut |_: &Field, value: &dyn Debug| {
                let _ = writeln!(text, "{value:?}");
            });
        }
    }

    #[tokio::test]
    async fn what_a_panic_quotes_is_neither_logged_nor_answered() {
        let marker = "planted-8Q~secret";
        let quoted = std::hint::black_box(marker.to_owned());
        let gate = Arc::new(Gate {
            sweep: Arc::new(move |_| {
                let quoted = quoted.clone();
                Box::pin(async move { panic!("{quoted}") })
            }),
            is_busy: AtomicBool::new(false),
        });
        let context = InvocationContext {
            id: InvocationId::from_headers(&HeaderMap::new()),
            traceparent: None,
            invocation: Invocation::default(),
        };
        let logged = Logged::default();
        let subscriber = tracing_subscriber::registry().with(logged.clone());
        let guard = tracing::subscriber::set_default(subscriber);
        let answer = run(&gate, context).await;
        drop(guard);
        let text = logged.0.lock().unwrap().clone();
        assert!(text.contains("The sweep ended in a panic"), "{text}");
        assert!(!text.contains(marker), "{text}");
        let body = answer.into_response().into_body();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let body = String::from_utf8_lossy(&body);
        assert!(body.contains("the sweep ended in a panic"), "{body}");
        assert!(!body.contains(marker), "{body}");
    }

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
