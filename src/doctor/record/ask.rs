//! Asks one workspace what nobody has recorded yet, and keeps shapes.
//!
//! Only GETs, each once, in a fixed order. Values are read here to know whom to ask next,
//! and end here: what is given back are the types of `record`. A cluster that does not
//! run has no driver to ask, and nothing that might start one is asked.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Response;
use serde_json::Value;

use super::{ClusterRecord, Metrics, Observation, WorkspaceRecord};
use super::{derived, vocabulary};
use crate::azure_monitor::ManagedResourceGroup;
use crate::doctor::ways::Ways;
use crate::service::{Accepts, Get, Service, Stage};
use crate::spark::SPARK_UI_PORT;
use crate::timestamp::Timestamp;

/// Clusters of one access mode that are asked: more would tell the same again.
const PER_ACCESS_MODE: usize = 2;
/// Clusters of a workspace that are asked.
const CLUSTERS: usize = 8;

const HOUR_MS: i64 = 3_600_000;

/// One question.
struct Question<'a> {
    name: &'static str,
    /// With what is data in angle brackets.
    shown: &'static str,
    path: &'a [&'a str],
    query: &'a [(&'a str, &'a str)],
    accepts: Accepts,
}

/// Asks, notes the shape, and gives the JSON for whoever has to know whom to ask next.
async fn ask(service: &Service, question: Question<'_>, noted: &mut Vec<Observation>) -> Value {
    let get = Get {
        verb: question.name,
        stage: Stage::Rights,
        path: question.path,
        query: question.query,
        accepts: question.accepts,
    };
    let (answer, elapsed) = service.get_raw(get).await;
    let observation = Observation::of(question.name, question.shown, &answer, elapsed);
    noted.push(observation);
    match &answer {
        Ok(answer) if answer.status().is_success() => json_of(answer),
        Ok(_) | Err(_) => Value::Null,
    }
}

fn json_of(answer: &Response<Bytes>) -> Value {
    serde_json::from_slice(answer.body()).unwrap_or(Value::Null)
}

/// Everything that is asked of one workspace.
pub(in crate::doctor) async fn record(
    ways: &Ways,
    resource_id: Option<&str>,
    now: Timestamp,
) -> WorkspaceRecord {
    let mut noted = Vec::new();
    let me = ask(&ways.api, ME, &mut noted).await;
    let listed = ask(&ways.api, CLUSTERS_LIST, &mut noted).await;
    ask(&ways.api, ACTIVE_RUNS, &mut noted).await;
    ask(&ways.api, COMPLETED_RUNS, &mut noted).await;
    ask(&ways.api, NODE_TYPES, &mut noted).await;
    let machines = machines_of(ways, resource_id, &mut noted).await;
    let mut clusters = Vec::new();
    for cluster in picked(&listed) {
        clusters.push(cluster_record(ways, cluster, machines.as_ref(), now).await);
    }
    WorkspaceRecord {
        version: env!("CARGO_PKG_VERSION"),
        is_admin: (!me.is_null()).then(|| is_admin(&me)),
        asks_drivers: ways.drivers.is_some(),
        observations: noted,
        clusters,
    }
}

