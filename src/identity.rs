//! The service principal of one sweep: its tokens, and the secrets behind them.
//!
//! One token per audience, however many ask for it: concurrent askers share a
//! fetch and its failure. Tokens and secrets live in types whose `Debug` shows
//! nothing. This file knows Entra and where secrets come from in general
//! ([`SecretSource`]); it must not know Key Vault, Databricks or workspaces.

mod secret;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

pub use secret::{SecretError, SecretErrorKind, SecretName, SecretSource};

/// Whom a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Audience {
    Databricks,
    Arm,
}

/// An access token.
#[derive(Clone)]
pub struct Token(Arc<SecretString>);

impl Token {
    /// Wraps the token's text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Arc::new(SecretString::from(text.into())))
    }

    /// The token's text, for the line before the wire.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
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
