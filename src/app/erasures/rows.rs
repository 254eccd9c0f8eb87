//! What lies in the database, in an erasure: some rows at a time, and what is little at once.

use std::collections::BTreeSet;

use serde_json::json;
use uuid::Uuid;

use super::finding::objects;
use super::work::{Open, Work};
use crate::app::audit::Changed;
use crate::app::error::AppError;
use crate::domain::audit::ERASED;
use crate::domain::caller_id::CallerId;
use crate::domain::erasure::{CallErasure, Erased, Erasure, ErasurePlace, ErasureSubject, Marks};
use crate::domain::error_chain::error_chain;
use crate::domain::extension::{ExtensionSettings, Forward, Voicemail};
use crate::domain::ids::{AuditId, CallRecordId, ExtensionId, TenantId};
use crate::domain::sip_domain::SipDomain;
use crate::domain::stranger::Stranger;
use crate::store::{
    StoreError, Tx, audit_retention, domains, erasure_finds, erasure_rows, erasure_targets, erasure_whole,
    extensions,
};

/// Rows that are worked on in one transaction: whoever else writes waits for no more.
const AT_ONCE: i64 = 100;
const NOT_AS_WRITTEN: &str =
    "entries that are not as they were written stay, for `switchyard audit verify` to name";
const UNREADABLE: &str = "rows that cannot be read stay; the server's log names each";
const RECORDED: &str = "calls whose recording is there stay, for their records tell whose it is; mend what `recordings` \
     says, and run it again";
const NEXT_DEPLOY: &str = "the PBX serves what it was called until the next deploy of the tenant";

/// Erases some; gives whether nothing is left to do.
pub(super) async fn batch(work: &Work<'_>) -> Result<bool, AppError> {
    let Some(mut open) = work.open().await? else {
        return Ok(true);
    };
    let targets = erasure_targets::next(&mut open.tx, work.of(), AT_ONCE).await?;
    let ids: Vec<Uuid> = targets.into_iter().map(|target| target.id).collect();
    let mut erased = if work.part.place == ErasurePlace::AuditPayloads {
        blank(work, &mut open, &ids).await?
    } else {
        one_by_one(work, &mut open.tx, &ids).await?
    };
    erased.is_last = ids.is_empty();
    work.close(open, erased).await
}

async fn one_by_one(work: &Work<'_>, tx: &mut Tx, ids: &[Uuid]) -> Result<Erased, AppError> {
    let mut erased = Erased::default();
    let who = Who::new(work, tx).await?;
    for id in ids {
        if is_recorded(work, tx, *id).await? {
            erasure_targets::keep(tx, work.of(), *id).await?;
            erased.kept += 1;
            erased.detail = Some(RECORDED.to_owned());
            continue;
        }
        match who.erase(work, tx, *id).await {
            Ok(was_theirs) => {
                erased.erased += i64::from(was_theirs);
                erasure_targets::done(tx, work.of(), *id).await?;
            }
            Err(AppError::Store(error @ StoreError::Corrupt { .. })) => {
                let error = error_chain(&error);
                tracing::error!(error, erasure = %work.erasure.id, "a row that is to be erased cannot be read");
                erasure_targets::keep(tx, work.of(), *id).await?;
                erased.kept += 1;
                erased.detail = Some(UNREADABLE.to_owned());
            }
            Err(error) => return Err(error),
        }
    }
    if work.part.place == ErasurePlace::Extension && erased.erased > 0 {
        erased.detail = Some(NEXT_DEPLOY.to_owned());
    }
    Ok(erased)
}

/// Whether it is a call with a recording that is there still: its record tells whose that is.
async fn is_recorded(work: &Work<'_>, tx: &mut Tx, id: Uuid) -> Result<bool, AppError> {
    if work.part.place != ErasurePlace::CallRecords {
        return Ok(false);
    }
    let call = CallRecordId::from_uuid(id);
    let found = erasure_finds::recordings_of_call(tx, work.erasure.tenant_id, call).await?;
    Ok(found.is_some_and(|(_, recordings)| !recordings.is_empty()))
}

