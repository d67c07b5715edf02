//! What each cloud admits, refuses and says.

use super::*;

fn admit(text: &str) -> Result<Destination, Refusal> {
    Cloud::public().admit(&Url::parse(text).expect("a URL"))
}

#[test]
fn admits_the_hosts_of_its_cloud() {
    for (url, destination) in [
        (
            "https://login.microsoftonline.com/t/oauth2/v2.0/token",
            Destination::Login,
        ),
        (
            "https://management.azure.com/subscriptions?x=1",
            Destination::ResourceManager,
        ),
        (
            "https://my-vault1.vault.azure.net/secrets/a",
            Destination::KeyVault,
        ),
        (
            "https://adb-5555555555555555.19.azuredatabricks.net/api",
            Destination::Workspace,
        ),
        (
            "HTTPS://ADB-5.1.AzureDatabricks.NET:443/",
            Destination::Workspace,
        ),
    ] {
        assert_eq!(admit(url), Ok(destination), "{url}");
    }
}

#[test]
fn refuses_every_other_host() {
    for url in [
        "https://adb-dp-5555555555555555.19.azuredatabricks.net/",
        "https://adb-5555555555555555.19.azuredatabricks.net./",
        "https://adb-5555555555555555.azuredatabricks.net/",
        "https://adb-5555555555555555.19.5.azuredatabricks.net/",
        "https://adb-.19.azuredatabricks.net/",
        "https://adb-5a.19.azuredatabricks.net/",
        "https://adb-5.1234.azuredatabricks.net/",
        "https://adb-123456789012345678901.1.azuredatabricks.net/",
        "https://x.adb-5.1.azuredatabricks.net/",
        "https://accounts.azuredatabricks.net/",
        "https://azuredatabricks.net/",
        "https://adb-5.1.azuredatabricks.net.example.com/",
        "https://adb-5.1xazuredatabricks.net/",
        "https://vault.azure.net/",
        "https://ab.vault.azure.net/",
        "https://1abc.vault.azure.net/",
        "https://abc-.vault.azure.net/",
        "https://a--bc.vault.azure.net/",
        "https://a.bcd.vault.azure.net/",
        "https://abcdefghijklmnopqrstuvwxy.vault.azure.net/",
        "https://managedhsm.azure.net/",
        "https://login.microsoftonline.com.example.com/",
        "https://evil-login.microsoftonline.com/",
        "https://login.microsoftonline.us/",
        "https://localhost/",
        "https://example.com/",
    ] {
        assert!(
            matches!(admit(url), Err(Refusal::UnknownHost { .. })),
            "{url}"
        );
    }
    for (url, refusal) in [
        ("http://adb-5.1.azuredatabricks.net/", Refusal::NotHttps),
        ("ftp://adb-5.1.azuredatabricks.net/", Refusal::NotHttps),
        ("https://me@adb-5.1.azuredatabricks.net/", Refusal::UserInfo),
        (
            "https://:pw@adb-5.1.azuredatabricks.net/",
            Refusal::UserInfo,
        ),
        ("https://adb-5.1.azuredatabricks.net:8443/", Refusal::Port),
        ("https://127.0.0.1/", Refusal::IpAddress),
        ("https://2130706433/", Refusal::IpAddress),
        ("https://[::1]/", Refusal::IpAddress),
    ] {
        assert_eq!(admit(url), Err(refusal), "{url}");
    }
}

#[test]
fn settings_get_a_sentence_that_names_the_fix() {
    let cloud = Cloud::public();
    assert!(
        cloud
            .workspace_url(" https://adb-5.1.azuredatabricks.net ")
            .is_ok()
    );
    assert!(
        cloud
            .workspace_url("https://adb-5.1.azuredatabricks.net/")
            .is_ok()
    );
    assert!(cloud.key_vault_url("https://abc.vault.azure.net/").is_ok());
    for (text, part) in [
        ("", "is empty"),
        ("adb-5.1.azuredatabricks.net", "lacks its scheme"),
        ("http://adb-5.1.azuredatabricks.net", "only https"),
        ("https://adb-5.1.azuredatabricks.net/?o=5", "only the host"),
        ("https://adb-5.1.azuredatabricks.net/a", "only the host"),
        ("https://adb-5.1.azuredatabricks.net/#a", "only the host"),
        (
            "https://adb-dp-5.1.azuredatabricks.net",
            "no such host of the public cloud",
        ),
        ("https://abc.vault.azure.net", "names a key vault"),
        ("https://", "is no URL"),
    ] {
        let sentence = cloud.workspace_url(text).expect_err(text);
        assert!(sentence.contains(part), "{text}: {sentence}");
        assert!(
            sentence.contains("https://adb-<digits>.<digits>.azuredatabricks.net"),
            "{sentence}"
        );
    }
    let sentence = cloud
        .key_vault_url("https://me:hunter2@abc.vault.azure.net")
        .expect_err("user info");
    assert!(!sentence.contains("hunter2"), "{sentence}");
}

