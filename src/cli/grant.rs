//! `terminate-clusters grant`: what was typed, and how it is told.
//!
//! The mode of the settings does not bind it: what report mode promises is that no
//! sweep changes anything, and this is no sweep but an operator who asks for it. It
//! shows what it would do, and does that only with `--apply`.

use std::io::{self, Write};

use clap::{Args, ValueEnum};

use super::{Progress, named};
use crate::escape::Shown;
use crate::grant::{GrantSink, Granted, Totals, Wishes, json, text};
use crate::human::Count;
use crate::identity::PrincipalName;
use crate::settings::{Settings, WorkspaceSettings};

const NAME_CHARS: usize = 64;

/// `terminate-clusters grant` as it was typed.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct GrantCommand {
    /// Only the workspace of this name in the policy; can be repeated.
    #[arg(long = "workspace", value_name = "NAME")]
    pub workspaces: Vec<String>,
    #[command(flatten)]
    pub acting: ActingArgs,
    /// Make the workspace's principal a workspace admin, the only right for all clusters.
    #[arg(long)]
    pub admin: bool,
    /// Give it `CAN_RESTART` on the clusters of this kind that exist.
    #[arg(long, value_name = "KIND")]
    pub clusters: Option<ClusterKind>,
    /// Give the principal of the Spark witness membership and `CAN_ATTACH_TO`.
    #[arg(long)]
    pub evidence: bool,
    /// Make the changes; without it they are only shown.
    #[arg(long)]
    pub apply: bool,
    /// Tell it as JSON, a line per workspace and a closing one.
    #[arg(long)]
    pub json: bool,
}

/// As whom the workspaces are changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[group(multiple = false)]
pub struct ActingArgs {
    /// Let the workspace's principal join by its own right on the Azure resource, which
    /// makes it a workspace admin.
    #[arg(long = "self")]
    pub itself: bool,
    /// Act with the login of the Azure CLI, which has to be a workspace admin's; the default.
    #[arg(long)]
    pub as_operator: bool,
    /// Act as this principal of the settings, which has to be a workspace admin.
    #[arg(long = "as", value_name = "PRINCIPAL")]
    pub as_principal: Option<String>,
}

/// Clusters on which rights can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClusterKind {
    /// Those that were made in the UI or by the API, for people to work on.
    AllPurpose,
}

/// As whom, once the settings know the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedActing {
    Itself,
    Operator,
    Principal(PrincipalName),
}

/// What the settings allow to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedGrant {
    pub workspaces: Vec<WorkspaceSettings>,
    pub acting: AllowedActing,
    pub wishes: Wishes,
    pub apply: bool,
    pub json: bool,
}

impl GrantCommand {
    /// Checks the request against the settings.
    ///
    /// # Errors
    ///
    /// A sentence for everything that cannot be asked for.
    pub fn within(&self, settings: &Settings) -> Result<AllowedGrant, Vec<String>> {
        let mut refused = Vec::new();
        let workspaces = named(settings, &self.workspaces, &mut refused);
        if workspaces.is_empty() && refused.is_empty() {
            refused.push("the policy lists no [[workspaces]] to grant anything in".to_owned());
        }
        let acting = self.acting.within(settings, &mut refused);
        if matches!(acting, AllowedActing::Itself) {
            let without = workspaces.iter().filter(|one| one.resource_id.is_none());
            refused.extend(without.map(|one| {
                let name = Shown::new(&one.name, NAME_CHARS);
                format!(
                    "--self needs the Azure resource of workspace `{name}`; add its `resource_id` to the policy"
                )
            }));
        }
        if self.evidence {
            let without = workspaces
                .iter()
                .filter(|one| one.spark_principal.is_none());
            refused.extend(without.map(|one| {
                let name = Shown::new(&one.name, NAME_CHARS);
                format!(
                    "--evidence: the policy names no principal that asks the drivers of workspace `{name}`; add [witness.spark] with `principal`"
                )
            }));
        }
        if !refused.is_empty() {
            return Err(refused);
        }
        Ok(AllowedGrant {
            workspaces,
            acting,
            wishes: Wishes {
                admin: self.admin,
                clusters: self.clusters.is_some(),
                evidence: self.evidence,
            },
            apply: self.apply,
            json: self.json,
        })
    }
}

impl ActingArgs {
    fn within(&self, settings: &Settings, refused: &mut Vec<String>) -> AllowedActing {
        if self.itself {
            return AllowedActing::Itself;
        }
        let Some(name) = &self.as_principal else {
            return AllowedActing::Operator;
        };
        let known = settings.principals.iter().map(|one| &one.name);
        match known.clone().find(|known| known.as_str() == name) {
            Some(known) => AllowedActing::Principal(known.clone()),
            None => {
                let known: Vec<String> = known.map(|known| format!("`{known}`")).collect();
                refused.push(format!(
                    "--as {} is no principal of the settings; known are {}",
                    Shown::new(name, NAME_CHARS),
                    known.join(", ")
                ));
                AllowedActing::Operator
            }
        }
    }
}

/// Prints it as text or as JSON lines. A reader who has gone away is no error.
#[derive(Debug)]
pub struct PrintedGrants {
    as_json: bool,
    progress: Progress,
}

impl PrintedGrants {
    #[must_use]
    pub fn new(as_json: bool, progress: Progress) -> Self {
        Self { as_json, progress }
    }

    fn print(&self, as_text: impl Fn() -> String, as_json: impl Fn() -> String) {
        let out = if self.as_json {
            format!("{}\n", as_json())
        } else {
            as_text()
        };
        let _ = io::stdout().lock().write_all(out.as_bytes());
    }
}

impl GrantSink for PrintedGrants {
    fn begin(&mut self, workspaces: usize) {
        self.progress
            .tell(&format!("looking at {} …", Count(workspaces, "workspace")));
    }

    fn workspace(&mut self, granted: &Granted) {
        self.print(|| text::workspace(granted), || json::workspace(granted));
    }

    fn closing(&mut self, totals: &Totals) {
        self.print(|| text::closing(totals), || json::closing(totals));
    }
}
