//! The pretend services, each a function from the world and a request to an answer, chosen by host name
//! as public DNS would.
//!
//! No service knows a socket, a fault or a hook. A request that none of them arranged is answered by
//! [`Answer::unarranged`], never by something a client could take for an ordinary reply.

mod arm;
mod bearer;
mod databricks;
mod entra;
mod identity;
mod metrics;
mod vault;

use crate::http::{Answer, Request};
use crate::world::{Access, World};

/// The name under which requests to App Service's token endpoint are recorded. It has no public name: it
/// is reached on loopback.
pub(crate) const IDENTITY_HOST: &str = "managed-identity";

/// Which service a host name belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Entra,
    Arm,
    Vault,
    Databricks,
    Identity,
    /// A name that the world means to be unknown.
    NoSuchHost,
    /// A name that nobody arranged.
    Unarranged,
}

pub(crate) fn service_of(world: &World, host: &str) -> Service {
    let azure = &world.azure;
    match host {
        IDENTITY_HOST => return Service::Identity,
        host if host == azure.login => return Service::Entra,
        host if host == azure.arm => return Service::Arm,
        _ => {}
    }
    if world.vaults.iter().any(|vault| vault.host(azure) == host) {
        return Service::Vault;
    }
    match world
        .find_workspace_by_host(host)
        .map(|workspace| &workspace.access)
    {
        Some(Access::NoSuchHost) => Service::NoSuchHost,
        Some(_) => Service::Databricks,
        None => Service::Unarranged,
    }
}

/// Answers a request in a world.
pub(crate) fn answer(world: &mut World, request: &Request) -> Answer {
    match service_of(world, &request.host) {
        Service::Entra => entra::answer(world, request),
        Service::Arm => arm::answer(world, request),
        Service::Vault => vault::answer(world, request),
        Service::Databricks => databricks::answer(world, request),
        Service::Identity => identity::answer(world, request),
        Service::NoSuchHost | Service::Unarranged => {
            Answer::unarranged(format!("a request to the host {}", request.host))
        }
    }
}
