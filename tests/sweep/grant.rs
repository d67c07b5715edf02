//! Stories of `terminate-clusters grant`: the binary, started as an operator would, in
//! a pretend cloud, by each of the ways in.
//!
//! Each looks at what the cloud has become and what it was sent. The operator's Azure
//! CLI is a script that gives out a token of the pretend cloud; everything else is as
//! in a sweep.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use simulator::world::{
    Access, AlreadyExists, Audience, CLIENT_ID_SECRET, Cluster, MAIN, Member, Permission,
    Principal, Scim, Spread, TENANT_ID, VAULT, Vault, Workspace, World,
};
use simulator::{Fault, Match, Times};

use crate::hostile;
use crate::ran::Ran;
use crate::support::Scene;

const OPERATOR: &str = "operator";

/// What `grant --json` said.
impl Ran {
    fn lines(&self) -> Vec<Value> {
        let lines = self.stdout.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// `outcome change right cluster` of each change, in order.
    fn changes(&self) -> Vec<String> {
        let mut told = Vec::new();
        for line in self.lines() {
            for change in line["changes"].as_array().into_iter().flatten() {
                let text = |key: &str| change[key].as_str().unwrap_or_default();
                let parts = ["outcome", "change", "right", "cluster_name"].map(text);
                let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
                told.push(parts.join(" "));
            }
        }
        told
    }

    /// The only reason that was given for something that did not succeed.
    fn only_why(&self) -> String {
        let lines = self.lines();
        let changes = lines.iter().filter_map(|line| line["changes"].as_array());
        let of_changes = changes.flatten().map(|change| &change["why"]);
        let of_workspaces = lines.iter().map(|line| &line["failure"]);
        let all = of_changes.chain(of_workspaces).filter_map(Value::as_str);
        let all: Vec<&str> = all.collect();
        assert_eq!(all.len(), 1, "{self}");
        all[0].to_owned()
    }

    fn notes(&self) -> Vec<String> {
        let lines = self.lines();
        let notes = lines.iter().filter_map(|line| line["notes"].as_array());
        let notes = notes.flatten().filter_map(Value::as_str);
        notes.map(str::to_owned).collect()
    }
}

/// A workspace that knows an operator, who is an admin, and not the principal.
fn workspace() -> Workspace {
    Workspace::named("one")
        .without_member(MAIN)
        .member(Member::admin(OPERATOR))
}

fn world(workspace: Workspace) -> World {
    World::new()
        .principal(Principal::named(OPERATOR))
        .workspace(workspace)
}

/// A scene in report mode, with an Azure CLI at which the operator is logged in.
fn scene(world: World) -> Scene {
    let scene = Scene::of(world).set("TERMINATE_CLUSTERS_MODE", "report");
    let token = scene
        .simulator
        .world(|world| world.token_of(OPERATOR, Audience::Databricks));
    let answer = format!(
        r#"{{"accessToken":"{token}","expiresOn":"2099-12-31 00:00:00.000000","expires_on":4102358400,"subscription":"s","tenant":"{TENANT_ID}","tokenType":"Bearer"}}"#
    );
    let wanted = "*2ff814a6-3304-4ab8-85cb-cd0e6f879c1d*";
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in\n{wanted}) echo '{answer}' ;;\n*) echo \"ERROR: not asked for: $*\" >&2; exit 1 ;;\nesac\n"
    );
    with_azure_cli(scene, &script)
}

fn with_azure_cli(scene: Scene, script: &str) -> Scene {
    let folder = scene.simulator.directory().join("bin");
    std::fs::create_dir_all(&folder).unwrap();
    let az = folder.join("az");
    std::fs::write(&az, script).unwrap();
    std::fs::set_permissions(&az, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.display());
    scene.set("PATH", &path)
}

fn run(scene: &Scene, arguments: &[&str]) -> Ran {
    Ran::of(scene, &[&["grant"], arguments].concat())
}

fn in_json(scene: &Scene, arguments: &[&str]) -> Ran {
    run(scene, &[&["--json"], arguments].concat())
}

fn member(scene: &Scene, principal: &str) -> Option<Member> {
    scene
        .simulator
        .world(|world| world.workspaces[0].find_member(principal).cloned())
}

/// What the principal may do with each cluster, by name.
fn rights(scene: &Scene, principal: &str) -> Vec<(String, Permission)> {
    scene.simulator.world(|world| {
        let workspace = &world.workspaces[0];
        let clusters = workspace.clusters.iter();
        let right = |one: &Cluster| (one.name.clone(), workspace.permission(principal, one));
        clusters.map(right).collect()
    })
}

