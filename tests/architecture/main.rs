//! The rules of `ARCHITECTURE.md` that no type can hold, checked on the source.
//!
//! Reads the files of this repository as text, with comments and tests taken
//! out, and asks nothing of the outside but `cargo tree --offline`. A rule that
//! fails here was broken on purpose or by accident; both belong in the review.

#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use source::{SourceFile, root};

/// Modules that judge: values in, values out.
const PURE: &[&str] = &[
    "cluster",
    "decision",
    "escape",
    "human",
    "meter",
    "plan",
    "policy",
    "policy_cases",
    "policy_lint",
    "report",
    "retry",
    "signals",
    "timestamp",
    "witness",
];

const LINES_PER_FILE: usize = 400;

fn handler() -> Vec<SourceFile> {
    source::below("src")
}

/// The files of `files` whose code holds `text`.
fn holders<'a>(files: &'a [SourceFile], text: &str) -> Vec<&'a str> {
    let holds = |file: &&SourceFile| file.code.contains(text);
    let paths = files.iter().filter(holds).map(|file| file.path.as_str());
    paths.collect()
}

#[test]
fn what_judges_knows_no_runtime_no_network_and_no_environment() {
    const FORBIDDEN: &[&str] = &[
        "tokio",
        "reqwest",
        "axum",
        "hyper",
        "azure_",
        "async ",
        ".await",
        "std::env",
        "std::fs",
        "std::net",
        "std::io",
        "SystemTime",
        "Instant::",
    ];
    let files = handler();
    let judges: Vec<&SourceFile> = files
        .iter()
        .filter(|file| is_pure(&file.module()))
        .collect();
    assert!(judges.len() > PURE.len(), "the files have moved");
    for file in judges {
        for word in FORBIDDEN {
            assert!(!file.code.contains(word), "{}: {word}", file.path);
        }
        for used in file.uses() {
            assert!(is_pure(&used), "{} uses `{used}`", file.path);
        }
    }
}

fn is_pure(module: &str) -> bool {
    PURE.contains(&module)
}

#[test]
fn modules_depend_on_each_other_in_one_direction_only() {
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in handler() {
        let found = file.uses();
        uses.entry(file.module()).or_default().extend(found);
    }
    let mut below: BTreeSet<String> = BTreeSet::new();
    while below.len() < uses.len() {
        let free: Vec<String> = uses
            .iter()
            .filter(|(module, used)| !below.contains(*module) && used.is_subset(&below))
            .map(|(module, _)| module.clone())
            .collect();
        let left = uses.keys().filter(|module| !below.contains(*module));
        assert!(
            !free.is_empty(),
            "a circle in {:?}",
            left.collect::<Vec<_>>()
        );
        below.extend(free);
    }
}

#[test]
fn exactly_one_file_can_terminate_and_none_can_delete_for_good() {
    let files = handler();
    assert_eq!(holders(&files, "clusters/delete"), ["src/databricks.rs"]);
    assert_eq!(holders(&files, ".terminate_cluster("), ["src/action.rs"]);
    for file in &files {
        let irreversible = ["permanent-delete", "permanent_delete", "PermanentDelete"];
        let found = irreversible.iter().find(|name| file.text.contains(**name));
        assert_eq!(found, None, "{}", file.path);
    }
}

#[test]
fn only_the_plan_makes_permits_and_only_the_decision_makes_proofs() {
    let files = handler();
    assert_eq!(holders(&files, "Permit {"), ["src/plan.rs"]);
    let plan = files
        .iter()
        .find(|file| file.path == "src/plan.rs")
        .unwrap();
    assert_eq!(plan.code.matches("Permit { proof }").count(), 1);
    assert_eq!(holders(&files, "Proof::new("), ["src/decision.rs"]);
    assert_eq!(
        holders(&files, "Decision::Terminate(proof))"),
        ["src/decision.rs"]
    );
}

