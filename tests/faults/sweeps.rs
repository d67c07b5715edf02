//! The sweeps that fill the matrix, and what must hold of each of them.
//!
//! A fault of a workspace strikes that workspace alone, so one sweep meets all kinds
//! side by side, each in a workspace of its own; what the whole sweep needs takes a
//! sweep for each kind.

use std::time::Duration;

use serde_json::Value;
use simulator::world::{Workspace, World};
use simulator::{Match, Times};

use crate::cell::{Cell, Left};
use crate::endpoints::{ENDPOINTS, Endpoint, Reach, Struck, Witness, idle};
use crate::kinds::{self, ELSEWHERE, KINDS, Kind, Patience, Strikes};
use crate::logins::{identity_of, principal_of};
use crate::ran::Ran;
use crate::support::Scene;

/// When a sweep must have ended, by its own settings.
const DEADLINE: Duration = Duration::from_secs(90);
const ATTEMPTS: usize = 2;
/// The workspace beside those that are struck.
const OTHER: &str = "other";

/// One sweep.
pub(crate) struct Job {
    endpoint: usize,
    kinds: Vec<usize>,
    patience: Patience,
}

/// All sweeps of this patience.
pub(crate) fn jobs(patience: Patience) -> Vec<Job> {
    let mut jobs = Vec::new();
    for (endpoint, one) in ENDPOINTS.iter().enumerate() {
        let kinds = kinds::of(one).filter(|(_, kind)| kind.patience == patience);
        let kinds: Vec<usize> = kinds.map(|(place, _)| place).collect();
        let job = |kinds| Job {
            endpoint,
            kinds,
            patience,
        };
        let (alone, together): (Vec<usize>, Vec<usize>) = kinds
            .into_iter()
            .partition(|kind| strikes_all(one, &KINDS[*kind]));
        jobs.extend(alone.into_iter().map(|kind| job(vec![kind])));
        if !together.is_empty() {
            jobs.push(job(together));
        }
    }
    jobs
}

/// Whether a fault is everybody's: that of what the whole sweep needs, and ARM's word
/// that a subscription, which all workspaces here share, asks too much.
fn strikes_all(endpoint: &Endpoint, kind: &Kind) -> bool {
    match endpoint.reach {
        Reach::Workspace | Reach::Principal => false,
        Reach::Arm => kind.name.starts_with("429"),
        Reach::Sweep => true,
    }
}

impl Job {
    /// Sweeps, checks, and gives a cell for each kind.
    pub(crate) fn run(&self) -> Vec<Cell> {
        let endpoint = &ENDPOINTS[self.endpoint];
        let struck: Vec<Workspace> = self
            .kinds
            .iter()
            .map(|kind| self.workspace(&format!("struck-{kind:02}")))
            .collect();
        let is_shared = |kind: &usize| strikes_all(endpoint, &KINDS[*kind]);
        let others = if self.kinds.iter().any(is_shared) {
            Vec::new()
        } else {
            vec![self.workspace(OTHER)]
        };
        let scene = self.scene(struck.iter().chain(&others));
        for (kind, workspace) in self.kinds.iter().zip(&struck) {
            strike(&scene, endpoint, &KINDS[*kind], workspace);
        }
        let said = sweep(&scene);
        let label = || {
            format!(
                "{} / {:?}\n{}\n{}",
                endpoint.request, self.kinds, said.stdout, said.stderr
            )
        };
        let mut lines: Vec<Value> = said
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{}", label())))
            .collect();
        let closing = lines.pop().unwrap_or_else(|| panic!("{}", label()));
        assert_eq!(lines.len(), struck.len() + others.len(), "{}", label());
        assert_within_bounds(&lines, &closing, &label);
        self.assert_safe(&scene, struck.iter().chain(&others), &label);
        for other in &others {
            assert_undisturbed(&scene, report_of(&lines, &other.name), &label);
        }
        self.kinds
            .iter()
            .zip(&struck)
            .map(|(kind, workspace)| {
                let names = names(&scene, workspace);
                let principal = principal_of(workspace).name;
                let left = Left {
                    principal: &principal,
                    workspace: report_of(&lines, &workspace.name),
                    closing: &closing,
                    names: &names,
                };
                Cell::new(self.endpoint, *kind, &left)
            })
            .collect()
    }

    fn workspace(&self, name: &str) -> Workspace {
        let endpoint = &ENDPOINTS[self.endpoint];
        (endpoint.busy)(Workspace::named(name).cluster(idle("idle")))
    }

