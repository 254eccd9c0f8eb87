//! Names that people have, or give to things: free text that cannot break a line, a field or a display.

use std::ops::RangeInclusive;

use super::invalid::Invalid;
use super::parsed::parsed_text;

/// One character of a plain text as a regular expression, less those of `$more`.
macro_rules! plain {
    ($($more:literal)?) => {
        concat!(
            "[^\\u0000-\\u001F\\u007F-\\u009F\\u00AD\\u034F\\u061C\\u115F\\u1160\\u17B4\\u17B5\\u180B-\\u180F",
            "\\u200B-\\u200F\\u2028-\\u202E\\u2060-\\u206F\\u3164\\uFEFF\\uFFA0\\uFFF0-\\uFFFB",
            "\u{1BCA0}-\u{1BCA3}\u{1D173}-\u{1D17A}\u{E0000}-\u{E0FFF}",
            $($more,)?
            "]",
        )
    };
}

/// One that is no blank.
macro_rules! visible {
    () => {
        plain!(" \\u00A0\\u1680\\u2000-\\u200A\\u202F\\u205F\\u3000")
    };
}

parsed_text! {
    /// A tenant's name: 3 to 50 characters.
    TenantName, tenant_name, schema { "minLength": 3, "maxLength": 50, "pattern": PLAIN_TEXT }
}

parsed_text! {
    /// The name of an extension as phones show it: 1 to 64 characters and at most 79 bytes of UTF-8, since
    /// Asterisk keeps caller names and mailbox names in 80 bytes and would cut a longer one in the middle.
    DisplayName, display_name, schema { "minLength": 1, "maxLength": 64, "pattern": PLAIN_TEXT }
}

parsed_text! {
    /// A person's name: 1 to 100 characters.
    PersonName, person_name, schema { "minLength": 1, "maxLength": 100, "pattern": PLAIN_TEXT }
}

parsed_text! {
    /// The name of a role: 2 to 50 characters.
    RoleName, role_name, schema { "minLength": 2, "maxLength": 50, "pattern": PLAIN_TEXT }
}

parsed_text! {
    /// The name of an API key: 1 to 50 characters.
    KeyName, key_name, schema { "minLength": 1, "maxLength": 50, "pattern": PLAIN_TEXT }
}

parsed_text! {
    /// The name of a PBX instance: 1 to 50 letters, digits, `.`, `_` or `-`.
    InstanceName, instance_name, schema { "pattern": "^[A-Za-z0-9._-]{1,50}$" }
}

parsed_text! {
    /// The name of an issuer of identities: 1 to 50 letters, digits, `.`, `_` or `-`.
    IssuerName, instance_name, schema { "pattern": "^[A-Za-z0-9._-]{1,50}$" }
}

/// What [`plain_text`] takes, but for the empty text: neither a control nor an invisible character, and no blank at
/// either end.
pub(super) const PLAIN_TEXT: &str = concat!("^", visible!(), "(", plain!(), "*", visible!(), ")?$");

/// The same on any number of lines, with tabs, with what [`joins`], and with blanks and empty lines at either end.
pub(super) const PLAIN_LINES: &str = concat!(
    "^[\\t\\n\\r\\u00AD\\u200C\\u200D \\u00A0\\u1680\\u2000-\\u200A\\u202F\\u205F\\u3000]*",
    visible!(),
    "([\\t\\n\\r\\u00AD\\u200C\\u200D]|",
    plain!(),
    ")*$"
);

fn tenant_name(text: &str) -> Result<String, Invalid> {
    sized(text, 3..=50, "must have 3 to 50 characters")
}

fn person_name(text: &str) -> Result<String, Invalid> {
    sized(text, 1..=100, "must have 1 to 100 characters")
}

fn role_name(text: &str) -> Result<String, Invalid> {
    sized(text, 2..=50, "must have 2 to 50 characters")
}

fn key_name(text: &str) -> Result<String, Invalid> {
    sized(text, 1..=50, "must have 1 to 50 characters")
}

