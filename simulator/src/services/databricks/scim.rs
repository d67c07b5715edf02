//! SCIM of a workspace: who the caller is, the service principals, and the groups.
//!
//! Listings are filtered by one comparison and paged by `startIndex` from 1; `Resources` is absent where
//! there are none. Only a workspace admin may change anything, and only by adding: a principal, its
//! entitlements, a member of a group. Bodies of refusals that nobody recorded have the REST API's shape.

mod filter;
mod groups;
mod principals;

use serde_json::{Map, Value, json};

use super::{Caller, Visit, error};
use crate::encode;
use crate::http::{Answer, Request};
use crate::world::{Member, Workspace, World};

pub(super) const PREFIX: &str = "/api/2.0/preview/scim/v2/";
const CONTENT_TYPE: &str = "application/scim+json; charset=utf-8";
const PATCH_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const LIST_KEYS: [&str; 7] = [
    "attributes",
    "excludedAttributes",
    "filter",
    "startIndex",
    "count",
    "sortBy",
    "sortOrder",
];
/// What the service lists at most on one page is not known; a client must page by what it gets.
const PAGE: usize = 100;

/// Answers a GET.
pub(super) fn answer(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let rest = visit.request.path.strip_prefix(PREFIX).unwrap_or_default();
    match rest.split('/').collect::<Vec<_>>().as_slice() {
        ["Me"] => me(visit),
        ["ServicePrincipals"] => principals::list(visit),
        ["ServicePrincipals", id] => principals::get(visit, id),
        ["Groups"] => groups::list(visit),
        ["Groups", id] => groups::get(visit, id),
        _ => Ok(super::endpoint_not_found(&visit.request.path)),
    }
}

/// Changes something, if a request asks for that.
pub(super) fn change(
    world: &mut World,
    caller: &Caller,
    request: &Request,
    method: &str,
    rest: &str,
) -> Option<Result<Answer, Answer>> {
    let parts: Vec<&str> = rest.split('/').collect();
    let changed = match (method, parts.as_slice()) {
        ("POST", ["ServicePrincipals"]) => principals::create(world, caller, request),
        ("PATCH", ["ServicePrincipals", id]) => principals::patch(world, caller, request, id),
        ("PATCH", ["Groups", id]) => groups::patch(world, caller, request, id),
        _ => return None,
    };
    Some(changed)
}

/// Notes that one more listing of principals has been answered.
pub(super) fn count_listing(world: &mut World, request: &Request) {
    if request.method == "GET" && request.path.strip_prefix(PREFIX) == Some("ServicePrincipals") {
        let scim = &mut world.workspace_mut(&request.host).scim;
        scim.listings_behind = scim.listings_behind.saturating_sub(1);
    }
}

fn me(visit: &Visit<'_>) -> Result<Answer, Answer> {
    visit.check_keys(&["attributes", "excludedAttributes"])?;
    let caller = visit.caller;
    let mut body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": id_of(&caller.client_id),
        "userName": caller.client_id,
        "displayName": caller.principal,
        "active": true,
    });
    if let Some(member) = visit.workspace.find_member(&caller.principal) {
        add_lists(&mut body, member);
    }
    choose(&mut body, visit.request);
    Ok(scim(200, &body).header("x-databricks-org-id", &visit.workspace.id.to_string()))
}

/// Groups and entitlements, each absent where there is none.
fn add_lists(body: &mut Value, member: &Member) {
    if !member.groups.is_empty() {
        let groups = member.groups.iter().map(|group| group_ref(group));
        body["groups"] = groups.collect();
    }
    if !member.entitlements.is_empty() {
        let entitlements = member.entitlements.iter();
        body["entitlements"] = entitlements.map(|one| json!({ "value": one })).collect();
    }
}

/// The id of a user or a principal: digits, as everywhere in Databricks.
fn id_of(client_id: &str) -> String {
    (encode::number_for(client_id) % 9_000_000_000_000_000).to_string()
}

fn group_id(group: &str) -> String {
    (encode::number_for(group) % 1_000_000_000_000).to_string()
}

fn group_ref(group: &str) -> Value {
    let id = group_id(group);
    json!({
        "display": group,
        "type": "direct",
        "value": id,
        "$ref": format!("Groups/{id}"),
    })
}

