//! Parsers of single values: durations, counts, .NET time spans, resource ids.
//!
//! Pure, total, and strict: what is not understood is refused with the fix, as
//! the rest of a sentence that begins with the key.

use std::time::Duration;

use crate::escape::Shown;
use crate::timestamp::Timestamp;

/// How much of a wrong value is shown.
pub(super) const SHOWN_CHARS: usize = 60;

const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Parses `30m`, `2h`, `1h30m`, `1d12h`, `90s`, `250ms`: whole numbers, each
/// with its unit, the longer unit first.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let refused = |why: &str| {
        Err(format!(
            "is \"{}\", {why}; write a number with its unit, such as \"90s\", \"30m\", \"2h\" or \"1h30m\"",
            Shown::new(text, SHOWN_CHARS)
        ))
    };
    let mut millis: u64 = 0;
    let mut smallest_so_far = u64::MAX;
    let mut rest = text.trim();
    if rest.starts_with('-') {
        return refused("which is negative");
    }
    if rest.is_empty() {
        return refused("which is empty");
    }
    while !rest.is_empty() {
        let (digits, after) = split_at_first(rest, |next| !next.is_ascii_digit());
        let (unit, after) = split_at_first(after, |next| !next.is_ascii_alphabetic());
        if digits.is_empty() {
            return refused("which is not a duration");
        }
        if after.starts_with(['.', ',']) || after.starts_with(char::is_whitespace) {
            return refused("whose numbers must be whole and stand right before their unit");
        }
        if unit.is_empty() {
            return refused("which lacks a unit");
        }
        let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return refused("whose unit is none of d, h, m, s, ms");
        };
        if *factor >= smallest_so_far {
            return refused("whose units are not in falling order");
        }
        smallest_so_far = *factor;
        let part = digits
            .parse::<u64>()
            .ok()
            .and_then(|n| n.checked_mul(*factor));
        let Some(sum) = part.and_then(|part| millis.checked_add(part)) else {
            return refused("which is too long");
        };
        millis = sum;
        rest = after;
    }
    if millis == 0 {
        return refused("which is zero");
    }
    Ok(Duration::from_millis(millis))
}

/// As `parse_duration` reads it.
pub(super) fn show_duration(duration: Duration) -> String {
    let mut millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, factor) in UNITS {
        if millis >= factor {
            text.push_str(&format!("{}{unit}", millis / factor));
            millis %= factor;
        }
    }
    if text.is_empty() {
        text.push_str("0s");
    }
    text
}

/// A .NET time span as `host.json` has it: `hh:mm:ss` or `d.hh:mm:ss`, and `-1`
/// for no limit, which is `None`.
pub(super) fn parse_function_timeout(text: &str) -> Result<Option<Duration>, String> {
    let text = text.trim();
    if text == "-1" {
        return Ok(None);
    }
    match time_span_seconds(text) {
        Some(0) | None => Err(format!(
            "is \"{}\"; write it as hh:mm:ss, such as \"00:10:00\", or \"-1\" for no limit",
            Shown::new(text, SHOWN_CHARS)
        )),
        Some(seconds) => Ok(Some(Duration::from_secs(seconds))),
    }
}

