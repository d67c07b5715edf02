//! The timer invocation, read leniently.
//!
//! A sweep decides nothing by what the timer says, so an odd date or a missing
//! member must not fail an invocation: they become `None`. Refused is only what
//! the host could not have sent. Values may stand in the envelope as they are
//! or as JSON inside a JSON string.

use std::fmt;

use axum::http::HeaderMap;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::escape::Shown;
use crate::timestamp::Timestamp;

const INVOCATION_ID: &str = "x-azure-functions-invocationid";
const TRACEPARENT: &str = "traceparent";
const ID_CHARS: usize = 64;

/// The host's id of an invocation, safe to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvocationId(String);

impl InvocationId {
    /// A GUID as it came; anything else escaped and cut; `unknown` where absent.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let text = headers.get(INVOCATION_ID).map(|value| value.as_bytes());
        Self(match text {
            Some(text) => Shown::new(&String::from_utf8_lossy(text), ID_CHARS).to_string(),
            None => "unknown".to_owned(),
        })
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InvocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The header of that name, if it has the form of a W3C trace context; the host
/// sends it only with diagnostics on.
pub(super) fn traceparent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(TRACEPARENT)?.to_str().ok()?;
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let parts: Vec<&str> = text.split('-').collect();
    let [version, trace, parent, flags] = parts.as_slice() else {
        return None;
    };
    let lengths = [version.len(), trace.len(), parent.len(), flags.len()];
    let is_valid = lengths == [2, 32, 16, 2] && parts.iter().all(|part| is_hex(part));
    is_valid.then(|| text.to_owned())
}

/// What the timer says; none of it decides anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Invocation {
    /// True only for the catch-up run after a missed occurrence.
    pub is_past_due: Option<bool>,
    /// The run before; `None` also where there was none.
    pub last: Option<Timestamp>,
    pub next: Option<Timestamp>,
    pub last_updated: Option<Timestamp>,
    /// `RetryContext`, present only with a retry policy; 0 on the first attempt.
    pub retry_count: Option<u64>,
}

/// The body is not an invocation.
#[derive(Debug, Error)]
pub enum InvocationError {
    #[error("the body is not JSON (line {line}, column {column})")]
    NotJson { line: usize, column: usize },
    #[error("the body is not a JSON object")]
    NotAnObject,
    #[error("the body has no `Data` object")]
    NoData,
}

impl Invocation {
    /// Reads the body of an invocation.
    ///
    /// # Errors
    ///
    /// Only if it has not the form of the envelope.
    pub fn parse(body: &[u8]) -> Result<Self, InvocationError> {
        let envelope: Value =
            serde_json::from_slice(body).map_err(|error| InvocationError::NotJson {
                line: error.line(),
                column: error.column(),
            })?;
        let Value::Object(envelope) = envelope else {
            return Err(InvocationError::NotAnObject);
        };
        let data = envelope.get("Data").and_then(as_object);
        let data = data.ok_or(InvocationError::NoData)?;
        let mut invocation = Self::default();
        // The binding's name is the operator's, so the timer is told by its members.
        if let Some(timer) = data.values().filter_map(as_object).find(is_timer) {
            invocation.read_timer(&timer);
        }
        invocation.retry_count = envelope
            .get("Metadata")
            .and_then(as_object)
            .and_then(|metadata| metadata.get("RetryContext").and_then(as_object))
            .and_then(|retry| plain(retry.get("RetryCount")?).as_u64());
        Ok(invocation)
    }

    fn read_timer(&mut self, timer: &Map<String, Value>) {
        self.is_past_due = timer
            .get("IsPastDue")
            .and_then(|value| plain(value).as_bool());
        let Some(status) = timer.get("ScheduleStatus").and_then(as_object) else {
            return;
        };
        let date = |name: &str| status.get(name)?.as_str().and_then(parse_date);
        self.last = date("Last");
        self.next = date("Next");
        self.last_updated = date("LastUpdated");
    }
}

fn is_timer(value: &Map<String, Value>) -> bool {
    ["IsPastDue", "ScheduleStatus", "Schedule"]
        .iter()
        .any(|member| value.contains_key(*member))
}

/// A value, or what its text holds as JSON: the host encodes many values twice.
fn plain(value: &Value) -> Value {
    let inner = value
        .as_str()
        .and_then(|text| serde_json::from_str(text).ok());
    inner.unwrap_or_else(|| value.clone())
}

fn as_object(value: &Value) -> Option<Map<String, Value>> {
    match plain(value) {
        Value::Object(members) => Some(members),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            None
        }
    }
}

