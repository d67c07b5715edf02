//! Groups of a workspace: listed, read, and given members.
//!
//! A group is there if somebody is in it; `admins` and `users` always are, and everybody is in `users`.

use serde_json::{Value, json};

use super::filter::Filter;
use super::principals::members;
use super::{LIST_KEYS, added, check_admin, group_id, id_of, not_found, page, patched, scim};
use crate::http::{Answer, Request};
use crate::services::databricks::{Caller, Visit};
use crate::world::World;

const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const EVERYBODY: &str = "users";

pub(super) fn list(visit: &Visit<'_>) -> Result<Answer, Answer> {
    visit.check_keys(&LIST_KEYS)?;
    let filter = Filter::of(visit.request)?;
    let mut found = Vec::new();
    for name in names(visit.world, visit.request) {
        let attribute = |asked: &str| (asked == "displayName").then(|| name.clone());
        if match &filter {
            Some(filter) => filter.passes(attribute)?,
            None => true,
        } {
            found.push(resource(visit.world, visit.request, &name));
        }
    }
    page(visit, found)
}

pub(super) fn get(visit: &Visit<'_>, id: &str) -> Result<Answer, Answer> {
    visit.check_keys(&["attributes", "excludedAttributes"])?;
    let name = named(visit.world, visit.request, id)?;
    Ok(scim(200, &resource(visit.world, visit.request, &name)))
}

/// Adds members.
pub(super) fn patch(
    world: &mut World,
    caller: &Caller,
    request: &Request,
    id: &str,
) -> Result<Answer, Answer> {
    let ids = added(request, "members")?;
    check_admin(caller)?;
    let group = named(world, request, id)?;
    for id in ids {
        let found = members(world, request).find(|(one, _)| id_of(&one.client_id) == id);
        let name = found.map(|(principal, _)| principal.name.clone());
        let name = name.ok_or_else(|| not_found("Principal", &id))?;
        if let Some(member) = world.workspace_mut(&request.host).member_mut(&name)
            && !member.groups.contains(&group)
        {
            member.groups.push(group.clone());
        }
    }
    let body = resource(world, request, &group);
    Ok(patched(world.workspace_mut(&request.host), &body))
}

/// The names of all groups, each once.
pub(super) fn names(world: &World, request: &Request) -> Vec<String> {
    let mut names = vec!["admins".to_owned(), EVERYBODY.to_owned()];
    for (_, member) in members(world, request) {
        for group in &member.groups {
            if !names.contains(group) {
                names.push(group.clone());
            }
        }
    }
    names
}

fn named(world: &World, request: &Request, id: &str) -> Result<String, Answer> {
    let mut names = names(world, request).into_iter();
    let found = names.find(|name| group_id(name) == id);
    found.ok_or_else(|| not_found("Group", id))
}

fn resource(world: &World, request: &Request, name: &str) -> Value {
    let id = group_id(name);
    let mut body = json!({ "schemas": [SCHEMA], "id": id, "displayName": name });
    let is_in = |groups: &[String]| name == EVERYBODY || groups.iter().any(|one| one == name);
    let members: Vec<Value> = members(world, request)
        .filter(|(_, member)| is_in(&member.groups))
        .map(|(principal, _)| {
            let id = id_of(&principal.client_id);
            json!({
                "display": principal.name,
                "value": id,
                "$ref": format!("ServicePrincipals/{id}"),
            })
        })
        .collect();
    if !members.is_empty() {
        body["members"] = json!(members);
    }
    body
}
