//! Messages in mail boxes: brings what is known of them in line with what lies on their PBX.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use jiff::Timestamp;
use thiserror::Error;

use crate::domain::dial::ExtensionNumber;
use crate::domain::ids::{IdSource, InstanceId, TenantId, VoicemailId};
use crate::domain::sip_domain::SipDomain;
use crate::domain::voicemail::{FoundMessage, PbxMessageId, Voicemail};
use crate::driver::mail::{BELIEVED, Mail, MailError, MailPlace};
use crate::store::{Store, StoreError, domains, extensions, voicemail};

/// Rows that are written in one transaction.
const BATCH: usize = 200;
const NO_DIRECTORY: &str = "their directory is not there or empty: see whether its disk is mounted, or make it with an empty \
    file in it where it was emptied on purpose";

const STRAYS: &str = "the PBX lists messages of boxes that it has no more, and their sounds lie in none: remove those rows of \
    `v_voicemail_messages` whose `voicemail_uuid` is in no row of `v_voicemails`";
const NAMELESS: &str = "the PBX lists messages no more whose sounds may lie there all the same: remove the messages of which nobody \
    knows who left them, or those files";
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
/// and that is the error ([`MailError::Refused`]) once all others were. In another directory than the one that it was nothing is
/// kept or taken to have gone, and that is the error ([`MailError::Unavailable`]), unless all that is known is there.
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
    let kept = voicemail::place(&mut tx, instance).await?;
    drop(tx);
    let boxes = Boxes {
        store,
        ids,
        instance,
        mail,
        served: &served,
    };
    let before = mail.place().await?;
    let is_another = |there: &&MailPlace| kept.as_ref() != Some(&there.mark) && !there.is_believed;
    if let Some(there) = before.as_ref().filter(is_another) {
        let met = boxes.recognise(&places, kept.is_none(), there).await?;
        if met > 0 {
            // Before anything is put: what is found beneath a disk that goes from here on vouches for nothing.
            is_still(mail, there).await?;
            keep_place(store, instance, there).await?;
        }
    }
    if let Some(tenant) = tenant {
        places.retain(|(of, _)| *of == tenant);
    }
    let mut seen = boxes.look(&places, before.is_some()).await?;
    if let Some(before) = before {
        is_still(mail, &before).await?;
        // What is there tells, or its operator.
        let is_recognised = before.is_believed || seen.met + seen.looked.kept > 0;
        if is_recognised && kept.as_ref() != Some(&before.mark) {
            keep_place(store, instance, &before).await?;
        }
        lose(store, &seen.gone).await?;
        seen.looked.lost = seen.gone.len();
    }
    seen.missed.map_or(Ok(seen.looked), |missed| Err(missed.into()))
}

/// An error where they are in another directory by now.
async fn is_still(mail: &dyn Mail, before: &MailPlace) -> Result<(), LookError> {
    if mail.place().await?.is_some_and(|after| after.mark == before.mark) {
        return Ok(());
    }
    let why = "its disk was mounted, or taken away, meanwhile";
    Err(MailError::unavailable(PLACE, why).into())
}

async fn keep_place(store: &Store, instance: InstanceId, place: &MailPlace) -> Result<(), StoreError> {
    let mut tx = store.begin("keep_place_of_mail_boxes").await?;
    voicemail::set_place(&mut tx, instance, &place.mark).await?;
    tx.commit().await
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
        Err(another(&place))
    }
}

fn another(place: &MailPlace) -> LookError {
    let root = &place.root;
    let why = format!(
        "{root} is another one than it was, or not all that is known is in it: see whether its disk is mounted, or, where it is the \
         right one, type `touch {root}/{BELIEVED}`"
    );
    MailError::unavailable(PLACE, why).into()
}

/// What a look has seen.
#[derive(Default)]
struct Seen {
    looked: Looked,
    /// Known messages, and those of them that were met.
    known: usize,
    met: usize,
    /// Known messages that may be there all the same: of a box that holds more than is looked at.
    perhaps: usize,
    /// Those that are not there.
    gone: Vec<Voicemail>,
    /// Why some could not be looked at.
    missed: Option<MailError>,
}

