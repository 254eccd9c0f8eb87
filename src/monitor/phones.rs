//! Which phones of a PBX can be reached: news in, a bounded table out.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::directory::Directory;
use crate::domain::dial::ExtensionNumber;
use crate::domain::ids::TenantId;
use crate::domain::leg::{Contact, Endpoint, WireText};
use crate::domain::sip_domain::SipDomain;

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
    /// Whether all of them are to be told of.
    all_changed: bool,
    /// The directory's changes when phones were told of last.
    changes: u64,
}

/// How many phones of each extension of a tenant can be reached.
#[derive(Debug)]
pub struct Counted {
    /// By tenant and number, those that changed.
    pub of: BTreeMap<(TenantId, ExtensionNumber), usize>,
    /// Whether there are no others.
    pub are_all: bool,
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
            all_changed: false,
            changes: 0,
        }
    }

    /// Whether it is known to be as the PBX says.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.is_current
    }

    /// A phone can be reached, or not any more. Gives whether it came beside others of its extension.
    pub fn hear(&mut self, contact: Contact, is_in: bool) -> bool {
        let endpoint = contact.endpoint.clone();
        let count = |phones: &Self| phones.contacts.get(&endpoint).map_or(0, BTreeSet::len);
        let before = count(self);
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
        before > 0 && count(self) > before
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
    fn change_all(&mut self) {
        self.all_changed = true;
        self.changed.extend(self.contacts.keys().cloned());
    }

    /// How many phones of each extension can be reached, of those that changed since this was asked last: all of them once a
    /// domain has become another's, for they may have been heard of before their tenant was known.
    ///
    /// An extension's phones may sign in at any domain of its tenant: they are counted together.
    pub fn take_changed(&mut self, directory: &Directory) -> Counted {
        if self.changes != directory.changes() {
            self.changes = directory.changes();
            self.change_all();
        }
        let mut of = BTreeMap::new();
        for Endpoint { number, domain } in std::mem::take(&mut self.changed) {
            let Some(tenant) = directory.tenant(&domain) else {
                continue;
            };
            of.entry((tenant, number.clone())).or_insert_with(|| {
                let at = |domain: &SipDomain| {
                    let (number, domain) = (number.clone(), domain.clone());
                    self.contacts.get(&Endpoint { number, domain })
                };
                let phones = directory.domains(tenant).iter().filter_map(at);
                phones.map(BTreeSet::len).sum()
            });
        }
        let are_all = std::mem::take(&mut self.all_changed);
        Counted { of, are_all }
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
        let counts = phones.take_changed(&acme(&["acme.example.com"]));
        assert_eq!(numbers(&counts), [("1001", 0), ("1002", 1)]);
    }

    #[test]
    fn o10_what_a_poll_of_phones_says_is_not_taken_when_news_were_lost_meanwhile() {
        let mut phones = Phones::new(10);
        phones.begin_poll();
        phones.lose();
        assert!(!phones.end_poll(vec![contact(1, 1)]));
        assert!(!phones.is_current() && all(&phones).is_empty());
    }

    #[test]
    fn o10_more_phones_than_are_kept_are_said() {
        let mut phones = Phones::new(2);
        let known = |phones: &mut Phones, count: u8| {
            phones.begin_poll();
            assert!(phones.end_poll((0..count).map(|phone| contact(1, phone)).collect()));
            phones.is_current()
        };
        assert!(known(&mut phones, 2));
        phones.hear(contact(2, 1), true);
        assert!(!phones.is_current());
        assert!(!known(&mut phones, 3));
        assert!(known(&mut phones, 2));
    }

    #[test]
    fn o10_a_phone_comes_beside_others_where_its_extension_has_another_and_not_again() {
        let mut phones = Phones::new(10);
        let heard = [(1, 1), (1, 1), (2, 1), (1, 2), (1, 2)];
        let beside = heard.map(|(extension, phone)| phones.hear(contact(extension, phone), true));
        assert_eq!(beside, [false, false, false, true, false]);
    }

    /// A directory in which one tenant has these domains.
    fn acme(domains: &[&str]) -> Directory {
        let mut directory = Directory::default();
        know(&mut directory, domains);
        directory
    }

    fn know(directory: &mut Directory, domains: &[&str]) {
        let tenant = TenantId::from_uuid(uuid::Uuid::from_u128(1));
        let domains = domains.iter().map(|domain| (tenant, domain.parse().unwrap()));
        directory.know(domains);
    }

    fn numbers(counted: &Counted) -> Vec<(&str, usize)> {
        let of = counted.of.iter();
        of.map(|((_, number), count)| (number.as_str(), *count)).collect()
    }

    #[test]
    fn o10_phones_that_were_heard_of_before_their_tenant_was_known_are_told_of_once_it_is() {
        let (mut phones, mut directory) = (Phones::new(10), Directory::default());
        phones.hear(contact(1, 1), true);
        assert!(phones.take_changed(&directory).of.is_empty());
        know(&mut directory, &["acme.example.com"]);
        let told = phones.take_changed(&directory);
        assert_eq!((numbers(&told), told.are_all), (vec![("1001", 1)], true));
        // The same read once more changes nothing.
        know(&mut directory, &["acme.example.com"]);
        let told = phones.take_changed(&directory);
        assert!(told.of.is_empty() && !told.are_all);
    }

    #[test]
    fn o10_phones_of_an_extension_are_counted_together_under_all_domains_of_its_tenant() {
        let at = |domain: &str, phone: u8| Contact {
            endpoint: Endpoint::parse(&format!("1001@{domain}")).unwrap(),
            name: WireText::of(&format!("sip:{phone}")),
        };
        let (mut phones, mut directory) = (Phones::new(10), acme(&["old.example.com", "new.example.com"]));
        phones.hear(at("old.example.com", 1), true);
        phones.hear(at("new.example.com", 1), true);
        assert_eq!(numbers(&phones.take_changed(&directory)), [("1001", 2)]);
        phones.hear(at("old.example.com", 1), false);
        assert_eq!(numbers(&phones.take_changed(&directory)), [("1001", 1)]);
        know(&mut directory, &["old.example.com"]);
        let told = phones.take_changed(&directory);
        assert!(
            told.of.is_empty() && told.are_all,
            "what is at nobody's domain counts no more"
        );
    }
}
