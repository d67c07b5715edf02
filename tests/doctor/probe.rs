//! Whether our token reaches a machine of the users, as the probe sees it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use simulator::world::{Cluster, MAIN, Member, Permission, Principal, Workspace, World, hours};

use crate::examined::scene_of;
use crate::support::Scene;

const ID: &str = "0101-000000-probed01";
const PORT: u16 = 38471;

fn cluster(gets_authorization: bool) -> Cluster {
    Cluster::idle("mine")
        .since(hours(5))
        .id(ID)
        .echo(PORT, gets_authorization)
}

fn scene(gets_authorization: bool) -> Scene {
    scene_of(Workspace::named("one").cluster(cluster(gets_authorization)))
}

fn arguments(port: &str) -> [String; 4] {
    ["--probe-proxy", ID, port, "--json"].map(str::to_owned)
}

fn probe(scene: &Scene, port: &str) -> (i32, serde_json::Value) {
    let arguments = arguments(port);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let told = scene.doctor(&arguments);
    scene.simulator.assert_clean();
    (told.exit, serde_json::from_str(&told.stdout).unwrap())
}

#[test]
fn a_header_that_arrives_is_told_with_what_follows() {
    let (exit, answer) = probe(&scene(true), &PORT.to_string());
    assert_eq!(exit, 0, "{answer}");
    assert_eq!(answer["authorization"], "arrives");
    assert_eq!(answer["principal"], "main");
    let sentence = answer["sentence"].as_str().unwrap();
    assert!(
        sentence.contains("can take the token of `main`"),
        "{sentence}"
    );
    assert!(sentence.contains("CAN_ATTACH_TO"), "{sentence}");
    let headers = answer["headers"].as_array().unwrap();
    assert!(headers.contains(&"authorization".into()), "{answer}");
}

#[test]
fn a_header_that_is_taken_out_is_told() {
    let (exit, answer) = probe(&scene(false), &PORT.to_string());
    assert_eq!(exit, 0, "{answer}");
    assert_eq!(answer["authorization"], "taken_out");
}

#[test]
fn no_more_than_the_token_ever_goes_there() {
    let scene = scene(true);
    probe(&scene, &PORT.to_string());
    let record = scene.simulator.record();
    let to_drivers: Vec<_> = record
        .requests()
        .iter()
        .filter(|request| request.is_driver_proxy())
        .collect();
    assert_eq!(to_drivers.len(), 1);
    let names = to_drivers[0].header_names();
    let azure = names.iter().find(|name| name.starts_with("x-databricks"));
    assert_eq!(azure, None);
}

#[test]
fn what_shows_nothing_is_no_success() {
    let (exit, answer) = probe(&scene(true), "38472");
    assert_eq!(exit, 1, "{answer}");
    assert_eq!(answer["authorization"], "not_shown");
    assert!(
        answer["sentence"].as_str().unwrap().contains("HTTP 502"),
        "{answer}"
    );
    // The policy's own principal may not attach.
    let workspace = Workspace::named("one")
        .cluster(cluster(true).permission(MAIN, Permission::None))
        .member(Member::user(MAIN, Permission::CanAttachTo));
    let scene = scene_of(workspace);
    let told = scene.doctor(&["--probe-proxy", ID, &PORT.to_string()]);
    assert_eq!(told.exit, 1, "{told}");
}

#[test]
fn a_cluster_is_looked_for_in_every_workspace_and_probed_in_its_own() {
    let world = World::new()
        .workspace(Workspace::named("other"))
        .workspace(Workspace::named("one").cluster(cluster(true)));
    let scene = Scene::of(world);
    let (exit, answer) = probe(&scene, &PORT.to_string());
    assert_eq!((exit, &answer["workspace"]), (0, &"one".into()));
    let told = scene.doctor(&["--probe-proxy", "0101-000000-unknown1", "1"]);
    assert_eq!(told.exit, 1, "{told}");
    assert!(told.stderr.contains("is not known to"), "{told}");
}

#[test]
fn where_the_policy_names_nobody_no_token_is_sent() {
    let scene = scene(true).without_spark();
    let told = scene.doctor(&["--probe-proxy", ID, &PORT.to_string()]);
    assert_eq!(told.exit, 1, "{told}");
    assert!(told.stderr.contains("[witness.spark]"), "{told}");
    let record = scene.simulator.record();
    assert!(
        !record
            .requests()
            .iter()
            .any(|request| request.is_driver_proxy())
    );
}

#[test]
fn a_probe_without_a_token_tells_why() {
    let evidence = Principal::named("evidence");
    let client = evidence.client_id.clone();
    let mut world = World::new()
        .principal(evidence)
        .workspace(Workspace::named("one").cluster(cluster(true)));
    world.vaults[0].set("evidence-secret", "wrong");
    let scene = Scene::of(world).table(&format!(
        "[[principal]]\nname = \"evidence\"\nclient_id = \"{client}\"\ntenant_id = \"{}\"\n\
         client_secret_secret = \"evidence-secret\"\n",
        simulator::world::TENANT_ID
    ));
    let scene = scene.spark_as("evidence");
    let told = scene.doctor(&["--probe-proxy", ID, &PORT.to_string()]);
    assert_eq!(told.exit, 1, "{told}");
    let start = "error: the principal `evidence` has no token for Azure Databricks: ";
    let line = told.stderr.lines().find(|line| line.starts_with(start));
    let line = line.unwrap_or_else(|| panic!("{told}"));
    assert!(line.contains("AADSTS7000215"), "{line}");
}

/// The server that the documentation gives, in a Python of this machine.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs python3"]
fn the_server_of_the_documentation_tells_names_and_no_value() {
    let text = include_str!("../../docs/probe-proxy.md");
    let (_, rest) = text.split_once("```python\n").unwrap();
    let (cell, _) = rest.split_once("```").unwrap();
    let mut server = Command::new("python3")
        .args(["-u", "-c", &format!("{cell}\nimport sys; sys.stdin.read()")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut printed = String::new();
    let stdout = server.stdout.take().unwrap();
    let _server = Server(server);
    BufReader::new(stdout).read_line(&mut printed).unwrap();
    let port: u16 = printed
        .trim()
        .strip_prefix("port ")
        .unwrap()
        .parse()
        .unwrap();
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let request = "GET / HTTP/1.0\r\nHost: h\r\nAuthorization: Bearer planted-token\r\nX-Other: planted\r\n\r\n";
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(!answer.contains("planted"), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["probe"], "terminate-clusters");
    let names = serde_json::json!(["Authorization", "Host", "X-Other"]);
    assert_eq!(body["headers"], names);
}
