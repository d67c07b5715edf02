//! Finds out what is missing before a sweep would: checks in order, from the settings
//! to the last right on a cluster, and what each further grant would buy.
//!
//! It only reads: every request is a GET or the asking for a token, and no check tries what
//! it could find out otherwise. `check` has the checks as data, `sheet` the
//! findings, `text` and `json` render the same list; `record` and `probe` answer what
//! only a live workspace can. Beside the data path; it plans nothing and can terminate
//! nothing.

mod access;
pub mod check;
mod commands;
mod examine;
pub mod json;
pub mod outlook;
mod principals;
pub mod probe;
pub mod record;
mod rights;
pub mod sheet;
pub mod text;
mod vaults;
mod ways;
mod witnesses;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use tokio::time::{Instant, timeout_at};

use self::access::Door;
use self::check::CheckId;
use self::examine::Patient;
use self::outlook::{Outlook, outlook};
use self::principals::{Candidate, Needs};
use self::probe::Probed;
use self::record::WorkspaceRecord;
use self::sheet::{Finding, Remedy, Sheet, Subject};
use self::ways::{Askers, Ways};
use crate::cluster::ClusterId;
use crate::human::Count;
use crate::identity::{Audience, PrincipalName, SecretSource};
use crate::policy::{Access, Mode};
use crate::settings::PrincipalSettings;
use crate::sweep::{Scope, Sweep, Tokens};
use crate::why::{Unexplained, WhyRequest, whereabouts};
use crate::workspace::Workspace;

pub use self::commands::Reader;

/// What is examined.
#[derive(Debug, Clone)]
pub struct DoctorRequest {
    pub scope: Scope,
    /// When everything must have been asked.
    pub deadline: Instant,
}

/// Everything that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examination {
    pub sheet: Sheet,
    /// One per workspace that was examined.
    pub outlooks: Vec<Outlook>,
}

/// Told what is being done.
pub type Tell<'t> = &'t (dyn Fn(&str) + Sync);

/// A principal with the vault that its secrets are in.
#[derive(Debug)]
pub struct Ward {
    pub settings: PrincipalSettings,
    /// `None` where nothing of it is in a vault.
    pub vault: Option<Arc<dyn SecretSource>>,
}

/// The parts of an examination.
#[derive(Debug)]
pub struct Doctor {
    /// As it would sweep.
    pub sweep: Sweep,
    pub wards: Vec<Ward>,
    /// As whom the vaults are read.
    pub reader: Reader,
    /// What the settings warn of.
    pub warnings: Vec<String>,
}

/// What came of a probe.
#[derive(Debug, Clone)]
pub struct ProbeAnswer {
    pub workspace: String,
    /// Whose token was sent.
    pub principal: String,
    pub probed: Probed,
}

/// What was recorded.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    pub workspaces: Vec<WorkspaceRecord>,
    /// Why principals had no token to ask with, so that there is nothing to see.
    pub no_tokens: BTreeSet<String>,
}

/// Why a probe was not made.
#[derive(Debug, Clone)]
pub enum NoProbe {
    /// No workspace is known to have the cluster.
    Unexplained(Unexplained),
    /// Its workspace names nobody for the drivers.
    NoPrincipal(String),
    /// Whose token would be sent has none; says who and why.
    NoToken(String),
}

impl Examination {
    /// What is told where the settings cannot be read: nothing else could be looked at.
    #[must_use]
    pub fn of_mistakes(mistakes: impl IntoIterator<Item = String>) -> Self {
        let all = Subject::installation();
        let mut sheet = Sheet::default();
        let failed = mistakes.into_iter().map(|mistake| {
            Finding::fail(
                CheckId::Settings,
                &all,
                mistake,
                Remedy::look(commands::doctor()),
            )
        });
        sheet.extend(failed);
        sheet.skip_barred(&CheckId::ALL[1..], &all);
        Self {
            sheet,
            outlooks: Vec::new(),
        }
    }
}

