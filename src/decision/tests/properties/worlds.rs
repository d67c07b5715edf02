//! Strategies for worlds: near the idle one, anywhere at all, and idle for long
//! enough to be terminated.

use std::time::Duration;

use proptest::prelude::*;

use crate::cluster::{Cluster, ClusterSource, ClusterState, Instance, SparkContextId};
use crate::decision::Evidence;
use crate::decision::tests::world::{NOW, World, hours, idle_cluster, idle_spark, minutes};
use crate::policy::{ExemptSelector, Exemption, Glob, Policy};
use crate::signals::{
    Hardware, NodesView, Signal, Signals, SparkView, SparkWork, SparkWorkKind, StreamingView,
};
use crate::timestamp::Timestamp;
use crate::witness::nodes::combine;

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
pub(crate) fn nearly_idle() -> BoxedStrategy<World> {
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

/// What all machines say holds what the driver's says.
fn make_nodes_agree(signals: &mut Signals) {
    if signals.all_nodes != Signal::NotAsked {
        let machines = vec![signals.driver_node.clone(), signals.all_nodes.clone()];
        signals.all_nodes = combine(machines);
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
    let since = instant().prop_map(NodesView::QuietSince);
    let throughout = instant().prop_map(NodesView::QuietThroughout);
    prop_oneof![1 => busy, 2 => since, 2 => throughout].boxed()
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
        prop_oneof![2 => Just(None), 1 => maybe_instant()],
    )
        .prop_map(
            |(application_started, busy, last_completion, ran, batch, forgotten)| SparkView {
                application_started,
                busy,
                last_completion,
                ran_a_job: ran,
                last_stream_batch: batch,
                forgotten_until: forgotten,
            },
        )
        .boxed()
}

fn texts(texts: &[&str]) -> impl Strategy<Value = String> + use<> {
    let texts: Vec<String> = texts.iter().map(|&text| text.to_owned()).collect();
    prop::sample::select(texts)
}

fn tags() -> impl Strategy<Value = Vec<(String, String)>> {
    let keys = texts(&[
        "terminate-clusters",
        "TERMINATE-clusters-keep-until",
        "team",
    ]);
    let values = texts(&[
        "false",
        "",
        "2026-11-21",
        "2026-11-22",
        "9999-12-31",
        "soon",
    ]);
    prop::collection::vec((keys, values), 0..3)
}

fn cluster(mix: Mix) -> BoxedStrategy<Cluster> {
    (kind_of_cluster(mix), times_of_cluster(mix))
        .prop_map(|(kind, times)| Cluster {
            autotermination_minutes: times.autotermination_minutes,
            last_activity_time: times.last_activity_time,
            last_restarted_time: times.last_restarted_time,
            last_state_loss_time: times.last_state_loss_time,
            driver: times.driver,
            ..kind
        })
        .boxed()
}

/// Clusters of every kind with the idle one's times.
fn kind_of_cluster(mix: Mix) -> BoxedStrategy<Cluster> {
    let other = |text: &str| ClusterSource::Other(text.to_owned());
    let sources = vec![ClusterSource::Api, other("JOB"), ClusterSource::Absent];
    let states = vec![
        ClusterState::Resizing,
        ClusterState::Terminating,
        ClusterState::Other("?".to_owned()),
    ];
    let versions = texts(&["15.4.x-gpu-ml-scala2.12", "15.4.x-cpu-ml-scala2.12", ""]);
    let idle = idle_cluster();
    (
        mix.of(ClusterSource::Ui, prop::sample::select(sources)),
        mix.of(ClusterState::Running, prop::sample::select(states)),
        mix.of(Vec::new(), tags()),
        mix.of(idle.spark_context_id.clone(), Just(None::<SparkContextId>)),
        mix.of(idle.spark_version.clone(), prop::option::of(versions)),
        mix.of(idle.num_workers, any::<Option<u64>>()),
        mix.of(false, any::<bool>()),
        mix.of(false, any::<bool>()),
    )
        .prop_map(
            |(source, state, tags, context, version, workers, autoscales, uses_pool)| Cluster {
                source,
                state,
                tags,
                spark_context_id: context,
                spark_version: version,
                num_workers: workers,
                autoscales,
                uses_pool,
                ..idle_cluster()
            },
        )
        .boxed()
}

/// The idle cluster at other times.
fn times_of_cluster(mix: Mix) -> BoxedStrategy<Cluster> {
    let limits = prop_oneof![
        Just(60_u64),
        Just(180),
        Just(5985),
        Just(5986),
        any::<u64>()
    ];
    let started = idle_cluster().last_restarted_time;
    (
        mix.of(None, maybe_instant()),
        mix.of(started, maybe_instant()),
        mix.of(started, maybe_instant()),
        mix.of(started, maybe_instant()),
        mix.of(0, limits),
    )
        .prop_map(
            |(activity, restarted, state_loss, started, limit)| Cluster {
                last_activity_time: activity,
                last_restarted_time: restarted,
                last_state_loss_time: state_loss,
                driver: Some(Instance {
                    instance_id: None,
                    started,
                }),
                autotermination_minutes: limit,
                ..idle_cluster()
            },
        )
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
    pub(super) last_sign: Timestamp,
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
    (
        evidence,
        waits,
        any::<[bool; 2]>(),
        ages,
        any::<[bool; 4]>(),
    )
        .prop_map(|(evidence, waits, rights, ages, flags)| {
            let policy = policy_of(waits, rights);
            idle(evidence, policy, &ages, flags)
        })
        .boxed()
}

fn policy_of(waits: [u64; 3], rights: [bool; 2]) -> Policy {
    let [both, more, silence] = waits.map(minutes);
    Policy {
        idle_after: both,
        idle_after_one_witness: both.saturating_add(more),
        streaming_silence: silence,
        spark_alone_suffices: rights[0],
        nodes_alone_suffices: rights[1],
        ..World::idle().policy
    }
}

fn idle(evidence: Evidence, policy: Policy, ages: &[u64], flags: [bool; 4]) -> Idle {
    let [distrust, throughout, strong, switched_off] = flags;
    let one = policy.idle_after_one_witness;
    let threshold = match evidence {
        Evidence::Both => policy.idle_after,
        Evidence::SparkAlone => one,
        Evidence::NodesAlone if policy.nodes_alone_suffices => one,
        Evidence::NodesAlone => one.max(policy.streaming_silence),
    };
    let mut world = World::idle();
    world.policy = policy;
    let ago = |sign: usize| NOW.minus(threshold.saturating_add(minutes(ages[sign])));
    let mut signs = quiet_record(&mut world, [ago(0), ago(1), ago(2)]);
    if evidence == Evidence::NodesAlone {
        world.policy.spark_witness = !switched_off;
        world.lose_spark();
    } else {
        world.spark().application_started = ago(3);
        world.spark().last_completion = Some(ago(4));
        signs.extend([ago(3), ago(4)]);
    }
    let mut known_from = None;
    if evidence == Evidence::SparkAlone {
        world.policy.nodes_witness = !switched_off;
        world.lose_nodes();
    } else if throughout {
        known_from = Some(ago(5));
        world.nodes_say(NodesView::QuietThroughout(ago(5)));
    } else {
        world.nodes_say(NodesView::QuietSince(ago(5)));
        signs.push(ago(5));
    }
    let weakness_counts = evidence == Evidence::SparkAlone && !world.policy.spark_alone_suffices;
    if evidence != Evidence::NodesAlone && !weakness_counts {
        world.cluster().num_workers = strong.then_some(2);
        world.spark().ran_a_job = strong;
    }
    let last_sign = signs.into_iter().max().unwrap_or(NOW);
    let quiet_since = last_sign.max(known_from.unwrap_or(last_sign));
    world.policy.trust_platform_clock = !distrust;
    world.cluster().autotermination_minutes = if distrust {
        1
    } else {
        // As long as the quiet, less the margin: one minute later it would speak.
        let quiet = NOW.since(quiet_since).as_secs() / 60;
        quiet.saturating_sub(15).saturating_add(ages[6] % 2)
    };
    Idle {
        world,
        evidence,
        threshold,
        quiet_since,
        last_sign,
    }
}

/// Start, stamp and end of a run at these times.
fn quiet_record(world: &mut World, [start, stamp, run]: [Timestamp; 3]) -> Vec<Timestamp> {
    world.cluster().last_restarted_time = Some(start);
    world.cluster().last_state_loss_time = None;
    world.cluster().driver = None;
    world.cluster().last_activity_time = Some(stamp);
    world.signals.last_run_end = Signal::Known(Some(run));
    vec![start, stamp, run]
}
