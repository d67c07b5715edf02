//! Builds what is measured: the handler in the release profile, and the plain Go client.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Outcome;
use crate::arguments::Wishes;

const HANDLER: &str = "terminate-clusters";
/// Below the repository's root.
const PLAIN_SOURCE: &str = "benches/go";
const PLAIN_BINARY: &str = "target/scale/plain-client";

pub(crate) struct Built {
    pub(crate) handler: PathBuf,
    /// `None` where it is not wished for or there is no Go.
    pub(crate) plain: Option<PathBuf>,
}

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) fn everything(wishes: &Wishes) -> Outcome<Built> {
    let handler = match &wishes.handler {
        Some(path) => path.clone(),
        None => build_handler(&root())?,
    };
    let plain = if wishes.plain {
        build_plain(&root())?
    } else {
        None
    };
    Ok(Built { handler, plain })
}

fn build_handler(root: &Path) -> Outcome<PathBuf> {
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
    Ok(executable.ok_or("cargo named no executable for the handler")?)
}

/// Builds the plain client with the Go that is installed: it needs nothing but Go's standard library.
fn build_plain(root: &Path) -> Outcome<Option<PathBuf>> {
    let binary = root.join(PLAIN_BINARY);
    let built = Command::new("go")
        .current_dir(root.join(PLAIN_SOURCE))
        .args(["build", "-trimpath", "-o"])
        .arg(std::path::absolute(&binary)?)
        .arg(".")
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "-mod=mod")
        .env("CGO_ENABLED", "0")
        .status();
    match built {
        Ok(status) if status.success() => Ok(Some(binary)),
        Ok(_) => Err("go could not build the plain client".into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            writeln!(
                io::stderr(),
                "scale: there is no `go` here (Debian: apt-get install golang-go), so nothing is \
                 measured beside the handler"
            )?;
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
