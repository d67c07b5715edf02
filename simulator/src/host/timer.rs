//! Timer invocations in every shape that hosts have been seen to send them.
//!
//! It builds requests and sends none. The dates are texts, because the odd ones
//! (year 1, no offset, an instant before year 1) are no values of any sound
//! type. Sits before `invoke.rs` on the path.

use serde_json::{Map, Value, json};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Duration, OffsetDateTime};

use super::encoding::{BindingValue, encode, encode_metadata};
use super::function::Function;

/// The host version that this emulator claims to be.
pub const HOST_VERSION: &str = "4.1052.200";

const SECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");

/// Between two occurrences, in the dates that nobody spelt out.
const INTERVAL: Duration = Duration::minutes(15);

/// One firing of a timer.
///
/// [`TimerInvocation::new`] is the ordinary one: on time, with a status of whole
/// seconds in UTC.
#[derive(Debug, Clone)]
pub struct TimerInvocation {
    function: Option<String>,
    at: Option<OffsetDateTime>,
    status: Status,
    is_constant: bool,
    retry: Option<Value>,
    fields: Map<String, Value>,
    raw_body: Option<Vec<u8>>,
    traceparent: Option<String>,
    ignores_the_lock: bool,
}

#[derive(Debug, Clone)]
enum Status {
    Usual,
    Null,
    NeverRan {
        default_date: String,
    },
    PastDue,
    Dates {
        last: String,
        next: String,
        last_updated: String,
    },
}

/// What goes over the wire.
#[derive(Debug)]
pub(super) struct TimerRequest {
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Default for TimerInvocation {
    fn default() -> Self {
        Self::new()
    }
}

impl TimerInvocation {
    /// An ordinary firing of the app's only timer.
    #[must_use]
    pub fn new() -> Self {
        Self {
            function: None,
            at: None,
            status: Status::Usual,
            is_constant: false,
            retry: None,
            fields: Map::new(),
            raw_body: None,
            traceparent: None,
            ignores_the_lock: false,
        }
    }

    /// Fires the timer function of this name instead of the app's only one.
    #[must_use]
    pub fn function(mut self, name: impl Into<String>) -> Self {
        self.function = Some(name.into());
        self
    }

    /// Sets the occurrence, from which `UtcNow` and the usual status follow;
    /// the present otherwise.
    #[must_use]
    pub fn at(mut self, at: OffsetDateTime) -> Self {
        self.at = Some(at);
        self
    }

    /// `ScheduleStatus: null`: no monitor, a fast schedule, or a manual run
    /// before the first scheduled one.
    #[must_use]
    pub fn without_status(mut self) -> Self {
        self.status = Status::Null;
        self
    }

    /// Sets the three dates of the status, letter by letter.
    #[must_use]
    pub fn dates(
        mut self,
        last: impl Into<String>,
        next: impl Into<String>,
        last_updated: impl Into<String>,
    ) -> Self {
        self.status = Status::Dates {
            last: last.into(),
            next: next.into(),
            last_updated: last_updated.into(),
        };
        self
    }

    /// A timer that never ran: `default_date` is the host's spelling of the
    /// year 1, which differs by host version and time zone.
    #[must_use]
    pub fn never_ran(mut self, default_date: impl Into<String>) -> Self {
        self.status = Status::NeverRan {
            default_date: default_date.into(),
        };
        self
    }

    /// The catch-up run at a host's start: `Next` is the occurrence that was
    /// missed, 20 minutes ago.
    #[must_use]
    pub fn past_due(mut self) -> Self {
        self.status = Status::PastDue;
        self
    }

    /// A schedule given as a time span, which is not adjusted for daylight
    /// saving.
    #[must_use]
    pub fn constant_schedule(mut self) -> Self {
        self.is_constant = true;
        self
    }

    /// Adds the `RetryContext` of a function with a retry policy; `exception`
    /// is null on attempt 0.
    #[must_use]
    pub fn retry(mut self, count: u32, max_count: u32, exception: Option<&str>) -> Self {
        let exception = exception.map(|message| json!({ "Message": message }));
        self.retry = Some(json!({
            "RetryCount": count,
            "MaxRetryCount": max_count,
            "Exception": exception,
        }));
        self
    }

    /// Adds or replaces a member of the timer object, as a later host might.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, value: Value) -> Self {
        self.fields.insert(name.into(), value);
        self
    }

