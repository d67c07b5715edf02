//! What a PKCS#12 file may ask for, with files that are put together from OpenSSL's.

use der::Encode;

use super::*;

/// OpenSSL's rounds where nobody asks for others.
const ROUNDS: u32 = 2048;

fn fixture(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/certificates/");
    std::fs::read(format!("{folder}{name}")).unwrap_or_else(|why| panic!("{name}: {why}"))
}

/// The parts of a file.
fn safes(file: &str) -> Vec<ContentInfo> {
    let pfx = Pfx::from_der(&fixture(file)).expect("a file");
    let content: OctetString = pfx.safe.content.decode_as().expect("content");
    Vec::from_der(content.as_bytes()).expect("parts")
}

/// Those of a part that is not encrypted.
fn bags(safe: &ContentInfo) -> Vec<SafeBag> {
    let plain: OctetString = safe.content.decode_as().expect("bags");
    Vec::from_der(plain.as_bytes()).expect("bags")
}

fn plain(der: Vec<u8>) -> ContentInfo {
    let content = OctetString::new(der).expect("no more than DER holds");
    ContentInfo {
        kind: DATA,
        content: Any::encode_from(&content).expect("DER"),
    }
}

/// A file without a MAC.
fn file(safes: &Vec<ContentInfo>) -> Vec<u8> {
    let pfx = Pfx {
        version: 3,
        safe: plain(safes.to_der().expect("DER")),
        mac: None,
    };
    pfx.to_der().expect("DER")
}

/// Says of a key that it was hashed so often.
fn restated(bag: &mut SafeBag, rounds: u64) {
    let mut key: EncryptedKey = bag.value.decode_as().expect("a key");
    let of = key.algorithm.parameters.as_ref().expect("parameters");
    let mut of: ciphers::OldParameters = of.decode_as().expect("old parameters");
    of.rounds = rounds;
    key.algorithm.parameters = Some(Any::encode_from(&of).expect("DER"));
    bag.value = Any::encode_from(&key).expect("DER");
}

/// What comes of a file whose shrouded key claims these rounds.
fn of_rounds(rounds: u64) -> Result<Parts, Problem> {
    let safes = safes("throwaway-3des.p12");
    let shrouded = safes.iter().find(|safe| safe.kind == DATA);
    let mut bags = bags(shrouded.expect("a part with the key"));
    restated(&mut bags[0], rounds);
    open(&file(&vec![plain(bags.to_der().expect("DER"))]))
}

#[test]
fn all_parts_of_a_file_share_one_bound_of_rounds() {
    for (name, keys) in [
        // The MAC, the certificates and the key.
        ("throwaway-aes.p12", 3),
        // The old ciphers derive an initial vector too.
        ("throwaway-chain-legacy.p12", 5),
    ] {
        let der = fixture(name);
        let open = |rounds| open_within(&der, &mut Work::of_rounds(rounds));
        assert!(open(keys * ROUNDS).is_ok(), "{name}");
        assert_eq!(
            open(keys * ROUNDS - 1).err(),
            Some(Problem::Rounds),
            "{name}"
        );
    }
}

#[test]
fn a_second_key_is_refused_before_it_is_opened() {
    let shrouded = safes("throwaway-aes.p12")
        .into_iter()
        .find(|safe| safe.kind == DATA)
        .expect("a part with the key");
    let bag = || bags(&shrouded).remove(0);
    let many: Vec<SafeBag> = (0..50).map(|_| bag()).collect();
    let in_one = file(&vec![plain(many.to_der().expect("DER"))]);
    let each: Vec<ContentInfo> = (0..50)
        .map(|_| plain(vec![bag()].to_der().expect("DER")))
        .collect();
    for der in [in_one, file(&each)] {
        let mut work = Work::of_rounds(ROUNDS);
        let refused = open_within(&der, &mut work).err();
        assert_eq!(refused, Some(Problem::SecondKey));
    }
}

#[test]
fn a_file_of_many_parts_is_refused() {
    let of = |count| {
        let empty = Vec::<SafeBag>::new().to_der().expect("DER");
        let safes: Vec<_> = (0..count).map(|_| plain(empty.clone())).collect();
        open(&file(&safes)).err()
    };
    assert_eq!(of(work::MOST_PARTS), None);
    assert_eq!(of(work::MOST_PARTS + 1), Some(Problem::Parts));
    let sentence = Problem::Parts.sentence();
    assert!(sentence.contains("more than 64 parts; store one key"));
}

#[test]
fn too_many_rounds_or_none_are_told_with_their_bound() {
    for rounds in [0, u64::from(work::MOST_ROUNDS), 1 << 32, u64::MAX] {
        let problem = of_rounds(rounds).err();
        assert_eq!(problem, Some(Problem::Rounds), "{rounds}");
    }
    let sentence = Problem::Rounds.sentence();
    assert!(sentence.contains("more than 2000000 of all its parts; write it anew"));
}
