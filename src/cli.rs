//! The command line: what can be asked, what a request may change, how it ends.
//!
//! Parses and checks arguments; runs nothing. A request can only narrow what
//! the settings allow: it cannot switch termination on, nor name a workspace
//! that the policy does not list.

mod doctor;
mod grant;
mod policy;
mod progress;
mod telling;
mod why;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::escape::Shown;
use crate::policy::Mode;
use crate::settings::{self, Settings, WorkspaceSettings, nearest};

pub use self::doctor::{
    AllowedDoctor, DoctorCommand, DoctorTask, tell_examination, tell_probe, tell_record,
};
pub use self::grant::{
    ActingArgs, AllowedActing, AllowedGrant, ClusterKind, GrantCommand, PrintedGrants,
};
pub use self::policy::{Desk, PolicyCommand, PolicyLint, PolicyTest, Told};
pub use self::progress::Progress;
pub use self::telling::PrintedReport;
pub use self::why::{AllowedWhy, WhyCommand};

/// Terminates idle Azure Databricks clusters, never a working one.
#[derive(Debug, Parser)]
#[command(version, about, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer the Functions host; what host.json starts.
    Serve,
    /// Sweep the workspaces of the policy once and report every cluster.
    Sweep(SweepCommand),
    /// Try a policy out: no vault, no network, no cluster is asked.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Explain why one cluster is kept, or is not; changes nothing.
    Why(WhyCommand),
    /// Show what a principal lacks in the workspaces of the policy, or give it that.
    Grant(GrantCommand),
    /// Find out what is missing, and name the command that gives it; changes nothing.
    Doctor(DoctorCommand),
}

/// `terminate-clusters sweep` as it was typed.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct SweepCommand {
    /// What the sweep may do; can only narrow what the settings allow.
    #[arg(long, value_name = "report|terminate", value_parser = parse_mode)]
    pub mode: Option<Mode>,
    /// Only the workspace of this name in the policy; can be repeated.
    #[arg(long = "workspace", value_name = "NAME")]
    pub workspaces: Vec<String>,
    /// Report as JSON, a line per workspace and a closing one.
    #[arg(long)]
    pub json: bool,
}

/// A sweep that the settings allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedSweep {
    pub mode: Mode,
    /// Those that were asked for, in the order of the policy, their modes
    /// bounded by `mode`.
    pub workspaces: Vec<WorkspaceSettings>,
    /// Whether the report is JSON.
    pub json: bool,
}

impl SweepCommand {
    /// Bounds the request by the settings.
    ///
    /// # Errors
    ///
    /// A sentence for everything that the settings do not allow.
    pub fn within(&self, settings: &Settings) -> Result<AllowedSweep, Vec<String>> {
        let mut refused = Vec::new();
        let mode = self.mode.unwrap_or(settings.mode);
        if mode > settings.mode {
            refused.push(format!(
                "--mode {} is more than the settings allow; set `{}` to `{}` first",
                mode.as_str(),
                settings::MODE.name,
                mode.as_str()
            ));
        }
        let asked_for = named(settings, &self.workspaces, &mut refused);
        if !refused.is_empty() {
            return Err(refused);
        }
        let bounded = |workspace: &WorkspaceSettings| WorkspaceSettings {
            mode: workspace.mode.min(mode),
            ..workspace.clone()
        };
        Ok(AllowedSweep {
            mode,
            workspaces: asked_for.iter().map(bounded).collect(),
            json: self.json,
        })
    }
}

/// The workspaces that are asked for by `names`, all where there are none, in the
/// order of the policy. A name that the policy does not know is refused.
fn named(
    settings: &Settings,
    names: &[String],
    refused: &mut Vec<String>,
) -> Vec<WorkspaceSettings> {
    let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
    let known = settings.workspaces.iter().map(|known| known.name.as_str());
    for name in names {
        if !known.clone().any(|known| same(known, name)) {
            let suggestion = nearest::suggestion(name, known.clone(), known.clone());
            refused.push(format!(
                "--workspace {} is not in the policy; {suggestion}",
                Shown::new(name, 64)
            ));
        }
    }
    let is_asked_for = |workspace: &&WorkspaceSettings| {
        names.is_empty() || names.iter().any(|name| same(name, &workspace.name))
    };
    let asked_for = settings.workspaces.iter().filter(is_asked_for);
    asked_for.cloned().collect()
}

/// The sentence around it repeats what was typed.
fn parse_mode(text: &str) -> Result<Mode, &'static str> {
    settings::parse_mode(text).map_err(|_| "write `report` or `terminate`")
}