/// That nothing was sent that could change anything, or make an admin of anyone.
fn assert_only_looked(scene: &Scene) {
    let record = scene.simulator.record();
    assert!(record.mutating().is_empty(), "{:?}", record.mutating());
    assert!(record.joinings().is_empty());
}

/// The same request again has nothing to do and sends nothing.
fn assert_nothing_left(scene: &Scene, arguments: &[&str]) {
    scene.simulator.forget_record();
    let again = in_json(scene, arguments);
    assert_eq!(again.exit, 0, "{again}");
    assert_eq!(again.changes(), Vec::<String>::new(), "{again}");
    assert_only_looked(scene);
    let text = run(scene, arguments);
    assert!(text.stdout.contains("nothing to do"), "{text}");
}

#[test]
fn an_operator_adds_the_principal_and_without_apply_only_sees_what_would_change() {
    let scene = scene(world(workspace()));
    let shown = in_json(&scene, &[]);
    assert_eq!(shown.exit, 0, "{shown}");
    assert_eq!(shown.changes(), ["planned create"]);
    let text = run(&scene, &["--as-operator"]);
    assert!(text.stdout.contains("would add principal `main`"), "{text}");
    assert!(text.stdout.contains("run again with --apply"), "{text}");
    assert_only_looked(&scene);
    assert!(member(&scene, MAIN).is_none());
    // Nothing but the client id is needed of the principal, and no token of it.
    let record = scene.simulator.record();
    assert_eq!(record.secret_reads(), [CLIENT_ID_SECRET; 2]);
    assert!(record.token_requests().is_empty());

    let made = in_json(&scene, &["--apply"]);
    assert_eq!(made.exit, 0, "{made}");
    assert_eq!(made.changes(), ["made create"]);
    let main = member(&scene, MAIN).unwrap();
    assert_eq!(main.entitlements, ["workspace-access"]);
    assert!(!main.is_admin());
    assert_nothing_left(&scene, &["--apply"]);
    scene.simulator.assert_clean();
}

#[test]
fn admin_puts_the_principal_into_the_group_of_admins() {
    for patch_is_silent in [false, true] {
        let scim = Scim {
            patch_is_silent,
            ..Scim::default()
        };
        let scene = scene(world(workspace().scim(scim)));
        let shown = in_json(&scene, &["--admin"]);
        assert_eq!(shown.changes(), ["planned create", "planned admit"]);
        assert_only_looked(&scene);
        let made = in_json(&scene, &["--admin", "--apply"]);
        assert_eq!(made.exit, 0, "{made}");
        assert_eq!(made.changes(), ["made create", "made admit"]);
        assert!(member(&scene, MAIN).unwrap().is_admin());
        assert_nothing_left(&scene, &["--admin", "--clusters", "all-purpose", "--apply"]);
        scene.simulator.assert_clean();
    }
}

#[test]
fn clusters_get_can_restart_one_by_one_and_new_ones_will_lack_it() {
    let managed = Cluster::idle("managed").permission(MAIN, Permission::CanManage);
    let attached = Cluster::idle("attached").permission(MAIN, Permission::CanAttachTo);
    let workspace = workspace()
        .member(Member::user(MAIN, Permission::None))
        .cluster(Cluster::idle("ui"))
        .cluster(Cluster::idle("api").source("API"))
        .cluster(Cluster::terminated("stopped"))
        .cluster(Cluster::job("nightly"))
        .cluster(managed)
        .cluster(attached)
        .cluster_page_size(2);
    let scene = scene(world(workspace));
    let arguments = ["--clusters", "all-purpose", "--apply"];
    let made = in_json(&scene, &arguments);
    assert_eq!(made.exit, 0, "{made}");
    let mut changes = made.changes();
    changes.sort_unstable();
    let expected = ["api", "attached", "stopped", "ui"];
    let expected = expected.map(|name| format!("made allow CAN_RESTART {name}"));
    assert_eq!(changes, expected);
    let notes = made.notes();
    assert!(
        notes
            .iter()
            .any(|note| note.contains("will lack CAN_RESTART")),
        "{notes:?}"
    );
    let expected = [
        ("ui", Permission::CanRestart),
        ("api", Permission::CanRestart),
        ("stopped", Permission::CanRestart),
        ("nightly", Permission::None),
        ("managed", Permission::CanManage),
        ("attached", Permission::CanRestart),
    ];
    let expected = expected.map(|(name, right)| (name.to_owned(), right));
    assert_eq!(rights(&scene, MAIN), expected);
    let record = scene.simulator.record();
    assert!(record.mutating().iter().all(|one| one.method() == "PATCH"));
    assert_nothing_left(&scene, &arguments);

    let new = Cluster::idle("new");
    scene
        .simulator
        .world(|world| world.workspaces[0].add_cluster(new));
    assert_eq!(
        in_json(&scene, &arguments).changes(),
        ["made allow CAN_RESTART new"]
    );
    scene.simulator.assert_clean();
}

