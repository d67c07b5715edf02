//! Who can ask for tokens: service principals with client secrets, and the Function App's managed
//! identity.
//!
//! Rights in Azure Resource Manager belong to the principal here; rights in a workspace or on a cluster
//! belong to the workspace and the cluster. Secret values never appear in `Debug` output.

use crate::encode;

/// A service principal in a tenant.
#[derive(Clone)]
pub struct Principal {
    /// The name by which a world's builders and tests speak of it.
    pub name: String,
    /// The tenant's id.
    pub tenant: String,
    /// The application (client) id, which is also its name in Databricks.
    pub client_id: String,
    /// The enterprise object's id, which Azure's refusals quote.
    pub object_id: String,
    /// All client secrets, valid or not.
    pub secrets: Vec<ClientSecret>,
    /// What it may do in Azure Resource Manager.
    pub arm: ArmRights,
}

/// A client secret of a service principal.
#[derive(Clone)]
pub struct ClientSecret {
    /// The value that a token request must carry.
    pub value: String,
    /// Whether Entra still takes it.
    pub is_expired: bool,
}

/// What a principal may do in Azure Resource Manager.
#[derive(Clone, Copy, Debug)]
pub struct ArmRights {
    /// May read the workspaces' resources.
    pub reads_workspaces: bool,
    /// Holds Monitoring Reader over the clusters' VMs: may read the VMs and their metrics.
    pub reads_metrics: bool,
    /// Holds Contributor on the workspaces' resources: may make itself a workspace admin.
    pub is_contributor: bool,
}

impl Principal {
    /// A principal with one valid secret, read rights in Azure Resource Manager, and no place in any
    /// workspace yet.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            tenant: super::TENANT_ID.to_owned(),
            client_id: encode::guid_for(&format!("application {name}")),
            object_id: encode::guid_for(&format!("object {name}")),
            secrets: vec![ClientSecret {
                value: format!("Sec8Q~{}", encode::hex32_for(&format!("secret {name}"))),
                is_expired: false,
            }],
            arm: ArmRights {
                reads_workspaces: true,
                reads_metrics: true,
                is_contributor: false,
            },
        }
    }

    /// Takes Monitoring Reader away.
    #[must_use]
    pub fn without_metrics(mut self) -> Self {
        self.arm.reads_metrics = false;
        self
    }

    /// Gives Contributor on the workspaces' resources.
    #[must_use]
    pub fn contributor(mut self) -> Self {
        self.arm.is_contributor = true;
        self
    }

    /// The newest secret's value.
    pub fn secret(&self) -> &str {
        self.secrets.last().map_or("", |secret| &secret.value)
    }

    /// Whether this secret is valid.
    pub(crate) fn accepts(&self, secret: &str) -> bool {
        self.secrets
            .iter()
            .any(|known| known.value == secret && !known.is_expired)
    }

    /// Whether this secret was valid once.
    pub(crate) fn accepted(&self, secret: &str) -> bool {
        self.secrets
            .iter()
            .any(|known| known.value == secret && known.is_expired)
    }
}

impl std::fmt::Debug for Principal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Principal({}, {})", self.name, self.client_id)
    }
}

impl std::fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ClientSecret(expired: {})", self.is_expired)
    }
}

/// The Function App's own identity, reached through App Service's token endpoint.
#[derive(Clone)]
pub struct ManagedIdentity {
    /// The identity's name in the world, which vaults grant rights to.
    pub principal: Principal,
    /// What `X-IDENTITY-HEADER` must say.
    pub header: String,
    /// Whether the app has an identity at all.
    pub is_assigned: bool,
}

impl ManagedIdentity {
    pub(crate) fn new() -> Self {
        Self {
            principal: Principal::named("function-app"),
            header: encode::guid_for("identity header"),
            is_assigned: true,
        }
    }
}

impl std::fmt::Debug for ManagedIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ManagedIdentity(assigned: {})", self.is_assigned)
    }
}
