//! What the vault gave: whether the login holds, whether the vault answers, and each
//! secret, with how long it stays good.
//!
//! Login, vault and secret are told apart by what reading the secrets met. Of a value no
//! more is looked at than whether it is a good certificate. Pure.

use std::time::Duration;

use secrecy::ExposeSecret;

use super::check::CheckId;
use super::commands::{self, Reader};
use super::principals::Candidate;
use super::sheet::{Finding, Remedy, Subject};
use crate::certificate::Certificate;
use crate::escape::Shown;
use crate::human::Count;
use crate::identity::{CredentialKind, SecretError, SecretErrorKind, SecretName, StoredSecret};

const DAY: Duration = Duration::from_hours(24);

/// What the vault gave for one secret.
pub(super) type Read = (SecretName, Result<StoredSecret, SecretError>);

/// The vault as commands and sentences name it, and who reads it.
pub(super) struct Vault<'a> {
    pub(super) name: &'a str,
    pub(super) host: &'a str,
    pub(super) reader: Reader,
    /// The cloud that it is looked for in.
    pub(super) cloud: &'static str,
    /// The client id of the user-assigned identity that reads it.
    pub(super) identity: Option<&'a str>,
}

impl Vault<'_> {
    /// The identity that reads it in the Function App.
    pub(super) fn function_app(&self) -> String {
        match self.identity {
            Some(client) => format!(
                "the user-assigned identity `{}` of this Function App",
                Shown::name(client)
            ),
            None => "the system-assigned identity of this Function App".to_owned(),
        }
    }
}

/// Whether the vault itself spoke, which it does only to somebody.
fn spoke(got: &Result<StoredSecret, SecretError>) -> bool {
    match got {
        Ok(_) => true,
        Err(error) => match error.kind {
            SecretErrorKind::NotFound
            | SecretErrorKind::Forbidden
            | SecretErrorKind::Firewall
            | SecretErrorKind::Disabled
            | SecretErrorKind::Empty => true,
            SecretErrorKind::Login | SecretErrorKind::Unavailable | SecretErrorKind::Unexpected => {
                false
            }
        },
    }
}

fn of_kind(read: &[Read], wanted: SecretErrorKind) -> Option<&SecretError> {
    let mut errors = read.iter().filter_map(|(_, got)| got.as_ref().err());
    errors.find(|error| error.kind == wanted)
}

pub(super) fn login(subject: &Subject, vault: &Vault<'_>, read: &[Read]) -> Finding {
    let id = CheckId::Login;
    let who = match vault.reader {
        Reader::FunctionApp => format!("as {}", vault.function_app()),
        Reader::AzureCli => "as whoever has run `az login` here".to_owned(),
    };
    if read.iter().any(|(_, got)| spoke(got)) {
        return Finding::ok(
            id,
            subject,
            format!("{} is asked {who}", Shown::name(vault.host)),
        );
    }
    match of_kind(read, SecretErrorKind::Login) {
        Some(error) => {
            let missing = match vault.reader {
                Reader::FunctionApp => "a managed identity",
                Reader::AzureCli => "a login",
            };
            let remedy = Remedy::grant(missing, commands::login(vault.reader, vault.identity));
            Finding::fail(id, subject, error.to_string(), remedy)
        }
        None => {
            // The vault asks for a login, and did not come to that.
            let sentence =
                format!("it would be asked {who}; not shown, because the vault gave no answer");
            Finding::warn(id, subject, sentence)
        }
    }
}

