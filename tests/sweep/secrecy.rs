//! No secret and no token leaves the process but to whom it belongs, whatever is
//! logged and whatever fails.

use simulator::world::{
    CLIENT_ID_SECRET, CLIENT_SECRET_SECRET, Certificate, Cluster, StoredCertificate, VAULT,
    Workspace, World, hours,
};
use simulator::{Fault, Match, Times};

use crate::planted::Planted;
use crate::ran::Ran;
use crate::support::Scene;

const EVERYTHING: &str = "trace,hyper=trace,hyper_util=trace,reqwest=trace,rustls=trace,azure_core=trace,\
     azure_identity=trace,azure_security_keyvault_secrets=trace,typespec_client_core=trace,h2=trace,\
     tower=trace,tower_http=trace,tokio=trace,mio=trace,want=trace,axum=trace";

const PEM: &str = include_str!("../fixtures/certificates/throwaway-rsa.pem");
const PKCS12: &[u8] = include_bytes!("../fixtures/certificates/throwaway-aes.p12");

fn scene() -> Scene {
    let workspace = Workspace::named("one")
        .cluster(Cluster::idle("idle").since(hours(5)))
        .cluster(Cluster::busy("busy"));
    Scene::of(World::new().workspace(workspace)).set("TERMINATE_CLUSTERS_LOG", EVERYTHING)
}

/// That nothing that the process wrote holds a secret or a token, nor a part of
/// one that would be of use, in any spelling.
fn assert_tells_no_secret(scene: &Scene, stdout: &str, stderr: &str) {
    let planted = scene.simulator.world(|world| Planted::of(world));
    for (stream, text) in [("stdout", stdout), ("stderr", stderr)] {
        assert_eq!(planted.find_in(text), None, "a secret on {stream}");
    }
}

fn assert_logs_dependencies(stderr: &str) {
    for target in [
        "hyper_util::",
        "reqwest::",
        "azure_identity::",
        "typespec_client_core::",
    ] {
        let shown = stderr.contains(&format!(" {target}"));
        assert!(shown, "no line of {target} in:\n{stderr}");
    }
}

#[test]
fn a_sweep_that_succeeds_tells_no_secret_at_the_finest_level() {
    let scene = scene();
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.count("terminated"), 1);
    assert_logs_dependencies(&swept.stderr);
    assert!(scene.simulator.world(|world| world.issued_tokens()).len() >= 3);
    assert_tells_no_secret(&scene, &swept.stdout, &swept.stderr);
    // The text report is another rendering.
    scene
        .simulator
        .world(|world| world.restart_cluster("one", "idle"));
    let text = scene.run(&[]);
    assert_eq!(text.exit, 0, "{text}");
    assert_tells_no_secret(&scene, &text.stdout, &text.stderr);
    scene.simulator.assert_clean();
}

#[test]
fn refused_credentials_are_not_told() {
    for part in ["/oauth2/", "/secrets/", "/msi/token"] {
        for fault in [
            Fault::status(500),
            Fault::html(403),
            Fault::OtherJson("{\"access_token\":17}".to_owned()),
            Fault::TruncateBody,
            Fault::EmptyBody,
        ] {
            let scene = scene().limit("request_attempts", "2");
            let label = format!("{part} {fault:?}");
            scene
                .simulator
                .fault(Match::path(part), Times::Always, fault);
            let swept = scene.sweep();
            assert_eq!(swept.exit, 1, "{label}: {swept}");
            assert_tells_no_secret(&scene, &swept.stdout, &swept.stderr);
        }
    }
    let scene = scene();
    scene.simulator.world(|world| {
        let mut vaults = world.vaults.iter_mut();
        let vault = vaults.find(|vault| vault.name == VAULT).unwrap();
        // A secret where the client's id belongs.
        let secret = world.principals[0].secret().to_owned();
        vault.set(CLIENT_ID_SECRET, &secret);
        vault.set(CLIENT_SECRET_SECRET, &secret);
    });
    let swept = scene.sweep();
    assert_eq!(swept.exit, 1, "{swept}");
    assert_tells_no_secret(&scene, &swept.stdout, &swept.stderr);
}

#[test]
fn why_tells_no_secret_at_the_finest_level() {
    let scene = scene();
    let id = scene
        .simulator
        .world(|world| world.cluster_id("one", "idle"));
    for arguments in [&["why", &id][..], &["why", &id, "--json"]] {
        let stderr = run(&scene, arguments, 0);
        assert_logs_dependencies(&stderr);
    }
    // Neither does one that cannot look.
    let refusal = Fault::html(403);
    scene
        .simulator
        .fault(Match::token_request(), Times::Always, refusal);
    run(&scene, &["why", &id], 1);
}

#[test]
fn a_command_that_needs_no_secret_tells_none_of_its_environment() {
    for (arguments, exit) in [
        (&["policy", "lint"][..], 0),
        (&["policy", "test", "absent.toml"], 2),
        (&["sweep", "--workspace", "nobody"], 2),
        (&["why", "x", "--workspace", "nobody"], 2),
        (&["serve"], 2),
        (&["nonsense"], 2),
        (&["--help"], 0),
    ] {
        run(&scene(), arguments, exit);
    }
}

