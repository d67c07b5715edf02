//! Reads `host.json` and finds the functions, as the host does when it starts,
//! and refuses what the host would refuse, skip, or fail on much later.
//!
//! Stricter than the host in one respect: where the real one logs a mistake and
//! goes on without the function, a test should fail. It reads files and
//! settings only; nothing is started here. First step of the path: app → process → invocation.

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::function::{self, Function};
use super::schedule::{parse_time_span, split_command_line};
use super::settings::AppSettings;

const DEFAULT_FUNCTION_TIMEOUT: Duration = Duration::from_secs(30 * 60);
const DEFAULT_INITIALIZATION_TIMEOUT: Duration = Duration::from_secs(30);

/// A function app on disk, found fit to be started.
#[derive(Debug, Clone)]
pub struct App {
    /// The app's root: where `host.json` lies.
    pub directory: PathBuf,
    /// `defaultExecutablePath`, which is also the name that the executable
    /// must have in the deployed package.
    pub executable_name: String,
    /// The file that is started.
    pub executable: PathBuf,
    /// The command line as the handler sees it.
    pub arguments: Vec<String>,
    /// The handler's working directory.
    pub working_directory: PathBuf,
    /// `functionTimeout`; `None` where `host.json` says `-1`.
    pub function_timeout: Option<Duration>,
    /// How long the handler may take until its first answer.
    pub initialization_timeout: Duration,
    /// `useStdErrorStreamForErrorsOnly`.
    pub stderr_is_error: bool,
    /// The functions that are not disabled, by name.
    pub functions: Vec<Function>,
}

/// Why the host would not run this app, or not all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppError {
    /// The file or folder at fault.
    pub path: PathBuf,
    /// What is wrong with it.
    pub rule: String,
}

impl AppError {
    pub(super) fn new(path: impl Into<PathBuf>, rule: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            rule: rule.into(),
        }
    }
}

impl fmt::Display for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.rule)
    }
}

impl std::error::Error for AppError {}

impl App {
    /// Reads the app in `directory`. `executable` names the binary where it
    /// does not lie in the app's folder.
    ///
    /// # Errors
    ///
    /// The first rule of the host that a file of the app breaks.
    pub(super) fn read(
        directory: &Path,
        settings: &AppSettings,
        executable: Option<&Path>,
    ) -> Result<Self, AppError> {
        // The handler is started in a folder of its own choosing, so no path
        // may be relative to this process's.
        let directory = &absolute(directory)?;
        let host_json = HostJson::read(directory, settings)?;
        let name = host_json.required_text("customHandler.description.defaultExecutablePath")?;
        check_executable_name(&name).map_err(|rule| host_json.error(rule))?;
        let worker_directory = host_json
            .text("customHandler.description.workerDirectory")?
            .unwrap_or_default();
        let executable = match executable {
            Some(path) => path.to_owned(),
            None => directory.join(worker_directory).join(&name),
        };
        let executable = absolute(&executable)?;
        check_is_executable(&executable)?;

        let working_directory = host_json
            .text("customHandler.description.workingDirectory")?
            .map_or_else(|| directory.to_owned(), |relative| directory.join(relative));
        let functions = function::read_all(directory, settings, &host_json.value)?;
        Ok(Self {
            directory: directory.to_owned(),
            executable_name: name,
            executable,
            arguments: host_json.arguments(settings)?,
            working_directory,
            function_timeout: host_json.function_timeout()?,
            initialization_timeout: host_json
                .span("customHandler.initializationTimeout")?
                .unwrap_or(DEFAULT_INITIALIZATION_TIMEOUT),
            stderr_is_error: host_json
                .flag("customHandler.description.useStdErrorStreamForErrorsOnly")?
                .unwrap_or(true),
            functions,
        })
    }
}

/// The publishing tools give the execute bit to the package entry whose name
/// equals `defaultExecutablePath`, letter by letter.
fn check_executable_name(name: &str) -> Result<(), String> {
    let is_entry_name = !name.is_empty()
        && !name.starts_with(['.', '/'])
        && !name.contains(['%', '\\', ' '])
        && !name.contains("//");
    if is_entry_name {
        Ok(())
    } else {
        Err(format!(
            "defaultExecutablePath `{name}` is not the plain name of a package entry, \
             so publishing would not make the file executable"
        ))
    }
}

