//! What machines say of a cluster whose record does not tell all of them.

use super::*;
use crate::clock::PausableClock;
use crate::databricks::Databricks;
use crate::decision::tests::world::{World, default_policy};
use crate::policy::PolicySet;
use crate::service::testing::{answer, service};
use crate::signals::facts::FactsSettings;

mod runs;

/// Asks for all machines of a cluster whose driver is known to be quiet.
async fn all_nodes(change: impl FnOnce(&mut Cluster)) -> Signal<NodesView> {
    let (service, _) = service(|_| async { answer(200, "application/json", "{}") });
    let world = World::idle();
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
    let gatherer = Gatherer {
        facts,
        spark: None,
        monitor: None,
        policies: Arc::new(PolicySet::plain(default_policy()).for_workspace("main")),
    };
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