fn sized(text: &str, length: RangeInclusive<usize>, refused: &'static str) -> Result<String, Invalid> {
    plain_text(text)?;
    if length.contains(&text.chars().count()) {
        Ok(text.to_owned())
    } else {
        Err(Invalid::new(refused))
    }
}

fn display_name(text: &str) -> Result<String, Invalid> {
    plain_text(text)?;
    if text.is_empty() || text.chars().count() > 64 || text.len() > 79 {
        return Err(Invalid::new("must have 1 to 64 characters (at most 79 bytes)"));
    }
    // app_voicemail splits a mailbox's line there, and knows no way to escape it (measured).
    if text.contains(',') {
        return Err(Invalid::new(
            "must not contain a comma, which a mailbox's name cannot hold",
        ));
    }
    Ok(text.to_owned())
}

fn instance_name(text: &str) -> Result<String, Invalid> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.is_empty() || text.len() > 50 || !text.chars().all(allowed) {
        return Err(Invalid::new("must have 1 to 50 letters, digits, `.`, `_` or `-`"));
    }
    Ok(text.to_owned())
}

/// Text on one line that shows what it is: no control characters, no invisible ones that reorder or hide
/// the rest, no blank at either end.
pub(in crate::domain) fn plain_text(text: &str) -> Result<(), Invalid> {
    if text.chars().any(char::is_control) {
        return Err(Invalid::new(
            "must not contain line breaks or other control characters",
        ));
    }
    if text.chars().any(is_invisible) {
        return Err(Invalid::new(
            "must not contain invisible or direction-changing characters",
        ));
    }
    if text.trim() != text {
        return Err(Invalid::new("must not begin or end with a blank"));
    }
    Ok(())
}

/// Format characters of Unicode that change how the rest is read: direction marks, embeddings, isolates,
/// zero-width characters, line and paragraph separators, the byte-order mark and tags.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
        | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Those of the [invisible](is_invisible) characters that say how their two neighbours are written: the joiner of emoji and
/// the non-joiner, without which some languages are not spelled right, and the hyphen where a word may be broken.
pub(super) const fn joins(c: char) -> bool {
    matches!(c, '\u{00AD}' | '\u{200C}' | '\u{200D}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case::line_break("Eve\n[evil]")]
    #[case::carriage_return("Eve\rx")]
    #[case::nul("Eve\0")]
    #[case::rtl_override("Eve\u{202E}xx")]
    #[case::zero_width("E\u{200B}ve")]
    #[case::line_separator("Eve\u{2028}x")]
    #[case::leading_blank(" Eve")]
    #[case::empty("")]
    #[case::field_separator("Doe, John")]
    fn hostile_display_names_are_refused(#[case] text: &str) {
        assert!(text.parse::<DisplayName>().is_err());
    }

    #[test]
    fn a_long_name_is_refused_by_bytes_too() {
        assert!("é".repeat(39).parse::<DisplayName>().is_ok());
        assert!("é".repeat(40).parse::<DisplayName>().is_err());
        assert!("x".repeat(10_000).parse::<DisplayName>().is_err());
    }

    #[rstest]
    #[case("Zoë \"The Doc\" O'Hara; #exec ${X} ]")]
    #[case("a|b")]
    #[case("\\")]
    fn punctuation_is_a_name(#[case] text: &str) {
        assert_eq!(text.parse::<DisplayName>().map(String::from).as_deref(), Ok(text));
    }

    #[test]
    fn o23_a_tenant_name_has_3_to_50_characters() {
        assert!("ab".parse::<TenantName>().is_err());
        assert!("abc".parse::<TenantName>().is_ok());
        assert!("x".repeat(50).parse::<TenantName>().is_ok());
        assert!("x".repeat(51).parse::<TenantName>().is_err());
    }

    proptest! {
        #[test]
        fn what_parses_is_one_visible_line(text in any::<String>()) {
            if let Ok(name) = text.parse::<DisplayName>() {
                prop_assert!(!name.as_str().chars().any(|c| c.is_control() || is_invisible(c)));
                prop_assert!(name.as_str().len() <= 79);
            }
        }
    }
}
