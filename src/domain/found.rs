//! What stands on a PBX and was not made here: extensions that can be brought in, and what is left where it is.

use secrecy::SecretString;

use super::extension_input::ExtensionInput;

/// What phones of a found extension sign in with.
pub enum FoundSecret {
    /// Nothing that could be taken over; the text says why.
    None(String),
    /// The password, whatever its form.
    Password(SecretString),
    /// A digest of number, realm and password.
    Digest {
        /// What it was made for.
        realm: String,
        /// The digest.
        ha1: SecretString,
    },
}

/// An extension as somebody else wrote it. Nothing of it is checked yet.
pub struct FoundExtension {
    /// Where it stands, such as `pjsip.conf:12`: so that a person finds it again.
    pub place: String,
    /// All but its secrets.
    pub input: ExtensionInput,
    /// What its phones sign in with.
    pub secret: FoundSecret,
    /// Its mailbox's PIN.
    pub pin: Option<SecretString>,
    /// What of it is not taken over as it is, and why.
    pub notes: Vec<String>,
}

/// Something that looks like an extension, and is none that could be brought in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundAside {
    /// Where it stands.
    pub place: String,
    /// As it is called there.
    pub name: String,
    /// Why it stays where it is.
    pub reason: String,
}

/// Extensions, and what stands beside them.
#[derive(Default)]
pub struct Found {
    /// By place.
    pub extensions: Vec<FoundExtension>,
    /// By place.
    pub aside: Vec<FoundAside>,
}

/// A tenant of a PBX that parts them by domains.
pub struct FoundTenant {
    /// Where it stands.
    pub place: String,
    /// Its domain.
    pub domain: String,
    /// As people call it.
    pub name: String,
    /// What it has.
    pub found: Found,
}

/// Characters that no name may hold become blanks; so somebody's `Doe, John` is `Doe John`. Gives whether anything changed.
#[must_use]
pub fn tidy_name(text: &str) -> (String, bool) {
    let spaced: String = text
        .chars()
        .map(|c| if c == ',' || c.is_control() { ' ' } else { c })
        .collect();
    let mut tidy = String::new();
    for word in spaced.split_whitespace() {
        let blank = usize::from(!tidy.is_empty());
        let fits = tidy.len() + blank + word.len() <= LONGEST_NAME_BYTES
            && tidy.chars().count() + blank + word.chars().count() <= LONGEST_NAME;
        if !fits {
            break;
        }
        if blank == 1 {
            tidy.push(' ');
        }
        tidy.push_str(word);
    }
    let changed = tidy != text.trim();
    (tidy, changed)
}

/// As [`DisplayName`](super::name::DisplayName) has it.
const LONGEST_NAME: usize = 64;
/// As above, in bytes.
const LONGEST_NAME_BYTES: usize = 79;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::DisplayName;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("Ann", "Ann", false)]
    #[case(" Ann ", "Ann", false)]
    #[case("Doe, John", "Doe John", true)]
    #[case("a\tb\nc", "a b c", true)]
    #[case("", "", false)]
    fn a_name_is_tidied(#[case] given: &str, #[case] tidy: &str, #[case] changed: bool) {
        assert_eq!(tidy_name(given), (tidy.to_owned(), changed));
    }

    proptest! {
        #[test]
        fn a_tidy_name_of_visible_characters_is_a_name(text in "[ -~äöü,\t]{0,90}") {
            let (tidy, _) = tidy_name(&text);
            prop_assert!(tidy.is_empty() || tidy.parse::<DisplayName>().is_ok(), "{tidy:?}");
        }
    }
}
