//! What is true of a cluster, judged from the world itself.
//!
//! It reads the simulator's model, not answers, and knows the promise, not the
//! code: whether a termination at this moment breaks it, and whether a calm sweep
//! owes one. Work that began after its witness was last asked is forgiven, since
//! no API terminates on a condition.

use std::collections::BTreeMap;
use std::time::Duration;

use simulator::Record;
use simulator::world::{
    Access, Cluster, DriverProxy, Load, MAIN, MetricsQuirk, Moment, Run, StreamingPage, Workspace,
    World, hours, minutes,
};

use crate::estate::{COMMAND, FUTURE, PAST, Rules};

/// When the policy lets one witness be enough. Shorter than the defaults, so that
/// the metrics of a storm are read back over a day and not over four.
pub(crate) const ONE_WITNESS: Duration = hours(8);
pub(crate) const STREAMING_SILENCE: Duration = hours(24);
/// What a calm sweep may add to a threshold: buckets of five minutes, data that
/// comes late, and starts that are known to some minutes.
const MARGIN: Duration = minutes(40);
/// How late the machines' work shows at most.
const METRICS_LATE: Duration = minutes(20);

/// When each witness of a cluster was last asked and answered.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    jobs: Option<Moment>,
    sql: Option<Moment>,
    streams: Option<Moment>,
    threads: Option<Moment>,
    runs: Option<Moment>,
}

impl Asked {
    /// As the record has it. `threads_at` is told apart, because what runs in a
    /// driver's threads is a hint of which a sweep may have to do without.
    pub(crate) fn of(
        record: &Record,
        world: &World,
        host: &str,
        cluster: &str,
        threads_at: Option<i64>,
    ) -> Self {
        let last = |part: &str, names_cluster: bool| {
            // A walk over the runs that have ended says nothing of those that go on.
            let asked = record.requests().iter().rev().find(|one| {
                one.status.is_some_and(|status| status < 400)
                    && one.host() == host
                    && one.path().contains(part)
                    && one.query().first("completed_only").is_none()
                    && (!names_cluster || one.request.names_cluster(cluster))
            });
            asked.map(|one| world.clock.moment(one.at_ms))
        };
        Self {
            jobs: last("/jobs", true).filter(|_| last("/applications", true).is_some()),
            sql: last("/sql", true),
            streams: last("/StreamingQuery", true),
            threads: threads_at.map(|at| world.clock.moment(at)),
            runs: last("/jobs/runs/list", false),
        }
    }

    /// As of a sweep that asks everything now.
    pub(crate) fn everything(now: Moment) -> Self {
        let now = Some(now);
        Self {
            jobs: now,
            sql: now,
            streams: now,
            threads: now,
            runs: now,
        }
    }
}

/// A cluster in its place.
#[derive(Clone, Copy)]
pub(crate) struct Case<'w> {
    pub(crate) workspace: &'w Workspace,
    pub(crate) cluster: &'w Cluster,
    pub(crate) rules: &'w Rules,
    pub(crate) now: Moment,
}

/// The clusters whose termination is owed now: id and workspace.
pub(crate) fn due(world: &World, rules: &Rules) -> BTreeMap<String, String> {
    let now = world.now();
    let mut found = BTreeMap::new();
    for workspace in &world.workspaces {
        for cluster in &workspace.clusters {
            let case = Case {
                workspace,
                cluster,
                rules,
                now,
            };
            if case.is_due() {
                found.insert(cluster.id.clone(), workspace.name.clone());
            }
        }
    }
    found
}

