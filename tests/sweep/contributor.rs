//! A workspace whose `access` is `contributor`: the principal joins it by its right on
//! the Azure resource, once, in terminate mode alone, and the report says so.

use serde_json::Value;
use simulator::world::{
    Access, Cluster, MAIN, Member, Permission, Principal, Spread, Workspace, World, hours,
};
use simulator::{Fault, Match, Times};

use crate::ran::Ran;
use crate::support::Scene;
use crate::swept::Swept;

const MANAGEMENT_TOKEN: &str = "x-databricks-azure-sp-management-token";

fn workspace() -> Workspace {
    Workspace::named("one")
        .access(Access::Contributor)
        .without_member(MAIN)
        .cluster(Cluster::idle("idle").since(hours(5)))
}

fn scene(workspace: Workspace) -> Scene {
    let contributor = Principal::named(MAIN).contributor();
    Scene::of(World::new().principal(contributor).workspace(workspace))
}

/// How often a request bore a header that makes an admin; none may have gone to a driver.
fn joinings(scene: &Scene) -> usize {
    let record = scene.simulator.record();
    let joinings = record.joinings();
    for request in &joinings {
        assert!(!request.is_driver_proxy(), "{request}");
        assert_eq!(request.path(), "/api/2.0/preview/scim/v2/Me", "{request}");
        assert_eq!(request.method(), "GET", "{request}");
    }
    joinings.len()
}

fn is_member(scene: &Scene) -> bool {
    scene
        .simulator
        .world(|world| world.workspaces[0].find_member(MAIN).is_some())
}

fn notes(swept: &Swept) -> Vec<&str> {
    let notes = swept.workspace("one")["notes"].as_array().unwrap();
    notes.iter().filter_map(Value::as_str).collect()
}

#[test]
fn joins_once_waits_until_it_is_let_in_and_says_that_it_is_an_admin_now() {
    let scene = scene(workspace().spreads(Spread::AfterRequests(3)));
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.said_of("idle"), "terminated: both_witnesses");
    assert_eq!(swept.workspace("one")["joined"], true);
    let note = notes(&swept)[0];
    assert!(note.contains("is now a workspace admin here"), "{note}");
    assert!(swept.stderr.contains("Joined workspace `one`"), "{swept}");
    assert_eq!(joinings(&scene), 1);
    let record = scene.simulator.record();
    assert!(!record.driver_requests().is_empty(), "the driver was asked");
    let scopes = record.granted_scopes();
    let two_slashes = "https://management.core.windows.net//.default";
    assert!(
        scopes.iter().any(|scope| scope == two_slashes),
        "{scopes:?}"
    );

    // It is a member from now on.
    scene.simulator.forget_record();
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.workspace("one")["joined"], false);
    assert_eq!(joinings(&scene), 0);
    scene.simulator.assert_clean();
}

#[test]
fn report_mode_sends_no_second_token_and_says_what_would_join() {
    let by_request = scene(workspace());
    let swept = by_request.sweep_with(&["--mode", "report"]);
    let by_settings = scene(workspace()).set("TERMINATE_CLUSTERS_MODE", "report");
    let by_workspace = scene(workspace());
    let tables = by_workspace.simulator.policy_workspaces();
    let tables = tables.replace("name = \"one\"\n", "name = \"one\"\nmode = \"report\"\n");
    let by_workspace = by_workspace.set("TERMINATE_CLUSTERS_POLICY", &tables);
    let sweeps = [
        (swept, by_request),
        (by_settings.sweep(), by_settings),
        (by_workspace.sweep(), by_workspace),
    ];
    for (swept, scene) in sweeps {
        assert_eq!(swept.exit, 1, "{swept}");
        let failure = swept.only_failure();
        assert!(
            failure.starts_with("workspace one: not_a_member: "),
            "{failure}"
        );
        assert!(
            failure.contains("terminate mode would let it join"),
            "{failure}"
        );
        let command = "`terminate-clusters grant --self --workspace one --apply`";
        assert!(failure.contains(command), "{failure}");
        assert_eq!(joinings(&scene), 0);
        let scopes = scene.simulator.record().granted_scopes();
        assert!(
            !scopes.iter().any(|one| one.contains("management.core")),
            "{scopes:?}"
        );
        assert!(!is_member(&scene));
        assert!(scene.simulator.record().mutating().is_empty());
        scene.simulator.assert_clean();
    }
}

