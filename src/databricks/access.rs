//! What a failed first contact with a workspace means, and what to do about it.
//!
//! Databricks says "no" in a dozen ways, most of them HTML, some with a status
//! that belongs to something else; each recorded one becomes a kind of its own
//! with a sentence for the operator. Pure: it asks nothing and retries nothing,
//! and a kind never decides about a cluster. No text from outside enters a
//! sentence, except a tenant id and a status.

use std::fmt;

use super::errors::ErrorBody;
use crate::service::{CallError, CallErrorCause, StatusError};

/// Why a workspace gave no usable answer to a call that any member may make.
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
    /// The workspace does not take the token: invalid, expired, or none.
    TokenRefused,
    /// Public network access is disabled.
    PrivateLinkOnly,
    /// The sender's address is on no list.
    IpAccessList,
    /// The host answers and knows no such workspace.
    WorkspaceNotFound,
    Throttled,
    /// HTTP 403 for a reason that is none of the above.
    Forbidden,
    /// A page for people, such as the login page, where JSON belongs.
    HtmlInsteadOfJson,
    /// JSON that is not the answer to what was asked.
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
            CallErrorCause::Shape(_) => Self::NotUnderstood,
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
            Self::PrivateLinkOnly => "private_link_only",
            Self::IpAccessList => "ip_access_list",
            Self::WorkspaceNotFound => "workspace_not_found",
            Self::Throttled => "throttled",
            Self::Forbidden => "forbidden",
            Self::HtmlInsteadOfJson => "html_instead_of_json",
            Self::NotUnderstood => "not_understood",
            Self::ServerError(_) => "server_error",
            Self::UnexpectedStatus(_) => "unexpected_status",
        }
    }
}

fn of_status(_answer: &StatusError) -> AccessProblem {
    AccessProblem::Forbidden
}
