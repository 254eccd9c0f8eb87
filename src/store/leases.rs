//! Leases: which process may work on an instance, until when.

use std::time::Duration;

use jiff::Timestamp;

use super::row::{Origin, later};
use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::ids::InstanceId;

statements! {
    ACQUIRE = "insert into leases (instance_id, holder, epoch, expires_at) values ($1, $2, 1, $4) \
        on conflict (instance_id) do update \
        set holder = excluded.holder, epoch = leases.epoch + 1, expires_at = excluded.expires_at \
        where leases.expires_at <= $3 or leases.epoch = $5 returning epoch";
    RENEW = "update leases set expires_at = $4 \
        where instance_id = $1 and epoch = $2 and expires_at > $3";
    RELEASE = "update leases set expires_at = 0 where instance_id = $1 and epoch = $2";
    FIND = "select holder, epoch, expires_at from leases where instance_id = $1";
}

/// A lease as it stands; lapsed or given back when `expires_at` has passed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lease {
    /// Who took it last.
    pub holder: String,
    /// Grows each time it is taken.
    pub epoch: i64,
    /// When it lapses.
    pub expires_at: Timestamp,
}

/// Takes the lease of an instance when nobody holds it or it has lapsed; answers its epoch.
///
/// `holder` names the process for people. `gone`: an epoch whose holder is known to have ended; it need not lapse. The
/// clocks of the hosts may differ by less than `ttl`.
pub async fn acquire(
    tx: &mut Tx,
    instance: InstanceId,
    holder: &str,
    gone: Option<i64>,
    now: Timestamp,
    ttl: Duration,
) -> Result<Option<i64>, StoreError> {
    let taken = run!(
        tx,
        fetch_optional::<(i64,)>(
            ACQUIRE,
            instance.uuid(),
            holder,
            now.as_microsecond(),
            later(now, ttl),
            gone
        )
    )?;
    Ok(taken.map(|(epoch,)| epoch))
}

/// Prolongs the lease; false when it has lapsed or somebody else has it.
///
/// In the transaction that writes what the lease protects, it is the proof that the lease was held.
pub async fn renew(
    tx: &mut Tx,
    instance: InstanceId,
    epoch: i64,
    now: Timestamp,
    ttl: Duration,
) -> Result<bool, StoreError> {
    let renewed = run!(
        tx,
        execute(
            RENEW,
            instance.uuid(),
            epoch,
            now.as_microsecond(),
            later(now, ttl)
        )
    )?;
    Ok(renewed == 1)
}

/// Gives the lease back; false when somebody else has it.
pub async fn release(tx: &mut Tx, instance: InstanceId, epoch: i64) -> Result<bool, StoreError> {
    Ok(run!(tx, execute(RELEASE, instance.uuid(), epoch))? == 1)
}

/// The lease of an instance; none when it was never taken.
pub async fn find(tx: &mut Tx, instance: InstanceId) -> Result<Option<Lease>, StoreError> {
    let row = run!(tx, fetch_optional::<(String, i64, i64)>(FIND, instance.uuid()))?;
    row.map(|(holder, epoch, expires_at)| {
        let expires_at = Origin {
            table: "leases",
            id: instance,
        }
        .time("expires_at", expires_at)?;
        Ok(Lease {
            holder,
            epoch,
            expires_at,
        })
    })
    .transpose()
}
