//! `[[workspaces]]`: keys, and the reading of them.
//!
//! Two tables that mean one workspace are refused, because its clusters would
//! be counted, capped and reported twice.

use std::collections::BTreeMap;

use url::Url;

use super::cloud_choice;
use super::document::Document;
use super::entrance::{self, ACCESS, RESOURCE_GROUP, RESOURCE_ID, SUBSCRIPTION_ID, WORKSPACE_NAME};
use super::environment::Environment;
use super::key::{Key, Kind};
use super::mistakes::Mistakes;
use super::principals::KnownPrincipals;
use super::table::{Reading, Source, TableReader};
use super::tables;
use super::values::SHOWN_CHARS;
use crate::cloud::Cloud;
use crate::escape::Shown;
use crate::identity::PrincipalName;
use crate::policy::{Access, Mode};

pub(super) const NAME_CHARS: usize = 64;

/// One workspace to sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkspaceSettings {
    /// The operator's name for it; unique without regard to case.
    pub name: String,
    /// `https://adb-….azuredatabricks.net/` or another cloud's zone, no path, no query.
    pub url: Url,
    /// The ARM id, which the nodes witness needs.
    pub resource_id: Option<String>,
    /// How the principal gets in.
    pub access: Access,
    /// What may happen here, already bounded by the global mode.
    pub mode: Mode,
    /// Whether the operator vouches that the principal sees every job run.
    pub sees_all_runs: bool,
    /// As whom it is swept.
    pub principal: PrincipalName,
    /// As whom its drivers are asked; `None` where the Spark witness is off.
    pub spark_principal: Option<PrincipalName>,
}

const fn text(name: &'static str, default: &'static str, meaning: &'static str) -> Key {
    Key::new(name, default, Kind::Text, meaning)
}

const NAME: Key = text(
    "name",
    "",
    "your name for the workspace, at most 64 characters; required",
);
const URL: Key = text(
    "url",
    "",
    "in the public cloud `https://adb-<number>.<number>.azuredatabricks.net`; required",
);
const MODE: Key = text(
    "mode",
    "",
    "`report` or `terminate`; absent, the global mode, which also bounds it",
);
const SEES_ALL_RUNS: Key = Key::new(
    "sees_all_runs",
    "false",
    Kind::Flag,
    "vouches that the principal sees every job run although it is no workspace admin",
);

const PRINCIPAL: Key = text(
    "principal",
    "main",
    "the principal that sweeps it: `main`, or the name of a [[principal]]",
);
const SPARK_PRINCIPAL: Key = text(
    "spark_principal",
    "",
    "the principal that asks its drivers; absent, that of [witness.spark]",
);

pub(super) const KEYS: &[Key] = &[
    NAME,
    URL,
    RESOURCE_ID,
    SUBSCRIPTION_ID,
    RESOURCE_GROUP,
    WORKSPACE_NAME,
    ACCESS,
    MODE,
    SEES_ALL_RUNS,
    PRINCIPAL,
    SPARK_PRINCIPAL,
];

/// What a workspace is held against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'k> {
    /// `None` where its choice is a mistake.
    pub(super) cloud: Option<&'k Cloud>,
    pub(super) principals: &'k KnownPrincipals,
}

/// Reads every workspace; one with a mistake is left out and noted.
pub(super) fn read(
    document: &Document<'_>,
    source: &Source,
    environment: &Environment,
    global_mode: Mode,
    known: &Known<'_>,
    mistakes: &mut Mistakes,
) -> Vec<WorkspaceSettings> {
    let mut reading = Reading {
        source,
        environment,
        mistakes,
    };
    let mut found: Vec<WorkspaceSettings> = Vec::new();
    let mut taken = Taken::default();
    for node in &document.workspaces {
        let mut table = TableReader::new(&mut reading, tables::WORKSPACES, Some(*node));
        if let Some(workspace) = read_one(&mut table, global_mode, known) {
            taken.refuse_repetition(&mut table, &workspace);
            found.push(workspace);
        }
    }
    found
}

