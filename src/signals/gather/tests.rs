//! What a look asks, of a workspace that answers nothing and a driver that is arranged.
//! What it asks of machines is tested beside `machines`.

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
