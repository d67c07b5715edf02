//! Azure Monitor's platform metrics of one virtual machine, as Azure Resource Manager answers them.
//!
//! Points are computed from the machine's load by the minute. A point without data is its `timeStamp`
//! alone, neither `null` nor 0; the newest minutes are such. Buckets begin at the requested start cut to
//! the minute. Only the aggregations that were asked for appear. Errors of the provider are a bare
//! `{code, message}`.

use serde_json::{Map, Value, json};

use super::arm;
use crate::encode;
use crate::http::{Answer, Request};
use crate::world::{MetricsQuirk, Vm, World};

const API_VERSIONS: [&str; 5] = [
    "2018-01-01",
    "2019-07-01",
    "2021-05-01",
    "2023-10-01",
    "2024-02-01",
];
const KNOWN_KEYS: [&str; 9] = [
    "api-version",
    "timespan",
    "interval",
    "metricnames",
    "aggregation",
    "metricnamespace",
    "AutoAdjustTimegrain",
    "ValidateDimensions",
    "top",
];
const NAMESPACE: &str = "Microsoft.Compute/virtualMachines";
const MINUTE_MS: i64 = 60_000;
/// Most points in an answer: a guard against spans that no client means.
const MAX_POINTS: i64 = 50_000;

/// A metric of virtual machines: its name, its unit, and how to aggregate it if nobody says.
struct Metric {
    name: &'static str,
    unit: &'static str,
    primary: &'static str,
}

const METRICS: [Metric; 5] = [
    Metric {
        name: "Percentage CPU",
        unit: "Percent",
        primary: "average",
    },
    Metric {
        name: "Network In Total",
        unit: "Bytes",
        primary: "total",
    },
    Metric {
        name: "Network Out Total",
        unit: "Bytes",
        primary: "total",
    },
    Metric {
        name: "Disk Read Bytes",
        unit: "Bytes",
        primary: "total",
    },
    Metric {
        name: "Disk Write Bytes",
        unit: "Bytes",
        primary: "total",
    },
];

/// What is asked, once it has been understood.
struct Question {
    from_ms: i64,
    to_ms: i64,
    grain_minutes: i64,
    aggregations: Vec<String>,
    names: Vec<&'static Metric>,
}

pub(super) fn answer(world: &World, request: &Request, group: &str, vm: &Vm) -> Answer {
    if let Some(key) = request.query.unknown_key(&KNOWN_KEYS) {
        return Answer::unarranged(format!("the query key {key:?} at the metrics of a VM"));
    }
    if let Err(refusal) = arm::check_api_version(request, &API_VERSIONS) {
        return refusal;
    }
    let question = match question(world, request) {
        Ok(question) => question,
        Err(message) => {
            return Answer::json(400, &json!({ "code": "BadRequest", "message": message }));
        }
    };
    let vm_id = format!(
        "{group}/providers/Microsoft.Compute/virtualMachines/{}",
        vm.name
    );
    let values: Vec<Value> = question
        .names
        .iter()
        .map(|metric| metric_json(world, &question, metric, vm, &vm_id))
        .collect();
    let interval = if vm.quirk == MetricsQuirk::WrongInterval {
        "PT1H".to_owned()
    } else {
        grain_name(question.grain_minutes)
    };
    let timespan = format!(
        "{}/{}",
        encode::arm_time(question.from_ms),
        encode::arm_time(question.to_ms)
    );
    Answer::json(
        200,
        &json!({
            "cost": (question.to_ms - question.from_ms) / MINUTE_MS,
            "timespan": timespan,
            "interval": interval,
            "value": values,
            "namespace": NAMESPACE,
            "resourceregion": "westeurope",
        }),
    )
}

