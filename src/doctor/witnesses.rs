//! Whether the witnesses speak: who asks the drivers and is let in, whether the streaming
//! page is understood, whether Azure tells machines and new metrics, and whether their
//! cores are known. Pure: answers come in, findings come out.

use std::time::Duration;

use super::access::Door;
use super::check::CheckId;
use super::commands;
use super::rights::{Of, some_of};
use super::sheet::{Finding, Remedy};
use crate::azure_monitor::{knows_no_resource, lacks_role};
use crate::cluster::{Cluster, NodeTypes};
use crate::escape::Shown;
use crate::human::{Count, Span};
use crate::signals::{Signal, StreamingView, Why};
use crate::spark::lacks_attach;
use crate::witness::nodes::MAX_AGE;

/// `asks`: the principal that the policy names for the drivers.
pub(super) fn spark_principal(door: &Door<'_>, asks: Option<&str>) -> Finding {
    let subject = door.subject();
    let id = CheckId::SparkPrincipal;
    let Some(asks) = asks else {
        let sentence = "the policy has no `[witness.spark]`, so no driver is asked";
        return Finding::skipped(id, &subject, sentence);
    };
    let name = Shown::name(asks);
    if asks == door.principal {
        let sentence = format!(
            "`{name}`, which also sweeps: the drivers are machines of their users, and nothing promises that its token \
             does not reach them"
        );
        let probe = commands::probe(door.workspace);
        return Finding::warn(id, &subject, sentence).with(Remedy::look(probe));
    }
    Finding::ok(
        id,
        &subject,
        format!("`{name}` asks the drivers, and nothing else there"),
    )
}

/// `door` is that of the principal that asks the drivers.
pub(super) fn spark_attach(door: &Door<'_>, asked: &[Of<Result<(), Why>>]) -> Finding {
    let subject = door.subject();
    let id = CheckId::SparkAttach;
    if asked.is_empty() {
        let sentence = "no all-purpose cluster is running, so there is no driver to ask";
        return Finding::skipped(id, &subject, sentence);
    }
    let total = Count(asked.len(), "driver");
    let failed: Vec<(&str, &Why)> = asked
        .iter()
        .filter_map(|(name, got)| Some((name.as_str(), got.as_ref().err()?)))
        .collect();
    let Some((_, first)) = failed.first() else {
        return Finding::ok(id, &subject, format!("Spark answers on {total}"));
    };
    let refused: Vec<&str> = failed
        .iter()
        .filter(|(_, why)| lacks_attach(why))
        .map(|(name, _)| *name)
        .collect();
    let (sentence, remedy) = if refused.is_empty() {
        let names = some_of(failed.iter().map(|(name, _)| *name));
        (
            format!(
                "{} of {total} did not answer: {names}: {first}",
                failed.len()
            ),
            Remedy::look(commands::doctor_of(door.workspace)),
        )
    } else {
        let names = some_of(refused.iter().copied());
        (
            format!("{} of {total} refused it: {names}", refused.len()),
            Remedy::grant(
                format!(
                    "CAN_ATTACH_TO on the clusters for `{}`",
                    Shown::name(door.principal)
                ),
                commands::grant_evidence(door.workspace),
            ),
        )
    };
    if failed.len() == asked.len() {
        return Finding::fail(id, &subject, sentence, remedy);
    }
    Finding::warn(id, &subject, sentence).with(remedy)
}

/// `asked`: what the page says, of each driver that answers.
pub(super) fn streaming_page(door: &Door<'_>, asked: &[Of<Signal<StreamingView>>]) -> Finding {
    let subject = door.subject();
    let id = CheckId::StreamingPage;
    let total = Count(asked.len(), "driver");
    let unknown: Vec<(&str, &Why)> = asked
        .iter()
        .filter_map(|(name, view)| Some((name.as_str(), view.why()?)))
        .collect();
    let Some((_, first)) = unknown.first() else {
        return Finding::ok(id, &subject, format!("it is understood on {total}"));
    };
    let names = some_of(unknown.iter().map(|(name, _)| *name));
    let sentence = format!(
        "it is not understood on {} of {total}, so Spark's quiet does not count there: {names}: {first}",
        unknown.len()
    );
    let remedy = Remedy::look(commands::record(door.workspace));
    if unknown.len() == asked.len() {
        return Finding::fail(id, &subject, sentence, remedy);
    }
    Finding::warn(id, &subject, sentence).with(remedy)
}