impl Seen {
    /// One that could not be looked at keeps no other one from that, unless none of them would fare better.
    fn miss(&mut self, error: MailError) -> Result<(), LookError> {
        match error {
            MailError::Refused { .. } => self.missed = self.missed.take().or(Some(error)),
            error => return Err(error.into()),
        }
        Ok(())
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

/// The mail boxes of a PBX.
#[derive(Clone, Copy)]
struct Boxes<'a> {
    store: &'a Store,
    ids: &'a dyn IdSource,
    instance: InstanceId,
    mail: &'a dyn Mail,
    served: &'a BTreeSet<(TenantId, SipDomain)>,
}

impl Boxes<'_> {
    async fn look(&self, places: &BTreeSet<(TenantId, SipDomain)>, keeps: bool) -> Result<Seen, LookError> {
        let mut seen = Seen::default();
        let domains: BTreeSet<&SipDomain> = places.iter().map(|(_, domain)| domain).collect();
        for domain in domains {
            let place = Place {
                boxes: *self,
                domain,
                keeps,
            };
            place.look(&mut seen).await?;
        }
        Ok(seen)
    }

    /// Sees whether a directory that is not the one that is kept, or of which none is, may be believed, and gives how many known
    /// messages are in it. Nothing is kept of what is found in it before: that would vouch for it the next time.
    async fn recognise(
        &self,
        places: &BTreeSet<(TenantId, SipDomain)>,
        is_new: bool,
        there: &MailPlace,
    ) -> Result<usize, LookError> {
        let seen = self.look(places, false).await?;
        let is_all_there = seen.gone.is_empty() && seen.perhaps == 0 && seen.missed.is_none();
        let is_right = if is_new {
            // Where none was ever kept, one message tells.
            seen.met > 0 || seen.known == 0
        } else {
            is_all_there
        };
        match seen.missed {
            _ if is_right => Ok(seen.met),
            // Once that is mended, it may be known by itself.
            Some(missed) if seen.gone.is_empty() => Err(missed.into()),
            _ => Err(another(there)),
        }
    }
}

/// The mail boxes of a domain on a PBX.
struct Place<'a> {
    boxes: Boxes<'a>,
    domain: &'a SipDomain,
    /// Whether what is found is kept.
    keeps: bool,
}

/// What is known of a mail box.
type Known = BTreeMap<PbxMessageId, Voicemail>;

