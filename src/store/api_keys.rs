//! Rows of API keys, one tenant's at a time; and who stands behind one.

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;

use super::roles::permissions;
use super::row::Origin;
use super::statement::{insert_rows, run, statements};
use super::{StoreError, Tx};
use crate::domain::api_key::{ApiKey, KeyDigest, KeyPresence, KeySecret};
use crate::domain::ids::{ApiKeyId, TenantId, UserId};
use crate::domain::permission::Permission;

macro_rules! columns {
    () => {
        "k.id, k.tenant_id, k.author_id, k.name, k.prefix, k.rank, k.expires_at, k.last_used_at, k.created_at"
    };
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select ",
            columns!(),
            ", (select string_agg(p.permission, ' ') from api_key_permissions p where p.api_key_id = k.id) \
             as permissions from api_keys k where k.tenant_id = $1 ",
            $rest
        )
    };
}

statements! {
    INSERT = "insert into api_keys (id, tenant_id, author_id, name, prefix, digest, rank, expires_at, created_at) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    ALLOW = "insert into api_key_permissions (api_key_id, permission) values {rows}", 2;
    // All that a request's rights depend on, in one read. Of its rights a key keeps those that its author has still.
    PRESENCE = concat!("select ", columns!(), ", k.digest, t.status as tenant_status, u.status as author_status, \
        r.rank as author_rank, (select string_agg(p.permission, ' ') from api_key_permissions p \
        join role_permissions h on h.role_id = u.role_id and h.permission = p.permission \
        where p.api_key_id = k.id) as permissions \
        from api_keys k join tenants t on t.id = k.tenant_id \
        join users u on u.id = k.author_id and u.tenant_id = k.tenant_id join roles r on r.id = u.role_id \
        where k.prefix = $1");
    LIST = select!("order by k.created_at desc, k.id desc");
    FIND = select!("and k.id = $2");
    COUNT = "select count(*) from api_keys where tenant_id = $1";
    ROTATE = "update api_keys set prefix = $3, digest = $4 where tenant_id = $1 and id = $2";
    USE = "update api_keys set last_used_at = $2 where id = $1 and (last_used_at is null or last_used_at < $2)";
    DELETE = "delete from api_keys where tenant_id = $1 and id = $2";
    DELETE_OF_AUTHOR = "delete from api_keys where tenant_id = $1 and author_id = $2 returning id";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    tenant_id: Uuid,
    author_id: Uuid,
    name: String,
    prefix: String,
    rank: String,
    expires_at: Option<i64>,
    last_used_at: Option<i64>,
    created_at: i64,
    permissions: Option<String>,
}

#[derive(sqlx::FromRow)]
struct PresenceRow {
    #[sqlx(flatten)]
    key: Row,
    digest: Vec<u8>,
    tenant_status: String,
    author_status: String,
    author_rank: String,
}

const fn origin(id: Uuid) -> Origin<Uuid> {
    Origin {
        table: "api_keys",
        id,
    }
}

impl Row {
    fn parse(self) -> Result<ApiKey, StoreError> {
        let origin = origin(self.id);
        let time = |column, at: Option<i64>| at.map(|at| origin.time(column, at)).transpose();
        Ok(ApiKey {
            id: ApiKeyId::from_uuid(self.id),
            tenant_id: TenantId::from_uuid(self.tenant_id),
            author_id: UserId::from_uuid(self.author_id),
            name: origin.text("name", &self.name)?,
            rank: origin.text("rank", &self.rank)?,
            permissions: permissions(&origin, self.permissions.as_deref())?,
            expires_at: time("expires_at", self.expires_at)?,
            last_used_at: time("last_used_at", self.last_used_at)?,
            created_at: origin.time("created_at", self.created_at)?,
            prefix: self.prefix,
        })
    }
}

