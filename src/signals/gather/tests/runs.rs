//! What runs say that contradict themselves.

use super::*;

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