/// Whom rows are searched for.
struct Who {
    /// Their number, and what stands in its place.
    stranger: Option<Stranger>,
    /// Whose phones those are that a call tells of.
    domains: BTreeSet<SipDomain>,
    /// What they act as.
    actors: Vec<Uuid>,
}

impl Who {
    async fn new(work: &Work<'_>, tx: &mut Tx) -> Result<Self, AppError> {
        let (subject, marks) = (&work.erasure.subject, work.marks);
        let number = match subject {
            ErasureSubject::Extension { .. } => marks.number.as_ref().map(ToString::to_string),
            ErasureSubject::Number { id, .. } => id.as_ref().map(ToString::to_string),
            ErasureSubject::User { .. } => None,
        };
        let stranger = number.zip(work.erasure.pseudonym());
        let stranger = stranger.and_then(|(number, pseudonym)| Stranger::new(&number, pseudonym));
        let extension = match subject {
            ErasureSubject::Extension { id, .. } => Some(*id),
            _ => None,
        };
        let user = match subject {
            ErasureSubject::User { id } => Some(id.uuid()),
            _ => None,
        };
        Ok(Self {
            stranger: stranger.map(|stranger| Stranger {
                extension,
                ..stranger
            }),
            domains: domains::ever_of(tx, work.erasure.tenant_id).await?,
            actors: user.into_iter().chain(marks.keys.iter().copied()).collect(),
        })
    }

    /// Erases them in one row; false where they are not in it.
    async fn erase(&self, work: &Work<'_>, tx: &mut Tx, id: Uuid) -> Result<bool, AppError> {
        let tenant = work.erasure.tenant_id;
        let is_erased = match work.part.place {
            ErasurePlace::CallRecords => match &self.stranger {
                Some(stranger) => self.leave_call(work, tx, id, stranger).await?,
                None => false,
            },
            ErasurePlace::Extension => empty_extension(work, tx, ExtensionId::from_uuid(id)).await?,
            ErasurePlace::Tickets => {
                let mut was_theirs = false;
                for actor in &self.actors {
                    let now = work.app.now();
                    was_theirs |= erasure_rows::empty_ticket(tx, tenant, id, *actor, now).await?;
                }
                was_theirs
            }
            ErasurePlace::TicketComments => erasure_rows::empty_comment(tx, tenant, id).await?,
            ErasurePlace::Deployments => match &work.marks.number {
                Some(number) => {
                    erasure_rows::empty_deployment(tx, tenant, id, &objects(number.as_str())).await?
                }
                None => false,
            },
            ErasurePlace::WebhookEvents => self.empty_event(work, tx, id).await?,
            // Each of these is worked on elsewhere.
            ErasurePlace::Recordings
            | ErasurePlace::Voicemail
            | ErasurePlace::Account
            | ErasurePlace::AuditPayloads
            | ErasurePlace::Requests
            | ErasurePlace::KeptAnswers => false,
        };
        Ok(is_erased)
    }

    async fn leave_call(
        &self,
        work: &Work<'_>,
        tx: &mut Tx,
        id: Uuid,
        stranger: &Stranger,
    ) -> Result<bool, AppError> {
        let tenant = work.erasure.tenant_id;
        let was_in = erasure_rows::leave_call(tx, tenant, id, stranger, &self.domains).await?;
        if was_in && work.erasure.call_records == CallErasure::Remove {
            erasure_rows::remove_call(tx, tenant, id).await?;
        }
        Ok(was_in)
    }

    async fn empty_event(&self, work: &Work<'_>, tx: &mut Tx, id: Uuid) -> Result<bool, AppError> {
        let Some(instead) = work.erasure.pseudonym() else {
            return Ok(false);
        };
        let number = self.stranger.as_ref().map(|stranger| stranger.number.as_str());
        let email = work.marks.email.as_ref().map(AsRef::as_ref);
        let named: Vec<&str> = number.into_iter().chain(email).collect();
        let tenant = work.erasure.tenant_id;
        Ok(erasure_rows::empty_event(tx, tenant, id, &named, instead.as_str()).await?)
    }
}

