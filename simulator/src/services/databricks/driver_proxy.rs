//! The driver proxy: `/driver-proxy-api/o/{org}/{cluster}/{port}/…`, the way to a driver's own web server.
//!
//! Only a RUNNING cluster's driver answers, and only those who may attach to the cluster get through. The
//! bodies of the proxy's own errors are not documented; pages of HTML stand in for them.

use super::Visit;
use super::{real, spark, streaming};
use crate::encode;
use crate::http::Answer;
use crate::world::{Cluster, DriverProxy, Permission};

/// The port of the Spark UI on Databricks.
const UI_PORT: &str = "40001";

/// A request that has come through to a driver's Spark UI.
pub(super) struct DriverVisit<'v> {
    pub(super) visit: &'v Visit<'v>,
    pub(super) cluster: &'v Cluster,
    /// The path as the driver sees it, cut at its slashes, without empty segments.
    pub(super) segments: Vec<&'v str>,
    /// The prefix of this UI's own addresses, as the proxy's clients see it.
    pub(super) base: String,
}

pub(super) fn answer(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let path = visit.request.path.as_str();
    let mut segments = path.trim_start_matches('/').split('/').skip(1);
    let (Some("o"), Some(org), Some(id), Some(port)) = (
        segments.next(),
        segments.next(),
        segments.next(),
        segments.next(),
    ) else {
        return Err(Answer::unarranged(format!(
            "the driver proxy's path {path}"
        )));
    };
    if visit.request.method != "GET" {
        return Err(Answer::unarranged(format!(
            "{} {path}: a driver is only read",
            visit.request.method
        )));
    }
    if org != visit.workspace.id.to_string() && org != "0" {
        return Err(page(404, "Workspace not found"));
    }
    let cluster = visit
        .workspace
        .clusters
        .iter()
        .find(|cluster| cluster.id == id)
        .ok_or_else(|| page(404, "Cluster not found"))?;
    if visit.permission(cluster) < Permission::CanAttachTo {
        return Err(page(403, "Permission denied"));
    }
    if cluster.state_at(visit.world.now()) != "RUNNING" {
        return Err(page(503, "Cluster is not running"));
    }
    if port != UI_PORT {
        return echo(visit, cluster, port);
    }
    match cluster.driver {
        DriverProxy::Reachable => {}
        DriverProxy::Status(status) => return Err(page(status, "Driver proxy error")),
        DriverProxy::Html => return Err(page(200, "Databricks")),
        DriverProxy::Hang => return Err(Answer::hang()),
    }
    let base = format!("/driver-proxy-api/o/{org}/{id}/{port}");
    if let Some(upstream) = cluster.spark.upstream {
        let path = path.strip_prefix(&base).unwrap_or_default();
        return real::answer(visit.request, path, upstream);
    }
    let segments = segments.filter(|segment| !segment.is_empty()).collect();
    ui(&DriverVisit {
        visit,
        cluster,
        segments,
        base,
    })
}

/// What the server of the cluster's users answers: the names of the headers, and no value.
fn echo(visit: &Visit<'_>, cluster: &Cluster, port: &str) -> Result<Answer, Answer> {
    let Some(echo) = cluster.echo else {
        return Err(Answer::unarranged(format!("the port {port} of a driver")));
    };
    if port != echo.port.to_string() {
        return Err(page(502, "Bad gateway"));
    }
    let names = visit.request.headers.keys().map(|name| name.as_str());
    let names: Vec<&str> = names
        .filter(|name| echo.gets_authorization || *name != "authorization")
        .collect();
    let body = serde_json::json!({ "probe": "terminate-clusters", "headers": names });
    Ok(Answer::json(200, &body))
}

fn ui(driver: &DriverVisit<'_>) -> Result<Answer, Answer> {
    match driver.segments.as_slice() {
        ["api", "v1", rest @ ..] => spark::answer(driver, rest),
        ["StreamingQuery"] => streaming::answer(driver),
        _ => Err(Answer::unarranged(format!(
            "{} on a driver",
            driver.visit.request.path
        ))),
    }
}

/// A page of HTML with a title.
pub(super) fn page(status: u16, title: &str) -> Answer {
    let title = encode::html(title);
    Answer::html(
        status,
        format!(
            "<html><head><title>{title}</title></head><body><h2>HTTP {status}</h2>{title}</body></html>"
        ),
    )
}
