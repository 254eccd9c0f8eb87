//! What an export goes through, by keys that lead from one page to the next; what is behind a key is read where it belongs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::call_records::{Row as CallRow, select as select_calls};
use super::row::{Origin, RawJson};
use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::call_part::CallPart;
use crate::domain::call_record::{CallCursor, CallRecord};
use crate::domain::dial::DialNumber;
use crate::domain::digest::Digest;
use crate::domain::export::Span;
use crate::domain::ids::{
    CallRecordId, CommentId, DeploymentId, ErasureId, ExportId, ExtensionId, PurgeId, RevisionId, TenantId,
    TicketId, UserId,
};
use crate::domain::sip_domain::SipDomain;
use crate::domain::ticket_text::TicketText;

// Of two indexes that bound the time SQLite takes the one with fewer columns, and would read all of the tenant's calls.
macro_rules! calls_of_number {
    ($by_caller:literal, $by_called:literal) => {
        concat!(
            "select id from call_records",
            $by_caller,
            " where tenant_id = $1 and from_number = $2 and started_at >= $3 \
             and started_at < $4 union select id from call_records",
            $by_called,
            " where tenant_id = $1 \
             and to_number = $2 and started_at >= $3 and started_at < $4"
        )
    };
}

/// The action by which the audit log tells what came of an export.
pub const END: &str = "data.export_end";

statements! {
    ALIASES = "select domain, expires_at from tenant_domain_aliases where tenant_id = $1 order by domain";
    EXTENSIONS = "select id, number from extensions where tenant_id = $1 and number > $2 order by number limit $3";
    USERS = "select id from users where tenant_id = $1 order by id";
    DEPLOYMENTS = "select id, created_at from deployments where tenant_id = $1 \
        and (created_at, id) < ($2, $3) order by created_at desc, id desc limit $4";
    REVISION = "select id, number, digest, config, created_at from revisions where tenant_id = $1 and number < $2 \
        order by number desc limit 1";
    // These by their ids, which never change: what is told of a call later moves when it began.
    CALLS = select_calls!("from (select c.* from call_records c where c.tenant_id = $1 and c.id < $2 \
        order by c.id desc limit $3) r order by r.id desc");
    // PostgreSQL takes no bound over from one table to the other.
    PARTS = "select p.record_id, p.told from call_records r cross join call_record_parts p where r.tenant_id = $1 \
        and r.id >= $2 and r.id < $3 and p.record_id = r.id and p.record_id >= $2 and p.record_id < $3 \
        order by p.record_id, p.part";
    CALLS_OF_EXTENSION = "select r.id from call_record_extensions e cross join call_records r where e.extension_id = $2 \
        and r.id = e.record_id and r.tenant_id = $1 and r.started_at >= $3 and r.started_at < $4 order by r.id";
    CALLS_OF_NUMBER = calls_of_number!(" indexed by call_records_by_caller", " indexed by call_records_by_called"),
        postgres: calls_of_number!("", "");
    PURGES = "select id from purges where tenant_id = $1 order by id";
    ERASURES = "select id from erasures where tenant_id = $1 order by id";
    SAID = "select id, ticket_id, text, created_at from ticket_comments where tenant_id = $1 and author_id = $2 \
        and (created_at, id) < ($3, $4) order by created_at desc, id desc limit $5";
    ENDED = "select number from audit_entries where tenant_id = $1 and action = $2 and target_id = $3 and at >= $4 limit 1";
}

/// The former domains that still lead to a tenant, with when they do no more; none where that is not settled yet.
pub async fn aliases(
    tx: &mut Tx,
    tenant: TenantId,
) -> Result<Vec<(SipDomain, Option<Timestamp>)>, StoreError> {
    let origin = Origin {
        table: "tenant_domain_aliases",
        id: tenant,
    };
    let rows = run!(tx, fetch_all::<(String, Option<i64>)>(ALIASES, tenant.uuid()))?;
    rows.into_iter()
        .map(|(domain, expires)| {
            let expires = expires.map(|at| origin.time("expires_at", at)).transpose()?;
            Ok((origin.text("domain", &domain)?, expires))
        })
        .collect()
}

