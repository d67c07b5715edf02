//! Text from outside, made safe to show on one line.
//!
//! Names of clusters, messages of services and whatever else was not written
//! here passes through `Shown` before it reaches a log line, a report or an
//! error: it can neither end the line, nor move the cursor, nor reorder or hide
//! what stands beside it, nor close the quotes around it. Pure; the log writer
//! escapes control characters once more, for lines that nobody thought of.

use std::fmt::{self, Write};

/// Shows at most `max_chars` characters of a text, escapes counted as written.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    text: &'a str,
    max_chars: usize,
    with_quotes: bool,
}

impl<'a> Shown<'a> {
    /// `max_chars` counts the characters that come out, the closing `…` included.
    #[must_use]
    pub fn new(text: &'a str, max_chars: usize) -> Self {
        Self {
            text,
            max_chars,
            with_quotes: true,
        }
    }

    /// A sentence of ours. What it quotes from outside was escaped when it was
    /// quoted, so quotes and backslashes stay; nothing ends the line all the same.
    #[must_use]
    pub fn sentence(text: &'a str) -> Self {
        Self {
            text,
            max_chars: 1000,
            with_quotes: false,
        }
    }

    /// A name: of a cluster, a tag, a state.
    #[must_use]
    pub fn name(text: &'a str) -> Self {
        Self::new(text, 80)
    }

    /// A clause or a message.
    #[must_use]
    pub fn text(text: &'a str) -> Self {
        Self::new(text, 300)
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text.len() <= self.max_chars
            && self
                .text
                .bytes()
                .all(|byte| is_plain(byte, self.with_quotes))
        {
            return f.write_str(self.text);
        }
        let mut left = self.max_chars;
        let mut rest = self.text.chars();
        while let Some(next) = rest.next() {
            let escaped = Escaped::of(next, self.with_quotes);
            let is_last = rest.as_str().is_empty();
            // One place is kept for the mark of a cut, unless nothing follows.
            if escaped.width() + usize::from(!is_last) > left {
                return if left == 0 {
                    Ok(())
                } else {
                    f.write_char('…')
                };
            }
            left -= escaped.width();
            escaped.write(f)?;
        }
        Ok(())
    }
}

/// `text` as one word of a POSIX shell, for a command that somebody may copy.
pub(crate) fn shell_word(text: &str) -> String {
    let is_plain = |next: char| next.is_ascii_alphanumeric() || "-_./:@".contains(next);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    // A line break would be a second command for whoever copies the line.
    let shown = Shown::sentence(text).to_string();
    format!("'{}'", shown.replace('\'', r"'\''"))
}

/// An option with its value, in one word where the value would else be read as
/// another option.
pub(crate) fn shell_option(option: &str, value: &str) -> String {
    let between = if value.starts_with('-') { '=' } else { ' ' };
    format!("{option}{between}{}", shell_word(value))
}

/// Writes `text` with everything escaped that could end a line, drive a
/// terminal, or hide or reorder text; quotes and backslashes stay.
pub(crate) fn write_one_line(out: &mut String, text: &str) {
    if text.bytes().all(|byte| is_plain(byte, false)) {
        out.push_str(text);
        return;
    }
    for next in text.chars() {
        // Writing to a `String` can't fail.
        let _ = Escaped::of(next, false).write(out);
    }
}

/// The start of `text` on one line, cut after `most` of its characters; quotes and
/// backslashes stay. For what is kept as evidence; what is shown beside other text
/// passes through [`Shown`].
#[must_use]
pub fn one_line(text: &str, most: usize) -> String {
    let mut line = String::with_capacity(text.len().min(most));
    match text.char_indices().nth(most) {
        Some((end, _)) => {
            write_one_line(&mut line, &text[..end]);
            line.push('…');
        }
        None => write_one_line(&mut line, text),
    }
    line
}

/// Whether a character can stand on a line without an escape, quotes aside.
pub(crate) fn is_shown_as_is(next: char) -> bool {
    Escaped::of(next, false).width() == 1
}

/// Whether this is all of a character, and one that is shown as it is: most text is
/// nothing else.
fn is_plain(byte: u8, with_quotes: bool) -> bool {
    match byte {
        b'"' | b'\\' | b'`' => !with_quotes,
        _ => matches!(byte, b' '..=b'~'),
    }
}

/// One character in the form in which it is shown.
enum Escaped {
    Plain(char),
    Code(std::char::EscapeUnicode),
    Short(std::char::EscapeDebug),
}

impl Escaped {
    fn of(next: char, with_quotes: bool) -> Self {
        match next {
            ' '..='~' if !with_quotes => Self::Plain(next),
            '`' => Self::Code(next.escape_unicode()),
            '\'' => Self::Plain(next),
            ' '..='~' if !matches!(next, '"' | '\\') => Self::Plain(next),
            // Letters and symbols without a shape of their own.
            '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}' => {
                Self::Code(next.escape_unicode())
            }
            // Control, format, unassigned, private and combining characters,
            // and every space but the ordinary one.
            _ => Self::Short(next.escape_debug()),
        }
    }

