//! The tables of the design, row by row: what each witness and each further
//! signal says, what it says nothing about, and after how long which evidence
//! suffices.

use super::Row;
use super::world::{NOW, World, hours, idle_cluster, minutes, proof};
use crate::decision::{Decision, Evidence, KeepReason, longest_wait};
use crate::policy::{ExemptSelector, Exemption, Glob};
use crate::signals::{NodesView, Signal, SparkWorkKind, StreamingView};

/// "How long, by how much evidence".
const HOW_LONG: &[(&str, &[Row])] = &[
    (
        "both",
        &[
            terminates!("an idle cluster", |_| {}, Both after 2),
            terminates!(
                "no query since the application started",
                |world| world.signals.streaming = Signal::Known(StreamingView::NeverAny),
                Both after 2,
            ),
            terminates!(
                "executors that nobody asked about, because Spark is quiet",
                |world| world.signals.all_nodes = Signal::NotAsked,
                Both after 2,
            ),
            terminates!(
                "a single node with GPUs, a machine-learning runtime and no Spark job",
                |world| {
                    world.cluster().num_workers = Some(0);
                    world.cluster().spark_version = Some("15.4.x-gpu-ml-scala2.12".to_owned());
                    world.cluster().uses_pool = true;
                    world.spark().ran_a_job = false;
                    world.spark().last_completion = None;
                },
                Both after 2,
            ),
        ],
    ),
    (
        "Spark alone",
        &[
            terminates!("no metrics", World::lose_nodes, SparkAlone after 12),
            terminates!(
                "the nodes witness switched off",
                |world| world.policy.nodes_witness = false,
                SparkAlone after 12,
            ),
            terminates!(
                "an autoscaling cluster, which tells no number of workers",
                |world| {
                    world.lose_nodes();
                    world.cluster().num_workers = None;
                    world.cluster().autoscales = true;
                },
                SparkAlone after 12,
            ),
            terminates!(
                "everything that makes it weak, and the right granted",
                |world| {
                    world.lose_nodes();
                    world.policy.spark_alone_suffices = true;
                    world.cluster().num_workers = Some(0);
                    world.cluster().spark_version = None;
                    world.signals.hardware = Signal::unknown("403");
                    world.spark().ran_a_job = false;
                    world.spark().last_completion = None;
                },
                SparkAlone after 12,
            ),
        ],
    ),
    (
        "nodes alone",
        &[
            terminates!("no Spark", World::lose_spark, NodesAlone after 96),
            terminates!(
                "the Spark witness switched off",
                |world| world.policy.spark_witness = false,
                NodesAlone after 96,
            ),
            terminates!(
                "a quiet Spark that may hide a stream",
                World::lose_streaming,
                NodesAlone after 96,
            ),
            terminates!(
                "one witness's wait longer than a stream's silence",
                |world| {
                    world.lose_spark();
                    world.policy.idle_after_one_witness = hours(98);
                },
                NodesAlone after 98,
            ),
            terminates!(
                "the right granted",
                |world| {
                    world.lose_spark();
                    world.policy.nodes_alone_suffices = true;
                },
                NodesAlone after 12,
            ),
            terminates!(
                "a single node on a machine-learning runtime, which its metrics do show",
                |world| {
                    world.lose_spark();
                    world.cluster().num_workers = Some(0);
                    world.cluster().spark_version = Some("15.4.x-cpu-ml-scala2.12".to_owned());
                },
                NodesAlone after 96,
            ),
        ],
    ),
    (
        "none",
        &[keeps!(
            "every right granted and no witness",
            |world| {
                world.lose_spark();
                world.lose_nodes();
                world.policy.spark_alone_suffices = true;
                world.policy.nodes_alone_suffices = true;
            },
            KeepReason::NoWitness,
        )],
    ),
    (
        "less evidence is never enough sooner",
        &[
            terminates!(
                "Spark alone under a policy that asks more of two witnesses",
                |world| {
                    world.lose_nodes();
                    world.policy.idle_after = hours(50);
                },
                SparkAlone after 50,
            ),
            terminates!(
                "nodes alone, the right granted, under such a policy",
                |world| {
                    world.lose_spark();
                    world.policy.nodes_alone_suffices = true;
                    world.policy.idle_after = hours(50);
                },
                NodesAlone after 50,
            ),
        ],
    ),
];