#[test]
fn the_command_that_is_told_runs_nothing_that_a_name_holds() {
    for (name, option) in [
        ("$(id)", "--workspace '$(id)'"),
        ("--apply", "--workspace=--apply"),
    ] {
        let scene = scene(workspace());
        let tables = scene.simulator.policy_workspaces();
        let tables = tables.replace("name = \"one\"", &format!("name = \"{name}\""));
        let scene = scene.set("TERMINATE_CLUSTERS_POLICY", &tables);
        let failure = scene.sweep_with(&["--mode", "report"]).only_failure();
        let command = format!("`terminate-clusters grant --self {option} --apply`");
        assert!(failure.contains(&command), "{failure}");
        scene.simulator.assert_clean();
    }
}

#[test]
fn who_explains_a_cluster_joins_nothing() {
    let scene = scene(workspace());
    let id = scene
        .simulator
        .world(|world| world.cluster_id("one", "idle"));
    let told = Ran::of(&scene, &["why", &id]);
    assert_eq!(told.exit, 1, "{told}");
    assert_eq!(joinings(&scene), 0);
    assert!(!is_member(&scene));
}

#[test]
fn only_who_is_refused_as_no_member_tries_to_join() {
    let member = Member::user(MAIN, Permission::CanRestart);
    let known = scene(workspace().member(member).sees_all_runs());
    known.sweep().assert_succeeded();
    assert_eq!(joinings(&known), 0);

    let plain = scene(workspace().access(Access::Open));
    let swept = plain.sweep();
    assert!(swept.only_failure().contains("not_a_member"), "{swept}");
    assert_eq!(joinings(&plain), 0, "the policy does not say contributor");

    let refused = scene(workspace());
    let page = r#"{"error_code":"403","message":"Unauthorized access to Org: 1"}"#;
    let list = Match::path("/clusters/list");
    refused
        .simulator
        .fault(list, Times::Always, Fault::json(403, page));
    let swept = refused.sweep();
    assert!(swept.only_failure().contains("ip_access_list"), "{swept}");
    assert_eq!(
        joinings(&refused),
        0,
        "another address is not let in by joining"
    );
}

#[test]
fn what_keeps_it_from_joining_is_told_with_what_was_answered_and_what_to_do() {
    let no_right = Scene::of(World::new().workspace(workspace()));
    let swept = no_right.sweep();
    let failure = swept.only_failure();
    assert!(failure.contains("give it Contributor there"), "{failure}");
    let asked = "(join the workspace at ";
    assert!(failure.contains(asked), "{failure}");
    assert!(failure.contains(": HTTP 403"), "{failure}");
    assert_eq!((joinings(&no_right), is_member(&no_right)), (1, false));

    let elsewhere = scene(workspace());
    let tables = elsewhere.simulator.policy_workspaces();
    let tables = tables.replace("workspaces/one", "workspaces/other");
    let elsewhere = elsewhere.set("TERMINATE_CLUSTERS_POLICY", &tables);
    let failure = elsewhere.sweep().only_failure();
    assert!(
        failure.contains("the resource id is not this workspace's"),
        "{failure}"
    );
    assert!(failure.contains(asked), "{failure}");

    let refused = scene(workspace());
    let body = r#"{"error_code":403,"message":"Invalid access token."}"#;
    let joining = Match::path("/Me").with_header(MANAGEMENT_TOKEN);
    refused
        .simulator
        .fault(joining, Times::Always, Fault::json(403, body));
    let failure = refused.sweep().only_failure();
    assert!(
        failure.contains("does not accept the token for Azure's service management"),
        "{failure}"
    );
    assert!(failure.contains(asked), "{failure}");

    let no_token = scene(workspace());
    let body = r#"{"error":"invalid_resource","error_description":"AADSTS500011: no","error_codes":[500011]}"#;
    let asking = Match::token_request().body("management.core.windows.net");
    no_token
        .simulator
        .fault(asking, Times::Always, Fault::json(400, body));
    let swept = no_token.sweep();
    let failures = swept.failures();
    let of_workspace = failures
        .iter()
        .find(|one| one.starts_with("workspace one: "));
    let part = "there is no token for Azure's service management: Entra refused";
    assert!(
        of_workspace.is_some_and(|one| one.contains(part)),
        "{failures:?}"
    );
    for scene in [no_right, elsewhere, refused, no_token] {
        assert!(!is_member(&scene));
        assert!(scene.simulator.record().terminations().is_empty());
        let swept = scene.sweep();
        assert!(!swept.to_string().contains("may have become"), "{swept}");
        scene.simulator.assert_clean();
    }
}

