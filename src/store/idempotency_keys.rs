//! The answers of requests that may be sent again: one tenant's at a time, or those about the platform.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::row::Origin;
use super::statement::{run, statements};
use super::{StoreError, Tx, sealing_keys};
use crate::domain::digest::Digest;
use crate::domain::idempotency_key::IdempotencyKey;
use crate::domain::ids::TenantId;

const TABLE: &str = "idempotency_keys";

statements! {
    FIND = "select request, answer from idempotency_keys \
        where tenant_id is not distinct from $1 and caller = $2 and key = $3 and created_at > $4";
    INSERT = "insert into idempotency_keys (tenant_id, caller, key, request, answer, created_at) \
        values ($1, $2, $3, $4, $5, $6)";
    DELETE_OLD = "delete from idempotency_keys where tenant_id is not distinct from $1 and caller = $2 and key = $3 \
        and created_at <= $4";
    FORGET = "delete from idempotency_keys where tenant_id is not distinct from $1 and caller = $2 and key = $3";
    PRUNE = "delete from idempotency_keys where created_at <= (select max(created_at) from \
        (select created_at from idempotency_keys where created_at <= $1 order by created_at limit 100) as oldest)";
}

/// The request that came with a key.
pub struct Request<'a> {
    /// Whose tenant it is about; absent where it is about the platform.
    pub tenant: Option<TenantId>,
    /// Who sent it: the same text for the same caller, whatever they are called.
    pub caller: &'a str,
    /// Its key.
    pub key: &'a IdempotencyKey,
    /// What was asked for.
    pub digest: Digest,
    /// Whether a secret may be in that. Then a row says nothing of it to those who have not the sealing key too: all PINs
    /// are tried in no time.
    pub secret: bool,
}

impl Request<'_> {
    async fn stored(&self, tx: &mut Tx) -> Result<Digest, StoreError> {
        if self.secret {
            // With another key, an equal request would be taken for another one.
            sealing_keys::check(tx).await?;
            return tx.fingerprint(self.digest);
        }
        Ok(self.digest)
    }
}

/// What came before with the same key.
#[derive(PartialEq, Eq, Debug)]
pub enum Before<T> {
    /// An equal request, and this was its answer.
    Equal(T),
    /// Another request.
    Other,
}

/// What the caller has sent with this key after `oldest`. What may hold a secret needs the sealing key.
pub async fn find<T: DeserializeOwned>(
    tx: &mut Tx,
    request: &Request<'_>,
    oldest: Timestamp,
) -> Result<Option<Before<T>>, StoreError> {
    let digest = request.stored(tx).await?;
    let Request {
        tenant, caller, key, ..
    } = request;
    let row = run!(
        tx,
        fetch_optional::<(String, String)>(
            FIND,
            tenant.map(TenantId::uuid),
            *caller,
            key.as_str(),
            oldest.as_microsecond()
        )
    )?;
    let origin = Origin {
        table: TABLE,
        id: key,
    };
    row.map(|(request, answer)| {
        if origin.text::<Digest>("request", &request)? != digest {
            return Ok(Before::Other);
        }
        let answer = serde_json::from_str(&answer).map_err(|error| origin.corrupt("answer", error))?;
        Ok(Before::Equal(answer))
    })
    .transpose()
}

/// Removes some answers that are not newer than `oldest`, of any tenant; gives how many.
pub async fn prune(tx: &mut Tx, oldest: Timestamp) -> Result<u64, StoreError> {
    run!(tx, execute(PRUNE, oldest.as_microsecond()))
}

/// Forgets an answer: what was to be done was not, and may be asked for again.
pub async fn forget(tx: &mut Tx, request: &Request<'_>) -> Result<(), StoreError> {
    let tenant = request.tenant.map(TenantId::uuid);
    run!(tx, execute(FORGET, tenant, request.caller, request.key.as_str()))?;
    Ok(())
}

/// Keeps an answer; one with the same key that is not newer than `oldest` gives way.
///
/// A key that is in use is a conflict.
pub async fn insert(
    tx: &mut Tx,
    request: &Request<'_>,
    answer: &impl Serialize,
    now: Timestamp,
    oldest: Timestamp,
) -> Result<(), StoreError> {
    let digest = request.stored(tx).await?;
    let Request {
        tenant, caller, key, ..
    } = request;
    let answer = serde_json::to_string(answer).map_err(|source| StoreError::Unwritable {
        what: "idempotency_keys.answer",
        source,
    })?;
    run!(
        tx,
        execute(
            DELETE_OLD,
            tenant.map(TenantId::uuid),
            *caller,
            key.as_str(),
            oldest.as_microsecond()
        )
    )?;
    run!(
        tx,
        execute(
            INSERT,
            tenant.map(TenantId::uuid),
            *caller,
            key.as_str(),
            digest.to_string(),
            answer,
            now.as_microsecond(),
        )
    )?;
    Ok(())
}
