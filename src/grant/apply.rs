//! Makes the changes of a plan, one after the other, and reads each back.
//!
//! A change that fails is told with what to do about it, and those that rest on it
//! are skipped. What the workspace accepts and then does not show within the bounds
//! of patience, or what could not be read back then, counts as not seen. Where the
//! answer to a change is lost, only what is read back tells what it did; all of these
//! together are waited for as long as one.

use tokio::time::Instant;

use super::members::Members;
use super::patience::Waiting;
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
    /// The one wait for changes whose answer is lost, so that a workspace that fails
    /// again and again costs no others their time.
    pub(super) lost: Option<Waiting>,
    /// As whom, in words.
    pub(super) acting: String,
}

const NO_MEMBER: &str = "it rests on the membership, which could not be had";
const UNSEEN: &str = "the workspace accepted it and does not show it yet; run this again to see";
const MAY_BE_MADE: &str = "the workspace may have acted on it all the same and does not show it yet; run this again to see";
const ONLY_IN_ACCOUNT: &str = "it exists in the Databricks account, and this workspace does not list it: assign it to the \
     workspace in the account console, under Workspaces, Permissions";

/// What came of sending a change, before it is read back.
enum Sent {
    Accepted,
    /// It was refused, because it is already so.
    Existed,
    /// No answer that tells what it did; with why.
    Lost(String),
}

impl Sent {
    /// What became of the change, by whether it was seen to be in force.
    fn seen(&self, is_there: bool) -> StepOutcome {
        match self {
            _ if is_there => StepOutcome::Made,
            Self::Accepted => StepOutcome::NotSeen(UNSEEN.to_owned()),
            Self::Existed => StepOutcome::Failed(ONLY_IN_ACCOUNT.to_owned()),
            Self::Lost(why) => StepOutcome::Failed(format!("{why}; {MAY_BE_MADE}")),
        }
    }

    /// What became of the change, if looking failed for this reason. One that was accepted
    /// is in force for all that is known, so it is not told as failed.
    fn not_read_back(&self, refusal: &str) -> StepOutcome {
        let unread = "could not be read back";
        match self {
            Self::Accepted => StepOutcome::NotSeen(format!(
                "the workspace accepted it, and it {unread}: {refusal}; run this again to see"
            )),
            Self::Existed => StepOutcome::Failed(refusal.to_owned()),
            Self::Lost(why) => StepOutcome::Failed(format!(
                "{why}; what the change did {unread}: {refusal}; run this again to see"
            )),
        }
    }
}

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
        let sent = match self.members.create(&self.wish.grantee).await {
            // After an attempt that may have been acted on it can be our own.
            Err(error) if already_exists(&error) && !error.may_be_done => Sent::Existed,
            answered => self.sent(answered)?,
        };
        let (members, grantee) = (self.members, &self.wish.grantee);
        let look = async || members.find(grantee).await;
        let Some(member) = self.read_back(&sent, look, Option::is_some).await? else {
            return Ok(sent.seen(false));
        };
        let lacks = !member.has_workspace_access && !member.is_admin;
        self.member = Some(member);
        if lacks {
            return self.entitle().await;
        }
        Ok(StepOutcome::Made)
    }

    async fn entitle(&mut self) -> Result<StepOutcome, StepOutcome> {
        let id = self.member_id()?;
        let sent = self.sent(self.members.entitle(&id).await)?;
        let (members, grantee) = (self.members, &self.wish.grantee);
        let look = async || {
            let found = members.find(grantee).await?;
            Ok(found.is_some_and(|member| member.has_workspace_access))
        };
        Ok(sent.seen(self.read_back(&sent, look, |has| *has).await?))
    }

    async fn admit(&mut self) -> Result<StepOutcome, StepOutcome> {
        let id = self.member_id()?;
        let admins = self.members.admins().await;
        let admins = admins.map_err(|error| self.failed(&error))?;
        let Some(admins) = admins else {
            let why = "the workspace does not list the group `admins` to this login";
            return Err(StepOutcome::Failed(why.to_owned()));
        };
        let sent = self.sent(self.members.admit(&admins.id, &id).await)?;
        let members = self.members;
        let look = async || {
            let admins = members.admins().await?;
            Ok(admins.is_some_and(|admins| admins.members.contains(&id)))
        };
        Ok(sent.seen(self.read_back(&sent, look, |is_in| *is_in).await?))
    }

    async fn allow(&mut self, change: &Change) -> Result<StepOutcome, StepOutcome> {
        let grantee = change.grantee();
        let Some((cluster, right)) = change.allow() else {
            return Ok(StepOutcome::Skipped(NO_MEMBER.to_owned()));
        };
        self.member_id()?;
        let sent = self.sent(self.members.allow(&cluster.id, grantee, right).await)?;
        let members = self.members;
        let look = async || {
            let held = members.right(&cluster.id, grantee).await?;
            Ok(held.is_some_and(|held| held >= right))
        };
        Ok(sent.seen(self.read_back(&sent, look, |has| *has).await?))
    }

    fn member_id(&self) -> Result<String, StepOutcome> {
        match &self.member {
            Some(member) => Ok(member.id.clone()),
            None => Err(StepOutcome::Skipped(NO_MEMBER.to_owned())),
        }
    }

    /// What a look shows once it is as it should be, or as it is when patience ends; what
    /// became of the change, if looking fails.
    async fn read_back<T>(
        &mut self,
        sent: &Sent,
        look: impl AsyncFn() -> Result<T, CallError>,
        is_right: impl Fn(&T) -> bool,
    ) -> Result<T, StepOutcome> {
        let waiting = self.wait_for(sent);
        loop {
            let found = look().await;
            let found = found.map_err(|error| sent.not_read_back(&self.refusal(&error)))?;
            if is_right(&found) || !waiting.again().await {
                return Ok(found);
            }
        }
    }

    fn wait_for(&mut self, sent: &Sent) -> Waiting {
        let (patience, deadline) = self.waiting;
        match sent {
            Sent::Accepted | Sent::Existed => patience.begin(deadline),
            Sent::Lost(_) => *self.lost.get_or_insert_with(|| patience.begin(deadline)),
        }
    }

    /// Whether there is something to read back.
    fn sent(&self, answered: Result<(), CallError>) -> Result<Sent, StepOutcome> {
        match answered {
            Ok(()) => Ok(Sent::Accepted),
            Err(error) if error.may_be_done => Ok(Sent::Lost(self.refusal(&error))),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn failed(&self, error: &CallError) -> StepOutcome {
        StepOutcome::Failed(self.refusal(error))
    }

    fn refusal(&self, error: &CallError) -> String {
        refusal(&self.acting, error)
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
