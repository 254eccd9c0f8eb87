//! Writing a generation where no PBX runs: whole, but proven by nobody, so nothing is recorded as live.

use super::aim::{self, Target};
use super::assemble::{self, FileDigests};
use super::engine::Engine;
use super::error::DeployError;
use super::lease::Lease;
use super::moves::{Excepted, Purpose};
use crate::domain::finding::Finding;
use crate::domain::ids::InstanceId;
use crate::driver::Closeness;
use crate::store::generations;

/// What was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    /// The generation's number.
    pub generation: i64,
    /// What our own validation says.
    pub findings: Vec<Finding>,
}

impl Engine {
    /// Writes every tenant's head as a generation and moves the live link to it; where these files stand already, nothing
    /// is written. The instance's record still says that it is not known what a PBX serves: the first real deploy has it
    /// read everything.
    pub async fn write_files(&self, instance_id: InstanceId) -> Result<Written, DeployError> {
        let lease = Lease::take(self, instance_id)
            .await?
            .ok_or(DeployError::LeaseLost)?;
        let written = tokio::select! {
            biased;
            lost = lease.keep() => Err(lost),
            written = Box::pin(self.write_under(&lease, instance_id)) => written,
        };
        lease.give_back().await;
        written
    }

    async fn write_under(&self, lease: &Lease<'_>, instance_id: InstanceId) -> Result<Written, DeployError> {
        let (instance, mut driver) = self.driver(instance_id).await?;
        driver.obey(lease.warrant());
        let mut aim = aim::aim(
            self,
            Purpose::Deploy(lease),
            &instance,
            Target::Platform,
            &Excepted::default(),
        )
        .await?;
        let cache = self.fragments(instance_id);
        let nothing = FileDigests::new();
        let whole = assemble::files(&cache, &aim.templates, &aim.after, &[], &nothing).await?;
        if let Some(generation @ 1..) = driver.standing().await?
            && driver.drifted(whole, Closeness::Whole).await?.is_empty()
        {
            return Ok(Written {
                generation,
                findings: aim.findings,
            });
        }
        let mut tx = lease.begin("write_files").await?;
        // What was written before was never proven either.
        generations::forget_attempts(&mut tx, instance_id).await?;
        aim.keep(&mut tx).await?;
        tx.commit().await?;
        let files = assemble::files(&cache, &aim.templates, &aim.after, &aim.reload, &nothing).await?;
        driver.stage(aim.generation.number, files).await?;
        // What follows is seen by whoever starts the PBX.
        lease.begin("place_files").await?.commit().await?;
        driver.place(aim.generation.number).await?;
        driver.keep_only(&[aim.generation.number]).await?;
        Ok(Written {
            generation: aim.generation.number,
            findings: aim.findings,
        })
    }
}
