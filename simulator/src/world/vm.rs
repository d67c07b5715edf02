//! Virtual machines of clusters: their load and network traffic over time, from which the pretend Azure
//! Monitor computes its points.
//!
//! Load is in busy cores and traffic in bytes a minute, so that one description fits every VM size.
//! The floors are what an idle Azure Databricks VM was recorded to show.

use std::time::Duration;

use super::clock::{Clock, Moment};

/// Busy cores of a VM on which nobody works (recorded idle workers: 0.06 to 0.07).
pub const IDLE_CORES: f64 = 0.07;
/// Bytes a minute, in and out together, of a VM on which nobody works.
pub const IDLE_NETWORK: f64 = 1_400_000.0;

/// Work on a VM during a span of time.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// When it begins.
    pub from: Moment,
    /// When it ends; `None` goes on.
    pub to: Option<Moment>,
    /// Cores kept busy, on top of the idle floor.
    pub cores: f64,
    /// Bytes a minute, in and out together, on top of the idle floor.
    pub network: f64,
}

impl Load {
    /// Work that began this long ago and goes on.
    pub fn since(from: Duration, cores: f64) -> Self {
        Self {
            from: Moment::ago(from),
            to: None,
            cores,
            network: 0.0,
        }
    }

    /// Work between two lengths of time ago, the earlier one first.
    pub fn between(from: Duration, to: Duration, cores: f64) -> Self {
        Self {
            from: Moment::ago(from),
            to: Some(Moment::ago(to)),
            cores,
            network: 0.0,
        }
    }

    /// Adds traffic, in bytes a minute.
    #[must_use]
    pub fn network(mut self, bytes_a_minute: f64) -> Self {
        self.network = bytes_a_minute;
        self
    }

    /// The share of a minute from `start` that this load covers, 0 to 1.
    fn share(&self, start: Moment) -> f64 {
        let end = start.plus(Duration::from_secs(60));
        let from = self.from.max(start);
        let to = self.to.map_or(end, |to| to.min(end));
        to.since(from).as_secs_f64() / 60.0
    }
}

/// How the pretend Azure Monitor speaks of a VM.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricsQuirk {
    /// As it should.
    None,
    /// The VM's resource is not there: 404.
    Missing,
    /// All points without a value.
    NoData,
    /// No series at all: `"timeseries":[]`.
    NoSeries,
    /// Every value exactly 0.
    AllZero,
    /// The newest this many minutes are empty.
    Lag(u32),
    /// Of every five minutes only this many have a value.
    PointsOfFive(u32),
    /// Every value is this one instead.
    Constant(f64),
    /// The answer names another metric than was asked.
    WrongName,
    /// The answer is in another unit.
    WrongUnit,
    /// The answer is in another interval than was asked.
    WrongInterval,
    /// No values from the first of these moments to the second.
    Hole(Moment, Moment),
}

/// Which cluster's id a VM bears as its tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tagged {
    /// Its own cluster's, unless it is of a pool: such a VM bears the pool's id instead.
    AsItIs,
    /// This one's.
    As(String),
    /// None at all.
    Not,
}

/// A virtual machine of a cluster.
#[derive(Clone, Debug)]
pub struct Vm {
    /// 32 hexadecimal digits: the VM's name and the cluster's `instance_id`.
    pub name: String,
    /// The size, such as `Standard_DS3_v2`.
    pub size: String,
    /// Its cores.
    pub cores: f64,
    /// When it started; no metrics before.
    pub started: Moment,
    /// When it stopped; no metrics after, and no resource either.
    pub stopped: Option<Moment>,
    /// What ran on it.
    pub loads: Vec<Load>,
    /// How its metrics are answered.
    pub quirk: MetricsQuirk,
    /// Which cluster's id it bears.
    pub tagged: Tagged,
    /// Whether the cluster's record lists it. An evicted Spot VM may linger when its cluster has another
    /// one already.
    pub is_recorded: bool,
    /// `properties.provisioningState`.
    pub provisioning_state: String,
}

impl Vm {
    /// A VM that has done nothing since it started.
    pub(super) fn new(name: String, size: &str, started: Moment) -> Self {
        Self {
            name,
            size: size.to_owned(),
            cores: NodeType::cores_of(size),
            started,
            stopped: None,
            loads: Vec::new(),
            quirk: MetricsQuirk::None,
            tagged: Tagged::AsItIs,
            is_recorded: true,
            provisioning_state: "Succeeded".to_owned(),
        }
    }

    /// Mean busy cores in the minute from `start`.
    pub(crate) fn cores_in_minute(&self, start: Moment) -> f64 {
        let work: f64 = self
            .loads
            .iter()
            .map(|load| load.cores * load.share(start))
            .sum();
        (IDLE_CORES + work).min(self.cores)
    }

    /// Bytes in and out in the minute from `start`.
    pub(crate) fn network_in_minute(&self, start: Moment) -> f64 {
        let work: f64 = self
            .loads
            .iter()
            .map(|load| load.network * load.share(start))
            .sum();
        IDLE_NETWORK + work
    }

    /// Whether the VM ran during the whole minute from `start`.
    pub(crate) fn ran_in_minute(&self, start: Moment) -> bool {
        let end = start.plus(Duration::from_secs(60));
        self.started <= start && self.stopped.is_none_or(|stopped| end <= stopped)
    }

    pub(crate) fn exists(&self, clock: &Clock) -> bool {
        self.quirk != MetricsQuirk::Missing
            && self.stopped.is_none_or(|stopped| clock.now() < stopped)
    }
}

/// A kind of VM that a workspace offers, as `clusters/list-node-types` tells it.
#[derive(Clone, Debug)]
pub struct NodeType {
    /// Its id, the VM size.
    pub id: String,
    /// vCPUs.
    pub cores: f64,
    /// GPUs.
    pub gpus: u32,
    /// Memory in MiB.
    pub memory_mb: u64,
}

impl NodeType {
    /// A node type of these figures.
    pub fn new(id: &str, cores: f64, gpus: u32, memory_mb: u64) -> Self {
        Self {
            id: id.to_owned(),
            cores,
            gpus,
            memory_mb,
        }
    }

    /// A few sizes of Azure Databricks: small, large, and with a GPU.
    pub fn common() -> Vec<Self> {
        vec![
            Self::new("Standard_DS3_v2", 4.0, 0, 14_336),
            Self::new("Standard_F4s", 4.0, 0, 8_192),
            Self::new("Standard_E8ds_v5", 8.0, 0, 65_536),
            Self::new("Standard_DS5_v2", 16.0, 0, 57_344),
            Self::new("Standard_E32ds_v5", 32.0, 0, 262_144),
            Self::new("Standard_NC6s_v3", 6.0, 1, 114_688),
        ]
    }

    /// The cores of a size in [`NodeType::common`]; 4 for any other.
    pub(crate) fn cores_of(size: &str) -> f64 {
        Self::common()
            .iter()
            .find(|known| known.id == size)
            .map_or(4.0, |known| known.cores)
    }
}
