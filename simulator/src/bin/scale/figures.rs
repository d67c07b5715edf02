//! What the figures are held against: the bound that latency and concurrency set, the plain client of the same
//! run, and limits of memory.

use std::io::{self, Write};
use std::time::Duration;

use simulator::scale::PARALLEL_REQUESTS;

use crate::Outcome;
use crate::arguments::Wishes;
use crate::cost::{Cost, median, mib};
use crate::handler::Sweep;
use crate::plain::Way;
use crate::recording::Shape;

const MIB: u64 = 1024;
const MOST_MIB: u64 = 64;
const MOST_MIB_LARGE: u64 = 200;
const MOST_TIMES_BOUND: f64 = 1.25;
const MOST_TIMES_PLAIN: f64 = 0.5;
/// With less of the machine left over its CPU may have been the limit, and the wall says nothing.
const LEAST_IDLE: f64 = 0.15;
/// Memory that a sweep may gain after a third of its workspaces: noise of the allocator and the sampling.
const MOST_GROWTH_KIB: u64 = 4 * MIB;
/// Databricks and Azure Resource Manager.
const TOKENS: u64 = 2;

/// The handler and the plain client, one after the other.
pub(crate) struct Pair {
    pub(crate) handler: Sweep,
    /// Empty where there is no plain client.
    pub(crate) plain: Vec<(Way, Cost)>,
}

impl Pair {
    pub(crate) fn plain(&self, way: Way) -> Option<&Cost> {
        let found = self.plain.iter().find(|(known, _)| *known == way);
        found.map(|(_, cost)| cost)
    }
}

/// The least time that a sweep can take.
pub(crate) struct Bound {
    pub(crate) shape: Shape,
    pub(crate) latency: Duration,
}

impl Bound {
    pub(crate) fn read(shape: &Shape, latency: Duration) -> Self {
        Self {
            shape: *shape,
            latency,
        }
    }

    /// By the longest chain of requests of which each waits for the one before.
    pub(crate) fn by_chain(&self) -> Duration {
        self.latency * u32::try_from(self.shape.chain).unwrap_or(u32::MAX)
    }

    /// By the requests that may be under way at a time.
    pub(crate) fn by_concurrency(&self) -> Duration {
        let rounds = self.shape.requests.div_ceil(PARALLEL_REQUESTS as u64);
        self.latency * u32::try_from(rounds).unwrap_or(u32::MAX)
    }

    pub(crate) fn least(&self) -> Duration {
        self.by_chain().max(self.by_concurrency())
    }
}

/// The handler's CPU for a request as part of the plain client's, pair by pair.
pub(crate) fn ratios(pairs: &[Pair], way: Way) -> impl Iterator<Item = f64> {
    pairs.iter().filter_map(move |pair| {
        let plain = pair.plain(way)?;
        Some(pair.handler.cost.cpu_a_request() / plain.cpu_a_request())
    })
}

/// One thing that is judged, or why it is not.
struct Verdict {
    sentence: String,
    holds: Option<bool>,
}

pub(crate) struct Verdicts(Vec<Verdict>);

impl Verdicts {
    pub(crate) fn of(pairs: &[Pair], bound: &Bound, wishes: &Wishes) -> Self {
        let sweeps = || pairs.iter().map(|pair| &pair.handler);
        let mut all = Self(Vec::new());
        let peak = sweeps().map(|sweep| sweep.cost.peak_kib).max().unwrap_or(0);
        all.memory(peak, MOST_MIB);
        let requests = bound.shape.requests;
        let is_same = |sweep: &Sweep| sweep.cost.requests == requests;
        all.judge(
            format!("every sweep sends the same {requests} requests"),
            Some(sweeps().all(is_same)),
        );
        let tokens = |sweep: &Sweep| sweep.told.token_requests == TOKENS;
        all.judge(
            format!("{TOKENS} tokens a sweep"),
            Some(sweeps().all(tokens)),
        );
        if wishes.is_full_size() {
            all.growth(sweeps().map(growth_kib).max().unwrap_or(0));
            all.time(pairs, bound);
        }
        all
    }

