//! Which `[[override]]` holds for which cluster.

use proptest::prelude::*;

use super::*;
use crate::decision::tests::world::{default_policy, hours, idle_cluster};

fn workspace(glob: &str) -> Selector {
    Selector::Workspace(Glob::new(glob))
}

fn pattern(key: &str, value: &str) -> TagPattern {
    TagPattern {
        key: key.to_owned(),
        value: Glob::new(value),
    }
}

fn tag(key: &str, value: &str) -> Selector {
    Selector::Tags(vec![pattern(key, value)])
}

fn both(glob: &str, key: &str, value: &str) -> Selector {
    Selector::WorkspaceAndTags(Glob::new(glob), vec![pattern(key, value)])
}

fn idle_after(selector: Selector, wait: u64) -> Override {
    let changes = PolicyChanges {
        idle_after: Some(hours(wait)),
        ..PolicyChanges::default()
    };
    Override { selector, changes }
}

fn set(overrides: Vec<Override>) -> PolicySet {
    PolicySet {
        base: default_policy(),
        overrides,
    }
}

fn tagged(tags: &[(&str, &str)]) -> Cluster {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    Cluster {
        tags: tags.iter().map(owned).collect(),
        ..idle_cluster()
    }
}

/// Hours of `idle_after` of a cluster in the workspace `dev-1`, with the tag `team = ml-1`.
fn wait(overrides: Vec<Override>) -> u64 {
    let policies = set(overrides).for_workspace("dev-1");
    let policy = policies.of(&tagged(&[("team", "ml-1")])).policy;
    policy.idle_after.as_secs() / 3600
}

#[test]
fn without_an_override_the_policy_holds_unchanged() {
    let policies = set(Vec::new()).for_workspace("dev-1");
    let of_one = policies.of(&idle_cluster());
    assert_eq!(of_one.policy, default_policy());
    assert_eq!(of_one.changes, []);
    assert_eq!(policies.of_the_whole(), default_policy());
}

#[test]
fn a_tag_beats_a_workspace_which_beats_the_policy() {
    assert_eq!(wait(vec![idle_after(workspace("dev-*"), 9)]), 9);
    let tag_last = [
        idle_after(workspace("dev-*"), 9),
        idle_after(tag("team", "ml-*"), 3),
    ];
    assert_eq!(wait(tag_last.to_vec()), 3);
    let tag_first = tag_last.iter().rev().cloned().collect();
    assert_eq!(wait(tag_first), 3);
    let with_both = [idle_after(both("dev-*", "team", "*"), 1)];
    assert_eq!(wait([&tag_last[..], &with_both[..]].concat()), 1);
}

#[test]
fn a_more_specific_table_leaves_the_keys_that_it_does_not_set() {
    let quicker = PolicyChanges {
        idle_after: Some(hours(1)),
        ..PolicyChanges::default()
    };
    let wider = PolicyChanges {
        idle_after: Some(hours(9)),
        streaming_silence: Some(hours(200)),
        ..PolicyChanges::default()
    };
    let table = |selector, changes| Override { selector, changes };
    let policies = set(vec![
        table(tag("team", "*"), quicker),
        table(workspace("*"), wider),
    ]);
    let policy = policies
        .for_workspace("dev-1")
        .of(&tagged(&[("team", "x")]))
        .policy;
    assert_eq!(policy.idle_after, hours(1));
    assert_eq!(policy.streaming_silence, hours(200));
    assert_eq!(policy.idle_after_one_witness, hours(12));
}

#[test]
fn of_equally_specific_tables_the_most_cautious_value_holds() {
    let cautious = PolicyChanges {
        idle_after: Some(hours(5)),
        idle_after_one_witness: Some(hours(50)),
        streaming_silence: Some(hours(500)),
        spark_alone_suffices: Some(false),
        nodes_alone_suffices: Some(false),
        trust_platform_clock: Some(true),
        protect_pinned: Some(true),
        protect_names: Some(vec![Glob::new("a-*")]),
        cap_per_workspace: Some(1),
    };
    let bold = PolicyChanges {
        idle_after: Some(hours(1)),
        idle_after_one_witness: Some(hours(10)),
        streaming_silence: Some(hours(100)),
        spark_alone_suffices: Some(true),
        nodes_alone_suffices: Some(true),
        trust_platform_clock: Some(false),
        protect_pinned: Some(false),
        protect_names: Some(vec![Glob::new("b-*"), Glob::new("a-*")]),
        cap_per_workspace: Some(100),
    };
    let table = |glob: &str, changes: &PolicyChanges| Override {
        selector: workspace(glob),
        changes: changes.clone(),
    };
    let expected = |names: [&str; 2]| Policy {
        idle_after: hours(5),
        idle_after_one_witness: hours(50),
        streaming_silence: hours(500),
        spark_alone_suffices: false,
        nodes_alone_suffices: false,
        trust_platform_clock: true,
        protect_pinned: true,
        protect_names: names.iter().map(|name| Glob::new(name)).collect(),
        cap_per_workspace: 1,
        ..default_policy()
    };
    let one_way = set(vec![table("dev-*", &cautious), table("*-1", &bold)]);
    let one_way = one_way.for_workspace("dev-1");
    assert_eq!(one_way.of(&idle_cluster()).policy, expected(["a-*", "b-*"]));
    assert_eq!(one_way.of_the_whole(), expected(["a-*", "b-*"]));
    let other_way = set(vec![table("*-1", &bold), table("dev-*", &cautious)]);
    let other_way = other_way.for_workspace("dev-1");
    assert_eq!(
        other_way.of(&idle_cluster()).policy,
        expected(["b-*", "a-*"])
    );
}

