//! Values for the documentation and its tests, through the public interface only:
//! a cluster that is provably idle, and a small sweep with one workspace.

use std::time::Duration;

use terminate_clusters::cluster::{
    Cluster, ClusterId, ClusterSource, ClusterState, Instance, SparkContextId,
};
use terminate_clusters::decision::{Decision, Earliest, KeepReason, Proof, decide, explain};
use terminate_clusters::meter::{Stage, StageCounts};
use terminate_clusters::plan::{Allowance, Caps, Plan};
use terminate_clusters::policy::{ExemptSelector, Exemption, Glob, Mode, Policy};
use terminate_clusters::report::machines::{Machines, NameCheck};
use terminate_clusters::report::words::Said;
use terminate_clusters::report::{Closing, ClusterLine, Outcome, Totals, WorkspaceReport, text};
use terminate_clusters::signals::{
    Hardware, NodesView, Signal, Signals, SparkView, SparkWork, SparkWorkKind, StreamingView,
};
use terminate_clusters::timestamp::Timestamp;
use terminate_clusters::why::{self, Explained};
use terminate_clusters::witness::nodes::RestingLoad;

/// 2026-11-22T12:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_795_348_800_000);

const WORKSPACE: &str = "analytics";
const HOST: &str = "adb-1111111111111111.1.azuredatabricks.net";

pub(crate) fn hours_ago(hours: u64) -> Timestamp {
    NOW.minus(Duration::from_hours(hours))
}

/// The defaults, with both witnesses switched on.
pub(crate) fn policy() -> Policy {
    Policy {
        idle_after: Duration::from_hours(2),
        idle_after_one_witness: Duration::from_hours(12),
        streaming_silence: Duration::from_hours(96),
        spark_alone_suffices: false,
        nodes_alone_suffices: false,
        trust_platform_clock: true,
        protect_pinned: false,
        protect_names: Vec::new(),
        exemptions: Vec::new(),
        spark_witness: true,
        nodes_witness: true,
        cap_per_workspace: 10,
        cap_per_sweep: 50,
    }
}

/// A cluster on which nothing has happened for `quiet` hours, by the word of both witnesses.
pub(crate) fn idle(id: &str, name: &str, quiet: u64) -> Signals {
    let nodes = Signal::Known(NodesView::QuietSince(hours_ago(quiet)));
    let mut signals = Signals::of(cluster(id, name));
    signals.pinned = Signal::Known(false);
    signals.active_run = Signal::Known(None);
    signals.last_run_end = Signal::Known(None);
    signals.spark = Signal::Known(SparkView {
        application_started: hours_ago(199),
        busy: None,
        last_completion: Some(hours_ago(quiet + 1)),
        ran_a_job: true,
        last_stream_batch: None,
        forgotten_until: None,
    });
    signals.streaming = Signal::Known(StreamingView::NoneActive);
    signals.command = Signal::Known(None);
    signals.hardware = Signal::Known(Hardware {
        driver_cores: 4.0,
        worker_cores: 8.0,
        has_gpus: Some(false),
    });
    signals.driver_node = nodes.clone();
    signals.all_nodes = nodes;
    signals
}

fn cluster(id: &str, name: &str) -> Cluster {
    let started = Some(hours_ago(200));
    let machine = |id: &str| Instance {
        instance_id: Some(id.to_owned()),
        started,
    };
    Cluster {
        id: ClusterId::new(id),
        name: name.to_owned(),
        state: ClusterState::Running,
        source: ClusterSource::Ui,
        spark_context_id: Some(SparkContextId("3007070280200869203".to_owned())),
        spark_version: Some("15.4.x-scala2.12".to_owned()),
        tags: Vec::new(),
        autotermination_minutes: 0,
        last_activity_time: None,
        last_restarted_time: started,
        last_state_loss_time: None,
        driver: Some(machine("driver")),
        executors: vec![machine("executor")],
        node_type_id: Some("Standard_D8s_v5".to_owned()),
        driver_node_type_id: Some("Standard_D4s_v5".to_owned()),
        num_workers: Some(1),
        autoscales: false,
        uses_pool: false,
    }
}

