//! All service principals of one sweep, by name.
//!
//! Each has its own tokens and secrets; there is no way from one to another's
//! but its name, so no cache can mix them up.

use std::collections::BTreeMap;

use super::{Identity, IdentityUsage, PrincipalName};

/// The service principals of one sweep.
#[derive(Debug, Clone, Default)]
pub struct Identities(BTreeMap<PrincipalName, Identity>);

impl Identities {
    /// The principal of this name.
    #[must_use]
    pub fn of(&self, name: &PrincipalName) -> Option<&Identity> {
        self.0.get(name)
    }

    /// Every principal, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&PrincipalName, &Identity)> {
        self.0.iter()
    }

    /// What they cost together so far.
    #[must_use]
    pub fn usage(&self) -> IdentityUsage {
        let mut sum = IdentityUsage::default();
        for identity in self.0.values() {
            let IdentityUsage {
                token_requests,
                token_time,
                secret_reads,
                secret_time,
            } = identity.usage();
            sum.token_requests += token_requests;
            sum.token_time += token_time;
            sum.secret_reads += secret_reads;
            sum.secret_time += secret_time;
        }
        sum
    }
}

impl FromIterator<(PrincipalName, Identity)> for Identities {
    fn from_iter<I: IntoIterator<Item = (PrincipalName, Identity)>>(named: I) -> Self {
        Self(named.into_iter().collect())
    }
}
