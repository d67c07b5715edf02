//! What the first contact with a workspace shows: name, connection, TLS, API, private
//! link, IP access list, token, membership and entitlement, each told apart.
//!
//! One answer speaks for several checks. A check is ok only where the answer shows it:
//! a workspace that refuses the token has not said whether the address is on its
//! list, so that check is skipped and says so. Pure.

use super::check::CheckId;
use super::commands;
use super::sheet::{Finding, Remedy, Subject};
use crate::databricks::access::AccessProblem;
use crate::escape::Shown;
use crate::policy::Access;

/// The checks that the first contact speaks for, in the order in which a workspace is
/// entered, and what is told of each that holds.
const RUNGS: [(CheckId, &str); 9] = [
    (CheckId::Dns, "its host was found"),
    (CheckId::Connection, "a connection came about"),
    (CheckId::Tls, "its certificate is trusted"),
    (CheckId::Api, "the REST API answers"),
    (
        CheckId::PrivateLink,
        "it takes connections from the network of this machine",
    ),
    (
        CheckId::IpAccessList,
        "it takes connections from the address of this machine",
    ),
    (CheckId::TokenAccepted, "it takes the principal's token"),
    (CheckId::Member, "the principal is known there"),
    (CheckId::WorkspaceAccess, "the principal may use the API"),
];

/// The ids of these checks.
pub(super) fn rungs() -> impl Iterator<Item = CheckId> {
    RUNGS.into_iter().map(|(id, _)| id)
}

/// Which workspace was asked, and by whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Door<'a> {
    /// The workspace's name in the policy.
    pub(super) workspace: &'a str,
    /// The principal's name in the policy.
    pub(super) principal: &'a str,
    pub(super) host: &'a str,
    pub(super) resource_id: Option<&'a str>,
    /// The application's id, where it is known and has the shape of one.
    pub(super) client_id: Option<&'a str>,
    pub(super) access: Access,
    /// The cloud that the settings choose.
    pub(super) cloud: &'static str,
}

impl Door<'_> {
    pub(super) fn subject(&self) -> Subject {
        Subject::workspace(self.workspace, self.principal)
    }

    /// What went wrong. Where it can be that the host is the wrong one, with the host and
    /// the cloud that it is looked for in.
    fn told(&self, problem: &AccessProblem) -> String {
        if concerns_the_endpoint(problem) {
            let host = Shown::name(self.host);
            format!("{problem} ({host} of the {} cloud)", self.cloud)
        } else {
            problem.to_string()
        }
    }
}

fn concerns_the_endpoint(problem: &AccessProblem) -> bool {
    match problem {
        AccessProblem::WrongAudience
        | AccessProblem::WorkspaceNotFound
        | AccessProblem::HostNotFound
        | AccessProblem::NotConnected
        | AccessProblem::TlsFailed
        | AccessProblem::TimedOut
        | AccessProblem::HostRefused => true,
        AccessProblem::NotAMember
        | AccessProblem::NoWorkspaceAccess
        | AccessProblem::WrongTenant { .. }
        | AccessProblem::TokenRefused
        | AccessProblem::NoToken(_)
        | AccessProblem::PrivateLinkOnly
        | AccessProblem::IpAccessList
        | AccessProblem::Forbidden
        | AccessProblem::BrokenOff
        | AccessProblem::NotReached
        | AccessProblem::Throttled
        | AccessProblem::HtmlInsteadOfJson
        | AccessProblem::NotUnderstood
        | AccessProblem::ServerError(_)
        | AccessProblem::UnexpectedStatus(_) => false,
    }
}

/// The workspace let the principal in, and knows it by this name.
pub(super) fn entered(door: &Door<'_>, known_as: Option<&str>) -> Vec<Finding> {
    let subject = door.subject();
    let rungs = RUNGS.into_iter();
    let rungs = rungs.map(|(id, shown)| match known_as {
        Some(name) if id == CheckId::Member => {
            let sentence = format!("{shown} as `{}`", Shown::name(name));
            Finding::ok(id, &subject, sentence)
        }
        Some(_) | None => Finding::ok(id, &subject, shown),
    });
    rungs.collect()
}

/// It did not.
pub(super) fn refused(door: &Door<'_>, problem: &AccessProblem) -> Vec<Finding> {
    let subject = door.subject();
    let (failed, held) = place(problem);
    let rungs = RUNGS.into_iter();
    rungs
        .map(|(id, shown)| {
            if id == failed {
                Finding::fail(id, &subject, door.told(problem), remedy(door, problem))
            } else if held.contains(&id) {
                Finding::ok(id, &subject, shown)
            } else {
                let sentence = format!("not shown, because `{failed}` failed");
                Finding::skipped(id, &subject, sentence)
            }
        })
        .collect()
}

