//! Spark's answers as two versions give them, and each sentence of the design's
//! paragraph on Spark as a test.

use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;

const STREAM: &str = "\nid = 83656dd0-25f3-40a4-8482-43d53b0ea9ab\n\
    runId = 99da2b92-e720-4605-9711-e988ba3e3a61\nbatch = 6";

macro_rules! recorded {
    ($name:literal) => {
        [
            parse(include_str!(concat!(
                "../../../tests/fixtures/spark/3.5.9/",
                $name
            ))),
            parse(include_str!(concat!(
                "../../../tests/fixtures/spark/4.0.1/",
                $name
            ))),
        ]
    };
}

fn parse<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).expect("the recording is of the shape that we read")
}

/// 2026-11-22 12:00 UTC plus minutes.
fn at(minute: i64) -> Timestamp {
    Timestamp::from_millis(1_795_348_800_000 + minute * 60_000)
}

fn spark_time(time: Timestamp) -> String {
    time.to_string().replace('Z', ".000GMT")
}

fn job(id: i64, status: &str, submitted: Timestamp, completed: Option<Timestamp>) -> Job {
    Job {
        job_id: id,
        status: status.to_owned(),
        description: None,
        submission_time: Some(spark_time(submitted)),
        completion_time: completed.map(spark_time),
    }
}

fn stage(id: i64, status: &str) -> SparkStage {
    SparkStage {
        stage_id: id,
        status: status.to_owned(),
        submission_time: Some(spark_time(at(0))),
    }
}

fn execution(id: i64, status: &str, submitted: Timestamp, millis: i64) -> SqlExecution {
    sql(
        json!({"id": id, "status": status, "submissionTime": spark_time(submitted), "duration": millis}),
    )
}

fn sql(value: Value) -> SqlExecution {
    serde_json::from_value(value).expect("the execution has the fields that we need")
}

fn idle() -> SparkAnswers {
    SparkAnswers {
        application: LiveApplication {
            id: "app-20261122115900-0000".to_owned(),
            started: at(-600),
        },
        jobs: vec![job(0, "SUCCEEDED", at(-300), Some(at(-290)))],
        stages: vec![],
        sql: vec![execution(0, "COMPLETED", at(-300), 500_000)],
        cut_short: None,
    }
}

fn judged(answers: SparkAnswers) -> Signal<SparkView> {
    judge(&Ok(answers), at(0))
}

#[track_caller]
fn view(answers: SparkAnswers) -> SparkView {
    match judged(answers) {
        Signal::Known(view) => view,
        Signal::Unknown(why) => panic!("unknown: {why}"),
        Signal::NotAsked => panic!("not asked"),
    }
}

#[track_caller]
fn assert_unknown(answers: SparkAnswers, part: &str) {
    let signal = judged(answers);
    match signal.why() {
        Some(why) => assert!(why.0.contains(part), "{why}"),
        None => panic!("{signal:?} is not unknown"),
    }
}

#[test]
fn finds_the_live_application_in_what_spark_answers() {
    let [old, new]: [Vec<Application>; 2] = recorded!("applications.json");
    let live = live_application(&old).unwrap();
    assert_eq!(live.id, "local-1795368967080");
    assert_eq!(live.started, Timestamp::from_millis(1_795_368_965_234));
    assert!(live_application(&new).is_ok());
}

