//! The Databricks workspace API as typed calls: clusters, rights, runs.
//!
//! Everything that a sweep learns from a workspace's own REST API comes through
//! here and leaves as our own values; wire structs, paging and the odd shapes of
//! answers stay inside. It judges nothing and retries nothing (`service` does).
//! All calls but one only read: [`Databricks::terminate_cluster`] is the one way
//! to stop a cluster, it takes a permit of `plan`, and the irreversible deletion
//! that the API also offers does not occur in this code.

pub mod access;
pub mod errors;
mod listing;
mod paging;
mod rights;
mod runs;
mod wire;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny};
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::cluster::{Cluster, ClusterId, NodeTypes};
use crate::decision::Proof;
use crate::escape::Shown;
use crate::plan::Permit;
use crate::service::{Ask, CallError, CallErrorCause, Service, Stage};
use crate::timestamp::Timestamp;

pub use listing::{ClusterListing, Listed};
pub use rights::{Level, Me};
pub use runs::{ActiveRun, ActiveRuns, CompletedRuns, RunsError};

use errors::ErrorBody;

/// Bytes of an answer about one thing; a cluster of hundreds of machines has some 100 kB.
const ONE_CAP: usize = 4 << 20;

/// Bytes of one page of a listing: 100 clusters, or 25 runs of 100 tasks each.
const PAGE_CAP: usize = 32 << 20;

/// Events asked for: the newest come first, and only the newest is of interest.
const EVENTS_PAGE: usize = 50;

/// The events after which a cluster has other machines than before.
///
/// `AUTOSCALING_STATS_REPORT` is left out: it is a periodic statistic that comes
/// from an autoscaling cluster whether or not it scales, so it would forever hold
/// back the nodes as only witness.
const RESIZE_EVENTS: [&str; 5] = [
    "RESIZING",
    "UPSIZE_COMPLETED",
    "NODES_LOST",
    "AUTOSCALING_BACKOFF",
    "AUTOSCALING_FAILED",
];

/// Whether the principal is shown to see every job run of the workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunsRight {
    /// It is a workspace admin.
    Admin,
    /// It is none, so a listing of runs may be a silent subset.
    NotShown,
}

/// The client of one workspace.
#[derive(Debug, Clone)]
pub struct Databricks {
    service: Arc<Service>,
}

/// One request, as far as the calls of this client differ.
struct Call<'a> {
    verb: &'static str,
    stage: Stage,
    /// Without the leading slash; its segments hold nothing to encode.
    path: &'static str,
    query: &'a [(&'a str, &'a str)],
    /// Makes it a POST.
    body: Option<serde_json::Value>,
    body_cap: usize,
    /// Only of the termination, see there.
    until: Option<Instant>,
}

impl Databricks {
    /// A client over `service`, whose base is the workspace's URL.
    #[must_use]
    pub fn new(service: Arc<Service>) -> Self {
        Self { service }
    }

    /// One cluster as it is at this moment.
    ///
    /// # Errors
    ///
    /// [`cluster_gone`] tells a cluster that no longer exists from a failed call.
    pub async fn get_cluster(&self, id: &ClusterId) -> Result<Cluster, CallError> {
        const VERB: &str = "get cluster";
        const PATH: &str = "api/2.1/clusters/get";
        let call = Call {
            verb: VERB,
            stage: Stage::Clusters,
            path: PATH,
            query: &[("cluster_id", id.as_str())],
            body: None,
            body_cap: ONE_CAP,
            until: None,
        };
        let raw: Box<RawValue> = self.send(call).await?;
        let cluster = wire::cluster(&raw).map_err(|item| self.unusable(VERB, PATH, item.why))?;
        if cluster.id != *id {
            let why = "the answer is about another cluster".to_owned();
            return Err(self.unusable(VERB, PATH, why));
        }
        Ok(cluster)
    }

    /// Asks the platform to terminate the cluster that the permit is for, which
    /// the second look has proven idle again. Success means accepted: the cluster
    /// is TERMINATING at some later moment, and a terminated one stays as it is.
    /// For `action` alone.
    ///
    /// It is not sent after `until`, and not again once it may have arrived: a
    /// terminated cluster starts by itself when somebody's command or job needs
    /// it, and a repetition would then terminate that new life, which nobody has
    /// proven idle.
    ///
    /// # Errors
    ///
    /// 403 when the principal may not: the smallest right is `CAN_RESTART`.
    pub async fn terminate_cluster(
        &self,
        permit: Permit,
        second: Proof,
        until: Instant,
    ) -> Result<(), CallError> {
        const VERB: &str = "terminate cluster";
        const PATH: &str = "api/2.1/clusters/delete";
        let Some(id) = permit.redeem(&second) else {
            let why = "the second look was at another cluster".to_owned();
            return Err(self.unusable(VERB, PATH, why));
        };
        let call = Call {
            verb: VERB,
            stage: Stage::Action,
            path: PATH,
            query: &[],
            body: Some(serde_json::json!({ "cluster_id": id.as_str() })),
            body_cap: ONE_CAP,
            until: Some(until),
        };
        self.send::<IgnoredAny>(call).await.map(|_| ())
    }

    /// The machine sizes of the workspace. A size whose cores can't be read is
    /// left out, which makes its machines' vCPUs unknown.
    ///
    /// # Errors
    ///
    /// Those of the call.
    pub async fn node_types(&self) -> Result<NodeTypes, CallError> {
        #[derive(Deserialize)]
        struct Sizes {
            node_types: Vec<Box<RawValue>>,
        }
        let call = Call {
            verb: "list node types",
            stage: Stage::Nodes,
            path: "api/2.1/clusters/list-node-types",
            query: &[],
            body: None,
            body_cap: PAGE_CAP,
            until: None,
        };
        let sizes: Sizes = self.send(call).await?;
        let known = sizes
            .node_types
            .iter()
            .filter_map(|raw| wire::node_type(raw));
        Ok(known.collect())
    }

