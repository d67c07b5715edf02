//! The machines of one cluster against an ARM and a workspace that answer from
//! memory: whose they are, over which stretch they are asked, and what a change
//! among them means.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use tokio::time::Instant;
use url::Url;

use super::*;
use crate::azure_monitor::Throttles;
use crate::clock::PausableClock;
use crate::databricks::Databricks;
use crate::decision::tests::world::{NOW, World, default_policy, hours, minutes};
use crate::identity::Audience;
use crate::policy::PolicySet;
use crate::service::testing::{FixedToken, answer, network};
use crate::service::{Lane, Service};
use crate::signals::facts::{FactsSettings, WorkspaceFacts};
use crate::signals::machine_facts::SeenMachines;
use crate::transport::MemoryTransport;
use crate::witness::nodes::Contradiction;

const SUBSCRIPTION: &str = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590";
const OURS: &str = "0915-021615-abcd1234";
/// Percent of the world's driver of 4 vCPUs: 0.08 cores.
const REST: f64 = 2.0;

/// CPU percent of the VM of a name in the minute that begins so many before [`NOW`].
type CpuAt = dyn Fn(&str, i64) -> f64 + Send + Sync;

/// What ARM and the workspace know.
struct Estate {
    /// Name of a VM and the cluster that it is tagged with.
    tags: Vec<(&'static str, Option<&'static str>)>,
    of_pool: bool,
    /// The answer to the list of VMs, in the place of the tags.
    list_refusal: Option<u16>,
    cpu: Box<CpuAt>,
    /// Since how long before [`NOW`] a machine came or went.
    resized: Option<Duration>,
}

impl Estate {
    fn at_rest() -> Self {
        Self {
            tags: vec![("d", Some(OURS)), ("a", Some(OURS)), ("b", Some(OURS))],
            of_pool: false,
            list_refusal: None,
            cpu: Box::new(|_, _| REST),
            resized: None,
        }
    }

    fn respond(&self, path: &str, query: &str) -> (u16, Value) {
        if path.ends_with("/clusters/events") {
            let at = self.resized.map(|ago| NOW.minus(ago).as_millis());
            let events: Vec<_> = at.iter().map(|at| json!({"timestamp": at})).collect();
            return (200, json!({"events": events}));
        }
        if path.ends_with("/metrics") {
            let name = path.split('/').rev().nth(3).expect("a VM's name");
            return (200, self.metrics(name, query));
        }
        if path.ends_with("/virtualMachines") {
            let value: Vec<_> = self.tags.iter().map(|tag| self.machine(*tag)).collect();
            return match self.list_refusal {
                Some(status) => (status, json!({"error": {"code": "Refused"}})),
                None => (200, json!({"value": value})),
            };
        }
        let group = format!("{SUBSCRIPTION}/resourceGroups/databricks-rg");
        (
            200,
            json!({"properties": {"managedResourceGroupId": group}}),
        )
    }

    fn machine(&self, (name, cluster): (&str, Option<&str>)) -> Value {
        let mut tags = json!({"Vendor": "Databricks"});
        if let Some(cluster) = cluster {
            tags["clusterid"] = json!(cluster);
        }
        if self.of_pool {
            tags["DatabricksInstancePoolId"] = json!("pool-1");
        }
        json!({"name": name, "tags": tags, "properties": {"provisioningState": "Succeeded"}})
    }

    /// Points of five minutes each over the timespan of the question.
    fn metrics(&self, name: &str, query: &str) -> Value {
        let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
        let of = |key: &str| &*pairs.iter().find(|(name, _)| name == key).expect("asked").1;
        let (from, to) = of("timespan").split_once('/').expect("two times");
        let time = |text| Timestamp::parse_rfc3339(text).expect("a time");
        let (from, to) = (time(from), time(to));
        let step = if of("interval") == "PT5M" { 5 } else { 1 };
        let points = |key: &str, value: &dyn Fn(i64) -> f64| {
            let mut data = Vec::new();
            let mut at = from;
            while at < to {
                let before = i64::try_from(NOW.since(at).as_secs() / 60).expect("small");
                data.push(json!({"timeStamp": at.to_string(), key: value(before)}));
                at = at.plus(minutes(step));
            }
            data
        };
        let metric = |(metric, unit): (&str, &str), data: Vec<Value>| json!({"name": {"value": metric}, "unit": unit, "timeseries": [{"data": data}]});
        let cpu = points("average", &|before| (self.cpu)(name, before));
        let network = || points("total", &|_| 1000.0);
        json!({"interval": of("interval"), "value": [
            metric(nodes::CPU_METRIC, cpu),
            metric(nodes::NETWORK_IN_METRIC, network()),
            metric(nodes::NETWORK_OUT_METRIC, network()),
        ]})
    }
}

