//! The keys of a file of cases, each with its default and its meaning, and the
//! table of them for the documentation. The constants are the only source.

use std::time::Duration;

use crate::settings::key::{Key, Kind};
use crate::settings::tables::{TableReference, table};

const fn text(name: &'static str, default: &'static str, meaning: &'static str) -> Key {
    Key::new(name, default, Kind::Text, meaning)
}

pub(super) const FILE_NOW: Key = text(
    "now",
    "",
    "the time of every case without its own, as in `[[case]] now`",
);
/// `[[case]]` itself, as a key of the file.
pub(super) const CASE: Key = text("case", "", "one case; at least one");

pub(super) const NAME: Key = text(
    "name",
    "",
    "what the case shows; required, and its own in the file",
);
pub(super) const NOW: Key = text(
    "now",
    "2026-01-01T12:00:00Z",
    "the time at which it is decided, such as `2027-01-31T18:00:00Z`; write one where dates matter, or one above the first case for all",
);
pub(super) const WORKSPACE: Key = text(
    "workspace",
    "",
    "the cluster's workspace, by its name in the policy, for the overrides of one",
);
pub(super) const QUIET_FOR: Key = Key::new(
    "quiet_for",
    "40d",
    Kind::Duration {
        least: Duration::from_secs(1),
        most: Duration::from_hours(3650 * 24),
    },
    "how long Spark and nodes say quiet, unless `signals` says otherwise; longer than any wait can be set",
);
pub(super) const CLUSTER: Key = text("cluster", "", "the cluster's record, `[case.cluster]`");
pub(super) const SIGNALS: Key = text("signals", "", "what is known of it, `[case.signals]`");
pub(super) const EXPECT: Key = text("expect", "", "what must come of it, `[case.expect]`");

pub(super) const CLUSTER_NAME: Key = text("name", "test-cluster", "its name");
pub(super) const ID: Key = text("id", "0101-120000-testcase", "its id");
pub(super) const TAGS: Key = text(
    "tags",
    "{}",
    "its tags, such as `{ team = \"x\" }`; `terminate-clusters-keep-until` among them",
);
pub(super) const SOURCE: Key = text(
    "source",
    "UI",
    "who made it: `UI`, `API`, `JOB`, `PIPELINE`, …, or `absent`",
);
pub(super) const STATE: Key = text("state", "RUNNING", "its state, as Databricks spells it");
pub(super) const AUTOTERMINATION: Key = Key::new(
    "autotermination_minutes",
    "0",
    Kind::Count {
        least: 0,
        most: 10_000,
    },
    "Databricks' own limit; `0` is off",
);
pub(super) const WORKERS: Key = Key::new(
    "workers",
    "2",
    Kind::Count {
        least: 0,
        most: 100_000,
    },
    "its workers; `0` is a single node",
);
pub(super) const SPARK_VERSION: Key = text(
    "spark_version",
    "15.4.x-scala2.12",
    "its runtime; `unknown` where the record has none",
);
pub(super) const GPU: Key = text(
    "gpu",
    "false",
    "whether its machines have GPUs: `true`, `false` or `\"unknown\"`",
);
pub(super) const POOL: Key = Key::new(
    "pool",
    "false",
    Kind::Flag,
    "whether its machines come from a pool",
);
pub(super) const PINNED: Key = text(
    "pinned",
    "false",
    "whether it is pinned: `true`, `false` or `\"unknown\"`",
);
pub(super) const STARTED: Key = text(
    "started",
    "",
    "when it started, such as `\"3h ago\"`; `unknown` where the record does not say; absent, 40 days before it came to rest",
);
pub(super) const LAST_ACTIVITY: Key = text(
    "last_activity",
    "none",
    "its `last_activity_time`, such as `\"20m ago\"`",
);