#[test]
fn refuses_applications_of_which_not_exactly_one_is_live() {
    let application = |id: &str, completed: &[Value]| {
        let attempts: Vec<Value> = completed
            .iter()
            .map(|completed| json!({"startTimeEpoch": 5, "completed": completed}))
            .collect();
        json!({"id": id, "attempts": attempts})
    };
    let (live, done) = (json!(false), json!(true));
    let cases = [
        (json!([]), "no Spark application"),
        (json!([{"id": "app-1"}]), "no Spark application"),
        (
            json!([application("app-1", std::slice::from_ref(&done))]),
            "no Spark application",
        ),
        (
            json!([application("app-1", &[live.clone(), live.clone()])]),
            "several",
        ),
        (
            json!([
                application("app-1", std::slice::from_ref(&live)),
                application("app-2", std::slice::from_ref(&live))
            ]),
            "several",
        ),
        (
            json!([application("app-1", &[Value::Null])]),
            "does not say",
        ),
        (
            json!([application("", std::slice::from_ref(&live))]),
            "is no id",
        ),
        (
            json!([application("..", std::slice::from_ref(&live))]),
            "is no id",
        ),
        (
            json!([application("a/b", std::slice::from_ref(&live))]),
            "is no id",
        ),
        (
            json!([application(&"a".repeat(129), std::slice::from_ref(&live))]),
            "is no id",
        ),
    ];
    for (answer, expected) in cases {
        let why = live_application(&parse::<Vec<Application>>(&answer.to_string())).unwrap_err();
        assert!(why.0.contains(expected), "{answer}: {why}");
    }
    let restarted = json!([application("app-1", &[live, done])]);
    assert!(live_application(&parse::<Vec<Application>>(&restarted.to_string())).is_ok());
}

#[test]
fn reads_the_start_of_the_application_from_either_spelling() {
    let start = |attempt: Value| {
        let answer = json!([{"id": "app-1", "attempts": [attempt]}]).to_string();
        live_application(&parse::<Vec<Application>>(&answer)).map(|live| live.started)
    };
    let text = "2026-11-22T12:00:00.000GMT";
    let epoch = at(0).as_millis();
    let both = json!({"completed": false, "startTime": text, "startTimeEpoch": epoch});
    assert_eq!(start(both), Ok(at(0)));
    assert_eq!(
        start(json!({"completed": false, "startTime": text})),
        Ok(at(0))
    );
    assert_eq!(
        start(json!({"completed": false, "startTimeEpoch": epoch})),
        Ok(at(0))
    );
    let unreadable = [
        json!({"completed": false}),
        json!({"completed": false, "startTime": "2026-11-22T12:00:00.000Z"}),
        json!({"completed": false, "startTimeEpoch": -1}),
    ];
    for attempt in unreadable {
        assert!(start(attempt).is_err());
    }
}

#[test]
fn a_driver_at_rest_is_quiet_since_its_last_completion() {
    let view = view(idle());
    let expected = SparkView {
        application_started: at(-600),
        busy: None,
        last_completion: Some(at(-290)),
        ran_a_job: true,
        last_stream_batch: None,
        forgotten_until: None,
    };
    assert_eq!(view, expected);
}

#[test]
fn an_application_in_which_nothing_ran_has_no_completion() {
    let answers = SparkAnswers {
        jobs: vec![],
        sql: vec![],
        ..idle()
    };
    let view = view(answers);
    assert_eq!((view.last_completion, view.ran_a_job), (None, false));
}

#[test]
fn the_latest_of_jobs_and_sql_counts_and_submission_where_no_end_is_told() {
    let cases = [
        (job(1, "SUCCEEDED", at(-50), Some(at(-40))), at(-40)),
        (job(1, "FAILED", at(-50), None), at(-50)),
    ];
    for (job, expected) in cases {
        let mut answers = idle();
        answers.jobs.push(job);
        assert_eq!(view(answers).last_completion, Some(expected));
    }
    let mut answers = idle();
    answers
        .sql
        .push(execution(1, "FAILED", at(-50), 20 * 60_000));
    assert_eq!(view(answers).last_completion, Some(at(-30)));
    let mut answers = idle();
    let submitted = spark_time(at(-20));
    answers.sql.push(sql(
        json!({"id": 1, "status": "COMPLETED", "submissionTime": submitted}),
    ));
    assert_eq!(view(answers).last_completion, Some(at(-20)));
}

#[test]
fn a_running_job_is_busy_whatever_its_task_counts_say() {
    let recordings: [Vec<Job>; 2] = recorded!("jobs_running.json");
    for jobs in recordings {
        let now = Timestamp::parse_spark("2026-11-22T18:00:00.000GMT").unwrap();
        assert!(runs_a_job(&jobs));
        let answers = SparkAnswers { jobs, ..idle() };
        let signal = judge(&Ok(answers), now);
        let work = signal.known().and_then(|view| view.busy.clone()).unwrap();
        assert_eq!(
            (work.kind, work.label.as_str()),
            (SparkWorkKind::Job, "job 3")
        );
        assert!(work.since.is_some_and(|since| since < now));
    }
}