fn read_one(
    table: &mut TableReader<'_>,
    global_mode: Mode,
    known: &Known<'_>,
) -> Option<WorkspaceSettings> {
    let name = table.required_text(&NAME);
    let name = name.and_then(|name| table.parsed(&NAME, &name, parse_name));
    let url = table.required_text(&URL);
    let parse_url = |text: &str| cloud_choice::workspace_url(known.cloud, text);
    let url = url.and_then(|url| table.parsed(&URL, &url, parse_url));
    let (resource_id, access) = entrance::read(table);
    let mode = match table.text(&MODE) {
        Some(mode) => table.parsed(&MODE, &mode, parse_mode),
        None => Some(global_mode),
    };
    let sees_all_runs = table.flag(&SEES_ALL_RUNS);
    let mut principal = |key: &Key| {
        let name = table.text(key)?;
        table.parsed(key, &name, |name| known.principals.find(name))
    };
    let (asks, asks_drivers) = (principal(&PRINCIPAL), principal(&SPARK_PRINCIPAL));
    Some(WorkspaceSettings {
        name: name?,
        url: url?,
        resource_id,
        access: access?,
        mode: mode?.min(global_mode),
        sees_all_runs,
        principal: asks.unwrap_or_default(),
        spark_principal: asks_drivers,
    })
}

/// Gives each workspace that names no principal for its drivers that of the Spark
/// witness. Where the witness is off, none is asked, and who named one hears of it.
pub(super) fn ask_drivers_as(
    workspaces: &mut [WorkspaceSettings],
    principal: Option<&PrincipalName>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    for workspace in workspaces {
        match (principal, &workspace.spark_principal) {
            (Some(_), Some(_)) | (None, None) => {}
            (Some(principal), None) => workspace.spark_principal = Some(principal.clone()),
            (None, Some(_)) => {
                workspace.spark_principal = None;
                warnings.push(format!(
                    "workspace `{}` names a `spark_principal`, which asks nothing while the Spark witness is off; add [witness.spark], or take the key out",
                    Shown::new(&workspace.name, NAME_CHARS)
                ));
            }
        }
    }
    warnings
}

/// What only one workspace can have, each with the name of the first that has it.
#[derive(Default)]
struct Taken {
    names: BTreeMap<String, String>,
    urls: BTreeMap<String, String>,
    resource_ids: BTreeMap<String, String>,
}

impl Taken {
    /// Looked up, because a policy may list thousands.
    fn refuse_repetition(&mut self, table: &mut TableReader<'_>, workspace: &WorkspaceSettings) {
        let name = &workspace.name;
        if let Some(other) = first(&mut self.names, name.to_lowercase(), name) {
            let problem = format!("is taken by another workspace, \"{other}\"");
            table.note_key(&NAME, problem);
        }
        if let Some(other) = first(&mut self.urls, workspace.url.to_string(), name) {
            let problem = format!("is also the url of \"{other}\"; write it once");
            table.note_key(&URL, problem);
        }
        let id = workspace
            .resource_id
            .as_deref()
            .map(str::to_ascii_lowercase);
        if let Some(other) = id.and_then(|id| first(&mut self.resource_ids, id, name)) {
            let problem = format!("is also the resource id of \"{other}\"; one of them is wrong");
            table.note_key(&RESOURCE_ID, problem);
        }
    }
}

/// Who took it before; `name` takes it if nobody did.
fn first(taken: &mut BTreeMap<String, String>, what: String, name: &str) -> Option<String> {
    if let Some(other) = taken.get(&what) {
        return Some(Shown::new(other, NAME_CHARS).to_string());
    }
    taken.insert(what, name.to_owned());
    None
}

pub(super) fn parse_name(text: &str) -> Result<String, String> {
    if text.chars().count() > NAME_CHARS {
        return Err(format!("has more than {NAME_CHARS} characters"));
    }
    if Shown::new(text, usize::MAX).to_string() != text {
        return Err(
            "holds a character that cannot be shown, a quote or a backslash; write a plain name"
                .to_owned(),
        );
    }
    Ok(text.to_owned())
}

/// `report` or `terminate`.
pub(crate) fn parse_mode(text: &str) -> Result<Mode, String> {
    [Mode::Report, Mode::Terminate]
        .into_iter()
        .find(|mode| mode.as_str() == text)
        .ok_or_else(|| {
            format!(
                "is \"{}\"; write `report` or `terminate`",
                Shown::new(text, SHOWN_CHARS)
            )
        })
}
