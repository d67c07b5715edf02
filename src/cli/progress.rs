//! What is told while a sweep runs: to a person at a terminal, and to nobody else.

use std::io::{self, IsTerminal, Write};

use crate::escape::Shown;

const LINE_CHARS: usize = 200;

/// Writes lines to stderr if that is a terminal.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    is_watched: bool,
}

impl Progress {
    /// Asks whether stderr is a terminal.
    #[must_use]
    pub fn to_stderr() -> Self {
        Self {
            is_watched: io::stderr().is_terminal(),
        }
    }

    /// Tells one line; what went away is not an error.
    pub fn tell(&self, line: &str) {
        if self.is_watched {
            let _ = writeln!(io::stderr().lock(), "{}", Shown::new(line, LINE_CHARS));
        }
    }
}
