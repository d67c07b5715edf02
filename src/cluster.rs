//! The cluster as the Clusters API describes it, in our own terms.
//!
//! Every field but the id is optional on the wire and so is open here: an
//! unknown state or source is kept as the text that came. This file holds no
//! wire struct and judges nothing; `databricks` makes these values, `decision`
//! reads them.

use std::collections::BTreeMap;
use std::fmt;

use crate::timestamp::Timestamp;

/// The id of a cluster, such as `0915-021615-abcd1234`. Text from outside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(String);

impl ClusterId {
    /// Takes the id as it came; it is escaped where it is shown.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id as it came.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it has the shape of all ids in the documentation of the Clusters API: four digits,
    /// six digits and a word, with hyphens. Good for hints only: nothing promises the shape.
    #[must_use]
    pub fn looks_made_by_databricks(&self) -> bool {
        let is_digits = |part: &str, length: usize| {
            part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        let mut parts = self.0.splitn(3, '-');
        let (day, time, word) = (parts.next(), parts.next(), parts.next());
        day.is_some_and(|day| is_digits(day, 4))
            && time.is_some_and(|time| is_digits(time, 6))
            && word.is_some_and(|word| !word.is_empty())
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Changes with each start of the driver, so it tells two lives of one cluster
/// apart. Digits as text: it is an `i64` in the Clusters API and a string in the
/// Jobs API, and a float would lose its last digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SparkContextId(pub String);

/// `state` of a cluster; an open set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterState {
    Running,
    Resizing,
    Pending,
    Restarting,
    Terminating,
    Terminated,
    /// `ERROR`, `UNKNOWN`, absent, and whatever else comes, as it came.
    Other(String),
}

impl ClusterState {
    /// The spelling of the API.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Running => "RUNNING",
            Self::Resizing => "RESIZING",
            Self::Pending => "PENDING",
            Self::Restarting => "RESTARTING",
            Self::Terminating => "TERMINATING",
            Self::Terminated => "TERMINATED",
            Self::Other(text) => text,
        }
    }
}

/// `cluster_source`; an open set. Only `UI` and `API` are all-purpose clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterSource {
    Ui,
    Api,
    /// `JOB`, `PIPELINE`, `MODELS`, `SQL`, and whatever else comes, as it came.
    Other(String),
    /// The answer did not say.
    Absent,
}

/// One machine of a cluster: `driver` or an item of `executors`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// "Identifier for the host instance from the cloud provider"; on Azure 32
    /// hex digits, taken to be the VM's name.
    pub instance_id: Option<String>,
    /// `start_timestamp`.
    pub started: Option<Timestamp>,
}

/// One cluster of one workspace, from `clusters/list` or `clusters/get`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    pub id: ClusterId,
    /// Empty when the answer has none.
    pub name: String,
    pub state: ClusterState,
    pub source: ClusterSource,
    pub spark_context_id: Option<SparkContextId>,
    /// The runtime, such as `15.4.x-scala2.12` or `15.4.x-gpu-ml-scala2.12`:
    /// `effective_spark_version`, or `spark_version` where the answer has none.
    pub spark_version: Option<String>,
    /// `custom_tags` and `default_tags` together, custom ones last so that both stay visible.
    pub tags: Vec<(String, String)>,
    /// Minutes; `Some(0)` and absent both mean that the platform never stops it.
    pub autotermination_minutes: u64,
    pub last_activity_time: Option<Timestamp>,
    /// The last (re)start. `start_time` is the first creation and is not read.
    pub last_restarted_time: Option<Timestamp>,
    pub last_state_loss_time: Option<Timestamp>,
    pub driver: Option<Instance>,
    pub executors: Vec<Instance>,
    pub node_type_id: Option<String>,
    /// Absent means `node_type_id`.
    pub driver_node_type_id: Option<String>,
    /// Absent on an autoscaling cluster.
    pub num_workers: Option<u64>,
    /// Whether `autoscale` is there.
    pub autoscales: bool,
    /// Whether `instance_pool_id` or `driver_instance_pool_id` is there.
    pub uses_pool: bool,
}

impl Cluster {
    /// The latest start that the record tells of: restart, loss of the driver's
    /// state, start of the driver's machine.
    #[must_use]
    pub fn started(&self) -> Option<Timestamp> {
        let driver = self.driver.as_ref().and_then(|driver| driver.started);
        [self.last_restarted_time, self.last_state_loss_time, driver]
            .into_iter()
            .flatten()
            .max()
    }

