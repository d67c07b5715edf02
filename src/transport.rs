//! One exchange with the outside: a request out, an answer or an error back.
//!
//! Everything that leaves the process passes a [`Transport`], and every
//! transport asks the [`Gate`] first, so no token can go to a host that is not
//! part of the cloud. A transport follows no redirect, repeats nothing and
//! judges no status: `retry` and `service` do. [`HttpsTransport`] is the real
//! one, [`MemoryTransport`] the one without sockets; `sdk` puts either of them
//! under the Azure SDK.

mod https;
mod memory;
pub mod sdk;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Method, Response};
use tokio::sync::Semaphore;
use url::{Host, Url};

use crate::clock::Clock;
use crate::cloud::{Cloud, Destination};
use crate::retry::RetryLimits;

pub use crate::escape::one_line;
pub use crate::retry::TransportErrorKind;
pub use https::HttpsTransport;
pub use memory::MemoryTransport;

/// Carries requests to the outside.
#[async_trait]
pub trait Transport: Send + Sync + fmt::Debug {
    /// Sends one request, at most once, and reads the whole answer, however long that
    /// takes: whoever sends bounds the time.
    ///
    /// # Errors
    ///
    /// A [`TransportError`] wherever no whole answer came; any status is an answer.
    async fn send(&self, request: Outgoing) -> Result<Response<Bytes>, TransportError>;
}

/// One request on its way out. It holds the URL as it was parsed once, so that what
/// the [`Gate`] admits is what is sent.
#[derive(Clone)]
pub struct Outgoing {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    /// Sent if it is not empty.
    pub body: Bytes,
    /// Bytes of body beyond which the answer is refused.
    pub body_cap: usize,
}

/// Neither query nor header nor body: each may hold a secret.
impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.url.host_str().unwrap_or_default();
        write!(f, "{} {host}{}", self.method, self.url.path())
    }
}

/// Why an exchange gave no answer. Its text is one line and holds neither query
/// nor header nor body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportError {
    pub kind: TransportErrorKind,
    /// Whether it is certain that the request never reached the other side.
    pub never_sent: bool,
    /// What went wrong, on one line.
    pub detail: String,
}

impl TransportError {
    /// An error whose detail is cut and escaped to one line.
    #[must_use]
    pub fn new(kind: TransportErrorKind, never_sent: bool, detail: &str) -> Self {
        Self {
            kind,
            never_sent,
            detail: one_line(detail, DETAIL_LENGTH),
        }
    }

    /// A request that our own rules forbid.
    #[must_use]
    pub fn refused(detail: &str) -> Self {
        Self::new(TransportErrorKind::Refused, true, detail)
    }

    /// An exchange that ran out of time after it may have arrived.
    #[must_use]
    pub fn timeout(after: Duration) -> Self {
        let detail = format!("no answer within {after:?}");
        Self::new(TransportErrorKind::Timeout, false, &detail)
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            TransportErrorKind::Refused => "request refused before sending",
            TransportErrorKind::Dns => "host name not resolved",
            TransportErrorKind::Connect => "no connection",
            TransportErrorKind::Tls => "TLS failed",
            TransportErrorKind::Timeout => "timed out",
            TransportErrorKind::Reset => "connection broke off",
            TransportErrorKind::BodyTooLarge => "answer too large",
            TransportErrorKind::Other => "exchange failed",
        };
        write!(f, "{what}: {}", self.detail)
    }
}

impl std::error::Error for TransportError {}

const DETAIL_LENGTH: usize = 300;

/// The bounds of all talking to the outside. The defaults are in the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkLimits {
    /// For one connection, TLS included.
    pub connect_timeout: Duration,
    /// For one whole exchange.
    pub request_timeout: Duration,
    /// For one token or secret, all its exchanges and retries included.
    pub token_timeout: Duration,
    /// Attempts of one call, the first included.
    pub attempts: u32,
    /// Time within which the last attempt of one call starts.
    pub retry_budget: Duration,
    /// The wait after a call's first failure; it doubles.
    pub retry_first_wait: Duration,
    /// The longest wait that the doubling reaches.
    pub retry_longest_wait: Duration,
    /// Requests a second to one workspace, on average.
    pub requests_per_second: u32,
    /// Requests to one workspace that may go at once after a pause.
    pub burst: u32,
    /// Requests to one workspace that are under way at a time.
    pub parallel_per_workspace: usize,
    /// Requests to all workspaces that are under way at a time.
    pub parallel_overall: usize,
}

impl NetworkLimits {
    /// The part that `retry` needs.
    #[must_use]
    pub fn retry(&self) -> RetryLimits {
        RetryLimits {
            attempts: self.attempts,
            budget: self.retry_budget,
            first_wait: self.retry_first_wait,
            longest_wait: self.retry_longest_wait,
        }
    }
}

/// What everything that talks to the outside shares.
#[derive(Debug, Clone)]
pub struct Network {
    pub cloud: Cloud,
    pub transport: Arc<dyn Transport>,
    pub clock: Arc<dyn Clock>,
    pub limits: NetworkLimits,
    overall: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// How many slow requests may be under way beside those that are counted, for each
/// of these: enough for many silent workspaces, and a bound on connections.
const SLOW_BESIDE: usize = 4;

impl Network {
    /// Puts the parts together; clones share the overall bound.
    #[must_use]
    pub fn new(
        cloud: Cloud,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        limits: NetworkLimits,
    ) -> Self {
        let most = Semaphore::MAX_PERMITS / SLOW_BESIDE;
        let overall = limits.parallel_overall.clamp(1, most);
        Self {
            cloud,
            transport,
            clock,
            limits,
            overall: Arc::new(Semaphore::new(overall)),
            waiting: Arc::new(Semaphore::new(overall * SLOW_BESIDE)),
        }
    }

