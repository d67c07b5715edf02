//! The world: a plain model of the pretend cloud that tests build, look into and change.
//!
//! It holds values and no sockets. The services read it, and change it where the real ones would (a token
//! given out, a cluster terminated). All times are [`Moment`]s, so that a world can be described without
//! knowing the time; see [`Clock`].

mod activity;
mod azure;
mod build;
mod certificate;
mod change;
mod clock;
mod cluster;
mod member;
mod principal;
mod run;
mod sample;
mod spark;
mod token;
mod upstream;
mod vault;
mod vm;
mod workspace;

use std::time::Duration;

pub use azure::Azure;
pub(crate) use certificate::SignatureAlgorithm;
pub use certificate::{Certificate, certify};
pub use clock::{Clock, Moment, hours, minutes, seconds};
pub use cluster::{Cluster, DriverProxy, Echo, Machine, OnTerminate, Permission, Termination};
pub use member::{AlreadyExists, Member, Scim, Spread, WORKSPACE_ACCESS};
pub use principal::{ArmRights, ClientSecret, FederatedCredential, ManagedIdentity, Principal};
pub use run::{Run, StateStyle, Task, TaskForm};
pub use spark::{OtherApplication, Spark, SparkJob, SqlExecution, Stream, StreamingPage};
pub(crate) use token::TokenStore;
pub use token::{Audience, DATABRICKS_APP_ID, TOKEN_EXCHANGE, Token};
pub use upstream::{Upstream, UpstreamHost};
pub use vault::{SecretTime, SecretVersion, StoredCertificate, Vault, VaultSecret};
pub use vm::{IDLE_CORES, IDLE_NETWORK, Load, MetricsQuirk, NodeType, Tagged, Vm};
pub use workspace::{Access, PageEnd, PrivateLink, SUBSCRIPTION_ID, Workspace};

/// The tenant of every principal that does not say otherwise.
pub const TENANT_ID: &str = "aaaabbbb-0000-4000-8000-ccccdddd0001";
/// The name of the service principal that the handler uses.
pub const MAIN: &str = "main";
/// The name of the vault that the handler reads.
pub const VAULT: &str = "tc-vault";
/// The secret that holds the tenant's id.
pub const TENANT_ID_SECRET: &str = "databricks-sp-tenant-id";
/// The secret that holds the application's id.
pub const CLIENT_ID_SECRET: &str = "databricks-sp-client-id";
/// The secret that holds the application's secret.
pub const CLIENT_SECRET_SECRET: &str = "databricks-sp-client-secret";
/// The certificate of the application, in a world that has one ([`World::with_certificate`]).
pub const CLIENT_CERTIFICATE_SECRET: &str = "databricks-sp-certificate";

/// The pretend cloud.
#[derive(Clone, Debug)]
pub struct World {
    /// The Azure that it plays.
    pub azure: Azure,
    /// The world's time.
    pub clock: Clock,
    /// Ids of the tenants that exist.
    pub tenants: Vec<String>,
    /// Service principals.
    pub principals: Vec<Principal>,
    /// The Function App's own identities.
    pub identity: ManagedIdentity,
    /// Key vaults.
    pub vaults: Vec<Vault>,
    /// Databricks workspaces.
    pub workspaces: Vec<Workspace>,
    /// How long tokens live, in seconds, where their principal's service does not say otherwise.
    pub token_lifetime_s: u32,
    /// How Entra words its refusals.
    pub entra_errors: EntraErrors,
    /// Minutes for which Azure Monitor has no data yet.
    pub metrics_lag_minutes: u32,
    pub(crate) tokens: TokenStore,
    pub(crate) assertions: Assertions,
}

/// Every client assertion that Entra was sent, for [`World::secrets`].
#[derive(Clone, Default)]
pub(crate) struct Assertions(Vec<String>);

impl Assertions {
    pub(crate) fn keep(&mut self, assertion: &str) {
        self.0.push(assertion.to_owned());
    }
}

