//! Log records as single lines that the Functions host files under the right level.

use tracing_subscriber::filter::Targets;

/// Parses a level or `target=level` pairs with commas.
///
/// # Errors
///
/// The rest of a sentence that begins with the setting.
pub fn parse_filter(text: &str) -> Result<Targets, String> {
    text.parse().map_err(|_| {
        "is no log filter; write a level (`error`, `warn`, `info`, `debug`, `trace`, `off`) or `target=level` pairs with commas".to_owned()
    })
}