impl Case<'_> {
    /// Why a termination now breaks the promise.
    pub(crate) fn forbidden(&self, asked: &Asked) -> Result<(), String> {
        self.not_ours()?;
        self.protected()?;
        self.working(asked)?;
        let needed = self.needed_quiet().ok_or_else(|| {
            let Cluster { driver, vms, .. } = self.cluster;
            let quirks: Vec<&MetricsQuirk> = vms.iter().map(|vm| &vm.quirk).collect();
            format!("nothing proves it idle: driver {driver:?}, metrics {quirks:?}")
        })?;
        let quiet = self.now.since(self.quiet_since(asked));
        if quiet < needed {
            return Err(format!("quiet for {quiet:?}, and {needed:?} are needed"));
        }
        let minutes_of_platform = self.cluster.autotermination_minutes.unwrap_or(0);
        let platform = minutes(u64::from(minutes_of_platform) + 15);
        if minutes_of_platform > 0 && quiet > platform + MARGIN {
            return Err("the platform saw activity".to_owned());
        }
        Ok(())
    }

    /// Whether a calm sweep owes its termination, within the caps.
    pub(crate) fn is_due(&self) -> bool {
        let asked = Asked::everything(self.now);
        let needed = self.needed_quiet();
        let quiet = self.now.since(self.quiet_since(&asked));
        let is_wide = needed.is_some_and(|needed| quiet > needed + MARGIN);
        let runs_are_silent = self
            .workspace
            .runs
            .iter()
            .all(|run| !names(run, self.cluster));
        let mut vms = self.cluster.vms.iter();
        let is_measured_well = vms.all(|vm| !matches!(vm.quirk, MetricsQuirk::PointsOfFive(_)));
        is_wide
            && is_measured_well
            && runs_are_silent
            && self.cluster.started.is_some()
            && self.cluster.terminated.is_none()
            && self.cluster.autotermination_minutes.unwrap_or(0) != 60
            && self.forbidden(&asked).is_ok()
    }

    fn not_ours(&self) -> Result<(), String> {
        let Self {
            workspace, cluster, ..
        } = self;
        let source = cluster.source.as_deref();
        if !matches!(source, Some("UI" | "API")) {
            return Err(format!("its source is {source:?}"));
        }
        let state = cluster.state_at(self.now);
        if state != "RUNNING" {
            return Err(format!("it is {state}"));
        }
        if !cluster.overlay.is_empty() {
            return Err(format!("its record is odd: {:?}", cluster.overlay));
        }
        if self.rules.report_only.contains(&workspace.name) {
            return Err("its workspace is to be reported only".to_owned());
        }
        let sees_runs = workspace.sees_all_runs
            || workspace
                .members
                .iter()
                .any(|member| member.principal == MAIN && member.is_admin());
        if !sees_runs || workspace.access != Access::Open {
            return Err("nobody knows whether a job runs on it".to_owned());
        }
        Ok(())
    }

    fn protected(&self) -> Result<(), String> {
        let Self { cluster, rules, .. } = self;
        for prefix in ["prod-", "migration-"] {
            if cluster.name.starts_with(prefix) {
                return Err(format!("the policy protects {prefix}*"));
            }
        }
        if cluster.is_pinned && rules.protect_pinned {
            return Err("it is pinned".to_owned());
        }
        for (key, value) in cluster.custom_tags.iter().chain(&cluster.default_tags) {
            let key = key.to_ascii_lowercase();
            let protects = match key.as_str() {
                "terminate-clusters" => value != "false",
                "terminate-clusters-keep-until" => value != PAST,
                _ => false,
            };
            if protects {
                return Err(format!("the tag {key}={value:?} protects it ({FUTURE})"));
            }
        }
        Ok(())
    }

    fn working(&self, asked: &Asked) -> Result<(), String> {
        let Self { cluster, now, .. } = self;
        let spark = &cluster.spark;
        let runs_asked = asked.runs.unwrap_or(*now);
        for run in &self.workspace.runs {
            let is_active =
                run.started <= runs_asked && run.ended.is_none_or(|end| runs_asked < end);
            if is_active && names(run, cluster) {
                return Err(format!("the run {} is on it", run.name));
            }
        }
        if spark.orphan_stages > 0 {
            return Err("a stage is active".to_owned());
        }
        let is_command = |frames: &Vec<String>| frames.iter().any(|frame| frame == COMMAND[0]);
        if asked.threads.is_some() && spark.threads.iter().any(is_command) {
            return Err("a command is running".to_owned());
        }
        let streams_asked = asked.streams.unwrap_or(now.minus(METRICS_LATE));
        let lives = |started: Moment, ended: Option<Moment>, at: Moment| {
            started <= at && ended.is_none_or(|end| at < end)
        };
        for stream in &spark.streams {
            if lives(stream.started, stream.ended, streams_asked) {
                return Err("a stream is alive".to_owned());
            }
        }
        let jobs_asked = asked.jobs.unwrap_or(now.minus(METRICS_LATE));
        for job in &spark.jobs {
            if lives(job.submitted, job.completed, jobs_asked) {
                return Err("a Spark job is running".to_owned());
            }
        }
        let sql_asked = asked.sql.unwrap_or(now.minus(METRICS_LATE));
        for execution in &spark.sql {
            if lives(execution.submitted, execution.completed, sql_asked) {
                return Err("a SQL execution is running".to_owned());
            }
        }
        Ok(())
    }

    /// How long it must be quiet, by the witnesses that can speak at all.
    fn needed_quiet(&self) -> Option<Duration> {
        let Self { cluster, .. } = self;
        let both = self.rules.idle_after(&self.workspace.name, cluster);
        // A point of five minutes is as good from one of its minutes as from all.
        let is_measured = |quirk: &MetricsQuirk| {
            matches!(quirk, MetricsQuirk::None | MetricsQuirk::PointsOfFive(_))
        };
        let driver = cluster.vms.first().is_some_and(|vm| is_measured(&vm.quirk));
        let machines = cluster.vms.iter().all(|vm| is_measured(&vm.quirk));
        let spark = cluster.driver == DriverProxy::Reachable
            && cluster.spark.streaming_page == StreamingPage::BehindProxy;
        let version = cluster.spark_version.as_str();
        let is_special = version.contains("-gpu-") || version.contains("-ml-");
        if cluster.started.is_none() && !spark {
            // Not even its driver tells since when it has been up.
            None
        } else if spark && driver {
            Some(both)
        } else if spark {
            let is_weak = cluster.workers == 0 || is_special || cluster.spark.jobs.is_empty();
            (!is_weak).then_some(ONE_WITNESS.max(both))
        } else if machines {
            Some(STREAMING_SILENCE.max(both))
        } else {
            None
        }
    }

    /// The latest sign of life that had shown when it was asked for.
    fn quiet_since(&self, asked: &Asked) -> Moment {
        let Self { cluster, now, .. } = self;
        let shown = |at: Option<Moment>| at.unwrap_or(now.minus(METRICS_LATE));
        let jobs = cluster.spark.jobs.iter().filter_map(|job| job.completed);
        let jobs = jobs.filter(|end| *end <= shown(asked.jobs));
        let sql = cluster.spark.sql.iter().filter_map(|one| one.completed);
        let sql = sql.filter(|end| *end <= shown(asked.sql));
        let loads = cluster.vms.iter().flat_map(|vm| &vm.loads);
        let loads = loads.filter_map(|load| self.last_seen(load));
        let activity = cluster.last_activity;
        let all = jobs.chain(sql).chain(loads).chain(activity);
        all.chain(cluster.started).max().unwrap_or(cluster.created)
    }

    /// Until when a machine's work shows, if it is work and shows yet.
    fn last_seen(&self, load: &Load) -> Option<Moment> {
        let shows_until = self.now.minus(METRICS_LATE);
        let is_work = load.cores >= 0.5 || load.network >= 30e6;
        let end = load.to.unwrap_or(shows_until).min(shows_until);
        let is_long = end.since(load.from) >= minutes(10);
        (is_work && is_long).then_some(end)
    }
}

/// Whether a run names a cluster, in any form.
fn names(run: &Run, cluster: &Cluster) -> bool {
    let legacy = run.legacy_cluster.iter().map(|(name, _)| name);
    let tasks = run.tasks.iter().map(|task| &task.cluster);
    let mut all = tasks.chain(legacy);
    all.any(|name| *name == cluster.name || *name == cluster.id)
}