/// The next extensions of a tenant, behind a number.
pub async fn extensions(
    tx: &mut Tx,
    tenant: TenantId,
    after: &str,
    most: i64,
) -> Result<Vec<(ExtensionId, String)>, StoreError> {
    let rows = run!(
        tx,
        fetch_all::<(Uuid, String)>(EXTENSIONS, tenant.uuid(), after, most)
    )?;
    let ids = rows.into_iter();
    Ok(ids
        .map(|(id, number)| (ExtensionId::from_uuid(id), number))
        .collect())
}

/// All users of a tenant.
pub async fn users(tx: &mut Tx, tenant: TenantId) -> Result<Vec<UserId>, StoreError> {
    let rows = run!(tx, fetch_all::<(Uuid,)>(USERS, tenant.uuid()))?;
    Ok(rows.into_iter().map(|(id,)| UserId::from_uuid(id)).collect())
}

/// The next deployments of a tenant, newest first.
pub async fn deployments(
    tx: &mut Tx,
    tenant: TenantId,
    after: Option<CallCursor>,
    most: i64,
) -> Result<Vec<(DeploymentId, CallCursor)>, StoreError> {
    let (at, id) = after.map_or((i64::MAX, Uuid::max()), |cursor| {
        (cursor.at.as_microsecond(), cursor.id)
    });
    let rows = run!(
        tx,
        fetch_all::<(Uuid, i64)>(DEPLOYMENTS, tenant.uuid(), at, id, most)
    )?;
    rows.into_iter()
        .map(|(id, at)| {
            let origin = Origin {
                table: "deployments",
                id,
            };
            let at = origin.time("created_at", at)?;
            Ok((DeploymentId::from_uuid(id), CallCursor { at, id }))
        })
        .collect()
}

