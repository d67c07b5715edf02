//! Which questions Azure has asked us not to ask for a while.
//!
//! ARM and the providers behind it count requests by subscription and kind. Once
//! one answer says "later", whatever else of that kind and subscription this
//! sweep would ask is answered here, so that its other clusters neither wait in
//! turn nor prolong the throttling. Other subscriptions go on. It counts on
//! tokio's clock and lives as long as the sweep.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::signals::Why;

/// How long to stay away where a refusal does not say: ARM's bucket of 250 reads
/// refills at 25 a second.
const UNTOLD_PAUSE: Duration = Duration::from_mins(1);

/// What is asked; each kind has its own limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Errand {
    Workspace,
    Machines,
    Metrics,
}

/// The pauses that one sweep was asked for, shared by its workspaces.
#[derive(Debug, Clone, Default)]
pub struct Throttles(Arc<Mutex<HashMap<(Errand, String), Pause>>>);

#[derive(Debug)]
struct Pause {
    until: Instant,
    why: Why,
}

impl Throttles {
    /// Why `errand` is not to be asked now in `subscription`, if it isn't.
    pub(super) fn why_not(&self, errand: Errand, subscription: &str) -> Option<Why> {
        let pauses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = pauses.get(&(errand, subscription.to_ascii_lowercase()))?;
        (Instant::now() < pause.until).then(|| pause.why.clone())
    }

    /// Stays away for `wait`, because of `refusal`.
    pub(super) fn stay_away(
        &self,
        errand: Errand,
        subscription: &str,
        wait: Option<Duration>,
        refusal: &Why,
    ) {
        let now = Instant::now();
        // A wait beyond what the clock can show outlives every sweep as well.
        let longest = Duration::from_hours(24);
        let wait = wait.unwrap_or(UNTOLD_PAUSE).min(longest);
        let pause = Pause {
            until: now + wait,
            why: Why::new(format!(
                "not asked, because it was throttled: {}",
                refusal.0
            )),
        };
        let key = (errand, subscription.to_ascii_lowercase());
        let mut pauses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = pauses.get(&key).map(|known| known.until);
        if known.is_none_or(|known| known < pause.until) {
            pauses.insert(key, pause);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_for_its_kind_and_subscription_until_it_is_over() {
        let throttles = Throttles::default();
        let refusal = Why::new("429");
        throttles.stay_away(Errand::Metrics, "ABC", Some(SECOND * 309), &refusal);
        let shared = throttles.clone();
        let paused = |errand, subscription| shared.why_not(errand, subscription).is_some();
        assert!(paused(Errand::Metrics, "abc"));
        assert!(!paused(Errand::Metrics, "abd"));
        assert!(!paused(Errand::Machines, "abc"));
        tokio::time::advance(SECOND * 308).await;
        assert!(paused(Errand::Metrics, "Abc"));
        tokio::time::advance(SECOND).await;
        assert!(!paused(Errand::Metrics, "abc"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_refusal_can_prolong_a_pause_and_not_shorten_it() {
        let throttles = Throttles::default();
        let refusal = Why::new("429");
        for wait in [Some(SECOND * 100), Some(SECOND), None] {
            throttles.stay_away(Errand::Metrics, "a", wait, &refusal);
        }
        tokio::time::advance(SECOND * 99).await;
        assert!(throttles.why_not(Errand::Metrics, "a").is_some());
        throttles.stay_away(Errand::Metrics, "a", None, &refusal);
        tokio::time::advance(SECOND * 59).await;
        assert!(throttles.why_not(Errand::Metrics, "a").is_some());
        tokio::time::advance(SECOND).await;
        assert!(throttles.why_not(Errand::Metrics, "a").is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn an_endless_wait_is_a_wait_all_the_same() {
        let throttles = Throttles::default();
        throttles.stay_away(Errand::Metrics, "a", Some(Duration::MAX), &Why::new("429"));
        assert!(throttles.why_not(Errand::Metrics, "a").is_some());
    }
}
