//! `[policy]`, `[witness.*]` and `[[exempt]]`: keys, and the reading of them
//! into a `Policy`.
//!
//! A threshold's default is the one of the design; none can be set so low that
//! the witnesses could not speak in time.

use std::time::Duration;

use super::key::{Key, Kind};
use super::mistakes::Mistakes;
use super::principals::KnownPrincipals;
use super::table::{Node, Reading, Source, TableReader, parse_glob};
use super::tables;
use super::values;
use super::{document::Document, environment::Environment};
use crate::escape::Shown;
use crate::identity::PrincipalName;
use crate::policy::{ExemptSelector, Exemption, Policy};

/// Azure Monitor's metrics of a VM arrive minutes late and are judged in
/// five-minute buckets, so nothing shorter can be told.
const SHORTEST_IDLE: Duration = Duration::from_secs(10 * 60);
/// Databricks keeps the history of job runs for 60 days; half of it leaves no doubt.
const LONGEST_IDLE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

const fn threshold(name: &'static str, default: &'static str, meaning: &'static str) -> Key {
    let (least, most) = (SHORTEST_IDLE, LONGEST_IDLE);
    Key::new(name, default, Kind::Duration { least, most }, meaning)
}

const fn flag(name: &'static str, default: &'static str, meaning: &'static str) -> Key {
    Key::new(name, default, Kind::Flag, meaning)
}

const fn cap(name: &'static str, default: &'static str, meaning: &'static str) -> Key {
    let (least, most) = (1, 10_000);
    Key::new(name, default, Kind::Count { least, most }, meaning)
}

const fn text(name: &'static str, meaning: &'static str) -> Key {
    Key::new(name, "", Kind::Text, meaning)
}

pub(super) const IDLE_AFTER: Key = threshold(
    "idle_after",
    "2h",
    "how long a cluster must be quiet by both witnesses",
);
pub(super) const IDLE_AFTER_ONE_WITNESS: Key = threshold(
    "idle_after_one_witness",
    "12h",
    "how long it must be quiet where only one witness can speak",
);
pub(super) const STREAMING_SILENCE: Key = threshold(
    "streaming_silence",
    "96h",
    "how long a stream may be silent before its traces no longer keep a cluster",
);
pub(super) const SPARK_ALONE_SUFFICES: Key = flag(
    "spark_alone_suffices",
    "false",
    "whether Spark alone is believed where work without Spark is likely",
);
pub(super) const NODES_ALONE_SUFFICES: Key = flag(
    "nodes_alone_suffices",
    "false",
    "whether quiet machines alone are believed before `streaming_silence` is over",
);
pub(super) const TRUST_PLATFORM_CLOCK: Key = flag(
    "trust_platform_clock",
    "true",
    "whether a cluster that Databricks' own auto-termination spares is left to it",
);
pub(super) const PROTECT_PINNED: Key = flag(
    "protect_pinned",
    "false",
    "whether pinned clusters are never terminated",
);
pub(super) const PROTECT_NAMES: Key = Key::new(
    "protect_names",
    "[]",
    Kind::Globs,
    "names that are never terminated, with `*` and `?`",
);
pub(super) const CAP_PER_WORKSPACE: Key = cap(
    "cap_per_workspace",
    "10",
    "terminations per workspace and sweep at most",
);
const CAP_PER_SWEEP: Key = cap("cap_per_sweep", "50", "terminations per sweep at most");

pub(super) const POLICY_KEYS: &[Key] = &[
    IDLE_AFTER,
    IDLE_AFTER_ONE_WITNESS,
    STREAMING_SILENCE,
    SPARK_ALONE_SUFFICES,
    NODES_ALONE_SUFFICES,
    TRUST_PLATFORM_CLOCK,
    PROTECT_PINNED,
    PROTECT_NAMES,
    CAP_PER_WORKSPACE,
    CAP_PER_SWEEP,
];

const PRINCIPAL: Key = text(
    "principal",
    "the principal that asks the driver proxy: `main`, or the name of a [[principal]]; required in the table, without which the witness is off",
);
pub(super) const WITNESS_SPARK_KEYS: &[Key] = &[PRINCIPAL];

const ENABLED: Key = flag(
    "enabled",
    "true",
    "whether the metrics of the clusters' machines are read",
);
pub(super) const WITNESS_NODES_KEYS: &[Key] = &[ENABLED];

const CLUSTER: Key = text("cluster", "the id of the cluster; this or `name`");
const NAME: Key = text(
    "name",
    "the name, with `*` and `?`, of the clusters; this or `cluster`",
);
const UNTIL: Key = text(
    "until",
    "the last day, `YYYY-MM-DD`, on which it holds (UTC); required",
);
const REASON: Key = text("reason", "why, for the report; required");
pub(super) const EXEMPT_KEYS: &[Key] = &[CLUSTER, NAME, UNTIL, REASON];

