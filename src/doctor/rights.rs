//! What the principal may do in a workspace: list, see all runs, terminate, and whether
//! clusters are hidden from it. Pure: answers come in, findings come out.

use super::access::{Door, remedy};
use super::check::CheckId;
use super::commands;
use super::sheet::{Finding, Remedy};
use crate::cluster::Cluster;
use crate::databricks::access::AccessProblem;
use crate::databricks::{ActiveRuns, ClusterListing, Level, Listed, Me, RunsError};
use crate::escape::Shown;
use crate::human::Count;
use crate::service::ClockSkew;

/// How many clusters a sentence names.
const NAMED: usize = 3;

/// What was asked about one cluster, under the name that is shown.
pub(super) type Of<T> = (String, T);

/// A cluster as a sentence names it.
pub(super) fn named(cluster: &Cluster) -> String {
    let id = Shown::name(cluster.id.as_str());
    if cluster.name.is_empty() {
        return format!("`{id}`");
    }
    format!("`{}` [{id}]", Shown::new(&cluster.name, 40))
}

/// The first of several, and how many more there are.
pub(super) fn some_of<'n>(names: impl ExactSizeIterator<Item = &'n str>) -> String {
    let more = names.len().saturating_sub(NAMED);
    let mut text = names.take(NAMED).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// The clusters that run and are all-purpose.
pub(super) fn running(listing: &ClusterListing) -> Vec<Cluster> {
    let parsed = listing.clusters.iter().filter_map(|one| match one {
        Listed::Parsed(cluster) => Some(cluster.as_ref()),
        Listed::Unparsed { .. } => None,
    });
    parsed
        .filter(|cluster| cluster.is_running_all_purpose())
        .cloned()
        .collect()
}

/// `was_compared`: whether an answer of the workspace said when it was written.
pub(super) fn clock(door: &Door<'_>, was_compared: bool, skew: Option<ClockSkew>) -> Finding {
    let subject = door.subject();
    match skew {
        None if !was_compared => {
            let sentence =
                "not shown, because no answer of the workspace had a `Date` that can be read";
            Finding::warn(CheckId::Clock, &subject, sentence)
        }
        None => Finding::ok(CheckId::Clock, &subject, "they are less than 5m apart"),
        Some(skew) => Finding::fail(
            CheckId::Clock,
            &subject,
            skew.to_string(),
            Remedy::grant("the right time on this machine", "timedatectl status"),
        ),
    }
}

pub(super) fn listing(door: &Door<'_>, listing: &ClusterListing) -> Finding {
    let subject = door.subject();
    if let Err(error) = &listing.complete {
        let problem = AccessProblem::of(error);
        let sentence = format!("the list of clusters is incomplete: {problem}");
        return Finding::fail(CheckId::Listing, &subject, sentence, remedy(door, &problem));
    }
    let running = Count(running(listing).len(), "running all-purpose cluster");
    let is_strange = |one: &&Listed| matches!(one, Listed::Unparsed { .. });
    let strange = listing.clusters.iter().filter(is_strange).count();
    if strange == 0 {
        return Finding::ok(CheckId::Listing, &subject, format!("it lists {running}"));
    }
    let strange = Count(strange, "item");
    let sentence = format!("it lists {running}, and {strange} of the list that are not understood");
    Finding::warn(CheckId::Listing, &subject, sentence)
        .with(Remedy::look(commands::record(door.workspace)))
}

/// `vouched`: whether the policy says `sees_all_runs = true`.
pub(super) fn runs(
    door: &Door<'_>,
    me: &Me,
    vouched: bool,
    listed: &Result<ActiveRuns, RunsError>,
) -> Finding {
    let subject = door.subject();
    let all = Remedy::grant(
        "membership of the group `admins`; or CAN_VIEW on every job, and `sees_all_runs = true` in the policy",
        commands::grant_admin(door.workspace),
    );
    let fail = |sentence: String, remedy| Finding::fail(CheckId::Runs, &subject, sentence, remedy);
    match listed {
        // One page was enough to show that it may.
        Ok(_) | Err(RunsError::PageCap { .. }) => {}
        Err(RunsError::Forbidden(_)) => {
            return fail(
                "it may not list job runs, so nothing is terminated".to_owned(),
                all,
            );
        }
        Err(RunsError::Call(error)) => {
            let problem = AccessProblem::of(error);
            let sentence = format!("the job runs could not be listed: {problem}");
            return fail(sentence, remedy(door, &problem));
        }
        Err(error @ RunsError::Shape(_)) => {
            return fail(
                error.to_string(),
                Remedy::look(commands::record(door.workspace)),
            );
        }
    }
    if me.is_admin() {
        let sentence = "it is a workspace admin, who sees every job run";
        return Finding::ok(CheckId::Runs, &subject, sentence);
    }
    if vouched {
        let sentence =
            "the policy vouches for it (`sees_all_runs = true`), which nothing here can check";
        return Finding::ok(CheckId::Runs, &subject, sentence);
    }
    let sentence = "it is no workspace admin, so runs of others can be missing from its list without a word, and \
                    nothing is terminated";
    fail(sentence.to_owned(), all)
}

/// `asked`: the permission on each cluster that was looked at, or why it was not told.
/// Never found out by trying.
pub(super) fn terminate(door: &Door<'_>, me: &Me, asked: &[Of<Result<Level, String>>]) -> Finding {
    let subject = door.subject();
    let id = CheckId::Terminate;
    if me.is_admin() {
        let sentence = "it is a workspace admin, who has CAN_MANAGE on every cluster";
        return Finding::ok(id, &subject, sentence);
    }
    if asked.is_empty() {
        let sentence = "no all-purpose cluster is running, so there are no permissions to read; they are given cluster \
                        by cluster";
        return Finding::skipped(id, &subject, sentence);
    }
    let lacking: Vec<&str> = asked
        .iter()
        .filter(|(_, level)| level.as_ref().is_ok_and(|level| *level < Level::CanRestart))
        .map(|(name, _)| name.as_str())
        .collect();
    let untold: Vec<&String> = asked
        .iter()
        .filter_map(|(_, level)| level.as_ref().err())
        .collect();
    let total = Count(asked.len(), "running cluster");
    let give = Remedy::grant(
        "CAN_RESTART on the clusters",
        commands::grant_termination(door.workspace),
    );
    if lacking.is_empty() && untold.is_empty() {
        let sentence =
            format!("it has CAN_RESTART or more on {total}; each new cluster needs that anew");
        return Finding::ok(id, &subject, sentence);
    }
    if lacking.is_empty() {
        let why = untold.first().map_or("", |why| why.as_str());
        let sentence = format!(
            "whether it has CAN_RESTART is not told for {} of {total}: {why}",
            untold.len()
        );
        // Whoever may read the permissions is told by this what it would change.
        return Finding::warn(id, &subject, sentence)
            .with(Remedy::look(commands::show_termination(door.workspace)));
    }
    let names = some_of(lacking.iter().copied());
    let sentence = format!(
        "it lacks CAN_RESTART on {} of {total}: {names}",
        lacking.len()
    );
    if lacking.len() == asked.len() {
        return Finding::fail(id, &subject, sentence, give);
    }
    Finding::warn(id, &subject, sentence).with(give)
}

/// What became of a cluster that has machines in Azure and is not in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unlisted {
    /// It is shown when asked for by its id: of a job, or not running.
    Shown,
    /// The workspace knows it no longer.
    Gone,
    /// It is refused.
    Hidden,
    /// Nothing was learned; says why.
    Untold(String),
}

