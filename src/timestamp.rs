//! An instant in milliseconds since the Unix epoch, the only clock value that
//! the pure stages see.
//!
//! All arithmetic saturates and all parsing is fallible, so that a hostile or
//! absurd time from outside can neither panic nor wrap around into the past.
//! Nothing here reads a clock: `now` is always handed in.

use std::fmt;
use std::time::Duration;

use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the epoch, as the Databricks APIs give them.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The instant `after` later, or the last one that can be told.
    #[must_use]
    pub fn plus(self, after: Duration) -> Self {
        Self(self.0.saturating_add(whole_millis(after)))
    }

    /// The instant `before` earlier, or the first one that can be told.
    #[must_use]
    pub fn minus(self, before: Duration) -> Self {
        Self(self.0.saturating_sub(whole_millis(before)))
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let millis = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }

    /// The start of the `step` that this instant lies in, aligned to the epoch.
    #[must_use]
    pub fn floor_to(self, step: Duration) -> Self {
        let step = whole_millis(step).max(1);
        Self(self.0.saturating_sub(self.0.rem_euclid(step)))
    }

    /// The first multiple of `step` that is not earlier than this instant.
    #[must_use]
    pub fn ceil_to(self, step: Duration) -> Self {
        let floor = self.floor_to(step);
        if floor == self {
            self
        } else {
            floor.plus(step)
        }
    }

    /// Parses RFC 3339 with any offset, as Azure Monitor and Entra write it.
    /// `None` for anything else.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        OffsetDateTime::parse(text, &Rfc3339)
            .ok()
            .map(Self::from_date_time)
    }

    /// Parses Spark's `2026-11-22T14:29:53.486GMT` (`JacksonMessageWriter`),
    /// which is not RFC 3339. `None` for anything else.
    #[must_use]
    pub fn parse_spark(text: &str) -> Option<Self> {
        let instant = text.strip_suffix("GMT")?;
        Self::parse_rfc3339(&format!("{instant}Z"))
    }

    /// Parses the date of an HTTP header, `Sun, 22 Nov 2026 08:00:30 GMT` (RFC
    /// 9110, 5.6.7, the one form that is still sent). `None` for anything else.
    #[must_use]
    pub fn parse_http(text: &str) -> Option<Self> {
        let format = format_description!(
            "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
        );
        let date = PrimitiveDateTime::parse(text.trim(), format).ok()?;
        Some(Self::from_date_time(date.assume_utc()))
    }

    /// Midnight UTC at the start of `YYYY-MM-DD`; `None` for anything else, a
    /// sign before the year included, which would make a date of long ago.
    #[must_use]
    pub fn parse_day(text: &str) -> Option<Self> {
        if !text.starts_with(|first: char| first.is_ascii_digit()) {
            return None;
        }
        let date = time::Date::parse(text, format_description!("[year]-[month]-[day]")).ok()?;
        Some(Self::from_date_time(date.midnight().assume_utc()))
    }

    /// What is finer than a millisecond is dropped, before the epoch too.
    fn from_date_time(at: OffsetDateTime) -> Self {
        // Years of four digits: no product comes near the end of the range.
        Self(at.unix_timestamp() * 1000 + i64::from(at.millisecond()))
    }
}

/// RFC 3339 in UTC to the second, or the bare number where no calendar date exists.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let second = self.0.div_euclid(1000);
        let text = OffsetDateTime::from_unix_timestamp(second)
            .ok()
            .and_then(|at| at.format(&Rfc3339).ok());
        match text {
            Some(text) => f.write_str(&text),
            None => write!(f, "{}ms", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn whole_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_three_spellings_that_the_services_use() {
        let expected = Timestamp::from_millis(1_795_357_793_486);
        assert_eq!(
            Timestamp::parse_spark("2026-11-22T14:29:53.486GMT"),
            Some(expected)
        );
        assert_eq!(
            Timestamp::parse_rfc3339("2026-11-22T15:29:53.486+01:00"),
            Some(expected)
        );
        assert_eq!(
            Timestamp::parse_day("2026-11-22"),
            Some(Timestamp::from_millis(1_795_305_600_000))
        );
        for text in ["", "GMT", "2026-11-22", "2026-11-22T14:29:53.486Z", "1"] {
            assert_eq!(Timestamp::parse_spark(text), None, "{text}");
        }
        let unreadable = [
            "2026-13-01",
            "22.11.2026",
            "-2026-11-22",
            " 2026-11-22",
            "soon",
            "",
        ];
        for text in unreadable {
            assert_eq!(Timestamp::parse_day(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_finer_than_a_millisecond_is_dropped() {
        for (text, millis) in [
            ("1970-01-01T00:00:00.0019999Z", 1),
            ("1969-12-31T23:59:59.9985Z", -2),
            ("9999-12-31T23:59:59.999999999-23:59", 253_402_387_139_999),
            ("0000-01-01T00:00:00+23:59", -62_167_305_540_000),
        ] {
            let expected = Some(Timestamp::from_millis(millis));
            assert_eq!(Timestamp::parse_rfc3339(text), expected, "{text}");
        }
    }

    #[test]
    fn arithmetic_saturates_instead_of_wrapping() {
        let last = Timestamp::from_millis(i64::MAX);
        assert_eq!(last.plus(Duration::from_secs(1)), last);
        assert_eq!(last.plus(Duration::MAX), last);
        let first = Timestamp::from_millis(i64::MIN);
        assert_eq!(first.minus(Duration::MAX), first);
        assert_eq!(first.since(last), Duration::ZERO);
        assert_eq!(last.since(first), Duration::from_millis(i64::MAX as u64));
        assert_eq!(first.to_string(), format!("{}ms", i64::MIN));
    }

    #[test]
    fn steps_are_aligned_to_the_clock() {
        let step = Duration::from_secs(300);
        let at = Timestamp::from_millis(601_000);
        assert_eq!(at.floor_to(step).as_millis(), 600_000);
        assert_eq!(at.ceil_to(step).as_millis(), 900_000);
        assert_eq!(at.floor_to(step).ceil_to(step).as_millis(), 600_000);
    }
}
