//! Sweeps one workspace: lists its clusters, looks at each, plans, acts, and
//! gives its report.
//!
//! What fails here stays here: the report carries it as a failure and the sweep
//! goes on with the others. Every cluster that the list names has a line.

mod entry;
mod lines;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::time::Instant;
use url::Url;

use crate::action::{Action, ActionLimits};
use crate::azure_monitor::AzureMonitor;
use crate::clock::Clock;
use crate::cluster::{Cluster, ClusterId};
use crate::databricks::{ClusterListing, Databricks, Listed};
use crate::decision::{Decision, Proof, decide};
use crate::grant::Patience;
use crate::grant::join::Joiner;
use crate::human::Count;
use crate::identity::PrincipalName;
use crate::meter::StageCounts;
use crate::plan::{Allowances, Caps, Deferral, Plan};
use crate::policy::{Access, Mode, PolicySet, WorkspacePolicy};
use crate::report::machines::Machines;
use crate::report::{ClusterLine, Failure, FailureKind, Outcome, WorkspaceReport};
use crate::service::Lane;
use crate::signals::Signals;
use crate::signals::gather::{Gatherer, LookKind};
use crate::spark::SparkDriver;

pub(crate) use entry::gatherer;
pub(crate) use lines::not_answered;

/// One workspace that the policy names.
#[derive(Debug, Clone)]
pub struct Workspace {
    pub name: String,
    pub url: Url,
    /// ARM id; without it the machines cannot be found.
    pub resource_id: Option<String>,
    /// How the principal gets in.
    pub access: Access,
    /// As bounded by the sweep's mode.
    pub mode: Mode,
    /// The operator's word that the principal sees the runs of all.
    pub sees_all_runs: bool,
    /// As whom it is asked and swept.
    pub principal: PrincipalName,
    /// As whom its drivers are asked; without a name none is.
    pub spark_principal: Option<PrincipalName>,
}

/// The clients for one workspace.
#[derive(Debug)]
pub struct Clients {
    pub databricks: Arc<Databricks>,
    pub spark: Option<SparkDriver>,
    pub monitor: Option<AzureMonitor>,
    /// For who may join in this mode.
    pub joiner: Option<Joiner>,
    pub lane: Arc<Lane>,
}

/// What all workspaces of a sweep share.
#[derive(Debug, Clone)]
pub struct SweepRules {
    pub policy: Arc<PolicySet>,
    pub clock: Arc<dyn Clock>,
    pub allowances: Arc<Allowances>,
    pub action: ActionLimits,
    /// How long a new membership may take to spread.
    pub joining: Patience,
    pub runs_page_cap: usize,
    /// Clusters of one workspace that are looked at together.
    pub parallel_looks: usize,
}

/// One workspace being swept.
struct Visit<'a> {
    workspace: &'a Workspace,
    clients: &'a Clients,
    rules: &'a SweepRules,
    policies: Arc<WorkspacePolicy>,
    gatherer: Gatherer,
    failures: Vec<Failure>,
}

/// One cluster with everything that was learned of it.
struct Judged {
    signals: Signals,
    outcome: Option<Outcome>,
}

/// Sweeps one workspace and tells everything about it.
pub async fn sweep(
    workspace: &Workspace,
    clients: &Clients,
    rules: &SweepRules,
) -> WorkspaceReport {
    let began = Instant::now();
    let gatherer = gatherer(workspace, clients, rules);
    let visit = Visit {
        workspace,
        clients,
        rules,
        policies: Arc::clone(&gatherer.policies),
        gatherer,
        failures: Vec::new(),
    };
    let entry::Entered {
        listing,
        has_joined,
        refused,
    } = entry::enter(workspace, clients, rules).await;
    let seen = entry::is_let_in(&listing);
    let mut report = if seen {
        visit.clusters(listing).await
    } else {
        visit.not_seen(&listing, refused)
    };
    report.joined = has_joined;
    if has_joined {
        report.notes.insert(0, entry::JOINED.to_owned());
    }
    report.stages = clients.lane.meter().snapshot();
    report.elapsed = began.elapsed();
    report
}

