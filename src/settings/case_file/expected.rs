//! `[case.expect]`: what must come of a case.

use super::keys;
use super::words::{self, Moment};
use crate::escape::Shown;
use crate::policy_cases::{Choice, Due, EVIDENCE, Expected, KEEP_REASONS};
use crate::settings::nearest;
use crate::settings::table::{Node, Reading, TableReader};
use crate::settings::values::{SHOWN_CHARS, parse_duration};

pub(super) fn read(
    reading: &mut Reading<'_>,
    node: Option<Node<'_>>,
    moment: &Moment,
) -> Option<Expected> {
    let mut table = TableReader::new(reading, keys::EXPECT_TABLE, node);
    let choice = table.required_text(&keys::DECISION);
    let choices = [
        (Choice::Keep.as_str(), Choice::Keep),
        (Choice::Terminate.as_str(), Choice::Terminate),
    ];
    let choice = choice.and_then(|text| {
        table.parsed(&keys::DECISION, &text, |text| words::choice(text, &choices))
    });
    let reason = table.text(&keys::REASON);
    let reason = reason
        .and_then(|text| table.parsed(&keys::REASON, &text, |text| parse_reason(text, choice)));
    let earliest = table.text(&keys::EARLIEST);
    let earliest =
        earliest.and_then(|text| table.parsed(&keys::EARLIEST, &text, |text| due(text, moment)));
    let threshold = table.text(&keys::THRESHOLD);
    let threshold =
        threshold.and_then(|text| table.parsed(&keys::THRESHOLD, &text, parse_duration));
    refuse_contradiction(&mut table, choice, earliest);
    Some(Expected {
        choice: choice?,
        reason,
        earliest,
        threshold,
    })
}

/// A case that expects nothing would pass whatever came of it.
pub(super) fn refuse_absent(reading: &mut Reading<'_>, case: Node<'_>) -> Option<Expected> {
    let mut table = TableReader::new(reading, keys::CASE_TABLE, Some(case));
    // Where it stands and is no table, that was noted already.
    if !table.has(&keys::EXPECT) {
        table.note_key(
            &keys::EXPECT,
            "is missing in [[case]]; write at least expect.decision = \"keep\" or \"terminate\"",
        );
    }
    None
}

fn due(text: &str, moment: &Moment) -> Result<Due, String> {
    match text {
        "now" => Ok(Due::Now),
        "never" => Ok(Due::Never),
        text => moment.future(text).map(Due::At),
    }
}

/// A spelling of the report that goes with the decision.
fn parse_reason(text: &str, choice: Option<Choice>) -> Result<&'static str, String> {
    let keeps = KEEP_REASONS.into_iter().map(|known| (Choice::Keep, known));
    let evidence = EVIDENCE.into_iter().map(|known| known.as_str());
    let terminates = evidence.map(|known| (Choice::Terminate, known));
    let all = keeps.chain(terminates);
    let shown = Shown::new(text, SHOWN_CHARS);
    let fitting = all.clone();
    let fitting = fitting
        .filter(|(of, _)| choice.is_none_or(|choice| choice == *of))
        .map(|(_, known)| known);
    match all.clone().find(|(_, known)| *known == text) {
        Some((of, known)) if choice.is_none_or(|choice| choice == of) => Ok(known),
        Some((of, _)) => Err(format!(
            "is \"{shown}\", which goes with the decision \"{}\"; {}",
            of.as_str(),
            nearest::suggestion(text, fitting.clone(), fitting)
        )),
        None => Err(format!(
            "is \"{shown}\", which no report says; {}",
            nearest::suggestion(text, fitting.clone(), fitting)
        )),
    }
}

fn refuse_contradiction(
    table: &mut TableReader<'_>,
    choice: Option<Choice>,
    earliest: Option<Due>,
) {
    let problem = match (choice, earliest) {
        (Some(Choice::Terminate), Some(Due::At(_) | Due::Never)) => {
            "is not \"now\", but what is terminated is terminated now"
        }
        (Some(Choice::Keep), Some(Due::Now)) => "is \"now\", but the cluster is kept",
        (Some(Choice::Terminate), Some(Due::Now) | None)
        | (Some(Choice::Keep), Some(Due::At(_) | Due::Never) | None)
        | (None, _) => return,
    };
    table.note_key(&keys::EARLIEST, problem);
}
