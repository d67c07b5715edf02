//! A real Spark UI on this machine that answers in the place of a pretended driver.
//!
//! The model only: what reaches it is decided in `databricks::real`, and the exchange is the `upstream`
//! module's, because the world knows no socket.

use std::net::SocketAddr;

use super::spark::Spark;

/// A real Spark UI, behind the pretend driver proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Where it listens, on loopback.
    pub address: SocketAddr,
    /// What it is told as its host.
    pub host: UpstreamHost,
}

/// The `Host` that a real Spark UI reads, of which it makes the addresses of its redirects. Which one
/// Databricks' proxy sends is not documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamHost {
    /// The workspace's, as the client sent it.
    PassedOn,
    /// This one, such as the address at which a proxy would reach the driver.
    Named(&'static str),
}

impl Spark {
    /// A real Spark UI, which answers for itself.
    pub fn real(address: SocketAddr, host: UpstreamHost) -> Self {
        Self {
            upstream: Some(Upstream { address, host }),
            ..Self::quiet()
        }
    }
}
