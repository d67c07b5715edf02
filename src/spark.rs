//! Client of the Spark UI on a cluster's driver, behind the workspace's driver proxy.
//!
//! It fetches answers for `witness::spark`, which judges them, and judges
//! nothing itself. Only reads are sent, never a header beyond the token: the
//! proxy ends on a machine that its users control. Each failed call becomes a
//! reason, because without an answer the Spark witness is Unknown, and nothing
//! here is a failure of the sweep. The proxy is undocumented; its path and port
//! are those of the official CLI and of public monitoring tools.

use std::sync::Arc;

use http::Method;
use serde::de::DeserializeOwned;
use url::Url;

use crate::cluster::ClusterId;
use crate::service::{Ask, CallError, CallErrorCause, Service, Stage};
use crate::signals::Why;
use crate::transport::TransportErrorKind;
use crate::witness::spark::{
    Application, Environment, LiveApplication, SQL_PAGE, SparkAnswers, SqlExecution, SqlListing,
    StreamingPage, Thread, UiAddress, live_application, runs_a_job, runs_a_stage, runs_sql,
};

/// The port of the Spark UI on a Databricks driver, unless `spark.ui.port` moves it.
pub const SPARK_UI_PORT: u16 = 40001;

/// Bytes of an answer. The jobs are the longest, for they come all at once: a
/// thousand are half a megabyte, and their descriptions are the users' texts.
const BODY_CAP: usize = 8 * 1024 * 1024;

/// Longest id of a cluster that is taken into a path.
const MAX_CLUSTER_ID: usize = 64;

/// The workspace's number, as the driver proxy wants it: the digits of `adb-<digits>.…`.
#[must_use]
pub fn org_id(workspace: &Url) -> Option<String> {
    let (label, _) = workspace.host_str()?.split_once('.')?;
    let digits = label.strip_prefix("adb-")?;
    let is_number = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
    is_number.then(|| digits.to_owned())
}

/// Reads the Spark UI of one workspace's drivers.
#[derive(Debug, Clone)]
pub struct SparkDriver {
    service: Arc<Service>,
    org_id: String,
    port: String,
}

impl SparkDriver {
    /// A client over `service`, whose base is the workspace and whose token is
    /// the principal's that the policy names for this witness.
    #[must_use]
    pub fn new(service: Arc<Service>, org_id: String, port: u16) -> Self {
        Self {
            service,
            org_id,
            port: port.to_string(),
        }
    }

    /// Where the UI of `cluster` lives, for the judge of the streaming page.
    #[must_use]
    pub fn address(&self, cluster: &ClusterId) -> UiAddress {
        let host = self.service.base().host_str().unwrap_or_default();
        UiAddress {
            host: host.to_owned(),
            org_id: self.org_id.clone(),
            cluster: cluster.as_str().to_owned(),
            port: self.port.clone(),
        }
    }

    /// Asks for the application and its work, the short answers first: running
    /// jobs, active stages, SQL executions, and only where none of them shows work
    /// all jobs, in one answer that Spark cannot shorten. It stops at work, after
    /// which nothing could make Spark quiet, and at the first call that fails,
    /// which the answers then say.
    ///
    /// All but the first call name the application, so a driver that restarts in
    /// between answers 404 and not a mixture.
    ///
    /// # Errors
    /// No live application was found.
    pub async fn look(&self, cluster: &ClusterId) -> Result<SparkAnswers, Why> {
        let application = self.application(cluster).await?;
        let mut answers = SparkAnswers {
            application,
            jobs: Vec::new(),
            stages: Vec::new(),
            sql: Vec::new(),
            cut_short: None,
        };
        answers.cut_short = self.look_into(cluster, &mut answers).await.err();
        Ok(answers)
    }

    async fn look_into(&self, cluster: &ClusterId, answers: &mut SparkAnswers) -> Result<(), Why> {
        let id = answers.application.id.clone();
        let jobs = ["applications", &id, "jobs"];
        let running = [("status", "running")];
        let verb = "list running Spark jobs";
        answers.jobs = self.get(verb, cluster, &jobs, &running).await?;
        if runs_a_job(&answers.jobs) {
            return Ok(());
        }
        let stages = ["applications", &id, "stages"];
        let active = [("status", "active")];
        let verb = "list Spark stages";
        answers.stages = self.get(verb, cluster, &stages, &active).await?;
        if runs_a_stage(&answers.stages) {
            return Ok(());
        }
        answers.sql = self.sql(cluster, &id).await?;
        if runs_sql(&answers.sql) {
            return Ok(());
        }
        answers.jobs = self.get("list Spark jobs", cluster, &jobs, &[]).await?;
        Ok(())
    }

    /// All SQL executions, or as many pages as show one that runs. Without a length
    /// Spark 3 answers the 20 oldest only.
    async fn sql(&self, cluster: &ClusterId, id: &str) -> Result<Vec<SqlExecution>, Why> {
        let path = ["applications", id, "sql"];
        let length = SQL_PAGE.to_string();
        let mut listing = SqlListing::default();
        loop {
            let offset = listing.next_offset().to_string();
            let query = [
                ("details", "false"),
                ("planDescription", "false"),
                ("offset", offset.as_str()),
                ("length", length.as_str()),
            ];
            let page = self
                .get("list SQL executions", cluster, &path, &query)
                .await?;
            if !listing.add(page)? {
                return Ok(listing.into_rows());
            }
        }
    }

