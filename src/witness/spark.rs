//! What the answers of Spark on the driver mean: what works, and since when
//! nothing does.
//!
//! Pure: answers and `now` come in, signals come out; `spark` fetches the
//! answers. Beside this, `history` reads what has ended, `streaming` the page of
//! streams, `threads` the driver's threads. The status of a job, stage or SQL
//! execution decides, never its counts of tasks, which were seen at 0 while a
//! task ran. Work that is seen counts even where the rest is not understood;
//! quiet needs every answer, understood in full.

mod answers;
mod history;
mod listing;
mod streaming;
mod threads;

use std::time::Duration;

use self::history::History;

pub use self::answers::{
    Application, Attempt, Environment, Job, LiveApplication, SparkAnswers, SparkStage,
    SqlExecution, StackTrace, StreamingPage, Thread, UiAddress,
};
pub use self::listing::{SQL_PAGE, SqlListing};
pub use self::streaming::{never_any, streaming};
pub use self::threads::{running_command, stream_lives};

use super::{refuse, shown};
use crate::signals::{Signal, SparkView, SparkWork, SparkWorkKind, Why};
use crate::timestamp::Timestamp;

/// A time this little ahead of ours is a clock's error and counts as now.
pub const CLOCK_TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// Rows that Spark answers for `sql` when the number is not asked for, the oldest ones.
const SQL_DEFAULT_ROWS: usize = 20;

/// Longest id of an application that is taken into a path.
const MAX_ID_CHARS: usize = 128;

/// The application that runs: the only attempt that is not completed.
///
/// # Errors
/// None or several are live, the id could not stand in a path, or the start is unreadable.
pub fn live_application(answer: &[Application]) -> Result<LiveApplication, Why> {
    let mut live = None;
    for application in answer {
        for attempt in &application.attempts {
            match attempt.completed {
                Some(true) => {}
                Some(false) if live.is_none() => live = Some((application, attempt)),
                Some(false) => return refuse("several Spark applications are live"),
                None => return refuse("a Spark application does not say whether it is live"),
            }
        }
    }
    let Some((application, attempt)) = live else {
        return refuse("no Spark application is live");
    };
    let id = &application.id;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if id.is_empty() || id.len() > MAX_ID_CHARS || !id.chars().all(is_plain) {
        return refuse("the Spark application's id is no id");
    }
    let epoch = attempt.start_time_epoch.filter(|millis| *millis > 0);
    let text = attempt.start_time.as_deref();
    let started = epoch
        .map(Timestamp::from_millis)
        .max(text.and_then(Timestamp::parse_spark));
    match started {
        Some(started) => Ok(LiveApplication {
            id: id.clone(),
            started,
        }),
        None => refuse("the Spark application's start is unreadable"),
    }
}

/// What the driver's work says; Unknown when the look failed as a whole.
#[must_use]
pub fn judge(answers: &Result<SparkAnswers, Why>, now: Timestamp) -> Signal<SparkView> {
    let view = match answers {
        Ok(answers) => match work(answers, now) {
            Some(work) => Ok(busy_view(answers, work, now)),
            None => quiet_view(answers, now),
        },
        Err(why) => Err(why.clone()),
    };
    match view {
        Ok(view) => Signal::Known(view),
        Err(why) => Signal::Unknown(why),
    }
}

/// Whether one of `jobs` runs, so that no further answer could make Spark quiet.
#[must_use]
pub fn runs_a_job(jobs: &[Job]) -> bool {
    jobs.iter().any(Job::runs)
}

/// The same of stages.
#[must_use]
pub fn runs_a_stage(stages: &[SparkStage]) -> bool {
    stages.iter().any(SparkStage::runs)
}

/// The same of SQL executions.
#[must_use]
pub fn runs_sql(executions: &[SqlExecution]) -> bool {
    executions.iter().any(SqlExecution::runs)
}

