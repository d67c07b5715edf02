//! Reads the keys of one table of the policy document, noting what is wrong.
//!
//! A reader never stops: a wrong value is noted with its line and a placeholder
//! is returned, so that the next key is looked at too. Placeholders never leave
//! this module's callers, because `Settings` exists only without mistakes.

mod loose;

use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::environment::Environment;
use super::key::{Key, Kind};
use super::mistakes::{Mistakes, Place};
use super::nearest;
use super::tables::{self, TableReference};
use super::values::{self, SHOWN_CHARS};
use crate::escape::Shown;
use crate::policy::{Glob, TagPattern};

pub(super) use self::loose::UNKNOWN;

/// The longest pattern that is accepted; names of clusters are no longer.
const GLOB_CHARS: usize = 200;

/// Azure keeps no longer value of a tag.
const TAG_VALUE_CHARS: usize = 256;

/// What a document is called and where its lines begin.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) text: String,
    /// The bytes at which all lines but the first begin. Places are asked for with every
    /// key, and counting lines each time would cost the square of a long document.
    line_starts: Vec<usize>,
}

impl Source {
    pub(super) fn new(name: String, text: String) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self {
            name,
            line_starts: ends.map(|(end, _)| end + 1).collect(),
            text,
        }
    }

    pub(super) fn place(&self, offset: usize) -> Place {
        let before = self.line_starts.partition_point(|start| *start <= offset);
        Place::Line {
            source: self.name.clone(),
            line: before + 1,
        }
    }
}

/// One table as it stands in the document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'d> {
    pub(super) table: &'d DeTable<'d>,
    /// The byte at which it begins.
    pub(super) offset: usize,
}

/// What every reader of one document shares.
#[derive(Debug)]
pub(super) struct Reading<'d> {
    pub(super) source: &'d Source,
    pub(super) environment: &'d Environment,
    pub(super) mistakes: &'d mut Mistakes,
}

/// Reads one table, which may be absent.
#[derive(Debug)]
pub(super) struct TableReader<'r> {
    reading: Reading<'r>,
    reference: TableReference,
    node: Option<Node<'r>>,
}

/// A value before it is understood.
enum Given<'r> {
    /// From a variable, or the default.
    Text(String),
    Document(&'r DeValue<'r>),
}

impl<'r> TableReader<'r> {
    /// Notes the keys that the table should not have, and stands ready for the others.
    pub(super) fn new(
        reading: &'r mut Reading<'_>,
        reference: TableReference,
        node: Option<Node<'r>>,
    ) -> Self {
        let reading = Reading {
            source: reading.source,
            environment: reading.environment,
            mistakes: reading.mistakes,
        };
        let mut reader = Self {
            reading,
            reference,
            node,
        };
        reader.refuse_unknown_keys();
        reader
    }

    fn refuse_unknown_keys(&mut self) {
        let Some(node) = self.node else { return };
        let known = self.reference.keys.iter().map(|key| key.name);
        let header = self.reference.header;
        for name in node.table.keys() {
            let written: &str = name.get_ref();
            if !known.clone().any(|known| known == written) {
                let suggestion = nearest::suggestion(written, known.clone(), known.clone());
                let place = self.reading.source.place(name.span().start);
                let problem = format!("is not a key of {header}; {suggestion}");
                self.reading.mistakes.note(place, written, problem);
            }
        }
    }

    pub(super) fn duration(&mut self, key: &Key) -> Duration {
        let Kind::Duration { least, most } = key.kind else {
            return Duration::ZERO;
        };
        let (place, given) = self.given(key);
        let parsed = match given {
            Given::Text(text) => values::parse_duration(&text),
            Given::Document(value) => match value.as_str() {
                Some(text) => values::parse_duration(text),
                None => Err(wrong_type(value, "a duration in quotes, such as \"30m\"")),
            },
        };
        let within = parsed.and_then(|value| {
            let refused = |bound: &str, end: Duration| {
                Err(format!(
                    "is \"{}\", but must be at {bound} \"{}\"",
                    values::show_duration(value),
                    values::show_duration(end)
                ))
            };
            if value < least {
                refused("least", least)
            } else if value > most {
                refused("most", most)
            } else {
                Ok(value)
            }
        });
        self.or_note(place, key, within, Duration::ZERO)
    }

