//! Entry to a workspace: what the network, the token and the membership let through, each refusal in the
//! shape that was recorded of the real service.
//!
//! It also plays the two Azure headers by which a contributor on the workspace's resource becomes a
//! workspace admin on its first call. Those headers must never go to a driver's machine; there they are a
//! violation.

use serde_json::json;

use super::{Caller, error};
use crate::encode;
use crate::http::{Answer, Request};
use crate::services::bearer::{self, BadToken};
use crate::world::{Access, Audience, DATABRICKS_APP_ID, Member, PrivateLink, Token, World};

const MANAGEMENT_TOKEN: &str = "x-databricks-azure-sp-management-token";
const RESOURCE_ID: &str = "x-databricks-azure-workspace-resource-id";
const LOGIN_PATH: &str = "/login.html";
/// An issuer and an audience that the world's tokens do not have.
const OTHER_TENANT: &str = "99999999-0000-4000-8000-999999999999";
const OTHER_AUDIENCE: &str = "https://management.azure.com/";

pub(super) fn enter(world: &mut World, request: &Request) -> Result<Caller, Answer> {
    let Some(workspace) = world.find_workspace_by_host(&request.host) else {
        return Err(Answer::unarranged(format!(
            "the workspace {}",
            request.host
        )));
    };
    let has_headers =
        request.header(MANAGEMENT_TOKEN).is_some() || request.header(RESOURCE_ID).is_some();
    if has_headers && request.path.starts_with("/driver-proxy-api/") {
        return Err(Answer::unarranged(
            "an X-Databricks-Azure header to a driver's machine",
        ));
    }
    let access = workspace.access.clone();
    let workspace_id = workspace.id;
    let tenant = workspace.tenant.clone();
    if request.path == LOGIN_PATH {
        return Err(login_page());
    }
    if let Some(refusal) = refuse_network(&access, workspace_id) {
        return Err(refusal);
    }
    let token = match bearer::check_request(world, request, Audience::Databricks, &tenant) {
        Ok(token) => token,
        Err(bad) => return Err(refuse_token(&bad, &tenant)),
    };
    if let Some(refusal) = refuse_caller(&access, &token) {
        return Err(refusal);
    }
    let has_proven = join(world, request, &token)?;
    membership(world, request, &token, has_proven)
}

/// What stands before the token is looked at.
fn refuse_network(access: &Access, workspace_id: u64) -> Option<Answer> {
    match access {
        Access::IpAccessList => Some(error(
            403,
            "403",
            &format!("Unauthorized access to Org: {workspace_id}"),
        )),
        Access::PrivateLink(shape) => Some(refuse_public_network(*shape, workspace_id)),
        Access::NotFound => Some(html_error(404, "The workspace could not be found.", "/")),
        Access::Throttled {
            retry_after,
            error_code,
        } => {
            let answer = error(
                429,
                error_code,
                "Too many requests. Please wait a moment and try again.",
            );
            Some(match retry_after {
                Some(length) => answer.header("retry-after", &length.as_secs().to_string()),
                None => answer,
            })
        }
        Access::LoginPage => Some(login_page()),
        Access::Open
        | Access::Contributor
        | Access::NoEntitlement
        | Access::InvalidToken
        | Access::CredentialNotSent
        | Access::ExpiredToken(_)
        | Access::OtherTenant
        | Access::OtherAudience
        | Access::NoSuchHost => None,
    }
}

/// Where the redirect of a private link ends for a client that follows it.
fn login_page() -> Answer {
    Answer::html(
        200,
        "<!doctype html><html><head><title>Sign In - Databricks</title></head><body>Sign in</body></html>",
    )
}

fn refuse_public_network(shape: PrivateLink, workspace_id: u64) -> Answer {
    let sentence = format!("Unauthorized network access to workspace: {workspace_id}");
    match shape {
        PrivateLink::Json => error(403, "403", &sentence),
        PrivateLink::Sentence => Answer::text(403, sentence),
        PrivateLink::ReasonPhrase => {
            let phrase = format!("Public access is not allowed for workspace: {workspace_id}");
            Answer::json(403, &json!({ "X-Databricks-Reason-Phrase": phrase }))
        }
        PrivateLink::Redirect(status) => {
            let location =
                format!("{LOGIN_PATH}?error=private-link-validation-error:{workspace_id}");
            Answer::redirect(status, &location)
        }
    }
}

fn refuse_token(bad: &BadToken, tenant: &str) -> Answer {
    match bad {
        BadToken::Missing => credential_not_sent(),
        BadToken::Unknown => html_error(403, "Invalid access token.", "/"),
        BadToken::Expired => expired(401),
        BadToken::Audience(token) => wrong_claim("aud", DATABRICKS_APP_ID, &token.audience_claim()),
        BadToken::Tenant(token) => {
            let expected = token.issuer_in(tenant);
            wrong_claim("iss", &expected, &token.issuer())
        }
    }
}

