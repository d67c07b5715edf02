//! The two headers by which a contributor on a workspace's resource becomes a
//! member of it, and an admin at that, with the first call that carries them.
//!
//! Databricks documents the effect under "admin user login" for service principals
//! on Azure; its SDKs send the headers with every call, we with none but the one of
//! `grant::join`. They must never reach a machine that its users control.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::identity::Token;
use crate::transport::TransportError;

const MANAGEMENT_TOKEN: HeaderName =
    HeaderName::from_static("x-databricks-azure-sp-management-token");
const RESOURCE_ID: HeaderName = HeaderName::from_static("x-databricks-azure-workspace-resource-id");

/// The second token, and the resource on which its principal is a contributor.
#[derive(Debug, Clone)]
pub struct Joining {
    management: Token,
    resource_id: String,
}

impl Joining {
    /// For `grant::join` alone, which says when this may be sent.
    #[must_use]
    pub fn new(management: Token, resource_id: String) -> Self {
        Self {
            management,
            resource_id,
        }
    }

    pub(super) fn token(&self) -> &Token {
        &self.management
    }

    pub(super) fn add_to(&self, headers: &mut HeaderMap) -> Result<(), TransportError> {
        let mut token = HeaderValue::from_str(self.management.expose())
            .map_err(|_| TransportError::refused("the management token is no header value"))?;
        token.set_sensitive(true);
        let resource_id = HeaderValue::from_str(&self.resource_id)
            .map_err(|_| TransportError::refused("the resource id is no header value"))?;
        headers.insert(MANAGEMENT_TOKEN, token);
        headers.insert(RESOURCE_ID, resource_id);
        Ok(())
    }
}
