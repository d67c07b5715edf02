//! The builders of a cluster: how a test says in what it differs from an ordinary one.
//!
//! Each takes the cluster and gives it back changed. Those that change how long it has been up, how many
//! machines it has or since when it is quiet make its evidence anew, unless the evidence was given.

use std::time::Duration;

use serde_json::Value;

use super::clock::{Moment, minutes};
use super::cluster::{Cluster, DriverProxy, Echo, Machine, OnTerminate, Permission};
use super::spark::Spark;
use super::vm::{Load, MetricsQuirk, Vm};

impl Cluster {
    /// Sets since when an idle cluster is quiet. Unless its start was set, it started 3 hours before.
    #[must_use]
    pub fn since(mut self, quiet: Duration) -> Self {
        self.activity.quiet_since = Some(Moment::ago(quiet));
        if !self.activity.start_is_set {
            self.started = Some(Moment::ago(quiet + super::hours(3)));
        }
        self.rebuild();
        self
    }

    /// Sets how long ago the cluster was started.
    #[must_use]
    pub fn started(mut self, ago: Duration) -> Self {
        self.started = Some(Moment::ago(ago));
        self.activity.start_is_set = true;
        self.rebuild();
        self
    }

    /// Started 10 minutes ago.
    #[must_use]
    pub fn young(self) -> Self {
        self.started(minutes(10))
    }

    /// Leaves every field out that tells of its start.
    #[must_use]
    pub fn without_start(mut self) -> Self {
        self.started = None;
        self.activity.start_is_set = true;
        self
    }

    /// Sets the id.
    #[must_use]
    pub fn id(mut self, id: &str) -> Self {
        id.clone_into(&mut self.id);
        self
    }

    /// Sets `cluster_source`.
    #[must_use]
    pub fn source(mut self, source: &str) -> Self {
        self.source = Some(source.to_owned());
        self
    }

    /// Sets `state`.
    #[must_use]
    pub fn state(mut self, state: &str) -> Self {
        state.clone_into(&mut self.state);
        self
    }

    /// Adds a custom tag.
    #[must_use]
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.custom_tags.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Adds a default tag.
    #[must_use]
    pub fn default_tag(mut self, key: &str, value: &str) -> Self {
        self.default_tags.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Sets `autotermination_minutes`.
    #[must_use]
    pub fn autotermination(mut self, minutes: u32) -> Self {
        self.autotermination_minutes = Some(minutes);
        self
    }

    /// Pins it.
    #[must_use]
    pub fn pinned(mut self) -> Self {
        self.is_pinned = true;
        self
    }

    /// Sets `last_activity_time` to this long ago.
    #[must_use]
    pub fn last_activity(mut self, ago: Duration) -> Self {
        self.last_activity = Some(Moment::ago(ago));
        self
    }

    /// Sets `spark_version`, such as `15.4.x-gpu-ml-scala2.12`.
    #[must_use]
    pub fn spark_version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.spark_version);
        self
    }

    /// Sets the size of all its machines.
    #[must_use]
    pub fn node_type(mut self, size: &str) -> Self {
        size.clone_into(&mut self.node_type);
        self.rebuild();
        self
    }

    /// Sets the number of workers; 0 makes it a single node.
    #[must_use]
    pub fn workers(mut self, count: u32) -> Self {
        self.workers = count;
        self.rebuild();
        self
    }

    /// No workers: work runs on the driver.
    #[must_use]
    pub fn single_node(self) -> Self {
        self.workers(0)
    }

    /// Lets it scale between two numbers of workers.
    #[must_use]
    pub fn autoscale(mut self, min: u32, max: u32) -> Self {
        self.autoscale = Some((min, max));
        self
    }

    /// Takes its machines from a pool.
    #[must_use]
    pub fn pool(mut self, pool_id: &str) -> Self {
        self.pool = Some(pool_id.to_owned());
        self
    }

    /// Replaces what its driver knows; the machines' load stays.
    #[must_use]
    pub fn spark(mut self, spark: Spark) -> Self {
        self.spark = spark;
        self.activity.spark_is_set = true;
        self
    }

    /// Replaces the load of some of its machines; no load at all leaves the idle floor.
    #[must_use]
    pub fn load(mut self, machine: Machine, loads: &[Load]) -> Self {
        self.activity.load_is_set = true;
        for (index, vm) in self.vms.iter_mut().enumerate() {
            if machine.includes(index) {
                vm.loads = loads.to_vec();
            }
        }
        self
    }

    /// Sets how the metrics of some of its machines are answered.
    #[must_use]
    pub fn metrics(mut self, machine: Machine, quirk: &MetricsQuirk) -> Self {
        for (index, vm) in self.vms.iter_mut().enumerate() {
            if machine.includes(index) {
                vm.quirk = quirk.clone();
            }
        }
        self
    }

    /// Changes its machines as they are, the driver first; more of them can be added.
    #[must_use]
    pub fn machines(mut self, change: impl FnOnce(&mut Vec<Vm>)) -> Self {
        change(&mut self.vms);
        self
    }

    /// Sets what the driver proxy answers.
    #[must_use]
    pub fn driver(mut self, driver: DriverProxy) -> Self {
        self.driver = driver;
        self
    }

    /// Starts a server on its driver that tells which headers reach it.
    #[must_use]
    pub fn echo(mut self, port: u16, gets_authorization: bool) -> Self {
        self.echo = Some(Echo {
            port,
            gets_authorization,
        });
        self
    }

    /// Adds an event to its log.
    #[must_use]
    pub fn event(mut self, event_type: &str, ago: Duration) -> Self {
        self.events.push((event_type.to_owned(), Moment::ago(ago)));
        self
    }

    /// Sets a principal's right on it.
    #[must_use]
    pub fn permission(mut self, principal: &str, permission: Permission) -> Self {
        self.permissions.push((principal.to_owned(), permission));
        self
    }

    /// Sets what a termination does.
    #[must_use]
    pub fn on_terminate(mut self, effect: OnTerminate) -> Self {
        self.on_terminate = effect;
        self
    }

    /// Lets `get` refuse it as terminated more than 30 days ago.
    #[must_use]
    pub fn aged_out(mut self) -> Self {
        self.is_aged_out = true;
        self
    }

    /// Lays a field over its JSON object; `Value::Null` removes the field.
    #[must_use]
    pub fn field(mut self, name: &str, value: Value) -> Self {
        self.overlay.insert(name.to_owned(), value);
        self
    }
}
