//! Why ARM or Azure Monitor gave nothing, as one clause for the report.
//!
//! Pure: an error of `service` in, a reason out. The other side's own words are
//! reduced to an error code of plain characters.

use std::time::Duration;

use serde::Deserialize;

use crate::human::Span;
use crate::service::{CallError, CallErrorCause, StatusError};
use crate::signals::Why;
use crate::witness::shown;

/// The error of ARM (`{error: {code}}`) or of Azure Monitor (`{code}`).
#[derive(Deserialize)]
struct ErrorBody {
    error: Option<ErrorCode>,
    code: Option<String>,
}

#[derive(Deserialize)]
struct ErrorCode {
    code: Option<String>,
}

fn error_code(body: &str) -> Option<String> {
    let body: ErrorBody = serde_json::from_str(body).ok()?;
    let code = body.error.and_then(|error| error.code).or(body.code)?;
    Some(shown(&code))
}

/// The refusal by ARM's limit or by a provider's, if the call ended in one.
pub(super) fn throttled(error: &CallError) -> Option<&StatusError> {
    let answer = error.cause.answer();
    answer.filter(|answer| matches!(answer.status, 429 | 529))
}

/// What a reason says where ARM refuses the principal.
const NEEDS: &str = " (needs ";

/// Whether a reason of this client says that the principal lacks a role.
#[must_use]
pub fn lacks_role(why: &Why) -> bool {
    why.0.contains(NEEDS)
}

/// What a reason says where ARM knows no such resource.
const ANSWERED_404: &str = "ARM answered 404";

/// Whether a reason of this client says that ARM does not know the resource.
#[must_use]
pub fn knows_no_resource(why: &Why) -> bool {
    why.0.starts_with(ANSWERED_404)
}

/// The reason for the report; `role` is what a 403 lacks, `missing` what a 404 means.
pub(super) fn explain(error: &CallError, role: &str, missing: &str) -> Why {
    let verb = error.verb;
    let clause = match &error.cause {
        CallErrorCause::Status(answer) => {
            let status = answer.status;
            let code = error_code(&answer.body);
            let code = code.map(|code| format!(" {code}")).unwrap_or_default();
            let hint = match status {
                401 => " (the token was refused)".to_owned(),
                403 => format!("{NEEDS}{role})"),
                404 => format!(" ({missing})"),
                429 | 529 => throttling(answer.retry_after),
                _ => String::new(),
            };
            format!("ARM answered {status}{code}{hint} to: {verb}")
        }
        CallErrorCause::NotJson { .. }
        | CallErrorCause::NotHtml { .. }
        | CallErrorCause::Shape(_) => {
            let cause = &error.cause;
            format!("ARM's answer is not understood ({cause}) to: {verb}")
        }
        CallErrorCause::Transport(_)
        | CallErrorCause::Token(_)
        | CallErrorCause::TooLate
        | CallErrorCause::Deadline => {
            let cause = &error.cause;
            format!("ARM gave no answer ({cause}) to: {verb}")
        }
    };
    Why::new(clause)
}

fn throttling(wait: Option<Duration>) -> String {
    match wait {
        Some(wait) => format!(" (throttled for {})", Span(wait)),
        None => " (throttled)".to_owned(),
    }
}