fn absolute(path: &Path) -> Result<PathBuf, AppError> {
    fs::canonicalize(path).map_err(|error| AppError::new(path, format!("cannot be found: {error}")))
}

fn check_is_executable(path: &Path) -> Result<(), AppError> {
    let metadata = fs::metadata(path)
        .map_err(|error| AppError::new(path, format!("cannot be read: {error}")))?;
    if !metadata.is_file() {
        return Err(AppError::new(path, "the executable is no regular file"));
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Err(AppError::new(path, "the executable has no execute bit"));
    }
    Ok(())
}

/// Reads a file as JSON.
pub(super) fn read_json(path: &Path) -> Result<Value, AppError> {
    let text = fs::read_to_string(path)
        .map_err(|error| AppError::new(path, format!("cannot be read: {error}")))?;
    serde_json::from_str(&text)
        .map_err(|error| AppError::new(path, format!("is not JSON: {error}")))
}

struct HostJson {
    path: PathBuf,
    value: Value,
}

impl HostJson {
    fn read(directory: &Path, settings: &AppSettings) -> Result<Self, AppError> {
        let path = directory.join("host.json");
        let mut value = read_json(&path)?;
        settings.override_host_json(&mut value);
        let host_json = Self { path, value };
        if host_json.at("version").and_then(Value::as_str) != Some("2.0") {
            return Err(host_json.error("version must be \"2.0\""));
        }
        if host_json.at("customHandler.description").is_none() {
            return Err(host_json.error("customHandler.description is missing"));
        }
        Ok(host_json)
    }

    fn error(&self, rule: impl Into<String>) -> AppError {
        AppError::new(&self.path, rule)
    }

    fn at(&self, path: &str) -> Option<&Value> {
        path.split('.')
            .try_fold(&self.value, |value, key| value.get(key))
            .filter(|value| !value.is_null())
    }

    fn text(&self, path: &str) -> Result<Option<String>, AppError> {
        self.at(path)
            .map(|value| {
                let text = value.as_str().map(str::to_owned);
                text.ok_or_else(|| self.error(format!("{path} must be a string")))
            })
            .transpose()
    }

    fn required_text(&self, path: &str) -> Result<String, AppError> {
        self.text(path)?
            .filter(|text| !text.is_empty())
            .ok_or_else(|| self.error(format!("{path} is missing")))
    }

    fn flag(&self, path: &str) -> Result<Option<bool>, AppError> {
        // A setting that overrides the file is a string.
        let read = |value: &Value| match value.as_str() {
            Some(text) => text.to_ascii_lowercase().parse().ok(),
            None => value.as_bool(),
        };
        self.at(path)
            .map(|value| {
                read(value).ok_or_else(|| self.error(format!("{path} must be true or false")))
            })
            .transpose()
    }

    fn span(&self, path: &str) -> Result<Option<Duration>, AppError> {
        self.text(path)?
            .map(|text| {
                parse_time_span(&text)
                    .filter(|span| !span.is_zero())
                    .ok_or_else(|| self.error(format!("{path} `{text}` is no time span")))
            })
            .transpose()
    }

    fn function_timeout(&self) -> Result<Option<Duration>, AppError> {
        if self.text("functionTimeout")?.as_deref() == Some("-1") {
            return Ok(None);
        }
        let timeout = self
            .span("functionTimeout")?
            .unwrap_or(DEFAULT_FUNCTION_TIMEOUT);
        if timeout < Duration::from_secs(1) {
            return Err(self.error("functionTimeout is less than a second"));
        }
        Ok(Some(timeout))
    }

    /// `arguments`, `defaultWorkerPath` in quotes and `workerArguments`, joined
    /// by spaces and split again, which is what happens to them on the way.
    fn arguments(&self, settings: &AppSettings) -> Result<Vec<String>, AppError> {
        let mut words = self.words("customHandler.description.arguments")?;
        if let Some(worker) = self.text("customHandler.description.defaultWorkerPath")? {
            words.push(format!("\"{worker}\""));
        }
        words.extend(self.words("customHandler.description.workerArguments")?);
        let line = settings.expand(&words.join(" "));
        Ok(split_command_line(&line))
    }

