mod clouds;
mod principals;

use std::collections::BTreeSet;
use std::io;

use super::policy_document::POLICY_KEYS;
use super::*;
use crate::policy::{ExemptSelector, Glob, Policy, PolicyChanges};

const RESOURCE_ID: &str = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/rg/providers/Microsoft.Databricks/workspaces/dbx";

#[test]
fn an_empty_policy_has_every_default_and_terminates_nothing() {
    let settings = Setup::default().read().unwrap();
    assert_eq!(settings.mode, Mode::Report);
    assert_eq!(settings.cloud, Cloud::public());
    assert!(settings.workspaces.is_empty());
    assert_eq!(settings.warnings.len(), 1);
    assert!(settings.warnings[0].contains("[[workspaces]]"));
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let policy = Policy {
        idle_after: hours(2),
        idle_after_one_witness: hours(12),
        streaming_silence: hours(96),
        spark_alone_suffices: false,
        nodes_alone_suffices: false,
        trust_platform_clock: true,
        protect_pinned: false,
        protect_names: Vec::new(),
        exemptions: Vec::new(),
        spark_witness: false,
        nodes_witness: true,
        cap_per_workspace: 10,
        cap_per_sweep: 50,
    };
    assert_eq!(settings.policy, PolicySet::plain(policy));
    assert_eq!(settings.limits, default_limits());
    assert!(settings.managed_identity.is_none());
    let [main] = settings.principals.as_slice() else {
        panic!("{:?}", settings.principals);
    };
    assert_eq!(main.name, PrincipalName::main());
}

#[test]
fn every_key_of_the_policy_reaches_its_place() {
    let settings = Setup::policy(
        r#"
        [policy]
        idle_after = "1h30m"
        idle_after_one_witness = "1d"
        streaming_silence = "2d"
        spark_alone_suffices = true
        nodes_alone_suffices = true
        trust_platform_clock = false
        protect_pinned = true
        protect_names = ["a-*", "b"]
        cap_per_workspace = 1
        cap_per_sweep = 0x10
        [witness.spark]
        principal = "main"
        [witness.nodes]
        enabled = false
        [[exempt]]
        cluster = "0915-021615-abcd1234"
        until = 2026-11-22
        reason = "why"
        [[exempt]]
        name = "etl-*"
        until = "2026-11-23"
        reason = "because"
        "#,
    )
    .read()
    .unwrap();
    let policy = settings.policy.base;
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    assert_eq!(policy.idle_after, minutes(90));
    assert_eq!(policy.idle_after_one_witness, minutes(24 * 60));
    assert_eq!(policy.streaming_silence, minutes(48 * 60));
    assert!(policy.spark_alone_suffices && policy.nodes_alone_suffices);
    assert!(!policy.trust_platform_clock && policy.protect_pinned);
    let names: Vec<&str> = policy
        .protect_names
        .iter()
        .map(|glob| glob.as_str())
        .collect();
    assert_eq!(names, ["a-*", "b"]);
    assert_eq!((policy.cap_per_workspace, policy.cap_per_sweep), (1, 16));
    assert!(policy.spark_witness && !policy.nodes_witness);
    let [by_id, by_name] = policy.exemptions.as_slice() else {
        panic!("{:?}", policy.exemptions);
    };
    let id = "0915-021615-abcd1234".to_owned();
    assert_eq!(by_id.selector, ExemptSelector::Id(id));
    assert_eq!(by_id.until_day, "2026-11-22");
    assert_eq!(by_id.until.to_string(), "2026-11-23T00:00:00Z");
    assert_eq!(by_id.reason, "why");
    assert!(matches!(&by_name.selector, ExemptSelector::Name(glob) if glob.matches("etl-1")));
}

#[test]
fn a_workspace_is_bounded_by_the_global_mode() {
    let policy = r#"
        [[workspaces]]
        name = "inherits"
        url = "https://adb-1.1.azuredatabricks.net"
        [[workspaces]]
        name = "report"
        url = "https://adb-2.1.azuredatabricks.net/"
        mode = "report"
        [[workspaces]]
        name = "terminate"
        url = "https://adb-3.1.azuredatabricks.net"
        access = "member"
        mode = "terminate"
        sees_all_runs = true
    "#;
    let modes = |settings: &Settings| -> Vec<Mode> {
        settings.workspaces.iter().map(|one| one.mode).collect()
    };
    let setup = Setup::policy(policy);
    let report = setup.read().unwrap();
    assert_eq!(modes(&report), [Mode::Report; 3]);
    let settings = setup
        .with("TERMINATE_CLUSTERS_MODE", "terminate")
        .read()
        .unwrap();
    assert_eq!(
        modes(&settings),
        [Mode::Terminate, Mode::Report, Mode::Terminate]
    );
    assert!(settings.workspaces[2].sees_all_runs && !settings.workspaces[0].sees_all_runs);
    assert_eq!(
        settings.workspaces[1].url.as_str(),
        "https://adb-2.1.azuredatabricks.net/"
    );
    assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
}

