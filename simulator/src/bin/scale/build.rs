//! Builds what is measured: the handler in the release profile, and the plain Go client.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use simulator::release::{self, HANDLER};

use crate::Outcome;
use crate::arguments::Wishes;

/// Below the repository's root.
const PLAIN_SOURCE: &str = "benches/go";
const PLAIN_BINARY: &str = "target/scale/plain-client";

pub(crate) struct Built {
    pub(crate) handler: PathBuf,
    /// `None` where it is not wished for or there is no Go.
    pub(crate) plain: Option<PathBuf>,
}

pub(crate) fn everything(wishes: &Wishes) -> Outcome<Built> {
    let handler = match &wishes.handler {
        Some(path) => path.clone(),
        None => release::build(HANDLER, HANDLER)?,
    };
    let plain = if wishes.plain {
        build_plain(&release::root())?
    } else {
        None
    };
    Ok(Built { handler, plain })
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