/// `is_on`: whether the policy asks the nodes.
pub(super) fn resource_id(door: &Door<'_>, is_on: bool) -> Finding {
    let subject = door.subject();
    let id = CheckId::ResourceId;
    match door.resource_id {
        _ if !is_on => {
            let sentence = "the policy switches the nodes witness off";
            Finding::skipped(id, &subject, sentence)
        }
        Some(resource) => Finding::ok(id, &subject, Shown::text(resource).to_string()),
        None => Finding::fail(
            id,
            &subject,
            "the policy gives no `resource_id`, so the clusters' machines cannot be found",
            Remedy::grant("`resource_id` in the policy", commands::workspace_ids()),
        ),
    }
}

/// Of what a resource id is a part.
fn subscription(resource_id: Option<&str>) -> &str {
    let segments = resource_id.unwrap_or_default().split('/');
    segments
        .filter(|one| !one.is_empty())
        .nth(1)
        .unwrap_or("SUBSCRIPTION")
}

/// What is missing where ARM or Azure Monitor gave nothing.
fn azure_remedy(door: &Door<'_>, why: &Why) -> Remedy {
    if lacks_role(why) {
        Remedy::grant(
            "Monitoring Reader on the subscription",
            commands::monitoring_reader(door.client_id, subscription(door.resource_id)),
        )
    } else if knows_no_resource(why) {
        Remedy::look(commands::workspace_resource(door.resource_id))
    } else {
        Remedy::look(commands::doctor_of(door.workspace))
    }
}

/// Why Azure gave nothing. Where no role is missing it can be that another cloud has it.
fn of_azure(door: &Door<'_>, why: &Why) -> String {
    if lacks_role(why) {
        why.to_string()
    } else {
        format!("{why}, in the {} cloud", door.cloud)
    }
}

/// `listed`: how many machines the workspace's resource group has.
pub(super) fn machines(door: &Door<'_>, listed: Result<usize, &Why>) -> Finding {
    let subject = door.subject();
    let id = CheckId::Machines;
    match listed {
        Ok(count) => {
            let count = Count(count, "machine");
            Finding::ok(id, &subject, format!("Azure lists {count} of its clusters"))
        }
        Err(why) => Finding::fail(id, &subject, of_azure(door, why), azure_remedy(door, why)),
    }
}

/// The newest point of a machine's metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Newest {
    /// It is so old.
    Old(Duration),
    /// No point has a value, and none can be expected yet.
    NotYet,
    /// No point has a value.
    Missing,
}

