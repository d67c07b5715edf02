//! One run of the doctor and what came of it.

use std::collections::BTreeMap;

use serde_json::Value;
use simulator::world::{Workspace, World};

use crate::ran::Ran;
use crate::support::Scene;

impl Scene {
    /// Runs the doctor with these arguments, and makes sure that the cloud was only read.
    pub(crate) fn doctor(&self, arguments: &[&str]) -> Ran {
        let examined = Ran::of(self, &[&["doctor"], arguments].concat());
        let record = self.simulator.record();
        assert!(record.mutating().is_empty(), "{:?}", record.mutating());
        examined.assert_tells_no_secret(self);
        examined
    }

    /// Adds a table to the policy.
    pub(crate) fn table(mut self, text: &str) -> Self {
        self.further_tables.push_str(text);
        self
    }

    /// Names the principal that asks the drivers.
    pub(crate) fn spark_as(mut self, name: &str) -> Self {
        let main = "principal = \"main\"\n";
        self.further_tables =
            self.further_tables
                .replacen(main, &format!("principal = \"{name}\"\n"), 1);
        self
    }

    /// Takes the Spark witness out of the policy.
    pub(crate) fn without_spark(mut self) -> Self {
        self.further_tables.clear();
        self
    }

    /// Examines, with the answer in JSON.
    pub(crate) fn examine(&self) -> Sheet {
        Sheet::of(&self.doctor(&["--json"]))
    }
}

impl Ran {
    fn assert_tells_no_secret(&self, scene: &Scene) {
        for secret in scene.simulator.world(|world| world.secrets()) {
            let essence = secret.rsplit('.').next().unwrap();
            assert!(!self.stdout.contains(essence), "a secret in {self}");
            assert!(!self.stderr.contains(essence), "a secret in {self}");
        }
    }
}

/// The checks of one run.
pub(crate) struct Sheet {
    pub(crate) exit: i32,
    pub(crate) checks: Vec<Value>,
    pub(crate) outlooks: Vec<Value>,
}

impl Sheet {
    /// Reads the answer, which must add up.
    pub(crate) fn of(examined: &Ran) -> Self {
        assert_eq!(examined.stdout.lines().count(), 1, "{examined}");
        let answer: Value = serde_json::from_str(&examined.stdout).unwrap();
        let list = |key: &str| answer[key].as_array().unwrap().clone();
        let sheet = Self {
            exit: examined.exit,
            checks: list("checks"),
            outlooks: list("outlooks"),
        };
        let of_status = |status: &str| {
            let of_it = sheet
                .checks
                .iter()
                .filter(|check| check["status"] == status);
            of_it.count()
        };
        for status in ["ok", "warn", "fail", "skipped"] {
            assert_eq!(answer["counts"][status], of_status(status), "{examined}");
        }
        assert_eq!(answer["failed"], of_status("fail") > 0, "{examined}");
        if examined.exit != 2 {
            assert_eq!(
                examined.exit,
                i32::from(of_status("fail") > 0),
                "{examined}"
            );
        }
        for check in &sheet.checks {
            let has_command = check["command"].is_string();
            assert!(check["status"] != "fail" || has_command, "{check}");
        }
        sheet
    }

    /// The only check of this id.
    pub(crate) fn check(&self, id: &str) -> &Value {
        let mut found = self.checks.iter().filter(|check| check["id"] == id);
        let first = found.next().unwrap_or_else(|| panic!("no {id}: {self}"));
        assert!(found.next().is_none(), "two of {id}: {self}");
        first
    }

    /// The status of the only check of this id.
    pub(crate) fn status(&self, id: &str) -> &str {
        self.check(id)["status"].as_str().unwrap()
    }

    /// How many of each status.
    pub(crate) fn counts(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for check in &self.checks {
            *counts.entry(check["status"].as_str().unwrap()).or_default() += 1;
        }
        counts
    }

    /// The only check that failed.
    pub(crate) fn failure(&self) -> &Value {
        let mut failed = self.checks.iter().filter(|check| check["status"] == "fail");
        let first = failed
            .next()
            .unwrap_or_else(|| panic!("none failed: {self}"));
        assert!(failed.next().is_none(), "two failed: {self}");
        first
    }
}

impl std::fmt::Display for Sheet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for check in self.checks.iter().chain(&self.outlooks) {
            writeln!(f, "{check}")?;
        }
        Ok(())
    }
}

/// A scene of one workspace, called `one`.
pub(crate) fn scene_of(workspace: Workspace) -> Scene {
    Scene::of(World::new().workspace(workspace))
}
