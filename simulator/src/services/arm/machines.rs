//! The virtual machines of a managed resource group, one and all, with the tags that Databricks gives them.
//!
//! A page names the next by a whole URL whose `$skiptoken` holds characters that must be percent-encoded.
//! Without `$expand`, which the service grants only beside a filter by scale set, no power state is told.

use serde_json::{Value, json};

use super::{VM_API_VERSIONS, check_api_version, error, unauthorized};
use crate::http::{Answer, Request};
use crate::world::{Cluster, Principal, Tagged, Vm, Workspace, World};

const SKIP_TOKEN: &str = "$skiptoken";

/// One page of the machines in the group of this id, in lower case.
pub(super) fn list(world: &World, request: &Request, principal: &Principal, group: &str) -> Answer {
    if let Some(key) = request.query.unknown_key(&["api-version", SKIP_TOKEN]) {
        return Answer::unarranged(format!("the query key {key:?} at a list of VMs"));
    }
    if let Err(refusal) = check_api_version(request, &VM_API_VERSIONS) {
        return refusal;
    }
    if !principal.arm.reads_metrics {
        return unauthorized(principal, "Microsoft.Compute/virtualMachines/read", group);
    }
    let mut workspaces = world.workspaces.iter();
    let Some(workspace) =
        workspaces.find(|known| known.managed_group_id.eq_ignore_ascii_case(group))
    else {
        let message = format!("Resource group '{group}' could not be found.");
        return error(404, "ResourceGroupNotFound", &message);
    };
    let offset = match request.query.first(SKIP_TOKEN).map(read_token) {
        None => 0,
        Some(Some(offset)) => offset,
        Some(None) => return error(400, "InvalidSkipToken", "The skip token is invalid."),
    };
    let up = workspace.clusters.iter().flat_map(|cluster| {
        let is_up = cluster.state_at(world.now()) != "TERMINATED";
        let vms = cluster.vms.iter();
        vms.filter(move |vm| is_up && vm.exists(&world.clock))
            .map(move |vm| (cluster, vm))
    });
    let size = workspace.vm_page_size.max(1);
    let mut rest = up.skip(offset);
    let on_page: Vec<Value> = rest
        .by_ref()
        .take(size)
        .map(|(cluster, vm)| json(workspace, cluster, vm))
        .collect();
    let mut page = json!({});
    if rest.next().is_some() {
        page["nextLink"] = json!(next_link(request, workspace, offset + size));
    }
    page["value"] = on_page.into();
    Answer::json(200, &page)
}

fn next_link(request: &Request, workspace: &Workspace, offset: usize) -> String {
    let version = request.query.first("api-version").unwrap_or_default();
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("api-version", version)
        .append_pair(SKIP_TOKEN, &format!("vm/{offset}+=="))
        .finish();
    // Links name the group as it was written last, which need not be as it was asked for.
    let group = workspace
        .managed_group_id
        .replace("resourceGroups", "RESOURCEGROUPS");
    format!(
        "https://{}{group}/providers/Microsoft.Compute/virtualMachines?{query}",
        request.host
    )
}

fn read_token(token: &str) -> Option<usize> {
    let offset = token.strip_prefix("vm/")?.strip_suffix("+==")?;
    offset.parse().ok()
}

/// A machine as an object.
pub(super) fn json(workspace: &Workspace, cluster: &Cluster, vm: &Vm) -> Value {
    let mut tags = json!({
        "Vendor": "Databricks",
        "DatabricksEnvironment": format!("workerenv-{}", workspace.id),
        "databricks-instance-name": vm.name,
    });
    match (&vm.tagged, &cluster.pool) {
        // Machines of a pool carry the pool's id and nothing of the cluster.
        (Tagged::AsItIs, Some(pool)) => tags["DatabricksInstancePoolId"] = json!(pool),
        (Tagged::AsItIs, None) => {
            tags["ClusterId"] = json!(cluster.id);
            tags["ClusterName"] = json!(cluster.name);
        }
        (Tagged::As(other), _) => tags["ClusterId"] = json!(other),
        (Tagged::Not, _) => {}
    }
    json!({
        "id": format!(
            "{}/providers/Microsoft.Compute/virtualMachines/{}",
            workspace.managed_group_id, vm.name
        ),
        "name": vm.name,
        "type": "Microsoft.Compute/virtualMachines",
        "location": "westeurope",
        "tags": tags,
        "properties": {
            "hardwareProfile": { "vmSize": vm.size },
            "provisioningState": vm.provisioning_state,
            "osProfile": { "computerName": vm.name },
        },
    })
}
