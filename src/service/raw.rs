//! One GET as it is answered, for whoever looks at answers and not at what they mean.
//!
//! No repetition, no judgement, nothing kept: status and content type are the caller's
//! business, who must show nothing of the body. Token, pace and deadline are those of
//! every call.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response};
use tokio::time::Instant;

use super::wire::{Wanted, request, take_tokens_out, target};
use super::{Ask, Service, Stage};
use crate::retry::TransportErrorKind;
use crate::transport::TransportError;

/// Bytes of an answer beyond which it counts as none.
const BODY_CAP: usize = 16 * 1024 * 1024;

/// What an answer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepts {
    Json,
    Html,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// There is no token to ask with.
    NoToken,
    Transport(TransportErrorKind),
    /// The time was over.
    Deadline,
}

impl NoAnswer {
    /// The stable spelling.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::Transport(kind) => kind.as_str(),
            Self::Deadline => "deadline",
        }
    }
}

/// One GET.
#[derive(Debug, Clone, Copy)]
pub struct Get<'a> {
    pub verb: &'static str,
    pub stage: Stage,
    pub path: &'a [&'a str],
    pub query: &'a [(&'a str, &'a str)],
    pub accepts: Accepts,
}

impl Service {
    /// Sends `get` once. Gives what came, and how long that took.
    ///
    /// # Errors
    ///
    /// No answer came.
    pub async fn get_raw(&self, get: Get<'_>) -> (Result<Response<Bytes>, NoAnswer>, Duration) {
        let started = Instant::now();
        // A timeout polls once before it looks at the clock, and a poll can send.
        if started >= self.lane.deadline() {
            return (Err(NoAnswer::Deadline), Duration::ZERO);
        }
        let answer = tokio::time::timeout_at(self.lane.deadline(), self.send_raw(get)).await;
        let answer = answer.unwrap_or(Err(NoAnswer::Deadline));
        (answer, started.elapsed())
    }

    async fn send_raw(&self, get: Get<'_>) -> Result<Response<Bytes>, NoAnswer> {
        let refused = |why: TransportError| NoAnswer::Transport(why.kind);
        let ask = Ask {
            verb: get.verb,
            stage: get.stage,
            method: Method::GET,
            path: get.path,
            query: get.query,
            body: None,
            idempotent: true,
            body_cap: BODY_CAP,
            from_users: true,
            until: None,
            joining: None,
        };
        let wanted = match get.accepts {
            Accepts::Json => Wanted::Json,
            Accepts::Html => Wanted::Html,
        };
        let url = target(&self.base, &ask).map_err(refused)?;
        let token = self.tokens.token(self.audience).await;
        let token = token.map_err(|_| NoAnswer::NoToken)?;
        let request = request(&ask, &url, wanted, &token).map_err(refused)?;
        let _turn = self.lane.enter().await;
        // `acquire` fails only on a closed semaphore, and nothing closes it.
        let _place = self.network.overall().acquire().await.ok();
        let started = Instant::now();
        let patience = self.network.limits.request_timeout;
        let sending = tokio::time::timeout(patience, self.network.transport.send(request));
        let answer = sending.await;
        self.lane.meter().add(get.stage, started.elapsed());
        match answer {
            Ok(answer) => {
                let mut answer = answer.map_err(refused)?;
                take_tokens_out(&mut answer, &ask, &token);
                Ok(answer)
            }
            Err(_) => Err(NoAnswer::Transport(TransportErrorKind::Timeout)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::testing::{answer, limits, service};

    const LOOK: Get<'static> = Get {
        verb: "look",
        stage: Stage::Rights,
        path: &["api", "2.0", "look"],
        query: &[],
        accepts: Accepts::Json,
    };

    #[tokio::test(start_paused = true)]
    async fn no_answer_is_waited_for_beyond_the_patience_with_one_request() {
        let (service, _) = service(|_| std::future::pending());
        let (got, took) = service.get_raw(LOOK).await;
        let timeout = NoAnswer::Transport(TransportErrorKind::Timeout);
        assert_eq!(got.err(), Some(timeout));
        assert_eq!(took.as_secs(), limits().request_timeout.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_sent_raw_after_the_deadline() {
        let (service, transport) = service(|_| async { answer(200, "application/json", "{}") });
        let (in_time, _) = service.get_raw(LOOK).await;
        assert!(in_time.is_ok(), "{in_time:?}");
        tokio::time::sleep_until(service.lane().deadline()).await;
        let (late, took) = service.get_raw(LOOK).await;
        assert_eq!(late.err(), Some(NoAnswer::Deadline));
        assert_eq!(took, Duration::ZERO);
        assert_eq!(transport.sent().len(), 1);
    }
}
