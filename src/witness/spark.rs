//! What the answers of Spark on the driver mean: its work and its threads.
//!
//! Pure: answers and `now` come in, signals come out; `spark` fetches the
//! answers, and `streaming` beside this judges the streaming page. The status
//! of a job, stage or SQL execution decides, never its counts of tasks, which
//! were seen at 0 while a task ran. Work that is seen counts even where the
//! rest is not understood; quiet needs every answer, understood in full.

mod answers;
mod streaming;

use std::time::Duration;

pub use self::answers::{
    Application, Attempt, Job, LiveApplication, SparkAnswers, SparkStage, SqlExecution, StackTrace,
    StreamingPage, Thread, UiAddress,
};
pub use self::streaming::streaming;

use super::{refuse, shown};
use crate::signals::{Signal, SparkView, SparkWork, SparkWorkKind, Why};
use crate::timestamp::Timestamp;

/// A time this little ahead of ours is a clock's error and counts as now.
pub const CLOCK_TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// Rows that Spark answers for `sql` when the number is not asked for, the oldest ones.
const SQL_DEFAULT_ROWS: usize = 20;

/// Longest id of an application that is taken into a path.
const MAX_ID_CHARS: usize = 128;

/// Where Databricks' classes that run commands live.
const DRIVER_PACKAGE: &str = "com.databricks.backend.daemon.driver.";

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
pub fn has_running_job(jobs: &[Job]) -> bool {
    jobs.iter().any(|job| job.status == "RUNNING")
}

/// The thread that executes a command, if one does; `Known(None)` says nothing,
/// because nobody has recorded yet what an idle driver's threads look like.
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

/// The first kind of work in progress, and the oldest of that kind.
fn work(answers: &SparkAnswers, now: Timestamp) -> Option<SparkWork> {
    let jobs = answers.jobs.iter().filter(|job| job.status == "RUNNING");
    let jobs = jobs.map(|job| (job.job_id, job.submission_time.as_deref()));
    let stages = answers
        .stages
        .iter()
        .filter(|stage| stage.status == "ACTIVE");
    let stages = stages.map(|stage| (stage.stage_id, stage.submission_time.as_deref()));
    let sql = answers.sql.iter().filter(|row| row.status == "RUNNING");
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
    let ends = Ends::of(answers, now).unwrap_or_default();
    SparkView {
        application_started: answers.application.started.min(now),
        busy: Some(work),
        last_completion: ends.last,
        ran_a_job: ran_a_job(answers),
        last_stream_batch: ends.last_stream,
    }
}

fn quiet_view(answers: &SparkAnswers, now: Timestamp) -> Result<SparkView, Why> {
    if let Some(why) = &answers.cut_short {
        return Err(why.clone());
    }
    refuse_unknown_statuses(answers)?;
    // One client saw the driver proxy drop query parameters. Without them the newest executions are missing.
    let is_default_length = answers.sql.len() == SQL_DEFAULT_ROWS;
    if is_default_length && answers.sql.iter().any(SqlExecution::has_details) {
        return refuse("the SQL executions were not listed in full");
    }
    let Some(application_started) = settled(answers.application.started, now) else {
        return refuse("the Spark application's start lies ahead of now");
    };
    let ends = Ends::of(answers, now)?;
    Ok(SparkView {
        application_started,
        busy: None,
        last_completion: ends.last,
        ran_a_job: ran_a_job(answers),
        last_stream_batch: ends.last_stream,
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
    let sql_had_jobs =
        sql.any(|row| !row.success_job_ids.is_empty() || !row.failed_job_ids.is_empty());
    !answers.jobs.is_empty() || sql_had_jobs
}

/// The latest instants of work that the retained jobs and SQL executions tell of.
#[derive(Debug, Clone, Copy, Default)]
struct Ends {
    last: Option<Timestamp>,
    last_stream: Option<Timestamp>,
}

impl Ends {
    fn of(answers: &SparkAnswers, now: Timestamp) -> Result<Self, Why> {
        let mut ends = Self::default();
        for job in &answers.jobs {
            let submitted = read_time(job.submission_time.as_deref(), now)?;
            let completed = read_time(job.completion_time.as_deref(), now)?;
            let end = completed.max(submitted);
            let Some(end) = end else {
                return refuse(format!("job {} has no time", job.job_id));
            };
            ends.add(end, job.description.as_deref());
        }
        for row in &answers.sql {
            let submitted = row.submission_time.as_deref().map(Timestamp::parse_spark);
            let Some(Some(submitted)) = submitted else {
                return refuse(format!("SQL execution {} has no readable time", row.id));
            };
            let Ok(duration) = u64::try_from(row.duration.unwrap_or(0)) else {
                return refuse(format!("SQL execution {} ended before its start", row.id));
            };
            let end = submitted.plus(Duration::from_millis(duration));
            let Some(end) = settled(end, now) else {
                return refuse("a time of Spark lies ahead of now");
            };
            ends.add(end, row.description.as_deref());
        }
        Ok(ends)
    }

    fn add(&mut self, end: Timestamp, description: Option<&str>) {
        self.last = self.last.max(Some(end));
        if description.is_some_and(is_stream_batch) {
            self.last_stream = self.last_stream.max(Some(end));
        }
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

/// A time a little ahead counts as now; `None` for one further ahead.
fn settled(time: Timestamp, now: Timestamp) -> Option<Timestamp> {
    (time <= now.plus(CLOCK_TOLERANCE)).then(|| time.min(now))
}

/// Whether `description` holds the lines that Spark gives to a batch of a
/// structured stream: `id = <uuid>`, `runId = <uuid>`, `batch = <number>` or
/// `init`, anywhere in it, the query's name before them or not.
fn is_stream_batch(description: &str) -> bool {
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
