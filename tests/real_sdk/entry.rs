//! Logging in: the service principal's two tokens, the headers, who one is, and
//! being turned away.

use serde_json::{Value, json};
use simulator::world::{
    Access, CLIENT_SECRET_SECRET, MAIN, Member, Permission, Principal, PrivateLink, TENANT_ID,
    VAULT, Workspace, World,
};
use simulator::{Match, Simulator};

use crate::piped::{Databricks, azure, login};
use crate::{admin_of, requests};

const MANAGEMENT_TOKEN: &str = "x-databricks-azure-sp-management-token";
const ME: &str = "/scim/v2/Me";

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn logs_in_with_a_secret_and_learns_who_it_is() {
    let workspace = Workspace::named("one");
    let id = workspace.id;
    let (simulator, mut sdk) = admin_of(workspace);
    let me = sdk.answer("current_user.me", &json!({}));
    let main = Principal::named(MAIN);
    assert_eq!(me["class"], "User");
    assert_eq!(me["user_name"], main.client_id);
    assert_eq!(me["active"], true);
    assert!(me["id"].as_str().unwrap().parse::<u64>().is_ok(), "{me}");
    assert_eq!(me["groups"][0]["class"], "ComplexValue");
    assert_eq!(me["groups"][0]["display"], "admins");
    assert_eq!(me["entitlements"][0]["value"], "workspace-access");
    let without = json!({ "excluded_attributes": "entitlements" });
    let me = sdk.answer("current_user.me", &without);
    assert_eq!(me["entitlements"], json!([]));
    assert_eq!(sdk.answer("get_workspace_id", &json!({})), id);

    let record = simulator.record();
    assert_eq!(
        record.granted_scopes(),
        [
            "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d",
            "https://management.core.windows.net/"
        ],
        "one token for each audience, by the first version of the endpoint"
    );
    for request in record.matching(&Match::path(ME)) {
        let names = request.header_names();
        assert!(names.contains(&"authorization".to_owned()), "{request}");
        assert!(names.contains(&MANAGEMENT_TOKEN.to_owned()), "{request}");
    }
    assert_eq!(record.mutating().len(), 0);
    simulator.assert_clean();
}

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn a_wrong_secret_is_refused_with_the_number_of_the_reason() {
    let workspace = Workspace::named("one");
    let mut arguments = login(&workspace, &Principal::named(MAIN));
    arguments["azure_client_secret"] = json!("wrong");
    let simulator = Simulator::start(World::new().workspace(workspace)).unwrap();
    let mut sdk = Databricks::logged_in(&simulator, &arguments);
    let refusal = sdk.refusal("current_user.me", &json!({}));
    refusal.assert_is("ValueError");
    let beginning = "invalid_client: AADSTS7000215: Invalid client secret provided.";
    assert!(refusal.message.starts_with(beginning), "{refusal:?}");
    assert_eq!(requests(&simulator, ME), 0);
}

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn a_contributor_becomes_an_admin_by_naming_the_resource() {
    let workspace = Workspace::named("one")
        .access(Access::Contributor)
        .without_member(MAIN);
    let contributor = Principal::named(MAIN).contributor();
    let mut arguments = login(&workspace, &contributor);
    let resource_id = workspace.resource_id.clone();
    let world = World::new().principal(contributor).workspace(workspace);
    let simulator = Simulator::start(world).unwrap();

    let mut stranger = Databricks::logged_in(&simulator, &arguments);
    let refusal = stranger.refusal("current_user.me", &json!({}));
    refusal.assert_is("PermissionDenied");
    assert!(
        refusal.message.contains("User not authorized."),
        "{refusal:?}"
    );

    arguments["azure_workspace_resource_id"] = json!(resource_id);
    let mut sdk = Databricks::logged_in(&simulator, &arguments);
    let me = sdk.answer("current_user.me", &json!({}));
    assert_eq!(me["groups"][0]["display"], "admins");
    simulator.assert_clean();

    arguments["azure_workspace_resource_id"] = json!(resource_id + "-gone");
    let mut lost = Databricks::logged_in(&simulator, &arguments);
    let refusal = lost.refusal("current_user.me", &json!({}));
    refusal.assert_is("NotFound");
    assert!(
        refusal.message.contains("could not be found."),
        "{refusal:?}"
    );
}

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn being_turned_away_has_the_class_of_its_reason() {
    let cases = [
        (
            Access::CredentialNotSent,
            "Unauthenticated",
            "Credential was not sent",
        ),
        (Access::ExpiredToken(401), "Unauthenticated", "expired"),
        (
            Access::InvalidToken,
            "PermissionDenied",
            "Invalid access token.",
        ),
        (
            Access::NoEntitlement,
            "PermissionDenied",
            "workspace-access entitlement",
        ),
        (
            Access::IpAccessList,
            "PermissionDenied",
            "Unauthorized access to Org: ",
        ),
        (
            Access::PrivateLink(PrivateLink::Json),
            "PermissionDenied",
            "Unauthorized network access to workspace: ",
        ),
        (
            Access::PrivateLink(PrivateLink::Redirect(302)),
            "PrivateLinkValidationError",
            "Azure Private Link",
        ),
        (
            Access::OtherTenant,
            "BadRequest",
            "Expected iss claim to be: https://sts.windows.net/",
        ),
        (
            Access::OtherAudience,
            "BadRequest",
            "Expected aud claim to be: ",
        ),
        (Access::NotFound, "NotFound", "could not be found"),
    ];
    let workspace_of =
        |access: &Access| Workspace::named(&format!("{access:?}")).access(access.clone());
    let workspaces = cases.iter().map(|(access, ..)| workspace_of(access));
    let simulator = Simulator::start(World::new().workspaces(workspaces)).unwrap();
    let mut sdk = Databricks::start(&simulator);
    for (access, class, part) in cases {
        sdk.answer(
            "login",
            &login(&workspace_of(&access), &Principal::named(MAIN)),
        );
        let refusal = sdk.refusal("current_user.me", &json!({}));
        assert_eq!(refusal.classes[0], class, "{access:?}: {refusal:?}");
        assert!(refusal.message.contains(part), "{access:?}: {refusal:?}");
    }
    simulator.assert_clean();
}

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn a_member_who_is_no_admin_is_in_other_groups() {
    let user = Member::user(MAIN, Permission::CanAttachTo);
    let (_simulator, mut sdk) = admin_of(Workspace::named("one").member(user));
    let me = sdk.answer("current_user.me", &json!({}));
    assert_eq!(me["groups"][0]["display"], "data-engineers");
}

