//! The nodes witness against real work: what processes take, by the operating
//! system's own counters, becomes the metrics of simulated machines, and the
//! binary must tell work from rest on machines of every size.
//!
//! One second of CPU time stands for one minute, and a process for all that runs
//! on a machine beside what Azure and Databricks keep running there, whose
//! recorded floor the simulator adds. Machine and network are shared with
//! whatever else runs here; see `real/measured.rs` for why that cannot change a
//! class. Needs Linux and Python.

#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

#[path = "real/measured.rs"]
mod measured;
#[path = "support/ran.rs"]
mod ran;
#[expect(dead_code, reason = "shared with stories that need more of it")]
mod support;
#[expect(dead_code, reason = "shared with stories that need more of it")]
#[path = "sweep/swept.rs"]
mod swept;

use simulator::world::{
    Cluster, IDLE_CORES, IDLE_NETWORK, Load, Machine, NodeType, Workspace, World, hours, minutes,
};

use self::measured::{Minute, Process, loopback_bytes, measure};
use self::support::Scene;
use self::swept::Swept;

/// Machine sizes and their simulated cores.
const SIZES: [(&str, f64); 3] = [
    ("Standard_DS3_v2", 4.0),
    ("Standard_DS5_v2", 16.0),
    ("Standard_E64ds_v5", 64.0),
];
/// With `idle_after` at its least, 10 minutes, machines are judged on at most 15 minutes that end 5
/// minutes ago; two more, so that the clock may pass on meanwhile.
const MEASURED: usize = 17;
/// How long ago the last measured minute ends.
const SETTLED: u64 = 3;
/// Bytes a second of the copy: twice what counts as work, even if a minute takes no longer than a second.
const COPY: f64 = 60_000_000.0;

/// What a machine must be called busy by, in cores or in bytes a minute.
const BUSY_CORES: f64 = 0.5;
const BUSY_NETWORK: f64 = 30_000_000.0;

/// A kind of work and what it took, minute by minute.
struct Work {
    name: &'static str,
    minutes: Vec<Minute>,
}

impl Work {
    fn range(&self, of: impl Fn(&Minute) -> f64) -> (f64, f64) {
        let values = || self.minutes.iter().map(&of);
        (
            values().fold(f64::INFINITY, f64::min),
            values().fold(0.0, f64::max),
        )
    }

    fn cores(&self) -> (f64, f64) {
        self.range(|minute| minute.cores)
    }

    fn bytes(&self) -> (f64, f64) {
        self.range(|minute| minute.bytes)
    }
}

/// Runs the three kinds of work side by side.
fn measured_work() -> [Work; 3] {
    let sender = Process::start(&["send", &format!("{COPY:.0}")]);
    let processes = [
        ("idle", Process::start(&["rest"])),
        ("one-thread", Process::start(&["spin"])),
        ("copy", Process::start(&["receive", &sender.said])),
    ];
    let carried_before = loopback_bytes();
    let all: Vec<&Process> = processes.iter().map(|(_, process)| process).collect();
    let mut measured = measure(&all, MEASURED).into_iter();
    let carried = loopback_bytes() - carried_before;
    let work = processes.each_ref().map(|(name, _)| Work {
        name,
        minutes: measured.next().unwrap(),
    });
    let copied: f64 = work[2].minutes.iter().map(|minute| minute.bytes).sum();
    assert!(
        carried >= copied * 0.9,
        "the copy's {copied} bytes are network traffic, of which there were {carried}"
    );
    work
}

/// A cluster of one machine, idle but for this work in the minutes before now.
fn cluster_with(work: &Work, (size, cores): (&str, f64), world: &World) -> Cluster {
    let now_ms = world.clock.now_ms();
    let minute = world.clock.moment(now_ms - now_ms.rem_euclid(60_000));
    let mut end = minute.minus(minutes(SETTLED));
    let mut loads = Vec::new();
    for taken in work.minutes.iter().rev() {
        let from = end.minus(minutes(1));
        loads.push(Load {
            from,
            to: Some(end),
            cores: taken.cores,
            network: taken.bytes,
        });
        end = from;
    }
    let mut cluster = Cluster::idle(&name(work.name, cores))
        .node_type(size)
        .single_node()
        .since(hours(1))
        .load(Machine::Driver, &loads);
    cluster.vms[0].cores = cores;
    cluster
}

