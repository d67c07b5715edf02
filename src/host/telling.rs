//! The report as the host's log shows it: one line per cluster with fields to
//! query, notes and failures, and the totals.
//!
//! Written before the invocation is answered, because the host reads neither body
//! nor `Logs` of a failed one.

use crate::escape::Shown;
use crate::human::Count;
use crate::report::machines::{Machines, resting_clause, thousandths};
use crate::report::text::{clause, earliest_words};
use crate::report::{Closing, ClusterLine, Failure, Outcome, WorkspaceReport};
use crate::sweep::ReportSink;

/// Writes the report to the log as it comes.
#[derive(Debug, Default)]
pub struct LogReport;

impl ReportSink for LogReport {
    fn begin(&mut self, workspaces: usize) {
        tracing::info!(workspaces, "Sweeping {}", Count(workspaces, "workspace"));
    }

    fn workspace(&mut self, report: &WorkspaceReport) {
        for line in &report.lines {
            cluster(report, line);
        }
        let workspace = Shown::name(&report.name);
        for note in &report.notes {
            let note = Shown::sentence(note);
            tracing::warn!(%workspace, "Workspace `{workspace}`: {note}");
        }
        machines(report);
        for failed in &report.failures {
            failure(failed);
        }
        tracing::info!(
            %workspace,
            mode = report.mode.as_str(),
            seen = report.seen,
            clusters = report.lines.len(),
            failures = report.failures.len(),
            requests = report.stages.requests(),
            elapsed_ms = u64::try_from(report.elapsed.as_millis()).unwrap_or(u64::MAX),
            "Swept workspace `{workspace}`"
        );
    }

    fn closing(&mut self, closing: &Closing) {
        for failed in &closing.failures {
            failure(failed);
        }
        for warning in &closing.warnings {
            tracing::warn!("Warning: {}", Shown::sentence(warning));
        }
        let totals = crate::report::json::closing(closing);
        tracing::info!("Swept: {} {totals}", closing.summary());
    }
}

fn cluster(report: &WorkspaceReport, line: &ClusterLine) {
    let workspace = Shown::name(&report.name);
    let name = Shown::name(&line.name);
    let id = Shown::name(line.id.as_str());
    let earliest = line.earliest.map(earliest_words).unwrap_or_default();
    let unknowns: Vec<String> = line
        .unknowns
        .iter()
        .map(|(signal, why)| format!("{signal}: {}", Shown::sentence(why)))
        .collect();
    tracing::info!(
        %workspace,
        cluster.id = %id,
        cluster.name = %name,
        outcome = line.outcome.as_str(),
        reason = line.outcome.reason(),
        earliest,
        spark = line.said.spark,
        streaming = line.said.streaming,
        nodes = line.said.nodes,
        unknowns = unknowns.join("; "),
        overrides = line.overrides.join("; "),
        "{} `{name}` ({id}): {}",
        past_tense(&line.outcome),
        clause(&line.outcome),
    );
}

/// What the names of the machines are worth, and how much they work at rest: no
/// warnings, but what an operator looks for before switching termination on.
fn machines(report: &WorkspaceReport) {
    let workspace = Shown::name(&report.name);
    let Machines { names, resting } = &report.machines;
    if let Some(names) = names {
        tracing::info!(
            %workspace,
            machines = names.machines,
            confirmed = names.confirmed,
            contradicted_clusters = names.contradicted,
            "Workspace `{workspace}`: {}",
            names.clause()
        );
    }
    for load in resting {
        tracing::info!(
            %workspace,
            node_type = %Shown::name(&load.node_type),
            drivers = load.drivers,
            p50_cores = thousandths(load.p50),
            p95_cores = thousandths(load.p95),
            "Workspace `{workspace}`: {}",
            resting_clause(load)
        );
    }
}

fn failure(failure: &Failure) {
    tracing::error!(kind = failure.kind.as_str(), "Failure: {failure}");
}

fn past_tense(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Kept(_) => "Kept",
        Outcome::WouldTerminate(_) => "Would terminate",
        Outcome::Terminated { .. } => "Terminated",
        Outcome::StillRunning(_) => "Told to terminate, but still running:",
        Outcome::Changed(_) => "Spared, because it changed,",
        Outcome::Forbidden { .. } => "Was forbidden to terminate",
        Outcome::Deferred { .. } => "Deferred",
        Outcome::Failed { .. } => "Failed to terminate",
        Outcome::Unparsed { .. } => "Could not read",
        Outcome::NotReached => "Did not reach",
    }
}
