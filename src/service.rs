//! One outside service with its token: what the typed clients are written on.
//!
//! A call becomes an answer of the expected kind or a [`CallError`] that tells
//! the whole story on one line. Here requests are repeated, paced and given
//! their token; what an answer means is the typed clients' business. A token
//! never appears in an error, not even where the other side repeats it.

mod lane;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::time::Instant;
use url::Url;

use crate::identity::{Audience, Token, TokenError, TokenSource};
use crate::retry::{self, Outcome};
use crate::transport::{BodyCap, Network, TransportError, one_line};

pub use lane::{Lane, Meter};

pub use crate::meter::Stage;

/// One request, without its token.
#[derive(Debug)]
pub struct Ask<'a> {
    /// What it does, for errors: "list clusters".
    pub verb: &'static str,
    pub stage: Stage,
    pub method: Method,
    /// Path segments; each is percent-encoded, so an id can't leave its place.
    /// An empty last one makes a slash at the end.
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
    /// The sweep's deadline passed.
    #[error("the sweep's deadline passed")]
    Deadline,
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

/// How much of a body is kept where it is evidence, not data.
const KEPT_BODY: usize = 8 * 1024;
/// How much of a header is kept.
const KEPT_HEADER: usize = 2 * 1024;
/// How much of the parser's complaint is kept: it may quote a value.
const KEPT_COMPLAINT: usize = 200;

/// A typed client's way to its service: base URL, token, pace, patience.
#[derive(Debug)]
pub struct Service {
    network: Network,
    tokens: Arc<dyn TokenSource>,
    audience: Audience,
    base: Url,
    lane: Arc<Lane>,
    /// Set while even a fresh token is refused, so that a service that refuses
    /// everything doesn't cost a token per call.
    fresh_token_refused: AtomicBool,
}

/// What the body of a good answer must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Json,
    Html,
}

/// One attempt's failure, with what its `Retry-After` asked for.
struct Failure {
    cause: CallErrorCause,
    retry_after: Option<Duration>,
}

impl Service {
    /// A service at `base`, called with tokens for `audience` through `lane`.
    #[must_use]
    pub fn new(
        network: Network,
        tokens: Arc<dyn TokenSource>,
        audience: Audience,
        base: Url,
        lane: Arc<Lane>,
    ) -> Self {
        Self {
            network,
            tokens,
            audience,
            base,
            lane,
            fresh_token_refused: AtomicBool::new(false),
        }
    }

    /// Asks for JSON and reads it.
    ///
    /// # Errors
    ///
    /// A [`CallError`] unless a 2xx answer with a JSON content type parses as `T`.
    pub async fn json<T: DeserializeOwned>(&self, ask: Ask<'_>) -> Result<T, CallError> {
        self.call(&ask, Wanted::Json, |body, token| {
            serde_json::from_slice(body).map_err(|why| {
                let why = without_token(&why.to_string(), token);
                CallErrorCause::Shape(one_line(&why, KEPT_COMPLAINT))
            })
        })
        .await
    }

    /// Asks for a page of HTML.
    ///
    /// # Errors
    ///
    /// A [`CallError`] unless the answer is 2xx with `text/html`.
    pub async fn html(&self, ask: Ask<'_>) -> Result<String, CallError> {
        self.call(&ask, Wanted::Html, |body, _| {
            Ok(String::from_utf8_lossy(body).into_owned())
        })
        .await
    }

    /// The root of the service.
    #[must_use]
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// The way to the service.
    #[must_use]
    pub fn lane(&self) -> &Arc<Lane> {
        &self.lane
    }

    /// Itself, for several clients at once.
    #[must_use]
    pub fn share(self) -> Arc<Self> {
        Arc::new(self)
    }

    async fn call<T>(
        &self,
        ask: &Ask<'_>,
        wanted: Wanted,
        read: impl Fn(&Bytes, &Token) -> Result<T, CallErrorCause>,
    ) -> Result<T, CallError> {
        let started = Instant::now();
        let mut attempts = 0;
        let url = target(&self.base, ask);
        let result = match &url {
            Ok(url) => {
                let work = self.attempt_until_final(ask, url, wanted, &mut attempts, started);
                match tokio::time::timeout_at(self.lane.deadline(), work).await {
                    Ok(Ok((body, token))) => read(&body, &token),
                    Ok(Err(cause)) => Err(cause),
                    Err(_) => Err(CallErrorCause::Deadline),
                }
            }
            Err(why) => Err(CallErrorCause::Transport(why.clone())),
        };
        result.map_err(|cause| CallError {
            verb: ask.verb,
            target: describe(url.as_ref().unwrap_or(&self.base)),
            attempts,
            elapsed: started.elapsed(),
            cause,
        })
    }