#[test]
fn an_active_stage_is_busy_whatever_its_task_counts_say() {
    let recordings: [Vec<SparkStage>; 2] = recorded!("stages_active.json");
    for stages in recordings {
        let answers = SparkAnswers { stages, ..idle() };
        let work = view(answers).busy.unwrap();
        assert_eq!(
            (work.kind, work.label.as_str()),
            (SparkWorkKind::Stage, "stage 4")
        );
    }
}

#[test]
fn a_running_sql_execution_is_busy() {
    let mut answers = idle();
    answers.sql.push(execution(8, "RUNNING", at(-5), 300_000));
    let expected = SparkWork {
        kind: SparkWorkKind::Sql,
        label: "SQL execution 8".to_owned(),
        since: Some(at(-5)),
    };
    assert_eq!(view(answers).busy, Some(expected));
}

#[test]
fn of_several_kinds_the_job_is_named_and_of_several_jobs_the_oldest() {
    let mut answers = idle();
    answers.sql.push(execution(8, "RUNNING", at(-50), 300_000));
    answers.stages.push(stage(4, "ACTIVE"));
    answers.jobs.push(job(7, "RUNNING", at(-5), None));
    answers.jobs.push(job(6, "RUNNING", at(-9), None));
    let mut undated = job(5, "RUNNING", at(0), None);
    undated.submission_time = None;
    answers.jobs.push(undated);
    let work = view(answers).busy.unwrap();
    assert_eq!((work.label.as_str(), work.since), ("job 6", Some(at(-9))));
}

#[test]
fn what_the_recorded_drivers_at_rest_answer_is_quiet() {
    let jobs: [Vec<Job>; 2] = recorded!("jobs_done.json");
    let stages: [Vec<SparkStage>; 2] = recorded!("stages_none.json");
    let sql: [Vec<SqlExecution>; 2] = recorded!("sql_done.json");
    let now = Timestamp::parse_spark("2026-11-22T18:00:00.000GMT").unwrap();
    for ((jobs, stages), sql) in jobs.into_iter().zip(stages).zip(sql) {
        let mut answers = idle();
        (answers.jobs, answers.stages, answers.sql) = (jobs, stages, sql);
        let signal = judge(&Ok(answers), now);
        let view = signal.known().unwrap();
        assert_eq!(
            (&view.busy, view.ran_a_job, view.last_stream_batch),
            (&None, true, None)
        );
        let end = view.last_completion.unwrap();
        let recorded = Timestamp::parse_spark("2026-11-22T17:36:17.439GMT").unwrap();
        assert!(end >= recorded && end < now);
    }
}

#[test]
fn a_driver_that_keeps_no_finished_job_is_unknown() {
    let mut answers = idle();
    answers.jobs.clear();
    assert_eq!(
        view(answers.clone()).last_completion,
        Some(at(-300).plus(Duration::from_secs(500)))
    );
    for ids in ["successJobIds", "failedJobIds"] {
        let row = json!({"id": 0, "status": "COMPLETED", "submissionTime": spark_time(at(-300)),
            "duration": 5, ids: [0, 1]});
        answers.sql = vec![sql(row)];
        assert_unknown(answers.clone(), "keeps none of its finished jobs");
    }
}

#[test]
fn a_history_that_was_cut_is_told_with_the_bound_of_what_was_forgotten() {
    assert_eq!(view(idle()).forgotten_until, None);
    let mut answers = idle();
    answers
        .jobs
        .push(job(1000, "SUCCEEDED", at(-100), Some(at(-99))));
    let view = view(answers);
    assert_eq!(view.forgotten_until, Some(at(-290)));
    assert!(view.ran_a_job, "what is forgotten has run");
}

