//! The name that a mistyped one was probably meant to be. Pure.

use crate::escape::Shown;

/// Names beyond this length are nobody's typing error; they are not compared.
const LONGEST_COMPARED: usize = 80;

/// More changes than these are no typing error.
const MOST_CHANGES: usize = 4;

/// Of names that somebody made up, of which there may be thousands, no more are listed.
const MOST_LISTED: usize = 10;

/// "did you mean …?" with the nearest of `known`; where nothing is near, the
/// whole of `listed`.
pub(crate) fn suggestion<'n>(
    given: &str,
    known: impl Iterator<Item = &'n str>,
    listed: impl Iterator<Item = &'n str>,
) -> String {
    match nearest(given, known) {
        Some(name) => did_you_mean(name),
        None => {
            let all: Vec<String> = listed.map(quoted).collect();
            if all.is_empty() {
                return "there is none".to_owned();
            }
            format!("known are {}", all.join(", "))
        }
    }
}

/// The same for names of which there may be many: where none of `compared` is near,
/// `known` is cut.
pub(crate) fn suggestion_of_many<'n>(
    given: &str,
    compared: impl Iterator<Item = &'n str>,
    known: impl ExactSizeIterator<Item = &'n str>,
) -> String {
    match nearest(given, compared) {
        Some(name) => did_you_mean(name),
        None => format!("known are {}", first_of(known.map(quoted))),
    }
}

/// "`a`, `b` and 3 more".
pub(crate) fn first_of(mut names: impl ExactSizeIterator<Item = String>) -> String {
    let first: Vec<String> = names.by_ref().take(MOST_LISTED).collect();
    let first = first.join(", ");
    match names.len() {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

fn did_you_mean(name: &str) -> String {
    format!("did you mean {}?", quoted(name))
}

fn quoted(name: &str) -> String {
    format!("`{}`", Shown::new(name, 80))
}

/// The known name with the fewest changed characters, case aside, if these are
/// few enough to be a typing error.
fn nearest<'n>(given: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    if given.chars().count() > LONGEST_COMPARED {
        return None;
    }
    let given: Vec<char> = given.to_lowercase().chars().collect();
    known
        .filter(|name| name.chars().nth(LONGEST_COMPARED + MOST_CHANGES).is_none())
        .filter_map(|name| {
            let candidate: Vec<char> = name.to_lowercase().chars().collect();
            let allowed = (candidate.len() / 3).clamp(1, MOST_CHANGES);
            if candidate.len().abs_diff(given.len()) > allowed {
                return None;
            }
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
    fn of_many_names_the_first_are_listed_and_the_rest_counted() {
        let names: Vec<String> = (10..35).map(|number| format!("n{number}")).collect();
        let of = |count: usize| {
            let known = || names[..count].iter().map(String::as_str);
            suggestion_of_many("colour", known(), known())
        };
        assert_eq!(of(2), "known are `n10`, `n11`");
        let ten = "known are `n10`, `n11`, `n12`, `n13`, `n14`, `n15`, `n16`, `n17`, `n18`, `n19`";
        assert_eq!(of(10), ten);
        assert_eq!(of(25), format!("{ten} and 15 more"));
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
