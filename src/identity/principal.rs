//! The service principal's tenant id, client id and client secret.
//!
//! What the vault holds of them is read once per sweep, and once more after Entra
//! has refused it: that is how a rotation in the middle of a sweep is noticed.
//! Nothing is written back, and no value reaches an error text, not even a malformed id,
//! because a secret may have been put into the wrong place.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::slot::FAILURE_LASTS;
use super::{SecretErrorKind, SecretName, SecretSource, TokenError, TokenErrorKind};

/// Where an id is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdSource {
    /// In the settings themselves; they have checked it.
    Settings(String),
    /// In a secret of the vault.
    Secret(SecretName),
}

/// Where the id can be corrected, for an error's sentence.
impl fmt::Display for IdSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(id) => write!(f, "the settings (`{id}`)"),
            Self::Secret(name) => write!(f, "secret `{name}`"),
        }
    }
}

/// The application that a service principal stands for, and where its parts are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    pub tenant_id: IdSource,
    pub client_id: IdSource,
    pub client_secret: SecretName,
}

const CLIENT_ID: &str = "a client id (the application's GUID)";

/// What a token is asked with.
pub(super) struct Credentials {
    pub(super) tenant_id: String,
    pub(super) client_id: String,
    pub(super) client_secret: SecretString,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

impl Credentials {
    fn are(&self, other: &Self) -> bool {
        let Self {
            tenant_id,
            client_id,
            client_secret,
        } = self;
        *tenant_id == other.tenant_id
            && *client_id == other.client_id
            && client_secret.expose_secret() == other.client_secret.expose_secret()
    }
}

/// Reads the secrets and keeps them for one sweep.
#[derive(Debug)]
pub(super) struct Principal {
    source: Arc<dyn SecretSource>,
    application: Application,
    state: Mutex<State>,
    reads: AtomicU64,
    time_ms: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    current: Option<Arc<Credentials>>,
    failure: Option<(TokenError, Instant)>,
    read_again: bool,
}

impl Principal {
    pub(super) fn new(source: Arc<dyn SecretSource>, application: Application) -> Self {
        Self {
            source,
            application,
            state: Mutex::default(),
            reads: AtomicU64::new(0),
            time_ms: AtomicU64::new(0),
        }
    }

    pub(super) fn application(&self) -> &Application {
        &self.application
    }

    /// Reads that were answered, and the time that reading took.
    pub(super) fn usage(&self) -> (u64, Duration) {
        let time = Duration::from_millis(self.time_ms.load(Ordering::Relaxed));
        (self.reads.load(Ordering::Relaxed), time)
    }

    /// The credentials, read by the first asker while the others wait.
    pub(super) async fn current(&self) -> Result<Arc<Credentials>, TokenError> {
        let mut state = self.state.lock().await;
        if let Some(current) = &state.current {
            return Ok(current.clone());
        }
        if let Some((error, until)) = &state.failure
            && Instant::now() < *until
        {
            return Err(error.clone());
        }
        match self.read_all().await {
            Ok(credentials) => {
                let credentials = Arc::new(credentials);
                state.current = Some(credentials.clone());
                Ok(credentials)
            }
            Err(error) => {
                state.failure = Some((error.clone(), Instant::now() + FAILURE_LASTS));
                Err(error)
            }
        }
    }

    /// Other credentials than the refused ones, if there are any: those that
    /// another audience has read since, or those of the one further reading that
    /// a sweep makes.
    pub(super) async fn renewed(&self, refused: &Arc<Credentials>) -> Option<Arc<Credentials>> {
        let mut state = self.state.lock().await;
        if let Some(current) = &state.current
            && !Arc::ptr_eq(current, refused)
        {
            return Some(current.clone());
        }
        if state.read_again {
            return None;
        }
        state.read_again = true;
        match self.read_all().await {
            Ok(credentials) if !credentials.are(refused) => {
                tracing::info!("Read a rotated service principal from Key Vault");
                let credentials = Arc::new(credentials);
                state.current = Some(credentials.clone());
                Some(credentials)
            }
            Ok(_) => None,
            Err(why) => {
                tracing::debug!(%why, "Read no service principal again");
                None
            }
        }
    }

