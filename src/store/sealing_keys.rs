//! Which key the secrets of a database are sealed with: one for all of them, claimed with the first.

use uuid::Uuid;

use super::instances;
use super::statement::{run, statements};
use super::{StoreError, Tx};

/// Where the mark is, as sealed values name their places.
const PLACE: &str = "sealing_keys.mark";
/// What the mark says. It is no secret: that it opens is all that counts.
const MARK: &str = "switchyard";

statements! {
    FIND = "select mark from sealing_keys where seals = 'all secrets'";
    CLAIM = "insert into sealing_keys (seals, mark) values ('all secrets', $1) on conflict do nothing";
    OLDEST_CONTROL_SECRET = "select id, control_secret from instances order by created_at, id limit 1";
}

/// Refuses to go on without a key, and with another one than the database's.
///
/// A database that has sealed nothing takes any key.
pub async fn check(tx: &mut Tx) -> Result<(), StoreError> {
    checked(tx).await.map(drop)
}

/// The same before something is sealed: from now on the key is the database's.
pub(super) async fn claim(tx: &mut Tx) -> Result<(), StoreError> {
    if checked(tx).await? {
        return Ok(());
    }
    let mark = tx.seal(PLACE, MARK)?;
    // Of two hosts at the same time, the second waits here for the first, and then finds its mark.
    run!(tx, execute(CLAIM, mark))?;
    check(tx).await
}

/// Whether the key is the one of a mark that is there.
async fn checked(tx: &mut Tx) -> Result<bool, StoreError> {
    tx.check_sealing_key()?;
    if let Some((mark,)) = run!(tx, fetch_optional::<(Vec<u8>,)>(FIND))? {
        tx.unseal(PLACE, &mark)?;
        return Ok(true);
    }
    // A database from before there were marks: an instance was there before any other secret could be.
    if let Some((id, sealed)) = run!(tx, fetch_optional::<(Uuid, Vec<u8>)>(OLDEST_CONTROL_SECRET))? {
        tx.unseal(&instances::control_secret_place(id), &sealed)?;
    }
    Ok(false)
}
