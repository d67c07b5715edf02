//! Reads the functions of an app: every folder with a `function.json` beside
//! `host.json`.
//!
//! It knows which bindings need an extension bundle and what a timer must say;
//! it never guesses a missing value. Called by `app.rs`; what it returns tells
//! `timer.rs` how to address an invocation and `response.rs` which outputs exist.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::app::{AppError, read_json};
use super::schedule::is_schedule;
use super::settings::AppSettings;

/// One function of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// The folder's name, in its own casing: the path that the host posts to.
    pub name: String,
    /// All bindings, the trigger among them.
    pub bindings: Vec<Binding>,
}

/// One binding of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The key under which it appears in `Data` or `Outputs`.
    pub name: String,
    /// Its type, such as `timerTrigger`.
    pub kind: String,
    /// Which way its value goes.
    pub direction: Direction,
    /// Whether `dataType` is `binary`.
    pub is_binary: bool,
    /// A timer's schedule, settings resolved.
    pub schedule: Option<String>,
    /// A timer's `useMonitor`, which is on unless switched off.
    pub use_monitor: bool,
}

/// Which way a binding's value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the host to the handler.
    In,
    /// From the handler to the host.
    Out,
}

impl Function {
    /// The binding that starts the function.
    #[must_use]
    pub fn trigger(&self) -> Option<&Binding> {
        self.bindings.iter().find(|binding| binding.is_trigger())
    }

    /// Whether a timer starts the function.
    #[must_use]
    pub fn is_timer(&self) -> bool {
        self.trigger()
            .is_some_and(|trigger| trigger.kind.eq_ignore_ascii_case("timerTrigger"))
    }

    /// The output of that exact name: the host matches letter by letter.
    #[must_use]
    pub fn output(&self, name: &str) -> Option<&Binding> {
        self.bindings
            .iter()
            .find(|binding| binding.direction == Direction::Out && binding.name == name)
    }
}

impl Binding {
    fn is_trigger(&self) -> bool {
        self.kind.to_ascii_lowercase().ends_with("trigger")
    }

    /// Timer and HTTP are part of the host; everything else is an extension.
    fn is_built_in(&self) -> bool {
        ["timerTrigger", "httpTrigger", "http"]
            .iter()
            .any(|kind| kind.eq_ignore_ascii_case(&self.kind))
    }
}

/// Reads every function that is not disabled, in the order of their names.
pub(super) fn read_all(
    directory: &Path,
    settings: &AppSettings,
    host_json: &Value,
) -> Result<Vec<Function>, AppError> {
    let unreadable = |error| AppError::new(directory, format!("cannot be listed: {error}"));
    let mut folders = Vec::new();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.join("function.json").is_file() {
            folders.push(path);
        }
    }
    folders.sort();

    let mut functions = Vec::new();
    for folder in &folders {
        if let Some(function) = read_one(folder, settings, host_json)? {
            functions.push(function);
        }
    }
    if functions.is_empty() {
        return Err(AppError::new(
            directory,
            "no function is enabled, so the host starts no handler",
        ));
    }
    Ok(functions)
}

fn read_one(
    folder: &Path,
    settings: &AppSettings,
    host_json: &Value,
) -> Result<Option<Function>, AppError> {
    let path = folder.join("function.json");
    let refuse = |rule: String| AppError::new(&path, rule);
    let name = folder
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    check_name(&name).map_err(refuse)?;
    let json = read_json(&path)?;

    let items = json.get("bindings").and_then(Value::as_array);
    let items = items.ok_or_else(|| refuse("bindings must be an array".to_owned()))?;
    let bindings = items
        .iter()
        .map(|item| read_binding(item, settings))
        .collect::<Result<Vec<_>, _>>()
        .map_err(refuse)?;
    check_bindings(&bindings, host_json).map_err(refuse)?;

    let switched_off = json.get("disabled") == Some(&Value::Bool(true))
        || settings
            .get(&format!("AzureWebJobs.{name}.Disabled"))
            .is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"));
    Ok((!switched_off).then_some(Function { name, bindings }))
}

fn check_name(name: &str) -> Result<(), String> {
    let is_valid = name.len() <= 128
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        && !name.eq_ignore_ascii_case("host");
    if is_valid {
        Ok(())
    } else {
        Err(format!("`{name}` is no valid function name"))
    }
}

