//! The tables of the policy document and the names of the variables that
//! override their scalars.

use super::key::Key;
use super::{cloud_choice, limits, overrides, policy_document, principals, workspaces};

/// A table as the documentation names it, with its keys.
#[derive(Debug, Clone, Copy)]
pub struct TableReference {
    /// As its header is written, such as `[policy]`.
    pub header: &'static str,
    pub keys: &'static [Key],
    /// The part of the override's name that stands for the table, where
    /// variables can override its scalars.
    pub(super) override_part: Option<&'static str>,
}

/// A table that no variable can override.
pub(super) const fn table(header: &'static str, keys: &'static [Key]) -> TableReference {
    TableReference {
        header,
        keys,
        override_part: None,
    }
}

pub(super) const POLICY: TableReference = TableReference {
    header: "[policy]",
    keys: policy_document::POLICY_KEYS,
    override_part: Some("POLICY"),
};
pub(super) const WITNESS_SPARK: TableReference =
    table("[witness.spark]", policy_document::WITNESS_SPARK_KEYS);
pub(super) const WITNESS_NODES: TableReference =
    table("[witness.nodes]", policy_document::WITNESS_NODES_KEYS);
pub(super) const PRINCIPAL: TableReference = table("[[principal]]", principals::KEYS);
pub(super) const WORKSPACES: TableReference = table("[[workspaces]]", workspaces::KEYS);
pub(super) const EXEMPT: TableReference = table("[[exempt]]", policy_document::EXEMPT_KEYS);
pub(super) const OVERRIDE: TableReference = table("[[override]]", overrides::KEYS);
pub(super) const CLOUD: TableReference = table("[cloud]", cloud_choice::KEYS);
pub(super) const LIMITS: TableReference = TableReference {
    header: "[limits]",
    keys: limits::KEYS,
    override_part: Some("LIMITS"),
};

/// Every table of the policy document, in the order of the documentation.
pub const TABLES: &[TableReference] = &[
    POLICY,
    WITNESS_SPARK,
    WITNESS_NODES,
    PRINCIPAL,
    WORKSPACES,
    EXEMPT,
    OVERRIDE,
    CLOUD,
    LIMITS,
];

/// The part of the name and the key of everything that a variable can override.
pub(super) fn overridable() -> impl Iterator<Item = (&'static str, &'static Key)> {
    TABLES
        .iter()
        .filter_map(|table| table.override_part.map(|part| (part, table.keys)))
        .flat_map(|(part, keys)| keys.iter().map(move |key| (part, key)))
        .filter(|(_, key)| key.is_scalar())
}

/// `TERMINATE_CLUSTERS__POLICY__IDLE_AFTER` and so on.
pub(super) fn override_name(part: &str, key: &Key) -> String {
    format!(
        "TERMINATE_CLUSTERS__{part}__{}",
        key.name.to_ascii_uppercase()
    )
}

/// The variable that can override the key of this name, if one can.
pub(super) fn override_of(table: TableReference, name: &str) -> Option<String> {
    let part = table.override_part?;
    let mut keys = table.keys.iter();
    let key = keys.find(|key| key.name == name && key.is_scalar())?;
    Some(override_name(part, key))
}
