//! Tests of the report: totals are a fold that adds up, every cluster has one
//! line in every rendering, and no text from outside can make another.
//!
//! The proofs and reasons come from `decide`, over the worlds of its own tests.

use std::iter::successors;

use proptest::prelude::*;
use serde_json::Value;

use super::words::Said;
use super::*;
use crate::cluster::ClusterSource;
use crate::decision::tests::world::{NOW, World, busy_node, hours, minutes, proof_of};
use crate::decision::{Decision, decide};
use crate::meter::Stage;
use crate::signals::{Signal, SparkWorkKind};

/// Everything at once: ends a line, moves the cursor, reorders, closes quotes,
/// looks like a record of the host and like a row of the table.
const HOSTILE: &str =
    "x\r\n  kept  y [z]\u{1b}[2J\u{202e}`\"' warn azfuncjsonlog:{}\u{2028}FAILURE";

/// The outcome after this one; a variant that is not listed does not compile.
fn after(outcome: &Outcome, clause: &str) -> Option<Outcome> {
    let clause = || clause.to_owned();
    let proof = || proof_of("0101-000000-idle0001", hours(30));
    Some(match outcome {
        Outcome::Kept(_) => Outcome::WouldTerminate(proof()),
        Outcome::WouldTerminate(_) => Outcome::Terminated {
            proof: proof(),
            state: clause(),
        },
        Outcome::Terminated { .. } => Outcome::StillRunning(proof()),
        Outcome::StillRunning(_) => Outcome::Changed(Changed::Unreadable(clause())),
        Outcome::Changed(_) => Outcome::Forbidden { clause: clause() },
        Outcome::Forbidden { .. } => Outcome::Deferred {
            proof: proof(),
            why: Deferral::SweepCap,
        },
        Outcome::Deferred { .. } => Outcome::Failed { clause: clause() },
        Outcome::Failed { .. } => Outcome::Unparsed { clause: clause() },
        Outcome::Unparsed { .. } => Outcome::NotReached,
        Outcome::NotReached => return None,
    })
}

/// One of each outcome, with `clause` wherever a text from outside can stand.
fn outcomes(clause: &str) -> Vec<Outcome> {
    let mut world = World::idle();
    world.cluster().source = ClusterSource::Other(clause.to_owned());
    let first = Outcome::Kept(kept(&world));
    successors(Some(first), |outcome| after(outcome, clause)).collect()
}

fn kept(world: &World) -> KeepReason {
    match world.decide() {
        Decision::Keep(reason) => reason,
        Decision::Terminate(proof) => panic!("proven idle: {proof:?}"),
    }
}

fn line(id: &str, name: &str, outcome: Outcome) -> ClusterLine {
    ClusterLine {
        id: ClusterId::new(id),
        name: name.to_owned(),
        outcome,
        earliest: None,
        said: Said::default(),
        unknowns: Vec::new(),
        overrides: Vec::new(),
    }
}

fn workspace(lines: Vec<ClusterLine>) -> WorkspaceReport {
    let mut stages = StageCounts::default();
    stages.record(Stage::Clusters, 2, Duration::from_millis(310));
    stages.record(Stage::Spark, 9, Duration::from_millis(1250));
    WorkspaceReport {
        name: "analytics".to_owned(),
        host: "adb-1111111111111111.1.azuredatabricks.net".to_owned(),
        mode: Mode::Report,
        seen: true,
        joined: false,
        lines,
        failures: Vec::new(),
        notes: Vec::new(),
        machines: machines::Machines::default(),
        stages,
        elapsed: Duration::from_millis(1600),
    }
}

fn closing(reports: &[WorkspaceReport], failures: Vec<Failure>) -> Closing {
    let mut totals = Totals::default();
    for report in reports {
        totals.add(report);
    }
    Closing {
        mode: Mode::Report,
        totals,
        failures,
        warnings: Vec::new(),
        token_requests: 1,
        secret_reads: 3,
        elapsed: Duration::from_secs(2),
    }
}

fn failure(sentence: &str) -> Failure {
    Failure {
        kind: FailureKind::Workspace,
        workspace: Some("analytics".to_owned()),
        cluster: None,
        sentence: sentence.to_owned(),
    }
}

