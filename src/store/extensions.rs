//! Rows of extensions, one tenant's at a time.

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;

use super::row::{Origin, RawJson, name_key, search_pattern, to_json};
use super::statement::{insert_rows, run, search, statements};
use super::{Statement, StoreError, Tx};
use super::{extension_secrets, tenants};
use crate::domain::dial::ExtensionNumber;
use crate::domain::extension::{Extension, ExtensionSettings, ExtensionStatus};
use crate::domain::ids::{ExtensionId, TenantId};
use crate::domain::page::Page;
use crate::domain::query::{ExtensionQuery, ExtensionSort};
use crate::domain::secret::ExtensionSecrets;

macro_rules! select {
    ($($rest:expr),+) => {
        concat!(
            "select id, tenant_id, number, settings, secret_known, version, created_at, updated_at from extensions \
             where tenant_id = $1 ",
            $($rest),+
        )
    };
}

macro_rules! matching {
    () => {
        concat!(
            "and ",
            search!("$2", "name_key", "number"),
            " and (status = $3 or $3 is null)"
        )
    };
}

macro_rules! counted {
    () => {
        concat!(
            "select count(*) from extensions where tenant_id = $1 ",
            matching!()
        )
    };
}

/// Each row says how many match; that is counted once.
macro_rules! page_by {
    ($order:literal) => {
        concat!(
            "select id, tenant_id, number, settings, secret_known, version, created_at, updated_at, (",
            counted!(),
            ") as total from extensions where tenant_id = $1 ",
            matching!(),
            " order by ",
            $order,
            " limit $4 offset $5"
        )
    };
}

statements! {
    INSERT = "insert into extensions (id, tenant_id, number, name_key, status, settings, secret_known, \
        version, created_at, updated_at) values {rows}", 10;
    FIND = select!("and id = $2");
    FIND_BY_NUMBER = select!("and number = $2");
    ALL = select!("order by number");
    COUNT = counted!();
    NUMBERS = "select number, id from extensions where tenant_id = $1";
    BY_NUMBER = page_by!("number");
    BY_NUMBER_DOWN = page_by!("number desc");
    BY_NAME = page_by!("name_key, id");
    BY_NAME_DOWN = page_by!("name_key desc, id desc");
    BY_STATUS = page_by!("status, id");
    BY_STATUS_DOWN = page_by!("status desc, id desc");
    BY_CREATED_AT = page_by!("created_at, id");
    BY_CREATED_AT_DOWN = page_by!("created_at desc, id desc");
    BY_UPDATED_AT = page_by!("updated_at, id");
    BY_UPDATED_AT_DOWN = page_by!("updated_at desc, id desc");
    UPDATE_SETTINGS = "update extensions set name_key = $3, status = $4, settings = $5, \
        version = version + 1, updated_at = $6 where tenant_id = $1 and id = $2";
    COUNT_ROTATION = "update extensions set secret_known = true, version = version + 1, updated_at = $3 \
        where tenant_id = $1 and id = $2";
    DELETE = "delete from extensions where tenant_id = $1 and id = $2";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    tenant_id: Uuid,
    number: String,
    settings: RawJson,
    secret_known: bool,
    version: i64,
    created_at: i64,
    updated_at: i64,
}

impl Row {
    fn parse(self) -> Result<Extension, StoreError> {
        let origin = Origin {
            table: "extensions",
            id: self.id,
        };
        Ok(Extension {
            id: ExtensionId::from_uuid(self.id),
            tenant_id: TenantId::from_uuid(self.tenant_id),
            number: origin.text("number", &self.number)?,
            settings: origin.json("settings", &self.settings)?,
            secret_known: self.secret_known,
            version: self.version,
            created_at: origin.time("created_at", self.created_at)?,
            updated_at: origin.time("updated_at", self.updated_at)?,
        })
    }
}

#[derive(sqlx::FromRow)]
struct Listed {
    #[sqlx(flatten)]
    row: Row,
    total: i64,
}

/// Adds an extension with its secrets. A number that the tenant has already is a conflict.
pub async fn insert(
    tx: &mut Tx,
    extension: &Extension,
    secrets: &ExtensionSecrets,
) -> Result<(), StoreError> {
    insert_many(tx, &[(extension, secrets)]).await
}

/// Adds many extensions, each with its secrets: all or, with an error, none once the transaction is dropped.
pub async fn insert_many(
    tx: &mut Tx,
    extensions: &[(&Extension, &ExtensionSecrets)],
) -> Result<(), StoreError> {
    let mut rows = Vec::with_capacity(extensions.len());
    for (extension, _) in extensions {
        rows.push((extension, to_json("settings", &extension.settings)?));
    }
    insert_rows!(tx, INSERT, rows, |(extension, settings)| (
        extension.id.uuid(),
        extension.tenant_id.uuid(),
        extension.number.as_str(),
        name_key(extension.settings.name.as_str()),
        extension.settings.status.as_str(),
        settings,
        extension.secret_known,
        extension.version,
        extension.created_at.as_microsecond(),
        extension.updated_at.as_microsecond(),
    ))?;
    extension_secrets::insert_many(tx, extensions).await?;
    let tenants: BTreeSet<TenantId> = extensions.iter().map(|(one, _)| one.tenant_id).collect();
    for tenant in tenants {
        tenants::forget_head_revision(tx, tenant).await?;
    }
    Ok(())
}

