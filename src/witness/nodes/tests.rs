//! Each sentence of the design's paragraph on nodes as a test, and properties of the judge.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const VCPUS: f64 = 4.0;
/// Percent of 4 vCPUs: 0.08 cores.
const REST: f64 = 2.0;
/// Percent of 4 vCPUs: one core.
const WORK: f64 = 25.0;

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

/// 2026-11-22 12:00 UTC plus minutes.
fn at(minute: i64) -> Timestamp {
    Timestamp::from_millis(1_795_348_800_000 + minute * 60_000)
}

/// One hour of minutes, 12:00 to 13:00, asked at 13:05.
fn hour() -> Window {
    Window {
        asked_at: at(65),
        from: at(0),
        to: at(60),
        interval: Interval::Minute,
    }
}

/// Ten hours of five minutes, 12:00 to 22:00, asked at 22:05.
fn ten_hours() -> Window {
    Window {
        asked_at: at(605),
        from: at(0),
        to: at(600),
        interval: Interval::FiveMinutes,
    }
}

/// The values of one machine by point: CPU percent and bytes each way, where measured.
#[derive(Debug, Clone)]
struct Machine {
    window: Window,
    cpu: Vec<Option<f64>>,
    network: Vec<Option<f64>>,
}

impl Machine {
    fn at_rest(window: Window) -> Self {
        let step = window.interval.length().as_millis();
        let length = window.to.since(window.from).as_millis();
        let points = usize::try_from(length / step).unwrap();
        Self {
            window,
            cpu: vec![Some(REST); points],
            network: vec![Some(1_000_000.0); points],
        }
    }

    fn cpu(mut self, points: std::ops::Range<usize>, percent: Option<f64>) -> Self {
        self.cpu[points].fill(percent);
        self
    }

    fn network(mut self, points: std::ops::Range<usize>, bytes: Option<f64>) -> Self {
        self.network[points].fill(bytes);
        self
    }

    fn answer(&self) -> Value {
        let step = i64::try_from(self.window.interval.length().as_millis()).unwrap();
        let series = |name: &str, unit: &str, key: &str, values: &[Option<f64>]| {
            let data: Vec<Value> = (0..)
                .zip(values)
                .map(|(n, value)| {
                    let at = self.window.from.as_millis() + n * step;
                    let stamp = Timestamp::from_millis(at).to_string();
                    match value {
                        Some(value) => json!({"timeStamp": stamp, key: value}),
                        None => json!({"timeStamp": stamp}),
                    }
                })
                .collect();
            json!({"name": {"value": name, "localizedValue": name}, "unit": unit,
                "errorCode": "Success", "timeseries": [{"metadatavalues": [], "data": data}]})
        };
        json!({"cost": 179, "interval": self.window.interval.as_str(),
            "namespace": "Microsoft.Compute/virtualMachines", "resourceregion": "westeurope",
            "value": [series("Percentage CPU", "Percent", "average", &self.cpu),
                series("Network In Total", "Bytes", "total", &self.network),
                series("Network Out Total", "Bytes", "total", &self.network)]})
    }

    fn judged(&self) -> Signal<NodesView> {
        judge_answer(self.answer(), &self.window)
    }
}

fn judge_answer(answer: Value, window: &Window) -> Signal<NodesView> {
    let metrics = serde_json::from_value(answer).map_err(|why| Why::new(why.to_string()));
    say(&metrics, Some(VCPUS), window)
}

fn say(metrics: &Result<VmMetrics, Why>, vcpus: Option<f64>, window: &Window) -> Signal<NodesView> {
    let verdict = judge(metrics, vcpus, window);
    assert!(verdict.view.known().is_some() || verdict.loads.is_empty());
    verdict.view
}

/// Quiet since a minute; since minute 0, where the windows start, throughout.
fn quiet(minute: i64) -> Signal<NodesView> {
    let view = if minute == 0 {
        NodesView::QuietThroughout
    } else {
        NodesView::QuietSince
    };
    Signal::Known(view(at(minute)))
}

