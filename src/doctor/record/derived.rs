//! What is reckoned from answers for a record: counts, ages and numbers of a runtime.
//!
//! Values come in, the types of `record` come out, which can hold no text. Pure.

use serde_json::Value;

use super::{LastActivity, Machines, Metrics, Runtime};
use crate::timestamp::Timestamp;
use crate::witness::nodes::VmMetrics;

/// What the metrics of one machine tell of their delay.
pub(super) fn metrics(answer: Value, now: Timestamp) -> Option<Metrics> {
    let metrics: VmMetrics = serde_json::from_value(answer).ok()?;
    let series = metrics.value.iter().flat_map(|metric| &metric.timeseries);
    let points: Vec<_> = series.flat_map(|series| &series.data).collect();
    let measured = points.iter().filter(|point| point.average.is_some());
    let newest = measured.clone().filter_map(|point| point.time_stamp).max();
    Some(Metrics {
        points: points.len(),
        points_without_value: points.len() - measured.count(),
        newest_age_s: newest.map(|newest| seconds_between(newest, now)),
    })
}

fn seconds_between(earlier: Timestamp, later: Timestamp) -> i64 {
    later.as_millis().saturating_sub(earlier.as_millis()) / 1000
}

/// `last_activity_time` against now and the restart.
pub(super) fn last_activity(cluster: &Value, now: Timestamp) -> Option<LastActivity> {
    let instant = |member: &str| cluster[member].as_i64().filter(|millis| *millis > 0);
    let activity = Timestamp::from_millis(instant("last_activity_time")?);
    let restarted = instant("last_restarted_time").map(Timestamp::from_millis);
    Some(LastActivity {
        age_s: seconds_between(activity, now),
        after_restart_s: restarted.map(|restarted| seconds_between(restarted, activity)),
    })
}

/// The numbers of a runtime's name; none of a name of another form.
pub(super) fn runtime(version: Option<&str>) -> Option<Runtime> {
    let version = version?;
    let mut numbers = version.split(['.', '-']).map(str::parse::<u8>);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
        return None;
    };
    Some(Runtime {
        major,
        minor,
        is_ml: version.contains("-ml-"),
        is_gpu: version.contains("-gpu"),
    })
}

/// How the machines of a cluster's record are found among Azure's.
pub(super) fn compared(cluster: &Value, vms: &[Value]) -> Machines {
    let driver = std::iter::once(&cluster["driver"]);
    let executors = cluster["executors"].as_array().into_iter().flatten();
    let recorded: Vec<String> = driver
        .chain(executors)
        .filter_map(|machine| Some(machine["instance_id"].as_str()?.to_ascii_lowercase()))
        .collect();
    let name = |vm: &Value| vm["name"].as_str().unwrap_or_default().to_ascii_lowercase();
    let vm_id = |vm: &Value| {
        let id = vm["properties"]["vmId"].as_str().unwrap_or_default();
        id.replace('-', "").to_ascii_lowercase()
    };
    let is_tagged = |vm: &&Value| {
        let tag = vm["tags"]["ClusterId"].as_str();
        tag.is_some() && tag == cluster["cluster_id"].as_str()
    };
    let is_recorded = |vm: &&Value| recorded.contains(&name(vm));
    Machines {
        recorded: recorded.len(),
        by_name: vms.iter().filter(is_recorded).count(),
        by_vm_id: vms
            .iter()
            .filter(|vm| recorded.contains(&vm_id(vm)))
            .count(),
        tagged: vms.iter().filter(is_recorded).filter(is_tagged).count(),
        unrecorded: vms
            .iter()
            .filter(is_tagged)
            .filter(|vm| !is_recorded(vm))
            .count(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn machines_are_compared_by_name_id_and_tag() {
        let cluster = json!({
            "cluster_id": "c",
            "driver": {"instance_id": "AA"},
            "executors": [{"instance_id": "bb"}, {"instance_id": "cc"}, {}],
        });
        let vm = |name: &str, id: &str, tag: &str| json!({"name": name, "properties": {"vmId": id}, "tags": {"ClusterId": tag}});
        let vms = [
            vm("aa", "1-1", "c"),
            vm("BB", "2-2", "d"),
            vm("x", "c-c", "c"),
        ];
        let expected = Machines {
            recorded: 3,
            by_name: 2,
            by_vm_id: 1,
            tagged: 1,
            unrecorded: 1,
        };
        assert_eq!(compared(&cluster, &vms), expected);
    }

    #[test]
    fn a_runtime_is_two_numbers_and_two_flags() {
        let of = |version: &str| {
            runtime(Some(version)).map(|one| (one.major, one.minor, one.is_ml, one.is_gpu))
        };
        assert_eq!(of("15.4.x-scala2.12"), Some((15, 4, false, false)));
        assert_eq!(of("14.3.x-gpu-ml-scala2.12"), Some((14, 3, true, true)));
        assert_eq!(of("custom:planted"), None);
        assert_eq!(of("auto:prev-major"), None);
    }

    #[test]
    fn an_activity_before_the_restart_shows_as_such() {
        let cluster = json!({"last_activity_time": 1_000_000, "last_restarted_time": 1_018_000});
        let expected = LastActivity {
            age_s: 60,
            after_restart_s: Some(-18),
        };
        let now = Timestamp::from_millis(1_060_000);
        assert_eq!(last_activity(&cluster, now), Some(expected));
        assert_eq!(last_activity(&json!({"last_activity_time": 0}), now), None);
    }
}
