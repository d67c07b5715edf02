//! Puts our transport under the Azure SDK.
//!
//! The SDK loses the status and the error number of an answer whose message
//! holds an escape, and by default retries for minutes. So it gets no retry of
//! its own, and each call leaves a [`Trace`] of its exchanges, from which the
//! caller can judge and explain. Bodies of good answers hold secrets and are
//! never kept; bad ones are kept without the secrets of their request.

mod carried;

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::error::ErrorKind;
use azure_core::http::headers::Headers;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{
    AsyncRawResponse, Body, ClientMethodOptions, ClientOptions, Context, Request as SdkRequest,
    RetryOptions, Transport as SdkTransport,
};
use bytes::Bytes;
use http::header::{HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Method, Response};
use tokio::time::Instant;
use url::Url;

use self::carried::Carried;
use super::{Network, Outgoing, TransportError, TransportErrorKind, one_line};
use crate::cloud::Cloud;
use crate::retry::{self, Outcome, Verdict};

/// A token or a secret is a few KiB.
const BODY_CAP: usize = 256 * 1024;
/// How much of a bad answer's body is kept.
const KEPT_BODY: usize = 8 * 1024;

/// The exchanges of one call of the SDK, in order.
#[derive(Debug, Clone, Default)]
pub struct Trace(Arc<Mutex<Vec<Exchange>>>);

/// One exchange.
#[derive(Debug, Clone)]
pub struct Exchange {
    pub host: String,
    pub end: End,
}

/// What an exchange ended in.
#[derive(Debug, Clone)]
pub enum End {
    Answer {
        status: u16,
        /// The start of the body, lossily as text; empty for a good answer.
        body: String,
        retry_after: Option<Duration>,
    },
    NoAnswer(TransportError),
}

impl Trace {
    /// The exchanges so far.
    #[must_use]
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The latest exchange.
    #[must_use]
    pub fn last(&self) -> Option<Exchange> {
        self.exchanges().pop()
    }

    /// How many exchanges with this host were answered.
    #[must_use]
    pub fn answered_by(&self, host: &str) -> u64 {
        let answered = |exchange: &Exchange| match exchange.end {
            End::Answer { .. } => exchange.host == host,
            End::NoAnswer(_) => false,
        };
        self.exchanges().iter().filter(|one| answered(one)).count() as u64
    }

    /// How many exchanges were answered.
    #[must_use]
    pub fn answered(&self) -> u64 {
        let answered = |exchange: &Exchange| match exchange.end {
            End::Answer { .. } => true,
            End::NoAnswer(_) => false,
        };
        self.exchanges().iter().filter(|one| answered(one)).count() as u64
    }

    /// The options of a method of the SDK that make it leave this trace.
    #[must_use]
    pub fn options(&self) -> ClientMethodOptions<'static> {
        let mut context = Context::new();
        context.insert(self.clone());
        ClientMethodOptions { context }
    }

    fn push(&self, exchange: Exchange) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(exchange);
    }
}

/// The options of a client of the SDK that goes through our transport.
#[must_use]
pub fn client_options(network: &Network) -> ClientOptions {
    ClientOptions {
        transport: Some(SdkTransport::with_policy(Arc::new(Adapter(
            network.clone(),
        )))),
        retry: RetryOptions::none(),
        cloud: Some(Arc::new(sdk_cloud(&network.cloud))),
        ..ClientOptions::default()
    }
}

fn sdk_cloud(cloud: &Cloud) -> CloudConfiguration {
    let mut custom = CustomConfiguration::default();
    custom.authority_host = cloud.authority();
    custom.into()
}

/// Why a call of the SDK gave nothing.
#[derive(Debug, Clone)]
pub struct SdkFailure {
    /// The exchanges of the last attempt.
    pub trace: Trace,
    /// The SDK's error with its causes on one line, or `None` after the time ran
    /// out. After a good answer it may quote a secret: don't show it then.
    pub text: Option<String>,
    pub attempts: u32,
    pub elapsed: Duration,
}

impl SdkFailure {
    /// How often and how long it was tried, for an error's sentence.
    #[must_use]
    pub fn tries(&self) -> String {
        let seconds = self.elapsed.as_secs_f64();
        format!("{} attempt(s) in {seconds:.1}s", self.attempts)
    }
}

/// Calls the SDK until it succeeds, fails for good, or the token timeout passes.
/// Reading a secret and asking for a token can be repeated without harm.
/// `traced` sees the trace of every attempt, the abandoned last one included.
///
/// # Errors
///
/// An [`SdkFailure`] that tells what the last attempt met.
pub async fn attempt_until_final<T, F>(
    network: &Network,
    mut attempt: impl FnMut(Trace) -> F,
    traced: impl Fn(&Trace),
) -> Result<T, SdkFailure>
where
    F: Future<Output = azure_core::Result<T>>,
{
    let started = Instant::now();
    let deadline = started + network.limits.token_timeout;
    let mut attempts = 0;
    loop {
        attempts += 1;
        let trace = Trace::default();
        let result = tokio::time::timeout_at(deadline, attempt(trace.clone())).await;
        traced(&trace);
        let text = match result {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => Some(chain(&error)),
            Err(_) => None,
        };
        let wait = retry::next_wait(
            &network.limits.retry(),
            trace.last().map_or(Verdict::Final, |last| last.verdict()),
            attempts,
            started.elapsed(),
            deadline.duration_since(Instant::now()),
            fastrand::f64(),
        );
        match wait {
            Some(wait) => tokio::time::sleep(wait).await,
            None => {
                return Err(SdkFailure {
                    trace,
                    text,
                    attempts,
                    elapsed: started.elapsed(),
                });
            }
        }
    }
}

