//! Checks of waits, witnesses and caps: what has no effect, and what can never be
//! reached. Pure.

use std::time::Duration;

use super::{Linted, Subject, Table, View, Warning, Weight};
use crate::escape::Shown;
use crate::human::Span;
use crate::policy::{PLATFORM_MARGIN, Policy};
use crate::witness::nodes::{BUCKET, MAX_AGE};

/// Databricks' own limit on a cluster that somebody makes without a thought, and
/// the longest that it accepts.
const USUAL_AUTOTERMINATION: Duration = Duration::from_mins(120);
const LONGEST_AUTOTERMINATION: Duration = Duration::from_mins(10_000);

pub(super) fn no_witness_at_all(linted: &Linted<'_>) -> Vec<Warning> {
    let base = &linted.policy.base;
    let is_off = !base.spark_witness && !base.nodes_witness;
    let found = is_off.then(|| Warning {
        weight: Weight::Warning,
        subject: Subject {
            table: Table::Witness,
            key: "enabled",
            item: None,
        },
        what: "is false, and Spark is off too".to_owned(),
        why: "without a witness nobody can say that a cluster is quiet, so none is ever terminated",
        fix: "switch the nodes on, or name a principal in [witness.spark]".to_owned(),
    });
    found.into_iter().collect()
}

pub(super) fn wait_shorter_than_metrics_arrive(linted: &Linted<'_>) -> Vec<Warning> {
    let delay = MAX_AGE.saturating_add(BUCKET);
    each(linted, "idle_after", |view| {
        let policy = &view.policy;
        let is_short = view.sets_idle_after() && policy.idle_after < delay;
        (is_short && policy.nodes_witness).then(|| Finding {
            what: format!(
                "is {}, shorter than the {} within which metrics must arrive",
                Span(policy.idle_after),
                Span(delay)
            ),
            why: "the newest metric may be ten minutes old and is judged in five-minute buckets, so most of so short a quiet is not seen yet",
            fix: format!("write at least \"{}\"", Span(delay)),
            weight: Weight::Warning,
        })
    })
}

pub(super) fn wait_that_takes_two_witnesses(linted: &Linted<'_>) -> Vec<Warning> {
    each(linted, "idle_after", |view| {
        let policy = &view.policy;
        let (alone, missing, fix) = match (policy.spark_witness, policy.nodes_witness) {
            (true, false) => (
                policy.idle_after_one_witness,
                "the nodes are",
                "switch [witness.nodes] on, or set the wait for one witness",
            ),
            (false, true) => (
                policy.nodes_alone_threshold(),
                "Spark is",
                "name a principal in [witness.spark], or set the waits for one witness",
            ),
            (true, true) | (false, false) => return None,
        };
        let is_meant = view.sets_idle_after() && alone > policy.idle_after;
        is_meant.then(|| Finding {
            what: format!(
                "is {}, but {missing} off, so clusters are terminated after {}",
                Span(policy.idle_after),
                Span(alone)
            ),
            why: "`idle_after` is the wait for two witnesses that agree; one alone waits longer",
            fix: fix.to_owned(),
            weight: Weight::Warning,
        })
    })
}

pub(super) fn wait_for_one_witness_of_no_effect(linted: &Linted<'_>) -> Vec<Warning> {
    each(linted, "idle_after_one_witness", |view| {
        let policy = &view.policy;
        let only_nodes = policy.nodes_witness && !policy.spark_witness;
        let silence = policy.streaming_silence;
        let is_beaten = !policy.nodes_alone_suffices && policy.idle_after_one_witness < silence;
        (view.sets_one_witness() && only_nodes && is_beaten).then(|| Finding {
            what: format!(
                "is {}, but Spark is off and nodes alone wait for `streaming_silence`, {}",
                Span(policy.idle_after_one_witness),
                Span(silence)
            ),
            why: "a stream without data looks like an idle machine, so nodes alone take the longer of the two",
            fix: "name a principal in [witness.spark], or set `nodes_alone_suffices` where no stream runs".to_owned(),
            weight: Weight::Warning,
        })
    })
}

