//! Finds the workspace that knows a cluster: asks each for it, several at a time.
//!
//! An id tells nothing of its workspace, so all are asked. A workspace that does not
//! know the cluster and one that could not be asked are two things, and both are told.
//! Nothing but `clusters/get` is sent.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};

use super::WhyRequest;
use crate::azure_monitor::Throttles;
use crate::cluster::{Cluster, ClusterId};
use crate::databricks::access::AccessProblem;
use crate::databricks::{cluster_gone, words_of_refusal};
use crate::escape::Shown;
use crate::identity::PrincipalName;
use crate::report::{Failure, FailureKind};
use crate::service::CallError;
use crate::sweep::{Sweep, Tokens};
use crate::workspace::{Clients, Workspace, not_answered};

/// Why there is no cluster to explain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unexplained {
    pub cluster: ClusterId,
    /// Names of the workspaces that were asked and do not know it.
    pub not_known_to: Vec<String>,
    /// Names of those that know it, where that is more than one.
    pub known_to: Vec<String>,
    /// What could not be asked, and why.
    pub failures: Vec<Failure>,
}

impl Unexplained {
    /// One sentence for people, everything from outside escaped.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self {
            cluster,
            not_known_to,
            known_to,
            failures,
        } = self;
        let id = Shown::name(cluster.as_str());
        let mut parts = Vec::new();
        if !known_to.is_empty() {
            let names = names(known_to);
            parts.push(format!(
                "cluster `{id}` is known to {names}: name one of them with --workspace"
            ));
        }
        if !not_known_to.is_empty() && known_to.is_empty() {
            let names = names(not_known_to);
            let hint = if cluster.looks_made_by_databricks() {
                ""
            } else {
                " (an id is such as 0915-021615-abcd1234; a sweep shows it behind the cluster's name)"
            };
            parts.push(format!(
                "cluster `{id}` is not known to {names}, or was terminated over 30 days ago{hint}"
            ));
        }
        if !failures.is_empty() {
            let failures: Vec<String> = failures.iter().map(ToString::to_string).collect();
            parts.push(format!(
                "whether there is a cluster `{id}` could not be asked everywhere: {}",
                failures.join("; ")
            ));
        }
        if parts.is_empty() {
            return "the policy names no workspace that could be asked".to_owned();
        }
        parts.join("; ")
    }
}

fn names(names: &[String]) -> String {
    let quoted = names.iter().map(|name| format!("`{}`", Shown::name(name)));
    quoted.collect::<Vec<_>>().join(", ")
}

/// What came of the search.
pub(super) enum Finding {
    Here(Box<Found>),
    Nowhere(Unexplained),
}

/// A cluster in the workspace that knows it.
pub(super) struct Found {
    pub(super) workspace: Workspace,
    pub(super) clients: Clients,
    pub(super) cluster: Cluster,
    /// Workspaces that could not be asked.
    pub(super) failures: Vec<Failure>,
}

/// What one workspace answered.
enum Reply {
    Knows(Box<Cluster>),
    KnowsNot,
    Failed(Failure),
}

pub(super) async fn find(sweep: &Sweep, request: &WhyRequest) -> Finding {
    let mut nowhere = Unexplained {
        cluster: request.cluster.clone(),
        not_known_to: Vec::new(),
        known_to: Vec::new(),
        failures: Vec::new(),
    };
    let tokens = sweep.tokens();
    let throttles = Throttles::default();
    let workspaces = sweep.workspaces.iter();
    let in_scope: Vec<&Workspace> = workspaces
        .filter(|workspace| request.scope.covers(&workspace.name))
        .collect();
    let ready = principals_with_token(&in_scope, &tokens, request).await;
    let can_be_asked = |workspace: &&Workspace| ready.contains(&workspace.principal);
    let asked: Vec<(usize, Workspace, Clients)> = in_scope
        .into_iter()
        .filter(can_be_asked)
        .enumerate()
        .map(|(place, workspace)| {
            let clients = sweep.clients(workspace, &tokens, &throttles, request.deadline);
            (place, workspace.clone(), clients)
        })
        .collect();
    let asking = asked.into_iter().map(|(place, workspace, clients)| {
        let id = &request.cluster;
        async move {
            let reply = ask(&workspace, &clients, id).await;
            (place, workspace, clients, reply)
        }
    });
    let parallel = sweep.limits.parallel_workspaces.max(1);
    let mut replies: Vec<_> = stream::iter(asking)
        .buffer_unordered(parallel)
        .collect()
        .await;
    replies.sort_unstable_by_key(|(place, ..)| *place);
    // Before those of workspaces: who has no token has no answer from any of them.
    nowhere.failures = tokens.failures();
    let mut knowing = Vec::new();
    for (_, workspace, clients, reply) in replies {
        match reply {
            Reply::Knows(cluster) => knowing.push((workspace, clients, *cluster)),
            Reply::KnowsNot => nowhere.not_known_to.push(workspace.name),
            Reply::Failed(failure) => nowhere.failures.push(failure),
        }
    }
    settle(knowing, nowhere)
}

