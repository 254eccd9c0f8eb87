//! One word of a command: text that neither FreeSWITCH nor Lua can take for more than a name.

use std::fmt;

/// A file of FusionPBX's cache is named after its key, and file systems take no longer names.
const MAX_BYTES: usize = 255;

/// A name made of ASCII letters, digits and `. _ + : @ -`: a number, a domain, `user@domain`, a key of the cache.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Word(String);

/// Why a text is no word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordError {
    #[error("{text:?} cannot stand in a command of FreeSWITCH: use ASCII letters, digits and `. _ + : @ -`")]
    BadCharacter { text: String },
    #[error("a word of a command has 1 to {MAX_BYTES} bytes, not {bytes}")]
    Length { bytes: usize },
}

impl Word {
    /// Takes `text` as it is, or refuses it.
    pub fn new(text: impl Into<String>) -> Result<Self, WordError> {
        let text = text.into();
        if text.is_empty() || text.len() > MAX_BYTES {
            return Err(WordError::Length { bytes: text.len() });
        }
        if !text.bytes().all(is_allowed) {
            return Err(WordError::BadCharacter { text });
        }
        Ok(Self(text))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._+:@-".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_keys_and_addresses_are_words() {
        for text in [
            "1001",
            "demo.local",
            "1001@demo.local",
            "directory:groups:demo.local",
            "dialplan:public:+15551234",
            "vm_2-b:configuration:sofia.conf",
        ] {
            assert_eq!(Word::new(text).unwrap().as_str(), text);
        }
        assert!(Word::new("x".repeat(MAX_BYTES)).is_ok());
    }

    #[test]
    fn what_could_be_more_than_a_name_is_refused() {
        for text in [
            "a b", "a\nb", "a\rb", "a\0b", "\"", "'", "\\", ")", ";", "${x}", "é", "a/b", "a,b", "~", "*",
            "%0a", "|", "=",
        ] {
            let text = text.to_owned();
            assert_eq!(Word::new(text.clone()), Err(WordError::BadCharacter { text }));
        }
        assert_eq!(Word::new(""), Err(WordError::Length { bytes: 0 }));
        assert_eq!(
            Word::new("x".repeat(MAX_BYTES + 1)),
            Err(WordError::Length { bytes: 256 })
        );
    }

    proptest! {
        #[test]
        fn a_word_is_of_its_letters_only(text in "(?s).{0,20}|[A-Za-z0-9._+:@-]{1,300}") {
            let fits = !text.is_empty()
                && text.len() <= MAX_BYTES
                && text.chars().all(|c| matches!(c, 'A'..='Z' | 'a'..='z' | '0'..='9' | '.' | '_' | '+' | ':' | '@' | '-'));
            prop_assert_eq!(Word::new(text).is_ok(), fits);
        }
    }
}
