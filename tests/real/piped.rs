//! The official clients as child processes in a pretend cloud, and the shapes
//! in which they tell what they saw.
//!
//! They reach the simulator as any program reaches the real services through a
//! proxy: under the real host names, trusting its certificate authority. Python
//! lets `REQUESTS_CA_BUNDLE` of the environment win over everything, so it is
//! always set. Nothing here judges an answer.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use simulator::Simulator;
use simulator::world::{Principal, TENANT_ID, Workspace};

/// The SDK for Databricks with one client; it ends with this handle.
pub(crate) struct Databricks {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

/// An exception of a client.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// Its class, then its bases.
    pub(crate) classes: Vec<String>,
    pub(crate) code: Value,
    pub(crate) message: String,
}

impl Refusal {
    fn of(error: &Value) -> Self {
        let classes = error["classes"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            classes: classes.iter().map(text).collect(),
            code: error["code"].clone(),
            message: text(&error["message"]),
        }
    }

    /// That it is of this class, or of one below it.
    pub(crate) fn assert_is(&self, class: &str) {
        assert!(self.classes.iter().any(|one| one == class), "{self:?}");
    }
}

impl Databricks {
    pub(crate) fn start(simulator: &Simulator) -> Self {
        let mut child = python(simulator, "databricks_sdk.py")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            stdin: child.stdin.take().unwrap(),
            stdout: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    /// Starts, and logs in with a secret; further arguments are the client's own.
    pub(crate) fn logged_in(simulator: &Simulator, login: &Value) -> Self {
        let mut sdk = Self::start(simulator);
        assert_eq!(sdk.answer("login", login), "azure-client-secret");
        sdk
    }

    /// What a call gives.
    pub(crate) fn outcome(&mut self, call: &str, with: &Value) -> Result<Value, Refusal> {
        writeln!(self.stdin, "{}", json!({ "call": call, "with": with })).unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "the client ended at {call}");
        outcome_of(&line)
    }

    /// What a call that must succeed gives.
    pub(crate) fn answer(&mut self, call: &str, with: &Value) -> Value {
        self.outcome(call, with)
            .unwrap_or_else(|refusal| panic!("{call} {with}: {refusal:?}"))
    }

    /// The items of a listing, all pages of it.
    pub(crate) fn items(&mut self, call: &str, with: &Value) -> Vec<Value> {
        let answer = self.answer(call, with);
        let items = answer.as_array();
        items
            .unwrap_or_else(|| panic!("{call} is no listing: {answer}"))
            .clone()
    }

    /// What a call that must fail raises.
    pub(crate) fn refusal(&mut self, call: &str, with: &Value) -> Refusal {
        match self.outcome(call, with) {
            Err(refusal) => refusal,
            Ok(answer) => panic!("{call} {with} was answered: {answer}"),
        }
    }
}

impl Drop for Databricks {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The arguments with which the SDK becomes this principal in this workspace.
pub(crate) fn login(workspace: &Workspace, principal: &Principal) -> Value {
    json!({
        "host": workspace.url(),
        "azure_tenant_id": TENANT_ID,
        "azure_client_id": principal.client_id,
        "azure_client_secret": principal.secret(),
        "retry_timeout_seconds": 30,
    })
}

/// Runs `azure_sdks.py`.
pub(crate) fn azure(simulator: &Simulator, arguments: &[&str]) -> Result<Value, Refusal> {
    let output = python(simulator, "azure_sdks.py")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {complaint}");
    outcome_of(&said)
}

fn outcome_of(line: &str) -> Result<Value, Refusal> {
    let outcome: Value = serde_json::from_str(line).unwrap();
    match outcome.get("error") {
        Some(error) => Err(Refusal::of(error)),
        None => Ok(outcome["answer"].clone()),
    }
}

fn python(simulator: &Simulator, script: &str) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python: PathBuf = root.join("target/real/python/bin/python");
    assert!(
        python.exists(),
        "{} is not there: run tests/real/setup",
        python.display()
    );
    let mut command = Command::new(python);
    command
        .arg(root.join("tests/real").join(script))
        .env_clear()
        .envs(simulator.env())
        .env("REQUESTS_CA_BUNDLE", simulator.ca_file())
        // No configuration file of whoever runs this.
        .env("HOME", simulator.directory());
    command
}
