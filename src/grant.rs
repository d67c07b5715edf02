//! Gives service principals their place in a workspace: membership, the group of
//! admins, rights on clusters.
//!
//! Beside `action` the only module that writes to the outside. It adds and never
//! takes away: no right is lowered, no list replaced, nobody removed. What is to be
//! done is worked out first, by [`plan`], and shown; with the operator's `--apply`
//! each change is made, read back and told, and one that fails costs only those
//! that rest on it. [`join`] is also what a sweep calls for a workspace whose
//! `access` is `contributor`.

mod apply;
pub mod join;
pub mod json;
mod members;
mod patience;
pub mod plan;
pub mod text;
mod visit;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tokio::time::Instant;
use url::Url;

use crate::identity::{Identities, PrincipalName, TokenSource};
use crate::transport::Network;
use plan::Change;
use visit::Visit;

pub use patience::Patience;

/// As whom the workspaces are changed.
#[derive(Debug, Clone)]
pub enum Acting {
    /// Each workspace's own principal, which joins by its right on the resource.
    Itself,
    /// The operator at the Azure CLI.
    Operator(Arc<dyn TokenSource>),
    /// This principal, which is an admin there.
    Principal(PrincipalName),
}

impl fmt::Display for Acting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Itself => f.write_str("the principal itself"),
            Self::Operator(_) => f.write_str("the login of the Azure CLI"),
            Self::Principal(name) => write!(f, "principal `{name}`"),
        }
    }
}

/// What is wished for in every workspace, beside the membership of its principal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Its principal is to be a workspace admin.
    pub admin: bool,
    /// Its principal is to have `CAN_RESTART` on the all-purpose clusters.
    pub clusters: bool,
    /// The principal that asks the drivers is to be a member with `CAN_ATTACH_TO`.
    pub evidence: bool,
}

/// A workspace of the policy.
#[derive(Debug, Clone)]
pub struct Target {
    pub name: String,
    pub url: Url,
    pub resource_id: Option<String>,
    pub principal: PrincipalName,
    pub spark_principal: Option<PrincipalName>,
}

/// Everything that one run needs.
#[derive(Debug)]
pub struct Grants {
    pub network: Network,
    pub identities: Identities,
    pub acting: Acting,
    pub wishes: Wishes,
    pub targets: Vec<Target>,
    pub patience: Patience,
    pub deadline: Instant,
    /// Whether the changes are made; else they are only told.
    pub apply: bool,
}

/// Where it is told, workspace by workspace.
pub trait GrantSink {
    fn begin(&mut self, workspaces: usize);
    fn workspace(&mut self, granted: &Granted);
    fn closing(&mut self, totals: &Totals);
}

/// One change, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub change: Change,
    pub outcome: StepOutcome,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepOutcome {
    /// Shown only.
    Planned,
    /// Made, and seen when it was read back.
    Made,
    /// Accepted, and not seen when it was read back.
    NotSeen(String),
    Failed(String),
    /// Not tried, because of another one that failed.
    Skipped(String),
}

impl StepOutcome {
    /// The stable spelling in JSON.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Made => "made",
            Self::NotSeen(_) => "not_seen",
            Self::Failed(_) => "failed",
            Self::Skipped(_) => "skipped",
        }
    }

    /// Why, where it did not succeed.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Planned | Self::Made => None,
            Self::NotSeen(why) | Self::Failed(why) | Self::Skipped(why) => Some(why),
        }
    }
}

/// What came of one workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    pub workspace: String,
    pub host: String,
    /// As whom, in words.
    pub acting: String,
    pub steps: Vec<Step>,
    pub notes: Vec<String>,
    /// Why it could not be looked at, or not to the end.
    pub failure: Option<String>,
}

/// The sum of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    pub workspaces: usize,
    pub planned: usize,
    pub made: usize,
    /// Changes that did not succeed.
    pub not_made: usize,
    /// Workspaces that could not be looked at to the end.
    pub failures: usize,
}

impl Totals {
    /// Whether anything did not go as it was asked.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.not_made + self.failures > 0
    }

    fn add(&mut self, granted: &Granted) {
        self.workspaces += 1;
        self.failures += usize::from(granted.failure.is_some());
        for step in &granted.steps {
            match step.outcome {
                StepOutcome::Planned => self.planned += 1,
                StepOutcome::Made => self.made += 1,
                StepOutcome::NotSeen(_) | StepOutcome::Failed(_) | StepOutcome::Skipped(_) => {
                    self.not_made += 1;
                }
            }
        }
    }
}

impl Grants {
    /// Looks at every workspace, and changes it if that is asked for.
    pub async fn run(self, sink: &mut dyn GrantSink) -> Totals {
        sink.begin(self.targets.len());
        let mut totals = Totals::default();
        let mut grantees = BTreeMap::new();
        for target in &self.targets {
            let granted = Visit::of(&self, target).run(&mut grantees).await;
            totals.add(&granted);
            sink.workspace(&granted);
        }
        sink.closing(&totals);
        totals
    }

    fn tokens_of(&self, name: &PrincipalName) -> Option<Arc<dyn TokenSource>> {
        let identity = self.identities.of(name)?;
        Some(Arc::new(identity.clone()))
    }
}
