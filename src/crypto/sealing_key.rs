//! The key that seals secrets, as the operator keeps it in a file.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::encoding::{self, KeyBytes};
use super::sealed::{Header, OpenError, Sealed};

/// Tells keys apart without telling anything about them: the first 8 bytes of a BLAKE3 derivation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct KeyId([u8; 8]);

impl KeyId {
    fn of(key: &KeyBytes) -> Self {
        Self(first_eight(&blake3::derive_key(
            "switchyard 2026-11 sealing key id",
            key.as_slice(),
        )))
    }

    pub(super) const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The content of a key file is no key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "a sealing key is 32 bytes, written as 64 hex digits or 44 characters of base64; `openssl rand -hex 32` makes one"
)]
pub struct BadKey;

/// Nothing could be sealed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the cryptographic library refused to seal a secret")]
pub struct SealError;

/// Seals and opens secrets with AES-256-GCM. Without `Debug`, `Display` or `Serialize`.
///
/// Nonces are drawn at random, so one key is good for some billions of secrets. They come from the kernel: the library's own
/// generator seeds itself from the processor's jitter in each process, some 60 ms of work before the first secret.
pub struct SealingKey {
    id: KeyId,
    cipher: LessSafeKey,
    fingerprints: Zeroizing<[u8; 32]>,
    signing: SigningKey,
}

/// What tokens are signed with: good for nothing that the sealing key does. Without `Debug`, `Display` or `Serialize`.
#[derive(Clone)]
pub struct SigningKey(Zeroizing<[u8; 32]>);

impl SigningKey {
    /// The bytes, for making a key of the algorithm's own kind.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl SealingKey {
    /// Takes the content of a key file: 32 bytes in hex or base64, blanks around it allowed.
    pub fn parse(content: &SecretString) -> Result<Self, BadKey> {
        let bytes = encoding::decode(content.expose_secret().trim()).ok_or(BadKey)?;
        let cipher = UnboundKey::new(&AES_256_GCM, bytes.as_slice()).map_err(|Unspecified| BadKey)?;
        Ok(Self {
            id: KeyId::of(&bytes),
            cipher: LessSafeKey::new(cipher),
            fingerprints: Zeroizing::new(blake3::derive_key(
                "switchyard 2026-11 fingerprints of requests",
                bytes.as_slice(),
            )),
            signing: SigningKey(Zeroizing::new(blake3::derive_key(
                "switchyard 2026-11 signing of tokens",
                bytes.as_slice(),
            ))),
        })
    }

    /// The content of a new key file, 64 hex digits.
    pub fn generate() -> Result<SecretString, SealError> {
        let mut bytes = KeyBytes::default();
        getrandom::fill(bytes.as_mut_slice()).map_err(|_| SealError)?;
        Ok(encoding::encode(&bytes))
    }

    /// Which key this is; part of every value it seals.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// What this key's holders sign tokens with: every host of the same database the same.
    #[must_use]
    pub const fn signing_key(&self) -> &SigningKey {
        &self.signing
    }

    /// By which two equal texts are recognised, and nothing is found out by trying texts without the key: for what may
    /// hold a short secret, such as a PIN.
    #[must_use]
    pub fn fingerprint(&self, bytes: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(&self.fingerprints, bytes)
    }

    /// Seals a secret for one place, such as `extension_secrets.sip/<tenant>/<extension>`.
    ///
    /// What is sealed for one place does not open at another, so a row's bytes are of no use in another row.
    pub fn seal(&self, place: &str, secret: &str) -> Result<Vec<u8>, SealError> {
        let header = Header::new(self.id, place);
        // Room for the tag, so that the clear text is never left behind in a buffer that grew.
        let mut text = Vec::with_capacity(secret.len() + AES_256_GCM.tag_len());
        text.extend_from_slice(secret.as_bytes());
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| SealError)?;
        self.cipher
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(header.authenticated(place)),
                &mut text,
            )
            .map_err(|Unspecified| SealError)?;
        Ok(Sealed {
            header,
            nonce,
            text: &text,
        }
        .to_bytes())
    }

    /// Opens what [`Self::seal`] sealed for the same place.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<SecretString, OpenError> {
        let sealed = Sealed::parse(sealed)?;
        sealed.header.check(self.id, place)?;
        let mut text = Zeroizing::new(sealed.text.to_vec());
        let clear = self
            .cipher
            .open_in_place(
                Nonce::assume_unique_for_key(sealed.nonce),
                Aad::from(sealed.header.authenticated(place)),
                &mut text,
            )
            .map_err(|Unspecified| OpenError::Damaged)?;
        std::str::from_utf8(clear)
            .map(SecretString::from)
            .map_err(|_| OpenError::Damaged)
    }
}

