//! The report as JSON: a line per workspace and a closing object.
//!
//! The field names are stable. Strings are JSON-escaped and otherwise as they
//! came, so that a program can match names exactly. Pure.

use serde_json::{Value, json};

use super::text::{clause, earliest_words};
use super::{Closing, ClusterLine, Failure, WorkspaceReport, stage_words};
use crate::decision::Earliest;
use crate::meter::StageCounts;

/// One workspace, on one line without its end.
#[must_use]
pub fn workspace(report: &WorkspaceReport) -> String {
    let WorkspaceReport {
        name,
        host,
        mode,
        seen,
        lines,
        failures,
        notes,
        stages,
        elapsed,
    } = report;
    json!({
        "workspace": name,
        "host": host,
        "mode": mode.as_str(),
        "seen": seen,
        "clusters": lines.iter().map(cluster).collect::<Vec<_>>(),
        "failures": failures.iter().map(failure).collect::<Vec<_>>(),
        "notes": notes,
        "stages": stage_counts(stages),
        "elapsed_ms": millis(*elapsed),
    })
    .to_string()
}

/// The totals, on one line without its end.
#[must_use]
pub fn closing(closing: &Closing) -> String {
    let totals = &closing.totals;
    json!({
        "totals": {
            "workspaces": totals.workspaces,
            "not_seen": totals.not_seen,
            "clusters": totals.clusters,
            "outcomes": totals.outcomes,
            "kept": totals.kept,
            "failures": totals.failures + closing.failures.len(),
        },
        "mode": closing.mode.as_str(),
        "failed": closing.failed(),
        "failures": closing.failures.iter().map(failure).collect::<Vec<_>>(),
        "secret_reads": closing.secret_reads,
        "token_requests": closing.token_requests,
        "stages": stage_counts(&totals.stages),
        "elapsed_ms": millis(closing.elapsed),
    })
    .to_string()
}

fn cluster(line: &ClusterLine) -> Value {
    let ClusterLine {
        id,
        name,
        outcome,
        earliest,
        said,
        unknowns,
    } = line;
    let proof = outcome.proof();
    json!({
        "cluster_id": id.as_str(),
        "cluster_name": name,
        "outcome": outcome.as_str(),
        "reason": outcome.reason(),
        "clause": clause(outcome),
        "earliest": earliest.and_then(at),
        "earliest_clause": earliest.map(earliest_words),
        "last_sign": proof.map(|proof| proof.last_sign().to_string()),
        "quiet_since": proof.map(|proof| proof.quiet_since().to_string()),
        "evidence": proof.map(|proof| proof.evidence().as_str()),
        "threshold_s": proof.map(|proof| proof.threshold().as_secs()),
        "spark": said.spark,
        "streaming": said.streaming,
        "nodes": said.nodes,
        "unknowns": unknowns
            .iter()
            .map(|(signal, why)| json!({"signal": signal, "why": why}))
            .collect::<Vec<_>>(),
    })
}

fn failure(failure: &Failure) -> Value {
    json!({
        "kind": failure.kind.as_str(),
        "workspace": failure.workspace,
        "cluster_id": failure.cluster.as_ref().map(crate::cluster::ClusterId::as_str),
        "sentence": failure.sentence,
    })
}

fn stage_counts(stages: &StageCounts) -> Value {
    stage_words(stages)
        .into_iter()
        .map(|(stage, count)| {
            let counted = json!({"requests": count.requests, "time_ms": millis(count.time)});
            (stage.to_owned(), counted)
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn at(earliest: Earliest) -> Option<String> {
    match earliest {
        Earliest::At(at) => Some(at.to_string()),
        Earliest::Never(_) => None,
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
