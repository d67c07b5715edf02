//! What happens between the look and the act: a cluster that is no longer what
//! was judged is left alone, and the report says why.
//!
//! The second look begins with the job runs and ends with the cluster's own
//! record, so the world changes when one of these is asked for again.

use simulator::world::{Cluster, Moment, Run, SparkJob, Workspace, World, hours, minutes};
use simulator::{Fault, Match, Times, When};

use crate::support::Scene;
use crate::swept::Swept;

const WORKSPACE: &str = "analytics";
const CLUSTER: &str = "etl-dev";

fn scene(quiet_hours: u64) -> Scene {
    let cluster = Cluster::idle(CLUSTER).since(hours(quiet_hours));
    Scene::of(World::new().workspace(Workspace::named(WORKSPACE).cluster(cluster)))
}

/// The walk over active runs with which the second look begins.
fn second_look() -> (Match, Times) {
    (
        Match::path("/jobs/runs/list").query("active_only", "true"),
        Times::Nth(2),
    )
}

/// Sweeps while the world changes, just before the request of this number, and
/// makes sure that the cluster survives it.
fn sweep_while(
    scene: &Scene,
    (matcher, times): (Match, Times),
    change: impl FnMut(&mut World) + Send + 'static,
) -> Swept {
    scene.simulator.hook(matcher, times, When::Before, change);
    let swept = scene.sweep();
    swept.assert_succeeded();
    let record = scene.simulator.record();
    assert_eq!(record.terminations(), Vec::<String>::new(), "{swept}");
    let state = scene
        .simulator
        .world(|world| world.cluster_state(WORKSPACE, CLUSTER));
    assert_eq!(state, "RUNNING");
    scene.simulator.assert_clean();
    swept
}

#[test]
fn a_cluster_that_nothing_happens_to_is_terminated() {
    let scene = scene(5);
    let swept = scene.sweep();
    assert_eq!(swept.said_of(CLUSTER), "terminated: both_witnesses");
    let record = scene.simulator.record();
    let (walk, _) = second_look();
    let walks = record.matching(&walk).len();
    assert!(walks >= 2, "the walk was not repeated");
    scene.simulator.assert_clean();
}

#[test]
fn a_cluster_that_was_restarted_between_look_and_act_is_left_alone() {
    let scene = scene(5);
    let get = (Match::path("/clusters/get"), Times::First(1));
    let swept = sweep_while(&scene, get, |world| {
        world.restart_cluster(WORKSPACE, CLUSTER);
    });
    assert_eq!(swept.said_of(CLUSTER), "changed: started_recently");
}

#[test]
fn another_life_of_the_driver_is_not_the_one_that_was_judged() {
    let scene = scene(5);
    let get = (Match::path("/clusters/get"), Times::First(1));
    let swept = sweep_while(&scene, get, |world| {
        let cluster = world.cluster_mut(WORKSPACE, CLUSTER);
        cluster.spark_context_id += 2;
    });
    assert_eq!(swept.said_of(CLUSTER), "changed: restarted");
}

#[test]
fn a_cluster_that_began_to_resize_between_look_and_act_is_left_alone() {
    let scene = scene(5);
    let get = (Match::path("/clusters/get"), Times::First(1));
    let swept = sweep_while(&scene, get, |world| {
        let overlay = &mut world.cluster_mut(WORKSPACE, CLUSTER).overlay;
        overlay.insert("state".to_owned(), "RESIZING".into());
    });
    assert_eq!(swept.said_of(CLUSTER), "changed: not_running");
}

#[test]
fn a_tag_that_was_set_between_look_and_act_protects() {
    let scene = scene(5);
    let get = (Match::path("/clusters/get"), Times::First(1));
    let swept = sweep_while(&scene, get, |world| {
        let tags = &mut world.cluster_mut(WORKSPACE, CLUSTER).custom_tags;
        tags.push(("terminate-clusters".to_owned(), String::new()));
    });
    assert_eq!(swept.said_of(CLUSTER), "changed: protected_by_tag");
}

#[test]
fn a_job_that_starts_between_look_and_act_keeps_its_cluster() {
    let scene = scene(5);
    let swept = sweep_while(&scene, second_look(), |world| {
        world.start_run(WORKSPACE, CLUSTER, "hourly");
    });
    assert_eq!(swept.said_of(CLUSTER), "changed: active_run");
}