const ME: Question<'static> = Question {
    name: "own groups",
    shown: "/api/2.0/preview/scim/v2/Me?excludedAttributes=entitlements",
    path: &["api", "2.0", "preview", "scim", "v2", "Me"],
    query: &[("excludedAttributes", "entitlements")],
    accepts: Accepts::Json,
};
const CLUSTERS_LIST: Question<'static> = Question {
    name: "running all-purpose clusters, first page",
    shown: "/api/2.1/clusters/list?filter_by.cluster_states=RUNNING&filter_by.cluster_sources=UI|API",
    path: &["api", "2.1", "clusters", "list"],
    query: &[
        ("filter_by.cluster_states", "RUNNING"),
        ("filter_by.cluster_sources", "UI"),
        ("filter_by.cluster_sources", "API"),
        ("page_size", "100"),
    ],
    accepts: Accepts::Json,
};
const ACTIVE_RUNS: Question<'static> = Question {
    name: "active runs, first page",
    shown: "/api/2.2/jobs/runs/list?active_only=true",
    path: &["api", "2.2", "jobs", "runs", "list"],
    query: &[
        ("active_only", "true"),
        ("expand_tasks", "true"),
        ("limit", "25"),
    ],
    accepts: Accepts::Json,
};
const COMPLETED_RUNS: Question<'static> = Question {
    name: "completed runs, first page",
    shown: "/api/2.2/jobs/runs/list?completed_only=true",
    path: &["api", "2.2", "jobs", "runs", "list"],
    query: &[
        ("completed_only", "true"),
        ("expand_tasks", "true"),
        ("limit", "25"),
    ],
    accepts: Accepts::Json,
};
const NODE_TYPES: Question<'static> = Question {
    name: "machine sizes",
    shown: "/api/2.1/clusters/list-node-types",
    path: &["api", "2.1", "clusters", "list-node-types"],
    query: &[],
    accepts: Accepts::Json,
};

fn is_admin(me: &Value) -> bool {
    let groups = me["groups"].as_array().into_iter().flatten();
    groups.into_iter().any(|group| group["display"] == "admins")
}

/// Whether a sweep would look at it. The list was asked for no others, and whether that was
/// heeded is seen here, before a token goes to a driver.
fn is_running_all_purpose(cluster: &Value) -> bool {
    cluster["state"] == "RUNNING"
        && ["UI", "API"]
            .iter()
            .any(|source| cluster["cluster_source"] == *source)
}

/// Some clusters of each access mode.
fn picked(listed: &Value) -> Vec<&Value> {
    let mut of_mode: BTreeMap<&'static str, usize> = BTreeMap::new();
    let clusters = listed["clusters"].as_array().into_iter().flatten();
    let mut picked: Vec<&Value> = clusters
        .filter(|cluster| is_running_all_purpose(cluster))
        .filter(|cluster| {
            let count = of_mode.entry(mode_of(cluster)).or_default();
            *count += 1;
            *count <= PER_ACCESS_MODE
        })
        .collect();
    picked.truncate(CLUSTERS);
    picked
}

fn mode_of(cluster: &Value) -> &'static str {
    vocabulary::access_mode(cluster["data_security_mode"].as_str())
}

/// The VMs of the workspace's managed resource group, as ARM tells them.
struct Vms {
    group: ManagedResourceGroup,
    vms: Vec<Value>,
}

async fn machines_of(
    ways: &Ways,
    resource_id: Option<&str>,
    noted: &mut Vec<Observation>,
) -> Option<Vms> {
    let (arm, id) = (ways.arm.as_ref()?, resource_id?);
    let path: Vec<&str> = id.trim_start_matches('/').split('/').collect();
    let question = Question {
        name: "the workspace's resource",
        shown: "/<workspace's resource id>?api-version=2018-04-01",
        path: &path,
        query: &[("api-version", "2018-04-01")],
        accepts: Accepts::Json,
    };
    let resource = ask(arm, question, noted).await;
    let group = resource["properties"]["managedResourceGroupId"].as_str()?;
    let group = ManagedResourceGroup::parse(group)?;
    let id = group.to_string();
    let mut path: Vec<&str> = id.trim_start_matches('/').split('/').collect();
    path.extend(["providers", "Microsoft.Compute", "virtualMachines"]);
    let question = Question {
        name: "the machines, first page",
        shown: "/<managed resource group>/providers/Microsoft.Compute/virtualMachines?api-version=2024-07-01",
        path: &path,
        query: &[("api-version", "2024-07-01")],
        accepts: Accepts::Json,
    };
    let listed = ask(arm, question, noted).await;
    let vms = listed["value"].as_array()?.clone();
    Some(Vms { group, vms })
}

