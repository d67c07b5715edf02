//! Azure Monitor's answer to a question for one machine's metrics, as it comes.
//!
//! Wire structs only: `azure_monitor` fills them, the judge reads them and
//! decides what is missing or not as it was asked for. A metric without data
//! has no series, or points with a time alone.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use crate::timestamp::Timestamp;

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
    /// Start of the stretch that the point stands for; `None` where its text is no time.
    #[serde(rename = "timeStamp", deserialize_with = "time")]
    pub time_stamp: Option<Timestamp>,
    pub average: Option<f64>,
    pub total: Option<f64>,
}

/// Reads a time without keeping its text, of which an answer holds up to ten thousand.
fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    struct Text;
    impl Visitor<'_> for Text {
        type Value = Option<Timestamp>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a time as text")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Timestamp::parse_rfc3339(text))
        }
    }
    from.deserialize_str(Text)
}