fn question(world: &World, request: &Request) -> Result<Question, String> {
    let query = &request.query;
    let namespace = query.first("metricnamespace").unwrap_or(NAMESPACE);
    if !namespace.eq_ignore_ascii_case(NAMESPACE) {
        return Err(format!(
            "Metric namespace {namespace} is not supported for this resource."
        ));
    }
    let (from_ms, to_ms) = timespan(world, query.first("timespan"))?;
    let names = names(query.first("metricnames").unwrap_or("Percentage CPU"))?;
    let asked = grain_minutes(query.first("interval").unwrap_or("PT1M"))?;
    let may_adjust = query.is_true("AutoAdjustTimegrain");
    // The service may widen the grain of a long span without saying more than the answer's interval.
    let is_long = to_ms - from_ms > 6 * 60 * MINUTE_MS;
    let grain_minutes = if may_adjust && is_long {
        asked.max(5)
    } else {
        asked
    };
    if (to_ms - from_ms) / MINUTE_MS / grain_minutes > MAX_POINTS {
        return Err("The query asks for too many data points.".to_owned());
    }
    let aggregations = query
        .first("aggregation")
        .map(|text| {
            text.split(',')
                .map(|name| name.trim().to_ascii_lowercase())
                .collect()
        })
        .unwrap_or_default();
    for aggregation in &aggregations {
        if !["average", "total", "minimum", "maximum", "count"]
            .contains(&String::as_str(aggregation))
        {
            return Err(format!("Invalid aggregation {aggregation}."));
        }
    }
    Ok(Question {
        from_ms,
        to_ms,
        grain_minutes,
        aggregations,
        names,
    })
}

/// The requested span, its start cut to the minute; without one the last hour.
fn timespan(world: &World, text: Option<&str>) -> Result<(i64, i64), String> {
    let now = world.clock.now_ms();
    let (from, to) = match text {
        None => (now - 60 * MINUTE_MS, now),
        Some(text) => text
            .split_once('/')
            .and_then(|(from, to)| Some((encode::parse_time(from)?, encode::parse_time(to)?)))
            .ok_or_else(|| format!("Detected invalid time interval input: {text}"))?,
    };
    if to <= from {
        return Err("Start time cannot be later than the end time.".to_owned());
    }
    Ok((from - from.rem_euclid(MINUTE_MS), to))
}

fn names(text: &str) -> Result<Vec<&'static Metric>, String> {
    let names: Vec<&str> = text.split(',').collect();
    if names.len() > 20 {
        return Err("At most 20 metrics can be asked for in one call.".to_owned());
    }
    names
        .into_iter()
        .map(|name| {
            METRICS.iter().find(|metric| metric.name == name).ok_or_else(|| {
                let valid: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
                format!(
                    "Failed to find metric configuration for provider: Microsoft.Compute, resource Type: \
                     virtualMachines, metric: {name}, Valid metrics: {}",
                    valid.join(",")
                )
            })
        })
        .collect()
}

const GRAINS: [(&str, i64); 8] = [
    ("PT1M", 1),
    ("PT5M", 5),
    ("PT15M", 15),
    ("PT30M", 30),
    ("PT1H", 60),
    ("PT6H", 360),
    ("PT12H", 720),
    ("P1D", 1440),
];

fn grain_minutes(text: &str) -> Result<i64, String> {
    GRAINS
        .iter()
        .find(|(name, _)| *name == text)
        .map(|(_, minutes)| *minutes)
        .ok_or_else(|| format!("Detected invalid time grain input: {text}"))
}

fn grain_name(minutes: i64) -> String {
    GRAINS
        .iter()
        .find(|(_, known)| *known == minutes)
        .map_or_else(String::new, |(name, _)| (*name).to_owned())
}

fn metric_json(world: &World, question: &Question, metric: &Metric, vm: &Vm, vm_id: &str) -> Value {
    let name = if vm.quirk == MetricsQuirk::WrongName {
        "Percentage CPU Guest"
    } else {
        metric.name
    };
    let unit = if vm.quirk == MetricsQuirk::WrongUnit {
        "Count"
    } else {
        metric.unit
    };
    let timeseries = if vm.quirk == MetricsQuirk::NoSeries {
        json!([])
    } else {
        json!([{ "metadatavalues": [], "data": points(world, question, metric, vm) }])
    };
    json!({
        "id": format!("{vm_id}/providers/Microsoft.Insights/metrics/{}", metric.name),
        "type": "Microsoft.Insights/metrics",
        "name": { "value": name, "localizedValue": name },
        "displayDescription": metric.name,
        "unit": unit,
        "timeseries": timeseries,
        "errorCode": "Success",
    })
}

