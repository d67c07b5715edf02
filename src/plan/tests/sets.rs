//! Whole workspaces: generated sets of clusters, decided, planned and looked at
//! again, in terminations that pass through every stage but the network.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::{LARGE, id};
use crate::cluster::ClusterId;
use crate::decision::tests::properties::worlds::nearly_idle;
use crate::decision::tests::properties::{BUSY, Change, PROTECTED};
use crate::decision::tests::world::World;
use crate::decision::{Decision, Proof};
use crate::plan::{Allowance, Caps, Deferral, Plan};
use crate::policy::Mode;

/// One cluster of a set, and what happens to it between the looks.
#[derive(Debug, Clone)]
struct Member {
    first: World,
    happens: Option<Change>,
}

impl Member {
    fn id(&self) -> &ClusterId {
        &self.first.signals.cluster.id
    }

    fn proof(&self) -> Option<Proof> {
        match self.first.decide() {
            Decision::Terminate(proof) => Some(proof),
            Decision::Keep(_) => None,
        }
    }

    /// What the second look decides, a few seconds later.
    fn second(&self) -> Decision {
        let mut second = self.first.clone();
        second.now = second.now.plus(Duration::from_secs(20));
        if let Some((_, happen)) = self.happens {
            happen(&mut second);
        }
        second.decide()
    }
}

/// Clusters of one workspace, each in a world of its own, some of which somebody
/// comes back to between the looks.
fn members() -> impl Strategy<Value = Vec<Member>> {
    let changes: Vec<Change> = BUSY.into_iter().chain(PROTECTED).collect();
    let happens = prop::option::weighted(0.3, prop::sample::select(changes));
    let member = (nearly_idle(), happens).prop_map(|(first, happens)| Member { first, happens });
    prop::collection::vec(member, 0..10).prop_map(|mut members| {
        for (position, member) in members.iter_mut().enumerate() {
            member.first.cluster().id = ClusterId::new(format!("c-{position}"));
        }
        members
    })
}

/// What a workspace's sweep did.
#[derive(Debug, Default)]
struct Swept {
    terminated: Vec<ClusterId>,
    changed: Vec<ClusterId>,
    deferred: Vec<(ClusterId, Deferral)>,
    unused: u32,
}

/// Everything that a visit does after the looks.
fn sweep(members: &[Member], mode: Mode, caps: Caps, allowance: &Allowance) -> Swept {
    let proofs = members.iter().filter_map(Member::proof).collect();
    let mut plan = Plan::new(proofs, mode, caps, allowance);
    let mut swept = Swept::default();
    while let Some(permit) = plan.next_permit() {
        let cluster = permit.proof().cluster().clone();
        let member = members.iter().find(|member| *member.id() == cluster);
        let second = member.map(Member::second).expect("a member of the set");
        match permit.proof().confirmed_by(second) {
            Ok(second) => swept.terminated.extend(permit.redeem(&second)),
            Err(_) => {
                plan.pass_on(permit);
                swept.changed.push(cluster);
            }
        }
    }
    let (unused, waiting) = plan.finish();
    let waiting = waiting.iter();
    swept.deferred = waiting
        .map(|(proof, why)| (proof.cluster().clone(), *why))
        .collect();
    swept.unused = unused;
    swept
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn only_what_both_looks_prove_idle_is_terminated_and_never_more_than_the_caps(
        members in members(),
        others in 0..6_usize,
        cap_per_workspace in 0..6_u32,
        cap_per_sweep in 0..8_u32,
        listing_complete in prop::bool::weighted(0.9),
    ) {
        let running = members.len() + others;
        let caps = Caps { cap_per_workspace, running, listing_complete };
        let allowance = Allowance::new(cap_per_sweep);
        let swept = sweep(&members, Mode::Terminate, caps, &allowance);

        let of = |cluster: &ClusterId| members.iter().find(|member| member.id() == cluster);
        for cluster in &swept.terminated {
            let member = of(cluster).expect("a member");
            let twice = member.proof().map(|first| first.confirmed_by(member.second()));
            prop_assert!(matches!(twice, Some(Ok(_))), "{member:?}");
            prop_assert!(member.happens.is_none(), "{member:?}");
        }
        let sent = swept.terminated.len();
        prop_assert!(sent <= running.div_ceil(2));
        prop_assert!(sent <= usize::try_from(cap_per_workspace.min(cap_per_sweep)).unwrap_or(0));
        prop_assert!(listing_complete || sent == 0);

        // Each proven cluster has one fate, and a slot is lost only for want of clusters.
        let mut fates: Vec<&ClusterId> = swept.terminated.iter().chain(&swept.changed).collect();
        fates.extend(swept.deferred.iter().map(|(cluster, _)| cluster));
        let proven: BTreeSet<&ClusterId> =
            members.iter().filter(|member| member.proof().is_some()).map(Member::id).collect();
        prop_assert_eq!(fates.len(), proven.len());
        prop_assert_eq!(fates.into_iter().collect::<BTreeSet<_>>(), proven);
        prop_assert!(swept.unused == 0 || swept.deferred.is_empty());
    }

    #[test]
    fn every_cluster_that_both_looks_prove_idle_goes_where_the_caps_have_room(
        members in members(),
    ) {
        let caps = Caps {
            cap_per_workspace: LARGE,
            running: members.len() * 2,
            listing_complete: true,
        };
        let swept = sweep(&members, Mode::Terminate, caps, &Allowance::new(LARGE));
        let mut idle: Vec<(Proof, &ClusterId)> = members
            .iter()
            .filter_map(|member| Some((member.proof()?, member.id(), member.second())))
            .filter(|(first, _, second)| first.confirmed_by(second.clone()).is_ok())
            .map(|(first, cluster, _)| (first, cluster))
            .collect();
        // In the order of the last sign of life, and of the ids where that is the same.
        idle.sort_by_key(|(first, cluster)| (first.last_sign(), (*cluster).clone()));
        let expected: Vec<ClusterId> = idle.iter().map(|(_, cluster)| (*cluster).clone()).collect();
        prop_assert_eq!(swept.terminated, expected);
        prop_assert!(swept.deferred.is_empty());
    }

    #[test]
    fn report_mode_redeems_nothing_whatever_the_set(members in members()) {
        let caps = Caps { cap_per_workspace: LARGE, running: 100, listing_complete: true };
        let swept = sweep(&members, Mode::Report, caps, &Allowance::new(LARGE));
        prop_assert!(swept.terminated.is_empty());
        let proofs: Vec<Proof> = members.iter().filter_map(Member::proof).collect();
        let mut plan = Plan::new(proofs.clone(), Mode::Report, caps, &Allowance::new(LARGE));
        let mut candidates = BTreeSet::new();
        while let Some(candidate) = plan.next_candidate() {
            candidates.insert(id(&candidate));
        }
        prop_assert_eq!(candidates, proofs.iter().map(id).collect());
    }
}
