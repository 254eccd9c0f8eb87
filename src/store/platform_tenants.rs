//! What the platform changes of a tenant, and the domains that it had before.

use jiff::Timestamp;
use uuid::Uuid;

use super::row::{Origin, name_key};
use super::statement::{run, statements};
use super::{StoreError, Tx, tenants};
use crate::domain::ids::{InstanceId, TenantId};
use crate::domain::limits::Limits;
use crate::domain::sip_domain::SipDomain;
use crate::domain::tenant::{SuspensionPolicy, Tenant};

statements! {
    UPDATE = "update tenants set name = $2, name_key = $3, domain = $4, instance_id = $5, timezone = $6, \
        session_timeout_minutes = $7, max_users = $8, max_extensions = $9, max_concurrent_calls = $10, \
        suspension_policy = $11, updated_at = $12 where id = $1";
    ALIASES = "select domain from tenant_domain_aliases where tenant_id = $1 order by domain";
    HOLDER = "select tenant_id from tenant_domain_aliases where domain = $1";
    PUT_ALIAS = "insert into tenant_domain_aliases (domain, tenant_id, expires_at) values ($1, $2, $3) \
        on conflict (domain) do update set expires_at = excluded.expires_at";
    DROP_ALIAS = "delete from tenant_domain_aliases where tenant_id = $1 and domain = $2";
    EXPIRED = "select distinct tenant_id from tenant_domain_aliases where expires_at <= $1 order by tenant_id";
    DROP_EXPIRED = "delete from tenant_domain_aliases where tenant_id = $1 and expires_at <= $2";
    LIVE_ELSEWHERE = "select instance_id from served where tenant_id = $1 \
        and instance_id <> (select instance_id from tenants where id = $1) order by instance_id";
    IS_LIVE_HERE = "select count(*) from served s join tenants t on t.id = s.tenant_id and t.instance_id = s.instance_id \
        where t.id = $1";
}

/// Replaces what the platform may change; false when there is no tenant by this id. A domain that is taken is a conflict.
pub async fn update(
    tx: &mut Tx,
    tenant: &Tenant,
    limits: &Limits,
    policy: SuspensionPolicy,
) -> Result<bool, StoreError> {
    let changed = run!(
        tx,
        execute(
            UPDATE,
            tenant.id.uuid(),
            tenant.name.as_str(),
            name_key(tenant.name.as_str()),
            tenant.domain.as_str(),
            tenant.instance_id.uuid(),
            tenant.timezone.as_str(),
            limits.session_timeout_minutes.minutes(),
            limits.max_users,
            limits.max_extensions,
            limits.max_concurrent_calls,
            policy.as_str(),
            tenant.updated_at.as_microsecond(),
        )
    )?;
    tenants::forget_head_revision(tx, tenant.id).await?;
    Ok(changed == 1)
}

/// The former domains at which the tenant's phones may still sign in.
pub async fn aliases(tx: &mut Tx, tenant: TenantId) -> Result<Vec<SipDomain>, StoreError> {
    let origin = Origin {
        table: "tenant_domain_aliases",
        id: tenant,
    };
    run!(tx, fetch_all::<(String,)>(ALIASES, tenant.uuid()))?
        .into_iter()
        .map(|(domain,)| origin.text("domain", &domain))
        .collect()
}

/// The tenant that a domain is a former one of.
pub async fn holder(tx: &mut Tx, domain: &SipDomain) -> Result<Option<TenantId>, StoreError> {
    let row = run!(tx, fetch_optional::<(Uuid,)>(HOLDER, domain.as_str()))?;
    Ok(row.map(|(id,)| TenantId::from_uuid(id)))
}

/// Keeps a former domain of the tenant until then.
pub async fn put_alias(
    tx: &mut Tx,
    tenant: TenantId,
    domain: &SipDomain,
    until: Timestamp,
) -> Result<(), StoreError> {
    run!(
        tx,
        execute(PUT_ALIAS, domain.as_str(), tenant.uuid(), until.as_microsecond())
    )?;
    tenants::forget_head_revision(tx, tenant).await
}

/// Gives a former domain of the tenant up.
pub async fn drop_alias(tx: &mut Tx, tenant: TenantId, domain: &SipDomain) -> Result<(), StoreError> {
    run!(tx, execute(DROP_ALIAS, tenant.uuid(), domain.as_str()))?;
    tenants::forget_head_revision(tx, tenant).await
}

/// The tenants with a former domain whose time is over.
pub async fn with_expired_aliases(tx: &mut Tx, now: Timestamp) -> Result<Vec<TenantId>, StoreError> {
    let rows = run!(tx, fetch_all::<(Uuid,)>(EXPIRED, now.as_microsecond()))?;
    Ok(rows.into_iter().map(|(id,)| TenantId::from_uuid(id)).collect())
}

/// Gives up the former domains of a tenant whose time is over; answers how many.
pub async fn drop_expired(tx: &mut Tx, tenant: TenantId, now: Timestamp) -> Result<u64, StoreError> {
    let dropped = run!(tx, execute(DROP_EXPIRED, tenant.uuid(), now.as_microsecond()))?;
    if dropped > 0 {
        tenants::forget_head_revision(tx, tenant).await?;
    }
    Ok(dropped)
}

/// Where a tenant is live, compared with where it is to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Whereabouts {
    /// Whether the instance that it is assigned to serves it.
    pub here: bool,
    /// Other instances that serve it still.
    pub elsewhere: Vec<InstanceId>,
}

/// Where a tenant is live.
pub async fn whereabouts(tx: &mut Tx, tenant: TenantId) -> Result<Whereabouts, StoreError> {
    let (here,) = run!(tx, fetch_one::<(i64,)>(IS_LIVE_HERE, tenant.uuid()))?;
    let rows = run!(tx, fetch_all::<(Uuid,)>(LIVE_ELSEWHERE, tenant.uuid()))?;
    Ok(Whereabouts {
        here: here > 0,
        elsewhere: rows.into_iter().map(|(id,)| InstanceId::from_uuid(id)).collect(),
    })
}
