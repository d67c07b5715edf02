//! The process: reads its environment, starts logging, and runs one command.
//!
//! The only user of the environment, the clock behind the log's stamps, and
//! the exit code. Everything that can be tested without a process is elsewhere.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use terminate_clusters::cli::{
    self, AllowedDoctor, AllowedGrant, AllowedSweep, AllowedWhy, Cli, Command, Desk, DoctorCommand,
    DoctorTask, Exit, GrantCommand, PolicyCommand, PrintedGrants, PrintedReport, Progress,
    SweepCommand, WhyCommand,
};
use terminate_clusters::clock::{Clock, SystemClock};
use terminate_clusters::doctor::record::Target;
use terminate_clusters::doctor::{DoctorRequest, Examination};
use terminate_clusters::grant::Totals;
use terminate_clusters::host::{self, LogReport, SweepFn, SweepOutcome};
use terminate_clusters::logging::{self, Output};
use terminate_clusters::report::Closing;
use terminate_clusters::settings::{self, Environment, Settings, SettingsError};
use terminate_clusters::sweep::{ReportSink, Scope, Sweep, SweepRequest};
use terminate_clusters::timestamp::Timestamp;
use terminate_clusters::why::{self, Answer, WhyRequest};
use terminate_clusters::wiring::{self, WiringError};
use tokio::time::Instant;

/// An answer is read into many small pieces, and glibc's allocator took a sixth of a
/// sweep's CPU for them (`docs/scale.md`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LOCAL_SETTINGS: &str = "local.settings.json";

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            let code = u8::try_from(error.exit_code()).unwrap_or(Exit::Usage.code());
            return ExitCode::from(code);
        }
    };
    let exit = match cli.command {
        Command::Serve => serve(),
        Command::Sweep(command) => sweep(&command),
        Command::Policy(command) => policy(&command),
        Command::Why(command) => why(&command),
        Command::Grant(command) => grant(&command),
        Command::Doctor(command) => doctor(&command),
    };
    exit.into()
}

/// Answers the host. Binds before anything else is looked at: the host waits
/// for the port, and reports wrong settings only through an invocation.
fn serve() -> Exit {
    let environment = Environment::from_pairs(std::env::vars_os());
    start_logging(&environment, Output::Host);
    let port = match settings::port(&environment) {
        Ok(port) => port,
        Err(problem) => return refuse([problem]),
    };
    let served = on_runtime(async {
        let listener = host::bind(port).await?;
        host::serve(listener, sweep_on_invocation(environment)).await
    });
    match served {
        Ok(()) => tracing::error!("Stopped listening on port {port}"),
        Err(error) => tracing::error!("Could not serve on port {port}: {error}"),
    }
    Exit::Failure
}

/// Settings are read by each invocation, so that a mistake fails the
/// invocation, where an operator looks, and not the start of the process.
fn sweep_on_invocation(environment: Environment) -> SweepFn {
    let environment = Arc::new(environment);
    Arc::new(move |_| {
        let environment = Arc::clone(&environment);
        Box::pin(async move {
            match read_settings(&environment) {
                Ok(settings) => run_invoked_sweep(&settings).await,
                Err(error) => SweepOutcome {
                    failed: true,
                    summary: error.mistakes().iter().map(ToString::to_string).collect(),
                },
            }
        })
    })
}

async fn run_invoked_sweep(settings: &Settings) -> SweepOutcome {
    let request = SweepRequest {
        mode: settings.mode,
        scope: Scope::All,
        deadline: Instant::now() + settings.invocation_deadline(),
    };
    match run_sweep(settings, &request, &mut LogReport).await {
        Ok(closing) => SweepOutcome {
            failed: closing.failed(),
            summary: vec![closing.summary()],
        },
        Err(error) => SweepOutcome {
            failed: true,
            summary: vec![error.to_string()],
        },
    }
}

async fn run_sweep(
    settings: &Settings,
    request: &SweepRequest,
    sink: &mut dyn ReportSink,
) -> Result<Closing, WiringError> {
    let sweep = wired(settings)?;
    Ok(sweep.run(request, sink).await)
}

