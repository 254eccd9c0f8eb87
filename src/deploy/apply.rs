//! Making a generation live: swap, reload, have the running PBX prove it, and clean up or roll back.

use std::collections::{BTreeMap, BTreeSet};

use tokio::task::spawn_blocking;

use super::aim::Aim;
use super::error::DeployError;
use super::expectation::Expectation;
use super::inquiry::Seen;
use super::mending::mended;
use super::proof::Proof;
use super::run::Run;
use super::wording;
use crate::domain::deployment::{DeploymentStatus, Stage, StageResult};
use crate::domain::finding::Finding;
use crate::domain::ids::TenantId;
use crate::domain::tenant::Service;
use crate::driver::{DriverError, EmptiedDomain, EndedCalls};
use crate::store::{generations, instances, served, tenant_lifecycle, tenants};

/// Phones are refused, and what they had begun may go on.
const CALLS_NOT_ENDED: &str = "calls_not_ended";

/// What the record says where not every extension was asked for.
fn in_part(seen: &Seen) -> String {
    if seen.asked == seen.present {
        return String::new();
    }
    format!(" (by their rows, and {} of them looked up)", seen.asked)
}

impl Run<'_> {
    pub(super) async fn apply_and_prove(
        &self,
        aim: &Aim,
        mut findings: Vec<Finding>,
    ) -> Result<DeploymentStatus, DeployError> {
        self.part_from(&aim.expected).await?;
        self.record.stage(Stage::Applying).await?;
        let mut tx = self.record.begin("apply").await?;
        instances::set_applying(&mut tx, self.instance.id, Some(aim.generation.id)).await?;
        tx.commit().await?;
        let applied = self.driver.apply(aim.generation.number, &aim.reload).await;
        let (result, detail) = match &applied {
            Ok(()) => (
                StageResult::Ok,
                wording::applied(self.instance.settings.kind(), &aim.reload),
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
        // It may serve what is right by chance: what it goes on with has the same markers, or was proven by none.
        let is_unread =
            matches!(applied, Err(DriverError::Refused { .. })) || (applied.is_err() && aim.is_doubtful());
        let (result, detail) = match proof {
            Proof::Seen(seen) if refused == 0 && !is_unread => {
                if let Err(error) = &applied {
                    let kind = self.instance.settings.kind();
                    let message = wording::not_ended(kind, seen.absent > 0, &error.full());
                    findings.extend(message.map(|message| Finding::warning(CALLS_NOT_ENDED, message)));
                }
                return self.live(aim, seen, findings).await;
            }
            Proof::Seen(_) if is_unread => (
                StageResult::Refused,
                "the running PBX shows what it should, but it is not known whether it has read it".to_owned(),
            ),
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

    /// Tells the driver who goes, where it signs phones out.
    pub(super) async fn part_from(&self, expected: &Expectation) -> Result<(), DeployError> {
        if self.driver.signs_phones_out() {
            self.driver.part_from(expected.parting(self.engine).await?);
        }
        Ok(())
    }

    /// Records that the generation is live, and removes what nobody needs any more.
    async fn live(
        &self,
        aim: &Aim,
        seen: Seen,
        mut findings: Vec<Finding>,
    ) -> Result<DeploymentStatus, DeployError> {
        let kept = self.instance.settings.is_local().then(|| aim.former());
        findings.extend(mended(&findings, kept));
        let calls = self.end_calls(aim, &mut findings).await?;
        findings.extend(self.leave_former_place().await?);
        let detail = format!(
            "the running PBX serves generation {}: {} markers, {} extensions as they should be{}, {} gone{calls}",
            aim.generation.number,
            seen.markers,
            seen.present,
            in_part(&seen),
            seen.absent
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
        served::prove(&mut tx, self.instance.id, &aim.served(), self.record.now()).await?;
        generations::prune(&mut tx, self.instance.id, self.engine.options.keep_generations).await?;
        let last = (Stage::Verifying, StageResult::Ok, detail.as_str());
        let status = self.end_in(tx, Some(last), status, findings).await?;

        let mut tx = self.engine.store.read("tenants_that_go").await?;
        let goes = tenant_lifecycle::leaving(&mut tx).await?;
        drop(tx);
        let keep = |id| !goes.contains(id);
        // Nothing of a tenant that is deleted stays on disk, also not where it was.
        let former = aim.before.tenants.keys().all(keep).then(|| aim.former());
        let mut kept = vec![aim.generation.number];
        kept.extend(former);
        self.keep_only(&kept).await;
        let mut used = BTreeMap::<_, BTreeSet<_>>::new();
        let both = aim.before.tenants.iter().chain(&aim.after.tenants);
        let used_still = |id| keep(id) || aim.after.tenants.contains_key(id);
        for (tenant_id, state) in both.filter(|(id, _)| used_still(id)) {
            used.entry(*tenant_id)
                .or_default()
                .extend(state.fragments.iter().map(|(file, digest)| (*file, *digest)));
        }
        let fragments = self.engine.fragments(self.instance.id);
        let kept = spawn_blocking(move || fragments.keep_only(&used)).await?;
        if let Err(error) = kept {
            tracing::warn!(%error, "old fragments were not removed");
        }
        Ok(status)
    }

    /// Ends the calls of tenants whose phones are refused from now on, all of them; for the record, how many. Those of one
    /// that was moved go on.
    ///
    /// Before the deploy is recorded as live: a process that dies before it has ended them does it again.
    async fn end_calls(&self, aim: &Aim, findings: &mut Vec<Finding>) -> Result<String, DeployError> {
        let goes_when_empty = self.driver.emptied_domain() == EmptiedDomain::Goes;
        let mut refused = BTreeSet::new();
        for (id, before) in &aim.before.tenants {
            if before.version.service != Service::Open {
                continue;
            }
            let is_refused = match aim.after.tenants.get(id).map(|after| after.version) {
                None => !self.is_moved(*id).await?,
                Some(after) if after.service != Service::Open => true,
                Some(after) if goes_when_empty && after.revision_id != before.version.revision_id => {
                    let after = self.engine.config(*id, after.revision_id).await?;
                    let before = self.engine.config(*id, before.version.revision_id).await?;
                    before.active().next().is_some() && after.active().next().is_none()
                }
                Some(_) => false,
            };
            if is_refused {
                let config = self.engine.config(*id, before.version.revision_id).await?;
                refused.insert(config.domain);
            }
        }
        if refused.is_empty() {
            return Ok(String::new());
        }
        match self.driver.end_calls(&refused).await {
            Ok(EndedCalls { ended, left }) => {
                if left > 0 {
                    let message = format!(
                        "phones are refused, but {left} channels go on although they were asked to end; end them on the PBX ({})",
                        wording::ending_calls(self.instance.settings.kind())
                    );
                    findings.push(Finding::warning("call_left", message));
                }
                Ok(format!(", {ended} channels hung up"))
            }
            Err(error) => {
                let message = format!(
                    "phones are refused, but calls that were up may go on: {}; end them on the PBX ({})",
                    error.full(),
                    wording::ending_calls(self.instance.settings.kind())
                );
                findings.push(Finding::warning(CALLS_NOT_ENDED, message));
                Ok(String::new())
            }
        }
    }

    /// Whether another instance is to let a tenant's phones in: then its calls here end by themselves.
    async fn is_moved(&self, id: TenantId) -> Result<bool, DeployError> {
        let mut tx = self.engine.store.read("moved_tenant").await?;
        let tenant = tenants::find(&mut tx, id).await?;
        let is_elsewhere = tenant.is_some_and(|tenant| tenant.instance_id != self.instance.id);
        let state = tenants::state_of(&mut tx, id).await?;
        Ok(is_elsewhere && state.is_some_and(|state| state.service == Service::Open))
    }

    /// Removes staged generations other than these; the one behind the live link stays in any case.
    pub(super) async fn keep_only(&self, generations: &[i64]) {
        if let Err(error) = self.driver.keep_only(generations).await {
            tracing::warn!(error = %error.full(), "old generations were not removed");
        }
    }
}
