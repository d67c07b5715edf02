//! A storm over the real binary: the same estates and troubles, by sockets and by
//! the machine's clock.
//!
//! Only what takes no time goes wrong here, and the world does not change under
//! the sweep, so that each termination can be judged when it has ended.

use std::process::{Command, Stdio};

use fastrand::Rng;
use serde_json::Value;
use simulator::world::{DriverProxy, OnTerminate, World, seconds};

use crate::estate::{self, Rules};
use crate::oracle::{self, Asked, Case};
use crate::support::{BINARY, Scene};
use crate::weather;

const CALM_SWEEPS: usize = 16;

/// Rides out the storm of a seed.
///
/// # Errors
///
/// What broke a promise.
pub(crate) fn ride(seed: u64) -> Result<(), String> {
    let mut rng = Rng::with_seed(seed);
    let estate::Estate {
        mut world,
        mut rules,
    } = estate::draw(&mut rng, World::new());
    rules.report_only.clear();
    for workspace in &mut world.workspaces {
        for cluster in &mut workspace.clusters {
            if cluster.driver == DriverProxy::Hang {
                cluster.driver = DriverProxy::Status(503);
            }
        }
    }
    let troubles = weather::troubles(&mut rng, &world, false);
    let mut scene = Scene::of(world)
        .set("TERMINATE_CLUSTERS_LOG", "debug")
        .limit("request_attempts", "2");
    for line in rules.policy_lines() {
        scene = scene.policy(&line);
    }
    scene.further_tables.push_str(&rules.tables());
    for one in troubles {
        scene.simulator.fault(one.matcher, one.times, one.fault);
    }
    sweep(&scene, &rules)?;
    clear_up(&scene);
    for _ in 0..CALM_SWEEPS {
        let due = scene.simulator.world(|world| oracle::due(world, &rules));
        if due.is_empty() {
            return Ok(());
        }
        sweep(&scene, &rules)?;
        let paid = |id: &String| {
            let sent = scene.simulator.record().terminations();
            sent.contains(id)
        };
        if !due.keys().any(paid) {
            return Err(format!("owed {due:?}, and nothing was terminated"));
        }
    }
    Err("there is no end of what is owed".to_owned())
}

fn clear_up(scene: &Scene) {
    scene.simulator.clear_faults();
    scene.simulator.world(|world| {
        let workspaces = world.workspaces.iter_mut();
        for cluster in workspaces.flat_map(|one| &mut one.clusters) {
            cluster.on_terminate = OnTerminate::After(seconds(1));
        }
    });
}

/// Sweeps once and checks what was done and told.
fn sweep(scene: &Scene, rules: &Rules) -> Result<(), String> {
    scene.simulator.forget_record();
    let output = Command::new(BINARY)
        .args(["sweep", "--json"])
        .env_clear()
        .envs(scene.environment())
        .current_dir(scene.simulator.directory())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
    if !matches!(output.status.code(), Some(0 | 1)) {
        return Err(format!("{}: {told}", output.status));
    }
    let lines = told
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let lines: Vec<Value> = lines.collect();
    let clusters = lines.iter().filter_map(|line| line["clusters"].as_array());
    let clusters: usize = clusters.map(Vec::len).sum();
    let totals = lines.last().map(|line| line["totals"]["clusters"].clone());
    if totals != Some(clusters.into()) {
        return Err(format!(
            "{clusters} lines, {totals:?} by the totals: {told}"
        ));
    }
    for secret in scene.simulator.world(|world| world.secrets()) {
        let essence = secret.rsplit('.').next().unwrap();
        if told.contains(essence) {
            return Err("a secret was told".to_owned());
        }
    }
    scene.simulator.assert_clean();
    judge(scene, rules).map_err(|why| format!("{why}\n{told}"))
}

/// Judges what was terminated as if it ran still.
fn judge(scene: &Scene, rules: &Rules) -> Result<(), String> {
    let sent = scene.simulator.record().terminations();
    scene.simulator.world(|world| {
        let now = world.now();
        let asked = Asked::everything(now);
        for workspace in &world.workspaces {
            let clusters = workspace.clusters.iter();
            for cluster in clusters.filter(|cluster| sent.contains(&cluster.id)) {
                let mut before = cluster.clone();
                before.terminated = None;
                let case = Case {
                    workspace,
                    cluster: &before,
                    rules,
                    now,
                };
                let verdict = case.forbidden(&asked);
                verdict.map_err(|why| format!("terminated {}: {why}", cluster.name))?;
            }
        }
        Ok(())
    })
}
