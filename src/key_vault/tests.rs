//! Tests of the key vault through the SDK's client, without sockets. The login
//! asks a pretend App Service endpoint, as the SDK's managed identity does; that
//! one itself reads the process's environment, which a test can't set.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use azure_core::credentials::{AccessToken, TokenRequestOptions};
use azure_core::error::ErrorKind;
use azure_core::http::{Method, Request as SdkRequest};
use azure_core::time::OffsetDateTime;
use bytes::Bytes;
use http::{Request, Response};
use secrecy::ExposeSecret;
use tokio::time::Instant;

use super::*;
use crate::cloud::Cloud;
use crate::service::testing::{answer, network_behind};
use crate::transport::{
    Gate, ManagedIdentityEndpoint, MemoryTransport, TransportError, TransportErrorKind,
};

const ENDPOINT: &str = "http://127.0.0.1:41741/msi/token";
const VALUE: &str = "planted-value";

type Answer = Result<Response<Bytes>, TransportError>;

/// A login over the same transport, traced as the SDK's own ones are.
#[derive(Debug)]
struct Login(Network);

#[async_trait]
impl TokenCredential for Login {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let url = format!("{ENDPOINT}?resource={}", scopes[0]);
        let mut request = SdkRequest::new(url.parse()?, Method::Get);
        request.insert_header("x-identity-header", "planted-header");
        let context = options.unwrap_or_default().method_options.context;
        let transport = sdk::client_options(&self.0).transport.expect("ours");
        let answer = transport.send(&context, &mut request).await?;
        if *answer.status() != 200 {
            return Err(azure_core::Error::with_message(
                ErrorKind::Credential,
                "refused",
            ));
        }
        let ends = OffsetDateTime::now_utc() + Duration::from_secs(3600);
        Ok(AccessToken::new("planted-token", ends))
    }
}

/// A vault whose authorised requests and whose login answer from lists.
struct World {
    vault: KeyVault,
    transport: Arc<MemoryTransport>,
}

impl World {
    fn new(login: Vec<Answer>, vault: Vec<Answer>) -> Self {
        let scripts = Mutex::new((VecDeque::from(login), VecDeque::from(vault)));
        Self::played(move |request| {
            let (login, vault) = &mut *scripts.lock().expect("no panic");
            let ended = || answer(500, "text/plain", "script at its end");
            if request.uri().host() == Some("127.0.0.1") {
                return login.pop_front().unwrap_or_else(|| answer(200, "", ""));
            }
            if request.headers().contains_key("authorization") {
                return vault.pop_front().unwrap_or_else(ended);
            }
            challenge("https://vault.azure.net")
        })
    }

    fn played(play: impl Fn(&Request<Bytes>) -> Answer + Send + Sync + 'static) -> Self {
        let endpoint = ManagedIdentityEndpoint::parse(ENDPOINT).ok();
        let gate = Gate::new(Cloud::public(), endpoint);
        let (network, transport) = network_behind(gate, move |request| {
            let answer = play(&request);
            async move { answer }
        });
        let url = Cloud::public()
            .key_vault_url("https://my-vault.vault.azure.net")
            .expect("a vault");
        let login = VaultLogin::Given(Arc::new(Login(network.clone())));
        let vault = KeyVault::new(network, &url, &login).expect("a vault");
        Self { vault, transport }
    }

    async fn read(&self, name: &str) -> Result<SecretString, SecretError> {
        let name = SecretName::parse(name).expect("a name");
        self.vault.read(&name).await.map(|secret| secret.value)
    }

    fn urls(&self) -> Vec<String> {
        let sent = self.transport.sent();
        sent.iter().map(|one| one.url.to_string()).collect()
    }
}

