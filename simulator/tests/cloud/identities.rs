//! Tests of managed identities, of federated credentials that trust them, and of several tenants.

use serde_json::json;
use simulator::Simulator;
use simulator::world::{
    FederatedCredential, MAIN, Member, Permission, Principal, TENANT_ID, TOKEN_EXCHANGE, Workspace,
    World, hours,
};

use crate::client::{ARM, Client, DATABRICKS, MANAGEMENT, Outcome, Reply};

const OTHER_TENANT: &str = "bbbbcccc-0000-4000-8000-ddddeeee0002";

async fn identity_token(
    simulator: &Simulator,
    resource: &str,
    client_id: Option<&str>,
) -> Result<Reply, Box<dyn std::error::Error>> {
    let mut url = url::Url::parse(&simulator.identity_endpoint())?;
    url.query_pairs_mut()
        .append_pair("api-version", "2019-08-01")
        .append_pair("resource", resource)
        .extend_pairs(client_id.map(|id| ("client_id", id)));
    let header = simulator.world(|world| world.identity.header.clone());
    let client = Client::of(simulator)?.header("x-identity-header", &header);
    Ok(client.get(url.as_str()).await?)
}

fn token(reply: &Reply) -> Result<String, Box<dyn std::error::Error>> {
    let body = reply.json();
    Ok(body["access_token"].as_str().ok_or("no token")?.to_owned())
}

#[tokio::test]
async fn an_identity_is_asked_for_by_its_client_id() -> Outcome {
    let workspace = Workspace::named("analytics")
        .member(Member::admin("function-app"))
        .member(Member::user("reader", Permission::CanAttachTo));
    let reader = Principal::named("reader");
    let id = reader.client_id.clone();
    let world = World::new().user_assigned(reader).workspace(workspace);
    let simulator = Simulator::start(world)?;
    for (client_id, group) in [(None, "admins"), (Some(id.as_str()), "data-engineers")] {
        let reply =
            identity_token(&simulator, simulator::world::DATABRICKS_APP_ID, client_id).await?;
        let client = Client::of(&simulator)?.token(&token(&reply)?);
        let url = crate::client::url(&simulator, "/api/2.0/preview/scim/v2/Me");
        let me = client.get(&url).await?.json();
        assert_eq!(me["groups"][0]["display"], json!(group), "{me}");
        assert_eq!(me["userName"], reply.json()["client_id"]);
    }
    for resource in [
        "https://vault.azure.net",
        "https://management.azure.com/",
        "https://management.core.windows.net/",
        TOKEN_EXCHANGE,
    ] {
        let reply = identity_token(&simulator, resource, Some(&id)).await?;
        assert_eq!(
            (reply.status, &reply.json()["resource"]),
            (200, &json!(resource))
        );
    }
    simulator.assert_clean();
    Ok(())
}

#[tokio::test]
async fn an_identity_that_is_not_assigned_is_refused_as_app_service_does() -> Outcome {
    let simulator = Simulator::start(World::new())?;
    let vault = "https://vault.azure.net";
    let unknown = identity_token(
        &simulator,
        vault,
        Some("11111111-2222-3333-4444-555555555555"),
    )
    .await?;
    assert_eq!(
        (unknown.status, &unknown.json()["statusCode"]),
        (400, &json!(400))
    );
    assert!(
        unknown
            .text
            .contains("No User Assigned or Delegated Managed Identity found")
    );
    simulator.world(|world| world.identity.is_assigned = false);
    let none = identity_token(&simulator, vault, None).await?;
    assert_eq!(none.status, 400);
    assert!(
        none.text
            .contains("Unable to load the proper Managed Identity.")
    );
    simulator.assert_clean();
    Ok(())
}

/// A world in which an application trusts the user-assigned identity `worker`, from another tenant.
fn trusting(change: impl FnOnce(&mut FederatedCredential)) -> World {
    let worker = Principal::named("worker");
    let mut credential = FederatedCredential::managed_identity(&worker);
    change(&mut credential);
    let application = Principal::named("application")
        .in_tenant(OTHER_TENANT)
        .without_secret()
        .federated(credential);
    let workspace = Workspace::named("analytics")
        .in_tenant(OTHER_TENANT)
        .member(Member::admin("application"));
    World::new()
        .user_assigned(worker)
        .principal(application)
        .workspace(workspace)
}

async fn exchange(
    simulator: &Simulator,
    resource: &str,
) -> Result<Reply, Box<dyn std::error::Error>> {
    let worker = Principal::named("worker").client_id;
    let assertion = token(&identity_token(simulator, resource, Some(&worker)).await?)?;
    present(simulator, &assertion).await
}

async fn present(
    simulator: &Simulator,
    assertion: &str,
) -> Result<Reply, Box<dyn std::error::Error>> {
    let id = Principal::named("application").client_id;
    let client = Client::of(simulator)?;
    let reply = client.ask_with_assertion(OTHER_TENANT, &id, assertion, DATABRICKS);
    Ok(reply.await?)
}

