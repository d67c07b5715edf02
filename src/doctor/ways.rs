//! The ways to one workspace, each with the token of the principal that may use it.
//!
//! The typed clients stand on them, and so does whoever records raw answers. The
//! driver's way exists only where the policy names a principal for it.

use std::sync::Arc;

use tokio::time::Instant;
use url::Url;

use crate::azure_monitor::{AzureMonitor, Throttles};
use crate::databricks::Databricks;
use crate::identity::{Audience, TokenSource};
use crate::service::{Lane, Service};
use crate::spark::{SPARK_UI_PORT, SparkDriver, org_id};
use crate::transport::Network;

/// Who asks what of a workspace.
#[derive(Debug, Clone)]
pub(super) struct Askers {
    /// The workspace's API and ARM.
    pub(super) main: Arc<dyn TokenSource>,
    /// The drivers; `None` where the policy names nobody.
    pub(super) spark: Option<Arc<dyn TokenSource>>,
}

/// The ways to one workspace.
#[derive(Debug, Clone)]
pub(super) struct Ways {
    pub(super) api: Arc<Service>,
    /// The workspace's driver proxy.
    pub(super) drivers: Option<Arc<Service>>,
    pub(super) arm: Option<Arc<Service>>,
    pub(super) lane: Arc<Lane>,
    url: Url,
}

impl Ways {
    pub(super) fn to(network: &Network, url: &Url, askers: &Askers, deadline: Instant) -> Self {
        let lane = Arc::new(Lane::new(&network.limits, deadline));
        let service = |tokens: &Arc<dyn TokenSource>, audience: Audience, base: &Url| {
            let (tokens, lane) = (Arc::clone(tokens), Arc::clone(&lane));
            Service::new(network.clone(), tokens, audience, base.clone(), lane).share()
        };
        let arm = network.cloud.resource_manager();
        Self {
            api: service(&askers.main, Audience::Databricks, url),
            drivers: askers
                .spark
                .as_ref()
                .map(|tokens| service(tokens, Audience::Databricks, url)),
            arm: arm.map(|base| service(&askers.main, Audience::Arm, &base)),
            lane,
            url: url.clone(),
        }
    }

    pub(super) fn databricks(&self) -> Databricks {
        Databricks::new(Arc::clone(&self.api))
    }

    pub(super) fn spark(&self) -> Option<SparkDriver> {
        let service = self.drivers.as_ref()?;
        let org = self.org_id()?;
        Some(SparkDriver::new(Arc::clone(service), org, SPARK_UI_PORT))
    }

    pub(super) fn monitor(&self) -> Option<AzureMonitor> {
        let service = self.arm.as_ref()?;
        Some(AzureMonitor::new(Arc::clone(service), Throttles::default()))
    }

    /// The workspace's number.
    pub(super) fn org_id(&self) -> Option<String> {
        org_id(&self.url)
    }
}
