//! Tokens that work once: an invitation's, or that of a password's reset.

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use super::digest::Digest;
use super::ids::{OneTimeTokenId, UserId};
use super::mail::Page;
use super::parsed::{text_schema, word_enum};
use super::random::{self, LETTERS, NoRandomness, Randomness};

word_enum! {
    /// What a token is good for.
    Purpose {
        /// To accept an invitation.
        Invitation = "invitation",
        /// To choose a new password.
        PasswordReset = "password_reset",
    }
}

impl Purpose {
    /// How long a token is good.
    #[must_use]
    pub const fn lifetime(self) -> SignedDuration {
        match self {
            Self::Invitation => SignedDuration::from_hours(7 * 24),
            Self::PasswordReset => SignedDuration::from_hours(1),
        }
    }

    /// Where the link with it leads to.
    #[must_use]
    pub const fn page(self) -> Page {
        match self {
            Self::Invitation => Page::Invitation,
            Self::PasswordReset => Page::PasswordReset,
        }
    }
}

/// What whoever got the link presents. Without `Debug`, `Display` or `Serialize`.
pub struct OneTimeSecret(SecretString);

text_schema! {
    /// The token of a link that works once.
    OneTimeSecret, { "maxLength": 500 }
}

impl OneTimeSecret {
    /// A new one of 43 letters and digits (256 bits).
    pub fn generate(random: &dyn Randomness) -> Result<Self, NoRandomness> {
        random::text(random, LETTERS, 43).map(|text| Self(text.into()))
    }

    /// As somebody presents it, good or not.
    #[must_use]
    pub const fn presented(text: SecretString) -> Self {
        Self(text)
    }

    /// The clear text, for the link.
    #[must_use]
    pub const fn text(&self) -> &SecretString {
        &self.0
    }

    /// What is kept of it: nobody finds 256 bits by trying, so a salt would add nothing.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.expose_secret())
    }
}

/// A token without its secret, of which only a digest is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OneTimeToken {
    /// Its id.
    pub id: OneTimeTokenId,
    /// Whose it is.
    pub user_id: UserId,
    /// What it is good for.
    pub purpose: Purpose,
    /// When it was made.
    pub created_at: Timestamp,
    /// From then on it is good for nothing.
    pub expires_at: Timestamp,
}

impl OneTimeToken {
    /// Whether it is good for anything still.
    #[must_use]
    pub fn is_good(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::random::SystemRandom;

    #[test]
    fn a_secret_is_known_by_its_digest_and_stands_in_a_link_as_it_is() {
        let secret = OneTimeSecret::generate(&SystemRandom).unwrap();
        let again = OneTimeSecret::presented(secret.text().clone());
        assert_eq!(secret.digest(), again.digest());
        assert_ne!(
            secret.digest(),
            OneTimeSecret::generate(&SystemRandom).unwrap().digest()
        );
        assert_eq!(secret.text().expose_secret().len(), 43);
        let base: crate::domain::mail::PublicUrl = "https://pbx.example.com".parse().unwrap();
        for purpose in Purpose::ALL {
            let link = base.link(purpose.page(), secret.text()).ok().unwrap();
            assert_eq!(link.token(), secret.text().expose_secret());
        }
    }
}
