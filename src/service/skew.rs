//! Whether this machine's clock shows the workspace's time.
//!
//! Every age that is judged is a difference between our clock and an instant that
//! the cloud has written, so a clock that is hours ahead makes every sign of life
//! look old. The `Date` of the workspace's own answers (RFC 9110, 6.6.1) shows it.
//! Pure: instants in, a verdict out; `lane` keeps the widest difference and
//! `workspace` terminates nothing where there is one.

use std::fmt;
use std::time::Duration;

use crate::human::Span;
use crate::timestamp::Timestamp;

/// How far the clocks may be apart: as far as times from the cloud may lie ahead.
const TOLERATED: Duration = Duration::from_mins(5);

/// A difference of the clocks that makes ages worthless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockSkew {
    ours: Timestamp,
    theirs: Timestamp,
    apart: Duration,
}

impl ClockSkew {
    /// The difference that an answer shows which was asked for at `sent`, came at
    /// `received` and says `dated`; `None` within the tolerance. An answer may have
    /// been written at any time between the two.
    pub(super) fn of(sent: Timestamp, received: Timestamp, dated: Timestamp) -> Option<Self> {
        let (ahead, behind) = (sent.since(dated), dated.since(received));
        let apart = ahead.max(behind);
        (apart > TOLERATED).then_some(Self {
            ours: received,
            theirs: dated,
            apart,
        })
    }

    /// The wider one of two.
    pub(super) fn or_wider(self, other: Option<Self>) -> Self {
        other
            .filter(|other| other.apart > self.apart)
            .unwrap_or(self)
    }
}

/// A sentence for people.
impl fmt::Display for ClockSkew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.ours > self.theirs {
            "ahead of"
        } else {
            "behind"
        };
        write!(
            f,
            "this machine's clock is {} {direction} the workspace's ({} here, {} in the `Date` of \
             an answer), so no age can be trusted and nothing is terminated; set the clock right",
            Span(to_the_minute(self.apart)),
            self.ours,
            self.theirs
        )
    }
}

/// An answer takes a moment to come, which is not worth telling.
fn to_the_minute(span: Duration) -> Duration {
    const MINUTE: u64 = 60;
    Duration::from_secs((span.as_secs() + MINUTE / 2) / MINUTE * MINUTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn skew(sent: i64, received: i64, dated: i64) -> Option<ClockSkew> {
        let at = |minutes: i64| Timestamp::from_millis(1_795_334_400_000 + minutes * MINUTE);
        ClockSkew::of(at(sent), at(received), at(dated))
    }

    #[test]
    fn clocks_may_be_five_minutes_apart_and_no_more() {
        assert_eq!(skew(0, 0, 5), None);
        assert_eq!(skew(0, 0, -5), None);
        assert!(skew(0, 0, 6).is_some());
        assert!(skew(0, 0, -6).is_some());
    }

    #[test]
    fn the_time_that_an_answer_takes_is_no_difference() {
        for dated in [-5, 0, 10, 20, 25] {
            assert_eq!(skew(0, 20, dated), None, "{dated}");
        }
        assert!(skew(0, 20, 26).is_some());
        assert!(skew(0, 20, -6).is_some());
    }

    #[test]
    fn the_sentence_says_which_clock_is_ahead_and_by_how_much() {
        let told = |dated| skew(0, 0, dated).expect("a difference").to_string();
        assert!(
            told(-180).starts_with(
                "this machine's clock is 3h ahead of the workspace's (2026-11-22T08:00:00Z here, \
                 2026-11-22T05:00:00Z in the"
            ),
            "{}",
            told(-180)
        );
        assert!(
            told(180).contains("is 3h behind the workspace's"),
            "{}",
            told(180)
        );
    }

    #[test]
    fn the_wider_difference_is_kept() {
        let (small, wide) = (skew(0, 0, 10), skew(0, 0, -60));
        let widest = small.map(|small| small.or_wider(wide));
        assert_eq!(widest, wide);
        assert_eq!(wide.map(|wide| wide.or_wider(small)), wide);
        assert_eq!(small.map(|small| small.or_wider(None)), small);
    }
}
