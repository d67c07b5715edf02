//! One token request to Entra, and what its failure means.
//!
//! The SDK sends it; its own error loses the number where the message holds an
//! escape, which is what Entra sends, so the number and the text are taken from
//! the answer that the transport recorded, which has taken out of it whatever the
//! request proved itself by, should an answer ever repeat it.

mod advice;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;
use azure_core::http::ClientMethodOptions;
use azure_identity::{
    ClientAssertion, ClientAssertionCredential, ClientAssertionCredentialOptions,
    ClientSecretCredential, ClientSecretCredentialOptions,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::principal::{Credentials, Means};
use super::slot::Issued;
use super::{Application, Token, TokenError, TokenErrorKind};
use crate::certificate::Claims;
use crate::clock::{Clock, SystemClock};
use crate::timestamp::Timestamp;
use crate::transport::sdk::{self, End, SdkFailure, Trace};
use crate::transport::{Network, one_line};

/// How much of Entra's own words is shown.
const SHOWN: usize = 240;

/// Asks for one token. `traced` sees the exchanges of every attempt.
pub(super) async fn request_token(
    network: &Network,
    application: &Application,
    credentials: &Credentials,
    scope: &str,
    traced: impl Fn(&Trace),
) -> Result<Issued, TokenError> {
    let attempt = |trace: Trace| async move { attempt(network, credentials, scope, &trace).await };
    match sdk::attempt_until_final(network, attempt, traced).await {
        Ok(token) => issued(&token),
        Err(failure) => Err(explain(network, application, &failure)),
    }
}

/// A credential per attempt, so that the SDK's cache, which lets every waiter of
/// a failed request send its own, is never shared; and no assertion is sent twice.
async fn attempt(
    network: &Network,
    credentials: &Credentials,
    scope: &str,
    trace: &Trace,
) -> azure_core::Result<AccessToken> {
    let options = TokenRequestOptions {
        method_options: trace.options(),
    };
    let Credentials {
        tenant_id,
        client_id,
        means,
    } = credentials;
    let assertion = match means {
        Means::ClientSecret(secret) => {
            let credential = ClientSecretCredential::new(
                tenant_id,
                client_id.clone(),
                Secret::new(secret.expose_secret().to_owned()),
                Some(ClientSecretCredentialOptions {
                    client_options: sdk::client_options(network),
                }),
            )?;
            return credential.get_token(&[scope], Some(options)).await;
        }
        Means::Certificate(certificate) => {
            let audience = format!(
                "{}/{tenant_id}/oauth2/v2.0/token",
                network.cloud.authority()
            );
            let claims = Claims {
                audience: &audience,
                client_id,
                now: network.clock.now(),
            };
            let signed = certificate.assertion(claims);
            signed.map_err(|why| azure_core::Error::with_message(ErrorKind::Credential, why))?
        }
        Means::Assertion(token) => token.clone(),
    };
    let credential = ClientAssertionCredential::new(
        tenant_id.clone(),
        client_id.clone(),
        Assertion(assertion),
        Some(ClientAssertionCredentialOptions {
            client_options: sdk::client_options(network),
        }),
    )?;
    credential.get_token(&[scope], Some(options)).await
}

/// An assertion that is there already.
struct Assertion(SecretString);

impl fmt::Debug for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Assertion")
    }
}

#[async_trait]
impl ClientAssertion for Assertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        Ok(self.0.expose_secret().to_owned())
    }
}

/// The SDK adds the lifetime to the system's clock; taking the same clock away
/// again gives the lifetime, which then counts on the clock that tests can pause.
pub(super) fn issued(token: &AccessToken) -> Result<Issued, TokenError> {
    let text = token.token.secret();
    // A 200 without `access_token` is a success with an empty token to the SDK.
    if text.is_empty() {
        return Err(unavailable("Entra answered without a token".into()));
    }
    let ends = Timestamp::from_millis(token.expires_on.unix_timestamp().saturating_mul(1000));
    Ok(Issued {
        token: Token::new(text),
        lifetime: ends.since(SystemClock.now()).min(LONGEST),
    })
}