    fn scene<'w>(&self, workspaces: impl Iterator<Item = &'w Workspace>) -> Scene {
        let endpoint = &ENDPOINTS[self.endpoint];
        let mut principals = String::new();
        let world = workspaces.fold(World::new(), |world, one| {
            endpoint.login.arrange(world, one.clone(), &mut principals)
        });
        let mut scene = Scene::of(world)
            .policy(endpoint.policy)
            .set("TERMINATE_CLUSTERS_MODE", "terminate")
            .policy("cap_per_sweep = 100")
            .limit("request_attempts", &ATTEMPTS.to_string())
            .limit("sweep_deadline", &format!("\"{}s\"", DEADLINE.as_secs()))
            .limit("parallel_workspaces", "64")
            .limit("join_for", "\"300ms\"")
            .limit("read_back_for", "\"300ms\"");
        if self.patience == Patience::Short {
            for key in ["connect_timeout", "request_timeout"] {
                scene = scene.limit(key, "\"5s\"");
            }
            scene = scene.limit("token_timeout", "\"12s\"");
        }
        let (line, tables) = match endpoint.witness {
            Witness::Spark => (
                "spark_alone_suffices = true",
                "[witness.spark]\nprincipal = \"main\"\n[witness.nodes]\nenabled = false\n",
            ),
            Witness::Nodes => ("nodes_alone_suffices = true", ""),
        };
        scene.further_tables = tables.to_owned() + &principals;
        scene.policy(line)
    }

    /// That nothing busy was terminated, and no credential left the cloud.
    fn assert_safe<'w>(
        &self,
        scene: &Scene,
        workspaces: impl Iterator<Item = &'w Workspace>,
        label: &dyn Fn() -> String,
    ) {
        let violations = scene.simulator.violations();
        assert!(violations.is_empty(), "{violations:?}: {}", label());
        scene.simulator.world(|world| {
            for name in workspaces.map(|one| one.name.as_str()) {
                let state = world.cluster_state(name, "busy");
                assert_eq!(state, "RUNNING", "{name}: {}", label());
            }
        });
        scene.simulator.look_at_record(|record| {
            let elsewhere = ELSEWHERE.trim_start_matches("https://");
            let host = elsewhere.split('/').next().unwrap();
            let led_away = record
                .connects()
                .iter()
                .any(|one| one.target.contains(host));
            assert!(!led_away, "{}", label());
        });
    }
}

fn strike(scene: &Scene, endpoint: &Endpoint, kind: &Kind, workspace: &Workspace) {
    let fault = (kind.fault)(endpoint);
    let matcher = match (kind.strikes, endpoint.reach) {
        (Strikes::Answers, _) => (endpoint.matcher)(workspace),
        (Strikes::Connections, Reach::Workspace | Reach::Arm) => Match::host(&workspace.host),
        (Strikes::Connections, Reach::Principal | Reach::Sweep) => Match::host(host_of(endpoint)),
    };
    scene.simulator.fault(matcher, Times::Always, fault);
}

fn host_of(endpoint: &Endpoint) -> &'static str {
    match endpoint.struck {
        Struck::Connections => "management.azure.com",
        Struck::Answers | Struck::AnswersAndConnections if endpoint.request.contains("login.") => {
            "login.microsoftonline.com"
        }
        Struck::Answers | Struck::AnswersAndConnections => VAULT_HOST,
    }
}

const VAULT_HOST: &str = "tc-vault.vault.azure.net";

fn sweep(scene: &Scene) -> Ran {
    Ran::of(scene, &["sweep", "--json"])
}

fn report_of<'l>(lines: &'l [Value], workspace: &str) -> &'l Value {
    let found = lines.iter().find(|line| line["workspace"] == workspace);
    found.unwrap()
}

/// That the sweep ended by itself, and no request was repeated beyond its attempts.
fn assert_within_bounds(lines: &[Value], closing: &Value, label: &dyn Fn() -> String) {
    let elapsed = closing["elapsed_ms"].as_u64().unwrap();
    assert!(u128::from(elapsed) < DEADLINE.as_millis(), "{}", label());
    for line in lines.iter().chain([closing]) {
        let text = line.to_string();
        assert!(!text.contains("deadline passed"), "{}", label());
        for (at, _) in text.match_indices(" attempt(s)") {
            let count = text[..at]
                .rsplit(|next: char| !next.is_ascii_digit())
                .next();
            let count: usize = count.unwrap().parse().unwrap();
            assert!(count <= ATTEMPTS, "{}", label());
        }
    }
}

/// That the workspace beside the struck ones was swept as if nothing were wrong.
fn assert_undisturbed(scene: &Scene, report: &Value, label: &dyn Fn() -> String) {
    assert_eq!(report["failures"], serde_json::json!([]), "{}", label());
    let state = scene
        .simulator
        .world(|world| world.cluster_state(OTHER, "idle"));
    assert_ne!(state, "RUNNING", "{}", label());
}

/// What is called otherwise in each run.
fn names(scene: &Scene, workspace: &Workspace) -> Vec<(String, &'static str)> {
    scene.simulator.world(|world| {
        let id = |name| world.cluster_id(&workspace.name, name);
        vec![
            (principal_of(workspace).name, "<principal>"),
            (principal_of(workspace).client_id, "<client id>"),
            (identity_of(workspace).client_id, "<client id>"),
            (workspace.host.clone(), "<workspace>"),
            (id("idle"), "<cluster>"),
            (id("busy"), "<cluster>"),
            (workspace.name.clone(), "<workspace>"),
            (scene.simulator.identity_endpoint(), "<identity>"),
        ]
    })
}
