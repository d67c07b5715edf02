//! `policy test` and `policy lint` as a pipeline runs them: the real binary,
//! with no settings but the policy and no network.

#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

const CASES: &str = r#"
[[case]]
name = "idle"
expect.decision = "terminate"

[[case]]
name = "a pause"
quiet_for = "3h"
workspace = "dev"
expect = { decision = "keep", earliest = "in 1h" }
"#;

const POLICY: &str = r#"
[policy]
idle_after = "4h"
[witness.spark]
principal = "main"
[[override]]
workspace = "exp-*"
idle_after = "1h"
"#;

fn run(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_terminate-clusters"))
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn the_shipped_cases_hold_for_the_shipped_policy_and_it_has_no_slips() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tested = run(
        root,
        &["policy", "test", "terminate-clusters.test.toml"],
        &[],
    );
    assert_eq!(tested.status.code(), Some(0), "{}", stdout(&tested));
    let told = stdout(&tested);
    assert!(told.lines().count() > 10, "{told}");
    assert!(told.ends_with(", 0 failed\n"), "{told}");
    assert!(tested.stderr.is_empty());
    let linted = run(root, &["policy", "lint"], &[]);
    assert_eq!(linted.status.code(), Some(0), "{}", stdout(&linted));
    assert_eq!(
        stdout(&linted),
        "terminate-clusters.toml: 0 warnings, 0 notes\n"
    );
}

#[test]
fn cases_that_hold_end_with_0() {
    let folder = folder(&[("terminate-clusters.toml", POLICY), ("c.toml", CASES)]);
    let output = run(folder.path(), &["policy", "test", "c.toml"], &[]);
    assert_eq!(
        stdout(&output),
        "ok      idle\nok      a pause\n2 cases by terminate-clusters.toml: 2 ok, 0 failed\n"
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_case_that_fails_is_shown_as_a_difference_and_ends_with_1() {
    let cases = CASES.replace("\"dev\"", "\"exp-1\"");
    let folder = folder(&[("terminate-clusters.toml", POLICY), ("c.toml", &cases)]);
    let output = run(folder.path(), &["policy", "test", "c.toml"], &[]);
    assert_eq!(
        stdout(&output),
        "ok      idle
FAILED  a pause (c.toml, line 6)
        - decision = \"keep\"
        + decision = \"terminate\"
        - earliest = \"in 1h\" (2026-01-01T13:00:00Z)
        + earliest = \"now\"
        because both_witnesses: no sign of life since 2026-01-01T09:00:00Z; Spark and nodes say quiet, for more than 1h
        idle_after = 1h by the override for workspace `exp-*`
2 cases by terminate-clusters.toml: 1 ok, 1 failed
"
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_policy_is_found_as_a_sweep_finds_it_or_named() {
    let folder = folder(&[("other.toml", POLICY), ("c.toml", CASES)]);
    let test = ["policy", "test", "c.toml"];
    let absent = run(folder.path(), &test, &[]);
    assert_eq!(absent.status.code(), Some(2));
    assert!(stderr(&absent).contains("`terminate-clusters.toml` cannot be read"));
    let holds = |arguments: &[&str], variables: &[(&str, &str)]| {
        let output = run(folder.path(), arguments, variables);
        assert!(output.stderr.is_empty(), "{}", stderr(&output));
        output.status.code() == Some(0)
    };
    let named = ["policy", "test", "c.toml", "--policy", "other.toml"];
    assert!(holds(&named, &[]));
    assert!(holds(
        &test,
        &[("TERMINATE_CLUSTERS_POLICY_FILE", "other.toml")]
    ));
    assert!(holds(&test, &[("TERMINATE_CLUSTERS_POLICY", POLICY)]));
    let variable = ("TERMINATE_CLUSTERS__POLICY__IDLE_AFTER", "3h");
    assert!(!holds(&named, &[variable]));
}

#[test]
fn mistakes_of_both_files_are_told_at_once_and_end_with_2() {
    let folder = folder(&[
        ("terminate-clusters.toml", "[policy]\nidle_after = 1\n"),
        (
            "c.toml",
            "[[case]]\nnmae = \"x\"\nexpect.decision = \"keep\"\n",
        ),
        ("empty.toml", ""),
    ]);
    let output = run(folder.path(), &["policy", "test", "c.toml"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let told = stderr(&output);
    assert_eq!(told.lines().count(), 3, "{told}");
    for (line, part) in told.lines().zip([
        "error: terminate-clusters.toml, line 2: `idle_after`",
        "error: c.toml, line 1: `name` is missing",
        "error: c.toml, line 2: `nmae` is not a key of [[case]]; did you mean `name`?",
    ]) {
        assert!(line.starts_with(part), "{line}");
    }
    let empty = run(folder.path(), &["policy", "test", "empty.toml"], &[]);
    assert_eq!(empty.status.code(), Some(2));
    assert!(stderr(&empty).contains("holds no [[case]]"));
    let lint = run(folder.path(), &["policy", "lint"], &[]);
    assert_eq!(lint.status.code(), Some(2));
    assert!(lint.stdout.is_empty());
}

#[test]
fn lint_ends_with_1_for_a_warning_and_with_0_for_a_note() {
    let slip = format!("{POLICY}[[exempt]]\nname = \"*\"\nuntil = 2020-01-01\nreason = \"x\"\n");
    let note = "[policy]\nidle_after = \"4h\"\n[witness.spark]\nprincipal = \"main\"\n";
    let folder = folder(&[("slip.toml", &slip), ("note.toml", note)]);
    let lint = |file: &str| run(folder.path(), &["policy", "lint", "--policy", file], &[]);
    let output = lint("slip.toml");
    let told = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains(
            "warning: slip.toml, line 11: `until` was 2020-01-01, which is over\n  why: "
        ),
        "{told}"
    );
    assert!(told.contains("\n  fix: "), "{told}");
    assert!(
        told.ends_with("\nslip.toml: 3 warnings, 1 note\n"),
        "{told}"
    );
    let output = lint("note.toml");
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).ends_with("\nnote.toml: 0 warnings, 1 note\n"));
}

#[test]
fn no_test_file_gets_into_the_package() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ignored = std::fs::read_to_string(root.join(".funcignore")).unwrap();
    assert!(ignored.lines().any(|line| line == "*.test.toml"));
    assert!(root.join("terminate-clusters.test.toml").exists());
}
