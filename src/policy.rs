//! The rules that an operator sets, as values: what `decision` and `plan` read.
//!
//! No `Default`: every threshold is stated by the settings or by one of the
//! named defaults there. Nothing here reads a file or knows TOML.

use std::time::Duration;

use wildmatch::WildMatch;

use crate::cluster::Cluster;
use crate::timestamp::Timestamp;

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

/// The policy that applies to one workspace.
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