    /// Whether it is RUNNING and all-purpose, so that the cap counts it.
    #[must_use]
    pub fn is_running_all_purpose(&self) -> bool {
        let all_purpose = matches!(self.source, ClusterSource::Ui | ClusterSource::Api);
        all_purpose && self.state == ClusterState::Running
    }
}

/// What `list-node-types` says of one machine size, by `node_type_id`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NodeType {
    /// vCPUs; fractional on the wire.
    pub cores: f64,
    /// `None` when the answer does not say.
    pub gpus: Option<u64>,
}

/// All machine sizes of a workspace.
pub type NodeTypes = BTreeMap<String, NodeType>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::tests::world::idle_cluster;

    fn at(second: i64) -> Option<Timestamp> {
        Some(Timestamp::from_millis(second * 1000))
    }

    fn with_starts(
        restarted: Option<Timestamp>,
        state_lost: Option<Timestamp>,
        driver: Option<Timestamp>,
    ) -> Cluster {
        let machine = |started| Instance {
            instance_id: None,
            started,
        };
        Cluster {
            last_restarted_time: restarted,
            last_state_loss_time: state_lost,
            driver: Some(machine(driver)),
            executors: vec![machine(at(99))],
            ..idle_cluster()
        }
    }

    #[test]
    fn an_id_is_told_from_a_name() {
        for id in ["0915-021615-abcd1234", "1234-567890-reef123-a"] {
            assert!(ClusterId::new(id).looks_made_by_databricks(), "{id}");
        }
        for name in [
            "etl-dev",
            "",
            "0915-021615-",
            "915-021615-a",
            "0915-02161x-a",
        ] {
            assert!(!ClusterId::new(name).looks_made_by_databricks(), "{name}");
        }
    }

    #[test]
    fn cluster_started_at_the_latest_start_that_its_record_tells_of() {
        let cases = [
            ((at(3), at(1), at(2)), at(3)),
            ((at(1), at(3), at(2)), at(3)),
            ((at(1), at(2), at(3)), at(3)),
            ((None, at(2), None), at(2)),
            ((None, None, at(2)), at(2)),
            ((at(2), None, None), at(2)),
        ];
        for ((restarted, lost, driver), expected) in cases {
            let cluster = with_starts(restarted, lost, driver);
            assert_eq!(cluster.started(), expected);
        }
    }

    #[test]
    fn start_is_unknown_where_no_record_of_the_driver_tells_it() {
        let cluster = with_starts(None, None, None);
        assert_eq!(cluster.started(), None);
        let no_driver = Cluster {
            driver: None,
            last_activity_time: at(5),
            ..cluster
        };
        assert_eq!(no_driver.started(), None);
    }

    #[test]
    fn cap_counts_running_clusters_of_people_and_tools_alone() {
        let counts = |state: ClusterState, source: ClusterSource| {
            let cluster = Cluster {
                state,
                source,
                ..idle_cluster()
            };
            cluster.is_running_all_purpose()
        };
        assert!(counts(ClusterState::Running, ClusterSource::Ui));
        assert!(counts(ClusterState::Running, ClusterSource::Api));
        for source in ["JOB", "PIPELINE", "MODELS", "SQL", "ui", ""] {
            let source = ClusterSource::Other(source.to_owned());
            assert!(!counts(ClusterState::Running, source));
        }
        assert!(!counts(ClusterState::Running, ClusterSource::Absent));
        for state in [
            ClusterState::Resizing,
            ClusterState::Pending,
            ClusterState::Restarting,
            ClusterState::Terminating,
            ClusterState::Terminated,
            ClusterState::Other("RUNNING ".to_owned()),
        ] {
            assert!(!counts(state, ClusterSource::Ui));
        }
    }

    #[test]
    fn ids_and_states_are_shown_as_they_came() {
        let id = ClusterId::new("0915-021615-abcd1234");
        assert_eq!(id.to_string(), id.as_str());
        let state = ClusterState::Other("HIBERNATED".to_owned());
        assert_eq!(state.as_str(), "HIBERNATED");
        assert_eq!(ClusterState::Resizing.as_str(), "RESIZING");
    }
}
