//! Each way in which a workspace refuses, as it was recorded: which check fails, the
//! sentence, what is missing, and the command.

use std::time::Duration;

use simulator::world::{Access, Cluster, MAIN, Member, Permission, PrivateLink, Workspace, hours};
use simulator::{Fault, Match, Times};

use crate::examined::{Sheet, scene_of};
use crate::support::Scene;

const ID: &str = "0101-000000-asked001";

fn one() -> Workspace {
    Workspace::named("one").cluster(Cluster::idle("idle").since(hours(5)))
}

fn scene(access: Access) -> Scene {
    scene_of(one().access(access)).limit("request_attempts", "2")
}

/// What is told of a failure; `{host}`, `{id}` and `{client}` stand for the workspace's host
/// and resource id and the application's id.
struct Told {
    check: &'static str,
    sentence: &'static str,
    missing: Option<&'static str>,
    command: &'static str,
}

fn assert_told(label: &str, scene: &Scene, told: &Told) -> Sheet {
    let sheet = scene.examine();
    let filled = |text: &str| {
        scene.simulator.world(|world| {
            let workspace = world.find_workspace("one").unwrap();
            text.replace("{host}", &workspace.host)
                .replace("{id}", &workspace.resource_id)
                .replace("{client}", &world.principals[0].client_id)
        })
    };
    let failed = sheet.failure();
    assert_eq!(failed["id"], told.check, "{label}: {sheet}");
    assert_eq!(failed["workspace"], "one", "{label}");
    assert_eq!(failed["sentence"], filled(told.sentence), "{label}");
    assert_eq!(failed["missing"].as_str(), told.missing, "{label}");
    assert_eq!(failed["command"], filled(told.command), "{label}");
    assert_eq!(
        failed["docs"],
        format!("docs/doctor.md#{}", told.check),
        "{label}"
    );
    // What rests on it is told too.
    for id in ["listing", "runs", "metrics", "terminate", "unseen"] {
        assert_eq!(sheet.status(id), "skipped", "{label}: {id}: {sheet}");
    }
    scene.simulator.assert_clean();
    sheet
}

const MEMBER: &str = "terminate-clusters grant --workspace one --apply";
const AGAIN: &str = "terminate-clusters doctor --workspace one";
const ENABLED: &str = "az ad sp show --id {client} --query \"{enabled:accountEnabled,tenant:appOwnerOrganizationId}\"";

#[test]
fn a_principal_that_is_no_member_is_told_the_grant() {
    let told = Told {
        check: "member",
        sentence: "the service principal is not a member of the workspace: add it with `terminate-clusters grant`, or there under Settings, Identity and access, Service principals",
        missing: Some("membership of the service principal in the workspace"),
        command: MEMBER,
    };
    let scene = scene_of(one().without_member(MAIN));
    let sheet = assert_told("no member", &scene, &told);
    assert_eq!(sheet.status("token-accepted"), "ok");
    assert_eq!(sheet.status("workspace-access"), "skipped");
}

#[test]
fn a_member_without_the_entitlement_is_told_the_grant() {
    let told = Told {
        check: "workspace-access",
        sentence: "the service principal is a member without the entitlement `workspace-access`: grant it in the workspace's settings of the service principal",
        missing: Some("the entitlement `workspace-access`"),
        command: MEMBER,
    };
    let sheet = assert_told("no entitlement", &scene(Access::NoEntitlement), &told);
    assert_eq!(sheet.status("member"), "ok");
}

#[test]
fn a_refused_token_is_told_by_each_of_its_answers() {
    let told = Told {
        check: "token-accepted",
        sentence: "the workspace does not accept the token, not even a fresh one: check the tenant id and the client id, and that the service principal is active in the workspace",
        missing: None,
        command: ENABLED,
    };
    for access in [
        Access::InvalidToken,
        Access::CredentialNotSent,
        Access::ExpiredToken(401),
        Access::ExpiredToken(403),
    ] {
        let label = format!("{access:?}");
        let sheet = assert_told(&label, &scene(access), &told);
        assert_eq!(sheet.status("api"), "ok", "{label}");
        // The answer says nothing of the network's rules.
        assert_eq!(sheet.status("private-link"), "skipped", "{label}");
        assert_eq!(sheet.status("ip-access-list"), "skipped", "{label}");
        assert_eq!(sheet.status("member"), "skipped", "{label}");
    }
}

#[test]
fn a_workspace_of_another_tenant_is_told_and_how_to_learn_which() {
    let told = Told {
        check: "token-accepted",
        sentence: "the workspace belongs to another Entra tenant than the service principal: take the workspace out of the policy, or the principal from the workspace's tenant (99999999-0000-4000-8000-999999999999)",
        missing: Some(
            "a service principal of the workspace's tenant; the command tells which that is",
        ),
        command: "curl -sS -o /dev/null -w '%{redirect_url}\\n' https://{host}/aad/auth",
    };
    assert_told("other tenant", &scene(Access::OtherTenant), &told);
}

