//! One workspace: who acts there, what its principals lack, and the giving of it.
//!
//! Looking comes first and can fail as a whole; then each change has an end of its
//! own. Without `apply` nothing is sent but questions.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::apply::{self, Hand};
use super::join::{self, JoinProblem, Joiner};
use super::members::{Members, Seen};
use super::plan::{self, Change, Grantee, NamedCluster, Right, Wish};
use super::{Acting, Granted, Grants, Step, StepOutcome, Target, Wishes};
use crate::databricks::access::AccessProblem;
use crate::escape::Shown;
use crate::identity::{Audience, PrincipalName, TokenSource};
use crate::service::{CallError, Lane, Service};

/// One workspace being visited.
pub(super) struct Visit<'g> {
    grants: &'g Grants,
    target: &'g Target,
    granted: Granted,
}

/// The grantees by name, each read once for all workspaces.
pub(super) type Grantees = BTreeMap<PrincipalName, Result<Grantee, String>>;

impl<'g> Visit<'g> {
    pub(super) fn of(grants: &'g Grants, target: &'g Target) -> Self {
        let acting = match &grants.acting {
            Acting::Itself => format!("principal `{}` itself", target.principal),
            other @ (Acting::Operator(_) | Acting::Principal(_)) => other.to_string(),
        };
        let granted = Granted {
            workspace: target.name.clone(),
            host: target.url.host_str().unwrap_or_default().to_owned(),
            acting,
            steps: Vec::new(),
            notes: Vec::new(),
            failure: None,
        };
        Self {
            grants,
            target,
            granted,
        }
    }

    /// Looks, changes what is to be changed, and tells of it.
    pub(super) async fn run(mut self, grantees: &mut Grantees) -> Granted {
        if let Err(why) = self.work(grantees).await {
            self.granted.failure = Some(why);
        }
        self.granted
    }

    /// The sentence of what stood in the way of looking, if something did.
    async fn work(&mut self, grantees: &mut Grantees) -> Result<(), String> {
        let wishes = self.wishes(grantees).await?;
        let (service, tokens) = self.service()?;
        let members = Members::new(service.clone());
        match members.is_admin().await {
            Ok(is_admin) => self.note_rights(is_admin),
            Err(error) if self.is_to_join(&error) => {
                let joiner = Joiner::for_grant(service, tokens, self.target.resource_id.clone());
                if !self.join(joiner, &members, &wishes).await? {
                    return Ok(());
                }
            }
            Err(error) => return Err(self.refusal(&error)),
        }
        let mut failures = Vec::new();
        for wish in &wishes {
            if let Err(why) = self.fulfil(wish, &members).await
                && !failures.contains(&why)
            {
                failures.push(why);
            }
        }
        if failures.is_empty() {
            return Ok(());
        }
        Err(failures.join("; "))
    }

    /// One wish for each principal, what is asked for one twice being asked once.
    async fn wishes(&self, grantees: &mut Grantees) -> Result<Vec<Wish>, String> {
        let Wishes {
            admin,
            clusters,
            evidence,
        } = self.grants.wishes;
        let mut wishes = vec![Wish {
            grantee: self.grantee(&self.target.principal, grantees).await?,
            admin,
            right: clusters.then_some(Right::CanRestart),
        }];
        if evidence && let Some(name) = &self.target.spark_principal {
            let right = Some(Right::CanAttachTo);
            match wishes.iter_mut().find(|wish| wish.grantee.name == *name) {
                Some(wish) => wish.right = wish.right.max(right),
                None => wishes.push(Wish {
                    grantee: self.grantee(name, grantees).await?,
                    admin: false,
                    right,
                }),
            }
        }
        Ok(wishes)
    }

    async fn grantee(&self, name: &PrincipalName, known: &mut Grantees) -> Result<Grantee, String> {
        if let Some(known) = known.get(name) {
            return known.clone();
        }
        let grantee = match self.grants.identities.of(name) {
            Some(identity) => match identity.client_id().await {
                Ok(client_id) => Ok(Grantee {
                    name: name.clone(),
                    client_id,
                }),
                Err(why) => Err(format!("the client id of principal `{name}`: {why}")),
            },
            None => Err(format!("no principal `{name}` is set up")),
        };
        known.insert(name.clone(), grantee.clone());
        grantee
    }

    /// The workspace's API for whoever acts, and that one's tokens.
    fn service(&self) -> Result<(Arc<Service>, Arc<dyn TokenSource>), String> {
        let named = |name: &PrincipalName| {
            let tokens = self.grants.tokens_of(name);
            tokens.ok_or_else(|| format!("no principal `{name}` is set up"))
        };
        let tokens = match &self.grants.acting {
            Acting::Itself => named(&self.target.principal)?,
            Acting::Principal(name) => named(name)?,
            Acting::Operator(tokens) => Arc::clone(tokens),
        };
        let network = self.grants.network.clone();
        let lane = Arc::new(Lane::new(&network.limits, self.grants.deadline));
        let (audience, base) = (Audience::Databricks, self.target.url.clone());
        let service = Service::new(network, Arc::clone(&tokens), audience, base, lane);
        Ok((service.share(), tokens))
    }

