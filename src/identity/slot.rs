//! The token of one audience: fetched once, shared, renewed before it ends.
//!
//! A fetch runs in its own task, so an asker that goes away wastes nothing and
//! the others keep waiting for the same answer. Lifetimes count on tokio's clock
//! from the moment of issue; a machine that sleeps in between ends with a
//! refused token, which the service answers by asking for another.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Instrument;

use super::{Token, TokenError, TokenErrorKind};

/// A token with less left is not handed out: Databricks refuses one with 30 s
/// or less, and the request that carries it takes its time too.
pub(super) const LEAST_LEFT: Duration = Duration::from_secs(60);
/// With less left, another one is fetched while this one is still in use.
pub(super) const RENEW_BELOW: Duration = Duration::from_secs(300);
/// How long a failure that may pass is answered without another try.
pub(super) const FAILURE_LASTS: Duration = Duration::from_secs(30);

type Answer = Result<Token, TokenError>;
/// Shows the answer of the fetch under way once there is one.
type Flight = watch::Receiver<Option<Answer>>;

/// What an asker gets.
enum Step {
    Ready(Answer),
    Wait(Flight),
}

/// A token as it was issued.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) token: Token,
    /// For how long from now on.
    pub(super) lifetime: Duration,
}

/// The token of one audience.
#[derive(Debug, Default)]
pub(super) struct Slot(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    held: Option<Held>,
    flight: Option<Flight>,
    failure: Option<Failure>,
}

#[derive(Debug)]
struct Held {
    token: Token,
    ends: Instant,
}

#[derive(Debug)]
struct Failure {
    error: TokenError,
    /// `None` for one that lasts as long as the sweep.
    until: Option<Instant>,
}

impl Slot {
    /// The token in hand, or the one that the fetch under way brings, or that
    /// of a fetch begun now.
    pub(super) async fn token<F>(self: &Arc<Self>, fetch: impl FnOnce() -> F) -> Answer
    where
        F: Future<Output = Result<Issued, TokenError>> + Send + 'static,
    {
        let (step, landing) = self.step(Instant::now());
        // Only here, because a runtime that shuts down drops a new task at once,
        // and the landing takes the lock that `step` held.
        if let Some(landing) = landing {
            let fetch = fetch();
            let flight = async move {
                let mut landing = landing;
                landing.result = fetch.await;
            };
            tokio::spawn(flight.in_current_span());
        }
        let mut flight = match step {
            Step::Ready(answer) => return answer,
            Step::Wait(flight) => flight,
        };
        match flight.wait_for(Option::is_some).await {
            Ok(answer) => answer.clone().unwrap_or_else(|| Err(ended())),
            Err(_) => Err(ended()),
        }
    }

    /// Forgets `token` unless another one has taken its place.
    pub(super) fn drop_token(&self, token: &Token) {
        let mut state = self.state();
        if state.held.as_ref().is_some_and(|held| held.token.is(token)) {
            state.held = None;
        }
    }

    /// What an asker gets now, and the landing of the fetch that it has to begin.
    fn step(self: &Arc<Self>, now: Instant) -> (Step, Option<Landing>) {
        let mut state = self.state();
        let left = state.left(now);
        let usable = (left >= LEAST_LEFT)
            .then(|| state.held.as_ref().map(|held| held.token.clone()))
            .flatten();
        match (usable, state.failure(now)) {
            (Some(token), None) if left >= RENEW_BELOW => (Step::Ready(Ok(token)), None),
            (Some(token), Some(_)) => (Step::Ready(Ok(token)), None),
            (None, Some(error)) => (Step::Ready(Err(error)), None),
            (usable, None) => {
                let (flight, landing) = self.flight(&mut state);
                let step = match usable {
                    Some(token) => Step::Ready(Ok(token)),
                    None => Step::Wait(flight),
                };
                (step, landing)
            }
        }
    }

    /// The flight under way, or a new one with its landing.
    fn flight(self: &Arc<Self>, state: &mut State) -> (Flight, Option<Landing>) {
        if let Some(flight) = &state.flight {
            return (flight.clone(), None);
        }
        let (sender, flight) = watch::channel(None);
        state.flight = Some(flight.clone());
        let landing = Landing {
            slot: self.clone(),
            sender,
            result: Err(ended()),
        };
        (flight, Some(landing))
    }

    fn land(&self, result: Result<Issued, TokenError>) -> Answer {
        let now = Instant::now();
        let mut state = self.state();
        state.flight = None;
        match result {
            Ok(issued) if issued.lifetime >= LEAST_LEFT => {
                state.failure = None;
                state.held = Some(Held {
                    token: issued.token.clone(),
                    ends: now + issued.lifetime,
                });
                Ok(issued.token)
            }
            Ok(issued) => Err(state.fail(short_lived(issued.lifetime), now)),
            Err(error) => Err(state.fail(error, now)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn left(&self, now: Instant) -> Duration {
        self.held
            .as_ref()
            .map_or(Duration::ZERO, |held| held.ends.duration_since(now))
    }

    fn failure(&self, now: Instant) -> Option<TokenError> {
        let failure = self.failure.as_ref()?;
        let lasts = failure.until.is_none_or(|until| now < until);
        lasts.then(|| failure.error.clone())
    }

    fn fail(&mut self, error: TokenError, now: Instant) -> TokenError {
        let until = match error.kind {
            TokenErrorKind::Refused => None,
            TokenErrorKind::Secret | TokenErrorKind::Unavailable => Some(now + FAILURE_LASTS),
        };
        self.failure = Some(Failure {
            error: error.clone(),
            until,
        });
        error
    }
}

/// Brings the result home even if the fetch panics or its task is ended, so
/// that nobody waits for an answer that can't come.
struct Landing {
    slot: Arc<Slot>,
    sender: watch::Sender<Option<Answer>>,
    result: Result<Issued, TokenError>,
}

impl Drop for Landing {
    fn drop(&mut self) {
        let result = std::mem::replace(&mut self.result, Err(ended()));
        let answer = self.slot.land(result);
        self.sender.send_replace(Some(answer));
    }
}

fn ended() -> TokenError {
    TokenError {
        kind: TokenErrorKind::Unavailable,
        aadsts: None,
        sentence: "the token request ended unexpectedly".into(),
    }
}

fn short_lived(lifetime: Duration) -> TokenError {
    TokenError {
        kind: TokenErrorKind::Unavailable,
        aadsts: None,
        sentence: format!(
            "Entra issued a token for only {}s, and one with under {}s left is of no use; check this machine's clock and the tenant's token lifetime policy",
            lifetime.as_secs(),
            LEAST_LEFT.as_secs()
        ),
    }
}
