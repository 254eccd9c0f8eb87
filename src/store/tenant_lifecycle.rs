//! A tenant's way from active over suspended to gone, in its row and in every other that tells of it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::row::Origin;
use super::statement::{run, statements};
use super::tenants::service;
use super::{StoreError, Tx};
use crate::domain::ids::{InstanceId, TenantId};
use crate::domain::tenant::{Suspension, SuspensionPolicy};

statements! {
    STANDING = "select suspension_policy, suspension_category, suspension_reason, suspended_at from tenants \
        where id = $1";
    SUSPEND = "update tenants set status = 'suspended', suspension_category = $2, suspension_reason = $3, \
        suspended_at = $4, updated_at = $4 where id = $1";
    LOCK_USERS = "update users set updated_at = updated_at where tenant_id = $1";
    SET_POLICY = "update tenants set suspension_policy = $2 where id = $1";
    REACTIVATE = "update tenants set status = 'active', suspension_category = null, suspension_reason = null, \
        suspended_at = null, updated_at = $2 where id = $1";
    LET_GO = "update tenants set status = 'deleting', updated_at = $2 where id = $1";
    LEAVING = "select id from tenants where status = 'deleting' order by id";
    SERVED_OTHERWISE = concat!("select s.instance_id, s.tenant_id from served s \
        join tenants on tenants.id = s.tenant_id where s.service <> ", service!(), " or tenants.status = 'deleting' \
        order by s.instance_id, s.tenant_id");
    PLACES = "select instance_id from served where tenant_id = $1 \
        union select instance_id from tenants where id = $1 order by 1";
    SERVING = "select instance_id from served where tenant_id = $1 order by 1";
    IS_SERVED = "select count(*) from served where tenant_id = $1";
    IS_APPLIED = "select count(*) from instances i join generation_tenants g on g.generation_id = i.applying_generation_id \
        where g.tenant_id = $1";
    WAS_SERVED = "select distinct n.instance_id from generation_tenants g join generations n on n.id = g.generation_id \
        where g.tenant_id = $1 order by 1";
    COUNTS = "select (select count(*) from users where tenant_id = $1) as users, \
        (select count(*) from sessions s join users u on u.id = s.user_id where u.tenant_id = $1) as sessions, \
        (select count(*) from one_time_tokens o join users u on u.id = o.user_id where u.tenant_id = $1) as links, \
        (select count(*) from outbox where tenant_id = $1) as mails, \
        (select count(*) from roles where tenant_id = $1) as roles, \
        (select count(*) from api_keys where tenant_id = $1) as api_keys, \
        (select count(*) from idempotency_keys where tenant_id = $1) as kept_answers, \
        (select count(*) from extensions where tenant_id = $1) as extensions, \
        (select count(*) from tenant_domain_aliases where tenant_id = $1) as aliases, \
        (select count(*) from revisions where tenant_id = $1) as revisions, \
        (select count(*) from generation_tenants where tenant_id = $1) as generations, \
        (select count(*) from deployments where tenant_id = $1) as deployments, \
        (select count(*) from call_records where tenant_id = $1) as call_records, \
        (select count(*) from recordings where tenant_id = $1) as recordings, \
        (select count(*) from voicemail_messages where tenant_id = $1) as voicemail, \
        (select count(*) from tickets where tenant_id = $1) as tickets, \
        (select count(*) from webhooks where tenant_id = $1) as webhooks, \
        (select count(*) from retention where tenant_id = $1) as retention, \
        (select count(*) from erasures where tenant_id = $1) as erasures, \
        (select count(*) from purges where tenant_id = $1) as purges";
    BURY = "insert into generation_tombstones (generation_id, tenant_id) \
        select generation_id, tenant_id from generation_tenants where tenant_id = $1";
    FORGET_CALLS = "delete from call_records where id in (select r.id from tenants t cross join call_records r \
        where t.id = $1 and t.status = 'deleting' and r.tenant_id = t.id order by r.started_at limit $2)";
    DELETE = "delete from tenants where id = $1";
}

