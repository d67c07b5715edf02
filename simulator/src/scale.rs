//! The world of `cargo scale`: many workspaces of many clusters, of kinds that take a sweep from no question
//! at all to all of them, and what a sweep must say of it.
//!
//! Every workspace holds the same mix, so that a third of the workspaces is a third of the work, and a run is
//! only worth its figures if the sweep's totals are those of [`outcomes`]. It measures nothing.

use std::collections::BTreeMap;

use crate::Simulator;
use crate::world::{Cluster, Run, Workspace, World, hours, minutes};

/// Workspaces that are swept at the same time.
pub const PARALLEL_WORKSPACES: usize = 32;
/// Requests under way to one workspace.
pub const PARALLEL_REQUESTS_PER_WORKSPACE: usize = 4;
/// Requests under way in all.
pub const PARALLEL_REQUESTS: usize = 64;

/// Finished runs in each workspace's history: three pages.
const FINISHED_RUNS: u32 = 60;
/// Where the mix begins anew.
const CYCLE: usize = 50;

/// What the users of a cluster do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Nothing, and both witnesses can tell: every question is asked.
    Idle,
    /// Spark works: three questions at most.
    Busy,
    /// Python on the driver: every question is asked.
    Python,
    /// A stream with a batch each minute; its driver answers half a megabyte of jobs.
    Stream,
    /// Nothing, but a tag protects it: no question is asked.
    Protected,
    /// Nothing, since it was started a moment ago: only the runs are asked for.
    Young,
}

/// The kind of a workspace's cluster with this number.
fn kind(number: usize) -> Kind {
    match (number % CYCLE, number % 10) {
        (7, _) => Kind::Stream,
        (_, 0..=3) => Kind::Idle,
        (_, 4..=6) => Kind::Busy,
        (_, 7) => Kind::Python,
        (_, 8) => Kind::Protected,
        _ => Kind::Young,
    }
}

fn cluster(number: usize) -> Cluster {
    let kind = kind(number);
    let name = format!("{kind:?}-{number:03}").to_lowercase();
    let cluster = match kind {
        Kind::Idle => Cluster::idle(&name),
        Kind::Busy => Cluster::busy(&name),
        Kind::Python => Cluster::driver_only_python(&name),
        Kind::Stream => Cluster::streaming(&name),
        Kind::Protected => Cluster::idle(&name).tag("terminate-clusters", ""),
        Kind::Young => Cluster::idle(&name).young(),
    };
    cluster.workers(1)
}

/// The world of so many workspaces with so many clusters each.
pub fn world(workspaces: usize, clusters: usize) -> World {
    let made = (0..workspaces).map(|number| {
        let mut workspace = Workspace::named(&format!("ws-{number:04}"));
        for number in 0..clusters {
            workspace.add_cluster(cluster(number));
        }
        for number in 0..FINISHED_RUNS {
            let ago = hours(13) + minutes(u64::from(number));
            workspace.add_run(Run::finished("nightly", ago).on("idle-000"));
        }
        workspace
    });
    World::new().workspaces(made)
}

/// How a sweep in report mode must end for so many workspaces with so many clusters each, outcome by
/// outcome; clusters that are kept by their reason. What would be terminated and what waits for the caps is
/// one number, `idle`.
pub fn outcomes(workspaces: usize, clusters: usize) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for number in 0..clusters {
        let word = match kind(number) {
            Kind::Idle => "idle",
            Kind::Busy => "spark_busy",
            Kind::Python => "nodes_busy",
            Kind::Stream => "stream_active",
            Kind::Protected => "protected_by_tag",
            Kind::Young => "started_recently",
        };
        *counts.entry(word.to_owned()).or_default() += workspaces;
    }
    counts
}

/// The policy for a simulator of this world, in TOML: both witnesses, the bounds that the figures are
/// compared with, and the rate limit out of the way.
pub fn policy(simulator: &Simulator) -> String {
    let workspaces = simulator.policy_workspaces();
    format!(
        "[witness.spark]\n\
         principal = \"main\"\n\
         \n\
         [limits]\n\
         requests_per_second = 1000\n\
         request_burst = 1000\n\
         parallel_workspaces = {PARALLEL_WORKSPACES}\n\
         parallel_requests_per_workspace = {PARALLEL_REQUESTS_PER_WORKSPACE}\n\
         parallel_requests = {PARALLEL_REQUESTS}\n\
         \n\
         {workspaces}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_of_fifty_has_every_kind_and_each_cluster_is_counted() {
        let counts = outcomes(3, CYCLE);
        assert_eq!(counts.len(), 6, "{counts:?}");
        assert_eq!(counts.values().sum::<usize>(), 3 * CYCLE);
        let world = world(3, CYCLE);
        assert!(
            world
                .workspaces
                .iter()
                .all(|one| one.clusters.len() == CYCLE)
        );
    }
}
