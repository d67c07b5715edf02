//! The course of one storm, and what must hold after every sweep of it.
//!
//! Troubles and events first, over one sweep or more; then all of them end, and
//! calm sweeps follow until nothing is owed any more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fastrand::Rng;
use simulator::Match;
use simulator::world::{Clock, World, minutes};
use terminate_clusters::policy::Mode;

use crate::estate::{self, pick};
use crate::oracle;
use crate::sky::{Sky, Swept};
use crate::weather;

/// A day on which every date of a storm has its meaning (2040-03-01).
const DAY_MS: i64 = 2_214_172_800_000;
/// More calm sweeps than any estate can need.
const CALM_SWEEPS: usize = 16;
/// How long after its deadline a sweep may still speak.
const LAST_WORDS: Duration = Duration::from_secs(6);

type Wrong = Result<(), String>;

/// Rides out the storm of a seed.
///
/// # Errors
///
/// What broke a promise.
pub(crate) async fn out(seed: u64) -> Wrong {
    let mut rng = Rng::with_seed(seed);
    // The product's own jitter.
    fastrand::seed(seed);
    let now_ms = DAY_MS + rng.i64(0..864_000_000);
    let world = World::new().in_time_of(Clock::following_runtime(now_ms));
    let estate = estate::draw(&mut rng, world);
    let sky = Sky::over(estate.world, estate.rules, rng.u64(..));
    let finest = seed.is_multiple_of(25);
    for _ in 0..1 + rng.usize(..2) {
        tokio::time::sleep(minutes(rng.u64(..90))).await;
        let mode = *pick(&mut rng, &[Mode::Report, Mode::Terminate, Mode::Terminate]);
        sky.cloud.clear_faults();
        sky.cloud.clear_hooks();
        gather_clouds(&mut rng, &sky);
        let patience = minutes(*pick(&mut rng, &[1, 3, 30, 30]));
        Watched::sweep(&sky, mode, patience, finest).await?;
    }
    weather::clear_up(&sky.cloud);
    tokio::time::sleep(minutes(15)).await;
    if rng.u8(..3) == 0 {
        let watched = Watched::sweep(&sky, Mode::Report, minutes(30), finest).await?;
        watched.would_pay()?;
    }
    for _ in 0..CALM_SWEEPS {
        if due(&sky).is_empty() {
            return Ok(());
        }
        let watched = Watched::sweep(&sky, Mode::Terminate, minutes(30), finest).await?;
        watched.pays()?;
        tokio::time::sleep(minutes(5)).await;
    }
    Err(format!("never terminated {:?}", due(&sky)))
}

fn gather_clouds(rng: &mut Rng, sky: &Sky) {
    let (troubles, events) = sky.cloud.world(|world| {
        let troubles = weather::troubles(rng, world, true);
        (troubles, weather::events(rng, world))
    });
    for one in troubles {
        sky.cloud.fault(one.matcher, one.times, one.fault);
    }
    for one in events {
        sky.cloud
            .hook(one.matcher, one.times, one.when, move |world| {
                (one.change)(world);
            });
    }
}

fn due(sky: &Sky) -> BTreeMap<String, String> {
    sky.cloud.world(|world| oracle::due(world, &sky.rules))
}

/// A sweep with what was there before it.
struct Watched<'s> {
    sky: &'s Sky,
    swept: Swept,
    due: BTreeMap<String, String>,
    slots: BTreeMap<String, usize>,
}

impl<'s> Watched<'s> {
    /// Sweeps and checks what holds in every weather.
    async fn sweep(
        sky: &'s Sky,
        mode: Mode,
        patience: Duration,
        finest: bool,
    ) -> Result<Self, String> {
        sky.cloud.forget_record();
        let (due, slots) = (due(sky), slots(sky));
        let swept = sky.sweep(mode, patience, finest).await;
        let watched = Self {
            sky,
            swept,
            due,
            slots,
        };
        let checked = watched.hold(mode, patience);
        checked.map_err(|why| watched.with_everything(&why))?;
        Ok(watched)
    }

