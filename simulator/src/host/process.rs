//! The handler's process as the host keeps it: started with the host's five
//! variables, probed until it answers, restarted or given up by its exit code,
//! and killed without a signal that it could catch.
//!
//! One process at a time, supervised in one place; everyone else sends commands
//! and watches the state. It knows nothing of invocations.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::app::App;
use super::logs::{LogBook, LogLevel, LogStream, read_line};
use super::wire::{self, WireError};

const PROBE_INTERVAL: Duration = Duration::from_millis(25);
/// How long the host waits for a killed process, and for the rest of its output.
const EXIT_WAIT: Duration = Duration::from_secs(1);
const RESTART_ME: i32 = 200;
const MOST_ERRORS: u32 = 3;

/// What the handler is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandlerState {
    /// Started, without an answer so far.
    Starting {
        /// How often it has been started, this time included.
        starts: u32,
    },
    /// It answered `GET /`.
    Ready {
        /// How often it has been started, this time included.
        starts: u32,
        /// Its process id.
        pid: u32,
        /// From the start of the process to its first answer.
        first_answer_after: Duration,
    },
    /// It exited with 0, which the host takes for intended: it is never
    /// started again, and invocations find nobody.
    Exited,
    /// The operating system could not start it; the host does not try again.
    CannotStart(String),
    /// The host shut itself down, and says why.
    HostStopped(String),
    /// The test stopped the host.
    Stopped,
}

impl HandlerState {
    /// Whether the handler can be called.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Ready { .. })
    }

    /// Whether nothing will change any more.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Starting { .. } | Self::Ready { .. } => false,
            Self::Exited | Self::CannotStart(_) | Self::HostStopped(_) | Self::Stopped => true,
        }
    }

    /// How often the handler has been started, as long as it is there.
    #[must_use]
    pub fn starts(&self) -> Option<u32> {
        match self {
            Self::Starting { starts } | Self::Ready { starts, .. } => Some(*starts),
            Self::Exited | Self::CannotStart(_) | Self::HostStopped(_) | Self::Stopped => None,
        }
    }
}

/// What the supervisor is asked to do.
#[derive(Debug)]
pub(super) enum Order {
    /// Kill the handler and end.
    Stop,
    /// Kill the handler as something outside the host would.
    KillFromOutside,
    /// An invocation timed out in this start of the handler.
    RestartAfterTimeout { starts: u32 },
    /// Kill the handler and give up.
    ShutDown(String),
}

/// All that a start needs.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) app: Arc<App>,
    pub(super) environment: BTreeMap<OsString, OsString>,
    pub(super) port: u16,
    pub(super) host_id: String,
    pub(super) ping_interval: Duration,
    pub(super) error_window: Duration,
}

/// How one life of the process ended.
enum End {
    Exited(ExitStatus),
    NotReady,
    TimedOut,
    Stopped,
    ShutDown(String),
    Unwaitable(io::Error),
}

/// Runs the handler until it may not run any more, then waits to be stopped.
pub(super) async fn supervise(
    launch: Launch,
    state: watch::Sender<HandlerState>,
    logs: LogBook,
    mut orders: mpsc::UnboundedReceiver<Order>,
) {
    let mut errors = ErrorLedger::new(launch.error_window);
    let mut starts = 0;
    let rest = loop {
        starts += 1;
        state.send_replace(HandlerState::Starting { starts });
        let child = match launch.command(starts).spawn() {
            Ok(child) => child,
            Err(error) => {
                logs.note(
                    LogLevel::Error,
                    format!("cannot start the handler: {error}"),
                );
                break HandlerState::CannotStart(error.to_string());
            }
        };
        let end = live(child, starts, &launch, &state, &logs, &mut orders).await;
        if let Some(rest) = after(end, &mut errors, &logs) {
            break rest;
        }
    };
    let is_stopped = rest == HandlerState::Stopped;
    state.send_replace(rest);
    if !is_stopped {
        while let Some(order) = orders.recv().await {
            if matches!(order, Order::Stop) {
                break;
            }
        }
    }
}

