//! What ended last, what was a stream's, and how far back the lists reach.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::witness::spark::LiveApplication;

const STREAM: &str = "\nid = 83656dd0-25f3-40a4-8482-43d53b0ea9ab\n\
    runId = 99da2b92-e720-4605-9711-e988ba3e3a61\nbatch = 6";

/// 2026-11-22 12:00 UTC plus minutes.
fn at(minute: i64) -> Timestamp {
    Timestamp::from_millis(1_795_348_800_000 + minute * 60_000)
}

fn spark_time(time: Timestamp) -> String {
    time.to_string().replace('Z', ".000GMT")
}

/// A finished job of this id that ended at this minute.
fn job(id: i64, minute: i64) -> Job {
    Job {
        job_id: id,
        status: "SUCCEEDED".to_owned(),
        description: None,
        submission_time: Some(spark_time(at(minute - 1))),
        completion_time: Some(spark_time(at(minute))),
    }
}

/// A finished SQL execution of this id that ended at this minute.
fn execution(id: i64, minute: i64) -> SqlExecution {
    let row = json!({"id": id, "status": "COMPLETED",
        "submissionTime": spark_time(at(minute - 1)), "duration": 60_000});
    serde_json::from_value(row).expect("the execution has the fields that we need")
}

fn history(jobs: Vec<Job>, sql: Vec<SqlExecution>) -> History {
    let application = LiveApplication {
        id: "app-20261122115900-0000".to_owned(),
        started: at(-6000),
    };
    let answers = SparkAnswers {
        application,
        jobs,
        stages: vec![],
        sql,
        cut_short: None,
    };
    History::of(&answers, at(0)).unwrap()
}

fn forgotten_of_jobs(jobs: &[(i64, i64)]) -> Option<Timestamp> {
    let jobs = jobs.iter().map(|(id, minute)| job(*id, *minute)).collect();
    history(jobs, vec![]).forgotten_until
}

#[test]
fn lists_that_begin_with_the_first_id_and_lack_none_are_the_whole_history() {
    assert_eq!(forgotten_of_jobs(&[]), None);
    assert_eq!(forgotten_of_jobs(&[(0, -50)]), None);
    assert_eq!(forgotten_of_jobs(&[(2, -10), (1, -30), (0, -20)]), None);
}

#[test]
fn a_list_whose_first_ids_are_missing_was_cut_before_its_earliest_end() {
    assert_eq!(forgotten_of_jobs(&[(1, -50)]), Some(at(-50)));
    let rolled = [(1002, -10), (1001, -20), (1000, -30)];
    assert_eq!(forgotten_of_jobs(&rolled), Some(at(-30)));
}

#[test]
fn a_long_job_that_is_kept_does_not_hide_that_shorter_ones_were_forgotten() {
    // The first job ran for long and ended late: by the lowest id nothing is missing.
    let listed = [(1000, -10), (999, -20), (0, -15)];
    assert_eq!(forgotten_of_jobs(&listed), Some(at(-20)));
}

#[test]
fn each_list_is_judged_by_its_own_ids_and_the_later_bound_counts() {
    let whole = || vec![job(0, -90), job(1, -80)];
    let cut = || vec![job(7, -40), job(8, -30)];
    let sql = |first: i64| vec![execution(first, -60), execution(first + 1, -50)];
    assert_eq!(history(whole(), sql(0)).forgotten_until, None);
    assert_eq!(history(whole(), sql(5)).forgotten_until, Some(at(-60)));
    assert_eq!(history(cut(), sql(0)).forgotten_until, Some(at(-40)));
    assert_eq!(history(cut(), sql(5)).forgotten_until, Some(at(-40)));
}

#[test]
fn ids_that_count_from_elsewhere_are_no_whole_history() {
    for id in [-1, i64::MIN, i64::MAX] {
        assert_eq!(forgotten_of_jobs(&[(id, -50)]), Some(at(-50)), "{id}");
    }
    // A repeated row fills no gap that it is not next to.
    assert_eq!(forgotten_of_jobs(&[(2, -10), (2, -10)]), Some(at(-10)));
}

#[test]
fn what_spark_forgets_first_never_ends_last() {
    let all = [job(0, -90), job(1, -20), job(2, -40), job(3, -30)];
    let whole = history(all.to_vec(), vec![]);
    let kept = history(vec![all[3].clone(), all[1].clone()], vec![]);
    assert_eq!(whole.last_completion, Some(at(-20)));
    assert_eq!(kept.last_completion, whole.last_completion);
    assert_eq!(kept.forgotten_until, Some(at(-30)));
}

#[test]
fn an_execution_that_goes_on_under_the_word_completed_ends_now() {
    // As Spark up to 3.2 calls one whose jobs so far are done.
    let row = json!({"id": 0, "status": "COMPLETED", "submissionTime": spark_time(at(-50)),
        "duration": 50 * 60_000, "runningJobIds": [], "successJobIds": []});
    let planning = serde_json::from_value(row).unwrap();
    assert_eq!(history(vec![], vec![planning]).last_completion, Some(at(0)));
}

#[test]
fn a_stream_is_recognised_by_its_signature_anywhere_in_a_description() {
    let ids = "id = 83656dd0-25f3-40a4-8482-43d53b0ea9ab\n\
        runId = 99da2b92-e720-4605-9711-e988ba3e3a61\n";
    let streams = [
        STREAM.to_owned(),
        format!("rates{STREAM}"),
        format!("{ids}batch = init"),
        format!("a name with id = in it\n{ids}batch = 0"),
        format!("id = 83656dd0\n{ids}batch = 12\nand more"),
        STREAM.replace('\n', "<br/>"),
    ];
    for text in streams {
        assert!(is_stream_batch(&text), "{text}");
    }
    let others = [
        String::new(),
        "collect at notebook.py:17".to_owned(),
        "id = 1\nrunId = 2\nbatch = 3".to_owned(),
        ids.to_owned(),
        format!("{ids}batch = "),
        format!("{ids}batch = x"),
        STREAM.replace("runId", "runid"),
        STREAM.replace("25f3-", "25f3_"),
        STREAM.replace('\n', " "),
        "id = äöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöü".to_owned(),
    ];
    for text in others {
        assert!(!is_stream_batch(&text), "{text}");
    }
}

proptest! {
    /// Whatever Spark keeps, as long as it forgets by the end: the latest end is
    /// right, and what it forgot is within the bound.
    #[test]
    fn what_was_forgotten_ended_within_the_bound(
        ends in prop::collection::vec(-5000_i64..-1, 1..30),
        kept in 1_usize..30,
    ) {
        let mut jobs: Vec<Job> = (0..).zip(&ends).map(|(id, end)| job(id, *end)).collect();
        let whole = history(jobs.clone(), vec![]);
        prop_assert_eq!(whole.forgotten_until, None);
        jobs.sort_by_key(|job| job.completion_time.clone());
        let forgotten = jobs.len().saturating_sub(kept);
        // One that began last and ended first leaves no gap: no retention is that short.
        let last = jobs.iter().rposition(|job| job.job_id == i64::try_from(ends.len() - 1).unwrap());
        prop_assume!(last >= Some(forgotten));
        let lost = jobs.drain(..forgotten).next_back();
        let left = history(jobs, vec![]);
        prop_assert_eq!(left.last_completion, whole.last_completion);
        prop_assert_eq!(left.forgotten_until.is_some(), lost.is_some());
        let lost = lost.and_then(|job| Timestamp::parse_spark(&job.completion_time?));
        prop_assert!(lost <= left.forgotten_until);
    }
}
