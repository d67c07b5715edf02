//! What `grant` makes, as the official SDK finds it: exactly these members, groups and
//! rights; and that the SDK's own way of making them is understood here.

use std::process::{Command, Stdio};

use serde_json::{Value, json};
use simulator::Simulator;
use simulator::world::{
    CLIENT_ID_SECRET, Cluster, MAIN, Member, Permission, Principal, TENANT_ID, VAULT, Vault,
    Workspace, World,
};

use crate::each;
use crate::piped::{Databricks, login};

const BOSS: &str = "boss";

/// A workspace with three clusters and one admin, in whose name `grant` and the SDK act.
fn workspace() -> Workspace {
    Workspace::named("one")
        .without_member(MAIN)
        .member(Member::admin(BOSS))
        .cluster(Cluster::idle("ui"))
        .cluster(Cluster::terminated("stopped"))
        .cluster(Cluster::job("nightly"))
}

fn start() -> (Simulator, Databricks) {
    let boss = Principal::named(BOSS);
    let vault = Vault::named(VAULT)
        .secret(CLIENT_ID_SECRET, &Principal::named(MAIN).client_id)
        .secret("boss-secret", boss.secret());
    let arguments = login(&workspace(), &boss);
    let world = World::new()
        .principal(boss)
        .principal(Principal::named("drivers"))
        .vault(vault)
        .workspace(workspace());
    let simulator = Simulator::start(world).unwrap();
    let sdk = Databricks::logged_in(&simulator, &arguments);
    (simulator, sdk)
}

/// Runs `grant --as boss --apply` with these arguments.
fn grant(simulator: &Simulator, arguments: &[&str]) {
    let id = |name: &str| Principal::named(name).client_id;
    let policy = format!(
        "[witness.spark]\nprincipal = \"drivers\"\n\
         [[principal]]\nname = \"boss\"\ntenant_id = \"{TENANT_ID}\"\nclient_id = \"{}\"\nclient_secret_secret = \"boss-secret\"\n\
         [[principal]]\nname = \"drivers\"\ntenant_id = \"{TENANT_ID}\"\nclient_id = \"{}\"\nclient_secret_secret = \"drivers-secret\"\n{}",
        id(BOSS),
        id("drivers"),
        simulator.policy_workspaces()
    );
    let output = Command::new(env!("CARGO_BIN_EXE_terminate-clusters"))
        .args(["grant", "--as", BOSS, "--apply"])
        .args(arguments)
        .env_clear()
        .envs(simulator.env())
        .env("TERMINATE_CLUSTERS_POLICY", policy)
        .current_dir(simulator.directory())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
}

/// The application ids of all service principals of the workspace.
fn members(sdk: &mut Databricks) -> Vec<Value> {
    let mut found = sdk.items("service_principals_v2.list", &json!({}));
    found.sort_by_key(|one| one["application_id"].as_str().map(str::to_owned));
    found
}

fn sorted(names: &[&str]) -> Vec<String> {
    let mut ids: Vec<String> = names
        .iter()
        .map(|name| Principal::named(name).client_id)
        .collect();
    ids.sort();
    ids
}

