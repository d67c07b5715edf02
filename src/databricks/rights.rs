//! What the principal is and may do in the workspace: its name and groups there, and
//! its permission on a cluster.
//!
//! A sweep asks only whether it sees all runs; the rest is for who explains rights to an
//! operator.
//! A permission comes directly or by a group. Levels of other names are an open set and
//! count for nothing.

use http::Method;
use serde::Deserialize;

use super::{Call, Databricks, ONE_CAP, read_answer};
use crate::cluster::ClusterId;
use crate::service::{Ask, CallError, Stage};

/// The group that everyone in a workspace is in; SCIM does not tell it.
const EVERYONE: &str = "users";
const ADMINS: &str = "admins";

/// Who the workspace takes the principal for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Me {
    /// `userName`: of a service principal its application id.
    pub known_as: Option<String>,
    /// Names of its groups.
    pub groups: Vec<String>,
}

impl Me {
    /// Whether it is a workspace admin.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.groups.iter().any(|group| group == ADMINS)
    }

    fn is_in(&self, group: &str) -> bool {
        group == EVERYONE || self.groups.iter().any(|known| known == group)
    }
}

/// A permission on a cluster; each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    None,
    CanAttachTo,
    CanRestart,
    CanManage,
}

impl Level {
    /// The spelling of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "no permission",
            Self::CanAttachTo => "CAN_ATTACH_TO",
            Self::CanRestart => "CAN_RESTART",
            Self::CanManage => "CAN_MANAGE",
        }
    }

    fn read(text: &str) -> Self {
        let known = [Self::CanAttachTo, Self::CanRestart, Self::CanManage];
        let named = known.into_iter().find(|level| level.as_str() == text);
        named.unwrap_or(Self::None)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MeAnswer {
    user_name: Option<String>,
    groups: Option<Vec<Group>>,
}

#[derive(Deserialize)]
struct Group {
    display: Option<String>,
}

/// `GET /api/2.0/permissions/clusters/{id}`.
#[derive(Deserialize)]
struct Permissions {
    access_control_list: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    user_name: Option<String>,
    service_principal_name: Option<String>,
    group_name: Option<String>,
    all_permissions: Option<Vec<Permission>>,
}

#[derive(Deserialize)]
struct Permission {
    permission_level: Option<String>,
}

impl Databricks {
    /// Who the workspace takes the principal for.
    ///
    /// Without `excludedAttributes` the platform computes all effective
    /// entitlements, which has slowed down whole workspaces (Databricks SDK for
    /// Go, changelog).
    ///
    /// # Errors
    ///
    /// Those of the call.
    pub async fn me(&self) -> Result<Me, CallError> {
        let call = Call {
            verb: "read own groups",
            stage: Stage::Rights,
            path: "api/2.0/preview/scim/v2/Me",
            query: &[("excludedAttributes", "entitlements")],
            body: None,
            body_cap: ONE_CAP,
            until: None,
        };
        let me: MeAnswer = self.send(call).await?;
        let groups = me.groups.into_iter().flatten();
        Ok(Me {
            known_as: me.user_name,
            groups: groups.filter_map(|group| group.display).collect(),
        })
    }

    /// The permission of `me` on a cluster, by the cluster's own list.
    ///
    /// # Errors
    ///
    /// Those of the call: whether everyone may read the list is not documented.
    pub async fn level_on(&self, id: &ClusterId, me: &Me) -> Result<Level, CallError> {
        let ask = Ask {
            verb: "read the permissions of a cluster",
            stage: Stage::Rights,
            method: Method::GET,
            path: &["api", "2.0", "permissions", "clusters", id.as_str()],
            query: &[],
            body: None,
            idempotent: true,
            body_cap: ONE_CAP,
            from_users: false,
            until: None,
            joining: None,
        };
        let list: Permissions = self.service.json_by(ask, read_answer).await?;
        Ok(level(&list, me))
    }
}

fn level(list: &Permissions, me: &Me) -> Level {
    let entries = list.access_control_list.iter().flatten();
    let ours = entries.filter(|entry| {
        let names = [&entry.user_name, &entry.service_principal_name];
        let is_named = me.known_as.is_some() && names.contains(&&me.known_as);
        is_named
            || entry
                .group_name
                .as_deref()
                .is_some_and(|group| me.is_in(group))
    });
    let levels = ours.flat_map(|entry| entry.all_permissions.iter().flatten());
    let levels = levels.filter_map(|one| one.permission_level.as_deref());
    levels.map(Level::read).max().unwrap_or(Level::None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(list: &str) -> Level {
        let me = Me {
            known_as: Some("app-1".to_owned()),
            groups: vec!["team".to_owned()],
        };
        level(&serde_json::from_str(list).unwrap(), &me)
    }

    #[test]
    fn the_highest_permission_counts_direct_or_by_a_group() {
        let entry = |who: &str, level: &str| {
            format!(
                r#"{{{who},"all_permissions":[{{"permission_level":"{level}","inherited":false}}]}}"#
            )
        };
        let list =
            |entries: &[String]| format!(r#"{{"access_control_list":[{}]}}"#, entries.join(","));
        let ours = r#""service_principal_name":"app-1""#;
        assert_eq!(of(&list(&[entry(ours, "CAN_RESTART")])), Level::CanRestart);
        assert_eq!(
            of(&list(&[entry(r#""user_name":"app-1""#, "CAN_MANAGE")])),
            Level::CanManage
        );
        assert_eq!(
            of(&list(&[entry(r#""group_name":"team""#, "CAN_ATTACH_TO")])),
            Level::CanAttachTo
        );
        assert_eq!(
            of(&list(&[entry(r#""group_name":"users""#, "CAN_RESTART")])),
            Level::CanRestart
        );
        let both = [
            entry(ours, "CAN_ATTACH_TO"),
            entry(r#""group_name":"team""#, "CAN_RESTART"),
        ];
        assert_eq!(of(&list(&both)), Level::CanRestart);
        for other in [
            entry(r#""service_principal_name":"app-2""#, "CAN_MANAGE"),
            entry(r#""group_name":"admins""#, "CAN_MANAGE"),
            entry(ours, "CAN_FLY"),
        ] {
            assert_eq!(of(&list(&[other])), Level::None);
        }
        assert_eq!(of("{}"), Level::None);
    }

    #[test]
    fn an_unknown_name_matches_no_entry_without_one() {
        let list = r#"{"access_control_list":[{"group_name":"x","all_permissions":[{"permission_level":"CAN_MANAGE"}]}]}"#;
        let list: Permissions = serde_json::from_str(list).unwrap();
        assert_eq!(level(&list, &Me::default()), Level::None);
    }
}