    fn words(&self, path: &str) -> Result<Vec<String>, AppError> {
        let Some(value) = self.at(path) else {
            return Ok(Vec::new());
        };
        let words = value.as_array().and_then(|items| {
            let words = items.iter().map(|item| item.as_str().map(str::to_owned));
            words.collect::<Option<Vec<_>>>()
        });
        words.ok_or_else(|| self.error(format!("{path} must be an array of strings")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn app_with(host_json: &Value, settings: &AppSettings) -> Result<App, AppError> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(&path, text).expect("a file");
            path
        };
        write("host.json", &host_json.to_string());
        write(
            "F/function.json",
            r#"{"bindings":[{"type":"timerTrigger","direction":"in","name":"t","schedule":"0 * * * * *"}]}"#,
        );
        let handler = write("handler", "");
        fs::set_permissions(&handler, fs::Permissions::from_mode(0o755)).expect("a mode");
        write("plain", "");
        App::read(folder.path(), settings, None)
    }

    fn host_json() -> Value {
        json!({
            "version": "2.0",
            "customHandler": {"description": {"defaultExecutablePath": "handler"}}
        })
    }

    fn no_settings() -> AppSettings {
        let mut settings = AppSettings::default();
        settings.clear();
        settings
    }

    #[test]
    fn a_minimal_app_has_the_defaults_of_the_host() {
        let app = app_with(&host_json(), &no_settings()).expect("an app");
        assert_eq!(app.function_timeout, Some(Duration::from_secs(1800)));
        assert_eq!(app.initialization_timeout, Duration::from_secs(30));
        assert!(app.stderr_is_error);
        assert!(app.arguments.is_empty());
        assert_eq!(app.working_directory, app.directory);
        assert_eq!(app.functions.len(), 1);
    }

    #[test]
    fn what_the_host_refuses_is_refused_with_the_rule() {
        let cases = [
            ("/version", json!("1.0"), "version must be"),
            ("/version", json!(2.0), "version must be"),
            ("/customHandler", json!({}), "description is missing"),
            (
                "/customHandler/description",
                json!({}),
                "defaultExecutablePath is missing",
            ),
            (
                "/customHandler/description/defaultExecutablePath",
                json!("./handler"),
                "plain name",
            ),
            (
                "/customHandler/description/defaultExecutablePath",
                json!("%X%"),
                "plain name",
            ),
            (
                "/customHandler/description/defaultExecutablePath",
                json!("absent"),
                "cannot be found",
            ),
            (
                "/customHandler/description/defaultExecutablePath",
                json!("plain"),
                "execute bit",
            ),
            (
                "/customHandler/description/defaultExecutablePath",
                json!("F"),
                "regular file",
            ),
        ];
        for (pointer, value, rule) in cases {
            let mut broken = host_json();
            *broken.pointer_mut(pointer).expect("a member") = value;
            let error = app_with(&broken, &no_settings()).expect_err(pointer);
            assert!(error.rule.contains(rule), "{pointer}: {error}");
        }
    }

    #[test]
    fn the_function_timeout_is_at_least_a_second_or_minus_one() {
        let timeout = |text: &str| {
            let mut changed = host_json();
            changed["functionTimeout"] = json!(text);
            app_with(&changed, &no_settings()).map(|app| app.function_timeout)
        };
        assert_eq!(timeout("-1"), Ok(None));
        assert_eq!(timeout("00:00:01"), Ok(Some(Duration::from_secs(1))));
        assert!(timeout("00:00:00.5").is_err());
        assert!(timeout("ten minutes").is_err());
    }

    #[test]
    fn arguments_are_expanded_joined_and_split_again() {
        let mut changed = host_json();
        changed["customHandler"]["description"] = json!({
            "defaultExecutablePath": "handler",
            "arguments": ["serve", "a b", "%WHO%", "%UNSET%"],
            "defaultWorkerPath": "the worker",
            "workerArguments": ["z"],
        });
        let mut settings = no_settings();
        settings.set("WHO".to_owned(), "me".to_owned());
        let app = app_with(&changed, &settings).expect("an app");
        assert_eq!(app.arguments, ["serve", "a", "b", "me", "the worker", "z"]);
    }
}
