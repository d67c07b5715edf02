//! What a failed first contact with a workspace means, and what to do about it.
//!
//! Databricks says "no" in a dozen ways, most of them HTML, some with a status
//! that belongs to something else; each recorded one becomes a kind of its own
//! with a sentence for the operator. Pure: it asks nothing and retries nothing,
//! and a kind never decides about a cluster. Of the answer's own text nothing
//! enters a sentence but a tenant id.

use std::fmt;

use super::errors::ErrorBody;
use crate::retry::TransportErrorKind;
use crate::service::{CallError, CallErrorCause, StatusError};

const NOT_A_MEMBER: &str = "\
    the service principal is not a member of the workspace: add it with `terminate-clusters grant`, \
    or there under Settings, Identity and access, Service principals";
const NO_WORKSPACE_ACCESS: &str = "\
    the service principal is a member without the entitlement `workspace-access`: grant it in \
    the workspace's settings of the service principal";
const WRONG_TENANT: &str = "\
    the workspace belongs to another Entra tenant than the service principal: take the workspace \
    out of the policy, or the principal from the workspace's tenant";
const WRONG_AUDIENCE: &str = "\
    the workspace says that the token is for another service: check that the workspace's URL and \
    the cloud setting belong together";
const TOKEN_REFUSED: &str = "\
    the workspace does not accept the token, not even a fresh one: check the tenant id and the \
    client id, and that the service principal is active in the workspace";
const NO_TOKEN: &str = "there is no token to call the workspace with";
const PRIVATE_LINK_ONLY: &str = "\
    the workspace takes connections by private link only: run the Function App in a network with \
    a private endpoint to it, or enable public network access";
const IP_ACCESS_LIST: &str = "\
    the workspace's IP access list does not hold the address that the Function App sends from: \
    add its outbound addresses (a proxy or a private link can cause this too)";
const FORBIDDEN: &str = "\
    the workspace refused the service principal for a reason that is not recognised: check its \
    entitlements, and that it is active";
const WORKSPACE_NOT_FOUND: &str = "\
    the host knows no such workspace: it may be deleted, so check the URL and take the workspace \
    out of the policy if it is gone";
const HOST_NOT_FOUND: &str = "\
    the workspace's host does not exist or is private: check the URL, and the private DNS zone \
    where the workspace has a private endpoint";
const NOT_CONNECTED: &str = "\
    no connection to the workspace came about: check firewall, routes and proxy of the Function \
    App";
const TLS_FAILED: &str = "\
    the TLS connection to the workspace failed: where a proxy opens TLS, name its certificate \
    authority in SSL_CERT_FILE";
const TIMED_OUT: &str =
    "the workspace did not answer in time: check firewall and routes if it happens again";
const BROKEN_OFF: &str =
    "the connection broke off before the workspace's answer ended: the next sweep tries again";
const NOT_REACHED: &str = "\
    the sweep's time was over before the workspace answered: the next sweep tries again; sweep \
    fewer workspaces or allow more time if it happens again";
const HOST_REFUSED: &str = "\
    the host is none that a token may go to: the URL has to be https://adb-<digits>.<n> in the \
    cloud's Databricks domain";
const THROTTLED: &str = "\
    the workspace limits the rate of requests: the next sweep tries again; look for other \
    clients of the same principal if it happens again";
const HTML_INSTEAD_OF_JSON: &str = "\
    the workspace answered with a page for people, such as its login page, where the API answers \
    JSON: check the URL, and for a proxy in between";
const NOT_UNDERSTOOD: &str =
    "the answer is not what the API promises: check the URL, and for a proxy in between";
const SERVER_ERROR: &str = "\
    the workspace failed by itself: the next sweep tries again; look at the Azure status page if \
    it happens again";
const UNEXPECTED_STATUS: &str = "\
    the workspace answered in a way that the API does not describe: check the URL, and for a \
    proxy in between";

/// Why a workspace gave no usable answer to a call that any member may make.
/// Its `Display` is a sentence that says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessProblem {
    /// The principal exists in the tenant and not in the workspace.
    NotAMember,
    /// A member without the entitlement that the API asks for.
    NoWorkspaceAccess,
    /// The workspace belongs to another tenant.
    WrongTenant {
        /// The tenant that the workspace names as its own, where it does.
        expected: Option<String>,
    },
    /// The token is for another service.
    WrongAudience,
    /// The workspace does not take the token: invalid, expired, or of no known type.
    TokenRefused,
    /// There is no token to call with; says why.
    NoToken(String),
    /// Public network access is disabled.
    PrivateLinkOnly,
    /// The sender's address is on no list.
    IpAccessList,
    /// HTTP 403 for a reason that is none of the above.
    Forbidden,
    /// The host answers and knows no such workspace.
    WorkspaceNotFound,
    /// The host's name has no address.
    HostNotFound,
    /// No connection came about.
    NotConnected,
    /// The certificate or TLS itself was not acceptable.
    TlsFailed,
    /// No answer within the time.
    TimedOut,
    /// The connection broke off before the answer's end.
    BrokenOff,
    /// The sweep's deadline passed first.
    NotReached,
    /// Our own rules forbid the host.
    HostRefused,
    Throttled,
    /// A page for people, such as the login page, where JSON belongs.
    HtmlInsteadOfJson,
    /// Neither the JSON that was asked for nor a page for people.
    NotUnderstood,
    /// The workspace failed, with this status of 500 or more.
    ServerError(u16),
    UnexpectedStatus(u16),
}

