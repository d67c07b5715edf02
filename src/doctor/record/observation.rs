//! One answer, reduced to what may leave.
//!
//! Like [`Shape`], these types can hold no text from outside: only numbers and words of
//! this program. `ask` makes them of raw answers, which end here. Pure.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::header::{CONTENT_TYPE, LOCATION};
use serde::Serialize;

use super::page::Page;
use super::shape::Shape;
use super::vocabulary;
use crate::service::NoAnswer;

/// One question and what came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Observation {
    /// The question's name.
    pub question: &'static str,
    /// The path, with what is data in angle brackets.
    pub path: &'static str,
    pub elapsed_ms: u64,
    #[serde(flatten)]
    pub end: End,
}

/// What a question ended in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    NoAnswer(&'static str),
    Answer(Answer),
}

/// An answer without its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    pub status: u16,
    pub content_type: &'static str,
    pub bytes: usize,
    pub headers: Vec<&'static str>,
    /// Headers of other names.
    pub other_headers: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leads_to: Option<&'static str>,
    pub body: Body,
}

/// A body without its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    Empty,
    Json {
        shape: Box<Shape>,
        /// Known phrases anywhere in it.
        phrases: Vec<(&'static str, usize)>,
    },
    Page(Page),
    /// Text of another form.
    Text {
        chars: usize,
        phrases: Vec<(&'static str, usize)>,
    },
}

impl Observation {
    /// What may leave of an exchange.
    #[must_use]
    pub fn of(
        question: &'static str,
        path: &'static str,
        answer: &Result<Response<Bytes>, NoAnswer>,
        elapsed: Duration,
    ) -> Self {
        let end = match answer {
            Ok(answer) => End::Answer(Answer::of(answer)),
            Err(why) => End::NoAnswer(why.as_str()),
        };
        Self {
            question,
            path,
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            end,
        }
    }

    /// The shape of its JSON.
    #[must_use]
    pub fn shape(&self) -> Option<&Shape> {
        match &self.end {
            End::Answer(Answer {
                body: Body::Json { shape, .. },
                ..
            }) => Some(shape),
            End::Answer(_) | End::NoAnswer(_) => None,
        }
    }
}

impl Answer {
    fn of(answer: &Response<Bytes>) -> Self {
        let headers = answer.headers();
        let text_of = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let names = headers.keys().map(http::HeaderName::as_str);
        let known: Vec<&'static str> = names.filter_map(vocabulary::header).collect();
        Self {
            status: answer.status().as_u16(),
            content_type: vocabulary::content_type(text_of(CONTENT_TYPE)),
            bytes: answer.body().len(),
            other_headers: headers.keys_len() - known.len(),
            headers: known,
            leads_to: text_of(LOCATION).map(leads_to),
            body: Body::of(answer.body()),
        }
    }
}

impl Body {
    fn of(body: &Bytes) -> Self {
        if body.is_empty() {
            return Self::Empty;
        }
        let text = String::from_utf8_lossy(body);
        let phrases = vocabulary::phrases(&text);
        if let Ok(value) = serde_json::from_slice(body) {
            let shape = Box::new(Shape::of(&value));
            return Self::Json { shape, phrases };
        }
        if text.trim_start().starts_with('<') {
            return Self::Page(Page::of(&text, phrases));
        }
        let chars = text.chars().count();
        Self::Text { chars, phrases }
    }
}

/// What kind of place a redirect names.
fn leads_to(location: &str) -> &'static str {
    let path = location.split(['?', '#']).next().unwrap_or_default();
    let is_absolute = path.contains("://");
    match (
        path.ends_with("/jobs/"),
        location.contains("login"),
        is_absolute,
    ) {
        (true, _, _) if path.contains("/driver-proxy-api/") && is_absolute => {
            "the same UI's /jobs/, by a whole address"
        }
        (true, _, _) if path.contains("/driver-proxy-api/") => "the same UI's /jobs/, by its path",
        (true, _, true) => "/jobs/ without the proxy's prefix, by a whole address",
        (true, _, false) => "/jobs/ without the proxy's prefix, by its path",
        (false, true, true) => "a login page, by a whole address",
        (false, true, false) => "a login page, by its path",
        (false, false, true) => "another place, by a whole address",
        (false, false, false) => "another place, by its path",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(status: u16, headers: &[(&str, &str)], body: &str) -> String {
        let mut answer = Response::builder().status(status);
        for (name, value) in headers {
            answer = answer.header(*name, *value);
        }
        let answer = answer.body(Bytes::from(body.to_owned())).unwrap();
        let elapsed = Duration::from_millis(17);
        let observation = Observation::of("a question", "/a/<path>", &Ok(answer), elapsed);
        serde_json::to_string(&observation).unwrap()
    }

    #[test]
    fn an_answer_keeps_status_type_names_and_times() {
        let text = observed(
            200,
            &[
                ("content-type", "application/json; charset=utf-8"),
                ("x-planted", "planted"),
            ],
            r#"{"state":"planted"}"#,
        );
        assert_eq!(
            text,
            concat!(
                r#"{"question":"a question","path":"/a/<path>","elapsed_ms":17,"answer":{"status":200,"#,
                r#""content_type":"application/json","bytes":19,"headers":["content-type"],"other_headers":1,"#,
                r#""body":{"json":{"shape":{"objects":1,"members":{"state":{"texts":{"other":"#,
                r#"{"count":1,"shortest":7,"longest":7}}}}},"phrases":[]}}}}"#,
            )
        );
    }

    #[test]
    fn nothing_planted_survives_in_any_part_of_an_answer() {
        for body in [
            r#"{"planted":["planted"],"message":"planted: user not authorized"}"#,
            "<html><planted id=planted>planted</planted><!-- planted --></html>",
            "<planted",
            "planted",
            "\"planted\"",
        ] {
            let headers = [
                ("content-type", "planted/planted; planted=planted"),
                ("location", "https://planted/planted?planted"),
                ("server", "planted"),
                ("x-planted", "planted"),
            ];
            let text = observed(302, &headers, body);
            assert!(!text.contains("planted"), "{text}");
        }
    }

    #[test]
    fn a_redirect_is_told_by_its_kind() {
        for (location, expected) in [
            (
                "/driver-proxy-api/o/1/a/40001/jobs/",
                "the same UI's /jobs/, by its path",
            ),
            (
                "http://10.0.0.4:40001/jobs/",
                "/jobs/ without the proxy's prefix, by a whole address",
            ),
            ("/login.html?next=x", "a login page, by its path"),
            ("https://a/b", "another place, by a whole address"),
        ] {
            assert_eq!(leads_to(location), expected, "{location}");
        }
    }
}
