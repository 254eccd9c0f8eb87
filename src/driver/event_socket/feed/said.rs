//! What only the events say of a leg, kept for the polls, which are to say the same.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::leg::LegId;
use crate::domain::sip_domain::SipDomain;
use crate::wire::esl::{Channel, Event};

/// The most legs of which something is kept: beyond them all is forgotten, until the next event of each.
const MOST: usize = 20_000;

/// Shared by the feed, which hears, and its polls. FreeSWITCH's table of legs has no variables.
#[derive(Clone, Default)]
pub struct Said(Arc<Mutex<HashMap<LegId, Kept>>>);

struct Kept {
    /// Of the variable `domain_name`.
    domain: SipDomain,
    /// Whether the last poll did not show the leg. The table is behind the events: the second that does not tells that its
    /// end was missed.
    was_missing: bool,
}

impl Said {
    /// Keeps what an event says, as long as the leg is up.
    pub fn hear(&self, event: &Event) {
        let (Some(name), Some(id)) = (event.name(), event.get("Unique-ID").and_then(LegId::new)) else {
            return;
        };
        let is_over = matches!(name, "CHANNEL_HANGUP_COMPLETE" | "CHANNEL_DESTROY");
        let domain = event.get("variable_domain_name").filter(|_| !is_over);
        let mut legs = self.lock();
        let Some(Ok(domain)) = domain.map(str::parse) else {
            legs.remove(&id);
            return;
        };
        if legs.len() >= MOST && !legs.contains_key(&id) {
            legs.clear();
        }
        let was_missing = false;
        legs.insert(id, Kept { domain, was_missing });
    }

    /// What is kept of the leg of a row.
    pub fn domain(&self, channel: &Channel) -> Option<SipDomain> {
        let id = LegId::new(&channel.uuid)?;
        self.lock().get(&id).map(|kept| kept.domain.clone())
    }

    /// Forgets the legs that two polls have not shown.
    pub fn prune(&self, shown: &[Channel]) {
        let shown: HashSet<&str> = shown.iter().map(|channel| channel.uuid.as_str()).collect();
        self.lock().retain(|id, kept| {
            let is_missing = !shown.contains(id.as_str());
            let is_over = is_missing && kept.was_missing;
            kept.was_missing = is_missing;
            !is_over
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<LegId, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
