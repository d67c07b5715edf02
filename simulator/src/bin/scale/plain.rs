//! The plain Go client: sends what the handler sent and reads every body, with or without decoding its JSON.
//!
//! Its source is in `benches/go`. It measures its own sending, without its start and the reading of its file.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Deserialize;

use crate::cloud::Cloud;
use crate::cost::Cost;
use crate::{Outcome, process};

/// What it does with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Decodes it where it is JSON, as whoever wants to know the answer must.
    Decodes,
    /// Reads it to its end and throws it away.
    Reads,
}

impl Way {
    pub(crate) const ALL: [Self; 2] = [Self::Decodes, Self::Reads];

    pub(crate) fn heading(self) -> &'static str {
        match self {
            Self::Decodes => "Go, decoding",
            Self::Reads => "Go, reading",
        }
    }
}

/// What it says of itself.
#[derive(Deserialize)]
struct Said {
    requests: u64,
    failed: u64,
    wall_us: u64,
    cpu_us: u64,
    peak_kib: u64,
}

pub(crate) fn run(client: &Path, cloud: &mut Cloud, recording: &Path, way: Way) -> Outcome<Cost> {
    let of_cloud = |name: &str| {
        let pair = cloud.environment().iter().find(|(known, _)| known == name);
        pair.map(|(_, value)| value.clone())
            .ok_or_else(|| format!("the cloud names no {name}"))
    };
    let mut command = Command::new(client);
    command
        .arg("-requests")
        .arg(recording)
        .args(["-proxy", &of_cloud("HTTPS_PROXY")?])
        .args(["-ca", &of_cloud("SSL_CERT_FILE")?])
        .arg(format!(
            "-workspaces={}",
            simulator::scale::PARALLEL_WORKSPACES
        ))
        .arg(format!(
            "-per-workspace={}",
            simulator::scale::PARALLEL_REQUESTS_PER_WORKSPACE
        ))
        .arg(format!("-decode={}", way == Way::Decodes))
        .arg(format!("-parallel={}", simulator::scale::PARALLEL_REQUESTS))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let before = (cloud.cpu()?, process::machine()?);
    let output = command.output()?;
    let cloud_cpu = cloud.cpu()?.saturating_sub(before.0);
    let idle = process::machine()?.idle_since(before.1);
    if !output.status.success() {
        return Err(format!("the plain client ended with {}", output.status).into());
    }
    let said: Said = serde_json::from_slice(&output.stdout)?;
    let told = cloud.tell()?;
    if said.failed > 0 || !told.violations.is_empty() || told.requests != said.requests {
        return Err(format!(
            "{} of the plain client's {} requests failed, the cloud saw {}: {:?}",
            said.failed,
            said.requests,
            told.requests,
            told.violations.first()
        )
        .into());
    }
    Ok(Cost {
        wall: Duration::from_micros(said.wall_us),
        cpu: Duration::from_micros(said.cpu_us),
        cloud_cpu,
        peak_kib: said.peak_kib,
        idle,
        requests: told.requests,
        connects: told.connects,
        most_open: told.most_open,
    })
}
