//! The world of a storm, drawn from a seed, and the operator's will in it.
//!
//! Clusters of every kind, each coherent: what its users do leaves the evidence
//! that it would leave. Work that only one witness can see is of a kind, or is
//! recent enough, that the other alone could never condemn the cluster, as the
//! policy has it. Nothing here knows what a sweep makes of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use simulator::world::{
    Cluster, DriverProxy, Load, MAIN, Machine, Member, MetricsQuirk, OnTerminate, Permission, Run,
    Spark, SparkJob, SqlExecution, Stream, TaskForm, Workspace, World, hours, minutes,
};

use crate::oracle::{ONE_WITNESS, STREAMING_SILENCE};

/// The frames of a driver that waits for a Python cell.
pub(crate) const COMMAND: [&str; 2] = [
    "app//com.databricks.backend.daemon.driver.JupyterDriverLocal.execute(JupyterDriverLocal.scala:402)",
    "app//com.databricks.backend.daemon.driver.DriverWrapper.run(DriverWrapper.scala:88)",
];
/// Dates that lie before and after any clock of a storm.
pub(crate) const PAST: &str = "2020-01-01";
pub(crate) const FUTURE: &str = "2190-01-01";
const EXEMPT_UNTIL: &str = "2041-12-31";

/// What the operator wants, in the terms of the world.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) idle_after: Duration,
    /// For clusters with the tag `team = "slow"`.
    pub(crate) slow_idle_after: Option<Duration>,
    /// For the clusters of one workspace that have not that tag.
    pub(crate) workspace_idle_after: Option<(String, Duration)>,
    pub(crate) protect_pinned: bool,
    pub(crate) cap_per_workspace: usize,
    pub(crate) cap_per_sweep: usize,
    /// Workspaces in which nothing may be terminated.
    pub(crate) report_only: BTreeSet<String>,
}

/// A world and the operator's will.
pub(crate) struct Estate {
    pub(crate) world: World,
    pub(crate) rules: Rules,
}

impl Rules {
    /// How long this cluster must be quiet by both witnesses.
    pub(crate) fn idle_after(&self, workspace: &str, cluster: &Cluster) -> Duration {
        let slow = ("team".to_owned(), "slow".to_owned());
        let of_tag = self
            .slow_idle_after
            .filter(|_| cluster.custom_tags.contains(&slow));
        let of_workspace = self.workspace_idle_after.as_ref();
        let of_workspace = of_workspace.filter(|(name, _)| name == workspace);
        of_tag
            .or(of_workspace.map(|(_, length)| *length))
            .unwrap_or(self.idle_after)
    }

    /// The lines of `[policy]`.
    pub(crate) fn policy_lines(&self) -> Vec<String> {
        let hours = |length: Duration| length.as_secs() / 3600;
        vec![
            format!("idle_after_one_witness = \"{}h\"", hours(ONE_WITNESS)),
            format!("streaming_silence = \"{}h\"", hours(STREAMING_SILENCE)),
            format!("idle_after = \"{}m\"", self.idle_after.as_secs() / 60),
            format!("protect_pinned = {}", self.protect_pinned),
            "protect_names = [\"prod-*\"]".to_owned(),
            format!("cap_per_workspace = {}", self.cap_per_workspace),
            format!("cap_per_sweep = {}", self.cap_per_sweep),
        ]
    }

    /// The tables of exemptions and overrides.
    pub(crate) fn tables(&self) -> String {
        let mut text = format!(
            "[[exempt]]\nname = \"migration-*\"\nuntil = \"{EXEMPT_UNTIL}\"\nreason = \"moving\"\n"
        );
        let minutes = |length: &Duration| length.as_secs() / 60;
        if let Some(length) = &self.slow_idle_after {
            let length = minutes(length);
            let _ = writeln!(
                text,
                "[[override]]\ntag = {{ team = \"slow\" }}\nidle_after = \"{length}m\""
            );
        }
        if let Some((workspace, length)) = &self.workspace_idle_after {
            let length = minutes(length);
            let _ = writeln!(
                text,
                "[[override]]\nworkspace = \"{workspace}\"\nidle_after = \"{length}m\""
            );
        }
        text
    }

