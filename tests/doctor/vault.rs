//! The vault, its secrets and Entra: each failure told apart, with the command.

use simulator::world::{
    Access, CLIENT_ID_SECRET, CLIENT_SECRET_SECRET, Certificate, Cluster, MAIN, Principal,
    SecretTime, TENANT_ID_SECRET, VAULT, Workspace, World, certify, hours,
};
use simulator::{Fault, Match, Times};

use crate::examined::Sheet;
use crate::support::Scene;

fn scene() -> Scene {
    let workspace = Workspace::named("one").cluster(Cluster::idle("idle").since(hours(5)));
    Scene::of(World::new().workspace(workspace)).limit("request_attempts", "2")
}

/// The check of a secret.
fn secret<'s>(sheet: &'s Sheet, name: &str) -> &'s serde_json::Value {
    let mut checks = sheet.checks.iter();
    let found = checks.find(|check| check["id"] == "secret" && check["item"] == name);
    found.unwrap_or_else(|| panic!("no secret {name}: {sheet}"))
}

fn assert_rest_is_skipped(sheet: &Sheet, ids: &[&str]) {
    assert_eq!(sheet.exit, 1, "{sheet}");
    for id in ids {
        assert_eq!(sheet.status(id), "skipped", "{id}: {sheet}");
    }
    let told = sheet
        .checks
        .iter()
        .filter(|check| check["workspace"] == "one");
    for check in told {
        let is_told = matches!(
            check["id"].as_str(),
            Some("spark-principal" | "resource-id")
        );
        assert!(is_told || check["status"] == "skipped", "{check}");
    }
}

#[test]
fn what_the_vault_has_not_answered_when_the_time_is_over_is_told() {
    let scene = scene().limit("sweep_deadline", "\"2s\"");
    let secrets = Match::path("/secrets/");
    scene.simulator.fault(secrets, Times::Always, Fault::Hang);
    let sheet = scene.examine();
    let late = "neither login nor vault answered before the time was over";
    for name in [TENANT_ID_SECRET, CLIENT_ID_SECRET, CLIENT_SECRET_SECRET] {
        let check = secret(&sheet, name);
        assert_eq!(check["status"], "skipped", "{check}");
    }
    let vault = sheet.check("vault");
    assert_eq!(vault["status"], "fail", "{sheet}");
    assert!(
        vault["sentence"].as_str().unwrap().contains(late),
        "{vault}"
    );
    assert_rest_is_skipped(&sheet, &["identity", "token-databricks", "member"]);
}

#[test]
fn a_secret_that_may_not_be_read_asks_for_the_role() {
    let scene = scene();
    scene
        .simulator
        .world(|world| world.vaults[0].readers.clear());
    let sheet = scene.examine();
    assert_eq!(sheet.status("login"), "ok");
    assert_eq!(sheet.status("vault"), "ok");
    for name in [TENANT_ID_SECRET, CLIENT_ID_SECRET, CLIENT_SECRET_SECRET] {
        let check = secret(&sheet, name);
        assert_eq!(check["status"], "fail", "{check}");
        assert_eq!(check["missing"], "Key Vault Secrets User on the vault");
        let command = check["command"].as_str().unwrap();
        assert!(
            command.starts_with(
                "az role assignment create --role 'Key Vault Secrets User' --assignee-object-id"
            ),
            "{command}"
        );
        assert!(
            command.contains(&format!("az keyvault show --name {VAULT} ")),
            "{command}"
        );
    }
    assert_rest_is_skipped(&sheet, &["identity", "token-databricks", "token-arm"]);
}

#[test]
fn a_missing_secret_is_named() {
    let scene = scene();
    scene.simulator.world(|world| {
        let vault = &mut world.vaults[0];
        vault
            .secrets
            .retain(|secret| secret.name != CLIENT_ID_SECRET);
    });
    let sheet = scene.examine();
    let failed = sheet.failure();
    assert_eq!(
        (&failed["id"], &failed["item"]),
        (&"secret".into(), &CLIENT_ID_SECRET.into())
    );
    assert_eq!(
        failed["command"],
        format!(
            "az keyvault secret set --vault-name {VAULT} --name {CLIENT_ID_SECRET} --file FILE"
        )
    );
    assert_eq!(secret(&sheet, CLIENT_SECRET_SECRET)["status"], "ok");
    assert_rest_is_skipped(&sheet, &["identity"]);
}