/// `asked`: the clusters that Azure's tags name and the list does not; `left_out`: how many
/// more of these there are.
pub(super) fn unseen(door: &Door<'_>, me: &Me, asked: &[Of<Unlisted>], left_out: usize) -> Finding {
    let subject = door.subject();
    let id = CheckId::Unseen;
    let hidden: Vec<&str> = asked
        .iter()
        .filter(|(_, what)| *what == Unlisted::Hidden)
        .map(|(name, _)| name.as_str())
        .collect();
    let give = Remedy::grant(
        "membership of the group `admins`, or CAN_ATTACH_TO on these clusters",
        commands::grant_admin(door.workspace),
    );
    let and_not_all = match left_out {
        0 => String::new(),
        _ => format!("; {}", not_all(asked.len(), left_out)),
    };
    if !hidden.is_empty() {
        let sentence = format!(
            "{} with machines in Azure {} hidden from it (others' job clusters can be among them): {}{and_not_all}",
            Count(hidden.len(), "cluster"),
            if hidden.len() == 1 { "is" } else { "are" },
            some_of(hidden.iter().copied())
        );
        return Finding::warn(id, &subject, sentence).with(give);
    }
    let untold = asked.iter().find_map(|(name, what)| match what {
        Unlisted::Untold(why) => Some((name, why)),
        Unlisted::Shown | Unlisted::Gone | Unlisted::Hidden => None,
    });
    if let Some((name, why)) = untold {
        let sentence = format!(
            "whether {name}, which has machines in Azure, is hidden from it is not told: {why}{and_not_all}"
        );
        return Finding::warn(id, &subject, sentence);
    }
    if left_out > 0 {
        let sentence = format!(
            "none is hidden of those that were asked for: {}",
            not_all(asked.len(), left_out)
        );
        return Finding::warn(id, &subject, sentence);
    }
    let sentence = if me.is_admin() {
        "it sees every cluster that has machines in Azure, and as a workspace admin every other one"
    } else {
        "it sees every cluster that has machines in Azure under its own tag; those of pools have none"
    };
    Finding::ok(id, &subject, sentence)
}

