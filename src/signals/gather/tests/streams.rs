//! Streams, by what the gatherer asks of a driver for them.

use bytes::Bytes;
use http::Request;

use super::*;
use crate::decision::tests::world::idle_cluster;
use crate::spark::{SPARK_UI_PORT, org_id};
use crate::transport::MemoryTransport;

const STREAM: &str = "stream execution thread for rates [id = 1, runId = 2]";

/// Asks these questions of a driver with this thread, whose page redirects and
/// whose environment says this of the page.
async fn ask(
    questions: &[Question],
    thread: &'static str,
    shows_streams: &'static str,
) -> (Signals, Arc<MemoryTransport>) {
    let (service, transport) = service(move |request: Request<Bytes>| async move {
        let path = request.uri().path().trim_end_matches('/');
        match path.rsplit('/').next().unwrap_or_default() {
            "applications" => answer(
                200,
                "application/json",
                r#"[{"id":"app-1","attempts":[{"startTimeEpoch":5,"completed":false}]}]"#,
            ),
            "jobs" | "stages" | "sql" => answer(200, "application/json", "[]"),
            "threads" => {
                let dump = format!(r#"[{{"threadName":"{thread}","stackTrace":{{"elems":[]}}}}]"#);
                answer(200, "application/json", dump)
            }
            "environment" => {
                let set = format!(
                    r#"{{"sparkProperties":[["spark.sql.streaming.ui.enabled","{shows_streams}"]]}}"#
                );
                answer(200, "application/json", set)
            }
            "StreamingQuery" => Ok(http::Response::builder()
                .status(302)
                .header("location", "/jobs/")
                .body(Bytes::new())
                .unwrap()),
            other => panic!("nobody arranged {other}"),
        }
    });
    let org = org_id(service.base()).unwrap();
    let spark = SparkDriver::new(service.share(), org, SPARK_UI_PORT);
    let gatherer = gatherer(Some(spark));
    let mut reading = reading(&gatherer, Signals::of(idle_cluster()));
    for question in questions {
        gatherer.answer(*question, &mut reading).await;
    }
    (reading.signals, transport)
}

fn asked_of_page(transport: &MemoryTransport) -> usize {
    let is_page = |url: &url::Url| url.path().ends_with("/StreamingQuery/");
    let sent = transport.sent();
    sent.iter().filter(|request| is_page(&request.url)).count()
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_told_by_its_thread_in_whatever_order_is_asked() {
    let orders: [&[Question]; 3] = [
        &[Question::Spark, Question::Commands, Question::Streaming],
        &[Question::Spark, Question::Streaming, Question::Commands],
        &[Question::Spark, Question::Streaming],
    ];
    for order in orders {
        let (signals, transport) = ask(order, STREAM, "true").await;
        assert_eq!(signals.streaming, Signal::Known(StreamingView::Active));
        assert_eq!(signals.command, Signal::Known(None), "{order:?}");
        assert_eq!(asked_of_page(&transport), 0, "the page could say no more");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_thread_of_a_stream_page_and_environment_decide() {
    let order = [Question::Spark, Question::Commands, Question::Streaming];
    let (signals, transport) = ask(&order, "main", "true").await;
    assert_eq!(signals.streaming, Signal::Known(StreamingView::NeverAny));
    assert_eq!(asked_of_page(&transport), 1);
    let (signals, _) = ask(&order, "main", "false").await;
    assert!(signals.streaming.why().is_some());
}

#[tokio::test(start_paused = true)]
async fn no_application_means_no_word_on_streams() {
    let (signals, transport) = ask(&[Question::Streaming], STREAM, "true").await;
    assert!(signals.streaming.why().is_some());
    assert!(signals.command.why().is_some());
    assert!(transport.sent().is_empty());
}
