//! What differs between a sweep of the estate and what is written down beside it.
//!
//! Every check gives sentences, none stops at the first: whoever broke something sees all of it. Pure values
//! in, sentences out; nothing here knows how a sweep was run.

use std::collections::{BTreeMap, BTreeSet};

use super::seen::{Seen, SeenCluster, SeenTotals};
use crate::Record;
use crate::estate::{EXPECTED, Expected, ExpectedTotals, Fate};
use crate::world::{MAIN, World};

/// What one sweep must come to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) fate: fn(&Expected) -> Fate,
    pub(super) totals: &'static ExpectedTotals,
}

impl Wanted {
    /// The clusters that the sweep must terminate, by workspace and name.
    fn terminated(&self) -> impl Iterator<Item = &'static Expected> {
        let fate = self.fate;
        EXPECTED
            .iter()
            .filter(move |row| fate(row).outcome == "terminated")
    }
}

/// How a difference names a cluster: on one line, whatever its name holds.
fn place(workspace: &str, cluster: &str) -> String {
    format!("{workspace}/{}", cluster.escape_debug())
}

/// The states of all clusters, by workspace and id.
pub(super) type States = BTreeMap<(String, String), String>;

/// The states of all clusters at this moment.
pub(super) fn states(world: &World) -> States {
    let now = world.now();
    let workspaces = world.workspaces.iter();
    workspaces
        .flat_map(|workspace| {
            workspace.clusters.iter().map(move |cluster| {
                let key = (workspace.name.clone(), cluster.id.clone());
                (key, cluster.state_at(now).to_owned())
            })
        })
        .collect()
}

/// What differs between the lines of a report and the table.
pub(super) fn lines(seen: &Seen, wanted: Wanted, world: &World) -> Vec<String> {
    let mut differences = Vec::new();
    let mut left: Vec<&SeenCluster> = seen.clusters.iter().collect();
    for row in EXPECTED {
        let id = world.cluster_id(row.workspace, row.cluster);
        let is_of_row = |line: &&SeenCluster| line.workspace == row.workspace && line.id == id;
        let (of_row, others): (Vec<_>, Vec<_>) = left.into_iter().partition(is_of_row);
        left = others;
        let place = place(row.workspace, row.cluster);
        let Fate { outcome, reason } = (wanted.fate)(row);
        match of_row.as_slice() {
            [] => differences.push(format!(
                "{place} has no line; expected {outcome} ({reason})"
            )),
            [line] if line.outcome == outcome && line.reason == reason => {}
            [line] => differences.push(format!(
                "{place} is {} ({}); expected {outcome} ({reason})",
                line.outcome, line.reason
            )),
            several => differences.push(format!("{place} has {} lines", several.len())),
        }
    }
    differences.extend(left.iter().map(|line| {
        format!(
            "{}/{} has a line ({}) and is not in the table",
            line.workspace, line.id, line.outcome
        )
    }));
    differences
}

/// What differs between the totals of a report and the written ones.
pub(super) fn totals(seen: &Seen, wanted: Wanted) -> Vec<String> {
    let Some(totals) = &seen.totals else {
        return vec!["the report has no totals".to_owned()];
    };
    let written = SeenTotals::from(wanted.totals);
    let SeenTotals {
        workspaces,
        not_seen,
        clusters,
        outcomes,
        kept,
        failures,
    } = totals;
    let pairs = [
        ("workspaces", workspaces, &written.workspaces),
        ("workspaces not seen", not_seen, &written.not_seen),
        ("clusters", clusters, &written.clusters),
        ("failures", failures, &written.failures),
    ];
    let numbers = pairs
        .into_iter()
        .filter(|(_, seen, written)| seen != written)
        .map(|(what, seen, written)| format!("the totals say {seen} {what}; expected {written}"));
    let counts = [
        ("outcomes", outcomes, &written.outcomes),
        ("reasons", kept, &written.kept),
    ];
    let counts = counts
        .into_iter()
        .filter(|(_, seen, written)| seen != written)
        .map(|(what, seen, written)| {
            format!("the totals' {what} are {seen:?}; expected {written:?}")
        });
    numbers.chain(counts).collect()
}

/// What differs between the world after a sweep and the written list of terminated clusters. Every other
/// cluster must be in the state that it was in before.
pub(super) fn world(world: &World, before: &States, wanted: Wanted) -> Vec<String> {
    let expected: BTreeSet<(String, String)> = wanted
        .terminated()
        .map(|row| {
            let id = world.cluster_id(row.workspace, row.cluster);
            (row.workspace.to_owned(), id)
        })
        .collect();
    let mut differences = Vec::new();
    let after = states(world);
    for workspace in &world.workspaces {
        for cluster in &workspace.clusters {
            let key = (workspace.name.clone(), cluster.id.clone());
            let place = place(&workspace.name, &cluster.name);
            let by_us = cluster
                .terminated
                .as_ref()
                .is_some_and(|termination| termination.by == MAIN);
            match (expected.contains(&key), by_us) {
                (true, false) => differences.push(format!("{place} was not terminated")),
                (false, true) => differences.push(format!("{place} WAS TERMINATED")),
                (true, true) => {}
                (false, false) if before.get(&key) == after.get(&key) => {}
                (false, false) => differences.push(format!(
                    "{place} went from {:?} to {:?}",
                    before.get(&key),
                    after.get(&key)
                )),
            }
        }
    }
    differences
}

