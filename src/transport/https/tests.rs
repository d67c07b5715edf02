//! Tests of the real transport over loopback sockets. The managed identity
//! endpoint is the way in without TLS; TLS is seen by the whole-path tests.

use std::io::Write as _;
use std::time::Duration;

use http::HeaderValue;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::cloud::Cloud;
use crate::service::testing::limits;
use crate::transport::ManagedIdentityEndpoint;
use crate::transport::testing::outgoing;

/// Serves each connection with `answer` after the request's head, then closes.
async fn serve(answer: impl Into<Vec<u8>>) -> u16 {
    let answer = answer.into();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut head = Vec::new();
            let mut buffer = [0; 1024];
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                match socket.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(length) => head.extend_from_slice(&buffer[..length]),
                }
            }
            // The client may have gone; the test sees that on its side.
            let _ = socket.write_all(&answer).await;
        }
    });
    port
}

fn transport(port: u16) -> HttpsTransport {
    let endpoint = format!("http://127.0.0.1:{port}/msi/token");
    let endpoint = ManagedIdentityEndpoint::parse(&endpoint).ok();
    HttpsTransport::new(Gate::new(Cloud::public(), endpoint), limits(), None)
}

async fn get(port: u16, cap: usize) -> Result<Response<Bytes>, TransportError> {
    let url = format!("http://127.0.0.1:{port}/msi/token?resource=planted");
    let mut request = outgoing(&url, cap);
    let header = HeaderValue::from_static("planted-header");
    request.headers.insert("x-identity-header", header);
    transport(port).send(request).await
}

#[tokio::test]
async fn an_answer_comes_whole_with_status_and_headers() {
    let port = serve("HTTP/1.1 418 x\r\nretry-after: 7\r\ncontent-length: 3\r\n\r\nabc").await;
    let answer = get(port, 3).await.expect("an answer");
    assert_eq!(answer.status(), 418);
    assert_eq!(answer.headers()["retry-after"], "7");
    assert_eq!(&answer.body()[..], b"abc");
}

/// Answers each request on the first connection, and says whether the client then closed
/// it.
async fn keep_alive() -> (u16, tokio::task::JoinHandle<io::Result<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let served = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await?;
        let mut buffer = [0; 4096];
        loop {
            let read = socket.read(&mut buffer).await?;
            if read == 0 {
                return Ok(read);
            }
            let answer = b"HTTP/1.1 200 x\r\ncontent-length: 0\r\n\r\n";
            socket.write_all(answer).await?;
        }
    });
    (port, served)
}

#[tokio::test]
async fn a_connection_is_used_again_and_closed_when_it_has_rested() {
    let (port, served) = keep_alive().await;
    let transport = transport(port);
    for _ in 0..2 {
        let url = format!("http://127.0.0.1:{port}/msi/token");
        transport.send(outgoing(&url, 0)).await.expect("an answer");
    }
    let patience = REST * 10;
    let closed = tokio::time::timeout(patience, served).await;
    assert_eq!(closed.expect("closed").expect("a task").expect("an end"), 0);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let head = "HTTP/1.1 307 x\r\nlocation: /msi/token?again\r\ncontent-length: 0\r\n\r\n";
    let answer = get(serve(head).await, 10).await.expect("an answer");
    assert_eq!(answer.status(), 307);
    assert_eq!(answer.headers()["location"], "/msi/token?again");
}

#[tokio::test]
async fn no_more_of_a_body_is_read_than_its_cap() {
    let announced = "HTTP/1.1 200 x\r\ncontent-length: 1000000\r\n\r\nabc"
        .as_bytes()
        .to_vec();
    let mut chunked = b"HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..1000 {
        write!(chunked, "400\r\n{}\r\n", "x".repeat(1024)).expect("memory");
    }
    for answer in [announced, chunked] {
        let error = get(serve(answer).await, 4096).await.expect_err("too large");
        assert_eq!(error.kind, TransportErrorKind::BodyTooLarge, "{error}");
    }
}

#[tokio::test]
async fn a_compressed_body_is_not_unfolded() {
    let head = "HTTP/1.1 200 x\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc";
    let answer = get(serve(head).await, 10).await.expect("an answer");
    assert_eq!(&answer.body()[..], b"abc");
}