#[test]
fn all_mistakes_are_reported_together_each_with_line_key_and_fix() {
    let setup = Setup::policy(
        "[policy]\nidle_afer = \"2h\"\nidle_after = \"5m\"\ncap_per_sweep = 0\n\n[[workspaces]]\nname = \"a\"\nurl = \"http://x\"\naccess = \"contributor\"\n\n[[exempt]]\nuntil = \"soon\"\n\n[witness.sparc]\n\n[[override]]\nworkspace = \"x\"\n",
    )
    .with("TERMINATE_CLUSTERS_MODE", "kill")
    .with("TERMINATE_CLUSTERS_MOED", "x")
    .with("TERMINATE_CLUSTERS_CLOUD", "gov")
    .with("TERMINATE_CLUSTERS_KEY_VAULT_URL", "");
    let expected = [
        "`TERMINATE_CLUSTERS_MOED` is not a setting; did you mean `TERMINATE_CLUSTERS_MODE`?",
        "`TERMINATE_CLUSTERS_MODE` is \"kill\"; write `report` or `terminate`",
        "`TERMINATE_CLUSTERS_CLOUD` is \"gov\"; write `public`, `us-gov`, `china` or `custom`",
        "`TERMINATE_CLUSTERS_KEY_VAULT_URL` is not set: the vault that holds the service principal, in the public cloud `https://<name>.vault.azure.net`",
        "terminate-clusters.toml, line 2: `idle_afer` is not a key of [policy]; did you mean `idle_after`?",
        "terminate-clusters.toml, line 3: `idle_after` is \"5m\", but must be at least \"10m\"",
        "terminate-clusters.toml, line 4: `cap_per_sweep` is 0, but must be 1 to 10000",
        "terminate-clusters.toml, line 8: `url` can't be used (only https is spoken): write https:// and the host's name",
        "terminate-clusters.toml, line 9: `access` is \"contributor\", which needs the workspace's Azure resource; add `resource_id`, or `subscription_id`, `resource_group` and `workspace_name`",
        "terminate-clusters.toml, line 11: `reason` is missing in [[exempt]]: why, for the report; required",
        "terminate-clusters.toml, line 11: `cluster` is missing in [[exempt]], and so is `name`; write one of them",
        "terminate-clusters.toml, line 12: `until` is \"soon\"; write the last day, one of the calendar, as \"YYYY-MM-DD\", such as \"2027-01-31\"",
        "terminate-clusters.toml, line 14: `sparc` is not a table of the policy; did you mean `spark`?",
        "terminate-clusters.toml, line 16: `idle_after` is missing in [[override]], and so is every other key of [policy]; write what it changes, or take the table out",
    ];
    assert_eq!(setup.mistakes(), expected);
}

/// A document and a part of what it is answered with.
const WRONG_VALUES: &[(&str, &str)] = &[
    (
        "[policy]\nidle_after = 1800",
        "has the type integer; write a duration in quotes",
    ),
    ("[policy]\nidle_after = \"1800\"", "lacks a unit"),
    ("[policy]\nidle_after = \"0s\"", "is zero"),
    ("[policy]\nidle_after = \"-2h\"", "is negative"),
    ("[policy]\nidle_after = \"31d\"", "must be at most \"30d\""),
    (
        "[policy]\nidle_after = \"13h\"",
        "one witness must be quiet at least as long as two",
    ),
    (
        "[policy]\ncap_per_sweep = \"5\"",
        "is the text \"5\"; write a whole number without quotes",
    ),
    (
        "[policy]\ncap_per_sweep = -1",
        "is -1, but must be 1 to 10000",
    ),
    (
        "[policy]\ncap_per_sweep = 99999999999999999999",
        "out of range",
    ),
    ("[policy]\ncap_per_sweep = 1.5", "has the type float"),
    (
        "[policy]\nprotect_pinned = \"yes\"",
        "write `true` or `false` without quotes",
    ),
    ("[policy]\nprotect_names = \"a\"", "write a list of names"),
    ("[policy]\nprotect_names = [\"\"]", "an empty name"),
    ("[policy]\nprotect_names = [1]", "a list of names in quotes"),
    ("[limits]\nparallel_requests = 0", "must be 1 to 1024"),
    (
        "[limits]\nfunction_timeout_margin = \"10m\"",
        "leaves nothing of the host's",
    ),
    (
        "[witness.spark]",
        "`principal` is missing in [witness.spark]",
    ),
    (
        "[witness.spark]\nprincipal = \"other\"",
        "is \"other\", which is no principal; known are `main`",
    ),
    ("[[policy]]", "write [policy] with single brackets"),
    ("policy = 1", "write a table, [policy]"),
    (
        "[workspaces]\nname = \"a\"",
        "under [[workspaces]] with double brackets",
    ),
    (
        "workspaces = [1]",
        "under [[workspaces]] with double brackets",
    ),
    ("[[workspaces]]", "`name` is missing in [[workspaces]]"),
    ("[[workspaces]]\nname = \" \"", "`name` is empty"),
    (
        "[[workspaces]]\nname = \"a\\u202e\"",
        "a character that cannot be shown",
    ),
    (
        "[[workspaces]]\nresource_id = \"/x\"",
        "write /subscriptions/",
    ),
    (
        "[[workspaces]]\nmode = \"Report\"",
        "write `report` or `terminate`",
    ),
    ("[[workspaces]]\nmode = true", "write a text in quotes"),
    (
        "[[workspaces]]\ntoken = \"x\"",
        "`token` is not a key of [[workspaces]]; known are `name`",
    ),
    (
        "[[exempt]]\ncluster = \"a\"\nname = \"b\"",
        "stands beside `cluster`",
    ),
    ("[[exempt]]\ncluster = \"etl-*\"", "belongs into `name`"),
    ("\"a\\nb\" = 1", "`a\\nb` is not a table"),
];

