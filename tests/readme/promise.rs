//! What the README promises, clause by clause: judged over values where a clause
//! is about judgement, and over whole sweeps where it is about what is sent.

use std::time::Duration;

use serde_json::json;
use terminate_clusters::cluster::{ClusterId, ClusterSource};
use terminate_clusters::decision::{Decision, Proof, decide};
use terminate_clusters::plan::{Allowance, Caps, Plan};
use terminate_clusters::policy::Mode;
use terminate_clusters::signals::{NodesView, Signal, Signals, SparkWork, SparkWorkKind};

use crate::cloud::{self, Asked};
use crate::sample::{NOW, hours_ago, idle, kept, policy, proof};

fn reason(signals: &Signals) -> &'static str {
    kept(signals, &policy()).map_or("terminate", |reason| reason.as_str())
}

fn idle_one() -> Signals {
    idle("0101-000000-idle0001", "team", 150)
}

fn unchanged(_: &Asked) -> Option<cloud::Answer> {
    None
}

#[test]
fn never_terminates_on_missing_evidence() {
    assert_eq!(reason(&idle_one()), "terminate");
    let lost = || "the answer did not come";
    let mut no_runs = idle_one();
    no_runs.active_run = Signal::unknown(lost());
    assert_eq!(reason(&no_runs), "required_unknown");
    let mut no_context = idle_one();
    no_context.cluster.spark_context_id = None;
    assert_eq!(reason(&no_context), "required_unknown");
    let mut no_start = idle_one();
    no_start.cluster.last_restarted_time = None;
    no_start.cluster.driver = None;
    no_start.spark = Signal::unknown(lost());
    assert_eq!(reason(&no_start), "required_unknown");
    let mut no_witness = idle_one();
    no_witness.spark = Signal::unknown(lost());
    no_witness.driver_node = Signal::unknown(lost());
    no_witness.all_nodes = Signal::unknown(lost());
    assert_eq!(reason(&no_witness), "no_witness");
    let nothing_asked = Signals::of(idle_one().cluster);
    assert_eq!(reason(&nothing_asked), "required_unknown");
}

#[test]
fn never_terminates_on_stale_evidence() {
    // An old `last_activity_time` proves nothing, by itself or beside one witness.
    let mut stale = idle_one();
    stale.cluster.last_activity_time = Some(hours_ago(150));
    stale.spark = Signal::unknown("HTTP 503");
    stale.driver_node = Signal::unknown("the newest point is older than ten minutes");
    stale.all_nodes = Signal::NotAsked;
    assert_eq!(reason(&stale), "no_witness");
    // What was quiet before the driver started says nothing about this life of it.
    let mut young = idle_one();
    young.cluster.last_restarted_time = Some(NOW.minus(Duration::from_mins(119)));
    assert_eq!(reason(&young), "started_recently");
}

#[test]
fn never_terminates_on_contradictory_evidence() {
    let mut hung = idle_one();
    if let Signal::Known(spark) = &mut hung.spark {
        spark.busy = Some(SparkWork {
            kind: SparkWorkKind::Job,
            label: "job 1".to_owned(),
            since: Some(hours_ago(48)),
        });
    }
    assert_eq!(reason(&hung), "contradictory");
    let mut outside_spark = idle_one();
    outside_spark.driver_node = Signal::Known(NodesView::Busy {
        cores: 3.0,
        network_bytes_per_minute: 0.0,
    });
    assert_eq!(reason(&outside_spark), "nodes_busy");
    let mut spared = idle_one();
    spared.cluster.autotermination_minutes = 60;
    assert_eq!(reason(&spared), "platform_saw_activity");
}

#[test]
fn never_terminates_more_than_the_caps_allow() {
    let plan = |running: usize, complete: bool, allowance: &Allowance| {
        let proofs = (0..30).map(|number| proof(&idle(&format!("c{number:02}"), "n", 150)));
        let caps = Caps {
            cap_per_workspace: 10,
            running,
            listing_complete: complete,
        };
        let mut plan = Plan::new(proofs.collect(), Mode::Terminate, caps, allowance);
        std::iter::from_fn(|| plan.next_permit()).count()
    };
    assert_eq!(plan(60, true, &Allowance::new(50)), 10);
    assert_eq!(plan(7, true, &Allowance::new(50)), 4);
    assert_eq!(plan(60, false, &Allowance::new(50)), 0);
    let shared = Allowance::new(15);
    assert_eq!([plan(60, true, &shared), plan(60, true, &shared)], [10, 5]);
    assert_eq!(plan(60, true, &shared), 0);
}

#[test]
fn never_terminates_what_is_not_all_purpose() {
    for source in [
        "JOB",
        "PIPELINE",
        "PIPELINE_MAINTENANCE",
        "MODELS",
        "SQL",
        "TOMORROW",
    ] {
        let mut signals = idle_one();
        signals.cluster.source = ClusterSource::Other(source.to_owned());
        assert_eq!(reason(&signals), "not_all_purpose", "{source}");
    }
    let mut unknown = idle_one();
    unknown.cluster.source = ClusterSource::Absent;
    assert_eq!(reason(&unknown), "not_all_purpose");
}