fn is_busy(signal: &Signal<NodesView>) -> bool {
    matches!(signal, Signal::Known(NodesView::Busy { .. }))
}

#[track_caller]
fn assert_unknown(signal: &Signal<NodesView>, part: &str) {
    match signal.why() {
        Some(why) => assert!(why.0.contains(part), "{why}"),
        None => panic!("{signal:?} is not unknown"),
    }
}

#[test]
fn looks_back_ten_minutes_more_than_the_longest_wait() {
    let table = [
        (minutes(120), 0, minutes(130)),
        (minutes(120), 60, minutes(130)),
        (minutes(120), 105, minutes(130)),
        (minutes(120), 120, minutes(145)),
        (minutes(720), 4320, minutes(4345)),
        (minutes(120), u64::MAX, Duration::MAX),
    ];
    for (threshold, autotermination, expected) in table {
        assert_eq!(lookback(threshold, autotermination), expected);
    }
}

#[test]
fn a_window_starts_on_a_bucket_and_ends_five_minutes_ago() {
    let start = at(-10_000);
    let window = Window::new(at(607), at(607), minutes(360), start).unwrap();
    assert_eq!((window.from, window.to), (at(250), at(602)));
    assert_eq!(window.interval, Interval::Minute);
    let now = at(607).plus(Duration::from_secs(31));
    let window = Window::new(now, now, minutes(361), start).unwrap();
    assert_eq!((window.from, window.to), (at(250), at(600)));
    assert_eq!(window.interval, Interval::FiveMinutes);
    assert_eq!(window.asked_at, now);
}

#[test]
fn a_window_is_clipped_at_the_start_of_the_machine() {
    let window = Window::new(at(607), at(607), minutes(130), at(561)).unwrap();
    assert_eq!((window.from, window.to), (at(565), at(602)));
    for start in [601, 607, 700] {
        let why = Window::new(at(607), at(607), minutes(130), at(start)).unwrap_err();
        assert_eq!(why.0, "started too recently for metrics");
    }
}

#[test]
fn the_second_look_keeps_the_start_of_the_window() {
    let first = Window::new(at(607), at(607), minutes(130), at(0)).unwrap();
    let second = Window::new(at(619), at(607), minutes(130), at(0)).unwrap();
    assert_eq!(second.from, first.from);
    assert_eq!(second.to, at(614));
}

#[test]
fn a_machine_at_rest_is_quiet_since_the_start_of_the_window() {
    assert_eq!(Machine::at_rest(hour()).judged(), quiet(0));
    assert_eq!(Machine::at_rest(ten_hours()).judged(), quiet(0));
}

#[test]
fn busy_is_judged_by_cores_and_not_by_percent() {
    let machine = Machine::at_rest(hour()).cpu(55..60, Some(5.0));
    let metrics: Result<VmMetrics, Why> = Ok(serde_json::from_value(machine.answer()).unwrap());
    let window = hour();
    assert_eq!(say(&metrics, Some(9.9), &window), quiet(0));
    let view = say(&metrics, Some(10.0), &window);
    let expected = NodesView::Busy {
        cores: 0.5,
        network_bytes_per_minute: 2_000_000.0,
    };
    assert_eq!(view, Signal::Known(expected));
}

#[test]
fn busy_is_judged_by_network_in_and_out_together() {
    let machine = |each_way| Machine::at_rest(hour()).network(55..60, Some(each_way));
    assert_eq!(machine(14_999_999.0).judged(), quiet(0));
    assert!(is_busy(&machine(15_000_000.0).judged()));
    // A point of five minutes carries the bytes of five minutes.
    let machine = |each_way| Machine::at_rest(ten_hours()).network(119..120, Some(each_way));
    assert_eq!(machine(74_999_999.0).judged(), quiet(0));
    assert!(is_busy(&machine(75_000_000.0).judged()));
}

