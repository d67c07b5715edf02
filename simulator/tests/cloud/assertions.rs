//! Tests of client assertions: what proves to be an app registration, and the number that each refusal has.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use rcgen::KeyPair;
use serde_json::{Value, json};
use simulator::Simulator;
use simulator::world::{Certificate, MAIN, Principal, TENANT_ID, World, certify};

use crate::client::{Client, DATABRICKS, Outcome, Reply};

const FIRST: &str = include_str!("../../../tests/fixtures/certificates/throwaway-rsa.pem");
const SECOND: &str = include_str!("../../../tests/fixtures/certificates/throwaway-second.pem");
const EXPIRED: &str = include_str!("../../../tests/fixtures/certificates/throwaway-expired.pem");
const FUTURE: &str = include_str!("../../../tests/fixtures/certificates/throwaway-future.pem");

/// A world whose main principal has certificates and no secret.
fn start(registered: &[&str]) -> std::io::Result<Simulator> {
    let main = Principal::named(MAIN).without_secret();
    let main = registered.iter().fold(main, |main, pem| {
        main.certificate(Certificate::from_pem(pem))
    });
    Simulator::start(World::new().principal(main))
}

fn now_s(simulator: &Simulator) -> i64 {
    simulator.world(|world| world.clock.now_ms()) / 1000
}

fn client_id() -> String {
    Principal::named(MAIN).client_id
}

/// The claims of an assertion as the documentation wants them.
fn claims(simulator: &Simulator) -> Value {
    let (id, now) = (client_id(), now_s(simulator));
    json!({
        "aud": format!("https://login.microsoftonline.com/{TENANT_ID}/oauth2/v2.0/token"),
        "iss": id,
        "sub": id,
        "jti": "22b3bb26-e046-42df-9c96-65dbd72c1c81",
        "nbf": now,
        "iat": now,
        "exp": now + 600,
    })
}

/// The thumbprint's bytes.
fn sha256(pem: &str) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let der = der(pem)?;
    Ok(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &der)
        .as_ref()
        .to_vec())
}

fn der(pem: &str) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let (_, body) = pem
        .split_once("-----BEGIN CERTIFICATE-----")
        .ok_or("no certificate")?;
    let (body, _) = body.split_once("-----END").ok_or("no end")?;
    Ok(STANDARD.decode(body.split_whitespace().collect::<String>())?)
}

/// Signs with the key of a PEM text.
fn sign(header: &Value, claims: &Value, pem: &str) -> Result<String, Box<dyn std::error::Error>> {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let key = RsaKeyPair::from_pkcs8(&KeyPair::from_pem(pem)?.serialize_der())?;
    let mut signature = vec![0; key.public_modulus_len()];
    let padding: &'static dyn signature::RsaEncoding = match header["alg"].as_str() {
        Some("RS256") => &signature::RSA_PKCS1_SHA256,
        _ => &signature::RSA_PSS_SHA256,
    };
    let random = SystemRandom::new();
    key.sign(padding, &random, message.as_bytes(), &mut signature)?;
    Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// The header that a client of today sends.
fn header(pem: &str) -> Result<Value, Box<dyn std::error::Error>> {
    let thumbprint = URL_SAFE_NO_PAD.encode(sha256(pem)?);
    Ok(json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint }))
}

async fn ask(simulator: &Simulator, assertion: &str) -> Result<Reply, Box<dyn std::error::Error>> {
    let client = Client::of(simulator)?;
    let reply = client
        .ask_with_assertion(TENANT_ID, &client_id(), assertion, DATABRICKS)
        .await?;
    Ok(reply)
}

