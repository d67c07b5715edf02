//! How a visit begins: who asks, the first question, and joining the workspace where
//! that is what is missing and may be done.
//!
//! A workspace whose `access` is `contributor` lets the principal in by its right on
//! the Azure resource. That makes it a workspace admin, so it is done only in terminate
//! mode, only after the plain token was refused as no member's, and the report says so.

use std::sync::Arc;

use crate::databricks::ClusterListing;
use crate::databricks::access::AccessProblem;
use crate::escape::{Shown, shell_option};
use crate::grant::join::{self, JoinProblem};
use crate::policy::Access;
use crate::signals::facts::{FactsSettings, WorkspaceFacts};
use crate::signals::gather::Gatherer;

use super::{Clients, SweepRules, Workspace};

/// What is told of a workspace that was joined.
pub(super) const JOINED: &str = "the service principal was no member and has joined by its right \
    on the workspace's Azure resource; it is now a workspace admin here";

/// The list of clusters, and how it was come by.
pub(super) struct Entered {
    pub(super) listing: ClusterListing,
    pub(super) has_joined: bool,
    /// What stood in the way, where that is more than the listing's own error tells.
    pub(super) refused: Option<String>,
}

/// What asks about the clusters of one workspace.
pub(crate) fn gatherer(workspace: &Workspace, clients: &Clients, rules: &SweepRules) -> Gatherer {
    let policies = rules.policy.for_workspace(&workspace.name);
    let settings = FactsSettings {
        name: workspace.name.clone(),
        sees_all_runs: workspace.sees_all_runs,
        resource_id: workspace.resource_id.clone(),
        runs_page_cap: rules.runs_page_cap,
        longest_threshold: policies.longest_threshold(),
    };
    let facts = WorkspaceFacts::new(
        Arc::clone(&clients.databricks),
        Arc::clone(&rules.clock),
        settings,
    );
    Gatherer {
        facts: Arc::new(facts),
        spark: clients.spark.clone(),
        monitor: clients.monitor.clone(),
        policies: Arc::new(policies),
    }
}

pub(super) async fn enter(workspace: &Workspace, clients: &Clients, rules: &SweepRules) -> Entered {
    let listing = clients.databricks.list_clusters().await;
    let entered = |listing, has_joined, refused| Entered {
        listing,
        has_joined,
        refused,
    };
    let may_join = match workspace.access {
        Access::Contributor => is_no_member(&listing),
        Access::Member => false,
    };
    if !may_join {
        return entered(listing, false, None);
    }
    let Some(joiner) = &clients.joiner else {
        let refused = Some(told(only_reported(workspace)));
        return entered(listing, false, refused);
    };
    let lost = match joiner.join().await {
        Ok(()) => None,
        Err(problem) if problem.may_have_joined() => Some(problem),
        Err(problem) => {
            let refused = Some(told(format!("it could not join by itself: {problem}")));
            return entered(listing, false, refused);
        }
    };
    let listing = list_once_let_in(clients, rules, lost.is_some()).await;
    let name = Shown::name(&workspace.name).to_string();
    match lost {
        Some(problem) if !is_let_in(&listing) => {
            let why = join::MAY_HAVE_JOINED;
            tracing::warn!(workspace = name, "Tried to join workspace `{name}`: {why}");
            entered(listing, false, Some(lost_answer(&problem)))
        }
        Some(_) | None => {
            tracing::warn!(workspace = name, "Joined workspace `{name}`: {JOINED}");
            let in_vain = is_no_member(&listing).then(|| told(join::NOT_SPREAD.to_owned()));
            entered(listing, true, in_vain)
        }
    }
}

/// Lists until the new membership shows or patience ends. Where the answer of the
/// joining is lost, only a list shows it; else whatever is no refusal of a stranger.
async fn list_once_let_in(
    clients: &Clients,
    rules: &SweepRules,
    answer_lost: bool,
) -> ClusterListing {
    let waiting = rules.joining.begin(clients.lane.deadline());
    clients.lane.leave_place();
    loop {
        let listing = clients.databricks.list_clusters().await;
        let is_told = if answer_lost {
            is_let_in(&listing)
        } else {
            !is_no_member(&listing)
        };
        if is_told || !waiting.again().await {
            return listing;
        }
    }
}

/// Whether the listing, or the start of it, was answered.
pub(super) fn is_let_in(listing: &ClusterListing) -> bool {
    listing.complete.is_ok() || !listing.clusters.is_empty()
}

/// Whether the listing was refused because the principal is no member.
fn is_no_member(listing: &ClusterListing) -> bool {
    let error = listing.complete.as_ref().err();
    listing.clusters.is_empty()
        && error.is_some_and(|error| AccessProblem::of(error) == AccessProblem::NotAMember)
}

fn told(what: String) -> String {
    let kind = AccessProblem::NotAMember.as_str();
    format!("{kind}: the service principal is not a member of the workspace; {what}")
}

fn lost_answer(problem: &JoinProblem) -> String {
    let kind = AccessProblem::NotAMember.as_str();
    let so = join::MAY_HAVE_JOINED;
    format!(
        "{kind}: the service principal was not a member of the workspace and tried to join by \
         itself, which was not answered as it should be: {problem}; {so}"
    )
}

fn only_reported(workspace: &Workspace) -> String {
    format!(
        "report mode joins nothing: terminate mode would let it join by its right on the Azure \
         resource, and so would `terminate-clusters grant --self {} --apply`",
        shell_option("--workspace", &workspace.name)
    )
}
