//! A cluster that is provably idle, as a value to be changed.
//!
//! Every test starts from [`World::idle`], in which both witnesses have said
//! "quiet" for 100 hours and nothing objects, and changes what it is about: so
//! the change alone explains the decision. Builders only; no test lives here.

use std::time::Duration;

use crate::cluster::{Cluster, ClusterId, ClusterSource, ClusterState, Instance, SparkContextId};
use crate::decision::{Decision, Proof, Question, decide};
use crate::policy::{Glob, Policy};
use crate::signals::{
    Hardware, NodesView, Signal, Signals, SparkView, SparkWork, SparkWorkKind, StreamingView,
};
use crate::timestamp::Timestamp;

/// 2026-11-22T12:00:00Z, the `now` of every world unless a test moves it.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_795_348_800_000);

/// The smallest step of a [`Timestamp`].
pub(crate) const TICK: Duration = Duration::from_millis(1);

pub(crate) const fn hours(count: u64) -> Duration {
    Duration::from_hours(count)
}

pub(crate) const fn minutes(count: u64) -> Duration {
    Duration::from_mins(count)
}

/// What a decision rests on.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) signals: Signals,
    pub(crate) policy: Policy,
    pub(crate) now: Timestamp,
}

impl World {
    /// Everything has been asked, and everything says idle for 100 hours.
    pub(crate) fn idle() -> Self {
        Self {
            signals: idle_signals(),
            policy: default_policy(),
            now: NOW,
        }
    }

    pub(crate) fn decide(&self) -> Decision {
        decide(&self.signals, &self.policy, self.now)
    }

    pub(crate) fn cluster(&mut self) -> &mut Cluster {
        &mut self.signals.cluster
    }

    /// What Spark says; quiet for 100 hours if nothing was said before.
    pub(crate) fn spark(&mut self) -> &mut SparkView {
        if self.signals.spark.known().is_none() {
            self.signals.spark = Signal::Known(idle_spark());
        }
        match &mut self.signals.spark {
            Signal::Known(view) => view,
            Signal::Unknown(_) | Signal::NotAsked => panic!("it was made known above"),
        }
    }

    pub(crate) fn add_tag(&mut self, key: &str, value: &str) {
        let tag = (key.to_owned(), value.to_owned());
        self.cluster().tags.push(tag);
    }

    pub(crate) fn protect_name(&mut self, pattern: &str) {
        self.policy.protect_names.push(Glob::new(pattern));
    }

    /// A job, stage or SQL execution that has been at work for `age`.
    pub(crate) fn spark_works(&mut self, kind: SparkWorkKind, age: Duration) {
        let since = Some(self.now.minus(age));
        let label = "job 17".to_owned();
        self.spark().busy = Some(SparkWork { kind, label, since });
    }

    /// Both readings of the machines say quiet for `age`.
    pub(crate) fn nodes_quiet_for(&mut self, age: Duration) {
        self.nodes_say(NodesView::QuietSince(self.now.minus(age)));
    }

    /// Both readings of the machines say this.
    pub(crate) fn nodes_say(&mut self, view: NodesView) {
        self.signals.driver_node = Signal::Known(view.clone());
        self.signals.all_nodes = Signal::Known(view);
    }

    /// No Spark answer at all.
    pub(crate) fn lose_spark(&mut self) {
        self.signals.spark = Signal::unknown("the driver proxy answered 403");
        self.signals.streaming = Signal::unknown("the driver proxy answered 403");
        self.signals.command = Signal::unknown("the driver proxy answered 403");
    }

    /// Spark answers, but whether a stream waits cannot be told.
    pub(crate) fn lose_streaming(&mut self) {
        self.signals.streaming = Signal::unknown("the page has another content");
    }

    /// No metrics of any machine.
    pub(crate) fn lose_nodes(&mut self) {
        self.signals.driver_node = Signal::unknown("no metrics");
        self.signals.all_nodes = Signal::unknown("no metrics");
    }
}

/// A busy machine.
pub(crate) fn busy_node() -> Signal<NodesView> {
    Signal::Known(NodesView::Busy {
        cores: 3.5,
        network_bytes_per_minute: 1_000_000.0,
    })
}

/// The proof that cluster `id` has been idle for `age`, as `decide` gives it.
pub(crate) fn proof_of(id: &str, age: Duration) -> Proof {
    let mut world = World::idle();
    world.cluster().id = ClusterId::new(id);
    world.nodes_quiet_for(age);
    proof(&world)
}

