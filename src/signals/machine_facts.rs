//! What one workspace's clusters share about machines, and what the looks leave
//! behind for the report.
//!
//! The managed resource group and the list of its VMs are read when the first
//! cluster needs its nodes, once a sweep. The second look leans on the same list:
//! what it rests on is compared with the cluster's own record of that moment. No
//! judgement is made here.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::Why;
use crate::azure_monitor::{AzureMonitor, ManagedResourceGroup};
use crate::cluster::{Cluster, ClusterId};
use crate::witness::nodes::{BucketLoad, Roster, TagCheck};

type Asked<T> = Result<T, Why>;

/// The machines of one workspace, as far as they were asked for.
#[derive(Debug, Default)]
pub struct MachineFacts {
    resource_id: Option<String>,
    group: OnceCell<Asked<ManagedResourceGroup>>,
    roster: OnceCell<Asked<Roster>>,
    seen: Mutex<SeenMachines>,
}

/// What the first looks have seen of the machines of one workspace.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SeenMachines {
    /// What the tags say, of each cluster whose machines were looked for.
    pub checks: BTreeMap<ClusterId, TagCheck>,
    /// Why the tags could not be read, if they could not.
    pub unchecked: Option<Why>,
    /// The loads of the drivers that were measured.
    pub driver_loads: BTreeMap<ClusterId, Vec<BucketLoad>>,
}

impl MachineFacts {
    pub(super) fn of(resource_id: Option<String>) -> Self {
        Self {
            resource_id,
            ..Self::default()
        }
    }

    /// The resource group that the machines are in.
    pub(super) async fn group(&self, monitor: &AzureMonitor) -> &Asked<ManagedResourceGroup> {
        self.group
            .get_or_init(|| async {
                let Some(resource_id) = &self.resource_id else {
                    return Err(Why::new(
                        "the policy gives no resource_id for this workspace, so its machines cannot be found",
                    ));
                };
                monitor.managed_resource_group(resource_id).await
            })
            .await
    }

    /// What the tags say of the machines that the record of `cluster` names.
    pub(super) async fn check(
        &self,
        monitor: &AzureMonitor,
        group: &ManagedResourceGroup,
        cluster: &Cluster,
    ) -> Asked<TagCheck> {
        let roster = self.roster.get_or_init(|| monitor.machines(group)).await;
        let check = roster.as_ref().map(|roster| roster.check(cluster));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match &check {
            Ok(check) => {
                // The first look's record: a second one may have another.
                let first = seen.checks.entry(cluster.id.clone());
                first.or_insert_with(|| check.clone());
            }
            Err(why) => seen.unchecked = Some((*why).clone()),
        }
        check.map_err(Clone::clone)
    }

    /// Keeps the loads of a driver; the first look's, as its signals are what the
    /// report shows.
    pub(super) fn keep_loads(&self, cluster: &ClusterId, loads: Vec<BucketLoad>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.driver_loads.entry(cluster.clone()).or_insert(loads);
    }

    /// What was seen so far, taken out.
    pub fn take_seen(&self) -> SeenMachines {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *seen)
    }
}
