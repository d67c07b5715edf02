//! Which requests a fault or a hook is meant for, and on which of them it strikes.
//!
//! Pure values; counting is done here and nothing else is. A matcher without a condition matches every
//! request.

use crate::http::Request;

/// Conditions on a request; all must hold.
#[derive(Clone, Debug, Default)]
pub struct Match {
    method: Option<String>,
    host: Option<String>,
    path_prefix: Option<String>,
    path_suffix: Option<String>,
    path_part: Option<String>,
    query_part: Option<(String, String)>,
    cluster: Option<String>,
    body_parts: Vec<String>,
    header: Option<(String, bool)>,
    query_absent: Option<String>,
}

impl Match {
    /// Every request.
    pub fn any() -> Self {
        Self::default()
    }

    /// Requests for this host name.
    pub fn host(host: &str) -> Self {
        Self::any().at_host(host)
    }

    /// Requests whose path contains this.
    pub fn path(part: &str) -> Self {
        Self {
            path_part: Some(part.to_owned()),
            ..Self::any()
        }
    }

    /// Terminations of a cluster.
    pub fn termination() -> Self {
        Self::path("/clusters/delete").method("POST")
    }

    /// Token requests at Entra.
    pub fn token_request() -> Self {
        Self::host(crate::world::Azure::PUBLIC.login).method("POST")
    }

    /// And this host name.
    #[must_use]
    pub fn at_host(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    /// And this method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// And a path that begins with this.
    #[must_use]
    pub fn path_prefix(mut self, prefix: &str) -> Self {
        self.path_prefix = Some(prefix.to_owned());
        self
    }

    /// And a path that ends with this.
    #[must_use]
    pub fn path_suffix(mut self, suffix: &str) -> Self {
        self.path_suffix = Some(suffix.to_owned());
        self
    }

    /// And a query value that contains this.
    #[must_use]
    pub fn query(mut self, key: &str, part: &str) -> Self {
        self.query_part = Some((key.to_owned(), part.to_owned()));
        self
    }

    /// And this cluster id in the path, the query or the body.
    #[must_use]
    pub fn cluster(mut self, cluster_id: &str) -> Self {
        self.cluster = Some(cluster_id.to_owned());
        self
    }

    /// And a body that contains this, beside what was named before.
    #[must_use]
    pub fn body(mut self, part: &str) -> Self {
        self.body_parts.push(part.to_owned());
        self
    }

    /// And this header, whatever its value.
    #[must_use]
    pub fn with_header(mut self, name: &str) -> Self {
        self.header = Some((name.to_owned(), true));
        self
    }

    /// And not this header.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.header = Some((name.to_owned(), false));
        self
    }

    /// And no such key in the query.
    #[must_use]
    pub fn without_query(mut self, key: &str) -> Self {
        self.query_absent = Some(key.to_owned());
        self
    }

    /// Whether a request meets all conditions.
    pub fn matches(&self, request: &Request) -> bool {
        let Self {
            method,
            host,
            path_prefix,
            path_suffix,
            path_part,
            query_part,
            cluster,
            body_parts,
            header,
            query_absent,
        } = self;
        method
            .as_ref()
            .is_none_or(|method| *method == request.method)
            && Self::matches_host(&request.host, host.as_ref())
            && path_prefix
                .as_ref()
                .is_none_or(|prefix| request.path.starts_with(prefix))
            && path_suffix
                .as_ref()
                .is_none_or(|suffix| request.path.ends_with(suffix))
            && path_part
                .as_ref()
                .is_none_or(|part| request.path.contains(part))
            && query_part.as_ref().is_none_or(|(key, part)| {
                request
                    .query
                    .all(key)
                    .iter()
                    .any(|value| value.contains(part))
            })
            && cluster.as_ref().is_none_or(|id| request.names_cluster(id))
            && Self::matches_body(&request.body, body_parts)
            && query_absent
                .as_ref()
                .is_none_or(|key| request.query.first(key).is_none())
            && header
                .as_ref()
                .is_none_or(|(name, is_there)| request.headers.contains_key(name) == *is_there)
    }

    /// Whether a connection to this host, of which nothing else is known yet, meets the condition on it.
    pub(crate) fn matches_connection(&self, host: &str) -> bool {
        Self::matches_host(host, self.host.as_ref())
    }

    fn matches_body(actual: &[u8], parts: &[String]) -> bool {
        let actual = String::from_utf8_lossy(actual);
        parts.iter().all(|part| actual.contains(part))
    }

    fn matches_host(actual: &str, wanted: Option<&String>) -> bool {
        wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(actual))
    }
}

/// On which of the matching requests something strikes; they are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// On every one.
    Always,
    /// On the first so many.
    First(u64),
    /// On this one alone.
    Nth(u64),
    /// On this one and all later ones.
    From(u64),
}

impl Times {
    pub(crate) fn include(self, count: u64) -> bool {
        match self {
            Self::Always => true,
            Self::First(last) => count <= last,
            Self::Nth(only) => count == only,
            Self::From(first) => first <= count,
        }
    }
}
