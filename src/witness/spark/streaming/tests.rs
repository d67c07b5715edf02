//! The streaming page as three versions of Spark answer it, and what must not pass for it.

use super::*;

const ACTIVE: [&str; 3] = [
    include_str!("../../../../tests/fixtures/spark/3.5.9/streaming_active.html"),
    include_str!("../../../../tests/fixtures/spark/4.0.1/streaming_active.html"),
    include_str!("../../../../tests/fixtures/spark/4.3.0/streaming_active.html"),
];
const STOPPED: [&str; 3] = [
    include_str!("../../../../tests/fixtures/spark/3.5.9/streaming_stopped.html"),
    include_str!("../../../../tests/fixtures/spark/4.0.1/streaming_stopped.html"),
    include_str!("../../../../tests/fixtures/spark/4.3.0/streaming_stopped.html"),
];
const TOUCHED: [&str; 3] = [
    include_str!("../../../../tests/fixtures/spark/3.5.9/streaming_touched.html"),
    include_str!("../../../../tests/fixtures/spark/4.0.1/streaming_touched.html"),
    include_str!("../../../../tests/fixtures/spark/4.3.0/streaming_touched.html"),
];
const BEFORE: [&str; 3] = [
    include_str!("../../../../tests/fixtures/spark/3.5.9/streaming_before.txt"),
    include_str!("../../../../tests/fixtures/spark/4.0.1/streaming_before.txt"),
    include_str!("../../../../tests/fixtures/spark/4.3.0/streaming_before.txt"),
];

fn ui() -> UiAddress {
    UiAddress {
        host: "adb-5555555555555555.19.azuredatabricks.net".to_owned(),
        org_id: "5555555555555555".to_owned(),
        cluster: "0915-021615-abcd1234".to_owned(),
        port: "40001".to_owned(),
    }
}

fn page(html: &str) -> Signal<StreamingView> {
    streaming(&StreamingPage::Html(html.to_owned()), &ui(), false)
}

fn redirect(location: &str) -> Signal<StreamingView> {
    streaming(&StreamingPage::Redirect(location.to_owned()), &ui(), false)
}

#[track_caller]
fn assert_unknown(signal: &Signal<StreamingView>) {
    assert!(signal.why().is_some(), "{signal:?} is not unknown");
}

#[test]
fn a_page_with_active_queries_is_active() {
    for html in ACTIVE {
        assert_eq!(page(html), Signal::Known(StreamingView::Active));
    }
}

#[test]
fn a_page_of_stopped_queries_has_none_active() {
    for html in STOPPED {
        assert_eq!(page(html), Signal::Known(StreamingView::NoneActive));
    }
}

#[test]
fn a_page_that_is_empty_before_the_first_query_has_none_active() {
    for html in TOUCHED {
        assert_eq!(page(html), Signal::Known(StreamingView::NoneActive));
    }
}

#[test]
fn a_page_that_is_yet_to_be_filled_is_not_taken_for_an_empty_one() {
    for html in TOUCHED {
        let end = html.rfind("</body>").unwrap();
        for filled_later in [
            "<div id=\"root\"></div><script src=\"/static/app.js\"></script>",
            "<script>load()</script>",
            "<p>Loading</p>",
            "<iframe src=\"/x\"></iframe>",
            "<noscript></noscript>",
            "<footer class=\"x\"><script>load()</script></footer>",
            "<footer class=\"x\">",
        ] {
            let (head, tail) = html.split_at(end);
            assert_unknown(&page(&format!("{head}{filled_later}{tail}")));
        }
        let heading = html.find("<h3").unwrap();
        let body = html.find("<body").unwrap();
        let without_heading = format!(
            "{}{}",
            &html[..heading],
            &html[html.rfind("</h3>").unwrap() + 5..]
        );
        assert_unknown(&page(&without_heading));
        let shell = format!(
            "{}<body><div id=\"root\"></div></body></html>",
            &html[..body]
        );
        assert_unknown(&page(&shell));
    }
}

#[test]
fn the_number_in_the_heading_decides() {
    let with = |count: &str| ACTIVE[0].replace("Queries (1)", &format!("Queries {count}"));
    for count in ["(2)", "(117)", " ( 3 )"] {
        assert_eq!(page(&with(count)), Signal::Known(StreamingView::Active));
    }
    for count in ["", "(", "(some)", "(-1)"] {
        assert_unknown(&page(&with(count)));
    }
    let none = ACTIVE[0].replace(
        "Active Streaming Queries (1)",
        "Active Streaming Queries (0)",
    );
    assert_eq!(page(&none), Signal::Known(StreamingView::NoneActive));
}

