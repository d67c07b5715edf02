//! An answer that is shared until it is too old.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::timestamp::Timestamp;

/// Holds the last answer and when it was asked for. Askers that come while it is
/// being read wait for it and share it.
#[derive(Debug)]
pub(super) struct Aged<T>(Mutex<Option<(Timestamp, Arc<T>)>>);

impl<T> Default for Aged<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Aged<T> {
    /// The answer, read anew if it is older than `max_age`. The age counts from
    /// before the reading, so that nothing that came later is missed.
    pub(super) async fn get<F>(
        &self,
        clock: &dyn Clock,
        max_age: Duration,
        read: impl FnOnce() -> F,
    ) -> Arc<T>
    where
        F: Future<Output = T>,
    {
        let mut held = self.0.lock().await;
        let now = clock.now();
        if let Some((taken_at, answer)) = held.as_ref() {
            // A clock that was set back makes the age unknown, so it reads anew.
            if *taken_at <= now && now.since(*taken_at) <= max_age {
                return Arc::clone(answer);
            }
        }
        let answer = Arc::new(read().await);
        *held = Some((now, Arc::clone(&answer)));
        answer
    }

    /// When the answer was asked for.
    pub(super) async fn taken_at(&self) -> Option<Timestamp> {
        self.0.lock().await.as_ref().map(|(taken_at, _)| *taken_at)
    }
}
