//! Tests of the plan: the order, the caps, and that a permit exists only where
//! a termination is allowed.

mod sets;

use proptest::prelude::*;

use super::{Allowance, Caps, Deferral, Permit, Plan};
use crate::cluster::ClusterId;
use crate::decision::Proof;
use crate::decision::tests::world::{NOW, World, hours, proof, proof_of};
use crate::policy::Mode;
use crate::signals::{NodesView, Signal};

/// A cap that binds nothing in these tests.
const LARGE: u32 = 1000;

fn caps(cap_per_workspace: u32, running: usize) -> Caps {
    Caps {
        cap_per_workspace,
        running,
        listing_complete: true,
    }
}

/// Clusters `a0`, `a1`, …, each idle for an hour less than the one before.
fn proofs(count: u64) -> Vec<Proof> {
    (0..count)
        .map(|index| proof_of(&format!("a{index:03}"), hours(99 - index)))
        .collect()
}

fn id(proof: &Proof) -> String {
    proof.cluster().as_str().to_owned()
}

/// Everything that the plan hands out in either mode, by id.
fn handed_out(plan: &mut Plan) -> Vec<String> {
    let mut ids = Vec::new();
    while let Some(permit) = plan.next_permit() {
        ids.push(id(permit.proof()));
    }
    while let Some(proof) = plan.next_candidate() {
        ids.push(id(&proof));
    }
    ids
}

fn reasons(waiting: &[(Proof, Deferral)]) -> Vec<Deferral> {
    waiting.iter().map(|(_, reason)| *reason).collect()
}

#[test]
fn longest_idle_comes_first_and_ties_go_by_id() {
    for mode in [Mode::Report, Mode::Terminate] {
        let proofs = vec![
            proof_of("c", hours(5)),
            proof_of("b", hours(90)),
            proof_of("d", hours(5)),
            proof_of("a", hours(5)),
            proof_of("e", hours(50)),
        ];
        let allowance = Allowance::new(LARGE);
        let mut plan = Plan::new(proofs, mode, caps(LARGE, 100), &allowance);
        assert_eq!(handed_out(&mut plan), ["b", "e", "a", "c", "d"]);
    }
}

#[test]
fn metrics_that_begin_at_one_time_hide_nobodys_age() {
    let quiet_throughout = |id: &str, last_sign: u64| {
        let mut world = World::idle();
        world.cluster().id = ClusterId::new(id);
        world.nodes_say(NodesView::QuietThroughout(NOW.minus(hours(2))));
        world.signals.last_run_end = Signal::Known(Some(NOW.minus(hours(last_sign))));
        proof(&world)
    };
    let proofs = vec![
        quiet_throughout("a", 30),
        quiet_throughout("b", 90),
        quiet_throughout("c", 60),
    ];
    assert_eq!(proofs[0].quiet_since(), proofs[1].quiet_since());
    let allowance = Allowance::new(LARGE);
    let mut plan = Plan::new(proofs, Mode::Terminate, caps(LARGE, 100), &allowance);
    assert_eq!(handed_out(&mut plan), ["b", "c", "a"]);
}

#[test]
fn waiting_clusters_come_out_in_the_same_order() {
    let proofs = vec![
        proof_of("b", hours(5)),
        proof_of("a", hours(5)),
        proof_of("c", hours(50)),
    ];
    let allowance = Allowance::new(LARGE);
    let mut plan = Plan::new(proofs, Mode::Terminate, caps(1, 100), &allowance);
    assert_eq!(handed_out(&mut plan), ["c"]);
    let (_, waiting) = plan.finish();
    let ids: Vec<String> = waiting.iter().map(|(proof, _)| id(proof)).collect();
    assert_eq!(ids, ["a", "b"]);
}