/// Who only asks why must not come near what plans and acts.
#[test]
fn what_explains_can_neither_plan_nor_act() {
    let files = handler();
    let explains = |file: &&SourceFile| ["why", "doctor"].contains(&file.module().as_str());
    let explaining = files.iter().filter(explains);
    let mut seen = 0;
    for file in explaining {
        seen += 1;
        let used = file.uses();
        for stage in ["plan", "action", "grant"] {
            assert!(!used.contains(stage), "{} uses `{stage}`", file.path);
        }
        for word in ["workspace::sweep", ".run(", "visit_all", "Permit"] {
            assert!(!file.code.contains(word), "{}: {word}", file.path);
        }
    }
    assert!(seen > 15, "the files have moved");
}

/// What the doctor writes about answers goes to people outside: its types have no place for text
/// that was not written in this program.
#[test]
fn a_record_of_answers_has_no_place_for_their_text() {
    let files = handler();
    let shapes = [
        "src/doctor/record.rs",
        "src/doctor/record/observation.rs",
        "src/doctor/record/page.rs",
        "src/doctor/record/shape.rs",
    ];
    for path in shapes {
        let file = files.iter().find(|file| file.path == path).unwrap();
        let code = &file.code;
        // What only looks at text.
        let code = code
            .replace("Value::String(", "")
            .replace("String::from_utf8_lossy", "");
        for word in ["String", "Cow", "Box<str>", "leak", "Bytes,\n}"] {
            assert!(!code.contains(word), "{path}: {word}");
        }
        let is_borrowed =
            |line: &&str| line.contains("str") && line.trim_start().starts_with("pub ");
        let fields = code
            .lines()
            .filter(is_borrowed)
            .filter(|line| line.contains(": "));
        for field in fields.filter(|line| !line.contains("fn ")) {
            assert!(
                !field.contains("str")
                    || field.contains("&'static str")
                    || field.contains("struct"),
                "{path}: {field}"
            );
        }
    }
}

/// What the doctor's judges see are answers; they ask nobody.
#[test]
fn what_judges_for_the_doctor_asks_nobody() {
    let files = handler();
    let pure = [
        "access",
        "check",
        "commands",
        "json",
        "outlook",
        "rights",
        "sheet",
        "text",
        "vaults",
        "witnesses",
    ];
    for name in pure {
        let path = format!("src/doctor/{name}.rs");
        let file = files.iter().find(|file| file.path == path);
        let code = &file.unwrap_or_else(|| panic!("{path} has moved")).code;
        for word in [
            "async ",
            ".await",
            "tokio",
            "std::fs",
            "std::io",
            "Instant::",
        ] {
            assert!(!code.contains(word), "{path}: {word}");
        }
    }
}

#[test]
fn only_action_and_grant_change_anything_outside() {
    const GRANT: &str = "src/grant/members.rs";
    let files = handler();
    // A list of rights that is PUT replaces the one that was there.
    for method in ["Method::PUT", "Method::DELETE"] {
        assert!(holders(&files, method).is_empty(), "{method}");
    }
    for call in [".put(", ".patch(", ".delete(", ".post("] {
        assert!(holders(&files, call).is_empty(), "{call}");
    }
    assert_eq!(holders(&files, "Method::PATCH"), [GRANT]);
    assert_eq!(
        holders(&files, "Method::POST"),
        ["src/databricks.rs", GRANT]
    );
    assert_eq!(holders(&files, ".done("), [GRANT]);
    let grant = &files.iter().find(|file| file.path == GRANT).unwrap().code;
    let sent = ["Method::POST", "Method::PATCH"].map(|method| grant.matches(method).count());
    assert_eq!(sent, [1, 3], "a change that this test does not know");
    let databricks = files.iter().find(|file| file.path == "src/databricks.rs");
    let code = &databricks.unwrap().code;
    assert_eq!(code.matches("body: Some(").count(), 2);
    assert!(code.contains("\"api/2.1/clusters/events\""));
    assert_eq!(holders(&files, "body: Some("), ["src/databricks.rs"]);
}

