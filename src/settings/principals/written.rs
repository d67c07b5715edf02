//! Where the parts of a principal are written: in app settings or in a table of the
//! policy, each part under both names.

use crate::settings::environment::Environment;
use crate::settings::key::{Key, Kind};
use crate::settings::mistakes::Mistakes;
use crate::settings::names::{self, AppSetting};
use crate::settings::table::TableReader;

const fn text(name: &'static str, meaning: &'static str) -> Key {
    Key::new(name, "", Kind::Text, meaning)
}

pub(super) const NAME: Key = text(
    "name",
    "your name for the service principal, at most 64 characters and not `main`; required",
);
const CREDENTIAL: Key = text(
    "credential",
    "what proves it: `client-secret`, `certificate`, `managed-identity` or `federated`; absent, whichever of the first two is named",
);
const TENANT_ID: Key = text("tenant_id", "its tenant id; this or `tenant_id_secret`");
const TENANT_ID_SECRET: Key = text(
    "tenant_id_secret",
    "name of the secret with the tenant id, `name` or `name/version`",
);
const CLIENT_ID: Key = text(
    "client_id",
    "its client id, the application's GUID; this or `client_id_secret`",
);
const CLIENT_ID_SECRET: Key = text(
    "client_id_secret",
    "name of the secret with the client id, `name` or `name/version`",
);
const CLIENT_SECRET_SECRET: Key = text(
    "client_secret_secret",
    "name of the secret with the client secret, `name` or `name/version`",
);
const CLIENT_CERTIFICATE_SECRET: Key = text(
    "client_certificate_secret",
    "name of the certificate in Key Vault, whose secret holds it with its key",
);
const MANAGED_IDENTITY_CLIENT_ID: Key = text(
    "managed_identity_client_id",
    "the client id of a user-assigned identity; absent, the one of the app settings",
);
const KEY_VAULT_URL: Key = text(
    "key_vault_url",
    "the vault that holds its secrets; absent, that of the app settings",
);

pub(in crate::settings) const KEYS: &[Key] = &[
    NAME,
    CREDENTIAL,
    TENANT_ID,
    TENANT_ID_SECRET,
    CLIENT_ID,
    CLIENT_ID_SECRET,
    CLIENT_SECRET_SECRET,
    CLIENT_CERTIFICATE_SECRET,
    MANAGED_IDENTITY_CLIENT_ID,
    KEY_VAULT_URL,
];

/// A part of a principal, wherever it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Credential,
    TenantId,
    TenantIdSecret,
    ClientId,
    ClientIdSecret,
    ClientSecretSecret,
    ClientCertificateSecret,
    ManagedIdentityClientId,
    KeyVaultUrl,
}

impl Part {
    /// Those that make a principal: neither the vault nor the platform's identity does.
    pub(super) const OWN: [Self; 7] = [
        Self::Credential,
        Self::TenantId,
        Self::TenantIdSecret,
        Self::ClientId,
        Self::ClientIdSecret,
        Self::ClientSecretSecret,
        Self::ClientCertificateSecret,
    ];

    pub(super) fn setting(self) -> &'static AppSetting {
        match self {
            Self::Credential => &names::CREDENTIAL,
            Self::TenantId => &names::TENANT_ID,
            Self::TenantIdSecret => &names::TENANT_ID_SECRET,
            Self::ClientId => &names::CLIENT_ID,
            Self::ClientIdSecret => &names::CLIENT_ID_SECRET,
            Self::ClientSecretSecret => &names::CLIENT_SECRET_SECRET,
            Self::ClientCertificateSecret => &names::CLIENT_CERTIFICATE_SECRET,
            Self::ManagedIdentityClientId => &names::MANAGED_IDENTITY_CLIENT_ID,
            Self::KeyVaultUrl => &names::KEY_VAULT_URL,
        }
    }

    fn key(self) -> &'static Key {
        match self {
            Self::Credential => &CREDENTIAL,
            Self::TenantId => &TENANT_ID,
            Self::TenantIdSecret => &TENANT_ID_SECRET,
            Self::ClientId => &CLIENT_ID,
            Self::ClientIdSecret => &CLIENT_ID_SECRET,
            Self::ClientSecretSecret => &CLIENT_SECRET_SECRET,
            Self::ClientCertificateSecret => &CLIENT_CERTIFICATE_SECRET,
            Self::ManagedIdentityClientId => &MANAGED_IDENTITY_CLIENT_ID,
            Self::KeyVaultUrl => &KEY_VAULT_URL,
        }
    }
}

/// Where the parts of one principal are written.
pub(super) trait Written {
    /// The part's text; `None` where it is absent, or wrong, which is noted.
    fn text(&mut self, part: Part) -> Option<String>;
    fn is_given(&self, part: Part) -> bool;
    /// `problem` continues a sentence that begins with the part's name.
    fn note(&mut self, part: Part, problem: String);
    fn note_missing(&mut self, part: Part);
    /// As an operator writes it.
    fn named(&self, part: Part) -> &'static str;
}

/// The parts of the main principal.
pub(super) struct AppSettings<'s> {
    pub(super) environment: &'s Environment,
    pub(super) mistakes: &'s mut Mistakes,
}

impl Written for AppSettings<'_> {
    fn text(&mut self, part: Part) -> Option<String> {
        self.environment.get(part.setting().name).map(str::to_owned)
    }

    fn is_given(&self, part: Part) -> bool {
        self.environment.get(part.setting().name).is_some()
    }

    fn note(&mut self, part: Part, problem: String) {
        self.mistakes.note_setting(part.setting().name, problem);
    }

    fn note_missing(&mut self, part: Part) {
        self.note(part, format!("is not set: {}", part.setting().meaning));
    }

    fn named(&self, part: Part) -> &'static str {
        part.setting().name
    }
}

impl Written for TableReader<'_> {
    fn text(&mut self, part: Part) -> Option<String> {
        TableReader::text(self, part.key())
    }

    fn is_given(&self, part: Part) -> bool {
        TableReader::is_given(self, part.key())
    }

    fn note(&mut self, part: Part, problem: String) {
        self.note_key(part.key(), problem);
    }

    fn note_missing(&mut self, part: Part) {
        let meaning = part.key().meaning;
        self.note(part, format!("is missing in [[principal]]: {meaning}"));
    }

    fn named(&self, part: Part) -> &'static str {
        part.key().name
    }
}