fn challenge(resource: &str) -> Answer {
    Ok(Response::builder()
        .status(401)
        .header("www-authenticate", format!(r#"Bearer authorization="https://login.windows.net/t", resource="{resource}""#))
        .body(Bytes::from(r#"{"error":{"code":"Unauthorized","message":"AKV10000: Request is missing a Bearer or PoP token."}}"#))
        .expect("well-formed"))
}

fn value() -> Answer {
    let body =
        format!(r#"{{"value":"{VALUE}","id":"https://my-vault.vault.azure.net/secrets/a/0"}}"#);
    answer(200, "application/json", body)
}

fn error(status: u16, code: &str, message: &str, inner: &str) -> Answer {
    let body = format!(
        r#"{{"error":{{"code":"{code}","message":"{message}","innererror":{{"code":"{inner}"}}}}}}"#
    );
    answer(status, "application/json", body)
}

#[tokio::test(start_paused = true)]
async fn answers_the_challenge_once_and_reads_versions_by_name() {
    let world = World::new(vec![], vec![value(), value()]);
    let secret = world.read("a").await.expect("a secret");
    assert_eq!(secret.expose_secret(), VALUE);
    world
        .read("b/0123456789abcdef0123456789abcdef")
        .await
        .expect("a secret");
    let urls = world.urls();
    assert_eq!(urls.len(), 4, "{urls:?}");
    assert!(urls[0].starts_with("https://my-vault.vault.azure.net/secrets/a/?api-version="));
    assert_eq!(
        urls[1],
        format!("{ENDPOINT}?resource=https://vault.azure.net/.default")
    );
    assert_eq!(urls[2], urls[0]);
    assert!(urls[3].contains("/secrets/b/0123456789abcdef0123456789abcdef?api-version="));
    for one in &world.transport.sent()[1..] {
        let name = if one.url.scheme() == "http" {
            "x-identity-header"
        } else {
            "authorization"
        };
        assert!(one.headers[name].is_sensitive(), "{one:?}");
    }
}

/// Reads a secret once per case: the vault's answer, the error's kind, and a
/// part of its sentence.
async fn check(cases: impl IntoIterator<Item = (Answer, SecretErrorKind, &str)>) {
    for (vault, kind, part) in cases {
        let world = World::new(vec![], vec![vault]);
        let error = world.read("a").await.expect_err(part);
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.sentence.contains(part), "{part}: {error}");
        let what = "secret `a` in my-vault.vault.azure.net";
        assert!(error.sentence.contains(what), "{error}");
        assert!(!format!("{error} {error:?}").contains("planted"), "{error}");
        assert!(!error.sentence.contains('\n'), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_what_to_grant_or_change() {
    use SecretErrorKind as Kind;
    let rbac = "Caller is not authorized to perform action on resource.\\r\\nPlease wait.";
    let disabled = "Operation get is not allowed on a disabled secret.";
    let forbidden = |message, inner| error(403, "Forbidden", message, inner);
    check([
        (
            forbidden(rbac, "ForbiddenByRbac"),
            Kind::Forbidden,
            "`Key Vault Secrets User`",
        ),
        (
            forbidden("does not have secrets get permission", "AccessDenied"),
            Kind::Forbidden,
            "AccessDenied); grant",
        ),
        (
            answer(403, "text/html", "<html>"),
            Kind::Forbidden,
            "HTTP 403); grant",
        ),
        (
            forbidden(disabled, "SecretDisabled"),
            Kind::Disabled,
            "the secret is disabled",
        ),
        (
            forbidden(disabled, ""),
            Kind::Disabled,
            "HTTP 403 Forbidden",
        ),
        (
            forbidden("not yet valid", "SecretNotYetValid"),
            Kind::Disabled,
            "period of validity",
        ),
        (
            forbidden("Client address is not authorized", "ForbiddenByFirewall"),
            Kind::Firewall,
            "firewall",
        ),
        (
            error(401, "Unauthorized", "AKV10032: Invalid issuer.", ""),
            Kind::Login,
            "AKV10032",
        ),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_secret_is_told_by_its_kind() {
    use SecretErrorKind as Kind;
    let json = |body: &'static str| answer(200, "application/json", body);
    check([
        (
            error(
                404,
                "SecretNotFound",
                "A secret with (name/id) a was not found",
                "",
            ),
            Kind::NotFound,
            "there is no such secret (HTTP 404 SecretNotFound)",
        ),
        (answer(302, "text/html", ""), Kind::Unexpected, "HTTP 302"),
        (
            answer(500, "text/plain", "planted-value"),
            Kind::Unavailable,
            "HTTP 500",
        ),
        (json("{}"), Kind::Empty, "is empty"),
        (json(r#"{"value":""}"#), Kind::Empty, "is empty"),
        (
            json(r#"{"value":["planted-value"]}"#),
            Kind::Unexpected,
            "no secret",
        ),
        (
            json(r#"{"value":7,"id":"planted-value"}"#),
            Kind::Unexpected,
            "no secret",
        ),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_login_is_told_apart_from_the_vault() {
    let gone = TransportError::new(TransportErrorKind::BodyTooLarge, false, "too long");
    for (login, part) in [
        (
            answer(400, "application/json", "{}"),
            "switch on the Function App's system-assigned identity",
        ),
        (
            answer(403, "text/plain", "oops"),
            "HTTP 403 from 127.0.0.1: oops",
        ),
        (Err(gone), "the login at 127.0.0.1 got no answer"),
    ] {
        let world = World::new(vec![login], vec![value()]);
        let error = world.read("a").await.expect_err(part);
        assert_eq!(error.kind, SecretErrorKind::Login, "{error}");
        assert!(error.sentence.contains(part), "{error}");
        assert!(!error.sentence.contains("planted"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_token_goes_only_to_the_vault_that_was_asked() {
    for resource in [
        "https://vault.example.com",
        "https://azure.net.example.com",
        "x",
    ] {
        let world = World::played(move |_| challenge(resource));
        let error = world.read("a").await.expect_err(resource);
        assert_eq!(error.kind, SecretErrorKind::Login);
        assert!(
            error.sentence.contains("challenge could not be answered"),
            "{error}"
        );
        assert_eq!(
            world.transport.sent().len(),
            1,
            "no login, no second request"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_vault_is_tried_again_and_then_told() {
    let dns = || {
        Err(TransportError::new(
            TransportErrorKind::Dns,
            true,
            "no such host",
        ))
    };
    let world = World::played(move |_| dns());
    let error = world.read("a").await.expect_err("unreachable");
    assert_eq!(error.kind, SecretErrorKind::Unavailable);
    assert!(
        error
            .sentence
            .contains("does not exist, or its name resolves only"),
        "{error}"
    );
    assert!(error.sentence.contains("4 attempt(s)"), "{error}");
    assert_eq!(world.transport.sent().len(), 4);

    let throttled = Response::builder()
        .status(429)
        .header("retry-after", "2")
        .body(Bytes::new())
        .expect("well-formed");
    let broken = answer(500, "text/plain", "");
    let world = World::new(vec![], vec![broken, Ok(throttled), value()]);
    let started = Instant::now();
    assert!(world.read("a").await.is_ok());
    assert!(started.elapsed() >= Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_hanging_vault_ends_with_the_token_timeout() {
    let (network, _) = network_behind(Gate::new(Cloud::public(), None), |_| {
        std::future::pending::<Answer>()
    });
    let url = Url::parse("https://my-vault.vault.azure.net/").expect("a URL");
    let login = VaultLogin::Given(Arc::new(Login(network.clone())));
    let vault = KeyVault::new(network, &url, &login).expect("a vault");
    let started = Instant::now();
    let name = SecretName::parse("a").expect("a name");
    let error = vault.read(&name).await.expect_err("a timeout");
    assert_eq!(error.kind, SecretErrorKind::Unavailable);
    assert_eq!(started.elapsed(), Duration::from_secs(20));
    assert!(error.sentence.contains("no answer in time"), "{error}");
}

#[test]
fn the_managed_identity_logs_in_where_there_is_one_and_else_the_developer() {
    let login = |is_here| {
        let identity = PlatformIdentity {
            is_here,
            client_id: None,
        };
        format!("{:?}", VaultLogin::of(identity))
    };
    assert_eq!(login(true), "ManagedIdentity");
    assert_eq!(login(false), "AzureCli");
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_shown() {
    let world = World::new(vec![], vec![value()]);
    let secret = world.read("a").await.expect("a secret");
    let shown = format!(
        "{secret:?} {:?} {:?} {:?}",
        world.vault,
        world.transport,
        world.transport.sent()
    );
    assert!(!shown.contains("planted"), "{shown}");
}
