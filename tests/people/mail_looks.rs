//! A look at mail boxes of which some cannot be seen: what is known of those stays, and all others are looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;
use switchyard::domain::dial::ExtensionNumber;
use switchyard::domain::ids::{SystemIds, TenantId};
use switchyard::domain::sip_domain::SipDomain;
use switchyard::domain::tenant::Tenant;
use switchyard::domain::voicemail::{FoundMessage, MailFolder, PbxMessageId};
use switchyard::driver::mail::{Mail, MailError, MailPlace, MailboxContent, MessageSound};
use switchyard::monitor::voicemail::{LookError, Looked, look};
use tempfile::TempDir;

use super::gone::world;
use super::purging::ago;
use super::support::database::Backend::Sqlite;
use super::world::World;

/// What lies on a PBX, by domain and mail box.
#[derive(Default)]
pub(super) struct Shelf {
    pub domains: BTreeMap<SipDomain, Lies>,
    pub is_away: bool,
    pub mark: String,
    pub is_believed: bool,
    /// Nobody knows where it is, and it may not be there yet.
    pub is_nowhere: bool,
    /// Its disk goes once it was asked so often which one it is.
    pub goes_after: Option<usize>,
    pub asked: AtomicUsize,
}

#[derive(Clone)]
pub(super) enum Lies {
    /// Each with its messages, or not to be read.
    There(BTreeMap<ExtensionNumber, Option<MailboxContent>>),
    Unreadable,
}

impl Shelf {
    pub fn put(&mut self, tenant: &Tenant, mailbox: &str, content: Option<MailboxContent>) {
        let lies = self
            .domains
            .entry(tenant.domain.clone())
            .or_insert_with(|| Lies::There(BTreeMap::new()));
        let Lies::There(mailboxes) = lies else {
            panic!("it cannot be read");
        };
        mailboxes.insert(mailbox.parse().unwrap(), content);
    }

    pub async fn look(&self, world: &World) -> Result<Looked, LookError> {
        self.look_for(world, None).await
    }

    pub async fn look_for(&self, world: &World, tenant: Option<TenantId>) -> Result<Looked, LookError> {
        look(&world.store, &SystemIds, world.acme.instance_id, self, tenant).await
    }
}

#[async_trait]
impl Mail for Shelf {
    async fn place(&self) -> Result<Option<MailPlace>, MailError> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        let has_gone = self.goes_after.is_some_and(|after| asked >= after);
        Ok((!self.is_nowhere).then(|| MailPlace {
            mark: if has_gone {
                "beneath".to_owned()
            } else {
                self.mark.clone()
            },
            root: "/var/spool/voicemail".to_owned(),
            is_believed: self.is_believed,
        }))
    }

    async fn mailboxes(
        &self,
        domain: &SipDomain,
        _perhaps: &BTreeSet<ExtensionNumber>,
    ) -> Result<Option<Vec<ExtensionNumber>>, MailError> {
        if self.is_away {
            return Err(MailError::unavailable("it", "it is away"));
        }
        match self.domains.get(domain) {
            None => Ok(None),
            Some(Lies::There(mailboxes)) => Ok(Some(mailboxes.keys().cloned().collect())),
            Some(Lies::Unreadable) => Err(MailError::refused_all(domain, "it cannot be read")),
        }
    }

    async fn content(
        &self,
        domain: &SipDomain,
        mailbox: &ExtensionNumber,
    ) -> Result<MailboxContent, MailError> {
        let Some(Lies::There(mailboxes)) = self.domains.get(domain) else {
            panic!("it is not there");
        };
        // In a box that is not there is nothing.
        let content = mailboxes
            .get(mailbox)
            .cloned()
            .unwrap_or_else(|| Some(MailboxContent::default()));
        content.ok_or_else(|| MailError::refused(mailbox, "it cannot be read"))
    }

    async fn holds(
        &self,
        _: &SipDomain,
        _: &ExtensionNumber,
        _: &PbxMessageId,
        _: Timestamp,
    ) -> Result<bool, MailError> {
        panic!("nobody asks")
    }

    async fn sound(
        &self,
        _: &SipDomain,
        _: &ExtensionNumber,
        _: &PbxMessageId,
    ) -> Result<Option<MessageSound>, MailError> {
        panic!("nobody asks")
    }

    async fn remove(
        &self,
        _: &SipDomain,
        _: &ExtensionNumber,
        _: &PbxMessageId,
        _: Timestamp,
    ) -> Result<bool, MailError> {
        panic!("nobody asks")
    }
}

/// One message in a box, which was left so many days ago.
pub(super) fn one(mailbox: &str, days: i64) -> MailboxContent {
    let left_at = Timestamp::from_second(ago(days).as_second()).unwrap();
    let message = FoundMessage {
        mailbox: mailbox.parse().unwrap(),
        folder: MailFolder::Inbox,
        id: format!("{}-00000001", left_at.as_second()).parse().unwrap(),
        left_at,
        caller: None,
        seconds: Some(5),
        bytes: 100,
    };
    MailboxContent {
        messages: vec![message],
        has_more: false,
        ..MailboxContent::default()
    }
}

