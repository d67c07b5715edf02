//! Key Vault: reading one secret or the list of its versions, with the challenge before the first answer.
//!
//! A request without a token gets the 401 challenge that names tenant and resource. The ordinary refusal
//! by RBAC holds line breaks, as recorded; a disabled version is refused with 403, an absent one with 404. A
//! secret outside its own times is given out, as documented. The list has the recorded form: a next link
//! with a port, and an empty page or `null` at the end.

use serde_json::{Value, json};

use super::bearer::{self, BadToken};
use crate::http::{Answer, Request};
use crate::world::{Audience, Azure, SecretVersion, Token, Vault, World};

const API_VERSIONS: [&str; 10] = [
    "7.0",
    "7.1",
    "7.2",
    "7.3",
    "7.4",
    "7.5",
    "7.6",
    "2025-06-01-preview",
    "2025-07-01",
    "2026-04-01",
];

/// Query keys; a read knows the first only.
const KEYS: [&str; 3] = ["api-version", "maxresults", "$skiptoken"];

pub(super) fn answer(world: &World, request: &Request) -> Answer {
    let Some(vault) = world
        .vaults
        .iter()
        .find(|vault| vault.host(&world.azure) == request.host)
    else {
        return Answer::unarranged(format!("the vault {}", request.host));
    };
    let segments: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    let (name, wanted, known_keys) = match (request.method.as_str(), segments.as_slice()) {
        ("GET", ["secrets", name]) if !name.is_empty() => (*name, Wanted::Newest, &KEYS[..1]),
        ("GET", ["secrets", name, "versions"]) => (*name, Wanted::List, &KEYS[..]),
        ("GET", ["secrets", name, version]) => (*name, Wanted::Version(version), &KEYS[..1]),
        (method, _) => {
            return Answer::unarranged(format!("{method} {} at the vault", request.path));
        }
    };
    if let Some(key) = request.query.unknown_key(known_keys) {
        return Answer::unarranged(format!("the query key {key:?} at the vault"));
    }
    let token = match bearer::check_request(world, request, Audience::Vault, &vault.tenant) {
        Ok(token) => token,
        Err(bad) => return challenge(&world.azure, &bad, &vault.tenant),
    };
    let api_version = request.query.first("api-version").unwrap_or_default();
    if !API_VERSIONS.contains(&api_version) {
        let message = format!("The specified version ({api_version}) is not recognized.");
        return refuse(400, "BadParameter", &message, None);
    }
    if !vault.readers.contains(&token.principal) {
        return forbidden(world, vault, name, &token);
    }
    match wanted {
        Wanted::Newest => secret(world, vault, name, None),
        Wanted::Version(version) => secret(world, vault, name, Some(version)),
        Wanted::List => versions(world, vault, name, request),
    }
}

/// What is asked for of a secret.
enum Wanted<'r> {
    Newest,
    Version(&'r str),
    List,
}

fn challenge(azure: &Azure, bad: &BadToken, tenant: &str) -> Answer {
    let resource = format!("https://{}", azure.vaults);
    let other_audience =
        format!("AKV10022: Invalid audience. Expected {resource}, found another audience.");
    let message = match bad {
        BadToken::Missing => "AKV10000: Request is missing a Bearer or PoP token.",
        BadToken::Unknown => "AKV10001: [BearerReadAccessTokenFailed] Error validating token.",
        BadToken::Expired => {
            "AKV10046: Unable to resolve the key used for signature validation: token expired."
        }
        BadToken::Audience(_) => &other_audience,
        BadToken::Tenant(_) => "AKV10032: Invalid issuer.",
    };
    let challenge = format!(
        "Bearer authorization=\"https://{}/{tenant}\", resource=\"{resource}\"",
        azure.login
    );
    refuse(401, "Unauthorized", message, None).header("www-authenticate", &challenge)
}

fn secret(world: &World, vault: &Vault, name: &str, version: Option<&str>) -> Answer {
    let found = vault.find(name).and_then(|secret| match version {
        None => secret.versions.last(),
        Some(id) => secret
            .versions
            .iter()
            .find(|known| known.id.eq_ignore_ascii_case(id)),
    });
    let Some(found) = found else {
        return absent(name);
    };
    if !found.is_enabled {
        let message = "Operation get is not allowed on a disabled secret.";
        return refuse(403, "Forbidden", message, Some("SecretDisabled"));
    }
    let mut body = version_json(world, vault, name, found);
    if let Some(value) = &found.value {
        body["value"] = json!(value);
    }
    Answer::json(200, &body)
}

