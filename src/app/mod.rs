//! The use cases, the same for HTTP, dashboard and command line: each authorises its caller, changes in one named
//! transaction with the audit entry, and nudges the deploys.

mod audit;
pub mod deployments;
pub mod error;
pub mod extension_import;
pub mod extensions;
pub mod instances;
pub mod tenants;
pub mod views;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::Notify;

use crate::auth::authenticator::{Tenants, Unavailable};
use crate::deploy::Engine;
use crate::domain::clock::Clock;
use crate::domain::ids::{IdSource, TenantId};
use crate::domain::random::Randomness;
use crate::domain::tenant::TenantStatus;
use crate::store::{self, Store};

/// All that the use cases work with.
#[derive(Clone)]
pub struct App {
    store: Store,
    engine: Arc<Engine>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    random: Arc<dyn Randomness>,
    deploys: Arc<Notify>,
}

impl App {
    /// `deploys` wakes whoever works the queue off.
    #[must_use]
    pub fn new(
        store: Store,
        engine: Arc<Engine>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        random: Arc<dyn Randomness>,
        deploys: Arc<Notify>,
    ) -> Self {
        Self {
            store,
            engine,
            clock,
            ids,
            random,
            deploys,
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

#[async_trait]
impl Tenants for App {
    async fn status(&self, id: TenantId) -> Result<Option<TenantStatus>, Unavailable> {
        let found = async {
            let mut tx = self.store.read("tenant_status").await?;
            store::tenants::find(&mut tx, id).await
        };
        match found.await {
            Ok(tenant) => Ok(tenant.map(|tenant| tenant.status)),
            Err(error) => Err(Unavailable(error.into())),
        }
    }
}
