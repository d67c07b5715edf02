//! What a principal lacks: what is and what should be in, a list of changes out.
//!
//! Pure, so that what is shown without `--apply` is what is done with it. It only
//! ever adds; a second run on what the first one left has nothing to do.

use std::collections::BTreeMap;
use std::fmt;

use crate::cluster::ClusterId;
use crate::escape::Shown;
use crate::identity::PrincipalName;

/// Who is given something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grantee {
    pub name: PrincipalName,
    /// The application id, by which Databricks knows it.
    pub client_id: String,
}

/// A right on a cluster; each includes those before it (Databricks, compute ACLs).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    CanAttachTo,
    CanRestart,
    CanManage,
}

/// What should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    pub grantee: Grantee,
    /// It is to be a workspace admin.
    pub admin: bool,
    /// It is to have this right on every all-purpose cluster.
    pub right: Option<Right>,
}

/// A member of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its id in SCIM.
    pub id: String,
    pub is_active: bool,
    pub has_workspace_access: bool,
    pub is_admin: bool,
}

/// What is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Present {
    /// `None` if it is no member.
    pub member: Option<Member>,
    /// Its own rights on clusters.
    pub rights: BTreeMap<ClusterId, Right>,
}

/// An all-purpose cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedCluster {
    pub id: ClusterId,
    pub name: String,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It makes itself a member and an admin, by its right on the Azure resource.
    Join { grantee: Grantee },
    /// It becomes a member with the entitlement to call the API.
    Create { grantee: Grantee },
    /// A member gets that entitlement.
    Entitle { grantee: Grantee },
    /// It becomes a workspace admin.
    Admit { grantee: Grantee },
    /// It gets a right on one cluster.
    Allow {
        grantee: Grantee,
        cluster: NamedCluster,
        right: Right,
    },
}

/// The changes in the order in which they can be made, and what else to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Planned {
    pub changes: Vec<Change>,
    pub notes: Vec<String>,
}

/// What `wish` lacks of being so.
#[must_use]
pub fn plan(wish: &Wish, present: &Present, clusters: &[NamedCluster]) -> Planned {
    let Wish {
        grantee,
        admin,
        right,
    } = wish;
    let mut planned = Planned::default();
    let is_admin = present.member.as_ref().is_some_and(|one| one.is_admin);
    match &present.member {
        None => planned.changes.push(Change::Create {
            grantee: grantee.clone(),
        }),
        Some(member) => {
            if !member.is_active {
                planned.notes.push(format!(
                    "principal `{}` is inactive in the workspace, and nothing of it works until it is set active there",
                    grantee.name
                ));
            }
            // Admins may call everything without it.
            if !member.has_workspace_access && !is_admin {
                planned.changes.push(Change::Entitle {
                    grantee: grantee.clone(),
                });
            }
        }
    }
    if *admin && !is_admin {
        planned.changes.push(Change::Admit {
            grantee: grantee.clone(),
        });
    }
    if let Some(right) = right {
        let (changes, note) = allowances(wish, *right, present, clusters);
        planned.changes.extend(changes);
        planned.notes.extend(note);
    }
    planned
}

/// Whether rights on single clusters have to be looked at.
#[must_use]
pub fn needs_rights(wish: &Wish, member: Option<&Member>) -> bool {
    wish.right.is_some() && !wish.admin && !member.is_some_and(|member| member.is_admin)
}

fn allowances(
    wish: &Wish,
    right: Right,
    present: &Present,
    clusters: &[NamedCluster],
) -> (Vec<Change>, Option<String>) {
    let name = &wish.grantee.name;
    if !needs_rights(wish, present.member.as_ref()) {
        let note = format!(
            "principal `{name}` needs no {right} on single clusters, because an admin may do everything with each"
        );
        return (Vec::new(), Some(note));
    }
    let lacking = clusters.iter().filter(|cluster| {
        let has = present.rights.get(&cluster.id);
        has.is_none_or(|has| *has < right)
    });
    let changes = lacking.map(|cluster| Change::Allow {
        grantee: wish.grantee.clone(),
        cluster: cluster.clone(),
        right,
    });
    let note = format!(
        "clusters that are made from now on will lack {right} for principal `{name}`, because Databricks has no such right for all: run this again then"
    );
    (changes.collect(), Some(note))
}

impl Right {
    /// As the API spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CanAttachTo => "CAN_ATTACH_TO",
            Self::CanRestart => "CAN_RESTART",
            Self::CanManage => "CAN_MANAGE",
        }
    }

    /// The right of this spelling; others, which may come, are none that we give.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::CanAttachTo, Self::CanRestart, Self::CanManage]
            .into_iter()
            .find(|right| right.as_str() == text)
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Change {
    /// The stable spelling in JSON.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Join { .. } => "join",
            Self::Create { .. } => "create",
            Self::Entitle { .. } => "entitle",
            Self::Admit { .. } => "admit",
            Self::Allow { .. } => "allow",
        }
    }

    /// Whom it is for.
    #[must_use]
    pub fn grantee(&self) -> &Grantee {
        match self {
            Self::Join { grantee }
            | Self::Create { grantee }
            | Self::Entitle { grantee }
            | Self::Admit { grantee }
            | Self::Allow { grantee, .. } => grantee,
        }
    }

    /// The cluster and the right, where it gives one.
    #[must_use]
    pub fn allow(&self) -> Option<(&NamedCluster, Right)> {
        match self {
            Self::Allow { cluster, right, .. } => Some((cluster, *right)),
            Self::Join { .. } | Self::Create { .. } | Self::Entitle { .. } | Self::Admit { .. } => {
                None
            }
        }
    }
}

