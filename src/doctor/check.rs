//! The checks as data: what each is called, what it is about, what must hold first.
//!
//! A check is an id, a title and prerequisites; `docs/doctor.md` has a section for
//! each id. A prerequisite stands before its dependants in [`CheckId::ALL`], which is
//! the order in which everything is told. Nothing here asks or judges.

use std::fmt;

/// One check. What it found is a [`super::sheet::Finding`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CheckId {
    Settings,
    Login,
    Vault,
    Secret,
    Identity,
    TokenDatabricks,
    TokenArm,
    TokenManagement,
    Dns,
    Connection,
    Tls,
    Api,
    PrivateLink,
    IpAccessList,
    TokenAccepted,
    Member,
    WorkspaceAccess,
    Clock,
    Listing,
    Runs,
    SparkPrincipal,
    SparkAttach,
    StreamingPage,
    ResourceId,
    Machines,
    Metrics,
    Cores,
    Terminate,
    Unseen,
}

/// What a check is made once for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The whole installation.
    Installation,
    /// Each service principal.
    Principal,
    /// Each workspace.
    Workspace,
}

impl CheckId {
    /// All, each after its prerequisites.
    pub const ALL: [Self; 29] = [
        Self::Settings,
        Self::Login,
        Self::Vault,
        Self::Secret,
        Self::Identity,
        Self::TokenDatabricks,
        Self::TokenArm,
        Self::TokenManagement,
        Self::Dns,
        Self::Connection,
        Self::Tls,
        Self::Api,
        Self::PrivateLink,
        Self::IpAccessList,
        Self::TokenAccepted,
        Self::Member,
        Self::WorkspaceAccess,
        Self::Clock,
        Self::Listing,
        Self::Runs,
        Self::SparkPrincipal,
        Self::SparkAttach,
        Self::StreamingPage,
        Self::ResourceId,
        Self::Machines,
        Self::Metrics,
        Self::Cores,
        Self::Terminate,
        Self::Unseen,
    ];

