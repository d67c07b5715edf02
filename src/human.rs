//! Durations and counts as people write them.

use std::fmt;
use std::time::Duration;

/// Shows a duration in the spelling that settings use: `2h`, `1h30m`, `45s`.
/// Milliseconds are dropped once there is a whole second.
#[derive(Debug, Clone, Copy)]
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.0.as_secs();
        if total == 0 {
            return write!(f, "{}ms", self.0.as_millis());
        }
        let (hours, minutes, seconds) = (total / 3600, total / 60 % 60, total % 60);
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        if seconds > 0 {
            write!(f, "{seconds}s")?;
        }
        Ok(())
    }
}

/// A count with its noun: `1 cluster`, `2 clusters`.
#[derive(Debug, Clone, Copy)]
pub struct Count<N>(pub N, pub &'static str);

impl<N: fmt::Display + PartialEq + From<u8>> fmt::Display for Count<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(count, noun) = self;
        let ending = if *count == N::from(1) { "" } else { "s" };
        write!(f, "{count} {noun}{ending}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_settings_are_written() {
        let cases = [
            (0, "0ms"),
            (45, "45s"),
            (7200, "2h"),
            (5400, "1h30m"),
            (345_600, "96h"),
            (3601, "1h1s"),
        ];
        for (seconds, text) in cases {
            assert_eq!(Span(Duration::from_secs(seconds)).to_string(), text);
        }
        assert_eq!(Span(Duration::from_millis(1500)).to_string(), "1s");
    }

    #[test]
    fn one_of_a_kind_has_no_plural() {
        assert_eq!(Count(0_usize, "failure").to_string(), "0 failures");
        assert_eq!(Count(1_usize, "failure").to_string(), "1 failure");
        assert_eq!(Count(2_u64, "failure").to_string(), "2 failures");
    }
}