impl std::fmt::Debug for Assertions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Assertions({})", self.0.len())
    }
}

/// How Entra words its refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntraErrors {
    /// Lines separated by `\r\n`, as recorded in 2022.
    WithEscapes,
    /// One line, as later documentation shows it.
    OneLine,
    /// Every token request is answered 502 with an HTML page.
    Html502,
}

impl World {
    /// A tenant with the main service principal, its three secrets in a vault that the Function App may
    /// read, and no workspace.
    pub fn new() -> Self {
        let main = Principal::named(MAIN);
        let vault = Vault::named(VAULT)
            .secret(TENANT_ID_SECRET, TENANT_ID)
            .secret(CLIENT_ID_SECRET, &main.client_id)
            .secret(CLIENT_SECRET_SECRET, main.secret());
        Self {
            azure: Azure::PUBLIC,
            clock: Clock::starting_now(),
            tenants: vec![TENANT_ID.to_owned()],
            principals: vec![main],
            identity: ManagedIdentity::new(),
            vaults: vec![vault],
            workspaces: Vec::new(),
            token_lifetime_s: 3599,
            entra_errors: EntraErrors::WithEscapes,
            metrics_lag_minutes: 3,
            tokens: TokenStore::of(Azure::PUBLIC),
            assertions: Assertions::default(),
        }
    }

    /// Moves it, with all its hosts, to another Azure.
    #[must_use]
    pub fn in_azure(mut self, azure: Azure) -> Self {
        for workspace in &mut self.workspaces {
            workspace.host = azure.moved(&workspace.host, &self.azure);
        }
        let credentials = self.principals.iter_mut();
        for credential in credentials.flat_map(|principal| &mut principal.federated) {
            azure.move_credential(credential, &self.azure);
        }
        self.tokens = TokenStore::of(azure);
        self.azure = azure;
        self
    }

    /// Adds a workspace.
    #[must_use]
    pub fn workspace(mut self, mut workspace: Workspace) -> Self {
        workspace.host = self.azure.moved(&workspace.host, &Azure::PUBLIC);
        self.workspaces.push(workspace);
        self
    }

    /// Adds workspaces.
    #[must_use]
    pub fn workspaces(self, workspaces: impl IntoIterator<Item = Workspace>) -> Self {
        workspaces.into_iter().fold(self, Self::workspace)
    }

    /// Adds a service principal, in the place of one of the same name, and its tenant. Workspaces and vaults
    /// must name it before it may do anything there.
    #[must_use]
    pub fn principal(mut self, mut principal: Principal) -> Self {
        for credential in &mut principal.federated {
            self.azure.move_credential(credential, &Azure::PUBLIC);
        }
        self.principals.retain(|known| known.name != principal.name);
        if !self.tenants.contains(&principal.tenant) {
            self.tenants.push(principal.tenant.clone());
        }
        self.principals.push(principal);
        self
    }

    /// Gives the main principal this certificate, registered and in the vault, in the place of its secret.
    #[must_use]
    pub fn with_certificate(mut self, stored: &StoredCertificate) -> Self {
        let main = self.principal_mut(MAIN);
        main.secrets.clear();
        main.certificates = vec![stored.certificate().clone()];
        for vault in self.vaults.iter_mut().filter(|vault| vault.name == VAULT) {
            vault.remove(CLIENT_SECRET_SECRET);
            vault.set_certificate(CLIENT_CERTIFICATE_SECRET, stored);
        }
        self
    }

    /// Assigns a user-assigned identity to the Function App.
    #[must_use]
    pub fn user_assigned(mut self, identity: Principal) -> Self {
        self.identity.user_assigned.push(identity.without_secret());
        self
    }

    /// Adds a vault, in the place of one of the same name.
    #[must_use]
    pub fn vault(mut self, vault: Vault) -> Self {
        self.vaults.retain(|known| known.name != vault.name);
        self.vaults.push(vault);
        self
    }

