//! The ciphers of PKCS#12 files, old and new, for a file without password.
//!
//! What aws-lc has comes from there. RC2 and the key derivation of RFC 7292, appendix
//! B, it does not have: files of older tools and of Windows need both.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey,
};
use aws_lc_rs::digest::{self, Context};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::{hmac, pbkdf2};
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt, KeyInit, KeyIvInit};
use der::asn1::{ObjectIdentifier, OctetString};
use der::{Decode, Encode, Sequence};
use x509_cert::spki::AlgorithmIdentifierOwned;

use super::pkcs12::Problem;
use super::work::Work;

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

const SHA1: ObjectIdentifier = oid("1.3.14.3.2.26");
const SHA256: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.3");

const THREE_KEY_3DES: ObjectIdentifier = oid("1.2.840.113549.1.12.1.3");
const TWO_KEY_3DES: ObjectIdentifier = oid("1.2.840.113549.1.12.1.4");
const RC2_128: ObjectIdentifier = oid("1.2.840.113549.1.12.1.5");
const RC2_40: ObjectIdentifier = oid("1.2.840.113549.1.12.1.6");

const PBES2: ObjectIdentifier = oid("1.2.840.113549.1.5.13");
const PBKDF2: ObjectIdentifier = oid("1.2.840.113549.1.5.12");
const HMAC_SHA1: ObjectIdentifier = oid("1.2.840.113549.2.7");
const HMAC_SHA256: ObjectIdentifier = oid("1.2.840.113549.2.9");
const HMAC_SHA384: ObjectIdentifier = oid("1.2.840.113549.2.10");
const HMAC_SHA512: ObjectIdentifier = oid("1.2.840.113549.2.11");
const DES3_CBC: ObjectIdentifier = oid("1.2.840.113549.3.7");
const AES_128_CBC: ObjectIdentifier = oid("2.16.840.1.101.3.4.1.2");
const AES_192_CBC: ObjectIdentifier = oid("2.16.840.1.101.3.4.1.22");
const AES_256_CBC: ObjectIdentifier = oid("2.16.840.1.101.3.4.1.42");

/// The two forms of no password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoPassword {
    /// The empty text with its two zeros at the end.
    Empty,
    /// None at all.
    Absent,
}

impl NoPassword {
    fn bytes(self) -> &'static [u8] {
        match self {
            Self::Empty => &[0, 0],
            Self::Absent => &[],
        }
    }
}

#[derive(Sequence)]
pub(super) struct OldParameters {
    salt: OctetString,
    pub(super) rounds: u64,
}

#[derive(Sequence)]
struct NewParameters {
    derivation: AlgorithmIdentifierOwned,
    cipher: AlgorithmIdentifierOwned,
}

#[derive(Sequence)]
struct DerivationParameters {
    salt: OctetString,
    rounds: u64,
    key_length: Option<u16>,
    function: Option<AlgorithmIdentifierOwned>,
}

/// Whether `content` has this MAC under a form of no password.
pub(super) fn has_mac(
    algorithm: ObjectIdentifier,
    form: NoPassword,
    salt: &[u8],
    rounds: u64,
    content: &[u8],
    mac: &[u8],
    work: &mut Work,
) -> Result<bool, Problem> {
    let (digest, hmac) = match algorithm {
        SHA1 => (
            &digest::SHA1_FOR_LEGACY_USE_ONLY,
            hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        ),
        SHA256 => (&digest::SHA256, hmac::HMAC_SHA256),
        SHA384 => (&digest::SHA384, hmac::HMAC_SHA384),
        SHA512 => (&digest::SHA512, hmac::HMAC_SHA512),
        other => return Err(Problem::Cipher(other)),
    };
    let rounds = work.take_rounds(rounds, 1)?;
    let derivation = Derivation::new(digest, form, salt, rounds);
    let key = derivation.derive(3, digest.output_len());
    Ok(hmac::verify(&hmac::Key::new(hmac, &key), content, mac).is_ok())
}

/// Takes a cipher off.
pub(super) fn decrypt(
    algorithm: &AlgorithmIdentifierOwned,
    form: NoPassword,
    data: &[u8],
    work: &mut Work,
) -> Result<Vec<u8>, Problem> {
    let mut old = |length: usize| -> Result<(Vec<u8>, Vec<u8>), Problem> {
        let OldParameters { salt, rounds } = parameters(algorithm)?;
        let sha1 = &digest::SHA1_FOR_LEGACY_USE_ONLY;
        let rounds = work.take_rounds(rounds, 2)?;
        let derivation = Derivation::new(sha1, form, salt.as_bytes(), rounds);
        Ok((derivation.derive(1, length), derivation.derive(2, 8)))
    };
    match algorithm.oid {
        THREE_KEY_3DES => {
            let (key, iv) = old(24)?;
            unchain::<des::TdesEde3>(&key, &iv, data)
        }
        TWO_KEY_3DES => {
            let (key, iv) = old(16)?;
            unchain::<des::TdesEde2>(&key, &iv, data)
        }
        RC2_128 => {
            let (key, iv) = old(16)?;
            unchain::<rc2::Rc2>(&key, &iv, data)
        }
        RC2_40 => {
            let (key, iv) = old(5)?;
            unchain::<rc2::Rc2>(&key, &iv, data)
        }
        PBES2 => decrypt_new(&parameters(algorithm)?, data, work),
        other => Err(Problem::Cipher(other)),
    }
}

