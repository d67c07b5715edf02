//! Plans one workspace's terminations: decisions, mode and caps in, a queue with
//! a number of slots out.
//!
//! The longest idle comes first, by the last sign of life. A [`Permit`] is handed
//! out per termination and can be made only here, and only in terminate mode;
//! `databricks` takes one for every `clusters/delete`. Pure: no I/O and no clock.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::cluster::ClusterId;
use crate::decision::Proof;
use crate::policy::Mode;

/// The terminations that a sweep may still plan, over all its workspaces. A
/// workspace reserves when it plans, first come, first served.
#[derive(Debug)]
pub struct Allowance(AtomicU32);

impl Allowance {
    /// An allowance of `cap_per_sweep` terminations.
    #[must_use]
    pub fn new(cap_per_sweep: u32) -> Self {
        Self(AtomicU32::new(cap_per_sweep))
    }

    /// Takes up to `wanted` out and says how many it got.
    fn reserve(&self, wanted: u32) -> u32 {
        let mut left = self.0.load(Ordering::Relaxed);
        loop {
            let granted = wanted.min(left);
            let swap = self.0.compare_exchange_weak(
                left,
                left - granted,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match swap {
                Ok(_) => return granted,
                Err(seen) => left = seen,
            }
        }
    }

    /// Puts slots back that were not spent, so that a later workspace may have them.
    pub fn give_back(&self, slots: u32) {
        self.0.fetch_add(slots, Ordering::Relaxed);
    }
}

/// The allowances of one sweep, one for each mode: what report mode would have
/// terminated must not use up what terminate mode may.
#[derive(Debug)]
pub struct Allowances {
    report: Allowance,
    terminate: Allowance,
}

impl Allowances {
    /// `cap_per_sweep` terminations for each mode.
    #[must_use]
    pub fn new(cap_per_sweep: u32) -> Self {
        Self {
            report: Allowance::new(cap_per_sweep),
            terminate: Allowance::new(cap_per_sweep),
        }
    }

    /// The one that a workspace in this mode reserves from.
    #[must_use]
    pub fn of(&self, mode: Mode) -> &Allowance {
        match mode {
            Mode::Report => &self.report,
            Mode::Terminate => &self.terminate,
        }
    }
}

/// The bounds of one workspace's plan.
#[derive(Debug, Clone, Copy)]
pub struct Caps {
    pub cap_per_workspace: u32,
    /// RUNNING all-purpose clusters in the listing, protected ones included.
    pub running: usize,
    /// Whether every page of the listing was read.
    pub listing_complete: bool,
}

/// Why a proven cluster is not terminated in this sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deferral {
    /// `cap_per_workspace`, or half of the running clusters.
    WorkspaceCap,
    /// `cap_per_sweep`.
    SweepCap,
    /// A page of the cluster list failed, so the caps cannot be known.
    IncompleteListing,
    /// The sweep's time was up.
    Deadline,
    /// Our clock is not the workspace's, so no age can be trusted.
    ClockSkew,
}

impl Deferral {
    /// The spelling in logs and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WorkspaceCap => "workspace_cap",
            Self::SweepCap => "sweep_cap",
            Self::IncompleteListing => "incomplete_listing",
            Self::Deadline => "deadline",
            Self::ClockSkew => "clock_skew",
        }
    }

    /// As a clause for people.
    #[must_use]
    pub fn clause(self) -> &'static str {
        match self {
            Self::WorkspaceCap => "idle, but this workspace's cap for one sweep is reached",
            Self::SweepCap => "idle, but the cap for the whole sweep is reached",
            Self::IncompleteListing => "idle, but a page of the cluster list could not be read",
            Self::Deadline => "idle, but the sweep's time was up",
            Self::ClockSkew => "idle by a clock that is not the workspace's",
        }
    }
}

/// The right to terminate one cluster, once: what `clusters/delete` takes. It
/// carries the proof of the first look.
#[derive(Debug)]
pub struct Permit {
    proof: Proof,
}