/// How the process ends. `serve` never ends with 0: the host takes that for
/// intended and does not start the process again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Every workspace was seen, or the cluster was explained; every case holds; no check
    /// failed; there is nothing to warn of; every change was made, or only shown.
    AllSeen,
    /// The report has a `Failure`, there is no cluster to explain, a case or a check fails,
    /// there is something to warn of, a change was not made, or `serve` came to an end.
    Failure,
    /// Wrong arguments or settings; nothing was asked of anyone.
    Usage,
}

impl Exit {
    /// The number that the shell sees.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::AllSeen => 0,
            Self::Failure => 1,
            Self::Usage => 2,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::CommandFactory;

    use super::*;
    use crate::settings::Environment;

    fn command(arguments: &[&str]) -> Result<SweepCommand, clap::Error> {
        let start = ["terminate-clusters", "sweep"];
        let cli = Cli::try_parse_from(start.iter().chain(arguments))?;
        match cli.command {
            Command::Sweep(sweep) => Ok(sweep),
            Command::Serve
            | Command::Why(_)
            | Command::Policy(_)
            | Command::Grant(_)
            | Command::Doctor(_) => {
                panic!("not a sweep")
            }
        }
    }

    fn settings(mode: &str) -> Settings {
        let policy = r#"
            [[workspaces]]
            name = "Main"
            url = "https://adb-1.1.azuredatabricks.net"
            [[workspaces]]
            name = "quiet"
            url = "https://adb-2.1.azuredatabricks.net"
            mode = "report"
        "#;
        let environment = Environment::from_iter([
            ("TERMINATE_CLUSTERS_MODE", mode),
            ("TERMINATE_CLUSTERS_POLICY", policy),
            (
                "TERMINATE_CLUSTERS_KEY_VAULT_URL",
                "https://kv-ops.vault.azure.net",
            ),
            ("TERMINATE_CLUSTERS_TENANT_ID_SECRET", "t"),
            ("TERMINATE_CLUSTERS_CLIENT_ID_SECRET", "i"),
            ("TERMINATE_CLUSTERS_CLIENT_SECRET_SECRET", "s"),
        ]);
        let no_files = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        Settings::read(&environment, Path::new("/app"), &no_files).unwrap()
    }

    fn modes(sweep: &AllowedSweep) -> Vec<(&str, Mode)> {
        let workspaces = sweep.workspaces.iter();
        workspaces
            .map(|one| (one.name.as_str(), one.mode))
            .collect()
    }

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_request_without_arguments_is_what_the_settings_say() {
        let sweep = command(&[])
            .unwrap()
            .within(&settings("terminate"))
            .unwrap();
        assert_eq!(sweep.mode, Mode::Terminate);
        assert_eq!(
            modes(&sweep),
            [("Main", Mode::Terminate), ("quiet", Mode::Report)]
        );
        let sweep = command(&[]).unwrap().within(&settings("report")).unwrap();
        assert_eq!(sweep.mode, Mode::Report);
        assert_eq!(
            modes(&sweep),
            [("Main", Mode::Report), ("quiet", Mode::Report)]
        );
    }

    #[test]
    fn a_request_can_narrow_the_mode_everywhere() {
        let report = command(&["--mode", "report"]).unwrap();
        let sweep = report.within(&settings("terminate")).unwrap();
        assert_eq!(sweep.mode, Mode::Report);
        assert_eq!(
            modes(&sweep),
            [("Main", Mode::Report), ("quiet", Mode::Report)]
        );
    }

    #[test]
    fn a_request_cannot_switch_termination_on() {
        let terminate = command(&["--mode", "terminate"]).unwrap();
        let refused = terminate.within(&settings("report")).unwrap_err();
        assert_eq!(
            refused,
            [
                "--mode terminate is more than the settings allow; set `TERMINATE_CLUSTERS_MODE` to `terminate` first"
            ]
        );
        assert!(terminate.within(&settings("terminate")).is_ok());
    }

    #[test]
    fn a_request_names_workspaces_of_the_policy() {
        let one = command(&["--workspace", "main", "--json"]).unwrap();
        let sweep = one.within(&settings("terminate")).unwrap();
        assert_eq!(modes(&sweep), [("Main", Mode::Terminate)]);
        assert!(sweep.json);
        let unknown = command(&["--workspace", "quite", "--workspace", "other"]).unwrap();
        assert_eq!(
            unknown.within(&settings("terminate")).unwrap_err(),
            [
                "--workspace quite is not in the policy; did you mean `quiet`?",
                "--workspace other is not in the policy; known are `Main`, `quiet`",
            ]
        );
    }

    #[test]
    fn wrong_arguments_end_with_the_usage_exit() {
        for arguments in [&["--mode", "kill"][..], &["--force"], &["extra"]] {
            assert_eq!(command(arguments).unwrap_err().exit_code(), 2);
        }
        assert_eq!(Exit::Usage.code(), 2);
    }
}
