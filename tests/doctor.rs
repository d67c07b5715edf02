//! Stories of `terminate-clusters doctor`: what an operator is told is missing, and that
//! nothing changes by asking.
//!
//! Each story owns its cloud and runs the real binary. Every run makes sure that the
//! cloud was only read.

#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

mod support;

#[path = "doctor/access.rs"]
mod access;
#[path = "doctor/clouds.rs"]
mod clouds;
#[path = "doctor/examined.rs"]
mod examined;
#[path = "support/hostile.rs"]
mod hostile;
#[path = "doctor/identities.rs"]
mod identities;
#[path = "support/planted.rs"]
mod planted;
#[path = "doctor/probe.rs"]
mod probe;
#[path = "support/ran.rs"]
mod ran;
#[path = "doctor/record.rs"]
mod record;
#[path = "doctor/rights.rs"]
mod rights;
#[path = "doctor/secrecy.rs"]
mod secrecy;
#[path = "doctor/settings.rs"]
mod settings;
#[path = "doctor/vault.rs"]
mod vault;
