//! Examines one service principal: the login for its vault, the vault, each secret, who
//! it is, and whether Entra gives it tokens.
//!
//! Asks; what the vault gave is judged by `vaults`. A value that was read is looked at
//! only as far as it is an id or a certificate; nothing else of it is kept.

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::time::{Instant, timeout_at};

use super::check::CheckId;
use super::commands::{self, Reader};
use super::sheet::{Finding, Remedy, Sheet, Subject};
use super::vaults::{Read, Vault, login, reachable, secret};
use crate::escape::Shown;
use crate::identity::{
    Application, Audience, CredentialKind, CredentialSource, IdSource, Identity, PrincipalSource,
    SecretError, SecretErrorKind, SecretName, SecretSource, TokenError, TokenErrorKind,
    TokenSource, is_client_id, is_tenant_id,
};
use crate::settings::PrincipalSettings;
use crate::timestamp::Timestamp;

/// One principal before it is examined.
#[derive(Debug)]
pub(super) struct Candidate<'a> {
    pub(super) settings: &'a PrincipalSettings,
    /// `None` where nothing of it is in a vault.
    pub(super) vault: Option<Arc<dyn SecretSource>>,
    pub(super) identity: Option<&'a Identity>,
    pub(super) tokens: Arc<dyn TokenSource>,
    pub(super) reader: Reader,
    /// The cloud that the settings choose.
    pub(super) cloud: &'static str,
    pub(super) needs: Needs,
    /// What is not known by then counts as not answered.
    pub(super) deadline: Instant,
    pub(super) now: Timestamp,
    /// From when on what ends soon is told.
    pub(super) warn_before: Duration,
}

/// For whom anyone needs a token of the principal's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Needs {
    /// A workspace is swept in its name whose machines are asked.
    pub(super) azure: bool,
    /// A workspace is joined in its name by a right on the Azure resource.
    pub(super) joining: bool,
}

/// The ids of a principal, as far as they could be read and are ids.
#[derive(Debug, Default)]
struct Ids {
    tenant: Option<String>,
    client: Option<String>,
}

/// Every check of a principal, as far as `before` does not bar it, and its client id, if
/// it is known.
pub(super) async fn principal(
    before: &Sheet,
    candidate: &Candidate<'_>,
) -> (Vec<Finding>, Option<String>) {
    let earlier = before.findings().len();
    let mut sheet = before.clone();
    let client_id = examine(&mut sheet, candidate).await;
    (sheet.findings()[earlier..].to_vec(), client_id)
}

async fn examine(sheet: &mut Sheet, candidate: &Candidate<'_>) -> Option<String> {
    let settings = candidate.settings;
    let subject = Subject::principal(settings.name.as_str());
    let url = settings.key_vault_url.as_ref();
    let host = url.and_then(|url| url.host_str()).unwrap_or_default();
    let vault = Vault {
        name: host.split('.').next().unwrap_or_default(),
        host,
        reader: candidate.reader,
        cloud: candidate.cloud,
        identity: settings.managed_identity_client_id.as_deref(),
    };
    let mut ids = match &candidate.vault {
        Some(source) => read_from(sheet, candidate, &vault, source.as_ref(), &subject).await,
        None => {
            let sentence = "none of its parts is in a vault";
            let unneeded = [CheckId::Login, CheckId::Vault, CheckId::Secret];
            sheet.extend(unneeded.map(|id| Finding::ok(id, &subject, sentence)));
            ids(&settings.source, &[])
        }
    };
    let bar = sheet.bar(CheckId::Identity, &subject);
    sheet.add(bar.unwrap_or_else(|| identity(&subject, &vault, candidate, &ids)));
    for (id, audience, is_needed) in [
        (CheckId::TokenDatabricks, Audience::Databricks, true),
        (CheckId::TokenArm, Audience::Arm, candidate.needs.azure),
        (
            CheckId::TokenManagement,
            Audience::Management,
            candidate.needs.joining,
        ),
    ] {
        if let Some(skipped) = sheet.bar(id, &subject) {
            sheet.add(skipped);
        } else if is_needed {
            let asking = candidate.tokens.token(audience);
            let got = timeout_at(candidate.deadline, asking).await;
            let got = got.map_or_else(|_| Err(no_token_in_time()), |got| got.map(|_| ()));
            sheet.add(token(id, &subject, &vault, candidate, &ids, &got));
        } else {
            let sentence = "nothing that it does needs one";
            sheet.add(Finding::skipped(id, &subject, sentence));
        }
    }
    if ids.client.is_none()
        && settings.source == PrincipalSource::ManagedIdentity
        && let Some(identity) = candidate.identity
    {
        let asking = timeout_at(candidate.deadline, identity.client_id());
        ids.client = asking.await.ok().and_then(Result::ok);
    }
    ids.client
}

