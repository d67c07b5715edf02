//! `cargo demo`: builds the handler in the release profile and runs the demo with it.
//!
//! Ends with 0 if both sweeps did what is written down beside the estate, with 1 and a list of what differs
//! if not, with 2 if the demo itself could not be run. Changes nothing in the repository but the build folder.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use simulator::demo;
use simulator::release::{self, HANDLER};

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
    let handler = release::build(HANDLER, HANDLER)?;
    let mut out = io::stdout();
    let differences = demo::run(&handler, &release::root(), &mut out).await?;
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
