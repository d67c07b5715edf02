//! Client assertions: whether a signed text proves to be an app registration.
//!
//! An assertion is checked in the order form, issuer, key, signature, audience, times. The numbers are the
//! documented ones; where the wording of one is not on record, clients must not lean on it. A token of
//! another issuer in an assertion's place is the affair of [`federated`].

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use super::{Refusal, federated};
use crate::encode;
use crate::world::{Certificate, Principal, SignatureAlgorithm, World};

/// How far a client's clock may be off.
const TOLERANCE_S: f64 = 300.0;
/// Longer than any client has a reason to sign for: five to ten minutes are recommended.
const LONGEST_S: f64 = 3600.0;
const DOCUMENTATION: &str =
    "https://learn.microsoft.com/entra/identity-platform/certificate-credentials";

const ANY_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, ANY_PADDING);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, ANY_PADDING);

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(rename = "x5t#S256")]
    x5t_s256: Option<String>,
    x5t: Option<String>,
}

/// Numbers come whole from some clients and broken from others.
#[derive(Deserialize)]
pub(super) struct Claims {
    pub(super) aud: String,
    pub(super) iss: String,
    pub(super) sub: String,
    jti: Option<String>,
    nbf: Option<f64>,
    iat: Option<f64>,
    exp: Option<f64>,
}

/// Whether `presented` proves to be this principal at the authority `https://host/tenant`.
pub(super) fn check(
    world: &World,
    principal: &Principal,
    authority: &str,
    presented: &str,
) -> Result<(), Refusal> {
    let malformed = || Refusal::request(50_027, "JWT token is invalid or malformed.");
    let parts: Vec<&str> = presented.split('.').collect();
    let &[header, claims, signature] = parts.as_slice() else {
        return Err(malformed());
    };
    let header: Header = part(header).ok_or_else(malformed)?;
    let claims: Claims = part(claims).ok_or_else(malformed)?;
    if claims.iss.starts_with("https://") {
        return federated::check(world, principal, presented, &claims);
    }
    let is_own = |claim: &str| claim.eq_ignore_ascii_case(&principal.client_id);
    if !is_own(&claims.iss) || !is_own(&claims.sub) {
        let sentence = format!(
            "Client assertion application identifier doesn't match 'client_id' parameter. Review the documentation \
             at {DOCUMENTATION} ."
        );
        return Err(Refusal::request(700_021, sentence));
    }
    let algorithm = algorithm(&header.alg)?;
    let certificate = registered(principal, &header)?;
    let now_s = seconds(world.clock.shown_ms());
    check_validity(principal, certificate, now_s)?;
    let signature = URL_SAFE.decode(signature).map_err(|_| malformed())?;
    let message = presented
        .rsplit_once('.')
        .map_or("", |(message, _)| message);
    if !certificate.verifies(algorithm, message.as_bytes(), &signature) {
        let reason = "The provided signature value did not match the expected signature value.";
        return Err(bad_key(principal, reason, certificate));
    }
    check_audience(&claims, authority)?;
    check_times(&claims, now_s)?;
    if claims.jti.as_deref().unwrap_or_default().is_empty() {
        return Err(malformed().violation("an assertion without an id"));
    }
    Ok(())
}

fn part<T: for<'de> Deserialize<'de>>(text: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE.decode(text).ok()?).ok()
}

pub(super) fn seconds(milliseconds: i64) -> f64 {
    // Exact for every moment that a clock can show.
    milliseconds as f64 / 1000.0
}

fn algorithm(name: &str) -> Result<SignatureAlgorithm, Refusal> {
    match name {
        "PS256" => Ok(SignatureAlgorithm::Ps256),
        "RS256" => Ok(SignatureAlgorithm::Rs256),
        other => {
            let sentence = format!(
                "Invalid JWT token. '{other}' is not a supported signature algorithm. Supported signing algorithms \
                 are: 'RS256, PS256'"
            );
            Err(Refusal::request(5_002_738, sentence))
        }
    }
}