/// A host of each service, in the order of `Destination`.
const HOSTS: [(&str, [&str; 4]); 3] = [
    (
        "public",
        [
            "login.microsoftonline.com",
            "management.azure.com",
            "my-vault.vault.azure.net",
            "adb-5.1.azuredatabricks.net",
        ],
    ),
    (
        "us-gov",
        [
            "login.microsoftonline.us",
            "management.usgovcloudapi.net",
            "my-vault.vault.usgovcloudapi.net",
            "adb-5.1.databricks.azure.us",
        ],
    ),
    (
        "china",
        [
            "login.chinacloudapi.cn",
            "management.chinacloudapi.cn",
            "my-vault.vault.azure.cn",
            "adb-5.1.databricks.azure.cn",
        ],
    ),
];

#[test]
fn each_cloud_admits_its_own_hosts_and_names_the_home_of_the_others() {
    let destinations = [
        Destination::Login,
        Destination::ResourceManager,
        Destination::KeyVault,
        Destination::Workspace,
    ];
    for cloud in Cloud::known() {
        for (home, hosts) in HOSTS {
            for (host, destination) in hosts.iter().zip(destinations) {
                let url = Url::parse(&format!("https://{host}/x")).expect("a URL");
                let expected = if home == cloud.name() {
                    Ok(destination)
                } else {
                    Err(Refusal::UnknownHost {
                        host: (*host).to_owned(),
                        cloud: cloud.name(),
                        home: Some(home),
                    })
                };
                assert_eq!(cloud.admit(&url), expected, "{} {host}", cloud.name());
            }
        }
    }
    let url = Url::parse("https://login.microsoftonline.us/").expect("a URL");
    assert_eq!(
        Cloud::public()
            .admit(&url)
            .expect_err("refused")
            .to_string(),
        "`login.microsoftonline.us` is no host of Databricks, Key Vault, Azure Resource Manager or Entra in the public cloud; it belongs to the us-gov cloud"
    );
}

/// What private endpoints, account consoles and look-alikes of another cloud are
/// called is no host of that cloud, so nobody is told to switch to it.
#[test]
fn what_belongs_to_no_cloud_is_given_no_home() {
    for host in [
        "accounts.azuredatabricks.us",
        "adb-5.1.privatelink.databricks.azure.us",
        "adb-5.1.azuredatabricks.us",
        "adb-5.1.databricks.azure.com",
        "databricks.azure.us",
        "login.partner.microsoftonline.cn",
        "login.microsoftonline.de",
        "x.vault.azure.us",
    ] {
        for cloud in Cloud::known() {
            let url = Url::parse(&format!("https://{host}")).expect("a URL");
            let refused = cloud.admit(&url);
            assert!(
                matches!(refused, Err(Refusal::UnknownHost { home: None, .. })),
                "{host}: {refused:?}"
            );
        }
    }
}

#[test]
fn the_url_of_another_cloud_is_answered_with_the_setting_to_change() {
    assert_eq!(
        Cloud::public().workspace_url("https://adb-5.1.databricks.azure.us"),
        Err(
            "belongs to the us-gov cloud, and the chosen one is public: set TERMINATE_CLUSTERS_CLOUD=us-gov, or write https://adb-<digits>.<digits>.azuredatabricks.net".to_owned()
        )
    );
    assert_eq!(
        Cloud::china().key_vault_url("https://abc.vault.azure.net"),
        Err(
            "belongs to the public cloud, and the chosen one is china: set TERMINATE_CLUSTERS_CLOUD=public, or write https://<name>.vault.azure.cn".to_owned()
        )
    );
    assert_eq!(
        Cloud::us_gov().workspace_url("https://adb-5.1.azuredatabricks.us"),
        Err(
            "names no such host of the us-gov cloud: write https://adb-<digits>.<digits>.databricks.azure.us".to_owned()
        )
    );
}