/// The principals of these workspaces that have a token for Databricks, without which
/// nothing need be asked. The others are among the failures of the tokens.
async fn principals_with_token(
    workspaces: &[&Workspace],
    tokens: &Tokens,
    request: &WhyRequest,
) -> BTreeSet<PrincipalName> {
    let names: BTreeSet<&PrincipalName> = workspaces.iter().map(|one| &one.principal).collect();
    let asked = names.into_iter().map(|name| async move {
        let has_token = tokens.has_first(name, request.deadline).await;
        has_token.then(|| name.clone())
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// One workspace must know it; which of several is meant is for the asker to say.
fn settle(mut knowing: Vec<(Workspace, Clients, Cluster)>, mut nowhere: Unexplained) -> Finding {
    match knowing.pop() {
        Some((workspace, clients, cluster)) if knowing.is_empty() => {
            Finding::Here(Box::new(Found {
                workspace,
                clients,
                cluster,
                failures: nowhere.failures,
            }))
        }
        last => {
            let all = knowing.into_iter().chain(last);
            nowhere.known_to = all.map(|(workspace, ..)| workspace.name).collect();
            Finding::Nowhere(nowhere)
        }
    }
}

async fn ask(workspace: &Workspace, clients: &Clients, id: &ClusterId) -> Reply {
    match clients.databricks.get_cluster(id).await {
        Ok(cluster) => Reply::Knows(Box::new(cluster)),
        Err(error) if cluster_gone(&error) => Reply::KnowsNot,
        Err(error) => {
            let (kind, sentence) = not_shown(&error).unwrap_or_else(|| not_answered(&error));
            Reply::Failed(Failure {
                kind,
                workspace: Some(workspace.name.clone()),
                cluster: None,
                sentence,
            })
        }
    }
}

/// A workspace that lets us in and refuses this cluster: a right on it is missing.
fn not_shown(error: &CallError) -> Option<(FailureKind, String)> {
    if AccessProblem::of(error) != AccessProblem::Forbidden {
        return None;
    }
    let said = words_of_refusal(error)?;
    let sentence = format!(
        "it does not show this cluster to the service principal: grant CAN_ATTACH_TO on it ({said})"
    );
    Some((FailureKind::Workspace, sentence))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(workspace: &str) -> Failure {
        Failure {
            kind: FailureKind::Workspace,
            workspace: Some(workspace.to_owned()),
            cluster: None,
            sentence: "server_error: the workspace failed".to_owned(),
        }
    }

    fn unexplained(not_known_to: &[&str], known_to: &[&str], failed: &[&str]) -> Unexplained {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Unexplained {
            cluster: ClusterId::new("0101-000000-abc\u{1b}"),
            not_known_to: owned(not_known_to),
            known_to: owned(known_to),
            failures: failed.iter().map(|name| failure(name)).collect(),
        }
    }

    #[test]
    fn those_that_do_not_know_it_and_those_that_failed_are_told_apart() {
        assert_eq!(
            unexplained(&["a", "b"], &[], &["down"]).sentence(),
            "cluster `0101-000000-abc\\u{1b}` is not known to `a`, `b`, or was terminated over 30 days ago; \
             whether there is a cluster `0101-000000-abc\\u{1b}` could not be asked everywhere: \
             [workspace] workspace `down`: server_error: the workspace failed"
        );
        let only_failed = unexplained(&[], &[], &["down"]).sentence();
        assert!(!only_failed.contains("not known"), "{only_failed}");
        let only_unknown = unexplained(&["a"], &[], &[]).sentence();
        assert!(!only_unknown.contains("asked"), "{only_unknown}");
    }

    #[test]
    fn who_asks_for_a_name_is_told_what_an_id_is() {
        let mut asked = unexplained(&["a"], &[], &[]);
        assert!(!asked.sentence().contains("an id is"));
        asked.cluster = ClusterId::new("etl-dev");
        assert_eq!(
            asked.sentence(),
            "cluster `etl-dev` is not known to `a`, or was terminated over 30 days ago \
             (an id is such as 0915-021615-abcd1234; a sweep shows it behind the cluster's name)"
        );
    }

    #[test]
    fn a_cluster_of_several_workspaces_asks_for_a_name() {
        let sentence = unexplained(&["c"], &["a", "b"], &[]).sentence();
        assert!(
            sentence.contains("known to `a`, `b`: name one"),
            "{sentence}"
        );
        assert!(!sentence.contains("`c`"), "{sentence}");
    }

    #[test]
    fn a_policy_without_workspaces_says_so() {
        let sentence = unexplained(&[], &[], &[]).sentence();
        assert_eq!(
            sentence,
            "the policy names no workspace that could be asked"
        );
    }
}
