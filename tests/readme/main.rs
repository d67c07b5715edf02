//! Holds the README and the documents below `docs/` to the product: samples, the
//! table of settings, the list of reasons and the tests that they name.
//!
//! `UPDATE_README=1 cargo test --test readme` writes the blocks
//! that are made from the code; without it a difference fails the test.

#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

mod cloud;
mod promise;
mod sample;
mod spellings;

use std::path::{Path, PathBuf};

use terminate_clusters::decision::Evidence;
use terminate_clusters::policy_cases;
use terminate_clusters::settings::{self, Environment, PolicyFile};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

const README: &str = "README.md";
const REPORT: &str = "docs/report.md";
const SETTINGS: &str = "docs/settings.md";
const TRAPS: &str = "docs/traps.md";
const POLICY_TESTS: &str = "docs/policy-tests.md";

fn text_of(document: &str) -> String {
    std::fs::read_to_string(root().join(document)).unwrap()
}

/// Compares the block of a document between `<!-- name -->` and `<!-- /name -->` with
/// what it should hold, or writes it where the environment says so.
fn hold_block(document: &str, name: &str, expected: &str) {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let text = text_of(document);
    let (head, rest) = text.split_once(&begin).unwrap();
    let (block, tail) = rest.split_once(&end).unwrap();
    let is_writing = std::env::vars_os().any(|(variable, _)| variable == "UPDATE_README");
    if is_writing {
        let text = format!("{head}{begin}{expected}{end}{tail}");
        std::fs::write(root().join(document), text).unwrap();
    } else {
        assert_eq!(
            block, expected,
            "`UPDATE_README=1 cargo test --test readme` writes it anew"
        );
    }
}

/// One test for all blocks, so that writing them cannot overtake itself.
#[test]
fn the_sample_report_and_the_settings_are_what_the_code_makes_of_them() {
    hold_block(
        README,
        "sample report",
        &format!("```text\n{}```\n", sample::report()),
    );
    hold_block(
        REPORT,
        "sample explanation",
        &format!("```text\n{}```\n", sample::explanation()),
    );
    hold_block(SETTINGS, "settings", &settings::reference_markdown());
    hold_block(
        POLICY_TESTS,
        "case keys",
        &settings::case_reference_markdown(),
    );
    hold_block(
        README,
        "failed case",
        &format!("```text\n{}```\n", failed_case()),
    );
}

#[test]
fn every_reason_and_outcome_is_explained() {
    let text = text_of(REPORT);
    let listed: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    let expected = spellings::all();
    for spelling in &expected {
        assert!(listed.contains(spelling), "`{spelling}` is not explained");
    }
    for spelling in &listed {
        assert!(expected.contains(spelling), "`{spelling}` does not exist");
    }
}

/// How a case that fails is told.
fn failed_case() -> String {
    let case = r#"
[[case]]
name = "team ml has until the evening"
now = 2027-01-31T18:00:00Z
quiet_for = "5h"
cluster.tags = { team = "ml-vision" }
expect.decision = "keep"
"#;
    let policy = r#"
[witness.spark]
principal = "main"
[[override]]
tag = { team = "ml-*" }
idle_after = "4h"
"#;
    let case = case.to_owned();
    let name = "terminate-clusters.test.toml";
    let cases = settings::read_cases(Path::new(name), &[], &|_: &Path| Ok(case.clone())).unwrap();
    let policy = |_: &Path| Ok(policy.to_owned());
    let policy = PolicyFile::read(&Environment::default(), &root(), None, &policy).unwrap();
    let verdict = policy_cases::check(&cases[0], &policy.policy);
    policy_cases::text::case(name, &cases[0], &verdict)
}

/// A reason that a case could not expect would be one that nobody can test for.
#[test]
fn a_case_can_expect_every_reason_and_evidence_of_a_report() {
    assert_eq!(
        policy_cases::KEEP_REASONS.to_vec().len(),
        spellings::reasons().len()
    );
    for reason in spellings::reasons() {
        assert!(policy_cases::KEEP_REASONS.contains(&reason), "{reason}");
    }
    let evidence: Vec<&str> = policy_cases::EVIDENCE.map(Evidence::as_str).to_vec();
    assert_eq!(evidence, spellings::evidence());
}

/// The first TOML that the README shows below this heading.
fn toml_of(heading: &str) -> String {
    let text = text_of(README);
    let section = text.split(heading).nth(1).unwrap();
    let block = section.split("```toml\n").nth(1).unwrap();
    block.split("```").next().unwrap().to_owned()
}

/// The README's first case is a case, and it holds.
#[test]
fn the_case_that_the_readme_shows_holds_for_the_policy_that_it_shows() {
    let block = toml_of("## Test your policy");
    let read_file = |_: &Path| Ok(block.clone());
    let cases = settings::read_cases(Path::new("README"), &[], &read_file).unwrap();
    assert!(cases.len() > 1);
    let environment = Environment::default();
    let policy = |_: &Path| Ok("[witness.spark]\nprincipal = \"main\"\n".to_owned());
    let policy = PolicyFile::read(&environment, &root(), None, &policy).unwrap();
    for case in cases {
        let verdict = policy_cases::check(&case, &policy.policy);
        assert!(verdict.holds(), "{}: {verdict:?}", case.name);
    }
}

#[test]
fn the_policy_that_the_readme_shows_gives_nothing_to_warn_of() {
    let block = toml_of("## Settings");
    assert!(block.contains("[[workspaces]]") && block.contains("[[override]]"));
    let policy = |_: &Path| Ok(block.clone());
    let policy = PolicyFile::read(&Environment::default(), &root(), None, &policy).unwrap();
    assert_eq!(policy.lint(sample::hours_ago(0)), []);
}

#[test]
fn every_test_that_the_documents_name_exists() {
    let mut sources = String::new();
    for folder in ["src", "tests", "simulator"] {
        append_sources(&root().join(folder), &mut sources);
    }
    let mut named = 0;
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md", README, REPORT, TRAPS] {
        let text = text_of(document);
        let quoted = text.split('`').skip(1).step_by(2);
        // Names of tests are whole sentences; nothing else here has five words.
        for name in quoted.filter(|name| {
            name.matches('_').count() >= 4
                && name
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        }) {
            named += 1;
            let is_there = sources.contains(&format!("fn {name}("));
            assert!(is_there, "{document} names the test `{name}`");
        }
    }
    assert!(named > 15, "the documents name hardly any test");
}

#[test]
fn every_trap_of_the_host_and_of_the_sdk_has_a_test() {
    let text = text_of(TRAPS);
    let rows: Vec<&str> = text
        .lines()
        .filter(|line| {
            line.starts_with("| ") && line[2..].starts_with(|c: char| c.is_ascii_digit())
        })
        .collect();
    assert!(rows.len() >= 30, "{} traps", rows.len());
    for row in rows {
        let held_by = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap();
        let is_held = held_by.matches('`').count() >= 2 && held_by.matches('_').count() >= 4;
        assert!(is_held, "no test holds {row}");
    }
}

fn append_sources(folder: &Path, sources: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            append_sources(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}
