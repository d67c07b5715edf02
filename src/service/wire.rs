//! One request and one answer as HTTP.
//!
//! An [`Ask`] becomes a request whose ids can't leave their place in the URL and
//! whose token is marked sensitive; our token is taken out of an answer before
//! anybody reads it; an answer becomes its body or the cause of a failure. Nothing
//! is sent from here and nothing is judged to be worth another attempt.

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use url::Url;

use super::{Ask, CallErrorCause, StatusError};
use crate::identity::Token;
use crate::transport::{Outgoing, TransportError, one_line};

/// How much of a body is kept where it is evidence, not data.
const KEPT_BODY: usize = 8 * 1024;
/// How much of a header is kept.
const KEPT_HEADER: usize = 2 * 1024;

/// What the body of a good answer must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Json,
    Html,
    /// Of a change: some services answer it with what became of it, some with 204.
    JsonOrNothing,
}

/// The URL of a request. Dot segments are refused: every URL parser resolves
/// them, even percent-encoded ones, so they would leave their place.
pub(super) fn target(base: &Url, ask: &Ask<'_>) -> Result<Url, TransportError> {
    let refuse = |why: &str| Err(TransportError::refused(why));
    if ask.from_users && ask.joining.is_some() {
        return refuse("a management token for a machine that its users control");
    }
    let mut url = base.clone();
    url.set_query(None);
    if ask
        .path
        .iter()
        .any(|segment| matches!(*segment, "." | ".."))
    {
        return refuse("a path segment of only dots");
    }
    match url.path_segments_mut() {
        Ok(mut path) => {
            path.pop_if_empty().extend(ask.path);
        }
        Err(()) => return refuse("a base URL that takes no path"),
    }
    if !ask.query.is_empty() {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(ask.query);
        // A form writes spaces as `+`, which not every server reads as a space;
        // a real plus is `%2B` by then.
        url.set_query(Some(&query.finish().replace('+', "%20")));
    }
    Ok(url)
}

pub(super) fn describe(url: &Url) -> String {
    format!("{}{}", url.host_str().unwrap_or_default(), url.path())
}

pub(super) fn request(
    ask: &Ask<'_>,
    url: &Url,
    wanted: Wanted,
    token: &Token,
) -> Result<Outgoing, TransportError> {
    let accept = match wanted {
        Wanted::Json | Wanted::JsonOrNothing => "application/json",
        Wanted::Html => "text/html",
    };
    let bearer = token
        .bearer()
        .ok_or_else(|| TransportError::refused("the token is no header value"))?;
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static(accept));
    headers.insert(AUTHORIZATION, bearer.clone());
    if let Some(joining) = &ask.joining {
        joining.add_to(&mut headers)?;
    }
    let mut body = Bytes::new();
    if let Some(json) = &ask.body {
        let json_type = HeaderValue::from_static("application/json");
        headers.insert(CONTENT_TYPE, json_type);
        body = Bytes::from(json.to_string());
    }
    Ok(Outgoing {
        method: ask.method.clone(),
        url: url.clone(),
        headers,
        body,
        body_cap: ask.body_cap,
    })
}

/// Takes the body of a good answer; everything else becomes a cause.
pub(super) fn accept(answer: Response<Bytes>, wanted: Wanted) -> Result<Bytes, CallErrorCause> {
    let (parts, body) = answer.into_parts();
    let status = parts.status.as_u16();
    let is_nothing = wanted == Wanted::JsonOrNothing && body.is_empty();
    if parts.status.is_success()
        && (is_nothing || is_wanted(wanted, parts.headers.get(CONTENT_TYPE)))
    {
        return Ok(body);
    }
    let content_type = header(&parts.headers, &CONTENT_TYPE).unwrap_or_default();
    let kept = || {
        let start = body.get(..KEPT_BODY).unwrap_or(&body);
        String::from_utf8_lossy(start).into_owned()
    };
    if !parts.status.is_success() {
        return Err(CallErrorCause::Status(StatusError {
            status,
            location: header(&parts.headers, &LOCATION),
            content_type,
            retry_after: None,
            body: kept(),
        }));
    }
    Err(match wanted {
        Wanted::Json | Wanted::JsonOrNothing => CallErrorCause::NotJson {
            status,
            content_type,
            body: kept(),
        },
        Wanted::Html => CallErrorCause::NotHtml {
            status,
            content_type,
        },
    })
}

pub(super) fn is_wanted(wanted: Wanted, content_type: Option<&HeaderValue>) -> bool {
    let content_type = content_type.map_or(&b""[..], HeaderValue::as_bytes);
    let essence = content_type.split(|byte| *byte == b';').next();
    let essence = essence.unwrap_or_default().trim_ascii();
    let has =
        |part: Option<&[u8]>, text: &[u8]| part.is_some_and(|part| part.eq_ignore_ascii_case(text));
    match wanted {
        // SCIM answers `application/scim+json`.
        Wanted::Json | Wanted::JsonOrNothing => {
            let (start, end) = (&b"application/"[..], &b"+json"[..]);
            let end_at = essence.len().saturating_sub(end.len());
            essence.eq_ignore_ascii_case(b"application/json")
                || (has(essence.get(..start.len()), start) && has(essence.get(end_at..), end))
        }
        Wanted::Html => essence.eq_ignore_ascii_case(b"text/html"),
    }
}

fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?;
    let text = String::from_utf8_lossy(value.as_bytes());
    Some(one_line(&text, KEPT_HEADER))
}

/// Takes our tokens out of an answer, as they were sent: a driver that its users control
/// or a proxy in between could repeat one, and the report would carry it on. Whoever
/// spells it in another way has it already and means to.
pub(super) fn take_tokens_out(answer: &mut Response<Bytes>, ask: &Ask<'_>, token: &Token) {
    let second = ask.joining.as_ref().map(super::Joining::token);
    for token in second.into_iter().chain([token]) {
        let body = std::mem::take(answer.body_mut());
        *answer.body_mut() = token.taken_out_of(body);
        for value in answer.headers_mut().values_mut() {
            // Most headers are shorter than a token.
            if value.len() >= token.expose().len() {
                let cleaned = token.taken_out_of(Bytes::copy_from_slice(value.as_bytes()));
                // What held no line break holds none now.
                *value = HeaderValue::from_maybe_shared(cleaned)
                    .unwrap_or_else(|_| HeaderValue::from_static(""));
            }
        }
    }
}
