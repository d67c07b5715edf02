//! The app settings by name, each with its default and its meaning, and the
//! variables that the platform sets.
//!
//! A variable that begins like one of ours and is none of them is refused: it
//! is most likely a typing error, and silence would leave a default in force.

use super::mistakes::Mistakes;
use super::nearest;
use super::tables;
use crate::cloud;

/// One app setting, or one variable of the platform.
#[derive(Debug, Clone, Copy)]
pub struct AppSetting {
    pub name: &'static str,
    /// Empty where there is none.
    pub default: &'static str,
    /// One line, lower case, without a full stop.
    pub meaning: &'static str,
}

const fn setting(name: &'static str, default: &'static str, meaning: &'static str) -> AppSetting {
    AppSetting {
        name,
        default,
        meaning,
    }
}

pub const MODE: AppSetting = setting(
    "TERMINATE_CLUSTERS_MODE",
    "report",
    "`report` changes nothing anywhere; `terminate` also terminates what is proven idle",
);
pub const CLOUD: AppSetting = setting(
    cloud::SETTING,
    "public",
    "the Azure cloud: `public`, `us-gov`, `china`, or `custom` with the endpoints in `[cloud]`",
);
pub const KEY_VAULT_URL: AppSetting = setting(
    "TERMINATE_CLUSTERS_KEY_VAULT_URL",
    "",
    "the vault that holds the service principal, in the public cloud `https://<name>.vault.azure.net`",
);
pub const CREDENTIAL: AppSetting = setting(
    "TERMINATE_CLUSTERS_CREDENTIAL",
    "",
    "what proves the service principal: `client-secret`, `certificate`, `managed-identity` or `federated`; absent, whichever of the first two is named",
);
pub const TENANT_ID: AppSetting = setting(
    "TERMINATE_CLUSTERS_TENANT_ID",
    "",
    "the tenant id of the service principal that is called `main`; this or `TERMINATE_CLUSTERS_TENANT_ID_SECRET`",
);
pub const TENANT_ID_SECRET: AppSetting = setting(
    "TERMINATE_CLUSTERS_TENANT_ID_SECRET",
    "",
    "the name of the secret with the tenant id, `name` or `name/version`",
);
pub const CLIENT_ID: AppSetting = setting(
    "TERMINATE_CLUSTERS_CLIENT_ID",
    "",
    "its client id, the application's GUID; this or `TERMINATE_CLUSTERS_CLIENT_ID_SECRET`",
);
pub const CLIENT_ID_SECRET: AppSetting = setting(
    "TERMINATE_CLUSTERS_CLIENT_ID_SECRET",
    "",
    "the name of the secret with the client id, `name` or `name/version`",
);
pub const CLIENT_SECRET_SECRET: AppSetting = setting(
    "TERMINATE_CLUSTERS_CLIENT_SECRET_SECRET",
    "",
    "name of the secret with the client secret, `name` or `name/version`",
);
pub const CLIENT_CERTIFICATE_SECRET: AppSetting = setting(
    "TERMINATE_CLUSTERS_CLIENT_CERTIFICATE_SECRET",
    "",
    "name of the certificate in Key Vault, whose secret holds it with its key",
);
pub const MANAGED_IDENTITY_CLIENT_ID: AppSetting = setting(
    "TERMINATE_CLUSTERS_MANAGED_IDENTITY_CLIENT_ID",
    "",
    "the client id of a user-assigned identity, which reads the vault and proves principals; absent, the system-assigned one",
);
pub const POLICY: AppSetting = setting(
    "TERMINATE_CLUSTERS_POLICY",
    "",
    "the policy itself (TOML), instead of a file",
);
pub const POLICY_FILE: AppSetting = setting(
    "TERMINATE_CLUSTERS_POLICY_FILE",
    "terminate-clusters.toml",
    "the file with the policy, relative to the folder of `host.json`",
);
pub const LOG: AppSetting = setting(
    "TERMINATE_CLUSTERS_LOG",
    "info",
    "what is logged: a level, or `target=level` pairs with commas; `warn` by default on the command line",
);

