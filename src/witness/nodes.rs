//! What the host metrics of a cluster's machines mean.
//!
//! Pure: the answer of Azure Monitor and the window that was asked for come in,
//! "busy" or "quiet since" comes out. It makes no call and reads no clock.
//! `azure_monitor` fetches the answers, `signals` decides which machines to ask
//! and whether they suffice. A missing point is not a zero: a stretch without
//! enough points counts as if work had been going on, and an answer that is not
//! as it was asked for is Unknown.

mod answer;
mod resting;
mod roster;
mod values;
mod window;

use std::time::Duration;

pub use self::answer::{Metric, MetricName, Point, Series, VmMetrics};
pub use self::resting::{BucketLoad, RestingLoad, others_quiet_since, resting_loads};
pub use self::roster::{Contradiction, Roster, TagCheck, TaggedMachine};
pub use self::window::{
    BUCKET, FINE_LOOKBACK, Interval, LOOKBACK_MARGIN, MIN_POINTS, SETTLING, Window, lookback,
};

use self::values::Values;
use super::{refuse, shown};
use crate::signals::{NodesView, Signal, Why};
use crate::timestamp::Timestamp;

/// Busy cores (percent × vCPUs / 100) from which 5 minutes count as busy: half a
/// thread, between the recorded floor of an idle machine (0.07) and one thread.
pub const BUSY_CORES: f64 = 0.5;

/// Bytes of network per minute, in and out together, from which 5 minutes count as busy.
pub const BUSY_NETWORK: f64 = 30_000_000.0;

/// The newest point must have ended no longer ago than this.
pub const MAX_AGE: Duration = Duration::from_secs(10 * 60);

/// Name and unit of the metric of work; its points carry an `average`.
pub const CPU_METRIC: (&str, &str) = ("Percentage CPU", "Percent");
/// Name and unit of the metric of bytes received; its points carry a `total`.
pub const NETWORK_IN_METRIC: (&str, &str) = ("Network In Total", "Bytes");
/// Name and unit of the metric of bytes sent; its points carry a `total`.
pub const NETWORK_OUT_METRIC: (&str, &str) = ("Network Out Total", "Bytes");
/// The namespace of all three.
pub const METRIC_NAMESPACE: &str = "Microsoft.Compute/virtualMachines";

/// What one machine says, and the loads from which it says so.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    pub view: Signal<NodesView>,
    /// Of every bucket with enough CPU values; none where the view is unknown.
    pub loads: Vec<BucketLoad>,
}

/// What one machine with `vcpus` vCPUs says about `window`.
#[must_use]
pub fn judge(metrics: &Result<VmMetrics, Why>, vcpus: Option<f64>, window: &Window) -> Verdict {
    let judged = match metrics {
        Ok(metrics) => buckets(metrics, vcpus, window),
        Err(why) => Err(why.clone()),
    };
    match judged.and_then(|buckets| Ok((view(&buckets, window)?, buckets))) {
        Ok((view, buckets)) => {
            let loads = buckets.into_iter().filter_map(|(from, bucket)| {
                let cores = bucket.cores?;
                Some(BucketLoad { from, cores })
            });
            Verdict {
                view: Signal::Known(view),
                loads: loads.collect(),
            }
        }
        Err(why) => Verdict {
            view: Signal::Unknown(why),
            loads: Vec::new(),
        },
    }
}

