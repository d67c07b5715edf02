use std::time::Duration;

use super::*;
use crate::identity::{TokenError, TokenErrorKind};
use crate::transport::TransportError;

const TENANT: &str = "11111111-2222-3333-4444-555555555555";

fn failed(cause: CallErrorCause) -> AccessProblem {
    AccessProblem::of(&CallError {
        verb: "list clusters",
        target: "adb-1.2.azuredatabricks.net/api/2.1/clusters/list".to_owned(),
        attempts: 1,
        may_be_done: true,
        elapsed: Duration::from_millis(5),
        cause,
    })
}

fn answered(status: u16, content_type: &str, body: &str) -> AccessProblem {
    failed(CallErrorCause::Status(StatusError {
        status,
        content_type: content_type.to_owned(),
        location: None,
        retry_after: None,
        body: body.to_owned(),
    }))
}

fn redirected(to: &str) -> AccessProblem {
    failed(CallErrorCause::Status(StatusError {
        status: 302,
        content_type: String::new(),
        location: Some(to.to_owned()),
        retry_after: None,
        body: String::new(),
    }))
}

const HTML: &str = "text/html;charset=iso-8859-1";
const JSON: &str = "application/json";

#[test]
fn every_recorded_refusal_is_a_kind_of_its_own() {
    let wrong_tenant = format!(
        "<html><title>Error 400 io.jsonwebtoken.IncorrectClaimException: Expected iss claim to \
         be: https://sts.windows.net/{TENANT}/, but was: https://sts.windows.net/b/.</title></html>"
    );
    #[rustfmt::skip]
    let rows = [
        (403, HTML, "<html><title>Error 403 User not authorized.</title></html>", AccessProblem::NotAMember),
        (403, HTML, "<html><h2>HTTP ERROR 403</h2><p>Problem accessing /api/2.0/x. Reason:<pre> User not authorized.</pre></html>", AccessProblem::NotAMember),
        (403, JSON, r#"{"error_code":"PERMISSION_DENIED","message":"This API is disabled for users without the workspace-access entitlement."}"#, AccessProblem::NoWorkspaceAccess),
        (403, HTML, "<html><title>Error 403 Invalid access token.</title></html>", AccessProblem::TokenRefused),
        (401, JSON, r#"{"error_code":401,"message":"Credential was not sent or was of an unsupported type for this API."}"#, AccessProblem::TokenRefused),
        (403, JSON, r#"{"error_code":"403","message":"Access token expired"}"#, AccessProblem::TokenRefused),
        (401, "", "", AccessProblem::TokenRefused),
        (400, HTML, &wrong_tenant, AccessProblem::WrongTenant { expected: Some(TENANT.to_owned()) }),
        (400, HTML, "<title>Error 400 Expected aud claim to be: x, but was: y.</title>", AccessProblem::WrongAudience),
        (403, JSON, r#"{"error_code":"403","message":"Unauthorized access to Org: 3762147546010750"}"#, AccessProblem::IpAccessList),
        (403, JSON, r#"{"error_code":"403","message":"Unauthorized network access to workspace: 1"}"#, AccessProblem::PrivateLinkOnly),
        (403, "text/plain", "Unauthorized network access to workspace: 1", AccessProblem::PrivateLinkOnly),
        (403, JSON, r#"{"X-Databricks-Reason-Phrase":"Public access is not allowed for workspace: 1"}"#, AccessProblem::PrivateLinkOnly),
        (403, JSON, r#"{"error_code":"PERMISSION_DENIED","message":"a@b.c does not have Manage permissions on c."}"#, AccessProblem::Forbidden),
        (404, HTML, "<html><title>Error 404 The workspace with resource ID /subscriptions/s could not be found.</title></html>", AccessProblem::WorkspaceNotFound),
        (404, HTML, "<html>not here</html>", AccessProblem::WorkspaceNotFound),
        (404, JSON, r#"{"error_code":"ENDPOINT_NOT_FOUND","message":"Endpoint not found for /2.0/accounts/workspaces"}"#, AccessProblem::UnexpectedStatus(404)),
        (429, JSON, r#"{"error_code":"RESOURCE_EXHAUSTED","message":"Too many requests."}"#, AccessProblem::Throttled),
        (429, JSON, r#"{"error_code":"REQUEST_LIMIT_EXCEEDED","message":"GetUserPermissionsRequest RPC token bucket limit has been exceeded."}"#, AccessProblem::Throttled),
        (429, "", "", AccessProblem::Throttled),
        (500, JSON, r#"{"detail":"REQUEST_LIMIT_EXCEEDED: slow down","status":"500"}"#, AccessProblem::Throttled),
        (500, JSON, "{}", AccessProblem::ServerError(500)),
        (503, HTML, "<html>", AccessProblem::ServerError(503)),
        (400, JSON, "{}", AccessProblem::UnexpectedStatus(400)),
        (418, "", "", AccessProblem::UnexpectedStatus(418)),
    ];
    for (status, content_type, body, expected) in rows {
        let problem = answered(status, content_type, body);
        assert_eq!(problem, expected, "{status} {body}");
    }
}

#[test]
fn the_tenant_of_a_workspace_is_read_from_the_issuer_of_every_cloud() {
    for issuer in ["sts.windows.net", "sts.chinacloudapi.cn"] {
        let page = format!(
            "<title>Expected iss claim to be: https://{issuer}/{TENANT}/, but was: https://{issuer}/b/.</title>"
        );
        let expected = AccessProblem::WrongTenant {
            expected: Some(TENANT.to_owned()),
        };
        assert_eq!(answered(400, HTML, &page), expected, "{issuer}");
    }
}

#[test]
fn a_redirect_names_the_network_or_the_login_page() {
    let host = "https://adb-1.2.azuredatabricks.net";
    for number in [1, 2, 8] {
        let to = format!("{host}/login.html?error=private-link-validation-error:{number}");
        assert_eq!(redirected(&to), AccessProblem::PrivateLinkOnly);
    }
    assert_eq!(
        redirected("/login.html?next=%2Fapi"),
        AccessProblem::HtmlInsteadOfJson
    );
    assert_eq!(
        redirected("/elsewhere"),
        AccessProblem::UnexpectedStatus(302)
    );
}

#[test]
fn a_page_where_json_belongs_is_told_from_other_answers() {
    let rows = [
        (
            "text/html",
            "<html>Sign in to Databricks</html>",
            AccessProblem::HtmlInsteadOfJson,
        ),
        (
            "text/html",
            "<script>location='/login.html?error=private-link-validation-error:3'</script>",
            AccessProblem::PrivateLinkOnly,
        ),
        (
            "",
            "<!doctype html><p>proxy</p>",
            AccessProblem::HtmlInsteadOfJson,
        ),
        ("text/plain", "ok", AccessProblem::NotUnderstood),
    ];
    for (content_type, body, expected) in rows {
        let problem = failed(CallErrorCause::NotJson {
            status: 200,
            content_type: content_type.to_owned(),
            body: body.to_owned(),
        });
        assert_eq!(problem, expected, "{content_type} {body}");
    }
}

#[test]
fn ways_of_not_reaching_a_workspace_are_told_apart() {
    let rows = [
        (TransportErrorKind::Refused, AccessProblem::HostRefused),
        (TransportErrorKind::Dns, AccessProblem::HostNotFound),
        (TransportErrorKind::Connect, AccessProblem::NotConnected),
        (TransportErrorKind::Tls, AccessProblem::TlsFailed),
        (TransportErrorKind::Timeout, AccessProblem::TimedOut),
        (TransportErrorKind::Reset, AccessProblem::BrokenOff),
        (TransportErrorKind::Other, AccessProblem::BrokenOff),
        (
            TransportErrorKind::BodyTooLarge,
            AccessProblem::NotUnderstood,
        ),
    ];
    for (kind, expected) in rows {
        let cause = CallErrorCause::Transport(TransportError::new(kind, false, "x"));
        assert_eq!(failed(cause), expected, "{kind:?}");
    }
    assert_eq!(failed(CallErrorCause::Deadline), AccessProblem::NotReached);
    let shape = CallErrorCause::Shape("missing field".to_owned());
    assert_eq!(failed(shape), AccessProblem::NotUnderstood);
}

#[test]
fn a_missing_token_keeps_its_own_sentence() {
    let problem = failed(CallErrorCause::Token(TokenError {
        kind: TokenErrorKind::Refused,
        aadsts: Some(7_000_222),
        sentence: "the client secret has expired".to_owned(),
    }));
    assert_eq!(problem.as_str(), "no_token");
    let text = problem.to_string();
    assert!(text.ends_with(": the client secret has expired"), "{text}");
}

#[test]
fn of_the_answers_own_text_only_a_tenant_id_is_repeated() {
    let page = |tenant: &str| {
        let body = format!(
            "<title>Expected iss claim to be: https://sts.windows.net/{tenant}/, but was: z</title>"
        );
        answered(400, HTML, &body).to_string()
    };
    assert!(page(TENANT).ends_with(&format!(" ({TENANT})")));
    for hostile in [
        "\nERROR forged",
        "planted",
        "",
        "1111111111111111111111111111111111\n1",
    ] {
        let text = page(hostile);
        assert!(!text.contains('('), "{text}");
        assert!(!text.contains('\n'), "{text}");
    }
    let text = answered(403, JSON, r#"{"message":"planted"}"#).to_string();
    assert!(!text.contains("planted"), "{text}");
}

#[test]
fn every_kind_has_a_spelling_and_a_sentence_of_its_own() {
    let all = super::testing::every_problem();
    let spellings: std::collections::BTreeSet<_> = all.iter().map(AccessProblem::as_str).collect();
    let sentences: std::collections::BTreeSet<_> = all.iter().map(ToString::to_string).collect();
    assert_eq!(spellings.len(), all.len());
    assert_eq!(sentences.len(), all.len());
}