/// The witnesses and the further signals, where they say nothing. Where they
/// keep a cluster, each is a reason of its own and has its rows there.
const SAYS_NOTHING: &[(&str, &[Row])] = &[
    (
        "Spark",
        &[
            terminates!(
                "traces of a stream that the page says has ended",
                |world| world.spark().last_stream_batch = Some(world.now.minus(hours(3))),
                Both after 2,
            ),
            terminates!(
                "traces of a stream, silent for longer than streams may be",
                |world| {
                    world.lose_streaming();
                    world.spark().last_stream_batch = Some(world.now.minus(hours(97)));
                },
                NodesAlone after 96,
            ),
            terminates!(
                "a history that Spark has forgotten, where the page says that no query is active",
                |world| world.spark().forgotten_until = Some(world.now.minus(hours(3))),
                Both after 2,
            ),
            terminates!(
                "a history that was forgotten longer ago than streams may be silent",
                |world| {
                    world.lose_streaming();
                    world.spark().forgotten_until = Some(world.now.minus(hours(97)));
                },
                NodesAlone after 96,
            ),
            terminates!(
                "no job since the application started, beside quiet nodes",
                |world| {
                    world.spark().ran_a_job = false;
                    world.spark().last_completion = None;
                },
                Both after 2,
            ),
        ],
    ),
    (
        "completed runs",
        &[
            terminates!(
                "no run since the records begin",
                |world| world.signals.last_run_end = Signal::Known(None),
                Both after 2,
            ),
            terminates!(
                "a walk that was cut short",
                |world| world.signals.last_run_end = Signal::unknown("page cap"),
                Both after 2,
            ),
        ],
    ),
    (
        "the platform's own clock",
        &[
            terminates!(
                "no autotermination",
                |world| world.cluster().autotermination_minutes = 0,
                Both after 2,
            ),
            terminates!(
                "autotermination later than the quiet lasts",
                |world| world.cluster().autotermination_minutes = 100 * 60,
                Both after 2,
            ),
            terminates!(
                "a clock that the operator does not trust",
                |world| {
                    world.cluster().autotermination_minutes = 10;
                    world.policy.trust_platform_clock = false;
                },
                Both after 2,
            ),
            terminates!(
                "more minutes than time has",
                |world| world.cluster().autotermination_minutes = u64::MAX,
                Both after 2,
            ),
        ],
    ),
    (
        "last_activity_time",
        &[
            terminates!(
                "an old stamp",
                |world| world.cluster().last_activity_time = Some(world.now.minus(hours(90))),
                Both after 2,
            ),
            terminates!(
                "a stamp an hour ahead",
                |world| world.cluster().last_activity_time = Some(world.now.plus(hours(1))),
                Both after 2,
            ),
        ],
    ),
    (
        "running commands",
        &[terminates!(
            "threads that could not be read",
            |world| world.signals.command = Signal::unknown("404"),
            Both after 2,
        )],
    ),
    (
        "tags, names, pins and dates",
        &[
            terminates!(
                "a tag that lifts the protection",
                |world| world.add_tag("terminate-clusters", "false"),
                Both after 2,
            ),
            terminates!(
                "the same in capitals and between blanks",
                |world| world.add_tag("terminate-clusters", " FALSE "),
                Both after 2,
            ),
            terminates!(
                "a key that only begins like ours",
                |world| world.add_tag("terminate-clusters-never", ""),
                Both after 2,
            ),
            terminates!(
                "a day that is over",
                |world| world.add_tag("terminate-clusters-keep-until", "2026-11-21"),
                Both after 2,
            ),
            terminates!(
                "patterns that cover other names, an empty one among them",
                |world| {
                    world.protect_name("");
                    world.protect_name("team");
                    world.protect_name("*-y");
                },
                Both after 2,
            ),
            terminates!(
                "a pin where pins do not protect",
                |world| world.signals.pinned = Signal::Known(true),
                Both after 2,
            ),
            terminates!(
                "an unknown pin where pins do not protect",
                |world| world.signals.pinned = Signal::unknown("403"),
                Both after 2,
            ),
            terminates!(
                "no pin where pins protect",
                |world| world.policy.protect_pinned = true,
                Both after 2,
            ),
            terminates!(
                "an exemption that is over",
                |world| world.policy.exemptions.push(Exemption {
                    selector: ExemptSelector::Name(Glob::new("*")),
                    until: world.now,
                    until_day: "2026-11-21".to_owned(),
                    reason: "audit".to_owned(),
                }),
                Both after 2,
            ),
            terminates!(
                "an exemption of another cluster, whose id is the beginning of ours",
                |world| world.policy.exemptions.push(Exemption {
                    selector: ExemptSelector::Id("0915-021615".to_owned()),
                    until: world.now.plus(hours(1)),
                    until_day: "2026-11-22".to_owned(),
                    reason: "audit".to_owned(),
                }),
                Both after 2,
            ),
        ],
    ),
    (
        "start",
        &[
            terminates!(
                "no start but the application's",
                |world| {
                    let cluster = world.cluster();
                    cluster.last_restarted_time = None;
                    cluster.last_state_loss_time = None;
                    cluster.driver = None;
                },
                Both after 2,
            ),
            terminates!(
                "no start but the one of the driver's machine",
                |world| {
                    world.lose_spark();
                    world.cluster().last_restarted_time = None;
                    world.cluster().last_state_loss_time = None;
                },
                NodesAlone after 96,
            ),
        ],
    ),
];