/// Leaves an extension with its number for a name, and with nowhere for its calls to go: what a phone needs stays.
async fn empty_extension(work: &Work<'_>, tx: &mut Tx, id: ExtensionId) -> Result<bool, AppError> {
    let tenant = work.erasure.tenant_id;
    let Some(extension) = extensions::find(tx, tenant, id).await? else {
        return Ok(false);
    };
    let [name, _] = objects(extension.number.as_str());
    let settings = ExtensionSettings {
        name: name
            .parse()
            .map_err(|error| AppError::conflict("no_name", format!("{error}")))?,
        caller_id: CallerId::default(),
        forward: Forward::default(),
        voicemail: Voicemail {
            email: None,
            ..extension.settings.voicemail.clone()
        },
        ..extension.settings.clone()
    };
    if settings == extension.settings {
        return Ok(false);
    }
    let now = work.app.now();
    extensions::update_settings(tx, tenant, id, &settings, now).await?;
    work.app.audit(
        tx,
        work.caller,
        changed("extension.erase", "extension", &id.to_string(), work.erasure),
    )?;
    Ok(true)
}

fn changed(action: &'static str, resource: &'static str, target: &str, erasure: &Erasure) -> Changed {
    Changed {
        action,
        resource,
        target: target.to_owned(),
        tenant_id: Some(erasure.tenant_id),
        before: None,
        after: Some(json!({"erasure_id": erasure.id})),
    }
}

/// Blanks what entries of the audit log say. The entry that tells of it names each of them: so none is blanked that it does not
/// tell of.
async fn blank(work: &Work<'_>, open: &mut Open, ids: &[Uuid]) -> Result<Erased, AppError> {
    let (tenant, tx) = (work.erasure.tenant_id, &mut open.tx);
    let (mut erased, mut as_written) = (Erased::default(), Vec::new());
    for id in ids {
        match erasure_rows::is_as_written(tx, tenant, AuditId::from_uuid(*id)).await? {
            Some(true) => as_written.push(*id),
            Some(false) => {
                erasure_targets::keep(tx, work.of(), *id).await?;
                erased.kept += 1;
                erased.detail = Some(NOT_AS_WRITTEN.to_owned());
            }
            // It was blanked meanwhile.
            None => erasure_targets::done(tx, work.of(), *id).await?,
        }
    }
    if as_written.is_empty() {
        return Ok(erased);
    }
    let told_by = work.app.audit(tx, work.caller, told(work.erasure, &as_written))?;
    for id in as_written {
        let blanked = audit_retention::blank(tx, tenant, AuditId::from_uuid(id), told_by).await?;
        erased.erased += i64::from(blanked);
        erasure_targets::done(tx, work.of(), id).await?;
    }
    Ok(erased)
}

fn told(erasure: &Erasure, entries: &[Uuid]) -> Changed {
    Changed {
        after: Some(json!({"erasure_id": erasure.id, "entries": entries})),
        ..changed(ERASED, "audit_payloads", &erasure.id.to_string(), erasure)
    }
}

/// Erases all at once at a place where there is little.
pub(super) async fn at_once(
    tx: &mut Tx,
    erasure: &Erasure,
    marks: &Marks,
    place: ErasurePlace,
) -> Result<(), AppError> {
    let tenant: TenantId = erasure.tenant_id;
    let id = match &erasure.subject {
        ErasureSubject::User { id } => id.to_string(),
        ErasureSubject::Extension { id, .. } => id.to_string(),
        ErasureSubject::Number { .. } => return Ok(()),
    };
    match place {
        // They are gone since it was asked for; what is known of mails to them is not.
        ErasurePlace::Account => erasure_whole::forget_mails(tx, tenant, &id).await?,
        ErasurePlace::KeptAnswers => erasure_whole::forget_answers(tx, tenant, &id).await?,
        ErasurePlace::Requests => {
            if let Some(email) = &marks.email {
                erasure_whole::forget_requests(tx, tenant, email).await?;
            }
        }
        _ => {}
    }
    Ok(())
}
