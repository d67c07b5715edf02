//! Several service principals in one sweep, and every way in which one proves who it
//! is: each workspace is swept as its own, and none ever sees another's token.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use simulator::world::{
    Audience, CLIENT_SECRET_SECRET, Certificate, Cluster, FederatedCredential, MAIN, Member,
    Moment, Permission, Principal, SecretTime, TENANT_ID, VAULT, Vault, Workspace, World, certify,
    hours, minutes,
};
use simulator::{Match, Times, When};

use crate::support::Scene;

const OTHER_TENANT: &str = "bbbbcccc-0000-4000-8000-ddddeeee0002";
const RSA: &str = include_str!("../fixtures/certificates/throwaway-rsa.pem");
const SECOND: &str = include_str!("../fixtures/certificates/throwaway-second.pem");
const PKCS12: &[u8] = include_bytes!("../fixtures/certificates/throwaway-legacy.p12");
const DAY: i64 = 24 * 60 * 60;

fn vault(world: &mut World) -> &mut Vault {
    let found = world.vaults.iter_mut().find(|vault| vault.name == VAULT);
    found.unwrap()
}

/// A workspace with an idle cluster, in which only this principal is an admin.
fn workspace_of(name: &str, principal: &str) -> Workspace {
    let workspace = Workspace::named(name).cluster(Cluster::idle(name).since(hours(5)));
    let workspace = workspace.without_member(MAIN);
    workspace.member(Member::admin(principal))
}

/// A `[[principal]]` with its ids written down and these lines.
fn table(principal: &Principal, lines: &str) -> String {
    let Principal {
        name,
        tenant,
        client_id,
        ..
    } = principal;
    format!(
        "[[principal]]\nname = \"{name}\"\ntenant_id = \"{tenant}\"\nclient_id = \"{client_id}\"\n{lines}\n"
    )
}

/// Three principals of two tenants and ten workspaces for each. The guest's secret is
/// in a vault of its own.
pub(crate) fn estate() -> Scene {
    let team = Principal::named("team");
    let guest = Principal::named("guest").in_tenant(OTHER_TENANT);
    let names = [MAIN, "team", "guest"];
    let workspaces = (0..30).map(|number| {
        let principal = names[number % 3];
        let workspace = Workspace::named(&format!("w{number}-{principal}"));
        let workspace = workspace.cluster(Cluster::idle(&format!("c{number}")).since(hours(5)));
        let workspace = match principal {
            "guest" => workspace.in_tenant(OTHER_TENANT),
            _ => workspace.without_member(MAIN),
        };
        let workspace = workspace.member(Member::admin(principal));
        workspace.policy_line(&format!(
            "principal = \"{principal}\"\nspark_principal = \"{principal}\""
        ))
    });
    let mut world = World::new()
        .workspaces(workspaces)
        .principal(team.clone())
        .principal(guest.clone())
        .vault(Vault::named("kv-guest").secret("guest-secret", guest.secret()));
    vault(&mut world).set("team-secret", team.secret());
    let guests = "client_secret_secret = \"guest-secret\"\nkey_vault_url = \"https://kv-guest.vault.azure.net\"";
    Scene::of(world)
        .table(&table(&team, "client_secret_secret = \"team-secret\""))
        .table(&table(&guest, guests))
}

/// Takes the secret of the guest out of its vault.
pub(crate) fn lose_the_guests_secret(scene: &Scene) {
    scene.simulator.world(|world| {
        let vaults = &mut world.vaults;
        let guests = vaults.iter_mut().find(|vault| vault.name == "kv-guest");
        guests.unwrap().remove("guest-secret");
    });
}

/// The principal that a token was given out to.
fn owners(scene: &Scene) -> BTreeMap<String, (String, Audience)> {
    let tokens = scene.simulator.world(|world| world.issued_tokens());
    let owner = |token: simulator::world::Token| (token.value, (token.principal, token.audience));
    tokens.into_iter().map(owner).collect()
}

