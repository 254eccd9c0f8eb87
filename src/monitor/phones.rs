//! Which phones of a PBX can be reached: news in, a bounded table out.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::domain::leg::{Contact, Endpoint, WireText};

/// The phones of one PBX.
#[derive(Debug)]
pub struct Phones {
    limit: usize,
    kept: usize,
    contacts: HashMap<Endpoint, BTreeSet<WireText>>,
    /// What was heard since the poll that is under way was begun; that is newer than what it says.
    window: Option<HashSet<Contact>>,
    is_current: bool,
    changed: BTreeSet<Endpoint>,
}

impl Phones {
    /// Nothing is known yet. `limit`: the most phones that are kept.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            kept: 0,
            contacts: HashMap::new(),
            window: None,
            is_current: false,
            changed: BTreeSet::new(),
        }
    }

    /// Whether it is known to be as the PBX says.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.is_current
    }

    /// A phone can be reached, or not any more.
    pub fn hear(&mut self, contact: Contact, is_in: bool) {
        if let Some(window) = &mut self.window {
            window.insert(contact.clone());
        }
        self.put(contact, is_in);
        if self
            .window
            .as_ref()
            .is_some_and(|window| window.len() > self.limit)
        {
            self.lose();
        }
    }

    /// News were lost.
    pub fn lose(&mut self) {
        self.is_current = false;
        self.window = None;
    }

    /// Begins a poll: to be called before the PBX is asked.
    pub fn begin_poll(&mut self) {
        self.window = Some(HashSet::new());
    }

    /// Takes what a poll says; false, with nothing taken, where news were lost meanwhile.
    pub fn end_poll(&mut self, polled: Vec<Contact>) -> bool {
        let Some(heard) = self.window.take() else {
            return false;
        };
        let fits = polled.len() <= self.limit;
        let shown: HashSet<Contact> = polled.into_iter().collect();
        let known = self.contacts.iter().flat_map(|(endpoint, names)| {
            names.iter().map(|name| Contact {
                endpoint: endpoint.clone(),
                name: name.clone(),
            })
        });
        let gone: Vec<Contact> = known
            .filter(|contact| !shown.contains(contact) && !heard.contains(contact))
            .collect();
        for contact in gone {
            self.put(contact, false);
        }
        for contact in shown.into_iter().filter(|contact| !heard.contains(contact)) {
            self.put(contact, true);
        }
        self.is_current = fits;
        true
    }

    /// Every phone is to be told of again.
    pub fn change_all(&mut self) {
        self.changed.extend(self.contacts.keys().cloned());
    }

    /// How many phones of each extension can be reached, of those that changed since this was asked last.
    pub fn take_changed(&mut self) -> Vec<(Endpoint, usize)> {
        let changed = std::mem::take(&mut self.changed);
        let counted = changed.into_iter().map(|endpoint| {
            let count = self.contacts.get(&endpoint).map_or(0, BTreeSet::len);
            (endpoint, count)
        });
        counted.collect()
    }

    fn put(&mut self, contact: Contact, is_in: bool) {
        let Contact { endpoint, name } = contact;
        let names = self.contacts.get(&endpoint);
        if names.is_some_and(|names| names.contains(&name)) == is_in {
            return;
        }
        if is_in {
            if self.kept >= self.limit {
                return self.lose();
            }
            self.contacts.entry(endpoint.clone()).or_default().insert(name);
            self.kept += 1;
        } else if let Some(names) = self.contacts.get_mut(&endpoint) {
            names.remove(&name);
            self.kept = self.kept.saturating_sub(1);
            if names.is_empty() {
                self.contacts.remove(&endpoint);
            }
        }
        self.changed.insert(endpoint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn contact(extension: u8, phone: u8) -> Contact {
        Contact {
            endpoint: Endpoint::parse(&format!("10{extension:02}@acme.example.com")).unwrap(),
            name: WireText::of(&format!("sip:{phone}")),
        }
    }

    fn all(phones: &Phones) -> BTreeSet<Contact> {
        let contacts = phones.contacts.iter();
        contacts
            .flat_map(|(endpoint, names)| names.iter().map(|name| (endpoint.clone(), name.clone())))
            .map(|(endpoint, name)| Contact { endpoint, name })
            .collect()
    }

    proptest! {
        #[test]
        fn whatever_was_heard_a_poll_puts_it_right_and_memory_is_bounded(
            news in prop::collection::vec((0..9_u8, 0..4_u8, any::<bool>()), 0..80),
            truth in prop::collection::btree_set((0..9_u8, 0..4_u8), 0..12),
        ) {
            let mut phones = Phones::new(12);
            for (extension, phone, is_in) in news {
                phones.hear(contact(extension, phone), is_in);
                prop_assert!(phones.kept <= 12 && phones.kept == all(&phones).len());
            }
            let truth: BTreeSet<Contact> = truth.into_iter().map(|(e, p)| contact(e, p)).collect();
            phones.begin_poll();
            prop_assert!(phones.end_poll(truth.iter().cloned().collect()));
            prop_assert!(phones.is_current());
            prop_assert_eq!(all(&phones), truth);
        }
    }

    #[test]
    fn what_is_heard_while_a_poll_is_under_way_is_newer() {
        let mut phones = Phones::new(10);
        phones.hear(contact(1, 1), true);
        phones.begin_poll();
        phones.hear(contact(1, 1), false);
        phones.hear(contact(2, 1), true);
        assert!(phones.end_poll(vec![contact(1, 1)]));
        assert_eq!(all(&phones), [contact(2, 1)].into());
        let counts = phones.take_changed();
        assert_eq!(counts, [(contact(1, 1).endpoint, 0), (contact(2, 1).endpoint, 1)]);
    }
}
