//! A leg of a call as a PBX tells of it: who is at its end, whose it may be, and whether it was answered.

use std::fmt;

use jiff::Timestamp;

use super::dial::ExtensionNumber;
use super::name::is_invisible;
use super::sip_domain::SipDomain;

/// The most bytes of an id: Asterisk's have at most 150.
const LONGEST_ID: usize = 150;
/// The most characters that are kept of what somebody else wrote.
const LONGEST_TEXT: usize = 80;

/// What a PBX calls a leg. It gives none of them twice.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LegId(Box<str>);

impl LegId {
    /// `None` where no PBX would give such an id: it is empty, or too long to be kept.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        (1..=LONGEST_ID).contains(&text.len()).then(|| Self(text.into()))
    }

    /// As the PBX writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What somebody on the other side wrote: a number, a name. It is cut to 80 characters, and what cannot be printed, or
/// would change how the rest is read, is replaced by U+FFFD.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WireText(Box<str>);

impl WireText {
    /// Of whatever came.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let kept = text.chars().take(LONGEST_TEXT);
        let printable = kept.map(|c| {
            if c.is_control() || is_invisible(c) {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        });
        Self(printable.collect::<String>().into())
    }

    /// What is kept of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// An extension as a PBX knows it: `1001` at `acme.example.com`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Endpoint {
    /// Its number.
    pub number: ExtensionNumber,
    /// Its tenant's domain.
    pub domain: SipDomain,
}

impl Endpoint {
    /// Of `1001@acme.example.com`, which must be nothing else: a domain that only begins or ends alike is another one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (number, domain) = text.rsplit_once('@')?;
        Some(Self {
            number: number.parse().ok()?,
            domain: domain.parse().ok()?,
        })
    }
}

/// A leg as it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leg {
    /// Its id.
    pub id: LegId,
    /// The id of the call: that of the leg which it began with.
    pub call: LegId,
    /// The domains that may say whose it is; the first that is a tenant's does.
    pub domains: Vec<SipDomain>,
    /// The extension at its end; none where it leads out of the PBX, or to none.
    pub endpoint: Option<Endpoint>,
    /// Whether it is one of the two halves that lead from one part of the PBX into another: nobody is at its end.
    pub is_local: bool,
    /// Whether it was answered.
    pub is_up: bool,
    /// The number of whoever is at its end, as they or the PBX write it.
    pub number: WireText,
    /// The number of whoever they talk to, as far as the PBX says.
    pub connected: WireText,
    /// What was dialled on it; none where that is not told.
    pub dialled: Option<WireText>,
    /// When it began, to the second.
    pub created_at: Option<Timestamp>,
    /// When it was answered, where the PBX says so.
    pub answered_at: Option<Timestamp>,
}

/// One place at which a phone can be reached.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Contact {
    /// Whose phone it is.
    pub endpoint: Endpoint,
    /// What tells it from the other phones of the extension.
    pub name: WireText,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_endpoint_is_a_number_at_a_whole_domain() {
        let endpoint = Endpoint::parse("1001@acme.example.com").unwrap();
        assert_eq!(endpoint.number.as_str(), "1001");
        assert_eq!(endpoint.domain.as_str(), "acme.example.com");
        for other in [
            "1001",
            "@acme.example.com",
            "1001@acme",
            "trunk@acme.example.com",
            "1001@globex.example.com@",
            "",
        ] {
            assert_eq!(Endpoint::parse(other), None, "{other}");
        }
        let twice = Endpoint::parse("1001@globex.example.com@acme.example.com");
        assert_eq!(twice, None, "what is before the last `@` is no number");
    }

    #[test]
    fn nobody_writes_a_number_that_reads_as_another() {
        for (hidden, written) in [
            ("direction is overridden", '\u{202E}'),
            ("direction is isolated", '\u{2066}'),
            ("direction is marked", '\u{200F}'),
            ("nothing is there", '\u{200B}'),
            ("words are joined", '\u{2060}'),
            ("a mark begins a file", '\u{FEFF}'),
            ("a line ends", '\u{2028}'),
            ("a paragraph ends", '\u{2029}'),
            ("a tag is hidden", '\u{E0031}'),
        ] {
            let kept = WireText::of(&format!("10{written}01"));
            assert_eq!(kept.as_str(), "10\u{FFFD}01", "{hidden}");
        }
        assert_eq!(WireText::of("Zoë Łę 王小明").as_str(), "Zoë Łę 王小明");
    }

    proptest! {
        #[test]
        fn whatever_somebody_writes_stays_short_and_printable(
            text in "(\\PC|\\p{Cc}|\\p{Cf}|\\p{Zl}|\\p{Zp}){0,100}",
        ) {
            let kept = WireText::of(&text);
            prop_assert!(kept.as_str().chars().count() <= LONGEST_TEXT);
            let is_hidden = |c: char| c.is_control() || is_invisible(c);
            prop_assert!(!kept.as_str().chars().any(is_hidden));
        }

        #[test]
        fn an_id_is_kept_whole_or_not_at_all(text in "\\PC{0,200}") {
            let id = LegId::new(&text);
            prop_assert_eq!(id.is_some(), !text.is_empty() && text.len() <= LONGEST_ID);
            prop_assert!(id.is_none_or(|id| id.as_str() == text));
        }
    }
}
