//! The sixteen rules, one function each.
//!
//! Each rule reads signals only through `Look::read`, which is what makes the
//! walk over them also the list of questions. Pure.

use std::time::Duration;

use super::proof::Evidence;
use super::reason::{ActivitySign, KeepReason, RequiredSignal, StreamTrace};
use super::{Look, Question};
use crate::cluster::{ClusterSource, ClusterState};
use crate::signals::{NodesView, SparkWorkKind, StreamingView, Why};
use crate::timestamp::Timestamp;

/// A job that has been RUNNING for longer than this, on machines that were quiet
/// for as long, is shown to an operator.
const CONTRADICTION_AFTER: Duration = Duration::from_hours(24);

/// Tag whose presence protects a cluster, unless its value is `false`.
const PROTECT_TAG: &str = "terminate-clusters";

/// Tag that protects a cluster through a day.
const KEEP_UNTIL_TAG: &str = "terminate-clusters-keep-until";

/// Whether a tag of this key can protect a cluster.
#[must_use]
pub fn speaks_of_protection(key: &str) -> bool {
    [PROTECT_TAG, KEEP_UNTIL_TAG]
        .iter()
        .any(|known| is_key(key, known))
}

type Reason = Result<Option<KeepReason>, Question>;

/// One rule: its number in the table and the test for it.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// As in the module documentation of `decision`.
    pub number: u8,
    /// What it keeps, as a clause.
    pub keeps: &'static str,
    pub(super) applies: fn(&Look<'_>) -> Reason,
}

const fn rule(number: u8, keeps: &'static str, applies: fn(&Look<'_>) -> Reason) -> Rule {
    Rule {
        number,
        keeps,
        applies,
    }
}

/// The rules in the order in which they are tried.
pub const RULES: [Rule; 16] = [
    rule(1, "what is not all-purpose", not_all_purpose),
    rule(2, "what is not RUNNING", not_running),
    rule(3, "what is protected", protected),
    rule(4, "what is exempt until a date", exempt),
    rule(5, "what an active run names", active_run),
    rule(6, "what was active recently", recent_activity),
    rule(7, "what started recently", started_recently),
    rule(8, "what executes a command", command_running),
    rule(9, "what Spark works on", spark_busy),
    rule(10, "what streams, or may", streaming),
    rule(11, "what keeps a machine busy", nodes_busy),
    rule(12, "what a required signal is unknown of", required_unknown),
    rule(13, "what no witness speaks for", no_witness),
    rule(14, "what the evidence is too weak for", evidence_too_weak),
    rule(
        15,
        "what the platform saw activity on",
        platform_saw_activity,
    ),
    rule(16, "what is not quiet for long enough", quiet_too_short),
];

/// How far back the machines must be read so that a contradiction with Spark can
/// be told.
#[must_use]
pub(super) fn contradiction_window() -> Duration {
    CONTRADICTION_AFTER
}

fn not_all_purpose(look: &Look<'_>) -> Reason {
    let source = match &look.signals.cluster.source {
        ClusterSource::Ui | ClusterSource::Api => return Ok(None),
        ClusterSource::Other(source) => source.clone(),
        ClusterSource::Absent => "absent".to_owned(),
    };
    Ok(Some(KeepReason::NotAllPurpose { source }))
}

fn not_running(look: &Look<'_>) -> Reason {
    let state = &look.signals.cluster.state;
    let running = *state == ClusterState::Running;
    Ok((!running).then(|| KeepReason::NotRunning {
        state: state.as_str().to_owned(),
    }))
}

fn protected(look: &Look<'_>) -> Reason {
    let cluster = &look.signals.cluster;
    if tag_values(look, PROTECT_TAG).any(|value| !value.trim().eq_ignore_ascii_case("false")) {
        return Ok(Some(KeepReason::ProtectedByTag));
    }
    let glob = look
        .policy
        .protect_names
        .iter()
        .find(|glob| glob.matches(&cluster.name));
    if let Some(glob) = glob {
        let pattern = glob.as_str().to_owned();
        return Ok(Some(KeepReason::ProtectedByName { pattern }));
    }
    if !look.policy.protect_pinned {
        return Ok(None);
    }
    let pinned = look.read(&look.signals.pinned, Question::Pin)? == Some(&true);
    Ok(pinned.then_some(KeepReason::ProtectedByPin))
}

