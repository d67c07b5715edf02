//! The doctor tells no secret and no token, however finely it logs, whatever it is asked
//! for and whatever fails.

use simulator::world::{CLIENT_ID_SECRET, Cluster, StoredCertificate, Workspace, World, hours};
use simulator::{Fault, Match, Times};

use crate::planted::Planted;
use crate::ran::Ran;
use crate::support::Scene;

const EVERYTHING: &str = "trace,hyper=trace,hyper_util=trace,reqwest=trace,rustls=trace,azure_core=trace,\
     azure_identity=trace,azure_security_keyvault_secrets=trace,typespec_client_core=trace,h2=trace,\
     tower=trace,tower_http=trace,tokio=trace,mio=trace,want=trace,axum=trace";

const PEM: &str = include_str!("../fixtures/certificates/throwaway-rsa.pem");
const ID: &str = "0101-000000-traced01";
const PORT: &str = "38471";

fn world() -> World {
    let workspace = Workspace::named("one")
        .cluster(
            Cluster::idle("mine")
                .since(hours(5))
                .id(ID)
                .echo(38471, true),
        )
        .cluster(Cluster::busy("busy"));
    World::new().workspace(workspace)
}

fn traced(world: World) -> Scene {
    Scene::of(world)
        .set("TERMINATE_CLUSTERS_LOG", EVERYTHING)
        .limit("request_attempts", "2")
}

/// Where a record goes.
const FOLDER: &str = "out";

/// Everything that the doctor can do.
const CALLS: [&[&str]; 3] = [&[], &["--record", FOLDER], &["--probe-proxy", ID, PORT]];

/// The same in JSON, where there is such.
const IN_JSON: [&[&str]; 2] = [&["--json"], &["--probe-proxy", ID, PORT, "--json"]];

/// Calls the doctor, and looks for every spelling of every secret in all that it wrote.
fn call(scene: &Scene, arguments: &[&str]) -> Ran {
    let told = scene.doctor(arguments);
    let planted = scene.simulator.world(|world| Planted::of(world));
    for (stream, text) in [("stdout", &told.stdout), ("stderr", &told.stderr)] {
        let found = planted.find_in(text);
        assert_eq!(found, None, "a secret on {stream} of {arguments:?}");
    }
    if let ["--record", folder] = arguments {
        let folder = scene.simulator.directory().join(folder);
        // There is none where nothing could be recorded.
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(planted.find_in(&text), None, "a secret in {path:?}");
        }
    }
    told
}

#[test]
fn at_the_finest_level_no_secret_is_told() {
    let scene = traced(world());
    for arguments in CALLS.into_iter().chain(IN_JSON) {
        let told = call(&scene, arguments);
        assert_eq!(told.exit, 0, "{arguments:?}: {told}");
        for target in [
            "hyper_util::",
            "reqwest::",
            "azure_identity::",
            "typespec_client_core::",
        ] {
            let shown = told.stderr.contains(&format!(" {target}"));
            assert!(shown, "no line of {target} in {arguments:?}: {told}");
        }
    }
    assert!(scene.simulator.directory().join(FOLDER).exists());
    assert!(scene.simulator.world(|world| world.issued_tokens()).len() >= 5);
    scene.simulator.assert_clean();
}

#[test]
fn a_certificates_key_and_what_it_signed_are_not_told() {
    let stored = StoredCertificate::pem(PEM);
    let mut scene = traced(world().with_certificate(&stored)).set(
        "TERMINATE_CLUSTERS_CLIENT_CERTIFICATE_SECRET",
        simulator::world::CLIENT_CERTIFICATE_SECRET,
    );
    scene
        .variables
        .remove("TERMINATE_CLUSTERS_CLIENT_SECRET_SECRET");
    for arguments in CALLS {
        let told = call(&scene, arguments);
        assert_eq!(told.exit, 0, "{arguments:?}: {told}");
    }
}

#[test]
fn what_fails_on_the_way_to_a_token_tells_no_secret() {
    for part in ["/oauth2/", "/secrets/", "/msi/token"] {
        for fault in [
            Fault::html(403),
            Fault::OtherJson("{\"access_token\":17}".to_owned()),
            Fault::TruncateBody,
        ] {
            let scene = traced(world());
            scene
                .simulator
                .fault(Match::path(part), Times::Always, fault.clone());
            for arguments in CALLS {
                let told = call(&scene, arguments);
                let is_record = arguments.first() == Some(&"--record");
                assert!(is_record || told.exit == 1, "{part} {fault:?}: {told}");
            }
        }
    }
}

#[test]
fn a_service_that_repeats_what_it_was_sent_makes_the_doctor_tell_nothing() {
    for part in ["/oauth2/", "/msi/token"] {
        let scene = traced(world());
        let (secret, header) = scene.simulator.world(|world| {
            let secret = world.principals[0].secret().to_owned();
            (secret, world.identity.header.clone())
        });
        // Each repeats only what it is sent.
        let sent = match part {
            "/oauth2/" => secret,
            _ => format!("X-IDENTITY-HEADER: {header}"),
        };
        let body = format!(
            r#"{{"error":"invalid_client","error_description":"AADSTS90014: bad form: {sent}","message":"{sent}","statusCode":400}}"#
        );
        let echo = Fault::json(400, &body);
        scene
            .simulator
            .fault(Match::path(part), Times::Always, echo);
        for arguments in CALLS {
            let told = call(&scene, arguments);
            let is_record = arguments.first() == Some(&"--record");
            assert!(is_record || told.exit == 1, "{part} {arguments:?}: {told}");
        }
    }
}

#[test]
fn a_secret_in_the_place_of_an_id_is_not_told() {
    let scene = traced(world());
    scene.simulator.world(|world| {
        let secret = world.principals[0].secret().to_owned();
        world.vaults[0].set(CLIENT_ID_SECRET, &secret);
    });
    for arguments in CALLS {
        let told = call(&scene, arguments);
        let is_record = arguments.first() == Some(&"--record");
        assert!(is_record || told.exit == 1, "{arguments:?}: {told}");
    }
}
