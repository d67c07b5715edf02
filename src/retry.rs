//! Whether a failed attempt is worth another, and how long to wait before it.
//!
//! Pure: an attempt's outcome in, a verdict out. The clock, the budget and the
//! jitter are handed in, so the whole schedule is tested as a table. This file
//! must not sleep, send, or read the time; `service` and the token fetch loop
//! do. What counts as passing is what the Databricks SDKs treat as passing,
//! narrowed to requests that can safely be sent twice.

use std::time::Duration;

use time::PrimitiveDateTime;
use time::macros::format_description;

use crate::timestamp::Timestamp;

/// The ways in which an exchange ends without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransportErrorKind {
    /// Our own rules forbid the host; nothing was sent.
    Refused,
    /// The host's name, or the proxy's, has no address.
    Dns,
    /// No connection: refused, unreachable, or a proxy that opened no tunnel.
    Connect,
    /// The other side's certificate or TLS itself was not acceptable.
    Tls,
    /// The time for the connection or for the whole exchange ran out.
    Timeout,
    /// The connection ended before the answer did.
    Reset,
    /// The answer is longer than the caller wants to hold.
    BodyTooLarge,
    /// Anything else, such as an answer that is no HTTP.
    Other,
}

impl TransportErrorKind {
    /// The stable spelling for logs and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::BodyTooLarge => "body_too_large",
            Self::Other => "other",
        }
    }
}

/// How one attempt failed.
#[derive(Debug, Clone, Copy)]
pub enum Outcome<'a> {
    /// An answer came.
    Answer {
        status: u16,
        /// The start of its body, which holds the error code too.
        body: &'a str,
        /// What its `Retry-After` asks for, see [`retry_after`].
        retry_after: Option<Duration>,
    },
    /// No answer came.
    NoAnswer {
        kind: TransportErrorKind,
        /// The request certainly never reached the other side.
        never_sent: bool,
    },
}

/// Whether the outcome may pass by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Worth another attempt, not earlier than this.
    Retry { not_before: Option<Duration> },
    /// Another attempt would answer the same, or might do the same thing twice.
    Final,
}

/// The bounds of one call's attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryLimits {
    /// Attempts in all, the first included.
    pub attempts: u32,
    /// Time from the first attempt's start within which the last one starts.
    pub budget: Duration,
    /// The wait after the first failure; it doubles with each further one.
    pub first_wait: Duration,
    /// The longest wait that the doubling reaches.
    pub longest_wait: Duration,
}

/// Codes and texts of answers that say that nothing was done: the limiter stood
/// before the work. SCIM sends the first with status 500.
const LIMITED: &[&str] = &[
    "REQUEST_LIMIT_EXCEEDED",
    "RESOURCE_EXHAUSTED",
    "RPC token bucket limit has been exceeded",
];

/// Messages that the Databricks SDKs for Go and Python retry.
const TRANSIENT: &[&str] = &[
    "UnknownWorkerEnvironmentException",
    "does not have any associated worker environments",
    "ClusterNotReadyException",
    "Timed out after ",
    "deadline exceeded",
    "Please try again later or try a faster operation.",
    "Unexpected error",
];

/// Judges one failed attempt; `idempotent` says that sending it twice is the
/// same as once.
#[must_use]
pub fn classify(idempotent: bool, outcome: &Outcome<'_>) -> Verdict {
    let (passes, not_before) = match *outcome {
        Outcome::Answer {
            status,
            body,
            retry_after,
        } => (answer_passes(idempotent, status, body), retry_after),
        Outcome::NoAnswer { kind, never_sent } => {
            (silence_passes(idempotent, kind, never_sent), None)
        }
    };
    if passes {
        Verdict::Retry { not_before }
    } else {
        Verdict::Final
    }
}

fn answer_passes(idempotent: bool, status: u16, body: &str) -> bool {
    match status {
        429 => true,
        // Azure Monitor's word for "throttled".
        529 => idempotent,
        // A gateway may say 503 after the work behind it was done.
        503 => idempotent || contains_any(body, LIMITED),
        400 | 401 | 403 | 404 => false,
        408 | 502 | 504 => idempotent,
        // A refusal by the limiter is safe to repeat whatever the request does.
        500.. => contains_any(body, LIMITED) || (idempotent && is_transient(body)),
        _ => false,
    }
}

fn is_transient(body: &str) -> bool {
    // The SDKs' pattern `worker env .* not found`.
    let worker_env = body
        .split_once("worker env ")
        .is_some_and(|(_, rest)| rest.contains(" not found"));
    worker_env || contains_any(body, TRANSIENT)
}

fn contains_any(body: &str, parts: &[&str]) -> bool {
    parts.iter().any(|part| body.contains(part))
}

fn silence_passes(idempotent: bool, kind: TransportErrorKind, never_sent: bool) -> bool {
    match kind {
        TransportErrorKind::Refused | TransportErrorKind::BodyTooLarge => false,
        // TLS too can fail after the request has gone out.
        TransportErrorKind::Dns
        | TransportErrorKind::Connect
        | TransportErrorKind::Tls
        | TransportErrorKind::Timeout
        | TransportErrorKind::Reset
        | TransportErrorKind::Other => idempotent || never_sent,
    }
}