/// `level` by service principal, as the SDK tells the rights on a cluster.
fn rights(simulator: &Simulator, sdk: &mut Databricks, cluster: &str) -> Vec<(String, String)> {
    let id = simulator.world(|world| world.cluster_id("one", cluster));
    let of = json!({ "request_object_type": "clusters", "request_object_id": id });
    let answer = sdk.answer("permissions.get", &of);
    let list = answer["access_control_list"].as_array().unwrap();
    let of_principals = list
        .iter()
        .filter(|one| !one["service_principal_name"].is_null());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    of_principals
        .map(|one| {
            let level = &one["all_permissions"][0]["permission_level"];
            (text(&one["service_principal_name"]), text(level))
        })
        .collect()
}

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn finds_exactly_the_members_and_rights_that_grant_made() {
    let (simulator, mut sdk) = start();
    grant(&simulator, &["--clusters", "all-purpose", "--evidence"]);
    let found = members(&mut sdk);
    assert_eq!(
        each(&found, "application_id"),
        sorted(&[BOSS, MAIN, "drivers"])
    );
    for member in &found {
        let entitlements = member["entitlements"].as_array().unwrap();
        assert_eq!(
            each(entitlements, "value"),
            ["workspace-access"],
            "{member}"
        );
    }
    let (main, drivers) = (
        Principal::named(MAIN).client_id,
        Principal::named("drivers").client_id,
    );
    let expected = [
        (main, "PermissionLevel.CAN_RESTART".to_owned()),
        (drivers, "PermissionLevel.CAN_ATTACH_TO".to_owned()),
    ];
    for cluster in ["ui", "stopped"] {
        assert_eq!(rights(&simulator, &mut sdk, cluster), expected, "{cluster}");
    }
    assert_eq!(
        rights(&simulator, &mut sdk, "nightly"),
        [],
        "no all-purpose cluster"
    );
    simulator.assert_clean();
}

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn finds_exactly_the_admins_that_grant_made() {
    let (simulator, mut sdk) = start();
    let admins = json!({ "filter": "displayName eq \"admins\"" });
    let before = sdk.items("groups_v2.list", &admins);
    assert_eq!(before[0]["members"].as_array().unwrap().len(), 1);
    grant(&simulator, &["--admin"]);
    let after = sdk.items("groups_v2.list", &admins);
    let listed = after[0]["members"].as_array().unwrap();
    let found = members(&mut sdk);
    assert_eq!(each(&found, "application_id"), sorted(&[BOSS, MAIN]));
    let mut ids = each(&found, "id");
    let mut in_group = each(listed, "value");
    ids.sort_unstable();
    in_group.sort_unstable();
    assert_eq!(in_group, ids);
    for member in &found {
        assert_eq!(member["groups"][0]["display"], "admins", "{member}");
    }
    simulator.assert_clean();
}

#[test]
#[ignore = "needs tests/real/setup: databricks-sdk"]
fn what_the_sdk_makes_is_what_grant_would_make() {
    let (simulator, mut sdk) = start();
    let main = Principal::named(MAIN).client_id;
    let created = json!({
        "application_id": main,
        "display_name": "terminate-clusters",
        "entitlements": [{ "value": "workspace-access" }],
    });
    let created = sdk.answer("service_principals_v2.create", &created);
    let by_id = json!({ "filter": format!("applicationId eq '{main}'") });
    assert_eq!(
        sdk.items("service_principals_v2.list", &by_id)[0]["id"],
        created["id"]
    );
    let group = sdk.items(
        "groups_v2.list",
        &json!({ "filter": "displayName eq 'admins'" }),
    );
    let patch = json!({
        "id": group[0]["id"],
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "operations": [{ "op": "add", "value": { "members": [{ "value": created["id"] }] } }],
    });
    sdk.answer("groups_v2.patch", &patch);
    let id = simulator.world(|world| world.cluster_id("one", "ui"));
    let right = json!({ "service_principal_name": main, "permission_level": "CAN_MANAGE" });
    let update = json!({
        "request_object_type": "clusters",
        "request_object_id": id,
        "access_control_list": [right],
    });
    sdk.answer("permissions.update", &update);

    let again = json!({ "application_id": main });
    let refusal = sdk.refusal("service_principals_v2.create", &again);
    refusal.assert_is("ResourceAlreadyExists");
    simulator.forget_record();
    grant(&simulator, &["--admin", "--clusters", "all-purpose"]);
    let changed = simulator.record().mutating().len();
    assert_eq!(changed, 0, "there was nothing left to do");
    simulator.world(|world| {
        let member = world.workspaces[0].find_member(MAIN);
        assert!(member.is_some_and(Member::is_admin));
        let cluster = world.find_cluster("one", "ui").cloned().unwrap();
        let right = world.workspaces[0].permission(MAIN, &cluster);
        assert_eq!(right, Permission::CanManage);
    });
    simulator.assert_clean();
}
