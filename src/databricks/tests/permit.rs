use std::time::Duration;

use super::*;
use crate::decision::{Decision, Proof, decide};
use crate::plan::{Allowance, Caps, Plan};
use crate::policy::{Mode, Policy};
use crate::signals::{Hardware, NodesView, Signal, Signals, SparkView, StreamingView};

const HOUR: Duration = Duration::from_secs(3600);

/// A permit for `id()`, and the proof of a second look: no shorter way than the
/// stages' own leads to either.
pub(super) fn permit() -> (Permit, Proof) {
    let caps = Caps {
        cap_per_workspace: 1,
        running: 1,
        listing_complete: true,
    };
    let allowance = Allowance::new(1);
    let mut plan = Plan::new(vec![proof()], Mode::Terminate, caps, &allowance);
    (plan.next_permit().expect("a permit"), proof())
}

fn proof() -> Proof {
    let now = Timestamp::from_millis(1_795_334_400_000);
    match decide(&idle(now), &policy(), now) {
        Decision::Terminate(proof) => proof,
        Decision::Keep(reason) => panic!("kept: {reason:?}"),
    }
}

/// A cluster that both witnesses have found quiet for nine hours.
fn idle(now: Timestamp) -> Signals {
    let started = now.minus(HOUR * 10);
    let quiet = now.minus(HOUR * 9);
    let json = format!(
        r#"{{"cluster_id":"0915-021615-abcd1234","state":"RUNNING","cluster_source":"UI",
             "spark_context_id":7,"spark_version":"15.4.x-scala2.12","num_workers":2,
             "last_restarted_time":{}}}"#,
        started.as_millis()
    );
    let raw: Box<RawValue> = serde_json::from_str(&json).expect("JSON");
    Signals {
        cluster: wire::cluster(&raw).expect("a cluster"),
        pinned: Signal::Known(false),
        active_run: Signal::Known(None),
        last_run_end: Signal::Known(None),
        spark: Signal::Known(SparkView {
            application_started: started,
            busy: None,
            last_completion: Some(quiet),
            ran_a_job: true,
            last_stream_batch: None,
            forgotten_until: None,
        }),
        streaming: Signal::Known(StreamingView::NeverAny),
        command: Signal::Known(None),
        hardware: Signal::Known(Hardware {
            driver_cores: 4.0,
            worker_cores: 4.0,
            has_gpus: Some(false),
        }),
        driver_node: Signal::Known(NodesView::QuietSince(quiet)),
        all_nodes: Signal::Known(NodesView::QuietSince(quiet)),
    }
}

fn policy() -> Policy {
    Policy {
        idle_after: HOUR * 2,
        idle_after_one_witness: HOUR * 12,
        streaming_silence: HOUR * 96,
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
