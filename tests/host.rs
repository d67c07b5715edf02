//! Whole sweeps under the Functions host: the binary that `host.json` of this
//! repository starts, fired by its timer, in a pretend cloud.
//!
//! What the host makes of each line and each answer is what an operator sees in
//! the portal, so the stories look at the host's log. The cloud and the reasons
//! for each cluster are the business of the sweep's own stories.

#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

#[path = "support/hostile.rs"]
mod hostile;
#[path = "support/planted.rs"]
mod planted;
mod support;

use std::time::Duration;

use simulator::host::{
    FailureCause, FunctionsHost, HandlerState, InvocationOutcome, LogLevel, LogRecord, LogSink,
    LogStream, TimerInvocation,
};
use simulator::world::{Cluster, Workspace, World, hours};
use simulator::{Fault, Match, Times};
use support::{BINARY, Scene};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Longer than anything takes on a busy machine; nothing waits this long in a
/// story that ends well.
const LIMIT: Duration = Duration::from_secs(30);

fn idle(name: &str) -> Cluster {
    Cluster::idle(name).since(hours(5))
}

fn world() -> World {
    let workspace = Workspace::named("one")
        .cluster(idle("idle"))
        .cluster(Cluster::busy("busy"))
        .cluster(idle("protected").tag("terminate-clusters", ""));
    World::new().workspace(workspace)
}

/// The host with the files of this repository and the settings of a scene.
async fn start(scene: &Scene) -> FunctionsHost {
    let mut builder = FunctionsHost::builder(env!("CARGO_MANIFEST_DIR"))
        .executable(BINARY)
        .clear_env();
    for (name, value) in scene.environment() {
        builder = builder.env(name, value);
    }
    builder.start().await.unwrap()
}

/// Fires the timer by hand, which tells the invocation's id.
async fn invoke(host: &FunctionsHost) -> (String, InvocationOutcome) {
    let run = host.invoke_manual(TimerInvocation::new());
    let id = run.invocation_id.clone();
    (id, run.outcome().await)
}

/// Requests for the list of clusters.
fn list() -> Match {
    Match::path("/clusters/list").query("filter_by.cluster_states", "RUNNING")
}

/// What the handler itself wrote.
fn written(host: &FunctionsHost) -> Vec<LogRecord> {
    let mut records = host.logs();
    records.retain(|record| match record.stream {
        LogStream::Stdout | LogStream::Stderr => true,
        LogStream::Answer | LogStream::Host => false,
    });
    records
}

fn texts(records: &[LogRecord], level: LogLevel) -> Vec<&str> {
    let of_level = records.iter().filter(|record| record.level == level);
    of_level.map(|record| record.text.as_str()).collect()
}

