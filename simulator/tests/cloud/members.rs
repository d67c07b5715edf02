//! Tests of who belongs to a workspace: SCIM, the Permissions API, and how a membership spreads.

use reqwest::Method;
use serde_json::{Value, json};
use simulator::Simulator;
use simulator::world::{
    AlreadyExists, Cluster, Member, Permission, Principal, Scim, Spread, Workspace, World, seconds,
};

use crate::client::{Client, DATABRICKS, MANAGEMENT, Outcome, Reply, url};

const SCIM: &str = "/api/2.0/preview/scim/v2";

fn newcomer() -> Principal {
    Principal::named("newcomer")
}

fn starting(workspace: Workspace) -> std::io::Result<Simulator> {
    let world = World::new().principal(newcomer());
    Simulator::start(world.workspace(workspace))
}

fn creation() -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServicePrincipal"],
        "applicationId": newcomer().client_id,
        "displayName": "newcomer",
        "active": true,
        "entitlements": [{ "value": "workspace-access" }],
    })
}

fn adding(list: &str, values: &[&str]) -> Value {
    let values: Vec<Value> = values.iter().map(|one| json!({ "value": one })).collect();
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "add", "path": list, "value": values }],
    })
}

async fn find(
    client: &Client,
    simulator: &Simulator,
    filter: &str,
) -> Result<Value, reqwest::Error> {
    let filter: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
    let path =
        format!("{SCIM}/{filter}").replace("ServicePrincipals+", "ServicePrincipals?filter=");
    let path = path.replace("Groups+", "Groups?filter=");
    Ok(client.get(&url(simulator, &path)).await?.json())
}

async fn create(client: &Client, simulator: &Simulator) -> Result<Reply, reqwest::Error> {
    let path = url(simulator, &format!("{SCIM}/ServicePrincipals"));
    client.post(&path, &creation()).await
}

#[tokio::test]
async fn an_admin_adds_a_principal_to_the_workspace_and_to_the_admins() -> Outcome {
    let simulator = starting(Workspace::named("analytics"))?;
    let client = Client::with_scope(&simulator, DATABRICKS).await?;
    let by_application = format!(
        "ServicePrincipals applicationId eq \"{}\"",
        newcomer().client_id
    );
    let none = find(&client, &simulator, &by_application).await?;
    assert_eq!(none["totalResults"], 0);
    assert_eq!(none.get("Resources"), None, "absent, not empty");

    let created = create(&client, &simulator).await?;
    assert_eq!(created.status, 201, "{}", created.text);
    assert!(
        created
            .header("content-type")
            .starts_with("application/scim+json")
    );
    let found = find(&client, &simulator, &by_application).await?;
    assert_eq!(
        (&found["totalResults"], &found["startIndex"]),
        (&json!(1), &json!(1))
    );
    let found = &found["Resources"][0];
    assert_eq!(found["id"], created.json()["id"]);
    assert_eq!(
        found["entitlements"],
        json!([{ "value": "workspace-access" }])
    );
    assert_eq!(found.get("groups"), None);

    let admins = find(&client, &simulator, "Groups displayName eq \"admins\"").await?;
    let id = admins["Resources"][0]["id"]
        .as_str()
        .ok_or("no group")?
        .to_owned();
    let path = url(&simulator, &format!("{SCIM}/Groups/{id}"));
    let body = adding("members", &[found["id"].as_str().ok_or("no id")?]);
    let patched = client.send(Method::PATCH, &path, Some(&body)).await?;
    assert_eq!(patched.status, 200, "{}", patched.text);
    simulator.world(|world| {
        let member = world.workspaces[0].find_member("newcomer");
        assert!(member.is_some_and(Member::is_admin), "{member:?}");
    });
    let newcomer = Client::as_principal(&simulator, "newcomer", DATABRICKS).await?;
    let me = newcomer
        .get(&url(&simulator, &format!("{SCIM}/Me")))
        .await?;
    assert_eq!(me.json()["groups"][0]["display"], "admins");
    simulator.assert_clean();
    Ok(())
}

#[tokio::test]
async fn who_exists_is_refused_in_each_of_the_forms() -> Outcome {
    let forms = [
        (AlreadyExists::Conflict, 409, "/message"),
        (AlreadyExists::ConflictInScim, 409, "/detail"),
        (AlreadyExists::BadRequest, 400, "/message"),
        (AlreadyExists::InTheAccount, 409, "/message"),
    ];
    for (already_exists, status, sentence) in forms {
        let scim = Scim {
            already_exists,
            ..Scim::default()
        };
        let workspace = Workspace::named("analytics")
            .member(Member::user("newcomer", Permission::None))
            .scim(scim);
        let simulator = starting(workspace)?;
        let client = Client::with_scope(&simulator, DATABRICKS).await?;
        let refused = create(&client, &simulator).await?;
        assert_eq!(refused.status, status, "{}", refused.text);
        let body = refused.json();
        let sentence = body.pointer(sentence).and_then(Value::as_str);
        assert!(
            sentence.is_some_and(|text| text.contains("already exists")),
            "{body}"
        );
        simulator.assert_clean();
    }
    let only_in_account = Scim {
        known_to_account: vec!["newcomer".to_owned()],
        ..Scim::default()
    };
    let simulator = starting(Workspace::named("analytics").scim(only_in_account))?;
    let client = Client::with_scope(&simulator, DATABRICKS).await?;
    let refused = create(&client, &simulator).await?;
    assert!(
        refused.text.contains("already exists in this account"),
        "{}",
        refused.text
    );
    Ok(())
}

