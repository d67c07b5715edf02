//! App Service's token endpoint for the Function App's managed identity, on plain loopback.
//!
//! Numbers come as strings, as the real one sends them; the Azure SDK refuses an answer without `resource`
//! or with a numeric `expires_on`. A missing or wrong secret header is refused.

use serde_json::json;

use crate::http::{Answer, Request};
use crate::world::{Audience, World};

pub(super) fn answer(world: &mut World, request: &Request) -> Answer {
    if request.method != "GET" || request.path != "/msi/token" {
        return Answer::unarranged(format!(
            "{} {} at the managed identity",
            request.method, request.path
        ));
    }
    if let Some(key) = request.query.unknown_key(&["api-version", "resource"]) {
        return Answer::unarranged(format!("the query key {key:?} at the managed identity"));
    }
    if request.query.first("api-version") != Some("2019-08-01") {
        return refuse(400, "unsupported api-version");
    }
    if request.header("x-identity-header") != Some(world.identity.header.as_str()) {
        return refuse(403, "the X-IDENTITY-HEADER is missing or wrong");
    }
    if !world.identity.is_assigned {
        return refuse(400, "no managed identity found");
    }
    let resource = request.query.first("resource").unwrap_or_default();
    let Some(audience) = Audience::of_resource(resource) else {
        return refuse(400, "unknown resource")
            .violation(format!("a token for the unknown resource {resource:?}"));
    };
    let principal = world.identity.principal.clone();
    // The identity's tokens live for a day at the real endpoint, whatever Entra gives to others.
    let lifetime_s = 86_400;
    let now_ms = world.clock.now_ms();
    let token = world.tokens.issue(audience, &principal, now_ms, lifetime_s);
    Answer::json(
        200,
        &json!({
            "access_token": token.value,
            "expires_on": (token.expires_at_ms / 1000).to_string(),
            "expires_in": lifetime_s.to_string(),
            "resource": resource,
            "token_type": "Bearer",
            "client_id": principal.client_id,
        }),
    )
}

fn refuse(status: u16, message: &str) -> Answer {
    Answer::json(status, &json!({ "statusCode": status, "message": message }))
}
