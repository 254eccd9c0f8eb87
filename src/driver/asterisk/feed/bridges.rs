//! Whether a channel that enters a bridge makes one call of two.

use std::collections::HashMap;

use crate::wire::ami::Message;

/// The bridges there are, each with the `Linkedid` of whoever entered last.
///
/// The channels of a bridge of two take on the older `Linkedid` *after* the second has entered, and no event tells that of
/// either (measured with Asterisk 22 and its action Bridge). In a conference each keeps its own (measured too), and a
/// poll more does no harm.
pub struct Bridges {
    limit: usize,
    calls: HashMap<Box<str>, Box<str>>,
}

impl Bridges {
    /// None is known. `limit`: the most that are kept.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            calls: HashMap::new(),
        }
    }

    /// Takes an event; whether it is of a channel that meets one of another call, or may.
    pub fn hear(&mut self, message: &Message) -> bool {
        let Some(bridge) = message.get("BridgeUniqueid") else {
            return false;
        };
        match message.event() {
            Some("BridgeEnter") => {
                let call = message.get("Linkedid").unwrap_or_default();
                let is_alone = message.get("BridgeNumChannels") == Some("1");
                if self.calls.len() >= self.limit && !self.calls.contains_key(bridge) {
                    self.calls.clear();
                }
                let before = self.calls.insert(bridge.into(), call.into());
                !is_alone && before.is_none_or(|before| *before != *call)
            }
            Some("BridgeDestroy") => {
                self.calls.remove(bridge);
                false
            }
            _ => false,
        }
    }
}
