//! The access tokens that the pretend Entra and the managed identity have given out.
//!
//! A token is a string that only this store understands; the services look it up instead of checking a
//! signature. It looks like a JSON web token so that clients which peek into one find claims there.

use serde_json::json;

use super::Azure;
use crate::encode;

/// The application id of Azure Databricks, the audience of its tokens.
pub const DATABRICKS_APP_ID: &str = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d";
/// What a managed identity's token is asked for that is to prove an app registration,
/// in the public cloud.
pub const TOKEN_EXCHANGE: &str = Azure::PUBLIC.exchange;
/// The application id behind [`TOKEN_EXCHANGE`], which the token names in its place.
const TOKEN_EXCHANGE_APP_ID: &str = "fb60f99c-7a34-4190-8149-302f77469936";

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
    /// Entra itself: the token of a managed identity in the place of a client secret.
    TokenExchange,
}

impl Audience {
    /// The audience of a v1 `resource` or of a v2 `scope` less its `/.default`.
    pub(crate) fn of_resource(azure: &Azure, resource: &str) -> Option<Self> {
        if resource == DATABRICKS_APP_ID {
            return Some(Self::Databricks);
        }
        if resource == azure.exchange {
            return Some(Self::TokenExchange);
        }
        let host = resource.strip_prefix("https://")?;
        let (bare, has_slash) = match host.strip_suffix('/') {
            Some(bare) => (bare, true),
            None => (host, false),
        };
        match bare {
            bare if bare == azure.arm => Some(Self::Arm),
            bare if bare == azure.vaults => Some(Self::Vault),
            bare if bare == azure.management && has_slash => Some(Self::Management),
            bare if bare == azure.management => Some(Self::ManagementWithoutSlash),
            _ => None,
        }
    }

    fn claim(self, azure: &Azure) -> String {
        match self {
            Self::Databricks => DATABRICKS_APP_ID.to_owned(),
            Self::Arm => format!("https://{}/", azure.arm),
            Self::Vault => format!("https://{}", azure.vaults),
            Self::Management => format!("https://{}/", azure.management),
            Self::ManagementWithoutSlash => format!("https://{}", azure.management),
            Self::TokenExchange => TOKEN_EXCHANGE_APP_ID.to_owned(),
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
    /// That principal's object id.
    pub object_id: String,
    /// When it expires, in milliseconds since the epoch by the world's clock.
    pub expires_at_ms: i64,
    /// Whether it was taken back before that.
    pub is_revoked: bool,
    /// Boxed, because refusals carry tokens about.
    azure: Box<Azure>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token({:?} for {})", self.audience, self.principal)
    }
}

impl Token {
    /// The issuer that this token would have in another tenant.
    pub(crate) fn issuer_in(&self, tenant: &str) -> String {
        issuer(&self.azure, self.audience, tenant)
    }

    pub(crate) fn issuer(&self) -> String {
        self.issuer_in(&self.tenant)
    }

    pub(crate) fn audience_claim(&self) -> String {
        self.audience.claim(&self.azure)
    }
}

/// Who signs: tokens for Entra itself are of the second version, all others of the first.
fn issuer(azure: &Azure, audience: Audience, tenant: &str) -> String {
    if audience == Audience::TokenExchange {
        format!("https://{}/{tenant}/v2.0", azure.login)
    } else {
        azure.issuer_of(tenant)
    }
}

/// All tokens given out so far.
#[derive(Clone, Debug)]
pub(crate) struct TokenStore {
    azure: Azure,
    tokens: Vec<Token>,
}

impl TokenStore {
    /// No token of this Azure yet.
    pub(crate) fn of(azure: Azure) -> Self {
        Self {
            azure,
            tokens: Vec::new(),
        }
    }

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
            "aud": audience.claim(&self.azure),
            "iss": issuer(&self.azure, audience, &principal.tenant),
            "appid": principal.client_id,
            "oid": principal.object_id,
            "sub": principal.object_id,
            "tid": principal.tenant,
            "iat": now_ms / 1000,
            "nbf": now_ms / 1000,
            "exp": expires_at_ms / 1000,
            "ver": if audience == Audience::TokenExchange { "2.0" } else { "1.0" },
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
            object_id: principal.object_id.clone(),
            expires_at_ms,
            is_revoked: false,
            azure: Box::new(self.azure),
        };
        self.tokens.push(token.clone());
        token
    }

    /// Knows a token of this value from now on.
    pub(crate) fn admit(
        &mut self,
        value: &str,
        audience: Audience,
        principal: &super::Principal,
        expires_at_ms: i64,
    ) {
        self.tokens.push(Token {
            value: value.to_owned(),
            audience,
            tenant: principal.tenant.clone(),
            principal: principal.name.clone(),
            object_id: principal.object_id.clone(),
            expires_at_ms,
            is_revoked: false,
            azure: Box::new(self.azure),
        });
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
