//! How many calls are on record.

use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::ids::TenantId;

statements! {
    OF_TENANT = "select count(*) from call_records where tenant_id = $1";
}

/// How many calls of a tenant are on record.
pub async fn of_tenant(tx: &mut Tx, tenant: TenantId) -> Result<i64, StoreError> {
    let (count,) = run!(tx, fetch_one::<(i64,)>(OF_TENANT, tenant.uuid()))?;
    Ok(count)
}
