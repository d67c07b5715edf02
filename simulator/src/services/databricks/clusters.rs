//! Clusters API 2.1: list with filters and pages, get, delete (which terminates).
//!
//! A caller sees only the clusters on which it has a right; the others are silently missing. Delete is
//! asynchronous and answers `{}` for a cluster that is terminating or terminated already.

use serde_json::{Value, json};

use super::{Caller, Visit, error, invalid, lay_over, paging, unknown_cluster};
use crate::http::{Answer, Request};
use crate::world::{Cluster, PageEnd, Permission, Workspace, World};

const LIST_KEYS: [&str; 8] = [
    "filter_by.cluster_states",
    "filter_by.cluster_sources",
    "filter_by.is_pinned",
    "filter_by.policy_id",
    "sort_by.field",
    "sort_by.direction",
    "page_size",
    "page_token",
];
/// The service's own maximum.
const MAX_PAGE_SIZE: usize = 100;
const DEFAULT_PAGE_SIZE: usize = 20;

pub(super) fn list(visit: &Visit<'_>) -> Result<Answer, Answer> {
    visit.check_keys(&LIST_KEYS)?;
    let query = &visit.request.query;
    let now = visit.world.now();
    let mut clusters: Vec<&Cluster> = visit
        .workspace
        .clusters
        .iter()
        .filter(|cluster| visit.permission(cluster) > Permission::None && !cluster.is_aged_out)
        .filter(|cluster| passes_filters(visit, cluster))
        .collect();
    clusters.sort_by_key(|cluster| {
        let state_rank = state_rank(cluster.state_at(now));
        (
            state_rank,
            !cluster.is_pinned,
            cluster.name.clone(),
            cluster.id.clone(),
        )
    });
    if query.first("sort_by.field") == Some("CLUSTER_NAME") {
        clusters.sort_by_key(|cluster| cluster.name.clone());
    }
    if query.first("sort_by.direction") == Some("DESC") {
        clusters.reverse();
    }
    let asked = match query.first("page_size") {
        None => DEFAULT_PAGE_SIZE,
        Some(text) => text
            .parse()
            .map_err(|_| invalid("page_size must be a number"))?,
    };
    let size = asked
        .min(MAX_PAGE_SIZE)
        .min(visit.workspace.cluster_page_size);
    let depends_on: Vec<&(String, String)> = query
        .pairs()
        .iter()
        .filter(|(key, _)| key != "page_token")
        .collect();
    let page = paging::cut(
        clusters,
        size,
        query.first("page_token"),
        &format!("{depends_on:?}"),
    )
    .map_err(|message| invalid(&message))?;
    let mut body = json!({});
    if !page.items.is_empty() {
        let items = page
            .items
            .iter()
            .map(|cluster| cluster_json(visit, cluster));
        body["clusters"] = items.collect();
    }
    end_page(&mut body, visit.workspace, page.next, page.previous);
    Ok(Answer::json(200, &body))
}

/// Tells the tokens of the neighbouring pages as the workspace is set to.
pub(super) fn end_page(
    body: &mut Value,
    workspace: &Workspace,
    next: Option<String>,
    previous: Option<String>,
) {
    for (key, token) in [("next_page_token", next), ("prev_page_token", previous)] {
        match (token, workspace.page_end) {
            (Some(token), _) => body[key] = json!(token),
            (None, PageEnd::Empty) => body[key] = json!(""),
            (None, PageEnd::Absent) => {}
        }
    }
}

fn state_rank(state: &str) -> u8 {
    match state {
        "RUNNING" | "RESIZING" | "PENDING" | "RESTARTING" => 0,
        "TERMINATING" => 1,
        _ => 2,
    }
}

fn passes_filters(visit: &Visit<'_>, cluster: &Cluster) -> bool {
    let query = &visit.request.query;
    let states = query.all("filter_by.cluster_states");
    let sources = query.all("filter_by.cluster_sources");
    let state = cluster.state_at(visit.world.now());
    let source = cluster.source.as_deref();
    let state_fits = states.is_empty() || states.contains(&state);
    // A cluster without a source is told in every listing: what the service does with one is not known,
    // and a client must cope with it.
    let source_fits = sources.is_empty() || source.is_none_or(|source| sources.contains(&source));
    let pin_fits = match query.first("filter_by.is_pinned") {
        None => true,
        Some(text) => text.eq_ignore_ascii_case("true") == cluster.is_pinned,
    };
    let policy_fits = query.first("filter_by.policy_id").is_none_or(|policy| {
        cluster
            .overlay
            .get("policy_id")
            .is_some_and(|known| *known == *policy)
    });
    state_fits && source_fits && pin_fits && policy_fits
}

