//! The official client for Key Vault: secrets with their versions and times, and
//! certificates as the secrets behind them.

use serde_json::{Value, json};
use simulator::Simulator;
use simulator::world::{
    CLIENT_CERTIFICATE_SECRET, CLIENT_SECRET_SECRET, Certificate, MAIN, Moment, Principal,
    SecretTime, StoredCertificate, VAULT, Vault, World, hours,
};

use crate::piped::azure;

const URL: &str = "https://tc-vault.vault.azure.net";

fn vault(world: &mut World) -> &mut Vault {
    let mut vaults = world.vaults.iter_mut();
    vaults.find(|vault| vault.name == VAULT).unwrap()
}

#[test]
#[ignore = "needs tests/real/setup: azure-keyvault-secrets"]
fn a_secret_is_read_with_its_times_and_its_recovery() {
    let mut world = World::new();
    let now_s = world.clock.now_ms() / 1000;
    let version = vault(&mut world).version_mut(CLIENT_SECRET_SECRET);
    version.expires = Some(SecretTime::Moment(Moment::ahead(hours(48))));
    version.not_before = Some(SecretTime::Epoch(1_600_000_000));
    version.content_type = Some("client secret".to_owned());
    let id = version.id.clone();
    let simulator = Simulator::start(world).unwrap();
    let secret = azure(&simulator, &["identity", URL, CLIENT_SECRET_SECRET]).unwrap();
    assert_eq!(secret["value"], Principal::named(MAIN).secret());
    assert_eq!(secret["name"], CLIENT_SECRET_SECRET);
    assert_eq!(secret["version"], id);
    assert_eq!(secret["vault_url"], URL);
    assert_eq!(secret["enabled"], true);
    assert_eq!(secret["content_type"], "client secret");
    assert_eq!(secret["not_before"], 1_600_000_000);
    let expires = secret["expires_on"].as_i64().unwrap();
    assert!((expires - now_s - 48 * 3600).abs() <= 2, "{secret}");
    let created = secret["created_on"].as_i64().unwrap();
    assert!(created < now_s, "{secret}");
    assert_eq!(secret["updated_on"], created);
    assert_eq!(secret["recovery_level"], "CustomizedRecoverable+Purgeable");
    assert_eq!(secret["recoverable_days"], 7);
    assert_eq!(
        (&secret["key_id"], &secret["managed"]),
        (&json!(null), &json!(null))
    );
    simulator.assert_clean();
}

#[test]
#[ignore = "needs tests/real/setup: azure-keyvault-secrets"]
fn every_version_is_listed_and_can_be_read() {
    let mut world = World::new();
    vault(&mut world).page_size = 2;
    for _ in 0..4 {
        world.rotate_secret(MAIN);
    }
    vault(&mut world)
        .version_mut(CLIENT_SECRET_SECRET)
        .is_enabled = false;
    let values: Vec<String> = world
        .principal_mut(MAIN)
        .secrets
        .iter()
        .map(|secret| secret.value.clone())
        .collect();
    let simulator = Simulator::start(world).unwrap();
    let listed = azure(&simulator, &["versions", URL, CLIENT_SECRET_SECRET]).unwrap();
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 5);
    let enabled: Vec<&Value> = listed.iter().map(|version| &version["enabled"]).collect();
    assert_eq!(enabled, [true, true, true, true, false]);
    for (version, value) in listed.iter().zip(&values).take(4) {
        let id = version["version"].as_str().unwrap();
        let read = azure(&simulator, &["version", URL, CLIENT_SECRET_SECRET, id]).unwrap();
        assert_eq!(read["value"], *value);
        assert_eq!(read["id"], version["id"]);
    }
    // The newest is disabled, and nothing older stands in for it.
    let refusal = azure(&simulator, &["identity", URL, CLIENT_SECRET_SECRET]).unwrap_err();
    refusal.assert_is("HttpResponseError");
    assert!(refusal.message.contains("SecretDisabled"), "{refusal:?}");
    let refusal = azure(&simulator, &["versions", URL, "no-such-secret"]).unwrap_err();
    refusal.assert_is("ResourceNotFoundError");
    simulator.assert_clean();
}

#[test]
#[ignore = "needs tests/real/setup: azure-keyvault-secrets"]
fn a_certificate_is_read_as_pkcs_12_and_as_pem() {
    let public = |pem| Certificate::from_pem(pem);
    let rsa = public(include_str!("../fixtures/certificates/registered/rsa.crt"));
    let chain = public(include_str!(
        "../fixtures/certificates/registered/chain.crt"
    ));
    let aes = include_bytes!("../fixtures/certificates/throwaway-aes.p12");
    let legacy = include_bytes!("../fixtures/certificates/throwaway-3des.p12");
    let with_chain = include_bytes!("../fixtures/certificates/throwaway-chain.p12");
    let pem = include_str!("../fixtures/certificates/throwaway-second.pem");
    let pem_chain = include_str!("../fixtures/certificates/throwaway-chain.pem");
    let pkcs12 = "application/x-pkcs12";
    let rows = [
        (StoredCertificate::pkcs12(aes, &rsa), pkcs12, "rsa", 0),
        (StoredCertificate::pkcs12(legacy, &rsa), pkcs12, "rsa", 0),
        (
            StoredCertificate::pkcs12(with_chain, &chain),
            pkcs12,
            "chain",
            2,
        ),
        (
            StoredCertificate::pem(pem),
            "application/x-pem-file",
            "second",
            0,
        ),
        (
            StoredCertificate::pem(pem_chain),
            "application/x-pem-file",
            "chain",
            2,
        ),
    ];
    let simulator = Simulator::start(World::new()).unwrap();
    for (stored, content_type, name, others) in rows {
        simulator.world(|world| vault(world).set_certificate(CLIENT_CERTIFICATE_SECRET, &stored));
        let read = azure(&simulator, &["stored", URL, CLIENT_CERTIFICATE_SECRET]).unwrap();
        let subject = format!("CN=throwaway-{name}.test-fixture.invalid");
        assert_eq!(read["subject"], subject);
        assert_eq!(read["is_pair"], true, "{read}");
        assert_eq!(read["others"], others, "{read}");
        assert_eq!(read["content_type"], content_type);
        assert_eq!(read["managed"], true);
        // A secret's end is its certificate's.
        assert_eq!(read["expires_on"], read["not_after"], "{read}");
        let key_id = format!("{URL}/keys/{CLIENT_CERTIFICATE_SECRET}/");
        assert!(
            read["key_id"].as_str().unwrap().starts_with(&key_id),
            "{read}"
        );
    }
    let listed = azure(&simulator, &["versions", URL, CLIENT_CERTIFICATE_SECRET]).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 5);
    simulator.assert_clean();
}

#[test]
#[ignore = "needs tests/real/setup: azure-keyvault-secrets"]
fn a_user_assigned_identity_reads_what_it_may() {
    let reader = Principal::named("reader");
    let id = reader.client_id.clone();
    let simulator = Simulator::start(World::new().user_assigned(reader)).unwrap();
    let arguments = ["identity", URL, CLIENT_SECRET_SECRET, &id];
    let refusal = azure(&simulator, &arguments).unwrap_err();
    assert!(refusal.message.contains("ForbiddenByRbac"), "{refusal:?}");
    simulator.world(|world| vault(world).readers.push("reader".to_owned()));
    let secret = azure(&simulator, &arguments).unwrap();
    assert_eq!(secret["name"], CLIENT_SECRET_SECRET);
    simulator.assert_clean();
}
