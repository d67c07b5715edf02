//! The doctor in other clouds: it names the one that the settings choose, asks its hosts
//! alone, and tells with a failure where it looked.

use std::collections::BTreeSet;

use simulator::world::{Azure, Cluster, VAULT, Workspace, World, hours};
use simulator::{Fault, Match, Times};

use crate::support::Scene;

/// China by the newer name of its login host, as only a custom cloud has it.
const SPELLED_OUT: Azure = Azure {
    name: "custom",
    login: "login.partner.microsoftonline.cn",
    ..Azure::CHINA
};

fn scene(azure: Azure) -> Scene {
    let workspace = Workspace::named("one").cluster(Cluster::idle("idle").since(hours(5)));
    Scene::of(World::new().workspace(workspace).in_azure(azure)).limit("request_attempts", "2")
}

fn host(scene: &Scene) -> String {
    scene
        .simulator
        .world(|world| world.find_workspace("one").unwrap().host.clone())
}

#[test]
fn the_cloud_is_named_and_only_its_hosts_are_asked() {
    for azure in [Azure::US_GOV, SPELLED_OUT] {
        let scene = scene(azure);
        let sheet = scene.examine();
        assert_eq!(sheet.exit, 0, "{sheet}");
        assert_eq!(
            sheet.check("settings")["sentence"],
            format!(
                "1 workspace and 1 principal of the {} cloud; clusters of 1 workspace may be terminated",
                azure.name
            )
        );
        assert_eq!(sheet.outlooks[0]["evidence"], "both_witnesses", "{sheet}");
        let vault = format!("{VAULT}.{}", azure.vaults);
        let workspace = host(&scene);
        assert!(workspace.ends_with(azure.workspaces), "{workspace}");
        let allowed = [azure.login, azure.arm, &vault, &workspace];
        let allowed: BTreeSet<String> = allowed.map(|host| format!("{host}:443")).into();
        let record = scene.simulator.record();
        let asked: BTreeSet<String> = record
            .connects()
            .iter()
            .map(|connect| connect.target.clone())
            .collect();
        assert_eq!(asked, allowed);
        scene.simulator.assert_clean();
    }
}

#[test]
fn a_host_that_gives_no_answer_is_told_with_the_cloud_that_it_is_looked_for_in() {
    for azure in [Azure::US_GOV, SPELLED_OUT] {
        let cloud = azure.name;
        let vault = format!("{VAULT}.{}", azure.vaults);
        let workspace = host(&scene(azure));
        for (host, check, part) in [
            (
                &vault[..],
                "vault",
                format!("({vault} of the {cloud} cloud)"),
            ),
            (
                azure.login,
                "token-databricks",
                format!("{} ({cloud} cloud)", azure.login),
            ),
            (
                &workspace,
                "connection",
                format!("({workspace} of the {cloud} cloud)"),
            ),
            (azure.arm, "machines", format!(", in the {cloud} cloud")),
        ] {
            let scene = scene(azure);
            scene
                .simulator
                .fault(Match::host(host), Times::Always, Fault::RefuseConnection);
            let sheet = scene.examine();
            let failed = sheet.check(check);
            assert_eq!(failed["status"], "fail", "{host}: {sheet}");
            let sentence = failed["sentence"].as_str().unwrap();
            assert!(sentence.contains(&part), "{part} in {sentence}");
        }
    }
}

#[test]
fn a_tenant_of_another_cloud_is_told_with_the_cloud() {
    let mut world = World::new().workspace(Workspace::named("one"));
    world = world.in_azure(Azure::US_GOV);
    world.tenants.clear();
    let sheet = Scene::of(world).examine();
    let check = sheet.check("token-databricks");
    assert_eq!(check["status"], "fail", "{sheet}");
    let sentence = check["sentence"].as_str().unwrap();
    assert!(
        sentence.contains("no such tenant in the us-gov cloud"),
        "{sentence}"
    );
}

#[test]
fn settings_of_another_cloud_are_told_before_anything_is_asked() {
    let scene = scene(Azure::US_GOV).set("TERMINATE_CLUSTERS_CLOUD", "public");
    let told = scene.doctor(&[]);
    assert_eq!(told.exit, 2, "{told}");
    assert!(
        told.stdout.contains("set TERMINATE_CLUSTERS_CLOUD=us-gov"),
        "{told}"
    );
    assert!(scene.simulator.record().connects().is_empty());
}
