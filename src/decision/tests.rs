//! Tests of the decision.
//!
//! Nothing here talks to the outside. `world` holds the builders, which other
//! pure stages may use in their tests too; the files beside it hold the tests.

mod corners;
pub(crate) mod world;