/// The proof of `signals`, which must be idle enough.
pub(crate) fn proof(signals: &Signals) -> Proof {
    match decide(signals, &policy(), NOW) {
        Decision::Terminate(proof) => proof,
        Decision::Keep(reason) => panic!("no proof, because {reason:?}"),
    }
}

/// The reason why `signals` are kept, as it is spelled; `None` for a proof.
pub(crate) fn kept(signals: &Signals, policy: &Policy) -> Option<KeepReason> {
    match decide(signals, policy, NOW) {
        Decision::Keep(reason) => Some(reason),
        Decision::Terminate(_) => None,
    }
}

/// The report that the README shows: one workspace, report mode, a cap of two.
pub(crate) fn report() -> String {
    let mut policy = policy();
    policy.cap_per_workspace = 2;
    policy.protect_names = vec![Glob::new("prod-*")];
    policy.exemptions = vec![Exemption {
        selector: ExemptSelector::Name(Glob::new("migration-*")),
        until: NOW.plus(Duration::from_hours(36)),
        until_day: "2026-11-23".to_owned(),
        reason: "runs from a laptop".to_owned(),
    }];
    let estate = estate();
    let mut plan = Plan::new(
        estate
            .iter()
            .filter_map(|signals| match decide(signals, &policy, NOW) {
                Decision::Terminate(proof) => Some(proof),
                Decision::Keep(_) => None,
            })
            .collect(),
        Mode::Report,
        Caps {
            cap_per_workspace: policy.cap_per_workspace,
            running: estate.len(),
            listing_complete: true,
        },
        &Allowance::new(policy.cap_per_sweep),
    );
    let mut planned = Vec::new();
    while let Some(proof) = plan.next_candidate() {
        planned.push((proof.cluster().clone(), Outcome::WouldTerminate(proof)));
    }
    let (_, waiting) = plan.finish();
    planned.extend(waiting.into_iter().map(|(proof, why)| {
        let id = proof.cluster().clone();
        (id, Outcome::Deferred { proof, why })
    }));
    let lines = estate.iter().map(|signals| {
        let id = &signals.cluster.id;
        let of_plan = planned.iter().find(|(planned, _)| planned == id);
        line(signals, of_plan.map(|(_, outcome)| outcome), &policy)
    });
    render(lines.collect())
}

/// The explanation that the README shows: the cluster of the report above that Spark
/// could not be asked about.
pub(crate) fn explanation() -> String {
    let policy = policy();
    let signals = estate();
    let blind = signals
        .into_iter()
        .find(|signals| signals.cluster.name == "shared-lab");
    let Some(mut signals) = blind else {
        panic!("the estate lost the cluster");
    };
    // Pins do not protect here, so nobody asks for them.
    signals.pinned = Signal::NotAsked;
    let explanation = explain(&signals, &policy, NOW);
    why::text::explained(&Explained {
        workspace: WORKSPACE.to_owned(),
        host: HOST.to_owned(),
        mode: Mode::Report,
        policy,
        overrides: Vec::new(),
        signals,
        read_at: NOW,
        explanation,
        warnings: Vec::new(),
    })
}

fn line(signals: &Signals, planned: Option<&Outcome>, policy: &Policy) -> ClusterLine {
    let outcome = match (planned, kept(signals, policy)) {
        (Some(outcome), _) => outcome.clone(),
        (None, Some(reason)) => Outcome::Kept(reason),
        (None, None) => panic!("the plan lost {}", signals.cluster.id),
    };
    let proven = outcome.proof().map(|proof| {
        let idle_from = proof.quiet_since().plus(proof.threshold());
        Earliest::At(idle_from)
    });
    let kept = kept(signals, policy).map(|reason| reason.earliest(policy));
    let earliest = proven.or(kept);
    let unknowns = signals.unknowns().into_iter();
    ClusterLine {
        id: signals.cluster.id.clone(),
        name: signals.cluster.name.clone(),
        outcome,
        earliest,
        said: Said::of(signals, policy),
        unknowns: unknowns
            .map(|(name, why)| (name, why.to_string()))
            .collect(),
        overrides: Vec::new(),
    }
}

