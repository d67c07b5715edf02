//! SCIM and the Permissions API of a workspace, as far as `grant` needs them.
//!
//! The second of the two files that can change something outside, see `action`. All
//! its changes add, and adding twice is the same as once, so they may be repeated.
//! Rights are added by PATCH: a PUT would replace the whole list of them
//! (databricks/cli#3264). What is worth changing is not judged here.

use std::sync::Arc;

use http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::plan::{Grantee, Member, NamedCluster, Present, Right, Wish, needs_rights};
use crate::cluster::ClusterId;
use crate::databricks::{Databricks, RunsRight, read_answer};
use crate::service::{Ask, CallError, CallErrorCause, Service, Stage};

/// Bytes of an answer; a group of thousands of members has some hundred kB.
const BODY_CAP: usize = 4 << 20;

const SCIM: [&str; 5] = ["api", "2.0", "preview", "scim", "v2"];
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const PRINCIPAL: &str = "urn:ietf:params:scim:schemas:core:2.0:ServicePrincipal";
const WORKSPACE_ACCESS: &str = "workspace-access";
const ADMINS: &str = "admins";

/// The members and rights of one workspace, as one login sees and changes them.
#[derive(Debug)]
pub(super) struct Members {
    service: Arc<Service>,
    databricks: Databricks,
}