    /// The bound on requests that are under way at a time, over all workspaces.
    #[must_use]
    pub fn overall(&self) -> &Semaphore {
        &self.overall
    }

    /// The bound on requests that are under way beside these, because their answers
    /// are slow.
    #[must_use]
    pub fn waiting(&self) -> &Semaphore {
        &self.waiting
    }
}

/// The endpoint that App Service names for the managed identity: plain http on
/// loopback or link-local, so its requests never leave the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedIdentityEndpoint(Url);

impl ManagedIdentityEndpoint {
    /// Reads `IDENTITY_ENDPOINT`.
    ///
    /// # Errors
    ///
    /// One sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text.trim()).map_err(|why| format!("is no URL ({why})"))?;
        if url.scheme() != "http" || !url.username().is_empty() || url.password().is_some() {
            return Err("must be a plain http URL without user name".into());
        }
        let near = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_link_local(),
            Some(Host::Ipv6(ip)) => is_near(IpAddr::V6(ip)),
            None => false,
        };
        if near {
            Ok(Self(url))
        } else {
            Err("must name a loopback or link-local address".into())
        }
    }

    /// The URL as it was given.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }

    fn is(&self, url: &Url) -> bool {
        url.scheme() == self.0.scheme()
            && url.host() == self.0.host()
            && url.port_or_known_default() == self.0.port_or_known_default()
            && url.path() == self.0.path()
            && url.username().is_empty()
            && url.password().is_none()
    }
}

fn is_near(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unicast_link_local(),
    }
}

/// Decides what may be sent at all: the hosts of the cloud and, exactly as
/// given, the managed identity endpoint.
#[derive(Debug, Clone)]
pub struct Gate {
    cloud: Cloud,
    managed_identity: Option<ManagedIdentityEndpoint>,
}

impl Gate {
    #[must_use]
    pub fn new(cloud: Cloud, managed_identity: Option<ManagedIdentityEndpoint>) -> Self {
        Self {
            cloud,
            managed_identity,
        }
    }

    /// Says where a URL leads.
    ///
    /// # Errors
    ///
    /// A `Refused` [`TransportError`] for a URL that is not to be spoken to.
    pub fn admit(&self, url: &Url) -> Result<Destination, TransportError> {
        if self
            .managed_identity
            .as_ref()
            .is_some_and(|endpoint| endpoint.is(url))
        {
            return Ok(Destination::ManagedIdentity);
        }
        self.cloud
            .admit(url)
            .map_err(|refusal| TransportError::refused(&refusal.to_string()))
    }
}

fn too_large(cap: usize) -> TransportError {
    let detail = format!("the answer is longer than {cap} bytes");
    TransportError::new(TransportErrorKind::BodyTooLarge, false, &detail)
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A GET of this URL without headers.
    pub(crate) fn outgoing(url: &str, body_cap: usize) -> Outgoing {
        Outgoing {
            method: Method::GET,
            url: Url::parse(url).expect("a URL"),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            body_cap,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_managed_identity_endpoint_is_near_and_plain() {
        for text in [
            "http://127.0.0.1:41741/msi/token/",
            "http://localhost:8081/msi/token",
            "http://169.254.130.4:8081/msi/token",
            "http://[::1]:8081/msi/token",
            "http://[fe80::1]:8081/msi/token",
        ] {
            assert!(ManagedIdentityEndpoint::parse(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "127.0.0.1:80",
            "https://127.0.0.1/msi",
            "http://10.0.0.4/msi/token",
            "http://example.com/msi/token",
            "http://localhost.example.com/msi/token",
            "http://me:pw@127.0.0.1/msi/token",
            "http://0.0.0.0/msi",
        ] {
            assert!(ManagedIdentityEndpoint::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_gate_opens_for_exactly_the_given_managed_identity_endpoint() {
        let endpoint = ManagedIdentityEndpoint::parse("http://127.0.0.1:41741/msi/token").ok();
        let gate = Gate::new(Cloud::public(), endpoint);
        let admit = |text: &str| gate.admit(&Url::parse(text).expect("a URL"));
        assert_eq!(
            admit("http://127.0.0.1:41741/msi/token?resource=x"),
            Ok(Destination::ManagedIdentity)
        );
        for text in [
            "http://127.0.0.1:41742/msi/token",
            "http://127.0.0.1:41741/msi/token/",
            "http://127.0.0.1:41741/",
            "http://localhost:41741/msi/token",
            "http://me@127.0.0.1:41741/msi/token",
            "https://127.0.0.1:41741/msi/token",
            "http://169.254.169.254/metadata/identity/oauth2/token",
        ] {
            let error = admit(text).expect_err(text);
            assert_eq!(error.kind, TransportErrorKind::Refused, "{text}");
            assert!(error.never_sent, "{text}");
        }
    }

    #[test]
    fn text_from_outside_stays_on_one_line() {
        assert_eq!(
            one_line("a\r\nERROR b\u{1b}[31m", 100),
            "a\\r\\nERROR b\\u{1b}[31m"
        );
        assert_eq!(one_line("a\u{202e}b\u{2028}c", 9), "a\\u{202e}b\\u{2028}c");
        assert_eq!(one_line("äöüß", 2), "äö…");
        let error = TransportError::new(TransportErrorKind::Other, false, "x\ny");
        assert_eq!(error.to_string(), "exchange failed: x\\ny");
    }
}
