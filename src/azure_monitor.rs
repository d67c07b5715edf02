//! Client of Azure Monitor: host metrics of a cluster's machines, through ARM.
//!
//! It fetches answers for `witness::nodes`, which judges them. One machine a
//! call, because that needs the narrowest role and keeps one machine's failure
//! its own. Ids come from other answers, so their shape is checked before they
//! go into a path. Only reads are sent; each failed call becomes a reason,
//! because without metrics the nodes witness is Unknown and the sweep goes on.

use std::fmt;
use std::sync::Arc;

use http::Method;
use serde::Deserialize;

use crate::service::{Ask, CallError, CallErrorCause, Service, Stage};
use crate::signals::Why;
use crate::witness::nodes::{
    CPU_METRIC, METRIC_NAMESPACE, NETWORK_IN_METRIC, NETWORK_OUT_METRIC, VmMetrics, Window,
};
use crate::witness::shown;

const WORKSPACE_API_VERSION: &str = "2018-04-01";
const METRICS_API_VERSION: &str = "2024-02-01";
const WORKSPACE_BODY_CAP: usize = 1024 * 1024;
/// Two weeks of points of five minutes for three metrics are about 1 MiB.
const METRICS_BODY_CAP: usize = 4 * 1024 * 1024;
/// Longest name of a virtual machine.
const MAX_INSTANCE_ID: usize = 64;
/// Longest name of a resource group.
const MAX_GROUP_NAME: usize = 90;

/// The resource group that Databricks keeps a workspace's machines in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedResourceGroup {
    subscription: String,
    name: String,
}

impl ManagedResourceGroup {
    /// Reads `/subscriptions/{id}/resourceGroups/{name}`; `None` for anything else.
    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        let mut segments = id.strip_prefix('/')?.split('/');
        let group = Self::read(&mut segments)?;
        segments.next().is_none().then_some(group)
    }

    fn read<'a>(segments: &mut impl Iterator<Item = &'a str>) -> Option<Self> {
        let subscription = after("subscriptions", segments).filter(|id| is_guid(id))?;
        let name = after("resourceGroups", segments).filter(|name| is_group_name(name))?;
        Some(Self {
            subscription: subscription.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for ManagedResourceGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subscription, name } = self;
        write!(f, "/subscriptions/{subscription}/resourceGroups/{name}")
    }
}

/// Reads the machines of the workspaces through ARM.
#[derive(Debug, Clone)]
pub struct AzureMonitor {
    service: Arc<Service>,
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
    /// A client over `service`, whose base is ARM.
    #[must_use]
    pub fn new(service: Arc<Service>) -> Self {
        Self { service }
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
        let Some(path) = workspace_path(resource_id) else {
            return Err(Why::new("the workspace's resource_id is no resource id"));
        };
        let answer: WorkspaceResource = self
            .service
            .json(Ask {
                verb: "read the workspace resource",
                stage: Stage::Nodes,
                method: Method::GET,
                path: &path,
                query: &[("api-version", WORKSPACE_API_VERSION)],
                body: None,
                idempotent: true,
                body_cap: WORKSPACE_BODY_CAP,
                from_users: false,
                until: None,
            })
            .await
            .map_err(|error| {
                explain(
                    &error,
                    "Reader on the workspace resource",
                    "no such resource",
                )
            })?;
        let id = &answer.properties.managed_resource_group_id;
        ManagedResourceGroup::parse(id)
            .ok_or_else(|| Why::new("ARM names no managed resource group of the workspace"))
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
        let ask = Ask {
            verb: "read the metrics of a VM",
            stage: Stage::Nodes,
            method: Method::GET,
            path: &path,
            query: &query,
            body: None,
            idempotent: true,
            body_cap: METRICS_BODY_CAP,
            from_users: false,
            until: None,
        };
        let answer = self.service.json(ask).await;
        answer.map_err(|error| {
            let role = "Monitoring Reader on the subscription";
            explain(&error, role, "no VM of that name")
        })
    }
}

/// The segments of `/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Databricks/workspaces/{name}`.
fn workspace_path(resource_id: &str) -> Option<Vec<&str>> {
    let path: Vec<&str> = resource_id.strip_prefix('/')?.split('/').collect();
    let mut segments = path.iter().copied();
    ManagedResourceGroup::read(&mut segments)?;
    let provider = after("providers", &mut segments)?;
    let name = after("workspaces", &mut segments)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let is_workspace = provider.eq_ignore_ascii_case("Microsoft.Databricks")
        && !name.is_empty()
        && name.len() <= MAX_INSTANCE_ID
        && name.chars().all(is_plain)
        && segments.next().is_none();
    is_workspace.then_some(path)
}

/// The segment after the one called `key`, which ARM writes in any case.
fn after<'a>(key: &str, segments: &mut impl Iterator<Item = &'a str>) -> Option<&'a str> {
    segments
        .next()
        .filter(|name| name.eq_ignore_ascii_case(key))?;
    segments.next()
}

fn is_guid(text: &str) -> bool {
    let dashes = [8, 13, 18, 23];
    text.len() == 36
        && text.char_indices().all(|(at, c)| {
            if dashes.contains(&at) {
                c == '-'
            } else {
                c.is_ascii_hexdigit()
            }
        })
}

fn is_group_name(name: &str) -> bool {
    let is_allowed = |c: char| c.is_alphanumeric() || "_-().".contains(c);
    !name.is_empty()
        && name.chars().count() <= MAX_GROUP_NAME
        && name.chars().all(is_allowed)
        && !name.ends_with('.')
}

/// The error of ARM (`{error: {code}}`) or of Azure Monitor (`{code}`).
#[derive(Deserialize)]
struct ErrorBody {
    error: Option<ErrorCode>,
    code: Option<String>,
}

#[derive(Deserialize)]
struct ErrorCode {
    code: Option<String>,
}

fn error_code(body: &str) -> Option<String> {
    let body: ErrorBody = serde_json::from_str(body).ok()?;
    let code = body.error.and_then(|error| error.code).or(body.code)?;
    Some(shown(&code))
}

/// The reason for the report; `role` is what a 403 lacks, `missing` what a 404 means.
fn explain(error: &CallError, role: &str, missing: &str) -> Why {
    let verb = error.verb;
    let clause = match &error.cause {
        CallErrorCause::Status(answer) => {
            let status = answer.status;
            let code = error_code(&answer.body);
            let code = code.map(|code| format!(" {code}")).unwrap_or_default();
            let hint = match status {
                401 => " (the token was refused)".to_owned(),
                403 => format!(" (needs {role})"),
                404 => format!(" ({missing})"),
                429 => " (throttled)".to_owned(),
                _ => String::new(),
            };
            format!("ARM answered {status}{code}{hint} to: {verb}")
        }
        CallErrorCause::NotJson { .. }
        | CallErrorCause::NotHtml { .. }
        | CallErrorCause::Shape(_) => {
            let cause = &error.cause;
            format!("ARM's answer is not understood ({cause}) to: {verb}")
        }
        CallErrorCause::Transport(_)
        | CallErrorCause::Token(_)
        | CallErrorCause::TooLate
        | CallErrorCause::Deadline => {
            let cause = &error.cause;
            format!("ARM gave no answer ({cause}) to: {verb}")
        }
    };
    Why::new(clause)
}

#[cfg(test)]
mod tests;
