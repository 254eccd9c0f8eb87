//! Removing the last files of a tenant that no PBX serves any more.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use super::engine::Engine;
use super::error::DeployError;
use super::lease::Lease;
use crate::domain::ids::{InstanceId, TenantId};
use crate::domain::instance::PbxInstance;
use crate::driver::{PbxDriver, fusionpbx};

/// What became of the files of a tenant on one instance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Forgotten {
    /// None is left.
    Done,
    /// A deploy is under way: to be tried again.
    Busy,
    /// They are another host's, whose next deploy removes them.
    Elsewhere,
}

impl Engine {
    /// Removes what was staged beside the live files, where the tenant may stand in it, and the tenant's fragments.
    pub async fn forget(
        &self,
        instance_id: InstanceId,
        tenant_id: TenantId,
    ) -> Result<Forgotten, DeployError> {
        let mut drivers = match self.drivers_of_places(instance_id).await {
            Err(DeployError::DrivenElsewhere { .. }) => return Ok(Forgotten::Elsewhere),
            drivers => drivers?,
        };
        let Some(lease) = Lease::take(self, instance_id).await? else {
            return Ok(Forgotten::Busy);
        };
        for driver in &mut drivers {
            driver.obey(lease.warrant());
        }
        let forgotten = tokio::select! {
            biased;
            lost = lease.keep() => Err(lost),
            forgotten = self.remove(&drivers, instance_id, tenant_id) => forgotten,
        };
        lease.give_back().await;
        forgotten.map(|()| Forgotten::Done)
    }

    /// Holds an instance, so that no deploy moves anything of it meanwhile; `None` while one is under way.
    pub async fn hold(&self, instance_id: InstanceId) -> Result<Option<Hold<'_>>, DeployError> {
        let lease = Lease::take(self, instance_id).await?;
        Ok(lease.map(|lease| Hold {
            engine: self,
            instance_id,
            lease,
        }))
    }

    /// Removes all that was rendered and staged for an instance that is none any more, where it is on this host.
    pub async fn forget_instance(&self, instance: &PbxInstance) -> Result<(), DeployError> {
        if instance.node != *self.node() {
            return Ok(());
        }
        let fragments = self.fragments(instance.id);
        let staged = fusionpbx::staging(&self.options.state_dir, instance.id);
        tokio::task::spawn_blocking(move || {
            let removed = match fs::remove_dir_all(staged) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                removed => removed,
            };
            fragments.keep_only(&BTreeMap::new()).and(removed)
        })
        .await?
        .map_err(DeployError::Fragments)
    }

    async fn remove(
        &self,
        drivers: &[Box<dyn PbxDriver>],
        instance_id: InstanceId,
        tenant_id: TenantId,
    ) -> Result<(), DeployError> {
        // Behind the first, where its files are in force: of a place that is not, nothing is kept, unless the PBX reads it all the same.
        for tried in drivers.iter().skip(1) {
            if tried.asks_before_leaving()
                && let Err(error) = tried.leave().await
            {
                tracing::warn!(error = %error.full(), "what a move has tried lies there still, with the digests of a deleted tenant");
            }
        }
        for driver in drivers {
            // The live one stays in any case.
            driver.keep_only(&[]).await?;
        }
        let fragments = self.fragments(instance_id);
        tokio::task::spawn_blocking(move || fragments.forget(tenant_id))
            .await?
            .map_err(DeployError::Fragments)
    }
}

/// An instance that no deploy moves anything of.
pub struct Hold<'a> {
    engine: &'a Engine,
    instance_id: InstanceId,
    lease: Lease<'a>,
}

impl Hold<'_> {
    /// Takes away what an instance that serves nothing has left at its PBX, wherever that may lie.
    pub async fn leave(&self) -> Result<(), DeployError> {
        tokio::select! {
            biased;
            lost = self.lease.keep() => Err(lost),
            left = self.leave_places() => left,
        }
    }

    async fn leave_places(&self) -> Result<(), DeployError> {
        for mut driver in self.engine.drivers_of_places(self.instance_id).await? {
            driver.obey(self.lease.warrant());
            driver.leave().await?;
        }
        Ok(())
    }

    /// Lets go of it.
    pub async fn end(self) {
        self.lease.give_back().await;
    }
}
