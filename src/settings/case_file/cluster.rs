//! `[case.cluster]`: the cluster's record, and what is told of it elsewhere but
//! belongs to it in the eyes of whoever writes a case: pin and GPUs.

use super::keys;
use super::words::Moment;
use crate::cluster::{Cluster, ClusterId, ClusterSource, ClusterState};
use crate::decision::Question;
use crate::escape::Shown;
use crate::policy_cases::base;
use crate::settings::key::Key;
use crate::settings::table::{Node, Reading, TableReader, UNKNOWN};
use crate::signals::{Signal, Signals};
use crate::timestamp::Timestamp;

/// What a case says of its cluster.
#[derive(Debug)]
pub(super) struct StatedCluster {
    /// Everything but its start.
    record: Cluster,
    started: Start,
    /// `None` where the case says that nobody knows.
    pinned: Option<bool>,
    states_pinned: bool,
    /// `None` where the case says that nobody knows.
    gpus: Option<bool>,
}

#[derive(Debug, Clone, Copy)]
enum Start {
    Stated(Timestamp),
    Unknown,
    Default,
}

impl StatedCluster {
    pub(super) fn states_start(&self) -> bool {
        match self.started {
            Start::Stated(_) => true,
            Start::Unknown | Start::Default => false,
        }
    }

    /// When it started; `default` where the case does not say.
    pub(super) fn started(&self, default: Timestamp) -> Option<Timestamp> {
        match self.started {
            Start::Stated(at) => Some(at),
            Start::Unknown => None,
            Start::Default => Some(default),
        }
    }

    pub(super) fn answered(&self) -> Vec<Question> {
        self.states_pinned
            .then_some(Question::Pin)
            .into_iter()
            .collect()
    }

    /// The signals of this cluster when every witness calls it quiet since
    /// `quiet_since`; its driver's application started at `application`.
    pub(super) fn idle(
        &self,
        started: Option<Timestamp>,
        application: Timestamp,
        quiet_since: Timestamp,
    ) -> Signals {
        let with_start = base::cluster(started);
        let cluster = Cluster {
            last_restarted_time: with_start.last_restarted_time,
            driver: with_start.driver,
            ..self.record.clone()
        };
        let mut signals = base::idle(cluster, application, quiet_since);
        signals.pinned = match self.pinned {
            Some(pinned) => Signal::Known(pinned),
            None => Signal::unknown("the case says so"),
        };
        if let Signal::Known(hardware) = &mut signals.hardware {
            hardware.has_gpus = self.gpus;
        }
        signals
    }
}

pub(super) fn read(
    reading: &mut Reading<'_>,
    node: Option<Node<'_>>,
    moment: &Moment,
) -> StatedCluster {
    let mut table = TableReader::new(reading, keys::CLUSTER_TABLE, node);
    let base = base::cluster(None);
    let text = |table: &mut TableReader<'_>, key: &Key| {
        let given = table.text(key);
        given.unwrap_or_else(|| key.default.to_owned())
    };
    let spark_version = text(&mut table, &keys::SPARK_VERSION);
    let record = Cluster {
        id: ClusterId::new(text(&mut table, &keys::ID)),
        name: text(&mut table, &keys::CLUSTER_NAME),
        state: state(enumerated(&mut table, &keys::STATE)),
        source: source(enumerated(&mut table, &keys::SOURCE)),
        spark_version: Some(spark_version).filter(|version| version != UNKNOWN),
        tags: table.texts(&keys::TAGS),
        autotermination_minutes: u64::from(table.count(&keys::AUTOTERMINATION)),
        last_activity_time: last_activity(&mut table, moment),
        num_workers: Some(u64::from(table.count(&keys::WORKERS))),
        uses_pool: table.flag(&keys::POOL),
        ..base
    };
    StatedCluster {
        record,
        started: start(&mut table, moment),
        pinned: table.flag_or_unknown(&keys::PINNED),
        states_pinned: table.has(&keys::PINNED),
        gpus: table.flag_or_unknown(&keys::GPU),
    }
}

fn last_activity(table: &mut TableReader<'_>, moment: &Moment) -> Option<Timestamp> {
    let text = table.text(&keys::LAST_ACTIVITY)?;
    if text == keys::LAST_ACTIVITY.default {
        return None;
    }
    table.parsed(&keys::LAST_ACTIVITY, &text, |text| moment.past(text))
}

fn start(table: &mut TableReader<'_>, moment: &Moment) -> Start {
    match table.text(&keys::STARTED).as_deref() {
        None => Start::Default,
        Some(UNKNOWN) => Start::Unknown,
        Some(text) => match table.parsed(&keys::STARTED, text, |text| moment.past(text)) {
            Some(at) => Start::Stated(at),
            None => Start::Default,
        },
    }
}

/// A word of an open set, whose members the Clusters API spells in capitals. One that
/// is not would be kept as unheard of, and the case prove nothing of what was meant.
fn enumerated(table: &mut TableReader<'_>, key: &Key) -> String {
    let default = || key.default.to_owned();
    let Some(text) = table.text(key) else {
        return default();
    };
    let spelled = table.parsed(key, &text, |text| {
        let capitals = text.to_ascii_uppercase();
        if text == capitals || text == ABSENT {
            return Ok(text.to_owned());
        }
        Err(format!(
            "is \"{}\"; Databricks spells it \"{}\"",
            Shown::name(text),
            Shown::name(&capitals)
        ))
    });
    spelled.unwrap_or_else(default)
}

/// A record without a source.
const ABSENT: &str = "absent";

/// As the Clusters API spells it.
fn state(text: String) -> ClusterState {
    let known = [
        ClusterState::Running,
        ClusterState::Resizing,
        ClusterState::Pending,
        ClusterState::Restarting,
        ClusterState::Terminating,
        ClusterState::Terminated,
    ];
    let mut known = known.into_iter();
    known
        .find(|state| state.as_str() == text)
        .unwrap_or(ClusterState::Other(text))
}

/// As the Clusters API spells it.
fn source(text: String) -> ClusterSource {
    match text.as_str() {
        "UI" => ClusterSource::Ui,
        "API" => ClusterSource::Api,
        ABSENT => ClusterSource::Absent,
        _ => ClusterSource::Other(text),
    }
}
