//! The transport over real sockets.
//!
//! Two `reqwest` clients, built when first used: one for the hosts of the cloud,
//! through the proxy that the environment names, and one without proxy for the
//! managed identity endpoint, whose requests carry a secret header and must not
//! leave the machine. No redirect is followed, nothing is decompressed, nothing
//! is sent twice, and no more of a body is read than its cap. Only connecting has
//! a time here; whoever sends bounds the whole.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::Response;
use reqwest::{Client, ClientBuilder};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::sync::OnceCell;

use super::{
    Gate, NetworkLimits, Outgoing, Transport, TransportError, TransportErrorKind, too_large,
};
use crate::cloud::Destination;

/// How long a connection may rest before it is closed. A workspace's requests follow each
/// other more closely, and what rests for longer belongs to one that has been reported:
/// kept for as long as reqwest would, the connections of all workspaces would add up.
const REST: Duration = Duration::from_secs(2);

const USER_AGENT: &str = concat!("terminate-clusters/", env!("CARGO_PKG_VERSION"));

/// Sends requests over HTTPS.
pub struct HttpsTransport {
    gate: Gate,
    limits: NetworkLimits,
    /// A PEM file whose certificates are trusted besides the embedded roots.
    extra_roots: Option<PathBuf>,
    cloud: OnceCell<Client>,
    local: OnceCell<Client>,
}

impl HttpsTransport {
    /// Builds nothing yet, so it costs nothing until the first request.
    /// `extra_roots` is what `SSL_CERT_FILE` names.
    #[must_use]
    pub fn new(gate: Gate, limits: NetworkLimits, extra_roots: Option<PathBuf>) -> Self {
        Self {
            gate,
            limits,
            extra_roots,
            cloud: OnceCell::new(),
            local: OnceCell::new(),
        }
    }

    async fn client(&self, destination: Destination) -> Result<&Client, TransportError> {
        match destination {
            Destination::Login
            | Destination::ResourceManager
            | Destination::KeyVault
            | Destination::Workspace => {
                self.cloud
                    .get_or_try_init(|| async {
                        let roots = roots(self.extra_roots.as_deref())?;
                        build(self.builder().tls_certs_only(roots).https_only(true))
                    })
                    .await
            }
            Destination::ManagedIdentity => {
                self.local
                    .get_or_try_init(|| async {
                        build(self.builder().tls_certs_only([]).no_proxy())
                    })
                    .await
            }
        }
    }

    fn builder(&self) -> ClientBuilder {
        // Default features of the Azure SDK would switch reqwest's decompression
        // on for the whole build, and a small body could unfold past its cap.
        Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            // Without the number a copy of each request would be kept for its repetition.
            .retry(reqwest::retry::never().max_retries_per_request(0))
            .referer(false)
            .no_gzip()
            .no_deflate()
            .user_agent(USER_AGENT)
            .pool_idle_timeout(REST)
            .connect_timeout(self.limits.connect_timeout)
    }
}

impl fmt::Debug for HttpsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpsTransport")
            .field("gate", &self.gate)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Transport for HttpsTransport {
    async fn send(&self, request: Outgoing) -> Result<Response<Bytes>, TransportError> {
        let destination = self.gate.admit(&request.url)?;
        let client = self.client(destination).await?;
        let mut outgoing = reqwest::Request::new(request.method, request.url);
        *outgoing.headers_mut() = request.headers;
        if !request.body.is_empty() {
            *outgoing.body_mut() = Some(request.body.into());
        }
        let answer = client
            .execute(outgoing)
            .await
            .map_err(|error| explain(&error))?;
        receive(answer, request.body_cap).await
    }
}

async fn receive(
    mut answer: reqwest::Response,
    cap: usize,
) -> Result<Response<Bytes>, TransportError> {
    let announced = answer.content_length().unwrap_or(0);
    let announced = usize::try_from(announced).unwrap_or(usize::MAX);
    if announced > cap {
        return Err(too_large(cap));
    }
    let mut body = BytesMut::with_capacity(announced);
    while let Some(chunk) = answer.chunk().await.map_err(|error| explain(&error))? {
        if body.len() + chunk.len() > cap {
            return Err(too_large(cap));
        }
        body.extend_from_slice(&chunk);
    }
    let mut response = Response::new(body.freeze());
    *response.status_mut() = answer.status();
    *response.headers_mut() = std::mem::take(answer.headers_mut());
    Ok(response)
}