    /// Whether joining is what `error` calls for: asked for, and only of someone who
    /// is no member.
    fn is_to_join(&self, error: &CallError) -> bool {
        match self.grants.acting {
            Acting::Itself => AccessProblem::of(error) == AccessProblem::NotAMember,
            Acting::Operator(_) | Acting::Principal(_) => false,
        }
    }

    /// Joins, and waits until the workspace lets the principal in. Whether the rest can
    /// be gone on with.
    async fn join(
        &mut self,
        joiner: Option<Joiner>,
        members: &Members,
        wishes: &[Wish],
    ) -> Result<bool, String> {
        let Some(joiner) = joiner else {
            return Err("joining needs the workspace's `resource_id` in the policy".to_owned());
        };
        let Some(own) = wishes.first() else {
            return Ok(false);
        };
        let change = Change::Join {
            grantee: own.grantee.clone(),
        };
        if !self.grants.apply {
            self.tell(change, StepOutcome::Planned);
            let wishes_more = self.grants.wishes.evidence || self.grants.wishes.clusters;
            if wishes_more {
                let note = "what else is asked for can be told once the principal is a member";
                self.granted.notes.push(note.to_owned());
            }
            return Ok(false);
        }
        let joined = match joiner.join().await {
            Ok(()) => self.wait_for_entry(members, None).await,
            Err(problem) if problem.may_have_joined() => {
                self.wait_for_entry(members, Some(problem)).await
            }
            Err(problem) => Err(problem.to_string()),
        };
        let has_joined = joined.is_ok();
        self.tell(
            change,
            match joined {
                Ok(()) => StepOutcome::Made,
                Err(why) => StepOutcome::Failed(why),
            },
        );
        Ok(has_joined)
    }

    /// Waits until the workspace knows the principal as an admin. `lost` is what came
    /// instead of the joining's answer; then nothing but being let in shows what it did.
    async fn wait_for_entry(
        &self,
        members: &Members,
        lost: Option<JoinProblem>,
    ) -> Result<(), String> {
        let waiting = self.grants.patience.begin(self.grants.deadline);
        loop {
            match members.is_admin().await {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    return Err(
                        "it was let in, and yet is no workspace admin; add it with an admin's login"
                            .to_owned(),
                    );
                }
                Err(error) if lost.is_none() && !self.is_to_join(&error) => {
                    return Err(self.refusal(&error));
                }
                Err(_) if waiting.again().await => {}
                Err(_) => {
                    return Err(match lost {
                        Some(problem) => format!("{problem}; {}", join::MAY_HAVE_JOINED),
                        None => join::NOT_SPREAD.to_owned(),
                    });
                }
            }
        }
    }

    /// Looks at what one principal has, and gives it what it lacks.
    async fn fulfil(&mut self, wish: &Wish, members: &Members) -> Result<(), String> {
        let seen = members.look(wish).await;
        let Seen {
            present,
            clusters,
            unread,
        } = seen.map_err(|error| self.refusal(&error))?;
        if let Some(right) = wish.right {
            for (cluster, error) in unread {
                self.not_read(wish, cluster, right, &error);
            }
        }
        let planned = plan::plan(wish, &present, &clusters);
        self.granted.notes.extend(planned.notes);
        if !self.grants.apply {
            for change in planned.changes {
                self.tell(change, StepOutcome::Planned);
            }
            return Ok(());
        }
        let mut hand = Hand {
            members,
            wish,
            member: present.member,
            waiting: (self.grants.patience, self.grants.deadline),
            lost: None,
            acting: self.granted.acting.clone(),
        };
        for change in planned.changes {
            let outcome = hand.make(&change).await;
            self.tell(change, outcome);
        }
        Ok(())
    }

    /// Tells of a cluster of which it is not known whether it lacks the right.
    fn not_read(&mut self, wish: &Wish, cluster: NamedCluster, right: Right, error: &CallError) {
        let why = format!("its rights could not be read: {}", self.refusal(error));
        let change = Change::Allow {
            grantee: wish.grantee.clone(),
            cluster,
            right,
        };
        self.tell(change, StepOutcome::Failed(why));
    }

    fn tell(&mut self, change: Change, outcome: StepOutcome) {
        if self.grants.apply {
            let workspace = Shown::name(&self.target.name).to_string();
            tracing::info!(
                workspace,
                outcome = outcome.as_str(),
                "Workspace `{workspace}`: {change}: {}",
                outcome.as_str()
            );
        }
        self.granted.steps.push(Step { change, outcome });
    }

    fn note_rights(&mut self, is_admin: bool) {
        if !is_admin {
            let acting = &self.granted.acting;
            self.granted.notes.push(format!(
                "{acting} is not shown to be in the group `admins`, which changes of members and rights need"
            ));
        }
    }

    /// What a refused look means to whoever acts.
    fn refusal(&self, error: &CallError) -> String {
        apply::refusal(&self.granted.acting, error)
    }
}
