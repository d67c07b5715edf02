//! A machine's metrics, and the list of machines with their tags. Quiet needs
//! fresh points of all three metrics; a list of which something is missing is
//! none.
#![no_main]

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use terminate_clusters::azure_monitor::{AzureMonitor, ManagedResourceGroup, Throttles};
use terminate_clusters::identity::Audience;
use terminate_clusters::signals::{NodesView, Signal, Why};
use terminate_clusters::timestamp::Timestamp;
use terminate_clusters::witness::nodes::{Roster, TaggedMachine, VmMetrics, Window, judge};
use terminate_clusters_fuzz::{Answers, NOW, assert_is_shown_safely, items, json, run, service};

const GROUP: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/managed";

fuzz_target!(|data: &[u8]| {
    let answers = Answers::of(data);
    let monitor = monitor(&answers);
    let group = ManagedResourceGroup::parse(GROUP).expect("a group");
    let window = window(&answers);
    let metrics = run(monitor.vm_metrics(&group, "vm-1", &window));
    assert_is_judged_well(&metrics, &window);
    match run(monitor.machines(&group)) {
        Ok(roster) => assert_is_whole(&answers, &roster),
        Err(why) => assert_is_shown_safely(&why.to_string()),
    }
});

/// Answer 0 is of metrics, 1 and 2 are pages of machines.
fn monitor(answers: &Answers) -> AzureMonitor {
    let answers = answers.clone();
    let answer = move |request: &Request<Bytes>| {
        let uri = request.uri();
        let is_first = uri.query() == Some("api-version=2024-07-01");
        let number = match (uri.path().ends_with("/metrics"), is_first) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) => 2,
        };
        json(answers.body(number))
    };
    let base = "https://management.azure.com/";
    AzureMonitor::new(service(base, Audience::Arm, answer), Throttles::default())
}

/// A window that ends where the metrics end: the fuzzer will hardly find ours.
fn window(answers: &Answers) -> Window {
    let answer = answers.json(0).unwrap_or_default();
    let interval = answer.get("interval").and_then(Value::as_str);
    let series = items(&answer, "value")
        .iter()
        .flat_map(|metric| items(metric, "timeseries"));
    let times = series
        .flat_map(|series| items(series, "data"))
        .filter_map(|point| Timestamp::parse_rfc3339(point.get("timeStamp")?.as_str()?));
    let newest = times.max().unwrap_or(NOW);
    let lookback = if interval == Some("PT5M") { 12 } else { 3 };
    let lookback = Duration::from_secs(lookback * 3600);
    let now = newest.plus(Duration::from_secs(360));
    let start = Timestamp::from_millis(i64::MIN);
    Window::new(now, now, lookback, start)
        .or_else(|_| Window::new(NOW, NOW, lookback, start))
        .expect("a window")
}

fn assert_is_judged_well(metrics: &Result<VmMetrics, Why>, window: &Window) {
    let verdict = judge(metrics, Some(4.0), window);
    assert_eq!(judge(metrics, Some(4.0), window), verdict, "judged twice");
    let is_quiet = match &verdict.view {
        Signal::Known(NodesView::QuietSince(since)) => {
            assert!(window.from <= *since, "quiet since before the window");
            true
        }
        Signal::Known(NodesView::QuietThroughout(from)) => {
            assert_eq!(*from, window.from);
            true
        }
        Signal::Known(NodesView::Busy { .. }) => false,
        Signal::Unknown(why) => {
            assert_is_shown_safely(&why.to_string());
            assert!(verdict.loads.is_empty(), "loads of what is unknown");
            return;
        }
        Signal::NotAsked => panic!("judged as not asked"),
    };
    let Ok(metrics) = metrics else {
        panic!("judged without metrics")
    };
    assert_eq!(metrics.interval, window.interval.as_str());
    if is_quiet {
        assert_eq!(
            metrics.value.len(),
            3,
            "quiet by fewer metrics than were asked"
        );
        for metric in &metrics.value {
            assert!(metric.timeseries.len() <= 1);
        }
        // A larger machine is busier by the same percentage, and none is busy by less.
        let smaller = judge(&Ok(metrics.clone()), Some(1.0), window);
        let is_busy = matches!(smaller.view, Signal::Known(NodesView::Busy { .. }));
        assert!(!is_busy, "busier with fewer vCPUs");
        let unmeasured = metrics.clone();
        let unmeasured = without_points(unmeasured);
        let nothing = judge(&Ok(unmeasured), Some(4.0), window);
        assert!(
            matches!(nothing.view, Signal::Unknown(_)),
            "quiet without a point"
        );
        let unsized_machine = judge(&Ok(metrics.clone()), None, window);
        assert!(
            matches!(unsized_machine.view, Signal::Unknown(_)),
            "quiet without vCPUs"
        );
    }
}

fn without_points(mut metrics: VmMetrics) -> VmMetrics {
    for metric in &mut metrics.value {
        metric.timeseries.clear();
    }
    metrics
}

/// Every item of the first page is in the roster, or there is none.
fn assert_is_whole(answers: &Answers, roster: &Roster) {
    let Some(first) = answers.plain(1) else {
        return;
    };
    let value = first.get("value").and_then(Value::as_array);
    let value = value.expect("no list, and yet a list");
    let has_more = first
        .get("nextLink")
        .and_then(Value::as_str)
        .is_some_and(|link| !link.is_empty());
    let names = value
        .iter()
        .map(|item| item.get("name").and_then(Value::as_str));
    let names: Vec<&str> = names
        .map(|name| name.expect("a machine without a name"))
        .collect();
    if has_more {
        return;
    }
    let expected = names.iter().map(|name| name.to_ascii_lowercase());
    let expected: std::collections::BTreeSet<String> = expected.collect();
    // Two that differ in nothing but names are told apart by no other means here.
    let bare = Roster::new(expected.iter().map(|name| TaggedMachine {
        name: name.clone(),
        cluster: None,
        of_pool: false,
        is_leaving: false,
    }));
    if expected.is_empty() {
        assert_eq!(*roster, bare);
    } else {
        assert_ne!(*roster, Roster::default(), "machines are lost");
    }
}
