//! Whole visits of one workspace that answers from memory, in paused time: idle
//! clusters with Spark as the only witness, and a hook that changes any answer.

use std::collections::BTreeSet;
use std::sync::Mutex;

use bytes::Bytes;
use http::{Request, Response};

use super::*;
use crate::action::ActionLimits;
use crate::clock::PausableClock;
use crate::identity::Audience;
use crate::plan::Allowances;
use crate::policy::Policy;
use crate::service::Service;
use crate::service::testing::{FixedToken, answer, limits, network};
use crate::timestamp::Timestamp;
use crate::transport::MemoryTransport;

const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);
/// 2026-11-22 08:00 UTC.
const NOW: i64 = 1_795_334_400_000;
const HOST: &str = "adb-5555555555555555.19.azuredatabricks.net";

/// What the hook makes of the `count`th request (from 1) to a path.
struct Reply {
    after: Duration,
    /// `None` leaves the usual answer, late.
    answer: Option<(u16, String)>,
    /// What its `Date` says; `None` leaves it out.
    date: Option<&'static str>,
}

fn late(after: Duration) -> Option<Reply> {
    Some(Reply {
        after,
        answer: None,
        date: None,
    })
}

fn json(status: u16, body: impl Into<String>) -> Option<Reply> {
    Some(Reply {
        after: Duration::ZERO,
        answer: Some((status, body.into())),
        date: None,
    })
}

/// The usual answer with this `Date`.
fn dated(date: &'static str) -> Option<Reply> {
    Some(Reply {
        after: Duration::ZERO,
        answer: None,
        date: Some(date),
    })
}

/// One answer.
struct Played {
    after: Duration,
    status: u16,
    body: String,
    date: Option<&'static str>,
}

type Hook = dyn Fn(&str, usize) -> Option<Reply> + Send + Sync;

/// A workspace in which every cluster of `ids` has been idle for two days.
struct Estate {
    ids: Vec<&'static str>,
    terminated: Mutex<BTreeSet<String>>,
    counts: Mutex<HashMap<String, usize>>,
    /// Whether `clusters/delete` takes effect.
    obeys: bool,
    hook: Box<Hook>,
}

