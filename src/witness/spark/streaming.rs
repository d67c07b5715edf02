//! What the address of Spark's streaming page answers about streaming queries.
//!
//! Only this page can say that no query is active: a live query without data
//! shows neither jobs nor SQL executions, and a finished one leaves the same
//! jobs behind as a live one. So the page must be known for what it is before
//! its silence counts: a login page with status 200, a page that was cut, or a
//! layout that we don't know is Unknown. Measured on Spark 3.5.9, 4.0.1 and 4.3.0.
//!
//! Until the first query there is no page and its address redirects to the
//! jobs; where `spark.sql.streaming.ui.enabled` is off, it does so for ever
//! (`SharedState`; seen on 3.5.9 while a query lived). So a redirect is believed
//! only where no batch was seen, no thread of a stream lives and the environment
//! does not say off. What remains invisible is a page that the builder of the
//! very first session took away, on a driver whose streams' threads have other
//! names than Apache Spark's.

use url::{Host, Url};

use super::answers::{Environment, StreamingPage, UiAddress};
use crate::signals::{Signal, StreamingView, Why};
use crate::witness::refuse;

const TITLE: &str = "streaming query";
const ACTIVE_HEADING: &str = "active streaming queries";
const COMPLETED_HEADING: &str = "completed streaming queries (";

/// What the streaming page says. `NeverAny` stands only if [`never_any`] agrees.
///
/// `stream_seen`: whether the jobs or SQL executions show a batch of a stream.
/// Where the page is switched off, its address redirects as if there had never
/// been a query; a batch that was seen uncovers that.
#[must_use]
pub fn streaming(page: &StreamingPage, ui: &UiAddress, stream_seen: bool) -> Signal<StreamingView> {
    let view = match page {
        StreamingPage::Html(html) => read(html),
        StreamingPage::Redirect(location) if !leads_to_jobs(location, ui) => {
            refuse("the streaming page redirects elsewhere")
        }
        StreamingPage::Redirect(_) if stream_seen => {
            refuse("there is no streaming page, yet a stream has run")
        }
        StreamingPage::Redirect(_) => Ok(StreamingView::NeverAny),
        StreamingPage::Unusable(why) => Err(why.clone()),
    };
    match view {
        Ok(view) => Signal::Known(view),
        Err(why) => Signal::Unknown(why),
    }
}

/// What a redirect means that looks as if there had never been a query, by the
/// environment of the same application.
#[must_use]
pub fn never_any(environment: &Result<Environment, Why>) -> Signal<StreamingView> {
    match environment {
        Ok(Environment {
            shows_streams: Some(true),
        }) => Signal::Known(StreamingView::NeverAny),
        Ok(Environment {
            shows_streams: Some(false),
        }) => Signal::unknown("the streaming page is switched off on this cluster"),
        Ok(Environment {
            shows_streams: None,
        }) => Signal::unknown(
            "the driver proxy's answer is not understood (whether there would be a streaming \
             page can't be told) to: read the Spark environment",
        ),
        Err(why) => Signal::Unknown(why.clone()),
    }
}

fn read(html: &str) -> Result<StreamingView, Why> {
    let html = html.to_ascii_lowercase();
    // Each page of the UI links to the streaming page, so a mere mention proves nothing.
    let title = text_between(&html, "<title>", "</title>").unwrap_or_default();
    let is_titled = title == TITLE || title.ends_with(&format!(" - {TITLE}"));
    if !is_titled {
        return refuse("the streaming page's address answered another page");
    }
    if !html.trim_end().ends_with("</html>") {
        return refuse("the streaming page was cut");
    }
    let mut announces_active = false;
    for (at, heading) in html.match_indices(ACTIVE_HEADING) {
        match count_after(&html, at.saturating_add(heading.len())) {
            Some(0) => announces_active = true,
            Some(_) => return Ok(StreamingView::Active),
            None => return refuse("the streaming page's heading is not understood"),
        }
    }
    let mentions_active = html.contains("activequeries") || html.contains("<td>running</td>");
    if mentions_active && !announces_active {
        return refuse("the streaming page shows a query without a heading");
    }
    // Before the first query the page can be there and be empty; a table says that there was one.
    if !announces_active && !html.contains(COMPLETED_HEADING) {
        if html.contains("<table") {
            return refuse("the streaming page has a table that is not understood");
        }
        if !ends_with_its_heading(&html) {
            return refuse("the streaming page is neither empty nor understood");
        }
    }
    Ok(StreamingView::NoneActive)
}