/// A revision as it is kept.
pub struct KeptRevision {
    /// Its id.
    pub id: RevisionId,
    /// Counts from 1 in each tenant.
    pub number: i64,
    /// Of its configuration.
    pub digest: Digest,
    /// The tenant's configuration, as it is stored.
    pub config: Box<RawValue>,
    /// When it was taken.
    pub created_at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct RevisionRow {
    id: Uuid,
    number: i64,
    digest: String,
    config: RawJson,
    created_at: i64,
}

/// The revision of a tenant before a number, or the newest: each may be as large as all of the tenant's configuration.
pub async fn revision(
    tx: &mut Tx,
    tenant: TenantId,
    before: Option<i64>,
) -> Result<Option<KeptRevision>, StoreError> {
    let before = before.unwrap_or(i64::MAX);
    let Some(row) = run!(tx, fetch_optional::<RevisionRow>(REVISION, tenant.uuid(), before))? else {
        return Ok(None);
    };
    let origin = Origin {
        table: "revisions",
        id: row.id,
    };
    Ok(Some(KeptRevision {
        id: RevisionId::from_uuid(row.id),
        number: row.number,
        digest: origin.text("digest", &row.digest)?,
        config: origin.json("config", &row.config)?,
        created_at: origin.time("created_at", row.created_at)?,
    }))
}

/// The next calls of a tenant, behind an id, newest first by their ids.
pub async fn calls(
    tx: &mut Tx,
    tenant: TenantId,
    after: Option<CallRecordId>,
    most: i64,
) -> Result<Vec<CallRecord>, StoreError> {
    let after = after.map_or(Uuid::max(), CallRecordId::uuid);
    let rows = run!(tx, fetch_all::<CallRow>(CALLS, tenant.uuid(), after, most))?;
    rows.into_iter().map(CallRow::parse).collect()
}

/// What was told of the calls of a page, part by part: of those behind an id, to the last one.
pub async fn parts(
    tx: &mut Tx,
    tenant: TenantId,
    after: Option<CallRecordId>,
    last: CallRecordId,
) -> Result<BTreeMap<CallRecordId, Vec<CallPart>>, StoreError> {
    let after = after.map_or(Uuid::max(), CallRecordId::uuid);
    let rows = run!(
        tx,
        fetch_all::<(Uuid, RawJson)>(PARTS, tenant.uuid(), last.uuid(), after)
    )?;
    let mut parts: BTreeMap<CallRecordId, Vec<CallPart>> = BTreeMap::new();
    for (id, told) in rows {
        let origin = Origin {
            table: "call_record_parts",
            id,
        };
        let part = origin.json("told", &told)?;
        parts.entry(CallRecordId::from_uuid(id)).or_default().push(part);
    }
    Ok(parts)
}

/// The calls in which an extension took part, begun in this time.
pub async fn calls_of_extension(
    tx: &mut Tx,
    tenant: TenantId,
    extension: ExtensionId,
    within: Span,
) -> Result<Vec<CallRecordId>, StoreError> {
    let (from, to) = bounds(within);
    let extension = extension.uuid();
    let rows = run!(
        tx,
        fetch_all::<(Uuid,)>(CALLS_OF_EXTENSION, tenant.uuid(), extension, from, to)
    )?;
    Ok(rows
        .into_iter()
        .map(|(id,)| CallRecordId::from_uuid(id))
        .collect())
}

/// The calls from a number or to it, begun in this time.
pub async fn calls_of_number(
    tx: &mut Tx,
    tenant: TenantId,
    number: &DialNumber,
    within: Span,
) -> Result<Vec<CallRecordId>, StoreError> {
    let (from, to) = bounds(within);
    let number = number.as_str();
    let rows = run!(
        tx,
        fetch_all::<(Uuid,)>(CALLS_OF_NUMBER, tenant.uuid(), number, from, to)
    )?;
    Ok(rows
        .into_iter()
        .map(|(id,)| CallRecordId::from_uuid(id))
        .collect())
}

/// What is begun in this time, in microseconds: from the first on, and before the second.
pub(super) fn bounds(within: Span) -> (i64, i64) {
    let from = within.from.map_or(i64::MIN, Timestamp::as_microsecond);
    (from, within.to.map_or(i64::MAX, Timestamp::as_microsecond))
}

/// All purges of a tenant of which a report is kept: few hundred.
pub async fn purges(tx: &mut Tx, tenant: TenantId) -> Result<Vec<PurgeId>, StoreError> {
    let rows = run!(tx, fetch_all::<(Uuid,)>(PURGES, tenant.uuid()))?;
    Ok(rows.into_iter().map(|(id,)| PurgeId::from_uuid(id)).collect())
}

/// All erasures of a tenant.
pub async fn erasures(tx: &mut Tx, tenant: TenantId) -> Result<Vec<ErasureId>, StoreError> {
    let rows = run!(tx, fetch_all::<(Uuid,)>(ERASURES, tenant.uuid()))?;
    Ok(rows.into_iter().map(|(id,)| ErasureId::from_uuid(id)).collect())
}

/// Whether the audit log tells what came of an export.
pub async fn is_ended(
    tx: &mut Tx,
    tenant: TenantId,
    id: ExportId,
    began: Timestamp,
) -> Result<bool, StoreError> {
    let (id, began) = (id.to_string(), began.as_microsecond());
    let found = run!(tx, fetch_optional::<(i64,)>(ENDED, tenant.uuid(), END, id, began))?;
    Ok(found.is_some())
}

/// What somebody said about a ticket.
pub struct Said {
    /// Its id.
    pub id: CommentId,
    /// About which ticket.
    pub ticket_id: TicketId,
    /// What.
    pub text: TicketText,
    /// When.
    pub created_at: Timestamp,
}

/// The next comments of a person or a key in a tenant, newest first.
pub async fn said(
    tx: &mut Tx,
    tenant: TenantId,
    author: Uuid,
    after: Option<CallCursor>,
    most: i64,
) -> Result<Vec<Said>, StoreError> {
    let (at, id) = after.map_or((i64::MAX, Uuid::max()), |cursor| {
        (cursor.at.as_microsecond(), cursor.id)
    });
    let rows = run!(
        tx,
        fetch_all::<(Uuid, Uuid, String, i64)>(SAID, tenant.uuid(), author, at, id, most)
    )?;
    rows.into_iter()
        .map(|(id, ticket, text, at)| {
            let origin = Origin {
                table: "ticket_comments",
                id,
            };
            Ok(Said {
                id: CommentId::from_uuid(id),
                ticket_id: TicketId::from_uuid(ticket),
                text: origin.text("text", &text)?,
                created_at: origin.time("created_at", at)?,
            })
        })
        .collect()
}
