//! The driver's Spark UI behind the workspace's driver proxy.

use std::sync::Arc;

use url::Url;

use crate::cluster::ClusterId;
use crate::service::Service;
use crate::signals::Why;
use crate::witness::spark::{LiveApplication, SparkAnswers, StreamingPage, Thread, UiAddress};

/// The port of the Spark UI on a Databricks driver.
pub const SPARK_UI_PORT: u16 = 40001;

/// The workspace's number, as the driver proxy wants it: the digits of `adb-<digits>.…`.
#[must_use]
pub fn org_id(_workspace: &Url) -> Option<String> {
    None
}

/// Reads the Spark UI of one workspace's drivers.
#[derive(Debug, Clone)]
pub struct SparkDriver {
    service: Arc<Service>,
    org_id: String,
    port: u16,
}

impl SparkDriver {
    #[must_use]
    pub fn new(service: Arc<Service>, org_id: String, port: u16) -> Self {
        Self {
            service,
            org_id,
            port,
        }
    }

    /// Where the UI of `cluster` lives, for the judge of the streaming page.
    #[must_use]
    pub fn address(&self, cluster: &ClusterId) -> UiAddress {
        UiAddress {
            host: self
                .service
                .base()
                .host_str()
                .unwrap_or_default()
                .to_owned(),
            org_id: self.org_id.clone(),
            cluster: cluster.as_str().to_owned(),
            port: self.port,
        }
    }

    /// # Errors
    /// No live application could be found.
    #[expect(clippy::unused_async, reason = "filled in by the next commit")]
    pub async fn look(&self, _cluster: &ClusterId) -> Result<SparkAnswers, Why> {
        Err(Why::new("not asked"))
    }

    #[expect(clippy::unused_async, reason = "filled in by the next commit")]
    pub async fn streaming(&self, _cluster: &ClusterId, _seen: &LiveApplication) -> StreamingPage {
        StreamingPage::Unusable(Why::new("not asked"))
    }

    /// # Errors
    /// The thread dump could not be read.
    #[expect(clippy::unused_async, reason = "filled in by the next commit")]
    pub async fn threads(
        &self,
        _cluster: &ClusterId,
        _application: &LiveApplication,
    ) -> Result<Vec<Thread>, Why> {
        Err(Why::new("not asked"))
    }
}