#[tokio::test]
async fn a_connection_that_breaks_off_is_a_reset() {
    for answer in [
        "",
        "HTTP/1.1 200 x\r\ncontent-length: 9\r\n\r\nabc",
        "HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
        "HTTP/1.1 20",
    ] {
        let error = get(serve(answer).await, 100).await.expect_err("broken");
        assert_eq!(error.kind, TransportErrorKind::Reset, "{answer}: {error}");
        assert!(!error.never_sent, "{answer}");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_http_is_something_else() {
    let error = get(serve("220 smtp\r\n\r\n").await, 100)
        .await
        .expect_err("no HTTP");
    assert_eq!(error.kind, TransportErrorKind::Other, "{error}");
}

#[tokio::test]
async fn a_refused_connection_was_never_sent_and_shows_no_query() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let error = get(port, 100).await.expect_err("refused");
    assert_eq!(error.kind, TransportErrorKind::Connect, "{error}");
    assert!(error.never_sent);
    let shown = format!("{error} {error:?} {:?}", transport(port));
    assert!(!shown.contains("planted"), "{shown}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_forbidden_host_gets_no_connection() {
    let port = serve("HTTP/1.1 200 x\r\n\r\n").await;
    let other = outgoing(&format!("http://127.0.0.1:{port}/other"), 0);
    let error = transport(port).send(other).await.expect_err("refused");
    assert_eq!(error.kind, TransportErrorKind::Refused);
    assert!(error.never_sent);
}

/// What a plain client makes of a URL; the proxy is given here because a test
/// can't set the environment.
async fn failure(url: &str, proxy: Option<u16>) -> TransportError {
    let builder = Client::builder().tls_certs_only([]).timeout(PATIENCE);
    let builder = match proxy {
        Some(port) => {
            let proxy = format!("http://127.0.0.1:{port}");
            builder.proxy(reqwest::Proxy::https(proxy).expect("a proxy"))
        }
        None => builder.no_proxy(),
    };
    let client = builder.build().expect("a client");
    explain(&client.get(url).send().await.expect_err("a failure"))
}

/// Longer than any test; a machine under load is no fault.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_handshake_without_end_is_a_timeout_before_anything_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let builder = Client::builder().tls_certs_only([]).no_proxy();
    let builder = builder.connect_timeout(Duration::from_millis(500));
    let client = builder.build().expect("a client");
    let sending = client.get(format!("https://127.0.0.1:{port}/")).send();
    let error = explain(&sending.await.expect_err("a failure"));
    assert_eq!(error.kind, TransportErrorKind::Timeout, "{error}");
    assert!(error.never_sent, "{error}");
}

#[tokio::test]
async fn a_name_without_an_address_is_dns() {
    let error = failure("http://planted.invalid/?planted-query", None).await;
    assert_eq!(error.kind, TransportErrorKind::Dns, "{error}");
    assert!(error.never_sent);
    assert!(!error.to_string().contains("planted-query"), "{error}");
}

/// Answers each thing that it reads with the next of `answers`, and stays.
async fn talk(answers: &'static [&'static str]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut buffer = [0; 4096];
            for answer in answers {
                if matches!(socket.read(&mut buffer).await, Ok(0) | Err(_)) {
                    break;
                }
                let _ = socket.write_all(answer.as_bytes()).await;
            }
            while matches!(socket.read(&mut buffer).await, Ok(1..)) {}
        }
    });
    port
}

#[tokio::test]
async fn a_peer_that_speaks_no_tls_is_tls() {
    const PLAIN: &str = "HTTP/1.1 400 Bad Request\r\n\r\n";
    let port = talk(&[PLAIN]).await;
    let direct = failure(&format!("https://127.0.0.1:{port}/"), None).await;
    let proxy = talk(&["HTTP/1.1 200 OK\r\n\r\n", PLAIN]).await;
    let tunnelled = failure("https://planted.invalid/", Some(proxy)).await;
    for error in [direct, tunnelled] {
        assert_eq!(error.kind, TransportErrorKind::Tls, "{error}");
        assert!(error.never_sent);
    }
}

#[tokio::test]
async fn a_proxy_that_opens_no_tunnel_is_connect() {
    for answer in [
        "HTTP/1.1 502 Bad Gateway\r\n\r\n",
        "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
        "",
    ] {
        let error = failure("https://planted.invalid/", Some(serve(answer).await)).await;
        assert_eq!(error.kind, TransportErrorKind::Connect, "{answer}: {error}");
        assert!(error.never_sent, "{answer}");
    }
}

fn pem_file(content: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(content).expect("a disk");
    file
}

fn pem(der: &[u8]) -> String {
    let text = azure_core::base64::encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

#[test]
fn extra_roots_join_the_embedded_ones() {
    let embedded = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
    let unusable = pem(b"no certificate at all");
    let content = format!("# a comment\n{unusable}{}", pem(&embedded[0]));
    let file = pem_file(content.as_bytes());
    let roots = roots(Some(file.path())).expect("roots");
    assert_eq!(roots.len(), embedded.len() + 1);
    assert_eq!(super::roots(None).expect("roots").len(), embedded.len());
}

#[tokio::test]
async fn a_file_without_a_usable_certificate_is_a_clear_error() {
    let request = || outgoing("https://adb-5.1.azuredatabricks.net/", 0);
    let unusable = pem(b"no certificate at all");
    for (content, part) in [
        (&b""[..], "holds no certificate that can be used"),
        (b"hello", "holds no certificate that can be used"),
        (unusable.as_bytes(), "holds no certificate that can be used"),
        (
            b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
            "is no PEM file",
        ),
    ] {
        let file = pem_file(content);
        let path = Some(file.path().to_owned());
        let transport = HttpsTransport::new(Gate::new(Cloud::public(), None), limits(), path);
        let error = transport.send(request()).await.expect_err(part);
        assert_eq!(
            (error.kind, error.never_sent),
            (TransportErrorKind::Tls, true)
        );
        assert!(error.detail.starts_with("SSL_CERT_FILE `/"), "{error}");
        assert!(error.detail.contains(part), "{error}");
    }
    let path = Some(PathBuf::from("/nowhere/ca.pem"));
    let transport = HttpsTransport::new(Gate::new(Cloud::public(), None), limits(), path);
    let error = transport.send(request()).await.expect_err("no file");
    assert!(
        error.detail.contains("`/nowhere/ca.pem` can't be read"),
        "{error}"
    );
}
