//! Passwords of users: as typed, as chosen, and hashed; types without `Debug`, `Display` or `Serialize`.

use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use super::email::EmailAddress;
use super::invalid::Invalid;
use super::parsed::text_schema;

/// The commonest passwords of at least 12 characters, in small letters; shorter ones are refused anyway.
const COMMON: &[&str] = &[
    "0987654321ab",
    "1234567890ab",
    "1234567890qw",
    "123456789abc",
    "123456789012",
    "1234567891011",
    "123456789123",
    "12345678910111213",
    "1q2w3e4r5t6y",
    "1q2w3e4r5t6y7u8i",
    "1qaz2wsx3edc",
    "1qaz2wsx3edc4rfv",
    "abcd12345678",
    "abcdefghijkl",
    "abcdefghijklm",
    "admin1234567",
    "administrator",
    "administrator1",
    "asdfghjkl123",
    "asdfghjklqwe",
    "changeme1234",
    "changemeplease",
    "correcthorsebatterystaple",
    "iloveyou1234",
    "iloveyousomuch",
    "letmein12345",
    "letmeinplease",
    "managermanager",
    "mypassword123",
    "p@ssw0rd1234",
    "p@ssword1234",
    "passw0rd1234",
    "password0123",
    "password1234",
    "password12345",
    "password123456",
    "passwordpassword",
    "q1w2e3r4t5y6",
    "qazwsxedcrfv",
    "qwerty123456",
    "qwerty1234567890",
    "qwertyqwerty",
    "qwertyuiop12",
    "qwertyuiop123",
    "qwertyuiopas",
    "qwertyuiopasdfghjklzxcvbnm",
    "superuser123",
    "switchyard12",
    "switchyard123",
    "telephone123",
    "thisismypassword",
    "trustno1trustno1",
    "welcome12345",
    "welcome123456",
    "zaq12wsxcde3",
    "zxcvbnm12345",
    "zxcvbnmasdfghjkl",
];

/// A password as somebody typed it, right or wrong: text in the normal form NFC, so that a password with an accent is
/// the same from every keyboard. Nothing else about it is changed.
pub struct Password(SecretString);

text_schema! {
    /// A password as it was typed.
    Password, { "format": "password", "maxLength": 4096 }
}

impl Password {
    /// Takes over what was typed.
    #[must_use]
    pub fn typed(text: &SecretString) -> Self {
        let text = text.expose_secret();
        // None that was chosen is written in as many bytes in any form, and a megabyte of accents would take its time.
        if text.len() > 4096 {
            return Self(text.into());
        }
        // NFC makes no text more than three times as long: no buffer grows and leaves a copy behind.
        let mut normal = Zeroizing::new(String::with_capacity(text.len() * 3));
        normal.extend(text.nfc());
        Self(normal.as_str().into())
    }

    /// The clear text, for hashing.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// A password that somebody chose and that is good enough to be kept (as a hash).
pub struct NewPassword(Password);

text_schema! {
    /// 12 to 128 characters in the normal form NFC, none of them a control character; nothing that is easily guessed.
    NewPassword, { "format": "password", "maxLength": 4096, "pattern": "^[^\\u0000-\\u001F\\u007F-\\u009F]*$" }
}

impl NewPassword {
    /// Takes over what the user of `email` chose.
    pub fn choose(text: &SecretString, email: &EmailAddress) -> Result<Self, Invalid> {
        let password = Password::typed(text);
        let exposed = password.expose();
        if !(12..=128).contains(&exposed.chars().count()) {
            return Err(Invalid::new(
                "must have 12 to 128 characters; a few words in a row are easy to keep in mind",
            ));
        }
        if exposed.chars().any(char::is_control) {
            return Err(Invalid::new(
                "must not contain line breaks or other control characters",
            ));
        }
        let folded = Zeroizing::new(exposed.to_lowercase());
        let local = email.as_str().split('@').next();
        if *folded == *email.as_str() || Some(folded.as_str()) == local {
            return Err(Invalid::new(
                "must not be the e-mail address; choose one that nobody can guess",
            ));
        }
        if COMMON.contains(&folded.as_str()) || has_few_letters(&folded) {
            return Err(Invalid::new(
                "is one of the first that are tried; choose one that nobody can guess",
            ));
        }
        Ok(Self(password))
    }

    /// As it will be typed at the next sign-in.
    #[must_use]
    pub fn into_password(self) -> Password {
        self.0
    }
}

/// Whether a text goes with fewer than five different characters: `aaaaaaaaaaaa`, `121212121212`.
fn has_few_letters(text: &str) -> bool {
    let is_new = |(index, letter): &(usize, char)| !text.chars().take(*index).any(|known| known == *letter);
    text.chars().enumerate().filter(is_new).take(5).count() < 5
}

/// What is kept of a password: salt, parameters and hash in one string of the PHC form, `$argon2id$v=19$m=…`.
#[derive(Clone)]
pub struct PasswordHash(SecretString);

impl PasswordHash {
    /// Takes over what was kept.
    pub fn parse(text: SecretString) -> Result<Self, Invalid> {
        let exposed = text.expose_secret();
        let is_one = exposed.starts_with("$argon2id$v=19$") && exposed.bytes().all(|b| b.is_ascii_graphic());
        if exposed.len() > 255 || !is_one {
            return Err(Invalid::new("must be an argon2id hash in the PHC form"));
        }
        Ok(Self(text))
    }