/// `asked`: the newest point of each driver's machine that was asked. A fresh machine
/// speaks for no other one, and one that has just started for none.
pub(super) fn metrics(door: &Door<'_>, asked: &[Of<Result<Newest, Why>>]) -> Finding {
    let subject = door.subject();
    let id = CheckId::Metrics;
    if asked.is_empty() {
        let sentence =
            "no running cluster names a driver's machine, so there are no metrics to read";
        return Finding::skipped(id, &subject, sentence);
    }
    let (mut failed, mut empty) = (Vec::new(), Vec::new());
    let (mut stale, mut fresh) = (Vec::new(), Vec::new());
    let mut too_new = 0;
    for (name, got) in asked {
        let name = name.as_str();
        match got {
            Err(why) => failed.push((name, why)),
            Ok(Newest::Missing) => empty.push(name),
            Ok(Newest::NotYet) => too_new += 1,
            Ok(Newest::Old(age)) if *age > MAX_AGE => stale.push((name, *age)),
            Ok(Newest::Old(age)) => fresh.push(*age),
        }
    }
    let judged = asked.len() - too_new;
    let total = Count(judged, "machine");
    let limit = Span(MAX_AGE);
    if judged == 0 {
        let new = Count(too_new, "machine");
        let sentence = format!("{new} started within the last {limit} and can have none yet");
        return Finding::skipped(id, &subject, sentence);
    }
    let beside = match Count(too_new, "more machine") {
        Count(0, _) => String::new(),
        new => format!("; {new} started within the last {limit}"),
    };
    let oldest = fresh.iter().max().filter(|_| fresh.len() == judged);
    if let Some(oldest) = oldest {
        let age = Span(*oldest);
        let sentence = format!("read of {total}; the newest point is {age} old at most{beside}");
        return Finding::ok(id, &subject, sentence);
    }
    let sentence = format!(
        "the metrics of {} of {total} say nothing of now: {}{beside}",
        judged - fresh.len(),
        not_of_now(door, &failed, &stale, &empty)
    );
    // Where Azure does not know a machine that Databricks names, it knows the workspace.
    let of_azure = failed.iter().find(|(_, why)| !knows_no_resource(why));
    let remedy = match of_azure {
        Some((_, why)) => azure_remedy(door, why),
        None => Remedy::look(commands::record(door.workspace)),
    };
    if fresh.is_empty() {
        return Finding::fail(id, &subject, sentence, remedy);
    }
    Finding::warn(id, &subject, sentence).with(remedy)
}

/// Which machines' metrics say nothing of now, each kind with names and its reason.
fn not_of_now(
    door: &Door<'_>,
    failed: &[(&str, &Why)],
    stale: &[(&str, Duration)],
    empty: &[&str],
) -> String {
    let mut parts = Vec::new();
    if let Some((_, first)) = failed.first() {
        let names = some_of(failed.iter().map(|(name, _)| *name));
        parts.push(format!(
            "{} could not be read: {names}: {}",
            failed.len(),
            of_azure(door, first)
        ));
    }
    if let Some(oldest) = stale.iter().map(|(_, age)| *age).max() {
        let names = some_of(stale.iter().map(|(name, _)| *name));
        let (age, limit) = (Span(oldest), Span(MAX_AGE));
        let stale = stale.len();
        parts.push(format!(
            "{stale} with a newest point older than {limit} (up to {age}): {names}"
        ));
    }
    if !empty.is_empty() {
        let names = some_of(empty.iter().copied());
        parts.push(format!(
            "{} without a single value of the last hour: {names}",
            empty.len()
        ));
    }
    parts.join("; ")
}

/// `types`: the workspace's list of machine sizes.
pub(super) fn cores(
    door: &Door<'_>,
    types: &Result<NodeTypes, String>,
    clusters: &[(String, Cluster)],
) -> Finding {
    let subject = door.subject();
    let id = CheckId::Cores;
    let types = match types {
        Ok(types) => types,
        Err(why) => {
            let sentence = format!("the list of machine sizes could not be read: {why}");
            let again = Remedy::look(commands::doctor_of(door.workspace));
            return Finding::fail(id, &subject, sentence, again);
        }
    };
    let is_unknown = |cluster: &Cluster| {
        let worker = cluster.node_type_id.as_ref();
        let driver = cluster.driver_node_type_id.as_ref().or(worker);
        [driver, worker].iter().any(|size| match size {
            Some(size) => !types.contains_key(*size),
            None => true,
        })
    };
    let unknown: Vec<&str> = clusters
        .iter()
        .filter(|(_, cluster)| is_unknown(cluster))
        .map(|(name, _)| name.as_str())
        .collect();
    if unknown.is_empty() {
        let sizes = Count(types.len(), "machine size");
        return Finding::ok(
            id,
            &subject,
            format!("of {sizes}, and of every running cluster"),
        );
    }
    let names = some_of(unknown.iter().copied());
    let sentence = format!("the sizes of these are not in the workspace's list: {names}");
    Finding::warn(id, &subject, sentence).with(Remedy::look(commands::record(door.workspace)))
}

#[cfg(test)]
mod tests;