/// The call that makes an admin of a contributor is sent from one place, and whoever
/// has it sent says when that is allowed.
#[test]
fn only_a_sweep_that_terminates_and_grant_can_join_a_workspace() {
    let files = handler();
    assert_eq!(holders(&files, "Joining::new("), ["src/grant/join.rs"]);
    assert_eq!(
        holders(&files, "Audience::Management)"),
        ["src/grant/join.rs"]
    );
    assert_eq!(holders(&files, "Joiner::for_sweep("), ["src/sweep.rs"]);
    assert_eq!(
        holders(&files, "Joiner::for_grant("),
        ["src/grant/visit.rs"]
    );
    let callers = ["src/grant/visit.rs", "src/workspace/entry.rs"];
    assert_eq!(holders(&files, "joiner.join()"), callers);
    assert_eq!(
        holders(&files, "x-databricks-azure-"),
        ["src/service/joining.rs"]
    );
}

/// What is shown without `--apply` is worked out by what can neither ask nor act.
#[test]
fn the_plan_of_a_grant_is_pure() {
    let files = handler();
    let plan = files.iter().find(|file| file.path == "src/grant/plan.rs");
    for word in ["tokio", "async ", ".await", "service", "super::"] {
        assert!(!plan.unwrap().code.contains(word), "{word}");
    }
}

#[test]
fn time_and_environment_are_read_in_one_place_each() {
    let files = handler();
    assert_eq!(holders(&files, "SystemTime::now"), ["src/clock.rs"]);
    assert_eq!(holders(&files, "std::env::"), ["src/main.rs"]);
    assert!(holders(&files, "time::Instant::now").is_empty());
    let standard: Vec<&str> = holders(&files, "std::time::{")
        .into_iter()
        .filter(|path| {
            let file = files.iter().find(|file| file.path == *path).unwrap();
            let lines = file.code.lines();
            lines
                .clone()
                .any(|line| line.contains("std::time::{") && line.contains("Instant"))
        })
        .collect();
    assert!(standard.is_empty(), "{standard:?}");
}

#[test]
fn only_the_host_module_knows_the_words_of_the_invocation_envelope() {
    let files = handler();
    for word in ["\"Metadata\"", "return_value", "Outputs"] {
        let knowing = holders(&files, word);
        assert!(!knowing.is_empty(), "{word}: the words have changed");
        for path in knowing {
            assert!(path.starts_with("src/host/"), "{path}: {word}");
        }
    }
}

#[test]
fn the_handler_and_its_simulator_share_no_code() {
    assert!(holders(&handler(), "simulator").is_empty());
    assert!(holders(&source::below("simulator/src"), "terminate_clusters::").is_empty());
    let dependencies = |text: &str| -> toml::Table { toml::from_str(text).unwrap() };
    let simulator = dependencies(&source::read("simulator/Cargo.toml"));
    let handler = dependencies(&source::read("Cargo.toml"));
    for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let names = |package: &toml::Table| -> Vec<String> {
            let table = package.get(table).and_then(toml::Value::as_table);
            table
                .into_iter()
                .flatten()
                .map(|(name, _)| name.clone())
                .collect()
        };
        assert!(!names(&simulator).contains(&"terminate-clusters".to_owned()));
        let expected = table == "dev-dependencies";
        assert_eq!(names(&handler).contains(&"simulator".to_owned()), expected);
    }
}

