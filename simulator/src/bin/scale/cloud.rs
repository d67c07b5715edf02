//! The pretend cloud as a process of its own, so that its CPU is nobody else's.
//!
//! [`be`] is that process, [`Cloud`] is how the measuring one holds it: a word a line on its standard input, an
//! object of JSON a line on its standard output. It ends with its standard input, so it outlives nobody.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use simulator::{Fault, Match, Record, Simulator, Times, scale};

use crate::arguments::CLOUD;
use crate::recording::{self, Shape};
use crate::{Outcome, process};

/// Is the cloud until its standard input ends.
pub(crate) fn be(workspaces: usize, clusters: usize) -> Outcome<()> {
    let simulator = Simulator::start(scale::world(workspaces, clusters))?;
    let policy = simulator.directory().join("terminate-clusters.toml");
    std::fs::write(&policy, scale::policy(&simulator))?;
    tell(&json!({
        "environment": simulator.env(),
        "policy": policy,
        "directory": simulator.directory(),
    }))?;
    for word in io::stdin().lines() {
        let word = word?;
        let (verb, rest) = word.split_once(' ').unwrap_or((&word, ""));
        tell(&obey(&simulator, verb, rest)?)?;
    }
    Ok(())
}

fn tell(value: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{value}")?;
    out.flush()
}

fn obey(simulator: &Simulator, verb: &str, rest: &str) -> Outcome<Value> {
    match verb {
        "latency" => {
            simulator.clear_faults();
            let latency = Duration::from_millis(rest.parse()?);
            if !latency.is_zero() {
                simulator.fault(Match::any(), Times::Always, Fault::Delay(latency));
            }
        }
        "record" | "count" => {
            simulator.count_only(verb == "count");
            simulator.forget_record();
        }
        "write" => {
            let mut file = BufWriter::new(File::create(rest)?);
            let names = simulator.world(|world| recording::names(world));
            let shape =
                simulator.look_at_record(|record| recording::write(record, &names, &mut file))?;
            file.flush()?;
            return Ok(serde_json::to_value(shape)?);
        }
        "tell" => {
            let violations = simulator.violations();
            let tally = simulator.look_at_record(Record::tally);
            return Ok(json!({
                "connects": tally.connects,
                "requests": tally.requests,
                "token_requests": tally.token_requests,
                "mutating": tally.mutating,
                "most_open": tally.most_open,
                "violations": violations,
            }));
        }
        _ => return Err(format!("the cloud does not know `{verb}`").into()),
    }
    Ok(json!({}))
}

/// What the cloud has seen.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Told {
    pub(crate) connects: u64,
    pub(crate) requests: u64,
    pub(crate) token_requests: u64,
    pub(crate) mutating: u64,
    pub(crate) most_open: u64,
    pub(crate) violations: Vec<String>,
}

#[derive(Deserialize)]
struct Greeting {
    environment: Vec<(String, String)>,
    policy: PathBuf,
    directory: PathBuf,
}

/// The other process.
pub(crate) struct Cloud {
    child: Child,
    words: ChildStdin,
    answers: BufReader<ChildStdout>,
    greeting: Greeting,
}

impl Cloud {
    pub(crate) fn start(workspaces: usize, clusters: usize) -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(CLOUD)
            .arg(workspaces.to_string())
            .arg(clusters.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(words), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the cloud has no pipes".into());
        };
        let mut answers = BufReader::new(answers);
        let greeting = read_line(&mut answers)?;
        Ok(Self {
            child,
            words,
            answers,
            greeting,
        })
    }

    /// The environment of a client.
    pub(crate) fn environment(&self) -> &[(String, String)] {
        &self.greeting.environment
    }

    pub(crate) fn policy(&self) -> &Path {
        &self.greeting.policy
    }

    /// A directory that goes with the cloud.
    pub(crate) fn directory(&self) -> &Path {
        &self.greeting.directory
    }

    pub(crate) fn cpu(&self) -> Outcome<Duration> {
        process::cpu(self.child.id())
    }

    /// Delays every answer by this from now on.
    pub(crate) fn set_latency(&mut self, latency: Duration) -> Outcome<()> {
        self.ask::<Value>(&format!("latency {}", latency.as_millis()))
            .map(drop)
    }

    /// Begins a record of requests.
    pub(crate) fn record(&mut self) -> Outcome<()> {
        self.ask::<Value>("record").map(drop)
    }

    /// Begins a count of requests.
    pub(crate) fn count(&mut self) -> Outcome<()> {
        self.ask::<Value>("count").map(drop)
    }

    /// Writes the record for the plain client.
    pub(crate) fn write_recording(&mut self, to: &Path) -> Outcome<Shape> {
        self.ask(&format!("write {}", to.display()))
    }

    pub(crate) fn tell(&mut self) -> Outcome<Told> {
        self.ask("tell")
    }

    fn ask<T: for<'de> Deserialize<'de>>(&mut self, word: &str) -> Outcome<T> {
        writeln!(self.words, "{word}")?;
        self.words.flush()?;
        read_line(&mut self.answers)
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
        // Killed, it cannot remove its directory.
        drop(std::fs::remove_dir_all(self.directory()));
    }
}

fn read_line<T: for<'de> Deserialize<'de>>(from: &mut impl BufRead) -> Outcome<T> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Err("the cloud is gone".into());
    }
    Ok(serde_json::from_str(&line)?)
}