struct Scene {
    gatherer: Gatherer,
    reading: Reading,
    transport: Arc<MemoryTransport>,
}

/// A cluster of driver `d` and executors `a` and `b`, up for 200 hours, of which
/// nothing was asked but its hardware.
fn scene(estate: Estate, change: impl FnOnce(&mut Cluster)) -> Scene {
    let estate = Arc::new(Mutex::new(estate));
    let (network, transport) = network(move |request: Request<Bytes>| {
        let (path, query) = (request.uri().path(), request.uri().query());
        let estate = estate.lock().expect("no panic");
        let (status, body) = estate.respond(path, query.unwrap_or_default());
        async move { answer(status, "application/json", body.to_string()) }
    });
    let lane = Arc::new(Lane::new(&network.limits, Instant::now() + hours(1)));
    let service = |audience, base: &str| {
        let base = Url::parse(base).expect("well-formed");
        let tokens = Arc::new(FixedToken);
        Service::new(network.clone(), tokens, audience, base, Arc::clone(&lane)).share()
    };
    let workspace = "https://adb-5555555555555555.19.azuredatabricks.net/";
    let databricks = Databricks::new(service(Audience::Databricks, workspace));
    let arm = service(Audience::Arm, "https://management.azure.com/");
    let workspaces = "resourceGroups/rg/providers/Microsoft.Databricks/workspaces";
    let settings = FactsSettings {
        name: "main".to_owned(),
        sees_all_runs: true,
        resource_id: Some(format!("{SUBSCRIPTION}/{workspaces}/main")),
        runs_page_cap: 10,
        longest_threshold: default_policy().longest_threshold(),
    };
    let clock = Arc::new(PausableClock::starting_at(NOW));
    let gatherer = Gatherer {
        facts: Arc::new(WorkspaceFacts::new(Arc::new(databricks), clock, settings)),
        spark: None,
        monitor: Some(AzureMonitor::new(arm, Throttles::default())),
        policies: Arc::new(PolicySet::plain(default_policy()).for_workspace("main")),
    };
    let started = Some(NOW.minus(hours(200)));
    let machine = |name: &str| Instance {
        instance_id: Some(name.to_owned()),
        started,
    };
    let mut signals = World::idle().signals;
    signals.driver_node = Signal::NotAsked;
    signals.all_nodes = Signal::NotAsked;
    signals.spark = Signal::unknown("switched off");
    signals.streaming = Signal::unknown("switched off");
    signals.cluster.driver = Some(machine("d"));
    signals.cluster.executors = vec![machine("a"), machine("b")];
    signals.cluster.num_workers = Some(2);
    signals.cluster.last_restarted_time = started;
    change(&mut signals.cluster);
    let reading = Reading {
        policy: gatherer.policies.of(&signals.cluster).policy,
        signals,
        application: None,
        stream_lives: false,
        began: NOW,
        kind: LookKind::First,
    };
    Scene {
        gatherer,
        reading,
        transport,
    }
}

impl Scene {
    async fn driver(&self) -> Signal<NodesView> {
        self.gatherer.ask_driver(&self.reading).await
    }

    async fn all(&self) -> Signal<NodesView> {
        self.gatherer.ask_all_nodes(&self.reading).await
    }

    fn seen(&self) -> SeenMachines {
        self.gatherer.facts.machines.take_seen()
    }

    fn asked(&self, end: &str) -> usize {
        let sent = self.transport.sent();
        let asked = sent.iter().filter(|one| one.url.path().ends_with(end));
        asked.count()
    }
}

