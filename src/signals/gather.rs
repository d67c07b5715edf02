//! Gathers the signals of one cluster: asks what `decision` names next until it
//! names nothing more.
//!
//! Facts only, no judgement: what an answer means is judged by `witness`, and
//! what to do about it by `decision`. The second look is this same code, with
//! newer runs and with the first look's window of metrics. It never writes.

use std::sync::Arc;
use std::time::Duration;

use super::facts::WorkspaceFacts;
use super::{Signal, Signals, StreamingView, machines};
use crate::azure_monitor::AzureMonitor;
use crate::cluster::{Cluster, ClusterState};
use crate::decision::{Question, next_question};
use crate::policy::{Policy, WorkspacePolicy};
use crate::spark::SparkDriver;
use crate::timestamp::Timestamp;
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
pub(super) struct Reading {
    pub(super) signals: Signals,
    pub(super) policy: Policy,
    pub(super) application: Option<LiveApplication>,
    /// Whether the driver's threads, which were asked for, show a live stream.
    pub(super) stream_lives: bool,
    pub(super) began: Timestamp,
    pub(super) kind: LookKind,
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

    /// Asks the driver once more whatever it was asked: its word goes stale while
    /// others are waited for.
    pub async fn ask_driver_again(&self, signals: Signals, began: Timestamp) -> Signals {
        let mut reading = Reading {
            policy: self.policies.of(&signals.cluster).policy,
            signals,
            application: None,
            stream_lives: false,
            began,
            kind: LookKind::First,
        };
        let asked = [Question::Spark, Question::Commands, Question::Streaming];
        for question in asked {
            if is_asked(question, &reading.signals) {
                self.answer(question, &mut reading).await;
            }
        }
        reading.signals
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
                reading.signals.hardware = machines::hardware(&reading.signals.cluster, types);
            }
            Question::DriverNode => {
                reading.signals.driver_node = self.ask_driver(reading).await;
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
            reading.signals.streaming = Signal::unknown("Spark told of no application to ask");
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
            reading.signals.command = Signal::unknown("Spark told of no application to ask");
            return;
        };
        let id = &reading.signals.cluster.id;
        let threads = driver.threads(id, application).await;
        reading.signals.command = spark::running_command(&threads);
        reading.stream_lives = threads.is_ok_and(|threads| spark::stream_lives(&threads));
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

#[cfg(test)]
mod tests;
