//! Why a call gave nothing: the error that every typed client returns.
//!
//! Its text is one line: verb, target, attempts, time, cause. What the other
//! side said is kept beside it for the classifiers, cut and without our token;
//! it is text from outside and must be escaped where it is shown.

use std::time::Duration;

use thiserror::Error;

use crate::identity::TokenError;
use crate::transport::TransportError;

/// Why a call gave no usable answer.
#[derive(Debug, Clone, Error)]
#[error("{verb} at {target} failed after {attempts} attempt(s) in {elapsed:?}: {cause}")]
pub struct CallError {
    pub verb: &'static str,
    /// Host and path, no query.
    pub target: String,
    pub attempts: u32,
    pub elapsed: Duration,
    /// Whether the other side may have done what it was asked, because one of the
    /// attempts may have arrived and was not clearly refused.
    pub may_be_done: bool,
    pub cause: CallErrorCause,
}

/// What the last attempt of a failed call ended in.
#[derive(Debug, Clone, Error)]
pub enum CallErrorCause {
    /// An answer with a status other than 2xx.
    #[error("{0}")]
    Status(StatusError),
    /// No answer.
    #[error("{0}")]
    Transport(TransportError),
    /// A 2xx answer that is no JSON where JSON was asked for.
    #[error("HTTP {status} with `{content_type}` instead of JSON")]
    NotJson {
        status: u16,
        content_type: String,
        /// The first 8 KiB of the body, lossily as text.
        body: String,
    },
    /// A 2xx answer that is no HTML where HTML was asked for.
    #[error("HTTP {status} with `{content_type}` instead of HTML")]
    NotHtml { status: u16, content_type: String },
    /// JSON of another shape than expected; the parser's words, cut.
    #[error("unexpected JSON: {0}")]
    Shape(String),
    /// No token to call with.
    #[error("no token: {0}")]
    Token(TokenError),
    /// Nothing was sent, because the request's turn came after its `until`.
    #[error("not sent, because its turn came too late")]
    TooLate,
    /// The sweep's deadline passed.
    #[error("the sweep's deadline passed")]
    Deadline,
}

impl CallErrorCause {
    /// The answer that was no success, if the call ended in one.
    #[must_use]
    pub fn answer(&self) -> Option<&StatusError> {
        match self {
            Self::Status(answer) => Some(answer),
            Self::Transport(_)
            | Self::NotJson { .. }
            | Self::NotHtml { .. }
            | Self::Shape(_)
            | Self::Token(_)
            | Self::TooLate
            | Self::Deadline => None,
        }
    }
}

/// An answer with a status other than 2xx, the start of its body kept for the classifiers.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("HTTP {status}")]
pub struct StatusError {
    pub status: u16,
    pub content_type: String,
    pub location: Option<String>,
    /// How long it asks us to stay away, in `Retry-After` or in its message.
    pub retry_after: Option<Duration>,
    /// The first 8 KiB of the body, lossily as text.
    pub body: String,
}
