//! What arrives at a pretend service and what it answers, as plain values.
//!
//! A service is a function from a world and a [`Request`] to an [`Answer`]: no socket, no await. The
//! connection module turns these into bytes, the fault module bends them. This module must not know
//! any service.

use std::net::SocketAddr;

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::HeaderValue;
use serde_json::Value;

/// One request as a pretend service sees it, read whole.
#[derive(Clone)]
pub struct Request {
    /// The method in capitals.
    pub method: String,
    /// The public host name that the client asked for, without a port.
    pub host: String,
    /// The path exactly as it was sent, still percent-encoded.
    pub path: String,
    /// The decoded query.
    pub query: Query,
    /// The query exactly as it was sent, without the question mark.
    pub raw_query: String,
    /// All headers, with their values.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}{}", self.method, self.host, self.path)
    }
}

impl Request {
    /// The value of a header, if it is there once or more and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The token of an `Authorization: Bearer` header.
    pub fn bearer(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }

    /// Whether the path, query or body names this cluster id.
    pub fn names_cluster(&self, cluster_id: &str) -> bool {
        let in_path = self.path.split('/').any(|segment| segment == cluster_id);
        let in_query = self.query.first("cluster_id") == Some(cluster_id);
        let in_body = self.json_body()["cluster_id"] == *cluster_id;
        in_path || in_query || in_body
    }

    pub(crate) fn json_body(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub(crate) fn form_body(&self) -> Query {
        Query::parse(&String::from_utf8_lossy(&self.body))
    }
}

/// A decoded query or form, in the order sent, with repetitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        Self(
            url::form_urlencoded::parse(text.as_bytes())
                .into_owned()
                .collect(),
        )
    }

    /// The first value of a key.
    pub fn first(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// All values of a key.
    pub fn all<'q>(&'q self, key: &str) -> Vec<&'q str> {
        self.0
            .iter()
            .filter(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// All pairs, in the order sent.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    pub(crate) fn is_true(&self, key: &str) -> bool {
        self.first(key)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The first key that is not among those a service knows.
    pub(crate) fn unknown_key(&self, known: &[&str]) -> Option<&str> {
        self.0
            .iter()
            .map(|(name, _)| name.as_str())
            .find(|name| !known.contains(name))
    }
}

/// What a pretend service answers.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    /// Why the request was none that this world arranged, if so.
    pub(crate) violation: Option<String>,
    /// Keep the connection open and say nothing.
    pub(crate) hang: bool,
    /// Answer what this answers instead.
    pub(crate) forward: Option<Box<Forward>>,
}

/// A GET to a web server on loopback, whose answer takes the place of the service's own.
#[derive(Clone, Debug)]
pub(crate) struct Forward {
    pub(crate) to: SocketAddr,
    /// Path and query, as they were sent.
    pub(crate) target: String,
    /// The `Host` that the server reads.
    pub(crate) host: String,
    /// Further headers of the request that are passed on.
    pub(crate) headers: HeaderMap,
}

impl Answer {
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body: body.into(),
            violation: None,
            hang: false,
            forward: None,
        }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json; charset=utf-8", body.to_string())
    }

    pub(crate) fn html(status: u16, body: impl Into<String>) -> Self {
        Self::new(status, "text/html;charset=utf-8", body.into())
    }

    pub(crate) fn text(status: u16, body: impl Into<String>) -> Self {
        Self::new(status, "text/plain;charset=utf-8", body.into())
    }

    pub(crate) fn redirect(status: u16, location: &str) -> Self {
        Self::text(status, "").header("location", location)
    }

    pub(crate) fn hang() -> Self {
        Self {
            hang: true,
            ..Self::text(200, "")
        }
    }

    pub(crate) fn forward(forward: Forward) -> Self {
        Self {
            forward: Some(Box::new(forward)),
            ..Self::text(200, "")
        }
    }

    /// Refuses a request that nobody arranged, loudly: no real service answers 501 here, so a client
    /// cannot mistake it for an ordinary failure.
    pub(crate) fn unarranged(why: impl Into<String>) -> Self {
        let why = why.into();
        Self::text(501, format!("simulator: not arranged: {why}")).violation(why)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn violation(mut self, why: impl Into<String>) -> Self {
        self.violation = Some(why.into());
        self
    }

    pub(crate) fn header_map(&self) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in &self.headers {
            let name = hyper::header::HeaderName::try_from(name.as_str());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
                map.append(name, value);
            }
        }
        map
    }
}