/// The registered certificate that the header names: by SHA-256 with or without padding, or by SHA-1, for
/// which some clients use the other alphabet of base64.
fn registered<'p>(principal: &'p Principal, header: &Header) -> Result<&'p Certificate, Refusal> {
    let sha256 = header.x5t_s256.as_ref().map(|text| URL_SAFE.decode(text));
    let sha1 = header
        .x5t
        .as_ref()
        .map(|text| URL_SAFE.decode(text).or_else(|_| STANDARD.decode(text)));
    let named = [&sha256, &sha1];
    let is_named = |certificate: &&Certificate| {
        let says = |named: &Option<Result<Vec<u8>, _>>, own: Vec<u8>| match named {
            None => true,
            Some(Ok(bytes)) => *bytes == own,
            Some(Err(_)) => false,
        };
        let is_any = named.iter().any(|one| one.is_some());
        is_any && says(&sha256, certificate.sha256()) && says(&sha1, certificate.sha1())
    };
    if let Some(certificate) = principal.certificates.iter().find(is_named) {
        return Ok(certificate);
    }
    let thumbprint = named
        .into_iter()
        .flatten()
        .find_map(|named| named.as_ref().ok());
    let used = thumbprint.map_or_else(String::new, |bytes| {
        let hex = encode::hex_upper(bytes);
        format!("Thumbprint of key used by client: '{hex}', ")
    });
    let sentence = format!(
        "The certificate with identifier used to sign the client assertion is not registered on application. \
         [Reason - The key was not found., {used}{}",
        where_keys_are(principal)
    );
    Err(Refusal::client(700_027, sentence))
}

fn check_validity(
    principal: &Principal,
    certificate: &Certificate,
    now_s: f64,
) -> Result<(), Refusal> {
    let (start, end) = (certificate.not_before_s, certificate.not_after_s);
    let is_over = seconds(end.saturating_mul(1000)) < now_s;
    let is_to_come = seconds(start.saturating_mul(1000)) > now_s;
    match (is_over, is_to_come) {
        (true, _) => Err(bad_key(principal, "The key used is expired.", certificate)),
        // A guess: what Entra says of a key whose time is yet to come is not on record.
        (_, true) => Err(bad_key(
            principal,
            "The key used is not yet valid.",
            certificate,
        )),
        (false, false) => Ok(()),
    }
}

fn bad_key(principal: &Principal, reason: &str, certificate: &Certificate) -> Refusal {
    let time = |seconds: i64| encode::key_time(seconds.saturating_mul(1000));
    let sentence = format!(
        "Client assertion contains an invalid signature. [Reason - {reason}, Thumbprint of key used by client: '{}', \
         Found key 'Start={}, End={}', {}",
        certificate.thumbprint(),
        time(certificate.not_before_s),
        time(certificate.not_after_s),
        where_keys_are(principal)
    );
    Refusal::client(700_027, sentence)
}

fn where_keys_are(principal: &Principal) -> String {
    let id = &principal.client_id;
    format!(
        "Please visit the Azure Portal, Graph Explorer or directly use MS Graph to see configured keys for app Id \
         '{id}'. Review the documentation at https://docs.microsoft.com/en-us/graph/deployments to determine the \
         corresponding service endpoint and \
         https://docs.microsoft.com/en-us/graph/api/application-get?view=graph-rest-1.0&tabs=http to build a query \
         request URL, such as 'https://graph.microsoft.com/beta/applications/{id}']."
    )
}

/// An assertion is for one token endpoint: this tenant's, in this cloud.
fn check_audience(claims: &Claims, authority: &str) -> Result<(), Refusal> {
    let endpoints = ["/oauth2/v2.0/token", "/oauth2/token"];
    let is_meant = |path: &str| {
        let endpoint = format!("{authority}{path}");
        claims.aud.eq_ignore_ascii_case(&endpoint)
    };
    if endpoints.into_iter().any(is_meant) {
        return Ok(());
    }
    let sentence = format!(
        "Client assertion audience claim does not match Realm issuer. Review the documentation at {DOCUMENTATION} ."
    );
    Err(Refusal::client(700_023, sentence))
}

pub(super) fn check_times(claims: &Claims, now_s: f64) -> Result<(), Refusal> {
    let begin = claims.nbf.unwrap_or(0.0);
    let end = claims.exp.unwrap_or(0.0);
    let signed = claims.iat.unwrap_or(begin);
    let has_begun = begin <= now_s + TOLERANCE_S && signed <= now_s + TOLERANCE_S;
    if !has_begun || end <= now_s - TOLERANCE_S {
        return Err(out_of_time(begin, end, now_s));
    }
    if end > now_s + LONGEST_S {
        let refusal = out_of_time(begin, end, now_s);
        return Err(refusal.violation("an assertion that is good for more than an hour"));
    }
    Ok(())
}

pub(super) fn out_of_time(begin_s: f64, end_s: f64, now_s: f64) -> Refusal {
    // A cast saturates, and what no calendar holds is shown as its beginning.
    let time = |seconds: f64| encode::assertion_time((seconds * 1000.0) as i64);
    let sentence = format!(
        "Client assertion is not within its valid time range. Current time: {}, assertion valid from {}, expiry time \
         of assertion {}. Review the documentation at {DOCUMENTATION} .",
        time(now_s),
        time(begin_s),
        time(end_s)
    );
    Refusal::client(700_024, sentence)
}