    /// The latest event since `from` after which the cluster had other machines
    /// than before: resized, up-sized, nodes lost, or autoscaling that backed off or
    /// failed (not its periodic statistics).
    ///
    /// # Errors
    ///
    /// Those of the call, and an answer from which the latest can't be told.
    pub async fn resize_events(
        &self,
        id: &ClusterId,
        from: Timestamp,
    ) -> Result<Option<Timestamp>, CallError> {
        const VERB: &str = "list cluster events";
        const PATH: &str = "api/2.1/clusters/events";
        let call = Call {
            verb: VERB,
            stage: Stage::Nodes,
            path: PATH,
            query: &[],
            body: Some(serde_json::json!({
                "cluster_id": id.as_str(),
                "start_time": from.as_millis(),
                "order": "DESC",
                "event_types": RESIZE_EVENTS,
                "page_size": EVENTS_PAGE,
            })),
            body_cap: PAGE_CAP,
            until: None,
        };
        let page: EventPage = self.send(call).await?;
        latest_event(&page, from).map_err(|why| self.unusable(VERB, PATH, why))
    }

    /// Whether the principal is a workspace admin, who alone is sure to see all runs.
    ///
    /// # Errors
    ///
    /// Those of the call.
    pub async fn sees_all_runs(&self) -> Result<RunsRight, CallError> {
        Ok(if self.me().await?.is_admin() {
            RunsRight::Admin
        } else {
            RunsRight::NotShown
        })
    }

    async fn send<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, CallError> {
        let path: Vec<&str> = call.path.split('/').collect();
        let method = if call.body.is_some() {
            Method::POST
        } else {
            Method::GET
        };
        let ask = Ask {
            verb: call.verb,
            stage: call.stage,
            method,
            path: &path,
            query: call.query,
            body: call.body,
            // All but the termination only read.
            idempotent: call.until.is_none(),
            body_cap: call.body_cap,
            from_users: false,
            until: call.until,
            joining: None,
        };
        self.service.json_by(ask, read_answer).await
    }

    /// An answer that came and can't be used.
    fn unusable(&self, verb: &'static str, path: &str, why: String) -> CallError {
        let host = self.service.base().host_str().unwrap_or_default();
        CallError {
            verb,
            target: format!("{host}/{path}"),
            attempts: 1,
            may_be_done: true,
            elapsed: Duration::ZERO,
            cause: CallErrorCause::Shape(why),
        }
    }
}

/// Whether `error` says that a cluster no longer exists.
///
/// `clusters/get` answers an unknown id with 400 `INVALID_PARAMETER_VALUE`
/// "Cluster … does not exist" and one that was terminated over 30 days ago with
/// 400 `INVALID_STATE`, which the official Terraform provider takes as removed in
/// every case, by agreement with the Clusters team.
#[must_use]
pub fn cluster_gone(error: &CallError) -> bool {
    let Some(answer) = error.cause.answer() else {
        return false;
    };
    let body = ErrorBody::parse(&answer.body);
    match body.code.as_deref() {
        Some("RESOURCE_DOES_NOT_EXIST") => true,
        Some("INVALID_STATE") => answer.status == 400,
        Some("INVALID_PARAMETER_VALUE") => answer.status == 400 && body.says("does not exist"),
        Some(_) | None => false,
    }
}

/// What the workspace gave as the reason of a refusal, escaped and cut, if it
/// said anything.
#[must_use]
pub fn words_of_refusal(error: &CallError) -> Option<String> {
    let answer = error.cause.answer()?;
    let body = ErrorBody::parse(&answer.body);
    let says_something = body.code.is_some() || !body.message.is_empty();
    says_something.then(|| Shown::text(&body.to_string()).to_string())
}

/// Reads an answer with status 200 that is not an error in disguise: one with an
/// `error_code` would otherwise read as an empty listing.
///
/// # Errors
///
/// It is one, or no `T`.
pub(crate) fn read_answer<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    #[derive(Deserialize)]
    struct Disguise {
        error_code: Option<IgnoredAny>,
        error: Option<IgnoredAny>,
        message: Option<IgnoredAny>,
        detail: Option<IgnoredAny>,
    }
    let Disguise {
        error_code,
        error,
        message,
        detail,
    } = serde_json::from_str(text)?;
    // No answer that is read through this has such a member, and lists are absent
    // where they are empty: an error would look like "nothing found".
    let said = [error_code, error, message, detail];
    if said.iter().any(Option::is_some) {
        let body = ErrorBody::parse(text);
        let why = format!("an error with status 200: {body}");
        return Err(serde_json::Error::custom(why));
    }
    serde_json::from_str(text)
}

#[derive(Deserialize)]
struct EventPage {
    events: Option<Vec<Event>>,
    next_page: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Event {
    timestamp: wire::Integer,
}

fn latest_event(page: &EventPage, from: Timestamp) -> Result<Option<Timestamp>, String> {
    let mut times = Vec::new();
    for event in page.events.iter().flatten() {
        match event.timestamp.instant()? {
            Some(at) => times.push(at),
            None => return Err("an event has no time".to_owned()),
        }
    }
    // With more pages to come, the first holds the newest only in this order.
    if page.next_page.is_some() && !times.is_sorted_by(|left, right| left >= right) {
        return Err("the events are not newest first".to_owned());
    }
    Ok(times.into_iter().max().filter(|&latest| latest >= from))
}
