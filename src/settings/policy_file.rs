//! The policy without the rest of the settings: what is needed to test and to
//! lint it, on a machine that knows no vault and no network.
//!
//! Finds the document as a sweep does, or where the command line says, and
//! holds it to the same rules. App settings that override single keys count
//! here too, because they count in a sweep.

use std::path::Path;

use super::document::{self, ReadFile};
use super::environment::Environment;
use super::mistakes::{Mistakes, Place, SettingsError};
use super::names::{self, APP_ROOT};
use super::table::Source;
use super::tables;
use super::workspaces::WorkspaceSettings;
use crate::escape::Shown;
use crate::policy::{Mode, Policy};

/// The policy document, read and found to be right.
#[derive(Debug)]
pub struct PolicyFile {
    pub policy: Policy,
    pub workspaces: Vec<WorkspaceSettings>,
    /// The app settings that beat the document, by name.
    pub overridden_by: Vec<String>,
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
        let parts = super::read_document(&source, environment, Mode::Terminate, &mut mistakes);
        match (mistakes.into_error(), parts) {
            (None, Some(parts)) => Ok(Self {
                policy: parts.policy,
                workspaces: parts.workspaces,
                overridden_by: overridden_by(environment),
                source,
            }),
            (error, _) => Err(error.unwrap_or_default()),
        }
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

fn read_source(
    working_directory: &Path,
    path: &Path,
    read_file: ReadFile<'_>,
    mistakes: &mut Mistakes,
) -> Source {
    let name = path.display().to_string();
    let text = read_file(&working_directory.join(path)).unwrap_or_else(|error| {
        let problem = format!("cannot be read ({error})");
        mistakes.note(Place::File("policy".to_owned()), &name, problem);
        String::new()
    });
    Source { name, text }
}

fn overridden_by(environment: &Environment) -> Vec<String> {
    tables::overridable()
        .map(|(part, key)| tables::override_name(part, key))
        .filter(|name| environment.get(name).is_some())
        .collect()
}