#[test]
fn an_override_holds_where_its_selector_matches_and_nowhere_else() {
    let cases = [
        (workspace("dev-*"), true),
        (workspace("DEV-1"), true),
        (workspace("dev"), false),
        (workspace(""), false),
        (tag("team", "ml-1"), true),
        (tag("TEAM", "ML-*"), true),
        (tag(" team ", "*"), true),
        (tag("team", ""), false),
        (tag("tea", "*"), false),
        (tag("stage", "*"), false),
        (both("dev-*", "team", "ml-1"), true),
        (both("prod", "team", "ml-1"), false),
        (both("dev-*", "team", "etl"), false),
        (
            Selector::Tags(vec![pattern("team", "*"), pattern("stage", "*")]),
            false,
        ),
    ];
    for (selector, holds) in cases {
        let shown = selector.to_string();
        let expected = if holds { 9 } else { 2 };
        assert_eq!(wait(vec![idle_after(selector, 9)]), expected, "{shown}");
    }
}

#[test]
fn either_of_two_values_of_one_tag_suffices() {
    let policies = set(vec![idle_after(tag("team", "ml"), 9)]).for_workspace("dev-1");
    let of_two = policies.of(&tagged(&[("team", "etl"), ("Team", " ml ")]));
    assert_eq!(of_two.policy.idle_after, hours(9));
}

#[test]
fn the_report_names_what_was_overridden_and_by_which_table() {
    let changes = PolicyChanges {
        idle_after: Some(hours(9)),
        // As in [policy], so nothing to tell.
        streaming_silence: Some(hours(96)),
        protect_names: Some(vec![Glob::new("a-*"), Glob::new("b")]),
        ..PolicyChanges::default()
    };
    let selector = both("dev-*", "te\nam", "ml");
    let policies = set(vec![Override { selector, changes }]).for_workspace("dev-1");
    let of_one = policies.of(&tagged(&[("te\nam", "ml")]));
    let shown: Vec<String> = of_one.changes.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            r"idle_after = 9h by the override for workspace `dev-*`, tag `te\nam` = `ml`",
            r"protect_names = [a-*, b] by the override for workspace `dev-*`, tag `te\nam` = `ml`",
        ]
    );
}

#[test]
fn what_holds_for_the_whole_workspace_knows_no_tags() {
    let policies = set(vec![
        idle_after(workspace("dev-1"), 3),
        idle_after(tag("team", "*"), 9),
        idle_after(both("dev-1", "team", "*"), 10),
    ]);
    let policies = policies.for_workspace("dev-1");
    assert_eq!(policies.of_the_whole().idle_after, hours(3));
}

fn changes() -> impl Strategy<Value = PolicyChanges> {
    let wait = || proptest::option::of((1_u64..300).prop_map(hours));
    let flag = || proptest::option::of(any::<bool>());
    (wait(), wait(), wait(), flag(), flag(), flag()).prop_map(
        |(idle_after, one_witness, silence, spark, nodes, clock)| PolicyChanges {
            idle_after,
            idle_after_one_witness: one_witness,
            streaming_silence: silence,
            spark_alone_suffices: spark,
            nodes_alone_suffices: nodes,
            trust_platform_clock: clock,
            ..PolicyChanges::default()
        },
    )
}

fn selectors() -> impl Strategy<Value = Selector> {
    let names = prop_oneof![Just("dev-*"), Just("dev-1"), Just("prod")];
    let values = prop_oneof![Just("ml-*"), Just("*"), Just("etl")];
    (0..3, names, values).prop_map(|(kind, name, value)| match kind {
        0 => workspace(name),
        1 => tag("team", value),
        _ => both(name, "team", value),
    })
}

fn tables() -> impl Strategy<Value = Vec<Override>> {
    let table = (selectors(), changes());
    let table = table.prop_map(|(selector, changes)| Override { selector, changes });
    proptest::collection::vec(table, 0..6)
}

proptest! {
    #[test]
    fn the_order_of_the_tables_makes_no_difference(tables in tables()) {
        let cluster = tagged(&[("team", "ml-1")]);
        let reversed: Vec<Override> = tables.iter().rev().cloned().collect();
        let one_way = set(tables).for_workspace("dev-1").of(&cluster).policy;
        let other_way = set(reversed).for_workspace("dev-1").of(&cluster).policy;
        prop_assert_eq!(one_way, other_way);
    }

    #[test]
    fn no_cluster_waits_longer_than_the_runs_are_read_back(tables in tables()) {
        let policies = set(tables).for_workspace("dev-1");
        for tags in [&[][..], &[("team", "ml-1")], &[("team", "etl")]] {
            let policy = policies.of(&tagged(tags)).policy;
            prop_assert!(policy.longest_threshold() <= policies.longest_threshold());
        }
    }
}
