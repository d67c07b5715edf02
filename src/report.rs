//! What a sweep saw and did, as values: one line per cluster, one report per
//! workspace, and totals that are a fold over them.
//!
//! A workspace's report is rendered and dropped when the workspace ends, so that
//! memory does not grow with what has been told already. Text, JSON and the exit
//! status are renderings of these same values (`report::text`, `report::json`).
//! Pure: no I/O and no clock.

pub mod json;
pub mod machines;
pub mod text;
pub mod words;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cluster::ClusterId;
use crate::decision::{Changed, Earliest, KeepReason, Proof};
use crate::escape::Shown;
use crate::human::Count;
use crate::meter::StageCounts;
use crate::plan::Deferral;
use crate::policy::Mode;

/// What became of one cluster.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Kept(KeepReason),
    /// Report mode: terminate mode would have terminated it.
    WouldTerminate(Proof),
    /// Seen to have left the running states after `clusters/delete`.
    Terminated {
        proof: Proof,
        state: String,
    },
    /// `clusters/delete` was accepted, and it still shows RUNNING.
    StillRunning(Proof),
    /// The second look disagreed with the first.
    Changed(Changed),
    /// `clusters/delete` was forbidden.
    Forbidden {
        clause: String,
    },
    /// Proven idle, left to a later sweep.
    Deferred {
        proof: Proof,
        why: Deferral,
    },
    /// `clusters/delete` ended in an error.
    Failed {
        clause: String,
    },
    /// The list's item could not be read.
    Unparsed {
        clause: String,
    },
    /// The sweep's time was up before it was looked at.
    NotReached,
}

impl Outcome {
    /// The spelling in logs and JSON; stable across versions.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Kept(_) => "kept",
            Self::WouldTerminate(_) => "would_terminate",
            Self::Terminated { .. } => "terminated",
            Self::StillRunning(_) => "accepted_still_running",
            Self::Changed(_) => "changed",
            Self::Forbidden { .. } => "forbidden",
            Self::Deferred { .. } => "deferred",
            Self::Failed { .. } => "failed",
            Self::Unparsed { .. } => "unparsed",
            Self::NotReached => "not_reached",
        }
    }

    /// The spelling of the reason within the outcome; stable across versions.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Kept(reason) => reason.as_str(),
            Self::WouldTerminate(proof) | Self::StillRunning(proof) => proof.evidence().as_str(),
            Self::Terminated { proof, .. } => proof.evidence().as_str(),
            Self::Changed(changed) => changed.as_str(),
            Self::Deferred { why, .. } => why.as_str(),
            Self::Forbidden { .. }
            | Self::Failed { .. }
            | Self::Unparsed { .. }
            | Self::NotReached => self.as_str(),
        }
    }

    /// The proof behind it, where there is one.
    #[must_use]
    pub fn proof(&self) -> Option<&Proof> {
        match self {
            Self::WouldTerminate(proof)
            | Self::StillRunning(proof)
            | Self::Terminated { proof, .. }
            | Self::Deferred { proof, .. } => Some(proof),
            Self::Kept(_)
            | Self::Changed(_)
            | Self::Forbidden { .. }
            | Self::Failed { .. }
            | Self::Unparsed { .. }
            | Self::NotReached => None,
        }
    }
}

/// One cluster's line.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterLine {
    pub id: ClusterId,
    pub name: String,
    pub outcome: Outcome,
    /// When it could be terminated at the earliest; `None` where that is no
    /// question (it was, or it was not judged).
    pub earliest: Option<Earliest>,
    /// What each witness said.
    pub said: words::Said,
    /// What was asked in vain: name of the signal and why.
    pub unknowns: Vec<(&'static str, String)>,
    /// What `[[override]]` tables changed for it, a clause per key.
    pub overrides: Vec<String>,
}

/// Something that should have worked and did not. Any one makes the sweep fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub kind: FailureKind,
    /// The workspace's name; `None` when it concerns the whole sweep.
    pub workspace: Option<String>,
    pub cluster: Option<ClusterId>,
    /// One sentence: what happened and what to do.
    pub sentence: String,
}