#[test]
fn a_bucket_is_judged_by_its_mean() {
    // 0.5 cores of 4 are 12.5 percent.
    let short = Machine::at_rest(hour()).cpu(55..57, Some(28.0));
    assert_eq!(short.judged(), quiet(0), "mean 12.4");
    let long = Machine::at_rest(hour()).cpu(55..57, Some(29.0));
    assert!(is_busy(&long.judged()), "mean 12.8");
}

#[test]
fn quiet_begins_at_the_end_of_the_last_busy_bucket() {
    let machine = Machine::at_rest(hour())
        .cpu(10..15, Some(WORK))
        .cpu(30..35, Some(WORK));
    assert_eq!(machine.judged(), quiet(35));
    let machine = Machine::at_rest(ten_hours()).cpu(60..61, Some(WORK));
    assert_eq!(machine.judged(), quiet(305));
}

#[test]
fn quiet_begins_at_the_end_of_the_last_invalid_bucket() {
    let busy_before = Machine::at_rest(hour()).cpu(10..15, Some(WORK));
    assert_eq!(busy_before.clone().cpu(40..42, None).judged(), quiet(15));
    assert_eq!(busy_before.clone().cpu(40..43, None).judged(), quiet(45));
    // Unknown network is no quiet network.
    assert_eq!(
        busy_before.clone().network(40..43, None).judged(),
        quiet(45)
    );
    let machine = Machine::at_rest(ten_hours()).cpu(60..61, None);
    assert_eq!(machine.judged(), quiet(305));
}

#[test]
fn a_minute_counts_as_network_only_with_both_ways() {
    let mut answer = Machine::at_rest(hour()).answer();
    let sent = answer["value"][2]["timeseries"][0]["data"]
        .as_array_mut()
        .unwrap();
    sent.drain(40..43);
    assert_eq!(judge_answer(answer, &hour()), quiet(45));
}

#[test]
fn a_bucket_that_is_busy_by_cpu_needs_no_network() {
    let machine = Machine::at_rest(hour())
        .cpu(55..60, Some(WORK))
        .network(55..60, None);
    assert!(is_busy(&machine.judged()));
}

#[test]
fn a_busy_bucket_counts_however_many_others_are_missing() {
    let machine = Machine::at_rest(hour())
        .cpu(0..55, None)
        .cpu(55..60, Some(WORK));
    assert!(is_busy(&machine.judged()));
    let machine = Machine::at_rest(hour())
        .cpu(0..60, None)
        .cpu(50..55, Some(WORK));
    assert!(is_busy(&machine.judged()));
}

#[test]
fn the_newest_valid_bucket_decides_between_busy_and_quiet() {
    let machine = Machine::at_rest(hour())
        .cpu(50..55, Some(WORK))
        .cpu(56..59, None);
    assert!(is_busy(&machine.judged()), "the last one is invalid");
    let machine = Machine::at_rest(hour()).cpu(50..55, Some(WORK));
    assert_eq!(machine.judged(), quiet(55));
}

#[test]
fn a_last_bucket_that_the_window_cuts_counts_with_enough_points() {
    let cut = |minutes| {
        let to = at(60 + minutes);
        Window {
            asked_at: to.plus(SETTLING),
            to,
            ..hour()
        }
    };
    let busy_end = |minutes: i64| {
        let points = usize::try_from(60 + minutes).unwrap();
        Machine::at_rest(cut(minutes)).cpu(60..points, Some(WORK))
    };
    assert_eq!(busy_end(2).judged(), quiet(0), "too few are ignored");
    assert!(is_busy(&busy_end(3).judged()));
    let silent_end = Machine::at_rest(cut(2)).cpu(60..62, None);
    assert_eq!(silent_end.judged(), quiet(0), "and are not invalid");
    let no_network = Machine::at_rest(cut(4)).network(60..64, None);
    assert_eq!(no_network.judged(), quiet(65));
}

