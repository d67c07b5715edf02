//! App Service's token endpoint for the Function App's managed identities, on plain loopback.
//!
//! Numbers come as strings, as the real one sends them; the Azure SDK refuses an answer without `resource`
//! or with a numeric `expires_on`. A missing or wrong secret header is refused. A user-assigned identity is
//! asked for by its client id; without one the system-assigned identity answers.

use serde_json::json;

use crate::encode;
use crate::http::{Answer, Request};
use crate::world::{Audience, World};

/// The two refusals for want of an identity, as they are reported of App Service.
const NO_SUCH_IDENTITY: &str = "No User Assigned or Delegated Managed Identity found for specified \
                                ClientId/ResourceId/PrincipalId.";
const NO_SYSTEM_IDENTITY: &str = "Unable to load the proper Managed Identity.";

pub(super) fn answer(world: &mut World, request: &Request) -> Answer {
    if request.method != "GET" || request.path != "/msi/token" {
        return Answer::unarranged(format!(
            "{} {} at the managed identity",
            request.method, request.path
        ));
    }
    let known_keys = ["api-version", "resource", "client_id"];
    if let Some(key) = request.query.unknown_key(&known_keys) {
        return Answer::unarranged(format!("the query key {key:?} at the managed identity"));
    }
    if request.query.first("api-version") != Some("2019-08-01") {
        return refuse(400, "unsupported api-version");
    }
    if request.header("x-identity-header") != Some(world.identity.header.as_str()) {
        return refuse(403, "the X-IDENTITY-HEADER is missing or wrong");
    }
    let identity = &world.identity;
    let principal = match request.query.first("client_id") {
        Some(client_id) => {
            let mut user_assigned = identity.user_assigned.iter();
            let found = user_assigned.find(|known| known.client_id.eq_ignore_ascii_case(client_id));
            found.ok_or(NO_SUCH_IDENTITY)
        }
        None if identity.is_assigned => Ok(&identity.principal),
        None => Err(NO_SYSTEM_IDENTITY),
    };
    let principal = match principal {
        Ok(principal) => principal.clone(),
        Err(message) => return refuse(400, message),
    };
    let resource = request.query.first("resource").unwrap_or_default();
    let Some(audience) = Audience::of_resource(&world.azure, resource) else {
        return refuse(400, "unknown resource")
            .violation(format!("a token for the unknown resource {resource:?}"));
    };
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
    let correlation_id = encode::guid_for(message);
    Answer::json(
        status,
        &json!({ "statusCode": status, "message": message, "correlationId": correlation_id }),
    )
}