#[test]
fn every_kind_of_wrong_value_names_what_to_write() {
    for (policy, part) in WRONG_VALUES {
        let mistakes = Setup::policy(policy).mistakes();
        let found = mistakes.iter().any(|mistake| mistake.contains(part));
        assert!(found, "{policy}: {mistakes:?}");
        assert!(mistakes.iter().all(|line| !line.contains('\n')));
    }
}

#[test]
fn limits_that_contradict_each_other_are_refused_at_the_value_that_was_given() {
    let rows = [
        (
            "connect_timeout = \"31s\"",
            "`connect_timeout` is \"31s\", which is more than `request_timeout` (\"30s\", its default)",
        ),
        (
            "request_timeout = \"4s\"",
            "`request_timeout` is \"4s\", which is less than `connect_timeout` (\"5s\", its default)",
        ),
        (
            "request_timeout = \"2m\"\nretry_budget = \"90s\"",
            "`request_timeout` is \"2m\", which is more than `retry_budget` (\"1m30s\")",
        ),
        (
            "retry_longest_wait = \"100ms\"",
            "`retry_longest_wait` is \"100ms\", which is less than `retry_first_wait` (\"500ms\", its default)",
        ),
        (
            "parallel_requests = 3",
            "`parallel_requests` is 3, which is less than `parallel_requests_per_workspace` (4, its default)",
        ),
        (
            "read_back_every = \"1m\"\nread_back_for = \"59s\"",
            "`read_back_every` is \"1m\", which is more than `read_back_for` (\"59s\")",
        ),
    ];
    for (limits, part) in rows {
        let mistakes = Setup::policy(&format!("[limits]\n{limits}")).mistakes();
        assert_eq!(mistakes.len(), 1, "{limits}: {mistakes:?}");
        let expected = format!("terminate-clusters.toml, line 2: {part}: ");
        assert!(mistakes[0].starts_with(&expected), "{mistakes:?}");
        assert!(mistakes[0].ends_with("; lower the one or raise the other"));
    }
}

#[test]
fn equal_limits_are_no_contradiction_and_a_wrong_one_is_told_once() {
    let equal = "[limits]\nconnect_timeout = \"30s\"\nretry_budget = \"30s\"\n\
        parallel_requests_per_workspace = 64\nread_back_for = \"2s\"";
    assert!(Setup::policy(equal).read().is_ok());
    let wrong = Setup::policy("[limits]\nrequest_timeout = \"soon\"\nparallel_requests = 0");
    assert_eq!(wrong.mistakes().len(), 2);
    let variable = Setup::policy("").with("TERMINATE_CLUSTERS__LIMITS__RETRY_BUDGET", "29s");
    let mistakes = variable.mistakes();
    let start = "`TERMINATE_CLUSTERS__LIMITS__RETRY_BUDGET` is \"29s\", which is less than";
    assert!(mistakes[0].starts_with(start), "{mistakes:?}");
}

#[test]
fn a_name_of_65_characters_is_too_long() {
    let policy = |length| {
        let name = "n".repeat(length);
        format!("[[workspaces]]\nname = \"{name}\"\nurl = \"https://adb-1.1.azuredatabricks.net\"")
    };
    assert!(Setup::policy(&policy(64)).read().is_ok());
    assert_eq!(Setup::policy(&policy(65)).mistakes().len(), 1);
}

#[test]
fn a_policy_that_is_longer_than_any_is_refused_and_not_read() {
    let line = format!("# {}\n", "x".repeat(1000));
    let fits = line.repeat(1024 * 1024 / line.len());
    assert!(Setup::policy(&fits).read().is_ok());
    // Its mistake is not even looked for.
    let ten_megabytes = format!("mistake = {}", line.repeat(10_000));
    let told = "is longer than 1 MiB, which no policy needs; put the right text there";
    assert_eq!(
        Setup::policy(&ten_megabytes).mistakes(),
        [format!("terminate-clusters.toml: {told}")]
    );
    let mut inline = Setup::default().with("TERMINATE_CLUSTERS_POLICY", &ten_megabytes);
    inline.policy = None;
    assert_eq!(
        inline.mistakes(),
        [format!("TERMINATE_CLUSTERS_POLICY: {told}")]
    );
}

