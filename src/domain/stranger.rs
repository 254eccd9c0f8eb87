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

/// What a call as a whole tells of somebody: a leg of whoever was called names no phone that called, and may show another number
/// and name than that phone does.
#[derive(Default, Debug)]
pub struct Shown {
    numbers: BTreeSet<CallText>,
    names: BTreeSet<CallText>,
    /// What was dialled.
    dialled: BTreeSet<CallText>,
    /// Whose phones were called, or may have been by what was dialled: they may call on.
    phones: BTreeSet<CallText>,
    /// Number and name of each part that is from somebody else.
    of_others: BTreeSet<(Option<CallText>, Option<CallText>)>,
    /// Whether it is from nobody else.
    is_theirs_alone: bool,
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

    /// What the parts of a call tell of them together. `is_own`: whether a domain is the tenant's.
    pub fn shown<'a>(
        &self,
        parts: impl IntoIterator<Item = &'a CallPart>,
        is_own: impl Fn(&str) -> bool,
    ) -> Shown {
        let mut shown = Shown::default();
        let mut is_from_them = false;
        for part in parts {
            let phone = part.called.as_ref();
            let phone = phone.and_then(|phone| CallText::of(phone.number.as_str()));
            let dialled = part.to.clone();
            let may_ring = |to: &CallText| to.as_str().parse::<ExtensionNumber>().is_ok();
            shown
                .phones
                .extend(phone.into_iter().chain(dialled.clone().filter(may_ring)));
            shown.dialled.extend(dialled);
            let has_number = part.caller.is_none() && part.from_number.as_ref() == Some(&self.number);
            if part.is_of_called {
                // Whose call it is, the leg of who called tells.
            } else if has_number || self.has(part.caller.as_ref(), &is_own) {
                is_from_them = true;
                // A call that is made for whoever clicks shows whom they called.
                let own = part
                    .from_number
                    .clone()
                    .filter(|number| Some(number) != part.to.as_ref());
                shown.numbers.extend(own);
                shown.names.extend(part.from_name.clone());
            } else {
                let others = (part.from_number.clone(), part.from_name.clone());
                shown.of_others.insert(others);
            }
        }
        shown.dialled.remove(&self.number);
        shown.phones.remove(&self.number);
        shown.numbers.retain(|number| !shown.phones.contains(number));
        let is_called = |name: &CallText| shown.dialled.contains(name) || shown.phones.contains(name);
        shown.names.retain(|name| !is_called(name));
        shown.is_theirs_alone = is_from_them && shown.of_others.is_empty();
        shown
    }

    /// Takes them out of a part of a call, also by what the call as a whole has `shown`; gives whether they were in it. `is_own`:
    /// whether a domain is the tenant's.
    pub fn leave(&self, part: &mut CallPart, shown: &Shown, is_own: impl Fn(&str) -> bool) -> bool {
        let [called_from, called_to] =
            [&part.caller, &part.called].map(|phone| self.has(phone.as_ref(), &is_own));
        let pair = (part.from_number.clone(), part.from_name.clone());
        let is_number_of =
            |all: &BTreeSet<CallText>| pair.0.as_ref().is_some_and(|number| all.contains(number));
        let may_show = part.is_of_called
            && !is_number_of(&shown.phones)
            && !shown.of_others.contains(&pair)
            && pair.0.as_ref() != Some(&self.pseudonym);
        // Whoever was dialled may be another one, unless it is a number that they showed themselves.
        let is_all_theirs = shown.is_theirs_alone && !is_number_of(&shown.dialled);
        let is_shown = |text: &Option<CallText>, all: &BTreeSet<CallText>| {
            may_show
                && text
                    .as_ref()
                    .is_some_and(|text| is_all_theirs || all.contains(text))
        };
        let shows_number = is_shown(&pair.0, &shown.numbers);
        let shows_name = is_shown(&pair.1, &shown.names);
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

    /// A leg of whoever was called.
    fn of_called(from: &str, name: &str, to: &str) -> CallPart {
        CallPart {
            is_of_called: true,
            from_name: CallText::of(name),
            ..part(from, to, [None, None])
        }
    }

    fn left(mut parts: Vec<CallPart>) -> Vec<[Option<String>; 2]> {
        let who = stranger("1001");
        let shown = who.shown(&parts, |domain| domain == OWN);
        for part in &mut parts {
            who.leave(part, &shown, |domain| domain == OWN);
        }
        let owned = |text: &Option<CallText>| text.as_ref().map(|text| text.as_str().to_owned());
        let told = |part: &CallPart| [owned(&part.from_number), owned(&part.from_name)];
        parts.iter().map(told).collect()
    }

    fn told(number: &str, name: Option<&str>) -> [Option<String>; 2] {
        [Some(number.to_owned()), name.map(str::to_owned)]
    }

    /// As FreeSWITCH tells it: her own leg shows what her phone sent, and the other one what her extension shows.
    #[test]
    fn a22_what_only_the_leg_of_whoever_was_called_shows_goes_where_nobody_else_called_in_that_call() {
        let own = part("1001", "0151", [Phone::of("1001", OWN), None]);
        let called = of_called("+4930123", "Ann Medlar", "0151");
        let found = left(vec![own.clone(), called.clone()]);
        assert_eq!(found, [told("erased-1", None), told("erased-1", None)]);
        // One who was called calls on, and so may show a number of their own.
        let bob = of_called("1002", "Bob", "1003");
        let rung = part("1001", "1002", [Phone::of("1001", OWN), Phone::of("1002", OWN)]);
        let found = left(vec![rung, bob.clone()]);
        assert_eq!(found, [told("erased-1", None), told("1002", Some("Bob"))]);
        // Somebody else has called in it too: whose that leg is nobody knows.
        let other = part("+49171", "1001", [None, Phone::of("1001", OWN)]);
        let found = left(vec![own, called, other]);
        assert_eq!(found[1], told("+4930123", Some("Ann Medlar")));
        assert_eq!(found[2], told("+49171", Some("Ann")));
    }

    #[test]
    fn a22_a_part_that_is_from_somebody_else_stays_whatever_it_shows() {
        let own = part("anonymous", "1003", [Phone::of("1001", OWN), None]);
        let outside = part("+49171", "1001", [None, Phone::of("1001", OWN)]);
        let hidden = part("anonymous", "1001", [None, Phone::of("1001", OWN)]);
        let found = left(vec![own, outside, hidden]);
        let expected = [
            told("erased-1", None),
            told("+49171", Some("Ann")),
            told("anonymous", Some("Ann")),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a22_whom_a_click_called_keeps_number_and_name() {
        let mut made = part("1002", "1002", [Phone::of("1001", OWN), None]);
        made.from_name = CallText::of("1002");
        let found = left(vec![made, of_called("1002", "Bob", "1003")]);
        assert_eq!(found, [told("erased-1", None), told("1002", Some("Bob"))]);
    }

    /// Somebody calls her from outside by the number that she shows there, and her phone calls on.
    #[test]
    fn a22_a_number_that_she_shows_goes_though_it_was_dialled_and_that_of_a_phone_that_rang_stays() {
        const HERS: &str = "+493012345";
        let outside = part("+49171", HERS, [None, Phone::of("1001", OWN)]);
        let gone = told("erased-1", None);
        for name in ["Ann Medlar", "Ann"] {
            let mut own = part(HERS, "0151", [Phone::of("1001", OWN), None]);
            own.from_name = CallText::of(name);
            let found = left(vec![outside.clone(), own, of_called(HERS, name, "0151")]);
            assert_eq!(found, [told("+49171", Some("Ann")), gone.clone(), gone.clone()]);
        }
        // She shows the number of somebody whose phone rings, or would if it were there, and who calls on.
        let own = part("1002", "1003", [Phone::of("1001", OWN), Phone::of("1003", OWN)]);
        for phone in [Phone::of("1002", OWN), None] {
            let rung = part("1003", "1002", [Phone::of("1003", OWN), phone]);
            let found = left(vec![own.clone(), rung, of_called("1002", "Ann", "0151")]);
            assert_eq!(found[2], told("1002", Some("Ann")));
        }
    }

    #[test]
    fn a22_what_only_the_leg_of_whoever_was_called_shows_goes_also_where_her_own_shows_nothing() {
        let mut own = part("1001", "1002", [Phone::of("1001", OWN), Phone::of("1002", OWN)]);
        (own.from_number, own.from_name) = (None, None);
        let bob = of_called("1002", "Bob", "1003");
        let found = left(vec![own, of_called("+4930123", "Ann Medlar", "1002"), bob]);
        let gone = told("erased-1", None);
        assert_eq!(found, [gone.clone(), gone, told("1002", Some("Bob"))]);
    }

    #[test]
    fn a22_whoever_shows_the_number_of_the_one_who_goes_keeps_their_own_name() {
        let ann = part("1001", "1002", [Phone::of("1001", OWN), None]);
        let mut cleo = part("1001", "1002", [Phone::of("1003", OWN), None]);
        cleo.from_name = CallText::of("Cleo");
        let found = left(vec![ann, cleo, of_called("+4930", "Cleo", "1002")]);
        assert_eq!(found[2], told("+4930", Some("Cleo")));
    }
}
