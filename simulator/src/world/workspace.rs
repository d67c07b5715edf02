//! A Databricks workspace: how it can be reached, who belongs to it, and what it holds.
//!
//! The model only; the HTTP side is the `databricks` module. A workspace's host, ids and resource ids are
//! derived from its name, so two worlds of the same names are alike.

use std::time::Duration;

use super::cluster::Cluster;
use super::member::{Member, Scim, Spread};
use super::run::Run;
use super::vm::NodeType;
use crate::encode;

/// The subscription that holds every resource of a world.
pub const SUBSCRIPTION_ID: &str = "00000000-1111-2222-3333-444444444444";

/// A workspace.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// The name.
    pub name: String,
    /// The tenant whose tokens it takes.
    pub tenant: String,
    /// The workspace (organisation) id.
    pub id: u64,
    /// The public host name, without scheme.
    pub host: String,
    /// The resource id in Azure Resource Manager.
    pub resource_id: String,
    /// The resource id of the managed resource group that holds the machines.
    pub managed_group_id: String,
    /// How it can be reached.
    pub access: Access,
    /// Who belongs to it.
    pub members: Vec<Member>,
    /// How long a new member waits until it is let in.
    pub spread: Spread,
    /// How SCIM words what it words differently.
    pub scim: Scim,
    /// Its clusters.
    pub clusters: Vec<Cluster>,
    /// Its job runs.
    pub runs: Vec<Run>,
    /// What `clusters/list-node-types` tells.
    pub node_types: Vec<NodeType>,
    /// Most clusters on a page; a client may ask for fewer. The service's own maximum is 100.
    pub cluster_page_size: usize,
    /// Most runs on a page; the service's own maximum is 25.
    pub run_page_size: usize,
    /// Most virtual machines on a page of Azure Resource Manager; the service's own maximum is not known.
    pub vm_page_size: usize,
    /// How the end of a listing is told.
    pub page_end: PageEnd,
    /// Whether the policy says that its principal sees all runs.
    pub sees_all_runs: bool,
    /// Whether whoever has any right on a cluster may read all rights on it. Not documented; otherwise only
    /// who may manage it.
    pub shows_permissions: bool,
    /// Further lines of the policy about it.
    pub policy_lines: Vec<String>,
    /// `properties.publicNetworkAccess`.
    pub public_network_access: String,
    /// `properties.provisioningState`.
    pub provisioning_state: String,
    /// Whether the resource is gone from Azure Resource Manager.
    pub is_deleted: bool,
}

/// How the end of a listing is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageEnd {
    /// `next_page_token` is absent.
    Absent,
    /// `next_page_token` is empty.
    Empty,
}

/// How a workspace can be reached: the rows of the table of failures on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// As its members and their rights say.
    Open,
    /// As [`Access::Open`]; the policy calls it `contributor`, and a principal with that right on the
    /// resource becomes a member and an admin by the two Azure headers.
    Contributor,
    /// Everyone lacks the workspace-access entitlement: 403.
    NoEntitlement,
    /// Every token is refused: 403 with an HTML page.
    InvalidToken,
    /// Every token is refused: 401 with a numeric error code.
    CredentialNotSent,
    /// Every token counts as expired, with this status (401 or 403).
    ExpiredToken(u16),
    /// It belongs to another tenant: 400 with an HTML page that names the issuers.
    OtherTenant,
    /// It wants another audience: 400 with an HTML page that names the audiences.
    OtherAudience,
    /// Its IP access list keeps the client out: 403.
    IpAccessList,
    /// It can be reached by private link only.
    PrivateLink(PrivateLink),
    /// 404 with an HTML page: the workspace is not there.
    NotFound,
    /// Its host name is not known: the proxy cannot connect.
    NoSuchHost,
    /// Every request is throttled: 429, with this `Retry-After`.
    Throttled {
        /// The value of `Retry-After`.
        retry_after: Option<Duration>,
        /// `REQUEST_LIMIT_EXCEEDED` or `RESOURCE_EXHAUSTED`.
        error_code: String,
    },
    /// 200 with the login page.
    LoginPage,
}

/// How a workspace behind private link refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrivateLink {
    /// 403 with a JSON object of error code and message.
    Json,
    /// 403 with the sentence alone as plain text.
    Sentence,
    /// 403 with a JSON object that holds only a reason phrase.
    ReasonPhrase,
    /// A redirect with this status (302, 303) to the login page with an error.
    Redirect(u16),
}

