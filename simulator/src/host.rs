//! A pretend Azure Functions host for one app with a custom handler: it reads
//! `host.json` and `function.json`, starts the executable, waits for it, fires
//! its timer, maps its output to log levels, and kills it as the host does.
//!
//! Written from observations of the real host, without code of the handler.
//! It keeps no schedule and no storage: a test says when the timer fires. Where
//! the real host logs a mistake and goes on, this one fails loudly.
//!
//! The handler is supervised on a thread of its own, so that stopping works
//! from any code, async or not, and dropping a [`FunctionsHost`] leaves no
//! process behind.

mod app;
mod encoding;
mod error;
mod function;
mod invoke;
mod logs;
mod process;
mod response;
mod schedule;
mod settings;
mod timer;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::timeout;

pub use app::{App, AppError};
pub use encoding::{BindingValue, encode, encode_metadata, is_taken_for_base64};
pub use error::{HostError, WaitError};
pub use function::{Binding, Direction, Function};
pub use invoke::HangMode;
pub use logs::{LogLevel, LogRecord, LogSink, LogStream, read_line};
pub use process::HandlerState;
pub use response::{FailureCause, HangCause, InvocationOutcome, InvocationSuccess, Oddity};
pub use timer::{HOST_VERSION, TimerInvocation};
pub use wire::PortReservation;

use invoke::Caller;
use logs::LogBook;
use process::{Launch, Order};
use settings::AppSettings;

/// A host with its handler. Dropping it kills the handler.
#[derive(Debug)]
pub struct FunctionsHost {
    caller: Arc<Caller>,
    runtime: tokio::runtime::Handle,
    supervisor: Option<thread::JoinHandle<()>>,
    _port: PortReservation,
}

/// How a host is to be started; made by [`FunctionsHost::builder`].
#[derive(Debug)]
#[must_use]
pub struct Builder {
    directory: PathBuf,
    executable: Option<PathBuf>,
    settings: AppSettings,
    hang_mode: HangMode,
    timeout_grace: Duration,
    ping_interval: Duration,
    error_window: Duration,
}

/// A run that was asked for by hand, and goes on by itself.
#[derive(Debug)]
pub struct ManualRun {
    /// The id under which the handler sees it.
    pub invocation_id: String,
    task: tokio::task::JoinHandle<InvocationOutcome>,
}

impl FunctionsHost {
    /// Begins a host for the app in this folder, the one with `host.json`.
    pub fn builder(app_dir: impl Into<PathBuf>) -> Builder {
        Builder {
            directory: app_dir.into(),
            executable: None,
            settings: AppSettings::default(),
            hang_mode: HangMode::default(),
            timeout_grace: Duration::from_secs(2),
            ping_interval: Duration::from_secs(10),
            error_window: Duration::from_secs(30 * 60),
        }
    }

    /// The app as it was read.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.caller.app
    }

    /// The port on 127.0.0.1 that the handler was given; the same for each start.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.caller.port
    }

    /// What the handler is doing.
    #[must_use]
    pub fn state(&self) -> HandlerState {
        self.caller.state.borrow().clone()
    }

    /// The handler's process id while it is ready.
    #[must_use]
    pub fn handler_pid(&self) -> Option<u32> {
        match self.state() {
            HandlerState::Ready { pid, .. } => Some(pid),
            HandlerState::Starting { .. }
            | HandlerState::Exited
            | HandlerState::CannotStart(_)
            | HandlerState::HostStopped(_)
            | HandlerState::Stopped => None,
        }
    }

    /// Waits for a state, at most so long.
    ///
    /// # Errors
    ///
    /// When it does not come, or can no longer come.
    pub async fn wait_for_state(
        &self,
        predicate: impl Fn(&HandlerState) -> bool,
        limit: Duration,
    ) -> Result<HandlerState, WaitError> {
        let mut state = self.caller.state.clone();
        let reached = state.wait_for(|state| predicate(state) || state.is_final());
        let reached = match timeout(limit, reached).await {
            Ok(Ok(state)) => Some(state.clone()),
            Ok(Err(_)) | Err(_) => None,
        };
        reached
            .filter(predicate)
            .ok_or_else(|| self.wait_error(limit))
    }

    /// Everything that was logged so far, in order.
    #[must_use]
    pub fn logs(&self) -> Vec<LogRecord> {
        self.caller.logs.all()
    }

    /// Waits for a record, at most so long; earlier ones count too.
    ///
    /// # Errors
    ///
    /// When none comes in time.
    pub async fn wait_for_log(
        &self,
        predicate: impl Fn(&LogRecord) -> bool,
        limit: Duration,
    ) -> Result<LogRecord, WaitError> {
        timeout(limit, self.caller.logs.wait_for(predicate))
            .await
            .map_err(|_| self.wait_error(limit))
    }

    /// Fires a timer and waits for its end, as the host's own schedule does:
    /// never while another scheduled firing runs.
    pub async fn invoke_timer(&self, invocation: TimerInvocation) -> InvocationOutcome {
        self.caller.scheduled(&invocation).await
    }

    /// Runs a timer function by hand, as `POST /admin/functions/{name}` does:
    /// at once, whatever else runs. The run goes on if its handle is dropped.
    #[must_use]
    pub fn invoke_manual(&self, invocation: TimerInvocation) -> ManualRun {
        let caller = Arc::clone(&self.caller);
        let invocation_id = caller.next_id();
        let id = invocation_id.clone();
        let task = self
            .runtime
            .spawn(async move { caller.invoke(&invocation, &id).await });
        ManualRun {
            invocation_id,
            task,
        }
    }

    /// Kills the handler as something outside the host would (the kernel, out
    /// of memory): the host counts an error and starts it again.
    pub fn kill_handler(&self) {
        // A supervisor that is gone has no handler to kill.
        drop(self.caller.orders.send(Order::KillFromOutside));
    }

    /// Stops the host: the handler is killed without warning. Returns the
    /// whole log.
    #[must_use]
    pub fn stop(mut self) -> Vec<LogRecord> {
        self.end();
        self.caller.logs.all()
    }

    fn end(&mut self) {
        let Some(supervisor) = self.supervisor.take() else {
            return;
        };
        // A supervisor that has ended by itself left no process.
        drop(self.caller.orders.send(Order::Stop));
        drop(supervisor.join());
    }

    fn wait_error(&self, waited: Duration) -> WaitError {
        WaitError {
            waited,
            state: self.state(),
            logs: self.logs(),
        }
    }
}

