//! How much work one PKCS#12 file may ask for.
//!
//! A file states itself how often its password is hashed, for each part anew. Whoever
//! may store one secret could so keep the machine busy for minutes, and with it the
//! sweep of everybody else: what counts is the sum.

use std::num::NonZeroU32;

use super::pkcs12::Problem;

/// More than any tool writes into all parts of a file together, and done in a second or
/// two.
pub(super) const MOST_ROUNDS: u32 = 2_000_000;

/// A key, its certificate and any chain above it take a tenth of this.
pub(super) const MOST_PARTS: u32 = 64;

/// What is left of it.
pub(super) struct Work {
    rounds: u32,
    parts: u32,
}

impl Work {
    /// What a file may ask for.
    pub(super) fn of_a_file() -> Self {
        Self {
            rounds: MOST_ROUNDS,
            parts: MOST_PARTS,
        }
    }

    /// The same with other rounds.
    #[cfg(test)]
    pub(super) fn of_rounds(rounds: u32) -> Self {
        Self {
            rounds,
            ..Self::of_a_file()
        }
    }

    /// Takes `rounds` for each of so many keys, before any of them is derived. A file may
    /// state any number, none included.
    pub(super) fn take_rounds(&mut self, rounds: u64, keys: u32) -> Result<NonZeroU32, Problem> {
        let each = u32::try_from(rounds).ok().and_then(NonZeroU32::new);
        let each = each.ok_or(Problem::Rounds)?;
        let all = each.get().checked_mul(keys);
        let left = all.and_then(|all| self.rounds.checked_sub(all));
        self.rounds = left.ok_or(Problem::Rounds)?;
        Ok(each)
    }

    /// Takes one of the parts.
    pub(super) fn take_part(&mut self) -> Result<(), Problem> {
        self.parts = self.parts.checked_sub(1).ok_or(Problem::Parts)?;
        Ok(())
    }
}
