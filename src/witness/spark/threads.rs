//! What the threads of a driver tell: a command that is being executed, and a
//! stream that lives.
//!
//! Pure, and one-sided: a thread that is recognised keeps a cluster, and one
//! that is not says nothing, because nobody has recorded yet what the threads
//! of an idle Databricks driver look like. So no absence is concluded here.

use super::answers::Thread;
use super::shown;
use crate::signals::{Signal, Why};

/// Where Databricks' classes that run commands live.
const DRIVER_PACKAGE: &str = "com.databricks.backend.daemon.driver.";

/// How the thread of a structured streaming query is called for as long as the
/// query lives, data or not (Spark 2.0 to 4.1, `StreamExecution`). Public tools
/// look for the same name on Databricks.
const QUERY_THREAD: &str = "stream execution thread for ";

/// How the timer of a `DStream` context is called (`JobGenerator`, `RecurringTimer`).
const DSTREAM_THREAD: &str = "RecurringTimer - JobGenerator";

/// The thread that executes a command, if one does; `Known(None)` says nothing.
#[must_use]
pub fn running_command(threads: &Result<Vec<Thread>, Why>) -> Signal<Option<String>> {
    let threads = match threads {
        Ok(threads) => threads,
        Err(why) => return Signal::Unknown(why.clone()),
    };
    if threads.is_empty() {
        return Signal::unknown("the driver's thread dump is empty");
    }
    let executing = threads.iter().find(|thread| {
        let mut frames = thread.stack_trace.frames().iter();
        frames.any(|frame| executes_command(frame))
    });
    Signal::Known(executing.map(|thread| shown(&thread.thread_name)))
}

/// Whether one of `threads` is that of a live stream.
#[must_use]
pub fn stream_lives(threads: &[Thread]) -> bool {
    threads.iter().any(|thread| {
        let name = thread.thread_name.trim();
        name.starts_with(QUERY_THREAD) || name == DSTREAM_THREAD
    })
}

/// Whether a frame such as `app//com.databricks.….PythonDriverLocal.execute(X.scala:1)`
/// is a driver's `execute`.
fn executes_command(frame: &str) -> bool {
    let call = frame.split('(').next().unwrap_or_default();
    let call = call.rsplit('/').next().unwrap_or_default().trim();
    let call = call.strip_prefix("at ").unwrap_or(call);
    let Some((class, method)) = call.rsplit_once('.') else {
        return false;
    };
    class
        .strip_prefix(DRIVER_PACKAGE)
        .is_some_and(|name| name.contains("DriverLocal") && method.starts_with("execute"))
}

#[cfg(test)]
mod tests;
