//! What people write into tickets: data wherever it is shown, and nothing in it that would hide or reorder the rest.

use super::invalid::Invalid;
use super::name::{PLAIN_LINES, PLAIN_TEXT, is_invisible, joins, plain_text};
use super::parsed::parsed_text;

/// The longest subject, in characters.
const LONGEST_SUBJECT: usize = 200;
/// The longest text, in characters.
const LONGEST_TEXT: usize = 10_000;

parsed_text! {
    /// What a ticket is about: 1 to 200 characters on one line.
    TicketSubject, subject, schema { "minLength": 1, "maxLength": LONGEST_SUBJECT, "pattern": PLAIN_TEXT }
}

parsed_text! {
    /// What somebody writes into a ticket: 1 to 10000 characters on any number of lines. Blanks and empty lines at either end
    /// go, and each line ends with a line feed, whatever it was sent with.
    TicketText, text, schema { "minLength": 1, "maxLength": LONGEST_TEXT, "pattern": PLAIN_LINES }
}

fn subject(text: &str) -> Result<String, Invalid> {
    plain_text(text)?;
    if (1..=LONGEST_SUBJECT).contains(&text.chars().count()) {
        Ok(text.to_owned())
    } else {
        Err(Invalid::new("must have 1 to 200 characters"))
    }
}

fn text(text: &str) -> Result<String, Invalid> {
    let allowed = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    if !text.chars().all(allowed) {
        return Err(Invalid::new(
            "must not contain control characters other than line breaks and tabs",
        ));
    }
    if text.chars().any(|c| is_invisible(c) && !joins(c)) {
        return Err(Invalid::new(
            "must not contain invisible or direction-changing characters",
        ));
    }
    // Of what was sent: what is taken away here is no reason to take more.
    let length = text.chars().count();
    let text = text.trim();
    let shows_nothing = text.chars().all(|c| c.is_whitespace() || joins(c));
    if shows_nothing || length > LONGEST_TEXT {
        return Err(Invalid::new(
            "must have 1 to 10000 characters, one of them to be seen",
        ));
    }
    Ok(text.replace("\r\n", "\n").replace('\r', "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::one_line("No dial tone", "No dial tone")]
    #[case::lines("Hello,\r\n\r\n\tno dial tone\rBye", "Hello,\n\n\tno dial tone\nBye")]
    #[case::ends(" \n text \n\u{A0}", "text")]
    #[case::joined_emoji(
        "\u{1F469}\u{200D}\u{1F527} is on it \u{26A1}\u{FE0F}",
        "\u{1F469}\u{200D}\u{1F527} is on it \u{26A1}\u{FE0F}"
    )]
    #[case::joiners(
        "\u{200C}\u{646}\u{645}\u{6CC}\u{200C}\u{62A}\u{648}, tele\u{AD}phone",
        "\u{200C}\u{646}\u{645}\u{6CC}\u{200C}\u{62A}\u{648}, tele\u{AD}phone"
    )]
    #[case::markup(
        "<script>alert(1)</script> ${EXTEN} '; drop",
        "<script>alert(1)</script> ${EXTEN} '; drop"
    )]
    fn a16_a_text_is_kept_as_it_was_written(#[case] sent: &str, #[case] kept: &str) {
        let parsed = sent.parse::<TicketText>().unwrap();
        assert_eq!(parsed.as_str(), kept);
        assert_eq!(parsed.as_str().parse(), Ok(parsed));
    }

    #[rstest]
    #[case::empty("")]
    #[case::blank(" \r\n\t\u{A0}")]
    #[case::joiners_alone(" \u{200D}\n\u{AD}\u{200C}")]
    #[case::nul("a\0b")]
    #[case::escape("a\u{1B}[2Jb")]
    #[case::bell("a\u{7}b")]
    #[case::next_line("a\u{85}b")]
    #[case::reordered("a\u{202E}b")]
    #[case::isolated("a\u{2066}b\u{2069}")]
    #[case::mark("a\u{200E}b")]
    #[case::zero_width("a\u{200B}b")]
    #[case::word_joiner("a\u{2060}b")]
    #[case::tag("a\u{E0041}b")]
    #[case::line_separator("a\u{2028}b")]
    fn a16_what_would_hide_or_reorder_the_rest_is_refused(#[case] sent: &str) {
        assert!(sent.parse::<TicketText>().is_err());
        assert!(sent.parse::<TicketSubject>().is_err());
    }

    #[test]
    fn a16_a_subject_holds_nothing_that_cannot_be_seen() {
        for subject in ["a\u{200D}b", "a\u{200C}b", "a\u{AD}b"] {
            assert!(subject.parse::<TicketText>().is_ok(), "{subject:?}");
            assert!(subject.parse::<TicketSubject>().is_err(), "{subject:?}");
        }
    }

    #[test]
    fn a16_a_subject_is_one_line_of_200_characters_and_a_text_has_10000() {
        assert!("é".repeat(200).parse::<TicketSubject>().is_ok());
        assert!("é".repeat(201).parse::<TicketSubject>().is_err());
        assert!("two\nlines".parse::<TicketSubject>().is_err());
        assert!("é".repeat(10_000).parse::<TicketText>().is_ok());
        assert!("é".repeat(10_001).parse::<TicketText>().is_err());
        assert!(format!("a{}", "\n".repeat(10_000)).parse::<TicketText>().is_err());
    }
}
