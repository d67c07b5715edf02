//! Everything that an operator sets, read once, checked as a whole.
//!
//! App settings and the policy document go in, `Settings` or the list of all
//! mistakes comes out. Nothing here asks the process: the environment and the
//! reading of files are handed in by `main`. A value outside its range, an
//! unknown key and an unknown variable are refused, never guessed, because a
//! default that is silently in force may terminate what was meant to be kept.
//! Stands before the data path: every stage is handed its part.

mod case_file;
mod cloud_choice;
mod document;
mod entrance;
mod environment;
mod host_json;
mod key;
mod limits;
mod local_file;
mod mistakes;
mod names;
pub(crate) mod nearest;
mod overrides;
mod policy_document;
mod policy_file;
mod principals;
mod reference;
mod table;
mod tables;
pub(crate) mod values;
mod workspaces;

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use self::cloud_choice::Choice;
use self::document::Document;
use self::mistakes::Mistakes;
use self::principals::PrincipalTable;
use self::table::{Node, Reading, Source, TableReader};
use crate::cloud::Cloud;
use crate::identity::PrincipalName;
use crate::logging;
use crate::policy::{Mode, PolicySet};

pub use self::case_file::{CASE_TABLES, case_reference_markdown, read_cases};
pub use self::document::ReadFile;
pub use self::environment::Environment;
pub use self::key::Key;
pub use self::limits::Limits;
pub use self::local_file::local_values;
pub use self::mistakes::{Mistake, SettingsError};
pub use self::names::{
    APP_ROOT, APP_SETTINGS, AppSetting, CLIENT_CERTIFICATE_SECRET, CLIENT_ID, CLIENT_ID_SECRET,
    CLIENT_SECRET_SECRET, CLOUD, CREDENTIAL, FUNCTION_TIMEOUT, IDENTITY_ENDPOINT, IDENTITY_HEADER,
    KEY_VAULT_URL, LOG, MANAGED_IDENTITY_CLIENT_ID, MODE, PLATFORM_SETTINGS, POLICY, POLICY_FILE,
    PORT, SSL_CERT_FILE, TENANT_ID, TENANT_ID_SECRET,
};
pub use self::policy_file::PolicyFile;
pub use self::principals::PrincipalSettings;
pub use self::reference::{reference, reference_markdown};
pub use self::tables::{TABLES, TableReference};
pub use self::workspaces::WorkspaceSettings;
pub(crate) use self::workspaces::parse_mode;

/// How App Service hands out tokens of the managed identity.
#[derive(Debug, Clone)]
pub struct ManagedIdentity {
    /// `IDENTITY_ENDPOINT`.
    pub endpoint: Url,
    /// `IDENTITY_HEADER`.
    pub header: SecretString,
}

/// Everything that an operator sets.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What a sweep may do at most.
    pub mode: Mode,
    pub cloud: Cloud,
    /// The main one first, where there is one, then in the order of the document.
    pub principals: Vec<PrincipalSettings>,
    pub policy: PolicySet,
    /// In the order of the document; may be empty.
    pub workspaces: Vec<WorkspaceSettings>,
    pub limits: Limits,
    /// Absent outside App Service; then the Azure CLI's login is used.
    pub managed_identity: Option<ManagedIdentity>,
    /// PEM file with certificate authorities to trust besides the built-in ones.
    pub ssl_cert_file: Option<PathBuf>,
    /// The host's `functionTimeout`; `None` where it has none.
    pub function_timeout: Option<Duration>,
    /// What is legal but probably not meant, one sentence each.
    pub warnings: Vec<String>,
}

/// The app settings, as far as each could be read.
struct AppSettings {
    mode: Mode,
    choice: Choice,
    managed_identity: Option<ManagedIdentity>,
}

