//! Reads a file of cases, with which an operator tests a policy.
//!
//! Held to the policy's standard: unknown keys, wrong types and values that
//! cannot be are refused, all at once and with their lines. A file without a
//! case is refused too, because a test of nothing would always pass. Reading
//! only: what a case must come to is compared in `policy_cases`.

mod cluster;
mod expected;
mod keys;
mod signals;
mod words;

use std::path::Path;
use std::time::Duration;

use self::words::Moment;
use super::document::{self, ReadFile, Sorter};
use super::environment::Environment;
use super::key::Key;
use super::mistakes::{Mistakes, Place, SettingsError};
use super::nearest;
use super::table::{Node, Reading, Source, TableReader};
use super::workspaces::WorkspaceSettings;
use crate::escape::Shown;
use crate::policy_cases::Case;
use crate::policy_cases::base::{DEFAULT_NOW, UP_BEFORE};
use crate::timestamp::Timestamp;

pub use self::keys::{CASE_TABLES, case_reference_markdown};

/// Reads the cases of `path`. The names of workspaces are compared with
/// `workspaces`, unless there are none.
///
/// # Errors
///
/// Every mistake that was found, at once.
pub fn read_cases(
    path: &Path,
    workspaces: &[WorkspaceSettings],
    read_file: ReadFile<'_>,
) -> Result<Vec<Case>, SettingsError> {
    let mut mistakes = Mistakes::default();
    let name = path.display().to_string();
    let cases = match read_file(path) {
        Ok(text) => {
            let source = Source::new(name, text);
            read_source(&source, workspaces, &mut mistakes)
        }
        Err(error) => {
            let problem = format!("cannot be read ({})", document::why_unread(&error));
            mistakes.note(Place::File("cases".to_owned()), &name, problem);
            Vec::new()
        }
    };
    match mistakes.into_error() {
        Some(error) => Err(error),
        None => Ok(cases),
    }
}

fn read_source(
    source: &Source,
    workspaces: &[WorkspaceSettings],
    mistakes: &mut Mistakes,
) -> Vec<Case> {
    let Some(root) = document::parse(source, mistakes) else {
        return Vec::new();
    };
    let root = Node {
        table: root.get_ref(),
        offset: 0,
    };
    let nodes = tables(root, &keys::CASE, source, mistakes);
    let mut file = CaseFile {
        source,
        workspaces,
        environment: &Environment::default(),
        mistakes,
        now: None,
        names: Vec::new(),
    };
    file.read_now(root);
    let found_none = nodes.as_ref().is_some_and(Vec::is_empty);
    if found_none {
        let problem =
            "holds no [[case]], and a test of nothing proves nothing; write one".to_owned();
        let place = Place::File("cases".to_owned());
        file.mistakes.note(place, &source.name, problem);
    }
    let nodes = nodes.into_iter().flatten();
    nodes.filter_map(|node| file.read_case(node)).collect()
}

/// The tables under a key; empty where it is absent, `None` where it is no list.
fn tables<'d>(
    node: Node<'d>,
    key: &Key,
    source: &Source,
    mistakes: &mut Mistakes,
) -> Option<Vec<Node<'d>>> {
    let mut sorter = Sorter { source, mistakes };
    let mut entries = node.table.iter();
    match entries.find(|(name, _)| name.get_ref() == key.name) {
        Some((_, value)) if value.get_ref().is_array() => Some(sorter.tables(key.name, value)),
        Some((_, value)) => {
            sorter.tables(key.name, value);
            None
        }
        None => Some(Vec::new()),
    }
}

/// The table under a key, if it is there.
fn table<'d>(
    node: Node<'d>,
    key: &Key,
    source: &Source,
    mistakes: &mut Mistakes,
) -> Option<Node<'d>> {
    let mut entries = node.table.iter();
    let (_, value) = entries.find(|(name, _)| name.get_ref() == key.name)?;
    Sorter { source, mistakes }.table(&format!("case.{}", key.name), value)
}

/// What the cases of one file share while they are read.
struct CaseFile<'f> {
    source: &'f Source,
    workspaces: &'f [WorkspaceSettings],
    environment: &'f Environment,
    mistakes: &'f mut Mistakes,
    /// The file's own `now`, if it has one.
    now: Option<Timestamp>,
    names: Vec<String>,
}

