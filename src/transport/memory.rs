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
use http::{HeaderMap, Method, Request, Response};
use url::Url;

use super::{Gate, Transport, TransportError, body_cap, too_large};

type Answer = BoxFuture<'static, Result<Response<Bytes>, TransportError>>;
type Handler = Box<dyn Fn(Request<Bytes>) -> Answer + Send + Sync>;

/// Answers requests from a function and remembers them.
pub struct MemoryTransport {
    gate: Gate,
    handler: Handler,
    sent: Mutex<Vec<RecordedRequest>>,
}

/// A request that was sent.
#[derive(Clone)]
pub struct RecordedRequest {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl fmt::Debug for RecordedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.url)
    }
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
    pub fn sent(&self) -> Vec<RecordedRequest> {
        self.record().clone()
    }

    fn record(&self) -> std::sync::MutexGuard<'_, Vec<RecordedRequest>> {
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
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let (url, _) = self.gate.pass(&request)?;
        let cap = body_cap(&request);
        self.record().push(RecordedRequest {
            method: request.method().clone(),
            url,
            headers: request.headers().clone(),
            body: request.body().clone(),
        });
        let response = (self.handler)(request).await?;
        if response.body().len() > cap {
            return Err(too_large(cap));
        }
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::Cloud;
    use crate::transport::{BodyCap, TransportErrorKind};

    fn echo_of(length: usize) -> MemoryTransport {
        MemoryTransport::new(Gate::new(Cloud::public(), None), move |_| async move {
            Ok(Response::new(Bytes::from(vec![b'x'; length])))
        })
    }

    fn request(url: &str) -> Request<Bytes> {
        Request::post(url)
            .header("authorization", "Bearer planted-secret")
            .extension(BodyCap(10))
            .body(Bytes::from("client_secret=planted-secret"))
            .expect("a request")
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
        assert!(shown.contains("POST https://adb-5.1"), "{shown}");
        assert!(!shown.contains("planted-secret"), "{shown}");
    }
}
