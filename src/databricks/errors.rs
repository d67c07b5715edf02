//! What an error answer of a Databricks workspace says, whatever its shape.
//!
//! The same refusal comes as JSON in four dialects, as `CODE: message`, as a
//! Jetty page or as nothing at all, and the start of a body may be all that was
//! kept. This file only reads: what an error means for a sweep is judged by
//! `access` and by the callers. Pure; the text stays hostile and is escaped
//! where it is shown.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

/// Beyond this many characters a message is cut: the longest recorded one has 200.
const MESSAGE_CAP: usize = 500;

/// The code and the sentence of an error answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorBody {
    /// `error_code`, as text even where it is a number on the wire.
    pub code: Option<String>,
    /// The sentence on one line; empty when the body has none.
    pub message: String,
}

impl ErrorBody {
    /// Reads the body of an answer that is no success.
    #[must_use]
    pub fn parse(body: &str) -> Self {
        let body = body.trim();
        let read = match body.as_bytes().first() {
            Some(b'{') => from_json_object(body),
            Some(b'"') => from_json_string(body),
            Some(b'<') => from_html(body),
            Some(_) | None => from_text(body),
        };
        Self {
            code: read.code.filter(|code| !code.is_empty()),
            message: one_line(&read.message),
        }
    }

    /// Whether the code is `code`, or the message holds it, as SCIM's do.
    #[must_use]
    pub fn names(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code) || self.message.contains(code)
    }

    /// Whether the message holds `text`, without regard to case.
    #[must_use]
    pub fn says(&self, text: &str) -> bool {
        let message = self.message.to_ascii_lowercase();
        message.contains(&text.to_ascii_lowercase())
    }
}

impl fmt::Display for ErrorBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.code, self.message.as_str()) {
            (Some(code), "") => f.write_str(code),
            (Some(code), message) => write!(f, "{code}: {message}"),
            (None, "") => f.write_str("no message"),
            (None, message) => f.write_str(message),
        }
    }
}

/// The members that carry a code or a sentence in one of the JSON dialects.
#[derive(Debug, Default)]
struct Members {
    error_code: Option<String>,
    message: Option<String>,
    /// API 1.2 gives a sentence, Azure's front ends an object, OAuth a code.
    error: Option<Value>,
    error_description: Option<String>,
    /// SCIM.
    detail: Option<String>,
    scim_type: Option<String>,
    /// The network layer in front of a workspace.
    reason_phrase: Option<String>,
}

fn from_json_object(body: &str) -> ErrorBody {
    let mut members = Members::default();
    // A body that was cut ends in an error: what came before it still counts.
    let cut = Collect(&mut members)
        .deserialize(&mut serde_json::Deserializer::from_str(body))
        .is_err();
    let Members {
        error_code,
        message,
        error,
        error_description,
        detail,
        scim_type,
        reason_phrase,
    } = members;
    let (inner_code, inner_message) = match &error {
        Some(Value::Object(inner)) => (
            inner.get("code").and_then(scalar_text),
            inner.get("message").and_then(scalar_text),
        ),
        Some(Value::String(text)) if error_description.is_some() => (Some(text.clone()), None),
        Some(Value::String(text)) => (None, Some(text.clone())),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_)) | None => {
            (None, None)
        }
    };
    let sentence = [
        message,
        inner_message,
        error_description,
        detail,
        reason_phrase,
    ];
    let message = sentence.into_iter().flatten().find(|text| !text.is_empty());
    let code = error_code.or(inner_code).or(scim_type);
    if code.is_none() && message.is_none() && cut {
        return from_text(body);
    }
    ErrorBody {
        code,
        message: message.unwrap_or_default(),
    }
}

struct Collect<'a>(&'a mut Members);

impl<'de> DeserializeSeed<'de> for Collect<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Collect<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let slot = match key.as_str() {
                "error" => {
                    self.0.error = Some(map.next_value()?);
                    continue;
                }
                "error_code" => &mut self.0.error_code,
                "message" => &mut self.0.message,
                "error_description" => &mut self.0.error_description,
                "detail" => &mut self.0.detail,
                "scimType" => &mut self.0.scim_type,
                "X-Databricks-Reason-Phrase" => &mut self.0.reason_phrase,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *slot = scalar_text(&map.next_value::<Value>()?);
        }
        Ok(())
    }
}

fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn from_json_string(body: &str) -> ErrorBody {
    match serde_json::from_str::<String>(body) {
        Ok(text) => from_text(&text),
        Err(_) => from_text(body),
    }
}

/// A Jetty page says it in `<title>` and often again in `<pre>`; a page without
/// either is stripped of its tags.
fn from_html(body: &str) -> ErrorBody {
    let parts: Vec<String> = ["title", "pre"]
        .into_iter()
        .filter_map(|tag| element(body, tag))
        .map(|inner| one_line(&without_tags(inner)))
        .filter(|text| !text.is_empty())
        .collect();
    let message = match parts.as_slice() {
        [title, reason] if title.contains(reason.as_str()) => title.clone(),
        [] => without_tags(body),
        parts => parts.join(": "),
    };
    ErrorBody {
        code: None,
        message,
    }
}

/// What stands inside the first `<tag …>`, up to its end or the end of the text.
fn element<'a>(html: &'a str, tag: &str) -> Option<&'a str> {
    // ASCII lowering keeps every byte offset.
    let lower = html.to_ascii_lowercase();
    let open = format!("<{tag}");
    let start = lower
        .match_indices(&open)
        .map(|(at, _)| at + open.len())
        .find(|&at| matches!(lower.as_bytes().get(at), Some(b'>' | b' ')))?;
    let inner = start + lower.get(start..)?.find('>')? + 1;
    let rest = lower.get(inner..)?;
    let end = rest.find(&format!("</{tag}")).unwrap_or(rest.len());
    html.get(inner..inner + end)
}

