//! One run of the binary, from its start to its end, as an operator would start it.

use std::process::{Command, Stdio};

use crate::support::{BINARY, Scene};

/// A run that has ended, and all that it said.
pub(crate) struct Ran {
    pub(crate) exit: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Runs the binary with these arguments in the scene's environment and nothing else of
    /// this machine's.
    pub(crate) fn of(scene: &Scene, arguments: &[&str]) -> Self {
        let output = Command::new(BINARY)
            .args(arguments)
            .env_clear()
            .envs(scene.environment())
            .current_dir(scene.simulator.directory())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let exit = output.status.code();
        let exit = exit.unwrap_or_else(|| panic!("{}:\n{stdout}\n{stderr}", output.status));
        Self {
            exit,
            stdout,
            stderr,
        }
    }
}

/// Everything that the process said, for the message of a failing test.
impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            exit,
            stdout,
            stderr,
        } = self;
        write!(f, "exit {exit}\n{stdout}\n{stderr}")
    }
}