fn time_span_seconds(text: &str) -> Option<u64> {
    let (days, clock) = match text.split_once('.') {
        Some((days, clock)) if !days.contains(':') => (number(days, u32::MAX.into())?, clock),
        // A fraction of a second, which no deadline needs.
        Some((clock, fraction)) => {
            number(fraction, u64::MAX)?;
            (0, clock)
        }
        None => (0, text),
    };
    let mut parts = clock.split(':');
    let hours = number(parts.next()?, 23)?;
    let minutes = number(parts.next()?, 59)?;
    let seconds = number(parts.next()?, 59)?;
    if parts.next().is_some() {
        return None;
    }
    Some(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
}

fn number(text: &str, most: u64) -> Option<u64> {
    let only_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let value = only_digits.then(|| text.parse::<u64>().ok()).flatten()?;
    (value <= most).then_some(value)
}

/// A whole number written with digits only.
pub(super) fn parse_count(text: &str) -> Result<i64, String> {
    text.trim().parse::<i64>().map_err(|_| {
        format!(
            "is \"{}\"; write a whole number",
            Shown::new(text, SHOWN_CHARS)
        )
    })
}

/// `true` or `false`.
pub(super) fn parse_flag(text: &str) -> Result<bool, String> {
    match text.trim() {
        "true" => Ok(true),
        "false" => Ok(false),
        other => Err(format!(
            "is \"{}\"; write `true` or `false`",
            Shown::new(other, SHOWN_CHARS)
        )),
    }
}

/// The instant at which a day written `YYYY-MM-DD` ends in UTC.
pub(super) fn parse_last_day(text: &str) -> Result<Timestamp, String> {
    match Timestamp::parse_day(text) {
        Some(midnight) => Ok(midnight.plus(Duration::from_secs(24 * 60 * 60))),
        None => Err(format!(
            "is \"{}\"; write the last day, one of the calendar, as \"YYYY-MM-DD\", such as \"2027-01-31\"",
            Shown::new(text, SHOWN_CHARS)
        )),
    }
}

/// Checks the ARM id of a Databricks workspace and takes off a closing slash.
pub(super) fn parse_resource_id(text: &str) -> Result<String, String> {
    let trimmed = text.trim().trim_end_matches('/');
    if is_workspace_resource_id(trimmed) {
        return Ok(trimmed.to_owned());
    }
    Err(format!(
        "is \"{}\"; write /subscriptions/<subscription id>/resourceGroups/<group>/providers/Microsoft.Databricks/workspaces/<name>, as the workspace's JSON view in the portal shows it",
        Shown::new(text, 2 * SHOWN_CHARS)
    ))
}

fn is_workspace_resource_id(text: &str) -> bool {
    // ARM compares the fixed words without case, and the portal writes several.
    let parts: Vec<&str> = text.split('/').collect();
    let [
        "",
        subscriptions,
        subscription,
        groups,
        group,
        providers,
        provider,
        kind,
        name,
    ] = parts.as_slice()
    else {
        return false;
    };
    subscriptions.eq_ignore_ascii_case("subscriptions")
        && is_guid(subscription)
        && groups.eq_ignore_ascii_case("resourceGroups")
        && is_segment(group, 90, "-_.()")
        && !group.ends_with('.')
        && providers.eq_ignore_ascii_case("providers")
        && provider.eq_ignore_ascii_case("Microsoft.Databricks")
        && kind.eq_ignore_ascii_case("workspaces")
        && is_segment(name, 64, "-_")
}

fn is_segment(text: &str, most: usize, besides: &str) -> bool {
    // A resource group's name may hold letters of any script.
    let allowed = |next: char| next.is_alphanumeric() || besides.contains(next);
    (1..=most).contains(&text.chars().count()) && text.chars().all(allowed)
}

/// 8-4-4-4-12 hexadecimal digits.
pub(crate) fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn split_at_first(text: &str, is_end: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(is_end).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units_in_falling_order() {
        for (text, seconds) in [
            ("90s", 90),
            ("30m", 1800),
            ("2h", 7200),
            ("96h", 345_600),
            ("1d", 86_400),
            ("1h30m", 5400),
            ("1d2h3m4s", 93_784),
            (" 5s ", 5),
            ("007s", 7),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_secs(seconds)),
                "{text}"
            );
        }
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("1s5ms"), Ok(Duration::from_millis(1005)));
    }

    #[test]
    fn refuses_durations_that_are_zero_negative_unitless_or_out_of_order() {
        for text in [
            "",
            " ",
            "0s",
            "0h0m",
            "-5m",
            "30",
            "1800",
            "1.5h",
            "h",
            "2 h",
            "30m1h",
            "1h1h",
            "2H",
            "2 hours",
            "2w",
            "1h-5m",
            "99999999999999999999h",
            "9999999999999999d",
            "٣h",
            "1h30",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        for text in ["1.5h", "2 hours"] {
            let refused = parse_duration(text).unwrap_err();
            assert!(refused.contains("must be whole"), "{refused}");
        }
        assert_eq!(
            parse_duration("30").unwrap_err(),
            "is \"30\", which lacks a unit; write a number with its unit, such as \"90s\", \"30m\", \"2h\" or \"1h30m\""
        );
    }

    #[test]
    fn a_shown_duration_reads_back_as_itself() {
        for millis in [1, 999, 1000, 60_000, 5_400_000, 345_600_000, 90_061_001] {
            let duration = Duration::from_millis(millis);
            assert_eq!(parse_duration(&show_duration(duration)), Ok(duration));
        }
        assert_eq!(show_duration(Duration::ZERO), "0s");
    }

    #[test]
    fn reads_the_time_spans_of_the_functions_host() {
        let seconds = |seconds| Ok(Some(Duration::from_secs(seconds)));
        assert_eq!(parse_function_timeout("00:10:00"), seconds(600));
        assert_eq!(parse_function_timeout("1.02:03:04"), seconds(93_784));
        assert_eq!(parse_function_timeout("00:00:30.5000000"), seconds(30));
        assert_eq!(parse_function_timeout("-1"), Ok(None));
        for text in [
            "",
            "600",
            "10m",
            "00:10",
            "24:00:00",
            "00:60:00",
            "00:00:00",
            "-00:10:00",
        ] {
            assert!(parse_function_timeout(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_exemption_ends_with_the_end_of_its_day() {
        assert_eq!(
            parse_last_day("2026-11-22"),
            Ok(Timestamp::from_millis(1_795_305_600_000 + 86_400_000))
        );
        for text in [
            "",
            "2026-1-2",
            "2026-02-30",
            "22.11.2026",
            "2026-11-22 ",
            "+026-11-22",
        ] {
            assert!(parse_last_day(text).is_err(), "{text}");
        }
    }

    #[test]
    fn resource_ids_name_a_databricks_workspace_and_nothing_else() {
        let id = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/rg-1/providers/Microsoft.Databricks/workspaces/dbx";
        assert_eq!(parse_resource_id(id), Ok(id.to_owned()));
        assert_eq!(parse_resource_id(&format!("{id}/")), Ok(id.to_owned()));
        assert!(parse_resource_id(&id.to_lowercase()).is_ok());
        for wrong in [
            id.replace("Microsoft.Databricks", "Microsoft.Compute"),
            id.replace("0b1f6471", "0b1f64"),
            id.replace("rg-1", "rg%2f1"),
            id.replace("rg-1", ".."),
            id.replace("rg-1", ""),
            format!("{id}/extra"),
            format!("https://management.azure.com{id}"),
            format!("{id}?x=1"),
            String::new(),
        ] {
            assert!(parse_resource_id(&wrong).is_err(), "{wrong}");
        }
    }
}
