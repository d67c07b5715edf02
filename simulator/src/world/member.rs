//! Who belongs to a workspace: groups, entitlements, rights, and how long it takes until a new member is
//! let in.
//!
//! The model only; `databricks::scim` and `databricks::permissions` tell and change it as the real service
//! would, and `databricks::access` lets members in.

use std::time::Duration;

use super::clock::Moment;
use super::cluster::{Cluster, Permission};
use super::workspace::Workspace;
use super::{Principal, World};

/// The entitlement without which a member that is no admin may call no API.
pub const WORKSPACE_ACCESS: &str = "workspace-access";

/// Someone who belongs to a workspace.
#[derive(Clone, Debug)]
pub struct Member {
    /// The principal's name in the world.
    pub principal: String,
    /// The groups that it is in; `admins` makes it an admin.
    pub groups: Vec<String>,
    /// Its right on clusters that do not say otherwise.
    pub permission: Permission,
    /// Its entitlements.
    pub entitlements: Vec<String>,
    /// Whether it is active.
    pub is_active: bool,
    /// What is left until the workspace lets it in.
    pub(crate) spread: Pending,
}

/// How long a new member waits until the workspace lets it in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// No time.
    AtOnce,
    /// This many of its requests are refused first.
    AfterRequests(u32),
    /// This long, by the world's clock.
    After(Duration),
}

/// What is left of a [`Spread`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pending {
    Nothing,
    Requests(u32),
    Until(Moment),
}

/// How SCIM words what it words differently from workspace to workspace.
#[derive(Clone, Debug)]
pub struct Scim {
    /// How it tells that a principal exists already.
    pub already_exists: AlreadyExists,
    /// Principals that the account has and this workspace's listings never show: to create one is answered
    /// as if it existed.
    pub known_to_account: Vec<String>,
    /// So many listings of principals do not yet show who is there.
    pub listings_behind: u32,
    /// Whether a PATCH is answered with 204 and no body, instead of 200 with the changed resource.
    pub patch_is_silent: bool,
}

/// How SCIM tells that a principal exists already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlreadyExists {
    /// 409 in the shape of the REST API.
    Conflict,
    /// 409 in the shape of SCIM's own errors.
    ConflictInScim,
    /// 400 in the shape of the REST API.
    BadRequest,
    /// 409 with the sentence of a workspace whose members come from the account.
    InTheAccount,
}

impl Spread {
    pub(crate) fn begins(self, now: Moment) -> Pending {
        match self {
            Self::AtOnce | Self::AfterRequests(0) => Pending::Nothing,
            Self::AfterRequests(count) => Pending::Requests(count),
            Self::After(length) => Pending::Until(now.plus(length)),
        }
    }
}

impl Default for Scim {
    fn default() -> Self {
        Self {
            already_exists: AlreadyExists::Conflict,
            known_to_account: Vec::new(),
            listings_behind: 0,
            patch_is_silent: false,
        }
    }
}

impl Member {
    /// A workspace admin.
    pub fn admin(principal: &str) -> Self {
        Self {
            groups: vec!["admins".to_owned()],
            permission: Permission::CanManage,
            ..Self::user(principal, Permission::None)
        }
    }

    /// A member that is no admin, with this right on clusters that do not say otherwise.
    pub fn user(principal: &str, permission: Permission) -> Self {
        Self {
            principal: principal.to_owned(),
            groups: vec!["data-engineers".to_owned()],
            permission,
            entitlements: vec![WORKSPACE_ACCESS.to_owned()],
            is_active: true,
            spread: Pending::Nothing,
        }
    }

    /// Takes its entitlements away.
    #[must_use]
    pub fn without_entitlements(mut self) -> Self {
        self.entitlements.clear();
        self
    }

    /// Takes it out of use.
    #[must_use]
    pub fn inactive(mut self) -> Self {
        self.is_active = false;
        self
    }

    /// Whether it is an admin.
    pub fn is_admin(&self) -> bool {
        self.groups.iter().any(|group| group == "admins")
    }

    /// Whether it may call the API at all; admins need no entitlement.
    pub(crate) fn may_call(&self) -> bool {
        self.is_admin() || self.entitlements.iter().any(|one| one == WORKSPACE_ACCESS)
    }

    /// Whether it is let in now. One of its requests is counted.
    pub(crate) fn arrives(&mut self, now: Moment) -> bool {
        match self.spread {
            Pending::Nothing => true,
            Pending::Requests(left) => {
                self.spread = match left {
                    0 | 1 => Pending::Nothing,
                    more => Pending::Requests(more - 1),
                };
                false
            }
            Pending::Until(moment) => now >= moment,
        }
    }
}

impl Workspace {
    /// Sets how long a new member waits until it is let in.
    #[must_use]
    pub fn spreads(mut self, spread: Spread) -> Self {
        self.spread = spread;
        self
    }

    /// Sets how SCIM words what it words differently.
    #[must_use]
    pub fn scim(mut self, scim: Scim) -> Self {
        self.scim = scim;
        self
    }

    /// Lets whoever has any right on a cluster read all rights on it.
    #[must_use]
    pub fn shows_permissions(mut self) -> Self {
        self.shows_permissions = true;
        self
    }

    /// A member by its principal's name.
    pub fn find_member(&self, principal: &str) -> Option<&Member> {
        self.members
            .iter()
            .find(|member| member.principal == principal)
    }

    pub(crate) fn member_mut(&mut self, principal: &str) -> Option<&mut Member> {
        self.members
            .iter_mut()
            .find(|member| member.principal == principal)
    }

    /// What a principal may do with a cluster.
    pub fn permission(&self, principal: &str, cluster: &Cluster) -> Permission {
        match self.find_member(principal) {
            None => Permission::None,
            Some(member) if member.is_admin() => Permission::CanManage,
            Some(member) => cluster
                .permissions
                .iter()
                .rev()
                .find(|(name, _)| name == principal)
                .map_or(member.permission, |(_, permission)| *permission),
        }
    }
}

impl World {
    /// Gives out a token, as to someone who has logged in by other ways than those that are simulated: the
    /// operator at the Azure CLI.
    ///
    /// # Panics
    /// If there is no principal of this name.
    pub fn token_of(&mut self, principal: &str, audience: super::Audience) -> String {
        let principal: Principal = self.principal_mut(principal).clone();
        let (now_ms, lifetime) = (self.clock.now_ms(), self.token_lifetime_s);
        let token = self.tokens.issue(audience, &principal, now_ms, lifetime);
        token.value
    }

    /// The principal of an application in the tenant of the workspace at `host`.
    pub(crate) fn principal_of_application(
        &self,
        host: &str,
        client_id: &str,
    ) -> Option<&Principal> {
        let tenant = &self.find_workspace_by_host(host)?.tenant;
        let mut principals = self.identity.all().chain(&self.principals);
        principals.find(|principal| {
            principal.tenant == *tenant && principal.client_id.eq_ignore_ascii_case(client_id)
        })
    }
}