fn exempt(look: &Look<'_>) -> Reason {
    let cluster = &look.signals.cluster;
    let exemption = look
        .policy
        .exemptions
        .iter()
        .find(|exemption| exemption.covers(cluster, look.now));
    if let Some(exemption) = exemption {
        return Ok(Some(KeepReason::Exempt {
            until: exemption.until,
            day: exemption.until_day.clone(),
            reason: exemption.reason.clone(),
        }));
    }
    for value in tag_values(look, KEEP_UNTIL_TAG) {
        let Some(midnight) = Timestamp::parse_day(value.trim()) else {
            let value = value.to_owned();
            return Ok(Some(KeepReason::KeepUntilUnreadable { value }));
        };
        let until = midnight.plus(Duration::from_hours(24));
        if look.now < until {
            let day = value.trim().to_owned();
            return Ok(Some(KeepReason::KeepUntil { until, day }));
        }
    }
    Ok(None)
}

fn active_run(look: &Look<'_>) -> Reason {
    let run = look.read(&look.signals.active_run, Question::ActiveRuns)?;
    Ok(run
        .cloned()
        .flatten()
        .map(|run| KeepReason::ActiveRun { run }))
}

fn recent_activity(look: &Look<'_>) -> Reason {
    let recent = |at: Timestamp| look.now.since(at) < look.policy.idle_after;
    if let Some(at) = look.last_activity().filter(|at| recent(*at)) {
        let sign = ActivitySign::LastActivityTime;
        return Ok(Some(KeepReason::RecentActivity { sign, at }));
    }
    let ended = look.read(&look.signals.last_run_end, Question::CompletedRuns)?;
    let ended = ended.copied().flatten().filter(|at| recent(*at));
    Ok(ended.map(|at| {
        let sign = ActivitySign::RunEnded;
        KeepReason::RecentActivity { sign, at }
    }))
}

fn started_recently(look: &Look<'_>) -> Reason {
    let started = look.signals.cluster.started();
    let young = started.filter(|at| look.now.since(*at) < look.policy.idle_after);
    Ok(young.map(|at| KeepReason::StartedRecently { at }))
}

fn command_running(look: &Look<'_>) -> Reason {
    // The threads are read from the Spark application, so that is asked for first.
    // It may have answered without making sense: its threads can still tell.
    look.spark()?;
    let thread = look.read(&look.signals.command, Question::Commands)?;
    let thread = thread.cloned().flatten();
    Ok(thread.map(|thread| KeepReason::CommandRunning { thread }))
}

fn spark_busy(look: &Look<'_>) -> Reason {
    let Some(work) = look.spark()?.and_then(|spark| spark.busy.clone()) else {
        return Ok(None);
    };
    let day_ago = look.now.minus(CONTRADICTION_AFTER);
    let runs_for_a_day =
        work.kind == SparkWorkKind::Job && work.since.is_some_and(|at| at < day_ago);
    if runs_for_a_day
        && look
            .all_nodes()?
            .is_some_and(|nodes| quiet_at(nodes, day_ago))
    {
        return Ok(Some(KeepReason::Contradictory { work }));
    }
    Ok(Some(KeepReason::SparkBusy { work }))
}

fn quiet_at(nodes: &NodesView, at: Timestamp) -> bool {
    match nodes {
        NodesView::Busy { .. } => false,
        NodesView::QuietSince(since) | NodesView::QuietThroughout(since) => *since <= at,
    }
}

