//! One outside service with its token: what the typed clients are written on.
//!
//! A call becomes an answer of the expected kind or a [`CallError`] that tells
//! the whole story on one line. Here requests are repeated, paced and given
//! their token; what an answer means is the typed clients' business. Where the
//! other side repeats a token, it is taken out before anybody reads the answer.

mod attempt;
mod error;
mod joining;
mod lane;
mod raw;
mod skew;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, Method};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::Url;

use crate::identity::{Audience, Token, TokenSource};
use crate::retry;
use crate::timestamp::Timestamp;
use crate::transport::{Network, TransportError, one_line};
use attempt::{Failure, Tries, verdict};
use wire::{Wanted, accept, describe, request, take_tokens_out, target};

pub use error::{CallError, CallErrorCause, StatusError};
pub use joining::Joining;
pub use lane::{Lane, Meter};
pub use raw::{Accepts, Get, NoAnswer};
pub use skew::ClockSkew;

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
    /// Whether a machine that its users control may answer: its word on our token
    /// is believed once, since the proxy before it refuses in the same way.
    pub from_users: bool,
    /// No attempt begins later, because what the request rests on is too old by then.
    pub until: Option<Instant>,
    /// What makes a contributor on the workspace's resource a member of it.
    pub joining: Option<Joining>,
}

