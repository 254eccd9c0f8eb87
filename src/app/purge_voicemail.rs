//! Messages of mail boxes in a purge, on the host that drives the PBX which holds them: noted in one transaction, removed by
//! the PBX outside of any, and counted in another one.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::App;
use super::error::AppError;
use super::purge_part::{close, end, kept_by_now, may_go, open, stays};
use crate::deploy::DeployError;
use crate::domain::error_chain::error_chain;
use crate::domain::ids::{InstanceId, TenantId, VoicemailId};
use crate::domain::purge::{Amount, Batch, Purge, PurgePart};
use crate::domain::voicemail::Voicemail;
use crate::driver::mail::{Mail, MailError, MailPlace};
use crate::monitor::voicemail::{self as monitor, LookError};
use crate::store::purge_messages::{self, Noted};
use crate::store::voicemail::{self, MessagePlace};

/// Messages that are noted at once.
const AT_ONCE: i64 = 20;
/// After that it is the turn of others: what is noted and was not come to is left to the next batch.
const LONGEST: Duration = Duration::from_secs(5);
pub(super) const NO_PBX: &str = "the PBX that holds them, or the disk of its mail boxes, is not there or does not answer; the server's log \
     tells why";
pub(super) const NOT_REMOVED: &str =
    "messages that cannot be removed stay; the server's log tells why, and its operator mends what it names";
const NOT_SEEN: &str = "the mail boxes could not be looked at, so nobody knows what is old in them; the server's log tells why, \
     and what to do";
const PARTLY_SEEN: &str =
    "some mail boxes cannot be read, and nobody knows what is old in them; the server's log tells which";
const ELSEWHERE: &str = "the mail boxes are on another host or disk than when the messages were noted that were to go; the next \
     purge tries them again";
const IN_USE: &str =
    "somebody listened to the mail box of messages that were to go; the next purge removes them";

/// Has some removed, the oldest first; gives whether nothing is left to do.
pub(super) async fn batch(
    app: &App,
    purge: &Purge,
    position: i64,
    instance: InstanceId,
    stop: &CancellationToken,
) -> Result<bool, AppError> {
    let tenant = purge.tenant_id;
    let mut tx = app.store.read("voicemail_to_purge").await?;
    let Some(now) = may_go(app, &mut tx, purge, position).await? else {
        return Ok(true);
    };
    let noted = purge_messages::noted(&mut tx, tenant, purge.id, position).await?;
    let old = match now.cutoff {
        Some(cutoff) if noted.is_none() => {
            voicemail::old(&mut tx, tenant, instance, cutoff, now.part.after, AT_ONCE).await?
        }
        _ => Vec::new(),
    };
    drop(tx);
    if noted.is_none() && now.cutoff.is_none() {
        return end(app, purge, position, kept_by_now()).await;
    }
    let driver = match app.engine.driver(instance).await {
        Err(error @ DeployError::Missing { .. }) => {
            return end(app, purge, position, stays(&now.part, error_chain(&error))).await;
        }
        // Another host goes on with it.
        Err(DeployError::DrivenElsewhere { .. }) => return Ok(true),
        driver => driver?.1,
    };
    let mail = match driver.mail() {
        Err(error) => return end(app, purge, position, stays(&now.part, error.full())).await,
        Ok(mail) => mail,
    };
    let work = Work {
        app,
        instance,
        purge,
        part: &now.part,
        mail: mail.as_ref(),
        stop,
    };
    match noted {
        None => work.go_on(&old).await,
        Some(noted) => work.resume(&noted).await,
    }
}

/// How much of the mail boxes could not be looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unseen {
    /// Some of them, or those of a domain.
    Some,
    /// None could be.
    All,
}

impl Unseen {
    /// What that is for the part's report, where so much is known to be old: at least one more, for nobody knows how many.
    pub(super) fn batch(self, known: Amount) -> Batch {
        match self {
            Self::Some => Batch {
                kept: 1,
                detail: Some(PARTLY_SEEN.to_owned()),
                ..Batch::default()
            },
            Self::All => Batch {
                kept: known.found.max(1),
                ..Batch::over(NOT_SEEN)
            },
        }
    }
}

