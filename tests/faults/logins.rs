//! As whom a workspace is swept: as the main principal, or as one of its own, so that
//! what is wrong with that one's login is wrong with no other workspace.

use std::fmt::Write as _;

use simulator::world::{
    Access, Certificate, FederatedCredential, MAIN, Member, Principal, StoredCertificate,
    TENANT_ID, VAULT, Vault, Workspace, World,
};

const CERTIFICATE: &str = include_str!("../fixtures/certificates/throwaway-rsa.pem");

/// How the principal of a workspace proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Login {
    /// The principal of the app settings, with its client secret, for all workspaces.
    Main,
    /// A principal for each workspace, with a certificate.
    Certificate,
    /// A user-assigned managed identity for each workspace.
    ManagedIdentity,
    /// A principal for each workspace, which trusts a managed identity of its own.
    Federated,
    /// A principal for each workspace, with a client secret, that is no member there
    /// and joins by its right on the resource.
    Contributor,
}

/// The principal of a workspace, where it has one of its own.
pub(crate) fn principal_of(workspace: &Workspace) -> Principal {
    Principal::named(&format!("as-{}", workspace.name))
}

/// The managed identity that proves the principal of a workspace.
pub(crate) fn identity_of(workspace: &Workspace) -> Principal {
    Principal::named(&format!("identity-{}", workspace.name))
}

/// The secret that holds what the principal of a workspace proves itself with.
pub(crate) fn secret_of(workspace: &Workspace) -> String {
    format!("secret-of-{}", workspace.name)
}

impl Login {
    /// Puts a workspace into the world with its principal, whose `[[principal]]` is
    /// added to the tables.
    pub(crate) fn arrange(
        self,
        mut world: World,
        workspace: Workspace,
        tables: &mut String,
    ) -> World {
        if self == Self::Main {
            return world.workspace(workspace);
        }
        let principal = principal_of(&workspace);
        let identity = identity_of(&workspace);
        let secret = secret_of(&workspace);
        let name = &principal.name;
        let workspace = workspace.without_member(MAIN);
        let workspace = match self {
            Self::Contributor => workspace.access(Access::Contributor),
            Self::Main | Self::Certificate | Self::ManagedIdentity | Self::Federated => {
                workspace.member(Member::admin(name))
            }
        };
        let line = format!("principal = \"{name}\"\nspark_principal = \"{name}\"");
        let workspace = workspace.policy_line(&line);
        let _ = write!(tables, "[[principal]]\nname = \"{name}\"\n");
        let client_id = &principal.client_id;
        let ids = format!("tenant_id = \"{TENANT_ID}\"\nclient_id = \"{client_id}\"");
        let (lines, world) = match self {
            Self::Main => (ids, world),
            Self::Certificate => {
                let stored = StoredCertificate::pem(CERTIFICATE);
                vault(&mut world).set_certificate(&secret, &stored);
                let line = format!("{ids}\nclient_certificate_secret = \"{secret}\"");
                let registered = Certificate::from_pem(CERTIFICATE);
                let principal = principal.without_secret().certificate(registered);
                (line, world.principal(principal))
            }
            Self::ManagedIdentity => {
                let lines = of_an_identity("managed-identity", client_id);
                (lines, world.user_assigned(principal))
            }
            Self::Federated => {
                let lines = of_an_identity("federated", &identity.client_id);
                let trusted = FederatedCredential::managed_identity(&identity);
                let principal = principal.without_secret().federated(trusted);
                let world = world.user_assigned(identity).principal(principal);
                (format!("{ids}\n{lines}"), world)
            }
            Self::Contributor => {
                vault(&mut world).set(&secret, principal.secret());
                let line = format!("{ids}\nclient_secret_secret = \"{secret}\"");
                (line, world.principal(principal.contributor()))
            }
        };
        let _ = writeln!(tables, "{lines}");
        world.workspace(workspace)
    }
}

fn of_an_identity(credential: &str, client_id: &str) -> String {
    format!("credential = \"{credential}\"\nmanaged_identity_client_id = \"{client_id}\"")
}

fn vault(world: &mut World) -> &mut Vault {
    let found = world.vaults.iter_mut().find(|vault| vault.name == VAULT);
    found.unwrap()
}