    async fn attempt_until_final(
        &self,
        ask: &Ask<'_>,
        url: &Url,
        wanted: Wanted,
        attempts: &mut u32,
        started: Instant,
    ) -> Result<(Bytes, Token), CallErrorCause> {
        let mut renewed = 0;
        loop {
            let token = self
                .tokens
                .token(self.audience)
                .await
                .map_err(CallErrorCause::Token)?;
            *attempts += 1;
            let failure = match self.exchange(ask, url, wanted, &token, *attempts).await {
                Ok(body) => {
                    self.fresh_token_refused.store(false, Ordering::Relaxed);
                    return Ok((body, token));
                }
                Err(failure) => failure,
            };
            if refuses_token(&failure.cause) {
                if renewed > 0 || self.fresh_token_refused.load(Ordering::Relaxed) {
                    self.fresh_token_refused.store(true, Ordering::Relaxed);
                    return Err(failure.cause);
                }
                self.tokens.drop_token(self.audience, &token);
                renewed = 1;
                continue;
            }
            let verdict = verdict(ask.idempotent, &failure);
            let left = self.lane.deadline().duration_since(Instant::now());
            let wait = retry::next_wait(
                &self.network.limits.retry(),
                verdict,
                *attempts - renewed,
                started.elapsed(),
                left,
                fastrand::f64(),
            );
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(failure.cause),
            }
        }
    }

    /// One request: waits for its turn, sends, logs, counts, and checks status
    /// and content type.
    async fn exchange(
        &self,
        ask: &Ask<'_>,
        url: &Url,
        wanted: Wanted,
        token: &Token,
        attempt: u32,
    ) -> Result<Bytes, Failure> {
        let request = request(ask, url, wanted, token).map_err(|why| Failure {
            cause: CallErrorCause::Transport(why),
            retry_after: None,
        })?;
        let _turn = self.lane.enter().await;
        // `acquire` fails only on a closed semaphore, and nothing closes it.
        let _overall = self.network.overall().acquire().await.ok();
        let started = Instant::now();
        let patience = self.network.limits.request_timeout;
        let answer = tokio::time::timeout(patience, self.network.transport.send(request))
            .await
            .unwrap_or_else(|_| Err(TransportError::timeout(patience)));
        let elapsed = started.elapsed();
        self.lane.meter().add(ask.stage, elapsed);
        log(ask, url, attempt, elapsed, &answer);
        match answer {
            Ok(answer) => {
                let retry_after = self.retry_after(answer.headers());
                accept(answer, wanted, token).map_err(|cause| Failure { cause, retry_after })
            }
            Err(why) => Err(Failure {
                cause: CallErrorCause::Transport(why),
                retry_after: None,
            }),
        }
    }

    fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        let header = headers.get(RETRY_AFTER)?.to_str().ok()?;
        retry::retry_after(header, self.network.clock.now())
    }
}

fn log(
    ask: &Ask<'_>,
    url: &Url,
    attempt: u32,
    elapsed: Duration,
    answer: &Result<Response<Bytes>, TransportError>,
) {
    let outcome = match answer {
        Ok(answer) => answer.status().as_str().to_owned(),
        Err(why) => why.kind.as_str().to_owned(),
    };
    let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    tracing::debug!(
        verb = ask.verb,
        host = url.host_str().unwrap_or_default(),
        path = url.path(),
        status = outcome,
        attempt,
        elapsed_ms,
        "Called {}",
        url.host_str().unwrap_or_default()
    );
}

/// The URL of a request. Dot segments are refused: every URL parser resolves
/// them, even percent-encoded ones, so they would leave their place.
fn target(base: &Url, ask: &Ask<'_>) -> Result<Url, TransportError> {
    let refuse = |why: &str| Err(TransportError::refused(why));
    let mut url = base.clone();
    url.set_query(None);
    if ask
        .path
        .iter()
        .any(|segment| matches!(*segment, "." | ".."))
    {
        return refuse("a path segment of only dots");
    }
    match url.path_segments_mut() {
        Ok(mut path) => {
            path.pop_if_empty().extend(ask.path);
        }
        Err(()) => return refuse("a base URL that takes no path"),
    }
    if !ask.query.is_empty() {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(ask.query);
        // A form writes spaces as `+`, which not every server reads as a space;
        // a real plus is `%2B` by then.
        url.set_query(Some(&query.finish().replace('+', "%20")));
    }
    Ok(url)
}

