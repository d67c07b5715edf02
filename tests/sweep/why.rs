//! Stories of `terminate-clusters why`: what a person is told of one cluster, and
//! that nothing changes by asking.

use serde_json::Value;
use simulator::world::{
    Cluster, DriverProxy, Machine, Member, MetricsQuirk, Permission, Principal, Run, Spark,
    SparkJob, Workspace, World, hours, minutes,
};
use simulator::{Fault, Match, Times};

use crate::hostile;
use crate::principals::{estate, lose_the_guests_secret};
use crate::ran::Ran;
use crate::support::Scene;

const ID: &str = "0101-000000-asked001";

/// What `why` said.
impl Ran {
    fn json(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "{self}");
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// The only line that begins like this, without that.
    fn line(&self, start: &str) -> &str {
        let mut lines = self
            .stdout
            .lines()
            .filter_map(|one| one.strip_prefix(start));
        let first = lines.next();
        assert!(lines.next().is_none(), "{start:?} twice in {self}");
        first
            .unwrap_or_else(|| panic!("no {start:?} in {self}"))
            .trim()
    }

    /// What is told of the signal of this name.
    fn signal(&self, name: &str) -> &str {
        self.line(&format!("  {name:16}  "))
    }
}

/// Asks, and makes sure that asking has changed nothing and met nothing unforeseen.
fn ask(scene: &Scene, arguments: &[&str]) -> Ran {
    let told = Ran::of(scene, &[&["why"], arguments].concat());
    let record = scene.simulator.record();
    assert!(record.mutating().is_empty(), "{:?}", record.mutating());
    scene.simulator.assert_clean();
    told
}

fn explain(scene: &Scene) -> Ran {
    let told = ask(scene, &[ID]);
    assert_eq!(told.exit, 0, "{told}");
    assert!(told.stderr.is_empty(), "{told}");
    told
}

fn explain_json(scene: &Scene) -> Value {
    let told = ask(scene, &[ID, "--json"]);
    assert_eq!(told.exit, 0, "{told}");
    told.json()
}

fn scene_of(cluster: Cluster) -> Scene {
    let workspace = Workspace::named("one").cluster(cluster.id(ID));
    Scene::of(World::new().workspace(workspace))
}

/// Idle for 20 hours: long enough for both witnesses and for Spark, not for nodes.
fn idle() -> Cluster {
    Cluster::idle("asked").since(hours(20))
}

fn signal<'a>(answer: &'a Value, name: &str) -> &'a Value {
    let signals = answer["signals"].as_array().unwrap();
    let found = signals.iter().find(|one| one["signal"] == name);
    found.unwrap_or_else(|| panic!("no signal {name}: {answer}"))
}

fn verdicts(answer: &Value) -> Vec<&str> {
    let rules = answer["rules"].as_array().unwrap();
    let verdicts = rules.iter().map(|rule| rule["verdict"].as_str().unwrap());
    verdicts.collect()
}

#[test]
fn an_idle_cluster_is_told_to_be_idle_and_is_left_alone() {
    // The settings say terminate: a sweep would.
    let scene = scene_of(idle());
    let told = explain(&scene);
    assert!(
        told.stdout
            .starts_with(&format!("asked [{ID}] in one (adb-")),
        "{told}"
    );
    let decision = told.line("Decision: ");
    assert!(
        decision.starts_with("would terminate: no sign of life since "),
        "{told}"
    );
    assert!(
        decision.ends_with("Spark and nodes say quiet, for more than 2h"),
        "{told}"
    );
    assert!(
        told.line("Earliest: ").ends_with(", which has passed"),
        "{told}"
    );
    assert!(!told.stdout.contains("shorten"), "{told}");
    let mode = told.line("Mode: ");
    assert!(
        mode.starts_with("this workspace is in terminate mode: "),
        "{told}"
    );
    assert!(
        mode.contains("at most 10 here") && mode.contains("at most 50 over all"),
        "{told}"
    );
    for number in 1..=16 {
        told.line(&format!("  - {number:2}. "));
    }
    assert_eq!(told.signal("state"), "RUNNING");
    assert_eq!(told.signal("active runs"), "none");
    assert_eq!(told.signal("streaming"), "no query since it started");
    let state = scene
        .simulator
        .world(|world| world.cluster_state("one", ID));
    assert_eq!(state, "RUNNING");
    // The sweep, which may, agrees.
    let swept = scene.sweep();
    assert_eq!(swept.said_of("asked"), "terminated: both_witnesses");
}

