//! `[[override]]`: which policy holds for one cluster, and who changed it.
//!
//! A match by tag beats a match by workspace, which beats `[policy]`; a table with
//! both is more specific than one with a tag alone. Where equally specific tables
//! set one key to different values, the most cautious value holds. Pure: a
//! workspace's name and a cluster come in, a policy and the names of what changed
//! it come out.

use std::fmt;
use std::time::Duration;

use super::{Glob, Policy};
use crate::cluster::Cluster;
use crate::escape::Shown;
use crate::human::Span;

/// The policy of all workspaces with everything that changes it.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicySet {
    /// What `[policy]` says.
    pub base: Policy,
    /// In the order of the document.
    pub overrides: Vec<Override>,
}

/// One `[[override]]` table.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    pub selector: Selector,
    pub changes: PolicyChanges,
}

/// What an `[[override]]` is for.
#[derive(Debug, Clone, PartialEq)]
pub enum Selector {
    /// `workspace = "dev-*"`: every cluster there.
    Workspace(Glob),
    /// `tag = { team = "ml-*" }`: clusters with all of these tags, everywhere.
    Tags(Vec<TagPattern>),
    /// Both: clusters with the tags, in those workspaces.
    WorkspaceAndTags(Glob, Vec<TagPattern>),
}

/// A tag's key, compared without case, and a pattern for its value.
#[derive(Debug, Clone, PartialEq)]
pub struct TagPattern {
    pub key: String,
    pub value: Glob,
}

/// The keys of `[policy]` that an `[[override]]` sets; `None` leaves a key as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PolicyChanges {
    pub idle_after: Option<Duration>,
    pub idle_after_one_witness: Option<Duration>,
    pub streaming_silence: Option<Duration>,
    pub spark_alone_suffices: Option<bool>,
    pub nodes_alone_suffices: Option<bool>,
    pub trust_platform_clock: Option<bool>,
    pub protect_pinned: Option<bool>,
    pub protect_names: Option<Vec<Glob>>,
    /// Only beside a workspace: a cap counts the clusters of a whole one.
    pub cap_per_workspace: Option<u32>,
}

/// The policies of one workspace's clusters.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkspacePolicy {
    base: Policy,
    /// Those that can hold in this workspace.
    overrides: Vec<Override>,
}

/// The policy of one cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterPolicy {
    pub policy: Policy,
    /// Every key whose value is not the one of `[policy]`, in the order of the keys.
    pub changes: Vec<PolicyChange>,
}

/// One key that an `[[override]]` changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyChange {
    pub key: &'static str,
    /// As it would be written in the document, on one line.
    pub value: String,
    /// The selector of the table that it comes from, on one line.
    pub by: String,
}

impl fmt::Display for PolicyChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, value, by } = self;
        write!(f, "{key} = {value} by the override for {by}")
    }
}

impl PolicySet {
    /// A policy that nothing overrides.
    #[must_use]
    pub fn plain(base: Policy) -> Self {
        let overrides = Vec::new();
        Self { base, overrides }
    }

    /// What can hold in the workspace of this name.
    #[must_use]
    pub fn for_workspace(&self, name: &str) -> WorkspacePolicy {
        let overrides = self.overrides.iter();
        let here = overrides.filter(|table| table.selector.covers_workspace(name));
        WorkspacePolicy {
            base: self.base.clone(),
            overrides: here.cloned().collect(),
        }
    }
}

impl Selector {
    /// Whether it can hold for a cluster in the workspace of this name. Names of
    /// workspaces are unique without case, so they are matched without it.
    #[must_use]
    pub fn covers_workspace(&self, name: &str) -> bool {
        match self {
            Self::Workspace(glob) | Self::WorkspaceAndTags(glob, _) => glob.matches(name),
            Self::Tags(_) => true,
        }
    }

    /// Whether it holds for a cluster whose workspace it covers.
    #[must_use]
    pub fn covers(&self, cluster: &Cluster) -> bool {
        match self {
            Self::Workspace(_) => true,
            Self::Tags(tags) | Self::WorkspaceAndTags(_, tags) => {
                tags.iter().all(|tag| tag.is_on(cluster))
            }
        }
    }