/// What several machines say together: busy if one is, however little is known
/// of the others; else unknown if one is; else quiet since the last came to rest.
#[must_use]
pub fn combine(machines: Vec<Signal<NodesView>>) -> Signal<NodesView> {
    let mut busiest: Option<(f64, NodesView)> = None;
    let mut quiet_since: Option<Timestamp> = None;
    let mut throughout = true;
    let mut unknown: Option<Why> = None;
    for machine in machines {
        match machine {
            Signal::Known(view @ NodesView::Busy { cores, .. }) => {
                if busiest.as_ref().is_none_or(|(most, _)| cores > *most) {
                    busiest = Some((cores, view));
                }
            }
            Signal::Known(NodesView::QuietSince(since)) => {
                quiet_since = quiet_since.max(Some(since));
                throughout = false;
            }
            Signal::Known(NodesView::QuietThroughout(from)) => {
                quiet_since = quiet_since.max(Some(from));
            }
            Signal::Unknown(why) => {
                unknown.get_or_insert(why);
            }
            Signal::NotAsked => {
                unknown.get_or_insert_with(|| Why::new("a machine was not asked"));
            }
        }
    }
    match (busiest, unknown, quiet_since) {
        (Some((_, view)), _, _) => Signal::Known(view),
        (None, Some(why), _) => Signal::Unknown(why),
        (None, None, Some(from)) if throughout => Signal::Known(NodesView::QuietThroughout(from)),
        (None, None, Some(since)) => Signal::Known(NodesView::QuietSince(since)),
        (None, None, None) => Signal::unknown("the cluster names no machine"),
    }
}

fn buckets(
    metrics: &VmMetrics,
    vcpus: Option<f64>,
    window: &Window,
) -> Result<Vec<(Timestamp, Bucket)>, Why> {
    let Some(vcpus) = vcpus.filter(|cores| cores.is_finite() && *cores > 0.0) else {
        return refuse("the machine's number of vCPUs is unknown");
    };
    let measured = Measured::read(metrics, window)?;
    let buckets = measured.buckets(vcpus, window);
    // Late metrics can't tell of quiet; that work was the last that they saw counts.
    if !newest(&buckets).is_some_and(Bucket::is_busy) {
        measured.refuse_what_proves_nothing(window)?;
    }
    Ok(buckets)
}

fn newest(buckets: &[(Timestamp, Bucket)]) -> Option<Bucket> {
    let newest = buckets.iter().rfind(|(_, bucket)| bucket.is_valid());
    newest.map(|(_, bucket)| *bucket)
}

fn view(buckets: &[(Timestamp, Bucket)], window: &Window) -> Result<NodesView, Why> {
    let Some(newest) = newest(buckets) else {
        return refuse("no five minutes have enough metrics");
    };
    if newest.is_busy() {
        return Ok(NodesView::Busy {
            cores: newest.cores.unwrap_or(0.0),
            network_bytes_per_minute: newest.network.unwrap_or(0.0),
        });
    }
    let last_unquiet = buckets.iter().rfind(|(_, bucket)| !bucket.is_quiet());
    Ok(match last_unquiet {
        Some((start, _)) => NodesView::QuietSince(start.plus(BUCKET)),
        None => NodesView::QuietThroughout(window.from),
    })
}

/// Means over five minutes, each where there are enough values.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bucket {
    cores: Option<f64>,
    /// Bytes per minute, in and out.
    network: Option<f64>,
}

impl Bucket {
    fn is_busy(self) -> bool {
        self.cores.is_some_and(|cores| cores >= BUSY_CORES)
            || self.network.is_some_and(|bytes| bytes >= BUSY_NETWORK)
    }

    /// At rest by both: what is not measured could be anything.
    fn is_quiet(self) -> bool {
        !self.is_busy() && self.cores.is_some() && self.network.is_some()
    }

    fn is_valid(self) -> bool {
        self.is_busy() || self.is_quiet()
    }
}

/// The values of one machine.
struct Measured {
    cpu: Values,
    network_in: Values,
    network_out: Values,
}

