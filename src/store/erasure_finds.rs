//! What a tenant has of a person, by ids: in records of calls, tickets, the audit log, records of deploys, and what waits to be
//! sent.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::audit_of_person::reach;
use super::exports::bounds;
use super::row::Origin;
use super::statement::{run, statements};
use super::{StoreError, Tx, domains, erasure_rows};
use crate::domain::audit_query::AuditCursor;
use crate::domain::call_text::CallText;
use crate::domain::erasure::PLACEHOLDER;
use crate::domain::export::Span;
use crate::domain::ids::{AuditId, CallRecordId, InstanceId, RecordingId, TenantId};
use crate::domain::json_text::holds;
use crate::domain::stranger::Stranger;

statements! {
    // Also those that were only forwarded or transferred to it: a part tells that, and no index does.
    CALLS_NAMING = "select r.id from call_records r where r.tenant_id = $1 and r.started_at >= $3 and r.started_at < $4 \
        and (r.from_number = $2 or r.to_number = $2 or exists (select 1 from call_record_parts p where p.record_id = r.id \
        and cast(p.told as text) like $5 escape '\\')) order by r.id";
    RECORDINGS_OF_CALL = "select r.instance_id, f.id from call_records r left join call_record_parts p on p.record_id = r.id \
        left join recordings f on f.channel = p.channel and f.tenant_id = r.tenant_id and f.instance_id = r.instance_id \
        where r.tenant_id = $1 and r.id = $2";
    PLACE_OF_MESSAGE = "select instance_id from voicemail_messages where tenant_id = $1 and id = $2";
    TICKETS = "select id from tickets where tenant_id = $1 and (opened_by_id = $2 or assignee_id = $2) order by id";
    COMMENTS = "select id from ticket_comments where tenant_id = $1 and author_id = $2 order by id";
    // What tells of payloads that were blanked stays, and who had somebody erased: it has an id of them alone.
    PAYLOADS = "select id, actor_id, resource, target_id, \
        case when before like $8 escape '\\' or before like $9 escape '\\' then before end as before, \
        case when after like $8 escape '\\' or after like $9 escape '\\' then after end as after \
        from audit_entries where tenant_id = $1 and (at, id) < ($2, $3) and (at, id) >= ($4, $5) and at >= $6 and at < $7 \
        and salt is not null and action not in ('compliance.purged', 'compliance.erased', 'data.erasure_end')";
    LAST_SEEN = "select coalesce(after, before) from audit_entries where tenant_id = $1 and resource = $2 and target_id = $3 \
        and (before is not null or after is not null) order by number desc limit 50";
    DELETED_AT = "select max(at) from audit_entries where tenant_id = $1 and resource = $2 and target_id = $3 and action = $4";
    MADE = "select distinct target_id from audit_entries where tenant_id = $1 and actor_id = $2 and action = $3";
    DEPLOYMENTS = "select id from deployments where (tenant_id = $1 or tenant_id is null) and created_at >= $3 \
        and created_at < $4 and ended_at is not null and (cast(changes as text) like $2 escape '\\' \
        or cast(findings as text) like $2 escape '\\') order by id";
    EVENTS = "select e.event_id, e.body from webhooks w join webhook_events e on e.webhook_id = w.id \
        where w.tenant_id = $1 and e.body like $2 escape '\\' order by e.event_id";
}

/// A text as it stands in JSON. Where another one ends in a quote and this, it stands there too: what is found is looked at.
fn quoted(text: &str) -> String {
    let json = Value::from(text).to_string();
    let literal = json.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{literal}%")
}