/// A listing of SCIM; the list is absent where it is empty.
#[derive(Deserialize)]
struct Listing<T> {
    #[serde(rename = "Resources")]
    resources: Option<Vec<T>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PrincipalRecord {
    id: String,
    application_id: Option<String>,
    active: Option<bool>,
    groups: Option<Vec<Reference>>,
    entitlements: Option<Vec<Reference>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupRecord {
    id: String,
    display_name: Option<String>,
    members: Option<Vec<Reference>>,
}

/// An item of a list of SCIM.
#[derive(Deserialize)]
struct Reference {
    value: Option<String>,
    display: Option<String>,
}

#[derive(Deserialize)]
struct Permissions {
    access_control_list: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    service_principal_name: Option<String>,
    all_permissions: Option<Vec<Permission>>,
}

#[derive(Deserialize)]
struct Permission {
    permission_level: Option<String>,
}

/// What is of what is wished for.
pub(super) struct Seen {
    pub(super) present: Present,
    /// The clusters that the wish is about and whose rights were read.
    pub(super) clusters: Vec<NamedCluster>,
    /// Those whose rights were not.
    pub(super) unread: Vec<(NamedCluster, CallError)>,
}

/// The group of admins.
pub(super) struct Admins {
    pub(super) id: String,
    pub(super) members: Vec<String>,
}

impl Members {
    pub(super) fn new(service: Arc<Service>) -> Self {
        Self {
            databricks: Databricks::new(Arc::clone(&service)),
            service,
        }
    }

    /// Whether whoever asks is shown to be a workspace admin.
    pub(super) async fn is_admin(&self) -> Result<bool, CallError> {
        Ok(match self.databricks.sees_all_runs().await? {
            RunsRight::Admin => true,
            RunsRight::NotShown => false,
        })
    }

    /// What is of what is wished for. One cluster whose rights are not told, because it
    /// was deleted since it was listed, or is another's, costs only itself.
    pub(super) async fn look(&self, wish: &Wish) -> Result<Seen, CallError> {
        let member = self.find(&wish.grantee).await?;
        let needs_rights = needs_rights(wish, member.as_ref());
        let mut seen = Seen {
            present: Present {
                member,
                ..Present::default()
            },
            clusters: Vec::new(),
            unread: Vec::new(),
        };
        if !needs_rights {
            return Ok(seen);
        }
        for (id, name) in self.databricks.all_purpose_clusters().await? {
            let cluster = NamedCluster { id, name };
            // Who is no member has no right.
            if seen.present.member.is_some() {
                match self.right(&cluster.id, &wish.grantee).await {
                    Ok(Some(right)) => {
                        seen.present.rights.insert(cluster.id.clone(), right);
                    }
                    Ok(None) => {}
                    Err(error) if ends_all(&error) => return Err(error),
                    Err(error) => {
                        seen.unread.push((cluster, error));
                        continue;
                    }
                }
            }
            seen.clusters.push(cluster);
        }
        Ok(seen)
    }

    /// The member of this application id.
    pub(super) async fn find(&self, grantee: &Grantee) -> Result<Option<Member>, CallError> {
        let filter = format!("applicationId eq \"{}\"", grantee.client_id);
        let query = [("filter", filter.as_str()), ("excludedAttributes", "roles")];
        let path = [&SCIM[..], &["ServicePrincipals"]].concat();
        let listing: Listing<PrincipalRecord> = self
            .get("find the service principal", &path, &query)
            .await?;
        let found = listing.resources.into_iter().flatten().find(|record| {
            let id = record.application_id.as_deref();
            id.is_some_and(|id| id.eq_ignore_ascii_case(&grantee.client_id))
        });
        Ok(found.map(|record| Member {
            is_active: record.active.unwrap_or(true),
            has_workspace_access: holds(record.entitlements.as_ref(), |one| {
                one.value.as_deref() == Some(WORKSPACE_ACCESS)
            }),
            is_admin: holds(record.groups.as_ref(), |one| {
                one.display.as_deref() == Some(ADMINS)
            }),
            id: record.id,
        }))
    }

    /// The group of admins; `None` if the workspace does not list it.
    pub(super) async fn admins(&self) -> Result<Option<Admins>, CallError> {
        let filter = format!("displayName eq \"{ADMINS}\"");
        let path = [&SCIM[..], &["Groups"]].concat();
        let query = [("filter", filter.as_str())];
        let listing: Listing<GroupRecord> =
            self.get("find the group of admins", &path, &query).await?;
        let mut groups = listing.resources.into_iter().flatten();
        let found = groups.find(|group| group.display_name.as_deref() == Some(ADMINS));
        Ok(found.map(|group| Admins {
            id: group.id,
            members: group
                .members
                .into_iter()
                .flatten()
                .filter_map(|member| member.value)
                .collect(),
        }))
    }

    /// The principal's own highest right on a cluster.
    pub(super) async fn right(
        &self,
        cluster: &ClusterId,
        grantee: &Grantee,
    ) -> Result<Option<Right>, CallError> {
        let path = permissions_of(cluster);
        let list: Permissions = self.get("read the rights on a cluster", &path, &[]).await?;
        let entries = list.access_control_list.into_iter().flatten();
        let own = entries.filter(|entry| {
            let name = entry.service_principal_name.as_deref();
            name.is_some_and(|name| name.eq_ignore_ascii_case(&grantee.client_id))
        });
        let levels = own.flat_map(|entry| entry.all_permissions.into_iter().flatten());
        let rights = levels.filter_map(|level| Right::parse(level.permission_level.as_deref()?));
        Ok(rights.max())
    }

    /// Makes it a member with the entitlement to call the API.
    pub(super) async fn create(&self, grantee: &Grantee) -> Result<(), CallError> {
        let body = json!({
            "schemas": [PRINCIPAL],
            "applicationId": grantee.client_id,
            "displayName": format!("terminate-clusters {}", grantee.name.as_str()),
            "active": true,
            "entitlements": [{ "value": WORKSPACE_ACCESS }],
        });
        let path = [&SCIM[..], &["ServicePrincipals"]].concat();
        let verb = "add the service principal";
        self.change(verb, Method::POST, &path, body).await
    }

    /// Gives a member the entitlement to call the API.
    pub(super) async fn entitle(&self, member_id: &str) -> Result<(), CallError> {
        let path = [&SCIM[..], &["ServicePrincipals", member_id]].concat();
        let body = adding("entitlements", WORKSPACE_ACCESS);
        let verb = "entitle the service principal";
        self.change(verb, Method::PATCH, &path, body).await
    }

    /// Adds a member to the group of admins.
    pub(super) async fn admit(&self, group_id: &str, member_id: &str) -> Result<(), CallError> {
        let path = [&SCIM[..], &["Groups", group_id]].concat();
        let body = adding("members", member_id);
        let verb = "add to the group of admins";
        self.change(verb, Method::PATCH, &path, body).await
    }

    /// Adds a right on a cluster to those that are there.
    pub(super) async fn allow(
        &self,
        cluster: &ClusterId,
        grantee: &Grantee,
        right: Right,
    ) -> Result<(), CallError> {
        let body = json!({
            "access_control_list": [{
                "service_principal_name": grantee.client_id,
                "permission_level": right.as_str(),
            }],
        });
        let verb = "give a right on a cluster";
        self.change(verb, Method::PATCH, &permissions_of(cluster), body)
            .await
    }

    async fn get<T: DeserializeOwned>(
        &self,
        verb: &'static str,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<T, CallError> {
        let ask = ask(verb, Method::GET, path, query, None);
        self.service.json_by(ask, read_answer).await
    }

    async fn change(
        &self,
        verb: &'static str,
        method: Method,
        path: &[&str],
        body: Value,
    ) -> Result<(), CallError> {
        self.service
            .done(ask(verb, method, path, &[], Some(body)))
            .await
    }
}

fn ask<'a>(
    verb: &'static str,
    method: Method,
    path: &'a [&'a str],
    query: &'a [(&'a str, &'a str)],
    body: Option<Value>,
) -> Ask<'a> {
    Ask {
        verb,
        stage: Stage::Rights,
        method,
        path,
        query,
        body,
        idempotent: true,
        body_cap: BODY_CAP,
        from_users: false,
        until: None,
        joining: None,
    }
}