impl PresenceRow {
    fn parse(self) -> Result<KeyPresence, StoreError> {
        let origin = origin(self.key.id);
        let digest = KeyDigest::try_from(self.digest.as_slice());
        Ok(KeyPresence {
            digest: digest.map_err(|invalid| origin.corrupt("digest", invalid))?,
            tenant_status: origin.text("tenants.status", &self.tenant_status)?,
            author_status: origin.text("users.status", &self.author_status)?,
            author_rank: origin.text("roles.rank", &self.author_rank)?,
            key: self.key.parse()?,
        })
    }
}

/// Adds a key. Of its secret the digest is kept.
pub async fn insert(tx: &mut Tx, key: &ApiKey, secret: &KeySecret) -> Result<(), StoreError> {
    run!(
        tx,
        execute(
            INSERT,
            key.id.uuid(),
            key.tenant_id.uuid(),
            key.author_id.uuid(),
            key.name.as_str(),
            secret.prefix(),
            secret.digest().as_bytes().to_vec(),
            key.rank.as_str(),
            key.expires_at.map(Timestamp::as_microsecond),
            key.created_at.as_microsecond(),
        )
    )?;
    let rights: Vec<Permission> = key.permissions.iter().copied().collect();
    insert_rows!(tx, ALLOW, rights, |right| (key.id.uuid(), right.as_str()))?;
    Ok(())
}

/// Who stands behind a key that begins so; whether it is good is for [`KeyPresence::is_good`] to say.
///
/// Nobody, once its author does not work for the tenant any more.
pub async fn presence(tx: &mut Tx, prefix: &str) -> Result<Option<KeyPresence>, StoreError> {
    run!(tx, fetch_optional::<PresenceRow>(PRESENCE, prefix))?
        .map(PresenceRow::parse)
        .transpose()
}

/// The tenant's keys, newest first.
pub async fn list(tx: &mut Tx, tenant: TenantId) -> Result<Vec<ApiKey>, StoreError> {
    run!(tx, fetch_all::<Row>(LIST, tenant.uuid()))?
        .into_iter()
        .map(Row::parse)
        .collect()
}

/// The tenant's key with this id.
pub async fn find(tx: &mut Tx, tenant: TenantId, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
    run!(tx, fetch_optional::<Row>(FIND, tenant.uuid(), id.uuid()))?
        .map(Row::parse)
        .transpose()
}

/// How many keys a tenant has.
pub async fn count(tx: &mut Tx, tenant: TenantId) -> Result<i64, StoreError> {
    let (count,) = run!(tx, fetch_one::<(i64,)>(COUNT, tenant.uuid()))?;
    Ok(count)
}

/// Gives a key another secret; the one before is good for nothing from now on. False when there is no such key.
pub async fn rotate(
    tx: &mut Tx,
    tenant: TenantId,
    id: ApiKeyId,
    secret: &KeySecret,
) -> Result<bool, StoreError> {
    let digest = secret.digest().as_bytes().to_vec();
    Ok(run!(
        tx,
        execute(ROTATE, tenant.uuid(), id.uuid(), secret.prefix(), digest)
    )? == 1)
}

/// Notes that a key is used.
pub async fn touch(tx: &mut Tx, id: ApiKeyId, now: Timestamp) -> Result<(), StoreError> {
    run!(tx, execute(USE, id.uuid(), now.as_microsecond()))?;
    Ok(())
}

/// Deletes a key; false when the tenant has none of that id.
pub async fn delete(tx: &mut Tx, tenant: TenantId, id: ApiKeyId) -> Result<bool, StoreError> {
    Ok(run!(tx, execute(DELETE, tenant.uuid(), id.uuid()))? == 1)
}

/// Deletes the keys that somebody made in a tenant; answers which.
pub async fn delete_of_author(
    tx: &mut Tx,
    tenant: TenantId,
    author: UserId,
) -> Result<BTreeSet<ApiKeyId>, StoreError> {
    let rows = run!(
        tx,
        fetch_all::<(Uuid,)>(DELETE_OF_AUTHOR, tenant.uuid(), author.uuid())
    )?;
    Ok(rows.into_iter().map(|(id,)| ApiKeyId::from_uuid(id)).collect())
}
