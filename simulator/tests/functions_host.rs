//! The Functions host emulator against a handler that misbehaves on demand.
//!
//! Each test is named after the rule of the real host that it holds the emulator
//! to. Nothing leaves loopback, and every wait is for an event.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use simulator::host::{
    Builder, FailureCause, FunctionsHost, HandlerState, HangCause, HangMode, HostError,
    InvocationOutcome, InvocationSuccess, LogLevel, LogStream, Oddity, TimerInvocation,
};
use tempfile::TempDir;

type TestResult = Result<(), Box<dyn Error>>;

/// Longer than anything takes on a busy machine; nothing waits this long in a
/// test that passes.
const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn the_handler_gets_the_five_variables_the_folder_and_the_arguments() -> TestResult {
    let app = app(json!({}))?;
    let host = fake(&app).env("SETTING", "1").start().await?;
    let seen = describe(&host, TimerInvocation::new()).await?;
    let environment = &seen["environment"];
    let root = fs::canonicalize(app.path())?;
    let root = root.to_str().ok_or("a folder with a plain name")?;
    assert_eq!(
        environment["FUNCTIONS_CUSTOMHANDLER_PORT"],
        host.port().to_string()
    );
    assert_eq!(
        environment["FUNCTIONS_HTTPWORKER_PORT"],
        host.port().to_string()
    );
    assert_eq!(environment["FUNCTIONS_APP_ROOT_PATH"], root);
    let worker = &environment["FUNCTIONS_CUSTOMHANDLER_WORKER_ID"];
    assert_eq!(worker.as_str().map(str::len), Some(36));
    assert_eq!(&environment["FUNCTIONS_HTTPWORKER_ID"], worker);
    assert_eq!(environment["SETTING"], "1");
    assert_eq!(environment.as_object().map(serde_json::Map::len), Some(6));
    assert_eq!(seen["directory"], root);
    assert_eq!(seen["arguments"], json!(["serve", "two", "words"]));
    Ok(())
}

#[tokio::test]
async fn a_timer_is_posted_to_the_functions_name_in_chunks() -> TestResult {
    let app = app(json!({}))?;
    let host = fake(&app).start().await?;
    let invocation = TimerInvocation::new().traceparent("00-1-2-00");
    let seen = describe(&host, invocation).await?;
    assert_eq!(seen["method"], "POST");
    assert_eq!(seen["path"], "/Sweep");
    assert_eq!(seen["version"], "HTTP/1.1");
    let headers = &seen["headers"];
    assert_eq!(headers["host"], format!("127.0.0.1:{}", host.port()));
    assert_eq!(headers["content-type"], "application/json; charset=utf-8");
    assert_eq!(headers["transfer-encoding"], "chunked");
    assert_eq!(headers["content-length"], Value::Null);
    assert_eq!(
        headers["x-azure-functions-hostversion"],
        simulator::host::HOST_VERSION
    );
    let id = headers["x-azure-functions-invocationid"].as_str();
    assert_eq!(id.map(str::len), Some(36));
    assert_eq!(headers["traceparent"], "00-1-2-00");
    let body: Value = serde_json::from_str(seen["body"].as_str().unwrap_or_default())?;
    assert_eq!(body["Data"]["timer"]["IsPastDue"], false);
    assert_eq!(body["Metadata"]["sys"]["MethodName"], "Sweep");
    Ok(())
}

#[tokio::test]
async fn every_timer_variant_and_a_malformed_body_can_be_sent() -> TestResult {
    let app = app(json!({}))?;
    let host = fake(&app).start().await?;
    for (name, variant) in TimerInvocation::variants() {
        let seen = describe(&host, variant).await?;
        let body = seen["body"].as_str().ok_or("a body")?;
        serde_json::from_str::<Value>(body).map_err(|error| format!("{name}: {error}"))?;
    }
    let seen = describe(&host, TimerInvocation::new().raw_body("{\"Data\":")).await?;
    assert_eq!(seen["body"], "{\"Data\":");
    Ok(())
}

#[tokio::test]
async fn any_http_answer_means_ready() -> TestResult {
    let app = app(json!({}))?;
    let host = fake(&app).env("FAKE_ROOT_STATUS", "404").start().await?;
    assert!(host.state().is_ready());
    Ok(())
}

#[tokio::test]
async fn a_ready_handler_is_pinged_again_and_again() -> TestResult {
    let app = app(json!({}))?;
    let host = fake(&app)
        .env("FAKE_SAY_PINGS", "1")
        .ping_interval(Duration::from_millis(1))
        .start()
        .await?;
    let pings = std::cell::Cell::new(0);
    let fifth = |text: &str| {
        pings.set(pings.get() + u32::from(text == "ping"));
        pings.get() >= 5
    };
    host.wait_for_log(|record| fifth(&record.text), LIMIT)
        .await?;
    Ok(())
}

