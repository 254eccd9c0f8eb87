//! The outbox: what waits to be sent out of the house, whatever it is.

use std::time::Duration;

use uuid::Uuid;

use super::invalid::Invalid;
use super::parsed::{parsed_text, word_enum};

word_enum! {
    /// What is sent, and so by whom.
    MessageKind {
        /// A mail.
        Mail = "mail",
    }
}

/// What is to be sent is left alone for less than that: the longest pause, and what the clocks of two hosts may differ by. What
/// would be for longer was noted by a clock that was ahead, or this one is behind.
pub const FARTHEST: Duration = Duration::from_mins(65);

parsed_text! {
    /// What a message is about, such as `invitation/<id>`: by that it is found again, to take it back.
    ///
    /// Stored as it is, so it names things by their ids, never a person.
    Subject, subject
}

impl Subject {
    /// A thing by its kind, a word of small letters, digits and hyphens.
    pub fn of(kind: &str, id: Uuid) -> Result<Self, Invalid> {
        format!("{kind}/{}", id.hyphenated()).parse()
    }
}

fn subject(text: &str) -> Result<String, Invalid> {
    let refused = || Invalid::new("must be a kind and an id, such as `invitation/<uuid>`");
    let (kind, id) = text.split_once('/').ok_or_else(refused)?;
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !(1..=40).contains(&kind.len()) || !kind.bytes().all(is_letter) {
        return Err(refused());
    }
    let id = Uuid::parse_str(id).map_err(|_| refused())?;
    Ok(format!("{kind}/{}", id.hyphenated()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_a_kind_and_an_id() {
        let subject = Subject::of("password-reset", Uuid::from_u128(7)).unwrap();
        assert_eq!(
            subject.as_str(),
            "password-reset/00000000-0000-0000-0000-000000000007"
        );
        assert_eq!(subject.as_str().parse::<Subject>(), Ok(subject));
        for wrong in [
            "invitation",
            "invitation/ann@example.com",
            "/x",
            "A b/00000000-0000-0000-0000-000000000007",
        ] {
            assert!(wrong.parse::<Subject>().is_err(), "{wrong}");
        }
    }
}
