//! What the checks found: one list, of which text and JSON are renderings.
//!
//! A check whose prerequisite failed or was skipped is in the list too, as skipped:
//! a list that hides what it could not look at reads like good news. Pure.

use super::check::{CheckId, Scope, Status};

/// What a finding is about, as far as it is not the installation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// A service principal's name in the policy.
    pub principal: Option<String>,
    /// A workspace's name in the policy.
    pub workspace: Option<String>,
    /// A secret's name, where there are several.
    pub item: Option<String>,
}

impl Subject {
    /// The installation as a whole.
    #[must_use]
    pub fn installation() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn principal(name: &str) -> Self {
        Self {
            principal: Some(name.to_owned()),
            ..Self::default()
        }
    }

    /// A workspace as `principal` sees it.
    #[must_use]
    pub fn workspace(name: &str, principal: &str) -> Self {
        Self {
            principal: Some(principal.to_owned()),
            workspace: Some(name.to_owned()),
            item: None,
        }
    }

    /// One thing of several.
    #[must_use]
    pub fn item(mut self, name: &str) -> Self {
        self.item = Some(name.to_owned());
        self
    }
}

/// What to do about a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    /// The right or the thing that is missing; `None` where it is not known that one is.
    pub missing: Option<String>,
    /// The next command to run, to be copied. What is in capitals is to be filled in.
    pub command: String,
}

impl Remedy {
    /// The command that gives what is missing.
    #[must_use]
    pub fn grant(missing: impl Into<String>, command: impl Into<String>) -> Self {
        Self {
            missing: Some(missing.into()),
            command: command.into(),
        }
    }

    /// A command that shows more.
    #[must_use]
    pub fn look(command: impl Into<String>) -> Self {
        Self {
            missing: None,
            command: command.into(),
        }
    }
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub id: CheckId,
    pub subject: Subject,
    pub status: Status,
    /// One sentence without a full stop, everything from outside escaped.
    pub sentence: String,
    /// Always there where the check failed.
    pub remedy: Option<Remedy>,
}

impl Finding {
    #[must_use]
    pub fn ok(id: CheckId, subject: &Subject, sentence: impl Into<String>) -> Self {
        Self::new(id, subject, Status::Ok, sentence.into(), None)
    }

    #[must_use]
    pub fn warn(id: CheckId, subject: &Subject, sentence: impl Into<String>) -> Self {
        Self::new(id, subject, Status::Warn, sentence.into(), None)
    }

    #[must_use]
    pub fn fail(
        id: CheckId,
        subject: &Subject,
        sentence: impl Into<String>,
        remedy: Remedy,
    ) -> Self {
        Self::new(id, subject, Status::Fail, sentence.into(), Some(remedy))
    }

    #[must_use]
    pub fn skipped(id: CheckId, subject: &Subject, sentence: impl Into<String>) -> Self {
        Self::new(id, subject, Status::Skipped, sentence.into(), None)
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with(mut self, remedy: Remedy) -> Self {
        self.remedy = Some(remedy);
        self
    }

    fn new(
        id: CheckId,
        subject: &Subject,
        status: Status,
        sentence: String,
        remedy: Option<Remedy>,
    ) -> Self {
        Self {
            id,
            subject: subject.clone(),
            status,
            sentence,
            remedy,
        }
    }
}

/// All findings, in the order in which they are told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sheet {
    findings: Vec<Finding>,
}

