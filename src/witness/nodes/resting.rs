//! How much machines work while nobody uses them: the figures by which an
//! operator sees whether half a busy core is the right bound for their sizes.
//!
//! Pure: the buckets that the judge has seen come in with the signals of their
//! cluster, percentiles come out. What the machines themselves say is left out
//! of the question who is quiet, or the figures would only confirm the bound.

use std::collections::BTreeMap;

use crate::signals::{Signal, Signals, StreamingView};
use crate::timestamp::Timestamp;

/// The busy cores of one machine in one valid bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BucketLoad {
    /// Where the bucket begins.
    pub from: Timestamp,
    /// Percent × vCPUs / 100, as a mean over the bucket.
    pub cores: f64,
}

/// The busy cores of quiet clusters' drivers of one size.
#[derive(Debug, Clone, PartialEq)]
pub struct RestingLoad {
    /// `node_type_id` of the drivers.
    pub node_type: String,
    /// Drivers that were measured.
    pub drivers: usize,
    /// Buckets of five minutes, of all drivers together.
    pub buckets: usize,
    /// Half of the buckets show no more than this many busy cores.
    pub p50: f64,
    /// 95 of 100 buckets show no more than this many.
    pub p95: f64,
}

/// Since when everything but the machines says that a cluster is quiet; `None`
/// where something says otherwise, or where Spark cannot say it.
#[must_use]
pub fn others_quiet_since(signals: &Signals) -> Option<Timestamp> {
    let spark = signals.spark.known().filter(|spark| spark.busy.is_none())?;
    let no_stream = match signals.streaming {
        Signal::Known(StreamingView::NoneActive | StreamingView::NeverAny) => true,
        Signal::Known(StreamingView::Active) | Signal::Unknown(_) | Signal::NotAsked => false,
    };
    let no_run = matches!(signals.active_run, Signal::Known(None));
    let is_idle = no_stream && no_run && signals.command.known().is_none_or(Option::is_none);
    let signs = [
        Some(spark.application_started),
        spark.last_completion,
        spark.last_stream_batch,
        signals.last_run_end.known().copied().flatten(),
        signals.cluster.started(),
        signals.cluster.last_activity_time,
    ];
    signs.into_iter().flatten().max().filter(|_| is_idle)
}

/// The figures of each size, from the loads of drivers whose clusters are quiet
/// by all other signals. Only buckets that begin after their last sign of life count.
#[must_use]
pub fn resting_loads<'a>(
    drivers: impl IntoIterator<Item = (&'a Signals, &'a [BucketLoad])>,
) -> Vec<RestingLoad> {
    let mut by_size: BTreeMap<&str, (usize, Vec<f64>)> = BTreeMap::new();
    for (signals, loads) in drivers {
        let cluster = &signals.cluster;
        let size = cluster.driver_node_type_id.as_deref();
        let (Some(since), Some(size)) = (
            others_quiet_since(signals),
            size.or(cluster.node_type_id.as_deref()),
        ) else {
            continue;
        };
        let at_rest = loads.iter().filter(|load| load.from >= since);
        let mut cores = at_rest.map(|load| load.cores).peekable();
        if cores.peek().is_some() {
            let (drivers, all) = by_size.entry(size).or_default();
            *drivers += 1;
            all.extend(cores);
        }
    }
    by_size
        .into_iter()
        .filter_map(|(size, (drivers, mut cores))| {
            cores.sort_unstable_by(f64::total_cmp);
            Some(RestingLoad {
                node_type: size.to_owned(),
                drivers,
                buckets: cores.len(),
                p50: percentile(&cores, 50)?,
                p95: percentile(&cores, 95)?,
            })
        })
        .collect()
}

