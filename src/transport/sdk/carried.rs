//! What a request carried that nobody may be told, taken out of its answer.
//!
//! Entra, the vault and the identity's endpoint repeat nothing of the kind, but
//! what stands between us and them may: a proxy's page shows the request that it
//! refused. Here the request is at hand, so whatever it proves itself by is known
//! without knowing the credential.

use http::HeaderName;
use http::header::AUTHORIZATION;

use crate::transport::Outgoing;

const IDENTITY_HEADER: HeaderName = HeaderName::from_static("x-identity-header");

/// The members of a token request's form by which a principal proves itself.
const PROOFS: [&str; 2] = ["client_secret", "client_assertion"];

/// A part of a token up to this length proves nothing and could be a word.
const SHORT_PART: usize = 8;

const TAKEN_OUT: &str = "[secret]";

/// The secrets of one request, in the spellings in which they were sent.
pub(super) struct Carried(Vec<String>);

impl Carried {
    pub(super) fn by(request: &Outgoing) -> Self {
        let mut secrets = Vec::new();
        for name in [AUTHORIZATION, IDENTITY_HEADER] {
            let value = request.headers.get(name);
            if let Some(text) = value.and_then(|value| value.to_str().ok()) {
                secrets.push(text.strip_prefix("Bearer ").unwrap_or(text).to_owned());
            }
        }
        for pair in request.body.split(|byte| *byte == b'&') {
            for (name, value) in url::form_urlencoded::parse(pair) {
                if PROOFS.contains(&name.as_ref()) {
                    let as_sent = pair.get(name.len().saturating_add(1)..).unwrap_or_default();
                    secrets.push(String::from_utf8_lossy(as_sent).into_owned());
                    secrets.push(value.into_owned());
                }
            }
        }
        // A signature is worth something alone, and a page may break the line at a dot.
        let tokens = secrets
            .iter()
            .filter(|secret| secret.matches('.').count() == 2);
        let parts: Vec<String> = tokens
            .flat_map(|token| token.split('.'))
            .filter(|part| part.len() > SHORT_PART)
            .map(str::to_owned)
            .collect();
        secrets.extend(parts);
        secrets.retain(|secret| !secret.is_empty());
        Self(secrets)
    }

    pub(super) fn taken_out_of(&self, text: &str) -> String {
        let start = text.to_owned();
        let secrets = self.0.iter();
        secrets.fold(start, |text, secret| text.replace(secret, TAKEN_OUT))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderValue;

    use super::*;
    use crate::transport::testing::outgoing;

    fn login(body: &'static str) -> Outgoing {
        let mut request = outgoing("https://login.microsoftonline.com/", 0);
        request.body = Bytes::from_static(body.as_bytes());
        request
    }

    #[test]
    fn what_a_request_proves_itself_by_is_taken_out_in_each_spelling() {
        let mut request =
            login("client_id=plain&client_secret=planted%7Ea%2Bb&client_assertion=planted.c");
        for (name, value) in [
            (IDENTITY_HEADER, "planted-header"),
            (AUTHORIZATION, "Bearer planted-token"),
        ] {
            let value = HeaderValue::from_static(value);
            request.headers.insert(name, value);
        }
        let carried = Carried::by(&request);
        let echo =
            "plain planted-header Bearer planted-token planted%7Ea%2Bb planted~a+b planted.c";
        assert_eq!(
            carried.taken_out_of(echo),
            "plain [secret] Bearer [secret] [secret] [secret] [secret]"
        );
        let signed = login("client_assertion=a.planted-claims.planted-sign");
        assert_eq!(
            Carried::by(&signed).taken_out_of("a.planted-claims.planted-sign, planted-sign, a"),
            "[secret], [secret], a"
        );
        let bare = login("");
        assert_eq!(
            Carried::by(&bare).taken_out_of("client_secret="),
            "client_secret="
        );
    }
}