impl Visit<'_> {
    /// The list could not be read at all.
    fn not_seen(mut self, listing: &ClusterListing, refused: Option<String>) -> WorkspaceReport {
        if let Err(error) = &listing.complete {
            let (kind, sentence) = match refused {
                Some(sentence) => (FailureKind::Workspace, sentence),
                None => not_answered(error),
            };
            self.fail(kind, None, sentence);
        }
        self.report(false, Vec::new(), Vec::new())
    }

    async fn clusters(mut self, listing: ClusterListing) -> WorkspaceReport {
        let listing_complete = listing.complete.is_ok();
        if let Err(error) = &listing.complete {
            let sentence =
                format!("the cluster list is incomplete, so nothing is terminated: {error}");
            self.fail(FailureKind::Listing, None, sentence);
        }
        let mut unparsed = Vec::new();
        let mut clusters: Vec<Cluster> = Vec::new();
        for listed in listing.clusters {
            match listed {
                Listed::Parsed(cluster) => clusters.push(*cluster),
                Listed::Unparsed { id, why } => unparsed.push(lines::unparsed(id, why)),
            }
        }
        let running = clusters
            .iter()
            .filter(|cluster| cluster.is_running_all_purpose())
            .count();
        let mut judged = self.judge_all(clusters).await;
        let policy = self.policies.of_the_whole();
        let caps = Caps {
            cap_per_workspace: policy.cap_per_workspace,
            running,
            listing_complete,
        };
        self.act(&mut judged, caps).await;
        self.failures.extend(self.gatherer.facts.take_failures());
        let missing_right = self.gatherer.facts.missing_right();
        let looked_at: Vec<&Judged> = judged.iter().map(|(one, _)| one).collect();
        let mut notes = lines::notes(&looked_at, missing_right.as_ref(), &policy);
        let seen = self.gatherer.facts.machines.take_seen();
        notes.extend(lines::notes_on_machines(&seen));
        let machines = lines::machines(&looked_at, &seen);
        let judged = judged.into_iter();
        let mut all: Vec<_> = judged
            .map(|(one, _)| lines::of(one, &self.policies))
            .collect();
        all.extend(unparsed);
        let mut report = self.report(true, all, notes);
        report.machines = machines;
        report
    }

    /// Looks at every cluster, several at a time, and gives them in the order of
    /// the list. One that answers slowly holds up its own place only.
    async fn judge_all(&self, clusters: Vec<Cluster>) -> Vec<(Judged, Option<Proof>)> {
        let looks = clusters.into_iter().enumerate();
        let looks = looks.map(|(place, cluster)| async move { (place, self.judge(cluster).await) });
        let parallel = self.rules.parallel_looks.max(1);
        let mut judged: Vec<_> = stream::iter(looks)
            .buffer_unordered(parallel)
            .collect()
            .await;
        judged.sort_unstable_by_key(|(place, _)| *place);
        judged.into_iter().map(|(_, one)| one).collect()
    }

    async fn judge(&self, cluster: Cluster) -> (Judged, Option<Proof>) {
        if self.time_is_up() {
            let outcome = Some(Outcome::NotReached);
            let signals = Signals::of(cluster);
            return (Judged { signals, outcome }, None);
        }
        let (signals, now) = self.gatherer.look(cluster, LookKind::First).await;
        let (outcome, proof) =
            match decide(&signals, &self.policies.of(&signals.cluster).policy, now) {
                Decision::Keep(_) if self.time_is_up() => (Some(Outcome::NotReached), None),
                Decision::Keep(reason) => (Some(Outcome::Kept(reason)), None),
                Decision::Terminate(proof) => (None, Some(proof)),
            };
        (Judged { signals, outcome }, proof)
    }

    /// Plans what is proven and carries it out, or says what would be.
    async fn act(&mut self, judged: &mut [(Judged, Option<Proof>)], caps: Caps) {
        let proofs = judged.iter().filter_map(|(_, proof)| proof.clone());
        let mode = self.workspace.mode;
        let allowance = self.rules.allowances.of(mode);
        let mut plan = Plan::new(proofs.collect(), mode, caps, allowance);
        let mut outcomes: HashMap<ClusterId, Outcome> = HashMap::new();
        let skewed = self.bar_of_the_clock();
        while skewed.is_none()
            && let Some(proof) = plan.next_candidate()
        {
            let id = proof.cluster().clone();
            outcomes.insert(id, Outcome::WouldTerminate(proof));
        }
        let (stopped, failures) = self.terminate(&mut plan, judged, &mut outcomes).await;
        self.failures.extend(failures);
        let (unused, waiting) = match stopped.or(skewed) {
            None => plan.finish(),
            Some(why) => plan.finish_early(why),
        };
        allowance.give_back(unused);
        for (proof, why) in waiting {
            if why == Deferral::Deadline {
                let id = proof.cluster().clone();
                let sentence = "the sweep's time was up before it could be terminated".to_owned();
                self.fail(FailureKind::Deadline, Some(id), sentence);
            }
            let id = proof.cluster().clone();
            outcomes.insert(id, Outcome::Deferred { proof, why });
        }
        for (one, _) in judged {
            if let Some(outcome) = outcomes.remove(&one.signals.cluster.id) {
                one.outcome = Some(outcome);
            }
        }
    }

    /// Uses the plan's permits one after the other; readings back go side by
    /// side. Why that stopped early, if it did, and which of them failed.
    async fn terminate(
        &self,
        plan: &mut Plan,
        judged: &[(Judged, Option<Proof>)],
        outcomes: &mut HashMap<ClusterId, Outcome>,
    ) -> (Option<Deferral>, Vec<Failure>) {
        let clusters: HashMap<&ClusterId, &Cluster> = judged
            .iter()
            .map(|(one, _)| (&one.signals.cluster.id, &one.signals.cluster))
            .collect();
        let action = Action {
            databricks: &self.clients.databricks,
            gatherer: &self.gatherer,
            limits: self.rules.action,
            lane: &self.clients.lane,
        };
        let mut sent = Vec::new();
        let mut stopped = None;
        while let Some(permit) = plan.next_permit() {
            let id = permit.proof().cluster().clone();
            stopped = self.bar(self.rules.action.read_back_for);
            if stopped.is_some() {
                plan.put_back(permit);
                break;
            }
            let Some(cluster) = clusters.get(&id) else {
                plan.pass_on(permit);
                continue;
            };
            match action.carry_out(permit, cluster).await {
                Ok(one) => sent.push((id, one)),
                Err((permit, changed)) => {
                    stopped = self.bar(Duration::ZERO);
                    if stopped.is_some() {
                        // What changed is that nothing answered any more, or the clock.
                        plan.put_back(permit);
                        break;
                    }
                    plan.pass_on(permit);
                    outcomes.insert(id, Outcome::Changed(changed));
                }
            }
        }
        let action = &action;
        let read_back = sent
            .into_iter()
            .map(|(id, one)| async move { (id, action.read_back(one).await) });
        let mut failures = Vec::new();
        for (id, outcome) in futures_util::future::join_all(read_back).await {
            if let Some(sentence) = lines::termination_failure(&outcome) {
                let kind = FailureKind::Termination;
                failures.push(self.failure(kind, Some(id.clone()), sentence));
            }
            outcomes.insert(id, outcome);
        }
        (stopped, failures)
    }

    /// Why nothing may be terminated any more that takes this long to read back.
    fn bar(&self, read_back_for: Duration) -> Option<Deferral> {
        let is_up = self.time_is_up_within(read_back_for);
        self.bar_of_the_clock()
            .or(is_up.then_some(Deferral::Deadline))
    }

    fn bar_of_the_clock(&self) -> Option<Deferral> {
        let skew = self.clients.lane.clock_skew();
        skew.map(|_| Deferral::ClockSkew)
    }

    fn time_is_up(&self) -> bool {
        self.time_is_up_within(Duration::ZERO)
    }

    fn time_is_up_within(&self, margin: Duration) -> bool {
        Instant::now() + margin >= self.clients.lane.deadline()
    }

    fn fail(&mut self, kind: FailureKind, cluster: Option<ClusterId>, sentence: String) {
        let failure = self.failure(kind, cluster, sentence);
        self.failures.push(failure);
    }

    fn failure(&self, kind: FailureKind, cluster: Option<ClusterId>, sentence: String) -> Failure {
        Failure {
            kind,
            workspace: Some(self.workspace.name.clone()),
            cluster,
            sentence,
        }
    }

    fn report(
        mut self,
        seen: bool,
        lines: Vec<ClusterLine>,
        notes: Vec<String>,
    ) -> WorkspaceReport {
        let not_reached = lines
            .iter()
            .filter(|line| line.outcome == Outcome::NotReached)
            .count();
        if not_reached > 0 {
            let sentence = format!(
                "the sweep's time was up before it had judged {}",
                Count(not_reached, "cluster")
            );
            self.fail(FailureKind::Deadline, None, sentence);
        }
        if let Some(skew) = self.clients.lane.clock_skew() {
            self.fail(FailureKind::Workspace, None, skew.to_string());
        }
        WorkspaceReport {
            name: self.workspace.name.clone(),
            host: self.workspace.url.host_str().unwrap_or_default().to_owned(),
            mode: self.workspace.mode,
            seen,
            joined: false,
            lines,
            failures: self.failures,
            notes,
            machines: Machines::default(),
            stages: StageCounts::default(),
            elapsed: Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests;
