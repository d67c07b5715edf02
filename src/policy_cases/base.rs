//! The cluster that a case starts from: idle by every sign, so that what the
//! case states explains what comes of it.
//!
//! Pure. The defaults are told to operators in the table of keys of a case
//! file; its tests hold both to the same values.

use std::time::Duration;

use crate::cluster::{Cluster, ClusterId, ClusterSource, ClusterState, Instance, SparkContextId};
use crate::signals::{Hardware, NodesView, Signal, Signals, SparkView, StreamingView};
use crate::timestamp::Timestamp;

/// 2026-01-01T12:00:00Z, the `now` of a case that states none: a fixed one, so
/// that no case changes its outcome overnight.
pub const DEFAULT_NOW: Timestamp = Timestamp::from_millis(1_767_268_800_000);

/// How long before its last sign of life a cluster was started, if the case does
/// not say: long enough that the start never decides.
pub const UP_BEFORE: Duration = Duration::from_hours(40 * 24);

/// A RUNNING all-purpose cluster with two workers, started at `started`.
#[must_use]
pub fn cluster(started: Option<Timestamp>) -> Cluster {
    Cluster {
        id: ClusterId::new("0101-120000-testcase"),
        name: "test-cluster".to_owned(),
        state: ClusterState::Running,
        source: ClusterSource::Ui,
        spark_context_id: Some(SparkContextId("1".to_owned())),
        spark_version: Some("15.4.x-scala2.12".to_owned()),
        tags: Vec::new(),
        autotermination_minutes: 0,
        last_activity_time: None,
        last_restarted_time: started,
        last_state_loss_time: None,
        driver: Some(Instance {
            instance_id: Some("driver".to_owned()),
            started,
        }),
        executors: Vec::new(),
        node_type_id: None,
        driver_node_type_id: None,
        num_workers: Some(2),
        autoscales: false,
        uses_pool: false,
    }
}

/// Spark that has worked, and has been quiet since `since`.
#[must_use]
pub fn quiet_spark(started: Timestamp, since: Timestamp) -> SparkView {
    SparkView {
        application_started: started,
        busy: None,
        last_completion: Some(since),
        ran_a_job: true,
        last_stream_batch: None,
        forgotten_until: None,
    }
}

/// Every witness says that `cluster` has been quiet since `since`, and nothing objects.
#[must_use]
pub fn idle(cluster: Cluster, started: Timestamp, since: Timestamp) -> Signals {
    let nodes = Signal::Known(NodesView::QuietSince(since));
    Signals {
        cluster,
        pinned: Signal::Known(false),
        active_run: Signal::Known(None),
        last_run_end: Signal::Known(None),
        spark: Signal::Known(quiet_spark(started, since)),
        streaming: Signal::Known(StreamingView::NoneActive),
        command: Signal::Known(None),
        hardware: Signal::Known(Hardware {
            driver_cores: 4.0,
            worker_cores: 4.0,
            has_gpus: Some(false),
        }),
        driver_node: nodes.clone(),
        all_nodes: nodes,
    }
}
