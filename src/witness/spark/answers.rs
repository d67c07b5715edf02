//! The answers of Spark's REST API, as far as they are read.
//!
//! Wire structs only, without judgement: `spark` (the client) fills them, the
//! judges of this folder read them. Spark leaves out what has no value, and
//! adds fields from version to version, so only what a judge can't do without
//! is required, and unknown fields are ignored.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::history::is_stream_batch;
use crate::signals::Why;
use crate::timestamp::Timestamp;

/// An item of `/applications`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Application {
    pub id: String,
    #[serde(default, deserialize_with = "default_if_null")]
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

impl Job {
    pub(super) fn runs(&self) -> bool {
        self.status == "RUNNING"
    }
}

/// An item of `/applications/{id}/stages`. Its counts of tasks are not read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SparkStage {
    pub stage_id: i64,
    pub status: String,
    pub submission_time: Option<String>,
}

impl SparkStage {
    pub(super) fn runs(&self) -> bool {
        self.status == "ACTIVE"
    }
}

/// An item of `/applications/{id}/sql`. There can be ten thousand, and their texts
/// are the users': of what may be long, only what is asked of it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SqlExecution {
    pub id: i64,
    #[serde(deserialize_with = "word")]
    pub status: String,
    /// Whether its description is that of a batch of a structured stream.
    #[serde(
        default,
        rename = "description",
        deserialize_with = "describes_stream_batch"
    )]
    pub is_stream_batch: bool,
    /// The plan, which comes only if it was asked for.
    #[serde(default, rename = "planDescription", deserialize_with = "has_text")]
    has_plan: bool,
    #[serde(default, deserialize_with = "optional_word")]
    pub submission_time: Option<String>,
    /// Milliseconds until its end, or until now; there is no time of completion.
    pub duration: Option<i64>,
    #[serde(default, rename = "runningJobIds", deserialize_with = "has_items")]
    has_running_jobs: bool,
    #[serde(default, rename = "successJobIds", deserialize_with = "has_items")]
    has_good_jobs: bool,
    #[serde(default, rename = "failedJobIds", deserialize_with = "has_items")]
    has_failed_jobs: bool,
    /// The plan's nodes, which come only if details were asked for.
    #[serde(default, rename = "nodes", deserialize_with = "has_items")]
    has_nodes: bool,
}

impl SqlExecution {
    /// By its own word, or because a job of it runs: the word of some versions
    /// is that of its jobs so far.
    pub(super) fn runs(&self) -> bool {
        self.status == "RUNNING" || self.has_running_jobs
    }

    /// Whether a job of it has ended.
    pub(super) fn had_jobs(&self) -> bool {
        self.has_good_jobs || self.has_failed_jobs
    }

    /// Whether it carries what the question switched off.
    pub(super) fn has_details(&self) -> bool {
        self.has_plan || self.has_nodes
    }
}

/// More characters than any status or time of Spark has; what is longer is neither.
const WORD_CHARS: usize = 64;

fn cut(word: &str) -> String {
    word.chars().take(WORD_CHARS).collect()
}

fn word<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    String::deserialize(from).map(|word| cut(&word))
}

fn optional_word<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let word: Option<String> = Option::deserialize(from)?;
    Ok(word.as_deref().map(cut))
}

fn has_text<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    let text: String = default_if_null(from)?;
    Ok(!text.is_empty())
}

fn describes_stream_batch<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    let text: String = default_if_null(from)?;
    Ok(is_stream_batch(&text))
}

fn has_items<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    let items: Vec<IgnoredAny> = default_if_null(from)?;
    Ok(!items.is_empty())
}

/// `null` where a value is left out otherwise.
fn default_if_null<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// The only thing that is read of `/applications/{id}/environment`. The rest is
/// the users' configuration, in which there may be secrets: it is dropped here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Environment {
    /// Whether the page of streaming queries exists; `None` when that can't be told.
    pub shows_streams: Option<bool>,
}

/// The setting that takes the page of streaming queries away.
const STREAMING_UI: &str = "spark.sql.streaming.ui.enabled";

impl<'de> Deserialize<'de> for Environment {
    /// The settings are taken as they come, because an error would quote them.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            #[serde(default)]
            spark_properties: Value,
        }
        let answer = Answer::deserialize(from)?;
        let rows = answer.spark_properties.as_array();
        let shows_streams = rows.filter(|rows| !rows.is_empty()).and_then(|rows| {
            let pairs: Option<Vec<_>> = rows.iter().map(property).collect();
            let mut set = pairs?.into_iter().filter(|(key, _)| *key == STREAMING_UI);
            // On is Spark's own default.
            set.try_fold(true, |on, (_, value)| {
                let value: bool = value.trim().to_ascii_lowercase().parse().ok()?;
                Some(on && value)
            })
        });
        Ok(Self { shows_streams })
    }
}

/// A pair of key and value.
fn property(row: &Value) -> Option<(&str, &str)> {
    match row.as_array()?.as_slice() {
        [key, value] => Some((key.as_str()?, value.as_str()?)),
        _ => None,
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
    /// All that Spark retains; where work was seen, at least that.
    pub jobs: Vec<Job>,
    /// The active ones.
    pub stages: Vec<SparkStage>,
    /// All that Spark retains; where work was seen, at least that.
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

#[cfg(test)]
mod tests;