    /// Why, and all that a person needs to see how it came about.
    fn with_everything(&self, why: &str) -> String {
        let requests = self.sky.cloud.look_at_record(|record| {
            let all = record.requests().iter();
            let lines = all.map(|one| format!("{} {one}\n", one.at_ms));
            lines.collect::<String>()
        });
        format!("{why}\n{requests}{}", self.swept.told)
    }

    fn hold(&self, mode: Mode, patience: Duration) -> Wrong {
        let Self { sky, swept, .. } = self;
        if let Some(wrong) = sky.wrongs().first() {
            return Err(wrong.clone());
        }
        let violations = sky.cloud.look_at_record(|record| record.violations());
        if !violations.is_empty() {
            return Err(format!("nobody arranged {violations:?}"));
        }
        let mutating = sky.cloud.look_at_record(|record| record.mutating().len());
        if mode == Mode::Report && mutating > 0 {
            return Err("something was changed in report mode".to_owned());
        }
        if swept.took > patience + LAST_WORDS {
            return Err(format!("it took {:?}", swept.took));
        }
        if swept.told.contains("ended in a panic") {
            return Err("a visit panicked".to_owned());
        }
        for secret in sky.cloud.world(|world| world.secrets()) {
            let essence = secret.rsplit('.').next().unwrap_or_default();
            if swept.told.contains(essence) {
                return Err("a secret was told".to_owned());
            }
        }
        self.every_cluster_has_a_line()?;
        self.caps_hold()?;
        self.nothing_is_sent_twice()
    }

    fn every_cluster_has_a_line(&self) -> Wrong {
        let Swept {
            closing, reports, ..
        } = &self.swept;
        let workspaces = self.sky.cloud.world(|world| world.workspaces.len());
        if reports.len() != workspaces {
            return Err(format!("{} reports for {workspaces}", reports.len()));
        }
        let mut lines = 0;
        let mut failures = closing.failures.len();
        for report in reports {
            let ids: Vec<&str> = report.lines.iter().map(|line| line.id.as_str()).collect();
            let told: BTreeSet<String> = ids.iter().map(|id| (*id).to_owned()).collect();
            let listed = self.swept.listed.get(&report.host);
            let listed = listed.cloned().unwrap_or_default();
            if report.seen && (told != listed || ids.len() != told.len()) {
                return Err(format!("listed {listed:?}, told {ids:?}"));
            }
            if !report.seen && report.failures.is_empty() && closing.failures.is_empty() {
                return Err(format!("{} was not seen, for no reason", report.name));
            }
            lines += ids.len();
            failures += report.failures.len();
        }
        let totals = &closing.totals;
        let outcomes: usize = totals.outcomes.values().sum();
        let kept: usize = totals.kept.values().sum();
        let adds_up = (totals.clusters, outcomes) == (lines, lines)
            && kept == totals.outcome("kept")
            && totals.workspaces == workspaces
            && closing.failed() == (failures > 0);
        if adds_up {
            Ok(())
        } else {
            Err(format!("{lines} lines, {failures} failures, {totals:?}"))
        }
    }

    /// Clusters that were sent a termination, with the workspace.
    fn sent(&self) -> BTreeMap<String, String> {
        let record = |host: &str| {
            let matcher = Match::termination().at_host(host);
            self.sky.cloud.look_at_record(|record| {
                let ids = record.matching(&matcher).into_iter().map(|one| {
                    let body: serde_json::Value =
                        serde_json::from_slice(one.body()).unwrap_or_default();
                    body["cluster_id"].as_str().unwrap_or_default().to_owned()
                });
                ids.collect::<BTreeSet<String>>()
            })
        };
        let hosts = self.sky.cloud.world(|world| {
            let all = world.workspaces.iter();
            all.map(|one| (one.host.clone(), one.name.clone()))
                .collect::<Vec<_>>()
        });
        let mut sent = BTreeMap::new();
        for (host, name) in hosts {
            sent.extend(record(&host).into_iter().map(|id| (id, name.clone())));
        }
        sent
    }

