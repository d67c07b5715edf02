//! The service principals: the one of the app settings, which is called main, and
//! those of `[[principal]]`.
//!
//! Both are made of the same parts and read by the same rules, each under its own
//! names. The main one need not exist where nobody uses it.

mod parts;
mod written;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use url::Url;

use self::written::{AppSettings, NAME, Part, Written};
use super::cloud_choice;
use super::document::Document;
use super::environment::Environment;
use super::mistakes::Mistakes;
use super::table::{Node, Reading, Source, TableReader};
use super::workspaces::WorkspaceSettings;
use super::{nearest, tables, workspaces};
use crate::cloud::Cloud;
use crate::escape::Shown;
use crate::identity::{PrincipalName, PrincipalSource, is_client_id};

pub(super) use self::written::KEYS;

/// One service principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalSettings {
    pub name: PrincipalName,
    /// The vault that holds its secrets; `None` where it has none in any.
    pub key_vault_url: Option<Url>,
    /// Of the user-assigned identity that reads the vault and proves it.
    pub managed_identity_client_id: Option<String>,
    pub source: PrincipalSource,
}

/// So many names are compared with wrong ones, in sum: every wrong name costs as many
/// comparisons as there are names, and a generated policy may have thousands of both.
const MOST_COMPARISONS: usize = 10_000;

/// The names that a workspace or the Spark witness may write.
#[derive(Debug)]
pub(super) struct KnownPrincipals {
    /// In the order of the document, the main one first.
    listed: Vec<PrincipalName>,
    names: BTreeSet<PrincipalName>,
    comparisons_left: Cell<usize>,
}

impl KnownPrincipals {
    /// The principal of this name.
    pub(super) fn find(&self, name: &str) -> Result<PrincipalName, String> {
        let wanted = PrincipalName::new(name);
        if self.names.contains(&wanted) {
            return Ok(wanted);
        }
        let known = || self.listed.iter().map(PrincipalName::as_str);
        let compared = known().take(self.comparisons());
        Err(format!(
            "is \"{}\", which is no principal; {}",
            Shown::new(name, workspaces::NAME_CHARS),
            nearest::suggestion_of_many(name, compared, known())
        ))
    }

    /// How many names to compare with the next wrong one: all, or none, because the
    /// nearest of some may be far from the nearest.
    fn comparisons(&self) -> usize {
        let all = self.listed.len();
        match self.comparisons_left.get().checked_sub(all) {
            Some(left) => {
                self.comparisons_left.set(left);
                all
            }
            None => 0,
        }
    }
}

/// The names of all principals, those with a mistake in another key included.
pub(super) fn known(document: &Document<'_>) -> KnownPrincipals {
    let written = document.principals.iter().filter_map(|node| {
        let mut entries = node.table.iter();
        let (_, value) = entries.find(|(name, _)| name.get_ref() == NAME.name)?;
        value.get_ref().as_str().map(str::trim)
    });
    let main = std::iter::once(PrincipalName::MAIN);
    let listed: Vec<_> = main.chain(written).map(PrincipalName::new).collect();
    KnownPrincipals {
        names: listed.iter().cloned().collect(),
        listed,
        comparisons_left: Cell::new(MOST_COMPARISONS),
    }
}

/// A principal of the document, whose vault may be that of the app settings.
#[derive(Debug)]
pub(super) struct PrincipalTable {
    name: PrincipalName,
    key_vault_url: Option<Url>,
    /// Whether it needs the vault of the app settings, mistakes elsewhere aside.
    lacks_a_vault: bool,
    managed_identity_client_id: Option<String>,
    /// `None` after a mistake, which is noted.
    source: Option<PrincipalSource>,
}

/// Reads every `[[principal]]`; one with a mistake is left out and noted.
pub(super) fn read_tables(
    document: &Document<'_>,
    source: &Source,
    environment: &Environment,
    cloud: Option<&Cloud>,
    mistakes: &mut Mistakes,
) -> Vec<PrincipalTable> {
    let mut reading = Reading {
        source,
        environment,
        mistakes,
    };
    let mut taken = BTreeSet::new();
    let tables = document.principals.iter();
    tables
        .filter_map(|node| read_table(&mut reading, *node, cloud, &mut taken))
        .collect()
}

fn read_table(
    reading: &mut Reading<'_>,
    node: Node<'_>,
    cloud: Option<&Cloud>,
    taken: &mut BTreeSet<String>,
) -> Option<PrincipalTable> {
    let mut table = TableReader::new(reading, tables::PRINCIPAL, Some(node));
    let name = table.required_text(&NAME);
    let name = name.and_then(|name| table.parsed(&NAME, &name, parse_name));
    if let Some(name) = &name
        && !taken.insert(name.to_lowercase())
    {
        let name = Shown::new(name, workspaces::NAME_CHARS);
        table.note_key(&NAME, format!("is taken by another principal, \"{name}\""));
    }
    let key_vault_url = read_vault(&mut table, cloud);
    let managed_identity_client_id = read_managed_identity(&mut table);
    let source = parts::read(&mut table);
    let has_vault = Written::is_given(&table, Part::KeyVaultUrl);
    Some(PrincipalTable {
        name: PrincipalName::new(&name?),
        key_vault_url,
        lacks_a_vault: !has_vault && parts::read_a_vault(&mut table),
        managed_identity_client_id,
        source,
    })
}

