//! Answers that the real services gave, to the last byte: what an operator reads of them.
//!
//! The fixtures are recordings of Microsoft's; see their README.

use simulator::world::{
    Audience, CLIENT_CERTIFICATE_SECRET, CLIENT_SECRET_SECRET, Cluster, StoredCertificate,
    Workspace, World, hours,
};
use simulator::{Fault, Match, Times};

use crate::support::Scene;

const WRONG_SECRET: &str = include_str!("../fixtures/recorded/entra_wrong_secret.http");
const UNKNOWN_CERTIFICATE: &str =
    include_str!("../fixtures/recorded/entra_unknown_certificate.http");
const CERTIFICATE: &str = include_str!("../fixtures/certificates/throwaway-rsa.pem");
const IDENTITY_TOKEN: &str = include_str!("../fixtures/recorded/identity_token.http");
const CHALLENGE: &str = include_str!("../fixtures/recorded/vault_challenge.http");
const SECRET: &str = include_str!("../fixtures/recorded/vault_secret.http");
const NO_SUCH_SECRET: &str = include_str!("../fixtures/recorded/vault_no_such_secret.http");

fn world() -> World {
    let workspace = Workspace::named("one").cluster(Cluster::idle("a").since(hours(5)));
    World::new().workspace(workspace)
}

/// A scene in which these requests get this answer.
fn scene(matcher: Match, answer: &str) -> Scene {
    let scene = Scene::of(world());
    let fault = Fault::recorded(answer);
    scene.simulator.fault(matcher, Times::Always, fault);
    scene
}

/// Sweeps, and makes sure that it failed for one reason, told in one line of a person's words.
fn failure(scene: &Scene) -> String {
    let swept = scene.sweep();
    assert_eq!(swept.exit, 1, "{swept}");
    let failure = swept.only_failure();
    for noise in [
        "Trace ID",
        "Correlation ID",
        "\\r",
        "\n",
        "{",
        "https://docs.",
    ] {
        assert!(!failure.contains(noise), "{noise:?} in {failure}");
    }
    scene.simulator.assert_clean();
    failure
}

#[test]
fn a_recorded_refusal_of_a_secret_is_told_with_its_number_and_what_to_do() {
    let failure = failure(&scene(Match::token_request(), WRONG_SECRET));
    assert!(failure.starts_with("token -: "), "{failure}");
    for part in [
        "(AADSTS7000215)",
        "store its value, not its id",
        CLIENT_SECRET_SECRET,
    ] {
        assert!(failure.contains(part), "{part}: {failure}");
    }
}

#[test]
fn a_recorded_refusal_of_a_certificate_is_told_with_its_number_and_what_to_do() {
    let stored = StoredCertificate::pem(CERTIFICATE);
    let scene = Scene::of(world().with_certificate(&stored)).with_certificate();
    let refusal = Fault::recorded(UNKNOWN_CERTIFICATE);
    let login = Match::token_request();
    scene.simulator.fault(login, Times::Always, refusal);
    let failure = failure(&scene);
    assert!(failure.starts_with("token -: "), "{failure}");
    for part in [
        "(AADSTS700027)",
        "does not know the certificate",
        CLIENT_CERTIFICATE_SECRET,
    ] {
        assert!(failure.contains(part), "{part}: {failure}");
    }
    let record = scene.simulator.record();
    let sent = record.token_requests();
    assert!(!sent.is_empty());
    assert!(sent.iter().all(|request| request.assertion().is_some()));
}

#[test]
fn recorded_numbers_in_strings_are_a_managed_identity_s_token() {
    let scene = scene(Match::path("/msi/token"), IDENTITY_TOKEN);
    // The recording's token is this word, and it ended in 2022.
    let token = |world: &mut World| world.admit_token("redacted", Audience::Vault, "function-app");
    scene.simulator.world(token);
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.count("terminated"), 1, "{swept}");
    let record = scene.simulator.record();
    assert!(!record.identity_requests().is_empty());
    assert_eq!(record.secret_reads().len(), 3);
    scene.simulator.assert_clean();
}

#[test]
fn the_recorded_challenge_is_answered() {
    let unasked = Match::path("/secrets/").without_header("authorization");
    let scene = scene(unasked, CHALLENGE);
    let swept = scene.sweep();
    swept.assert_succeeded();
    let record = scene.simulator.record();
    assert!(!record.secret_challenges().is_empty());
    assert_eq!(record.secret_reads().len(), 3);
    scene.simulator.assert_clean();
}

#[test]
fn a_recorded_secret_is_what_entra_is_sent() {
    let asked = Match::path(CLIENT_SECRET_SECRET).with_header("authorization");
    let scene = scene(asked, SECRET);
    let failure = failure(&scene);
    assert!(failure.contains("AADSTS7000215"), "{failure}");
    let record = scene.simulator.record();
    let sent = record.token_requests();
    assert!(!sent.is_empty());
    for request in sent {
        let form = String::from_utf8_lossy(request.body());
        assert!(form.contains("client_secret=value518723441"), "{request}");
    }
}

#[test]
fn a_recorded_missing_secret_is_named() {
    let asked = Match::path(CLIENT_SECRET_SECRET).with_header("authorization");
    let failure = failure(&scene(asked, NO_SUCH_SECRET));
    assert!(failure.starts_with("settings -: "), "{failure}");
    let words = [
        "there is no such secret",
        "SecretNotFound",
        "check its name",
    ];
    for part in words.into_iter().chain([CLIENT_SECRET_SECRET]) {
        assert!(failure.contains(part), "{part}: {failure}");
    }
}