#[test]
fn an_unknown_status_makes_a_quiet_spark_unknown() {
    for status in ["UNKNOWN", "succeeded", "", "QUEUED"] {
        let mut answers = idle();
        answers.jobs.push(job(1, status, at(-50), Some(at(-40))));
        assert_unknown(answers, "a Spark job has the status");
        let mut answers = idle();
        answers.stages.push(stage(1, status));
        assert_unknown(answers, "a Spark stage has the status");
        let mut answers = idle();
        answers.sql.push(execution(1, status, at(-50), 5));
        assert_unknown(answers, "a Spark SQL execution has the status");
    }
    let mut answers = idle();
    for status in ["PENDING", "COMPLETE", "FAILED", "SKIPPED"] {
        answers.stages.push(stage(1, status));
    }
    assert_eq!(view(answers).busy, None);
}

#[test]
fn a_hostile_status_is_escaped_and_cut() {
    let status = format!("X\n\u{1b}[31mERROR{}", "x".repeat(500));
    let mut answers = idle();
    answers.jobs.push(job(1, &status, at(-50), None));
    let signal = judged(answers);
    let why = &signal.why().unwrap().0;
    assert!(why.len() < 120 && !why.contains(char::is_control), "{why}");
}

#[test]
fn an_unreadable_time_makes_a_quiet_spark_unknown() {
    let unreadable = [
        "",
        "soon",
        "2026-11-22T12:00:00.000Z",
        "2026-11-22T12:00:00.000 GMT",
    ];
    for text in unreadable {
        let mut answers = idle();
        answers.jobs[0].completion_time = Some(text.to_owned());
        assert_unknown(answers, "unreadable");
        let mut answers = idle();
        answers.jobs[0].submission_time = Some(text.to_owned());
        assert_unknown(answers, "unreadable");
        let mut answers = idle();
        answers.sql[0].submission_time = Some(text.to_owned());
        assert_unknown(answers, "no readable time");
    }
    let mut answers = idle();
    answers.sql[0].submission_time = None;
    assert_unknown(answers, "no readable time");
    let mut answers = idle();
    (
        answers.jobs[0].submission_time,
        answers.jobs[0].completion_time,
    ) = (None, None);
    assert_unknown(answers, "has no time");
    let mut answers = idle();
    answers.sql[0].duration = Some(-1);
    assert_unknown(answers, "ended before its start");
}

#[test]
fn times_up_to_five_minutes_ahead_count_as_now_and_others_are_unknown() {
    let mut answers = idle();
    answers.jobs[0].completion_time = Some(spark_time(at(5)));
    assert_eq!(view(answers.clone()).last_completion, Some(at(0)));
    answers.jobs[0].completion_time = Some(spark_time(at(5).plus(Duration::from_secs(1))));
    assert_unknown(answers, "ahead of now");
    let mut answers = idle();
    answers.sql[0] = execution(0, "COMPLETED", at(-1), 6 * 60_000);
    assert_eq!(view(answers.clone()).last_completion, Some(at(0)));
    answers.sql[0] = execution(0, "COMPLETED", at(-1), i64::MAX);
    assert_unknown(answers, "ahead of now");
    let mut answers = idle();
    answers.application.started = at(5);
    assert_eq!(view(answers.clone()).application_started, at(0));
    answers.application.started = at(6);
    assert_unknown(answers, "start lies ahead");
}

#[test]
fn a_look_that_was_cut_short_is_unknown_unless_it_saw_work() {
    let cut = Some(Why::new("the driver proxy answered 404"));
    let mut answers = SparkAnswers {
        cut_short: cut,
        ..idle()
    };
    assert_unknown(answers.clone(), "answered 404");
    answers.jobs.push(job(7, "RUNNING", at(-5), None));
    assert!(view(answers).busy.is_some());
    let failed = Err(Why::new("the driver proxy answered 503"));
    let signal = judge(&failed, at(0));
    assert_eq!(signal, Signal::unknown("the driver proxy answered 503"));
}

