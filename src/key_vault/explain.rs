//! Why a secret could not be read, in one sentence that says what to do.
//!
//! Judged from the exchange that ended the attempt: the vault's, or that of our
//! login with which the vault is read. The SDK's own text is used only where no
//! good answer was involved, because after one it may quote the secret.

use serde::Deserialize;

use super::{SecretError, SecretErrorKind, SecretName};
use crate::cloud::Cloud;
use crate::transport::sdk::{End, SdkFailure};
use crate::transport::{TransportError, TransportErrorKind, one_line};

/// How much of the other side's own words is shown.
const SHOWN: usize = 240;

/// Key Vault's error body: `{"error":{"code","message","innererror":{"code"}}}`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    error: Detail,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Detail {
    code: String,
    message: String,
    innererror: Option<Inner>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Inner {
    code: String,
}

pub(super) fn no_login(why: &azure_core::Error) -> SecretError {
    let why = one_line(&why.to_string(), SHOWN);
    SecretError {
        kind: SecretErrorKind::Login,
        sentence: format!("the login for Key Vault can't be used here: {why}"),
    }
}

pub(super) fn empty(vault: &str, name: &SecretName) -> SecretError {
    SecretError {
        kind: SecretErrorKind::Empty,
        sentence: format!("secret `{name}` in {vault} is empty; store its value there"),
    }
}

pub(super) fn explain(
    cloud: &Cloud,
    vault: &str,
    name: &SecretName,
    failure: &SdkFailure,
) -> SecretError {
    let what = format!("secret `{name}` in {vault} could not be read");
    let (kind, why) = match failure.trace.last() {
        None => without_exchange(failure),
        Some(last) => {
            let is_vault = last.host == vault;
            match last.end {
                End::NoAnswer(why) if is_vault => (
                    SecretErrorKind::Unavailable,
                    format!("{} ({})", unreachable(&why), failure.tries()),
                ),
                End::NoAnswer(why) => (
                    SecretErrorKind::Login,
                    format!("the login at {} got no answer: {why}", last.host),
                ),
                // The vault answered last and the time ran out in the login.
                End::Answer { .. } if failure.text.is_none() => (
                    SecretErrorKind::Unavailable,
                    format!("the time for it ran out ({})", failure.tries()),
                ),
                End::Answer { status, body, .. } if is_vault => {
                    answered(cloud, vault, status, &body, name, failure)
                }
                End::Answer { status, body, .. } => login_answered(&last.host, status, &body),
            }
        }
    };
    SecretError {
        kind,
        sentence: format!("{what}: {why}"),
    }
}

fn without_exchange(failure: &SdkFailure) -> (SecretErrorKind, String) {
    match &failure.text {
        Some(text) => (
            SecretErrorKind::Login,
            format!(
                "the login for Key Vault failed: {}",
                one_line(text, SHOWN * 2)
            ),
        ),
        None => (
            SecretErrorKind::Unavailable,
            format!("no answer in time ({})", failure.tries()),
        ),
    }
}

fn unreachable(why: &TransportError) -> String {
    let advice = match why.kind {
        TransportErrorKind::Dns => {
            "the vault does not exist, or its name resolves only in a private network"
        }
        TransportErrorKind::Refused
        | TransportErrorKind::Connect
        | TransportErrorKind::Tls
        | TransportErrorKind::Timeout
        | TransportErrorKind::Reset
        | TransportErrorKind::BodyTooLarge
        | TransportErrorKind::Other => "the vault was not reached",
    };
    format!("{advice}: {why}")
}

