//! Certificates and federated credentials: MSAL and azure-identity sign, the
//! simulator's Entra judges; and it is no easier with them than the real one.

use std::path::Path;

use serde_json::{Value, json};
use simulator::Simulator;
use simulator::world::{
    Certificate, FederatedCredential, MAIN, Principal, TENANT_ID, TOKEN_EXCHANGE, World,
};

use crate::piped::azure;

const SCOPE: &str = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default";
const RSA: &str = include_str!("../fixtures/certificates/registered/rsa.crt");
const SECOND: &str = include_str!("../fixtures/certificates/registered/second.crt");
const CHAIN: &str = include_str!("../fixtures/certificates/registered/chain.crt");
const PASSWORD: &str = "not-a-secret";

fn file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/certificates");
    let file = folder.join(format!("throwaway-{name}"));
    assert!(file.exists(), "{}", file.display());
    file.display().to_string()
}

/// A cloud whose main principal has these certificates and no secret.
fn registered(certificates: &[&str]) -> Simulator {
    let main = Principal::named(MAIN).without_secret();
    let main = certificates.iter().fold(main, |main, pem| {
        main.certificate(Certificate::from_pem(pem))
    });
    Simulator::start(World::new().principal(main)).unwrap()
}

/// The header of the only assertion that Entra was sent.
fn header(simulator: &Simulator) -> Value {
    let record = simulator.record();
    let requests = record.token_requests();
    assert_eq!(requests.len(), 1);
    requests[0].assertion().unwrap().0
}

fn assert_is_token(simulator: &Simulator, answer: &Value) {
    let issued = simulator.world(|world| world.issued_tokens());
    let newest = issued.last().map(|token| token.value.as_str());
    assert_eq!(answer["access_token"].as_str(), newest, "{answer}");
    simulator.assert_clean();
}

#[test]
#[ignore = "needs tests/real/setup: msal"]
fn msal_signs_with_pss_and_names_the_key_by_sha_256() {
    let id = Principal::named(MAIN).client_id;
    let (rsa, second) = (file("rsa.pem"), file("second.pem"));
    let (aes, chain) = (file("aes.p12"), file("chain.p12"));
    let password = file("password.p12");
    let rows: [(&str, &[&str]); 5] = [
        ("msal-pem", &[&rsa]),
        ("msal-pem", &[&second]),
        ("msal-pfx", &[&aes, ""]),
        ("msal-pfx", &[&chain, ""]),
        ("msal-pfx", &[&password, PASSWORD]),
    ];
    for (kind, credential) in rows {
        let simulator = registered(&[RSA, SECOND, CHAIN]);
        let mut arguments = vec![kind, TENANT_ID, &id];
        arguments.extend(credential);
        arguments.push(SCOPE);
        let answer = azure(&simulator, &arguments).unwrap();
        assert_is_token(&simulator, &answer);
        let header = header(&simulator);
        assert_eq!(header["alg"], "PS256", "{kind} {credential:?}");
        assert!(header["x5t#S256"].is_string(), "{header}");
    }
}

#[test]
#[ignore = "needs tests/real/setup: msal, azure-identity"]
fn the_older_signature_and_thumbprint_are_good_too() {
    let id = Principal::named(MAIN).client_id;
    let (pem, chain, aes) = (file("rsa.pem"), file("chain.pem"), file("aes.p12"));
    let thumbprint = Certificate::from_pem(RSA).thumbprint();
    let rows: [&[&str]; 4] = [
        &["msal-sha1", TENANT_ID, &id, &pem, &thumbprint, SCOPE],
        &["certificate", TENANT_ID, &id, &pem, SCOPE],
        &["certificate", TENANT_ID, &id, &chain, SCOPE],
        &["certificate", TENANT_ID, &id, &aes, SCOPE],
    ];
    for arguments in rows {
        let simulator = registered(&[RSA, CHAIN]);
        let answer = azure(&simulator, arguments).unwrap();
        assert_is_token(&simulator, &answer);
        let header = header(&simulator);
        assert_eq!(header["alg"], "RS256", "{arguments:?}");
        assert!(header["x5t"].is_string(), "{header}");
    }
}

#[test]
#[ignore = "needs tests/real/setup: msal, azure-identity"]
fn a_key_that_is_not_registered_is_refused_with_its_number() {
    let id = Principal::named(MAIN).client_id;
    let (rsa, second) = (file("rsa.pem"), file("second.pem"));
    let simulator = registered(&[RSA]);
    let refused = azure(&simulator, &["msal-pem", TENANT_ID, &id, &second, SCOPE]).unwrap();
    assert_eq!(refused["error"], "invalid_client", "{refused}");
    assert_eq!(refused["error_codes"], json!([700_027]));
    assert_eq!(refused["access_token"], Value::Null);
    let thumbprint = Certificate::from_pem(SECOND).thumbprint();
    let refusal = azure(&simulator, &["certificate", TENANT_ID, &id, &second, SCOPE]);
    let refusal = refusal.unwrap_err();
    refusal.assert_is("ClientAuthenticationError");
    for part in ["AADSTS700027", &thumbprint] {
        assert!(refusal.message.contains(part), "{part}: {refusal:?}");
    }
    // The key of one with the name of the other.
    let arguments = ["msal-sha1", TENANT_ID, &id, &rsa, &thumbprint, SCOPE];
    let simulator = registered(&[SECOND]);
    let refused = azure(&simulator, &arguments).unwrap();
    let description = refused["error_description"].as_str().unwrap();
    let reason = "The provided signature value did not match the expected signature value.";
    assert!(description.contains(reason), "{refused}");
    simulator.assert_clean();
}

#[test]
#[ignore = "needs tests/real/setup: azure-identity"]
fn a_managed_identity_proves_to_be_the_application_that_trusts_it() {
    let worker = Principal::named("worker");
    let worker_id = worker.client_id.clone();
    let tenant = "bbbbcccc-0000-4000-8000-ddddeeee0002";
    let application = Principal::named("application")
        .in_tenant(tenant)
        .without_secret()
        .federated(FederatedCredential::managed_identity(&worker));
    let id = application.client_id.clone();
    let world = World::new().user_assigned(worker).principal(application);
    let simulator = Simulator::start(world).unwrap();
    let arguments = ["federated", tenant, &id, &worker_id, SCOPE];
    let answer = azure(&simulator, &arguments).unwrap();
    assert_is_token(&simulator, &answer);
    let record = simulator.record();
    let asked = record.identity_requests();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].query().first("resource"), Some(TOKEN_EXCHANGE));
    assert_eq!(
        record.grants(),
        [(tenant.to_owned(), id.clone(), SCOPE.to_owned())]
    );

    simulator.world(|world| {
        let application = world.principal_mut("application");
        "someone-else".clone_into(&mut application.federated[0].subject);
    });
    let refusal = azure(&simulator, &arguments).unwrap_err();
    refusal.assert_is("ClientAuthenticationError");
    assert!(refusal.message.contains("AADSTS700213"), "{refusal:?}");

    let unknown = "11111111-2222-3333-4444-555555555555";
    let refusal = azure(&simulator, &["federated", tenant, &id, unknown, SCOPE]).unwrap_err();
    let words = "No User Assigned or Delegated Managed Identity found";
    assert!(refusal.message.contains(words), "{refusal:?}");
    simulator.assert_clean();
}
