//! The second look over generated pairs of scenes: one workspace with one idle
//! cluster, which something may happen to between the first look and the last
//! request before a termination.
//!
//! Everything between the answers and `clusters/delete` is the product's own code,
//! in paused time; only the transport answers from a [`Scene`].

mod desk;
mod scene;

use proptest::prelude::*;

use self::desk::Desk;
use self::scene::{Scene, Stream};
use super::*;
use crate::decision::Evidence;
use crate::plan::{Allowance, Caps, Plan};
use crate::policy::Mode;

/// What may happen to the cluster, by name.
type Happening = (&'static str, fn(&mut Scene));

/// Seen in whatever place the second look asks for it.
const HAPPENS_BEFORE_IT: [Happening; 29] = [
    ("a run begins", |scene| scene.active_run = true),
    ("active runs are forbidden", |scene| scene.runs_status = 403),
    ("active runs fail", |scene| scene.runs_status = 500),
    ("a run of two minds is listed as completed", |scene| {
        scene.two_minds = true;
    }),
    ("a run ends", |scene| scene.run_end = Some(scene.now)),
    ("it is pinned", |scene| scene.pinned = true),
    ("pins cannot be read", |scene| scene.pins_status = 403),
    ("a job runs", |scene| {
        scene.spark(|spark| spark.job = "RUNNING")
    }),
    ("a job came and went", |scene| {
        let now = scene.now;
        scene.spark(|spark| spark.job_end = now);
    }),
    ("a job has an unknown status", |scene| {
        scene.spark(|spark| spark.job = "PAUSED");
    }),
    ("a stage is active", |scene| {
        scene.spark(|spark| spark.stage_is_active = true);
    }),
    ("an execution is planned", |scene| {
        scene.spark(|spark| spark.sql_runs = true);
    }),
    ("a command runs", |scene| {
        scene.spark(|spark| spark.command_runs = true);
    }),
    ("a stream is active", |scene| {
        scene.spark(|spark| spark.stream = Stream::Active);
    }),
    ("a stream lives, and only its thread tells", |scene| {
        scene.spark(|spark| spark.stream_lives = true);
    }),
    ("the streaming page is switched off", |scene| {
        scene.spark(|spark| spark.stream = Stream::Off);
    }),
    ("the streaming page is another", |scene| {
        scene.spark(|spark| spark.stream = Stream::Login);
    }),
    ("the application restarts", |scene| {
        let now = scene.now;
        scene.spark(|spark| spark.started = now);
    }),
    ("Spark answers no more", |scene| scene.spark = None),
    ("a machine works", |scene| scene.load(60.0)),
    ("a machine is measured as zero", |scene| scene.load(0.0)),
    ("machines are measured no more", |scene| scene.cpu = None),
    ("it is restarted", |scene| {
        let now = scene.now;
        scene.record.context += 1;
        scene.record.restarted = now;
    }),
    ("it is restarted, and only its context tells", |scene| {
        scene.record.context += 1;
    }),
    ("its context is unknown", |scene| scene.record.context = 0),
    ("the platform saw activity", |scene| {
        scene.record.last_activity = Some(scene.now);
    }),
    ("its driver is another machine", |scene| {
        scene.record.driver = "other";
    }),
    ("it is gone", |scene| scene.record_status = 400),
    ("its record cannot be read", |scene| {
        scene.record_status = 500
    }),
];

/// Seen even if it happens when the last question is on its way.
const HAPPENS_AT_LAST: [Happening; 14] = [
    ("RESIZING", |scene| scene.record.state = "RESIZING"),
    ("RESTARTING", |scene| scene.record.state = "RESTARTING"),
    ("TERMINATING", |scene| scene.record.state = "TERMINATING"),
    ("TERMINATED", |scene| scene.record.state = "TERMINATED"),
    ("a state of tomorrow", |scene| {
        scene.record.state = "RUNNING_DEGRADED";
    }),
    ("no state", |scene| scene.record.state = ""),
    ("another context", |scene| scene.record.context += 1),
    ("no context", |scene| scene.record.context = 0),
    ("a later restart", |scene| {
        scene.record.restarted = scene.now;
    }),
    ("a recent stamp", |scene| {
        scene.record.last_activity = Some(scene.now);
    }),
    ("a tag", |scene| scene.record.tag = "terminate-clusters"),
    ("an unreadable tag", |scene| {
        scene.record.tag = "terminate-clusters-keep-until";
    }),
    ("another source", |scene| scene.record.source = "JOB"),
    ("a protected name", |scene| scene.record.name = "keep-this"),
];

/// When it happens.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// Before the second look begins.
    Before,
    /// When the cluster's own record is asked for, the last thing of all.
    AtTheRecord,
}

/// How a termination went over a scene that changes.
struct Carried {
    sent: usize,
    outcome: Result<(), &'static str>,
    evidence: Evidence,
}