/// A second principal, which asks the drivers.
fn drivers() -> (Principal, String) {
    let drivers = Principal::named("drivers");
    let table = format!(
        "[witness.spark]\nprincipal = \"drivers\"\n[[principal]]\nname = \"drivers\"\ntenant_id = \"{TENANT_ID}\"\nclient_id = \"{}\"\nclient_secret_secret = \"drivers-secret\"\n",
        drivers.client_id
    );
    (drivers, table)
}

#[test]
fn evidence_gives_the_principal_of_the_drivers_membership_and_can_attach_to() {
    let (drivers, table) = drivers();
    let workspace = workspace()
        .cluster(Cluster::idle("ui"))
        .cluster(Cluster::job("nightly"));
    let mut scene = scene(world(workspace).principal(drivers));
    scene.further_tables = table;
    let made = in_json(&scene, &["--evidence", "--apply"]);
    assert_eq!(made.exit, 0, "{made}");
    let expected = ["made create", "made create", "made allow CAN_ATTACH_TO ui"];
    assert_eq!(made.changes(), expected);
    let expected = [
        ("ui".to_owned(), Permission::CanAttachTo),
        ("nightly".to_owned(), Permission::None),
    ];
    assert_eq!(rights(&scene, "drivers"), expected);
    assert!(!member(&scene, "drivers").unwrap().is_admin());
    assert_eq!(rights(&scene, MAIN)[0].1, Permission::None);
    assert_nothing_left(&scene, &["--evidence", "--apply"]);
    scene.simulator.assert_clean();
}

#[test]
fn the_principal_joins_by_itself_whatever_the_mode_and_only_with_apply() {
    let workspace = Workspace::named("one")
        .without_member(MAIN)
        .access(Access::Contributor)
        .spreads(Spread::AfterRequests(3));
    let contributor = Principal::named(MAIN).contributor();
    let scene = scene(world(workspace).principal(contributor));
    let shown = in_json(&scene, &["--self"]);
    assert_eq!(shown.exit, 0, "{shown}");
    assert_eq!(shown.changes(), ["planned join"]);
    assert_only_looked(&scene);
    let made = in_json(&scene, &["--self", "--admin", "--apply"]);
    assert_eq!(made.exit, 0, "{made}");
    assert_eq!(made.changes(), ["made join"]);
    assert!(member(&scene, MAIN).unwrap().is_admin());
    let record = scene.simulator.record();
    let joinings = record.joinings();
    assert_eq!(joinings.len(), 1);
    assert!(!joinings[0].is_driver_proxy());
    assert_nothing_left(&scene, &["--self", "--apply"]);
    scene.simulator.assert_clean();
}

#[test]
fn a_joining_whose_answer_is_lost_is_read_back_and_else_may_have_made_an_admin() {
    for (after, outcome) in [(3, "made join"), (10_000, "failed join")] {
        let workspace = Workspace::named("one")
            .without_member(MAIN)
            .access(Access::Contributor)
            .spreads(Spread::AfterRequests(after));
        let contributor = Principal::named(MAIN).contributor();
        let scene = scene(world(workspace).principal(contributor))
            .limit("join_for", "\"200ms\"")
            .limit("join_every", "\"10ms\"");
        let joining = Match::path("/Me").with_header("x-databricks-azure-sp-management-token");
        scene
            .simulator
            .fault(joining, Times::Always, Fault::LoseAnswer);
        let ran = in_json(&scene, &["--self", "--apply"]);
        assert_eq!(ran.changes(), [outcome], "{ran}");
        assert!(member(&scene, MAIN).unwrap().is_admin());
        if after > 3 {
            assert_eq!(ran.exit, 1, "{ran}");
            let why = ran.only_why();
            assert!(why.contains("may have become a workspace admin"), "{why}");
        } else {
            assert_eq!(ran.exit, 0, "{ran}");
        }
        scene.simulator.assert_clean();
    }
}

#[test]
fn who_may_not_join_by_itself_learns_what_is_missing() {
    let scene = scene(world(workspace()));
    let refused = in_json(&scene, &["--self", "--apply"]);
    assert_eq!(refused.exit, 1, "{refused}");
    assert_eq!(refused.changes(), ["failed join"]);
    let why = refused.only_why();
    assert!(why.contains("give it Contributor there"), "{why}");
    assert!(member(&scene, MAIN).is_none());
    scene.simulator.assert_clean();
}

