//! Hex and base64 of a key of 32 bytes, as `openssl rand -hex 32` and `openssl rand -base64 32` write it.

use std::fmt::Write as _;

use secrecy::SecretString;
use zeroize::Zeroizing;

/// The bytes of a key.
pub(super) type KeyBytes = Zeroizing<[u8; 32]>;

/// The key that `text` writes, in hex (64 digits) or base64 (44 characters, or 43 without the padding).
pub(super) fn decode(text: &str) -> Option<KeyBytes> {
    match text.len() {
        64 => pack(text.bytes(), 4, hex_digit),
        43 | 44 => {
            let digits = text.strip_suffix('=').unwrap_or(text);
            (digits.len() == 43)
                .then(|| pack(digits.bytes(), 6, base64_digit))
                .flatten()
        }
        _ => None,
    }
}

/// 64 hex digits.
pub(super) fn encode(bytes: &[u8; 32]) -> SecretString {
    let mut text = String::with_capacity(64);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.into()
}

/// Joins digits of `bits` bits each to 32 bytes; bits left over at the end must be zero.
fn pack(digits: impl Iterator<Item = u8>, bits: u32, value: impl Fn(u8) -> Option<u8>) -> Option<KeyBytes> {
    let mut key = KeyBytes::default();
    let mut slots = key.iter_mut();
    let (mut pending, mut held) = (0_u32, 0_u32);
    for digit in digits {
        pending = (pending << bits) | u32::from(value(digit)?);
        held += bits;
        if held >= 8 {
            held -= 8;
            *slots.next()? = u8::try_from(pending >> held).ok()?;
            pending &= (1 << held) - 1;
        }
    }
    let whole = slots.next().is_none() && pending == 0;
    whole.then_some(key)
}

fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

fn base64_digit(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use secrecy::ExposeSecret;

    // printf '%s' 0123…1e1f | xxd -r -p | base64
    const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff";
    const BASE64: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=";

    #[rstest]
    #[case::hex(HEX)]
    #[case::upper_case_hex(&HEX.to_uppercase())]
    #[case::base64(BASE64)]
    #[case::base64_without_padding(BASE64.trim_end_matches('='))]
    fn each_spelling_gives_the_same_bytes(#[case] text: &str) {
        let key = decode(text).unwrap();
        assert_eq!(key[..3], [0, 1, 2]);
        assert_eq!(key[29..], [0x1d, 0x1e, 0xff]);
        assert_eq!(encode(&key).expose_secret(), HEX);
    }

    #[rstest]
    #[case::empty("")]
    #[case::short(&HEX.replacen("00", "", 1))]
    #[case::no_digit(&HEX.replace('f', "g"))]
    #[case::not_ascii(&"é".repeat(32))]
    #[case::bits_left_over(&BASE64.replace("v8=", "v9="))]
    #[case::padding_inside(&BASE64.replace("Hv8=", "H=8="))]
    #[case::two_paddings(&BASE64.replace("v8=", "v=="))]
    fn anything_else_is_no_key(#[case] text: &str) {
        assert!(decode(text).is_none());
    }
}
