//! A service over a handler function, for the unit tests of typed clients.
//!
//! Its token is fixed and its limits are wide; use it with paused time, because
//! it waits between attempts as the real one does.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use tokio::time::Instant;
use url::Url;

use super::{Lane, Service};
use crate::clock::PausableClock;
use crate::cloud::Cloud;
use crate::identity::{Audience, Token, TokenError, TokenSource};
use crate::timestamp::Timestamp;
use crate::transport::{Gate, MemoryTransport, Network, NetworkLimits, Transport, TransportError};

/// The text of the token that [`FixedToken`] hands out.
pub(crate) const TOKEN: &str = "planted-token-4711";

/// Hands out [`TOKEN`] for ever.
#[derive(Debug)]
pub(crate) struct FixedToken;

#[async_trait]
impl TokenSource for FixedToken {
    async fn token(&self, _audience: Audience) -> Result<Token, TokenError> {
        Ok(Token::new(TOKEN))
    }

    fn drop_token(&self, _audience: Audience, _token: &Token) {}
}

/// Limits with the values of the settings' defaults.
pub(crate) fn limits() -> NetworkLimits {
    NetworkLimits {
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(30),
        token_timeout: Duration::from_secs(20),
        attempts: 4,
        retry_budget: Duration::from_secs(60),
        retry_first_wait: Duration::from_millis(500),
        retry_longest_wait: Duration::from_secs(10),
        requests_per_second: 5,
        burst: 10,
        parallel_per_workspace: 4,
        parallel_overall: 64,
    }
}

/// A network whose requests `handler` answers, at 2026-11-22 08:00 UTC.
pub(crate) fn network<H, F>(handler: H) -> (Network, Arc<MemoryTransport>)
where
    H: Fn(Request<Bytes>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Response<Bytes>, TransportError>> + Send + 'static,
{
    network_behind(Gate::new(Cloud::public(), None), handler)
}

/// The same behind another gate.
pub(crate) fn network_behind<H, F>(gate: Gate, handler: H) -> (Network, Arc<MemoryTransport>)
where
    H: Fn(Request<Bytes>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Response<Bytes>, TransportError>> + Send + 'static,
{
    let cloud = Cloud::public();
    let transport = Arc::new(MemoryTransport::new(gate, handler));
    let clock = PausableClock::starting_at(Timestamp::from_millis(1_795_334_400_000));
    let shared: Arc<dyn Transport> = transport.clone();
    let network = Network::new(cloud, shared, Arc::new(clock), limits());
    (network, transport)
}

/// A service of the workspace `adb-5555555555555555.19` that `handler` plays.
pub(crate) fn service<H, F>(handler: H) -> (Service, Arc<MemoryTransport>)
where
    H: Fn(Request<Bytes>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Response<Bytes>, TransportError>> + Send + 'static,
{
    let (network, transport) = network(handler);
    let base = Url::parse("https://adb-5555555555555555.19.azuredatabricks.net/")
        .expect("the URL is well-formed");
    let lane = Lane::new(&network.limits, Instant::now() + Duration::from_secs(3600));
    let service = Service::new(
        network,
        Arc::new(FixedToken),
        Audience::Databricks,
        base,
        Arc::new(lane),
    );
    (service, transport)
}

/// An answer with this status, content type and body.
pub(crate) fn answer(
    status: u16,
    content_type: &str,
    body: impl Into<Bytes>,
) -> Result<Response<Bytes>, TransportError> {
    Ok(Response::builder()
        .status(status)
        .header("content-type", content_type)
        .body(body.into())
        .expect("the parts are well-formed"))
}
