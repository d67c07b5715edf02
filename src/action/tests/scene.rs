//! One workspace with one cluster, as a value that answers every request.
//!
//! Written for the properties of the second look: the values are few, and a
//! request that nobody arranged fails the test.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::cluster::ClusterId;
use crate::decision::Evidence;
use crate::decision::tests::world::{NOW, hours, minutes};
use crate::timestamp::Timestamp;

const ID: &str = "0915-021615-abcd1234";
const GROUP: &str =
    "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/databricks-rg";

/// The resource id of the workspace.
pub(super) const WORKSPACE: &str = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/\
    resourceGroups/rg-data/providers/Microsoft.Databricks/workspaces/dbw-prod";

/// The cluster's own record.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    pub(super) name: &'static str,
    pub(super) state: &'static str,
    pub(super) source: &'static str,
    pub(super) context: u64,
    pub(super) restarted: Timestamp,
    pub(super) last_activity: Option<Timestamp>,
    /// A tag's key; the empty one is not there.
    pub(super) tag: &'static str,
    /// Name of the driver's machine.
    pub(super) driver: &'static str,
}

/// What Spark on the driver shows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SparkScene {
    pub(super) started: Timestamp,
    /// Status of its only job.
    pub(super) job: &'static str,
    pub(super) job_end: Timestamp,
    pub(super) stage_is_active: bool,
    pub(super) sql_runs: bool,
    pub(super) command_runs: bool,
    pub(super) stream: Stream,
    /// Whether a thread of a live stream is there.
    pub(super) stream_lives: bool,
}

/// What the address of the streaming page answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    /// The redirect that comes until the first query.
    Never,
    /// The same redirect, and an environment in which the page is switched off.
    Off,
    NoneActive,
    Active,
    /// A page that is none of Spark's.
    Login,
}

/// Everything that can be asked about the cluster.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scene {
    pub(super) now: Timestamp,
    pub(super) record: Record,
    pub(super) record_status: u16,
    pub(super) active_run: bool,
    pub(super) runs_status: u16,
    /// A run that is listed as completed and says that it runs.
    pub(super) two_minds: bool,
    pub(super) run_end: Option<Timestamp>,
    pub(super) pinned: bool,
    pub(super) pins_status: u16,
    pub(super) spark: Option<SparkScene>,
    /// How long the driver takes for each answer.
    pub(super) driver_takes: Duration,
    /// Percent of every machine; no metrics at all without it.
    pub(super) cpu: Option<f64>,
}

impl Scene {
    /// Idle for two days by both witnesses.
    pub(super) fn at_rest() -> Self {
        let started = NOW.minus(hours(48));
        Self {
            now: NOW,
            record: Record {
                name: "team-x",
                state: "RUNNING",
                source: "UI",
                context: 3_007_070_280_200_869_203,
                restarted: started,
                last_activity: None,
                tag: "",
                driver: "driver",
            },
            record_status: 200,
            active_run: false,
            runs_status: 200,
            two_minds: false,
            run_end: None,
            pinned: false,
            pins_status: 200,
            spark: Some(SparkScene {
                started,
                job: "SUCCEEDED",
                job_end: started.plus(hours(1)),
                stage_is_active: false,
                sql_runs: false,
                command_runs: false,
                stream: Stream::NoneActive,
                stream_lives: false,
            }),
            driver_takes: Duration::ZERO,
            cpu: Some(2.0),
        }
    }

    pub(super) fn id() -> ClusterId {
        ClusterId::new(ID)
    }

    /// Changes what Spark shows, if it answers.
    pub(super) fn spark(&mut self, change: impl FnOnce(&mut SparkScene)) {
        if let Some(spark) = &mut self.spark {
            change(spark);
        }
    }

    /// Sets the machines' load, if they are measured.
    pub(super) fn load(&mut self, percent: f64) {
        if let Some(cpu) = &mut self.cpu {
            *cpu = percent;
        }
    }

    /// By whom it is idle, if nothing else keeps it.
    pub(super) fn evidence(&self) -> Evidence {
        let spark = self.spark.as_ref();
        let by_spark = spark.is_some_and(|spark| match spark.stream {
            Stream::Never | Stream::NoneActive => true,
            Stream::Off | Stream::Active | Stream::Login => false,
        });
        match (by_spark, self.cpu.is_some()) {
            (true, true) => Evidence::Both,
            (true, false) => Evidence::SparkAlone,
            (false, _) => Evidence::NodesAlone,
        }
    }

