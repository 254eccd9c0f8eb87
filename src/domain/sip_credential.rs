//! What a phone signs in with, as far as it is known: a password, or only the digest of one that somebody else chose.

use secrecy::{ExposeSecret, SecretString};

use super::dial::ExtensionNumber;
use super::invalid::Invalid;
use super::parsed::parsed_text;
use super::secret::{Ha1, SipSecret};
use super::sip_domain::SipDomain;

parsed_text! {
    /// What a digest was made for: 1 to 128 ASCII letters, digits, dots, hyphens, underscores and `@`.
    ///
    /// A tenant's own is its domain; an Asterisk that nobody told otherwise has `asterisk`.
    Realm, realm, schema { "maxLength": LONGEST_REALM, "pattern": "^[A-Za-z0-9._@-]+$" }
}

const LONGEST_REALM: usize = 128;

/// What a digest begins with where it is kept; no password has a colon.
const DIGEST: &str = "HA1:";

fn realm(text: &str) -> Result<String, Invalid> {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
    if (1..=LONGEST_REALM).contains(&text.len()) && text.bytes().all(is_fine) {
        Ok(text.to_owned())
    } else {
        Err(Invalid::new(
            "must have 1 to 128 ASCII letters, digits, dots, hyphens, underscores or `@`",
        ))
    }
}

impl From<&SipDomain> for Realm {
    fn from(domain: &SipDomain) -> Self {
        // Every domain is a realm: shorter, and of fewer characters.
        Self(domain.as_str().to_owned())
    }
}

/// What a phone signs in with.
#[derive(Clone)]
pub enum SipCredential {
    /// The password is known: it can be shown, and a digest be made for any realm.
    Password(SipSecret),
    /// Only what a PBX needs is known. Phones sign in as before; whoever wants to know the password has it rotated.
    Digest {
        /// What it was made for; it is good for no other.
        realm: Realm,
        /// The digest.
        ha1: Ha1,
    },
}

/// What a PBX compares a phone's answer with.
#[derive(Clone)]
pub struct SignIn {
    /// What phones are told.
    pub realm: Realm,
    /// The digest that is made for it.
    pub ha1: Ha1,
}

impl SipCredential {
    /// What a PBX is given of an extension.
    #[must_use]
    pub fn sign_in(&self, number: &ExtensionNumber, domain: &SipDomain) -> SignIn {
        SignIn {
            realm: self.realm(domain),
            ha1: self.ha1(number, domain),
        }
    }

    /// What is told of the realm to phones that sign in at that domain.
    #[must_use]
    pub fn realm(&self, domain: &SipDomain) -> Realm {
        match self {
            Self::Password(_) => domain.into(),
            Self::Digest { realm, .. } => realm.clone(),
        }
    }

    /// The digest for the realm that [`Self::realm`] gives.
    #[must_use]
    pub fn ha1(&self, number: &ExtensionNumber, domain: &SipDomain) -> Ha1 {
        match self {
            Self::Password(secret) => secret.ha1(number, domain),
            Self::Digest { ha1, .. } => ha1.clone(),
        }
    }

    /// Whether it is good where phones are told no other realm than the domain.
    #[must_use]
    pub fn is_good_for(&self, domain: &SipDomain) -> bool {
        self.realm(domain) == domain.into()
    }

    /// The password, where it is known.
    #[must_use]
    pub const fn password(&self) -> Option<&SipSecret> {
        match self {
            Self::Password(secret) => Some(secret),
            Self::Digest { .. } => None,
        }
    }

    /// What is sealed: the password, or `HA1:<realm>:<digest>`.
    #[must_use]
    pub fn to_sealable(&self) -> SecretString {
        match self {
            Self::Password(secret) => secret.expose().to_owned().into(),
            Self::Digest { realm, ha1 } => format!("{DIGEST}{realm}:{}", ha1.expose()).into(),
        }
    }

    /// What was sealed.
    pub fn parse(text: SecretString) -> Result<Self, Invalid> {
        let Some(digest) = text.expose_secret().strip_prefix(DIGEST) else {
            return SipSecret::parse(text).map(Self::Password);
        };
        let (realm, ha1) = digest
            .rsplit_once(':')
            .ok_or_else(|| Invalid::new("must have a realm and a digest, parted by a colon"))?;
        Ok(Self::Digest {
            realm: realm.parse()?,
            ha1: Ha1::parse(&ha1.to_owned().into())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn domain() -> SipDomain {
        "acme.example.com".parse().unwrap()
    }

    #[test]
    fn a_password_makes_the_digest_of_whichever_domain_is_asked_for() {
        let secret = SipSecret::parse("CircleOfLife".to_owned().into()).unwrap();
        let number = "1001".parse().unwrap();
        let credential = SipCredential::Password(secret.clone());
        assert_eq!(
            credential.ha1(&number, &domain()).expose(),
            secret.ha1(&number, &domain()).expose()
        );
        assert_eq!(credential.realm(&domain()).as_str(), "acme.example.com");
        assert!(credential.password().is_some());
    }

    #[test]
    fn a_digest_stays_what_it_is_in_the_realm_it_was_made_for() {
        let text = "HA1:asterisk:6581963F7e7c44b15a0e3dc3b2ce6bc7".to_owned();
        let credential = SipCredential::parse(text.into()).unwrap();
        assert!(credential.password().is_none());
        assert_eq!(credential.realm(&domain()).as_str(), "asterisk");
        let ha1 = credential.ha1(&"1001".parse().unwrap(), &domain());
        assert_eq!(ha1.expose(), "6581963f7e7c44b15a0e3dc3b2ce6bc7");
    }

    #[test]
    fn what_is_neither_a_password_nor_a_digest_is_refused() {
        for text in [
            "HA1:asterisk",
            "HA1:asterisk:6581",
            "HA1::6581963f7e7c44b15a0e3dc3b2ce6bc7",
            "HA1:a b:6581963f7e7c44b15a0e3dc3b2ce6bc7",
            "HA1:x:zz81963f7e7c44b15a0e3dc3b2ce6bc7",
            "short",
        ] {
            assert!(SipCredential::parse(text.to_owned().into()).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_was_sealed_is_read_as_it_was(realm in "[A-Za-z0-9._@-]{1,128}", ha1 in "[0-9a-f]{32}", password in "[A-Za-z0-9]{12,64}") {
            for text in [format!("HA1:{realm}:{ha1}"), password] {
                let read = SipCredential::parse(text.clone().into()).unwrap();
                let sealable = read.to_sealable();
                prop_assert_eq!(sealable.expose_secret(), text);
            }
        }
    }
}
