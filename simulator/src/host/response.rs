//! What the host makes of a handler's answer: success with outputs, failure
//! with its body thrown away, or an invocation that never completes.
//!
//! Pure: an answer and a function's bindings in, a verdict out. It waits for
//! nothing and kills nothing; `invoke.rs` acts on the verdict.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use super::encoding::is_taken_for_base64;
use super::function::Function;
use super::wire::Answer;

/// How an invocation ended, as the host sees it.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub enum InvocationOutcome {
    /// The handler answered an envelope; outputs were applied.
    Succeeded(Box<InvocationSuccess>),
    /// The invocation is marked as failed; no output was applied.
    Failed(FailureCause),
    /// The handler said 2xx with nothing in it. The real host then waits for
    /// the function timeout and kills the handler.
    Hang(HangCause),
    /// The function timeout passed, and the handler was killed.
    TimedOut {
        /// The timeout that passed.
        after: Duration,
    },
}

/// What a successful invocation brought.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct InvocationSuccess {
    /// `Outputs`, as sent.
    pub outputs: Map<String, Value>,
    /// `Logs`, as the host would record them.
    pub logs: Vec<String>,
    /// `ReturnValue`; null where absent.
    pub return_value: Value,
    /// What the host does with this answer without saying so. Empty for an
    /// answer that means what it says.
    pub oddities: Vec<Oddity>,
}

/// Something in an answer that the host silently treats in an unexpected way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Oddity {
    /// No output binding has this name (letter by letter): the value is dropped.
    UnknownOutput(String),
    /// The text of this output is valid base64, so its decoded bytes are used.
    TakenForBase64(String),
    /// This member of the `ReturnValue` object has the name of an output
    /// binding, and overrides it.
    MergedFromReturnValue(String),
}

/// Why an invocation failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailureCause {
    /// A status other than 2xx; body and logs are discarded. (The real host
    /// follows redirects; a handler that sends one is reported here instead.)
    Status(u16),
    /// The content type is missing or is not JSON.
    ContentType(Option<String>),
    /// The body is no envelope.
    Body(String),
    /// No connection, or one that broke.
    Connection(String),
    /// The handler is not there and will not be started again.
    NoHandler(String),
}

/// Which answer made the invocation hang.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HangCause {
    /// A 2xx with an empty body.
    EmptyBody {
        /// Its status.
        status: u16,
    },
    /// A 2xx whose body is `null`.
    NullBody,
}

impl InvocationOutcome {
    /// The success, or the outcome as an error.
    ///
    /// # Errors
    ///
    /// Every other outcome.
    pub fn success(self) -> Result<InvocationSuccess, Self> {
        match self {
            Self::Succeeded(success) => Ok(*success),
            Self::Failed(_) | Self::Hang(_) | Self::TimedOut { .. } => Err(self),
        }
    }
}

impl fmt::Display for InvocationOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Succeeded(success) => write!(f, "succeeded with {success:?}"),
            Self::Failed(cause) => write!(f, "failed: {cause:?}"),
            Self::Hang(cause) => write!(
                f,
                "never completed ({cause:?}): the host waits until the function timeout \
                 and kills the handler"
            ),
            Self::TimedOut { after } => write!(f, "timed out after {after:?}"),
        }
    }
}

impl std::error::Error for InvocationOutcome {}

/// Applies the host's rules to an answer.
pub(super) fn interpret(answer: &Answer, function: &Function) -> InvocationOutcome {
    if !(200..300).contains(&answer.status) {
        return InvocationOutcome::Failed(FailureCause::Status(answer.status));
    }
    if answer.body.is_empty() {
        return InvocationOutcome::Hang(HangCause::EmptyBody {
            status: answer.status,
        });
    }
    if !is_json(answer.content_type.as_deref()) {
        let content_type = answer.content_type.clone();
        return InvocationOutcome::Failed(FailureCause::ContentType(content_type));
    }
    match serde_json::from_slice::<Value>(&answer.body) {
        Ok(Value::Null) => InvocationOutcome::Hang(HangCause::NullBody),
        Ok(Value::Object(members)) => match read_envelope(members) {
            Ok(success) => InvocationOutcome::Succeeded(Box::new(with_oddities(success, function))),
            Err(detail) => failed_body(detail),
        },
        Ok(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            failed_body("the body is no JSON object".to_owned())
        }
        Err(error) => failed_body(error.to_string()),
    }
}

fn failed_body(detail: String) -> InvocationOutcome {
    InvocationOutcome::Failed(FailureCause::Body(detail))
}

fn is_json(content_type: Option<&str>) -> bool {
    let media_type = content_type
        .and_then(|text| text.split(';').next())
        .map(|text| text.trim().to_ascii_lowercase());
    matches!(
        media_type.as_deref(),
        Some("application/json" | "text/json")
    )
}

/// Member names match without case; unknown members are ignored; of two with
/// the same name the last one counts.
fn read_envelope(members: Map<String, Value>) -> Result<InvocationSuccess, String> {
    let mut success = InvocationSuccess::default();
    for (name, value) in members {
        match name.to_ascii_lowercase().as_str() {
            "outputs" => {
                success.outputs = match value {
                    Value::Null => Map::new(),
                    Value::Object(outputs) => outputs,
                    Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                        return Err("Outputs is no object".to_owned());
                    }
                };
            }
            "logs" => success.logs = read_logs(value)?,
            "returnvalue" => success.return_value = value,
            _ => {}
        }
    }
    Ok(success)
}

