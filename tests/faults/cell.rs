//! One cell of the matrix: what an operator is told of one fault of one endpoint.
//!
//! What differs from run to run, such as host names and times, is taken out, so that
//! equal cells are equal texts.

use serde_json::Value;

use crate::endpoints::ENDPOINTS;
use crate::kinds::{KINDS, OVER_THE_CAP};

/// One cell.
pub(crate) struct Cell {
    /// Its place in `ENDPOINTS`.
    pub(crate) endpoint: usize,
    /// Its place in `KINDS`.
    pub(crate) kind: usize,
    /// What became of the idle cluster: `kept: no_witness`.
    pub(crate) idle: String,
    /// The failures and unknown signals, a sentence each, sorted.
    pub(crate) told: Vec<String>,
}

/// What the process left of one workspace.
pub(crate) struct Left<'s> {
    /// The principal that is its alone, if it has one.
    pub(crate) principal: &'s str,
    /// Its report, as JSON.
    pub(crate) workspace: &'s Value,
    /// The end of the whole report.
    pub(crate) closing: &'s Value,
    /// What is replaced in every text, and by what.
    pub(crate) names: &'s [(String, &'static str)],
}

impl Left<'_> {
    /// Whether a failure is this workspace's, its principal's, or the whole sweep's.
    fn is_concerned(&self, failure: &Value) -> bool {
        if let Some(of) = failure["workspace"].as_str() {
            return self.workspace["workspace"] == of;
        }
        let sentence = failure["sentence"].as_str().unwrap();
        match sentence.strip_prefix("principal `") {
            Some(rest) => rest.split('`').next() == Some(self.principal),
            None => true,
        }
    }
}

impl Cell {
    pub(crate) fn new(endpoint: usize, kind: usize, left: &Left<'_>) -> Self {
        let plain = |text: &str| without_numbers(text, left.names);
        let failures = [&left.workspace["failures"], &left.closing["failures"]];
        let failures = failures.into_iter().filter_map(Value::as_array).flatten();
        let mut told: Vec<String> = failures
            .filter(|failure| left.is_concerned(failure))
            .map(|failure| {
                let text = |key: &str| failure[key].as_str().unwrap();
                format!("failure `{}`: {}", text("kind"), plain(text("sentence")))
            })
            .collect();
        let clusters = left.workspace["clusters"].as_array().unwrap();
        let idle = clusters.iter().find(|one| one["cluster_name"] == "idle");
        for unknown in idle
            .into_iter()
            .filter_map(|one| one["unknowns"].as_array())
            .flatten()
        {
            let text = |key: &str| unknown[key].as_str().unwrap();
            told.push(format!(
                "unknown `{}`: {}",
                text("signal"),
                plain(text("why"))
            ));
        }
        if let Some(idle) = idle.filter(|one| one["outcome"] != "kept") {
            let clause = idle["clause"].as_str().unwrap_or_default();
            if idle["outcome"] != "terminated" {
                told.push(format!("line: {}", plain(clause)));
            }
        }
        let idle = idle.map_or_else(
            || "not listed".to_owned(),
            |one| {
                let text = |key: &str| one[key].as_str().unwrap();
                format!("{}: {}", text("outcome"), text("reason"))
            },
        );
        told.sort();
        told.dedup();
        Self {
            endpoint,
            kind,
            idle,
            told,
        }
    }

    /// Whether the cluster was terminated all the same, because the fault passed or
    /// nothing hung on the answer.
    pub(crate) fn was_harmless(&self) -> bool {
        self.told.is_empty() && self.idle.starts_with("terminated: ")
    }

    /// What is wrong with the cell, for the test.
    pub(crate) fn complaint(&self) -> Option<String> {
        let (endpoint, kind) = (&ENDPOINTS[self.endpoint], &KINDS[self.kind]);
        if self.was_harmless() {
            // Else the product's cap is another than the one that was overrun here.
            let is_too_small = kind.name == OVER_THE_CAP && endpoint.hangs_on_body;
            return is_too_small.then(|| format!("{}: read all the same", endpoint.request));
        }
        let all = self.told.join("; ");
        let names_cause = kind.told_as.iter().any(|words| all.contains(words));
        let names_place = endpoint.named_by.iter().any(|words| all.contains(words));
        if names_cause && names_place {
            return None;
        }
        Some(format!(
            "{} / {}: {} [{all}]",
            endpoint.request, kind.name, self.idle
        ))
    }
}

/// Where the words of a library or of the operating system begin, which may differ
/// from machine to machine.
const FOREIGN: [&str; 6] = [
    "connection broke off",
    "no connection",
    "TLS failed",
    "timed out",
    "answer too large",
    "unexpected JSON",
];

/// Where our own words go on after them.
const OURS_AGAIN: [&str; 4] = [") to: ", " (1 attempt(s)", " (2 attempt(s)", "; it "];

/// Leaves of what a library said nothing but that it said something.
fn without_foreign_words(text: &str) -> String {
    let mut plain = text.to_owned();
    for words in FOREIGN {
        let begin = format!("{words}: ");
        let Some(at) = plain.find(&begin) else {
            continue;
        };
        let from = at + words.len();
        let rest = &plain[from..];
        if rest.contains("an error with status 200") {
            continue;
        }
        let ends = OURS_AGAIN.iter().filter_map(|end| rest.find(end));
        let length = ends.min().unwrap_or(rest.len());
        plain.replace_range(from..from + length, "");
    }
    plain
}

/// Takes out names and durations.
fn without_numbers(text: &str, names: &[(String, &'static str)]) -> String {
    let mut text = text.to_owned();
    for (name, instead) in names {
        text = text.replace(name.as_str(), instead);
    }
    for before in [" in ", " for "] {
        text = without_durations(&text, before);
    }
    without_foreign_words(&text)
}

/// Puts `…` for every duration after these words.
fn without_durations(text: &str, words: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(words) {
        let (before, after) = rest.split_at(at + words.len());
        plain.push_str(before);
        let end = after.find(|next: char| !(next.is_ascii_alphanumeric() || "µ.".contains(next)));
        let (word, tail) = after.split_at(end.unwrap_or(after.len()));
        let is_duration = word.starts_with(|first: char| first.is_ascii_digit());
        plain.push_str(if is_duration { "…" } else { word });
        rest = tail;
    }
    plain + rest
}
