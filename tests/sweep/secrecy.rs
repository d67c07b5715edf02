//! No secret and no token leaves the process but to whom it belongs, whatever is
//! logged and whatever fails.

use simulator::world::{
    CLIENT_ID_SECRET, CLIENT_SECRET_SECRET, Cluster, VAULT, Workspace, World, hours,
};
use simulator::{Fault, Match, Times};

use crate::support::Scene;
use crate::swept::Swept;

const EVERYTHING: &str = "trace,hyper=trace,hyper_util=trace,reqwest=trace,rustls=trace,azure_core=trace,\
     azure_identity=trace,azure_security_keyvault_secrets=trace,typespec_client_core=trace,h2=trace,\
     tower=trace,tower_http=trace,tokio=trace,mio=trace,want=trace,axum=trace";

fn scene() -> Scene {
    let workspace = Workspace::named("one")
        .cluster(Cluster::idle("idle").since(hours(5)))
        .cluster(Cluster::busy("busy"));
    Scene::of(World::new().workspace(workspace)).set("TERMINATE_CLUSTERS_LOG", EVERYTHING)
}

/// That nothing that the process wrote holds a secret or a token, nor a part of
/// one that would be of use.
fn assert_tells_no_secret(scene: &Scene, swept: &Swept) {
    let secrets = scene.simulator.world(|world| world.secrets());
    // A client secret and the identity's header at least.
    assert!(secrets.len() >= 2);
    for secret in &secrets {
        // The signature of a token, which alone makes it one.
        let essence = secret.rsplit('.').next().unwrap();
        for (stream, text) in [("stdout", &swept.stdout), ("stderr", &swept.stderr)] {
            let found = text.lines().find(|line| line.contains(essence));
            assert_eq!(found, None, "a secret on {stream}");
        }
    }
}

fn assert_logs_dependencies(swept: &Swept) {
    for target in [
        "hyper_util::",
        "reqwest::",
        "azure_identity::",
        "typespec_client_core::",
    ] {
        let shown = swept.stderr.contains(target);
        assert!(shown, "no line of {target} in:\n{}", swept.stderr);
    }
}

#[test]
fn a_sweep_that_succeeds_tells_no_secret_at_the_finest_level() {
    let scene = scene();
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.count("terminated"), 1);
    assert_logs_dependencies(&swept);
    assert!(scene.simulator.world(|world| world.issued_tokens()).len() >= 3);
    assert_tells_no_secret(&scene, &swept);
    // The text report is another rendering.
    scene
        .simulator
        .world(|world| world.restart_cluster("one", "idle"));
    let text = scene.run(&[]);
    assert_eq!(text.exit, 0, "{text}");
    assert_tells_no_secret(&scene, &text);
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
            assert_tells_no_secret(&scene, &swept);
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
    assert_tells_no_secret(&scene, &swept);
}
