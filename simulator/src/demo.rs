//! The demo: the handler's binary in the pretend Functions host, before the estate, once in report mode and
//! once in terminate mode, each judged against what is written down beside the estate.
//!
//! The binary is configured as an operator would configure it: `host.json` and the timer of the repository,
//! a policy file, app settings. What it does is read from the host's log and from the simulator's record; what
//! became of the clusters is read from the world. Builds nothing and knows no code of the handler.

mod compare;
mod seen;
mod show;

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::Path;

use crate::estate::{self, Expected, Fate};
use crate::host::{FailureCause, FunctionsHost, InvocationOutcome, TimerInvocation};
use crate::{Match, Simulator, Times, When};
use compare::Wanted;
use seen::Seen;

/// What one life of the host is for.
struct Life {
    title: &'static str,
    /// `TERMINATE_CLUSTERS_MODE`; unset is what a fresh install has.
    mode: Option<&'static str>,
    wanted: Wanted,
}

const REPORT: Life = Life {
    title: "Report mode: what a fresh install does",
    mode: None,
    wanted: Wanted {
        fate: report_fate,
        totals: &estate::REPORT_TOTALS,
    },
};

const TERMINATE: Life = Life {
    title: "Terminate mode: switched on by TERMINATE_CLUSTERS_MODE=terminate",
    mode: Some("terminate"),
    wanted: Wanted {
        fate: terminate_fate,
        totals: &estate::TERMINATE_TOTALS,
    },
};

fn report_fate(row: &Expected) -> Fate {
    row.report
}

fn terminate_fate(row: &Expected) -> Fate {
    row.terminate
}

/// Runs the demo with a handler's binary; `root` is the repository, of which only `host.json` and the timer
/// are taken. Writes both reports, and gives everything that differs from what is written down.
///
/// # Errors
/// If the simulator or the host cannot be started, or the reports cannot be written.
pub async fn run(
    handler: &Path,
    root: &Path,
    out: &mut dyn Write,
) -> Result<Vec<String>, Box<dyn Error>> {
    let simulator = Simulator::start(estate::world())?;
    let app = simulator.directory().join("app");
    write_app(&app, root, &estate::policy(&simulator))?;
    let mut differences = live(&REPORT, handler, &app, &simulator, out).await?;
    simulator.forget_record();
    let (workspace, cluster) = estate::CAME_BACK;
    let id = simulator.world(|world| world.cluster_id(workspace, cluster));
    simulator.hook(
        Match::path("/clusters/get").cluster(&id),
        Times::First(1),
        When::Before,
        move |world| world.restart_cluster(workspace, cluster),
    );
    differences.extend(live(&TERMINATE, handler, &app, &simulator, out).await?);
    Ok(differences)
}

/// Writes the app's folder as it would be deployed, without the binary.
///
/// # Errors
/// If a file cannot be read or written.
pub fn write_app(app: &Path, root: &Path, policy: &str) -> std::io::Result<()> {
    let timer = Path::new("TerminateClusters");
    fs::create_dir_all(app.join(timer))?;
    for file in [Path::new("host.json"), &timer.join("function.json")] {
        fs::copy(root.join(file), app.join(file))?;
    }
    fs::write(app.join("terminate-clusters.toml"), policy)
}

/// One life of the host, in which the timer fires once.
async fn live(
    life: &Life,
    handler: &Path,
    app: &Path,
    simulator: &Simulator,
    out: &mut dyn Write,
) -> Result<Vec<String>, Box<dyn Error>> {
    let before = simulator.world(|world| compare::states(world));
    let mut builder = FunctionsHost::builder(app).clear_env().executable(handler);
    for (name, value) in simulator.env() {
        builder = builder.env(name, value);
    }
    if let Some(mode) = life.mode {
        builder = builder.env("TERMINATE_CLUSTERS_MODE", mode);
    }
    let host = builder.start().await?;
    let outcome = host.invoke_timer(TimerInvocation::new()).await;
    let log = host.stop();
    let seen = Seen::read(&log);
    writeln!(out, "\n{}\n{}", life.title, "=".repeat(life.title.len()))?;
    show::report(out, &seen)?;
    writeln!(out, "The host says: the invocation {outcome}")?;
    let record = simulator.record();
    let found = simulator.world(|world| {
        let wanted = life.wanted;
        let mut found = invocation(&outcome);
        found.extend(failures(&seen));
        found.extend(compare::lines(&seen, wanted, world));
        found.extend(compare::totals(&seen, wanted));
        found.extend(compare::world(world, &before, wanted));
        found.extend(compare::requests(&record, wanted, world));
        found.extend(leaks(&log, &world.secrets()));
        found
    });
    if seen.totals.is_none() {
        writeln!(out, "\nThe host's whole log:")?;
        for record in &log {
            writeln!(out, "  {}", record.text.escape_debug())?;
        }
    }
    let mode = life.mode.unwrap_or("report");
    Ok(found
        .into_iter()
        .map(|difference| format!("{mode} mode: {difference}"))
        .collect())
}

/// One workspace cannot be seen, so the handler must not let the invocation pass for a success.
fn invocation(outcome: &InvocationOutcome) -> Vec<String> {
    let expected = InvocationOutcome::Failed(FailureCause::Status(500));
    if *outcome == expected {
        return Vec::new();
    }
    vec![format!(
        "the invocation {outcome}; expected that it {expected}"
    )]
}

fn failures(seen: &Seen) -> Vec<String> {
    let (workspace, problem) = estate::NOT_SEEN;
    let is_expected = |sentence: &String| {
        sentence.contains(&format!("`{workspace}`")) && sentence.contains(problem)
    };
    match seen.failures.as_slice() {
        [sentence] if is_expected(sentence) => Vec::new(),
        others => vec![format!(
            "the failures are {others:?}; expected one, {problem} in `{workspace}`"
        )],
    }
}

fn leaks(log: &[crate::host::LogRecord], secrets: &[String]) -> Vec<String> {
    let shown = |secret: &&String| {
        log.iter()
            .any(|record| record.text.contains(secret.as_str()))
    };
    match secrets.iter().filter(shown).count() {
        0 => Vec::new(),
        count => vec![format!("{count} secrets or tokens stand in the log")],
    }
}
