//! Settings that cannot be read, arguments that cannot be, and that every check and every
//! command of this program that is printed exists.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use simulator::world::{Cluster, Workspace, World, hours};

use crate::examined::Sheet;
use crate::support::{BINARY, Scene};

fn scene() -> Scene {
    let workspace = Workspace::named("one").cluster(Cluster::idle("idle").since(hours(5)));
    Scene::of(World::new().workspace(workspace))
}

#[test]
fn mistakes_in_the_settings_are_told_all_at_once_and_everything_else_is_skipped() {
    let scene = scene()
        .set("TERMINATE_CLUSTERS_MODE", "sometimes")
        .set("TERMINATE_CLUSTERS_KEY_VAULT_URL", "http://x");
    let told = scene.doctor(&["--json"]);
    assert_eq!(told.exit, 2, "{told}");
    let sheet = Sheet::of(&told);
    let failed: Vec<&str> = sheet
        .checks
        .iter()
        .filter(|check| check["status"] == "fail")
        .map(|check| check["id"].as_str().unwrap())
        .collect();
    assert_eq!(failed, ["settings", "settings"], "{sheet}");
    assert_eq!(sheet.counts()["skipped"], 28, "{sheet}");
    assert!(scene.simulator.record().requests().is_empty());
    let text = scene.doctor(&[]);
    assert!(text.stdout.contains("\nevery principal\n"), "{text}");
    assert!(text.stdout.contains("\nevery workspace\n"), "{text}");
    assert_eq!(scene.doctor(&["--record", "out"]).exit, 2);
    assert!(!scene.simulator.directory().join("out").exists());
}

#[test]
fn arguments_that_cannot_be_are_refused_before_anything_is_asked() {
    let scene = scene();
    for (arguments, part) in [
        (&["--workspace", "two"][..], "not in the policy"),
        (&["--probe-proxy", "a/b", "1"], "is no cluster id"),
        (&["--probe-proxy", "a", "70000"], "is no port"),
        (&["--probe-proxy", "a", "0"], "is no port"),
        (&["--probe-proxy", "a"], "2 values required"),
        (&["--record", "x", "--json"], "cannot be used with"),
    ] {
        let told = scene.doctor(arguments);
        assert_eq!(told.exit, 2, "{told}");
        assert!(told.stderr.contains(part), "{part}: {told}");
    }
    assert!(scene.simulator.record().requests().is_empty());
}

#[test]
fn every_check_has_its_section() {
    let sheet = scene().examine();
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/doctor.md"));
    let text = text.unwrap();
    let sections: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .collect();
    let ids: Vec<&str> = sheet
        .checks
        .iter()
        .map(|check| check["id"].as_str().unwrap())
        .collect();
    let told: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(
        told,
        sections.iter().copied().collect(),
        "checks and sections"
    );
    assert_eq!(told.len(), sections.len(), "a section twice");
    // In the order in which they are made.
    let mut order = ids.clone();
    order.dedup();
    assert_eq!(order, sections);
}

/// The commands of this program that the findings print, their placeholders filled in.
const COMMANDS: [&str; 10] = [
    "doctor",
    "doctor --workspace one",
    "doctor --workspace one --record FOLDER",
    "doctor --workspace one --probe-proxy CLUSTER 1",
    "grant --workspace one --apply",
    "grant --self --workspace one --apply",
    "grant --workspace one --admin --apply",
    "grant --workspace one --clusters all-purpose --apply",
    "grant --workspace one --clusters all-purpose",
    "grant --workspace one --evidence --apply",
];

#[test]
fn every_command_of_this_program_that_is_printed_exists() {
    for command in COMMANDS {
        // Help comes only after all arguments before it were understood.
        let output = Command::new(BINARY)
            .args(command.split(' '))
            .arg("--help")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {errors}");
    }
}
