//! What a PBX tells of one part of a call once that is over, and how the parts become one call.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::call_record::{CallDirection, Disposition};
use super::call_text::{CallText, HangupCause, PbxCallId};
use super::dial::ExtensionNumber;
use super::sip_domain::SipDomain;

/// A part of a call that is over, as a PBX told it, and of which call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EndedPart {
    /// By which the PBX knows the call as a whole.
    pub call: PbxCallId,
    /// Whatever may name the tenant, the surest first: a domain, or a tenant's id. Each counts as a whole only.
    pub names: Vec<String>,
    /// The part itself.
    pub part: CallPart,
}

/// One of the tenants' phones, as the PBX names it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Phone {
    /// The extension's number.
    pub number: ExtensionNumber,
    /// At this domain.
    pub domain: SipDomain,
}

impl Phone {
    /// None where the texts of the PBX are no extension's number and no tenant's domain.
    #[must_use]
    pub fn of(number: &str, domain: &str) -> Option<Self> {
        Some(Self {
            number: number.parse().ok()?,
            domain: domain.parse().ok()?,
        })
    }
}

/// One part of a call: between who called and one who was called.
///
/// A forward, a transfer and each phone that rings at once is a part of its own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CallPart {
    /// Unique in the call.
    pub key: PbxCallId,
    /// The channel that it is of, by which its recording is named.
    pub channel: PbxCallId,
    /// Whose phone called; none where the call came from elsewhere.
    pub caller: Option<Phone>,
    /// Whose phone was called; none where nobody's was.
    pub called: Option<Phone>,
    /// Whether something was called that is nobody's phone: a trunk.
    pub left: bool,
    /// Whether it was told of the one who was called, by a leg of theirs, and not by the caller's.
    pub is_of_called: bool,
    /// The caller's number.
    pub from_number: Option<CallText>,
    /// The caller's name.
    pub from_name: Option<CallText>,
    /// What was dialled.
    pub to: Option<CallText>,
    /// When it began.
    pub started: Timestamp,
    /// When it was answered.
    pub answered: Option<Timestamp>,
    /// When it was over.
    pub ended: Timestamp,
    /// What came of it.
    pub disposition: Disposition,
    /// Why it ended, where the PBX tells that.
    pub cause: Option<HangupCause>,
}

impl CallPart {
    /// When it came among the parts of its call; of two that began together, the caller's own is the first.
    ///
    /// Asterisk numbers its records in the order in which they begin, and of one that is told afterwards no more than the
    /// second is known: within a second the number says which was first.
    fn order(&self) -> impl Ord {
        let number = self.number();
        let began = match number {
            Some(_) => Timestamp::from_second(self.started.as_second()).unwrap_or(self.started),
            None => self.started,
        };
        (began, self.is_of_called, number, self.started, self.key.as_str())
    }

    /// The one that a call of too many parts is told best without: the last that nobody answered, then the last of all. The first
    /// one, the one that was answered first, and the one that ended last are never it: they say what the call was.
    #[must_use]
    pub fn most_dispensable(parts: &[Self]) -> Option<&Self> {
        let parts = in_order(parts);
        let was_answered = |part: &&&Self| part.answered.is_some();
        let answered = parts.iter().filter(was_answered).min_by_key(|part| part.answered);
        let telling = [parts.first(), answered, last(&parts)].map(|part| part.map(|part| &part.key));
        let dispensable = parts.iter().filter(|part| !telling.contains(&Some(&part.key)));
        dispensable.max_by_key(|part| part.answered.is_none()).copied()
    }

    /// `12` of the key `1795911390.0:12`.
    fn number(&self) -> Option<u64> {
        self.key.as_str().rsplit_once(':')?.1.parse().ok()
    }
}

/// A call of one tenant, made of its parts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WholeCall {
    /// The caller's number: that of the extension where it is one.
    pub from_number: Option<CallText>,
    /// The caller's name.
    pub from_name: Option<CallText>,
    /// What was dialled.
    pub to: Option<CallText>,
    /// Whether it came in, went out, or neither.
    pub direction: CallDirection,
    /// When it began.
    pub started: Timestamp,
    /// When it was first answered.
    pub answered: Option<Timestamp>,
    /// When it was over.
    pub ended: Timestamp,
    /// Whole seconds from its beginning to its end.
    pub duration: i64,
    /// Whole seconds in which it was answered.
    pub billable: i64,
    /// What came of it.
    pub disposition: Disposition,
    /// Why it ended.
    pub cause: Option<HangupCause>,
    /// The numbers that may be extensions which took part: who called, whose phone rang, and what was dialled.
    pub numbers: BTreeSet<String>,
}

