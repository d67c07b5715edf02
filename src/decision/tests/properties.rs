//! What holds for any world, however odd: no panic, no termination on what is
//! not known, none added by caution, and the same decision however much is asked.
//!
//! Two kinds of worlds: `anything` draws every value from everywhere, the ends
//! of time included; `nearly_idle` stays so close to the idle world that a good
//! share of its worlds is terminated, or else these properties would show little.
//! A share that is too small or too large fails a test of its own.

mod explained;
mod pairs;
pub(crate) mod worlds;

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use self::worlds::{anything, idle_for_long, nearly_idle};
use super::world::{NOW, World, answer, ask_in_vain, busy_node, hours, minutes, never_ask, proof};
use crate::cluster::{ClusterSource, ClusterState};
use crate::decision::{
    ActivitySign, Decision, Earliest, Evidence, KeepReason, Proof, Question, RequiredSignal,
    decide, longest_wait, next_question,
};
use crate::policy::{ExemptSelector, Exemption, Glob, Policy};
use crate::signals::{NodesView, Signal, Signals, SparkWorkKind, StreamingView};

fn is_terminated(world: &World) -> bool {
    match world.decide() {
        Decision::Terminate(_) => true,
        Decision::Keep(_) => false,
    }
}

/// Asks what is wanted until nothing is, and gives the questions and the answers.
fn look(world: &World) -> (Vec<Question>, Signals) {
    let mut known = Signals::of(world.signals.cluster.clone());
    let mut asked = Vec::new();
    while let Some(question) = next_question(&known, &world.policy, world.now) {
        assert!(question.is_allowed(&world.policy), "{question:?}");
        assert!(!asked.contains(&question), "{question:?} after {asked:?}");
        asked.push(question);
        answer(question, &world.signals, &mut known);
    }
    (asked, known)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn decides_about_anything_without_a_panic(world in anything()) {
        if let Decision::Keep(reason) = world.decide() {
            prop_assert!(!reason.clause().is_empty());
            let _ = reason.earliest(&world.policy);
        }
        let _ = longest_wait(&world.signals, &world.policy);
        let _ = world.signals.unknowns();
        let _ = next_question(&world.signals, &world.policy, world.now);
    }

    #[test]
    fn every_termination_has_all_that_it_needs(world in prop_oneof![anything(), nearly_idle()]) {
        if let Decision::Terminate(proof) = world.decide() {
            assert_protected_by_nothing(&world);
            assert_quiet_for_long_enough(&world, &proof);
            assert_seen_by_its_witnesses(&world, &proof);
        }
    }

    #[test]
    fn unknown_required_signal_never_terminates(world in nearly_idle()) {
        let lost: [fn(&mut World); 6] = [
            |world| ask_in_vain(Question::ActiveRuns, &mut world.signals),
            |world| never_ask(Question::ActiveRuns, &mut world.signals),
            |world| {
                world.policy.protect_pinned = true;
                ask_in_vain(Question::Pin, &mut world.signals);
            },
            |world| {
                world.policy.protect_pinned = true;
                never_ask(Question::Pin, &mut world.signals);
            },
            |world| world.cluster().spark_context_id = None,
            |world| {
                ask_in_vain(Question::Spark, &mut world.signals);
                let cluster = world.cluster();
                cluster.last_restarted_time = None;
                cluster.last_state_loss_time = None;
                cluster.driver = None;
            },
        ];
        for (position, lose) in lost.iter().enumerate() {
            let mut without = world.clone();
            lose(&mut without);
            prop_assert!(!is_terminated(&without), "{position}");
        }
    }

    #[test]
    fn question_that_nobody_asked_never_adds_a_termination(
        world in prop_oneof![anything(), nearly_idle()],
    ) {
        for question in Question::ALL {
            let mut without = world.clone();
            never_ask(question, &mut without.signals);
            prop_assert!(is_terminated(&world) || !is_terminated(&without), "{question:?}");
        }
    }

    /// Losing an answer can only add a termination if the answer was a veto, or
    /// told of a later sign of life; what it said of quiet never held anything up.
    #[test]
    fn lost_answer_adds_a_termination_only_if_it_kept_the_cluster_itself(world in nearly_idle()) {
        let Decision::Keep(reason) = world.decide() else {
            return Ok(());
        };
        for question in Question::ALL {
            let mut without = world.clone();
            ask_in_vain(question, &mut without.signals);
            if let Decision::Terminate(proof) = without.decide() {
                let told_by_it = match &reason {
                    KeepReason::RecentActivity { sign: ActivitySign::RunEnded, .. } => {
                        question == Question::CompletedRuns
                    }
                    KeepReason::CommandRunning { .. } => question == Question::Commands,
                    KeepReason::SparkBusy { .. }
                    | KeepReason::Contradictory { .. }
                    | KeepReason::StreamTraces { .. } => question == Question::Spark,
                    KeepReason::StreamActive => question == Question::Streaming,
                    KeepReason::NodesBusy { .. } => question == Question::DriverNode,
                    KeepReason::QuietTooShort { quiet } => quiet.since > proof.quiet_since(),
                    // To ask in vain closes a question that was open.
                    KeepReason::RequiredUnknown { signal, .. } => {
                        *signal == RequiredSignal::NotAsked(question)
                    }
                    // Every machine may have been at work later than the driver:
                    // that would explain what the platform saw.
                    KeepReason::PlatformSawActivity { quiet_since, .. } => {
                        *quiet_since < proof.quiet_since()
                    }
                    KeepReason::NotAllPurpose { .. }
                    | KeepReason::NotRunning { .. }
                    | KeepReason::ProtectedByTag
                    | KeepReason::ProtectedByName { .. }
                    | KeepReason::ProtectedByPin
                    | KeepReason::Exempt { .. }
                    | KeepReason::KeepUntil { .. }
                    | KeepReason::KeepUntilUnreadable { .. }
                    | KeepReason::ActiveRun { .. }
                    | KeepReason::RecentActivity { .. }
                    | KeepReason::StartedRecently { .. }
                    | KeepReason::NoWitness
                    | KeepReason::EvidenceTooWeak { .. } => false,
                };
                prop_assert!(told_by_it, "without {question:?}, kept before for {reason:?}");
            }
        }
    }

    #[test]
    fn more_cautious_policy_never_adds_a_termination(
        world in nearly_idle(),
        caution in caution(),
    ) {
        let mut careful = world.clone();
        caution.apply(&mut careful.policy);
        prop_assert!(is_terminated(&world) || !is_terminated(&careful));
    }

    #[test]
    fn asking_everything_gives_the_same_decision(
        world in prop_oneof![anything(), nearly_idle()],
        also in any::<[bool; 9]>(),
    ) {
        // An answer that is not there is no answer: a full world has them all.
        let mut world = world;
        let nothing = Signals::of(world.signals.cluster.clone());
        for question in Question::ALL {
            let mut unasked = world.signals.clone();
            answer(question, &nothing, &mut unasked);
            if unasked == world.signals {
                ask_in_vain(question, &mut world.signals);
            }
        }
        let (asked, mut known) = look(&world);
        prop_assert!(asked.len() <= Question::ALL.len());
        prop_assert_eq!(decide(&known, &world.policy, world.now), world.decide());
        for (question, _) in Question::ALL.into_iter().zip(also).filter(|(_, also)| *also) {
            answer(question, &world.signals, &mut known);
            prop_assert_eq!(decide(&known, &world.policy, world.now), world.decide());
        }
    }

    #[test]
    fn busy_cluster_is_never_terminated(world in nearly_idle()) {
        for (name, change) in BUSY {
            let mut busy = world.clone();
            change(&mut busy);
            prop_assert!(!is_terminated(&busy), "{name}");
        }
    }

    #[test]
    fn protected_cluster_is_never_terminated(world in nearly_idle()) {
        for (name, change) in PROTECTED {
            let mut protected = world.clone();
            change(&mut protected);
            prop_assert!(!is_terminated(&protected), "{name}");
        }
    }

    /// Any exemption, any pattern, any other tag: whether or not it covers the cluster.
    #[test]
    fn protection_of_any_kind_never_adds_a_termination(
        world in nearly_idle(),
        pattern in "[a-z*?-]{0,6}",
        value in "[ 0-9a-z-]{0,10}",
        until in -100_i64..100,
    ) {
        let until = NOW.plus(minutes(until.unsigned_abs()));
        let mut guarded = [(); 5].map(|()| world.clone());
        for (selector, world) in [
            ExemptSelector::Name(Glob::new(&pattern)),
            ExemptSelector::Id(world.signals.cluster.id.as_str().to_owned()),
        ].into_iter().zip(&mut guarded) {
            let (until_day, reason) = (value.clone(), pattern.clone());
            world.policy.exemptions.push(Exemption { selector, until, until_day, reason });
        }
        guarded[2].protect_name(&pattern);
        guarded[3].add_tag("terminate-clusters", &value);
        guarded[4].add_tag("terminate-clusters-keep-until", &value);
        for one in guarded {
            prop_assert!(is_terminated(&world) || !is_terminated(&one), "{one:?}");
        }
    }

    #[test]
    fn nothing_is_terminated_before_the_earliest_time_that_was_told(
        world in nearly_idle(),
        later in prop::collection::vec(0..hours(200).as_secs(), 8),
    ) {
        let Decision::Keep(reason) = world.decide() else {
            return Ok(());
        };
        // A stamp that lies ahead is not believed until its time has come; then it
        // explains what the platform saw.
        if world.signals.cluster.last_activity_time > Some(world.now) {
            return Ok(());
        }
        let earliest = reason.earliest(&world.policy);
        for seconds in later {
            let mut later = world.clone();
            later.now = world.now.plus(Duration::from_secs(seconds));
            let too_early = match earliest {
                Earliest::At(at) => later.now < at,
                Earliest::Never(_) => true,
            };
            prop_assert!(!too_early || !is_terminated(&later), "{reason:?}, {seconds} s later");
        }
    }

    /// The rules are cautious, but not so much that nothing is ever terminated.
    #[test]
    fn cluster_that_is_quiet_for_long_enough_is_terminated(idle in idle_for_long()) {
        let proof = proof(&idle.world);
        prop_assert_eq!(proof.evidence(), idle.evidence);
        prop_assert_eq!(proof.quiet_since(), idle.quiet_since);
        prop_assert_eq!(proof.last_sign(), idle.last_sign);
        prop_assert_eq!(proof.threshold(), idle.threshold);
        let (_, known) = look(&idle.world);
        let decision = decide(&known, &idle.world.policy, idle.world.now);
        prop_assert_eq!(decision, Decision::Terminate(proof));
    }
}

