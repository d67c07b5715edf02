//! Certificates that OpenSSL wrote, read without it; see the fixtures' README.

use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use rustls_pki_types::CertificateDer;
use secrecy::ExposeSecret;

use super::*;
use crate::timestamp::Timestamp;

/// 2026-11-22T12:00:00Z.
const NOW: Timestamp = Timestamp::from_millis(1_795_348_800_000);

fn fixture(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/certificates/");
    std::fs::read(format!("{folder}{name}")).unwrap_or_else(|why| panic!("{name}: {why}"))
}

/// As Key Vault has it in a secret.
fn value(name: &str) -> String {
    let bytes = fixture(name);
    if name.ends_with(".p12") {
        base64::encode(bytes)
    } else {
        String::from_utf8(bytes).expect("PEM is text")
    }
}

/// The thumbprint of a certificate as it is registered with the application.
fn registered(name: &str) -> String {
    let pem = fixture(&format!("registered/{name}.crt"));
    let der = CertificateDer::from_pem_slice(&pem).expect("a certificate");
    base64::encode_url_safe(digest(&SHA256, &der))
}

fn read(name: &str) -> Result<Certificate, String> {
    Certificate::read(&value(name), NOW)
}

/// Every file that can be used, and the certificate that it holds.
const GOOD: &[(&str, &str)] = &[
    ("throwaway-rsa.pem", "rsa"),
    ("throwaway-certificate-first.pem", "rsa"),
    ("throwaway-pkcs1.pem", "rsa"),
    ("throwaway-second.pem", "second"),
    ("throwaway-chain.pem", "chain"),
    ("throwaway-chain-leaf-last.pem", "chain"),
    ("throwaway-aes.p12", "rsa"),
    ("throwaway-legacy.p12", "rsa"),
    ("throwaway-3des.p12", "rsa"),
    ("throwaway-no-mac.p12", "rsa"),
    ("throwaway-second.p12", "second"),
    ("throwaway-chain.p12", "chain"),
    ("throwaway-chain-legacy.p12", "chain"),
    ("throwaway-absent-aes.p12", "rsa"),
    ("throwaway-absent-3des.p12", "rsa"),
    ("throwaway-absent-legacy.p12", "rsa"),
    ("throwaway-absent-plain.p12", "rsa"),
];

#[test]
fn the_key_s_own_certificate_is_found_in_every_container() {
    for (file, name) in GOOD {
        let certificate = read(file).unwrap_or_else(|why| panic!("{file}: {why}"));
        assert_eq!(certificate.public.thumbprint, registered(name), "{file}");
        assert_eq!(certificate.check(NOW), Ok(()), "{file}");
        let until = certificate.valid_until().to_string();
        assert_eq!(until, "2120-01-01T00:00:00Z", "{file}");
        assert_eq!(format!("{certificate:?}"), "Certificate");
    }
}

