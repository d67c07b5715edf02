//! A scene of a story: a pretend cloud, and the settings with which the binary
//! is sent into it.
//!
//! The settings are those of an ordinary installation with both witnesses on;
//! only waits are shortened. Nothing of this machine's environment reaches the
//! process: its own proxies and certificates would lead it elsewhere. A story
//! says in what it differs and looks at the outcome itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use simulator::Simulator;
use simulator::world::World;

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_terminate-clusters");

/// Waits that a story can afford. Those for answers are long: a machine under
/// load is no story.
const LIMITS: [(&str, &str); 16] = [
    ("connect_timeout", "\"10s\""),
    ("request_timeout", "\"20s\""),
    ("request_attempts", "3"),
    ("retry_budget", "\"20s\""),
    ("retry_first_wait", "\"5ms\""),
    ("retry_longest_wait", "\"50ms\""),
    ("requests_per_second", "1000"),
    ("request_burst", "1000"),
    ("parallel_requests_per_workspace", "8"),
    ("read_back_every", "\"20ms\""),
    ("read_back_for", "\"2s\""),
    ("second_look_runs_age", "\"1ms\""),
    ("join_for", "\"10s\""),
    ("join_every", "\"10ms\""),
    ("sweep_deadline", "\"50s\""),
    ("token_timeout", "\"20s\""),
];

/// A running cloud and the settings of the binary that is sent into it.
pub(crate) struct Scene {
    pub(crate) simulator: Simulator,
    policy: String,
    pub(crate) further_tables: String,
    limits: BTreeMap<&'static str, String>,
    pub(crate) variables: BTreeMap<String, String>,
}

impl Scene {
    /// Starts the cloud. The settings say `terminate`, with both witnesses.
    pub(crate) fn of(world: World) -> Self {
        let simulator = Simulator::start(world).unwrap();
        let mut variables: BTreeMap<String, String> = simulator.env().into_iter().collect();
        variables.insert("TERMINATE_CLUSTERS_MODE".into(), "terminate".into());
        Self {
            simulator,
            policy: String::new(),
            further_tables: "[witness.spark]\nprincipal = \"main\"\n".to_owned(),
            limits: LIMITS.map(|(key, value)| (key, value.to_owned())).into(),
            variables,
        }
    }

    /// Adds a line to `[policy]`.
    pub(crate) fn policy(mut self, line: &str) -> Self {
        let _ = writeln!(self.policy, "{line}");
        self
    }

    /// Sets a key of `[limits]`, as TOML writes it.
    pub(crate) fn limit(mut self, key: &'static str, value: &str) -> Self {
        self.limits.insert(key, value.to_owned());
        self
    }

    /// Sets an app setting.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The process's whole environment: the settings, and where programs are.
    pub(crate) fn environment(&self) -> BTreeMap<String, String> {
        let mut variables = self.variables.clone();
        let policy = variables.entry("TERMINATE_CLUSTERS_POLICY".to_owned());
        policy.or_insert_with(|| self.policy_document());
        let path = variables.entry("PATH".to_owned());
        path.or_insert_with(|| "/usr/bin:/bin".to_owned());
        variables
    }

    fn policy_document(&self) -> String {
        let mut document = format!(
            "[policy]\n{}\n{}[limits]\n",
            self.policy, self.further_tables
        );
        for (key, value) in &self.limits {
            let _ = writeln!(document, "{key} = {value}");
        }
        document + &self.simulator.policy_workspaces()
    }
}
