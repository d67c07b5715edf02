//! The report as a person reads it: a table per workspace and the totals.
//!
//! Pure; everything from outside is escaped, so that no name can forge a row.

use std::fmt::Write;

use super::{Closing, ClusterLine, Outcome, WorkspaceReport};
use crate::decision::Earliest;
use crate::escape::Shown;
use crate::human::{Count, Span};

/// One workspace: a heading, a row per cluster, notes and failures.
#[must_use]
pub fn workspace(report: &WorkspaceReport) -> String {
    let mut out = String::new();
    let WorkspaceReport {
        name,
        host,
        mode,
        seen,
        joined: _,
        lines,
        failures,
        notes,
        machines,
        stages,
        elapsed,
    } = report;
    let clusters = if *seen {
        Count(lines.len(), "cluster").to_string()
    } else {
        "not seen".to_owned()
    };
    let _ = writeln!(
        out,
        "{} ({}): {} mode, {clusters}, {} in {}",
        Shown::name(name),
        Shown::name(host),
        mode.as_str(),
        Count(stages.requests(), "request"),
        Span(*elapsed),
    );
    let rows: Vec<Row> = lines.iter().map(Row::of).collect();
    let outcome_width = width(rows.iter().map(|row| row.outcome.as_str()));
    let name_width = width(rows.iter().map(|row| row.name.as_str()));
    for row in &rows {
        let Row {
            outcome,
            name,
            clause,
            details,
        } = row;
        let _ = writeln!(
            out,
            "  {outcome:outcome_width$}  {name:name_width$}  {clause}"
        );
        for detail in details {
            let indent = outcome_width + name_width + 6;
            let _ = writeln!(out, "{:indent$}{detail}", "");
        }
    }
    for note in machines.clauses().iter().chain(notes) {
        let _ = writeln!(out, "  note: {}", Shown::sentence(note));
    }
    for failure in failures {
        let _ = writeln!(out, "  FAILURE {failure}");
    }
    out
}

/// The totals.
#[must_use]
pub fn closing(closing: &Closing) -> String {
    let mut out = String::new();
    let totals = &closing.totals;
    let _ = writeln!(out, "{}", closing.summary());
    if !totals.kept.is_empty() {
        let kept: Vec<String> = totals
            .kept
            .iter()
            .map(|(reason, count)| format!("{count} {reason}"))
            .collect();
        let _ = writeln!(out, "  kept: {}", kept.join(", "));
    }
    for name in &totals.not_seen {
        let _ = writeln!(out, "  not seen: {}", Shown::name(name));
    }
    for failure in &closing.failures {
        let _ = writeln!(out, "  FAILURE {failure}");
    }
    for warning in &closing.warnings {
        let _ = writeln!(out, "  WARNING {}", Shown::sentence(warning));
    }
    let stages: Vec<String> = totals
        .stages
        .iter()
        .map(|(stage, count)| format!("{stage} {} in {}", count.requests, Span(count.time)))
        .collect();
    let _ = writeln!(
        out,
        "  {}, {}; requests by stage: {}",
        Count(closing.secret_reads, "secret read"),
        Count(closing.token_requests, "token request"),
        if stages.is_empty() {
            "none".to_owned()
        } else {
            stages.join(", ")
        }
    );
    let _ = writeln!(out, "  took {}", Span(closing.elapsed));
    out
}

/// One cluster in the table.
struct Row {
    outcome: String,
    name: String,
    clause: String,
    details: Vec<String>,
}

impl Row {
    fn of(line: &ClusterLine) -> Self {
        let name = if line.name.is_empty() {
            Shown::name(line.id.as_str()).to_string()
        } else {
            let name = Shown::new(&line.name, 40);
            format!("{name} [{}]", Shown::name(line.id.as_str()))
        };
        let said = &line.said;
        let mut details = Vec::new();
        if said.anything() {
            details.push(format!(
                "spark: {}; streaming: {}; nodes: {}",
                said.spark, said.streaming, said.nodes
            ));
        }
        for (signal, why) in &line.unknowns {
            if !matches!(*signal, "spark" | "streaming" | "driver node" | "nodes") {
                details.push(format!("{signal} unknown: {}", Shown::sentence(why)));
            }
        }
        for change in &line.overrides {
            details.push(Shown::sentence(change).to_string());
        }
        if let Some(earliest) = line.earliest {
            details.push(earliest_words(earliest));
        }
        Self {
            outcome: line.outcome.as_str().replace('_', " "),
            name,
            clause: clause(&line.outcome),
            details,
        }
    }
}

/// Why, in one clause.
#[must_use]
pub fn clause(outcome: &Outcome) -> String {
    let idle = |proof: &crate::decision::Proof| {
        format!(
            "no sign of life since {}; {}, for more than {}",
            proof.last_sign(),
            proof.evidence().clause(),
            Span(proof.threshold())
        )
    };
    match outcome {
        Outcome::Kept(reason) => format!("{}: {}", reason.as_str(), reason.clause()),
        Outcome::WouldTerminate(proof) => idle(proof),
        Outcome::Terminated { proof, state } => {
            format!("{}; now {}", idle(proof), Shown::name(state))
        }
        Outcome::StillRunning(proof) => {
            format!("{}; accepted, yet it still shows RUNNING", idle(proof))
        }
        Outcome::Changed(changed) => Shown::sentence(&changed.to_string()).to_string(),
        Outcome::Deferred { why, .. } => why.clause().to_owned(),
        Outcome::Forbidden { clause }
        | Outcome::Failed { clause }
        | Outcome::Unparsed { clause } => Shown::sentence(clause).to_string(),
        Outcome::NotReached => "the sweep's time was up before it was looked at".to_owned(),
    }
}

/// The earliest time that it could be terminated, or never and why.
#[must_use]
pub fn earliest_words(earliest: Earliest) -> String {
    match earliest {
        Earliest::At(at) => format!("earliest {at}"),
        Earliest::Never(clause) => format!("never: {clause}"),
    }
}

fn width<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0)
}
