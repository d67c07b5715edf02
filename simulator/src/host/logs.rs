//! What the host makes of the handler's output: one record per line, its level
//! decided by stream and text, kept in order and readable while the handler runs.
//!
//! The mapping is a pure function. This file reads no pipe and never looks at
//! what a line means; `process.rs` feeds it the lines, `invoke.rs` the `Logs`
//! of an answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

const SYSTEM_PREFIX: &str = "LanguageWorkerConsoleLog";
const TOOLING_PREFIX: &str = "azfuncjsonlog:";

/// The level under which the host records a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// All of stdout, and every entry of an answer's `Logs`.
    Information,
    /// A stderr line that contains `warn` in any case.
    Warning,
    /// Every other stderr line.
    Error,
}

/// Where a record came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogStream {
    /// The handler's standard output.
    Stdout,
    /// The handler's standard error.
    Stderr,
    /// The `Logs` of an invocation's answer.
    Answer,
    /// The host itself.
    Host,
}

/// Whom a record reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogSink {
    /// The operator's logs.
    Operator,
    /// The platform's own log: the operator never sees the line.
    System,
    /// Development tools.
    Tooling,
}

/// One record of the host's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    /// The level that the host gave it.
    pub level: LogLevel,
    /// The line, without its line break and without a system prefix.
    pub text: String,
    /// Where it came from.
    pub stream: LogStream,
    /// Whom it reaches.
    pub sink: LogSink,
    /// Whether it holds terminal control sequences, which no log viewer shows.
    pub has_ansi: bool,
    /// The invocation, for a line of an answer's `Logs`; the host does not know
    /// it for a line of stdout or stderr.
    pub invocation_id: Option<String>,
}

/// Makes the record of one line of the handler's output.
///
/// `stderr_is_error` is `useStdErrorStreamForErrorsOnly` of `host.json`.
#[must_use]
pub fn read_line(stream: LogStream, line: &str, stderr_is_error: bool) -> LogRecord {
    let (sink, text) = if line.starts_with(SYSTEM_PREFIX) {
        (LogSink::System, line.replace(SYSTEM_PREFIX, ""))
    } else if line.starts_with(TOOLING_PREFIX) {
        (LogSink::Tooling, line.to_owned())
    } else {
        (LogSink::Operator, line.to_owned())
    };
    LogRecord {
        level: level_of(stream, line, stderr_is_error),
        has_ansi: line.contains('\u{1b}'),
        text,
        stream,
        sink,
        invocation_id: None,
    }
}

fn level_of(stream: LogStream, line: &str, stderr_is_error: bool) -> LogLevel {
    match stream {
        LogStream::Stdout | LogStream::Answer | LogStream::Host => LogLevel::Information,
        LogStream::Stderr => {
            let lower = line.to_lowercase();
            let names_an_error = ["error", "fail", "severe", "unhandled exception"]
                .iter()
                .any(|word| lower.contains(word));
            if lower.contains("warn") {
                LogLevel::Warning
            } else if stderr_is_error || names_an_error {
                LogLevel::Error
            } else {
                LogLevel::Information
            }
        }
    }
}

/// The host's log, shared by everything that writes to it.
#[derive(Debug, Clone)]
pub(super) struct LogBook {
    records: Arc<Mutex<Vec<LogRecord>>>,
    written: watch::Sender<()>,
}

impl LogBook {
    pub(super) fn new() -> Self {
        Self {
            records: Arc::new(Mutex::new(Vec::new())),
            written: watch::Sender::new(()),
        }
    }

    pub(super) fn write(&self, record: LogRecord) {
        self.lock().push(record);
        self.written.send_replace(());
    }

    /// Records something that the host itself has to say.
    pub(super) fn note(&self, level: LogLevel, text: impl Into<String>) {
        self.write(LogRecord {
            level,
            text: text.into(),
            stream: LogStream::Host,
            sink: LogSink::Operator,
            has_ansi: false,
            invocation_id: None,
        });
    }

    pub(super) fn all(&self) -> Vec<LogRecord> {
        self.lock().clone()
    }

    /// The last three error lines of stderr, which the host shows as the text
    /// of the exception when a handler dies.
    pub(super) fn last_words(&self) -> String {
        let records = self.lock();
        let mut lines: Vec<&str> = records
            .iter()
            .rev()
            .filter(|record| record.stream == LogStream::Stderr && record.level == LogLevel::Error)
            .take(3)
            .map(|record| record.text.as_str())
            .collect();
        lines.reverse();
        lines.join("\n")
    }

    /// Waits, without limit, for a record that satisfies the predicate; those
    /// already written count.
    pub(super) async fn wait_for(&self, predicate: impl Fn(&LogRecord) -> bool) -> LogRecord {
        let mut written = self.written.subscribe();
        let mut seen = 0;
        loop {
            written.mark_unchanged();
            {
                let records = self.lock();
                if let Some(record) = records[seen..].iter().find(|record| predicate(record)) {
                    return record.clone();
                }
                seen = records.len();
            }
            if written.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<LogRecord>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stdout_is_information_whatever_it_says() {
        for line in ["ERROR no", r#"{"level":"ERROR"}"#, "warning"] {
            let record = read_line(LogStream::Stdout, line, true);
            assert_eq!(record.level, LogLevel::Information, "{line}");
        }
    }

    #[test]
    fn stderr_is_an_error_unless_it_says_warn_in_any_case() {
        let level = |line| read_line(LogStream::Stderr, line, true).level;
        assert_eq!(level("hello"), LogLevel::Error);
        assert_eq!(level("INFO hello"), LogLevel::Error);
        assert_eq!(level("WARN hello"), LogLevel::Warning);
        assert_eq!(level("error: forewarned"), LogLevel::Warning);
    }

    #[test]
    fn stderr_is_information_where_the_app_says_that_it_is_not_for_errors_only() {
        let level = |line| read_line(LogStream::Stderr, line, false).level;
        assert_eq!(level("hello"), LogLevel::Information);
        assert_eq!(level("it Failed"), LogLevel::Error);
        assert_eq!(level("Unhandled Exception: x"), LogLevel::Error);
        assert_eq!(level("a warning about an error"), LogLevel::Warning);
    }

    #[test]
    fn the_two_prefixes_lead_a_line_away_from_the_operator() {
        let system = read_line(
            LogStream::Stdout,
            "LanguageWorkerConsoleLog a LanguageWorkerConsoleLogb",
            true,
        );
        assert_eq!(
            (system.sink, system.text.as_str()),
            (LogSink::System, " a b")
        );
        let tooling = read_line(LogStream::Stdout, "azfuncjsonlog:{}", true);
        assert_eq!(tooling.sink, LogSink::Tooling);
        let inside = read_line(LogStream::Stdout, "x LanguageWorkerConsoleLog", true);
        assert_eq!(inside.sink, LogSink::Operator);
    }

    #[test]
    fn terminal_colours_are_flagged() {
        assert!(read_line(LogStream::Stdout, "\u{1b}[31mred", true).has_ansi);
        assert!(!read_line(LogStream::Stdout, "[31mred", true).has_ansi);
    }

    #[test]
    fn the_last_words_are_the_last_three_error_lines_in_order() {
        let book = LogBook::new();
        for line in ["one", "two", "warn", "three", "four"] {
            book.write(read_line(LogStream::Stderr, line, true));
        }
        book.write(read_line(LogStream::Stdout, "five", true));
        assert_eq!(book.last_words(), "two\nthree\nfour");
    }
}