    /// Sets the time that it lives in.
    #[must_use]
    pub fn in_time_of(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets how many seconds tokens live.
    #[must_use]
    pub fn token_lifetime(mut self, seconds: u32) -> Self {
        self.token_lifetime_s = seconds;
        self
    }

    /// Sets the world's clock back, with all its history: the client's own clock is ahead by that much.
    #[must_use]
    pub fn clock_set_back(mut self, length: Duration) -> Self {
        self.clock.set_back(length);
        self
    }

    /// Sets the world's clock ahead, with all its history: the client's own clock is behind by that much.
    #[must_use]
    pub fn clock_set_ahead(mut self, length: Duration) -> Self {
        self.clock.set_ahead(length);
        self
    }

    /// The present moment.
    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    /// A workspace by name or host.
    pub fn find_workspace(&self, name_or_host: &str) -> Option<&Workspace> {
        self.workspaces
            .iter()
            .find(|workspace| workspace.name == name_or_host || workspace.host == name_or_host)
    }

    pub(crate) fn find_workspace_by_host(&self, host: &str) -> Option<&Workspace> {
        self.workspaces
            .iter()
            .find(|workspace| workspace.host == host)
    }

    /// A cluster by its workspace's and its own name or id.
    pub fn find_cluster(&self, workspace: &str, cluster: &str) -> Option<&Cluster> {
        self.find_workspace(workspace)?.find(cluster)
    }

    /// The id of a cluster.
    ///
    /// # Panics
    /// If there is none: a test that names a cluster means one that is there.
    pub fn cluster_id(&self, workspace: &str, cluster: &str) -> String {
        let Some(cluster) = self.find_cluster(workspace, cluster) else {
            panic!("the world holds no cluster {cluster:?} in a workspace {workspace:?}");
        };
        cluster.id.clone()
    }

    /// The state of a cluster at this moment.
    ///
    /// # Panics
    /// If there is none.
    pub fn cluster_state(&self, workspace: &str, cluster: &str) -> String {
        let Some(cluster) = self.find_cluster(workspace, cluster) else {
            panic!("the world holds no cluster {cluster:?} in a workspace {workspace:?}");
        };
        cluster.state_at(self.now()).to_owned()
    }

    /// Everything that must never show in a log: client secrets, tokens given out, to managed identities
    /// too, the assertions that clients signed, pieces of private keys, and the identity header. What makes a
    /// token or an assertion one is what follows its last dot, the signature.
    pub fn secrets(&self) -> Vec<String> {
        let client_secrets = self
            .principals
            .iter()
            .flat_map(|principal| principal.secrets.iter().map(|secret| secret.value.clone()));
        let tokens = self.tokens.all().iter().map(|token| token.value.clone());
        client_secrets
            .chain(tokens)
            .chain(self.assertions.0.iter().cloned())
            .chain(self.vaults.iter().flat_map(Vault::private_keys))
            .chain([self.identity.header.clone()])
            .collect()
    }

    /// All tokens given out so far.
    pub fn issued_tokens(&self) -> Vec<Token> {
        self.tokens.all().to_vec()
    }

    /// The tenant of the subscription that a resource's path begins with.
    pub(crate) fn tenant_of_resource(&self, path: &str) -> &str {
        let subscription = path.split('/').nth(2).unwrap_or_default();
        let is_there = |workspace: &&Workspace| {
            let own = workspace.resource_id.split('/').nth(2);
            own.is_some_and(|own| own.eq_ignore_ascii_case(subscription))
        };
        let workspace = self.workspaces.iter().find(is_there);
        workspace.map_or(TENANT_ID, |workspace| &workspace.tenant)
    }

    pub(crate) fn principal_named(&self, name: &str) -> Option<&Principal> {
        self.identity
            .all()
            .chain(&self.principals)
            .find(|principal| principal.name == name)
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}
