//! `terminate-clusters why`: what was typed, and how the answer is told.
//!
//! The id goes into a URL and into sentences, so whatever cannot be one is refused
//! here, before anything is asked of anyone.

use std::collections::BTreeSet;
use std::io::{self, Write};

use clap::Args;

use super::{Exit, named};
use crate::cluster::ClusterId;
use crate::escape::Shown;
use crate::settings::Settings;
use crate::sweep::Scope;
use crate::why::{Answer, json, text};

/// Longer than any id that Databricks gives: `0915-021615-abcd1234` has 20.
const ID_CHARS: usize = 64;

/// `terminate-clusters why` as it was typed.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct WhyCommand {
    /// The cluster's id, such as 0915-021615-abcd1234.
    #[arg(value_name = "CLUSTER_ID")]
    pub cluster: String,
    /// Look only in the workspace of this name in the policy; can be repeated.
    #[arg(long = "workspace", value_name = "NAME")]
    pub workspaces: Vec<String>,
    /// Answer as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// A question that the settings allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedWhy {
    pub cluster: ClusterId,
    pub scope: Scope,
    /// Whether the answer is JSON.
    pub json: bool,
}

impl WhyCommand {
    /// Checks the question against the settings.
    ///
    /// # Errors
    ///
    /// A sentence for everything that cannot be asked.
    pub fn within(&self, settings: &Settings) -> Result<AllowedWhy, Vec<String>> {
        let mut refused = Vec::new();
        let cluster = cluster_id(&self.cluster);
        let cluster = cluster.map_err(|why| refused.push(why));
        let asked_for = named(settings, &self.workspaces, &mut refused);
        match cluster {
            Ok(cluster) if refused.is_empty() => {
                let names = asked_for.into_iter().map(|workspace| workspace.name);
                Ok(AllowedWhy {
                    cluster,
                    scope: Scope::Only(names.collect::<BTreeSet<_>>()),
                    json: self.json,
                })
            }
            Ok(_) | Err(()) => Err(refused),
        }
    }
}

impl AllowedWhy {
    /// Tells the answer on standard output, or on standard error why there is none.
    /// A reader who has gone away is no error.
    pub fn tell(&self, answer: &Answer) -> Exit {
        let (out, exit) = match answer {
            Answer::Explained(explained) => (text::explained(explained), Exit::AllSeen),
            Answer::Unexplained(unexplained) => {
                let _ = writeln!(io::stderr().lock(), "error: {}", unexplained.sentence());
                (String::new(), Exit::Failure)
            }
        };
        let out = if self.json {
            format!("{}\n", json::answer(answer))
        } else {
            out
        };
        let _ = io::stdout().lock().write_all(out.as_bytes());
        exit
    }
}

/// The id of a cluster as it was typed.
pub(super) fn cluster_id(text: &str) -> Result<ClusterId, String> {
    if is_cluster_id(text) {
        return Ok(ClusterId::new(text));
    }
    Err(format!(
        "`{}` is no cluster id; write one such as 0915-021615-abcd1234",
        Shown::new(text, ID_CHARS)
    ))
}

/// Letters, digits, hyphens and underscores, as in every id that was ever recorded.
fn is_cluster_id(text: &str) -> bool {
    let is_plain = |next: u8| next.is_ascii_alphanumeric() || next == b'-' || next == b'_';
    (1..=ID_CHARS).contains(&text.len()) && text.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_plain_and_short() {
        for id in ["0915-021615-abcd1234", "0101-000000-idle_1", "a"] {
            assert!(is_cluster_id(id), "{id}");
        }
        let long = "a".repeat(ID_CHARS + 1);
        for id in [
            "",
            " ",
            "a b",
            "a/b",
            "..",
            "a?b",
            "a&cluster_id=b",
            "%2e",
            "é",
            "a\n",
            &long,
        ] {
            assert!(!is_cluster_id(id), "{id}");
        }
    }
}
