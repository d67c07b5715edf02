//! Federated credentials: a managed identity's token that proves to be an app registration.
//!
//! The token must be one that was given out here, for Entra itself, and an app registration must trust its
//! issuer, subject and audience, compared letter by letter. The refusals name which of the three did not match.

use super::Refusal;
use super::assertion::{Claims, out_of_time, seconds};
use crate::world::{Audience, FederatedCredential, Principal, World};

const DOCUMENTATION: &str =
    "https://learn.microsoft.com/entra/workload-id/workload-identity-federation";

/// Whether `presented` proves to be this principal.
pub(super) fn check(
    world: &World,
    principal: &Principal,
    presented: &str,
    claims: &Claims,
) -> Result<(), Refusal> {
    let token = world.tokens.find(presented);
    let Some(token) = token.filter(|token| !token.is_revoked) else {
        let sentence = "Assertion failed signature validation. [Reason - The key was not found.]";
        return Err(Refusal::client(50_013, sentence));
    };
    let trusted = &principal.federated;
    if trusted.is_empty() {
        let sentence = format!(
            "No matching federated identity record found for presented assertion. Assertion Issuer: '{}'. Assertion \
             Subject: '{}'. Assertion Audience: '{}'. {DOCUMENTATION}",
            claims.iss, claims.sub, claims.aud
        );
        return Err(Refusal::request(70_021, sentence));
    }
    let trusts = |test: &dyn Fn(&FederatedCredential) -> bool| trusted.iter().any(test);
    let is_issuer = |known: &FederatedCredential| known.issuer == claims.iss;
    let is_subject = |known: &FederatedCredential| is_issuer(known) && known.subject == claims.sub;
    // A credential names the audience as it is asked for; the token names the application behind it.
    let is_whole = |known: &FederatedCredential| {
        let is_asked_for = token.audience == Audience::TokenExchange;
        is_subject(known) && is_asked_for && known.audience == world.azure.exchange
    };
    if !trusts(&is_issuer) {
        return Err(no_match(700_211, "issuer", &claims.iss));
    }
    if !trusts(&is_subject) {
        return Err(no_match(700_213, "subject", &claims.sub));
    }
    if !trusts(&is_whole) {
        return Err(no_match(700_212, "audience", &claims.aud));
    }
    let (now_ms, end_ms) = (world.clock.now_ms(), token.expires_at_ms);
    if end_ms <= now_ms {
        return Err(out_of_time(0.0, seconds(end_ms), seconds(now_ms)));
    }
    Ok(())
}

fn no_match(code: u32, what: &str, value: &str) -> Refusal {
    let sentence = format!(
        "No matching federated identity record found for presented assertion {what} '{value}'. Check your federated \
         identity credential Subject, Audience and Issuer against the presented assertion. {DOCUMENTATION}"
    );
    Refusal::client(code, sentence)
}
