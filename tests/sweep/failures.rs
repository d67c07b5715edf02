//! What cannot be reached or read: it is named with what to do, costs nothing
//! else, and never leads to a termination.

use std::time::Duration;

use simulator::world::{Access, Cluster, PrivateLink, Workspace, World, hours};
use simulator::{Fault, Match, Times};

use crate::support::Scene;

fn one_idle(name: &str) -> Workspace {
    Workspace::named(name).cluster(Cluster::idle("idle").since(hours(5)))
}

#[test]
fn a_workspace_that_is_down_costs_the_other_nothing() {
    let down = one_idle("down");
    let host = down.host.clone();
    let up = Workspace::named("up").cluster(Cluster::idle("other").since(hours(5)));
    let scene = Scene::of(World::new().workspace(down).workspace(up));
    scene
        .simulator
        .fault(Match::host(&host), Times::Always, Fault::status(503));
    let swept = scene.sweep();
    assert_eq!(swept.exit, 1, "{swept}");
    assert_eq!(swept.said_of("other"), "terminated: both_witnesses");
    assert_eq!(swept.workspace("down")["seen"], false);
    assert_eq!(
        swept.closing["totals"]["not_seen"],
        serde_json::json!(["down"])
    );
    let failure = swept.only_failure();
    assert!(
        failure.starts_with("workspace down: server_error: "),
        "{failure}"
    );
    let state = |workspace, cluster| {
        scene
            .simulator
            .world(|world| world.cluster_state(workspace, cluster))
    };
    assert_eq!(state("down", "idle"), "RUNNING");
    assert_ne!(state("up", "other"), "RUNNING");
    scene.simulator.assert_clean();
}

#[test]
fn clusters_of_a_cut_list_are_reported_and_none_is_terminated() {
    let names = ["a", "b", "c", "d"];
    let clusters = names.map(|name| Cluster::idle(name).since(hours(5)));
    let workspace = Workspace::named("large")
        .clusters(clusters)
        .cluster_page_size(2);
    let scene = Scene::of(World::new().workspace(workspace));
    let second_page = Match::path("/clusters/list").query("page_token", "");
    scene
        .simulator
        .fault(second_page, Times::Always, Fault::status(500));
    let swept = scene.sweep();
    assert_eq!(swept.exit, 1, "{swept}");
    let said = swept.said();
    assert_eq!(said.len(), 2, "{swept}");
    for outcome in said.values() {
        assert_eq!(outcome, "deferred: incomplete_listing");
    }
    let failure = swept.only_failure();
    assert!(
        failure.starts_with("listing large: the cluster list is incomplete"),
        "{failure}"
    );
    assert!(scene.simulator.record().mutating().is_empty());

    // The next sweep reads all pages and makes up for it: half of four at once.
    scene.simulator.clear_faults();
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!((swept.count("terminated"), swept.count("deferred")), (2, 2));
    scene.simulator.assert_clean();
}

#[test]
fn a_list_of_runs_that_fails_is_a_failure_and_keeps_what_it_could_speak_for() {
    let scene = Scene::of(World::new().workspace(one_idle("one")));
    let walk = Match::path("/jobs/runs/list").query("active_only", "true");
    scene
        .simulator
        .fault(walk, Times::Always, Fault::status(500));
    let swept = scene.sweep();
    assert_eq!(swept.exit, 1, "{swept}");
    assert_eq!(swept.said_of("idle"), "kept: required_unknown");
    let failure = swept.only_failure();
    assert!(
        failure.starts_with("listing one: active runs could not be listed"),
        "{failure}"
    );
    assert!(scene.simulator.record().mutating().is_empty());
    scene.simulator.assert_clean();
}

#[test]
fn runs_that_are_forbidden_keep_every_cluster_and_are_no_failure() {
    let scene = Scene::of(World::new().workspace(one_idle("one")));
    let forbidden = Fault::json(403, r#"{"error_code":"PERMISSION_DENIED","message":"no"}"#);
    scene
        .simulator
        .fault(Match::path("/jobs/runs/list"), Times::Always, forbidden);
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.said_of("idle"), "kept: required_unknown");
    assert!(scene.simulator.record().mutating().is_empty());
    scene.simulator.assert_clean();
}

#[test]
fn witnesses_that_fail_are_no_failure_and_prove_nothing() {
    let scene = Scene::of(World::new().workspace(one_idle("one")));
    for part in [
        "/driver-proxy-api/",
        "/providers/Microsoft.Insights/metrics",
    ] {
        scene
            .simulator
            .fault(Match::path(part), Times::Always, Fault::status(500));
    }
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.said_of("idle"), "kept: no_witness");
    let notes = swept.workspace("one")["notes"].to_string();
    assert!(
        notes.contains("CAN_ATTACH_TO") && notes.contains("Monitoring Reader"),
        "{notes}"
    );
    scene.simulator.assert_clean();
}