/// What the workspace's access setting makes of a good token.
fn refuse_caller(access: &Access, token: &Token) -> Option<Answer> {
    match access {
        Access::NoEntitlement => Some(no_entitlement()),
        Access::InvalidToken => Some(html_error(403, "Invalid access token.", "/")),
        Access::CredentialNotSent => Some(credential_not_sent()),
        Access::ExpiredToken(status) => Some(expired(*status)),
        Access::OtherTenant => {
            let expected = token.issuer_in(OTHER_TENANT);
            Some(wrong_claim("iss", &expected, &token.issuer()))
        }
        Access::OtherAudience => Some(wrong_claim("aud", OTHER_AUDIENCE, &token.audience_claim())),
        Access::Open
        | Access::Contributor
        | Access::IpAccessList
        | Access::PrivateLink(_)
        | Access::NotFound
        | Access::NoSuchHost
        | Access::Throttled { .. }
        | Access::LoginPage => None,
    }
}

fn no_entitlement() -> Answer {
    error(
        403,
        "PERMISSION_DENIED",
        "This API is disabled for users without the workspace-access entitlement.",
    )
}

fn credential_not_sent() -> Answer {
    let message = "Credential was not sent or was of an unsupported type for this API.";
    Answer::json(401, &json!({ "error_code": 401, "message": message }))
}

fn expired(status: u16) -> Answer {
    Answer::json(
        status,
        &json!({ "error_code": status, "message": "Token is expired." }),
    )
}

fn wrong_claim(claim: &str, expected: &str, actual: &str) -> Answer {
    let sentence = format!(
        "io.jsonwebtoken.IncorrectClaimException: Expected {claim} claim to be: {expected}, but was: {actual}."
    );
    html_error(400, &sentence, "/")
}

fn html_error(status: u16, reason: &str, path: &str) -> Answer {
    let (reason, path) = (encode::html(reason), encode::html(path));
    Answer::html(
        status,
        format!(
            "<html>\n<head>\n<meta http-equiv=\"Content-Type\" content=\"text/html;charset=utf-8\"/>\n\
             <title>Error {status} {reason}</title>\n</head>\n<body><h2>HTTP ERROR {status}</h2>\n\
             <p>Problem accessing {path}. Reason:\n<pre>    {reason}</pre></p>\n</body>\n</html>\n"
        ),
    )
}

/// Makes a contributor on the workspace's resource a workspace admin, if the two headers prove it; whether
/// they did.
fn join(world: &mut World, request: &Request, token: &Token) -> Result<bool, Answer> {
    let (Some(management), Some(resource_id)) = (
        request.header(MANAGEMENT_TOKEN),
        request.header(RESOURCE_ID),
    ) else {
        return Ok(false);
    };
    let Some(workspace) = world.find_workspace_by_host(&request.host) else {
        return Ok(false);
    };
    if !workspace.resource_id.eq_ignore_ascii_case(resource_id) {
        let sentence = format!("The workspace with resource ID {resource_id} could not be found.");
        return Err(html_error(404, &sentence, &request.path));
    }
    let tenant = &workspace.tenant;
    let management = bearer::check(world, Some(management), Audience::Management, tenant)
        .map_err(|bad| refuse_token(&bad, tenant))?;
    let is_contributor = management.principal == token.principal
        && world
            .principal_named(&token.principal)
            .is_some_and(|principal| principal.arm.is_contributor);
    if is_contributor {
        let host = workspace.host.clone();
        let now = world.now();
        let workspace = world.workspace_mut(&host);
        let spread = workspace.spread.begins(now);
        match workspace.member_mut(&token.principal) {
            Some(member) if member.is_admin() => {}
            Some(member) => member.groups.push("admins".to_owned()),
            None => {
                let mut member = Member::admin(&token.principal);
                member.spread = spread;
                workspace.members.push(member);
            }
        }
    }
    Ok(is_contributor)
}

/// Lets a member in whom the workspace knows by now. Who has proven on this very request that it may join
/// need not wait until that has spread.
fn membership(
    world: &mut World,
    request: &Request,
    token: &Token,
    has_proven: bool,
) -> Result<Caller, Answer> {
    let not_authorized = || html_error(403, "User not authorized.", &request.path);
    let client_id = world
        .principal_named(&token.principal)
        .map(|principal| principal.client_id.clone())
        .ok_or_else(not_authorized)?;
    let now = world.now();
    let member = world
        .workspace_mut(&request.host)
        .member_mut(&token.principal)
        .ok_or_else(not_authorized)?;
    if !has_proven && !member.arrives(now) {
        return Err(not_authorized());
    }
    if !member.is_active {
        return Err(error(403, "PERMISSION_DENIED", "The user is inactive."));
    }
    if !member.may_call() {
        return Err(no_entitlement());
    }
    Ok(Caller {
        principal: token.principal.clone(),
        client_id,
        is_admin: member.is_admin(),
    })
}
