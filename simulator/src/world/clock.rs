//! The world's time: moments relative to the world's origin, and a clock that follows real time or the
//! runtime's, which tests pause.
//!
//! Everything in a world is described relative to the moment the world was made ("since 5 hours"), so an
//! estate is built without knowing the time. Only [`Clock`] turns a moment into milliseconds since the
//! epoch. It is the only place of the simulator that reads the system's clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// A point in a world's time, in milliseconds from the world's origin; negative before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64);

impl Moment {
    /// The moment the world was made.
    pub const ORIGIN: Self = Self(0);

    /// The moment this long before the world was made.
    pub fn ago(length: Duration) -> Self {
        Self::ORIGIN.minus(length)
    }

    /// The moment this long after the world was made.
    pub fn ahead(length: Duration) -> Self {
        Self::ORIGIN.plus(length)
    }

    /// This moment and a length.
    #[must_use]
    pub fn plus(self, length: Duration) -> Self {
        Self(self.0.saturating_add(millis(length)))
    }

    /// This moment less a length.
    #[must_use]
    pub fn minus(self, length: Duration) -> Self {
        Self(self.0.saturating_sub(millis(length)))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// Where a world's origin lies in real time, and how far its present is from the real one.
#[derive(Clone, Debug)]
pub struct Clock {
    origin_ms: i64,
    offset_ms: i64,
    source: Source,
    apart_ms: i64,
}

/// What makes a clock go on.
#[derive(Clone, Copy, Debug)]
enum Source {
    System,
    Runtime { base_ms: i64, started: Instant },
}

impl Source {
    fn now_ms(self) -> i64 {
        match self {
            Self::System => system_time_ms(),
            Self::Runtime { base_ms, started } => base_ms.saturating_add(millis(started.elapsed())),
        }
    }
}

impl Clock {
    pub(crate) fn starting_now() -> Self {
        Self {
            origin_ms: system_time_ms(),
            offset_ms: 0,
            source: Source::System,
            apart_ms: 0,
        }
    }

    /// A clock that shows these milliseconds since the epoch now and goes on with the time of the runtime
    /// in which it is made.
    pub fn following_runtime(now_ms: i64) -> Self {
        Self {
            origin_ms: now_ms,
            offset_ms: 0,
            apart_ms: 0,
            source: Source::Runtime {
                base_ms: now_ms,
                started: Instant::now(),
            },
        }
    }

    /// Milliseconds since the epoch, as the world reckons.
    pub fn now_ms(&self) -> i64 {
        self.shown_ms() + self.offset_ms
    }

    /// Milliseconds since the epoch, as the world's answers are dated.
    pub(crate) fn shown_ms(&self) -> i64 {
        self.source.now_ms() + self.apart_ms
    }

    /// Sets the world's clock back, its present and its history alike: what a client sees whose own
    /// clock is ahead by that much.
    pub(crate) fn set_back(&mut self, length: Duration) {
        self.apart_ms -= millis(length);
        self.origin_ms -= millis(length);
    }

    /// The other way round: what a client sees whose own clock is behind.
    pub(crate) fn set_ahead(&mut self, length: Duration) {
        self.apart_ms += millis(length);
        self.origin_ms += millis(length);
    }

    /// The present moment.
    pub fn now(&self) -> Moment {
        Moment(self.now_ms() - self.origin_ms)
    }

    /// A moment in milliseconds since the epoch.
    pub fn epoch_ms(&self, moment: Moment) -> i64 {
        self.origin_ms.saturating_add(moment.0)
    }

    /// The moment of some milliseconds since the epoch.
    pub fn moment(&self, epoch_ms: i64) -> Moment {
        Moment(epoch_ms.saturating_sub(self.origin_ms))
    }

    /// Moves the present ahead of real time: tokens grow old, evidence grows old.
    pub(crate) fn advance(&mut self, length: Duration) {
        self.offset_ms += millis(length);
    }

    /// Moves all the world's history into the past while the present stays real: what a client with the
    /// real clock sees after waiting that long.
    pub(crate) fn age(&mut self, length: Duration) {
        self.origin_ms -= millis(length);
    }
}

fn millis(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

fn system_time_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, millis)
}

/// A length of time in seconds.
pub const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A length of time in minutes.
pub const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

/// A length of time in hours.
pub const fn hours(count: u64) -> Duration {
    Duration::from_secs(count * 3600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ageing_moves_history_back_and_leaves_the_present_real() {
        let mut clock = Clock::starting_now();
        let before = clock.epoch_ms(Moment::ago(hours(1)));
        clock.age(hours(2));
        assert_eq!(before - clock.epoch_ms(Moment::ago(hours(1))), 7_200_000);
        assert!((clock.now_ms() - system_time_ms()).abs() < 1_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_follows_the_runtime_stands_still_with_it() {
        let clock = Clock::following_runtime(1_000_000);
        assert_eq!((clock.now_ms(), clock.now()), (1_000_000, Moment::ORIGIN));
        tokio::time::sleep(hours(30)).await;
        assert_eq!(clock.now(), Moment::ahead(hours(30)));
    }

    #[test]
    fn a_clock_that_is_set_back_takes_history_along() {
        let mut clock = Clock::starting_now();
        let before = clock.now();
        let history = clock.epoch_ms(Moment::ago(hours(1)));
        clock.set_back(hours(3));
        assert!(clock.now().since(before) < seconds(10));
        assert_eq!(history - clock.epoch_ms(Moment::ago(hours(1))), 10_800_000);
        assert!(system_time_ms() - clock.shown_ms() >= 10_800_000);
        clock.set_ahead(hours(3));
        assert_eq!(history, clock.epoch_ms(Moment::ago(hours(1))));
    }

    #[test]
    fn advancing_moves_the_present_and_leaves_history_in_place() {
        let mut clock = Clock::starting_now();
        let before = clock.epoch_ms(Moment::ago(hours(1)));
        clock.advance(hours(2));
        assert_eq!(before, clock.epoch_ms(Moment::ago(hours(1))));
        assert!(clock.now().since(Moment::ORIGIN) >= hours(2));
    }
}
