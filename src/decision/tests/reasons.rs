//! One table with rows for every reason to keep a cluster.
//!
//! The table is also the exhaustive match over `KeepReason`: a variant without a
//! row does not compile. The parts of a reason that are enumerations themselves
//! are listed in the same way, and every one of them must come out of some row.

use std::collections::BTreeSet;

use super::Row;
use super::world::{World, busy_node, hours, idle_cluster, minutes};
use crate::cluster::{ClusterSource, ClusterState};
use crate::decision::{
    ActivitySign, Decision, Evidence, KeepReason, Question, RequiredSignal, StreamTrace, Weakness,
};
use crate::policy::{ExemptSelector, Exemption, Glob};
use crate::signals::{NodesView, Signal, SparkWork, SparkWorkKind, StreamingView};
use crate::timestamp::Timestamp;

/// Makes the match from a reason to its variant's name, and the rows under it.
macro_rules! rows_for_every_reason {
    ($($variant:ident: [$($row:expr),+ $(,)?],)+) => {
        fn variant_of(reason: &KeepReason) -> &'static str {
            match reason {
                $(KeepReason::$variant { .. } => stringify!($variant),)+
            }
        }

        const ROWS: &[(&str, &[Row])] = &[$((stringify!($variant), &[$($row),+])),+];
    };
}

/// Makes a list of an enumeration's variants and the match to their names.
macro_rules! every_variant {
    ($list:ident, $name_of:ident, $enumeration:ident: $($variant:ident),+ $(,)?) => {
        const $list: &[&str] = &[$(stringify!($variant)),+];

        fn $name_of(value: &$enumeration) -> &'static str {
            match value {
                $($enumeration::$variant { .. } => stringify!($variant)),+
            }
        }
    };
}

every_variant!(SIGNS, sign_of, ActivitySign: RunEnded, LastActivityTime);
every_variant!(TRACES, trace_of, StreamTrace: Batch, Forgotten);
every_variant!(REQUIRED, required_of, RequiredSignal: ActiveRuns, Start, SparkContextId, Pin, NotAsked);
every_variant!(WEAKNESSES, weakness_of, Weakness: SingleNode, Gpu, MlRuntime, NoSparkJobYet, NodesBlindToGpu, NodesOfAPool);
every_variant!(WORK, work_of, SparkWorkKind: Job, Stage, Sql);
every_variant!(EVIDENCE, evidence_of, Evidence: Both, SparkAlone, NodesAlone);