#[test]
fn a_vault_that_gives_no_answer_is_told_from_a_login_that_fails() {
    let scene = scene();
    let host = format!("{VAULT}.vault.azure.net");
    scene
        .simulator
        .fault(Match::host(&host), Times::Always, Fault::RefuseConnection);
    let sheet = scene.examine();
    assert_eq!(sheet.failure()["id"], "vault", "{sheet}");
    assert_eq!(sheet.status("login"), "warn", "{sheet}");
    assert_eq!(secret(&sheet, CLIENT_SECRET_SECRET)["status"], "skipped");
    scene.simulator.clear_faults();

    scene
        .simulator
        .world(|world| world.identity.is_assigned = false);
    let sheet = scene.examine();
    let failed = sheet.failure();
    assert_eq!(failed["id"], "login", "{sheet}");
    assert_eq!(
        failed["command"],
        "az functionapp identity assign --name APP --resource-group GROUP"
    );
    assert_eq!(sheet.status("vault"), "skipped", "{sheet}");
}

#[test]
fn a_firewall_of_the_vault_is_no_missing_role() {
    let scene = scene();
    let body = r#"{"error":{"code":"Forbidden","message":"Client address is not authorized","innererror":{"code":"ForbiddenByFirewall"}}}"#;
    let secrets = Match::path("/secrets/");
    scene
        .simulator
        .fault(secrets, Times::Always, Fault::json(403, body));
    let sheet = scene.examine();
    let failed = sheet.failure();
    assert_eq!(failed["id"], "vault", "{sheet}");
    assert!(
        failed["command"]
            .as_str()
            .unwrap()
            .starts_with("az keyvault show"),
        "{failed}"
    );
}

#[test]
fn a_wrong_client_secret_is_told_with_its_number_and_a_new_one() {
    let scene = scene();
    scene
        .simulator
        .world(|world| world.vaults[0].set(CLIENT_SECRET_SECRET, "wrong"));
    let sheet = scene.examine();
    let client = scene
        .simulator
        .world(|world| world.principals[0].client_id.clone());
    for id in ["token-databricks", "token-arm"] {
        let check = sheet.check(id);
        assert_eq!(check["status"], "fail", "{check}");
        assert!(
            check["sentence"]
                .as_str()
                .unwrap()
                .contains("AADSTS7000215"),
            "{check}"
        );
        let command = check["command"].as_str().unwrap();
        let (_, ends) = command.split_once("--end-date ").unwrap();
        let (ends, _) = ends.split_once(' ').unwrap();
        assert_eq!(
            command,
            format!(
                "az keyvault secret set --vault-name {VAULT} --name {CLIENT_SECRET_SECRET} --expires {ends} --output none --value \"$(az ad app credential reset --id {client} --append --end-date {ends} --query password --output tsv)\""
            )
        );
    }
    let identity = sheet.check("identity")["sentence"].as_str().unwrap();
    assert!(identity.contains(&client), "{identity}");
    assert_rest_is_skipped(&sheet, &["dns"]);
}

#[test]
fn a_value_in_the_place_of_an_id_is_not_shown() {
    let scene = scene();
    scene
        .simulator
        .world(|world| world.vaults[0].set(CLIENT_ID_SECRET, "planted-secret-value"));
    let told = scene.doctor(&["--json"]);
    assert!(!told.stdout.contains("planted"), "{told}");
    assert!(!told.stderr.contains("planted"), "{told}");
    let sheet = Sheet::of(&told);
    let failed = sheet.failure();
    assert_eq!(failed["id"], "identity");
    assert_eq!(
        failed["sentence"],
        format!("secret `{CLIENT_ID_SECRET}` holds no client id")
    );
}

const DAY: i64 = 24 * 60 * 60;

fn now_s(scene: &Scene) -> i64 {
    scene.simulator.world(|world| world.clock.now_ms() / 1000)
}

#[test]
fn a_secret_tells_how_long_it_stays_good() {
    let scene = scene();
    let now = now_s(&scene);
    let client = scene
        .simulator
        .world(|world| world.principals[0].client_id.clone());
    assert!(!client.is_empty());
    for (days, status, part) in [
        (10, "warn", "for 10 days"),
        (40, "ok", "for 40 days"),
        (-1, "warn", "was good until"),
    ] {
        scene.simulator.world(|world| {
            let version = world.vaults[0].version_mut(CLIENT_SECRET_SECRET);
            version.expires = Some(SecretTime::Epoch(now + days * DAY + 600));
        });
        let sheet = scene.examine();
        let check = secret(&sheet, CLIENT_SECRET_SECRET);
        assert_eq!(check["status"], status, "{check}");
        assert!(
            check["sentence"].as_str().unwrap().contains(part),
            "{check}"
        );
        let command = check["command"].as_str();
        assert_eq!(
            command.is_some_and(|one| one.contains("az ad app credential reset")),
            status == "warn",
            "{check}"
        );
        // Whatever ends soon still works.
        assert_eq!(sheet.exit, 0, "{sheet}");
    }
    let patient = scene.limit("warn_before", "\"9d\"");
    patient.simulator.world(|world| {
        let version = world.vaults[0].version_mut(CLIENT_SECRET_SECRET);
        version.expires = Some(SecretTime::Epoch(now + 10 * DAY + 600));
    });
    let sheet = patient.examine();
    assert_eq!(
        secret(&sheet, CLIENT_SECRET_SECRET)["status"],
        "ok",
        "{sheet}"
    );
}

