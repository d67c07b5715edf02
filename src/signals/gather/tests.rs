//! What machines say of a cluster whose record does not tell all of them.

use super::*;
use crate::clock::PausableClock;
use crate::databricks::Databricks;
use crate::decision::tests::world::{World, default_policy};
use crate::policy::PolicySet;
use crate::service::testing::{answer, service};
use crate::signals::facts::FactsSettings;

mod runs;
mod streams;

/// A gatherer of a workspace that answers nothing, with this witness alone.
fn gatherer(spark: Option<SparkDriver>) -> Gatherer {
    let (service, _) = service(|_| async { answer(200, "application/json", "{}") });
    let settings = FactsSettings {
        name: "main".to_owned(),
        sees_all_runs: true,
        resource_id: None,
        runs_page_cap: 10,
        longest_threshold: default_policy().longest_threshold(),
    };
    let databricks = Arc::new(Databricks::new(service.share()));
    let clock = Arc::new(PausableClock::starting_at(World::idle().now));
    Gatherer {
        facts: Arc::new(WorkspaceFacts::new(databricks, clock, settings)),
        spark,
        monitor: None,
        policies: Arc::new(PolicySet::plain(default_policy()).for_workspace("main")),
    }
}

fn reading(gatherer: &Gatherer, signals: Signals) -> Reading {
    Reading {
        policy: gatherer.policies.of(&signals.cluster).policy,
        signals,
        application: None,
        stream_lives: false,
        began: World::idle().now,
        kind: LookKind::First,
    }
}

/// Asks for all machines of a cluster whose driver is known to be quiet.
async fn all_nodes(change: impl FnOnce(&mut Cluster)) -> Signal<NodesView> {
    let mut signals = Signals {
        all_nodes: Signal::NotAsked,
        ..World::idle().signals
    };
    signals.cluster.executors.clear();
    change(&mut signals.cluster);
    let gatherer = gatherer(None);
    gatherer.ask_all_nodes(&reading(&gatherer, signals)).await
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
