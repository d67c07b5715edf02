//! Every spelling that can stand in the report's columns. A variant that is not
//! listed here does not compile.

use std::iter::successors;
use std::time::Duration;

use terminate_clusters::decision::{
    ActivitySign, Changed, Evidence, KeepReason, Quiet, RequiredSignal, StreamTrace, Weakness,
};
use terminate_clusters::plan::Deferral;
use terminate_clusters::report::{FailureKind, Outcome};
use terminate_clusters::signals::{SparkWork, SparkWorkKind};

use crate::sample::{NOW, idle, proof};

/// Why a cluster can be kept.
pub(crate) fn reasons() -> Vec<&'static str> {
    let reasons: Vec<KeepReason> =
        successors(Some(KeepReason::ProtectedByTag), next_reason).collect();
    reasons.iter().map(KeepReason::as_str).collect()
}

/// What a termination can rest on.
pub(crate) fn evidence() -> Vec<&'static str> {
    successors(Some(Evidence::Both), next_evidence)
        .map(Evidence::as_str)
        .collect()
}

/// Reasons, outcomes, and why something was deferred, changed or failed.
pub(crate) fn all() -> Vec<&'static str> {
    let outcomes = successors(Some(Outcome::Kept(KeepReason::NoWitness)), next_outcome);
    let changes = successors(Some(Changed::Restarted), next_change);
    let deferrals = successors(Some(Deferral::WorkspaceCap), next_deferral);
    let kinds = successors(Some(FailureKind::Settings), next_kind);
    let mut all = reasons();
    all.extend(outcomes.map(|outcome| outcome.as_str()));
    all.extend(changes.map(|change| change.as_str()));
    all.extend(deferrals.map(Deferral::as_str));
    all.extend(kinds.map(FailureKind::as_str));
    all.extend(evidence());
    all
}

fn work() -> SparkWork {
    SparkWork {
        kind: SparkWorkKind::Job,
        label: "job 1".to_owned(),
        since: None,
    }
}

fn next_reason(reason: &KeepReason) -> Option<KeepReason> {
    let text = || "text".to_owned();
    Some(match reason {
        KeepReason::ProtectedByTag => KeepReason::ProtectedByName { pattern: text() },
        KeepReason::ProtectedByName { .. } => KeepReason::ProtectedByPin,
        KeepReason::ProtectedByPin => KeepReason::NotAllPurpose { source: text() },
        KeepReason::NotAllPurpose { .. } => KeepReason::NotRunning { state: text() },
        KeepReason::NotRunning { .. } => KeepReason::Exempt {
            until: NOW,
            day: text(),
            reason: text(),
        },
        KeepReason::Exempt { .. } => KeepReason::KeepUntil {
            until: NOW,
            day: text(),
        },
        KeepReason::KeepUntil { .. } => KeepReason::KeepUntilUnreadable { value: text() },
        KeepReason::KeepUntilUnreadable { .. } => KeepReason::ActiveRun { run: text() },
        KeepReason::ActiveRun { .. } => KeepReason::RecentActivity {
            sign: ActivitySign::RunEnded,
            at: NOW,
        },
        KeepReason::RecentActivity { .. } => KeepReason::StartedRecently { at: NOW },
        KeepReason::StartedRecently { .. } => KeepReason::CommandRunning { thread: text() },
        KeepReason::CommandRunning { .. } => KeepReason::SparkBusy { work: work() },
        KeepReason::SparkBusy { .. } => KeepReason::Contradictory { work: work() },
        KeepReason::Contradictory { .. } => KeepReason::StreamActive,
        KeepReason::StreamActive => KeepReason::StreamTraces {
            trace: StreamTrace::Batch,
            at: NOW,
        },
        KeepReason::StreamTraces { .. } => KeepReason::NodesBusy {
            cores: 1.0,
            network_bytes_per_minute: 0.0,
        },
        KeepReason::NodesBusy { .. } => KeepReason::RequiredUnknown {
            signal: RequiredSignal::Start,
            why: None,
        },
        KeepReason::RequiredUnknown { .. } => KeepReason::NoWitness,
        KeepReason::NoWitness => KeepReason::EvidenceTooWeak {
            evidence: Evidence::SparkAlone,
            weakness: Weakness::SingleNode,
        },
        KeepReason::EvidenceTooWeak { .. } => KeepReason::PlatformSawActivity {
            autotermination: Duration::from_hours(1),
            quiet_since: NOW,
        },
        KeepReason::PlatformSawActivity { .. } => KeepReason::QuietTooShort {
            quiet: Quiet {
                since: NOW,
                last_sign: NOW,
                evidence: Evidence::Both,
                threshold: Duration::from_hours(2),
                left_to_platform: false,
            },
        },
        KeepReason::QuietTooShort { .. } => return None,
    })
}

fn next_outcome(outcome: &Outcome) -> Option<Outcome> {
    let proof = || proof(&idle("id", "name", 100));
    let clause = String::new;
    Some(match outcome {
        Outcome::Kept(_) => Outcome::WouldTerminate(proof()),
        Outcome::WouldTerminate(_) => Outcome::Terminated {
            proof: proof(),
            state: clause(),
        },
        Outcome::Terminated { .. } => Outcome::StillRunning(proof()),
        Outcome::StillRunning(_) => Outcome::Changed(Changed::Restarted),
        Outcome::Changed(_) => Outcome::Forbidden { clause: clause() },
        Outcome::Forbidden { .. } => Outcome::Deferred {
            proof: proof(),
            why: Deferral::Deadline,
        },
        Outcome::Deferred { .. } => Outcome::Failed { clause: clause() },
        Outcome::Failed { .. } => Outcome::Unparsed { clause: clause() },
        Outcome::Unparsed { .. } => Outcome::NotReached,
        Outcome::NotReached => return None,
    })
}

/// `Changed::Kept` is left out: it is spelled as the reason that it names.
fn next_change(change: &Changed) -> Option<Changed> {
    Some(match change {
        Changed::Restarted => Changed::ActiveAgain,
        Changed::ActiveAgain => Changed::WitnessLost,
        Changed::WitnessLost => Changed::Unreadable(String::new()),
        Changed::Unreadable(_) | Changed::Kept(_) => return None,
    })
}

fn next_evidence(evidence: &Evidence) -> Option<Evidence> {
    Some(match evidence {
        Evidence::Both => Evidence::SparkAlone,
        Evidence::SparkAlone => Evidence::NodesAlone,
        Evidence::NodesAlone => return None,
    })
}

fn next_deferral(deferral: &Deferral) -> Option<Deferral> {
    Some(match deferral {
        Deferral::WorkspaceCap => Deferral::SweepCap,
        Deferral::SweepCap => Deferral::IncompleteListing,
        Deferral::IncompleteListing => Deferral::Deadline,
        Deferral::Deadline => Deferral::ClockSkew,
        Deferral::ClockSkew => return None,
    })
}

fn next_kind(kind: &FailureKind) -> Option<FailureKind> {
    Some(match kind {
        FailureKind::Settings => FailureKind::Token,
        FailureKind::Token => FailureKind::Workspace,
        FailureKind::Workspace => FailureKind::Deadline,
        FailureKind::Deadline => FailureKind::Listing,
        FailureKind::Listing => FailureKind::Termination,
        FailureKind::Termination => return None,
    })
}
