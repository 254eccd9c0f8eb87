//! The audit log: written at the end of the change's transaction, and never altered but for payloads that have to go.

use std::borrow::Cow;

use jiff::Timestamp;
use uuid::Uuid;

use super::audit_row::Row;
use super::row::{Origin, storable, to_json_text};
use super::statement::{insert_rows, run, statements};
use super::{Statement, StoreError, Tx};
use crate::domain::audit::{AuditEntry, AuditRecord, Salt};
use crate::domain::audit_chain::{Link, Payload};
use crate::domain::audit_query::{AuditCursor, AuditFilter, AuditPage, AuditQuery, AuditWord};
use crate::domain::ids::{AuditId, TenantId};

macro_rules! select {
    ($($which:expr),+) => {
        concat!(
            "select number, id, at, actor_kind, actor_id, operating_as, action, resource, target_id, tenant_id, \
             payload_digest, digest, salt, actor_name, before, after, reason, request_id, address, agent, blanked_by \
             from audit_entries where ",
            $($which),+
        )
    };
}

macro_rules! matching {
    ($whose:literal, $rest:literal) => {
        select!(
            $whose,
            " and (actor_name = $2 or actor_id = $3 or $2 is null) and (action = $4 or $4 is null) \
             and (resource = $5 or $5 is null) and at >= $6 and at < $7 and ",
            $rest
        )
    };
}

macro_rules! page_of {
    ($whose:literal) => {
        matching!(
            $whose,
            "(at < $8 or (at = $8 and id < $9)) order by at desc, id desc limit $10"
        )
    };
}

macro_rules! blank {
    ($which:literal) => {
        concat!(
            "update audit_entries set salt = null, actor_name = null, before = null, after = null, reason = null, \
             request_id = null, address = null, agent = null, blanked_by = $2 where salt is not null and ",
            $which
        )
    };
}

pub(super) use {blank, select};

statements! {
    APPEND = "insert into audit_entries (number, id, at, actor_kind, actor_id, operating_as, action, resource, \
        target_id, tenant_id, payload_digest, digest, salt, actor_name, before, after, reason, request_id, address, \
        agent) values {rows}", 20;
    TAKE_NUMBERS = "update audit_head set number = number + $1 where log = 'audit' returning number, digest";
    SET_HEAD = "update audit_head set digest = $1 where log = 'audit'";
    OF_TENANT = page_of!("tenant_id = $1");
    OF_PLATFORM = page_of!("(tenant_id = $1 or $1 is null)");
    EXPORT = matching!("(tenant_id = $1 or $1 is null)", "number > $8 order by number limit $9");
    LAST_CHANGE = "select max(at) from audit_entries where tenant_id = $1 \
        and resource in ('tenant', 'extension') \
        and action not in ('extension.reveal_secret', 'tenant.suspend', 'tenant.reactivate')";
    DONE = "select count(*) from audit_entries where tenant_id = $1 and at >= $2 and actor_id = $3 and address = $4 \
        and action = $5 and target_id = $6";
    BLANK_TENANT = blank!("tenant_id = $1");
    MOVES = select!("tenant_id is null and action = 'user.move' and salt is not null \
        and (before like $1 or after like $1) order by number");
    BLANK_MOVE = blank!("tenant_id is null and id = $1");
}

/// Adds an entry. It is written when the transaction is committed, as the last of all.
///
/// All who write to the log wait for each other at its head. Whoever waited there with other rows still to be locked
/// could wait for ever, and would have all others wait.
pub fn append(tx: &mut Tx, entry: &AuditEntry, salt: Salt) -> Result<(), StoreError> {
    tx.audited.push(link(entry, salt)?);
    Ok(())
}

/// An entry as it is stored, but for its place.
fn link(entry: &AuditEntry, salt: Salt) -> Result<Link, StoreError> {
    let json = |what, value: &Option<_>| value.as_ref().map(|value| to_json_text(what, value)).transpose();
    let text = |text: &str| storable(text).into_owned();
    let optional = |value: &Option<String>| value.as_deref().map(text);
    Ok(Link {
        number: 0,
        id: entry.id.uuid(),
        at: entry.at.as_microsecond(),
        actor_kind: entry.actor.kind.as_str().to_owned(),
        actor_id: entry.actor.id,
        operating_as: entry.operating_as,
        action: text(&entry.action),
        resource: text(&entry.resource),
        target_id: text(&entry.target_id),
        tenant_id: entry.tenant_id.map(TenantId::uuid),
        payload: Some(Payload {
            salt: salt.as_bytes().to_vec(),
            actor_name: text(&entry.actor.name),
            before: json("audit_entries.before", &entry.before)?,
            after: json("audit_entries.after", &entry.after)?,
            reason: optional(&entry.reason),
            request_id: optional(&entry.request_id),
            address: optional(&entry.address),
            agent: optional(&entry.agent),
        }),
        payload_digest: Vec::new(),
        digest: Vec::new(),
    })
}

