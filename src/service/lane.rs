//! The way to one workspace: how much may be under way, how fast, until when.
//!
//! Each workspace has its own lane, so that a slow or broken one uses up only
//! its own. Waiting happens on tokio's clock. The meter counts what was asked,
//! by stage, for the report; it judges nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::skew::ClockSkew;
use crate::meter::{Stage, StageCounts};
use crate::transport::NetworkLimits;

/// The way to one workspace.
#[derive(Debug)]
pub struct Lane {
    parallel: Semaphore,
    rate: RateLimiter,
    deadline: Instant,
    meter: Meter,
    skew: Mutex<Option<ClockSkew>>,
    has_compared_clocks: AtomicBool,
    place: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Lane {
    /// A lane that is open until `deadline`.
    #[must_use]
    pub fn new(limits: &NetworkLimits, deadline: Instant) -> Self {
        let parallel = limits
            .parallel_per_workspace
            .clamp(1, Semaphore::MAX_PERMITS);
        Self {
            parallel: Semaphore::new(parallel),
            rate: RateLimiter::new(limits.requests_per_second, limits.burst),
            deadline,
            meter: Meter::default(),
            skew: Mutex::default(),
            has_compared_clocks: AtomicBool::new(false),
            place: Mutex::default(),
        }
    }

    /// When calls end, finished or not.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// What was asked through it so far.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// How far our clock is from the workspace's, by the answers so far; `None` where
    /// it is close enough or no answer has shown it.
    #[must_use]
    pub fn clock_skew(&self) -> Option<ClockSkew> {
        *self.skew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an answer has said when it was written.
    #[must_use]
    pub fn has_compared_clocks(&self) -> bool {
        self.has_compared_clocks.load(Ordering::Relaxed)
    }

    /// Remembers that the clocks were compared.
    pub(super) fn note_comparison(&self) {
        self.has_compared_clocks.store(true, Ordering::Relaxed);
    }

    /// Remembers a difference, the widest one for good.
    pub(super) fn note_skew(&self, skew: ClockSkew) {
        let mut known = self.skew.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some(skew.or_wider(*known));
    }

    /// Takes a place among the workspaces that are visited at the same time. It is free
    /// again when the lane is dropped or the workspace is too slow to keep it.
    pub fn take_place(&self, place: OwnedSemaphorePermit) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
    }

    /// Makes room for another workspace. The visit goes on, within the bounds on requests.
    pub(crate) fn leave_place(&self) {
        let place = self
            .place
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(place);
    }

    /// Waits until a request may go. Dropping the permit makes room for the next.
    pub(super) async fn enter(&self) -> Option<SemaphorePermit<'_>> {
        // `acquire` fails only on a closed semaphore, and nothing closes it.
        let permit = self.parallel.acquire().await.ok();
        let wait = self.rate.reserve(Instant::now());
        // Timers count whole milliseconds, so a sleep of no time would take up to one.
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        permit
    }
}

/// Requests and their time, by stage.
#[derive(Debug, Default)]
pub struct Meter(Mutex<StageCounts>);

impl Meter {
    /// Counts one request.
    pub fn add(&self, stage: Stage, time: Duration) {
        let mut stages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stages.count(stage, time);
    }

    /// The counts so far.
    #[must_use]
    pub fn snapshot(&self) -> StageCounts {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A bucket of tokens that refills steadily; it may go into debt, which callers
/// work off in the order in which they came.
#[derive(Debug)]
struct RateLimiter {
    per_second: f64,
    burst: f64,
    state: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Option<Instant>,
}

impl RateLimiter {
    fn new(per_second: u32, burst: u32) -> Self {
        let burst = f64::from(burst.max(1));
        Self {
            per_second: f64::from(per_second.max(1)),
            burst,
            state: Mutex::new(Bucket {
                tokens: burst,
                filled: None,
            }),
        }
    }

    /// Takes one token and says how long to wait until it is there.
    fn reserve(&self, now: Instant) -> Duration {
        let mut bucket = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let since = bucket
            .filled
            .map_or(Duration::ZERO, |filled| now.duration_since(filled));
        let refilled = bucket.tokens + since.as_secs_f64() * self.per_second;
        bucket.tokens = refilled.min(self.burst) - 1.0;
        bucket.filled = Some(now);
        if bucket.tokens >= 0.0 {
            return Duration::ZERO;
        }
        Duration::from_secs_f64(-bucket.tokens / self.per_second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::StageCount;

    #[tokio::test(start_paused = true)]
    async fn lets_a_burst_go_and_then_keeps_the_rate() {
        let limiter = RateLimiter::new(5, 3);
        let mut waits = Vec::new();
        for _ in 0..5 {
            waits.push(limiter.reserve(Instant::now()).as_millis());
        }
        assert_eq!(waits, [0, 0, 0, 200, 400]);
        tokio::time::advance(Duration::from_secs(60)).await;
        let rested: Vec<_> = (0..4).map(|_| limiter.reserve(Instant::now())).collect();
        assert_eq!(rested[2], Duration::ZERO);
        assert_eq!(rested[3], Duration::from_millis(200));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_within_the_burst_waits_for_no_timer() {
        let limits = crate::service::testing::limits();
        let lane = Lane::new(&limits, Instant::now() + Duration::from_secs(60));
        let began = Instant::now();
        assert!(lane.enter().await.is_some());
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[test]
    fn the_meter_counts_by_stage() {
        let meter = Meter::default();
        meter.add(Stage::Runs, Duration::from_millis(5));
        meter.add(Stage::Runs, Duration::from_millis(7));
        meter.add(Stage::Clusters, Duration::from_millis(1));
        let counted: Vec<_> = meter.snapshot().iter().collect();
        let count = |requests, millis| StageCount {
            requests,
            time: Duration::from_millis(millis),
        };
        assert_eq!(counted, [("clusters", count(1, 1)), ("runs", count(2, 12))]);
    }
}