fn name(work: &str, cores: f64) -> String {
    format!("{work} on {cores} cores")
}

/// Sweeps one cluster per kind of work and size.
fn swept(work: &[Work]) -> (Scene, Swept) {
    let world = World::new();
    let clusters = SIZES
        .iter()
        .flat_map(|size| work.iter().map(|work| cluster_with(work, *size, &world)));
    let mut sizes = NodeType::common();
    sizes.push(NodeType::new("Standard_E64ds_v5", 64.0, 0, 524_288));
    let workspace = Workspace::named("one")
        .node_types(sizes)
        .clusters(clusters.collect::<Vec<_>>());
    let scene = Scene::of(world.workspace(workspace)).policy("idle_after = \"10m\"");
    let swept = scene.sweep();
    (scene, swept)
}

/// The numbers that the report quotes of a busy machine: cores, and bytes a minute.
fn quoted(swept: &Swept, cluster: &str) -> (f64, f64) {
    let said = swept.cluster(cluster)["nodes"].as_str().unwrap();
    let (cores, network) = said
        .strip_prefix("busy (driver): ")
        .and_then(|said| said.strip_suffix(" MB/min of network"))
        .and_then(|said| said.split_once(" cores, "))
        .unwrap_or_else(|| panic!("{cluster}: {said}"));
    let megabytes: f64 = network.parse().unwrap();
    (cores.parse().unwrap(), megabytes * 1e6)
}

/// That what is quoted is the mean of what was measured, but for rounding, on top of the floor.
fn assert_within(quoted: f64, measured: (f64, f64), floor: f64, rounding: f64, what: &str) {
    let (least, most) = (measured.0 + floor - rounding, measured.1 + floor + rounding);
    assert!(
        (least..=most).contains(&quoted),
        "{what}: {quoted} was quoted, {least} to {most} measured"
    );
}

#[test]
#[ignore = "needs tests/real/setup: Python, and a processor for a minute"]
fn tells_real_work_from_real_rest_on_machines_of_every_size() {
    let work = measured_work();
    let [idle, one_thread, copy] = &work;
    assert!(
        idle.cores().1 + IDLE_CORES < BUSY_CORES,
        "{:?}",
        idle.minutes
    );
    assert!(
        one_thread.cores().0 >= BUSY_CORES,
        "{:?}",
        one_thread.minutes
    );
    // The copy can be told from rest by its traffic alone.
    assert!(
        copy.cores().1 + IDLE_CORES < BUSY_CORES,
        "{:?}",
        copy.minutes
    );
    assert!(copy.bytes().0 >= BUSY_NETWORK, "{:?}", copy.minutes);

    let (scene, swept) = swept(&work);
    swept.assert_succeeded();
    for (_, cores) in SIZES {
        let rested = name("idle", cores);
        assert_eq!(
            swept.said_of(&rested),
            "terminated: both_witnesses",
            "{swept}"
        );
        let said = swept.cluster(&rested)["nodes"].as_str().unwrap();
        assert!(said.starts_with("quiet (driver) since before "), "{said}");
        for worked in [one_thread, copy] {
            let name = name(worked.name, cores);
            assert_eq!(swept.said_of(&name), "kept: nodes_busy", "{swept}");
            let (quoted_cores, quoted_bytes) = quoted(&swept, &name);
            assert_within(quoted_cores, worked.cores(), IDLE_CORES, 0.01, &name);
            assert_within(quoted_bytes, worked.bytes(), IDLE_NETWORK, 1e5, &name);
        }
    }
    assert_eq!(scene.simulator.record().terminations().len(), SIZES.len());
    scene.simulator.assert_clean();
    no_percentage_could_tell_them_apart(one_thread, &swept);
}

/// A thread takes a smaller share of the largest machine than rest takes of the smallest: a rule in
/// percent would take one for the other.
fn no_percentage_could_tell_them_apart(one_thread: &Work, swept: &Swept) {
    let [(_, smallest), _, (_, largest)] = SIZES;
    let (quoted_cores, _) = quoted(swept, &name(one_thread.name, largest));
    let (busy, rest) = (quoted_cores / largest, IDLE_CORES / smallest);
    assert!(
        busy < 0.05,
        "the usual rule of 5 % would see work in {busy}"
    );
    assert!(busy < rest, "{busy} of the largest, {rest} of the smallest");
}