fn build(builder: ClientBuilder) -> Result<Client, TransportError> {
    builder.build().map_err(|error| {
        let detail = format!("the HTTPS client could not be built: {}", chain(&error));
        TransportError::new(TransportErrorKind::Other, true, &detail)
    })
}

/// The embedded roots and those of the PEM file. A system bundle may hold old
/// certificates that rustls refuses; they are left out, as rustls' own loader
/// does, but a file without any usable one is a mistake that must not pass.
fn roots(extra: Option<&Path>) -> Result<Vec<reqwest::Certificate>, TransportError> {
    let mut ders: Vec<CertificateDer<'static>> = webpki_root_certs::TLS_SERVER_ROOT_CERTS.to_vec();
    if let Some(path) = extra {
        ders.extend(read_roots(path).map_err(|why| {
            let detail = format!("SSL_CERT_FILE `{}` {why}", path.display());
            TransportError::new(TransportErrorKind::Tls, true, &detail)
        })?);
    }
    ders.iter()
        .map(|der| reqwest::Certificate::from_der(der))
        .collect::<Result<_, _>>()
        .map_err(|error| explain(&error))
}

fn read_roots(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = std::fs::read(path).map_err(|why| format!("can't be read: {why}"))?;
    let mut usable = Vec::new();
    for der in CertificateDer::pem_slice_iter(&pem) {
        let der = der.map_err(|why| format!("is no PEM file: {why}"))?;
        if RootCertStore::empty().add(der.clone()).is_ok() {
            usable.push(der);
        }
    }
    if usable.is_empty() {
        return Err("holds no certificate that can be used".into());
    }
    Ok(usable)
}

/// Names what happened from the chain of causes, whose top says only "error
/// sending request".
fn explain(error: &reqwest::Error) -> TransportError {
    let never_sent = error.is_connect() || error.is_builder();
    let kind = if error.is_timeout() {
        TransportErrorKind::Timeout
    } else if find(error, |cause| cause.is::<rustls::Error>()) {
        TransportErrorKind::Tls
    } else if error.is_dns() {
        TransportErrorKind::Dns
    } else if error.is_connect() {
        TransportErrorKind::Connect
    } else if find(error, is_break) {
        TransportErrorKind::Reset
    } else {
        TransportErrorKind::Other
    };
    TransportError::new(kind, never_sent, &chain(error))
}

/// What the operating system calls a connection that ended too early.
const BREAKS: [io::ErrorKind; 5] = [
    io::ErrorKind::ConnectionReset,
    io::ErrorKind::ConnectionAborted,
    io::ErrorKind::BrokenPipe,
    io::ErrorKind::NotConnected,
    io::ErrorKind::UnexpectedEof,
];

type Cause = dyn std::error::Error + 'static;

fn is_break(cause: &Cause) -> bool {
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        return error.is_incomplete_message() || error.is_closed() || error.is_canceled();
    }
    cause
        .downcast_ref::<io::Error>()
        .is_some_and(|error| BREAKS.contains(&error.kind()))
}

fn find(error: &reqwest::Error, wanted: impl Fn(&Cause) -> bool) -> bool {
    causes(error).into_iter().any(wanted)
}

/// All causes below the error itself. An `io::Error` hides what it wraps from
/// `source()`, which skips to that error's own cause.
fn causes(error: &reqwest::Error) -> Vec<&Cause> {
    let mut found: Vec<&Cause> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        found.push(cause);
        next = match cause.downcast_ref::<io::Error>() {
            Some(wrapper) => wrapper.get_ref().map(|inner| inner as &Cause),
            None => cause.source(),
        };
    }
    found
}

/// The causes' texts without repetitions. The top error is left out: its text
/// holds the URL with its query.
fn chain(error: &reqwest::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    for cause in causes(error) {
        if cause.is::<reqwest::Error>() {
            continue;
        }
        let text = cause.to_string();
        if !texts.iter().any(|known| known.contains(&text)) {
            texts.push(text);
        }
    }
    if texts.is_empty() {
        let what = if error.is_timeout() {
            "the time ran out"
        } else if error.is_builder() {
            "the request could not be built"
        } else {
            "no further cause is known"
        };
        return what.into();
    }
    texts.join(": ")
}

#[cfg(test)]
mod tests;
