//! The list of a managed resource group's VMs: its pages, and what is read of them.
//!
//! Wire structs stay here. A page names the next by a whole URL; only its query
//! is taken from it, and only if it names this list at this host, so that an
//! answer cannot lead the token elsewhere. Nothing is left out silently: an item
//! that is not understood makes the whole list unknown. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;
use url::Url;

use crate::signals::Why;
use crate::witness::nodes::TaggedMachine;

/// Tags of Databricks' VMs (a recorded Terraform export and a recorded pool disk).
const CLUSTER_TAG: &str = "ClusterId";
const POOL_TAG: &str = "DatabricksInstancePoolId";

/// Query pairs, decoded.
pub(super) type Query = Vec<(String, String)>;

/// One page of VMs (`GET …/providers/Microsoft.Compute/virtualMachines`).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MachinePage {
    value: Vec<Machine>,
    next_link: Option<String>,
}

#[derive(Deserialize)]
struct Machine {
    name: String,
    tags: Option<BTreeMap<String, String>>,
    properties: Option<MachineProperties>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MachineProperties {
    provisioning_state: Option<String>,
}

impl MachinePage {
    /// The machines, and the query of the next page if there is one.
    pub(super) fn read(self, base: &Url) -> Result<(Vec<TaggedMachine>, Option<Query>), Why> {
        let next = self.next_link.filter(|link| !link.is_empty());
        let next = next.map(|link| query_of(&link, base)).transpose()?;
        Ok((self.value.into_iter().map(tagged).collect(), next))
    }
}

fn tagged(machine: Machine) -> TaggedMachine {
    let tags = machine.tags.unwrap_or_default();
    // Azure keeps the case of a tag's name and ignores it.
    let tag = |wanted: &str| {
        let mut named = tags.iter();
        named
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value.clone())
    };
    let state = machine.properties.and_then(|all| all.provisioning_state);
    TaggedMachine {
        cluster: tag(CLUSTER_TAG),
        of_pool: tag(POOL_TAG).is_some(),
        is_leaving: state.is_some_and(|state| state.eq_ignore_ascii_case("Deleting")),
        name: machine.name,
    }
}

fn query_of(link: &str, base: &Url) -> Result<Query, Why> {
    let elsewhere = || Why::new("ARM's list of VMs goes on elsewhere, where it is not followed");
    let link = Url::parse(link).map_err(|_| elsewhere())?;
    let has_user = !link.username().is_empty() || link.password().is_some();
    let is_list = link
        .path()
        .to_ascii_lowercase()
        .ends_with("/providers/microsoft.compute/virtualmachines");
    if link.origin() != base.origin() || has_user || !is_list {
        return Err(elsewhere());
    }
    Ok(link.query_pairs().into_owned().collect())
}
