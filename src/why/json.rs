//! The explanation as one JSON object on one line.
//!
//! The field names are stable, and those that the report has too mean the same.
//! Clauses are those of the text; the cluster's name is as it came. Pure.

use serde_json::{Value, json};

use super::told::told;
use super::{Answer, Explained, Unexplained, text};
use crate::decision::{Shorter, Step, Verdict};
use crate::report::json::{at, failure, one_line};
use crate::report::text::clause;
use crate::report::text::earliest_words;

/// What came of a request, without the line's end.
#[must_use]
pub fn answer(answer: &Answer) -> String {
    match answer {
        Answer::Explained(explained) => one_line(&of_explained(explained)),
        Answer::Unexplained(unexplained) => one_line(&of_unexplained(unexplained)),
    }
}

fn of_explained(explained: &Explained) -> Value {
    let Explained {
        workspace,
        host,
        mode,
        policy,
        overrides,
        signals,
        read_at,
        explanation,
        warnings,
    } = explained;
    let outcome = explained.outcome();
    let proof = outcome.proof();
    let due = &explanation.due;
    let missing = text::all_of(&explanation.shorter);
    let missing = missing.into_iter().map(|one| {
        let lack = text::lack(one, signals, policy);
        json!({"signal": one.as_str(), "why": lack.why, "remedy": lack.remedy})
    });
    let signals_told = told(signals, policy).into_iter().map(
        |one| json!({"signal": one.signal, "status": one.status.as_str(), "clause": one.clause}),
    );
    json!({
        "found": true,
        "cluster_id": signals.cluster.id.as_str(),
        "cluster_name": signals.cluster.name,
        "workspace": workspace,
        "host": host,
        "mode": mode.as_str(),
        "mode_clause": text::mode_sentence(*mode, policy),
        "cap_per_workspace": policy.cap_per_workspace,
        "cap_per_sweep": policy.cap_per_sweep,
        "overrides": overrides,
        "read_at": read_at.to_string(),
        "signals": signals_told.collect::<Vec<_>>(),
        "rules": explanation.steps.iter().map(rule).collect::<Vec<_>>(),
        "outcome": outcome.as_str(),
        "reason": outcome.reason(),
        "clause": clause(&outcome),
        "rule": explanation.deciding,
        "earliest": at(due.earliest),
        "earliest_clause": earliest_words(due.earliest),
        "earliest_rule": due.by,
        "last_sign": proof.map(|proof| proof.last_sign().to_string()),
        "quiet_since": proof.map(|proof| proof.quiet_since().to_string()),
        "evidence": proof.map(|proof| proof.evidence().as_str()),
        "threshold_s": proof.map(|proof| proof.threshold().as_secs()),
        "shorter": explanation.shorter.iter().map(shorter).collect::<Vec<_>>(),
        "missing": missing.collect::<Vec<_>>(),
        "warnings": warnings,
    })
}

fn rule(step: &Step) -> Value {
    let Step {
        number,
        keeps,
        verdict,
    } = step;
    let (verdict, reason, clause) = match verdict {
        Verdict::Passed => ("passed", None, None),
        Verdict::Keeps(reason) => ("keeps", Some(reason.as_str()), Some(reason.clause())),
        Verdict::NotAsked(question) => {
            let clause = format!("{} not asked", question.as_str());
            ("not_asked", None, Some(clause))
        }
    };
    json!({
        "number": number,
        "keeps": keeps,
        "verdict": verdict,
        "reason": reason,
        "clause": clause,
    })
}

fn shorter(shorter: &Shorter) -> Value {
    let with: Vec<&str> = shorter.with.iter().map(|one| one.as_str()).collect();
    json!({"with": with, "earliest": shorter.earliest.to_string()})
}

fn of_unexplained(unexplained: &Unexplained) -> Value {
    let Unexplained {
        cluster,
        not_known_to,
        known_to,
        failures,
    } = unexplained;
    json!({
        "found": false,
        "cluster_id": cluster.as_str(),
        "sentence": unexplained.sentence(),
        "not_known_to": not_known_to,
        "known_to": known_to,
        "failures": failures.iter().map(failure).collect::<Vec<_>>(),
    })
}
