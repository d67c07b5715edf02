//! Builds a program of this repository as it is released, for what runs it: the demo and the measurements.
//!
//! Each package is built by itself: together, cargo would give the handler the features that only the
//! simulator asks for.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// The package and the program that everything here is for.
pub const HANDLER: &str = "terminate-clusters";

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Builds one program in the release profile and says where it lies; cargo shows its progress.
///
/// # Errors
///
/// Cargo cannot be run, could not build it, or names no executable.
pub fn build(package: &str, program: &str) -> io::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .current_dir(root())
        .args(["build", "--release", "--package", package, "--bin", program])
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit())
        .output()?;
    if !built.status.success() {
        return Err(io::Error::other(format!("cargo could not build {program}")));
    }
    let messages = String::from_utf8_lossy(&built.stdout);
    let executable = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == program)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from));
    executable.ok_or_else(|| io::Error::other(format!("cargo named no executable for {program}")))
}
