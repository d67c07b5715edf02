//! Tests of the decision: every rule and reason has a row in a table, every
//! boundary is met from both sides, and properties hold for any world.
//!
//! Nothing here talks to the outside. `world` holds the builders, which other
//! pure stages may use in their tests too; the files beside it hold the tests,
//! most of them as rows: a change to an idle world, and what must come of it.

use self::world::World;
use super::Decision;

/// A change to a world that is idle by every sign, and the decision it leads to.
struct Row {
    says: &'static str,
    change: fn(&mut World),
    is_met_by: fn(&Decision) -> bool,
    /// The expected decision as it is written in the row.
    expected: &'static str,
}

impl Row {
    /// The decision of this row's world, which must be the expected one.
    fn check(&self) -> Decision {
        let mut world = World::idle();
        (self.change)(&mut world);
        let decision = world.decide();
        let (says, expected) = (self.says, self.expected);
        assert!(
            (self.is_met_by)(&decision),
            "{says}: expected {expected}, got {decision:?}"
        );
        decision
    }
}

/// A row whose cluster is kept, for a reason of this pattern.
macro_rules! keeps {
    ($says:literal, $change:expr, $reason:pat $(if $guard:expr)? $(,)?) => {
        Row {
            says: $says,
            change: $change,
            is_met_by: |decision| matches!(decision, Decision::Keep($reason) $(if $guard)?),
            expected: stringify!($reason $(if $guard)?),
        }
    };
}

/// A row whose cluster is terminated by this evidence, after so many hours.
macro_rules! terminates {
    ($says:literal, $change:expr, $evidence:ident after $hours:literal $(,)?) => {
        Row {
            says: $says,
            change: $change,
            is_met_by: |decision| {
                matches!(decision, Decision::Terminate(proof)
                    if proof.evidence() == Evidence::$evidence
                        && proof.threshold() == hours($hours))
            },
            expected: stringify!(Terminate by $evidence after $hours hours),
        }
    };
}

mod boundaries;
mod corners;
mod explain;
mod order;
pub(crate) mod properties;
mod reasons;
mod second_look;
mod tables;
mod wording;
pub(crate) mod world;
