//! The endpoints of one Azure cloud, and which hosts may receive a token.
//!
//! Everything that differs between clouds is one value, [`Cloud`]. Its rules are
//! asked twice: by the settings, for a sentence that names the fix, and by the
//! transport, before a byte is sent. Nothing here opens a connection or resolves
//! a name. The endpoints are those of the Azure environments that Microsoft's
//! and Databricks' SDKs carry.

use std::fmt;

use thiserror::Error;
use url::{Host, Url};

/// The endpoints of one cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cloud {
    name: &'static str,
    login_host: String,
    resource_manager_host: String,
    /// Without a leading dot: `vault.azure.net`.
    key_vault_suffix: String,
    /// Without a leading dot: `azuredatabricks.net`.
    databricks_zone: String,
    databricks_scope: String,
    resource_manager_scope: String,
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
    #[error("`{0}` is no host of Databricks, Key Vault, Azure Resource Manager or Entra")]
    UnknownHost(String),
}

impl Cloud {
    /// Azure's public cloud.
    #[must_use]
    pub fn public() -> Self {
        Self {
            name: "public",
            login_host: "login.microsoftonline.com".into(),
            resource_manager_host: "management.azure.com".into(),
            key_vault_suffix: "vault.azure.net".into(),
            databricks_zone: "azuredatabricks.net".into(),
            // The application id of Azure Databricks, the same in every cloud.
            databricks_scope: "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default".into(),
            resource_manager_scope: "https://management.azure.com/.default".into(),
        }
    }

    /// The name that the settings use for it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Where Entra issues tokens: `https://login.microsoftonline.com`.
    #[must_use]
    pub fn authority(&self) -> String {
        format!("https://{}", self.login_host)
    }

    /// The host that issues tokens.
    #[must_use]
    pub fn login_host(&self) -> &str {
        &self.login_host
    }

    /// The root of Azure Resource Manager, or `None` if its host makes no URL.
    #[must_use]
    pub fn resource_manager(&self) -> Option<Url> {
        Url::parse(&format!("https://{}/", self.resource_manager_host)).ok()
    }

    /// The scope of a token for the Databricks APIs.
    #[must_use]
    pub fn databricks_scope(&self) -> &str {
        &self.databricks_scope
    }

    /// The scope of a token for Azure Resource Manager.
    #[must_use]
    pub fn resource_manager_scope(&self) -> &str {
        &self.resource_manager_scope
    }

    /// Says which service of this cloud a URL belongs to.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] for every other URL; such a request must not be sent.
    pub fn admit(&self, url: &Url) -> Result<Destination, Refusal> {
        if url.scheme() != "https" {
            return Err(Refusal::NotHttps);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::UserInfo);
        }
        if url.port().is_some_and(|port| port != 443) {
            return Err(Refusal::Port);
        }
        let host = match url.host() {
            Some(Host::Domain(host)) => host,
            Some(Host::Ipv4(_) | Host::Ipv6(_)) => return Err(Refusal::IpAddress),
            None => return Err(Refusal::NoHost),
        };
        self.destination(host)
            .ok_or_else(|| Refusal::UnknownHost(host.to_owned()))
    }

    /// Reads the URL of a workspace from the settings.
    ///
    /// # Errors
    ///
    /// One sentence that names the fix; it does not repeat the text.
    pub fn workspace_url(&self, text: &str) -> Result<Url, String> {
        let example = format!("https://adb-<digits>.<digits>.{}", self.databricks_zone);
        self.root_url(text, Destination::Workspace, &example)
    }

    /// Reads the URL of a key vault from the settings.
    ///
    /// # Errors
    ///
    /// One sentence that names the fix; it does not repeat the text.
    pub fn key_vault_url(&self, text: &str) -> Result<Url, String> {
        let example = format!("https://<name>.{}", self.key_vault_suffix);
        self.root_url(text, Destination::KeyVault, &example)
    }

    fn root_url(&self, text: &str, wanted: Destination, example: &str) -> Result<Url, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err(format!("is empty: write it as {example}"));
        }
        if !text.contains("://") {
            return Err(format!("lacks its scheme: write it as {example}"));
        }
        let url = Url::parse(text).map_err(|why| format!("is no URL ({why}): write {example}"))?;
        match self.admit(&url) {
            Ok(found) if found == wanted => {}
            Ok(found) => return Err(format!("names {found}: write {example}")),
            Err(Refusal::UnknownHost(_)) => {
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
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(format!(
                "goes on after the host: write only the host, {example}"
            ));
        }
        Ok(url)
    }

    fn destination(&self, host: &str) -> Option<Destination> {
        if host == self.login_host {
            return Some(Destination::Login);
        }
        if host == self.resource_manager_host {
            return Some(Destination::ResourceManager);
        }
        if let Some(name) = label_under(host, &self.key_vault_suffix) {
            return is_vault_name(name).then_some(Destination::KeyVault);
        }
        let workspace = label_under(host, &self.databricks_zone)?;
        is_workspace_label(workspace).then_some(Destination::Workspace)
    }
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
mod tests {
    use super::*;

