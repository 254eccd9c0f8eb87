//! The tenants there are, as far as a caller's rights depend on them.

use std::error::Error;

use async_trait::async_trait;

use crate::domain::ids::TenantId;
use crate::domain::tenant::TenantStatus;
use crate::store::{Store, StoreError, tenants};

/// The caller could not be looked up.
#[derive(Debug, thiserror::Error)]
#[error("the caller could not be looked up")]
pub struct Unavailable(#[source] pub Box<dyn Error + Send + Sync>);

impl From<StoreError> for Unavailable {
    fn from(error: StoreError) -> Self {
        Self(Box::new(error))
    }
}

/// Knows every tenant.
#[async_trait]
pub trait Tenants: Send + Sync {
    /// The status of a tenant as it is now, or nothing when there is none of that id.
    async fn status(&self, id: TenantId) -> Result<Option<TenantStatus>, Unavailable>;
}

#[async_trait]
impl Tenants for Store {
    async fn status(&self, id: TenantId) -> Result<Option<TenantStatus>, Unavailable> {
        let mut tx = self.read("status_of_tenant").await?;
        let tenant = tenants::find(&mut tx, id).await?;
        tx.commit().await?;
        Ok(tenant.map(|tenant| tenant.status))
    }
}
