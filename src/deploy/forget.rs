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
        let (_, mut driver) = match self.driver_in_force(instance_id).await {
            Err(DeployError::DrivenElsewhere { .. }) => return Ok(Forgotten::Elsewhere),
            driver => driver?,
        };
        let Some(lease) = Lease::take(self, instance_id).await? else {
            return Ok(Forgotten::Busy);
        };
        driver.obey(lease.warrant());
        let forgotten = tokio::select! {
            biased;
            lost = lease.keep() => Err(lost),
            forgotten = self.remove(driver.as_ref(), instance_id, tenant_id) => forgotten,
        };
        lease.give_back().await;
        forgotten.map(|()| Forgotten::Done)
    }

    /// Takes away what an instance that serves nothing has left at its PBX.
    pub async fn leave(&self, instance_id: InstanceId) -> Result<(), DeployError> {
        let (_, driver) = self.driver(instance_id).await?;
        Ok(driver.leave().await?)
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
        driver: &dyn PbxDriver,
        instance_id: InstanceId,
        tenant_id: TenantId,
    ) -> Result<(), DeployError> {
        // The live one stays in any case.
        driver.keep_only(&[]).await?;
        let fragments = self.fragments(instance_id);
        tokio::task::spawn_blocking(move || fragments.forget(tenant_id))
            .await?
            .map_err(DeployError::Fragments)
    }
}
