//! What the findings mean for a workspace: which wait applies with the witnesses of
//! today, what stands in the way of any termination, and what each further grant buys.
//!
//! Pure. The waits are those that `decision` uses.

use std::time::Duration;

use super::check::{CheckId, Status};
use super::sheet::{Finding, Sheet};
use crate::decision::{Evidence, threshold};
use crate::human::Span;
use crate::policy::{Mode, Policy};

/// Whether a witness speaks in a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Available,
    /// Something failed on the way to it.
    Missing,
    /// The policy switches it off.
    Off,
    /// It could not be tried: no cluster runs, or something before it failed.
    NotShown,
}

impl Standing {
    /// The spelling in text and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Missing => "missing",
            Self::Off => "off",
            Self::NotShown => "not_shown",
        }
    }
}

/// What one grant would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gain {
    pub sentence: String,
    /// The command that a finding of this sheet prints for it.
    pub command: Option<String>,
}

/// What the findings mean for one workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    pub workspace: String,
    pub spark: Standing,
    pub nodes: Standing,
    /// By whose word a cluster would be terminated, and after how long.
    pub applies: Option<(Evidence, Duration)>,
    pub sentence: String,
    pub gains: Vec<Gain>,
}

const SPARK: [CheckId; 3] = [
    CheckId::SparkPrincipal,
    CheckId::SparkAttach,
    CheckId::StreamingPage,
];
const NODES: [CheckId; 4] = [
    CheckId::ResourceId,
    CheckId::Machines,
    CheckId::Metrics,
    CheckId::Cores,
];
/// Without these nothing is terminated, whatever the witnesses say.
const REQUIRED: [CheckId; 4] = [
    CheckId::Listing,
    CheckId::Clock,
    CheckId::Runs,
    CheckId::Terminate,
];

/// Checks whose warning names some clusters that a grant would add, with what is so until then.
const PARTLY: [(CheckId, &str); 3] = [
    (
        CheckId::SparkAttach,
        "wait as if Spark did not speak, until their drivers let it in",
    ),
    (
        CheckId::Terminate,
        "are never terminated, until it has the right to",
    ),
    (
        CheckId::Unseen,
        "are never looked at, until they are shown to it",
    ),
];

/// The outlook of a workspace under `policy`, the one that holds where no tag says otherwise.
#[must_use]
pub fn outlook(sheet: &Sheet, workspace: &str, mode: Mode, policy: &Policy) -> Outlook {
    let spark = standing(sheet, workspace, &SPARK, policy.spark_witness);
    let nodes = standing(sheet, workspace, &NODES, policy.nodes_witness);
    let applies = evidence(spark, nodes).map(|by| (by, threshold(by, policy)));
    let mut gains: Vec<Gain> = REQUIRED
        .into_iter()
        .filter_map(|id| failed(sheet, workspace, id))
        .map(|finding| Gain {
            sentence: format!("`{}` stands in the way of every termination", finding.id),
            command: command(finding),
        })
        .collect();
    if spark != Standing::Available && spark != Standing::NotShown {
        gains.push(gain(
            sheet,
            workspace,
            Witness::Spark,
            (spark, nodes),
            policy,
        ));
    }
    if nodes != Standing::Available && nodes != Standing::NotShown {
        gains.push(gain(
            sheet,
            workspace,
            Witness::Nodes,
            (spark, nodes),
            policy,
        ));
    }
    gains.extend(partly(sheet, workspace));
    if mode == Mode::Report {
        gains.push(Gain {
            sentence:
                "in report mode nothing is terminated; `TERMINATE_CLUSTERS_MODE` switches it on, \
                       and a `mode` of the workspace can only narrow that"
                    .to_owned(),
            command: None,
        });
    }
    Outlook {
        workspace: workspace.to_owned(),
        spark,
        nodes,
        applies,
        sentence: sentence(spark, nodes, applies, policy),
        gains,
    }
}