fn quiet_since(signal: &Signal<NodesView>) -> Option<Timestamp> {
    match signal.known()? {
        NodesView::QuietSince(at) | NodesView::QuietThroughout(at) => Some(*at),
        NodesView::Busy { .. } => None,
    }
}

#[track_caller]
fn assert_unknown(signal: &Signal<NodesView>, part: &str) {
    match signal.why() {
        Some(why) => assert!(why.0.contains(part), "{why}"),
        None => panic!("{signal:?} is not unknown"),
    }
}

#[tokio::test(start_paused = true)]
async fn machines_that_the_tags_confirm_are_asked_after_one_list_for_all() {
    let scene = scene(Estate::at_rest(), |_| {});
    assert!(quiet_since(&scene.driver().await).is_some());
    assert!(quiet_since(&scene.all().await).is_some());
    assert_eq!(scene.asked("/virtualMachines"), 1);
    let seen = scene.seen();
    assert_eq!(seen.unchecked, None);
    let check = &seen.checks[&scene.reading.signals.cluster.id];
    assert_eq!((check.machines, check.confirmed), (3, 3));
    let loads = &seen.driver_loads[&scene.reading.signals.cluster.id];
    assert!(loads.len() > 1000 && loads.iter().all(|load| load.cores < 0.2));
}