/// The first 8 bytes of a hash.
pub(super) fn first_eight(hash: &[u8; 32]) -> [u8; 8] {
    hash.first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    const PLACE: &str = "extension_secrets.sip/1/2";

    fn key(digit: char) -> SealingKey {
        SealingKey::parse(&digit.to_string().repeat(64).into()).unwrap_or_else(|bad| panic!("{bad}"))
    }

    fn opened(key: &SealingKey, place: &str, sealed: &[u8]) -> Result<String, OpenError> {
        key.open(place, sealed)
            .map(|secret| secret.expose_secret().to_owned())
    }

    #[test]
    fn what_was_sealed_opens_with_the_same_key_at_the_same_place() {
        let sealed = key('a').seal(PLACE, "CircleOfLife").unwrap();
        assert_eq!(opened(&key('a'), PLACE, &sealed).as_deref(), Ok("CircleOfLife"));
    }

    #[test]
    fn the_key_for_signing_depends_on_the_sealing_key_and_is_no_other_key() {
        let signing = |digit| *key(digit).signing_key().expose();
        assert_eq!(signing('a'), signing('a'));
        assert_ne!(signing('a'), signing('b'));
        assert_ne!(signing('a'), [0xaa; 32]);
        assert_ne!(signing('a'), *key('a').fingerprints);
    }

    #[test]
    fn another_key_is_named_as_such() {
        let sealed = key('a').seal(PLACE, "CircleOfLife").unwrap();
        let wrong = OpenError::WrongKey {
            sealed_with: key('a').id(),
            configured: key('b').id(),
        };
        assert_eq!(opened(&key('b'), PLACE, &sealed), Err(wrong));
    }

    #[test]
    fn another_place_is_named_as_such() {
        let sealed = key('a').seal(PLACE, "CircleOfLife").unwrap();
        assert_eq!(
            opened(&key('a'), "extension_secrets.sip/1/3", &sealed),
            Err(OpenError::WrongPlace)
        );
    }

    #[test]
    fn a_forged_place_in_the_header_does_not_open_either() {
        let stolen = key('a').seal(PLACE, "CircleOfLife").unwrap();
        let target = key('a').seal("another place", "x").unwrap();
        let forged = [&target[..17], &stolen[17..]].concat();
        assert_eq!(
            opened(&key('a'), "another place", &forged),
            Err(OpenError::Damaged)
        );
    }

    #[test]
    fn each_flipped_bit_is_noticed() {
        let sealed = key('a').seal(PLACE, "CircleOfLife").unwrap();
        for position in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[position] ^= 1;
            assert!(opened(&key('a'), PLACE, &damaged).is_err(), "byte {position}");
        }
    }

    #[test]
    fn each_shorter_value_is_damaged() {
        let sealed = key('a').seal(PLACE, "CircleOfLife").unwrap();
        for length in 0..sealed.len() {
            assert_eq!(
                opened(&key('a'), PLACE, &sealed[..length]),
                Err(OpenError::Damaged),
                "{length}"
            );
        }
    }

    #[test]
    fn a_later_format_is_named_as_such() {
        let mut sealed = key('a').seal(PLACE, "CircleOfLife").unwrap();
        sealed[0] = 2;
        assert_eq!(
            opened(&key('a'), PLACE, &sealed),
            Err(OpenError::UnknownFormat(2))
        );
    }

    #[test]
    fn the_same_secret_never_looks_the_same() {
        assert_ne!(
            key('a').seal(PLACE, "x").unwrap(),
            key('a').seal(PLACE, "x").unwrap()
        );
    }

    #[test]
    fn a_fingerprint_is_of_the_key_and_the_text() {
        let mark = key('a').fingerprint(b"1234");
        assert_eq!(mark, key('a').fingerprint(b"1234"));
        assert_ne!(mark, key('a').fingerprint(b"1235"));
        assert_ne!(mark, key('b').fingerprint(b"1234"));
        assert_ne!(mark, blake3::hash(b"1234"));
    }

    #[test]
    fn a_generated_key_is_a_key_of_its_own() {
        let [one, two] = [0, 1].map(|_| SealingKey::parse(&SealingKey::generate().unwrap()).ok().unwrap());
        assert_ne!(one.id(), two.id());
    }

    #[test]
    fn the_id_of_a_key_never_changes() {
        // Otherwise all that is sealed would seem to need another key.
        assert_eq!(key('a').id().to_string(), "c894b87155254ad9");
    }

    #[rstest]
    #[case("")]
    #[case("secret")]
    #[case("zz")]
    fn a_bad_key_is_refused_without_being_repeated(#[case] content: &str) {
        let error = SealingKey::parse(&content.to_owned().into()).err().unwrap();
        assert!(error.to_string().contains("openssl rand -hex 32"));
    }

    proptest! {
        #[test]
        fn any_text_survives(secret in any::<String>(), place in any::<String>()) {
            let sealed = key('a').seal(&place, &secret).unwrap();
            prop_assert_eq!(opened(&key('a'), &place, &sealed), Ok(secret));
        }
    }
}
