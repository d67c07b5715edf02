//! Measures what the host's users wait and pay for: how long the handler takes
//! from its start to its first answer, against a bare axum server in the same
//! run, and how much memory it holds after many invocations that find nothing
//! to do. Ends non-zero where a limit is exceeded.
//!
//! It measures and judges; it changes nothing in the repository but the build
//! folder. `cargo cold-start` runs it in the release profile.

use std::error::Error;
use std::ffi::OsString;
use std::fmt::{self, Display};
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::Duration;

use simulator::host::{FunctionsHost, PortReservation, TimerInvocation};
use simulator::release::{self, HANDLER};
use tokio::time::Instant;

const DEFAULT_PAIRS: usize = 50;
const INVOCATIONS: usize = 50;
const MOST_TIMES_BARE: f64 = 1.5;
const MOST_IDLE_KIB: u64 = 12 * 1024;
const POLL: Duration = Duration::from_micros(50);
const START_LIMIT: Duration = Duration::from_secs(30);

/// A complete configuration that asks for nothing: report mode, and a policy
/// without workspaces.
const SETTINGS: [(&str, &str); 6] = [
    ("TERMINATE_CLUSTERS_MODE", "report"),
    (
        "TERMINATE_CLUSTERS_KEY_VAULT_URL",
        "https://cold-start.vault.azure.net/",
    ),
    ("TERMINATE_CLUSTERS_TENANT_ID_SECRET", "tenant-id"),
    ("TERMINATE_CLUSTERS_CLIENT_ID_SECRET", "client-id"),
    ("TERMINATE_CLUSTERS_CLIENT_SECRET_SECRET", "client-secret"),
    (
        "TERMINATE_CLUSTERS_POLICY",
        "[policy]\nidle_after = \"2h\"\n",
    ),
];

const USAGE: &str = "usage: cold_start [--pairs N] [--handler PATH]";

type Outcome<T> = Result<T, Box<dyn Error>>;

struct Wishes {
    pairs: usize,
    handler: Option<PathBuf>,
}

/// The binaries to compare; the handler is started with `serve`.
struct Contestants {
    handler: PathBuf,
    bare: PathBuf,
}

/// Times in ascending order, never empty.
struct Samples(Vec<Duration>);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match measure_all().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            // Nobody is left to tell when stderr is gone.
            drop(writeln!(io::stderr(), "cold_start: {error}"));
            ExitCode::from(2)
        }
    }
}

/// Whether both limits hold.
async fn measure_all() -> Outcome<bool> {
    let wishes = read_arguments(std::env::args_os().skip(1))?;
    let contestants = Contestants {
        handler: match wishes.handler {
            Some(path) => path,
            None => release::build(HANDLER, HANDLER)?,
        },
        bare: release::build("simulator", "bare_axum")?,
    };
    let starts_fast = compare_starts(&contestants, wishes.pairs)?;
    let stays_small = weigh(&release::root(), &contestants.handler).await?;
    Ok(starts_fast && stays_small)
}

fn read_arguments(arguments: impl Iterator<Item = OsString>) -> Outcome<Wishes> {
    let mut wishes = Wishes {
        pairs: DEFAULT_PAIRS,
        handler: None,
    };
    let mut arguments = arguments;
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or(USAGE)?;
        match name.to_str() {
            Some("--pairs") => {
                let pairs = value.to_str().and_then(|text| text.parse().ok());
                wishes.pairs = pairs.filter(|pairs| *pairs > 0).ok_or(USAGE)?;
            }
            Some("--handler") => wishes.handler = Some(value.into()),
            Some(_) | None => return Err(USAGE.into()),
        }
    }
    Ok(wishes)
}

fn compare_starts(contestants: &Contestants, pairs: usize) -> Outcome<bool> {
    let reservation = PortReservation::new()?;
    let port = reservation.port()?;
    let mut handler_times = Vec::with_capacity(pairs);
    let mut bare_times = Vec::with_capacity(pairs);
    // The first pair finds neither file in memory and is not counted.
    for pair in 0..=pairs {
        let handler = time_start(&contestants.handler, &["serve"], port)?;
        let bare = time_start(&contestants.bare, &[], port)?;
        if pair > 0 {
            handler_times.push(handler);
            bare_times.push(bare);
        }
    }
    let handler = Samples::of(handler_times);
    let bare = Samples::of(bare_times);
    let ratio = handler.at(50).as_secs_f64() / bare.at(50).as_secs_f64();
    say(format_args!(
        "start to first answer, {pairs} pairs, alternating"
    ))?;
    say(format_args!("  handler    {handler}"))?;
    say(format_args!("  bare axum  {bare}"))?;
    say(format_args!(
        "  ratio of medians {ratio:.2}, at most {MOST_TIMES_BARE}: {}",
        verdict(ratio <= MOST_TIMES_BARE)
    ))?;
    Ok(ratio <= MOST_TIMES_BARE)
}

