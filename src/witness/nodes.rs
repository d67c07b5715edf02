//! What the host metrics of a cluster's machines mean.

use std::time::Duration;

use serde::Deserialize;

use crate::signals::{NodesView, Signal, Why};
use crate::timestamp::Timestamp;

/// The grain of the points that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    Minute,
    FiveMinutes,
}

/// The stretch of time that is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub asked_at: Timestamp,
    pub from: Timestamp,
    pub to: Timestamp,
    pub interval: Interval,
}

impl Window {
    /// # Errors
    /// The machine started too recently for metrics.
    pub fn new(
        _now: Timestamp,
        _anchor: Timestamp,
        _lookback: Duration,
        _start: Timestamp,
    ) -> Result<Self, Why> {
        super::refuse("started too recently for metrics")
    }
}

/// How far to look back.
#[must_use]
pub fn lookback(_longest_threshold: Duration, _autotermination_minutes: u64) -> Duration {
    Duration::ZERO
}

/// The answer of Azure Monitor for one machine.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct VmMetrics {
    pub interval: String,
    pub namespace: Option<String>,
    pub value: Vec<Metric>,
}

/// One metric of the answer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metric {
    pub name: MetricName,
    pub unit: String,
    pub error_code: Option<String>,
    #[serde(default)]
    pub timeseries: Vec<Series>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MetricName {
    pub value: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Series {
    #[serde(default)]
    pub data: Vec<Point>,
}

/// One point; without a value nothing was measured, which is not zero.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Point {
    #[serde(rename = "timeStamp")]
    pub time_stamp: String,
    pub average: Option<f64>,
    pub total: Option<f64>,
}

/// What one machine's metrics say.
#[must_use]
pub fn judge(
    _metrics: &Result<VmMetrics, Why>,
    _vcpus: Option<f64>,
    _window: &Window,
) -> Signal<NodesView> {
    Signal::unknown("not judged")
}

/// What several machines say together.
#[must_use]
pub fn combine(_machines: Vec<Signal<NodesView>>) -> Signal<NodesView> {
    Signal::unknown("not judged")
}
