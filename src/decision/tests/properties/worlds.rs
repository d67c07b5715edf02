//! Strategies for worlds: near the idle one, anywhere at all, and idle for long
//! enough to be terminated.

use std::time::Duration;

use proptest::prelude::*;

use crate::cluster::{Cluster, ClusterSource, ClusterState, SparkContextId};
use crate::decision::Evidence;
use crate::decision::tests::world::{NOW, World, hours, idle_cluster, idle_spark, minutes};
use crate::policy::{ExemptSelector, Exemption, Glob, Policy};
use crate::signals::{
    Hardware, NodesView, Signal, Signals, SparkView, SparkWork, SparkWorkKind, StreamingView,
};
use crate::timestamp::Timestamp;

/// How a value that the idle world has is mixed with any other.
#[derive(Debug, Clone, Copy)]
struct Mix {
    idle: u32,
    other: u32,
}

/// Few values differ from the idle world's.
const NEAR: Mix = Mix { idle: 30, other: 1 };

/// Most values do.
const FAR: Mix = Mix { idle: 1, other: 2 };

impl Mix {
    fn of<T: Clone + std::fmt::Debug + 'static>(
        self,
        idle: T,
        other: impl Strategy<Value = T> + 'static,
    ) -> BoxedStrategy<T> {
        prop_oneof![self.idle => Just(idle), self.other => other].boxed()
    }
}

/// Worlds that differ from the idle one in a few values.
pub(super) fn nearly_idle() -> BoxedStrategy<World> {
    world(NEAR, Just(NOW).boxed())
        .prop_map(|mut world| {
            make_nodes_agree(&mut world.signals);
            world
        })
        .boxed()
}

/// Worlds that no sweep will ever meet.
pub(super) fn anything() -> BoxedStrategy<World> {
    world(FAR, instant())
}

fn world(mix: Mix, now: BoxedStrategy<Timestamp>) -> BoxedStrategy<World> {
    (signals(mix), policy(mix), now)
        .prop_map(|(signals, policy, now)| World {
            signals,
            policy,
            now,
        })
        .boxed()
}

/// All machines together are never quieter than the driver's alone.
fn make_nodes_agree(signals: &mut Signals) {
    let Signal::Known(driver) = &signals.driver_node else {
        return;
    };
    if let Signal::Known(all) = &mut signals.all_nodes {
        match (driver, &all) {
            (NodesView::Busy { .. }, _) => *all = driver.clone(),
            (NodesView::QuietSince(driver), NodesView::QuietSince(since)) => {
                *all = NodesView::QuietSince(*driver.max(since));
            }
            (NodesView::QuietSince(_), NodesView::Busy { .. }) => {}
        }
    }
}

/// Instants around every limit, at the ends of time, and anywhere before `NOW`.
fn instant() -> BoxedStrategy<Timestamp> {
    let limits = [
        minutes(0),
        minutes(5),
        minutes(75),
        hours(2),
        hours(3),
        hours(12),
        hours(24),
        hours(96),
        hours(100),
    ];
    let around = (
        prop::sample::select(limits.to_vec()),
        -1_i64..=1,
        any::<bool>(),
    )
        .prop_map(|(distance, ticks, ahead)| {
            let at = if ahead {
                NOW.plus(distance)
            } else {
                NOW.minus(distance)
            };
            Timestamp::from_millis(at.as_millis() + ticks)
        });
    prop_oneof![
        4 => around,
        4 => (0..hours(200).as_secs()).prop_map(|ago| NOW.minus(Duration::from_secs(ago))),
        1 => prop::sample::select(vec![i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX])
            .prop_map(Timestamp::from_millis),
    ]
    .boxed()
}

fn maybe_instant() -> BoxedStrategy<Option<Timestamp>> {
    prop::option::of(instant()).boxed()
}

fn wait() -> BoxedStrategy<Duration> {
    let waits = vec![
        Duration::ZERO,
        Duration::from_millis(1),
        minutes(30),
        hours(2),
        hours(12),
        hours(24),
        hours(96),
        hours(101),
        Duration::MAX,
    ];
    prop::sample::select(waits).boxed()
}