#[test]
fn work_that_is_seen_counts_even_where_the_rest_is_not_understood() {
    let mut answers = idle();
    answers.application.started = at(90);
    answers.jobs[0].status = "UNKNOWN".to_owned();
    answers.jobs[0].completion_time = Some("soon".to_owned());
    answers.jobs.push(job(7, "RUNNING", at(90), None));
    let view = view(answers);
    assert_eq!(view.busy.unwrap().since, Some(at(0)));
    assert_eq!(view.application_started, at(0));
}

#[test]
fn sql_executions_of_which_only_the_oldest_were_listed_are_unknown() {
    let row = |plan: &str| {
        sql(
            json!({"id": 1, "status": "COMPLETED", "submissionTime": spark_time(at(-9)),
            "duration": 1, "planDescription": plan, "nodes": []}),
        )
    };
    let answers = |rows: usize, plan: &str| SparkAnswers {
        sql: vec![row(plan); rows],
        ..idle()
    };
    // Where one parameter was lost, nobody knows which of the others were.
    for rows in [20, 21, 250, 251] {
        let cut = answers(rows, "== Physical Plan ==");
        assert_unknown(cut, "not listed in full");
    }
    for (rows, plan) in [(19, "== Physical Plan =="), (20, ""), (300, "")] {
        assert_eq!(view(answers(rows, plan)).busy, None);
    }
}

#[test]
fn finds_the_batches_of_a_stream_in_recorded_jobs_and_sql() {
    let jobs: [Vec<Job>; 2] = recorded!("jobs_stream.json");
    let sql: [Vec<SqlExecution>; 2] = recorded!("sql_stream.json");
    let now = Timestamp::parse_spark("2026-11-22T18:00:00.000GMT").unwrap();
    for (jobs, sql) in jobs.into_iter().zip(sql) {
        let alone = [(jobs, vec![]), (idle().jobs, sql)];
        for (jobs, sql) in alone {
            let answers = SparkAnswers {
                jobs,
                sql,
                ..idle()
            };
            let signal = judge(&Ok(answers), now);
            let view = signal.known().unwrap();
            assert!(view.last_stream_batch.is_some());
            assert_eq!(view.last_stream_batch, view.last_completion);
        }
    }
}

#[test]
fn rows_with_the_fields_of_a_later_spark_mean_the_same() {
    let parsed = |text: &str| -> SparkView {
        let sql: Vec<SqlExecution> = parse(text);
        assert!(!sql.is_empty());
        let now = Timestamp::parse_spark("2026-11-23T00:00:00.000GMT").unwrap();
        let jobs = Vec::new();
        let mut answers = SparkAnswers {
            jobs,
            sql,
            ..idle()
        };
        answers.application.started = now.minus(Duration::from_hours(4));
        // The jobs that these rows name.
        let named = 0..20;
        answers.jobs = named
            .map(|id| job(id, "SUCCEEDED", now.minus(Duration::from_hours(4)), None))
            .collect();
        judge(&Ok(answers), now).known().unwrap().clone()
    };
    let done = parsed(include_str!(
        "../../../tests/fixtures/spark/4.3.0/sql_done.json"
    ));
    assert_eq!((done.busy, done.last_stream_batch), (None, None));
    assert!(done.ran_a_job && done.last_completion.is_some());
    let stream = parsed(include_str!(
        "../../../tests/fixtures/spark/4.3.0/sql_stream.json"
    ));
    assert!(stream.last_stream_batch.is_some());
    assert_eq!(stream.last_stream_batch, stream.last_completion);
}

#[test]
fn the_latest_batch_of_a_stream_is_told_apart_from_other_work() {
    let mut answers = idle();
    answers.jobs.push(Job {
        description: Some(format!("rates{STREAM}")),
        ..job(1, "SUCCEEDED", at(-200), Some(at(-199)))
    });
    answers
        .jobs
        .push(job(2, "SUCCEEDED", at(-100), Some(at(-99))));
    let view = view(answers);
    assert_eq!(view.last_stream_batch, Some(at(-199)));
    assert_eq!(view.last_completion, Some(at(-99)));
}