impl Permit {
    /// The proof of the first look.
    #[must_use]
    pub fn proof(&self) -> &Proof {
        &self.proof
    }

    /// Spends the permit for the cluster that both looks have judged. `None`, and
    /// the permit is lost, if the second proof is of another one.
    #[must_use]
    pub fn redeem(self, second: &Proof) -> Option<ClusterId> {
        let both = self.proof.cluster() == second.cluster();
        both.then(|| self.proof.cluster().clone())
    }
}

/// What may be terminated in one workspace, and in which order.
#[derive(Debug)]
pub struct Plan {
    queue: VecDeque<Proof>,
    slots: u32,
    /// Why nothing more is handed out once the slots are gone.
    bound: Deferral,
    mode: Mode,
}

impl Plan {
    /// Orders `proofs`, the longest idle first and ties by id, and reserves slots
    /// from the sweep's allowance.
    #[must_use]
    pub fn new(mut proofs: Vec<Proof>, mode: Mode, caps: Caps, allowance: &Allowance) -> Self {
        proofs.sort_by(|one, other| {
            let by_age = one.last_sign().cmp(&other.last_sign());
            by_age.then_with(|| one.cluster().cmp(other.cluster()))
        });
        let half = u32::try_from(caps.running.div_ceil(2)).unwrap_or(u32::MAX);
        let wanted = u32::try_from(proofs.len()).unwrap_or(u32::MAX);
        let in_workspace = wanted.min(caps.cap_per_workspace).min(half);
        let (slots, bound) = if caps.listing_complete {
            let granted = allowance.reserve(in_workspace);
            let bound = if granted < in_workspace {
                Deferral::SweepCap
            } else {
                Deferral::WorkspaceCap
            };
            (granted, bound)
        } else {
            (0, Deferral::IncompleteListing)
        };
        Self {
            queue: proofs.into(),
            slots,
            bound,
            mode,
        }
    }

    /// The next termination, if a slot is left; none in report mode.
    pub fn next_permit(&mut self) -> Option<Permit> {
        if self.mode != Mode::Terminate {
            return None;
        }
        self.take().map(|proof| Permit { proof })
    }

    /// What terminate mode would take next; none in terminate mode.
    pub fn next_candidate(&mut self) -> Option<Proof> {
        if self.mode != Mode::Report {
            return None;
        }
        self.take()
    }

    /// Takes a permit back that was not used, so that its slot goes to the next.
    pub fn pass_on(&mut self, permit: Permit) {
        let Permit { proof: _ } = permit;
        self.slots = self.slots.saturating_add(1);
    }

    /// Takes a permit back for which there was no time; its cluster waits.
    pub fn put_back(&mut self, permit: Permit) {
        self.queue.push_front(permit.proof);
        self.slots = self.slots.saturating_add(1);
    }

    /// Ends the plan: the slots that nobody used, and what waits for a later
    /// sweep with the reason why.
    #[must_use]
    pub fn finish(self) -> (u32, Vec<(Proof, Deferral)>) {
        let bound = self.bound;
        let waiting = self.queue.into_iter().map(|proof| (proof, bound));
        (self.slots, waiting.collect())
    }

    /// Ends the plan before its slots are used up, and says why.
    #[must_use]
    pub fn finish_early(self, why: Deferral) -> (u32, Vec<(Proof, Deferral)>) {
        let (slots, mut waiting) = self.finish();
        let reachable = usize::try_from(slots).unwrap_or(usize::MAX);
        for (_, deferral) in waiting.iter_mut().take(reachable) {
            *deferral = why;
        }
        (slots, waiting)
    }

    fn take(&mut self) -> Option<Proof> {
        if self.slots == 0 {
            return None;
        }
        let proof = self.queue.pop_front()?;
        self.slots -= 1;
        Some(proof)
    }
}

#[cfg(test)]
mod tests;
