//! Payloads of a tenant's audit entries that are older than it keeps them: found, and blanked one by one.

use jiff::Timestamp;

use super::audit::{blank, select};
use super::audit_row::Row;
use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::ids::{AuditId, TenantId};
use crate::domain::purge::{Amount, PurgeCursor};

/// As the index says it: the payload of what tells of payloads that were blanked stays.
macro_rules! with_payload {
    ($($rest:expr),+ $(,)?) => {
        concat!(
            "tenant_id = $1 and salt is not null and action <> 'compliance.purged' and action <> 'compliance.erased' \
             and action <> 'data.erasure_end' and ",
            $($rest),+
        )
    };
}

// The sign keeps SQLite from going by the time: in the order in which they were written, the first one is enough.
statements! {
    COUNT = concat!("select count(*) from audit_entries where ", with_payload!("at < $2 and number < coalesce(\
        (select n.number from audit_entries n where n.tenant_id = $1 and n.salt is not null \
        and n.action <> 'compliance.purged' and n.action <> 'compliance.erased' \
        and n.action <> 'data.erasure_end' and +n.at >= $2 and +n.at <= $3 order by n.number limit 1), \
        9223372036854775807)"));
    OLDEST = concat!("select at from audit_entries where ", with_payload!("+at <= $2 order by number limit 1"));
    NUMBER = "select number from audit_entries where tenant_id = $1 and id = $2";
    NEXT = select!(with_payload!("number > $2 and number < $3 order by number limit $4"));
    BLANK = blank!("id = $1 and tenant_id = $3");
}

/// From which time on an entry is not old. Entries are in the order in which they were written, so that none is older than
/// one before it, whatever the clock showed when it was written; what is stamped with a time that is yet to come tells nothing
/// of those behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Age {
    /// What is stamped earlier is old, if all before it is.
    pub before: Timestamp,
    /// The time that is believed.
    pub now: Timestamp,
}

/// A payload that is older than it is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OldPayload {
    /// Whose it is.
    pub id: AuditId,
    /// Whether it is what was written. What somebody has made of it since is not blanked: no check would find it any more.
    pub is_as_written: bool,
}

/// Some of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OldPayloads {
    /// The oldest first.
    pub payloads: Vec<OldPayload>,
    /// Behind which entry the next ones are.
    pub after: Option<PurgeCursor>,
    /// Whether there are no more.
    pub is_last: bool,
}

/// How many there are.
pub async fn count(tx: &mut Tx, tenant: TenantId, age: Age) -> Result<Amount, StoreError> {
    let (before, now) = (age.before.as_microsecond(), age.now.as_microsecond());
    let (found,) = run!(tx, fetch_one::<(i64,)>(COUNT, tenant.uuid(), before, now))?;
    Ok(Amount { found, bytes: 0 })
}

/// Whether there is one: all of them are not counted for it.
pub async fn any(tx: &mut Tx, tenant: TenantId, age: Age) -> Result<bool, StoreError> {
    let now = age.now.as_microsecond();
    let oldest = run!(tx, fetch_optional::<(i64,)>(OLDEST, tenant.uuid(), now))?;
    Ok(oldest.is_some_and(|(at,)| at < age.before.as_microsecond()))
}

/// The oldest of them behind one of them, of up to so many entries; of those that were written before the one that tells of
/// them.
pub async fn old(
    tx: &mut Tx,
    tenant: TenantId,
    age: Age,
    told_by: AuditId,
    after: Option<PurgeCursor>,
    most: i64,
) -> Result<OldPayloads, StoreError> {
    let mut old = OldPayloads {
        payloads: Vec::new(),
        after,
        is_last: true,
    };
    let teller = run!(
        tx,
        fetch_optional::<(i64,)>(NUMBER, tenant.uuid(), told_by.uuid())
    )?;
    let Some((number,)) = teller else {
        return Ok(old);
    };
    let from = after.map_or(0, |after| after.at);
    let rows = run!(tx, fetch_all::<Row>(NEXT, tenant.uuid(), from, number, most))?;
    old.is_last = i64::try_from(rows.len()).unwrap_or(i64::MAX) < most;
    let (before, now) = (age.before.as_microsecond(), age.now.as_microsecond());
    for link in rows.into_iter().map(|row| row.stored(false).link) {
        if (before..=now).contains(&link.at) {
            old.is_last = true;
            break;
        }
        old.after = Some(PurgeCursor {
            at: link.number,
            id: link.id,
        });
        if link.at < before {
            old.payloads.push(OldPayload {
                id: AuditId::from_uuid(link.id),
                is_as_written: link.says_what_was_written(),
            });
        }
    }
    Ok(old)
}

/// Blanks one; false where it is blank already.
pub async fn blank(tx: &mut Tx, tenant: TenantId, id: AuditId, told_by: AuditId) -> Result<bool, StoreError> {
    let blanked = run!(tx, execute(BLANK, id.uuid(), told_by.uuid(), tenant.uuid()))?;
    Ok(blanked == 1)
}
