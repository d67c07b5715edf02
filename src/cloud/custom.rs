//! The endpoints of a cloud that an operator spells out, and what they must be.
//!
//! A token goes wherever these names say, so a slip must not widen that: names
//! only, long enough to be one service's and not a whole domain's, and none that
//! could be two services at once. Nothing has a default. Pure.

use url::Host;

use crate::escape::Shown;

/// How much of a wrong value is shown.
const SHOWN_CHARS: usize = 60;

/// Everything in which one cloud differs from another. Hosts and zones are bare
/// names, without scheme and without a leading dot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    pub login_host: String,
    pub resource_manager: String,
    /// `vault.azure.net`
    pub key_vault_suffix: String,
    /// `azuredatabricks.net`
    pub databricks_zone: String,
    pub databricks_scope: String,
    pub resource_manager_scope: String,
    pub management_scope: String,
    pub token_exchange_audience: String,
}

/// One of the [`Endpoints`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    LoginHost,
    ResourceManager,
    KeyVaultSuffix,
    DatabricksZone,
    DatabricksScope,
    ResourceManagerScope,
    ManagementScope,
    TokenExchangeAudience,
}

impl Endpoint {
    /// As the settings call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LoginHost => "login_host",
            Self::ResourceManager => "resource_manager",
            Self::KeyVaultSuffix => "key_vault_suffix",
            Self::DatabricksZone => "databricks_zone",
            Self::DatabricksScope => "databricks_scope",
            Self::ResourceManagerScope => "resource_manager_scope",
            Self::ManagementScope => "management_scope",
            Self::TokenExchangeAudience => "token_exchange_audience",
        }
    }

    /// Checks one endpoint by itself; host names come out in lower case.
    ///
    /// # Errors
    ///
    /// The rest of a sentence that begins with the endpoint's name.
    pub fn parse(self, text: &str) -> Result<String, String> {
        let text = text.trim();
        match self {
            Self::LoginHost => service_host(text, "login.microsoftonline.us"),
            Self::ResourceManager => service_host(text, "management.usgovcloudapi.net"),
            Self::KeyVaultSuffix => key_vault_suffix(text),
            Self::DatabricksZone => databricks_zone(text),
            Self::DatabricksScope | Self::ResourceManagerScope => scope(text),
            Self::ManagementScope => management_scope(text),
            Self::TokenExchangeAudience => token_exchange_audience(text),
        }
    }
}

impl Endpoints {
    /// All of them, checked one by one and then against each other.
    pub(super) fn checked(&self) -> Result<Self, Vec<(Endpoint, String)>> {
        let mut wrong = Vec::new();
        let mut read = |endpoint: Endpoint, text: &str| {
            endpoint.parse(text).unwrap_or_else(|problem| {
                wrong.push((endpoint, problem));
                String::new()
            })
        };
        let checked = Self {
            login_host: read(Endpoint::LoginHost, &self.login_host),
            resource_manager: read(Endpoint::ResourceManager, &self.resource_manager),
            key_vault_suffix: read(Endpoint::KeyVaultSuffix, &self.key_vault_suffix),
            databricks_zone: read(Endpoint::DatabricksZone, &self.databricks_zone),
            databricks_scope: read(Endpoint::DatabricksScope, &self.databricks_scope),
            resource_manager_scope: read(
                Endpoint::ResourceManagerScope,
                &self.resource_manager_scope,
            ),
            management_scope: read(Endpoint::ManagementScope, &self.management_scope),
            token_exchange_audience: read(
                Endpoint::TokenExchangeAudience,
                &self.token_exchange_audience,
            ),
        };
        if wrong.is_empty() {
            wrong = checked.overlaps();
        }
        if wrong.is_empty() {
            Ok(checked)
        } else {
            Err(wrong)
        }
    }

    /// A name that two services share would decide by accident which token it gets.
    fn overlaps(&self) -> Vec<(Endpoint, String)> {
        let named = [
            (Endpoint::LoginHost, &self.login_host),
            (Endpoint::ResourceManager, &self.resource_manager),
            (Endpoint::KeyVaultSuffix, &self.key_vault_suffix),
            (Endpoint::DatabricksZone, &self.databricks_zone),
        ];
        let zones = [Endpoint::KeyVaultSuffix, Endpoint::DatabricksZone];
        let mut found = Vec::new();
        for (at, (endpoint, name)) in named.iter().enumerate() {
            for (place, (other, other_name)) in named.iter().enumerate() {
                if name == other_name && place < at {
                    let problem = format!("is the same as `{}`", other.name());
                    found.push((*endpoint, problem));
                }
                if zones.contains(other) && is_under(name, other_name) {
                    let problem = format!("lies within `{}`, {other_name}", other.name());
                    found.push((*endpoint, problem));
                }
            }
        }
        found
    }
}

