//! The caps: a rate, not a limit. The longest idle go first, the rest wait for
//! the next sweep and are told of.

use simulator::world::{Cluster, PageEnd, Run, Workspace, World, hours, minutes};
use simulator::{Match, Times, When};

use crate::support::Scene;

/// The first day of an installation: forty idle clusters of sixty. `idle-00` is
/// idle for the longest time.
fn first_day() -> World {
    let busy = (0..20).map(|number| Cluster::busy(&format!("busy-{number:02}")));
    // On three pages, the last one told by an empty token.
    let workspace = Workspace::named("old")
        .cluster_page_size(25)
        .page_end(PageEnd::Empty)
        .clusters(idle(40))
        .clusters(busy);
    World::new().workspace(workspace)
}

fn idle(count: u32) -> impl Iterator<Item = Cluster> {
    (0..count).map(|number| {
        let quiet = hours(14) - minutes(15) * number;
        Cluster::idle(&format!("idle-{number:02}")).since(quiet)
    })
}

fn ids(scene: &Scene, numbers: std::ops::Range<usize>) -> Vec<String> {
    scene.simulator.world(|world| {
        let names = numbers.map(|number| format!("idle-{number:02}"));
        names.map(|name| world.cluster_id("old", &name)).collect()
    })
}

#[test]
fn the_first_day_in_report_mode_says_what_the_first_sweep_would_do() {
    let scene = Scene::of(first_day()).set("TERMINATE_CLUSTERS_MODE", "report");
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.clusters().count(), 60);
    assert_eq!(swept.count("would_terminate"), 10, "{swept}");
    assert_eq!(swept.count("deferred"), 30);
    assert_eq!(swept.count("kept"), 20);
    for number in 0..40 {
        let expected = if number < 10 {
            "would_terminate: both_witnesses"
        } else {
            "deferred: workspace_cap"
        };
        assert_eq!(swept.said_of(&format!("idle-{number:02}")), expected);
    }
    assert!(scene.simulator.record().mutating().is_empty());
    scene.simulator.assert_clean();
}

#[test]
fn on_the_first_day_the_longest_idle_go_first() {
    let scene = Scene::of(first_day());
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.count("terminated"), 10, "{swept}");
    assert_eq!(swept.count("deferred"), 30);
    assert_eq!(swept.count("kept"), 20);
    let expected = ids(&scene, 0..10);
    assert_eq!(scene.simulator.record().terminations(), expected);
    scene.simulator.assert_clean();
}

#[test]
fn what_is_over_the_cap_is_done_by_later_sweeps() {
    let workspace = Workspace::named("old")
        .clusters(idle(12))
        .clusters((0..6).map(|number| Cluster::busy(&format!("busy-{number:02}"))));
    let scene = Scene::of(World::new().workspace(workspace)).policy("cap_per_workspace = 5");
    for (range, deferred) in [(0..5, 7), (5..10, 2), (10..12, 0), (12..12, 0)] {
        scene.simulator.forget_record();
        let swept = scene.sweep();
        swept.assert_succeeded();
        assert_eq!(swept.count("deferred"), deferred, "{swept}");
        assert_eq!(swept.count("kept"), 6);
        let expected = ids(&scene, range);
        assert_eq!(scene.simulator.record().terminations(), expected);
    }
    scene.simulator.assert_clean();
}

#[test]
fn never_more_than_half_of_the_running_clusters_go_at_once() {
    for (running, expected) in [(1, 1), (2, 1), (3, 2), (5, 3)] {
        let clusters = (0..running).map(|number| {
            let quiet = hours(5) + minutes(10) * number;
            Cluster::idle(&format!("idle-{number}")).since(quiet)
        });
        let workspace = Workspace::named("small").clusters(clusters);
        let scene = Scene::of(World::new().workspace(workspace));
        let swept = scene.sweep();
        swept.assert_succeeded();
        let rest = u64::from(running) - expected;
        assert_eq!(swept.count("terminated"), expected, "{running}: {swept}");
        assert_eq!(swept.count("deferred"), rest, "{running}: {swept}");
    }
}

#[test]
fn protected_clusters_count_among_the_running() {
    let workspace = Workspace::named("mixed")
        .cluster(Cluster::idle("a").since(hours(5)))
        .cluster(Cluster::idle("b").since(hours(6)))
        .cluster(Cluster::idle("kept-1").tag("terminate-clusters", ""))
        .cluster(Cluster::busy("kept-2"));
    let scene = Scene::of(World::new().workspace(workspace));
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.count("terminated"), 2, "{swept}");
    scene.simulator.assert_clean();
}

#[test]
fn the_cap_over_all_is_shared_by_the_workspaces() {
    let workspaces = (0..4).map(|number| {
        let idle = |cluster: &str| Cluster::idle(&format!("{cluster}-{number}")).since(hours(5));
        Workspace::named(&format!("workspace-{number}")).clusters([
            idle("a"),
            idle("b"),
            idle("c"),
            idle("d"),
        ])
    });
    let world = World::new().workspaces(workspaces);
    let scene = Scene::of(world).policy("cap_per_sweep = 5");
    let mut left = 16_u64;
    for expected in [5, 5] {
        scene.simulator.forget_record();
        let swept = scene.sweep();
        swept.assert_succeeded();
        assert_eq!(swept.count("terminated"), expected, "{swept}");
        left -= expected;
        assert_eq!(swept.count("deferred"), left);
        assert_eq!(scene.simulator.record().terminations().len(), 5);
        let waits_for_all = swept.clusters().filter(|one| one["reason"] == "sweep_cap");
        assert!(waits_for_all.count() > 0, "{swept}");
    }
    scene.simulator.assert_clean();
}

#[test]
fn a_slot_that_is_not_used_goes_to_the_next() {
    let workspace = Workspace::named("one")
        .cluster(Cluster::idle("longest").since(hours(8)))
        .cluster(Cluster::idle("next").since(hours(5)))
        .run(Run::finished("old", hours(9)).on("next"));
    let scene = Scene::of(World::new().workspace(workspace)).policy("cap_per_workspace = 1");
    let longest = scene
        .simulator
        .world(|world| world.cluster_id("one", "longest"));
    scene.simulator.hook(
        Match::path("/clusters/get").cluster(&longest),
        Times::First(1),
        When::Before,
        |world| world.restart_cluster("one", "longest"),
    );
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.said_of("longest"), "changed: started_recently");
    assert_eq!(swept.said_of("next"), "terminated: both_witnesses");
    scene.simulator.assert_clean();
}