#[test]
fn another_principal_that_is_an_admin_can_act() {
    let boss = Principal::named("boss");
    let vault = Vault::named(VAULT)
        .secret(CLIENT_ID_SECRET, &Principal::named(MAIN).client_id)
        .secret("boss-secret", boss.secret());
    let table = format!(
        "[[principal]]\nname = \"boss\"\ntenant_id = \"{TENANT_ID}\"\nclient_id = \"{}\"\nclient_secret_secret = \"boss-secret\"\n",
        boss.client_id
    );
    let workspace = workspace().member(Member::admin("boss"));
    let mut scene = scene(world(workspace).principal(boss).vault(vault));
    scene.further_tables = table;
    let made = in_json(&scene, &["--as", "boss", "--apply"]);
    assert_eq!(made.exit, 0, "{made}");
    assert_eq!(made.changes(), ["made create"]);
    assert_eq!(made.lines()[0]["as"], "principal `boss`");
    assert!(member(&scene, MAIN).is_some());
    scene.simulator.assert_clean();
}

#[test]
fn who_is_no_admin_learns_which_right_is_missing() {
    let user = Member::user(OPERATOR, Permission::CanManage);
    let scene = scene(world(workspace().member(user)));
    let refused = in_json(&scene, &["--apply", "--admin"]);
    assert_eq!(refused.exit, 1, "{refused}");
    assert_eq!(refused.changes(), ["failed create", "skipped admit"]);
    assert!(
        refused.notes()[0].contains("is not shown to be in the group `admins`"),
        "{refused}"
    );
    let text = run(&scene, &["--apply"]).stdout;
    assert!(text.contains("FAILED to add principal `main`"), "{text}");
    assert!(
        text.contains("only a workspace admin, a member of the group `admins`, can"),
        "{text}"
    );

    let stranger = self::scene(world(Workspace::named("one").without_member(MAIN)));
    let refused = in_json(&stranger, &["--apply"]);
    assert_eq!(refused.exit, 1, "{refused}");
    let why = refused.only_why();
    assert!(
        why.contains("the login of the Azure CLI is not a member of the workspace"),
        "{why}"
    );
    for scene in [scene, stranger] {
        assert!(member(&scene, MAIN).is_none());
        scene.simulator.assert_clean();
    }
}

#[test]
fn a_principal_that_exists_already_is_found_and_entitled_in_whatever_words_it_is_refused() {
    for already_exists in [
        AlreadyExists::Conflict,
        AlreadyExists::ConflictInScim,
        AlreadyExists::BadRequest,
        AlreadyExists::InTheAccount,
    ] {
        // The listing does not show it yet, so that it is created a second time.
        let scim = Scim {
            already_exists,
            listings_behind: 2,
            ..Scim::default()
        };
        let known = Member::user(MAIN, Permission::None).without_entitlements();
        let scene = scene(world(workspace().member(known).scim(scim)));
        let made = in_json(&scene, &["--apply"]);
        assert_eq!(made.exit, 0, "{already_exists:?}: {made}");
        assert_eq!(made.changes(), ["made create"]);
        assert_eq!(
            member(&scene, MAIN).unwrap().entitlements,
            ["workspace-access"]
        );
        assert_nothing_left(&scene, &["--apply"]);
        scene.simulator.assert_clean();
    }
}

#[test]
fn a_member_without_the_entitlement_gets_it() {
    let known = Member::user(MAIN, Permission::None).without_entitlements();
    let scene = scene(world(workspace().member(known)));
    assert_eq!(in_json(&scene, &["--apply"]).changes(), ["made entitle"]);
    assert_eq!(
        member(&scene, MAIN).unwrap().entitlements,
        ["workspace-access"]
    );
    assert_nothing_left(&scene, &["--apply"]);
}

#[test]
fn a_principal_that_only_the_account_knows_is_sent_to_the_account_console() {
    let known_to_account = vec![MAIN.to_owned()];
    let scim = Scim {
        known_to_account,
        ..Scim::default()
    };
    let scene = scene(world(workspace().scim(scim))).limit("join_for", "\"100ms\"");
    let refused = in_json(&scene, &["--apply"]);
    assert_eq!(refused.exit, 1, "{refused}");
    let why = refused.only_why();
    assert!(why.contains("account console"), "{why}");
    scene.simulator.assert_clean();
}

