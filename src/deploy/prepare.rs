//! All that comes before anything live is touched: planned, staged and tried, and once more without whom something keeps away.

use std::collections::BTreeSet;

use super::advice;
use super::aim::Aim;
use super::assemble;
use super::error::DeployError;
use super::moves::Excepted;
use super::run::{Run, Step};
use super::trial::Trial;
use crate::domain::deployment::{DeploymentStatus, Stage, StageResult};
use crate::domain::finding::Finding;
use crate::domain::ids::TenantId;
use crate::store::deployments;

/// What came of a plan that was staged and tried.
enum Validated {
    Go,
    /// What others have in the PBX is in the way of these tenants.
    Without(BTreeSet<TenantId>),
    /// The PBX lacks something of what these tenants are to go to.
    Unfit(BTreeSet<TenantId>),
    End(DeploymentStatus),
}

impl Run<'_> {
    /// All that comes before anything live is touched.
    pub(super) async fn prepare(&self, findings: &mut Vec<Finding>) -> Result<Step<Aim>, DeployError> {
        let mut excepted = Excepted::default();
        let mut in_the_way = Vec::new();
        loop {
            findings.clone_from(&in_the_way);
            let mut aim = match self.plan(&excepted, findings).await? {
                Step::Go(aim) => aim,
                end @ Step::End(_) => return Ok(end),
            };
            let validated = self.validate(&mut aim, &excepted, findings).await?;
            if !matches!(validated, Validated::Go) {
                self.keep_only(&[aim.former()]).await;
            }
            if matches!(validated, Validated::Without(_) | Validated::Unfit(_)) {
                self.forget_plan().await?;
            }
            match validated {
                Validated::Go => return Ok(Step::Go(aim)),
                Validated::Without(tenants) => {
                    in_the_way.extend(errors_of(&tenants, findings));
                    excepted.barred.extend(tenants);
                    self.driver.leave_alone(&excepted.barred);
                }
                Validated::Unfit(tenants) => {
                    in_the_way.extend(errors_of(&tenants, findings));
                    excepted.unfit.extend(tenants);
                }
                Validated::End(status) => return Ok(Step::End(status)),
            }
        }
    }

    /// What was planned with those who stay is not what the deploy does, and it may end before there is another plan.
    async fn forget_plan(&self) -> Result<(), DeployError> {
        let mut tx = self.record.begin("forget_plan").await?;
        deployments::set_plan(&mut tx, self.deployment.id, None, &[]).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn validate(
        &self,
        aim: &mut Aim,
        excepted: &Excepted,
        findings: &mut Vec<Finding>,
    ) -> Result<Validated, DeployError> {
        self.record.stage(Stage::Validating).await?;
        let number = aim.generation.number;
        let refused = |result: StageResult, status: DeploymentStatus, detail: String| async move {
            self.record.stage_end(Stage::Validating, result, &detail).await?;
            Ok(Validated::End(status))
        };
        let staged = match self.stage(aim).await {
            Ok(staged) => {
                aim.files = assemble::written(&staged);
                staged
            }
            Err(DeployError::Driver(error)) => {
                findings.push(self.untouched(advice::code_of_staging(&error), &error.full()));
                return refused(StageResult::Failed, DeploymentStatus::Failed, error.full()).await;
            }
            Err(error) => return Err(error),
        };
        for (file, how) in staged.drifted {
            findings.push(self.drifted(file, how));
            aim.overwrite(file);
        }
        if let Some(held) = self.held_back(findings) {
            return self
                .hold_back(Stage::Validating, held, findings)
                .await
                .map(Validated::End);
        }
        let unheard = self.unheard(aim, findings).await?;
        if !unheard.is_empty() {
            let detail = "what recorded calls of some tenants begin with is not there";
            return if unheard.is_disjoint(&excepted.unfit) {
                self.record
                    .stage_end(Stage::Validating, StageResult::Refused, detail)
                    .await?;
                Ok(Validated::Unfit(unheard))
            } else {
                // Who stays is as it was, and is told by a warning: this is what keeps the rounds from going on for ever.
                refused(
                    StageResult::Refused,
                    DeploymentStatus::Rejected,
                    detail.to_owned(),
                )
                .await
            };
        }
        let detail = match self.rehearse(number, aim, findings).await {
            Trial::Held(detail) => detail,
            Trial::Refused(detail) => {
                return refused(StageResult::Refused, DeploymentStatus::Rejected, detail).await;
            }
            Trial::InTheWay(tenants) => {
                let detail = "others have rows in the way of some tenants, which are left out";
                self.record
                    .stage_end(Stage::Validating, StageResult::Refused, detail)
                    .await?;
                return Ok(Validated::Without(tenants));
            }
        };
        if let Err(detail) = self.is_ready(aim, findings).await? {
            return refused(StageResult::Failed, DeploymentStatus::Failed, detail).await;
        }
        self.record
            .stage_end(Stage::Validating, StageResult::Ok, &detail)
            .await?;
        Ok(Validated::Go)
    }

    async fn stage(&self, aim: &Aim) -> Result<crate::driver::Staged, DeployError> {
        let cache = self.engine.fragments(self.instance.id);
        let standing = self.driver.standing().await;
        // What a first deploy goes back to, and what a new directory holds until the PBX was asked whether it looks there. One
        // that is tried again finds it standing already; where nobody says what stands, staging it says why.
        let is_first = aim.live.is_none() && !matches!(standing, Ok(Some(0)));
        if is_first || (matches!(standing, Ok(None)) && self.is_moving().await?) {
            self.driver
                .stage(0, assemble::empty(&self.instance.settings))
                .await?;
        }
        let files = assemble::files(&cache, &aim.templates, &aim.after, &aim.reload, &aim.live_files).await?;
        Ok(self.driver.stage(aim.generation.number, files).await?)
    }
}

fn errors_of(tenants: &BTreeSet<TenantId>, findings: &[Finding]) -> Vec<Finding> {
    let theirs = |finding: &&Finding| finding.tenant_id.is_some_and(|id| tenants.contains(&id));
    let errors = findings.iter().filter(|finding| finding.is_error());
    errors.filter(theirs).cloned().collect()
}
