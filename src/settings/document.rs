//! The policy document as a tree whose tables are known and whose values are not.
//!
//! Finds the text (inline or file), parses it, and sorts its tables; whatever
//! is not one of our tables is noted. A document with a syntax error is not
//! interpreted, because every further complaint could be a consequence.

use std::io;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::environment::Environment;
use super::mistakes::{Mistakes, Place};
use super::names;
use super::nearest;
use super::table::{Node, Source, wrong_type};
use crate::escape::Shown;

/// Reads a whole file as text; given by `main`, so that tests need no files.
pub type ReadFile<'f> = &'f dyn Fn(&Path) -> io::Result<String>;

/// Why a file gave no text, in words that hold a fix where there is one.
pub(super) fn why_unread(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::InvalidData {
        "it is not all UTF-8; save it as UTF-8".to_owned()
    } else if error.kind() == io::ErrorKind::IsADirectory {
        "it is a folder; name a file".to_owned()
    } else {
        error.to_string()
    }
}

/// The tables of a document; absent ones have their defaults.
#[derive(Debug, Default)]
pub(super) struct Document<'d> {
    pub(super) cloud: Option<Node<'d>>,
    pub(super) policy: Option<Node<'d>>,
    pub(super) witness_spark: Option<Node<'d>>,
    pub(super) witness_nodes: Option<Node<'d>>,
    pub(super) limits: Option<Node<'d>>,
    pub(super) principals: Vec<Node<'d>>,
    pub(super) workspaces: Vec<Node<'d>>,
    pub(super) exempt: Vec<Node<'d>>,
    pub(super) overrides: Vec<Node<'d>>,
}

/// The text of the policy, from the setting or the file. Empty after a mistake.
pub(super) fn find_source(
    environment: &Environment,
    app_root: &Path,
    read_file: ReadFile<'_>,
    mistakes: &mut Mistakes,
) -> Source {
    let inline = environment.get(names::POLICY.name);
    let file = environment.get(names::POLICY_FILE.name);
    if inline.is_some() && file.is_some() {
        mistakes.note_setting(
            names::POLICY.name,
            format!(
                "is set together with `{}`, so it is not clear which policy counts; remove one of them",
                names::POLICY_FILE.name
            ),
        );
    }
    if let Some(text) = inline {
        return Source::new(names::POLICY.name.to_owned(), text.to_owned());
    }
    let name = file.unwrap_or(names::POLICY_FILE.default).to_owned();
    let path = app_root.join(&name);
    let text = read_file(&path).unwrap_or_else(|error| {
        let problem = format!(
            "cannot be read from {} ({}); put the file there, or name another with `{}`, or give the policy itself in `{}`",
            path.display(),
            why_unread(&error),
            names::POLICY_FILE.name,
            names::POLICY.name
        );
        mistakes.note(Place::File("policy".to_owned()), &name, problem);
        String::new()
    });
    Source::new(name, text)
}

/// Room for thousands of workspaces; what is longer was meant to be something else.
const MOST_BYTES: usize = 1024 * 1024;

/// Parses the text; `None` after a syntax error, all of which are noted, and for
/// a text that is too long to be a document of ours.
pub(super) fn parse<'d>(
    source: &'d Source,
    mistakes: &mut Mistakes,
) -> Option<Spanned<DeTable<'d>>> {
    if source.text.len() > MOST_BYTES {
        let problem = "is longer than 1 MiB, which no policy needs; put the right text there";
        mistakes.note(Place::File(source.name.clone()), "", problem);
        return None;
    }
    let (root, errors) = DeTable::parse_recoverable(&source.text);
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        // A key that stands twice is told of without its name.
        let text = source.text.get(span.clone()).unwrap_or("").trim();
        let at = if text.is_empty() {
            String::new()
        } else {
            format!(" at `{}`", Shown::name(text))
        };
        let problem = format!("not TOML: {}{at}", one_line(error.message()));
        mistakes.note(source.place(span.start), "", problem);
    }
    errors.is_empty().then_some(root)
}

