//! Tests of Key Vault.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use simulator::Simulator;
use simulator::world::{
    CLIENT_CERTIFICATE_SECRET, CLIENT_SECRET_SECRET, Certificate, MAIN, Moment, SecretTime,
    StoredCertificate, World, hours,
};

use crate::client::{Client, DATABRICKS, Outcome};

const VAULT: &str = "https://tc-vault.vault.azure.net";

async fn identity_client(simulator: &Simulator) -> Result<Client, Box<dyn std::error::Error>> {
    let header = simulator.world(|world| world.identity.header.clone());
    let url = format!(
        "{}?api-version=2019-08-01&resource=https%3A%2F%2Fvault.azure.net",
        simulator.identity_endpoint()
    );
    let reply = Client::of(simulator)?
        .header("x-identity-header", &header)
        .get(&url)
        .await?;
    let token = reply.json()["access_token"]
        .as_str()
        .ok_or("no token")?
        .to_owned();
    Ok(Client::of(simulator)?.token(&token))
}

fn secret_url(path: &str) -> String {
    format!("{VAULT}/secrets/{path}?api-version=2025-07-01")
}

#[tokio::test]
async fn challenges_before_it_answers_and_counts_only_answers_as_reads() -> Outcome {
    let simulator = Simulator::start(World::new())?;
    let url = secret_url("databricks-sp-client-secret/");
    let challenge = Client::of(&simulator)?.get(&url).await?;
    assert_eq!(challenge.status, 401);
    let wanted = challenge.header("www-authenticate");
    assert!(
        wanted.contains("resource=\"https://vault.azure.net\""),
        "{wanted}"
    );
    assert!(challenge.text.contains("AKV10000"));
    let reply = identity_client(&simulator).await?.get(&url).await?;
    let secret = simulator.world(|world| world.principal_mut("main").secret().to_owned());
    assert_eq!(reply.json()["value"], json!(secret));
    let record = simulator.record();
    assert_eq!(record.secret_reads(), [CLIENT_SECRET_SECRET]);
    assert_eq!(record.secret_challenges().len(), 1);
    simulator.assert_clean();
    Ok(())
}

#[tokio::test]
async fn refuses_a_token_for_another_audience() -> Outcome {
    let simulator = Simulator::start(World::new())?;
    let client = Client::with_scope(&simulator, DATABRICKS).await?;
    let reply = client.get(&secret_url(CLIENT_SECRET_SECRET)).await?;
    assert_eq!(reply.status, 401);
    assert!(reply.text.contains("AKV10022"));
    Ok(())
}

#[tokio::test]
async fn tells_absent_disabled_and_forbidden_apart() -> Outcome {
    let simulator = Simulator::start(World::new())?;
    let client = identity_client(&simulator).await?;
    let absent = client.get(&secret_url("no-such-secret")).await?;
    assert_eq!(
        (absent.status, &absent.json()["error"]["code"]),
        (404, &json!("SecretNotFound"))
    );
    simulator.world(|world| world.vaults[0].disable(CLIENT_SECRET_SECRET));
    let disabled = client.get(&secret_url(CLIENT_SECRET_SECRET)).await?;
    assert_eq!(disabled.status, 403);
    assert_eq!(
        disabled.json()["error"]["innererror"]["code"],
        json!("SecretDisabled")
    );
    simulator.world(|world| world.vaults[0].readers.clear());
    let forbidden = client.get(&secret_url(CLIENT_SECRET_SECRET)).await?;
    assert_eq!(forbidden.status, 403);
    assert_eq!(
        forbidden.json()["error"]["innererror"]["code"],
        json!("ForbiddenByRbac")
    );
    assert!(forbidden.text.contains("\\r\\n"), "{}", forbidden.text);
    simulator.assert_clean();
    Ok(())
}

#[tokio::test]
async fn a_version_keeps_its_value_after_a_rotation() -> Outcome {
    let simulator = Simulator::start(World::new())?;
    let client = identity_client(&simulator).await?;
    let old = client.get(&secret_url(CLIENT_SECRET_SECRET)).await?.json();
    let id = old["id"].as_str().ok_or("no id")?;
    let version = id.rsplit('/').next().ok_or("no version")?.to_owned();
    simulator.world(|world| world.rotate_secret("main"));
    let fresh = client.get(&secret_url(CLIENT_SECRET_SECRET)).await?.json();
    let pinned = client
        .get(&secret_url(&format!("{CLIENT_SECRET_SECRET}/{version}")))
        .await?
        .json();
    assert_eq!(pinned["value"], old["value"]);
    assert_ne!(fresh["value"], old["value"]);
    let current = simulator.world(|world| world.principal_mut("main").secret().to_owned());
    assert_eq!(fresh["value"], json!(current));
    Ok(())
}