/// Whether nothing but the frames of the layout follows the page's heading: what a
/// script fills in later looks empty to us, and to nobody else.
fn ends_with_its_heading(html: &str) -> bool {
    let Some((_, mut rest)) = html.rsplit_once("</h3>") else {
        return false;
    };
    loop {
        rest = rest.trim_start();
        let Some((tag, after)) = rest.strip_prefix('<').and_then(|tag| tag.split_once('>')) else {
            return rest.is_empty();
        };
        // Spark 4.3 shows its version and its uptime below each page.
        if tag.starts_with("footer ") {
            match after.split_once("</footer>") {
                Some((foot, below)) if !foot.contains("<script") => rest = below,
                Some(_) | None => return false,
            }
            continue;
        }
        let is_frame = matches!(tag, "/div" | "/body" | "/html")
            || (tag.starts_with("div class=") && !tag.contains(" id="));
        if !is_frame {
            return false;
        }
        rest = after;
    }
}

fn text_between<'a>(html: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let (_, rest) = html.split_once(open)?;
    let (text, _) = rest.split_once(close)?;
    Some(text.trim())
}

/// The number in parentheses that stands at `at`.
fn count_after(html: &str, at: usize) -> Option<u64> {
    let rest = html.get(at..)?.trim_start().strip_prefix('(')?;
    let (count, _) = rest.split_once(')')?;
    count.trim().parse().ok()
}

/// Whether `location` is the list of jobs of the same UI. Spark builds it from
/// the `Host` that reaches it and knows nothing of the proxy's prefix or TLS.
fn leads_to_jobs(location: &str, ui: &UiAddress) -> bool {
    let UiAddress {
        host,
        org_id,
        cluster,
        port,
    } = ui;
    let prefix = format!("/driver-proxy-api/o/{org_id}/{cluster}/{port}");
    let target = Url::parse(&format!("https://{host}{prefix}/StreamingQuery/"))
        .and_then(|page| page.join(location));
    let Ok(target) = target else {
        return false;
    };
    if is_plain_jobs_of_driver(&target, port) {
        return true;
    }
    let is_same_host = target
        .host_str()
        .is_some_and(|name| name.eq_ignore_ascii_case(host));
    let is_plain = matches!(target.scheme(), "http" | "https")
        && target.port().is_none()
        && target.username().is_empty()
        && target.password().is_none()
        && target.fragment().unwrap_or_default().is_empty();
    let query = target.query().unwrap_or_default();
    let is_harmless = query.is_empty() || query == format!("o={org_id}");
    let is_jobs = target.path() == "/jobs/" || target.path() == format!("{prefix}/jobs/");
    is_same_host && is_plain && is_harmless && is_jobs
}

/// Whether it is the list of jobs at the driver's own address, which Spark names
/// where the proxy does not pass the workspace's `Host` on: this port of a machine
/// that no one outside its network can mean.
fn is_plain_jobs_of_driver(target: &Url, port: &str) -> bool {
    let is_inside = match target.host() {
        Some(Host::Ipv4(address)) => address.is_private() || address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let is_ui = target
        .port()
        .is_some_and(|target| target.to_string() == port);
    let has_more = target.query().is_some()
        || target.fragment().is_some()
        || !target.username().is_empty()
        || target.password().is_some();
    is_inside && is_ui && target.scheme() == "http" && target.path() == "/jobs/" && !has_more
}

#[cfg(test)]
mod tests;