/// Any answer, one in vain, or none.
fn signal<T: Clone + std::fmt::Debug + 'static>(
    mix: Mix,
    idle: T,
    other: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<Signal<T>> {
    let answered = other.prop_map(Signal::Known);
    let unknown = Just(Signal::unknown("lost"));
    let other = prop_oneof![6 => answered, 3 => unknown, 1 => Just(Signal::NotAsked)];
    mix.of(Signal::Known(idle), other)
}

fn signals(mix: Mix) -> BoxedStrategy<Signals> {
    let idle = World::idle().signals;
    let quiet = NodesView::QuietSince(NOW.minus(hours(100)));
    let run_end = idle.last_run_end.known().copied().flatten();
    let streaming = prop::sample::select(vec![
        StreamingView::Active,
        StreamingView::NoneActive,
        StreamingView::NeverAny,
    ]);
    let asked = (
        signal(mix, false, any::<bool>()),
        signal(mix, None, prop::option::of("[a-z ]{0,9}")),
        signal(mix, run_end, maybe_instant()),
        signal(mix, idle_spark(), spark(mix)),
        signal(mix, StreamingView::NoneActive, streaming),
        signal(mix, None, prop::option::of("[a-z ]{0,9}")),
        signal(mix, no_gpus(), hardware()),
        signal(mix, quiet.clone(), nodes()),
        signal(mix, quiet, nodes()),
    );
    (cluster(mix), asked)
        .prop_map(|(cluster, asked)| {
            let (pinned, active_run, last_run_end, spark, streaming) =
                (asked.0, asked.1, asked.2, asked.3, asked.4);
            let (command, hardware, driver_node, all_nodes) = (asked.5, asked.6, asked.7, asked.8);
            Signals {
                cluster,
                pinned,
                active_run,
                last_run_end,
                spark,
                streaming,
                command,
                hardware,
                driver_node,
                all_nodes,
            }
        })
        .boxed()
}

fn no_gpus() -> Hardware {
    Hardware {
        driver_cores: 4.0,
        worker_cores: 8.0,
        has_gpus: Some(false),
    }
}

fn hardware() -> BoxedStrategy<Hardware> {
    let numbers = any::<f64>;
    (numbers(), numbers(), any::<Option<bool>>())
        .prop_map(|(driver_cores, worker_cores, has_gpus)| Hardware {
            driver_cores,
            worker_cores,
            has_gpus,
        })
        .boxed()
}

fn nodes() -> BoxedStrategy<NodesView> {
    let busy = (any::<f64>(), any::<f64>()).prop_map(|(cores, network_bytes_per_minute)| {
        NodesView::Busy {
            cores,
            network_bytes_per_minute,
        }
    });
    prop_oneof![1 => busy, 4 => instant().prop_map(NodesView::QuietSince)].boxed()
}

fn spark(mix: Mix) -> BoxedStrategy<SparkView> {
    let idle = idle_spark();
    let kinds = vec![SparkWorkKind::Job, SparkWorkKind::Stage, SparkWorkKind::Sql];
    let work = (
        prop::sample::select(kinds),
        "[a-z 0-9]{0,9}",
        maybe_instant(),
    );
    let work = work.prop_map(|(kind, label, since)| SparkWork { kind, label, since });
    (
        mix.of(idle.application_started, instant()),
        mix.of(None, work.prop_map(Some)),
        mix.of(idle.last_completion, maybe_instant()),
        mix.of(true, any::<bool>()),
        prop_oneof![2 => Just(None), 1 => maybe_instant()],
    )
        .prop_map(
            |(application_started, busy, last_completion, ran, batch)| SparkView {
                application_started,
                busy,
                last_completion,
                ran_a_job: ran,
                last_stream_batch: batch,
            },
        )
        .boxed()
}

