//! A sweep's report as a person would want to read it, made from the host's log.
//!
//! Workspaces in the order of their names, in each what happened before what was kept. Rendering only.

use std::io::{self, Write};

use super::seen::{Seen, SeenCluster};

/// Outcomes in the order in which they are told; others come last.
const ORDER: [&str; 6] = [
    "terminated",
    "would_terminate",
    "changed",
    "deferred",
    "unparsed",
    "kept",
];

/// What a witness says that nobody asked.
const SILENT: [&str; 3] = ["", "not asked", "switched off"];

const INDENT: &str = "                     ";

/// Writes a report.
pub(super) fn report(out: &mut dyn Write, seen: &Seen) -> io::Result<()> {
    let mut workspaces: Vec<_> = seen.workspaces.iter().collect();
    workspaces.sort_by_key(|workspace| &workspace.name);
    for workspace in workspaces {
        let clusters = seen.clusters.iter();
        let mut clusters: Vec<&SeenCluster> = clusters
            .filter(|cluster| cluster.workspace == workspace.name)
            .collect();
        clusters.sort_by_key(|cluster| (rank(&cluster.outcome), &cluster.name));
        let count = if workspace.is_seen {
            format!("{} clusters", clusters.len())
        } else {
            "NOT SEEN".to_owned()
        };
        writeln!(
            out,
            "\n{}  ({} mode, {count}, requests: {}, {} ms)",
            workspace.name, workspace.mode, workspace.requests, workspace.elapsed_ms
        )?;
        for cluster in clusters {
            show_cluster(out, cluster)?;
        }
        let notes = seen.notes.iter();
        for (_, note) in notes.filter(|(of, _)| *of == workspace.name) {
            writeln!(out, "  note: {note}")?;
        }
    }
    for failure in &seen.failures {
        writeln!(out, "\nFAILURE  {failure}")?;
    }
    writeln!(out, "\n{}", seen.summary)
}

fn show_cluster(out: &mut dyn Write, cluster: &SeenCluster) -> io::Result<()> {
    let outcome = cluster.outcome.replace('_', " ");
    let name = if cluster.name.is_empty() {
        &cluster.id
    } else {
        &cluster.name
    };
    writeln!(out, "  {outcome:<17}  {name}: {}", cluster.clause)?;
    let field = |name: &str| cluster.fields.get(name).map_or("", String::as_str);
    let said: Vec<String> = ["spark", "streaming", "nodes"]
        .into_iter()
        .filter(|witness| !SILENT.contains(&field(witness)))
        .map(|witness| format!("{witness}: {}", field(witness)))
        .collect();
    if !said.is_empty() {
        writeln!(out, "{INDENT}{}", said.join("; "))?;
    }
    match field("earliest") {
        "" => Ok(()),
        earliest => writeln!(out, "{INDENT}{earliest}"),
    }
}

fn rank(outcome: &str) -> usize {
    let place = ORDER.iter().position(|known| *known == outcome);
    place.unwrap_or(ORDER.len())
}