#[test]
fn no_more_than_half_of_the_running_clusters_are_terminated() {
    for (running, expected) in [(0, 0), (1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (60, 10)] {
        let allowance = Allowance::new(LARGE);
        let mut plan = Plan::new(proofs(40), Mode::Terminate, caps(10, running), &allowance);
        let terminated = handed_out(&mut plan).len();
        assert_eq!(terminated, expected, "of {running}");
        let (unused, waiting) = plan.finish();
        assert_eq!(unused, 0);
        assert_eq!(waiting.len(), 40 - expected);
        assert!(
            reasons(&waiting)
                .iter()
                .all(|why| *why == Deferral::WorkspaceCap)
        );
    }
}

#[test]
fn caps_of_zero_and_of_everything_hold() {
    for (cap, expected) in [(0, 0), (1, 1), (3, 3), (u32::MAX, 3)] {
        for running in [6, usize::MAX] {
            let allowance = Allowance::new(u32::MAX);
            let mut plan = Plan::new(proofs(3), Mode::Terminate, caps(cap, running), &allowance);
            assert_eq!(handed_out(&mut plan).len(), expected, "{cap} of {running}");
        }
    }
}

#[test]
fn report_mode_never_yields_a_permit() {
    let allowance = Allowance::new(LARGE);
    let mut plan = Plan::new(proofs(3), Mode::Report, caps(LARGE, 100), &allowance);
    assert!(plan.next_permit().is_none());
    assert!(plan.next_candidate().is_some());
    assert!(plan.next_permit().is_none());
}

#[test]
fn terminate_mode_never_yields_a_candidate() {
    let allowance = Allowance::new(LARGE);
    let mut plan = Plan::new(proofs(3), Mode::Terminate, caps(LARGE, 100), &allowance);
    assert!(plan.next_candidate().is_none());
    assert!(plan.next_permit().is_some());
    assert!(plan.next_candidate().is_none());
}

#[test]
fn report_mode_stops_at_the_caps_that_terminate_mode_would() {
    let of = |mode| {
        let allowance = Allowance::new(4);
        let mut plan = Plan::new(proofs(9), mode, caps(7, 18), &allowance);
        let ids = handed_out(&mut plan);
        let (unused, waiting) = plan.finish();
        (ids, unused, reasons(&waiting))
    };
    assert_eq!(of(Mode::Report), of(Mode::Terminate));
    assert_eq!(of(Mode::Report).0.len(), 4);
}

#[test]
fn permit_carries_the_proof_of_the_first_look() {
    let proof = proof_of("a", hours(7));
    let allowance = Allowance::new(1);
    let mut plan = Plan::new(vec![proof.clone()], Mode::Terminate, caps(1, 1), &allowance);
    let permit = plan.next_permit();
    assert_eq!(permit.as_ref().map(Permit::proof), Some(&proof));
}

#[test]
fn slot_that_is_passed_on_goes_to_the_next_cluster_and_not_back_to_the_same() {
    let allowance = Allowance::new(LARGE);
    let mut plan = Plan::new(proofs(3), Mode::Terminate, caps(1, 100), &allowance);
    let Some(first) = plan.next_permit() else {
        panic!("a slot was free");
    };
    assert!(plan.next_permit().is_none());
    assert_eq!(id(first.proof()), "a000");
    plan.pass_on(first);
    assert_eq!(handed_out(&mut plan), ["a001"]);
    let (unused, waiting) = plan.finish();
    assert_eq!(unused, 0);
    assert_eq!(reasons(&waiting), [Deferral::WorkspaceCap]);
}

#[test]
fn permit_that_is_put_back_waits_first_in_line_with_its_slot() {
    let allowance = Allowance::new(LARGE);
    let mut plan = Plan::new(proofs(3), Mode::Terminate, caps(2, 100), &allowance);
    let Some(first) = plan.next_permit() else {
        panic!("a slot was free");
    };
    plan.put_back(first);
    let (unused, waiting) = plan.finish_early(Deferral::Deadline);
    assert_eq!(unused, 2);
    let waiting: Vec<_> = waiting
        .iter()
        .map(|(proof, why)| (id(proof), *why))
        .collect();
    let expected = [
        ("a000".to_owned(), Deferral::Deadline),
        ("a001".to_owned(), Deferral::Deadline),
        ("a002".to_owned(), Deferral::WorkspaceCap),
    ];
    assert_eq!(waiting, expected);
}

#[test]
fn permit_is_good_for_the_cluster_of_both_proofs_alone() {
    let allowance = Allowance::new(LARGE);
    let mut plan = Plan::new(proofs(2), Mode::Terminate, caps(LARGE, 100), &allowance);
    let mut redeem = |id: &str| {
        let second = proof_of(id, hours(50));
        plan.next_permit().and_then(|permit| permit.redeem(&second))
    };
    assert_eq!(redeem("a000"), Some(ClusterId::new("a000")));
    assert_eq!(redeem("a000"), None);
}

#[test]
fn slot_that_nobody_takes_comes_back_unused() {
    let allowance = Allowance::new(3);
    let mut plan = Plan::new(proofs(3), Mode::Terminate, caps(LARGE, 100), &allowance);
    while let Some(permit) = plan.next_permit() {
        if id(permit.proof()) == "a002" {
            plan.pass_on(permit);
        }
    }
    let (unused, waiting) = plan.finish();
    assert_eq!((unused, waiting.len()), (1, 0));
    allowance.give_back(unused);
    let mut next = Plan::new(proofs(3), Mode::Terminate, caps(LARGE, 100), &allowance);
    assert_eq!(handed_out(&mut next).len(), 1);
}

#[test]
fn workspaces_share_what_the_sweep_allows_first_come_first_served() {
    let allowance = Allowance::new(5);
    let plan = |count| Plan::new(proofs(count), Mode::Terminate, caps(3, 100), &allowance);
    let mut plans = [plan(4), plan(4), plan(4)];
    let counts = plans.each_mut().map(|plan| handed_out(plan).len());
    assert_eq!(counts, [3, 2, 0]);
    let bounds = plans.map(|plan| reasons(&plan.finish().1));
    assert_eq!(bounds[0], [Deferral::WorkspaceCap]);
    assert_eq!(bounds[1], [Deferral::SweepCap; 2]);
    assert_eq!(bounds[2], [Deferral::SweepCap; 4]);
}

#[test]
fn workspace_reserves_no_more_than_it_has_to_terminate() {
    let allowance = Allowance::new(5);
    let small = Plan::new(proofs(1), Mode::Terminate, caps(10, 100), &allowance);
    let none = Plan::new(Vec::new(), Mode::Terminate, caps(10, 100), &allowance);
    let mut large = Plan::new(proofs(9), Mode::Terminate, caps(10, 100), &allowance);
    assert_eq!(handed_out(&mut large).len(), 4);
    assert_eq!(small.finish().0, 1);
    assert_eq!(none.finish().0, 0);
}

#[test]
fn slots_are_reserved_when_the_plan_is_made_and_not_when_they_are_used() {
    let allowance = Allowance::new(1);
    let mut first = Plan::new(proofs(1), Mode::Terminate, caps(10, 100), &allowance);
    let mut second = Plan::new(proofs(1), Mode::Terminate, caps(10, 100), &allowance);
    assert!(second.next_permit().is_none());
    assert!(first.next_permit().is_some());
}

#[test]
fn incomplete_listing_terminates_nothing_and_takes_nothing_from_the_others() {
    let allowance = Allowance::new(3);
    for mode in [Mode::Report, Mode::Terminate] {
        let incomplete = Caps {
            listing_complete: false,
            ..caps(10, 100)
        };
        let mut plan = Plan::new(proofs(2), mode, incomplete, &allowance);
        assert!(handed_out(&mut plan).is_empty());
        let (unused, waiting) = plan.finish();
        assert_eq!(unused, 0);
        assert_eq!(reasons(&waiting), [Deferral::IncompleteListing; 2]);
    }
    let mut other = Plan::new(proofs(9), Mode::Terminate, caps(10, 100), &allowance);
    assert_eq!(handed_out(&mut other).len(), 3);
}

#[test]
fn deadline_defers_what_had_a_slot_and_the_caps_the_rest() {
    let allowance = Allowance::new(LARGE);
    let mut plan = Plan::new(proofs(6), Mode::Terminate, caps(4, 100), &allowance);
    assert!(plan.next_permit().is_some());
    let (unused, waiting) = plan.finish_early(Deferral::Deadline);
    assert_eq!(unused, 3);
    let expected = [
        Deferral::Deadline,
        Deferral::Deadline,
        Deferral::Deadline,
        Deferral::WorkspaceCap,
        Deferral::WorkspaceCap,
    ];
    assert_eq!(reasons(&waiting), expected);
}

#[test]
fn deadline_changes_nothing_where_no_slot_is_left() {
    let allowance = Allowance::new(1);
    let mut plan = Plan::new(proofs(3), Mode::Terminate, caps(10, 100), &allowance);
    assert_eq!(handed_out(&mut plan).len(), 1);
    let (unused, waiting) = plan.finish_early(Deferral::Deadline);
    assert_eq!(unused, 0);
    assert_eq!(reasons(&waiting), [Deferral::SweepCap; 2]);
}

#[test]
fn every_deferral_has_a_spelling_and_a_clause_of_its_own() {
    let every = [
        Deferral::WorkspaceCap,
        Deferral::SweepCap,
        Deferral::IncompleteListing,
        Deferral::Deadline,
        Deferral::ClockSkew,
    ];
    for one in every {
        let expected = match one {
            Deferral::WorkspaceCap => "workspace_cap",
            Deferral::SweepCap => "sweep_cap",
            Deferral::IncompleteListing => "incomplete_listing",
            Deferral::Deadline => "deadline",
            Deferral::ClockSkew => "clock_skew",
        };
        assert_eq!(one.as_str(), expected);
        let same = every.iter().filter(|other| other.clause() == one.clause());
        assert_eq!(same.count(), 1);
    }
}

#[test]
fn threads_that_plan_at_once_share_the_allowance_exactly() {
    let allowance = Allowance::new(50);
    let granted: usize = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let mut sum = 0;
                    for _ in 0..4 {
                        let mut plan =
                            Plan::new(proofs(3), Mode::Terminate, caps(10, 100), &allowance);
                        sum += handed_out(&mut plan).len();
                    }
                    sum
                })
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or(0))
            .sum()
    });
    assert_eq!(granted, 50);
}