/// How much of the parser's complaint is kept: it may quote a value of any length.
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
    /// Set once a machine of the users has made it renew a token.
    renewed_for_users: AtomicBool,
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
            renewed_for_users: AtomicBool::new(false),
        }
    }

    /// Asks for JSON and reads it.
    ///
    /// # Errors
    ///
    /// A [`CallError`] unless a 2xx answer with a JSON content type parses as `T`.
    pub async fn json<T: DeserializeOwned>(&self, ask: Ask<'_>) -> Result<T, CallError> {
        self.json_by(ask, |text| serde_json::from_str(text)).await
    }

    /// Asks for JSON and reads it with `read`.
    ///
    /// # Errors
    ///
    /// A [`CallError`] unless a 2xx answer with a JSON content type is what `read` takes.
    pub async fn json_by<T>(
        &self,
        ask: Ask<'_>,
        read: impl Fn(&str) -> serde_json::Result<T>,
    ) -> Result<T, CallError> {
        self.call(&ask, Wanted::Json, |body| {
            // Checked at once, and not string by string.
            let text = str::from_utf8(body).map_err(|why| {
                let byte = why.valid_up_to() + 1;
                CallErrorCause::Shape(format!("no UTF-8 from byte {byte} on"))
            })?;
            read(text)
                .map_err(|why| CallErrorCause::Shape(one_line(&why.to_string(), KEPT_COMPLAINT)))
        })
        .await
    }

    /// Asks for a page of HTML.
    ///
    /// # Errors
    ///
    /// A [`CallError`] unless the answer is 2xx with `text/html`.
    pub async fn html(&self, ask: Ask<'_>) -> Result<String, CallError> {
        self.call(&ask, Wanted::Html, |body| {
            Ok(String::from_utf8_lossy(body).into_owned())
        })
        .await
    }

    /// Asks for a change of which the answer need not tell anything: JSON, or nothing
    /// at all.
    ///
    /// # Errors
    ///
    /// A [`CallError`] unless the answer is 2xx, and JSON if it has a body.
    pub async fn done(&self, ask: Ask<'_>) -> Result<(), CallError> {
        self.call(&ask, Wanted::JsonOrNothing, |_| Ok(())).await
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
        read: impl Fn(&Bytes) -> Result<T, CallErrorCause>,
    ) -> Result<T, CallError> {
        let started = Instant::now();
        let mut tries = Tries::default();
        let url = target(&self.base, ask);
        let result = match &url {
            // A timeout polls once before it looks at the clock, and a poll can send.
            Ok(_) if started >= self.lane.deadline() => Err(CallErrorCause::Deadline),
            Ok(url) => {
                let work = self.attempt_until_final(ask, url, wanted, &mut tries, started);
                match tokio::time::timeout_at(self.lane.deadline(), work).await {
                    Ok(Ok(body)) => read(&body),
                    Ok(Err(cause)) => Err(cause),
                    Err(_) => Err(CallErrorCause::Deadline),
                }
            }
            Err(why) => Err(CallErrorCause::Transport(why.clone())),
        };
        result.map_err(|cause| CallError {
            verb: ask.verb,
            target: describe(url.as_ref().unwrap_or(&self.base)),
            attempts: tries.begun,
            may_be_done: tries.may_be_done,
            elapsed: whole_millis(started.elapsed()),
            cause,
        })
    }

    async fn attempt_until_final(
        &self,
        ask: &Ask<'_>,
        url: &Url,
        wanted: Wanted,
        tries: &mut Tries,
        started: Instant,
    ) -> Result<Bytes, CallErrorCause> {
        let mut renewed = 0;
        let mut earlier: Option<CallErrorCause> = None;
        loop {
            let token = self
                .tokens
                .token(self.audience)
                .await
                .map_err(CallErrorCause::Token)?;
            let failure = match self.exchange(ask, url, wanted, &token, tries).await {
                Ok(body) => {
                    if !ask.from_users {
                        self.fresh_token_refused.store(false, Ordering::Relaxed);
                    }
                    return Ok(body);
                }
                Err(failure) => failure,
            };
            if matches!(failure.cause, CallErrorCause::TooLate) {
                // An attempt before this one may have arrived, which its own end tells.
                return Err(earlier.unwrap_or(failure.cause));
            }
            if attempt::refuses_token(&failure.cause) {
                if !self.may_renew(ask, renewed) {
                    return Err(failure.cause);
                }
                self.tokens.drop_token(self.audience, &token);
                renewed = 1;
                earlier = Some(failure.cause);
                continue;
            }
            let verdict = verdict(ask.idempotent, &failure);
            let end = ask.until.unwrap_or(self.lane.deadline());
            let end = end.min(self.lane.deadline());
            let left = end.duration_since(Instant::now());
            let wait = retry::next_wait(
                &self.network.limits.retry(),
                verdict,
                tries.begun - renewed,
                started.elapsed(),
                left,
                fastrand::f64(),
            );
            match wait {
                Some(wait) => self.pause(wait).await,
                None => return Err(failure.cause),
            }
            earlier = Some(failure.cause);
        }
    }

    /// Waits before another attempt, and makes room for other workspaces if that is long.
    async fn pause(&self, wait: Duration) {
        if wait > attempt::slow_after(&self.network) {
            self.lane.leave_place();
        }
        tokio::time::sleep(wait).await;
    }

    /// Whether a refused token is worth another, of which `renewed` were had for
    /// this call.
    fn may_renew(&self, ask: &Ask<'_>, renewed: u32) -> bool {
        if ask.from_users {
            return !self.renewed_for_users.swap(true, Ordering::Relaxed);
        }
        let may = renewed == 0 && !self.fresh_token_refused.load(Ordering::Relaxed);
        if !may {
            self.fresh_token_refused.store(true, Ordering::Relaxed);
        }
        may
    }

    /// One request: waits for its turn, sends, logs, counts, and checks status
    /// and content type.
    async fn exchange(
        &self,
        ask: &Ask<'_>,
        url: &Url,
        wanted: Wanted,
        token: &Token,
        tries: &mut Tries,
    ) -> Result<Bytes, Failure> {
        let request = request(ask, url, wanted, token)
            .map_err(|why| Failure::new(CallErrorCause::Transport(why), None))?;
        let _turn = self.lane.enter().await;
        // `acquire` fails only on a closed semaphore, and nothing closes it.
        let place = self.network.overall().acquire().await.ok();
        let started = Instant::now();
        if ask.until.is_some_and(|until| started >= until) {
            return Err(Failure::new(CallErrorCause::TooLate, None));
        }
        tries.begun += 1;
        // The deadline may end this while the request is under way.
        let was_open = std::mem::replace(&mut tries.may_be_done, true);
        let sent_at = self.network.clock.now();
        let sending = self.network.transport.send(request);
        let answer = attempt::patiently(&self.network, &self.lane, place, sending).await;
        let answer = answer.unwrap_or_else(|| {
            let patience = self.network.limits.request_timeout;
            Err(TransportError::timeout(patience))
        });
        let elapsed = started.elapsed();
        if !attempt::was_refused(&answer) {
            self.lane.meter().add(ask.stage, elapsed);
        }
        tries.may_be_done = was_open || !attempt::did_nothing(&answer);
        attempt::log(ask, url, tries.begun, elapsed, &answer);
        match answer {
            Ok(mut answer) => {
                take_tokens_out(&mut answer, ask, token);
                if self.audience == Audience::Databricks && !ask.from_users {
                    self.compare_clocks(sent_at, answer.headers());
                }
                let header = self.retry_after(answer.headers());
                accept(answer, wanted).map_err(|cause| Failure::new(cause, header))
            }
            Err(why) => Err(Failure::new(CallErrorCause::Transport(why), None)),
        }
    }

    /// Notes where the workspace's clock differs from ours; an answer without a
    /// date shows nothing.
    fn compare_clocks(&self, sent_at: Timestamp, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        let Some(dated) = date.and_then(Timestamp::parse_http) else {
            return;
        };
        self.lane.note_comparison();
        if let Some(skew) = ClockSkew::of(sent_at, self.network.clock.now(), dated) {
            self.lane.note_skew(skew);
        }
    }

    fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        let header = headers.get(RETRY_AFTER)?.to_str().ok()?;
        retry::retry_after(header, self.network.clock.now())
    }
}

/// More digits than milliseconds would only be noise in an error.
fn whole_millis(elapsed: Duration) -> Duration {
    Duration::from_millis(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
