//! Turns `tracing` events, and `log` records of dependencies, into lines.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as SpanRecord};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::line::{Record, push_field};
use crate::timestamp::Timestamp;

/// Writes each event as one line with the fields of all spans around it.
pub(super) struct LineLayer<W> {
    now: fn() -> Timestamp,
    write: W,
}

impl<W: Fn(&Level, &str)> LineLayer<W> {
    pub(super) fn new(now: fn() -> Timestamp, write: W) -> Self {
        Self { now, write }
    }
}

/// The fields of one span, ready to be appended.
struct SpanFields(String);

impl<S, W> Layer<S> for LineLayer<W>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    W: Fn(&Level, &str) + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(SpanFields(fields.fields));
        }
    }

    fn on_record(&self, id: &Id, values: &SpanRecord<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        if let Some(span) = context.span(id)
            && let Some(known) = span.extensions_mut().get_mut::<SpanFields>()
        {
            known.0.push_str(&fields.fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut spans = String::new();
        for span in context
            .event_scope(event)
            .into_iter()
            .flat_map(|scope| scope.from_root())
        {
            if let Some(known) = span.extensions().get::<SpanFields>() {
                spans.push_str(&known.0);
            }
        }
        let metadata = event.metadata();
        let record = Record {
            at: (self.now)(),
            level: *metadata.level(),
            target: fields.log_target.as_deref().unwrap_or(metadata.target()),
            message: &fields.message,
            fields: &fields.fields,
            spans: &spans,
        };
        (self.write)(metadata.level(), &record.to_line());
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    fields: String,
    /// A `log` record comes as an event of the target `log`; its own is a field.
    log_target: Option<String>,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message.push_str(value),
            "log.target" => self.log_target = Some(value.to_owned()),
            name if name.starts_with("log.") => {}
            name => push_field(&mut self.fields, name, value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    fn logged(act: impl FnOnce()) -> Vec<String> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let layer = LineLayer::new(
            || Timestamp::from_millis(0),
            move |_: &Level, line: &str| sink.lock().unwrap().push(line.to_owned()),
        );
        let filter = super::super::parse_filter("info").unwrap();
        let subscriber = tracing_subscriber::registry().with(filter).with(layer);
        tracing::subscriber::with_default(subscriber, act);
        let lines = lines.lock().unwrap();
        lines
            .iter()
            .map(|line| line.replace("1970-01-01T00:00:00.000Z ", ""))
            .collect()
    }

    #[test]
    fn a_line_carries_the_fields_of_all_spans_around_it_outermost_first() {
        let lines = logged(|| {
            let outer =
                tracing::info_span!("invocation", invocation = %"7", late = tracing::field::Empty);
            outer.record("late", "x y");
            outer.in_scope(|| {
                let inner = tracing::info_span!("workspace", workspace = "main");
                inner.in_scope(|| tracing::info!(count = 3, name = %"a b", "Kept `c`"));
            });
            tracing::debug!("not shown");
        });
        let target = "terminate_clusters::logging::layer::tests";
        assert_eq!(
            lines,
            [format!(
                "INFO {target}: Kept `c` count=3 name=\"a b\" invocation=7 late=\"x y\" workspace=main\n"
            )]
        );
    }

    #[test]
    fn an_event_with_hostile_text_is_still_one_line() {
        let lines = logged(|| {
            let name = "x\n2026-11-22T00:00:00.000Z ERROR forged";
            tracing::error!(name, "Failed on {name}");
        });
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].matches('\n').count(), 1, "{}", lines[0]);
    }

    #[test]
    fn a_record_of_a_dependency_carries_its_own_target() {
        let lines = logged(|| {
            tracing::event!(
                target: "log",
                Level::WARN,
                { "log.target" = "rustls", "log.line" = 7 },
                "a note"
            );
        });
        assert_eq!(lines, ["WARN rustls: a note\n"]);
    }

    fn panicked(act: impl FnOnce() + std::panic::UnwindSafe) -> String {
        let mut lines = logged(|| {
            let before = std::panic::take_hook();
            super::super::install_panic_hook();
            let caught = std::panic::catch_unwind(act);
            std::panic::set_hook(before);
            assert!(caught.is_err());
        });
        assert_eq!(lines.len(), 1, "{lines:?}");
        let line = lines.remove(0);
        let start = "ERROR terminate_clusters::logging: Panicked at ";
        assert!(line.starts_with(start), "{line}");
        line
    }

    /// In one test, for the hook is the whole process's.
    #[test]
    fn a_panic_is_one_line_that_tells_its_place_and_never_what_it_quotes() {
        let written = panicked(|| panic!("first\nwarning 2"));
        assert!(
            written.contains("src/logging/layer.rs:")
                && written.ends_with(": first\\nw\\u{61}rning 2\n"),
            "{written}"
        );
        let marker = "planted-8Q~secret";
        let secret = move || std::hint::black_box(format!("é{marker}"));
        let acts: [fn(String); 5] = [
            |secret| panic!("{secret}"),
            |secret| std::panic::panic_any(secret),
            |secret| drop(secret[1..].to_owned()),
            |secret| std::hint::black_box(Err::<(), _>(secret)).unwrap(),
            |secret| std::hint::black_box(None::<()>).expect(&secret),
        ];
        for act in acts {
            let line = panicked(move || act(secret()));
            assert!(!line.contains(marker), "{line}");
            assert!(line.ends_with(": its text is not told, because it may quote a secret\n"));
        }
    }
}