impl AccessProblem {
    /// What `error` means.
    #[must_use]
    pub fn of(error: &CallError) -> Self {
        match &error.cause {
            CallErrorCause::Status(answer) => of_status(answer),
            CallErrorCause::Transport(error) => of_transport(error.kind),
            CallErrorCause::NotJson {
                content_type, body, ..
            } => {
                if says_private_link(&body.to_ascii_lowercase()) {
                    Self::PrivateLinkOnly
                } else if is_html(content_type, body) {
                    Self::HtmlInsteadOfJson
                } else {
                    Self::NotUnderstood
                }
            }
            CallErrorCause::Token(error) => Self::NoToken(error.sentence.clone()),
            CallErrorCause::TooLate | CallErrorCause::Deadline => Self::NotReached,
            CallErrorCause::Shape(_) | CallErrorCause::NotHtml { .. } => Self::NotUnderstood,
        }
    }

    /// The stable spelling in logs and JSON.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NotAMember => "not_a_member",
            Self::NoWorkspaceAccess => "no_workspace_access",
            Self::WrongTenant { .. } => "wrong_tenant",
            Self::WrongAudience => "wrong_audience",
            Self::TokenRefused => "token_refused",
            Self::NoToken(_) => "no_token",
            Self::PrivateLinkOnly => "private_link_only",
            Self::IpAccessList => "ip_access_list",
            Self::Forbidden => "forbidden",
            Self::WorkspaceNotFound => "workspace_not_found",
            Self::HostNotFound => "host_not_found",
            Self::NotConnected => "not_connected",
            Self::TlsFailed => "tls_failed",
            Self::TimedOut => "timed_out",
            Self::BrokenOff => "broken_off",
            Self::NotReached => "not_reached",
            Self::HostRefused => "host_refused",
            Self::Throttled => "throttled",
            Self::HtmlInsteadOfJson => "html_instead_of_json",
            Self::NotUnderstood => "not_understood",
            Self::ServerError(_) => "server_error",
            Self::UnexpectedStatus(_) => "unexpected_status",
        }
    }

    /// The sentence, where it depends on nothing but the kind.
    fn sentence(&self) -> &'static str {
        match self {
            Self::NotAMember => NOT_A_MEMBER,
            Self::NoWorkspaceAccess => NO_WORKSPACE_ACCESS,
            Self::WrongTenant { .. } => WRONG_TENANT,
            Self::WrongAudience => WRONG_AUDIENCE,
            Self::TokenRefused => TOKEN_REFUSED,
            Self::NoToken(_) => NO_TOKEN,
            Self::PrivateLinkOnly => PRIVATE_LINK_ONLY,
            Self::IpAccessList => IP_ACCESS_LIST,
            Self::Forbidden => FORBIDDEN,
            Self::WorkspaceNotFound => WORKSPACE_NOT_FOUND,
            Self::HostNotFound => HOST_NOT_FOUND,
            Self::NotConnected => NOT_CONNECTED,
            Self::TlsFailed => TLS_FAILED,
            Self::TimedOut => TIMED_OUT,
            Self::BrokenOff => BROKEN_OFF,
            Self::NotReached => NOT_REACHED,
            Self::HostRefused => HOST_REFUSED,
            Self::Throttled => THROTTLED,
            Self::HtmlInsteadOfJson => HTML_INSTEAD_OF_JSON,
            Self::NotUnderstood => NOT_UNDERSTOOD,
            Self::ServerError(_) => SERVER_ERROR,
            Self::UnexpectedStatus(_) => UNEXPECTED_STATUS,
        }
    }
}

impl fmt::Display for AccessProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())?;
        match self {
            Self::WrongTenant {
                expected: Some(tenant),
            } => write!(f, " ({tenant})"),
            Self::NoToken(why) => write!(f, ": {why}"),
            Self::ServerError(status) | Self::UnexpectedStatus(status) => {
                write!(f, " (HTTP {status})")
            }
            Self::NotAMember
            | Self::NoWorkspaceAccess
            | Self::WrongTenant { expected: None }
            | Self::WrongAudience
            | Self::TokenRefused
            | Self::PrivateLinkOnly
            | Self::IpAccessList
            | Self::Forbidden
            | Self::WorkspaceNotFound
            | Self::HostNotFound
            | Self::NotConnected
            | Self::TlsFailed
            | Self::TimedOut
            | Self::BrokenOff
            | Self::NotReached
            | Self::HostRefused
            | Self::Throttled
            | Self::HtmlInsteadOfJson
            | Self::NotUnderstood => Ok(()),
        }
    }
}