impl Sheet {
    /// All findings.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    pub fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Adds `findings`.
    pub fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings);
    }

    /// How many checks ended so.
    #[must_use]
    pub fn count(&self, status: Status) -> usize {
        let of_status = self.findings.iter().filter(|one| one.status == status);
        of_status.count()
    }

    /// Whether a check failed.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.count(Status::Fail) > 0
    }

    /// The status of a check of a workspace, the worst where there are several.
    #[must_use]
    pub fn status_in(&self, workspace: &str, id: CheckId) -> Option<Status> {
        let of_it = self
            .findings
            .iter()
            .filter(|one| one.id == id && one.subject.workspace.as_deref() == Some(workspace));
        of_it
            .map(|one| one.status)
            .max_by_key(|status| rank(*status))
    }

    /// Whether a check can be made on `subject`.
    #[must_use]
    pub fn is_open(&self, id: CheckId, subject: &Subject) -> bool {
        self.bar(id, subject).is_none()
    }

    /// The finding for a check that cannot be made, since a prerequisite does not hold.
    #[must_use]
    pub fn bar(&self, id: CheckId, subject: &Subject) -> Option<Finding> {
        let needed = id.needs().iter();
        let bars = needed.flat_map(|need| self.about(*need, subject));
        let bar = bars.into_iter().find(|one| match one.status {
            Status::Fail | Status::Skipped => true,
            Status::Ok | Status::Warn => false,
        })?;
        let how = match bar.status {
            Status::Skipped => "was skipped",
            Status::Fail | Status::Ok | Status::Warn => "failed",
        };
        let sentence = format!("needs `{}`, which {how}", bar.id);
        Some(Finding::skipped(id, subject, sentence))
    }

    /// Skips what cannot be made of `ids`; gives the rest.
    pub fn skip_barred(&mut self, ids: &[CheckId], subject: &Subject) -> Vec<CheckId> {
        let mut open = Vec::new();
        for id in ids {
            match self.bar(*id, subject) {
                Some(skipped) => self.add(skipped),
                None => open.push(*id),
            }
        }
        open
    }

    /// The findings of a check that are about the same installation, principal or
    /// workspace as `subject`.
    fn about<'s>(&'s self, id: CheckId, subject: &'s Subject) -> impl Iterator<Item = &'s Finding> {
        self.findings.iter().filter(move |one| {
            let is_same = match id.scope() {
                Scope::Installation => true,
                Scope::Principal => one.subject.principal == subject.principal,
                Scope::Workspace => one.subject.workspace == subject.workspace,
            };
            one.id == id && is_same
        })
    }
}

/// How bad a status is.
fn rank(status: Status) -> u8 {
    match status {
        Status::Ok => 0,
        Status::Warn => 1,
        Status::Skipped => 2,
        Status::Fail => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(id: CheckId, subject: &Subject) -> Finding {
        Finding::fail(id, subject, "no", Remedy::look("look"))
    }

    #[test]
    fn a_dependant_of_a_failed_check_is_skipped_and_not_hidden() {
        let main = Subject::principal("main");
        let mut sheet = Sheet::default();
        sheet.add(fail(CheckId::Vault, &main));
        let rest = [CheckId::Secret, CheckId::Identity, CheckId::TokenArm];
        assert!(sheet.skip_barred(&rest, &main).is_empty());
        let told: Vec<_> = sheet.findings()[1..]
            .iter()
            .map(|one| (one.status, one.sentence.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (Status::Skipped, "needs `vault`, which failed"),
                (Status::Skipped, "needs `secret`, which was skipped"),
                (Status::Skipped, "needs `identity`, which was skipped"),
            ]
        );
    }

    #[test]
    fn a_failure_bars_only_what_is_about_the_same() {
        let mut sheet = Sheet::default();
        sheet.add(fail(CheckId::TokenArm, &Subject::principal("main")));
        sheet.add(fail(CheckId::Listing, &Subject::workspace("one", "main")));
        let one = Subject::workspace("one", "main");
        let two = Subject::workspace("two", "main");
        assert!(!sheet.is_open(CheckId::Machines, &two));
        assert!(sheet.is_open(CheckId::Machines, &Subject::workspace("two", "other")));
        assert!(!sheet.is_open(CheckId::Terminate, &one));
        assert!(sheet.is_open(CheckId::Terminate, &two));
        // The evidence principal sees the same workspace.
        assert!(!sheet.is_open(CheckId::SparkAttach, &Subject::workspace("one", "evidence")));
    }

    #[test]
    fn one_of_several_secrets_bars_the_identity() {
        let main = Subject::principal("main");
        let mut sheet = Sheet::default();
        sheet.add(Finding::ok(CheckId::Secret, &main.clone().item("a"), "yes"));
        assert!(sheet.is_open(CheckId::Identity, &main));
        sheet.add(fail(CheckId::Secret, &main.clone().item("b")));
        assert!(!sheet.is_open(CheckId::Identity, &main));
    }

    #[test]
    fn a_warning_bars_nothing() {
        let main = Subject::principal("main");
        let mut sheet = Sheet::default();
        sheet.add(Finding::warn(CheckId::Secret, &main, "ends soon"));
        assert!(sheet.is_open(CheckId::Identity, &main));
        assert!(!sheet.failed());
    }

    #[test]
    fn the_worst_of_several_counts_for_a_workspace() {
        let one = Subject::workspace("one", "main");
        let mut sheet = Sheet::default();
        assert_eq!(sheet.status_in("one", CheckId::Metrics), None);
        sheet.add(Finding::ok(CheckId::Metrics, &one, "yes"));
        sheet.add(fail(CheckId::Metrics, &one));
        sheet.add(Finding::skipped(CheckId::Metrics, &one, "-"));
        assert_eq!(sheet.status_in("one", CheckId::Metrics), Some(Status::Fail));
        assert_eq!(sheet.status_in("two", CheckId::Metrics), None);
    }
}
