//! The endpoints of one Azure cloud, and which hosts may receive a token.
//!
//! Everything that differs between clouds is one value, [`Cloud`]. Its rules are
//! asked twice: by the settings, for a sentence that names the fix, and by the
//! transport, before a byte is sent. Nothing here opens a connection or resolves
//! a name.

mod custom;
mod known;

use std::fmt;

use thiserror::Error;
use url::{Host, Url};

pub use self::custom::{Endpoint, Endpoints};

/// The app setting that chooses the cloud.
pub const SETTING: &str = "TERMINATE_CLUSTERS_CLOUD";

/// The name of a cloud whose endpoints are spelled out.
pub const CUSTOM: &str = "custom";

/// The endpoints of one cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cloud {
    name: &'static str,
    endpoints: Endpoints,
}

/// What kind of service an admitted URL belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    Login,
    ResourceManager,
    KeyVault,
    Workspace,
    /// Never from [`Cloud::admit`]: the transport admits it, exactly as given.
    ManagedIdentity,
}

/// Why a URL is not spoken to. The text names no part of the URL but its host.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    #[error("only https is spoken")]
    NotHttps,
    #[error("a URL with a user name or password is refused")]
    UserInfo,
    #[error("a port other than 443 is refused")]
    Port,
    #[error("an IP address is refused")]
    IpAddress,
    #[error("a URL without a host is refused")]
    NoHost,
    #[error(
        "`{host}` is no host of Databricks, Key Vault, Azure Resource Manager or Entra in the {cloud} cloud{}",
        .home.map_or_else(String::new, belongs)
    )]
    UnknownHost {
        host: String,
        /// The cloud that was asked.
        cloud: &'static str,
        /// The known cloud that the host belongs to, if it does.
        home: Option<&'static str>,
    },
}

impl Cloud {
    /// A cloud whose endpoints are all spelled out.
    ///
    /// # Errors
    ///
    /// Every endpoint that can't be used, each with the rest of a sentence that
    /// begins with its name.
    pub fn custom(endpoints: &Endpoints) -> Result<Self, Vec<(Endpoint, String)>> {
        let endpoints = endpoints.checked()?;
        Ok(Self {
            name: CUSTOM,
            endpoints,
        })
    }

    /// The name that the settings use for it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Where Entra issues tokens: `https://login.microsoftonline.com`.
    #[must_use]
    pub fn authority(&self) -> String {
        format!("https://{}", self.endpoints.login_host)
    }

    /// The host that issues tokens.
    #[must_use]
    pub fn login_host(&self) -> &str {
        &self.endpoints.login_host
    }

    /// The same for a person: with the cloud's name, unless it is the public one.
    #[must_use]
    pub fn login_host_shown(&self) -> String {
        let host = &self.endpoints.login_host;
        if self.name == known::PUBLIC {
            host.clone()
        } else {
            format!("{host} ({} cloud)", self.name)
        }
    }

    /// The root of Azure Resource Manager, or `None` if its host makes no URL.
    #[must_use]
    pub fn resource_manager(&self) -> Option<Url> {
        Url::parse(&format!("https://{}/", self.endpoints.resource_manager)).ok()
    }

    /// The scope of a token for the Databricks APIs.
    #[must_use]
    pub fn databricks_scope(&self) -> &str {
        &self.endpoints.databricks_scope
    }

    /// The scope of a token for Azure Resource Manager.
    #[must_use]
    pub fn resource_manager_scope(&self) -> &str {
        &self.endpoints.resource_manager_scope
    }

    /// The scope of a token for Azure's service management, which Databricks wants
    /// of a principal that is no member yet. Two slashes: the audience ends in one.
    #[must_use]
    pub fn management_scope(&self) -> &str {
        &self.endpoints.management_scope
    }

    /// The audience of a managed identity's token that is exchanged for one of an
    /// app registration.
    #[must_use]
    pub fn token_exchange_audience(&self) -> &str {
        &self.endpoints.token_exchange_audience
    }

    /// Says which service of this cloud a URL belongs to.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] for every other URL; such a request must not be sent.
    pub fn admit(&self, url: &Url) -> Result<Destination, Refusal> {
        let host = domain(url)?;
        self.destination(host).ok_or_else(|| Refusal::UnknownHost {
            host: host.to_owned(),
            cloud: self.name,
            home: self.other_home(host),
        })
    }

    /// Reads the URL of a workspace from the settings.
    ///
    /// # Errors
    ///
    /// One sentence that names the fix; it does not repeat the text.
    pub fn workspace_url(&self, text: &str) -> Result<Url, String> {
        let zone = &self.endpoints.databricks_zone;
        let example = format!("https://adb-<digits>.<digits>.{zone}");
        self.root_url(text, Destination::Workspace, &example)
    }

    /// Reads the URL of a key vault from the settings.
    ///
    /// # Errors
    ///
    /// One sentence that names the fix; it does not repeat the text.
    pub fn key_vault_url(&self, text: &str) -> Result<Url, String> {
        let example = format!("https://<name>.{}", self.endpoints.key_vault_suffix);
        self.root_url(text, Destination::KeyVault, &example)
    }

