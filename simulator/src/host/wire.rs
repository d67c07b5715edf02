//! The host's side of the connection to the handler: HTTP/1.1 to the literal
//! address 127.0.0.1, and the port that is kept for the handler.
//!
//! It sends what it is given and returns what came back; what an answer means
//! is decided in `response.rs`. Nothing outside loopback is ever dialled.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream};

/// Pieces in which a body is sent; small, so that even a timer's arrives in
/// more than one chunk.
const CHUNK: usize = 256;

/// A port on loopback that nobody else is given while this value lives.
///
/// The real host binds, closes and hopes. Here the socket stays bound without
/// listening: a handler that sets `SO_REUSEADDR` (tokio and the standard library
/// do) can still take the port, parallel tests cannot, and a probe that dials
/// before the handler listens cannot connect to itself.
#[derive(Debug)]
pub struct PortReservation {
    socket: TcpSocket,
}

impl PortReservation {
    /// Reserves a free port on 127.0.0.1.
    ///
    /// # Errors
    ///
    /// What the operating system says when it has none.
    pub fn new() -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        Ok(Self { socket })
    }

    /// The port.
    ///
    /// # Errors
    ///
    /// What the operating system says when it does not tell.
    pub fn port(&self) -> io::Result<u16> {
        Ok(self.socket.local_addr()?.port())
    }
}

/// What the handler answered.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: Option<String>,
    pub(super) body: Bytes,
}

/// Why there was no answer.
#[derive(Debug)]
pub(super) enum WireError {
    /// Nobody listens, or the connection broke: the host's socket errors.
    Socket(String),
    /// Something answered, but not in HTTP.
    NotHttp(String),
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(detail) | Self::NotHttp(detail) => f.write_str(detail),
        }
    }
}

impl From<hyper::Error> for WireError {
    fn from(error: hyper::Error) -> Self {
        if error.is_parse() {
            Self::NotHttp(error.to_string())
        } else {
            Self::Socket(error.to_string())
        }
    }
}

/// Asks for `/`, as the readiness probe and the health ping do. Any status is
/// an answer.
pub(super) async fn probe(port: u16) -> Result<(), WireError> {
    let request = Request::builder()
        .uri("/")
        .header(HOST, format!("127.0.0.1:{port}"))
        .body(Empty::<Bytes>::new());
    send(port, request).await.map(drop)
}

/// Posts an invocation, in chunks and without a length.
pub(super) async fn post(
    port: u16,
    path: &str,
    headers: &[(&str, String)],
    body: &[u8],
) -> Result<Answer, WireError> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(HOST, format!("127.0.0.1:{port}"));
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let response = send(port, request.body(Chunks::of(body))).await?;
    let status = response.status().as_u16();
    let content_type = response
        .headers()
        .get(CONTENT_TYPE)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let body = response.into_body().collect().await?.to_bytes();
    Ok(Answer {
        status,
        content_type,
        body,
    })
}

async fn send<B>(
    port: u16,
    request: Result<Request<B>, hyper::http::Error>,
) -> Result<hyper::Response<Incoming>, WireError>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let request = request.map_err(|error| WireError::NotHttp(error.to_string()))?;
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|error| WireError::Socket(error.to_string()))?;
    let (mut sender, connection) = http1::Builder::new()
        .title_case_headers(true)
        .handshake(TokioIo::new(stream))
        .await?;
    // The connection ends by itself once its only request is answered or given up.
    tokio::spawn(connection);
    Ok(sender.send_request(request).await?)
}

/// A body whose length is not known beforehand, which makes it chunked.
struct Chunks(VecDeque<Bytes>);

impl Chunks {
    fn of(body: &[u8]) -> Self {
        Self(body.chunks(CHUNK).map(Bytes::copy_from_slice).collect())
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|chunk| Ok(Frame::data(chunk))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// Answers one connection with `answer`, and returns what was sent to it.
    async fn exchange(answer: &'static [u8]) -> (Result<Answer, WireError>, String) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut sent = Vec::new();
            while !sent.ends_with(b"0\r\n\r\n") {
                let count = stream.read_buf(&mut sent).await.expect("bytes");
                assert_ne!(count, 0, "the request ended early");
            }
            stream.write_all(answer).await.expect("written");
            String::from_utf8(sent).expect("text")
        });
        let headers = [("X-Azure-Functions-InvocationId", "7".to_owned())];
        let answer = post(port, "/F", &headers, &[b'x'; CHUNK + 1]).await;
        (answer, server.await.expect("the server's record"))
    }

    #[tokio::test]
    async fn an_invocation_is_chunked_http_1_1_without_a_length() {
        let (answer, sent) = exchange(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
        assert_eq!(&answer.expect("an answer").body[..], b"{}");
        let (head, body) = sent.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("POST /F HTTP/1.1\r\n"), "{head}");
        let head = head.to_ascii_lowercase();
        assert!(head.contains("\r\ntransfer-encoding: chunked"), "{head}");
        assert!(
            head.contains("\r\nx-azure-functions-invocationid: 7"),
            "{head}"
        );
        assert!(!head.contains("content-length"), "{head}");
        assert_eq!(
            body.matches("\r\n").count(),
            6,
            "two chunks and an end: {body}"
        );
    }

    #[tokio::test]
    async fn a_closed_connection_is_a_socket_error_and_nonsense_is_not() {
        let (closed, _) = exchange(b"").await;
        assert!(matches!(closed, Err(WireError::Socket(_))), "{closed:?}");
        let (nonsense, _) = exchange(b"220 smtp ready\r\n\r\n").await;
        assert!(
            matches!(nonsense, Err(WireError::NotHttp(_))),
            "{nonsense:?}"
        );
    }

    #[tokio::test]
    async fn a_reserved_port_refuses_until_someone_listens_on_it() {
        let reservation = PortReservation::new().expect("a port");
        let port = reservation.port().expect("its number");
        assert!(matches!(probe(port).await, Err(WireError::Socket(_))));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        assert!(listener.is_ok(), "{listener:?}");
    }
}