    /// Sends this body instead of an envelope.
    #[must_use]
    pub fn raw_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.raw_body = Some(body.into());
        self
    }

    /// Sends a `traceparent`, as a host with telemetry does.
    #[must_use]
    pub fn traceparent(mut self, value: impl Into<String>) -> Self {
        self.traceparent = Some(value.into());
        self
    }

    /// Fires although another firing runs, as after a lost lease.
    #[must_use]
    pub fn ignoring_the_lock(mut self) -> Self {
        self.ignores_the_lock = true;
        self
    }

    /// Every legal shape, each with its name: what a handler must survive.
    #[must_use]
    pub fn variants() -> Vec<(&'static str, Self)> {
        let usual = Self::new;
        let at = OffsetDateTime::now_utc();
        let last = at - INTERVAL;
        let dates = |fraction: &str, offset: &str| {
            let suffix = format!("{fraction}{offset}");
            usual().dates(stamp(last, offset), stamp(at, offset), stamp(last, &suffix))
        };
        let later = json!({"Nested": [1, null]});
        vec![
            ("usual", usual()),
            ("null status", usual().without_status()),
            (
                "year 1 without offset",
                usual().never_ran("0001-01-01T00:00:00"),
            ),
            (
                "before year 1",
                usual().never_ran("0001-01-01T00:00:00+01:00"),
            ),
            (
                "year 1 at +09:00",
                usual().never_ran("0001-01-01T09:00:00+09:00"),
            ),
            ("seven digits", dates(".1234567", "+00:00")),
            ("one digit", dates(".5", "+00:00")),
            ("local offset", dates(".1234567", "-03:30")),
            ("past due", usual().past_due()),
            ("constant schedule", usual().constant_schedule()),
            ("unknown fields", usual().field("Later", later)),
            ("first attempt", usual().retry(0, 3, None)),
            (
                "last attempt",
                usual().retry(3, 3, Some("Status code: 500")),
            ),
            (
                "traced",
                usual().traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"),
            ),
        ]
    }

    pub(super) fn function_name(&self) -> Option<&str> {
        self.function.as_deref()
    }

    pub(super) fn must_wait_its_turn(&self) -> bool {
        !self.ignores_the_lock
    }

    pub(super) fn request(
        &self,
        function: &Function,
        invocation_id: &str,
        rand_guid: &str,
    ) -> TimerRequest {
        let mut headers = vec![
            ("Content-Type", "application/json; charset=utf-8".to_owned()),
            ("X-Azure-Functions-HostVersion", HOST_VERSION.to_owned()),
            ("X-Azure-Functions-InvocationId", invocation_id.to_owned()),
            ("User-Agent", format!("Azure-Functions-Host/{HOST_VERSION}")),
        ];
        if let Some(value) = &self.traceparent {
            headers.push(("traceparent", value.clone()));
        }
        let body = match &self.raw_body {
            Some(body) => body.clone(),
            None => self.envelope(function, rand_guid).to_string().into_bytes(),
        };
        TimerRequest {
            path: format!("/{}", function.name),
            headers,
            body,
        }
    }

    fn envelope(&self, function: &Function, rand_guid: &str) -> Value {
        let at = self.at.unwrap_or_else(OffsetDateTime::now_utc);
        let trigger = function.trigger();
        let has_span = trigger
            .and_then(|trigger| trigger.schedule.as_deref())
            .is_some_and(|schedule| schedule.contains(':'));
        let has_monitor = trigger.is_none_or(|trigger| trigger.use_monitor);
        let is_past_due = matches!(self.status, Status::PastDue);
        let mut timer = Map::new();
        timer.insert(
            "Schedule".to_owned(),
            json!({ "AdjustForDST": !self.is_constant && !has_span }),
        );
        timer.insert(
            "ScheduleStatus".to_owned(),
            self.schedule_status(at, has_monitor),
        );
        timer.insert("IsPastDue".to_owned(), Value::Bool(is_past_due));
        timer.extend(self.fields.clone());

        let utc_now = format!("{}.1234567Z", stamp(at, ""));
        let sys = object(json!({
            "MethodName": function.name,
            "UtcNow": utc_now,
            "RandGuid": rand_guid,
        }));
        let retry = self.retry.clone().map_or(BindingValue::Null, object);
        let fired = BindingValue::DateTime(without_offset(at));
        let metadata = [
            ("TimerTrigger", fired),
            ("sys", sys),
            ("RetryContext", retry),
        ];
        let name = trigger.map_or("timer", |trigger| trigger.name.as_str());
        json!({
            "Data": { name: encode(&BindingValue::Object(timer)) },
            "Metadata": encode_metadata(metadata),
        })
    }

    fn schedule_status(&self, at: OffsetDateTime, has_monitor: bool) -> Value {
        let in_utc = |at| stamp(at, "+00:00");
        let (last, next, last_updated) = match &self.status {
            Status::Null => return Value::Null,
            Status::Usual if !has_monitor => return Value::Null,
            Status::Usual => (in_utc(at - INTERVAL), in_utc(at), in_utc(at - INTERVAL)),
            Status::NeverRan { default_date } => {
                (default_date.clone(), in_utc(at), default_date.clone())
            }
            Status::PastDue => {
                let missed = at - Duration::minutes(20);
                let last = in_utc(missed - INTERVAL);
                (last.clone(), in_utc(missed), last)
            }
            Status::Dates {
                last,
                next,
                last_updated,
            } => (last.clone(), next.clone(), last_updated.clone()),
        };
        json!({ "Last": last, "Next": next, "LastUpdated": last_updated })
    }
}

