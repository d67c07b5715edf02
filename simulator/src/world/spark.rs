//! What a cluster's Spark driver knows: jobs, SQL executions, structured streams, threads.
//!
//! All moments are absolute in the world's time, so a job whose end lies ahead is running now and is
//! finished once the clock has passed it. Rendering is the `databricks::spark` module's affair.

use std::time::Duration;

use super::clock::Moment;
use super::upstream::Upstream;
use crate::encode;

/// The frames of a thread that every driver has, whatever it does.
const IDLE_FRAMES: [&str; 2] = [
    "java.base@17.0.12/jdk.internal.misc.Unsafe.park(Native Method)",
    "app//org.apache.spark.util.EventLoop$$anon$1.run(EventLoop.scala:43)",
];

/// A Spark application.
#[derive(Clone, Debug)]
pub struct Spark {
    /// `app-…`, or `local-…` on a single node.
    pub app_id: String,
    /// Its start; `None` is the cluster's.
    pub started: Option<Moment>,
    /// The version that it tells.
    pub version: String,
    /// Jobs in order of their ids.
    pub jobs: Vec<SparkJob>,
    /// SQL executions in order of their ids.
    pub sql: Vec<SqlExecution>,
    /// Structured streams that were ever started.
    pub streams: Vec<Stream>,
    /// Active stages without a running job, a shape that a client must not overlook.
    pub orphan_stages: u32,
    /// Stack frames of driver threads, outermost last, one list a thread.
    pub threads: Vec<Vec<String>>,
    /// `spark.ui.retainedJobs`: older finished jobs are forgotten.
    pub retained_jobs: usize,
    /// `spark.sql.ui.retainedExecutions`: older finished SQL executions are forgotten.
    pub retained_executions: usize,
    /// How the page of streaming queries answers.
    pub streaming_page: StreamingPage,
    /// A real Spark UI that answers instead of all of this.
    pub upstream: Option<Upstream>,
    /// Whether the thread of a live stream has the name that Apache Spark gives it.
    pub stream_threads: bool,
    /// Settings beyond the usual ones, key and value.
    pub conf: Vec<(String, String)>,
    /// Whether the application is told as completed.
    pub has_ended: bool,
    /// Further applications in the list.
    pub other_applications: Vec<OtherApplication>,
}

/// An application beside the driver's own, of which only the list knows.
#[derive(Clone, Debug)]
pub struct OtherApplication {
    /// The id.
    pub id: String,
    /// Its start.
    pub started: Moment,
    /// Whether it is told as completed.
    pub has_ended: bool,
}

/// A Spark job with one stage.
#[derive(Clone, Debug)]
pub struct SparkJob {
    /// When it was submitted; unknown to the UI before.
    pub submitted: Moment,
    /// When it ends; `None` runs on.
    pub completed: Option<Moment>,
    /// Whether its end is a failure.
    pub fails: bool,
    /// The call site.
    pub name: String,
    /// The description, which carries a stream's signature.
    pub description: Option<String>,
    /// The job group, a stream's run id.
    pub group: Option<String>,
}

/// A SQL execution.
#[derive(Clone, Debug)]
pub struct SqlExecution {
    /// When it was submitted.
    pub submitted: Moment,
    /// When it ends; `None` runs on.
    pub completed: Option<Moment>,
    /// Whether its end is a failure.
    pub fails: bool,
    /// The description.
    pub description: String,
}

/// A structured streaming query.
#[derive(Clone, Debug)]
pub struct Stream {
    /// The query's name, if it has one.
    pub name: Option<String>,
    /// The query's id.
    pub id: String,
    /// The id of this run of it.
    pub run_id: String,
    /// When it was started.
    pub started: Moment,
    /// When it ended; `None` lives on.
    pub ended: Option<Moment>,
    /// The distance of its batches; `None` when no data comes, so that nothing shows.
    pub every: Option<Duration>,
}

/// How `/StreamingQuery/` answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamingPage {
    /// As Spark does; before the first query the redirect names the UI as seen through the proxy.
    BehindProxy,
    /// As Spark does; before the first query the redirect is the one that a driver itself would send.
    Bare,
    /// A redirect to somewhere else.
    RedirectTo(String),
    /// This status with an HTML page.
    Status(u16),
    /// A page of HTML that knows nothing of queries.
    OtherHtml,
}

impl Spark {
    /// An application that has done nothing.
    pub fn quiet() -> Self {
        Self {
            app_id: String::new(),
            started: None,
            version: "3.5.0".to_owned(),
            jobs: Vec::new(),
            sql: Vec::new(),
            streams: Vec::new(),
            orphan_stages: 0,
            threads: Vec::new(),
            retained_jobs: 1000,
            retained_executions: 1000,
            streaming_page: StreamingPage::BehindProxy,
            upstream: None,
            stream_threads: true,
            conf: Vec::new(),
            has_ended: false,
            other_applications: Vec::new(),
        }
        .thread(&IDLE_FRAMES)
    }

    /// Adds a job.
    #[must_use]
    pub fn job(mut self, job: SparkJob) -> Self {
        self.jobs.push(job);
        self
    }

    /// Adds a SQL execution.
    #[must_use]
    pub fn sql(mut self, execution: SqlExecution) -> Self {
        self.sql.push(execution);
        self
    }

    /// Adds a stream.
    #[must_use]
    pub fn stream(mut self, stream: Stream) -> Self {
        self.streams.push(stream);
        self
    }

    /// Adds a driver thread with these stack frames.
    #[must_use]
    pub fn thread(mut self, frames: &[&str]) -> Self {
        self.threads
            .push(frames.iter().map(|frame| (*frame).to_owned()).collect());
        self
    }