fn one_line(text: &str) -> String {
    let mut line = String::new();
    crate::escape::write_one_line(&mut line, text);
    line
}

impl<'d> Document<'d> {
    /// Sorts the tables of a document.
    pub(super) fn sort(root: &'d DeTable<'d>, source: &Source, mistakes: &mut Mistakes) -> Self {
        let mut document = Self::default();
        let mut sorter = Sorter { source, mistakes };
        for (name, value) in root {
            match name.get_ref().as_ref() {
                "cloud" => document.cloud = sorter.table("cloud", value),
                "policy" => document.policy = sorter.table("policy", value),
                "limits" => document.limits = sorter.table("limits", value),
                "principal" => document.principals = sorter.tables("principal", value),
                "workspaces" => document.workspaces = sorter.tables("workspaces", value),
                "exempt" => document.exempt = sorter.tables("exempt", value),
                "override" => document.overrides = sorter.tables("override", value),
                "witness" => {
                    let node = sorter.table("witness", value);
                    document.sort_witnesses(node, &mut sorter);
                }
                other => sorter.unknown(
                    name.span().start,
                    other,
                    &[
                        "policy",
                        "witness",
                        "principal",
                        "workspaces",
                        "exempt",
                        "override",
                        "cloud",
                        "limits",
                    ],
                ),
            }
        }
        document
    }

    fn sort_witnesses(&mut self, node: Option<Node<'d>>, sorter: &mut Sorter<'_>) {
        for (name, value) in node.into_iter().flat_map(|node| node.table) {
            match name.get_ref().as_ref() {
                "spark" => self.witness_spark = sorter.table("witness.spark", value),
                "nodes" => self.witness_nodes = sorter.table("witness.nodes", value),
                other => sorter.unknown(name.span().start, other, &["spark", "nodes"]),
            }
        }
    }
}

/// Tells tables, lists of them and other values apart, noting what is wrong.
pub(super) struct Sorter<'s> {
    pub(super) source: &'s Source,
    pub(super) mistakes: &'s mut Mistakes,
}

impl Sorter<'_> {
    pub(super) fn table<'d>(
        &mut self,
        name: &str,
        value: &'d Spanned<DeValue<'d>>,
    ) -> Option<Node<'d>> {
        let offset = value.span().start;
        let table = value.get_ref().as_table();
        if table.is_none() {
            let problem = if value.get_ref().is_array() {
                format!("is a list of tables; write [{name}] with single brackets, once")
            } else {
                wrong_type(value.get_ref(), &format!("a table, [{name}]"))
            };
            self.mistakes.note(self.source.place(offset), name, problem);
        }
        table.map(|table| Node { table, offset })
    }

    pub(super) fn tables<'d>(
        &mut self,
        name: &str,
        value: &'d Spanned<DeValue<'d>>,
    ) -> Vec<Node<'d>> {
        let wanted = format!("tables, each under [[{name}]] with double brackets");
        let Some(items) = value.get_ref().as_array() else {
            let problem = wrong_type(value.get_ref(), &wanted);
            let place = self.source.place(value.span().start);
            self.mistakes.note(place, name, problem);
            return Vec::new();
        };
        let mut nodes = Vec::new();
        for item in items {
            let offset = item.span().start;
            match item.get_ref().as_table() {
                Some(table) => nodes.push(Node { table, offset }),
                None => {
                    let problem = wrong_type(item.get_ref(), &wanted);
                    self.mistakes.note(self.source.place(offset), name, problem);
                }
            }
        }
        nodes
    }

    fn unknown(&mut self, offset: usize, name: &str, known: &[&str]) {
        let suggestion = nearest::suggestion(name, known.iter().copied(), known.iter().copied());
        let problem = format!("is not a table of the policy; {suggestion}");
        self.mistakes.note(self.source.place(offset), name, problem);
    }
}