async fn cluster_record(
    ways: &Ways,
    cluster: &Value,
    machines: Option<&Vms>,
    now: Timestamp,
) -> ClusterRecord {
    let mut noted = Vec::new();
    let id = plain(cluster["cluster_id"].as_str());
    if let Some(id) = id {
        ask_api(ways, id, &mut noted).await;
        ask_driver(ways, id, &mut noted).await;
    }
    let driver = plain(cluster["driver"]["instance_id"].as_str());
    let metrics = match (machines, driver) {
        (Some(machines), Some(driver)) => {
            metrics_of(ways, &machines.group, driver, now, &mut noted).await
        }
        (None, _) | (_, None) => None,
    };
    let executors = cluster["executors"].as_array();
    ClusterRecord {
        access_mode: mode_of(cluster),
        runtime: derived::runtime(cluster["spark_version"].as_str()),
        workers: executors.map_or(0, Vec::len),
        has_autoscale: cluster["autoscale"].is_object(),
        has_pool: cluster["instance_pool_id"].is_string(),
        last_activity: derived::last_activity(cluster, now),
        machines: machines.map(|machines| derived::compared(cluster, &machines.vms)),
        metrics,
        observations: noted,
    }
}

/// An id that may stand in a path.
fn plain(id: Option<&str>) -> Option<&str> {
    let is_plain = |next: u8| next.is_ascii_alphanumeric() || next == b'-' || next == b'_';
    id.filter(|id| (1..=64).contains(&id.len()) && id.bytes().all(is_plain))
}

async fn ask_api(ways: &Ways, id: &str, noted: &mut Vec<Observation>) {
    let question = Question {
        name: "the cluster's record",
        shown: "/api/2.1/clusters/get?cluster_id=<cluster>",
        path: &["api", "2.1", "clusters", "get"],
        query: &[("cluster_id", id)],
        accepts: Accepts::Json,
    };
    ask(&ways.api, question, noted).await;
    let question = Question {
        name: "the cluster's permissions",
        shown: "/api/2.0/permissions/clusters/<cluster>",
        path: &["api", "2.0", "permissions", "clusters", id],
        query: &[],
        accepts: Accepts::Json,
    };
    ask(&ways.api, question, noted).await;
}

/// What is asked of a driver: name, path shown, path below the application, query.
type OfApplication = (
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static [(&'static str, &'static str)],
);

const OF_APPLICATION: [OfApplication; 5] = [
    (
        "Spark jobs at work",
        "…/applications/<application>/jobs?status=running",
        &["jobs"],
        &[("status", "running")],
    ),
    (
        "Spark stages at work",
        "…/applications/<application>/stages?status=active",
        &["stages"],
        &[("status", "active")],
    ),
    (
        "SQL executions",
        "…/applications/<application>/sql?length=20",
        &["sql"],
        &[
            ("details", "false"),
            ("planDescription", "false"),
            ("offset", "0"),
            ("length", "20"),
        ],
    ),
    (
        "the Spark environment",
        "…/applications/<application>/environment",
        &["environment"],
        &[],
    ),
    (
        "the driver's threads",
        "…/applications/<application>/executors/driver/threads",
        &["executors", "driver", "threads"],
        &[],
    ),
];