#[test]
fn a_page_that_was_cut_is_unknown() {
    for html in ACTIVE.iter().chain(&STOPPED).chain(&TOUCHED) {
        let whole = html.trim_end();
        for length in (0..whole.len()).step_by(97) {
            let cut = &whole[..length];
            assert_unknown(&page(cut));
        }
    }
}

#[test]
fn a_layout_that_is_not_understood_is_unknown() {
    for html in ACTIVE {
        // The heading in other words, as a changed UI would have it.
        let renamed = html.replace("Active Streaming Queries", "Running queries");
        assert_unknown(&page(&renamed));
        let without_marks = renamed
            .replace("activeQueries", "x")
            .replace("activequeries", "x");
        assert_unknown(&page(&without_marks));
        let without_status = without_marks.replace("RUNNING", "Running since 5 s");
        assert_unknown(&page(&without_status));
    }
}

#[test]
fn an_active_query_beside_completed_ones_is_never_overlooked() {
    for (active, stopped) in ACTIVE.iter().zip(STOPPED) {
        let (_, completed) = stopped.split_once("<span id=\"completed\"").unwrap();
        let both = active.replace("</body>", &format!("<span {completed}</body>"));
        assert_eq!(page(&both), Signal::Known(StreamingView::Active));
        let renamed = both.replace("Active Streaming Queries", "Running queries");
        assert_unknown(&page(&renamed));
    }
}

#[test]
fn other_pages_with_status_200_are_unknown() {
    let jobs_page = TOUCHED[0]
        .replace("Shell - Streaming Query<", "Shell - Spark Jobs<")
        .replace(
            "                Streaming Query\n",
            "                Spark Jobs\n",
        );
    assert!(
        jobs_page.contains("Structured Streaming"),
        "each page links to it"
    );
    let statistics = STOPPED[0].replace(" - Streaming Query<", " - Streaming Query Statistics<");
    let pages = [
        "",
        "<html><head><title>Login - Databricks</title></head><body></body></html>",
        "<html><body>Structured Streaming: Streaming Query</body></html>",
        "<html><head><title>Streaming Query - Databricks Shell</title></head></html>",
        "<html><head><title>Databricks Shell -Streaming Query Login</title></head></html>",
        &jobs_page,
        &statistics,
    ];
    for html in pages {
        assert_unknown(&page(html));
    }
}

#[test]
fn a_name_chosen_by_a_user_can_only_keep_the_cluster() {
    let html = STOPPED[0].replace("<td>rates</td>", "<td>Active Streaming Queries (7)</td>");
    assert_eq!(page(&html), Signal::Known(StreamingView::Active));
    let html = ACTIVE[0].replace("<td>rates</td>", "<td>Completed Streaming Queries (7)</td>");
    assert_eq!(page(&html), Signal::Known(StreamingView::Active));
    let html = ACTIVE[0].replace("<td>rates</td>", "<td>Active Streaming Queries (0)</td>");
    assert_eq!(page(&html), Signal::Known(StreamingView::Active));
}

#[test]
fn a_redirect_to_the_same_uis_jobs_means_that_there_was_never_a_query() {
    let host = ui().host;
    let prefix = "/driver-proxy-api/o/5555555555555555/0915-021615-abcd1234/40001";
    let locations = [
        "/jobs/".to_owned(),
        format!("{prefix}/jobs/"),
        "../jobs/".to_owned(),
        format!("https://{host}/jobs/"),
        format!("https://{host}:443/jobs/"),
        format!("http://{host}/jobs/"),
        format!("https://{host}{prefix}/jobs/"),
        format!("//{host}{prefix}/jobs/"),
        format!("https://{host}{prefix}/jobs/?o=5555555555555555"),
        "/jobs/?#".to_owned(),
    ];
    for location in locations {
        assert_eq!(
            redirect(&location),
            Signal::Known(StreamingView::NeverAny),
            "{location}"
        );
    }
}