    /// The whole policy for the workspaces of a world.
    pub(crate) fn document(&self, world: &World) -> String {
        let mut text = format!(
            "[policy]\n{}\n[witness.spark]\nprincipal = \"main\"\n{}",
            self.policy_lines().join("\n"),
            self.tables()
        );
        for workspace in &world.workspaces {
            let _ = writeln!(
                text,
                "[[workspaces]]\nname = \"{}\"\nurl = \"{}\"\nresource_id = \"{}\"\nsees_all_runs = {}",
                workspace.name,
                workspace.url(),
                workspace.resource_id,
                workspace.sees_all_runs
            );
            if self.report_only.contains(&workspace.name) {
                text.push_str("mode = \"report\"\n");
            }
        }
        text
    }
}

/// Draws an estate into a world that is empty so far.
pub(crate) fn draw(rng: &mut Rng, mut world: World) -> Estate {
    let count = 1 + rng.usize(..3);
    let mut report_only = BTreeSet::new();
    for number in 0..count {
        let name = format!("w-{number}");
        if rng.u8(..8) == 0 {
            report_only.insert(name.clone());
        }
        world.workspaces.push(workspace(rng, &name));
    }
    let idle_after = minutes(*pick(rng, &[120, 120, 180]));
    let rules = Rules {
        idle_after,
        slow_idle_after: rng.bool().then(|| hours(6)),
        workspace_idle_after: rng.bool().then(|| ("w-0".to_owned(), hours(4))),
        protect_pinned: rng.bool(),
        cap_per_workspace: *pick(rng, &[1, 2, 10, 10]),
        cap_per_sweep: *pick(rng, &[1, 50, 50, 50]),
        report_only,
    };
    Estate { world, rules }
}

fn workspace(rng: &mut Rng, name: &str) -> Workspace {
    let mut workspace = Workspace::named(name)
        .cluster_page_size(*pick(rng, &[2, 100, 100]))
        .run_page_size(*pick(rng, &[1, 25, 25]));
    match rng.u8(..10) {
        0 => workspace = workspace.member(Member::user(MAIN, Permission::CanRestart)),
        1 => {
            workspace = workspace
                .member(Member::user(MAIN, Permission::CanRestart))
                .sees_all_runs();
            // What is not seen must not be claimed to be seen.
            workspace.runs.clear();
        }
        _ => {}
    }
    for number in 0..1 + rng.usize(..4) {
        let (cluster, run) = cluster(rng, number);
        workspace.add_cluster(cluster);
        if let Some(run) = run {
            workspace.add_run(run.visible_to_all());
        }
    }
    workspace
}

/// A cluster of some kind, with the run on it that makes it one.
fn cluster(rng: &mut Rng, number: usize) -> (Cluster, Option<Run>) {
    let name = format!("c-{number}");
    // Every other one is idle and nothing speaks for it.
    if rng.bool() {
        let cluster = idle(rng, &name);
        return (dressed(rng, cluster), None);
    }
    match rng.u8(..4) {
        0 => {
            let cluster = working(rng, &name);
            (dressed(rng, cluster), None)
        }
        1 => (protected(rng, &name), None),
        2 => (unproven(rng, &name), None),
        _ => {
            let cluster = idle(rng, &name);
            let run = run_on(rng, &name);
            (cluster, Some(run))
        }
    }
}

fn idle(rng: &mut Rng, name: &str) -> Cluster {
    let quiet = *pick(rng, &[70, 200, 300, 400, 560, 700, 900, 1530, 1800]);
    let quiet = minutes(quiet + rng.u64(..25));
    let cluster = Cluster::idle(name).workers(rng.u32(..3)).since(quiet);
    if rng.u8(..12) == 0 {
        cluster.on_terminate(OnTerminate::KeepsRunning)
    } else {
        cluster
    }
}

/// What makes no difference to anything but a threshold.
fn dressed(rng: &mut Rng, cluster: Cluster) -> Cluster {
    match rng.u8(..8) {
        0 => cluster.tag("team", "slow"),
        1 => cluster.source("API"),
        2 => cluster.tag("terminate-clusters", "false"),
        3 => cluster.tag("terminate-clusters-keep-until", PAST),
        4 => cluster.autotermination(10_000),
        _ => cluster,
    }
}

