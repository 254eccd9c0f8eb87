//! Payloads of a tenant's audit entries that are older than it keeps them: found, and blanked one by one.

use jiff::Timestamp;
use uuid::Uuid;

use super::audit::{blank, select};
use super::audit_row::Row;
use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::audit::RETAINED;
use crate::domain::ids::{AuditId, TenantId};
use crate::domain::purge::{Amount, PurgeCursor};

statements! {
    COUNT = "select count(*) from audit_entries where tenant_id = $1 and salt is not null and at < $2 and action <> $3";
    NUMBER = "select number from audit_entries where tenant_id = $1 and id = $2";
    OLD = select!("tenant_id = $1 and salt is not null and at < $2 and action <> $3 and number < $4 \
        and at >= $5 and (at > $5 or id > $6) order by at, id limit $7");
    BLANK = blank!("id = $1 and tenant_id = $3");
}

/// A payload that is older than it is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OldPayload {
    /// Whose it is.
    pub id: AuditId,
    /// When it happened, in microseconds.
    pub at: i64,
    /// Whether it is what was written. What somebody has made of it since is not blanked: no check would find it any more.
    pub is_as_written: bool,
}

impl OldPayload {
    /// Its place among all of the tenant.
    #[must_use]
    pub const fn cursor(&self) -> PurgeCursor {
        PurgeCursor {
            at: self.at,
            id: self.id.uuid(),
        }
    }
}

/// How many there are of entries from before that.
pub async fn count(tx: &mut Tx, tenant: TenantId, before: Timestamp) -> Result<Amount, StoreError> {
    let (found,) = run!(
        tx,
        fetch_one::<(i64,)>(COUNT, tenant.uuid(), before.as_microsecond(), RETAINED)
    )?;
    Ok(Amount { found, bytes: 0 })
}

/// The oldest of them behind one of them, up to so many; of entries that were written before the one that tells of them.
pub async fn old(
    tx: &mut Tx,
    tenant: TenantId,
    before: Timestamp,
    told_by: AuditId,
    after: Option<PurgeCursor>,
    most: i64,
) -> Result<Vec<OldPayload>, StoreError> {
    let teller = run!(
        tx,
        fetch_optional::<(i64,)>(NUMBER, tenant.uuid(), told_by.uuid())
    )?;
    let Some((number,)) = teller else {
        return Ok(Vec::new());
    };
    let (at, id) = after.map_or((i64::MIN, Uuid::nil()), |after| (after.at, after.id));
    let rows = run!(
        tx,
        fetch_all::<Row>(
            OLD,
            tenant.uuid(),
            before.as_microsecond(),
            RETAINED,
            number,
            at,
            id,
            most
        )
    )?;
    let links = rows.into_iter().map(|row| row.stored(false).link);
    let found = links.map(|link| OldPayload {
        id: AuditId::from_uuid(link.id),
        at: link.at,
        is_as_written: link.says_what_was_written(),
    });
    Ok(found.collect())
}

/// Blanks one; false where it is blank already.
pub async fn blank(tx: &mut Tx, tenant: TenantId, id: AuditId, told_by: AuditId) -> Result<bool, StoreError> {
    let blanked = run!(tx, execute(BLANK, id.uuid(), told_by.uuid(), tenant.uuid()))?;
    Ok(blanked == 1)
}
