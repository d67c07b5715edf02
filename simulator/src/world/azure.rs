//! Which Azure a world plays: the names of its hosts and the audiences of its tokens.
//!
//! The three that exist are written from the environments in Databricks' Go SDK
//! (`common/environment/{environments,azure}.go`) and go-autorest (`autorest/azure/environments.go`); issuers
//! from Spring Cloud Azure's and AKS Engine's checks of them. A world has one of them, and the hosts of the
//! others are as unknown there as any name that nobody arranged.

use super::FederatedCredential;

/// The names of one Azure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Azure {
    /// What `TERMINATE_CLUSTERS_CLOUD` calls it.
    pub name: &'static str,
    /// The host of Entra's token endpoint.
    pub login: &'static str,
    /// The host of Azure Resource Manager, which is also its audience.
    pub arm: &'static str,
    /// What follows a vault's name; vaults' audience, too.
    pub vaults: &'static str,
    /// What follows a workspace's numbers.
    pub workspaces: &'static str,
    /// The host in the audience for service management, which ends in a slash.
    pub management: &'static str,
    /// The host of the issuers of version 1 tokens.
    pub issuer: &'static str,
    /// The audience of federated credentials.
    pub exchange: &'static str,
}

impl Azure {
    /// The public one.
    pub const PUBLIC: Self = Self {
        name: "public",
        login: "login.microsoftonline.com",
        arm: "management.azure.com",
        vaults: "vault.azure.net",
        workspaces: "azuredatabricks.net",
        management: "management.core.windows.net",
        issuer: "sts.windows.net",
        exchange: "api://AzureADTokenExchange",
    };

    /// Azure Government.
    pub const US_GOV: Self = Self {
        name: "us-gov",
        login: "login.microsoftonline.us",
        arm: "management.usgovcloudapi.net",
        vaults: "vault.usgovcloudapi.net",
        workspaces: "databricks.azure.us",
        management: "management.core.usgovcloudapi.net",
        issuer: "sts.windows.net",
        exchange: "api://AzureADTokenExchangeUSGov",
    };

    /// China, operated by 21Vianet.
    pub const CHINA: Self = Self {
        name: "china",
        login: "login.chinacloudapi.cn",
        arm: "management.chinacloudapi.cn",
        vaults: "vault.azure.cn",
        workspaces: "databricks.azure.cn",
        management: "management.core.chinacloudapi.cn",
        issuer: "sts.chinacloudapi.cn",
        exchange: "api://AzureADTokenExchangeChina",
    };

    /// The `[cloud]` of a policy in which this one is spelled out.
    pub fn spelled_out(&self) -> String {
        let Self {
            name: _,
            login,
            arm,
            vaults,
            workspaces,
            management,
            issuer: _,
            exchange,
        } = self;
        format!(
            "[cloud]\nlogin_host = \"{login}\"\nresource_manager = \"{arm}\"\nkey_vault_suffix = \"{vaults}\"\n\
             databricks_zone = \"{workspaces}\"\ndatabricks_scope = \"{}/.default\"\n\
             resource_manager_scope = \"https://{arm}/.default\"\n\
             management_scope = \"https://{management}//.default\"\n\
             token_exchange_audience = \"{exchange}\"\n\n",
            super::DATABRICKS_APP_ID
        )
    }

    /// The issuer of a tenant's tokens.
    pub(crate) fn issuer_of(&self, tenant: &str) -> String {
        format!("https://{}/{tenant}/", self.issuer)
    }

    /// Makes of another Azure's federated credential the same one of this.
    pub(crate) fn move_credential(&self, credential: &mut FederatedCredential, from: &Self) {
        credential.issuer = credential.issuer.replace(from.login, self.login);
        if credential.audience == from.exchange {
            self.exchange.clone_into(&mut credential.audience);
        }
    }

    /// The same host in this Azure, where it is one of the other's workspaces.
    pub(crate) fn moved(&self, host: &str, from: &Self) -> String {
        match host.strip_suffix(from.workspaces) {
            Some(rest) if rest.ends_with('.') => format!("{rest}{}", self.workspaces),
            _ => host.to_owned(),
        }
    }
}