fn absent(name: &str) -> Answer {
    let message = format!(
        "A secret with (name/id) {name} was not found in this key vault. If you recently deleted this secret you may \
         be able to recover it using the correct recovery command. For help resolving this issue, please see \
         https://go.microsoft.com/fwlink/?linkid=2125182"
    );
    refuse(404, "SecretNotFound", &message, None)
}

/// All of a version but its value.
fn version_json(world: &World, vault: &Vault, name: &str, version: &SecretVersion) -> Value {
    let created = world.clock.epoch_ms(version.created) / 1000;
    let mut attributes = json!({
        "enabled": version.is_enabled,
        "created": created,
        "updated": created,
        "recoveryLevel": "CustomizedRecoverable+Purgeable",
        "recoverableDays": 7,
    });
    for (key, time) in [("nbf", version.not_before), ("exp", version.expires)] {
        if let Some(time) = time {
            attributes[key] = json!(time.epoch_s(&world.clock));
        }
    }
    let host = vault.host(&world.azure);
    let mut body = json!({
        "id": format!("https://{host}/secrets/{name}/{}", version.id),
        "attributes": attributes,
        "tags": {},
    });
    if let Some(content_type) = &version.content_type {
        body["contentType"] = json!(content_type);
    }
    if version.is_certificate {
        body["kid"] = json!(format!("https://{host}/keys/{name}/{}", version.id));
        body["managed"] = json!(true);
    }
    body
}

fn versions(world: &World, vault: &Vault, name: &str, request: &Request) -> Answer {
    let Some(secret) = vault.find(name) else {
        return absent(name);
    };
    let number = |key: &str| request.query.first(key).map(str::parse::<usize>);
    let (size, from) = match (number("maxresults"), number("$skiptoken")) {
        (Some(Err(_)), _) | (_, Some(Err(_))) => {
            return refuse(
                400,
                "BadParameter",
                "A parameter of the list is no number.",
                None,
            );
        }
        (size, from) => (
            size.and_then(Result::ok).unwrap_or(25).min(vault.page_size),
            from.and_then(Result::ok).unwrap_or(0),
        ),
    };
    let page = secret.versions.iter().skip(from).take(size);
    let page: Vec<Value> = page
        .map(|version| version_json(world, vault, name, version))
        .collect();
    let next = from + size;
    let api_version = request.query.first("api-version").unwrap_or_default();
    // The recorded links have a port, and the last full page has one to an empty page.
    let link = (page.len() == size).then(|| {
        format!(
            "https://{}:443/secrets/{name}/versions?api-version={api_version}&$skiptoken={next}&maxresults={size}",
            vault.host(&world.azure)
        )
    });
    Answer::json(200, &json!({ "value": page, "nextLink": link }))
}

fn forbidden(world: &World, vault: &Vault, name: &str, token: &Token) -> Answer {
    let (appid, oid) = world
        .principal_named(&token.principal)
        .map_or(("", ""), |principal| {
            (&principal.client_id, &principal.object_id)
        });
    let vault_name = &vault.name;
    let message = [
        "Caller is not authorized to perform action on resource.".to_owned(),
        "If role assignments, deny assignments or role definitions were changed recently, please observe \
         propagation time."
            .to_owned(),
        format!("Caller: appid={appid};oid={oid};iss={}", token.issuer()),
        "Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'".to_owned(),
        format!("Resource: '/subscriptions/{}/providers/Microsoft.KeyVault/vaults/{vault_name}/secrets/{name}'",
            crate::world::SUBSCRIPTION_ID),
        "Assignment: (not found)".to_owned(),
        "DenyAssignmentId: null".to_owned(),
        "DecisionReason: null ".to_owned(),
        format!("Vault: {vault_name};location=westeurope"),
        String::new(),
    ]
    .join("\r\n");
    refuse(403, "Forbidden", &message, Some("ForbiddenByRbac"))
}

fn refuse(status: u16, code: &str, message: &str, inner: Option<&str>) -> Answer {
    let mut error = json!({ "code": code, "message": message });
    if let Some(inner) = inner {
        error["innererror"] = json!({ "code": inner });
    }
    Answer::json(status, &json!({ "error": error }))
}
