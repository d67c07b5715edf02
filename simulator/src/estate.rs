//! The estate of the demo: a small company's workspaces and clusters, and beside it, written down by hand,
//! what a sweep must make of every one of them.
//!
//! Six workspaces, told in [`world`]: enough that every reason to keep a cluster which the service can give
//! cause for occurs, and every grade of evidence that ends in a termination. The expectations are literal:
//! they are copied from no run and computed from no rule of the handler, which this crate does not know. The
//! demo compares a run with them; a test in the handler's package compares the reasons with its own list.

mod build;
mod policy;

pub use build::world;
pub use policy::policy;

/// Who restarts a cluster between the look at it and its termination, and where.
pub const CAME_BACK: (&str, &str) = ("analytics", "pricing-review");

/// The workspace that lets nobody in from the public network, and the handler's word for that.
pub const NOT_SEEN: (&str, &str) = ("finance", "private_link_only");

/// A name that tries to pass for another line of the log, with another outcome.
pub const FORGER: &str = "anna \"test\"\nINFO x: workspace=finance outcome=terminated";

/// What must become of a cluster: the handler's words for outcome and reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// What became of it.
    pub outcome: &'static str,
    /// Why, or by which evidence.
    pub reason: &'static str,
}

/// What must become of one listed cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The workspace's name.
    pub workspace: &'static str,
    /// The cluster's name.
    pub cluster: &'static str,
    /// In report mode.
    pub report: Fate,
    /// In terminate mode.
    pub terminate: Fate,
}

/// The numbers that a report must end with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedTotals {
    /// Workspaces that were asked.
    pub workspaces: usize,
    /// Of these, the ones whose clusters could not be listed.
    pub not_seen: usize,
    /// Clusters with a line.
    pub clusters: usize,
    /// Clusters by outcome.
    pub outcomes: &'static [(&'static str, usize)],
    /// Kept clusters by reason; they are the same in both modes.
    pub kept: &'static [(&'static str, usize)],
    /// What should have worked and did not.
    pub failures: usize,
}

const fn fate(outcome: &'static str, reason: &'static str) -> Fate {
    Fate { outcome, reason }
}

const fn same(workspace: &'static str, cluster: &'static str, fate: Fate) -> Expected {
    Expected {
        workspace,
        cluster,
        report: fate,
        terminate: fate,
    }
}

const fn kept(workspace: &'static str, cluster: &'static str, reason: &'static str) -> Expected {
    same(workspace, cluster, fate("kept", reason))
}

const fn idle(workspace: &'static str, cluster: &'static str, evidence: &'static str) -> Expected {
    Expected {
        workspace,
        cluster,
        report: fate("would_terminate", evidence),
        terminate: fate("terminated", evidence),
    }
}

/// Every cluster that a sweep must list, and what must become of it.
pub const EXPECTED: &[Expected] = &[
    idle("analytics", "etl-dev", "both_witnesses"),
    kept("analytics", "reporting", "spark_busy"),
    kept("analytics", "nightly-backfill", "active_run"),
    kept("analytics", "invoices", "recent_activity"),
    kept("analytics", "sql-scratch", "recent_activity"),
    kept("analytics", FORGER, "started_recently"),
    kept("analytics", "prod-dashboards", "protected_by_name"),
    kept("analytics", "shared-bi", "protected_by_pin"),
    kept("analytics", "month-end-close", "protected_by_tag"),
    kept("analytics", "lunch-break", "quiet_too_short"),
    kept("analytics", "growing", "not_running"),
    kept("analytics", "imported-2019", "not_all_purpose"),
    same("analytics", "garbled", fate("unparsed", "unparsed")),
    Expected {
        workspace: "analytics",
        cluster: "pricing-review",
        report: fate("would_terminate", "both_witnesses"),
        terminate: fate("changed", "started_recently"),
    },
    kept("data-science", "forecasting", "nodes_busy"),
    kept("data-science", "waiting-on-api", "command_running"),
    kept("data-science", "pandas-box", "evidence_too_weak"),
    kept("data-science", "stuck-since-monday", "contradictory"),
    kept("data-science", "thesis", "keep_until"),
    kept("data-science", "paper", "keep_until_unreadable"),
    kept("data-science", "migration-lab", "exempt"),
    kept("data-science", "locked-down", "no_witness"),
    kept("data-science", "feature-tests", "quiet_too_short"),
    idle("data-science", "feature-store", "spark_alone"),
    idle("data-science", "no-attach", "nodes_alone"),
    idle("data-science", "last-quarter", "both_witnesses"),
    kept("events", "orders-stream", "stream_active"),
    kept("events", "sensor-stream", "stream_active"),
    kept("events", "clickstream", "stream_traces"),
    kept("events", "left-to-platform", "platform_saw_activity"),
    idle("events", "replay-2023", "both_witnesses"),
    kept("marketing", "campaigns", "required_unknown"),
    kept("marketing", "newsletter", "spark_busy"),
    idle("sandbox", "workshop-1", "both_witnesses"),
    same("sandbox", "workshop-2", fate("deferred", "workspace_cap")),
    idle("sandbox", "workshop-3", "both_witnesses"),
    kept("sandbox", "workshop-4", "spark_busy"),
];

