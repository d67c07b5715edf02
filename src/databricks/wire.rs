//! The wire structs of the Clusters API and their way into our own values.
//!
//! Nothing but the id is required, `null` is like absent, a number may be a
//! string, and members that nobody reads are ignored. But a member that is read
//! and makes no sense fails the whole item: it is then reported as not parsed
//! and kept, whereas a guess could lift a protection. No wire struct leaves
//! `databricks`, and nothing here asks or judges.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::cluster::{
    Cluster, ClusterId, ClusterSource, ClusterState, Instance, NodeType, SparkContextId,
};
use crate::timestamp::Timestamp;
use crate::transport::one_line;

/// Beyond this many characters the reason why an item did not parse is cut.
const WHY_CAP: usize = 200;

/// Integers that an `f64` still holds exactly.
const EXACT_FLOAT: f64 = 9_007_199_254_740_992.0;

/// An integer written as a number or as a string of digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Integer(i128);

impl Integer {
    /// As an instant in milliseconds; the APIs write "never" as 0, and some as -1.
    pub(super) fn instant(self) -> Result<Option<Timestamp>, String> {
        if self.0 <= 0 {
            return Ok(None);
        }
        i64::try_from(self.0)
            .map(|millis| Some(Timestamp::from_millis(millis)))
            .map_err(|_| format!("{} is no time in milliseconds", self.0))
    }

    fn unsigned(self, member: &str) -> Result<u64, String> {
        u64::try_from(self.0).map_err(|_| format!("{member} is {}", self.0))
    }
}

impl fmt::Display for Integer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IntegerVisitor)
    }
}

struct IntegerVisitor;

impl Visitor<'_> for IntegerVisitor {
    type Value = Integer;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer, or one in a string")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Integer, E> {
        Ok(Integer(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Integer, E> {
        Ok(Integer(value.into()))
    }

    // Some clients in between write 1.7e12 for a time.
    fn visit_f64<E: Error>(self, value: f64) -> Result<Integer, E> {
        if value.fract() != 0.0 || value.abs() > EXACT_FLOAT {
            return Err(E::invalid_value(serde::de::Unexpected::Float(value), &self));
        }
        // Exact, as was just checked, and its `Display` has no exponent.
        self.visit_str(&value.to_string())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Integer, E> {
        value
            .trim()
            .parse()
            .map(Integer)
            .map_err(|_| E::invalid_value(serde::de::Unexpected::Str(value), &self))
    }
}

/// A fractional number written as a number or as a string.
#[derive(Debug, Clone, Copy)]
struct Fraction(f64);

impl<'de> Deserialize<'de> for Fraction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Spelling {
            Number(f64),
            Text(String),
        }
        match Spelling::deserialize(deserializer)? {
            Spelling::Number(number) => Ok(Self(number)),
            Spelling::Text(text) => text.trim().parse().map(Self).map_err(D::Error::custom),
        }
    }
}

/// Tags in the order of the wire; a key that comes twice stays twice, because
/// either could be the one that protects.
#[derive(Debug, Default)]
struct Tags(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TagsVisitor;
        impl<'de> Visitor<'de> for TagsVisitor {
            type Value = Tags;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tags")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tags, A::Error> {
                let mut tags = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, TagValue>()? {
                    tags.push((key, value.0));
                }
                Ok(Tags(tags))
            }
        }
        deserializer.deserialize_map(TagsVisitor)
    }
}

/// A tag's value as text: strings as they are, other scalars as JSON writes
/// them, `null` as the empty value.
struct TagValue(String);

impl<'de> Deserialize<'de> for TagValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde_json::Value;
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            Value::Null => Ok(Self(String::new())),
            Value::Bool(value) => Ok(Self(value.to_string())),
            Value::Number(value) => Ok(Self(value.to_string())),
            Value::Array(_) | Value::Object(_) => Err(D::Error::custom("a tag's value is no text")),
        }
    }
}

