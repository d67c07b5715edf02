//! The demo as a test: the binary of the test profile in the pretend Functions
//! host, before the estate, judged against what is written down beside it.
//!
//! The estate lives in a crate that shares no code with the handler, so this is
//! also the place where its list of reasons meets the handler's own. It looks
//! at spellings only; what a reason means is tested beside the rules.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use simulator::{demo, estate};
use terminate_clusters::decision::{
    ActivitySign, Evidence, KeepReason, Quiet, RequiredSignal, StreamTrace, Weakness,
};
use terminate_clusters::signals::{SparkWork, SparkWorkKind};
use terminate_clusters::timestamp::Timestamp;

#[tokio::test]
async fn both_sweeps_of_the_estate_do_what_is_written_down_beside_it() {
    let handler = Path::new(env!("CARGO_BIN_EXE_terminate-clusters"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut out = Vec::new();
    let differences = demo::run(handler, root, &mut out).await.unwrap();
    assert!(
        differences.is_empty(),
        "{}\n\n{}",
        String::from_utf8_lossy(&out),
        differences.join("\n")
    );
}

#[test]
fn every_reason_to_keep_a_cluster_is_shown_by_a_cluster_of_the_estate() {
    let ours: BTreeSet<&str> = every_reason().iter().map(KeepReason::as_str).collect();
    let shown: BTreeSet<&str> = estate::SHOWN_BY
        .iter()
        .map(|(reason, ..)| *reason)
        .collect();
    assert_eq!(ours, shown);
}

fn stream_traces(at: Timestamp) -> KeepReason {
    KeepReason::StreamTraces {
        trace: StreamTrace::Batch,
        at,
    }
}

/// The variant after this one, so that a new variant does not compile until it
/// has a place here.
fn after(reason: &KeepReason) -> Option<KeepReason> {
    let at = Timestamp::from_millis(0);
    let text = String::new;
    let work = || SparkWork {
        kind: SparkWorkKind::Job,
        label: String::new(),
        since: None,
    };
    let quiet = Quiet {
        since: at,
        last_sign: at,
        evidence: Evidence::Both,
        threshold: Duration::ZERO,
        left_to_platform: false,
    };
    Some(match reason {
        KeepReason::NotAllPurpose { .. } => KeepReason::NotRunning { state: text() },
        KeepReason::NotRunning { .. } => KeepReason::ProtectedByTag,
        KeepReason::ProtectedByTag => KeepReason::ProtectedByName { pattern: text() },
        KeepReason::ProtectedByName { .. } => KeepReason::ProtectedByPin,
        KeepReason::ProtectedByPin => KeepReason::Exempt {
            until: at,
            day: text(),
            reason: text(),
        },
        KeepReason::Exempt { .. } => KeepReason::KeepUntil {
            until: at,
            day: text(),
        },
        KeepReason::KeepUntil { .. } => KeepReason::KeepUntilUnreadable { value: text() },
        KeepReason::KeepUntilUnreadable { .. } => KeepReason::ActiveRun { run: text() },
        KeepReason::ActiveRun { .. } => KeepReason::RecentActivity {
            sign: ActivitySign::RunEnded,
            at,
        },
        KeepReason::RecentActivity { .. } => KeepReason::StartedRecently { at },
        KeepReason::StartedRecently { .. } => KeepReason::CommandRunning { thread: text() },
        KeepReason::CommandRunning { .. } => KeepReason::SparkBusy { work: work() },
        KeepReason::SparkBusy { .. } => KeepReason::Contradictory { work: work() },
        KeepReason::Contradictory { .. } => KeepReason::StreamActive,
        KeepReason::StreamActive => stream_traces(at),
        KeepReason::StreamTraces { .. } => KeepReason::NodesBusy {
            cores: 0.0,
            network_bytes_per_minute: 0.0,
        },
        KeepReason::NodesBusy { .. } => KeepReason::RequiredUnknown {
            signal: RequiredSignal::Start,
            why: None,
        },
        KeepReason::RequiredUnknown { .. } => KeepReason::NoWitness,
        KeepReason::NoWitness => KeepReason::EvidenceTooWeak {
            evidence: Evidence::SparkAlone,
            weakness: Weakness::SingleNode,
        },
        KeepReason::EvidenceTooWeak { .. } => KeepReason::PlatformSawActivity {
            autotermination: Duration::ZERO,
            quiet_since: at,
        },
        KeepReason::PlatformSawActivity { .. } => KeepReason::QuietTooShort { quiet },
        KeepReason::QuietTooShort { .. } => return None,
    })
}

fn every_reason() -> Vec<KeepReason> {
    let first = KeepReason::NotAllPurpose {
        source: String::new(),
    };
    std::iter::successors(Some(first), after).collect()
}