/// The first kind of work in progress, and the oldest of that kind.
fn work(answers: &SparkAnswers, now: Timestamp) -> Option<SparkWork> {
    let jobs = answers.jobs.iter().filter(|job| job.runs());
    let jobs = jobs.map(|job| (job.job_id, job.submission_time.as_deref()));
    let stages = answers.stages.iter().filter(|stage| stage.runs());
    let stages = stages.map(|stage| (stage.stage_id, stage.submission_time.as_deref()));
    let sql = answers.sql.iter().filter(|row| row.runs());
    let sql = sql.map(|row| (row.id, row.submission_time.as_deref()));
    oldest(SparkWorkKind::Job, "job", jobs, now)
        .or_else(|| oldest(SparkWorkKind::Stage, "stage", stages, now))
        .or_else(|| oldest(SparkWorkKind::Sql, "SQL execution", sql, now))
}

fn oldest<'a>(
    kind: SparkWorkKind,
    word: &str,
    running: impl Iterator<Item = (i64, Option<&'a str>)>,
    now: Timestamp,
) -> Option<SparkWork> {
    let dated = running.map(|(id, submitted)| {
        let since = submitted.and_then(Timestamp::parse_spark);
        (since.map(|since| since.min(now)), id)
    });
    let (since, id) = dated.min_by_key(|(since, id)| (since.is_none(), *since, *id))?;
    Some(SparkWork {
        kind,
        label: format!("{word} {id}"),
        since,
    })
}

fn busy_view(answers: &SparkAnswers, work: SparkWork, now: Timestamp) -> SparkView {
    let history = History::of(answers, now).unwrap_or_default();
    SparkView {
        application_started: answers.application.started.min(now),
        busy: Some(work),
        last_completion: history.last_completion,
        ran_a_job: ran_a_job(answers),
        last_stream_batch: history.last_stream_batch,
        forgotten_until: history.forgotten_until,
    }
}

fn quiet_view(answers: &SparkAnswers, now: Timestamp) -> Result<SparkView, Why> {
    if let Some(why) = &answers.cut_short {
        return Err(why.clone());
    }
    refuse_unknown_statuses(answers)?;
    // One client saw the driver proxy drop parameters. Without them the newest executions may be missing.
    let may_be_cut = answers.sql.len() >= SQL_DEFAULT_ROWS;
    if may_be_cut && answers.sql.iter().any(SqlExecution::has_details) {
        return refuse("the SQL executions were not listed in full");
    }
    let Some(application_started) = settled(answers.application.started, now) else {
        return refuse("the Spark application's start lies ahead of now");
    };
    if answers.jobs.is_empty() && ran_a_job(answers) {
        return refuse("Spark keeps none of its finished jobs");
    }
    let history = History::of(answers, now)?;
    Ok(SparkView {
        application_started,
        busy: None,
        last_completion: history.last_completion,
        ran_a_job: ran_a_job(answers),
        last_stream_batch: history.last_stream_batch,
        forgotten_until: history.forgotten_until,
    })
}

fn refuse_unknown_statuses(answers: &SparkAnswers) -> Result<(), Why> {
    let jobs = answers.jobs.iter().map(|job| ("job", &job.status));
    let stages = answers.stages.iter().map(|stage| ("stage", &stage.status));
    let sql = answers.sql.iter().map(|row| ("SQL execution", &row.status));
    for (word, status) in jobs.chain(stages).chain(sql) {
        let known: &[&str] = match word {
            "job" => &["SUCCEEDED", "FAILED"],
            "stage" => &["PENDING", "COMPLETE", "FAILED", "SKIPPED"],
            _ => &["COMPLETED", "FAILED"],
        };
        if !known.contains(&status.as_str()) {
            let status = shown(status);
            return refuse(format!("a Spark {word} has the status {status}"));
        }
    }
    Ok(())
}

fn ran_a_job(answers: &SparkAnswers) -> bool {
    let mut sql = answers.sql.iter();
    let sql_had_jobs = sql.any(SqlExecution::had_jobs);
    !answers.jobs.is_empty() || sql_had_jobs
}

/// A time a little ahead counts as now; `None` for one further ahead.
fn settled(time: Timestamp, now: Timestamp) -> Option<Timestamp> {
    (time <= now.plus(CLOCK_TOLERANCE)).then(|| time.min(now))
}

#[cfg(test)]
mod tests;
