//! Explains one cluster to a person: every signal as it is read, what each rule
//! makes of it, when it could be terminated, and what would make that sooner.
//!
//! It looks with the sweep's own eyes and asks more than a sweep would, which cannot
//! change the decision. It plans nothing and can terminate nothing: no permit comes
//! here, and the stages that make and use one are not called. Beside the data path,
//! from the workspaces to the decision; `text` and `json` render the same values.

mod find;
pub mod json;
pub mod text;
pub mod told;

use tokio::time::Instant;

pub use self::find::Unexplained;
use self::find::{Finding, find};
use crate::cluster::ClusterId;
use crate::decision::{Decision, Explanation, explain};
use crate::policy::{ClusterPolicy, Mode, Policy};
use crate::report::Outcome;
use crate::signals::Signals;
use crate::sweep::{Scope, Sweep};
use crate::timestamp::Timestamp;
use crate::workspace::Workspace;
use crate::workspace::gatherer;

/// Which cluster is asked about, and where.
#[derive(Debug, Clone)]
pub struct WhyRequest {
    pub cluster: ClusterId,
    pub scope: Scope,
    /// When everything must have been asked.
    pub deadline: Instant,
}

/// What came of a request.
#[derive(Debug, Clone)]
pub enum Answer {
    Explained(Box<Explained>),
    /// No cluster to explain.
    Unexplained(Unexplained),
}

/// One cluster with everything that there is to say of it.
#[derive(Debug, Clone)]
pub struct Explained {
    /// The name of its workspace in the policy.
    pub workspace: String,
    pub host: String,
    /// What a sweep may do in the workspace.
    pub mode: Mode,
    /// The policy that applies to the cluster.
    pub policy: Policy,
    /// What `[[override]]` tables changed of it, a clause per key.
    pub overrides: Vec<String>,
    pub signals: Signals,
    /// When the look began; what is explained holds for this instant.
    pub read_at: Timestamp,
    pub explanation: Explanation,
    /// What a reader should know besides: workspaces that could not be asked.
    pub warnings: Vec<String>,
}

impl Explained {
    /// The decision in the report's words: what a sweep would make of the cluster.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match &self.explanation.decision {
            Decision::Keep(reason) => Outcome::Kept(reason.clone()),
            Decision::Terminate(proof) => Outcome::WouldTerminate(proof.clone()),
        }
    }
}

/// The workspace of the request that knows the cluster.
///
/// # Errors
///
/// Why there is none, or not only one.
pub(crate) async fn whereabouts(
    sweep: &Sweep,
    request: &WhyRequest,
) -> Result<Workspace, Unexplained> {
    match find(sweep, request).await {
        Finding::Here(found) => Ok(found.workspace),
        Finding::Nowhere(unexplained) => Err(unexplained),
    }
}

/// Looks for the cluster in every workspace of the request, then looks at it.
pub async fn why(sweep: &Sweep, request: &WhyRequest) -> Answer {
    let found = match find(sweep, request).await {
        Finding::Here(found) => *found,
        Finding::Nowhere(unexplained) => return Answer::Unexplained(unexplained),
    };
    let workspace = &found.workspace;
    let rules = sweep.rules();
    let gatherer = gatherer(workspace, &found.clients, &rules);
    let (signals, read_at) = gatherer.look_at_everything(found.cluster).await;
    let ClusterPolicy { policy, changes } = gatherer.policies.of(&signals.cluster);
    let explanation = explain(&signals, &policy, read_at);
    let failures = found.failures.iter().map(ToString::to_string);
    let skew = found.clients.lane.clock_skew();
    Answer::Explained(Box::new(Explained {
        workspace: workspace.name.clone(),
        host: workspace.url.host_str().unwrap_or_default().to_owned(),
        mode: workspace.mode,
        policy,
        overrides: changes.iter().map(ToString::to_string).collect(),
        signals,
        read_at,
        explanation,
        warnings: failures.chain(skew.map(|skew| skew.to_string())).collect(),
    }))
}
