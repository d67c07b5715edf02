//! Everything that a driver answers: applications, jobs, stages, SQL executions,
//! environment, threads, the streaming page. What works is never quiet, and what
//! is not understood is unknown.
#![no_main]

use std::sync::Arc;

use http::Request;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use terminate_clusters::cluster::ClusterId;
use terminate_clusters::signals::{Signal, SparkView, StreamingView};
use terminate_clusters::spark::{SPARK_UI_PORT, SparkDriver};
use terminate_clusters::witness::spark::{
    CLOCK_TOLERANCE, StreamingPage, judge, never_any, running_command, stream_lives, streaming,
};
use terminate_clusters_fuzz::{Answers, NOW, answer, assert_is_shown_safely, json, run, workspace};

const APPLICATIONS: usize = 0;
const JOBS: usize = 1;
const STAGES: usize = 2;
const SQL: usize = 3;
const ENVIRONMENT: usize = 4;
const THREADS: usize = 5;
const PAGE: usize = 6;

fuzz_target!(|data: &[u8]| {
    let answers = Answers::of(data);
    let driver = driver(&answers);
    let cluster = ClusterId::new("1122-080000-fuzz0001");
    let look = run(driver.look(&cluster));
    let view = judge(&look, NOW);
    assert_eq!(
        judge(&run(driver.look(&cluster)), NOW),
        view,
        "judged twice"
    );
    assert_work_is_no_quiet(&answers, &view);
    assert_streams_are_seen(&answers, &driver, &cluster);
    if let Ok(look) = look {
        let page = run(driver.streaming(&cluster, &look.application));
        let seen = streaming(&page, &driver.address(&cluster), true);
        assert_reason_is_shown_safely(&seen);
        let environment = run(driver.environment(&cluster, &look.application));
        assert_reason_is_shown_safely(&never_any(&environment));
        let threads = run(driver.threads(&cluster, &look.application));
        let command = running_command(&threads);
        assert_reason_is_shown_safely(&command);
        if let Signal::Known(Some(thread)) = &command {
            assert_is_shown_safely(thread);
        }
        let _ = threads.is_ok_and(|threads| stream_lives(&threads));
    }
});

fn driver(answers: &Answers) -> SparkDriver {
    let answers = answers.clone();
    let service = workspace(move |request: &Request<_>| {
        let path = request.uri().path();
        let number = match path
            .rsplit('/')
            .find(|part| !part.is_empty())
            .unwrap_or_default()
        {
            "applications" => APPLICATIONS,
            "jobs" => JOBS,
            "stages" => STAGES,
            "sql" => SQL,
            "environment" => ENVIRONMENT,
            "threads" => THREADS,
            _ => return answer(200, "text/html", answers.body(PAGE)),
        };
        json(answers.body(number))
    });
    SparkDriver::new(
        Arc::clone(&service),
        "5555555555555555".to_owned(),
        SPARK_UI_PORT,
    )
}

/// A view without work needs three lists in which everything says that it is over.
fn assert_work_is_no_quiet(answers: &Answers, view: &Signal<SparkView>) {
    assert_reason_is_shown_safely(view);
    let Signal::Known(view) = view else { return };
    assert!(view.application_started <= NOW.plus(CLOCK_TOLERANCE));
    if let Some(work) = &view.busy {
        assert_is_shown_safely(&work.label);
        return;
    }
    for (number, over) in [
        (JOBS, &["SUCCEEDED", "FAILED"][..]),
        (STAGES, &["PENDING", "COMPLETE", "FAILED", "SKIPPED"]),
        (SQL, &["COMPLETED", "FAILED"]),
    ] {
        let Some(list) = answers.plain(number) else {
            continue;
        };
        for row in list.as_array().expect("quiet without a list") {
            let status = row
                .get("status")
                .and_then(Value::as_str)
                .unwrap_or_default();
            assert!(over.contains(&status), "quiet with {row}");
            let running = row.get("runningJobIds").and_then(Value::as_array);
            assert!(
                number != SQL || running.is_none_or(Vec::is_empty),
                "quiet with {row}"
            );
        }
    }
    let never = view
        .last_completion
        .is_none_or(|last| last <= NOW.plus(CLOCK_TOLERANCE));
    assert!(never, "work that ends in the future: {view:?}");
}

/// The page is believed to be silent only if it names no active query.
fn assert_streams_are_seen(answers: &Answers, driver: &SparkDriver, cluster: &ClusterId) {
    let Some(html) = answers.text(PAGE) else {
        return;
    };
    let page = StreamingPage::Html(html.to_owned());
    let seen = streaming(&page, &driver.address(cluster), false);
    assert_reason_is_shown_safely(&seen);
    match seen {
        Signal::Known(StreamingView::NoneActive) => {
            let html = html.to_ascii_lowercase();
            assert!(
                html.trim_end().ends_with("</html>"),
                "a page that was cut is silent"
            );
            let headings = html.split("active streaming queries").skip(1);
            for after in headings {
                let count = after.trim_start().trim_start_matches('(');
                let count: String = count
                    .trim_start()
                    .chars()
                    .take_while(char::is_ascii_digit)
                    .collect();
                assert_eq!(count.parse(), Ok(0_u64), "silent, though active: {after}");
            }
        }
        Signal::Known(StreamingView::NeverAny) => panic!("a page says that there is no page"),
        Signal::Known(StreamingView::Active) | Signal::Unknown(_) | Signal::NotAsked => {}
    }
}

fn assert_reason_is_shown_safely<T>(signal: &Signal<T>) {
    if let Some(why) = signal.why() {
        assert_is_shown_safely(&why.to_string());
    }
}