/// Within `[policy]` and within one table that is a mistake; across them it happens.
pub(super) fn one_witness_sooner_than_two(linted: &Linted<'_>) -> Vec<Warning> {
    let found = linted.views().into_iter().filter_map(|view| {
        let policy = &view.policy;
        let one = Span(policy.idle_after_one_witness);
        let both = Span(policy.idle_after);
        if policy.idle_after_one_witness >= policy.idle_after {
            return None;
        }
        let (key, what) = if view.sets_one_witness() {
            let what =
                format!("is {one}, but `idle_after` is {both}, so one witness waits that long");
            ("idle_after_one_witness", what)
        } else {
            let what = format!(
                "is {both}, longer than `idle_after_one_witness`, {one}, which then never holds"
            );
            ("idle_after", what)
        };
        Some(Warning {
            weight: Weight::Warning,
            subject: view.subject(key),
            what,
            why: "less evidence is never enough sooner, whatever the policy says",
            fix: "set both keys in this table".to_owned(),
        })
    });
    found.collect()
}

pub(super) fn silence_of_no_effect(linted: &Linted<'_>) -> Vec<Warning> {
    each(linted, "streaming_silence", |view| {
        let policy = &view.policy;
        let one = policy.idle_after_one_witness.max(policy.idle_after);
        let cause = if !policy.nodes_witness {
            "the nodes are off, and without them a cluster whose streams are unknown is kept anyway"
        } else if policy.streaming_silence <= one {
            "one witness waits as long already"
        } else if !policy.spark_witness && policy.nodes_alone_suffices {
            "Spark, which would see a stream's traces, is off, and `nodes_alone_suffices`"
        } else {
            return None;
        };
        view.sets_silence().then(|| Finding {
            what: format!(
                "is {}, which has no effect: {cause}",
                Span(policy.streaming_silence)
            ),
            why: "it lengthens the wait of nodes alone, and keeps clusters on which a stream was seen",
            fix: "take it out, or write a longer one than `idle_after_one_witness`".to_owned(),
            weight: Weight::Warning,
        })
    })
}

pub(super) fn sufficiency_of_no_effect(linted: &Linted<'_>) -> Vec<Warning> {
    let spark = each(linted, "spark_alone_suffices", |view| {
        let set = view
            .changes
            .map_or(Some(true), |table| table.changes.spark_alone_suffices);
        let policy = &view.policy;
        let is_set = set == Some(true) && policy.spark_alone_suffices;
        (is_set && !policy.spark_witness).then(|| Finding {
            what: "is true, but Spark is off".to_owned(),
            why: "a witness that is not asked cannot suffice",
            fix: "name a principal in [witness.spark], or take it out".to_owned(),
            weight: Weight::Warning,
        })
    });
    let nodes = each(linted, "nodes_alone_suffices", |view| {
        let set = view
            .changes
            .map_or(Some(true), |table| table.changes.nodes_alone_suffices);
        let policy = &view.policy;
        let is_set = set == Some(true) && policy.nodes_alone_suffices;
        let cause = if !policy.nodes_witness {
            "the nodes are off"
        } else if policy.streaming_silence <= policy.idle_after_one_witness {
            "`streaming_silence` is no longer than `idle_after_one_witness` anyway"
        } else {
            return None;
        };
        is_set.then(|| Finding {
            what: format!("is true, but {cause}"),
            why: "all that it does is to let nodes alone wait for less than `streaming_silence`",
            fix: "take it out".to_owned(),
            weight: Weight::Warning,
        })
    });
    spark.into_iter().chain(nodes).collect()
}

