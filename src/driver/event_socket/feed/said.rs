//! What only the events say of legs, kept for the polls, which are to say the same.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::leg::LegId;
use crate::domain::sip_domain::SipDomain;
use crate::driver::event_socket::halves::LOCAL;
use crate::wire::esl::{Channel, Event};

/// The most legs of which something is kept: beyond them all is forgotten, until the next event of each.
const MOST: usize = 20_000;
/// A call leads through so many pairs of local halves at most.
const DEEPEST: usize = 8;

/// Shared by the feed, which hears, and its polls. FreeSWITCH's table of legs has no variables.
#[derive(Clone, Default)]
pub struct Said(Arc<Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    domains: HashMap<LegId, Kept>,
    /// The calls that another call led to through a pair of local halves: FreeSWITCH gives the second half, and all that
    /// it leads to, a call UUID of their own.
    led: HashMap<LegId, Led>,
}

struct Kept {
    /// Of the variable `domain_name`.
    domain: SipDomain,
    /// Whether the last poll did not show the leg. The table is behind the events: the second that does not tells that its
    /// end was missed.
    was_missing: bool,
}

struct Led {
    /// The half at which the other call ends.
    half: LegId,
    /// That other call; the half itself while only the second half was heard of.
    call: LegId,
    /// As of [`Kept`].
    was_missing: bool,
}

impl Said {
    /// Keeps what an event says, as long as the leg is up.
    pub fn hear(&self, event: &Event) {
        let (Some(name), Some(id)) = (event.name(), event.get("Unique-ID").and_then(LegId::new)) else {
            return;
        };
        let is_over = matches!(name, "CHANNEL_HANGUP_COMPLETE" | "CHANNEL_DESTROY");
        let mut heard = self.lock();
        if !is_over {
            heard.hear_half(&id, event);
        }
        let domain = event.get("variable_domain_name").filter(|_| !is_over);
        heard.hear_domain(id, domain.and_then(|domain| domain.parse().ok()));
    }

    /// What is kept of the leg of a row.
    pub fn domain(&self, channel: &Channel) -> Option<SipDomain> {
        let id = LegId::new(&channel.uuid)?;
        self.lock().domains.get(&id).map(|kept| kept.domain.clone())
    }

    /// The call that legs of this call UUID are part of.
    pub fn call(&self, call: &LegId) -> LegId {
        self.lock().call(call).clone()
    }