#[tokio::test(start_paused = true)]
async fn changes_nothing_anywhere_in_report_mode() {
    let swept = cloud::sweep("report", 3, unchanged).await;
    assert_eq!(
        swept.outcomes(),
        ["would_terminate", "would_terminate", "deferred"]
    );
    assert_eq!(swept.writes(), [""; 0]);
    assert!(!swept.closing.failed(), "{:?}", swept.closing);
}

#[tokio::test(start_paused = true)]
async fn looks_again_before_every_termination() {
    let swept = cloud::sweep("terminate", 1, unchanged).await;
    assert_eq!(swept.outcomes(), ["terminated"]);
    let delete = format!("{}/api/2.1/clusters/delete", cloud::HOST);
    assert_eq!(swept.writes(), [delete.as_str()]);
    let at = swept
        .sent
        .iter()
        .position(|(_, path)| *path == delete)
        .unwrap();
    let before = &swept.sent[..at];
    let count = |end: &str| {
        before
            .iter()
            .filter(|(_, path)| path.ends_with(end))
            .count()
    };
    assert_eq!(count("/app-1/stages"), 2, "{before:?}");
    assert_eq!(count("/clusters/get"), 1, "{before:?}");
    assert!(before[at - 1].1.ends_with("/clusters/get"), "{before:?}");
}

#[tokio::test(start_paused = true)]
async fn spares_a_cluster_that_changed_between_the_looks() {
    let restarted = |asked: &Asked| {
        let is_get = asked.path.ends_with("/clusters/get");
        is_get.then(|| (200, cloud::cluster(0, "RUNNING", 8)))
    };
    let swept = cloud::sweep("terminate", 1, restarted).await;
    assert_eq!(swept.first().reason(), "restarted");
    assert_eq!(swept.writes(), [""; 0]);
    let works_now = |asked: &Asked| {
        let is_second = asked.path.ends_with("/app-1/jobs") && asked.before == 1;
        let submitted = "2026-11-22T12:00:00.000GMT";
        let job = json!({"jobId": 1, "status": "RUNNING", "submissionTime": submitted});
        is_second.then(|| (200, json!([job])))
    };
    let swept = cloud::sweep("terminate", 1, works_now).await;
    assert_eq!(swept.first().reason(), "spark_busy");
    assert_eq!(swept.writes(), [""; 0]);
    let witness_gone = |asked: &Asked| {
        let is_second = asked.path.ends_with("/app-1/jobs") && asked.before == 1;
        is_second.then(|| (403, json!({"error_code": "PERMISSION_DENIED"})))
    };
    let swept = cloud::sweep("terminate", 1, witness_gone).await;
    assert_eq!(swept.outcomes(), ["changed"]);
    assert_eq!(swept.writes(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn reads_every_termination_back() {
    let still_running = |asked: &Asked| {
        let is_get = asked.path.ends_with("/clusters/get");
        is_get.then(|| (200, cloud::cluster(0, "RUNNING", 7)))
    };
    let swept = cloud::sweep("terminate", 1, still_running).await;
    assert_eq!(swept.outcomes(), ["accepted_still_running"]);
    assert!(swept.closing.failed());
    let swept = cloud::sweep("terminate", 1, unchanged).await;
    let last = &swept.sent.last().unwrap().1;
    assert!(last.ends_with("/clusters/get"), "{last}");
    assert!(!swept.closing.failed(), "{:?}", swept.closing);
}

#[tokio::test(start_paused = true)]
async fn gives_every_cluster_a_line_in_the_report() {
    let with_oddities = |asked: &Asked| {
        let is_list = asked.path.ends_with("/clusters/list");
        let odd = json!({"cluster_id": "0101-000000-odd00001", "state": 7});
        let nameless = json!({"cluster_name": "no id"});
        let resizing = cloud::cluster(1, "RESIZING", 7);
        let all = [cloud::cluster(0, "RUNNING", 7), odd, nameless, resizing];
        is_list.then(|| (200, json!({ "clusters": all })))
    };
    let swept = cloud::sweep("report", 1, with_oddities).await;
    let mut outcomes = swept.outcomes();
    outcomes.sort_unstable();
    assert_eq!(
        outcomes,
        ["kept", "unparsed", "unparsed", "would_terminate"]
    );
    assert_eq!(swept.closing.totals.clusters, 4);
}

#[test]
fn the_longest_idle_goes_first_and_no_cluster_is_lost_by_the_plan() {
    let proofs: Vec<Proof> = [("b", 120), ("c", 150), ("a", 120)]
        .map(|(id, quiet)| proof(&idle(id, "n", quiet)))
        .into();
    let caps = Caps {
        cap_per_workspace: 2,
        running: 9,
        listing_complete: true,
    };
    let mut plan = Plan::new(proofs, Mode::Terminate, caps, &Allowance::new(50));
    let first: Vec<ClusterId> = std::iter::from_fn(|| plan.next_permit())
        .map(|permit| permit.proof().cluster().clone())
        .collect();
    assert_eq!(first, ["c", "a"].map(ClusterId::new));
    let (_, waiting) = plan.finish();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].0.cluster(), &ClusterId::new("b"));
}

#[test]
fn the_idle_cluster_of_these_tests_is_terminated() {
    assert!(matches!(
        decide(&idle_one(), &policy(), NOW),
        Decision::Terminate(_)
    ));
}
