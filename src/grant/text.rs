//! What is or was to be done, as a person reads it.
//!
//! Pure; everything from outside is escaped.

use std::fmt::Write;

use super::{Granted, Step, StepOutcome, Totals};
use crate::escape::Shown;
use crate::human::Count;

/// One workspace.
#[must_use]
pub fn workspace(granted: &Granted) -> String {
    let Granted {
        workspace,
        host,
        acting,
        steps,
        notes,
        failure,
    } = granted;
    let mut out = String::new();
    let (workspace, host) = (Shown::name(workspace), Shown::name(host));
    let _ = writeln!(out, "{workspace} ({host}), as {acting}:");
    if steps.is_empty() && failure.is_none() {
        let _ = writeln!(out, "  nothing to do");
    }
    for step in steps {
        let Step { change, outcome } = step;
        let word = match outcome {
            StepOutcome::Planned => "would",
            StepOutcome::Made => "made:",
            StepOutcome::NotSeen(_) => "not seen:",
            StepOutcome::Failed(_) => "FAILED to",
            StepOutcome::Skipped(_) => "skipped:",
        };
        let _ = writeln!(out, "  {word} {change}");
        if let Some(why) = outcome.why() {
            let _ = writeln!(out, "    {}", Shown::sentence(why));
        }
    }
    for note in notes {
        let _ = writeln!(out, "  note: {}", Shown::sentence(note));
    }
    if let Some(failure) = failure {
        let _ = writeln!(out, "  FAILURE {}", Shown::sentence(failure));
    }
    out
}

/// The sum of it, and how to go on.
#[must_use]
pub fn closing(totals: &Totals) -> String {
    let Totals {
        workspaces,
        planned,
        made,
        not_made,
        failures,
    } = *totals;
    let mut parts = vec![Count(workspaces, "workspace").to_string()];
    let mut add = |count: usize, noun: &'static str, rest: &str| {
        if count > 0 {
            parts.push(format!("{}{rest}", Count(count, noun)));
        }
    };
    add(
        planned,
        "change",
        " to make: run again with --apply to make them",
    );
    add(made, "change", " made and seen");
    add(not_made, "change", " not made");
    add(failures, "failure", "");
    if planned + made + not_made + failures == 0 {
        parts.push("nothing to do".to_owned());
    }
    format!("{}\n", parts.join(", "))
}
