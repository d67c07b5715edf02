//! How a workspace's Azure resource is named, and how its principal gets in: the keys
//! of `[[workspaces]]` that belong together, and the reading of them.
//!
//! The resource is named as a whole, or by the three parts of which its id is made.
//! Who may join by a right on it has to name it.

use super::key::{Key, Kind};
use super::table::TableReader;
use super::values::{self, SHOWN_CHARS};
use crate::escape::Shown;
use crate::policy::Access;

const fn text(name: &'static str, default: &'static str, meaning: &'static str) -> Key {
    Key::new(name, default, Kind::Text, meaning)
}

pub(super) const RESOURCE_ID: Key = text(
    "resource_id",
    "",
    "the workspace's Azure resource id, which the nodes witness and `contributor` need",
);
pub(super) const SUBSCRIPTION_ID: Key = text(
    "subscription_id",
    "",
    "instead of `resource_id`, with the next two: the id of its subscription",
);
pub(super) const RESOURCE_GROUP: Key = text(
    "resource_group",
    "",
    "instead of `resource_id`: the name of its resource group",
);
pub(super) const WORKSPACE_NAME: Key = text(
    "workspace_name",
    "",
    "instead of `resource_id`: the name of the workspace's resource in Azure",
);
pub(super) const ACCESS: Key = text(
    "access",
    "member",
    "`member`: somebody has added the principal; `contributor`: in terminate mode it joins by its right on the Azure resource, which makes it a workspace admin",
);

const PARTS: [Key; 3] = [SUBSCRIPTION_ID, RESOURCE_GROUP, WORKSPACE_NAME];

/// The resource id, if there is one, and how the principal gets in, unless that is a
/// mistake.
pub(super) fn read(table: &mut TableReader<'_>) -> (Option<String>, Option<Access>) {
    let resource_id = resource_id(table);
    let names_resource = [RESOURCE_ID]
        .iter()
        .chain(&PARTS)
        .any(|key| table.is_given(key));
    let access = match table.text(&ACCESS) {
        Some(text) => table.parsed(&ACCESS, &text, parse_access),
        // What is given and cannot be read is noted.
        None => (!table.is_given(&ACCESS)).then_some(Access::Member),
    };
    if access == Some(Access::Contributor) && !names_resource {
        table.note_key(
            &ACCESS,
            "is \"contributor\", which needs the workspace's Azure resource; add `resource_id`, or `subscription_id`, `resource_group` and `workspace_name`",
        );
    }
    (resource_id, access)
}

fn resource_id(table: &mut TableReader<'_>) -> Option<String> {
    let given: Vec<Key> = PARTS
        .into_iter()
        .filter(|key| table.is_given(key))
        .collect();
    if table.is_given(&RESOURCE_ID) {
        for key in &given {
            table.note_key(
                key,
                "stands beside `resource_id`, which says it all; take it out",
            );
        }
        let id = table.text(&RESOURCE_ID)?;
        return table.parsed(&RESOURCE_ID, &id, values::parse_resource_id);
    }
    if given.is_empty() {
        return None;
    }
    for key in PARTS
        .iter()
        .filter(|key| given.iter().all(|one| one.name != key.name))
    {
        table.note_key(
            key,
            "is missing: `subscription_id`, `resource_group` and `workspace_name` name the resource together",
        );
    }
    let parts = PARTS.map(|key| {
        let text = table.text(&key)?;
        table.parsed(&key, &text, |text| parse_part(&key, text))
    });
    let [Some(subscription), Some(group), Some(name)] = parts else {
        return None;
    };
    Some(id_of(&subscription, &group, &name))
}

fn id_of(subscription: &str, group: &str, name: &str) -> String {
    format!(
        "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Databricks/workspaces/{name}"
    )
}

/// A part is right if an id with it is.
fn parse_part(key: &Key, text: &str) -> Result<String, String> {
    const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";
    let (id, wanted) = if *key.name == *SUBSCRIPTION_ID.name {
        (id_of(text, "g", "n"), "the subscription's id, a GUID")
    } else if *key.name == *RESOURCE_GROUP.name {
        (id_of(SUBSCRIPTION, text, "n"), "the resource group's name")
    } else {
        (
            id_of(SUBSCRIPTION, "g", text),
            "the workspace's name in Azure",
        )
    };
    // A slash would move the parts behind it.
    if text.contains('/') || values::parse_resource_id(&id).is_err() {
        let shown = Shown::new(text, SHOWN_CHARS);
        return Err(format!("is \"{shown}\"; write {wanted}"));
    }
    Ok(text.to_owned())
}

fn parse_access(text: &str) -> Result<Access, String> {
    match text {
        "member" => Ok(Access::Member),
        "contributor" => Ok(Access::Contributor),
        other => Err(format!(
            "is \"{}\"; write \"member\" or \"contributor\"",
            Shown::new(other, SHOWN_CHARS)
        )),
    }
}