fn without_tags(html: &str) -> String {
    let mut text = String::new();
    let mut in_tag = false;
    for character in html.chars() {
        match character {
            '<' => in_tag = true,
            '>' if in_tag => {
                in_tag = false;
                text.push(' ');
            }
            _ if in_tag => {}
            other => text.push(other),
        }
    }
    // `&amp;` comes last, so that `&amp;lt;` stays the text `&lt;`.
    text.replace("&nbsp;", " ")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

/// `CODE: message`, or a sentence alone.
fn from_text(body: &str) -> ErrorBody {
    let is_code = |text: &str| {
        text.contains(|c: char| c.is_ascii_uppercase())
            && text
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    match body.split_once(':') {
        Some((code, message)) if is_code(code) => ErrorBody {
            code: Some(code.to_owned()),
            message: message.to_owned(),
        },
        Some(_) | None => ErrorBody {
            code: None,
            message: body.to_owned(),
        },
    }
}

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(MESSAGE_CAP).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(code: Option<&str>, message: &str) -> ErrorBody {
        ErrorBody {
            code: code.map(str::to_owned),
            message: message.to_owned(),
        }
    }

    #[test]
    fn reads_every_recorded_shape() {
        #[rustfmt::skip]
        let rows = [
            (r#"{"error_code":"INVALID_STATE","message":"Cluster is not running"}"#, body(Some("INVALID_STATE"), "Cluster is not running")),
            (r#"{"error_code":401,"message":"Credential was not sent"}"#, body(Some("401"), "Credential was not sent")),
            (r#"{"error_code":"RESOURCE_EXHAUSTED","message":"m","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retry_delay":"42.0s"}]}"#, body(Some("RESOURCE_EXHAUSTED"), "m")),
            (r#"{"error":"ContextNotFound"}"#, body(None, "ContextNotFound")),
            (r#"{"error":{"code":"ResourceNotFound","message":"gone"}}"#, body(Some("ResourceNotFound"), "gone")),
            (r#"{"error":"invalid_client","error_description":"AADSTS7000215: no"}"#, body(Some("invalid_client"), "AADSTS7000215: no")),
            (r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"detail":"taken","status":"409","scimType":"uniqueness"}"#, body(Some("uniqueness"), "taken")),
            (r#"{"X-Databricks-Reason-Phrase":"Public access is not allowed for workspace: 1"}"#, body(None, "Public access is not allowed for workspace: 1")),
            ("PERMISSION_DENIED: You do not have permission", body(Some("PERMISSION_DENIED"), "You do not have permission")),
            ("Unauthorized network access to workspace: 1", body(None, "Unauthorized network access to workspace: 1")),
            (r#""quoted""#, body(None, "quoted")),
            ("<html><head><TITLE>Error 403 Invalid access token.</TITLE></head></html>", body(None, "Error 403 Invalid access token.")),
            ("<html><title>Error 404</title><p>Problem accessing /x. Reason:\n<pre>  a &lt;b&gt;\n c </pre></html>", body(None, "Error 404: a <b> c")),
            ("<html><title>Error 403 User not authorized.</title><pre>User not authorized.</pre></html>", body(None, "Error 403 User not authorized.")),
            ("<html><body><h2>HTTP ERROR 403</h2> Problem</body></html>", body(None, "HTTP ERROR 403 Problem")),
            ("", body(None, "")),
            ("  \n", body(None, "")),
            ("{}", body(None, "")),
            (r#"{"error_code":"X","message":null}"#, body(Some("X"), "")),
        ];
        for (text, expected) in rows {
            assert_eq!(ErrorBody::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn keeps_what_stood_before_the_cut() {
        let cut = r#"{"error_code":"INVALID_STATE","message":"gone","details":[{"a":"bb"#;
        assert_eq!(ErrorBody::parse(cut), body(Some("INVALID_STATE"), "gone"));
        let cut = r#"{"details":[{"a":"REQUEST_LIMIT_EXCEEDED"#;
        assert!(ErrorBody::parse(cut).names("REQUEST_LIMIT_EXCEEDED"));
        let cut = "<html><title>Error 403 Invalid acc";
        assert_eq!(ErrorBody::parse(cut), body(None, "Error 403 Invalid acc"));
    }

    #[test]
    fn hostile_bodies_neither_panic_nor_grow() {
        for text in [
            "<",
            "<title",
            "<title>",
            "<titleX>é</title>",
            "<é<<>>",
            "{",
            "{\"a\"",
            "\"",
            ":",
            "É:x",
            "<TITLE İ>x</TITLE>",
        ] {
            assert!(ErrorBody::parse(text).message.len() <= text.len());
        }
        let long = ErrorBody::parse(&"é".repeat(MESSAGE_CAP * 3));
        assert_eq!(long.message.chars().count(), MESSAGE_CAP);
        let nested = format!("{{\"error\":{}", "[".repeat(100_000));
        assert_eq!(ErrorBody::parse(&nested).message.len(), MESSAGE_CAP);
    }

    #[test]
    fn shows_code_and_message_on_one_line() {
        assert_eq!(ErrorBody::parse("").to_string(), "no message");
        assert_eq!(ErrorBody::parse("A_B:\n c").to_string(), "A_B: c");
        assert_eq!(ErrorBody::parse("{\"error_code\":5}").to_string(), "5");
    }
}
