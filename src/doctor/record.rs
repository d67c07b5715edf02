//! `doctor --record`: answers that nobody has yet seen on a live workspace, without
//! their values, so that an operator can send them.
//!
//! What the facts of this product leave open is asked, read-only, and reduced to
//! status, content type, known names, types, lengths and times. The types of a record can
//! hold no text from outside (`shape`, `observation`, `page`), and `vocabulary` holds
//! every word that one can say. `ask` asks, `files` writes.

mod ask;
mod derived;
mod files;
mod observation;
mod page;
mod shape;
mod vocabulary;

use serde::Serialize;

pub(super) use self::ask::record;
pub use self::files::{Target, WriteError};
pub use self::observation::Observation;

/// One workspace, without its values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct WorkspaceRecord {
    /// Of this program.
    pub version: &'static str,
    /// Whether SCIM names the group `admins`; absent where it did not answer.
    pub is_admin: Option<bool>,
    /// Whether the drivers were asked: only as the principal that the policy names.
    pub asks_drivers: bool,
    pub observations: Vec<Observation>,
    pub clusters: Vec<ClusterRecord>,
}

/// One running cluster, without its values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ClusterRecord {
    pub access_mode: &'static str,
    pub runtime: Option<Runtime>,
    pub workers: usize,
    pub has_autoscale: bool,
    pub has_pool: bool,
    pub last_activity: Option<LastActivity>,
    pub machines: Option<Machines>,
    pub metrics: Option<Metrics>,
    pub observations: Vec<Observation>,
}

/// The numbers of `15.4.x-gpu-ml-scala2.12`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Runtime {
    pub major: u8,
    pub minor: u8,
    pub is_ml: bool,
    pub is_gpu: bool,
}

/// `last_activity_time`, where it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LastActivity {
    /// How long ago, by our clock; negative where it lies ahead.
    pub age_s: i64,
    /// How long after `last_restarted_time`; negative where it lies before.
    pub after_restart_s: Option<i64>,
}

/// The machines that the cluster's record names, against Azure's list of VMs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Machines {
    pub recorded: usize,
    /// Whose `instance_id` is a VM's name.
    pub by_name: usize,
    /// Whose `instance_id` is a VM's `vmId`, its hyphens left out.
    pub by_vm_id: usize,
    /// Those by name whose tag is this cluster's id.
    pub tagged: usize,
    /// VMs whose tag is this cluster's id and that the record does not name.
    pub unrecorded: usize,
}

/// The driver's metrics of the last hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Metrics {
    pub points: usize,
    pub points_without_value: usize,
    /// How long ago the newest point with a value began.
    pub newest_age_s: Option<i64>,
}