fn read_binding(item: &Value, settings: &AppSettings) -> Result<Binding, String> {
    let text = |key: &str| item.get(key).and_then(Value::as_str);
    let required = |key: &str| {
        text(key)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| format!("a binding has no {key}"))
    };
    let flag = |key: &str| match item.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_bool()
            .map(Some)
            .ok_or_else(|| format!("{key} must be true or false")),
    };
    let kind = required("type")?.to_owned();
    let direction = match required("direction")?.to_ascii_lowercase().as_str() {
        "in" => Direction::In,
        "out" => Direction::Out,
        other => return Err(format!("direction `{other}` is neither in nor out")),
    };
    let schedule = if kind.eq_ignore_ascii_case("timerTrigger") {
        flag("runOnStartup")?;
        let schedule = settings.expand(required("schedule")?);
        if !is_schedule(&schedule) {
            return Err(format!("schedule `{schedule}` is no NCRONTAB expression"));
        }
        Some(schedule)
    } else {
        None
    };
    Ok(Binding {
        name: required("name")?.to_owned(),
        kind,
        direction,
        is_binary: text("dataType").is_some_and(|kind| kind.eq_ignore_ascii_case("binary")),
        schedule,
        use_monitor: flag("useMonitor")?.unwrap_or(true),
    })
}

fn check_bindings(bindings: &[Binding], host_json: &Value) -> Result<(), String> {
    let triggers: Vec<&Binding> = bindings.iter().filter(|item| item.is_trigger()).collect();
    let [trigger] = triggers.as_slice() else {
        return Err(format!("{} triggers instead of one", triggers.len()));
    };
    if trigger.direction != Direction::In {
        return Err("the trigger's direction must be in".to_owned());
    }
    for (position, binding) in bindings.iter().enumerate() {
        if bindings[..position]
            .iter()
            .any(|other| other.name == binding.name)
        {
            return Err(format!("two bindings are named `{}`", binding.name));
        }
        if !binding.is_built_in() && host_json.get("extensionBundle").is_none() {
            return Err(format!(
                "`{}` needs the extension bundle that host.json does not name",
                binding.kind
            ));
        }
    }
    Ok(())
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

    fn timer() -> Value {
        json!({"type": "timerTrigger", "direction": "in", "name": "timer", "schedule": "0 * * * * *"})
    }

    fn read(
        name: &str,
        function_json: &Value,
        settings: &AppSettings,
    ) -> Result<Vec<Function>, String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join(name);
        fs::create_dir(&path).expect("a folder");
        fs::write(path.join("function.json"), function_json.to_string()).expect("a file");
        read_all(folder.path(), settings, &json!({})).map_err(|error| error.rule)
    }

    #[test]
    fn a_timer_is_read_with_its_schedule_from_a_setting() {
        let mut binding = timer();
        binding["schedule"] = json!("%WHEN%");
        let when = settings(&[("WHEN", "0 */5 * * * *")]);
        let functions = read("Sweep", &json!({"bindings": [binding]}), &when).expect("functions");
        assert_eq!(functions[0].name, "Sweep");
        assert!(functions[0].is_timer());
        let trigger = functions[0].trigger().expect("a trigger");
        assert_eq!(trigger.schedule.as_deref(), Some("0 */5 * * * *"));
        assert!(trigger.use_monitor);
    }

    #[test]
    fn what_the_host_refuses_is_refused_with_the_rule() {
        let queue = json!({"type": "queue", "direction": "out", "name": "q"});
        let cases = [
            ("9F", json!({"bindings": [timer()]}), "function name"),
            ("a.b", json!({"bindings": [timer()]}), "function name"),
            ("Host", json!({"bindings": [timer()]}), "function name"),
            ("F", json!({}), "bindings must be"),
            ("F", json!({"bindings": []}), "0 triggers"),
            ("F", json!({"bindings": [timer(), timer()]}), "2 triggers"),
            (
                "F",
                json!({"bindings": [timer(), queue]}),
                "extension bundle",
            ),
            (
                "F",
                json!({"bindings": [{"type": "timerTrigger", "direction": "in", "name": "t"}]}),
                "no schedule",
            ),
            (
                "F",
                json!({"bindings": [{"type": "timerTrigger", "name": "t"}]}),
                "no direction",
            ),
        ];
        for (name, function_json, rule) in cases {
            let error = read(name, &function_json, &settings(&[])).expect_err(rule);
            assert!(error.contains(rule), "{name} {function_json}: {error}");
        }
        let mut unset = timer();
        unset["schedule"] = json!("%UNSET%");
        assert!(read("F", &json!({"bindings": [unset]}), &settings(&[])).is_err());
    }

    #[test]
    fn an_app_whose_only_function_is_disabled_starts_nothing() {
        let off = settings(&[("AzureWebJobs.F.Disabled", "true")]);
        for (function_json, settings) in [
            (json!({"bindings": [timer()]}), &off),
            (
                json!({"bindings": [timer()], "disabled": true}),
                &settings(&[]),
            ),
        ] {
            let error = read("F", &function_json, settings).expect_err("nothing to run");
            assert!(error.contains("no function is enabled"), "{error}");
        }
    }
}