impl Drop for FunctionsHost {
    fn drop(&mut self) {
        self.end();
    }
}

impl ManualRun {
    /// Waits for the end of the run, which the real host shows only in its log.
    pub async fn outcome(self) -> InvocationOutcome {
        self.task.await.unwrap_or_else(|error| {
            InvocationOutcome::Failed(FailureCause::NoHandler(error.to_string()))
        })
    }
}

impl Builder {
    /// Starts this file instead of the one in the app's folder.
    pub fn executable(mut self, path: impl AsRef<Path>) -> Self {
        self.executable = Some(path.as_ref().to_owned());
        self
    }

    /// Adds an app setting.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.set(name.into(), value.into());
        self
    }

    /// Forgets all settings so far, and inherits nothing from this process.
    pub fn clear_env(mut self) -> Self {
        self.settings.clear();
        self
    }

    /// Chooses what an empty answer does.
    pub fn hang_mode(mut self, mode: HangMode) -> Self {
        self.hang_mode = mode;
        self
    }

    /// Changes the two seconds between a timeout and the kill.
    pub fn timeout_grace(mut self, grace: Duration) -> Self {
        self.timeout_grace = grace;
        self
    }

    /// Changes how often a ready handler is pinged.
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.ping_interval = interval;
        self
    }

    /// Changes the half hour after which errors are forgotten.
    pub fn error_window(mut self, window: Duration) -> Self {
        self.error_window = window;
        self
    }

    /// Starts the host and returns once the handler answered.
    ///
    /// # Errors
    ///
    /// As [`Builder::launch`], and when the handler is not ready in time.
    pub async fn start(self) -> Result<FunctionsHost, HostError> {
        let host = self.launch()?;
        let app = host.app();
        // Enough for every restart that the host allows.
        let limit = app.initialization_timeout * 4;
        host.wait_for_state(HandlerState::is_ready, limit)
            .await
            .map_err(|error| HostError::NotReady(Box::new(error)))?;
        Ok(host)
    }

    /// Starts the host and does not wait for the handler.
    ///
    /// # Errors
    ///
    /// When the app breaks a rule, or the emulator lacks a port or a thread.
    pub fn launch(self) -> Result<FunctionsHost, HostError> {
        let app = App::read(&self.directory, &self.settings, self.executable.as_deref())?;
        let app = Arc::new(app);
        let reservation = PortReservation::new()?;
        let port = reservation.port()?;
        let host_id = format!("{:08x}-{port:04x}-4000-8000-00000000", std::process::id());
        let logs = LogBook::new();
        let (state, watched) = watch::channel(HandlerState::Starting { starts: 0 });
        let (orders, received) = mpsc::unbounded_channel();
        let launch = Launch {
            app: Arc::clone(&app),
            environment: self.settings.all(),
            port,
            host_id: host_id.clone(),
            ping_interval: self.ping_interval,
            error_window: self.error_window,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        let supervised = process::supervise(launch, state, logs.clone(), received);
        let supervisor = thread::Builder::new()
            .name("functions-host".to_owned())
            .spawn(move || runtime.block_on(supervised))?;
        Ok(FunctionsHost {
            caller: Arc::new(Caller {
                app,
                port,
                host_id,
                logs,
                state: watched,
                orders,
                timeout_grace: self.timeout_grace,
                hang_mode: self.hang_mode,
                timer_lock: Mutex::new(()),
                count: AtomicU64::new(1),
            }),
            runtime: handle,
            supervisor: Some(supervisor),
            _port: reservation,
        })
    }
}
