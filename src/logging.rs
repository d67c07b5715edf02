//! Log records as single lines that the Functions host files under the right level.
//!
//! Under the host, `INFO` and below go to stdout, `WARN` and `ERROR` to stderr;
//! on the command line everything goes to stderr, because stdout is the report.
//! Whatever a record holds, it is one line, without terminal codes, that cannot
//! be filed under another level. No stage depends on it: they call `tracing`.

mod layer;
mod line;

use std::io::{self, Write};

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use self::layer::LineLayer;
use crate::timestamp::Timestamp;

/// The target of our own records, and the start of all their modules' targets.
const OURS: &str = "terminate_clusters";

/// Who reads the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// The Functions host, which tells levels by stream.
    Host,
    /// A terminal or a script, which has the report on stdout.
    CommandLine,
}

impl Output {
    /// What is logged where the setting is absent. On the command line the
    /// report already says what the `INFO` lines say.
    #[must_use]
    pub fn default_filter(self) -> Targets {
        match self {
            Self::Host => for_level(LevelFilter::INFO),
            Self::CommandLine => for_level(LevelFilter::WARN),
        }
    }
}

/// Parses a level, which holds for our own records (those of dependencies are
/// capped at `warn`), or `target=level` pairs with commas, or both.
///
/// # Errors
///
/// The rest of a sentence that begins with the setting.
pub fn parse_filter(text: &str) -> Result<Targets, String> {
    let refused = || {
        format!(
            "is \"{}\"; write a level (`error`, `warn`, `info`, `debug`, `trace`, `off`) or `target=level` pairs with commas",
            crate::escape::Shown::new(text, 60)
        )
    };
    let is_target = |target: &str| {
        let plain = |next: char| next.is_ascii_alphanumeric() || "_:-".contains(next);
        !target.is_empty() && target.chars().all(plain)
    };
    let mut base = None;
    let mut pairs = Vec::new();
    for part in text.split(',').map(str::trim) {
        match part.split_once('=') {
            Some((target, level)) if is_target(target) => {
                pairs.push((target.to_owned(), parse_level(level).ok_or_else(refused)?));
            }
            None if base.is_none() => base = Some(parse_level(part).ok_or_else(refused)?),
            Some(_) | None => return Err(refused()),
        }
    }
    let base = for_level(base.unwrap_or(LevelFilter::INFO));
    Ok(base.with_targets(pairs))
}

fn parse_level(text: &str) -> Option<LevelFilter> {
    // `LevelFilter` also parses numbers, which nobody could read.
    let is_word = text.chars().all(|next| next.is_ascii_alphabetic());
    (is_word && !text.is_empty())
        .then(|| text.parse().ok())
        .flatten()
}

fn for_level(level: LevelFilter) -> Targets {
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target(OURS, level)
}

/// Starts logging for the process. `now` stamps the lines.
///
/// # Errors
///
/// A sentence, if logging was started before.
pub fn init(filter: Targets, output: Output, now: fn() -> Timestamp) -> Result<(), String> {
    let write = move |level: &Level, line: &str| match output {
        Output::Host if *level > Level::WARN => write_line(&mut io::stdout().lock(), line),
        Output::Host | Output::CommandLine => write_line(&mut io::stderr().lock(), line),
    };
    tracing_subscriber::registry()
        .with(filter)
        .with(LineLayer::new(now, write))
        .try_init()
        .map_err(|error| format!("logging could not be started: {error}"))
}

/// Makes a panic one `ERROR` line. The host takes the last lines of stderr as
/// the reason of a crash, so the panic's own text comes last and alone.
///
/// That text is told only where it was written in a source file. One that was put
/// together as the program ran may quote what it ran on: a text that was cut within a
/// character, or the value of an `unwrap`, which can be a token. The place says where
/// to look instead.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let place = place.as_deref().unwrap_or("an unknown place");
        let text = panic.payload().downcast_ref::<&'static str>();
        let text = text.unwrap_or(&"its text is not told, because it may quote a secret");
        tracing::error!("Panicked at {place}: {text}");
    }));
}

/// A reader that went away must not stop a sweep, so failures are ignored.
fn write_line(stream: &mut impl Write, line: &str) {
    let _ = stream.write_all(line.as_bytes());
    let _ = stream.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_level_holds_for_us_and_dependencies_stay_quiet() {
        let filter = parse_filter("debug").unwrap();
        assert!(filter.would_enable("terminate_clusters::host", &Level::DEBUG));
        assert!(!filter.would_enable("terminate_clusters::host", &Level::TRACE));
        assert!(filter.would_enable("hyper", &Level::WARN));
        assert!(!filter.would_enable("hyper", &Level::INFO));
        let off = parse_filter("off").unwrap();
        assert!(!off.would_enable("terminate_clusters", &Level::ERROR));
        assert!(!off.would_enable("hyper", &Level::ERROR));
    }

    #[test]
    fn pairs_add_to_the_level() {
        let filter = parse_filter("warn, reqwest=debug,terminate_clusters::host=trace").unwrap();
        assert!(filter.would_enable("reqwest::connect", &Level::DEBUG));
        assert!(filter.would_enable("terminate_clusters::host", &Level::TRACE));
        assert!(!filter.would_enable("terminate_clusters::cli", &Level::INFO));
        let only_pairs = parse_filter("reqwest=debug").unwrap();
        assert!(only_pairs.would_enable("terminate_clusters", &Level::INFO));
    }

    #[test]
    fn a_mistyped_filter_is_refused_rather_than_silencing_everything() {
        for text in [
            "",
            "inof",
            "info,",
            "info,debug",
            "terminate_clusters",
            "a=b",
            "=info",
            "3",
            "a=info=b",
            "a b=info",
            "terminate_clusters=",
            "hyper[span]=info",
        ] {
            assert!(parse_filter(text).is_err(), "{text}");
        }
    }
}
