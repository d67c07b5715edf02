//! Principals without a secret: which identity it is, where it comes from, that nothing
//! of it ends, and what is told where App Service or Entra refuses it.

use simulator::world::{
    Cluster, FederatedCredential, MAIN, Member, Principal, TENANT_ID, Workspace, World, hours,
};

use crate::examined::Sheet;
use crate::support::Scene;

const CLIENT_SETTING: &str = "TERMINATE_CLUSTERS_MANAGED_IDENTITY_CLIENT_ID";
const UNASSIGNED: &str = "99999999-0000-4000-8000-000000000001";

/// A workspace in which only this principal is an admin.
fn workspace_of(principal: &str) -> Workspace {
    let workspace = Workspace::named("one").cluster(Cluster::idle("idle").since(hours(5)));
    workspace
        .without_member(MAIN)
        .member(Member::admin(principal))
}

/// A scene whose settings name no vault and nothing in one.
fn without_vault(world: World, credential: &str) -> Scene {
    let mut scene = Scene::of(world).set("TERMINATE_CLUSTERS_CREDENTIAL", credential);
    for name in [
        "KEY_VAULT_URL",
        "TENANT_ID_SECRET",
        "CLIENT_ID_SECRET",
        "CLIENT_SECRET_SECRET",
    ] {
        scene
            .variables
            .remove(&format!("TERMINATE_CLUSTERS_{name}"));
    }
    scene
}

/// A Function App with a user-assigned identity beside its own.
fn user_assigned(reader: &Principal) -> Scene {
    let world = World::new()
        .user_assigned(reader.clone())
        .workspace(workspace_of(&reader.name));
    without_vault(world, "managed-identity").set(CLIENT_SETTING, &reader.client_id)
}

/// An application without a secret, which trusts the Function App's own identity.
fn federated() -> (Scene, Principal) {
    let world = World::new();
    let trusted = FederatedCredential::managed_identity(&world.identity.principal);
    let app = Principal::named("app").without_secret().federated(trusted);
    let world = world.principal(app.clone()).workspace(workspace_of("app"));
    let scene = without_vault(world, "federated")
        .set("TERMINATE_CLUSTERS_TENANT_ID", &app.tenant)
        .set("TERMINATE_CLUSTERS_CLIENT_ID", &app.client_id);
    (scene, app)
}

/// Nothing is wanted of a vault, tokens come, and the workspace knows this application.
fn assert_in_order(scene: &Scene, sheet: &Sheet, client_id: &str) {
    assert_eq!(sheet.exit, 0, "{sheet}");
    for id in ["login", "vault", "secret"] {
        let told = sheet.check(id);
        assert_eq!(told["status"], "ok", "{sheet}");
        assert_eq!(told["sentence"], "none of its parts is in a vault");
    }
    for id in ["identity", "token-databricks", "token-arm", "metrics"] {
        assert_eq!(sheet.status(id), "ok", "{id}: {sheet}");
    }
    assert_eq!(
        sheet.check("member")["sentence"],
        format!("the principal is known there as `{client_id}`")
    );
    assert!(scene.simulator.record().secret_reads().is_empty());
    scene.simulator.assert_clean();
}

#[test]
fn the_system_assigned_identity_needs_no_vault() {
    let world = World::new().workspace(workspace_of("function-app"));
    let client_id = world.identity.principal.client_id.clone();
    let scene = without_vault(world, "managed-identity");
    let sheet = scene.examine();
    assert_in_order(&scene, &sheet, &client_id);
    assert_eq!(
        sheet.check("identity")["sentence"],
        "the system-assigned identity of this Function App, which has no secret that ends"
    );
}

#[test]
fn a_user_assigned_identity_is_told_by_its_client_id() {
    let reader = Principal::named("user-assigned");
    let scene = user_assigned(&reader);
    let sheet = scene.examine();
    assert_in_order(&scene, &sheet, &reader.client_id);
    assert_eq!(
        sheet.check("identity")["sentence"],
        format!(
            "the user-assigned identity `{}` of this Function App, which has no secret that ends",
            reader.client_id
        )
    );
    // The other one was never asked for, and Entra not at all.
    let record = scene.simulator.record();
    let asked = record.identity_requests();
    assert!(!asked.is_empty());
    for request in asked {
        assert_eq!(request.query().first("client_id"), Some(&*reader.client_id));
    }
    assert!(record.token_requests().is_empty());
}

#[test]
fn an_identity_that_is_not_assigned_is_told_with_the_command_that_assigns_it() {
    let scene = user_assigned(&Principal::named("user-assigned")).set(CLIENT_SETTING, UNASSIGNED);
    let sheet = scene.examine();
    let check = sheet.check("token-databricks");
    assert_eq!(check["status"], "fail", "{sheet}");
    let sentence = check["sentence"].as_str().unwrap();
    assert!(
        sentence.contains(&format!("the user-assigned identity `{UNASSIGNED}`")),
        "{sentence}"
    );
    assert_eq!(
        check["missing"],
        format!("the user-assigned identity `{UNASSIGNED}` of this Function App, assigned to it")
    );
    assert_eq!(
        check["command"],
        "az functionapp identity assign --name APP --resource-group GROUP --identities IDENTITY_RESOURCE_ID"
    );

    let (scene, _) = federated();
    scene
        .simulator
        .world(|world| world.identity.is_assigned = false);
    let sheet = scene.examine();
    let check = sheet.check("token-databricks");
    assert_eq!(check["status"], "fail", "{sheet}");
    assert_eq!(
        check["command"],
        "az functionapp identity assign --name APP --resource-group GROUP"
    );
}

#[test]
fn a_user_assigned_identity_that_reads_the_vault_is_named() {
    let reader = Principal::named("reader");
    let mut world = World::new()
        .user_assigned(reader.clone())
        .workspace(Workspace::named("one").cluster(Cluster::idle("idle").since(hours(5))));
    world.vaults[0].readers = vec!["reader".to_owned()];
    let scene = Scene::of(world).set(CLIENT_SETTING, &reader.client_id);
    let sheet = scene.examine();
    assert_eq!(sheet.exit, 0, "{sheet}");
    assert_eq!(
        sheet.check("login")["sentence"],
        format!(
            "tc-vault.vault.azure.net is asked as the user-assigned identity `{}` of this Function App",
            reader.client_id
        )
    );
    // The principal is still the application whose secret the vault holds.
    let identity = sheet.check("identity")["sentence"].as_str().unwrap();
    assert!(identity.starts_with("application `"), "{identity}");
}

#[test]
fn a_federated_principal_is_told_with_the_identity_that_it_trusts() {
    let (scene, app) = federated();
    let sheet = scene.examine();
    assert_in_order(&scene, &sheet, &app.client_id);
    let client = &app.client_id;
    assert_eq!(
        sheet.check("identity")["sentence"],
        format!(
            "application `{client}` of tenant `{TENANT_ID}`, with a token of the system-assigned identity of this Function App, \
             which has no secret that ends"
        )
    );

    scene.simulator.world(|world| {
        let mut principals = world.principals.iter_mut();
        let app = principals.find(|one| one.name == "app").unwrap();
        app.federated[0].subject = UNASSIGNED.to_owned();
    });
    let sheet = scene.examine();
    assert_eq!(sheet.status("identity"), "ok", "{sheet}");
    let check = sheet.check("token-databricks");
    assert_eq!(check["status"], "fail", "{sheet}");
    let sentence = check["sentence"].as_str().unwrap();
    assert!(sentence.contains("AADSTS700213"), "{sentence}");
    assert_eq!(
        check["command"],
        format!("az ad app federated-credential list --id {client}")
    );
}
