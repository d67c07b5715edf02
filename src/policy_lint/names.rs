//! Checks of patterns and exemptions: what matches everything, what was written
//! in another language, what another rule covers, what has ended. Pure.

use super::globs;
use super::overrides::selectors;
use super::{Linted, Subject, Table, Warning, Weight};
use crate::cluster::ClusterId;
use crate::escape::Shown;
use crate::policy::{ExemptSelector, Glob};

/// A pattern and where it stands.
struct Pattern<'a> {
    glob: &'a Glob,
    subject: Subject,
    kind: PatternKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PatternKind {
    Protected,
    Exempt,
    Workspace { has_tags: bool },
    TagValue,
}

fn patterns<'a>(linted: &Linted<'a>) -> Vec<Pattern<'a>> {
    let mut found = Vec::new();
    let base = &linted.policy.base;
    add_protected(&mut found, Table::Policy, &base.protect_names);
    for (index, exemption) in base.exemptions.iter().enumerate() {
        if let ExemptSelector::Name(glob) = &exemption.selector {
            let table = Table::Exempt(index);
            add(&mut found, table, "name", glob, PatternKind::Exempt);
        }
    }
    for (index, table) in linted.policy.overrides.iter().enumerate() {
        let place = Table::Override(index);
        let (workspace, tags) = selectors(&table.selector);
        if let Some(glob) = workspace {
            let has_tags = !tags.is_empty();
            let kind = PatternKind::Workspace { has_tags };
            add(&mut found, place, "workspace", glob, kind);
        }
        for tag in tags {
            add(&mut found, place, "tag", &tag.value, PatternKind::TagValue);
        }
        if let Some(globs) = &table.changes.protect_names {
            add_protected(&mut found, place, globs);
        }
    }
    found
}

fn add_protected<'a>(found: &mut Vec<Pattern<'a>>, table: Table, globs: &'a [Glob]) {
    for (item, glob) in globs.iter().enumerate() {
        add(found, table, "protect_names", glob, PatternKind::Protected);
        if let Some(last) = found.last_mut() {
            last.subject.item = Some(item);
        }
    }
}

fn add<'a>(
    found: &mut Vec<Pattern<'a>>,
    table: Table,
    key: &'static str,
    glob: &'a Glob,
    kind: PatternKind,
) {
    let item = None;
    found.push(Pattern {
        glob,
        subject: Subject { table, key, item },
        kind,
    });
}

pub(super) fn pattern_for_everything(linted: &Linted<'_>) -> Vec<Warning> {
    let everywhere = patterns(linted).into_iter();
    let everywhere = everywhere.filter(|pattern| globs::matches_everything(pattern.glob));
    let found = everywhere.filter_map(|pattern| {
        let (why, fix) = match pattern.kind {
            PatternKind::Protected => (
                "no cluster is ever terminated where this holds",
                "name what is to be protected; to change nothing at all, leave the mode at `report`",
            ),
            PatternKind::Exempt => (
                "no cluster is terminated until that day",
                "name what is exempt; to change nothing at all, set the mode to `report`",
            ),
            PatternKind::Workspace { has_tags: false } => (
                "what holds everywhere is what [policy] is for, and there a variable can set it too",
                "move the keys to [policy]",
            ),
            PatternKind::Workspace { has_tags: true } => (
                "the tags alone mean the same clusters, but would not beat other overrides by tag",
                "leave `workspace` out",
            ),
            // Any value of a certain tag is a sensible thing to ask for.
            PatternKind::TagValue => return None,
        };
        Some(Warning {
            weight: Weight::Warning,
            subject: pattern.subject,
            what: format!("holds {}, which matches everything", shown(pattern.glob)),
            why,
            fix: fix.to_owned(),
        })
    });
    found.collect()
}