/// Rows of the text table: indented by two, and neither detail, note nor failure.
fn rows(text: &str) -> usize {
    let is_row = |line: &&str| {
        line.strip_prefix("  ").is_some_and(|rest| {
            !rest.starts_with([' ', '\t'])
                && !rest.starts_with("note: ")
                && !rest.starts_with("FAILURE ")
        })
    };
    text.lines().filter(is_row).count()
}

#[test]
fn each_outcome_has_a_spelling_and_a_clause_of_its_own() {
    let outcomes = outcomes("because");
    let spellings: std::collections::BTreeSet<_> = outcomes.iter().map(Outcome::as_str).collect();
    assert_eq!(spellings.len(), outcomes.len());
    for outcome in &outcomes {
        assert!(!text::clause(outcome).is_empty(), "{outcome:?}");
        assert!(!outcome.reason().is_empty(), "{outcome:?}");
    }
}

#[test]
fn a_proof_is_shown_where_there_is_one_and_nowhere_else() {
    for outcome in outcomes("because") {
        let rests_on_proof = [
            "would_terminate",
            "terminated",
            "accepted_still_running",
            "deferred",
        ]
        .contains(&outcome.as_str());
        assert_eq!(outcome.proof().is_some(), rests_on_proof, "{outcome:?}");
    }
}

#[test]
fn a_workspace_that_was_not_seen_is_named_in_the_totals() {
    let mut unseen = workspace(Vec::new());
    unseen.seen = false;
    unseen.failures.push(failure("not_a_member: add it"));
    let closing = closing(&[unseen.clone(), workspace(Vec::new())], Vec::new());
    assert_eq!(closing.totals.not_seen, ["analytics"]);
    assert_eq!(closing.totals.workspaces, 2);
    assert!(closing.failed());
    assert!(text::workspace(&unseen).contains(": report mode, not seen, "));
    assert!(text::closing(&closing).contains("\n  not seen: analytics\n"));
}

#[test]
fn a_sweep_fails_by_any_failure_and_by_nothing_else() {
    let lines = outcomes("because")
        .into_iter()
        .map(|outcome| line("id", "", outcome));
    let mut report = workspace(lines.collect());
    assert!(!closing(&[report.clone()], Vec::new()).failed());
    assert!(closing(&[report.clone()], vec![failure("no token")]).failed());
    report.failures.push(failure("not reached"));
    let failed = closing(&[report], vec![failure("no token")]);
    assert!(failed.failed());
    assert!(
        failed.summary().ends_with("; 2 failures"),
        "{}",
        failed.summary()
    );
}

#[test]
fn the_text_shows_every_cluster_what_each_witness_said_and_the_earliest_time() {
    let mut busy = World::idle();
    busy.spark_works(SparkWorkKind::Job, minutes(3));
    let reason = kept(&busy);
    let mut kept_line = line("0101-000000-busy0001", "etl", Outcome::Kept(reason.clone()));
    kept_line.earliest = Some(reason.earliest(&busy.policy));
    kept_line.said = Said::of(&busy.signals, &busy.policy);
    kept_line.unknowns = vec![("completed runs", "page 3: HTTP 500".to_owned())];
    let proof = proof_of("0101-000000-idle0001", hours(30));
    let mut idle_line = line("0101-000000-idle0001", "", Outcome::WouldTerminate(proof));
    idle_line.earliest = Some(Earliest::At(NOW.minus(hours(28))));
    let mut report = workspace(vec![kept_line, idle_line]);
    report
        .notes
        .push("nodes unknown for 1 cluster: HTTP 403".to_owned());
    report
        .failures
        .push(failure("completed runs could not be listed"));
    let expected = "\
analytics (adb-1111111111111111.1.azuredatabricks.net): report mode, 2 clusters, 11 requests in 1s
  kept             etl [0101-000000-busy0001]  spark_busy: Spark is busy: job 17 since 2026-11-22T11:57:00Z
                                               spark: busy: job 17; streaming: no active query; nodes: quiet (all) since 2026-11-18T08:00:00Z
                                               completed runs unknown: page 3: HTTP 500
                                               never: while Spark is busy
  would terminate  0101-000000-idle0001        no sign of life since 2026-11-21T06:00:00Z; Spark and nodes say quiet, for more than 2h
                                               earliest 2026-11-21T08:00:00Z
  note: nodes unknown for 1 cluster: HTTP 403
  FAILURE [workspace] workspace `analytics`: completed runs could not be listed
";
    assert_eq!(text::workspace(&report), expected);
    let expected = "\
report mode: 2 clusters in 1 workspace (0 not seen): 1 kept, 1 would terminate; 1 failure
  kept: 1 spark_busy
  3 secret reads, 1 token request; requests by stage: clusters 2 in 310ms, spark 9 in 1s
  took 2s
";
    assert_eq!(text::closing(&closing(&[report], Vec::new())), expected);
}