#[test]
fn nearly_idle_worlds_are_a_good_mix() {
    let mut runner = TestRunner::deterministic();
    let mut terminated = 0;
    for _ in 0..400 {
        let Ok(tree) = nearly_idle().new_tree(&mut runner) else {
            panic!("the strategy rejects nothing");
        };
        terminated += u32::from(is_terminated(&tree.current()));
    }
    assert!((60..340).contains(&terminated), "{terminated} of 400");
}

/// What the record and the workspace must say of a cluster that is terminated.
fn assert_protected_by_nothing(world: &World) {
    let World {
        signals, policy, ..
    } = world;
    let cluster = &signals.cluster;
    assert_eq!(cluster.state, ClusterState::Running);
    assert!(matches!(
        cluster.source,
        ClusterSource::Ui | ClusterSource::Api
    ));
    assert!(cluster.spark_context_id.is_some());
    assert_eq!(signals.active_run, Signal::Known(None));
    if policy.protect_pinned {
        assert_eq!(signals.pinned, Signal::Known(false));
    }
}

/// No known sign of life is later than the quiet, and the quiet is long enough.
fn assert_quiet_for_long_enough(world: &World, proof: &Proof) {
    let World {
        signals,
        policy,
        now,
    } = world;
    let quiet = now.since(proof.quiet_since());
    assert!(quiet >= proof.threshold());
    assert!(proof.last_sign() <= proof.quiet_since());
    assert!(proof.threshold() >= policy.idle_after);
    let spark = signals.spark.known().filter(|_| policy.spark_witness);
    let signs = [
        signals.cluster.started(),
        signals.last_run_end.known().copied().flatten(),
        spark.map(|spark| spark.application_started),
        spark.and_then(|spark| spark.last_completion),
        spark.and_then(|spark| spark.last_stream_batch),
    ];
    for sign in signs.into_iter().flatten() {
        // A time ahead counts as now.
        assert!(sign.min(*now) <= proof.last_sign(), "{signs:?}");
    }
    // Whoever cannot tell whether a stream waits goes by the traces of streams.
    if signals.streaming.known().is_none() {
        let traces = spark.and_then(|spark| spark.last_stream_batch.max(spark.forgotten_until));
        let is_silent = |at| now.since(at) >= policy.streaming_silence;
        assert!(traces.is_none_or(is_silent), "{spark:?}");
    }
    let minutes_to_stop = signals.cluster.autotermination_minutes;
    if policy.trust_platform_clock && minutes_to_stop > 0 {
        let stops_after = Duration::from_secs(minutes_to_stop.saturating_mul(60));
        assert!(quiet <= stops_after.saturating_add(minutes(15)));
    }
}