/// What a suspension means for a tenant's phones, and why there is one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// What its phones may do while it is suspended.
    pub policy: SuspensionPolicy,
    /// Since when and why; none while it is active.
    pub suspension: Option<Suspension>,
}

/// What a tenant's phones may do while it is suspended, and why it is.
pub async fn standing(tx: &mut Tx, id: TenantId) -> Result<Option<Standing>, StoreError> {
    type Row = (String, Option<String>, Option<String>, Option<i64>);
    let origin = Origin { table: "tenants", id };
    let row = run!(tx, fetch_optional::<Row>(STANDING, id.uuid()))?;
    row.map(|(policy, category, reason, at)| {
        let suspension = category.zip(at).map(|(category, at)| {
            Ok::<_, StoreError>(Suspension {
                category: origin.text("suspension_category", &category)?,
                reason: reason
                    .map(|reason| origin.text("suspension_reason", &reason))
                    .transpose()?,
                at: origin.time("suspended_at", at)?,
            })
        });
        Ok(Standing {
            policy: origin.text("suspension_policy", &policy)?,
            suspension: suspension.transpose()?,
        })
    })
    .transpose()
}

/// Suspends a tenant; false when there is none by this id.
///
/// Its users are locked with it, and not the tenant by them: whoever of them is signing in is done with that before, or finds
/// the tenant suspended.
pub async fn suspend(tx: &mut Tx, id: TenantId, suspension: &Suspension) -> Result<bool, StoreError> {
    let reason = suspension.reason.as_ref().map(AsRef::<str>::as_ref);
    let at = suspension.at.as_microsecond();
    let suspended = run!(
        tx,
        execute(SUSPEND, id.uuid(), suspension.category.as_str(), reason, at)
    )?;
    run!(tx, execute(LOCK_USERS, id.uuid()))?;
    Ok(suspended == 1)
}

/// Says what a suspension means for the tenant's phones; false when there is none by this id.
pub async fn set_policy(tx: &mut Tx, id: TenantId, policy: SuspensionPolicy) -> Result<bool, StoreError> {
    Ok(run!(tx, execute(SET_POLICY, id.uuid(), policy.as_str()))? == 1)
}

/// Ends a suspension; false when there is no tenant by this id.
pub async fn reactivate(tx: &mut Tx, id: TenantId, now: Timestamp) -> Result<bool, StoreError> {
    Ok(run!(tx, execute(REACTIVATE, id.uuid(), now.as_microsecond()))? == 1)
}

/// Has a tenant go for good: no PBX is to serve it any more; false when there is none by this id.
pub async fn let_go(tx: &mut Tx, id: TenantId, now: Timestamp) -> Result<bool, StoreError> {
    Ok(run!(tx, execute(LET_GO, id.uuid(), now.as_microsecond()))? == 1)
}

/// The tenants that are to go.
pub async fn leaving(tx: &mut Tx) -> Result<BTreeSet<TenantId>, StoreError> {
    let rows = run!(tx, fetch_all::<(Uuid,)>(LEAVING))?;
    Ok(rows.into_iter().map(|(id,)| TenantId::from_uuid(id)).collect())
}

/// The instances that serve something else of a tenant than its status says, with that tenant.
pub async fn served_otherwise(tx: &mut Tx) -> Result<BTreeSet<(InstanceId, TenantId)>, StoreError> {
    let rows = run!(tx, fetch_all::<(Uuid, Uuid)>(SERVED_OTHERWISE))?;
    let ids = |(instance, tenant)| (InstanceId::from_uuid(instance), TenantId::from_uuid(tenant));
    Ok(rows.into_iter().map(ids).collect())
}

