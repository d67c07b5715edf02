//! Pages as Spark cuts them, and pages that do not fit together.

use serde_json::json;

use super::*;

/// More pages than any listing has.
const MOST_PAGES: usize = 100;

/// An execution that has ended.
fn row(id: usize) -> SqlExecution {
    let row = json!({"id": id, "status": "COMPLETED", "duration": 5,
        "submissionTime": "2026-11-22T12:00:00.000GMT"});
    serde_json::from_value(row).expect("the execution has the fields that we need")
}

fn rows(ids: std::ops::Range<usize>) -> Vec<SqlExecution> {
    ids.map(row).collect()
}

fn running(id: usize) -> SqlExecution {
    let row = json!({"id": id, "status": "RUNNING"});
    serde_json::from_value(row).expect("the execution has the fields that we need")
}

/// Lists `held` as Spark does; the offsets asked for, and the ids got.
fn list(held: &[SqlExecution]) -> (Vec<usize>, Vec<i64>) {
    let mut listing = SqlListing::default();
    let mut offsets = Vec::new();
    loop {
        let offset = listing.next_offset();
        offsets.push(offset);
        let page = held.iter().skip(offset).take(SQL_PAGE).cloned().collect();
        if !listing.add(page).unwrap() {
            break;
        }
        assert!(offsets.len() < MOST_PAGES, "{offsets:?}");
    }
    let ids = listing.into_rows().iter().map(|row| row.id).collect();
    (offsets, ids)
}

#[test]
fn lists_every_row_once_however_many_pages_there_are() {
    for count in [0, 1, 19, 21, 249, 250, 251, 498, 499, 500, 1000] {
        let (offsets, ids) = list(&rows(0..count));
        let expected: Vec<i64> = (0..).take(count).collect();
        assert_eq!(ids, expected);
        assert!(offsets.len() <= count / (SQL_PAGE - 1) + 1, "{offsets:?}");
    }
    assert_eq!(list(&rows(0..20)), ((vec![0, 19]), (0..20).collect()));
    assert_eq!(list(&rows(0..249)).0, [0]);
    assert_eq!(list(&rows(0..1000)).0, [0, 249, 498, 747, 996]);
}

#[test]
fn a_row_that_runs_ends_the_listing_at_its_page() {
    let mut held = rows(0..1000);
    held[3] = running(3);
    assert_eq!(list(&held).0, [0]);
    held[3] = row(3);
    held[300] = running(300);
    let (offsets, ids) = list(&held);
    assert_eq!(offsets, [0, 249]);
    assert!(ids.contains(&300));
}

#[test]
fn a_list_that_moved_between_two_pages_is_refused() {
    let next_pages = [
        // Two rows were forgotten, so two were skipped.
        rows(251..501),
        rows(248..498),
        rows(250..260),
        vec![],
    ];
    for page in next_pages {
        let mut listing = SqlListing::default();
        assert!(listing.add(rows(0..SQL_PAGE)).unwrap());
        let why = listing.add(page).unwrap_err();
        assert!(why.0.contains("changed while they were listed"), "{why}");
    }
}

#[test]
fn an_answer_to_a_question_that_lost_its_parameters_is_all_there_is() {
    let detailed = |id: usize| {
        let row =
            json!({"id": id, "status": "COMPLETED", "planDescription": "== Physical Plan =="});
        serde_json::from_value(row).expect("the execution has the fields that we need")
    };
    let mut listing = SqlListing::default();
    let page: Vec<SqlExecution> = (0..SQL_PAGE).map(detailed).collect();
    assert!(!listing.add(page).unwrap());
    assert_eq!(listing.into_rows().len(), SQL_PAGE);
    let mut listing = SqlListing::default();
    assert!(!listing.add(rows(0..SQL_PAGE + 1)).unwrap());
    assert_eq!(listing.into_rows().len(), SQL_PAGE + 1);
}

#[test]
fn as_many_rows_as_come_unasked_are_not_taken_for_all() {
    let mut listing = SqlListing::default();
    assert!(listing.add(rows(0..20)).unwrap());
    assert!(listing.add(rows(0..20)).is_err(), "the offset was lost too");
    let mut capped = SqlListing::default();
    for from in [0, 19, 38] {
        assert!(capped.add(rows(from..from + 20)).unwrap());
    }
    assert!(!capped.add(rows(57..60)).unwrap());
    assert_eq!(capped.into_rows().len(), 60);
}

#[test]
fn a_list_without_end_is_given_up() {
    let mut listing = SqlListing::default();
    let mut pages = 0..MOST_PAGES;
    let refused = pages.find_map(|_| {
        let offset = listing.next_offset();
        let added = listing.add(rows(offset..offset + SQL_PAGE));
        assert_ne!(added, Ok(false));
        added.err()
    });
    let why = refused.expect("a page too many");
    assert!(why.0.contains("more than 10000"), "{why}");
    assert!(listing.into_rows().len() < MOST_ROWS + SQL_PAGE);
}