/// For every reason to keep a cluster, one that shows it.
pub const SHOWN_BY: &[(&str, &str, &str)] = &[
    ("not_all_purpose", "analytics", "imported-2019"),
    ("not_running", "analytics", "growing"),
    ("protected_by_tag", "analytics", "month-end-close"),
    ("protected_by_name", "analytics", "prod-dashboards"),
    ("protected_by_pin", "analytics", "shared-bi"),
    ("exempt", "data-science", "migration-lab"),
    ("keep_until", "data-science", "thesis"),
    ("keep_until_unreadable", "data-science", "paper"),
    ("active_run", "analytics", "nightly-backfill"),
    ("recent_activity", "analytics", "invoices"),
    ("started_recently", "analytics", FORGER),
    ("command_running", "data-science", "waiting-on-api"),
    ("spark_busy", "analytics", "reporting"),
    ("contradictory", "data-science", "stuck-since-monday"),
    ("stream_active", "events", "sensor-stream"),
    ("stream_traces", "events", "clickstream"),
    ("nodes_busy", "data-science", "forecasting"),
    ("required_unknown", "marketing", "campaigns"),
    ("no_witness", "data-science", "locked-down"),
    ("evidence_too_weak", "data-science", "pandas-box"),
    ("platform_saw_activity", "events", "left-to-platform"),
    ("quiet_too_short", "analytics", "lunch-break"),
];

const KEPT: &[(&str, usize)] = &[
    ("active_run", 1),
    ("command_running", 1),
    ("contradictory", 1),
    ("evidence_too_weak", 1),
    ("exempt", 1),
    ("keep_until", 1),
    ("keep_until_unreadable", 1),
    ("no_witness", 1),
    ("nodes_busy", 1),
    ("not_all_purpose", 1),
    ("not_running", 1),
    ("platform_saw_activity", 1),
    ("protected_by_name", 1),
    ("protected_by_pin", 1),
    ("protected_by_tag", 1),
    ("quiet_too_short", 2),
    ("recent_activity", 2),
    ("required_unknown", 1),
    ("spark_busy", 3),
    ("started_recently", 1),
    ("stream_active", 2),
    ("stream_traces", 1),
];

/// The totals of report mode.
pub const REPORT_TOTALS: ExpectedTotals = ExpectedTotals {
    workspaces: 6,
    not_seen: 1,
    clusters: 37,
    outcomes: &[
        ("deferred", 1),
        ("kept", 27),
        ("unparsed", 1),
        ("would_terminate", 8),
    ],
    kept: KEPT,
    failures: 1,
};