    /// Asks for the streaming page, and then whether the application is still
    /// `seen`: the page names none, and a restarted driver has forgotten its queries.
    pub async fn streaming(&self, cluster: &ClusterId, seen: &LiveApplication) -> StreamingPage {
        let page = match self.streaming_page(cluster).await {
            Ok(page) => page,
            Err(why) => return StreamingPage::Unusable(why),
        };
        match self.application(cluster).await {
            Ok(live) if live == *seen => page,
            Ok(_) => StreamingPage::Unusable(Why::new("Spark restarted while it was asked")),
            Err(why) => StreamingPage::Unusable(why),
        }
    }

    async fn streaming_page(&self, cluster: &ClusterId) -> Result<StreamingPage, Why> {
        let verb = "read the streaming page";
        // The empty segment is the slash at the end, as in Spark's own links.
        let path = self.path(cluster, &["StreamingQuery", ""])?;
        match self.service.html(ask(verb, &path, &[])).await {
            Ok(html) => Ok(StreamingPage::Html(html)),
            Err(error) => match redirect(&error) {
                Some(location) => Ok(StreamingPage::Redirect(location)),
                None => Err(explain(&error)),
            },
        }
    }

    /// Asks for the application's settings, as far as they are read.
    ///
    /// # Errors
    /// They could not be read.
    pub async fn environment(
        &self,
        cluster: &ClusterId,
        application: &LiveApplication,
    ) -> Result<Environment, Why> {
        let path = ["applications", &application.id, "environment"];
        self.get("read the Spark environment", cluster, &path, &[])
            .await
    }

    /// Asks for the driver's threads.
    ///
    /// # Errors
    /// The thread dump could not be read.
    pub async fn threads(
        &self,
        cluster: &ClusterId,
        application: &LiveApplication,
    ) -> Result<Vec<Thread>, Why> {
        let path = [
            "applications",
            &application.id,
            "executors",
            "driver",
            "threads",
        ];
        self.get("dump the driver's threads", cluster, &path, &[])
            .await
    }

    /// Asks for the application that runs on the driver.
    ///
    /// # Errors
    /// No live application was found; [`lacks_attach`] tells whether a right is missing.
    pub async fn application(&self, cluster: &ClusterId) -> Result<LiveApplication, Why> {
        let answer: Vec<Application> = self
            .get("list Spark applications", cluster, &["applications"], &[])
            .await?;
        live_application(&answer)
    }

    async fn get<T: DeserializeOwned>(
        &self,
        verb: &'static str,
        cluster: &ClusterId,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<T, Why> {
        let api = [&["api", "v1"], path].concat();
        let path = self.path(cluster, &api)?;
        let answer = self.service.json(ask(verb, &path, query)).await;
        answer.map_err(|error| explain(&error))
    }

    fn path<'a>(&'a self, cluster: &'a ClusterId, rest: &[&'a str]) -> Result<Vec<&'a str>, Why> {
        let id = cluster.as_str();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if id.is_empty() || id.len() > MAX_CLUSTER_ID || !id.chars().all(is_plain) {
            return Err(Why::new("the cluster's id is no id"));
        }
        let proxy = ["driver-proxy-api", "o", &self.org_id, id, &self.port];
        Ok([&proxy, rest].concat())
    }
}

fn ask<'a>(verb: &'static str, path: &'a [&'a str], query: &'a [(&'a str, &'a str)]) -> Ask<'a> {
    Ask {
        verb,
        stage: Stage::Spark,
        method: Method::GET,
        path,
        query,
        body: None,
        idempotent: true,
        body_cap: BODY_CAP,
        from_users: true,
        until: None,
        joining: None,
    }
}

/// Where a redirect leads, which the service doesn't follow.
fn redirect(error: &CallError) -> Option<String> {
    let answer = error.cause.answer();
    let leads = answer.filter(|answer| (300..400).contains(&answer.status))?;
    leads.location.clone()
}

/// What a reason says where the proxy refuses the principal.
const NEEDS_ATTACH: &str = " (needs CAN_ATTACH_TO on the cluster)";

/// Whether a reason of this client says that the principal lacks the right to attach.
#[must_use]
pub fn lacks_attach(why: &Why) -> bool {
    why.0.contains(NEEDS_ATTACH)
}

/// The reason for the report. What the statuses mean is third parties'
/// experience; no error body of the driver proxy is on record.
fn explain(error: &CallError) -> Why {
    let verb = error.verb;
    let clause = match &error.cause {
        CallErrorCause::Status(answer) => {
            let status = answer.status;
            let hint = match status {
                300..=399 => " (a redirect, as to a login page)",
                401 => " (the token was refused)",
                403 => NEEDS_ATTACH,
                404 => " (no Spark UI there, or another application by now)",
                429 => " (throttled)",
                502..=504 => " (the driver can't be reached)",
                _ => "",
            };
            format!("the driver proxy answered {status}{hint} to: {verb}")
        }
        CallErrorCause::NotJson { .. }
        | CallErrorCause::NotHtml { .. }
        | CallErrorCause::Shape(_) => {
            let cause = &error.cause;
            format!("the driver proxy's answer is not understood ({cause}) to: {verb}")
        }
        CallErrorCause::Transport(failed) if failed.kind == TransportErrorKind::BodyTooLarge => {
            format!("the driver proxy's answer is too long ({failed}) to: {verb}")
        }
        CallErrorCause::Transport(_)
        | CallErrorCause::Token(_)
        | CallErrorCause::TooLate
        | CallErrorCause::Deadline => {
            let cause = &error.cause;
            format!("the driver proxy gave no answer ({cause}) to: {verb}")
        }
    };
    Why::new(clause)
}

#[cfg(test)]
mod tests;
