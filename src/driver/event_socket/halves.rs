//! Which calls led to which through a pair of `loopback` halves: the records of all of them are one call's.
//!
//! FreeSWITCH takes the halves out once both ends talk, and what was called behind them goes on for long after they are
//! over. So that is kept until it is the oldest of too many, whatever became of the halves.

use std::collections::{HashMap, VecDeque};

use crate::domain::call_text::PbxCallId;
use crate::wire::esl::Event;

/// What the names of the halves begin with. `loopback/…-a` is called by a leg, `loopback/…-b` calls on (recorded).
pub const LOCAL: &str = "loopback/";
/// The most pairs that are kept.
const MOST: usize = 10_000;
/// A call leads through so many pairs at most.
const DEEPEST: usize = 8;

/// The pairs that were heard of.
#[derive(Default)]
pub struct Halves {
    /// The call of the first half by the call of the second.
    led: HashMap<PbxCallId, Led>,
    /// The second halves, the oldest first.
    heard: VecDeque<PbxCallId>,
}

struct Led {
    call: PbxCallId,
    /// Whether the first half itself said so.
    is_sure: bool,
}

/// Whether a leg is such a half.
pub fn is_half(event: &Event) -> bool {
    event
        .get("Channel-Name")
        .is_some_and(|name| name.starts_with(LOCAL))
}

/// By which call a leg was made, as it says itself: the leg that called it, else its own call.
///
/// By the time a leg is over its own `Channel-Call-UUID` names itself (measured).
pub fn own_call(event: &Event) -> Option<PbxCallId> {
    let text = |name: &str| event.get(name).filter(|text| !text.is_empty());
    let originator = (text("Other-Type") == Some("originator")).then(|| text("Other-Leg-Unique-ID"));
    let call = text("variable_originating_leg_uuid")
        .or(originator.flatten())
        .or(text("Channel-Call-UUID"))
        .or(text("Unique-ID"));
    call?.parse().ok()
}

impl Halves {
    /// Takes what an event says of a half.
    pub fn hear(&mut self, event: &Event) {
        if !is_half(event) {
            return;
        }
        let id = |name: &str| event.get(name).and_then(|text| text.parse::<PbxCallId>().ok());
        let (Some(own), Some(other)) = (id("Unique-ID"), id("variable_other_loopback_leg_uuid")) else {
            return;
        };
        let is_first = event.get("Channel-Name").is_some_and(|name| name.ends_with("-a"));
        if is_first {
            if let Some(call) = own_call(event) {
                // Once it is over it may name itself, which it was not called by.
                let is_sure = call != own;
                self.lead(other, Led { call, is_sure });
            }
        } else {
            let led = Led {
                call: other,
                is_sure: false,
            };
            self.lead(own, led);
        }
    }

    fn lead(&mut self, to: PbxCallId, led: Led) {
        if self.call(&led.call) == to {
            return;
        }
        match self.led.get_mut(&to) {
            Some(known) if known.is_sure || !led.is_sure => {}
            Some(known) => *known = led,
            None => {
                if self.heard.len() >= MOST
                    && let Some(oldest) = self.heard.pop_front()
                {
                    self.led.remove(&oldest);
                }
                self.heard.push_back(to.clone());
                self.led.insert(to, led);
            }
        }
    }

