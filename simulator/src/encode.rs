//! Small encodings that the pretend services need: identifiers derived from names, base64 for
//! token-looking strings, HTML escaping, a gzip container, and the time formats of the services.
//!
//! Everything here is a pure function. Nothing here knows the world or a request, and nothing here
//! may be used to judge what a client sent.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// A stable 64-bit number for a text (FNV-1a), so that a world built from the same names has the same
/// identifiers in every run.
pub(crate) fn number_for(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// 32 hexadecimal digits for a text, the shape of an Azure Databricks VM name.
pub(crate) fn hex32_for(text: &str) -> String {
    let first = number_for(text);
    let second = number_for(&format!("{text}#{first}"));
    format!("{first:016x}{second:016x}")
}

/// A GUID-shaped identifier for a text.
pub(crate) fn guid_for(text: &str) -> String {
    let hex = hex32_for(text);
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// URL-safe base64 without padding, as JSON web tokens use it.
pub(crate) fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk
            .iter()
            .fold(0_u32, |group, byte| group << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for position in 0..=chunk.len() {
            let index = (group >> (18 - 6 * position)) & 0x3f;
            text.push(char::from(ALPHABET[index as usize]));
        }
    }
    text
}

/// Hexadecimal digits in capitals.
pub(crate) fn hex_upper(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Escapes text for an HTML page.
pub(crate) fn html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Wraps bytes in a gzip container of stored (uncompressed) blocks.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    const STORED_BLOCK_MAX: usize = 0xffff;
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut blocks = bytes.chunks(STORED_BLOCK_MAX).peekable();
    if blocks.peek().is_none() {
        out.extend([1, 0, 0, 0xff, 0xff]);
    }
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(u8::from(blocks.peek().is_none()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
    out.extend(crc32(bytes).to_le_bytes());
    let length = u32::try_from(bytes.len() % (1 << 32)).unwrap_or(0);
    out.extend(length.to_le_bytes());
    out
}

fn crc32(bytes: &[u8]) -> u32 {
    let sum = bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            if sum & 1 == 1 {
                sum >> 1 ^ 0xedb8_8320
            } else {
                sum >> 1
            }
        })
    });
    !sum
}

fn date_time(epoch_ms: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(epoch_ms) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// Spark's own date form: milliseconds and the literal `GMT`.
pub(crate) fn spark_time(epoch_ms: i64) -> String {
    date_time(epoch_ms)
        .format(format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]GMT"
        ))
        .unwrap_or_default()
}

/// As HTTP headers write times.
pub(crate) fn http_time(epoch_ms: i64) -> String {
    date_time(epoch_ms)
        .format(format_description!(
            "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
        ))
        .unwrap_or_default()
}

/// Seconds and a `Z`, as Azure Resource Manager writes times.
pub(crate) fn arm_time(epoch_ms: i64) -> String {
    date_time(epoch_ms)
        .format(format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second]Z"
        ))
        .unwrap_or_default()
}

/// A space and a `Z`, as Entra writes the times in its error texts.
pub(crate) fn entra_time(epoch_ms: i64) -> String {
    date_time(epoch_ms)
        .format(format_description!(
            "[year]-[month]-[day] [hour]:[minute]:[second]Z"
        ))
        .unwrap_or_default()
}

/// Ten millionths of a second and a `Z`, as Entra writes the bounds of an assertion.
pub(crate) fn assertion_time(epoch_ms: i64) -> String {
    date_time(epoch_ms)
        .format(format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:7]Z"
        ))
        .unwrap_or_default()
}

/// As Entra writes the bounds of a key: American, without a zone.
pub(crate) fn key_time(epoch_ms: i64) -> String {
    date_time(epoch_ms)
        .format(format_description!(
            "[month]/[day]/[year] [hour]:[minute]:[second]"
        ))
        .unwrap_or_default()
}

/// Reads an RFC 3339 time as milliseconds since the epoch.
pub(crate) fn parse_time(text: &str) -> Option<i64> {
    let parsed = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(parsed.unix_timestamp_nanos() / 1_000_000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_follows_the_rfc_4648_examples_without_padding() {
        let encoded: Vec<String> = ["", "f", "fo", "foo", "foob", "fooba", "foobar"]
            .iter()
            .map(|text| base64url(text.as_bytes()))
            .collect();
        assert_eq!(
            encoded,
            ["", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy"]
        );
    }

    #[test]
    fn crc32_gives_the_check_value_of_its_definition() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn gzip_is_one_stored_block_with_sum_and_length() {
        let expected = [
            31, 139, 8, 0, 0, 0, 0, 0, 0, 255, 1, 3, 0, 252, 255, 97, 98, 99, 194, 65, 36, 53, 3,
            0, 0, 0,
        ];
        assert_eq!(gzip(b"abc"), expected);
        let long = gzip(&[b'x'; 70_000]);
        assert_eq!(long.len(), 10 + 5 + 65_535 + 5 + 4_465 + 8);
    }

    #[test]
    fn times_have_the_form_of_their_service() {
        assert_eq!(spark_time(1_795_357_810_054), "2026-11-22T14:30:10.054GMT");
        assert_eq!(arm_time(1_795_357_810_054), "2026-11-22T14:30:10Z");
        assert_eq!(entra_time(1_795_357_810_054), "2026-11-22 14:30:10Z");
        assert_eq!(
            assertion_time(1_795_357_810_054),
            "2026-11-22T14:30:10.0540000Z"
        );
        assert_eq!(key_time(1_795_357_810_054), "11/22/2026 14:30:10");
        assert_eq!(hex_upper(&[0x0a, 0xff]), "0AFF");
        assert_eq!(
            parse_time("2026-11-22T14:30:10.054Z"),
            Some(1_795_357_810_054)
        );
        assert_eq!(parse_time("yesterday"), None);
    }
}
