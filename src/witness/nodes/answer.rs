//! Azure Monitor's answer to a question for one machine's metrics, as it comes.
//!
//! Wire structs only: `azure_monitor` fills them, the judge reads them and
//! decides what is missing or not as it was asked for. A metric without data
//! has no series, or points with a time alone.

use serde::Deserialize;

/// The answer of Azure Monitor for one machine, as it came.
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
    /// `Success`, or why the metric is missing; older answers have none.
    pub error_code: Option<String>,
    #[serde(default)]
    pub timeseries: Vec<Series>,
}

/// The name of a metric; the localized one is not read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MetricName {
    pub value: String,
}

/// One series of a metric. Without dimensions there is at most one.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Series {
    #[serde(default)]
    pub data: Vec<Point>,
}

/// One point; without a value nothing was measured, which is not zero.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Point {
    /// Start of the stretch that the point stands for.
    #[serde(rename = "timeStamp")]
    pub time_stamp: String,
    pub average: Option<f64>,
    pub total: Option<f64>,
}
