//! The walks over a workspace's job runs: which clusters active runs name, and
//! when completed ones last ended on each.
//!
//! One walk serves a whole workspace, because the Jobs API has no filter by
//! cluster. For active runs everything that is not understood is an error: a run
//! that was overlooked would cost somebody's work. Completed runs are a hint that
//! can only keep a cluster, so theirs returns what was read and says that it was
//! cut short. Whether the principal sees all runs is a question of its own
//! ([`Databricks::sees_all_runs`]).

mod record;

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

use super::paging::{CutShort, Pages};
use super::{Call, Databricks, PAGE_CAP};
use crate::cluster::ClusterId;
use crate::escape::Shown;
use crate::service::{CallError, CallErrorCause, Stage};
use crate::timestamp::Timestamp;
use record::Run;

const LIST: &str = "api/2.2/jobs/runs/list";
const GET: &str = "api/2.2/jobs/runs/get";

/// The server's own maximum; it answers at most 100 tasks of each run.
const LIMIT: (&str, &str) = ("limit", "25");
const EXPAND: (&str, &str) = ("expand_tasks", "true");

/// Characters of a run's name that are shown.
const SHOWN: usize = 60;

/// Why a walk is incomplete.
#[derive(Debug, Clone, Error)]
pub enum RunsError {
    /// HTTP 403: the right is missing. No failure of the workspace.
    #[error("not allowed to list runs: {0}")]
    Forbidden(Box<CallError>),
    #[error("{0}")]
    Call(Box<CallError>),
    /// An answer that came and is not understood.
    #[error("job runs are not understood: {0}")]
    Shape(String),
    /// There are more pages than the walk may read.
    #[error("there are more than {pages} pages of job runs")]
    PageCap { pages: usize },
}

impl From<CallError> for RunsError {
    fn from(error: CallError) -> Self {
        if matches!(&error.cause, CallErrorCause::Status(answer) if answer.status == 403) {
            return Self::Forbidden(Box::new(error));
        }
        if let CallErrorCause::Shape(why) = &error.cause {
            return Self::Shape(why.clone());
        }
        Self::Call(Box::new(error))
    }
}

/// One active run, as the report names it. Its `Display` is one short clause
/// with the text from outside escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveRun {
    /// Digits.
    pub run_id: String,
    pub name: Option<String>,
    /// `status.state` and the older `state.life_cycle_state`, both where they differ.
    pub state: Option<String>,
}

impl fmt::Display for ActiveRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run {}", self.run_id)?;
        if let Some(name) = &self.name {
            write!(f, " `{}`", Shown::new(name, SHOWN))?;
        }
        if let Some(state) = &self.state {
            write!(f, " is {}", Shown::new(state, SHOWN))?;
        }
        Ok(())
    }
}

/// The clusters that active runs name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActiveRuns {
    /// The first run of the walk, so the one that started last, by cluster.
    pub by_cluster: BTreeMap<ClusterId, ActiveRun>,
    /// How many pages were read, of lists and of cut runs.
    pub pages: usize,
}

/// When completed runs last ended on each cluster.
#[derive(Debug, Default)]
pub struct CompletedRuns {
    pub latest_end_by_cluster: BTreeMap<ClusterId, Timestamp>,
    /// The runs of that list that are not over by every word of theirs, because a
    /// state is unknown or two disagree: they count as active.
    pub not_over_by_cluster: BTreeMap<ClusterId, ActiveRun>,
    /// Why not every run was read, if so; what was read still holds.
    pub cut_short: Option<RunsError>,
    /// How many pages were read, the failing one included.
    pub pages: usize,
}

impl CompletedRuns {
    fn add(&mut self, run: &Run) {
        for (cluster, end) in run.ends() {
            let latest = self.latest_end_by_cluster.entry(cluster).or_insert(end);
            *latest = end.max(*latest);
        }
        if run.is_over() {
            return;
        }
        for cluster in &run.clusters {
            let active = self.not_over_by_cluster.entry(cluster.clone());
            active.or_insert_with(|| run.label());
        }
    }
}

#[derive(Deserialize)]
struct RunPage {
    runs: Option<Vec<Box<RawValue>>>,
    has_more: Option<bool>,
    next_page_token: Option<String>,
}

/// Which runs a walk lists.
#[derive(Clone, Copy)]
enum Which {
    Active,
    CompletedSince(Timestamp),
}

impl Databricks {
    /// Walks all active runs: QUEUED, PENDING, BLOCKED, WAITING, RUNNING,
    /// TERMINATING, and whatever else comes. A run counts for every cluster that it
    /// names anywhere, also for tasks of it that have ended, whatever it says of
    /// its state.
    ///
    /// # Errors
    ///
    /// Anything that keeps a single run from being read, `page_cap` included.
    pub async fn active_runs(&self, page_cap: usize) -> Result<ActiveRuns, RunsError> {
        let mut pages = Pages::new(page_cap);
        let mut active = ActiveRuns::default();
        let mut token = None;
        loop {
            let page = self.run_page(Which::Active, &token, &mut pages).await?;
            for raw in page.runs.iter().flatten() {
                let run = self.whole_run(raw, Which::Active, &mut pages).await?;
                let label = run.label();
                for cluster in run.clusters {
                    active
                        .by_cluster
                        .entry(cluster)
                        .or_insert_with(|| label.clone());
                }
            }
            token = next_token(&mut pages, page)?;
            if token.is_none() {
                active.pages = pages.read();
                return Ok(active);
            }
        }
    }

