//! What goes wrong in a storm, drawn from a seed: faults by endpoint, and changes
//! of the world between two requests.
//!
//! A fault may hide the truth or garble it; none tells a lie that a client could
//! not see through, such as an empty list where there is a job.

use std::time::Duration;

use fastrand::Rng;
use simulator::world::{OnTerminate, Workspace, World};
use simulator::{Fault, Match, MemoryCloud, Times, When};

use crate::estate::{pick, word};

/// A fault, where it strikes and when.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    pub(crate) matcher: Match,
    pub(crate) times: Times,
    pub(crate) fault: Fault,
}

/// Something that happens to a cluster when a certain request comes.
pub(crate) struct Event {
    pub(crate) matcher: Match,
    pub(crate) times: Times,
    pub(crate) when: When,
    pub(crate) change: Change,
}

type Change = Box<dyn Fn(&mut World) + Send>;

/// What a sweep meets with, at least one trouble.
pub(crate) fn troubles(rng: &mut Rng, world: &World, waits: bool) -> Vec<Trouble> {
    (0..1 + rng.usize(..5))
        .map(|_| Trouble {
            matcher: place(rng, world),
            times: times(rng),
            fault: fault(rng, waits),
        })
        .collect()
}

/// Ends all troubles, also that of a platform that terminates nothing.
pub(crate) fn clear_up(cloud: &MemoryCloud) {
    cloud.clear_faults();
    cloud.clear_hooks();
    cloud.world(|world| {
        let workspaces = world.workspaces.iter_mut();
        for cluster in workspaces.flat_map(|one| &mut one.clusters) {
            cluster.on_terminate = OnTerminate::After(Duration::from_secs(1));
        }
    });
}

fn place(rng: &mut Rng, world: &World) -> Match {
    let paths = [
        "/clusters/list",
        "/clusters/get",
        "/clusters/delete",
        "/clusters/delete",
        "/clusters/events",
        "/clusters/list-node-types",
        "/jobs/runs/list",
        "/jobs/runs/get",
        "/scim/v2/Me",
        "/driver-proxy-api/",
        "/api/v1/applications",
        "/jobs",
        "/sql",
        "/stages",
        "/StreamingQuery",
        "/threads",
        "/metrics",
        "/virtualMachines/",
        "/Microsoft.Databricks/workspaces/",
    ];
    match rng.u8(..12) {
        0 => Match::path(word(rng, &["/oauth2/", "/secrets/"])),
        1 => Match::host("management.azure.com"),
        2 => Match::host(&any_workspace(rng, world).host),
        3 => {
            let clusters = &any_workspace(rng, world).clusters;
            Match::any().cluster(&pick(rng, clusters).id)
        }
        _ => Match::path(word(rng, &paths)),
    }
}

fn any_workspace<'w>(rng: &mut Rng, world: &'w World) -> &'w Workspace {
    pick(rng, &world.workspaces)
}

fn times(rng: &mut Rng) -> Times {
    match rng.u8(..6) {
        0 | 1 => Times::Always,
        2 => Times::First(1 + rng.u64(..5)),
        3 => Times::From(2 + rng.u64(..8)),
        _ => Times::Nth(1 + rng.u64(..8)),
    }
}

fn fault(rng: &mut Rng, waits: bool) -> Fault {
    let seconds = Duration::from_secs(1 + rng.u64(..45));
    let statuses = [400, 401, 403, 404, 409, 429, 500, 501, 502, 503, 504];
    let elsewhere = "https://elsewhere.example/driver-proxy-api/o/1/x/40001/jobs/";
    let bodies = [
        "\"text\"",
        "17",
        "[\"other\"]",
        "null",
        "{\"clusters\":7}",
        "{",
        "[[]]",
    ];
    let kinds = if waits { 20 } else { 16 };
    match rng.u8(..kinds) {
        0..=2 => Fault::status(*pick(rng, &statuses)),
        3 => Fault::html(*pick(rng, &statuses)),
        4 => Fault::json(
            *pick(rng, &statuses),
            "{\"error_code\":\"TEMPORARILY_UNAVAILABLE\",\"message\":\"invalid access token\"}",
        ),
        5 => Fault::ResetBeforeAnswer,
        6 => Fault::LoseAnswer,
        7 => Fault::ResetAfterHeaders,
        8 => Fault::TruncateBody,
        9 => Fault::Html200,
        10 => Fault::ContentType((*pick(rng, &["text/plain", "application/xml", ""])).to_owned()),
        11 => Fault::OtherJson((*pick(rng, &bodies)).to_owned()),
        12 => Fault::EmptyBody,
        13 => Fault::Gzip,
        14 => Fault::Redirect(*pick(rng, &[301, 302, 307]), elsewhere.to_owned()),
        15 => match rng.u8(..3) {
            0 => Fault::RefuseConnection,
            1 => Fault::ResetConnection,
            _ => Fault::CertificateOf("elsewhere.example".to_owned()),
        },
        16 => Fault::Hang,
        17 => Fault::Delay(seconds),
        18 => Fault::SlowBody(seconds / 8),
        _ => Fault::throttled(*pick(rng, &[0, 1, 7, 90, 4_000_000_000])),
    }
}

/// What happens to clusters while they are looked at. Each comes before its
/// request is answered, so that a sweep that asks can know it.
pub(crate) fn events(rng: &mut Rng, world: &World) -> Vec<Event> {
    (0..rng.usize(..4))
        .map(|_| {
            let workspace = any_workspace(rng, world);
            let cluster = pick(rng, &workspace.clusters);
            let (name, id) = (workspace.name.clone(), cluster.id.clone());
            let get = Match::path("/clusters/get").cluster(&id);
            let runs = Match::path("/jobs/runs/list").at_host(&workspace.host);
            // A witness can only be lost before it has spoken.
            let (matcher, change): (Match, Change) = match rng.u8(..10) {
                0 => (
                    Match::path("/applications").cluster(&id),
                    Box::new(move |world| world.lose_driver(&name, &id)),
                ),
                1 => (
                    Match::path(&cluster.vms[0].name),
                    Box::new(move |world| world.lose_metrics(&name, &id)),
                ),
                2..=5 => (get, change(rng, name, id)),
                _ => (runs, change(rng, name, id)),
            };
            Event {
                matcher,
                times: Times::Nth(1 + rng.u64(..3)),
                when: When::Before,
                change,
            }
        })
        .collect()
}

fn change(rng: &mut Rng, workspace: String, cluster: String) -> Change {
    match rng.u8(..7) {
        0 => Box::new(move |world| world.restart_cluster(&workspace, &cluster)),
        1 => Box::new(move |world| world.start_spark_job(&workspace, &cluster)),
        2 => Box::new(move |world| world.start_stream(&workspace, &cluster, "late")),
        3 => Box::new(move |world| {
            world.start_run(&workspace, &cluster, "late");
            // Where the operator says that all runs are seen, they are.
            let runs = &mut world.workspace_mut(&workspace).runs;
            runs.last_mut().unwrap().is_visible_to_all = true;
        }),
        4 => Box::new(move |world| world.terminate_cluster(&workspace, &cluster)),
        5 => Box::new(move |world| {
            "RESIZING".clone_into(&mut world.cluster_mut(&workspace, &cluster).state);
        }),
        _ => Box::new(move |world| {
            let tags = &mut world.cluster_mut(&workspace, &cluster).custom_tags;
            tags.push(("terminate-clusters".to_owned(), String::new()));
        }),
    }
}