    /// The client id alone; a sweep has read it with the rest.
    pub(super) async fn client_id(&self) -> Result<String, TokenError> {
        if let Some(current) = &self.state.lock().await.current {
            return Ok(current.client_id.clone());
        }
        let source = &self.application.client_id;
        self.read_id(source, is_client_id, CLIENT_ID).await
    }

    /// One after the other: where the first fails, the rest would fail alike.
    async fn read_all(&self) -> Result<Credentials, TokenError> {
        let Application {
            tenant_id,
            client_id,
            client_secret,
        } = &self.application;
        let tenant = "a tenant id (a GUID, or the tenant's domain)";
        let tenant_id = self.read_id(tenant_id, is_tenant_id, tenant).await?;
        let client_id = self.read_id(client_id, is_client_id, CLIENT_ID).await?;
        let secret = self.read(client_secret).await?;
        let secret = secret.expose_secret().trim();
        if secret.is_empty() {
            return Err(misplaced(client_secret, "a client secret"));
        }
        Ok(Credentials {
            tenant_id,
            client_id,
            client_secret: SecretString::from(secret),
        })
    }

    async fn read_id(
        &self,
        source: &IdSource,
        is_right: fn(&str) -> bool,
        wanted: &str,
    ) -> Result<String, TokenError> {
        let name = match source {
            IdSource::Settings(id) => return Ok(id.clone()),
            IdSource::Secret(name) => name,
        };
        let value = self.read(name).await?;
        let id = value.expose_secret().trim();
        if is_right(id) {
            Ok(id.to_owned())
        } else {
            Err(misplaced(name, wanted))
        }
    }

    async fn read(&self, name: &SecretName) -> Result<SecretString, TokenError> {
        let started = Instant::now();
        let result = self.source.read(name).await;
        let elapsed = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.time_ms.fetch_add(elapsed, Ordering::Relaxed);
        let answered = match &result {
            Ok(_) => true,
            Err(error) => match error.kind {
                SecretErrorKind::NotFound
                | SecretErrorKind::Forbidden
                | SecretErrorKind::Disabled
                | SecretErrorKind::Empty
                | SecretErrorKind::Unexpected => true,
                SecretErrorKind::Login | SecretErrorKind::Unavailable => false,
            },
        };
        self.reads.fetch_add(u64::from(answered), Ordering::Relaxed);
        result.map_err(|error| TokenError {
            kind: TokenErrorKind::Secret,
            aadsts: None,
            sentence: error.sentence,
        })
    }
}

fn misplaced(name: &SecretName, wanted: &str) -> TokenError {
    TokenError {
        kind: TokenErrorKind::Secret,
        aadsts: None,
        sentence: format!(
            "secret `{name}` does not hold {wanted}; store it there or name another secret"
        ),
    }
}

/// A GUID, or a domain of the tenant.
pub(crate) fn is_tenant_id(text: &str) -> bool {
    is_guid(text) || is_domain(text)
}

/// The application's GUID.
pub(crate) fn is_client_id(text: &str) -> bool {
    is_guid(text)
}

fn is_guid(text: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let parts: Vec<&str> = text.split('-').collect();
    parts.len() == lengths.len()
        && parts.iter().zip(lengths).all(|(part, length)| {
            part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
}

fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_ids_from_secrets() {
        assert!(is_guid("2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"));
        for text in [
            "",
            "2ff814a6-3304-4ab8-85cb-cd0e6f879c1",
            "2ff814a633044ab885cbcd0e6f879c1d",
            "2ff814a6-3304-4ab8-85cb-cd0e6f879c1g",
            "{2ff814a6-3304-4ab8-85cb-cd0e6f879c1d}",
        ] {
            assert!(!is_guid(text), "{text}");
        }
        assert!(is_domain("contoso.onmicrosoft.com"));
        for text in [
            "", "common", "a..b", ".a", "a.", "a/b.c", "a b.c", "-a.b", "a~8.Q",
        ] {
            assert!(!is_domain(text), "{text}");
        }
    }
}
