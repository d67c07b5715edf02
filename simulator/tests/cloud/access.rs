//! Tests of the entry to a workspace: every row of what failures look like on the wire.

use serde_json::json;
use simulator::Simulator;
use simulator::world::{
    Access, Cluster, Member, Permission, Principal, PrivateLink, Workspace, World, seconds,
};

use crate::client::{ARM, Client, DATABRICKS, MANAGEMENT, Outcome, start, url};

const LIST: &str = "/api/2.1/clusters/list";

/// Each setting with the status and a part of the body that it leads to.
fn rows() -> Vec<(Access, u16, &'static str)> {
    let link = |shape| Access::PrivateLink(shape);
    let throttled = Access::Throttled {
        retry_after: Some(seconds(7)),
        error_code: "RESOURCE_EXHAUSTED".to_owned(),
    };
    let invalid_token = "<title>Error 403 Invalid access token.</title>";
    let network = "Unauthorized network access to workspace: ";
    vec![
        (Access::NoEntitlement, 403, "workspace-access entitlement"),
        (Access::InvalidToken, 403, invalid_token),
        (Access::CredentialNotSent, 401, "\"error_code\":401"),
        (Access::ExpiredToken(401), 401, "expired"),
        (Access::ExpiredToken(403), 403, "expired"),
        (Access::OtherTenant, 400, "Expected iss claim to be: https"),
        (Access::OtherAudience, 400, "Expected aud claim to be: "),
        (Access::IpAccessList, 403, "Unauthorized access to Org: "),
        (link(PrivateLink::Json), 403, network),
        (link(PrivateLink::Sentence), 403, network),
        (
            link(PrivateLink::ReasonPhrase),
            403,
            "X-Databricks-Reason-Phrase",
        ),
        (link(PrivateLink::Redirect(302)), 302, ""),
        (link(PrivateLink::Redirect(303)), 303, ""),
        (Access::NotFound, 404, "<title>Error 404"),
        (throttled, 429, "RESOURCE_EXHAUSTED"),
        (Access::LoginPage, 200, "<title>Sign In"),
        (Access::Open, 200, "{}"),
    ]
}

#[tokio::test]
async fn every_access_setting_refuses_in_its_own_shape() -> Outcome {
    for (access, status, part) in rows() {
        let simulator = start(Workspace::named("analytics").access(access.clone()))?;
        let client = Client::with_scope(&simulator, DATABRICKS).await?;
        let reply = client.get(&url(&simulator, LIST)).await?;
        assert_eq!(reply.status, status, "{access:?}");
        assert!(reply.text.contains(part), "{access:?}: {}", reply.text);
        if matches!(access, Access::PrivateLink(PrivateLink::Redirect(_))) {
            let location = reply.header("location");
            let start = "/login.html?error=private-link-validation-error:";
            assert!(location.starts_with(start), "{location}");
            // A client that follows it ends at a page, as at the real service.
            let end = client.get(&url(&simulator, location)).await?;
            assert_eq!(end.status, 200);
            assert!(end.text.contains("<title>Sign In"), "{}", end.text);
        }
        if matches!(access, Access::Throttled { .. }) {
            assert_eq!(reply.header("retry-after"), "7");
        }
        simulator.assert_clean();
    }
    Ok(())
}

#[tokio::test]
async fn tokens_are_refused_for_what_is_wrong_with_them() -> Outcome {
    let mut foreign = Principal::named("foreign");
    foreign.tenant = "99999999-1111-4000-8000-000000000000".to_owned();
    let (foreign_id, foreign_secret, foreign_tenant) = (
        foreign.client_id.clone(),
        foreign.secret().to_owned(),
        foreign.tenant.clone(),
    );
    let mut world = World::new()
        .principal(foreign)
        .workspace(Workspace::named("analytics"));
    world.tenants.push(foreign_tenant.clone());
    let simulator = Simulator::start(world)?;
    let url = url(&simulator, LIST);
    let missing = Client::of(&simulator)?.get(&url).await?;
    assert_eq!(
        (missing.status, &missing.json()["error_code"]),
        (401, &json!(401))
    );
    let unknown = Client::of(&simulator)?.token("made-up").get(&url).await?;
    assert_eq!(
        (
            unknown.status,
            unknown.text.contains("Invalid access token.")
        ),
        (403, true)
    );
    let audience = Client::with_scope(&simulator, ARM).await?.get(&url).await?;
    assert_eq!(
        (
            audience.status,
            audience.text.contains("Expected aud claim")
        ),
        (400, true)
    );
    let client = Client::of(&simulator)?;
    let reply = client
        .ask_for_token(&foreign_tenant, &foreign_id, &foreign_secret, DATABRICKS)
        .await?
        .json();
    let token = reply["access_token"].as_str().ok_or("no token")?;
    let tenant = client.token(token).get(&url).await?;
    assert_eq!(
        (tenant.status, tenant.text.contains("Expected iss claim")),
        (400, true)
    );
    let client = Client::with_scope(&simulator, DATABRICKS).await?;
    simulator.world(|world| world.revoke_tokens("main"));
    assert_eq!(client.get(&url).await?.status, 403);
    simulator.assert_clean();
    Ok(())
}