/// Somebody or something works on it, to be seen by one witness at least.
fn working(rng: &mut Rng, name: &str) -> Cluster {
    let idle_hours = 4 + rng.u64(..9);
    let rested = || Cluster::idle(name).since(hours(idle_hours));
    match rng.u8(..11) {
        0 => Cluster::busy(name),
        1 => Cluster::streaming(name).started(hours(idle_hours)),
        2 => {
            let stream = Stream::live("quiet", hours(idle_hours)).without_data();
            rested().spark(Spark::quiet().stream(stream))
        }
        3 => Cluster::driver_only_python(name)
            .workers(rng.u32(..2))
            .started(hours(idle_hours)),
        4 => rested().spark(Spark::quiet().sql(SqlExecution::running(hours(3)))),
        5 => rested().spark(Spark::quiet().orphan_stages(1)),
        6 => rested().spark(Spark::quiet().thread(&COMMAND)),
        7 => rested()
            .spark(Spark::quiet())
            .load(Machine::Driver, &[Load::since(hours(4), 0.0).network(80e6)]),
        8 => Cluster::idle(name).young(),
        9 => rested().last_activity(minutes(5 + rng.u64(..40))),
        // Between the sweeps, for a while.
        _ => {
            let from = simulator::world::Moment::ahead(minutes(20 + rng.u64(..90)));
            let to = from.plus(minutes(60));
            let job = SparkJob::at(from, Some(to));
            let load = Load {
                from,
                to: Some(to),
                cores: 2.5,
                network: 90e6,
            };
            rested()
                .spark(
                    Spark::quiet()
                        .job(SparkJob::finished(hours(idle_hours)))
                        .job(job),
                )
                .load(Machine::All, &[load])
        }
    }
}

fn protected(rng: &mut Rng, name: &str) -> Cluster {
    let idle = |name: &str| Cluster::idle(name).since(hours(30));
    match rng.u8(..7) {
        0 => idle(name).tag("Terminate-Clusters", ""),
        1 => idle(name).default_tag("terminate-clusters", "no"),
        2 => idle(name).tag("terminate-clusters-keep-until", FUTURE),
        3 => idle(name).tag("terminate-clusters-keep-until", "some day"),
        4 => idle(&format!("prod-{name}")),
        5 => idle(&format!("migration-{name}")),
        _ => idle(name).pinned(),
    }
}

/// Idle, perhaps; but the evidence is missing, odd, or weak.
fn unproven(rng: &mut Rng, name: &str) -> Cluster {
    let cluster = idle(rng, name);
    let quirks = [
        MetricsQuirk::Missing,
        MetricsQuirk::NoData,
        MetricsQuirk::NoSeries,
        MetricsQuirk::AllZero,
        MetricsQuirk::Lag(30),
        MetricsQuirk::PointsOfFive(1),
        MetricsQuirk::Constant(250.0),
        MetricsQuirk::WrongName,
        MetricsQuirk::WrongUnit,
        MetricsQuirk::WrongInterval,
    ];
    let drivers = [
        DriverProxy::Status(403),
        DriverProxy::Status(404),
        DriverProxy::Status(503),
        DriverProxy::Html,
        DriverProxy::Hang,
    ];
    let quirk = pick(rng, &quirks).clone();
    let driver = *pick(rng, &drivers);
    match rng.u8(..13) {
        0 | 1 => cluster.driver(driver),
        2 | 3 => cluster.metrics(Machine::All, &quirk),
        4 => cluster.driver(driver).metrics(Machine::All, &quirk),
        5 => cluster.without_start(),
        6 => cluster.field("spark_context_id", Value::Null),
        7 => cluster.field("custom_tags", json!("oops")),
        8 => cluster.field("cluster_source", Value::Null),
        9 => cluster.state(word(rng, &["RESIZING", "PENDING", "UNHEARD_OF"])),
        10 => cluster.source(word(rng, &["JOB", "SQL", "PIPELINE", "UNHEARD_OF"])),
        11 => cluster.autotermination(60),
        _ => {
            let version = *pick(rng, &["15.4.x-gpu-scala2.12", "15.4.x-cpu-ml-scala2.12"]);
            cluster.spark_version(version).metrics(Machine::All, &quirk)
        }
    }
}

fn run_on(rng: &mut Rng, name: &str) -> Run {
    let forms = [
        TaskForm::Existing,
        TaskForm::Instance,
        TaskForm::ExistingOnly,
        TaskForm::ForEach,
        TaskForm::JobCluster,
    ];
    let form = *pick(rng, &forms);
    let run = Run::active("hourly", minutes(1 + rng.u64(..300)));
    match rng.u8(..4) {
        0 => run.legacy_on(name, TaskForm::Existing),
        1 => run.filler_tasks(101).task(name, form),
        2 => run.task(name, form).state("QUEUED"),
        _ => run.task(name, form),
    }
}

/// One of these.
pub(crate) fn pick<'a, T>(rng: &mut Rng, all: &'a [T]) -> &'a T {
    &all[rng.usize(..all.len())]
}

/// One of these words.
pub(crate) fn word(rng: &mut Rng, all: &[&'static str]) -> &'static str {
    all[rng.usize(..all.len())]
}