#[test]
fn a_workspace_in_report_mode_is_told_to_be() {
    let scene = scene_of(idle()).set("TERMINATE_CLUSTERS_MODE", "report");
    let told = explain(&scene);
    let mode = told.line("Mode: ");
    assert_eq!(
        mode,
        "this workspace is in report mode: nothing would be terminated"
    );
    assert_eq!(explain_json(&scene)["mode"], "report");
}

#[test]
fn spark_is_named_as_what_shortens_the_wait_for_nodes_alone() {
    let scene = scene_of(idle().driver(DriverProxy::Status(403)));
    let told = explain(&scene);
    let decision = told.line("Decision: ");
    assert!(
        decision.starts_with("kept by rule 16: quiet_too_short: quiet since "),
        "{told}"
    );
    assert!(
        decision.ends_with("only nodes say quiet, so it is terminated after 96h"),
        "{told}"
    );
    assert_eq!(told.line("  with spark: "), "at once");
    assert!(
        told.stdout
            .contains("; grant the Spark principal CAN_ATTACH_TO on it\n"),
        "{told}"
    );
    let answer = explain_json(&scene);
    let shorter = answer["shorter"].as_array().unwrap();
    assert_eq!(shorter.len(), 1, "{answer}");
    assert_eq!(shorter[0]["with"], serde_json::json!(["spark"]));
    assert_eq!(answer["missing"][0]["signal"], "spark");

    // With the right the same cluster is idle.
    scene.simulator.world(|world| {
        world.cluster_mut("one", ID).driver = DriverProxy::Reachable;
    });
    assert_eq!(explain_json(&scene)["outcome"], "would_terminate");
}

#[test]
fn a_witness_that_is_switched_off_is_told_with_its_setting() {
    let base = scene_of(idle());
    let tables = base.simulator.policy_workspaces();
    let scene = base.set("TERMINATE_CLUSTERS_POLICY", &tables);
    let told = explain(&scene);
    assert_eq!(told.signal("spark"), "switched off");
    let lack = told.line("  spark: ");
    assert_eq!(lack, "switched off; name a principal in `[witness.spark]`");
    assert!(scene.simulator.record().driver_requests().is_empty());
    assert_eq!(
        signal(&explain_json(&scene), "spark")["status"],
        "switched_off"
    );
}

#[test]
fn nodes_are_named_where_spark_alone_cannot_speak() {
    let lost = idle()
        .single_node()
        .metrics(Machine::All, &MetricsQuirk::NoData);
    let scene = scene_of(lost);
    let told = explain(&scene);
    let decision = told.line("Decision: ");
    assert!(
        decision.starts_with("kept by rule 14: evidence_too_weak: "),
        "{told}"
    );
    let earliest = told.line("Earliest: ");
    assert_eq!(
        earliest,
        "never: until another witness answers (by rule 14)"
    );
    assert_eq!(told.line("  with nodes: "), "at once");
    assert!(
        told.line("  nodes: ").contains("Monitoring Reader"),
        "{told}"
    );
}

#[test]
fn runs_that_may_be_hidden_are_told_with_the_right_to_see_them() {
    let member = Member::user("main", Permission::CanManage);
    let workspace = Workspace::named("one")
        .without_member("main")
        .member(member)
        .cluster(idle().id(ID).driver(DriverProxy::Status(403)));
    let scene = Scene::of(World::new().workspace(workspace));
    let told = explain(&scene);
    let decision = told.line("Decision: ");
    assert!(
        decision.starts_with("kept by rule 12: required_unknown: "),
        "{told}"
    );
    assert!(
        told.line("  active runs: ")
            .contains("sees_all_runs = true"),
        "{told}"
    );
    assert_eq!(told.line("  with active runs and spark: "), "at once");
    told.line("  with active runs: ");
}

#[test]
fn nothing_shortens_what_a_protection_keeps() {
    let scene = scene_of(
        idle()
            .tag("Terminate-Clusters", "")
            .driver(DriverProxy::Status(403)),
    );
    let told = explain(&scene);
    let decision = told.line("Decision: ");
    assert_eq!(
        decision,
        "kept by rule 3: protected_by_tag: its tag `terminate-clusters` protects it"
    );
    assert_eq!(
        told.line("Earliest: "),
        "never: it is protected (by rule 3)"
    );
    assert_eq!(
        told.line("What would shorten it: "),
        "nothing that could be learned of it"
    );
    assert_eq!(told.signal("tags"), "`Terminate-Clusters` = ``");
    // What a sweep does not ask of a protected cluster is asked here.
    told.line("  x 16. ");
    assert!(told.signal("spark").starts_with("unknown: "), "{told}");
}

