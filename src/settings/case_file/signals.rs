//! `[case.signals]`: what a case says of the cluster's activity, laid over the
//! signals of an idle cluster.

use super::keys;
use super::words::{self, Moment, Said};
use crate::decision::Question;
use crate::settings::key::Key;
use crate::settings::table::{Node, Reading, TableReader};
use crate::signals::{NodesView, Signal, Signals, SparkWork, SparkWorkKind, StreamingView, Why};
use crate::timestamp::Timestamp;

const SPARK_WORDS: &[&str] = &[
    "quiet",
    "quiet for 3h",
    "unused",
    "busy",
    "busy for 20m",
    "unknown",
];
const NODES_WORDS: &[&str] = &["quiet", "quiet for 3h", "busy", "unknown"];

/// What a case says of the signals; `None` where it does not.
#[derive(Debug, Default)]
pub(super) struct StatedSignals {
    active_run: Option<Signal<Option<String>>>,
    last_run_end: Option<Signal<Option<Timestamp>>>,
    spark: Option<Said>,
    spark_work: Option<(SparkWorkKind, &'static str)>,
    streaming: Option<Signal<StreamingView>>,
    last_stream_batch: Option<Timestamp>,
    command: Option<Signal<Option<String>>>,
    nodes: Option<Said>,
    driver_node: Option<Said>,
}

pub(super) fn read(
    reading: &mut Reading<'_>,
    node: Option<Node<'_>>,
    moment: &Moment,
) -> StatedSignals {
    let mut table = TableReader::new(reading, keys::SIGNALS_TABLE, node);
    let said = |table: &mut TableReader<'_>, key: &Key, examples: &[&str]| {
        let text = table.text(key)?;
        table.parsed(key, &text, |text| moment.said(text, examples))
    };
    let spark = said(&mut table, &keys::SPARK, SPARK_WORDS);
    let stated = StatedSignals {
        active_run: presence(&mut table, &keys::ACTIVE_RUN, "a run of the case"),
        last_run_end: last_run_end(&mut table, moment),
        spark_work: spark_work(&mut table, spark.as_ref()),
        spark,
        streaming: streaming(&mut table),
        last_stream_batch: last_stream_batch(&mut table, moment),
        command: presence(&mut table, &keys::COMMAND, "a thread of the case"),
        nodes: said(&mut table, &keys::NODES, NODES_WORDS),
        driver_node: said(&mut table, &keys::DRIVER_NODE, NODES_WORDS),
    };
    refuse_contradictions(&mut table, &stated);
    stated
}

/// `none`, `running` or `unknown`.
fn presence(table: &mut TableReader<'_>, key: &Key, what: &str) -> Option<Signal<Option<String>>> {
    let text = table.text(key)?;
    table.parsed(key, &text, |text| match (words::unknown(text), text) {
        (Some(why), _) => Ok(Signal::Unknown(why)),
        (None, "none") => Ok(Signal::Known(None)),
        (None, "running") => Ok(Signal::Known(Some(what.to_owned()))),
        (None, other) => Err(words::one_of(other, &["none", "running", "unknown"])),
    })
}

fn last_run_end(table: &mut TableReader<'_>, moment: &Moment) -> Option<Signal<Option<Timestamp>>> {
    let key = &keys::LAST_RUN_END;
    let text = table.text(key)?;
    table.parsed(key, &text, |text| match (words::unknown(text), text) {
        (Some(why), _) => Ok(Signal::Unknown(why)),
        (None, "none") => Ok(Signal::Known(None)),
        (None, text) => moment.past(text).map(|at| Signal::Known(Some(at))),
    })
}

fn spark_work(
    table: &mut TableReader<'_>,
    spark: Option<&Said>,
) -> Option<(SparkWorkKind, &'static str)> {
    let key = &keys::SPARK_WORK;
    let text = table.text(key)?;
    if !matches!(spark, Some(Said::Busy(_))) {
        table.note_key(key, "stands without a busy `spark`; write that too");
    }
    let choices = [
        ("job", (SparkWorkKind::Job, "job 1")),
        ("stage", (SparkWorkKind::Stage, "stage 1")),
        ("sql", (SparkWorkKind::Sql, "SQL execution 1")),
    ];
    table.parsed(key, &text, |text| words::choice(text, &choices))
}

fn streaming(table: &mut TableReader<'_>) -> Option<Signal<StreamingView>> {
    let key = &keys::STREAMING;
    let text = table.text(key)?;
    table.parsed(key, &text, |text| match (words::unknown(text), text) {
        (Some(why), _) => Ok(Signal::Unknown(why)),
        (None, "none") => Ok(Signal::Known(StreamingView::NoneActive)),
        (None, "never") => Ok(Signal::Known(StreamingView::NeverAny)),
        (None, "active") => Ok(Signal::Known(StreamingView::Active)),
        (None, other) => Err(words::one_of(
            other,
            &["none", "never", "active", "unknown"],
        )),
    })
}

fn last_stream_batch(table: &mut TableReader<'_>, moment: &Moment) -> Option<Timestamp> {
    let key = &keys::LAST_STREAM_BATCH;
    let text = table.text(key)?;
    if text == key.default {
        return None;
    }
    table.parsed(key, &text, |text| moment.past(text))
}

