//! Examines one workspace: asks for what the checks need, in their order, and lets the
//! judges say what the answers mean.
//!
//! Only GETs. A check whose prerequisite does not hold is not asked for anything. Of many
//! clusters some are asked, and the sentence says how many.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::OnceCell;

use super::access::{self, Door};
use super::check::CheckId;
use super::rights::{self, Of, Unlisted, named};
use super::sheet::{Finding, Sheet, Subject};
use super::ways::Ways;
use super::witnesses::{self, Newest};
use crate::azure_monitor::{AzureMonitor, ManagedResourceGroup};
use crate::clock::Clock;
use crate::cluster::{Cluster, ClusterId};
use crate::databricks::access::AccessProblem;
use crate::databricks::{ClusterListing, Databricks, Me, cluster_gone, words_of_refusal};
use crate::escape::Shown;
use crate::service::CallError;
use crate::signals::{Signal, StreamingView, Why};
use crate::spark::SparkDriver;
use crate::timestamp::Timestamp;
use crate::witness::nodes::{Interval, MAX_AGE, Roster, VmMetrics, Window};
use crate::witness::spark::{LiveApplication, never_any, streaming};

/// Drivers that are asked of a workspace.
const DRIVERS: usize = 10;
/// Clusters whose permissions are read.
const PERMISSIONS: usize = 25;
/// Machines whose metrics are read.
const MACHINES: usize = 3;
/// Clusters that Azure's tags name and the list does not, which are asked for.
const UNLISTED: usize = 25;

const HOUR: Duration = Duration::from_hours(1);

/// What is known of a workspace before it is asked.
pub(super) struct Patient<'a> {
    pub(super) door: Door<'a>,
    /// The principal that asks the drivers, and its client id.
    pub(super) spark: Option<Door<'a>>,
    pub(super) ways: Ways,
    pub(super) vouched: bool,
    /// Whether the policy asks the nodes.
    pub(super) nodes_on: bool,
    pub(super) clock: Arc<dyn Clock>,
}

/// An examination of one workspace, under way.
struct Examiner<'a> {
    patient: &'a Patient<'a>,
    subject: Subject,
    databricks: Databricks,
    sheet: Sheet,
    roster: OnceCell<Option<(AzureMonitor, ManagedResourceGroup, Roster)>>,
}

/// The findings of every check of a workspace. `before`: those of the principals.
pub(super) async fn workspace(before: &Sheet, patient: &Patient<'_>) -> Vec<Finding> {
    let earlier = before.findings().len();
    let mut examiner = Examiner {
        patient,
        subject: patient.door.subject(),
        databricks: patient.ways.databricks(),
        sheet: before.clone(),
        roster: OnceCell::new(),
    };
    let me = examiner.enter().await.unwrap_or_default();
    let listing = examiner.list(&me).await;
    let running = listing.as_ref().map(rights::running).unwrap_or_default();
    let running: Vec<(String, Cluster)> =
        running.into_iter().map(|one| (named(&one), one)).collect();
    examiner.ask_drivers(&running).await;
    examiner.ask_azure(&running).await;
    examiner.ask_permissions(&me, &running).await;
    examiner.ask_unlisted(&me, listing.as_ref()).await;
    examiner.sheet.findings()[earlier..].to_vec()
}