/// The check that a problem belongs to, and those that an answer like this shows to hold.
fn place(problem: &AccessProblem) -> (CheckId, &'static [CheckId]) {
    use CheckId::{Api, Connection, Dns, Member, Tls, TokenAccepted};
    const ANSWERED: &[CheckId] = &[Dns, Connection, Tls];
    const BY_API: &[CheckId] = &[Dns, Connection, Tls, Api];
    const TOKEN_TAKEN: &[CheckId] = &[Dns, Connection, Tls, Api, TokenAccepted];
    const KNOWN: &[CheckId] = &[Dns, Connection, Tls, Api, TokenAccepted, Member];
    match problem {
        AccessProblem::HostNotFound => (Dns, &[]),
        // Behind a proxy a name that is not found looks like any refused connection.
        AccessProblem::NotConnected
        | AccessProblem::TimedOut
        | AccessProblem::BrokenOff
        | AccessProblem::NotReached
        | AccessProblem::HostRefused
        | AccessProblem::NoToken(_) => (Connection, &[]),
        AccessProblem::TlsFailed => (Tls, &[]),
        AccessProblem::WorkspaceNotFound
        | AccessProblem::Throttled
        | AccessProblem::HtmlInsteadOfJson
        | AccessProblem::NotUnderstood
        | AccessProblem::ServerError(_)
        | AccessProblem::UnexpectedStatus(_) => (Api, ANSWERED),
        AccessProblem::PrivateLinkOnly => (CheckId::PrivateLink, BY_API),
        AccessProblem::IpAccessList => (CheckId::IpAccessList, BY_API),
        AccessProblem::WrongTenant { .. }
        | AccessProblem::WrongAudience
        | AccessProblem::TokenRefused => (TokenAccepted, BY_API),
        AccessProblem::NotAMember => (Member, TOKEN_TAKEN),
        AccessProblem::NoWorkspaceAccess => (CheckId::WorkspaceAccess, KNOWN),
        AccessProblem::Forbidden => (CheckId::WorkspaceAccess, BY_API),
    }
}

/// What is missing, and the command that gives it or shows more.
pub(super) fn remedy(door: &Door<'_>, problem: &AccessProblem) -> Remedy {
    let Door {
        workspace,
        host,
        resource_id,
        client_id,
        access,
        principal: _,
        cloud: _,
    } = *door;
    match problem {
        AccessProblem::NotAMember => Remedy::grant(
            "membership of the service principal in the workspace",
            match access {
                Access::Member => commands::grant_membership(workspace),
                // As the policy says, by its right on the Azure resource.
                Access::Contributor => commands::grant_by_itself(workspace),
            },
        ),
        AccessProblem::NoWorkspaceAccess => Remedy::grant(
            "the entitlement `workspace-access`",
            commands::grant_membership(workspace),
        ),
        AccessProblem::PrivateLinkOnly => Remedy::grant(
            "a way from the Function App's network to the workspace's private endpoint",
            commands::join_network(),
        ),
        AccessProblem::IpAccessList => Remedy::grant(
            "the Function App's outbound addresses on the workspace's IP access list; the command tells them",
            commands::outbound_addresses(),
        ),
        AccessProblem::WrongTenant { .. } => Remedy::grant(
            "a service principal of the workspace's tenant; the command tells which that is",
            commands::tenant_of(host),
        ),
        AccessProblem::TokenRefused | AccessProblem::Forbidden => {
            Remedy::look(commands::service_principal(client_id))
        }
        AccessProblem::WorkspaceNotFound | AccessProblem::HostNotFound => {
            Remedy::look(commands::workspace_resource(resource_id))
        }
        AccessProblem::TlsFailed => Remedy::look(commands::certificates_of(host)),
        AccessProblem::NotConnected
        | AccessProblem::HtmlInsteadOfJson
        | AccessProblem::NotUnderstood
        | AccessProblem::WrongAudience
        | AccessProblem::UnexpectedStatus(_) => Remedy::look(commands::connection_to(host)),
        AccessProblem::TimedOut
        | AccessProblem::BrokenOff
        | AccessProblem::NotReached
        | AccessProblem::HostRefused
        | AccessProblem::NoToken(_)
        | AccessProblem::Throttled
        | AccessProblem::ServerError(_) => Remedy::look(commands::doctor_of(workspace)),
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// The workspace `one` as its principal `main` enters it.
    pub(in crate::doctor) const DOOR: Door<'static> = Door {
        workspace: "one",
        principal: "main",
        host: "adb-1.2.azuredatabricks.net",
        resource_id: None,
        client_id: None,
        access: Access::Member,
        cloud: "us-gov",
    };
}

