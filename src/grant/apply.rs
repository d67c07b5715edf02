//! Makes the changes of a plan, one after the other, and reads each back.
//!
//! A change that fails is told with what to do about it, and those that rest on it
//! are skipped. What the workspace accepts and then does not show within the bounds
//! of patience, or what could not be read back, counts as not seen.

use tokio::time::Instant;

use super::members::Members;
use super::plan::{Change, Member, Wish};
use super::{Patience, StepOutcome};
use crate::databricks::access::AccessProblem;
use crate::databricks::errors::ErrorBody;
use crate::databricks::words_of_refusal;
use crate::service::CallError;

/// Who makes the changes for one principal in one workspace.
pub(super) struct Hand<'h> {
    pub(super) members: &'h Members,
    pub(super) wish: &'h Wish,
    /// As it was found, or as it was read back since.
    pub(super) member: Option<Member>,
    pub(super) waiting: (Patience, Instant),
    /// As whom, in words.
    pub(super) acting: String,
}

const NO_MEMBER: &str = "it rests on the membership, which could not be had";
const UNSEEN: &str = "the workspace accepted it and does not show it yet; run this again to see";

impl Hand<'_> {
    pub(super) async fn make(&mut self, change: &Change) -> StepOutcome {
        let made = match change {
            // `Visit::join` makes it.
            Change::Join { .. } => return StepOutcome::Skipped(NO_MEMBER.to_owned()),
            Change::Create { .. } => self.create().await,
            Change::Entitle { .. } => self.entitle().await,
            Change::Admit { .. } => self.admit().await,
            Change::Allow { .. } => self.allow(change).await,
        };
        made.unwrap_or_else(|outcome| outcome)
    }

    /// Adds the principal. One that exists by now, or whom only the listing does not
    /// show yet, is as good as one that was added.
    async fn create(&mut self) -> Result<StepOutcome, StepOutcome> {
        let grantee = &self.wish.grantee;
        let existed = match self.members.create(grantee).await {
            Ok(()) => false,
            Err(error) if already_exists(&error) => true,
            Err(error) => return Err(self.failed(&error)),
        };
        let found = self.until_seen(|member| member.is_some()).await;
        let found = found.map_err(|error| match existed {
            true => self.failed(&error),
            false => self.not_read_back(&error),
        })?;
        match (found, existed) {
            (Some(member), _) => {
                let lacks = !member.has_workspace_access && !member.is_admin;
                self.member = Some(member);
                if lacks {
                    return self.entitle().await;
                }
                Ok(StepOutcome::Made)
            }
            (None, true) => Ok(StepOutcome::Failed(
                "it exists in the Databricks account, and this workspace does not list it: assign \
                 it to the workspace in the account console, under Workspaces, Permissions"
                    .to_owned(),
            )),
            (None, false) => Ok(StepOutcome::NotSeen(UNSEEN.to_owned())),
        }
    }

    async fn entitle(&mut self) -> Result<StepOutcome, StepOutcome> {
        let id = self.member_id()?;
        let sent = self.members.entitle(&id).await;
        sent.map_err(|error| self.failed(&error))?;
        let is_entitled =
            |member: Option<&Member>| member.is_some_and(|one| one.has_workspace_access);
        let found = self.until_seen(is_entitled).await;
        let found = found.map_err(|error| self.not_read_back(&error))?;
        Ok(seen(is_entitled(found.as_ref())))
    }

    async fn admit(&mut self) -> Result<StepOutcome, StepOutcome> {
        let id = self.member_id()?;
        let admins = self.members.admins().await;
        let admins = admins.map_err(|error| self.failed(&error))?;
        let Some(admins) = admins else {
            let why = "the workspace does not list the group `admins` to this login";
            return Err(StepOutcome::Failed(why.to_owned()));
        };
        let sent = self.members.admit(&admins.id, &id).await;
        sent.map_err(|error| self.failed(&error))?;
        let waiting = self.waiting.0.begin(self.waiting.1);
        loop {
            let admins = self.members.admins().await;
            let admins = admins.map_err(|error| self.not_read_back(&error))?;
            let is_in = admins.is_some_and(|admins| admins.members.contains(&id));
            if is_in || !waiting.again().await {
                return Ok(seen(is_in));
            }
        }
    }

    async fn allow(&mut self, change: &Change) -> Result<StepOutcome, StepOutcome> {
        let grantee = change.grantee();
        let Some((cluster, right)) = change.allow() else {
            return Ok(StepOutcome::Skipped(NO_MEMBER.to_owned()));
        };
        self.member_id()?;
        let sent = self.members.allow(&cluster.id, grantee, right).await;
        sent.map_err(|error| self.failed(&error))?;
        let waiting = self.waiting.0.begin(self.waiting.1);
        loop {
            let has = self.members.right(&cluster.id, grantee).await;
            let has = has.map_err(|error| self.not_read_back(&error))?;
            let is_there = has.is_some_and(|has| has >= right);
            if is_there || !waiting.again().await {
                return Ok(seen(is_there));
            }
        }
    }

    fn member_id(&self) -> Result<String, StepOutcome> {
        match &self.member {
            Some(member) => Ok(member.id.clone()),
            None => Err(StepOutcome::Skipped(NO_MEMBER.to_owned())),
        }
    }

    /// The member once it is as it should be, or as it is when patience ends.
    async fn until_seen(
        &self,
        is_right: impl Fn(Option<&Member>) -> bool,
    ) -> Result<Option<Member>, CallError> {
        let waiting = self.waiting.0.begin(self.waiting.1);
        loop {
            let found = self.members.find(&self.wish.grantee).await?;
            if is_right(found.as_ref()) || !waiting.again().await {
                return Ok(found);
            }
        }
    }

    fn failed(&self, error: &CallError) -> StepOutcome {
        StepOutcome::Failed(refusal(&self.acting, error))
    }

    /// The change is in force for all that is known, so it is not told as failed.
    fn not_read_back(&self, error: &CallError) -> StepOutcome {
        StepOutcome::NotSeen(format!(
            "the workspace accepted it, and it could not be read back: {}; run this again to see",
            refusal(&self.acting, error)
        ))
    }
}