impl Doctor {
    /// Makes every check.
    pub async fn examine(&self, request: &DoctorRequest, tell: Tell<'_>) -> Examination {
        let workspaces = self.in_scope(&request.scope);
        let tokens = self.sweep.tokens();
        let mut sheet = Sheet::default();
        sheet.extend(self.settings());
        let wards = self.wards_of(&workspaces);
        tell(&format!("examining {} …", Count(wards.len(), "principal")));
        let before = &sheet;
        let examined = wards.into_iter().map(|ward| {
            let name = &ward.settings.name;
            let candidate = self.candidate(ward, &workspaces, &tokens, request.deadline);
            async move {
                let (findings, client_id) = principals::principal(before, &candidate).await;
                tell(&format!("examined the principal `{name}`"));
                (findings, client_id.map(|id| (name.clone(), id)))
            }
        });
        let (found, ids): (Vec<_>, Vec<_>) = self.side_by_side(examined).await.into_iter().unzip();
        let client_ids: BTreeMap<_, _> = ids.into_iter().flatten().collect();
        sheet.extend(found.into_iter().flatten());
        tell(&format!(
            "examining {} …",
            Count(workspaces.len(), "workspace")
        ));
        let before = &sheet;
        let examined = workspaces.iter().map(|workspace| {
            let patient = self.patient(workspace, &tokens, &client_ids, request.deadline);
            async move {
                let findings = examine::workspace(before, &patient).await;
                tell(&format!("examined `{}`", workspace.name));
                findings
            }
        });
        let found = self.side_by_side(examined).await;
        sheet.extend(found.into_iter().flatten());
        let outlooks = workspaces.iter().map(|workspace| {
            let policies = self.sweep.policy.for_workspace(&workspace.name);
            let policy = policies.of_the_whole();
            outlook(&sheet, &workspace.name, workspace.mode, &policy)
        });
        let outlooks = outlooks.collect();
        Examination { sheet, outlooks }
    }

    /// Asks each workspace what nobody has recorded yet.
    pub async fn record(&self, request: &DoctorRequest, tell: Tell<'_>) -> Recorded {
        let tokens = self.sweep.tokens();
        let mut recorded = Recorded::default();
        for workspace in self.in_scope(&request.scope) {
            tell(&format!("recording `{}` …", workspace.name));
            let ways = self.ways(workspace, &tokens, request.deadline);
            let main = &workspace.principal;
            let resource_id = workspace.resource_id.as_deref();
            let mut needed = vec![(main, Audience::Databricks)];
            needed.extend(
                self.asks_drivers(workspace)
                    .map(|name| (name, Audience::Databricks)),
            );
            let asks_azure = resource_id.is_some() && ways.arm.is_some();
            needed.extend(asks_azure.then_some((main, Audience::Arm)));
            for (name, audience) in needed {
                let missing = no_token(&tokens, name, audience, request.deadline).await;
                recorded.no_tokens.extend(missing);
            }
            let now = self.sweep.network.clock.now();
            let record = record::record(&ways, resource_id, now).await;
            recorded.workspaces.push(record);
        }
        recorded
    }

    /// Asks the server that the operator has started on a cluster's driver.
    ///
    /// # Errors
    ///
    /// The cluster is not found, or nobody may ask its driver.
    pub async fn probe(
        &self,
        request: &DoctorRequest,
        cluster: &ClusterId,
        port: u16,
    ) -> Result<ProbeAnswer, NoProbe> {
        let asked = WhyRequest {
            cluster: cluster.clone(),
            scope: request.scope.clone(),
            deadline: request.deadline,
        };
        let found = whereabouts(&self.sweep, &asked).await;
        let workspace = found.map_err(NoProbe::Unexplained)?;
        let Some(principal) = self.asks_drivers(&workspace) else {
            return Err(NoProbe::NoPrincipal(workspace.name));
        };
        let tokens = self.sweep.tokens();
        let missing = no_token(&tokens, principal, Audience::Databricks, request.deadline).await;
        if let Some(why) = missing {
            return Err(NoProbe::NoToken(why));
        }
        let principal = principal.as_str().to_owned();
        let ways = self.ways(&workspace, &tokens, request.deadline);
        Ok(ProbeAnswer {
            probed: Probed::ask(&ways, cluster, port).await,
            workspace: workspace.name,
            principal,
        })
    }

    fn settings(&self) -> Vec<Finding> {
        let all = Subject::installation();
        let terminating = self.sweep.workspaces.iter();
        let terminating = terminating
            .filter(|one| one.mode == Mode::Terminate)
            .count();
        let sentence = format!(
            "{} and {} of the {} cloud; clusters of {} may be terminated",
            Count(self.sweep.workspaces.len(), "workspace"),
            Count(self.wards.len(), "principal"),
            self.sweep.network.cloud.name(),
            Count(terminating, "workspace"),
        );
        let warnings = self.warnings.iter();
        let warnings = warnings.map(|warning| Finding::warn(CheckId::Settings, &all, warning));
        std::iter::once(Finding::ok(CheckId::Settings, &all, sentence))
            .chain(warnings)
            .collect()
    }

