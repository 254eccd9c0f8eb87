//! What stands on a PBX and was not made here: extensions that can be brought in, and what is left where it is.

use secrecy::SecretString;

use super::extension_input::ExtensionInput;
use super::name::is_invisible;

/// What phones of a found extension sign in with.
pub enum FoundSecret {
    /// Nothing that could be taken over; the text says why.
    None(String),
    /// It is named, and is not there: what else it lacks nobody knows. The text says what is missing.
    Lost(String),
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
    /// Whether it is served there; if not, it is not to be served here either.
    pub is_served: bool,
    /// What of it is not taken over as it is, and why.
    pub notes: Vec<String>,
    /// What it has.
    pub found: Found,
}

/// Tenants, and what belongs to none of them.
#[derive(Default)]
pub struct FoundTenants {
    /// By place.
    pub tenants: Vec<FoundTenant>,
    /// By place.
    pub aside: Vec<FoundAside>,
}

/// An extension's name without what no name may hold; so somebody's `Doe, John` is `Doe John`. Gives whether anything changed.
#[must_use]
pub fn tidy_name(text: &str) -> (String, bool) {
    let tidy = tidy(text, LONGEST_NAME, LONGEST_NAME_BYTES);
    let changed = tidy != text.trim();
    (tidy, changed)
}

/// A tenant's name: how it is described, or else its domain.
#[must_use]
pub fn tenant_name(described: &str, domain: &str) -> String {
    let [described, domain] = [described, domain].map(|text| tidy(text, LONGEST_TENANT_NAME, usize::MAX));
    if described.chars().count() < SHORTEST_TENANT_NAME {
        domain
    } else {
        described
    }
}

/// Commas, controls and what was no UTF-8 become blanks, invisible characters go, and what is too long ends behind a word.
fn tidy(text: &str, longest: usize, longest_bytes: usize) -> String {
    let spaced: String = text
        .chars()
        .filter(|c| c.is_whitespace() || !is_invisible(*c))
        .map(|c| {
            let is_none = matches!(c, ',' | char::REPLACEMENT_CHARACTER) || c.is_control();
            if is_none { ' ' } else { c }
        })
        .collect();
    let mut tidy = String::new();
    for word in spaced.split_whitespace() {
        let blank = usize::from(!tidy.is_empty());
        let fits = tidy.len() + blank + word.len() <= longest_bytes
            && tidy.chars().count() + blank + word.chars().count() <= longest;
        if fits {
            tidy.extend((blank == 1).then_some(' '));
            tidy.push_str(word);
        } else {
            if tidy.is_empty() {
                tidy = cut(word, longest, longest_bytes);
            }
            break;
        }
    }
    tidy
}

fn cut(word: &str, longest: usize, longest_bytes: usize) -> String {
    let mut bytes = 0;
    let kept = word.chars().take(longest).take_while(|c| {
        bytes += c.len_utf8();
        bytes <= longest_bytes
    });
    kept.collect()
}

/// As [`DisplayName`](super::name::DisplayName) has it.
const LONGEST_NAME: usize = 64;
/// As above, in bytes.
const LONGEST_NAME_BYTES: usize = 79;
/// As [`TenantName`](super::name::TenantName) has it.
const SHORTEST_TENANT_NAME: usize = 3;
/// The other end.
const LONGEST_TENANT_NAME: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::{DisplayName, TenantName};
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

    #[test]
    fn a_word_that_is_too_long_is_cut_and_what_nobody_sees_goes() {
        assert_eq!(tidy_name(&"x".repeat(70)), ("x".repeat(64), true));
        assert_eq!(tidy_name(&"ä".repeat(70)).0, "ä".repeat(39));
        assert_eq!(
            tidy_name("A\u{200b}n\u{ad}n\u{2028}B\u{fffd}b"),
            ("Ann B b".to_owned(), true)
        );
    }

    #[test]
    fn a_tenant_is_called_as_it_is_described_or_else_by_its_domain() {
        assert_eq!(tenant_name("The first one", "pbx.example.com"), "The first one");
        assert_eq!(tenant_name("\u{200b}", "pbx.example.com"), "pbx.example.com");
        let described = format!("{} and more", "x".repeat(49));
        assert_eq!(tenant_name(&described, ""), "x".repeat(49));
        assert_eq!(
            tenant_name("", &format!("{}.example.com", "x".repeat(48))).len(),
            50
        );
    }

    /// Any character, those that are not seen, and those that part words more often than chance gives them.
    fn texts() -> impl Strategy<Value = String> {
        let odd = "[a,\u{ad}\u{200b}-\u{200f}\u{2028}\u{fffd}\u{feff}\u{e0001} \t\u{a0}\u{3000}ä𝄞]{0,90}";
        prop_oneof![any::<String>(), odd]
    }

    proptest! {
        #[test]
        fn whatever_somebody_wrote_becomes_a_name_or_nothing(text in texts()) {
            let (tidy, _) = tidy_name(&text);
            prop_assert!(tidy.is_empty() || tidy.parse::<DisplayName>().is_ok(), "{tidy:?}");
        }

        #[test]
        fn whatever_somebody_wrote_of_a_domain_its_tenant_has_a_name(text in texts()) {
            let name = tenant_name(&text, "acme.example.com");
            prop_assert!(name.parse::<TenantName>().is_ok(), "{name:?}");
        }
    }
}