#[test]
fn a_token_for_another_audience_is_told() {
    let told = Told {
        check: "token-accepted",
        sentence: "the workspace says that the token is for another service: check that the workspace's URL and the cloud setting belong together ({host} of the public cloud)",
        missing: None,
        command: "curl -sSv -o /dev/null https://{host}/",
    };
    assert_told("other audience", &scene(Access::OtherAudience), &told);
}

#[test]
fn an_ip_access_list_is_told_with_the_addresses_to_add() {
    let told = Told {
        check: "ip-access-list",
        sentence: "the workspace's IP access list does not hold the address that the Function App sends from: add its outbound addresses (a proxy or a private link can cause this too)",
        missing: Some(
            "the Function App's outbound addresses on the workspace's IP access list; the command tells them",
        ),
        command: "az functionapp show --name APP --resource-group GROUP --query possibleOutboundIpAddresses --output tsv",
    };
    let sheet = assert_told("ip list", &scene(Access::IpAccessList), &told);
    assert_eq!(sheet.status("private-link"), "skipped");
    assert_eq!(sheet.status("tls"), "ok");
}

#[test]
fn private_link_is_told_in_each_of_its_answers() {
    let told = Told {
        check: "private-link",
        sentence: "the workspace takes connections by private link only: run the Function App in a network with a private endpoint to it, or enable public network access",
        missing: Some("a way from the Function App's network to the workspace's private endpoint"),
        command: "az functionapp vnet-integration add --name APP --resource-group GROUP --vnet VNET --subnet SUBNET",
    };
    for shape in [
        PrivateLink::Json,
        PrivateLink::Sentence,
        PrivateLink::ReasonPhrase,
        PrivateLink::Redirect(302),
        PrivateLink::Redirect(303),
    ] {
        let label = format!("{shape:?}");
        let sheet = assert_told(&label, &scene(Access::PrivateLink(shape)), &told);
        assert_eq!(sheet.status("ip-access-list"), "skipped", "{label}");
    }
}

#[test]
fn a_deleted_workspace_is_told_with_a_look_at_its_resource() {
    let told = Told {
        check: "api",
        sentence: "the host knows no such workspace: it may be deleted, so check the URL and take the workspace out of the policy if it is gone ({host} of the public cloud)",
        missing: None,
        command: "az resource show --ids {id} --query \"{url:properties.workspaceUrl,state:properties.provisioningState,network:properties.publicNetworkAccess}\"",
    };
    assert_told("not found", &scene(Access::NotFound), &told);
}

#[test]
fn a_host_that_a_proxy_does_not_find_shows_as_no_connection() {
    let told = Told {
        check: "connection",
        sentence: "no connection to the workspace came about: check firewall, routes and proxy of the Function App ({host} of the public cloud)",
        missing: None,
        command: "curl -sSv -o /dev/null https://{host}/",
    };
    let sheet = assert_told("no such host", &scene(Access::NoSuchHost), &told);
    assert_eq!(sheet.status("dns"), "skipped");
    assert_eq!(sheet.status("tls"), "skipped");
}

#[test]
fn a_certificate_that_is_not_trusted_is_told_apart() {
    let told = Told {
        check: "tls",
        sentence: "the TLS connection to the workspace failed: where a proxy opens TLS, name its certificate authority in SSL_CERT_FILE ({host} of the public cloud)",
        missing: None,
        command: "openssl s_client -connect {host}:443 -servername {host} -showcerts </dev/null",
    };
    let scene = scene(Access::Open);
    let host = scene
        .simulator
        .world(|world| world.find_workspace("one").unwrap().host.clone());
    let other = Fault::CertificateOf("elsewhere.example.com".to_owned());
    scene
        .simulator
        .fault(Match::host(&host), Times::Always, other);
    assert_told("other certificate", &scene, &told);
}

#[test]
fn a_workspace_that_throttles_is_told() {
    let told = Told {
        check: "api",
        sentence: "the workspace limits the rate of requests: the next sweep tries again; look for other clients of the same principal if it happens again",
        missing: None,
        command: AGAIN,
    };
    for error_code in ["REQUEST_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED"] {
        let throttled = Access::Throttled {
            retry_after: Some(Duration::from_secs(0)),
            error_code: error_code.to_owned(),
        };
        assert_told(error_code, &scene(throttled), &told);
    }
}

