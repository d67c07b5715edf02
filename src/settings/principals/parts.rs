//! What a principal is, read from its parts: which credential, and all that it needs.
//!
//! Where both a client secret and a certificate are named, nothing is guessed: the
//! operator says which, and may leave the other in place until all is well.

use super::noted;
use super::written::{Part, Written};
use crate::escape::Shown;
use crate::identity::{
    Application, CredentialKind, CredentialSource, IdSource, PrincipalSource, SecretName,
    is_client_id, is_tenant_id,
};

/// `None` after a mistake, all of which are noted.
pub(super) fn read(written: &mut dyn Written) -> Option<PrincipalSource> {
    let kind = kind(written);
    if kind == Some(CredentialKind::ManagedIdentity) {
        refuse_beside_managed_identity(written);
        return Some(PrincipalSource::ManagedIdentity);
    }
    let tenant_id = read_id(
        written,
        (Part::TenantId, Part::TenantIdSecret),
        is_tenant_id,
        "is no tenant id; write its GUID or the tenant's domain",
    );
    let client_id = read_id(
        written,
        (Part::ClientId, Part::ClientIdSecret),
        is_client_id,
        "is no client id; write the application's GUID",
    );
    let credential = match kind? {
        CredentialKind::ClientSecret => {
            read_secret(written, Part::ClientSecretSecret).map(CredentialSource::ClientSecret)
        }
        CredentialKind::Certificate => {
            read_secret(written, Part::ClientCertificateSecret).map(CredentialSource::Certificate)
        }
        CredentialKind::Federated | CredentialKind::ManagedIdentity => {
            Some(CredentialSource::Federated)
        }
    };
    Some(PrincipalSource::Application(Application {
        tenant_id: tenant_id?,
        client_id: client_id?,
        credential: credential?,
    }))
}

/// Whether any part is in a vault, as far as it is written and right.
pub(super) fn read_a_vault(written: &mut dyn Written) -> bool {
    let chosen = written.is_given(Part::Credential);
    let chosen = chosen.then(|| written.text(Part::Credential)).flatten();
    let kind = chosen.and_then(|text| parse_kind(&text).ok());
    match kind {
        Some(CredentialKind::ManagedIdentity) => false,
        Some(CredentialKind::Federated) => {
            written.is_given(Part::TenantIdSecret) || written.is_given(Part::ClientIdSecret)
        }
        Some(CredentialKind::ClientSecret | CredentialKind::Certificate) | None => true,
    }
}

/// The credential that is chosen, or the only one that is named.
fn kind(written: &mut dyn Written) -> Option<CredentialKind> {
    if written.is_given(Part::Credential) {
        let text = written.text(Part::Credential)?;
        return noted(written, Part::Credential, parse_kind(&text));
    }
    let has_secret = written.is_given(Part::ClientSecretSecret);
    let has_certificate = written.is_given(Part::ClientCertificateSecret);
    match (has_secret, has_certificate) {
        (true, true) => {
            let secret = written.named(Part::ClientSecretSecret);
            let choice = written.named(Part::Credential);
            let problem = format!(
                "is given together with `{secret}`; choose by `{choice}`: \"certificate\" uses the certificate, \"client-secret\" the secret"
            );
            written.note(Part::ClientCertificateSecret, problem);
            None
        }
        (false, true) => Some(CredentialKind::Certificate),
        (true | false, false) => Some(CredentialKind::ClientSecret),
    }
}

fn parse_kind(text: &str) -> Result<CredentialKind, String> {
    let mut kinds = CredentialKind::ALL.into_iter();
    kinds.find(|kind| kind.as_str() == text).ok_or_else(|| {
        let all = CredentialKind::ALL.map(|kind| format!("\"{}\"", kind.as_str()));
        format!(
            "is \"{}\"; write one of {}",
            Shown::new(text, 60),
            all.join(", ")
        )
    })
}

/// A managed identity has an id and a tenant of its own; others beside it would be
/// taken for what they are not.
fn refuse_beside_managed_identity(written: &mut dyn Written) {
    let others = Part::OWN
        .into_iter()
        .filter(|part| *part != Part::Credential);
    for part in others {
        if written.is_given(part) {
            let choice = written.named(Part::Credential);
            let problem = format!(
                "is of no use to a managed identity, which has ids of its own; remove it, or write \"federated\" for `{choice}` if the identity is to prove an application"
            );
            written.note(part, problem);
        }
    }
}

/// An id, from its own part or from the one that names a secret.
fn read_id(
    written: &mut dyn Written,
    (plain, secret): (Part, Part),
    is_right: fn(&str) -> bool,
    wrong: &str,
) -> Option<IdSource> {
    match (written.is_given(plain), written.is_given(secret)) {
        (true, true) => {
            let other = written.named(secret);
            let problem = format!("is given together with `{other}`; remove one of them");
            written.note(plain, problem);
            None
        }
        (true, false) => {
            let id = written.text(plain)?;
            // It is not repeated: it could be a secret in the wrong place.
            let parsed = if is_right(&id) {
                Ok(IdSource::Settings(id))
            } else {
                Err(wrong.to_owned())
            };
            noted(written, plain, parsed)
        }
        (false, true) => read_secret(written, secret).map(IdSource::Secret),
        (false, false) => {
            written.note_missing(plain);
            None
        }
    }
}

fn read_secret(written: &mut dyn Written, part: Part) -> Option<SecretName> {
    if !written.is_given(part) {
        written.note_missing(part);
        return None;
    }
    let name = written.text(part)?;
    noted(written, part, SecretName::parse(&name))
}