#[test]
fn a_rate_limit_that_comes_as_an_error_of_the_server_is_waited_out() {
    let scene = scene(world(workspace()));
    let limited = r#"{"error_code":"INTERNAL_ERROR","message":"REQUEST_LIMIT_EXCEEDED: too many"}"#;
    let creation = Match::path("/ServicePrincipals").method("POST");
    scene
        .simulator
        .fault(creation, Times::First(1), Fault::json(500, limited));
    let made = in_json(&scene, &["--apply"]);
    assert_eq!(made.exit, 0, "{made}");
    assert_eq!(made.changes(), ["made create"]);
    scene.simulator.assert_clean();
}

#[test]
fn a_change_that_fails_costs_no_other() {
    let names = ["a", "b", "c"];
    let workspace = workspace()
        .member(Member::user(MAIN, Permission::None))
        .clusters(names.map(Cluster::idle));
    let scene = scene(world(workspace));
    let id = scene.simulator.world(|world| world.cluster_id("one", "b"));
    let patch = Match::path(&format!("/permissions/clusters/{id}")).method("PATCH");
    let refusal = r#"{"error_code":"FEATURE_DISABLED","message":"no rights in this tier"}"#;
    scene
        .simulator
        .fault(patch, Times::Always, Fault::json(400, refusal));
    let made = in_json(&scene, &["--clusters", "all-purpose", "--apply"]);
    assert_eq!(made.exit, 1, "{made}");
    let mut changes = made.changes();
    changes.sort_unstable();
    let expected = [
        "failed allow CAN_RESTART b",
        "made allow CAN_RESTART a",
        "made allow CAN_RESTART c",
    ];
    assert_eq!(changes, expected);
    let why = made.only_why();
    assert!(
        why.contains("FEATURE_DISABLED: no rights in this tier"),
        "{why}"
    );
    scene.simulator.assert_clean();
}

#[test]
fn what_was_accepted_and_cannot_be_read_back_is_not_told_as_failed() {
    let no = r#"{"error_code":"FEATURE_DISABLED","message":"not now"}"#;
    let user = || workspace().member(Member::user(MAIN, Permission::None));
    for (workspace, arguments, path, asked_before, outcome) in [
        (
            workspace(),
            &["--apply"][..],
            "/ServicePrincipals",
            1,
            "not_seen create",
        ),
        (
            workspace().member(Member::user(MAIN, Permission::None).without_entitlements()),
            &["--apply"],
            "/ServicePrincipals",
            1,
            "not_seen entitle",
        ),
        (
            user(),
            &["--admin", "--apply"],
            "/Groups",
            1,
            "not_seen admit",
        ),
        (
            user().cluster(Cluster::idle("a")),
            &["--clusters", "all-purpose", "--apply"],
            "/permissions/clusters/",
            1,
            "not_seen allow CAN_RESTART a",
        ),
    ] {
        let scene = scene(world(workspace));
        let reading = Match::path(path).method("GET");
        let times = Times::From(asked_before + 1);
        scene.simulator.fault(reading, times, Fault::json(400, no));
        let made = in_json(&scene, arguments);
        assert_eq!(made.exit, 1, "{made}");
        assert_eq!(made.changes(), [outcome], "{made}");
        let why = made.only_why();
        let part = "the workspace accepted it, and it could not be read back: ";
        assert!(why.starts_with(part), "{why}");
        assert!(why.contains("FEATURE_DISABLED: not now"), "{why}");
        assert_eq!(scene.simulator.record().mutating().len(), 1);
        scene.simulator.assert_clean();
    }
}

#[test]
fn a_change_whose_answer_is_lost_is_read_back() {
    let user = || workspace().member(Member::user(MAIN, Permission::None));
    let known = Member::user(MAIN, Permission::None).without_entitlements();
    for (workspace, arguments, path, change) in [
        (
            workspace(),
            &["--apply"][..],
            "/ServicePrincipals",
            "create",
        ),
        (
            workspace().member(known),
            &["--apply"],
            "/ServicePrincipals/",
            "entitle",
        ),
        (user(), &["--admin", "--apply"], "/Groups/", "admit"),
        (
            user().cluster(Cluster::idle("a")),
            &["--clusters", "all-purpose", "--apply"],
            "/permissions/clusters/",
            "allow CAN_RESTART a",
        ),
    ] {
        let method = if change == "create" { "POST" } else { "PATCH" };
        let changing = || Match::path(path).method(method);
        let scene_of = |fault| {
            let scene = scene(world(workspace.clone())).limit("join_for", "\"100ms\"");
            scene.simulator.fault(changing(), Times::Always, fault);
            scene
        };
        let lost = scene_of(Fault::LoseAnswer);
        let made = in_json(&lost, arguments);
        assert_eq!(made.exit, 0, "{made}");
        assert_eq!(made.changes(), [format!("made {change}")], "{made}");
        lost.simulator.assert_clean();

        let not_done = scene_of(Fault::ResetBeforeAnswer);
        let failed = in_json(&not_done, arguments);
        assert_eq!(failed.exit, 1, "{failed}");
        assert_eq!(failed.changes(), [format!("failed {change}")], "{failed}");
        let why = failed.only_why();
        assert!(
            why.contains("may have acted on it all the same") && why.contains("broke off"),
            "{why}"
        );
        not_done.simulator.assert_clean();
    }
}

