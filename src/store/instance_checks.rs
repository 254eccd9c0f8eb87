//! What tests of the connection to an instance found, newest first.

use super::row::{Origin, RawJson, to_json};
use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::ids::InstanceId;
use crate::domain::instance_check::{CheckRecord, KeptCheck};

statements! {
    INSERT = "insert into instance_checks (instance_id, at, ok, checks) values ($1, $2, $3, $4) \
        on conflict (instance_id, at) do nothing";
    PRUNE = "delete from instance_checks where instance_id = $1 and at < \
        (select min(at) from (select at from instance_checks where instance_id = $1 order by at desc limit $2) kept)";
    NEWEST = "select at, ok, checks from instance_checks where instance_id = $1 order by at desc limit $2";
}

/// Keeps what a test found, and of those before the newest `keep`.
pub async fn insert(
    tx: &mut Tx,
    instance: InstanceId,
    record: &CheckRecord,
    keep: i64,
) -> Result<(), StoreError> {
    run!(
        tx,
        execute(
            INSERT,
            instance.uuid(),
            record.at.as_microsecond(),
            record.ok,
            to_json("instance_checks.checks", &record.checks)?
        )
    )?;
    run!(tx, execute(PRUNE, instance.uuid(), keep))?;
    Ok(())
}

/// What the newest tests found.
pub async fn newest(tx: &mut Tx, instance: InstanceId, limit: i64) -> Result<Vec<CheckRecord>, StoreError> {
    let origin = Origin {
        table: "instance_checks",
        id: instance,
    };
    run!(
        tx,
        fetch_all::<(i64, bool, RawJson)>(NEWEST, instance.uuid(), limit)
    )?
    .into_iter()
    .map(|(at, ok, checks)| {
        let checks: Vec<KeptCheck> = origin.json("checks", &checks)?;
        Ok(CheckRecord {
            at: origin.time("at", at)?,
            ok,
            checks,
        })
    })
    .collect()
}
