//! What is asked for on the command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::Outcome;

pub(crate) const USAGE: &str = "usage: cargo scale [--workspaces N] [--clusters N] [--latency MS] [--pairs N] \
     [--no-plain] [--handler PATH]\n       cargo scale --large [--handler PATH]";

/// The word by which the program starts itself as the cloud.
pub(crate) const CLOUD: &str = "--cloud";

pub(crate) enum Task {
    Measure(Wishes),
    BeTheCloud { workspaces: usize, clusters: usize },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wishes {
    pub(crate) workspaces: usize,
    pub(crate) clusters: usize,
    pub(crate) latency: Duration,
    pub(crate) pairs: usize,
    /// The size at which only memory and CPU count.
    pub(crate) large: bool,
    /// Whether the plain client runs beside the handler.
    pub(crate) plain: bool,
    /// Instead of one that is built.
    pub(crate) handler: Option<PathBuf>,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            workspaces: 200,
            clusters: 50,
            latency: Duration::from_millis(30),
            pairs: 5,
            large: false,
            plain: true,
            handler: None,
        }
    }
}

impl Wishes {
    fn large() -> Self {
        Self {
            workspaces: 1000,
            clusters: 200,
            latency: Duration::ZERO,
            pairs: 1,
            large: true,
            plain: false,
            handler: None,
        }
    }

    /// Whether it has the size for which limits of time are set.
    pub(crate) fn is_full_size(&self) -> bool {
        let full = Self::default();
        (self.workspaces, self.clusters, self.latency)
            == (full.workspaces, full.clusters, full.latency)
    }
}

/// Reads the words after the program's name.
pub(crate) fn read(words: impl Iterator<Item = OsString>) -> Outcome<Task> {
    let mut words = words.map(|word| word.into_string().map_err(|_| USAGE));
    let mut wishes = Wishes::default();
    let mut is_first = true;
    while let Some(word) = words.next() {
        match word?.as_str() {
            CLOUD if is_first => {
                let workspaces = number(words.next())?;
                let clusters = number(words.next())?;
                return Ok(Task::BeTheCloud {
                    workspaces,
                    clusters,
                });
            }
            "--large" if is_first => wishes = Wishes::large(),
            "--workspaces" => wishes.workspaces = at_least_one(words.next())?,
            "--clusters" => wishes.clusters = at_least_one(words.next())?,
            "--latency" => {
                wishes.latency = Duration::from_millis(number(words.next())?.try_into()?)
            }
            "--pairs" => wishes.pairs = at_least_one(words.next())?,
            "--no-plain" => wishes.plain = false,
            "--handler" => wishes.handler = Some(words.next().ok_or(USAGE)??.into()),
            _ => return Err(USAGE.into()),
        }
        is_first = false;
    }
    Ok(Task::Measure(wishes))
}

fn number(word: Option<Result<String, &'static str>>) -> Outcome<usize> {
    Ok(word.ok_or(USAGE)??.parse().map_err(|_| USAGE)?)
}

fn at_least_one(word: Option<Result<String, &'static str>>) -> Outcome<usize> {
    match number(word)? {
        0 => Err(USAGE.into()),
        number => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes(words: &[&str]) -> Option<Wishes> {
        match read(words.iter().map(OsString::from)) {
            Ok(Task::Measure(wishes)) => Some(wishes),
            Ok(Task::BeTheCloud { .. }) | Err(_) => None,
        }
    }

    #[test]
    fn without_words_the_full_size_is_measured_and_any_other_is_told_apart() {
        let full = wishes(&[]).expect("wishes");
        assert!(full.is_full_size());
        assert_eq!(
            (full.workspaces, full.clusters, full.pairs, full.plain),
            (200, 50, 5, true)
        );
        for words in [&["--clusters", "49"][..], &["--latency", "0"], &["--large"]] {
            assert!(!wishes(words).expect("wishes").is_full_size(), "{words:?}");
        }
        let large = wishes(&["--large"]).expect("wishes");
        assert_eq!((large.workspaces, large.clusters), (1000, 200));
    }

    #[test]
    fn anything_else_is_refused() {
        for words in [
            &["--pairs"][..],
            &["--pairs", "0"],
            &["--workspaces", "x"],
            &["--no-plain", "--large"],
            &["fast"],
        ] {
            assert!(wishes(words).is_none(), "{words:?}");
        }
    }
}
