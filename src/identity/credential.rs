//! What a principal proves itself with and how long that is good, as data: for the
//! warning before it ends, and for whoever is asked about it.

use std::time::Duration;

use super::{CredentialKind, SecretName};
use crate::human::Count;
use crate::timestamp::Timestamp;

const DAY: u64 = 24 * 60 * 60;

/// What a principal proves itself with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialInUse {
    pub kind: CredentialKind,
    /// The secret that holds it, where one does.
    pub secret: Option<SecretName>,
    /// The end of the certificate, or the date that Key Vault has for the secret.
    /// `None` where there is none, and before it was read.
    pub valid_until: Option<Timestamp>,
}

impl CredentialInUse {
    /// A sentence, if it ends within this time or has ended.
    #[must_use]
    pub fn warning(&self, now: Timestamp, within: Duration) -> Option<String> {
        let until = self.valid_until?;
        if until > now.plus(within) {
            return None;
        }
        let what = self.kind.name();
        let held = match &self.secret {
            Some(name) => format!("the {what} in secret `{name}`"),
            None => format!("the {what}"),
        };
        let (dated, renew) = match self.kind {
            CredentialKind::Certificate => (
                "",
                "renew the certificate in Key Vault and register the new one with the application",
            ),
            CredentialKind::ClientSecret
            | CredentialKind::ManagedIdentity
            | CredentialKind::Federated => (
                " by its date in Key Vault",
                "create a new one and store it there with its date",
            ),
        };
        let left = until.since(now).as_secs();
        Some(if until <= now {
            format!("{held} expired at {until}{dated}; {renew}")
        } else if left < DAY {
            format!("{held} expires within a day, at {until}{dated}; {renew}")
        } else {
            let days = Count(left / DAY, "day");
            format!("{held} expires in {days}, at {until}{dated}; {renew}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_348_800_000);
    const WITHIN: Duration = Duration::from_secs(21 * DAY);

    fn warning(kind: CredentialKind, valid_until: Option<Timestamp>) -> Option<String> {
        let credential = CredentialInUse {
            kind,
            secret: SecretName::parse("sp").ok(),
            valid_until,
        };
        credential.warning(NOW, WITHIN)
    }

    #[test]
    fn what_ends_within_the_time_is_warned_of_and_nothing_else() {
        let after = |seconds| Some(NOW.plus(Duration::from_secs(seconds)));
        let certificate = CredentialKind::Certificate;
        assert_eq!(warning(certificate, None), None);
        assert_eq!(warning(certificate, after(21 * DAY + 1)), None);
        let renew =
            "renew the certificate in Key Vault and register the new one with the application";
        for (until, said) in [
            (
                after(21 * DAY),
                "expires in 21 days, at 2026-12-13T12:00:00Z",
            ),
            (
                after(2 * DAY - 1),
                "expires in 1 day, at 2026-11-24T11:59:59Z",
            ),
            (
                after(DAY - 1),
                "expires within a day, at 2026-11-23T11:59:59Z",
            ),
            (after(0), "expired at 2026-11-22T12:00:00Z"),
            (Some(NOW.minus(WITHIN)), "expired at 2026-11-01T12:00:00Z"),
        ] {
            let expected = format!("the certificate in secret `sp` {said}; {renew}");
            assert_eq!(warning(certificate, until), Some(expected));
        }
        assert_eq!(
            warning(CredentialKind::ClientSecret, after(0)).as_deref(),
            Some(
                "the client secret in secret `sp` expired at 2026-11-22T12:00:00Z by its date in Key Vault; create a new one and store it there with its date"
            )
        );
    }
}
