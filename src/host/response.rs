//! The envelope that the host expects.
//!
//! The host waits for ever for an invocation that was answered 2xx without a
//! JSON object, and then kills the process. So there is no way to build an
//! answer here that has no body.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// The answer to an invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvocationResponse {
    status: StatusCode,
    logs: Vec<String>,
}

impl InvocationResponse {
    /// The invocation succeeded; the host adds `logs` to its log.
    #[must_use]
    pub fn succeeded(logs: Vec<String>) -> Self {
        Self {
            status: StatusCode::OK,
            logs,
        }
    }

    /// The invocation failed. The host discards `logs`, so they must have been
    /// written to stderr; they serve whoever asks without the host.
    #[must_use]
    pub fn failed(logs: Vec<String>) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            logs,
        }
    }

    /// The request was not an invocation. A status that is no error becomes 500.
    #[must_use]
    pub fn refused(status: StatusCode, why: &str) -> Self {
        let is_error = status.is_client_error() || status.is_server_error();
        Self {
            status: if is_error {
                status
            } else {
                StatusCode::INTERNAL_SERVER_ERROR
            },
            logs: vec![why.to_owned()],
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope {
    outputs: Outputs,
    logs: Vec<String>,
    /// An object here would be merged into the outputs.
    return_value: Option<()>,
}

#[derive(Serialize)]
struct Outputs {}

impl IntoResponse for InvocationResponse {
    fn into_response(self) -> Response {
        let envelope = Envelope {
            outputs: Outputs {},
            logs: self.logs,
            return_value: None,
        };
        (self.status, Json(envelope)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_never_a_success() {
        let refused = InvocationResponse::refused(StatusCode::OK, "x");
        assert_eq!(refused.status, StatusCode::INTERNAL_SERVER_ERROR);
        let refused = InvocationResponse::refused(StatusCode::PERMANENT_REDIRECT, "x");
        assert_eq!(refused.status, StatusCode::INTERNAL_SERVER_ERROR);
    }

    #[test]
    fn every_answer_is_the_envelope_as_json() {
        let envelope = Envelope {
            outputs: Outputs {},
            logs: vec!["a".to_owned()],
            return_value: None,
        };
        assert_eq!(
            serde_json::to_string(&envelope).unwrap(),
            r#"{"Outputs":{},"Logs":["a"],"ReturnValue":null}"#
        );
    }
}