/// That some clusters were not asked for.
fn not_all(asked: usize, left_out: usize) -> String {
    format!(
        "{asked} of {} with machines in Azure that are not in its list were asked for",
        asked + left_out
    )
}

#[cfg(test)]
mod tests {
    use super::super::access::testing::DOOR;
    use super::super::check::Status;
    use super::*;

    const GIVE: &str = "terminate-clusters grant --workspace one --clusters all-purpose --apply";

    fn told(levels: &[Result<Level, &str>]) -> Finding {
        let asked: Vec<_> = levels
            .iter()
            .enumerate()
            .map(|(place, level)| (format!("`c{place}`"), level.map_err(str::to_owned)))
            .collect();
        terminate(&DOOR, &Me::default(), &asked)
    }

    fn parts(finding: &Finding) -> (Status, &str, Option<&str>, Option<&str>) {
        let remedy = finding.remedy.as_ref();
        (
            finding.status,
            &finding.sentence,
            remedy.and_then(|remedy| remedy.missing.as_deref()),
            remedy.map(|remedy| remedy.command.as_str()),
        )
    }

    #[test]
    fn who_may_terminate_no_cluster_fails_with_the_grant() {
        let all = [
            Ok(Level::CanAttachTo),
            Ok(Level::None),
            Ok(Level::None),
            Ok(Level::CanAttachTo),
        ];
        assert_eq!(
            parts(&told(&all)),
            (
                Status::Fail,
                "it lacks CAN_RESTART on 4 of 4 running clusters: `c0`, `c1`, `c2` and 1 more",
                Some("CAN_RESTART on the clusters"),
                Some(GIVE),
            )
        );
    }

    #[test]
    fn who_may_terminate_some_clusters_is_warned_of_the_others() {
        for other in [Ok(Level::CanRestart), Err("HTTP 403")] {
            assert_eq!(
                parts(&told(&[other, Ok(Level::CanAttachTo)])),
                (
                    Status::Warn,
                    "it lacks CAN_RESTART on 1 of 2 running clusters: `c1`",
                    Some("CAN_RESTART on the clusters"),
                    Some(GIVE),
                )
            );
        }
    }

    #[test]
    fn can_restart_and_more_is_enough_to_terminate() {
        assert_eq!(
            parts(&told(&[Ok(Level::CanRestart), Ok(Level::CanManage)])),
            (
                Status::Ok,
                "it has CAN_RESTART or more on 2 running clusters; each new cluster needs that anew",
                None,
                None,
            )
        );
    }

    #[test]
    fn a_right_to_terminate_that_is_not_told_is_neither_there_nor_missing() {
        assert_eq!(
            parts(&told(&[
                Ok(Level::CanRestart),
                Err("HTTP 403"),
                Err("HTTP 500")
            ])),
            (
                Status::Warn,
                "whether it has CAN_RESTART is not told for 2 of 3 running clusters: HTTP 403",
                None,
                Some("terminate-clusters grant --workspace one --clusters all-purpose"),
            )
        );
    }

    #[test]
    fn clocks_that_were_not_compared_are_not_called_right() {
        assert_eq!(clock(&DOOR, false, None).status, Status::Warn);
        assert_eq!(clock(&DOOR, true, None).status, Status::Ok);
    }

    #[test]
    fn an_admin_may_terminate_every_cluster_and_nobody_is_told_of_none() {
        let admin = Me {
            groups: vec!["admins".to_owned()],
            ..Me::default()
        };
        assert_eq!(terminate(&DOOR, &admin, &[]).status, Status::Ok);
        assert_eq!(told(&[]).status, Status::Skipped);
    }
}