#[derive(Deserialize)]
struct ClusterRecord {
    cluster_id: String,
    cluster_name: Option<String>,
    state: Option<String>,
    cluster_source: Option<String>,
    spark_context_id: Option<Box<RawValue>>,
    spark_version: Option<String>,
    effective_spark_version: Option<String>,
    use_ml_runtime: Option<bool>,
    default_tags: Option<Tags>,
    custom_tags: Option<Tags>,
    autotermination_minutes: Option<Integer>,
    last_activity_time: Option<Integer>,
    last_restarted_time: Option<Integer>,
    last_state_loss_time: Option<Integer>,
    driver: Option<InstanceRecord>,
    executors: Option<Vec<InstanceRecord>>,
    node_type_id: Option<String>,
    driver_node_type_id: Option<String>,
    num_workers: Option<Integer>,
    is_single_node: Option<bool>,
    autoscale: Option<IgnoredAny>,
    instance_pool_id: Option<String>,
    driver_instance_pool_id: Option<String>,
}

#[derive(Deserialize)]
struct InstanceRecord {
    instance_id: Option<String>,
    start_timestamp: Option<Integer>,
}

/// An item of a listing that is no cluster that we understand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotParsed {
    /// Its id, as far as that could be read.
    pub(super) id: Option<ClusterId>,
    pub(super) why: String,
}

/// Reads one cluster of `clusters/list` or `clusters/get`.
pub(super) fn cluster(raw: &RawValue) -> Result<Cluster, NotParsed> {
    serde_json::from_str::<ClusterRecord>(raw.get())
        .map_err(|why| why.to_string())
        .and_then(from_record)
        .map_err(|why| NotParsed {
            id: cluster_id(raw),
            why: cut(&why),
        })
}

/// The id of an item, whatever else it holds.
pub(super) fn cluster_id(raw: &RawValue) -> Option<ClusterId> {
    #[derive(Deserialize)]
    struct OnlyId {
        cluster_id: String,
    }
    serde_json::from_str::<OnlyId>(raw.get())
        .ok()
        .map(|item| item.cluster_id)
        .filter(|id| !id.is_empty())
        .map(ClusterId::new)
}

/// The start of `why` on one line: serde repeats text from outside in its errors.
pub(super) fn cut(why: &str) -> String {
    one_line(why, WHY_CAP)
}

fn from_record(record: ClusterRecord) -> Result<Cluster, String> {
    if record.cluster_id.is_empty() {
        return Err("cluster_id is empty".to_owned());
    }
    let Tags(mut tags) = record.default_tags.unwrap_or_default();
    tags.extend(record.custom_tags.unwrap_or_default().0);
    // The simple form of a single node may say it without `num_workers`, and where
    // the two disagree it counts as one: Spark alone can't speak for that.
    let num_workers = match record.num_workers {
        _ if record.is_single_node == Some(true) => Some(0),
        Some(workers) => Some(workers.unsigned("num_workers")?),
        None => None,
    };
    let spark_version = runtime(
        filled(record.spark_version),
        filled(record.effective_spark_version),
        record.use_ml_runtime,
    );
    // A clock of the platform that can't be read must not count as switched off,
    // hence an error for the whole item. Absent is the API's "off".
    let autotermination_minutes = match record.autotermination_minutes {
        Some(minutes) => minutes.unsigned("autotermination_minutes")?,
        None => 0,
    };
    Ok(Cluster {
        id: ClusterId::new(record.cluster_id),
        name: record.cluster_name.unwrap_or_default(),
        state: state(record.state),
        source: source(record.cluster_source),
        spark_context_id: record.spark_context_id.as_deref().and_then(context_id),
        spark_version,
        tags,
        autotermination_minutes,
        last_activity_time: instant(record.last_activity_time)?,
        last_restarted_time: instant(record.last_restarted_time)?,
        last_state_loss_time: instant(record.last_state_loss_time)?,
        driver: record.driver.map(instance).transpose()?,
        executors: record
            .executors
            .unwrap_or_default()
            .into_iter()
            .map(instance)
            .collect::<Result<_, _>>()?,
        node_type_id: filled(record.node_type_id),
        driver_node_type_id: filled(record.driver_node_type_id),
        num_workers,
        autoscales: record.autoscale.is_some(),
        uses_pool: filled(record.instance_pool_id).is_some()
            || filled(record.driver_instance_pool_id).is_some(),
    })
}