    /// Status and JSON for a request.
    pub(super) fn answer(&self, path: &str, query: &str) -> (u16, Value) {
        if let Some((_, path)) = path.split_once("/40001/") {
            return self.spark_answer(path);
        }
        match path {
            "/api/2.1/clusters/get" => (self.record_status, self.record_answer()),
            "/api/2.1/clusters/list" if query.contains("is_pinned") => {
                let pinned = self.pinned.then(|| json!({"cluster_id": ID}));
                let pinned = Vec::from_iter(pinned);
                (self.pins_status, json!({"clusters": pinned}))
            }
            "/api/2.1/clusters/delete" | "/api/2.1/clusters/events" => (200, json!({})),
            "/api/2.1/clusters/list-node-types" => {
                let size =
                    json!({"node_type_id": "Standard_D4s_v5", "num_cores": 4, "num_gpus": 0});
                (200, json!({"node_types": [size]}))
            }
            "/api/2.2/jobs/runs/list" => (self.runs_status, self.runs_answer(query)),
            WORKSPACE => {
                let properties = json!({"managedResourceGroupId": GROUP});
                (200, json!({"properties": properties}))
            }
            _ if path.ends_with("/providers/Microsoft.Insights/metrics") => self.metrics(query),
            _ if path.ends_with("/providers/Microsoft.Compute/virtualMachines") => {
                let machine = |name: &str| json!({"name": name, "tags": {"ClusterId": ID}});
                let machines = [self.record.driver, "executor"].map(machine);
                (200, json!({"value": machines}))
            }
            other => panic!("nobody arranged {other}?{query}"),
        }
    }

    fn record_answer(&self) -> Value {
        if self.record_status == 400 {
            let message = format!("Cluster {ID} does not exist");
            return json!({"error_code": "INVALID_PARAMETER_VALUE", "message": message});
        }
        let record = &self.record;
        let tags = match record.tag {
            "" => json!({}),
            key => json!({key: ""}),
        };
        let started = record.restarted.as_millis();
        let machine = |name: &str| json!({"instance_id": name, "start_timestamp": started});
        json!({
            "cluster_id": ID,
            "cluster_name": record.name,
            "state": record.state,
            "cluster_source": record.source,
            "spark_context_id": record.context,
            "spark_version": "15.4.x-scala2.12",
            "node_type_id": "Standard_D4s_v5",
            "num_workers": 1,
            "driver": machine(record.driver),
            "executors": [machine("executor")],
            "custom_tags": tags,
            "last_restarted_time": started,
            "last_activity_time": record.last_activity.map(Timestamp::as_millis),
        })
    }

    fn runs_answer(&self, query: &str) -> Value {
        let run = |state: &str, end: Option<Timestamp>| {
            let end = end.map(Timestamp::as_millis);
            let task = json!({"existing_cluster_id": ID, "end_time": end});
            json!({"run_id": 7, "status": {"state": state}, "end_time": end, "tasks": [task]})
        };
        let mut runs = Vec::new();
        if query.contains("active_only") {
            runs.extend(self.active_run.then(|| run("QUEUED", None)));
        } else {
            runs.extend(self.run_end.map(|end| run("TERMINATED", Some(end))));
            let long_ago = NOW.minus(hours(40));
            runs.extend(self.two_minds.then(|| run("RUNNING", Some(long_ago))));
        }
        json!({"runs": runs})
    }