/// That every request to a workspace bore a token of the principal after its dash.
fn assert_tokens_never_cross(scene: &Scene) {
    let owners = owners(scene);
    let hosts: BTreeMap<String, String> = scene.simulator.world(|world| {
        let workspaces = world.workspaces.iter();
        let pairs = workspaces.map(|one| (one.host.clone(), one.name.clone()));
        pairs.collect()
    });
    let record = scene.simulator.record();
    let mut seen = BTreeSet::new();
    for request in record.requests() {
        let Some(name) = hosts.get(request.host()) else {
            continue;
        };
        let bearer = request.headers()["authorization"].to_str().unwrap();
        let (owner, audience) = &owners[bearer.strip_prefix("Bearer ").unwrap()];
        let (_, expected) = name.split_once('-').unwrap();
        assert_eq!(
            (owner.as_str(), *audience),
            (expected, Audience::Databricks)
        );
        assert!(
            !request
                .header_names()
                .iter()
                .any(|header| header.starts_with("x-databricks-azure")),
            "{request}"
        );
        seen.insert(name.clone());
    }
    assert_eq!(seen.len(), hosts.len(), "some workspace was not asked");
}

#[test]
fn three_principals_of_two_tenants_sweep_thirty_workspaces_with_a_token_each() {
    let scene = estate();
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(
        swept.count("would_terminate") + swept.count("terminated"),
        30
    );
    let record = scene.simulator.record();
    let granted = record.granted_scopes();
    // One for Databricks and one for Azure Resource Manager.
    assert_eq!(granted.len(), 6, "{granted:?}");
    assert_eq!(record.token_requests().len(), 6);
    // The vaults are two, and who reads them is one.
    assert_eq!(record.identity_requests().len(), 1);
    assert_eq!(record.secret_reads().len(), 5);
    assert_eq!(swept.closing["token_requests"], 6);
    assert_eq!(swept.closing["secret_reads"], 5);
    assert_tokens_never_cross(&scene);
    scene.simulator.assert_clean();
}

#[test]
fn tokens_never_cross_though_one_is_taken_back_in_the_middle() {
    let scene = estate();
    scene.simulator.hook(
        Match::path("/clusters/get"),
        Times::First(1),
        When::Before,
        |world| {
            for principal in [MAIN, "team", "guest"] {
                world.revoke_tokens(principal);
            }
        },
    );
    scene.sweep().assert_succeeded();
    assert_tokens_never_cross(&scene);
    scene.simulator.assert_clean();
}

#[test]
fn a_principal_that_fails_costs_only_its_workspaces() {
    let scene = estate();
    lose_the_guests_secret(&scene);
    let swept = scene.sweep();
    assert_eq!(swept.exit, 1, "{swept}");
    let failure = swept.only_failure();
    let expected = "settings -: principal `guest`: no token for Azure Databricks: secret `guest-secret` in kv-guest.vault.azure.net";
    assert!(failure.starts_with(expected), "{failure}");
    assert_eq!(swept.closing["totals"]["clusters"], 20, "{swept}");
    for workspace in &swept.workspaces {
        let name = workspace["workspace"].as_str().unwrap();
        assert_eq!(workspace["seen"], !name.ends_with("-guest"), "{name}");
    }
    scene.simulator.assert_clean();
}

#[test]
fn the_drivers_are_asked_as_the_principal_that_is_named_for_them_and_nothing_else_is() {
    let reader = Principal::named("reader");
    let workspace =
        workspace_of("one", MAIN).member(Member::user("reader", Permission::CanAttachTo));
    let mut world = World::new().principal(reader.clone()).workspace(workspace);
    vault(&mut world).set("reader-secret", reader.secret());
    let mut scene = Scene::of(world);
    scene.further_tables = "[witness.spark]\nprincipal = \"reader\"\n".to_owned();
    let scene = scene.table(&table(&reader, "client_secret_secret = \"reader-secret\""));
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.count("terminated"), 1, "{swept}");
    let owners = owners(&scene);
    let record = scene.simulator.record();
    let mut drivers = 0;
    for request in record.requests() {
        if !request.host().ends_with(".azuredatabricks.net") {
            continue;
        }
        let bearer = request.headers()["authorization"].to_str().unwrap();
        let (owner, _) = &owners[bearer.strip_prefix("Bearer ").unwrap()];
        let expected = if request.is_driver_proxy() {
            "reader"
        } else {
            MAIN
        };
        assert_eq!(owner, expected, "{request}");
        drivers += usize::from(request.is_driver_proxy());
    }
    assert!(drivers > 0, "{swept}");
    scene.simulator.assert_clean();
}