pub(super) fn get(visit: &Visit<'_>) -> Result<Answer, Answer> {
    visit.check_keys(&["cluster_id"])?;
    let id = visit.request.query.first("cluster_id").unwrap_or_default();
    let cluster = find(visit.workspace, id)?;
    if cluster.is_aged_out {
        let message = format!(
            "Cannot access cluster {id} that was terminated or unpinned more than 30 days ago."
        );
        return Err(error(400, "INVALID_STATE", &message));
    }
    if visit.permission(cluster) == Permission::None {
        return Err(forbidden(visit.caller, "Attach", id));
    }
    let mut body = cluster_json(visit, cluster);
    body["spec"] = json!({
        "cluster_name": cluster.name,
        "spark_version": cluster.spark_version,
        "node_type_id": cluster.node_type,
    });
    Ok(Answer::json(200, &body))
}

/// Terminates a cluster.
pub(super) fn delete(world: &mut World, caller: &Caller, request: &Request) -> Answer {
    let body = request.json_body();
    let fields: Vec<&String> = body
        .as_object()
        .map(|fields| fields.keys().collect())
        .unwrap_or_default();
    let (Some(id), [_]) = (body["cluster_id"].as_str(), fields.as_slice()) else {
        return invalid("The body must hold cluster_id and nothing else.")
            .violation(format!("clusters/delete with the fields {fields:?}"));
    };
    if let Some(key) = request.query.unknown_key(&[]) {
        return Answer::unarranged(format!("the query key {key:?} at clusters/delete"));
    }
    let now = world.now();
    let host = request.host.clone();
    let workspace = world.workspace_mut(&host);
    let permission = match find(workspace, id) {
        Ok(cluster) => workspace.permission(&caller.principal, cluster),
        Err(refusal) => return refusal,
    };
    if permission < Permission::CanRestart {
        return forbidden(caller, "Restart", id);
    }
    if let Some(cluster) = workspace
        .clusters
        .iter_mut()
        .find(|cluster| cluster.id == id)
    {
        cluster.terminate(now, &caller.principal);
    }
    Answer::json(200, &json!({}))
}

pub(super) fn find<'w>(workspace: &'w Workspace, id: &str) -> Result<&'w Cluster, Answer> {
    workspace
        .clusters
        .iter()
        .find(|cluster| cluster.id == id)
        .ok_or_else(|| unknown_cluster(id))
}

pub(super) fn forbidden(caller: &Caller, right: &str, id: &str) -> Answer {
    let message = format!(
        "{} does not have {right} permissions on {id}. Please contact your administrator for access.",
        caller.client_id
    );
    error(403, "PERMISSION_DENIED", &message)
}

fn cluster_json(visit: &Visit<'_>, cluster: &Cluster) -> Value {
    let clock = &visit.world.clock;
    let state = cluster.state_at(clock.now());
    let mut body = json!({
        "cluster_id": cluster.id,
        "cluster_name": cluster.name,
        "creator_user_name": "owner@example.com",
        "spark_version": cluster.spark_version,
        "effective_spark_version": cluster.spark_version,
        "spark_context_id": cluster.spark_context_id,
        "spark_conf": spark_conf(cluster),
        "node_type_id": cluster.node_type,
        "driver_node_type_id": cluster.node_type,
        "azure_attributes": { "first_on_demand": 1, "availability": "ON_DEMAND_AZURE", "spot_bid_max_price": -1.0 },
        "enable_elastic_disk": true,
        "disk_spec": {},
        "data_security_mode": cluster.data_security_mode,
        "runtime_engine": "STANDARD",
        "state": state,
        "state_message": "",
        "start_time": clock.epoch_ms(cluster.created),
        "jdbc_port": 10_000,
        "init_scripts_safe_mode": false,
        "custom_tags": tags(&cluster.custom_tags),
        "default_tags": default_tags(cluster),
    });
    add_optional(&mut body, visit, cluster);
    match state {
        "TERMINATED" | "TERMINATING" => add_termination(&mut body, visit, cluster, state),
        _ => add_machines(&mut body, visit, cluster),
    }
    lay_over(&mut body, &cluster.overlay);
    body
}

