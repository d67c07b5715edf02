//! The stretch of time that machines are judged on.
//!
//! Pure arithmetic: `now` and the thresholds come in, the window that
//! `azure_monitor` asks for and the judge looks at comes out. Its start is
//! aligned to the buckets, because it may become "quiet since", and its end
//! leaves out the newest minutes, which Azure Monitor has not settled yet.

use std::time::Duration;

use crate::policy::PLATFORM_MARGIN;
use crate::signals::Why;
use crate::timestamp::Timestamp;
use crate::witness::refuse;

/// Points of a minute that a bucket needs.
pub const MIN_POINTS: usize = 3;

/// The newest minutes are partial in Azure Monitor, so the window ends this long before now.
pub const SETTLING: Duration = Duration::from_mins(5);

/// Looking back further than this, points of five minutes are asked for.
pub const FINE_LOOKBACK: Duration = Duration::from_hours(6);

/// What is looked at beyond the longest wait, so that a quiet machine can reach it.
pub const LOOKBACK_MARGIN: Duration = Duration::from_mins(10);

/// The stretch that is judged as one, aligned to the clock.
pub const BUCKET: Duration = Duration::from_mins(5);

/// The grain of the points that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    Minute,
    FiveMinutes,
}

impl Interval {
    /// The spelling of Azure Monitor, in the question and in the answer.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "PT1M",
            Self::FiveMinutes => "PT5M",
        }
    }

    /// How long a point lasts.
    #[must_use]
    pub const fn length(self) -> Duration {
        match self {
            Self::Minute => Duration::from_secs(60),
            Self::FiveMinutes => BUCKET,
        }
    }

    pub(super) const fn minutes(self) -> f64 {
        match self {
            Self::Minute => 1.0,
            Self::FiveMinutes => 5.0,
        }
    }

    /// A five-minute point stands for a whole bucket.
    pub(super) const fn points_needed(self) -> usize {
        match self {
            Self::Minute => MIN_POINTS,
            Self::FiveMinutes => 1,
        }
    }
}

/// The stretch of time that one machine is judged on, and the grain to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// When it was asked: what counts as old is measured from here.
    pub asked_at: Timestamp,
    /// On a boundary of [`BUCKET`].
    pub from: Timestamp,
    /// On a boundary of the interval; not itself in the window.
    pub to: Timestamp,
    pub interval: Interval,
}

impl Window {
    /// The window that ends [`SETTLING`] before `now` and starts `lookback`
    /// before `anchor`, or at `start` if that is later.
    ///
    /// `anchor` is `now` at the first look; the second look passes the first
    /// one's `now`, so that the start of the window, which may become "quiet
    /// since", stays where it was.
    ///
    /// # Errors
    /// Nothing lies between start and end: the machine started too recently.
    pub fn new(
        now: Timestamp,
        anchor: Timestamp,
        lookback: Duration,
        start: Timestamp,
    ) -> Result<Self, Why> {
        let interval = if lookback > FINE_LOOKBACK {
            Interval::FiveMinutes
        } else {
            Interval::Minute
        };
        let from = anchor.minus(lookback).max(start).ceil_to(BUCKET);
        let to = now.minus(SETTLING).floor_to(interval.length());
        if to <= from {
            return refuse("started too recently for metrics");
        }
        Ok(Self {
            asked_at: now,
            from,
            to,
            interval,
        })
    }
}

/// How far to look back for a cluster whose longest applicable threshold is
/// `longest_threshold`, and which the platform stops after
/// `autotermination_minutes` (0: never).
#[must_use]
pub fn lookback(longest_threshold: Duration, autotermination_minutes: u64) -> Duration {
    let platform = if autotermination_minutes == 0 {
        Duration::ZERO
    } else {
        Duration::from_secs(autotermination_minutes.saturating_mul(60))
            .saturating_add(PLATFORM_MARGIN)
    };
    longest_threshold
        .max(platform)
        .saturating_add(LOOKBACK_MARGIN)
}