#[test]
fn without_a_cloud_only_the_shape_of_a_url_is_judged() {
    for text in [
        "https://adb-5.1.databricks.azure.us",
        "https://adb-5.1.azuredatabricks.net/",
        "https://abc.vault.azure.cn",
    ] {
        assert!(url_of_any_cloud(text).is_ok(), "{text}");
    }
    for (text, part) in [
        ("", "is empty"),
        ("abc.vault.azure.cn", "lacks its scheme"),
        ("http://abc.vault.azure.cn", "only https"),
        ("https://me:hunter2@abc.vault.azure.cn", "user name"),
        ("https://abc.vault.azure.cn:8443", "port"),
        ("https://10.0.0.1", "IP address"),
        ("https://abc.vault.azure.cn/secrets", "only the host"),
        ("https://", "is no URL"),
    ] {
        let sentence = url_of_any_cloud(text).expect_err(text);
        assert!(sentence.contains(part), "{text}: {sentence}");
        assert!(!sentence.contains("hunter2"), "{sentence}");
    }
}

#[test]
fn each_cloud_asks_for_its_own_audiences() {
    let audiences = |cloud: &Cloud| {
        [
            cloud.resource_manager_scope().to_owned(),
            cloud.management_scope().to_owned(),
            cloud.token_exchange_audience().to_owned(),
        ]
    };
    assert_eq!(
        audiences(&Cloud::public()),
        [
            "https://management.azure.com/.default",
            "https://management.core.windows.net//.default",
            "api://AzureADTokenExchange",
        ]
    );
    assert_eq!(
        audiences(&Cloud::us_gov()),
        [
            "https://management.usgovcloudapi.net/.default",
            "https://management.core.usgovcloudapi.net//.default",
            "api://AzureADTokenExchangeUSGov",
        ]
    );
    assert_eq!(
        audiences(&Cloud::china()),
        [
            "https://management.chinacloudapi.cn/.default",
            "https://management.core.chinacloudapi.cn//.default",
            "api://AzureADTokenExchangeChina",
        ]
    );
    for cloud in Cloud::known() {
        assert_eq!(
            cloud.databricks_scope(),
            "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default"
        );
        let root = cloud.resource_manager().expect("a URL");
        assert_eq!(cloud.admit(&root), Ok(Destination::ResourceManager));
        let login = Url::parse(&cloud.authority()).expect("a URL");
        assert_eq!(cloud.admit(&login), Ok(Destination::Login));
        assert!(cloud.azure_cli_name().is_some(), "{}", cloud.name());
    }
}

#[test]
fn the_login_host_is_shown_with_its_cloud_unless_that_is_public() {
    assert_eq!(
        Cloud::public().login_host_shown(),
        "login.microsoftonline.com"
    );
    assert_eq!(
        Cloud::us_gov().login_host_shown(),
        "login.microsoftonline.us (us-gov cloud)"
    );
}

fn spelled_out() -> Endpoints {
    Endpoints {
        login_host: "login.partner.microsoftonline.cn".into(),
        ..Cloud::china().endpoints
    }
}

#[test]
fn a_custom_cloud_is_what_was_spelled_out() {
    let cloud = Cloud::custom(&Endpoints {
        login_host: " Login.Partner.MicrosoftOnline.CN ".into(),
        ..spelled_out()
    })
    .expect("endpoints");
    assert_eq!(cloud.name(), "custom");
    assert_eq!(cloud.azure_cli_name(), None);
    assert_eq!(
        cloud.authority(),
        "https://login.partner.microsoftonline.cn"
    );
    assert!(
        cloud
            .workspace_url("https://adb-5.1.databricks.azure.cn")
            .is_ok()
    );
    let refused = cloud.workspace_url("https://adb-5.1.azuredatabricks.net");
    assert!(refused.is_err_and(|why| why.contains("TERMINATE_CLUSTERS_CLOUD=public")));
    let old_login = Url::parse("https://login.chinacloudapi.cn/t").expect("a URL");
    assert!(cloud.admit(&old_login).is_err());
}

/// Every known cloud could be spelled out, so no rule is stricter than Azure.
#[test]
fn the_known_clouds_pass_the_rules_for_custom_ones() {
    for cloud in Cloud::known() {
        let custom = Cloud::custom(&cloud.endpoints).expect("endpoints");
        assert_eq!(custom.endpoints, cloud.endpoints);
    }
}

