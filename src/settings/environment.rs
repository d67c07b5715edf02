//! The environment as a value, so that nothing below `main` asks the process.
//!
//! Keeps only the variables that the product reads, and those that look as if
//! they were meant for it: the Functions host also hands every handler its
//! storage keys, which have no business in our memory or in a `Debug`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

use super::names;

/// Names and values; a blank value counts as absent.
#[derive(Clone, Default)]
pub struct Environment {
    values: BTreeMap<String, String>,
}

impl Environment {
    /// From the pairs that `std::env::vars_os` yields. Bytes that are not UTF-8
    /// become U+FFFD, which no setting accepts.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let lossy = |text: OsString| text.to_string_lossy().into_owned();
        pairs
            .into_iter()
            .map(|(name, value)| (lossy(name), lossy(value)))
            .collect()
    }

    /// Adds the `Values` of `local.settings.json`; what the environment says wins.
    #[must_use]
    pub fn or_local_values(mut self, values: BTreeMap<String, String>) -> Self {
        for (name, value) in values {
            if names::concerns_us(&name) {
                let held = self.values.entry(name).or_default();
                // A blank variable counts as absent, so it hides nothing.
                if held.trim().is_empty() {
                    *held = value;
                }
            }
        }
        self
    }

    /// The value, unless it is absent or blank.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.values.get(name)?.trim();
        (!value.is_empty()).then_some(value)
    }

    /// The same without regard to case, as .NET reads configuration keys.
    pub(super) fn get_any_case(&self, name: &str) -> Option<&str> {
        let (name, _) = self
            .values
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        self.get(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let values = pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .filter(|(name, _)| names::concerns_us(name))
            .collect();
        Self { values }
    }
}

/// Names only: `IDENTITY_HEADER` is a secret.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_what_is_none_of_our_business() {
        let environment = Environment::from_iter([
            ("AzureWebJobsStorage", "AccountKey=marker"),
            ("TERMINATE_CLUSTERS_MODE", "report"),
            ("IDENTITY_HEADER", "marker"),
        ]);
        assert_eq!(environment.get("AzureWebJobsStorage"), None);
        assert_eq!(environment.get("TERMINATE_CLUSTERS_MODE"), Some("report"));
        assert!(!format!("{environment:?}").contains("marker"));
    }

    #[test]
    fn the_environment_beats_the_local_file_and_blank_counts_as_absent() {
        let local = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let environment = Environment::from_iter([
            ("TERMINATE_CLUSTERS_MODE", "report"),
            ("TERMINATE_CLUSTERS_POLICY", "  "),
            ("TERMINATE_CLUSTERS_POLICY_FILE", ""),
        ])
        .or_local_values(BTreeMap::from([
            local("TERMINATE_CLUSTERS_MODE", "terminate"),
            local("TERMINATE_CLUSTERS_CLOUD", "public"),
            local("TERMINATE_CLUSTERS_POLICY_FILE", "mine.toml"),
            local("AzureWebJobsStorage", "x"),
        ]));
        assert_eq!(environment.get("TERMINATE_CLUSTERS_MODE"), Some("report"));
        assert_eq!(environment.get("TERMINATE_CLUSTERS_CLOUD"), Some("public"));
        assert_eq!(environment.get("TERMINATE_CLUSTERS_POLICY"), None);
        let file = environment.get("TERMINATE_CLUSTERS_POLICY_FILE");
        assert_eq!(file, Some("mine.toml"));
        assert_eq!(environment.get("AzureWebJobsStorage"), None);
    }
}
