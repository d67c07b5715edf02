//! The environment of the pretend host: app settings, what is inherited, and
//! the two rules that read it before a handler exists, `%VAR%` expansion and
//! the `AzureFunctionsJobHost__a__b` overrides of `host.json`.
//!
//! It decides what the handler will see; it starts nothing and never changes
//! the environment of the process that it runs in.

use std::collections::BTreeMap;
use std::ffi::OsString;

use serde_json::{Map, Value};

const OVERRIDE_PREFIX: &str = "azurefunctionsjobhost__";

/// What the host's process would have in its environment.
#[derive(Debug, Clone, Default)]
pub(super) struct AppSettings {
    isolated: bool,
    own: BTreeMap<String, String>,
}

impl AppSettings {
    pub(super) fn set(&mut self, name: String, value: String) {
        self.own.insert(name, value);
    }

    /// Forgets what was set, and inherits nothing.
    pub(super) fn clear(&mut self) {
        self.own.clear();
        self.isolated = true;
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.own.get(name).cloned().or_else(|| {
            (!self.isolated)
                .then(|| std::env::var_os(name)?.into_string().ok())
                .flatten()
        })
    }

    /// Everything that a child process is given, inherited entries included.
    pub(super) fn all(&self) -> BTreeMap<OsString, OsString> {
        let mut all: BTreeMap<OsString, OsString> = if self.isolated {
            BTreeMap::new()
        } else {
            std::env::vars_os().collect()
        };
        all.extend(
            self.own
                .iter()
                .map(|(name, value)| (name.into(), value.into())),
        );
        all
    }

    /// Replaces `%NAME%` by the setting of that name, and by nothing where it
    /// is not set. A lone percent sign stays.
    pub(super) fn expand(&self, text: &str) -> String {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            expanded.push_str(before);
            let Some((name, remainder)) = after.split_once('%') else {
                expanded.push('%');
                rest = after;
                continue;
            };
            expanded.push_str(&self.get(name).unwrap_or_default());
            rest = remainder;
        }
        expanded.push_str(rest);
        expanded
    }

    /// Writes the settings that override `host.json` into it. Keys match
    /// without case; a number addresses an element of an array.
    pub(super) fn override_host_json(&self, host_json: &mut Value) {
        for (name, value) in self.all() {
            let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) else {
                continue;
            };
            let lower = name.to_ascii_lowercase();
            if lower.starts_with(OVERRIDE_PREFIX) {
                let path: Vec<&str> = name[OVERRIDE_PREFIX.len()..].split("__").collect();
                write_at(host_json, &path, value);
            }
        }
    }
}

fn write_at(target: &mut Value, path: &[&str], value: String) {
    let Some((key, rest)) = path.split_first() else {
        *target = Value::String(value);
        return;
    };
    if let Some(items) = target.as_array_mut()
        && let Ok(index) = key.parse::<usize>()
    {
        if index == items.len() {
            items.push(Value::Null);
        }
        if let Some(item) = items.get_mut(index) {
            write_at(item, rest, value);
        }
        return;
    }
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    if let Some(members) = target.as_object_mut() {
        let known = members
            .keys()
            .find(|known| known.eq_ignore_ascii_case(key))
            .cloned()
            .unwrap_or_else(|| (*key).to_owned());
        write_at(members.entry(known).or_insert(Value::Null), rest, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn settings(entries: &[(&str, &str)]) -> AppSettings {
        let mut settings = AppSettings::default();
        settings.clear();
        for (name, value) in entries {
            settings.set((*name).to_owned(), (*value).to_owned());
        }
        settings
    }

    #[test]
    fn names_between_percent_signs_are_replaced_and_unset_ones_vanish() {
        let settings = settings(&[("A", "1")]);
        assert_eq!(settings.expand("x%A%y%NONE%z"), "x1yz");
        assert_eq!(settings.expand("100%"), "100%");
        assert_eq!(settings.expand("%A%%A%"), "11");
    }

    #[test]
    fn settings_override_host_json_without_regard_to_case() {
        let mut host_json = json!({
            "functionTimeout": "00:10:00",
            "customHandler": {"description": {"arguments": ["serve"]}}
        });
        settings(&[
            ("AzureFunctionsJobHost__FunctionTimeout", "00:00:05"),
            (
                "azurefunctionsjobhost__customHandler__description__arguments__0",
                "other",
            ),
            ("AzureFunctionsJobHost__extensions__http__routePrefix", ""),
            ("Unrelated__functionTimeout", "1"),
        ])
        .override_host_json(&mut host_json);
        assert_eq!(
            host_json,
            json!({
                "functionTimeout": "00:00:05",
                "customHandler": {"description": {"arguments": ["other"]}},
                "extensions": {"http": {"routePrefix": ""}}
            })
        );
    }

    #[test]
    fn cleared_settings_inherit_nothing() {
        assert!(settings(&[]).all().is_empty());
        assert_eq!(settings(&[]).get("PATH"), None);
        assert!(AppSettings::default().get("PATH").is_some());
    }
}
