//! What the users of a cluster do, and the evidence that leaves: Spark jobs and SQL executions in the
//! driver, busy cores and traffic on the machines.
//!
//! One description feeds both witnesses, so a finished Spark job at some moment also means busy cores
//! until that moment. A test that wants a contradiction asks for it with `Cluster::spark` or
//! `Cluster::load`.

use std::time::Duration;

use super::clock::{Moment, hours, minutes};
use super::spark::{Spark, SparkJob, SqlExecution, Stream};
use super::vm::Load;

/// What the users of a cluster do.
#[derive(Clone, Debug)]
pub(super) struct Activity {
    kind: Kind,
    pub(super) quiet_since: Option<Moment>,
    pub(super) start_is_set: bool,
    pub(super) spark_is_set: bool,
    pub(super) load_is_set: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Idle,
    Busy,
    Streaming,
    DriverOnlyPython,
}

/// How long a cluster's machines are busy with starting.
const START_UP: Duration = Duration::from_secs(120);

impl Activity {
    fn new(kind: Kind, quiet_since: Option<Moment>) -> Self {
        Self {
            kind,
            quiet_since,
            start_is_set: false,
            spark_is_set: false,
            load_is_set: false,
        }
    }

    pub(super) fn idle(quiet: Duration) -> Self {
        Self::new(Kind::Idle, Some(Moment::ago(quiet)))
    }

    pub(super) fn busy() -> Self {
        Self::new(Kind::Busy, None)
    }

    pub(super) fn streaming() -> Self {
        Self::new(Kind::Streaming, None)
    }

    pub(super) fn driver_only_python() -> Self {
        Self::new(Kind::DriverOnlyPython, None)
    }

    /// How long ago such a cluster was started, unless it is said.
    pub(super) fn usual_uptime(&self) -> Duration {
        match self.kind {
            Kind::Idle => hours(8),
            Kind::Busy => hours(6),
            Kind::Streaming | Kind::DriverOnlyPython => hours(24),
        }
    }

    /// The last work of an idle cluster: its begin and end, if it worked at all since its start.
    fn last_work(&self, started: Moment) -> Option<(Moment, Moment)> {
        let end = self
            .quiet_since
            .filter(|end| started.plus(START_UP) < *end)?;
        Some((started.plus(START_UP).max(end.minus(minutes(20))), end))
    }

    /// What the driver knows.
    pub(super) fn spark(&self, name: &str, started: Moment) -> Spark {
        let running_since = started.plus(START_UP).max(Moment::ago(minutes(10)));
        match self.kind {
            Kind::Idle => match self.last_work(started) {
                Some((from, to)) => Spark::quiet()
                    .job(SparkJob::at(from, Some(to)))
                    .sql(SqlExecution::at(from, Some(to))),
                None => Spark::quiet(),
            },
            Kind::Busy => Spark::quiet()
                .job(SparkJob::at(running_since, None))
                .sql(SqlExecution::at(running_since, None)),
            Kind::Streaming => {
                let mut stream = Stream::live(name, Duration::ZERO);
                stream.started = started.plus(START_UP);
                Spark::quiet().stream(stream)
            }
            Kind::DriverOnlyPython => Spark::quiet(),
        }
    }

    /// What a machine did.
    pub(super) fn loads(&self, started: Moment, is_driver: bool) -> Vec<Load> {
        let span = |from, to, cores, network| Load {
            from,
            to,
            cores,
            network,
        };
        let mut loads = vec![span(
            started,
            Some(started.plus(START_UP)),
            1.5,
            60_000_000.0,
        )];
        match self.kind {
            Kind::Idle => {
                if let Some((from, to)) = self.last_work(started) {
                    loads.push(span(from, Some(to), 2.5, 90_000_000.0));
                }
            }
            Kind::Busy => loads.push(span(started.plus(START_UP), None, 2.5, 90_000_000.0)),
            // Small batches: below what a judge of machines alone would call busy.
            Kind::Streaming => loads.push(span(started.plus(START_UP), None, 0.2, 2_000_000.0)),
            Kind::DriverOnlyPython if is_driver => {
                loads.push(span(started.plus(START_UP), None, 1.0, 0.0));
            }
            Kind::DriverOnlyPython => {}
        }
        loads
    }
}
