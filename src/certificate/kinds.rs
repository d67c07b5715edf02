//! What a container holds: private keys by their kind, and certificates.

use aws_lc_rs::signature::RsaKeyPair;
use der::asn1::ObjectIdentifier;
use der::{Decode, Reader, SliceReader};
use secrecy::{ExposeSecret, SecretSlice};
use x509_cert::spki::AlgorithmIdentifierOwned;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ELLIPTIC_CURVE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// The key and the certificates of a container, in its order.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) key: Option<Key>,
    /// DER.
    pub(super) certificates: Vec<Vec<u8>>,
}

impl Parts {
    /// Takes the one key that there may be.
    pub(super) fn add_key(&mut self, key: Key) -> Result<(), String> {
        if self.key.is_some() {
            return Err(super::second_key());
        }
        self.key = Some(key);
        Ok(())
    }
}

/// A private key.
pub(super) enum Key {
    /// RSA in PKCS#8.
    Pkcs8(SecretSlice<u8>),
    /// RSA alone.
    Pkcs1(SecretSlice<u8>),
    EllipticCurve,
    Other,
}

impl Key {
    pub(super) fn pkcs8(der: &[u8]) -> Self {
        match algorithm(der) {
            Some(RSA) => Self::Pkcs8(SecretSlice::from(der.to_vec())),
            Some(ELLIPTIC_CURVE) => Self::EllipticCurve,
            Some(_) | None => Self::Other,
        }
    }

    pub(super) fn pkcs1(der: &[u8]) -> Self {
        Self::Pkcs1(SecretSlice::from(der.to_vec()))
    }

    /// The key, if it is one that Entra takes.
    pub(super) fn rsa(&self) -> Result<RsaKeyPair, String> {
        let parsed = match self {
            Self::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.expose_secret()),
            Self::Pkcs1(der) => RsaKeyPair::from_der(der.expose_secret()),
            Self::EllipticCurve => {
                return Err(
                    "holds a key of an elliptic curve, which Entra does not take; create the certificate with an RSA key"
                        .into(),
                );
            }
            Self::Other => {
                return Err(
                    "holds a private key that is no RSA key; create the certificate with an RSA key"
                        .into(),
                );
            }
        };
        parsed.map_err(|_| {
            "holds an RSA key that cannot be used; create the certificate with one of 2048 to 8192 bits"
                .into()
        })
    }
}

/// The algorithm of a PKCS#8 key: the second part of its sequence.
fn algorithm(der: &[u8]) -> Option<ObjectIdentifier> {
    let mut reader = SliceReader::new(der).ok()?;
    let parsed: Result<_, der::Error> = reader.sequence(|inner| {
        let _version = u8::decode(inner)?;
        let algorithm = AlgorithmIdentifierOwned::decode(inner)?;
        let _key = inner.read_slice(inner.remaining_len())?;
        Ok(algorithm.oid)
    });
    parsed.ok()
}
