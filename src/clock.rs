//! Where the time comes from.
//!
//! The one file that reads the system clock; every other part is handed a
//! [`Clock`] or a [`Timestamp`]. It must not sleep and holds no deadline: those
//! count on tokio's clock, which tests can pause. [`PausableClock`] follows that
//! clock, so that a simulated week passes in an instant.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use tokio::time::Instant;

use crate::timestamp::Timestamp;

/// Tells the time of day.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place that asks the system for the time"
        )]
        let now = std::time::SystemTime::now();
        let epoch = Timestamp::from_millis(0);
        match now.duration_since(UNIX_EPOCH) {
            Ok(after) => epoch.plus(after),
            Err(before) => epoch.minus(before.duration()),
        }
    }
}

/// A clock that starts at a given time and advances with tokio's clock, which
/// tests pause and wind forward.
#[derive(Debug, Clone, Copy)]
pub struct PausableClock {
    base: Timestamp,
    started: Instant,
}

impl PausableClock {
    /// Shows `base` now.
    #[must_use]
    pub fn starting_at(base: Timestamp) -> Self {
        Self {
            base,
            started: Instant::now(),
        }
    }

    /// How long it has been running.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

impl Clock for PausableClock {
    fn now(&self) -> Timestamp {
        self.base.plus(self.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_pausable_clock_follows_the_paused_time() {
        let base = Timestamp::from_millis(1_795_305_600_000);
        let clock = PausableClock::starting_at(base);
        tokio::time::sleep(Duration::from_secs(7 * 24 * 3600)).await;
        assert_eq!(clock.now().since(base), Duration::from_secs(7 * 24 * 3600));
    }

    #[test]
    fn the_system_clock_lies_in_this_century() {
        let now = SystemClock.now().as_millis();
        assert!(now > 1_577_836_800_000, "{now}");
        assert!(now < 4_102_444_800_000, "{now}");
    }
}
