//! Opens a PKCS#12 file that has no password (RFC 7292).
//!
//! *No password* comes in two forms, which give different keys: the empty text, whose
//! two final zeros are hashed, as OpenSSL writes it, and none at all, which Key Vault's
//! own files are said to have (Microsoft's notation-azure-kv opens them so). The MAC
//! tells which; a file without one is tried both ways.

use der::asn1::{ObjectIdentifier, OctetString};
use der::{Any, Decode, Sequence};
use x509_cert::spki::AlgorithmIdentifierOwned;

use super::ciphers::{self, NoPassword};
use super::kinds::{Key, Parts};
use super::work::{self, Work};

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

const DATA: ObjectIdentifier = oid("1.2.840.113549.1.7.1");
const ENCRYPTED_DATA: ObjectIdentifier = oid("1.2.840.113549.1.7.6");
const KEY_BAG: ObjectIdentifier = oid("1.2.840.113549.1.12.10.1.1");
const SHROUDED_KEY_BAG: ObjectIdentifier = oid("1.2.840.113549.1.12.10.1.2");
const CERTIFICATE_BAG: ObjectIdentifier = oid("1.2.840.113549.1.12.10.1.3");
const X509: ObjectIdentifier = oid("1.2.840.113549.1.9.22.1");

/// Why a file could not be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    /// It is no PKCS#12, or not as it should be.
    Malformed,
    /// It has a password, or was changed since it was written.
    Password,
    /// It is encrypted in a way that is not known here.
    Cipher(ObjectIdentifier),
    /// It would have us hash for too long, or not at all.
    Rounds,
    /// It has more parts than a key and its certificates.
    Parts,
    SecondKey,
}

impl Problem {
    /// The rest of a sentence that begins with the secret.
    pub(super) fn sentence(&self) -> String {
        match self {
            Self::Malformed => super::neither(),
            Self::Password => "holds a PKCS#12 file that does not open without a password; import it into Key Vault as a certificate, which takes the password off".into(),
            Self::Cipher(oid) => format!("holds a PKCS#12 file that is encrypted by {oid}, which is not known here; store it with AES, or as PEM"),
            Self::Rounds => format!("holds a PKCS#12 file that asks for no round of hashing, or for more than {} of all its parts; write it anew with the defaults of a current tool, or store PEM", work::MOST_ROUNDS),
            Self::Parts => format!("holds a PKCS#12 file of more than {} parts; store one key with its certificate and those above it", work::MOST_PARTS),
            Self::SecondKey => super::second_key(),
        }
    }
}

#[derive(Sequence)]
struct Pfx {
    version: u8,
    safe: ContentInfo,
    mac: Option<MacData>,
}

#[derive(Sequence)]
struct ContentInfo {
    kind: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    content: Any,
}

#[derive(Sequence)]
struct MacData {
    mac: DigestInfo,
    salt: OctetString,
    #[asn1(default = "once")]
    iterations: u64,
}

fn once() -> u64 {
    1
}

#[derive(Sequence)]
struct DigestInfo {
    algorithm: AlgorithmIdentifierOwned,
    digest: OctetString,
}

#[derive(Sequence)]
struct EncryptedData {
    version: u8,
    info: EncryptedContentInfo,
}

#[derive(Sequence)]
struct EncryptedContentInfo {
    kind: ObjectIdentifier,
    algorithm: AlgorithmIdentifierOwned,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    content: Option<OctetString>,
}

#[derive(Sequence)]
struct SafeBag {
    kind: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    value: Any,
    attributes: Option<Any>,
}

#[derive(Sequence)]
struct CertificateBag {
    kind: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    certificate: OctetString,
}

#[derive(Sequence)]
struct EncryptedKey {
    algorithm: AlgorithmIdentifierOwned,
    key: OctetString,
}

fn malformed(_: der::Error) -> Problem {
    Problem::Malformed
}

/// The keys and certificates of a file.
pub(super) fn open(der: &[u8]) -> Result<Parts, Problem> {
    open_within(der, &mut Work::of_a_file())
}

fn open_within(der: &[u8], work: &mut Work) -> Result<Parts, Problem> {
    let pfx = Pfx::from_der(der).map_err(malformed)?;
    if pfx.version != 3 || pfx.safe.kind != DATA {
        return Err(Problem::Malformed);
    }
    let content: OctetString = pfx.safe.content.decode_as().map_err(malformed)?;
    let content = content.as_bytes();
    match &pfx.mac {
        Some(mac) => {
            let form = verified(mac, content, work)?;
            contents(content, form, work)
        }
        None => match contents(content, NoPassword::Empty, work) {
            Err(Problem::Password) => contents(content, NoPassword::Absent, work),
            read => read,
        },
    }
}

/// The form of no password under which the MAC is right.
fn verified(mac: &MacData, content: &[u8], work: &mut Work) -> Result<NoPassword, Problem> {
    let MacData {
        mac: DigestInfo { algorithm, digest },
        salt,
        iterations,
    } = mac;
    for form in [NoPassword::Empty, NoPassword::Absent] {
        let salt = salt.as_bytes();
        let is_right = ciphers::has_mac(
            algorithm.oid,
            form,
            salt,
            *iterations,
            content,
            digest.as_bytes(),
            work,
        )?;
        if is_right {
            return Ok(form);
        }
    }
    Err(Problem::Password)
}

fn contents(
    authenticated_safe: &[u8],
    password: NoPassword,
    work: &mut Work,
) -> Result<Parts, Problem> {
    let mut parts = Parts::default();
    let safes = Vec::<ContentInfo>::from_der(authenticated_safe).map_err(malformed)?;
    for safe in safes {
        work.take_part()?;
        let bags = match safe.kind {
            DATA => {
                let plain: OctetString = safe.content.decode_as().map_err(malformed)?;
                plain.into_bytes().into_vec()
            }
            ENCRYPTED_DATA => {
                let data: EncryptedData = safe.content.decode_as().map_err(malformed)?;
                let content = data.info.content.ok_or(Problem::Malformed)?;
                ciphers::decrypt(&data.info.algorithm, password, content.as_bytes(), work)?
            }
            // Encrypted for the owner of another key, which has no password either way.
            other => return Err(Problem::Cipher(other)),
        };
        for bag in Vec::<SafeBag>::from_der(&bags).map_err(|_| Problem::Password)? {
            work.take_part()?;
            parts.add(&bag, password, work)?;
        }
    }
    Ok(parts)
}

impl Parts {
    /// What is neither a key nor a certificate is nothing that we need.
    fn add(&mut self, bag: &SafeBag, password: NoPassword, work: &mut Work) -> Result<(), Problem> {
        match bag.kind {
            // Before it is opened, because that is the work.
            KEY_BAG | SHROUDED_KEY_BAG if self.key.is_some() => return Err(Problem::SecondKey),
            KEY_BAG => {
                let der = der::Encode::to_der(&bag.value).map_err(malformed)?;
                self.key = Some(Key::pkcs8(&der));
            }
            SHROUDED_KEY_BAG => {
                let shrouded: EncryptedKey = bag.value.decode_as().map_err(malformed)?;
                let key = shrouded.key.as_bytes();
                let der = ciphers::decrypt(&shrouded.algorithm, password, key, work)?;
                self.key = Some(Key::pkcs8(&der));
            }
            CERTIFICATE_BAG => {
                let bag: CertificateBag = bag.value.decode_as().map_err(malformed)?;
                if bag.kind == X509 {
                    self.certificates
                        .push(bag.certificate.into_bytes().into_vec());
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
