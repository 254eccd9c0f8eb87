//! Somebody who is taken out of records of calls: a made-up name stands where their number stood, and their own name goes.

use super::call_part::{CallPart, Phone};
use super::call_text::CallText;
use super::dial::ExtensionNumber;
use super::ids::ExtensionId;

/// Who is taken out, and what stands in their place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stranger {
    /// Their number, as a PBX tells it.
    pub number: CallText,
    /// The same where it may be the tenant's own phone.
    pub phone: Option<ExtensionNumber>,
    /// Their extension, where they are known by that: it may be gone by now, and its number somebody else's.
    pub extension: Option<ExtensionId>,
    /// What stands in its place.
    pub pseudonym: CallText,
}

impl Stranger {
    /// None where the number is none that a PBX tells.
    #[must_use]
    pub fn new(number: &str, pseudonym: CallText) -> Option<Self> {
        Some(Self {
            number: CallText::of(number)?,
            phone: number.parse().ok(),
            extension: None,
            pseudonym,
        })
    }

    /// Takes them out of a number, if it is theirs.
    pub fn replace(&self, number: &mut Option<CallText>) -> bool {
        let is_theirs = number.as_ref() == Some(&self.number);
        if is_theirs {
            *number = Some(self.pseudonym.clone());
        }
        is_theirs
    }

    /// Takes them out of a part of a call; gives whether they were in it. `is_own`: whether a domain is the tenant's.
    pub fn leave(&self, part: &mut CallPart, is_own: impl Fn(&str) -> bool) -> bool {
        let is_theirs = |phone: &Option<Phone>| {
            let own = phone.as_ref().filter(|phone| is_own(phone.domain.as_str()));
            own.is_some_and(|phone| Some(&phone.number) == self.phone.as_ref())
        };
        let (called_from, called_to) = (is_theirs(&part.caller), is_theirs(&part.called));
        if called_from {
            part.caller = None;
            part.from_number = Some(self.pseudonym.clone());
        }
        let is_from = self.replace(&mut part.from_number) || called_from;
        if is_from {
            part.from_name = None;
        }
        if called_to {
            part.called = None;
        }
        self.replace(&mut part.to) || is_from || called_to
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::call_record::Disposition;

    fn part(from: &str, to: &str, [by, at]: [Option<Phone>; 2]) -> CallPart {
        CallPart {
            key: "1:1".parse().unwrap(),
            channel: "1.1".parse().unwrap(),
            caller: by,
            called: at,
            left: false,
            is_of_called: false,
            from_number: CallText::of(from),
            from_name: CallText::of("Ann"),
            to: CallText::of(to),
            started: Timestamp::UNIX_EPOCH,
            answered: None,
            ended: Timestamp::UNIX_EPOCH,
            disposition: Disposition::NoAnswer,
            cause: None,
        }
    }

    fn stranger(number: &str) -> Stranger {
        Stranger::new(number, CallText::of("erased-1").unwrap()).unwrap()
    }

    const OWN: &str = "acme.example.com";

    fn texts(part: &CallPart) -> [Option<&str>; 3] {
        [&part.from_number, &part.from_name, &part.to].map(|text| text.as_ref().map(CallText::as_str))
    }

    #[test]
    fn a22_a_caller_loses_number_name_and_phone_and_nobody_else_does() {
        let mut ann = part("1001", "1002", [Phone::of("1001", OWN), Phone::of("1002", OWN)]);
        assert!(stranger("1001").leave(&mut ann, |domain| domain == OWN));
        assert_eq!(texts(&ann), [Some("erased-1"), None, Some("1002")]);
        assert_eq!((ann.caller, ann.called.clone()), (None, Phone::of("1002", OWN)));
    }

    #[test]
    fn a22_whoever_shows_another_number_than_that_of_their_phone_loses_it_too() {
        let mut ann = part("+4930123", "1002", [Phone::of("1001", OWN), None]);
        assert!(stranger("1001").leave(&mut ann, |domain| domain == OWN));
        assert_eq!(texts(&ann), [Some("erased-1"), None, Some("1002")]);
    }

    #[test]
    fn a22_whoever_is_called_loses_number_and_phone_and_the_caller_stays() {
        let mut call = part("+4930123", "1001", [None, Phone::of("1001", OWN)]);
        assert!(stranger("1001").leave(&mut call, |domain| domain == OWN));
        assert_eq!(texts(&call), [Some("+4930123"), Some("Ann"), Some("erased-1")]);
        assert_eq!(call.called, None);
    }

    #[test]
    fn a22_a_phone_of_another_tenant_with_the_same_number_stays() {
        let mut call = part(
            "+4930123",
            "2000",
            [None, Phone::of("1001", "globex.example.com")],
        );
        let before = call.clone();
        assert!(!stranger("1001").leave(&mut call, |domain| domain == OWN));
        assert_eq!(call, before);
    }

    #[test]
    fn a22_a_number_is_theirs_as_a_whole_only() {
        let mut call = part("+49301234", "100", [None, None]);
        assert!(!stranger("+4930123").leave(&mut call, |_| true));
        assert!(!stranger("10").leave(&mut call, |_| true));
        assert_eq!(texts(&call), [Some("+49301234"), Some("Ann"), Some("100")]);
    }
}
