//! What machines say of a cluster whose record does not tell all of them, and what
//! runs say that contradict themselves.

use super::*;
use crate::clock::PausableClock;
use crate::databricks::Databricks;
use crate::decision::tests::world::{World, default_policy};
use crate::policy::PolicySet;
use crate::service::testing::{answer, service};
use crate::signals::facts::FactsSettings;

/// A gatherer whose workspace answers every request by `answers(query)`.
fn gatherer(
    world: &World,
    answers: impl Fn(&str) -> &'static str + Send + Sync + 'static,
) -> Gatherer {
    let (service, _) = service(move |request| {
        let json = answers(request.uri().query().unwrap_or_default());
        async move { answer(200, "application/json", json) }
    });
    let settings = FactsSettings {
        name: "main".to_owned(),
        sees_all_runs: true,
        resource_id: None,
        runs_page_cap: 10,
        longest_threshold: default_policy().longest_threshold(),
    };
    let databricks = Arc::new(Databricks::new(service.share()));
    let clock = Arc::new(PausableClock::starting_at(world.now));
    let facts = Arc::new(WorkspaceFacts::new(databricks, clock, settings));
    Gatherer {
        facts,
        spark: None,
        monitor: None,
        policies: Arc::new(PolicySet::plain(default_policy()).for_workspace("main")),
    }
}

/// Asks for all machines of a cluster whose driver is known to be quiet.
async fn all_nodes(change: impl FnOnce(&mut Cluster)) -> Signal<NodesView> {
    let world = World::idle();
    let gatherer = gatherer(&world, |_| "{}");
    let mut signals = Signals {
        all_nodes: Signal::NotAsked,
        ..world.signals
    };
    signals.cluster.executors.clear();
    change(&mut signals.cluster);
    let reading = Reading {
        policy: gatherer.policies.of(&signals.cluster).policy,
        signals,
        application: None,
        began: world.now,
        kind: LookKind::First,
    };
    gatherer.ask_all_nodes(&reading).await
}

#[tokio::test(start_paused = true)]
async fn an_autoscaling_cluster_without_a_list_of_executors_is_not_judged_by_its_driver() {
    let autoscaling = |cluster: &mut Cluster| {
        cluster.num_workers = None;
        cluster.autoscales = true;
    };
    assert!(all_nodes(autoscaling).await.why().is_some());
    let too_few = |cluster: &mut Cluster| cluster.num_workers = Some(2);
    assert!(all_nodes(too_few).await.why().is_some());
    let single_node = |cluster: &mut Cluster| cluster.num_workers = Some(0);
    assert!(all_nodes(single_node).await.known().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_listed_as_completed_and_says_that_it_runs_is_active() {
    const TWO_MINDS: &str = r#"{"runs":[{"run_id":7,"status":{"state":"RUNNING"},
        "state":{"life_cycle_state":"TERMINATED"},"end_time":1795000000000,
        "tasks":[{"existing_cluster_id":"0915-021615-abcd1234","end_time":1795000000000}]}]}"#;
    let world = World::idle();
    let first = LookKind::First;
    let second = LookKind::Second {
        first_began: world.now,
        runs_age: Duration::ZERO,
    };
    for (kind, marker) in [
        (first, "completed_only"),
        (second, "completed_only"),
        // Of the walks, only the one over what has ended since the first look.
        (second, "start_time_from=17953"),
    ] {
        let gatherer = gatherer(&world, move |query| {
            let is_it = query.contains(marker) && query.contains("completed_only");
            if is_it { TWO_MINDS } else { "{}" }
        });
        let (signals, _) = gatherer.look(world.signals.cluster.clone(), kind).await;
        let run = "run 7 is RUNNING and TERMINATED".to_owned();
        assert_eq!(signals.active_run, Signal::Known(Some(run)), "{marker}");
    }
    let gatherer = gatherer(&world, |_| "{}");
    let (signals, _) = gatherer.look(world.signals.cluster.clone(), second).await;
    assert_eq!(signals.active_run, Signal::Known(None));
}