fn answered(
    cloud: &Cloud,
    vault: &str,
    status: u16,
    body: &str,
    name: &SecretName,
    failure: &SdkFailure,
) -> (SecretErrorKind, String) {
    let detail = serde_json::from_str::<Body>(body).unwrap_or_default().error;
    let inner = detail.innererror.unwrap_or_default().code;
    let code = if inner.is_empty() {
        &detail.code
    } else {
        &inner
    };
    let shown = shown(status, code);
    match status {
        200..=299 => (
            SecretErrorKind::Unexpected,
            format!("the vault answered {shown} with something that is no secret"),
        ),
        404 if name.version().is_some() => (
            SecretErrorKind::NotFound,
            format!("there is no such secret or version ({shown}); check both"),
        ),
        404 => (
            SecretErrorKind::NotFound,
            format!("there is no such secret ({shown}); check its name and the vault"),
        ),
        403 => forbidden(code, &detail.message, &shown),
        401 => (
            SecretErrorKind::Login,
            unauthorized(cloud, vault, &detail.message, &shown, failure),
        ),
        408 | 429 | 500..=599 => (
            SecretErrorKind::Unavailable,
            format!("the vault answered {shown} ({})", failure.tries()),
        ),
        _ => (
            SecretErrorKind::Unexpected,
            format!("the vault answered {shown}{}", words(&detail.message)),
        ),
    }
}

/// A conversation opens with the vault's challenge. If nothing came after it,
/// there was nothing to answer it with, and the SDK knows why.
fn unauthorized(
    cloud: &Cloud,
    vault: &str,
    message: &str,
    shown: &str,
    failure: &SdkFailure,
) -> String {
    match &failure.text {
        Some(text) if failure.trace.answered_by(vault) < 2 => format!(
            "the vault's challenge could not be answered: {}{}",
            one_line(&text.replace('\n', " "), SHOWN * 2),
            login_fix(cloud, text)
        ),
        Some(_) | None => format!(
            "the vault did not accept our login ({shown}){}",
            words(message)
        ),
    }
}

/// What to do where the Azure CLI was asked for the token and had none. It asks the
/// cloud that was chosen in it, whatever ours is.
fn login_fix(cloud: &Cloud, text: &str) -> String {
    if !text.contains("AzureCliCredential") {
        return String::new();
    }
    let choose = match cloud.azure_cli_name() {
        Some("AzureCloud") => String::new(),
        Some(name) => format!("`az cloud set --name {name}` and "),
        None => "`az cloud set` for this cloud and ".to_owned(),
    };
    format!(
        "; install the Azure CLI and run {choose}`az login`, or run where a managed identity is set up"
    )
}

fn forbidden(code: &str, message: &str, shown: &str) -> (SecretErrorKind, String) {
    let says = |part: &str| code.contains(part) || message.contains(part);
    if says("Disabled") || message.contains("disabled secret") {
        return (
            SecretErrorKind::Disabled,
            format!("the secret is disabled ({shown}); enable it or name another version"),
        );
    }
    if says("NotYetValid") || says("Expired") {
        return (
            SecretErrorKind::Disabled,
            format!("the secret is outside its period of validity ({shown}); store a new version"),
        );
    }
    if says("Firewall") || says("ForbiddenByConnection") || says("Public network access") {
        return (
            SecretErrorKind::Firewall,
            format!("the vault's firewall refuses us ({shown}); allow this app's network there"),
        );
    }
    (
        SecretErrorKind::Forbidden,
        format!(
            "reading it is forbidden ({shown}); grant our identity the role `Key Vault Secrets User` on the vault, or `get` in its access policies"
        ),
    )
}

fn login_answered(host: &str, status: u16, body: &str) -> (SecretErrorKind, String) {
    let why = match status {
        200..=299 => format!("{host} answered our login with something that is no token"),
        // App Service's local endpoint answers so while no identity is assigned.
        400 => format!(
            "no managed identity is assigned (HTTP 400 from {host}); switch on the Function App's system-assigned identity, or assign to it the user-assigned one that the settings name"
        ),
        _ => format!(
            "our login failed with HTTP {status} from {host}{}",
            words(body)
        ),
    };
    (SecretErrorKind::Login, why)
}

fn shown(status: u16, code: &str) -> String {
    if code.is_empty() {
        format!("HTTP {status}")
    } else {
        format!("HTTP {status} {}", one_line(code, 60))
    }
}

fn words(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(": {}", one_line(message, SHOWN))
    }
}