impl WholeCall {
    /// Makes a call of its parts, whatever their order; none of no part. `is_own`: whether a domain is the tenant's.
    #[must_use]
    pub fn of(parts: &[CallPart], is_own: impl Fn(&str) -> bool) -> Option<Self> {
        let parts = in_order(parts);
        let (first, last) = (*parts.first()?, *last(&parts)?);
        let own = |phone: &Option<Phone>| {
            let phone = phone.as_ref().filter(|phone| is_own(phone.domain.as_str()))?;
            Some(phone.number.to_string())
        };
        let answered = parts.iter().filter_map(|part| part.answered).min();
        let ended = parts.iter().map(|part| part.ended).max()?;
        let caller = own(&first.caller);
        let left = parts.iter().any(|part| part.left);
        let mut numbers: BTreeSet<String> = first.to.iter().map(ToString::to_string).collect();
        numbers.extend(
            parts
                .iter()
                .flat_map(|part| [own(&part.caller), own(&part.called)])
                .flatten(),
        );
        Some(Self {
            direction: match (&caller, left) {
                (None, _) => CallDirection::Inbound,
                (Some(_), true) => CallDirection::Outbound,
                (Some(_), false) => CallDirection::Internal,
            },
            from_number: caller
                .and_then(|number| CallText::of(&number))
                .or_else(|| first.from_number.clone()),
            from_name: first.from_name.clone(),
            to: first.to.clone(),
            started: first.started,
            answered,
            ended,
            duration: seconds(micros(first.started, ended)),
            billable: seconds(talked(&parts)),
            disposition: match answered {
                Some(_) => Disposition::Answered,
                None => last.disposition,
            },
            cause: last.cause.clone(),
            numbers,
        })
    }
}

fn in_order(parts: &[CallPart]) -> Vec<&CallPart> {
    let mut parts: Vec<&CallPart> = parts.iter().collect();
    parts.sort_by(|one, other| one.order().cmp(&other.order()));
    parts
}

/// The one that ended last, of parts in their order.
fn last<'a, 'b>(parts: &'b [&'a CallPart]) -> Option<&'b &'a CallPart> {
    parts.iter().max_by_key(|part| (part.ended, !part.is_of_called))
}

/// Microseconds in which some part was answered; what two parts have in common counts once.
fn talked(parts: &[&CallPart]) -> i64 {
    let mut spans: Vec<(Timestamp, Timestamp)> = parts
        .iter()
        .filter_map(|part| part.answered.map(|answered| (answered, part.ended)))
        .collect();
    spans.sort_unstable();
    let mut sum = 0;
    let mut until = Timestamp::MIN;
    for (from, to) in spans {
        sum += micros(from.max(until), to);
        until = until.max(to);
    }
    sum
}

fn micros(from: Timestamp, to: Timestamp) -> i64 {
    to.as_microsecond().saturating_sub(from.as_microsecond()).max(0)
}