/// Longer lifetimes are taken for this, so that no arithmetic on them overflows.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// The error body of Entra's token endpoint; every field may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ErrorBody {
    error: String,
    error_description: String,
    error_codes: Vec<u32>,
}

fn explain(network: &Network, application: &Application, failure: &SdkFailure) -> TokenError {
    let host = network.cloud.login_host_shown();
    let tried = failure.tries();
    let Some(last) = failure.trace.last() else {
        let text = failure.text.as_deref().unwrap_or("no answer in time");
        return unavailable(format!("no token request reached {host}: {text}"));
    };
    let (status, body) = match last.end {
        End::NoAnswer(why) => {
            return unavailable(format!("{host} gave no token after {tried}: {why}"));
        }
        End::Answer { status, body, .. } => (status, body),
    };
    if (200..300).contains(&status) {
        return unavailable(format!(
            "{host} answered HTTP {status} with something that is no token"
        ));
    }
    let parsed: ErrorBody = serde_json::from_str(&body).unwrap_or_default();
    let aadsts = number(&parsed, &body);
    let is_refusal = matches!(status, 400..=499)
        && !matches!(status, 408 | 429)
        && (aadsts.is_some() || !parsed.error.is_empty());
    let words = words(&parsed);
    if !is_refusal {
        let mut error = unavailable(format!(
            "{host} gave no token after {tried}: HTTP {status}{words}"
        ));
        error.aadsts = aadsts;
        return error;
    }
    TokenError {
        kind: TokenErrorKind::Refused,
        aadsts,
        sentence: advice::refusal(&network.cloud, application, aadsts, status, &words),
    }
}

/// The number from the list of codes, or from the text behind `AADSTS`.
fn number(parsed: &ErrorBody, body: &str) -> Option<u32> {
    let in_text = || {
        body.split("AADSTS").skip(1).find_map(|rest| {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            rest.get(..digits)?.parse().ok()
        })
    };
    parsed.error_codes.first().copied().or_else(in_text)
}

/// Entra's own words without its trace and correlation ids.
fn words(parsed: &ErrorBody) -> String {
    let text = parsed
        .error_description
        .split("Trace ID")
        .next()
        .unwrap_or_default()
        .trim();
    let text = if text.is_empty() {
        parsed.error.as_str()
    } else {
        text
    };
    if text.is_empty() {
        String::new()
    } else {
        format!(": {}", one_line(text, SHOWN))
    }
}

fn unavailable(sentence: String) -> TokenError {
    TokenError {
        kind: TokenErrorKind::Unavailable,
        aadsts: None,
        sentence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number_of(body: &str) -> Option<u32> {
        let parsed = serde_json::from_str(body).unwrap_or_default();
        number(&parsed, body)
    }

    #[test]
    fn finds_the_number_with_and_without_escapes() {
        for body in [
            r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided.\r\nTrace ID: 1","error_codes":[7000215]}"#,
            r#"{"error":"invalid_client","error_description":"AADSTS7000215: \"x\" \u0027y\u0027"}"#,
            "<html>AADSTS7000215: no JSON</html>",
            r#"{"error_codes":"7000215","error_description":"AADSTS: none, AADSTS7000215: cut"#,
        ] {
            assert_eq!(number_of(body), Some(7_000_215), "{body}");
        }
        for body in ["", "AADSTS", "AADSTSx", "AADSTS99999999999999", "{}"] {
            assert_eq!(number_of(body), None, "{body}");
        }
    }

    #[test]
    fn keeps_the_words_and_leaves_the_trace_ids_out() {
        let parsed = ErrorBody {
            error_description: "AADSTS1: Some\r\ntext. Trace ID: 17 Correlation ID: 4".into(),
            ..ErrorBody::default()
        };
        assert_eq!(words(&parsed), ": AADSTS1: Some\\r\\ntext.");
    }
}