#[test]
fn a_point_at_the_end_of_the_timespan_is_no_part_of_the_window() {
    let longer = Window {
        to: at(61),
        ..hour()
    };
    let answer = Machine::at_rest(longer).cpu(60..61, Some(WORK)).answer();
    assert_eq!(judge_answer(answer, &hour()), quiet(0));
    let stale = Machine::at_rest(longer).cpu(50..60, None).answer();
    let signal = judge_answer(stale, &hour());
    assert_unknown(&signal, "the newest metric ended at");
}

#[test]
fn no_valid_bucket_is_unknown() {
    let every_other = (0..60).step_by(2);
    let mut machine = Machine::at_rest(hour());
    for point in every_other.chain((1..60).step_by(4)) {
        machine.cpu[point] = None;
    }
    assert_unknown(&machine.judged(), "no five minutes");
    let nothing = Machine::at_rest(hour()).cpu(0..60, None);
    assert_unknown(&nothing.judged(), "no metrics");
    let mut answer = Machine::at_rest(hour()).answer();
    answer["value"][0]["timeseries"] = json!([]);
    assert_unknown(&judge_answer(answer, &hour()), "no metrics");
}

#[test]
fn a_newest_point_older_than_ten_minutes_is_unknown() {
    let machine = |missing: usize| Machine::at_rest(hour()).cpu(60 - missing..60, None);
    assert_eq!(machine(5).judged(), quiet(60), "ended 10 minutes ago");
    assert_unknown(&machine(6).judged(), "the newest metric ended at");
    let machine = Machine::at_rest(ten_hours()).cpu(119..120, None);
    assert_eq!(machine.judged(), quiet(600));
    let machine = Machine::at_rest(ten_hours()).cpu(118..120, None);
    assert_unknown(&machine.judged(), "the newest metric ended at");
}

#[test]
fn cpu_that_is_exactly_zero_all_the_time_is_unknown() {
    let zeros = Machine::at_rest(hour()).cpu(0..60, Some(0.0));
    assert_unknown(&zeros.judged(), "exactly zero");
    let almost = zeros.cpu(30..31, Some(0.01));
    assert_eq!(almost.judged(), quiet(60), "one value is no hour of them");
    let mixed = Machine::at_rest(hour())
        .cpu(0..60, Some(0.0))
        .cpu(20..40, None);
    assert_unknown(&mixed.judged(), "exactly zero");
}

#[test]
fn zeros_after_values_are_minutes_that_were_not_measured() {
    let stopped = Machine::at_rest(hour()).cpu(20..60, Some(0.0));
    assert_eq!(stopped.judged(), quiet(60), "nobody saw what came later");
    let paused = Machine::at_rest(hour()).cpu(20..40, Some(0.0));
    assert_eq!(paused.judged(), quiet(40));
    let coarse = Machine::at_rest(ten_hours()).cpu(60..119, Some(0.0));
    assert_eq!(coarse.judged(), quiet(595));
    let single = Machine::at_rest(hour()).cpu(21..22, Some(0.0));
    assert_eq!(
        single.judged(),
        quiet(0),
        "the others of its bucket are enough"
    );
}

#[test]
fn metrics_that_end_in_work_are_busy_however_late_they_are() {
    for missing in [6, 20, 50] {
        let working = Machine::at_rest(hour())
            .cpu(0..60, Some(WORK))
            .cpu(60 - missing..60, None);
        let view = working.judged();
        assert!(
            matches!(view, Signal::Known(NodesView::Busy { .. })),
            "{view:?}"
        );
    }
}

#[test]
fn vcpus_that_are_unknown_make_the_machine_unknown() {
    let metrics = Ok(serde_json::from_value(Machine::at_rest(hour()).answer()).unwrap());
    for vcpus in [
        None,
        Some(0.0),
        Some(-4.0),
        Some(f64::NAN),
        Some(f64::INFINITY),
    ] {
        assert_unknown(&say(&metrics, vcpus, &hour()), "vCPUs");
    }
}

