//! The report as JSON: a line per workspace and a closing object.
//!
//! The field names are stable. Strings are as they came once they are parsed, so
//! that a program can match names exactly; on the line, whatever could end it or
//! drive a terminal stands as its JSON escape. Pure.

use std::fmt::Write;

use serde_json::{Value, json};

use super::text::{clause, earliest_words};
use super::{Closing, ClusterLine, Failure, WorkspaceReport};
use crate::decision::Earliest;
use crate::escape::is_shown_as_is;
use crate::meter::StageCounts;

/// One workspace, on one line without its end.
#[must_use]
pub fn workspace(report: &WorkspaceReport) -> String {
    let WorkspaceReport {
        name,
        host,
        mode,
        seen,
        joined,
        lines,
        failures,
        notes,
        machines,
        stages,
        elapsed,
    } = report;
    let value = json!({
        "workspace": name,
        "host": host,
        "mode": mode.as_str(),
        "seen": seen,
        "joined": joined,
        "clusters": lines.iter().map(cluster).collect::<Vec<_>>(),
        "failures": failures.iter().map(failure).collect::<Vec<_>>(),
        "notes": notes,
        "machines": machines.json(),
        "stages": stage_counts(stages),
        "elapsed_ms": millis(*elapsed),
    });
    one_line(&value)
}

/// The totals, on one line without its end.
#[must_use]
pub fn closing(closing: &Closing) -> String {
    let totals = &closing.totals;
    let value = json!({
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
        "warnings": closing.warnings,
        "secret_reads": closing.secret_reads,
        "token_requests": closing.token_requests,
        "stages": stage_counts(&totals.stages),
        "elapsed_ms": millis(closing.elapsed),
    });
    one_line(&value)
}

/// JSON leaves the control characters beyond ASCII, the line ends of Unicode and
/// the marks that reorder text as they are. They stand in strings only, where
/// their escapes mean the same.
pub(crate) fn one_line(value: &Value) -> String {
    let json = value.to_string();
    let mut line = String::with_capacity(json.len());
    for next in json.chars() {
        if is_shown_as_is(next) {
            line.push(next);
        } else {
            for unit in next.encode_utf16(&mut [0; 2]) {
                // Writing to a `String` can't fail.
                let _ = write!(line, "\\u{unit:04x}");
            }
        }
    }
    line
}

fn cluster(line: &ClusterLine) -> Value {
    let ClusterLine {
        id,
        name,
        outcome,
        earliest,
        said,
        unknowns,
        overrides,
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
        "overrides": overrides,
    })
}

pub(crate) fn failure(failure: &Failure) -> Value {
    json!({
        "kind": failure.kind.as_str(),
        "workspace": failure.workspace,
        "cluster_id": failure.cluster.as_ref().map(crate::cluster::ClusterId::as_str),
        "sentence": failure.sentence,
    })
}

fn stage_counts(stages: &StageCounts) -> Value {
    stages
        .iter()
        .map(|(stage, count)| {
            let counted = json!({"requests": count.requests, "time_ms": millis(count.time)});
            (stage.to_owned(), counted)
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

pub(crate) fn at(earliest: Earliest) -> Option<String> {
    match earliest {
        Earliest::At(at) => Some(at.to_string()),
        Earliest::Never(_) => None,
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_can_end_a_line_of_json_or_drive_a_terminal_and_each_reads_back() {
        let hostile = "a\u{85}b\u{2028}c\u{9b}2Jd\u{7f}e\u{202e}f\u{e0041}g\"h\\i\n日é👍";
        let line = one_line(&json!({ "name": hostile }));
        assert_eq!(
            line,
            r#"{"name":"a\u0085b\u2028c\u009b2Jd\u007fe\u202ef\udb40\udc41g\"h\\i\n日é👍"}"#
        );
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["name"], hostile);
    }
}
