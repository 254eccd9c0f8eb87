//! What daemons have seen of the clock of their hosts, in one row.

use jiff::Timestamp;

use super::row::Origin;
use super::statement::{run, statements};
use super::{Statement, StoreError, Tx};
use crate::domain::trusted_time::{Beat, HeldBack, TrustedTime};

statements! {
    FIND = "select beat, up, seen from trusted_time where clock = 'host'";
    LOCK = "select beat, up, seen from trusted_time where clock = 'host'", 0, " for update";
    FIRST = "insert into trusted_time (clock, beat, up, seen) values ('host', $1, $2, $3) on conflict (clock) do nothing";
    PUT = "insert into trusted_time (clock, beat, up, seen) values ('host', $1, $2, $3) \
        on conflict (clock) do update set beat = excluded.beat, up = excluded.up, seen = excluded.seen";
}

type Row = (i64, i64, String);

/// The last beat; none before the first.
pub async fn find(tx: &mut Tx) -> Result<Option<Beat>, StoreError> {
    run!(tx, fetch_optional::<Row>(FIND))?.map(parse).transpose()
}

/// What is believed of the time by the last beat, never ahead of the clock, and how far that is held back. Before the first beat,
/// or where that cannot be read, there is nothing that the clock could be held to: nothing is old.
pub async fn known(tx: &mut Tx, wall: Timestamp) -> Result<(Timestamp, Option<HeldBack>), StoreError> {
    let beat = match find(tx).await {
        Err(StoreError::Corrupt { .. }) => None,
        beat => beat?,
    };
    Ok(match beat {
        None => (Timestamp::UNIX_EPOCH.min(wall), None),
        Some(beat) => (beat.time.time().min(wall), beat.time.held_back()),
    })
}

/// The last beat, and keeps others from beating until this transaction ends.
pub async fn lock(tx: &mut Tx) -> Result<Option<Beat>, StoreError> {
    run!(tx, fetch_optional::<Row>(LOCK))?.map(parse).transpose()
}

/// Keeps the first one. Of two daemons whose beat is the first, one counts.
pub async fn put_first(tx: &mut Tx, beat: &Beat) -> Result<(), StoreError> {
    keep(tx, FIRST, beat).await
}

/// Keeps the next one.
pub async fn put(tx: &mut Tx, beat: &Beat) -> Result<(), StoreError> {
    keep(tx, PUT, beat).await
}

async fn keep(tx: &mut Tx, statement: Statement, beat: &Beat) -> Result<(), StoreError> {
    let seen = serde_json::to_string(beat.time.seen()).map_err(|source| StoreError::Unwritable {
        what: "trusted_time.seen",
        source,
    })?;
    run!(tx, execute(statement, beat.number, beat.time.up(), seen))?;
    Ok(())
}

fn parse((number, up, seen): Row) -> Result<Beat, StoreError> {
    let origin = Origin {
        table: "trusted_time",
        id: "host",
    };
    let seen = serde_json::from_str(&seen).map_err(|error| origin.corrupt("seen", error))?;
    let time = TrustedTime::kept(up, seen).ok_or_else(|| origin.corrupt("seen", "is not what was kept"))?;
    Ok(Beat { number, time })
}
