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

/// `asked`: how old the newest point is of each driver's machine that was asked, `None`
/// where no point has a value. A fresh machine speaks for no other one.
pub(super) fn metrics(door: &Door<'_>, asked: &[Of<Result<Option<Duration>, Why>>]) -> Finding {
    let subject = door.subject();
    let id = CheckId::Metrics;
    if asked.is_empty() {
        let sentence =
            "no running cluster names a driver's machine, so there are no metrics to read";
        return Finding::skipped(id, &subject, sentence);
    }
    let (mut failed, mut empty) = (Vec::new(), Vec::new());
    let (mut stale, mut fresh) = (Vec::new(), Vec::new());
    for (name, got) in asked {
        let name = name.as_str();
        match got {
            Err(why) => failed.push((name, why)),
            Ok(None) => empty.push(name),
            Ok(Some(age)) if *age > MAX_AGE => stale.push((name, *age)),
            Ok(Some(age)) => fresh.push(*age),
        }
    }
    let total = Count(asked.len(), "machine");
    let oldest = fresh.iter().max().filter(|_| fresh.len() == asked.len());
    if let Some(oldest) = oldest {
        let age = Span(*oldest);
        let sentence = format!("read of {total}; the newest point is {age} old at most");
        return Finding::ok(id, &subject, sentence);
    }
    let sentence = format!(
        "the metrics of {} of {total} say nothing of now: {}",
        asked.len() - fresh.len(),
        not_of_now(door, &failed, &stale, &empty)
    );
    let remedy = match failed.first() {
        Some((_, first)) => azure_remedy(door, first),
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
mod tests {
    use super::super::access::testing::DOOR;
    use super::super::check::Status;
    use super::*;

    fn minutes(minutes: u64) -> Result<Option<Duration>, Why> {
        Ok(Some(Duration::from_mins(minutes)))
    }

    fn judged(asked: Vec<Result<Option<Duration>, Why>>) -> Finding {
        let names = ["a", "b", "c", "d"].map(str::to_owned);
        let asked: Vec<_> = names.into_iter().zip(asked).collect();
        metrics(&DOOR, &asked)
    }

    #[test]
    fn no_machine_hides_behind_one_with_fresh_metrics() {
        let refused = || Err(Why::new("Azure Monitor answered HTTP 500"));
        let finding = judged(vec![minutes(3), refused(), minutes(25), Ok(None)]);
        assert_eq!(finding.status, Status::Warn);
        assert_eq!(
            finding.sentence,
            "the metrics of 3 of 4 machines say nothing of now: \
             1 could not be read: b: Azure Monitor answered HTTP 500, in the us-gov cloud; \
             1 with a newest point older than 10m (up to 25m): c; \
             1 without a single value of the last hour: d"
        );
        assert!(finding.remedy.is_some());
        for one in [refused(), minutes(25), Ok(None)] {
            assert_eq!(judged(vec![minutes(3), one]).status, Status::Warn);
        }
    }

    #[test]
    fn metrics_fail_only_where_no_machine_has_any_of_now() {
        let refused = || Err(Why::new("no"));
        for bad in [
            vec![refused()],
            vec![minutes(11)],
            vec![Ok(None)],
            vec![refused(), minutes(11), Ok(None)],
        ] {
            assert_eq!(judged(bad).status, Status::Fail);
        }
        let good = judged(vec![minutes(10), minutes(3)]);
        assert_eq!(good.status, Status::Ok);
        assert_eq!(
            good.sentence,
            "read of 2 machines; the newest point is 10m old at most"
        );
        assert_eq!(judged(Vec::new()).status, Status::Skipped);
    }
}