#[test]
fn work_is_told_and_what_else_would_keep_the_cluster() {
    let busy = idle().spark(Spark::quiet().job(SparkJob::running(minutes(7))));
    let workspace = Workspace::named("one")
        .cluster(busy.id(ID))
        .run(Run::active("hourly", minutes(5)).on(ID));
    let scene = Scene::of(World::new().workspace(workspace));
    let answer = explain_json(&scene);
    assert_eq!(answer["outcome"], "kept");
    assert_eq!(
        (&answer["reason"], &answer["rule"]),
        (&"active_run".into(), &5.into())
    );
    let verdicts = verdicts(&answer);
    assert_eq!((verdicts[4], verdicts[8]), ("keeps", "keeps"), "{answer}");
    assert_eq!(answer["rules"][8]["reason"], "spark_busy");
    assert_eq!(answer["earliest"], Value::Null);
    assert_eq!(answer["earliest_clause"], "never: while a run is active");
    assert_eq!(answer["shorter"], serde_json::json!([]));
}

#[test]
fn a_cluster_that_was_restarted_is_told_by_its_start() {
    let scene = scene_of(idle());
    scene
        .simulator
        .world(|world| world.restart_cluster("one", ID));
    let told = explain(&scene);
    let decision = told.line("Decision: ");
    assert!(
        decision.starts_with("kept by rule 7: started_recently: "),
        "{told}"
    );
    // Its machines have hardly spoken yet.
    let earliest = told.line("Earliest: ");
    assert!(!earliest.contains("which has passed"), "{told}");
    let answer = explain_json(&scene);
    assert_eq!(answer["reason"], "started_recently");
}

#[test]
fn what_is_not_at_work_is_explained_without_asking_its_driver() {
    for (cluster, reason) in [
        (Cluster::terminated("asked"), "not_running"),
        (Cluster::idle("asked").state("PENDING"), "not_running"),
    ] {
        let scene = scene_of(cluster);
        let answer = explain_json(&scene);
        assert_eq!(answer["reason"], reason, "{answer}");
        assert_eq!(signal(&answer, "spark")["status"], "not_asked", "{answer}");
        assert_eq!(verdicts(&answer)[4], "not_asked", "{answer}");
        assert_eq!(
            answer["earliest_clause"],
            "never: only RUNNING clusters are terminated"
        );
        assert_eq!(answer["shorter"], serde_json::json!([]));
        assert!(scene.simulator.record().driver_requests().is_empty());
    }
    let job = explain_json(&scene_of(Cluster::job("asked")));
    assert_eq!(job["reason"], "not_all_purpose");
    assert_eq!(signal(&job, "source")["clause"], "JOB");
}

#[test]
fn an_unknown_cluster_is_told_in_one_sentence() {
    let world = World::new()
        .workspace(Workspace::named("one").cluster(idle()))
        .workspace(Workspace::named("two"));
    let scene = Scene::of(world);
    let told = ask(&scene, &[ID]);
    assert_eq!(told.exit, 1, "{told}");
    assert!(told.stdout.is_empty(), "{told}");
    assert_eq!(
        told.stderr,
        format!(
            "error: cluster `{ID}` is not known to `one`, `two`, or was terminated over 30 days ago\n"
        )
    );
    let told = ask(&scene, &[ID, "--workspace", "TWO", "--json"]);
    assert_eq!(told.exit, 1, "{told}");
    let answer = told.json();
    assert_eq!(answer["found"], false);
    assert_eq!(answer["not_known_to"], serde_json::json!(["two"]));
    // A cluster that was terminated long ago is as unknown.
    let aged = ask(&scene_of(idle().aged_out()), &[ID]);
    assert_eq!(aged.exit, 1, "{aged}");
}

