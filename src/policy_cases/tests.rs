use super::*;
use crate::decision::tests::world::{NOW, World, hours};
use crate::policy::{Glob, Override, PolicyChanges, Selector};
use crate::signals::Signal;

fn expected(choice: Choice) -> Expected {
    Expected {
        choice,
        reason: None,
        earliest: None,
        threshold: None,
    }
}

fn case_of(world: &World, expected: Expected) -> Case {
    Case {
        name: "a case".to_owned(),
        line: 7,
        workspace: None,
        has_metrics: true,
        now: world.now,
        signals: world.signals.clone(),
        answered: Vec::new(),
        expected,
    }
}

fn verdict(world: &World, expected: Expected) -> Verdict {
    let policies = PolicySet::plain(world.policy.clone());
    check(&case_of(world, expected), &policies)
}

/// The differences as `key: expected, actual`.
fn shown(verdict: &Verdict) -> Vec<String> {
    let all = verdict.differences.iter();
    all.map(|one| format!("{}: {}, {}", one.key, one.expected, one.actual))
        .collect()
}

fn quiet_for(count: u64) -> World {
    let mut world = World::idle();
    world.nodes_quiet_for(hours(count));
    world
}

#[test]
fn machines_that_a_sweep_could_not_find_save_no_cluster_in_a_case_either() {
    let mut world = World::idle();
    world.policy.spark_alone_suffices = true;
    let busy = Signal::Known(crate::signals::NodesView::Busy {
        cores: 3.0,
        network_bytes_per_minute: 0.0,
    });
    (world.signals.driver_node, world.signals.all_nodes) = (busy.clone(), busy);
    let policies = PolicySet::plain(world.policy.clone());
    let mut case = case_of(&world, expected(Choice::Keep));
    case.answered = vec![Question::Spark, Question::AllNodes];
    assert!(check(&case, &policies).holds());
    case.has_metrics = false;
    let verdict = check(&case, &policies);
    assert_eq!(shown(&verdict), ["decision: \"keep\", \"terminate\""]);
    assert_eq!(verdict.not_heard, [Question::AllNodes]);
}

#[test]
fn a_case_holds_if_all_that_it_expects_comes() {
    let terminated = Expected {
        reason: Some("both_witnesses"),
        earliest: Some(Due::Now),
        threshold: Some(hours(2)),
        ..expected(Choice::Terminate)
    };
    assert!(verdict(&World::idle(), terminated).holds());
    let kept = Expected {
        reason: Some("quiet_too_short"),
        earliest: Some(Due::At(NOW.plus(hours(1)))),
        threshold: Some(hours(2)),
        ..expected(Choice::Keep)
    };
    assert!(verdict(&quiet_for(1), kept).holds());
    let mut protected = World::idle();
    protected.add_tag("terminate-clusters", "");
    let never = Expected {
        earliest: Some(Due::Never),
        ..expected(Choice::Keep)
    };
    assert!(verdict(&protected, never).holds());
}

#[test]
fn every_key_that_comes_out_otherwise_is_a_difference() {
    let wrong = Expected {
        reason: Some("spark_busy"),
        earliest: Some(Due::Never),
        threshold: Some(hours(12)),
        ..expected(Choice::Keep)
    };
    let verdict = verdict(&World::idle(), wrong);
    assert!(!verdict.holds());
    assert_eq!(
        shown(&verdict),
        [
            "decision: \"keep\", \"terminate\"",
            "reason: \"spark_busy\", \"both_witnesses\"",
            "earliest: \"never\", \"now\"",
            "threshold: \"12h\", \"2h\"",
        ]
    );
    assert_eq!(
        verdict.clause,
        "both_witnesses: no sign of life since 2026-11-18T08:00:00Z; Spark and nodes say quiet, for more than 2h"
    );
}

#[test]
fn what_a_case_leaves_open_is_not_compared() {
    assert!(verdict(&quiet_for(1), expected(Choice::Keep)).holds());
    let other = verdict(&quiet_for(1), expected(Choice::Terminate));
    assert_eq!(shown(&other), ["decision: \"terminate\", \"keep\""]);
}

#[test]
fn the_earliest_time_is_compared_to_the_second() {
    let due = |at| Expected {
        earliest: Some(Due::At(at)),
        ..expected(Choice::Keep)
    };
    let an_hour = NOW.plus(hours(1));
    let almost = an_hour.plus(std::time::Duration::from_secs(1));
    assert!(verdict(&quiet_for(1), due(an_hour)).holds());
    assert_eq!(
        shown(&verdict(&quiet_for(1), due(almost))),
        ["earliest: \"in 1h1s\" (2026-11-22T13:00:01Z), \"in 1h\" (2026-11-22T13:00:00Z)"]
    );
}