#[test]
fn a_login_page_is_told() {
    let told = Told {
        check: "api",
        sentence: "the workspace answered with a page for people, such as its login page, where the API answers JSON: check the URL, and for a proxy in between",
        missing: None,
        command: "curl -sSv -o /dev/null https://{host}/",
    };
    assert_told("login page", &scene(Access::LoginPage), &told);
}

#[test]
fn a_path_that_the_workspace_does_not_know_is_told_with_its_status() {
    let told = Told {
        check: "api",
        sentence: "the workspace answered in a way that the API does not describe: check the URL, and for a proxy in between (HTTP 404)",
        missing: None,
        command: "curl -sSv -o /dev/null https://{host}/",
    };
    let scene = scene(Access::Open);
    let body = r#"{"error_code":"ENDPOINT_NOT_FOUND","message":"Endpoint not found for /2.0/preview/scim/v2/Me"}"#;
    let me = Match::path("/scim/v2/Me");
    scene
        .simulator
        .fault(me, Times::Always, Fault::json(404, body));
    assert_told("unknown path", &scene, &told);
}

#[test]
fn a_refusal_that_is_not_recognised_at_the_door_asks_for_a_look_at_the_principal() {
    let told = Told {
        check: "workspace-access",
        sentence: "the workspace refused the service principal for a reason that is not recognised: check its entitlements, and that it is active",
        missing: None,
        command: ENABLED,
    };
    for body in [MANAGE, AUTOSTART] {
        let scene = scene(Access::Open);
        let me = Match::path("/scim/v2/Me");
        scene
            .simulator
            .fault(me, Times::Always, Fault::json(403, body));
        assert_told(body, &scene, &told);
    }
}

/// The recorded words for someone without a right on a cluster.
const MANAGE: &str = r#"{"error_code":"PERMISSION_DENIED","message":"someone does not have Manage permissions on 0101-000000-asked001. Please contact your administrator for access."}"#;
const AUTOSTART: &str = r#"{"error_code":"PERMISSION_DENIED","message":"You do not have permission to autostart 0101-000000-asked001."}"#;

#[test]
fn who_is_not_allowed_on_a_cluster_is_told_the_services_words_and_a_command() {
    for (body, words) in [
        (
            MANAGE,
            "someone does not have Manage permissions on 0101-000000-asked001. Please contact your administrator for access.",
        ),
        (
            AUTOSTART,
            "You do not have permission to autostart 0101-000000-asked001.",
        ),
    ] {
        // Where its right to terminate is read.
        let member = Member::user(MAIN, Permission::CanRestart);
        let scene = scene_of(one().member(member).sees_all_runs());
        let part = Match::path("/permissions/clusters/");
        scene
            .simulator
            .fault(part, Times::Always, Fault::json(403, body));
        let sheet = scene.examine();
        let check = sheet.check("terminate");
        assert_eq!(check["status"], "warn", "{sheet}");
        assert_eq!(
            check["sentence"],
            format!(
                "whether it has CAN_RESTART is not told for 1 of 1 running cluster: HTTP 403 (PERMISSION_DENIED: {words})"
            )
        );
        assert_eq!(
            check["command"],
            "terminate-clusters grant --workspace one --clusters all-purpose"
        );

        // Where its driver is asked.
        let scene = scene_of(Workspace::named("one").cluster(Cluster::idle("idle").id(ID)));
        let part = Match::path("/driver-proxy-api/");
        scene
            .simulator
            .fault(part, Times::Always, Fault::json(403, body));
        let sheet = scene.examine();
        let failed = sheet.failure();
        assert_eq!(failed["id"], "spark-attach", "{sheet}");
        assert_eq!(
            failed["sentence"],
            format!("1 of 1 driver refused it: `idle` [{ID}]")
        );
        assert_eq!(
            failed["missing"],
            "CAN_ATTACH_TO on the clusters for `main`"
        );
        assert_eq!(
            failed["command"],
            "terminate-clusters grant --workspace one --evidence --apply"
        );
    }
}

#[test]
fn one_workspace_that_refuses_hides_nothing_of_another() {
    let world = simulator::world::World::new()
        .workspace(one().without_member(MAIN))
        .workspace(Workspace::named("two").cluster(Cluster::idle("calm").since(hours(5))));
    let scene = Scene::of(world);
    let sheet = scene.examine();
    assert_eq!(sheet.failure()["workspace"], "one");
    let two: Vec<&str> = sheet
        .checks
        .iter()
        .filter(|check| check["workspace"] == "two")
        .map(|check| check["status"].as_str().unwrap())
        .collect();
    assert_eq!(two.len(), 21);
    assert!(
        !two.contains(&"skipped") && !two.contains(&"fail"),
        "{sheet}"
    );
}
