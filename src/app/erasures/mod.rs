//! Erasures of what a tenant has of a person: looked for and shown, run by the daemon, and certified.

mod certificate;
mod fate;
mod finding;
mod left;
mod noting;
mod recordings;
mod rows;
mod voicemail;
pub mod work;

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

pub use self::certificate::{certificate, digest};
use self::finding::{find as look_for, previewed, still_theirs, until_gone};
pub use self::left::{Left, left};
use super::App;
use super::audit::Changed;
use super::error::AppError;
use super::idempotency::{Done, Once};
use super::precondition::IfMatch;
use crate::auth::access::Act;
use crate::auth::caller::Caller;
use crate::domain::erasure::{
    Erased, Erasure, ErasurePart, ErasurePlace, ErasureStatus, ErasureSubject, Marks,
};
use crate::domain::erasure_input::ErasureInput;
use crate::domain::error_chain::error_chain;
use crate::domain::export::Span;
use crate::domain::ids::{ErasureId, TenantId};
use crate::domain::invalid::FieldErrors;
use crate::domain::page::{Page, PageRequest};
use crate::domain::permission::Permission;
use crate::store::{StoreError, Tx, api_keys, erasure_ends, erasure_finds, erasures, extensions, users};

/// When to ask again while somebody else is looked for, in seconds.
const AGAIN: u64 = 5;
const RIGHT: Permission = Permission::DataErasure;
/// For how long one may be run that was looked for: who it is about is on record meanwhile.
const WAITS: SignedDuration = SignedDuration::from_hours(7 * 24);
/// For how long one may be run again that has kept something.
const MENDS: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Looks for what there is of a person, and keeps what was found as an erasure that is to be run. Nothing is erased.
pub async fn request(
    app: &App,
    caller: &Caller,
    input: ErasureInput,
    once: Option<&Once>,
) -> Result<Done<Erasure>, AppError> {
    let tenant = caller.tenant(RIGHT, Act::Change)?;
    caller.reason_to_change()?;
    let (subject, call_records) = input.parse()?;
    // All of the tenant's calls and entries are looked through: nobody waits for that, and the database for one of these.
    let _turn = app.looks.try_acquire().map_err(|_| AppError::TooMany {
        code: "too_many_searches",
        message: "somebody else is being looked for on this server; try again later".to_owned(),
        seconds: AGAIN,
    })?;
    let mut tx = app.store.read("look_for_person").await?;
    if let Some(id) = app.answered_before(&mut tx, tenant, caller, once).await? {
        let before = erasures::find(&mut tx, tenant, id).await?;
        return before.map(Done::Before).ok_or(AppError::NotFound);
    }
    let marks = marks_of(&mut tx, tenant, &subject).await?;
    let subject = until_gone(&mut tx, tenant, subject).await?;
    is_ever(subject.within())?;
    let found = look_for(&mut tx, tenant, &subject, &marks).await?;
    drop(tx);
    let (mut tx, caller, tenant) = app.begin_inside(caller, RIGHT, "request_erasure").await?;
    if let Some(id) = app.answered_before(&mut tx, tenant, &caller, once).await? {
        let before = erasures::find(&mut tx, tenant, id).await?;
        return before.map(Done::Before).ok_or(AppError::NotFound);
    }
    let erasure = Erasure {
        id: ErasureId::fresh(app.ids.as_ref()),
        tenant_id: tenant,
        requested_by: caller.identity().actor().name,
        requested_at: app.now(),
        subject,
        marks: Some(marks),
        call_records,
        preview: previewed(&found),
        status: ErasureStatus::Open,
        run_by: None,
        run_at: None,
        noted_at: None,
        failures: 0,
        failing_since: None,
        ended_at: None,
        parts: Vec::new(),
    };
    erasures::insert(&mut tx, &erasure).await?;
    app.audit(&mut tx, &caller, changed("data.erasure", &erasure))?;
    app.keep_answer(&mut tx, tenant, &caller, once, erasure.id)
        .await?;
    tx.commit().await?;
    Ok(Done::Now(erasure))
}

/// The tenant's erasures without their parts, newest first.
pub async fn list(app: &App, caller: &Caller, page: PageRequest) -> Result<Page<Erasure>, AppError> {
    let tenant = caller.tenant(RIGHT, Act::Read)?;
    let mut tx = app.store.read("list_erasures").await?;
    Ok(erasures::list(&mut tx, tenant, page).await?)
}

/// One of them with its parts.
pub async fn find(app: &App, caller: &Caller, id: ErasureId) -> Result<Erasure, AppError> {
    let tenant = caller.tenant(RIGHT, Act::Read)?;
    let mut tx = app.store.read("find_erasure").await?;
    let erasure = erasures::find(&mut tx, tenant, id).await?;
    erasure.ok_or(AppError::NotFound)
}

