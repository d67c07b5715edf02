//! The text of one record: one line, bounded, and safe against its own content. Pure.

use std::fmt::Write;

use tracing::Level;

use crate::escape::{Shown, write_one_line};
use crate::timestamp::Timestamp;

/// The host's console and Application Insights cut records of some tens of KiB;
/// a line of ours stays far below, its end included.
const LINE_BYTES: usize = 8 * 1024;
/// What spans may take of it.
const SPANS_BYTES: usize = 1024;
const VALUE_CHARS: usize = 2048;
const CUT: char = '…';

/// The host takes these for messages to itself, wherever they stand in a line.
const HOST_MARKS: [&str; 2] = ["azfuncjsonlog:", "languageworkerconsolelog"];
/// A line on stderr that holds this, in any case, is filed as a warning.
const DEMOTES: &str = "warn";

/// One record before it is a line.
#[derive(Debug)]
pub(super) struct Record<'r> {
    pub(super) at: Timestamp,
    pub(super) level: Level,
    pub(super) target: &'r str,
    pub(super) message: &'r str,
    /// As `push_field` builds it.
    pub(super) fields: &'r str,
    /// Fields of the spans around it, outermost first, as `push_field` builds them.
    pub(super) spans: &'r str,
}

impl Record<'_> {
    /// The line with its newline.
    pub(super) fn to_line(&self) -> String {
        let mut head = stamp(self.at);
        // Writing to a `String` can't fail.
        let _ = write!(head, " {} ", self.level);
        write_one_line(&mut head, self.target);
        head.push_str(": ");
        write_one_line(&mut head, self.message);
        head.push_str(self.fields);
        let head = self.defuse(head);
        let spans = cut(self.defuse(self.spans.to_owned()), SPANS_BYTES);
        // The spans name the invocation, so what stands before them is cut.
        let mut line = cut(head, LINE_BYTES - spans.len() - 1);
        line.push_str(&spans);
        line.push('\n');
        line
    }

    fn defuse(&self, mut text: String) -> String {
        for mark in HOST_MARKS {
            text = break_up(text, mark);
        }
        if self.level == Level::ERROR {
            text = break_up(text, DEMOTES);
        }
        text
    }
}

/// Appends ` name=value`; the value is quoted unless it is one plain word.
pub(super) fn push_field(fields: &mut String, name: &str, value: &str) {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"'`=\\".contains(&byte);
    let _ = if !value.is_empty() && value.len() <= VALUE_CHARS && value.bytes().all(is_plain) {
        write!(fields, " {name}={value}")
    } else {
        write!(fields, " {name}=\"{}\"", Shown::new(value, VALUE_CHARS))
    };
}

/// RFC 3339 in UTC with milliseconds.
fn stamp(at: Timestamp) -> String {
    let seconds = at.to_string();
    match seconds.strip_suffix('Z') {
        Some(seconds) => format!("{seconds}.{:03}Z", at.as_millis().rem_euclid(1000)),
        None => seconds,
    }
}

/// Writes the second letter of every `word` (in lower case) as its code, so
/// that the host does not find it and a reader still does.
fn break_up(text: String, word: &str) -> String {
    let lower = text.to_ascii_lowercase();
    if !lower.contains(word) {
        return text;
    }
    let mut broken = String::with_capacity(text.len() + 16);
    let mut from = 0;
    for (start, _) in lower.match_indices(word) {
        let (before, letter) = (&text[from..=start], text.as_bytes()[start + 1]);
        let _ = write!(broken, "{before}\\u{{{letter:x}}}");
        from = start + 2;
    }
    broken.push_str(&text[from..]);
    broken
}

fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        let mut end = most.saturating_sub(CUT.len_utf8());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push(CUT);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(level: Level, message: &str, fields: &str, spans: &str) -> String {
        let at = Timestamp::from_millis(1_795_357_793_086);
        let target = "terminate_clusters::sweep";
        Record {
            at,
            level,
            target,
            message,
            fields,
            spans,
        }
        .to_line()
    }

    #[test]
    fn a_record_reads_time_level_target_message_fields_spans() {
        assert_eq!(
            line(Level::INFO, "Kept `a`", " reason=busy", " invocation=7"),
            "2026-11-22T14:29:53.086Z INFO terminate_clusters::sweep: Kept `a` reason=busy invocation=7\n"
        );
    }

    #[test]
    fn a_record_is_one_line_whatever_it_holds() {
        let text = line(Level::INFO, "a\nb\r\u{1b}[31m\u{2028}\u{85}c", "", "");
        assert_eq!(text.matches('\n').count(), 1);
        assert!(
            text.ends_with("a\\nb\\r\\u{1b}[31m\\u{2028}\\u{85}c\n"),
            "{text}"
        );
    }

    #[test]
    fn an_error_cannot_be_demoted_by_what_it_quotes() {
        let text = line(
            Level::ERROR,
            "failed: Warning WARNwarn",
            " a=warner",
            " w=wARn",
        );
        assert!(!text.to_lowercase().contains("warn"), "{text}");
        assert!(text.contains("W\\u{61}rning W\\u{41}RNw\\u{61}rn a=w\\u{61}rner w=w\\u{41}Rn"));
    }

    #[test]
    fn a_warning_contains_the_word_that_makes_it_one() {
        assert!(line(Level::WARN, "x", "", "").contains(" WARN "));
    }

    #[test]
    fn no_line_can_be_taken_for_a_message_to_the_host() {
        for level in [Level::INFO, Level::WARN, Level::ERROR] {
            let text = line(
                level,
                "LanguageWorkerConsoleLog x",
                " a=AzFuncJsonLog:{}",
                " b=azfuncjsonlog:",
            );
            let lower = text.to_lowercase();
            assert!(!lower.contains("languageworkerconsolelog"), "{text}");
            assert!(!lower.contains("azfuncjsonlog:"), "{text}");
        }
    }

    #[test]
    fn a_long_record_is_cut_and_keeps_its_invocation() {
        let text = line(
            Level::ERROR,
            &"é warn\n".repeat(10_000),
            " a=b",
            " invocation=7",
        );
        assert!(text.len() <= LINE_BYTES, "{}", text.len());
        assert!(text.len() > LINE_BYTES - 8, "{}", text.len());
        assert!(text.ends_with("… invocation=7\n"), "{text}");
        assert!(!text.to_lowercase().contains("warn"));
    }

    #[test]
    fn a_value_cannot_pretend_to_be_another_field() {
        let mut fields = String::new();
        push_field(&mut fields, "name", "x level=ERROR invocation=forged");
        push_field(&mut fields, "quote", "\" a=b");
        push_field(&mut fields, "plain", "0915-021615-abc/é?");
        push_field(&mut fields, "id", "0915-021615-abc");
        push_field(&mut fields, "none", "");
        assert_eq!(
            fields,
            " name=\"x level=ERROR invocation=forged\" quote=\"\\\" a=b\" plain=\"0915-021615-abc/é?\" id=0915-021615-abc none=\"\""
        );
    }
}