/// What grants would bring for some clusters.
fn partly(sheet: &Sheet, workspace: &str) -> impl Iterator<Item = Gain> {
    PARTLY.into_iter().filter_map(move |(id, until)| {
        let finding = found(sheet, workspace, id, Status::Warn)?;
        // Where nothing is known to be missing there is nothing to gain.
        finding.remedy.as_ref()?.missing.as_ref()?;
        Some(Gain {
            sentence: format!("the clusters named under `{id}` {until}"),
            command: command(finding),
        })
    })
}

fn standing(sheet: &Sheet, workspace: &str, ids: &[CheckId], is_on: bool) -> Standing {
    if !is_on {
        return Standing::Off;
    }
    let statuses: Vec<Option<Status>> = ids
        .iter()
        .map(|id| {
            let status = sheet.status_in(workspace, *id);
            // A warning speaks of some clusters, which have their own lines in a report.
            status.map(|status| match status {
                Status::Warn => Status::Ok,
                Status::Ok | Status::Fail | Status::Skipped => status,
            })
        })
        .collect();
    let has = |wanted: Status| statuses.contains(&Some(wanted));
    if has(Status::Fail) {
        Standing::Missing
    } else if has(Status::Skipped) || statuses.contains(&None) {
        Standing::NotShown
    } else {
        Standing::Available
    }
}

fn evidence(spark: Standing, nodes: Standing) -> Option<Evidence> {
    match (spark == Standing::Available, nodes == Standing::Available) {
        (true, true) => Some(Evidence::Both),
        (true, false) => Some(Evidence::SparkAlone),
        (false, true) => Some(Evidence::NodesAlone),
        (false, false) => None,
    }
}

fn sentence(
    spark: Standing,
    nodes: Standing,
    applies: Option<(Evidence, Duration)>,
    policy: &Policy,
) -> String {
    let Some((by, after)) = applies else {
        let is_open = spark == Standing::NotShown || nodes == Standing::NotShown;
        return if is_open {
            "which wait applies could not be shown, because no witness could be tried".to_owned()
        } else {
            "no cluster is ever terminated, because no witness speaks".to_owned()
        };
    };
    let after = Span(after);
    let and_open = match by {
        Evidence::Both => "",
        Evidence::SparkAlone | Evidence::NodesAlone
            if spark == Standing::NotShown || nodes == Standing::NotShown =>
        {
            "; the other witness could not be tried"
        }
        Evidence::SparkAlone | Evidence::NodesAlone => "",
    };
    match by {
        Evidence::Both => format!("a cluster that both witnesses call quiet waits for {after}"),
        Evidence::SparkAlone if policy.spark_alone_suffices => {
            format!("a cluster that Spark alone calls quiet waits for {after}{and_open}")
        }
        Evidence::SparkAlone => format!(
            "a cluster that Spark alone calls quiet waits for {after}, and is never terminated on a single node, \
             a GPU or ML runtime, or before its first Spark job{and_open}"
        ),
        Evidence::NodesAlone => {
            format!("a cluster that its machines alone call quiet waits for {after}{and_open}")
        }
    }
}

#[derive(Clone, Copy)]
enum Witness {
    Spark,
    Nodes,
}