fn estate() -> Vec<Signals> {
    let mut busy = idle("1119-081500-busy0001", "etl-dev", 30);
    if let Signal::Known(view) = &mut busy.spark {
        view.busy = Some(SparkWork {
            kind: SparkWorkKind::Job,
            label: "job 412".to_owned(),
            since: Some(NOW.minus(Duration::from_mins(7))),
        });
    }
    busy.streaming = Signal::NotAsked;
    busy.driver_node = Signal::NotAsked;
    busy.all_nodes = Signal::NotAsked;
    let mut driver = idle("1119-091000-pand0001", "pandas-notebook", 30);
    driver.driver_node = Signal::Known(NodesView::Busy {
        cores: 0.97,
        network_bytes_per_minute: 2_400_000.0,
    });
    driver.all_nodes = Signal::NotAsked;
    let mut blind = idle("1120-100000-blnd0001", "shared-lab", 30);
    blind.spark = Signal::unknown("the driver proxy answered HTTP 403");
    blind.streaming = Signal::unknown("Spark told of no application to ask");
    blind.command = Signal::unknown("Spark told of no application to ask");
    let mut shielded = idle("1118-070000-prod0001", "prod-serving", 30);
    shielded.spark = Signal::NotAsked;
    shielded.streaming = Signal::NotAsked;
    shielded.driver_node = Signal::NotAsked;
    shielded.all_nodes = Signal::NotAsked;
    let mut both: Vec<Signals> = [
        idle("1119-120000-idle0001", "team-a", 50),
        idle("1120-120000-idle0002", "team-b", 26),
        idle("1121-120000-idle0003", "team-c", 4),
    ]
    .into();
    for signals in &mut both {
        // Beside a quiet Spark the machines are read ten minutes further back than the wait.
        let from = NOW.minus(Duration::from_mins(130));
        signals.driver_node = Signal::Known(NodesView::QuietThroughout(from));
        signals.all_nodes = Signal::NotAsked;
    }
    both.extend([busy, driver, blind, shielded]);
    both
}

/// What the drivers of the four clusters on which Spark is quiet show, of which one is at work
/// all the same.
fn machines() -> Machines {
    Machines {
        names: Some(NameCheck {
            clusters: 5,
            machines: 10,
            confirmed: 10,
            of_pool: 0,
            contradicted: 0,
        }),
        resting: vec![RestingLoad {
            node_type: "Standard_D4s_v5".to_owned(),
            drivers: 4,
            buckets: 104,
            p50: 0.12,
            p95: 0.97,
        }],
    }
}

fn render(lines: Vec<ClusterLine>) -> String {
    let mut stages = StageCounts::default();
    stages.record(Stage::Clusters, 1, Duration::from_millis(180));
    stages.record(Stage::Rights, 1, Duration::from_millis(95));
    stages.record(Stage::Runs, 4, Duration::from_millis(620));
    stages.record(Stage::Spark, 31, Duration::from_millis(4_800));
    stages.record(Stage::Nodes, 9, Duration::from_millis(3_100));
    let workspace = WorkspaceReport {
        name: WORKSPACE.to_owned(),
        host: HOST.to_owned(),
        mode: Mode::Report,
        seen: true,
        joined: false,
        lines,
        failures: Vec::new(),
        notes: vec!["spark unknown for 1 cluster: the driver proxy answered HTTP 403".to_owned()],
        machines: machines(),
        stages,
        elapsed: Duration::from_millis(3_900),
    };
    let mut totals = Totals::default();
    totals.add(&workspace);
    totals
        .stages
        .record(Stage::Secrets, 3, Duration::from_millis(240));
    totals
        .stages
        .record(Stage::Tokens, 2, Duration::from_millis(310));
    let closing = Closing {
        mode: Mode::Report,
        totals,
        failures: Vec::new(),
        warnings: Vec::new(),
        token_requests: 2,
        secret_reads: 3,
        elapsed: Duration::from_millis(4_500),
    };
    format!(
        "{}\n{}",
        text::workspace(&workspace),
        text::closing(&closing)
    )
}