#[tokio::test]
async fn an_invocation_waits_for_a_handler_that_is_still_starting() -> TestResult {
    let app = app(json!({}))?;
    let signal = app.path().join("go");
    let host = fake(&app)
        .env("FAKE_AT_START", format!("when:{}", signal.display()))
        .launch()?;
    let run = host.invoke_manual(TimerInvocation::new());
    assert!(!host.state().is_ready());
    fs::write(&signal, "")?;
    run.outcome().await.success()?;
    assert!(host.state().is_ready());
    Ok(())
}

#[tokio::test]
async fn a_handler_that_never_answers_stops_the_host_at_the_third_try() -> TestResult {
    let app = app(json!({"customHandler": {"initializationTimeout": "00:00:00.1"}}))?;
    let host = fake(&app).env("FAKE_AT_START", "silent").launch()?;
    let outcome = host.invoke_manual(TimerInvocation::new());
    host.wait_for_state(|state| matches!(state, HandlerState::HostStopped(_)), LIMIT)
        .await?;
    let outcome = outcome.outcome().await;
    assert!(
        matches!(
            outcome,
            InvocationOutcome::Failed(FailureCause::NoHandler(_))
        ),
        "{outcome}"
    );
    Ok(())
}

#[tokio::test]
async fn the_third_error_exit_in_half_an_hour_stops_the_host() -> TestResult {
    let app = app(json!({}))?;
    let host = fake(&app)
        .env("FAKE_AT_START", "exit:7")
        .env("FAKE_STDERR", "the essential line")
        .launch()?;
    let is_stopped = |state: &HandlerState| matches!(state, HandlerState::HostStopped(_));
    let state = host.wait_for_state(is_stopped, LIMIT).await?;
    let HandlerState::HostStopped(reason) = state else {
        return Err("another state".into());
    };
    assert!(reason.contains("exited with 7"), "{reason}");
    assert!(reason.contains("the essential line"), "{reason}");
    let lives = host.logs().into_iter();
    let lives = lives.filter(|record| record.text == "the essential line");
    assert_eq!(lives.count(), 3);
    Ok(())
}

#[tokio::test]
async fn a_crash_fails_the_invocation_and_the_handler_is_started_again_on_its_port() -> TestResult {
    let app = app(json!({}))?;
    let host = fake(&app).start().await?;
    let port = host.port();
    let outcome = host.invoke_timer(wish("exit:1")).await;
    assert!(
        matches!(
            outcome,
            InvocationOutcome::Failed(FailureCause::Connection(_))
        ),
        "{outcome}"
    );
    until_start(&host, 2).await?;
    describe(&host, TimerInvocation::new()).await?;
    assert_eq!(host.port(), port);
    Ok(())
}

#[tokio::test]
async fn exit_200_is_a_free_restart() -> TestResult {
    let app = app(json!({}))?;
    let host = fake(&app).start().await?;
    for start in 2..=5 {
        drop(host.invoke_timer(wish("exit:200")).await);
        until_start(&host, start).await?;
    }
    describe(&host, TimerInvocation::new()).await?;
    Ok(())
}

#[tokio::test]
async fn exit_0_is_never_restarted() -> TestResult {
    let app = app(json!({}))?;
    let host = fake(&app).start().await?;
    drop(host.invoke_timer(wish("exit:0")).await);
    host.wait_for_state(|state| *state == HandlerState::Exited, LIMIT)
        .await?;
    let outcome = host.invoke_timer(TimerInvocation::new()).await;
    assert!(
        matches!(
            outcome,
            InvocationOutcome::Failed(FailureCause::Connection(_))
        ),
        "{outcome}"
    );
    assert_eq!(host.state(), HandlerState::Exited);
    Ok(())
}

#[tokio::test]
async fn a_handler_killed_from_outside_counts_as_an_error() -> TestResult {
    let app = app(json!({}))?;
    let host = fake(&app).start().await?;
    for start in 2..=3 {
        host.kill_handler();
        until_start(&host, start).await?;
    }
    host.kill_handler();
    let is_stopped = |state: &HandlerState| matches!(state, HandlerState::HostStopped(_));
    host.wait_for_state(is_stopped, LIMIT).await?;
    Ok(())
}

