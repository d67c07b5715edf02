//! One HTTP connection: reads requests, writes them down, lets hooks, faults and services work, answers.
//!
//! The order for one request is: record, fault that replaces or delays, hooks before, service, hooks
//! after, fault that bends the answer. Everything between the hooks happens under one lock of the world.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request as HttpRequest, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::delivery::{self, Shape, Steps};
use crate::encode;
use crate::fault::{Fault, Faults};
use crate::hook::{Hooks, When};
use crate::http::{Answer, Query, Request};
use crate::record::Record;
use crate::services;
use crate::socket::Tear;
use crate::tls::Authority;
use crate::upstream;
use crate::world::World;

/// No client of ours sends more.
const MAX_REQUEST_BODY: usize = 1 << 20;

/// Everything that connections share.
pub(crate) struct Shared {
    pub(crate) world: Mutex<World>,
    pub(crate) faults: Mutex<Faults>,
    pub(crate) hooks: Mutex<Hooks>,
    pub(crate) record: Mutex<Record>,
    pub(crate) authority: Authority,
}

/// Locks a mutex, also after a panic elsewhere: a test that failed must not hide why.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves HTTP/1.1 with keep-alive until the client leaves or a fault tears the connection.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    tear: Tear,
    host: Arc<str>,
) {
    let service = service_fn(move |request| {
        let (shared, tear, host) = (Arc::clone(&shared), tear.clone(), Arc::clone(&host));
        async move { exchange(&shared, request, &tear, &host).await }
    });
    // An error here is a client that went away or a fault that was asked for; the record has the rest.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn exchange(
    shared: &Shared,
    request: HttpRequest<Incoming>,
    tear: &Tear,
    host: &str,
) -> io::Result<Response<Steps>> {
    let request = read(request, host).await?;
    let at_ms = lock(&shared.world).clock.now_ms();
    let number = lock(&shared.record).begin(&request, at_ms);
    let closing = Closing {
        shared,
        number,
        status: None,
        violation: None,
    };
    let fault = lock(&shared.faults).strike_request(&request);
    respond(shared, &request, fault, tear, closing).await
}

/// Writes the outcome down, also when the client leaves before there is one.
struct Closing<'s> {
    shared: &'s Shared,
    number: usize,
    status: Option<u16>,
    violation: Option<String>,
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        lock(&self.shared.record).end(self.number, self.status, self.violation.take());
    }
}

async fn respond(
    shared: &Shared,
    request: &Request,
    fault: Option<Fault>,
    tear: &Tear,
    mut closing: Closing<'_>,
) -> io::Result<Response<Steps>> {
    if let Some(Fault::Delay(length)) = fault {
        tokio::time::sleep(length).await;
    }
    let answer = match replacement(fault.as_ref()) {
        Some(Replacement::Reset) => return reset(tear),
        Some(Replacement::Answer(answer)) => answer,
        None => upstream::resolve(work(&shared.hooks, &shared.world, request)).await,
    };
    closing.violation.clone_from(&answer.violation);
    if answer.hang {
        drop(closing);
        return pending().await;
    }
    if matches!(fault, Some(Fault::LoseAnswer)) {
        return reset(tear);
    }
    let (answer, shape) = bend(dated(shared, answer), fault);
    closing.status = Some(answer.status);
    drop(closing);
    delivery::response(answer, shape, tear).map_err(|never: Infallible| match never {})
}

/// Every service of the cloud dates its answers by the cloud's clock.
fn dated(shared: &Shared, answer: Answer) -> Answer {
    let is_dated = |(name, _): &(String, String)| name.eq_ignore_ascii_case("date");
    if answer.headers.iter().any(is_dated) {
        return answer;
    }
    let shown_ms = lock(&shared.world).clock.shown_ms();
    answer.header("date", &encode::http_time(shown_ms))
}

fn reset(tear: &Tear) -> io::Result<Response<Steps>> {
    tear.pull();
    Err(io::ErrorKind::ConnectionReset.into())
}

/// Lets hooks and services work on the world.
pub(crate) fn work(hooks: &Mutex<Hooks>, world: &Mutex<World>, request: &Request) -> Answer {
    let mut hooks = lock(hooks);
    let mut world = lock(world);
    if let Err(why) = hooks.run(When::Before, request, &mut world) {
        return Answer::unarranged(why);
    }
    let answer = match check_host(request) {
        Some(refusal) => refusal,
        None => services::answer(&mut world, request),
    };
    match hooks.run(When::After, request, &mut world) {
        Ok(()) => answer,
        Err(why) => answer.violation(why),
    }
}

