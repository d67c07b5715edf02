//! The check of a bearer token that every service makes in its own words.
//!
//! It says what is wrong with a token; how to refuse is the service's affair.

use crate::http::Request;
use crate::world::{Audience, Token, World};

/// What is wrong with a request's bearer token.
#[derive(Clone, Debug)]
pub(super) enum BadToken {
    /// There is none.
    Missing,
    /// It was not given out here, or was taken back.
    Unknown,
    /// It has expired.
    Expired,
    /// It is good for another audience.
    Audience(Token),
    /// It speaks for another tenant.
    Tenant(Token),
}

/// The token of a request, if it is good for this audience in this tenant.
pub(super) fn check(
    world: &World,
    value: Option<&str>,
    audience: Audience,
    tenant: &str,
) -> Result<Token, BadToken> {
    let value = value.ok_or(BadToken::Missing)?;
    let token = world
        .tokens
        .find(value)
        .filter(|token| !token.is_revoked)
        .ok_or(BadToken::Unknown)?
        .clone();
    let accepted = token.audience == audience
        || audience == Audience::Arm && token.audience == Audience::Management;
    if !accepted {
        return Err(BadToken::Audience(token));
    }
    if !token.tenant.eq_ignore_ascii_case(tenant) {
        return Err(BadToken::Tenant(token));
    }
    if token.expires_at_ms <= world.clock.now_ms() {
        return Err(BadToken::Expired);
    }
    Ok(token)
}

/// As [`check`], for the token of the `Authorization` header.
pub(super) fn check_request(
    world: &World,
    request: &Request,
    audience: Audience,
    tenant: &str,
) -> Result<Token, BadToken> {
    check(world, request.bearer(), audience, tenant)
}
