//! Which cloud: the app setting that chooses one, and the `[cloud]` table with the
//! endpoints of a custom one.
//!
//! Setting and table must agree, because either alone is a slip: a table that
//! counts for nothing, or a cloud of which nothing is known.

use url::Url;

use super::environment::Environment;
use super::key::{Key, Kind};
use super::mistakes::Mistakes;
use super::names::CLOUD;
use super::table::{Node, Reading, Source, TableReader};
use super::tables;
use super::values::SHOWN_CHARS;
use crate::cloud::{self, Cloud, Endpoint, Endpoints};
use crate::escape::Shown;

const fn endpoint(endpoint: Endpoint, meaning: &'static str) -> Key {
    Key::new(endpoint.name(), "", Kind::Text, meaning)
}

const LOGIN_HOST: Key = endpoint(
    Endpoint::LoginHost,
    "host that issues tokens, such as `login.microsoftonline.us`; required",
);
const RESOURCE_MANAGER: Key = endpoint(
    Endpoint::ResourceManager,
    "host of Azure Resource Manager, such as `management.usgovcloudapi.net`; required",
);
const KEY_VAULT_SUFFIX: Key = endpoint(
    Endpoint::KeyVaultSuffix,
    "what follows a vault's name in its host, such as `vault.usgovcloudapi.net`; required",
);
const DATABRICKS_ZONE: Key = endpoint(
    Endpoint::DatabricksZone,
    "what follows `adb-<number>.<number>` in a workspace's host, such as `databricks.azure.us`; required",
);
const DATABRICKS_SCOPE: Key = endpoint(
    Endpoint::DatabricksScope,
    "scope of tokens for Databricks, `2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default` in every known cloud; required",
);
const RESOURCE_MANAGER_SCOPE: Key = endpoint(
    Endpoint::ResourceManagerScope,
    "scope of tokens for Azure Resource Manager, such as `https://management.usgovcloudapi.net/.default`; required",
);
const MANAGEMENT_SCOPE: Key = endpoint(
    Endpoint::ManagementScope,
    "scope of tokens for service management, such as `https://management.core.usgovcloudapi.net//.default`, with two slashes; required",
);
const TOKEN_EXCHANGE_AUDIENCE: Key = endpoint(
    Endpoint::TokenExchangeAudience,
    "audience of federated credentials, such as `api://AzureADTokenExchangeUSGov`; required",
);

pub(super) const KEYS: &[Key] = &[
    LOGIN_HOST,
    RESOURCE_MANAGER,
    KEY_VAULT_SUFFIX,
    DATABRICKS_ZONE,
    DATABRICKS_SCOPE,
    RESOURCE_MANAGER_SCOPE,
    MANAGEMENT_SCOPE,
    TOKEN_EXCHANGE_AUDIENCE,
];

/// What the app setting says.
#[derive(Debug)]
pub(super) enum Choice {
    Known(Box<Cloud>),
    Custom,
    /// No cloud's name, which is noted.
    Unclear,
}

impl Choice {
    pub(super) fn read(environment: &Environment, mistakes: &mut Mistakes) -> Self {
        let name = environment.get(CLOUD.name).unwrap_or(CLOUD.default);
        if name == cloud::CUSTOM {
            return Self::Custom;
        }
        let mut known = Cloud::known().into_iter();
        if let Some(known) = known.find(|known| known.name() == name) {
            return Self::Known(Box::new(known));
        }
        let problem = format!(
            "is \"{}\"; write `public`, `us-gov`, `china` or `custom`",
            Shown::new(name, SHOWN_CHARS)
        );
        mistakes.note_setting(CLOUD.name, problem);
        Self::Unclear
    }

    /// The cloud, where the policy has no say in it.
    pub(super) fn known(&self) -> Option<Cloud> {
        match self {
            Self::Known(cloud) => Some(Cloud::clone(cloud)),
            Self::Custom | Self::Unclear => None,
        }
    }

    /// The cloud that setting and `[cloud]` table make together.
    pub(super) fn cloud(
        &self,
        table: Option<Node<'_>>,
        source: &Source,
        environment: &Environment,
        mistakes: &mut Mistakes,
    ) -> Option<Cloud> {
        let Some(node) = table else {
            if matches!(self, Self::Custom) {
                let problem = "is \"custom\", but the policy has no [cloud] table; spell the endpoints out there, or choose another cloud";
                mistakes.note_setting(CLOUD.name, problem);
            }
            return self.known();
        };
        let mut reading = Reading {
            source,
            environment,
            mistakes,
        };
        let spelled_out = read_table(&mut reading, node);
        match self {
            Self::Custom => spelled_out,
            Self::Unclear => None,
            Self::Known(cloud) => {
                let problem = format!(
                    "counts only with `{}=custom`, and the chosen cloud is {}; set that, or take the table out",
                    CLOUD.name,
                    cloud.name()
                );
                mistakes.note(source.place(node.offset), "[cloud]", problem);
                Some(Cloud::clone(cloud))
            }
        }
    }
}

/// `None` after a mistake.
fn read_table(reading: &mut Reading<'_>, node: Node<'_>) -> Option<Cloud> {
    let mut table = TableReader::new(reading, tables::CLOUD, Some(node));
    let mut read = |key: &Key, endpoint: Endpoint| {
        let text = table.required_text(key)?;
        table.parsed(key, &text, |text| endpoint.parse(text))
    };
    let login_host = read(&LOGIN_HOST, Endpoint::LoginHost);
    let resource_manager = read(&RESOURCE_MANAGER, Endpoint::ResourceManager);
    let key_vault_suffix = read(&KEY_VAULT_SUFFIX, Endpoint::KeyVaultSuffix);
    let databricks_zone = read(&DATABRICKS_ZONE, Endpoint::DatabricksZone);
    let databricks_scope = read(&DATABRICKS_SCOPE, Endpoint::DatabricksScope);
    let resource_manager_scope = read(&RESOURCE_MANAGER_SCOPE, Endpoint::ResourceManagerScope);
    let management_scope = read(&MANAGEMENT_SCOPE, Endpoint::ManagementScope);
    let token_exchange_audience = read(&TOKEN_EXCHANGE_AUDIENCE, Endpoint::TokenExchangeAudience);
    let endpoints = Endpoints {
        login_host: login_host?,
        resource_manager: resource_manager?,
        key_vault_suffix: key_vault_suffix?,
        databricks_zone: databricks_zone?,
        databricks_scope: databricks_scope?,
        resource_manager_scope: resource_manager_scope?,
        management_scope: management_scope?,
        token_exchange_audience: token_exchange_audience?,
    };
    match Cloud::custom(&endpoints) {
        Ok(cloud) => Some(cloud),
        Err(problems) => {
            for (endpoint, problem) in problems {
                if let Some(key) = KEYS.iter().find(|key| key.name == endpoint.name()) {
                    table.note_key(key, problem);
                }
            }
            None
        }
    }
}

/// Reads the URL of a workspace. Without a cloud, whose choice is then a mistake of
/// its own, that of any cloud passes.
pub(super) fn workspace_url(cloud: Option<&Cloud>, text: &str) -> Result<Url, String> {
    match cloud {
        Some(cloud) => cloud.workspace_url(text),
        None => cloud::url_of_any_cloud(text),
    }
}

/// The same for the URL of a vault.
pub(super) fn key_vault_url(cloud: Option<&Cloud>, text: &str) -> Result<Url, String> {
    match cloud {
        Some(cloud) => cloud.key_vault_url(text),
        None => cloud::url_of_any_cloud(text),
    }
}