/// An endpoint, what was written for it, and a part of the answer.
const WRONG_ENDPOINTS: &[(Endpoint, &str, &str)] = &[
    (
        Endpoint::LoginHost,
        "https://login.microsoftonline.us",
        "a URL",
    ),
    (
        Endpoint::LoginHost,
        "login.microsoftonline.us/common",
        "goes on",
    ),
    (
        Endpoint::LoginHost,
        "login.microsoftonline.us:443",
        "a port",
    ),
    (
        Endpoint::LoginHost,
        "me@login.microsoftonline.us",
        "a user name",
    ),
    (Endpoint::LoginHost, "*.microsoftonline.us", "a pattern"),
    (Endpoint::LoginHost, "microsoftonline.us", "a whole domain"),
    (Endpoint::LoginHost, "us", "a single word"),
    (Endpoint::LoginHost, "localhost", "a single word"),
    (Endpoint::LoginHost, "10.0.0.1", "an IP address"),
    (Endpoint::LoginHost, "167772161", "an IP address"),
    (Endpoint::LoginHost, "[::1]", "an IP address"),
    (Endpoint::LoginHost, "::1", "an IP address"),
    (Endpoint::LoginHost, "", "no host's name"),
    (Endpoint::LoginHost, "login..us", "no host's name"),
    (Endpoint::LoginHost, "login.-x.us", "no host's name"),
    (Endpoint::LoginHost, "login.microsoftonline.us.", "a dot"),
    (
        Endpoint::LoginHost,
        "login.\u{430}zure.us",
        "no host's name",
    ),
    (
        Endpoint::ResourceManager,
        "usgovcloudapi.net",
        "a whole domain",
    ),
    (Endpoint::KeyVaultSuffix, ".vault.azure.cn", "a dot"),
    (Endpoint::KeyVaultSuffix, "azure.cn", "others than vaults"),
    (Endpoint::KeyVaultSuffix, "vault.cn", "others than vaults"),
    (
        Endpoint::KeyVaultSuffix,
        "blob.core.windows.net",
        "others than vaults",
    ),
    (Endpoint::DatabricksZone, "com", "a single word"),
    (
        Endpoint::DatabricksZone,
        "azure.com",
        "others than Databricks",
    ),
    (Endpoint::DatabricksZone, "co.uk", "others than Databricks"),
    (
        Endpoint::DatabricksZone,
        "*.databricks.azure.us",
        "a pattern",
    ),
    (
        Endpoint::DatabricksZone,
        "azurewebsites.databricks",
        "others than Databricks",
    ),
    (
        Endpoint::DatabricksScope,
        "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d",
        ".default",
    ),
    (Endpoint::DatabricksScope, "2ff814a6/.default", "neither"),
    (
        Endpoint::ResourceManagerScope,
        "http://management.azure.us/.default",
        "neither",
    ),
    (
        Endpoint::ResourceManagerScope,
        "https://u@h.azure.us/.default",
        "neither",
    ),
    (
        Endpoint::ResourceManagerScope,
        "https://h.azure.us?x=/.default",
        "neither",
    ),
    (Endpoint::ResourceManagerScope, "api:///.default", "neither"),
    (
        Endpoint::ManagementScope,
        "https://management.core.azure.us/.default",
        "two belong",
    ),
    (
        Endpoint::TokenExchangeAudience,
        "AzureADTokenExchange",
        "no api URI",
    ),
    (Endpoint::TokenExchangeAudience, "api://", "no api URI"),
];

#[test]
fn a_custom_endpoint_is_one_services_own_name() {
    for (endpoint, text, part) in WRONG_ENDPOINTS {
        let problem = endpoint.parse(text).expect_err(text);
        assert!(problem.contains(part), "{text}: {problem}");
    }
}

#[test]
fn custom_endpoints_are_refused_all_at_once() {
    let endpoints = Endpoints {
        login_host: "10.0.0.1".into(),
        databricks_zone: "azure.com".into(),
        ..spelled_out()
    };
    let wrong = Cloud::custom(&endpoints).expect_err("two mistakes");
    let wrong: Vec<Endpoint> = wrong.into_iter().map(|(endpoint, _)| endpoint).collect();
    assert_eq!(wrong, [Endpoint::LoginHost, Endpoint::DatabricksZone]);
}

#[test]
fn no_name_of_a_custom_cloud_is_two_services() {
    let zone = spelled_out().databricks_zone;
    for (endpoints, expected) in [
        (
            Endpoints {
                resource_manager: spelled_out().login_host,
                ..spelled_out()
            },
            (Endpoint::ResourceManager, "the same as `login_host`"),
        ),
        (
            Endpoints {
                login_host: format!("login.{zone}"),
                ..spelled_out()
            },
            (Endpoint::LoginHost, "within `databricks_zone`"),
        ),
        (
            Endpoints {
                key_vault_suffix: format!("vault.{zone}"),
                ..spelled_out()
            },
            (Endpoint::KeyVaultSuffix, "within `databricks_zone`"),
        ),
    ] {
        let wrong = Cloud::custom(&endpoints).expect_err("an overlap");
        let [(endpoint, problem)] = wrong.as_slice() else {
            panic!("{wrong:?}");
        };
        assert_eq!(*endpoint, expected.0);
        assert!(problem.contains(expected.1), "{problem}");
    }
}