impl Settings {
    /// Reads and checks everything. `working_directory` is the app root where
    /// the host does not name one.
    ///
    /// # Errors
    ///
    /// Every mistake that was found, at once.
    pub fn read(
        environment: &Environment,
        working_directory: &Path,
        read_file: ReadFile<'_>,
    ) -> Result<Self, SettingsError> {
        let mut mistakes = Mistakes::default();
        let mut warnings = Vec::new();
        names::refuse_unknown(environment.names(), &mut mistakes);
        let app = read_app_settings(environment, &mut mistakes);
        let app_root = environment
            .get(APP_ROOT.name)
            .map_or(working_directory, Path::new);
        let function_timeout = host_json::function_timeout(
            environment,
            app_root,
            read_file,
            &mut warnings,
            &mut mistakes,
        );
        let source = document::find_source(environment, app_root, read_file, &mut mistakes);
        let parts = read_document(&source, environment, &app.choice, app.mode, &mut mistakes);
        if let (Some(timeout), Some(parts)) = (function_timeout, &parts) {
            refuse_long_margin(timeout, &parts.limits, &mut mistakes);
        }
        let cloud = match &parts {
            Some(parts) => parts.cloud.clone(),
            None => app.choice.known(),
        };
        let needs_main = parts.as_ref().is_none_or(Parts::need_main);
        let (parts, tables) = parts.map(Parts::without_principals).unzip();
        let tables = tables.unwrap_or_default();
        let principals = principals::read(
            environment,
            cloud.as_ref(),
            tables,
            needs_main,
            &mut mistakes,
        );
        match (mistakes.into_error(), cloud, parts) {
            (None, Some(cloud), Some(parts)) => {
                warnings.extend(parts.warnings(&principals));
                Ok(Self {
                    mode: app.mode,
                    cloud,
                    principals,
                    policy: parts.policy,
                    workspaces: parts.workspaces,
                    limits: parts.limits,
                    managed_identity: app.managed_identity,
                    ssl_cert_file: environment.get(SSL_CERT_FILE.name).map(PathBuf::from),
                    function_timeout,
                    warnings,
                })
            }
            (error, ..) => Err(error.unwrap_or_default()),
        }
    }

    /// How long a sweep that the host asked for may take: it answers before the
    /// host's timeout, which would kill the process with every other invocation.
    #[must_use]
    pub fn invocation_deadline(&self) -> Duration {
        match self.function_timeout {
            Some(timeout) => timeout.saturating_sub(self.limits.function_timeout_margin),
            None => self.limits.sweep_deadline,
        }
    }
}

/// The port that the host wants `serve` to listen on.
///
/// # Errors
///
/// A sentence that names the variable.
pub fn port(environment: &Environment) -> Result<u16, String> {
    let name = PORT.name;
    let Some(text) = environment.get(name) else {
        return Err(format!(
            "`{name}` is not set; the Functions host sets it when it starts `serve`"
        ));
    };
    match text.parse() {
        Ok(port) if port > 0 => Ok(port),
        Ok(_) | Err(_) => Err(format!(
            "`{name}` is not a port; write a number up to 65535"
        )),
    }
}

fn read_app_settings(environment: &Environment, mistakes: &mut Mistakes) -> AppSettings {
    let mode = environment.get(MODE.name).unwrap_or(MODE.default);
    let mode = workspaces::parse_mode(mode).unwrap_or_else(|problem| {
        mistakes.note_setting(MODE.name, problem);
        Mode::Report
    });
    let choice = Choice::read(environment, mistakes);
    if let Some(Err(problem)) = environment.get(LOG.name).map(logging::parse_filter) {
        mistakes.note_setting(LOG.name, problem);
    }
    AppSettings {
        mode,
        choice,
        managed_identity: read_managed_identity(environment, mistakes),
    }
}

fn read_managed_identity(
    environment: &Environment,
    mistakes: &mut Mistakes,
) -> Option<ManagedIdentity> {
    let endpoint = environment.get(IDENTITY_ENDPOINT.name);
    let header = environment.get(IDENTITY_HEADER.name);
    let (endpoint, header) = match (endpoint, header) {
        (None, None) => return None,
        (Some(endpoint), Some(header)) => (endpoint, header),
        (given, _) => {
            let (present, absent) = match given {
                Some(_) => (IDENTITY_ENDPOINT, IDENTITY_HEADER),
                None => (IDENTITY_HEADER, IDENTITY_ENDPOINT),
            };
            let problem = format!("is set without `{}`; set both or neither", absent.name);
            mistakes.note_setting(present.name, problem);
            return None;
        }
    };
    match Url::parse(endpoint) {
        Ok(endpoint) => Some(ManagedIdentity {
            endpoint,
            header: SecretString::from(header),
        }),
        Err(_) => {
            mistakes.note_setting(
                IDENTITY_ENDPOINT.name,
                "is not an address; the platform sets it, so leave it alone",
            );
            None
        }
    }
}