/// The calls that a number is in, in the record or in a part, begun in this time. All of the tenant's calls are looked through.
pub async fn calls_naming(
    tx: &mut Tx,
    tenant: TenantId,
    number: &str,
    within: Span,
) -> Result<Vec<CallRecordId>, StoreError> {
    let (from, to) = bounds(within);
    let pattern = quoted(number);
    let rows = run!(
        tx,
        fetch_all::<(Uuid,)>(CALLS_NAMING, tenant.uuid(), number, from, to, pattern)
    )?;
    let Some(who) = CallText::of(PLACEHOLDER).and_then(|instead| Stranger::new(number, instead)) else {
        return Ok(Vec::new());
    };
    let domains = domains::ever_of(tx, tenant).await?;
    let mut calls = Vec::new();
    for (id,) in rows {
        let is_in = match erasure_rows::is_in_call(tx, tenant, id, &who, &domains).await {
            // Whoever is to erase it finds out, and tells that it stays.
            Err(StoreError::Corrupt { .. }) => true,
            is_in => is_in?,
        };
        if is_in {
            calls.push(CallRecordId::from_uuid(id));
        }
    }
    Ok(calls)
}

/// The PBX that a call was on, and its recordings that are known there; none where there is no such call.
pub async fn recordings_of_call(
    tx: &mut Tx,
    tenant: TenantId,
    call: CallRecordId,
) -> Result<Option<(InstanceId, BTreeSet<RecordingId>)>, StoreError> {
    let rows = run!(
        tx,
        fetch_all::<(Uuid, Option<Uuid>)>(RECORDINGS_OF_CALL, tenant.uuid(), call.uuid())
    )?;
    let instance = rows.first().map(|(instance, _)| InstanceId::from_uuid(*instance));
    let recordings = rows.into_iter().filter_map(|(_, id)| id);
    let recordings = recordings.map(RecordingId::from_uuid).collect();
    Ok(instance.map(|instance| (instance, recordings)))
}

/// The PBX that holds a message of a mail box.
pub async fn place_of_message(
    tx: &mut Tx,
    tenant: TenantId,
    message: Uuid,
) -> Result<Option<InstanceId>, StoreError> {
    let row = run!(
        tx,
        fetch_optional::<(Uuid,)>(PLACE_OF_MESSAGE, tenant.uuid(), message)
    )?;
    Ok(row.map(|(id,)| InstanceId::from_uuid(id)))
}

/// The tickets that a user or a key opened, or that are assigned to them.
pub async fn tickets(tx: &mut Tx, tenant: TenantId, of: Uuid) -> Result<Vec<Uuid>, StoreError> {
    Ok(ids(run!(tx, fetch_all::<(Uuid,)>(TICKETS, tenant.uuid(), of))?))
}

/// What a user or a key said about tickets.
pub async fn comments(tx: &mut Tx, tenant: TenantId, of: Uuid) -> Result<Vec<Uuid>, StoreError> {
    Ok(ids(run!(tx, fetch_all::<(Uuid,)>(COMMENTS, tenant.uuid(), of))?))
}

fn ids(rows: Vec<(Uuid,)>) -> Vec<Uuid> {
    rows.into_iter().map(|(id,)| id).collect()
}

/// By what entries of the audit log have to do with somebody.
#[derive(Clone, Default, Debug)]
pub struct Traces {
    /// They caused it, themselves or by a key.
    pub actors: BTreeSet<Uuid>,
    /// It is about one of these.
    pub targets: BTreeSet<String>,
    /// They are named in it by one of these, as a whole value.
    pub named: [Option<String>; 2],
    /// When it happened.
    pub within: Span,
}

#[derive(sqlx::FromRow)]
struct Entry {
    id: Uuid,
    actor_id: Option<Uuid>,
    resource: String,
    target_id: String,
    before: Option<String>,
    after: Option<String>,
}

impl Entry {
    fn has(&self, traces: &Traces) -> bool {
        let mut texts = [&self.before, &self.after].into_iter().flatten();
        self.actor_id.is_some_and(|actor| traces.actors.contains(&actor))
            || traces.targets.contains(&self.target_id)
            || (self.resource != "erasure"
                && texts.any(|json| {
                    let mut named = traces.named.iter().flatten();
                    named.any(|named| names(json, named))
                }))
    }
}

/// Whether a value in a JSON text is this one; one that cannot be read is taken for it.
fn names(json: &str, text: &str) -> bool {
    serde_json::from_str(json).map_or(true, |value: Value| holds(&value, &[text]))
}