    /// Takes what a poll shows, and forgets what two polls have not shown.
    pub fn see(&self, shown: &[Channel]) {
        let uuids: HashSet<&str> = shown.iter().map(|channel| channel.uuid.as_str()).collect();
        let mut heard = self.lock();
        heard.see_halves(shown);
        heard.domains.retain(|id, kept| {
            let is_missing = !uuids.contains(id.as_str());
            let is_over = is_missing && kept.was_missing;
            kept.was_missing = is_missing;
            !is_over
        });
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heard {
    fn hear_domain(&mut self, id: LegId, domain: Option<SipDomain>) {
        let Some(domain) = domain else {
            self.domains.remove(&id);
            return;
        };
        if self.domains.len() >= MOST && !self.domains.contains_key(&id) {
            self.domains.clear();
        }
        let was_missing = false;
        self.domains.insert(id, Kept { domain, was_missing });
    }

    /// A half says which other it belongs to. `loopback/…-a` ends a call, `loopback/…-b` begins another (recorded).
    fn hear_half(&mut self, id: &LegId, event: &Event) {
        let Some(name) = event.get("Channel-Name").filter(|name| name.starts_with(LOCAL)) else {
            return;
        };
        let other = event.get("variable_other_loopback_leg_uuid").and_then(LegId::new);
        let Some(other) = other else {
            return;
        };
        let call = event.get("Channel-Call-UUID").and_then(LegId::new);
        let call = call.unwrap_or_else(|| id.clone());
        if name.ends_with("-a") {
            self.lead(other, id.clone(), call);
        } else if call == *id && self.led.get(id).is_none_or(|led| led.half != other) {
            self.lead(call, other.clone(), other);
        }
    }

    fn lead(&mut self, to: LegId, half: LegId, call: LegId) {
        if *self.call(&call) == to {
            return;
        }
        if self.led.len() >= MOST && !self.led.contains_key(&to) {
            self.led.clear();
        }
        let was_missing = false;
        let led = Led {
            half,
            call,
            was_missing,
        };
        self.led.insert(to, led);
    }

    fn call<'a>(&'a self, call: &'a LegId) -> &'a LegId {
        self.steps(call).last().unwrap_or(call)
    }

    /// From a call over those that led to it.
    fn steps<'a>(&'a self, call: &'a LegId) -> impl Iterator<Item = &'a LegId> {
        let before = |call: &&'a LegId| self.led.get(*call).map(|led| &led.call);
        std::iter::successors(Some(call), before).take(DEEPEST)
    }

    /// Halves may be gone while what they led to goes on: FreeSWITCH takes them out once both ends talk.
    fn see_halves(&mut self, shown: &[Channel]) {
        if self.led.is_empty() {
            return;
        }
        let ids = |channel: &Channel| Some((LegId::new(&channel.uuid)?, LegId::new(&channel.call_uuid)?));
        let calls: HashMap<LegId, LegId> = shown.iter().filter_map(ids).collect();
        for (to, led) in &mut self.led {
            if led.call == led.half
                && let Some(call) = calls.get(&led.half).filter(|call| *call != to)
            {
                led.call = call.clone();
            }
        }
        let named = calls.iter().flat_map(|(leg, call)| [leg, call]);
        let used: HashSet<LegId> = named.flat_map(|call| self.steps(call)).cloned().collect();
        self.led.retain(|to, led| {
            let is_missing = !used.contains(to);
            let is_over = is_missing && led.was_missing;
            led.was_missing = is_missing;
            !is_over
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: &str = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/esl/show-channels-sip-call.json"
    ));

    fn event(fields: &[(&str, &str)]) -> Event {
        let lines = fields.iter().flat_map(|(key, value)| [*key, ": ", *value, "\n"]);
        Event::from_plain(lines.collect::<String>().as_bytes()).unwrap()
    }

    #[test]
    fn o10_what_events_said_of_a_leg_is_kept_until_it_is_over_or_two_polls_have_not_shown_it() {
        let said = Said::default();
        let told = |name| {
            said.hear(&event(&[
                ("Event-Name", name),
                ("Unique-ID", "leg-a"),
                ("variable_domain_name", "acme.example.com"),
            ]));
        };
        let mut recorded: serde_json::Value = serde_json::from_str(WITHIN).unwrap();
        let mut row: Channel = serde_json::from_value(recorded["rows"][0].take()).unwrap();
        row.uuid = "leg-a".to_owned();
        told("CHANNEL_ANSWER");
        said.see(&[]);
        assert!(said.domain(&row).is_some(), "the table is behind");
        said.see(&[]);
        assert_eq!(said.domain(&row), None);
        told("CHANNEL_ANSWER");
        told("CHANNEL_HANGUP_COMPLETE");
        assert_eq!(said.domain(&row), None);
    }

    #[test]
    fn o10_halves_that_name_each_other_are_one_call_whichever_leg_is_asked() {
        let said = Said::default();
        for (id, other, call) in [("a1", "b1", "b2"), ("a2", "b2", "b1")] {
            said.hear(&event(&[
                ("Event-Name", "CHANNEL_CREATE"),
                ("Unique-ID", id),
                ("Channel-Call-UUID", call),
                ("Channel-Name", "loopback/1002-a"),
                ("variable_other_loopback_leg_uuid", other),
            ]));
        }
        let call = |id: &str| said.call(&LegId::new(id).unwrap());
        assert_eq!(call("b1"), call("b2"));
    }
}
