use super::*;

const ACTIVE: &str = include_str!("../../../tests/fixtures/databricks/runs_active.json");
const COMPLETED: &str = include_str!("../../../tests/fixtures/databricks/runs_completed.json");
const LIST: &str = "/api/2.2/jobs/runs/list";
const FIRST: &str = "GET /api/2.2/jobs/runs/list?active_only=true&expand_tasks=true&limit=25";

const FROM: Timestamp = Timestamp::from_millis(1_795_200_000_000);

/// The clusters that active runs name, in order.
fn named(active: &ActiveRuns) -> Vec<&str> {
    active.by_cluster.keys().map(ClusterId::as_str).collect()
}

fn ends(completed: &CompletedRuns) -> Vec<String> {
    let ends = completed.latest_end_by_cluster.iter();
    ends.map(|(id, at)| format!("{id} {}", at.as_millis()))
        .collect()
}

fn run(id: u32, cluster: &str, more: &str) -> String {
    format!(r#"{{"run_id":{id},"tasks":[{{"existing_cluster_id":"{cluster}"}}]{more}}}"#)
}

#[tokio::test(start_paused = true)]
async fn every_form_of_link_names_its_cluster() {
    let (databricks, transport) = always(200, ACTIVE);
    let active = databricks.active_runs(10).await.expect("runs");
    let lines: Vec<String> = active
        .by_cluster
        .iter()
        .map(|(cluster, run)| format!("{cluster}: {run}"))
        .collect();
    assert_eq!(
        lines,
        [
            "c-for-each: run 1001 `nightly` is RUNNING",
            "c-job-cluster: run 1001 `nightly` is RUNNING",
            "c-legacy-instance: run 1030 is TERMINATING",
            "c-legacy-spec: run 1020 `legacy` is PENDING",
            "c-queued: run 1010 `queued` is QUEUED",
            "c-task-blocked: run 1001 `nightly` is RUNNING",
            "c-task-ended: run 1001 `nightly` is RUNNING",
        ]
    );
    assert_eq!(active.pages, 1);
    assert_eq!(requests(&transport), [FIRST]);
}

#[tokio::test(start_paused = true)]
async fn active_runs_are_walked_to_the_last_page() {
    let (databricks, transport) = workspace(|_, query, _| {
        let json = match token(query) {
            "" => format!(
                r#"{{"runs":[{}],"has_more":true,"next_page_token":"2"}}"#,
                run(1, "a", "")
            ),
            "2" => r#"{"has_more":true,"next_page_token":"3"}"#.to_owned(),
            _ => format!(r#"{{"runs":[{}],"has_more":false}}"#, run(2, "b", "")),
        };
        (200, json)
    });
    let active = databricks.active_runs(3).await.expect("runs");
    assert_eq!(named(&active), ["a", "b"]);
    assert_eq!(active.pages, 3);
    assert_eq!(
        requests(&transport),
        [
            FIRST.to_owned(),
            format!("{FIRST}&page_token=2"),
            format!("{FIRST}&page_token=3"),
        ]
    );
    let error = databricks.active_runs(2).await.expect_err("the cap");
    assert!(matches!(error, RunsError::PageCap { pages: 2 }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_run_cut_at_a_hundred_tasks_is_followed() {
    let (databricks, transport) = workspace(|path, query, _| {
        let json = match (path, token(query)) {
            (LIST, _) => {
                format!(r#"{{"runs":[{}]}}"#, run(7, "a", r#","has_more":true"#))
            }
            (_, "") => run(7, "a", r#","has_more":true,"next_page_token":"p2""#),
            (_, "p2") => {
                r#"{"run_id":7,"iterations":[{"existing_cluster_id":"b"}],"next_page_token":"p3"}"#
                    .to_owned()
            }
            (_, _) => run(7, "c", ""),
        };
        (200, json)
    });
    let active = databricks.active_runs(10).await.expect("runs");
    assert_eq!(named(&active), ["a", "b", "c"]);
    assert_eq!(active.pages, 4);
    let get = "GET /api/2.2/jobs/runs/get?run_id=7";
    assert_eq!(
        requests(&transport),
        [
            FIRST.to_owned(),
            get.to_owned(),
            format!("{get}&page_token=p2"),
            format!("{get}&page_token=p3"),
        ]
    );
    let error = databricks.active_runs(3).await.expect_err("the cap");
    assert!(matches!(error, RunsError::PageCap { pages: 3 }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_cut_run_whose_rest_does_not_come_is_not_known() {
    let rests = [
        (200, run(7, "a", "")),
        (200, run(8, "a", r#","next_page_token":"p2""#)),
        (200, run(7, "a", r#","next_page_token":"same""#)),
        (200, "{}".to_owned()),
        (200, r#"{"error_code":"X","run_id":7}"#.to_owned()),
    ];
    for rest in rests {
        let shown = rest.1.clone();
        let (databricks, _) = workspace(move |path, _, _| match path {
            LIST => {
                let json = format!(r#"{{"runs":[{}]}}"#, run(7, "a", r#","has_more":true"#));
                (200, json)
            }
            _ => rest.clone(),
        });
        let error = databricks.active_runs(10).await.expect_err(&shown);
        assert!(matches!(error, RunsError::Shape(_)), "{shown}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_right_is_told_from_a_failure() {
    let denied = r#"{"error_code":"PERMISSION_DENIED","message":"no"}"#;
    let (databricks, _) = always(403, denied);
    let error = databricks.active_runs(10).await.expect_err("403");
    assert!(matches!(error, RunsError::Forbidden(_)), "{error}");
    let completed = databricks.completed_runs(FROM, 10).await;
    assert!(matches!(completed.cut_short, Some(RunsError::Forbidden(_))));

    for status in [400, 404, 500] {
        let (databricks, _) = always(status, "{}");
        let error = databricks.active_runs(10).await.expect_err("a failure");
        assert!(matches!(error, RunsError::Call(_)), "{status}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_not_understood_makes_the_walk_unknown() {
    for json in [
        r#"{"runs":[{"tasks":[]}]}"#,
        r#"{"runs":[{"run_id":"seven"}]}"#,
        r#"{"runs":[{"run_id":1,"tasks":{}}]}"#,
        r#"{"runs":[{"run_id":1,"tasks":["a"]}]}"#,
        r#"{"runs":[{"run_id":1,"has_more":"yes"}]}"#,
        r#"{"runs":[{"run_id":1,"tasks":[{"existing_cluster_id":7}]}]}"#,
        r#"{"runs":[{"run_id":1,"cluster_instance":{"cluster_id":["a"]}}]}"#,
        r#"{"runs":[null]}"#,
        r#"{"runs":[7]}"#,
        r#"{"runs":{}}"#,
        r#"{"runs":[],"has_more":true}"#,
        r#"{"runs":[],"has_more":true,"next_page_token":""}"#,
        r#"{"error_code":"TEMPORARILY_UNAVAILABLE"}"#,
        "[]",
        "null",
    ] {
        let (databricks, _) = always(200, json);
        let error = databricks.active_runs(10).await.expect_err(json);
        assert!(matches!(error, RunsError::Shape(_)), "{json}: {error}");
    }
    for json in ["{}", r#"{"has_more":false}"#, r#"{"runs":null}"#] {
        let (databricks, _) = always(200, json);
        let active = databricks.active_runs(10).await.expect(json);
        assert!(active.by_cluster.is_empty(), "{json}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_odd_name_of_a_run_does_no_harm() {
    let json = r#"{"runs":[{"run_id":1,"run_name":"x`\nERROR forged","status":"odd","state":{"life_cycle_state":"A\u001b[31m"},"cluster_instance":{"cluster_id":"a"}}]}"#;
    let (databricks, _) = always(200, json);
    let active = databricks.active_runs(10).await.expect("runs");
    let shown = active
        .by_cluster
        .values()
        .next()
        .expect("a run")
        .to_string();
    assert!(
        shown.starts_with("run 1 `x\\u{60}\\nERROR forged` is A"),
        "{shown}"
    );
    assert!(!shown.contains(['\n', '\u{1b}']), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn the_latest_end_is_of_the_clusters_own_task_where_it_has_one() {
    let (databricks, transport) = always(200, COMPLETED);
    let completed = databricks.completed_runs(FROM, 10).await;
    assert!(completed.cut_short.is_none());
    assert_eq!(
        ends(&completed),
        [
            "c-early 1795315000000",
            "c-late 1795329000000",
            "c-legacy 1795305000000",
            "c-nested 1795319000000",
            "c-no-task-end 1795330000000",
        ]
    );
    assert_eq!(
        requests(&transport),
        [
            "GET /api/2.2/jobs/runs/list?completed_only=true&start_time_from=1795200000000\
             &expand_tasks=true&limit=25"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn completed_runs_that_are_cut_short_keep_what_was_read() {
    let ended = r#","end_time":1795300000000"#;
    let first = format!(
        r#"{{"runs":[{},{{"run_id":"odd"}},{}],"has_more":true,"next_page_token":"2"}}"#,
        run(1, "a", ended),
        run(2, "b", ended),
    );
    let page = first.clone();
    let (databricks, _) = workspace(move |_, query, _| match token(query) {
        "" => (200, page.clone()),
        _ => (200, format!(r#"{{"runs":[{}]}}"#, run(3, "c", ended))),
    });
    let completed = databricks.completed_runs(FROM, 10).await;
    assert!(matches!(completed.cut_short, Some(RunsError::Shape(_))));
    assert_eq!(completed.latest_end_by_cluster.len(), 3);
    assert_eq!(completed.pages, 2);

    let page = first.replace(r#"{"run_id":"odd"},"#, "");
    let (databricks, _) = workspace(move |_, query, _| match token(query) {
        "" => (200, page.clone()),
        _ => (500, "{}".to_owned()),
    });
    let completed = databricks.completed_runs(FROM, 10).await;
    assert!(matches!(completed.cut_short, Some(RunsError::Call(_))));
    assert_eq!(completed.latest_end_by_cluster.len(), 2);
    assert_eq!(completed.pages, 2);
    let completed = databricks.completed_runs(FROM, 1).await;
    assert!(matches!(
        completed.cut_short,
        Some(RunsError::PageCap { pages: 1 })
    ));
    assert_eq!(completed.latest_end_by_cluster.len(), 2);
}