/// Sweeps once for a person or a script.
fn sweep(command: &SweepCommand) -> Exit {
    let settings = match command_line_settings() {
        Ok(settings) => settings,
        Err(exit) => return exit,
    };
    match command.within(&settings) {
        Ok(allowed) => run_asked_sweep(&settings, &allowed),
        Err(problems) => refuse(problems),
    }
}

fn run_asked_sweep(settings: &Settings, allowed: &AllowedSweep) -> Exit {
    let names = allowed
        .workspaces
        .iter()
        .map(|workspace| workspace.name.clone());
    let scope = Scope::Only(names.collect());
    let mut sink = PrintedReport::new(allowed.json, Progress::to_stderr());
    let swept = on_runtime(async {
        let request = SweepRequest {
            mode: allowed.mode,
            scope,
            deadline: Instant::now() + settings.limits.sweep_deadline,
        };
        Ok(run_sweep(settings, &request, &mut sink).await)
    });
    match ended(swept) {
        Ok(closing) if closing.failed() => Exit::Failure,
        Ok(_) => Exit::AllSeen,
        Err(exit) => exit,
    }
}

/// The parts of one sweep of the real cloud.
fn wired(settings: &Settings) -> Result<Sweep, WiringError> {
    let transport = wiring::transport(settings)?;
    wiring::sweep(settings, transport)
}

/// What came of a command, or the exit if it could not be put together or begin.
fn ended<T>(ran: io::Result<Result<T, WiringError>>) -> Result<T, Exit> {
    match ran {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(refuse([error])),
        Err(error) => {
            tracing::error!("Could not start: {error}");
            Err(Exit::Failure)
        }
    }
}

/// Tries a policy out, for a person or a pipeline.
fn policy(command: &PolicyCommand) -> Exit {
    let environment = match command_line_environment() {
        Ok(environment) => environment,
        Err(problem) => return refuse([problem]),
    };
    let told = command.run(Desk {
        environment: &environment,
        working_directory: &working_directory(),
        read_file: &|path| std::fs::read_to_string(path),
        now: wall_clock(),
    });
    match told {
        Ok(told) => {
            // A reader who has gone away is no error.
            let _ = io::stdout().lock().write_all(told.text.as_bytes());
            told.exit
        }
        Err(mistakes) => refuse(mistakes),
    }
}

/// Explains one cluster to a person or a script.
fn why(command: &WhyCommand) -> Exit {
    let settings = match command_line_settings() {
        Ok(settings) => settings,
        Err(exit) => return exit,
    };
    let allowed = match command.within(&settings) {
        Ok(allowed) => allowed,
        Err(problems) => return refuse(problems),
    };
    Progress::to_stderr().tell("looking for the cluster …");
    match ended(on_runtime(async { Ok(run_why(&settings, &allowed).await) })) {
        Ok(answer) => allowed.tell(&answer),
        Err(exit) => exit,
    }
}

async fn run_why(settings: &Settings, allowed: &AllowedWhy) -> Result<Answer, WiringError> {
    let sweep = wired(settings)?;
    let request = WhyRequest {
        cluster: allowed.cluster.clone(),
        scope: allowed.scope.clone(),
        deadline: Instant::now() + settings.limits.sweep_deadline,
    };
    Ok(why::why(&sweep, &request).await)
}

/// Shows or gives what principals lack, for a person or a script.
fn grant(command: &GrantCommand) -> Exit {
    let settings = match command_line_settings() {
        Ok(settings) => settings,
        Err(exit) => return exit,
    };
    let allowed = match command.within(&settings) {
        Ok(allowed) => allowed,
        Err(problems) => return refuse(problems),
    };
    let mut sink = PrintedGrants::new(allowed.json, Progress::to_stderr());
    let ran = on_runtime(async { Ok(run_grant(&settings, &allowed, &mut sink).await) });
    match ended(ran) {
        Ok(totals) if totals.failed() => Exit::Failure,
        Ok(_) => Exit::AllSeen,
        Err(exit) => exit,
    }
}

async fn run_grant(
    settings: &Settings,
    allowed: &AllowedGrant,
    sink: &mut PrintedGrants,
) -> Result<Totals, WiringError> {
    let transport = wiring::transport(settings)?;
    let deadline = Instant::now() + settings.limits.sweep_deadline;
    let grants = wiring::grants(settings, allowed, transport, deadline)?;
    Ok(grants.run(sink).await)
}