    fn admit(text: &str) -> Result<Destination, Refusal> {
        Cloud::public().admit(&Url::parse(text).expect("a URL"))
    }

    #[test]
    fn admits_the_hosts_of_its_cloud() {
        for (url, destination) in [
            (
                "https://login.microsoftonline.com/t/oauth2/v2.0/token",
                Destination::Login,
            ),
            (
                "https://management.azure.com/subscriptions?x=1",
                Destination::ResourceManager,
            ),
            (
                "https://my-vault1.vault.azure.net/secrets/a",
                Destination::KeyVault,
            ),
            (
                "https://adb-5555555555555555.19.azuredatabricks.net/api",
                Destination::Workspace,
            ),
            (
                "HTTPS://ADB-5.1.AzureDatabricks.NET:443/",
                Destination::Workspace,
            ),
        ] {
            assert_eq!(admit(url), Ok(destination), "{url}");
        }
    }

    #[test]
    fn refuses_every_other_host() {
        for url in [
            "https://adb-dp-5555555555555555.19.azuredatabricks.net/",
            "https://adb-5555555555555555.19.azuredatabricks.net./",
            "https://adb-5555555555555555.azuredatabricks.net/",
            "https://adb-5555555555555555.19.5.azuredatabricks.net/",
            "https://adb-.19.azuredatabricks.net/",
            "https://adb-5a.19.azuredatabricks.net/",
            "https://adb-5.1234.azuredatabricks.net/",
            "https://adb-123456789012345678901.1.azuredatabricks.net/",
            "https://x.adb-5.1.azuredatabricks.net/",
            "https://accounts.azuredatabricks.net/",
            "https://azuredatabricks.net/",
            "https://adb-5.1.azuredatabricks.net.example.com/",
            "https://adb-5.1xazuredatabricks.net/",
            "https://vault.azure.net/",
            "https://ab.vault.azure.net/",
            "https://1abc.vault.azure.net/",
            "https://abc-.vault.azure.net/",
            "https://a--bc.vault.azure.net/",
            "https://a.bcd.vault.azure.net/",
            "https://abcdefghijklmnopqrstuvwxy.vault.azure.net/",
            "https://managedhsm.azure.net/",
            "https://login.microsoftonline.com.example.com/",
            "https://evil-login.microsoftonline.com/",
            "https://login.microsoftonline.us/",
            "https://localhost/",
            "https://example.com/",
        ] {
            assert!(matches!(admit(url), Err(Refusal::UnknownHost(_))), "{url}");
        }
        for (url, refusal) in [
            ("http://adb-5.1.azuredatabricks.net/", Refusal::NotHttps),
            ("ftp://adb-5.1.azuredatabricks.net/", Refusal::NotHttps),
            ("https://me@adb-5.1.azuredatabricks.net/", Refusal::UserInfo),
            (
                "https://:pw@adb-5.1.azuredatabricks.net/",
                Refusal::UserInfo,
            ),
            ("https://adb-5.1.azuredatabricks.net:8443/", Refusal::Port),
            ("https://127.0.0.1/", Refusal::IpAddress),
            ("https://2130706433/", Refusal::IpAddress),
            ("https://[::1]/", Refusal::IpAddress),
        ] {
            assert_eq!(admit(url), Err(refusal), "{url}");
        }
    }

    #[test]
    fn settings_get_a_sentence_that_names_the_fix() {
        let cloud = Cloud::public();
        assert!(
            cloud
                .workspace_url(" https://adb-5.1.azuredatabricks.net ")
                .is_ok()
        );
        assert!(
            cloud
                .workspace_url("https://adb-5.1.azuredatabricks.net/")
                .is_ok()
        );
        assert!(cloud.key_vault_url("https://abc.vault.azure.net/").is_ok());
        for (text, part) in [
            ("", "is empty"),
            ("adb-5.1.azuredatabricks.net", "lacks its scheme"),
            ("http://adb-5.1.azuredatabricks.net", "only https"),
            ("https://adb-5.1.azuredatabricks.net/?o=5", "only the host"),
            ("https://adb-5.1.azuredatabricks.net/a", "only the host"),
            ("https://adb-5.1.azuredatabricks.net/#a", "only the host"),
            (
                "https://adb-dp-5.1.azuredatabricks.net",
                "no such host of the public cloud",
            ),
            ("https://abc.vault.azure.net", "names a key vault"),
            ("https://", "is no URL"),
        ] {
            let sentence = cloud.workspace_url(text).expect_err(text);
            assert!(sentence.contains(part), "{text}: {sentence}");
            assert!(
                sentence.contains("https://adb-<digits>.<digits>.azuredatabricks.net"),
                "{sentence}"
            );
        }
        let sentence = cloud
            .key_vault_url("https://me:hunter2@abc.vault.azure.net")
            .expect_err("user info");
        assert!(!sentence.contains("hunter2"), "{sentence}");
    }
}
