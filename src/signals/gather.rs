//! Gathers the signals of one cluster: asks what `decision` names next until it
//! names nothing more.
//!
//! Facts only, no judgement: what an answer means is judged by `witness`, and
//! what to do about it by `decision`. The second look is this same code, with
//! newer runs and with the first look's window of metrics. It never writes.

use std::sync::Arc;
use std::time::Duration;

use super::facts::WorkspaceFacts;
use super::{Hardware, NodesView, Signal, Signals, StreamingView, Why};
use crate::azure_monitor::AzureMonitor;
use crate::cluster::{Cluster, ClusterState, Instance, NodeTypes};
use crate::decision::{Question, longest_wait, next_question};
use crate::policy::{Policy, WorkspacePolicy};
use crate::spark::SparkDriver;
use crate::timestamp::Timestamp;
use crate::witness::nodes::{self, Window};
use crate::witness::spark::{self, LiveApplication};

/// Which look this is.
#[derive(Debug, Clone, Copy)]
pub enum LookKind {
    First,
    /// The look in the last second before a termination.
    Second {
        /// When the first look began; its window of metrics starts there again.
        first_began: Timestamp,
        /// How old shared walks over runs and pins may be.
        runs_age: Duration,
    },
}

/// Asks about the clusters of one workspace.
#[derive(Debug)]
pub struct Gatherer {
    pub facts: Arc<WorkspaceFacts>,
    /// `None` when the policy switches the Spark witness off.
    pub spark: Option<SparkDriver>,
    /// `None` when the policy switches the nodes witness off.
    pub monitor: Option<AzureMonitor>,
    /// From which each cluster gets its own.
    pub policies: Arc<WorkspacePolicy>,
}

/// One look at one cluster, under way.
struct Reading {
    signals: Signals,
    policy: Policy,
    application: Option<LiveApplication>,
    /// Whether the driver's threads, which were asked for, show a live stream.
    stream_lives: bool,
    began: Timestamp,
    kind: LookKind,
}

impl Gatherer {
    /// Asks everything that could change the decision. Gives the signals and the
    /// instant at which the look began, which is the `now` to decide by.
    pub async fn look(&self, cluster: Cluster, kind: LookKind) -> (Signals, Timestamp) {
        let reading = self.read(cluster, kind).await;
        (reading.signals, reading.began)
    }

    /// A first look that then asks everything else, too, that the policy allows: for
    /// people, since it cannot change the decision. A cluster that is not at work has
    /// no driver to ask, and nothing that might start it is asked.
    pub async fn look_at_everything(&self, cluster: Cluster) -> (Signals, Timestamp) {
        let is_at_work = match cluster.state {
            ClusterState::Running | ClusterState::Resizing => true,
            ClusterState::Pending
            | ClusterState::Restarting
            | ClusterState::Terminating
            | ClusterState::Terminated
            | ClusterState::Other(_) => false,
        };
        let mut reading = self.read(cluster, LookKind::First).await;
        for question in Question::ALL.into_iter().filter(|_| is_at_work) {
            let is_allowed = question.is_allowed(&reading.policy);
            if is_allowed && !is_asked(question, &reading.signals) {
                self.answer(question, &mut reading).await;
            }
        }
        (reading.signals, reading.began)
    }

    async fn read(&self, cluster: Cluster, kind: LookKind) -> Reading {
        let began = self.facts.clock.now();
        let mut reading = Reading {
            policy: self.policies.of(&cluster).policy,
            signals: Signals::of(cluster),
            application: None,
            stream_lives: false,
            began,
            kind,
        };
        // Each answer settles its question, so there are no more rounds than questions.
        for _ in Question::ALL {
            let Some(question) = next_question(&reading.signals, &reading.policy, began) else {
                break;
            };
            self.answer(question, &mut reading).await;
        }
        reading
    }

    /// Asks once more whether an active run names the cluster, unless the walk over
    /// the runs is still young enough. Does nothing where that was not asked.
    pub async fn ask_runs_again(&self, signals: &mut Signals, runs_age: Duration) {
        if signals.active_run != Signal::NotAsked {
            let id = &signals.cluster.id;
            signals.active_run = self.facts.active_run(id, runs_age).await;
        }
    }

    async fn answer(&self, question: Question, reading: &mut Reading) {
        let id = reading.signals.cluster.id.clone();
        let (max_age, again) = match reading.kind {
            LookKind::First => (Duration::MAX, None),
            LookKind::Second { runs_age, .. } => (runs_age, Some(runs_age)),
        };
        match question {
            Question::Pin => reading.signals.pinned = self.facts.pinned(&id, max_age).await,
            Question::ActiveRuns => {
                reading.signals.active_run = self.facts.active_run(&id, max_age).await;
            }
            Question::CompletedRuns => {
                let completed = self.facts.completed(&id, again).await;
                reading.signals.last_run_end = completed.last_end;
                // Listed as completed, yet not over by its own words: it counts as active.
                if let Some(run) = completed.not_over {
                    reading.signals.active_run = Signal::Known(Some(run));
                }
            }
            Question::Spark => self.ask_spark(reading).await,
            Question::Streaming => self.ask_streaming(reading).await,
            Question::Commands => self.ask_commands(reading).await,
            Question::Hardware => {
                let types = self.facts.node_types().await;
                reading.signals.hardware = hardware(&reading.signals.cluster, types);
            }
            Question::DriverNode => {
                let driver = reading.signals.cluster.driver.clone();
                reading.signals.driver_node = self.ask_node(driver.as_ref(), true, reading).await;
            }
            Question::AllNodes => {
                reading.signals.all_nodes = self.ask_all_nodes(reading).await;
            }
        }
    }