/// Every app setting of ours, in the order of the documentation.
pub const APP_SETTINGS: &[AppSetting] = &[
    MODE,
    CLOUD,
    KEY_VAULT_URL,
    CREDENTIAL,
    TENANT_ID,
    TENANT_ID_SECRET,
    CLIENT_ID,
    CLIENT_ID_SECRET,
    CLIENT_SECRET_SECRET,
    CLIENT_CERTIFICATE_SECRET,
    MANAGED_IDENTITY_CLIENT_ID,
    POLICY,
    POLICY_FILE,
    LOG,
];

pub const IDENTITY_ENDPOINT: AppSetting = setting(
    "IDENTITY_ENDPOINT",
    "",
    "where App Service hands out tokens of the managed identity; absent, the Azure CLI login is used",
);
pub const IDENTITY_HEADER: AppSetting = setting(
    "IDENTITY_HEADER",
    "",
    "the secret that goes with `IDENTITY_ENDPOINT`",
);
pub const SSL_CERT_FILE: AppSetting = setting(
    "SSL_CERT_FILE",
    "",
    "PEM file with certificate authorities to trust besides the built-in ones",
);
pub const FUNCTION_TIMEOUT: AppSetting = setting(
    "AzureFunctionsJobHost__functionTimeout",
    "",
    "overrides `functionTimeout` of `host.json`",
);
pub const PORT: AppSetting = setting(
    "FUNCTIONS_CUSTOMHANDLER_PORT",
    "",
    "the port on 127.0.0.1 that `serve` listens on",
);
pub const APP_ROOT: AppSetting = setting(
    "FUNCTIONS_APP_ROOT_PATH",
    "",
    "the folder of `host.json`; absent, the working directory",
);

/// What the platform sets and an operator normally leaves alone.
pub const PLATFORM_SETTINGS: &[AppSetting] = &[
    IDENTITY_ENDPOINT,
    IDENTITY_HEADER,
    SSL_CERT_FILE,
    FUNCTION_TIMEOUT,
    PORT,
    APP_ROOT,
];

const PREFIX: &str = "TERMINATE_CLUSTERS";

/// Whether a variable is ours to read or to complain about.
pub(super) fn concerns_us(name: &str) -> bool {
    let is_platform = |known: &AppSetting| known.name.eq_ignore_ascii_case(name);
    starts_like_ours(name) || PLATFORM_SETTINGS.iter().any(is_platform)
}

fn starts_like_ours(name: &str) -> bool {
    name.get(..PREFIX.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// What somebody writes who means to give the secret, and not its name in the vault;
/// the nearest name would be that of an id.
const SECRET_ITSELF: &str = "TERMINATE_CLUSTERS_CLIENT_SECRET";

/// Notes every variable that begins like ours and is none of them.
pub(super) fn refuse_unknown<'n>(names: impl Iterator<Item = &'n str>, mistakes: &mut Mistakes) {
    let overrides: Vec<String> = tables::overridable()
        .map(|(table, key)| tables::override_name(table, key))
        .collect();
    let listed = APP_SETTINGS.iter().map(|setting| setting.name);
    let known = listed.clone().chain(overrides.iter().map(String::as_str));
    for name in names.filter(|name| starts_like_ours(name)) {
        if !known.clone().any(|known| known == name) {
            let suggestion = if name.eq_ignore_ascii_case(SECRET_ITSELF) {
                format!(
                    "no setting holds a secret: put it into Key Vault and its name there into `{}`",
                    CLIENT_SECRET_SECRET.name
                )
            } else {
                nearest::suggestion(name, known.clone(), listed.clone())
            };
            mistakes.note_setting(name, format!("is not a setting; {suggestion}"));
        }
    }
}