/// The instances that serve a tenant or are to serve it.
pub async fn places(tx: &mut Tx, id: TenantId) -> Result<Vec<InstanceId>, StoreError> {
    let rows = run!(tx, fetch_all::<(Uuid,)>(PLACES, id.uuid()))?;
    Ok(rows.into_iter().map(|(id,)| InstanceId::from_uuid(id)).collect())
}

/// The instances that serve a tenant.
pub async fn serving(tx: &mut Tx, id: TenantId) -> Result<Vec<InstanceId>, StoreError> {
    let rows = run!(tx, fetch_all::<(Uuid,)>(SERVING, id.uuid()))?;
    Ok(rows.into_iter().map(|(id,)| InstanceId::from_uuid(id)).collect())
}

/// The instances that have a generation which served the tenant.
pub async fn served_once(tx: &mut Tx, id: TenantId) -> Result<Vec<InstanceId>, StoreError> {
    let rows = run!(tx, fetch_all::<(Uuid,)>(WAS_SERVED, id.uuid()))?;
    Ok(rows.into_iter().map(|(id,)| InstanceId::from_uuid(id)).collect())
}

/// Whether a PBX serves the tenant, or may: by a generation that is being applied.
pub async fn is_served(tx: &mut Tx, id: TenantId) -> Result<bool, StoreError> {
    let (served,) = run!(tx, fetch_one::<(i64,)>(IS_SERVED, id.uuid()))?;
    let (applied,) = run!(tx, fetch_one::<(i64,)>(IS_APPLIED, id.uuid()))?;
    Ok(served + applied > 0)
}

/// What goes with a tenant, kind by kind; each with what is a part of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, sqlx::FromRow, Serialize, JsonSchema)]
pub struct Belongings {
    /// Users, whatever their status.
    pub users: i64,
    /// Sessions of theirs.
    pub sessions: i64,
    /// Links that they were sent, for accepting an invitation or choosing another password.
    pub links: i64,
    /// Mails that wait, and records of those that were sent.
    pub mails: i64,
    /// Roles of its own.
    pub roles: i64,
    /// API keys.
    pub api_keys: i64,
    /// Answers that are kept for requests which are sent again.
    pub kept_answers: i64,
    /// Extensions.
    pub extensions: i64,
    /// Former domains at which its phones may still sign in.
    pub aliases: i64,
    /// Kept copies of its configuration.
    pub revisions: i64,
    /// Its parts in the generations of PBXs.
    pub generations: i64,
    /// Records of its deploys.
    pub deployments: i64,
    /// Records of its calls.
    pub call_records: i64,
    /// Recordings of its calls, each with its file.
    pub recordings: i64,
    /// Messages in its mail boxes that are known.
    pub voicemail: i64,
    /// Tickets, archived ones among them.
    pub tickets: i64,
    /// Webhooks, each with the events that wait for it.
    pub webhooks: i64,
    /// What it says for how long it keeps something.
    pub retention: i64,
    /// Reports of what was removed by that.
    pub purges: i64,
    /// Erasures of persons, with what became of them.
    pub erasures: i64,
}

/// Counts what goes with a tenant.
pub async fn belongings(tx: &mut Tx, id: TenantId) -> Result<Belongings, StoreError> {
    run!(tx, fetch_one::<Belongings>(COUNTS, id.uuid()))
}

/// Forgets up to `most` records of calls of a tenant that is to go, and of no other; gives how many it was.
pub async fn forget_calls(tx: &mut Tx, id: TenantId, most: i64) -> Result<u64, StoreError> {
    run!(tx, execute(FORGET_CALLS, id.uuid(), most))
}

/// Deletes a tenant with all that is its own; false when there is no such tenant. One that a PBX still serves is in use:
/// a deploy has to prove it gone first. The generations that served it keep its id, to say that it does not come back.
pub async fn delete(tx: &mut Tx, id: TenantId) -> Result<bool, StoreError> {
    run!(tx, execute(BURY, id.uuid()))?;
    Ok(run!(tx, execute(DELETE, id.uuid()))? == 1)
}
