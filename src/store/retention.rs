//! For how long each tenant keeps what it has.

use uuid::Uuid;

use super::row::Origin;
use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::ids::TenantId;
use crate::domain::retention::{Days, Keep, RetentionKind, RetentionPolicy};

statements! {
    OF = "select kind, days from retention where tenant_id = $1";
    PUT = "insert into retention (tenant_id, kind, days) values ($1, $2, $3) \
        on conflict (tenant_id, kind) do update set days = excluded.days";
    FORGET = "delete from retention where tenant_id = $1 and kind = $2";
    TENANTS = "select distinct r.tenant_id from retention r join tenants t on t.id = r.tenant_id \
        where t.status <> 'deleting' order by r.tenant_id";
}

/// The policy of a tenant.
pub async fn find(tx: &mut Tx, tenant: TenantId) -> Result<RetentionPolicy, StoreError> {
    let origin = Origin {
        table: "retention",
        id: tenant,
    };
    let mut policy = RetentionPolicy::default();
    for (kind, days) in run!(tx, fetch_all::<(String, i64)>(OF, tenant.uuid()))? {
        let kind: RetentionKind = origin.text("kind", &kind)?;
        let days = Days::new(days).map_err(|invalid| origin.corrupt("days", invalid))?;
        policy.set(kind, Keep::Days(days));
    }
    Ok(policy)
}

/// Replaces the policy of a tenant.
pub async fn put(tx: &mut Tx, tenant: TenantId, policy: &RetentionPolicy) -> Result<(), StoreError> {
    for kind in RetentionKind::ALL {
        match policy.of(*kind).days() {
            Some(days) => run!(tx, execute(PUT, tenant.uuid(), kind.as_str(), days))?,
            None => run!(tx, execute(FORGET, tenant.uuid(), kind.as_str()))?,
        };
    }
    Ok(())
}

/// The tenants that do not keep everything forever, but for those that are to go.
pub async fn tenants(tx: &mut Tx) -> Result<Vec<TenantId>, StoreError> {
    let rows = run!(tx, fetch_all::<(Uuid,)>(TENANTS))?;
    Ok(rows.into_iter().map(|(id,)| TenantId::from_uuid(id)).collect())
}