    /// The more specific, the higher.
    #[must_use]
    pub fn specificity(&self) -> u8 {
        match self {
            Self::Workspace(_) => 1,
            Self::Tags(_) => 2,
            Self::WorkspaceAndTags(..) => 3,
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (workspace, tags) = match self {
            Self::Workspace(glob) => (Some(glob), &[][..]),
            Self::Tags(tags) => (None, tags.as_slice()),
            Self::WorkspaceAndTags(glob, tags) => (Some(glob), tags.as_slice()),
        };
        if let Some(glob) = workspace {
            write!(f, "workspace `{}`", Shown::name(glob.as_str()))?;
        }
        for (place, tag) in tags.iter().enumerate() {
            let joint = if place == 0 && workspace.is_none() {
                ""
            } else {
                ", "
            };
            let (key, value) = (Shown::name(&tag.key), Shown::name(tag.value.as_str()));
            write!(f, "{joint}tag `{key}` = `{value}`")?;
        }
        Ok(())
    }
}

impl TagPattern {
    fn is_on(&self, cluster: &Cluster) -> bool {
        let mut tags = cluster.tags.iter();
        tags.any(|(key, value)| {
            key.trim().eq_ignore_ascii_case(self.key.trim()) && self.value.matches(value.trim())
        })
    }
}

impl WorkspacePolicy {
    /// The policy of this cluster, as its tags are now.
    #[must_use]
    pub fn of(&self, cluster: &Cluster) -> ClusterPolicy {
        let covering = |table: &&Override| table.selector.covers(cluster);
        self.merged(self.overrides.iter().filter(covering).collect())
    }

    /// What holds for the workspace as a whole, tags aside.
    #[must_use]
    pub fn of_the_whole(&self) -> Policy {
        let of_all = |table: &&Override| matches!(table.selector, Selector::Workspace(_));
        self.merged(self.overrides.iter().filter(of_all).collect())
            .policy
    }

    /// No cluster here waits longer than this, whatever its tags and the evidence.
    #[must_use]
    pub fn longest_threshold(&self) -> Duration {
        let longest = |base: Duration, get: fn(&PolicyChanges) -> Option<Duration>| {
            let changed = self.overrides.iter().filter_map(|one| get(&one.changes));
            changed.fold(base, Duration::max)
        };
        let base = &self.base;
        let waits = [
            longest(base.idle_after, |changes| changes.idle_after),
            longest(base.idle_after_one_witness, |changes| {
                changes.idle_after_one_witness
            }),
            longest(base.streaming_silence, |changes| changes.streaming_silence),
        ];
        waits.into_iter().fold(Duration::ZERO, Duration::max)
    }

    fn merged(&self, tables: Vec<&Override>) -> ClusterPolicy {
        let mut merge = Merge {
            tables,
            changes: Vec::new(),
        };
        let base = &self.base;
        let policy = Policy {
            idle_after: merge.longest("idle_after", base.idle_after, |c| c.idle_after),
            idle_after_one_witness: merge.longest(
                "idle_after_one_witness",
                base.idle_after_one_witness,
                |c| c.idle_after_one_witness,
            ),
            streaming_silence: merge.longest("streaming_silence", base.streaming_silence, |c| {
                c.streaming_silence
            }),
            spark_alone_suffices: merge.flag(
                "spark_alone_suffices",
                base.spark_alone_suffices,
                |c| c.spark_alone_suffices,
                false,
            ),
            nodes_alone_suffices: merge.flag(
                "nodes_alone_suffices",
                base.nodes_alone_suffices,
                |c| c.nodes_alone_suffices,
                false,
            ),
            trust_platform_clock: merge.flag(
                "trust_platform_clock",
                base.trust_platform_clock,
                |c| c.trust_platform_clock,
                true,
            ),
            protect_pinned: merge.flag(
                "protect_pinned",
                base.protect_pinned,
                |c| c.protect_pinned,
                true,
            ),
            protect_names: merge.protected_names(&base.protect_names),
            cap_per_workspace: merge.lowest("cap_per_workspace", base.cap_per_workspace, |c| {
                c.cap_per_workspace
            }),
            exemptions: base.exemptions.clone(),
            spark_witness: base.spark_witness,
            nodes_witness: base.nodes_witness,
            cap_per_sweep: base.cap_per_sweep,
        };
        let changes = merge.changes;
        ClusterPolicy { policy, changes }
    }
}

/// The tables that hold for one cluster, being put together.
struct Merge<'a> {
    tables: Vec<&'a Override>,
    changes: Vec<PolicyChange>,
}