pub(super) const ACTIVE_RUN: Key = text(
    "active_run",
    "none",
    "whether an active job run names it: `none`, `running` or `unknown`",
);
pub(super) const LAST_RUN_END: Key = text(
    "last_run_end",
    "none",
    "when the last job run on it ended, such as `\"3h ago\"`; `none` or `unknown`",
);
pub(super) const SPARK: Key = text(
    "spark",
    "quiet",
    "`quiet` (for `quiet_for`), `quiet for 3h`, `quiet since <time>`, `unused` (nothing ran since its start), `busy`, `busy for 20m`, `busy since <time>` or `unknown`",
);
pub(super) const SPARK_WORK: Key = text(
    "spark_work",
    "job",
    "what keeps a busy Spark busy: `job`, `stage` or `sql`",
);
pub(super) const STREAMING: Key = text(
    "streaming",
    "none",
    "streaming queries: `none` active, `never` any, `active`, or `unknown`, which it also is where Spark is",
);
pub(super) const LAST_STREAM_BATCH: Key = text(
    "last_stream_batch",
    "none",
    "when Spark's jobs show the last batch of a stream, such as `\"3h ago\"`",
);
pub(super) const COMMAND: Key = text(
    "command",
    "none",
    "whether a driver thread executes a command: `none`, `running`, or `unknown`, which it also is where Spark is",
);
pub(super) const NODES: Key = text(
    "nodes",
    "quiet",
    "all machines: `quiet`, `quiet for 3h`, `quiet since <time>`, `busy` or `unknown`",
);
pub(super) const DRIVER_NODE: Key = text(
    "driver_node",
    "",
    "the driver's machine, where it differs from `nodes`; the same words",
);

pub(super) const DECISION: Key = text("decision", "", "`keep` or `terminate`; required");
pub(super) const REASON: Key = text(
    "reason",
    "",
    "the word in the report, such as `spark_busy` or `both_witnesses`",
);
pub(super) const EARLIEST: Key = text(
    "earliest",
    "",
    "the earliest termination: `in 30m`, a time, `never` or `now`",
);
pub(super) const THRESHOLD: Key = text(
    "threshold",
    "",
    "the wait that its evidence and the policy ask for, such as `2h`",
);

pub(super) const FILE_TABLE: TableReference = table("a file of cases", &[FILE_NOW, CASE]);
pub(super) const CASE_TABLE: TableReference = table(
    "[[case]]",
    &[NAME, NOW, WORKSPACE, QUIET_FOR, CLUSTER, SIGNALS, EXPECT],
);
pub(super) const CLUSTER_TABLE: TableReference = table(
    "[case.cluster]",
    &[
        CLUSTER_NAME,
        ID,
        TAGS,
        SOURCE,
        STATE,
        AUTOTERMINATION,
        WORKERS,
        SPARK_VERSION,
        GPU,
        POOL,
        PINNED,
        STARTED,
        LAST_ACTIVITY,
    ],
);
pub(super) const SIGNALS_TABLE: TableReference = table(
    "[case.signals]",
    &[
        ACTIVE_RUN,
        LAST_RUN_END,
        SPARK,
        SPARK_WORK,
        STREAMING,
        LAST_STREAM_BATCH,
        COMMAND,
        NODES,
        DRIVER_NODE,
    ],
);
pub(super) const EXPECT_TABLE: TableReference =
    table("[case.expect]", &[DECISION, REASON, EARLIEST, THRESHOLD]);

/// Every table of a case, in the order of the documentation.
pub const CASE_TABLES: &[TableReference] =
    &[CASE_TABLE, CLUSTER_TABLE, SIGNALS_TABLE, EXPECT_TABLE];

/// The keys of a case as a Markdown table, as one writes them below `[[case]]`.
#[must_use]
pub fn case_reference_markdown() -> String {
    let mut rows = String::from("| Key | Default | Meaning |\n|---|---|---|\n");
    for reference in CASE_TABLES {
        let part = reference.header.trim_matches(['[', ']']);
        let part = part.trim_start_matches("case").trim_start_matches('.');
        let tables = [CLUSTER.name, SIGNALS.name, EXPECT.name];
        let keys = reference.keys.iter();
        for key in keys.filter(|key| !part.is_empty() || !tables.contains(&key.name)) {
            let name = match part {
                "" => key.name.to_owned(),
                part => format!("{part}.{}", key.name),
            };
            let default = match key.default {
                "" => String::new(),
                default => format!("`{default}`"),
            };
            rows.push_str(&format!("| `{name}` | {default} | {} |\n", key.meaning));
        }
    }
    rows
}