/// Leaves out what `attributes` does not name and what `excludedAttributes` does.
fn choose(body: &mut Value, request: &Request) {
    let names = |key: &str| -> Option<Vec<String>> {
        let text = request.query.first(key)?;
        Some(text.split(',').map(|one| one.trim().to_owned()).collect())
    };
    let Some(fields) = body.as_object_mut() else {
        return;
    };
    if let Some(wanted) = names("attributes") {
        fields.retain(|name, _| name == "id" || name == "schemas" || wanted.contains(name));
    }
    if let Some(unwanted) = names("excludedAttributes") {
        fields.retain(|name, _| !unwanted.contains(name));
    }
}

/// The page of a listing that a request asks for.
fn page(visit: &Visit<'_>, found: Vec<Value>) -> Result<Answer, Answer> {
    let number = |key: &str, default: usize| match visit.request.query.first(key) {
        None => Ok(default),
        Some(text) => text
            .parse::<usize>()
            .map_err(|_| invalid(&format!("{key} must be a number"))),
    };
    // Indexes count from 1, and SCIM takes any smaller one for 1.
    let start = number("startIndex", 1)?.max(1);
    let count = number("count", PAGE)?.min(PAGE);
    let total = found.len();
    let mut resources: Vec<Value> = found.into_iter().skip(start - 1).take(count).collect();
    for resource in &mut resources {
        choose(resource, visit.request);
    }
    let mut body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": resources.len(),
    });
    if !resources.is_empty() {
        body["Resources"] = json!(resources);
    }
    Ok(scim(200, &body))
}

fn scim(status: u16, body: &Value) -> Answer {
    Answer::new(status, CONTENT_TYPE, body.to_string())
}

fn invalid(message: &str) -> Answer {
    error(400, "INVALID_PARAMETER_VALUE", message)
}

fn not_found(what: &str, id: &str) -> Answer {
    error(
        404,
        "RESOURCE_DOES_NOT_EXIST",
        &format!("{what} with id {id} not found."),
    )
}

fn check_admin(caller: &Caller) -> Result<(), Answer> {
    if caller.is_admin {
        return Ok(());
    }
    Err(error(403, "PERMISSION_DENIED", "Only accessible by admins"))
}

/// The body of a change, if it is sent as SCIM or as JSON.
fn sent_object(request: &Request) -> Result<Map<String, Value>, Answer> {
    let content_type = request.header("content-type").unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !matches!(essence, "application/scim+json" | "application/json") {
        return Err(Answer::unarranged(format!(
            "a SCIM body of type {essence:?}"
        )));
    }
    let fields = request.json_body().as_object().cloned();
    fields.ok_or_else(|| invalid("the body is no object"))
}

fn check_schema(fields: &Map<String, Value>, schema: &str) -> Result<(), Answer> {
    let schemas = fields.get("schemas").and_then(Value::as_array);
    if schemas.is_some_and(|schemas| schemas.iter().any(|one| one == schema)) {
        return Ok(());
    }
    Err(invalid(&format!("the request lacks the schema {schema}")))
}

/// What a PATCH adds to one list, in either of the forms that SCIM has for it. Anything but adding to that
/// list would change what nobody arranged.
fn added(request: &Request, list: &str) -> Result<Vec<String>, Answer> {
    let fields = sent_object(request)?;
    check_schema(&fields, PATCH_SCHEMA)?;
    let operations = fields.get("Operations").and_then(Value::as_array);
    let operations = operations.ok_or_else(|| invalid("the request lacks Operations"))?;
    let mut values = Vec::new();
    for operation in operations {
        let op = operation["op"].as_str().unwrap_or_default();
        let value = match operation.get("path").and_then(Value::as_str) {
            Some(path) if path == list => &operation["value"],
            Some(path) => return Err(Answer::unarranged(format!("a SCIM patch of {path:?}"))),
            None => &operation["value"][list],
        };
        if !op.eq_ignore_ascii_case("add") {
            return Err(Answer::unarranged(format!("the SCIM operation {op:?}")));
        }
        let value = value.as_array();
        let value = value.ok_or_else(|| invalid(&format!("{list} must be a list")))?;
        for one in value {
            let text = one["value"].as_str();
            let text = text.ok_or_else(|| invalid(&format!("an item of {list} has no value")))?;
            values.push(text.to_owned());
        }
    }
    Ok(values)
}

fn patched(workspace: &Workspace, body: &Value) -> Answer {
    if workspace.scim.patch_is_silent {
        Answer::new(204, CONTENT_TYPE, "")
    } else {
        scim(200, body)
    }
}
