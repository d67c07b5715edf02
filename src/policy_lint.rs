//! What is legal in a policy and probably not meant: rules that match nothing or
//! everything, rules that contradict each other, waits that nothing can reach.
//!
//! Pure: the policy and the time come in, warnings come out; one function per
//! check. It changes and decides nothing, and what is plainly wrong is refused
//! by `settings` before. `settings` also knows in which line a subject stands.

mod globs;
mod names;
mod overrides;
mod waits;

use std::time::Duration;

use crate::policy::{Glob, Override, Policy, PolicySet};
use crate::policy_cases::base;
use crate::timestamp::Timestamp;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Hardly anybody means this.
    Warning,
    /// Worth knowing, and possibly meant.
    Note,
}

impl Weight {
    /// The word in front of a finding.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// A table of the policy document; lists count from 0, in the document's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    Policy,
    Witness,
    Workspaces(usize),
    Exempt(usize),
    Override(usize),
}

/// Where a finding stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    pub table: Table,
    /// Empty for the table as a whole.
    pub key: &'static str,
    /// Which item of a list, from 0.
    pub item: Option<usize>,
}

/// One finding. Patterns and names in it are escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    pub weight: Weight,
    pub subject: Subject,
    /// The rest of a sentence that begins with the key.
    pub what: String,
    pub why: &'static str,
    pub fix: String,
}

/// A workspace of the policy, as far as the checks need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownWorkspace<'a> {
    pub name: &'a str,
    pub has_resource_id: bool,
}

/// A policy with what it is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Linted<'a> {
    pub policy: &'a PolicySet,
    /// The policy of an empty document: what differs from it was meant.
    pub defaults: &'a Policy,
    pub workspaces: &'a [KnownWorkspace<'a>],
    pub now: Timestamp,
}

/// Everything worth telling, in the order of the checks.
#[must_use]
pub fn lint(linted: &Linted<'_>) -> Vec<Warning> {
    let mut found = Vec::new();
    for check in CHECKS {
        found.extend(check(linted));
    }
    found
}

type Check = fn(&Linted<'_>) -> Vec<Warning>;

const CHECKS: [Check; 19] = [
    waits::no_witness_at_all,
    waits::wait_shorter_than_metrics_arrive,
    waits::wait_that_takes_two_witnesses,
    waits::wait_for_one_witness_of_no_effect,
    waits::one_witness_sooner_than_two,
    waits::silence_of_no_effect,
    waits::sufficiency_of_no_effect,
    waits::wait_that_the_platform_ends,
    waits::cap_beyond_the_sweep,
    waits::workspace_without_metrics,
    names::pattern_for_everything,
    names::pattern_in_another_language,
    names::pattern_that_another_covers,
    names::exemption_that_has_ended,
    names::exemption_of_no_id,
    overrides::for_no_workspace,
    overrides::without_effect,
    overrides::equals_that_disagree,
    overrides::protection_that_is_dropped,
];

/// `[policy]`, or one `[[override]]` with what holds where it applies.
struct View<'a> {
    table: Table,
    policy: Policy,
    /// `None` for `[policy]`.
    changes: Option<&'a Override>,
    defaults: &'a Policy,
}

impl<'a> Linted<'a> {
    /// `[policy]` and each `[[override]]` by itself.
    fn views(&self) -> Vec<View<'a>> {
        let base = View {
            table: Table::Policy,
            policy: self.policy.base.clone(),
            changes: None,
            defaults: self.defaults,
        };
        let overrides = self.policy.overrides.iter().enumerate();
        let overrides = overrides.map(|(index, table)| View {
            table: Table::Override(index),
            policy: effective(&self.policy.base, table),
            changes: Some(table),
            defaults: self.defaults,
        });
        std::iter::once(base).chain(overrides).collect()
    }
}

/// What holds for a cluster that this table alone is for.
fn effective(base: &Policy, table: &Override) -> Policy {
    let mut cluster = base::cluster(None);
    // A pattern matches itself.
    let (workspace, tags) = overrides::selectors(&table.selector);
    let tags = tags.iter();
    cluster.tags = tags
        .map(|tag| (tag.key.clone(), tag.value.as_str().to_owned()))
        .collect();
    let alone = PolicySet {
        base: base.clone(),
        overrides: vec![table.clone()],
    };
    let workspace = workspace.map_or("", Glob::as_str);
    alone.for_workspace(workspace).of(&cluster).policy
}

impl View<'_> {
    /// Whether this table sets a duration: an override by having it, `[policy]` by
    /// differing from the default.
    fn sets_wait(
        &self,
        of: fn(&Policy) -> Duration,
        changed: fn(&Override) -> Option<Duration>,
    ) -> bool {
        match self.changes {
            Some(table) => changed(table).is_some(),
            None => of(&self.policy) != of(self.defaults),
        }
    }

    fn sets_idle_after(&self) -> bool {
        self.sets_wait(|policy| policy.idle_after, |one| one.changes.idle_after)
    }

    fn sets_one_witness(&self) -> bool {
        self.sets_wait(
            |policy| policy.idle_after_one_witness,
            |one| one.changes.idle_after_one_witness,
        )
    }

    fn sets_silence(&self) -> bool {
        self.sets_wait(
            |policy| policy.streaming_silence,
            |one| one.changes.streaming_silence,
        )
    }

    fn subject(&self, key: &'static str) -> Subject {
        Subject {
            table: self.table,
            key,
            item: None,
        }
    }
}

#[cfg(test)]
mod tests;
