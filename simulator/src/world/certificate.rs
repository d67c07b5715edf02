//! Certificates of app registrations: what Entra holds of them, which is never a private key.
//!
//! It can tell whether a signature was made with the key that belongs to a certificate. It knows neither
//! assertions nor why a certificate may be refused; that is Entra's affair.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use rcgen::{CertificateParams, DnType, KeyPair};
use time::OffsetDateTime;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::encode;

/// A certificate that an app registration holds: the public part.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    public_key: Vec<u8>,
    /// Its first moment, in seconds since the epoch.
    pub not_before_s: i64,
    /// Its last moment, in seconds since the epoch.
    pub not_after_s: i64,
}

/// How an assertion may be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureAlgorithm {
    Ps256,
    Rs256,
}

impl Certificate {
    /// The first certificate of a PEM text; a private key beside it is not looked at.
    ///
    /// # Panics
    /// If there is none: a test that registers a certificate means one that is there.
    pub fn from_pem(pem: &str) -> Self {
        match CertificateDer::from_pem_slice(pem.as_bytes()) {
            Ok(der) => Self::from_der(&der),
            Err(why) => panic!("the text holds no certificate: {why}"),
        }
    }

    fn from_der(der: &[u8]) -> Self {
        let parsed = match X509Certificate::from_der(der) {
            Ok((_, parsed)) => parsed,
            Err(why) => panic!("not a certificate: {why}"),
        };
        Self {
            der: der.to_vec(),
            public_key: parsed.public_key().subject_public_key.data.to_vec(),
            not_before_s: parsed.validity().not_before.timestamp(),
            not_after_s: parsed.validity().not_after.timestamp(),
        }
    }

    /// The SHA-1 thumbprint as portals show it: hexadecimal in capitals.
    pub fn thumbprint(&self) -> String {
        encode::hex_upper(&self.sha1())
    }

    pub(crate) fn sha1(&self) -> Vec<u8> {
        let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &self.der);
        digest.as_ref().to_vec()
    }

    pub(crate) fn sha256(&self) -> Vec<u8> {
        digest::digest(&digest::SHA256, &self.der).as_ref().to_vec()
    }

    /// Whether the key of this certificate made this signature.
    pub(crate) fn verifies(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        let algorithm: &'static dyn VerificationAlgorithm = match algorithm {
            SignatureAlgorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
            SignatureAlgorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        };
        UnparsedPublicKey::new(algorithm, &self.public_key)
            .verify(message, signature)
            .is_ok()
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Certificate({})", self.thumbprint())
    }
}

/// Makes a certificate for a private key in PEM, valid between two moments in seconds since the epoch: key
/// and certificate in one PEM text, as a vault gives them out. For tests of certificates that end soon.
///
/// # Panics
/// If the text holds no private key, or a moment is none.
pub fn certify(key_pem: &str, not_before_s: i64, not_after_s: i64) -> String {
    let moment = |seconds: i64| match OffsetDateTime::from_unix_timestamp(seconds) {
        Ok(moment) => moment,
        Err(why) => panic!("{seconds} is no moment: {why}"),
    };
    let key = match KeyPair::from_pem(key_pem) {
        Ok(key) => key,
        Err(why) => panic!("the text holds no private key: {why}"),
    };
    let mut params = CertificateParams::default();
    params.not_before = moment(not_before_s);
    params.not_after = moment(not_after_s);
    params
        .distinguished_name
        .push(DnType::CommonName, "throwaway-made-by-a-test.invalid");
    match params.self_signed(&key) {
        Ok(certificate) => format!("{}{}", key.serialize_pem(), certificate.pem()),
        Err(why) => panic!("no certificate can be made: {why}"),
    }
}
