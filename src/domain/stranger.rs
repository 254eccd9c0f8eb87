//! Somebody who is taken out of records of calls: a made-up name stands where their number stood, and their own name goes.

use std::collections::BTreeSet;

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

/// What somebody's own parts of a call show of them: the other parts may show the same and tell no phone that called.
#[derive(Default, Debug)]
pub struct Shown {
    numbers: BTreeSet<CallText>,
    names: BTreeSet<CallText>,
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

    fn has(&self, phone: Option<&Phone>, is_own: impl Fn(&str) -> bool) -> bool {
        let own = phone.filter(|phone| is_own(phone.domain.as_str()));
        own.is_some_and(|phone| Some(&phone.number) == self.phone.as_ref())
    }

    /// What they are shown as in the parts of a call that are from them. `is_own`: whether a domain is the tenant's.
    pub fn shown<'a>(
        &self,
        parts: impl IntoIterator<Item = &'a CallPart>,
        is_own: impl Fn(&str) -> bool,
    ) -> Shown {
        let mut shown = Shown::default();
        for part in parts {
            if self.has(part.caller.as_ref(), &is_own) || part.from_number.as_ref() == Some(&self.number) {
                shown.numbers.extend(part.from_number.clone());
                shown.names.extend(part.from_name.clone());
            }
        }
        shown
    }

    /// Takes them out of a part of a call, also by what others of its parts have `shown`; gives whether they were in it. `is_own`:
    /// whether a domain is the tenant's.
    pub fn leave(&self, part: &mut CallPart, shown: &Shown, is_own: impl Fn(&str) -> bool) -> bool {
        let [called_from, called_to] =
            [&part.caller, &part.called].map(|phone| self.has(phone.as_ref(), &is_own));
        // A leg of whoever is called tells no phone that called: what is shown there may be a number that is not their own.
        let is_shown = |text: &Option<CallText>, all: &BTreeSet<CallText>| {
            part.caller.is_none() && text.as_ref().is_some_and(|text| all.contains(text))
        };
        let shows_number = is_shown(&part.from_number, &shown.numbers);
        let shows_name = is_shown(&part.from_name, &shown.names);
        if called_from || shows_number {
            part.caller = None;
            part.from_number = Some(self.pseudonym.clone());
        }
        let is_from = self.replace(&mut part.from_number) || called_from || shows_number;
        if is_from || shows_name {
            part.from_name = None;
        }
        if called_to {
            part.called = None;
        }
        self.replace(&mut part.to) || is_from || shows_name || called_to
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
        assert!(stranger("1001").leave(&mut ann, &Shown::default(), |domain| domain == OWN));
        assert_eq!(texts(&ann), [Some("erased-1"), None, Some("1002")]);
        assert_eq!((ann.caller, ann.called.clone()), (None, Phone::of("1002", OWN)));
    }

    #[test]
    fn a22_whoever_shows_another_number_than_that_of_their_phone_loses_it_too() {
        let mut ann = part("+4930123", "1002", [Phone::of("1001", OWN), None]);
        assert!(stranger("1001").leave(&mut ann, &Shown::default(), |domain| domain == OWN));
        assert_eq!(texts(&ann), [Some("erased-1"), None, Some("1002")]);
    }

    #[test]
    fn a22_whoever_is_called_loses_number_and_phone_and_the_caller_stays() {
        let mut call = part("+4930123", "1001", [None, Phone::of("1001", OWN)]);
        assert!(stranger("1001").leave(&mut call, &Shown::default(), |domain| domain == OWN));
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
        assert!(!stranger("1001").leave(&mut call, &Shown::default(), |domain| domain == OWN));
        assert_eq!(call, before);
    }

    #[test]
    fn a22_a_number_is_theirs_as_a_whole_only() {
        let mut call = part("+49301234", "100", [None, None]);
        assert!(!stranger("+4930123").leave(&mut call, &Shown::default(), |_| true));
        assert!(!stranger("10").leave(&mut call, &Shown::default(), |_| true));
        assert_eq!(texts(&call), [Some("+49301234"), Some("Ann"), Some("100")]);
    }
}
