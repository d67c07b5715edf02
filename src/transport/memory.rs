//! A transport without sockets, for simulations and tests.
//!
//! The answers come from a function; the host rules and the body cap hold as on
//! the real one. It records what was sent, refused requests excepted, and its
//! `Debug` shows neither headers nor bodies, because requests carry secrets.

use std::fmt;
use std::future::Future;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{Request, Response};

use super::{Gate, Outgoing, Transport, TransportError, too_large};

type Answer = BoxFuture<'static, Result<Response<Bytes>, TransportError>>;
type Handler = Box<dyn Fn(Request<Bytes>) -> Answer + Send + Sync>;

/// Answers requests from a function and remembers them.
pub struct MemoryTransport {
    gate: Gate,
    handler: Handler,
    sent: Mutex<Vec<Outgoing>>,
}

impl MemoryTransport {
    /// A transport whose requests `handler` answers.
    pub fn new<H, F>(gate: Gate, handler: H) -> Self
    where
        H: Fn(Request<Bytes>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Response<Bytes>, TransportError>> + Send + 'static,
    {
        Self {
            gate,
            handler: Box::new(move |request| handler(request).boxed()),
            sent: Mutex::default(),
        }
    }

    /// What was sent so far, in order.
    #[must_use]
    pub fn sent(&self) -> Vec<Outgoing> {
        self.record().clone()
    }

    fn record(&self) -> std::sync::MutexGuard<'_, Vec<Outgoing>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTransport").finish_non_exhaustive()
    }
}

#[async_trait]
impl Transport for MemoryTransport {
    async fn send(&self, request: Outgoing) -> Result<Response<Bytes>, TransportError> {
        self.gate.admit(&request.url)?;
        let cap = request.body_cap;
        let incoming = incoming(&request)?;
        self.record().push(request);
        let response = (self.handler)(incoming).await?;
        if response.body().len() > cap {
            return Err(too_large(cap));
        }
        Ok(response)
    }
}

/// The request as the other side reads it.
fn incoming(request: &Outgoing) -> Result<Request<Bytes>, TransportError> {
    let mut incoming = Request::builder()
        .method(request.method.clone())
        .uri(request.url.as_str())
        .body(request.body.clone())
        .map_err(|_| TransportError::refused("the request's target is no URI"))?;
    *incoming.headers_mut() = request.headers.clone();
    Ok(incoming)
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Method};

    use super::*;
    use crate::cloud::Cloud;
    use crate::transport::TransportErrorKind;
    use crate::transport::testing::outgoing;

    fn echo_of(length: usize) -> MemoryTransport {
        MemoryTransport::new(Gate::new(Cloud::public(), None), move |_| async move {
            Ok(Response::new(Bytes::from(vec![b'x'; length])))
        })
    }

    fn request(url: &str) -> Outgoing {
        let mut request = outgoing(url, 10);
        request.method = Method::POST;
        let bearer = HeaderValue::from_static("Bearer planted-secret");
        request.headers.insert("authorization", bearer);
        request.body = Bytes::from("client_secret=planted-secret");
        request
    }

    #[tokio::test]
    async fn keeps_to_the_host_rules_and_the_cap() {
        let transport = echo_of(11);
        let error = transport
            .send(request("https://example.com/"))
            .await
            .expect_err("refused");
        assert_eq!(error.kind, TransportErrorKind::Refused);
        assert!(transport.sent().is_empty());

        let url = "https://adb-5.1.azuredatabricks.net/api";
        let error = transport.send(request(url)).await.expect_err("too large");
        assert_eq!(error.kind, TransportErrorKind::BodyTooLarge);
        assert!(echo_of(10).send(request(url)).await.is_ok());
    }

    #[tokio::test]
    async fn its_record_shows_no_secret() {
        let transport = echo_of(1);
        let url = "https://adb-5.1.azuredatabricks.net/api";
        transport.send(request(url)).await.expect("an answer");
        let shown = format!("{transport:?} {:?}", transport.sent());
        assert!(shown.contains("POST adb-5.1"), "{shown}");
        assert!(!shown.contains("planted-secret"), "{shown}");
    }
}