/// The checks of the vault and of what is in it.
async fn read_from(
    sheet: &mut Sheet,
    candidate: &Candidate<'_>,
    vault: &Vault<'_>,
    source: &dyn SecretSource,
    subject: &Subject,
) -> Ids {
    let mut read = Vec::new();
    for name in secrets(&candidate.settings.source) {
        let got = timeout_at(candidate.deadline, source.read(name)).await;
        let got = got.unwrap_or_else(|_| Err(no_secret_in_time()));
        read.push((name.clone(), got));
    }
    sheet.add(login(subject, vault, &read));
    sheet.add(reachable(subject, vault, &read));
    for (name, got) in &read {
        let subject = subject.clone().item(&name.to_string());
        let bar = sheet.bar(CheckId::Secret, &subject);
        sheet.add(bar.unwrap_or_else(|| secret(&subject, vault, candidate, name, got)));
    }
    ids(&candidate.settings.source, &read)
}

fn no_secret_in_time() -> SecretError {
    SecretError {
        kind: SecretErrorKind::Unavailable,
        sentence: "neither login nor vault answered before the time was over".to_owned(),
    }
}

pub(super) fn no_token_in_time() -> TokenError {
    TokenError {
        kind: TokenErrorKind::Unavailable,
        aadsts: None,
        sentence: "none came before the time was over".to_owned(),
    }
}

/// The secrets that make up a principal.
fn secrets(source: &PrincipalSource) -> Vec<&SecretName> {
    let ids = match source {
        PrincipalSource::ManagedIdentity => Vec::new(),
        PrincipalSource::Application(application) => {
            vec![&application.tenant_id, &application.client_id]
        }
    };
    let ids = ids.into_iter().filter_map(|id| match id {
        IdSource::Secret(name) => Some(name),
        IdSource::Settings(_) => None,
    });
    ids.chain(source.secret()).collect()
}

/// The ids that the settings or the vault hold. A value that has not the shape of an id may
/// be a secret in the wrong place, so it goes no further.
fn ids(source: &PrincipalSource, read: &[Read]) -> Ids {
    let PrincipalSource::Application(application) = source else {
        return Ids::default();
    };
    let of = |source: &IdSource, is_id: fn(&str) -> bool| {
        let text = match source {
            IdSource::Settings(id) => id.clone(),
            IdSource::Secret(name) => {
                let got = read.iter().find(|(known, _)| known == name)?.1.as_ref();
                got.ok()?.value.expose_secret().trim().to_owned()
            }
        };
        is_id(&text).then_some(text)
    };
    Ids {
        tenant: of(&application.tenant_id, is_tenant_id),
        client: of(&application.client_id, is_client_id),
    }
}

fn identity(subject: &Subject, vault: &Vault<'_>, candidate: &Candidate<'_>, ids: &Ids) -> Finding {
    let id = CheckId::Identity;
    match &candidate.settings.source {
        PrincipalSource::Application(application) => {
            application_of(subject, vault, application, ids)
        }
        PrincipalSource::ManagedIdentity => Finding::ok(
            id,
            subject,
            format!("{}, which has no secret that ends", vault.function_app()),
        ),
    }
}