#[test]
fn a_job_that_ran_and_ended_between_look_and_act_keeps_its_cluster() {
    let scene = scene(5);
    let swept = sweep_while(&scene, second_look(), |world| {
        let mut run = Run::finished("short", minutes(0)).on(CLUSTER);
        let now = world.now();
        run.started = Moment::ago(minutes(0));
        run.ended = Some(now);
        world.workspace_mut(WORKSPACE).add_run(run);
    });
    assert_eq!(swept.said_of(CLUSTER), "changed: recent_activity");
}

#[test]
fn a_spark_job_that_starts_between_look_and_act_keeps_its_cluster() {
    let scene = scene(5);
    let swept = sweep_while(&scene, second_look(), |world| {
        world.start_spark_job(WORKSPACE, CLUSTER);
    });
    assert_eq!(swept.said_of(CLUSTER), "changed: spark_busy");
}

#[test]
fn a_stream_that_starts_between_look_and_act_keeps_its_cluster() {
    let scene = scene(5);
    let swept = sweep_while(&scene, second_look(), |world| {
        world.start_stream(WORKSPACE, CLUSTER, "orders");
    });
    assert_eq!(swept.said_of(CLUSTER), "changed: stream_active");
}

#[test]
fn activity_that_is_over_again_at_the_second_look_keeps_its_cluster() {
    // Above the threshold of two hours, but later than what the first look proved.
    let scene = scene(5);
    let swept = sweep_while(&scene, second_look(), |world| {
        let job = SparkJob::finished(minutes(121));
        world.cluster_mut(WORKSPACE, CLUSTER).spark.jobs.push(job);
    });
    assert_eq!(swept.said_of(CLUSTER), "changed: active_again");
}

#[test]
fn a_driver_that_falls_silent_between_look_and_act_saves_its_cluster() {
    let scene = scene(5);
    let swept = sweep_while(&scene, second_look(), |world| {
        world.lose_driver(WORKSPACE, CLUSTER);
    });
    assert_eq!(swept.said_of(CLUSTER), "changed: quiet_too_short");
}

#[test]
fn metrics_that_are_forbidden_between_look_and_act_save_their_cluster() {
    let scene = scene(5);
    let swept = sweep_while(&scene, second_look(), |world| {
        world.principal_mut("main").arm.reads_metrics = false;
    });
    assert_eq!(swept.said_of(CLUSTER), "changed: quiet_too_short");
}

#[test]
fn weaker_evidence_does_not_act_on_stronger_proof_even_where_it_would_suffice() {
    let lost_spark = scene(30).policy("nodes_alone_suffices = true");
    let swept = sweep_while(&lost_spark, second_look(), |world| {
        world.lose_driver(WORKSPACE, CLUSTER);
    });
    assert_eq!(swept.said_of(CLUSTER), "changed: witness_lost");
    lost_spark.simulator.forget_record();
    let next = lost_spark.sweep();
    assert_eq!(next.said_of(CLUSTER), "terminated: nodes_alone");

    let lost_nodes = scene(30).policy("spark_alone_suffices = true");
    let swept = sweep_while(&lost_nodes, second_look(), |world| {
        world.lose_metrics(WORKSPACE, CLUSTER);
    });
    assert_eq!(swept.said_of(CLUSTER), "changed: witness_lost");
    let next = lost_nodes.sweep();
    assert_eq!(next.said_of(CLUSTER), "terminated: spark_alone");
}

#[test]
fn a_record_that_cannot_be_read_again_saves_its_cluster() {
    let scene = scene(5);
    let get = Match::path("/clusters/get");
    scene
        .simulator
        .fault(get.clone(), Times::Always, Fault::status(500));
    let swept = sweep_while(&scene, (get, Times::Nth(99)), |_| {});
    assert_eq!(swept.said_of(CLUSTER), "changed: unreadable");
}

#[test]
fn a_cluster_that_someone_else_terminated_in_between_is_no_work_of_ours() {
    let scene = scene(5);
    scene.simulator.hook(
        Match::path("/clusters/get"),
        Times::First(1),
        When::Before,
        |world| world.terminate_cluster(WORKSPACE, CLUSTER),
    );
    let swept = scene.sweep();
    swept.assert_succeeded();
    assert_eq!(swept.said_of(CLUSTER), "changed: not_running");
    assert!(scene.simulator.record().mutating().is_empty());
    scene.simulator.assert_clean();
}
