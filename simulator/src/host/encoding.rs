//! How the host writes a .NET value into the `Data` and `Metadata` of an
//! invocation: strings become JSON inside JSON, objects stay objects, bytes
//! become base64.
//!
//! Pure: values in, JSON out. It does not know triggers, headers or sockets.
//! It sits between `timer.rs`, which says what an invocation holds, and
//! `wire.rs`, which sends it.

use serde_json::{Map, Value};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

const WITHOUT_OFFSET: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
const WITH_OFFSET: &[BorrowedFormatItem<'_>] = format_description!(
    "[year]-[month]-[day]T[hour]:[minute]:[second][offset_hour sign:mandatory]:[offset_minute]"
);

/// A value as the host's runtime holds it, before it is encoded.
#[derive(Debug, Clone, PartialEq)]
pub enum BindingValue {
    /// A null input: a missing blob or table entity.
    Null,
    /// A `string`, whether or not its text is JSON.
    Text(String),
    /// Any integer.
    Integer(i64),
    /// A `bool`.
    Boolean(bool),
    /// A `Guid`, in its text form.
    Guid(String),
    /// An array or a list.
    List(Vec<Value>),
    /// A dictionary, a plain object or a `TimerInfo`.
    Object(Map<String, Value>),
    /// A `byte[]`.
    Bytes(Vec<u8>),
    /// A top-level `DateTime`, which loses its kind on the way.
    DateTime(PrimitiveDateTime),
    /// A top-level `DateTimeOffset`.
    DateTimeOffset(OffsetDateTime),
}

/// Encodes one value of `Data` or `Metadata`.
///
/// Only objects stay what they are. A date is re-read by the host from its own
/// text, which has no fraction of a second.
#[must_use]
pub fn encode(value: &BindingValue) -> Value {
    match value {
        BindingValue::Null => Value::String("null".to_owned()),
        BindingValue::Text(text) | BindingValue::Guid(text) => {
            Value::String(Value::String(text.clone()).to_string())
        }
        BindingValue::Integer(number) => Value::String(number.to_string()),
        BindingValue::Boolean(answer) => Value::String(answer.to_string()),
        BindingValue::List(items) => Value::String(Value::Array(items.clone()).to_string()),
        BindingValue::Object(members) => Value::Object(members.clone()),
        BindingValue::Bytes(bytes) => Value::String(base64(bytes)),
        // Formatting into a string fails only for components that the type
        // lacks; the text form is then the honest remainder.
        BindingValue::DateTime(at) => {
            Value::String(at.format(WITHOUT_OFFSET).unwrap_or_else(|_| at.to_string()))
        }
        BindingValue::DateTimeOffset(at) => {
            Value::String(at.format(WITH_OFFSET).unwrap_or_else(|_| at.to_string()))
        }
    }
}

/// Builds `Metadata`: the host leaves out nulls and every key that ends in
/// `trigger`, in any case, and encodes the rest.
#[must_use]
pub fn encode_metadata<'a>(
    entries: impl IntoIterator<Item = (&'a str, BindingValue)>,
) -> Map<String, Value> {
    entries
        .into_iter()
        .filter(|(key, value)| {
            *value != BindingValue::Null && !key.to_ascii_lowercase().ends_with("trigger")
        })
        .map(|(key, value)| (key.to_owned(), encode(&value)))
        .collect()
}

/// Standard base64 with padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let group = (at(0) << 16) | (at(1) << 8) | at(2);
        for position in 0..4 {
            if position <= chunk.len() {
                let index = (group >> (18 - 6 * position)) & 0x3f;
                text.push(char::from(ALPHABET[index as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

/// Whether the host would take this text for base64 and use the decoded bytes
/// instead of the text: white space is ignored, the empty string qualifies.
#[must_use]
pub fn is_taken_for_base64(text: &str) -> bool {
    let letters: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let padding = letters
        .iter()
        .rev()
        .take_while(|byte| **byte == b'=')
        .count();
    letters.len().is_multiple_of(4)
        && padding <= 2
        && letters[..letters.len() - padding]
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use time::macros::datetime;

    fn object(value: Value) -> BindingValue {
        let Value::Object(members) = value else {
            panic!("{value} is no object");
        };
        BindingValue::Object(members)
    }

    #[test]
    fn every_kind_of_value_is_encoded_as_the_host_does() {
        let vectors = [
            (BindingValue::Text("hello".into()), json!("\"hello\"")),
            (
                BindingValue::Text(r#"{"a":1}"#.into()),
                json!(r#""{\"a\":1}""#),
            ),
            (BindingValue::Text(String::new()), json!("\"\"")),
            (BindingValue::Integer(1), json!("1")),
            (
                BindingValue::Integer(i64::MIN),
                json!("-9223372036854775808"),
            ),
            (BindingValue::Boolean(true), json!("true")),
            (BindingValue::Null, json!("null")),
            (
                BindingValue::Guid("6b6f0f1a-0000-4000-8000-000000000001".into()),
                json!("\"6b6f0f1a-0000-4000-8000-000000000001\""),
            ),
            (
                BindingValue::List(vec![json!({"a": 1}), json!("b")]),
                json!(r#"[{"a":1},"b"]"#),
            ),
            (BindingValue::List(Vec::new()), json!("[]")),
            (object(json!({"a": {"b": 1}})), json!({"a": {"b": 1}})),
            (BindingValue::Bytes(b"hello".to_vec()), json!("aGVsbG8=")),
            (BindingValue::Bytes(vec![0xff, 0xfe]), json!("//4=")),
            (BindingValue::Bytes(b"abc".to_vec()), json!("YWJj")),
            (BindingValue::Bytes(Vec::new()), json!("")),
            (
                BindingValue::DateTime(datetime!(2026-05-01 12:30:15.123_456_7)),
                json!("2026-05-01T12:30:15"),
            ),
            (
                BindingValue::DateTimeOffset(datetime!(2026-05-01 12:30:15.5 +2)),
                json!("2026-05-01T12:30:15+02:00"),
            ),
        ];
        for (value, expected) in vectors {
            assert_eq!(encode(&value), expected, "{value:?}");
        }
    }

    #[test]
    fn a_text_that_is_json_needs_three_parses_to_reach_its_members() {
        let envelope =
            json!({ "Data": encode(&BindingValue::Text(r#"{"a":1}"#.into())) }).to_string();
        let parse = |text: &str| serde_json::from_str::<Value>(text).expect("valid JSON");
        let first = parse(&envelope);
        let second = parse(first["Data"].as_str().expect("a string"));
        let third = parse(second.as_str().expect("a string again"));
        assert_eq!(third["a"], 1);
    }

    #[test]
    fn metadata_drops_nulls_and_trigger_keys_in_any_case() {
        let metadata = encode_metadata([
            ("sys", object(json!({"MethodName": "F"}))),
            ("TimerTrigger", BindingValue::Text("x".into())),
            ("mytrigger", BindingValue::Text("x".into())),
            ("Absent", BindingValue::Null),
            ("DequeueCount", BindingValue::Integer(1)),
        ]);
        assert_eq!(
            Value::Object(metadata),
            json!({"sys": {"MethodName": "F"}, "DequeueCount": "1"})
        );
    }

    #[test]
    fn texts_that_happen_to_be_base64_are_recognised() {
        for taken in ["", "test", "deadbeef", "aGVsbG8=", "YQ==", "ab cd"] {
            assert!(is_taken_for_base64(taken), "{taken:?}");
        }
        for kept in ["hello", "a-b_", "====", "te=t", "näh!"] {
            assert!(!is_taken_for_base64(kept), "{kept:?}");
        }
    }
}
