//! The policy document and the app settings. Everything that is wrong is told at
//! once and on a line each; what is accepted keeps to its bounds.
#![no_main]

use std::ffi::OsString;
use std::io;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use terminate_clusters::policy::Mode;
use terminate_clusters::settings::{Environment, PolicyFile, Settings, SettingsError};
use terminate_clusters_fuzz::{Answers, NOW, assert_is_shown_safely};
use url::{Host, Url};

const APP_SETTINGS: [(&str, &str); 5] = [
    ("TERMINATE_CLUSTERS_MODE", "terminate"),
    (
        "TERMINATE_CLUSTERS_KEY_VAULT_URL",
        "https://kv-ops.vault.azure.net",
    ),
    ("TERMINATE_CLUSTERS_TENANT_ID_SECRET", "tenant"),
    ("TERMINATE_CLUSTERS_CLIENT_ID_SECRET", "id"),
    ("TERMINATE_CLUSTERS_CLIENT_SECRET_SECRET", "secret"),
];

fuzz_target!(|data: &[u8]| {
    let answers = Answers::of(data);
    let Some(policy) = answers.text(0) else {
        return;
    };
    // The further lines are app settings, which beat those above.
    let further = answers.text(1).unwrap_or_default();
    let further = further.lines().filter_map(|line| line.split_once('='));
    let environment = |mode: Option<&'static str>| {
        let all = APP_SETTINGS.into_iter().chain(further.clone());
        let all = all.chain(mode.map(|mode| ("TERMINATE_CLUSTERS_MODE", mode)));
        let pairs = all.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let inline = (
            OsString::from("TERMINATE_CLUSTERS_POLICY"),
            OsString::from(policy),
        );
        Environment::from_pairs(std::iter::once(inline).chain(pairs))
    };
    let read = |mode| Settings::read(&environment(mode), Path::new("/app"), &no_file);
    match (read(None), read(None)) {
        (Ok(settings), Ok(_)) => assert_keeps_to_its_bounds(&settings),
        (Err(error), Err(again)) => {
            assert_eq!(error, again, "read twice");
            assert_tells_everything(&error);
        }
        (one, other) => panic!("read twice: {one:?} {other:?}"),
    }
    if let Ok(settings) = read(Some("report")) {
        assert_eq!(settings.mode, Mode::Report);
        let widened = settings
            .workspaces
            .iter()
            .any(|one| one.mode == Mode::Terminate);
        assert!(
            !widened,
            "a workspace terminates where the settings say report"
        );
    }
    let file = PolicyFile::read(&environment(None), Path::new("/app"), None, &no_file);
    if let Ok(file) = file {
        assert_is_shown_safely(&file.title());
        for (place, warning) in file.lint(NOW) {
            assert_is_shown_safely(&place);
            assert_is_shown_safely(&warning.what);
            assert_is_shown_safely(&warning.fix);
        }
    }
});

fn no_file(_: &Path) -> io::Result<String> {
    Err(io::Error::from(io::ErrorKind::NotFound))
}

fn assert_tells_everything(error: &SettingsError) {
    assert!(!error.mistakes().is_empty(), "refused without a mistake");
    for mistake in error.mistakes() {
        assert_is_shown_safely(&mistake.to_string());
    }
}

fn assert_keeps_to_its_bounds(settings: &Settings) {
    for warning in &settings.warnings {
        assert_is_shown_safely(warning);
    }
    let base = &settings.policy.base;
    assert!(
        base.idle_after_one_witness >= base.idle_after,
        "one witness suffices sooner than two"
    );
    for workspace in &settings.workspaces {
        assert_leads_nowhere_else(&workspace.url);
        assert_is_shown_safely(&workspace.name);
    }
    for principal in &settings.principals {
        if let Some(vault) = &principal.key_vault_url {
            assert_leads_nowhere_else(vault);
        }
    }
}

/// To a named host by https, and to its root.
fn assert_leads_nowhere_else(url: &Url) {
    assert_eq!(url.scheme(), "https", "{url}");
    assert!(matches!(url.host(), Some(Host::Domain(_))), "{url}");
    assert!(
        url.username().is_empty() && url.password().is_none(),
        "{url}"
    );
    assert!(url.port().is_none() && url.path() == "/", "{url}");
}
