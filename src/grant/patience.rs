//! How long to wait for what takes a while to spread, and how often to look.

use std::time::Duration;

use tokio::time::Instant;

/// The bounds of waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    pub lasts: Duration,
    pub every: Duration,
}

/// A wait that has begun.
#[derive(Debug, Clone, Copy)]
pub struct Waiting {
    until: Instant,
    every: Duration,
}

impl Patience {
    /// Begins now and ends before `deadline`.
    #[must_use]
    pub fn begin(self, deadline: Instant) -> Waiting {
        Waiting {
            until: (Instant::now() + self.lasts).min(deadline),
            every: self.every,
        }
    }
}

impl Waiting {
    /// Waits for the next look; `false`, without waiting, if that would come too late.
    pub async fn again(&self) -> bool {
        if Instant::now() + self.every >= self.until {
            return false;
        }
        tokio::time::sleep(self.every).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn looks_as_often_as_fits_and_never_beyond_the_deadline() {
        let patience = Patience {
            lasts: Duration::from_secs(10),
            every: Duration::from_secs(3),
        };
        for (deadline, looks) in [(60, 3), (7, 2), (3, 0)] {
            let began = Instant::now();
            let deadline = began + Duration::from_secs(deadline);
            let waiting = patience.begin(deadline);
            let mut seen = 0;
            while waiting.again().await {
                seen += 1;
            }
            assert_eq!(seen, looks);
            assert!(Instant::now() < deadline);
        }
    }
}