    async fn ask_spark(&self, reading: &mut Reading) {
        let Some(driver) = &self.spark else {
            reading.signals.spark = Signal::unknown("the Spark witness is switched off");
            return;
        };
        let answers = driver.look(&reading.signals.cluster.id).await;
        reading.signals.spark = spark::judge(&answers, self.facts.clock.now());
        reading.application = answers.ok().map(|answers| answers.application);
    }

    async fn ask_streaming(&self, reading: &mut Reading) {
        if reading.signals.command == Signal::NotAsked {
            self.ask_commands(reading).await;
        }
        let (Some(driver), Some(application)) = (&self.spark, &reading.application) else {
            reading.signals.streaming = Signal::unknown("there is no Spark application to ask");
            return;
        };
        if reading.stream_lives {
            reading.signals.streaming = Signal::Known(StreamingView::Active);
            return;
        }
        let id = &reading.signals.cluster.id;
        let page = driver.streaming(id, application).await;
        let view = reading.signals.spark.known();
        let stream_seen = view.is_some_and(|view| view.last_stream_batch.is_some());
        let mut streaming = spark::streaming(&page, &driver.address(id), stream_seen);
        if streaming == Signal::Known(StreamingView::NeverAny) {
            streaming = spark::never_any(&driver.environment(id, application).await);
        }
        reading.signals.streaming = streaming;
    }

    async fn ask_commands(&self, reading: &mut Reading) {
        let (Some(driver), Some(application)) = (&self.spark, &reading.application) else {
            reading.signals.command = Signal::unknown("there is no Spark application to ask");
            return;
        };
        let id = &reading.signals.cluster.id;
        let threads = driver.threads(id, application).await;
        reading.signals.command = spark::running_command(&threads);
        reading.stream_lives = threads.is_ok_and(|threads| spark::stream_lives(&threads));
    }

    /// Reads one machine's metrics; its size must be known by now.
    async fn ask_node(
        &self,
        instance: Option<&Instance>,
        is_driver: bool,
        reading: &Reading,
    ) -> Signal<NodesView> {
        let Some(monitor) = &self.monitor else {
            return Signal::unknown("the nodes witness is switched off");
        };
        let cores = match &reading.signals.hardware {
            Signal::Known(hardware) if is_driver => hardware.driver_cores,
            Signal::Known(hardware) => hardware.worker_cores,
            Signal::Unknown(why) => return Signal::Unknown(why.clone()),
            Signal::NotAsked => return Signal::unknown("the machine's size was not asked for"),
        };
        let Some(name) = instance.and_then(|instance| instance.instance_id.as_deref()) else {
            return Signal::unknown("the cluster's record does not name the machine");
        };
        let started = instance.and_then(|instance| instance.started);
        let window = match self.window(started, is_driver, reading) {
            Ok(window) => window,
            Err(why) => return Signal::Unknown(why),
        };
        let group = match self.facts.managed_group(monitor).await {
            Ok(group) => group,
            Err(why) => return Signal::Unknown(why.clone()),
        };
        let metrics = monitor.vm_metrics(group, name, &window).await;
        nodes::judge(&metrics, Some(cores), &window)
    }

    fn window(
        &self,
        machine_started: Option<Timestamp>,
        is_driver: bool,
        reading: &Reading,
    ) -> Result<Window, Why> {
        let cluster = &reading.signals.cluster;
        let application = reading.application.as_ref();
        let cluster_started = cluster
            .started()
            .max(application.map(|application| application.started));
        let start = if is_driver {
            cluster_started
        } else {
            machine_started.or(cluster_started)
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

    /// Every machine, and whether any came or went meanwhile.
    async fn ask_all_nodes(&self, reading: &Reading) -> Signal<NodesView> {
        let cluster = &reading.signals.cluster;
        let listed = u64::try_from(cluster.executors.len()).unwrap_or(u64::MAX);
        // An autoscaling cluster tells no number, and an absent list is no empty one.
        if cluster.num_workers.is_none() && listed == 0 {
            return Signal::unknown(
                "the cluster's record lists no executors and no number of them",
            );
        }
        if let Some(expected) = cluster.num_workers.filter(|expected| *expected != listed) {
            return Signal::unknown(format!(
                "the cluster's record lists {listed} of {expected} executors"
            ));
        }
        let driver = match &reading.signals.driver_node {
            Signal::NotAsked => self.ask_node(cluster.driver.as_ref(), true, reading).await,
            asked @ (Signal::Known(_) | Signal::Unknown(_)) => asked.clone(),
        };
        let mut views = vec![driver];
        for executor in &cluster.executors {
            if let Some(Signal::Known(NodesView::Busy { .. }) | Signal::Unknown(_)) = views.last() {
                break;
            }
            views.push(self.ask_node(Some(executor), false, reading).await);
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
        self.after_scaling(view, since, reading).await
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

fn is_asked(question: Question, signals: &Signals) -> bool {
    match question {
        Question::Pin => signals.pinned != Signal::NotAsked,
        Question::ActiveRuns => signals.active_run != Signal::NotAsked,
        Question::CompletedRuns => signals.last_run_end != Signal::NotAsked,
        Question::Spark => signals.spark != Signal::NotAsked,
        Question::Streaming => signals.streaming != Signal::NotAsked,
        Question::Commands => signals.command != Signal::NotAsked,
        Question::Hardware => signals.hardware != Signal::NotAsked,
        Question::DriverNode => signals.driver_node != Signal::NotAsked,
        Question::AllNodes => signals.all_nodes != Signal::NotAsked,
    }
}

/// What the list of machine sizes says of this cluster's.
fn hardware(cluster: &Cluster, types: &Result<NodeTypes, Why>) -> Signal<Hardware> {
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
