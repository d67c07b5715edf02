//! How cases came out, as lines for a terminal and for the log of a pipeline.
//!
//! Pure. A case that holds is one line; one that does not shows what was
//! expected (`-`) and what came (`+`), and why.

use std::fmt::Write as _;

use super::{Case, Verdict};
use crate::decision::Question;
use crate::escape::Shown;
use crate::human::Count;

/// The lines of one case of `file`, each ended.
#[must_use]
pub fn case(file: &str, case: &Case, verdict: &Verdict) -> String {
    let name = Shown::text(&case.name);
    if verdict.holds() {
        return format!("ok      {name}\n");
    }
    let mut text = format!(
        "FAILED  {name} ({}, line {})\n",
        Shown::text(file),
        case.line
    );
    for difference in &verdict.differences {
        let key = difference.key;
        // Writing to a `String` can't fail.
        let _ = writeln!(text, "        - {key} = {}", difference.expected);
        let _ = writeln!(text, "        + {key} = {}", difference.actual);
    }
    let _ = writeln!(text, "        because {}", verdict.clause);
    for change in &verdict.overrides {
        let _ = writeln!(text, "        {change}");
    }
    if !verdict.not_heard.is_empty() {
        let names: Vec<&str> = verdict
            .not_heard
            .iter()
            .copied()
            .map(Question::as_str)
            .collect();
        let _ = writeln!(
            text,
            "        not heard, since the policy does not ask for it: {}",
            names.join(", ")
        );
    }
    text
}

/// The closing line; `policy` is what the cases were decided by.
#[must_use]
pub fn summary(held: usize, failed: usize, policy: &str) -> String {
    let all = Count(held.saturating_add(failed), "case");
    format!("{all} by {policy}: {held} ok, {failed} failed\n")
}