impl Exchange {
    fn verdict(&self) -> Verdict {
        let outcome = match &self.end {
            // Unlike Databricks, Entra, Key Vault and the managed identity
            // endpoint answer 500 for what passes, and all Azure SDKs repeat it.
            End::Answer {
                status: 500,
                retry_after,
                ..
            } => {
                return Verdict::Retry {
                    not_before: *retry_after,
                };
            }
            End::Answer {
                status,
                body,
                retry_after,
            } => Outcome::Answer {
                status: *status,
                body,
                retry_after: *retry_after,
            },
            End::NoAnswer(why) => Outcome::NoAnswer {
                kind: why.kind,
                never_sent: why.never_sent,
            },
        };
        retry::classify(true, &outcome)
    }
}

fn chain(error: &azure_core::Error) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = cause.source();
    }
    one_line(&text, 600)
}

/// The last step of the SDK's pipeline.
#[derive(Debug)]
struct Adapter(Network);

#[async_trait]
impl Policy for Adapter {
    async fn send(
        &self,
        context: &Context,
        request: &mut SdkRequest,
        _next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let outgoing = convert(request)?;
        let carried = Carried::by(&outgoing);
        let patience = self.0.limits.request_timeout;
        let started = Instant::now();
        let answer = tokio::time::timeout(patience, self.0.transport.send(outgoing))
            .await
            .unwrap_or_else(|_| Err(TransportError::timeout(patience)));
        let url = request.url();
        let exchange = Exchange {
            host: url.host_str().unwrap_or_default().to_owned(),
            end: self.end(&answer, &carried),
        };
        log(url, request.method().as_str(), &exchange, started.elapsed());
        if let Some(trace) = context.value::<Trace>() {
            trace.push(exchange);
        }
        match answer {
            Ok(answer) => Ok(convert_back(answer)),
            Err(why) => Err(azure_core::Error::new(error_kind(&why), why)),
        }
    }
}

impl Adapter {
    fn end(&self, answer: &Result<Response<Bytes>, TransportError>, carried: &Carried) -> End {
        let answer = match answer {
            Ok(answer) => answer,
            Err(why) => return End::NoAnswer(why.clone()),
        };
        let body = if answer.status().is_success() {
            String::new()
        } else {
            // First the secrets, then the cut, which could leave the most of one.
            let text = carried.taken_out_of(&String::from_utf8_lossy(answer.body()));
            text.char_indices()
                .find(|(at, _)| *at >= KEPT_BODY)
                .map_or_else(|| text.clone(), |(end, _)| text[..end].to_owned())
        };
        let retry_after = answer
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| retry::retry_after(text, self.0.clock.now()));
        End::Answer {
            status: answer.status().as_u16(),
            body,
            retry_after,
        }
    }
}

/// The SDK's login on a virtual machine repeats connection errors for minutes,
/// whatever its options say; what our own rules forbid must end at once.
fn error_kind(why: &TransportError) -> ErrorKind {
    match why.kind {
        TransportErrorKind::Refused | TransportErrorKind::BodyTooLarge => ErrorKind::Other,
        TransportErrorKind::Dns
        | TransportErrorKind::Connect
        | TransportErrorKind::Tls
        | TransportErrorKind::Timeout
        | TransportErrorKind::Reset
        | TransportErrorKind::Other => {
            if why.never_sent {
                ErrorKind::Connection
            } else {
                ErrorKind::Io
            }
        }
    }
}

fn log(url: &Url, method: &str, exchange: &Exchange, elapsed: Duration) {
    let outcome = match &exchange.end {
        End::Answer { status, .. } => status.to_string(),
        End::NoAnswer(why) => why.kind.as_str().to_owned(),
    };
    let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    tracing::debug!(
        method,
        host = exchange.host,
        path = url.path(),
        status = outcome,
        elapsed_ms,
        "Called {} for a token or a secret",
        exchange.host
    );
}

fn convert(request: &SdkRequest) -> azure_core::Result<Outgoing> {
    let unusable = |what: &'static str| azure_core::Error::with_message(ErrorKind::Other, what);
    let body = match request.body() {
        Body::Bytes(bytes) => bytes.clone(),
        Body::SeekableStream(_) => return Err(unusable("a streamed body is not sent")),
    };
    let method = Method::from_bytes(request.method().as_str().as_bytes())
        .map_err(|_| unusable("the method can't be sent"))?;
    let mut headers = HeaderMap::new();
    for (name, value) in request.headers().iter() {
        let name = HeaderName::from_bytes(name.as_str().as_bytes())
            .map_err(|_| unusable("a header's name can't be sent"))?;
        let mut value = HeaderValue::from_str(value.as_str())
            .map_err(|_| unusable("a header's value can't be sent"))?;
        value.set_sensitive(matches!(
            name.as_str(),
            "authorization" | "x-identity-header"
        ));
        headers.append(name, value);
    }
    Ok(Outgoing {
        method,
        url: request.url().clone(),
        headers,
        body,
        body_cap: BODY_CAP,
    })
}

fn convert_back(answer: Response<Bytes>) -> AsyncRawResponse {
    let (parts, body) = answer.into_parts();
    let mut headers = Headers::new();
    for (name, value) in &parts.headers {
        if let Ok(value) = value.to_str() {
            headers.insert(name.as_str().to_owned(), value.to_owned());
        }
    }
    AsyncRawResponse::from_bytes(parts.status.as_u16().into(), headers, body)
}
