//! The rules that an operator sets, as values: what `decision` and `plan` read.
//!
//! No `Default`: every threshold is stated by the settings or by one of the
//! named defaults there. Nothing here reads a file or knows TOML. `overrides` says
//! which policy holds for one cluster.

mod overrides;

use std::time::Duration;

use wildmatch::WildMatch;

use crate::cluster::Cluster;
use crate::timestamp::Timestamp;

pub use self::overrides::{
    ClusterPolicy, Override, PolicyChange, PolicyChanges, PolicySet, Selector, TagPattern,
    WorkspacePolicy,
};

/// How much longer than its own limit the platform may take before a cluster that
/// still runs counts as active by its reckoning.
pub const PLATFORM_MARGIN: Duration = Duration::from_mins(15);

/// What a sweep may do. A request and a workspace can only narrow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Look and report; change nothing anywhere.
    Report,
    /// Also terminate what is proven idle.
    Terminate,
}

impl Mode {
    /// The spelling in settings, logs and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Terminate => "terminate",
        }
    }
}

/// How the service principal gets into a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Somebody has made it a member.
    Member,
    /// It may make itself one, and an admin at that, by its right on the Azure resource.
    Contributor,
}

/// A pattern with `*` and `?`, matched without case against a whole name.
#[derive(Debug, Clone, PartialEq)]
pub struct Glob {
    text: String,
    matcher: WildMatch,
}

impl Glob {
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        Self {
            text: pattern.to_owned(),
            matcher: WildMatch::new_case_insensitive(pattern),
        }
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.matcher.matches(name)
    }
}

/// Which clusters an `[[exempt]]` table names.
#[derive(Debug, Clone, PartialEq)]
pub enum ExemptSelector {
    /// `cluster = "0915-…"`.
    Id(String),
    /// `name = "nightly-*"`.
    Name(Glob),
}

/// One `[[exempt]]` table: a cluster that is left alone until a date.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemption {
    pub selector: ExemptSelector,
    /// The first instant at which it no longer holds: the midnight (UTC) after
    /// the day that the operator wrote.
    pub until: Timestamp,
    /// The day as it was written, for the report.
    pub until_day: String,
    pub reason: String,
}

impl Exemption {
    #[must_use]
    pub fn covers(&self, cluster: &Cluster, now: Timestamp) -> bool {
        let selected = match &self.selector {
            ExemptSelector::Id(id) => id == cluster.id.as_str(),
            ExemptSelector::Name(glob) => glob.matches(&cluster.name),
        };
        selected && now < self.until
    }
}

/// The policy that applies to one cluster, or to all that nothing more specific names.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Quiet for this long, by both witnesses: terminate.
    pub idle_after: Duration,
    /// Quiet for this long, by one witness only.
    pub idle_after_one_witness: Duration,
    /// How long a stream may be silent before its traces no longer keep a cluster.
    pub streaming_silence: Duration,
    pub spark_alone_suffices: bool,
    pub nodes_alone_suffices: bool,
    pub trust_platform_clock: bool,
    pub protect_pinned: bool,
    pub protect_names: Vec<Glob>,
    pub exemptions: Vec<Exemption>,
    /// Whether `[witness.spark]` is there.
    pub spark_witness: bool,
    /// `[witness.nodes] enabled`.
    pub nodes_witness: bool,
    pub cap_per_workspace: u32,
    pub cap_per_sweep: u32,
}

impl Policy {
    /// The longest wait that any grade of evidence could ask for.
    #[must_use]
    pub fn longest_threshold(&self) -> Duration {
        self.idle_after
            .max(self.idle_after_one_witness)
            .max(self.nodes_alone_threshold())
    }