/// What the policy document holds.
struct Parts {
    /// Whether there is any `[[principal]]`, with or without mistakes.
    has_principals: bool,
    /// `None` where its choice or its table is a mistake.
    cloud: Option<Cloud>,
    principals: Vec<PrincipalTable>,
    policy: PolicySet,
    workspaces: Vec<WorkspaceSettings>,
    limits: Limits,
    warnings: Vec<String>,
}

impl Parts {
    fn uses(&self, principal: &PrincipalName) -> bool {
        self.workspaces.iter().any(|workspace| {
            workspace.principal == *principal
                || workspace.spark_principal.as_ref() == Some(principal)
        })
    }

    /// Whether there has to be a main principal. Without any other an installation
    /// that is only begun hears what it lacks.
    fn need_main(&self) -> bool {
        !self.has_principals || self.uses(&PrincipalName::main())
    }

    fn without_principals(mut self) -> (Self, Vec<PrincipalTable>) {
        let principals = std::mem::take(&mut self.principals);
        (self, principals)
    }

    fn warnings(&self, principals: &[PrincipalSettings]) -> Vec<String> {
        let mut warnings = self.warnings.clone();
        if self.workspaces.is_empty() {
            warnings.push(
                "the policy lists no [[workspaces]], so there is nothing to look at".to_owned(),
            );
        } else {
            let unused = principals.iter().filter(|one| !self.uses(&one.name));
            warnings.extend(unused.map(|one| {
                format!(
                    "no workspace names the principal `{}`, so it is not used",
                    one.name
                )
            }));
            warnings.extend(principals::strangers(&self.workspaces, principals));
        }
        if !self.policy.base.spark_witness && !self.policy.base.nodes_witness {
            warnings.push(
                "both witnesses are switched off in the policy, so nothing can be terminated"
                    .to_owned(),
            );
        }
        warnings
    }
}

/// `None` where the document is no TOML, which is noted.
fn read_document(
    source: &Source,
    environment: &Environment,
    choice: &Choice,
    mode: Mode,
    mistakes: &mut Mistakes,
) -> Option<Parts> {
    let root = document::parse(source, mistakes)?;
    let document = Document::sort(root.get_ref(), source, mistakes);
    let cloud = choice.cloud(document.cloud, source, environment, mistakes);
    let known = principals::known(&document);
    let spark =
        policy_document::read_spark_principal(&document, source, environment, &known, mistakes);
    let users = workspaces::Known {
        cloud: cloud.as_ref(),
        principals: &known,
    };
    let mut workspaces = workspaces::read(&document, source, environment, mode, &users, mistakes);
    let is_on = spark.is_some();
    let tables = principals::read_tables(&document, source, environment, cloud.as_ref(), mistakes);
    Some(Parts {
        has_principals: !document.principals.is_empty(),
        cloud,
        principals: tables,
        warnings: workspaces::ask_drivers_as(&mut workspaces, spark.as_ref()),
        workspaces,
        policy: PolicySet {
            base: policy_document::read(&document, source, environment, is_on, mistakes),
            overrides: overrides::read(&document, source, environment, mistakes),
        },
        limits: read_limits(document.limits, source, environment, mistakes),
    })
}

fn read_limits(
    node: Option<Node<'_>>,
    source: &Source,
    environment: &Environment,
    mistakes: &mut Mistakes,
) -> Limits {
    let mut reading = Reading {
        source,
        environment,
        mistakes,
    };
    limits::read(&mut TableReader::new(&mut reading, tables::LIMITS, node))
}

fn refuse_long_margin(timeout: Duration, limits: &Limits, mistakes: &mut Mistakes) {
    let margin = limits.function_timeout_margin;
    if margin >= timeout {
        mistakes.note_setting(
            limits::FUNCTION_TIMEOUT_MARGIN.name,
            format!(
                "of [limits] is \"{}\", which leaves nothing of the host's `functionTimeout` of \"{}\"; shorten the one or lengthen the other",
                values::show_duration(margin),
                values::show_duration(timeout)
            ),
        );
    }
}

#[cfg(test)]
mod tests;