/// What a missing witness would bring.
fn gain(
    sheet: &Sheet,
    workspace: &str,
    missing: Witness,
    (spark, nodes): (Standing, Standing),
    policy: &Policy,
) -> Gain {
    let (name, ids, with_it) = match missing {
        Witness::Spark => ("Spark", &SPARK[..], evidence(Standing::Available, nodes)),
        Witness::Nodes => ("nodes", &NODES[..], evidence(spark, Standing::Available)),
    };
    let now = evidence(spark, nodes).map(|by| Span(threshold(by, policy)).to_string());
    let then = with_it.map(|by| Span(threshold(by, policy)).to_string());
    let then = then.unwrap_or_default();
    let sentence = match now {
        Some(now) => format!(
            "with the {name} witness a quiet cluster would wait for {then} instead of {now}"
        ),
        None => format!("with the {name} witness a quiet cluster would wait for {then}"),
    };
    let (standing, switch) = match missing {
        Witness::Spark => (
            spark,
            "name a `principal` in [witness.spark], once you have read what that gives away \
             (docs/access.md, The driver proxy)",
        ),
        Witness::Nodes => (nodes, "set `enabled = true` in [witness.nodes]"),
    };
    if standing == Standing::Off {
        return Gain {
            sentence: format!("{sentence}: {switch}"),
            command: None,
        };
    }
    let mut findings = ids.iter().filter_map(|id| failed(sheet, workspace, *id));
    Gain {
        sentence,
        command: findings.next().and_then(command),
    }
}

fn failed<'s>(sheet: &'s Sheet, workspace: &str, id: CheckId) -> Option<&'s Finding> {
    found(sheet, workspace, id, Status::Fail)
}

fn found<'s>(
    sheet: &'s Sheet,
    workspace: &str,
    id: CheckId,
    status: Status,
) -> Option<&'s Finding> {
    sheet.findings().iter().find(|one| {
        one.id == id && one.status == status && one.subject.workspace.as_deref() == Some(workspace)
    })
}

fn command(finding: &Finding) -> Option<String> {
    let remedy = finding.remedy.as_ref()?;
    Some(remedy.command.clone())
}

#[cfg(test)]
mod tests {
    use super::super::sheet::{Remedy, Subject};
    use super::*;
    use crate::decision::tests::world::default_policy;

    fn sheet(failing: &[CheckId], skipped: &[CheckId]) -> Sheet {
        let one = Subject::workspace("one", "main");
        let mut sheet = Sheet::default();
        for id in CheckId::ALL {
            sheet.add(if failing.contains(&id) {
                Finding::fail(id, &one, "no", Remedy::look(format!("give {id}")))
            } else if skipped.contains(&id) {
                Finding::skipped(id, &one, "not made")
            } else {
                Finding::ok(id, &one, "yes")
            });
        }
        sheet
    }

    fn of(failing: &[CheckId], skipped: &[CheckId]) -> Outlook {
        outlook(
            &sheet(failing, skipped),
            "one",
            Mode::Terminate,
            &default_policy(),
        )
    }

    fn hours(outlook: &Outlook) -> Option<u64> {
        outlook.applies.map(|(_, after)| after.as_secs() / 3600)
    }

    #[test]
    fn the_wait_is_that_of_the_witnesses_that_speak() {
        let both = of(&[], &[]);
        assert_eq!(hours(&both), Some(2));
        assert!(both.gains.is_empty(), "{:?}", both.gains);
        assert_eq!(hours(&of(&[CheckId::Metrics], &[])), Some(12));
        assert_eq!(hours(&of(&[CheckId::StreamingPage], &[])), Some(96));
        assert_eq!(
            hours(&of(&[CheckId::Metrics, CheckId::SparkAttach], &[])),
            None
        );
    }

    #[test]
    fn each_missing_witness_is_told_with_what_it_buys_and_what_gives_it() {
        let outlook = of(&[CheckId::Machines], &[CheckId::Metrics]);
        assert_eq!(
            outlook.gains,
            [Gain {
                sentence: "with the nodes witness a quiet cluster would wait for 2h instead of 12h"
                    .to_owned(),
                command: Some("give machines".to_owned()),
            }]
        );
        let outlook = of(&[CheckId::Machines, CheckId::SparkAttach], &[]);
        let told: Vec<&str> = outlook
            .gains
            .iter()
            .map(|one| one.sentence.as_str())
            .collect();
        assert_eq!(
            told,
            [
                "with the Spark witness a quiet cluster would wait for 12h",
                "with the nodes witness a quiet cluster would wait for 96h",
            ]
        );
    }

