//! The world of a simulator that is started by hand: two workspaces and a handful of clusters, one of
//! each common kind.
//!
//! It is for looking around, not for tests, which build their own worlds. No other module may lean on
//! what it holds.

use super::clock::{hours, minutes};
use super::{Access, Cluster, DriverProxy, PrivateLink, Run, Workspace, World};

impl World {
    /// Two workspaces, of which one holds six clusters and the other is behind private link.
    pub fn sample() -> Self {
        let analytics = Workspace::named("analytics")
            .cluster(Cluster::idle("etl-dev").since(hours(5)))
            .cluster(Cluster::busy("reporting"))
            .cluster(Cluster::streaming("orders-stream"))
            .cluster(Cluster::driver_only_python("forecasting").single_node())
            .cluster(
                Cluster::idle("keep-me")
                    .since(hours(30))
                    .tag("terminate-clusters", ""),
            )
            .cluster(
                Cluster::idle("shared")
                    .since(hours(9))
                    .driver(DriverProxy::Status(403)),
            )
            .run(Run::finished("nightly", hours(6)).on("etl-dev"))
            .run(Run::active("hourly", minutes(4)).on("reporting"));
        let finance = Workspace::named("finance").access(Access::PrivateLink(PrivateLink::Json));
        Self::new().workspace(analytics).workspace(finance)
    }
}