fn of_transport(kind: TransportErrorKind) -> AccessProblem {
    match kind {
        TransportErrorKind::Refused => AccessProblem::HostRefused,
        TransportErrorKind::Dns => AccessProblem::HostNotFound,
        TransportErrorKind::Connect => AccessProblem::NotConnected,
        TransportErrorKind::Tls => AccessProblem::TlsFailed,
        TransportErrorKind::Timeout => AccessProblem::TimedOut,
        TransportErrorKind::Reset | TransportErrorKind::Other => AccessProblem::BrokenOff,
        TransportErrorKind::BodyTooLarge => AccessProblem::NotUnderstood,
    }
}

/// Texts before statuses: the same status stands for several kinds, and several
/// kinds come with a status that belongs to another.
fn of_status(answer: &StatusError) -> AccessProblem {
    let location = answer.location.as_deref().unwrap_or_default();
    let parsed = ErrorBody::parse(&answer.body);
    let text = format!("{} {}", parsed.message, answer.body).to_ascii_lowercase();
    let says = |phrase: &str| text.contains(phrase);
    let is_throttled = answer.status == 429
        || parsed.names("REQUEST_LIMIT_EXCEEDED")
        || parsed.names("RESOURCE_EXHAUSTED")
        || says("token bucket limit");
    if says_private_link(&text) || says_private_link(location) {
        AccessProblem::PrivateLinkOnly
    } else if says("workspace-access entitlement") {
        AccessProblem::NoWorkspaceAccess
    } else if says("unauthorized access to org:") || says("ip access list") || says("ip acl") {
        AccessProblem::IpAccessList
    } else if says("expected iss claim") {
        AccessProblem::WrongTenant {
            expected: expected_tenant(&text),
        }
    } else if says("expected aud claim") {
        AccessProblem::WrongAudience
    } else if is_throttled {
        AccessProblem::Throttled
    } else {
        of_bare_status(answer, &text)
    }
}

fn of_bare_status(answer: &StatusError, text: &str) -> AccessProblem {
    let is_page = is_html(&answer.content_type, &answer.body);
    let location = answer.location.as_deref().unwrap_or_default();
    match answer.status {
        401 => AccessProblem::TokenRefused,
        403 if text.contains("user not authorized") => AccessProblem::NotAMember,
        // The wording for an expired token varies.
        403 if text.contains("invalid access token")
            || (text.contains("token") && text.contains("expired")) =>
        {
            AccessProblem::TokenRefused
        }
        403 => AccessProblem::Forbidden,
        // A path or an id that is unknown is answered in JSON.
        404 if is_page || text.contains("workspace with resource id") => {
            AccessProblem::WorkspaceNotFound
        }
        300..=399 if location.contains("login") => AccessProblem::HtmlInsteadOfJson,
        status @ 500.. => AccessProblem::ServerError(status),
        status => AccessProblem::UnexpectedStatus(status),
    }
}

/// `text` in lower case. The last one is where the API redirects to.
fn says_private_link(text: &str) -> bool {
    [
        "unauthorized network access to workspace",
        "public access is not allowed for workspace",
        "private-link-validation-error",
    ]
    .iter()
    .any(|phrase| text.contains(phrase))
}

fn is_html(content_type: &str, body: &str) -> bool {
    content_type.to_ascii_lowercase().contains("html") || body.trim_start().starts_with('<')
}

/// The tenant of `Expected iss claim to be: https://sts.windows.net/<id>/`, if
/// it has the shape of one. In China the issuer is `sts.chinacloudapi.cn`.
fn expected_tenant(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("expected iss claim to be:")?;
    let (_, rest) = rest.split_once("https://sts.")?;
    let (_, path) = rest.split_once('/')?;
    let tenant = path.split('/').next()?;
    let is_id = tenant.len() == 36
        && tenant
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    is_id.then(|| tenant.to_owned())
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// One of each kind.
    pub(crate) fn every_problem() -> Vec<AccessProblem> {
        vec![
            AccessProblem::NotAMember,
            AccessProblem::NoWorkspaceAccess,
            AccessProblem::WrongTenant { expected: None },
            AccessProblem::WrongAudience,
            AccessProblem::TokenRefused,
            AccessProblem::NoToken("why".to_owned()),
            AccessProblem::PrivateLinkOnly,
            AccessProblem::IpAccessList,
            AccessProblem::Forbidden,
            AccessProblem::WorkspaceNotFound,
            AccessProblem::HostNotFound,
            AccessProblem::NotConnected,
            AccessProblem::TlsFailed,
            AccessProblem::TimedOut,
            AccessProblem::BrokenOff,
            AccessProblem::NotReached,
            AccessProblem::HostRefused,
            AccessProblem::Throttled,
            AccessProblem::HtmlInsteadOfJson,
            AccessProblem::NotUnderstood,
            AccessProblem::ServerError(503),
            AccessProblem::UnexpectedStatus(418),
        ]
    }
}

#[cfg(test)]
mod tests;
