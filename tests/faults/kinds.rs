//! What can go wrong with one answer, and the words in which it must be told.

use std::time::Duration;

use simulator::Fault;

use crate::endpoints::{Endpoint, Struck};

/// How long the sweep that meets a fault waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Longer than any test; a machine under load is no fault.
    Long,
    /// Short, because the fault is that no answer comes; whatever does come must have
    /// come by then, also on a machine under load.
    Short,
}

/// Where a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strikes {
    /// A host's connections, whatever is asked.
    Connections,
    Answers,
}

/// One kind of fault.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) strikes: Strikes,
    pub(crate) patience: Patience,
    pub(crate) fault: fn(&Endpoint) -> Fault,
    /// One of these stands in what the operator reads, unless the fault is harmless.
    pub(crate) told_as: &'static [&'static str],
}

/// Where the redirects lead: no host of the cloud.
pub(crate) const ELSEWHERE: &str = "https://elsewhere.example.com/collect";

const fn connection(
    name: &'static str,
    told_as: &'static [&'static str],
    fault: fn(&Endpoint) -> Fault,
) -> Kind {
    Kind {
        strikes: Strikes::Connections,
        ..answer(name, told_as, fault)
    }
}

const fn answer(
    name: &'static str,
    told_as: &'static [&'static str],
    fault: fn(&Endpoint) -> Fault,
) -> Kind {
    Kind {
        name,
        strikes: Strikes::Answers,
        patience: Patience::Long,
        fault,
        told_as,
    }
}

const fn silence(name: &'static str, fault: fn(&Endpoint) -> Fault) -> Kind {
    Kind {
        patience: Patience::Short,
        ..answer(name, &["timed out", "no answer within", "within"], fault)
    }
}

const BROKEN: &[&str] = &["broke off"];
/// What is no answer of the kind that was asked for.
const SHAPE: &[&str] = &[
    "JSON",
    "not understood",
    "an error with status 200",
    "something that is no",
    "without a token",
    "is empty",
    "another page",
];
const LED_AWAY: &str = "redirects elsewhere";

pub(crate) const OVER_THE_CAP: &str = "body over the cap";

/// All of them.
pub(crate) const KINDS: &[Kind] = &[
    connection("connection refused", &["no connection"], |_| {
        Fault::RefuseConnection
    }),
    connection("connection reset", &["no connection"], |_| {
        Fault::ResetConnection
    }),
    connection("certificate of another host", &["TLS failed"], |_| {
        Fault::CertificateOf("elsewhere.example.com".to_owned())
    }),
    answer("reset before the headers", BROKEN, |_| {
        Fault::ResetBeforeAnswer
    }),
    answer("reset after the headers", BROKEN, |_| {
        Fault::ResetAfterHeaders
    }),
    answer("body cut short", BROKEN, |_| Fault::TruncateBody),
    silence("no answer", |_| Fault::Hang),
    silence("body too slow", |_| Fault::SlowBody(Duration::from_secs(2))),
    answer(OVER_THE_CAP, &["too large"], |endpoint| {
        Fault::OverlongBody(endpoint.cap)
    }),
    answer("301 to another host", &["301", LED_AWAY], |_| {
        Fault::Redirect(301, ELSEWHERE.to_owned())
    }),
    answer("307 to another host", &["307", LED_AWAY], |_| {
        Fault::Redirect(307, ELSEWHERE.to_owned())
    }),
    answer("400", &["400"], |_| Fault::status(400)),
    answer("401", &["401"], |_| Fault::status(401)),
    answer("403", &["403"], |_| Fault::status(403)),
    answer("404", &["404"], |_| Fault::status(404)),
    answer("408", &["408"], |_| Fault::status(408)),
    answer("409", &["409"], |_| Fault::status(409)),
    answer("500", &["500"], |_| Fault::status(500)),
    answer("502", &["502"], |_| Fault::html(502)),
    answer("503", &["503"], |_| Fault::status(503)),
    answer("429, Retry-After: 1", &["429"], |_| Fault::throttled(1)),
    answer("429, Retry-After: a date", &["429"], |_| {
        throttled("Fri, 31 Dec 2999 23:59:59 GMT")
    }),
    answer("429, Retry-After: absurd", &["429"], |_| {
        throttled("99999999999999999999999")
    }),
    answer("a page of HTML with 200", SHAPE, |_| Fault::Html200),
    answer("a list in the place of an object", SHAPE, |_| {
        Fault::OtherJson("[1]".to_owned())
    }),
    answer("an error message with 200", SHAPE, |_| {
        let body = r#"{"error_code":"TEMPORARILY_UNAVAILABLE","message":"Try later."}"#;
        Fault::OtherJson(body.to_owned())
    }),
    answer("a bare message with 200", SHAPE, |_| {
        Fault::OtherJson(r#"{"message":"Try later."}"#.to_owned())
    }),
    answer("empty body", SHAPE, |_| Fault::EmptyBody),
    answer("compressed, unasked", SHAPE, |_| Fault::Gzip),
    answer("content type `text/plain`", SHAPE, |_| {
        Fault::ContentType("text/plain".to_owned())
    }),
];

fn throttled(retry_after: &str) -> Fault {
    Fault::Status {
        status: 429,
        headers: vec![("retry-after".to_owned(), retry_after.to_owned())],
        body: r#"{"error_code":"REQUEST_LIMIT_EXCEEDED","message":"Too many requests."}"#
            .to_owned(),
    }
}

/// The kinds that an endpoint can meet, with their places in the list.
pub(crate) fn of(endpoint: &Endpoint) -> impl Iterator<Item = (usize, &'static Kind)> {
    let struck = endpoint.struck;
    let kinds = KINDS.iter().enumerate();
    kinds.filter(move |(_, kind)| match (struck, kind.strikes) {
        (Struck::AnswersAndConnections, _)
        | (Struck::Answers, Strikes::Answers)
        | (Struck::Connections, Strikes::Connections) => true,
        (Struck::Answers, Strikes::Connections) | (Struck::Connections, Strikes::Answers) => false,
    })
}