#[test]
fn a_membership_that_does_not_spread_in_time_is_a_failure_and_terminates_nothing() {
    let scene = scene(workspace().spreads(Spread::AfterRequests(10_000)))
        .limit("join_for", "\"100ms\"")
        .limit("join_every", "\"10ms\"");
    let swept = scene.sweep();
    let failure = swept.only_failure();
    assert!(failure.contains("still does not let it in"), "{failure}");
    assert_eq!(swept.workspace("one")["joined"], true);
    assert_eq!(joinings(&scene), 1);
    assert!(scene.simulator.record().terminations().is_empty());
    scene.simulator.assert_clean();
}

/// The joining's answer, as `fault` has it.
fn with_lost_answer(workspace: Workspace, fault: Fault) -> Scene {
    let scene = scene(workspace)
        .limit("join_for", "\"200ms\"")
        .limit("join_every", "\"10ms\"");
    let joining = Match::path("/Me").with_header(MANAGEMENT_TOKEN);
    scene.simulator.fault(joining, Times::Always, fault);
    scene
}

#[test]
fn a_joining_whose_answer_is_lost_is_told_once_the_workspace_lets_it_in() {
    for fault in [Fault::LoseAnswer, Fault::Html200, Fault::TruncateBody] {
        let scene = with_lost_answer(workspace().spreads(Spread::AfterRequests(3)), fault);
        let swept = scene.sweep();
        swept.assert_succeeded();
        assert_eq!(swept.said_of("idle"), "terminated: both_witnesses");
        assert_eq!(swept.workspace("one")["joined"], true);
        let note = notes(&swept)[0];
        assert!(note.contains("is now a workspace admin here"), "{note}");
        assert!(swept.stderr.contains("Joined workspace `one`"), "{swept}");
        scene.simulator.assert_clean();
    }
}

#[test]
fn a_joining_that_nothing_tells_of_may_have_made_an_admin_and_the_failure_says_so() {
    let late = || workspace().spreads(Spread::AfterRequests(10_000));
    let lost = with_lost_answer(late(), Fault::Html200);
    let failed = with_lost_answer(late(), Fault::status(500));
    for (scene, has_joined) in [(lost, true), (failed, false)] {
        let swept = scene.sweep();
        let failure = swept.only_failure();
        assert!(
            failure.starts_with("workspace one: not_a_member: "),
            "{failure}"
        );
        let part = "may have become a workspace admin here";
        assert!(failure.contains(part), "{failure}");
        assert!(swept.stderr.contains(part), "{swept}");
        assert_eq!(swept.workspace("one")["joined"], false);
        assert_eq!(is_member(&scene), has_joined);
        assert!(scene.simulator.record().terminations().is_empty());
        scene.simulator.assert_clean();
    }
}

#[test]
fn neither_token_shows_in_any_output() {
    let scene = scene(workspace()).set("TERMINATE_CLUSTERS_LOG", "trace");
    let echo = Match::path("/Me").with_header(MANAGEMENT_TOKEN);
    scene
        .simulator
        .fault(echo, Times::First(1), Fault::status(503));
    let swept = scene.sweep();
    swept.assert_succeeded();
    for secret in scene.simulator.world(|world| world.secrets()) {
        assert!(!swept.stdout.contains(&secret), "a secret on stdout");
        assert!(!swept.stderr.contains(&secret), "a secret in the log");
    }
}

#[test]
fn the_resource_can_be_named_by_its_three_parts() {
    let scene = scene(workspace());
    let (url, id) = scene.simulator.world(|world| {
        (
            world.workspaces[0].url(),
            world.workspaces[0].resource_id.clone(),
        )
    });
    let parts: Vec<&str> = id.split('/').collect();
    let policy = format!(
        "[witness.spark]\nprincipal = \"main\"\n[[workspaces]]\nname = \"one\"\nurl = \"{url}\"\naccess = \"contributor\"\nsubscription_id = \"{}\"\nresource_group = \"{}\"\nworkspace_name = \"{}\"\n",
        parts[2], parts[4], parts[8]
    );
    let scene = scene.set("TERMINATE_CLUSTERS_POLICY", &policy);
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.workspace("one")["joined"], true);
    scene.simulator.assert_clean();
}