#[test]
fn changes_whose_answers_are_lost_are_waited_for_together_as_long_as_one() {
    let names = ["a", "b", "c"];
    let workspace = workspace()
        .member(Member::user(MAIN, Permission::None))
        .clusters(names.map(Cluster::idle));
    let scene = scene(world(workspace))
        .limit("join_for", "\"100ms\"")
        .limit("join_every", "\"10ms\"");
    let patch = Match::path("/permissions/clusters/").method("PATCH");
    let failing = Fault::json(500, r#"{"message":"try later"}"#);
    scene.simulator.fault(patch, Times::Always, failing);
    let made = in_json(&scene, &["--clusters", "all-purpose", "--apply"]);
    assert_eq!(made.exit, 1, "{made}");
    assert_eq!(made.changes().len(), 3, "{made}");
    let record = scene.simulator.record();
    let mut looks = names.map(|name| {
        let id = scene.simulator.world(|world| world.cluster_id("one", name));
        let looking = Match::path(&format!("/permissions/clusters/{id}")).method("GET");
        record.matching(&looking).len()
    });
    looks.sort_unstable();
    // Once to see what is there, and once more for what came of it.
    assert_eq!(looks[..2], [2, 2], "{looks:?}");
    assert!(looks[2] > 2, "{looks:?}");
    scene.simulator.assert_clean();
}

#[test]
fn a_cluster_whose_rights_cannot_be_read_costs_no_other_and_no_other_principal() {
    let (drivers, tables) = drivers();
    let workspace = workspace()
        .member(Member::user(MAIN, Permission::None))
        .clusters(["a", "b"].map(Cluster::idle));
    let mut scene = scene(world(workspace).principal(drivers));
    scene.further_tables = tables;
    let id = scene.simulator.world(|world| world.cluster_id("one", "a"));
    let gone = r#"{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"no such cluster"}"#;
    let reading = Match::path(&format!("/permissions/clusters/{id}")).method("GET");
    scene
        .simulator
        .fault(reading, Times::First(2), Fault::json(404, gone));
    let asked = ["--clusters", "all-purpose", "--evidence"];
    for (arguments, outcome) in [
        (asked.to_vec(), "planned"),
        ([&asked[..], &["--apply"]].concat(), "made"),
    ] {
        let ran = in_json(&scene, &arguments);
        assert_eq!(ran.exit, 1, "{ran}");
        let changes = ran.changes();
        assert_eq!(changes[0], "failed allow CAN_RESTART a", "{ran}");
        let other = format!("{outcome} allow CAN_RESTART b");
        assert!(changes.contains(&other), "{ran}");
        let of_the_drivers = format!("{outcome} create");
        assert!(changes.contains(&of_the_drivers), "{ran}");
        let why = ran.only_why();
        assert!(why.contains("its rights could not be read"), "{why}");
        assert!(why.contains("no such cluster"), "{why}");
    }
    scene.simulator.assert_clean();
}

#[test]
fn a_workspace_that_cannot_be_looked_at_costs_no_other() {
    let down = Workspace::named("down").access(Access::IpAccessList);
    let world = World::new()
        .principal(Principal::named(OPERATOR))
        .workspace(down)
        .workspace(workspace());
    let scene = scene(world);
    let made = in_json(&scene, &["--apply"]);
    assert_eq!(made.exit, 1, "{made}");
    assert_eq!(made.changes(), ["made create"]);
    assert!(made.only_why().contains("IP access list"), "{made}");
    let only = in_json(&scene, &["--workspace", "ONE", "--apply"]);
    assert_eq!((only.exit, only.lines().len()), (0, 2), "{only}");
    scene.simulator.assert_clean();
}

#[test]
fn who_is_not_logged_in_at_the_azure_cli_is_told_to_log_in() {
    let script = "#!/bin/sh\necho \"ERROR: Please run 'az login' to setup account.\" >&2\nexit 1\n";
    let out = with_azure_cli(scene(world(workspace())), script);
    let without = scene(world(workspace())).set("PATH", "/nonexistent");
    for scene in [out, without] {
        let refused = in_json(&scene, &["--apply"]);
        assert_eq!(refused.exit, 1, "{refused}");
        let why = refused.only_why();
        assert!(
            why.contains("the Azure CLI gave no token; run `az login`"),
            "{why}"
        );
        assert_only_looked(&scene);
    }
}

#[test]
fn what_cannot_be_asked_for_is_refused_before_anything_is_sent() {
    let base = scene(world(workspace()));
    let tables = base.simulator.policy_workspaces();
    let without_resource: String = tables
        .lines()
        .filter(|line| !line.starts_with("resource_id"))
        .map(|line| format!("{line}\n"))
        .collect();
    let bare = base.set("TERMINATE_CLUSTERS_POLICY", &without_resource);
    for (arguments, part) in [
        (&["--self"][..], "add its `resource_id`"),
        (&["--evidence"], "add [witness.spark]"),
        (&["--as", "nobody"], "known are `main`"),
        (&["--workspace", "two"], "is not in the policy"),
        (&["--self", "--as-operator"], "cannot be used with"),
        (&["--clusters", "jobs"], "all-purpose"),
    ] {
        let refused = run(&bare, arguments);
        assert_eq!(refused.exit, 2, "{arguments:?}: {refused}");
        assert!(refused.stderr.contains(part), "{arguments:?}: {refused}");
    }
    assert!(bare.simulator.record().requests().is_empty());
}

#[test]
fn no_token_and_no_secret_shows_whatever_is_logged() {
    let contributor = Principal::named(MAIN).contributor();
    let clusters = ["a", "b"].map(Cluster::idle);
    let scene = scene(world(workspace().clusters(clusters)).principal(contributor))
        .set("TERMINATE_CLUSTERS_LOG", "trace");
    for arguments in [
        &["--apply", "--clusters", "all-purpose"][..],
        &["--self", "--apply"],
    ] {
        let ran = run(&scene, arguments);
        for secret in scene.simulator.world(|world| world.secrets()) {
            // The signature of a token, which alone makes it one.
            let essence = secret.rsplit('.').next().unwrap();
            assert!(!ran.stdout.contains(essence), "a secret on stdout");
            assert!(!ran.stderr.contains(essence), "a secret in the log");
        }
    }
}

#[test]
fn a_managed_identity_is_granted_what_any_other_principal_is() {
    let user = Principal::named("user-assigned");
    let of_user = Workspace::named("two")
        .without_member(MAIN)
        .member(Member::admin(OPERATOR))
        .policy_line("principal = \"user\"");
    let table = format!(
        "[[principal]]\nname = \"user\"\ncredential = \"managed-identity\"\nmanaged_identity_client_id = \"{}\"\n",
        user.client_id
    );
    let world = world(workspace()).user_assigned(user).workspace(of_user);
    let mut scene = scene(world).set("TERMINATE_CLUSTERS_CREDENTIAL", "managed-identity");
    scene.further_tables = table;
    for name in ["TENANT_ID", "CLIENT_ID", "CLIENT_SECRET"] {
        scene = scene.without(&format!("TERMINATE_CLUSTERS_{name}_SECRET"));
    }
    let scene = scene.without("TERMINATE_CLUSTERS_KEY_VAULT_URL");
    let made = in_json(&scene, &["--apply"]);
    assert_eq!(made.exit, 0, "{made}");
    assert_eq!(made.changes(), ["made create", "made create"]);
    scene.simulator.world(|world| {
        assert!(world.workspaces[0].find_member("function-app").is_some());
        assert!(world.workspaces[1].find_member("user-assigned").is_some());
    });
    // The system-assigned one tells its client id by its own token, and no vault is read.
    let record = scene.simulator.record();
    assert_eq!(record.identity_requests().len(), 1);
    assert!(record.secret_reads().is_empty());
    scene.simulator.assert_clean();
}

/// That each line of the report, or of the refusal where there is none, begins in one
/// of these ways, and that no line holds anything but plain characters.
fn assert_plain_lines(ran: &Ran, starts: &[&str]) {
    for line in ran.stdout.lines().chain(ran.stderr.lines()) {
        let odd = line
            .chars()
            .find(|next| !(' '..='~').contains(next) && *next != '…');
        assert_eq!(odd, None, "{line}");
        assert!(line.len() < 2048, "{line}");
    }
    let told = if ran.stdout.is_empty() {
        &ran.stderr
    } else {
        &ran.stdout
    };
    for line in told.lines() {
        assert!(starts.iter().any(|start| line.starts_with(start)), "{line}");
    }
}

/// A workspace in which the principal is a member without rights, with a cluster of
/// each hostile name.
fn workspace_of_hostile_names() -> Workspace {
    let names = hostile::names();
    let clusters = names.iter().enumerate().map(|(number, name)| {
        let id = format!("0101-000000-hostile{number}");
        Cluster::idle(name).id(&id)
    });
    let workspace = workspace().member(Member::user(MAIN, Permission::None));
    workspace.clusters(clusters)
}

#[test]
fn the_hostile_name_of_a_cluster_forges_no_change_and_is_told_exactly_in_json() {
    let mut expected = hostile::names();
    expected.sort();
    let scene = scene(world(workspace_of_hostile_names()));
    let of_clusters = ["--clusters", "all-purpose"];
    for (apply, begin) in [(false, "  would give "), (true, "  made: give ")] {
        let with = |arguments: &[&'static str]| {
            let end: &[&str] = if apply { &["--apply"] } else { &[] };
            [arguments, &of_clusters, end].concat()
        };
        if !apply {
            let shown = in_json(&scene, &with(&[]));
            assert_eq!(shown.exit, 0, "{shown}");
            assert_eq!(shown.stdout.lines().count(), 2, "{shown}");
            let lines = shown.lines();
            let changes = lines[0]["changes"].as_array().unwrap();
            let names = changes.iter().map(|one| one["cluster_name"].as_str());
            let mut names: Vec<&str> = names.map(Option::unwrap).collect();
            names.sort_unstable();
            assert_eq!(names, expected);
        }
        let text = run(&scene, &with(&[]));
        assert_eq!(text.exit, 0, "{text}");
        let closing = format!("1 workspace, {} changes", expected.len());
        assert_plain_lines(&text, &["one (", begin, "  note: ", &closing]);
        let rows = text.stdout.lines().filter(|line| line.starts_with(begin));
        assert_eq!(rows.count(), expected.len(), "{text}");
    }
    scene.simulator.assert_clean();
}

#[test]
fn a_hostile_message_of_the_workspace_forges_no_change() {
    let count = hostile::names().len();
    let scene = scene(world(workspace_of_hostile_names()));
    for (number, name) in hostile::names().iter().enumerate() {
        let path = format!("/permissions/clusters/0101-000000-hostile{number}");
        let body = serde_json::json!({"error_code": "FEATURE_DISABLED", "message": name});
        let refusal = Fault::json(400, &body.to_string());
        let patch = Match::any().path_suffix(&path).method("PATCH");
        scene.simulator.fault(patch, Times::Always, refusal);
    }
    let text = run(&scene, &["--clusters", "all-purpose", "--apply"]);
    assert_eq!(text.exit, 1, "{text}");
    let begin = "  FAILED to give ";
    let starts = ["one (", begin, "    ", "  note: ", "1 workspace, "];
    assert_plain_lines(&text, &starts);
    let rows = |start: &str| {
        let lines = text.stdout.lines();
        lines.filter(|line| line.starts_with(start)).count()
    };
    assert_eq!((rows(begin), rows("    ")), (count, count), "{text}");
    scene.simulator.assert_clean();
}

#[test]
fn the_hostile_name_of_a_principal_is_refused_or_plain() {
    let (mut refused, mut taken) = (0, 0);
    // No environment holds longer ones.
    let names = hostile::names().into_iter();
    for name in names.filter(|name| name.len() < 10_000) {
        let quoted = serde_json::to_string(&name).unwrap();
        let workspace = workspace().policy_line(&format!("principal = {quoted}"));
        let mut scene = scene(world(workspace));
        scene.further_tables = format!(
            "[[principal]]\nname = {quoted}\ntenant_id = \"{TENANT_ID}\"\nclient_id = \"{}\"\nclient_secret_secret = \"s\"\n",
            Principal::named(&name).client_id
        );
        let text = run(&scene, &[]);
        if text.exit == 0 {
            let told = format!("  would add principal `{name}` (");
            assert_plain_lines(&text, &["one (", &told, "  note: ", "1 workspace, "]);
            assert!(text.stdout.contains(&told), "{text}");
            taken += 1;
        } else {
            assert_eq!((text.exit, text.stdout.as_str()), (2, ""), "{text}");
            assert_plain_lines(&text, &["error: "]);
            assert!(text.stderr.contains("`name` "), "{text}");
            refused += 1;
        }
        assert_only_looked(&scene);
    }
    assert!(refused > 5 && taken > 1, "{refused} {taken}");
}
