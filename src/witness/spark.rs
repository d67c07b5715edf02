//! What the answers of Spark's REST API, streaming page and thread dump mean.

use serde::Deserialize;

use crate::signals::{Signal, SparkView, StreamingView, Why};
use crate::timestamp::Timestamp;

/// An item of `/applications`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Application {
    pub id: String,
    #[serde(default)]
    pub attempts: Vec<Attempt>,
}

/// One attempt of an application.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    pub start_time: Option<String>,
    pub start_time_epoch: Option<i64>,
    pub completed: Option<bool>,
}

/// The one application that runs on the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveApplication {
    pub id: String,
    pub started: Timestamp,
}

/// An item of `/applications/{id}/jobs`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    pub job_id: i64,
    pub status: String,
    pub description: Option<String>,
    pub submission_time: Option<String>,
    pub completion_time: Option<String>,
}

/// An item of `/applications/{id}/stages`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SparkStage {
    pub stage_id: i64,
    pub status: String,
    pub submission_time: Option<String>,
}

/// An item of `/applications/{id}/sql`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SqlExecution {
    pub id: i64,
    pub status: String,
    pub description: Option<String>,
    pub submission_time: Option<String>,
    /// Milliseconds.
    pub duration: Option<i64>,
}

/// An item of `/applications/{id}/executors/driver/threads`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Thread {
    pub thread_name: String,
    pub stack_trace: StackTrace,
}

/// The frames of a thread, the innermost first.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum StackTrace {
    Elems { elems: Vec<String> },
    Frames(Vec<String>),
}

/// What the driver answered of its work, as far as the client got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SparkAnswers {
    pub application: LiveApplication,
    pub jobs: Vec<Job>,
    pub stages: Vec<SparkStage>,
    pub sql: Vec<SqlExecution>,
    /// The first call that gave no usable answer; none was made after it.
    pub cut_short: Option<Why>,
}

/// Where the driver's UI lives behind the driver proxy, to recognise its redirects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UiAddress {
    /// Host of the workspace.
    pub host: String,
    pub org_id: String,
    pub cluster: String,
    pub port: u16,
}

/// What came from the address of the streaming page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamingPage {
    /// A 2xx answer of `text/html`.
    Html(String),
    /// A redirect, not followed: its `Location`.
    Redirect(String),
    /// Anything else.
    Unusable(Why),
}

/// The application that runs: the only attempt that is not completed.
///
/// # Errors
/// None or several are live, the id could not stand in a path, or the start is unreadable.
pub fn live_application(_answer: &[Application]) -> Result<LiveApplication, Why> {
    super::refuse("not judged")
}

/// What the driver's work says; Unknown when the look failed as a whole.
#[must_use]
pub fn judge(_answers: &Result<SparkAnswers, Why>, _now: Timestamp) -> Signal<SparkView> {
    Signal::unknown("not judged")
}

/// What the streaming page says. `stream_seen`: whether the jobs or SQL
/// executions show a batch of a stream, which contradicts "there was never one".
#[must_use]
pub fn streaming(
    _page: &StreamingPage,
    _ui: &UiAddress,
    _stream_seen: bool,
) -> Signal<StreamingView> {
    Signal::unknown("not judged")
}

/// The thread that executes a command, if one does; `Known(None)` says nothing.
#[must_use]
pub fn running_command(_threads: &Result<Vec<Thread>, Why>) -> Signal<Option<String>> {
    Signal::unknown("not judged")
}