const fn seconds(micros: i64) -> i64 {
    micros / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACME: &str = "acme.example.com";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn phone(number: &str) -> Option<Phone> {
        Phone::of(number, ACME)
    }

    /// From 1001 to a phone, with the seconds of its beginning, its answer and its end.
    fn part(key: &str, called: &str, times: (i64, Option<i64>, i64), disposition: Disposition) -> CallPart {
        CallPart {
            key: key.parse().unwrap(),
            channel: "1.0".parse().unwrap(),
            caller: phone("1001"),
            called: phone(called),
            left: false,
            is_of_called: false,
            from_number: CallText::of("+49301"),
            from_name: CallText::of("Ann"),
            to: CallText::of("1002"),
            started: at(times.0),
            answered: times.1.map(at),
            ended: at(times.2),
            disposition,
            cause: None,
        }
    }

    fn whole(parts: &[CallPart]) -> WholeCall {
        WholeCall::of(parts, |domain| domain == ACME).unwrap()
    }

    fn numbers(call: &WholeCall) -> Vec<&str> {
        call.numbers.iter().map(String::as_str).collect()
    }

    #[test]
    fn a11_a_forwarded_call_is_one_call_to_what_was_dialled() {
        let parts = [
            part("1.0:2", "1003", (5, Some(6), 9), Disposition::Answered),
            part("1.0:1", "1002", (0, None, 5), Disposition::NoAnswer),
        ];
        let call = whole(&parts);
        assert_eq!((call.duration, call.billable), (9, 3));
        assert_eq!(call.disposition, Disposition::Answered);
        assert_eq!(call.to, CallText::of("1002"));
        assert_eq!(call.from_number, CallText::of("1001"));
        assert_eq!(numbers(&call), ["1001", "1002", "1003"]);
        assert_eq!(call.direction, CallDirection::Internal);
    }

    #[test]
    fn a11_seconds_in_which_two_talk_at_once_count_once_and_the_pause_of_a_transfer_not_at_all() {
        let parts = [
            part("1:1", "1002", (0, Some(1), 5), Disposition::Answered),
            part("1:2", "1003", (3, Some(4), 6), Disposition::Answered),
            part("1:3", "1004", (8, Some(10), 12), Disposition::Answered),
        ];
        let call = whole(&parts);
        assert_eq!((call.duration, call.billable), (12, 7));
    }

    #[test]
    fn a11_of_a_call_that_nobody_answered_the_end_tells_what_came_of_it() {
        let parts = [
            part("1:1", "1002", (0, None, 1), Disposition::Busy),
            part("1:2", "1003", (1, None, 9), Disposition::NoAnswer),
        ];
        assert_eq!(whole(&parts).disposition, Disposition::NoAnswer);
        assert_eq!((whole(&parts).billable, whole(&parts).answered), (0, None));
    }

    #[test]
    fn a11_a_call_comes_in_where_no_phone_of_the_tenant_made_it_and_goes_out_where_it_left() {
        let mut out = part("1:1", "1002", (0, None, 1), Disposition::Failed);
        (out.called, out.left, out.to) = (None, true, CallText::of("+49301234"));
        assert_eq!(whole(&[out.clone()]).direction, CallDirection::Outbound);
        let mut within = part("1:1", "1002", (0, None, 1), Disposition::Busy);
        within.caller = None;
        let call = whole(&[within.clone()]);
        assert_eq!(call.direction, CallDirection::Inbound);
        assert_eq!(call.from_number, CallText::of("+49301"));
        // Somebody else's phone is none of the tenant's.
        within.caller = Phone::of("1001", "my.acme.example.com");
        let call = whole(&[within]);
        assert_eq!(
            (call.direction, numbers(&call)),
            (CallDirection::Inbound, vec!["1002"])
        );
    }

    #[test]
    fn a11_the_order_in_which_parts_are_told_changes_nothing() {
        let mut parts = vec![
            part("1:1", "1002", (0, None, 5), Disposition::NoAnswer),
            part("1:2", "1003", (0, Some(2), 5), Disposition::Answered),
            part("1:3", "1004", (5, Some(5), 9), Disposition::Answered),
        ];
        parts[0].is_of_called = true;
        let first = whole(&parts);
        for _ in 0..3 {
            parts.rotate_left(1);
            assert_eq!(whole(&parts), first);
        }
        assert!(WholeCall::of(&[], |_| true).is_none());
    }

    #[test]
    fn a11_of_parts_that_began_in_one_second_the_number_says_which_was_first() {
        let of = |key: &str, to: &str, millis: i64| {
            let mut part = part(key, to, (0, None, 5), Disposition::NoAnswer);
            part.to = CallText::of(to);
            part.started = at(0) + jiff::SignedDuration::from_millis(millis);
            part
        };
        // Told afterwards, in whole seconds: a number is no text.
        let dialled = of("1.9:9", "1002", 0);
        let forwarded = of("1.10:10", "1003", 0);
        assert_eq!(whole(&[forwarded, dialled]).to, CallText::of("1002"));
        // One told exactly, and a later one told afterwards.
        let dialled = of("1.9:9", "1002", 950);
        let forwarded = of("1.10:10", "1003", 0);
        assert_eq!(whole(&[forwarded, dialled]).to, CallText::of("1002"));
        // Where there are no numbers, the times are exact.
        let dialled = of("b", "1002", 100);
        let forwarded = of("a", "1003", 200);
        assert_eq!(whole(&[forwarded, dialled]).to, CallText::of("1002"));
    }

    #[test]
    fn a11_of_too_many_parts_those_that_say_what_the_call_was_are_kept_whatever_their_order() {
        let rings = |key, from, to| part(key, "1002", (from, None, to), Disposition::NoAnswer);
        let answered = Disposition::Answered;
        let talks = |key, from| part(key, "1003", (from, Some(from + 1), from + 9), answered);
        // The second one rings on while another phone is answered already.
        let parts = [
            rings("1.0:1", 0, 3),
            rings("1.0:2", 1, 90),
            rings("1.0:3", 10, 13),
            rings("1.0:4", 20, 23),
            talks("1.0:5", 40),
            talks("1.0:6", 60),
        ];
        for turn in 0..parts.len() {
            let mut left = parts.to_vec();
            left.rotate_left(turn);
            let mut dropped = Vec::new();
            while let Some(key) = CallPart::most_dispensable(&left).map(|part| part.key.clone()) {
                left.retain(|part| part.key != key);
                dropped.push(key.to_string());
            }
            assert_eq!(dropped, ["1.0:4", "1.0:3", "1.0:6"], "{turn}");
        }
    }

    #[test]
    fn what_a_pbx_says_of_a_phone_is_a_number_and_a_domain_or_nothing() {
        for (number, domain) in [
            ("1001\0", ACME),
            ("1001", "acme.example.com\0"),
            ("", ACME),
            ("trunk", ACME),
            ("1001", "10.0.0.1"),
        ] {
            assert_eq!(Phone::of(number, domain), None, "{number}@{domain}");
        }
        assert_eq!(Phone::of("1001", "ACME.example.com"), phone("1001"));
    }
}