/// What happens to one permit.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Spent,
    PassedOn,
    /// There was no time for it, and the plan ends.
    PutBack,
}

/// One workspace of a sweep: how many clusters are proven idle, of how many that
/// run, and what becomes of the permits.
#[derive(Debug, Clone)]
struct Visit {
    proven: u64,
    others: usize,
    mode: Mode,
    listing_complete: bool,
    fates: Vec<Fate>,
    stops_after: usize,
}

fn visit() -> impl Strategy<Value = Visit> {
    let fate = prop_oneof![
        6 => Just(Fate::Spent),
        3 => Just(Fate::PassedOn),
        1 => Just(Fate::PutBack),
    ];
    (
        0..12_u64,
        0..12_usize,
        prop::sample::select(vec![Mode::Report, Mode::Terminate, Mode::Terminate]),
        prop::bool::weighted(0.9),
        prop::collection::vec(fate, 12),
        0..20_usize,
    )
        .prop_map(
            |(proven, others, mode, listing_complete, fates, stops_after)| Visit {
                proven,
                others,
                mode,
                listing_complete,
                fates,
                stops_after,
            },
        )
}

/// How often each proof came out, and what was spent.
fn carry_out(visit: &Visit, cap: u32, allowance: &Allowance) -> (Vec<String>, usize) {
    let running = usize::try_from(visit.proven).unwrap_or(0) + visit.others;
    let caps = Caps {
        cap_per_workspace: cap,
        running,
        listing_complete: visit.listing_complete,
    };
    let mut plan = Plan::new(proofs(visit.proven), visit.mode, caps, allowance);
    let (mut seen, mut spent) = (Vec::new(), 0);
    for fate in visit.fates.iter().take(visit.stops_after) {
        let Some(permit) = plan.next_permit() else {
            break;
        };
        let one = id(permit.proof());
        match fate {
            Fate::Spent => spent += 1,
            Fate::PassedOn => plan.pass_on(permit),
            Fate::PutBack => {
                plan.put_back(permit);
                break;
            }
        }
        seen.push(one);
    }
    while let Some(candidate) = plan.next_candidate() {
        seen.push(id(&candidate));
        spent += 1;
    }
    let is_late = visit.stops_after < visit.fates.len();
    let (unused, waiting) = if is_late {
        plan.finish_early(Deferral::Deadline)
    } else {
        plan.finish()
    };
    seen.extend(waiting.iter().map(|(proof, _)| id(proof)));
    allowance.give_back(unused);
    let half = running.div_ceil(2);
    let of_workspace = half.min(usize::try_from(cap).unwrap_or(usize::MAX));
    assert!(spent <= of_workspace, "{spent} of {of_workspace}");
    assert!(visit.listing_complete || spent == 0);
    (seen, spent)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_cap_is_ever_exceeded_and_every_proof_comes_out_exactly_once(
        visits in prop::collection::vec(visit(), 1..5),
        cap_per_workspace in 0..8_u32,
        cap_per_sweep in 0..20_u32,
    ) {
        let allowance = Allowance::new(cap_per_sweep);
        let mut spent_in_all = 0;
        for visit in &visits {
            let (mut seen, spent) = carry_out(visit, cap_per_workspace, &allowance);
            spent_in_all += spent;
            seen.sort();
            let all: Vec<String> = proofs(visit.proven).iter().map(id).collect();
            prop_assert_eq!(seen, all);
        }
        let cap_per_sweep = usize::try_from(cap_per_sweep).unwrap_or(usize::MAX);
        prop_assert!(spent_in_all <= cap_per_sweep, "{} of {}", spent_in_all, cap_per_sweep);
        // What nobody spent is there for a workspace that comes later.
        let mut last = Plan::new(proofs(20), Mode::Terminate, caps(LARGE, 100), &allowance);
        let left = handed_out(&mut last).len();
        prop_assert_eq!(left, 20.min(cap_per_sweep - spent_in_all));
    }
}
