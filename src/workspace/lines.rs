//! The words of one workspace's report: a line per cluster, and what the
//! operator should know of the workspace as a whole.
//!
//! Pure: it only renders what the looks have learned.

use std::collections::BTreeMap;

use super::Judged;
use crate::cluster::ClusterId;
use crate::decision::KeepReason;
use crate::escape::Shown;
use crate::human::{Count, Span};
use crate::policy::{ClusterPolicy, Policy, WorkspacePolicy};
use crate::report::machines::{Machines, NameCheck};
use crate::report::words::{Said, nodes_remedy, spark_remedy};
use crate::report::{ClusterLine, Outcome};
use crate::signals::machine_facts::SeenMachines;
use crate::signals::{Signal, Signals, Why};
use crate::witness::nodes::resting_loads;

/// The line of a cluster that was looked at.
pub(super) fn of(judged: Judged, policies: &WorkspacePolicy) -> ClusterLine {
    let Judged { signals, outcome } = judged;
    let ClusterPolicy { policy, changes } = policies.of(&signals.cluster);
    let outcome = outcome.unwrap_or(Outcome::NotReached);
    let earliest = match &outcome {
        Outcome::Kept(reason) => Some(reason.earliest(&policy)),
        Outcome::WouldTerminate(proof) | Outcome::Deferred { proof, .. } => Some(proof.earliest()),
        Outcome::Terminated { .. }
        | Outcome::StillRunning(_)
        | Outcome::Changed(_)
        | Outcome::Forbidden { .. }
        | Outcome::Failed { .. }
        | Outcome::Unparsed { .. }
        | Outcome::NotReached => None,
    };
    let unknowns = signals
        .unknowns()
        .into_iter()
        .map(|(name, why)| (name, why.0.clone()))
        .collect();
    let said = if outcome == Outcome::NotReached {
        Said::default()
    } else {
        Said::of(&signals, &policy)
    };
    ClusterLine {
        id: signals.cluster.id,
        name: signals.cluster.name,
        outcome,
        earliest,
        said,
        unknowns,
        overrides: changes.iter().map(ToString::to_string).collect(),
    }
}

/// The line of an item of the list that could not be read.
pub(super) fn unparsed(id: Option<String>, why: String) -> ClusterLine {
    ClusterLine {
        id: ClusterId::new(id.unwrap_or_else(|| "(no id)".to_owned())),
        name: String::new(),
        outcome: Outcome::Unparsed { clause: why },
        earliest: None,
        said: Said::default(),
        unknowns: Vec::new(),
        overrides: Vec::new(),
    }
}

/// The sentence of the failure that an outcome is, if it is one.
pub(super) fn termination_failure(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::StillRunning(_) => {
            Some("its termination was accepted, yet it still shows RUNNING".to_owned())
        }
        Outcome::Forbidden { clause } => Some(format!("its termination was forbidden: {clause}")),
        Outcome::Failed { clause } => Some(format!("its termination failed: {clause}")),
        Outcome::Kept(_)
        | Outcome::WouldTerminate(_)
        | Outcome::Terminated { .. }
        | Outcome::Changed(_)
        | Outcome::Deferred { .. }
        | Outcome::Unparsed { .. }
        | Outcome::NotReached => None,
    }
}

/// What is missing in the workspace as a whole, and what to grant.
pub(super) fn notes(
    judged: &[&Judged],
    missing_right: Option<&Why>,
    policy: &Policy,
) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(why) = missing_right {
        notes.push(format!("nothing can be terminated here: {why}"));
    }
    let without_witness = judged
        .iter()
        .filter(|one| matches!(&one.outcome, Some(Outcome::Kept(reason)) if lacks_witness(reason)))
        .count();
    if without_witness > 0 {
        notes.push(format!(
            "no witness could prove {} idle; {}",
            Count(without_witness, "cluster"),
            what_to_grant(policy)
        ));
    }
    for (signal, counts) in unknown_witnesses(judged) {
        for (why, count) in counts {
            notes.push(format!(
                "{signal} unknown for {}: {why}",
                Count(count, "cluster")
            ));
        }
    }
    notes
}

/// What is wrong with the names of the machines, with one case to look into.
pub(super) fn notes_on_machines(seen: &SeenMachines) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(why) = seen
        .unchecked
        .as_ref()
        .filter(|_| !seen.driver_loads.is_empty())
    {
        notes.push(format!(
            "the machines could not be checked against their tags in Azure, so beside Spark they \
             count by name alone: {why}"
        ));
    }
    let contradicted = seen.checks.iter().find_map(|(cluster, check)| {
        let contradiction = check.contradiction.as_ref()?;
        Some((cluster, contradiction))
    });
    if let Some((cluster, contradiction)) = contradicted {
        notes.push(format!(
            "tags in Azure and records of clusters name different machines, so the nodes of these \
             clusters are unknown; the first: `{}`, {}",
            Shown::name(cluster.as_str()),
            contradiction.example()
        ));
    }
    notes
}

/// What was learned of the machines as a whole.
pub(super) fn machines(judged: &[&Judged], seen: &SeenMachines) -> Machines {
    let drivers = judged.iter().filter_map(|one| {
        let loads = seen.driver_loads.get(&one.signals.cluster.id)?;
        Some((&one.signals, &loads[..]))
    });
    Machines {
        names: NameCheck::of(&seen.checks),
        resting: resting_loads(drivers),
    }
}

fn lacks_witness(reason: &KeepReason) -> bool {
    matches!(
        reason,
        KeepReason::NoWitness | KeepReason::EvidenceTooWeak { .. }
    )
}

fn what_to_grant(policy: &Policy) -> String {
    let spark = spark_remedy(policy, "them");
    let nodes = nodes_remedy(policy);
    format!(
        "{spark}, and {nodes}: with both witnesses an idle cluster is terminated after {}",
        Span(policy.idle_after)
    )
}

/// The witnesses that were asked in vain, with each reason and how often.
fn unknown_witnesses(judged: &[&Judged]) -> BTreeMap<&'static str, BTreeMap<String, usize>> {
    let mut found: BTreeMap<&'static str, BTreeMap<String, usize>> = BTreeMap::new();
    for one in judged {
        let Signals {
            spark,
            streaming,
            driver_node,
            all_nodes,
            ..
        } = &one.signals;
        let nodes = driver_node.why().or(all_nodes.why());
        let streaming = match spark {
            // Without Spark there is no streaming page either: one note is enough.
            Signal::Unknown(_) => None,
            Signal::Known(_) | Signal::NotAsked => streaming.why(),
        };
        let whys = [
            ("spark", spark.why()),
            ("streaming", streaming),
            ("nodes", nodes),
        ];
        for (name, why) in whys {
            if let Some(why) = why {
                let count = found.entry(name).or_default().entry(why.to_string());
                *count.or_default() += 1;
            }
        }
    }
    found
}
