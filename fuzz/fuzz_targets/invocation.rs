//! The body of an invocation, and the header that identifies it.
#![no_main]

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use terminate_clusters::host::{Invocation, InvocationId};
use terminate_clusters_fuzz::{Answers, assert_is_shown_safely};

fuzz_target!(|data: &[u8]| {
    let answers = Answers::of(data);
    let body = answers.body(0);
    match Invocation::parse(&body) {
        Ok(invocation) => {
            if let Some(envelope) = answers.plain(0) {
                assert!(envelope.is_object(), "read from {envelope}");
                assert_reads_the_same_when_encoded_twice(&envelope, &invocation);
            }
        }
        Err(error) => assert_is_shown_safely(&error.to_string()),
    }
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(&answers.body(1)) {
        headers.insert("x-azure-functions-invocationid", value);
    }
    let id = InvocationId::from_headers(&headers).to_string();
    assert_is_shown_safely(&id);
    assert!(id.chars().count() <= 64, "{id}");
});

/// The host encodes many values as JSON in a JSON string.
fn assert_reads_the_same_when_encoded_twice(envelope: &Value, expected: &Invocation) {
    let twice = |value: &Value| match value {
        plain @ Value::Object(_) => json!(plain.to_string()),
        other => other.clone(),
    };
    let mut encoded = json!({ "Data": twice(&envelope["Data"]) });
    if let Some(metadata) = envelope.get("Metadata") {
        encoded["Metadata"] = twice(metadata);
    }
    let encoded = Invocation::parse(encoded.to_string().as_bytes());
    assert_eq!(encoded.as_ref().ok(), Some(expected), "{envelope}");
}
