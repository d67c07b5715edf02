//! The name that a mistyped one was probably meant to be. Pure.

use crate::escape::Shown;

/// Names beyond this length are nobody's typing error; they are not compared.
const LONGEST_COMPARED: usize = 80;

/// "did you mean …?" with the nearest of `known`; where nothing is near, the
/// whole of `listed`.
pub(crate) fn suggestion<'n>(
    given: &str,
    known: impl Iterator<Item = &'n str>,
    listed: impl Iterator<Item = &'n str>,
) -> String {
    match nearest(given, known) {
        Some(name) => format!("did you mean `{}`?", Shown::new(name, 80)),
        None => {
            let all: Vec<String> = listed
                .map(|name| format!("`{}`", Shown::new(name, 80)))
                .collect();
            if all.is_empty() {
                return "there is none".to_owned();
            }
            format!("known are {}", all.join(", "))
        }
    }
}

/// The known name with the fewest changed characters, case aside, if these are
/// few enough to be a typing error.
fn nearest<'n>(given: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    if given.chars().count() > LONGEST_COMPARED {
        return None;
    }
    let given: Vec<char> = given.to_lowercase().chars().collect();
    known
        .filter_map(|name| {
            let candidate: Vec<char> = name.to_lowercase().chars().collect();
            let allowed = (candidate.len() / 3).clamp(1, 4);
            let changes = changes(&given, &candidate);
            (changes <= allowed).then_some((changes, name))
        })
        .min()
        .map(|(_, name)| name)
}

/// Insertions, deletions, replacements and swaps of neighbours between two words.
fn changes(from: &[char], to: &[char]) -> usize {
    let width = to.len() + 1;
    let mut before: Vec<usize> = vec![0; width];
    let mut last: Vec<usize> = (0..width).collect();
    for (row, &a) in from.iter().enumerate() {
        let mut next = vec![row + 1; width];
        for (column, &b) in to.iter().enumerate() {
            let replaced = last[column] + usize::from(a != b);
            let mut least = replaced.min(last[column + 1] + 1).min(next[column] + 1);
            let swapped = row > 0 && column > 0 && from[row - 1] == b && to[column - 1] == a;
            if swapped {
                least = least.min(before[column - 1] + 1);
            }
            next[column + 1] = least;
        }
        before = last;
        last = next;
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["idle_after", "idle_after_one_witness", "name", "mode"];

    #[test]
    fn a_typing_error_finds_the_name_that_was_meant() {
        for (given, meant) in [
            ("idle_afer", "idle_after"),
            ("idel_after", "idle_after"),
            ("IDLE_AFTER", "idle_after"),
            ("idle-after", "idle_after"),
            ("idle_after_one_witnes", "idle_after_one_witness"),
            ("nmae", "name"),
        ] {
            assert_eq!(nearest(given, KNOWN.into_iter()), Some(meant), "{given}");
        }
    }

    #[test]
    fn an_unrelated_name_is_answered_with_the_list() {
        assert_eq!(nearest("colour", KNOWN.into_iter()), None);
        assert_eq!(
            suggestion("colour", KNOWN.into_iter(), ["name", "mode"].into_iter()),
            "known are `name`, `mode`"
        );
        assert_eq!(nearest(&"x".repeat(100_000), KNOWN.into_iter()), None);
    }

    #[test]
    fn counts_a_swap_of_neighbours_as_one_change() {
        let count = |a: &str, b: &str| {
            changes(
                &a.chars().collect::<Vec<_>>(),
                &b.chars().collect::<Vec<_>>(),
            )
        };
        assert_eq!(count("", "abc"), 3);
        assert_eq!(count("abc", ""), 3);
        assert_eq!(count("abcd", "abdc"), 1);
        assert_eq!(count("kitten", "sitting"), 3);
    }
}