/// Every witness that is named says quiet, and nobody else would have.
fn assert_seen_by_its_witnesses(world: &World, proof: &Proof) {
    let World {
        signals,
        policy,
        now,
    } = world;
    let spark = signals.spark.known().filter(|_| policy.spark_witness);
    assert!(spark.is_none_or(|spark| spark.busy.is_none()));
    let no_stream = matches!(
        signals.streaming,
        Signal::Known(StreamingView::NoneActive | StreamingView::NeverAny)
    );
    let by_spark = spark.is_some() && no_stream;
    let is_quiet = |nodes: &Signal<NodesView>| match nodes {
        Signal::Known(NodesView::QuietSince(since) | NodesView::QuietThroughout(since)) => {
            policy.nodes_witness && *since.min(now) <= proof.quiet_since()
        }
        Signal::Known(NodesView::Busy { .. }) | Signal::Unknown(_) | Signal::NotAsked => false,
    };
    let driver = &signals.driver_node;
    match proof.evidence() {
        Evidence::Both => assert!(by_spark && is_quiet(driver)),
        Evidence::SparkAlone => {
            assert!(by_spark);
            assert!(driver.known().is_none() || !policy.nodes_witness);
        }
        Evidence::NodesAlone => {
            assert!(!by_spark);
            assert!(is_quiet(&signals.all_nodes));
            assert!(matches!(
                driver,
                Signal::Known(NodesView::QuietSince(_) | NodesView::QuietThroughout(_))
            ));
        }
    }
}

