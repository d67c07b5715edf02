//! `policy test` and `policy lint`: what they take, and what they tell.
//!
//! Neither asks anyone anything: the files and the time are handed in, text and
//! exit come out. What is wrong with the files is told before anything else,
//! all of it.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::Exit;
use crate::human::Count;
use crate::policy_cases::{self, text};
use crate::policy_lint::{Warning, Weight};
use crate::settings::{self, Environment, Mistake, PolicyFile, ReadFile};
use crate::timestamp::Timestamp;

/// What can be asked about a policy.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum PolicyCommand {
    /// Check the decisions about the clusters that a file describes.
    Test(PolicyTest),
    /// Warn of rules that are legal and probably not meant.
    Lint(PolicyLint),
}

/// `terminate-clusters policy test` as it was typed.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct PolicyTest {
    /// The file with the cases.
    #[arg(value_name = "FILE")]
    pub cases: PathBuf,
    /// The policy; absent, the one that a sweep would find.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
}

/// `terminate-clusters policy lint` as it was typed.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct PolicyLint {
    /// The policy; absent, the one that a sweep would find.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
}

/// The world of the command line, as far as these commands need it.
#[derive(Clone, Copy)]
#[expect(
    missing_debug_implementations,
    reason = "a function that reads files has nothing to show"
)]
pub struct Desk<'d> {
    pub environment: &'d Environment,
    pub working_directory: &'d Path,
    pub read_file: ReadFile<'d>,
    /// By which exemptions have ended. No case is decided by it.
    pub now: Timestamp,
}

/// What is told on standard output, and how it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub text: String,
    pub exit: Exit,
}

impl PolicyCommand {
    /// Answers the command.
    ///
    /// # Errors
    ///
    /// Every mistake in the files and the app settings that were read.
    pub fn run(&self, desk: Desk<'_>) -> Result<Told, Vec<Mistake>> {
        match self {
            Self::Test(command) => command.run(desk),
            Self::Lint(command) => command.run(desk),
        }
    }
}

impl PolicyTest {
    fn run(&self, desk: Desk<'_>) -> Result<Told, Vec<Mistake>> {
        let policy = read_policy(desk, self.policy.as_deref());
        // The cases are read even if the policy is wrong, to tell all at once.
        let workspaces = policy.as_ref().map_or(&[][..], |file| &file.workspaces);
        let in_folder = |path: &Path| (desk.read_file)(&desk.working_directory.join(path));
        let cases = settings::read_cases(&self.cases, workspaces, &in_folder);
        let (policy, cases) = match (policy, cases) {
            (Ok(policy), Ok(cases)) => (policy, cases),
            (policy, cases) => {
                let errors = [policy.err(), cases.err()];
                let errors = errors.iter().flatten();
                return Err(errors.flat_map(|error| error.mistakes().to_vec()).collect());
            }
        };
        let file = self.cases.display().to_string();
        let mut told = String::new();
        let mut failed = 0_usize;
        for case in &cases {
            let verdict = policy_cases::check(case, &policy.policy);
            failed += usize::from(!verdict.holds());
            told.push_str(&text::case(&file, case, &verdict));
        }
        told.push_str(&text::summary(
            cases.len() - failed,
            failed,
            &policy.title(),
        ));
        let exit = if failed == 0 {
            Exit::AllSeen
        } else {
            Exit::Failure
        };
        Ok(Told { text: told, exit })
    }
}

impl PolicyLint {
    fn run(&self, desk: Desk<'_>) -> Result<Told, Vec<Mistake>> {
        let policy = read_policy(desk, self.policy.as_deref());
        let policy = policy.map_err(|error| error.mistakes().to_vec())?;
        let found = policy.lint(desk.now);
        let mut told = String::new();
        for (place, warning) in &found {
            let Warning {
                weight,
                subject,
                what,
                why,
                fix,
            } = warning;
            let (weight, key) = (weight.as_str(), subject.key);
            told.push_str(&format!("{weight}: {place}: `{key}` {what}\n"));
            told.push_str(&format!("  why: {why}\n  fix: {fix}\n"));
        }
        let of_weight = |weight: Weight| {
            let found = found.iter();
            found.filter(|(_, one)| one.weight == weight).count()
        };
        let warnings = of_weight(Weight::Warning);
        told.push_str(&format!(
            "{}: {}, {}\n",
            policy.title(),
            Count(warnings, "warning"),
            Count(of_weight(Weight::Note), "note")
        ));
        let exit = if warnings == 0 {
            Exit::AllSeen
        } else {
            Exit::Failure
        };
        Ok(Told { text: told, exit })
    }
}

fn read_policy(desk: Desk<'_>, file: Option<&Path>) -> Result<PolicyFile, settings::SettingsError> {
    PolicyFile::read(
        desk.environment,
        desk.working_directory,
        file,
        desk.read_file,
    )
}