/// How many extensions a tenant has.
pub async fn count(tx: &mut Tx, tenant: TenantId) -> Result<i64, StoreError> {
    let (count,) = run!(
        tx,
        fetch_one::<(i64,)>(COUNT, tenant.uuid(), None::<&str>, None::<&str>)
    )?;
    Ok(count)
}

/// The number of each of the tenant's extensions.
pub async fn numbers(
    tx: &mut Tx,
    tenant: TenantId,
) -> Result<Vec<(ExtensionNumber, ExtensionId)>, StoreError> {
    let rows = run!(tx, fetch_all::<(String, Uuid)>(NUMBERS, tenant.uuid()))?;
    let read = |(number, id): (String, Uuid)| {
        let number = Origin {
            table: "extensions",
            id,
        }
        .text("number", &number)?;
        Ok((number, ExtensionId::from_uuid(id)))
    };
    rows.into_iter().map(read).collect()
}

/// The tenant's extension with this id.
pub async fn find(tx: &mut Tx, tenant: TenantId, id: ExtensionId) -> Result<Option<Extension>, StoreError> {
    run!(tx, fetch_optional::<Row>(FIND, tenant.uuid(), id.uuid()))?
        .map(Row::parse)
        .transpose()
}

/// The tenant's extension with this number.
pub async fn find_by_number(
    tx: &mut Tx,
    tenant: TenantId,
    number: &ExtensionNumber,
) -> Result<Option<Extension>, StoreError> {
    run!(
        tx,
        fetch_optional::<Row>(FIND_BY_NUMBER, tenant.uuid(), number.as_str())
    )?
    .map(Row::parse)
    .transpose()
}

/// One page of the tenant's extensions that match. A first page is one statement; where there is no row to say the total,
/// another page takes a second.
pub async fn list(
    tx: &mut Tx,
    tenant: TenantId,
    query: &ExtensionQuery,
) -> Result<Page<Extension>, StoreError> {
    let search = search_pattern(query.search.as_deref());
    let search = search.as_deref();
    let status = query.status.map(ExtensionStatus::as_str);
    let statement = page_statement(query.sort, query.descending);
    let (limit, offset) = (query.page.per_page(), query.page.offset());
    let rows = run!(
        tx,
        fetch_all::<Listed>(statement, tenant.uuid(), search, status, limit, offset)
    )?;
    let total = match rows.first() {
        Some(listed) => listed.total,
        None if offset == 0 => 0,
        None => run!(tx, fetch_one::<(i64,)>(COUNT, tenant.uuid(), search, status))?.0,
    };
    let items = rows.into_iter().map(|listed| listed.row.parse());
    Ok(Page {
        items: items.collect::<Result<_, _>>()?,
        total,
        request: query.page,
    })
}

const fn page_statement(sort: ExtensionSort, descending: bool) -> Statement {
    match (sort, descending) {
        (ExtensionSort::Number, false) => BY_NUMBER,
        (ExtensionSort::Number, true) => BY_NUMBER_DOWN,
        (ExtensionSort::Name, false) => BY_NAME,
        (ExtensionSort::Name, true) => BY_NAME_DOWN,
        (ExtensionSort::Status, false) => BY_STATUS,
        (ExtensionSort::Status, true) => BY_STATUS_DOWN,
        (ExtensionSort::CreatedAt, false) => BY_CREATED_AT,
        (ExtensionSort::CreatedAt, true) => BY_CREATED_AT_DOWN,
        (ExtensionSort::UpdatedAt, false) => BY_UPDATED_AT,
        (ExtensionSort::UpdatedAt, true) => BY_UPDATED_AT_DOWN,
    }
}

/// All extensions of the tenant, by number.
pub async fn all(tx: &mut Tx, tenant: TenantId) -> Result<Vec<Extension>, StoreError> {
    run!(tx, fetch_all::<Row>(ALL, tenant.uuid()))?
        .into_iter()
        .map(Row::parse)
        .collect()
}

/// Replaces the settings and counts the change; false when the tenant has no such extension.
pub async fn update_settings(
    tx: &mut Tx,
    tenant: TenantId,
    id: ExtensionId,
    settings: &ExtensionSettings,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let updated = run!(
        tx,
        execute(
            UPDATE_SETTINGS,
            tenant.uuid(),
            id.uuid(),
            name_key(settings.name.as_str()),
            settings.status.as_str(),
            to_json("settings", settings)?,
            now.as_microsecond(),
        )
    )?;
    tenants::forget_head_revision(tx, tenant).await?;
    Ok(updated == 1)
}

/// Counts a change of the SIP secret, which is known from then on; false when the tenant has no such extension.
pub async fn count_rotation(
    tx: &mut Tx,
    tenant: TenantId,
    id: ExtensionId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let counted = run!(
        tx,
        execute(COUNT_ROTATION, tenant.uuid(), id.uuid(), now.as_microsecond())
    )?;
    Ok(counted == 1)
}

/// Deletes the extension; its secrets stay for a rollback. False when the tenant has no such extension.
pub async fn delete(tx: &mut Tx, tenant: TenantId, id: ExtensionId) -> Result<bool, StoreError> {
    let deleted = run!(tx, execute(DELETE, tenant.uuid(), id.uuid()))?;
    tenants::forget_head_revision(tx, tenant).await?;
    Ok(deleted == 1)
}