/// The runtime that the machines run. In the simple form `spark_version` names the
/// release alone, and whether it is the one for machine learning is a member of its
/// own (databricks-sdk-go, `service/compute/model.go`). Where one member tells of ML
/// or GPU and the version that counts does not, it is unknown.
fn runtime(
    named: Option<String>,
    effective: Option<String>,
    use_ml: Option<bool>,
) -> Option<String> {
    let says = |version: &Option<String>, kind: &str| {
        let version = version.as_deref().unwrap_or_default();
        version.to_ascii_lowercase().contains(kind)
    };
    let (named_ml, named_gpu) = (says(&named, "-ml-"), says(&named, "-gpu"));
    let runs = effective.or(named);
    let hides_ml = (named_ml || use_ml == Some(true)) && !says(&runs, "-ml-");
    let hides_gpu = named_gpu && !says(&runs, "-gpu");
    runs.filter(|_| !hides_ml && !hides_gpu)
}

fn instance(record: InstanceRecord) -> Result<Instance, String> {
    Ok(Instance {
        instance_id: filled(record.instance_id),
        started: instant(record.start_timestamp)?,
    })
}

fn instant(member: Option<Integer>) -> Result<Option<Timestamp>, String> {
    member.map_or(Ok(None), Integer::instant)
}

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn state(text: Option<String>) -> ClusterState {
    match text.unwrap_or_default().as_str() {
        "RUNNING" => ClusterState::Running,
        "RESIZING" => ClusterState::Resizing,
        "PENDING" => ClusterState::Pending,
        "RESTARTING" => ClusterState::Restarting,
        "TERMINATING" => ClusterState::Terminating,
        "TERMINATED" => ClusterState::Terminated,
        other => ClusterState::Other(other.to_owned()),
    }
}

fn source(text: Option<String>) -> ClusterSource {
    match text {
        None => ClusterSource::Absent,
        Some(text) => match text.as_str() {
            "" => ClusterSource::Absent,
            "UI" => ClusterSource::Ui,
            "API" => ClusterSource::Api,
            _ => ClusterSource::Other(text),
        },
    }
}

/// The digits of the wire, number or string. Anything else, 0 included, can't
/// tell two lives of a cluster apart and counts as not given, which keeps it.
fn context_id(raw: &RawValue) -> Option<SparkContextId> {
    let text = raw.get().trim_matches('"');
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_zero = digits.bytes().all(|byte| byte == b'0');
    (is_number && !is_zero).then(|| SparkContextId(text.to_owned()))
}

#[derive(Deserialize)]
struct NodeTypeRecord {
    node_type_id: String,
    num_cores: Fraction,
    num_gpus: Option<Integer>,
}

/// One size of `list-node-types`; `None` when its id or its cores can't be read,
/// so that a machine of that size has no known vCPUs.
pub(super) fn node_type(raw: &RawValue) -> Option<(String, NodeType)> {
    let record: NodeTypeRecord = serde_json::from_str(raw.get()).ok()?;
    let cores = record.num_cores.0;
    let gpus = match record.num_gpus {
        Some(gpus) => Some(gpus.unsigned("num_gpus").ok()?),
        None => None,
    };
    let usable = cores.is_finite() && cores > 0.0 && !record.node_type_id.is_empty();
    usable.then_some((record.node_type_id, NodeType { cores, gpus }))
}

#[cfg(test)]
mod tests;