#[test]
fn a_secret_in_the_place_of_another_setting_is_not_told() {
    for setting in [
        "TERMINATE_CLUSTERS_KEY_VAULT_URL",
        "TERMINATE_CLUSTERS_TENANT_ID_SECRET",
        "TERMINATE_CLUSTERS_CLIENT_ID_SECRET",
        "TERMINATE_CLUSTERS_CLIENT_SECRET_SECRET",
        "IDENTITY_ENDPOINT",
    ] {
        let scene = scene();
        let secret = scene
            .simulator
            .world(|world| world.principals[0].secret().to_owned());
        let scene = scene.set(setting, &secret);
        run(&scene, &["sweep"], 2);
        let url = format!("https://me:{secret}@kv-ops.vault.azure.net");
        let scene = scene.set(setting, &url);
        run(&scene, &["sweep"], 2);
    }
}

#[test]
fn a_service_that_repeats_what_it_was_sent_makes_nobody_tell_it() {
    let words = |text: &str| {
        format!(
            r#"{{"error":"invalid_client","error_description":"AADSTS90014: bad form: {text}","message":"{text}","statusCode":400}}"#
        )
    };
    for (part, status) in [
        ("/oauth2/", 400),
        ("/oauth2/", 500),
        ("/msi/token", 400),
        ("/msi/token", 500),
    ] {
        let scene = scene().limit("request_attempts", "2");
        let (secret, header) = scene.simulator.world(|world| {
            let secret = world.principals[0].secret().to_owned();
            (secret, world.identity.header.clone())
        });
        let form: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("client_secret", &secret)
            .finish();
        let sent = if part == "/oauth2/" {
            format!("{form} {secret}")
        } else {
            format!("X-IDENTITY-HEADER: {header}")
        };
        let echo = words(&sent);
        let fault = Fault::json(status, &echo);
        scene
            .simulator
            .fault(Match::path(part), Times::Always, fault);
        let stderr = run(&scene, &["sweep", "--json"], 1);
        assert!(!stderr.is_empty());
        run(&scene, &["sweep"], 1);
        run(&scene, &["why", "idle"], 1);
    }
}

#[test]
fn the_identitys_header_never_goes_through_a_proxy() {
    let scene = scene();
    let proxy = scene.variables["HTTPS_PROXY"].clone();
    let mut scene = scene;
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        scene = scene.set(name, &proxy);
    }
    run(&scene, &["sweep"], 0);
    assert_eq!(scene.simulator.record().identity_requests().len(), 1);
    // The proxy keeps whatever comes to it in plain as a violation.
    scene.simulator.assert_clean();
}

/// Runs a command to its end, scans all that it said, and returns what it logged.
fn run(scene: &Scene, arguments: &[&str], exit: i32) -> String {
    let ran = Ran::of(scene, arguments);
    assert_eq!(ran.exit, exit, "{arguments:?}: {ran}");
    assert_tells_no_secret(scene, &ran.stdout, &ran.stderr);
    ran.stderr
}

#[test]
fn a_private_key_and_what_it_signed_are_not_told() {
    let pem = StoredCertificate::pem(PEM);
    let pkcs12 = StoredCertificate::pkcs12(PKCS12, &Certificate::from_pem(PEM));
    for (stored, fault) in [
        (&pem, None),
        (&pkcs12, None),
        (&pem, Some(Fault::EmptyBody)),
        (&pkcs12, Some(Fault::status(500))),
    ] {
        let workspace = Workspace::named("one").cluster(Cluster::idle("idle").since(hours(5)));
        let world = World::new().workspace(workspace).with_certificate(stored);
        let scene = Scene::of(world)
            .with_certificate()
            .set("TERMINATE_CLUSTERS_LOG", EVERYTHING)
            .limit("request_attempts", "2");
        let exit = i32::from(fault.is_some());
        if let Some(fault) = fault {
            let login = Match::token_request();
            scene.simulator.fault(login, Times::Always, fault);
        }
        let before = scene.simulator.world(|world| world.secrets()).len();
        assert!(before > 20, "the key is none of the secrets");
        let swept = scene.sweep();
        assert_eq!(swept.exit, exit, "{swept}");
        let record = scene.simulator.record();
        let signed = record.token_requests();
        assert!(!signed.is_empty());
        for request in signed {
            // The world knows only those that reached its Entra.
            let form = String::from_utf8_lossy(request.body());
            let (_, assertion) = form.split_once("client_assertion=").unwrap();
            let assertion = assertion.split('&').next().unwrap();
            let signature = assertion.rsplit('.').next().unwrap();
            assert!(signature.len() > 300, "{request}");
            assert!(!swept.to_string().contains(signature), "{request}");
        }
        assert_tells_no_secret(&scene, &swept.stdout, &swept.stderr);
        scene.simulator.assert_clean();
    }
}