#[test]
fn a_redirect_to_the_jobs_at_the_drivers_own_address_is_that_of_the_same_ui() {
    let locations = [
        "http://10.139.64.10:40001/jobs/",
        "http://172.16.5.4:40001/jobs/",
        "http://192.168.0.4:40001/jobs/",
        "http://127.0.0.1:40001/jobs/",
        "http://[::1]:40001/jobs/",
        "http://localhost:40001/jobs/",
    ];
    for location in locations {
        let never = Signal::Known(StreamingView::NeverAny);
        assert_eq!(redirect(location), never, "{location}");
    }
    let others = [
        "http://20.50.2.1:40001/jobs/",
        "http://172.32.5.4:40001/jobs/",
        "http://169.254.169.254:40001/jobs/",
        "http://10.139.64.10/jobs/",
        "http://10.139.64.10:4040/jobs/",
        "http://10.139.64.10:40001/jobs",
        "http://10.139.64.10:40001/jobs/job/",
        "http://10.139.64.10:40001/login.html",
        "http://10.139.64.10:40001/jobs/?o=5555555555555555",
        "http://10.139.64.10:40001/jobs/#x",
        "http://user@10.139.64.10:40001/jobs/",
        "http://:word@10.139.64.10:40001/jobs/",
        "https://10.139.64.10:40001/jobs/",
        "ftp://10.139.64.10:40001/jobs/",
        "http://driver:40001/jobs/",
        "http://localhost.evil.example:40001/jobs/",
        "http://10.139.64.10.evil.example:40001/jobs/",
    ];
    for location in others {
        assert_unknown(&redirect(location));
    }
}

#[test]
fn the_recorded_redirect_is_spark_s_host_and_the_path_of_the_jobs() {
    for head in BEFORE {
        let location = head
            .lines()
            .find_map(|line| line.strip_prefix("Location: "))
            .expect("the recording has a Location");
        let (_, path) = location.split_at("http://127.0.0.1:4040".len());
        let behind_proxy = format!("http://{}{path}", ui().host);
        assert_eq!(
            redirect(&behind_proxy),
            Signal::Known(StreamingView::NeverAny)
        );
        assert_unknown(&redirect(location));
    }
}

#[test]
fn any_other_redirect_is_unknown() {
    let host = ui().host;
    let other_cluster = "/driver-proxy-api/o/5555555555555555/0915-021615-other999/40001/jobs/";
    let locations = [
        String::new(),
        "/".to_owned(),
        "/jobs".to_owned(),
        "jobs/".to_owned(),
        "/login.html".to_owned(),
        "/login.html?next_url=/jobs/".to_owned(),
        "/jobs/?next=/login.html".to_owned(),
        "/jobs/?o=1".to_owned(),
        "/jobs/#job/7".to_owned(),
        "/jobs/job/?id=7".to_owned(),
        other_cluster.to_owned(),
        "https://adb-1.2.azuredatabricks.net/jobs/".to_owned(),
        "//evil.example/jobs/".to_owned(),
        "\\\\evil.example/jobs/".to_owned(),
        format!("https://{host}.evil.example/jobs/"),
        format!("https://{host}@evil.example/jobs/"),
        format!("https://user@{host}/jobs/"),
        format!("https://{host}:8443/jobs/"),
        format!("ftp://{host}/jobs/"),
        "http://[".to_owned(),
    ];
    for location in locations {
        let signal = redirect(&location);
        assert!(signal.why().is_some(), "{location}: {signal:?}");
    }
}

#[test]
fn a_redirect_although_a_stream_has_run_is_unknown() {
    let page = StreamingPage::Redirect("/jobs/".to_owned());
    assert_unknown(&streaming(&page, &ui(), true));
    // The page itself is believed: a stream that has run may have ended.
    let page = StreamingPage::Html(STOPPED[0].to_owned());
    let signal = streaming(&page, &ui(), true);
    assert_eq!(signal, Signal::Known(StreamingView::NoneActive));
}

#[test]
fn a_call_that_failed_is_unknown_with_its_reason() {
    let why = Why::new("the driver proxy answered 503");
    let signal = streaming(&StreamingPage::Unusable(why.clone()), &ui(), false);
    assert_eq!(signal, Signal::Unknown(why));
}

#[test]
fn each_trace_of_an_active_query_needs_its_heading() {
    for trace in ["<span id=\"activeQueries\"></span>", "<td>RUNNING</td>"] {
        let html = STOPPED[0].replace("</body>", &format!("{trace}</body>"));
        assert_ne!(html, STOPPED[0]);
        assert_unknown(&page(&html));
    }
}

#[test]
fn that_there_was_never_a_query_is_believed_only_where_a_page_could_appear() {
    let by = |shows_streams| never_any(&Ok(Environment { shows_streams }));
    assert_eq!(by(Some(true)), Signal::Known(StreamingView::NeverAny));
    let off = by(Some(false));
    assert!(
        off.why().is_some_and(|why| why.0.contains("switched off")),
        "{off:?}"
    );
    assert_unknown(&by(None));
    let why = Why::new("the driver proxy answered 404");
    assert_eq!(never_any(&Err(why.clone())), Signal::Unknown(why));
}
