//! A file of cases that tests a policy: what is refused says why, and what is
//! accepted can be judged.
#![no_main]

use std::io;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use terminate_clusters::policy_cases::check;
use terminate_clusters::settings::{Environment, PolicyFile, read_cases};
use terminate_clusters_fuzz::{Answers, assert_is_shown_safely};

fuzz_target!(|data: &[u8]| {
    let answers = Answers::of(data);
    let (Some(cases), Some(policy)) = (answers.text(0), answers.text(1).or(Some(""))) else {
        return;
    };
    let read = |text: &str| {
        let text = text.to_owned();
        move |_: &Path| io::Result::Ok(text.clone())
    };
    let path = Path::new("cases.toml");
    let policy = PolicyFile::read(
        &Environment::default(),
        Path::new("/app"),
        Some(path),
        &read(policy),
    );
    let Ok(policy) = policy else { return };
    match read_cases(path, &policy.workspaces, &read(cases)) {
        Ok(cases) => {
            assert!(!cases.is_empty(), "a test of nothing");
            for case in &cases {
                let verdict = check(case, &policy.policy);
                assert_eq!(verdict, check(case, &policy.policy), "judged twice");
                assert_is_shown_safely(&verdict.clause);
            }
        }
        Err(error) => {
            assert!(!error.mistakes().is_empty(), "refused without a mistake");
            for mistake in error.mistakes() {
                assert_is_shown_safely(&mistake.to_string());
            }
        }
    }
});
