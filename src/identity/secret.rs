//! Secrets by name: what the identity asks for, and how it may fail.
//!
//! The name is checked when it is read from the settings, because it becomes
//! part of a URL that is called with a token. Values appear only as
//! [`SecretString`]; no error text holds one.

use std::fmt;

use async_trait::async_trait;
use secrecy::SecretString;
use thiserror::Error;

use crate::timestamp::Timestamp;

/// A secret's name in Key Vault, with a version if it is to be a certain one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretName {
    name: String,
    version: Option<String>,
}

impl SecretName {
    /// Reads `name` or `name/version`.
    ///
    /// # Errors
    ///
    /// One sentence that names the fix; it does not repeat the text, which could
    /// be a secret put into the wrong place.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (name, version) = match text.split_once('/') {
            Some((name, version)) => (name, Some(version)),
            None => (text, None),
        };
        if name.is_empty() {
            return Err("is empty: write the secret's name in Key Vault".into());
        }
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if name.len() > 127 || !name.bytes().all(is_name) {
            return Err(
                "is no secret name: write 1 to 127 letters, digits and hyphens, not the secret's value or URL"
                    .into(),
            );
        }
        if version.is_some_and(|text| !is_version(text)) {
            return Err(
                "has no valid version: write `name` alone or `name/version` with its 32 hex digits"
                    .into(),
            );
        }
        Ok(Self {
            name: name.to_owned(),
            version: version.map(str::to_owned),
        })
    }

    /// The name without the version.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version, where a certain one is meant.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }
}

fn is_version(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `name` or `name/version`, as the settings write it.
impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(f, "{}/{version}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// A secret as it is stored.
#[derive(Debug, Clone)]
pub struct StoredSecret {
    /// Not empty.
    pub value: SecretString,
    /// The date after which it is no longer good, as whoever stored it wrote there. A
    /// vault gives the secret out all the same.
    pub expires: Option<Timestamp>,
}

/// Reads secrets.
#[async_trait]
pub trait SecretSource: Send + Sync + fmt::Debug {
    /// Reads one secret.
    ///
    /// # Errors
    ///
    /// A [`SecretError`] whose sentence says what to do.
    async fn read(&self, name: &SecretName) -> Result<StoredSecret, SecretError>;
}

/// Why a secret could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretErrorKind {
    /// No secret of that name or version.
    NotFound,
    /// The reader may not read secrets of this vault.
    Forbidden,
    /// The vault's network rules keep us out.
    Firewall,
    /// The secret is disabled, expired or not yet valid.
    Disabled,
    /// The value is empty.
    Empty,
    /// Our own login, with which the vault is read, failed.
    Login,
    /// The vault did not answer, or not in time.
    Unavailable,
    /// The answer makes no sense, or has a status that none of the others explain.
    Unexpected,
}

/// Why a secret could not be read: one line without any secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{sentence}")]
pub struct SecretError {
    pub kind: SecretErrorKind,
    /// What happened and what to do.
    pub sentence: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_name_with_or_without_version() {
        let name = SecretName::parse(" sp-secret ").expect("a name");
        assert_eq!((name.name(), name.version()), ("sp-secret", None));
        let text = "a/0123456789abcdef0123456789ABCDEF";
        let name = SecretName::parse(text).expect("a version");
        assert_eq!(name.version(), Some("0123456789abcdef0123456789ABCDEF"));
        assert_eq!(name.to_string(), text);
    }

    #[test]
    fn refuses_what_could_change_the_request() {
        let long = "a".repeat(128);
        for text in [
            "",
            "/0123456789abcdef0123456789abcdef",
            "../keys/k1",
            "..",
            "a b",
            "a?b",
            "a#b",
            "a\\b",
            "a%2Fb",
            "a_b",
            "\u{e4}",
            "a\nb",
            long.as_str(),
            "a/",
            "a/0123",
            "a/0123456789abcdef0123456789abcdeg",
            "a/0123456789abcdef0123456789abcdef/x",
            "https://v.vault.azure.net/secrets/a",
        ] {
            let sentence = SecretName::parse(text).expect_err(text);
            assert!(text.len() < 8 || !sentence.contains(text), "{sentence}");
        }
    }
}
