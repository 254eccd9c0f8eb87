//! Entries of a tenant's audit log that somebody caused or that may name them, portion by portion of the log.

use uuid::Uuid;

use super::audit::select;
use super::audit_row::Row;
use super::row::Origin;
use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::audit::AuditRecord;
use crate::domain::audit_query::{AuditCursor, AuditPage};
use crate::domain::email::EmailAddress;
use crate::domain::ids::{AuditId, TenantId, UserId};

/// Entries that are looked through at once, however few of them are found.
pub const PORTION: i64 = 1_000;

statements! {
    REACH = "select at, id from audit_entries where tenant_id = $1 and (at, id) < ($2, $3) \
        order by at desc, id desc limit 1 offset $4";
    FIND = select!("tenant_id = $1 and (at, id) < ($2, $3) and (at, id) >= ($4, $5) and (actor_id = $6 \
        or actor_id in (select k.id from api_keys k where k.tenant_id = $1 and k.author_id = $6) or target_id = $7 \
        or before like $8 or after like $8 or before like $9 or after like $9) order by at desc, id desc");
}

/// A portion of a tenant's log: before the first of these, down to the last.
pub(super) struct Reach {
    pub at: i64,
    pub id: Uuid,
    pub last_at: i64,
    pub last_id: Uuid,
    /// Where the portion after it begins; none behind the last one.
    pub next: Option<AuditCursor>,
}

/// The next portion, newest first.
pub(super) async fn reach(
    tx: &mut Tx,
    tenant: TenantId,
    after: Option<AuditCursor>,
) -> Result<Reach, StoreError> {
    let (at, id) = after.map_or((i64::MAX, Uuid::max()), |cursor| {
        (cursor.at.as_microsecond(), cursor.id.uuid())
    });
    let last = run!(
        tx,
        fetch_optional::<(i64, Uuid)>(REACH, tenant.uuid(), at, id, PORTION - 1)
    )?;
    let next = last.map(|(at, id)| {
        let origin = Origin {
            table: "audit_entries",
            id,
        };
        let at = origin.time("at", at)?;
        let id = AuditId::from_uuid(id);
        Ok::<_, StoreError>(AuditCursor { at, id })
    });
    let (last_at, last_id) = last.unwrap_or((i64::MIN, Uuid::nil()));
    Ok(Reach {
        at,
        id,
        last_at,
        last_id,
        next: next.transpose()?,
    })
}

/// By what somebody is named.
pub struct Named<'a> {
    /// Their id.
    pub user: UserId,
    /// Their address.
    pub email: &'a EmailAddress,
}

/// Of the next portion of the log those that somebody or a key of theirs caused, that are about them, or in which their id or
/// address stands somewhere; newest first, and where the portion after it begins.
pub async fn list(
    tx: &mut Tx,
    tenant: TenantId,
    of: &Named<'_>,
    after: Option<AuditCursor>,
) -> Result<AuditPage, StoreError> {
    let portion = reach(tx, tenant, after).await?;
    let user = of.user.to_string();
    // What has signs of a pattern in it finds more than it names: whoever asks looks at what is found.
    let (by_id, by_email) = (format!("%{user}%"), format!("%{}%", of.email));
    let rows = run!(
        tx,
        fetch_all::<Row>(
            FIND,
            tenant.uuid(),
            portion.at,
            portion.id,
            portion.last_at,
            portion.last_id,
            of.user.uuid(),
            user,
            by_id,
            by_email,
        )
    )?;
    let entries = rows
        .into_iter()
        .map(Row::parse)
        .collect::<Result<Vec<AuditRecord>, _>>()?;
    Ok(AuditPage {
        entries,
        next: portion.next,
    })
}