/// The totals of terminate mode.
pub const TERMINATE_TOTALS: ExpectedTotals = ExpectedTotals {
    workspaces: 6,
    not_seen: 1,
    clusters: 37,
    outcomes: &[
        ("changed", 1),
        ("deferred", 1),
        ("kept", 27),
        ("terminated", 7),
        ("unparsed", 1),
    ],
    kept: KEPT,
    failures: 1,
};

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::world::{Cluster, Moment};

    type Counts = BTreeMap<&'static str, usize>;
    type FateOf = fn(&Expected) -> Fate;

    fn counts(words: impl Iterator<Item = &'static str>) -> Counts {
        words.fold(Counts::new(), |mut counts, word| {
            *counts.entry(word).or_default() += 1;
            counts
        })
    }

    fn written(pairs: &[(&'static str, usize)]) -> Counts {
        pairs.iter().copied().collect()
    }

    /// What a listing by state and source would give.
    fn is_listed(cluster: &Cluster) -> bool {
        let source = cluster.source.as_deref();
        let state = cluster.state_at(Moment::ORIGIN);
        matches!(source, Some("UI" | "API")) && matches!(state, "RUNNING" | "RESIZING")
    }

    #[test]
    fn the_table_has_a_row_for_each_listed_cluster_and_no_other() {
        let world = world();
        let seen = world.workspaces.iter().filter(|one| one.name != NOT_SEEN.0);
        let listed: BTreeSet<(String, String)> = seen
            .flat_map(|one| {
                let clusters = one.clusters.iter().filter(|cluster| is_listed(cluster));
                clusters.map(|cluster| (one.name.clone(), cluster.name.clone()))
            })
            .collect();
        let rows: BTreeSet<(String, String)> = EXPECTED
            .iter()
            .map(|row| (row.workspace.to_owned(), row.cluster.to_owned()))
            .collect();
        assert_eq!(rows.len(), EXPECTED.len(), "a cluster has two rows");
        assert_eq!(rows, listed);
    }

    #[test]
    fn the_written_totals_are_those_of_the_table() {
        let world = world();
        let modes: [(ExpectedTotals, FateOf); 2] = [
            (REPORT_TOTALS, |row| row.report),
            (TERMINATE_TOTALS, |row| row.terminate),
        ];
        for (totals, fate) in modes {
            let fates = EXPECTED.iter().map(fate);
            let kept = fates.clone().filter(|fate| fate.outcome == "kept");
            assert_eq!(
                counts(fates.map(|fate| fate.outcome)),
                written(totals.outcomes)
            );
            assert_eq!(counts(kept.map(|fate| fate.reason)), written(totals.kept));
            assert_eq!(totals.clusters, EXPECTED.len());
            assert_eq!(totals.workspaces, world.workspaces.len());
        }
    }

    #[test]
    fn each_reason_is_shown_by_the_cluster_that_is_named_for_it() {
        for (reason, workspace, cluster) in SHOWN_BY {
            let row = EXPECTED
                .iter()
                .find(|row| (row.workspace, row.cluster) == (*workspace, *cluster));
            let fate = row.map(|row| row.terminate);
            assert_eq!(
                fate,
                Some(Fate {
                    outcome: "kept",
                    reason
                }),
                "{cluster}"
            );
        }
        let named: BTreeSet<&str> = SHOWN_BY.iter().map(|(reason, _, _)| *reason).collect();
        let kept: BTreeSet<&str> = KEPT.iter().map(|(reason, _)| *reason).collect();
        assert_eq!(named, kept);
    }

    #[test]
    fn clusters_that_are_never_listed_live_in_the_estate_too() {
        let world = world();
        let clusters = world.workspaces.iter().flat_map(|one| &one.clusters);
        let sources: BTreeSet<&str> = clusters
            .clone()
            .filter(|cluster| cluster.state_at(Moment::ORIGIN) == "RUNNING")
            .filter_map(|cluster| cluster.source.as_deref())
            .collect();
        let all = ["API", "JOB", "MODELS", "PIPELINE", "SQL", "UI"];
        assert_eq!(sources, BTreeSet::from(all));
        let is_stopped = |cluster: &Cluster| cluster.state_at(Moment::ORIGIN) == "TERMINATED";
        assert!(clusters.clone().any(is_stopped));
    }
}
