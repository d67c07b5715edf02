//! Stories of whole sweeps: the binary, started as an operator would, in a
//! pretend cloud.
//!
//! Each story owns its cloud, runs `terminate-clusters sweep` (or `why`, or `grant`)
//! once or more, and looks at three things: what the cloud has seen and become, the report, and
//! the exit status. What one stage does alone is tested beside it; here is only
//! what needs all of them together.

#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

mod support;

#[path = "sweep/caps.rs"]
mod caps;
#[path = "sweep/clock.rs"]
mod clock;
#[path = "sweep/clouds.rs"]
mod clouds;
#[path = "sweep/commands.rs"]
mod commands;
#[path = "sweep/contributor.rs"]
mod contributor;
#[path = "sweep/credentials.rs"]
mod credentials;
#[path = "sweep/failures.rs"]
mod failures;
#[path = "sweep/fairness.rs"]
mod fairness;
#[path = "sweep/grant.rs"]
mod grant;
#[path = "support/hostile.rs"]
mod hostile;
#[path = "sweep/kept.rs"]
mod kept;
#[path = "sweep/names.rs"]
mod names;
#[path = "sweep/nodes.rs"]
mod nodes;
#[path = "sweep/outcomes.rs"]
mod outcomes;
#[path = "sweep/overrides.rs"]
mod overrides;
#[path = "support/planted.rs"]
mod planted;
#[path = "sweep/principals.rs"]
mod principals;
#[path = "sweep/promises.rs"]
mod promises;
#[path = "sweep/races.rs"]
mod races;
#[path = "support/ran.rs"]
mod ran;
#[path = "sweep/recorded.rs"]
mod recorded;
#[path = "sweep/refused.rs"]
mod refused;
#[path = "sweep/secrecy.rs"]
mod secrecy;
#[path = "sweep/spark.rs"]
mod spark;
#[path = "sweep/swept.rs"]
mod swept;
#[path = "sweep/why.rs"]
mod why;
