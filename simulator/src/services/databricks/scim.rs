//! SCIM `Me`: who the caller is and which groups it is in.
//!
//! The header `X-Databricks-Org-Id` tells the workspace's id. Without `excludedAttributes=entitlements`
//! the real service runs an expensive scan; here the entitlements are simply listed.

use serde_json::{Value, json};

use super::Visit;
use crate::encode;
use crate::http::Answer;

pub(super) fn me(visit: &Visit<'_>) -> Result<Answer, Answer> {
    visit.check_keys(&["attributes", "excludedAttributes"])?;
    let caller = visit.caller;
    let groups: Vec<Value> = visit
        .workspace
        .member_named(&caller.principal)
        .map(|member| {
            member
                .groups
                .iter()
                .map(|group| group_json(group))
                .collect()
        })
        .unwrap_or_default();
    let mut body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": (encode::number_for(&caller.client_id) % 9_000_000_000_000_000).to_string(),
        "userName": caller.client_id,
        "displayName": caller.principal,
        "active": true,
    });
    let excluded: Vec<&str> = visit
        .request
        .query
        .first("excludedAttributes")
        .map(|text| text.split(',').collect())
        .unwrap_or_default();
    if !groups.is_empty() && !excluded.contains(&"groups") {
        body["groups"] = json!(groups);
    }
    if !excluded.contains(&"entitlements") {
        body["entitlements"] = json!([{ "value": "workspace-access" }]);
    }
    let answer = Answer::new(
        200,
        "application/scim+json; charset=utf-8",
        body.to_string(),
    );
    Ok(answer.header("x-databricks-org-id", &visit.workspace.id.to_string()))
}

fn group_json(group: &str) -> Value {
    let id = encode::number_for(group) % 1_000_000_000_000;
    json!({
        "display": group,
        "type": "direct",
        "value": id.to_string(),
        "$ref": format!("Groups/{id}"),
    })
}