#[tokio::test]
async fn only_admins_change_members_groups_and_rights() -> Outcome {
    let workspace = Workspace::named("analytics")
        .cluster(Cluster::idle("etl"))
        .member(Member::user("newcomer", Permission::CanRestart));
    let simulator = starting(workspace)?;
    let client = Client::as_principal(&simulator, "newcomer", DATABRICKS).await?;
    assert_eq!(create(&client, &simulator).await?.status, 403);
    let group = find(&client, &simulator, "Groups displayName eq \"admins\"").await?;
    let id = group["Resources"][0]["id"]
        .as_str()
        .ok_or("no group")?
        .to_owned();
    let path = url(&simulator, &format!("{SCIM}/Groups/{id}"));
    let patched = client
        .send(Method::PATCH, &path, Some(&adding("members", &["1"])))
        .await?;
    assert_eq!(patched.status, 403);
    let cluster = simulator.world(|world| world.cluster_id("analytics", "etl"));
    let path = url(
        &simulator,
        &format!("/api/2.0/permissions/clusters/{cluster}"),
    );
    assert_eq!(client.get(&path).await?.status, 403);
    simulator.assert_clean();
    Ok(())
}

#[tokio::test]
async fn a_patch_adds_a_right_and_a_put_is_never_arranged() -> Outcome {
    let workspace = Workspace::named("analytics")
        .cluster(Cluster::idle("etl").permission("reader", Permission::CanAttachTo))
        .member(Member::user("reader", Permission::None))
        .member(Member::user("newcomer", Permission::None));
    let world = World::new()
        .principal(newcomer())
        .principal(Principal::named("reader"));
    let simulator = Simulator::start(world.workspace(workspace))?;
    let client = Client::with_scope(&simulator, DATABRICKS).await?;
    let cluster = simulator.world(|world| world.cluster_id("analytics", "etl"));
    let path = url(
        &simulator,
        &format!("/api/2.0/permissions/clusters/{cluster}"),
    );
    let right = json!({
        "service_principal_name": newcomer().client_id,
        "permission_level": "CAN_RESTART",
    });
    let body = json!({ "access_control_list": [right] });
    let patched = client.send(Method::PATCH, &path, Some(&body)).await?;
    assert_eq!(patched.status, 200, "{}", patched.text);
    let list = client.get(&path).await?.json();
    let list = list["access_control_list"]
        .as_array()
        .ok_or("no list")?
        .clone();
    let levels: Vec<(&Value, &Value)> = list
        .iter()
        .map(|one| {
            (
                &one["display_name"],
                &one["all_permissions"][0]["permission_level"],
            )
        })
        .collect();
    let expected = [
        (&json!("reader"), &json!("CAN_ATTACH_TO")),
        (&json!("newcomer"), &json!("CAN_RESTART")),
        (&Value::Null, &json!("CAN_MANAGE")),
    ];
    assert_eq!(levels, expected);
    simulator.assert_clean();
    let replaced = client.send(Method::PUT, &path, Some(&body)).await?;
    assert_eq!(replaced.status, 501);
    assert_eq!(simulator.violations().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_new_member_is_let_in_after_a_while() -> Outcome {
    for spread in [Spread::AfterRequests(2), Spread::After(seconds(60))] {
        let world = World::new()
            .principal(Principal::named("main").contributor())
            .workspace(
                Workspace::named("analytics")
                    .without_member("main")
                    .spreads(spread),
            );
        let simulator = Simulator::start(world)?;
        let me = url(&simulator, &format!("{SCIM}/Me"));
        let plain = Client::with_scope(&simulator, DATABRICKS).await?;
        assert_eq!(plain.get(&me).await?.status, 403);
        let management = Client::with_scope(&simulator, MANAGEMENT).await?;
        let id = simulator.world(|world| world.workspaces[0].resource_id.clone());
        let both = Client::with_scope(&simulator, DATABRICKS)
            .await?
            .header(
                "x-databricks-azure-sp-management-token",
                management.held_token(),
            )
            .header("x-databricks-azure-workspace-resource-id", &id);
        assert_eq!(both.get(&me).await?.status, 200, "proven on this very call");
        assert_eq!(plain.get(&me).await?.status, 403);
        assert_eq!(plain.get(&me).await?.status, 403);
        simulator.world(|world| world.advance(seconds(60)));
        assert_eq!(plain.get(&me).await?.status, 200, "{spread:?}");
        assert_eq!(simulator.record().joinings().len(), 1);
    }
    Ok(())
}

#[tokio::test]
async fn a_member_without_the_entitlement_may_call_nothing() -> Outcome {
    let member = Member::user("newcomer", Permission::CanRestart).without_entitlements();
    let simulator = starting(Workspace::named("analytics").member(member))?;
    let client = Client::as_principal(&simulator, "newcomer", DATABRICKS).await?;
    let me = url(&simulator, &format!("{SCIM}/Me"));
    let refused = client.get(&me).await?;
    assert_eq!(refused.status, 403);
    assert!(
        refused.text.contains("workspace-access entitlement"),
        "{}",
        refused.text
    );

    let admin = Client::with_scope(&simulator, DATABRICKS).await?;
    let all = admin
        .get(&url(
            &simulator,
            &format!("{SCIM}/ServicePrincipals?count=1&startIndex=2"),
        ))
        .await?;
    let second = all.json();
    assert_eq!(
        (&second["totalResults"], &second["itemsPerPage"]),
        (&json!(2), &json!(1))
    );
    let id = second["Resources"][0]["id"]
        .as_str()
        .ok_or("no id")?
        .to_owned();
    let path = url(&simulator, &format!("{SCIM}/ServicePrincipals/{id}"));
    let body = adding("entitlements", &["workspace-access"]);
    assert_eq!(
        admin.send(Method::PATCH, &path, Some(&body)).await?.status,
        200
    );
    assert_eq!(client.get(&me).await?.status, 200);
    simulator.assert_clean();
    Ok(())
}
