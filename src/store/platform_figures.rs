//! The platform in numbers.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::statement::{run, statements};
use super::{StoreError, Tx};
use crate::domain::ids::{InstanceId, TenantId};

statements! {
    TENANTS = "select count(*), count(*) filter (where status = 'active'), \
        count(*) filter (where status = 'suspended') from tenants";
    PEOPLE = "select (select count(*) from users), (select count(*) from extensions)";
    TENANTS_BY_INSTANCE = "select instance_id, count(*) from tenants group by instance_id";
    INSTANCE_OF_EACH = "select id, instance_id from tenants";
}

/// What there is in all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Figures {
    /// All tenants, those that are being deleted too.
    pub tenants: i64,
    /// Tenants that are served.
    pub active_tenants: i64,
    /// Tenants that are suspended.
    pub suspended_tenants: i64,
    /// Users, whatever their status.
    pub users: i64,
    /// Extensions, whatever their status.
    pub extensions: i64,
}

/// Counts what there is.
pub async fn read(tx: &mut Tx) -> Result<Figures, StoreError> {
    let (tenants, active_tenants, suspended_tenants) = run!(tx, fetch_one::<(i64, i64, i64)>(TENANTS))?;
    let (users, extensions) = run!(tx, fetch_one::<(i64, i64)>(PEOPLE))?;
    Ok(Figures {
        tenants,
        active_tenants,
        suspended_tenants,
        users,
        extensions,
    })
}

/// How many tenants are assigned to each instance that has any.
pub async fn tenants_by_instance(tx: &mut Tx) -> Result<BTreeMap<InstanceId, i64>, StoreError> {
    let rows = run!(tx, fetch_all::<(Uuid, i64)>(TENANTS_BY_INSTANCE))?;
    Ok(rows
        .into_iter()
        .map(|(id, count)| (InstanceId::from_uuid(id), count))
        .collect())
}

/// The instance that each tenant is assigned to.
pub async fn instance_of_each(tx: &mut Tx) -> Result<BTreeMap<TenantId, InstanceId>, StoreError> {
    let rows = run!(tx, fetch_all::<(Uuid, Uuid)>(INSTANCE_OF_EACH))?;
    Ok(rows
        .into_iter()
        .map(|(tenant, instance)| (TenantId::from_uuid(tenant), InstanceId::from_uuid(instance)))
        .collect())
}
