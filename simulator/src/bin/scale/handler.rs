//! One sweep of the handler, as the Functions host makes it: a process of its own, one invocation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use simulator::demo;
use simulator::host::{FunctionsHost, LogRecord, TimerInvocation};
use simulator::release;
use tokio::time::Instant;

use crate::arguments::Wishes;
use crate::cloud::{Cloud, Told};
use crate::cost::Cost;
use crate::{Outcome, process};

/// Far more than the largest sweep takes.
const FUNCTION_TIMEOUT: &str = "02:00:00";
const SAMPLE_EVERY: Duration = Duration::from_millis(50);
/// Lines of the log that are shown of a sweep that went wrong.
const LAST_LINES: usize = 20;

/// One sweep.
#[derive(Clone, Debug)]
pub(crate) struct Sweep {
    pub(crate) cost: Cost,
    pub(crate) told: Told,
    /// Resident memory in KiB after a third of the time and at the end.
    pub(crate) third_kib: u64,
    pub(crate) end_kib: u64,
}

/// The totals in the log's last line.
#[derive(Debug, Deserialize)]
struct Closing {
    totals: Totals,
    token_requests: u64,
}

#[derive(Debug, Deserialize)]
struct Totals {
    clusters: usize,
    outcomes: BTreeMap<String, usize>,
    kept: BTreeMap<String, usize>,
    failures: usize,
}

/// Starts the handler, lets it sweep once, and makes sure that it did the whole work.
pub(crate) async fn sweep(
    cloud: &mut Cloud,
    handler: &std::path::Path,
    wishes: &Wishes,
) -> Outcome<Sweep> {
    let app = cloud.directory().join("app");
    let policy = std::fs::read_to_string(cloud.policy())?;
    demo::write_app(&app, &release::root(), &policy)?;
    let mut builder = FunctionsHost::builder(&app)
        .clear_env()
        .executable(handler)
        .env("AzureFunctionsJobHost__functionTimeout", FUNCTION_TIMEOUT);
    for (name, value) in cloud.environment() {
        builder = builder.env(name, value);
    }
    let host = builder.start().await?;
    let pid = host.handler_pid().ok_or("the handler is gone")?;
    let before = (process::cpu(pid)?, cloud.cpu()?, process::machine()?);
    let sampler = Sampler::start(pid);
    let began = Instant::now();
    let outcome = host.invoke_timer(TimerInvocation::new()).await;
    let wall = began.elapsed();
    let samples = sampler.stop();
    // Before it is stopped, because a process that is gone has no memory to read.
    let peak_kib = process::memory(pid)?.peak;
    let told = cloud.tell()?;
    let cost = Cost {
        wall,
        cpu: process::cpu(pid)?.saturating_sub(before.0),
        cloud_cpu: cloud.cpu()?.saturating_sub(before.1),
        idle: process::machine()?.idle_since(before.2),
        peak_kib,
        requests: told.requests,
        connects: told.connects,
        most_open: told.most_open,
    };
    let log = host.stop();
    if let Err(failure) = outcome.success() {
        return Err(format!("the invocation {failure}\n{}", last_lines(&log)).into());
    }
    check(&log, &told, wishes).map_err(|why| format!("{why}\n{}", last_lines(&log)))?;
    Ok(Sweep {
        cost,
        told,
        third_kib: samples.get(samples.len() / 3).copied().unwrap_or(0),
        end_kib: samples.last().copied().unwrap_or(0),
    })
}

/// A sweep that left something out would be cheap.
fn check(log: &[LogRecord], told: &Told, wishes: &Wishes) -> Result<(), String> {
    if let Some(violation) = told.violations.first() {
        return Err(format!("nobody arranged {violation}"));
    }
    if told.mutating > 0 {
        return Err("report mode changed something".to_owned());
    }
    let closing = log.iter().rev().find_map(|record| {
        let (_, line) = record.text.split_once(" Swept: ")?;
        let json = &line[line.find('{')?..];
        // The fields of the log's spans follow the object.
        let mut objects = serde_json::Deserializer::from_str(json).into_iter::<Closing>();
        objects.next()?.ok()
    });
    let Closing {
        totals,
        token_requests,
    } = closing.ok_or("the log has no totals")?;
    let mut found = totals.kept;
    let idle = ["would_terminate", "deferred"].map(|word| totals.outcomes.get(word).unwrap_or(&0));
    found.insert("idle".to_owned(), idle.into_iter().sum());
    found.retain(|_, count| *count > 0);
    let expected = simulator::scale::outcomes(wishes.workspaces, wishes.clusters);
    if found != expected || totals.clusters != wishes.workspaces * wishes.clusters {
        return Err(format!("it found {found:?} instead of {expected:?}"));
    }
    if totals.failures > 0 || token_requests != told.token_requests {
        return Err(format!(
            "{} failures, {token_requests} tokens instead of {}",
            totals.failures, told.token_requests
        ));
    }
    Ok(())
}

fn last_lines(log: &[LogRecord]) -> String {
    let from = log.len().saturating_sub(LAST_LINES);
    let lines = log.get(from..).unwrap_or_default().iter();
    let lines: Vec<&str> = lines.map(|record| record.text.as_str()).collect();
    lines.join("\n")
}

/// Reads a process's resident memory at even intervals.
struct Sampler {
    is_over: Arc<AtomicBool>,
    thread: thread::JoinHandle<Vec<u64>>,
}

impl Sampler {
    fn start(pid: u32) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            let mut samples = Vec::new();
            while !seen.load(Ordering::Relaxed) {
                samples.extend(process::memory(pid).map(|memory| memory.now));
                thread::sleep(SAMPLE_EVERY);
            }
            samples
        });
        Self { is_over, thread }
    }

    fn stop(self) -> Vec<u64> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}