fn check(tables: &[(&str, &[Row])]) {
    for (name, rows) in tables {
        assert!(!rows.is_empty(), "{name}");
        for row in *rows {
            let _ = row.check();
        }
    }
}

#[test]
fn terminates_after_as_long_as_the_evidence_asks_for() {
    check(HOW_LONG);
}

#[test]
fn nothing_is_made_of_a_signal_that_says_nothing() {
    check(SAYS_NOTHING);
}

#[test]
fn cluster_is_quiet_since_the_latest_of_all_known_signs() {
    type Sign = (&'static str, fn(&mut World));
    let at = NOW.minus(hours(3));
    let signs: [Sign; 8] = [
        ("a restart", |world| {
            world.cluster().last_restarted_time = Some(NOW.minus(hours(3)));
        }),
        ("a loss of the driver's state", |world| {
            world.cluster().last_state_loss_time = Some(NOW.minus(hours(3)));
        }),
        ("a new machine for the driver", |world| {
            if let Some(driver) = &mut world.cluster().driver {
                driver.started = Some(NOW.minus(hours(3)));
            }
        }),
        ("a new application", |world| {
            world.spark().application_started = NOW.minus(hours(3));
        }),
        ("a completion in Spark", |world| {
            world.spark().last_completion = Some(NOW.minus(hours(3)));
        }),
        ("the end of a run", |world| {
            world.signals.last_run_end = Signal::Known(Some(NOW.minus(hours(3))));
        }),
        ("the end of work on the nodes", |world| {
            world.nodes_quiet_for(hours(3));
        }),
        ("the platform's stamp", |world| {
            world.cluster().last_activity_time = Some(NOW.minus(hours(3)));
        }),
    ];
    for (sign, change) in signs {
        let mut world = World::idle();
        change(&mut world);
        assert_eq!(proof(&world).quiet_since(), at, "{sign}");
    }
    let mut batch = World::idle();
    batch.spark().last_stream_batch = Some(at);
    assert_eq!(proof(&batch).quiet_since(), at, "a batch of a stream");
}

#[test]
fn start_of_the_metrics_bounds_the_quiet_and_is_no_sign_of_life() {
    let from = NOW.minus(hours(3));
    let mut world = World::idle();
    world.nodes_say(NodesView::QuietThroughout(from));
    let bounded = proof(&world);
    assert_eq!(bounded.quiet_since(), from);
    assert_eq!(bounded.last_sign(), NOW.minus(hours(101)));
    world.nodes_say(NodesView::QuietThroughout(NOW.minus(hours(150))));
    let unbounded = proof(&world);
    assert_eq!(unbounded.quiet_since(), NOW.minus(hours(101)));
    assert_eq!(unbounded.last_sign(), NOW.minus(hours(101)));
    world.nodes_say(NodesView::QuietThroughout(NOW.minus(hours(1))));
    let Decision::Keep(KeepReason::QuietTooShort { quiet }) = world.decide() else {
        panic!("{:?}", world.decide());
    };
    assert_eq!(quiet.since, NOW.minus(hours(1)));
}

#[test]
fn unknown_witness_adds_nothing_to_the_quiet() {
    let mut world = World::idle();
    world.spark().last_completion = Some(NOW.minus(hours(98)));
    assert_eq!(proof(&world).quiet_since(), NOW.minus(hours(98)));
    world.lose_spark();
    assert_eq!(proof(&world).quiet_since(), NOW.minus(hours(100)));
}

#[test]
fn quiet_spark_that_may_hide_a_stream_keeps_its_veto() {
    let mut world = World::idle();
    world.lose_streaming();
    world.spark().last_completion = Some(NOW.minus(hours(50)));
    let Decision::Keep(KeepReason::QuietTooShort { quiet }) = world.decide() else {
        panic!("{:?}", world.decide());
    };
    assert_eq!(quiet.evidence, Evidence::NodesAlone);
    assert_eq!(quiet.since, NOW.minus(hours(50)));
}

#[test]
fn beside_spark_the_driver_speaks_and_alone_every_machine_does() {
    let mut world = World::idle();
    world.signals.all_nodes = Signal::Known(NodesView::QuietSince(NOW.minus(hours(97))));
    assert_eq!(proof(&world).quiet_since(), NOW.minus(hours(100)));
    world.lose_spark();
    assert_eq!(proof(&world).quiet_since(), NOW.minus(hours(97)));
}

#[test]
fn proof_names_the_cluster_its_life_and_the_look() {
    let world = World::idle();
    let proof = proof(&world);
    assert_eq!(*proof.cluster(), idle_cluster().id);
    assert_eq!(proof.quiet_since(), NOW.minus(hours(100)));
    assert_eq!(proof.decided_at(), NOW);
}

#[test]
fn machines_are_read_as_far_back_as_the_longest_wait_that_could_apply() {
    let wait = |change: fn(&mut World)| {
        let mut world = World::idle();
        change(&mut world);
        longest_wait(&world.signals, &world.policy)
    };
    assert_eq!(wait(|_| {}), hours(2));
    assert_eq!(wait(World::lose_streaming), hours(96));
    assert_eq!(wait(World::lose_spark), hours(96));
    let granted = wait(|world| {
        world.lose_spark();
        world.policy.nodes_alone_suffices = true;
    });
    assert_eq!(granted, hours(12));
    let backward = wait(|world| {
        world.lose_spark();
        world.policy.nodes_alone_suffices = true;
        world.policy.idle_after = hours(50);
    });
    assert_eq!(backward, hours(50));
    let busy = wait(|world| world.spark_works(SparkWorkKind::Job, minutes(1)));
    assert_eq!(busy, hours(24));
    let busy_and_slow = wait(|world| {
        world.spark_works(SparkWorkKind::Job, minutes(1));
        world.policy.idle_after = hours(30);
    });
    assert_eq!(busy_and_slow, hours(30));
}
