//! Host metrics of a cluster's machines, read through ARM.

use std::sync::Arc;

use crate::service::Service;
use crate::signals::Why;
use crate::witness::nodes::{VmMetrics, Window};

/// Reads one subscription's machines through ARM.
#[derive(Debug, Clone)]
pub struct AzureMonitor {
    service: Arc<Service>,
}

impl AzureMonitor {
    #[must_use]
    pub fn new(service: Arc<Service>) -> Self {
        Self { service }
    }

    /// # Errors
    /// The workspace resource could not be read.
    #[expect(clippy::unused_async, reason = "filled in by the next commit")]
    pub async fn managed_resource_group(&self, _resource_id: &str) -> Result<String, Why> {
        Err(Why::new(self.service.base().to_string()))
    }

    /// # Errors
    /// The metrics could not be read.
    #[expect(clippy::unused_async, reason = "filled in by the next commit")]
    pub async fn vm_metrics(
        &self,
        _managed_group: &str,
        _instance_id: &str,
        _window: &Window,
    ) -> Result<VmMetrics, Why> {
        Err(Why::new("not asked"))
    }
}
