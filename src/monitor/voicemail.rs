//! Messages in mail boxes: brings what is known of them in line with what lies on their PBX.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use thiserror::Error;

use crate::domain::dial::ExtensionNumber;
use crate::domain::ids::{IdSource, InstanceId, TenantId, VoicemailId};
use crate::domain::sip_domain::SipDomain;
use crate::domain::voicemail::{FoundMessage, PbxMessageId, Voicemail};
use crate::driver::mail::{Mail, MailError};
use crate::store::{Store, StoreError, domains, voicemail};

/// Rows that are written in one transaction.
const BATCH: usize = 200;
const NO_DIRECTORY: &str = "their directory is not there or empty: see whether its disk is mounted, or make it with an empty \
    file in it where it was emptied on purpose";

/// Why mail boxes could not be looked at.
#[derive(Debug, Error)]
pub enum LookError {
    /// The PBX or its disk.
    #[error("the mail boxes could not be looked at, so no message is taken to have gone")]
    Mail(#[from] MailError),
    /// The database.
    #[error("the messages that were found could not be kept")]
    Store(#[from] StoreError),
}

/// What a look has found.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Looked {
    /// New messages, and those that were moved.
    pub kept: usize,
    /// Those that have gone.
    pub lost: usize,
    /// Those that are nobody's: they are not known, and so neither kept for days nor exported.
    pub nobodys: usize,
}

/// Looks at the mail boxes of a PBX: of all tenants, or of one. What is known of a box that cannot be looked at stays as it is,
/// and that is the error ([`MailError::Refused`]) once all others were.
pub async fn look(
    store: &Store,
    ids: &dyn IdSource,
    instance: InstanceId,
    mail: &dyn Mail,
    tenant: Option<TenantId>,
) -> Result<Looked, LookError> {
    let mut tx = store.read("domains_of_mail_boxes").await?;
    let served: BTreeSet<(TenantId, SipDomain)> =
        domains::known_on(&mut tx, instance).await?.into_iter().collect();
    // Also those of domains that nobody has any more: what is there of them belongs to somebody still.
    let mut places = served.clone();
    places.extend(voicemail::domains(&mut tx, instance).await?);
    drop(tx);
    let places: BTreeSet<SipDomain> = places
        .into_iter()
        .filter(|(of, _)| tenant.is_none_or(|tenant| tenant == *of))
        .map(|(_, domain)| domain)
        .collect();
    let mut looked = Looked::default();
    let mut missed = None;
    for domain in &places {
        let place = Place {
            store,
            ids,
            instance,
            mail,
            domain,
            served: &served,
        };
        match place.look(&mut looked).await {
            Ok(()) => {}
            Err(error @ LookError::Mail(MailError::Refused { .. })) => missed = missed.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    missed.map_or(Ok(looked), Err)
}

/// The mail boxes of a domain on a PBX.
struct Place<'a> {
    store: &'a Store,
    ids: &'a dyn IdSource,
    instance: InstanceId,
    mail: &'a dyn Mail,
    domain: &'a SipDomain,
    served: &'a BTreeSet<(TenantId, SipDomain)>,
}

/// What is known of a mail box.
type Known = BTreeMap<PbxMessageId, Voicemail>;

impl Place<'_> {
    async fn look(&self, looked: &mut Looked) -> Result<(), LookError> {
        let mut tx = self.store.read("known_voicemail").await?;
        let mut known: BTreeMap<ExtensionNumber, Known> = BTreeMap::new();
        for message in voicemail::of_domain(&mut tx, self.instance, self.domain).await? {
            let mailbox = known.entry(message.found.mailbox.clone()).or_default();
            mailbox.insert(message.found.id.clone(), message);
        }
        let holders = domains::holders(&mut tx, self.domain).await?;
        drop(tx);
        let Some(mailboxes) = self.mail.mailboxes(self.domain).await? else {
            return if known.is_empty() {
                // Where there never was a message, there need not be a directory.
                Ok(())
            } else {
                Err(MailError::refused_all(self.domain, NO_DIRECTORY).into())
            };
        };
        let mut missed = None;
        for mailbox in mailboxes {
            let known = known.remove(&mailbox).unwrap_or_default();
            match self.look_at(&mailbox, known, &holders, looked).await {
                Ok(()) => {}
                Err(error @ LookError::Mail(MailError::Refused { .. })) => missed = missed.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        let gone: Vec<Voicemail> = known.into_values().flat_map(Known::into_values).collect();
        self.lose(&gone, looked).await?;
        missed.map_or(Ok(()), Err)
    }

    async fn look_at(
        &self,
        mailbox: &ExtensionNumber,
        mut known: Known,
        holders: &[(TenantId, Timestamp)],
        looked: &mut Looked,
    ) -> Result<(), LookError> {
        let content = self.mail.content(self.domain, mailbox).await?;
        let mut changed = Vec::new();
        for found in content.messages {
            match known.remove(&found.id) {
                Some(known) if known.found == found => {}
                Some(known) => changed.push((known.tenant_id, found)),
                None => match self.holder(holders, found.left_at) {
                    Some(tenant) => changed.push((tenant, found)),
                    None => looked.nobodys += 1,
                },
            }
        }
        self.keep(&changed, looked).await?;
        if content.has_more {
            return Ok(());
        }
        let gone: Vec<Voicemail> = known.into_values().collect();
        self.lose(&gone, looked).await
    }

    /// Whose a message is, which is nobody's rather than another's: a domain may have changed hands since it was left.
    fn holder(&self, holders: &[(TenantId, Timestamp)], left_at: Timestamp) -> Option<TenantId> {
        let before = holders.iter().filter(|(_, since)| *since <= left_at);
        let holder = before.max_by_key(|(_, since)| *since).map(|(tenant, _)| *tenant);
        holder.filter(|tenant| self.served.contains(&(*tenant, self.domain.clone())))
    }

    async fn keep(
        &self,
        changed: &[(TenantId, FoundMessage)],
        looked: &mut Looked,
    ) -> Result<(), StoreError> {
        for batch in changed.chunks(BATCH) {
            let mut tx = self.store.begin("keep_voicemail").await?;
            for (tenant, found) in batch {
                let id = VoicemailId::fresh(self.ids);
                voicemail::put(&mut tx, id, *tenant, self.instance, self.domain, found).await?;
            }
            tx.commit().await?;
            looked.kept += batch.len();
        }
        Ok(())
    }

    async fn lose(&self, gone: &[Voicemail], looked: &mut Looked) -> Result<(), LookError> {
        for batch in gone.chunks(BATCH) {
            let mut tx = self.store.begin("lose_voicemail").await?;
            for message in batch {
                voicemail::delete(&mut tx, message.tenant_id, message.id).await?;
            }
            tx.commit().await?;
            looked.lost += batch.len();
        }
        Ok(())
    }
}