/// The smallest value that at least `percent` of the sorted values do not exceed.
fn percentile(sorted: &[f64], percent: usize) -> Option<f64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::decision::tests::world::{NOW, World, hours};
    use crate::signals::{NodesView, SparkWorkKind};

    /// Loads of five minutes each, the last one just now.
    fn loads(cores: &[f64]) -> Vec<BucketLoad> {
        let count = u32::try_from(cores.len()).expect("a few");
        let start = NOW.minus(Duration::from_mins(5) * count);
        (0..)
            .zip(cores)
            .map(|(number, cores)| BucketLoad {
                from: start.plus(Duration::from_mins(5) * number),
                cores: *cores,
            })
            .collect()
    }

    fn of_size(size: &str) -> Signals {
        let mut world = World::idle();
        world.cluster().driver_node_type_id = Some(size.to_owned());
        world.signals
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let sorted: Vec<f64> = (1..=40).map(f64::from).collect();
        assert_eq!(percentile(&sorted, 50), Some(20.0));
        assert_eq!(percentile(&sorted, 95), Some(38.0));
        assert_eq!(percentile(&sorted[..1], 50), Some(1.0));
        assert_eq!(percentile(&sorted[..1], 95), Some(1.0));
        assert_eq!(percentile(&sorted[..2], 50), Some(1.0));
        assert_eq!(percentile(&sorted[..2], 95), Some(2.0));
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn drivers_of_one_size_are_taken_together() {
        let (small, large) = (of_size("S"), of_size("L"));
        let [one, two, three] = [loads(&[0.1, 0.3]), loads(&[0.2]), loads(&[0.9])];
        let found = resting_loads([(&small, &one[..]), (&large, &three[..]), (&small, &two[..])]);
        let expected = |node_type: &str, drivers, buckets, p50, p95| RestingLoad {
            node_type: node_type.to_owned(),
            drivers,
            buckets,
            p50,
            p95,
        };
        // A load above the bound counts too: finding those is what it is for.
        let large = expected("L", 1, 1, 0.9, 0.9);
        assert_eq!(found, [large, expected("S", 2, 3, 0.2, 0.3)]);
    }

    #[test]
    fn a_driver_without_a_size_of_its_own_has_that_of_the_workers() {
        let mut world = World::idle();
        world.cluster().driver_node_type_id = None;
        world.cluster().node_type_id = Some("W".to_owned());
        let found = resting_loads([(&world.signals, &loads(&[0.1])[..])]);
        assert_eq!(found[0].node_type, "W");
        world.cluster().node_type_id = None;
        assert_eq!(resting_loads([(&world.signals, &loads(&[0.1])[..])]), []);
    }

    #[test]
    fn only_what_lies_after_the_last_sign_of_life_counts() {
        let mut world = World::idle();
        let all = loads(&[3.0, 2.0, 0.1]);
        let mut found = |at: Timestamp| {
            world.spark().last_completion = Some(at);
            let found = resting_loads([(&world.signals, &all[..])]);
            found.first().map(|load| (load.buckets, load.p95))
        };
        assert_eq!(found(all[1].from), Some((2, 2.0)));
        let later = all[1].from.plus(Duration::from_millis(1));
        assert_eq!(found(later), Some((1, 0.1)));
        assert_eq!(found(NOW), None);
    }

    #[test]
    fn every_sign_of_life_moves_the_beginning_of_rest() {
        let long_ago = others_quiet_since(&World::idle().signals).expect("it is quiet");
        assert!(long_ago < NOW.minus(hours(90)));
        let at = NOW.minus(hours(1));
        let changes: [fn(&mut World, Timestamp); 6] = [
            |world, at| world.spark().application_started = at,
            |world, at| world.spark().last_completion = Some(at),
            |world, at| world.spark().last_stream_batch = Some(at),
            |world, at| world.signals.last_run_end = Signal::Known(Some(at)),
            |world, at| world.cluster().last_restarted_time = Some(at),
            |world, at| world.cluster().last_activity_time = Some(at),
        ];
        for change in changes {
            let mut world = World::idle();
            change(&mut world, at);
            assert_eq!(others_quiet_since(&world.signals), Some(at));
        }
    }

    #[test]
    fn a_cluster_that_any_other_signal_keeps_busy_is_no_measure_of_rest() {
        let changes: [fn(&mut World); 7] = [
            |world| world.spark_works(SparkWorkKind::Sql, hours(1)),
            |world| world.signals.spark = Signal::unknown("off"),
            |world| world.signals.streaming = Signal::Known(StreamingView::Active),
            |world| world.signals.streaming = Signal::unknown("off"),
            |world| world.signals.active_run = Signal::Known(Some("run 7".to_owned())),
            |world| world.signals.active_run = Signal::unknown("403"),
            |world| world.signals.command = Signal::Known(Some("thread".to_owned())),
        ];
        for change in changes {
            let mut world = World::idle();
            change(&mut world);
            assert_eq!(others_quiet_since(&world.signals), None);
        }
        let mut busy = World::idle();
        busy.signals.driver_node = Signal::Known(NodesView::Busy {
            cores: 1.0,
            network_bytes_per_minute: 0.0,
        });
        assert!(others_quiet_since(&busy.signals).is_some());
    }
}
