//! One request under way: its place among all requests of the sweep, what is logged
//! of it, and how it can fail.
//!
//! Places are few so that a sweep asks hard but not too hard. One that only waits
//! asks nothing: after a while its place, and its workspace's among those that are
//! visited, go to others, so that a workspace that never answers costs only itself.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use tokio::sync::SemaphorePermit;
use tokio::time::timeout;
use url::Url;

use super::{Ask, CallErrorCause, Lane};
use crate::retry::{self, Outcome};
use crate::transport::{Network, TransportError, TransportErrorKind};

/// Which part of `request_timeout` a request may take before it counts as slow.
const SLOW_PART: u32 = 10;

/// How long anything may wait before its place goes to others.
pub(super) fn slow_after(network: &Network) -> Duration {
    network.limits.request_timeout / SLOW_PART
}

/// Waits for an answer, in `place` as long as it is not slow; `None` if there is none
/// within `request_timeout`.
pub(super) async fn patiently<T>(
    network: &Network,
    lane: &Lane,
    place: Option<SemaphorePermit<'_>>,
    answer: impl Future<Output = T>,
) -> Option<T> {
    let mut answer = pin!(answer);
    let slow_after = slow_after(network);
    if let Ok(answer) = timeout(slow_after, &mut answer).await {
        return Some(answer);
    }
    let left = network.limits.request_timeout.saturating_sub(slow_after);
    let answer = timeout(left, answer);
    // Where too many wait already, the connections are what is scarce.
    let Ok(_waiting) = network.waiting().try_acquire() else {
        return answer.await.ok();
    };
    drop(place);
    lane.leave_place();
    answer.await.ok()
}

/// The attempts of one call so far.
#[derive(Debug, Default)]
pub(super) struct Tries {
    pub(super) begun: u32,
    /// Whether one of them may have been acted on without a good answer.
    pub(super) may_be_done: bool,
}

/// Whether it is certain that the other side did nothing: the request never arrived,
/// or was refused. 408 can come after the work has begun.
pub(super) fn did_nothing(answer: &Result<Response<Bytes>, TransportError>) -> bool {
    match answer {
        Ok(answer) => answer.status().is_client_error() && answer.status() != 408,
        Err(why) => why.never_sent,
    }
}

pub(super) fn was_refused(answer: &Result<Response<Bytes>, TransportError>) -> bool {
    answer
        .as_ref()
        .is_err_and(|why| why.kind == TransportErrorKind::Refused)
}

/// Whether the answer means that another token could help. Databricks answers a
/// bad token with 401 or with 403 and a page, and its wording varies; a refused
/// principal has other words.
pub(super) fn refuses_token(cause: &CallErrorCause) -> bool {
    let Some(answer) = cause.answer() else {
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

/// One attempt's failure, with how long the answer asked us to stay away.
pub(super) struct Failure {
    pub(super) cause: CallErrorCause,
    pub(super) retry_after: Option<Duration>,
}

impl Failure {
    /// `header` is what `Retry-After` asked for; the longer wait of header and
    /// message counts, because coming earlier than either is refused again.
    pub(super) fn new(mut cause: CallErrorCause, header: Option<Duration>) -> Self {
        let mut retry_after = header;
        if let CallErrorCause::Status(answer) = &mut cause {
            if matches!(answer.status, 429 | 529) {
                retry_after = header.max(retry::wait_in_words(&answer.body));
            }
            answer.retry_after = retry_after;
        }
        Self { cause, retry_after }
    }
}

/// Whether another attempt can help.
pub(super) fn verdict(idempotent: bool, failure: &Failure) -> retry::Verdict {
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
        | CallErrorCause::TooLate
        | CallErrorCause::Deadline => return retry::Verdict::Final,
    };
    retry::classify(idempotent, &outcome)
}

pub(super) fn log(
    ask: &Ask<'_>,
    url: &Url,
    attempt: u32,
    elapsed: Duration,
    answer: &Result<Response<Bytes>, TransportError>,
) {
    let status = answer.as_ref().map(Response::status);
    let outcome = match &status {
        Ok(status) => status.as_str(),
        Err(why) => why.kind.as_str(),
    };
    tracing::debug!(
        verb = ask.verb,
        host = url.host_str().unwrap_or_default(),
        path = url.path(),
        status = outcome,
        attempt,
        elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        "Called {}",
        url.host_str().unwrap_or_default()
    );
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::service::testing::{answer, limits, network};

    const SECOND: Duration = Duration::from_secs(1);

    /// Lets `requests` wait for a while each, beside one that would like to go.
    async fn time_until_another_may_go(requests: usize) -> (Duration, usize) {
        let (network, _) = network(|_| async { answer(200, "text/plain", "") });
        let places = Arc::new(Semaphore::new(requests));
        let lanes: Vec<Lane> = (0..requests)
            .map(|_| Lane::new(&limits(), Instant::now() + SECOND * 3600))
            .collect();
        for lane in &lanes {
            lane.take_place(Arc::clone(&places).try_acquire_owned().expect("a place"));
        }
        let all = lanes.iter().map(|lane| {
            let network = &network;
            async move {
                let place = network.overall().acquire().await.ok();
                patiently(network, lane, place, sleep(SECOND * 20)).await;
            }
        });
        let began = Instant::now();
        let other = async {
            // Behind all of them.
            sleep(Duration::from_millis(1)).await;
            let _place = network.overall().acquire().await.ok();
            (began.elapsed(), places.available_permits())
        };
        let (_, gone) = tokio::join!(futures_util::future::join_all(all), other);
        gone
    }

    #[tokio::test(start_paused = true)]
    async fn what_only_waits_makes_room_for_others() {
        let all = limits().parallel_overall;
        let (after, places) = time_until_another_may_go(all).await;
        assert!((SECOND * 3..SECOND * 4).contains(&after), "{after:?}");
        assert_eq!(places, all);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_waited_for_beyond_the_patience_with_one_request() {
        let (network, _) = network(|_| async { answer(200, "text/plain", "") });
        let lane = Lane::new(&limits(), Instant::now() + SECOND * 3600);
        let patience = limits().request_timeout;
        for (takes, is_answered) in [(patience - SECOND, true), (patience + SECOND, false)] {
            let began = Instant::now();
            let answer = patiently(&network, &lane, None, sleep(takes)).await;
            assert_eq!(answer.is_some(), is_answered, "{takes:?}");
            let waited = began.elapsed();
            assert!(waited <= patience + SECOND / 100, "{waited:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn where_too_many_wait_nothing_more_is_begun() {
        let all = limits().parallel_overall;
        // Four times as many come to wait beside those that are counted, a round every
        // three seconds; the fifth round keeps its places until it is answered.
        let (after, _) = time_until_another_may_go(all * 5).await;
        assert!((SECOND * 32..SECOND * 33).contains(&after), "{after:?}");
    }
}