/// What the log says of something that may be gone by now, the newest first; none where it says nothing of it, or not any more.
pub async fn last_seen(
    tx: &mut Tx,
    tenant: TenantId,
    resource: &str,
    target: &str,
) -> Result<Vec<Value>, StoreError> {
    let rows = run!(
        tx,
        fetch_all::<(String,)>(LAST_SEEN, tenant.uuid(), resource, target)
    )?;
    let seen = rows.iter().filter_map(|(json,)| serde_json::from_str(json).ok());
    Ok(seen.collect())
}

/// When something was deleted by an action, as the log tells for as long as it has the entry; none where it was not.
pub async fn deleted_at(
    tx: &mut Tx,
    tenant: TenantId,
    resource: &str,
    target: &str,
    action: &str,
) -> Result<Option<Timestamp>, StoreError> {
    let (at,) = run!(
        tx,
        fetch_one::<(Option<i64>,)>(DELETED_AT, tenant.uuid(), resource, target, action)
    )?;
    let origin = Origin {
        table: "audit_entries",
        id: target,
    };
    at.map(|at| origin.time("at", at)).transpose()
}

/// What somebody has made, by an action: it may be gone by now.
pub async fn made(
    tx: &mut Tx,
    tenant: TenantId,
    by: Uuid,
    action: &str,
) -> Result<BTreeSet<Uuid>, StoreError> {
    let rows = run!(tx, fetch_all::<(String,)>(MADE, tenant.uuid(), by, action))?;
    let ids = rows.iter().filter_map(|(id,)| Uuid::parse_str(id).ok());
    Ok(ids.collect())
}

/// Of the next portion of the tenant's log, which is read from its end, the entries with a payload that have these traces, and
/// where the portion after it begins.
pub async fn payloads(
    tx: &mut Tx,
    tenant: TenantId,
    traces: &Traces,
    after: Option<AuditCursor>,
) -> Result<(Vec<AuditId>, Option<AuditCursor>), StoreError> {
    let portion = reach(tx, tenant, after).await?;
    let (from, to) = bounds(traces.within);
    let [one, other] = traces.named.each_ref().map(|named| named.as_deref().map(quoted));
    let rows = run!(
        tx,
        fetch_all::<Entry>(
            PAYLOADS,
            tenant.uuid(),
            portion.at,
            portion.id,
            portion.last_at,
            portion.last_id,
            from,
            to,
            one,
            other,
        )
    )?;
    let found = rows.iter().filter(|entry| entry.has(traces));
    Ok((
        found.map(|entry| AuditId::from_uuid(entry.id)).collect(),
        portion.next,
    ))
}

/// The deploys that have ended and whose record names an object, asked for in this time: the tenant's, and the platform's.
pub async fn deployments(
    tx: &mut Tx,
    tenant: TenantId,
    object: &str,
    within: Span,
) -> Result<Vec<Uuid>, StoreError> {
    let (from, to) = bounds(within);
    let rows = run!(
        tx,
        fetch_all::<(Uuid,)>(DEPLOYMENTS, tenant.uuid(), quoted(object), from, to)
    )?;
    Ok(ids(rows))
}

/// The events that wait for webhooks of the tenant and name this, as a whole value.
pub async fn events(tx: &mut Tx, tenant: TenantId, named: &str) -> Result<Vec<Uuid>, StoreError> {
    let rows = run!(
        tx,
        fetch_all::<(Uuid, String)>(EVENTS, tenant.uuid(), quoted(named))
    )?;
    let found = rows.into_iter().filter(|(_, body)| names(body, named));
    let ids: BTreeSet<Uuid> = found.map(|(id, _)| id).collect();
    Ok(ids.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a22_a_text_is_looked_for_as_a_whole_and_with_no_sign_of_a_pattern() {
        assert_eq!(quoted("+49301"), "%\"+49301\"%");
        assert_eq!(quoted("a_b%@x\"\\"), "%\"a\\_b\\%@x\\\\\"\\\\\\\\\"%");
    }
}