impl Place<'_> {
    async fn look(&self, seen: &mut Seen) -> Result<(), LookError> {
        let Boxes {
            store,
            instance,
            mail,
            ..
        } = self.boxes;
        let mut tx = store.read("known_voicemail").await?;
        let mut known: BTreeMap<ExtensionNumber, Known> = BTreeMap::new();
        for message in voicemail::of_domain(&mut tx, instance, self.domain).await? {
            let mailbox = known.entry(message.found.mailbox.clone()).or_default();
            mailbox.insert(message.found.id.clone(), message);
        }
        let holders = domains::holders(&mut tx, self.domain).await?;
        let mut perhaps: BTreeSet<ExtensionNumber> = known.keys().cloned().collect();
        for (tenant, _) in self.boxes.served.iter().filter(|(_, of)| of == self.domain) {
            let numbers = extensions::numbers(&mut tx, *tenant).await?;
            perhaps.extend(numbers.into_iter().map(|(number, _)| number));
        }
        drop(tx);
        seen.known += known.values().map(Known::len).sum::<usize>();
        let mailboxes = match mail.mailboxes(self.domain, &perhaps).await {
            Ok(Some(mailboxes)) => mailboxes,
            // Where there never was a message, there need not be a directory.
            Ok(None) if known.is_empty() => return self.leave_strays(seen).await,
            Ok(None) => return seen.miss(MailError::refused_all(self.domain, NO_DIRECTORY)),
            Err(error) => return seen.miss(error),
        };
        // A box that is not there any more is asked too: a PBX may list what lies nowhere.
        let mut mailboxes: BTreeSet<ExtensionNumber> = mailboxes.into_iter().collect();
        mailboxes.extend(known.keys().cloned());
        for mailbox in mailboxes {
            let known = known.remove(&mailbox).unwrap_or_default();
            match self.look_at(&mailbox, known, &holders, seen).await {
                Err(LookError::Mail(error)) => seen.miss(error)?,
                looked => looked?,
            }
        }
        self.leave_strays(seen).await
    }

    /// What the PBX lists in no box any more, and what lies in none, is not known to have gone.
    async fn leave_strays(&self, seen: &mut Seen) -> Result<(), LookError> {
        let strays = match self.boxes.mail.strays(self.domain).await {
            Ok(strays) if strays.is_empty() => return Ok(()),
            Ok(strays) => BTreeSet::from_iter(strays),
            Err(error) => return seen.miss(error),
        };
        let before = seen.gone.len();
        seen.gone.retain(|message| !strays.contains(&message.found.id));
        seen.perhaps += before - seen.gone.len();
        seen.miss(MailError::refused_all(self.domain, STRAYS))
    }

    async fn look_at(
        &self,
        mailbox: &ExtensionNumber,
        mut known: Known,
        holders: &[(TenantId, Timestamp)],
        seen: &mut Seen,
    ) -> Result<(), LookError> {
        let mut content = self.boxes.mail.content(self.domain, mailbox).await?;
        let mut changed = Vec::new();
        for found in mem::take(&mut content.messages) {
            let known = known.remove(&found.id);
            seen.met += usize::from(known.is_some());
            let found = match &known {
                Some(known) => found.with_what_was_known(&known.found),
                None => found,
            };
            match known {
                Some(known) if known.found == found => {}
                Some(known) => changed.push((known.tenant_id, found)),
                None => match self.holder(holders, found.left_at) {
                    Some(tenant) => changed.push((tenant, found)),
                    None => seen.looked.nobodys += 1,
                },
            }
        }
        if self.keeps {
            self.keep(&changed, &mut seen.looked).await?;
        }
        // What was known says that nobody speaks into it any more: its entry has gone since.
        let before = known.len();
        known.retain(|id, _| !content.unsettled.contains(id));
        seen.met += before - known.len();
        if content.has_more {
            seen.perhaps += known.len();
            return Ok(());
        }
        let missing = known.into_values();
        let (perhaps, gone): (Vec<Voicemail>, Vec<Voicemail>) =
            missing.partition(|message| content.may_hold(message.found.left_at));
        seen.gone.extend(gone);
        if perhaps.is_empty() {
            return Ok(());
        }
        seen.perhaps += perhaps.len();
        seen.miss(MailError::refused(mailbox, NAMELESS))
    }

    /// Whose a message is, which is nobody's rather than another's: a domain may have changed hands since it was left.
    fn holder(&self, holders: &[(TenantId, Timestamp)], left_at: Timestamp) -> Option<TenantId> {
        let before = holders.iter().filter(|(_, since)| *since <= left_at);
        let holder = before.max_by_key(|(_, since)| *since).map(|(tenant, _)| *tenant);
        holder.filter(|tenant| self.boxes.served.contains(&(*tenant, self.domain.clone())))
    }

    async fn keep(
        &self,
        changed: &[(TenantId, FoundMessage)],
        looked: &mut Looked,
    ) -> Result<(), StoreError> {
        let Boxes {
            store, ids, instance, ..
        } = self.boxes;
        for batch in changed.chunks(BATCH) {
            let mut tx = store.begin("keep_voicemail").await?;
            for (tenant, found) in batch {
                let id = VoicemailId::fresh(ids);
                voicemail::put(&mut tx, id, *tenant, instance, self.domain, found).await?;
            }
            tx.commit().await?;
            looked.kept += batch.len();
        }
        Ok(())
    }
}