/// The state in which the host stays after this end; `None` to start again.
fn after(end: End, errors: &mut ErrorLedger, logs: &LogBook) -> Option<HandlerState> {
    let failure = match end {
        End::Stopped => return Some(HandlerState::Stopped),
        End::ShutDown(reason) => {
            logs.note(LogLevel::Error, reason.clone());
            return Some(HandlerState::HostStopped(reason));
        }
        End::TimedOut => {
            logs.note(LogLevel::Error, "restarted the handler after a timeout");
            return None;
        }
        End::NotReady => "the handler did not answer GET / in time".to_owned(),
        End::Unwaitable(error) => format!("the handler's exit cannot be read: {error}"),
        End::Exited(status) => match exit_code(status) {
            0 => {
                logs.note(LogLevel::Information, "the handler exited with 0");
                return Some(HandlerState::Exited);
            }
            RESTART_ME => {
                logs.note(LogLevel::Information, "restarted the handler at its wish");
                return None;
            }
            code => format!("the handler exited with {code}: {}", logs.last_words()),
        },
    };
    logs.note(LogLevel::Error, failure.clone());
    if errors.allows_a_restart(Instant::now()) {
        return None;
    }
    let reason = format!("exceeded the restarts of the handler, the last time because {failure}");
    logs.note(LogLevel::Error, reason.clone());
    Some(HandlerState::HostStopped(reason))
}

