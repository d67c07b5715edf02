//! A cluster of a workspace: its configuration, life, rights and the switches for its answers.
//!
//! Built by what its users do ([`Cluster::idle`], [`Cluster::busy`], …), from which the `activity` module
//! derives Spark's and the machines' evidence, so that the two never contradict each other by accident.
//! The model only; rendering is the `databricks::clusters` module's affair.

use std::time::Duration;

use serde_json::{Map, Value};

use super::activity::Activity;
use super::clock::{Moment, minutes};
use super::spark::Spark;
use super::vm::{Load, MetricsQuirk, Vm};
use crate::encode;

/// A cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// The id; empty until the workspace gives one.
    pub id: String,
    /// The name.
    pub name: String,
    /// `cluster_source`; `None` leaves the field out.
    pub source: Option<String>,
    /// `state`, while nothing has terminated it.
    pub state: String,
    /// `spark_version`.
    pub spark_version: String,
    /// Size of the workers and of the driver.
    pub node_type: String,
    /// Workers.
    pub workers: u32,
    /// Bounds of autoscaling.
    pub autoscale: Option<(u32, u32)>,
    /// The pool it takes its machines from.
    pub pool: Option<String>,
    /// `start_time`: the first creation.
    pub created: Moment,
    /// The latest (re)start; `None` leaves every start field out.
    pub started: Option<Moment>,
    /// `last_activity_time`; absent by default.
    pub last_activity: Option<Moment>,
    /// `autotermination_minutes`; `None` leaves the field out.
    pub autotermination_minutes: Option<u32>,
    /// `custom_tags`.
    pub custom_tags: Vec<(String, String)>,
    /// More `default_tags` than the usual four.
    pub default_tags: Vec<(String, String)>,
    /// Whether it is pinned.
    pub is_pinned: bool,
    /// `data_security_mode`.
    pub data_security_mode: String,
    /// `spark_context_id`, beyond what a float holds; 0 until the workspace gives one.
    pub spark_context_id: i64,
    /// Its machines, the driver first.
    pub vms: Vec<Vm>,
    /// What its driver knows.
    pub spark: Spark,
    /// What the driver proxy answers.
    pub driver: DriverProxy,
    /// A server that its users have started on its driver.
    pub echo: Option<Echo>,
    /// Further events in its log: type and moment.
    pub events: Vec<(String, Moment)>,
    /// Rights of principals by name, which take the place of the workspace's.
    pub permissions: Vec<(String, Permission)>,
    /// What a termination does.
    pub on_terminate: OnTerminate,
    /// When a termination was accepted, and by whom.
    pub terminated: Option<Termination>,
    /// Whether `get` refuses it as terminated more than 30 days ago.
    pub is_aged_out: bool,
    /// Fields laid over its JSON object; `null` removes a field.
    pub overlay: Map<String, Value>,
    pub(super) activity: Activity,
}

/// A termination that was accepted.
#[derive(Clone, Debug)]
pub struct Termination {
    /// When.
    pub at: Moment,
    /// The name of the principal; empty for the platform.
    pub by: String,
}

/// What a termination does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTerminate {
    /// TERMINATING at once, TERMINATED after this long.
    After(Duration),
    /// Accepted with 200, and the cluster keeps RUNNING.
    KeepsRunning,
}

/// What the driver proxy answers for a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriverProxy {
    /// The Spark UI's answers.
    Reachable,
    /// This status with an HTML page: 403, 404, 503.
    Status(u16),
    /// 200 with an HTML page.
    Html,
    /// Nothing, for as long as the client waits.
    Hang,
}

/// A server on a driver that answers with the names of the headers that reach it, as JSON:
/// `{"probe":"terminate-clusters","headers":[…]}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo {
    /// The port that it listens on.
    pub port: u16,
    /// Whether the driver proxy lets `Authorization` through; nobody has told whether the real one does.
    pub gets_authorization: bool,
}

/// A right on a cluster; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// Does not even see it.
    None,
    /// Sees it, attaches, views the Spark UI.
    CanAttachTo,
    /// Terminates, starts, restarts.
    CanRestart,
    /// Everything.
    CanManage,
}

/// Machines of a cluster, for [`Cluster::load`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// The driver.
    Driver,
    /// The worker with this index, from 0.
    Worker(usize),
    /// Driver and workers.
    All,
}

