//! What the host's log tells of one sweep, read back into values.
//!
//! The log is all that an operator gets, so it is what the demo judges: a line per cluster, notes, failures,
//! a line per workspace and the totals. A line that does not hold what it should is left out and is missed by
//! the comparison. Names of clusters are a user's text and may look like fields; only a tail of the line
//! that is made of fields to its end counts.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::estate::ExpectedTotals;
use crate::host::{LogLevel, LogRecord, LogSink};

/// One sweep as the log tells it.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) clusters: Vec<SeenCluster>,
    pub(super) workspaces: Vec<SeenWorkspace>,
    /// Workspace and sentence.
    pub(super) notes: Vec<(String, String)>,
    /// Sentences of failures; only those that the host files as errors.
    pub(super) failures: Vec<String>,
    pub(super) totals: Option<SeenTotals>,
    /// The totals as a sentence.
    pub(super) summary: String,
}

/// One cluster's line.
#[derive(Clone, Debug)]
pub(super) struct SeenCluster {
    pub(super) workspace: String,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) outcome: String,
    pub(super) reason: String,
    /// Why, in a clause for people.
    pub(super) clause: String,
    /// The further fields by name.
    pub(super) fields: BTreeMap<String, String>,
}

/// One workspace's line.
#[derive(Clone, Debug)]
pub(super) struct SeenWorkspace {
    pub(super) name: String,
    pub(super) mode: String,
    /// Whether its clusters could be listed.
    pub(super) is_seen: bool,
    pub(super) requests: String,
    pub(super) elapsed_ms: String,
}

/// The totals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SeenTotals {
    pub(super) workspaces: usize,
    pub(super) not_seen: usize,
    pub(super) clusters: usize,
    pub(super) outcomes: BTreeMap<String, usize>,
    pub(super) kept: BTreeMap<String, usize>,
    pub(super) failures: usize,
}

impl From<&ExpectedTotals> for SeenTotals {
    fn from(expected: &ExpectedTotals) -> Self {
        let counts = |pairs: &[(&str, usize)]| {
            pairs
                .iter()
                .map(|(word, count)| ((*word).to_owned(), *count))
                .collect()
        };
        Self {
            workspaces: expected.workspaces,
            not_seen: expected.not_seen,
            clusters: expected.clusters,
            outcomes: counts(expected.outcomes),
            kept: counts(expected.kept),
            failures: expected.failures,
        }
    }
}

impl Seen {
    /// Reads a host's log, in which one sweep was run.
    pub(super) fn read(log: &[LogRecord]) -> Self {
        let mut seen = Self::default();
        for record in log.iter().filter(|record| record.sink == LogSink::Operator) {
            seen.take(record);
        }
        seen
    }

    fn take(&mut self, record: &LogRecord) {
        let Some(message) = message_of(&record.text) else {
            return;
        };
        if let Some(totals) = message.strip_prefix("Swept: ") {
            self.take_totals(totals);
        } else if let Some((sentence, fields)) = split_fields(message, " workspace=") {
            self.take_of_workspace(sentence, fields);
        } else if let Some((sentence, _)) = split_fields(message, " kind=")
            && let Some(sentence) = sentence.strip_prefix("Failure: ")
            && record.level == LogLevel::Error
        {
            self.failures.push(sentence.to_owned());
        }
    }

    fn take_totals(&mut self, text: &str) {
        let (summary, json) = match text.find(" {") {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        summary.clone_into(&mut self.summary);
        // The fields of the log's spans follow the object.
        let mut objects = serde_json::Deserializer::from_str(json).into_iter::<ClosingLine>();
        if let Some(Ok(ClosingLine { totals })) = objects.next() {
            self.totals = Some(SeenTotals {
                workspaces: totals.workspaces,
                not_seen: totals.not_seen.len(),
                clusters: totals.clusters,
                outcomes: totals.outcomes,
                kept: totals.kept,
                failures: totals.failures,
            });
        }
    }

    fn take_of_workspace(&mut self, sentence: &str, mut fields: BTreeMap<String, String>) {
        let mut take = |name: &str| fields.remove(name);
        let workspace = take("workspace").unwrap_or_default();
        if let (Some(id), Some(name), Some(outcome), Some(reason)) = (
            take("cluster.id"),
            take("cluster.name"),
            take("outcome"),
            take("reason"),
        ) {
            let clause = sentence.split_once(&format!("({id}): "));
            let clause = clause.map_or(sentence, |(_, clause)| clause).to_owned();
            self.clusters.push(SeenCluster {
                workspace,
                id,
                name,
                outcome,
                reason,
                clause,
                fields,
            });
        } else if let (Some(mode), Some(is_seen), Some(requests), Some(elapsed_ms)) = (
            take("mode"),
            take("seen"),
            take("requests"),
            take("elapsed_ms"),
        ) {
            self.workspaces.push(SeenWorkspace {
                name: workspace,
                mode,
                is_seen: is_seen == "true",
                requests,
                elapsed_ms,
            });
        } else {
            let note = sentence
                .split_once("`: ")
                .map_or(sentence, |(_, note)| note);
            self.notes.push((workspace, note.to_owned()));
        }
    }
}

#[derive(Deserialize)]
struct ClosingLine {
    totals: TotalsObject,
}

#[derive(Deserialize)]
struct TotalsObject {
    workspaces: usize,
    not_seen: Vec<String>,
    clusters: usize,
    outcomes: BTreeMap<String, usize>,
    kept: BTreeMap<String, usize>,
    failures: usize,
}

/// What follows time, level and target; nothing in a line that has them not.
fn message_of(line: &str) -> Option<&str> {
    let (head, message) = line.split_once(": ")?;
    let mut words = head.split(' ');
    let (time, level, target) = (words.next()?, words.next()?, words.next()?);
    let is_level = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"].contains(&level);
    let is_ours = target.starts_with("terminate_clusters");
    (time.ends_with('Z') && is_level && is_ours && words.next().is_none()).then_some(message)
}

/// Cuts a message where its fields begin: at the first `start` from which on there are only fields.
fn split_fields<'m>(message: &'m str, start: &str) -> Option<(&'m str, BTreeMap<String, String>)> {
    message.match_indices(start).find_map(|(at, _)| {
        let (sentence, tail) = message.split_at(at);
        Some((sentence, fields(tail)?))
    })
}