/// A world whose main principal has this certificate and no secret, with the settings
/// for a certificate whose secret holds `value`.
fn with_certificate(registered: &str, value: &str) -> Scene {
    let main = Principal::named(MAIN).without_secret();
    let main = main.certificate(Certificate::from_pem(registered));
    let mut world = World::new()
        .principal(main)
        .workspace(workspace_of("one", MAIN));
    vault(&mut world).set("certificate", value);
    Scene::of(world)
        .without("TERMINATE_CLUSTERS_CLIENT_SECRET_SECRET")
        .set(
            "TERMINATE_CLUSTERS_CLIENT_CERTIFICATE_SECRET",
            "certificate",
        )
}

fn assert_terminates(scene: &Scene) {
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.count("terminated"), 1, "{swept}");
    let said = swept.to_string();
    let secrets = scene.simulator.world(|world| world.secrets());
    for secret in secrets {
        // What makes a signed token one is what follows its last dot.
        let kept = secret.rsplit('.').next().unwrap();
        assert!(!said.contains(kept), "a secret was shown");
    }
    assert!(!said.contains("PRIVATE KEY"), "{swept}");
    scene.simulator.assert_clean();
}

#[test]
fn a_certificate_proves_the_principal_as_pem_and_as_pkcs12() {
    assert_terminates(&with_certificate(RSA, RSA));
    let scene = with_certificate(RSA, &base64(PKCS12));
    assert_terminates(&scene);
    let record = scene.simulator.record();
    for request in record.token_requests() {
        let form = String::from_utf8(request.body().to_vec()).unwrap();
        assert!(form.contains("client_assertion="));
        assert!(!form.contains("client_secret="));
    }
}

#[test]
fn a_certificate_that_is_renewed_in_the_middle_is_read_again_once() {
    let scene = with_certificate(RSA, RSA);
    scene.simulator.hook(
        Match::path("/clusters/list"),
        Times::First(1),
        When::Before,
        |world| {
            world.rotate_certificate(MAIN, Certificate::from_pem(SECOND));
            vault(world).set("certificate", SECOND);
        },
    );
    assert_terminates(&scene);
    let record = scene.simulator.record();
    let reads = record.secret_reads();
    assert_eq!(
        reads.iter().filter(|name| *name == "certificate").count(),
        2
    );
    assert_eq!(record.token_requests().len(), 3);
}

#[test]
fn a_certificate_that_entra_does_not_know_is_named() {
    let scene = with_certificate(SECOND, RSA);
    let failure = scene.sweep().only_failure();
    let part =
        "(AADSTS700027): the application does not know the certificate in secret `certificate`";
    assert!(failure.starts_with("token -: "), "{failure}");
    assert!(failure.contains(part), "{failure}");
    scene.simulator.assert_clean();
}

#[test]
fn what_ends_soon_is_warned_of_before_it_fails() {
    let now = Scene::of(World::new())
        .simulator
        .world(|world| world.clock.now_ms() / 1000);
    let pem = certify(RSA, now - DAY, now + 10 * DAY + 60);
    let scene = with_certificate(&pem, &pem);
    let swept = scene.sweep();
    swept.assert_succeeded();
    let warnings = &swept.closing["warnings"];
    let warning = warnings[0].as_str().unwrap();
    let start = "the certificate in secret `certificate` expires in 10 days, at ";
    assert!(warning.starts_with(start), "{warning}");
    assert_eq!(warnings.as_array().unwrap().len(), 1);
    let text = scene.run(&[]).ran.stdout;
    assert!(text.contains(&format!("  WARNING {start}")), "{text}");
    let patient = scene.limit("warn_before", "\"9d\"").sweep();
    assert_eq!(patient.closing["warnings"], serde_json::json!([]));

    let pem = certify(RSA, now - 10 * DAY, now - DAY);
    let scene = with_certificate(&pem, &pem);
    let failure = scene.sweep().only_failure();
    assert!(failure.starts_with("settings -: "), "{failure}");
    assert!(
        failure.contains("holds a certificate that expired at"),
        "{failure}"
    );
    assert!(scene.simulator.record().token_requests().is_empty());
}