#[test]
fn of_a_thousand_mistakes_a_hundred_are_told_and_that_there_are_more() {
    let policy: String = (0..1000).map(|number| format!("k{number} = 1\n")).collect();
    let setup = Setup::policy(&format!("[policy]\n{policy}"));
    let mistakes = setup.with("TERMINATE_CLUSTERS_MODE", "kill").mistakes();
    assert_eq!(mistakes.len(), 101);
    assert!(mistakes[0].starts_with("`TERMINATE_CLUSTERS_MODE`"));
    assert!(mistakes[99].contains("is not a key"), "{}", mistakes[99]);
    assert_eq!(mistakes[100], "there are more than these 100 mistakes");
}

#[test]
fn one_workspace_is_never_listed_twice() {
    let policy = format!(
        "[[workspaces]]\nname = \"a\"\nurl = \"https://adb-1.1.azuredatabricks.net\"\nresource_id = \"{RESOURCE_ID}\"\n[[workspaces]]\nname = \"A\"\nurl = \"https://ADB-1.1.azuredatabricks.net/\"\nresource_id = \"{}\"",
        RESOURCE_ID.to_uppercase()
    );
    let file = "terminate-clusters.toml";
    assert_eq!(
        Setup::policy(&policy).mistakes(),
        [
            format!("{file}, line 6: `name` is taken by another workspace, \"a\""),
            format!("{file}, line 7: `url` is also the url of \"a\"; write it once"),
            format!(
                "{file}, line 8: `resource_id` is also the resource id of \"a\"; one of them is wrong"
            ),
        ]
    );
}

#[test]
fn an_override_changes_the_keys_that_it_names_and_no_other() {
    let policy = r#"
        [[override]]
        workspace = "dev-*"
        idle_after = "30m"
        cap_per_workspace = 3
        [[override]]
        tag = { Team = "ml-*", stage = "" }
        protect_names = ["a", "b"]
        trust_platform_clock = false
        [[override]]
        workspace = "prod"
        tag = { team = "*" }
        idle_after_one_witness = "3d"
    "#;
    let settings = Setup::policy(policy).read().unwrap();
    let shown: Vec<String> = settings
        .policy
        .overrides
        .iter()
        .map(|table| table.selector.to_string())
        .collect();
    assert_eq!(
        shown,
        [
            "workspace `dev-*`",
            "tag `Team` = `ml-*`, tag `stage` = ``",
            "workspace `prod`, tag `team` = `*`"
        ]
    );
    let changes: Vec<&PolicyChanges> = settings
        .policy
        .overrides
        .iter()
        .map(|table| &table.changes)
        .collect();
    let none = PolicyChanges::default;
    let expected = [
        PolicyChanges {
            idle_after: Some(Duration::from_mins(30)),
            cap_per_workspace: Some(3),
            ..none()
        },
        PolicyChanges {
            protect_names: Some(vec![Glob::new("a"), Glob::new("b")]),
            trust_platform_clock: Some(false),
            ..none()
        },
        PolicyChanges {
            idle_after_one_witness: Some(Duration::from_hours(72)),
            ..none()
        },
    ];
    assert_eq!(changes, expected.iter().collect::<Vec<_>>());
    assert_eq!(
        settings.policy.base,
        Setup::default().read().unwrap().policy.base
    );
}

#[test]
fn every_mistake_in_an_override_names_the_fix() {
    let policy = r#"[[override]]
idle_after = "30m"
[[override]]
workspace = "dev"
[[override]]
workspace = ""
tag = { team = 3, "" = "x" }
idle_after = "1m"
[[override]]
tag = "ml"
cap_per_sweep = 3
[[override]]
tag = {}
idle_after = "3h"
idle_after_one_witness = "2h"
[[override]]
tag = { a = "b" }
cap_per_workspace = 1
"#;
    let file = "terminate-clusters.toml, line";
    let tag = "write a tag's key and a pattern for its value, such as { team = \"ml-*\" }";
    let mut mistakes = Setup::policy(policy).mistakes();
    mistakes.sort();
    let mut expected = [
        format!("{file} 1: `workspace` is missing in [[override]], and so is `tag`; write for which clusters it is"),
        format!("{file} 3: `idle_after` is missing in [[override]], and so is every other key of [policy]; write what it changes, or take the table out"),
        format!("{file} 6: `workspace` is empty"),
        format!("{file} 7: `tag` has the type integer; {tag}"),
        format!("{file} 7: `tag` has a tag without a key"),
        format!("{file} 8: `idle_after` is \"1m\", but must be at least \"10m\""),
        format!("{file} 10: `tag` is the text \"ml\"; {tag}"),
        format!("{file} 9: `idle_after` is missing in [[override]], and so is every other key of [policy]; write what it changes, or take the table out"),
        format!("{file} 13: `tag` is empty; {tag}"),
        format!("{file} 15: `idle_after_one_witness` is \"2h\", shorter than `idle_after` (\"3h\"); one witness must be quiet at least as long as two"),
        format!("{file} 18: `cap_per_workspace` stands beside `tag`, but it counts the clusters of a whole workspace; put it into an [[override]] that has only `workspace`"),
    ]
    .to_vec();
    expected.sort();
    let unknown = mistakes
        .iter()
        .position(|one| one.contains("`cap_per_sweep`"));
    let unknown = mistakes.remove(unknown.unwrap());
    assert!(
        unknown.starts_with(&format!(
            "{file} 11: `cap_per_sweep` is not a key of [[override]]; "
        )),
        "{unknown}"
    );
    assert_eq!(mistakes, expected);
}

