//! Clusters API 2.1: a cluster's event log, newest first unless asked otherwise, in pages.
//!
//! The log is made from the cluster's life (created, started, terminated) and the events that the world
//! gives it. Reading it changes nothing although it is a POST.

use serde_json::{Value, json};

use super::{Visit, clusters, invalid, paging};
use crate::http::Answer;
use crate::world::{Cluster, Permission};

const KNOWN_FIELDS: [&str; 9] = [
    "cluster_id",
    "start_time",
    "end_time",
    "order",
    "event_types",
    "page_size",
    "page_token",
    "offset",
    "limit",
];
/// The service takes this for anything above it (documentation of the official SDKs).
const MAX_PAGE_SIZE: u64 = 500;
const DEFAULT_PAGE_SIZE: u64 = 50;

pub(super) fn list(visit: &Visit<'_>) -> Result<Answer, Answer> {
    visit.check_keys(&[])?;
    let body = visit.request.json_body();
    let fields = body.as_object().cloned().unwrap_or_default();
    if let Some(field) = fields
        .keys()
        .find(|field| !KNOWN_FIELDS.contains(&field.as_str()))
    {
        return Err(Answer::unarranged(format!(
            "the field {field:?} at clusters/events"
        )));
    }
    let id = body["cluster_id"].as_str().unwrap_or_default();
    let cluster = clusters::find(visit.workspace, id)?;
    if visit.permission(cluster) == Permission::None {
        return Err(clusters::forbidden(visit.caller, "Attach", id));
    }
    let size = body["page_size"]
        .as_u64()
        .or(body["limit"].as_u64())
        .unwrap_or(DEFAULT_PAGE_SIZE)
        .min(MAX_PAGE_SIZE);
    let events = wanted_events(visit, cluster, &body);
    let total = events.len();
    let mut depends_on = fields.clone();
    depends_on.remove("page_token");
    let size = if size == 0 { DEFAULT_PAGE_SIZE } else { size };
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let page = paging::cut(
        events,
        size,
        body["page_token"].as_str(),
        &format!("{depends_on:?}"),
    )
    .map_err(|message| invalid(&message))?;
    let mut answer = json!({ "events": page.items, "total_count": total });
    if let Some(next) = &page.next {
        let mut next_page = depends_on;
        next_page.insert("page_token".to_owned(), json!(next));
        answer["next_page"] = Value::Object(next_page);
    }
    clusters::end_page(&mut answer, visit.workspace, page.next, page.previous);
    Ok(Answer::json(200, &answer))
}

fn wanted_events(visit: &Visit<'_>, cluster: &Cluster, body: &Value) -> Vec<Value> {
    let types: Vec<&str> = body["event_types"]
        .as_array()
        .map(|types| types.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let from = body["start_time"].as_i64().unwrap_or(i64::MIN);
    let to = body["end_time"].as_i64().unwrap_or(i64::MAX);
    let mut events: Vec<(i64, Value)> = all_events(visit, cluster)
        .into_iter()
        .filter(|(at, event_type, _)| {
            (from..=to).contains(at) && (types.is_empty() || types.contains(&event_type.as_str()))
        })
        .map(|(at, event_type, details)| {
            let event = json!({
                "cluster_id": cluster.id,
                "timestamp": at,
                "type": event_type,
                "details": details,
            });
            (at, event)
        })
        .collect();
    events.sort_by_key(|(at, _)| *at);
    if body["order"].as_str() != Some("ASC") {
        events.reverse();
    }
    events.into_iter().map(|(_, event)| event).collect()
}

fn all_events(visit: &Visit<'_>, cluster: &Cluster) -> Vec<(i64, String, Value)> {
    let clock = &visit.world.clock;
    let mut events = vec![(
        clock.epoch_ms(cluster.created),
        "CREATING".to_owned(),
        json!({ "user": "owner@example.com" }),
    )];
    if let Some(started) = cluster.started {
        let at = clock.epoch_ms(started);
        events.push((
            at - 180_000,
            "STARTING".to_owned(),
            json!({ "user": "owner@example.com" }),
        ));
        let workers = cluster.workers;
        let size = json!({ "current_num_workers": workers, "target_num_workers": workers });
        events.push((at, "RUNNING".to_owned(), size));
    }
    for (event_type, moment) in &cluster.events {
        events.push((clock.epoch_ms(*moment), event_type.clone(), json!({})));
    }
    if let Some(termination) = &cluster.terminated {
        let user = visit
            .world
            .principal_named(&termination.by)
            .map(|principal| principal.client_id.clone());
        let details =
            json!({ "user": user.unwrap_or_default(), "reason": { "code": "USER_REQUEST" } });
        events.push((
            clock.epoch_ms(termination.at),
            "TERMINATING".to_owned(),
            details,
        ));
    }
    events
}
