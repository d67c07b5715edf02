//! Who can ask for tokens: service principals with client secrets, certificates or federated credentials,
//! and the Function App's managed identities.
//!
//! Rights in Azure Resource Manager belong to the principal here; rights in a workspace or on a cluster
//! belong to the workspace and the cluster. Secret values never appear in `Debug` output.

use super::Certificate;
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
    /// The certificates of its app registration, in force or not.
    pub certificates: Vec<Certificate>,
    /// Whose tokens its app registration takes in the place of a secret.
    pub federated: Vec<FederatedCredential>,
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

/// A federated identity credential of an app registration: a token of this issuer for this subject proves
/// to be the app. All three are compared as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FederatedCredential {
    /// The token's `iss`.
    pub issuer: String,
    /// The token's `sub`; of a managed identity, its object id.
    pub subject: String,
    /// For whom the token must have been asked for.
    pub audience: String,
}

impl FederatedCredential {
    /// Trust in a managed identity, as the portal sets it up.
    pub fn managed_identity(identity: &Principal) -> Self {
        Self {
            issuer: format!(
                "https://{}/{}/v2.0",
                super::Azure::PUBLIC.login,
                identity.tenant
            ),
            subject: identity.object_id.clone(),
            audience: super::TOKEN_EXCHANGE.to_owned(),
        }
    }
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
            certificates: Vec::new(),
            federated: Vec::new(),
            arm: ArmRights {
                reads_workspaces: true,
                reads_metrics: true,
                is_contributor: false,
            },
        }
    }

    /// Puts it into another tenant.
    #[must_use]
    pub fn in_tenant(mut self, tenant: &str) -> Self {
        tenant.clone_into(&mut self.tenant);
        self
    }

    /// Gives it the application id of another: the same app registration, in another tenant.
    #[must_use]
    pub fn of_application(mut self, client_id: &str) -> Self {
        client_id.clone_into(&mut self.client_id);
        self
    }

    /// Takes all client secrets away.
    #[must_use]
    pub fn without_secret(mut self) -> Self {
        self.secrets.clear();
        self
    }

    /// Registers a certificate, beside those that are registered.
    #[must_use]
    pub fn certificate(mut self, certificate: Certificate) -> Self {
        self.certificates.push(certificate);
        self
    }

    /// Trusts the holder of these tokens to be it.
    #[must_use]
    pub fn federated(mut self, credential: FederatedCredential) -> Self {
        self.federated.push(credential);
        self
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

/// The Function App's own identities, reached through App Service's token endpoint.
#[derive(Clone)]
pub struct ManagedIdentity {
    /// The system-assigned one; its name in the world is what vaults grant rights to.
    pub principal: Principal,
    /// The user-assigned ones, which a client asks for by their client id.
    pub user_assigned: Vec<Principal>,
    /// What `X-IDENTITY-HEADER` must say.
    pub header: String,
    /// Whether the app has a system-assigned identity.
    pub is_assigned: bool,
}

impl ManagedIdentity {
    pub(crate) fn new() -> Self {
        Self {
            principal: Principal::named("function-app").without_secret(),
            user_assigned: Vec::new(),
            header: encode::guid_for("identity header"),
            is_assigned: true,
        }
    }
}

impl ManagedIdentity {
    /// All that the app can be.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Principal> {
        std::iter::once(&self.principal).chain(&self.user_assigned)
    }
}

impl std::fmt::Debug for ManagedIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ManagedIdentity(assigned: {})", self.is_assigned)
    }
}
