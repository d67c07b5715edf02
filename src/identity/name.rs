//! What a service principal is called in the settings, the report and the log.

use std::fmt;
use std::sync::Arc;

use crate::escape::Shown;

/// The operator's name for a service principal. It is no id: Entra never sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PrincipalName(Arc<str>);

impl PrincipalName {
    /// What the principal of the app settings is called.
    pub const MAIN: &'static str = "main";

    /// A name that the settings have checked.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// The principal of the app settings.
    #[must_use]
    pub fn main() -> Self {
        Self::new(Self::MAIN)
    }

    /// As it is written in the settings.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for PrincipalName {
    fn default() -> Self {
        Self::main()
    }
}

impl fmt::Display for PrincipalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown::name(&self.0).fmt(f)
    }
}
