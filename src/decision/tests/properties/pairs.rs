//! Two looks at one cluster: what holds for any pair of worlds, and what no second
//! look may find without sparing the cluster.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::worlds::{idle_for_long, nearly_idle};
use super::{
    BUSY, Change, PROTECTED, assert_protected_by_nothing, assert_quiet_for_long_enough,
    assert_seen_by_its_witnesses,
};
use crate::cluster::{ClusterId, SparkContextId};
use crate::decision::tests::world::{TICK, World, answer, ask_in_vain, minutes, never_ask};
use crate::decision::{Decision, Evidence, Proof, Question};
use crate::signals::{NodesView, Signal};
use crate::timestamp::Timestamp;

/// The proof of a world, if it has one.
fn proof(world: &World) -> Option<Proof> {
    match world.decide() {
        Decision::Terminate(proof) => Some(proof),
        Decision::Keep(_) => None,
    }
}

/// The same world `seconds` later.
fn later(world: &World, seconds: u64) -> World {
    let mut later = world.clone();
    later.now = world.now.plus(Duration::from_secs(seconds));
    later
}

/// A world and what became of it: each answer stays as it was, or comes from
/// another world that is nearly idle too; and now and then the driver restarted.
fn pair() -> impl Strategy<Value = (World, World)> {
    let renewed = prop::collection::vec(any::<bool>(), Question::ALL.len());
    let restarted = prop::bool::weighted(0.2);
    let parts = (nearly_idle(), nearly_idle(), 0..600_u64);
    (parts, renewed, any::<bool>(), restarted).prop_map(
        |((first, other, seconds), renewed, another_record, restarted)| {
            let mut second = later(&first, seconds);
            for (question, renewed) in Question::ALL.into_iter().zip(renewed) {
                if renewed {
                    answer(question, &other.signals, &mut second.signals);
                }
            }
            if another_record {
                second.signals.cluster = other.signals.cluster;
            }
            if restarted {
                let life = SparkContextId("3007070280200869204".to_owned());
                second.cluster().spark_context_id = Some(life);
            }
            (first, second)
        },
    )
}

