//! The shape of names that belong to Azure: workspace hosts, vaults, secrets.
//!
//! Each parser answers with the rest of a sentence that begins with the key and
//! holds the fix. What a secret's setting holds is never shown: someone may have
//! put the secret itself there.

use url::Url;

use super::values::SHOWN_CHARS;
use crate::escape::Shown;

/// The name of a secret in Key Vault, with or without a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretName {
    pub name: String,
    /// 32 hexadecimal digits; absent, the newest version.
    pub version: Option<String>,
}

impl SecretName {
    /// Parses `name` or `name/version`.
    ///
    /// # Errors
    ///
    /// A sentence with the fix, which does not repeat the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, version) = match text.split_once('/') {
            Some((name, version)) => (name, Some(version)),
            None => (text, None),
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let is_name = (1..=127).contains(&name.len()) && name.bytes().all(plain);
        let is_version = version.is_none_or(|version| {
            version.len() == 32 && version.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        if is_name && is_version {
            return Ok(Self {
                name: name.to_owned(),
                version: version.map(str::to_owned),
            });
        }
        Err("is not the name of a secret; write `name` (letters, digits, hyphens) or `name/version` (32 hexadecimal digits), and never the secret itself".to_owned())
    }
}

/// Checks the address of a workspace in the public cloud.
pub(super) fn workspace_url(text: &str) -> Result<Url, String> {
    let is_workspace = |host: &str| {
        let numbers = host
            .strip_prefix("adb-")
            .and_then(|rest| rest.strip_suffix(".azuredatabricks.net"))
            .and_then(|rest| rest.split_once('.'));
        numbers.is_some_and(|(id, shard)| is_number(id) && is_number(shard))
    };
    bare_https(text).filter(|url| url.host_str().is_some_and(is_workspace)).ok_or_else(|| {
        format!(
            "is \"{}\"; write https://adb-<number>.<number>.azuredatabricks.net, the address in the browser up to the first slash",
            Shown::new(text, SHOWN_CHARS)
        )
    })
}

/// Checks the address of a vault in the public cloud.
pub(super) fn key_vault_url(text: &str) -> Result<Url, String> {
    let is_vault = |host: &str| {
        host.strip_suffix(".vault.azure.net").is_some_and(|name| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            (3..=24).contains(&name.len()) && name.bytes().all(plain)
        })
    };
    bare_https(text).filter(|url| url.host_str().is_some_and(is_vault)).ok_or_else(|| {
        "is not the address of a vault; write https://<name>.vault.azure.net, the \"Vault URI\" in the portal".to_owned()
    })
}

/// An https address that holds a host and nothing else.
fn bare_https(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_bare = url.scheme() == "https"
        && url.username().is_empty()
        && url.password().is_none()
        && url.port().is_none()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none();
    is_bare.then_some(url)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_is_addressed_by_its_own_host_and_nothing_else() {
        let good = "https://adb-1234567890123456.7.azuredatabricks.net";
        for text in [good.to_owned(), format!("{good}/"), good.to_uppercase()] {
            let url = workspace_url(&text).unwrap();
            assert_eq!(url.as_str(), format!("{good}/"), "{text}");
        }
        for text in [
            "http://adb-1.7.azuredatabricks.net",
            "https://adb-1.7.azuredatabricks.net/?o=1",
            "https://adb-1.7.azuredatabricks.net/x",
            "https://adb-1.7.azuredatabricks.net:8443",
            "https://user@adb-1.7.azuredatabricks.net",
            "https://adb-dp-1.7.azuredatabricks.net",
            "https://adb-1.7.azuredatabricks.net.evil.example",
            "https://adb-1.7.azuredatabricks.net.",
            "https://adb-.7.azuredatabricks.net",
            "https://westeurope.azuredatabricks.net",
            "adb-1.7.azuredatabricks.net",
            "",
        ] {
            assert!(workspace_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_vault_is_addressed_by_its_own_host_and_nothing_else() {
        assert!(key_vault_url("https://kv-ops.vault.azure.net/").is_ok());
        for text in [
            "https://vault.azure.net",
            "https://a.b.vault.azure.net",
            "https://kv-ops.vault.azure.net/secrets/x",
            "https://kv-ops.vault.azure.net.evil.example",
            "kv-ops",
        ] {
            assert!(key_vault_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn secret_names_are_checked_and_never_repeated() {
        let version = "0123456789abcdef0123456789ABCDEF";
        assert_eq!(SecretName::parse("sp-id").unwrap().version, None);
        let versioned = SecretName::parse(&format!("sp-id/{version}")).unwrap();
        assert_eq!(versioned.version.as_deref(), Some(version));
        for text in [
            "marker~8Q~secret.value",
            "marker/",
            "marker/1",
            "/marker",
            "marker marker",
        ] {
            let refused = SecretName::parse(text).unwrap_err();
            assert!(!refused.contains("marker"), "{refused}");
        }
        assert!(SecretName::parse("").is_err());
        assert!(SecretName::parse(&"a".repeat(128)).is_err());
    }
}