#[test]
fn a_document_that_is_no_toml_reports_every_syntax_error_and_nothing_else() {
    let mistakes =
        Setup::policy("[policy]\nidle_after = 2h\n\ncap_per_sweep =\n[unknown]\n").mistakes();
    assert_eq!(mistakes.len(), 2, "{mistakes:?}");
    assert!(mistakes[0].starts_with("terminate-clusters.toml, line 2: not TOML: "));
    assert!(mistakes[1].starts_with("terminate-clusters.toml, line 4: not TOML: "));
    let twice = Setup::policy("[policy]\nidle_after = \"2h\"\nidle_after = \"3h\"\n").mistakes();
    assert_eq!(
        twice,
        ["terminate-clusters.toml, line 3: not TOML: duplicate key at `idle_after`"]
    );
}

#[test]
fn a_variable_overrides_a_scalar_of_policy_and_limits() {
    let setup =
        Setup::policy("[policy]\nidle_after = \"nonsense\"\n[limits]\nparallel_requests = 5")
            .with("TERMINATE_CLUSTERS__POLICY__IDLE_AFTER", "3h")
            .with("TERMINATE_CLUSTERS__POLICY__PROTECT_PINNED", "true")
            .with("TERMINATE_CLUSTERS__POLICY__CAP_PER_SWEEP", "7")
            .with("TERMINATE_CLUSTERS__LIMITS__READ_BACK_EVERY", "100ms");
    let settings = setup.read().unwrap();
    assert_eq!(
        settings.policy.base.idle_after,
        Duration::from_secs(3 * 3600)
    );
    assert!(settings.policy.base.protect_pinned);
    assert_eq!(settings.policy.base.cap_per_sweep, 7);
    assert_eq!(settings.limits.read_back_every, Duration::from_millis(100));
    assert_eq!(settings.limits.parallel_requests, 5);
}

#[test]
fn a_wrong_override_is_named_by_its_variable() {
    let setup = Setup::policy("")
        .with("TERMINATE_CLUSTERS__POLICY__IDLE_AFTER", "3")
        .with("TERMINATE_CLUSTERS__POLICY__IDLE_AFTR", "3h")
        .with("TERMINATE_CLUSTERS__POLICY__PROTECT_NAMES", "x")
        .with("TERMINATE_CLUSTERS__LIMITS__PARALLEL_REQUESTS", "many")
        .with("TERMINATE_CLUSTERS__POLICY__PROTECT_PINNED", "yes")
        .with("Terminate_Clusters_Log", "info");
    let mistakes = setup.mistakes();
    for part in [
        "`TERMINATE_CLUSTERS__POLICY__IDLE_AFTER` is \"3\", which lacks a unit",
        "did you mean `TERMINATE_CLUSTERS__POLICY__IDLE_AFTER`?",
        "`TERMINATE_CLUSTERS__POLICY__PROTECT_NAMES` is not a setting",
        "`TERMINATE_CLUSTERS__LIMITS__PARALLEL_REQUESTS` is \"many\"",
        "`TERMINATE_CLUSTERS__POLICY__PROTECT_PINNED` is \"yes\"; write `true` or `false`",
        "did you mean `TERMINATE_CLUSTERS_LOG`?",
    ] {
        let found = mistakes.iter().any(|mistake| mistake.contains(part));
        assert!(found, "{part}: {mistakes:#?}");
    }
    assert_eq!(mistakes.len(), 6, "{mistakes:#?}");
}

#[test]
fn the_policy_comes_from_one_place() {
    let inline = "[policy]\nidle_after = \"4h\"";
    let setup =
        Setup::policy("[policy]\nidle_after = \"5h\"").with("TERMINATE_CLUSTERS_POLICY", inline);
    let settings = setup.read().unwrap();
    assert_eq!(
        settings.policy.base.idle_after,
        Duration::from_secs(4 * 3600)
    );
    let both = setup.with("TERMINATE_CLUSTERS_POLICY_FILE", "terminate-clusters.toml");
    let mistakes = both.mistakes();
    assert_eq!(mistakes.len(), 1);
    assert!(mistakes[0].contains("remove one of them"), "{mistakes:?}");
    let other = Setup::default().with("TERMINATE_CLUSTERS_POLICY_FILE", "/etc/policy.toml");
    let mistakes = other.mistakes();
    assert_eq!(mistakes.len(), 1);
    assert!(
        mistakes[0].contains("cannot be read from /etc/policy.toml"),
        "{mistakes:?}"
    );
}

