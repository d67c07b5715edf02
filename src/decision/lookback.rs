//! How far back the machines must be read so that every rule that looks at them
//! can speak. Pure.

use std::time::Duration;

use super::proof::Evidence;
use super::quiet::threshold;
use super::rules::contradiction_window;
use crate::policy::Policy;
use crate::signals::{Signals, SparkWorkKind, StreamingView};

/// The longest wait that could apply to this cluster, as far as the signals that
/// were asked before the nodes tell: beside a quiet Spark the short one, else the
/// one for nodes alone; a day at least where a job may contradict the machines.
#[must_use]
pub fn longest_wait(signals: &Signals, policy: &Policy) -> Duration {
    let spark = signals.spark.known().filter(|_| policy.spark_witness);
    let no_stream = match signals.streaming.known() {
        Some(StreamingView::NoneActive | StreamingView::NeverAny) => true,
        Some(StreamingView::Active) | None => false,
    };
    let work = spark.and_then(|spark| spark.busy.as_ref());
    if work.is_some_and(|work| work.kind == SparkWorkKind::Job) {
        return policy.idle_after.max(contradiction_window());
    }
    let evidence = if spark.is_some() && no_stream {
        Evidence::Both
    } else {
        Evidence::NodesAlone
    };
    threshold(evidence, policy)
}