/// PBES2 hashes the password without any end, so both forms of none are the same.
fn decrypt_new(
    parameters_of: &NewParameters,
    data: &[u8],
    work: &mut Work,
) -> Result<Vec<u8>, Problem> {
    let NewParameters { derivation, cipher } = parameters_of;
    if derivation.oid != PBKDF2 {
        return Err(Problem::Cipher(derivation.oid));
    }
    let length = match cipher.oid {
        AES_128_CBC => 16,
        AES_192_CBC | DES3_CBC => 24,
        AES_256_CBC => 32,
        other => return Err(Problem::Cipher(other)),
    };
    let DerivationParameters {
        salt,
        rounds,
        key_length,
        function,
    } = parameters(derivation)?;
    if key_length.is_some_and(|given| usize::from(given) != length) {
        return Err(Problem::Malformed);
    }
    let function = match function.map_or(HMAC_SHA1, |function| function.oid) {
        HMAC_SHA1 => pbkdf2::PBKDF2_HMAC_SHA1,
        HMAC_SHA256 => pbkdf2::PBKDF2_HMAC_SHA256,
        HMAC_SHA384 => pbkdf2::PBKDF2_HMAC_SHA384,
        HMAC_SHA512 => pbkdf2::PBKDF2_HMAC_SHA512,
        other => return Err(Problem::Cipher(other)),
    };
    let mut key = vec![0; length];
    let rounds = work.take_rounds(rounds, 1)?;
    pbkdf2::derive(function, rounds, salt.as_bytes(), &[], &mut key);
    let iv: OctetString = parameters(cipher)?;
    let iv = iv.as_bytes();
    if cipher.oid == DES3_CBC {
        return unchain::<des::TdesEde3>(&key, iv, data);
    }
    let aes = match length {
        16 => &AES_128,
        24 => &AES_192,
        _ => &AES_256,
    };
    let iv: [u8; 16] = iv.try_into().map_err(|_| Problem::Malformed)?;
    let mut plain = data.to_vec();
    let decrypted = UnboundCipherKey::new(aes, &key)
        .and_then(PaddedBlockDecryptingKey::cbc_pkcs7)
        .and_then(|key| {
            let context = DecryptionContext::Iv128(FixedLength::from(iv));
            key.decrypt(&mut plain, context).map(|plain| plain.to_vec())
        });
    decrypted.map_err(|_| Problem::Password)
}

fn parameters<T>(algorithm: &AlgorithmIdentifierOwned) -> Result<T, Problem>
where
    T: for<'d> Decode<'d, Error = der::Error>,
{
    let given = algorithm.parameters.as_ref().ok_or(Problem::Malformed)?;
    let der = given.to_der().map_err(|_| Problem::Malformed)?;
    T::from_der(&der).map_err(|_| Problem::Malformed)
}

/// Cipher block chaining with the padding of PKCS#7. The wrong key shows in the padding.
fn unchain<C: BlockCipherDecrypt + KeyInit>(
    key: &[u8],
    iv: &[u8],
    data: &[u8],
) -> Result<Vec<u8>, Problem> {
    let cipher = cbc::Decryptor::<C>::new_from_slices(key, iv).map_err(|_| Problem::Malformed)?;
    let plain = cipher.decrypt_padded_vec::<Pkcs7>(data);
    plain.map_err(|_| Problem::Password)
}

/// The key derivation of RFC 7292, appendix B.2; the names are those of its text.
struct Derivation {
    digest: &'static digest::Algorithm,
    /// `I`: salt and password, each repeated to whole blocks.
    input: Vec<u8>,
    rounds: NonZeroU32,
}

impl Derivation {
    fn new(
        digest: &'static digest::Algorithm,
        form: NoPassword,
        salt: &[u8],
        rounds: NonZeroU32,
    ) -> Self {
        let block = digest.block_len();
        let repeated = |text: &[u8]| -> Vec<u8> {
            let length = text.len().div_ceil(block) * block;
            text.iter().copied().cycle().take(length).collect()
        };
        let mut input = repeated(salt);
        input.extend(repeated(form.bytes()));
        Self {
            digest,
            input,
            rounds,
        }
    }

    /// `length` bytes for a use: 1 is a key, 2 an initial vector, 3 the key of a MAC.
    fn derive(&self, r#use: u8, length: usize) -> Vec<u8> {
        let block = self.digest.block_len();
        let mut input = self.input.clone();
        let mut output = Vec::new();
        while output.len() < length {
            let mut context = Context::new(self.digest);
            context.update(&vec![r#use; block]);
            context.update(&input);
            let mut hash = context.finish();
            for _ in 1..self.rounds.get() {
                hash = digest::digest(self.digest, hash.as_ref());
            }
            output.extend_from_slice(hash.as_ref());
            for chunk in input.chunks_mut(block) {
                add(chunk, hash.as_ref());
            }
        }
        output.truncate(length);
        output
    }
}

/// Adds `B + 1` to a block as big-endian numbers, `B` being the hash repeated.
fn add(block: &mut [u8], hash: &[u8]) {
    let repeated: Vec<u8> = hash.iter().copied().cycle().take(block.len()).collect();
    let mut carry = 1;
    for (byte, more) in block.iter_mut().zip(repeated).rev() {
        let sum = u16::from(*byte) + u16::from(more) + carry;
        *byte = sum.to_be_bytes()[1];
        carry = sum >> 8;
    }
}