/// A process that a signal ended counts with 128 and the signal, as in .NET.
fn exit_code(status: ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// One life of the process, from its start to its end.
async fn live(
    mut child: Child,
    starts: u32,
    launch: &Launch,
    state: &watch::Sender<HandlerState>,
    logs: &LogBook,
    orders: &mut mpsc::UnboundedReceiver<Order>,
) -> End {
    let stderr_is_error = launch.app.stderr_is_error;
    let output = [
        collect_lines(
            child.stdout.take(),
            LogStream::Stdout,
            stderr_is_error,
            logs,
        ),
        collect_lines(
            child.stderr.take(),
            LogStream::Stderr,
            stderr_is_error,
            logs,
        ),
    ];
    let pid = child.id().unwrap_or_default();
    let tending = tend(launch, starts, pid, state);
    tokio::pin!(tending);
    let end = loop {
        tokio::select! {
            status = child.wait() => break match status {
                Ok(status) => End::Exited(status),
                Err(error) => End::Unwaitable(error),
            },
            () = &mut tending => break End::NotReady,
            order = orders.recv() => match order {
                None | Some(Order::Stop) => break End::Stopped,
                Some(Order::ShutDown(reason)) => break End::ShutDown(reason),
                Some(Order::RestartAfterTimeout { starts: of }) if of == starts => {
                    break End::TimedOut;
                }
                // Another invocation's timeout has already brought the restart.
                Some(Order::RestartAfterTimeout { .. }) => {}
                Some(Order::KillFromOutside) => {
                    if let Err(error) = child.start_kill() {
                        break End::Unwaitable(error);
                    }
                }
            },
        }
    };
    if !matches!(end, End::Exited(_)) {
        kill(&mut child, logs).await;
    }
    finish_output(output).await;
    end
}

/// Kills this process only: what it started itself is left behind, as the
/// host leaves it.
async fn kill(child: &mut Child, logs: &LogBook) {
    match timeout(EXIT_WAIT, child.kill()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => logs.note(LogLevel::Error, format!("cannot kill the handler: {error}")),
        Err(_) => logs.note(LogLevel::Error, "the killed handler is still there"),
    }
}

/// Probes until the first answer, then pings. Returns only when the handler is
/// not ready in time.
async fn tend(launch: &Launch, starts: u32, pid: u32, state: &watch::Sender<HandlerState>) {
    let started = Instant::now();
    let limit = launch.app.initialization_timeout;
    if timeout(limit, first_answer(launch.port)).await.is_err() {
        return;
    }
    state.send_replace(HandlerState::Ready {
        starts,
        pid,
        first_answer_after: started.elapsed(),
    });
    loop {
        sleep(launch.ping_interval).await;
        // The host ignores what its health ping finds.
        drop(wire::probe(launch.port).await);
    }
}

/// Only a socket error means "not yet"; anything that answers is ready.
async fn first_answer(port: u16) {
    loop {
        match wire::probe(port).await {
            Ok(()) | Err(WireError::NotHttp(_)) => return,
            Err(WireError::Socket(_)) => sleep(PROBE_INTERVAL).await,
        }
    }
}

fn collect_lines(
    pipe: Option<impl AsyncRead + Unpin + Send + 'static>,
    stream: LogStream,
    stderr_is_error: bool,
    logs: &LogBook,
) -> JoinHandle<()> {
    let logs = logs.clone();
    tokio::spawn(async move {
        let Some(pipe) = pipe else { return };
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while reader
            .read_until(b'\n', &mut line)
            .await
            .is_ok_and(|count| count > 0)
        {
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end_matches(['\n', '\r']);
            logs.write(read_line(stream, text, stderr_is_error));
            line.clear();
        }
    })
}

/// Reads what the dead process left in its pipes. A child of its own may hold
/// them open for ever, so the wait is bounded.
async fn finish_output(output: [JoinHandle<()>; 2]) {
    let deadline = Instant::now() + EXIT_WAIT;
    for mut reader in output {
        if tokio::time::timeout_at(deadline, &mut reader)
            .await
            .is_err()
        {
            reader.abort();
        }
    }
}

impl Launch {
    fn command(&self, starts: u32) -> Command {
        let port = self.port.to_string();
        let worker_id = format!("{}{starts:04x}", self.host_id);
        let mut command = Command::new(&self.app.executable);
        command
            .args(&self.app.arguments)
            .current_dir(&self.app.working_directory)
            .env_clear()
            .envs(&self.environment)
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", &port)
            .env("FUNCTIONS_HTTPWORKER_PORT", &port)
            .env("FUNCTIONS_CUSTOMHANDLER_WORKER_ID", &worker_id)
            .env("FUNCTIONS_HTTPWORKER_ID", &worker_id)
            .env("FUNCTIONS_APP_ROOT_PATH", &self.app.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}

/// How many errors of the handler the host still forgives.
struct ErrorLedger {
    count: u32,
    last: Option<Instant>,
    window: Duration,
}

impl ErrorLedger {
    fn new(window: Duration) -> Self {
        Self {
            count: 0,
            last: None,
            window,
        }
    }

    /// Counts an error. The count starts anew only when more than the window
    /// has passed since the error before.
    fn allows_a_restart(&mut self, now: Instant) -> bool {
        let was_long_ago = self.last.is_some_and(|last| now - last > self.window);
        if was_long_ago {
            self.count = 0;
        }
        self.last = Some(now);
        self.count += 1;
        self.count < MOST_ERRORS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(1800);

    fn ended(raw_status: i32, errors: &mut ErrorLedger) -> Option<HandlerState> {
        let status = ExitStatus::from_raw(raw_status);
        after(End::Exited(status), errors, &LogBook::new())
    }

    #[test]
    fn the_third_error_in_a_window_is_one_too_many() {
        let mut errors = ErrorLedger::new(WINDOW);
        let now = Instant::now();
        assert!(errors.allows_a_restart(now));
        assert!(errors.allows_a_restart(now + WINDOW));
        assert!(!errors.allows_a_restart(now + 2 * WINDOW));
    }

    #[test]
    fn errors_are_forgotten_only_after_a_quiet_window() {
        let mut errors = ErrorLedger::new(WINDOW);
        let now = Instant::now();
        let later = now + WINDOW + Duration::from_secs(1);
        assert!(errors.allows_a_restart(now));
        assert!(errors.allows_a_restart(now));
        assert!(errors.allows_a_restart(later));
        assert!(errors.allows_a_restart(later));
        assert!(!errors.allows_a_restart(later));
    }

    #[test]
    fn exit_0_is_final_and_exit_200_is_free() {
        let mut errors = ErrorLedger::new(WINDOW);
        for _ in 0..10 {
            assert_eq!(ended(200 << 8, &mut errors), None);
        }
        assert_eq!(errors.count, 0);
        assert_eq!(ended(0, &mut errors), Some(HandlerState::Exited));
    }

    #[test]
    fn a_signal_counts_as_an_error_exit() {
        let mut errors = ErrorLedger::new(WINDOW);
        assert_eq!(exit_code(ExitStatus::from_raw(9)), 137);
        assert_eq!(ended(9, &mut errors), None);
        assert_eq!(ended(1 << 8, &mut errors), None);
        assert!(matches!(
            ended(9, &mut errors),
            Some(HandlerState::HostStopped(_))
        ));
    }

    #[test]
    fn a_timeout_is_not_counted() {
        let mut errors = ErrorLedger::new(WINDOW);
        assert_eq!(after(End::TimedOut, &mut errors, &LogBook::new()), None);
        assert_eq!(errors.count, 0);
    }
}
