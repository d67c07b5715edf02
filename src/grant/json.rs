//! What is or was to be done, as JSON: a line per workspace and a closing one.
//!
//! The field names are stable. Pure.

use serde_json::{Value, json};

use super::{Granted, Step, Totals};
use crate::report::json::one_line;

/// One workspace, on one line without its end.
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
    one_line(&json!({
        "workspace": workspace,
        "host": host,
        "as": acting,
        "changes": steps.iter().map(step).collect::<Vec<_>>(),
        "notes": notes,
        "failure": failure,
    }))
}

/// The sum of it, on one line without its end.
#[must_use]
pub fn closing(totals: &Totals) -> String {
    let Totals {
        workspaces,
        planned,
        made,
        not_made,
        failures,
    } = *totals;
    one_line(&json!({
        "totals": {
            "workspaces": workspaces,
            "planned": planned,
            "made": made,
            "not_made": not_made,
            "failures": failures,
        },
        "failed": totals.failed(),
    }))
}

fn step(step: &Step) -> Value {
    let Step { change, outcome } = step;
    let grantee = change.grantee();
    let allowed = change.allow();
    json!({
        "change": change.as_str(),
        "principal": grantee.name.as_str(),
        "application_id": grantee.client_id,
        "cluster_id": allowed.map(|(cluster, _)| cluster.id.as_str()),
        "cluster_name": allowed.map(|(cluster, _)| cluster.name.as_str()),
        "right": allowed.map(|(_, right)| right.as_str()),
        "sentence": change.to_string(),
        "outcome": outcome.as_str(),
        "why": outcome.why(),
    })
}
