//! Tests of Key Vault.

use serde_json::json;
use simulator::Simulator;
use simulator::world::{CLIENT_SECRET_SECRET, World};

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