/// Reads everything that makes up the policy.
pub(super) fn read(
    document: &Document<'_>,
    source: &Source,
    environment: &Environment,
    spark_witness: bool,
    mistakes: &mut Mistakes,
) -> Policy {
    let mut reading = Reading {
        source,
        environment,
        mistakes,
    };
    let exemptions = document
        .exempt
        .iter()
        .filter_map(|node| read_exemption(&mut reading, *node))
        .collect();
    let nodes_witness =
        TableReader::new(&mut reading, tables::WITNESS_NODES, document.witness_nodes)
            .flag(&ENABLED);
    let mut table = TableReader::new(&mut reading, tables::POLICY, document.policy);
    let policy = Policy {
        idle_after: table.duration(&IDLE_AFTER),
        idle_after_one_witness: table.duration(&IDLE_AFTER_ONE_WITNESS),
        streaming_silence: table.duration(&STREAMING_SILENCE),
        spark_alone_suffices: table.flag(&SPARK_ALONE_SUFFICES),
        nodes_alone_suffices: table.flag(&NODES_ALONE_SUFFICES),
        trust_platform_clock: table.flag(&TRUST_PLATFORM_CLOCK),
        protect_pinned: table.flag(&PROTECT_PINNED),
        protect_names: table.globs(&PROTECT_NAMES),
        exemptions,
        spark_witness,
        nodes_witness,
        cap_per_workspace: table.count(&CAP_PER_WORKSPACE),
        cap_per_sweep: table.count(&CAP_PER_SWEEP),
    };
    refuse_backward_thresholds(&mut table, policy.idle_after, policy.idle_after_one_witness);
    policy
}

/// Less evidence must never be enough sooner.
pub(super) fn refuse_backward_thresholds(
    table: &mut TableReader<'_>,
    both: Duration,
    one: Duration,
) {
    // Zero stands for a value that was refused already.
    if !both.is_zero() && !one.is_zero() && one < both {
        table.note_key(
            &IDLE_AFTER_ONE_WITNESS,
            format!(
                "is \"{}\", shorter than `idle_after` (\"{}\"); one witness must be quiet at least as long as two",
                values::show_duration(one),
                values::show_duration(both)
            ),
        );
    }
}

/// The principal that `[witness.spark]` names; `None` without the table. A mistake
/// in it is noted, and stands for the main one.
pub(super) fn read_spark_principal(
    document: &Document<'_>,
    source: &Source,
    environment: &Environment,
    principals: &KnownPrincipals,
    mistakes: &mut Mistakes,
) -> Option<PrincipalName> {
    let node = document.witness_spark?;
    let mut reading = Reading {
        source,
        environment,
        mistakes,
    };
    let mut table = TableReader::new(&mut reading, tables::WITNESS_SPARK, Some(node));
    let name = table.required_text(&PRINCIPAL);
    let found = name.and_then(|name| table.parsed(&PRINCIPAL, &name, |name| principals.find(name)));
    Some(found.unwrap_or_default())
}

fn read_exemption(reading: &mut Reading<'_>, node: Node<'_>) -> Option<Exemption> {
    let mut table = TableReader::new(reading, tables::EXEMPT, Some(node));
    let cluster = table.text(&CLUSTER);
    let name = table.text(&NAME);
    let until_day = table.required_text(&UNTIL);
    let reason = table.required_text(&REASON);
    let until = until_day
        .as_deref()
        .and_then(|day| table.parsed(&UNTIL, day, values::parse_last_day));
    let selector = match (cluster, name) {
        (Some(id), None) => table
            .parsed(&CLUSTER, &id, parse_cluster_id)
            .map(ExemptSelector::Id),
        (None, Some(name)) => table
            .parsed(&NAME, &name, parse_glob)
            .map(ExemptSelector::Name),
        (Some(_), Some(_)) => {
            table.note_key(
                &NAME,
                "stands beside `cluster`; an exemption has one of the two",
            );
            None
        }
        (None, None) => {
            table.note_key(
                &CLUSTER,
                "is missing in [[exempt]], and so is `name`; write one of them",
            );
            None
        }
    };
    Some(Exemption {
        selector: selector?,
        until: until?,
        until_day: until_day?,
        reason: reason?,
    })
}

fn parse_cluster_id(text: &str) -> Result<String, String> {
    let is_plain = |next: char| next.is_ascii_alphanumeric() || next == '-' || next == '_';
    if text.chars().all(is_plain) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "is \"{}\", which is no cluster id; a name or pattern belongs into `name`",
        Shown::new(text, values::SHOWN_CHARS)
    ))
}