    fn width(&self) -> usize {
        match self {
            Self::Plain(_) => 1,
            Self::Code(code) => code.len(),
            Self::Short(short) => short.len(),
        }
    }

    fn write(self, out: &mut impl Write) -> fmt::Result {
        match self {
            Self::Plain(next) => out.write_char(next),
            Self::Code(code) => write!(out, "{code}"),
            Self::Short(short) => write!(out, "{short}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        Shown::new(text, 80).to_string()
    }

    #[test]
    fn the_short_way_takes_no_byte_that_the_long_one_escapes() {
        for byte in 0..=u8::MAX {
            for with_quotes in [false, true] {
                let escaped = Escaped::of(char::from(byte), with_quotes);
                let is_ascii_as_is = byte.is_ascii() && matches!(escaped, Escaped::Plain(_));
                assert_eq!(is_plain(byte, with_quotes), is_ascii_as_is, "{byte:#x}");
            }
        }
    }

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in [
            "nightly etl (é, 日本, 👍)",
            "Bob's cluster",
            "a-b_c.d/e:f=g",
        ] {
            assert_eq!(shown(name), name);
        }
    }

    #[test]
    fn nothing_from_outside_can_end_a_line_or_drive_a_terminal() {
        assert_eq!(shown("a\r\nERROR b"), "a\\r\\nERROR b");
        assert_eq!(shown("\u{1b}[31m\u{9b}2J\0"), "\\u{1b}[31m\\u{9b}2J\\0");
        assert_eq!(
            shown("a\u{2028}b\u{2029}c\u{85}d"),
            "a\\u{2028}b\\u{2029}c\\u{85}d"
        );
    }

    #[test]
    fn nothing_from_outside_can_hide_or_reorder_text() {
        for hidden in [
            '\u{200b}',
            '\u{200d}',
            '\u{200f}',
            '\u{202e}',
            '\u{2066}',
            '\u{feff}',
            '\u{ad}',
            '\u{61c}',
            '\u{180e}',
            '\u{fe0f}',
            '\u{e0041}',
            '\u{3164}',
            '\u{2800}',
            '\u{a0}',
            '\u{34f}',
            '\u{301}',
        ] {
            let expected = format!("a\\u{{{:x}}}b", u32::from(hidden));
            assert_eq!(shown(&format!("a{hidden}b")), expected);
        }
    }

    #[test]
    fn the_quotes_around_a_text_cannot_be_closed_from_inside() {
        assert_eq!(shown("a\"b`c\\d"), "a\\\"b\\u{60}c\\\\d");
    }

    #[test]
    fn a_long_text_is_cut_with_a_mark_and_never_inside_an_escape() {
        let cut = |text: &str, max: usize| Shown::new(text, max).to_string();
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdef", 5), "abcd…");
        assert_eq!(cut("ab\n", 4), "ab\\n");
        assert_eq!(cut("ab\ncd", 4), "ab…");
        assert_eq!(cut("ééé", 2), "é…");
        assert_eq!(cut("abc", 0), "");
        assert_eq!(cut("", 0), "");
    }

    #[test]
    fn the_length_holds_however_much_is_escaped() {
        let hostile = "\u{202e}".repeat(1000);
        assert!(Shown::new(&hostile, 50).to_string().chars().count() <= 50);
    }

    #[test]
    fn a_sentence_keeps_its_quotes_and_stays_one_line() {
        let quoted = Shown::name("a`b\"\n");
        let sentence = format!("put `{quoted}` into \"x\"\r\u{1b}[31m");
        assert_eq!(
            Shown::sentence(&sentence).to_string(),
            "put `a\\u{60}b\\\"\\n` into \"x\"\\r\\u{1b}[31m"
        );
        let long = Shown::sentence(&"x".repeat(5000)).to_string();
        assert_eq!(long.chars().count(), 1000);
    }

    #[test]
    fn a_name_stays_one_word_of_the_shell() {
        for (text, expected) in [
            ("analytics", "analytics"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("$(id)", "'$(id)'"),
            ("`id`", "'`id`'"),
            ("", "''"),
            ("a\nb", r"'a\nb'"),
        ] {
            assert_eq!(shell_word(text), expected, "{text}");
        }
    }

    #[test]
    fn a_value_that_begins_with_a_hyphen_is_no_option_of_its_own() {
        for (value, expected) in [
            ("one", "--workspace one"),
            ("a b", "--workspace 'a b'"),
            ("-one", "--workspace=-one"),
            ("--a b", "--workspace='--a b'"),
        ] {
            assert_eq!(shell_option("--workspace", value), expected);
        }
    }

    #[test]
    fn one_line_keeps_quotes_and_backslashes() {
        let mut out = String::new();
        write_one_line(&mut out, "say \"a\\n\" `b`\n\u{202e}");
        assert_eq!(out, "say \"a\\n\" `b`\\n\\u{202e}");
    }
}
