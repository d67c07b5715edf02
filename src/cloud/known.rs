//! The clouds that Azure has, by the endpoints that Microsoft's and Databricks' SDKs
//! carry for them. Values only.

use super::{Cloud, Endpoints};

pub(super) const PUBLIC: &str = "public";
const US_GOV: &str = "us-gov";
const CHINA: &str = "china";

/// The application id of Azure Databricks, the same in every cloud.
const DATABRICKS_SCOPE: &str = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default";

impl Cloud {
    /// Azure's public cloud.
    #[must_use]
    pub fn public() -> Self {
        Self {
            name: PUBLIC,
            endpoints: Endpoints {
                login_host: "login.microsoftonline.com".into(),
                resource_manager: "management.azure.com".into(),
                key_vault_suffix: "vault.azure.net".into(),
                databricks_zone: "azuredatabricks.net".into(),
                databricks_scope: DATABRICKS_SCOPE.into(),
                resource_manager_scope: "https://management.azure.com/.default".into(),
                management_scope: "https://management.core.windows.net//.default".into(),
                token_exchange_audience: "api://AzureADTokenExchange".into(),
            },
        }
    }

    /// Azure Government.
    #[must_use]
    pub fn us_gov() -> Self {
        Self {
            name: US_GOV,
            endpoints: Endpoints {
                login_host: "login.microsoftonline.us".into(),
                resource_manager: "management.usgovcloudapi.net".into(),
                key_vault_suffix: "vault.usgovcloudapi.net".into(),
                databricks_zone: "databricks.azure.us".into(),
                databricks_scope: DATABRICKS_SCOPE.into(),
                resource_manager_scope: "https://management.usgovcloudapi.net/.default".into(),
                management_scope: "https://management.core.usgovcloudapi.net//.default".into(),
                token_exchange_audience: "api://AzureADTokenExchangeUSGov".into(),
            },
        }
    }

    /// Azure in China, operated by 21Vianet.
    #[must_use]
    pub fn china() -> Self {
        Self {
            name: CHINA,
            endpoints: Endpoints {
                login_host: "login.chinacloudapi.cn".into(),
                resource_manager: "management.chinacloudapi.cn".into(),
                key_vault_suffix: "vault.azure.cn".into(),
                databricks_zone: "databricks.azure.cn".into(),
                databricks_scope: DATABRICKS_SCOPE.into(),
                resource_manager_scope: "https://management.chinacloudapi.cn/.default".into(),
                management_scope: "https://management.core.chinacloudapi.cn//.default".into(),
                token_exchange_audience: "api://AzureADTokenExchangeChina".into(),
            },
        }
    }

    /// The clouds that need no spelling out, the public one first.
    #[must_use]
    pub fn known() -> [Self; 3] {
        [Self::public(), Self::us_gov(), Self::china()]
    }

    /// What `az cloud set --name` takes, where the Azure CLI knows this cloud.
    #[must_use]
    pub fn azure_cli_name(&self) -> Option<&'static str> {
        match self.name {
            PUBLIC => Some("AzureCloud"),
            US_GOV => Some("AzureUSGovernment"),
            CHINA => Some("AzureChinaCloud"),
            _ => None,
        }
    }
}
