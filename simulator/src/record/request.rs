//! One request of the record, with what it tells of itself.
//!
//! `Display` and `Debug` show no header, no body and no secret; both are for a test that failed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use hyper::HeaderMap;
use serde_json::Value;

use crate::http::{Query, Request};

/// One request and its answer.
#[derive(Clone)]
pub struct RecordedRequest {
    /// The request.
    pub request: Request,
    /// When it arrived, in milliseconds since the epoch by the world's clock.
    pub at_ms: i64,
    /// The status that was answered; `None` while there is none, and for good if the connection was reset
    /// or hangs.
    pub status: Option<u16>,
    /// Why nobody arranged it, if so.
    pub violation: Option<String>,
}

impl RecordedRequest {
    /// The method in capitals.
    pub fn method(&self) -> &str {
        &self.request.method
    }

    /// The public host name.
    pub fn host(&self) -> &str {
        &self.request.host
    }

    /// The path as it was sent.
    pub fn path(&self) -> &str {
        &self.request.path
    }

    /// The decoded query.
    pub fn query(&self) -> &Query {
        &self.request.query
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.request.body
    }

    /// All headers with their values.
    pub fn headers(&self) -> &HeaderMap {
        &self.request.headers
    }

    /// The names of the headers.
    pub fn header_names(&self) -> Vec<String> {
        self.request
            .headers
            .keys()
            .map(ToString::to_string)
            .collect()
    }

    /// Header and claims of the client assertion that it carries, unchecked.
    pub fn assertion(&self) -> Option<(Value, Value)> {
        let form = self.request.form_body();
        let mut parts = form.first("client_assertion")?.split('.').map(|part| {
            let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
            serde_json::from_slice(&bytes).ok()
        });
        Some((parts.next()??, parts.next()??))
    }

    /// Whether it went to a driver's machine through the driver proxy.
    pub fn is_driver_proxy(&self) -> bool {
        self.path().starts_with("/driver-proxy-api/")
    }

    /// Whether it carries a header by which a contributor on the workspace's resource becomes an admin.
    pub fn carries_azure_header(&self) -> bool {
        let mut names = self.request.headers.keys();
        names.any(|name| name.as_str().starts_with("x-databricks-azure-"))
    }

    /// Whether it could change something at Databricks or Azure Resource Manager: anything but GET, the
    /// reading of events and the asking for a token.
    pub fn is_mutating(&self) -> bool {
        is_mutating(&self.request)
    }
}

pub(super) fn is_mutating(request: &Request) -> bool {
    let Request { method, path, .. } = request;
    let reads = method == "GET" || method == "HEAD" || path == "/api/2.1/clusters/events";
    !reads && !is_token_request(request)
}

/// By its path, because every Azure's Entra has a host of its own.
pub(super) fn is_token_request(request: &Request) -> bool {
    request.method == "POST" && request.path.contains("/oauth2/")
}

impl std::fmt::Display for RecordedRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let status = self
            .status
            .map_or_else(|| "-".to_owned(), |status| status.to_string());
        write!(
            f,
            "{status} {} {}{}",
            self.method(),
            self.host(),
            self.path()
        )?;
        for (index, (key, value)) in self.query().pairs().iter().enumerate() {
            let mark = if index == 0 { '?' } else { '&' };
            write!(f, "{mark}{key}={}", value.escape_debug())?;
        }
        match &self.violation {
            Some(why) => write!(f, "  NOT ARRANGED: {}", why.escape_debug()),
            None => Ok(()),
        }
    }
}

impl std::fmt::Debug for RecordedRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self} {:?}", self.header_names())
    }
}
