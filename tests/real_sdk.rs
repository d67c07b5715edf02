//! The simulator before judges that are not ours: the official Databricks SDK
//! for Python, MSAL and the official Azure SDK, unmodified.
//!
//! The handler and the simulator were written by the same hands, so they could
//! agree on a mistake. Here clients of the vendors log in, list, read, terminate
//! and fail; what they understood is asserted, and so is what the simulator
//! recorded of them. Of the handler only `grant` is run, whose work the SDK then finds.
//! Needs `tests/real/setup`.

#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

#[path = "real_sdk/certificates.rs"]
mod certificates;
#[path = "real_sdk/clusters.rs"]
mod clusters;
#[path = "real_sdk/entry.rs"]
mod entry;
#[path = "real_sdk/errors.rs"]
mod errors;
#[path = "real_sdk/grants.rs"]
mod grants;
#[path = "real/piped.rs"]
mod piped;
#[path = "real_sdk/runs.rs"]
mod runs;
#[path = "real_sdk/vault.rs"]
mod vault;

use serde_json::Value;
use simulator::world::{MAIN, Principal, Workspace, World};
use simulator::{Match, Simulator};

use self::piped::{Databricks, login};

/// The SDK as an admin of a workspace, in a cloud of that workspace alone.
fn admin_of(workspace: Workspace) -> (Simulator, Databricks) {
    let arguments = login(&workspace, &Principal::named(MAIN));
    let simulator = Simulator::start(World::new().workspace(workspace)).unwrap();
    let sdk = Databricks::logged_in(&simulator, &arguments);
    (simulator, sdk)
}

/// This field of each item.
fn each<'i>(items: &'i [Value], field: &str) -> Vec<&'i str> {
    items
        .iter()
        .map(|item| {
            item[field]
                .as_str()
                .unwrap_or_else(|| panic!("{field} of {item}"))
        })
        .collect()
}

/// How many requests there were to a path.
fn requests(simulator: &Simulator, path: &str) -> usize {
    simulator.record().matching(&Match::path(path)).len()
}
