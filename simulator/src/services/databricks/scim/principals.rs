//! Service principals of a workspace: listed, read, created, and given entitlements.

use serde_json::{Value, json};

use super::filter::Filter;
use super::{
    LIST_KEYS, add_lists, added, check_admin, check_schema, id_of, invalid, not_found, page,
    patched, scim, sent_object,
};
use crate::http::{Answer, Request};
use crate::services::databricks::{Caller, Visit, error};
use crate::world::{AlreadyExists, Member, Permission, Principal, World};

const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:ServicePrincipal";
const FIELDS: [&str; 6] = [
    "schemas",
    "applicationId",
    "displayName",
    "active",
    "entitlements",
    "groups",
];
const ENTITLEMENTS: [&str; 5] = [
    "workspace-access",
    "databricks-sql-access",
    "allow-cluster-create",
    "allow-instance-pool-create",
    "workspace-consume",
];

pub(super) fn list(visit: &Visit<'_>) -> Result<Answer, Answer> {
    visit.check_keys(&LIST_KEYS)?;
    let filter = Filter::of(visit.request)?;
    let mut found = Vec::new();
    for (principal, member) in members(visit.world, visit.request) {
        let attribute = |name: &str| match name {
            "applicationId" => Some(principal.client_id.clone()),
            "displayName" => Some(principal.name.clone()),
            _ => None,
        };
        if match &filter {
            Some(filter) => filter.passes(attribute)?,
            None => true,
        } {
            found.push(resource(principal, member));
        }
    }
    let behind = visit.workspace.scim.listings_behind;
    page(visit, if behind > 0 { Vec::new() } else { found })
}

pub(super) fn get(visit: &Visit<'_>, id: &str) -> Result<Answer, Answer> {
    visit.check_keys(&["attributes", "excludedAttributes"])?;
    let mut members = members(visit.world, visit.request);
    let found = members.find(|(principal, _)| id_of(&principal.client_id) == id);
    match found {
        Some((principal, member)) => Ok(scim(200, &resource(principal, member))),
        None => Err(not_found("Service principal", id)),
    }
}

/// Adds a principal of the tenant as a member.
pub(super) fn create(
    world: &mut World,
    caller: &Caller,
    request: &Request,
) -> Result<Answer, Answer> {
    let fields = sent_object(request)?;
    if let Some(name) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        let why = format!("a service principal with the field {name:?}");
        return Err(Answer::unarranged(why));
    }
    // The official SDKs send none.
    if fields.contains_key("schemas") {
        check_schema(&fields, SCHEMA)?;
    }
    check_admin(caller)?;
    let application = fields.get("applicationId").and_then(Value::as_str);
    let application = application.ok_or_else(|| invalid("applicationId is missing"))?;
    let Some(principal) = world
        .principal_of_application(&request.host, application)
        .cloned()
    else {
        let why =
            format!("a member for the application {application:?}, which the tenant does not have");
        return Err(Answer::unarranged(why));
    };
    let entitlements = values(fields.get("entitlements"))?;
    check_entitlements(&entitlements)?;
    let groups = group_names(world, request, &values(fields.get("groups"))?)?;
    let now = world.now();
    let workspace = world.workspace_mut(&request.host);
    if workspace.find_member(&principal.name).is_some() {
        return Err(already_exists(workspace.scim.already_exists, application));
    }
    if workspace.scim.known_to_account.contains(&principal.name) {
        return Err(already_exists(AlreadyExists::InTheAccount, application));
    }
    let mut member = Member::user(&principal.name, Permission::None);
    member.groups = groups;
    member.entitlements = entitlements;
    member.is_active = fields
        .get("active")
        .and_then(Value::as_bool)
        .unwrap_or(true);
    member.spread = workspace.spread.begins(now);
    let body = resource(&principal, &member);
    workspace.members.push(member);
    Ok(scim(201, &body))
}

/// Adds entitlements.
pub(super) fn patch(
    world: &mut World,
    caller: &Caller,
    request: &Request,
    id: &str,
) -> Result<Answer, Answer> {
    let entitlements = added(request, "entitlements")?;
    check_admin(caller)?;
    check_entitlements(&entitlements)?;
    let found = members(world, request).find(|(one, _)| id_of(&one.client_id) == id);
    let principal = found.map(|(principal, _)| principal.clone());
    let principal = principal.ok_or_else(|| not_found("Service principal", id))?;
    let workspace = world.workspace_mut(&request.host);
    let member = workspace.member_mut(&principal.name);
    let member = member.ok_or_else(|| not_found("Service principal", id))?;
    for entitlement in entitlements {
        if !member.entitlements.contains(&entitlement) {
            member.entitlements.push(entitlement);
        }
    }
    let body = resource(&principal, member);
    Ok(patched(workspace, &body))
}

/// The members of the workspace that a request is to, in their order.
pub(super) fn members<'w>(
    world: &'w World,
    request: &Request,
) -> impl Iterator<Item = (&'w Principal, &'w Member)> {
    let workspace = world.find_workspace_by_host(&request.host);
    let members = workspace.into_iter().flat_map(|one| one.members.iter());
    members.filter_map(|member| Some((world.principal_named(&member.principal)?, member)))
}

fn resource(principal: &Principal, member: &Member) -> Value {
    let mut body = json!({
        "schemas": [SCHEMA],
        "id": id_of(&principal.client_id),
        "applicationId": principal.client_id,
        "displayName": principal.name,
        "active": member.is_active,
    });
    add_lists(&mut body, member);
    body
}

/// The `value` of each item of a list that may be absent.
fn values(list: Option<&Value>) -> Result<Vec<String>, Answer> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items
        .map(|item| item["value"].as_str().map(str::to_owned))
        .collect::<Option<_>>()
        .ok_or_else(|| invalid("an item has no value"))
}

fn group_names(world: &World, request: &Request, ids: &[String]) -> Result<Vec<String>, Answer> {
    let known = super::groups::names(world, request);
    ids.iter()
        .map(|id| {
            let found = known.iter().find(|name| super::group_id(name) == *id);
            found.cloned().ok_or_else(|| not_found("Group", id))
        })
        .collect()
}

fn check_entitlements(asked: &[String]) -> Result<(), Answer> {
    match asked
        .iter()
        .find(|one| !ENTITLEMENTS.contains(&one.as_str()))
    {
        Some(unknown) => Err(invalid(&format!("{unknown} is no entitlement"))),
        None => Ok(()),
    }
}

fn already_exists(shape: AlreadyExists, application: &str) -> Answer {
    let sentence = format!("Service principal with application ID {application} already exists.");
    match shape {
        AlreadyExists::Conflict => error(409, "RESOURCE_ALREADY_EXISTS", &sentence),
        AlreadyExists::BadRequest => invalid(&sentence),
        AlreadyExists::InTheAccount => error(
            409,
            "RESOURCE_CONFLICT",
            &format!("User with email {application} already exists in this account"),
        ),
        AlreadyExists::ConflictInScim => scim(
            409,
            &json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
                "detail": sentence,
                "scimType": "uniqueness",
                "status": "409",
            }),
        ),
    }
}
