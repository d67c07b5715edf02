//! Tokens and secrets that end, change or are wrong in the middle of it all.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use simulator::world::{
    CLIENT_ID_SECRET, CLIENT_SECRET_SECRET, Cluster, EntraErrors, TENANT_ID_SECRET, VAULT, Vault,
    Workspace, World, hours, minutes,
};
use simulator::{Match, Times, When};

use crate::support::Scene;

const DATABRICKS_SCOPE: &str = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default";

fn world() -> World {
    World::new().workspace(
        Workspace::named("one")
            .cluster(Cluster::idle("a").since(hours(5)))
            .cluster(Cluster::idle("b").since(hours(6))),
    )
}

fn vault(world: &mut World) -> &mut Vault {
    let found = world.vaults.iter_mut().find(|vault| vault.name == VAULT);
    found.unwrap()
}

#[test]
fn a_token_that_is_taken_back_mid_sweep_is_replaced() {
    let scene = Scene::of(world());
    scene.simulator.hook(
        Match::path("/clusters/get"),
        Times::First(1),
        When::Before,
        |world| world.revoke_tokens("main"),
    );
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.count("terminated"), 1, "{swept}");
    let scopes = scene.simulator.record().granted_scopes();
    let for_databricks = scopes.iter().filter(|scope| *scope == DATABRICKS_SCOPE);
    assert_eq!(for_databricks.count(), 2, "{scopes:?}");
    scene.simulator.assert_clean();
}

#[test]
fn tokens_that_expire_mid_sweep_are_replaced() {
    for part in ["/scim/", "/metrics", "/clusters/get", "/clusters/delete"] {
        let scene = Scene::of(world());
        scene.simulator.hook(
            Match::path(part),
            Times::First(1),
            When::Before,
            // Past the hour that Entra has promised.
            |world| world.advance(minutes(61)),
        );
        let swept = scene.sweep();
        swept.assert_succeeded();
        assert_eq!(swept.count("terminated"), 1, "{part}: {swept}");
        let scopes = scene.simulator.record().granted_scopes();
        assert!(scopes.len() > 2, "{part}: {scopes:?}");
        assert_eq!(swept.closing["secret_reads"], 3, "{part}: {swept}");
        scene.simulator.assert_clean();
    }
}

#[test]
fn a_driver_that_refuses_the_token_is_believed_once() {
    // The proxy before it may be right, as here; the driver is its users' machine.
    let scene = Scene::of(world());
    scene.simulator.hook(
        Match::path("/driver-proxy-api/"),
        Times::First(1),
        When::Before,
        |world| world.revoke_tokens("main"),
    );
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.count("terminated"), 1, "{swept}");
    let scopes = scene.simulator.record().granted_scopes();
    let for_databricks = scopes.iter().filter(|scope| *scope == DATABRICKS_SCOPE);
    assert_eq!(for_databricks.count(), 2, "{scopes:?}");
    scene.simulator.assert_clean();
}

#[test]
fn a_token_with_less_than_a_minute_left_is_not_used() {
    let scene = Scene::of(world().token_lifetime(59));
    let swept = scene.sweep();
    let failure = swept.only_failure();
    assert!(failure.starts_with("token -: "), "{failure}");
    let record = scene.simulator.record();
    let host = scene
        .simulator
        .world(|world| world.workspaces[0].host.clone());
    assert!(record.to(&host).is_empty(), "{swept}");
    scene.simulator.assert_clean();

    let scene = Scene::of(world().token_lifetime(90));
    scene.sweep().assert_succeeded();
}

#[test]
fn a_secret_that_is_rotated_mid_sweep_is_read_again_once() {
    for wording in [EntraErrors::WithEscapes, EntraErrors::OneLine] {
        let mut world = world();
        world.entra_errors = wording;
        let scene = Scene::of(world);
        // The token for Azure Resource Manager is asked for only after this.
        scene.simulator.hook(
            Match::path("/clusters/list"),
            Times::First(1),
            When::Before,
            |world| world.rotate_secret("main"),
        );
        let swept = scene.sweep();
        swept.assert_succeeded();
        assert_eq!(swept.count("terminated"), 1, "{swept}");
        let record = scene.simulator.record();
        let reads = record.secret_reads();
        for name in [TENANT_ID_SECRET, CLIENT_ID_SECRET, CLIENT_SECRET_SECRET] {
            let count = reads.iter().filter(|read| *read == name).count();
            assert_eq!(count, 2, "{name}");
        }
        assert_eq!(record.token_requests().len(), 3);
        assert_eq!(record.granted_scopes().len(), 2);
        scene.simulator.assert_clean();
    }
}

