//! The driver's page of structured streaming queries (measured on Spark 3.5.3).
//!
//! Until the first query of an application the page does not exist and its address redirects to the same
//! UI's jobs; where `spark.sql.streaming.ui.enabled` is off, it does so for ever (`SharedState`). Afterwards it is a page of HTML with a table of active queries, only if there is one, and a
//! table of completed ones, only if there is one. Names of queries are a user's text and are escaped.

use super::driver_proxy::{DriverVisit, page};
use crate::encode;
use crate::http::Answer;
use crate::world::{Stream, StreamingPage};

pub(super) fn answer(driver: &DriverVisit<'_>) -> Result<Answer, Answer> {
    driver.visit.check_keys(&[])?;
    let now = driver.visit.world.now();
    let spark = &driver.cluster.spark;
    let known: Vec<&Stream> = spark
        .streams
        .iter()
        .filter(|stream| stream.started <= now && spark.shows_streams())
        .collect();
    let host = &driver.visit.workspace.host;
    Ok(match &spark.streaming_page {
        StreamingPage::RedirectTo(location) => Answer::redirect(302, location),
        StreamingPage::Status(status) => page(*status, "Error"),
        StreamingPage::OtherHtml => page(200, "Databricks"),
        StreamingPage::BehindProxy if known.is_empty() => {
            Answer::redirect(302, &format!("https://{host}{}/jobs/", driver.base))
        }
        StreamingPage::Bare if known.is_empty() => {
            Answer::redirect(302, "http://10.139.64.10:40001/jobs/")
        }
        StreamingPage::BehindProxy | StreamingPage::Bare => queries(driver, &known),
    })
}

fn queries(driver: &DriverVisit<'_>, known: &[&Stream]) -> Answer {
    let now = driver.visit.world.now();
    let (active, completed): (Vec<&Stream>, Vec<&Stream>) = known
        .iter()
        .copied()
        .partition(|stream| stream.is_active(now));
    let tables = table(driver, "Active", "active", &active)
        + &table(driver, "Completed", "completed", &completed);
    Answer::html(
        200,
        format!(
            "<!DOCTYPE html><html>\n<head><meta http-equiv=\"Content-type\" content=\"text/html; charset=utf-8\"/>\
             <title>Databricks Shell - Streaming Query</title></head>\n<body>\n\
             <nav><ul><li><a href=\"{base}/jobs/\">Jobs</a></li>\
             <li><a href=\"{base}/StreamingQuery/\">Structured Streaming</a></li></ul></nav>\n\
             <h3>Streaming Query</h3>\n{tables}</body></html>\n",
            base = driver.base
        ),
    )
}

fn table(driver: &DriverVisit<'_>, title: &str, id: &str, streams: &[&Stream]) -> String {
    if streams.is_empty() {
        return String::new();
    }
    let rows: String = streams.iter().map(|stream| row(driver, stream)).collect();
    format!(
        "<span id=\"{id}\" class=\"collapse-table\"><h5 id=\"{id}queries\">\
         <span class=\"collapse-table-arrow arrow-open\"></span>\n\
         <a>{title} Streaming Queries ({count})</a></h5></span>\n\
         <div><table id=\"{id}-table\"><thead><tr><th>Name</th><th>Status</th><th>ID</th><th>Run ID</th>\
         <th>Start Time</th><th>Duration</th></tr></thead>\n<tbody>{rows}</tbody></table></div>\n",
        count = streams.len()
    )
}

fn row(driver: &DriverVisit<'_>, stream: &Stream) -> String {
    let clock = &driver.visit.world.clock;
    let status = if stream.is_active(clock.now()) {
        "RUNNING"
    } else {
        "FINISHED"
    };
    let name = stream.name.as_deref().unwrap_or("<no name>");
    let end = stream.ended.unwrap_or_else(|| clock.now());
    format!(
        "<tr><td>{name}</td><td>{status}</td><td>{id}</td>\
         <td><a href=\"{base}/StreamingQuery/statistics?id={run_id}\">{run_id}</a></td>\
         <td>{started}</td><td>{seconds} s</td></tr>",
        name = encode::html(name),
        id = stream.id,
        base = driver.base,
        run_id = stream.run_id,
        started = encode::spark_time(clock.epoch_ms(stream.started)),
        seconds = end.since(stream.started).as_secs(),
    )
}