pub(super) fn wait_that_the_platform_ends(linted: &Linted<'_>) -> Vec<Warning> {
    let both = each(linted, "idle_after", |view| {
        let is_set = view.sets_idle_after() && has_both(&view.policy);
        ended_by_platform(view, is_set, view.policy.idle_after)
    });
    let one = each(linted, "idle_after_one_witness", |view| {
        let wait = view.policy.idle_after_one_witness;
        let found = ended_by_platform(view, view.sets_one_witness(), wait);
        // One witness waits for longer than the usual limit by default.
        found.filter(|found| found.weight == Weight::Warning)
    });
    both.into_iter().chain(one).collect()
}

fn has_both(policy: &Policy) -> bool {
    policy.spark_witness && policy.nodes_witness
}

fn ended_by_platform(view: &View<'_>, is_set: bool, wait: Duration) -> Option<Finding> {
    let reach = |limit: Duration| limit.saturating_add(PLATFORM_MARGIN);
    if !is_set || !view.policy.trust_platform_clock {
        return None;
    }
    let (weight, whose, limit) = if wait > reach(LONGEST_AUTOTERMINATION) {
        let whose = "no cluster with auto-termination";
        (Weight::Warning, whose, LONGEST_AUTOTERMINATION)
    } else if wait > reach(USUAL_AUTOTERMINATION) {
        let whose = "no cluster with the usual auto-termination of 120 minutes";
        (Weight::Note, whose, USUAL_AUTOTERMINATION)
    } else {
        return None;
    };
    let limit = Span(reach(limit));
    Some(Finding {
        weight,
        what: format!(
            "is {}, which {whose} reaches: after {limit} it is left to the platform",
            Span(wait)
        ),
        why: "what Databricks' own clock spares for longer than its limit, it saw at work",
        fix: format!(
            "write at most \"{limit}\" if such clusters are meant too; `trust_platform_clock = false` believes our witnesses instead"
        ),
    })
}

pub(super) fn cap_beyond_the_sweep(linted: &Linted<'_>) -> Vec<Warning> {
    each(linted, "cap_per_workspace", |view| {
        let policy = &view.policy;
        let is_set = match view.changes {
            Some(table) => table.changes.cap_per_workspace.is_some(),
            None => true,
        };
        let (here, all) = (policy.cap_per_workspace, policy.cap_per_sweep);
        (is_set && here > all).then(|| Finding {
            what: format!("is {here}, more than `cap_per_sweep` allows over all workspaces, {all}"),
            why: "the smaller of the two always ends first, so this one is never reached",
            fix: "raise `cap_per_sweep`, or lower this".to_owned(),
            weight: Weight::Warning,
        })
    })
}

pub(super) fn workspace_without_metrics(linted: &Linted<'_>) -> Vec<Warning> {
    let base = &linted.policy.base;
    if !base.nodes_witness {
        return Vec::new();
    }
    let workspaces = linted.workspaces.iter().enumerate();
    let without = workspaces.filter(|(_, workspace)| !workspace.has_resource_id);
    let found = without.map(|(index, workspace)| {
        let (weight, consequence) = if base.spark_witness {
            (Weight::Note, "only Spark can speak there")
        } else {
            (Weight::Warning, "no cluster there is ever terminated")
        };
        Warning {
            weight,
            subject: Subject {
                table: Table::Workspaces(index),
                key: "resource_id",
                item: None,
            },
            what: format!(
                "is missing for {}, so {consequence}",
                Shown::name(workspace.name)
            ),
            why: "the metrics of a workspace's machines are found by its Azure resource id",
            fix: "write the id that the workspace's JSON view in the portal shows".to_owned(),
        }
    });
    found.collect()
}

/// A finding whose subject is a key of the view's table.
struct Finding {
    weight: Weight,
    what: String,
    why: &'static str,
    fix: String,
}

fn each(
    linted: &Linted<'_>,
    key: &'static str,
    check: impl Fn(&View<'_>) -> Option<Finding>,
) -> Vec<Warning> {
    let views = linted.views().into_iter();
    let found = views.filter_map(|view| {
        let Finding {
            weight,
            what,
            why,
            fix,
        } = check(&view)?;
        Some(Warning {
            weight,
            subject: view.subject(key),
            what,
            why,
            fix,
        })
    });
    found.collect()
}
