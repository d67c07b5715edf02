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
use rustls_pki_types::pem::{self, PemObject, SectionKind};

use crate::timestamp::Timestamp;
use kinds::{Key, Parts};

pub use assertion::Claims;

/// Entra takes no RSA key shorter than this.
const LEAST_BYTES: usize = 2048 / 8;

/// A certificate whose private key is at hand.
pub struct Certificate {
    key: RsaKeyPair,
    public: PublicPart,
}

/// What is needed of the certificate itself.
struct PublicPart {
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
    /// Reads a secret's value. `now` chooses among several certificates of the key.
    ///
    /// # Errors
    ///
    /// What is wrong and what to do, as the rest of a sentence that begins with the
    /// secret.
    pub fn read(value: &str, now: Timestamp) -> Result<Self, String> {
        let parts = if value.contains("-----BEGIN ") {
            from_pem(value)?
        } else {
            let text: String = value.split_whitespace().collect();
            let bytes = base64::decode(&text).map_err(|_| neither())?;
            pkcs12::open(&bytes).map_err(|problem| problem.sentence())?
        };
        Self::of(parts, now)
    }

    fn of(parts: Parts, now: Timestamp) -> Result<Self, String> {
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
        let public = PublicPart::of(&key, &certificates, now)?;
        Ok(Self { key, public })
    }

    /// When it ends.
    #[must_use]
    pub fn valid_until(&self) -> Timestamp {
        self.public.valid_until
    }

    /// Refuses it outside its time: Entra would, and says less about it.
    ///
    /// # Errors
    ///
    /// As [`Certificate::read`].
    pub fn check(&self, now: Timestamp) -> Result<(), String> {
        let (from, until) = (self.public.valid_from, self.public.valid_until);
        if now > until {
            return Err(format!(
                "holds a certificate that expired at {until}; store a new one and register it with the application"
            ));
        }
        if now < from {
            return Err(format!(
                "holds a certificate that is valid only from {from}; store one that is valid now, or correct this machine's clock"
            ));
        }
        Ok(())
    }

    /// Whether both are the same certificate.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.public.thumbprint == other.public.thumbprint
    }
}

impl PublicPart {
    /// The best of those that belong to the key: one that is valid now, then the one
    /// that ends last, because a renewal under the same key may leave the old one there.
    /// One that cannot be read spoils no other.
    fn of(key: &RsaKeyPair, certificates: &[Vec<u8>], now: Timestamp) -> Result<Self, String> {
        let mut has_unreadable = false;
        let mut found = Vec::new();
        for der in certificates {
            let Ok(certificate) = x509_cert::Certificate::from_der(der) else {
                has_unreadable = true;
                continue;
            };
            let certificate = certificate.tbs_certificate();
            let public = certificate.subject_public_key_info();
            if public.subject_public_key.raw_bytes() == key.public_key().as_ref() {
                let validity = certificate.validity();
                found.push(Self {
                    thumbprint: base64::encode_url_safe(digest(&SHA256, der)),
                    valid_from: timestamp(validity.not_before),
                    valid_until: timestamp(validity.not_after),
                });
            }
        }
        let is_valid = |one: &Self| (one.valid_from..=one.valid_until).contains(&now);
        let best = found
            .into_iter()
            .max_by_key(|one| (is_valid(one), one.valid_until));
        best.ok_or_else(|| {
            if has_unreadable {
                "holds a certificate that cannot be read; store the certificate anew".into()
            } else {
                "holds a private key that belongs to none of the certificates beside it; store the key with its own certificate".into()
            }
        })
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
    let mut parts = Parts::default();
    for section in sections(text) {
        match <(SectionKind, Vec<u8>)>::from_pem_slice(section.as_bytes()) {
            Ok((SectionKind::Certificate, der)) => parts.certificates.push(der),
            Ok((SectionKind::PrivateKey, der)) => parts.add_key(Key::pkcs8(&der))?,
            Ok((SectionKind::RsaPrivateKey, der)) => parts.add_key(Key::pkcs1(&der))?,
            // SEC 1 is for elliptic curves only.
            Ok((SectionKind::EcPrivateKey, _)) => parts.add_key(Key::EllipticCurve)?,
            Ok(_) | Err(pem::Error::NoItemsFound) => {}
            Err(_) if section.starts_with("-----BEGIN CERTIFICATE-----") => {
                parts.certificates.push(UNREADABLE);
            }
            Err(_) => {
                return Err("holds PEM that cannot be read; store the certificate anew".into());
            }
        }
    }
    Ok(parts)
}

/// A certificate of which nothing can be read.
const UNREADABLE: Vec<u8> = Vec::new();

/// The sections of a PEM text, each by itself, so that a broken one ends at the next.
fn sections(text: &str) -> impl Iterator<Item = &str> {
    let begins = |at: usize| at == 0 || text[..at].ends_with(['\n', '\r']);
    let starts = text.match_indices("-----BEGIN ").map(|(at, _)| at);
    let starts: Vec<usize> = starts.filter(|at| begins(*at)).collect();
    let ends = starts.iter().copied().skip(1).chain([text.len()]);
    let sections: Vec<&str> = starts
        .iter()
        .zip(ends)
        .map(|(from, to)| &text[*from..to])
        .collect();
    sections.into_iter()
}

#[cfg(test)]
mod tests;
