//! `terminate-clusters`: an Azure Functions custom handler that terminates idle
//! Azure Databricks clusters, never a working one.
//!
//! ```text
//! host invocation → sweep request → workspaces → clusters → signals → decision → plan → action → report
//! ```
//!
//! The modules stand in reading order: first what judges, which is pure; then
//! what asks and acts; then how it reaches the outside; then how it is started.
//! To know what the product does, read `decision` and its tests. The rules that
//! hold between the modules are in `ARCHITECTURE.md`, and
//! `tests/architecture` checks them.

// What judges: values in, values out.

// The sixteen rules: signals, policy and `now` in, keep or a proof out.
pub mod decision;

// The facts about one cluster, each known, unknown or not asked, and the asking.
pub mod signals;

// What the raw answers of Spark and of the machines mean.
pub mod witness;

// Caps and order: permits for the longest idle.
pub mod plan;

// What was seen and done, as text and JSON.
pub mod report;

// One cluster in our own terms.
pub mod cluster;

// The operator's rules as values.
pub mod policy;

// Cases that test a policy, compared with what is decided.
pub mod policy_cases;

// What is legal in a policy and probably not meant.
pub mod policy_lint;

// What asks and acts.

// One sweep over all workspaces of a request.
pub mod sweep;

// One cluster, explained to a person; changes nothing.
pub mod why;

// What is missing before a sweep can work; changes nothing.
pub mod doctor;

// One workspace: list, look, plan, act, report.
pub mod workspace;

// One termination: look again, terminate, read back.
pub mod action;

// A principal's place in a workspace: given when asked for.
pub mod grant;

// How it reaches the outside.

// The Databricks workspace API.
pub mod databricks;

// The Spark UI on a cluster's driver.
pub mod spark;

// Host metrics of the clusters' machines.
pub mod azure_monitor;

// The service principals' secrets.
pub mod key_vault;

// Their tokens, one per principal, audience and sweep.
pub mod identity;

// A certificate with its key, and what is signed with it.
pub mod certificate;

// A call with token, pace and repetitions.
pub mod service;

// What is worth repeating, and when.
pub mod retry;

// One exchange, to permitted hosts only.
pub mod transport;

// The endpoints of a cloud, and who may receive a token.
pub mod cloud;

// How it is started, and what it is told.

// The Functions host's side of the contract.
pub mod host;

// The command line.
pub mod cli;

// Everything that an operator sets.
pub mod settings;

// Settings turned into the parts of a sweep.
pub mod wiring;

// Log records as single lines.
pub mod logging;

// Small values that all of them use.

// An instant, and its spellings.
pub mod timestamp;

// Where the time comes from.
pub mod clock;

// Counts of requests and time.
pub mod meter;

// Text from outside, made safe to show.
pub mod escape;

// Durations as people write them.
pub mod human;
