//! Rows of tokens that work once, for invitations and resets of passwords: only their digests.

use jiff::Timestamp;
use uuid::Uuid;

use super::row::Origin;
use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::digest::Digest;
use crate::domain::ids::{OneTimeTokenId, UserId};
use crate::domain::one_time_token::{OneTimeToken, Purpose};

statements! {
    INSERT = "insert into one_time_tokens (id, user_id, purpose, digest, created_at, expires_at) \
        values ($1, $2, $3, $4, $5, $6)";
    FIND = "select id, user_id, created_at, expires_at from one_time_tokens where purpose = $1 and digest = $2";
    OF_USER = "select id, user_id, created_at, expires_at from one_time_tokens where purpose = $1 and user_id = $2";
    REVOKE = "delete from one_time_tokens where user_id = $1 and purpose = $2 returning id";
    PURGE = "delete from one_time_tokens where id in (select id from one_time_tokens where expires_at <= $1 \
        order by expires_at, id limit 100)";
}

type Row = (Uuid, Uuid, i64, i64);

fn parse((id, user_id, created_at, expires_at): Row, purpose: Purpose) -> Result<OneTimeToken, StoreError> {
    let origin = Origin {
        table: "one_time_tokens",
        id,
    };
    Ok(OneTimeToken {
        id: OneTimeTokenId::from_uuid(id),
        user_id: UserId::from_uuid(user_id),
        purpose,
        created_at: origin.time("created_at", created_at)?,
        expires_at: origin.time("expires_at", expires_at)?,
    })
}

/// Keeps a token's digest. A user has one token for a purpose: revoke the one before first.
pub async fn insert(tx: &mut Tx, token: &OneTimeToken, digest: Digest) -> Result<(), StoreError> {
    run!(
        tx,
        execute(
            INSERT,
            token.id.uuid(),
            token.user_id.uuid(),
            token.purpose.as_str(),
            digest.as_bytes().to_vec(),
            token.created_at.as_microsecond(),
            token.expires_at.as_microsecond(),
        )
    )?;
    Ok(())
}

/// The token with this digest; it may have expired.
pub async fn find(tx: &mut Tx, purpose: Purpose, digest: Digest) -> Result<Option<OneTimeToken>, StoreError> {
    run!(
        tx,
        fetch_optional::<Row>(FIND, purpose.as_str(), digest.as_bytes().to_vec())
    )?
    .map(|row| parse(row, purpose))
    .transpose()
}

/// The token that a user has for a purpose; it may have expired.
pub async fn of_user(
    tx: &mut Tx,
    purpose: Purpose,
    user: UserId,
) -> Result<Option<OneTimeToken>, StoreError> {
    run!(tx, fetch_optional::<Row>(OF_USER, purpose.as_str(), user.uuid()))?
        .map(|row| parse(row, purpose))
        .transpose()
}

/// Ends it, used or not; answers which it was.
pub async fn revoke(
    tx: &mut Tx,
    purpose: Purpose,
    user: UserId,
) -> Result<Option<OneTimeTokenId>, StoreError> {
    let revoked = run!(
        tx,
        fetch_optional::<(Uuid,)>(REVOKE, user.uuid(), purpose.as_str())
    )?;
    Ok(revoked.map(|(id,)| OneTimeTokenId::from_uuid(id)))
}

/// Removes some of the tokens that have expired until then; answers how many.
pub async fn purge(tx: &mut Tx, until: Timestamp) -> Result<u64, StoreError> {
    run!(tx, execute(PURGE, until.as_microsecond()))
}
