//! What daemons have seen of the clock of their hosts, in one row.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::row::Origin;
use super::statement::{run, statements};
use super::{Statement, StoreError, Tx};
use crate::domain::trusted_time::{Beat, HeldBack, TrustedTime};

statements! {
    FIND = "select beat, up, seen, believed from trusted_time where clock = 'host'";
    LOCK = "select beat, up, seen, believed from trusted_time where clock = 'host'", 0, " for update";
    FIRST = "insert into trusted_time (clock, beat, up, seen, believed) values ('host', $1, $2, $3, $4) on conflict (clock) do nothing";
    PUT = "insert into trusted_time (clock, beat, up, seen, believed) values ('host', $1, $2, $3, $4) \
        on conflict (clock) do update set beat = excluded.beat, up = excluded.up, seen = excluded.seen, believed = excluded.believed";
}

type Row = (i64, i64, String, Option<String>);

/// The last beat; none before the first.
pub async fn find(tx: &mut Tx) -> Result<Option<Beat>, StoreError> {
    run!(tx, fetch_optional::<Row>(FIND))?.map(parse).transpose()
}

/// What is known of the time; never ahead of the clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Known {
    /// What is believed: what is old by it may go.
    pub time: Timestamp,
    /// What is believed after a day of up-time, whatever the clock has done: what has waited by it need not wait any more.
    pub waited: Timestamp,
    /// Where the clock shows more than what is believed.
    pub held_back: Option<HeldBack>,
}

/// What is known of the time by the last beat. Before the first one, or where that cannot be read, there is nothing that the clock
/// could be held to: nothing is old.
pub async fn known(tx: &mut Tx, wall: Timestamp) -> Result<Known, StoreError> {
    let beat = match find(tx).await {
        Err(StoreError::Corrupt { .. }) => None,
        beat => beat?,
    };
    // As this host sees it: whoever looked last may have another clock, and nobody may have looked since a leap.
    let Some(time) = beat.map(|beat| beat.time.beat(wall, Duration::ZERO)) else {
        let none = Timestamp::UNIX_EPOCH.min(wall);
        return Ok(Known {
            time: none,
            waited: none,
            held_back: None,
        });
    };
    Ok(Known {
        time: time.time().min(wall),
        waited: time.waited().min(wall),
        held_back: time.held_back(),
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
    let seen = text("trusted_time.seen", beat.time.seen())?;
    let believed = text("trusted_time.believed", &beat.time.believed())?;
    run!(
        tx,
        execute(statement, beat.number, beat.time.up(), seen, believed)
    )?;
    Ok(())
}

fn text(what: &'static str, value: &(impl Serialize + ?Sized)) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|source| StoreError::Unwritable { what, source })
}

fn parse((number, up, seen, believed): Row) -> Result<Beat, StoreError> {
    let origin = Origin {
        table: "trusted_time",
        id: "host",
    };
    let seen = serde_json::from_str(&seen).map_err(|error| origin.corrupt("seen", error))?;
    let believed = believed
        .map(|believed| serde_json::from_str(&believed))
        .transpose();
    let believed = believed.map_err(|error| origin.corrupt("believed", error))?;
    let time = TrustedTime::kept(up, seen, believed)
        .ok_or_else(|| origin.corrupt("seen", "is not what was kept"))?;
    Ok(Beat { number, time })
}