pub(super) fn pattern_in_another_language(linted: &Linted<'_>) -> Vec<Warning> {
    let found = patterns(linted).into_iter().filter_map(|pattern| {
        let sign = globs::foreign_sign(pattern.glob)?;
        Some(Warning {
            weight: Weight::Warning,
            subject: pattern.subject,
            what: format!(
                "holds {}, in which `{sign}` stands for itself",
                shown(pattern.glob)
            ),
            why: "patterns know `*` for any text and `?` for one character, and are no regular expressions: it most likely matches nothing",
            fix: "write it with `*` and `?`, one pattern per alternative".to_owned(),
        })
    });
    found.collect()
}

pub(super) fn pattern_that_another_covers(linted: &Linted<'_>) -> Vec<Warning> {
    let patterns = patterns(linted);
    let protecting: Vec<&Pattern<'_>> = patterns
        .iter()
        .filter(|pattern| pattern.kind == PatternKind::Protected)
        .collect();
    let mut found = Vec::new();
    for pattern in &patterns {
        let is_rival = |other: &&&Pattern<'_>| {
            let is_same = other.subject == pattern.subject;
            let holds_too = match pattern.kind {
                PatternKind::Protected => other.subject.table == pattern.subject.table,
                // An override replaces the names of [policy].
                PatternKind::Exempt => {
                    other.subject.table == Table::Policy && !overrides_names(linted)
                }
                PatternKind::Workspace { .. } | PatternKind::TagValue => false,
            };
            // Of two that mean the same the first stays.
            let is_mutual = globs::covers(pattern.glob, other.glob);
            let is_later = is_mutual && pattern.subject.item < other.subject.item;
            let is_same_kind = pattern.kind == PatternKind::Protected;
            holds_too && !is_same && !(is_same_kind && is_later)
        };
        let mut rivals = protecting.iter().filter(is_rival);
        let Some(rival) = rivals.find(|other| globs::covers(other.glob, pattern.glob)) else {
            continue;
        };
        found.push(Warning {
            weight: Weight::Warning,
            subject: pattern.subject,
            what: format!(
                "holds {}, which `protect_names` covers already by {}",
                shown(pattern.glob),
                shown(rival.glob)
            ),
            why: "a rule that changes nothing misleads whoever edits the other one",
            fix: "take one of the two out".to_owned(),
        });
    }
    found
}

fn overrides_names(linted: &Linted<'_>) -> bool {
    let mut overrides = linted.policy.overrides.iter();
    overrides.any(|table| table.changes.protect_names.is_some())
}

pub(super) fn exemption_that_has_ended(linted: &Linted<'_>) -> Vec<Warning> {
    let exemptions = linted.policy.base.exemptions.iter().enumerate();
    let ended = exemptions.filter(|(_, exemption)| exemption.until <= linted.now);
    let found = ended.map(|(index, exemption)| Warning {
        weight: Weight::Warning,
        subject: Subject {
            table: Table::Exempt(index),
            key: "until",
            item: None,
        },
        what: format!("was {}, which is over", Shown::name(&exemption.until_day)),
        why: "the clusters that it named can be terminated again",
        fix: "take the table out, or write a later day".to_owned(),
    });
    found.collect()
}

/// An exemption under a name where an id belongs protects nothing.
pub(super) fn exemption_of_no_id(linted: &Linted<'_>) -> Vec<Warning> {
    let exemptions = linted.policy.base.exemptions.iter().enumerate();
    let found = exemptions.filter_map(|(index, exemption)| {
        let ExemptSelector::Id(id) = &exemption.selector else {
            return None;
        };
        if ClusterId::new(id.as_str()).looks_made_by_databricks() {
            return None;
        }
        Some(Warning {
            weight: Weight::Warning,
            subject: Subject {
                table: Table::Exempt(index),
                key: "cluster",
                item: None,
            },
            what: format!(
                "is `{}`, which does not look like a cluster's id",
                Shown::name(id)
            ),
            why: "an id is such as 0915-021615-abcd1234; what matches none exempts no cluster",
            fix:
                "write the id that the report shows behind the cluster's name, or `name` for a name"
                    .to_owned(),
        })
    });
    found.collect()
}

fn shown(glob: &Glob) -> String {
    format!("`{}`", Shown::name(glob.as_str()))
}
