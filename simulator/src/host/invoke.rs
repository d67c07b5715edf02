//! One invocation from the host's side: wait for the handler, send, wait for
//! the answer or the function timeout, and do to the handler what the host
//! would do then.
//!
//! It applies verdicts and makes none: `response.rs` reads answers, `process.rs`
//! kills and restarts. Scheduled firings wait for each other; manual ones do not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::{sleep, timeout};

use super::app::App;
use super::function::Function;
use super::logs::{LogBook, LogLevel, LogRecord, LogSink, LogStream};
use super::process::{HandlerState, Order};
use super::response::{FailureCause, InvocationOutcome, interpret};
use super::timer::{TimerInvocation, TimerRequest};
use super::wire;

/// The host waits this many times the initialization timeout for a handler
/// before it gives up on itself.
const PATIENCE: u32 = 4;

/// What the emulator does with an answer that makes the real host hang.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HangMode {
    /// Says so at once.
    #[default]
    FailAtOnce,
    /// Waits for the function timeout and kills the handler, as the host does.
    Hang,
}

/// What every invocation needs; shared with those that run by themselves.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) app: Arc<App>,
    pub(super) port: u16,
    pub(super) host_id: String,
    pub(super) logs: LogBook,
    pub(super) state: watch::Receiver<HandlerState>,
    pub(super) orders: mpsc::UnboundedSender<Order>,
    pub(super) timeout_grace: Duration,
    pub(super) hang_mode: HangMode,
    pub(super) timer_lock: Mutex<()>,
    pub(super) count: AtomicU64,
}

impl Caller {
    /// An id in the form of a GUID, unlike any other of this host.
    pub(super) fn next_id(&self) -> String {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        format!("{}{:04x}", self.host_id, number % 0x1_0000)
    }

    /// The function that an invocation is for.
    pub(super) fn target(&self, invocation: &TimerInvocation) -> Result<Function, FailureCause> {
        let timers = || self.app.functions.iter().filter(|item| item.is_timer());
        let found = match invocation.function_name() {
            // The host compares names without case, and posts to its own spelling.
            Some(name) => timers().find(|item| item.name.eq_ignore_ascii_case(name)),
            None => timers().next().filter(|_| timers().count() == 1),
        };
        found.cloned().ok_or_else(|| {
            let asked = invocation.function_name().unwrap_or("the only timer");
            FailureCause::NoHandler(format!("the app has no such function: {asked}"))
        })
    }

    /// A scheduled firing: alone, unless it says otherwise.
    pub(super) async fn scheduled(&self, invocation: &TimerInvocation) -> InvocationOutcome {
        if invocation.must_wait_its_turn() {
            let _turn = self.timer_lock.lock().await;
            self.invoke(invocation, &self.next_id()).await
        } else {
            self.invoke(invocation, &self.next_id()).await
        }
    }

    pub(super) async fn invoke(
        &self,
        invocation: &TimerInvocation,
        invocation_id: &str,
    ) -> InvocationOutcome {
        let function = match self.target(invocation) {
            Ok(function) => function,
            Err(cause) => return InvocationOutcome::Failed(cause),
        };
        let starts = match self.until_ready().await {
            Ok(starts) => starts,
            Err(cause) => return InvocationOutcome::Failed(cause),
        };
        let request = invocation.request(&function, invocation_id, &self.next_id());
        let outcome = self.exchange(&request, &function, starts).await;
        self.record(&outcome, &function, invocation_id);
        outcome
    }

    /// Waits until the handler can be called, and says which start of it is
    /// meant. After exit 0 the host believes that it still runs.
    async fn until_ready(&self) -> Result<u32, FailureCause> {
        let mut state = self.state.clone();
        let limit = self.app.initialization_timeout * PATIENCE;
        let ready = state.wait_for(|state| state.is_ready() || state.is_final());
        let Ok(state) = timeout(limit, ready).await else {
            let reason = "initialization timed out and the host is shutting down".to_owned();
            // A supervisor that is gone has stopped the handler already.
            drop(self.orders.send(Order::ShutDown(reason.clone())));
            return Err(FailureCause::NoHandler(reason));
        };
        let state = state.map_or(HandlerState::Stopped, |state| state.clone());
        match state {
            HandlerState::Starting { starts } | HandlerState::Ready { starts, .. } => Ok(starts),
            HandlerState::Exited => Ok(0),
            HandlerState::CannotStart(reason) | HandlerState::HostStopped(reason) => {
                Err(FailureCause::NoHandler(reason))
            }
            HandlerState::Stopped => Err(FailureCause::NoHandler("stopped".to_owned())),
        }
    }

    async fn exchange(
        &self,
        request: &TimerRequest,
        function: &Function,
        starts: u32,
    ) -> InvocationOutcome {
        let answered = async {
            let sent = wire::post(self.port, &request.path, &request.headers, &request.body);
            let outcome = match sent.await {
                Ok(answer) => interpret(&answer, function),
                Err(error) => {
                    InvocationOutcome::Failed(FailureCause::Connection(error.to_string()))
                }
            };
            let hangs = matches!(outcome, InvocationOutcome::Hang(_));
            if hangs && self.hang_mode == HangMode::Hang {
                std::future::pending::<()>().await;
            }
            outcome
        };
        tokio::pin!(answered);
        let Some(limit) = self.app.function_timeout else {
            return answered.await;
        };
        if let Ok(outcome) = timeout(limit, &mut answered).await {
            return outcome;
        }
        // The request is not cancelled, and an answer within the grace is ignored.
        tokio::select! {
            () = sleep(self.timeout_grace) => {}
            () = async { drop(answered.await); std::future::pending().await } => {}
        }
        drop(self.orders.send(Order::RestartAfterTimeout { starts }));
        self.until_gone(starts).await;
        InvocationOutcome::TimedOut { after: limit }
    }

    /// Waits until this start of the handler is over, so that whoever is told
    /// of a timeout does not meet the handler that caused it.
    async fn until_gone(&self, starts: u32) {
        let mut state = self.state.clone();
        let is_over = |state: &HandlerState| state.starts() != Some(starts);
        // An error means that the supervisor is gone, and the handler with it.
        drop(state.wait_for(is_over).await);
    }

    fn record(&self, outcome: &InvocationOutcome, function: &Function, invocation_id: &str) {
        match outcome {
            InvocationOutcome::Succeeded(success) => {
                for text in &success.logs {
                    self.logs.write(LogRecord {
                        level: LogLevel::Information,
                        text: text.clone(),
                        stream: LogStream::Answer,
                        sink: LogSink::Operator,
                        has_ansi: text.contains('\u{1b}'),
                        invocation_id: Some(invocation_id.to_owned()),
                    });
                }
            }
            InvocationOutcome::Failed(_)
            | InvocationOutcome::Hang(_)
            | InvocationOutcome::TimedOut { .. } => {
                let name = &function.name;
                let text = format!("invocation {invocation_id} of {name} {outcome}");
                self.logs.note(LogLevel::Error, text);
            }
        }
    }
}