#[test]
fn files_are_looked_for_where_the_host_says() {
    let setup = Setup::default().with("FUNCTIONS_APP_ROOT_PATH", "/elsewhere");
    let mistakes = setup.mistakes();
    assert_eq!(mistakes.len(), 1);
    assert!(
        mistakes[0].contains("/elsewhere/terminate-clusters.toml"),
        "{mistakes:?}"
    );
}

#[test]
fn a_sweep_ends_before_the_hosts_timeout() {
    let deadline = |setup: &Setup| setup.read().unwrap().invocation_deadline().as_secs();
    let setup = Setup::default();
    assert_eq!(deadline(&setup), 570);
    let silent = setup.clone().with_host_json("{\"version\":\"2.0\"}");
    assert_eq!(deadline(&silent), 270);
    let endless = setup.clone().with_host_json("{\"functionTimeout\":\"-1\"}");
    assert_eq!(deadline(&endless), 30 * 60);
    let overridden = setup
        .clone()
        .with("AzureFunctionsJobHost__FunctionTimeout", "00:01:00");
    assert_eq!(deadline(&overridden), 30);
    let commented = setup.with_host_json("{ // ten\n\"functionTimeout\":\"00:10:00\"}");
    assert_eq!(deadline(&commented), 270);
    let warnings = commented.read().unwrap().warnings;
    assert!(
        warnings.iter().any(|line| line.contains("not plain JSON")),
        "{warnings:?}"
    );
}

#[test]
fn a_timeout_that_cannot_be_read_is_a_mistake() {
    let wrong = Setup::default().with_host_json("{\"functionTimeout\":\"10 minutes\"}");
    assert_eq!(
        wrong.mistakes(),
        [
            "host.json: `functionTimeout` is \"10 minutes\"; write it as hh:mm:ss, such as \"00:10:00\", or \"-1\" for no limit"
        ]
    );
    let wrong = Setup::default().with("AzureFunctionsJobHost__functionTimeout", "10m");
    assert_eq!(wrong.mistakes().len(), 1);
}

#[test]
fn no_secret_is_shown_by_a_mistake_or_by_debug() {
    let setup = Setup::default()
        .with("IDENTITY_ENDPOINT", "http://127.0.0.1:4141/msi/token")
        .with("IDENTITY_HEADER", "marker-1");
    let settings = setup.read().unwrap();
    assert!(settings.managed_identity.is_some());
    assert!(!format!("{settings:?}").contains("marker"));
    let mistakes = setup
        .with("TERMINATE_CLUSTERS_CLIENT_SECRET_SECRET", "marker~2.secret")
        .with(
            "TERMINATE_CLUSTERS_KEY_VAULT_URL",
            "https://u:marker@kv.vault.azure.net",
        )
        .with("IDENTITY_ENDPOINT", "")
        .mistakes();
    assert_eq!(mistakes.len(), 3);
    assert!(!mistakes.join("").contains("marker"), "{mistakes:?}");
}

#[test]
fn the_port_is_a_number_or_a_sentence() {
    let port = |text: &str| port(&Environment::from_iter([(PORT.name, text)]));
    assert_eq!(port("7071"), Ok(7071));
    for text in ["", "0", "65536", "http", "-1"] {
        let refused = port(text).unwrap_err();
        assert!(
            refused.contains("FUNCTIONS_CUSTOMHANDLER_PORT"),
            "{refused}"
        );
    }
}

#[test]
fn every_default_passes_its_own_check() {
    for table in TABLES {
        let with_default = |key: &&Key| key.is_scalar() && !key.default.is_empty();
        for key in table.keys.iter().filter(with_default) {
            let parsed = match key.kind {
                key::Kind::Duration { .. } => values::parse_duration(key.default).map(|_| ()),
                key::Kind::Count { .. } => values::parse_count(key.default).map(|_| ()),
                key::Kind::Flag => values::parse_flag(key.default).map(|_| ()),
                key::Kind::Globs | key::Kind::Text | key::Kind::Tags => unreachable!(),
            };
            assert_eq!(parsed, Ok(()), "{}", key.name);
        }
    }
}

