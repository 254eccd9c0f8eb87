//! The program that a request came from, as it names itself.

use std::fmt;

/// The `User-Agent` of a request: at most 256 characters, none of them a control character.
///
/// Nobody is refused for what a browser or a proxy makes of it: what is too long is cut.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserAgent(String);

impl UserAgent {
    /// More than this says nothing about a program.
    pub const LONGEST: usize = 256;

    /// Of the header's bytes; none where it says nothing.
    #[must_use]
    pub fn of(header: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(header);
        let plain = text.trim().chars().map(|c| {
            if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        });
        let text: String = plain.take(Self::LONGEST).collect();
        (!text.is_empty()).then_some(Self(text))
    }
}

impl fmt::Display for UserAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(b" curl/8.5.0 ", Some("curl/8.5.0"))]
    #[case(b"a\tb\0c", Some("a\u{FFFD}b\u{FFFD}c"))]
    #[case(b"Zo\xeb", Some("Zo\u{FFFD}"))]
    #[case(b"  ", None)]
    #[case(b"", None)]
    fn o61_it_holds_nothing_that_breaks_a_line_or_a_database(
        #[case] header: &[u8],
        #[case] expected: Option<&str>,
    ) {
        let agent = UserAgent::of(header).map(|agent| agent.to_string());
        assert_eq!(agent.as_deref(), expected);
    }

    #[test]
    fn o61_it_is_cut_where_it_is_too_long() {
        let agent = UserAgent::of("é".repeat(1_000).as_bytes()).unwrap();
        assert_eq!(agent.to_string(), "é".repeat(UserAgent::LONGEST));
    }
}