rows_for_every_reason! {
    NotAllPurpose: [
        keeps!(
            "a cluster of a job",
            |world| world.cluster().source = ClusterSource::Other("JOB".to_owned()),
            KeepReason::NotAllPurpose { source } if source == "JOB",
        ),
        keeps!(
            "a source that nobody has heard of",
            |world| world.cluster().source = ClusterSource::Other("ui".to_owned()),
            KeepReason::NotAllPurpose { source } if source == "ui",
        ),
        keeps!(
            "no source at all",
            |world| world.cluster().source = ClusterSource::Absent,
            KeepReason::NotAllPurpose { .. },
        ),
    ],
    NotRunning: [
        keeps!(
            "a cluster that is being resized",
            |world| world.cluster().state = ClusterState::Resizing,
            KeepReason::NotRunning { state } if state == "RESIZING",
        ),
        keeps!(
            "a cluster that is being restarted",
            |world| world.cluster().state = ClusterState::Restarting,
            KeepReason::NotRunning { state } if state == "RESTARTING",
        ),
        keeps!(
            "a cluster that is yet to run",
            |world| world.cluster().state = ClusterState::Pending,
            KeepReason::NotRunning { .. },
        ),
        keeps!(
            "a cluster that is ending",
            |world| world.cluster().state = ClusterState::Terminating,
            KeepReason::NotRunning { .. },
        ),
        keeps!(
            "a cluster that has ended",
            |world| world.cluster().state = ClusterState::Terminated,
            KeepReason::NotRunning { .. },
        ),
        keeps!(
            "a state that nobody has heard of",
            |world| world.cluster().state = ClusterState::Other("HIBERNATED".to_owned()),
            KeepReason::NotRunning { state } if state == "HIBERNATED",
        ),
    ],
    ProtectedByTag: [
        keeps!(
            "a tag with a value",
            |world| world.add_tag("terminate-clusters", "never"),
            KeepReason::ProtectedByTag,
        ),
        keeps!(
            "an empty tag",
            |world| world.add_tag("terminate-clusters", ""),
            KeepReason::ProtectedByTag,
        ),
        keeps!(
            "a tag of blanks",
            |world| world.add_tag("terminate-clusters", "  "),
            KeepReason::ProtectedByTag,
        ),
        keeps!(
            "a value that only begins like the one that lifts the protection",
            |world| world.add_tag("terminate-clusters", "false alarm"),
            KeepReason::ProtectedByTag,
        ),
        keeps!(
            "a value that sounds like the one that lifts the protection",
            |world| world.add_tag("terminate-clusters", "no"),
            KeepReason::ProtectedByTag,
        ),
        keeps!(
            "a key in capitals",
            |world| world.add_tag("Terminate-CLUSTERS", "true"),
            KeepReason::ProtectedByTag,
        ),
        keeps!(
            "one tag of two, the other lifting the protection, in either order",
            |world| {
                world.add_tag("terminate-clusters", "");
                world.add_tag("terminate-clusters", "false");
            },
            KeepReason::ProtectedByTag,
        ),
        keeps!(
            "one tag of two, the first lifting the protection",
            |world| {
                world.add_tag("terminate-clusters", "false");
                world.add_tag("Terminate-Clusters", "");
            },
            KeepReason::ProtectedByTag,
        ),
    ],
    ProtectedByName: [
        keeps!(
            "a name that a pattern covers, whatever its case",
            |world| {
                world.protect_name("other-*");
                world.protect_name("TEAM-?");
            },
            KeepReason::ProtectedByName { pattern } if pattern == "TEAM-?",
        ),
    ],
    ProtectedByPin: [
        keeps!(
            "a pinned cluster where pins protect",
            |world| {
                world.policy.protect_pinned = true;
                world.signals.pinned = Signal::Known(true);
            },
            KeepReason::ProtectedByPin,
        ),
    ],
    Exempt: [
        keeps!(
            "an exemption by id",
            |world| exempt(world, ExemptSelector::Id(idle_cluster().id.as_str().to_owned())),
            KeepReason::Exempt { day, reason, .. } if day == "2026-11-22" && reason == "audit",
        ),
        keeps!(
            "an exemption by name",
            |world| exempt(world, ExemptSelector::Name(Glob::new("team-*"))),
            KeepReason::Exempt { .. },
        ),
    ],
    KeepUntil: [
        keeps!(
            "a day that is not over",
            |world| world.add_tag("terminate-clusters-keep-until", "2026-11-22"),
            KeepReason::KeepUntil { day, until }
                if day == "2026-11-22" && until.to_string() == "2026-11-23T00:00:00Z",
        ),
        keeps!(
            "a key in capitals and a day between blanks",
            |world| world.add_tag("TERMINATE-clusters-keep-UNTIL", " 2026-12-24 "),
            KeepReason::KeepUntil { day, .. } if day == "2026-12-24",
        ),
        keeps!(
            "a day to come in one tag of two",
            |world| {
                world.add_tag("terminate-clusters-keep-until", "2026-11-01");
                world.add_tag("terminate-clusters-keep-until", "2026-12-24");
            },
            KeepReason::KeepUntil { day, .. } if day == "2026-12-24",
        ),
        keeps!(
            "a day to come, beside a tag that lifts the other protection",
            |world| {
                world.add_tag("terminate-clusters", "false");
                world.add_tag("terminate-clusters-keep-until", "2026-12-24");
            },
            KeepReason::KeepUntil { .. },
        ),
    ],
    KeepUntilUnreadable: [
        keeps!(
            "a word in place of a day",
            |world| world.add_tag("terminate-clusters-keep-until", "christmas"),
            KeepReason::KeepUntilUnreadable { value } if value == "christmas",
        ),
        keeps!(
            "an empty day",
            |world| world.add_tag("terminate-clusters-keep-until", ""),
            KeepReason::KeepUntilUnreadable { .. },
        ),
        keeps!(
            "a day that no calendar has",
            |world| world.add_tag("terminate-clusters-keep-until", "2026-02-30"),
            KeepReason::KeepUntilUnreadable { .. },
        ),
        keeps!(
            "a past day with a time behind it",
            |world| world.add_tag("terminate-clusters-keep-until", "2026-11-01T08:00:00Z"),
            KeepReason::KeepUntilUnreadable { .. },
        ),
        keeps!(
            "a past day in another order",
            |world| world.add_tag("terminate-clusters-keep-until", "01-11-2026"),
            KeepReason::KeepUntilUnreadable { .. },
        ),
        keeps!(
            "a year with a sign",
            |world| world.add_tag("terminate-clusters-keep-until", "-2026-12-24"),
            KeepReason::KeepUntilUnreadable { .. },
        ),
        keeps!(
            "the word that lifts the other protection",
            |world| world.add_tag("terminate-clusters-keep-until", "false"),
            KeepReason::KeepUntilUnreadable { .. },
        ),
        keeps!(
            "one unreadable tag of two, the other over",
            |world| {
                world.add_tag("terminate-clusters-keep-until", "2026-11-01");
                world.add_tag("terminate-clusters-keep-until", "soon");
            },
            KeepReason::KeepUntilUnreadable { .. },
        ),
    ],
    ActiveRun: [
        keeps!(
            "a run that names the cluster",
            |world| world.signals.active_run = Signal::Known(Some("run 12".to_owned())),
            KeepReason::ActiveRun { run } if run == "run 12",
        ),
    ],
    RecentActivity: [
        keeps!(
            "a run that ended an hour ago",
            |world| world.signals.last_run_end = Signal::Known(Some(world.now.minus(hours(1)))),
            KeepReason::RecentActivity { sign: ActivitySign::RunEnded, .. },
        ),
        keeps!(
            "the platform's stamp of an hour ago",
            |world| world.cluster().last_activity_time = Some(an_hour_ago()),
            KeepReason::RecentActivity { sign: ActivitySign::LastActivityTime, at }
                if *at == an_hour_ago(),
        ),
    ],
    StartedRecently: [
        keeps!(
            "a restart an hour ago",
            |world| world.cluster().last_restarted_time = Some(an_hour_ago()),
            KeepReason::StartedRecently { at } if *at == an_hour_ago(),
        ),
        keeps!(
            "a driver that lost its state an hour ago",
            |world| world.cluster().last_state_loss_time = Some(an_hour_ago()),
            KeepReason::StartedRecently { .. },
        ),
        keeps!(
            "a driver's machine of an hour ago",
            |world| {
                if let Some(driver) = &mut world.cluster().driver {
                    driver.started = Some(an_hour_ago());
                }
            },
            KeepReason::StartedRecently { .. },
        ),
    ],
    CommandRunning: [
        keeps!(
            "a thread that executes a command",
            |world| world.signals.command = Signal::Known(Some("Thread-9".to_owned())),
            KeepReason::CommandRunning { thread } if thread == "Thread-9",
        ),
        keeps!(
            "a thread that executes a command, though the rest of Spark's answers made no sense",
            |world| {
                world.lose_spark();
                world.policy.nodes_alone_suffices = true;
                world.signals.command = Signal::Known(Some("Thread-9".to_owned()));
            },
            KeepReason::CommandRunning { .. },
        ),
    ],
    SparkBusy: [
        keeps!(
            "a running job",
            |world| world.spark_works(SparkWorkKind::Job, hours(1)),
            KeepReason::SparkBusy { work: SparkWork { kind: SparkWorkKind::Job, .. } },
        ),
        keeps!(
            "an active stage",
            |world| world.spark_works(SparkWorkKind::Stage, hours(1)),
            KeepReason::SparkBusy { work: SparkWork { kind: SparkWorkKind::Stage, .. } },
        ),
        keeps!(
            "a running SQL execution, however old, on quiet machines",
            |world| world.spark_works(SparkWorkKind::Sql, hours(50)),
            KeepReason::SparkBusy { work: SparkWork { kind: SparkWorkKind::Sql, .. } },
        ),
        keeps!(
            "a job of unknown age on quiet machines",
            |world| {
                world.spark_works(SparkWorkKind::Job, hours(50));
                if let Some(work) = &mut world.spark().busy {
                    work.since = None;
                }
            },
            KeepReason::SparkBusy { .. },
        ),
        keeps!(
            "a job that runs for two days, on machines that worked yesterday",
            |world| {
                world.spark_works(SparkWorkKind::Job, hours(48));
                world.nodes_quiet_for(hours(23));
            },
            KeepReason::SparkBusy { .. },
        ),
        keeps!(
            "a job that runs for two days, on machines that work",
            |world| {
                world.spark_works(SparkWorkKind::Job, hours(48));
                world.signals.all_nodes = busy_node();
            },
            KeepReason::SparkBusy { .. },
        ),
        keeps!(
            "a job that runs for two days, on machines that nobody can see",
            |world| {
                world.spark_works(SparkWorkKind::Job, hours(48));
                world.lose_nodes();
            },
            KeepReason::SparkBusy { .. },
        ),
    ],
    Contradictory: [
        keeps!(
            "a job that has been running for two days on machines that did nothing",
            |world| world.spark_works(SparkWorkKind::Job, hours(48)),
            KeepReason::Contradictory { work: SparkWork { kind: SparkWorkKind::Job, .. } },
        ),
        keeps!(
            "the same, by metrics that go back for no longer than a day",
            |world| {
                world.spark_works(SparkWorkKind::Job, hours(48));
                world.nodes_say(NodesView::QuietThroughout(world.now.minus(hours(24))));
            },
            KeepReason::Contradictory { .. },
        ),
    ],
    StreamActive: [
        keeps!(
            "a streaming query that waits for data",
            |world| world.signals.streaming = Signal::Known(StreamingView::Active),
            KeepReason::StreamActive,
        ),
        keeps!(
            "a streaming query, though the rest of Spark's answers made no sense",
            |world| {
                world.lose_spark();
                world.policy.nodes_alone_suffices = true;
                world.signals.streaming = Signal::Known(StreamingView::Active);
            },
            KeepReason::StreamActive,
        ),
    ],
    StreamTraces: [
        keeps!(
            "batches three days ago, and no word on whether the query has ended",
            |world| {
                world.lose_streaming();
                world.spark().last_stream_batch = Some(world.now.minus(hours(72)));
            },
            KeepReason::StreamTraces { trace: StreamTrace::Batch, at } if *at == World::idle().now.minus(hours(72)),
        ),
        keeps!(
            "no word on streams, and all that could show one forgotten until three days ago",
            |world| {
                world.lose_streaming();
                world.spark().forgotten_until = Some(world.now.minus(hours(72)));
            },
            KeepReason::StreamTraces { trace: StreamTrace::Forgotten, at } if *at == World::idle().now.minus(hours(72)),
        ),
        keeps!(
            "the same, and a batch before that is old enough",
            |world| {
                world.lose_streaming();
                world.policy.nodes_alone_suffices = true;
                world.spark().last_stream_batch = Some(world.now.minus(hours(97)));
                world.spark().forgotten_until = Some(world.now.minus(hours(95)));
            },
            KeepReason::StreamTraces { trace: StreamTrace::Forgotten, at } if *at == World::idle().now.minus(hours(95)),
        ),
        keeps!(
            "a batch that is still listed, after all that is forgotten",
            |world| {
                world.lose_streaming();
                world.spark().last_stream_batch = Some(world.now.minus(hours(71)));
                world.spark().forgotten_until = Some(world.now.minus(hours(72)));
            },
            KeepReason::StreamTraces { trace: StreamTrace::Batch, at } if *at == World::idle().now.minus(hours(71)),
        ),
    ],
    NodesBusy: [
        keeps!(
            "a driver that works beside a quiet Spark",
            |world| world.signals.driver_node = busy_node(),
            KeepReason::NodesBusy { cores, .. } if (*cores - 3.5).abs() < f64::EPSILON,
        ),
        keeps!(
            "an executor that works where Spark cannot be heard",
            |world| {
                world.lose_spark();
                world.signals.all_nodes = busy_node();
            },
            KeepReason::NodesBusy { .. },
        ),
        keeps!(
            "an executor that works where a stream may be waiting",
            |world| {
                world.lose_streaming();
                world.signals.all_nodes = busy_node();
            },
            KeepReason::NodesBusy { .. },
        ),
    ],
    RequiredUnknown: [
        keeps!(
            "no right to see all runs",
            |world| world.signals.active_run = Signal::unknown("not an admin"),
            KeepReason::RequiredUnknown { signal: RequiredSignal::ActiveRuns, why: Some(why) }
                if why.0 == "not an admin",
        ),
        keeps!(
            "no start that anybody knows",
            |world| {
                world.lose_spark();
                forget_starts(world);
            },
            KeepReason::RequiredUnknown { signal: RequiredSignal::Start, .. },
        ),
        keeps!(
            "no spark_context_id to recognise the driver's life by",
            |world| world.cluster().spark_context_id = None,
            KeepReason::RequiredUnknown { signal: RequiredSignal::SparkContextId, .. },
        ),
        keeps!(
            "an unknown pin where pins protect",
            |world| {
                world.policy.protect_pinned = true;
                world.signals.pinned = Signal::unknown("403");
            },
            KeepReason::RequiredUnknown { signal: RequiredSignal::Pin, why: Some(_) },
        ),
        keeps!(
            "a look that was cut short before the active runs",
            |world| world.signals.active_run = Signal::NotAsked,
            KeepReason::RequiredUnknown {
                signal: RequiredSignal::NotAsked(Question::ActiveRuns),
                why: None,
            },
        ),
        keeps!(
            "a look that was cut short before the driver's machine",
            |world| world.signals.driver_node = Signal::NotAsked,
            KeepReason::RequiredUnknown {
                signal: RequiredSignal::NotAsked(Question::DriverNode),
                ..
            },
        ),
    ],
    NoWitness: [
        keeps!(
            "neither Spark nor nodes to be heard",
            |world| {
                world.lose_spark();
                world.lose_nodes();
            },
            KeepReason::NoWitness,
        ),
        keeps!(
            "both witnesses switched off",
            |world| {
                world.policy.spark_witness = false;
                world.policy.nodes_witness = false;
            },
            KeepReason::NoWitness,
        ),
        keeps!(
            "a quiet Spark that may hide a stream, and no nodes",
            |world| {
                world.lose_streaming();
                world.lose_nodes();
                world.policy.spark_alone_suffices = true;
            },
            KeepReason::NoWitness,
        ),
        keeps!(
            "no Spark, and a machine missing among the nodes",
            |world| {
                world.lose_spark();
                world.signals.all_nodes = Signal::unknown("one of three executors");
            },
            KeepReason::NoWitness,
        ),
        keeps!(
            "no Spark, and the driver's machine missing among the nodes",
            |world| {
                world.lose_spark();
                world.signals.driver_node = Signal::unknown("no metrics");
            },
            KeepReason::NoWitness,
        ),
    ],
    EvidenceTooWeak: [
        keeps!(
            "Spark alone, no workers",
            |world| {
                world.lose_nodes();
                world.cluster().num_workers = Some(0);
            },
            KeepReason::EvidenceTooWeak {
                evidence: Evidence::SparkAlone,
                weakness: Weakness::SingleNode,
            },
        ),
        keeps!(
            "Spark alone, a number of workers that nobody knows",
            |world| {
                world.lose_nodes();
                world.cluster().num_workers = None;
            },
            KeepReason::EvidenceTooWeak { weakness: Weakness::SingleNode, .. },
        ),
        keeps!(
            "Spark alone, no workers in spite of autoscaling",
            |world| {
                world.lose_nodes();
                world.cluster().num_workers = Some(0);
                world.cluster().autoscales = true;
            },
            KeepReason::EvidenceTooWeak { weakness: Weakness::SingleNode, .. },
        ),
        keeps!(
            "Spark alone, machines with GPUs",
            |world| {
                world.lose_nodes();
                gpus(world, Some(true));
            },
            KeepReason::EvidenceTooWeak { weakness: Weakness::Gpu, .. },
        ),
        keeps!(
            "Spark alone, machines of which the list does not say whether they have GPUs",
            |world| {
                world.lose_nodes();
                gpus(world, None);
            },
            KeepReason::EvidenceTooWeak { weakness: Weakness::Gpu, .. },
        ),
        keeps!(
            "Spark alone, unknown machines",
            |world| {
                world.lose_nodes();
                world.signals.hardware = Signal::unknown("not in the list");
            },
            KeepReason::EvidenceTooWeak { weakness: Weakness::Gpu, .. },
        ),
        keeps!(
            "Spark alone, a runtime for GPUs",
            |world| {
                world.lose_nodes();
                runtime(world, Some("15.4.x-GPU-ml-scala2.12"));
            },
            KeepReason::EvidenceTooWeak { weakness: Weakness::Gpu, .. },
        ),
        keeps!(
            "Spark alone, a runtime for machine learning",
            |world| {
                world.lose_nodes();
                runtime(world, Some("15.4.x-cpu-ML-scala2.12"));
            },
            KeepReason::EvidenceTooWeak { weakness: Weakness::MlRuntime, .. },
        ),
        keeps!(
            "Spark alone, an unknown runtime",
            |world| {
                world.lose_nodes();
                runtime(world, None);
            },
            KeepReason::EvidenceTooWeak { evidence: Evidence::SparkAlone, .. },
        ),
        keeps!(
            "Spark alone, and no Spark job since the application started",
            |world| {
                world.lose_nodes();
                world.spark().ran_a_job = false;
            },
            KeepReason::EvidenceTooWeak { weakness: Weakness::NoSparkJobYet, .. },
        ),
        keeps!(
            "nodes alone, machines with GPUs, whatever is granted",
            |world| {
                world.lose_spark();
                world.policy.nodes_alone_suffices = true;
                world.policy.spark_alone_suffices = true;
                gpus(world, Some(true));
            },
            KeepReason::EvidenceTooWeak {
                evidence: Evidence::NodesAlone,
                weakness: Weakness::NodesBlindToGpu,
            },
        ),
        keeps!(
            "nodes alone, machines of which the list does not say whether they have GPUs",
            |world| {
                world.lose_spark();
                gpus(world, None);
            },
            KeepReason::EvidenceTooWeak { weakness: Weakness::NodesBlindToGpu, .. },
        ),
        keeps!(
            "nodes alone, a runtime for GPUs",
            |world| {
                world.lose_spark();
                runtime(world, Some("15.4.x-gpu-ml-scala2.12"));
            },
            KeepReason::EvidenceTooWeak { weakness: Weakness::NodesBlindToGpu, .. },
        ),
        keeps!(
            "nodes alone, an unknown runtime",
            |world| {
                world.lose_spark();
                runtime(world, None);
            },
            KeepReason::EvidenceTooWeak { weakness: Weakness::NodesBlindToGpu, .. },
        ),
        keeps!(
            "nodes alone, machines of a pool, whatever is granted",
            |world| {
                world.lose_spark();
                world.policy.nodes_alone_suffices = true;
                world.cluster().uses_pool = true;
            },
            KeepReason::EvidenceTooWeak { weakness: Weakness::NodesOfAPool, .. },
        ),
    ],
    PlatformSawActivity: [
        keeps!(
            "quiet to us for 100 hours, yet not stopped by the platform after two",
            |world| world.cluster().autotermination_minutes = 120,
            KeepReason::PlatformSawActivity { autotermination, quiet_since }
                if *autotermination == minutes(120)
                    && *quiet_since == World::idle().now.minus(hours(100)),
        ),
    ],
    QuietTooShort: [
        keeps!(
            "both witnesses, quiet for an hour",
            |world| world.nodes_quiet_for(hours(1)),
            KeepReason::QuietTooShort { quiet }
                if quiet.evidence == Evidence::Both && quiet.threshold == hours(2),
        ),
        keeps!(
            "Spark alone, quiet for eleven hours",
            |world| {
                world.lose_nodes();
                world.spark().last_completion = Some(world.now.minus(hours(11)));
            },
            KeepReason::QuietTooShort { quiet }
                if quiet.evidence == Evidence::SparkAlone && quiet.threshold == hours(12),
        ),
        keeps!(
            "nodes alone, quiet for three days",
            |world| {
                world.lose_spark();
                world.nodes_quiet_for(hours(72));
            },
            KeepReason::QuietTooShort { quiet }
                if quiet.evidence == Evidence::NodesAlone && quiet.threshold == hours(96),
        ),
    ],
}

