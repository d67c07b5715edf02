//! What a process has cost so far, and how much of the machine was left over, read from `/proc`.
//!
//! Linux only, as the Functions hosts are that run the handler.

use std::fs;
use std::time::Duration;

use crate::Outcome;

/// Linux counts CPU time for programs in hundredths of a second on every architecture.
const TICKS_A_SECOND: u64 = 100;

/// Where the fields of `/proc/PID/stat` begin that follow the name: the state is the third.
const FIRST_AFTER_NAME: usize = 3;
const USER_TIME: usize = 14;
const SYSTEM_TIME: usize = 15;

/// CPU time of all threads of a process, user and system together.
pub(crate) fn cpu(pid: u32) -> Outcome<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let ticks = cpu_ticks(&stat).ok_or("/proc tells no CPU time")?;
    Ok(Duration::from_millis(ticks * 1000 / TICKS_A_SECOND))
}

fn cpu_ticks(stat: &str) -> Option<u64> {
    // The name stands in parentheses and may hold anything.
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let at = |number: usize| fields.get(number - FIRST_AFTER_NAME)?.parse::<u64>().ok();
    Some(at(USER_TIME)? + at(SYSTEM_TIME)?)
}

/// Memory of a process in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Resident now.
    pub(crate) now: u64,
    /// The most that was ever resident.
    pub(crate) peak: u64,
}

pub(crate) fn memory(pid: u32) -> Outcome<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let read = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    };
    Ok(Memory {
        now: read("VmRSS:").ok_or("/proc tells no VmRSS")?,
        peak: read("VmHWM:").ok_or("/proc tells no VmHWM")?,
    })
}

/// Ticks that all processors have spent, and those of them without work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    all: u64,
    idle: u64,
}

pub(crate) fn machine() -> Outcome<Machine> {
    let stat = fs::read_to_string("/proc/stat")?;
    Ok(read_machine(&stat).ok_or("/proc/stat tells no CPU time")?)
}

fn read_machine(stat: &str) -> Option<Machine> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks = line.split_whitespace().map(str::parse);
    let ticks: Vec<u64> = ticks.collect::<Result<_, _>>().ok()?;
    // user, nice, system, idle, iowait, irq, softirq, steal; guests are counted in user already.
    Some(Machine {
        all: ticks.iter().take(8).sum(),
        idle: ticks.get(3)? + ticks.get(4)?,
    })
}

impl Machine {
    /// Which part of the machine had no work since then, from 0 to 1.
    pub(crate) fn idle_since(self, earlier: Self) -> f64 {
        let all = self.all.saturating_sub(earlier.all);
        let idle = self.idle.saturating_sub(earlier.idle);
        #[expect(clippy::cast_precision_loss, reason = "ticks of some minutes")]
        if all == 0 {
            0.0
        } else {
            idle as f64 / all as f64
        }
    }
}

pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_past_a_name_that_looks_like_fields() {
        let stat = "7 (a) R 1 (b) S 1 7 7 0 -1 4194560 1 2 3 4 250 50 0 0 20 0 1 0 5 6 7";
        assert_eq!(cpu_ticks(stat), Some(300));
        assert_eq!(cpu_ticks("7 (a"), None);
    }

    #[test]
    fn this_process_has_memory_and_no_less_at_its_peak() {
        let memory = memory(std::process::id()).expect("figures");
        assert!(memory.now > 0 && memory.peak >= memory.now, "{memory:?}");
        assert!(cpu(std::process::id()).is_ok());
    }

    #[test]
    fn a_machine_is_idle_for_the_part_without_work() {
        let at = |stat| read_machine(stat).expect("ticks");
        let (before, after) = (
            at("cpu  10 0 10 80 0 0 0 0 5 5\n"),
            at("cpu  20 0 20 140 20 0 0 0"),
        );
        assert!((after.idle_since(before) - 0.8).abs() < 1e-9);
    }
}