/// What differs between the requests that could change something and the terminations that were wanted.
pub(super) fn requests(record: &Record, wanted: Wanted, world: &World) -> Vec<String> {
    let mut expected: Vec<String> = wanted
        .terminated()
        .map(|row| world.cluster_id(row.workspace, row.cluster))
        .collect();
    let mut sent = record.terminations();
    expected.sort();
    sent.sort();
    let mut differences = Vec::new();
    if sent != expected {
        differences.push(format!(
            "terminations were sent for {sent:?}; expected {expected:?}"
        ));
    }
    let others = record.mutating().len().saturating_sub(sent.len());
    if others > 0 {
        differences.push(format!("{others} other requests could change something"));
    }
    differences.extend(
        record
            .violations()
            .iter()
            .map(|violation| format!("nobody arranged: {violation}")),
    );
    differences
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estate;
    use crate::world::Termination;

    const WANTED: Wanted = Wanted {
        fate: |row| row.terminate,
        totals: &estate::TERMINATE_TOTALS,
    };

    /// The report of a sweep that did what is written down.
    fn faithful(world: &World) -> Seen {
        let clusters = EXPECTED.iter().map(|row| SeenCluster {
            workspace: row.workspace.to_owned(),
            id: world.cluster_id(row.workspace, row.cluster),
            name: row.cluster.to_owned(),
            outcome: row.terminate.outcome.to_owned(),
            reason: row.terminate.reason.to_owned(),
            clause: String::new(),
            fields: BTreeMap::new(),
        });
        Seen {
            clusters: clusters.collect(),
            totals: Some(SeenTotals::from(WANTED.totals)),
            ..Seen::default()
        }
    }

    /// The world after a sweep that did what is written down.
    fn swept() -> (World, States) {
        let mut world = estate::world();
        let before = states(&world);
        for row in WANTED.terminated() {
            kill(&mut world, row.workspace, row.cluster, MAIN);
        }
        (world, before)
    }

    fn kill(world: &mut World, workspace: &str, cluster: &str, by: &str) {
        let at = world.now();
        let by = by.to_owned();
        world.cluster_mut(workspace, cluster).terminated = Some(Termination { at, by });
    }

    #[test]
    fn a_faithful_sweep_differs_in_nothing() {
        let (world_after, before) = swept();
        let seen = faithful(&world_after);
        assert_eq!(lines(&seen, WANTED, &world_after), Vec::<String>::new());
        assert_eq!(totals(&seen, WANTED), Vec::<String>::new());
        assert_eq!(world(&world_after, &before, WANTED), Vec::<String>::new());
    }

    #[test]
    fn a_line_that_is_missing_wrong_double_or_strange_is_told() {
        let estate = estate::world();
        let mut seen = faithful(&estate);
        let first = seen.clusters.remove(0);
        "spark_busy".clone_into(&mut seen.clusters[1].reason);
        let double = seen.clusters[4].clone();
        let strange = SeenCluster {
            id: "0101-000000-strange".to_owned(),
            ..double.clone()
        };
        seen.clusters.extend([double, strange]);
        let name = |index: usize| place(EXPECTED[index].workspace, EXPECTED[index].cluster);
        assert_eq!(first.name, EXPECTED[0].cluster);
        assert_eq!(
            lines(&seen, WANTED, &estate),
            [
                format!(
                    "{} has no line; expected terminated (both_witnesses)",
                    name(0)
                ),
                format!(
                    "{} is kept (spark_busy); expected kept (active_run)",
                    name(2)
                ),
                format!("{} has 2 lines", name(5)),
                "analytics/0101-000000-strange has a line (kept) and is not in the table"
                    .to_owned(),
            ]
        );
    }

    #[test]
    fn a_total_that_is_missing_or_wrong_is_told() {
        let estate = estate::world();
        let mut seen = faithful(&estate);
        if let Some(totals) = &mut seen.totals {
            totals.failures = 0;
            totals.kept.remove("exempt");
        }
        assert_eq!(totals(&seen, WANTED).len(), 2);
        seen.totals = None;
        assert_eq!(totals(&seen, WANTED), ["the report has no totals"]);
    }

    #[test]
    fn a_cluster_that_died_or_lived_against_the_table_is_told() {
        let (mut after, before) = swept();
        kill(&mut after, "analytics", "month-end-close", MAIN);
        kill(&mut after, "analytics", "job-81-run-7-etl", MAIN);
        kill(&mut after, "marketing", "newsletter", "somebody");
        after.cluster_mut("sandbox", "workshop-1").terminated = None;
        assert_eq!(
            world(&after, &before, WANTED),
            [
                "analytics/month-end-close WAS TERMINATED",
                "analytics/job-81-run-7-etl WAS TERMINATED",
                "marketing/newsletter went from Some(\"RUNNING\") to Some(\"TERMINATING\")",
                "sandbox/workshop-1 was not terminated",
            ]
        );
    }

    #[test]
    fn terminations_that_were_not_sent_are_told() {
        let estate = estate::world();
        let found = requests(&Record::default(), WANTED, &estate);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("terminations were sent for []; expected ["));
    }
}
