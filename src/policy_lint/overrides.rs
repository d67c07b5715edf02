//! Checks of `[[override]]`: tables for nobody, tables without effect, equals
//! that disagree, protection that is lost. Pure.

use std::time::Duration;

use super::globs::{can_both_match, covers};
use super::{Linted, Subject, Table, Warning, Weight};
use crate::escape::Shown;
use crate::human::Span;
use crate::policy::{Glob, Override, Policy, PolicyChanges, Selector, TagPattern};

/// The two halves of a selector.
pub(super) fn selectors(selector: &Selector) -> (Option<&Glob>, &[TagPattern]) {
    match selector {
        Selector::Workspace(glob) => (Some(glob), &[]),
        Selector::Tags(tags) => (None, tags),
        Selector::WorkspaceAndTags(glob, tags) => (Some(glob), tags),
    }
}

/// A wait for two witnesses where one of them has no way to look.
pub(super) fn two_witnesses_where_one_looks(linted: &Linted<'_>) -> Vec<Warning> {
    let base = &linted.policy.base;
    if !(base.spark_witness && base.nodes_witness) {
        // Another check tells of a witness that is off everywhere.
        return Vec::new();
    }
    let overrides = linted.policy.overrides.iter().enumerate();
    let found = overrides.filter_map(|(index, table)| {
        let idle_after = table.changes.idle_after?;
        selectors(&table.selector).0?;
        let alone = super::effective(base, table).idle_after_one_witness;
        let workspaces = linted.workspaces.iter();
        let mut met = workspaces
            .filter(|workspace| table.selector.covers_workspace(workspace.name))
            .peekable();
        let first = met.peek()?.name;
        let is_blind = met.all(|workspace| !workspace.has_resource_id);
        (is_blind && alone > idle_after).then(|| Warning {
            weight: Weight::Warning,
            subject: Subject {
                table: Table::Override(index),
                key: "idle_after",
                item: None,
            },
            what: format!(
                "is {}, but {} has no `resource_id`, so Spark speaks alone and clusters are terminated after {}",
                Span(idle_after),
                Shown::name(first),
                Span(alone)
            ),
            why: "`idle_after` is the wait for two witnesses that agree; one alone waits longer",
            fix: "give the workspace its `resource_id`, or set `idle_after_one_witness`".to_owned(),
        })
    });
    found.collect()
}

pub(super) fn for_no_workspace(linted: &Linted<'_>) -> Vec<Warning> {
    let overrides = linted.policy.overrides.iter().enumerate();
    let found = overrides.filter_map(|(index, table)| {
        let glob = selectors(&table.selector).0?;
        let mut workspaces = linted.workspaces.iter();
        let is_met = workspaces.any(|workspace| table.selector.covers_workspace(workspace.name));
        (!is_met).then(|| Warning {
            weight: Weight::Warning,
            subject: Subject {
                table: Table::Override(index),
                key: "workspace",
                item: None,
            },
            what: format!(
                "is `{}`, which matches the name of no [[workspaces]]",
                Shown::name(glob.as_str())
            ),
            why: "the table changes nothing, and [policy] holds where it was meant to",
            fix: "correct the pattern, or take the table out".to_owned(),
        })
    });
    found.collect()
}

/// One key of an override as text, and the same key of `[policy]`.
struct Set {
    key: &'static str,
    value: String,
    base: String,
}

/// The keys with one value each that a table sets. Lists of names add up among
/// equals and are looked at elsewhere.
fn set_by(changes: &PolicyChanges, base: &Policy) -> Vec<Set> {
    let PolicyChanges {
        idle_after,
        idle_after_one_witness,
        streaming_silence,
        spark_alone_suffices,
        nodes_alone_suffices,
        trust_platform_clock,
        protect_pinned,
        protect_names: _,
        cap_per_workspace,
    } = changes;
    let wait = |key, value: &Option<Duration>, base: Duration| {
        value.map(|value| Set {
            key,
            value: Span(value).to_string(),
            base: Span(base).to_string(),
        })
    };
    let flag = |key, value: &Option<bool>, base: bool| {
        value.map(|value| Set {
            key,
            value: value.to_string(),
            base: base.to_string(),
        })
    };
    let one = base.idle_after_one_witness;
    let spark = base.spark_alone_suffices;
    let nodes = base.nodes_alone_suffices;
    let trust = base.trust_platform_clock;
    let sets = [
        wait("idle_after", idle_after, base.idle_after),
        wait("idle_after_one_witness", idle_after_one_witness, one),
        wait(
            "streaming_silence",
            streaming_silence,
            base.streaming_silence,
        ),
        flag("spark_alone_suffices", spark_alone_suffices, spark),
        flag("nodes_alone_suffices", nodes_alone_suffices, nodes),
        flag("trust_platform_clock", trust_platform_clock, trust),
        flag("protect_pinned", protect_pinned, base.protect_pinned),
        cap_per_workspace.map(|value| Set {
            key: "cap_per_workspace",
            value: value.to_string(),
            base: base.cap_per_workspace.to_string(),
        }),
    ];
    sets.into_iter().flatten().collect()
}