/// From the start of a process to the first byte of its answer to `GET /`.
fn time_start(binary: &Path, arguments: &[&str], port: u16) -> Outcome<Duration> {
    let mut command = Command::new(binary);
    command
        .args(arguments)
        .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
        .envs(SETTINGS)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let started = Instant::now();
    let mut child = command.spawn()?;
    let answered = until_answer(&mut child, port, started);
    let after = started.elapsed();
    child.kill()?;
    child.wait()?;
    match answered {
        Ok(()) => Ok(after),
        Err(error) => Err(format!("{}: {error}", binary.display()).into()),
    }
}

fn until_answer(child: &mut Child, port: u16, started: Instant) -> Outcome<()> {
    while !is_answered(port)? {
        if let Some(status) = child.try_wait()? {
            return Err(format!("ended before its first answer with {status}").into());
        }
        if started.elapsed() > START_LIMIT {
            return Err("gave no answer".into());
        }
        sleep(POLL);
    }
    Ok(())
}

/// Whether `GET /` is answered with 200; `false` while nobody listens.
fn is_answered(port: u16) -> Outcome<bool> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let Ok(mut stream) = TcpStream::connect(address) else {
        return Ok(false);
    };
    stream.set_read_timeout(Some(START_LIMIT))?;
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n").as_bytes())?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    if head.starts_with(b"HTTP/1.1 200") {
        Ok(true)
    } else {
        let head = String::from_utf8_lossy(&head).into_owned();
        Err(format!("answered `{head}` instead of 200").into())
    }
}

/// Runs the handler under the host with a policy that names no workspace, and
/// reads its memory when it rests.
async fn weigh(root: &Path, handler: &Path) -> Outcome<bool> {
    let mut builder = FunctionsHost::builder(root).executable(handler).clear_env();
    for (name, value) in SETTINGS {
        builder = builder.env(name, value);
    }
    let host = builder.start().await?;
    let before = host.handler_pid().ok_or("the handler is gone")?;
    for number in 1..=INVOCATIONS {
        let outcome = host.invoke_timer(TimerInvocation::new()).await;
        if let Err(failure) = outcome.success() {
            let log: Vec<String> = host.logs().into_iter().map(|record| record.text).collect();
            return Err(format!("invocation {number} {failure}\n{}", log.join("\n")).into());
        }
    }
    let pid = host.handler_pid().ok_or("the handler is gone")?;
    if pid != before {
        return Err("the handler was restarted meanwhile".into());
    }
    let resident = resident_kib(pid)?;
    let is_small = resident <= MOST_IDLE_KIB;
    say(format_args!(
        "idle memory after {INVOCATIONS} invocations of an empty policy\n  \
         {:.1} MiB resident, at most {} MiB: {}",
        f64::from(u32::try_from(resident)?) / 1024.0,
        MOST_IDLE_KIB / 1024,
        verdict(is_small)
    ))?;
    Ok(is_small)
}

/// `VmRSS` of a process, in KiB.
fn resident_kib(pid: u32) -> Outcome<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(number.ok_or("no VmRSS in /proc")?.trim().parse()?)
}

fn verdict(holds: bool) -> &'static str {
    if holds { "ok" } else { "EXCEEDED" }
}

fn say(line: impl Display) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

impl Samples {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// The time that so many percent of the samples do not exceed.
    fn at(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or_default()
    }
}

impl Display for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = |percent| self.at(percent).as_secs_f64() * 1000.0;
        write!(
            f,
            "median {:.2} ms, p90 {:.2} ms",
            milliseconds(50),
            milliseconds(90)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(words: &[&str]) -> Outcome<Wishes> {
        read_arguments(words.iter().map(OsString::from))
    }

    #[test]
    fn the_median_and_p90_are_ranks_of_the_samples() {
        let samples = Samples::of((1..=10).rev().map(Duration::from_millis).collect());
        assert_eq!(samples.at(50), Duration::from_millis(5));
        assert_eq!(samples.at(90), Duration::from_millis(9));
        assert_eq!(samples.at(100), Duration::from_millis(10));
        assert_eq!(Samples::of(vec![POLL]).at(50), POLL);
    }

    #[test]
    fn arguments_are_two_options_and_nothing_else() {
        let wishes = arguments(&["--pairs", "3", "--handler", "x"]).expect("wishes");
        assert_eq!((wishes.pairs, wishes.handler), (3, Some("x".into())));
        assert_eq!(arguments(&[]).expect("defaults").pairs, DEFAULT_PAIRS);
        for refused in [
            &["--pairs"][..],
            &["--pairs", "0"],
            &["--pairs", "x"],
            &["x", "y"],
        ] {
            assert!(arguments(refused).is_err(), "{refused:?}");
        }
    }

    #[test]
    fn the_memory_of_a_living_process_is_read() {
        assert!(resident_kib(std::process::id()).expect("a number") > 0);
        assert!(resident_kib(u32::MAX).is_err());
    }
}