/// How long to wait before the next attempt, or `None` to give up.
///
/// `attempts` counts those already made, `elapsed` the time since the first one
/// began, `left` the time until the caller's own deadline; `jitter` is a random
/// number from 0 to 1. A wait that the server asks for is honoured in full or
/// not at all: coming earlier would only be refused again.
#[must_use]
pub fn next_wait(
    limits: &RetryLimits,
    verdict: Verdict,
    attempts: u32,
    elapsed: Duration,
    left: Duration,
    jitter: f64,
) -> Option<Duration> {
    let Verdict::Retry { not_before } = verdict else {
        return None;
    };
    if attempts >= limits.attempts {
        return None;
    }
    let wait = backoff(limits, attempts, jitter).max(not_before.unwrap_or_default());
    let allowed = limits.budget.saturating_sub(elapsed).min(left);
    (wait < allowed).then_some(wait)
}

/// Half of the doubled wait is fixed, half is random, so that many callers that
/// failed together don't come back together.
fn backoff(limits: &RetryLimits, attempts: u32, jitter: f64) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    let full = limits
        .first_wait
        .saturating_mul(1 << doublings)
        .min(limits.longest_wait);
    let half = full / 2;
    let jitter = if jitter.is_finite() {
        jitter.clamp(0.0, 1.0)
    } else {
        1.0
    };
    half + half.mul_f64(jitter)
}

/// Reads a `Retry-After` header: seconds, or a date as RFC 9110 writes it.
/// `None` for anything else; a date that has passed asks for no wait.
#[must_use]
pub fn retry_after(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a u64 holds: longer than any budget.
        return Some(Duration::MAX);
    }
    let format = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let date = PrimitiveDateTime::parse(header, format).ok()?;
    let millis = date
        .assume_utc()
        .unix_timestamp()
        .checked_mul(1000)
        .map(Timestamp::from_millis)?;
    Some(millis.since(now))
}