async fn ask_driver(ways: &Ways, id: &str, noted: &mut Vec<Observation>) {
    let (Some(service), Some(org)) = (&ways.drivers, ways.org_id()) else {
        return;
    };
    let port = SPARK_UI_PORT.to_string();
    let proxy = ["driver-proxy-api", "o", &org, id, &port];
    let path = [&proxy[..], &["api", "v1", "applications"]].concat();
    let question = Question {
        name: "Spark applications",
        shown: "/driver-proxy-api/o/<org>/<cluster>/40001/api/v1/applications",
        path: &path,
        query: &[],
        accepts: Accepts::Json,
    };
    let applications = ask(service, question, noted).await;
    if let Some(application) = plain(applications[0]["id"].as_str()) {
        for (name, shown, below, query) in OF_APPLICATION {
            let question = Question {
                name,
                shown,
                path: &[&path[..], &[application], below].concat(),
                query,
                accepts: Accepts::Json,
            };
            ask(service, question, noted).await;
        }
    }
    let question = Question {
        name: "the streaming page",
        shown: "/driver-proxy-api/o/<org>/<cluster>/40001/StreamingQuery/",
        path: &[&proxy[..], &["StreamingQuery", ""]].concat(),
        query: &[],
        accepts: Accepts::Html,
    };
    ask(service, question, noted).await;
}

async fn metrics_of(
    ways: &Ways,
    group: &ManagedResourceGroup,
    machine: &str,
    now: Timestamp,
    noted: &mut Vec<Observation>,
) -> Option<Metrics> {
    let arm = ways.arm.as_ref()?;
    let group = group.to_string();
    let mut path: Vec<&str> = group.trim_start_matches('/').split('/').collect();
    path.extend(["providers", "Microsoft.Compute", "virtualMachines", machine]);
    path.extend(["providers", "Microsoft.Insights", "metrics"]);
    let from = Timestamp::from_millis(now.as_millis() - HOUR_MS);
    let timespan = format!("{from}/{now}");
    let question = Question {
        name: "the driver's metrics of the last hour",
        shown: "/<VM>/providers/Microsoft.Insights/metrics?api-version=2024-02-01",
        path: &path,
        query: &[
            ("api-version", "2024-02-01"),
            ("timespan", &timespan),
            ("interval", "PT1M"),
            ("metricnames", "Percentage CPU"),
            ("aggregation", "average,total"),
            ("metricnamespace", "Microsoft.Compute/virtualMachines"),
            ("AutoAdjustTimegrain", "false"),
        ],
        accepts: Accepts::Json,
    };
    let answer = ask(arm, question, noted).await;
    derived::metrics(answer, now)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn clusters_of_every_access_mode_are_asked_and_no_more_than_tell_something() {
        let cluster = |mode: &str| {
            json!({
                "cluster_id": "a", "state": "RUNNING", "cluster_source": "UI",
                "data_security_mode": mode,
            })
        };
        let modes = ["SINGLE_USER"; 5]
            .into_iter()
            .chain(["NONE", "NEW_1", "NEW_2", "NEW_3"]);
        let listed = json!({"clusters": modes.map(cluster).collect::<Vec<_>>()});
        let picked: Vec<&str> = picked(&listed).into_iter().map(mode_of).collect();
        assert_eq!(
            picked,
            ["SINGLE_USER", "SINGLE_USER", "NONE", "<other>", "<other>"]
        );
        assert!(super::picked(&Value::Null).is_empty());
    }
    #[test]
    fn no_token_goes_to_a_cluster_that_a_sweep_would_not_ask() {
        let cluster = |id: &str, state: Value, source: Value| json!({"cluster_id": id, "state": state, "cluster_source": source});
        let listed = json!({"clusters": [
            cluster("terminated", "TERMINATED".into(), "UI".into()),
            cluster("pending", "PENDING".into(), "API".into()),
            cluster("other state", "running".into(), "UI".into()),
            cluster("no state", Value::Null, "UI".into()),
            cluster("job", "RUNNING".into(), "JOB".into()),
            cluster("pipeline", "RUNNING".into(), "PIPELINE".into()),
            cluster("no source", "RUNNING".into(), Value::Null),
            cluster("ui", "RUNNING".into(), "UI".into()),
            cluster("api", "RUNNING".into(), "API".into()),
            {"cluster_id": "neither"},
            "RUNNING",
        ]});
        let ids = picked(&listed).into_iter().map(|one| &one["cluster_id"]);
        assert_eq!(ids.collect::<Vec<_>>(), ["ui", "api"]);
    }
}
