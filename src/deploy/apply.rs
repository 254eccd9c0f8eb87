//! Making a generation live: swap, reload, have the running PBX prove it, and clean up or roll back.

use std::collections::{BTreeMap, BTreeSet};

use super::aim::Aim;
use super::error::DeployError;
use super::inquiry::Seen;
use super::mending::mended;
use super::proof::Proof;
use super::run::{Run, names};
use crate::domain::deployment::{DeploymentStatus, Stage, StageResult};
use crate::domain::finding::Finding;
use crate::driver::DriverError;
use crate::store::{generations, instances, served};

impl Run<'_> {
    pub(super) async fn apply_and_prove(
        &self,
        aim: &Aim,
        mut findings: Vec<Finding>,
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
            findings.push(self.untouched("not_applied", &error.full()));
            return self.end_in(tx, None, DeploymentStatus::Failed, findings).await;
        }

        self.record.stage(Stage::Verifying).await?;
        let proof = self.prove(aim.generation.number, &aim.expected).await?;
        let complaints = self.driver.log_since_apply().await;
        let refused = complaints.iter().filter(|finding| finding.is_error()).count();
        findings.extend(complaints);
        let (result, detail) = match proof {
            Proof::Seen(seen) if refused == 0 => return self.live(aim, seen, findings).await,
            Proof::Seen(_) => (
                StageResult::Refused,
                format!("the running PBX shows all that it should, but found {refused} errors in our files"),
            ),
            Proof::Differs(differences) => {
                let count = differences.len();
                findings.extend(differences);
                let detail = format!("{count} differences between what runs and what should");
                (StageResult::Refused, detail)
            }
            Proof::Unknown(error) => {
                let message = format!("it could not be asked whether the PBX serves this: {error}");
                findings.push(Finding::error("not_proven", message));
                (StageResult::Failed, error)
            }
        };
        self.record.stage_end(Stage::Verifying, result, &detail).await?;
        self.roll_back(&aim.back(), aim.generation.number, findings).await
    }

    /// Records that the generation is live, and removes what nobody needs any more.
    async fn live(
        &self,
        aim: &Aim,
        seen: Seen,
        mut findings: Vec<Finding>,
    ) -> Result<DeploymentStatus, DeployError> {
        findings.extend(mended(&findings, Some(aim.former())));
        let detail = format!(
            "the running PBX serves generation {}: {} markers, {} extensions as they should be, {} gone",
            aim.generation.number, seen.markers, seen.present, seen.absent
        );
        let status = if aim.left_out.is_empty() {
            DeploymentStatus::Live
        } else {
            DeploymentStatus::Partial
        };
        let mut tx = self.record.begin("live").await?;
        instances::set_live(&mut tx, self.instance.id, aim.generation.id).await?;
        generations::set_live(&mut tx, aim.generation.id, self.record.now()).await?;
        generations::put_files(&mut tx, aim.generation.id, &aim.files).await?;
        served::replace(&mut tx, self.instance.id, &aim.served()).await?;
        generations::prune(&mut tx, self.instance.id, self.engine.options.keep_generations).await?;
        let last = (Stage::Verifying, StageResult::Ok, detail.as_str());
        let status = self.end_in(tx, Some(last), status, findings).await?;

        self.keep_only(&[aim.generation.number, aim.former()]).await;
        let mut used = BTreeMap::<_, BTreeSet<_>>::new();
        for (tenant_id, state) in aim.before.tenants.iter().chain(&aim.after.tenants) {
            used.entry(*tenant_id)
                .or_default()
                .extend(state.fragments.iter().map(|(file, digest)| (*file, *digest)));
        }
        if let Err(error) = self.engine.fragments(self.instance.id).keep_only(&used) {
            tracing::warn!(%error, "old fragments were not removed");
        }
        Ok(status)
    }

    /// Removes staged generations other than these; the one behind the live link stays in any case.
    pub(super) async fn keep_only(&self, generations: &[i64]) {
        if let Err(error) = self.driver.keep_only(generations).await {
            tracing::warn!(error = %error.full(), "old generations were not removed");
        }
    }
}