pub(crate) type Change = (&'static str, fn(&mut World));

pub(crate) const BUSY: [Change; 13] = [
    ("active run", |world| {
        world.signals.active_run = Signal::Known(Some("run 12".to_owned()));
    }),
    ("command", |world| {
        world.policy.spark_witness = true;
        world.signals.command = Signal::Known(Some("Thread-9".to_owned()));
    }),
    ("job", |world| {
        world.policy.spark_witness = true;
        world.spark_works(SparkWorkKind::Job, hours(30));
    }),
    ("stage", |world| {
        world.policy.spark_witness = true;
        world.spark_works(SparkWorkKind::Stage, hours(30));
    }),
    ("SQL execution", |world| {
        world.policy.spark_witness = true;
        world.spark_works(SparkWorkKind::Sql, hours(30));
    }),
    ("stream", |world| {
        world.policy.spark_witness = true;
        world.signals.streaming = Signal::Known(StreamingView::Active);
    }),
    ("driver's machine", |world| {
        world.policy.nodes_witness = true;
        world.signals.driver_node = busy_node();
    }),
    // Beside a quiet Spark the driver's machine is enough.
    ("an executor's machine, no Spark", |world| {
        world.policy.nodes_witness = true;
        world.lose_spark();
        world.signals.all_nodes = busy_node();
    }),
    ("a run that has just ended", |world| {
        world.policy.idle_after = hours(2);
        world.signals.last_run_end = Signal::Known(Some(world.now));
    }),
    ("a stamp of this moment", |world| {
        world.policy.idle_after = hours(2);
        world.cluster().last_activity_time = Some(world.now);
    }),
    ("a start of this moment", |world| {
        world.policy.idle_after = hours(2);
        world.cluster().last_restarted_time = Some(world.now);
    }),
    ("a batch of a stream that may still wait", |world| {
        world.policy.spark_witness = true;
        world.policy.streaming_silence = hours(96);
        world.lose_streaming();
        world.spark().last_stream_batch = Some(world.now);
    }),
    ("activity by the platform's clock", |world| {
        world.policy.trust_platform_clock = true;
        world.policy.idle_after = hours(2);
        world.cluster().autotermination_minutes = 60;
    }),
];

pub(crate) const PROTECTED: [Change; 9] = [
    ("not all-purpose", |world| {
        world.cluster().source = ClusterSource::Other("PIPELINE".to_owned());
    }),
    ("no source", |world| {
        world.cluster().source = ClusterSource::Absent;
    }),
    ("resizing", |world| {
        world.cluster().state = ClusterState::Resizing;
    }),
    ("tag", |world| world.add_tag("Terminate-Clusters", "")),
    ("day to come", |world| {
        world.add_tag("terminate-clusters-keep-until", "9999-12-31");
    }),
    ("unreadable day", |world| {
        world.add_tag("terminate-clusters-keep-until", "?");
    }),
    ("name", |world| world.protect_name("*")),
    ("pin", |world| {
        world.policy.protect_pinned = true;
        world.signals.pinned = Signal::Known(true);
    }),
    ("exemption", |world| {
        world.policy.exemptions.push(Exemption {
            selector: ExemptSelector::Name(Glob::new("*")),
            until: world.now.plus(minutes(1)),
            until_day: "2026-11-22".to_owned(),
            reason: "audit".to_owned(),
        });
    }),
];

/// A step towards caution, in any of the policy's terms.
#[derive(Debug, Clone)]
struct Caution {
    longer: [Duration; 3],
    take_back: [bool; 2],
    trust_platform_clock: bool,
    protect_pinned: bool,
}

impl Caution {
    fn apply(&self, policy: &mut Policy) {
        let [idle, one, silence] = self.longer;
        let [spark_alone, nodes_alone] = self.take_back;
        policy.idle_after = policy.idle_after.saturating_add(idle);
        policy.idle_after_one_witness = policy.idle_after_one_witness.saturating_add(one);
        policy.streaming_silence = policy.streaming_silence.saturating_add(silence);
        policy.spark_alone_suffices &= !spark_alone;
        policy.nodes_alone_suffices &= !nodes_alone;
        policy.trust_platform_clock |= self.trust_platform_clock;
        policy.protect_pinned |= self.protect_pinned;
    }
}

fn caution() -> impl Strategy<Value = Caution> {
    let longer = prop_oneof![
        3 => Just(Duration::ZERO),
        3 => (0..hours(100).as_secs()).prop_map(Duration::from_secs),
        1 => Just(Duration::from_millis(1)),
        1 => Just(Duration::MAX),
    ];
    let longer = [longer.clone(), longer.clone(), longer];
    (longer, any::<([bool; 2], bool, bool)>()).prop_map(
        |(longer, (take_back, trust_platform_clock, protect_pinned))| Caution {
            longer,
            take_back,
            trust_platform_clock,
            protect_pinned,
        },
    )
}