    fn root_url(&self, text: &str, wanted: Destination, example: &str) -> Result<Url, String> {
        let url = well_formed(text, example)?;
        match self.admit(&url) {
            Ok(found) if found == wanted => {}
            Ok(found) => return Err(format!("names {found}: write {example}")),
            Err(Refusal::UnknownHost {
                home: Some(home), ..
            }) => {
                return Err(format!(
                    "belongs to the {home} cloud, and the chosen one is {}: set {SETTING}={home}, or write {example}",
                    self.name
                ));
            }
            Err(Refusal::UnknownHost { home: None, .. }) => {
                return Err(format!(
                    "names no such host of the {} cloud: write {example}",
                    self.name
                ));
            }
            Err(
                why @ (Refusal::NotHttps
                | Refusal::UserInfo
                | Refusal::Port
                | Refusal::IpAddress
                | Refusal::NoHost),
            ) => return Err(format!("can't be used ({why}): write {example}")),
        }
        only_a_host(&url, example)?;
        Ok(url)
    }

    fn destination(&self, host: &str) -> Option<Destination> {
        if host == self.endpoints.login_host {
            return Some(Destination::Login);
        }
        if host == self.endpoints.resource_manager {
            return Some(Destination::ResourceManager);
        }
        if let Some(name) = label_under(host, &self.endpoints.key_vault_suffix) {
            return is_vault_name(name).then_some(Destination::KeyVault);
        }
        let workspace = label_under(host, &self.endpoints.databricks_zone)?;
        is_workspace_label(workspace).then_some(Destination::Workspace)
    }

    /// The known cloud that a host of none of this one's services belongs to.
    fn other_home(&self, host: &str) -> Option<&'static str> {
        let known = Self::known().into_iter();
        let mut others = known.filter(|other| other.name != self.name);
        let home = others.find(|other| other.destination(host).is_some())?;
        Some(home.name)
    }
}

/// Reads the URL of a workspace or a vault where it is not known which cloud it
/// must be of, so that what is wrong in any cloud is told nevertheless.
///
/// # Errors
///
/// One sentence that names the fix; it does not repeat the text.
pub fn url_of_any_cloud(text: &str) -> Result<Url, String> {
    let example = "https:// and the host's name";
    let url = well_formed(text, example)?;
    domain(&url).map_err(|why| format!("can't be used ({why}): write {example}"))?;
    only_a_host(&url, example)?;
    Ok(url)
}

fn well_formed(text: &str, example: &str) -> Result<Url, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(format!("is empty: write it as {example}"));
    }
    if !text.contains("://") {
        return Err(format!("lacks its scheme: write it as {example}"));
    }
    Url::parse(text).map_err(|why| format!("is no URL ({why}): write {example}"))
}

fn only_a_host(url: &Url, example: &str) -> Result<(), String> {
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(format!(
            "goes on after the host: write only the host, {example}"
        ));
    }
    Ok(())
}

/// The host of a URL as it may be spoken to: https, port 443, a name, no user.
fn domain(url: &Url) -> Result<&str, Refusal> {
    if url.scheme() != "https" {
        return Err(Refusal::NotHttps);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refusal::UserInfo);
    }
    if url.port().is_some_and(|port| port != 443) {
        return Err(Refusal::Port);
    }
    match url.host() {
        Some(Host::Domain(host)) => Ok(host),
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => Err(Refusal::IpAddress),
        None => Err(Refusal::NoHost),
    }
}

fn belongs(home: &str) -> String {
    format!("; it belongs to the {home} cloud")
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Destination::Login => "the login host",
            Destination::ResourceManager => "Azure Resource Manager",
            Destination::KeyVault => "a key vault",
            Destination::Workspace => "a Databricks workspace",
            Destination::ManagedIdentity => "the managed identity endpoint",
        })
    }
}

fn label_under<'a>(host: &'a str, zone: &str) -> Option<&'a str> {
    host.strip_suffix(zone)?.strip_suffix('.')
}

/// `adb-<workspace id>.<0 to 3 digits>`. The private `adb-dp-…` form is a second
/// name of the data plane, which no API documentation lets a client call.
fn is_workspace_label(label: &str) -> bool {
    let Some((id, shard)) = label
        .strip_prefix("adb-")
        .and_then(|rest| rest.split_once('.'))
    else {
        return false;
    };
    is_digits(id, 20) && is_digits(shard, 3)
}

fn is_digits(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Vault names are 3 to 24 letters, digits and single hyphens, from a letter to
/// a letter or digit (Azure's naming rules for `Microsoft.KeyVault/vaults`).
fn is_vault_name(name: &str) -> bool {
    let edges = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.ends_with(|last: char| last.is_ascii_alphanumeric());
    (3..=24).contains(&name.len())
        && edges
        && !name.contains("--")
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests;