/// Sweeps a world that is wrong in one way, and makes sure that it is the whole
/// sweep's only failure, told with these words, before any workspace is asked.
fn assert_named(change: impl Fn(&mut World), kind: &str, words: [&str; 2]) {
    let mut world = world();
    change(&mut world);
    let scene = Scene::of(world);
    let swept = scene.sweep();
    assert_eq!(swept.exit, 1, "{swept}");
    let failure = swept.only_failure();
    assert!(failure.starts_with(&format!("{kind} -: ")), "{failure}");
    for part in words {
        assert!(failure.contains(part), "{part:?} is not in {failure}");
    }
    assert!(!swept.to_string().contains("Sec8Q~"), "{swept}");
    assert_eq!(swept.workspace("one")["seen"], false);
    let record = scene.simulator.record();
    let mut connects = record.connects().iter();
    let asked = connects.find(|connect| connect.target.contains("azuredatabricks"));
    assert_eq!(asked, None, "{words:?}");
    scene.simulator.assert_clean();
}

#[test]
fn what_entra_refuses_is_named_with_what_to_do() {
    let elsewhere = "99999999-0000-4000-8000-000000000001";
    assert_named(
        |world| vault(world).set(CLIENT_SECRET_SECRET, "Sec8Q~wrong"),
        "token",
        ["AADSTS7000215", "store its value, not its id"],
    );
    assert_named(
        |world| world.expire_secrets("main"),
        "token",
        ["AADSTS7000222", "has expired"],
    );
    assert_named(
        |world| vault(world).set(CLIENT_ID_SECRET, elsewhere),
        "token",
        ["AADSTS700016", "no such application"],
    );
    assert_named(
        |world| vault(world).set(TENANT_ID_SECRET, elsewhere),
        "token",
        ["AADSTS90002", "no such tenant"],
    );
    assert_named(
        |world| world.entra_errors = EntraErrors::Html502,
        "token",
        ["login.microsoftonline.com", "HTTP 502"],
    );
}

#[test]
fn what_the_vault_refuses_is_named_with_what_to_do() {
    assert_named(
        |world| vault(world).readers.clear(),
        "settings",
        ["ForbiddenByRbac", "Key Vault Secrets User"],
    );
    assert_named(
        |world| vault(world).remove(CLIENT_SECRET_SECRET),
        "settings",
        [CLIENT_SECRET_SECRET, "no such secret"],
    );
    assert_named(
        |world| vault(world).disable(CLIENT_SECRET_SECRET),
        "settings",
        [CLIENT_SECRET_SECRET, "disabled"],
    );
    assert_named(
        |world| vault(world).set(TENANT_ID_SECRET, "Sec8Q~in-the-wrong-place"),
        "settings",
        [TENANT_ID_SECRET, "does not hold a tenant id"],
    );
    assert_named(
        |world| world.identity.is_assigned = false,
        "settings",
        ["managed identity", "system-assigned"],
    );
}

#[test]
fn a_failure_reads_in_the_table_as_it_was_written() {
    let mut world = world();
    vault(&mut world).set(CLIENT_SECRET_SECRET, "Sec8Q~wrong");
    let scene = Scene::of(world);
    let sentence = scene.sweep().only_failure();
    let (_, sentence) = sentence.split_once(": ").unwrap();
    assert!(sentence.contains(&format!("secret `{CLIENT_SECRET_SECRET}`")));
    let text = scene.run(&[]);
    assert_eq!(text.exit, 1, "{text}");
    assert!(text.stdout.contains(sentence), "{text}");
    scene.simulator.assert_clean();
}