#[test]
fn an_empty_sweep_says_so() {
    let expected = "\
report mode: 0 clusters in 0 workspaces (0 not seen): nothing to judge; 0 failures
  3 secret reads, 1 token request; requests by stage: none
  took 2s
";
    assert_eq!(text::closing(&closing(&[], Vec::new())), expected);
}

#[test]
fn json_has_one_line_per_workspace_and_the_same_facts_as_the_text() {
    let proof = proof_of("0101-000000-idle0001", hours(30));
    let mut one = line(
        "0101-000000-idle0001",
        "team-x",
        Outcome::WouldTerminate(proof),
    );
    one.earliest = Some(Earliest::At(NOW));
    one.overrides = vec!["idle_after = 1h by the override for tag `a` = `b`".to_owned()];
    let report = workspace(vec![one]);
    let json = json::workspace(&report);
    assert_eq!(json.lines().count(), 1);
    let value: Value = serde_json::from_str(&json).unwrap();
    let expected = serde_json::json!({
        "workspace": "analytics",
        "host": "adb-1111111111111111.1.azuredatabricks.net",
        "mode": "report",
        "seen": true,
        "joined": false,
        "clusters": [{
            "cluster_id": "0101-000000-idle0001",
            "cluster_name": "team-x",
            "outcome": "would_terminate",
            "reason": "both_witnesses",
            "clause": "no sign of life since 2026-11-21T06:00:00Z; Spark and nodes say quiet, for more than 2h",
            "earliest": "2026-11-22T12:00:00Z",
            "earliest_clause": "earliest 2026-11-22T12:00:00Z",
            "last_sign": "2026-11-21T06:00:00Z",
            "quiet_since": "2026-11-21T06:00:00Z",
            "evidence": "both_witnesses",
            "threshold_s": 7200,
            "spark": "",
            "streaming": "",
            "nodes": "",
            "unknowns": [],
            "overrides": ["idle_after = 1h by the override for tag `a` = `b`"],
        }],
        "failures": [],
        "notes": [],
        "machines": {"names": null, "resting": []},
        "stages": {
            "clusters": {"requests": 2, "time_ms": 310},
            "spark": {"requests": 9, "time_ms": 1250},
        },
        "elapsed_ms": 1600,
    });
    assert_eq!(value, expected);
    let totals = json::closing(&closing(&[report], Vec::new()));
    assert_eq!(totals.lines().count(), 1);
    let totals: Value = serde_json::from_str(&totals).unwrap();
    assert_eq!(totals["totals"]["outcomes"]["would_terminate"], 1);
    assert_eq!(totals["failed"], false);
}

#[test]
fn no_text_from_outside_makes_a_row_or_a_line() {
    let lines: Vec<ClusterLine> = outcomes(HOSTILE)
        .into_iter()
        .map(|outcome| {
            let mut line = line(HOSTILE, HOSTILE, outcome);
            line.unknowns = vec![("active runs", HOSTILE.to_owned())];
            line.overrides = vec![HOSTILE.to_owned()];
            line
        })
        .collect();
    let clusters = lines.len();
    let mut report = workspace(lines);
    report.name = HOSTILE.to_owned();
    report.host = HOSTILE.to_owned();
    report.notes = vec![HOSTILE.to_owned()];
    report.failures = vec![Failure {
        kind: FailureKind::Termination,
        workspace: Some(HOSTILE.to_owned()),
        cluster: Some(ClusterId::new(HOSTILE)),
        sentence: HOSTILE.to_owned(),
    }];
    let text = text::workspace(&report);
    assert_eq!(rows(&text), clusters, "{text}");
    // Heading, three lines per cluster, one note, one failure.
    assert_eq!(text.lines().count(), 1 + 3 * clusters + 1 + 1, "{text}");
    report.seen = false;
    let closing = closing(&[report.clone()], report.failures.clone());
    let texts = [text, text::closing(&closing)];
    for text in &texts {
        assert!(
            text.chars().all(|c| c == '\n' || !c.is_control()),
            "{text:?}"
        );
        assert!(!text.contains(['\u{202e}', '\u{2028}']), "{text:?}");
    }
    for json in [json::workspace(&report), json::closing(&closing)] {
        assert_eq!(json.lines().count(), 1);
    }
    let value: Value = serde_json::from_str(&json::workspace(&report)).unwrap();
    assert_eq!(value["clusters"][0]["cluster_name"], HOSTILE);
}