fn parse_name(text: &str) -> Result<String, String> {
    if text.eq_ignore_ascii_case(PrincipalName::MAIN) {
        return Err(format!(
            "is \"{}\", which is what the principal of the app settings is called; choose another name",
            Shown::new(text, workspaces::NAME_CHARS)
        ));
    }
    workspaces::parse_name(text)
}

/// Puts the principals together: the main one first, if there is one, then those of
/// the document. `is_used` says whether anyone uses the main one.
pub(super) fn read(
    environment: &Environment,
    cloud: Option<&Cloud>,
    tables: Vec<PrincipalTable>,
    is_used: bool,
    mistakes: &mut Mistakes,
) -> Vec<PrincipalSettings> {
    let mut main = AppSettings {
        environment,
        mistakes,
    };
    let is_begun = Part::OWN.iter().any(|part| main.is_given(*part));
    let shared_vault = read_vault(&mut main, cloud);
    let shared_identity = read_managed_identity(&mut main);
    let mut found = Vec::new();
    if is_used || is_begun {
        found.push(PrincipalTable {
            name: PrincipalName::main(),
            key_vault_url: None,
            lacks_a_vault: parts::read_a_vault(&mut main),
            managed_identity_client_id: None,
            source: parts::read(&mut main),
        });
    }
    found.extend(tables);
    let lacking: Vec<String> = found
        .iter()
        .filter(|principal| principal.lacks_a_vault)
        .map(|principal| format!("`{}`", principal.name))
        .collect();
    if !lacking.is_empty() && !main.is_given(Part::KeyVaultUrl) {
        note_missing_vault(&mut main, &lacking);
    }
    let complete = found.into_iter().filter_map(|principal| {
        let PrincipalTable {
            name,
            key_vault_url,
            lacks_a_vault: _,
            managed_identity_client_id,
            source,
        } = principal;
        let identity = managed_identity_client_id.or_else(|| shared_identity.clone());
        Some(PrincipalSettings {
            name,
            key_vault_url: key_vault_url.or_else(|| shared_vault.clone()),
            managed_identity_client_id: identity,
            source: source?,
        })
    });
    complete.collect()
}

/// Says whose secrets have no vault, where that is not plain.
fn note_missing_vault(main: &mut AppSettings<'_>, lacking: &[String]) {
    if lacking == ["`main`"] {
        main.note_missing(Part::KeyVaultUrl);
        return;
    }
    let meaning = Part::KeyVaultUrl.setting().meaning;
    let names = nearest::first_of(lacking.iter().cloned());
    main.note(
        Part::KeyVaultUrl,
        format!("is not set, and {names} would be read from there: {meaning}"),
    );
}

fn read_vault(written: &mut dyn Written, cloud: Option<&Cloud>) -> Option<Url> {
    let url = written.text(Part::KeyVaultUrl)?;
    let parsed = cloud_choice::key_vault_url(cloud, &url);
    noted(written, Part::KeyVaultUrl, parsed)
}

/// A sentence for each workspace whose drivers would be asked as a principal of another
/// tenant, as far as the tenants are written down: no tenant takes another's tokens.
pub(super) fn strangers(
    workspaces: &[WorkspaceSettings],
    principals: &[PrincipalSettings],
) -> Vec<String> {
    let tenants = principals
        .iter()
        .map(|one| (&one.name, one.source.tenant()));
    let tenants: BTreeMap<_, _> = tenants.collect();
    let tenant = |name: &PrincipalName| tenants.get(name).copied().flatten();
    let stranger = |workspace: &WorkspaceSettings| {
        let asks = workspace.spark_principal.as_ref()?;
        let (home, away) = (tenant(&workspace.principal)?, tenant(asks)?);
        // A tenant has a GUID and domains, so only two of a kind can be compared.
        let is_comparable = home.contains('.') == away.contains('.');
        (is_comparable && !home.eq_ignore_ascii_case(away)).then(|| {
            format!(
                "the drivers of workspace `{}` would be asked as the principal `{asks}`, which is of another tenant and will be refused; name one of the workspace's tenant as its `spark_principal`",
                Shown::new(&workspace.name, workspaces::NAME_CHARS)
            )
        })
    };
    workspaces.iter().filter_map(stranger).collect()
}

fn read_managed_identity(written: &mut dyn Written) -> Option<String> {
    let id = written.text(Part::ManagedIdentityClientId)?;
    let parsed = if is_client_id(&id) {
        Ok(id)
    } else {
        Err("is no client id; write the GUID that the user-assigned identity shows as its client id".to_owned())
    };
    noted(written, Part::ManagedIdentityClientId, parsed)
}

fn noted<T>(written: &mut dyn Written, part: Part, parsed: Result<T, String>) -> Option<T> {
    parsed.map_err(|problem| written.note(part, problem)).ok()
}
