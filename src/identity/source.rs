//! What a principal is, and where everything that proves it is kept. Values only.

use std::fmt;

use super::SecretName;

/// Where an id is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdSource {
    /// In the settings themselves; they have checked it.
    Settings(String),
    /// In a secret of the vault.
    Secret(SecretName),
}

/// Where the id can be corrected, for an error's sentence.
impl fmt::Display for IdSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(id) => write!(f, "the settings (`{id}`)"),
            Self::Secret(name) => write!(f, "secret `{name}`"),
        }
    }
}

/// How a principal proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialKind {
    ClientSecret,
    Certificate,
    ManagedIdentity,
    Federated,
}

impl CredentialKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 4] = [
        Self::ClientSecret,
        Self::Certificate,
        Self::ManagedIdentity,
        Self::Federated,
    ];

    /// As the settings spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientSecret => "client-secret",
            Self::Certificate => "certificate",
            Self::ManagedIdentity => "managed-identity",
            Self::Federated => "federated",
        }
    }

    /// As people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ClientSecret => "client secret",
            Self::Certificate => "certificate",
            Self::ManagedIdentity => "managed identity",
            Self::Federated => "federated credential",
        }
    }
}

/// What proves to Entra that we are an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialSource {
    ClientSecret(SecretName),
    /// A certificate with its key, as Key Vault gives it out as a secret.
    Certificate(SecretName),
    /// The token of the Function App's managed identity, which the application trusts.
    Federated,
}

/// The application that a service principal stands for, and where its parts are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    pub tenant_id: IdSource,
    pub client_id: IdSource,
    pub credential: CredentialSource,
}

/// What a principal is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrincipalSource {
    Application(Application),
    /// The Function App's managed identity itself.
    ManagedIdentity,
}

impl PrincipalSource {
    /// How it proves who it is.
    #[must_use]
    pub fn kind(&self) -> CredentialKind {
        match self {
            Self::ManagedIdentity => CredentialKind::ManagedIdentity,
            Self::Application(application) => match application.credential {
                CredentialSource::ClientSecret(_) => CredentialKind::ClientSecret,
                CredentialSource::Certificate(_) => CredentialKind::Certificate,
                CredentialSource::Federated => CredentialKind::Federated,
            },
        }
    }

    /// Its tenant, where the settings themselves say it.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        match self {
            Self::Application(Application {
                tenant_id: IdSource::Settings(id),
                ..
            }) => Some(id),
            Self::Application(_) | Self::ManagedIdentity => None,
        }
    }

    /// The secret that proves it, if one does.
    #[must_use]
    pub fn secret(&self) -> Option<&SecretName> {
        match self {
            Self::ManagedIdentity => None,
            Self::Application(application) => match &application.credential {
                CredentialSource::ClientSecret(name) | CredentialSource::Certificate(name) => {
                    Some(name)
                }
                CredentialSource::Federated => None,
            },
        }
    }

    /// Whether any part of it is in a vault.
    #[must_use]
    pub fn reads_a_vault(&self) -> bool {
        let is_secret = |id: &IdSource| match id {
            IdSource::Settings(_) => false,
            IdSource::Secret(_) => true,
        };
        match self {
            Self::ManagedIdentity => false,
            Self::Application(application) => {
                self.secret().is_some()
                    || is_secret(&application.tenant_id)
                    || is_secret(&application.client_id)
            }
        }
    }
}
