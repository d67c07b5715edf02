//! Text rules of a timer's configuration: the .NET time span, the NCRONTAB
//! expression, and the host's splitting of a command line.
//!
//! It only accepts or refuses; the pretend host fires when a test tells it to,
//! so no occurrence is ever computed here. Used by `app.rs` and `function.rs`
//! while they read an app.

use std::time::Duration;

/// Reads a .NET `TimeSpan`: `hh:mm`, `hh:mm:ss`, `d.hh:mm:ss`, or whole days.
///
/// Hours above 23 are read as days, as .NET does: `24:00:00` is 24 days.
pub(super) fn parse_time_span(text: &str) -> Option<Duration> {
    let (days, clock) = match text.split_once('.') {
        Some((days, clock)) if clock.contains(':') => (number(days)?, clock),
        Some(_) | None => (0, text),
    };
    let (clock, fraction) = match clock.split_once('.') {
        Some((clock, fraction)) => (clock, nanoseconds(fraction)?),
        None => (clock, 0),
    };
    let parts: Vec<u64> = clock.split(':').map(number).collect::<Option<_>>()?;
    let (days, hours, minutes, seconds) = match parts.as_slice() {
        [whole_days] if clock == text => (*whole_days, 0, 0, 0),
        [hours, minutes] => (days, *hours, *minutes, 0),
        [hours, minutes, seconds] if *hours > 23 && days == 0 => (*hours, *minutes, *seconds, 0),
        [hours, minutes, seconds] => (days, *hours, *minutes, *seconds),
        _ => return None,
    };
    let in_range = hours < 24 && minutes < 60 && seconds < 60 && days <= 10_675_199;
    in_range.then(|| {
        let whole = ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
        Duration::new(whole, fraction)
    })
}

fn number(text: &str) -> Option<u64> {
    let digits_only = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits_only.then(|| text.parse().ok()).flatten()
}

fn nanoseconds(fraction: &str) -> Option<u32> {
    let digits = number(fraction)?;
    let width = u32::try_from(fraction.len()).ok()?;
    (width <= 7)
        .then(|| u32::try_from(digits * 10u64.pow(9 - width)).ok())
        .flatten()
}

/// Whether the host would accept this schedule: an NCRONTAB expression of six
/// fields (seconds first) or five, or a time span.
pub(super) fn is_schedule(text: &str) -> bool {
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    let seconds_and_up: [Field; 6] = [SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY];
    match fields.len() {
        6 => fields.iter().zip(&seconds_and_up).all(accepts),
        5 => fields.iter().zip(&seconds_and_up[1..]).all(accepts),
        _ => text.contains(':') && parse_time_span(text).is_some_and(|span| !span.is_zero()),
    }
}

struct Field {
    lowest: u64,
    highest: u64,
    names: &'static [&'static str],
}

const SECOND: Field = numeric(0, 59);
const MINUTE: Field = numeric(0, 59);
const HOUR: Field = numeric(0, 23);
const DAY: Field = numeric(1, 31);
const MONTH: Field = Field {
    lowest: 1,
    highest: 12,
    names: &[
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ],
};
const WEEKDAY: Field = Field {
    lowest: 0,
    highest: 6,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};

const fn numeric(lowest: u64, highest: u64) -> Field {
    Field {
        lowest,
        highest,
        names: &[],
    }
}

fn accepts((text, field): (&&str, &Field)) -> bool {
    text.split(',').all(|item| {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, number(step)),
            None => (item, Some(1)),
        };
        let is_range = match range.split_once('-') {
            Some((from, to)) => field
                .value(from)
                .zip(field.value(to))
                .is_some_and(|(from, to)| from <= to),
            None => range == "*" || field.value(range).is_some(),
        };
        is_range && step.is_some_and(|step| step > 0)
    })
}

impl Field {
    fn value(&self, text: &str) -> Option<u64> {
        let lower = text.to_ascii_lowercase();
        let named = self.names.iter().position(|name| lower.starts_with(name));
        match named {
            Some(position) => Some(self.lowest + position as u64),
            None => number(text).filter(|value| (self.lowest..=self.highest).contains(value)),
        }
    }
}

/// Splits a command line as .NET does for a child process on Unix: white space
/// separates, double quotes hold together, a backslash saves a quote.
///
/// The host joins `arguments` by spaces before, so an argument that holds a
/// space arrives as two unless it brings its own quotes.
pub(super) fn split_command_line(line: &str) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut current: Option<String> = None;
    let mut quoted = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if letters.peek() == Some(&'"') => {
                letters.next();
                current.get_or_insert_default().push('"');
            }
            '"' => {
                quoted = !quoted;
                current.get_or_insert_default();
            }
            space if space.is_ascii_whitespace() && !quoted => {
                arguments.extend(current.take());
            }
            other => current.get_or_insert_default().push(other),
        }
    }
    arguments.extend(current);
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spans_are_read_as_dotnet_reads_them() {
        let seconds = |text: &str| parse_time_span(text).map(|span| span.as_secs_f64());
        assert_eq!(seconds("00:10:00"), Some(600.0));
        assert_eq!(seconds("00:10"), Some(600.0));
        assert_eq!(seconds("1.02:00:00"), Some(26.0 * 3600.0));
        assert_eq!(seconds("00:00:01.5"), Some(1.5));
        assert_eq!(seconds("2"), Some(2.0 * 86_400.0));
        assert_eq!(seconds("24:00:00"), Some(24.0 * 86_400.0));
        for refused in [
            "", "-1", "10m", "00:60:00", "00:00:60", "1:2:3:4", "1.5", "::",
        ] {
            assert_eq!(seconds(refused), None, "{refused:?}");
        }
    }

    #[test]
    fn schedules_have_five_or_six_fields_or_are_a_span() {
        for accepted in [
            "0 */15 * * * *",
            "*/5 * * * *",
            "0 0 9-17/2 1,15 Jan-Mar Mon-Fri",
            "00:30:00",
        ] {
            assert!(is_schedule(accepted), "{accepted}");
        }
        for refused in [
            "",
            "* * * *",
            "0 */0 * * * *",
            "60 * * * * *",
            "0 0 24 * * *",
            "0 0 0 0 * *",
            "0 0 0 * * 7",
            "0 0 5-3 * * *",
            "00:00:00",
            "every hour",
            "@hourly",
        ] {
            assert!(!is_schedule(refused), "{refused}");
        }
    }

    #[test]
    fn an_argument_with_a_space_arrives_as_two_unless_it_is_quoted() {
        assert_eq!(split_command_line("a b  c"), ["a", "b", "c"]);
        assert_eq!(split_command_line(r#""a b" c"#), ["a b", "c"]);
        assert_eq!(split_command_line(r#"x="a b""#), ["x=a b"]);
        assert_eq!(split_command_line(r#"\"a"#), ["\"a"]);
        assert_eq!(split_command_line(r#""" a"#), ["", "a"]);
        assert!(split_command_line("  ").is_empty());
    }
}