/// A client must name the host in its request that it named to the proxy.
fn check_host(request: &Request) -> Option<Answer> {
    let named = request.header("host")?;
    let named = named.strip_suffix(":443").unwrap_or(named);
    let is_loopback = request.host == services::IDENTITY_HOST;
    let differs = !is_loopback && !named.eq_ignore_ascii_case(&request.host);
    differs.then(|| {
        Answer::unarranged(format!(
            "the Host header {named:?} on a connection to {}",
            request.host
        ))
    })
}

pub(crate) enum Replacement {
    Answer(Answer),
    Reset,
}

/// What a fault puts in the place of the service.
pub(crate) fn replacement(fault: Option<&Fault>) -> Option<Replacement> {
    match fault? {
        Fault::Status {
            status,
            headers,
            body,
        } => {
            let mut answer = Answer::new(*status, "application/json", body.clone());
            let is_typed = |(name, _): &(String, String)| name.eq_ignore_ascii_case("content-type");
            if headers.iter().any(is_typed) {
                answer.headers.clear();
            }
            answer.headers.extend_from_slice(headers);
            Some(Replacement::Answer(answer))
        }
        Fault::Redirect(status, location) => {
            Some(Replacement::Answer(Answer::redirect(*status, location)))
        }
        Fault::Hang => Some(Replacement::Answer(Answer::hang())),
        Fault::ResetBeforeAnswer => Some(Replacement::Reset),
        Fault::Delay(_)
        | Fault::LoseAnswer
        | Fault::ResetAfterHeaders
        | Fault::TruncateBody
        | Fault::SlowBody(_)
        | Fault::Html200
        | Fault::ContentType(_)
        | Fault::OtherJson(_)
        | Fault::EmptyBody
        | Fault::Gzip
        | Fault::OverlongBody(_)
        | Fault::RefuseConnection
        | Fault::ResetConnection
        | Fault::CertificateOf(_) => None,
    }
}

/// What a fault makes of a true answer.
pub(crate) fn bend(mut answer: Answer, fault: Option<Fault>) -> (Answer, Shape) {
    let Some(fault) = fault else {
        return (answer, Shape::Plain);
    };
    let shape = match &fault {
        Fault::ResetAfterHeaders => Shape::ResetAfterHeaders,
        Fault::TruncateBody => Shape::Truncated,
        Fault::SlowBody(pause) => Shape::Slow(*pause),
        Fault::Html200 => {
            answer = Answer::html(
                200,
                "<!doctype html><html><head><title>Sign in</title></head></html>",
            );
            Shape::Plain
        }
        Fault::ContentType(content_type) => {
            answer = answer.header("content-type", content_type);
            Shape::Plain
        }
        Fault::OtherJson(body) => {
            answer.body = Bytes::from(body.clone());
            Shape::Plain
        }
        Fault::EmptyBody => {
            answer.body = Bytes::new();
            Shape::Plain
        }
        Fault::Gzip => {
            answer.body = encode::gzip(&answer.body).into();
            answer = answer.header("content-encoding", "gzip");
            Shape::Plain
        }
        Fault::OverlongBody(spaces) => {
            let mut body = answer.body.to_vec();
            body.resize(body.len() + spaces, b' ');
            answer.body = body.into();
            Shape::Plain
        }
        Fault::Status { .. }
        | Fault::Redirect(..)
        | Fault::Hang
        | Fault::ResetBeforeAnswer
        | Fault::Delay(_)
        | Fault::LoseAnswer
        | Fault::RefuseConnection
        | Fault::ResetConnection
        | Fault::CertificateOf(_) => Shape::Plain,
    };
    (answer, shape)
}

async fn read(request: HttpRequest<Incoming>, host: &str) -> io::Result<Request> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, MAX_REQUEST_BODY)
        .collect()
        .await
        .map_err(io::Error::other)?;
    Ok(Request {
        method: parts.method.as_str().to_owned(),
        host: host.to_owned(),
        path: parts.uri.path().to_owned(),
        query: Query::parse(parts.uri.query().unwrap_or_default()),
        raw_query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: body.to_bytes(),
    })
}