fn a_status() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("SUCCEEDED".to_owned()),
        Just("COMPLETED".to_owned()),
        Just("COMPLETE".to_owned()),
        Just("FAILED".to_owned()),
        Just("RUNNING".to_owned()),
        Just("ACTIVE".to_owned()),
        ".*",
    ]
}

fn a_time() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        Just(None),
        (-100_000_i64..10).prop_map(|minute| Some(spark_time(at(minute)))),
        ".*".prop_map(Some),
    ]
}

proptest! {
    #[test]
    fn quiet_is_claimed_only_when_everything_is_understood(
        jobs in prop::collection::vec((a_status(), a_time(), a_time()), 0..4),
        rows in prop::collection::vec((a_status(), a_time(), any::<Option<i32>>()), 0..4),
    ) {
        let jobs: Vec<Job> = (0..)
            .zip(jobs)
            .map(|(job_id, (status, submission_time, completion_time))| Job {
                job_id,
                status,
                description: None,
                submission_time,
                completion_time,
            })
            .collect();
        let rows: Vec<SqlExecution> = (0..)
            .zip(rows)
            .map(|(id, (status, time, duration)): (i64, _)| {
                sql(json!({"id": id, "status": status, "submissionTime": time, "duration": duration}))
            })
            .collect();
        let answers = SparkAnswers { jobs: jobs.clone(), sql: rows.clone(), ..idle() };
        let runs = runs_a_job(&jobs) || rows.iter().any(|row| row.status == "RUNNING");
        match judged(answers) {
            Signal::Known(view) if view.busy.is_some() => prop_assert!(runs),
            Signal::Known(view) => {
                prop_assert!(!runs);
                let finished = ["SUCCEEDED", "COMPLETED", "FAILED"];
                for status in jobs.iter().map(|job| &job.status).chain(rows.iter().map(|row| &row.status)) {
                    prop_assert!(finished.contains(&status.as_str()));
                }
                for text in jobs.iter().filter_map(|job| job.completion_time.as_deref()) {
                    let end = Timestamp::parse_spark(text);
                    prop_assert!(end.is_some_and(|end| Some(end.min(at(0))) <= view.last_completion));
                }
            }
            Signal::Unknown(_) => prop_assert!(!runs),
            Signal::NotAsked => prop_assert!(false),
        }
    }
}

#[test]
fn longest_id_of_an_application_is_an_id() {
    let live = json!({"completed": false, "startTime": spark_time(at(-600))});
    let id = "a".repeat(MAX_ID_CHARS);
    let answer = json!([{"id": id, "attempts": [live]}]).to_string();
    let live = live_application(&parse::<Vec<Application>>(&answer));
    assert_eq!(live.map(|live| live.id), Ok(id));
}

#[test]
fn epoch_of_zero_is_no_start_of_an_application() {
    let attempt = json!({"completed": false, "startTimeEpoch": 0});
    let answer = json!([{"id": "app-1", "attempts": [attempt]}]).to_string();
    assert!(live_application(&parse::<Vec<Application>>(&answer)).is_err());
}

#[test]
fn work_under_way_is_told_from_work_that_ended() {
    let stages = |status: &str| runs_a_stage(&[stage(0, "COMPLETE"), stage(1, status)]);
    assert!(stages("ACTIVE"));
    for ended in ["COMPLETE", "FAILED", "SKIPPED", "PENDING"] {
        assert!(!stages(ended), "{ended}");
    }
    let jobs =
        |status: &str| runs_a_job(&[job(0, "FAILED", at(-9), None), job(1, status, at(-9), None)]);
    assert!(jobs("RUNNING"));
    assert!(!jobs("SUCCEEDED"));
    let executions = |status: &str| {
        runs_sql(&[
            execution(0, "FAILED", at(-9), 5),
            execution(1, status, at(-9), 5),
        ])
    };
    assert!(executions("RUNNING"));
    assert!(!executions("COMPLETED"));
    assert!(!runs_a_job(&[]) && !runs_a_stage(&[]) && !runs_sql(&[]));
}
