//! The body of a request, read to its end before anything is answered.
//!
//! The system resets a connection that is closed while bytes of the request are
//! unread, and a reset can overtake the answer: the host would log a broken
//! connection instead of our status. So what is refused is read all the same,
//! and thrown away.

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use futures_util::StreamExt as _;
use thiserror::Error;

/// A timer's payload is well below 4 KiB; this leaves room for what a later
/// host may add.
const MOST_KEPT: usize = 1024 * 1024;

/// Whoever sends more than this is not listening, and may be reset.
const MOST_READ: usize = 64 * 1024 * 1024;

/// The body is no invocation, whatever it holds.
#[derive(Debug, Error)]
pub(super) enum BodyError {
    #[error("the body is longer than 1 MiB")]
    TooLong,
    #[error("the body broke off")]
    BrokeOff(#[source] axum::Error),
}

impl BodyError {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BrokeOff(_) => StatusCode::BAD_REQUEST,
        }
    }
}

/// Reads a body to its end, and keeps no more of it than an invocation can have.
pub(super) async fn read(body: Body) -> Result<Bytes, BodyError> {
    let mut pieces = body.into_data_stream();
    let mut kept = Vec::new();
    let mut length = 0_usize;
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(BodyError::BrokeOff)?;
        length = length.saturating_add(piece.len());
        if length > MOST_READ {
            break;
        }
        if length <= MOST_KEPT {
            kept.extend_from_slice(&piece);
        } else {
            kept = Vec::new();
        }
    }
    if length > MOST_KEPT {
        return Err(BodyError::TooLong);
    }
    Ok(Bytes::from(kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_is_kept_up_to_the_limit_and_no_further() {
        let whole = vec![b'x'; MOST_KEPT];
        let kept = read(Body::from(whole.clone())).await.unwrap();
        assert_eq!(kept, whole);
        let error = read(Body::from(vec![b'x'; MOST_KEPT + 1]))
            .await
            .unwrap_err();
        assert_eq!(error.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn a_body_without_end_is_given_up() {
        let piece = Bytes::from(vec![b'x'; MOST_KEPT]);
        let endless =
            futures_util::stream::repeat_with(move || Ok::<_, axum::Error>(piece.clone()));
        let error = read(Body::from_stream(endless)).await.unwrap_err();
        assert_eq!(error.to_string(), "the body is longer than 1 MiB");
    }
}
