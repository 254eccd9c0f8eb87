//! What is left to erase of a part, by its id: noted before the first one goes, forgotten with what counts it.

use uuid::Uuid;

use super::statement::{insert_rows, run, statements};
use super::{StoreError, Tx};
use crate::domain::ids::{ErasureId, TenantId};

/// The part of a tenant's erasure that targets belong to.
macro_rules! of_part {
    () => {
        "erasure_id = (select e.id from erasures e where e.tenant_id = $1 and e.id = $2) and position = $3"
    };
}

statements! {
    IS_OF = "select cast(1 as bigint) from erasures where tenant_id = $1 and id = $2";
    PUT = "insert into erasure_targets (erasure_id, position, target) values {rows} on conflict do nothing", 3;
    TRY_AGAIN = concat!("update erasure_targets set kept = false, begun_at = null where (kept = true or begun_at is not null) and ", of_part!());
    COUNT = concat!("select count(*) from erasure_targets where ", of_part!());
    NEXT = concat!("select target, begun_at from erasure_targets where ", of_part!(), " and kept = false \
        order by target limit $4");
    ALL = concat!("select target from erasure_targets where ", of_part!());
    BEGIN = concat!("update erasure_targets set begun_at = $5 where ", of_part!(), " and target = $4");
    KEEP = concat!("update erasure_targets set kept = true, begun_at = null where ", of_part!(), " and target = $4");
    DONE = concat!("delete from erasure_targets where ", of_part!(), " and target = $4");
}

/// Which part of an erasure.
#[derive(Clone, Copy)]
pub struct OfPart {
    /// Whose it is.
    pub tenant: TenantId,
    /// Which erasure.
    pub erasure: ErasureId,
    /// Which part of it.
    pub position: i64,
}

/// All that is noted of a part.
pub async fn all(tx: &mut Tx, of: OfPart) -> Result<Vec<Uuid>, StoreError> {
    let rows = run!(
        tx,
        fetch_all::<(Uuid,)>(ALL, of.tenant.uuid(), of.erasure.uuid(), of.position)
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Something that is to be erased.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// Its id.
    pub id: Uuid,
    /// Where it was when its removal began; none before that.
    pub begun_at: Option<String>,
}

/// Has what is left of a part tried once more, as if for the first time: nothing else may tell by now that it is the person's, and
/// whoever has removed some of it since did not do so for the erasure.
pub async fn try_again(tx: &mut Tx, of: OfPart) -> Result<(), StoreError> {
    run!(
        tx,
        execute(TRY_AGAIN, of.tenant.uuid(), of.erasure.uuid(), of.position)
    )?;
    Ok(())
}

/// Notes what is to be erased of a part, besides what is noted already.
pub async fn put(tx: &mut Tx, of: OfPart, targets: &[Uuid]) -> Result<(), StoreError> {
    let own = run!(
        tx,
        fetch_optional::<(i64,)>(IS_OF, of.tenant.uuid(), of.erasure.uuid())
    )?;
    if own.is_none() {
        return Ok(());
    }
    insert_rows!(tx, PUT, targets, |target| (
        of.erasure.uuid(),
        of.position,
        *target
    ))?;
    Ok(())
}

/// How many are noted of a part, with those that were kept.
pub async fn count(tx: &mut Tx, of: OfPart) -> Result<i64, StoreError> {
    let (count,) = run!(
        tx,
        fetch_one::<(i64,)>(COUNT, of.tenant.uuid(), of.erasure.uuid(), of.position)
    )?;
    Ok(count)
}

/// The next ones that were not tried so far.
pub async fn next(tx: &mut Tx, of: OfPart, most: i64) -> Result<Vec<Target>, StoreError> {
    let rows = run!(
        tx,
        fetch_all::<(Uuid, Option<String>)>(NEXT, of.tenant.uuid(), of.erasure.uuid(), of.position, most)
    )?;
    let targets = rows.into_iter();
    Ok(targets.map(|(id, begun_at)| Target { id, begun_at }).collect())
}

/// Notes that the removal of one begins, and where it is.
pub async fn begin(tx: &mut Tx, of: OfPart, target: Uuid, place: &str) -> Result<(), StoreError> {
    let (tenant, erasure) = (of.tenant.uuid(), of.erasure.uuid());
    run!(tx, execute(BEGIN, tenant, erasure, of.position, target, place))?;
    Ok(())
}

/// Notes that one was tried and stays.
pub async fn keep(tx: &mut Tx, of: OfPart, target: Uuid) -> Result<(), StoreError> {
    let (tenant, erasure) = (of.tenant.uuid(), of.erasure.uuid());
    run!(tx, execute(KEEP, tenant, erasure, of.position, target))?;
    Ok(())
}

/// Forgets one: what has become of it is counted.
pub async fn done(tx: &mut Tx, of: OfPart, target: Uuid) -> Result<(), StoreError> {
    let (tenant, erasure) = (of.tenant.uuid(), of.erasure.uuid());
    run!(tx, execute(DONE, tenant, erasure, of.position, target))?;
    Ok(())
}