    /// Walks the runs that started at `started_from` or later and are completed,
    /// the latest start first. A run that started before and ended since is not
    /// among them.
    pub async fn completed_runs(&self, started_from: Timestamp, page_cap: usize) -> CompletedRuns {
        let mut pages = Pages::new(page_cap);
        let mut completed = CompletedRuns::default();
        let walked = self
            .walk_completed(started_from, &mut pages, &mut completed)
            .await;
        // A run that was not understood came before whatever ended the walk.
        completed.cut_short = completed.cut_short.take().or(walked.err());
        completed.pages = pages.read();
        completed
    }

    async fn walk_completed(
        &self,
        started_from: Timestamp,
        pages: &mut Pages,
        completed: &mut CompletedRuns,
    ) -> Result<(), RunsError> {
        let which = Which::CompletedSince(started_from);
        let mut token = None;
        loop {
            let page = self.run_page(which, &token, pages).await?;
            for raw in page.runs.iter().flatten() {
                match self.whole_run(raw, which, pages).await {
                    Ok(run) => completed.add(&run),
                    Err(error @ RunsError::Shape(_)) => {
                        completed.cut_short.get_or_insert(error);
                    }
                    Err(
                        error @ (RunsError::Forbidden(_)
                        | RunsError::Call(_)
                        | RunsError::PageCap { .. }),
                    ) => return Err(error),
                }
            }
            token = next_token(pages, page)?;
            if token.is_none() {
                return Ok(());
            }
        }
    }

    async fn run_page(
        &self,
        which: Which,
        token: &Option<String>,
        pages: &mut Pages,
    ) -> Result<RunPage, RunsError> {
        let from;
        let mut query = match which {
            Which::Active => vec![("active_only", "true")],
            Which::CompletedSince(start) => {
                from = start.as_millis().max(0).to_string();
                vec![("completed_only", "true"), ("start_time_from", &from)]
            }
        };
        query.extend([EXPAND, LIMIT]);
        query.extend(token.as_deref().map(|token| ("page_token", token)));
        take_page(pages)?;
        let verb = "list runs";
        Ok(self.send(runs_call(verb, LIST, &query)).await?)
    }

    /// The run of a list item, with the tasks that the list cut off: it shows at
    /// most 100, says so by `has_more`, and `runs/get` pages through them all. An
    /// active run that tells nothing of where it works is looked up too: a list
    /// has no tasks if the question to expand them got lost on its way.
    async fn whole_run(
        &self,
        raw: &RawValue,
        which: Which,
        pages: &mut Pages,
    ) -> Result<Run, RunsError> {
        let mut run = Run::parse(raw).map_err(RunsError::Shape)?;
        let must_tell_where = matches!(which, Which::Active);
        if !run.is_cut && (run.tells_where || !must_tell_where) {
            return Ok(run);
        }
        let fetched = self.fetch_rest(&mut run, pages).await?;
        // One page without more tasks than the list showed is not the rest.
        if run.is_cut && fetched.pages == 1 && fetched.tasks <= run.tasks {
            let why = format!("run {} is cut and its rest does not come", run.id);
            return Err(RunsError::Shape(why));
        }
        if must_tell_where && !run.tells_where {
            let why = format!("run {} does not tell where it works", run.id);
            return Err(RunsError::Shape(why));
        }
        Ok(run)
    }

    /// Reads all pages of one run into it.
    async fn fetch_rest(&self, run: &mut Run, pages: &mut Pages) -> Result<Fetched, RunsError> {
        let mut fetched = Fetched::default();
        let mut tokens = Pages::new(usize::MAX);
        let mut token: Option<String> = None;
        loop {
            let id = run.id.clone();
            let mut query = vec![("run_id", id.as_str())];
            query.extend(token.as_deref().map(|token| ("page_token", token)));
            take_page(pages)?;
            let verb = "get run";
            let raw: Box<RawValue> = self.send(runs_call(verb, GET, &query)).await?;
            let part = Run::parse(&raw).map_err(RunsError::Shape)?;
            if part.id != run.id {
                return Err(RunsError::Shape(format!(
                    "asked for run {} and got run {}",
                    run.id, part.id
                )));
            }
            fetched.pages += 1;
            fetched.tasks += part.tasks;
            let next = tokens.next(part.next_page_token.clone(), None);
            run.absorb(part);
            token = next.map_err(|cut| runs_cut(&cut, pages))?;
            if token.is_none() {
                return Ok(fetched);
            }
        }
    }
}

/// What came of looking a run up.
#[derive(Debug, Default)]
struct Fetched {
    pages: usize,
    tasks: usize,
}

fn runs_call<'a>(
    verb: &'static str,
    path: &'static str,
    query: &'a [(&'a str, &'a str)],
) -> Call<'a> {
    Call {
        verb,
        stage: Stage::Runs,
        path,
        query,
        body: None,
        body_cap: PAGE_CAP,
        until: None,
    }
}

fn take_page(pages: &mut Pages) -> Result<(), RunsError> {
    pages.take_one().map_err(|cut| runs_cut(&cut, pages))
}

fn next_token(pages: &mut Pages, page: RunPage) -> Result<Option<String>, RunsError> {
    pages
        .next(page.next_page_token, page.has_more)
        .map_err(|cut| runs_cut(&cut, pages))
}

fn runs_cut(cut: &CutShort, pages: &Pages) -> RunsError {
    match cut {
        CutShort::Broken(why) => RunsError::Shape((*why).to_owned()),
        CutShort::Cap => RunsError::PageCap {
            pages: pages.read(),
        },
    }
}
