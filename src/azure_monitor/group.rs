//! Resource ids of workspaces and of their managed resource groups.
//!
//! They come from the policy and from answers of ARM and go into request paths,
//! so everything that is not of the documented shape is refused here. Pure.

use std::fmt;

/// Longest name of a resource group.
const MAX_GROUP_NAME: usize = 90;
/// Longest name of a workspace.
const MAX_WORKSPACE_NAME: usize = 64;

/// The resource group that Databricks keeps a workspace's machines in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedResourceGroup {
    pub(super) subscription: String,
    pub(super) name: String,
}

impl ManagedResourceGroup {
    /// Reads `/subscriptions/{id}/resourceGroups/{name}`; `None` for anything else.
    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        let mut segments = id.strip_prefix('/')?.split('/');
        let group = Self::read(&mut segments)?;
        segments.next().is_none().then_some(group)
    }

    fn read<'a>(segments: &mut impl Iterator<Item = &'a str>) -> Option<Self> {
        let subscription = after("subscriptions", segments).filter(|id| is_guid(id))?;
        let name = after("resourceGroups", segments).filter(|name| is_group_name(name))?;
        Some(Self {
            subscription: subscription.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for ManagedResourceGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subscription, name } = self;
        write!(f, "/subscriptions/{subscription}/resourceGroups/{name}")
    }
}

/// Where a workspace's own resource is read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WorkspacePath<'a> {
    pub(super) subscription: &'a str,
    pub(super) segments: Vec<&'a str>,
}

impl<'a> WorkspacePath<'a> {
    /// Reads `/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Databricks/workspaces/{name}`.
    pub(super) fn parse(resource_id: &'a str) -> Option<Self> {
        let path: Vec<&str> = resource_id.strip_prefix('/')?.split('/').collect();
        let mut segments = path.iter().copied();
        ManagedResourceGroup::read(&mut segments)?;
        let provider = after("providers", &mut segments)?;
        let name = after("workspaces", &mut segments)?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let is_workspace = provider.eq_ignore_ascii_case("Microsoft.Databricks")
            && !name.is_empty()
            && name.len() <= MAX_WORKSPACE_NAME
            && name.chars().all(is_plain)
            && segments.next().is_none();
        let subscription = path.get(1).copied()?;
        is_workspace.then_some(Self {
            subscription,
            segments: path,
        })
    }
}

/// The segment after the one called `key`, which ARM writes in any case.
fn after<'a>(key: &str, segments: &mut impl Iterator<Item = &'a str>) -> Option<&'a str> {
    segments
        .next()
        .filter(|name| name.eq_ignore_ascii_case(key))?;
    segments.next()
}

fn is_guid(text: &str) -> bool {
    let dashes = [8, 13, 18, 23];
    text.len() == 36
        && text.char_indices().all(|(at, c)| {
            if dashes.contains(&at) {
                c == '-'
            } else {
                c.is_ascii_hexdigit()
            }
        })
}

fn is_group_name(name: &str) -> bool {
    let is_allowed = |c: char| c.is_alphanumeric() || "_-().".contains(c);
    !name.is_empty()
        && name.chars().count() <= MAX_GROUP_NAME
        && name.chars().all(is_allowed)
        && !name.ends_with('.')
}