impl CaseFile<'_> {
    fn reading(&mut self) -> Reading<'_> {
        Reading {
            source: self.source,
            environment: self.environment,
            mistakes: self.mistakes,
        }
    }

    fn read_now(&mut self, root: Node<'_>) {
        let mut reading = self.reading();
        let mut table = TableReader::new(&mut reading, keys::FILE_TABLE, Some(root));
        let now = table.text(&keys::FILE_NOW);
        self.now = now.and_then(|now| table.parsed(&keys::FILE_NOW, &now, words::absolute));
    }

    fn read_case(&mut self, node: Node<'_>) -> Option<Case> {
        let head = self.read_head(node);
        let moment = head.moment;
        let [cluster_node, signals_node, expect_node] =
            [keys::CLUSTER, keys::SIGNALS, keys::EXPECT]
                .map(|key| table(node, &key, self.source, self.mistakes));
        let line = self.source.place(node.offset).line();
        let mut reading = self.reading();
        let cluster = cluster::read(&mut reading, cluster_node, &moment);
        let stated = signals::read(&mut reading, signals_node, &moment);
        let expected = match expect_node {
            Some(_) => expected::read(&mut reading, expect_node, &moment),
            None => expected::refuse_absent(&mut reading, node),
        };
        let quiet_since = moment.now.minus(head.quiet_for);
        let oldest = stated.oldest().unwrap_or(quiet_since).min(quiet_since);
        let application = oldest.minus(UP_BEFORE);
        let started = cluster.started(application);
        if let Some(started) = started.filter(|_| cluster.states_start()) {
            let is_before = |at: Timestamp| at < started;
            let mut table = TableReader::new(&mut reading, keys::CASE_TABLE, Some(node));
            if head.states_quiet && is_before(quiet_since) {
                table.note_key(&keys::QUIET_FOR, BEFORE_START);
            }
            let mut table = TableReader::new(&mut reading, keys::SIGNALS_TABLE, signals_node);
            for (key, _) in stated.times().iter().filter(|(_, at)| is_before(*at)) {
                table.note_key(key, BEFORE_START);
            }
        }
        let mut signals = cluster.idle(started, started.unwrap_or(application), quiet_since);
        let mut answered = stated.answered();
        answered.extend(cluster.answered());
        stated.apply(&mut signals, quiet_since);
        let named = |known: &&WorkspaceSettings| Some(&known.name) == head.workspace.as_ref();
        let known = self.workspaces.iter().find(named);
        Some(Case {
            name: head.name?,
            line,
            has_metrics: known.is_none_or(|known| known.resource_id.is_some()),
            workspace: head.workspace,
            now: moment.now,
            signals,
            answered,
            expected: expected?,
        })
    }

    fn read_head(&mut self, node: Node<'_>) -> Head {
        let (file_now, workspaces) = (self.now, self.workspaces);
        let known_names = std::mem::take(&mut self.names);
        let mut reading = self.reading();
        let mut table = TableReader::new(&mut reading, keys::CASE_TABLE, Some(node));
        let name = table.required_text(&keys::NAME);
        if let Some(name) = name.as_ref().filter(|name| known_names.contains(name)) {
            let shown = Shown::text(name);
            let problem = format!("is \"{shown}\", as another case's; each needs its own");
            table.note_key(&keys::NAME, problem);
        }
        let own_now = table.text(&keys::NOW);
        let own_now = own_now.and_then(|now| table.parsed(&keys::NOW, &now, words::absolute));
        let now = own_now.or(file_now);
        let workspace = table.text(&keys::WORKSPACE);
        let workspace = workspace.and_then(|name| {
            table.parsed(&keys::WORKSPACE, &name, |name| {
                known_workspace(name, workspaces)
            })
        });
        let head = Head {
            name: name.clone(),
            moment: Moment {
                now: now.unwrap_or(DEFAULT_NOW),
                is_stated: now.is_some(),
            },
            workspace,
            quiet_for: table.duration(&keys::QUIET_FOR),
            states_quiet: table.has(&keys::QUIET_FOR),
        };
        self.names = known_names;
        self.names.extend(name);
        head
    }
}

/// Spark and metrics of a driver tell nothing of a time before it was there.
const BEFORE_START: &str = "reaches back beyond `cluster.started`, before which nobody could tell";

/// What stands in `[[case]]` itself.
struct Head {
    name: Option<String>,
    moment: Moment,
    workspace: Option<String>,
    quiet_for: Duration,
    states_quiet: bool,
}

/// The name as the policy spells it. A policy without workspaces knows none, and
/// then any will do.
fn known_workspace(name: &str, workspaces: &[WorkspaceSettings]) -> Result<String, String> {
    if workspaces.is_empty() {
        return Ok(name.to_owned());
    }
    let names = workspaces.iter().map(|known| known.name.as_str());
    let same = |known: &&str| known.to_lowercase() == name.to_lowercase();
    match names.clone().find(same) {
        Some(known) => Ok(known.to_owned()),
        None => Err(format!(
            "is \"{}\", which the policy does not list; {}",
            Shown::name(name),
            nearest::suggestion_of_many(name, names.clone(), names)
        )),
    }
}

#[cfg(test)]
mod tests;