#[test]
fn an_assertion_is_signed_with_the_key_and_says_for_whom_and_how_long() {
    let (audience, client_id) = ("https://login.example/t/oauth2/v2.0/token", "the-client");
    let claims = Claims {
        audience,
        client_id,
        now: NOW,
    };
    let mut ids = std::collections::BTreeSet::new();
    for (file, name) in GOOD {
        let certificate = read(file).expect(file);
        let assertion = certificate.assertion(claims).expect("a signature");
        let [header, body, signature] = assertion
            .expose_secret()
            .split('.')
            .collect::<Vec<_>>()
            .try_into()
            .expect("three parts");
        let public = certificate.key.public_key().as_ref().to_vec();
        let signed = format!("{header}.{body}");
        let signature = base64::decode_url_safe(signature).expect("Base64");
        UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, public)
            .verify(signed.as_bytes(), &signature)
            .expect("the signature of the key");
        let json = |part: &str| -> serde_json::Value {
            let bytes = base64::decode_url_safe(part).expect("Base64");
            serde_json::from_slice(&bytes).expect("JSON")
        };
        let thumbprint = registered(name);
        let expected = serde_json::json!({"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint});
        assert_eq!(json(header), expected);
        let mut body = json(body);
        let id = body["jti"].take();
        assert!(ids.insert(id.to_string()), "an id was used twice");
        let now = NOW.as_millis() / 1000;
        let expected = serde_json::json!({
            "aud": audience, "iss": client_id, "sub": client_id, "jti": null,
            "nbf": now, "iat": now, "exp": now + 600,
        });
        assert_eq!(body, expected);
    }
}

#[test]
fn what_cannot_be_used_is_told_in_a_sentence_that_says_what_to_do() {
    for (file, part) in [
        (
            "throwaway-ec.pem",
            "an elliptic curve, which Entra does not take; create",
        ),
        (
            "throwaway-ec.p12",
            "an elliptic curve, which Entra does not take; create",
        ),
        (
            "throwaway-mismatched.pem",
            "belongs to none of the certificates beside it; store",
        ),
        (
            "throwaway-key-only.pem",
            "without its certificate; store both",
        ),
        (
            "throwaway-certificate-only.pem",
            "without its private key; create",
        ),
        (
            "throwaway-certificate-only.p12",
            "without its private key; create",
        ),
        (
            "throwaway-encrypted.pem",
            "behind a password; store it without",
        ),
        (
            "throwaway-password.p12",
            "does not open without a password; import",
        ),
        (
            "throwaway-password-legacy.p12",
            "does not open without a password; import",
        ),
    ] {
        let sentence = read(file).expect_err(file);
        assert!(sentence.starts_with("holds "), "{file}: {sentence}");
        assert!(sentence.contains(part), "{file}: {sentence}");
    }
    let both = format!(
        "{}{}",
        value("throwaway-rsa.pem"),
        value("throwaway-second.pem")
    );
    let sentence = Certificate::read(&both, NOW).expect_err("two keys");
    assert!(
        sentence.contains("holds more than one private key; store one"),
        "{sentence}"
    );
}

#[test]
fn a_certificate_is_refused_outside_its_time() {
    for file in ["throwaway-expired.pem", "throwaway-expired.p12"] {
        let sentence = read(file).expect(file).check(NOW).expect_err(file);
        assert!(sentence.contains("expired at 2021-01-01T00:00:00Z; store a new one"));
    }
    let future = read("throwaway-future.pem").expect("a certificate");
    let sentence = future.check(NOW).expect_err("too early");
    assert!(sentence.contains("valid only from 2100-01-01T00:00:00Z; store"));
}

/// A PEM section of the first key's certificate with another year of its end. Nobody here
/// looks at who signed it.
fn ending_in(year: &str) -> String {
    let pem = fixture("registered/rsa.crt");
    let mut der = CertificateDer::from_pem_slice(&pem)
        .expect("a certificate")
        .to_vec();
    let end = b"21200101000000Z";
    let at = der.windows(end.len()).position(|window| window == end);
    let at = at.expect("an end");
    der[at..at + 4].copy_from_slice(year.as_bytes());
    section(&der)
}

fn section(der: &[u8]) -> String {
    let text = base64::encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

#[test]
fn of_several_certificates_of_the_key_one_that_is_valid_and_ends_last_is_taken() {
    let key = value("throwaway-key-only.pem");
    let [ended, earlier, later] = ["2021", "2110", "2119"].map(ending_in);
    for parts in [
        [&key, &ended, &earlier, &later],
        [&later, &earlier, &ended, &key],
        [&earlier, &later, &key, &ended],
    ] {
        let pem: String = parts.map(String::as_str).concat();
        let read = Certificate::read(&pem, NOW).expect("a certificate");
        let until = read.valid_until().to_string();
        assert_eq!(until, "2119-01-01T00:00:00Z", "{pem}");
    }
    let only_ended = Certificate::read(&format!("{key}{ended}"), NOW);
    let sentence = only_ended.expect("read").check(NOW).expect_err("ended");
    assert!(sentence.contains("expired at 2021-01-01T00:00:00Z"));
    // It begins in 2020.
    let early = Timestamp::from_millis(1_000_000_000_000);
    let read = Certificate::read(&format!("{key}{ended}{earlier}"), early).expect("read");
    assert_eq!(read.valid_until().to_string(), "2110-01-01T00:00:00Z");
}

#[test]
fn a_certificate_that_cannot_be_read_spoils_no_other() {
    let key = value("throwaway-key-only.pem");
    let own = ending_in("2120");
    let strange = section(b"no certificate at all");
    let torn = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    let endless = "-----BEGIN CERTIFICATE-----\nAAAA\n";
    for unreadable in [&strange, torn, endless] {
        for pem in [
            format!("{unreadable}{key}{own}"),
            format!("{key}{unreadable}{own}"),
            format!("{own}{key}{unreadable}"),
        ] {
            let read = Certificate::read(&pem, NOW).unwrap_or_else(|why| panic!("{pem}: {why}"));
            assert_eq!(read.public.thumbprint, registered("rsa"));
        }
        let alone = Certificate::read(&format!("{key}{unreadable}"), NOW);
        let sentence = alone.expect_err("none of the key");
        assert!(sentence.contains("cannot be read; store the certificate anew"));
    }
    let broken = own.replace("CERTIFICATE", "PRIVATE KEY").replace('M', "!");
    let sentence = Certificate::read(&format!("{broken}{own}"), NOW).expect_err("no key");
    assert!(
        sentence.contains("PEM that cannot be read; store"),
        "{sentence}"
    );
}

#[test]
fn what_is_no_certificate_is_named_and_never_repeated() {
    for text in [
        "",
        "planted~client~secret",
        "cGxhbnRlZA==",
        "{\"planted\":1}",
        "-----BEGIN CERTIFICATE-----\nplanted\n",
        "-----BEGIN PRIVATE KEY-----\ncGxhbnRlZA==\n-----END PRIVATE KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\ncGxhbnRlZA==\n-----END RSA PRIVATE KEY-----\n\
         -----BEGIN CERTIFICATE-----\ncGxhbnRlZA==\n-----END CERTIFICATE-----\n",
    ] {
        let sentence = Certificate::read(text, NOW).expect_err(text);
        assert!(sentence.starts_with("holds "), "{text}: {sentence}");
        assert!(!sentence.contains("planted") && !sentence.contains("cGxh"));
        assert!(sentence.contains("; "), "{sentence}");
    }
}

#[test]
fn a_damaged_file_is_an_error_and_never_a_panic() {
    for file in [
        "throwaway-chain-legacy.p12",
        "throwaway-absent-plain.p12",
        "throwaway-aes.p12",
    ] {
        let whole = fixture(file);
        for place in (0..whole.len()).step_by(13) {
            let mut damaged = whole.clone();
            damaged[place] ^= 0x41;
            // Some bytes are names, or padding, or rounds; what matters is that it ends.
            let _ = Certificate::read(&base64::encode(&damaged), NOW);
            let _ = Certificate::read(&base64::encode(&whole[..place]), NOW);
        }
    }
}