#[test]
fn values_that_cannot_be_are_unknown() {
    let values = [-0.1, 100.1, f64::MAX];
    for value in values {
        let machine = Machine::at_rest(hour()).cpu(7..8, Some(value));
        assert_unknown(&machine.judged(), "outside 0 to 100");
    }
    let machine = Machine::at_rest(hour()).network(7..8, Some(-1.0));
    assert_unknown(&machine.judged(), "no number of bytes");
    // JSON has no such numbers, but a reader of it could.
    for value in [f64::NAN, f64::INFINITY] {
        for metric in 0..3 {
            let answer = Machine::at_rest(hour()).answer();
            let mut metrics: VmMetrics = serde_json::from_value(answer).unwrap();
            let point = &mut metrics.value[metric].timeseries[0].data[7];
            (point.average, point.total) = (Some(value), Some(value));
            let signal = say(&Ok(metrics), Some(VCPUS), &hour());
            assert_unknown(&signal, "value");
        }
    }
}

#[test]
fn an_answer_that_is_not_as_it_was_asked_for_is_unknown() {
    type Spoil = fn(&mut Value);
    let cases: [(&str, Spoil); 15] = [
        ("another interval", |a| a["interval"] = json!("PT5M")),
        ("no machine", |a| {
            a["namespace"] = json!("Microsoft.Sql/servers")
        }),
        ("another metric", |a| {
            a["value"][0]["name"]["value"] = json!("Percentage  CPU");
        }),
        ("another metric", |a| {
            let extra = json!({"name": {"value": "Disk Read Bytes"}, "unit": "Bytes"});
            a["value"].as_array_mut().unwrap().push(extra);
        }),
        ("Network Out Total once", |a| {
            a["value"].as_array_mut().unwrap().pop();
        }),
        ("Percentage CPU once", |a| a["value"] = json!([])),
        ("Percentage CPU once", |a| {
            let twice = a["value"][0].clone();
            a["value"].as_array_mut().unwrap().push(twice);
        }),
        ("another unit: Count", |a| {
            a["value"][0]["unit"] = json!("Count")
        }),
        ("another unit", |a| {
            a["value"][1]["unit"] = json!("BytesPerSecond")
        }),
        ("Throttled", |a| {
            a["value"][2]["errorCode"] = json!("Throttled")
        }),
        ("several series", |a| {
            let twice = a["value"][0]["timeseries"][0].clone();
            a["value"][0]["timeseries"]
                .as_array_mut()
                .unwrap()
                .push(twice);
        }),
        ("without a readable time", |a| {
            a["value"][0]["timeseries"][0]["data"][3]["timeStamp"] = json!("12:03");
        }),
        ("not asked for", |a| {
            a["value"][0]["timeseries"][0]["data"][3]["timeStamp"] = json!("2026-11-22T13:01:00Z");
        }),
        ("not asked for", |a| {
            a["value"][1]["timeseries"][0]["data"][0]["timeStamp"] = json!("2026-11-22T11:59:00Z");
        }),
        ("two points for one time", |a| {
            a["value"][0]["timeseries"][0]["data"][3]["timeStamp"] = json!("2026-11-22T12:04:00Z");
        }),
    ];
    for (expected, spoil) in cases {
        let mut answer = Machine::at_rest(hour()).answer();
        assert_eq!(judge_answer(answer.clone(), &hour()), quiet(0));
        spoil(&mut answer);
        assert_unknown(&judge_answer(answer, &hour()), expected);
    }
}

#[test]
fn a_time_that_is_no_text_is_unknown_and_the_reason_says_what_it_should_be() {
    let mut answer = Machine::at_rest(hour()).answer();
    answer["value"][0]["timeseries"][0]["data"][3]["timeStamp"] = json!(1_795_348_980);
    assert_unknown(&judge_answer(answer, &hour()), "a time as text");
}