#[test]
fn a_wait_is_weighed_by_the_last_rule_alone() {
    let mut busy = World::idle();
    busy.nodes_say(crate::signals::NodesView::Busy {
        cores: 1.0,
        network_bytes_per_minute: 0.0,
    });
    let waits = Expected {
        threshold: Some(hours(2)),
        ..expected(Choice::Keep)
    };
    assert_eq!(
        shown(&verdict(&busy, waits)),
        ["threshold: \"2h\", none: another rule decides before the quiet is weighed"]
    );
}

#[test]
fn what_the_policy_does_not_ask_is_named() {
    let mut world = World::idle();
    world.policy.spark_witness = false;
    let mut case = case_of(&world, expected(Choice::Keep));
    case.answered = vec![Question::Spark, Question::AllNodes];
    let verdict = check(&case, &PolicySet::plain(world.policy));
    assert_eq!(verdict.not_heard, [Question::Spark]);
}

#[test]
fn a_case_is_decided_by_the_overrides_of_its_workspace() {
    let world = quiet_for(1);
    let policies = PolicySet {
        base: world.policy.clone(),
        overrides: vec![Override {
            selector: Selector::Workspace(Glob::new("dev-*")),
            changes: PolicyChanges {
                idle_after: Some(hours(1)),
                ..PolicyChanges::default()
            },
        }],
    };
    let in_workspace = |name: Option<&str>| {
        let mut case = case_of(&world, expected(Choice::Terminate));
        case.workspace = name.map(ToOwned::to_owned);
        check(&case, &policies)
    };
    assert!(in_workspace(Some("dev-1")).holds());
    assert_eq!(in_workspace(Some("dev-1")).overrides.len(), 1);
    assert!(!in_workspace(Some("prod")).holds());
    assert!(!in_workspace(None).holds());
    assert!(in_workspace(None).overrides.is_empty());
}

#[test]
fn a_case_that_holds_is_one_line_and_one_that_fails_says_why() {
    let case = case_of(&World::idle(), expected(Choice::Terminate));
    let verdict = |case: &Case| check(case, &PolicySet::plain(World::idle().policy));
    assert_eq!(
        text::case("f.toml", &case, &verdict(&case)),
        "ok      a case\n"
    );
    let mut failing = case_of(&quiet_for(1), expected(Choice::Terminate));
    failing.name = "line\nbreak".to_owned();
    assert_eq!(
        text::case("f.toml", &failing, &verdict(&failing)),
        "FAILED  line\\nbreak (f.toml, line 7)\n        - decision = \"terminate\"\n        + decision = \"keep\"\n        because quiet_too_short: quiet since 2026-11-22T11:00:00Z; Spark and nodes say quiet, so it is terminated after 2h\n"
    );
    assert_eq!(
        text::summary(1, 0, "p.toml"),
        "1 case by p.toml: 1 ok, 0 failed\n"
    );
    assert_eq!(
        text::summary(2, 1, "p.toml"),
        "3 cases by p.toml: 2 ok, 1 failed\n"
    );
}

#[test]
fn a_failing_case_names_overrides_and_what_was_not_heard() {
    let case = case_of(&World::idle(), expected(Choice::Keep));
    let mut verdict = check(&case, &PolicySet::plain(World::idle().policy));
    verdict.not_heard = vec![Question::Spark, Question::Pin];
    verdict.overrides = vec![PolicyChange {
        key: "idle_after",
        value: "1h".to_owned(),
        by: "workspace `dev`".to_owned(),
    }];
    let told = text::case("f.toml", &case, &verdict);
    let told: Vec<&str> = told.lines().skip(4).collect();
    assert_eq!(
        told,
        [
            "        idle_after = 1h by the override for workspace `dev`",
            "        not heard, since the policy does not ask for it: Spark, pin",
        ]
    );
}

#[test]
fn the_cluster_that_a_case_starts_from_is_terminated_by_any_policy_with_a_witness() {
    let started = base::DEFAULT_NOW
        .minus(base::UP_BEFORE)
        .minus(base::UP_BEFORE);
    let since = base::DEFAULT_NOW.minus(hours(40 * 24));
    let signals = base::idle(base::cluster(Some(started)), started, since);
    let month = hours(30 * 24);
    for (spark, nodes) in [(true, true), (true, false), (false, true)] {
        let mut policy = World::idle().policy;
        policy.idle_after = month;
        policy.idle_after_one_witness = month;
        policy.streaming_silence = month;
        policy.protect_pinned = true;
        (policy.spark_witness, policy.nodes_witness) = (spark, nodes);
        let decision = decide(&signals, &policy, base::DEFAULT_NOW);
        assert!(matches!(decision, Decision::Terminate(_)), "{decision:?}");
    }
    assert!(matches!(signals.pinned, Signal::Known(false)));
}