#[tokio::test]
async fn a_principal_that_is_no_member_is_not_authorized() -> Outcome {
    let simulator = start(Workspace::named("analytics").without_member("main"))?;
    let client = Client::with_scope(&simulator, DATABRICKS).await?;
    let reply = client.get(&url(&simulator, LIST)).await?;
    assert_eq!(reply.status, 403);
    assert!(
        reply
            .text
            .contains("<title>Error 403 User not authorized.</title>"),
        "{}",
        reply.text
    );
    simulator.assert_clean();
    Ok(())
}

/// A contributor's client with a management token for the header, which is none yet.
async fn contributor(
    scope: &str,
) -> Result<(Simulator, Client, String), Box<dyn std::error::Error>> {
    let world = World::new()
        .principal(Principal::named("main").contributor())
        .workspace(
            Workspace::named("analytics")
                .access(Access::Contributor)
                .without_member("main"),
        );
    let simulator = Simulator::start(world)?;
    let management = Client::with_scope(&simulator, scope)
        .await?
        .held_token()
        .to_owned();
    let client = Client::with_scope(&simulator, DATABRICKS).await?;
    let client = client.header("x-databricks-azure-sp-management-token", &management);
    let id = simulator.world(|world| world.workspace_mut("analytics").resource_id.clone());
    Ok((simulator, client, id))
}

#[tokio::test]
async fn a_contributor_becomes_an_admin_by_the_two_headers() -> Outcome {
    let (simulator, client, id) = contributor(MANAGEMENT).await?;
    let plain = Client::with_scope(&simulator, DATABRICKS).await?;
    let me = url(&simulator, "/api/2.0/preview/scim/v2/Me");
    assert_eq!(plain.get(&me).await?.status, 403);
    let client = client.header("x-databricks-azure-workspace-resource-id", &id);
    assert_eq!(
        client.get(&me).await?.json()["groups"][0]["display"],
        json!("admins")
    );
    assert_eq!(plain.get(&me).await?.status, 200);
    let names = simulator
        .record()
        .to(me.split('/').nth(2).unwrap_or_default())[1]
        .header_names();
    assert!(
        names.contains(&"x-databricks-azure-sp-management-token".to_owned()),
        "{names:?}"
    );
    Ok(())
}

#[tokio::test]
async fn the_headers_do_nothing_with_a_wrong_resource_or_a_wrong_audience() -> Outcome {
    let (simulator, client, id) = contributor(MANAGEMENT).await?;
    let wrong = client.header(
        "x-databricks-azure-workspace-resource-id",
        &format!("{id}x"),
    );
    let reply = wrong.get(&url(&simulator, LIST)).await?;
    assert_eq!(
        (reply.status, reply.text.contains("could not be found")),
        (404, true)
    );
    // One slash less in the scope, and the audience is another one.
    let (simulator, client, id) =
        contributor("https://management.core.windows.net/.default").await?;
    let client = client.header("x-databricks-azure-workspace-resource-id", &id);
    assert_eq!(client.get(&url(&simulator, LIST)).await?.status, 400);
    Ok(())
}

#[tokio::test]
async fn the_headers_must_not_go_to_a_driver() -> Outcome {
    let simulator = start(Workspace::named("analytics").cluster(Cluster::busy("b")))?;
    let client = Client::with_scope(&simulator, DATABRICKS).await?;
    let client = client.header(
        "x-databricks-azure-workspace-resource-id",
        "/subscriptions/x",
    );
    let path = simulator.world(|world| {
        let id = world.cluster_id("analytics", "b");
        format!(
            "/driver-proxy-api/o/{}/{id}/40001/api/v1/applications",
            world.workspace_mut("analytics").id
        )
    });
    assert_eq!(client.get(&url(&simulator, &path)).await?.status, 501);
    assert_eq!(simulator.violations().len(), 1);
    Ok(())
}

#[tokio::test]
async fn me_tells_groups_and_the_workspace_id() -> Outcome {
    let world = World::new()
        .principal(Principal::named("reader"))
        .workspace(
            Workspace::named("analytics").member(Member::user("reader", Permission::CanAttachTo)),
        );
    let simulator = Simulator::start(world)?;
    let path = url(
        &simulator,
        "/api/2.0/preview/scim/v2/Me?excludedAttributes=entitlements",
    );
    let org = simulator.world(|world| world.workspace_mut("analytics").id.to_string());
    let admin = Client::with_scope(&simulator, DATABRICKS)
        .await?
        .get(&path)
        .await?;
    assert_eq!(admin.header("x-databricks-org-id"), org);
    assert_eq!(admin.json()["groups"][0]["display"], json!("admins"));
    assert_eq!(admin.json().get("entitlements"), None);
    let reader = Client::as_principal(&simulator, "reader", DATABRICKS)
        .await?
        .get(&path)
        .await?;
    assert_eq!(
        reader.json()["groups"][0]["display"],
        json!("data-engineers")
    );
    simulator.assert_clean();
    Ok(())
}
