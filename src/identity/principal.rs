//! An application's tenant id, client id, and what proves that we are it.
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
use super::{
    Application, CredentialSource, IdSource, PlatformIdentity, SecretErrorKind, SecretName,
    SecretSource, StoredSecret, TokenError, TokenErrorKind,
};
use crate::certificate::Certificate;
use crate::timestamp::Timestamp;
use crate::transport::Network;
use crate::transport::sdk::Trace;

const CLIENT_ID: &str = "a client id (the application's GUID)";

/// What a token is asked with.
pub(super) struct Credentials {
    pub(super) tenant_id: String,
    pub(super) client_id: String,
    pub(super) means: Means,
}

/// What proves to Entra that we are the application.
pub(super) enum Means {
    ClientSecret(SecretString),
    Certificate(Certificate),
    /// The managed identity's token.
    Assertion(SecretString),
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
            means,
        } = self;
        *tenant_id == other.tenant_id && *client_id == other.client_id && means.are(&other.means)
    }
}

impl Means {
    fn are(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::ClientSecret(one), Self::ClientSecret(other))
            | (Self::Assertion(one), Self::Assertion(other)) => {
                one.expose_secret() == other.expose_secret()
            }
            (Self::Certificate(one), Self::Certificate(other)) => one.is(other),
            (Self::ClientSecret(_) | Self::Certificate(_) | Self::Assertion(_), _) => false,
        }
    }
}

/// Reads what proves an application and keeps it for one sweep.
#[derive(Debug)]
pub(super) struct Principal {
    network: Network,
    vault: Option<Arc<dyn SecretSource>>,
    platform: PlatformIdentity,
    application: Application,
    state: Mutex<State>,
    valid_until: std::sync::Mutex<Option<Timestamp>>,
    reads: AtomicU64,
    time_ms: AtomicU64,
    assertions: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    current: Option<Arc<Credentials>>,
    failure: Option<(TokenError, Instant)>,
    read_again: bool,
}

impl Principal {
    pub(super) fn new(
        network: Network,
        vault: Option<Arc<dyn SecretSource>>,
        platform: PlatformIdentity,
        application: Application,
    ) -> Self {
        Self {
            network,
            vault,
            platform,
            application,
            state: Mutex::default(),
            valid_until: std::sync::Mutex::default(),
            reads: AtomicU64::new(0),
            time_ms: AtomicU64::new(0),
            assertions: AtomicU64::new(0),
        }
    }

    pub(super) fn application(&self) -> &Application {
        &self.application
    }

    /// Reads that were answered, the time that reading took, and the managed
    /// identity's tokens that were answered.
    pub(super) fn usage(&self) -> (u64, Duration, u64) {
        let time = Duration::from_millis(self.time_ms.load(Ordering::Relaxed));
        let assertions = self.assertions.load(Ordering::Relaxed);
        (self.reads.load(Ordering::Relaxed), time, assertions)
    }

    /// How long what was read last is good.
    pub(super) fn valid_until(&self) -> Option<Timestamp> {
        *self.valid_until_lock()
    }

    fn valid_until_lock(&self) -> std::sync::MutexGuard<'_, Option<Timestamp>> {
        let held = self.valid_until.lock();
        held.unwrap_or_else(std::sync::PoisonError::into_inner)
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
                tracing::info!("Read a changed service principal");
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
            credential,
        } = &self.application;
        let tenant = "a tenant id (a GUID, or the tenant's domain)";
        let tenant_id = self.read_id(tenant_id, is_tenant_id, tenant).await?;
        let client_id = self.read_id(client_id, is_client_id, CLIENT_ID).await?;
        let means = match credential {
            CredentialSource::ClientSecret(name) => self.client_secret(name).await?,
            CredentialSource::Certificate(name) => self.certificate(name).await?,
            CredentialSource::Federated => self.assertion().await?,
        };
        Ok(Credentials {
            tenant_id,
            client_id,
            means,
        })
    }

    async fn client_secret(&self, name: &SecretName) -> Result<Means, TokenError> {
        let secret = self.read(name).await?;
        *self.valid_until_lock() = secret.expires;
        match secret.value.expose_secret().trim() {
            "" => Err(misplaced(name, "a client secret")),
            value => Ok(Means::ClientSecret(SecretString::from(value))),
        }
    }

    /// The certificate's own end counts, not the date that the vault has for it.
    async fn certificate(&self, name: &SecretName) -> Result<Means, TokenError> {
        let secret = self.read(name).await?;
        let unusable = |why: String| unreadable(format!("secret `{name}` {why}"));
        let read = self.opened(secret.value).await.map_err(unusable)?;
        *self.valid_until_lock() = Some(read.valid_until());
        read.check(self.network.clock.now()).map_err(unusable)?;
        Ok(Means::Certificate(read))
    }

    /// On a thread of its own, because a PKCS#12 file says itself how long it takes to
    /// open, and all other principals live on this one.
    async fn opened(&self, value: SecretString) -> Result<Certificate, String> {
        let now = self.network.clock.now();
        let read = move || Certificate::read(value.expose_secret(), now);
        let patience = self.network.limits.token_timeout;
        let work = tokio::task::spawn_blocking(read);
        match tokio::time::timeout(patience, work).await {
            Ok(Ok(read)) => read,
            Ok(Err(_)) => Err("could not be read to its end; store the certificate anew".into()),
            Err(_) => Err(format!(
                "was not read within {}s; store the certificate anew, as PEM",
                patience.as_secs()
            )),
        }
    }

    async fn assertion(&self) -> Result<Means, TokenError> {
        let count = |trace: &Trace| {
            let answered = trace.answered();
            self.assertions.fetch_add(answered, Ordering::Relaxed);
        };
        let audience = self.network.cloud.token_exchange_audience();
        let scope = format!("{audience}/.default");
        let token = self.platform.token(&self.network, &scope, count).await?;
        let token = token.token.secret();
        if token.is_empty() {
            return Err(unreadable(
                "App Service answered without a token for the managed identity".into(),
            ));
        }
        Ok(Means::Assertion(SecretString::from(token)))
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
        let id = value.value.expose_secret().trim();
        if is_right(id) {
            Ok(id.to_owned())
        } else {
            Err(misplaced(name, wanted))
        }
    }

    async fn read(&self, name: &SecretName) -> Result<StoredSecret, TokenError> {
        let Some(vault) = &self.vault else {
            return Err(unreadable(format!(
                "secret `{name}` is in no vault that the settings name"
            )));
        };
        let started = Instant::now();
        let result = vault.read(name).await;
        let elapsed = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.time_ms.fetch_add(elapsed, Ordering::Relaxed);
        let answered = match &result {
            Ok(_) => true,
            Err(error) => match error.kind {
                SecretErrorKind::NotFound
                | SecretErrorKind::Forbidden
                | SecretErrorKind::Firewall
                | SecretErrorKind::Disabled
                | SecretErrorKind::Empty
                | SecretErrorKind::Unexpected => true,
                SecretErrorKind::Login | SecretErrorKind::Unavailable => false,
            },
        };
        self.reads.fetch_add(u64::from(answered), Ordering::Relaxed);
        result.map_err(|error| unreadable(error.sentence))
    }
}

fn misplaced(name: &SecretName, wanted: &str) -> TokenError {
    unreadable(format!(
        "secret `{name}` does not hold {wanted}; store it there or name another secret"
    ))
}

fn unreadable(sentence: String) -> TokenError {
    TokenError {
        kind: TokenErrorKind::Secret,
        aadsts: None,
        sentence,
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
