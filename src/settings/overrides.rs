//! `[[override]]`: keys, and the reading of them.
//!
//! A table says for which clusters it is and changes at least one key: an empty
//! selector never means all, and a table without effect is a mistake.

use super::document::Document;
use super::environment::Environment;
use super::key::{Key, Kind};
use super::mistakes::Mistakes;
use super::policy_document as policy;
use super::table::{Node, Reading, Source, TableReader, parse_glob};
use super::tables;
use crate::policy::{Override, PolicyChanges, Selector};

const WORKSPACE: Key = Key::new(
    "workspace",
    "",
    Kind::Text,
    "the names, with `*` and `?`, of the workspaces whose clusters it is for; this or `tag`, or both",
);
const TAG: Key = Key::new(
    "tag",
    "",
    Kind::Tags,
    "the clusters that it is for: `{ key = \"value\" }`, the value with `*` and `?`; of several tags all must match",
);

/// A key of `[policy]`, which has no default of its own here.
const fn changed(key: Key) -> Key {
    Key::new(key.name, "", key.kind, "instead of what `[policy]` says")
}

pub(super) const KEYS: &[Key] = &[
    WORKSPACE,
    TAG,
    changed(policy::IDLE_AFTER),
    changed(policy::IDLE_AFTER_ONE_WITNESS),
    changed(policy::STREAMING_SILENCE),
    changed(policy::SPARK_ALONE_SUFFICES),
    changed(policy::NODES_ALONE_SUFFICES),
    changed(policy::TRUST_PLATFORM_CLOCK),
    changed(policy::PROTECT_PINNED),
    changed(policy::PROTECT_NAMES),
    Key::new(
        policy::CAP_PER_WORKSPACE.name,
        "",
        policy::CAP_PER_WORKSPACE.kind,
        "instead of what `[policy]` says; only for workspaces, not beside `tag`",
    ),
];

/// Reads every table; one with a mistake in its selector is left out and noted.
pub(super) fn read(
    document: &Document<'_>,
    source: &Source,
    environment: &Environment,
    mistakes: &mut Mistakes,
) -> Vec<Override> {
    let mut reading = Reading {
        source,
        environment,
        mistakes,
    };
    document
        .overrides
        .iter()
        .filter_map(|node| read_one(&mut reading, *node))
        .collect()
}

fn read_one(reading: &mut Reading<'_>, node: Node<'_>) -> Option<Override> {
    let mut table = TableReader::new(reading, tables::OVERRIDE, Some(node));
    let changes = read_changes(&mut table);
    if changes == PolicyChanges::default() {
        table.note_key(
            &policy::IDLE_AFTER,
            "is missing in [[override]], and so is every other key of [policy]; write what it changes, or take the table out",
        );
    }
    if let (Some(both), Some(one)) = (changes.idle_after, changes.idle_after_one_witness) {
        policy::refuse_backward_thresholds(&mut table, both, one);
    }
    let selector = read_selector(&mut table)?;
    if changes.cap_per_workspace.is_some() && !matches!(selector, Selector::Workspace(_)) {
        table.note_key(
            &policy::CAP_PER_WORKSPACE,
            "stands beside `tag`, but it counts the clusters of a whole workspace; put it into an [[override]] that has only `workspace`",
        );
    }
    Some(Override { selector, changes })
}

fn read_selector(table: &mut TableReader<'_>) -> Option<Selector> {
    let has_workspace = table.if_given(&WORKSPACE, |_, _| ()).is_some();
    let has_tag = table.if_given(&TAG, |_, _| ()).is_some();
    let workspace = table.text(&WORKSPACE);
    let workspace = workspace.and_then(|text| table.parsed(&WORKSPACE, &text, parse_glob));
    let tags = table.tags(&TAG);
    match (workspace, tags) {
        (Some(glob), None) if !has_tag => Some(Selector::Workspace(glob)),
        (None, Some(tags)) if !has_workspace => Some(Selector::Tags(tags)),
        (Some(glob), Some(tags)) => Some(Selector::WorkspaceAndTags(glob, tags)),
        (None, None) if !has_workspace && !has_tag => {
            table.note_key(
                &WORKSPACE,
                "is missing in [[override]], and so is `tag`; write for which clusters it is",
            );
            None
        }
        // One of the two is wrong, which is noted, and the other must not stand for both.
        (Some(_) | None, Some(_) | None) => None,
    }
}

fn read_changes(table: &mut TableReader<'_>) -> PolicyChanges {
    PolicyChanges {
        idle_after: table.if_given(&policy::IDLE_AFTER, TableReader::duration),
        idle_after_one_witness: table
            .if_given(&policy::IDLE_AFTER_ONE_WITNESS, TableReader::duration),
        streaming_silence: table.if_given(&policy::STREAMING_SILENCE, TableReader::duration),
        spark_alone_suffices: table.if_given(&policy::SPARK_ALONE_SUFFICES, TableReader::flag),
        nodes_alone_suffices: table.if_given(&policy::NODES_ALONE_SUFFICES, TableReader::flag),
        trust_platform_clock: table.if_given(&policy::TRUST_PLATFORM_CLOCK, TableReader::flag),
        protect_pinned: table.if_given(&policy::PROTECT_PINNED, TableReader::flag),
        protect_names: table.if_given(&policy::PROTECT_NAMES, TableReader::globs),
        cap_per_workspace: table.if_given(&policy::CAP_PER_WORKSPACE, TableReader::count),
    }
}