#[test]
fn a_name_without_end_does_not_widen_the_table() {
    let endless = "n".repeat(100_000);
    let report = workspace(vec![line(&endless, &endless, Outcome::NotReached)]);
    let text = text::workspace(&report);
    assert!(
        text.lines().all(|line| line.chars().count() < 300),
        "{}",
        text.len()
    );
}

#[test]
fn what_each_witness_said_is_told_from_silence() {
    let mut world = World::idle();
    world.lose_spark();
    world.signals.driver_node = busy_node();
    world.signals.all_nodes = Signal::NotAsked;
    let said = Said::of(&world.signals, &world.policy);
    assert_eq!(said.spark, "unknown: the driver proxy answered 403");
    assert_eq!(
        said.nodes,
        "busy (driver): 3.50 cores, 1.0 MB/min of network"
    );
    world.signals = crate::signals::Signals::of(world.signals.cluster);
    world.policy.nodes_witness = false;
    let said = Said::of(&world.signals, &world.policy);
    assert_eq!(
        (said.spark.as_str(), said.nodes.as_str()),
        ("not asked", "switched off")
    );
    // The look was cut short, and the line says what is missing.
    let Decision::Keep(reason) = decide(&world.signals, &world.policy, NOW) else {
        panic!("nothing was asked");
    };
    assert_eq!(reason.clause(), "active runs unknown");
}

fn any_report() -> impl Strategy<Value = WorkspaceReport> {
    let kinds = outcomes("because");
    let count = kinds.len();
    let lines = prop::collection::vec((0..count, ".{0,60}"), 0..25);
    (any::<bool>(), lines, 0..4_usize).prop_map(move |(seen, lines, failures)| {
        let lines = lines.into_iter().enumerate().map(|(at, (kind, name))| {
            let outcome = kinds[kind].clone();
            line(&format!("0101-000000-{at:08}"), &name, outcome)
        });
        let mut report = workspace(lines.collect());
        report.seen = seen;
        report.failures = vec![failure("it failed"); failures];
        report
    })
}

proptest! {
    #[test]
    fn totals_add_up_and_every_cluster_has_one_line(
        reports in prop::collection::vec(any_report(), 0..6),
    ) {
        let closing = closing(&reports, Vec::new());
        let Totals { workspaces, not_seen, clusters, outcomes, kept, failures, stages } =
            &closing.totals;
        let lines: usize = reports.iter().map(|report| report.lines.len()).sum();
        prop_assert_eq!(*workspaces, reports.len());
        prop_assert_eq!(not_seen.len(), reports.iter().filter(|one| !one.seen).count());
        prop_assert_eq!(*clusters, lines);
        prop_assert_eq!(outcomes.values().sum::<usize>(), lines);
        prop_assert_eq!(kept.values().sum::<usize>(), closing.totals.outcome("kept"));
        let failed: usize = reports.iter().map(|report| report.failures.len()).sum();
        prop_assert_eq!(*failures, failed);
        prop_assert_eq!(closing.failed(), failed > 0);
        prop_assert_eq!(stages.requests(), 11 * reports.len() as u64);
        for report in &reports {
            prop_assert_eq!(rows(&text::workspace(report)), report.lines.len());
            let json: Value = serde_json::from_str(&json::workspace(report)).unwrap();
            prop_assert_eq!(json["clusters"].as_array().unwrap().len(), report.lines.len());
        }
    }
}
