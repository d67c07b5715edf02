//! The measured values of one metric of one machine, in the order of their time.
//!
//! Pure. Read from an answer that must be as it was asked for; sorted once, so that the
//! values of a bucket are a slice.

use super::answer::{Point, VmMetrics};
use super::window::{BUCKET, Window};
use crate::signals::Why;
use crate::timestamp::Timestamp;
use crate::witness::{refuse, shown};

/// What was measured of one metric, by the start of the point, in order.
pub(super) struct Values(Vec<(Timestamp, f64)>);

impl Values {
    /// The values of one metric, which must be there once, in its unit and inside the window.
    pub(super) fn read(
        metrics: &VmMetrics,
        (name, unit): (&str, &str),
        value: impl Fn(&Point) -> Option<f64>,
        window: &Window,
    ) -> Result<Self, Why> {
        let data = series(metrics, name, unit)?;
        let mut points = Vec::with_capacity(data.len());
        for point in data {
            let Some(at) = point.time_stamp else {
                return refuse(format!("{name} has a point without a readable time"));
            };
            let is_inside = window.from <= at && at <= window.to;
            if !is_inside || at != at.floor_to(window.interval.length()) {
                return refuse(format!("{name} has a point that was not asked for"));
            }
            points.push((at, value(point)));
        }
        points.sort_by_key(|(at, _)| *at);
        if !points.is_sorted_by(|(one, _), (next, _)| one < next) {
            return refuse(format!("{name} has two points for one time"));
        }
        // Whether a timespan includes its end is not documented: a point there is no part of the window.
        points.retain(|(at, _)| *at != window.to);
        let measured = points
            .into_iter()
            .filter_map(|(at, value)| Some((at, value?)));
        Ok(Self(measured.collect()))
    }

    /// The start of the newest point.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        self.0.last().map(|(at, _)| *at)
    }

    /// Every value.
    pub(super) fn all(&self) -> impl Iterator<Item = f64> {
        self.0.iter().map(|(_, value)| *value)
    }

    /// The value whose point starts at `time`.
    pub(super) fn at(&self, time: Timestamp) -> Option<f64> {
        let found = self.0.binary_search_by_key(&time, |(at, _)| *at).ok()?;
        self.0.get(found).map(|(_, value)| *value)
    }

    /// Those of the bucket that begins at `start`.
    pub(super) fn of_bucket(&self, start: Timestamp) -> &[(Timestamp, f64)] {
        let end = start.plus(BUCKET);
        let from = self.0.partition_point(|(at, _)| *at < start);
        let to = self.0.partition_point(|(at, _)| *at < end);
        self.0.get(from..to).unwrap_or_default()
    }
}

/// The points of one metric, which must be there once and in its unit; none without a series.
fn series<'a>(metrics: &'a VmMetrics, name: &str, unit: &str) -> Result<&'a [Point], Why> {
    let mut named = metrics
        .value
        .iter()
        .filter(|metric| metric.name.value == name);
    let (Some(metric), None) = (named.next(), named.next()) else {
        return refuse(format!("Azure Monitor did not answer {name} once"));
    };
    if metric.unit != unit {
        let unit = shown(&metric.unit);
        return refuse(format!("{name} came in another unit: {unit}"));
    }
    let code = metric.error_code.as_deref().unwrap_or("Success");
    if !code.eq_ignore_ascii_case("Success") {
        let code = shown(code);
        return refuse(format!("Azure Monitor has no {name}: {code}"));
    }
    match metric.timeseries.as_slice() {
        [] => Ok(&[]),
        [series] => Ok(&series.data),
        [_, _, ..] => refuse(format!("{name} came in several series")),
    }
}