fn seen(is_there: bool) -> StepOutcome {
    if is_there {
        StepOutcome::Made
    } else {
        StepOutcome::NotSeen(UNSEEN.to_owned())
    }
}

/// Whether a creation failed because there is such a principal: 409 in several
/// shapes, or the sentence with another status. It comes in two wordings, "Service
/// principal with application ID … already exists." and, where members come from the
/// account, "User with email … already exists in this account" (the official
/// Terraform provider looks for them).
fn already_exists(error: &CallError) -> bool {
    let Some(answer) = error.cause.answer() else {
        return false;
    };
    let body = ErrorBody::parse(&answer.body);
    let code = body.code.as_deref();
    matches!(code, Some("RESOURCE_ALREADY_EXISTS" | "ALREADY_EXISTS"))
        || body.says("already exists")
        || answer.status == 409
}

/// What a refusal means to whoever acts, and what to do.
pub(super) fn refusal(acting: &str, error: &CallError) -> String {
    let words =
        words_of_refusal(error).map_or(String::new(), |words| format!("; it said: {words}"));
    let problem = AccessProblem::of(error);
    if problem == AccessProblem::Forbidden {
        return format!(
            "{acting} may not do that: only a workspace admin, a member of the group `admins`, can ({error}{words})"
        );
    }
    if problem == AccessProblem::NotAMember {
        return format!(
            "{acting} is not a member of the workspace and can change nothing there: act as a workspace admin ({error})"
        );
    }
    if matches!(problem, AccessProblem::NoToken(_)) {
        return problem.to_string();
    }
    format!("{problem} ({error}{words})")
}