#[test]
fn a_point_off_the_grain_is_unknown() {
    let mut answer = Machine::at_rest(ten_hours()).answer();
    answer["value"][0]["timeseries"][0]["data"][3]["timeStamp"] = json!("2026-11-22T12:16:00Z");
    assert_unknown(&judge_answer(answer, &ten_hours()), "not asked for");
}

#[test]
fn older_answers_without_error_code_and_namespace_are_read() {
    let mut answer = Machine::at_rest(hour()).answer();
    answer.as_object_mut().unwrap().remove("namespace");
    for metric in answer["value"].as_array_mut().unwrap() {
        metric.as_object_mut().unwrap().remove("errorCode");
    }
    assert_eq!(judge_answer(answer, &hour()), quiet(0));
}

#[test]
fn recorded_answers_are_read_and_refused_where_they_are_not_as_we_ask() {
    let text = include_str!("../../../tests/fixtures/azure_monitor/percentage_cpu_p1d.json");
    let metrics: VmMetrics = serde_json::from_str(text).unwrap();
    let point = &metrics.value[0].timeseries[0].data[0];
    assert_eq!(point.average, Some(3.170_473_061_760_840_8));
    assert_unknown(
        &say(&Ok(metrics), Some(VCPUS), &hour()),
        "another interval: P1D",
    );
    let text = include_str!("../../../tests/fixtures/azure_monitor/sparse_points.json");
    let series: Series = serde_json::from_str(text).unwrap();
    let values: Vec<_> = series.data.iter().map(|point| point.average).collect();
    assert_eq!(values, [None, Some(400.0), None]);
}

#[test]
fn a_call_that_failed_is_unknown_with_its_reason() {
    let failed = Err(Why::new("ARM answered 403"));
    assert_unknown(&say(&failed, Some(VCPUS), &hour()), "ARM answered 403");
}

#[test]
fn several_machines_are_busy_if_one_is_and_quiet_only_if_all_are() {
    let busy = |cores| {
        Signal::Known(NodesView::Busy {
            cores,
            network_bytes_per_minute: 0.0,
        })
    };
    let unknown = || Signal::unknown("no VM of that name");
    assert_eq!(
        combine(vec![unknown(), busy(0.7), quiet(9), busy(3.0)]),
        busy(3.0)
    );
    assert_eq!(
        combine(vec![busy(3.0), Signal::NotAsked, busy(0.7)]),
        busy(3.0)
    );
    assert_eq!(combine(vec![quiet(5), unknown(), quiet(9)]), unknown());
    assert_unknown(&combine(vec![quiet(5), Signal::NotAsked]), "not asked");
    assert_eq!(combine(vec![quiet(5), quiet(9), quiet(2)]), quiet(9));
    assert_eq!(combine(vec![quiet(5)]), quiet(5));
    assert_eq!(combine(vec![quiet(0), quiet(0)]), quiet(0));
    assert_eq!(combine(vec![quiet(0), quiet(5)]), quiet(5));
    assert_unknown(&combine(vec![]), "no machine");
}

#[test]
fn of_machines_that_work_alike_the_first_is_named() {
    let busy = |cores: f64, network_bytes_per_minute: f64| {
        Signal::Known(NodesView::Busy {
            cores,
            network_bytes_per_minute,
        })
    };
    let machines = vec![busy(1.0, 7.0), busy(2.0, 1.0), busy(2.0, 9.0)];
    assert_eq!(combine(machines), busy(2.0, 1.0));
}

#[test]
fn machine_without_any_traffic_is_quiet() {
    let silent = Machine::at_rest(hour()).network(0..60, Some(0.0));
    assert_eq!(silent.judged(), quiet(0));
}

#[test]
fn no_values_have_no_mean() {
    for needed in [0, 1, 3] {
        assert_eq!(mean(std::iter::empty(), needed), None);
    }
    assert_eq!(mean([2.0, 4.0].into_iter(), 2), Some(3.0));
    assert_eq!(mean([2.0, 4.0].into_iter(), 3), None);
}

