//! `functionTimeout` of the Functions host: from the override, `host.json`, or
//! the host's default.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::document::ReadFile;
use super::environment::Environment;
use super::mistakes::{Mistakes, Place};
use super::names;
use super::values::parse_function_timeout;

/// What every plan grants at least where `functionTimeout` is absent: the
/// Consumption plan's five minutes; the others have thirty.
const HOST_DEFAULT: Duration = Duration::from_secs(5 * 60);

const FILE: &str = "host.json";
const KEY: &str = "functionTimeout";

/// `None` where the host waits for ever. A file that cannot be understood is
/// the host's to refuse, so here it only leads to the careful default.
pub(super) fn function_timeout(
    environment: &Environment,
    app_root: &Path,
    read_file: ReadFile<'_>,
    warnings: &mut Vec<String>,
    mistakes: &mut Mistakes,
) -> Option<Duration> {
    // .NET reads configuration keys without regard to case.
    let given = environment.get_any_case(names::FUNCTION_TIMEOUT.name);
    let (place, key, text) = match given {
        Some(text) => (
            Place::Setting,
            names::FUNCTION_TIMEOUT.name,
            text.to_owned(),
        ),
        None => {
            let place = Place::File(FILE.to_owned());
            match read_host_json(app_root, read_file, warnings) {
                Some(text) => (place, KEY, text),
                None => return Some(HOST_DEFAULT),
            }
        }
    };
    parse_function_timeout(&text).unwrap_or_else(|problem| {
        mistakes.note(place, key, problem);
        Some(HOST_DEFAULT)
    })
}

fn read_host_json(
    app_root: &Path,
    read_file: ReadFile<'_>,
    warnings: &mut Vec<String>,
) -> Option<String> {
    let assumed = super::values::show_duration(HOST_DEFAULT);
    let text = match read_file(&app_root.join(FILE)) {
        Ok(text) => text,
        // On the command line there need not be one.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            warnings.push(format!(
                "{FILE} could not be read ({error}), so a `{KEY}` of {assumed} is assumed"
            ));
            return None;
        }
    };
    let document: Value = match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
        Ok(document) => document,
        // The host allows comments, which this parser does not.
        Err(error) => {
            warnings.push(format!(
                "{FILE} is not plain JSON ({error}), so a `{KEY}` of {assumed} is assumed"
            ));
            return None;
        }
    };
    let (_, value) = document
        .as_object()?
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(KEY))?;
    // `-1` is also written without quotes.
    value.as_str().map_or_else(
        || Some(value.to_string()).filter(|text| text != "null"),
        |text| Some(text.to_owned()),
    )
}
