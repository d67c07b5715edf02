//! `terminate-clusters doctor`: what was typed, and how what was found is told.
//!
//! Findings go to standard output; what is being done goes to a terminal. The id of a
//! cluster goes into a URL, so whatever cannot be one is refused here, before anything is
//! asked of anyone.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::why::cluster_id;
use super::{Exit, named};
use crate::cluster::ClusterId;
use crate::doctor::record::WriteError;
use crate::doctor::{Examination, NoProbe, ProbeAnswer, json, text};
use crate::escape::Shown;
use crate::settings::Settings;
use crate::sweep::Scope;

/// `terminate-clusters doctor` as it was typed.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct DoctorCommand {
    /// Examine only the workspace of this name in the policy; can be repeated.
    #[arg(long = "workspace", value_name = "NAME")]
    pub workspaces: Vec<String>,
    /// Answer as one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Instead, write what the workspaces answer into a new folder, without any value.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["json", "probe_proxy"])]
    pub record: Option<PathBuf>,
    /// Instead, tell whether our token reaches a server that you have started on a driver.
    #[arg(long, num_args = 2, value_names = ["CLUSTER", "PORT"])]
    pub probe_proxy: Option<Vec<String>>,
}

/// An examination that the settings allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedDoctor {
    pub scope: Scope,
    /// Whether the answer is JSON.
    pub json: bool,
    pub task: DoctorTask,
}

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DoctorTask {
    Examine,
    Record(PathBuf),
    Probe { cluster: ClusterId, port: u16 },
}

impl DoctorCommand {
    /// Whether the checks are asked for, and nothing else in their place.
    #[must_use]
    pub fn examines(&self) -> bool {
        self.record.is_none() && self.probe_proxy.is_none()
    }

    /// Checks the request against the settings.
    ///
    /// # Errors
    ///
    /// A sentence for everything that cannot be asked.
    pub fn within(&self, settings: &Settings) -> Result<AllowedDoctor, Vec<String>> {
        let mut refused = Vec::new();
        let task = match (&self.record, self.probe_proxy.as_deref()) {
            (Some(folder), _) => Some(DoctorTask::Record(folder.clone())),
            (None, Some([cluster, port])) => probe(cluster, port, &mut refused),
            (None, Some(_) | None) => Some(DoctorTask::Examine),
        };
        let asked_for = named(settings, &self.workspaces, &mut refused);
        match task {
            Some(task) if refused.is_empty() => {
                let names = asked_for.into_iter().map(|workspace| workspace.name);
                Ok(AllowedDoctor {
                    scope: Scope::Only(names.collect::<BTreeSet<_>>()),
                    json: self.json,
                    task,
                })
            }
            Some(_) | None => Err(refused),
        }
    }
}

fn probe(cluster: &str, port: &str, refused: &mut Vec<String>) -> Option<DoctorTask> {
    let id = cluster_id(cluster).map_err(|why| refused.push(why)).ok();
    let number = port.parse().ok().filter(|port: &u16| *port > 0);
    if number.is_none() {
        let port = Shown::new(port, 20);
        refused.push(format!(
            "`{port}` is no port; write the number that the server on the driver printed"
        ));
    }
    Some(DoctorTask::Probe {
        cluster: id?,
        port: number?,
    })
}

/// Tells what was found. A reader who has gone away is no error.
pub fn tell_examination(examination: &Examination, as_json: bool) -> Exit {
    if as_json {
        print(&format!("{}\n", json::examination(examination)));
    } else {
        print(&text::examination(examination));
    }
    if examination.sheet.failed() {
        Exit::Failure
    } else {
        Exit::AllSeen
    }
}

/// Tells what was written.
///
/// `no_tokens`: why principals could not ask, of which a record can hold no word.
pub fn tell_record(
    folder: &std::path::Path,
    written: &Result<Vec<String>, WriteError>,
    no_tokens: &BTreeSet<String>,
) -> Exit {
    for why in no_tokens {
        let _ = writeln!(io::stderr().lock(), "error: {}", Shown::sentence(why));
    }
    match written {
        Ok(files) => {
            let folder = folder.display().to_string();
            let folder = Shown::sentence(&folder);
            let mut text = String::new();
            for file in files {
                text.push_str(&format!("{folder}/{file}\n"));
            }
            text.push_str(
                "written: statuses, names, types, lengths and times, no value; README.txt says what is in these files and \
                 how to send them. Read them first. Nothing was changed and nothing was sent.\n",
            );
            print(&text);
            if no_tokens.is_empty() {
                Exit::AllSeen
            } else {
                Exit::Failure
            }
        }
        Err(error) => {
            let _ = writeln!(io::stderr().lock(), "error: {error}");
            Exit::Failure
        }
    }
}

/// Tells what a probe showed.
pub fn tell_probe(allowed: &AllowedDoctor, answer: &Result<ProbeAnswer, NoProbe>) -> Exit {
    let answer = match answer {
        Ok(answer) => answer,
        Err(why) => {
            let _ = writeln!(io::stderr().lock(), "error: {}", no_probe(why));
            return Exit::Failure;
        }
    };
    let ProbeAnswer {
        workspace,
        principal,
        probed,
    } = answer;
    let (sentence, headers) = (probed.sentence(principal), probed.headers());
    if allowed.json {
        let object = json!({
            "workspace": workspace,
            "principal": principal,
            "authorization": probed.as_str(),
            "headers": headers,
            "sentence": sentence,
        });
        print(&format!("{}\n", json::one_line(&object)));
    } else {
        print(&format!("{}\n", Shown::sentence(&sentence)));
        if !headers.is_empty() {
            print(&format!(
                "headers that reached it: {}\n",
                headers.join(", ")
            ));
        }
    }
    if probed.as_str() == "not_shown" {
        Exit::Failure
    } else {
        Exit::AllSeen
    }
}

fn no_probe(why: &NoProbe) -> String {
    match why {
        NoProbe::Unexplained(unexplained) => unexplained.sentence(),
        NoProbe::NoToken(why) => Shown::sentence(why).to_string(),
        NoProbe::NoPrincipal(workspace) => format!(
            "nobody asks the drivers of `{}`: name the principal in `[witness.spark]`, whose token the probe sends; see \
             docs/probe-proxy.md",
            Shown::name(workspace)
        ),
    }
}

fn print(text: &str) {
    let _ = io::stdout().lock().write_all(text.as_bytes());
}