    /// Does them all, as many at a time as a sweep visits workspaces, so that a slow one
    /// holds up no other; gives what came of them in their order.
    async fn side_by_side<F: Future>(&self, all: impl Iterator<Item = F>) -> Vec<F::Output> {
        let numbered = all
            .enumerate()
            .map(|(place, one)| async move { (place, one.await) });
        let parallel = self.sweep.limits.parallel_workspaces.max(1);
        let mut done: Vec<_> = stream::iter(numbered)
            .buffer_unordered(parallel)
            .collect()
            .await;
        done.sort_unstable_by_key(|(place, _)| *place);
        done.into_iter().map(|(_, one)| one).collect()
    }

    fn in_scope(&self, scope: &Scope) -> Vec<&Workspace> {
        let workspaces = self.sweep.workspaces.iter();
        workspaces.filter(|one| scope.covers(&one.name)).collect()
    }

    /// As whom the drivers of a workspace are asked.
    fn asks_drivers<'w>(&self, workspace: &'w Workspace) -> Option<&'w PrincipalName> {
        let name = workspace.spark_principal.as_ref();
        name.filter(|_| self.sweep.policy.base.spark_witness)
    }

    /// The principals that these workspaces name.
    fn wards_of(&self, workspaces: &[&Workspace]) -> Vec<&Ward> {
        let named: BTreeSet<&PrincipalName> = workspaces
            .iter()
            .flat_map(|one| std::iter::once(&one.principal).chain(self.asks_drivers(one)))
            .collect();
        let wards = self.wards.iter();
        wards
            .filter(|ward| named.contains(&ward.settings.name))
            .collect()
    }

    fn candidate<'d>(
        &'d self,
        ward: &'d Ward,
        workspaces: &[&Workspace],
        tokens: &Tokens,
        deadline: Instant,
    ) -> Candidate<'d> {
        let name = &ward.settings.name;
        let swept = workspaces.iter().filter(|one| one.principal == *name);
        let needs = Needs {
            azure: swept.clone().count() > 0 && self.sweep.policy.base.nodes_witness,
            joining: swept.clone().any(|one| one.access == Access::Contributor),
        };
        Candidate {
            settings: &ward.settings,
            vault: ward.vault.clone(),
            identity: self.sweep.identities.of(name),
            tokens: tokens.of(name),
            reader: self.reader,
            cloud: self.sweep.network.cloud.name(),
            needs,
            deadline,
            now: self.sweep.network.clock.now(),
            warn_before: self.sweep.limits.warn_before,
        }
    }

    fn ways(&self, workspace: &Workspace, tokens: &Tokens, deadline: Instant) -> Ways {
        let askers = Askers {
            main: tokens.of(&workspace.principal),
            spark: self.asks_drivers(workspace).map(|name| tokens.of(name)),
        };
        Ways::to(&self.sweep.network, &workspace.url, &askers, deadline)
    }

    fn patient<'w>(
        &self,
        workspace: &'w Workspace,
        tokens: &Tokens,
        client_ids: &'w BTreeMap<PrincipalName, String>,
        deadline: Instant,
    ) -> Patient<'w> {
        let door = |name: &'w PrincipalName| Door {
            workspace: &workspace.name,
            principal: name.as_str(),
            host: workspace.url.host_str().unwrap_or_default(),
            resource_id: workspace.resource_id.as_deref(),
            client_id: client_ids.get(name).map(String::as_str),
            access: workspace.access,
            cloud: self.sweep.network.cloud.name(),
        };
        Patient {
            door: door(&workspace.principal),
            spark: self.asks_drivers(workspace).map(door),
            ways: self.ways(workspace, tokens, deadline),
            vouched: workspace.sees_all_runs,
            nodes_on: self.sweep.policy.base.nodes_witness,
            clock: Arc::clone(&self.sweep.network.clock),
        }
    }
}

/// Why a principal has no token of this kind; `None` where it has one.
async fn no_token(
    tokens: &Tokens,
    name: &PrincipalName,
    audience: Audience,
    deadline: Instant,
) -> Option<String> {
    let source = tokens.of(name);
    let why = match timeout_at(deadline, source.token(audience)).await {
        Ok(Ok(_)) => return None,
        Ok(Err(error)) => error.to_string(),
        Err(_) => principals::no_token_in_time().to_string(),
    };
    Some(format!(
        "the principal `{name}` has no token for {}: {why}",
        audience.name()
    ))
}