#[test]
fn a_client_secret_that_ends_soon_by_its_date_in_the_vault_is_warned_of() {
    let started_with = |expires: Moment| {
        let mut world =
            World::new().workspace(workspace_of("one", MAIN).member(Member::admin(MAIN)));
        let version = vault(&mut world).version_mut(CLIENT_SECRET_SECRET);
        version.expires = Some(SecretTime::Moment(expires));
        Scene::of(world)
    };
    let warnings = |scene: &Scene| {
        let swept = scene.sweep();
        swept.assert_succeeded();
        swept.closing["warnings"].as_array().unwrap().clone()
    };
    let scene = started_with(Moment::ahead(hours(10 * 24) + minutes(30)));
    let told = warnings(&scene);
    assert_eq!(told.len(), 1, "{told:?}");
    let held = format!("the client secret in secret `{CLIENT_SECRET_SECRET}`");
    let start = format!("{held} expires in 10 days, at ");
    let rest = " by its date in Key Vault; create a new one and store it there with its date";
    let warning = told[0].as_str().unwrap();
    assert!(warning.starts_with(&start), "{warning}");
    assert!(warning.ends_with(rest), "{warning}");
    let text = scene.run(&[]).ran.stdout;
    assert!(text.contains(&format!("  WARNING {start}")), "{text}");
    scene.simulator.assert_clean();
    assert!(warnings(&scene.limit("warn_before", "\"9d\"")).is_empty());

    // A vault gives a secret out after its date, and only Entra knows whether it is over.
    let over = started_with(Moment::ago(hours(1)));
    let told = warnings(&over);
    let warning = told[0].as_str().unwrap();
    assert!(
        warning.starts_with(&format!("{held} expired at ")),
        "{warning}"
    );
}

#[test]
fn the_managed_identity_itself_can_be_the_principal() {
    let reader = Principal::named("user-assigned");
    let world = World::new()
        .user_assigned(reader.clone())
        .workspace(workspace_of("system", "function-app"))
        .workspace(workspace_of("user", "user-assigned").policy_line("principal = \"user\""));
    let mut scene = Scene::of(world);
    scene.further_tables = "[witness.spark]\nprincipal = \"main\"\n".to_owned();
    for name in ["TENANT_ID", "CLIENT_ID", "CLIENT_SECRET"] {
        scene = scene.without(&format!("TERMINATE_CLUSTERS_{name}_SECRET"));
    }
    let mut user = String::new();
    let _ = write!(
        user,
        "[[principal]]\nname = \"user\"\ncredential = \"managed-identity\"\nmanaged_identity_client_id = \"{}\"\n",
        reader.client_id
    );
    let scene = scene
        .without("TERMINATE_CLUSTERS_KEY_VAULT_URL")
        .set("TERMINATE_CLUSTERS_CREDENTIAL", "managed-identity")
        .table(&user);
    let swept = scene.sweep();
    assert_eq!(swept.failures(), Vec::<String>::new(), "{swept}");
    assert_eq!(swept.closing["totals"]["clusters"], 2, "{swept}");
    let record = scene.simulator.record();
    assert!(record.token_requests().is_empty());
    // Databricks and Azure Resource Manager, for each.
    assert_eq!(record.identity_requests().len(), 4);
    assert_eq!(swept.closing["token_requests"], 4);
    assert_eq!(swept.closing["secret_reads"], 0);

    let here = scene
        .without("IDENTITY_ENDPOINT")
        .without("IDENTITY_HEADER");
    let failures = here.sweep().failures();
    assert_eq!(failures.len(), 2, "{failures:?}");
    for failure in failures {
        assert!(failure.contains("`IDENTITY_ENDPOINT` is not set; run in the Function App"));
    }
}