    pub(crate) fn of_large(sweep: &Sweep) -> Self {
        let mut all = Self(Vec::new());
        all.memory(sweep.cost.peak_kib, MOST_MIB_LARGE);
        all.growth(growth_kib(sweep));
        all
    }

    fn time(&mut self, pairs: &[Pair], bound: &Bound) {
        let ratio = median(ratios(pairs, Way::Decodes));
        if ratio.is_nan() {
            self.judge("CPU a request: nothing to compare with".to_owned(), None);
        } else {
            self.judge(
                format!(
                    "CPU a request {ratio:.2} times the plain client's, at most {MOST_TIMES_PLAIN}"
                ),
                Some(ratio <= MOST_TIMES_PLAIN),
            );
        }
        let quiet = pairs
            .iter()
            .filter(|pair| pair.handler.cost.idle >= LEAST_IDLE);
        let times =
            quiet.map(|pair| pair.handler.cost.wall.as_secs_f64() / bound.least().as_secs_f64());
        let times = median(times);
        if times.is_nan() {
            let sentence = format!(
                "wall: in every sweep less than {:.0} % of the machine was left over, so its CPU may have been \
                 the limit",
                LEAST_IDLE * 100.0
            );
            self.judge(sentence, None);
        } else {
            self.judge(
                format!("wall {times:.2} times the bound, at most {MOST_TIMES_BOUND}"),
                Some(times <= MOST_TIMES_BOUND),
            );
        }
    }

    fn memory(&mut self, peak_kib: u64, most_mib: u64) {
        let mib = peak_kib.div_ceil(MIB);
        self.judge(
            format!("{mib} MiB resident at the peak, at most {most_mib}"),
            Some(peak_kib <= most_mib * MIB),
        );
    }

    fn growth(&mut self, kib: u64) {
        self.judge(
            format!(
                "{:.1} MiB more at the end than after a third, at most {}",
                mib(kib),
                MOST_GROWTH_KIB / MIB
            ),
            Some(kib <= MOST_GROWTH_KIB),
        );
    }

    fn judge(&mut self, sentence: String, holds: Option<bool>) {
        self.0.push(Verdict { sentence, holds });
    }

    /// Tells each; whether none is broken.
    pub(crate) fn print(&self) -> Outcome<bool> {
        let mut out = io::stdout().lock();
        for Verdict { sentence, holds } in &self.0 {
            let word = match holds {
                Some(true) => "ok",
                Some(false) => "EXCEEDED",
                None => "not judged",
            };
            writeln!(out, "{sentence}: {word}")?;
        }
        Ok(self.0.iter().all(|verdict| verdict.holds != Some(false)))
    }
}

fn growth_kib(sweep: &Sweep) -> u64 {
    sweep.end_kib.saturating_sub(sweep.third_kib)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_the_longer_of_chain_and_concurrency() {
        let bound = |requests, chain| {
            let shape = Shape {
                requests,
                written: requests,
                chain,
            };
            Bound::read(&shape, Duration::from_millis(10))
        };
        assert_eq!(bound(6401, 9).least(), Duration::from_millis(1010));
        assert_eq!(bound(640, 30).least(), Duration::from_millis(300));
    }

    #[test]
    fn what_is_exceeded_fails_and_what_is_not_judged_does_not() {
        let mut verdicts = Verdicts(Vec::new());
        verdicts.memory(MOST_MIB * MIB, MOST_MIB);
        verdicts.judge("wall".to_owned(), None);
        assert!(verdicts.print().expect("a standard output"));
        verdicts.memory(MOST_MIB * MIB + 1, MOST_MIB);
        assert!(!verdicts.print().expect("a standard output"));
    }
}