/// Worlds that cannot be: a case about one would prove nothing.
fn refuse_contradictions(table: &mut TableReader<'_>, stated: &StatedSignals) {
    let busy_since = |said: &Option<Said>| matches!(said, Some(Said::Busy(Some(_))));
    for (key, said) in [
        (&keys::NODES, &stated.nodes),
        (&keys::DRIVER_NODE, &stated.driver_node),
    ] {
        if busy_since(said) {
            let problem = "says since when machines are busy, which their metrics do not tell; write \"busy\"";
            table.note_key(key, problem);
        }
    }
    if stated.last_stream_batch.is_none() {
        return;
    }
    if matches!(stated.spark, Some(Said::Unknown(_) | Said::Unused)) {
        let problem = "is told by Spark's jobs, but the case has no such answer of `spark`";
        table.note_key(&keys::LAST_STREAM_BATCH, problem);
    }
    if stated.streaming == Some(Signal::Known(StreamingView::NeverAny)) {
        let problem = "is a batch of a stream, but `streaming` says that there was never any";
        table.note_key(&keys::LAST_STREAM_BATCH, problem);
    }
}

impl StatedSignals {
    /// The keys that tell a time of this life of the driver, with their times.
    pub(super) fn times(&self) -> Vec<(Key, Timestamp)> {
        let at = |said: &Option<Said>| match said {
            Some(Said::Quiet(at) | Said::Busy(at)) => *at,
            Some(Said::Unused | Said::Unknown(_)) | None => None,
        };
        let told = [
            (keys::SPARK, at(&self.spark)),
            (keys::NODES, at(&self.nodes)),
            (keys::DRIVER_NODE, at(&self.driver_node)),
            (keys::LAST_STREAM_BATCH, self.last_stream_batch),
        ];
        let told = told.into_iter();
        told.filter_map(|(key, at)| at.map(|at| (key, at)))
            .collect()
    }

    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.times().into_iter().map(|(_, at)| at).min()
    }

    /// The questions that the case answers itself.
    pub(super) fn answered(&self) -> Vec<Question> {
        let stated = [
            (Question::ActiveRuns, self.active_run.is_some()),
            (Question::CompletedRuns, self.last_run_end.is_some()),
            (
                Question::Spark,
                self.spark.is_some() || self.last_stream_batch.is_some(),
            ),
            (Question::Streaming, self.streaming.is_some()),
            (Question::Commands, self.command.is_some()),
            (Question::DriverNode, self.driver_node.is_some()),
            (Question::AllNodes, self.nodes.is_some()),
        ];
        let stated = stated.into_iter().filter(|(_, is_stated)| *is_stated);
        stated.map(|(question, _)| question).collect()
    }

    /// Lays them over the signals of a cluster that is idle since `quiet_since`.
    pub(super) fn apply(self, signals: &mut Signals, quiet_since: Timestamp) {
        if let Some(said) = self.spark {
            apply_spark(said, self.spark_work, signals);
        }
        if let (Signal::Known(view), Some(at)) = (&mut signals.spark, self.last_stream_batch) {
            view.last_stream_batch = Some(at);
            view.last_completion = view.last_completion.max(Some(at));
        }
        replace(&mut signals.active_run, self.active_run);
        replace(&mut signals.last_run_end, self.last_run_end);
        replace(&mut signals.streaming, self.streaming);
        replace(&mut signals.command, self.command);
        if let Some(said) = self.nodes {
            apply_nodes(said.clone(), quiet_since, &mut signals.driver_node);
            apply_nodes(said, quiet_since, &mut signals.all_nodes);
        }
        if let Some(said) = self.driver_node {
            apply_nodes(said, quiet_since, &mut signals.driver_node);
        }
    }
}

fn replace<T>(signal: &mut Signal<T>, stated: Option<Signal<T>>) {
    if let Some(stated) = stated {
        *signal = stated;
    }
}

fn apply_spark(said: Said, work: Option<(SparkWorkKind, &'static str)>, signals: &mut Signals) {
    let Signal::Known(view) = &mut signals.spark else {
        return;
    };
    match said {
        Said::Quiet(None) => {}
        Said::Quiet(Some(since)) => view.last_completion = Some(since),
        Said::Unused => {
            view.last_completion = None;
            view.ran_a_job = false;
        }
        Said::Busy(since) => {
            let (kind, label) = work.unwrap_or((SparkWorkKind::Job, "job 1"));
            let label = label.to_owned();
            view.busy = Some(SparkWork { kind, label, since });
        }
        Said::Unknown(why) => {
            // Both are read from the application that Spark tells of.
            let without = || Why::new("Spark told of no application to ask");
            signals.spark = Signal::Unknown(why);
            signals.streaming = Signal::Unknown(without());
            signals.command = Signal::Unknown(without());
        }
    }
}

/// A load in the middle of nowhere: the rules ask only whether there is one.
const BUSY: NodesView = NodesView::Busy {
    cores: 1.0,
    network_bytes_per_minute: 1e6,
};

fn apply_nodes(said: Said, quiet_since: Timestamp, signal: &mut Signal<NodesView>) {
    match said {
        // Machines have no word for never used; it was refused.
        Said::Unused => {}
        Said::Quiet(since) => {
            *signal = Signal::Known(NodesView::QuietSince(since.unwrap_or(quiet_since)));
        }
        Said::Busy(_) => *signal = Signal::Known(BUSY),
        Said::Unknown(why) => *signal = Signal::Unknown(why),
    }
}
