//! The two headers by which a contributor on a workspace's resource becomes a
//! member of it, and an admin at that, with the first call that carries them.
//!
//! Databricks documents the effect under "admin user login" for service principals
//! on Azure; its SDKs send the headers with every call, we with none but the one of
//! `grant::join`. They must never reach a machine that its users control.

use http::HeaderValue;
use http::request::Builder;

use crate::identity::Token;
use crate::transport::TransportError;

const MANAGEMENT_TOKEN: &str = "X-Databricks-Azure-SP-Management-Token";
const RESOURCE_ID: &str = "X-Databricks-Azure-Workspace-Resource-Id";

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

    pub(super) fn add_to(&self, request: Builder) -> Result<Builder, TransportError> {
        let mut token = HeaderValue::from_str(self.management.expose())
            .map_err(|_| TransportError::refused("the management token is no header value"))?;
        token.set_sensitive(true);
        let resource_id = HeaderValue::from_str(&self.resource_id)
            .map_err(|_| TransportError::refused("the resource id is no header value"))?;
        Ok(request
            .header(MANAGEMENT_TOKEN, token)
            .header(RESOURCE_ID, resource_id))
    }
}