impl<'a> Merge<'a> {
    fn longest(
        &mut self,
        key: &'static str,
        base: Duration,
        get: impl Fn(&PolicyChanges) -> Option<Duration>,
    ) -> Duration {
        let written = |value: Duration| Span(value).to_string();
        self.pick(key, base, get, |value, best| value > best, written)
    }

    fn lowest(
        &mut self,
        key: &'static str,
        base: u32,
        get: impl Fn(&PolicyChanges) -> Option<u32>,
    ) -> u32 {
        let written = |value: u32| value.to_string();
        self.pick(key, base, get, |value, best| value < best, written)
    }

    /// `cautious` is the value that wins.
    fn flag(
        &mut self,
        key: &'static str,
        base: bool,
        get: impl Fn(&PolicyChanges) -> Option<bool>,
        cautious: bool,
    ) -> bool {
        let is_better = |value: bool, best: bool| value == cautious && best != cautious;
        self.pick(key, base, get, is_better, |value| value.to_string())
    }

    /// The value of one key: the most cautious among the most specific.
    fn pick<T: Copy + PartialEq>(
        &mut self,
        key: &'static str,
        base: T,
        get: impl Fn(&PolicyChanges) -> Option<T>,
        is_more_cautious: impl Fn(T, T) -> bool,
        written: impl Fn(T) -> String,
    ) -> T {
        let set = self.most_specific(get);
        let mut rest = set.into_iter();
        let Some((mut by, mut value)) = rest.next() else {
            return base;
        };
        for (table, other) in rest {
            if is_more_cautious(other, value) {
                (by, value) = (table, other);
            }
        }
        self.note(key, value != base, written(value), &by.selector);
        value
    }

    /// Equally specific lists protect together.
    fn protected_names(&mut self, base: &[Glob]) -> Vec<Glob> {
        let lists = self.most_specific(|changes| changes.protect_names.clone());
        let Some((table, _)) = lists.first() else {
            return base.to_vec();
        };
        let selector = &table.selector;
        let mut names: Vec<Glob> = Vec::new();
        for glob in lists.iter().flat_map(|(_, list)| list) {
            if !names.contains(glob) {
                names.push(glob.clone());
            }
        }
        let written = names
            .iter()
            .map(|glob| Shown::name(glob.as_str()).to_string());
        let written: Vec<String> = written.collect();
        let written = format!("[{}]", written.join(", "));
        self.note("protect_names", names != base, written, selector);
        names
    }

    /// The values of one key in the most specific tables that set it.
    fn most_specific<T>(
        &self,
        get: impl Fn(&PolicyChanges) -> Option<T>,
    ) -> Vec<(&'a Override, T)> {
        let set: Vec<(&Override, T)> = self
            .tables
            .iter()
            .filter_map(|table| Some((*table, get(&table.changes)?)))
            .collect();
        let most = set.iter().map(|(table, _)| table.selector.specificity());
        let most = most.max();
        let is_most = |table: &Override| Some(table.selector.specificity()) == most;
        set.into_iter()
            .filter(|(table, _)| is_most(table))
            .collect()
    }

    fn note(&mut self, key: &'static str, differs: bool, value: String, selector: &Selector) {
        if differs {
            let by = selector.to_string();
            self.changes.push(PolicyChange { key, value, by });
        }
    }
}

#[cfg(test)]
mod tests;