    /// The call that led to this one; itself where none did.
    pub fn call(&self, call: &PbxCallId) -> PbxCallId {
        let before = |call: &&PbxCallId| Some(&self.led.get(*call)?.call);
        let steps = std::iter::successors(Some(call), before);
        steps.take(DEEPEST).last().unwrap_or(call).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A half as FreeSWITCH tells it, which was called by this leg if by any.
    fn half(name: &str, id: &str, other: &str, caller: Option<&str>) -> Event {
        let mut text = format!(
            "Event-Name: CHANNEL_CREATE\nUnique-ID: {id}\nChannel-Call-UUID: {id}\nChannel-Name: loopback/1002-{name}\n\
             variable_other_loopback_leg_uuid: {other}\n"
        );
        if let Some(caller) = caller {
            text.push_str("variable_originating_leg_uuid: ");
            text.push_str(caller);
            text.push('\n');
        }
        Event::from_plain(text.as_bytes()).unwrap()
    }

    fn call(halves: &Halves, of: &str) -> String {
        halves.call(&of.parse().unwrap()).to_string()
    }

    #[test]
    fn a11_pairs_within_pairs_lead_to_the_leg_that_called_first_in_whatever_order_they_are_heard() {
        let told = [
            half("a", "a1", "b1", Some("caller")),
            half("b", "b1", "a1", None),
            half("a", "a2", "b2", Some("b1")),
            half("b", "b2", "a2", None),
        ];
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
            let mut halves = Halves::default();
            for one in order {
                halves.hear(&told[one]);
            }
            assert_eq!(
                ["b1", "b2"].map(|leg| call(&halves, leg)),
                ["caller", "caller"],
                "{order:?}"
            );
            assert_eq!(call(&halves, "elsewhere"), "elsewhere");
        }
    }

    #[test]
    fn a11_a_first_half_that_nobody_called_is_the_call_and_one_that_says_it_later_is_not_forgotten() {
        let mut halves = Halves::default();
        halves.hear(&half("b", "b1", "a1", None));
        assert_eq!(call(&halves, "b1"), "a1");
        halves.hear(&half("a", "a1", "b1", None));
        assert_eq!(call(&halves, "b1"), "a1");
        halves.hear(&half("a", "a1", "b1", Some("caller")));
        halves.hear(&half("b", "b1", "a1", None));
        assert_eq!(call(&halves, "b1"), "caller");
    }

    #[test]
    fn a11_which_call_a_half_was_called_by_is_as_it_was_told_first_and_only_of_halves() {
        let mut halves = Halves::default();
        halves.hear(&half("a", "a1", "b1", Some("caller")));
        halves.hear(&half("a", "a1", "b1", Some("another")));
        assert_eq!(call(&halves, "b1"), "caller");
        // A phone that was called behind them may have their variables.
        let text = "Event-Name: CHANNEL_CREATE\nUnique-ID: phone\nChannel-Name: sofia/internal/1002\n\
             variable_other_loopback_leg_uuid: elsewhere\n";
        halves.hear(&Event::from_plain(text.as_bytes()).unwrap());
        assert_eq!(call(&halves, "phone"), "phone");
    }

    #[test]
    fn a11_a_leg_is_of_the_call_of_whoever_called_it_where_only_that_is_told() {
        let own = |fields: &str| {
            let text =
                format!("Event-Name: CHANNEL_CREATE\nUnique-ID: own\nChannel-Call-UUID: own\n{fields}");
            own_call(&Event::from_plain(text.as_bytes()).unwrap())
                .unwrap()
                .to_string()
        };
        assert_eq!(
            own("Other-Type: originator\nOther-Leg-Unique-ID: caller\n"),
            "caller"
        );
        assert_eq!(
            own("Other-Type: originatee\nOther-Leg-Unique-ID: called\n"),
            "own"
        );
    }

    #[test]
    fn halves_that_name_each_other_end_somewhere_and_of_too_many_the_oldest_go() {
        let mut halves = Halves::default();
        halves.hear(&half("a", "a1", "b1", Some("b2")));
        halves.hear(&half("a", "a2", "b2", Some("b1")));
        assert_eq!(["b1", "b2"].map(|leg| call(&halves, leg)), ["b2", "b2"]);
        for number in 0..2 * MOST {
            halves.hear(&half(
                "a",
                &format!("n{number}"),
                &format!("m{number}"),
                Some("caller"),
            ));
        }
        assert_eq!((halves.led.len(), halves.heard.len()), (MOST, MOST));
        assert_eq!(call(&halves, "b1"), "b1");
    }
}
