//! `[[override]]` on the whole path: what holds for one cluster, what the report
//! says of it, and that the second look goes by the tags of that moment.

use simulator::world::{Cluster, Run, Workspace, World, hours};
use simulator::{Match, Times, When};

use crate::support::Scene;

fn quiet_for(name: &str, hours_ago: u64) -> Cluster {
    Cluster::idle(name).since(hours(hours_ago))
}

fn with_overrides(world: World, tables: &str) -> Scene {
    let mut scene = Scene::of(world).policy("cap_per_workspace = 100");
    scene.further_tables.push_str(tables);
    scene
}

#[test]
fn a_tag_beats_a_workspace_which_beats_the_policy() {
    let ml = |name: &str| quiet_for(name, 4).tag("Team", "ml-vision");
    // Busy ones make room under the rule that half of a workspace stays.
    let control = |name: &str| Cluster::busy(name);
    let prod = Workspace::named("prod")
        .cluster(quiet_for("prod-plain", 4))
        .cluster(ml("prod-ml"))
        .clusters([control("c1"), control("c2")]);
    let dev = Workspace::named("dev-eu")
        .cluster(quiet_for("dev-plain", 4))
        .cluster(ml("dev-ml"))
        .clusters([control("c3"), control("c4")]);
    let tables = r#"
        [[override]]
        workspace = "prod"
        idle_after = "24h"
        [[override]]
        tag = { team = "ml-*" }
        idle_after = "3h"
        [[override]]
        tag = { team = "*-vision" }
        idle_after = "5h"
        [[override]]
        workspace = "dev-*"
        tag = { team = "ml-*" }
        idle_after = "1h"
    "#;
    let scene = with_overrides(World::new().workspace(prod).workspace(dev), tables);
    let swept = scene.sweep();
    swept.assert_succeeded();
    let expected = [
        ("prod-plain", "kept: started_recently"),
        ("prod-ml", "kept: quiet_too_short"),
        ("dev-plain", "terminated: both_witnesses"),
        ("dev-ml", "terminated: both_witnesses"),
    ];
    for (name, outcome) in expected {
        assert_eq!(swept.said_of(name), outcome, "{name}\n{swept}");
    }
    let overrides = |name: &str| swept.cluster(name)["overrides"].clone();
    let none: [&str; 0] = [];
    assert_eq!(overrides("dev-plain"), serde_json::json!(none));
    let by = |wait: &str, selector: &str| {
        serde_json::json!([format!(
            "idle_after = {wait} by the override for {selector}"
        )])
    };
    assert_eq!(overrides("prod-plain"), by("24h", "workspace `prod`"));
    // Of two tags that match, the longer wait.
    assert_eq!(overrides("prod-ml"), by("5h", "tag `team` = `*-vision`"));
    let most_specific = by("1h", "workspace `dev-*`, tag `team` = `ml-*`");
    assert_eq!(overrides("dev-ml"), most_specific);
    scene.simulator.assert_clean();
}

#[test]
fn a_workspaces_own_cap_holds_there_only() {
    let clusters = |prefix: &str| {
        let names = (0..6).map(|number| format!("{prefix}-{number}"));
        names.map(|name| quiet_for(&name, 40)).collect::<Vec<_>>()
    };
    let prod = Workspace::named("prod").clusters(clusters("prod"));
    let dev = Workspace::named("dev").clusters(clusters("dev"));
    let tables = "[[override]]\nworkspace = \"prod\"\ncap_per_workspace = 1\n";
    let scene = with_overrides(World::new().workspace(prod).workspace(dev), tables);
    let swept = scene.sweep();
    swept.assert_succeeded();
    let terminated = |prefix: &str| {
        let all = swept.clusters();
        let there = all.filter(|one| {
            let name = one["cluster_name"].as_str().unwrap();
            name.starts_with(prefix) && one["outcome"] == "terminated"
        });
        there.count()
    };
    assert_eq!(terminated("prod"), 1, "{swept}");
    assert_eq!(terminated("dev"), 3, "{swept}");
    scene.simulator.assert_clean();
}

#[test]
fn pins_protect_where_an_override_says_so_and_are_read_there_only() {
    let clusters = |prefix: &str| {
        let pinned = quiet_for(&format!("{prefix}-pinned"), 40).pinned();
        vec![pinned, quiet_for(&format!("{prefix}-loose"), 40)]
    };
    let prod = Workspace::named("prod").clusters(clusters("prod"));
    let dev = Workspace::named("dev").clusters(clusters("dev"));
    let tables = "[[override]]\nworkspace = \"prod\"\nprotect_pinned = true\n";
    let scene = with_overrides(World::new().workspace(prod).workspace(dev), tables);
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.said_of("prod-pinned"), "kept: protected_by_pin");
    assert_eq!(swept.said_of("prod-loose"), "terminated: both_witnesses");
    assert!(!swept.said_of("dev-pinned").starts_with("kept"), "{swept}");
    let pinned = Match::path("/clusters/list").query("filter_by.is_pinned", "true");
    let record = scene.simulator.record();
    let asked: Vec<String> = record
        .matching(&pinned)
        .iter()
        .map(|one| one.request.host.clone())
        .collect();
    let hosts: std::collections::BTreeSet<&String> = asked.iter().collect();
    assert_eq!(hosts.len(), 1, "{asked:?}");
    scene.simulator.assert_clean();
}

#[test]
fn runs_are_looked_for_as_far_back_as_the_longest_override_asks() {
    // It ran something 30 hours ago, which matters only under the override.
    let ran = |name: &str| quiet_for(name, 200).tag("stage", "slow");
    let workspace = Workspace::named("one")
        .cluster(ran("slow"))
        .cluster(quiet_for("control", 200))
        .run(Run::finished("nightly", hours(30)).on("slow"));
    let tables = "[[override]]\ntag = { stage = \"slow\" }\nidle_after = \"40h\"\n";
    let scene = with_overrides(World::new().workspace(workspace), tables);
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.said_of("slow"), "kept: recent_activity", "{swept}");
    assert_eq!(swept.said_of("control"), "terminated: both_witnesses");
    scene.simulator.assert_clean();
}

#[test]
fn a_tag_that_is_set_between_the_looks_counts_at_the_second() {
    let cluster = quiet_for("etl-dev", 5);
    let world = World::new().workspace(Workspace::named("one").cluster(cluster));
    let tables = "[[override]]\ntag = { care = \"*\" }\nidle_after = \"9h\"\n";
    let scene = with_overrides(world, tables);
    let get = Match::path("/clusters/get");
    scene
        .simulator
        .hook(get, Times::First(1), When::Before, |world| {
            let tag = ("care".to_owned(), "handle".to_owned());
            world.cluster_mut("one", "etl-dev").custom_tags.push(tag);
        });
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(
        swept.said_of("etl-dev"),
        "changed: started_recently",
        "{swept}"
    );
    assert!(scene.simulator.record().terminations().is_empty());
    scene.simulator.assert_clean();
}