/// The host wants strings, and turns other scalars into them.
fn read_logs(value: Value) -> Result<Vec<String>, String> {
    let items = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(items) => items,
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            return Err("Logs is no array".to_owned());
        }
    };
    let read = |item| match item {
        Value::String(text) => Ok(text),
        Value::Null => Ok(String::new()),
        Value::Bool(answer) => Ok(answer.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Array(_) | Value::Object(_) => Err("an entry of Logs is no text".to_owned()),
    };
    items.into_iter().map(read).collect()
}

fn with_oddities(mut success: InvocationSuccess, function: &Function) -> InvocationSuccess {
    for (name, value) in &success.outputs {
        match function.output(name) {
            None => success.oddities.push(Oddity::UnknownOutput(name.clone())),
            Some(binding) => {
                let is_text_in_disguise = value.as_str().is_some_and(is_taken_for_base64);
                if !binding.is_binary && is_text_in_disguise {
                    success.oddities.push(Oddity::TakenForBase64(name.clone()));
                }
            }
        }
    }
    let has_return_binding = function.output("$return").is_some();
    if let (false, Some(members)) = (has_return_binding, success.return_value.as_object()) {
        for name in members.keys() {
            if function.output(name).is_some() {
                let oddity = Oddity::MergedFromReturnValue(name.clone());
                success.oddities.push(oddity);
            }
        }
    }
    success
}

#[cfg(test)]
mod tests {
    use super::super::function::{Binding, Direction};
    use super::*;
    use bytes::Bytes;
    use serde_json::json;

    fn function() -> Function {
        let binding = |name: &str, kind: &str, direction, is_binary| Binding {
            name: name.to_owned(),
            kind: kind.to_owned(),
            direction,
            is_binary,
            schedule: None,
            use_monitor: true,
        };
        Function {
            name: "F".to_owned(),
            bindings: vec![
                binding("timer", "timerTrigger", Direction::In, false),
                binding("queue", "queue", Direction::Out, false),
                binding("raw", "blob", Direction::Out, true),
            ],
        }
    }

    fn answer(status: u16, content_type: Option<&str>, body: &str) -> InvocationOutcome {
        let answer = Answer {
            status,
            content_type: content_type.map(str::to_owned),
            body: Bytes::copy_from_slice(body.as_bytes()),
        };
        interpret(&answer, &function())
    }

    const JSON: Option<&str> = Some("application/json; charset=utf-8");

    #[test]
    fn an_envelope_succeeds_even_if_it_is_an_empty_object() {
        let empty = answer(200, JSON, "{}").success();
        assert_eq!(empty, Ok(InvocationSuccess::default()));
        let success = answer(
            201,
            Some("TEXT/JSON"),
            r#"{"outputs":null,"LOGS":["a",1,true],"returnValue":7,"More":[]}"#,
        );
        let success = success.success().expect("a success");
        assert_eq!(success.logs, ["a", "1", "true"]);
        assert_eq!(success.return_value, json!(7));
    }

    #[test]
    fn an_empty_or_null_answer_hangs_whatever_its_content_type() {
        let empty = |status| InvocationOutcome::Hang(HangCause::EmptyBody { status });
        assert_eq!(answer(200, JSON, ""), empty(200));
        assert_eq!(answer(204, None, ""), empty(204));
        assert_eq!(
            answer(200, JSON, " null "),
            InvocationOutcome::Hang(HangCause::NullBody)
        );
    }

    #[test]
    fn a_status_other_than_2xx_fails_and_its_body_is_lost() {
        for status in [302, 400, 404, 500] {
            assert_eq!(
                answer(status, JSON, r#"{"Logs":["why"]}"#),
                InvocationOutcome::Failed(FailureCause::Status(status))
            );
        }
    }

    #[test]
    fn only_a_json_content_type_is_read() {
        for content_type in [None, Some("text/plain"), Some("application/problem+json")] {
            assert_eq!(
                answer(200, content_type, "{}"),
                InvocationOutcome::Failed(FailureCause::ContentType(
                    content_type.map(str::to_owned)
                ))
            );
        }
    }

    #[test]
    fn a_body_that_is_no_envelope_fails() {
        for body in [
            "[]",
            "1",
            "\"x\"",
            "{",
            "{}x",
            r#"{"Outputs":[]}"#,
            r#"{"Logs":"x"}"#,
            r#"{"Logs":[{}]}"#,
        ] {
            let outcome = answer(200, JSON, body);
            assert!(
                matches!(outcome, InvocationOutcome::Failed(FailureCause::Body(_))),
                "{body}: {outcome:?}"
            );
        }
    }

    #[test]
    fn what_the_host_does_silently_is_flagged() {
        let body = json!({
            "Outputs": {"queue": "deadbeef", "Queue": {}, "raw": "deadbeef"},
            "ReturnValue": {"raw": 1, "other": 2},
        });
        let success = answer(200, JSON, &body.to_string()).success();
        assert_eq!(
            success.expect("a success").oddities,
            [
                Oddity::UnknownOutput("Queue".to_owned()),
                Oddity::TakenForBase64("queue".to_owned()),
                Oddity::MergedFromReturnValue("raw".to_owned()),
            ]
        );
    }
}