pub(super) fn without_effect(linted: &Linted<'_>) -> Vec<Warning> {
    let base = &linted.policy.base;
    let overrides = &linted.policy.overrides;
    let mut found = Vec::new();
    for (index, table) in overrides.iter().enumerate() {
        for set in set_by(&table.changes, base) {
            // It may be there to undo a wider table, or to win against an equal one.
            let is_needed = overrides.iter().any(|other| {
                let theirs = set_by(&other.changes, base);
                let mut same_key = theirs.iter().filter(|one| one.key == set.key);
                same_key.any(|one| one.value != set.value)
                    && other.selector.specificity() <= table.selector.specificity()
                    && can_hold_together(linted, table, other)
            });
            if set.value == set.base && !is_needed {
                found.push(Warning {
                    weight: Weight::Warning,
                    subject: Subject {
                        table: Table::Override(index),
                        key: set.key,
                        item: None,
                    },
                    what: format!("is {}, as it is without this table", set.value),
                    why: "it changes nothing, and would stand in the way of a change of [policy]",
                    fix: "take it out, or write what was meant".to_owned(),
                });
            }
        }
    }
    found
}

pub(super) fn equals_that_disagree(linted: &Linted<'_>) -> Vec<Warning> {
    let base = &linted.policy.base;
    let overrides = &linted.policy.overrides;
    let mut found = Vec::new();
    for (later, table) in overrides.iter().enumerate() {
        for other in overrides.iter().take(later) {
            let is_equal = other.selector.specificity() == table.selector.specificity();
            if !is_equal || !can_hold_together(linted, table, other) {
                continue;
            }
            let theirs = set_by(&other.changes, base);
            for set in set_by(&table.changes, base) {
                let rival = theirs.iter().find(|one| one.key == set.key);
                let Some(rival) = rival.filter(|rival| rival.value != set.value) else {
                    continue;
                };
                found.push(Warning {
                    weight: Weight::Warning,
                    subject: Subject {
                        table: Table::Override(later),
                        key: set.key,
                        item: None,
                    },
                    what: format!(
                        "is {} here and {} in the equally specific table for {}",
                        set.value, rival.value, other.selector
                    ),
                    why: "a cluster that both are for gets the more cautious value, which one of the tables does not say",
                    fix: "make one of them more specific, or write one value into both".to_owned(),
                });
            }
        }
    }
    found
}

/// Whether there can be a cluster that both tables are for: in one of the
/// workspaces that are listed, if any is.
fn can_hold_together(linted: &Linted<'_>, one: &Override, other: &Override) -> bool {
    let (workspace, tags) = selectors(&one.selector);
    let (other_workspace, other_tags) = selectors(&other.selector);
    let share_a_workspace = match (workspace, other_workspace) {
        _ if !linted.workspaces.is_empty() => linted.workspaces.iter().any(|known| {
            one.selector.covers_workspace(known.name) && other.selector.covers_workspace(known.name)
        }),
        (Some(one), Some(other)) => can_both_match(one, other),
        (Some(_), None) | (None, Some(_) | None) => true,
    };
    let is_same_key = |one: &TagPattern, other: &TagPattern| {
        one.key.trim().eq_ignore_ascii_case(other.key.trim())
    };
    let excludes = |one: &TagPattern, other: &TagPattern| {
        is_same_key(one, other) && !can_both_match(&one.value, &other.value)
    };
    let mut pairs = tags
        .iter()
        .flat_map(|one| other_tags.iter().map(move |other| (one, other)));
    share_a_workspace && !pairs.any(|(one, other)| excludes(one, other))
}

pub(super) fn protection_that_is_dropped(linted: &Linted<'_>) -> Vec<Warning> {
    let base = &linted.policy.base;
    let overrides = linted.policy.overrides.iter().enumerate();
    let found = overrides.filter_map(|(index, table)| {
        let names = table.changes.protect_names.as_ref()?;
        let is_dropped = |glob: &&Glob| !names.iter().any(|kept| covers(kept, glob));
        let dropped: Vec<String> = base
            .protect_names
            .iter()
            .filter(is_dropped)
            .map(|glob| format!("`{}`", Shown::name(glob.as_str())))
            .collect();
        (!dropped.is_empty()).then(|| Warning {
            weight: Weight::Warning,
            subject: Subject {
                table: Table::Override(index),
                key: "protect_names",
                item: None,
            },
            what: format!("leaves out {}, which [policy] protects", dropped.join(", ")),
            why: "the list of an override stands instead of the one of [policy], so such clusters can be terminated where it holds",
            fix: "repeat in it what is to stay protected".to_owned(),
        })
    });
    found.collect()
}