/// Before they are counted: what was known may be as old as the last look.
pub(super) async fn look(
    app: &App,
    tenant: TenantId,
    instance: InstanceId,
) -> Result<Option<Unseen>, AppError> {
    let error = match super::voicemail::look(app, instance, Some(tenant)).await {
        // Of a PBX that nobody or another host drives, its batch tells.
        Ok(_) | Err(AppError::Deploy(DeployError::Missing { .. })) => return Ok(None),
        Err(error) if error.is_of_another_host() => return Ok(None),
        Err(AppError::Voicemail(error)) => error,
        Err(error) => return Err(error),
    };
    let unseen = match error {
        MailError::Refused { .. } => Unseen::Some,
        _ => Unseen::All,
    };
    let error = error.full();
    tracing::warn!(%instance, %tenant, error, "mail boxes could not be looked at before a purge");
    Ok(Some(unseen))
}

/// Where the messages are by now: the host, the directory, and which one that is; an error where it is another one than it was.
pub(super) async fn right_place(
    app: &App,
    instance: InstanceId,
    mail: &dyn Mail,
) -> Result<Result<String, MailError>, AppError> {
    match monitor::place(&app.store, instance, mail).await {
        Ok(place) => Ok(Ok(named(app, &place))),
        Err(LookError::Mail(error)) => Ok(Err(error)),
        Err(LookError::Store(error)) => Err(error.into()),
    }
}

fn named(app: &App, place: &MailPlace) -> String {
    format!("{} {}", app.engine.node(), place.mark)
}

/// A part of a purge, on the PBX that it is about.
struct Work<'a> {
    app: &'a App,
    instance: InstanceId,
    purge: &'a Purge,
    part: &'a PurgePart,
    mail: &'a dyn Mail,
    stop: &'a CancellationToken,
}

/// What has become of messages.
#[derive(Default)]
struct Removal<'a> {
    gone: Vec<&'a MessagePlace>,
    /// Those that were come to, where others were not: they are left to the next batch.
    only: Option<Vec<VoicemailId>>,
    /// How many could not be removed.
    kept: i64,
    /// Why the last of those could not be.
    why: Option<&'static str>,
    /// Whether the PBX is not there, or does not answer.
    has_no_pbx: bool,
}

