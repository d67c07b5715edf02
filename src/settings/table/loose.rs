//! Values that only a file of cases has: answers that may be unknown, and tables
//! whose keys are anybody's.
//!
//! Like the rest of the reader it notes what is wrong and never stops.

use super::{Given, TableReader, wrong_type};
use crate::escape::Shown;
use crate::settings::key::Key;
use crate::settings::values;

/// The word for an answer that did not come.
pub(in crate::settings) const UNKNOWN: &str = "unknown";

impl TableReader<'_> {
    /// Whether the document has the key.
    pub(in crate::settings) fn has(&self, key: &Key) -> bool {
        self.find(key).is_some()
    }

    /// `true` or `false`; `None` for `"unknown"`.
    pub(in crate::settings) fn flag_or_unknown(&mut self, key: &Key) -> Option<bool> {
        let (place, given) = self.given(key);
        let parsed = match given {
            Given::Text(text) => values::parse_flag(&text).map(Some),
            Given::Document(value) if value.as_str() == Some(UNKNOWN) => Ok(None),
            Given::Document(value) => value.as_bool().map(Some).ok_or_else(|| {
                wrong_type(value, "`true` or `false` without quotes, or \"unknown\"")
            }),
        };
        self.or_note(place, key, parsed, None)
    }

    /// The texts of a table by their names, in the order of the document.
    pub(in crate::settings) fn texts(&mut self, key: &Key) -> Vec<(String, String)> {
        let Some(value) = self.find(key) else {
            return Vec::new();
        };
        let wanted = "a table of texts, such as { team = \"x\" }";
        let Some(table) = value.get_ref().as_table() else {
            let problem = wrong_type(value.get_ref(), wanted);
            self.note_at(value.span().start, key, problem);
            return Vec::new();
        };
        let mut texts = Vec::new();
        for (name, item) in table {
            match item.get_ref().as_str() {
                Some(text) => texts.push((name.get_ref().to_string(), text.to_owned())),
                None => {
                    let name = Shown::name(name.get_ref());
                    let problem = wrong_type(item.get_ref(), "a text in quotes");
                    let problem = format!("holds `{name}`, which {problem}");
                    self.note_at(item.span().start, key, problem);
                }
            }
        }
        texts
    }
}
