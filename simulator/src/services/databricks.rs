//! A Databricks workspace's REST API: who may enter, and which endpoint answers.
//!
//! Entry (network, token, membership) is the `access` module's; each endpoint is a submodule's. A path that
//! no submodule knows is refused and kept as a violation, above all every path that would change something
//! other than by terminating a cluster, by adding to members and groups, or by adding a right.

mod access;
mod clusters;
mod driver_proxy;
mod events;
mod node_types;
mod paging;
mod permissions;
mod real;
mod runs;
mod scim;
mod spark;
mod streaming;

use serde_json::{Value, json};

use crate::http::{Answer, Request};
use crate::world::{Cluster, Permission, Workspace, World};

/// Who asks, once the workspace has let them in.
#[derive(Clone, Debug)]
struct Caller {
    principal: String,
    client_id: String,
    is_admin: bool,
}

/// One let-in request: everything that an endpoint needs to answer.
struct Visit<'v> {
    world: &'v World,
    workspace: &'v Workspace,
    caller: &'v Caller,
    request: &'v Request,
}

impl Visit<'_> {
    fn permission(&self, cluster: &Cluster) -> Permission {
        self.workspace.permission(&self.caller.principal, cluster)
    }

    /// Refuses query keys that the endpoint does not have.
    fn check_keys(&self, known: &[&str]) -> Result<(), Answer> {
        match self.request.query.unknown_key(known) {
            Some(key) => Err(Answer::unarranged(format!(
                "the query key {key:?} at {}",
                self.request.path
            ))),
            None => Ok(()),
        }
    }
}

pub(super) fn answer(world: &mut World, request: &Request) -> Answer {
    if request.method == "GET" && request.path == "/.well-known/databricks-config" {
        return Answer::json(200, &json!({}));
    }
    let caller = match access::enter(world, request) {
        Ok(caller) => caller,
        Err(refusal) => return refusal,
    };
    if request.method == "POST" && request.path == "/api/2.1/clusters/delete" {
        return clusters::delete(world, &caller, request);
    }
    if let Some(answer) = change(world, &caller, request) {
        return answer.unwrap_or_else(|refusal| refusal);
    }
    let Some(workspace) = world.find_workspace_by_host(&request.host) else {
        return Answer::unarranged(format!("the workspace {}", request.host));
    };
    let visit = Visit {
        world,
        workspace,
        caller: &caller,
        request,
    };
    let answer = route(&visit).unwrap_or_else(|refusal| refusal);
    scim::count_listing(world, request);
    answer
}

/// Changes members, groups or rights, if that is what a request asks for.
fn change(world: &mut World, caller: &Caller, request: &Request) -> Option<Result<Answer, Answer>> {
    let (method, path) = (request.method.as_str(), request.path.as_str());
    if let Some(rest) = path.strip_prefix(scim::PREFIX) {
        return scim::change(world, caller, request, method, rest);
    }
    let id = path.strip_prefix(permissions::PREFIX)?;
    (method == "PATCH").then(|| permissions::patch(world, caller, request, id))
}

fn route(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let Request { method, path, .. } = visit.request;
    if path.starts_with("/driver-proxy-api/") {
        return driver_proxy::answer(visit);
    }
    match (method.as_str(), path.as_str()) {
        ("GET", "/api/2.1/clusters/list") => clusters::list(visit),
        ("GET", "/api/2.1/clusters/get") => clusters::get(visit),
        ("POST", "/api/2.1/clusters/events") => events::list(visit),
        ("GET", "/api/2.1/clusters/list-node-types") => node_types::list(visit),
        ("GET", "/api/2.1/jobs/runs/list" | "/api/2.2/jobs/runs/list") => runs::list(visit),
        ("GET", "/api/2.1/jobs/runs/get" | "/api/2.2/jobs/runs/get") => runs::get(visit),
        ("GET", path) if path.starts_with(scim::PREFIX) => scim::answer(visit),
        ("GET", path) if path.starts_with(permissions::PREFIX) => permissions::get(visit),
        ("GET", _) => Ok(endpoint_not_found(path)),
        _ => Ok(Answer::unarranged(format!(
            "{method} {path}: nothing may be changed in this way"
        ))),
    }
}

fn endpoint_not_found(path: &str) -> Answer {
    let path = path.strip_prefix("/api").unwrap_or(path);
    error(
        404,
        "ENDPOINT_NOT_FOUND",
        &format!("Endpoint not found for {path}"),
    )
    .violation(format!("GET {path} at a workspace"))
}

/// An error of the REST API in its ordinary shape.
fn error(status: u16, code: &str, message: &str) -> Answer {
    Answer::json(status, &json!({ "error_code": code, "message": message }))
}

/// The refusal of an argument.
fn invalid(message: &str) -> Answer {
    error(400, "INVALID_PARAMETER_VALUE", message)
}

/// The refusal of someone who may not see or change the rights on a cluster.
fn forbidden_to_manage(caller: &Caller, id: &str) -> Answer {
    clusters::forbidden(caller, "Manage", id)
}

fn unknown_cluster(cluster_id: &str) -> Answer {
    invalid(&format!("Cluster {cluster_id} does not exist"))
}

/// Lays the fields of `overlay` over an object; `null` removes a field.
fn lay_over(object: &mut Value, overlay: &serde_json::Map<String, Value>) {
    let Some(fields) = object.as_object_mut() else {
        return;
    };
    for (name, value) in overlay {
        if value.is_null() {
            fields.remove(name);
        } else {
            fields.insert(name.clone(), value.clone());
        }
    }
}
