//! The waits and bounds of `[limits]`: each key beside its default, its range
//! and its meaning.
//!
//! All of them are optional, and none of them can make a sweep terminate more:
//! they bound how long it waits and how hard it asks. Values only; `settings`
//! reads them and every later stage is handed the part that concerns it.

use std::time::Duration;

use super::key::{Key, Kind};
use super::table::TableReader;
use super::values::show_duration;

const MILLISECOND: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Waits and bounds of a sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    pub connect_timeout: Duration,
    pub request_timeout: Duration,
    pub request_attempts: u32,
    pub retry_budget: Duration,
    pub retry_first_wait: Duration,
    pub retry_longest_wait: Duration,
    /// Per workspace.
    pub requests_per_second: u32,
    /// Per workspace.
    pub request_burst: u32,
    pub parallel_requests_per_workspace: u32,
    pub parallel_requests: u32,
    pub parallel_workspaces: u32,
    pub read_back_for: Duration,
    pub read_back_every: Duration,
    pub second_look_runs_age: Duration,
    pub join_for: Duration,
    pub join_every: Duration,
    /// Pages.
    pub runs_page_cap: u32,
    pub function_timeout_margin: Duration,
    pub sweep_deadline: Duration,
    pub token_timeout: Duration,
    pub warn_before: Duration,
}

const CONNECT_TIMEOUT: Key = wait(
    "connect_timeout",
    "5s",
    MINUTE,
    "longest wait for a connection",
);
const REQUEST_TIMEOUT: Key = wait(
    "request_timeout",
    "30s",
    HOUR,
    "longest wait for one answer, connection included",
);
const REQUEST_ATTEMPTS: Key = count(
    "request_attempts",
    "4",
    20,
    "how often one request is sent at most",
);
const RETRY_BUDGET: Key = wait(
    "retry_budget",
    "60s",
    HOUR,
    "longest time for one request with all its repetitions",
);
const RETRY_FIRST_WAIT: Key = wait(
    "retry_first_wait",
    "500ms",
    MINUTE,
    "wait before a request is repeated for the first time; it doubles from there",
);
const RETRY_LONGEST_WAIT: Key = wait(
    "retry_longest_wait",
    "10s",
    HOUR,
    "longest wait that the doubling reaches",
);
const REQUESTS_PER_SECOND: Key = count(
    "requests_per_second",
    "5",
    1000,
    "requests per second to one workspace, on average",
);
const REQUEST_BURST: Key = count(
    "request_burst",
    "10",
    1000,
    "requests to one workspace that may go out at once after a pause",
);
const PARALLEL_REQUESTS_PER_WORKSPACE: Key = count(
    "parallel_requests_per_workspace",
    "4",
    256,
    "requests under way to one workspace",
);
const PARALLEL_REQUESTS: Key = count(
    "parallel_requests",
    "64",
    1024,
    "requests under way in the whole sweep",
);
const PARALLEL_WORKSPACES: Key = count(
    "parallel_workspaces",
    "32",
    256,
    "workspaces that are swept at the same time",
);
const READ_BACK_FOR: Key = wait(
    "read_back_for",
    "60s",
    HOUR,
    "how long a terminated cluster may still show RUNNING before that is a failure",
);
const READ_BACK_EVERY: Key = wait(
    "read_back_every",
    "2s",
    MINUTE,
    "pause between two looks at a terminated cluster",
);
const SECOND_LOOK_RUNS_AGE: Key = wait(
    "second_look_runs_age",
    "30s",
    MINUTE,
    "oldest list of job runs that the look before a termination may rest on",
);
const JOIN_FOR: Key = wait(
    "join_for",
    "2m",
    HOUR,
    "how long a new membership or right may take to show before that is a failure",
);
const JOIN_EVERY: Key = wait(
    "join_every",
    "2s",
    MINUTE,
    "pause between two looks at a new membership or right",
);
const RUNS_PAGE_CAP: Key = count(
    "runs_page_cap",
    "200",
    10_000,
    "pages of job runs that are read of one workspace",
);
pub(super) const FUNCTION_TIMEOUT_MARGIN: Key = wait(
    "function_timeout_margin",
    "30s",
    HOUR,
    "how long before the host's `functionTimeout` a sweep ends",
);
const SWEEP_DEADLINE: Key = wait(
    "sweep_deadline",
    "30m",
    DAY,
    "longest sweep on the command line, or where the host has no `functionTimeout`",
);
const TOKEN_TIMEOUT: Key = wait(
    "token_timeout",
    "20s",
    HOUR,
    "longest wait for a token or a secret",
);

const WARN_BEFORE: Key = wait(
    "warn_before",
    "21d",
    YEAR,
    "how long before a certificate or a client secret ends the report warns of it",
);

/// Every key of `[limits]`.
pub(super) const KEYS: &[Key] = &[
    CONNECT_TIMEOUT,
    REQUEST_TIMEOUT,
    REQUEST_ATTEMPTS,
    RETRY_BUDGET,
    RETRY_FIRST_WAIT,
    RETRY_LONGEST_WAIT,
    REQUESTS_PER_SECOND,
    REQUEST_BURST,
    PARALLEL_REQUESTS_PER_WORKSPACE,
    PARALLEL_REQUESTS,
    PARALLEL_WORKSPACES,
    READ_BACK_FOR,
    READ_BACK_EVERY,
    SECOND_LOOK_RUNS_AGE,
    JOIN_FOR,
    JOIN_EVERY,
    RUNS_PAGE_CAP,
    FUNCTION_TIMEOUT_MARGIN,
    SWEEP_DEADLINE,
    TOKEN_TIMEOUT,
    WARN_BEFORE,
];

