//! What can be set, as rows for the documentation; the constants are the only source.

use super::names::APP_SETTINGS;
use super::tables::TABLES;

/// Name, default and meaning of every app setting and every key of the policy
/// document, in the order of the documentation. Keys carry their table's header.
pub fn reference() -> impl Iterator<Item = (String, &'static str, &'static str)> {
    let settings = APP_SETTINGS
        .iter()
        .map(|setting| (setting.name.to_owned(), setting.default, setting.meaning));
    let keys = TABLES.iter().flat_map(|table| {
        table.keys.iter().map(|key| {
            let name = format!("{} {}", table.header, key.name);
            (name, key.default, key.meaning)
        })
    });
    settings.chain(keys)
}

/// `reference` as a Markdown table.
#[must_use]
pub fn reference_markdown() -> String {
    let mut table = String::from("| Name | Default | Meaning |\n|---|---|---|\n");
    for (name, default, meaning) in reference() {
        let default = match default {
            "" => String::new(),
            default => format!("`{default}`"),
        };
        table.push_str(&format!("| `{name}` | {default} | {meaning} |\n"));
    }
    table
}