fn points(world: &World, question: &Question, metric: &Metric, vm: &Vm) -> Vec<Value> {
    let grain_ms = question.grain_minutes * MINUTE_MS;
    let mut points = Vec::new();
    let mut start = question.from_ms;
    while start < question.to_ms {
        let minutes: Vec<f64> = (0..question.grain_minutes)
            .filter_map(|minute| value_in_minute(world, metric, vm, start + minute * MINUTE_MS))
            .collect();
        points.push(point(start, &minutes, question, metric));
        start += grain_ms;
    }
    points
}

fn point(start_ms: i64, minutes: &[f64], question: &Question, metric: &Metric) -> Value {
    let mut point = Map::new();
    point.insert("timeStamp".to_owned(), json!(encode::arm_time(start_ms)));
    if !minutes.is_empty() {
        let count = f64::from(u32::try_from(minutes.len()).unwrap_or(u32::MAX));
        let total: f64 = minutes.iter().sum();
        let primary = [metric.primary.to_owned()];
        let asked = if question.aggregations.is_empty() {
            &primary[..]
        } else {
            &question.aggregations[..]
        };
        for aggregation in asked {
            let value = match aggregation.as_str() {
                "average" => total / count,
                "total" => total,
                "minimum" => minutes.iter().copied().fold(f64::INFINITY, f64::min),
                "maximum" => minutes.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                _ => count,
            };
            point.insert(aggregation.clone(), number(value));
        }
    }
    Value::Object(point)
}

/// A JSON number: whole ones without a fraction, as the service writes them.
fn number(value: f64) -> Value {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the value is whole and far below 2^53"
    )]
    if value.fract() == 0.0 && value.abs() < 9e15 {
        return json!(value as i64);
    }
    json!(value)
}

/// What the machine shows in the minute from `start_ms`; nothing where there is no data.
fn value_in_minute(world: &World, metric: &Metric, vm: &Vm, start_ms: i64) -> Option<f64> {
    let lag = if let MetricsQuirk::Lag(minutes) = vm.quirk {
        minutes
    } else {
        world.metrics_lag_minutes
    };
    let has_arrived = start_ms + MINUTE_MS <= world.clock.now_ms() - i64::from(lag) * MINUTE_MS;
    let start = world.clock.moment(start_ms);
    if !has_arrived || !vm.ran_in_minute(start) {
        return None;
    }
    match vm.quirk {
        MetricsQuirk::NoData | MetricsQuirk::Missing => return None,
        MetricsQuirk::AllZero => return Some(0.0),
        MetricsQuirk::Constant(value) => return Some(value),
        MetricsQuirk::PointsOfFive(count)
            if (start_ms / MINUTE_MS).rem_euclid(5) >= i64::from(count) =>
        {
            return None;
        }
        MetricsQuirk::Hole(from, to) if from <= start && start < to => return None,
        MetricsQuirk::Hole(..)
        | MetricsQuirk::PointsOfFive(_)
        | MetricsQuirk::None
        | MetricsQuirk::NoSeries
        | MetricsQuirk::Lag(_)
        | MetricsQuirk::WrongName
        | MetricsQuirk::WrongUnit
        | MetricsQuirk::WrongInterval => {}
    }
    let network = vm.network_in_minute(start);
    Some(match metric.name {
        "Percentage CPU" => 100.0 * vm.cores_in_minute(start) / vm.cores,
        "Network In Total" => (network * 0.75).round(),
        "Network Out Total" => (network * 0.25).round(),
        _ => 40_960.0,
    })
}