#[test]
fn a_workspace_that_is_down_is_a_warning_where_another_knows_the_cluster() {
    let down = Workspace::named("down");
    let host = down.host.clone();
    let world = World::new()
        .workspace(down)
        .workspace(Workspace::named("one").cluster(idle().id(ID)));
    let scene = Scene::of(world);
    scene
        .simulator
        .fault(Match::host(&host), Times::Always, Fault::status(503));
    let told = explain(&scene);
    let warning = told.line("WARNING ");
    assert!(
        warning.starts_with("[workspace] workspace `down`: server_error: "),
        "{told}"
    );
    assert!(
        told.line("Decision: ").starts_with("would terminate: "),
        "{told}"
    );
    assert_eq!(
        explain_json(&scene)["warnings"].as_array().unwrap().len(),
        1
    );
    // Where none knows it, those that failed are told apart from those that do not know.
    let lost = ask(&scene, &["0101-000000-other001"]);
    assert_eq!(lost.exit, 1, "{lost}");
    assert_eq!(lost.stderr.lines().count(), 1, "{lost}");
    assert!(lost.stderr.contains("is not known to `one`, or"), "{lost}");
    assert!(
        lost.stderr.contains("workspace `down`: server_error: "),
        "{lost}"
    );
}

#[test]
fn a_cluster_that_may_not_be_seen_is_told_with_the_right_to_see_it() {
    let member = Member::user("main", Permission::None);
    let workspace = Workspace::named("one")
        .without_member("main")
        .member(member)
        .cluster(idle().id(ID));
    let scene = Scene::of(World::new().workspace(workspace));
    let told = ask(&scene, &[ID]);
    assert_eq!(told.exit, 1, "{told}");
    assert!(told.stderr.contains("grant CAN_ATTACH_TO on it"), "{told}");
}

#[test]
fn a_record_that_is_not_understood_is_one_sentence() {
    let scene = scene_of(idle().field("num_workers", "many\n\u{1b}[2J".into()));
    let told = ask(&scene, &[ID]);
    assert_eq!(told.exit, 1, "{told}");
    assert_eq!(told.stderr.lines().count(), 1, "{told}");
    assert!(told.stderr.contains("not_understood: "), "{told}");
    assert!(!told.stderr.contains('\u{1b}'), "{told}");
}

#[test]
fn without_a_token_nothing_is_asked_and_the_cause_is_told() {
    let scene = scene_of(idle());
    scene.simulator.world(|world| world.expire_secrets("main"));
    let told = ask(&scene, &[ID]);
    assert_eq!(told.exit, 1, "{told}");
    assert!(told.stderr.contains("[token]: no token for "), "{told}");
    assert!(!told.stderr.contains("not known"), "{told}");
}

#[test]
fn one_id_in_two_workspaces_asks_for_a_name() {
    let workspace = |name: &str| Workspace::named(name).cluster(idle().id(ID));
    let world = World::new()
        .workspace(workspace("one"))
        .workspace(workspace("two"));
    let scene = Scene::of(world);
    let told = ask(&scene, &[ID]);
    assert_eq!(told.exit, 1, "{told}");
    assert!(
        told.stderr.contains("known to `one`, `two`: name one"),
        "{told}"
    );
    let told = ask(&scene, &[ID, "--workspace", "two"]);
    assert_eq!(told.exit, 0, "{told}");
}

#[test]
fn what_cannot_be_an_id_is_refused_before_anything_is_asked() {
    let scene = scene_of(idle());
    let long = "a".repeat(200);
    for id in [
        "",
        "../x",
        "a&cluster_id=b",
        "a b",
        "\u{1b}[31m",
        "%2e",
        &long,
    ] {
        let told = ask(&scene, &[id]);
        assert_eq!(told.exit, 2, "{id:?}: {told}");
        assert!(told.stderr.contains("is no cluster id"), "{told}");
        assert!(!told.stderr.contains('\u{1b}'), "{told}");
    }
    let told = ask(&scene, &[ID, "--workspace", "tow"]);
    assert_eq!(told.exit, 2, "{told}");
    assert!(told.stderr.contains("is not in the policy"), "{told}");
    assert_eq!(ask(&scene, &[]).exit, 2);
    assert!(scene.simulator.record().connects().is_empty());
}