/// Has one run that was looked for, or that has kept something. With `if_match` only if it is as it was shown.
pub async fn run(
    app: &App,
    caller: &Caller,
    id: ErasureId,
    if_match: &IfMatch,
    once: Option<&Once>,
) -> Result<Done<Erasure>, AppError> {
    // An account goes with it: no other change of anybody's rights is under way.
    let (mut tx, caller, tenant) = app.begin_on_member(caller, RIGHT, "run_erasure").await?;
    let erasure = erasures::find(&mut tx, tenant, id)
        .await?
        .ok_or(AppError::NotFound)?;
    caller.reason_to_change()?;
    let before = app.answered_before::<ErasureId>(&mut tx, tenant, &caller, once);
    if before.await?.is_some() {
        return Ok(Done::Before(erasure));
    }
    if_match.check(&erasure.tag())?;
    let marks = match erasure.status {
        ErasureStatus::Open => still(&mut tx, &erasure).await?,
        ErasureStatus::Partial => {
            is_there_still(&mut tx, &erasure).await?;
            let marks = erasure.marks.clone().ok_or_else(forgotten)?;
            still_theirs(&mut tx, tenant, &erasure.subject, marks).await?
        }
        ErasureStatus::Running => return Err(AppError::in_use("it runs already", [])),
        ErasureStatus::Done => return Err(AppError::conflict("done", "all that was found is erased")),
    };
    if let Some(other) = erasures::running_of(&mut tx, tenant).await? {
        let message = "an erasure of this tenant runs; wait until it has ended, or follow it by its id";
        return Err(AppError::in_use(
            message,
            [json!({"kind": "erasure", "id": other})],
        ));
    }
    let mut is_gone = false;
    if let ErasureSubject::User { id } = erasure.subject
        && let Some(user) = users::find(&mut tx, tenant, id).await?
    {
        // From here on they cause nothing more. What this entry says of them goes with the others.
        app.delete_user(&mut tx, &caller, &user).await?;
        is_gone = true;
    }
    let by = caller.identity().actor().name;
    erasures::run(&mut tx, tenant, erasure.id, &by, &marks, app.now()).await?;
    if is_gone {
        let position = erasure.position_of(ErasurePlace::Account, None);
        let part = ErasurePart::new(position, ErasurePlace::Account, None);
        erasures::put_part(&mut tx, tenant, erasure.id, &part).await?;
        erasures::looked(&mut tx, tenant, erasure.id, position, 1).await?;
        erasures::note(&mut tx, tenant, erasure.id, position, &Erased::all(1), app.now()).await?;
    }
    app.audit(&mut tx, &caller, changed("data.erasure_run", &erasure))?;
    app.keep_answer(&mut tx, tenant, &caller, once, erasure.id)
        .await?;
    let running = erasures::find(&mut tx, tenant, erasure.id).await?;
    tx.commit().await?;
    running.map(Done::Now).ok_or(AppError::NotFound)
}

/// Forgets erasures that were looked for and never run, and whom those are about that have kept something for long; gives how many.
pub async fn forget_old(app: &App) -> Result<u64, AppError> {
    let mut tx = app.store.begin("forget_old_erasures").await?;
    let time = app.known_time(&mut tx).await?.time;
    let mut forgotten = erasure_ends::forget_open(&mut tx, time - WAITS).await?;
    let stale = erasure_ends::stale(&mut tx, time - MENDS).await?;
    tx.commit().await?;
    for (tenant, id) in stale {
        match forget_whom(app, tenant, id, time - MENDS).await {
            Ok(is_forgotten) => forgotten += u64::from(is_forgotten),
            // It keeps none of the others.
            Err(error) => {
                let error = error_chain(&error);
                tracing::error!(erasure = %id, %tenant, error, "whom an old erasure is about cannot be forgotten");
            }
        }
    }
    Ok(forgotten)
}

async fn forget_whom(
    app: &App,
    tenant: TenantId,
    id: ErasureId,
    before: Timestamp,
) -> Result<bool, AppError> {
    let mut tx = app.begin_in(tenant, "forget_old_erasure").await?;
    let subject = match erasures::find(&mut tx, tenant, id).await {
        Ok(Some(erasure)) => erasure.subject.for_good(),
        Ok(None) => return Ok(false),
        // Nobody reads whom it is about, which may be a number.
        Err(StoreError::Corrupt { .. }) => ErasureSubject::Number {
            id: None,
            within: Span::default(),
        },
        Err(error) => return Err(error.into()),
    };
    // It may have been run again since.
    let is_forgotten = erasure_ends::forget_marks(&mut tx, tenant, id, &subject, before).await?;
    tx.commit().await?;
    Ok(is_forgotten)
}

