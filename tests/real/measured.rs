//! Processes under test, and what the operating system says that they took.
//!
//! CPU time comes from `/proc/PID/stat`, traffic from `/proc/PID/io`: the
//! process's own figures, so nothing else on the machine is in them. Time is
//! told by one more process that does nothing but spin: each second of CPU time
//! that it gets stands for one minute. It shares its processor with those that
//! are measured, so on a machine under load a minute takes longer and what a
//! process takes of it stays the same. Nothing here judges.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Ticks a second in `/proc/PID/stat`: a constant of Linux's interface (`proc_pid_stat(5)`, `USER_HZ`).
const TICKS: f64 = 100.0;

/// How often the time is looked at: less than a hundredth of a minute.
const GLANCE: Duration = Duration::from_millis(5);
/// Looks after which a minute will never end: a processor that is so crowded tells nothing.
const MOST_GLANCES: u32 = 20_000;

/// A process of `tests/real/load.py`; it ends with this handle.
pub(crate) struct Process {
    child: Child,
    /// The first line that it printed.
    pub(crate) said: String,
}

/// What a process took in one minute of the measured time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Minute {
    /// Seconds of CPU time per second: busy cores.
    pub(crate) cores: f64,
    /// Bytes received and sent.
    pub(crate) bytes: f64,
}

/// The counters of a process since its start.
#[derive(Clone, Copy)]
struct Counters {
    cpu_seconds: f64,
    bytes: f64,
}

impl Process {
    /// Starts `load.py` with these arguments and waits until it works.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new(python(root))
            .arg(root.join("tests/real/load.py"))
            .args(arguments)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut said)
            .unwrap();
        assert!(said.ends_with('\n'), "{arguments:?} did not start: {said}");
        let said = said.trim_end().to_owned();
        Self { child, said }
    }

    fn counters(&self) -> Counters {
        let read = |name: &str| {
            let path = format!("/proc/{}/{name}", self.child.id());
            std::fs::read_to_string(path).unwrap()
        };
        Counters {
            cpu_seconds: cpu_ticks(&read("stat")) / TICKS,
            bytes: transferred(&read("io")),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Measures processes side by side, minute by minute; in the same order.
pub(crate) fn measure(processes: &[&Process], minutes: usize) -> Vec<Vec<Minute>> {
    let time = Process::start(&["spin"]);
    let mut measured = vec![Vec::new(); processes.len()];
    let mut began = time.counters().cpu_seconds;
    let mut before: Vec<Counters> = processes.iter().map(|one| one.counters()).collect();
    for _ in 0..minutes {
        let now = next_minute(&time, began);
        let after: Vec<Counters> = processes.iter().map(|one| one.counters()).collect();
        let taken = before.iter().zip(&after);
        for (minutes, (before, after)) in measured.iter_mut().zip(taken) {
            minutes.push(Minute {
                cores: (after.cpu_seconds - before.cpu_seconds) / (now - began),
                bytes: (after.bytes - before.bytes) / (now - began),
            });
        }
        (began, before) = (now, after);
    }
    measured
}

/// Waits until the process that tells the time has had a second since `began`; what it has had then.
fn next_minute(time: &Process, began: f64) -> f64 {
    for _ in 0..MOST_GLANCES {
        let now = time.counters().cpu_seconds;
        if now - began >= 1.0 {
            return now;
        }
        std::thread::sleep(GLANCE);
    }
    panic!("no processor time to be had");
}

/// Bytes through the loopback interface since the machine's start, by the kernel's own count.
pub(crate) fn loopback_bytes() -> f64 {
    let interfaces = std::fs::read_to_string("/proc/net/dev").unwrap();
    let line = interfaces
        .lines()
        .find_map(|line| line.trim_start().strip_prefix("lo:"));
    let received = line.unwrap().split_whitespace().next();
    received.unwrap().parse().unwrap()
}

/// User and system time of all threads. The process's name, in parentheses, may hold anything.
fn cpu_ticks(stat: &str) -> f64 {
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let fields: Vec<&str> = fields.split(' ').collect();
    // One that has ended would pass for idle.
    assert_ne!(fields[0], "Z", "a process under test has ended: {stat}");
    // Fields 14 and 15 of the line, of which the first here is field 3.
    let ticks = |number: usize| fields[number - 3].parse::<f64>().unwrap();
    ticks(14) + ticks(15)
}

/// Bytes that went through reading and writing calls, sockets included.
fn transferred(io: &str) -> f64 {
    let value = |name: &str| {
        let line = io.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim().parse::<f64>().unwrap()
    };
    value("rchar:") + value("wchar:")
}

/// The Python of the ignored tests' own environment.
fn python(root: &Path) -> PathBuf {
    let python = root.join("target/real/python/bin/python");
    assert!(
        python.exists(),
        "{} is not there: run tests/real/setup",
        python.display()
    );
    python
}