fn cluster(mix: Mix) -> BoxedStrategy<Cluster> {
    let text = |texts: &[&str]| {
        let texts: Vec<String> = texts.iter().map(|&text| text.to_owned()).collect();
        prop::sample::select(texts)
    };
    let sources = vec![
        ClusterSource::Api,
        ClusterSource::Other("JOB".to_owned()),
        ClusterSource::Absent,
    ];
    let states = vec![
        ClusterState::Resizing,
        ClusterState::Terminating,
        ClusterState::Other("?".to_owned()),
    ];
    let keys = text(&[
        "terminate-clusters",
        "TERMINATE-clusters-keep-until",
        "team",
    ]);
    let values = text(&[
        "false",
        "",
        "2026-11-21",
        "2026-11-22",
        "9999-12-31",
        "soon",
    ]);
    let versions = text(&["15.4.x-gpu-ml-scala2.12", "15.4.x-cpu-ml-scala2.12", ""]);
    let idle = idle_cluster();
    let record = (
        mix.of(ClusterSource::Ui, prop::sample::select(sources)),
        mix.of(ClusterState::Running, prop::sample::select(states)),
        mix.of(Vec::new(), prop::collection::vec((keys, values), 0..3)),
        mix.of(idle.spark_context_id.clone(), Just(None::<SparkContextId>)),
        mix.of(idle.spark_version.clone(), prop::option::of(versions)),
        mix.of(idle.num_workers, any::<Option<u64>>()),
        mix.of(false, any::<bool>()),
        mix.of(false, any::<bool>()),
    );
    let autotermination = prop_oneof![
        Just(60_u64),
        Just(180),
        Just(5985),
        Just(5986),
        any::<u64>()
    ];
    let times = (
        mix.of(None, maybe_instant()),
        mix.of(idle.last_restarted_time, maybe_instant()),
        mix.of(idle.last_state_loss_time, maybe_instant()),
        mix.of(idle.last_restarted_time, maybe_instant()),
        mix.of(0, autotermination),
    );
    (record, times)
        .prop_map(move |(record, times)| {
            let mut cluster = idle.clone();
            (cluster.source, cluster.state) = (record.0, record.1);
            cluster.tags = record.2;
            cluster.spark_context_id = record.3;
            cluster.spark_version = record.4;
            cluster.num_workers = record.5;
            (cluster.autoscales, cluster.uses_pool) = (record.6, record.7);
            cluster.last_activity_time = times.0;
            cluster.last_restarted_time = times.1;
            cluster.last_state_loss_time = times.2;
            if let Some(driver) = &mut cluster.driver {
                driver.started = times.3;
            }
            cluster.autotermination_minutes = times.4;
            cluster
        })
        .boxed()
}

fn policy(mix: Mix) -> BoxedStrategy<Policy> {
    let globs = prop::sample::select(vec!["team-?", "nightly-*", "*", ""]);
    let globs = globs.prop_map(|glob| vec![Glob::new(glob)]);
    let exemption = (any::<bool>(), instant()).prop_map(|(by_id, until)| {
        let selector = if by_id {
            ExemptSelector::Id(idle_cluster().id.as_str().to_owned())
        } else {
            ExemptSelector::Name(Glob::new("team-*"))
        };
        vec![Exemption {
            selector,
            until,
            until_day: until.to_string(),
            reason: "audit".to_owned(),
        }]
    });
    let waits = (
        mix.of(hours(2), wait()),
        mix.of(hours(12), wait()),
        mix.of(hours(96), wait()),
    );
    let switches = (
        any::<[bool; 2]>(),
        mix.of(true, any::<bool>()),
        mix.of(false, any::<bool>()),
        mix.of(true, any::<bool>()),
        mix.of(true, any::<bool>()),
    );
    let guards = (mix.of(Vec::new(), globs), mix.of(Vec::new(), exemption));
    (waits, switches, guards)
        .prop_map(|(waits, switches, (protect_names, exemptions))| Policy {
            idle_after: waits.0,
            idle_after_one_witness: waits.1,
            streaming_silence: waits.2,
            spark_alone_suffices: switches.0[0],
            nodes_alone_suffices: switches.0[1],
            trust_platform_clock: switches.1,
            protect_pinned: switches.2,
            protect_names,
            exemptions,
            spark_witness: switches.3,
            nodes_witness: switches.4,
            cap_per_workspace: 10,
            cap_per_sweep: 50,
        })
        .boxed()
}

