//! What holds for the explanation of any world: it is the decision's own, its
//! earliest time is exact, and what it says would help does help.

use proptest::prelude::*;

use super::super::world::{NOW, TICK, World};
use super::worlds::{anything, nearly_idle};
use super::{BUSY, PROTECTED, is_terminated};
use crate::decision::{
    Decision, Earliest, Explanation, KeepReason, RULES, RequiredSignal, Verdict, explain,
};
use crate::signals::{NodesView, Signal};
use crate::timestamp::Timestamp;

fn explained(world: &World) -> Explanation {
    explain(&world.signals, &world.policy, world.now)
}

fn at(world: &World, now: Timestamp) -> World {
    World {
        now,
        ..world.clone()
    }
}

/// Whether no sign of life lies ahead, which the passing of time would bring to pass.
fn is_of_the_past(world: &World) -> bool {
    let signals = &world.signals;
    let spark = signals.spark.known();
    let quiet_since = |nodes: &Signal<NodesView>| match nodes.known() {
        Some(NodesView::QuietSince(at) | NodesView::QuietThroughout(at)) => Some(*at),
        Some(NodesView::Busy { .. }) | None => None,
    };
    let signs = [
        signals.cluster.started(),
        signals.cluster.last_activity_time,
        signals.last_run_end.known().copied().flatten(),
        spark.map(|spark| spark.application_started),
        spark.and_then(|spark| spark.last_completion),
        spark.and_then(|spark| spark.last_stream_batch),
        spark.and_then(|spark| spark.forgotten_until),
        quiet_since(&signals.driver_node),
        quiet_since(&signals.all_nodes),
    ];
    signs.into_iter().flatten().all(|at| at <= world.now)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn first_rule_that_does_not_pass_is_the_one_that_decides(
        world in prop_oneof![anything(), nearly_idle()],
    ) {
        let explanation = explained(&world);
        prop_assert_eq!(explanation.steps.len(), RULES.len());
        let first = explanation.steps.iter().find(|step| step.verdict != Verdict::Passed);
        prop_assert_eq!(explanation.deciding, first.map(|step| step.number));
        prop_assert_eq!(&explanation.decision, &world.decide());
        match (first.map(|step| &step.verdict), world.decide()) {
            (Some(Verdict::Keeps(reason)), Decision::Keep(decided)) => {
                prop_assert_eq!(reason, &decided);
            }
            (Some(Verdict::NotAsked(question)), Decision::Keep(decided)) => {
                let signal = RequiredSignal::NotAsked(*question);
                prop_assert_eq!(decided, KeepReason::RequiredUnknown { signal, why: None });
            }
            (None, Decision::Terminate(_)) => {}
            (first, decided) => prop_assert!(false, "{first:?}, {decided:?}"),
        }
    }

    #[test]
    fn time_that_was_told_holds_for_the_rule_that_decides_too(
        world in prop_oneof![anything(), nearly_idle()],
    ) {
        if let Decision::Keep(reason) = world.decide() {
            let by_reason = reason.earliest(&world.policy);
            match (explained(&world).due.earliest, by_reason) {
                (Earliest::At(by_all), Earliest::At(by_one)) => {
                    prop_assert!(by_all >= by_one);
                }
                (Earliest::At(_), Earliest::Never(_)) => prop_assert!(false, "{reason:?}"),
                (Earliest::Never(_), Earliest::At(_) | Earliest::Never(_)) => {}
            }
        }
    }

    #[test]
    fn evidence_that_is_said_to_help_does(world in prop_oneof![anything(), nearly_idle()]) {
        let explanation = explained(&world);
        let mut last = world.now;
        for shorter in &explanation.shorter {
            prop_assert!(!shorter.with.is_empty());
            prop_assert!(shorter.earliest >= last, "the soonest comes first");
            last = shorter.earliest;
            match explanation.due.earliest {
                Earliest::At(at) => prop_assert!(shorter.earliest < at),
                Earliest::Never(_) => {}
            }
        }
        if let Decision::Terminate(_) = explanation.decision {
            prop_assert!(explanation.shorter.is_empty());
        }
    }

    /// Whatever is missing: no evidence can lift a protection, or end work.
    #[test]
    fn nothing_shortens_what_work_or_a_protection_without_end_keeps(
        world in prop_oneof![anything(), nearly_idle()],
    ) {
        let explanation = explained(&world);
        let is_final = |reason: &KeepReason| match reason {
            KeepReason::NotAllPurpose { .. }
            | KeepReason::NotRunning { .. }
            | KeepReason::ProtectedByTag
            | KeepReason::ProtectedByName { .. }
            | KeepReason::ProtectedByPin
            | KeepReason::KeepUntilUnreadable { .. }
            | KeepReason::ActiveRun { .. }
            | KeepReason::CommandRunning { .. }
            | KeepReason::SparkBusy { .. }
            | KeepReason::Contradictory { .. }
            | KeepReason::StreamActive => true,
            // An executor's load is no objection beside a quiet Spark.
            KeepReason::NodesBusy { .. } => {
                let driver = world.signals.driver_node.known();
                let driver_works = matches!(driver, Some(NodesView::Busy { .. }));
                driver_works && explanation.deciding == Some(11)
            }
            KeepReason::Exempt { .. }
            | KeepReason::KeepUntil { .. }
            | KeepReason::RecentActivity { .. }
            | KeepReason::StartedRecently { .. }
            | KeepReason::StreamTraces { .. }
            | KeepReason::RequiredUnknown { .. }
            | KeepReason::NoWitness
            | KeepReason::EvidenceTooWeak { .. }
            | KeepReason::PlatformSawActivity { .. }
            | KeepReason::QuietTooShort { .. } => false,
        };
        let is_kept_for_good = explanation.steps.iter().any(|step| match &step.verdict {
            Verdict::Keeps(reason) => is_final(reason),
            Verdict::Passed | Verdict::NotAsked(_) => false,
        });
        prop_assert!(!is_kept_for_good || explanation.shorter.is_empty(), "{explanation:?}");
    }

    #[test]
    fn every_change_that_keeps_is_in_the_steps(world in nearly_idle()) {
        for (name, change) in BUSY.into_iter().chain(PROTECTED) {
            let mut kept = world.clone();
            change(&mut kept);
            let explanation = explained(&kept);
            prop_assert!(explanation.deciding.is_some(), "{name}");
            prop_assert_eq!(explanation.due.by.is_some(), true, "{}", name);
        }
    }
}

proptest! {
    // Half of these worlds are terminated at once.
    #![proptest_config(ProptestConfig::with_cases(2048))]

    /// Not a moment later than needed, and never too early.
    #[test]
    fn cluster_is_terminated_at_the_earliest_time_and_not_before(world in nearly_idle()) {
        if !is_of_the_past(&world) || is_terminated(&world) {
            return Ok(());
        }
        match explained(&world).due.earliest {
            Earliest::At(earliest) => {
                prop_assert!(earliest > world.now);
                prop_assert!(!is_terminated(&at(&world, earliest.minus(TICK))));
                // A wait without end ends at the end of time.
                let is_near = earliest < NOW.plus(std::time::Duration::from_hours(100_000));
                prop_assert!(!is_near || is_terminated(&at(&world, earliest)));
            }
            Earliest::Never(_) => {
                let hours = [1, 2, 12, 96, 100, 1000, 100_000];
                for later in hours.map(|hours| world.now.plus(super::hours(hours))) {
                    prop_assert!(!is_terminated(&at(&world, later)), "{later}");
                }
            }
        }
    }
}
