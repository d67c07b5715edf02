//! Counts of requests and time by stage, for the report. Plain values.

use std::time::Duration;

/// What a request is for; the report counts requests and time by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    Secrets,
    Tokens,
    Clusters,
    Rights,
    Runs,
    Spark,
    Nodes,
    Action,
}

impl Stage {
    /// Every stage, in the order of the data path.
    pub const ALL: [Self; 8] = [
        Self::Secrets,
        Self::Tokens,
        Self::Clusters,
        Self::Rights,
        Self::Runs,
        Self::Spark,
        Self::Nodes,
        Self::Action,
    ];

    /// The spelling in logs and JSON; stable across versions.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Secrets => "secrets",
            Self::Tokens => "tokens",
            Self::Clusters => "clusters",
            Self::Rights => "rights",
            Self::Runs => "runs",
            Self::Spark => "spark",
            Self::Nodes => "nodes",
            Self::Action => "action",
        }
    }
}

/// Requests sent for one stage, and the time that they took together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StageCount {
    pub requests: u64,
    /// Summed over requests, so it can exceed the wall clock.
    pub time: Duration,
}

/// Counts of all stages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StageCounts([StageCount; Stage::ALL.len()]);

impl StageCounts {
    /// Counts one request, retries counted each.
    pub fn count(&mut self, stage: Stage, time: Duration) {
        self.record(stage, 1, time);
    }

    /// Counts several requests that were counted elsewhere.
    pub fn record(&mut self, stage: Stage, requests: u64, time: Duration) {
        if let Some(count) = self.0.get_mut(stage as usize) {
            count.requests += requests;
            count.time = count.time.saturating_add(time);
        }
    }

    /// Adds another's counts.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            mine.requests += theirs.requests;
            mine.time = mine.time.saturating_add(theirs.time);
        }
    }

    /// What one stage sent.
    #[must_use]
    pub fn of(&self, stage: Stage) -> StageCount {
        self.0.get(stage as usize).copied().unwrap_or_default()
    }

    /// All requests.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.0.iter().map(|count| count.requests).sum()
    }

    /// The stages that sent anything, in the order of the data path.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, StageCount)> {
        let named = Stage::ALL.into_iter().map(Stage::as_str).zip(self.0);
        named.filter(|(_, count)| count.requests > 0)
    }
}
