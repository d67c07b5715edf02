//! A TCP stream that can be torn: once its [`Tear`] is pulled, every read and write fails and the peer
//! sees a reset instead of an orderly end.
//!
//! It sits below TLS, so that a fault can strike at any moment of a connection's life. It never decides
//! when to tear; the connection module does.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The rope that tears one connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tear(Arc<AtomicBool>);

impl Tear {
    pub(crate) fn pull(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_pulled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A TCP stream with a rope.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    tear: Tear,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream) -> (Self, Tear) {
        let tear = Tear::default();
        let socket = Self {
            stream,
            tear: tear.clone(),
        };
        (socket, tear)
    }

    fn check(&self) -> io::Result<()> {
        if self.tear.is_pulled() {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.tear.is_pulled() {
            // Closing with a linger time of zero makes the kernel send RST. Failing to set it only makes
            // the end orderly, which the client still sees as a broken answer.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
