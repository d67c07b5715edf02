//! The explanation as a person reads it.
//!
//! Pure; everything from outside is escaped, so that no name can forge a line.

use std::fmt::Write;

use super::Explained;
use super::told::told;
use crate::cluster::Cluster;
use crate::decision::{Due, Earliest, Missing, Shorter, Step, Verdict};
use crate::escape::Shown;
use crate::policy::{Mode, Policy};
use crate::report::text::{clause, earliest_words};
use crate::report::words::{nodes_remedy, spark_remedy};
use crate::signals::Signals;
use crate::timestamp::Timestamp;

/// Everything about one cluster.
#[must_use]
pub fn explained(explained: &Explained) -> String {
    let mut out = String::new();
    let Explained {
        workspace,
        host,
        mode,
        policy,
        overrides,
        signals,
        read_at,
        explanation,
        warnings,
    } = explained;
    let _ = writeln!(
        out,
        "{} in {} ({})",
        cluster_name(&signals.cluster),
        Shown::name(workspace),
        Shown::name(host),
    );
    let _ = writeln!(out, "\nSignals, as read at {read_at}:");
    let told = told(signals, policy);
    let names = told.iter().map(|one| one.signal.len());
    let width = names.max().unwrap_or(0);
    for one in &told {
        let _ = writeln!(out, "  {:width$}  {}", one.signal, one.clause);
    }
    let _ = writeln!(
        out,
        "\nRules, of which the first that keeps it decides (x keeps it, - does not, ? was not asked):"
    );
    for step in &explanation.steps {
        let _ = writeln!(out, "{}", rule(step));
    }
    let outcome = explained.outcome();
    let name = outcome.as_str().replace('_', " ");
    let by = by_rule(explanation.deciding);
    let _ = writeln!(out, "\nDecision: {name}{by}: {}", clause(&outcome));
    let _ = writeln!(out, "Earliest: {}", due(&explanation.due));
    if outcome.proof().is_none() {
        write_shorter(&mut out, &explanation.shorter, signals, policy, *read_at);
    }
    for change in overrides {
        let _ = writeln!(out, "Override: {}", Shown::sentence(change));
    }
    let _ = writeln!(out, "Mode: {}", mode_sentence(*mode, policy));
    for warning in warnings {
        let _ = writeln!(out, "WARNING {}", Shown::sentence(warning));
    }
    out
}

/// Name and id, or the id alone.
fn cluster_name(cluster: &Cluster) -> String {
    let id = Shown::name(cluster.id.as_str());
    if cluster.name.is_empty() {
        return id.to_string();
    }
    format!("{} [{id}]", Shown::new(&cluster.name, 40))
}

fn rule(step: &Step) -> String {
    let Step {
        number,
        keeps,
        verdict,
    } = step;
    match verdict {
        Verdict::Passed => format!("  - {number:2}. {keeps}"),
        Verdict::Keeps(reason) => {
            format!("  x {number:2}. {keeps}: {}", reason.clause())
        }
        Verdict::NotAsked(question) => {
            format!("  ? {number:2}. {keeps}: {} not asked", question.as_str())
        }
    }
}

fn by_rule(number: Option<u8>) -> String {
    number.map_or_else(String::new, |number| format!(" by rule {number}"))
}

/// When it could be terminated, in one sentence.
#[must_use]
pub fn due(due: &Due) -> String {
    let by = by_rule(due.by);
    match due.earliest {
        Earliest::At(at) if due.by.is_none() => format!("{at}, which has passed"),
        Earliest::At(at) => format!("{at}{by}, should nothing happen on it until then"),
        never @ Earliest::Never(_) => format!("{} ({})", earliest_words(never), by.trim_start()),
    }
}

fn write_shorter(
    out: &mut String,
    shorter: &[Shorter],
    signals: &Signals,
    policy: &Policy,
    read_at: Timestamp,
) {
    if shorter.is_empty() {
        let _ = writeln!(
            out,
            "What would shorten it: nothing that could be learned of it"
        );
        return;
    }
    let _ = writeln!(
        out,
        "What would shorten it, should it show no later sign of life:"
    );
    for one in shorter {
        let with: Vec<&str> = one.with.iter().map(|missing| missing.as_str()).collect();
        let with = with.join(" and ");
        let _ = if one.earliest <= read_at {
            writeln!(out, "  with {with}: at once")
        } else {
            writeln!(out, "  with {with}: {}", one.earliest)
        };
    }
    for one in all_of(shorter) {
        let Lack { why, remedy } = lack(one, signals, policy);
        let remedy = remedy.map_or_else(String::new, |remedy| format!("; {remedy}"));
        let _ = writeln!(out, "  {}: {why}{remedy}", one.as_str());
    }
}

/// Everything that would help, once each.
pub(super) fn all_of(shorter: &[Shorter]) -> Vec<Missing> {
    let mut all: Vec<Missing> = shorter.iter().flat_map(|one| one.with.clone()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Why evidence is missing, and what to do about it.
pub(super) struct Lack {
    pub(super) why: String,
    /// `None` where the reason says what to do, or nothing can be granted.
    pub(super) remedy: Option<String>,
}

pub(super) fn lack(missing: Missing, signals: &Signals, policy: &Policy) -> Lack {
    let (is_on, remedy) = match missing {
        Missing::Spark => (policy.spark_witness, Some(spark_remedy(policy, "it"))),
        Missing::Nodes => (policy.nodes_witness, Some(nodes_remedy(policy).to_owned())),
        Missing::ActiveRuns | Missing::Pin | Missing::Streaming => (true, None),
    };
    let why = match missing.why(signals) {
        Some(why) if is_on => format!("unknown: {why}"),
        None if is_on => "not asked".to_owned(),
        Some(_) | None => "switched off".to_owned(),
    };
    Lack { why, remedy }
}

/// What a sweep may do in the workspace, in one sentence.
#[must_use]
pub fn mode_sentence(mode: Mode, policy: &Policy) -> String {
    match mode {
        Mode::Report => "this workspace is in report mode: nothing would be terminated".to_owned(),
        Mode::Terminate => format!(
            "this workspace is in terminate mode: a sweep terminates at most {} here, at most half of \
             those that run, and at most {} over all; the longest idle first, each after a second look",
            policy.cap_per_workspace, policy.cap_per_sweep
        ),
    }
}
