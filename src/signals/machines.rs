//! Asks the machines of one cluster: which they are, whether the tags agree, what
//! their metrics say, and whether any came or went.
//!
//! The nodes' part of a look (`gather`). Facts only: what an answer means is
//! judged by `witness::nodes`, and what follows from it by `decision`. A busy
//! machine is believed whatever else is missing; that all are quiet is told only
//! of machines that are known to be all, and the cluster's own.

use super::gather::{Gatherer, LookKind, Reading};
use super::{Hardware, NodesView, Signal, Why};
use crate::azure_monitor::AzureMonitor;
use crate::cluster::{Cluster, Instance, NodeTypes};
use crate::decision::longest_wait;
use crate::timestamp::Timestamp;
use crate::witness::nodes::{self, TagCheck, Verdict, Window};

/// Which machine of a cluster is asked.
#[derive(Clone, Copy)]
enum Role<'a> {
    Driver,
    Executor(&'a Instance),
}

impl Gatherer {
    /// The driver's machine. That the tags confirm it is not required: beside a
    /// quiet Spark its word is one of two.
    pub(super) async fn ask_driver(&self, reading: &Reading) -> Signal<NodesView> {
        let verdict = match self.ask_machine(Role::Driver, reading).await {
            Ok(verdict) => verdict,
            Err(why) => return Signal::Unknown(why),
        };
        if !verdict.loads.is_empty() {
            let cluster = &reading.signals.cluster.id;
            self.facts.machines.keep_loads(cluster, verdict.loads);
        }
        verdict.view
    }

    /// Every machine, and whether any came or went meanwhile.
    pub(super) async fn ask_all_nodes(&self, reading: &Reading) -> Signal<NodesView> {
        let cluster = &reading.signals.cluster;
        if let Err(why) = lists_all_executors(cluster) {
            return Signal::Unknown(why);
        }
        let driver = match &reading.signals.driver_node {
            Signal::NotAsked => self.ask_driver(reading).await,
            asked @ (Signal::Known(_) | Signal::Unknown(_)) => asked.clone(),
        };
        let mut views = vec![driver];
        for executor in &cluster.executors {
            if let Some(Signal::Known(NodesView::Busy { .. }) | Signal::Unknown(_)) = views.last() {
                break;
            }
            let asked = self.ask_machine(Role::Executor(executor), reading).await;
            views.push(asked.map_or_else(Signal::Unknown, |verdict| verdict.view));
        }
        let asked_every_machine = views.len() == cluster.executors.len() + 1;
        let view = nodes::combine(views);
        let (Signal::Known(NodesView::QuietSince(since))
        | Signal::Known(NodesView::QuietThroughout(since))) = view
        else {
            return view;
        };
        if !asked_every_machine {
            return Signal::unknown("not every machine was asked");
        }
        match self.unproven(cluster).await {
            Some(why) => Signal::Unknown(why),
            None => self.after_scaling(view, since, reading).await,
        }
    }

    /// Reads one machine's metrics; its size must be known by now. Everything that
    /// can be refused without a request is.
    async fn ask_machine(&self, role: Role<'_>, reading: &Reading) -> Result<Verdict, Why> {
        let refuse = |clause: &str| Err(Why::new(clause));
        let Some(monitor) = &self.monitor else {
            return refuse("the nodes witness is switched off");
        };
        let cluster = &reading.signals.cluster;
        let hardware = match &reading.signals.hardware {
            Signal::Known(hardware) => hardware,
            Signal::Unknown(why) => return Err(why.clone()),
            Signal::NotAsked => return refuse("the machine's size was not asked for"),
        };
        let (instance, cores) = match role {
            Role::Driver => (cluster.driver.as_ref(), hardware.driver_cores),
            Role::Executor(executor) => (Some(executor), hardware.worker_cores),
        };
        let Some(name) = instance.and_then(|instance| instance.instance_id.as_deref()) else {
            return refuse("the cluster's record does not name the machine");
        };
        let window = self.window(role, reading)?;
        let group = self.facts.machines.group(monitor).await;
        let group = group.as_ref().map_err(Clone::clone)?;
        // A list that could not be read leaves it open whose the machine is.
        let check = self.facts.machines.check(monitor, group, cluster).await;
        let contradiction = check.ok().and_then(|check| check.contradiction);
        let metrics = monitor.vm_metrics(group, name, &window).await;
        let verdict = nodes::judge(&metrics, Some(cores), &window);
        let Some(contradiction) = contradiction else {
            return Ok(verdict);
        };
        // Work counts even where it may be another's: an evicted machine whose tag
        // is still there must not hide what the driver does.
        match verdict.view {
            view @ Signal::Known(NodesView::Busy { .. }) => Ok(Verdict {
                view,
                loads: Vec::new(),
            }),
            Signal::Known(NodesView::QuietSince(_) | NodesView::QuietThroughout(_))
            | Signal::Unknown(_)
            | Signal::NotAsked => Err(contradiction.why()),
        }
    }

