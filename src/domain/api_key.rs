//! API keys: what programs of a tenant prove with who sent them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::ids::{ApiKeyId, TenantId, UserId};
use super::invalid::Invalid;
use super::name::KeyName;
use super::parsed::text_schema;
use super::permission::Permission;
use super::random::{self, LETTERS, NoRandomness, Randomness};
use super::role::Rank;
use super::tenant::TenantStatus;
use super::user::UserStatus;

/// What every key begins with, so that people and scanners of leaked secrets recognise one.
const KIND: &str = "swk_";
/// Characters of the part that is no secret.
const PREFIX: usize = 12;
/// Characters of the secret, 256 bits.
const SECRET: usize = 43;

/// A key without its secret, of which only a digest is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Who made it: it is good for as long as they are.
    pub author_id: UserId,
    /// What its tenant calls it.
    pub name: KeyName,
    /// How it begins: by that it is found, and recognised by people.
    pub prefix: String,
    /// What it was made for.
    pub permissions: BTreeSet<Permission>,
    /// That of the lowest built-in role with all of these rights.
    pub rank: Rank,
    /// From then on it is good for nothing.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A whole key, as a program presents it: `swk_`, 12 characters, `_`, and 43 that are secret. Without `Debug`, `Display`
/// or `Serialize`.
#[derive(Clone)]
pub struct KeySecret {
    text: SecretString,
    prefix: String,
}

text_schema! {
    /// A whole API key, which is a secret.
    KeySecret, { "pattern": "^swk_[A-Za-z0-9]{12}_[A-Za-z0-9]{43}$" }
}

impl KeySecret {
    /// A new one.
    pub fn generate(random: &dyn Randomness) -> Result<Self, NoRandomness> {
        let prefix = format!("{KIND}{}", random::text(random, LETTERS, PREFIX)?);
        let secret = SecretString::from(random::text(random, LETTERS, SECRET)?);
        let text = format!("{prefix}_{}", secret.expose_secret()).into();
        Ok(Self { text, prefix })
    }

    /// What somebody presents, if it has the form of a key.
    #[must_use]
    pub fn presented(text: &SecretString) -> Option<Self> {
        let exposed = text.expose_secret();
        let (prefix, secret) = exposed.strip_prefix(KIND)?.split_once('_')?;
        let good = |part: &str, length| {
            part.len() == length && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        (good(prefix, PREFIX) && good(secret, SECRET)).then(|| Self {
            prefix: format!("{KIND}{prefix}"),
            text: text.clone(),
        })
    }

    /// The part that is no secret.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The whole key, for the one who may see it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    /// What is kept of it: nobody finds 256 bits by trying, so a salt would add nothing.
    #[must_use]
    pub fn digest(&self) -> KeyDigest {
        KeyDigest(blake3::hash(self.expose().as_bytes()))
    }
}

/// What is kept of a key. Two are compared in the same time whether or not they are equal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyDigest(blake3::Hash);

impl KeyDigest {
    /// The bytes, for keeping.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl TryFrom<&[u8]> for KeyDigest {
    type Error = Invalid;

    fn try_from(bytes: &[u8]) -> Result<Self, Invalid> {
        let whole = blake3::Hash::from_slice(bytes);
        whole.map(Self).map_err(|_| Invalid::new("must have 32 bytes"))
    }
}

/// A key with all that its rights depend on, as the database knows it now.
#[derive(Clone)]
pub struct KeyPresence {
    /// The key; its rights are those that its author has still.
    pub key: ApiKey,
    /// What a whole key is compared with.
    pub digest: KeyDigest,
    /// Whether its tenant is served.
    pub tenant_status: TenantStatus,
    /// Whether its author may sign in.
    pub author_status: UserStatus,
    /// What its author may act on.
    pub author_rank: Rank,
}

impl KeyPresence {
    /// Whether it has not expired, and its author is still somebody here.
    #[must_use]
    pub fn lasts(&self, now: Timestamp) -> bool {
        self.author_status == UserStatus::Active && self.key.expires_at.is_none_or(|end| now < end)
    }

    /// Whether this is the key, and it lasts.
    #[must_use]
    pub fn is_good(&self, secret: &KeySecret, now: Timestamp) -> bool {
        self.digest == secret.digest() && self.lasts(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::random::SystemRandom;
    use proptest::prelude::*;

    #[test]
    fn a_new_key_is_recognised_and_no_other_is_equal() {
        let key = KeySecret::generate(&SystemRandom).unwrap();
        let again = KeySecret::presented(&key.expose().into()).unwrap();
        assert_eq!((again.prefix(), key.prefix().len()), (key.prefix(), 16));
        assert!(key.digest() == again.digest());
        assert!(
            KeyDigest::try_from(key.digest().as_bytes().as_slice()).is_ok_and(|kept| kept == key.digest())
        );
        let other = KeySecret::generate(&SystemRandom).unwrap();
        assert!(key.digest() != other.digest() && key.prefix() != other.prefix());
        assert!(KeyDigest::try_from([0; 31].as_slice()).is_err());
    }

    proptest! {
        #[test]
        fn what_has_not_the_form_of_a_key_is_none(cut in 0..60_usize, text in ".{0,80}") {
            let key = KeySecret::generate(&SystemRandom).unwrap();
            let shorter: String = key.expose().chars().take(cut).collect();
            prop_assert!(KeySecret::presented(&shorter.into()).is_none());
            let longer = format!("{}x", key.expose());
            prop_assert!(KeySecret::presented(&longer.into()).is_none());
            prop_assert!(KeySecret::presented(&text.into()).is_none());
        }
    }
}