/// A look that finds a sign of life later than the first look's quiet, by so little
/// as can be told; `None` where nobody is heard who could tell of it.
type Sign = (&'static str, fn(&mut World, Timestamp) -> bool);

const LATER_SIGNS: [Sign; 8] = [
    ("restart", |world, at| {
        world.cluster().last_restarted_time = Some(at);
        true
    }),
    ("loss of state", |world, at| {
        world.cluster().last_state_loss_time = Some(at);
        true
    }),
    ("stamp", |world, at| {
        world.cluster().last_activity_time = Some(at);
        true
    }),
    ("end of a run", |world, at| {
        world.signals.last_run_end = Signal::Known(Some(at));
        true
    }),
    ("start of the application", |world, at| {
        world.spark().application_started = at;
        world.policy.spark_witness
    }),
    ("completion", |world, at| {
        world.spark().last_completion = Some(at);
        world.policy.spark_witness
    }),
    ("batch", |world, at| {
        world.spark().last_stream_batch = Some(at);
        world.policy.spark_witness
    }),
    ("load", |world, at| {
        world.nodes_say(NodesView::QuietSince(at));
        world.policy.nodes_witness
    }),
];

/// Other ways in which the second look may differ, each of which spares the cluster.
const OTHER_LIVES: [Change; 4] = [
    ("another life", |world| {
        world.cluster().spark_context_id = Some(SparkContextId("3007070280200869204".to_owned()));
    }),
    ("a life that is not told", |world| {
        world.cluster().spark_context_id = None;
    }),
    ("another cluster", |world| {
        world.cluster().id = ClusterId::new("1016-1");
    }),
    ("no word of the runs", |world| {
        ask_in_vain(Question::ActiveRuns, &mut world.signals);
    }),
];

/// The answers that a witness of `evidence` gave.
fn asked_of(evidence: Evidence) -> &'static [Question] {
    match evidence {
        Evidence::Both => &[Question::Spark, Question::Streaming, Question::DriverNode],
        Evidence::SparkAlone => &[Question::Spark, Question::Streaming],
        Evidence::NodesAlone => &[Question::DriverNode, Question::AllNodes],
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn pair_that_is_confirmed_is_one_quiet_life((first, second) in pair()) {
        let Some(one) = proof(&first) else {
            return Ok(());
        };
        let Ok(two) = one.confirmed_by(second.decide()) else {
            return Ok(());
        };
        for (world, proof) in [(&first, &one), (&second, &two)] {
            assert_protected_by_nothing(world);
            assert_quiet_for_long_enough(world, proof);
            assert_seen_by_its_witnesses(world, proof);
        }
        let lives = [&first, &second].map(|world| &world.signals.cluster.spark_context_id);
        prop_assert_eq!(lives[0], lives[1]);
        prop_assert_eq!(one.cluster(), two.cluster());
        prop_assert!(two.quiet_since() <= one.quiet_since());
        prop_assert!(two.evidence() == Evidence::Both || two.evidence() == one.evidence());
    }

    #[test]
    fn second_look_that_finds_work_or_protection_spares_the_cluster(
        first in nearly_idle(),
        seconds in 0..600_u64,
    ) {
        let Some(one) = proof(&first) else {
            return Ok(());
        };
        for (name, change) in BUSY.into_iter().chain(PROTECTED).chain(OTHER_LIVES) {
            let mut second = later(&first, seconds);
            change(&mut second);
            prop_assert!(one.confirmed_by(second.decide()).is_err(), "{name}");
        }
    }

    #[test]
    fn second_look_that_finds_a_later_sign_of_life_spares_the_cluster(
        idle in idle_for_long(),
        seconds in 1..600_u64,
    ) {
        let first = idle.world;
        let Some(one) = proof(&first) else {
            panic!("it is idle for long");
        };
        for (name, show) in LATER_SIGNS {
            let mut second = later(&first, seconds);
            if show(&mut second, one.quiet_since().plus(TICK)) {
                prop_assert!(one.confirmed_by(second.decide()).is_err(), "{name}");
            }
        }
    }

    #[test]
    fn second_look_without_a_witness_of_the_first_spares_the_cluster(
        idle in idle_for_long(),
        seconds in 0..600_u64,
    ) {
        let first = idle.world;
        let Some(one) = proof(&first) else {
            panic!("it is idle for long");
        };
        for &question in asked_of(one.evidence()) {
            for lose in [ask_in_vain, never_ask] {
                let mut second = later(&first, seconds);
                lose(question, &mut second.signals);
                // However long it has been quiet, and whatever suffices alone.
                second.policy.spark_alone_suffices = true;
                second.policy.nodes_alone_suffices = true;
                second.policy.idle_after_one_witness = second.policy.idle_after;
                prop_assert!(one.confirmed_by(second.decide()).is_err(), "{question:?}");
            }
        }
    }

    #[test]
    fn cluster_that_stays_as_it_is_is_confirmed(
        idle in idle_for_long(),
        seconds in 0..600_u64,
    ) {
        let mut first = idle.world;
        first.policy.trust_platform_clock = false;
        let Some(one) = proof(&first) else {
            panic!("it is idle for long");
        };
        let second = later(&first, seconds);
        let Ok(two) = one.confirmed_by(second.decide()) else {
            panic!("{:?}", second.decide());
        };
        prop_assert_eq!(two.quiet_since(), one.quiet_since());
        prop_assert_eq!(two.decided_at(), second.now);
        // Until the platform's own clock objects, which it may do between the looks.
        let mut objects = second;
        objects.policy.trust_platform_clock = true;
        objects.cluster().autotermination_minutes = 1;
        if objects.now.since(two.quiet_since()) > minutes(16) {
            prop_assert!(one.confirmed_by(objects.decide()).is_err());
        }
    }
}

/// Pairs of which hardly any is confirmed, or hardly any is not, would show little.
#[test]
fn pairs_are_a_good_mix() {
    let mut runner = TestRunner::deterministic();
    let (mut proven, mut confirmed) = (0, 0);
    for _ in 0..600 {
        let Ok(tree) = pair().new_tree(&mut runner) else {
            panic!("the strategy rejects nothing");
        };
        let (first, second) = tree.current();
        if let Some(one) = proof(&first) {
            proven += 1;
            confirmed += u32::from(one.confirmed_by(second.decide()).is_ok());
        }
    }
    assert!(proven > 100, "{proven}");
    assert!(confirmed > proven / 10, "{confirmed} of {proven}");
    assert!(confirmed < proven * 9 / 10, "{confirmed} of {proven}");
}
