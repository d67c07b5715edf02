//! Killed anywhere: the process ends without a signal that it could catch, at any
//! request of a sweep, and whatever comes next finds the world in order.
//!
//! The real binary against the simulator, as the host or an operator would start
//! it again. What the host makes of a handler that dies or freezes is part of the
//! story, because it decides whether there is a next sweep at all.

#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

mod support;

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use simulator::host::{
    FailureCause, FunctionsHost, HandlerState, InvocationOutcome, TimerInvocation,
};
use simulator::world::{Cluster, Workspace, World, hours};
use simulator::{Fault, Match, Times, When};
use support::{BINARY, Scene};

/// Longer than anything takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
const IDLE: [&str; 2] = ["idle-1", "idle-2"];

/// Two idle clusters and a busy one: both may go in one sweep.
fn scene() -> Scene {
    let workspace = Workspace::named("one")
        .cluster(Cluster::idle(IDLE[0]).since(hours(8)))
        .cluster(Cluster::idle(IDLE[1]).since(hours(5)))
        .cluster(Cluster::busy("busy"));
    Scene::of(World::new().workspace(workspace))
        .policy("cap_per_workspace = 10")
        .limit("sweep_deadline", "\"60s\"")
}

fn spawn_sweep(scene: &Scene) -> Child {
    Command::new(BINARY)
        .args(["sweep", "--json"])
        .env_clear()
        .envs(scene.environment())
        .current_dir(scene.simulator.directory())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Which clusters run, in the order of their names.
fn running(scene: &Scene) -> Vec<String> {
    scene.simulator.world(|world| {
        let now = world.now();
        let clusters = world.workspaces[0].clusters.iter();
        let running = clusters.filter(|cluster| cluster.state_at(now) == "RUNNING");
        running.map(|cluster| cluster.name.clone()).collect()
    })
}

/// The names of the clusters that were asked to terminate, in order.
fn terminations(scene: &Scene) -> Vec<String> {
    let ids = scene.simulator.record().terminations();
    scene.simulator.world(|world| {
        let name = |id: &String| world.find_cluster("one", id).unwrap().name.clone();
        ids.iter().map(name).collect()
    })
}

/// How many requests a sweep makes that nothing disturbs, and that it ends well.
fn requests_undisturbed() -> usize {
    let scene = scene();
    assert!(spawn_sweep(&scene).wait().unwrap().success());
    assert_eq!(running(&scene), ["busy"]);
    assert_eq!(terminations(&scene), IDLE);
    scene.simulator.record().requests().len()
}

/// Kills a sweep when the service has done what the n-th request asked for, but
/// before it can answer; whether it came to that.
fn kill_at(scene: &Scene, n: u64) -> bool {
    let victim: Arc<Mutex<Option<Child>>> = Arc::default();
    let killer = Arc::clone(&victim);
    // Held while the process starts, so that no request can outrun its owner.
    let mut held = victim.lock().unwrap();
    scene
        .simulator
        .hook(Match::any(), Times::Nth(n), When::After, move |_| {
            if let Some(child) = killer.lock().unwrap().as_mut() {
                child.kill().unwrap();
            }
        });
    *held = Some(spawn_sweep(scene));
    drop(held);
    loop {
        let mut held = victim.lock().unwrap();
        if let Some(status) = held.as_mut().unwrap().try_wait().unwrap() {
            return status.code().is_none();
        }
        drop(held);
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_sweep_that_is_killed_at_any_request_leaves_nothing_that_the_next_cannot_finish() {
    let requests = requests_undisturbed() as u64;
    assert!(requests > 30, "{requests}");
    let next = AtomicU64::new(1);
    let killed = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n > requests {
                        return;
                    }
                    let scene = scene();
                    killed.fetch_add(u64::from(kill_at(&scene, n)), Ordering::Relaxed);
                    assert!(spawn_sweep(&scene).wait().unwrap().success(), "request {n}");
                    assert_eq!(running(&scene), ["busy"], "request {n}");
                    // Each once: what the first had begun, the second does not do again.
                    let mut terminated = terminations(&scene);
                    terminated.sort();
                    assert_eq!(terminated, IDLE, "request {n}");
                    scene.simulator.assert_clean();
                }
            });
        }
    });
    // The last requests read back; their number varies with the time.
    let killed = killed.into_inner();
    assert!(
        killed + 10 >= requests,
        "{killed} of {requests} were killed"
    );
}