/// The proof in `world`, which must have one.
pub(crate) fn proof(world: &World) -> Proof {
    match world.decide() {
        Decision::Terminate(proof) => proof,
        Decision::Keep(reason) => panic!("no proof, because {reason:?}"),
    }
}

/// Copies the answer to `question` from one set of signals to another.
pub(crate) fn answer(question: Question, from: &Signals, to: &mut Signals) {
    match question {
        Question::Pin => to.pinned = from.pinned.clone(),
        Question::ActiveRuns => to.active_run = from.active_run.clone(),
        Question::CompletedRuns => to.last_run_end = from.last_run_end.clone(),
        Question::Spark => to.spark = from.spark.clone(),
        Question::Streaming => to.streaming = from.streaming.clone(),
        Question::Commands => to.command = from.command.clone(),
        Question::Hardware => to.hardware = from.hardware.clone(),
        Question::DriverNode => to.driver_node = from.driver_node.clone(),
        Question::AllNodes => to.all_nodes = from.all_nodes.clone(),
    }
}

/// Takes the answer to `question` away, as if it had never been asked.
pub(crate) fn never_ask(question: Question, signals: &mut Signals) {
    let nothing = Signals::of(signals.cluster.clone());
    answer(question, &nothing, signals);
}

/// Takes the answer to `question` away, as if it had been asked in vain.
pub(crate) fn ask_in_vain(question: Question, signals: &mut Signals) {
    let mut nothing = Signals::of(signals.cluster.clone());
    nothing.pinned = Signal::unknown("lost");
    nothing.active_run = Signal::unknown("lost");
    nothing.last_run_end = Signal::unknown("lost");
    nothing.spark = Signal::unknown("lost");
    nothing.streaming = Signal::unknown("lost");
    nothing.command = Signal::unknown("lost");
    nothing.hardware = Signal::unknown("lost");
    nothing.driver_node = Signal::unknown("lost");
    nothing.all_nodes = Signal::unknown("lost");
    answer(question, &nothing, signals);
}

fn idle_signals() -> Signals {
    let quiet = NodesView::QuietSince(NOW.minus(hours(100)));
    Signals {
        cluster: idle_cluster(),
        pinned: Signal::Known(false),
        active_run: Signal::Known(None),
        last_run_end: Signal::Known(Some(NOW.minus(hours(101)))),
        spark: Signal::Known(idle_spark()),
        streaming: Signal::Known(StreamingView::NoneActive),
        command: Signal::Known(None),
        hardware: Signal::Known(Hardware {
            driver_cores: 4.0,
            worker_cores: 8.0,
            has_gpus: Some(false),
        }),
        driver_node: Signal::Known(quiet.clone()),
        all_nodes: Signal::Known(quiet),
    }
}

pub(crate) fn idle_spark() -> SparkView {
    SparkView {
        application_started: NOW.minus(hours(199)),
        busy: None,
        last_completion: Some(NOW.minus(hours(102))),
        ran_a_job: true,
        last_stream_batch: None,
        forgotten_until: None,
    }
}

pub(crate) fn idle_cluster() -> Cluster {
    let started = Some(NOW.minus(hours(200)));
    let machine = |id: &str| Instance {
        instance_id: Some(id.to_owned()),
        started,
    };
    Cluster {
        id: ClusterId::new("0915-021615-abcd1234"),
        name: "team-x".to_owned(),
        state: ClusterState::Running,
        source: ClusterSource::Ui,
        spark_context_id: Some(SparkContextId("3007070280200869203".to_owned())),
        spark_version: Some("15.4.x-scala2.12".to_owned()),
        tags: vec![("Vendor".to_owned(), "Databricks".to_owned())],
        autotermination_minutes: 0,
        last_activity_time: None,
        last_restarted_time: started,
        last_state_loss_time: started,
        driver: Some(machine("driver")),
        executors: vec![machine("first"), machine("second")],
        node_type_id: Some("Standard_D8s_v5".to_owned()),
        driver_node_type_id: Some("Standard_D4s_v5".to_owned()),
        num_workers: Some(2),
        autoscales: false,
        uses_pool: false,
    }
}

/// The defaults, with both witnesses switched on.
pub(crate) fn default_policy() -> Policy {
    Policy {
        idle_after: hours(2),
        idle_after_one_witness: hours(12),
        streaming_silence: hours(96),
        spark_alone_suffices: false,
        nodes_alone_suffices: false,
        trust_platform_clock: true,
        protect_pinned: false,
        protect_names: Vec::new(),
        exemptions: Vec::new(),
        spark_witness: true,
        nodes_witness: true,
        cap_per_workspace: 10,
        cap_per_sweep: 50,
    }
}