fn describe(url: &Url) -> String {
    format!("{}{}", url.host_str().unwrap_or_default(), url.path())
}

fn request(
    ask: &Ask<'_>,
    url: &Url,
    wanted: Wanted,
    token: &Token,
) -> Result<Request<Bytes>, TransportError> {
    let accept = match wanted {
        Wanted::Json => "application/json",
        Wanted::Html => "text/html",
    };
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
        .map_err(|_| TransportError::refused("the token is no header value"))?;
    bearer.set_sensitive(true);
    let mut request = Request::builder()
        .method(ask.method.clone())
        .uri(url.as_str())
        .header(ACCEPT, accept)
        .header(AUTHORIZATION, bearer)
        .extension(BodyCap(ask.body_cap));
    let body = match &ask.body {
        Some(json) => {
            request = request.header(CONTENT_TYPE, "application/json");
            Bytes::from(json.to_string())
        }
        None => Bytes::new(),
    };
    request
        .body(body)
        .map_err(|_| TransportError::refused("the request's target is no URI"))
}

/// Takes the body of a good answer; everything else becomes a cause.
fn accept(answer: Response<Bytes>, wanted: Wanted, token: &Token) -> Result<Bytes, CallErrorCause> {
    let (parts, body) = answer.into_parts();
    let status = parts.status.as_u16();
    let content_type = header(&parts.headers, &CONTENT_TYPE)
        .map(|text| without_token(&text, token))
        .unwrap_or_default();
    let kept = || {
        let start = body.get(..KEPT_BODY).unwrap_or(&body);
        without_token(&String::from_utf8_lossy(start), token)
    };
    if !parts.status.is_success() {
        return Err(CallErrorCause::Status(StatusError {
            status,
            location: header(&parts.headers, &LOCATION).map(|text| without_token(&text, token)),
            content_type,
            body: kept(),
        }));
    }
    if is_wanted(wanted, &content_type) {
        return Ok(body);
    }
    Err(match wanted {
        Wanted::Json => CallErrorCause::NotJson {
            status,
            content_type,
            body: kept(),
        },
        Wanted::Html => CallErrorCause::NotHtml {
            status,
            content_type,
        },
    })
}

fn is_wanted(wanted: Wanted, content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    match wanted {
        // SCIM answers `application/scim+json`.
        Wanted::Json => {
            essence == "application/json"
                || (essence.starts_with("application/") && essence.ends_with("+json"))
        }
        Wanted::Html => essence == "text/html",
    }
}

fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?;
    let text = String::from_utf8_lossy(value.as_bytes());
    Some(one_line(&text, KEPT_HEADER))
}

/// Takes our token out of what the other side sent: a driver that its users
/// control could repeat it, and the report would carry it on.
fn without_token(text: &str, token: &Token) -> String {
    match token.expose() {
        "" => text.to_owned(),
        token => text.replace(token, "[token]"),
    }
}

/// Whether the answer means that another token could help. Databricks answers a
/// bad token with 401 or with 403 and a page, and its wording varies; a refused
/// principal has other words.
fn refuses_token(cause: &CallErrorCause) -> bool {
    let CallErrorCause::Status(answer) = cause else {
        return false;
    };
    match answer.status {
        401 => true,
        403 => {
            let body = answer.body.to_ascii_lowercase();
            body.contains("invalid access token")
                || (body.contains("token") && body.contains("expired"))
        }
        _ => false,
    }
}

fn verdict(idempotent: bool, failure: &Failure) -> retry::Verdict {
    let outcome = match &failure.cause {
        CallErrorCause::Status(answer) => Outcome::Answer {
            status: answer.status,
            body: &answer.body,
            retry_after: failure.retry_after,
        },
        CallErrorCause::Transport(why) => Outcome::NoAnswer {
            kind: why.kind,
            never_sent: why.never_sent,
        },
        CallErrorCause::NotJson { .. }
        | CallErrorCause::NotHtml { .. }
        | CallErrorCause::Shape(_)
        | CallErrorCause::Token(_)
        | CallErrorCause::Deadline => return retry::Verdict::Final,
    };
    retry::classify(idempotent, &outcome)
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