fn an_hour_ago() -> Timestamp {
    World::idle().now.minus(hours(1))
}

fn exempt(world: &mut World, selector: ExemptSelector) {
    world.policy.exemptions.push(Exemption {
        selector,
        until: world.now.plus(hours(12)),
        until_day: "2026-11-22".to_owned(),
        reason: "audit".to_owned(),
    });
}

fn forget_starts(world: &mut World) {
    let cluster = world.cluster();
    cluster.last_restarted_time = None;
    cluster.last_state_loss_time = None;
    cluster.driver = None;
}

fn gpus(world: &mut World, has_gpus: Option<bool>) {
    if let Signal::Known(hardware) = &mut world.signals.hardware {
        hardware.has_gpus = has_gpus;
    }
}

fn runtime(world: &mut World, version: Option<&str>) {
    world.cluster().spark_version = version.map(ToOwned::to_owned);
}

/// The reasons of all rows.
fn all_reasons() -> Vec<KeepReason> {
    let rows = ROWS.iter().flat_map(|(_, rows)| *rows);
    rows.filter_map(|row| match row.check() {
        Decision::Keep(reason) => Some(reason),
        Decision::Terminate(_) => None,
    })
    .collect()
}

fn assert_each_occurs(listed: &[&'static str], seen: impl Iterator<Item = &'static str>) {
    let seen: BTreeSet<&str> = seen.collect();
    let listed: BTreeSet<&str> = listed.iter().copied().collect();
    assert_eq!(seen, listed);
}

#[test]
fn keeps_a_cluster_for_every_reason_that_there_is() {
    for (variant, rows) in ROWS {
        for row in *rows {
            match row.check() {
                Decision::Keep(reason) => assert_eq!(variant_of(&reason), *variant, "{}", row.says),
                Decision::Terminate(proof) => panic!("{}: {proof:?}", row.says),
            }
        }
    }
}

#[test]
fn every_part_of_a_reason_comes_out_of_some_row() {
    let (mut signs, mut required, mut weaknesses) = (Vec::new(), Vec::new(), Vec::new());
    let (mut work_kinds, mut evidences, mut traces) = (Vec::new(), Vec::new(), Vec::new());
    for reason in all_reasons() {
        match &reason {
            KeepReason::RecentActivity { sign, .. } => signs.push(sign_of(sign)),
            KeepReason::StreamTraces { trace, .. } => traces.push(trace_of(trace)),
            KeepReason::RequiredUnknown { signal, .. } => required.push(required_of(signal)),
            KeepReason::EvidenceTooWeak { weakness, .. } => weaknesses.push(weakness_of(weakness)),
            KeepReason::SparkBusy { work } => work_kinds.push(work_of(&work.kind)),
            KeepReason::QuietTooShort { quiet } => evidences.push(evidence_of(&quiet.evidence)),
            KeepReason::NotAllPurpose { .. }
            | KeepReason::NotRunning { .. }
            | KeepReason::ProtectedByTag
            | KeepReason::ProtectedByName { .. }
            | KeepReason::ProtectedByPin
            | KeepReason::Exempt { .. }
            | KeepReason::KeepUntil { .. }
            | KeepReason::KeepUntilUnreadable { .. }
            | KeepReason::ActiveRun { .. }
            | KeepReason::StartedRecently { .. }
            | KeepReason::CommandRunning { .. }
            | KeepReason::Contradictory { .. }
            | KeepReason::StreamActive
            | KeepReason::NodesBusy { .. }
            | KeepReason::NoWitness
            | KeepReason::PlatformSawActivity { .. } => {}
        }
    }
    assert_each_occurs(SIGNS, signs.into_iter());
    assert_each_occurs(TRACES, traces.into_iter());
    assert_each_occurs(REQUIRED, required.into_iter());
    assert_each_occurs(WEAKNESSES, weaknesses.into_iter());
    assert_each_occurs(WORK, work_kinds.into_iter());
    assert_each_occurs(EVIDENCE, evidences.into_iter());
}

#[test]
fn every_reason_has_a_spelling_of_its_own() {
    let spellings: BTreeSet<&str> = all_reasons().iter().map(KeepReason::as_str).collect();
    assert_eq!(spellings.len(), ROWS.len(), "{spellings:?}");
    for spelling in spellings {
        let plain = |letter: char| letter.is_ascii_lowercase() || letter == '_';
        assert!(spelling.chars().all(plain), "{spelling}");
    }
}