#[test]
fn the_sample_policy_has_every_key_at_its_default() {
    let sample = include_str!("../../terminate-clusters.toml");
    let settings = Setup::policy(sample).read().unwrap();
    let defaults = Setup::default().read().unwrap();
    assert_eq!(settings.policy, defaults.policy);
    assert_eq!(settings.limits, defaults.limits);
    assert!(settings.workspaces.is_empty());
    let mut header = "";
    let mut written = BTreeSet::new();
    for line in sample
        .lines()
        .map(|line| line.trim_start_matches(['#', ' ']))
    {
        if line.starts_with('[') {
            header = line;
        } else if let Some((key, value)) = line.split_once(" = ") {
            written.insert((header, key));
            let plain = value.trim_matches('"');
            let defaults = TABLES.iter().filter(|table| table.header == header);
            let key = defaults
                .flat_map(|table| table.keys)
                .find(|known| known.name == key);
            if let Some(key) = key.filter(|key| key.is_scalar() && !key.default.is_empty()) {
                assert_eq!(plain, key.default, "{header} {}", key.name);
            }
        }
    }
    for table in TABLES {
        for key in table.keys {
            // The comment beside `cluster` tells of the alternative; what an override can
            // change stands under [policy]; few need [cloud], which docs/clouds.md shows.
            let is_there = written.contains(&(table.header, key.name))
                || (table.header, key.name) == ("[[exempt]]", "name")
                || table.header == "[cloud]"
                || table.header == "[[override]]"
                    && POLICY_KEYS.iter().any(|known| known.name == key.name);
            assert!(is_there, "{} {}", table.header, key.name);
        }
    }
}

#[test]
fn the_samples_commented_tables_are_valid_too() {
    let sample = include_str!("../../terminate-clusters.toml");
    let is_code = |line: &str| {
        let line = line.trim_start_matches(['#', ' ']);
        line.starts_with('[') || line.contains(" = ") && !line.contains("TERMINATE")
    };
    let all: String = sample
        .lines()
        .filter(|line| is_code(line))
        .map(|line| format!("{}\n", line.trim_start_matches(['#', ' '])))
        .collect();
    let settings = Setup::policy(&all).read().unwrap();
    assert_eq!(settings.workspaces.len(), 2);
    assert_eq!(settings.policy.base.exemptions.len(), 1);
    assert_eq!(settings.policy.overrides.len(), 2);
    assert!(settings.policy.base.spark_witness);
}

#[test]
fn the_sample_of_local_settings_lists_every_app_setting_with_safe_values() {
    let sample = include_str!("../../local.settings.json.example");
    let values = local_values(sample).unwrap();
    for setting in APP_SETTINGS {
        assert!(values.contains_key(setting.name), "{}", setting.name);
        if !setting.default.is_empty() {
            assert_eq!(values[setting.name], setting.default);
        }
    }
    let environment = Environment::default().or_local_values(values);
    let settings = Setup::default().read_with(&environment).unwrap();
    assert_eq!(settings.mode, Mode::Report);
}

#[test]
fn who_gives_the_secret_itself_is_sent_to_the_vault() {
    let setup = Setup::default().with("TERMINATE_CLUSTERS_CLIENT_SECRET", "planted-8Q~secret");
    assert_eq!(
        setup.mistakes(),
        [
            "`TERMINATE_CLUSTERS_CLIENT_SECRET` is not a setting; no setting holds a secret: put it into Key Vault and \
             its name there into `TERMINATE_CLUSTERS_CLIENT_SECRET_SECRET`"
        ]
    );
}

#[test]
fn the_reference_lists_everything_that_can_be_set_in_one_table() {
    let rows: Vec<_> = reference().collect();
    let names: BTreeSet<&String> = rows.iter().map(|(name, ..)| name).collect();
    assert_eq!(names.len(), rows.len());
    let keys: usize = TABLES.iter().map(|table| table.keys.len()).sum();
    assert_eq!(rows.len(), APP_SETTINGS.len() + keys);
    let markdown = reference_markdown();
    assert_eq!(markdown.lines().count(), rows.len() + 2);
    assert!(markdown.contains("| `[policy] idle_after` | `2h` | how long"));
    assert!(
        rows.iter()
            .all(|(_, _, meaning)| !meaning.contains('|') && !meaning.is_empty())
    );
}

/// An app folder and its settings; what is not set is valid.
#[derive(Clone)]
struct Setup {
    variables: Vec<(String, String)>,
    policy: Option<String>,
    host_json: String,
}

impl Default for Setup {
    fn default() -> Self {
        let required = [
            (
                "TERMINATE_CLUSTERS_KEY_VAULT_URL",
                "https://kv-ops.vault.azure.net",
            ),
            ("TERMINATE_CLUSTERS_TENANT_ID_SECRET", "tenant"),
            ("TERMINATE_CLUSTERS_CLIENT_ID_SECRET", "id"),
            ("TERMINATE_CLUSTERS_CLIENT_SECRET_SECRET", "secret"),
        ];
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            variables: required.map(own).to_vec(),
            policy: Some(String::new()),
            host_json: r#"{"version":"2.0","functionTimeout":"00:10:00"}"#.to_owned(),
        }
    }
}

