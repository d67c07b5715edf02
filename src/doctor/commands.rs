//! The commands that a finding prints: each can be copied, and each exists.
//!
//! Words in capitals are to be filled in, because nothing here knows them. What
//! stands in a command from outside is quoted for a POSIX shell. Pure.

use std::time::Duration;

use crate::escape::{shell_option, shell_word as word};
use crate::identity::SecretName;
use crate::timestamp::Timestamp;

const DAY: Duration = Duration::from_hours(24);
/// For how long a new client secret is made, which is what Azure takes where nobody says.
const SECRET_LASTS: Duration = DAY.saturating_mul(365);

/// The option that names a workspace.
fn of(workspace: &str) -> String {
    shell_option("--workspace", workspace)
}

/// Makes the service principal a member with workspace access.
pub(super) fn grant_membership(workspace: &str) -> String {
    format!("terminate-clusters grant {} --apply", of(workspace))
}

/// Makes it a member by its own right on the workspace's Azure resource.
pub(super) fn grant_by_itself(workspace: &str) -> String {
    format!("terminate-clusters grant --self {} --apply", of(workspace))
}

/// Makes it a workspace admin.
pub(super) fn grant_admin(workspace: &str) -> String {
    format!("terminate-clusters grant {} --admin --apply", of(workspace))
}

/// Gives it `CAN_RESTART` on the all-purpose clusters that exist.
pub(super) fn grant_termination(workspace: &str) -> String {
    format!(
        "terminate-clusters grant {} --clusters all-purpose --apply",
        of(workspace)
    )
}

/// Shows, with an admin's login, on which clusters it lacks that right.
pub(super) fn show_termination(workspace: &str) -> String {
    format!(
        "terminate-clusters grant {} --clusters all-purpose",
        of(workspace)
    )
}

/// Gives the Spark witness's principal `CAN_ATTACH_TO`.
pub(super) fn grant_evidence(workspace: &str) -> String {
    format!(
        "terminate-clusters grant {} --evidence --apply",
        of(workspace)
    )
}

/// Looks again, at one workspace.
pub(super) fn doctor_of(workspace: &str) -> String {
    format!("terminate-clusters doctor {}", of(workspace))
}

/// Records what the workspace answers, without its values.
pub(super) fn record(workspace: &str) -> String {
    format!(
        "terminate-clusters doctor {} --record FOLDER",
        of(workspace)
    )
}

/// Shows whether a token reaches the machines behind the driver proxy.
pub(super) fn probe(workspace: &str) -> String {
    format!(
        "terminate-clusters doctor {} --probe-proxy CLUSTER PORT",
        of(workspace)
    )
}

/// Looks again.
pub(super) fn doctor() -> String {
    "terminate-clusters doctor".to_owned()
}

/// Lets the application read metrics and machines of a subscription. Not of the managed
/// resource group, where Azure denies that a role is ever taken back.
pub(super) fn monitoring_reader(client_id: Option<&str>, subscription: &str) -> String {
    format!(
        "az role assignment create --role 'Monitoring Reader' --assignee {} --scope /subscriptions/{}",
        client_id.map_or("CLIENT_ID".to_owned(), word),
        word(subscription)
    )
}

/// Who reads the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// The Function App's managed identity.
    FunctionApp,
    /// Whoever has run `az login`.
    AzureCli,
}

/// Lets the reader read the secrets of a vault. `identity`: the client id of the
/// user-assigned identity that reads.
pub(super) fn secrets_user(reader: Reader, identity: Option<&str>, vault: &str) -> String {
    let assignee = match (reader, identity) {
        (Reader::FunctionApp, None) => {
            "--assignee-object-id \"$(az functionapp identity show --name APP --resource-group GROUP --query principalId --output tsv)\" --assignee-principal-type ServicePrincipal".to_owned()
        }
        (Reader::FunctionApp, Some(client_id)) => format!("--assignee {}", word(client_id)),
        (Reader::AzureCli, _) => {
            "--assignee \"$(az ad signed-in-user show --query id --output tsv)\"".to_owned()
        }
    };
    format!(
        "az role assignment create --role 'Key Vault Secrets User' {assignee} --scope \"$(az keyvault show --name {} --query id --output tsv)\"",
        word(vault)
    )
}

/// Gives the reader somebody to be.
pub(super) fn login(reader: Reader, identity: Option<&str>) -> String {
    match (reader, identity) {
        (Reader::FunctionApp, None) => {
            "az functionapp identity assign --name APP --resource-group GROUP"
        }
        (Reader::FunctionApp, Some(_)) => {
            "az functionapp identity assign --name APP --resource-group GROUP --identities IDENTITY_RESOURCE_ID"
        }
        (Reader::AzureCli, _) => "az login",
    }
    .to_owned()
}

/// Shows a vault's network rules and whether it exists.
pub(super) fn vault(vault: &str) -> String {
    format!(
        "az keyvault show --name {} --query \"{{uri:properties.vaultUri,network:properties.publicNetworkAccess,rules:properties.networkAcls}}\"",
        word(vault)
    )
}

/// Stores a secret from a file, so that its value is in no shell's history.
pub(super) fn store_secret(vault: &str, secret: &str) -> String {
    format!(
        "az keyvault secret set --vault-name {} --name {} --file FILE",
        word(vault),
        word(secret)
    )
}

