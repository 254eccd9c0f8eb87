//! Which recordings a purge is about to remove the files of: noted before the first one goes, forgotten with what counts them.

use jiff::Timestamp;
use uuid::Uuid;

use super::purge_rows::OldRecording;
use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::ids::{PurgeId, RecordingId, TenantId};

statements! {
    NOTE = "insert into purge_files (purge_id, position, recording_id, path, bytes, written_at, place) \
        select q.purge_id, q.position, f.id, f.path, f.bytes, f.written_at, $6 from purges p \
        join purge_parts q on q.purge_id = p.id join recordings f on f.tenant_id = p.tenant_id \
        where p.tenant_id = $1 and p.id = $2 and q.position = $3 and f.id = $4 and f.written_at < $5";
    NOTED = "select n.place, n.recording_id, n.path, n.bytes, n.written_at from purge_files n join purges p on p.id = n.purge_id \
        where p.tenant_id = $1 and n.purge_id = $2 and n.position = $3 order by n.written_at, n.recording_id";
    FORGET = "delete from purge_files where purge_id = (select p.id from purges p where p.tenant_id = $1 and p.id = $2) \
        and position = $3";
    FORGET_ONE = "delete from purge_files where purge_id in (select p.id from purges p where p.tenant_id = $1 \
        and p.ended_at is null) and recording_id = $2";
}

/// Notes that a recording's file is about to go; false where there is no such recording from before that any more.
pub async fn note(
    tx: &mut Tx,
    tenant: TenantId,
    purge: PurgeId,
    (position, recording): (i64, RecordingId),
    before: Timestamp,
    place: &str,
) -> Result<bool, StoreError> {
    let noted = run!(
        tx,
        execute(
            NOTE,
            tenant.uuid(),
            purge.uuid(),
            position,
            recording.uuid(),
            before.as_microsecond(),
            place
        )
    )?;
    Ok(noted == 1)
}

/// Files that were about to go and are not counted yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Noted {
    /// Where they were then.
    pub place: String,
    /// What they are of.
    pub recordings: Vec<OldRecording>,
}

/// Those of a part; all of them are noted at once, in one place.
pub async fn noted(
    tx: &mut Tx,
    tenant: TenantId,
    purge: PurgeId,
    position: i64,
) -> Result<Option<Noted>, StoreError> {
    let rows = run!(
        tx,
        fetch_all::<(String, Uuid, String, i64, i64)>(NOTED, tenant.uuid(), purge.uuid(), position)
    )?;
    let Some((place, ..)) = rows.first() else {
        return Ok(None);
    };
    let place = place.clone();
    let parse = |(_, id, path, bytes, at)| OldRecording::parse("purge_files", (id, path, bytes, at));
    let recordings = rows.into_iter().map(parse).collect::<Result<_, _>>()?;
    Ok(Some(Noted { place, recordings }))
}

/// Forgets all of a part: what has become of them is counted.
pub async fn forget(tx: &mut Tx, tenant: TenantId, purge: PurgeId, position: i64) -> Result<(), StoreError> {
    run!(tx, execute(FORGET, tenant.uuid(), purge.uuid(), position))?;
    Ok(())
}

/// Forgets one whose file somebody else has removed: it is not the purge's to count.
pub async fn forget_one(tx: &mut Tx, tenant: TenantId, recording: RecordingId) -> Result<(), StoreError> {
    run!(tx, execute(FORGET_ONE, tenant.uuid(), recording.uuid()))?;
    Ok(())
}
