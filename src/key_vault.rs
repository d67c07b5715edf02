//! Reads secrets from one key vault.
//!
//! The SDK's client does the talking over our transport, logged in as the
//! Function App's managed identity or as the developer. It answers the vault's
//! challenge only for the vault's own domain. Nothing is cached here and nothing
//! is ever written; a value leaves this file only as a [`SecretString`], and no
//! error text is built from an answer that could hold one.

mod explain;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::credentials::TokenCredential;
use azure_identity::AzureCliCredential;
use azure_security_keyvault_secrets::models::SecretClientGetSecretOptions;
use azure_security_keyvault_secrets::{SecretClient, SecretClientOptions};
use secrecy::SecretString;
use url::Url;

use crate::identity::{PlatformIdentity, SecretSource, StoredSecret};
use crate::timestamp::Timestamp;
use crate::transport::Network;
use crate::transport::sdk::{self, Trace};

pub use crate::identity::{SecretError, SecretErrorKind, SecretName};

/// As whom the vault is read.
#[derive(Clone)]
pub enum VaultLogin {
    /// The Function App's managed identity, where there is one.
    ManagedIdentity(PlatformIdentity),
    /// The developer who has run `az login`.
    AzureCli,
    /// Any other one; simulations without sockets bring their own.
    Given(Arc<dyn TokenCredential>),
}

impl VaultLogin {
    /// The managed identity where there is one, and on a developer's machine the
    /// login of the Azure CLI.
    #[must_use]
    pub fn of(identity: PlatformIdentity) -> Self {
        if identity.is_here {
            Self::ManagedIdentity(identity)
        } else {
            Self::AzureCli
        }
    }

    /// The same login, asked for one token by however many vaults.
    ///
    /// # Errors
    ///
    /// A [`SecretError`] if it can't be used on this machine.
    pub fn shared(&self, network: &Network) -> Result<Self, SecretError> {
        let credential = credential(network, self).map_err(|why| explain::no_login(&why))?;
        Ok(Self::Given(credential))
    }
}

impl fmt::Debug for VaultLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            VaultLogin::ManagedIdentity(_) => "ManagedIdentity",
            VaultLogin::AzureCli => "AzureCli",
            VaultLogin::Given(_) => "Given",
        })
    }
}

/// One key vault.
pub struct KeyVault {
    network: Network,
    host: String,
    client: SecretClient,
}

impl fmt::Debug for KeyVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyVault")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

impl KeyVault {
    /// The vault at `url`, which [`crate::cloud::Cloud::key_vault_url`] has
    /// checked. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// A [`SecretError`] if the login can't be used on this machine.
    pub fn new(network: Network, url: &Url, login: &VaultLogin) -> Result<Self, SecretError> {
        let credential = credential(&network, login).map_err(|why| explain::no_login(&why))?;
        let options = SecretClientOptions {
            client_options: sdk::client_options(&network),
            ..SecretClientOptions::default()
        };
        let client = SecretClient::new(url.as_str(), credential, Some(options))
            .map_err(|why| explain::no_login(&why))?;
        Ok(Self {
            network,
            host: url.host_str().unwrap_or_default().to_owned(),
            client,
        })
    }

    async fn attempt(
        &self,
        name: &SecretName,
        trace: &Trace,
    ) -> azure_core::Result<Option<StoredSecret>> {
        let options = SecretClientGetSecretOptions {
            method_options: trace.options(),
            secret_version: name.version().map(str::to_owned),
            ..SecretClientGetSecretOptions::default()
        };
        let answer = self.client.get_secret(name.name(), Some(options)).await?;
        let secret = answer.into_model()?;
        let expires = secret.attributes.and_then(|attributes| attributes.expires);
        let expires = expires.map(|at| at.unix_timestamp().saturating_mul(1000));
        let value = secret.value.filter(|value| !value.is_empty());
        Ok(value.map(|value| StoredSecret {
            value: SecretString::from(value),
            expires: expires.map(Timestamp::from_millis),
        }))
    }
}

fn credential(
    network: &Network,
    login: &VaultLogin,
) -> azure_core::Result<Arc<dyn TokenCredential>> {
    Ok(match login {
        VaultLogin::ManagedIdentity(identity) => identity.credential(network)?,
        VaultLogin::AzureCli => AzureCliCredential::new(None)?,
        VaultLogin::Given(credential) => credential.clone(),
    })
}

#[async_trait]
impl SecretSource for KeyVault {
    async fn read(&self, name: &SecretName) -> Result<StoredSecret, SecretError> {
        let attempt = |trace: Trace| async move { self.attempt(name, &trace).await };
        match sdk::attempt_until_final(&self.network, attempt, |_| {}).await {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(explain::empty(&self.host, name)),
            Err(failure) => {
                let cloud = &self.network.cloud;
                Err(explain::explain(cloud, &self.host, name, &failure))
            }
        }
    }
}

#[cfg(test)]
mod tests;