/// Makes a new client secret and stores it, so that its value is shown nowhere, with the
/// day on which it ends: without that in the vault nobody is warned of the end. Where the
/// settings name a version, it shows the new one.
pub(super) fn renew_secret(
    client_id: Option<&str>,
    vault: &str,
    secret: &SecretName,
    now: Timestamp,
) -> String {
    let shown = match secret.version() {
        Some(_) => "--query id --output tsv",
        None => "--output none",
    };
    let ends = now.floor_to(DAY).plus(SECRET_LASTS);
    format!(
        "az keyvault secret set --vault-name {} --name {} --expires {ends} {shown} --value \"$(az ad app credential reset --id {} --append --end-date {ends} --query password --output tsv)\"",
        word(vault),
        word(secret.name()),
        client_id.map_or("CLIENT_ID".to_owned(), word)
    )
}

/// What a renewal leaves to do where the settings name a version; empty where they do not.
pub(super) fn and_its_version(secret: &SecretName) -> String {
    match secret.version() {
        Some(version) => format!(
            "; the settings name the version `{version}`, in whose place the new one must be written"
        ),
        None => String::new(),
    }
}

/// Makes a new certificate in the vault and registers it with the application.
pub(super) fn renew_certificate(client_id: Option<&str>, vault: &str, secret: &str) -> String {
    format!(
        "az ad app credential reset --id {} --create-cert --keyvault {} --cert {} --append --output none",
        client_id.map_or("CLIENT_ID".to_owned(), word),
        word(vault),
        word(secret)
    )
}

/// Shows whose tokens an application trusts.
pub(super) fn federated(client_id: Option<&str>) -> String {
    format!(
        "az ad app federated-credential list --id {}",
        client_id.map_or("CLIENT_ID".to_owned(), word)
    )
}

/// Shows whether a secret is enabled and when it ends, and not its value.
pub(super) fn secret_state(vault: &str, secret: &str) -> String {
    format!(
        "az keyvault secret show --vault-name {} --name {} --query attributes",
        word(vault),
        word(secret)
    )
}

/// Shows an application's service principal in Entra.
pub(super) fn service_principal(client_id: Option<&str>) -> String {
    format!(
        "az ad sp show --id {} --query \"{{enabled:accountEnabled,tenant:appOwnerOrganizationId}}\"",
        client_id.map_or("CLIENT_ID".to_owned(), word)
    )
}

/// Shows what Azure says of a workspace: its URL, state and network.
pub(super) fn workspace_resource(resource_id: Option<&str>) -> String {
    match resource_id {
        Some(id) => format!(
            "az resource show --ids {} --query \"{{url:properties.workspaceUrl,state:properties.provisioningState,network:properties.publicNetworkAccess}}\"",
            word(id)
        ),
        None => workspace_ids(),
    }
}

/// Lists the resource ids of the workspaces that the operator can see.
pub(super) fn workspace_ids() -> String {
    "az resource list --resource-type Microsoft.Databricks/workspaces --query \"[].id\" --output tsv"
        .to_owned()
}

/// Shows to which tenant a workspace belongs: it stands in the redirect's address.
pub(super) fn tenant_of(host: &str) -> String {
    format!(
        "curl -sS -o /dev/null -w '%{{redirect_url}}\\n' https://{}/aad/auth",
        word(host)
    )
}

/// Asks the host for a connection, in words.
pub(super) fn connection_to(host: &str) -> String {
    format!("curl -sSv -o /dev/null https://{}/", word(host))
}

/// Shows the certificates that come from a host, or from a proxy in its place.
pub(super) fn certificates_of(host: &str) -> String {
    let host = word(host);
    format!("openssl s_client -connect {host}:443 -servername {host} -showcerts </dev/null")
}

/// Puts the Function App into a network, from where a private endpoint can be reached.
pub(super) fn join_network() -> String {
    "az functionapp vnet-integration add --name APP --resource-group GROUP --vnet VNET --subnet SUBNET"
        .to_owned()
}

/// Tells the addresses that the Function App may send from.
pub(super) fn outbound_addresses() -> String {
    "az functionapp show --name APP --resource-group GROUP --query possibleOutboundIpAddresses --output tsv"
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_client_secret_is_stored_with_the_day_on_which_it_ends() {
        let now = Timestamp::parse_rfc3339("2026-11-22T08:30:00Z").expect("a time");
        let name = SecretName::parse("sp-secret").expect("a name");
        assert_eq!(
            renew_secret(Some("app"), "vault", &name, now),
            "az keyvault secret set --vault-name vault --name sp-secret --expires 2027-11-22T00:00:00Z --output none \
             --value \"$(az ad app credential reset --id app --append --end-date 2027-11-22T00:00:00Z --query password \
             --output tsv)\""
        );
        assert_eq!(and_its_version(&name), "");
    }

    #[test]
    fn a_version_in_the_settings_must_change_with_the_secret() {
        let now = Timestamp::from_millis(0);
        let version = "0123456789abcdef0123456789abcdef";
        let name = SecretName::parse(&format!("sp-secret/{version}")).expect("a version");
        let command = renew_secret(None, "vault", &name, now);
        assert!(command.contains("--name sp-secret --expires"), "{command}");
        assert!(
            command.contains(" --query id --output tsv --value "),
            "{command}"
        );
        assert!(!command.contains(version), "{command}");
        assert!(and_its_version(&name).contains(version));
    }

    #[test]
    fn a_workspaces_name_stays_the_value_of_its_option() {
        for (name, expected) in [
            (
                "analytics",
                "terminate-clusters doctor --workspace analytics",
            ),
            ("$(id)", "terminate-clusters doctor --workspace '$(id)'"),
            ("--apply", "terminate-clusters doctor --workspace=--apply"),
        ] {
            assert_eq!(doctor_of(name), expected);
        }
    }
}