const RSA: &str = include_str!("../fixtures/certificates/throwaway-rsa.pem");
const SECOND: &str = include_str!("../fixtures/certificates/throwaway-second.pem");

/// A principal with this certificate, and a vault that holds that one.
fn with_certificate(registered: &str, held: &str) -> Scene {
    let main = Principal::named(MAIN).without_secret();
    let main = main.certificate(Certificate::from_pem(registered));
    let workspace = Workspace::named("one").cluster(Cluster::idle("idle").since(hours(5)));
    let mut world = World::new().principal(main).workspace(workspace);
    world.vaults[0].set("certificate", held);
    let mut scene = Scene::of(world).set(
        "TERMINATE_CLUSTERS_CLIENT_CERTIFICATE_SECRET",
        "certificate",
    );
    scene
        .variables
        .remove("TERMINATE_CLUSTERS_CLIENT_SECRET_SECRET");
    scene
}

#[test]
fn a_certificate_tells_how_long_it_stays_good() {
    let now = now_s(&scene());
    let soon = certify(RSA, now - DAY, now + 10 * DAY + 600);
    let sheet = with_certificate(&soon, &soon).examine();
    assert_eq!(sheet.exit, 0, "{sheet}");
    let check = secret(&sheet, "certificate");
    assert_eq!(check["status"], "warn", "{check}");
    assert!(
        check["sentence"].as_str().unwrap().ends_with("for 10 days"),
        "{check}"
    );
    let command = check["command"].as_str().unwrap();
    assert!(
        command.starts_with("az ad app credential reset --id CLIENT_ID --create-cert"),
        "{command}"
    );
    let identity = sheet.check("identity")["sentence"].as_str().unwrap();
    assert!(
        identity.contains("with the certificate in `certificate` of"),
        "{identity}"
    );

    let over = certify(RSA, now - 10 * DAY, now - DAY);
    let sheet = with_certificate(&over, &over).examine();
    let failed = sheet.failure();
    assert_eq!(failed["item"], "certificate", "{sheet}");
    assert!(
        failed["sentence"].as_str().unwrap().contains("expired at"),
        "{failed}"
    );
    let sheet = with_certificate(RSA, "planted-value").examine();
    assert_eq!(sheet.failure()["item"], "certificate");
    assert!(!sheet.to_string().contains("planted-value"), "{sheet}");
}

#[test]
fn a_certificate_that_the_application_does_not_know_is_told_with_its_command() {
    let scene = with_certificate(SECOND, RSA);
    let sheet = scene.examine();
    let client = scene
        .simulator
        .world(|world| world.principals[0].client_id.clone());
    let check = sheet.check("token-databricks");
    assert_eq!(check["status"], "fail", "{check}");
    assert!(
        check["sentence"].as_str().unwrap().contains("AADSTS700027"),
        "{check}"
    );
    assert_eq!(
        check["command"],
        format!(
            "az ad app credential reset --id {client} --create-cert --keyvault {VAULT} --cert certificate --append --output none"
        )
    );
}

#[test]
fn a_contributor_is_told_how_it_joins_and_does_not_join_by_being_examined() {
    let main = Principal::named(MAIN).contributor();
    let workspace = Workspace::named("one")
        .cluster(Cluster::idle("idle"))
        .without_member(MAIN)
        .access(Access::Contributor);
    let scene = Scene::of(World::new().principal(main).workspace(workspace));
    let sheet = scene.examine();
    let failed = sheet.failure();
    assert_eq!(failed["id"], "member", "{sheet}");
    assert_eq!(
        failed["command"],
        "terminate-clusters grant --self --workspace one --apply"
    );
    assert_eq!(sheet.status("token-management"), "ok");
    for request in scene.simulator.record().requests() {
        let names = request.header_names();
        assert!(
            !names
                .iter()
                .any(|name| name.starts_with("x-databricks-azure")),
            "{request}"
        );
    }
}