#[tokio::test]
async fn errors_are_forgotten_when_the_window_has_passed() -> TestResult {
    let app = app(json!({}))?;
    let host = fake(&app).error_window(Duration::ZERO).start().await?;
    for start in 2..=5 {
        host.kill_handler();
        until_start(&host, start).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_function_timeout_kills_the_handler_and_every_invocation_with_it() -> TestResult {
    let app = app(json!({"functionTimeout": "00:00:01"}))?;
    let host = fake(&app)
        .timeout_grace(Duration::from_millis(50))
        .start()
        .await?;
    let other = host.invoke_manual(wish("hang"));
    let outcome = host.invoke_timer(wish("hang")).await;
    let after = Duration::from_secs(1);
    assert_eq!(outcome, InvocationOutcome::TimedOut { after });
    assert_ne!(host.state().starts(), Some(1));
    let other = other.outcome().await;
    assert!(other.success().is_err());
    until_start(&host, 2).await?;
    describe(&host, TimerInvocation::new()).await?;
    Ok(())
}

#[tokio::test]
async fn an_empty_or_null_2xx_is_a_hang_and_said_at_once() -> TestResult {
    let app = app(json!({}))?;
    let host = fake(&app).start().await?;
    for (asked, cause) in [
        ("empty", HangCause::EmptyBody { status: 200 }),
        ("no_content", HangCause::EmptyBody { status: 204 }),
        ("json:null", HangCause::NullBody),
    ] {
        let outcome = host.invoke_timer(wish(asked)).await;
        assert_eq!(outcome, InvocationOutcome::Hang(cause), "{asked}");
    }
    Ok(())
}

#[tokio::test]
async fn an_empty_2xx_really_hangs_until_the_timeout_if_wished() -> TestResult {
    let app = app(json!({"functionTimeout": "00:00:01"}))?;
    let host = fake(&app)
        .hang_mode(HangMode::Hang)
        .timeout_grace(Duration::from_millis(1))
        .start()
        .await?;
    let outcome = host.invoke_timer(wish("empty")).await;
    let after = Duration::from_secs(1);
    assert_eq!(outcome, InvocationOutcome::TimedOut { after });
    until_start(&host, 2).await?;
    Ok(())
}

#[tokio::test]
async fn answers_are_read_by_status_content_type_and_body() -> TestResult {
    let app = app(json!({}))?;
    let host = fake(&app).start().await?;
    let status = host.invoke_timer(wish("status:500")).await;
    assert_eq!(status, InvocationOutcome::Failed(FailureCause::Status(500)));
    let text = host.invoke_timer(wish("text:{}")).await;
    assert!(
        matches!(
            text,
            InvocationOutcome::Failed(FailureCause::ContentType(_))
        ),
        "{text}"
    );
    for body in ["json:[]", "json:{", "json:7"] {
        let outcome = host.invoke_timer(wish(body)).await;
        assert!(
            matches!(outcome, InvocationOutcome::Failed(FailureCause::Body(_))),
            "{body}: {outcome}"
        );
    }
    let empty = host.invoke_timer(wish("json:{}")).await.success()?;
    assert_eq!(empty, InvocationSuccess::default());
    let unknown = host
        .invoke_timer(wish(r#"json:{"Outputs":{"res":1}}"#))
        .await;
    let oddities = unknown.success()?.oddities;
    assert_eq!(oddities, [Oddity::UnknownOutput("res".to_owned())]);
    Ok(())
}

#[tokio::test]
async fn the_logs_of_an_answer_are_information_and_lost_with_a_failure() -> TestResult {
    let app = app(json!({}))?;
    let host = fake(&app).start().await?;
    let run = host.invoke_manual(wish(r#"json:{"Logs":["ERROR kept"]}"#));
    let id = run.invocation_id.clone();
    run.outcome().await.success()?;
    drop(host.invoke_timer(wish("status:500")).await);
    let logs = host.logs();
    let kept = logs.iter().find(|record| record.text == "ERROR kept");
    let kept = kept.ok_or("the log entry")?;
    assert_eq!(
        (kept.level, kept.stream),
        (LogLevel::Information, LogStream::Answer)
    );
    assert_eq!(kept.invocation_id.as_deref(), Some(id.as_str()));
    assert!(!logs.iter().any(|record| record.text == "lost"));
    Ok(())
}

#[tokio::test]
async fn each_line_is_a_record_whose_level_follows_stream_and_text() -> TestResult {
    let app = app(json!({}))?;
    let host = fake(&app)
        .env(
            "FAKE_STDOUT",
            "ERROR on stdout\nLanguageWorkerConsoleLog quiet",
        )
        .env("FAKE_STDERR", "a Warning\nplain \u{1b}[31mred")
        .start()
        .await?;
    for (text, stream, level, has_ansi) in [
        (
            "ERROR on stdout",
            LogStream::Stdout,
            LogLevel::Information,
            false,
        ),
        (" quiet", LogStream::Stdout, LogLevel::Information, false),
        ("a Warning", LogStream::Stderr, LogLevel::Warning, false),
        (
            "plain \u{1b}[31mred",
            LogStream::Stderr,
            LogLevel::Error,
            true,
        ),
    ] {
        let record = host
            .wait_for_log(|record| record.text == text, LIMIT)
            .await?;
        assert_eq!(record.stream, stream, "{text}");
        assert_eq!(record.level, level, "{text}");
        assert_eq!(record.has_ansi, has_ansi, "{text}");
        assert_eq!(record.invocation_id, None, "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn the_last_output_of_a_dying_handler_is_not_lost() -> TestResult {
    let app = app(json!({}))?;
    // More than a pipe holds, so that the end is still in it at the exit.
    let many = "a line of the last words\n".repeat(4000);
    let host = fake(&app)
        .env("FAKE_AT_START", "exit:0")
        .env("FAKE_STDERR", format!("{many}the end"))
        .launch()?;
    host.wait_for_state(|state| *state == HandlerState::Exited, LIMIT)
        .await?;
    let logs = host.stop();
    let from_stderr = |record: &&simulator::host::LogRecord| record.stream == LogStream::Stderr;
    assert_eq!(logs.iter().filter(from_stderr).count(), 4001);
    Ok(())
}

#[tokio::test]
async fn a_manual_run_overlaps_a_scheduled_one() -> TestResult {
    let app = app(json!({}))?;
    let host = fake(&app).start().await?;
    let beside = async {
        host.wait_for_log(|record| record.text == "asked hold", LIMIT)
            .await?;
        let seen = host.invoke_manual(TimerInvocation::new()).outcome().await;
        host.invoke_manual(wish("release"))
            .outcome()
            .await
            .success()?;
        Ok::<_, Box<dyn Error>>(seen.success()?)
    };
    let (held, beside) = tokio::join!(host.invoke_timer(wish("hold")), beside);
    held.success()?;
    assert_eq!(beside?.return_value["others"], json!(["hold"]));
    Ok(())
}

#[tokio::test]
async fn scheduled_firings_wait_for_each_other_unless_the_lease_is_lost() -> TestResult {
    let app = app(json!({}))?;
    let host = fake(&app).start().await?;
    let is_held = |record: &simulator::host::LogRecord| record.text == "asked hold";
    let release = async {
        host.wait_for_log(is_held, LIMIT).await?;
        let intruder = host.invoke_timer(TimerInvocation::new().ignoring_the_lock());
        let seen = intruder.await.success()?;
        host.invoke_manual(wish("release"))
            .outcome()
            .await
            .success()?;
        Ok::<_, Box<dyn Error>>(seen)
    };
    let polite = async {
        host.wait_for_log(is_held, LIMIT).await?;
        let seen = host.invoke_timer(TimerInvocation::new()).await;
        Ok::<_, Box<dyn Error>>(seen.success()?)
    };
    let (held, polite, intruder) = tokio::join!(host.invoke_timer(wish("hold")), polite, release);
    held.success()?;
    let others = |success: InvocationSuccess| success.return_value["others"].to_string();
    assert!(others(intruder?).contains("hold"));
    let others_of_the_polite = others(polite?);
    assert!(
        !others_of_the_polite.contains("hold"),
        "{others_of_the_polite}"
    );
    Ok(())
}

#[tokio::test]
async fn stopping_kills_the_handler_and_nothing_but_the_handler() -> TestResult {
    let app = app(json!({}))?;
    // The child ends when this file goes, with the app's folder.
    let stay = app.path().join("stay");
    fs::write(&stay, "")?;
    let host = fake(&app).start().await?;
    let child = host
        .invoke_timer(wish(&format!("child:{}", stay.display())))
        .await;
    let child = child.success()?.return_value;
    let handler = host.handler_pid().ok_or("a handler")?;
    assert!(exists(handler));
    drop(host.stop());
    assert!(!exists(handler));
    let orphan = u32::try_from(child.as_u64().ok_or("a process id")?)?;
    assert!(exists(orphan));
    Ok(())
}

#[test]
fn a_host_can_be_used_and_dropped_without_a_runtime() -> TestResult {
    let app = app(json!({}))?;
    let host = fake(&app).launch()?;
    let run = host.invoke_manual(TimerInvocation::new());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let seen = runtime.block_on(run.outcome()).success()?.return_value;
    drop(runtime);
    let handler = u32::try_from(seen["pid"].as_u64().ok_or("a process id")?)?;
    assert!(exists(handler));
    drop(host);
    assert!(!exists(handler));
    Ok(())
}

#[tokio::test]
async fn an_app_that_breaks_a_rule_is_not_started() -> TestResult {
    let app = app(json!({"version": "1.0"}))?;
    let error = fake(&app).launch().err().ok_or("no error")?;
    assert!(matches!(error, HostError::App(_)), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_setting_overrides_host_json() -> TestResult {
    let app = app(json!({}))?;
    let host = fake(&app)
        .env("AzureFunctionsJobHost__functionTimeout", "00:00:07")
        .launch()?;
    assert_eq!(host.app().function_timeout, Some(Duration::from_secs(7)));
    Ok(())
}

#[test]
fn the_app_of_this_repository_is_one_that_the_host_runs_whole() -> TestResult {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let host = FunctionsHost::builder(&root)
        .executable(env!("CARGO_BIN_EXE_fake_handler"))
        .launch()?;
    let app = host.app();
    assert_eq!(app.executable_name, "terminate-clusters");
    assert_eq!(app.arguments, ["serve"]);
    assert_eq!(app.function_timeout, Some(Duration::from_secs(600)));
    let names: Vec<&str> = app
        .functions
        .iter()
        .map(|item| item.name.as_str())
        .collect();
    assert_eq!(names, ["TerminateClusters"]);
    assert!(app.functions[0].is_timer());
    let host_json: Value = serde_json::from_str(&fs::read_to_string(root.join("host.json"))?)?;
    let sampling = &host_json["logging"]["applicationInsights"]["samplingSettings"];
    assert_eq!(sampling["excludedTypes"], "Request;Trace;Exception");
    Ok(())
}

#[test]
fn the_package_holds_what_the_host_needs_and_no_sources_or_secrets() -> TestResult {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let ignored = fs::read_to_string(root.join(".funcignore"))?;
    let ignored: Vec<&str> = ignored.lines().collect();
    for left_out in [
        "local.settings.json",
        "target/",
        "src/",
        "simulator/",
        "Cargo.lock",
        ".git*",
    ] {
        assert!(ignored.contains(&left_out), "{left_out}");
    }
    for shipped in ["host.json", "TerminateClusters", "terminate-clusters"] {
        let hides = |line: &&str| line.trim_matches('/').starts_with(shipped);
        assert!(!ignored.iter().any(hides), "{shipped}");
    }
    Ok(())
}

/// A function app with one timer; `changes` are laid over its `host.json`.
fn app(changes: Value) -> Result<TempDir, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let mut host_json = json!({
        "version": "2.0",
        "customHandler": {"description": {
            "defaultExecutablePath": "fake_handler",
            "arguments": ["serve", "two words"],
        }},
    });
    lay_over(&mut host_json, changes);
    fs::write(folder.path().join("host.json"), host_json.to_string())?;
    fs::create_dir(folder.path().join("Sweep"))?;
    let function_json = json!({"bindings": [{
        "type": "timerTrigger", "direction": "in", "name": "timer", "schedule": "0 */15 * * * *",
    }]});
    let path = folder.path().join("Sweep/function.json");
    fs::write(path, function_json.to_string())?;
    Ok(folder)
}

fn lay_over(target: &mut Value, changes: Value) {
    match (target, changes) {
        (Value::Object(target), Value::Object(changes)) => {
            for (key, value) in changes {
                lay_over(target.entry(key).or_insert(Value::Null), value);
            }
        }
        (target, changes) => *target = changes,
    }
}

fn fake(app: &TempDir) -> Builder {
    FunctionsHost::builder(app.path())
        .executable(env!("CARGO_BIN_EXE_fake_handler"))
        .clear_env()
}

fn wish(text: &str) -> TimerInvocation {
    TimerInvocation::new().field("Fake", json!(text))
}

/// What the handler saw of this invocation.
async fn describe(
    host: &FunctionsHost,
    invocation: TimerInvocation,
) -> Result<Value, InvocationOutcome> {
    let success = host.invoke_timer(invocation).await.success()?;
    Ok(success.return_value)
}

async fn until_start(host: &FunctionsHost, start: u32) -> TestResult {
    let is_there = |state: &HandlerState| state.is_ready() && state.starts() == Some(start);
    host.wait_for_state(is_there, LIMIT).await?;
    Ok(())
}

/// Whether a process runs; one that is dead and not yet reaped has no file.
fn exists(pid: u32) -> bool {
    fs::read_link(format!("/proc/{pid}/exe")).is_ok()
}