impl Setup {
    fn policy(text: &str) -> Self {
        Self {
            policy: Some(text.to_owned()),
            ..Self::default()
        }
    }

    /// Later values win, so a default can be replaced.
    fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn with_host_json(mut self, text: &str) -> Self {
        self.host_json = text.to_owned();
        self
    }

    fn read(&self) -> Result<Settings, SettingsError> {
        self.read_with(&self.variables.iter().cloned().collect())
    }

    fn read_with(&self, environment: &Environment) -> Result<Settings, SettingsError> {
        let read_file = |path: &Path| match path.to_str() {
            Some("/app/host.json") => Ok(self.host_json.clone()),
            Some("/app/terminate-clusters.toml") => {
                self.policy.clone().ok_or(io::ErrorKind::NotFound.into())
            }
            _ => Err(io::ErrorKind::NotFound.into()),
        };
        Settings::read(environment, Path::new("/app"), &read_file)
    }

    fn mistakes(&self) -> Vec<String> {
        let error = self.read().expect_err("there is a mistake");
        let lines: Vec<String> = error.mistakes().iter().map(ToString::to_string).collect();
        assert_eq!(error.to_string(), lines.join("\n"));
        lines
    }
}

/// The mistakes of a workspace with these lines, without where they are.
fn mistakes_of_workspace(lines: &str) -> Vec<String> {
    let policy = format!(
        "[[workspaces]]\nname = \"a\"\nurl = \"https://adb-1.1.azuredatabricks.net\"\n{lines}"
    );
    match Setup::policy(&policy).read() {
        Ok(_) => Vec::new(),
        Err(error) => error.mistakes().iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_resource_is_named_as_a_whole_or_by_all_its_parts() {
    let subscription = "subscription_id = \"00000000-1111-2222-3333-444444444444\"\n";
    let group = "resource_group = \"rg-1\"\n";
    let name = "workspace_name = \"dbx\"\n";
    let all = [subscription, group, name].concat();
    assert_eq!(mistakes_of_workspace(&all), Vec::<String>::new());
    assert_eq!(
        mistakes_of_workspace(&format!("{all}access = \"contributor\"\n")),
        Vec::<String>::new()
    );
    let whole = "resource_id = \"/subscriptions/00000000-1111-2222-3333-444444444444/resourceGroups/g/providers/Microsoft.Databricks/workspaces/n\"\n";
    #[rustfmt::skip]
    let rows = [
        (format!("{whole}{group}"), vec!["`resource_group` stands beside `resource_id`"]),
        (subscription.to_owned(), vec!["`resource_group` is missing", "`workspace_name` is missing"]),
        (format!("{group}{name}"), vec!["`subscription_id` is missing"]),
        (all.replace("rg-1", "a/b"), vec!["`resource_group` is \"a/b\"; write the resource group's name"]),
        (all.replace("00000000-1111", "x"), vec!["write the subscription's id, a GUID"]),
        (all.replace("dbx", "d b"), vec!["write the workspace's name in Azure"]),
        ("access = \"contributor\"\n".to_owned(), vec!["which needs the workspace's Azure resource"]),
        ("access = \"owner\"\n".to_owned(), vec!["write \"member\" or \"contributor\""]),
        ("access = \"contributor\"\nresource_id = \"x\"\n".to_owned(), vec!["`resource_id` is \"x\""]),
    ];
    for (lines, parts) in rows {
        let mistakes = mistakes_of_workspace(&lines);
        assert_eq!(mistakes.len(), parts.len(), "{mistakes:?}");
        for (mistake, part) in mistakes.iter().zip(parts) {
            assert!(mistake.contains(part), "{mistake}");
        }
    }
}

fn default_limits() -> Limits {
    let seconds = Duration::from_secs;
    Limits {
        connect_timeout: seconds(5),
        request_timeout: seconds(30),
        request_attempts: 4,
        retry_budget: seconds(60),
        retry_first_wait: Duration::from_millis(500),
        retry_longest_wait: seconds(10),
        requests_per_second: 5,
        request_burst: 10,
        parallel_requests_per_workspace: 4,
        parallel_requests: 64,
        parallel_workspaces: 32,
        read_back_for: seconds(60),
        read_back_every: seconds(2),
        second_look_runs_age: seconds(30),
        join_for: seconds(120),
        join_every: seconds(2),
        runs_page_cap: 200,
        function_timeout_margin: seconds(30),
        sweep_deadline: seconds(30 * 60),
        token_timeout: seconds(20),
        warn_before: seconds(21 * 24 * 3600),
    }
}

#[test]
fn a_place_is_the_line_of_its_byte() {
    let text = "a\n\nb\r\nc\n";
    let source = table::Source::new("s".to_owned(), text.to_owned());
    for offset in 0..=text.len() {
        let line = text[..offset].matches('\n').count() + 1;
        assert_eq!(source.place(offset).line(), line, "{offset}");
    }
    assert_eq!(source.place(text.len() + 9).line(), 5, "beyond its end");
}
