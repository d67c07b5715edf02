//! A driver whose Spark UI is a real one: what of a request is passed on to it.
//!
//! The driver proxy has let the request in by now. Path and query go on as they are, and so does the
//! answer, whatever it is. The token stays here: the UI has no use for it, and it is a real process.

use hyper::HeaderMap;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, USER_AGENT};

use crate::http::{Answer, Forward, Request};
use crate::world::{Upstream, UpstreamHost};

/// Answers a request whose path, as the driver sees it, is `path`.
pub(super) fn answer(request: &Request, path: &str, upstream: Upstream) -> Result<Answer, Answer> {
    if !upstream.address.ip().is_loopback() {
        return Err(Answer::unarranged(format!(
            "a real driver at {}, which is not this machine",
            upstream.address
        )));
    }
    let path = if path.is_empty() { "/" } else { path };
    let target = match request.raw_query.as_str() {
        "" => path.to_owned(),
        query => format!("{path}?{query}"),
    };
    let host = match upstream.host {
        UpstreamHost::PassedOn => request.header("host").unwrap_or(&request.host).to_owned(),
        UpstreamHost::Named(host) => host.to_owned(),
    };
    let mut headers = HeaderMap::new();
    for name in [ACCEPT, ACCEPT_ENCODING, USER_AGENT] {
        if let Some(value) = request.headers.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    Ok(Answer::forward(Forward {
        to: upstream.address,
        target,
        host,
        headers,
    }))
}
