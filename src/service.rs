//! One outside service with its token: what the typed clients are written on.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde::de::DeserializeOwned;
use thiserror::Error;
use url::Url;

/// What a request is for; the report counts requests and time by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    Secrets,
    Tokens,
    Clusters,
    Rights,
    Runs,
    Spark,
    Nodes,
    Action,
}

/// One request, without its token.
#[derive(Debug)]
pub struct Ask<'a> {
    /// What it does, for errors: "list clusters".
    pub verb: &'static str,
    pub stage: Stage,
    pub method: Method,
    /// Path segments; each is percent-encoded, so an id can't leave its place.
    pub path: &'a [&'a str],
    /// Query pairs in order; values are percent-encoded here.
    pub query: &'a [(&'a str, &'a str)],
    /// JSON body of a POST.
    pub body: Option<serde_json::Value>,
    /// Whether sending it twice is the same as once; only then is it retried
    /// after a failure that may have reached the other side.
    pub idempotent: bool,
    /// Bytes of body beyond which the answer is refused.
    pub body_cap: usize,
}

/// Why a call gave no usable answer.
#[derive(Debug, Clone, Error)]
#[error("{verb} at {target} failed after {attempts} attempt(s) in {elapsed:?}: {cause}")]
pub struct CallError {
    pub verb: &'static str,
    /// Host and path, no query.
    pub target: String,
    pub attempts: u32,
    pub elapsed: Duration,
    pub cause: CallErrorCause,
}

#[derive(Debug, Clone, Error)]
pub enum CallErrorCause {
    #[error("{0}")]
    Status(StatusError),
}

/// An answer with a status other than 2xx, the start of its body kept for the classifiers.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("HTTP {status}")]
pub struct StatusError {
    pub status: u16,
    pub content_type: String,
    pub location: Option<String>,
    /// The first 8 KiB of the body, lossily as text.
    pub body: String,
}

#[derive(Debug)]
pub struct Service {}

impl Service {
    pub async fn json<T: DeserializeOwned>(&self, _ask: Ask<'_>) -> Result<T, CallError> {
        unimplemented!()
    }
    pub async fn html(&self, _ask: Ask<'_>) -> Result<String, CallError> {
        unimplemented!()
    }
    pub fn base(&self) -> &Url {
        unimplemented!()
    }
    pub fn share(self) -> Arc<Self> {
        Arc::new(self)
    }
}
