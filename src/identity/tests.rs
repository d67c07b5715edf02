//! Tests of the identity against a pretend Entra and a pretend vault.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, Response};

use super::slot::{FAILURE_LASTS, LEAST_LEFT, RENEW_BELOW};
use super::*;
use crate::service::testing::{answer, network};
use crate::timestamp::Timestamp;
use crate::transport::{MemoryTransport, TransportError, TransportErrorKind};

const TENANT: &str = "11111111-2222-3333-4444-555555555555";
const CLIENT: &str = "66666666-7777-8888-9999-000000000000";
const OLD_SECRET: &str = "planted~client~secret~old";
const NEW_SECRET: &str = "planted~client~secret~new";

type Answer = Result<Response<Bytes>, TransportError>;

/// A vault in memory.
#[derive(Default)]
struct Vault {
    values: Mutex<BTreeMap<String, String>>,
    failure: Mutex<Option<SecretError>>,
    expires: Mutex<Option<Timestamp>>,
    reads: AtomicU64,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    fn put(&self, name: &str, value: &str) {
        let mut values = self.values.lock().expect("no panic");
        values.insert(name.to_owned(), value.to_owned());
    }

    fn reads(&self) -> u64 {
        self.reads.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl SecretSource for Vault {
    async fn read(&self, name: &SecretName) -> Result<StoredSecret, SecretError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(50)).await;
        if let Some(failure) = self.failure.lock().expect("no panic").clone() {
            return Err(failure);
        }
        let values = self.values.lock().expect("no panic");
        Ok(StoredSecret {
            value: SecretString::from(values[name.name()].clone()),
            expires: *self.expires.lock().expect("no panic"),
        })
    }
}

fn name(text: &str) -> SecretName {
    SecretName::parse(text).expect("a name")
}

struct World {
    identity: Identity,
    vault: Arc<Vault>,
    transport: Arc<MemoryTransport>,
}

impl World {
    /// An identity whose token requests `entra` answers by scope and secret.
    fn new<F>(entra: impl Fn(Form) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        Self::with(CredentialSource::ClientSecret(name("secret")), entra)
    }

    /// The same with another credential.
    fn with<F>(
        credential: CredentialSource,
        entra: impl Fn(Form) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let (network, transport) = network(move |request| entra(Form::of(&request)));
        let vault = Arc::new(Vault::default());
        vault.put("tenant", TENANT);
        vault.put("client", CLIENT);
        vault.put("secret", OLD_SECRET);
        let source = PrincipalSource::Application(Application {
            tenant_id: IdSource::Secret(name("tenant")),
            client_id: IdSource::Secret(name("client")),
            credential,
        });
        let platform = PlatformIdentity::default();
        let kept: Arc<dyn SecretSource> = vault.clone();
        Self {
            identity: Identity::new(network, source, Some(kept), platform),
            vault,
            transport,
        }
    }

    /// One whose Entra answers from a list.
    fn scripted(script: Vec<Answer>) -> Self {
        let script = Mutex::new(VecDeque::from(script));
        Self::new(move |_| {
            let next = script.lock().expect("no panic").pop_front();
            async move { next.unwrap_or_else(|| answer(500, "text/plain", "script at its end")) }
        })
    }

    fn requests(&self) -> usize {
        self.transport.sent().len()
    }

    async fn databricks(&self) -> Result<String, TokenError> {
        let token = self.identity.token(Audience::Databricks).await?;
        Ok(token.expose().to_owned())
    }
}

/// The form of a token request.
struct Form(BTreeMap<String, String>);

impl Form {
    fn of(request: &Request<Bytes>) -> Self {
        let pairs = url::form_urlencoded::parse(request.body());
        Self(pairs.into_owned().collect())
    }

    fn is_for_databricks(&self) -> bool {
        self.0["scope"] == "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default"
    }
}

fn token(text: &str, expires_in: u64) -> Answer {
    let body = format!(
        r#"{{"token_type":"Bearer","expires_in":{expires_in},"ext_expires_in":1,"access_token":"{text}"}}"#
    );
    answer(200, "application/json", body)
}

fn refusal(number: u32) -> Answer {
    let body = format!(
        r#"{{"error":"invalid_client","error_description":"AADSTS{number}: It won't do.\r\nTrace ID: 1\r\nTimestamp: now","error_codes":[{number}]}}"#
    );
    answer(401, "application/json; charset=utf-8", body)
}