pub(super) fn content_of(
    domains: &BTreeMap<SipDomain, Lies>,
    tenant: &Tenant,
    mailbox: &str,
) -> MailboxContent {
    let Lies::There(mailboxes) = &domains[&tenant.domain] else {
        panic!("it cannot be read");
    };
    mailboxes[&mailbox.parse().unwrap()].clone().unwrap()
}

pub(super) async fn known(world: &World, tenant: &Tenant) -> Vec<String> {
    let messages = world.messages(tenant).await;
    let mut mailboxes: Vec<String> = messages
        .iter()
        .map(|message| message.found.mailbox.to_string())
        .collect();
    mailboxes.sort();
    mailboxes
}

/// Two tenants of one PBX, each with a message in each of two boxes, all of them known.
pub(super) async fn looked_at(state: &TempDir) -> (World, Shelf) {
    let world = world(Sqlite, state).await;
    let mut shelf = Shelf::default();
    for tenant in [&world.acme, &world.globex] {
        world.revision(tenant).await;
        for mailbox in ["1001", "1002"] {
            shelf.put(tenant, mailbox, Some(one(mailbox, 9)));
        }
    }
    let looked = shelf.look(&world).await.unwrap();
    assert_eq!((looked.kept, looked.lost, looked.nobodys), (4, 0, 0));
    (world, shelf)
}

#[tokio::test]
async fn a20_a_box_or_a_domain_that_cannot_be_read_loses_nothing_and_keeps_no_other_one_from_being_looked_at()
{
    let state = TempDir::new().unwrap();
    let (world, mut shelf) = looked_at(&state).await;
    let (first, second) = (&world.acme, &world.globex);
    assert!(first.domain < second.domain);
    shelf.put(first, "1001", None);
    shelf.put(first, "1002", Some(MailboxContent::default()));
    shelf.put(second, "1003", Some(one("1003", 9)));
    let error = shelf.look(&world).await.unwrap_err();
    assert!(
        matches!(error, LookError::Mail(MailError::Refused { .. })),
        "{error:?}"
    );
    assert_eq!(known(&world, first).await, ["1001"]);
    assert_eq!(known(&world, second).await, ["1001", "1002", "1003"]);

    shelf.domains.insert(first.domain.clone(), Lies::Unreadable);
    shelf.put(second, "1004", Some(one("1004", 9)));
    let error = shelf.look(&world).await.unwrap_err();
    assert!(
        matches!(error, LookError::Mail(MailError::Refused { .. })),
        "{error:?}"
    );
    assert_eq!(known(&world, first).await, ["1001"]);
    assert_eq!(known(&world, second).await, ["1001", "1002", "1003", "1004"]);
}

#[tokio::test]
async fn a20_a_directory_that_is_not_there_loses_nothing_where_messages_of_it_are_known() {
    let state = TempDir::new().unwrap();
    let (world, mut shelf) = looked_at(&state).await;
    shelf.domains.remove(&world.acme.domain);
    shelf.put(&world.globex, "1001", Some(MailboxContent::default()));
    let error = shelf.look(&world).await.unwrap_err();
    assert!(
        matches!(error, LookError::Mail(MailError::Refused { .. })),
        "{error:?}"
    );
    assert_eq!(known(&world, &world.acme).await, ["1001", "1002"]);
    assert_eq!(known(&world, &world.globex).await, ["1002"]);
    // Whoever has removed it on purpose makes it again.
    shelf
        .domains
        .insert(world.acme.domain.clone(), Lies::There(BTreeMap::new()));
    let looked = shelf.look(&world).await.unwrap();
    assert_eq!((looked.kept, looked.lost), (0, 2));
    shelf.domains.remove(&world.acme.domain);
    assert_eq!(shelf.look(&world).await.unwrap(), Looked::default());
}

#[tokio::test]
async fn a20_a_pbx_that_is_away_or_holds_more_than_is_looked_at_loses_nothing() {
    let state = TempDir::new().unwrap();
    let (world, mut shelf) = looked_at(&state).await;
    shelf.is_away = true;
    assert!(shelf.look(&world).await.is_err());
    assert_eq!(known(&world, &world.acme).await, ["1001", "1002"]);
    shelf.is_away = false;
    let full = MailboxContent {
        has_more: true,
        ..MailboxContent::default()
    };
    shelf.put(&world.acme, "1001", Some(full));
    assert_eq!(shelf.look(&world).await.unwrap(), Looked::default());
    assert_eq!(known(&world, &world.acme).await, ["1001", "1002"]);
}

#[tokio::test]
async fn a20_messages_from_before_anybody_had_the_domain_are_counted_and_nobodys() {
    let state = TempDir::new().unwrap();
    let (world, mut shelf) = looked_at(&state).await;
    shelf.put(&world.acme, "1003", Some(one("1003", 500)));
    let looked = shelf.look(&world).await.unwrap();
    assert_eq!((looked.kept, looked.nobodys), (0, 1));
    assert_eq!(known(&world, &world.acme).await, ["1001", "1002"]);
}
