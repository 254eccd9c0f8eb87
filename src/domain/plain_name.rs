//! Names for what would take a part of them as code: FusionPBX writes them into XML without escaping, and FreeSWITCH looks
//! for variables in what it is given.

/// The same text with a blank in place of each run of characters that mean something to XML, to Lua, or to FreeSWITCH's
/// variables and lists. Letters of every script, digits and what stands between names stay.
#[must_use]
pub fn plain(text: &str) -> String {
    let kept = |c: char| {
        c.is_alphanumeric() || matches!(c, '.' | ',' | '-' | '_' | '(' | ')' | '/' | '+' | ':' | '@')
    };
    let mut plain = String::with_capacity(text.len());
    for word in text.split(|c: char| !kept(c)).filter(|word| !word.is_empty()) {
        if !plain.is_empty() {
            plain.push(' ');
        }
        plain.push_str(word);
    }
    plain
}

/// Whether a text is such a one already: it can be written as it is.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    plain(text) == text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_stay_as_people_write_them() {
        for name in [
            "Ann Müller",
            "Łódź (2. floor)",
            "佐藤, Support",
            "Dr. A-B_c/d + e",
        ] {
            assert_eq!(plain(name), name);
        }
        assert_eq!(
            plain("Zoë \"The Doc\" O'Hara; #exec ${EXTEN} ] \\"),
            "Zoë The Doc O Hara exec EXTEN"
        );
        assert_eq!(plain("<&>"), "");
    }

    proptest! {
        #[test]
        fn nothing_is_left_that_means_something_to_somebody(text in any::<String>()) {
            let plain = plain(&text);
            let means_something = |c: char| "<>&'\"$`{}[]\\;|^~=#%!*?".contains(c) || c.is_control();
            let left = plain.contains(means_something);
            prop_assert!(!left);
            prop_assert_eq!(plain.trim(), plain.as_str());
        }
    }
}
