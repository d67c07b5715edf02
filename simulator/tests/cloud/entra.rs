//! Tests of Entra's token endpoint and of the managed identity.

use serde_json::json;
use simulator::Simulator;
use simulator::world::{EntraErrors, TENANT_ID, World, hours};

use crate::client::{Client, DATABRICKS, Outcome};

fn main_principal(simulator: &Simulator) -> (String, String) {
    simulator.world(|world| {
        let main = world.principal_mut("main");
        (main.client_id.clone(), main.secret().to_owned())
    })
}

#[tokio::test]
async fn gives_a_fresh_token_each_time() -> Outcome {
    let simulator = Simulator::start(World::new().token_lifetime(1234))?;
    let (id, secret) = main_principal(&simulator);
    let client = Client::of(&simulator)?;
    let first = client
        .ask_for_token(TENANT_ID, &id, &secret, DATABRICKS)
        .await?
        .json();
    let second = client
        .ask_for_token(TENANT_ID, &id, &secret, DATABRICKS)
        .await?
        .json();
    assert_eq!(first["expires_in"], json!(1234));
    assert_eq!(first["token_type"], json!("Bearer"));
    assert!(first["access_token"].is_string());
    assert_ne!(first["access_token"], second["access_token"]);
    assert_eq!(
        simulator.record().granted_scopes(),
        [DATABRICKS, DATABRICKS]
    );
    simulator.assert_clean();
    Ok(())
}

#[tokio::test]
async fn refuses_with_the_number_that_says_what_is_wrong() -> Outcome {
    let simulator = Simulator::start(World::new())?;
    let (id, secret) = main_principal(&simulator);
    let client = Client::of(&simulator)?;
    let other = "11111111-2222-3333-4444-555555555555";
    let expired = secret.clone();
    simulator.world(|world| world.rotate_secret("main"));
    let fresh = main_principal(&simulator).1;
    let rows = [
        (
            TENANT_ID,
            id.as_str(),
            "wrong",
            401,
            "invalid_client",
            7_000_215,
        ),
        (
            TENANT_ID,
            id.as_str(),
            expired.as_str(),
            401,
            "invalid_client",
            7_000_222,
        ),
        (
            TENANT_ID,
            other,
            fresh.as_str(),
            400,
            "unauthorized_client",
            700_016,
        ),
        (
            other,
            id.as_str(),
            fresh.as_str(),
            400,
            "invalid_request",
            90_002,
        ),
    ];
    for (tenant, id, secret, status, error, code) in rows {
        let reply = client.ask_for_token(tenant, id, secret, DATABRICKS).await?;
        let body = reply.json();
        assert_eq!(
            (reply.status, &body["error"]),
            (status, &json!(error)),
            "{code}"
        );
        assert_eq!(body["error_codes"], json!([code]));
        let description = body["error_description"].as_str().ok_or("no description")?;
        assert!(
            description.starts_with(&format!("AADSTS{code}: ")),
            "{description}"
        );
        assert!(description.contains("\r\nTrace ID: "), "{description}");
    }
    simulator.assert_clean();
    Ok(())
}

#[tokio::test]
async fn words_its_refusals_on_one_line_or_in_html_if_told() -> Outcome {
    let simulator = Simulator::start(World::new())?;
    let (id, _) = main_principal(&simulator);
    let client = Client::of(&simulator)?;
    simulator.world(|world| world.entra_errors = EntraErrors::OneLine);
    let reply = client
        .ask_for_token(TENANT_ID, &id, "wrong", DATABRICKS)
        .await?;
    assert!(!reply.text.contains('\\'), "{}", reply.text);
    simulator.world(|world| world.entra_errors = EntraErrors::Html502);
    let reply = client
        .ask_for_token(TENANT_ID, &id, "wrong", DATABRICKS)
        .await?;
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (502, "text/html;charset=utf-8")
    );
    Ok(())
}

#[tokio::test]
async fn refuses_a_scope_that_nobody_arranged_and_keeps_it() -> Outcome {
    let simulator = Simulator::start(World::new())?;
    let (id, secret) = main_principal(&simulator);
    let client = Client::of(&simulator)?;
    let reply = client
        .ask_for_token(
            TENANT_ID,
            &id,
            &secret,
            "https://graph.microsoft.com/.default",
        )
        .await?;
    assert_eq!(reply.status, 400);
    assert_eq!(simulator.violations().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_token_expires_by_the_clock_of_the_world() -> Outcome {
    let simulator =
        Simulator::start(World::new().workspace(simulator::world::Workspace::named("analytics")))?;
    let client = Client::with_scope(&simulator, DATABRICKS).await?;
    let url = crate::client::url(&simulator, "/api/2.1/clusters/list");
    assert_eq!(client.get(&url).await?.status, 200);
    simulator.world(|world| world.advance(hours(2)));
    assert_eq!(client.get(&url).await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn the_managed_identity_wants_its_header_and_answers_in_strings() -> Outcome {
    let simulator = Simulator::start(World::new())?;
    let url = format!(
        "{}?api-version=2019-08-01&resource=https%3A%2F%2Fvault.azure.net",
        simulator.identity_endpoint()
    );
    let without = Client::of(&simulator)?.get(&url).await?;
    assert_eq!(without.status, 403);
    let header = simulator.world(|world| world.identity.header.clone());
    let client = Client::of(&simulator)?.header("x-identity-header", &header);
    let reply = client.get(&url).await?;
    let body = reply.json();
    assert_eq!(reply.status, 200);
    let expires_on = body["expires_on"]
        .as_str()
        .ok_or("expires_on is no string")?;
    assert!(expires_on.parse::<i64>()? > 0);
    assert_eq!(body["resource"], json!("https://vault.azure.net"));
    assert_eq!(body["token_type"], json!("Bearer"));
    simulator.world(|world| world.identity.is_assigned = false);
    assert_eq!(client.get(&url).await?.status, 400);
    assert_eq!(simulator.record().identity_requests().len(), 3);
    simulator.assert_clean();
    Ok(())
}