fn add_optional(body: &mut Value, visit: &Visit<'_>, cluster: &Cluster) {
    let clock = &visit.world.clock;
    if let Some(source) = &cluster.source {
        body["cluster_source"] = json!(source);
    }
    if let Some(minutes) = cluster.autotermination_minutes {
        body["autotermination_minutes"] = json!(minutes);
    }
    if let Some((min, max)) = cluster.autoscale {
        body["autoscale"] = json!({ "min_workers": min, "max_workers": max });
    } else {
        body["num_workers"] = json!(cluster.workers);
    }
    if let Some(pool) = &cluster.pool {
        body["instance_source"] = json!({ "instance_pool_id": pool });
        body["instance_pool_id"] = json!(pool);
    }
    if cluster.is_pinned {
        body["pinned_by_user_name"] = json!("661448457191611");
    }
    if let Some(started) = cluster.started {
        let started = clock.epoch_ms(started);
        body["last_restarted_time"] = json!(started);
        // Recorded fixtures show the state loss a few milliseconds before the restart.
        body["last_state_loss_time"] = json!(started - 28);
    }
    if let Some(activity) = cluster.last_activity {
        body["last_activity_time"] = json!(clock.epoch_ms(activity));
    }
}

fn add_machines(body: &mut Value, visit: &Visit<'_>, cluster: &Cluster) {
    let clock = &visit.world.clock;
    let recorded = cluster.vms.iter().filter(|vm| vm.is_recorded);
    let mut machines = recorded.enumerate().map(|(index, vm)| {
        let mut machine = json!({
            "private_ip": format!("10.139.64.{}", 10 + index % 200),
            "host_private_ip": format!("10.139.0.{}", 10 + index % 200),
            "public_dns": "",
            "node_id": crate::encode::hex32_for(&format!("node {}", vm.name)),
            "instance_id": vm.name,
            "node_attributes": { "is_spot": false },
        });
        if cluster.started.is_some() {
            machine["start_timestamp"] = json!(clock.epoch_ms(vm.started));
        }
        machine
    });
    if let Some(driver) = machines.next() {
        body["driver"] = driver;
    }
    body["executors"] = machines.collect();
    body["driver_healthy"] = json!(true);
    body["cluster_cores"] = json!(cluster.vms.iter().map(|vm| vm.cores).sum::<f64>());
    body["cluster_memory_mb"] = json!(14_336 * cluster.vms.len());
}

fn add_termination(body: &mut Value, visit: &Visit<'_>, cluster: &Cluster, state: &str) {
    let Some(termination) = &cluster.terminated else {
        return;
    };
    body["termination_reason"] = if termination.by.is_empty() {
        json!({ "code": "INACTIVITY", "type": "SUCCESS", "parameters": { "inactivity_duration_min": "120" } })
    } else {
        let client_id = visit
            .world
            .principal_named(&termination.by)
            .map(|principal| &principal.client_id);
        json!({ "code": "USER_REQUEST", "type": "SUCCESS", "parameters": { "username": client_id } })
    };
    body["state_message"] = json!("Terminated on request.");
    if state == "TERMINATED" {
        body["terminated_time"] = json!(visit.world.clock.epoch_ms(termination.at));
    }
}

fn spark_conf(cluster: &Cluster) -> Value {
    if cluster.workers == 0 {
        json!({ "spark.databricks.cluster.profile": "singleNode", "spark.master": "local[*]" })
    } else {
        json!({ "spark.databricks.delta.preview.enabled": "true" })
    }
}

fn tags(pairs: &[(String, String)]) -> Value {
    pairs
        .iter()
        .map(|(key, value)| (key.clone(), json!(value)))
        .collect()
}

fn default_tags(cluster: &Cluster) -> Value {
    let usual = [
        ("Vendor", "Databricks"),
        ("Creator", "owner@example.com"),
        ("ClusterName", cluster.name.as_str()),
        ("ClusterId", cluster.id.as_str()),
    ];
    let mut all = tags(&cluster.default_tags);
    for (key, value) in usual {
        all[key] = json!(value);
    }
    all
}
