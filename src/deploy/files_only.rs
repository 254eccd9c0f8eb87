//! Writing a generation where no PBX runs: whole, but proven by nobody, so nothing is recorded as live.

use super::aim;
use super::assemble;
use super::engine::Engine;
use super::error::DeployError;
use crate::domain::deployment::Scope;
use crate::domain::finding::Finding;
use crate::domain::ids::InstanceId;
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
        let (instance, driver) = self.driver(instance_id).await?;
        let mut tx = self.store.begin("write_files").await?;
        let mut aim = aim::aim(self, &mut tx, &instance, &Scope::Platform, self.clock.now()).await?;
        let cache = self.fragments(instance_id);
        let whole = assemble::files(&cache, &aim.templates, &aim.after, &[])?;
        if let Some(generation @ 1..) = driver.standing().await?
            && driver.drifted(whole).await?.is_empty()
        {
            // The revisions that were taken stay, as after a deploy that changes nothing.
            tx.commit().await?;
            return Ok(Written {
                generation,
                findings: aim.findings,
            });
        }
        aim.generation.number = generations::next_number(&mut tx, instance_id).await?;
        generations::insert(&mut tx, &aim.generation).await?;
        tx.commit().await?;
        let files = assemble::files(&cache, &aim.templates, &aim.after, &aim.reload)?;
        driver.stage(aim.generation.number, files).await?;
        driver.place(aim.generation.number).await?;
        driver.keep_only(&[aim.generation.number]).await?;
        Ok(Written {
            generation: aim.generation.number,
            findings: aim.findings,
        })
    }
}