/// A clause in the infinitive: "add …".
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Grantee { name, client_id } = self.grantee();
        let client_id = Shown::name(client_id);
        match self {
            Self::Join { .. } => write!(
                f,
                "let principal `{name}` ({client_id}) join by its right on the Azure resource, which makes it a workspace admin"
            ),
            Self::Create { .. } => write!(
                f,
                "add principal `{name}` ({client_id}) with the entitlement `workspace-access`"
            ),
            Self::Entitle { .. } => write!(
                f,
                "give principal `{name}` ({client_id}) the entitlement `workspace-access`"
            ),
            Self::Admit { .. } => {
                write!(
                    f,
                    "add principal `{name}` ({client_id}) to the group `admins`"
                )
            }
            Self::Allow { cluster, right, .. } => write!(
                f,
                "give principal `{name}` ({client_id}) {right} on cluster `{}` ({})",
                Shown::name(&cluster.name),
                Shown::name(cluster.id.as_str())
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(admin: bool, right: Option<Right>) -> Wish {
        Wish {
            grantee: Grantee {
                name: PrincipalName::main(),
                client_id: "app".to_owned(),
            },
            admin,
            right,
        }
    }

    fn member(has_workspace_access: bool, is_admin: bool) -> Present {
        Present {
            member: Some(Member {
                id: "1".to_owned(),
                is_active: true,
                has_workspace_access,
                is_admin,
            }),
            rights: BTreeMap::new(),
        }
    }

    fn clusters() -> Vec<NamedCluster> {
        ["a", "b", "c"]
            .map(|name| NamedCluster {
                id: ClusterId::new(format!("id-{name}")),
                name: name.to_owned(),
            })
            .to_vec()
    }

    fn changes(wish: &Wish, present: &Present) -> Vec<String> {
        let planned = plan(wish, present, &clusters());
        let changes = planned.changes.iter();
        changes
            .map(|change| match change.allow() {
                Some((cluster, right)) => format!("{right} {}", cluster.name),
                None => change.as_str().to_owned(),
            })
            .collect()
    }

    #[test]
    fn plans_what_is_lacking_and_nothing_else() {
        let restart = Some(Right::CanRestart);
        let nobody = Present::default();
        let all = ["CAN_RESTART a", "CAN_RESTART b", "CAN_RESTART c"];
        #[rustfmt::skip]
        let rows: [(Wish, Present, Vec<&str>); 9] = [
            (wish(false, None), nobody.clone(), vec!["create"]),
            (wish(true, None), nobody.clone(), vec!["create", "admit"]),
            (wish(false, restart), nobody.clone(), [vec!["create"], all.to_vec()].concat()),
            (wish(true, restart), nobody, vec!["create", "admit"]),
            (wish(false, None), member(true, false), vec![]),
            (wish(false, None), member(false, false), vec!["entitle"]),
            (wish(true, None), member(true, false), vec!["admit"]),
            (wish(true, restart), member(false, true), vec![]),
            (wish(false, restart), member(true, true), vec![]),
        ];
        for (wish, present, expected) in rows {
            assert_eq!(changes(&wish, &present), expected, "{wish:?} {present:?}");
        }
    }

    #[test]
    fn a_right_is_never_lowered_and_never_given_twice() {
        let mut present = member(true, false);
        present.rights = BTreeMap::from([
            (ClusterId::new("id-a"), Right::CanManage),
            (ClusterId::new("id-b"), Right::CanAttachTo),
        ]);
        let restart = wish(false, Some(Right::CanRestart));
        assert_eq!(
            changes(&restart, &present),
            ["CAN_RESTART b", "CAN_RESTART c"]
        );
        let attach = wish(false, Some(Right::CanAttachTo));
        assert_eq!(changes(&attach, &present), ["CAN_ATTACH_TO c"]);
    }

    #[test]
    fn says_that_new_clusters_will_lack_the_right_and_that_who_is_inactive_can_do_nothing() {
        let mut present = member(true, false);
        if let Some(member) = &mut present.member {
            member.is_active = false;
        }
        let planned = plan(&wish(false, Some(Right::CanRestart)), &present, &clusters());
        let [inactive, lacking] = planned.notes.as_slice() else {
            panic!("{:?}", planned.notes);
        };
        assert!(inactive.contains("is inactive"), "{inactive}");
        assert!(lacking.contains("will lack CAN_RESTART"), "{lacking}");
    }

    #[test]
    fn no_name_from_outside_makes_a_line_of_its_own() {
        let change = Change::Allow {
            grantee: wish(false, None).grantee,
            cluster: NamedCluster {
                id: ClusterId::new("id"),
                name: "x\nmade: everything".to_owned(),
            },
            right: Right::CanRestart,
        };
        assert!(!change.to_string().contains('\n'));
    }
}
