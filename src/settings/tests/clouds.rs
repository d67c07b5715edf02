//! The choice of a cloud, and the URLs that it allows.

use super::*;

const DOCUMENTED: &str = include_str!("../../../docs/clouds.md");

/// Azure in China by the newer name of its login host, as an operator copies it.
const CUSTOM: &str = r#"
[cloud]
login_host = "login.partner.microsoftonline.cn"
resource_manager = "management.chinacloudapi.cn"
key_vault_suffix = "vault.azure.cn"
databricks_zone = "databricks.azure.cn"
databricks_scope = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default"
resource_manager_scope = "https://management.chinacloudapi.cn/.default"
management_scope = "https://management.core.chinacloudapi.cn//.default"
token_exchange_audience = "api://AzureADTokenExchangeChina"
"#;

fn workspace_at(zone: &str) -> String {
    format!("[[workspaces]]\nname = \"a\"\nurl = \"https://adb-1.1.{zone}\"\n")
}

fn setup(cloud: &str, policy: &str, vault_suffix: &str) -> Setup {
    Setup::policy(policy)
        .with("TERMINATE_CLUSTERS_CLOUD", cloud)
        .with(
            "TERMINATE_CLUSTERS_KEY_VAULT_URL",
            &format!("https://kv-ops.{vault_suffix}"),
        )
}

#[test]
fn the_setting_chooses_the_cloud() {
    for (cloud, zone, vault_suffix) in [
        (Cloud::public(), "azuredatabricks.net", "vault.azure.net"),
        (
            Cloud::us_gov(),
            "databricks.azure.us",
            "vault.usgovcloudapi.net",
        ),
        (Cloud::china(), "databricks.azure.cn", "vault.azure.cn"),
    ] {
        let settings = setup(cloud.name(), &workspace_at(zone), vault_suffix)
            .read()
            .unwrap();
        assert_eq!(settings.cloud, cloud);
        let host = settings.workspaces[0].url.host_str();
        assert_eq!(host, Some(format!("adb-1.1.{zone}").as_str()));
    }
}

#[test]
fn a_custom_cloud_comes_from_the_policy() {
    let policy = format!("{CUSTOM}{}", workspace_at("databricks.azure.cn"));
    let settings = setup("custom", &policy, "vault.azure.cn").read().unwrap();
    assert_eq!(settings.cloud.name(), "custom");
    assert_eq!(
        settings.cloud.login_host(),
        "login.partner.microsoftonline.cn"
    );
    assert_eq!(
        settings.cloud.management_scope(),
        "https://management.core.chinacloudapi.cn//.default"
    );
}

#[test]
fn a_url_of_another_cloud_is_answered_with_the_setting_to_change() {
    let setup = setup(
        "public",
        &workspace_at("databricks.azure.us"),
        "vault.usgovcloudapi.net",
    );
    assert_eq!(
        setup.mistakes(),
        [
            "`TERMINATE_CLUSTERS_KEY_VAULT_URL` belongs to the us-gov cloud, and the chosen one is public: set TERMINATE_CLUSTERS_CLOUD=us-gov, or write https://<name>.vault.azure.net",
            "terminate-clusters.toml, line 3: `url` belongs to the us-gov cloud, and the chosen one is public: set TERMINATE_CLUSTERS_CLOUD=us-gov, or write https://adb-<digits>.<digits>.azuredatabricks.net",
        ]
    );
}

#[test]
fn the_cloud_table_and_its_setting_need_each_other() {
    let without_table = setup("custom", "", "vault.azure.cn");
    assert_eq!(
        without_table.mistakes(),
        [
            "`TERMINATE_CLUSTERS_CLOUD` is \"custom\", but the policy has no [cloud] table; spell the endpoints out there, or choose another cloud",
        ]
    );
    let without_setting = setup("china", CUSTOM, "vault.azure.cn");
    assert_eq!(
        without_setting.mistakes(),
        [
            "terminate-clusters.toml, line 2: `[cloud]` counts only with `TERMINATE_CLUSTERS_CLOUD=custom`, and the chosen cloud is china; set that, or take the table out",
        ]
    );
}

#[test]
fn every_mistake_in_the_cloud_table_is_told_at_once() {
    let policy = CUSTOM
        .replace("login.partner.microsoftonline.cn", "https://10.0.0.1")
        .replace("key_vault_suffix", "key_vault_sufix")
        .replace("\"databricks.azure.cn\"", "\"azure.cn\"");
    let setup = setup("custom", &policy, "vault.azure.cn")
        .with("TERMINATE_CLUSTERS_KEY_VAULT_URL", "http://x");
    assert_eq!(
        setup.mistakes(),
        [
            "`TERMINATE_CLUSTERS_KEY_VAULT_URL` can't be used (only https is spoken): write https:// and the host's name",
            "terminate-clusters.toml, line 2: `key_vault_suffix` is missing in [cloud]: what follows a vault's name in its host, such as `vault.usgovcloudapi.net`; required",
            "terminate-clusters.toml, line 3: `login_host` is \"https://10.0.0.1\", a URL and not a host's name; write it like login.microsoftonline.us",
            "terminate-clusters.toml, line 5: `key_vault_sufix` is not a key of [cloud]; did you mean `key_vault_suffix`?",
            "terminate-clusters.toml, line 6: `databricks_zone` is \"azure.cn\", under which others than Databricks may have hosts; write it like databricks.azure.us",
        ]
    );
}

