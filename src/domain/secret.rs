//! Secrets of an extension: types without `Debug`, `Display` or `Serialize`, so that none leaks by accident.

use std::fmt::Write as _;

use md5::{Digest as _, Md5};
use secrecy::{ExposeSecret, SecretString};

use super::dial::ExtensionNumber;
use super::invalid::Invalid;
use super::parsed::text_schema;
use super::random::{self, LETTERS, NoRandomness, Randomness};
use super::sip_credential::SipCredential;
use super::sip_domain::SipDomain;

const DIGITS: &[u8] = b"0123456789";

/// The password of a SIP account: 12 to 64 ASCII letters and digits.
///
/// Letters and digits only, because FusionPBX writes it into XML unescaped.
#[derive(Clone)]
pub struct SipSecret(SecretString);

text_schema! {
    /// The password of a SIP account: 12 to 64 ASCII letters and digits.
    SipSecret, { "pattern": "^[A-Za-z0-9]{12,64}$" }
}

impl SipSecret {
    /// Takes over a secret that somebody chose.
    pub fn parse(text: SecretString) -> Result<Self, Invalid> {
        let exposed = text.expose_secret();
        if !(12..=64).contains(&exposed.len()) || !exposed.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(Invalid::new("must have 12 to 64 ASCII letters and digits"));
        }
        Ok(Self(text))
    }

    /// A new secret of 24 characters (142 bits).
    pub fn generate(random: &dyn Randomness) -> Result<Self, NoRandomness> {
        random::text(random, LETTERS, 24).map(|text| Self(text.into()))
    }

    /// The clear secret, for sealing and for the one who may see it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What a PBX needs to check a digest, without the clear secret: `md5(number:realm:secret)`.
    #[must_use]
    pub fn ha1(&self, number: &ExtensionNumber, realm: &SipDomain) -> Ha1 {
        Ha1::of(number, realm.as_str(), &self.0)
    }
}

/// The HA1 of RFC 7616 with MD5, 32 hex digits: it signs in like the password does, so it is a secret too.
#[derive(Clone)]
pub struct Ha1(SecretString);

impl Ha1 {
    /// The digest of a password, whatever its form: a password that none of ours could be stays what its phone signs in with.
    #[must_use]
    pub fn of(number: &ExtensionNumber, realm: &str, password: &SecretString) -> Self {
        let mut hasher = Md5::new();
        for part in [number.as_str(), ":", realm, ":", password.expose_secret()] {
            hasher.update(part.as_bytes());
        }
        let mut hex = String::with_capacity(32);
        for byte in hasher.finalize() {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        Self(hex.into())
    }

    /// Takes over a digest that stands somewhere else; large hex digits become small ones.
    pub fn parse(text: &SecretString) -> Result<Self, Invalid> {
        let exposed = text.expose_secret();
        if exposed.len() != 32 || !exposed.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Invalid::new("must have 32 hex digits"));
        }
        Ok(Self(exposed.to_ascii_lowercase().into()))
    }

    /// The hex digits, for the file that a PBX reads.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// The PIN of a mailbox: 4 to 10 digits.
#[derive(Clone)]
pub struct VoicemailPin(SecretString);

text_schema! {
    /// The PIN of a mailbox: 4 to 10 digits.
    VoicemailPin, { "pattern": "^[0-9]{4,10}$" }
}

impl VoicemailPin {
    /// Takes over a PIN that somebody chose.
    pub fn parse(text: SecretString) -> Result<Self, Invalid> {
        let exposed = text.expose_secret();
        if !(4..=10).contains(&exposed.len()) || !exposed.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Invalid::new("must have 4 to 10 digits"));
        }
        Ok(Self(text))
    }

    /// A new PIN of 6 digits.
    pub fn generate(random: &dyn Randomness) -> Result<Self, NoRandomness> {
        random::text(random, DIGITS, 6).map(|text| Self(text.into()))
    }

    /// The digits, for sealing and for the file that a PBX reads.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// What an extension keeps secret, unsealed.
#[derive(Clone)]
pub struct ExtensionSecrets {
    /// What its phones sign in with.
    pub sip: SipCredential,
    /// The mailbox's PIN; kept while the mailbox is switched off.
    pub pin: VoicemailPin,
}

/// The secrets of an extension for whoever may see them.
#[derive(Clone)]
pub struct ShownSecrets {
    /// The SIP password.
    pub sip: SipSecret,
    /// The mailbox's PIN.
    pub pin: VoicemailPin,
}

/// The secrets of an extension for whoever asks for them later, as far as they are known.
#[derive(Clone)]
pub struct RevealedSecrets {
    /// The SIP password; none where only a digest of it is known.
    pub sip: Option<SipSecret>,
    /// The mailbox's PIN.
    pub pin: VoicemailPin,
}

impl ExtensionSecrets {
    /// The secrets to show; `None` where only a digest of the password is known.
    #[must_use]
    pub fn shown(&self) -> Option<ShownSecrets> {
        let RevealedSecrets { sip, pin } = self.revealed();
        Some(ShownSecrets { sip: sip?, pin })
    }

    /// What of the secrets can be shown.
    #[must_use]
    pub fn revealed(&self) -> RevealedSecrets {
        RevealedSecrets {
            sip: self.sip.password().cloned(),
            pin: self.pin.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::random::SystemRandom;

    #[test]
    fn ha1_is_the_digest_of_number_domain_and_secret() {
        let secret = SipSecret::parse("CircleOfLife".to_owned().into()).unwrap();
        let ha1 = secret.ha1(&"1001".parse().unwrap(), &"acme.example.com".parse().unwrap());
        // printf %s 1001:acme.example.com:CircleOfLife | md5sum
        assert_eq!(ha1.expose(), "6581963f7e7c44b15a0e3dc3b2ce6bc7");
    }

    #[test]
    fn secrets_that_xml_or_conf_could_misread_are_refused() {
        for text in [
            "short",
            "has a blank in it",
            "quote\"quote\"quote",
            "ünïcödeünïcöde",
            &"x".repeat(65),
        ] {
            assert!(SipSecret::parse(text.to_owned().into()).is_err());
        }
        for text in ["123", "12345678901", "12a4", ""] {
            assert!(VoicemailPin::parse(text.to_owned().into()).is_err());
        }
    }

    #[test]
    fn generated_secrets_are_valid_and_differ() {
        let one = SipSecret::generate(&SystemRandom).unwrap();
        let two = SipSecret::generate(&SystemRandom).unwrap();
        assert!(SipSecret::parse(one.expose().to_owned().into()).is_ok());
        assert_ne!(one.expose(), two.expose());
        assert!(
            VoicemailPin::parse(
                VoicemailPin::generate(&SystemRandom)
                    .unwrap()
                    .expose()
                    .to_owned()
                    .into()
            )
            .is_ok()
        );
    }
}