/// Whole seconds, with whatever the host puts after them.
fn stamp(at: OffsetDateTime, suffix: &str) -> String {
    let seconds = at.format(SECONDS).unwrap_or_else(|_| at.to_string());
    format!("{seconds}{suffix}")
}

fn without_offset(at: OffsetDateTime) -> time::PrimitiveDateTime {
    time::PrimitiveDateTime::new(at.date(), at.time())
}

fn object(value: Value) -> BindingValue {
    match value {
        Value::Object(members) => BindingValue::Object(members),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            BindingValue::List(vec![value])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::function::{Binding, Direction};
    use super::*;
    use time::macros::datetime;

    fn function(schedule: &str, use_monitor: bool) -> Function {
        Function {
            name: "Sweep".to_owned(),
            bindings: vec![Binding {
                name: "tick".to_owned(),
                kind: "timerTrigger".to_owned(),
                direction: Direction::In,
                is_binary: false,
                schedule: Some(schedule.to_owned()),
                use_monitor,
            }],
        }
    }

    fn envelope(invocation: &TimerInvocation) -> Value {
        let request = invocation.request(&function("0 * * * * *", true), "id-1", "guid-1");
        serde_json::from_slice(&request.body).expect("JSON")
    }

    #[test]
    fn the_usual_firing_has_the_shape_that_was_captured() {
        let at = datetime!(2026-05-01 12:30 UTC);
        assert_eq!(
            envelope(&TimerInvocation::new().at(at)),
            json!({
                "Data": {"tick": {
                    "Schedule": {"AdjustForDST": true},
                    "ScheduleStatus": {
                        "Last": "2026-05-01T12:15:00+00:00",
                        "Next": "2026-05-01T12:30:00+00:00",
                        "LastUpdated": "2026-05-01T12:15:00+00:00",
                    },
                    "IsPastDue": false,
                }},
                "Metadata": {"sys": {
                    "MethodName": "Sweep",
                    "UtcNow": "2026-05-01T12:30:00.1234567Z",
                    "RandGuid": "guid-1",
                }},
            })
        );
    }

    #[test]
    fn the_three_headers_of_the_host_are_sent_and_a_trace_only_if_asked() {
        let names = |invocation: TimerInvocation| {
            let request = invocation.request(&function("0 * * * * *", true), "id-1", "guid-1");
            assert_eq!(request.path, "/Sweep");
            request
                .headers
                .iter()
                .map(|(name, _)| *name)
                .collect::<Vec<_>>()
        };
        let plain = [
            "Content-Type",
            "X-Azure-Functions-HostVersion",
            "X-Azure-Functions-InvocationId",
            "User-Agent",
        ];
        assert_eq!(names(TimerInvocation::new()), plain);
        let traced = names(TimerInvocation::new().traceparent("00-1-2-00"));
        assert_eq!(traced.last(), Some(&"traceparent"));
    }

    #[test]
    fn status_is_null_without_a_monitor_and_a_span_is_not_adjusted() {
        let request = TimerInvocation::new().request(&function("01:00:00", false), "id", "guid");
        let envelope: Value = serde_json::from_slice(&request.body).expect("JSON");
        let timer = &envelope["Data"]["tick"];
        assert_eq!(timer["ScheduleStatus"], Value::Null);
        assert_eq!(timer["Schedule"]["AdjustForDST"], false);
    }

    #[test]
    fn a_retry_context_is_an_object_even_on_the_first_attempt() {
        let envelope = envelope(&TimerInvocation::new().retry(0, 3, None));
        assert_eq!(
            envelope["Metadata"]["RetryContext"],
            json!({"RetryCount": 0, "MaxRetryCount": 3, "Exception": null})
        );
    }

    #[test]
    fn the_trigger_itself_is_not_in_the_metadata() {
        let metadata = envelope(&TimerInvocation::new())["Metadata"].clone();
        let keys = metadata
            .as_object()
            .map(|map| map.keys().cloned().collect());
        assert_eq!(keys, Some(vec!["sys".to_owned()]));
    }

    #[test]
    fn every_variant_differs_from_every_other() {
        let at = datetime!(2026-05-01 12:30 UTC);
        let variants = TimerInvocation::variants();
        for (index, (name, variant)) in variants.iter().enumerate() {
            let one = variant
                .clone()
                .at(at)
                .request(&function("0 * * * * *", true), "id", "guid");
            for (other_name, other) in &variants[..index] {
                let other =
                    other
                        .clone()
                        .at(at)
                        .request(&function("0 * * * * *", true), "id", "guid");
                let are_equal = one.body == other.body && one.headers == other.headers;
                assert!(!are_equal, "{name} equals {other_name}");
            }
        }
    }
}