/// By what a person is known by now, if that is what was shown.
async fn still(tx: &mut Tx, erasure: &Erasure) -> Result<Marks, AppError> {
    is_there_still(tx, erasure).await?;
    let now = match marks_of(tx, erasure.tenant_id, &erasure.subject).await {
        // They are gone, and what the log said of them too.
        Err(AppError::Invalid(_)) => None,
        marks => Some(marks?),
    };
    let same = now.filter(|now| {
        let then = erasure.marks.as_ref();
        then.is_some_and(|then| then.are_of_the_same(now))
    });
    same.ok_or_else(changed_since)
}

/// Refuses an extension that was deleted since: whoever has its number by now is somebody else.
async fn is_there_still(tx: &mut Tx, erasure: &Erasure) -> Result<(), AppError> {
    let until = until_gone(tx, erasure.tenant_id, erasure.subject.clone()).await?;
    if until == erasure.subject {
        Ok(())
    } else {
        Err(changed_since())
    }
}

fn changed_since() -> AppError {
    let message = "whom it is about was deleted, or has another address or number, since it was looked for; ask for another \
                   erasure";
    AppError::conflict("changed_since", message)
}

/// Refuses a time that begins after an extension was deleted.
fn is_ever(within: Span) -> Result<(), FieldErrors> {
    match (within.from, within.to) {
        (Some(from), Some(to)) if from >= to => {
            let message = format!("must be before {to}: the extension was deleted then");
            Err(FieldErrors::one("from", message))
        }
        _ => Ok(()),
    }
}

/// By what a person is known, also once their login or their extension is gone, as long as the log says so. Of another tenant nobody
/// learns that they are there.
async fn marks_of(tx: &mut Tx, tenant: TenantId, subject: &ErasureSubject) -> Result<Marks, AppError> {
    match subject {
        ErasureSubject::Number { .. } => Ok(Marks::default()),
        ErasureSubject::Extension { id, .. } => {
            let there = extensions::find(tx, tenant, *id).await?;
            let number = match there {
                Some(extension) => Some(extension.number),
                None => last_known(tx, tenant, "extension", &id.to_string(), "number").await?,
            };
            Ok(Marks {
                number: Some(number.ok_or_else(|| unknown("extension"))?),
                ..Marks::default()
            })
        }
        ErasureSubject::User { id } => {
            let there = users::find(tx, tenant, *id).await?;
            let email = match there {
                Some(user) => Some(user.email),
                None => last_known(tx, tenant, "user", &id.to_string(), "email").await?,
            };
            let mut keys = erasure_finds::made(tx, tenant, id.uuid(), "api_key.create").await?;
            let own = api_keys::list(tx, tenant).await?;
            let own = own.into_iter().filter(|key| key.author_id == *id);
            keys.extend(own.map(|key| key.id.uuid()));
            let marks = Marks {
                email: Some(email.ok_or_else(|| unknown("user"))?),
                keys: keys.into_iter().collect(),
                ..Marks::default()
            };
            still_theirs(tx, tenant, subject, marks).await
        }
    }
}

/// What the log says last of a field of something that is gone.
async fn last_known<T: FromStr>(
    tx: &mut Tx,
    tenant: TenantId,
    resource: &str,
    id: &str,
    field: &str,
) -> Result<Option<T>, AppError> {
    let seen = erasure_finds::last_seen(tx, tenant, resource, id).await?;
    let mut texts = seen.iter().filter_map(|seen| seen.get(field)?.as_str());
    Ok(texts.find_map(|text| text.parse().ok()))
}

fn forgotten() -> AppError {
    let message = "whom it is about was forgotten after thirty days; ask for another erasure";
    AppError::conflict("forgotten", message)
}

fn unknown(field: &'static str) -> AppError {
    let message = format!(
        "must be the id of one of the tenant's {field}s, or of one that the audit log still tells of"
    );
    FieldErrors::one(field, message).into()
}

/// What the log says of one: a number that is to be erased is not in it.
fn changed(action: &'static str, erasure: &Erasure) -> Changed {
    Changed {
        action,
        resource: "erasure",
        target: erasure.id.to_string(),
        tenant_id: Some(erasure.tenant_id),
        before: None,
        after: Some(json!({
            "subject": erasure.subject.for_good(),
            "call_records": erasure.call_records,
            "found": erasure.preview,
        })),
    }
}