/// A .NET `DateTime` as the host writes it. Year 1 is .NET's default and means
/// never, with any offset or none; without an offset UTC is meant, which is
/// what the host runs in.
fn parse_date(text: &str) -> Option<Timestamp> {
    // A value that was encoded twice still has its inner quotes.
    let text = text.trim().trim_matches('"');
    let year: u32 = text.get(..4)?.parse().ok()?;
    if year <= 1 {
        return None;
    }
    Timestamp::parse_rfc3339(text).or_else(|| Timestamp::parse_rfc3339(&format!("{text}Z")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Invocation {
        Invocation::parse(body.as_bytes()).unwrap()
    }

    fn with_last(last: &str) -> Invocation {
        parse(&format!(
            r#"{{"Data":{{"timer":{{"ScheduleStatus":{{"Last":{last}}}}}}},"Metadata":{{}}}}"#
        ))
    }

    #[test]
    fn reads_a_timer_as_the_host_sends_it() {
        let invocation = parse(
            r#"{"Data":{"timer":{"Schedule":{"AdjustForDST":true},"ScheduleStatus":{"Last":"2026-11-22T14:15:00.0012345+00:00","Next":"2026-11-22T15:30:00+01:00","LastUpdated":"2026-11-22T14:15:00Z"},"IsPastDue":true}},"Metadata":{"sys":{"MethodName":"TerminateClusters"},"RetryContext":{"RetryCount":2,"MaxRetryCount":3,"Exception":null}}}"#,
        );
        assert_eq!(
            invocation,
            Invocation {
                is_past_due: Some(true),
                last: Some(Timestamp::from_millis(1_795_356_900_001)),
                next: Some(Timestamp::from_millis(1_795_357_800_000)),
                last_updated: Some(Timestamp::from_millis(1_795_356_900_000)),
                retry_count: Some(2),
            }
        );
    }

    #[test]
    fn year_one_means_never_in_every_spelling() {
        for text in [
            "0001-01-01T00:00:00",
            "0001-01-01T00:00:00Z",
            "0001-01-01T00:00:00+00:00",
            "0001-01-01T00:00:00+01:00",
            "0001-01-01T09:00:00+09:00",
            "0000-12-31T23:00:00",
        ] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }

    #[test]
    fn a_missing_offset_means_utc_and_fractions_may_have_any_length() {
        let expected = Some(Timestamp::from_millis(1_795_356_900_000));
        for text in [
            "2026-11-22T14:15:00",
            "2026-11-22T14:15:00.0000000",
            "2026-11-22T14:15:00.0000000+00:00",
            "2026-11-22T23:15:00+09:00",
            "\"2026-11-22T14:15:00\"",
        ] {
            assert_eq!(parse_date(text), expected, "{text}");
        }
    }

    #[test]
    fn odd_values_are_none_and_never_an_error() {
        for last in [
            "null",
            "17",
            "\"soon\"",
            "\"\"",
            "{}",
            "\"é001-01-01\"",
            "\"2026\"",
        ] {
            assert_eq!(with_last(last).last, None, "{last}");
        }
        for body in [
            r#"{"Data":{}}"#,
            r#"{"Data":{"timer":null}}"#,
            r#"{"Data":{"timer":{"ScheduleStatus":null,"IsPastDue":"perhaps"}},"Metadata":null}"#,
            r#"{"Data":{"timer":"not JSON"},"Metadata":{"RetryContext":"x"},"More":1}"#,
        ] {
            assert_eq!(parse(body), Invocation::default(), "{body}");
        }
    }

    #[test]
    fn values_may_be_json_inside_a_json_string() {
        let timer =
            r#"{"ScheduleStatus":"{\"Last\":\"2026-11-22T14:15:00Z\"}","IsPastDue":"true"}"#;
        let data = serde_json::json!({ "myTimer": timer }).to_string();
        let metadata = serde_json::json!({ "RetryContext": r#"{"RetryCount":"1"}"# }).to_string();
        let body = serde_json::json!({ "Data": data, "Metadata": metadata }).to_string();
        let invocation = parse(&body);
        assert_eq!(invocation.is_past_due, Some(true));
        assert_eq!(
            invocation.last,
            Some(Timestamp::from_millis(1_795_356_900_000))
        );
        assert_eq!(invocation.retry_count, Some(1));
    }

    #[test]
    fn refuses_what_the_host_could_not_have_sent() {
        let refused = |body: &[u8]| Invocation::parse(body).unwrap_err().to_string();
        assert_eq!(refused(b""), "the body is not JSON (line 1, column 0)");
        assert!(refused(b"\xff").contains("not JSON"));
        assert!(refused("[".repeat(100_000).as_bytes()).contains("not JSON"));
        assert!(refused(b"[]").contains("not a JSON object"));
        assert!(refused(b"null").contains("not a JSON object"));
        for body in ["{}", r#"{"data":{}}"#, r#"{"Data":[]}"#, r#"{"Data":"x"}"#] {
            assert!(refused(body.as_bytes()).contains("`Data`"), "{body}");
        }
    }

    #[test]
    fn an_invocation_id_from_outside_is_escaped_and_cut() {
        let id = |text: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(
                INVOCATION_ID,
                axum::http::HeaderValue::from_bytes(text).unwrap(),
            );
            InvocationId::from_headers(&headers).to_string()
        };
        let guid = b"5a1b3c4d-0000-4000-8000-0123456789ab";
        assert_eq!(id(guid).as_bytes(), guid);
        assert_eq!(id(b"a\" b=\xe2\x80\xae"), "a\\\" b=\\u{202e}");
        assert_eq!(id(&[b'x'; 4000]).chars().count(), ID_CHARS);
        assert_eq!(
            InvocationId::from_headers(&HeaderMap::new()).as_str(),
            "unknown"
        );
    }

    #[test]
    fn only_a_well_formed_traceparent_is_taken() {
        let taken = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(TRACEPARENT, axum::http::HeaderValue::from_static(text));
            traceparent(&headers)
        };
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        assert_eq!(taken(good).as_deref(), Some(good));
        for text in [
            "",
            "00-4bf9-00f0-00",
            "x",
            "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-00",
        ] {
            assert_eq!(taken(text), None, "{text}");
        }
    }
}