    pub(super) fn count(&mut self, key: &Key) -> u32 {
        let Kind::Count { least, most } = key.kind else {
            return 0;
        };
        let (place, given) = self.given(key);
        let parsed = match given {
            Given::Text(text) => values::parse_count(&text),
            Given::Document(value) => match value.as_integer() {
                Some(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
                    .map_err(|_| format!("is out of range; write {least} to {most}")),
                None => Err(wrong_type(value, "a whole number without quotes")),
            },
        };
        let within = parsed.and_then(|value| {
            u32::try_from(value)
                .ok()
                .filter(|value| (least..=most).contains(value))
                .ok_or_else(|| format!("is {value}, but must be {least} to {most}"))
        });
        self.or_note(place, key, within, 0)
    }

    pub(super) fn flag(&mut self, key: &Key) -> bool {
        let (place, given) = self.given(key);
        let parsed = match given {
            Given::Text(text) => values::parse_flag(&text),
            Given::Document(value) => value
                .as_bool()
                .ok_or_else(|| wrong_type(value, "`true` or `false` without quotes")),
        };
        self.or_note(place, key, parsed, false)
    }

    /// The patterns of a list; empty where the key is absent.
    pub(super) fn globs(&mut self, key: &Key) -> Vec<Glob> {
        let Some(value) = self.find(key) else {
            return Vec::new();
        };
        let Some(items) = value.get_ref().as_array() else {
            let problem = wrong_type(value.get_ref(), "a list of names, such as [\"nightly-*\"]");
            self.note_at(value.span().start, key, problem);
            return Vec::new();
        };
        let mut globs = Vec::new();
        for item in items {
            let parsed = match item.get_ref().as_str() {
                Some(text) => parse_glob(text),
                None => Err(wrong_type(item.get_ref(), "a list of names in quotes")),
            };
            match parsed {
                Ok(glob) => globs.push(glob),
                Err(problem) => self.note_at(item.span().start, key, problem),
            }
        }
        globs
    }

    /// What `read` gives for a key that stands in the document; `None` for another.
    pub(super) fn if_given<T>(
        &mut self,
        key: &Key,
        read: impl FnOnce(&mut Self, &Key) -> T,
    ) -> Option<T> {
        self.find(key)?;
        Some(read(self, key))
    }

    /// The patterns of a table of tags; `None` where the key is absent or wrong.
    pub(super) fn tags(&mut self, key: &Key) -> Option<Vec<TagPattern>> {
        let value = self.find(key)?;
        let wanted = "a tag's key and a pattern for its value, such as { team = \"ml-*\" }";
        let Some(table) = value.get_ref().as_table() else {
            let problem = wrong_type(value.get_ref(), wanted);
            self.note_at(value.span().start, key, problem);
            return None;
        };
        let mut tags = Vec::new();
        for (name, pattern) in table {
            let parsed = match pattern.get_ref().as_str() {
                Some(text) => parse_tag_value(text),
                None => Err(wrong_type(pattern.get_ref(), wanted)),
            };
            match parsed {
                Ok(value) if !name.get_ref().trim().is_empty() => tags.push(TagPattern {
                    key: name.get_ref().trim().to_owned(),
                    value,
                }),
                Ok(_) => self.note_at(name.span().start, key, "has a tag without a key"),
                Err(problem) => self.note_at(pattern.span().start, key, problem),
            }
        }
        if table.is_empty() {
            let problem = format!("is empty; write {wanted}");
            self.note_at(value.span().start, key, problem);
        }
        (!tags.is_empty()).then_some(tags)
    }

    /// The trimmed text of a key; `None` where it is absent or wrong.
    pub(super) fn text(&mut self, key: &Key) -> Option<String> {
        let value = self.find(key)?;
        // A date without quotes is a type of its own in TOML, and means the same.
        let date = value.get_ref().as_datetime().map(ToString::to_string);
        match value.get_ref().as_str() {
            Some(text) if text.trim().is_empty() => {
                self.note_at(value.span().start, key, "is empty");
                None
            }
            Some(text) => Some(text.trim().to_owned()),
            None if date.is_some() => date,
            None => {
                let problem = wrong_type(value.get_ref(), "a text in quotes");
                self.note_at(value.span().start, key, problem);
                None
            }
        }
    }

    /// As `text`, and noted when it is absent.
    pub(super) fn required_text(&mut self, key: &Key) -> Option<String> {
        if self.find(key).is_none() {
            let problem = format!("is missing in {}: {}", self.reference.header, key.meaning);
            self.note_key(key, problem);
        }
        self.text(key)
    }

    /// A text put through a parser; what it refuses is noted.
    pub(super) fn parsed<T>(
        &mut self,
        key: &Key,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        parse(text)
            .map_err(|problem| self.note_key(key, problem))
            .ok()
    }

    /// Notes a problem where the key stands, else where its table begins.
    pub(super) fn note_key(&mut self, key: &Key, problem: impl Into<String>) {
        let (place, _) = self.given(key);
        self.note(place, key, problem);
    }

    fn note_at(&mut self, offset: usize, key: &Key, problem: impl Into<String>) {
        let place = self.reading.source.place(offset);
        self.note(place, key, problem);
    }

    fn or_note<T>(
        &mut self,
        place: Place,
        key: &Key,
        value: Result<T, String>,
        placeholder: T,
    ) -> T {
        value.unwrap_or_else(|problem| {
            self.note(place, key, problem);
            placeholder
        })
    }

    fn note(&mut self, place: Place, key: &Key, problem: impl Into<String>) {
        let variable = self.override_name(key).filter(|_| place == Place::Setting);
        let name = variable.as_deref().unwrap_or(key.name);
        self.reading.mistakes.note(place, name, problem);
    }

    /// Whether a variable or the document gives the key a value.
    pub(super) fn is_given(&self, key: &Key) -> bool {
        let variable = self.override_name(key);
        let is_set = variable.is_some_and(|name| self.reading.environment.get(&name).is_some());
        is_set || self.find(key).is_some()
    }

    fn find(&self, key: &Key) -> Option<&'r Spanned<DeValue<'r>>> {
        let table = self.node?.table;
        let entry = table.iter().find(|(name, _)| name.get_ref() == key.name);
        entry.map(|(_, value)| value)
    }

    /// A variable beats the document, which beats the default.
    fn given(&self, key: &Key) -> (Place, Given<'r>) {
        let variable = self.override_name(key);
        if let Some(text) = variable.and_then(|name| self.reading.environment.get(&name)) {
            return (Place::Setting, Given::Text(text.to_owned()));
        }
        if let Some(value) = self.find(key) {
            let place = self.reading.source.place(value.span().start);
            return (place, Given::Document(value.get_ref()));
        }
        let offset = self.node.map_or(0, |node| node.offset);
        let place = self.reading.source.place(offset);
        (place, Given::Text(key.default.to_owned()))
    }

    fn override_name(&self, key: &Key) -> Option<String> {
        let part = self.reference.override_part?;
        key.is_scalar().then(|| tables::override_name(part, key))
    }
}

/// A pattern for names: not blank, and not longer than a name can be.
pub(super) fn parse_glob(text: &str) -> Result<Glob, String> {
    let pattern = text.trim();
    if pattern.is_empty() {
        return Err("holds an empty name, which matches nothing; take it out".to_owned());
    }
    if pattern.chars().count() > GLOB_CHARS {
        return Err(format!("holds a name of more than {GLOB_CHARS} characters"));
    }
    Ok(Glob::new(pattern))
}

/// As a pattern for names, but a tag's value may be longer, and may be empty.
fn parse_tag_value(text: &str) -> Result<Glob, String> {
    let pattern = text.trim();
    if pattern.chars().count() > TAG_VALUE_CHARS {
        return Err(format!(
            "holds a value of more than {TAG_VALUE_CHARS} characters"
        ));
    }
    Ok(Glob::new(pattern))
}

/// "is an integer; write …", with the value where it is short and plain.
pub(super) fn wrong_type(value: &DeValue<'_>, wanted: &str) -> String {
    let kind = value.type_str();
    match value.as_str() {
        Some(text) => format!(
            "is the text \"{}\"; write {wanted}",
            Shown::new(text, SHOWN_CHARS)
        ),
        None => format!("has the type {kind}; write {wanted}"),
    }
}
