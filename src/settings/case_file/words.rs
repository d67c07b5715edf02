//! The small words of a case: what a witness says, and when.
//!
//! Pure, total and strict, like the parsers of the settings: what is not
//! understood is refused with the fix, as the rest of a sentence that begins
//! with the key.

use crate::escape::Shown;
use crate::settings::table::UNKNOWN;
use crate::settings::values::{SHOWN_CHARS, parse_duration};
use crate::signals::Why;
use crate::timestamp::Timestamp;

/// The instant that a case is decided at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: Timestamp,
    /// Whether the case or its file says so; else it is the default.
    pub(super) is_stated: bool,
}

/// What a witness says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// Since an instant, or for as long as the case's `quiet_for` says.
    Quiet(Option<Timestamp>),
    Busy(Option<Timestamp>),
    /// Spark alone: nothing has run since it started.
    Unused,
    Unknown(Why),
}

/// An RFC 3339 time.
pub(super) fn absolute(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text).ok_or_else(|| {
        format!(
            "is \"{}\"; write a time with its offset, such as 2027-01-31T18:00:00Z",
            Shown::new(text, SHOWN_CHARS)
        )
    })
}

impl Moment {
    /// `3h ago`, or a time that is not ahead.
    pub(super) fn past(&self, text: &str) -> Result<Timestamp, String> {
        if let Some(age) = text.strip_suffix(" ago") {
            return Ok(self.now.minus(parse_duration(age)?));
        }
        let at = self.dated(text, "\"3h ago\"")?;
        if at > self.now {
            return Err(format!("lies ahead of the case's `now`, {}", self.now));
        }
        Ok(at)
    }

    /// `in 3h`, or a time.
    pub(super) fn future(&self, text: &str) -> Result<Timestamp, String> {
        match text.strip_prefix("in ") {
            Some(wait) => Ok(self.now.plus(parse_duration(wait)?)),
            None => self.dated(text, "\"in 3h\""),
        }
    }

    fn dated(&self, text: &str, example: &str) -> Result<Timestamp, String> {
        let Some(at) = Timestamp::parse_rfc3339(text) else {
            return Err(format!(
                "is \"{}\"; write {example}, or a time such as 2027-01-31T18:00:00Z",
                Shown::new(text, SHOWN_CHARS)
            ));
        };
        if !self.is_stated {
            return Err(format!(
                "is a time of the calendar, but the case has no `now`; write one, or {example}"
            ));
        }
        Ok(at)
    }

    /// What a witness says, one of `examples`.
    pub(super) fn said(&self, text: &str, examples: &[&str]) -> Result<Said, String> {
        let refused = || Err(one_of(text, examples));
        if let Some(why) = unknown(text) {
            return Ok(Said::Unknown(why));
        }
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        if !examples.iter().any(|example| example.starts_with(word)) {
            return refused();
        }
        let since = match rest.split_once(' ') {
            None if rest.is_empty() => None,
            Some(("for", age)) => Some(self.now.minus(parse_duration(age)?)),
            Some(("since", at)) => Some(self.past(at)?),
            Some(_) | None => return refused(),
        };
        match (word, since) {
            ("quiet", since) => Ok(Said::Quiet(since)),
            ("busy", since) => Ok(Said::Busy(since)),
            ("unused", None) => Ok(Said::Unused),
            _ => refused(),
        }
    }
}

/// The reason, where the text is `unknown` or `unknown: why`.
pub(super) fn unknown(text: &str) -> Option<Why> {
    let rest = text.strip_prefix(UNKNOWN)?.trim();
    match rest.strip_prefix(':') {
        _ if rest.is_empty() => Some(Why::new("the case says so")),
        Some(why) if !why.trim().is_empty() => Some(Why::new(why.trim())),
        Some(_) | None => None,
    }
}

/// The word of a list that the text is.
pub(super) fn choice<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    let found = choices.iter().find(|(word, _)| *word == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        one_of(text, &words)
    })
}

/// "is …; write "a", "b" or "c"".
pub(super) fn one_of(text: &str, words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    let listed = match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} or {last}", before.join(", ")),
        None => String::new(),
    };
    format!("is \"{}\"; write {listed}", Shown::new(text, SHOWN_CHARS))
}
