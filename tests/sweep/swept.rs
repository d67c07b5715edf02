//! One run of `terminate-clusters sweep` and what came of it.
//!
//! The report is read as a script would read it: as JSON lines, by the names of
//! their fields. Every report that passes here must add up, whatever its story
//! is about.

use std::collections::BTreeMap;

use serde_json::Value;
use simulator::world::CLIENT_CERTIFICATE_SECRET;

use crate::ran::Ran;
use crate::support::Scene;

/// A sweep that has ended.
pub(crate) struct Swept {
    pub(crate) ran: Ran,
    pub(crate) workspaces: Vec<Value>,
    /// `Null` where the process ended before it had a report.
    pub(crate) closing: Value,
}

impl Scene {
    /// Adds a table to the policy.
    pub(crate) fn table(mut self, text: &str) -> Self {
        self.further_tables.push_str(text);
        self
    }

    /// Leaves a variable out.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.variables.remove(name);
        self
    }

    /// The settings of a world whose main principal has a certificate in the place of a secret.
    pub(crate) fn with_certificate(self) -> Self {
        self.without("TERMINATE_CLUSTERS_CLIENT_SECRET_SECRET").set(
            "TERMINATE_CLUSTERS_CLIENT_CERTIFICATE_SECRET",
            CLIENT_CERTIFICATE_SECRET,
        )
    }

    /// Sweeps with a report in JSON.
    pub(crate) fn sweep(&self) -> Swept {
        self.sweep_with(&[])
    }

    /// Sweeps with these arguments and a report in JSON.
    pub(crate) fn sweep_with(&self, arguments: &[&str]) -> Swept {
        let mut all = vec!["--json"];
        all.extend(arguments);
        let mut swept = self.run(&all);
        let mut lines: Vec<Value> = swept
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        swept.closing = lines.pop().unwrap_or_default();
        swept.workspaces = lines;
        swept.assert_adds_up();
        swept
    }

    /// Sweeps with these arguments and nothing else.
    pub(crate) fn run(&self, arguments: &[&str]) -> Swept {
        Swept {
            ran: Ran::of(self, &[&["sweep"], arguments].concat()),
            workspaces: Vec::new(),
            closing: Value::Null,
        }
    }
}

impl Swept {
    /// The lines of all clusters.
    pub(crate) fn clusters(&self) -> impl Iterator<Item = &Value> {
        self.workspaces
            .iter()
            .flat_map(|workspace| workspace["clusters"].as_array().unwrap())
    }

    /// The line of the cluster of this name.
    pub(crate) fn cluster(&self, name: &str) -> &Value {
        let mut found = self
            .clusters()
            .filter(|cluster| cluster["cluster_name"] == name);
        let first = found.next();
        let first = first.unwrap_or_else(|| panic!("no line for {name}:\n{self}"));
        assert!(found.next().is_none(), "two lines for {name}:\n{self}");
        first
    }

    /// `outcome: reason` of the cluster of this name.
    pub(crate) fn said_of(&self, name: &str) -> String {
        said(self.cluster(name))
    }

    /// `outcome: reason` of every cluster, by name.
    pub(crate) fn said(&self) -> BTreeMap<&str, String> {
        self.clusters()
            .map(|cluster| (cluster["cluster_name"].as_str().unwrap(), said(cluster)))
            .collect()
    }

    /// How many clusters had this outcome, by the totals.
    pub(crate) fn count(&self, outcome: &str) -> u64 {
        self.closing["totals"]["outcomes"][outcome]
            .as_u64()
            .unwrap_or(0)
    }

    /// The workspace of this name.
    pub(crate) fn workspace(&self, name: &str) -> &Value {
        let found = self
            .workspaces
            .iter()
            .find(|workspace| workspace["workspace"] == name);
        found.unwrap_or_else(|| panic!("no workspace {name}:\n{self}"))
    }

    /// All failures: `kind workspace: sentence`, the workspace `-` where there is none.
    pub(crate) fn failures(&self) -> Vec<String> {
        let of_workspaces = self.workspaces.iter().map(|one| &one["failures"]);
        of_workspaces
            .chain([&self.closing["failures"]])
            .filter_map(Value::as_array)
            .flatten()
            .map(|failure| {
                let text = |key: &str| failure[key].as_str().unwrap_or("-");
                let (kind, workspace) = (text("kind"), text("workspace"));
                format!("{kind} {workspace}: {}", text("sentence"))
            })
            .collect()
    }

    /// The only failure.
    pub(crate) fn only_failure(&self) -> String {
        let mut failures = self.failures();
        assert_eq!(failures.len(), 1, "{self}");
        failures.remove(0)
    }

    /// That everything was seen and nothing failed.
    pub(crate) fn assert_succeeded(&self) {
        assert_eq!(self.exit, 0, "{self}");
        assert_eq!(self.failures(), Vec::<String>::new(), "{self}");
    }

    /// That every cluster has its line in the totals, and the exit status its reason.
    fn assert_adds_up(&self) {
        if self.closing.is_null() {
            return;
        }
        let totals = &self.closing["totals"];
        let sum = |counts: &Value| -> u64 {
            let counts = counts.as_object().unwrap().values();
            counts.map(|count| count.as_u64().unwrap()).sum()
        };
        let lines = u64::try_from(self.clusters().count()).unwrap();
        assert_eq!(totals["clusters"], lines, "{self}");
        assert_eq!(sum(&totals["outcomes"]), lines, "{self}");
        assert_eq!(sum(&totals["kept"]), self.count("kept"), "{self}");
        assert_eq!(totals["workspaces"], self.workspaces.len(), "{self}");
        let failures = self.failures().len();
        assert_eq!(totals["failures"], failures, "{self}");
        assert_eq!(self.closing["failed"], failures > 0, "{self}");
        assert_eq!(self.exit, i32::from(failures > 0), "{self}");
    }
}

impl std::ops::Deref for Swept {
    type Target = Ran;

    fn deref(&self) -> &Ran {
        &self.ran
    }
}

/// Everything that the process said, for the message of a failing test.
impl std::fmt::Display for Swept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.ran.fmt(f)
    }
}

fn said(cluster: &Value) -> String {
    let text = |key: &str| cluster[key].as_str().unwrap_or("-");
    format!("{}: {}", text("outcome"), text("reason"))
}