/// Reads the wait that an answer asks for in its message, as Azure's resource
/// providers do: `Please try again after '309' seconds.` `None` for anything else.
#[must_use]
pub fn wait_in_words(body: &str) -> Option<Duration> {
    let (_, rest) = body.split_once("try again after ")?;
    let rest = rest.trim_start_matches(['\'', '"', '\\']);
    let end = rest.find(|next: char| !next.is_ascii_digit())?;
    let (digits, unit) = rest.split_at(end);
    let unit = unit.trim_start_matches(['\'', '"', '\\', ' ']);
    let seconds = digits.parse::<u64>().ok()?;
    unit.starts_with("second")
        .then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: RetryLimits = RetryLimits {
        attempts: 4,
        budget: Duration::from_secs(60),
        first_wait: Duration::from_secs(1),
        longest_wait: Duration::from_secs(10),
    };
    const RETRY: Verdict = Verdict::Retry { not_before: None };

    fn answer(idempotent: bool, status: u16, body: &str) -> bool {
        let outcome = Outcome::Answer {
            status,
            body,
            retry_after: None,
        };
        classify(idempotent, &outcome) == RETRY
    }

    #[test]
    fn judges_every_status() {
        // (status, body, passes if idempotent, passes if not)
        for (status, body, idempotent, other) in [
            (429, "", true, true),
            (429, r#"{"error_code":"RESOURCE_EXHAUSTED"}"#, true, true),
            (503, "<html>", true, false),
            (503, "RESOURCE_EXHAUSTED", true, true),
            (502, "", true, false),
            (504, "", true, false),
            (529, "", true, false),
            (408, "", true, false),
            (500, "", false, false),
            (500, r#"{"detail":"REQUEST_LIMIT_EXCEEDED"}"#, true, true),
            (
                500,
                "GetUserPermissionsRequest RPC token bucket limit has been exceeded.",
                true,
                true,
            ),
            (500, "Unexpected error", true, false),
            (500, "worker env WorkerEnvId(1) not found", true, false),
            (500, "worker env is here", false, false),
            (500, "Timed out after 15 seconds", true, false),
            (501, "", false, false),
            (400, "Unexpected error", false, false),
            (400, "REQUEST_LIMIT_EXCEEDED", false, false),
            (401, "deadline exceeded", false, false),
            (403, "Timed out after ", false, false),
            (404, "ClusterNotReadyException", false, false),
            (409, "", false, false),
            (200, "<html>", false, false),
            (302, "", false, false),
        ] {
            assert_eq!(answer(true, status, body), idempotent, "{status} {body}");
            assert_eq!(answer(false, status, body), other, "{status} {body}");
        }
    }

    #[test]
    fn judges_every_silence() {
        use TransportErrorKind as Kind;
        let passes = |idempotent, kind, never_sent| {
            classify(idempotent, &Outcome::NoAnswer { kind, never_sent }) == RETRY
        };
        // (kind, sent and idempotent, sent and not, never sent)
        for (kind, idempotent, other, never_sent) in [
            (Kind::Refused, false, false, false),
            (Kind::Dns, true, false, true),
            (Kind::Connect, true, false, true),
            (Kind::Tls, true, false, true),
            (Kind::Timeout, true, false, true),
            (Kind::Reset, true, false, true),
            (Kind::BodyTooLarge, false, false, false),
            (Kind::Other, true, false, true),
        ] {
            assert_eq!(passes(true, kind, false), idempotent, "{kind:?}");
            assert_eq!(passes(false, kind, false), other, "{kind:?}");
            assert_eq!(passes(false, kind, true), never_sent, "{kind:?}");
        }
    }

    #[test]
    fn waits_double_up_to_the_longest_and_end_with_the_attempts() {
        let wait = |attempts, jitter| {
            next_wait(
                &RetryLimits {
                    attempts: 20,
                    ..LIMITS
                },
                RETRY,
                attempts,
                Duration::ZERO,
                Duration::MAX,
                jitter,
            )
            .map(|wait| wait.as_millis())
        };
        assert_eq!(wait(1, 1.0), Some(1000));
        assert_eq!(wait(1, 0.0), Some(500));
        assert_eq!(wait(2, 1.0), Some(2000));
        assert_eq!(wait(4, 1.0), Some(8000));
        assert_eq!(wait(5, 1.0), Some(10_000));
        assert_eq!(wait(19, 1.0), Some(10_000));
        assert_eq!(wait(20, 1.0), None);
        assert_eq!(wait(1, f64::NAN), Some(1000));
        assert_eq!(wait(1, -3.0), Some(500));
    }

    #[test]
    fn a_wait_that_the_budget_or_the_deadline_does_not_hold_is_not_begun() {
        let next = |elapsed, left| {
            next_wait(
                &LIMITS,
                RETRY,
                1,
                Duration::from_secs(elapsed),
                Duration::from_secs(left),
                1.0,
            )
        };
        assert!(next(58, 100).is_some());
        assert_eq!(next(59, 100), None);
        assert_eq!(next(200, 100), None);
        assert!(next(0, 2).is_some());
        assert_eq!(next(0, 1), None);
        assert_eq!(
            next_wait(
                &LIMITS,
                Verdict::Final,
                1,
                Duration::ZERO,
                Duration::MAX,
                0.5
            ),
            None
        );
    }

    #[test]
    fn a_retry_after_is_honoured_in_full_or_not_at_all() {
        let next = |seconds| {
            let verdict = classify(
                true,
                &Outcome::Answer {
                    status: 429,
                    body: "",
                    retry_after: Some(Duration::from_secs(seconds)),
                },
            );
            next_wait(&LIMITS, verdict, 1, Duration::ZERO, Duration::MAX, 1.0)
        };
        assert_eq!(next(0), Some(Duration::from_secs(1)));
        assert_eq!(next(7), Some(Duration::from_secs(7)));
        assert_eq!(next(59), Some(Duration::from_secs(59)));
        assert_eq!(next(60), None);
        assert_eq!(next(u64::MAX), None);
    }

    #[test]
    fn reads_a_retry_after_in_seconds_or_as_a_date() {
        let now = Timestamp::parse_rfc3339("2026-11-22T08:00:00Z").expect("a time");
        let seconds = |header| retry_after(header, now).map(|wait| wait.as_secs());
        assert_eq!(seconds("0"), Some(0));
        assert_eq!(seconds(" 42 "), Some(42));
        assert_eq!(seconds("99999999999999999999999"), Some(u64::MAX));
        assert_eq!(seconds("Sun, 22 Nov 2026 08:00:30 GMT"), Some(30));
        assert_eq!(seconds("Sun, 22 Nov 2026 07:00:30 GMT"), Some(0));
        for header in ["", "-1", "1.5", "soon", "2026-11-22T08:00:30Z", "42s"] {
            assert_eq!(seconds(header), None, "{header}");
        }
    }

    #[test]
    fn reads_the_wait_that_a_message_asks_for() {
        let seconds = |body| wait_in_words(body).map(|wait| wait.as_secs());
        let recorded = r#"{"code":"ResourceRequestsThrottled","message":"Number of requests for action
            'Microsoft.Insights/metricDefinitions/read' exceeded the limit of '400' for time interval
            '00:05:00'. Please try again after '309' seconds."}"#;
        assert_eq!(seconds(recorded), Some(309));
        assert_eq!(seconds("try again after 7 seconds"), Some(7));
        assert_eq!(seconds(r#"try again after \"1\" second"#), Some(1));
        for body in [
            "",
            "Please try again later",
            "try again after '309'",
            "try again after '5' minutes",
            "try again after '-5' seconds",
            "try again after '' seconds",
            "try again after '99999999999999999999' seconds",
        ] {
            assert_eq!(seconds(body), None, "{body}");
        }
    }
}
