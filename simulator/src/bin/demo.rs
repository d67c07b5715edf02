//! `cargo demo`: builds the handler in the release profile and runs the demo with it.
//!
//! Ends with 0 if both sweeps did what is written down beside the estate, with 1 and a list of what differs
//! if not, with 2 if the demo itself could not be run. Changes nothing in the repository but the build folder.

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use serde_json::Value;
use simulator::demo;

const HANDLER: &str = "terminate-clusters";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match build_and_run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            // Nobody is left to tell when stderr is gone.
            drop(writeln!(io::stderr(), "demo: {error}"));
            ExitCode::from(2)
        }
    }
}

async fn build_and_run() -> Result<bool, Box<dyn Error>> {
    if std::env::args_os().len() > 1 {
        return Err("usage: cargo demo (it takes no arguments)".into());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let handler = build_handler(&root)?;
    let mut out = io::stdout();
    let differences = demo::run(&handler, &root, &mut out).await?;
    if differences.is_empty() {
        writeln!(
            out,
            "\nBoth sweeps did exactly what is written down in simulator/src/estate.rs."
        )?;
        return Ok(true);
    }
    writeln!(out, "\nThis differs from simulator/src/estate.rs:")?;
    for difference in &differences {
        writeln!(out, "  - {difference}")?;
    }
    Ok(false)
}

/// Builds the handler and says where it lies; cargo shows its progress.
fn build_handler(root: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .current_dir(root)
        .args(["build", "--release", "--package", HANDLER, "--bin", HANDLER])
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit())
        .output()?;
    if !built.status.success() {
        return Err("cargo could not build the handler".into());
    }
    let messages = String::from_utf8(built.stdout)?;
    let executable = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == HANDLER)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from));
    executable.ok_or_else(|| "cargo named no executable for the handler".into())
}
