//! The matrix of faults: everything that a sweep asks, and everything that can go
//! wrong with the answer.
//!
//! Each cell is the real binary against a pretend cloud in which one endpoint is
//! out of order in one way. Whatever it is, the sweep ends in time, what works is
//! left alone, the workspace beside it is swept as ever, no credential goes
//! elsewhere, and the operator reads what happened where. What they read is in
//! `docs/faults.md`, which `UPDATE_DOCS=1 cargo test --test faults` writes anew.

#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

#[path = "faults/cell.rs"]
mod cell;
#[path = "faults/document.rs"]
mod document;
#[path = "faults/endpoints.rs"]
mod endpoints;
#[path = "faults/kinds.rs"]
mod kinds;
#[path = "faults/logins.rs"]
mod logins;
#[path = "support/ran.rs"]
mod ran;
mod support;
#[path = "faults/sweeps.rs"]
mod sweeps;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use cell::Cell;
use endpoints::{ENDPOINTS, Endpoint};
use kinds::Patience;

/// For each kind of patience; more than there are processors, because most of a sweep's
/// time is waiting. Sweeps that meet silence wait longest and compute least, so they hold
/// no place of the others, and can be given patience that a machine under load keeps to.
const WORKERS: usize = 6;

#[test]
fn every_fault_of_every_endpoint_keeps_what_works_and_tells_what_happened() {
    let queues = [Patience::Short, Patience::Long]
        .map(|patience| (sweeps::jobs(patience), AtomicUsize::new(0)));
    let cells: Mutex<Vec<Cell>> = Mutex::default();
    std::thread::scope(|scope| {
        for (jobs, next) in queues.iter().flat_map(|queue| [queue; WORKERS]) {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let new = job.run();
                    cells.lock().unwrap().extend(new);
                }
            });
        }
    });
    let mut cells = cells.into_inner().unwrap();
    cells.sort_by_key(|cell| (cell.endpoint, cell.kind));
    assert_eq!(cells.len(), expected_cells(), "each has its cell, once");
    let silent: Vec<String> = cells.iter().filter_map(Cell::complaint).collect();
    assert!(silent.is_empty(), "{}", silent.join("\n"));
    document::hold(&cells);
}

fn expected_cells() -> usize {
    let of = |endpoint: &Endpoint| kinds::of(endpoint).count();
    ENDPOINTS.iter().map(of).sum()
}

#[test]
fn each_kind_of_fault_has_a_name_of_its_own() {
    let mut names: Vec<&str> = kinds::KINDS.iter().map(|kind| kind.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), kinds::KINDS.len());
    let slow = |kind: &&kinds::Kind| kind.patience == Patience::Short;
    assert_eq!(kinds::KINDS.iter().filter(slow).count(), 2);
}
