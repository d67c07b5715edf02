//! What can go wrong with the emulated host itself: an app that it would not
//! run, a handler that never gets ready, an event that does not come.
//!
//! How an invocation ends is no error of the host; see `response.rs`. These are
//! written for whoever reads a failed test, so a wait that failed shows the
//! whole log.

use std::fmt;
use std::io;
use std::time::Duration;

use super::app::AppError;
use super::logs::LogRecord;
use super::process::HandlerState;

/// Why a host could not be started.
#[derive(Debug)]
pub enum HostError {
    /// The app is not one that the host would run whole.
    App(AppError),
    /// No port, thread or runtime for the emulator itself.
    Emulator(io::Error),
    /// The handler gave no first answer.
    NotReady(Box<WaitError>),
}

/// Something that was waited for did not happen.
#[derive(Debug)]
pub struct WaitError {
    /// How long it was waited for.
    pub waited: Duration,
    /// The handler's state at the end.
    pub state: HandlerState,
    /// The host's log at the end.
    pub logs: Vec<LogRecord>,
}

impl From<AppError> for HostError {
    fn from(error: AppError) -> Self {
        Self::App(error)
    }
}

impl From<io::Error> for HostError {
    fn from(error: io::Error) -> Self {
        Self::Emulator(error)
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::App(error) => write!(f, "the host would not run this app: {error}"),
            Self::Emulator(error) => write!(f, "the host emulator cannot start: {error}"),
            Self::NotReady(error) => write!(f, "the handler is not ready: {error}"),
        }
    }
}

impl std::error::Error for HostError {}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "nothing came within {:?}; the handler is {:?}; the log:",
            self.waited, self.state
        )?;
        for record in &self.logs {
            let LogRecord {
                level,
                text,
                stream,
                sink: _,
                has_ansi: _,
                invocation_id: _,
            } = record;
            write!(f, "\n  {stream:?} {level:?} {text}")?;
        }
        Ok(())
    }
}

impl std::error::Error for WaitError {}
