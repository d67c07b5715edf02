//! The CONNECT proxy through which clients reach the pretend cloud under its public host names, and the
//! plain loopback port of the managed identity.
//!
//! Anything but CONNECT to port 443 of a host that the world knows is refused and written down: a refused
//! host is what a client behind a proxy sees of a name that DNS does not know. What happens inside a
//! connection is the `connection` module's.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::connection::{self, Shared, lock};
use crate::fault::Fault;
use crate::services::{self, Service};
use crate::socket::Socket;

const MAX_HEAD: usize = 16 * 1024;
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Accepts proxy clients for as long as the runtime lives.
pub(crate) async fn accept_proxy(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let stream = next_client(&listener).await;
        let shared = Arc::clone(&shared);
        // A failure here is a client that went away or would not speak TLS; the record shows how far it
        // came.
        tokio::spawn(async move { tunnel(stream, shared).await.ok() });
    }
}

/// Accepts clients of the managed identity's endpoint.
pub(crate) async fn accept_identity(listener: TcpListener, shared: Arc<Shared>) {
    let host: Arc<str> = services::IDENTITY_HOST.into();
    loop {
        let (socket, tear) = Socket::new(next_client(&listener).await);
        tokio::spawn(connection::serve(
            Arc::clone(&shared),
            socket,
            tear,
            Arc::clone(&host),
        ));
    }
}

async fn next_client(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // Accepting fails when the process is out of file handles, until some are closed.
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn tunnel(stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    // Small writes of a handshake must not wait for each other.
    stream.set_nodelay(true)?;
    let (mut socket, tear) = Socket::new(stream);
    let head = read_head(&mut socket).await?;
    let first_line = head.lines().next().unwrap_or_default();
    let mut words = first_line.split(' ');
    let (Some("CONNECT"), Some(target)) = (words.next(), words.next()) else {
        let why = format!(
            "the proxy was asked for {:?}, which is no CONNECT",
            first_line
        );
        lock(&shared.record).violation(why);
        return refuse(&mut socket, "405 Method Not Allowed").await;
    };
    let Some(host) = admit(&shared, target) else {
        return refuse(&mut socket, "502 Bad Gateway").await;
    };
    let fault = lock(&shared.faults).strike_connection(&host);
    let certified = match fault {
        Some(Fault::RefuseConnection) => {
            lock(&shared.record).connect(target, false);
            return refuse(&mut socket, "502 Bad Gateway").await;
        }
        Some(Fault::ResetConnection) => {
            lock(&shared.record).connect(target, false);
            tear.pull();
            return Ok(());
        }
        Some(Fault::CertificateOf(other)) => other,
        Some(_) | None => host.clone(),
    };
    lock(&shared.record).connect(target, true);
    let config = shared.authority.server_config(&certified)?;
    socket
        .write_all(b"HTTP/1.1 200 Connection Established\r\n\r\n")
        .await?;
    let stream = TlsAcceptor::from(config).accept(socket).await?;
    connection::serve(shared, stream, tear, host.into()).await;
    Ok(())
}

/// The host of a CONNECT target, if the world knows it.
fn admit(shared: &Shared, target: &str) -> Option<String> {
    let (host, port) = target.rsplit_once(':').unwrap_or((target, ""));
    let host = host.to_ascii_lowercase();
    let service = services::service_of(&lock(&shared.world), &host);
    let is_known = matches!(
        service,
        Service::Entra | Service::Arm | Service::Vault | Service::Databricks
    );
    if is_known && port == "443" {
        return Some(host);
    }
    let mut record = lock(&shared.record);
    record.connect(target, false);
    if service != Service::NoSuchHost {
        record.violation(format!("a connection to {target}, which nobody arranged"));
    }
    None
}

async fn refuse(socket: &mut Socket, status: &str) -> io::Result<()> {
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    socket.write_all(answer.as_bytes()).await?;
    socket.shutdown().await
}

/// Reads up to the empty line that ends a request's head. A client waits for the answer to its CONNECT
/// before it sends more, so nothing after the head can be lost.
async fn read_head(socket: &mut Socket) -> io::Result<String> {
    let mut head = Vec::with_capacity(512);
    let mut buffer = [0; 2048];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let count = socket.read(&mut buffer).await?;
        if count == 0 || head.len() + count > MAX_HEAD {
            return Err(io::ErrorKind::InvalidData.into());
        }
        head.extend_from_slice(&buffer[..count]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}