/// Waits until the cloud has seen a request of this kind.
async fn until_asked(scene: &Scene, matcher: &Match) {
    let began = Instant::now();
    while scene
        .simulator
        .look_at_record(|record| record.matching(matcher).is_empty())
    {
        assert!(began.elapsed() < LIMIT, "nobody asked {matcher:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_sweep_that_succeeds_leaves_one_line_per_cluster_with_the_invocation() {
    let scene = Scene::of(world());
    let host = start(&scene).await;
    let (id, outcome) = invoke(&host).await;
    let success = outcome.success().unwrap();
    assert!(success.oddities.is_empty(), "{:?}", success.oddities);
    assert!(
        success.logs[0].contains("3 clusters in 1 workspace"),
        "{:?}",
        success.logs
    );
    let records = written(&host);
    let marked = format!(" invocation={id}");
    for (cluster, outcome, reason) in [
        ("idle", "terminated", "both_witnesses"),
        ("busy", "kept", "spark_busy"),
        ("protected", "kept", "protected_by_tag"),
    ] {
        let cluster_id = scene
            .simulator
            .world(|world| world.cluster_id("one", cluster));
        let named = format!(" cluster.id={cluster_id} ");
        let lines: Vec<_> = records
            .iter()
            .filter(|record| record.text.contains(&named) && record.text.contains(" outcome="))
            .collect();
        assert_eq!(lines.len(), 1, "{records:#?}");
        let text = &lines[0].text;
        assert_eq!(lines[0].level, LogLevel::Information);
        for field in [format!(" outcome={outcome} "), format!(" reason={reason} ")] {
            assert!(text.contains(&field), "{field} is not in {text}");
        }
    }
    for record in &records {
        assert_eq!(record.level, LogLevel::Information, "{record:?}");
        assert!(
            !record.has_ansi && record.sink == LogSink::Operator,
            "{record:?}"
        );
    }
    let of_the_sweep: Vec<_> = records
        .iter()
        .filter(|record| !record.text.contains("Listening"))
        .collect();
    assert!(of_the_sweep.len() >= 5, "{records:#?}");
    let unmarked = of_the_sweep
        .iter()
        .find(|record| !record.text.ends_with(&marked));
    assert_eq!(unmarked, None);
    scene.simulator.assert_clean();
}

#[tokio::test]
async fn machines_at_rest_are_told_as_information_with_figures_to_query() {
    let scene = Scene::of(world()).set("TERMINATE_CLUSTERS_MODE", "report");
    let host = start(&scene).await;
    invoke(&host).await.1.success().unwrap();
    let records = written(&host);
    let at_rest: Vec<_> = records
        .iter()
        .filter(|record| {
            record
                .text
                .contains("at rest, 1 driver of `Standard_DS3_v2`")
        })
        .collect();
    assert_eq!(at_rest.len(), 1, "{records:#?}");
    assert_eq!(at_rest[0].level, LogLevel::Information);
    for field in [" p50_cores=0.07 ", " p95_cores=0.07 ", " drivers=1 "] {
        assert!(at_rest[0].text.contains(field), "{:?}", at_rest[0]);
    }
    let confirmed = " machines=3 confirmed=3 contradicted_clusters=0";
    assert!(
        records.iter().any(|record| record.text.contains(confirmed)),
        "{records:#?}"
    );
    scene.simulator.assert_clean();
}

#[tokio::test]
async fn every_shape_of_the_timer_starts_a_sweep() {
    let workspace = Workspace::named("one").cluster(Cluster::busy("busy"));
    let scene = Scene::of(World::new().workspace(workspace));
    let host = start(&scene).await;
    for (name, invocation) in TimerInvocation::variants() {
        scene.simulator.forget_record();
        let outcome = host.invoke_timer(invocation).await;
        assert!(outcome.success().is_ok(), "{name}");
        let lists = scene.simulator.record();
        let lists = lists.matching(&list());
        assert_eq!(lists.len(), 1, "{name}");
    }
    scene.simulator.assert_clean();
}

#[tokio::test]
async fn a_sweep_that_fails_fails_its_invocation_and_says_why_as_an_error() {
    let down = Workspace::named("down").cluster(idle("never-seen"));
    let down_host = down.host.clone();
    let scene = Scene::of(world().workspace(down));
    scene
        .simulator
        .fault(Match::host(&down_host), Times::Always, Fault::status(503));
    let host = start(&scene).await;
    let (id, outcome) = invoke(&host).await;
    assert_eq!(
        outcome,
        InvocationOutcome::Failed(FailureCause::Status(500))
    );
    let records = written(&host);
    let errors = texts(&records, LogLevel::Error);
    let why = errors.iter().filter(|text| text.contains("server_error"));
    let why: Vec<_> = why.collect();
    assert_eq!(why.len(), 1, "{errors:#?}");
    assert!(why[0].contains("`down`"), "{why:?}");
    assert!(why[0].ends_with(&format!(" invocation={id}")), "{why:?}");
    // The other workspace's clusters are told all the same, and the process lives on.
    let informed = texts(&records, LogLevel::Information);
    let terminated = informed
        .iter()
        .filter(|text| text.contains(" outcome=terminated "));
    assert_eq!(terminated.count(), 1, "{informed:#?}");
    assert!(matches!(
        host.state(),
        HandlerState::Ready { starts: 1, .. }
    ));
    scene.simulator.clear_faults();
    assert!(invoke(&host).await.1.success().is_ok());
    scene.simulator.assert_clean();
}

#[tokio::test]
async fn a_second_invocation_while_a_sweep_runs_succeeds_and_does_nothing() {
    let scene = Scene::of(world());
    let list = list();
    let pause = Fault::Delay(Duration::from_millis(400));
    scene.simulator.fault(list.clone(), Times::First(1), pause);
    let host = start(&scene).await;
    let first = host.invoke_manual(TimerInvocation::new());
    until_asked(&scene, &list).await;
    let (_, second) = invoke(&host).await;
    let logs = second.success().unwrap().logs;
    assert!(logs[0].starts_with("already_running"), "{logs:?}");
    let logs = first.outcome().await.success().unwrap().logs;
    assert!(logs[0].contains("1 terminated"), "{logs:?}");
    let record = scene.simulator.record();
    assert_eq!(record.matching(&list).len(), 1);
    assert_eq!(record.terminations().len(), 1);
    scene.simulator.assert_clean();
}

#[tokio::test]
async fn a_handler_that_is_killed_in_mid_sweep_leaves_nothing_that_the_next_cannot_finish() {
    let workspace = Workspace::named("one")
        .cluster(Cluster::idle("first").since(hours(8)))
        .cluster(idle("second"));
    let scene = Scene::of(World::new().workspace(workspace)).policy("cap_per_workspace = 1");
    let read_back = Match::path("/clusters/get");
    scene
        .simulator
        .fault(read_back, Times::From(2), Fault::Hang);
    let host = start(&scene).await;
    let run = host.invoke_manual(TimerInvocation::new());
    until_asked(&scene, &Match::termination()).await;
    host.kill_handler();
    let outcome = run.outcome().await;
    let broke_off = matches!(
        outcome,
        InvocationOutcome::Failed(FailureCause::Connection(_))
    );
    assert!(broke_off, "{outcome}");
    scene.simulator.clear_faults();
    let is_back = |state: &HandlerState| matches!(state, HandlerState::Ready { starts: 2, .. });
    host.wait_for_state(is_back, LIMIT).await.unwrap();
    let (_, outcome) = invoke(&host).await;
    let logs = outcome.success().unwrap().logs;
    assert!(logs[0].contains("1 terminated"), "{logs:?}");
    let id = |name| scene.simulator.world(|world| world.cluster_id("one", name));
    let terminations = scene.simulator.record().terminations();
    assert_eq!(terminations, [id("first"), id("second")]);
    scene.simulator.assert_clean();
}

#[tokio::test]
async fn a_sweep_answers_before_the_hosts_own_timeout_would_kill_it() {
    let hanging = Workspace::named("hanging").cluster(idle("never-seen"));
    let hanging_host = hanging.host.clone();
    let scene = Scene::of(World::new().workspace(hanging))
        .set("AzureFunctionsJobHost__functionTimeout", "00:00:20")
        .limit("function_timeout_margin", "\"18s\"")
        .limit("read_back_for", "\"100ms\"");
    scene
        .simulator
        .fault(Match::host(&hanging_host), Times::Always, Fault::Hang);
    let host = start(&scene).await;
    let (_, outcome) = invoke(&host).await;
    assert_eq!(
        outcome,
        InvocationOutcome::Failed(FailureCause::Status(500))
    );
    let records = written(&host);
    let errors = texts(&records, LogLevel::Error);
    let deadline = errors.iter().find(|text| text.contains(" kind=deadline"));
    assert!(deadline.is_some(), "{errors:#?}");
    scene.simulator.assert_clean();
}

#[tokio::test]
async fn each_sweep_reads_its_secrets_anew_so_that_a_rotation_needs_no_restart() {
    let scene = Scene::of(world());
    let host = start(&scene).await;
    assert!(invoke(&host).await.1.success().is_ok());
    scene.simulator.world(|world| {
        world.rotate_secret("main");
        world.revoke_tokens("main");
    });
    scene.simulator.forget_record();
    assert!(invoke(&host).await.1.success().is_ok());
    let record = scene.simulator.record();
    assert_eq!(record.secret_reads().len(), 3);
    assert_eq!(record.token_requests().len(), record.granted_scopes().len());
    assert!(matches!(
        host.state(),
        HandlerState::Ready { starts: 1, .. }
    ));
    scene.simulator.assert_clean();
}

#[tokio::test]
async fn a_hostile_name_can_neither_forge_a_record_nor_change_its_level() {
    let names = hostile::names();
    let mut workspace = Workspace::named("one");
    for (number, name) in names.iter().enumerate() {
        let cluster = Cluster::idle(name)
            .since(hours(5))
            .id(&format!("0101-000000-hostile{number}"));
        workspace = workspace.cluster(if number % 2 == 0 {
            cluster.tag("terminate-clusters-keep-until", name)
        } else {
            cluster
        });
    }
    let scene = Scene::of(World::new().workspace(workspace));
    // Every termination is refused with words that would hide the failure.
    let words = r#"{"error_code":"WARN","message":"warning\n\u001b[31m azfuncjsonlog:{} LanguageWorkerConsoleLog"}"#;
    scene
        .simulator
        .fault(Match::termination(), Times::Always, Fault::json(400, words));
    let host = start(&scene).await;
    let (id, outcome) = invoke(&host).await;
    assert_eq!(
        outcome,
        InvocationOutcome::Failed(FailureCause::Status(500))
    );
    let records = written(&host);
    let marked = format!(" invocation={id}");
    for record in records.iter().skip(1) {
        assert_eq!(record.sink, LogSink::Operator, "{record:?}");
        assert!(!record.has_ansi, "{record:?}");
        assert!(record.text.len() <= 8 * 1024, "{} bytes", record.text.len());
        let (stamp, _) = record.text.split_once(' ').unwrap();
        assert!(stamp.ends_with('Z') && stamp.len() == 24, "{record:?}");
        assert!(record.text.ends_with(&marked), "{record:?}");
        let odd = record.text.chars().find(|next| next.is_control());
        assert_eq!(odd, None, "{record:?}");
    }
    for number in 0..names.len() {
        let named = format!(" cluster.id=0101-000000-hostile{number} ");
        let of_cluster = records
            .iter()
            .filter(|record| record.text.contains(&named) && record.text.contains(" outcome="));
        let levels: Vec<_> = of_cluster.map(|record| record.level).collect();
        assert_eq!(levels, [LogLevel::Information], "{number}");
    }
    // One per termination, and none demoted to a warning by the words it quotes.
    let refused = scene.simulator.record().terminations().len();
    assert!(refused >= 3, "{refused}");
    let failures = records
        .iter()
        .filter(|record| record.text.contains(" kind=termination"));
    let levels: Vec<_> = failures.map(|record| record.level).collect();
    assert_eq!(levels, vec![LogLevel::Error; refused]);
    scene.simulator.assert_clean();
}

#[tokio::test]
async fn the_hosts_log_holds_no_secret_at_the_finest_level() {
    let everything = "trace,hyper=trace,hyper_util=trace,reqwest=trace,azure_core=trace,azure_identity=trace,\
                      typespec_client_core=trace,axum=trace,tower=trace";
    let scene = Scene::of(world()).set("TERMINATE_CLUSTERS_LOG", everything);
    let host = start(&scene).await;
    assert!(invoke(&host).await.1.success().is_ok());
    // The host throws the body of a failure away; whoever asks without it does not.
    let fault = Fault::status(401);
    let token = Match::token_request();
    scene.simulator.fault(token, Times::Always, fault);
    let (_, failed) = invoke(&host).await;
    assert_eq!(failed, InvocationOutcome::Failed(FailureCause::Status(500)));
    let failed = post(&host, "x", br#"{"Data":{}}"#).await;
    assert!(failed.starts_with("HTTP/1.1 500 "), "{failed}");
    scene.simulator.clear_faults();
    let succeeded = post(&host, "x", br#"{"Data":{}}"#).await;
    assert!(succeeded.starts_with("HTTP/1.1 200 "), "{succeeded}");
    let records = host.logs();
    for target in [
        "hyper_util::",
        "reqwest::",
        "typespec_client_core::",
        "azure_identity::",
    ] {
        let of_target = format!(" {target}");
        let mut texts = records.iter().map(|record| &record.text);
        let is_shown = texts.any(|text| text.contains(" TRACE ") || text.contains(&of_target));
        assert!(is_shown, "no line of {target}");
    }
    let of_dependencies = records
        .iter()
        .filter(|record| record.text.contains(" TRACE hyper_util::"));
    assert!(of_dependencies.count() > 10);
    let planted = scene.simulator.world(|world| planted::Planted::of(world));
    let answers = [failed, succeeded];
    let texts = records.iter().map(|record| &record.text).chain(&answers);
    for text in texts {
        assert_eq!(planted.find_in(text), None);
    }
}

#[tokio::test]
async fn no_header_and_no_payload_can_forge_a_record_or_stop_the_handler() {
    let workspace = Workspace::named("one").cluster(Cluster::busy("busy"));
    let scene = Scene::of(World::new().workspace(workspace));
    let host = start(&scene).await;
    let long = "x".repeat(100_000);
    let deep = "[".repeat(500_000);
    let nested = format!(r#"{{"Data":{}}}"#, "{\"a\":".repeat(300_000));
    let odd_times = r#"{"Data":{"timer":{"IsPastDue":"azfuncjsonlog:","ScheduleStatus":{"Last":"\u001b[31m\n","Next":9e999}}}}"#;
    let names_itself = r#"{"Data":{"timer":{},"timer":{}},"Metadata":{"sys":"warn\nERROR"}}"#;
    for (id, body, status) in [
        ("a\tb", &br#"{"Data":{}}"#[..], 200),
        ("a\u{1b}[31m\u{202e}", br#"{"Data":{}}"#, 400),
        ("azfuncjsonlog:{}", br#"{"Data":{}}"#, 200),
        ("warn", br#"{"Data":{}}"#, 200),
        (
            "a\r\n 2026-11-22T14:29:53.086Z ERROR forged",
            br#"{"Data":{}}"#,
            400,
        ),
        (
            "a\r\nX-Azure-Functions-InvocationId: b",
            br#"{"Data":{}}"#,
            200,
        ),
        ("a invocation=\"b\"", br#"{"Data":{}}"#, 200),
        (&long, br#"{"Data":{}}"#, 200),
        ("x", b"", 400),
        ("x", b"\xff\xfe{\0}\0", 400),
        ("x", b"\x1f\x8b\x08\0\0\0\0\0", 400),
        ("x", b"<html>warn\nERROR</html>", 400),
        ("x", b"Data=timer", 400),
        ("x", br#"{"Data":"\u001b[31m\nERROR"}"#, 400),
        ("x", br#"{"Data":{}} {"Data":{}}"#, 400),
        ("x", deep.as_bytes(), 400),
        ("x", nested.as_bytes(), 413),
        ("x", odd_times.as_bytes(), 400),
        ("x", names_itself.as_bytes(), 200),
    ] {
        let answer = post(&host, id, body).await;
        let label = format!("{:.40} {:.60}", id, String::from_utf8_lossy(body));
        let start = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&start), "{label}: {answer:.300}");
    }
    for record in written(&host) {
        assert_is_one_record_of_its_level(&record);
    }
    assert!(invoke(&host).await.1.success().is_ok());
    let is_first = matches!(host.state(), HandlerState::Ready { starts: 1, .. });
    assert!(is_first, "{:?}", host.state());
    scene.simulator.assert_clean();
}

/// That the host files a line under what the handler calls it, whatever it quotes.
fn assert_is_one_record_of_its_level(record: &LogRecord) {
    assert_eq!(record.sink, LogSink::Operator, "{record:?}");
    assert!(
        !record.has_ansi && record.text.len() <= 8 * 1024,
        "{record:?}"
    );
    let (stamp, rest) = record.text.split_once(' ').unwrap();
    assert!(stamp.ends_with('Z') && stamp.len() == 24, "{record:?}");
    // What the handler calls it is what the host files it under.
    let level = match record.level {
        LogLevel::Error => "ERROR ",
        LogLevel::Warning => "WARN ",
        LogLevel::Information => "INFO ",
    };
    assert!(rest.starts_with(level), "{record:?}");
    // What else looks like the field stands inside its quotes.
    let ids = record.text.split(" invocation=").skip(1).count();
    let is_quoted = record.text.contains(" invocation=\"a invocation=\\");
    assert!(ids <= 1 || is_quoted, "{record:?}");
    let odd = record.text.chars().find(|next| next.is_control());
    assert_eq!(odd, None, "{record:?}");
}

/// Posts an invocation as something else than the host could, and returns the
/// whole answer.
async fn post(host: &FunctionsHost, id: &str, body: &[u8]) -> String {
    let head = format!(
        "POST /TerminateClusters HTTP/1.1\r\nHost: x\r\nX-Azure-Functions-InvocationId: {id}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(("127.0.0.1", host.port()))
        .await
        .unwrap();
    stream
        .write_all(&[head.as_bytes(), body].concat())
        .await
        .unwrap();
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    tokio::time::timeout(LIMIT, reading).await.unwrap().unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn wrong_settings_fail_the_invocation_and_not_the_start() {
    let scene = Scene::of(world())
        .set("TERMINATE_CLUSTERS_MODE", "kill")
        .policy("idle_aftr = \"3h\"");
    let host = start(&scene).await;
    let (_, outcome) = invoke(&host).await;
    assert_eq!(
        outcome,
        InvocationOutcome::Failed(FailureCause::Status(500))
    );
    let records = written(&host);
    let errors = texts(&records, LogLevel::Error);
    for part in ["TERMINATE_CLUSTERS_MODE", "idle_aftr"] {
        let told = errors.iter().any(|text| text.contains(part));
        assert!(told, "{part} is not in {errors:#?}");
    }
    assert!(scene.simulator.record().connects().is_empty());
    assert!(matches!(
        host.state(),
        HandlerState::Ready { starts: 1, .. }
    ));
}