    #[test]
    fn what_could_not_be_tried_is_neither_there_nor_missing() {
        let outlook = of(&[], &[CheckId::SparkAttach, CheckId::StreamingPage]);
        assert_eq!(
            (outlook.spark, outlook.nodes),
            (Standing::NotShown, Standing::Available)
        );
        assert!(
            outlook
                .sentence
                .ends_with("the other witness could not be tried")
        );
        assert!(outlook.gains.is_empty());
        let nothing = of(&[], &[CheckId::SparkAttach, CheckId::Metrics]);
        assert!(
            nothing.sentence.contains("could not be shown"),
            "{}",
            nothing.sentence
        );
    }

    #[test]
    fn what_bars_every_termination_comes_first() {
        let outlook = of(&[CheckId::Runs, CheckId::Metrics], &[]);
        assert_eq!(
            outlook.gains[0],
            Gain {
                sentence: "`runs` stands in the way of every termination".to_owned(),
                command: Some("give runs".to_owned()),
            }
        );
        assert_eq!(outlook.gains.len(), 2);
    }

    #[test]
    fn a_witness_that_the_policy_switches_off_is_told_too() {
        let policy = Policy {
            spark_witness: false,
            ..default_policy()
        };
        let outlook = outlook(&sheet(&[], &[]), "one", Mode::Report, &policy);
        assert_eq!(outlook.spark, Standing::Off);
        assert_eq!(outlook.gains.len(), 2);
        // No grant helps before the policy names who asks.
        assert_eq!(outlook.gains[0].command, None);
        let switch = ": name a `principal` in [witness.spark]";
        assert!(outlook.gains[0].sentence.contains(switch));
        assert!(outlook.gains[1].sentence.contains("report mode"));
    }

    /// A sheet on which this check warns and every other is ok.
    fn warning(id: CheckId, remedy: Remedy) -> Sheet {
        let one = Subject::workspace("one", "main");
        let mut sheet = Sheet::default();
        for known in CheckId::ALL {
            sheet.add(if known == id {
                Finding::warn(id, &one, "some").with(remedy.clone())
            } else {
                Finding::ok(known, &one, "yes")
            });
        }
        sheet
    }

    #[test]
    fn a_grant_for_some_clusters_is_told_with_what_is_so_until_then() {
        for (id, sentence) in [
            (
                CheckId::SparkAttach,
                "the clusters named under `spark-attach` wait as if Spark did not speak, until their drivers let it in",
            ),
            (
                CheckId::Terminate,
                "the clusters named under `terminate` are never terminated, until it has the right to",
            ),
            (
                CheckId::Unseen,
                "the clusters named under `unseen` are never looked at, until they are shown to it",
            ),
        ] {
            let of = |remedy| {
                let sheet = warning(id, remedy);
                outlook(&sheet, "one", Mode::Terminate, &default_policy())
            };
            let given = of(Remedy::grant("a right", "give it"));
            let gain = Gain {
                sentence: sentence.to_owned(),
                command: Some("give it".to_owned()),
            };
            assert_eq!(given.gains, [gain]);
            assert_eq!(hours(&given), Some(2), "{id}");
            // Nothing is known to be missing.
            assert_eq!(of(Remedy::look("look")).gains, [], "{id}");
        }
    }

    #[test]
    fn what_is_wrong_with_single_clusters_spoils_no_witness() {
        let one = Subject::workspace("one", "main");
        for id in [CheckId::Metrics, CheckId::Cores] {
            let mut sheet = Sheet::default();
            for ok in NODES.into_iter().filter(|ok| *ok != id) {
                sheet.add(Finding::ok(ok, &one, "yes"));
            }
            sheet.add(Finding::warn(id, &one, "some"));
            let standing = standing(&sheet, "one", &NODES, true);
            assert_eq!(standing, Standing::Available, "{id}");
        }
    }
}
