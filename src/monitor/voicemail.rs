//! Messages in mail boxes: brings what is known of them in line with what lies on their PBX.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use thiserror::Error;

use crate::domain::dial::ExtensionNumber;
use crate::domain::ids::{IdSource, InstanceId, TenantId, VoicemailId};
use crate::domain::sip_domain::SipDomain;
use crate::domain::voicemail::{FoundMessage, PbxMessageId, Voicemail};
use crate::driver::mail::{BELIEVED, Mail, MailError, MailPlace};
use crate::store::{Store, StoreError, domains, voicemail};

/// Rows that are written in one transaction.
const BATCH: usize = 200;
const NO_DIRECTORY: &str = "their directory is not there or empty: see whether its disk is mounted, or make it with an empty \
    file in it where it was emptied on purpose";

/// Kept of a directory in which none of the messages that are known was met: it is none that is there.
const NONE: &str = "none";
const PLACE: &str = "the directory of mail boxes";

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
/// and that is the error ([`MailError::Refused`]) once all others were. In another directory than the one that it was, no message
/// is taken to have gone, and that is the error ([`MailError::Unavailable`]) unless all that are known are there.
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
    let before = mail.place().await?;
    let mut seen = Seen::default();
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
        match place.look(&mut seen).await {
            Ok(()) => {}
            Err(error @ LookError::Mail(MailError::Refused { .. })) => missed = missed.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    if before != mail.place().await? {
        return Err(MailError::unavailable(PLACE, "its disk was mounted, or taken away, meanwhile").into());
    }
    let is_whole = missed.is_none() && tenant.is_none();
    if let Some(there) = before {
        settle(store, instance, &mut seen, &there, is_whole).await?;
    }
    missed.map_or(Ok(seen.looked), Err)
}

/// Which directory the mail boxes of a PBX are in; an error where there is none, or another one than it was.
pub async fn place(store: &Store, instance: InstanceId, mail: &dyn Mail) -> Result<MailPlace, LookError> {
    let Some(place) = mail.place().await? else {
        return Err(MailError::unavailable(PLACE, "it is not there").into());
    };
    let mut tx = store.read("place_of_mail_boxes").await?;
    let kept = voicemail::place(&mut tx, instance).await?;
    if kept.is_none_or(|kept| kept == place.mark) || place.is_believed {
        Ok(place)
    } else {
        Err(another())
    }
}

fn another() -> LookError {
    let why = format!(
        "it is another one than it was: see whether its disk is mounted, or, where it is the right one, make an empty file \
         {BELIEVED} in it"
    );
    MailError::unavailable(PLACE, why).into()
}

/// What a look has seen.
#[derive(Default)]
struct Seen {
    looked: Looked,
    /// Known messages that were met.
    met: usize,
    /// Known messages that may be there all the same: of a box that holds more than is looked at.
    perhaps: usize,
    /// Those that are not there.
    gone: Vec<Voicemail>,
}

/// Forgets what has gone, where the directory is the one that it was. `is_whole`: all boxes of all tenants were looked at.
async fn settle(
    store: &Store,
    instance: InstanceId,
    seen: &mut Seen,
    there: &MailPlace,
    is_whole: bool,
) -> Result<(), LookError> {
    let mut tx = store.begin("settle_mail_boxes").await?;
    let kept = voicemail::place(&mut tx, instance).await?;
    let is_kept = kept.as_ref() == Some(&there.mark);
    // Where it was never known, one message that is there tells.
    let is_likely = kept.is_none() && (seen.met > 0 || seen.gone.is_empty());
    let is_right = is_kept || there.is_believed || is_likely;
    let is_all_there = is_whole && seen.gone.is_empty() && seen.perhaps == 0;
    let place = if is_all_there || there.is_believed || is_right && seen.met > 0 {
        Some(there.mark.as_str())
    } else {
        (is_whole && kept.is_none()).then_some(NONE)
    };
    if let Some(place) = place.filter(|_| !is_kept) {
        voicemail::set_place(&mut tx, instance, place).await?;
    }
    tx.commit().await?;
    if is_right {
        lose(store, &seen.gone).await?;
        seen.looked.lost = seen.gone.len();
        Ok(())
    } else if is_all_there {
        Ok(())
    } else {
        Err(another())
    }
}

async fn lose(store: &Store, gone: &[Voicemail]) -> Result<(), StoreError> {
    for batch in gone.chunks(BATCH) {
        let mut tx = store.begin("lose_voicemail").await?;
        for message in batch {
            voicemail::delete(&mut tx, message.tenant_id, message.id).await?;
        }
        tx.commit().await?;
    }
    Ok(())
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
    async fn look(&self, seen: &mut Seen) -> Result<(), LookError> {
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
            match self.look_at(&mailbox, known, &holders, seen).await {
                Ok(()) => {}
                Err(error @ LookError::Mail(MailError::Refused { .. })) => missed = missed.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        seen.gone.extend(known.into_values().flat_map(Known::into_values));
        missed.map_or(Ok(()), Err)
    }

    async fn look_at(
        &self,
        mailbox: &ExtensionNumber,
        mut known: Known,
        holders: &[(TenantId, Timestamp)],
        seen: &mut Seen,
    ) -> Result<(), LookError> {
        let content = self.mail.content(self.domain, mailbox).await?;
        let mut changed = Vec::new();
        for found in content.messages {
            let known = known.remove(&found.id);
            seen.met += usize::from(known.is_some());
            match known {
                Some(known) if known.found == found => {}
                Some(known) => changed.push((known.tenant_id, found)),
                None => match self.holder(holders, found.left_at) {
                    Some(tenant) => changed.push((tenant, found)),
                    None => seen.looked.nobodys += 1,
                },
            }
        }
        self.keep(&changed, &mut seen.looked).await?;
        if content.has_more {
            seen.perhaps += known.len();
        } else {
            seen.gone.extend(known.into_values());
        }
        Ok(())
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
}
