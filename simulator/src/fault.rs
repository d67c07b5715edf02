//! Faults that a test sets up: what may go wrong between a client and a service, on demand.
//!
//! A fault either takes the place of the service's answer (the service never sees the request) or bends
//! the true answer on its way. Which it is stands at each variant, because only the latter lets a
//! termination happen whose answer gets lost.

use std::time::Duration;

use crate::matching::{Match, Times};

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// In place of the service: this answer.
    Status {
        /// The status.
        status: u16,
        /// Header names and values, a name more than once too; `content-type` is JSON unless given.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// In place of the service: silence until the client gives up.
    Hang,
    /// In place of the service: the connection is reset before any answer.
    ResetBeforeAnswer,
    /// The service works after this delay.
    Delay(Duration),
    /// The service works, and the connection is reset instead of its answer.
    LoseAnswer,
    /// The service works, and the connection is reset after the answer's headers.
    ResetAfterHeaders,
    /// The service works, and the connection ends after half of the body.
    TruncateBody,
    /// The service works, and its body comes in pieces, each after this pause.
    SlowBody(Duration),
    /// The service works, and its body is replaced by a page of HTML with status 200.
    Html200,
    /// The service works, and its answer has this content type.
    ContentType(String),
    /// The service works, and its body is replaced by this JSON text.
    OtherJson(String),
    /// The service works, and its body is dropped.
    EmptyBody,
    /// The service works, and its body comes compressed with gzip.
    Gzip,
    /// The service works, and this many spaces follow its body.
    OverlongBody(usize),
    /// In place of the service: a redirect with this status to this location.
    Redirect(u16, String),
    /// The proxy refuses to connect: 502, as when a name is not known. Judged by host alone.
    RefuseConnection,
    /// The proxy resets the connection instead of connecting. Judged by host alone.
    ResetConnection,
    /// The TLS certificate is for this host instead. Judged by host alone.
    CertificateOf(String),
}

impl Fault {
    /// This status with an empty JSON object.
    pub fn status(status: u16) -> Self {
        Self::Status {
            status,
            headers: Vec::new(),
            body: "{}".to_owned(),
        }
    }

    /// This status with this JSON text.
    pub fn json(status: u16, body: &str) -> Self {
        Self::Status {
            status,
            headers: Vec::new(),
            body: body.to_owned(),
        }
    }

    /// This status with a page of HTML.
    pub fn html(status: u16) -> Self {
        Self::Status {
            status,
            headers: vec![("content-type".to_owned(), "text/html".to_owned())],
            body: format!("<html><head><title>{status}</title></head><body>{status}</body></html>"),
        }
    }

    /// 429 with this `Retry-After` in seconds.
    pub fn throttled(retry_after_s: u64) -> Self {
        Self::Status {
            status: 429,
            headers: vec![("retry-after".to_owned(), retry_after_s.to_string())],
            body: r#"{"error_code":"REQUEST_LIMIT_EXCEEDED","message":"Too many requests."}"#
                .to_owned(),
        }
    }

    /// An answer of the real service, as it was recorded: status line, headers and an empty line, each ended by
    /// a line feed, and the body, which is served to the last byte.
    ///
    /// # Panics
    /// If the text is no such answer.
    pub fn recorded(text: &str) -> Self {
        let Some((head, body)) = text.split_once("\n\n") else {
            panic!("a recorded answer has no empty line after its head");
        };
        let mut lines = head.lines();
        let status_line = lines.next().unwrap_or_default();
        let Some(Ok(status)) = status_line.split(' ').nth(1).map(str::parse) else {
            panic!("a recorded answer begins with {status_line:?}");
        };
        let headers = lines.map(|line| match line.split_once(": ") {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => panic!("a recorded answer has {line:?} for a header"),
        });
        Self::Status {
            status,
            headers: headers.collect(),
            body: body.to_owned(),
        }
    }

    /// Whether it strikes when a connection is made, before there is a request.
    fn strikes_connections(&self) -> bool {
        matches!(
            self,
            Self::RefuseConnection | Self::ResetConnection | Self::CertificateOf(_)
        )
    }
}

/// A fault with the requests that it is meant for.
#[derive(Clone, Debug)]
pub(crate) struct ArrangedFault {
    matcher: Match,
    times: Times,
    fault: Fault,
    count: u64,
}

/// All faults in force.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults(Vec<ArrangedFault>);

impl Faults {
    pub(crate) fn add(&mut self, matcher: Match, times: Times, fault: Fault) {
        self.0.push(ArrangedFault {
            matcher,
            times,
            fault,
            count: 0,
        });
    }

    /// Counts a request and gives the first fault that strikes it.
    pub(crate) fn strike_request(&mut self, request: &crate::http::Request) -> Option<Fault> {
        self.strike(|fault| !fault.fault.strikes_connections() && fault.matcher.matches(request))
    }

    /// Counts a connection and gives the first fault that strikes it.
    pub(crate) fn strike_connection(&mut self, host: &str) -> Option<Fault> {
        self.strike(|fault| {
            fault.fault.strikes_connections() && fault.matcher.matches_connection(host)
        })
    }

    fn strike(&mut self, is_meant: impl Fn(&ArrangedFault) -> bool) -> Option<Fault> {
        let mut struck = None;
        for arranged in self.0.iter_mut().filter(|arranged| is_meant(arranged)) {
            arranged.count += 1;
            if struck.is_none() && arranged.times.include(arranged.count) {
                struck = Some(arranged.fault.clone());
            }
        }
        struck
    }
}
