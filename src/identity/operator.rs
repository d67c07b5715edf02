//! The person at the keyboard: tokens by the login of the Azure CLI.
//!
//! For commands that act in an operator's name, such as `grant`; no sweep has it. The
//! CLI answers for whoever has run `az login`, in the tenant and cloud that are set
//! there, and keeps its own secrets: nothing of them passes through here.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::credentials::TokenCredential;
use azure_identity::AzureCliCredential;

use super::slot::{Issued, Slot};
use super::{Audience, Token, TokenError, TokenErrorKind, TokenSource, entra, scope};
use crate::transport::{Network, one_line};

/// How much of the CLI's own words is shown.
const SHOWN: usize = 300;

/// Whoever is logged in at the Azure CLI.
#[derive(Clone)]
pub struct Operator {
    network: Network,
    credential: Arc<dyn TokenCredential>,
    databricks: Arc<Slot>,
    arm: Arc<Slot>,
    management: Arc<Slot>,
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Operator")
    }
}

impl Operator {
    /// The login of the Azure CLI on this machine; nothing is asked of it yet.
    ///
    /// # Errors
    ///
    /// If the CLI cannot be used here.
    pub fn at_the_azure_cli(network: Network) -> Result<Self, TokenError> {
        let credential = AzureCliCredential::new(None);
        let credential = credential.map_err(|why| no_token(&why.to_string()))?;
        Ok(Self {
            network,
            credential,
            databricks: Arc::default(),
            arm: Arc::default(),
            management: Arc::default(),
        })
    }

    fn slot(&self, audience: Audience) -> &Arc<Slot> {
        match audience {
            Audience::Databricks => &self.databricks,
            Audience::Arm => &self.arm,
            Audience::Management => &self.management,
        }
    }
}

#[async_trait]
impl TokenSource for Operator {
    async fn token(&self, audience: Audience) -> Result<Token, TokenError> {
        let fetch = || ask(self.clone(), audience);
        self.slot(audience).token(fetch).await
    }

    fn drop_token(&self, audience: Audience, token: &Token) {
        self.slot(audience).drop_token(token);
    }
}

async fn ask(operator: Operator, audience: Audience) -> Result<Issued, TokenError> {
    let Operator {
        network,
        credential,
        ..
    } = operator;
    let scopes = [scope(&network.cloud, audience)];
    let asked = credential.get_token(&scopes, None);
    match tokio::time::timeout(network.limits.token_timeout, asked).await {
        Ok(Ok(token)) => entra::issued(&token),
        Ok(Err(why)) => Err(no_token(&why.to_string())),
        Err(_) => Err(no_token("it did not answer in time")),
    }
}

/// The CLI's own first line says it best; what follows is where to read more.
fn no_token(why: &str) -> TokenError {
    let first = why.lines().next().unwrap_or_default();
    TokenError {
        kind: TokenErrorKind::Refused,
        aadsts: None,
        sentence: format!(
            "the Azure CLI gave no token; run `az login`, and `az account get-access-token` to see whether it helped: {}",
            one_line(first, SHOWN)
        ),
    }
}