/// Looks, plans and carries out, with `happening` at its moment.
async fn carry_out(first: &Scene, happening: Option<(Moment, Happening)>, pause: u64) -> Carried {
    let desk = Desk::over(first);
    let record = desk.databricks.get_cluster(&Scene::id()).await;
    let cluster = record.expect("the record is there at first");
    let (signals, now) = desk.gatherer.look(cluster.clone(), LookKind::First).await;
    let policy = desk.gatherer.policies.of(&signals.cluster).policy;
    let Decision::Terminate(proof) = decide(&signals, &policy, now) else {
        panic!("not idle at first: {:?}", decide(&signals, &policy, now));
    };
    let evidence = proof.evidence();
    let caps = Caps {
        cap_per_workspace: 1,
        running: 1,
        listing_complete: true,
    };
    let mut plan = Plan::new(vec![proof], Mode::Terminate, caps, &Allowance::new(1));
    let permit = plan.next_permit().expect("a slot is free");
    // Longer than what is shared between the looks may be old.
    tokio::time::sleep(Duration::from_secs(pause)).await;
    match happening {
        None => {}
        Some((Moment::Before, (_, happen))) => desk.change(pause, happen),
        Some((Moment::AtTheRecord, (_, happen))) => desk.change_at_the_record(pause, happen),
    }
    let action = desk.action();
    let outcome = match action.carry_out(permit, &cluster).await {
        Ok(_) => Ok(()),
        Err((_, changed)) => Err(changed.as_str()),
    };
    Carried {
        sent: desk.terminations(),
        outcome,
        evidence,
    }
}

/// Runs one case in paused time.
fn run(first: &Scene, happening: Option<(Moment, Happening)>, pause: u64) -> Carried {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O");
    runtime.block_on(carry_out(first, happening, pause))
}

/// Whether the second look should notice what happened: whoever was no witness at
/// the first look cannot be lost, and what nobody measures has no load.
fn is_heard(first: &Scene, (name, happen): Happening) -> bool {
    let mut second = first.clone();
    happen(&mut second);
    let is_changed = second != *first;
    match name {
        "its driver is another machine" => first.cpu.is_some(),
        "Spark answers no more"
        | "a job has an unknown status"
        | "the streaming page is switched off" => {
            is_changed && first.evidence() != Evidence::NodesAlone
        }
        _ => is_changed,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_that_happens_between_the_looks_is_terminated(
        first in scene::idle(),
        happening in prop::sample::select(HAPPENS_BEFORE_IT.to_vec()),
        pause in 31..600_u64,
    ) {
        if !is_heard(&first, happening) {
            return Ok(());
        }
        let carried = run(&first, Some((Moment::Before, happening)), pause);
        let (name, _) = happening;
        prop_assert_eq!(carried.sent, 0, "{}", name);
        prop_assert!(carried.outcome.is_err(), "{}", name);
    }

    #[test]
    fn the_record_is_believed_to_the_last_moment(
        first in scene::idle(),
        happening in prop::sample::select(HAPPENS_AT_LAST.to_vec()),
        before in any::<bool>(),
        pause in 0..600_u64,
    ) {
        let moment = if before { Moment::Before } else { Moment::AtTheRecord };
        let carried = run(&first, Some((moment, happening)), pause);
        let (name, _) = happening;
        prop_assert_eq!(carried.sent, 0, "{}", name);
        prop_assert!(carried.outcome.is_err(), "{}", name);
    }

    #[test]
    fn a_cluster_that_nothing_happens_to_is_terminated_once(
        first in scene::idle(),
        pause in 0..600_u64,
    ) {
        let carried = run(&first, None, pause);
        prop_assert_eq!((carried.sent, carried.outcome), (1, Ok(())));
        prop_assert_eq!(carried.evidence, first.evidence());
    }
}

#[test]
fn a_driver_that_says_nothing_has_no_word_that_goes_stale() {
    let silent = Scene {
        spark: None,
        driver_takes: Duration::from_secs(31),
        ..Scene::at_rest()
    };
    let carried = run(&silent, None, 40);
    assert_eq!((carried.sent, carried.outcome), (1, Ok(())));
    assert_eq!(carried.evidence, Evidence::NodesAlone);
}

/// The properties above choose; here each happening comes once, with both
/// witnesses, so that none is left out by chance.
#[test]
fn each_happening_keeps_the_cluster() {
    let first = Scene::at_rest();
    for happening in HAPPENS_BEFORE_IT.into_iter().chain(HAPPENS_AT_LAST) {
        let (name, _) = happening;
        assert!(is_heard(&first, happening), "{name}");
        let carried = run(&first, Some((Moment::Before, happening)), 40);
        assert_eq!(carried.sent, 0, "{name}");
        assert!(carried.outcome.is_err(), "{name}");
    }
    for happening in HAPPENS_AT_LAST {
        let (name, _) = happening;
        let carried = run(&first, Some((Moment::AtTheRecord, happening)), 40);
        assert_eq!(carried.sent, 0, "{name}");
    }
    assert_eq!(run(&first, None, 40).sent, 1);
}