pub(super) fn reachable(subject: &Subject, vault: &Vault<'_>, read: &[Read]) -> Finding {
    let id = CheckId::Vault;
    let look = || Remedy::look(commands::vault(vault.name));
    if let Some(error) = of_kind(read, SecretErrorKind::Firewall) {
        let remedy = Remedy::grant(
            "this network among those that the vault allows",
            commands::vault(vault.name),
        );
        return Finding::fail(id, subject, error.to_string(), remedy);
    }
    if read.iter().any(|(_, got)| spoke(got)) {
        return Finding::ok(id, subject, format!("{} answers", Shown::name(vault.host)));
    }
    if of_kind(read, SecretErrorKind::Login).is_some() {
        return Finding::skipped(
            id,
            subject,
            format!("not shown, because `{}` failed", CheckId::Login),
        );
    }
    let failed = [SecretErrorKind::Unavailable, SecretErrorKind::Unexpected];
    match failed.into_iter().find_map(|kind| of_kind(read, kind)) {
        Some(error) => {
            let host = Shown::name(vault.host);
            let sentence = format!("{error} ({host} of the {} cloud)", vault.cloud);
            Finding::fail(id, subject, sentence, look())
        }
        None => Finding::ok(id, subject, "no secret of it is needed"),
    }
}

pub(super) fn secret(
    subject: &Subject,
    vault: &Vault<'_>,
    candidate: &Candidate<'_>,
    name: &SecretName,
    got: &Result<StoredSecret, SecretError>,
) -> Finding {
    let id = CheckId::Secret;
    let error = match got {
        Ok(stored) => return validity(subject, vault, candidate, name, stored),
        Err(error) => error,
    };
    let remedy = match error.kind {
        SecretErrorKind::Forbidden => Remedy::grant(
            "Key Vault Secrets User on the vault",
            commands::secrets_user(vault.reader, vault.identity, vault.name),
        ),
        SecretErrorKind::NotFound | SecretErrorKind::Empty => Remedy::grant(
            "the secret",
            commands::store_secret(vault.name, name.name()),
        ),
        SecretErrorKind::Disabled => Remedy::look(commands::secret_state(vault.name, name.name())),
        SecretErrorKind::Firewall
        | SecretErrorKind::Login
        | SecretErrorKind::Unavailable
        | SecretErrorKind::Unexpected => Remedy::look(commands::doctor()),
    };
    Finding::fail(id, subject, error.to_string(), remedy)
}

/// How long a secret that was read stays good: by its certificate, or by the date that
/// whoever stored it wrote beside it.
fn validity(
    subject: &Subject,
    vault: &Vault<'_>,
    candidate: &Candidate<'_>,
    name: &SecretName,
    stored: &StoredSecret,
) -> Finding {
    let id = CheckId::Secret;
    let source = &candidate.settings.source;
    let proves = source.secret() == Some(name);
    let renewed = match source.kind() {
        CredentialKind::Certificate if proves => {
            commands::renew_certificate(None, vault.name, name.name())
        }
        CredentialKind::ClientSecret if proves => {
            commands::renew_secret(None, vault.name, name, candidate.now)
        }
        CredentialKind::ClientSecret
        | CredentialKind::Certificate
        | CredentialKind::ManagedIdentity
        | CredentialKind::Federated => commands::secret_state(vault.name, name.name()),
    };
    let and_its_version = if proves {
        commands::and_its_version(name)
    } else {
        String::new()
    };
    let mut ends = stored.expires;
    if proves && source.kind() == CredentialKind::Certificate {
        let certificate = Certificate::read(stored.value.expose_secret(), candidate.now);
        let checked = certificate.and_then(|one| one.check(candidate.now).map(|()| one));
        match checked {
            Ok(certificate) => ends = Some(certificate.valid_until()),
            Err(why) => {
                let missing = format!("a certificate that is good{and_its_version}");
                let remedy = Remedy::grant(missing, renewed);
                return Finding::fail(id, subject, format!("it {why}"), remedy);
            }
        }
    }
    let Some(ends) = ends else {
        return Finding::ok(id, subject, "it can be read, and names no end");
    };
    if ends <= candidate.now {
        let sentence =
            format!("it can be read, and was good until {ends} by its own date{and_its_version}");
        return Finding::warn(id, subject, sentence).with(Remedy::look(renewed));
    }
    let left = ends.since(candidate.now);
    let days = Count(left.as_secs() / DAY.as_secs(), "day");
    let sentence = format!("it can be read, and is good until {ends}, for {days}");
    if left <= candidate.warn_before {
        let sentence = sentence + &and_its_version;
        return Finding::warn(id, subject, sentence).with(Remedy::look(renewed));
    }
    Finding::ok(id, subject, sentence)
}