    fn spark_answer(&self, path: &str) -> (u16, Value) {
        let Some(spark) = &self.spark else {
            return (403, json!({}));
        };
        let started = spark_time(spark.started);
        let item = match path.rsplit('/').next().unwrap_or_default() {
            "applications" => {
                let attempt = json!({"startTime": started, "completed": false});
                Some(json!({"id": "app-1", "attempts": [attempt]}))
            }
            "jobs" => {
                let end = (spark.job != "RUNNING").then(|| spark_time(spark.job_end));
                Some(
                    json!({"jobId": 0, "status": spark.job, "submissionTime": started,
                    "completionTime": end}),
                )
            }
            "stages" => {
                let stage = json!({"stageId": 3, "status": "ACTIVE"});
                spark.stage_is_active.then_some(stage)
            }
            "sql" => {
                let row = json!({"id": 0, "status": "RUNNING", "submissionTime": started,
                    "duration": 5});
                spark.sql_runs.then_some(row)
            }
            "environment" => {
                let shown = (spark.stream != Stream::Off).to_string();
                let setting = json!(["spark.sql.streaming.ui.enabled", shown]);
                return (200, json!({"sparkProperties": [setting]}));
            }
            "threads" => {
                let frame = if spark.command_runs {
                    "com.databricks.backend.daemon.driver.PythonDriverLocal.execute(X.scala:1)"
                } else {
                    "java.lang.Object.wait(Native Method)"
                };
                let trace = json!({"elems": [frame]});
                let name = if spark.stream_lives {
                    "stream execution thread for rates"
                } else {
                    "Thread-9"
                };
                Some(json!({"threadName": name, "stackTrace": trace}))
            }
            other => panic!("nobody arranged {other} of Spark"),
        };
        (200, Value::Array(Vec::from_iter(item)))
    }

    /// Metrics over the window that the question names, the same throughout.
    fn metrics(&self, query: &str) -> (u16, Value) {
        let Some(cpu) = self.cpu else {
            return (403, json!({"code": "AuthorizationFailed"}));
        };
        let value = |key: &str| {
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            let found = pairs.find(|(name, _)| name == key);
            found.map_or_else(String::new, |(_, value)| value.into_owned())
        };
        let (timespan, interval) = (value("timespan"), value("interval"));
        let mut bounds = timespan.split('/').filter_map(Timestamp::parse_rfc3339);
        let (Some(mut at), Some(to)) = (bounds.next(), bounds.next()) else {
            panic!("nobody arranged the timespan {timespan}");
        };
        let step = minutes(if interval == "PT1M" { 1 } else { 5 });
        let mut times = Vec::new();
        while at < to {
            times.push(at.to_string());
            at = at.plus(step);
        }
        let metric = |name: &str, unit: &str, key: &str, value: f64| {
            let points = times.iter();
            let points = points.map(|at| json!({"timeStamp": at, key: value}));
            let series = json!({"data": Vec::from_iter(points)});
            json!({"name": {"value": name}, "unit": unit, "errorCode": "Success",
                "timeseries": [series]})
        };
        let metrics = [
            metric("Percentage CPU", "Percent", "average", cpu),
            metric("Network In Total", "Bytes", "total", 1e4),
            metric("Network Out Total", "Bytes", "total", 1e4),
        ];
        let namespace = "Microsoft.Compute/virtualMachines";
        let answer = json!({"interval": interval, "namespace": namespace, "value": metrics});
        (200, answer)
    }
}

fn spark_time(at: Timestamp) -> String {
    at.to_string().replace('Z', ".000GMT")
}

/// Scenes that are idle by at least one witness, for half a day and an hour at least.
pub(super) fn idle() -> impl Strategy<Value = Scene> {
    let witnesses = prop_oneof![
        3 => Just(Evidence::Both),
        1 => Just(Evidence::SparkAlone),
        1 => Just(Evidence::NodesAlone),
    ];
    let ages = prop::collection::vec(13 * 60..72 * 60_u64, 4);
    let shapes = (witnesses, ages, any::<[bool; 3]>());
    shapes.prop_map(|(witnesses, ages, [run, stamp, never])| {
        let ago = |sign: usize| NOW.minus(minutes(ages[sign]));
        let mut scene = Scene::at_rest();
        scene.record.restarted = ago(0);
        scene.run_end = run.then(|| ago(1));
        scene.record.last_activity = stamp.then(|| ago(2));
        scene.spark(|spark| {
            spark.started = ago(0);
            spark.job_end = ago(0).max(ago(3));
            spark.stream = if never {
                Stream::Never
            } else {
                Stream::NoneActive
            };
        });
        match witnesses {
            Evidence::Both => {}
            Evidence::SparkAlone => scene.cpu = None,
            Evidence::NodesAlone if never => scene.spark = None,
            Evidence::NodesAlone => scene.spark(|spark| spark.stream = Stream::Login),
        }
        scene
    })
}
