//! The access tokens that the pretend Entra and the managed identity have given out.
//!
//! A token is a string that only this store understands; the services look it up instead of checking a
//! signature. It looks like a JSON web token so that clients which peek into one find claims there.

use serde_json::json;

use crate::encode;

/// The application id of Azure Databricks, the audience of its tokens.
pub const DATABRICKS_APP_ID: &str = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d";

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Azure Databricks workspaces.
    Databricks,
    /// Azure Resource Manager.
    Arm,
    /// Azure Key Vault.
    Vault,
    /// Azure service management: the second header of a workspace's first call.
    Management,
    /// The same as [`Audience::Management`] without its final slash, which Databricks does not accept.
    ManagementWithoutSlash,
}

impl Audience {
    /// The audience of a v1 `resource` or of a v2 `scope` less its `/.default`.
    pub(crate) fn of_resource(resource: &str) -> Option<Self> {
        match resource {
            DATABRICKS_APP_ID => Some(Self::Databricks),
            "https://management.azure.com" | "https://management.azure.com/" => Some(Self::Arm),
            "https://vault.azure.net" | "https://vault.azure.net/" => Some(Self::Vault),
            "https://management.core.windows.net/" => Some(Self::Management),
            "https://management.core.windows.net" => Some(Self::ManagementWithoutSlash),
            _ => None,
        }
    }

    fn claim(self) -> &'static str {
        match self {
            Self::Databricks => DATABRICKS_APP_ID,
            Self::Arm => "https://management.azure.com/",
            Self::Vault => "https://vault.azure.net",
            Self::Management => "https://management.core.windows.net/",
            Self::ManagementWithoutSlash => "https://management.core.windows.net",
        }
    }
}

/// One token that was given out.
#[derive(Clone)]
pub struct Token {
    /// What a client sends.
    pub value: String,
    /// What it is good for.
    pub audience: Audience,
    /// The tenant that it speaks for.
    pub tenant: String,
    /// The name of the principal that it speaks for.
    pub principal: String,
    /// When it expires, in milliseconds since the epoch by the world's clock.
    pub expires_at_ms: i64,
    /// Whether it was taken back before that.
    pub is_revoked: bool,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token({:?} for {})", self.audience, self.principal)
    }
}

impl Token {
    pub(crate) fn issuer(&self) -> String {
        format!("https://sts.windows.net/{}/", self.tenant)
    }

    pub(crate) fn audience_claim(&self) -> &'static str {
        self.audience.claim()
    }
}

/// All tokens given out so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct TokenStore {
    tokens: Vec<Token>,
}

impl TokenStore {
    /// Gives out a token unlike any before.
    pub(crate) fn issue(
        &mut self,
        audience: Audience,
        principal: &super::Principal,
        now_ms: i64,
        lifetime_s: u32,
    ) -> Token {
        let serial = self.tokens.len();
        let expires_at_ms = now_ms + i64::from(lifetime_s) * 1000;
        let claims = json!({
            "aud": audience.claim(),
            "iss": format!("https://sts.windows.net/{}/", principal.tenant),
            "appid": principal.client_id,
            "oid": principal.object_id,
            "tid": principal.tenant,
            "iat": now_ms / 1000,
            "nbf": now_ms / 1000,
            "exp": expires_at_ms / 1000,
            "ver": "1.0",
        });
        let signature = encode::hex32_for(&format!("{serial} {now_ms} {}", principal.client_id));
        let value = format!(
            "{}.{}.{}",
            encode::base64url(br#"{"typ":"JWT","alg":"RS256","kid":"simulated"}"#),
            encode::base64url(claims.to_string().as_bytes()),
            encode::base64url(signature.as_bytes()),
        );
        let token = Token {
            value,
            audience,
            tenant: principal.tenant.clone(),
            principal: principal.name.clone(),
            expires_at_ms,
            is_revoked: false,
        };
        self.tokens.push(token.clone());
        token
    }

    pub(crate) fn find(&self, value: &str) -> Option<&Token> {
        self.tokens.iter().rev().find(|token| token.value == value)
    }

    pub(crate) fn all(&self) -> &[Token] {
        &self.tokens
    }

    pub(crate) fn all_mut(&mut self) -> &mut [Token] {
        &mut self.tokens
    }
}