    /// The stable spelling, which is also the heading in `docs/doctor.md`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Login => "login",
            Self::Vault => "vault",
            Self::Secret => "secret",
            Self::Identity => "identity",
            Self::TokenDatabricks => "token-databricks",
            Self::TokenArm => "token-arm",
            Self::TokenManagement => "token-management",
            Self::Dns => "dns",
            Self::Connection => "connection",
            Self::Tls => "tls",
            Self::Api => "api",
            Self::PrivateLink => "private-link",
            Self::IpAccessList => "ip-access-list",
            Self::TokenAccepted => "token-accepted",
            Self::Member => "member",
            Self::WorkspaceAccess => "workspace-access",
            Self::Clock => "clock",
            Self::Listing => "listing",
            Self::Runs => "runs",
            Self::SparkPrincipal => "spark-principal",
            Self::SparkAttach => "spark-attach",
            Self::StreamingPage => "streaming-page",
            Self::ResourceId => "resource-id",
            Self::Machines => "machines",
            Self::Metrics => "metrics",
            Self::Cores => "cores",
            Self::Terminate => "terminate",
            Self::Unseen => "unseen",
        }
    }

    /// What it finds out, as a clause.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Settings => "the settings and the policy can be read",
            Self::Login => "the vault can be asked as somebody",
            Self::Vault => "the vault can be reached",
            Self::Secret => "a secret can be read and stays valid",
            Self::Identity => "who the service principal is, and until when",
            Self::TokenDatabricks => "Entra gives a token for Azure Databricks",
            Self::TokenArm => "Entra gives a token for Azure Resource Manager",
            Self::TokenManagement => "Entra gives a token for joining a workspace",
            Self::Dns => "the workspace's host has an address",
            Self::Connection => "a connection to the workspace comes about",
            Self::Tls => "the workspace's certificate is trusted",
            Self::Api => "the workspace's REST API answers",
            Self::PrivateLink => "the workspace takes connections from this network",
            Self::IpAccessList => "the workspace takes connections from this address",
            Self::TokenAccepted => "the workspace takes the token",
            Self::Member => "the service principal is known in the workspace",
            Self::WorkspaceAccess => "it may use the workspace's API",
            Self::Clock => "our clock and the workspace's agree",
            Self::Listing => "it may list clusters",
            Self::Runs => "it sees the job runs of all",
            Self::SparkPrincipal => "the policy names a principal for the Spark witness",
            Self::SparkAttach => "that principal reaches Spark on the clusters' drivers",
            Self::StreamingPage => "the drivers' streaming page can be read",
            Self::ResourceId => "the policy names the workspace's Azure resource",
            Self::Machines => "the clusters' machines can be listed in Azure",
            Self::Metrics => "the machines' metrics can be read and are new",
            Self::Cores => "the machines' number of cores is known",
            Self::Terminate => "it may terminate clusters",
            Self::Unseen => "no cluster is hidden from it",
        }
    }

    /// What it is made once for.
    #[must_use]
    pub const fn scope(self) -> Scope {
        match self {
            Self::Settings => Scope::Installation,
            Self::Login
            | Self::Vault
            | Self::Secret
            | Self::Identity
            | Self::TokenDatabricks
            | Self::TokenArm
            | Self::TokenManagement => Scope::Principal,
            Self::Dns
            | Self::Connection
            | Self::Tls
            | Self::Api
            | Self::PrivateLink
            | Self::IpAccessList
            | Self::TokenAccepted
            | Self::Member
            | Self::WorkspaceAccess
            | Self::Clock
            | Self::Listing
            | Self::Runs
            | Self::SparkPrincipal
            | Self::SparkAttach
            | Self::StreamingPage
            | Self::ResourceId
            | Self::Machines
            | Self::Metrics
            | Self::Cores
            | Self::Terminate
            | Self::Unseen => Scope::Workspace,
        }
    }

    /// What must hold before it can be made. Where one of these failed or was itself
    /// skipped, it is skipped, and says so.
    #[must_use]
    pub const fn needs(self) -> &'static [Self] {
        match self {
            Self::Settings => &[],
            Self::Login => &[Self::Settings],
            Self::Vault => &[Self::Settings],
            Self::Secret => &[Self::Login, Self::Vault],
            Self::Identity => &[Self::Secret],
            Self::TokenDatabricks | Self::TokenArm | Self::TokenManagement => &[Self::Identity],
            Self::Dns => &[Self::TokenDatabricks],
            Self::Connection => &[Self::Dns],
            Self::Tls => &[Self::Connection],
            Self::Api => &[Self::Tls],
            Self::PrivateLink | Self::IpAccessList | Self::TokenAccepted => &[Self::Api],
            Self::Member => &[Self::TokenAccepted],
            Self::WorkspaceAccess => &[Self::Member],
            Self::Clock | Self::Listing | Self::Runs | Self::Cores => &[Self::WorkspaceAccess],
            Self::SparkPrincipal => &[Self::Settings],
            Self::SparkAttach => &[Self::Listing, Self::SparkPrincipal, Self::TokenDatabricks],
            Self::StreamingPage => &[Self::SparkAttach],
            Self::ResourceId => &[Self::Settings],
            Self::Machines => &[Self::ResourceId, Self::TokenArm],
            Self::Metrics => &[Self::Listing, Self::Machines],
            Self::Terminate => &[Self::Listing],
            Self::Unseen => &[Self::Listing, Self::Machines],
        }
    }

    /// Where it is explained.
    #[must_use]
    pub fn docs(self) -> String {
        format!("docs/doctor.md#{}", self.as_str())
    }
}

impl fmt::Display for CheckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Ok,
    /// It works, and something of it deserves a look; or what was asked gave no answer
    /// that shows it.
    Warn,
    Fail,
    /// It could not be made, or there was nothing to make it on; the sentence says why.
    Skipped,
}

impl Status {
    /// The spelling in text and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skipped => "skipped",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_check_stands_after_its_prerequisites() {
        let mut seen = BTreeSet::new();
        for id in CheckId::ALL {
            for need in id.needs() {
                assert!(seen.contains(need), "{id} stands before {need}");
            }
            assert!(seen.insert(id), "{id} stands twice");
        }
    }

    #[test]
    fn every_check_but_the_first_rests_on_the_settings() {
        let mut resting = BTreeSet::from([CheckId::Settings]);
        for id in CheckId::ALL.into_iter().skip(1) {
            assert!(id.needs().iter().any(|need| resting.contains(need)), "{id}");
            resting.insert(id);
        }
    }

    #[test]
    fn ids_can_be_anchors_and_are_told_apart() {
        let mut seen = BTreeSet::new();
        for id in CheckId::ALL {
            let text = id.as_str();
            let is_anchor = |next: char| next.is_ascii_lowercase() || next == '-';
            assert!(text.chars().all(is_anchor), "{text}");
            assert!(seen.insert(text), "{text}");
        }
    }
}