impl Estate {
    fn of(ids: &[&'static str]) -> Self {
        Self {
            ids: ids.to_vec(),
            terminated: Mutex::default(),
            counts: Mutex::default(),
            obeys: true,
            hook: Box::new(|_, _| None),
        }
    }

    fn with(mut self, hook: impl Fn(&str, usize) -> Option<Reply> + Send + Sync + 'static) -> Self {
        self.hook = Box::new(hook);
        self
    }

    fn cluster(&self, id: &str) -> String {
        let is_gone = self.terminated.lock().unwrap().contains(id);
        let state = if is_gone { "TERMINATED" } else { "RUNNING" };
        let started = NOW - 48 * 3_600_000;
        format!(
            r#"{{"cluster_id":"{id}","state":"{state}","cluster_source":"UI","spark_context_id":7,
                "num_workers":2,"last_restarted_time":{started}}}"#
        )
    }

    fn usual(&self, path: &str, query: &str, body: &str) -> (u16, String) {
        let ok = |body: &str| (200, body.to_owned());
        let end = path.rsplit('/').find(|part| !part.is_empty());
        match end.unwrap_or_default() {
            "list" if path.contains("/clusters/") => {
                let clusters: Vec<_> = self.ids.iter().map(|id| self.cluster(id)).collect();
                (200, format!(r#"{{"clusters":[{}]}}"#, clusters.join(",")))
            }
            "get" => {
                let id = query.trim_start_matches("cluster_id=");
                (200, self.cluster(id))
            }
            "delete" => {
                let body: serde_json::Value = serde_json::from_str(body).unwrap();
                let id = body["cluster_id"].as_str().unwrap().to_owned();
                if self.obeys {
                    self.terminated.lock().unwrap().insert(id);
                }
                ok("{}")
            }
            "Me" => ok(r#"{"groups":[{"display":"admins"}]}"#),
            "list" => ok("{}"),
            "applications" => ok(
                r#"[{"id":"app-1","attempts":[{"startTime":"2026-11-20T08:00:00.000GMT","completed":false}]}]"#,
            ),
            "jobs" | "stages" | "sql" => ok("[]"),
            "environment" => ok(r#"{"sparkProperties":[["spark.app.id","app-1"]]}"#),
            "threads" => ok(r#"[{"threadName":"main","stackTrace":{"elems":[]}}]"#),
            "StreamingQuery" => (302, String::new()),
            other => panic!("nobody arranged {other}"),
        }
    }

    fn play(&self, request: &Request<Bytes>) -> Played {
        let path = request.uri().path().to_owned();
        let count = {
            let mut counts = self.counts.lock().unwrap();
            let count = counts.entry(path.clone()).or_default();
            *count += 1;
            *count
        };
        let query = request.uri().query().unwrap_or_default();
        let body = String::from_utf8_lossy(request.body());
        let usual = || self.usual(&path, query, &body);
        let named = format!("{path}?{query}");
        let reply = (self.hook)(&named, count).or(late(Duration::ZERO)).unwrap();
        let (status, body) = reply.answer.unwrap_or_else(usual);
        Played {
            after: reply.after,
            status,
            body,
            date: reply.date,
        }
    }
}

fn policy() -> Policy {
    Policy {
        idle_after: HOUR * 2,
        idle_after_one_witness: HOUR * 12,
        streaming_silence: HOUR * 96,
        spark_alone_suffices: true,
        nodes_alone_suffices: false,
        trust_platform_clock: true,
        protect_pinned: false,
        protect_names: Vec::new(),
        exemptions: Vec::new(),
        spark_witness: true,
        nodes_witness: false,
        cap_per_workspace: 10,
        cap_per_sweep: 50,
    }
}

fn rules(allowances: &Arc<Allowances>) -> SweepRules {
    SweepRules {
        policy: Arc::new(PolicySet::plain(policy())),
        clock: Arc::new(PausableClock::starting_at(Timestamp::from_millis(NOW))),
        allowances: Arc::clone(allowances),
        action: ActionLimits {
            runs_age: SECOND * 30,
            read_back_for: SECOND * 60,
            read_back_every: SECOND * 2,
        },
        joining: Patience {
            lasts: SECOND * 60,
            every: SECOND * 2,
        },
        runs_page_cap: 10,
        parallel_looks: 2,
    }
}

struct Visited {
    report: WorkspaceReport,
    transport: Arc<MemoryTransport>,
    took: Duration,
}

impl Visited {
    fn paths(&self) -> Vec<String> {
        let sent = self.transport.sent();
        sent.iter().map(|one| one.url.path().to_owned()).collect()
    }

    fn terminations(&self) -> usize {
        let paths = self.paths();
        let of_delete = |path: &&String| path.ends_with("/clusters/delete");
        paths.iter().filter(of_delete).count()
    }

    fn outcomes(&self) -> Vec<&'static str> {
        let lines = self.report.lines.iter();
        lines.map(|line| line.outcome.as_str()).collect()
    }

    fn failure_kinds(&self) -> Vec<&'static str> {
        let failures = self.report.failures.iter();
        failures.map(|failure| failure.kind.as_str()).collect()
    }
}

/// Visits the estate in `mode`, with `time` until the deadline.
async fn visit(
    estate: Estate,
    mode: Mode,
    time: Duration,
    allowances: &Arc<Allowances>,
) -> Visited {
    let estate = Arc::new(estate);
    let (network, transport) = network(move |request: Request<Bytes>| {
        let played = estate.play(&request);
        async move {
            tokio::time::sleep(played.after).await;
            let mut response = if played.status == 302 {
                let jobs = format!("https://{HOST}/jobs/");
                let response = Response::builder().status(302).header("location", jobs);
                response.body(Bytes::new()).unwrap()
            } else {
                answer(played.status, "application/json", played.body)?
            };
            if let Some(date) = played.date {
                let date = http::HeaderValue::from_static(date);
                response.headers_mut().insert("date", date);
            }
            Ok(response)
        }
    });
    let began = Instant::now();
    let lane = Arc::new(Lane::new(&limits(), began + time));
    let url = Url::parse(&format!("https://{HOST}/")).unwrap();
    let tokens = Arc::new(FixedToken);
    let service = Service::new(
        network,
        tokens,
        Audience::Databricks,
        url.clone(),
        Arc::clone(&lane),
    );
    let service = service.share();
    let org = "5555555555555555".to_owned();
    let clients = Clients {
        databricks: Arc::new(Databricks::new(Arc::clone(&service))),
        spark: Some(SparkDriver::new(service, org, 40001)),
        monitor: None,
        joiner: None,
        lane,
    };
    let rules = rules(allowances);
    let workspace = Workspace {
        name: "main".to_owned(),
        url,
        resource_id: None,
        access: Access::Member,
        mode,
        sees_all_runs: false,
        principal: PrincipalName::main(),
        spark_principal: None,
    };
    let report = sweep(&workspace, &clients, &rules).await;
    let took = began.elapsed();
    Visited {
        report,
        transport,
        took,
    }
}

async fn terminate(estate: Estate, time: Duration) -> Visited {
    visit(
        estate,
        Mode::Terminate,
        time,
        &Arc::new(Allowances::new(50)),
    )
    .await
}

#[tokio::test(start_paused = true)]
async fn terminates_what_is_proven_idle() {
    let visited = terminate(Estate::of(&["c-1"]), HOUR).await;
    assert_eq!(visited.outcomes(), ["terminated"]);
    assert_eq!(visited.terminations(), 1);
    assert_eq!(visited.failure_kinds(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_termination_without_answer_is_read_back_and_not_sent_again() {
    let silent = |path: &str, _| match path.contains("/clusters/delete") {
        true => late(HOUR),
        false => None,
    };
    let visited = terminate(Estate::of(&["c-1"]).with(silent), HOUR).await;
    assert_eq!(visited.terminations(), 1);
    assert_eq!(visited.outcomes(), ["terminated"]);
}

#[tokio::test(start_paused = true)]
async fn a_throttled_termination_is_not_sent_when_somebody_may_have_begun_to_work() {
    let throttled = |path: &str, _| match path.contains("/clusters/delete") {
        true => json(429, "{}"),
        false => None,
    };
    let visited = terminate(Estate::of(&["c-1"]).with(throttled), HOUR).await;
    assert_eq!(visited.outcomes(), ["failed"]);
    assert_eq!(visited.failure_kinds(), ["termination"]);
    // All attempts fall into the ten seconds in which the proof holds.
    assert!(visited.took < SECOND * 15, "{:?}", visited.took);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_began_while_the_witnesses_answered_keeps_the_cluster() {
    let run = r#"{"runs":[{"run_id":9,"status":{"state":"RUNNING"},"tasks":[{"existing_cluster_id":"c-1"}]}]}"#;
    let walks = Mutex::new(0);
    let hook = move |path: &str, count: usize| {
        if path.contains("active_only") {
            let mut walks = walks.lock().unwrap();
            *walks += 1;
            // The walk that both looks share, and the one at the end of the second.
            return (*walks == 2).then(|| json(200, run)).flatten();
        }
        let is_slow = path.ends_with("/jobs?") || path.ends_with("/stages?status=active");
        (is_slow && count == 2).then(|| late(SECOND * 20)).flatten()
    };
    let visited = terminate(Estate::of(&["c-1"]).with(hook), HOUR).await;
    assert_eq!(visited.outcomes(), ["changed"]);
    assert_eq!(visited.report.lines[0].outcome.reason(), "active_run");
    assert_eq!(visited.terminations(), 0);
}

/// Visits a cluster whose second look waits so long for the runs after Spark was
/// asked. Spark works from the `busy_at`th question for jobs on; each look asks two.
async fn visit_while_runs_are_slow(slow: Duration, busy_at: usize) -> Visited {
    let walks = Mutex::new(0);
    let hook = move |path: &str, count: usize| {
        if path.contains("active_only") {
            let mut walks = walks.lock().unwrap();
            *walks += 1;
            return (*walks == 2).then(|| late(slow)).flatten();
        }
        if path.ends_with("/jobs?status=running") && count >= busy_at {
            let job = r#"[{"jobId":1,"status":"RUNNING"}]"#;
            return json(200, job);
        }
        let is_slow = path.ends_with("/jobs?") && count == 4;
        is_slow.then(|| late(SECOND * 29)).flatten()
    };
    terminate(Estate::of(&["c-1"]).with(hook), HOUR).await
}

#[tokio::test(start_paused = true)]
async fn spark_work_that_began_while_other_answers_were_waited_for_keeps_the_cluster() {
    let visited = visit_while_runs_are_slow(SECOND * 20, 5).await;
    assert_eq!(visited.outcomes(), ["changed"]);
    assert_eq!(visited.report.lines[0].outcome.reason(), "spark_busy");
    assert_eq!(visited.terminations(), 0);
}

#[tokio::test(start_paused = true)]
async fn slow_answers_after_which_the_driver_is_still_idle_do_not_save_the_cluster() {
    let visited = visit_while_runs_are_slow(SECOND * 20, usize::MAX).await;
    assert_eq!(visited.outcomes(), ["terminated"]);
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_always_answers_slowly_is_nothing_to_act_on() {
    let slow = |path: &str, _| match path.ends_with("/stages?status=active") {
        true => late(SECOND * 25),
        false if path.ends_with("/jobs?") => late(SECOND * 25),
        false => None,
    };
    let visited = terminate(Estate::of(&["c-1"]).with(slow), HOUR).await;
    assert_eq!(visited.outcomes(), ["changed"]);
    assert_eq!(visited.terminations(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_comes_too_slowly_is_nothing_to_act_on() {
    let slow = |path: &str, _| match path.contains("/clusters/get") {
        true => late(SECOND * 6),
        false => None,
    };
    let visited = terminate(Estate::of(&["c-1"]).with(slow), HOUR).await;
    assert_eq!(visited.outcomes(), ["changed"]);
    assert_eq!(visited.terminations(), 0);
}

#[tokio::test(start_paused = true)]
async fn reading_back_ends_with_the_sweep() {
    let mut estate = Estate::of(&["c-1"]).with(|path, _| match path.ends_with("/threads?") {
        true => late(SECOND * 25),
        false => None,
    });
    estate.obeys = false;
    let visited = terminate(estate, SECOND * 100).await;
    assert_eq!(visited.terminations(), 1);
    assert_eq!(visited.outcomes(), ["accepted_still_running"]);
    assert!(visited.took <= SECOND * 100, "{:?}", visited.took);
}

#[tokio::test(start_paused = true)]
async fn a_second_look_that_the_deadline_cuts_is_deferred_and_a_failure() {
    let slow = |path: &str, count| match path.ends_with("/threads?") {
        true if count > 1 => late(HOUR),
        _ => None,
    };
    let visited = terminate(Estate::of(&["c-1", "c-2"]).with(slow), SECOND * 62).await;
    assert_eq!(visited.terminations(), 0);
    assert_eq!(visited.outcomes(), ["deferred", "deferred"]);
    assert_eq!(visited.failure_kinds(), ["deadline"]);
    assert!(visited.took <= SECOND * 62, "{:?}", visited.took);
}

#[tokio::test(start_paused = true)]
async fn a_slow_cluster_holds_up_no_other() {
    let slow = |path: &str, _| match path.contains("/c-1/") {
        true => late(SECOND * 29),
        false => None,
    };
    let estate = Estate::of(&["c-1", "c-2", "c-3", "c-4", "c-5"]).with(slow);
    let visited = visit(estate, Mode::Report, HOUR, &Arc::new(Allowances::new(50))).await;
    let paths = visited.paths();
    let place = |end: &str| paths.iter().position(|path| path.ends_with(end));
    let (slow, other) = (
        place("c-1/40001/api/v1/applications/app-1/jobs"),
        place("c-5/40001/api/v1/applications"),
    );
    assert!(other.unwrap() < slow.unwrap(), "{other:?} {slow:?}");
    let ids: Vec<_> = visited
        .report
        .lines
        .iter()
        .map(|line| line.id.as_str())
        .collect();
    assert_eq!(ids, ["c-1", "c-2", "c-3", "c-4", "c-5"]);
}

#[tokio::test(start_paused = true)]
async fn what_report_mode_would_do_uses_up_nothing_of_terminate_mode() {
    let allowances = Arc::new(Allowances::new(1));
    assert_eq!(
        visit(Estate::of(&["c-1"]), Mode::Report, HOUR, &allowances)
            .await
            .outcomes(),
        ["would_terminate"]
    );
    assert_eq!(
        visit(Estate::of(&["c-1"]), Mode::Terminate, HOUR, &allowances)
            .await
            .outcomes(),
        ["terminated"]
    );
}

const THREE_HOURS_EARLIER: &str = "Sun, 22 Nov 2026 05:00:00 GMT";
const THREE_HOURS_LATER: &str = "Sun, 22 Nov 2026 11:00:00 GMT";

#[tokio::test(start_paused = true)]
async fn nothing_is_terminated_by_a_clock_that_is_not_the_workspaces() {
    for date in [THREE_HOURS_EARLIER, THREE_HOURS_LATER] {
        for mode in [Mode::Terminate, Mode::Report] {
            let estate = Estate::of(&["c-1", "c-2", "c-3"]).with(move |path, _| {
                let is_list = path.contains("/clusters/list");
                is_list.then(|| dated(date)).flatten()
            });
            let allowances = Arc::new(Allowances::new(50));
            let visited = visit(estate, mode, HOUR, &allowances).await;
            assert_eq!(visited.terminations(), 0, "{date}");
            assert_eq!(visited.outcomes(), ["deferred"; 3], "{date}");
            let reasons = visited.report.lines.iter();
            let reasons: Vec<_> = reasons.map(|line| line.outcome.reason()).collect();
            assert_eq!(reasons, ["clock_skew", "clock_skew", "workspace_cap"]);
            assert_eq!(visited.failure_kinds(), ["workspace"]);
            let sentence = &visited.report.failures[0].sentence;
            let direction = if date == THREE_HOURS_EARLIER {
                "3h ahead of"
            } else {
                "3h behind"
            };
            assert!(sentence.contains(direction), "{sentence}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_seen_to_be_wrong_at_the_second_look_stops_the_termination() {
    let estate = Estate::of(&["c-1"]).with(|path, _| {
        let is_record = path.contains("/clusters/get");
        is_record.then(|| dated(THREE_HOURS_EARLIER)).flatten()
    });
    let visited = terminate(estate, HOUR).await;
    assert_eq!(visited.terminations(), 0);
    assert_eq!(visited.outcomes(), ["deferred"]);
    assert_eq!(visited.report.lines[0].outcome.reason(), "clock_skew");
    assert_eq!(visited.failure_kinds(), ["workspace"]);
}

#[tokio::test(start_paused = true)]
async fn a_drivers_clock_and_a_close_one_and_a_date_that_is_none_bar_nothing() {
    let estate = Estate::of(&["c-1"]).with(|path, _| {
        if path.contains("/driver-proxy") {
            return dated(THREE_HOURS_EARLIER);
        }
        dated(match path.contains("/jobs/runs/list") {
            true => "soon",
            false => "Sun, 22 Nov 2026 08:04:30 GMT",
        })
    });
    let visited = terminate(estate, HOUR).await;
    assert_eq!(visited.outcomes(), ["terminated"]);
    assert_eq!(visited.failure_kinds(), [""; 0]);
}