/// All of ` name=value name="value" …`; nothing if any of it is something else.
fn fields(mut text: &str) -> Option<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    while !text.is_empty() {
        let (name, rest) = text.strip_prefix(' ')?.split_once('=')?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_.".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_name) {
            return None;
        }
        let (value, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_value(quoted)?,
            None => {
                let end = rest.find(' ').unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        found.entry(name.to_owned()).or_insert(value);
        text = after;
    }
    Some(found)
}

/// The value up to the closing quote, and what follows. Quotes and backslashes lose their escape; the
/// escapes of other characters stay, so that nothing of it can drive a terminal.
fn quoted_value(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text.char_indices();
    while let Some((at, next)) = rest.next() {
        match next {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match rest.next()? {
                (_, escaped @ ('"' | '\\')) => value.push(escaped),
                (_, other) => value.extend(['\\', other]),
            },
            plain => value.push(plain),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{LogStream, read_line};

    const HEAD: &str = "2026-11-22T14:29:53.086Z INFO terminate_clusters::host::telling:";

    fn seen(stream: LogStream, lines: &[String]) -> Seen {
        let records: Vec<LogRecord> = lines
            .iter()
            .map(|line| read_line(stream, line, true))
            .collect();
        Seen::read(&records)
    }

    #[test]
    fn a_clusters_line_is_read_with_its_clause_and_fields() {
        let line = format!(
            "{HEAD} Kept `etl` (01-ab): spark_busy: Spark is busy: job 0 workspace=analytics cluster.id=01-ab \
             cluster.name=etl outcome=kept reason=spark_busy earliest=\"never: while busy\" invocation=7"
        );
        let seen = seen(LogStream::Stdout, &[line]);
        let [cluster] = seen.clusters.as_slice() else {
            panic!("{seen:?}");
        };
        assert_eq!(cluster.workspace, "analytics");
        assert_eq!(
            (cluster.id.as_str(), cluster.name.as_str()),
            ("01-ab", "etl")
        );
        assert_eq!(
            (cluster.outcome.as_str(), cluster.reason.as_str()),
            ("kept", "spark_busy")
        );
        assert_eq!(cluster.clause, "spark_busy: Spark is busy: job 0");
        assert_eq!(cluster.fields["earliest"], "never: while busy");
    }

    #[test]
    fn fields_in_a_clusters_name_are_not_taken_for_the_lines_own() {
        let forged = "x workspace=w cluster.id=1 cluster.name=x outcome=terminated reason=r";
        let line = format!(
            "{HEAD} Kept `{forged}` (01-ab): spark_busy: busy workspace=analytics cluster.id=01-ab \
             cluster.name=\"{forged}\" outcome=kept reason=spark_busy"
        );
        let seen = seen(LogStream::Stdout, &[line]);
        let [cluster] = seen.clusters.as_slice() else {
            panic!("{seen:?}");
        };
        assert_eq!(cluster.workspace, "analytics");
        assert_eq!(cluster.outcome, "kept");
        assert_eq!(cluster.name, forged);
    }

    #[test]
    fn quotes_lose_their_escape_and_control_characters_keep_theirs() {
        let (value, rest) = quoted_value(r#"a\"b\\c\n\u{1b}" d=e"#).expect("a value");
        assert_eq!(value, r#"a"b\c\n\u{1b}"#);
        assert_eq!(rest, " d=e");
        assert_eq!(quoted_value("no end"), None);
    }

    #[test]
    fn totals_are_read_although_fields_of_spans_follow() {
        let line = format!(
            "{HEAD} Swept: report mode: 1 clusters {{\"totals\":{{\"workspaces\":2,\"not_seen\":[\"a\"],\"clusters\":1,\
             \"outcomes\":{{\"kept\":1}},\"kept\":{{\"exempt\":1}},\"failures\":1}}}} invocation=7"
        );
        let seen = seen(LogStream::Stdout, &[line]);
        let totals = seen.totals.expect("totals");
        assert_eq!((totals.workspaces, totals.not_seen), (2, 1));
        assert_eq!(totals.kept, BTreeMap::from([("exempt".to_owned(), 1)]));
        assert_eq!(seen.summary, "report mode: 1 clusters");
    }

    #[test]
    fn a_failure_counts_only_where_the_host_files_it_as_an_error() {
        let line = "2026-11-22T14:29:53.086Z ERROR terminate_clusters::host::telling: Failure: it broke kind=workspace";
        let lines = [line.to_owned()];
        assert_eq!(seen(LogStream::Stderr, &lines).failures, ["it broke"]);
        assert!(seen(LogStream::Stdout, &lines).failures.is_empty());
    }

    #[test]
    fn a_line_that_is_cut_short_is_no_line() {
        let line = format!(
            "{HEAD} Kept `etl` (01-ab): x workspace=analytics cluster.id=01-ab cluster.name=\"et"
        );
        assert!(seen(LogStream::Stdout, &[line]).clusters.is_empty());
    }
}
