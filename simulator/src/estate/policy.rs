//! The policy of the estate: the defaults of the product, with what its owners would add.
//!
//! The thresholds stay at their defaults, so the demo judges as a fresh install does. Only waits that would
//! make a person wait in front of a terminal are shortened.

use super::build;
use crate::Simulator;

/// The policy for a simulator of the estate, in TOML.
pub fn policy(simulator: &Simulator) -> String {
    let exempt_until = simulator.world(|world| build::day(world, build::DAYS_AHEAD));
    let workspaces = simulator.policy_workspaces();
    format!(
        "[policy]\n\
         protect_pinned = true\n\
         protect_names = [\"prod-*\"]\n\
         \n\
         [witness.spark]\n\
         principal = \"main\"\n\
         \n\
         [[exempt]]\n\
         name = \"migration-*\"\n\
         until = \"{exempt_until}\"\n\
         reason = \"the move to Unity Catalog\"\n\
         \n\
         [limits]\n\
         requests_per_second = 1000\n\
         request_burst = 1000\n\
         read_back_for = \"10s\"\n\
         read_back_every = \"100ms\"\n\
         \n\
         {workspaces}"
    )
}
