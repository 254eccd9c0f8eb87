//! The bootstrap token: opens the platform while there is no user yet who could sign in.

use secrecy::{ExposeSecret, SecretString};

use crate::domain::invalid::Invalid;

/// Shorter tokens could be guessed.
const SHORTEST: usize = 32;

/// The configured token, of which only the digest is kept.
#[derive(Clone)]
pub struct BootstrapToken(blake3::Hash);

impl BootstrapToken {
    /// Takes over the configured token.
    pub fn new(token: &SecretString) -> Result<Self, Invalid> {
        if token.expose_secret().chars().count() < SHORTEST {
            return Err(Invalid::new("must have at least 32 characters"));
        }
        Ok(Self(digest(token)))
    }

    /// Whether the presented token is the configured one.
    ///
    /// Digests are compared, in constant time: neither tells how much of a guess was right.
    #[must_use]
    pub fn admits(&self, presented: &SecretString) -> bool {
        self.0 == digest(presented)
    }
}

fn digest(token: &SecretString) -> blake3::Hash {
    blake3::hash(token.expose_secret().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        text.to_owned().into()
    }

    #[test]
    fn only_the_configured_token_is_admitted() {
        let text = "0123456789abcdef0123456789abcdef";
        let token = BootstrapToken::new(&secret(text)).ok().unwrap();
        assert!(token.admits(&secret(text)));
        for wrong in [
            "",
            "0",
            text.trim_start_matches('0'),
            &text.to_uppercase(),
            &format!("{text} "),
            &format!("{text}0"),
        ] {
            assert!(!token.admits(&secret(wrong)));
        }
    }

    #[test]
    fn a_short_token_is_refused() {
        assert!(BootstrapToken::new(&secret(&"x".repeat(31))).is_err());
        assert!(BootstrapToken::new(&secret(&"x".repeat(32))).is_ok());
    }
}