    fn window(&self, role: Role<'_>, reading: &Reading) -> Result<Window, Why> {
        let cluster = &reading.signals.cluster;
        let application = reading.application.as_ref();
        let started = cluster
            .started()
            .max(application.map(|application| application.started));
        // A machine of a pool may have worked for another cluster before this one.
        let start = match role {
            Role::Driver => started,
            Role::Executor(executor) => executor.started.max(started),
        };
        let start = start.ok_or_else(|| Why::new("when the machine started is unknown"))?;
        let anchor = match reading.kind {
            LookKind::First => reading.began,
            LookKind::Second { first_began, .. } => first_began,
        };
        let longest = longest_wait(&reading.signals, &reading.policy);
        let lookback = nodes::lookback(longest, cluster.autotermination_minutes);
        Window::new(self.facts.clock.now(), anchor, lookback, start)
    }

    /// Why it is open whether the machines that were asked are all that the cluster
    /// has: as the only witness they must be confirmed by their tags.
    async fn unproven(&self, cluster: &Cluster) -> Option<Why> {
        let Some(monitor) = &self.monitor else {
            return Some(Why::new("the nodes witness is switched off"));
        };
        match self.check(monitor, cluster).await {
            Ok(TagCheck {
                contradiction: Some(contradiction),
                ..
            }) => Some(contradiction.why()),
            Ok(check) => check.unproven(),
            Err(why) => Some(Why::new(format!(
                "whether these are all of its machines could not be checked: {}",
                why.0
            ))),
        }
    }

    async fn check(&self, monitor: &AzureMonitor, cluster: &Cluster) -> Result<TagCheck, Why> {
        let group = self.facts.machines.group(monitor).await;
        let group = group.as_ref().map_err(Clone::clone)?;
        self.facts.machines.check(monitor, group, cluster).await
    }

    /// Machines that came or went make the others' silence say less.
    async fn after_scaling(
        &self,
        view: Signal<NodesView>,
        since: Timestamp,
        reading: &Reading,
    ) -> Signal<NodesView> {
        let id = &reading.signals.cluster.id;
        match self.facts.databricks.resize_events(id, since).await {
            Ok(Some(event)) if event > since => Signal::Known(NodesView::QuietSince(event)),
            Ok(_) => view,
            Err(error) => Signal::Unknown(Why::new(format!(
                "whether the cluster was resized could not be read: {error}"
            ))),
        }
    }
}

/// An autoscaling cluster tells no number, and an absent list is no empty one.
fn lists_all_executors(cluster: &Cluster) -> Result<(), Why> {
    let listed = u64::try_from(cluster.executors.len()).unwrap_or(u64::MAX);
    match cluster.num_workers {
        None if listed == 0 => Err(Why::new(
            "the cluster's record lists no executors and no number of them",
        )),
        Some(expected) if expected != listed => Err(Why::new(format!(
            "the cluster's record lists {listed} of {expected} executors"
        ))),
        None | Some(_) => Ok(()),
    }
}

/// What the list of machine sizes says of this cluster's.
pub(super) fn hardware(cluster: &Cluster, types: &Result<NodeTypes, Why>) -> Signal<Hardware> {
    let types = match types {
        Ok(types) => types,
        Err(why) => return Signal::Unknown(why.clone()),
    };
    let worker = cluster.node_type_id.as_deref();
    let driver = cluster.driver_node_type_id.as_deref().or(worker);
    let find = |name: Option<&str>| name.and_then(|name| types.get(name));
    let (Some(driver), Some(worker)) = (find(driver), find(worker.or(driver))) else {
        return Signal::unknown("its machine size is not in the workspace's list of sizes");
    };
    let has_gpus = match (driver.gpus, worker.gpus) {
        (Some(0), Some(0)) => Some(false),
        (Some(driver), _) if driver > 0 => Some(true),
        (_, Some(worker)) if worker > 0 => Some(true),
        _ => None,
    };
    Signal::Known(Hardware {
        driver_cores: driver.cores,
        worker_cores: worker.cores,
        has_gpus,
    })
}

#[cfg(test)]
mod tests;
