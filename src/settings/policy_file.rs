//! The policy without the rest of the settings: what is needed to test and to
//! lint it, on a machine that knows no vault and no network.
//!
//! Finds the document as a sweep does, or where the command line says, and
//! holds it to the same rules. App settings that override single keys count
//! here too, because they count in a sweep.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::cloud_choice::Choice;
use super::document::{self, ReadFile};
use super::environment::Environment;
use super::mistakes::{Mistakes, Place, SettingsError};
use super::names::{self, APP_ROOT};
use super::table::Source;
use super::tables;
use super::workspaces::WorkspaceSettings;
use crate::escape::Shown;
use crate::policy::{Mode, PolicySet};
use crate::policy_lint::{self, KnownWorkspace, Linted, Subject, Table, Warning};
use crate::timestamp::Timestamp;

/// The policy document, read and found to be right.
#[derive(Debug)]
pub struct PolicyFile {
    pub policy: PolicySet,
    pub workspaces: Vec<WorkspaceSettings>,
    /// The policy of an empty document.
    defaults: PolicySet,
    /// The app settings that beat the document, by name.
    overridden_by: Vec<String>,
    source: Source,
}

impl PolicyFile {
    /// Reads the policy from `file`, or from where a sweep would find it.
    ///
    /// # Errors
    ///
    /// Every mistake that was found, at once.
    pub fn read(
        environment: &Environment,
        working_directory: &Path,
        file: Option<&Path>,
        read_file: ReadFile<'_>,
    ) -> Result<Self, SettingsError> {
        let mut mistakes = Mistakes::default();
        names::refuse_unknown(environment.names(), &mut mistakes);
        let source = match file {
            Some(path) => read_source(working_directory, path, read_file, &mut mistakes),
            None => {
                let app_root = environment.get(APP_ROOT.name);
                let app_root = app_root.map_or(working_directory, Path::new);
                document::find_source(environment, app_root, read_file, &mut mistakes)
            }
        };
        // Modes come after the decision; the widest refuses nothing.
        let mode = Mode::Terminate;
        let choice = Choice::read(environment, &mut mistakes);
        let parts = super::read_document(&source, environment, &choice, mode, &mut mistakes);
        match (mistakes.into_error(), parts, defaults()) {
            (None, Some(parts), Some(defaults)) => Ok(Self {
                defaults,
                policy: parts.policy,
                workspaces: parts.workspaces,
                overridden_by: overridden_by(environment),
                source,
            }),
            (error, ..) => Err(error.unwrap_or_default()),
        }
    }

    /// What is legal and probably not meant, each with its place: a line, or the app
    /// setting that beats it.
    #[must_use]
    pub fn lint(&self, now: Timestamp) -> Vec<(String, Warning)> {
        let workspaces = self.workspaces.iter();
        let workspaces: Vec<KnownWorkspace<'_>> = workspaces
            .map(|workspace| KnownWorkspace {
                name: &workspace.name,
                has_resource_id: workspace.resource_id.is_some(),
            })
            .collect();
        let found = policy_lint::lint(&Linted {
            policy: &self.policy,
            defaults: &self.defaults.base,
            workspaces: &workspaces,
            now,
        });
        // It was read without a mistake, so it parses again.
        let mut none = Mistakes::default();
        let root = document::parse(&self.source, &mut none);
        let root = root.as_ref().map(Spanned::get_ref);
        let placed = found.into_iter();
        let mut placed: Vec<(Place, Warning)> = placed
            .map(|warning| (self.place(root, &warning.subject), warning))
            .collect();
        placed.sort_by(|(one, _), (other, _)| one.cmp(other));
        let placed = placed.into_iter();
        let named = |subject: &Subject| override_of(subject).unwrap_or_default();
        placed
            .map(|(place, warning)| match place {
                Place::Setting => (named(&warning.subject), warning),
                Place::Line { .. } | Place::File(_) => (place.to_string(), warning),
            })
            .collect()
    }

    fn place(&self, root: Option<&DeTable<'_>>, subject: &Subject) -> Place {
        let variable = override_of(subject);
        if variable.is_some_and(|variable| self.overridden_by.contains(&variable)) {
            return Place::Setting;
        }
        let offset = root.and_then(|root| offset_of(root, subject));
        self.source.place(offset.unwrap_or(0))
    }

    /// What the document is called, a file or the app setting that holds it, and
    /// which app settings beat it.
    #[must_use]
    pub fn title(&self) -> String {
        let name = Shown::text(&self.source.name);
        if self.overridden_by.is_empty() {
            return name.to_string();
        }
        format!("{name} and {}", self.overridden_by.join(", "))
    }
}

/// What the parsers make of an empty document.
fn defaults() -> Option<PolicySet> {
    let empty = Source::new(String::new(), String::new());
    let mut mistakes = Mistakes::default();
    let nothing = Environment::default();
    let choice = Choice::read(&nothing, &mut mistakes);
    let parts = super::read_document(&empty, &nothing, &choice, Mode::Report, &mut mistakes);
    parts.map(|parts| parts.policy)
}

fn read_source(
    working_directory: &Path,
    path: &Path,
    read_file: ReadFile<'_>,
    mistakes: &mut Mistakes,
) -> Source {
    let name = path.display().to_string();
    let text = read_file(&working_directory.join(path)).unwrap_or_else(|error| {
        let problem = format!("cannot be read ({})", document::why_unread(&error));
        mistakes.note(Place::File("policy".to_owned()), &name, problem);
        String::new()
    });
    Source::new(name, text)
}

fn overridden_by(environment: &Environment) -> Vec<String> {
    tables::overridable()
        .map(|(part, key)| tables::override_name(part, key))
        .filter(|name| environment.get(name).is_some())
        .collect()
}

/// The app setting that can beat a key of `[policy]`.
fn override_of(subject: &Subject) -> Option<String> {
    match subject.table {
        Table::Policy => tables::override_of(tables::POLICY, subject.key),
        Table::Witness | Table::Workspaces(_) | Table::Exempt(_) | Table::Override(_) => None,
    }
}

/// Where a subject stands: its item, else its key, else its table.
fn offset_of(root: &DeTable<'_>, subject: &Subject) -> Option<usize> {
    let (name, index) = match subject.table {
        Table::Policy => ("policy", None),
        Table::Witness => ("witness", None),
        Table::Workspaces(index) => ("workspaces", Some(index)),
        Table::Exempt(index) => ("exempt", Some(index)),
        Table::Override(index) => ("override", Some(index)),
    };
    let value = find(root, name)?;
    let value = match index {
        Some(index) => value.get_ref().as_array()?.get(index)?,
        None => value,
    };
    let table = value.get_ref().as_table()?;
    let table = match subject.table {
        Table::Witness => find(table, "nodes")?.get_ref().as_table()?,
        Table::Policy | Table::Workspaces(_) | Table::Exempt(_) | Table::Override(_) => table,
    };
    let Some(key) = find(table, subject.key) else {
        return Some(value.span().start);
    };
    let items = key.get_ref().as_array();
    let item = items.zip(subject.item);
    let item = item.and_then(|(items, item)| items.get(item));
    Some(item.unwrap_or(key).span().start)
}

fn find<'d>(table: &'d DeTable<'d>, name: &str) -> Option<&'d Spanned<DeValue<'d>>> {
    let mut entries = table.iter();
    let entry = entries.find(|(known, _)| known.get_ref() == name);
    entry.map(|(_, value)| value)
}

#[cfg(test)]
mod tests;