/// Gives entries their places at the end of the log.
pub(super) async fn write(tx: &mut Tx, mut links: Vec<Link>) -> Result<(), StoreError> {
    if links.is_empty() {
        return Ok(());
    }
    let count = i64::try_from(links.len()).unwrap_or(i64::MAX);
    let Some((number, mut previous)) = run!(tx, fetch_optional::<(i64, Vec<u8>)>(TAKE_NUMBERS, count))?
    else {
        return Err(StoreError::Corrupt {
            table: "audit_head",
            id: "audit".to_owned(),
            what: "it is gone".to_owned(),
        });
    };
    for (number, link) in (number - count + 1..).zip(&mut links) {
        link.take_place(number, &previous);
        previous.clone_from(&link.digest);
    }
    insert_rows!(tx, APPEND, links, |link| (
        link.number,
        link.id,
        link.at,
        link.actor_kind.as_str(),
        link.actor_id,
        link.operating_as,
        link.action.as_str(),
        link.resource.as_str(),
        link.target_id.as_str(),
        link.tenant_id,
        link.payload_digest.as_slice(),
        link.digest.as_slice(),
        link.payload.as_ref().map(|payload| payload.salt.as_slice()),
        link.payload.as_ref().map(|payload| payload.actor_name.as_str()),
        link.payload
            .as_ref()
            .and_then(|payload| payload.before.as_deref()),
        link.payload.as_ref().and_then(|payload| payload.after.as_deref()),
        link.payload
            .as_ref()
            .and_then(|payload| payload.reason.as_deref()),
        link.payload
            .as_ref()
            .and_then(|payload| payload.request_id.as_deref()),
        link.payload
            .as_ref()
            .and_then(|payload| payload.address.as_deref()),
        link.payload.as_ref().and_then(|payload| payload.agent.as_deref()),
    ))?;
    run!(tx, execute(SET_HEAD, previous))?;
    Ok(())
}

/// One page of a tenant's entries that match, newest first.
pub async fn list(tx: &mut Tx, tenant: TenantId, query: &AuditQuery) -> Result<AuditPage, StoreError> {
    page(tx, OF_TENANT, Some(tenant), query).await
}

/// The same over all tenants and the platform itself, or one tenant: for platform managers only.
pub async fn list_all(
    tx: &mut Tx,
    tenant: Option<TenantId>,
    query: &AuditQuery,
) -> Result<AuditPage, StoreError> {
    page(tx, OF_PLATFORM, tenant, query).await
}

/// The entries that match with a number above `after`, by number, as many as `most`: for platform managers only.
pub async fn after(
    tx: &mut Tx,
    tenant: Option<TenantId>,
    filter: &AuditFilter,
    after: i64,
    most: i64,
) -> Result<Vec<AuditRecord>, StoreError> {
    let wanted = Wanted::new(tenant, filter);
    run!(
        tx,
        fetch_all::<Row>(
            EXPORT,
            wanted.tenant,
            wanted.actor.as_deref(),
            wanted.actor_id,
            wanted.action,
            wanted.resource,
            wanted.from,
            wanted.to,
            after,
            most,
        )
    )?
    .into_iter()
    .map(Row::parse)
    .collect()
}

/// When something of the tenant was changed last, other than by a deploy.
pub async fn last_change(tx: &mut Tx, tenant: TenantId) -> Result<Option<Timestamp>, StoreError> {
    let (at,) = run!(tx, fetch_one::<(Option<i64>,)>(LAST_CHANGE, tenant.uuid()))?;
    let origin = Origin {
        table: "audit_entries",
        id: tenant,
    };
    at.map(|at| origin.time("at", at)).transpose()
}

/// What somebody does with a thing of a tenant.
pub struct Doing {
    /// Whose thing.
    pub tenant: TenantId,
    /// Who does it.
    pub actor: Uuid,
    /// Where from.
    pub address: String,
    /// Such as `recording.listen`.
    pub action: &'static str,
    /// The id of the thing.
    pub target: String,
}

