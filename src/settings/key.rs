//! One settable value as data: its name, its default, its range and its meaning.
//!
//! The reader, the reference table and the tests of the sample files all read
//! the same `Key`, so that none of them can drift from the others. A default is
//! written as an operator would write it and goes through the same parser.

use std::time::Duration;

/// A key of one table of the policy document.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// As it is written in the document.
    pub name: &'static str,
    /// As an operator would write it; empty where there is none.
    pub default: &'static str,
    /// One line, lower case, without a full stop.
    pub meaning: &'static str,
    pub(super) kind: Kind,
}

/// What a key takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Both ends included.
    Duration { least: Duration, most: Duration },
    /// Both ends included.
    Count { least: u32, most: u32 },
    /// `true` or `false`.
    Flag,
    /// A list of patterns with `*` and `?`.
    Globs,
    /// One string.
    Text,
    /// A table of patterns: the key of a tag and a pattern for its value.
    Tags,
}

impl Key {
    pub(super) const fn new(
        name: &'static str,
        default: &'static str,
        kind: Kind,
        meaning: &'static str,
    ) -> Self {
        Self {
            name,
            default,
            meaning,
            kind,
        }
    }

    /// Whether an environment variable can override it.
    pub(super) fn is_scalar(&self) -> bool {
        match self.kind {
            Kind::Duration { .. } | Kind::Count { .. } | Kind::Flag => true,
            Kind::Globs | Kind::Text | Kind::Tags => false,
        }
    }
}