#[tokio::test]
async fn an_identity_s_token_proves_to_be_the_application_that_trusts_it() -> Outcome {
    let simulator = Simulator::start(trusting(|_| {}))?;
    let reply = exchange(&simulator, TOKEN_EXCHANGE).await?;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let client = Client::of(&simulator)?.token(&token(&reply)?);
    let listed = client
        .get(&crate::client::url(&simulator, "/api/2.1/clusters/list"))
        .await?;
    assert_eq!(listed.status, 200, "{}", listed.text);
    simulator.assert_clean();
    // Every token of this is a secret.
    let secrets = simulator.world(|world| world.secrets());
    for token in simulator.world(|world| world.issued_tokens()) {
        assert!(secrets.contains(&token.value), "{token:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_identity_that_is_not_trusted_is_refused_with_what_did_not_match() -> Outcome {
    type Change = fn(&mut FederatedCredential);
    let rows: [(Change, &str, u32); 5] = [
        (|known| known.issuer.push('/'), TOKEN_EXCHANGE, 700_211),
        (
            |known| known.subject.make_ascii_uppercase(),
            TOKEN_EXCHANGE,
            700_213,
        ),
        (
            |known| known.subject = "someone-else".to_owned(),
            TOKEN_EXCHANGE,
            700_213,
        ),
        (
            |known| known.audience = "api://other".to_owned(),
            TOKEN_EXCHANGE,
            700_212,
        ),
        // A token for another service is of another issuer, too.
        (|_| {}, "https://vault.azure.net", 700_211),
    ];
    for (change, resource, code) in rows {
        let simulator = Simulator::start(trusting(change))?;
        let reply = exchange(&simulator, resource).await?;
        assert_eq!(reply.status, 401, "{code}");
        assert_eq!(reply.json()["error_codes"], json!([code]), "{}", reply.text);
        simulator.assert_clean();
    }
    let simulator = Simulator::start(trusting(|_| {}))?;
    simulator.world(|world| world.principal_mut("application").federated.clear());
    let reply = exchange(&simulator, TOKEN_EXCHANGE).await?;
    assert_eq!(
        reply.json()["error_codes"],
        json!([70_021]),
        "{}",
        reply.text
    );
    Ok(())
}

#[tokio::test]
async fn an_identity_s_token_that_is_over_forged_or_taken_back_proves_nothing() -> Outcome {
    let simulator = Simulator::start(trusting(|_| {}))?;
    let worker = Principal::named("worker").client_id;
    let assertion = token(&identity_token(&simulator, TOKEN_EXCHANGE, Some(&worker)).await?)?;
    let forged = present(&simulator, &format!("{assertion}x")).await?;
    assert_eq!(
        forged.json()["error_codes"],
        json!([50_013]),
        "{}",
        forged.text
    );
    simulator.world(|world| world.advance(hours(25)));
    let over = present(&simulator, &assertion).await?;
    assert_eq!(
        over.json()["error_codes"],
        json!([700_024]),
        "{}",
        over.text
    );
    simulator.world(|world| world.revoke_tokens("worker"));
    let taken = present(&simulator, &assertion).await?;
    assert_eq!(
        taken.json()["error_codes"],
        json!([50_013]),
        "{}",
        taken.text
    );
    Ok(())
}

#[tokio::test]
async fn a_tenant_takes_no_other_tenant_s_tokens() -> Outcome {
    let theirs = Workspace::named("analytics")
        .in_tenant(OTHER_TENANT)
        .member(Member::admin("theirs"))
        .member(Member::admin(MAIN));
    let resource_id = theirs.resource_id.clone();
    let world = World::new()
        .principal(Principal::named("theirs").in_tenant(OTHER_TENANT))
        .workspace(theirs);
    let simulator = Simulator::start(world)?;
    let list = crate::client::url(&simulator, "/api/2.1/clusters/list");
    let resource = format!("https://management.azure.com{resource_id}?api-version=2024-05-01");

    let stranger = Client::with_scope(&simulator, DATABRICKS).await?;
    let refused = stranger.get(&list).await?;
    assert_eq!(refused.status, 400);
    let wanted =
        format!("Expected iss claim to be: https://sts.windows.net/{OTHER_TENANT}/, but was");
    assert!(refused.text.contains(&wanted), "{}", refused.text);
    let stranger = Client::with_scope(&simulator, ARM).await?;
    let refused = stranger.get(&resource).await?;
    assert_eq!(
        (refused.status, &refused.json()["error"]["code"]),
        (401, &json!("InvalidAuthenticationTokenTenant"))
    );

    for (scope, url) in [
        (DATABRICKS, &list),
        (ARM, &resource),
        (MANAGEMENT, &resource),
    ] {
        let (id, secret) = simulator.world(|world| {
            let theirs = world.principal_mut("theirs");
            (theirs.client_id.clone(), theirs.secret().to_owned())
        });
        let client = Client::of(&simulator)?;
        let elsewhere = client.ask_for_token(TENANT_ID, &id, &secret, scope).await?;
        assert_eq!(elsewhere.json()["error_codes"], json!([700_016]));
        let own = client
            .ask_for_token(OTHER_TENANT, &id, &secret, scope)
            .await?;
        let reply = Client::of(&simulator)?
            .token(&token(&own)?)
            .get(url)
            .await?;
        assert_eq!(reply.status, 200, "{scope}: {}", reply.text);
    }
    simulator.assert_clean();
    Ok(())
}