#[test]
fn a_hostile_name_can_forge_no_line_and_comes_through_in_json() {
    for (number, name) in hostile::names().iter().enumerate() {
        // Both kinds of answers for one name is enough of each.
        let cluster = Cluster::idle(name)
            .since(hours(20))
            .tag("terminate-clusters-keep-until", name)
            .spark_version(name);
        let scene = scene_of(cluster);
        if number % 3 == 0 {
            assert_eq!(explain_json(&scene)["cluster_name"], name.as_str());
            continue;
        }
        let told = explain(&scene);
        let is_harmless = |next: char| next == '\n' || (' '..='~').contains(&next) || next == '…';
        let odd = told.stdout.chars().find(|next| !is_harmless(*next));
        assert_eq!(odd, None, "{told}");
        assert!(
            told.line("Decision: ").starts_with("kept by rule 4: "),
            "{told}"
        );
        assert!(told.stdout.len() < 16 * 1024, "{}", told.stdout.len());
    }
}

#[test]
fn json_holds_what_the_text_says() {
    let scene = scene_of(idle().driver(DriverProxy::Status(403)));
    let answer = explain_json(&scene);
    assert_eq!(answer["found"], true);
    assert_eq!(answer["cluster_id"], ID);
    assert_eq!(answer["workspace"], "one");
    assert_eq!(answer["rules"].as_array().unwrap().len(), 16);
    assert_eq!(
        (&answer["rule"], &answer["earliest_rule"]),
        (&16.into(), &16.into())
    );
    let told = explain(&scene);
    let clause = answer["clause"].as_str().unwrap();
    assert!(told.line("Decision: ").ends_with(clause), "{told}");
    let earliest = answer["earliest"].as_str().unwrap();
    assert!(told.line("Earliest: ").starts_with(earliest), "{told}");
    for one in answer["signals"].as_array().unwrap() {
        let name = one["signal"].as_str().unwrap();
        assert_eq!(told.signal(name), one["clause"], "{told}");
    }
    // The sweep says the same of it.
    let swept = scene.sweep();
    let line = swept.cluster("asked");
    assert_eq!(line["reason"], answer["reason"]);
    assert_eq!(line["clause"], answer["clause"]);
}

#[test]
fn what_an_override_changed_is_told_and_holds() {
    let table = "[[override]]\ntag = { team = \"ml-*\" }\nidle_after = \"30h\"\n";
    let scene = scene_of(idle().tag("Team", "ml-vision")).table(table);
    let told = explain(&scene);
    assert_eq!(
        told.line("Override: "),
        "idle_after = 30h by the override for tag `team` = `ml-*`"
    );
    // It has not run for that long either, so two rules keep it.
    let decision = told.line("Decision: ");
    assert!(
        decision.starts_with("kept by rule 7: started_recently: "),
        "{told}"
    );
    assert!(
        told.line("  x 16. ")
            .ends_with("so it is terminated after 30h"),
        "{told}"
    );
    let answer = explain_json(&scene);
    assert_eq!(answer["overrides"].as_array().unwrap().len(), 1);
    assert_eq!(answer["earliest_rule"], 16);
}

#[test]
fn a_secret_is_never_told() {
    let scene = scene_of(idle()).set("TERMINATE_CLUSTERS_LOG", "trace");
    let told = ask(&scene, &[ID]);
    let secrets = scene.simulator.world(|world| world.secrets());
    for secret in secrets {
        let is_told = told.stdout.contains(&secret) || told.stderr.contains(&secret);
        assert!(!is_told, "a secret of {} characters", secret.len());
    }
    let principal = Principal::named("main");
    assert!(!told.stderr.contains(principal.secret()), "{}", told.exit);
}

#[test]
fn a_cluster_is_explained_though_another_principal_has_no_token() {
    let scene = estate();
    lose_the_guests_secret(&scene);
    let id_in = |workspace: &str, cluster: &str| {
        let world = &scene.simulator;
        world.world(|world| world.cluster_id(workspace, cluster))
    };
    let told = ask(&scene, &[&id_in("w1-team", "c1"), "--json"]);
    assert_eq!(told.exit, 0, "{told}");
    let json = told.json();
    assert_eq!(json["workspace"], "w1-team", "{told}");
    let warnings = json["warnings"].to_string();
    let expected =
        "[settings]: principal `guest`: no token for Azure Databricks: secret `guest-secret`";
    assert!(warnings.contains(expected), "{told}");

    // What only the guest could see is not found, and whose fault it is is told once.
    let told = ask(&scene, &[&id_in("w2-guest", "c2")]);
    assert_eq!(told.exit, 1, "{told}");
    let said = told.to_string();
    assert_eq!(said.matches("principal `guest`").count(), 1, "{told}");
}
