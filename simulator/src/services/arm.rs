//! Azure Resource Manager: the workspaces' resources, the clusters' virtual machines, and their metrics.
//!
//! Resource ids are compared without case. Reading needs the rights that the world gives a principal;
//! without them the answer is 403 `AuthorizationFailed`, whether or not the resource is there. Nothing
//! here can be changed: any other method is unarranged.

mod machines;

use serde_json::{Value, json};

use super::bearer::{self, BadToken};
use super::metrics;
use crate::http::{Answer, Request};
use crate::world::{Audience, Azure, Cluster, Principal, Vm, Workspace, World};

const WORKSPACE_API_VERSIONS: [&str; 3] = ["2018-04-01", "2023-02-01", "2024-05-01"];
const VM_API_VERSIONS: [&str; 6] = [
    "2022-11-01",
    "2023-03-01",
    "2023-09-01",
    "2024-03-01",
    "2024-07-01",
    "2024-11-01",
];
const METRICS_SUFFIX: &str = "/providers/microsoft.insights/metrics";

pub(super) fn answer(world: &World, request: &Request) -> Answer {
    if request.method != "GET" {
        return Answer::unarranged(format!(
            "{} {} at Azure Resource Manager",
            request.method, request.path
        ));
    }
    let tenant = world.tenant_of_resource(&request.path);
    let principal = match bearer::check_request(world, request, Audience::Arm, tenant) {
        Ok(token) => world.principal_named(&token.principal),
        Err(bad) => return refuse_token(&world.azure, &bad),
    };
    let Some(principal) = principal else {
        return error(
            401,
            "InvalidAuthenticationToken",
            "The access token is invalid.",
        );
    };
    let path = request.path.trim_end_matches('/').to_ascii_lowercase();
    if let Some(vm_id) = path.strip_suffix(METRICS_SUFFIX) {
        return vm_metrics(world, request, principal, vm_id);
    }
    if path.contains("/providers/microsoft.databricks/workspaces/") {
        return workspace(world, request, principal, &path);
    }
    if let Some(group) = path.strip_suffix("/providers/microsoft.compute/virtualmachines") {
        return machines::list(world, request, principal, group);
    }
    if path.contains("/providers/microsoft.compute/virtualmachines/") {
        return virtual_machine(world, request, principal, &path);
    }
    Answer::unarranged(format!("GET {} at Azure Resource Manager", request.path))
}

fn refuse_token(azure: &Azure, bad: &BadToken) -> Answer {
    match bad {
        BadToken::Missing => error(
            401,
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing.",
        ),
        BadToken::Unknown => error(
            401,
            "InvalidAuthenticationToken",
            "The access token is invalid.",
        ),
        BadToken::Expired => error(
            401,
            "ExpiredAuthenticationToken",
            "The access token expiry time has passed.",
        ),
        BadToken::Audience(_) => error(
            401,
            "InvalidAuthenticationTokenAudience",
            "The access token has been obtained for wrong audience or resource.",
        ),
        BadToken::Tenant(_) => error(
            401,
            "InvalidAuthenticationTokenTenant",
            "The access token is from the wrong issuer.",
        ),
    }
    .header(
        "www-authenticate",
        &format!("Bearer authorization_uri=\"https://{}/\"", azure.login),
    )
}

fn workspace(world: &World, request: &Request, principal: &Principal, path: &str) -> Answer {
    if let Err(refusal) = check_query(request, &WORKSPACE_API_VERSIONS) {
        return refusal;
    }
    if !principal.arm.reads_workspaces {
        return unauthorized(principal, "Microsoft.Databricks/workspaces/read", path);
    }
    let found = world
        .workspaces
        .iter()
        .find(|known| known.resource_id.eq_ignore_ascii_case(path) && !known.is_deleted);
    match found {
        Some(workspace) => Answer::json(200, &workspace_json(workspace)),
        None => not_found(path),
    }
}

