//! The client assertion: a JSON web token that proves to Entra that we hold the key.
//!
//! PS256 and the thumbprint over SHA-256, as Entra's documentation of certificate
//! credentials asks for; it is good for ten minutes and for one token endpoint.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::RSA_PSS_SHA256;
use azure_core::Uuid;
use azure_core::base64;
use secrecy::SecretString;
use serde_json::json;

use super::Certificate;
use crate::timestamp::Timestamp;

/// How long an assertion is good.
const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// What an assertion says.
#[derive(Clone, Copy)]
pub struct Claims<'a> {
    /// The token endpoint that is asked.
    pub audience: &'a str,
    /// Who asks, and for whom.
    pub client_id: &'a str,
    pub now: Timestamp,
}

impl fmt::Debug for Claims<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Claims")
    }
}

impl Certificate {
    /// Signs an assertion of its own; none is ever used twice.
    ///
    /// # Errors
    ///
    /// As [`Certificate::read`]; no readable key is known to fail here.
    pub fn assertion(&self, claims: Claims<'_>) -> Result<SecretString, String> {
        let seconds = |at: Timestamp| at.as_millis().div_euclid(1000);
        let header = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": self.public.thumbprint});
        let body = json!({
            "aud": claims.audience,
            "iss": claims.client_id,
            "sub": claims.client_id,
            "jti": Uuid::new_v4().to_string(),
            "nbf": seconds(claims.now),
            "iat": seconds(claims.now),
            "exp": seconds(claims.now.plus(LIFETIME)),
        });
        let encode = |value: &serde_json::Value| base64::encode_url_safe(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&body));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(
                &RSA_PSS_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .map_err(|_| "holds a key that signs nothing; create the certificate anew")?;
        let signature = base64::encode_url_safe(signature);
        Ok(SecretString::from(format!("{signed}.{signature}")))
    }
}
