//! Making a generation live: swap, reload, have the running PBX prove it, and clean up or roll back.

use super::aim::Aim;
use super::error::DeployError;
use super::proof::Proof;
use super::run::{Run, names, untouched};
use crate::domain::deployment::{DeploymentStatus, Stage, StageResult};
use crate::domain::finding::Finding;
use crate::driver::{DriverError, Expected};
use crate::store::{generations, instances, served};

impl Run<'_> {
    pub(super) async fn apply_and_prove(
        &self,
        aim: &Aim,
        findings: &mut Vec<Finding>,
    ) -> Result<DeploymentStatus, DeployError> {
        self.record.stage(Stage::Applying).await?;
        let mut tx = self.record.begin("apply").await?;
        instances::set_applying(&mut tx, self.instance.id, Some(aim.generation.id)).await?;
        tx.commit().await?;
        let applied = self.driver.apply(aim.generation.number, &aim.reload).await;
        let (result, detail) = match &applied {
            Ok(()) => (
                StageResult::Ok,
                format!("swapped; reloaded: {}", names(&aim.reload)),
            ),
            Err(error) => (StageResult::Failed, error.full()),
        };
        self.record.stage_end(Stage::Applying, result, &detail).await?;
        if let Err(error @ (DriverError::Unreachable { .. } | DriverError::NotApplied { .. })) = &applied
            && self.instance.applying.is_none()
            && self.stands(aim).await
        {
            let mut tx = self.record.begin("not_applied").await?;
            instances::set_applying(&mut tx, self.instance.id, None).await?;
            tx.commit().await?;
            findings.push(untouched("not_applied", error));
            return Ok(DeploymentStatus::Failed);
        }

        self.record.stage(Stage::Verifying).await?;
        let proof = self.prove(&aim.expected).await;
        let complaints = self.driver.log_since_apply().await;
        let refused = complaints.iter().filter(|finding| finding.is_error()).count();
        findings.extend(complaints);
        match proof {
            Proof::Seen if refused > 0 => {
                let detail = format!(
                    "the running PBX shows all that it should, but took {refused} things in our files with an error"
                );
                self.record
                    .stage_end(Stage::Verifying, StageResult::Refused, &detail)
                    .await?;
                self.roll_back(&aim.back(), aim.generation.number, findings).await
            }
            Proof::Seen => {
                let detail = format!(
                    "the running PBX serves generation {}: {}",
                    aim.generation.number,
                    seen(&aim.expected)
                );
                self.record
                    .stage_end(Stage::Verifying, StageResult::Ok, &detail)
                    .await?;
                self.live(aim).await
            }
            Proof::Differs(differences) => {
                let detail = format!(
                    "{} differences between what runs and what should",
                    differences.len()
                );
                findings.extend(differences);
                self.record
                    .stage_end(Stage::Verifying, StageResult::Refused, &detail)
                    .await?;
                self.roll_back(&aim.back(), aim.generation.number, findings).await
            }
            Proof::Unknown(error) => {
                findings.push(Finding::error(
                    "not_proven",
                    format!("the PBX did not answer: {error}"),
                ));
                self.record
                    .stage_end(Stage::Verifying, StageResult::Failed, &error)
                    .await?;
                self.roll_back(&aim.back(), aim.generation.number, findings).await
            }
        }
    }

    /// Records that the generation is live, and removes what nobody needs any more.
    async fn live(&self, aim: &Aim) -> Result<DeploymentStatus, DeployError> {
        let mut tx = self.record.begin("live").await?;
        instances::set_live(&mut tx, self.instance.id, aim.generation.id).await?;
        served::replace(&mut tx, self.instance.id, &aim.served()).await?;
        generations::prune(&mut tx, self.instance.id, self.engine.options.keep_generations).await?;
        tx.commit().await?;
        self.keep_only(&[aim.generation.number, aim.former()]).await;
        let cache = self.engine.fragments(self.instance.id);
        let mut used = std::collections::BTreeMap::<_, std::collections::BTreeSet<_>>::new();
        for (tenant_id, state) in aim.before.tenants.iter().chain(&aim.after.tenants) {
            used.entry(*tenant_id)
                .or_default()
                .extend(state.fragments.iter().map(|(file, digest)| (*file, *digest)));
        }
        if let Err(error) = cache.keep_only(&used) {
            tracing::warn!(%error, "old fragments were not removed");
        }
        Ok(if aim.left_out.is_empty() {
            DeploymentStatus::Live
        } else {
            DeploymentStatus::Partial
        })
    }

    /// Removes staged generations other than these; the one behind the live link stays in any case.
    pub(super) async fn keep_only(&self, generations: &[i64]) {
        if let Err(error) = self.driver.keep_only(generations).await {
            tracing::warn!(error = %error.full(), "old generations were not removed");
        }
    }
}

fn seen(expected: &Expected) -> String {
    let present: usize = expected
        .present
        .iter()
        .map(|tenant| tenant.extensions.len())
        .sum();
    format!(
        "{} markers, {present} extensions as they should be, {} gone",
        expected.markers.values().flatten().count(),
        expected.absent.len()
    )
}