/// Whether no other question would be answered either.
fn ends_all(error: &CallError) -> bool {
    matches!(
        error.cause,
        CallErrorCause::Token(_) | CallErrorCause::Deadline
    )
}

fn permissions_of(cluster: &ClusterId) -> [&str; 5] {
    ["api", "2.0", "permissions", "clusters", cluster.as_str()]
}

fn adding(list: &str, value: &str) -> Value {
    json!({
        "schemas": [PATCH],
        "Operations": [{ "op": "add", "path": list, "value": [{ "value": value }] }],
    })
}

fn holds(list: Option<&Vec<Reference>>, is_it: impl Fn(&Reference) -> bool) -> bool {
    list.is_some_and(|list| list.iter().any(is_it))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::PrincipalName;
    use crate::service::testing::{answer, service};

    const APPLICATION: &str = "aaaabbbb-0000-4000-8000-ccccdddd0002";

    fn grantee() -> Grantee {
        Grantee {
            name: PrincipalName::main(),
            client_id: APPLICATION.to_owned(),
        }
    }

    /// The members of a workspace that answers everything with this body.
    fn members(body: &'static str) -> Members {
        let (service, _) =
            service(move |_| async move { answer(200, "application/scim+json", body) });
        Members::new(service.share())
    }

    #[tokio::test(start_paused = true)]
    async fn finds_the_principal_of_that_application_and_no_other() {
        let listing = r#"{"totalResults":2,"Resources":[
            {"id":"1","applicationId":"aaaabbbb-0000-4000-8000-ccccdddd0001"},
            {"id":"2","applicationId":"AAAABBBB-0000-4000-8000-CCCCDDDD0002","active":false,
             "groups":[{"display":"admins","value":"9"}],
             "entitlements":[{"value":"databricks-sql-access"},{"value":"workspace-access"}]}]}"#;
        let found = members(listing).find(&grantee()).await.expect("a listing");
        let expected = Member {
            id: "2".to_owned(),
            is_active: false,
            has_workspace_access: true,
            is_admin: true,
        };
        assert_eq!(found, Some(expected));
        for nobody in [
            r#"{"totalResults":0}"#,
            r#"{"Resources":[]}"#,
            r#"{"Resources":null}"#,
        ] {
            let found = members(nobody).find(&grantee()).await.expect("a listing");
            assert_eq!(found, None, "{nobody}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_in_the_shape_of_a_good_answer_is_not_nothing_found() {
        for body in [
            r#"{"error_code":"PERMISSION_DENIED","message":"no"}"#,
            r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"detail":"no","status":"403"}"#,
        ] {
            let error = members(body).find(&grantee()).await.expect_err(body);
            assert!(
                error.to_string().contains("an error with status 200"),
                "{error}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_rights_of_its_own_count_and_the_highest_of_them() {
        let cluster = ClusterId::new("0101-000000-a");
        let list = |own: &str| {
            format!(
                r#"{{"access_control_list":[
                {{"group_name":"admins","all_permissions":[{{"permission_level":"CAN_MANAGE"}}]}},
                {{"user_name":"{APPLICATION}","all_permissions":[{{"permission_level":"CAN_MANAGE"}}]}},
                {{"service_principal_name":"{APPLICATION}","all_permissions":[{own}]}}]}}"#
            )
        };
        let level = |name: &str| format!(r#"{{"permission_level":"{name}"}}"#);
        let attach = level("CAN_ATTACH_TO");
        for (own, expected) in [
            (String::new(), None),
            (attach.clone(), Some(Right::CanAttachTo)),
            (
                format!("{attach},{}", level("CAN_RESTART")),
                Some(Right::CanRestart),
            ),
            (level("CAN_DO_SOMETHING_NEW"), None),
        ] {
            let body: &'static str = list(&own).leak();
            let right = members(body).right(&cluster, &grantee()).await;
            assert_eq!(right.expect("a list"), expected, "{own}");
        }
    }
}
