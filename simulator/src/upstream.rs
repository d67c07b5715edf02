//! Fetches the answer of a real web server on this machine that takes the place of a service's own.
//!
//! The services only say where it is and what is asked: they know no socket, and the world is not locked
//! while a real server thinks. Status, headers and body come back as they are, except for the headers that
//! belong to a connection. Nothing is followed and nothing repeated.

use std::error::Error;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::Request;
use hyper::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderName, TRANSFER_ENCODING};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::http::{Answer, Forward};

/// More than any page of a Spark UI.
const MAX_BODY: usize = 64 << 20;

/// Headers of one connection, which say nothing on the next.
const OF_A_CONNECTION: [HeaderName; 3] = [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING];

/// The answer itself, or the one that it leaves to another server. One that can't be reached is
/// what the driver proxy calls 503.
pub(crate) async fn resolve(answer: Answer) -> Answer {
    let Some(forward) = answer.forward.clone() else {
        return answer;
    };
    let mut fetched = match fetch(*forward).await {
        Ok(fetched) => fetched,
        Err(error) => Answer::text(503, format!("the driver gave no answer: {error}")),
    };
    fetched.violation = answer.violation;
    fetched
}

async fn fetch(forward: Forward) -> Result<Answer, Box<dyn Error + Send + Sync>> {
    let stream = TcpStream::connect(forward.to).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the sender; its error is the request's as well.
    tokio::spawn(connection);
    let mut request = Request::get(forward.target).body(Empty::<Bytes>::new())?;
    *request.headers_mut() = forward.headers;
    request.headers_mut().insert(HOST, forward.host.parse()?);
    let (parts, body) = sender.send_request(request).await?.into_parts();
    let body = Limited::new(body, MAX_BODY).collect().await?.to_bytes();
    let mut answer = Answer::text(parts.status.as_u16(), "");
    answer.headers = parts
        .headers
        .iter()
        .filter(|(name, _)| !OF_A_CONNECTION.contains(name))
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect();
    answer.body = body;
    Ok(answer)
}