#[test]
fn a_vault_version_is_read_as_it_is_pinned() {
    let mut world = world();
    let pinned = {
        let vault = vault(&mut world);
        let secret = vault.secrets.iter();
        let mut secret = secret.filter(|secret| secret.name == CLIENT_SECRET_SECRET);
        let id = secret.next().unwrap().versions[0].id.clone();
        vault.set(CLIENT_SECRET_SECRET, "Sec8Q~newer-and-wrong");
        format!("{CLIENT_SECRET_SECRET}/{id}")
    };
    let newest = Scene::of(world.clone());
    assert_eq!(newest.sweep().exit, 1);
    let scene = Scene::of(world).set("TERMINATE_CLUSTERS_CLIENT_SECRET_SECRET", &pinned);
    scene.sweep().assert_succeeded();
    scene.simulator.assert_clean();
}

#[test]
fn without_a_managed_identity_the_azure_cli_logs_in() {
    let scene = Scene::of(world());
    let token = vault_token(&scene);
    let folder = scene.simulator.directory().join("bin");
    std::fs::create_dir(&folder).unwrap();
    let far = 4_102_444_800_i64;
    let answer = format!(
        r#"{{"accessToken":"{token}","expiresOn":"2100-01-01 00:00:00.000000","expires_on":{far},"subscription":"s","tenant":"t","tokenType":"Bearer"}}"#
    );
    let asked = folder.join("asked");
    let script = format!(
        "#!/bin/sh\necho \"$@\" >> '{}'\nprintf '%s' '{answer}'\n",
        asked.display()
    );
    let az = folder.join("az");
    std::fs::write(&az, script).unwrap();
    std::fs::set_permissions(&az, std::fs::Permissions::from_mode(0o755)).unwrap();
    scene.simulator.forget_record();

    let scene = scene
        .without("IDENTITY_ENDPOINT")
        .without("IDENTITY_HEADER")
        .set("PATH", &format!("{}:/usr/bin:/bin", folder.display()));
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.count("terminated"), 1, "{swept}");
    let asked = std::fs::read_to_string(asked).unwrap();
    assert_eq!(
        asked,
        "account get-access-token -o json --scope https://vault.azure.net/.default\n"
    );
    let record = scene.simulator.record();
    assert!(record.identity_requests().is_empty());
    assert!(!swept.to_string().contains(&token));
    scene.simulator.assert_clean();
}

#[test]
fn an_azure_cli_that_is_not_logged_in_is_named() {
    let scene = Scene::of(world())
        .without("IDENTITY_ENDPOINT")
        .without("IDENTITY_HEADER");
    let az = scene.simulator.directory().join("az");
    std::fs::write(
        &az,
        "#!/bin/sh\necho \"Please run 'az login' first\" >&2\nexit 1\n",
    )
    .unwrap();
    std::fs::set_permissions(&az, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = scene.simulator.directory().display().to_string();
    let scene = scene.set("PATH", &path);
    let swept = scene.sweep();
    assert_eq!(swept.exit, 1, "{swept}");
    let failure = swept.only_failure();
    assert!(failure.contains("Please run 'az login' first"), "{failure}");
    assert!(
        failure.contains("install the Azure CLI and run"),
        "{failure}"
    );
    scene.simulator.assert_clean();
}

/// A token for the vault, as the identity endpoint gives it out.
fn vault_token(scene: &Scene) -> String {
    let endpoint = scene.simulator.identity_endpoint();
    let address = endpoint.strip_prefix("http://").unwrap();
    let (address, path) = address.split_once('/').unwrap();
    let header = scene.simulator.world(|world| world.identity.header.clone());
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET /{path}?api-version=2019-08-01&resource=https://vault.azure.net HTTP/1.1\r\n\
         Host: {address}\r\nX-IDENTITY-HEADER: {header}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let start = body.find('{').unwrap();
    let end = body.rfind('}').unwrap();
    let body: serde_json::Value = serde_json::from_str(&body[start..=end]).unwrap();
    body["access_token"].as_str().unwrap().to_owned()
}