#[test]
fn endpoints_that_are_two_services_at_once_are_refused() {
    let policy = CUSTOM.replace(
        "management.chinacloudapi.cn\"\nkey",
        "login.partner.microsoftonline.cn\"\nkey",
    );
    assert_eq!(
        setup("custom", &policy, "vault.azure.cn").mistakes(),
        ["terminate-clusters.toml, line 4: `resource_manager` is the same as `login_host`"]
    );
}

#[test]
fn no_variable_can_override_an_endpoint() {
    let setup = setup("custom", CUSTOM, "vault.azure.cn")
        .with("TERMINATE_CLUSTERS__CLOUD__LOGIN_HOST", "login.example.com");
    let mistakes = setup.mistakes();
    assert!(mistakes[0].contains("is not a setting"), "{mistakes:?}");
}

#[test]
fn the_policy_alone_is_held_to_the_same_cloud() {
    let policy = workspace_at("databricks.azure.us");
    let read = |cloud: &str| {
        let environment = Environment::from_iter([("TERMINATE_CLUSTERS_CLOUD", cloud)]);
        let read_file = |_: &Path| Ok(policy.clone());
        let file = Path::new("policy.toml");
        PolicyFile::read(&environment, Path::new("/app"), Some(file), &read_file)
    };
    assert_eq!(read("us-gov").unwrap().workspaces.len(), 1);
    let refused = read("").unwrap_err().to_string();
    assert!(
        refused.contains("TERMINATE_CLUSTERS_CLOUD=us-gov"),
        "{refused}"
    );
}

#[test]
fn the_documented_custom_cloud_can_be_copied() {
    let (_, block) = DOCUMENTED.split_once("```toml\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let settings = setup("custom", block, "vault.azure.cn").read().unwrap();
    let same = setup("custom", CUSTOM, "vault.azure.cn").read().unwrap();
    assert_eq!(settings.cloud, same.cloud);
    for key in cloud_choice::KEYS {
        assert!(block.contains(&format!("{} = ", key.name)), "{}", key.name);
    }
}

#[test]
fn the_documented_endpoints_are_those_of_the_code() {
    let column = |place: usize| -> String {
        let rows = DOCUMENTED.lines().filter(|line| line.starts_with('|'));
        let cells = rows.filter_map(|row| row.split('|').nth(place + 2));
        cells.map(|cell| format!("{}\n", cell.trim())).collect()
    };
    for (place, cloud) in Cloud::known().iter().enumerate() {
        let column = column(place);
        let vault = cloud.key_vault_url("").unwrap_err();
        let workspace = cloud.workspace_url("").unwrap_err();
        let audience = |scope: &str| scope.strip_suffix("/.default").map(str::to_owned);
        let expected = [
            cloud.name().to_owned(),
            cloud.login_host().to_owned(),
            cloud
                .resource_manager()
                .unwrap()
                .host_str()
                .unwrap()
                .to_owned(),
            vault.split_once("https://").unwrap().1.to_owned(),
            workspace
                .split_once("https://")
                .unwrap()
                .1
                .replace("digits", "number"),
            audience(cloud.resource_manager_scope()).unwrap(),
            audience(cloud.management_scope()).unwrap(),
            cloud.token_exchange_audience().to_owned(),
            cloud.azure_cli_name().unwrap().to_owned(),
        ];
        for cell in expected {
            assert!(column.contains(&format!("`{cell}`\n")), "{cell}\n{column}");
        }
    }
}

#[test]
fn the_vault_of_every_principal_is_of_the_chosen_cloud() {
    let policy = |suffix: &str| {
        format!(
            "[[principal]]\nname = \"b\"\ntenant_id = \"contoso.com\"\nclient_id_secret = \"id\"\nclient_secret_secret = \"secret\"\nkey_vault_url = \"https://kv-b.{suffix}\"\n"
        )
    };
    let right = policy("vault.usgovcloudapi.net");
    let right = setup("us-gov", &right, "vault.usgovcloudapi.net");
    assert!(right.read().is_ok());
    let wrong = policy("vault.azure.net");
    assert_eq!(
        setup("us-gov", &wrong, "vault.usgovcloudapi.net").mistakes(),
        [
            "terminate-clusters.toml, line 6: `key_vault_url` belongs to the public cloud, and the chosen one is us-gov: set TERMINATE_CLUSTERS_CLOUD=public, or write https://<name>.vault.usgovcloudapi.net"
        ]
    );
}
