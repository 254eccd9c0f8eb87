//! The lease of an instance: only the process that holds it deploys there, and what it writes proves that it did.

use tokio::time::{Instant, sleep, timeout_at};

use super::engine::Engine;
use super::error::DeployError;
use super::host_lock::HostLock;
use crate::domain::error_chain::error_chain;
use crate::domain::ids::InstanceId;
use crate::driver::Warrant;
use crate::store::{Tx, leases};

/// A lease that this process took.
pub(super) struct Lease<'a> {
    engine: &'a Engine,
    instance_id: InstanceId,
    epoch: i64,
    /// With the lock among the processes of this host.
    warrant: Warrant,
}

impl<'a> Lease<'a> {
    /// Takes it; `None` while another process holds it.
    pub async fn take(engine: &'a Engine, instance_id: InstanceId) -> Result<Option<Self>, DeployError> {
        let mut lock = match HostLock::take(&engine.options.state_dir, instance_id) {
            Ok(None) => return Ok(None),
            Ok(lock) => lock,
            // The lease alone has to do; a deploy will say what is wrong with the directory.
            Err(error) => {
                tracing::warn!(%instance_id, %error, "the state directory holds no lock");
                None
            }
        };
        let gone = lock.as_mut().and_then(|lock| lock.last_epoch().ok().flatten());
        let mut tx = engine.store.begin("acquire_lease").await?;
        let (holder, ttl) = (&engine.options.holder, engine.options.lease);
        let epoch = leases::acquire(&mut tx, instance_id, holder, gone, engine.clock.now(), ttl).await?;
        tx.commit().await?;
        let Some(epoch) = epoch else { return Ok(None) };
        // Without the note the next process waits until the lease has lapsed.
        if let Some(Err(error)) = lock.as_mut().map(|lock| lock.note(epoch)) {
            tracing::warn!(%instance_id, %error, "the lease was not noted beside its lock");
        }
        Ok(Some(Self {
            engine,
            instance_id,
            epoch,
            warrant: lock.map_or_else(Warrant::default, Warrant::holding),
        }))
    }

    /// What work on the disk goes on by, which outlives whoever waited for it.
    pub fn warrant(&self) -> Warrant {
        self.warrant.clone()
    }

    /// A transaction in which it is known to be held.
    pub async fn begin(&self, name: &'static str) -> Result<Tx, DeployError> {
        let mut tx = self.engine.store.begin(name).await?;
        let (now, ttl) = (self.engine.clock.now(), self.engine.options.lease);
        if leases::renew(&mut tx, self.instance_id, self.epoch, now, ttl).await? {
            Ok(tx)
        } else {
            Err(DeployError::LeaseLost)
        }
    }

    /// Prolongs it for as long as this is polled; ends when it is lost, and also when it may have lapsed because the
    /// database could not be asked: then another process may be driving the PBX already.
    pub async fn keep(&self) -> DeployError {
        let ttl = self.engine.options.lease;
        let mut renewed = Instant::now();
        loop {
            sleep(ttl / 3).await;
            let asked = Instant::now();
            match timeout_at(renewed + ttl, self.renew()).await {
                Ok(Ok(())) => renewed = asked,
                Ok(Err(DeployError::LeaseLost)) | Err(_) => return DeployError::LeaseLost,
                Ok(Err(error)) => {
                    let (instance_id, error) = (self.instance_id, error_chain(&error));
                    tracing::warn!(%instance_id, error, "the lease could not be prolonged; trying again");
                }
            }
        }
    }

    async fn renew(&self) -> Result<(), DeployError> {
        Ok(self.begin("renew_lease").await?.commit().await?)
    }

    /// Gives it back. One that is not given back lapses by itself.
    pub async fn give_back(self) {
        if let Err(error) = self.release().await {
            let (instance_id, error) = (self.instance_id, error_chain(&error));
            tracing::warn!(%instance_id, error, "the lease was not given back; it lapses by itself");
        }
    }

    async fn release(&self) -> Result<(), DeployError> {
        let mut tx = self.engine.store.begin("release_lease").await?;
        leases::release(&mut tx, self.instance_id, self.epoch).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// However it ends: work that is still going on moves nothing any more.
impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.warrant.withdraw();
    }
}