impl Workspace {
    /// A workspace in which the main service principal is an admin.
    pub fn named(name: &str) -> Self {
        let number = encode::number_for(name);
        let id = 1_000_000_000_000_000 + number % 8_000_000_000_000_000;
        let group = format!("/subscriptions/{SUBSCRIPTION_ID}/resourceGroups");
        Self {
            name: name.to_owned(),
            tenant: super::TENANT_ID.to_owned(),
            id,
            host: format!("adb-{id}.{}.azuredatabricks.net", id % 20),
            resource_id: format!(
                "{group}/rg-{name}/providers/Microsoft.Databricks/workspaces/{name}"
            ),
            managed_group_id: format!(
                "{group}/databricks-rg-{name}-{}",
                &encode::hex32_for(name)[..13]
            ),
            access: Access::Open,
            members: vec![Member::admin(super::MAIN)],
            spread: Spread::AtOnce,
            scim: Scim::default(),
            clusters: Vec::new(),
            runs: Vec::new(),
            node_types: NodeType::common(),
            cluster_page_size: 100,
            run_page_size: 25,
            vm_page_size: 50,
            page_end: PageEnd::Absent,
            sees_all_runs: false,
            shows_permissions: false,
            policy_lines: Vec::new(),
            public_network_access: "Enabled".to_owned(),
            provisioning_state: "Succeeded".to_owned(),
            is_deleted: false,
        }
    }

    /// Adds a cluster.
    #[must_use]
    pub fn cluster(mut self, cluster: Cluster) -> Self {
        self.add_cluster(cluster);
        self
    }

    /// Adds clusters.
    #[must_use]
    pub fn clusters(mut self, clusters: impl IntoIterator<Item = Cluster>) -> Self {
        for cluster in clusters {
            self.add_cluster(cluster);
        }
        self
    }

    /// Adds a cluster to a workspace that stands already.
    pub fn add_cluster(&mut self, mut cluster: Cluster) {
        cluster.place_in(&self.name);
        self.clusters.push(cluster);
    }

    /// Adds a job run.
    #[must_use]
    pub fn run(mut self, run: Run) -> Self {
        self.add_run(run);
        self
    }

    /// Adds a job run to a workspace that stands already.
    pub fn add_run(&mut self, mut run: Run) {
        let serial = i64::try_from(self.runs.len()).unwrap_or(0);
        if run.id == 0 {
            run.id = 700_000_000_000_001 + serial;
        }
        if run.job_id == 0 {
            run.job_id =
                500_000_001 + i64::try_from(encode::number_for(&run.name) % 1_000_000).unwrap_or(0);
        }
        self.runs.push(run);
    }

    /// Sets how it can be reached.
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Makes a principal a member, in the place of what it was.
    #[must_use]
    pub fn member(mut self, member: Member) -> Self {
        self.members
            .retain(|known| known.principal != member.principal);
        self.members.push(member);
        self
    }

    /// Removes a principal: it is valid in the tenant and unknown here.
    #[must_use]
    pub fn without_member(mut self, principal: &str) -> Self {
        self.members.retain(|known| known.principal != principal);
        self
    }

    /// Puts it, with the subscription that holds it, into another tenant. The main principal is no member
    /// there.
    #[must_use]
    pub fn in_tenant(mut self, tenant: &str) -> Self {
        let subscription = encode::guid_for(&format!("subscription {tenant}"));
        for id in [&mut self.resource_id, &mut self.managed_group_id] {
            *id = id.replace(SUBSCRIPTION_ID, &subscription);
        }
        tenant.clone_into(&mut self.tenant);
        self.without_member(super::MAIN)
    }

    /// Adds a line to what the policy says about it, such as `principal = "other"`.
    #[must_use]
    pub fn policy_line(mut self, line: &str) -> Self {
        self.policy_lines.push(line.to_owned());
        self
    }

    /// Sets how many clusters fit on a page.
    #[must_use]
    pub fn cluster_page_size(mut self, size: usize) -> Self {
        self.cluster_page_size = size;
        self
    }

    /// Sets how many runs fit on a page.
    #[must_use]
    pub fn run_page_size(mut self, size: usize) -> Self {
        self.run_page_size = size;
        self
    }

    /// Sets how many virtual machines fit on a page.
    #[must_use]
    pub fn vm_page_size(mut self, size: usize) -> Self {
        self.vm_page_size = size;
        self
    }

    /// Sets how the end of a listing is told.
    #[must_use]
    pub fn page_end(mut self, end: PageEnd) -> Self {
        self.page_end = end;
        self
    }

    /// Lets the policy say that the principal sees all runs.
    #[must_use]
    pub fn sees_all_runs(mut self) -> Self {
        self.sees_all_runs = true;
        self
    }

    /// Sets the node types that it tells.
    #[must_use]
    pub fn node_types(mut self, node_types: Vec<NodeType>) -> Self {
        self.node_types = node_types;
        self
    }

    /// The workspace's URL, as a policy has it.
    pub fn url(&self) -> String {
        format!("https://{}", self.host)
    }

    /// A cluster by name or id.
    pub fn find(&self, name_or_id: &str) -> Option<&Cluster> {
        self.clusters
            .iter()
            .find(|cluster| cluster.id == name_or_id || cluster.name == name_or_id)
    }
}