fn is_under(name: &str, zone: &str) -> bool {
    name.strip_suffix(zone)
        .is_some_and(|rest| rest.ends_with('.'))
}

/// The host of one service has three labels in every cloud; two could be a company.
fn service_host(text: &str, example: &str) -> Result<String, String> {
    let host = host_name(text, example)?;
    if host.split('.').count() < 3 {
        return Err(refused(
            text,
            "a whole domain and not the host of a service",
            example,
        ));
    }
    Ok(host)
}

fn key_vault_suffix(text: &str) -> Result<String, String> {
    let example = "vault.usgovcloudapi.net";
    let suffix = host_name(text, example)?;
    if suffix.split('.').count() < 3 || !suffix.starts_with("vault.") {
        return Err(refused(
            text,
            "under which others than vaults may have hosts",
            example,
        ));
    }
    Ok(suffix)
}

fn databricks_zone(text: &str) -> Result<String, String> {
    let example = "databricks.azure.us";
    let zone = host_name(text, example)?;
    let (labels, _) = zone.rsplit_once('.').unwrap_or_default();
    if !labels.contains("databricks") {
        return Err(refused(
            text,
            "under which others than Databricks may have hosts",
            example,
        ));
    }
    Ok(zone)
}

/// A full DNS name in lower case.
fn host_name(text: &str, example: &str) -> Result<String, String> {
    let wrong = if text.contains("://") {
        "a URL and not a host's name"
    } else if text.contains('*') {
        "a pattern and not a host's name"
    } else if text.contains('@') {
        "with a user name"
    } else if text.contains(['/', '?', '#']) {
        "which goes on after the host's name"
    } else if matches!(Host::parse(text), Ok(Host::Ipv4(_) | Host::Ipv6(_)))
        || text.parse::<std::net::IpAddr>().is_ok()
    {
        "an IP address, for which no certificate speaks"
    } else if text.contains(':') {
        "with a port, but only 443 is spoken"
    } else if text.starts_with('.') || text.ends_with('.') {
        "which begins or ends with a dot"
    } else if text.len() > 253 || !text.split('.').all(is_label) {
        "no host's name"
    } else if !text.contains('.') {
        "a single word and not a full host's name"
    } else {
        return Ok(text.to_ascii_lowercase());
    };
    Err(refused(text, wrong, example))
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// `<application id>/.default`, or the same behind an https or api URI.
fn scope(text: &str) -> Result<String, String> {
    let example = "https://management.usgovcloudapi.net/.default";
    let Some(resource) = text.strip_suffix("/.default") else {
        return Err(refused(text, "which does not end in /.default", example));
    };
    if is_application_id(resource) || is_audience_uri(resource) {
        return Ok(text.to_owned());
    }
    Err(refused(
        text,
        "of which the part before /.default is neither an application's id nor an https or api URI",
        example,
    ))
}

/// With one slash Entra takes one for the separator, and Databricks refuses a token
/// whose audience lacks it.
fn management_scope(text: &str) -> Result<String, String> {
    let example = "https://management.core.usgovcloudapi.net//.default";
    let scope = scope(text)?;
    if scope.starts_with("https://") && !scope.ends_with("//.default") {
        return Err(refused(
            text,
            "with one slash before .default where two belong",
            example,
        ));
    }
    Ok(scope)
}

fn token_exchange_audience(text: &str) -> Result<String, String> {
    let name = text.strip_prefix("api://");
    if name.is_some_and(|name| !name.is_empty() && name.bytes().all(is_audience_byte)) {
        return Ok(text.to_owned());
    }
    Err(refused(
        text,
        "no api URI",
        "api://AzureADTokenExchangeUSGov",
    ))
}

fn is_audience_uri(text: &str) -> bool {
    if let Some(rest) = text.strip_prefix("https://") {
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        return host_name(host, "").is_ok() && path.bytes().all(is_audience_byte);
    }
    let name = text.strip_prefix("api://");
    name.is_some_and(|name| !name.is_empty() && name.bytes().all(is_audience_byte))
}

fn is_audience_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_./".contains(&byte)
}

fn is_application_id(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    let is_hex = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(is_hex)
}

fn refused(text: &str, why: &str, example: &str) -> String {
    format!(
        "is \"{}\", {why}; write it like {example}",
        Shown::new(text, SHOWN_CHARS)
    )
}