#[tokio::test]
async fn takes_either_signature_and_every_spelling_of_the_thumbprint() -> Outcome {
    let simulator = start(&[SECOND, FIRST])?;
    let (plain, bytes) = (claims(&simulator), sha256(FIRST)?);
    let sha1 =
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, &der(FIRST)?);
    let sha1 = sha1.as_ref();
    let headers = [
        json!({ "alg": "PS256", "x5t#S256": URL_SAFE_NO_PAD.encode(&bytes) }),
        json!({ "alg": "PS256", "x5t#S256": URL_SAFE.encode(&bytes), "x5c": ["unread"] }),
        json!({ "alg": "RS256", "x5t": URL_SAFE_NO_PAD.encode(sha1) }),
        json!({ "alg": "RS256", "x5t": STANDARD.encode(sha1) }),
        json!({ "alg": "PS256", "x5t": URL_SAFE.encode(sha1), "x5t#S256": URL_SAFE.encode(&bytes) }),
    ];
    for header in headers {
        let reply = ask(&simulator, &sign(&header, &plain, FIRST)?).await?;
        assert_eq!(reply.status, 200, "{header}: {}", reply.text);
    }
    // As one official client writes them, and for the first version of the endpoint.
    let mut broken = plain.clone();
    let now = now_s(&simulator);
    for (claim, value) in [("iat", now), ("exp", now + 600)] {
        broken[claim] = json!(format!("{value}.25").parse::<f64>()?);
    }
    broken["aud"] = json!(format!(
        "https://login.microsoftonline.com/{TENANT_ID}/oauth2/token"
    ));
    if let Some(object) = broken.as_object_mut() {
        object.remove("nbf");
    }
    let reply = ask(&simulator, &sign(&header(FIRST)?, &broken, FIRST)?).await?;
    assert_eq!(reply.status, 200, "{}", reply.text);
    // The other certificate is good too.
    let reply = ask(&simulator, &sign(&header(SECOND)?, &plain, SECOND)?).await?;
    assert_eq!(reply.status, 200, "{}", reply.text);
    simulator.assert_clean();
    Ok(())
}

#[tokio::test]
async fn refuses_a_wrong_claim_with_its_number() -> Outcome {
    let simulator = start(&[FIRST])?;
    let now = now_s(&simulator);
    let other_tenant = "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555";
    let other_cloud = format!("https://login.microsoftonline.us/{TENANT_ID}/oauth2/v2.0/token");
    let issuer = format!("https://login.microsoftonline.com/{TENANT_ID}/v2.0");
    let rows = [
        (
            "aud",
            json!(format!("{other_tenant}/oauth2/v2.0/token")),
            700_023,
            false,
        ),
        ("aud", json!(other_cloud), 700_023, false),
        ("aud", json!(issuer), 700_023, false),
        ("iss", json!("someone-else"), 700_021, false),
        ("sub", json!("someone-else"), 700_021, false),
        ("exp", json!(now - 900), 700_024, false),
        ("exp", Value::Null, 700_024, false),
        ("nbf", json!(now + 900), 700_024, false),
        ("iat", json!(now + 900), 700_024, false),
        ("exp", json!(now + 86_400), 700_024, true),
        ("jti", Value::Null, 50_027, true),
    ];
    for (claim, value, code, is_violation) in rows {
        let mut wrong = claims(&simulator);
        wrong[claim] = value.clone();
        let reply = ask(&simulator, &sign(&header(FIRST)?, &wrong, FIRST)?).await?;
        let label = format!("{claim} {value}: {}", reply.text);
        assert_ne!(reply.status, 200, "{label}");
        assert_eq!(reply.json()["error_codes"], json!([code]), "{label}");
        assert_eq!(
            simulator.violations().len(),
            usize::from(is_violation),
            "{label}"
        );
        simulator.forget_record();
    }
    Ok(())
}

/// That these are refused, each with its number and a text that holds this.
async fn assert_refused(simulator: &Simulator, rows: Vec<(String, u32, &str)>) -> Outcome {
    for (assertion, code, part) in rows {
        let reply = ask(simulator, &assertion).await?;
        let label = format!("{part}: {}", reply.text);
        assert_ne!(reply.status, 200, "{label}");
        assert_eq!(reply.json()["error_codes"], json!([code]), "{label}");
        assert!(reply.text.contains(part), "{label}");
    }
    simulator.assert_clean();
    Ok(())
}

#[tokio::test]
async fn refuses_a_wrong_signature_with_its_number() -> Outcome {
    let simulator = start(&[FIRST])?;
    let plain = claims(&simulator);
    let good = sign(&header(FIRST)?, &plain, FIRST)?;
    let mut later = plain.clone();
    later["exp"] = json!(now_s(&simulator) + 700);
    let other = sign(&header(FIRST)?, &later, FIRST)?;
    let (head, _) = good.rsplit_once('.').ok_or("no dot")?;
    let (_, tail) = other.rsplit_once('.').ok_or("no dot")?;
    // Signed one way, and named as the other.
    let mut header_rs256 = header(FIRST)?;
    header_rs256["alg"] = json!("RS256");
    let rs256 = sign(&header_rs256, &plain, FIRST)?;
    let (_, rs256_tail) = rs256.rsplit_once('.').ok_or("no dot")?;
    let mut header_none = header(FIRST)?;
    header_none["alg"] = json!("none");
    let mismatch = "did not match the expected signature";
    let rows = vec![
        (format!("{head}.{tail}"), 700_027, mismatch),
        (format!("{head}.{rs256_tail}"), 700_027, mismatch),
        (sign(&header(FIRST)?, &plain, SECOND)?, 700_027, mismatch),
        (
            sign(&header_none, &plain, FIRST)?,
            5_002_738,
            "'none' is not a supported",
        ),
        ("not.an-assertion".to_owned(), 50_027, "malformed"),
        (good.replace('.', "!."), 50_027, "malformed"),
    ];
    assert_refused(&simulator, rows).await
}