#[tokio::test(start_paused = true)]
async fn a_busy_machine_is_believed_even_where_the_tags_contradict_the_record() {
    let mut others = Estate::at_rest();
    others.tags[0].1 = Some("0915-other");
    let mut unlisted = Estate::at_rest();
    unlisted.tags.push(("c", Some(OURS)));
    for mut estate in [others, unlisted] {
        estate.cpu = Box::new(|name, _| if name == "d" { 60.0 } else { REST });
        let scene = scene(estate, |_| {});
        let view = scene.driver().await;
        assert!(
            matches!(view, Signal::Known(NodesView::Busy { .. })),
            "{view:?}"
        );
        assert!(
            scene.seen().driver_loads.is_empty(),
            "of what may be another's"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn no_machine_is_called_quiet_whose_tags_contradict_the_record() {
    let mut others = Estate::at_rest();
    others.tags[1].1 = Some("0915-other");
    let mut unlisted = Estate::at_rest();
    unlisted.tags.push(("c", Some(OURS)));
    let cases = [(others, "to another cluster"), (unlisted, "does not list")];
    for (estate, part) in cases {
        let scene = scene(estate, |_| {});
        assert_unknown(&scene.driver().await, part);
        assert_unknown(&scene.all().await, part);
        let seen = scene.seen();
        let check = &seen.checks[&scene.reading.signals.cluster.id];
        assert!(matches!(
            check.contradiction,
            Some(Contradiction::OfAnother { .. } | Contradiction::Unlisted { .. })
        ));
        assert!(seen.driver_loads.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_bears_no_tag_leaves_the_driver_a_witness_and_not_all_of_them() {
    let mut estate = Estate::at_rest();
    estate.tags[2].1 = None;
    let scene = scene(estate, |_| {});
    assert!(quiet_since(&scene.driver().await).is_some());
    assert_unknown(&scene.all().await, "do not confirm 1 of its 3 machines");
}

#[tokio::test(start_paused = true)]
async fn without_a_list_of_machines_the_driver_is_believed_and_all_of_them_are_not() {
    let estate = Estate {
        list_refusal: Some(403),
        ..Estate::at_rest()
    };
    let scene = scene(estate, |_| {});
    assert!(quiet_since(&scene.driver().await).is_some());
    let all = scene.all().await;
    assert_unknown(&all, "could not be checked: ARM answered 403 Refused");
    let refusal = scene.seen().unchecked.expect("it was refused");
    assert!(refusal.0.contains("needs Reader"), "{refusal}");
    assert_eq!(scene.asked("/virtualMachines"), 1, "asked once");
}

#[tokio::test(start_paused = true)]
async fn a_busy_machine_is_believed_although_the_tags_prove_nothing() {
    let estate = Estate {
        list_refusal: Some(500),
        cpu: Box::new(|name, _| if name == "b" { 60.0 } else { REST }),
        ..Estate::at_rest()
    };
    let view = scene(estate, |_| {}).all().await;
    assert!(matches!(view, Signal::Known(NodesView::Busy { .. })));
}

#[tokio::test(start_paused = true)]
async fn machines_of_a_pool_are_asked_although_no_tag_confirms_them() {
    let pooled = || {
        let mut estate = Estate::at_rest();
        estate.of_pool = true;
        for tag in &mut estate.tags {
            tag.1 = None;
        }
        estate
    };
    let of_pool = scene(pooled(), |cluster| cluster.uses_pool = true);
    assert!(quiet_since(&of_pool.all().await).is_some());
    let of_none = scene(pooled(), |_| {});
    assert_unknown(&of_none.all().await, "do not confirm 3 of its 3");
}

#[tokio::test(start_paused = true)]
async fn work_before_the_cluster_had_the_machine_is_not_its_own() {
    // Until the cluster took it over the machine worked for another one.
    let estate = || Estate {
        cpu: Box::new(|_, before| if before > 180 { 90.0 } else { REST }),
        ..Estate::at_rest()
    };
    let started = NOW.minus(hours(3));
    let taken_over = scene(estate(), |cluster| {
        cluster.last_restarted_time = Some(started);
    });
    let throughout = Signal::Known(NodesView::QuietThroughout(started));
    assert_eq!(taken_over.driver().await, throughout);
    assert_eq!(taken_over.all().await, throughout);
    let own_work = scene(estate(), |_| {});
    let since = Signal::Known(NodesView::QuietSince(started));
    assert_eq!(own_work.all().await, since);
}

#[tokio::test(start_paused = true)]
async fn an_executor_that_joined_later_is_quiet_since_then_at_the_most() {
    let joined = NOW.minus(hours(2));
    let scene = scene(Estate::at_rest(), |cluster| {
        cluster.executors[1].started = Some(joined);
    });
    assert_eq!(quiet_since(&scene.all().await), Some(joined));
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_came_or_went_is_the_beginning_of_the_quiet() {
    let estate = |ago| Estate {
        resized: Some(ago),
        ..Estate::at_rest()
    };
    let view = scene(estate(hours(5)), |_| {}).all().await;
    let since = NodesView::QuietSince(NOW.minus(hours(5)));
    assert_eq!(view, Signal::Known(since));
    let view = scene(estate(hours(150)), |_| {}).all().await;
    assert!(matches!(view, Signal::Known(NodesView::QuietThroughout(_))));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_does_not_list_every_executor_proves_nothing_and_asks_nobody() {
    let autoscaling = |cluster: &mut Cluster| {
        cluster.executors.clear();
        cluster.num_workers = None;
        cluster.autoscales = true;
    };
    type Change = fn(&mut Cluster);
    let changes: [(Change, &str); 2] = [
        (autoscaling, "no executors and no number"),
        (|cluster| cluster.num_workers = Some(3), "2 of 3 executors"),
    ];
    for (change, part) in changes {
        let scene = scene(Estate::at_rest(), change);
        assert_unknown(&scene.all().await, part);
        assert!(scene.transport.sent().is_empty());
    }
    let mut estate = Estate::at_rest();
    estate.tags.truncate(1);
    let single_node = scene(estate, |cluster| {
        cluster.executors.clear();
        cluster.num_workers = Some(0);
    });
    assert!(quiet_since(&single_node.all().await).is_some());
}

#[tokio::test(start_paused = true)]
async fn what_the_record_or_the_policy_leaves_out_is_told_without_a_request() {
    let unnamed = scene(Estate::at_rest(), |cluster| cluster.driver = None);
    assert_unknown(&unnamed.driver().await, "does not name the machine");
    let young = scene(Estate::at_rest(), |cluster| {
        cluster.last_restarted_time = Some(NOW.minus(minutes(4)));
    });
    assert_unknown(&young.driver().await, "started too recently");
    let mut off = scene(Estate::at_rest(), |_| {});
    off.gatherer.monitor = None;
    assert_unknown(&off.driver().await, "switched off");
    for scene in [unnamed, young, off] {
        assert!(scene.transport.sent().is_empty());
    }
}