    /// How long nodes must be quiet when they are the only witness: as long as a
    /// stream may be silent, because a stream without data looks the same.
    #[must_use]
    pub fn nodes_alone_threshold(&self) -> Duration {
        if self.nodes_alone_suffices {
            self.idle_after_one_witness
        } else {
            self.idle_after_one_witness.max(self.streaming_silence)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::tests::world::{NOW, TICK, default_policy, hours, idle_cluster};

    fn exemption(selector: ExemptSelector, until: Timestamp) -> Exemption {
        Exemption {
            selector,
            until,
            until_day: "2026-11-22".to_owned(),
            reason: "audit".to_owned(),
        }
    }

    #[test]
    fn glob_covers_whole_names_and_no_part_of_one() {
        let cases = [
            ("team-x", "team-x", true),
            ("team-x", "team-xy", false),
            ("eam-x", "team-x", false),
            ("team-?", "team-x", true),
            ("team-?", "team-", false),
            ("team-*", "team-", true),
            ("*x*", "team-x-1", true),
            ("*", "", true),
            ("a.*", "abc", false),
            ("[ab]", "a", false),
        ];
        for (pattern, name, expected) in cases {
            let matched = Glob::new(pattern).matches(name);
            assert_eq!(matched, expected, "{pattern} and {name}");
        }
    }

    #[test]
    fn glob_matches_without_case_in_any_script() {
        assert!(Glob::new("TEAM-*").matches("team-X"));
        assert!(Glob::new("ärzte-?").matches("ÄRZTE-Ö"));
        assert_eq!(Glob::new("TEAM-*").as_str(), "TEAM-*");
    }

    #[test]
    fn empty_glob_covers_no_name_at_all() {
        let empty = Glob::new("");
        assert!(!empty.matches("team-x"));
        assert!(!empty.matches(" "));
    }

    #[test]
    fn exemption_by_id_covers_that_very_cluster() {
        let later = NOW.plus(hours(1));
        let covers = |id: &str| {
            let selector = ExemptSelector::Id(id.to_owned());
            exemption(selector, later).covers(&idle_cluster(), NOW)
        };
        assert!(covers("0915-021615-abcd1234"));
        for other in [
            "",
            "0915-021615",
            "0915-*",
            "0915-021615-ABCD1234",
            "team-x",
        ] {
            assert!(!covers(other), "{other}");
        }
    }

    #[test]
    fn exemption_by_name_covers_names_and_no_ids() {
        let later = NOW.plus(hours(1));
        let covers = |pattern: &str| {
            let selector = ExemptSelector::Name(Glob::new(pattern));
            exemption(selector, later).covers(&idle_cluster(), NOW)
        };
        assert!(covers("Team-*"));
        assert!(!covers("0915-021615-abcd1234"));
        assert!(!covers(""));
    }

    #[test]
    fn exemption_ends_when_its_last_day_does() {
        let covers = |until: Timestamp| {
            let selector = ExemptSelector::Name(Glob::new("*"));
            exemption(selector, until).covers(&idle_cluster(), NOW)
        };
        assert!(covers(NOW.plus(TICK)));
        assert!(!covers(NOW));
        assert!(!covers(NOW.minus(TICK)));
    }

    #[test]
    fn nodes_alone_wait_as_long_as_a_stream_may_be_silent() {
        let mut policy = default_policy();
        assert_eq!(policy.nodes_alone_threshold(), hours(96));
        policy.idle_after_one_witness = hours(120);
        assert_eq!(policy.nodes_alone_threshold(), hours(120));
        policy.idle_after_one_witness = hours(12);
        policy.nodes_alone_suffices = true;
        assert_eq!(policy.nodes_alone_threshold(), hours(12));
    }

    #[test]
    fn longest_threshold_is_no_shorter_than_any() {
        let mut policy = default_policy();
        assert_eq!(policy.longest_threshold(), hours(96));
        policy.nodes_alone_suffices = true;
        assert_eq!(policy.longest_threshold(), hours(12));
        policy.idle_after = hours(200);
        assert_eq!(policy.longest_threshold(), hours(200));
    }

    #[test]
    fn report_is_the_narrower_mode() {
        assert_eq!(Mode::Report.min(Mode::Terminate), Mode::Report);
        assert_eq!(Mode::Report.as_str(), "report");
        assert_eq!(Mode::Terminate.as_str(), "terminate");
    }
}
