//! The Function App's own identity, for which App Service hands tokens out.
//!
//! It can be a principal itself, prove to Entra to be an application, or read a
//! vault. On a developer's machine there is none, and nothing stands in for it: the
//! Azure CLI speaks for a person, who is another principal with other rights.

use std::sync::Arc;

use azure_core::base64;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_identity::{ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId};

use super::{Token, TokenError, TokenErrorKind, is_client_id};
use crate::transport::sdk::{self, End, SdkFailure, Trace};
use crate::transport::{Network, one_line};

/// How much of the endpoint's own words is shown.
const SHOWN: usize = 240;

/// Which managed identity, and whether there is any here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlatformIdentity {
    /// Whether the process's environment has `IDENTITY_ENDPOINT` and
    /// `IDENTITY_HEADER`, which the SDK reads there itself.
    pub is_here: bool,
    /// The client id of a user-assigned identity; else it is the system-assigned one.
    pub client_id: Option<String>,
}

impl PlatformIdentity {
    /// The SDK's credential for it.
    ///
    /// # Errors
    ///
    /// Another way of handing out tokens than App Service's.
    pub fn credential(
        &self,
        network: &Network,
    ) -> azure_core::Result<Arc<ManagedIdentityCredential>> {
        ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
            user_assigned_id: self.client_id.clone().map(UserAssignedId::ClientId),
            client_options: sdk::client_options(network),
        }))
    }

    /// Asks for a token. `traced` sees the exchanges of every attempt.
    pub(super) async fn token(
        &self,
        network: &Network,
        scope: &str,
        traced: impl Fn(&Trace),
    ) -> Result<AccessToken, TokenError> {
        if !self.is_here {
            return Err(TokenError {
                kind: TokenErrorKind::Secret,
                aadsts: None,
                sentence: "there is no managed identity here, because `IDENTITY_ENDPOINT` is not set; run in the Function App, or use another credential here: the login of the Azure CLI speaks for you, and not for the identity".into(),
            });
        }
        let attempt = |trace: Trace| async move { self.attempt(network, scope, &trace).await };
        let token = sdk::attempt_until_final(network, attempt, traced).await;
        token.map_err(|failure| self.explain(&failure))
    }

    async fn attempt(
        &self,
        network: &Network,
        scope: &str,
        trace: &Trace,
    ) -> azure_core::Result<AccessToken> {
        let options = TokenRequestOptions {
            method_options: trace.options(),
        };
        let credential = self.credential(network)?;
        credential.get_token(&[scope], Some(options)).await
    }

    /// Which identity, and how it is set up.
    fn named(&self) -> (String, &'static str) {
        match &self.client_id {
            Some(id) => (
                format!("the user-assigned identity `{id}`"),
                "assign it to the Function App, or correct the client id in the settings",
            ),
            None => (
                "the system-assigned identity".to_owned(),
                "switch it on in the Function App, or name a user-assigned one in the settings",
            ),
        }
    }

    fn explain(&self, failure: &SdkFailure) -> TokenError {
        let (name, fix) = self.named();
        let what = format!("App Service gave no token for {name}");
        let tried = failure.tries();
        let (kind, sentence) = match failure.trace.last().map(|last| last.end) {
            None => {
                let text = failure.text.as_deref().unwrap_or("no answer in time");
                let text = one_line(text, SHOWN);
                (TokenErrorKind::Unavailable, format!("{what}: {text}"))
            }
            Some(End::NoAnswer(why)) => (
                TokenErrorKind::Unavailable,
                format!("{what} after {tried}: {why}"),
            ),
            Some(End::Answer { status, .. }) if (200..300).contains(&status) => (
                TokenErrorKind::Unavailable,
                format!("{what}: it answered HTTP {status} with something that is no token"),
            ),
            Some(End::Answer {
                status: status @ 400..=404,
                body,
                ..
            }) => (
                TokenErrorKind::Refused,
                format!("{what} (HTTP {status}{}); {fix}", words(&body)),
            ),
            Some(End::Answer { status, body, .. }) => (
                TokenErrorKind::Unavailable,
                format!("{what} after {tried}: HTTP {status}{}", words(&body)),
            ),
        };
        TokenError {
            kind,
            aadsts: None,
            sentence,
        }
    }
}

/// The application that a token speaks for: what a system-assigned identity is called
/// stands nowhere else that we may read. Entra calls the form of a token its own
/// affair, so that it may be missing there.
pub(super) fn application_of(token: &Token) -> Result<String, TokenError> {
    let claims = token.expose().split('.').nth(1);
    let claims = claims.and_then(|part| base64::decode_url_safe(part).ok());
    let claims: Option<serde_json::Value> =
        claims.and_then(|json| serde_json::from_slice(&json).ok());
    let id = claims
        .as_ref()
        .and_then(|claims| claims.get("appid")?.as_str());
    match id.filter(|id| is_client_id(id)) {
        Some(id) => Ok(id.to_owned()),
        None => Err(TokenError {
            kind: TokenErrorKind::Unavailable,
            aadsts: None,
            sentence: "the managed identity's token does not tell its client id; read it in Entra, where the identity is an enterprise application".into(),
        }),
    }
}

/// The message of `{"statusCode", "message"}`, else nothing.
fn words(body: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    match body.get("message").and_then(serde_json::Value::as_str) {
        Some(message) => format!(": {}", one_line(message, SHOWN)),
        None => String::new(),
    }
}
