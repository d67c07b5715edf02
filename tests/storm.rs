//! Storms: worlds, faults and changes drawn from a seed, and the promise in all
//! of them.
//!
//! ```sh
//! cargo test --test storm                                  # 1,000 seeds
//! STORM_SEEDS=10000 cargo test --release --test storm      # 10,000
//! STORM_SEED=17 cargo test --test storm rides              # one of them again, in both ways
//! ```
//!
//! Twenty of them meet the real binary too, over sockets. The others are
//! in process, in paused time and without a socket, where what is drawn from a seed is
//! all that differs between two rides. The oracle judges by the world itself and
//! knows nothing of how the sweep decides.

#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

mod support;

#[path = "storm/binary.rs"]
mod binary;
#[path = "storm/estate.rs"]
mod estate;
#[path = "storm/oracle.rs"]
mod oracle;
#[path = "storm/ride.rs"]
mod ride;
#[path = "storm/sky.rs"]
mod sky;
#[path = "storm/weather.rs"]
mod weather;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

const SEEDS: u64 = 1_000;

/// A number that the environment gives, if it does.
fn given(name: &str) -> Option<u64> {
    let mut all = std::env::vars_os();
    let (_, value) = all.find(|(known, _)| known == name)?;
    Some(value.to_str().unwrap().parse().unwrap())
}

/// Rides out the storm of a seed, in a runtime of its own whose time stands still.
fn ride(seed: u64) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let ridden = catch_unwind(AssertUnwindSafe(|| runtime.block_on(ride::out(seed))));
    ridden.unwrap_or_else(|_| Err("a panic, told above".to_owned()))
}

#[test]
fn rides_out_every_storm() {
    if let Some(seed) = given("STORM_SEED") {
        ride(seed).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        return;
    }
    let count = given("STORM_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let wrongs: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let seeds = std::iter::from_fn(|| {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        (seed < count).then_some(seed)
                    });
                    seeds
                        .filter_map(|seed| Some(told(seed, &ride(seed).err()?)))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap())
            .collect()
    });
    assert!(
        wrongs.is_empty(),
        "{} of {count} storms broke a promise:\n{}",
        wrongs.len(),
        wrongs.join("\n")
    );
}

#[test]
fn the_binary_rides_out_twenty_of_them() {
    let seeds = given("STORM_SEED").map_or(0..20, |seed| seed..seed + 1);
    let next = Mutex::new(seeds);
    let wrongs: Mutex<Vec<String>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.lock().unwrap().next();
                    let Some(seed) = seed else { return };
                    let ridden = catch_unwind(|| binary::ride(seed));
                    let ridden = ridden.unwrap_or_else(|_| Err("a panic, told above".to_owned()));
                    let Err(why) = ridden else { continue };
                    // What the process said follows, for a ride by the clock may differ.
                    let all = format!("{}\n{why}", told(seed, &why));
                    wrongs.lock().unwrap().push(all);
                }
            });
        }
    });
    let wrongs = wrongs.into_inner().unwrap();
    assert!(wrongs.is_empty(), "{}", wrongs.join("\n"));
}

/// What went wrong, in short, and how to see it again.
fn told(seed: u64, why: &str) -> String {
    let first = why.lines().next().unwrap_or_default();
    format!("{first}\n    STORM_SEED={seed} cargo test --test storm rides")
}
