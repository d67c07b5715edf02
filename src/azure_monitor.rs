//! Client of ARM and Azure Monitor: the machines of the clusters, their tags and
//! their host metrics.
//!
//! It fetches answers for `witness::nodes`, which judges them. Metrics are asked
//! for one machine a call, because that needs the narrowest role and keeps one
//! machine's failure its own. Ids come from other answers, so their shape is
//! checked before they go into a path. Only reads are sent; each failed call
//! becomes a reason, because without metrics the nodes witness is Unknown and the
//! sweep goes on. What was throttled is not asked again before its time.

mod group;
mod machines;
mod refusal;
mod throttle;

use std::sync::Arc;

use http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::service::{Ask, Service, Stage};
use crate::signals::Why;
use crate::witness::nodes::{
    CPU_METRIC, METRIC_NAMESPACE, NETWORK_IN_METRIC, NETWORK_OUT_METRIC, Roster, VmMetrics, Window,
};

pub use group::ManagedResourceGroup;
pub use refusal::{knows_no_resource, lacks_role};
pub use throttle::Throttles;

use group::WorkspacePath;
use machines::MachinePage;
use refusal::{explain, throttled};
use throttle::Errand;

const WORKSPACE_API_VERSION: &str = "2018-04-01";
const METRICS_API_VERSION: &str = "2024-02-01";
const MACHINES_API_VERSION: &str = "2024-07-01";
const WORKSPACE_BODY_CAP: usize = 1024 * 1024;
/// Two weeks of points of five minutes for three metrics are about 1 MiB.
const METRICS_BODY_CAP: usize = 4 * 1024 * 1024;
/// One page of VMs, each of some kilobytes.
const MACHINES_BODY_CAP: usize = 16 * 1024 * 1024;
/// Pages of VMs of one workspace; how many VMs a page holds is not documented.
const MACHINES_PAGE_CAP: usize = 200;
/// Longest name of a virtual machine.
const MAX_INSTANCE_ID: usize = 64;

/// Reads the machines of the workspaces through ARM.
#[derive(Debug, Clone)]
pub struct AzureMonitor {
    service: Arc<Service>,
    throttles: Throttles,
}

/// One question, as far as the calls of this client differ.
struct Question<'a> {
    verb: &'static str,
    errand: Errand,
    subscription: &'a str,
    path: &'a [&'a str],
    query: &'a [(&'a str, &'a str)],
    body_cap: usize,
    /// What a 403 lacks.
    role: &'a str,
    /// What a 404 means.
    missing: &'a str,
}

#[derive(Deserialize)]
struct WorkspaceResource {
    properties: WorkspaceProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WorkspaceProperties {
    managed_resource_group_id: String,
}

impl AzureMonitor {
    /// A client over `service`, whose base is ARM. The sweep's clients share
    /// `throttles`.
    #[must_use]
    pub fn new(service: Arc<Service>, throttles: Throttles) -> Self {
        Self { service, throttles }
    }

    /// Asks for the managed resource group of the workspace `resource_id`
    /// (`/subscriptions/…/providers/Microsoft.Databricks/workspaces/…`).
    ///
    /// # Errors
    /// The resource id is none, or ARM did not answer with a resource group.
    pub async fn managed_resource_group(
        &self,
        resource_id: &str,
    ) -> Result<ManagedResourceGroup, Why> {
        let Some(path) = WorkspacePath::parse(resource_id) else {
            return Err(Why::new("the workspace's resource_id is no resource id"));
        };
        let question = Question {
            verb: "read the workspace resource",
            errand: Errand::Workspace,
            subscription: path.subscription,
            path: &path.segments,
            query: &[("api-version", WORKSPACE_API_VERSION)],
            body_cap: WORKSPACE_BODY_CAP,
            role: "Reader on the workspace resource",
            missing: "no such resource",
        };
        let answer: WorkspaceResource = self.ask(question).await?;
        let id = &answer.properties.managed_resource_group_id;
        ManagedResourceGroup::parse(id)
            .ok_or_else(|| Why::new("ARM names no managed resource group of the workspace"))
    }