fn streaming(look: &Look<'_>) -> Reason {
    let spark = look.spark()?;
    match look.read(&look.signals.streaming, Question::Streaming)? {
        Some(StreamingView::Active) => Ok(Some(KeepReason::StreamActive)),
        Some(StreamingView::NoneActive | StreamingView::NeverAny) => Ok(None),
        None => {
            let batch = spark.and_then(|spark| spark.last_stream_batch);
            let forgotten = spark.and_then(|spark| spark.forgotten_until);
            let (trace, at) = if batch >= forgotten {
                (StreamTrace::Batch, batch)
            } else {
                (StreamTrace::Forgotten, forgotten)
            };
            let at = at.filter(|at| look.now.since(*at) < look.policy.streaming_silence);
            Ok(at.map(|at| KeepReason::StreamTraces { trace, at }))
        }
    }
}

fn nodes_busy(look: &Look<'_>) -> Reason {
    let driver = look.driver_node()?;
    let mut views = vec![driver];
    if !look.spark_says_quiet()? && driver.is_some() {
        views.push(look.all_nodes()?);
    }
    for view in views.into_iter().flatten() {
        if let NodesView::Busy {
            cores,
            network_bytes_per_minute,
        } = *view
        {
            return Ok(Some(KeepReason::NodesBusy {
                cores,
                network_bytes_per_minute,
            }));
        }
    }
    Ok(None)
}

fn required_unknown(look: &Look<'_>) -> Reason {
    let missing = |signal, why: Option<&Why>| {
        let why = why.cloned();
        Ok(Some(KeepReason::RequiredUnknown { signal, why }))
    };
    let signals = look.signals;
    if look
        .read(&signals.active_run, Question::ActiveRuns)?
        .is_none()
    {
        return missing(RequiredSignal::ActiveRuns, signals.active_run.why());
    }
    if look.start()?.is_none() {
        return missing(RequiredSignal::Start, None);
    }
    if signals.cluster.spark_context_id.is_none() {
        return missing(RequiredSignal::SparkContextId, None);
    }
    let pin_unknown = look.read(&signals.pinned, Question::Pin)?.is_none();
    if look.policy.protect_pinned && pin_unknown {
        return missing(RequiredSignal::Pin, signals.pinned.why());
    }
    Ok(None)
}

fn no_witness(look: &Look<'_>) -> Reason {
    Ok(look.evidence()?.is_none().then_some(KeepReason::NoWitness))
}

fn evidence_too_weak(look: &Look<'_>) -> Reason {
    let Some(evidence) = look.evidence()? else {
        return Ok(Some(KeepReason::NoWitness));
    };
    let weakness = match evidence {
        Evidence::Both => None,
        Evidence::SparkAlone if look.policy.spark_alone_suffices => None,
        Evidence::SparkAlone => look.weakness_of_spark()?,
        Evidence::NodesAlone => look.weakness_of_nodes()?,
    };
    Ok(weakness.map(|weakness| KeepReason::EvidenceTooWeak { evidence, weakness }))
}

fn platform_saw_activity(look: &Look<'_>) -> Reason {
    let Some(limit) = look.platform_limit() else {
        return Ok(None);
    };
    let Some(quiet) = look.quiet()? else {
        return Ok(Some(KeepReason::NoWitness));
    };
    let minutes = look.signals.cluster.autotermination_minutes;
    let saw = look.now.since(quiet.since) > limit;
    Ok(saw.then_some(KeepReason::PlatformSawActivity {
        autotermination: Duration::from_secs(minutes.saturating_mul(60)),
        quiet_since: quiet.since,
    }))
}

fn quiet_too_short(look: &Look<'_>) -> Reason {
    let Some(quiet) = look.quiet()? else {
        return Ok(Some(KeepReason::NoWitness));
    };
    let too_short = look.now.since(quiet.since) < quiet.threshold;
    Ok(too_short.then_some(KeepReason::QuietTooShort { quiet }))
}

fn tag_values<'a>(look: &Look<'a>, key: &'a str) -> impl Iterator<Item = &'a str> {
    let tags = look.signals.cluster.tags.iter();
    tags.filter(move |(name, _)| is_key(name, key))
        .map(|(_, value)| value.as_str())
}

fn is_key(name: &str, key: &str) -> bool {
    name.trim().eq_ignore_ascii_case(key)
}
