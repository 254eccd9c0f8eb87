//! Messages of mail boxes in an erasure, on the host that drives the PBX which holds them: looked at, noted in one transaction,
//! removed by the PBX outside of any, and counted in another one.

use std::time::Duration;

use tokio::time::timeout;

use super::fate::{Fate, count};
use super::finding::{messages_on, until_gone};
use super::work::Work;
use crate::app::error::AppError;
use crate::app::purge_pass::{LONGEST_LOOK, unless_stopped};
use crate::app::purge_voicemail::{self, NO_PBX, NOT_REMOVED, Unseen};
use crate::deploy::DeployError;
use crate::domain::error_chain::error_chain;
use crate::domain::ids::{InstanceId, VoicemailId};
use crate::domain::voicemail::Voicemail;
use crate::driver::mail::{Mail, MailError};
use crate::store::erasure_targets::{self, Target};
use crate::store::voicemail as store;

/// Messages that are noted at once: each waits for its PBX.
const AT_ONCE: i64 = 5;
const ELSEWHERE: &str =
    "the mail boxes are on another host or disk than when the removal of messages began; run it again";
const NOT_SEEN: &str = "the mail boxes, or some of them, could not be looked at, so nobody knows what is in them; the server's log \
     tells why, and what to do";
const IN_USE: &str = "somebody listened to the mail box of messages that were to go; run it again";

/// Has some removed; gives whether nothing is left to do.
pub(super) async fn batch(work: &Work<'_>, instance: InstanceId) -> Result<bool, AppError> {
    let driver = match work.app.engine.driver(instance).await {
        Err(error @ DeployError::Missing { .. }) => return work.stays(error_chain(&error)).await,
        // Another host goes on with it.
        Err(DeployError::DrivenElsewhere { .. }) => return Ok(true),
        driver => driver?.1,
    };
    let mail = match driver.mail() {
        Err(error) => return work.stays(error.full()).await,
        Ok(mail) => mail,
    };
    let tenant = work.erasure.tenant_id;
    let mut tx = work.app.store.read("voicemail_to_erase").await?;
    let targets = erasure_targets::next(&mut tx, work.of(), AT_ONCE).await?;
    let mut found = Vec::with_capacity(targets.len());
    for target in targets {
        let message = store::find(&mut tx, tenant, VoicemailId::from_uuid(target.id)).await?;
        found.push((target, message));
    }
    drop(tx);
    if found.is_empty() {
        return work.nothing_left().await;
    }
    let place = match purge_voicemail::right_place(work.app, instance, mail.as_ref()).await? {
        Ok(place) => place,
        Err(error) => return no_pbx(work, &error).await,
    };
    let Some(mut open) = work.open().await? else {
        return Ok(true);
    };
    for (target, _) in found.iter().filter(|(target, _)| target.begun_at.is_none()) {
        erasure_targets::begin(&mut open.tx, work.of(), target.id, &place).await?;
    }
    open.tx.commit().await?;
    let mut fates = Vec::with_capacity(found.len());
    for (target, message) in found {
        if work.stop.is_cancelled() {
            break;
        }
        let Some(message) = message else {
            fates.push((target.id, Fate::of_unknown(&target, &place)));
            continue;
        };
        match removed(work, mail.as_ref(), &message, (&target, &place)).await? {
            Ok(fate) => fates.push((target.id, fate)),
            Err(error) => {
                count(work, fates).await?;
                return no_pbx(work, &error).await;
            }
        }
    }
    count(work, fates).await
}

/// Looks at the mail boxes, and notes what is in them of the person. Of a PBX whose boxes nobody looks after, its batch tells.
pub(super) async fn begin(work: &Work<'_>, instance: InstanceId) -> Result<bool, AppError> {
    let (app, tenant) = (work.app, work.erasure.tenant_id);
    let look = timeout(LONGEST_LOOK, purge_voicemail::look(app, tenant, instance));
    let Some(looked) = unless_stopped(work.stop, Duration::ZERO, look).await else {
        return Ok(false);
    };
    let unseen = looked.unwrap_or_else(|_| {
        tracing::warn!(%instance, %tenant, "not all mail boxes could be looked at within some minutes before an erasure");
        Ok(Some(Unseen::Some))
    })?;
    let mut tx = app.store.read("voicemail_of_person").await?;
    // The extension may have been deleted since, and its number be somebody else's.
    let subject = until_gone(&mut tx, tenant, work.erasure.subject.clone()).await?;
    let messages = messages_on(&mut tx, tenant, &subject, work.marks, instance).await?;
    drop(tx);
    work.found(&messages, unseen.map(|_| NOT_SEEN)).await
}

/// What becomes of a message whose removal begins, or began, at a place; an error where none of the others would fare better.
async fn removed(
    work: &Work<'_>,
    mail: &dyn Mail,
    message: &Voicemail,
    (target, place): (&Target, &String),
) -> Result<Result<Fate, MailError>, AppError> {
    let found = &message.found;
    Ok(
        match mail
            .remove(&message.domain, &found.mailbox, &found.id, found.left_at)
            .await
        {
            Ok(true) => Ok(Fate::Gone(found.bytes)),
            Ok(false) => {
                // The disk may have gone since.
                let there = purge_voicemail::right_place(work.app, message.instance_id, mail).await?;
                there.map(|_| match &target.begun_at {
                    // Whoever was killed before it was counted had it removed.
                    Some(begun_at) if begun_at == place => Fate::Gone(found.bytes),
                    Some(_) => Fate::Kept(ELSEWHERE),
                    None => Fate::Forgotten,
                })
            }
            Err(MailError::InUse { .. }) => Ok(Fate::Kept(IN_USE)),
            Err(error @ MailError::Refused { .. }) => {
                let (error, id) = (error.full(), message.id);
                tracing::warn!(error, message = %id, erasure = %work.erasure.id, "a message that is to be erased cannot be removed");
                Ok(Fate::Kept(NOT_REMOVED))
            }
            Err(error) => Err(error),
        },
    )
}

async fn no_pbx(work: &Work<'_>, error: &MailError) -> Result<bool, AppError> {
    let error = error.full();
    tracing::warn!(error, tenant = %work.erasure.tenant_id, "messages that are to be erased cannot be removed");
    work.stays(NO_PBX).await
}
