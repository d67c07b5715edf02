//! A service principal's certificate with its key, read from a secret's value, and
//! what Entra asks to be signed with it.
//!
//! Key Vault gives a certificate out as a secret: PEM, or PKCS#12 without password in
//! Base64. Which of the two is seen from the value itself, because a secret that was
//! stored by hand may bear any content type. Pure but for the randomness of a
//! signature; keys have no `Debug` that shows them, and no sentence repeats content.

mod assertion;
mod ciphers;
mod kinds;
mod pkcs12;
mod work;

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{KeyPair, RsaKeyPair};
use azure_core::base64;
use der::Decode;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::timestamp::Timestamp;
use kinds::{Key, Parts};

pub use assertion::Claims;

/// Entra takes no RSA key shorter than this.
const LEAST_BYTES: usize = 2048 / 8;

/// A certificate whose private key is at hand.
pub struct Certificate {
    key: RsaKeyPair,
    /// SHA-256 over the certificate, as a header names it (`x5t#S256`).
    thumbprint: String,
    valid_from: Timestamp,
    valid_until: Timestamp,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate")
    }
}

impl Certificate {
    /// Reads a secret's value.
    ///
    /// # Errors
    ///
    /// What is wrong and what to do, as the rest of a sentence that begins with the
    /// secret.
    pub fn read(value: &str) -> Result<Self, String> {
        let parts = if value.contains("-----BEGIN ") {
            from_pem(value)?
        } else {
            let text: String = value.split_whitespace().collect();
            let bytes = base64::decode(&text).map_err(|_| neither())?;
            pkcs12::open(&bytes).map_err(|problem| problem.sentence())?
        };
        Self::of(parts)
    }

    fn of(parts: Parts) -> Result<Self, String> {
        let Parts { key, certificates } = parts;
        let key = match key {
            None if certificates.is_empty() => return Err(neither()),
            None => {
                return Err(
                    "holds a certificate without its private key; create the certificate in Key Vault with an exportable key"
                        .into(),
                );
            }
            Some(key) => key,
        };
        if certificates.is_empty() {
            return Err(
                "holds a private key without its certificate; store both in one secret".into(),
            );
        }
        let key = key.rsa()?;
        if key.public_modulus_len() < LEAST_BYTES {
            return Err(
                "holds an RSA key of less than 2048 bits, which Entra does not take; create the certificate with a longer one"
                    .into(),
            );
        }
        for der in &certificates {
            let certificate = x509_cert::Certificate::from_der(der).map_err(|_| {
                "holds a certificate that cannot be read; store the certificate anew".to_owned()
            })?;
            let certificate = certificate.tbs_certificate();
            let public = certificate.subject_public_key_info();
            if public.subject_public_key.raw_bytes() != key.public_key().as_ref() {
                continue;
            }
            let validity = certificate.validity();
            return Ok(Self {
                thumbprint: base64::encode_url_safe(digest(&SHA256, der)),
                valid_from: timestamp(validity.not_before),
                valid_until: timestamp(validity.not_after),
                key,
            });
        }
        Err("holds a private key that belongs to none of the certificates beside it; store the key with its own certificate".into())
    }

    /// When it ends.
    #[must_use]
    pub fn valid_until(&self) -> Timestamp {
        self.valid_until
    }

    /// Refuses it outside its time: Entra would, and says less about it.
    ///
    /// # Errors
    ///
    /// As [`Certificate::read`].
    pub fn check(&self, now: Timestamp) -> Result<(), String> {
        if now > self.valid_until {
            return Err(format!(
                "holds a certificate that expired at {}; store a new one and register it with the application",
                self.valid_until
            ));
        }
        if now < self.valid_from {
            return Err(format!(
                "holds a certificate that is valid only from {}; store one that is valid now, or correct this machine's clock",
                self.valid_from
            ));
        }
        Ok(())
    }

    /// Whether both are the same certificate.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.thumbprint == other.thumbprint
    }
}

fn neither() -> String {
    "holds no certificate; name the secret of a certificate in Key Vault, which is PEM or PKCS#12 with its private key".to_owned()
}

fn second_key() -> String {
    "holds more than one private key; store one key with its certificate".to_owned()
}

fn timestamp(time: x509_cert::time::Time) -> Timestamp {
    let millis = time.to_unix_duration().as_millis();
    Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

/// Key and certificates of a PEM text, in any order.
fn from_pem(text: &str) -> Result<Parts, String> {
    if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") || text.contains("Proc-Type: 4,ENC") {
        return Err("holds a private key behind a password; store it without one".into());
    }
    let broken = |_| "holds PEM that cannot be read; store the certificate anew".to_owned();
    let mut parts = Parts::default();
    for key in PrivateKeyDer::pem_slice_iter(text.as_bytes()) {
        if parts.key.is_some() {
            return Err(second_key());
        }
        parts.key = Some(match key.map_err(broken)? {
            PrivateKeyDer::Pkcs8(key) => Key::pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => Key::pkcs1(key.secret_pkcs1_der()),
            // SEC 1 is for elliptic curves only; nothing else is known to PEM.
            PrivateKeyDer::Sec1(_) | _ => Key::EllipticCurve,
        });
    }
    for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
        parts
            .certificates
            .push(certificate.map_err(broken)?.to_vec());
    }
    Ok(parts)
}

#[cfg(test)]
mod tests;
