//! The figures as a table: medians of the runs, a column for the handler and one for each way of the plain
//! client.

use std::io::{self, Write};
use std::time::Duration;

use simulator::scale::PARALLEL_REQUESTS;

use crate::Outcome;
use crate::cost::{Cost, median};
use crate::figures::{Bound, Pair, ratios};
use crate::handler::Sweep;
use crate::plain::Way;

/// A row: its name, what it takes of a run, digits after the point.
type Row = (&'static str, fn(&Cost) -> f64, usize);

const ROWS: [Row; 6] = [
    ("wall, s", |cost| cost.wall.as_secs_f64(), 1),
    ("CPU, s (user and system)", |cost| cost.cpu.as_secs_f64(), 2),
    ("CPU a request, ms", Cost::cpu_a_request, 3),
    ("resident at the peak, MiB", Cost::peak_mib, 1),
    (
        "the cloud's own CPU, s",
        |cost| cost.cloud_cpu.as_secs_f64(),
        2,
    ),
    ("machine without work, %", |cost| cost.idle * 100.0, 0),
];

/// A row that is told of the first run alone.
type CountRow = (&'static str, fn(&Cost) -> u64);

const COUNTS: [CountRow; 3] = [
    ("requests", |cost| cost.requests),
    ("connections", |cost| cost.connects),
    ("requests at a time, at most", |cost| cost.most_open),
];

pub(crate) fn print(pairs: &[Pair], bound: &Bound) -> Outcome<()> {
    let mut out = io::stdout().lock();
    let mut columns = vec![("handler", handlers(pairs))];
    for way in Way::ALL {
        let costs: Vec<&Cost> = pairs.iter().filter_map(|pair| pair.plain(way)).collect();
        if !costs.is_empty() {
            columns.push((way.heading(), costs));
        }
    }
    print_columns(&mut out, &columns)?;
    for way in Way::ALL {
        let ratios: Vec<String> = ratios(pairs, way)
            .map(|ratio| format!("{ratio:.2}"))
            .collect();
        if !ratios.is_empty() {
            let (heading, ratios) = (way.heading(), ratios.join(", "));
            writeln!(
                out,
                "CPU a request, handler to {heading}, pair by pair: {ratios}"
            )?;
        }
    }
    print_bound(&mut out, pairs, bound)
}

pub(crate) fn print_alone(sweep: &Sweep) -> Outcome<()> {
    print_columns(&mut io::stdout().lock(), &[("handler", vec![&sweep.cost])])
}

fn handlers(pairs: &[Pair]) -> Vec<&Cost> {
    pairs.iter().map(|pair| &pair.handler.cost).collect()
}

fn print_columns(out: &mut impl Write, columns: &[(&str, Vec<&Cost>)]) -> Outcome<()> {
    write!(out, "{:28}", "medians")?;
    for (heading, _) in columns {
        write!(out, "{heading:>14}")?;
    }
    writeln!(out)?;
    for (name, of, digits) in ROWS {
        write!(out, "{name:28}")?;
        for (_, costs) in columns {
            let figure = median(costs.iter().map(|cost| of(cost)));
            write!(out, "{figure:>14.digits$}")?;
        }
        writeln!(out)?;
    }
    for (name, of) in COUNTS {
        write!(out, "{name:28}")?;
        for (_, costs) in columns {
            write!(out, "{:>14}", costs.first().map_or(0, |cost| of(cost)))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn print_bound(out: &mut impl Write, pairs: &[Pair], bound: &Bound) -> Outcome<()> {
    let seconds = |duration: Duration| duration.as_secs_f64();
    writeln!(
        out,
        "bound: {} requests ÷ {PARALLEL_REQUESTS} × latency = {:.1} s; a chain of {} × latency = {:.1} s",
        bound.shape.requests,
        seconds(bound.by_concurrency()),
        bound.shape.chain,
        seconds(bound.by_chain())
    )?;
    if bound.latency > Duration::ZERO {
        let times: Vec<String> = handlers(pairs)
            .into_iter()
            .map(|cost| seconds(cost.wall) / seconds(bound.least()))
            .map(|times| format!("{times:.2}"))
            .collect();
        writeln!(out, "wall to bound, sweep by sweep: {}", times.join(", "))?;
    }
    Ok(())
}