    fn caps_hold(&self) -> Wrong {
        let sent = self.sent();
        if sent.len() > self.sky.rules.cap_per_sweep {
            return Err(format!("{} were sent in one sweep", sent.len()));
        }
        for (workspace, slots) in &self.slots {
            let count = sent.values().filter(|name| *name == workspace).count();
            if count > *slots {
                return Err(format!("{count} were sent in {workspace}, not {slots}"));
            }
        }
        Ok(())
    }

    /// A termination that may have arrived is not repeated: the cluster may live
    /// again by then.
    fn nothing_is_sent_twice(&self) -> Wrong {
        self.sky.cloud.look_at_record(|record| {
            let mut sent: BTreeMap<Vec<u8>, Option<u16>> = BTreeMap::new();
            for one in record.matching(&Match::termination()) {
                let before = sent.insert(one.body().to_vec(), one.status);
                let was_refused = |status| matches!(status, Some(400..=499));
                if let Some(status) = before
                    && !was_refused(status)
                {
                    return Err(format!("sent twice, first {status:?}: {one}"));
                }
            }
            Ok(())
        })
    }

    /// In calm weather, whatever is owed is paid as far as the caps allow, longest
    /// idle first being the plan's own affair; and something is paid in any case.
    fn pays(&self) -> Wrong {
        let sent = self.sent();
        let mut owed: BTreeMap<&str, usize> = BTreeMap::new();
        for workspace in self.due.values() {
            *owed.entry(workspace).or_default() += 1;
        }
        let mut possible = 0;
        let mut missing = Vec::new();
        for (workspace, count) in owed {
            let expected = count.min(self.slots[workspace]);
            let of_workspace = sent.values().filter(|name| *name == workspace).count();
            possible += expected;
            if of_workspace < expected {
                missing.push(format!("{workspace}: {of_workspace} of {expected}"));
            }
        }
        let is_capped = sent.len() == self.sky.rules.cap_per_sweep;
        if (missing.is_empty() && possible > 0) || is_capped {
            return Ok(());
        }
        let why = format!("owed {:?}, missing {missing:?}", self.due);
        Err(self.with_everything(&why))
    }

    /// A calm report names every cluster that a calm sweep would terminate.
    fn would_pay(&self) -> Wrong {
        let lines = self.swept.reports.iter().flat_map(|report| &report.lines);
        let promised: BTreeSet<&str> = lines
            .filter(|line| matches!(line.outcome.as_str(), "would_terminate" | "deferred"))
            .map(|line| line.id.as_str())
            .collect();
        // A workspace that is only reported owes nothing and promises all the same.
        match self.due.keys().find(|id| !promised.contains(id.as_str())) {
            None => Ok(()),
            Some(id) => Err(self.with_everything(&format!("no promise for {id}"))),
        }
    }
}

/// How many terminations each workspace's cap allows: half of its running
/// all-purpose clusters, rounded up.
fn slots(sky: &Sky) -> BTreeMap<String, usize> {
    let cap = sky.rules.cap_per_workspace;
    sky.cloud.world(|world| {
        let now = world.now();
        let of = |workspace: &simulator::world::Workspace| {
            let ours = workspace.clusters.iter().filter(|cluster| {
                matches!(cluster.source.as_deref(), Some("UI" | "API"))
                    && !["custom_tags", "cluster_source"]
                        .iter()
                        .any(|field| cluster.overlay.contains_key(*field))
                    && cluster.state_at(now) == "RUNNING"
            });
            ours.count().div_ceil(2).min(cap)
        };
        let all = world.workspaces.iter();
        all.map(|one| (one.name.clone(), of(one))).collect()
    })
}