    /// Lists the VMs of `group` with what their tags tell.
    ///
    /// # Errors
    /// ARM did not answer, or not with a whole list that is understood.
    pub async fn machines(&self, group: &ManagedResourceGroup) -> Result<Roster, Why> {
        let path = [
            "subscriptions",
            &group.subscription,
            "resourceGroups",
            &group.name,
            "providers",
            "Microsoft.Compute",
            "virtualMachines",
        ];
        let version = ("api-version".to_owned(), MACHINES_API_VERSION.to_owned());
        let mut query = vec![version];
        let mut machines = Vec::new();
        for _ in 0..MACHINES_PAGE_CAP {
            let pairs: Vec<_> = query
                .iter()
                .map(|(key, value)| (&**key, &**value))
                .collect();
            let question = Question {
                verb: "list the VMs of the managed resource group",
                errand: Errand::Machines,
                subscription: &group.subscription,
                path: &path,
                query: &pairs,
                body_cap: MACHINES_BODY_CAP,
                role: "Reader or Monitoring Reader on the subscription",
                missing: "no such resource group",
            };
            let page: MachinePage = self.ask(question).await?;
            let (found, next) = page.read(self.service.base())?;
            machines.extend(found);
            match next {
                None => return Ok(Roster::new(machines)),
                Some(next) if next == query => {
                    return Err(Why::new("ARM's list of VMs names the same page twice"));
                }
                Some(next) => query = next,
            }
        }
        Err(Why::new(format!(
            "ARM's list of VMs has more than {MACHINES_PAGE_CAP} pages"
        )))
    }

    /// Asks for the metrics of the machine `instance_id`, which is taken to be
    /// the name of a VM in `group`, over `window`.
    ///
    /// # Errors
    /// The id could not be a VM's name, or ARM did not answer metrics.
    pub async fn vm_metrics(
        &self,
        group: &ManagedResourceGroup,
        instance_id: &str,
        window: &Window,
    ) -> Result<VmMetrics, Why> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let length = instance_id.len();
        if length == 0 || length > MAX_INSTANCE_ID || !instance_id.chars().all(is_plain) {
            return Err(Why::new("the machine's instance_id is no VM's name"));
        }
        let path = [
            "subscriptions",
            &group.subscription,
            "resourceGroups",
            &group.name,
            "providers",
            "Microsoft.Compute",
            "virtualMachines",
            instance_id,
            "providers",
            "Microsoft.Insights",
            "metrics",
        ];
        let names = [CPU_METRIC.0, NETWORK_IN_METRIC.0, NETWORK_OUT_METRIC.0].join(",");
        let timespan = format!("{}/{}", window.from, window.to);
        let query = [
            ("api-version", METRICS_API_VERSION),
            ("timespan", timespan.as_str()),
            ("interval", window.interval.as_str()),
            ("metricnames", names.as_str()),
            ("aggregation", "average,total"),
            ("metricnamespace", METRIC_NAMESPACE),
            // True would change the grain silently.
            ("AutoAdjustTimegrain", "false"),
        ];
        let question = Question {
            verb: "read the metrics of a VM",
            errand: Errand::Metrics,
            subscription: &group.subscription,
            path: &path,
            query: &query,
            body_cap: METRICS_BODY_CAP,
            role: "Monitoring Reader on the subscription",
            missing: "no VM of that name",
        };
        self.ask(question).await
    }

    async fn ask<T: DeserializeOwned>(&self, question: Question<'_>) -> Result<T, Why> {
        let Question {
            verb,
            errand,
            subscription,
            path,
            query,
            body_cap,
            role,
            missing,
        } = question;
        if let Some(why) = self.throttles.why_not(errand, subscription) {
            return Err(why);
        }
        let ask = Ask {
            verb,
            stage: Stage::Nodes,
            method: Method::GET,
            path,
            query,
            body: None,
            idempotent: true,
            body_cap,
            from_users: false,
            until: None,
            joining: None,
        };
        let answer = self.service.json(ask).await;
        answer.map_err(|error| {
            let why = explain(&error, role, missing);
            if let Some(refusal) = throttled(&error) {
                let wait = refusal.retry_after;
                self.throttles.stay_away(errand, subscription, wait, &why);
            }
            why
        })
    }
}

#[cfg(test)]
mod tests;
