//! Joins a workspace by the principal's own right on its Azure resource: one call
//! with both tokens and the resource-id header.
//!
//! Who is Contributor or Owner of the resource is made a member by that call, and a
//! workspace **admin** (Databricks, "admin user login" for service principals). So
//! it happens on demand only: where the operator runs `grant --self --apply`, or in
//! a sweep in terminate mode of a workspace whose `access` is `contributor`, and only
//! after the plain token was refused as no member's. There is no [`Joiner`] in report
//! mode. It calls the workspace's own API, never a driver.

use std::fmt;
use std::sync::Arc;

use http::Method;
use serde::de::IgnoredAny;

use crate::databricks::access::AccessProblem;
use crate::databricks::read_answer;
use crate::identity::{Audience, TokenError, TokenSource};
use crate::policy::Mode;
use crate::service::{Ask, CallError, Joining, Service, Stage};

/// Bytes of an answer about oneself.
const ONE_CAP: usize = 4 << 20;

/// What is told where the wait for a membership was in vain.
pub const NOT_SPREAD: &str = "the call that makes it a member was answered, and the workspace \
    still does not let it in: a membership takes a while to spread, so the next run may find it";

/// What is told where no answer tells whether the principal has joined.
pub const MAY_HAVE_JOINED: &str = "the workspace may have acted on that call all the same, so the \
    service principal may have become a workspace admin here: look there whether it is in the \
    group `admins`";

/// The way into a workspace for a principal that is a contributor on its resource.
#[derive(Debug, Clone)]
pub struct Joiner {
    service: Arc<Service>,
    tokens: Arc<dyn TokenSource>,
    resource_id: String,
}

/// Why joining failed. Its `Display` says what to do.
#[derive(Debug, Clone)]
pub enum JoinProblem {
    /// There is no token for Azure's service management.
    NoToken(TokenError),
    /// The time was up before that token came.
    TokenTooLate,
    /// The workspace does not take that token.
    TokenRefused(CallError),
    /// The resource id is not the workspace's.
    WrongResourceId(CallError),
    /// The principal has no right on the resource that would let it join.
    NoRight(CallError),
    /// Anything else.
    Other(AccessProblem, CallError),
}

impl Joiner {
    /// The way for a sweep in this mode of this workspace; there is none in report mode.
    #[must_use]
    pub fn for_sweep(
        mode: Mode,
        service: Arc<Service>,
        tokens: Arc<dyn TokenSource>,
        resource_id: Option<String>,
    ) -> Option<Self> {
        match mode {
            Mode::Report => None,
            Mode::Terminate => Self::for_grant(service, tokens, resource_id),
        }
    }

    /// The way for an operator who asks for it, whatever the mode.
    #[must_use]
    pub fn for_grant(
        service: Arc<Service>,
        tokens: Arc<dyn TokenSource>,
        resource_id: Option<String>,
    ) -> Option<Self> {
        Some(Self {
            service,
            tokens,
            resource_id: resource_id?,
        })
    }

    /// Makes the principal a member and an admin. Until its plain token is let in, some
    /// time can pass.
    ///
    /// # Errors
    ///
    /// A [`JoinProblem`]; the principal is then what it was before, unless the problem says
    /// that it [may have joined](JoinProblem::may_have_joined).
    pub async fn join(&self) -> Result<(), JoinProblem> {
        let token = self.tokens.token(Audience::Management);
        let deadline = self.service.lane().deadline();
        let management = match tokio::time::timeout_at(deadline, token).await {
            Ok(management) => management.map_err(JoinProblem::NoToken)?,
            Err(_) => return Err(JoinProblem::TokenTooLate),
        };
        let ask = Ask {
            verb: "join the workspace",
            stage: Stage::Rights,
            method: Method::GET,
            path: &["api", "2.0", "preview", "scim", "v2", "Me"],
            query: &[("excludedAttributes", "entitlements")],
            body: None,
            // Who is an admin by then stays one.
            idempotent: true,
            body_cap: ONE_CAP,
            from_users: false,
            until: None,
            joining: Some(Joining::new(management, self.resource_id.clone())),
        };
        let answer = self.service.json_by(ask, read_answer::<IgnoredAny>).await;
        answer.map(|_| ()).map_err(JoinProblem::of)
    }
}

impl JoinProblem {
    /// Whether the call may have been acted on, and only its answer be missing. Who
    /// reports it has to look again, or to say so.
    #[must_use]
    pub fn may_have_joined(&self) -> bool {
        match self {
            Self::NoToken(_)
            | Self::TokenTooLate
            | Self::TokenRefused(_)
            | Self::WrongResourceId(_)
            | Self::NoRight(_) => false,
            Self::Other(_, error) => error.may_be_done,
        }
    }

    /// The plain token was known and refused as no member's just before, so what is
    /// wrong with a token now is wrong with the second one.
    fn of(error: CallError) -> Self {
        let problem = AccessProblem::of(&error);
        let is_of_the_token = matches!(
            problem,
            AccessProblem::TokenRefused
                | AccessProblem::WrongAudience
                | AccessProblem::WrongTenant { .. }
        );
        if matches!(
            problem,
            AccessProblem::NotAMember | AccessProblem::Forbidden
        ) {
            Self::NoRight(error)
        } else if problem == AccessProblem::WorkspaceNotFound {
            Self::WrongResourceId(error)
        } else if is_of_the_token {
            Self::TokenRefused(error)
        } else {
            Self::Other(problem, error)
        }
    }
}

impl fmt::Display for JoinProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoToken(why) => {
                write!(f, "there is no token for Azure's service management: {why}")
            }
            Self::TokenTooLate => f.write_str(
                "the time was up before there was a token for Azure's service management",
            ),
            Self::TokenRefused(error) => write!(
                f,
                "the workspace does not accept the token for Azure's service management: check \
                 that tenant and cloud are the workspace's ({error})",
            ),
            Self::WrongResourceId(error) => write!(
                f,
                "the resource id is not this workspace's: compare `resource_id` with the \
                 workspace's JSON view in the portal, and whether it still exists ({error})",
            ),
            Self::NoRight(error) => write!(
                f,
                "the principal has no right on the workspace's resource that would let it join: \
                 give it Contributor there, or add it with `terminate-clusters grant` ({error})",
            ),
            Self::Other(problem, error) => write!(f, "{problem} ({error})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use async_trait::async_trait;
    use tokio::time::Instant;

    use super::*;
    use crate::identity::Token;
    use crate::service::testing::{answer, service};

    /// Waits for a token that never comes.
    #[derive(Debug)]
    struct Never;

    #[async_trait]
    impl TokenSource for Never {
        async fn token(&self, _audience: Audience) -> Result<Token, TokenError> {
            pending().await
        }

        fn drop_token(&self, _audience: Audience, _token: &Token) {}
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_token_is_waited_for_no_longer_than_the_deadline() {
        let (service, transport) =
            service(|_| async { answer(200, "application/json", r#"{"id":"1"}"#) });
        let deadline = service.lane().deadline();
        let resource = Some("/subscriptions/s".to_owned());
        let joiner = Joiner::for_grant(service.share(), Arc::new(Never), resource);
        let joined = joiner.expect("a resource").join().await;
        let problem = joined.expect_err("no token");
        assert!(matches!(problem, JoinProblem::TokenTooLate), "{problem}");
        assert!(!problem.may_have_joined());
        assert!(Instant::now() < deadline + Duration::from_secs(1));
        assert!(transport.sent().is_empty());
    }
}