impl Cluster {
    fn new(name: &str, activity: Activity) -> Self {
        let mut cluster = Self {
            id: String::new(),
            name: name.to_owned(),
            source: Some("UI".to_owned()),
            state: "RUNNING".to_owned(),
            spark_version: "15.4.x-scala2.12".to_owned(),
            node_type: "Standard_DS3_v2".to_owned(),
            workers: 2,
            autoscale: None,
            pool: None,
            created: Moment::ago(super::hours(24 * 30)),
            started: Some(Moment::ago(activity.usual_uptime())),
            last_activity: None,
            autotermination_minutes: Some(0),
            custom_tags: Vec::new(),
            default_tags: Vec::new(),
            is_pinned: false,
            data_security_mode: "SINGLE_USER".to_owned(),
            spark_context_id: 0,
            vms: Vec::new(),
            spark: Spark::quiet(),
            driver: DriverProxy::Reachable,
            echo: None,
            events: Vec::new(),
            permissions: Vec::new(),
            on_terminate: OnTerminate::After(Duration::from_secs(1)),
            terminated: None,
            is_aged_out: false,
            overlay: Map::new(),
            activity,
        };
        cluster.rebuild();
        cluster
    }

    /// A cluster whose last Spark job ended 5 hours ago; see [`Cluster::since`].
    pub fn idle(name: &str) -> Self {
        Self::new(name, Activity::idle(super::hours(5)))
    }

    /// A cluster with a Spark job that has been running for 10 minutes.
    pub fn busy(name: &str) -> Self {
        Self::new(name, Activity::busy())
    }

    /// A cluster with a live structured stream that has a small batch every minute.
    pub fn streaming(name: &str) -> Self {
        Self::new(name, Activity::streaming())
    }

    /// A cluster whose driver runs Python that Spark never hears of.
    pub fn driver_only_python(name: &str) -> Self {
        Self::new(name, Activity::driver_only_python())
    }

    /// A job's own cluster, busy.
    pub fn job(name: &str) -> Self {
        Self::busy(name).source("JOB")
    }

    /// A terminated cluster, as lists still show it for 30 days.
    pub fn terminated(name: &str) -> Self {
        let mut cluster = Self::idle(name).on_terminate(OnTerminate::After(Duration::ZERO));
        cluster.terminated = Some(Termination {
            at: Moment::ago(minutes(30)),
            by: String::new(),
        });
        cluster
    }

    /// The state that an answer tells at this moment.
    pub fn state_at(&self, now: Moment) -> &str {
        match (&self.terminated, self.on_terminate) {
            (None, _) | (Some(_), OnTerminate::KeepsRunning) => &self.state,
            (Some(termination), OnTerminate::After(length))
                if now < termination.at.plus(length) =>
            {
                "TERMINATING"
            }
            (Some(_), OnTerminate::After(_)) => "TERMINATED",
        }
    }

    pub(crate) fn spark_app_id(&self) -> String {
        let prefix = if self.workers == 0 { "local" } else { "app" };
        if self.spark.app_id.is_empty() {
            format!(
                "{prefix}-{}",
                self.spark_context_id.unsigned_abs() % 10_000_000_000_000
            )
        } else {
            self.spark.app_id.clone()
        }
    }

    /// Names cluster, driver and machines after their place in the world, where no name was given.
    pub(super) fn place_in(&mut self, workspace: &str) {
        let seed = format!("{workspace}/{}", self.name);
        let number = encode::number_for(&seed);
        if self.id.is_empty() {
            let suffix = &encode::hex32_for(&seed)[..8];
            self.id = format!(
                "{:04}-{:06}-{suffix}",
                101 + number % 1000,
                number % 235_959
            );
        }
        if self.spark_context_id == 0 {
            self.spark_context_id = context_id(number);
        }
        for (index, vm) in self.vms.iter_mut().enumerate() {
            vm.name = encode::hex32_for(&format!("{seed}/vm{index}"));
        }
    }

    /// Makes the machines, and the evidence unless it was given.
    pub(super) fn rebuild(&mut self) {
        let quirks: Vec<MetricsQuirk> = self.vms.iter().map(|vm| vm.quirk.clone()).collect();
        let loads: Vec<Vec<Load>> = self.vms.iter().map(|vm| vm.loads.clone()).collect();
        let started = self.started.unwrap_or(self.created);
        self.vms = (0..=self.workers as usize)
            .map(|index| {
                let name = encode::hex32_for(&format!("{}/vm{index}", self.name));
                let mut vm = Vm::new(name, &self.node_type, started);
                vm.loads = if self.activity.load_is_set {
                    loads.get(index).cloned().unwrap_or_default()
                } else {
                    self.activity.loads(started, index == 0)
                };
                vm.quirk = quirks.get(index).cloned().unwrap_or(MetricsQuirk::None);
                vm
            })
            .collect();
        if !self.activity.spark_is_set {
            self.spark = self.activity.spark(&self.name, started);
        }
    }
}

/// A `spark_context_id` that loses digits when it passes through a float.
pub(super) fn context_id(number: u64) -> i64 {
    i64::try_from(3_000_000_000_000_000_001 + (number % 1_000_000_000_000_000) * 2)
        .unwrap_or(i64::MAX)
}

impl Machine {
    pub(super) fn includes(self, index: usize) -> bool {
        match self {
            Self::Driver => index == 0,
            Self::Worker(worker) => index == worker + 1,
            Self::All => true,
        }
    }
}
