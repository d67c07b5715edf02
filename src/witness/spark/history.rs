//! What the finished work that Spark still lists tells of the past, and how
//! much of the past that is.
//!
//! Pure. Spark keeps a number of finished jobs and SQL executions and forgets
//! those first that ended first (`AppStatusListener.cleanupJobs`,
//! `SQLAppStatusListener.cleanupExecutions`). So the latest end is among what it
//! keeps, and whatever it forgot had ended before all that it keeps. Ids count
//! up from 0: a list that lacks one of them is not the whole history. A driver
//! that is told to keep nothing looks as if it had never worked; its machines
//! tell otherwise, and where no job has run Spark alone is too weak by default.

use std::time::Duration;

use super::answers::{Job, SparkAnswers, SqlExecution};
use super::{refuse, settled, shown};
use crate::signals::Why;
use crate::timestamp::Timestamp;

/// The instants that the retained jobs and SQL executions tell of.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct History {
    /// The latest end, or the latest submission of what has no end.
    pub(super) last_completion: Option<Timestamp>,
    /// The same of batches of a structured stream.
    pub(super) last_stream_batch: Option<Timestamp>,
    /// Until when work that is listed no more can have run; `None` if all is listed.
    pub(super) forgotten_until: Option<Timestamp>,
}

impl History {
    /// Reads every row; times a little ahead of `now` count as `now`.
    ///
    /// # Errors
    /// A row's time is missing, unreadable, or too far ahead.
    pub(super) fn of(answers: &SparkAnswers, now: Timestamp) -> Result<Self, Why> {
        let mut history = Self::default();
        let (mut jobs, mut executions) = (Listed::default(), Listed::default());
        for job in &answers.jobs {
            let end = end_of_job(job, now)?;
            jobs.add(job.job_id, end);
            history.add(end, job.description.as_deref().is_some_and(is_stream_batch));
        }
        for row in &answers.sql {
            let end = end_of_execution(row, now)?;
            executions.add(row.id, end);
            history.add(end, row.is_stream_batch);
        }
        history.forgotten_until = jobs.forgotten_until().max(executions.forgotten_until());
        Ok(history)
    }

    fn add(&mut self, end: Timestamp, is_stream_batch: bool) {
        self.last_completion = self.last_completion.max(Some(end));
        if is_stream_batch {
            self.last_stream_batch = self.last_stream_batch.max(Some(end));
        }
    }
}

/// One list, as far as its completeness goes.
#[derive(Debug, Clone, Copy, Default)]
struct Listed {
    rows: u64,
    highest_id: Option<i64>,
    earliest_end: Option<Timestamp>,
}

impl Listed {
    fn add(&mut self, id: i64, end: Timestamp) {
        self.rows = self.rows.saturating_add(1);
        self.highest_id = self.highest_id.max(Some(id));
        self.earliest_end = Some(self.earliest_end.map_or(end, |earliest| earliest.min(end)));
    }

    fn forgotten_until(&self) -> Option<Timestamp> {
        let given = self.highest_id.map(|id| id.saturating_add(1));
        let is_whole = given.and_then(|given| u64::try_from(given).ok()) == Some(self.rows);
        self.earliest_end.filter(|_| !is_whole)
    }
}

fn end_of_job(job: &Job, now: Timestamp) -> Result<Timestamp, Why> {
    let submitted = read_time(job.submission_time.as_deref(), now)?;
    let completed = read_time(job.completion_time.as_deref(), now)?;
    match completed.max(submitted) {
        Some(end) => Ok(end),
        None => refuse(format!("job {} has no time", job.job_id)),
    }
}

/// There is no time of completion. The duration of what goes on grows, so that
/// one which an old Spark calls completed while it is planned ends now.
fn end_of_execution(row: &SqlExecution, now: Timestamp) -> Result<Timestamp, Why> {
    let submitted = row.submission_time.as_deref().map(Timestamp::parse_spark);
    let Some(Some(submitted)) = submitted else {
        return refuse(format!("SQL execution {} has no readable time", row.id));
    };
    let Ok(duration) = u64::try_from(row.duration.unwrap_or(0)) else {
        return refuse(format!("SQL execution {} ended before its start", row.id));
    };
    match settled(submitted.plus(Duration::from_millis(duration)), now) {
        Some(end) => Ok(end),
        None => refuse("a time of Spark lies ahead of now"),
    }
}

fn read_time(text: Option<&str>, now: Timestamp) -> Result<Option<Timestamp>, Why> {
    let Some(text) = text else {
        return Ok(None);
    };
    let Some(time) = Timestamp::parse_spark(text) else {
        let text = shown(text);
        return refuse(format!("a time of Spark is unreadable: {text}"));
    };
    match settled(time, now) {
        Some(time) => Ok(Some(time)),
        None => refuse("a time of Spark lies ahead of now"),
    }
}

/// Whether `description` holds the lines that Spark gives to a batch of a
/// structured stream: `id = <uuid>`, `runId = <uuid>`, `batch = <number>` or
/// `init`, anywhere in it, the query's name before them or not.
pub(super) fn is_stream_batch(description: &str) -> bool {
    // Between the lines some versions of Spark write `<br/>`.
    let description = description.replace("<br/>", "\n");
    description.match_indices("id = ").any(|(at, found)| {
        let start = at.saturating_add(found.len());
        let rest = description.get(start..).unwrap_or_default();
        let batch = after_uuid(rest)
            .and_then(|rest| rest.strip_prefix("\nrunId = "))
            .and_then(after_uuid)
            .and_then(|rest| rest.strip_prefix("\nbatch = "));
        batch.is_some_and(|batch| {
            batch.starts_with("init") || batch.starts_with(|c: char| c.is_ascii_digit())
        })
    })
}

/// What follows a UUID at the start of `text`.
fn after_uuid(text: &str) -> Option<&str> {
    let (uuid, rest) = text.split_at_checked(36)?;
    let is_uuid = uuid.char_indices().all(|(at, c)| {
        if matches!(at, 8 | 13 | 18 | 23) {
            c == '-'
        } else {
            c.is_ascii_hexdigit()
        }
    });
    is_uuid.then_some(rest)
}

#[cfg(test)]
mod tests;