/// The host with the files of this repository and the settings of a scene.
async fn start(scene: &Scene) -> FunctionsHost {
    let mut builder = FunctionsHost::builder(env!("CARGO_MANIFEST_DIR"))
        .executable(BINARY)
        .timeout_grace(Duration::from_millis(50))
        .clear_env();
    for (name, value) in scene.environment() {
        builder = builder.env(name, value);
    }
    builder.start().await.unwrap()
}

async fn until_started(host: &FunctionsHost, times: u32) {
    let is_back = |state: &HandlerState| matches!(state, HandlerState::Ready { starts, .. } if *starts == times);
    host.wait_for_state(is_back, LIMIT).await.unwrap();
}

#[tokio::test]
async fn the_host_starts_a_killed_handler_again_until_the_third_crash() {
    let scene = scene();
    let host = start(&scene).await;
    for crash in 1..=2 {
        until_started(&host, crash).await;
        host.kill_handler();
    }
    // On the same port, and whole: the restarted one sweeps.
    until_started(&host, 3).await;
    let outcome = host.invoke_timer(TimerInvocation::new()).await;
    assert!(outcome.success().is_ok());
    assert_eq!(running(&scene), ["busy"]);
    host.kill_handler();
    let has_given_up = |state: &HandlerState| matches!(state, HandlerState::HostStopped(_));
    host.wait_for_state(has_given_up, LIMIT).await.unwrap();
    let outcome = host.invoke_timer(TimerInvocation::new()).await;
    let found_nobody = matches!(
        outcome,
        InvocationOutcome::Failed(FailureCause::NoHandler(_))
    );
    assert!(found_nobody, "{outcome}");
    scene.simulator.assert_clean();
}

#[tokio::test]
async fn a_handler_that_cannot_listen_fails_so_that_the_host_starts_it_again() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let scene = scene();
    let status = tokio::process::Command::new(BINARY)
        .env_clear()
        .envs(scene.environment())
        .env("FUNCTIONS_CUSTOMHANDLER_PORT", port)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await
        .unwrap();
    // 0 would be taken for intended and never be started again.
    assert!(status.code().is_some_and(|code| code != 0), "{status}");
}

#[tokio::test]
async fn the_timeout_kills_a_handler_that_froze_and_the_next_sweep_finishes() {
    let scene = scene()
        .set("AzureFunctionsJobHost__functionTimeout", "00:00:10")
        .limit("function_timeout_margin", "\"1s\"")
        .limit("read_back_for", "\"100ms\"");
    let list = Match::path("/clusters/list");
    let silence = Fault::Hang;
    scene
        .simulator
        .fault(list.clone(), Times::First(1), silence);
    let host = start(&scene).await;
    let pid = host.handler_pid().unwrap();
    let run = host.invoke_manual(TimerInvocation::new());
    let began = tokio::time::Instant::now();
    while scene
        .simulator
        .look_at_record(|record| record.matching(&list).is_empty())
    {
        assert!(began.elapsed() < LIMIT, "it never asked");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Its own deadline would come first; frozen, it has none.
    let frozen = Command::new("kill")
        .args(["-STOP", &pid.to_string()])
        .status();
    assert!(frozen.unwrap().success());
    let outcome = run.outcome().await;
    assert!(
        matches!(outcome, InvocationOutcome::TimedOut { .. }),
        "{outcome}"
    );
    // Not counted as a crash: two more are forgiven.
    until_started(&host, 2).await;
    assert_eq!(running(&scene).len(), 3);
    scene.simulator.clear_faults();
    scene.simulator.forget_record();
    // The hang is over with the process that met it.
    let outcome = host.invoke_timer(TimerInvocation::new()).await;
    assert!(outcome.success().is_ok());
    assert_eq!(running(&scene), ["busy"]);
    scene.simulator.assert_clean();
}
