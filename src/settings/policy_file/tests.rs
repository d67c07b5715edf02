use std::io;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_795_348_800_000);

fn read_file(text: &str) -> impl Fn(&Path) -> io::Result<String> {
    move |path| match path.to_str() {
        Some("/app/terminate-clusters.toml") => Ok(text.to_owned()),
        Some("/app/mine.toml") => Ok("[policy]\nidle_after = \"5h\"".to_owned()),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

/// Read where a sweep finds it.
fn read(text: &str, variables: &[(&str, &str)]) -> Result<PolicyFile, SettingsError> {
    let environment = Environment::from_iter(variables.iter().copied());
    PolicyFile::read(&environment, Path::new("/app"), None, &read_file(text))
}

fn found(text: &str) -> PolicyFile {
    read(text, &[]).unwrap()
}

fn places(file: &PolicyFile) -> Vec<(String, &'static str)> {
    let found = file.lint(NOW).into_iter();
    found.map(|(place, one)| (place, one.subject.key)).collect()
}

#[test]
fn needs_no_vault_and_no_mode() {
    let file = found("[policy]\nidle_after = \"3h\"");
    assert_eq!(file.policy.base.idle_after.as_secs(), 3 * 3600);
    assert_eq!(file.title(), "terminate-clusters.toml");
}

#[test]
fn a_file_of_the_command_line_is_read_from_the_working_directory() {
    let environment = Environment::default();
    let read = |name: &str| {
        let name = Some(Path::new(name));
        PolicyFile::read(&environment, Path::new("/app"), name, &read_file(""))
    };
    let file = read("mine.toml").unwrap();
    assert_eq!(file.policy.base.idle_after.as_secs(), 5 * 3600);
    assert_eq!(file.title(), "mine.toml");
    let refused = read("none.toml").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "policy: `none.toml` cannot be read (entity not found)"
    );
}

#[test]
fn app_settings_beat_the_document_and_are_named() {
    let name = "TERMINATE_CLUSTERS__POLICY__IDLE_AFTER";
    let file = read("[policy]\nidle_after = \"3h\"", &[(name, "12m")]).unwrap();
    assert_eq!(file.policy.base.idle_after.as_secs(), 12 * 60);
    assert_eq!(file.title(), format!("terminate-clusters.toml and {name}"));
    assert!(places(&file).contains(&(name.to_owned(), "idle_after")));
}

#[test]
fn every_mistake_of_document_and_app_settings_is_told() {
    let refused = read(
        "[policy]\nidle_after = 3\n[polcy]",
        &[("TERMINATE_CLUSTERS__POLICY__IDLE_AFTR", "3h")],
    );
    let refused = refused.unwrap_err();
    let shown: Vec<String> = refused.mistakes().iter().map(ToString::to_string).collect();
    assert_eq!(shown.len(), 3, "{shown:?}");
    assert!(shown[0].starts_with("`TERMINATE_CLUSTERS__POLICY__IDLE_AFTR` is not a setting"));
    assert!(shown[1].starts_with("terminate-clusters.toml, line 2: `idle_after`"));
    assert!(shown[2].starts_with("terminate-clusters.toml, line 3: `polcy`"));
}

#[test]
fn every_finding_has_the_line_of_its_key_or_item_in_the_order_of_lines() {
    let file = found(
        r#"[policy]
cap_per_workspace = 60
protect_names = [
    "prod-*",
    "prod-1",
]
[[workspaces]]
name = "one"
url = "https://adb-1.1.azuredatabricks.net"
[witness.nodes]
enabled = true
[[exempt]]
name = "a"
until = "2027-01-01"
reason = "x"
[[exempt]]
name = "b"
until = "2026-01-01"
reason = "x"
[[override]]
workspace = "two"
idle_after_one_witness = "1h"
"#,
    );
    let line = |line: usize| format!("terminate-clusters.toml, line {line}");
    assert_eq!(
        places(&file),
        [
            (line(2), "cap_per_workspace"),
            (line(5), "protect_names"),
            (line(7), "resource_id"),
            (line(18), "until"),
            (line(21), "workspace"),
            (line(22), "idle_after_one_witness"),
            (line(22), "idle_after_one_witness"),
        ]
    );
}

#[test]
fn a_witness_that_is_off_stands_in_its_own_table() {
    let file = found("[policy]\n[witness.nodes]\nenabled = false\n");
    let place = "terminate-clusters.toml, line 3".to_owned();
    assert_eq!(places(&file), [(place, "enabled")]);
}

#[test]
fn the_empty_document_gives_nothing_to_warn_of() {
    assert_eq!(places(&found("")), []);
    assert_eq!(places(&found("[policy]\nidle_after = \"2h\"")), []);
}
