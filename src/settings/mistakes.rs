//! What is wrong with the settings, all of it at once.
//!
//! An operator who deploys sees every mistake after one start: each names its
//! place, its key and the fix, on one line. Values are shown escaped and cut,
//! and those that could hold a secret are not shown at all, which is up to
//! whoever notes the mistake.

use std::error::Error;
use std::fmt;

use crate::escape::Shown;

/// Where a mistake stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// An app setting or environment variable; the key is its name.
    Setting,
    /// A line of a file or of the inline policy; lines count from 1.
    Line { source: String, line: usize },
    /// A file as a whole.
    File(String),
}

impl Place {
    /// The line, where there is one; else the first.
    pub(super) fn line(&self) -> usize {
        match self {
            Self::Line { line, .. } => *line,
            Self::Setting | Self::File(_) => 1,
        }
    }
}

/// Nothing for an app setting, whose name says where it is.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting => Ok(()),
            Self::Line { source, line } => write!(f, "{}, line {line}", Shown::new(source, 200)),
            Self::File(source) => Shown::new(source, 200).fmt(f),
        }
    }
}

/// One mistake; `Display` is one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    place: Place,
    key: String,
    problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Setting => {}
            place @ (Place::Line { .. } | Place::File(_)) => write!(f, "{place}: ")?,
        }
        if self.key.is_empty() {
            write!(f, "{}", self.problem)
        } else {
            write!(f, "`{}` {}", Shown::new(&self.key, 100), self.problem)
        }
    }
}

/// Mistakes beyond which nobody reads on: a document with more of them was meant
/// to be something else.
const MOST_TOLD: usize = 100;

/// Collects mistakes while reading goes on.
#[derive(Debug, Default)]
pub(super) struct Mistakes {
    told: Vec<Mistake>,
    /// Whether there are more than are told.
    has_more: bool,
}

impl Mistakes {
    /// `problem` continues a sentence that begins with the key.
    pub(super) fn note(&mut self, place: Place, key: &str, problem: impl Into<String>) {
        let mistake = Mistake {
            place,
            key: key.to_owned(),
            problem: problem.into(),
        };
        if self.told.contains(&mistake) {
            return;
        }
        if self.told.len() < MOST_TOLD {
            self.told.push(mistake);
        } else {
            self.has_more = true;
        }
    }

    pub(super) fn note_setting(&mut self, name: &str, problem: impl Into<String>) {
        self.note(Place::Setting, name, problem);
    }

    /// The error, when there is one: settings first, then each file by line.
    pub(super) fn into_error(mut self) -> Option<SettingsError> {
        self.told.sort_by(|a, b| a.place.cmp(&b.place));
        if self.has_more {
            self.told.push(Mistake {
                place: Place::Setting,
                key: String::new(),
                problem: format!("there are more than these {MOST_TOLD} mistakes"),
            });
        }
        let mistakes = self.told;
        (!mistakes.is_empty()).then_some(SettingsError { mistakes })
    }
}

/// The settings cannot be used; holds every mistake that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettingsError {
    mistakes: Vec<Mistake>,
}

impl SettingsError {
    /// At least one.
    #[must_use]
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }
}

/// One mistake per line.
impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.mistakes.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{mistake}")?;
        }
        Ok(())
    }
}

impl Error for SettingsError {}