impl Examiner<'_> {
    /// Whether a check can be made; if not, it is told as skipped.
    fn may(&mut self, id: CheckId, subject: &Subject) -> bool {
        let bar = self.sheet.bar(id, subject);
        let is_open = bar.is_none();
        self.sheet.extend(bar);
        is_open
    }

    fn may_here(&mut self, id: CheckId) -> bool {
        self.may(id, &self.subject.clone())
    }

    async fn enter(&mut self) -> Option<Me> {
        let door = &self.patient.door;
        let subject = self.subject.clone();
        if !self.sheet.is_open(CheckId::Dns, &subject) {
            let rungs: Vec<CheckId> = access::rungs().collect();
            self.sheet.skip_barred(&rungs, &subject);
            return None;
        }
        match self.databricks.me().await {
            Ok(me) => {
                self.sheet
                    .extend(access::entered(door, me.known_as.as_deref()));
                Some(me)
            }
            Err(error) => {
                let problem = AccessProblem::of(&error);
                self.sheet.extend(access::refused(door, &problem));
                None
            }
        }
    }

    /// Lists clusters and job runs. The clock is compared by what was answered on the way.
    async fn list(&mut self, me: &Me) -> Option<ClusterListing> {
        let door = &self.patient.door;
        let mut listed = None;
        if self.sheet.is_open(CheckId::Listing, &self.subject) {
            listed = Some(self.databricks.list_clusters().await);
        }
        if self.may_here(CheckId::Clock) {
            let lane = &self.patient.ways.lane;
            let (was_compared, skew) = (lane.has_compared_clocks(), lane.clock_skew());
            self.sheet.add(rights::clock(door, was_compared, skew));
        }
        if self.may_here(CheckId::Listing)
            && let Some(listing) = &listed
        {
            self.sheet.add(rights::listing(door, listing));
        }
        if self.may_here(CheckId::Runs) {
            let runs = self.databricks.active_runs(1).await;
            let finding = rights::runs(door, me, self.patient.vouched, &runs);
            self.sheet.add(finding);
        }
        listed
    }

    async fn ask_drivers(&mut self, running: &[(String, Cluster)]) {
        let asks = self.patient.spark.map(|door| door.principal);
        let finding = witnesses::spark_principal(&self.patient.door, asks);
        if self.may_here(CheckId::SparkPrincipal) {
            self.sheet.add(finding);
        }
        let door = self.patient.spark.unwrap_or(self.patient.door);
        let subject = door.subject();
        let driver = self.patient.ways.spark();
        let mut live: Vec<Of<(ClusterId, LiveApplication)>> = Vec::new();
        if self.may(CheckId::SparkAttach, &subject)
            && let Some(driver) = &driver
        {
            let asked = running
                .iter()
                .take(DRIVERS)
                .map(|(name, cluster)| async move {
                    (
                        name.clone(),
                        &cluster.id,
                        driver.application(&cluster.id).await,
                    )
                });
            let mut told = Vec::new();
            for (name, id, application) in join_all(asked).await {
                told.push((
                    name.clone(),
                    application.as_ref().map(|_| ()).map_err(Why::clone),
                ));
                live.extend(
                    application
                        .ok()
                        .map(|application| (name, (id.clone(), application))),
                );
            }
            self.sheet.add(witnesses::spark_attach(&door, &told));
        }
        if self.may(CheckId::StreamingPage, &subject)
            && let Some(driver) = &driver
        {
            let asked = live.iter().map(|(name, (id, application))| async move {
                (name.clone(), streaming_view(driver, id, application).await)
            });
            let told = join_all(asked).await;
            self.sheet.add(witnesses::streaming_page(&door, &told));
        }
    }

    async fn ask_azure(&mut self, running: &[(String, Cluster)]) {
        let door = &self.patient.door;
        if self.may_here(CheckId::ResourceId) {
            self.sheet
                .add(witnesses::resource_id(door, self.patient.nodes_on));
        }
        if self.may_here(CheckId::Machines) {
            let listed = self.list_machines().await;
            let count = listed.as_ref().map(|(_, _, roster)| roster.len());
            self.sheet.add(witnesses::machines(door, count));
            // It is set once, here.
            let _ = self.roster.set(listed.ok());
        }
        if self.may_here(CheckId::Metrics) {
            let asked = self.read_metrics(running).await;
            self.sheet.add(witnesses::metrics(door, &asked));
        }
        if self.may_here(CheckId::Cores) {
            let types = self.databricks.node_types().await;
            let types = types.map_err(|error| AccessProblem::of(&error).to_string());
            self.sheet.add(witnesses::cores(door, &types, running));
        }
    }

    async fn list_machines(&self) -> Result<(AzureMonitor, ManagedResourceGroup, Roster), Why> {
        let monitor = self.patient.ways.monitor();
        let monitor =
            monitor.ok_or_else(|| Why::new("this cloud has no Azure Resource Manager"))?;
        let resource_id = self.patient.door.resource_id.unwrap_or_default();
        let group = monitor.managed_resource_group(resource_id).await?;
        let roster = monitor.machines(&group).await?;
        Ok((monitor, group, roster))
    }

    async fn read_metrics(&self, running: &[(String, Cluster)]) -> Vec<Of<Result<Newest, Why>>> {
        let Some(Some((monitor, group, _))) = self.roster.get() else {
            return Vec::new();
        };
        let now = self.patient.clock.now();
        let minute = Interval::Minute.length();
        let window = Window {
            asked_at: now,
            from: now.minus(HOUR).floor_to(minute),
            to: now.floor_to(minute),
            interval: Interval::Minute,
        };
        let machines = running.iter().filter_map(|(name, cluster)| {
            let driver = cluster.driver.as_ref()?;
            let started = driver.started.or_else(|| cluster.started());
            let is_new = started.is_some_and(|started| now.since(started) <= MAX_AGE);
            Some((name, is_new, driver.instance_id.as_deref()?))
        });
        let mut machines: Vec<_> = machines.collect();
        // What has just started can tell nothing yet.
        machines.sort_by_key(|(_, is_new, _)| *is_new);
        let asked = machines.into_iter().take(MACHINES);
        let asked = asked.map(|(name, is_new, machine)| async move {
            let metrics = monitor.vm_metrics(group, machine, &window).await;
            let newest = metrics.map(|metrics| newest(&metrics, is_new, now));
            (name.clone(), newest)
        });
        join_all(asked).await
    }

    async fn ask_permissions(&mut self, me: &Me, running: &[(String, Cluster)]) {
        if !self.may_here(CheckId::Terminate) {
            return;
        }
        let mut asked = Vec::new();
        if !me.is_admin() {
            let databricks = &self.databricks;
            let levels = running
                .iter()
                .take(PERMISSIONS)
                .map(|(name, cluster)| async move {
                    let level = databricks.level_on(&cluster.id, me).await;
                    (name.clone(), level.map_err(|error| in_words(&error)))
                });
            asked = join_all(levels).await;
        }
        let finding = rights::terminate(&self.patient.door, me, &asked);
        self.sheet.add(finding);
    }

    async fn ask_unlisted(&mut self, me: &Me, listing: Option<&ClusterListing>) {
        if !self.may_here(CheckId::Unseen) {
            return;
        }
        let (Some(Some((_, _, roster))), Some(listing)) = (self.roster.get(), listing) else {
            return;
        };
        let unlisted = roster.clusters().filter(|id| !is_listed(listing, id));
        let unlisted: Vec<&str> = unlisted.collect();
        let left_out = unlisted.len().saturating_sub(UNLISTED);
        let databricks = &self.databricks;
        let asked = unlisted.into_iter().take(UNLISTED).map(|id| async move {
            let got = databricks.get_cluster(&ClusterId::new(id)).await;
            (format!("`{}`", Shown::name(id)), what_became(&got))
        });
        let asked = join_all(asked).await;
        let finding = rights::unseen(&self.patient.door, me, &asked, left_out);
        self.sheet.add(finding);
    }
}