fn application_of(
    subject: &Subject,
    vault: &Vault<'_>,
    application: &Application,
    ids: &Ids,
) -> Finding {
    let id = CheckId::Identity;
    let wrong = |source: &IdSource, what: &str| {
        let command = match source {
            IdSource::Secret(name) => commands::store_secret(vault.name, name.name()),
            IdSource::Settings(_) => commands::doctor(),
        };
        let sentence = format!("{source} holds no {what}");
        Finding::fail(id, subject, sentence, Remedy::grant(what, command))
    };
    let Some(client) = &ids.client else {
        return wrong(&application.client_id, "client id");
    };
    let Some(tenant) = &ids.tenant else {
        return wrong(&application.tenant_id, "tenant id");
    };
    let host = Shown::name(vault.host);
    let proof = match &application.credential {
        CredentialSource::ClientSecret(name) => format!("the client secret in `{name}` of {host}"),
        CredentialSource::Certificate(name) => format!("the certificate in `{name}` of {host}"),
        CredentialSource::Federated => format!(
            "a token of {}, which has no secret that ends",
            vault.function_app()
        ),
    };
    let sentence = format!("application `{client}` of tenant `{tenant}`, with {proof}");
    Finding::ok(id, subject, sentence)
}

fn token(
    id: CheckId,
    subject: &Subject,
    vault: &Vault<'_>,
    candidate: &Candidate<'_>,
    ids: &Ids,
    got: &Result<(), TokenError>,
) -> Finding {
    let error = match got {
        Ok(()) => return Finding::ok(id, subject, "Entra gives one"),
        Err(error) => error,
    };
    let client_id = ids.client.as_deref();
    let source = &candidate.settings.source;
    let proof = source.secret().map(|name| (source.kind(), name));
    // 7000215 and 7000222: a client secret that is wrong or has expired; 700027: a
    // certificate that the application does not know.
    let remedy = match (error.kind, error.aadsts, proof) {
        (
            TokenErrorKind::Refused,
            Some(7_000_215 | 7_000_222),
            Some((CredentialKind::ClientSecret, name)),
        ) => Remedy::grant(
            format!(
                "a client secret that Entra takes{}",
                commands::and_its_version(name)
            ),
            commands::renew_secret(client_id, vault.name, name, candidate.now),
        ),
        (TokenErrorKind::Refused, Some(700_027), Some((CredentialKind::Certificate, name))) => {
            Remedy::grant(
                format!(
                    "a certificate that the application knows{}",
                    commands::and_its_version(name)
                ),
                commands::renew_certificate(client_id, vault.name, name.name()),
            )
        }
        // Entra's refusals have a number; this one is of App Service, which hands out the
        // identity's tokens.
        (TokenErrorKind::Refused, None, _) if is_of_function_app(source.kind()) => Remedy::grant(
            format!("{}, assigned to it", vault.function_app()),
            commands::login(Reader::FunctionApp, vault.identity),
        ),
        (TokenErrorKind::Refused, _, _) => match source.kind() {
            CredentialKind::Federated => Remedy::look(commands::federated(client_id)),
            CredentialKind::ClientSecret
            | CredentialKind::Certificate
            | CredentialKind::ManagedIdentity => {
                Remedy::look(commands::service_principal(client_id))
            }
        },
        (TokenErrorKind::Secret | TokenErrorKind::Unavailable, _, _) => {
            Remedy::look(commands::doctor())
        }
    };
    Finding::fail(id, subject, error.to_string(), remedy)
}

/// Whether a principal proves who it is by a token from App Service.
fn is_of_function_app(kind: CredentialKind) -> bool {
    match kind {
        CredentialKind::ManagedIdentity | CredentialKind::Federated => true,
        CredentialKind::ClientSecret | CredentialKind::Certificate => false,
    }
}