#[test]
#[ignore = "needs tests/real/setup: msal"]
fn msal_gets_a_token_for_each_audience() {
    let simulator = Simulator::start(World::new()).unwrap();
    let main = Principal::named(MAIN);
    let scopes = [
        "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default",
        "https://management.azure.com/.default",
    ];
    let mut arguments = vec!["msal", TENANT_ID, &main.client_id, main.secret()];
    arguments.extend(scopes);
    let tokens = azure(&simulator, &arguments).unwrap();
    assert_eq!(simulator.record().granted_scopes(), scopes);
    let issued = simulator.world(|world| world.issued_tokens());
    for (token, issued) in tokens.as_array().unwrap().iter().zip(&issued) {
        assert_eq!(token["access_token"], issued.value, "{token}");
        assert_eq!(token["token_type"], "Bearer");
        assert_eq!(token["expires_in"], 3599);
    }

    arguments[3] = "wrong";
    let refused = azure(&simulator, &arguments).unwrap();
    assert_eq!(refused[0]["error"], "invalid_client");
    assert_eq!(refused[0]["error_codes"], json!([7_000_215]));
    assert_eq!(refused[0]["access_token"], Value::Null);
    simulator.assert_clean();
}

#[test]
#[ignore = "needs tests/real/setup: azure-identity, azure-keyvault-secrets"]
fn the_vault_is_read_by_secret_and_as_managed_identity() {
    let main = Principal::named(MAIN);
    let mut world = World::new();
    for vault in &mut world.vaults {
        vault.readers.push(MAIN.to_owned());
    }
    let simulator = Simulator::start(world).unwrap();
    let vault = format!("https://{VAULT}.vault.azure.net");
    let by_secret = [
        "secret",
        TENANT_ID,
        &main.client_id,
        main.secret(),
        &vault,
        CLIENT_SECRET_SECRET,
    ];
    let as_identity = ["identity", &vault, CLIENT_SECRET_SECRET];
    for arguments in [&by_secret[..], &as_identity[..]] {
        let secret = azure(&simulator, arguments).unwrap();
        assert_eq!(secret["value"], main.secret());
        assert_eq!(secret["name"], CLIENT_SECRET_SECRET);
        assert_eq!(secret["enabled"], true);
    }
    let record = simulator.record();
    assert_eq!(record.secret_reads(), [CLIENT_SECRET_SECRET; 2]);
    assert_eq!(record.secret_challenges().len(), 2);
    assert_eq!(
        record.granted_scopes(),
        ["https://vault.azure.net/.default"]
    );
    assert_eq!(record.identity_requests().len(), 1);

    let mut absent = by_secret;
    absent[5] = "no-such-secret";
    let refusal = azure(&simulator, &absent).unwrap_err();
    refusal.assert_is("ResourceNotFoundError");
    assert!(refusal.message.contains("SecretNotFound"), "{refusal:?}");
    simulator.assert_clean();
}