#[tokio::test]
async fn refuses_an_unknown_api_version_and_keeps_any_other_request() -> Outcome {
    let simulator = Simulator::start(World::new())?;
    let client = identity_client(&simulator).await?;
    let reply = client
        .get(&format!("{VAULT}/secrets/x?api-version=1999-01-01"))
        .await?;
    assert_eq!(reply.status, 400);
    simulator.assert_clean();
    assert_eq!(
        client
            .get(&format!("{VAULT}/keys/x/?api-version=2025-07-01"))
            .await?
            .status,
        501
    );
    assert_eq!(simulator.violations().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_secret_bears_its_times_and_is_given_out_outside_them() -> Outcome {
    let mut world = World::new();
    let origin = world.clock.now_ms() / 1000;
    let version = world.vaults[0].version_mut(CLIENT_SECRET_SECRET);
    version.expires = Some(SecretTime::Moment(Moment::ago(hours(1))));
    version.not_before = Some(SecretTime::Epoch(4_000_000_000));
    version.content_type = Some("text/plain".to_owned());
    let simulator = Simulator::start(world)?;
    let client = identity_client(&simulator).await?;
    let reply = client.get(&secret_url(CLIENT_SECRET_SECRET)).await?;
    let body = reply.json();
    assert_eq!(reply.status, 200, "{}", reply.text);
    let expires = body["attributes"]["exp"].as_i64().ok_or("no exp")?;
    assert!((expires - (origin - 3600)).abs() <= 2, "{body}");
    assert_eq!(body["attributes"]["nbf"], json!(4_000_000_000_i64));
    assert_eq!(body["contentType"], json!("text/plain"));
    assert_eq!(
        (&body["kid"], &body["managed"]),
        (&json!(null), &json!(null))
    );
    simulator.assert_clean();
    Ok(())
}

#[tokio::test]
async fn a_certificate_is_given_out_as_the_secret_behind_it() -> Outcome {
    let file = include_bytes!("../../../tests/fixtures/certificates/throwaway-aes.p12");
    let public = include_str!("../../../tests/fixtures/certificates/registered/rsa.crt");
    let pem = include_str!("../../../tests/fixtures/certificates/throwaway-second.pem");
    let stored = StoredCertificate::pkcs12(file, &Certificate::from_pem(public));
    let simulator = Simulator::start(World::new().with_certificate(&stored))?;
    let client = identity_client(&simulator).await?;
    let url = secret_url(CLIENT_CERTIFICATE_SECRET);
    let body = client.get(&url).await?.json();
    assert_eq!(body["contentType"], json!("application/x-pkcs12"));
    assert_eq!(body["value"], json!(STANDARD.encode(file)));
    assert_eq!(body["attributes"]["exp"], json!(4_733_510_400_i64));
    assert_eq!(body["managed"], json!(true));
    let key_id = body["kid"].as_str().ok_or("no kid")?;
    assert!(key_id.starts_with(&format!("{VAULT}/keys/{CLIENT_CERTIFICATE_SECRET}/")));
    let main = simulator.world(|world| world.principal_mut(MAIN).clone());
    assert_eq!((main.secrets.len(), main.certificates.len()), (0, 1));
    let gone = client.get(&secret_url(CLIENT_SECRET_SECRET)).await?;
    assert_eq!(gone.status, 404);

    simulator.world(|world| {
        world.vaults[0].set_certificate(CLIENT_CERTIFICATE_SECRET, &StoredCertificate::pem(pem));
    });
    let body = client.get(&url).await?.json();
    assert_eq!(body["contentType"], json!("application/x-pem-file"));
    assert_eq!(body["value"], json!(pem));
    // Both private keys are secrets now, in pieces of a line.
    let secrets = simulator.world(|world| world.secrets());
    let told = |text: &str| secrets.iter().any(|secret| text.contains(secret.as_str()));
    assert!(told(&STANDARD.encode(file)));
    assert!(told(&pem.replace('\n', "")));
    assert!(!told(&public.replace('\n', "")));
    simulator.assert_clean();
    Ok(())
}

#[tokio::test]
async fn lists_the_versions_in_pages_to_an_empty_end() -> Outcome {
    let mut world = World::new();
    world.vaults[0].page_size = 2;
    let simulator = Simulator::start(world)?;
    for _ in 0..3 {
        simulator.world(|world| world.rotate_secret(MAIN));
    }
    let client = identity_client(&simulator).await?;
    let mut url = format!("{VAULT}/secrets/{CLIENT_SECRET_SECRET}/versions?api-version=7.6");
    let mut sizes = Vec::new();
    loop {
        let page = client.get(&url).await?.json();
        let items = page["value"].as_array().ok_or("no list")?;
        sizes.push(items.len());
        assert!(items.iter().all(|item| item["value"].is_null()), "{page}");
        let Some(next) = page["nextLink"].as_str() else {
            break;
        };
        assert!(next.contains(":443/"), "{next}");
        url = next.to_owned();
    }
    assert_eq!(sizes, [2, 2, 0]);
    assert!(simulator.record().secret_reads().is_empty());
    simulator.assert_clean();
    Ok(())
}
