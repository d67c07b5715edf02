//! Entra's token endpoint, v2.0 and v1, for the client credentials grant with a secret or an assertion.
//!
//! Refusals follow the recorded shape (`error`, `error_description` that starts with the AADSTS code,
//! `error_codes`, `timestamp`, `trace_id`, `correlation_id`, `error_uri`), with or without line breaks in
//! the description. What is wrong with an assertion is the affair of the modules below.

mod assertion;
mod federated;

use serde_json::json;

use crate::encode;
use crate::http::{Answer, Query, Request};
use crate::world::{Audience, EntraErrors, Principal, World};

pub(super) fn answer(world: &mut World, request: &Request) -> Answer {
    let segments: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    match (request.method.as_str(), segments.as_slice()) {
        ("POST", [tenant, "oauth2", "v2.0", "token"]) => {
            token(world, request, tenant, Endpoint::V2)
        }
        ("POST", [tenant, "oauth2", "token"]) => token(world, request, tenant, Endpoint::V1),
        ("GET", [tenant, "v2.0", ".well-known", "openid-configuration"]) => {
            discovery(world, tenant)
        }
        (method, _) => Answer::unarranged(format!("{method} {} at Entra", request.path)),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    V1,
    V2,
}

/// The only type of assertion that there is.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Why a token was refused.
struct Refusal {
    /// The HTTP status.
    status: u16,
    /// The OAuth error.
    error: &'static str,
    /// The AADSTS number.
    code: u32,
    sentence: String,
    /// Why no client should ever have sent this, if so.
    violation: Option<String>,
}

impl Refusal {
    fn request(code: u32, sentence: impl Into<String>) -> Self {
        Self {
            status: 400,
            error: "invalid_request",
            code,
            sentence: sentence.into(),
            violation: None,
        }
    }

    fn client(code: u32, sentence: impl Into<String>) -> Self {
        Self {
            status: 401,
            error: "invalid_client",
            ..Self::request(code, sentence)
        }
    }

    fn violation(mut self, why: impl Into<String>) -> Self {
        self.violation = Some(why.into());
        self
    }
}

fn token(world: &mut World, request: &Request, tenant: &str, endpoint: Endpoint) -> Answer {
    if world.entra_errors == EntraErrors::Html502 {
        return Answer::html(
            502,
            "<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>",
        );
    }
    let form = request.form_body();
    if let Some(assertion) = form.first("client_assertion") {
        world.assertions.keep(assertion);
    }
    let asked_for = match endpoint {
        Endpoint::V1 => form.first("resource"),
        Endpoint::V2 => form
            .first("scope")
            .map(|scope| scope.strip_suffix("/.default").unwrap_or("")),
    };
    let audience = asked_for.and_then(|asked| Audience::of_resource(&world.azure, asked));
    // Entra itself is for managed identities.
    let audience = audience.filter(|audience| *audience != Audience::TokenExchange);
    let Some(audience) = audience else {
        let scope = asked_for.unwrap_or_default();
        let sentence = format!(
            "The resource principal named {scope} was not found in the tenant named {tenant}."
        );
        let refusal = Refusal {
            error: "invalid_resource",
            ..Refusal::request(500_011, sentence)
        };
        let why = format!("a token for the unknown scope {scope:?}");
        return refuse(world, &refusal.violation(why));
    };
    match principal(world, &request.host, tenant, &form) {
        Ok(principal) => grant(
            world,
            &principal,
            audience,
            endpoint,
            asked_for.unwrap_or_default(),
        ),
        Err(refusal) => refuse(world, &refusal),
    }
}

/// The principal that a form proves to be.
fn principal(world: &World, host: &str, tenant: &str, form: &Query) -> Result<Principal, Refusal> {
    if form.first("grant_type") != Some("client_credentials") {
        let sentence = "The request body must contain the following parameter: 'grant_type'.";
        return Err(Refusal::request(900_144, sentence));
    }
    if !world
        .tenants
        .iter()
        .any(|known| known.eq_ignore_ascii_case(tenant))
    {
        let sentence = format!(
            "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."
        );
        return Err(Refusal::request(90_002, sentence));
    }
    let client_id = form.first("client_id").unwrap_or_default();
    let found = world.principals.iter().find(|known| {
        known.client_id.eq_ignore_ascii_case(client_id) && known.tenant.eq_ignore_ascii_case(tenant)
    });
    let Some(principal) = found else {
        let sentence = format!(
            "Application with identifier '{client_id}' was not found in the directory '{tenant}'."
        );
        return Err(Refusal {
            error: "unauthorized_client",
            ..Refusal::request(700_016, sentence)
        });
    };
    match (form.first("client_secret"), form.first("client_assertion")) {
        (Some(secret), None) => check_secret(principal, secret)?,
        (None, Some(presented)) => {
            if form.first("client_assertion_type") != Some(JWT_BEARER) {
                let sentence = "The request body must contain the following parameter: 'client_assertion_type'.";
                let refusal = Refusal::request(900_144, sentence);
                return Err(refusal.violation("an assertion without its type"));
            }
            assertion::check(
                world,
                principal,
                &format!("https://{host}/{tenant}"),
                presented,
            )?;
        }
        (None, None) => {
            let sentence = "The request body must contain the following parameter: 'client_assertion' or \
                            'client_secret'.";
            return Err(Refusal::client(7_000_218, sentence));
        }
        (Some(_), Some(_)) => {
            let refusal = Refusal::request(90_023, "The request holds two credentials.");
            return Err(refusal.violation("a client secret beside an assertion"));
        }
    }
    Ok(principal.clone())
}

fn check_secret(principal: &Principal, secret: &str) -> Result<(), Refusal> {
    let client_id = &principal.client_id;
    if principal.accepts(secret) {
        return Ok(());
    }
    if principal.accepted(secret) {
        let sentence =
            format!("The provided client secret keys for app '{client_id}' are expired.");
        return Err(Refusal::client(7_000_222, sentence));
    }
    let sentence = format!(
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, \
         not the client secret ID, for a secret added to app '{client_id}'."
    );
    Err(Refusal::client(7_000_215, sentence))
}

fn grant(
    world: &mut World,
    principal: &Principal,
    audience: Audience,
    endpoint: Endpoint,
    resource: &str,
) -> Answer {
    let lifetime = world.token_lifetime_s;
    let now_ms = world.clock.now_ms();
    let token = world.tokens.issue(audience, principal, now_ms, lifetime);
    let body = match endpoint {
        Endpoint::V2 => json!({
            "token_type": "Bearer",
            "expires_in": lifetime,
            "ext_expires_in": lifetime,
            "access_token": token.value,
        }),
        Endpoint::V1 => json!({
            "token_type": "Bearer",
            "expires_in": lifetime.to_string(),
            "ext_expires_in": lifetime.to_string(),
            "expires_on": (token.expires_at_ms / 1000).to_string(),
            "not_before": (now_ms / 1000).to_string(),
            "resource": resource,
            "access_token": token.value,
        }),
    };
    Answer::json(200, &body).header("cache-control", "no-store, no-cache")
}

fn refuse(world: &World, refusal: &Refusal) -> Answer {
    let Refusal {
        status,
        error,
        code,
        sentence,
        violation,
    } = refusal;
    let timestamp = encode::entra_time(world.clock.now_ms());
    let trace_id = encode::guid_for(&format!("trace {timestamp} {code}"));
    let correlation_id = encode::guid_for(&format!("correlation {timestamp} {code}"));
    let separator = match world.entra_errors {
        EntraErrors::WithEscapes => "\r\n",
        EntraErrors::OneLine | EntraErrors::Html502 => " ",
    };
    let description = [
        format!("AADSTS{code}: {sentence}"),
        format!("Trace ID: {trace_id}"),
        format!("Correlation ID: {correlation_id}"),
        format!("Timestamp: {timestamp}"),
    ]
    .join(separator);
    let body = json!({
        "error": error,
        "error_description": description,
        "error_codes": [code],
        "timestamp": timestamp,
        "trace_id": trace_id,
        "correlation_id": correlation_id,
        "error_uri": format!("https://{}/error?code={code}", world.azure.login),
    });
    let answer = Answer::json(*status, &body);
    match violation {
        Some(why) => answer.violation(why),
        None => answer,
    }
}

/// What MSAL asks for first when it is told an authority.
fn discovery(world: &World, tenant: &str) -> Answer {
    let base = format!("https://{}/{tenant}", world.azure.login);
    Answer::json(
        200,
        &json!({
            "issuer": format!("{base}/v2.0"),
            "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
            "token_endpoint": format!("{base}/oauth2/v2.0/token"),
            "jwks_uri": format!("{base}/discovery/v2.0/keys"),
        }),
    )
}