#[tokio::test(start_paused = true)]
async fn asks_entra_as_the_service_principal() {
    let world = World::scripted(vec![token("t1", 3599)]);
    assert_eq!(world.databricks().await.as_deref(), Ok("t1"));
    let sent = world.transport.sent();
    assert_eq!(
        sent[0].url.as_str(),
        format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token")
    );
    let form: BTreeMap<_, _> = url::form_urlencoded::parse(&sent[0].body).collect();
    assert_eq!(form["client_id"], CLIENT);
    assert_eq!(form["client_secret"], OLD_SECRET);
    assert_eq!(form["grant_type"], "client_credentials");
    assert_eq!(
        form["scope"],
        "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default"
    );
}

#[tokio::test(start_paused = true)]
async fn twenty_askers_share_one_request_and_three_reads() {
    let world = World::new(|form| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let text = if form.is_for_databricks() { "d" } else { "a" };
        token(text, 3599)
    });
    let askers = (0..20).map(|number| {
        let audience = if number % 2 == 0 {
            Audience::Databricks
        } else {
            Audience::Arm
        };
        world.identity.token(audience)
    });
    for (number, result) in join_all(askers).await.into_iter().enumerate() {
        let expected = if number % 2 == 0 { "d" } else { "a" };
        assert_eq!(result.expect("a token").expose(), expected);
    }
    assert_eq!((world.requests(), world.vault.reads()), (2, 3));
    let usage = world.identity.usage();
    assert_eq!((usage.token_requests, usage.secret_reads), (2, 3));
    assert_eq!(usage.secret_time, Duration::from_millis(150));
    assert_eq!(usage.token_time, Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_slow_audience_does_not_hold_up_the_other() {
    let world = World::new(|form| async move {
        if form.is_for_databricks() {
            return token("d", 3599);
        }
        std::future::pending().await
    });
    let started = Instant::now();
    let slow = world.identity.token(Audience::Arm);
    let fast = async {
        let token = world.identity.token(Audience::Databricks).await;
        (token, started.elapsed())
    };
    let (slow, (fast, after)) = tokio::join!(slow, fast);
    assert_eq!(fast.expect("a token").expose(), "d");
    assert!(after < Duration::from_secs(1), "{after:?}");
    assert_eq!(
        slow.expect_err("no token").kind,
        TokenErrorKind::Unavailable
    );
    assert_eq!(started.elapsed().as_secs(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_shared_and_not_repeated_per_asker() {
    let world = World::scripted(vec![refusal(7_000_215), refusal(7_000_215)]);
    let askers = (0..20).map(|_| world.identity.token(Audience::Databricks));
    for result in join_all(askers).await {
        let error = result.expect_err("refused");
        assert_eq!(
            (error.kind, error.aadsts),
            (TokenErrorKind::Refused, Some(7_000_215))
        );
    }
    assert_eq!(world.requests(), 1);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(world.databricks().await.is_err());
    assert_eq!(world.requests(), 1, "a refusal lasts as long as the sweep");
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_asked_about_again_after_a_while() {
    let outage = || answer(400, "text/html", "<html>proxy</html>");
    let world = World::scripted(vec![outage(), token("t", 3599)]);
    assert!(world.databricks().await.is_err());
    assert!(world.databricks().await.is_err());
    assert_eq!(world.requests(), 1);
    tokio::time::sleep(FAILURE_LASTS).await;
    assert_eq!(world.databricks().await.as_deref(), Ok("t"));
}

#[tokio::test(start_paused = true)]
async fn a_passing_failure_is_retried_within_the_timeout() {
    let throttled = Response::builder()
        .status(429)
        .header("retry-after", "3")
        .body(Bytes::new())
        .expect("well-formed");
    let gone = TransportError::new(TransportErrorKind::Connect, true, "refused");
    let world = World::scripted(vec![Ok(throttled), Err(gone), token("t", 3599)]);
    let started = Instant::now();
    assert_eq!(world.databricks().await.as_deref(), Ok("t"));
    assert!(started.elapsed() >= Duration::from_secs(3));
    assert_eq!(world.requests(), 3);
    assert_eq!(world.identity.usage().token_requests, 2, "answered ones");

    let hour = Response::builder()
        .status(503)
        .header("retry-after", "3600")
        .body(Bytes::new())
        .expect("well-formed");
    let world = World::scripted(vec![Ok(hour), token("t", 3599)]);
    let started = Instant::now();
    assert!(world.databricks().await.is_err());
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_token_near_its_end_is_used_while_another_is_fetched() {
    let world = World::scripted(vec![
        token("old", 3600),
        answer(400, "text/html", "no"),
        token("new", 3600),
    ]);
    assert_eq!(world.databricks().await.as_deref(), Ok("old"));
    // A second is lost to the whole seconds in which the SDK counts.
    let young = Duration::from_secs(3599) - RENEW_BELOW;
    tokio::time::sleep(young - Duration::from_secs(2)).await;
    assert_eq!(world.databricks().await.as_deref(), Ok("old"));
    assert_eq!(world.requests(), 1);

    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.databricks().await.as_deref(), Ok("old"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(
        world.databricks().await.as_deref(),
        Ok("old"),
        "the renewal failed"
    );
    assert_eq!(world.requests(), 2);

    tokio::time::sleep(FAILURE_LASTS).await;
    assert_eq!(world.databricks().await.as_deref(), Ok("old"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.databricks().await.as_deref(), Ok("new"));
    assert_eq!(world.requests(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_token_with_less_than_a_minute_left_is_not_handed_out() {
    let world = World::scripted(vec![token("old", 3600), token("new", 3600)]);
    assert_eq!(world.databricks().await.as_deref(), Ok("old"));
    tokio::time::sleep(Duration::from_secs(3601) - LEAST_LEFT).await;
    assert_eq!(world.databricks().await.as_deref(), Ok("new"));

    let world = World::scripted(vec![token("short", 59)]);
    let error = world.databricks().await.expect_err("too short");
    assert!(error.sentence.contains("under 60s left"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_token_is_replaced_and_its_successor_is_not_dropped_with_it() {
    let world = World::scripted(vec![token("one", 3600), token("two", 3600)]);
    let one = world
        .identity
        .token(Audience::Databricks)
        .await
        .expect("one");
    world.identity.drop_token(Audience::Databricks, &one);
    assert_eq!(world.databricks().await.as_deref(), Ok("two"));
    world.identity.drop_token(Audience::Databricks, &one);
    world.identity.drop_token(Audience::Arm, &one);
    assert_eq!(world.databricks().await.as_deref(), Ok("two"));
    assert_eq!(world.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_asker_that_goes_away_wastes_nothing() {
    let world = World::new(|_| async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        token("t", 3600)
    });
    let impatient = tokio::time::timeout(
        Duration::from_secs(1),
        world.identity.token(Audience::Databricks),
    );
    assert!(impatient.await.is_err());
    assert_eq!(world.databricks().await.as_deref(), Ok("t"));
    assert_eq!(world.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_panics_is_an_error_and_not_a_hang() {
    let world = World::new(|_| async { panic!("planted") });
    let error = world.databricks().await.expect_err("an error");
    assert!(error.sentence.contains("ended unexpectedly"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_rotation_is_noticed_once() {
    let world = World::new(|form| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        match form.0["client_secret"].as_str() {
            NEW_SECRET => token("t", 3600),
            _ => refusal(7_000_222),
        }
    });
    let rotate = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        world.vault.put("secret", NEW_SECRET);
    };
    let arm = world.identity.token(Audience::Arm);
    let (databricks, arm, ()) = tokio::join!(world.databricks(), arm, rotate);
    assert_eq!(databricks.as_deref(), Ok("t"));
    assert!(arm.is_ok());
    // Two refused and two good requests; the second audience reads nothing.
    assert_eq!((world.requests(), world.vault.reads()), (4, 6));
    assert_eq!(world.identity.usage().secret_reads, 6);
}

#[tokio::test(start_paused = true)]
async fn unchanged_secrets_are_read_again_once_and_not_sent_again() {
    let world = World::new(|_| async { refusal(7_000_215) });
    assert!(world.databricks().await.is_err());
    assert_eq!((world.requests(), world.vault.reads()), (1, 6));
    assert!(world.identity.token(Audience::Arm).await.is_err());
    assert_eq!((world.requests(), world.vault.reads()), (2, 6));
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_secret_is_told_and_not_read_by_every_asker() {
    let world = World::scripted(vec![]);
    *world.vault.failure.lock().expect("no panic") = Some(SecretError {
        kind: SecretErrorKind::Unavailable,
        sentence: "the vault was not reached".into(),
    });
    let askers = (0..20).map(|number| {
        let audience = [Audience::Databricks, Audience::Arm][number % 2];
        world.identity.token(audience)
    });
    for result in join_all(askers).await {
        let error = result.expect_err("no token");
        assert_eq!(error.kind, TokenErrorKind::Secret);
        assert_eq!(error.to_string(), "the vault was not reached");
    }
    assert_eq!((world.requests(), world.vault.reads()), (0, 1));
    assert_eq!(world.identity.usage().secret_reads, 0, "none was answered");
}

#[tokio::test(start_paused = true)]
async fn every_refusal_says_what_to_do() {
    for (number, part) in [
        (7_000_215, "store its value, not its id, in secret `secret`"),
        (7_000_222, "expired; create a new one"),
        (
            700_016,
            "check the client id in secret `client` and the tenant id in secret `tenant`",
        ),
        (
            90_002,
            "no such tenant in the public cloud; check the id in secret `tenant`, and TERMINATE_CLUSTERS_CLOUD",
        ),
        (
            900_382,
            "none of the public cloud's; check TERMINATE_CLUSTERS_CLOUD",
        ),
        (7_000_112, "disabled"),
        (500_011, "does not know the service"),
        (53_003, "Conditional Access"),
        (4711, "(AADSTS4711): It won't do."),
    ] {
        let world = World::scripted(vec![refusal(number)]);
        let error = world.databricks().await.expect_err("refused");
        assert_eq!(error.aadsts, Some(number));
        assert!(error.sentence.contains(part), "{error}");
        assert!(
            error.sentence.contains(&format!("AADSTS{number}")),
            "{error}"
        );
        assert!(!error.sentence.contains('\n'), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn odd_answers_are_no_token_and_no_refusal() {
    let redirect = Response::builder()
        .status(307)
        .header("location", "https://login.microsoftonline.com/elsewhere")
        .body(Bytes::new())
        .expect("well-formed");
    for (odd, requests) in [
        (Ok(redirect), 1),
        (answer(200, "application/json", ""), 1),
        (answer(200, "application/json", "{}"), 1),
        (
            answer(
                200,
                "application/json",
                r#"{"access_token":["planted-token"]}"#,
            ),
            1,
        ),
        (answer(400, "text/html", "<html>"), 1),
        (answer(400, "application/json", ""), 1),
        (answer(500, "text/plain", ""), 4),
        (
            Err(TransportError::new(
                TransportErrorKind::Tls,
                true,
                "bad certificate",
            )),
            4,
        ),
    ] {
        let world = World::scripted(vec![odd]);
        let error = world.databricks().await.expect_err("no token");
        assert_eq!(error.kind, TokenErrorKind::Unavailable, "{error}");
        assert!(!error.sentence.contains("planted"), "{error}");
        assert_eq!(world.requests(), requests, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_shown() {
    let echo = format!(
        r#"{{"error":"invalid_client","error_description":"AADSTS1: you sent {OLD_SECRET}, client_secret=planted%7Eclient%7Esecret%7Eold"}}"#
    );
    let world = World::scripted(vec![answer(401, "application/json", echo)]);
    let error = world.databricks().await.expect_err("refused");
    let shown = format!("{error} {error:?} {:?}", world.identity);
    assert!(shown.contains("you sent"), "{shown}");
    assert!(!shown.contains("planted"), "{shown}");

    let world = World::scripted(vec![token("planted-token", 3600)]);
    let token = world
        .identity
        .token(Audience::Databricks)
        .await
        .expect("a token");
    let shown = format!("{token:?} {:?} {:?}", world.identity, world.transport);
    assert!(!shown.contains("planted"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn a_value_in_the_wrong_place_is_not_sent_and_not_shown() {
    for (name, value, part) in [
        (
            "tenant",
            "planted~secret",
            "secret `tenant` does not hold a tenant id",
        ),
        ("tenant", "", "secret `tenant` does not hold a tenant id"),
        (
            "tenant",
            "a.b/../common",
            "secret `tenant` does not hold a tenant id",
        ),
        (
            "client",
            "planted~secret",
            "secret `client` does not hold a client id",
        ),
        (
            "client",
            "contoso.com",
            "secret `client` does not hold a client id",
        ),
        (
            "secret",
            " \n",
            "secret `secret` does not hold a client secret",
        ),
    ] {
        let world = World::scripted(vec![]);
        world.vault.put(name, value);
        let error = world.databricks().await.expect_err("misplaced");
        assert!(error.sentence.starts_with(part), "{error}");
        assert!(!format!("{error:?}").contains("planted"), "{error:?}");
        assert_eq!(world.requests(), 0);
    }
    let world = World::scripted(vec![token("t", 3600)]);
    world.vault.put("tenant", "contoso.onmicrosoft.com\n");
    assert_eq!(world.databricks().await.as_deref(), Ok("t"));
}

const RSA_PEM: &str = include_str!("../../tests/fixtures/certificates/throwaway-rsa.pem");
const SECOND_PEM: &str = include_str!("../../tests/fixtures/certificates/throwaway-second.pem");
const EXPIRED_PEM: &str = include_str!("../../tests/fixtures/certificates/throwaway-expired.pem");

/// An identity with a certificate, whose token requests Entra answers from a list.
fn with_certificate(pem: &str, script: Vec<Answer>) -> World {
    let script = Mutex::new(VecDeque::from(script));
    let world = World::with(CredentialSource::Certificate(name("cert")), move |_| {
        let next = script.lock().expect("no panic").pop_front();
        async move { next.unwrap_or_else(|| answer(500, "text/plain", "script at its end")) }
    });
    world.vault.put("cert", pem);
    world
}

/// The assertions that were sent, in order.
fn assertions(world: &World) -> Vec<String> {
    let sent = world.transport.sent();
    let forms = sent.iter().map(|request| {
        let form: BTreeMap<_, _> = url::form_urlencoded::parse(&request.body)
            .into_owned()
            .collect();
        assert!(!form.contains_key("client_secret"));
        assert_eq!(form["client_id"], CLIENT);
        assert_eq!(
            form["client_assertion_type"],
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        );
        form["client_assertion"].clone()
    });
    forms.collect()
}

fn json_of(part: &str) -> serde_json::Value {
    let bytes = azure_core::base64::decode_url_safe(part).expect("Base64");
    serde_json::from_slice(&bytes).expect("JSON")
}

#[tokio::test(start_paused = true)]
async fn a_certificate_signs_an_assertion_for_the_endpoint_that_is_asked() {
    let world = with_certificate(RSA_PEM, vec![token("t", 3599)]);
    assert_eq!(world.databricks().await.as_deref(), Ok("t"));
    let assertion = assertions(&world).remove(0);
    let body = json_of(assertion.split('.').nth(1).expect("claims"));
    let endpoint = format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token");
    assert_eq!(world.transport.sent()[0].url.as_str(), endpoint);
    assert_eq!(body["aud"], endpoint);
    assert_eq!(body["iss"], CLIENT);
    let credential = world.identity.credential();
    assert_eq!(credential.kind, CredentialKind::Certificate);
    let until = credential.valid_until.map(|at| at.to_string());
    assert_eq!(until.as_deref(), Some("2120-01-01T00:00:00Z"));
}

#[tokio::test(start_paused = true)]
async fn a_refused_certificate_is_read_again_once_and_a_renewed_one_is_used() {
    let world = with_certificate(RSA_PEM, vec![refusal(700_027), token("t", 3599)]);
    world.vault.put("cert", RSA_PEM);
    let vault = Arc::clone(&world.vault);
    let rotated = async {
        // Between the first reading and the refusal.
        tokio::time::sleep(Duration::from_millis(151)).await;
        vault.put("cert", SECOND_PEM);
    };
    let (result, ()) = tokio::join!(world.databricks(), rotated);
    assert_eq!(result.as_deref(), Ok("t"));
    let sent = assertions(&world);
    let thumbprints: Vec<_> = sent
        .iter()
        .map(|one| json_of(one.split('.').next().expect("a header"))["x5t#S256"].take())
        .collect();
    assert_eq!(thumbprints.len(), 2);
    assert_ne!(thumbprints[0], thumbprints[1]);

    let world = with_certificate(RSA_PEM, vec![refusal(700_027), refusal(700_027)]);
    let error = world.databricks().await.expect_err("the same certificate");
    assert_eq!((world.requests(), world.vault.reads()), (1, 6));
    assert_eq!(
        error.sentence,
        "Entra refused the service principal (AADSTS700027): the application does not know the certificate in secret `cert`, or no longer; register it with the application (its public part, without the key)"
    );
}

#[test]
fn a_certificate_is_read_beside_all_else_and_not_for_longer_than_a_token_may_take() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .max_blocking_threads(1)
        .build()
        .expect("a runtime");
    // The only other thread, which is busy for as long as this channel lives.
    let (busy, end) = std::sync::mpsc::channel::<()>();
    runtime.spawn_blocking(move || end.recv());
    let result = runtime.block_on(async {
        let world = with_certificate(RSA_PEM, Vec::new());
        let others = async {
            for _ in 0..30 {
                tokio::time::advance(Duration::from_secs(1)).await;
            }
        };
        tokio::join!(world.databricks(), others).0
    });
    drop(busy);
    let error = result.expect_err("no thread to read it");
    assert_eq!(error.kind, TokenErrorKind::Secret);
    assert_eq!(
        error.sentence,
        "secret `cert` was not read within 20s; store the certificate anew, as PEM"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_no_valid_certificate_is_told_before_entra_is_asked() {
    for (value, part) in [
        (
            EXPIRED_PEM,
            "secret `cert` holds a certificate that expired at 2021-01-01T00:00:00Z",
        ),
        (
            OLD_SECRET,
            "secret `cert` holds no certificate; name the secret",
        ),
    ] {
        let world = with_certificate(value, Vec::new());
        let error = world.databricks().await.expect_err("no certificate");
        assert_eq!(error.kind, TokenErrorKind::Secret);
        assert!(error.sentence.starts_with(part), "{error}");
        assert!(!error.sentence.contains(OLD_SECRET), "{error}");
        assert_eq!(world.requests(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_assertion_that_an_answer_repeats_is_not_shown() {
    let echo = |form: Form| {
        let assertion = form.0["client_assertion"].clone();
        let body = format!(
            r#"{{"error":"invalid_client","error_description":"AADSTS1: {assertion} \u0027x\u0027","error_codes":[1]}}"#
        );
        async move { answer(401, "application/json", body) }
    };
    let world = World::with(CredentialSource::Certificate(name("cert")), echo);
    world.vault.put("cert", RSA_PEM);
    let error = world.databricks().await.expect_err("a refusal");
    for part in assertions(&world).remove(0).split('.') {
        assert!(!error.sentence.contains(&part[..20]), "{error}");
    }
    assert!(error.sentence.contains("[secret]"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn without_a_managed_identity_nothing_stands_in_for_it() {
    let world = World::with(CredentialSource::Federated, |_| async {
        token("unasked", 3599)
    });
    let error = world.databricks().await.expect_err("no identity");
    assert_eq!(error.kind, TokenErrorKind::Secret);
    assert!(
        error
            .sentence
            .contains("`IDENTITY_ENDPOINT` is not set; run in")
    );
    assert_eq!(world.requests(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_date_of_a_client_secret_is_known_once_it_was_read() {
    let world = World::scripted(vec![token("t", 3599)]);
    let until = Timestamp::parse_rfc3339("2026-12-01T00:00:00Z");
    *world.vault.expires.lock().expect("no panic") = until;
    assert_eq!(world.identity.credential().valid_until, None);
    assert!(world.databricks().await.is_ok());
    let credential = world.identity.credential();
    assert_eq!(credential.valid_until, until);
    assert_eq!(credential.secret, Some(name("secret")));
}

#[test]
fn each_copy_of_a_token_is_taken_out_and_nothing_else() {
    let token = Token::new("planted.token");
    for (came, read) in [
        ("", ""),
        ("planted.toke", "planted.toke"),
        ("planted.token", "[token]"),
        ("a planted.tokenplanted.token b", "a [token][token] b"),
        ("planted.planted.token", "planted.[token]"),
    ] {
        let taken = token.taken_out_of(Bytes::from_static(came.as_bytes()));
        assert_eq!(taken, read.as_bytes(), "{came}");
    }
    let empty = Token::new("").taken_out_of(Bytes::from_static(b"an answer"));
    assert_eq!(empty, b"an answer"[..]);
}

#[test]
fn a_token_that_no_header_can_hold_makes_none() {
    assert!(Token::new("planted\ntoken").bearer().is_none());
    let bearer = Token::new("planted").bearer().cloned().expect("a header");
    assert_eq!(bearer, "Bearer planted");
    assert!(bearer.is_sensitive());
}