fn is_listed(listing: &ClusterListing, wanted: &str) -> bool {
    use crate::databricks::Listed;
    listing.clusters.iter().any(|one| match one {
        Listed::Parsed(cluster) => cluster.id.as_str() == wanted,
        Listed::Unparsed { id, .. } => id.as_deref() == Some(wanted),
    })
}

fn what_became(got: &Result<Cluster, CallError>) -> Unlisted {
    match got {
        Ok(_) => Unlisted::Shown,
        Err(error) if cluster_gone(error) => Unlisted::Gone,
        Err(error) => match error.cause.answer() {
            Some(answer) if answer.status == 403 => Unlisted::Hidden,
            Some(_) | None => Unlisted::Untold(in_words(error)),
        },
    }
}

/// The cause, and what the other side said.
fn in_words(error: &CallError) -> String {
    match words_of_refusal(error) {
        Some(words) => format!("{} ({words})", error.cause),
        None => error.cause.to_string(),
    }
}

/// How the streaming page reads, as a look would read it.
async fn streaming_view(
    driver: &SparkDriver,
    id: &ClusterId,
    application: &LiveApplication,
) -> Signal<StreamingView> {
    let page = driver.streaming(id, application).await;
    let view = streaming(&page, &driver.address(id), false);
    if view == Signal::Known(StreamingView::NeverAny) {
        return never_any(&driver.environment(id, application).await);
    }
    view
}

/// What a machine has that perhaps has just started.
fn newest(metrics: &VmMetrics, is_new: bool, now: Timestamp) -> Newest {
    let series = metrics.value.iter().flat_map(|metric| &metric.timeseries);
    let points = series.flat_map(|series| &series.data);
    let measured = points.filter(|point| point.average.is_some() || point.total.is_some());
    if let Some(newest) = measured.filter_map(|point| point.time_stamp).max() {
        // A point stands for the minute that it begins.
        return Newest::Old(now.since(newest.plus(Interval::Minute.length())));
    }
    if is_new {
        Newest::NotYet
    } else {
        Newest::Missing
    }
}