/// Finds out what is missing, for a person or a script.
fn doctor(command: &DoctorCommand) -> Exit {
    let environment = match command_line_environment() {
        Ok(environment) => environment,
        Err(problem) => return refuse([problem]),
    };
    start_logging(&environment, Output::CommandLine);
    let settings = match read_settings(&environment) {
        Ok(settings) => settings,
        Err(error) if command.examines() => {
            let mistakes = error.mistakes().iter().map(ToString::to_string);
            cli::tell_examination(&Examination::of_mistakes(mistakes), command.json);
            return Exit::Usage;
        }
        Err(error) => return refuse(error.mistakes()),
    };
    let allowed = match command.within(&settings) {
        Ok(allowed) => allowed,
        Err(problems) => return refuse(problems),
    };
    match ended(on_runtime(async {
        Ok(run_doctor(&settings, &allowed).await)
    })) {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn run_doctor(settings: &Settings, allowed: &AllowedDoctor) -> Result<Exit, WiringError> {
    let doctor = wiring::doctor(settings, wiring::transport(settings)?)?;
    let request = DoctorRequest {
        scope: allowed.scope.clone(),
        deadline: Instant::now() + settings.limits.sweep_deadline,
    };
    let progress = Progress::to_stderr();
    let tell = |line: &str| progress.tell(line);
    Ok(match &allowed.task {
        DoctorTask::Examine => {
            let examination = doctor.examine(&request, &tell).await;
            cli::tell_examination(&examination, allowed.json)
        }
        DoctorTask::Record(folder) => match Target::prepare(folder) {
            Ok(target) => {
                let recorded = doctor.record(&request, &tell).await;
                let written = target.write(&recorded.workspaces);
                cli::tell_record(folder, &written, &recorded.no_tokens)
            }
            Err(error) => refuse([error]),
        },
        DoctorTask::Probe { cluster, port } => {
            let answer = doctor.probe(&request, cluster, *port).await;
            cli::tell_probe(allowed, &answer)
        }
    })
}

/// Starts logging and reads the settings; the exit if they cannot be read.
fn command_line_settings() -> Result<Settings, Exit> {
    let environment = command_line_environment().map_err(|problem| refuse([problem]))?;
    start_logging(&environment, Output::CommandLine);
    read_settings(&environment).map_err(|error| refuse(error.mistakes()))
}

/// The environment, then the `Values` of `local.settings.json`, if there is one.
fn command_line_environment() -> Result<Environment, String> {
    let environment = Environment::from_pairs(std::env::vars_os());
    match std::fs::read_to_string(working_directory().join(LOCAL_SETTINGS)) {
        Ok(text) => Ok(environment.or_local_values(settings::local_values(&text)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(environment),
        Err(error) => Err(format!("{LOCAL_SETTINGS} could not be read: {error}")),
    }
}

fn read_settings(environment: &Environment) -> Result<Settings, SettingsError> {
    let read_file = |path: &Path| std::fs::read_to_string(path);
    let settings = Settings::read(environment, &working_directory(), &read_file)?;
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    Ok(settings)
}

fn working_directory() -> PathBuf {
    std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."))
}

/// A wrong filter is reported with all other mistakes; until then the default holds.
fn start_logging(environment: &Environment, output: Output) {
    let given = environment.get(settings::LOG.name);
    let filter = given.and_then(|text| logging::parse_filter(text).ok());
    let filter = filter.unwrap_or_else(|| output.default_filter());
    if let Err(problem) = logging::init(filter, output, wall_clock) {
        refuse([problem]);
    }
    logging::install_panic_hook();
}

/// One thread serves: a sweep waits for answers and hardly computes.
fn on_runtime<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

fn refuse(problems: impl IntoIterator<Item = impl std::fmt::Display>) -> Exit {
    let mut stderr = io::stderr().lock();
    for problem in problems {
        let _ = writeln!(stderr, "error: {problem}");
    }
    Exit::Usage
}

fn wall_clock() -> Timestamp {
    SystemClock.now()
}