#[tokio::test]
async fn refuses_a_key_that_is_unknown_or_out_of_its_time() -> Outcome {
    let simulator = start(&[FIRST, EXPIRED, FUTURE])?;
    let plain = claims(&simulator);
    let named = |header: &Value, pem| sign(header, &plain, pem);
    let unnamed = "The key was not found., Please visit";
    let rows = vec![
        (
            named(&header(SECOND)?, SECOND)?,
            700_027,
            "The key was not found., Thumbprint of key used by client: '",
        ),
        (named(&json!({ "alg": "PS256" }), FIRST)?, 700_027, unnamed),
        (
            named(&json!({ "alg": "PS256", "x5t#S256": "?" }), FIRST)?,
            700_027,
            unnamed,
        ),
        (
            named(&header(EXPIRED)?, EXPIRED)?,
            700_027,
            "End=01/01/2021 00:00:00'",
        ),
        (
            named(&header(FUTURE)?, FUTURE)?,
            700_027,
            "Start=01/01/2100 00:00:00",
        ),
    ];
    assert_refused(&simulator, rows).await
}

#[tokio::test]
async fn a_rotation_ends_the_old_certificate() -> Outcome {
    let simulator = start(&[FIRST])?;
    let old = sign(&header(FIRST)?, &claims(&simulator), FIRST)?;
    assert_eq!(ask(&simulator, &old).await?.status, 200);
    let fresh = Certificate::from_pem(SECOND);
    simulator.world(|world| world.rotate_certificate(MAIN, fresh));
    let refused = ask(&simulator, &old).await?;
    assert_eq!(refused.json()["error_codes"], json!([700_027]));
    let new = sign(&header(SECOND)?, &claims(&simulator), SECOND)?;
    assert_eq!(ask(&simulator, &new).await?.status, 200);
    simulator.assert_clean();
    Ok(())
}

#[tokio::test]
async fn a_certificate_made_by_a_test_is_good_for_as_long_as_it_says() -> Outcome {
    let now = now_s(&start(&[])?);
    let soon = certify(FIRST, now - 3600, now + 3600);
    let over = certify(FIRST, now - 3600, now - 1);
    let simulator = start(&[&soon, &over])?;
    let plain = claims(&simulator);
    let good = ask(&simulator, &sign(&header(&soon)?, &plain, &soon)?).await?;
    assert_eq!(good.status, 200, "{}", good.text);
    let bad = ask(&simulator, &sign(&header(&over)?, &plain, &over)?).await?;
    assert!(
        bad.text.contains("The key used is expired."),
        "{}",
        bad.text
    );
    Ok(())
}

#[tokio::test]
async fn wants_exactly_one_proof_and_its_type() -> Outcome {
    let simulator = start(&[FIRST])?;
    let assertion = sign(&header(FIRST)?, &claims(&simulator), FIRST)?;
    let client = Client::of(&simulator)?;
    let presented = ("client_assertion", assertion.as_str());
    let rows = [
        (vec![], 7_000_218, 0),
        (vec![presented], 900_144, 1),
        (vec![presented, ("client_secret", "x")], 90_023, 1),
    ];
    for (proof, code, violations) in rows {
        let reply = client
            .ask_with(TENANT_ID, &client_id(), &proof, DATABRICKS)
            .await?;
        assert_eq!(reply.json()["error_codes"], json!([code]), "{}", reply.text);
        assert_eq!(simulator.violations().len(), violations);
        simulator.forget_record();
    }
    // What was sent counts as a secret, whatever came of it; and a world shows none of its own.
    let (secrets, shown) = simulator.world(|world| (world.secrets(), format!("{world:?}")));
    assert!(secrets.contains(&assertion));
    for secret in secrets {
        assert!(!shown.contains(&secret));
    }
    Ok(())
}
