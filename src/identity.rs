//! The service principals of one sweep: their tokens, and the secrets behind them.
//!
//! One token per principal and audience, however many ask for it: concurrent
//! askers share a fetch and its failure. No principal gets another's. Tokens and secrets live in types whose `Debug` shows
//! nothing. This file knows Entra and where secrets come from in general
//! ([`SecretSource`]); it must not know Key Vault, Databricks or workspaces.

mod credential;
mod entra;
mod identities;
mod name;
mod operator;
mod platform;
mod principal;
mod secret;
mod slot;
mod source;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderValue;
use memchr::memmem::Finder;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use tokio::time::Instant;

use crate::cloud::Cloud;
use crate::transport::Network;
use crate::transport::sdk::Trace;
use principal::Principal;
use slot::{Issued, Slot};

pub use credential::CredentialInUse;
pub use identities::Identities;
pub use name::PrincipalName;
pub use operator::Operator;
pub use platform::PlatformIdentity;
pub(crate) use principal::{is_client_id, is_tenant_id};
pub use secret::{SecretError, SecretErrorKind, SecretName, SecretSource, StoredSecret};
pub use source::{Application, CredentialKind, CredentialSource, IdSource, PrincipalSource};

/// Whom a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Audience {
    Databricks,
    Arm,
    /// With this one beside that for Databricks, a contributor joins a workspace.
    Management,
}

impl Audience {
    /// As people know the service.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Databricks => "Azure Databricks",
            Self::Arm => "Azure Resource Manager",
            Self::Management => "Azure service management",
        }
    }
}

/// What stands where a token was repeated.
const TAKEN_OUT: &[u8] = b"[token]";

/// An access token.
#[derive(Clone)]
pub struct Token(Arc<Text>);

/// A token's text and what is made of it once for all its requests: the header that
/// carries it, and the search for it in what comes back.
struct Text {
    secret: SecretString,
    bearer: Option<HeaderValue>,
    /// `None` for an empty text, which would be found everywhere.
    finder: Option<Finder<'static>>,
}

impl Token {
    /// Wraps the token's text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        let secret = SecretString::from(text.into());
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", secret.expose_secret())).ok();
        if let Some(bearer) = &mut bearer {
            bearer.set_sensitive(true);
        }
        let text = secret.expose_secret().as_bytes();
        let finder = (!text.is_empty()).then(|| Finder::new(text).into_owned());
        Self(Arc::new(Text {
            secret,
            bearer,
            finder,
        }))
    }

    /// The value of an `Authorization` header, marked as sensitive; `None` if a header
    /// can't hold the token's text.
    #[must_use]
    pub fn bearer(&self) -> Option<&HeaderValue> {
        self.0.bearer.as_ref()
    }

    /// The token's text, for the line before the wire.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.secret.expose_secret()
    }

    /// What came from outside, with `[token]` in the place of each copy of this token.
    #[must_use]
    pub fn taken_out_of(&self, bytes: Bytes) -> Bytes {
        let Some(finder) = &self.0.finder else {
            return bytes;
        };
        let mut kept = Vec::new();
        let mut rest: &[u8] = &bytes;
        while let Some(at) = finder.find(rest) {
            let (before, found) = rest.split_at(at);
            kept.extend_from_slice(before);
            kept.extend_from_slice(TAKEN_OUT);
            rest = found.get(finder.needle().len()..).unwrap_or_default();
        }
        if kept.is_empty() {
            return bytes;
        }
        kept.extend_from_slice(rest);
        kept.into()
    }

    /// Whether both are the same token.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.expose() == other.expose()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// Hands out tokens.
#[async_trait]
pub trait TokenSource: Send + Sync + fmt::Debug {
    /// A token that is valid for another minute at least.
    ///
    /// # Errors
    ///
    /// A [`TokenError`] whose sentence says what to do.
    async fn token(&self, audience: Audience) -> Result<Token, TokenError>;

    /// Forgets this token, because the other side refused it; does nothing if
    /// another one has taken its place.
    fn drop_token(&self, audience: Audience, token: &Token);
}

/// Why there is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenErrorKind {
    /// A secret of the service principal could not be read or used.
    Secret,
    /// Entra refused the service principal.
    Refused,
    /// Entra did not answer, or not in a way that says anything.
    Unavailable,
}

/// Why there is no token: one line without any secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{sentence}")]
pub struct TokenError {
    pub kind: TokenErrorKind,
    /// The number of Entra's error, such as 7000215.
    pub aadsts: Option<u32>,
    /// What happened and what to do.
    pub sentence: String,
}

/// One service principal in one sweep.
#[derive(Debug, Clone)]
pub struct Identity {
    shared: Arc<Shared>,
    databricks: Arc<Slot>,
    arm: Arc<Slot>,
    management: Arc<Slot>,
}

#[derive(Debug)]
struct Shared {
    network: Network,
    source: PrincipalSource,
    platform: PlatformIdentity,
    /// `None` for a managed identity, of which nothing is kept anywhere.
    principal: Option<Principal>,
    token_requests: AtomicU64,
    token_time_ms: AtomicU64,
}