/// Whether the log says that it was done since then.
pub async fn was_done(tx: &mut Tx, doing: &Doing, since: Timestamp) -> Result<bool, StoreError> {
    let (entries,) = run!(
        tx,
        fetch_one::<(i64,)>(
            DONE,
            doing.tenant.uuid(),
            since.as_microsecond(),
            doing.actor,
            doing.address.as_str(),
            doing.action,
            doing.target.as_str(),
        )
    )?;
    Ok(entries > 0)
}

/// Blanks the payloads of all entries of a tenant that are in the log already; answers how many.
///
/// `by` is the entry that tells of it, the tenant's `tenant.gone`, written in the same transaction: without one, a check
/// of the log reports each blanked payload.
pub async fn blank_tenant(tx: &mut Tx, tenant: TenantId, by: AuditId) -> Result<u64, StoreError> {
    run!(tx, execute(BLANK_TENANT, tenant.uuid(), by.uuid()))
}

/// The entries that tell of somebody who moved into a tenant or out of it, and that are no tenant's.
///
/// What somebody has made of such an entry since it was written says nothing of a tenant: blanked with one, it would be
/// found by no check any more.
pub async fn moves(tx: &mut Tx, tenant: TenantId) -> Result<Vec<AuditId>, StoreError> {
    // As it is written; what somebody has typed stands there with its quotes escaped.
    let like = format!("%\"tenant_id\":\"{tenant}\"%");
    let rows = run!(tx, fetch_all::<Row>(MOVES, like))?;
    let links = rows.into_iter().map(|row| row.stored(false).link);
    let as_written = links.filter(Link::says_what_was_written);
    Ok(as_written.map(|link| AuditId::from_uuid(link.id)).collect())
}

/// Blanks the payloads of such entries; `by` is the entry that tells of it and names them.
pub async fn blank_moves(tx: &mut Tx, moves: &[AuditId], by: AuditId) -> Result<(), StoreError> {
    for id in moves {
        run!(tx, execute(BLANK_MOVE, id.uuid(), by.uuid()))?;
    }
    Ok(())
}

/// A filter as statements take it.
struct Wanted<'a> {
    tenant: Option<Uuid>,
    actor: Option<Cow<'a, str>>,
    actor_id: Option<Uuid>,
    action: Option<&'a str>,
    resource: Option<&'a str>,
    from: i64,
    to: i64,
}

impl<'a> Wanted<'a> {
    fn new(tenant: Option<TenantId>, filter: &'a AuditFilter) -> Self {
        let actor = filter.actor.as_deref();
        Self {
            tenant: tenant.map(TenantId::uuid),
            actor: actor.map(storable),
            actor_id: actor.and_then(|actor| Uuid::parse_str(actor).ok()),
            action: filter.action.as_ref().map(AuditWord::as_str),
            resource: filter.resource.as_ref().map(AuditWord::as_str),
            from: filter.from.map_or(i64::MIN, Timestamp::as_microsecond),
            to: filter.to.map_or(i64::MAX, Timestamp::as_microsecond),
        }
    }
}

async fn page(
    tx: &mut Tx,
    statement: Statement,
    tenant: Option<TenantId>,
    query: &AuditQuery,
) -> Result<AuditPage, StoreError> {
    let wanted = Wanted::new(tenant, &query.filter);
    // Without a cursor: behind an entry that is newer than all.
    let (at, id) = query.after.map_or((i64::MAX, Uuid::max()), |cursor| {
        (cursor.at.as_microsecond(), cursor.id.uuid())
    });
    // One row more than was asked for tells whether there is a next page.
    let rows = run!(
        tx,
        fetch_all::<Row>(
            statement,
            wanted.tenant,
            wanted.actor.as_deref(),
            wanted.actor_id,
            wanted.action,
            wanted.resource,
            wanted.from,
            wanted.to,
            at,
            id,
            query.per_page + 1,
        )
    )?;
    let mut entries = rows
        .into_iter()
        .map(Row::parse)
        .collect::<Result<Vec<AuditRecord>, _>>()?;
    let per_page = usize::try_from(query.per_page).unwrap_or(usize::MAX);
    let more = entries.len() > per_page;
    entries.truncate(per_page);
    let next = entries.last().filter(|_| more).map(|last| AuditCursor {
        at: last.entry.at,
        id: last.entry.id,
    });
    Ok(AuditPage { entries, next })
}