impl Work<'_> {
    /// The next ones: those that are old are noted, then removed.
    async fn go_on(&self, old: &[Voicemail]) -> Result<bool, AppError> {
        let place = match right_place(self.app, self.instance, self.mail).await? {
            Ok(place) => place,
            // Nothing of it is needed any more.
            Err(_) if old.is_empty() => String::new(),
            Err(error) => return self.no_pbx(&error).await,
        };
        let Some(mut open) = open(self.app, self.purge, self.part.position).await? else {
            return Ok(true);
        };
        let Some(cutoff) = open.cutoff else {
            return close(self.app, open, self.purge, kept_by_now()).await;
        };
        let (tenant, id, position) = (self.purge.tenant_id, self.purge.id, self.part.position);
        for message in old {
            purge_messages::note(&mut open.tx, tenant, id, (position, message.id), cutoff, &place).await?;
        }
        let noted = purge_messages::noted(&mut open.tx, tenant, id, position).await?;
        let batch = Batch {
            after: old.last().map(Voicemail::cursor),
            is_last: old.is_empty(),
            ..Batch::default()
        };
        let is_last = close(self.app, open, self.purge, batch).await?;
        let Some(noted) = noted else {
            return Ok(is_last);
        };
        let removal = self.remove(&noted.messages, false).await?;
        self.count(removal).await
    }

    /// Those that were noted by whoever was killed, stopped, or had no time left: what is not there was removed and not counted.
    async fn resume(&self, noted: &Noted) -> Result<bool, AppError> {
        // A PBX that is away now may have removed some of them: it is asked again.
        let there = self.mail.place().await.map_err(AppError::Voicemail)?;
        if there.is_some_and(|there| named(self.app, &there) == noted.place) {
            let removal = self.remove(&noted.messages, true).await?;
            return self.count(removal).await;
        }
        // Nobody knows what has become of them where they were.
        let mut removal = Removal::default();
        let mut tx = self.app.store.read("noted_elsewhere").await?;
        for message in &noted.messages {
            let known = voicemail::find(&mut tx, self.purge.tenant_id, message.id).await?;
            removal.kept += i64::from(known.is_some());
        }
        drop(tx);
        removal.why = (removal.kept > 0).then_some(ELSEWHERE);
        self.count(removal).await
    }

    /// Has messages removed, outside of any transaction that others wait for. Of those that are noted again, some may have gone.
    async fn remove<'b>(&self, noted: &'b [MessagePlace], is_resumed: bool) -> Result<Removal<'b>, AppError> {
        let begun = Instant::now();
        let mut removal = Removal::default();
        for (count, message) in noted.iter().enumerate() {
            // One at least, so that it comes to an end.
            if self.stop.is_cancelled() || (count > 0 && begun.elapsed() >= LONGEST) {
                let come_to = noted.iter().take(count);
                removal.only = Some(come_to.map(|message| message.id).collect());
                break;
            }
            if is_resumed && self.has_gone(message).await? {
                removal.gone.push(message);
                continue;
            }
            if !self.is_old(message).await? {
                continue;
            }
            match self
                .mail
                .remove(
                    &message.domain,
                    &message.mailbox,
                    &message.message,
                    message.left_at,
                )
                .await
            {
                Ok(true) => removal.gone.push(message),
                // Somebody else was quicker, or the disk has gone.
                Ok(false) => {
                    if let Err(error) = right_place(self.app, self.instance, self.mail).await? {
                        self.warn(&error);
                        removal.has_no_pbx = true;
                        break;
                    }
                }
                Err(MailError::InUse { .. }) => {
                    removal.kept += 1;
                    removal.why = removal.why.or(Some(IN_USE));
                }
                Err(error @ MailError::Refused { .. }) => {
                    // Once a part: an account that lacks a right is refused all of them.
                    let is_told = self.part.detail.as_deref() == Some(NOT_REMOVED);
                    if removal.why != Some(NOT_REMOVED) && !is_told {
                        let error = error.full();
                        tracing::warn!(error, message = %message.id, "a message of a mail box cannot be removed, and others may not either");
                    }
                    removal.kept += 1;
                    removal.why = Some(NOT_REMOVED);
                }
                // None of the others would fare better.
                Err(error) => {
                    self.warn(&error);
                    removal.has_no_pbx = true;
                    break;
                }
            }
        }
        Ok(removal)
    }

    /// Whether a message that was to go is not there.
    async fn has_gone(&self, message: &MessagePlace) -> Result<bool, AppError> {
        let held = self
            .mail
            .holds(
                &message.domain,
                &message.mailbox,
                &message.message,
                message.left_at,
            )
            .await;
        match held {
            Ok(is_held) => Ok(!is_held),
            // Its removal says why not.
            Err(MailError::Refused { .. } | MailError::InUse { .. }) => Ok(false),
            Err(error) => Err(AppError::Voicemail(error)),
        }
    }

    fn warn(&self, error: &MailError) {
        let error = error.full();
        tracing::warn!(error, tenant = %self.purge.tenant_id, "messages of mail boxes cannot be removed");
    }

    /// Counts nothing, and leaves what was noted to be forgotten with the purge.
    async fn no_pbx(&self, error: &MailError) -> Result<bool, AppError> {
        self.warn(error);
        end(self.app, self.purge, self.part.position, stays(self.part, NO_PBX)).await
    }

    /// Whether a message may still go: somebody may have said meanwhile that it is kept longer.
    async fn is_old(&self, message: &MessagePlace) -> Result<bool, AppError> {
        let mut tx = self.app.store.read("may_voicemail_go").await?;
        let now = may_go(self.app, &mut tx, self.purge, self.part.position).await?;
        let cutoff = now.and_then(|now| now.cutoff);
        Ok(cutoff.is_some_and(|cutoff| message.left_at < cutoff))
    }

    /// Counts what has gone, and forgets it.
    async fn count(&self, removal: Removal<'_>) -> Result<bool, AppError> {
        let Some(mut open) = open(self.app, self.purge, self.part.position).await? else {
            return Ok(true);
        };
        let mut batch = Batch {
            kept: removal.kept,
            detail: removal.why.map(str::to_owned),
            ..Batch::default()
        };
        let (tx, tenant) = (&mut open.tx, self.purge.tenant_id);
        for message in removal.gone {
            voicemail::delete(tx, tenant, message.id).await?;
            batch.removed += 1;
            batch.bytes += message.bytes;
        }
        let (purge, position) = (self.purge.id, self.part.position);
        match &removal.only {
            None => purge_messages::forget(tx, tenant, purge, position).await?,
            Some(come_to) => {
                for message in come_to {
                    purge_messages::forget_one(tx, tenant, purge, (position, *message)).await?;
                }
            }
        }
        if removal.has_no_pbx {
            let rest = stays(&open.part, NO_PBX);
            batch.kept = (rest.kept - batch.removed).max(1);
            (batch.detail, batch.is_last) = (rest.detail, true);
        }
        close(self.app, open, self.purge, batch).await
    }
}