#[cfg(test)]
mod tests {
    use super::super::check::Status;
    use super::testing::DOOR;
    use super::*;
    use crate::databricks::access::testing::every_problem;

    fn statuses(problem: &AccessProblem) -> Vec<(CheckId, Status)> {
        let findings = refused(&DOOR, problem);
        findings.iter().map(|one| (one.id, one.status)).collect()
    }

    #[test]
    fn each_problem_fails_one_check_and_hides_none() {
        for problem in every_problem() {
            let findings = refused(&DOOR, &problem);
            let ids: Vec<CheckId> = findings.iter().map(|one| one.id).collect();
            assert_eq!(ids, rungs().collect::<Vec<_>>(), "{problem}");
            let failed: Vec<&Finding> = findings
                .iter()
                .filter(|one| one.status == Status::Fail)
                .collect();
            assert_eq!(failed.len(), 1, "{problem}");
            assert!(failed[0].remedy.is_some(), "{problem}");
            // What an answer holds to be so stands before what it refuses.
            let last_ok = findings.iter().rposition(|one| one.status == Status::Ok);
            let fails_at = findings.iter().position(|one| one.status == Status::Fail);
            assert!(last_ok < fails_at, "{problem}");
        }
    }

    #[test]
    fn where_the_host_can_be_wrong_it_is_told_with_its_cloud() {
        let told = |problem: &AccessProblem| {
            let findings = refused(&DOOR, problem);
            let mut failed = findings.into_iter();
            let failed = failed.find(|one| one.status == Status::Fail);
            failed.unwrap().sentence
        };
        let place = " (adb-1.2.azuredatabricks.net of the us-gov cloud)";
        assert!(told(&AccessProblem::HostNotFound).ends_with(place));
        assert!(told(&AccessProblem::WrongAudience).ends_with(place));
        assert_eq!(
            told(&AccessProblem::NotAMember),
            AccessProblem::NotAMember.to_string()
        );
    }

    #[test]
    fn an_answer_shows_no_more_than_it_says() {
        use Status::{Fail, Ok, Skipped};
        let of = |problem: &AccessProblem| -> Vec<Status> {
            statuses(problem)
                .into_iter()
                .map(|(_, status)| status)
                .collect()
        };
        let s = Skipped;
        assert_eq!(
            of(&AccessProblem::HostNotFound),
            [Fail, s, s, s, s, s, s, s, s]
        );
        assert_eq!(
            of(&AccessProblem::NotConnected),
            [s, Fail, s, s, s, s, s, s, s]
        );
        assert_eq!(
            of(&AccessProblem::Throttled),
            [Ok, Ok, Ok, Fail, s, s, s, s, s]
        );
        assert_eq!(
            of(&AccessProblem::PrivateLinkOnly),
            [Ok, Ok, Ok, Ok, Fail, s, s, s, s]
        );
        assert_eq!(
            of(&AccessProblem::IpAccessList),
            [Ok, Ok, Ok, Ok, s, Fail, s, s, s]
        );
        assert_eq!(
            of(&AccessProblem::TokenRefused),
            [Ok, Ok, Ok, Ok, s, s, Fail, s, s]
        );
        assert_eq!(
            of(&AccessProblem::NotAMember),
            [Ok, Ok, Ok, Ok, s, s, Ok, Fail, s]
        );
        assert_eq!(
            of(&AccessProblem::NoWorkspaceAccess),
            [Ok, Ok, Ok, Ok, s, s, Ok, Ok, Fail]
        );
        assert_eq!(
            of(&AccessProblem::Forbidden),
            [Ok, Ok, Ok, Ok, s, s, s, s, Fail]
        );
    }

    #[test]
    fn who_was_let_in_is_told_by_the_name_that_the_workspace_knows() {
        let findings = entered(&DOOR, Some("11111111-2222-3333-4444-555555555555"));
        assert!(findings.iter().all(|one| one.status == Status::Ok));
        let member = findings.iter().find(|one| one.id == CheckId::Member);
        assert_eq!(
            member.map(|one| one.sentence.as_str()),
            Some("the principal is known there as `11111111-2222-3333-4444-555555555555`")
        );
    }
}
