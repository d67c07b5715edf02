//! Key vaults of a world: secrets with versions, and who may read them.
//!
//! The model only; the HTTP side is the `vault` module of the services. Values never appear in `Debug`.

use crate::encode;

/// A key vault.
#[derive(Clone, Debug)]
pub struct Vault {
    /// The first label of its host name.
    pub name: String,
    /// The tenant whose tokens it takes.
    pub tenant: String,
    /// Its secrets.
    pub secrets: Vec<VaultSecret>,
    /// The names of the principals with the right to read secrets.
    pub readers: Vec<String>,
}

/// A secret with all its versions, oldest first.
#[derive(Clone, Debug)]
pub struct VaultSecret {
    /// The secret's name, which a vault compares without case.
    pub name: String,
    /// Versions, oldest first; a read without version gets the last.
    pub versions: Vec<SecretVersion>,
}

/// One version of a secret.
#[derive(Clone)]
pub struct SecretVersion {
    /// 32 hexadecimal digits.
    pub id: String,
    /// The value; `None` makes the vault answer without one.
    pub value: Option<String>,
    /// A disabled version is refused with 403.
    pub is_enabled: bool,
}

impl std::fmt::Debug for SecretVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "SecretVersion({}, enabled: {})",
            self.id, self.is_enabled
        )
    }
}

impl Vault {
    /// An empty vault that the Function App may read.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            tenant: super::TENANT_ID.to_owned(),
            secrets: Vec::new(),
            readers: vec!["function-app".to_owned()],
        }
    }

    /// Adds a secret, or a new version of it if there is one already.
    #[must_use]
    pub fn secret(mut self, name: &str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    /// Sets a secret's value: a first or a further version.
    pub fn set(&mut self, name: &str, value: &str) {
        let vault = self.name.clone();
        let index = self.position(name).unwrap_or_else(|| {
            self.secrets.push(VaultSecret {
                name: name.to_owned(),
                versions: Vec::new(),
            });
            self.secrets.len() - 1
        });
        let versions = &mut self.secrets[index].versions;
        let id = encode::hex32_for(&format!("{vault} {name} {}", versions.len()));
        versions.push(SecretVersion {
            id,
            value: Some(value.to_owned()),
            is_enabled: true,
        });
    }

    /// Disables every version of a secret.
    pub fn disable(&mut self, name: &str) {
        if let Some(index) = self.position(name) {
            for version in &mut self.secrets[index].versions {
                version.is_enabled = false;
            }
        }
    }

    /// Removes a secret.
    pub fn remove(&mut self, name: &str) {
        self.secrets
            .retain(|secret| !secret.name.eq_ignore_ascii_case(name));
    }

    pub(crate) fn find(&self, name: &str) -> Option<&VaultSecret> {
        self.position(name).map(|index| &self.secrets[index])
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.secrets
            .iter()
            .position(|secret| secret.name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn host(&self) -> String {
        format!("{}.vault.azure.net", self.name.to_ascii_lowercase())
    }
}