/// The feature makes `Debug` of the SDK's types show what they otherwise hide.
#[test]
fn the_sdk_is_built_without_the_feature_that_shows_secrets() {
    let tree = Command::new(env!("CARGO"))
        .current_dir(root())
        .args([
            "tree",
            "--offline",
            "--locked",
            "--package",
            "terminate-clusters",
        ])
        .args([
            "--edges", "no-dev", "--prefix", "none", "--format", "{p}|{f}",
        ])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&tree.stderr);
    assert!(tree.status.success(), "{errors}");
    let tree = String::from_utf8(tree.stdout).unwrap();
    let is_sdk = |line: &&str| line.starts_with("azure_") || line.starts_with("typespec");
    let sdk: Vec<&str> = tree.lines().filter(is_sdk).collect();
    assert!(sdk.iter().any(|line| line.starts_with("azure_core v")));
    for line in sdk {
        let features = line.split('|').nth(1).unwrap_or_default();
        let features = features.split([',', ' ']);
        assert!(
            !features.clone().any(|feature| feature == "debug"),
            "{line}"
        );
    }
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    let files = handler();
    assert!(files.len() > 40, "the files have moved");
    for file in files.iter().chain(&source::below("simulator/src")) {
        assert!(file.text.starts_with("//! "), "{}", file.path);
    }
}

#[test]
fn no_file_grows_beyond_what_can_be_read_in_one_sitting() {
    for file in handler() {
        let lines = file.untested_lines();
        assert!(lines <= LINES_PER_FILE, "{}: {lines} lines", file.path);
    }
}

const DOCUMENTS: [&str; 10] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "docs/access.md",
    "docs/doctor.md",
    "docs/policy-tests.md",
    "docs/probe-proxy.md",
    "docs/report.md",
    "docs/settings.md",
    "docs/traps.md",
];

/// The documents name files of the tree, and parts of each other; what moves takes
/// its name in the documents with it.
#[test]
fn every_file_that_the_documents_name_exists() {
    for document in DOCUMENTS {
        let text = source::read(document);
        let named = text.split('`').skip(1).step_by(2);
        let paths = named.filter(|name| {
            let starts = [
                "src/",
                "tests/",
                "simulator/",
                "TerminateClusters/",
                "docs/",
            ];
            starts.iter().any(|start| name.starts_with(start))
        });
        let targets = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        let links = targets.filter(|link| !link.starts_with("http") && !link.starts_with('#'));
        for path in paths {
            assert!(root().join(path).exists(), "{document} names `{path}`");
        }
        let folder = root().join(document).parent().unwrap().to_owned();
        for link in links {
            let (path, part) = link.split_once('#').unwrap_or((link, ""));
            let target = folder.join(path);
            assert!(target.exists(), "{document} links to `{link}`");
            let is_there = part.is_empty() || has_heading(&target, part);
            assert!(is_there, "{document} links to `{link}`");
        }
    }
}

/// Whether a document has the heading that a link's fragment names.
fn has_heading(document: &Path, fragment: &str) -> bool {
    let text = std::fs::read_to_string(document).unwrap();
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let mut anchors = headings.map(|line| {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter(|c| c.is_alphanumeric() || *c == ' ');
        kept.collect::<String>().replace(' ', "-")
    });
    anchors.any(|anchor| anchor == fragment)
}

#[test]
fn openssl_stays_out_of_what_is_built() {
    for name in ["openssl", "openssl-sys", "native-tls"] {
        let named = format!("name = \"{name}\"");
        assert!(
            !source::read("Cargo.lock").contains(&named),
            "{name} is there"
        );
        let banned = format!("crate = \"{name}\"");
        assert!(
            source::read("deny.toml").contains(&banned),
            "{name} is allowed"
        );
    }
}

/// What runs elsewhere runs with the least rights, and nothing that can change.
#[test]
fn the_pipeline_runs_what_a_maintainer_runs_with_pinned_actions_and_no_rights() {
    let pipeline = source::read(".github/workflows/ci.yml");
    for part in [
        "permissions:\n  contents: read\n",
        "persist-credentials: false\n",
        ".ci/run\n",
        "check advisories\n",
    ] {
        assert!(pipeline.contains(part), "{part}");
    }
    let uses = pipeline
        .lines()
        .filter_map(|line| line.split_once("uses: "));
    let mut actions = 0;
    for (_, action) in uses {
        let (_, version) = action.split_once('@').unwrap();
        let hash = version.split(' ').next().unwrap();
        let is_hash = hash.len() == 40 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(is_hash, "{action} can change");
        actions += 1;
    }
    assert!(actions > 0);
}