/// The kinds of failure; everything else is a reason to keep a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureKind {
    /// A setting or a secret could not be read.
    Settings,
    /// Entra refused a token.
    Token,
    /// A workspace was not reached, or refused us.
    Workspace,
    /// The sweep's time was up before a workspace was done.
    Deadline,
    /// A clusters or runs listing ended in an error other than 403.
    Listing,
    /// A termination failed, was forbidden, or did not take effect.
    Termination,
}

impl FailureKind {
    /// The spelling in logs and JSON; stable across versions.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Token => "token",
            Self::Workspace => "workspace",
            Self::Deadline => "deadline",
            Self::Listing => "listing",
            Self::Termination => "termination",
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{}]", self.kind.as_str())?;
        if let Some(workspace) = &self.workspace {
            write!(f, " workspace `{}`", Shown::name(workspace))?;
        }
        if let Some(cluster) = &self.cluster {
            write!(f, ", cluster `{}`", Shown::name(cluster.as_str()))?;
        }
        write!(f, ": {}", Shown::sentence(&self.sentence))
    }
}

/// Everything about one workspace.
#[derive(Debug, Clone)]
pub struct WorkspaceReport {
    pub name: String,
    pub host: String,
    pub mode: Mode,
    /// Whether its list of clusters was read at all.
    pub seen: bool,
    /// Whether the principal made itself a member and an admin on the way.
    pub joined: bool,
    pub lines: Vec<ClusterLine>,
    pub failures: Vec<Failure>,
    /// What the operator should know of the workspace as a whole: rights that
    /// are missing, witnesses that do not answer, and what to grant.
    pub notes: Vec<String>,
    pub machines: machines::Machines,
    pub stages: StageCounts,
    pub elapsed: Duration,
}

/// The fold over all workspaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    pub workspaces: usize,
    /// Names of those whose clusters could not be listed.
    pub not_seen: Vec<String>,
    pub clusters: usize,
    /// Clusters per outcome; the values add up to `clusters`.
    pub outcomes: BTreeMap<&'static str, usize>,
    /// Kept clusters per reason; the values add up to the outcome `kept`.
    pub kept: BTreeMap<&'static str, usize>,
    pub failures: usize,
    pub stages: StageCounts,
}

impl Totals {
    /// Adds one workspace.
    pub fn add(&mut self, report: &WorkspaceReport) {
        self.workspaces += 1;
        if !report.seen {
            self.not_seen.push(report.name.clone());
        }
        for line in &report.lines {
            self.clusters += 1;
            *self.outcomes.entry(line.outcome.as_str()).or_default() += 1;
            if let Outcome::Kept(reason) = &line.outcome {
                *self.kept.entry(reason.as_str()).or_default() += 1;
            }
        }
        self.failures += report.failures.len();
        self.stages.add(&report.stages);
    }

    /// How many clusters had this outcome.
    #[must_use]
    pub fn outcome(&self, name: &str) -> usize {
        self.outcomes.get(name).copied().unwrap_or(0)
    }
}

/// What is told at the end of a sweep.
#[derive(Debug, Clone)]
pub struct Closing {
    pub mode: Mode,
    pub totals: Totals,
    /// Failures that belong to no workspace.
    pub failures: Vec<Failure>,
    /// What works and will not for long: certificates and secrets that end soon.
    pub warnings: Vec<String>,
    pub token_requests: u64,
    pub secret_reads: u64,
    pub elapsed: Duration,
}

impl Closing {
    /// Whether anything that should have worked did not.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.totals.failures > 0 || !self.failures.is_empty()
    }

    /// One line for logs and for the host's answer.
    #[must_use]
    pub fn summary(&self) -> String {
        let totals = &self.totals;
        let outcomes: Vec<String> = totals
            .outcomes
            .iter()
            .map(|(outcome, count)| format!("{count} {}", outcome.replace('_', " ")))
            .collect();
        let outcomes = if outcomes.is_empty() {
            "nothing to judge".to_owned()
        } else {
            outcomes.join(", ")
        };
        format!(
            "{} mode: {} in {} ({} not seen): {outcomes}; {}",
            self.mode.as_str(),
            Count(totals.clusters, "cluster"),
            Count(totals.workspaces, "workspace"),
            totals.not_seen.len(),
            Count(totals.failures + self.failures.len(), "failure"),
        )
    }
}

#[cfg(test)]
mod tests;