impl Measured {
    fn read(metrics: &VmMetrics, window: &Window) -> Result<Self, Why> {
        let asked = [CPU_METRIC, NETWORK_IN_METRIC, NETWORK_OUT_METRIC];
        // With a mis-encoded name Azure Monitor once answered the metrics of another one with 200.
        for metric in &metrics.value {
            if !asked.iter().any(|(name, _)| *name == metric.name.value) {
                let name = shown(&metric.name.value);
                return refuse(format!("Azure Monitor answered another metric: {name}"));
            }
        }
        if metrics.interval != window.interval.as_str() {
            let interval = shown(&metrics.interval);
            return refuse(format!(
                "Azure Monitor answered another interval: {interval}"
            ));
        }
        let namespace = metrics.namespace.as_deref().unwrap_or(METRIC_NAMESPACE);
        if !namespace.eq_ignore_ascii_case(METRIC_NAMESPACE) {
            return refuse("Azure Monitor answered for something that is no machine");
        }
        let cpu = Values::read(metrics, CPU_METRIC, |point| point.average, window)?;
        if cpu.all().any(|percent| !(0.0..=100.0).contains(&percent)) {
            return refuse("a CPU value lies outside 0 to 100");
        }
        let network_in = Values::read(metrics, NETWORK_IN_METRIC, |point| point.total, window)?;
        let network_out = Values::read(metrics, NETWORK_OUT_METRIC, |point| point.total, window)?;
        let is_count = |bytes: f64| bytes.is_finite() && bytes >= 0.0;
        if !network_in.all().chain(network_out.all()).all(is_count) {
            return refuse("a network value is no number of bytes");
        }
        Ok(Self {
            cpu,
            network_in,
            network_out,
        })
    }

    fn refuse_what_proves_nothing(&self, window: &Window) -> Result<(), Why> {
        let Some(newest) = self.cpu.newest() else {
            return refuse("no metrics of the machine");
        };
        let newest_end = newest.plus(window.interval.length());
        if newest_end < window.asked_at.minus(MAX_AGE) {
            return refuse(format!("the newest metric ended at {newest_end}"));
        }
        // Whether "not measured" arrives as zero or not at all is the provider's choice.
        if self.cpu.all().all(|percent| percent == 0.0) {
            return refuse("all CPU values are exactly zero");
        }
        Ok(())
    }

    /// Every bucket of the window, in order. A last one that the window cuts is
    /// there only if it has enough points: too few say nothing about a stretch
    /// that was not wholly asked for.
    fn buckets(&self, vcpus: f64, window: &Window) -> Vec<(Timestamp, Bucket)> {
        let mut buckets = Vec::new();
        let mut start = window.from;
        // `<=` would be the same (`.cargo/mutants.toml`): a bucket that begins at the end has no points.
        while start < window.to {
            let end = start.plus(BUCKET);
            let points = self.cpu.of_bucket(start).len();
            let has_enough = points >= window.interval.points_needed();
            if end <= window.to || has_enough {
                buckets.push((start, self.bucket(start, vcpus, window.interval)));
            }
            start = end;
        }
        buckets
    }

    fn bucket(&self, start: Timestamp, vcpus: f64, interval: Interval) -> Bucket {
        let needed = interval.points_needed();
        let percents = self
            .cpu
            .of_bucket(start)
            .iter()
            .map(|(_, percent)| *percent);
        let cores = mean(percents, needed)
            // Nothing but zeros is no rest: a machine at rest shows a little.
            .filter(|percent| *percent > 0.0)
            .map(|percent| percent * vcpus / 100.0);
        let received = self.network_in.of_bucket(start).iter();
        let both_ways = received.filter_map(|(at, received)| {
            let sent = self.network_out.at(*at)?;
            Some((received + sent) / interval.minutes())
        });
        let network = mean(both_ways, needed);
        Bucket { cores, network }
    }
}

/// The mean of at least `needed` values, and of one at least.
fn mean(values: impl Iterator<Item = f64>, needed: usize) -> Option<f64> {
    let mut sum = 0.0;
    let mut count = 0_u32;
    for value in values {
        sum += value;
        count += 1;
    }
    let is_enough = usize::try_from(count).is_ok_and(|count| count >= needed.max(1));
    is_enough.then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests;