fn workspace_json(workspace: &Workspace) -> Value {
    json!({
        "id": workspace.resource_id,
        "name": workspace.name,
        "type": "Microsoft.Databricks/workspaces",
        "location": "westeurope",
        "sku": { "name": "premium" },
        "tags": {},
        "properties": {
            "workspaceUrl": workspace.host,
            "workspaceId": workspace.id.to_string(),
            "managedResourceGroupId": workspace.managed_group_id,
            "provisioningState": workspace.provisioning_state,
            "publicNetworkAccess": workspace.public_network_access,
            "requiredNsgRules": "AllRules",
            "isUcEnabled": true,
            "authorizations": [],
            "parameters": {},
        },
    })
}

/// The machine with this resource id, its cluster and workspace.
fn find_vm<'w>(world: &'w World, vm_id: &str) -> Option<(&'w Workspace, &'w Cluster, &'w Vm)> {
    let (group, name) = vm_id.split_once("/providers/microsoft.compute/virtualmachines/")?;
    let workspace = world
        .workspaces
        .iter()
        .find(|known| known.managed_group_id.eq_ignore_ascii_case(group))?;
    workspace.clusters.iter().find_map(|cluster| {
        let vm = cluster
            .vms
            .iter()
            .find(|vm| vm.name.eq_ignore_ascii_case(name))?;
        let is_up = cluster.state_at(world.now()) != "TERMINATED" && vm.exists(&world.clock);
        is_up.then_some((workspace, cluster, vm))
    })
}

fn virtual_machine(world: &World, request: &Request, principal: &Principal, path: &str) -> Answer {
    if let Err(refusal) = check_query(request, &VM_API_VERSIONS) {
        return refusal;
    }
    if !principal.arm.reads_metrics {
        return unauthorized(principal, "Microsoft.Compute/virtualMachines/read", path);
    }
    match find_vm(world, path) {
        Some((workspace, cluster, vm)) => {
            Answer::json(200, &machines::json(workspace, cluster, vm))
        }
        None => not_found(path),
    }
}

fn vm_metrics(world: &World, request: &Request, principal: &Principal, vm_id: &str) -> Answer {
    if !principal.arm.reads_metrics {
        return unauthorized(principal, "Microsoft.Insights/metrics/read", vm_id);
    }
    match find_vm(world, vm_id) {
        Some((workspace, _, vm)) => {
            metrics::answer(world, request, &workspace.managed_group_id, vm)
        }
        None => not_found(vm_id),
    }
}

fn check_query(request: &Request, api_versions: &[&str]) -> Result<(), Answer> {
    if let Some(key) = request.query.unknown_key(&["api-version"]) {
        return Err(Answer::unarranged(format!(
            "the query key {key:?} at Azure Resource Manager"
        )));
    }
    check_api_version(request, api_versions)
}

pub(super) fn check_api_version(request: &Request, api_versions: &[&str]) -> Result<(), Answer> {
    let asked = request.query.first("api-version").unwrap_or_default();
    if api_versions.contains(&asked) {
        return Ok(());
    }
    let known = api_versions.join(", ");
    let message =
        format!("The api-version '{asked}' is invalid. The supported versions are '{known}'.");
    Err(error(400, "InvalidApiVersionParameter", &message))
}

fn unauthorized(principal: &Principal, action: &str, scope: &str) -> Answer {
    let message = format!(
        "The client '{}' with object id '{}' does not have authorization to perform action '{action}' over scope \
         '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
        principal.client_id, principal.object_id
    );
    error(403, "AuthorizationFailed", &message)
}

fn not_found(path: &str) -> Answer {
    let resource = path
        .rsplit_once("/providers/")
        .map_or(path, |(_, resource)| resource);
    let message = format!("The Resource '{resource}' was not found.");
    error(404, "ResourceNotFound", &message)
}

fn error(status: u16, code: &str, message: &str) -> Answer {
    Answer::json(
        status,
        &json!({ "error": { "code": code, "message": message } }),
    )
}