    /// Adds active stages without a running job.
    #[must_use]
    pub fn orphan_stages(mut self, count: u32) -> Self {
        self.orphan_stages = count;
        self
    }

    /// Sets how the streaming page answers.
    #[must_use]
    pub fn streaming_page(mut self, page: StreamingPage) -> Self {
        self.streaming_page = page;
        self
    }

    /// Sets how many finished jobs the UI keeps.
    #[must_use]
    pub fn retained_jobs(mut self, count: usize) -> Self {
        self.retained_jobs = count;
        self
    }

    /// Sets how many finished SQL executions the UI keeps.
    #[must_use]
    pub fn retained_executions(mut self, count: usize) -> Self {
        self.retained_executions = count;
        self
    }

    /// Gives the threads of live streams names that nobody knows.
    #[must_use]
    pub fn without_stream_threads(mut self) -> Self {
        self.stream_threads = false;
        self
    }

    /// Adds a setting.
    #[must_use]
    pub fn conf(mut self, key: &str, value: &str) -> Self {
        self.conf.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Tells the application as completed.
    #[must_use]
    pub fn ended(mut self) -> Self {
        self.has_ended = true;
        self
    }

    /// Adds an application that was started this long ago.
    #[must_use]
    pub fn other_application(mut self, id: &str, started: Duration, has_ended: bool) -> Self {
        self.other_applications.push(OtherApplication {
            id: id.to_owned(),
            started: Moment::ago(started),
            has_ended,
        });
        self
    }

    /// Whether there is a page of streaming queries once there has been one.
    pub(crate) fn shows_streams(&self) -> bool {
        let mut set = self.conf.iter();
        !set.any(|(key, value)| key == "spark.sql.streaming.ui.enabled" && value == "false")
    }

    /// Sets the application's start.
    #[must_use]
    pub fn started(mut self, ago: Duration) -> Self {
        self.started = Some(Moment::ago(ago));
        self
    }
}

impl SparkJob {
    /// A job between two moments; without an end it runs on.
    pub fn at(submitted: Moment, completed: Option<Moment>) -> Self {
        Self {
            submitted,
            completed,
            fails: false,
            name: "collect at <command>:1".to_owned(),
            description: None,
            group: None,
        }
    }

    /// A job that has been running this long.
    pub fn running(since: Duration) -> Self {
        Self::at(Moment::ago(since), None)
    }

    /// A job of one minute that ended this long ago.
    pub fn finished(ago: Duration) -> Self {
        Self::at(
            Moment::ago(ago + Duration::from_secs(60)),
            Some(Moment::ago(ago)),
        )
    }

    /// Makes its end a failure.
    #[must_use]
    pub fn failing(mut self) -> Self {
        self.fails = true;
        self
    }
}

impl SqlExecution {
    /// An execution between two moments; without an end it runs on.
    pub fn at(submitted: Moment, completed: Option<Moment>) -> Self {
        Self {
            submitted,
            completed,
            fails: false,
            description: "select count(*) from sales".to_owned(),
        }
    }

    /// An execution that has been running this long.
    pub fn running(since: Duration) -> Self {
        Self::at(Moment::ago(since), None)
    }

    /// An execution of 30 seconds that ended this long ago.
    pub fn finished(ago: Duration) -> Self {
        Self::at(
            Moment::ago(ago + Duration::from_secs(30)),
            Some(Moment::ago(ago)),
        )
    }
}

impl Stream {
    /// A live query that was started this long ago and has a batch every minute.
    pub fn live(name: &str, started: Duration) -> Self {
        Self {
            name: (!name.is_empty()).then(|| name.to_owned()),
            id: encode::guid_for(&format!("stream {name}")),
            run_id: encode::guid_for(&format!("stream run {name}")),
            started: Moment::ago(started),
            ended: None,
            every: Some(Duration::from_secs(60)),
        }
    }

    /// Sets the distance of its batches.
    #[must_use]
    pub fn every(mut self, length: Duration) -> Self {
        self.every = Some(length);
        self
    }

    /// A live query to which no data comes: no job and no SQL row shows it.
    #[must_use]
    pub fn without_data(mut self) -> Self {
        self.every = None;
        self
    }

    /// Ends the query this long ago.
    #[must_use]
    pub fn ended(mut self, ago: Duration) -> Self {
        self.ended = Some(Moment::ago(ago));
        self
    }

    pub(crate) fn is_active(&self, now: Moment) -> bool {
        self.started <= now && self.ended.is_none_or(|ended| now < ended)
    }

    /// The batches that the UI still knows: at most the newest 40, each of five seconds.
    pub(crate) fn batches(&self, now: Moment) -> Vec<SparkJob> {
        let Some(every) = self.every.filter(|every| !every.is_zero()) else {
            return Vec::new();
        };
        let end = self.ended.map_or(now, |ended| ended.min(now));
        let count =
            u64::try_from(end.since(self.started).as_millis() / every.as_millis()).unwrap_or(0);
        (count.saturating_sub(40)..count)
            .map(|batch| {
                let factor = u32::try_from(batch).unwrap_or(u32::MAX);
                let submitted = self.started.plus(every.saturating_mul(factor));
                let name = self.name.as_deref().unwrap_or_default();
                SparkJob {
                    description: Some(format!(
                        "{name}\nid = {}\nrunId = {}\nbatch = {batch}",
                        self.id, self.run_id
                    )),
                    group: Some(self.run_id.clone()),
                    name: "start at <command>:1".to_owned(),
                    ..SparkJob::at(submitted, Some(submitted.plus(Duration::from_secs(5))))
                }
            })
            .collect()
    }
}