#[test]
fn interval_is_spelled_as_azure_monitor_does() {
    assert_eq!(Interval::Minute.as_str(), "PT1M");
    assert_eq!(Interval::FiveMinutes.as_str(), "PT5M");
}

fn quiet_since(signal: &Signal<NodesView>) -> Option<Timestamp> {
    match signal {
        Signal::Known(NodesView::QuietSince(since) | NodesView::QuietThroughout(since)) => {
            Some(*since)
        }
        Signal::Known(NodesView::Busy { .. }) | Signal::Unknown(_) | Signal::NotAsked => None,
    }
}

/// When it is quiet since, with busy as "never".
fn rest(signal: &Signal<NodesView>) -> Option<Timestamp> {
    let never = || is_busy(signal).then(|| Timestamp::from_millis(i64::MAX));
    quiet_since(signal).or_else(never)
}

fn a_value() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        6 => (0.1..10.0_f64).prop_map(Some),
        2 => (10.0..=100.0_f64).prop_map(Some),
        2 => Just(None),
    ]
}

fn a_machine() -> impl Strategy<Value = Machine> {
    let bytes = prop_oneof![
        6 => (0.0..1e7_f64).prop_map(Some),
        1 => (1e7..1e8_f64).prop_map(Some),
        1 => Just(None),
    ];
    let cpu = prop::collection::vec(a_value(), 60);
    let network = prop::collection::vec(bytes, 60);
    (cpu, network).prop_map(|(cpu, network)| Machine {
        window: hour(),
        cpu,
        network,
    })
}

proptest! {
    #[test]
    fn a_busy_bucket_more_never_makes_a_machine_quieter(machine in a_machine(), bucket in 0_usize..12) {
        let points = bucket * 5..bucket * 5 + 5;
        let busier = machine.clone().cpu(points, Some(WORK));
        if let Some(before) = rest(&machine.judged()) {
            let after = rest(&busier.judged());
            prop_assert!(after >= Some(before), "{after:?} < {before:?}");
        }
    }

    #[test]
    fn a_missing_bucket_never_makes_a_quiet_machine_quiet_for_longer(
        machine in a_machine(),
        bucket in 0_usize..12,
    ) {
        let points = bucket * 5..bucket * 5 + 5;
        let sparser = machine.clone().cpu(points.clone(), None).network(points.clone(), None);
        if let Some(before) = quiet_since(&machine.judged())
            && let Some(after) = rest(&sparser.judged())
        {
            prop_assert!(after >= before, "{after:?} < {before:?}");
            prop_assert!(after >= at(i64::try_from(points.end).unwrap()));
        }
    }

    #[test]
    fn quiet_is_claimed_only_over_buckets_that_were_measured_and_at_rest(machine in a_machine()) {
        if let Some(since) = quiet_since(&machine.judged()) {
            let first = usize::try_from(since.since(at(0)).as_secs() / 60).unwrap();
            prop_assert!(first <= 60 && first % 5 == 0);
            for bucket in machine.cpu[first..].chunks(5) {
                let measured: Vec<f64> = bucket.iter().copied().flatten().collect();
                prop_assert!(measured.len() >= MIN_POINTS);
                let least = measured.iter().copied().fold(f64::INFINITY, f64::min);
                prop_assert!(least * VCPUS / 100.0 < BUSY_CORES);
            }
            for bucket in machine.network[first..].chunks(5) {
                prop_assert!(bucket.iter().flatten().count() >= MIN_POINTS);
            }
        }
    }

    #[test]
    fn one_impossible_value_makes_any_machine_unknown(machine in a_machine(), point in 0_usize..60) {
        let spoiled = machine.cpu(point..point + 1, Some(100.5));
        prop_assert!(spoiled.judged().why().is_some());
    }
}