    /// The whole string, for keeping and for verifying.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// Whether it is still the one that was read before: nobody chooses either, so the time it takes tells nothing.
impl PartialEq for PasswordHash {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn choose(text: &str) -> Result<String, Invalid> {
        let email = "ann.with.a.long.name@example.com".parse().unwrap();
        NewPassword::choose(&text.into(), &email).map(|new| new.into_password().expose().to_owned())
    }

    #[rstest]
    #[case("apples pears and plums")]
    #[case(" blanks at both ends ")]
    #[case("пароль из многих букв")]
    #[case("🦊🐻🐼🐨🐯🦁🐮🐷🐸🐵🐔🐧")]
    #[case(&"abcde".repeat(25))]
    fn what_nobody_guesses_is_taken_as_it_is(#[case] text: &str) {
        assert_eq!(choose(text).as_deref(), Ok(text));
    }

    #[rstest]
    #[case::empty("", "must have 12 to 128 characters")]
    #[case::short("eleven char", "must have 12 to 128 characters")]
    #[case::long(&"abcdefg".repeat(20), "must have 12 to 128 characters")]
    #[case::long_in_bytes_short_in_letters("éééééé", "must have 12 to 128 characters")]
    #[case::line_break("apples pears\nand plums", "must not contain line breaks")]
    #[case::nul("apples pears\0and plums", "must not contain line breaks")]
    #[case::the_address("Ann.With.A.Long.Name@Example.com", "must not be the e-mail address")]
    #[case::the_address_without_host("ann.with.a.long.name", "must not be the e-mail address")]
    #[case::common("Password1234", "is one of the first that are tried")]
    #[case::one_letter("aaaaaaaaaaaa", "is one of the first that are tried")]
    #[case::a_pattern("1212121212121212", "is one of the first that are tried")]
    #[case::four_letters("abcdabcdabcdabcd", "is one of the first that are tried")]
    fn what_is_too_easy_is_refused_with_what_to_do(#[case] text: &str, #[case] reason: &str) {
        let refused = choose(text).unwrap_err();
        assert!(refused.reason().starts_with(reason), "{refused}");
    }

    #[test]
    fn an_accent_is_the_same_from_every_keyboard() {
        let composed = Password::typed(&"caf\u{e9} au lait".into());
        let decomposed = Password::typed(&"cafe\u{301} au lait".into());
        assert_eq!(composed.expose(), decomposed.expose());
        // Compatibility forms stay what they are.
        assert_ne!(
            Password::typed(&"ﬁne".into()).expose(),
            Password::typed(&"fine".into()).expose()
        );
    }

    #[test]
    fn the_longest_that_can_be_chosen_is_normalised_in_every_form() {
        // The character that canonical decomposition makes longest: four of them, eight bytes.
        let decomposed = "\u{3b1}\u{313}\u{300}\u{345}".repeat(128);
        assert_eq!(
            Password::typed(&decomposed.as_str().into()).expose(),
            "\u{1f82}".repeat(128)
        );
        let long = format!("{}e\u{301}", "x".repeat(4096));
        assert_eq!(Password::typed(&long.as_str().into()).expose(), long);
    }

    #[test]
    fn a_schema_takes_what_can_be_chosen_in_every_form() {
        let schema =
            <NewPassword as schemars::JsonSchema>::json_schema(&mut schemars::SchemaGenerator::default());
        let schema = jsonschema::validator_for(&schema.to_value()).unwrap();
        let decomposed = format!("pear{}", "\u{3b1}\u{313}\u{300}\u{345}".repeat(124));
        // Twelve characters, written in six.
        let composed = "\u{fb2c}\u{fb2c}\u{fb2c}abc";
        for text in ["apples pears and plums", &decomposed, composed] {
            assert!(choose(text).is_ok() && schema.is_valid(&text.into()), "{text}");
        }
        let broken = "two lines of\u{85}a password";
        assert!(choose(broken).is_err() && !schema.is_valid(&broken.into()));
    }

    #[test]
    fn the_common_ones_are_sorted_small_and_long_enough_to_be_asked_for() {
        assert!(
            COMMON
                .iter()
                .all(|text| text.len() >= 12 && *text == text.to_lowercase())
        );
        assert!(COMMON.iter().all(|text| choose(text).is_err()));
    }

    #[test]
    fn a_hash_of_another_kind_is_refused() {
        for text in [
            "",
            "secret",
            "$argon2i$v=19$m=8,t=1,p=1$x$y",
            "$2b$10$x",
            "$argon2id$v=19$ x",
        ] {
            assert!(PasswordHash::parse(text.into()).is_err(), "{text}");
        }
        assert!(PasswordHash::parse("$argon2id$v=19$m=8,t=1,p=1$x$y".into()).is_ok());
    }
}
