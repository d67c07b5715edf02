//! What the fuzz targets share: a pretend service that answers with the fuzzer's
//! bytes, and what must hold of every text that is shown.
//!
//! The targets go through the typed clients, over the transport without sockets.
//! So they meet what a sweep meets, paging and errors in disguise included, and
//! nothing of the product had to be made public for them. Each compares what
//! came out with a plain reading of the same bytes as a `serde_json::Value`,
//! because that nothing panics says little about a program whose mistakes are
//! quiet. Time is paused: no target waits.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use serde::de::IgnoredAny;
use serde_json::Value;
use terminate_clusters::clock::PausableClock;
use terminate_clusters::cloud::Cloud;
use terminate_clusters::identity::{Audience, Token, TokenError, TokenSource};
use terminate_clusters::service::{Lane, Service};
use terminate_clusters::timestamp::Timestamp;
use terminate_clusters::transport::{Gate, MemoryTransport, Network, NetworkLimits};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;
use url::Url;

/// The token with which everything is asked; no text may hold it.
pub const TOKEN: &str = "planted-token-4711-0815";

/// 2026-11-22 08:00 UTC.
pub const NOW: Timestamp = Timestamp::from_millis(1_795_334_400_000);

/// Between two answers: no byte of UTF-8, so it stands inside of none.
const SEPARATOR: u8 = 0xff;

thread_local! {
    static RUNTIME: RefCell<Runtime> = RefCell::new(
        Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime"),
    );
}

/// The answers that the fuzzer wrote, in the order in which a target reads them;
/// those that it did not write are empty.
#[derive(Debug, Clone)]
pub struct Answers(Vec<Bytes>);

impl Answers {
    /// Cuts the fuzzer's bytes at each separator.
    #[must_use]
    pub fn of(data: &[u8]) -> Self {
        let parts = data.split(|byte| *byte == SEPARATOR);
        Self(parts.map(Bytes::copy_from_slice).collect())
    }

    /// The answer of that number.
    #[must_use]
    pub fn body(&self, number: usize) -> Bytes {
        self.0.get(number).cloned().unwrap_or_default()
    }

    /// The same as text, if it is some.
    #[must_use]
    pub fn text(&self, number: usize) -> Option<&str> {
        std::str::from_utf8(self.0.get(number)?).ok()
    }

    /// The same as JSON, read without regard to what is expected of it.
    #[must_use]
    pub fn json(&self, number: usize) -> Option<Value> {
        serde_json::from_slice(self.0.get(number)?).ok()
    }

    /// The same of an answer that was read as JSON. `None` where only this plain reader
    /// cannot hold it: a number out of its range, or bytes that are no text, in a member
    /// that nobody else looks at.
    #[must_use]
    pub fn plain(&self, number: usize) -> Option<Value> {
        let body = self.body(number);
        let plain = serde_json::from_slice(&body).ok();
        let is_json = plain.is_some() || serde_json::from_slice::<IgnoredAny>(&body).is_ok();
        assert!(is_json, "what was read as JSON is JSON");
        plain
    }
}

/// Runs the work to its end, in no time.
pub fn run<T>(work: impl Future<Output = T>) -> T {
    RUNTIME.with_borrow(|runtime| runtime.block_on(work))
}

/// Hands out [`TOKEN`] for ever.
#[derive(Debug)]
struct OneToken;

#[async_trait]
impl TokenSource for OneToken {
    async fn token(&self, _audience: Audience) -> Result<Token, TokenError> {
        Ok(Token::new(TOKEN))
    }

    fn drop_token(&self, _audience: Audience, _token: &Token) {}
}

/// A client's service at `base`, which asks once and is answered by `answer`.
pub fn service(
    base: &str,
    audience: Audience,
    answer: impl Fn(&Request<Bytes>) -> Response<Bytes> + Send + Sync + 'static,
) -> Arc<Service> {
    let limits = NetworkLimits {
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(30),
        token_timeout: Duration::from_secs(20),
        attempts: 1,
        retry_budget: Duration::from_secs(60),
        retry_first_wait: Duration::from_millis(500),
        retry_longest_wait: Duration::from_secs(10),
        requests_per_second: 1_000_000,
        burst: 1_000_000,
        parallel_per_workspace: 4,
        parallel_overall: 64,
    };
    let gate = Gate::new(Cloud::public(), None);
    let transport = MemoryTransport::new(gate, move |request| {
        let answer = answer(&request);
        async move { Ok(answer) }
    });
    let network = Network::new(
        Cloud::public(),
        Arc::new(transport),
        Arc::new(PausableClock::starting_at(NOW)),
        limits,
    );
    let lane = Lane::new(&limits, Instant::now() + Duration::from_secs(3600));
    let base = Url::parse(base).expect("a URL");
    Service::new(network, Arc::new(OneToken), audience, base, Arc::new(lane)).share()
}

/// A service that plays a workspace.
pub fn workspace(
    answer: impl Fn(&Request<Bytes>) -> Response<Bytes> + Send + Sync + 'static,
) -> Arc<Service> {
    let base = "https://adb-5555555555555555.19.azuredatabricks.net/";
    service(base, Audience::Databricks, answer)
}

/// An answer with this status, content type and body.
#[must_use]
pub fn answer(status: u16, content_type: &str, body: Bytes) -> Response<Bytes> {
    Response::builder()
        .status(status)
        .header("content-type", content_type)
        .body(body)
        .expect("an answer")
}

/// A good answer of JSON, as it claims.
#[must_use]
pub fn json(body: Bytes) -> Response<Bytes> {
    answer(200, "application/json", body)
}

/// The items of a member that is a list; none where it is absent or no list.
#[must_use]
pub fn items<'v>(value: &'v Value, member: &str) -> &'v [Value] {
    value
        .get(member)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// That a text which is shown is one line, hides nothing, moves nothing, drives
/// no terminal, has an end, and holds no token.
pub fn assert_is_shown_safely(text: &str) {
    let is_odd = |next: &char| {
        next.is_control()
            || matches!(
                u32::from(*next),
                0xad | 0x61c | 0x180e | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f
                    | 0xfeff | 0xfff9..=0xfffb | 0xe0000..=0xe007f
            )
    };
    let odd = text.chars().find(is_odd);
    assert_eq!(odd, None, "{text:?}");
    assert!(text.chars().count() <= 4000, "{} characters", text.len());
    assert!(!text.contains(TOKEN), "the token is shown: {text}");
}
