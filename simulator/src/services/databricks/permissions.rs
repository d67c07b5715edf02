//! The Permissions API for clusters: who may do what with one, and the adding of rights.
//!
//! PATCH adds to the list. PUT replaces it, by which somebody once wiped the rights of a whole team
//! (databricks/cli#3264), so it is never arranged; nor is a PATCH that would lower a right, because what the
//! service makes of one is not known.

use serde_json::{Value, json};

use super::{Caller, Visit, error, forbidden_to_manage, invalid, unknown_cluster};
use crate::http::{Answer, Request};
use crate::world::{Cluster, Permission, Workspace, World};

pub(super) const PREFIX: &str = "/api/2.0/permissions/clusters/";

pub(super) fn get(visit: &Visit<'_>) -> Result<Answer, Answer> {
    visit.check_keys(&[])?;
    let id = visit.request.path.strip_prefix(PREFIX).unwrap_or_default();
    let cluster = visit.workspace.clusters.iter().find(|one| one.id == id);
    let cluster = cluster.ok_or_else(|| unknown_cluster(id))?;
    let needed = if visit.workspace.shows_permissions {
        Permission::CanAttachTo
    } else {
        Permission::CanManage
    };
    if visit.permission(cluster) < needed {
        return Err(forbidden_to_manage(visit.caller, id));
    }
    Ok(Answer::json(
        200,
        &object(visit.world, visit.workspace, cluster),
    ))
}

pub(super) fn patch(
    world: &mut World,
    caller: &Caller,
    request: &Request,
    id: &str,
) -> Result<Answer, Answer> {
    let asked = asked_for(world, request)?;
    let workspace = world.workspace_mut(&request.host);
    let cluster = workspace.clusters.iter().find(|one| one.id == id);
    let cluster = cluster.ok_or_else(|| unknown_cluster(id))?;
    if workspace.permission(&caller.principal, cluster) < Permission::CanManage {
        return Err(forbidden_to_manage(caller, id));
    }
    for (principal, permission) in &asked {
        if workspace.find_member(principal).is_none() {
            let message = format!("Principal: ServicePrincipalName({principal}) does not exist");
            return Err(error(400, "RESOURCE_DOES_NOT_EXIST", &message));
        }
        if workspace.permission(principal, cluster) > *permission {
            let why = format!("a lower right of {principal:?} on the cluster {id}");
            return Err(Answer::unarranged(why));
        }
    }
    let cluster = workspace.clusters.iter_mut().find(|one| one.id == id);
    if let Some(cluster) = cluster {
        cluster.permissions.extend(asked);
    }
    let workspace = world.find_workspace_by_host(&request.host);
    let found = workspace.and_then(|workspace| Some((workspace, workspace.find(id)?)));
    match found {
        Some((workspace, cluster)) => Ok(Answer::json(200, &object(world, workspace, cluster))),
        None => Err(unknown_cluster(id)),
    }
}

/// The rights that a request adds: names of principals in the world, and what each may do.
fn asked_for(world: &World, request: &Request) -> Result<Vec<(String, Permission)>, Answer> {
    let body = request.json_body();
    let fields: Vec<&String> = body
        .as_object()
        .into_iter()
        .flat_map(|one| one.keys())
        .collect();
    let list = body["access_control_list"].as_array();
    let (Some(list), ["access_control_list"]) = (
        list,
        fields
            .iter()
            .map(|name| name.as_str())
            .collect::<Vec<_>>()
            .as_slice(),
    ) else {
        let why = format!("permissions with the fields {fields:?}");
        return Err(Answer::unarranged(why));
    };
    list.iter()
        .map(|item| {
            let application = item["service_principal_name"].as_str();
            let Some(application) = application else {
                return Err(Answer::unarranged(
                    "a right for someone who is no service principal",
                ));
            };
            let Some(principal) = world.principal_of_application(&request.host, application) else {
                let message =
                    format!("Principal: ServicePrincipalName({application}) does not exist");
                return Err(error(400, "RESOURCE_DOES_NOT_EXIST", &message));
            };
            let level = item["permission_level"].as_str().unwrap_or_default();
            let levels = [
                Permission::CanAttachTo,
                Permission::CanRestart,
                Permission::CanManage,
            ];
            let found = levels.into_iter().find(|one| name(*one) == level);
            let found = found.ok_or_else(|| invalid(&format!("{level} is no permission level")))?;
            Ok((principal.name.clone(), found))
        })
        .collect()
}

fn name(permission: Permission) -> &'static str {
    match permission {
        Permission::None => "",
        Permission::CanAttachTo => "CAN_ATTACH_TO",
        Permission::CanRestart => "CAN_RESTART",
        Permission::CanManage => "CAN_MANAGE",
    }
}

fn object(world: &World, workspace: &Workspace, cluster: &Cluster) -> Value {
    let members = workspace.members.iter().filter(|one| !one.is_admin());
    let of_members = members.filter_map(|member| {
        let permission = workspace.permission(&member.principal, cluster);
        let principal = world.principal_named(&member.principal)?;
        (permission > Permission::None).then(|| {
            json!({
                "service_principal_name": principal.client_id,
                "display_name": principal.name,
                "all_permissions": [{ "permission_level": name(permission), "inherited": false }],
            })
        })
    });
    let of_admins = json!({
        "group_name": "admins",
        "all_permissions": [{
            "permission_level": "CAN_MANAGE",
            "inherited": true,
            "inherited_from_object": ["/clusters/"],
        }],
    });
    json!({
        "object_id": format!("/clusters/{}", cluster.id),
        "object_type": "cluster",
        "access_control_list": of_members.chain([of_admins]).collect::<Vec<_>>(),
    })
}
