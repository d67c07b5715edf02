//! The answers of Spark's REST API, as far as they are read.
//!
//! Wire structs only, without judgement: `spark` (the client) fills them, the
//! judges of this folder read them. Spark leaves out what has no value, and
//! adds fields from version to version, so only what a judge can't do without
//! is required, and unknown fields are ignored.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::signals::Why;
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
    /// Milliseconds; -1 where Spark has no time.
    pub start_time_epoch: Option<i64>,
    pub completed: Option<bool>,
}

/// The one application that runs on the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveApplication {
    /// Letters, digits, `-` and `_` only, so that it can stand in a path.
    pub id: String,
    pub started: Timestamp,
}

/// An item of `/applications/{id}/jobs`. Its counts of tasks are not read: they
/// were seen at 0 while a task ran.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    pub job_id: i64,
    pub status: String,
    pub description: Option<String>,
    pub submission_time: Option<String>,
    /// Absent while it runs.
    pub completion_time: Option<String>,
}

/// An item of `/applications/{id}/stages`. Its counts of tasks are not read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SparkStage {
    pub stage_id: i64,
    pub status: String,
    pub submission_time: Option<String>,
}

/// An item of `/applications/{id}/sql`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SqlExecution {
    pub id: i64,
    pub status: String,
    pub description: Option<String>,
    /// Empty unless it was asked for.
    #[serde(default)]
    pub plan_description: String,
    pub submission_time: Option<String>,
    /// Milliseconds; there is no time of completion.
    pub duration: Option<i64>,
    #[serde(default)]
    pub success_job_ids: Vec<i64>,
    #[serde(default)]
    pub failed_job_ids: Vec<i64>,
    /// Empty unless details were asked for.
    #[serde(default)]
    nodes: Vec<IgnoredAny>,
}

impl SqlExecution {
    /// Whether it carries what the question switched off.
    pub(super) fn has_details(&self) -> bool {
        !self.plan_description.is_empty() || !self.nodes.is_empty()
    }
}

/// An item of `/applications/{id}/executors/driver/threads`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Thread {
    pub thread_name: String,
    pub stack_trace: StackTrace,
}

/// The frames of a thread, the innermost first: an object in Spark 3.5 and 4.0.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum StackTrace {
    Elems { elems: Vec<String> },
    Frames(Vec<String>),
}

impl StackTrace {
    /// The frames, the innermost first.
    #[must_use]
    pub fn frames(&self) -> &[String] {
        match self {
            Self::Elems { elems } => elems,
            Self::Frames(frames) => frames,
        }
    }
}

/// What the driver answered of its work, as far as it was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct SparkAnswers {
    pub application: LiveApplication,
    /// All that Spark retains.
    pub jobs: Vec<Job>,
    /// The active ones.
    pub stages: Vec<SparkStage>,
    /// All that Spark retains.
    pub sql: Vec<SqlExecution>,
    /// The first call that gave no usable answer; none was made after it.
    pub cut_short: Option<Why>,
}

/// Where the driver's UI lives behind the driver proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UiAddress {
    /// Host of the workspace.
    pub host: String,
    pub org_id: String,
    pub cluster: String,
    pub port: String,
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
