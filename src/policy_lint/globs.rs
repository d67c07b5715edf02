//! Questions about patterns with `*` and `?`: what they have in common, and which
//! were meant for another language. Pure.

use crate::policy::Glob;

/// Longer than any pattern can demand by question marks alone.
const LONG: usize = 400;

/// Whether every name matches: stars, and at most one `?`, which only an empty
/// name would miss.
pub(super) fn matches_everything(glob: &Glob) -> bool {
    let text = glob.as_str();
    let has_star = text.contains('*');
    let questions = text.chars().filter(|next| *next == '?').count();
    has_star && questions <= 1 && text.chars().all(|next| matches!(next, '*' | '?'))
}

/// What gives a pattern away that was written as a regular expression.
pub(super) fn foreign_sign(glob: &Glob) -> Option<&'static str> {
    let text = glob.as_str();
    let brackets = text.find('[').zip(text.find(']'));
    // After a digit it is more likely the point of a version.
    let mut points = text.match_indices(".*");
    let is_any_text =
        |(at, _): (usize, &str)| !text[..at].ends_with(|before: char| before.is_ascii_digit());
    if points.any(is_any_text) {
        Some(".*")
    } else if text.starts_with('^') {
        Some("^")
    } else if text.ends_with('$') {
        Some("$")
    } else if text.contains('|') {
        Some("|")
    } else if brackets.is_some_and(|(open, close)| open < close) {
        Some("[…]")
    } else {
        None
    }
}

/// Whether every name that `narrow` matches is matched by `wide` as well. Tried
/// on the shortest name and on a long one whose letters stand in no pattern.
pub(super) fn covers(wide: &Glob, narrow: &Glob) -> bool {
    let filled = |length: usize| {
        let mut name = String::new();
        for next in narrow.as_str().chars() {
            match next {
                '*' => name.extend(std::iter::repeat_n('\u{1}', length)),
                '?' => name.push('\u{2}'),
                other => name.push(other),
            }
        }
        name
    };
    wide.matches(&filled(0)) && wide.matches(&filled(LONG))
}

/// Whether there is a name that both match.
pub(super) fn can_both_match(one: &Glob, other: &Glob) -> bool {
    let letters = |glob: &Glob| -> Vec<char> { glob.as_str().to_lowercase().chars().collect() };
    let (one, other) = (letters(one), letters(other));
    // `row[j]`: whether the rests of `one` from `i` and of `other` from `j` meet.
    let mut below: Vec<bool> = Vec::new();
    for i in (0..=one.len()).rev() {
        let mut row = vec![false; other.len() + 1];
        for j in (0..=other.len()).rev() {
            let (a, b) = (one.get(i), other.get(j));
            let skips_a = a == Some(&'*') && below[j];
            let skips_b = b == Some(&'*') && row[j + 1];
            row[j] = match (a, b) {
                (None, None) => true,
                (Some('*'), None) => skips_a,
                (None, Some('*')) => skips_b,
                (None, Some(_)) | (Some(_), None) => false,
                (Some('*'), Some(_)) => skips_a || row[j + 1],
                (Some(_), Some('*')) => skips_b || below[j],
                (Some(a), Some(b)) => (a == b || *a == '?' || *b == '?') && below[j + 1],
            };
        }
        below = row;
    }
    below.first() == Some(&true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(text: &str) -> Glob {
        Glob::new(text)
    }

    #[test]
    fn knows_the_patterns_that_every_name_matches() {
        for text in ["*", "**", "?*", "*?"] {
            assert!(matches_everything(&glob(text)), "{text}");
        }
        for text in ["?", "??*", "a*", "*a", "???"] {
            assert!(!matches_everything(&glob(text)), "{text}");
        }
    }

    #[test]
    fn tells_a_pattern_of_another_language_by_its_signs() {
        for (text, sign) in [
            ("prod-.*", ".*"),
            ("^prod", "^"),
            ("prod$", "$"),
            ("a|b", "|"),
            ("team-[xy]", "[…]"),
            (".*", ".*"),
        ] {
            assert_eq!(foreign_sign(&glob(text)), Some(sign), "{text}");
        }
        for text in ["prod-*", "a.b", "etl-v1.*", "a]b[", "100$-cluster", "x^y"] {
            assert_eq!(foreign_sign(&glob(text)), None, "{text}");
        }
    }

    #[test]
    fn one_pattern_covers_another_if_it_matches_whatever_that_matches() {
        for (wide, narrow) in [
            ("prod-*", "prod-etl-*"),
            ("PROD-*", "prod-1"),
            ("*", "a?b"),
            ("a?", "ab"),
            ("*-x*", "team-x"),
            ("a*b*", "a*bc*"),
        ] {
            assert!(covers(&glob(wide), &glob(narrow)), "{wide} over {narrow}");
        }
        for (wide, narrow) in [
            ("prod-etl-*", "prod-*"),
            ("a?", "a*"),
            ("a??????", "a*"),
            ("?*", "*"),
            ("ab", "a?"),
            ("dev", "prod"),
        ] {
            assert!(!covers(&glob(wide), &glob(narrow)), "{wide} over {narrow}");
        }
    }

    #[test]
    fn two_patterns_meet_if_a_name_matches_both() {
        for (one, other) in [
            ("dev-*", "*-eu"),
            ("dev-*", "DEV-?"),
            ("*", ""),
            ("a*b", "ab"),
            ("*a*", "*b*"),
            ("??", "a*"),
            ("x", "x"),
        ] {
            assert!(
                can_both_match(&glob(one), &glob(other)),
                "{one} and {other}"
            );
            assert!(
                can_both_match(&glob(other), &glob(one)),
                "{other} and {one}"
            );
        }
        for (one, other) in [
            ("dev-*", "prod-*"),
            ("a", ""),
            ("?", ""),
            ("??", "a"),
            ("a*b", "a*c"),
            ("x", "y"),
        ] {
            assert!(
                !can_both_match(&glob(one), &glob(other)),
                "{one} and {other}"
            );
            assert!(
                !can_both_match(&glob(other), &glob(one)),
                "{other} and {one}"
            );
        }
    }
}
