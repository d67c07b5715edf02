//! What must never be told: the secrets of a pretend cloud, in every spelling in
//! which one could slip out.
//!
//! The cloud names its secrets itself (`World::secrets`): client secrets, the
//! identity's header, every token that it gave out. A kind of credential that it
//! learns to check later, such as the key behind a certificate, belongs there
//! too, and is looked for in every story from then on.

use simulator::world::World;

/// Shorter parts of a secret occur by chance.
const LEAST: usize = 12;

/// The spellings to look for, each with its name.
pub(crate) struct Planted(Vec<(&'static str, String)>);

impl Planted {
    pub(crate) fn of(world: &World) -> Self {
        let secrets = world.secrets();
        // A client secret and the identity's header at least.
        assert!(secrets.len() >= 2, "nothing is planted");
        let essences = secrets.iter().flat_map(|secret| essences(secret));
        Self(essences.flat_map(spellings).collect())
    }

    /// The spelling in which `text` tells a secret, with the line.
    pub(crate) fn find_in<'t>(&self, text: &'t str) -> Option<(&'static str, &'t str)> {
        text.lines().find_map(|line| {
            let mut all = self.0.iter();
            let (name, _) = all.find(|(_, spelling)| line.contains(spelling))?;
            Some((*name, line))
        })
    }
}

/// The parts that alone would be of use: of a token its signature, of a key in
/// PEM each line.
fn essences(secret: &str) -> Vec<&str> {
    let lines = secret.lines().filter(|line| !line.starts_with("-----"));
    let essences = lines.map(|line| line.rsplit('.').next().unwrap_or_default());
    essences.filter(|essence| essence.len() >= LEAST).collect()
}

fn spellings(essence: &str) -> Vec<(&'static str, String)> {
    let percent = |upper: bool| {
        let encoded = essence.bytes().map(|byte| {
            if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
                char::from(byte).to_string()
            } else if upper {
                format!("%{byte:02X}")
            } else {
                format!("%{byte:02x}")
            }
        });
        encoded.collect::<String>()
    };
    let bytes: Vec<String> = essence.bytes().map(|byte| byte.to_string()).collect();
    let mut all = vec![
        ("as it is", essence.to_owned()),
        ("percent-encoded", percent(true)),
        ("percent-encoded in lower case", percent(false)),
        ("as a list of bytes", bytes.join(", ")),
        (
            "in hex",
            essence.bytes().map(|byte| format!("{byte:02x}")).collect(),
        ),
    ];
    for shift in 0..3 {
        all.push(("in base64", base64(essence, shift, b"+/")));
        all.push(("in URL-safe base64", base64(essence, shift, b"-_")));
    }
    all
}

/// What base64 makes of `text` behind so many other bytes, without the digits
/// that depend on what stands beside it.
fn base64(text: &str, shift: usize, last: &[u8; 2]) -> String {
    let mut digits: Vec<u8> = (b'A'..=b'Z')
        .chain(b'a'..=b'z')
        .chain(b'0'..=b'9')
        .collect();
    digits.extend(last);
    let mut bytes = vec![0; shift];
    bytes.extend(text.bytes());
    let encoded = bytes.chunks_exact(3).flat_map(|three| {
        let group = three
            .iter()
            .fold(0, |group, byte| group << 8 | usize::from(*byte));
        [18, 12, 6, 0].map(|bits| char::from(digits[group >> bits & 63]))
    });
    encoded
        .skip(if shift == 0 { 0 } else { shift + 1 })
        .collect()
}

#[test]
fn a_planted_secret_is_found_in_every_spelling() {
    let world = World::new();
    let planted = Planted::of(&world);
    let secret = world.principals[0].secret().to_owned();
    let in_base64 = |text: &str| {
        let padded = format!("{text}\0\0");
        base64(&padded, 0, b"+/")
    };
    for told in [
        format!("client_secret={secret}&x"),
        format!("{:?}", secret.as_bytes()),
        format!("%22{}%22", secret.replace('~', "%7e").replace('+', "%2b")),
        in_base64(&secret),
        in_base64(&format!("a:{secret}")),
        in_base64(&format!("ab:{secret}")),
        in_base64(&format!("abc:{secret}")),
    ] {
        assert!(planted.find_in(&told).is_some(), "{told}");
    }
    assert_eq!(planted.find_in("nothing of the kind"), None);
}