#[test]
fn a_managed_identity_proves_an_application_also_of_another_tenant() {
    for tenant in [TENANT_ID, OTHER_TENANT] {
        let world = World::new();
        let trusted = FederatedCredential::managed_identity(&world.identity.principal);
        let app = Principal::named("app").in_tenant(tenant).without_secret();
        let app = app.federated(trusted);
        let workspace = Workspace::named("one").cluster(Cluster::idle("one").since(hours(5)));
        let workspace = workspace.in_tenant(tenant).member(Member::admin("app"));
        let world = world
            .principal(app.clone())
            .workspace(workspace.policy_line("principal = \"app\"\nspark_principal = \"app\""));
        let mut scene = Scene::of(world);
        for name in ["TENANT_ID", "CLIENT_ID", "CLIENT_SECRET"] {
            scene = scene.without(&format!("TERMINATE_CLUSTERS_{name}_SECRET"));
        }
        let scene = scene
            .without("TERMINATE_CLUSTERS_KEY_VAULT_URL")
            .table(&table(&app, "credential = \"federated\""));
        // The Spark witness of the scene names the main principal, which is not set up.
        let mut scene = scene;
        scene.further_tables = scene.further_tables.replacen("\"main\"", "\"app\"", 1);
        assert_terminates(&scene);
        let record = scene.simulator.record();
        assert_eq!(record.identity_requests().len(), 1);
        assert_eq!(record.token_requests().len(), 2);

        scene.simulator.world(|world| {
            let mut principals = world.principals.iter_mut();
            let app = principals.find(|one| one.name == "app").unwrap();
            app.federated[0].subject = "99999999-0000-4000-8000-000000000001".to_owned();
        });
        let failure = scene.sweep().only_failure();
        assert!(failure.contains("AADSTS700213"), "{failure}");
        let part = "the application does not trust the Function App's managed identity; add a federated credential";
        assert!(failure.contains(part), "{failure}");
        scene.simulator.assert_clean();
    }
}

#[test]
fn the_user_assigned_identity_that_is_named_proves_an_application_and_no_other_does() {
    let identity = Principal::named("user-assigned");
    let trusted = FederatedCredential::managed_identity(&identity);
    let app = Principal::named("app").without_secret().federated(trusted);
    let workspace = workspace_of("one", "app");
    let world = World::new()
        .user_assigned(identity.clone())
        .principal(app.clone())
        .workspace(workspace.policy_line("principal = \"app\"\nspark_principal = \"app\""));
    let of = |lines: &str| {
        let mut scene = Scene::of(world.clone());
        scene.further_tables = "[witness.spark]\nprincipal = \"app\"\n".to_owned();
        for name in ["TENANT_ID", "CLIENT_ID", "CLIENT_SECRET"] {
            scene = scene.without(&format!("TERMINATE_CLUSTERS_{name}_SECRET"));
        }
        let scene = scene.without("TERMINATE_CLUSTERS_KEY_VAULT_URL");
        scene.table(&table(
            &app,
            &format!("credential = \"federated\"\n{lines}"),
        ))
    };
    let named = format!("managed_identity_client_id = \"{}\"", identity.client_id);
    let scene = of(&named);
    assert_terminates(&scene);
    let record = scene.simulator.record();
    let asked = record.identity_requests();
    assert_eq!(asked.len(), 1);
    assert!(
        asked[0].to_string().contains(&identity.client_id),
        "{}",
        asked[0]
    );
    assert_eq!(record.token_requests().len(), 2);

    // Nothing stands in for it: neither another identity of the app, nor none.
    let failure = of("").sweep().only_failure();
    assert!(failure.contains("AADSTS700213"), "{failure}");
    let part = "the application does not trust the Function App's managed identity";
    assert!(failure.contains(part), "{failure}");
    let unassigned = of(&named);
    let identities = |world: &mut World| world.identity.user_assigned.clear();
    unassigned.simulator.world(identities);
    let failure = unassigned.sweep().only_failure();
    let part = format!(
        "App Service gave no token for the user-assigned identity `{}` (HTTP 400",
        identity.client_id
    );
    assert!(failure.contains(&part), "{failure}");
    assert!(
        failure.contains("assign it to the Function App"),
        "{failure}"
    );
    assert!(unassigned.simulator.record().terminations().is_empty());
    for scene in [scene, unassigned] {
        scene.simulator.assert_clean();
    }
}

/// As Key Vault writes the bytes of a PKCS#12 file.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |place: usize| u32::from(chunk.get(place).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            if place <= chunk.len() {
                let digit = bits >> (18 - 6 * place) & 63;
                text.push(char::from(DIGITS[usize::try_from(digit).unwrap()]));
            } else {
                text.push('=');
            }
        }
    }
    text
}