#[test]
fn each_way_in_which_a_workspace_refuses_has_its_own_name() {
    let throttled = Access::Throttled {
        retry_after: None,
        error_code: "RESOURCE_EXHAUSTED".to_owned(),
    };
    let rows = [
        (Access::NoEntitlement, "no_workspace_access"),
        (Access::InvalidToken, "token_refused"),
        (Access::CredentialNotSent, "token_refused"),
        (Access::ExpiredToken(401), "token_refused"),
        (Access::ExpiredToken(403), "token_refused"),
        (Access::OtherTenant, "wrong_tenant"),
        (Access::OtherAudience, "wrong_audience"),
        (Access::IpAccessList, "ip_access_list"),
        (Access::PrivateLink(PrivateLink::Json), "private_link_only"),
        (
            Access::PrivateLink(PrivateLink::Sentence),
            "private_link_only",
        ),
        (
            Access::PrivateLink(PrivateLink::ReasonPhrase),
            "private_link_only",
        ),
        (
            Access::PrivateLink(PrivateLink::Redirect(302)),
            "private_link_only",
        ),
        (
            Access::PrivateLink(PrivateLink::Redirect(303)),
            "private_link_only",
        ),
        (Access::NotFound, "workspace_not_found"),
        (Access::NoSuchHost, "not_connected"),
        (throttled, "throttled"),
        (Access::LoginPage, "html_instead_of_json"),
    ];
    let mut world = World::new();
    for (number, (access, _)) in rows.iter().enumerate() {
        let workspace = one_idle(&format!("workspace-{number}"));
        world = world.workspace(workspace.access(access.clone()));
    }
    let stranger = one_idle("stranger").without_member("main");
    let scene = Scene::of(world.workspace(stranger));
    let swept = scene.sweep();
    assert_eq!(swept.exit, 1, "{swept}");
    let failures = swept.failures();
    assert_eq!(failures.len(), rows.len() + 1, "{failures:#?}");
    let kinds = rows.iter().map(|(_, kind)| *kind).enumerate();
    let expected = kinds
        .map(|(number, kind)| format!("workspace workspace-{number}: {kind}: "))
        .chain(["workspace stranger: not_a_member: ".to_owned()]);
    for start in expected {
        let of_row = failures.iter().find(|failure| failure.starts_with(&start));
        assert!(of_row.is_some(), "no failure {start}…: {failures:#?}");
    }
    assert!(scene.simulator.record().mutating().is_empty());
    // Tokens that are refused everywhere are not asked for again and again.
    let tokens = scene.simulator.record().token_requests().len();
    assert!(tokens <= 1 + rows.len(), "{tokens} token requests");
    scene.simulator.assert_clean();
}

#[test]
fn what_the_network_does_to_a_workspace_has_its_own_name() {
    let rows: [(Fault, &str); 6] = [
        (Fault::ResetConnection, "not_connected"),
        (Fault::CertificateOf("example.com".to_owned()), "tls_failed"),
        (Fault::ResetBeforeAnswer, "broken_off"),
        (Fault::TruncateBody, "broken_off"),
        (Fault::Html200, "html_instead_of_json"),
        (Fault::OtherJson("[1]".to_owned()), "not_understood"),
    ];
    for (fault, kind) in rows {
        assert_failure_on("20s", fault, kind);
    }
    assert_failure_on("300ms", Fault::Hang, "timed_out");
}

/// Sweeps a workspace whose every answer is bent like this.
fn assert_failure_on(patience: &str, fault: Fault, kind: &str) {
    let workspace = one_idle("one");
    let host = workspace.host.clone();
    let scene = Scene::of(World::new().workspace(workspace))
        .limit("connect_timeout", &format!("\"{patience}\""))
        .limit("request_timeout", &format!("\"{patience}\""))
        .limit("request_attempts", "2");
    let label = format!("{fault:?}");
    scene
        .simulator
        .fault(Match::host(&host), Times::Always, fault);
    let failure = scene.sweep().only_failure();
    let start = format!("workspace one: {kind}: ");
    assert!(failure.starts_with(&start), "{label}: {failure}");
    assert!(scene.simulator.record().mutating().is_empty());
}

#[test]
fn throttling_that_passes_costs_time_and_nothing_else() {
    let scene = Scene::of(World::new().workspace(one_idle("one")));
    for part in ["/clusters/list", "/jobs/runs/list", "/clusters/delete"] {
        scene
            .simulator
            .fault(Match::path(part), Times::First(1), Fault::throttled(0));
    }
    scene
        .simulator
        .fault(Match::path("/scim/"), Times::First(1), Fault::throttled(1));
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.said_of("idle"), "terminated: both_witnesses");
    let elapsed = swept.closing["elapsed_ms"].as_u64().unwrap();
    let asked_for = Duration::from_secs(1);
    assert!(u128::from(elapsed) >= asked_for.as_millis(), "{elapsed} ms");
    scene.simulator.assert_clean();
}
