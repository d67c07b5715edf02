//! Key vaults of a world: secrets with versions, certificates as the secrets behind them, and who may read.
//!
//! The model only; the HTTP side is the `vault` module of the services. Values never appear in `Debug`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Azure, Certificate, Clock, Moment, hours};
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
    /// Most versions on a page; the service's own maximum is 25.
    pub page_size: usize,
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
    /// What kind of value it is, such as `application/x-pkcs12`; ordinary secrets have none.
    pub content_type: Option<String>,
    /// `nbf`. A vault gives a secret out before it, too.
    pub not_before: Option<SecretTime>,
    /// `exp`. A vault gives a secret out after it, too.
    pub expires: Option<SecretTime>,
    /// When it was made.
    pub created: Moment,
    /// Whether it is the secret behind a certificate of the vault.
    pub is_certificate: bool,
}

/// A time that a secret bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretTime {
    /// In the world's time.
    Moment(Moment),
    /// Seconds since the epoch, as a certificate has it.
    Epoch(i64),
}

/// A certificate with its private key, as a vault holds it and gives it out as a secret.
#[derive(Clone)]
pub struct StoredCertificate {
    value: String,
    content_type: &'static str,
    certificate: Certificate,
}

impl SecretTime {
    pub(crate) fn epoch_s(self, clock: &Clock) -> i64 {
        match self {
            Self::Moment(moment) => clock.epoch_ms(moment) / 1000,
            Self::Epoch(seconds) => seconds,
        }
    }
}

impl StoredCertificate {
    /// As PEM: the private key and the certificate in one text.
    ///
    /// # Panics
    /// If the text holds no certificate.
    pub fn pem(text: &str) -> Self {
        Self {
            value: text.to_owned(),
            content_type: "application/x-pem-file",
            certificate: Certificate::from_pem(text),
        }
    }

    /// As PKCS#12, which a vault gives out in base64. Its times are those of `certificate`, whose file this is.
    pub fn pkcs12(file: &[u8], certificate: &Certificate) -> Self {
        Self {
            value: STANDARD.encode(file),
            content_type: "application/x-pkcs12",
            certificate: certificate.clone(),
        }
    }

    /// The public part, as an app registration holds it.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }
}

impl std::fmt::Debug for StoredCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StoredCertificate({:?})", self.certificate)
    }
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
            page_size: 25,
        }
    }

    /// Puts it into another tenant.
    #[must_use]
    pub fn in_tenant(mut self, tenant: &str) -> Self {
        tenant.clone_into(&mut self.tenant);
        self
    }

    /// Lets a principal read it, too.
    #[must_use]
    pub fn reader(mut self, principal: &str) -> Self {
        self.readers.push(principal.to_owned());
        self
    }

    /// Adds a secret, or a new version of it if there is one already.
    #[must_use]
    pub fn secret(mut self, name: &str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    /// Adds a certificate, or a new version of it if there is one already.
    #[must_use]
    pub fn certificate(mut self, name: &str, stored: &StoredCertificate) -> Self {
        self.set_certificate(name, stored);
        self
    }

    /// Sets a secret's value: a first or a further version.
    pub fn set(&mut self, name: &str, value: &str) {
        self.newest(name, value);
    }

    /// Sets a certificate: a first or a further version of the secret behind it.
    pub fn set_certificate(&mut self, name: &str, stored: &StoredCertificate) {
        let version = self.newest(name, &stored.value);
        version.content_type = Some(stored.content_type.to_owned());
        version.not_before = Some(SecretTime::Epoch(stored.certificate.not_before_s));
        version.expires = Some(SecretTime::Epoch(stored.certificate.not_after_s));
        version.is_certificate = true;
    }

    /// Adds a version.
    fn newest(&mut self, name: &str, value: &str) -> &mut SecretVersion {
        let vault = self.name.clone();
        let index = self.position(name).unwrap_or_else(|| {
            self.secrets.push(VaultSecret {
                name: name.to_owned(),
                versions: Vec::new(),
            });
            self.secrets.len() - 1
        });
        let versions = &mut self.secrets[index].versions;
        let serial = versions.len();
        versions.push(SecretVersion {
            id: encode::hex32_for(&format!("{vault} {name} {serial}")),
            value: Some(value.to_owned()),
            is_enabled: true,
            content_type: None,
            not_before: None,
            expires: None,
            created: Moment::ago(hours(240)),
            is_certificate: false,
        });
        &mut versions[serial]
    }

    /// The newest version of a secret, to change.
    ///
    /// # Panics
    /// If there is none: a test that names a secret means one that is there.
    pub fn version_mut(&mut self, name: &str) -> &mut SecretVersion {
        let position = self.position(name);
        let newest = position.and_then(|index| self.secrets[index].versions.last_mut());
        let Some(newest) = newest else {
            panic!("the vault holds no secret {name:?}");
        };
        newest
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

    /// What would betray a private key: pieces of every one that it holds, as a certificate or as an ordinary
    /// secret, wherever a piece begins.
    pub(crate) fn private_keys(&self) -> impl Iterator<Item = String> {
        self.secrets
            .iter()
            .flat_map(|secret| &secret.versions)
            .filter_map(|version| version.value.as_deref())
            .flat_map(essence)
    }

    pub(crate) fn find(&self, name: &str) -> Option<&VaultSecret> {
        self.position(name).map(|index| &self.secrets[index])
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.secrets
            .iter()
            .position(|secret| secret.name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn host(&self, azure: &Azure) -> String {
        format!("{}.{}", self.name.to_ascii_lowercase(), azure.vaults)
    }
}

/// Pieces of the base64 text of a private key, or of a file that can hold one, long enough to be no accident;
/// none of any other value. The first pieces of all such texts are alike, and say nothing.
fn essence(value: &str) -> Vec<String> {
    const PIECE: usize = 40;
    /// No file with a private key is shorter.
    const SHORTEST_FILE: usize = 400;
    const KEY: &str = "PRIVATE KEY-----";
    let text = match value.split_once(KEY) {
        Some((_, after)) => after.split("-----END").next().unwrap_or_default(),
        None => value,
    };
    let text: String = text.split_whitespace().collect();
    let is_file = || text.len() >= SHORTEST_FILE && STANDARD.decode(&text).is_ok();
    if !value.contains(KEY) && !is_file() {
        return Vec::new();
    }
    let pieces = text.as_bytes().chunks_exact(PIECE).skip(2);
    pieces
        .map(|piece| String::from_utf8_lossy(piece).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_key_s_essence_is_the_key_and_not_the_certificate() {
        let key: String = (0..20)
            .map(|line| format!("key{line:02}{}\n", "k".repeat(59)))
            .collect();
        let key_pem = format!("-----BEGIN PRIVATE KEY-----\n{key}-----END PRIVATE KEY-----\n");
        let certificate = format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            "c".repeat(64)
        );
        let whole = key.replace('\n', "");
        for pem in [
            format!("{key_pem}{certificate}"),
            format!("{certificate}{key_pem}"),
        ] {
            let pieces = essence(&pem);
            assert_eq!(pieces.len(), 20 * 64 / 40 - 2);
            for piece in pieces {
                assert!(whole.contains(&piece), "{piece}");
            }
        }
        assert_eq!(essence(&STANDARD.encode([7; 900])).len(), 1200 / 40 - 2);
        for other in ["", "Sec8Q~secret", &certificate, &"not base64 ".repeat(90)] {
            assert!(essence(other).is_empty(), "{other}");
        }
    }
}
