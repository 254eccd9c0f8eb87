//! What a PBX tells of a call in words that somebody outside may have chosen: kept as data, whatever it says.

use super::invalid::Invalid;
use super::name::is_invisible;
use super::parsed::parsed_text;

/// More than any number or name on a phone's display.
const LONGEST: usize = 128;

parsed_text! {
    /// A number or a name as the PBX told it: 1 to 128 characters, none of them a control or an invisible character.
    ///
    /// A caller chooses it, from anywhere: it is shown and searched for, and never dialled.
    CallText, call_text, schema { "minLength": 1, "maxLength": LONGEST }
}

parsed_text! {
    /// By which a PBX knows a call: 1 to 150 letters, digits, `.`, `_`, `-` and `:`.
    PbxCallId, pbx_call_id, schema { "pattern": "^[A-Za-z0-9._:-]{1,150}$" }
}

parsed_text! {
    /// Why a call ended, in the PBX's own word: `NORMAL_CLEARING`.
    HangupCause, hangup_cause, schema { "pattern": "^[A-Z0-9_]{1,64}$" }
}

impl CallText {
    /// What can be shown of a text, if anything can: characters that would change how the rest is shown go, and what is
    /// longer than a display.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let shown: String = text
            .chars()
            .filter(|c| !c.is_control() && !is_invisible(*c))
            .take(LONGEST)
            .collect();
        let shown = shown.trim();
        (!shown.is_empty()).then(|| Self(shown.to_owned()))
    }
}

fn call_text(text: &str) -> Result<String, Invalid> {
    match CallText::of(text) {
        Some(shown) if shown.as_str() == text => Ok(shown.0),
        _ => Err(Invalid::new(
            "must have 1 to 128 characters, no blank at either end, and neither control nor invisible ones",
        )),
    }
}

fn pbx_call_id(text: &str) -> Result<String, Invalid> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':');
    if text.is_empty() || text.len() > 150 || !text.chars().all(allowed) {
        return Err(Invalid::new(
            "must have 1 to 150 letters, digits, `.`, `_`, `-` or `:`",
        ));
    }
    Ok(text.to_owned())
}

fn hangup_cause(text: &str) -> Result<String, Invalid> {
    let allowed = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    if text.is_empty() || text.len() > 64 || !text.chars().all(allowed) {
        return Err(Invalid::new(
            "must be a word of 1 to 64 capital letters, digits and `_`",
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("=cmd|' /C calc'!A0", Some("=cmd|' /C calc'!A0"))]
    #[case("<script>alert(1)</script>", Some("<script>alert(1)</script>"))]
    #[case(" a\r\nAction: Originate\0\u{202E}b ", Some("aAction: Originateb"))]
    #[case("\u{200B}\t", None)]
    #[case("", None)]
    fn a11_what_a_caller_calls_himself_is_kept_as_far_as_it_can_be_shown(
        #[case] text: &str,
        #[case] kept: Option<&str>,
    ) {
        assert_eq!(CallText::of(text).as_ref().map(CallText::as_str), kept);
    }

    #[test]
    fn a_longer_text_is_cut_and_reads_back() {
        let kept = CallText::of(&"é".repeat(500)).unwrap();
        assert_eq!(kept.as_str().chars().count(), LONGEST);
        assert_eq!(kept.as_str().parse(), Ok(kept));
    }

    #[rstest]
    #[case("1795911390.0", true)]
    #[case("pbx-1-1795911390.12", true)]
    #[case("20b13f5e-8da5-4b94-ba0f-f7d7946ddb6b", true)]
    #[case("../../etc/passwd", false)]
    #[case("a/b", false)]
    #[case("", false)]
    fn a_call_is_known_by_a_word(#[case] text: &str, #[case] good: bool) {
        assert_eq!(text.parse::<PbxCallId>().is_ok(), good);
    }
}