/// Reads `[limits]`; a mistake leaves its value at zero and is noted by the reader.
pub(super) fn read(table: &mut TableReader<'_>) -> Limits {
    let limits = read_each(table);
    refuse_contradictions(&limits, table);
    limits
}

/// Two values of which the first must not be more than the second.
struct Order {
    less: Key,
    more: Key,
    /// What the first could not do otherwise, as a clause.
    why: &'static str,
}

const fn order(less: Key, more: Key, why: &'static str) -> Order {
    Order { less, more, why }
}

fn refuse_contradictions(limits: &Limits, table: &mut TableReader<'_>) {
    for (order, less, more) in waits_in_order(limits) {
        let shown = |value| format!("\"{}\"", show_duration(value));
        // Zero stands for a mistake that is noted already.
        if less > more && !more.is_zero() {
            refuse(&order, &shown(less), &shown(more), table);
        }
    }
    let (one, all) = (
        limits.parallel_requests_per_workspace,
        limits.parallel_requests,
    );
    if one > all && all > 0 {
        let why = "one workspace could hold up all others";
        let order = order(PARALLEL_REQUESTS_PER_WORKSPACE, PARALLEL_REQUESTS, why);
        refuse(&order, &one.to_string(), &all.to_string(), table);
    }
}

/// The pairs of waits, with their values.
fn waits_in_order(limits: &Limits) -> [(Order, Duration, Duration); 5] {
    [
        (
            order(
                CONNECT_TIMEOUT,
                REQUEST_TIMEOUT,
                "the wait for an answer includes the connection",
            ),
            limits.connect_timeout,
            limits.request_timeout,
        ),
        (
            order(
                REQUEST_TIMEOUT,
                RETRY_BUDGET,
                "a request that is answered late could never be repeated",
            ),
            limits.request_timeout,
            limits.retry_budget,
        ),
        (
            order(
                RETRY_FIRST_WAIT,
                RETRY_LONGEST_WAIT,
                "the first wait is the shortest",
            ),
            limits.retry_first_wait,
            limits.retry_longest_wait,
        ),
        (
            order(
                READ_BACK_EVERY,
                READ_BACK_FOR,
                "there would be no second look at a terminated cluster",
            ),
            limits.read_back_every,
            limits.read_back_for,
        ),
        (
            order(
                JOIN_EVERY,
                JOIN_FOR,
                "there would be no second look at a new membership",
            ),
            limits.join_every,
            limits.join_for,
        ),
    ]
}

/// Notes the contradiction where an operator can mend it: at the value that was given.
fn refuse(order: &Order, less: &str, more: &str, table: &mut TableReader<'_>) {
    let Order {
        less: small,
        more: large,
        why,
    } = order;
    let told = |key: &Key, value: &str, table: &TableReader<'_>| {
        let origin = if table.is_given(key) {
            ""
        } else {
            ", its default"
        };
        format!("`{}` ({value}{origin})", key.name)
    };
    let (at, problem) = if table.is_given(small) || !table.is_given(large) {
        let other = told(large, more, table);
        (small, format!("is {less}, which is more than {other}"))
    } else {
        let other = told(small, less, table);
        (large, format!("is {more}, which is less than {other}"))
    };
    table.note_key(
        at,
        format!("{problem}: {why}; lower the one or raise the other"),
    );
}

fn read_each(table: &mut TableReader<'_>) -> Limits {
    Limits {
        connect_timeout: table.duration(&CONNECT_TIMEOUT),
        request_timeout: table.duration(&REQUEST_TIMEOUT),
        request_attempts: table.count(&REQUEST_ATTEMPTS),
        retry_budget: table.duration(&RETRY_BUDGET),
        retry_first_wait: table.duration(&RETRY_FIRST_WAIT),
        retry_longest_wait: table.duration(&RETRY_LONGEST_WAIT),
        requests_per_second: table.count(&REQUESTS_PER_SECOND),
        request_burst: table.count(&REQUEST_BURST),
        parallel_requests_per_workspace: table.count(&PARALLEL_REQUESTS_PER_WORKSPACE),
        parallel_requests: table.count(&PARALLEL_REQUESTS),
        parallel_workspaces: table.count(&PARALLEL_WORKSPACES),
        read_back_for: table.duration(&READ_BACK_FOR),
        read_back_every: table.duration(&READ_BACK_EVERY),
        second_look_runs_age: table.duration(&SECOND_LOOK_RUNS_AGE),
        join_for: table.duration(&JOIN_FOR),
        join_every: table.duration(&JOIN_EVERY),
        runs_page_cap: table.count(&RUNS_PAGE_CAP),
        function_timeout_margin: table.duration(&FUNCTION_TIMEOUT_MARGIN),
        sweep_deadline: table.duration(&SWEEP_DEADLINE),
        token_timeout: table.duration(&TOKEN_TIMEOUT),
        warn_before: table.duration(&WARN_BEFORE),
    }
}

const fn wait(
    name: &'static str,
    default: &'static str,
    most: Duration,
    meaning: &'static str,
) -> Key {
    let least = MILLISECOND;
    Key::new(name, default, Kind::Duration { least, most }, meaning)
}

const fn count(name: &'static str, default: &'static str, most: u32, meaning: &'static str) -> Key {
    Key::new(name, default, Kind::Count { least: 1, most }, meaning)
}