/// A world that must be terminated, and the proof that must come of it.
#[derive(Debug, Clone)]
pub(super) struct Idle {
    pub(super) world: World,
    pub(super) evidence: Evidence,
    pub(super) threshold: Duration,
    pub(super) quiet_since: Timestamp,
}

/// Clusters of any kind that are quiet for at least as long as their evidence
/// asks for, by every sign, under any policy that an operator could write.
pub(super) fn idle_for_long() -> BoxedStrategy<Idle> {
    let evidence = prop::sample::select(vec![
        Evidence::Both,
        Evidence::SparkAlone,
        Evidence::NodesAlone,
    ]);
    let waits = [1..3000_u64, 0..3000, 0..3000];
    // How much longer than needed each of the signs has been quiet, in minutes.
    let ages = prop::collection::vec(0..10_000_u64, 7);
    (evidence, waits, ages, any::<[bool; 5]>())
        .prop_map(|(evidence, waits, ages, flags)| idle(evidence, waits, &ages, flags))
        .boxed()
}

fn idle(evidence: Evidence, waits: [u64; 3], ages: &[u64], flags: [bool; 5]) -> Idle {
    let [both, more, silence] = waits.map(minutes);
    let [
        spark_suffices,
        nodes_suffice,
        distrust,
        strong,
        switched_off,
    ] = flags;
    let mut world = World::idle();
    world.policy.idle_after = both;
    world.policy.idle_after_one_witness = both.saturating_add(more);
    world.policy.streaming_silence = silence;
    world.policy.spark_alone_suffices = spark_suffices;
    world.policy.nodes_alone_suffices = nodes_suffice;
    let one = world.policy.idle_after_one_witness;
    let threshold = match evidence {
        Evidence::Both => both,
        Evidence::SparkAlone => one,
        Evidence::NodesAlone if nodes_suffice => one,
        Evidence::NodesAlone => one.max(silence),
    };
    let ago = |sign: usize| NOW.minus(threshold.saturating_add(minutes(ages[sign])));
    world.cluster().last_restarted_time = Some(ago(0));
    world.cluster().last_state_loss_time = Some(ago(0));
    world.cluster().driver = None;
    world.cluster().last_activity_time = Some(ago(1));
    world.signals.last_run_end = Signal::Known(Some(ago(2)));
    world.spark().application_started = ago(3);
    world.spark().last_completion = Some(ago(4));
    world.spark().last_stream_batch = None;
    let mut signs = vec![ago(0), ago(1), ago(2)];
    if evidence == Evidence::NodesAlone {
        world.policy.spark_witness = !switched_off;
        world.lose_spark();
    } else {
        signs.extend([ago(3), ago(4)]);
    }
    if evidence == Evidence::SparkAlone {
        world.policy.nodes_witness = !switched_off;
        world.lose_nodes();
    } else {
        world.signals.driver_node = Signal::Known(NodesView::QuietSince(ago(5)));
        world.signals.all_nodes = Signal::Known(NodesView::QuietSince(ago(5)));
        signs.push(ago(5));
    }
    if evidence == Evidence::Both || (evidence == Evidence::SparkAlone && spark_suffices) {
        world.cluster().num_workers = strong.then_some(2);
        world.spark().ran_a_job = strong;
    }
    let quiet_since = signs.into_iter().max().unwrap_or(NOW);
    let quiet_minutes = NOW.since(quiet_since).as_secs() / 60;
    world.policy.trust_platform_clock = !distrust;
    world.cluster().autotermination_minutes = if distrust {
        1
    } else {
        quiet_minutes.saturating_sub(15).saturating_add(ages[6] % 2)
    };
    Idle {
        world,
        evidence,
        threshold,
        quiet_since,
    }
}
