//! `cargo scale`: what a sweep of hundreds of workspaces costs.
//!
//! It runs the handler's release build under the pretend Functions host against the pretend cloud, which is a
//! process of its own so that its CPU is told apart, and beside it, in turns, a plain Go client that sends the
//! same requests. It prints wall, CPU, memory and requests beside the bound that latency and concurrency set.
//!
//! Ends with 0 if what is judged holds, with 1 if not, with 2 if it could not measure. What is judged at which
//! size stands in `docs/scale.md`. Changes nothing in the repository but the build folder.

mod arguments;
mod build;
mod cloud;
mod cost;
mod figures;
mod handler;
mod plain;
mod process;
mod recording;
mod table;

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use arguments::{Task, Wishes};
use cloud::Cloud;
use figures::{Bound, Pair, Verdicts};
use plain::Way;

/// The pretend cloud's CPU is part of each answer's time, and a good third of it was glibc's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let outcome = match arguments::read(std::env::args_os().skip(1)) {
        Ok(Task::Measure(wishes)) => measure(&wishes).await,
        Ok(Task::BeTheCloud {
            workspaces,
            clusters,
        }) => cloud::be(workspaces, clusters).map(|()| true),
        Err(error) => Err(error),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            // Nobody is left to tell when stderr is gone.
            drop(writeln!(io::stderr(), "scale: {error}"));
            ExitCode::from(2)
        }
    }
}

/// Measures and prints; whether all that is judged holds.
async fn measure(wishes: &Wishes) -> Outcome<bool> {
    let built = build::everything(wishes)?;
    let mut cloud = Cloud::start(wishes.workspaces, wishes.clusters)?;
    say(format_args!(
        "{} workspaces × {} clusters, {} ms latency, {} requests at a time; {} processors",
        wishes.workspaces,
        wishes.clusters,
        wishes.latency.as_millis(),
        simulator::scale::PARALLEL_REQUESTS,
        process::processors(),
    ))?;
    if wishes.large {
        return large(wishes, &built, &mut cloud).await;
    }
    // Not measured: it tells which requests there are, and brings every file into memory.
    let recording = cloud.directory().join("requests.jsonl");
    cloud.record()?;
    handler::sweep(&mut cloud, &built.handler, wishes).await?;
    let bound = Bound::read(&cloud.write_recording(&recording)?, wishes.latency);
    cloud.set_latency(wishes.latency)?;
    let mut pairs = Vec::new();
    for number in 1..=wishes.pairs {
        cloud.count()?;
        let handler = handler::sweep(&mut cloud, &built.handler, wishes).await?;
        let mut plain = Vec::new();
        if let Some(client) = &built.plain {
            for way in Way::ALL {
                cloud.count()?;
                plain.push((way, plain::run(client, &mut cloud, &recording, way)?));
            }
        }
        progress(number, wishes.pairs, &handler)?;
        pairs.push(Pair { handler, plain });
    }
    let verdicts = Verdicts::of(&pairs, &bound, wishes);
    table::print(&pairs, &bound)?;
    verdicts.print()
}

/// One sweep of a size at which only memory and CPU count.
async fn large(wishes: &Wishes, built: &build::Built, cloud: &mut Cloud) -> Outcome<bool> {
    cloud.set_latency(wishes.latency)?;
    cloud.count()?;
    let handler = handler::sweep(cloud, &built.handler, wishes).await?;
    let verdicts = Verdicts::of_large(&handler);
    table::print_alone(&handler)?;
    verdicts.print()
}

fn progress(number: usize, pairs: usize, handler: &handler::Sweep) -> io::Result<()> {
    let wall = Duration::as_secs_f64(&handler.cost.wall);
    writeln!(io::stderr(), "pair {number} of {pairs}: {wall:.1} s")
}

fn say(line: impl Display) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}