/// What an identity cost, for the report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IdentityUsage {
    /// Token requests that Entra or App Service answered.
    pub token_requests: u64,
    pub token_time: Duration,
    /// Secret reads that the vault answered, its challenges not counted.
    pub secret_reads: u64,
    pub secret_time: Duration,
}

impl Identity {
    /// An identity whose secrets `vault` holds, if it has any; nothing is read yet.
    #[must_use]
    pub fn new(
        network: Network,
        source: PrincipalSource,
        vault: Option<Arc<dyn SecretSource>>,
        platform: PlatformIdentity,
    ) -> Self {
        let principal = match &source {
            PrincipalSource::ManagedIdentity => None,
            PrincipalSource::Application(application) => Some(Principal::new(
                network.clone(),
                vault,
                platform.clone(),
                application.clone(),
            )),
        };
        Self {
            shared: Arc::new(Shared {
                network,
                source,
                platform,
                principal,
                token_requests: AtomicU64::new(0),
                token_time_ms: AtomicU64::new(0),
            }),
            databricks: Arc::default(),
            arm: Arc::default(),
            management: Arc::default(),
        }
    }

    /// What it cost so far.
    #[must_use]
    pub fn usage(&self) -> IdentityUsage {
        let shared = &self.shared;
        let usage = shared.principal.as_ref().map(Principal::usage);
        let (secret_reads, secret_time, assertions) = usage.unwrap_or_default();
        IdentityUsage {
            token_requests: shared.token_requests.load(Ordering::Relaxed) + assertions,
            token_time: Duration::from_millis(shared.token_time_ms.load(Ordering::Relaxed)),
            secret_reads,
            secret_time,
        }
    }

    /// The application id, by which Databricks knows the principal. No more than that
    /// is read.
    ///
    /// # Errors
    ///
    /// Why it could not be read.
    pub async fn client_id(&self) -> Result<String, TokenError> {
        if let Some(principal) = &self.shared.principal {
            return principal.client_id().await;
        }
        match &self.shared.platform.client_id {
            Some(id) => Ok(id.clone()),
            None => {
                let token = self.token(Audience::Databricks).await?;
                platform::application_of(&token)
            }
        }
    }

    /// What it proves itself with, as far as that is known by now.
    #[must_use]
    pub fn credential(&self) -> CredentialInUse {
        let principal = self.shared.principal.as_ref();
        CredentialInUse {
            kind: self.shared.source.kind(),
            secret: self.shared.source.secret().cloned(),
            valid_until: principal.and_then(Principal::valid_until),
        }
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
impl TokenSource for Identity {
    async fn token(&self, audience: Audience) -> Result<Token, TokenError> {
        let fetch = || fetch(self.shared.clone(), audience);
        self.slot(audience).token(fetch).await
    }

    fn drop_token(&self, audience: Audience, token: &Token) {
        self.slot(audience).drop_token(token);
    }
}

fn scope(cloud: &Cloud, audience: Audience) -> &str {
    match audience {
        Audience::Databricks => cloud.databricks_scope(),
        Audience::Arm => cloud.resource_manager_scope(),
        Audience::Management => cloud.management_scope(),
    }
}

/// Asks Entra, and once more if it refuses and what proves us has changed since.
async fn fetch(shared: Arc<Shared>, audience: Audience) -> Result<Issued, TokenError> {
    let Some(principal) = &shared.principal else {
        return shared.of_managed_identity(audience).await;
    };
    let credentials = principal.current().await?;
    let refused = match shared.request(principal, &credentials, audience).await {
        Err(why) if why.kind == TokenErrorKind::Refused => why,
        result => return result,
    };
    match principal.renewed(&credentials).await {
        Some(renewed) => shared.request(principal, &renewed, audience).await,
        None => Err(refused),
    }
}

impl Shared {
    async fn request(
        &self,
        principal: &Principal,
        credentials: &principal::Credentials,
        audience: Audience,
    ) -> Result<Issued, TokenError> {
        let cloud = &self.network.cloud;
        let scope = scope(cloud, audience);
        let count = |trace: &Trace| {
            let answered = trace.answered_by(cloud.login_host());
            self.token_requests.fetch_add(answered, Ordering::Relaxed);
        };
        let application = principal.application();
        let started = Instant::now();
        let result =
            entra::request_token(&self.network, application, credentials, scope, count).await;
        self.took(started);
        result
    }

    async fn of_managed_identity(&self, audience: Audience) -> Result<Issued, TokenError> {
        let count = |trace: &Trace| {
            let answered = trace.answered();
            self.token_requests.fetch_add(answered, Ordering::Relaxed);
        };
        let started = Instant::now();
        let scope = scope(&self.network.cloud, audience);
        let token = self.platform.token(&self.network, scope, count).await;
        self.took(started);
        entra::issued(&token?)
    }

    fn took(&self, since: Instant) {
        let elapsed = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.token_time_ms.fetch_add(elapsed, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
